test_that("the tangent map has the network's value and slopes at the input", {
  networks <- curved_networks()
  for (name in names(networks)) {
    net <- networks[[name]]
    for (seed in 1:2) {
      x <- test_inputs(net, 1, seed)
      W <- linearise(net, x)
      n <- ncol(x)
      expect_equal(dim(W), c(length(predict(net, x)), n + 1))
      # A few layers: rounding error of values of order one.
      expect_equal(unname(c(W %*% c(x, 1))), c(predict(net, x)), tolerance = 1e-13, label = name)
      expect_equal(unname(W[, seq_len(n), drop = FALSE]), matrix(twin_slopes(net, x), ncol = n), tolerance = 1e-12,
        label = name)
    }
  }
})

test_that("slopes equal central differences of predictions", {
  for (net in curved_networks()[c("gelu", "lstm_sequence", "gru", "grid_max", "parallel_curved")]) {
    x <- test_inputs(net, 1)
    n <- ncol(x)
    move <- diag(1e-5, n)
    x0 <- matrix(x, n, n, byrow = TRUE)
    numeric <- t(predict(net, x0 + move) - predict(net, x0 - move)) / 2e-5
    # Values of order one: errors of 1e-10 from the step and 1e-11 from rounding.
    expect_equal(unname(linearise(net, x)[, seq_len(n), drop = FALSE]), numeric, tolerance = 1e-8)
  }
})

test_that("the tangent map of a linear network is the network, at any input", {
  for (net in named_networks()[c("dense_bias", "nested", "grid_conv", "elman_sequence", "diagonal", "u_shape")]) {
    W <- effective_weights(net)
    if (!has_bias(net)) W <- cbind(W, `(Intercept)` = 0)
    for (seed in 1:2) {
      x <- test_inputs(net, 1, seed)
      # W x is computed from predictions of order one.
      expect_equal(linearise(net, c(x)), W, tolerance = 1e-13)
    }
  }
})

test_that("columns are named after the inputs, and one row can be given in any form", {
  net <- input_sequence(2, channels = 2) |> layer_dense(3) |> layer_activation("tanh") |> with_test_coef(1)
  W <- linearise(net, c(1, 0, -1, 2))
  expect_equal(colnames(W), c("x[1,1]", "x[1,2]", "x[2,1]", "x[2,2]", "(Intercept)"))
  expect_identical(linearise(net, matrix(c(1, 0, -1, 2), 1)), W)
  expect_identical(linearise(net, data.frame(a = 1, b = 0, c = -1, d = 2)), W)
  expect_identical(linearise(net, c(1L, 0L, -1L, 2L)), W)
  expect_identical(linearise(net, ts(c(1, 0, -1, 2))), W)
})

test_that("away from kinks the tangent map of a homogeneous network has no constant", {
  for (name in c("relu_deep", "elman_relu", "leaky_steep", "grid_same_abs")) {
    net <- curved_networks()[[name]]
    W <- linearise(net, test_inputs(net, 1))
    # Rounding error of W x.
    expect_equal(unname(W[, "(Intercept)"]), numeric(nrow(W)), tolerance = 1e-14, label = name)
  }
})

test_that("inputs that are no rows of the network are refused", {
  net <- input_vector(3) |> layer_dense(2) |> layer_activation("tanh")
  known <- with_test_coef(net, 1)
  expect_error(linearise(net, 1:3), class = "capalloc_error_no_coefficients")
  expect_error(linearise(known), "x")
  expect_snapshot({
    writeLines(bad(linearise(net, 1:3), "no_coefficients"))
    writeLines(bad(linearise("net", 1:3), "type"))
    writeLines(bad(linearise(known, matrix(1, 0, 3)), "shape"))
    writeLines(bad(linearise(known, 1:4), "shape"))
    writeLines(bad(linearise(known, c(1, NA, 2)), "value"))
    writeLines(bad(linearise(known, data.frame(a = 1, b = "1", c = 2)), "type"))
    writeLines(bad(linearise(known, NULL), "type"))
    writeLines(bad(linearise(known, "x"), "type"))
  })
})
