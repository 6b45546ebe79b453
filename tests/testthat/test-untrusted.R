# Input that others may have written: checkpoints, models, data and their names. None of
# it is evaluated or used as a file name, and messages and reports show it as text only.

# Code that would leave a mark, as R, as a cli template, in a report, and as a shell command.
hostile_texts <- function(marker) {
  code <- sprintf("file.create('%s')", marker)
  c(code, paste0("{", code, "}"), paste0("{.val {", code, "}}"), paste0("`r ", code, "`"),
    sprintf("$(touch %s)", marker), sprintf("`touch %s`", marker),
    sprintf("%%s%%n{{%s}}", code), paste0("<%= ", code, " %>"))
}
local_marker <- function(env = parent.frame()) {
  file.path(withr::local_tempdir(.local_envir = env), "marker")
}
# Returns all output: errors, warnings, messages and printed text.
heard <- function(code) {
  said <- utils::capture.output(withCallingHandlers(
    error <- tryCatch({
      code
      ""
    }, error = conditionMessage),
    warning = function(w) {
      cat(conditionMessage(w), "\n")
      invokeRestart("muffleWarning")
    },
    message = function(m) {
      cat(conditionMessage(m), "\n")
      invokeRestart("muffleMessage")
    }
  ))
  paste(c(said, error), collapse = "\n")
}

# ---- checkpoints ---------------------------------------------------------------------------------

nets <- list(dense = arch_dense(8))
tasks <- classical_tasks(8)["ar"]
compare <- function(dir) compare_architectures(nets, tasks, replicates = 2, n_obs = 30, seed = 1, checkpoint = dir)
local_checkpoint <- function(env = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = env)
  compare(dir)
  dir
}
# Rewrites a file with a valid checksum.
rewrite <- function(file, change) {
  lines <- readLines(file)
  capalloc:::write_checkpoint_checked(file, change(lines[-length(lines)]))
}
run_1 <- function(dir) {
  file.path(dir, capalloc:::checkpoint_run_name(data.frame(network = "dense", task = "ar", replicate = 1L)))
}
manifest <- function(dir) file.path(dir, "capalloc-manifest.txt")

test_that("no line of a checkpoint is evaluated, in any form", {
  marker <- local_marker()
  for (text in hostile_texts(marker)[1:4]) {
    quoted <- paste0("\"", text, "\"")
    places <- list(
      \(dir) rewrite(manifest(dir), \(x) replace(x, 1, text)),
      \(dir) rewrite(manifest(dir), \(x) replace(x, 2, paste("made with", text))),
      \(dir) rewrite(manifest(dir), \(x) replace(x, 3:5, text)),
      \(dir) rewrite(manifest(dir), \(x) sub("^network \"dense\"", paste("network", quoted), x)),
      \(dir) rewrite(manifest(dir), \(x) c(x, paste("argument", quoted, "00"), paste("task", quoted, text))),
      \(dir) rewrite(run_1(dir), \(x) replace(x, 2, text)),
      \(dir) rewrite(run_1(dir), \(x) replace(x, 3, paste("run", text))),
      \(dir) rewrite(run_1(dir), \(x) replace(x, length(x), text)),
      \(dir) writeLines(text, run_1(dir))
    )
    # With a valid checksum the error text of a run can be anything.
    error <- gsub("\\", "\\\\", quoted, fixed = TRUE)
    places <- c(places, \(dir) rewrite(run_1(dir), \(x) replace(x, grep("^error ", x), paste("error", error))))
    dir <- local_checkpoint()
    kept <- lapply(list.files(dir, full.names = TRUE), \(file) list(file, readLines(file)))
    for (place in places) {
      for (file in kept) writeLines(file[[2L]], file[[1L]])
      place(dir)
      said <- heard({
        cmp <- compare(dir)
        print(cmp)
        print(summary(cmp))
        print(cmp$runs$error)
        contrast_architectures(cmp)
      })
      expect_identical(c(text, file.exists(marker)), c(text, "FALSE"))
    }
    # The last place, the error of a run, is read and shown.
    expect_match(said, text, fixed = TRUE)
  }
})

