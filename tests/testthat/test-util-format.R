# Formatting of numbers and texts for print.

test_that("counts are followed by their noun, and large ones have commas", {
  expect_identical(format_count(1, "run"), "1 run")
  expect_identical(format_count(0, "run"), "0 runs")
  expect_identical(format_count(12345, "parameter"), "12,345 parameters")
})

test_that("p-values are rounded, and small ones are shown as bounds", {
  expect_identical(format_p(c(0.2, 0.04567, 0.0009, NA)), c("0.200", "0.046", "<0.001", ""))
})

test_that("missing intervals and ranges are omitted", {
  expect_identical(format_with_interval(c(0.01234, 2, NA), c(0.01, NA, NA), c(0.02, NA, NA)),
    c("0.0123 [0.01, 0.02]", "2", ""))
  expect_identical(format_with_interval(1e-16, -1e-15, 0.5), "0 [0, 0.5]")
  expect_identical(format_with_range(c(16, 4, NA), c(13, 4, NA), c(19, 4, NA)), c("16 (13 to 19)", "4", ""))
})

test_that("numbers of the size of rounding error print as zero", {
  expect_identical(format_without_rounding(c(1e-16, -1e-14, 0.1)), c(0, 0, 0.1))
  expect_identical(format_without_rounding("a"), "a")
})
