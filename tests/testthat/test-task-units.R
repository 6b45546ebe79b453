# Tasks in the units of a network's layers, compared with rows in these units.

test_that("moments in other units are those of rows in other units", {
  rows <- withr::with_seed(1, list(x = matrix(rnorm(60, 5, 3), 20), y = matrix(rnorm(40, -2), 20)))
  units <- capalloc:::new_units(c(4, 5, 6), c(1, 2, 3), c(-2, 0), c(2, 2))
  there <- capalloc:::units_moments_in(capalloc:::task_row_moments(rows$x, rows$y), units)
  here <- capalloc:::task_row_moments(capalloc:::units_in(rows$x, units), capalloc:::units_response_in(rows$y, units))
  expect_equal(there, here, tolerance = 1e-13)
  W <- matrix(1:6, 2)
  by_layers <- capalloc:::units_out(capalloc:::units_in(rows$x, units) %*% t(W), units)
  expect_equal(cbind(rows$x, 1) %*% t(capalloc:::units_weights_out(W, units)), by_layers, tolerance = 1e-13)
})