test_that("the functions that read a checkpoint call nothing that evaluates code", {
  house <- asNamespace("capalloc")
  reached <- character()
  reach <- function(name) {
    if (name %in% reached) return()
    reached <<- c(reached, name)
    for (called in all.names(body(house[[name]]), unique = TRUE)) if (is.function(house[[called]])) reach(called)
  }
  reach("open_checkpoint")
  reach("read_checkpoint_run")
  reach("checkpoint_seed")
  expect_true(all(c("read_checkpoint_checked", "read_checkpoint_number", "read_checkpoint_text",
    "check_checkpoint_manifest", "warn_checkpoint_damage") %in% reached))
  called <- unique(unlist(lapply(reached, \(name) all.names(body(house[[name]])))))
  evaluate <- c("eval", "evalq", "parse", "str2lang", "str2expression", "source", "sys.source", "readRDS", "load",
    "unserialize", "dget", "do.call", "match.fun", "get", "system", "system2", "shell", "pipe", "url", "library.dynam")
  expect_identical(intersect(called, evaluate), character())
})

test_that("a checkpoint reads and writes only its own files, inside its directory", {
  skip_on_os("windows")
  outside <- withr::local_tempdir()
  writeLines("precious", file.path(outside, "precious"))
  dir.create(file.path(outside, "folder"))
  writeLines("too", file.path(outside, "folder", "precious"))
  old <- Sys.time() - 1e5
  for (file in list.files(outside, full.names = TRUE)) Sys.setFileTime(file, old)
  before <- session_state(outside)$files
  dir <- local_checkpoint()
  # Links in place of files of the checkpoint and of temporary files.
  for (name in c(basename(run_1(dir)), "run-other-ar-0123456789-0001.txt", "capalloc-manifest.txt", "writing-a")) {
    unlink(file.path(dir, name))
    file.symlink(file.path(outside, "precious"), file.path(dir, name))
  }
  file.symlink(file.path(outside, "folder"), file.path(dir, "writing-b"))
  dir.create(file.path(dir, "writing-c"))
  writeLines("mine", file.path(dir, "notes.txt"))
  heard(cmp <- compare(dir))
  expect_identical(session_state(outside)$files, before)
  expect_identical(readLines(file.path(outside, "precious")), "precious")
  expect_identical(readLines(file.path(dir, "notes.txt")), "mine")
  expect_identical(Sys.readlink(c(run_1(dir), manifest(dir))), c("", ""))
  expect_identical(cmp$runs$loss, compare(NULL)$runs$loss)
})

test_that("a pipe or a device in a checkpoint does not block the session", {
  skip_on_os("windows")
  dir <- local_checkpoint()
  unlink(run_1(dir))
  skip_if(system2("mkfifo", shQuote(run_1(dir))) != 0L, "No pipe can be made")
  seconds <- system.time(heard(cmp <- compare(dir)))[["elapsed"]]
  expect_lt(seconds, 20)
  expect_identical(cmp$runs$loss, compare(NULL)$runs$loss)
  unlink(run_1(dir))
  file.symlink("/dev/zero", run_1(dir))
  heard(cmp <- compare(dir))
  expect_identical(cmp$runs$loss, compare(NULL)$runs$loss)
})

# ---- models, data and names ----------------------------------------------------------------------

