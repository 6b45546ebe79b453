# report(): details of one report, and errors raised before any report is rendered.

skip_without_renderer <- function() {
  for (package in c("rmarkdown", "knitr", "ggplot2")) skip_if_not_installed(package)
  skip_if_not(rmarkdown::pandoc_available("1.12.3"), "pandoc is not there")
}

hostile <- c("<script>alert(1)</script>", "a*b*_c_")
hostile_title <- "It's \"one\" <b>bold</b> & $HOME `date` *title*"

small_comparison <- function() {
  nets <- list(arch_dense(8), arch_dilated(8, filters = 1))
  compare_architectures(stats::setNames(nets, hostile), classical_tasks(8)[c("sparse", "ar")],
    replicates = 2, n_obs = 40, seed = 123
  )
}

# Returns the text that a browser shows of HTML, with entities resolved.
shown_text <- function(html) {
  text <- gsub("<(script|style)[^>]*>.*?</\\1>", " ", html, perl = TRUE)
  text <- gsub("<[^>]*>", " ", text)
  entities <- c(`&lt;` = "<", `&gt;` = ">", `&quot;` = "\"", `&#39;` = "'", `&#96;` = "`", `&amp;` = "&")
  for (entity in names(entities)) text <- gsub(entity, entities[[entity]], text, fixed = TRUE)
  gsub("\\s+", " ", text)
}

files_of_package <- function() {
  files <- list.files(system.file(package = "capalloc"), recursive = TRUE, full.names = TRUE)
  stats::setNames(file.mtime(files), files)
}

test_that("a report is one self-contained file with the requested title and sections", {
  skip_on_cran()
  skip_without_renderer()
  cmp <- small_comparison()
  folder <- withr::local_tempdir()
  withr::local_dir(withr::local_tempdir())
  own_temporary <- list.files(tempdir())
  installed <- files_of_package()
  file <- file.path(folder, "a report.html")

  expect_silent(out <- withVisible(report(cmp, file = file, title = hostile_title)))
  expect_identical(out, list(value = file, visible = FALSE))

  # Nothing else is written.
  expect_identical(list.files(folder), "a report.html")
  expect_identical(list.files(getwd(), all.files = TRUE, no.. = TRUE), character())
  expect_identical(files_of_package(), installed)
  left <- setdiff(list.files(tempdir()), own_temporary)
  expect_identical(left[grepl("capacity-report", left)], character())

  html <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
  # Nothing is loaded from elsewhere: every source is in the file, every link points into it.
  sources <- regmatches(html, gregexpr("(src|href)=\"[^\"]{0,40}", html))[[1]]
  expect_gte(sum(grepl("^src=\"data:image", sources)), 2)
  expect_match(sources, "=\"(data:|#)")
  expect_no_match(html, "@import|url\\((?!['\"]?data:)", perl = TRUE)
  expect_match(html, "<meta name=\"viewport\"", fixed = TRUE)
  expect_match(html, "<html[^>]* lang=\"en-GB\"")

  # Names and titles appear as complete text and never as markup.
  expect_no_match(html, "<script>alert", fixed = TRUE)
  expect_no_match(html, "<b>bold", fixed = TRUE)
  expect_match(html, "<td[^>]*> *&lt;script&gt;alert\\(1\\)&lt;/script&gt; *</td>")
  expect_match(html, "<td[^>]*> *a\\*b\\*_c_ *</td>")
  text <- shown_text(html)
  expect_match(text, hostile_title, fixed = TRUE)

  headings <- regmatches(html, gregexpr("<h[23]>[^<]*", html))[[1]]
  expect_identical(sub("<h[23]>", "", headings), c(
    "What was compared", "Losses", "Convergence", "Where the capacity sits", "How to read them",
    "How sure the allocation is", "Contrasts", "Ranks", "The frontier", "Where the two best differ",
    "Seeds and session"
  ))
  # Every picture has an alternative text.
  images <- regmatches(html, gregexpr("<img [^>]{0,60}.*?>", html, perl = TRUE))[[1]]
  expect_length(images, 7)
  expect_match(images, "alt=\"[^\"]{40,}\"")
  expect_match(text, "2 architectures on 2 tasks, 2 times each: 8 runs, of which 0 failed")
  expect_match(text, attr(summary(cmp), "varies"), fixed = TRUE)
  expect_match(text, "seed = 123", fixed = TRUE)
  expect_match(text, R.version.string, fixed = TRUE)
  expect_match(text, "Every run converged", fixed = TRUE)

  rows <- summary(cmp)
  for (i in seq_len(nrow(rows))) {
    # task, architecture, loss (low to high), excess loss (..), parameters, total capacity
    of <- signif(unlist(rows[i, c("loss", "loss_low", "loss_high")]), 4)
    said <- paste0(
      rows$task[[i]], " ", rows$network[[i]], " ", of[[1]], " (", of[[2]], " to ", of[[3]], ")"
    )
    expect_match(text, said, fixed = TRUE)
    after <- strsplit(text, said, fixed = TRUE)[[1]][[2]]
    sizes <- paste0(") ", rows$n_params[[i]], " ", round(rows$total_capacity[[i]], 2), " ")
    expect_true(startsWith(sub("^ [^)]*", "", after), sizes))
  }

  # The demand of the sparse task is 1/4 at each of the lags 8, 4 and 1, and zero elsewhere.
  demands <- sub(".*input lag demand", "", text)
  expect_match(gsub("0.2500", "0.25", demands, fixed = TRUE),
    "^ sparse x\\[1\\] 8 0\\.25 sparse x\\[5\\] 4 0\\.25 sparse x\\[8\\] 1 0\\.25 ar ")
})

