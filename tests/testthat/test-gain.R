# Whether products of weights keep their digits: tests/testthat/test-numbers.R has what users see.

gains_of <- function(network, coef, ...) capalloc:::node_gains(capalloc:::lower(network), coef, ...)

test_that("gains are the products of the largest weights on the way", {
  chain <- input_vector(2) |> layer_dense(1) |> layer_dense(2) |> layer_dense(1)
  g <- gains_of(chain, c(-4, 1, 0, 2, 1, 8))
  expect_identical(g, list(up = c(0, 2, 3, 6), down = c(6, 4, 3, 0), through = c(4, 5, 3)))
  expect_identical(gains_of(chain, c(-4, 1, 0, 2, 1, 8), free = 2L)$down, c(5, 3, 3, 0))
  expect_identical(gains_of(chain, c(-4, 1, 0, 2, 1, 8), anew = 2L)$up, c(0, 2, 0, 3))
  # a layer of zeros is no way at all
  expect_identical(gains_of(chain, c(4, 1, 0, 0, 1, 8)), list(
    up = c(0, 2, -Inf, -Inf), down = c(-Inf, -Inf, 3, 0), through = c(-Inf, 5, -Inf)
  ))
})

test_that("beside a skip a branch of small weights is not missed, and constants are another source", {
  block <- function(bias) input_vector(2) |> layer_residual(\(x) layer_dense(x, 2, bias = bias), scale = 0.5)
  g <- gains_of(block(FALSE), rep(2^-20, 4))
  expect_identical(g, list(up = c(0, -20, 0), down = c(0, -1, 0), through = c(-1, 0)))
  g <- gains_of(block(TRUE), c(rep(2^-20, 4), 2, 0))
  expect_identical(g, list(up = c(0, -20, 1, 0), down = c(0, -1, -1, 0), through = c(-1, -1, 0)))
  expect_identical(gains_of(block(TRUE), c(rep(2^-20, 4), 0, 0))$up, c(0, -20, -20, 0))
})

test_that("what is small beside a skip is not refused", {
  net <- input_sequence(6) |> layer_residual(\(x) layer_conv(x, 1, 3, padding = "same")) |> layer_last() |>
    layer_activation("tanh")
  small <- set_coef(net, rep(2^-700, 3))
  none <- set_coef(net, numeric(3))
  for (mode in c("linear", "gaussian")) {
    expect_equal(propagate_capacity(small, mode = mode)$capacity, propagate_capacity(none, mode = mode)$capacity)
  }
  expect_equal(decoupling(small)$gate_correlation, decoupling(none)$gate_correlation)
  x <- matrix(1:12 / 10, 2)
  expect_equal(capacity(small, data = x)$capacity, capacity(none, data = x)$capacity)
  expect_equal(shattering(small, data = x)$correlation, shattering(none, data = x)$correlation)
})