test_that("calls, terms and names of an imported model are not evaluated", {
  marker <- local_marker()
  evil <- str2lang(sprintf("file.create('%s')", marker))
  for (text in hostile_texts(marker)) {
    model <- lm(dist ~ speed, cars)
    model$call <- evil
    model$model <- model$formula <- evil
    model$terms[[3L]] <- evil
    names(model$coefficients)[[2L]] <- text
    series <- ar(lh, order.max = 2, aic = FALSE)
    series$call <- series$series <- evil
    weights <- list(list(weight = matrix(1:4 / 4, 2, dimnames = list(rep(text, 2), c(text, "b"))), bias = c(1, 2)))
    names(weights) <- text
    for (of in list(model, series, weights)) {
      said <- heard({
        net <- as_network(of)
        print(net)
        print(summary(net))
        print(coef(net))
        print(capacity(net))
      })
      expect_match(said, "<capacity> total", fixed = TRUE)
    }
    heard(as_network(structure(list(coefficients = text, call = evil), class = c(text, "lm"))))
    heard(as_network(structure(list(call = evil), class = text)))
    heard(as_network(list(weight = text, bias = evil)))
    expect_false(file.exists(marker))
  }
})

test_that("names of columns, levels and tasks, and cells of data, are treated as text", {
  marker <- local_marker()
  file <- withr::local_tempfile(fileext = ".csv")
  for (text in hostile_texts(marker)) {
    writeLines(c(paste0("\"", text, "\",b"), paste(1:60, round(sin(1:60), 3), sep = ",")), file)
    table <- read.csv(file, check.names = FALSE)
    cells <- replace(table, 1, c(text, 2:60))
    gaps <- replace(table, 1, c(NA, 2:60))
    said <- heard({
      task <- task_data(table[1], table$b)
      print(task)
      print(task_demand(task))
      print(capacity(fit(input_vector(1) |> layer_dense(1, bias = TRUE), task, seed = 1)))
    })
    expect_match(said, text, fixed = TRUE)
    expect_match(heard(task_series(table, length = 8, target = "none")), text, fixed = TRUE)
    for (bad in list(cells, gaps)) {
      expect_match(heard(task_data(bad[1], table$b)), text, fixed = TRUE)
      heard(task_data(b ~ ., bad))
      heard(task_series(bad[[1L]], length = 8))
    }
    named <- stats::setNames(list(arch_dense(8)), text)
    of <- stats::setNames(tasks, text)
    said <- heard(print(compare_architectures(named, of, replicates = 2, n_obs = 30, seed = 1)))
    expect_match(said, text, fixed = TRUE)
    expect_match(heard(compare_architectures(named, list(a = text), replicates = 2)), text, fixed = TRUE)
    heard(capacity(arch_dense(8), metric = text))
    expect_false(file.exists(marker))
  }
})

test_that("a report neither evaluates nor embeds names or checkpoint contents", {
  skip_on_cran()
  for (package in c("rmarkdown", "knitr", "ggplot2")) skip_if_not_installed(package)
  skip_if_not(rmarkdown::pandoc_available("1.12.3"), "pandoc is not there")
  marker <- local_marker()
  secret <- withr::local_tempfile(fileext = ".svg",
    lines = "<svg xmlns='http://www.w3.org/2000/svg'><text>secret-of-another-file</text></svg>")
  # Text that ends a block of HTML and starts Markdown that includes another file.
  breakout <- sprintf("x\n``````\n\n![secret](%s)\n\n[link](javascript:alert(1))\n\n``````{=html}\n", secret)
  names <- c(breakout, paste(hostile_texts(marker), collapse = " "))
  cmp <- compare_architectures(stats::setNames(list(arch_dense(8), arch_dilated(8, 1)), names), tasks,
    replicates = 2, n_obs = 30, seed = 1)
  cmp$runs$error[[1L]] <- breakout
  file <- withr::local_tempfile(fileext = ".html")
  report(cmp, file = file, title = paste(names, collapse = " "))
  html <- paste(readLines(file, warn = FALSE), collapse = "\n")
  expect_false(file.exists(marker))
  # Not by expect_match(), which would print the page on failure.
  has <- function(text) grepl(text, html, fixed = TRUE)
  expect_false(has("data:image/svg"))
  expect_false(has("href=\"javascript"))
  expect_true(has("[link](javascript:alert(1))"))
})