# Returns the text of a report with the given sections.
report_text <- function(cmp, ...) {
  file <- withr::local_tempfile(fileext = ".html")
  report(cmp, file = file, ...)
  shown_text(paste(readLines(file, encoding = "UTF-8"), collapse = "\n"))
}

test_that("sections are the requested ones in the requested order, with the requested metric", {
  skip_on_cran()
  skip_without_renderer()
  cmp <- small_comparison()
  text <- report_text(cmp, sections = c("ranks", "contrasts"), metric = "efficiency", level = 0.9)
  expect_match(text, "Ranks .*Contrasts ")
  expect_no_match(text, "What was compared|Losses|Seeds and session")

  # The numbers equal those of the functions.
  contrast <- suppressWarnings(contrast_architectures(cmp, "efficiency", level = 0.9))
  cells <- unlist(format(contrast))
  expect_match(text, paste(cells, collapse = " "), fixed = TRUE)
  expect_match(text, "Differences of efficiency between architectures, the first minus the second, with 90% intervals",
    fixed = TRUE)
  ranks <- format(rank_results(cmp, "efficiency"))
  for (i in 1:2) expect_match(text, paste(unlist(ranks[i, ]), collapse = " "), fixed = TRUE)
})

test_that("the section on uncertainty has Student intervals of the mean capacity at each lag", {
  skip_on_cran()
  skip_without_renderer()
  cmp <- small_comparison()
  text <- report_text(cmp, sections = "uncertainty")
  own <- subset(cmp$allocation, network == hostile[[2]] & task == "ar" & lag %in% 5:8)
  v <- tapply(own$capacity, own$replicate, mean)
  said <- signif(t.test(v)$conf.int, 2)
  expect_match(text, paste0(signif(mean(v), 2), " (", said[[1]], " to ", said[[2]], ")"), fixed = TRUE)
  expect_match(text, "task architecture 1 2 3-4 5-8", fixed = TRUE)
})

test_that("a section that cannot be made states why", {
  skip_on_cran()
  skip_without_renderer()
  nets <- list(`<b>d_e_n</b>` = arch_dense(8))
  one <- compare_architectures(nets, classical_tasks(8)["ar"], replicates = 1, n_obs = 40)
  text <- report_text(one)
  because <- function(why) expect_match(text, paste("This section cannot be made:", why), fixed = TRUE)
  because("one replicate has no spread")
  because("cmp must have two architectures or more to contrast. It has 1: \"<b>d_e_n</b>\".")
  because("it takes two architectures with runs")
  expect_match(text, "There is no critical-difference diagram: cmp must have two", fixed = TRUE)
  # The same for a metric that no run has.
  one$runs$loss <- one$runs$excess_loss <- NA_real_
  text <- report_text(one, sections = c("ranks", "frontier", "losses"))
  because("metric must have at least one finite value. None of the 1 run has a finite excess_loss.")
  because("object must have runs to draw.")
})

test_that("networks on grids and vectors can be reported", {
  skip_on_cran()
  skip_without_renderer()
  grid <- input_grid(3, 3)
  nets <- list(a = layer_dense(grid, 1), b = grid |> layer_conv(1, kernel = 3) |> layer_dense(1))
  cmp <- compare_architectures(nets, list(image = task_image(3, 3, range = 2)), replicates = 2, n_obs = 50)
  expect_match(report_text(cmp, sections = c("profiles", "uncertainty", "difference")),
    "Capacity of the inputs that have most of it", fixed = TRUE)
})

