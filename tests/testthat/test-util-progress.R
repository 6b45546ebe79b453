test_that("the remaining time is extrapolated from the mean time of the runs done so far", {
  expect_identical(vapply(c(0.2, 59, 61, 3700, 90000), capalloc:::progress_seconds, ""),
    c("0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"))
  left <- capalloc:::progress_time_left(steps = 10, before = 4)
  Sys.sleep(0.3)
  expect_match(left(3), "^0 s left$")
  expect_identical(left(3), "0 s left")
})

a_comparison <- function() {
  cmp <- compare_architectures(list(dense = arch_dense(4)), list(ar = task_ar(4, 0.5)), replicates = 3)
  timeless(cmp)
}

test_that("with progressr and no handlers of the user, progress is a bar with the remaining time", {
  skip_if_not_installed("progressr")
  withr::local_options(capalloc.progress = FALSE, progressr.handlers = NULL)
  alone <- a_comparison()
  withr::local_options(capalloc.progress = TRUE)
  said <- capture.output(shown <- a_comparison(), type = "message")
  expect_identical(shown, alone)
  expect_match(said, "3/3 0 s left", fixed = TRUE, all = FALSE)
})

test_that("without progressr the result is the same, and cli shows progress where it is enabled", {
  has <- capalloc:::has_package
  local_internal("has_package", function(package) package != "progressr" && has(package))
  withr::local_options(capalloc.progress = FALSE, cli.progress_handlers_only = "logger")
  expect_silent(alone <- a_comparison())
  withr::local_options(capalloc.progress = TRUE)
  said <- capture.output(shown <- a_comparison())
  expect_identical(shown, alone)
  expect_match(said, "3/3 terminated (done)", fixed = TRUE, all = FALSE)
})

test_that("without progressr progress is a bar of cli", {
  done <- 0
  out <- capalloc:::with_progress_bar(5, 2, function(n) "1 s left", function(advance) {
    for (i in 1:3) advance(1)
    done <<- done + 3
    "result"
  })
  expect_identical(out, "result")
  expect_identical(done, 3)
})
