test_that("weighted means and weighted rows are those of repeated rows", {
  withr::local_seed(1)
  x <- matrix(rnorm(15, 1e3), 5)
  times <- c(1, 3, 2, 1, 4)
  again <- x[rep(1:5, times), ]
  weight <- matrix(times)
  # a few units of rounding error of values of size 1e3 and 1e6
  expect_equal(weighted_means(x, weight), colMeans(again), tolerance = 1e-14)
  expect_equal(weighted_means(x, 7 * weight), colMeans(again), tolerance = 1e-14)
  expect_identical(weighted_means(x), colMeans(x))
  expect_equal(crossprod(weighted_rows(x, weight)) / 5, crossprod(again) / 11, tolerance = 1e-14)
  expect_identical(weighted_rows(x), x)
  expect_equal(mean(unit_weights(weight)), 1, tolerance = 1e-15)
  expect_null(unit_weights(NULL))
})
