# Reports: the R Markdown template of this package, reduced to the selected sections and rendered to one file.
#
# Sections are defined only in the template: each is a heading `## Title {#name}` and the lines up to the next heading.
# The lines above the first heading are common to all reports. So report() has exactly the sections of the template, and
# rendering the template from an editor gives the complete report.

#' Write a report
#'
#' Renders a comparison to one self-contained file, HTML or PDF: what was compared, losses with intervals,
#' convergence, capacity profiles beside each task's demand, how sure these are, contrasts and ranks of
#' architectures with their tests, the frontier of loss and capacity, and seeds. It is the R Markdown template
#' `capacity-report` of this package, which can be opened and changed from an editor's "New file from template".
#'
#' @section Sections:
#' * `"compared"`: architectures, their layers and parameters, and tasks.
#' * `"losses"`: means over replicates with intervals, as a picture and a table.
#' * `"convergence"`: runs that failed or did not converge, and what was said.
#' * `"profiles"`: capacity by input beside demand, and how to read it.
#' * `"uncertainty"`: capacity by octave of the lag (on grids and vectors of the inputs that have most of it), with
#'   intervals over replicates.
#' * `"contrasts"`: differences of `metric` between architectures, from [contrast_architectures()].
#' * `"ranks"`: [rank_results()] and the critical-difference diagram.
#' * `"frontier"`: which architectures no other beats in both total capacity and excess loss.
#' * `"difference"`: [capacity_difference()] of the two architectures of the best mean ranks.
#' * `"session"`: how to make all of it again.
#'
#' A section that cannot be made of this comparison (contrasts of one architecture, say) stays in the report and says
#' why.
#'
#' @section What it needs:
#' The packages rmarkdown, knitr and ggplot2, and pandoc; for PDF a LaTeX (xelatex, lualatex or pdflatex). What is
#' missing is said before anything is rendered. A PDF leaves out characters that LaTeX's font lacks, such as Greek
#' letters in names; HTML has them all.
#'
#' Names of architectures and tasks, messages and the title are text wherever they stand: markup in them is shown,
#' not obeyed.
#'
#' @param x A comparison, from [compare_architectures()].
#' @param ... Not used.
#' @param file Path of the file to write, ending in `.html` or `.pdf`, which decides the format. Its folder must exist.
#' @param title Title of the report.
#' @param metric What contrasts and ranks are about, as in [contrast_architectures()].
#' @param sections Names of sections, in the order in which they are to stand; `NULL` for all.
#' @param level Level of intervals and tests.
#' @returns The path of the file, invisibly.
#' @section Errors:
#' `capalloc_error_package`, `capalloc_error_pandoc` and `capalloc_error_latex` for what is not installed;
#' `capalloc_error_file` for a file that cannot be written; `capalloc_error_value` for an unknown metric, section or
#' format, and when no run succeeded; `capalloc_error_render` when LaTeX fails on what the report holds.
#' @examples
#' \dontrun{
#' cmp <- compare_architectures(classical_architectures(64), classical_tasks(64))
#' report(cmp, file = "capacity-report.html")
#' report(cmp, file = "short.html", sections = c("losses", "contrasts"), metric = "efficiency")
#' }
#' @export
report <- function(x, ..., file) UseMethod("report")

#' @rdname report
#' @export
report.default <- function(x, ..., file) {
  abort(c(
    "{.arg x} must be a comparison.",
    x = "It is {show_value(x)} of class {.cls {class(x)}}."
  ), "type")
}

#' @rdname report
#' @export
report.ca_comparison <- function(x, ..., file, title = "Capacity report", metric = "excess_loss", sections = NULL,
                                 level = 0.95) {
  check_dots(...)
  check_report_file(file)
  format <- report_format(file)
  params <- list(
    comparison = x, title = check_string(title), metric = check_choice(metric, known_metrics(x)),
    level = check_number(level, min = 0, max = 1, open = TRUE)
  )
  template <- report_template()
  sections <- check_report_sections(sections, names(template$sections))
  need_report_renderer()
  engine <- if (format == "pdf") need_report_latex()
  if (!any(has_run(x$runs))) {
    abort(c("There is nothing to report: all runs failed.", x = "{x$runs$error[[1]]}"), "value")
  }
  made <- render_report(c(template$common, unlist(template$sections[sections])), params, format, engine)
  on.exit(unlink(dirname(made), recursive = TRUE))
  if (!file.copy(made, file, overwrite = TRUE)) {
    abort(c("{.arg file} cannot be written.", x = "It is {.file {file}}."), "file")
  }
  invisible(file)
}

# ---- arguments ----------------------------------------------------------------------------------------

check_report_file <- function(file, call = rlang::caller_env()) {
  if (missing(file) || !rlang::is_string(file) || !nzchar(file)) {
    abort(c(
      "{.arg file} must be the path of the file to write.",
      i = "For instance {.code file = \"capacity-report.html\"}."
    ), "value", call = call)
  }
  check_report_writable(file, dirname(file), call)
}

