# Layers composed of others, and blocks of shared weights.

# Compares D with the twin's mixed derivatives, and D' eps with the gradient of the loss.
expect_extended <- function(net, seed, label) {
  x <- test_inputs(net, 3, seed)
  D <- .Call(ffi_extended, capalloc:::lower_network(net), net$coef, x)
  # A small step, so that no kink is crossed: an error of 1e-10 from rounding.
  expect_lt(max(abs(D - twin_extended(net, x, step = 2e-5))) / max(1, abs(D)), 1e-9, label = label)
  m <- ncol(predict(net, x))
  y <- withr::with_seed(seed, matrix(rnorm(3 * m), 3))
  r <- y - predict(net, x)
  eps <- r[, rep(seq_len(m), ncol(x) + 1)] * cbind(x, 1)[, rep(seq_len(ncol(x) + 1), each = m)]
  gradient <- crossprod(twin_gradients(net, x), c(r)) # minus N / 2 times that of the mean squared error
  expect_equal(c(crossprod(D, c(eps))), c(gradient), tolerance = 1e-10, label = label)
}

test_that("values and gradients of composed networks equal the twin's", {
  for (name in names(composed_networks())) {
    net <- composed_networks()[[name]]
    x <- test_inputs(net, 4)
    expect_equal(predict(net, x), twin_predict(net, x), tolerance = 1e-12, label = name)
    if (is_linear(net)) {
      expect_equal(unname(effective_weights(net)), twin_weights(net), tolerance = 1e-12, label = name)
      expect_equal(unname(tangent(net)), twin_tangent(net), tolerance = 1e-10, label = name)
    }
  }
})

test_that("mixed derivatives of composed networks equal the twin's, and D' eps is the gradient", {
  networks <- composed_networks()
  for (name in names(networks)) if (!is_linear(networks[[name]])) expect_extended(networks[[name]], 1, name)
})

test_that("100 random compositions have the twin's values and derivatives", {
  for (seed in 1:100) {
    net <- random_composed(seed)
    x <- test_inputs(net, 3, seed)
    expect_equal(predict(net, x), twin_predict(net, x), tolerance = 1e-10, label = seed)
    if (is_linear(net)) {
      expect_equal(unname(tangent(net)), twin_tangent(net), tolerance = 1e-10, label = seed)
    } else {
      expect_extended(net, seed, seed)
    }
  }
})

test_that("shared weights are counted once and equal a network with tied coefficients", {
  net <- composed_networks()$siamese
  expect_equal(length(coef(net)), 2 * 2 + 2 + 2)
  expect_equal(sum(summary(net)$parameters), 8)
  # The tangent of tied weights is the sum of those of free ones.
  tied <- composed_networks()$shared_linear
  free <- input_sequence(6) |> layer_conv(1, 2) |> layer_conv(1, 2) |> layer_dense(1) |>
    set_coef(tied$coef[c(1, 2, 1, 2, 3:6)])
  J <- unname(tangent(free))
  expect_equal(unname(tangent(tied)), cbind(J[, 1:2] + J[, 3:4], J[, 5:8]), tolerance = 1e-14)
  found <- capacity(tied)
  expect_equal(attr(found, "total"), qr(tangent(tied))$rank)
})

test_that("capacity through layers of composed networks conserves the total", {
  for (name in c("transposed_grid", "affine_grid", "prelu", "oldest_local", "shared_deep")) {
    net <- composed_networks()[[name]]
    flow <- propagate_capacity(net, data = test_inputs(net, 20))
    totals <- tapply(flow$capacity, flow$layer, sum)
    expect_equal(unname(c(totals)), rep(totals[[1L]], length(totals)), tolerance = 1e-10, label = name)
  }
})

test_that("shared blocks that differ, and bad names, are refused", {
  net <- input_sequence(6, channels = 2) |> layer_shared("a", \(x) layer_conv(x, 1, 2))
  expect_error(layer_shared(net, "a", \(x) layer_conv(x, 1, 2)), "a", class = "capalloc_error_shape")
  expect_error(layer_shared(net, "", identity), class = "capalloc_error_value")
  expect_error(layer_shared(net, 1, identity), class = "capalloc_error_type")
  expect_error(layer_shared(net, "b", 3), class = "capalloc_error_type")
  expect_error(layer_shared(net, "b", identity, 3), class = "capalloc_error_value")
})