test_that("failed and unconverged runs are reported with their messages", {
  skip_on_cran()
  skip_without_renderer()
  big <- set_coef(arch_dilated(8, 1), rep(1e200, 7))
  cmp <- quiet(compare_architectures(list(dilated = arch_dilated(8, 1), big = big),
    classical_tasks(8)["sparse"], replicates = 2, control = list(max_iterations = 1)))
  folder <- withr::local_tempdir()
  withr::local_dir(folder)
  writeLines("old", "report.html")
  report(cmp, file = "report.html") # a relative path of an existing file
  text <- shown_text(paste(readLines("report.html", encoding = "UTF-8"), collapse = "\n"))
  expect_match(text, "Capacity report", fixed = TRUE)
  expect_match(text, "4 runs, of which 2 failed and 2 did not converge", fixed = TRUE)
  expect_match(text, "sparse dilated 2 0 2 ", fixed = TRUE)
  expect_match(text, "sparse big 0 2 0 ", fixed = TRUE)
  expect_match(text, "not converged: exhausted", fixed = TRUE)
  expect_match(text, "There is no critical-difference diagram: no task has all architectures.", fixed = TRUE)
  expect_match(text, "Training diverged at iteration 0: the loss is not finite.", fixed = TRUE)
  expect_match(text, as.character(cmp$runs$seed[[1]]), fixed = TRUE)
})

test_that("a title is never interpreted by a shell", {
  skip_on_cran()
  skip_without_renderer()
  cmp <- small_comparison()
  file <- withr::local_tempfile(fileext = ".html")
  # It has no blank or bracket, for which rmarkdown would quote it.
  title <- "\"$HOME\"`date`"
  report(cmp, file = file, title = title, sections = "session")
  text <- shown_text(paste(readLines(file, encoding = "UTF-8"), collapse = "\n"))
  expect_match(text, title, fixed = TRUE)
})

test_that("bad arguments are refused by class before anything is written", {
  for (package in c("rmarkdown", "knitr", "ggplot2")) skip_if_not_installed(package)
  cmp <- small_comparison()
  folder <- withr::local_tempdir()
  withr::local_dir(folder)
  dir.create("folder.html")
  html <- "report.html"
  failed <- cmp
  failed$runs$loss <- failed$runs$train_loss <- NA_real_
  failed$runs$error <- "no {rows}"
  texts <- c(
    bad(report(cmp), "value"),
    bad(report(cmp, file = NULL), "value"),
    bad(report(cmp, file = c("a.html", "b.html")), "value"),
    bad(report(cmp, file = NA_character_), "value"),
    bad(report(cmp, file = ""), "value"),
    bad(report(cmp, file = 1), "value"),
    bad(report(cmp, file = "not/there/report.html"), "file"),
    bad(report(cmp, file = "folder.html"), "file"),
    bad(report(cmp, file = "report.docx"), "value"),
    bad(report(cmp, file = html, metric = "beauty"), "value"),
    bad(report(cmp, file = html, sections = c("losses", "gains", "{x}")), "value"),
    bad(report(cmp, file = html, sections = 1), "type"),
    bad(report(cmp, file = html, sections = character()), "type"),
    bad(report(cmp, file = html, level = 1), "value"),
    bad(report(cmp, file = html, title = 1), "type"),
    bad(report(cmp, file = html, title = c("a", "b")), "type"),
    bad(report(cmp, file = html, title = NA_character_), "type"),
    bad(report(cmp$runs, file = html), "type"),
    bad(report(NULL, file = html), "type"),
    bad(report(arch_dense(8), file = html), "type")
  )
  expect_snapshot(writeLines(texts))
  expect_error(report(cmp, "report.html"), class = "capalloc_error_value")
  expect_error(report(cmp, file = html, colour = 2), class = "capalloc_error_value")
  skip_if_not(rmarkdown::pandoc_available("1.12.3"))
  expect_match(bad(report(failed, file = html), "value"), "no {rows}", fixed = TRUE)
  expect_identical(list.files(), "folder.html")
})

test_that("a missing pandoc is reported first, with instructions to install it", {
  for (package in c("rmarkdown", "knitr", "ggplot2")) skip_if_not_installed(package)
  cmp <- small_comparison()
  nowhere <- withr::local_tempdir()
  withr::defer(rmarkdown::find_pandoc(cache = FALSE))
  withr::local_envvar(PATH = nowhere, RSTUDIO_PANDOC = nowhere, HOME = nowhere)
  rmarkdown::find_pandoc(cache = FALSE)
  skip_if(rmarkdown::pandoc_available())
  file <- file.path(nowhere, "report.html")
  expect_snapshot(writeLines(bad(report(cmp, file = file), "pandoc")))
  expect_false(file.exists(file))
})

