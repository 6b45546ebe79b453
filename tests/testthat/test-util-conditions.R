# Conditions and their classes.

test_that("errors and warnings have the package's classes and carry data", {
  e <- tryCatch(abort(c("Bad {.arg x}.", x = "It is {1 + 1}."), "value", about = 3), error = identity)
  expect_s3_class(e, c("capalloc_error_value", "capalloc_error"))
  expect_identical(e$about, 3)
  w <- tryCatch(warn("Unsure.", "rank_gap", evidence = 5), warning = identity)
  expect_s3_class(w, c("capalloc_warning_rank_gap", "capalloc_warning"))
  expect_identical(w$evidence, 5)
})

test_that("messages are flattened to one line without bullets", {
  e <- tryCatch(abort(c("First line.", x = "It is {.val a}.", i = "Do this."), "value"), error = identity)
  expect_false(grepl("\n", flat_message(e)))
  expect_match(flat_message(e), "^First line. It is \"a\". Do this.$")
  expect_identical(flat_message(simpleError("plain\n  text")), "plain text")
})

test_that("quietly_warned() suppresses the warnings that a run stores in columns, and no others", {
  expect_silent(quietly_warned(warn("Unsure.", "rank_gap")))
  expect_warning(quietly_warned(warn("Other.", "refits")), class = "capalloc_warning_refits")
  # They are raised again afterwards.
  expect_warning(warn("Unsure.", "rank_gap"), class = "capalloc_warning_rank_gap")
})

test_that("has_package() and need_package() report missing packages by name", {
  expect_true(has_package("stats"))
  expect_false(has_package("noSuchPackage1"))
  expect_error(need_package("noSuchPackage1", "test this"), "noSuchPackage1", class = "capalloc_error_package")
})
