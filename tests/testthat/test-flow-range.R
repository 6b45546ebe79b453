# Range checks of products of weights; tests/testthat/test-numbers.R tests what users see.

gains_of <- function(network, coef, ...) capalloc:::range_node_gains(capalloc:::lower_network(network), coef, ...)

test_that("gains are the largest weights on the way, and the roots of how many are summed", {
  chain <- input_vector(4) |> layer_dense(1) |> layer_dense(4) |> layer_dense(1)
  coef <- c(-4, 1, 0, 2, 2, 1, 1, 1, 1, 1, -8, 1)
  expect_identical(gains_of(chain, coef), list(up = c(0, 3, 4, 8), down = c(8, 5, 4, 0), through = c(5, 7, 4)))
  expect_identical(gains_of(chain, coef, free = 2L)$down, c(7, 4, 4, 0))
  expect_identical(gains_of(chain, coef, anew = 2L)$up, c(0, 3, 0, 4))
  # A layer of zeros has no path.
  expect_identical(gains_of(chain, replace(coef, 5:8, 0)), list(
    up = c(0, 3, -Inf, -Inf), down = c(-Inf, -Inf, 4, 0), through = c(-Inf, 7, -Inf)
  ))
  # A kernel of 4 taps and 4 channels in 2 groups.
  conv <- input_sequence(8, channels = 4) |> layer_conv(4, 4, groups = 2)
  expect_identical(gains_of(conv, rep(0.5, 32))$up, c(0, 0.5))
})

test_that("deep networks of random weights that neither grow nor fade are in range", {
  deep <- Reduce(\(net, l) layer_activation(layer_dense(net, 32), "relu"), 1:400, input_vector(32))
  g <- gains_of(deep, withr::with_seed(1, stats::rnorm(400 * 32^2, sd = sqrt(2 / 32))))
  expect_true(all(c(g$up, g$down) >= 0))
})

test_that("beside a skip a branch of small weights is not missed, and constants are another source", {
  block <- function(bias) input_vector(1) |> layer_residual(\(x) layer_dense(x, 1, bias = bias), scale = 0.5)
  g <- gains_of(block(FALSE), 2^-20)
  expect_identical(g, list(up = c(0, -20, 0), down = c(0, -1, 0), through = c(-1, 0)))
  g <- gains_of(block(TRUE), c(2^-20, 2))
  expect_identical(g, list(up = c(0, -20, 1, 0), down = c(0, -1, -1, 0), through = c(-1, -1, 0)))
  expect_identical(gains_of(block(TRUE), c(2^-20, 0))$up, c(0, -20, -20, 0))
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