test_that("a missing LaTeX is reported first, with instructions to install it", {
  skip_without_renderer()
  cmp <- small_comparison()
  nowhere <- withr::local_tempdir()
  rmarkdown::find_pandoc() # cached, so only LaTeX is hidden
  withr::local_envvar(PATH = nowhere)
  skip_if_not(rmarkdown::pandoc_available("1.12.3"))
  file <- file.path(nowhere, "report.pdf")
  expect_snapshot(writeLines(bad(report(cmp, file = file), "latex")))
  expect_false(file.exists(file))
})

test_that("a report can be a PDF where LaTeX is installed", {
  skip_on_cran()
  skip_without_renderer()
  skip_if_not(any(nzchar(Sys.which(c("xelatex", "lualatex", "pdflatex")))), "LaTeX is not there")
  nets <- list(arch_dense(8), arch_dilated(8, filters = 1))
  names(nets) <- c("<b>$x_1^2$ \\\\input{a} & 100% #1", "a*b*_c_ | ~")
  cmp <- compare_architectures(nets, classical_tasks(8)[c("sparse", "ar")], replicates = 2, n_obs = 40)
  folder <- withr::local_tempdir()
  file <- file.path(folder, "report.pdf")
  expect_silent(report(cmp, file = file, title = hostile_title, sections = c("compared", "ranks", "difference")))
  expect_identical(list.files(folder), "report.pdf")
  expect_identical(readBin(file, "raw", 4L), charToRaw("%PDF"))
})

# Puts a script named xelatex on PATH that writes `log` beside its output and exits with `status`.
local_latex <- function(log, status, env = parent.frame()) {
  skip_on_os("windows")
  folder <- withr::local_tempdir(.local_envir = env)
  engine <- file.path(folder, "xelatex")
  writeLines(c(
    "#!/bin/sh", "for source do :; done", "stem=$(basename \"$source\" .tex)",
    "printf '%s\\n' '%PDF-1.5' > \"$stem.pdf\"", sprintf("printf '%%s\\n' '%s' > \"$stem.log\"", log),
    paste("exit", status)
  ), engine)
  Sys.chmod(engine, "755")
  withr::local_envvar(PATH = paste(folder, Sys.getenv("PATH"), sep = ":"), .local_envir = env)
}

test_that("a PDF is made by the first LaTeX found, and warnings in its log are ignored", {
  skip_on_cran()
  skip_without_renderer()
  skip_if_not_installed("tinytex")
  cmp <- small_comparison()
  folder <- withr::local_tempdir()
  file <- file.path(folder, "report.pdf")
  local_latex("LaTeX Warning: There were undefined references.", 0)
  expect_silent(report(cmp, file = file, sections = "session"))
  expect_identical(list.files(folder), "report.pdf")
  expect_identical(readLines(file), "%PDF-1.5")
})

test_that("a report that cannot be rendered is an error and leaves no files", {
  skip_on_cran()
  skip_without_renderer()
  skip_if_not_installed("tinytex")
  cmp <- small_comparison()
  folder <- withr::local_tempdir()
  own_temporary <- list.files(tempdir())
  local_latex("! Emergency stop.", 1)
  capture.output(type = "message", # messages of LaTeX
    text <- bad(report(cmp, file = file.path(folder, "report.pdf"), sections = "session"), "render"))
  expect_match(text, "^The report could not be rendered[.]\n.*LaTeX failed to compile")
  expect_identical(list.files(folder), character())
  left <- setdiff(list.files(tempdir()), own_temporary)
  expect_identical(left[grepl("capacity-report", left)], character())
})

test_that("a failure to write the file is an error", {
  skip_on_cran()
  skip_on_os("windows")
  skip_without_renderer()
  cmp <- small_comparison()
  folder <- withr::local_tempdir()
  file <- file.path(folder, "report.html")
  file.symlink(file.path(folder, "not/there.html"), file)
  text <- suppressWarnings(bad(report(cmp, file = file, sections = "session"), "file")) # R warns about the copy
  expect_match(text, "^`file` cannot be written")
})

test_that("the template can be rendered on its own", {
  skip_if_not_installed("rmarkdown")
  template <- system.file("rmarkdown", "templates", "capacity-report", package = "capalloc")
  expect_true("create_dir: false" %in% readLines(file.path(template, "template.yaml")))
  front <- rmarkdown::yaml_front_matter(file.path(template, "skeleton", "skeleton.Rmd"))
  expect_true(file.exists(file.path(template, "skeleton", front$output$html_document$css)))
  expect_true(front$output$html_document$self_contained)
})
