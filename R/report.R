#' Write a report
#'
#' Renders a comparison to one self-contained HTML file: what was compared,
#' convergence, losses with intervals, total capacity beside parameter counts, capacity
#' profiles beside each task's demand, how to read them, seeds and session. It is the R
#' Markdown template `capacity-report` of this package, which can be opened and changed
#' from an editor's "New file from template".
#'
#' Needs the packages rmarkdown, knitr and ggplot2, and pandoc, and says so before
#' anything else.
#'
#' @param x A comparison, from [compare_architectures()].
#' @param ... Not used.
#' @param file Path of the HTML file. Its folder must exist.
#' @param title Title of the report.
#' @returns The path of the file, invisibly.
#' @examples
#' \dontrun{
#' cmp <- compare_architectures(classical_architectures(64), classical_tasks(64))
#' report(cmp, file = "capacity-report.html")
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
report.ca_comparison <- function(x, ..., file, title = "Capacity report") {
  check_dots(...)
  check_report_file(file)
  check_string(title)
  for (package in c("rmarkdown", "knitr", "ggplot2")) need_package(package, "write a report")
  if (!rmarkdown::pandoc_available("1.12.3")) {
    abort(c(
      "pandoc is needed to write a report, and was not found.",
      i = "On Debian or Ubuntu: {.code apt-get install pandoc}; RStudio brings its own."
    ), "pandoc")
  }
  if (!any(has_run(x$runs))) {
    abort(c("There is nothing to report: all runs failed.", x = "{x$runs$error[[1]]}"), "value")
  }
  folder <- tempfile("capacity-report")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  template <- system.file("rmarkdown", "templates", "capacity-report", "skeleton", package = "capalloc")
  file.copy(list.files(template, full.names = TRUE), folder)
  made <- rmarkdown::render(file.path(folder, "skeleton.Rmd"),
    params = list(comparison = x, title = title), envir = new.env(parent = globalenv()), quiet = TRUE
  )
  if (!file.copy(made, file, overwrite = TRUE)) {
    abort(c("{.arg file} cannot be written.", x = "It is {.file {file}}."), "file")
  }
  invisible(file)
}

check_report_file <- function(file, call = rlang::caller_env()) {
  if (missing(file) || !is.character(file) || length(file) != 1L || is.na(file) || !nzchar(file)) {
    abort(c(
      "{.arg file} must be the path of the HTML file to write.",
      i = "For instance {.code file = \"capacity-report.html\"}."
    ), "value", call = call)
  }
  folder <- dirname(file)
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