check_report_writable <- function(file, folder, call) {
  if (!dir.exists(folder) || file.access(folder, 2L) != 0L) {
    abort(c(
      "{.arg file} must be in a folder that exists and can be written.",
      x = "The folder of {.file {file}} {if (dir.exists(folder)) 'cannot be written' else 'does not exist'}."
    ), "file", call = call)
  }
  if (dir.exists(file)) {
    abort(c("{.arg file} must be a file.", x = "{.file {file}} is a folder."), "file", call = call)
  }
  invisible(file)
}

# "html" or "pdf", by the extension of the file name.
report_format <- function(file, call = rlang::caller_env()) {
  if (grepl("[.]html?$", file, ignore.case = TRUE)) return("html")
  if (grepl("[.]pdf$", file, ignore.case = TRUE)) return("pdf")
  abort(c("{.arg file} must end in {.val .html} or {.val .pdf}.", x = "It is {.file {file}}."), "value", call = call)
}

check_report_sections <- function(sections, known, call = rlang::caller_env()) {
  if (is.null(sections)) return(known)
  if (!is.character(sections) || length(sections) == 0L) {
    abort(c(
      "{.arg sections} must be names of sections, or {.code NULL} for all of them.",
      x = "It is {show_value(sections)}.", i = "The sections are {.val {known}}."
    ), "type", call = call)
  }
  wrong <- setdiff(sections, known)
  if (length(wrong) > 0L) {
    abort(c(
      "{.arg sections} must be names of sections.",
      x = "There is no {.or {.val {wrong}}}.", i = "The sections are {.val {known}}."
    ), "value", call = call)
  }
  unique(sections)
}

# ---- required software --------------------------------------------------------------------------------

need_report_renderer <- function(call = rlang::caller_env()) {
  for (package in c("rmarkdown", "knitr", "ggplot2")) need_package(package, "write a report", call = call)
  if (rmarkdown::pandoc_available("1.12.3")) return(invisible())
  abort(c(
    "pandoc is needed to write a report, and was not found.",
    i = "On Debian or Ubuntu: {.code apt-get install pandoc}. RStudio includes pandoc."
  ), "pandoc", call = call)
}

# The name of an installed LaTeX engine. Engines with complete Unicode support are preferred.
need_report_latex <- function(call = rlang::caller_env()) {
  engines <- c("xelatex", "lualatex", "pdflatex")
  found <- engines[nzchar(Sys.which(engines))]
  if (length(found) > 0L) return(found[[1L]])
  abort(c(
    "LaTeX is needed to write a report as PDF, and was not found.",
    x = "No {.or {.code {engines}}} is installed.",
    i = "On Debian or Ubuntu: {.code apt-get install texlive-xetex texlive-fonts-recommended lmodern}. On any system:
      {.code tinytex::install_tinytex()}.",
    i = "A {.arg file} that ends in {.val .html} does not need LaTeX."
  ), "latex", call = call)
}

# ---- rendering ----------------------------------------------------------------------------------------

report_folder <- function() {
  system.file("rmarkdown", "templates", "capacity-report", "skeleton", package = "capalloc")
}

# The lines of the template. Returns a list: `common`, those above the first section; `sections`, a list of the lines of
# each section, by name.
report_template <- function() {
  lines <- readLines(file.path(report_folder(), "skeleton.Rmd"), encoding = "UTF-8")
  heading <- "^## .*\\{#([a-z]+)\\}$"
  starts <- grep(heading, lines)
  part <- findInterval(seq_along(lines), starts)
  sections <- unname(split(lines[part > 0L], part[part > 0L]))
  names(sections) <- sub(heading, "\\1", lines[starts])
  list(common = lines[part == 0L], sections = sections)
}

# Path of the rendered file, in a new temporary folder.
render_report <- function(lines, params, format, engine, call = rlang::caller_env()) {
  folder <- tempfile("capacity-report")
  dir.create(folder)
  file.copy(list.files(report_folder(), full.names = TRUE), folder)
  source <- file.path(folder, "skeleton.Rmd")
  writeLines(enc2utf8(lines), source, useBytes = TRUE)
  tryCatch(
    report_without_latex_warnings(rmarkdown::render(source, output_format = report_output_format(format, engine),
      params = params,
      envir = new.env(parent = globalenv()), quiet = TRUE)),
    error = function(e) {
      unlink(folder, recursive = TRUE)
      abort(c("The report could not be rendered.", x = "{flat_message(e)}"), "render", call = call)
    }
  )
}

# Muffles warnings of LaTeX, such as the one that labels may have changed; the report refers to no labels.
report_without_latex_warnings <- function(code) {
  withCallingHandlers(code, warning = function(w) {
    if (grepl("^LaTeX Warning", conditionMessage(w))) invokeRestart("muffleWarning")
  })
}

# The output format of rmarkdown; NULL selects the first format of the template, HTML.
report_output_format <- function(format, engine) {
  if (format == "html") return(NULL)
  rmarkdown::pdf_document(latex_engine = engine, dev = if (capabilities("cairo")) "cairo_pdf" else "pdf",
    pandoc_args = c("--variable", "geometry:margin=2cm", "--variable", "colorlinks"))
}
