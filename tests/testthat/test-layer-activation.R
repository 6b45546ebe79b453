at_rows <- function(activation, u, parameter = NULL) {
  net <- input_vector(1) |> layer_activation(activation, parameter) |> set_coef(numeric())
  c(predict(net, matrix(u)))
}

slope_of <- function(activation, u, parameter = NULL) {
  net <- input_vector(1) |> layer_activation(activation, parameter) |> set_coef(numeric())
  vapply(u, function(u) linearise(net, u)[[1L]], 0)
}

test_that("slopes are accurate where a unit is saturated", {
  u <- c(-300, -40, -20, -5, 0, 5, 20, 40, 300)
  # A few operations: the rounding error is relative to the slope itself, not to the value of the activation.
  expect_equal(slope_of("sigmoid", u) / dlogis(u), rep(1, 9), tolerance = 1e-14)
  expect_equal(slope_of("tanh", u) * cosh(u)^2, rep(1, 9), tolerance = 1e-14)
  expect_equal(slope_of("softplus", u) / plogis(u), rep(1, 9), tolerance = 1e-14)
  expect_equal(slope_of("erf", u[3:7]) / (2 * sqrt(2) * dnorm(sqrt(2) * u[3:7])), rep(1, 5), tolerance = 1e-13)
  # d2 yhat / dx dw of f(w x) at w = 1 is f' + x f''.
  mixed <- function(activation, u) {
    net <- input_vector(1) |> layer_dense(1) |> layer_activation(activation) |> set_coef(1)
    c(.Call(ffi_extended, lower_network(net), net$coef, matrix(u)))[seq_along(u)]
  }
  u <- c(-40, -20, -3, 3, 20, 40)
  expect_equal(mixed("sigmoid", u) / (dlogis(u) * (1 - u * tanh(u / 2))), rep(1, 6), tolerance = 1e-14)
  expect_equal(mixed("tanh", u) * cosh(u)^2 / (1 - 2 * u * tanh(u)), rep(1, 6), tolerance = 1e-14)
})

test_that("large values neither overflow nor lose the slope", {
  limits <- cbind(
    identity = c(1, 1), relu = c(0, 1), leaky_relu = c(0.01, 1), elu = c(0, 1), gelu = c(0, 1), silu = c(0, 1),
    softplus = c(0, 1), sigmoid = c(0, 0), tanh = c(0, 0), erf = c(0, 0), abs = c(-1, 1)
  )
  for (activation in colnames(limits)) for (size in c(800, 1e10, 1e100)) {
    expect_equal(slope_of(activation, c(-size, size)), limits[, activation], tolerance = 1e-14, label = activation)
    expect_true(all(is.finite(at_rows(activation, c(-size, size)))), label = activation)
  }
  # At a kink the derivative is that from below; for abs it is the mean of both sides.
  expect_equal(slope_of("relu", 0), 0)
  expect_equal(slope_of("leaky_relu", 0, 0.3), 0.3)
  expect_equal(slope_of("elu", 0, 0.3), 0.3)
  expect_equal(slope_of("abs", 0), 0)
})

test_that("activations and maxima propagate NaN", {
  # The second layer computes Inf - Inf.
  for (activation in activations()$activation) {
    net <- input_vector(2) |> layer_dense(1) |> layer_dense(2) |> layer_dense(1) |> layer_activation(activation) |>
      set_coef(c(1e300, 1e300, 1, -1, 1, 1))
    expect_true(is.nan(predict(net, c(1e10, 1e10))), label = activation)
  }
  for (order in list(c(1, -1), c(-1, 1))) {
    net <- input_sequence(2) |> layer_pool(2, type = "max") |> set_coef(numeric())
    first <- input_sequence(2, channels = 2) |> layer_conv(1, 1) |> layer_pool(2, type = "max") |>
      set_coef(c(1e300, 1e300))
    x <- if (order[[1L]] > 0) c(1e300, -1e300, 1, 1) else c(1, 1, 1e300, -1e300)
    expect_true(is.nan(predict(first, x)))
  }
})

test_that("the layer keeps shapes, has no parameters and describes its activation", {
  net <- input_sequence(5, channels = 2) |> layer_activation("tanh") |> layer_activation("leaky_relu") |>
    layer_activation("sin", 2.5) |> layer_activation("identity")
  expect_equal(summary(net)$kind, c("tanh", "leaky_relu (0.01)", "sin (2.5)", "identity"))
  expect_equal(summary(net)$output, rep("2 x 5", 4))
  expect_equal(summary(net)$parameters, numeric(4))
  expect_equal(summary(net)$layer, paste0("activation", 1:4))
  grid <- input_grid(2, 3) |> layer_activation("relu")
  expect_equal(shape_output_kind(grid), "grid")
  expect_equal(shape_output_kind(input_vector(2) |> layer_activation("relu")), "vector")
  expect_equal(receptive_field(net)$size, rep(1, 4))
  expect_output(print(net), "leaky_relu \\(0.01\\)")
})

test_that("a network stays linear under the identity activation only", {
  net <- input_vector(3) |> layer_dense(2, bias = TRUE)
  for (activation in activations()$activation) {
    expect_equal(is_linear(layer_activation(net, activation)), activation == "identity", label = activation)
  }
  with <- layer_activation(net, "identity") |> set_coef(1:8)
  expect_identical(effective_weights(with), effective_weights(set_coef(net, 1:8)))
  expect_identical(capacity(with), capacity(set_coef(net, 1:8)))
})

test_that("predictions of every nonlinear network equal the twin's", {
  networks <- curved_networks()
  for (name in names(networks)) {
    net <- networks[[name]]
    x <- test_inputs(net, 7)
    # A few layers: rounding error of values of order one.
    expect_equal(predict(net, x), twin_predict(net, x), tolerance = 1e-13, label = name)
  }
})

test_that("predictions do not depend on the blocks of rows", {
  net <- curved_networks()$lstm_sequence
  x <- test_inputs(net, 1300)
  expect_equal(dim(predict(net, x[0L, ])), c(0L, 6L))
  whole <- predict(net, x)
  expect_equal(whole, twin_predict(net, x), tolerance = 1e-13)
  expect_equal(whole[c(1, 511:515, 1024:1026, 1300), ], predict(net, x[c(1, 511:515, 1024:1026, 1300), ]),
    tolerance = 1e-14)
})

test_that("bad activations and parameters are refused", {
  net <- input_vector(3)
  expect_error(layer_activation(net), "activation")
  for (bad in list("swich", "Relu", NA_character_, 1, NULL, c("relu", "tanh"), character(), quote(relu),
    factor("relu"), tanh)) {
    expect_error(layer_activation(net, bad), class = "capalloc_error_value")
  }
  for (bad in list("1", NA, NaN, Inf, c(1, 2), numeric(), TRUE, list(1))) {
    expect_error(layer_activation(net, "sin", bad), class = "capalloc_error")
  }
  expect_error(layer_activation("net", "relu"), class = "capalloc_error_type")
  expect_snapshot({
    writeLines(bad(layer_activation(net, "swich"), "value"))
    writeLines(bad(layer_activation(net, tanh), "value"))
    writeLines(bad(layer_activation(net, NULL), "value"))
    writeLines(bad(layer_activation(net, "tanh", 2), "value"))
    writeLines(bad(layer_activation(net, "identity", 1), "value"))
    writeLines(bad(layer_activation(net, "leaky_relu", "0.1"), "value"))
    writeLines(bad(layer_activation(net, "elu", NA_real_), "value"))
    writeLines(bad(layer_activation(mtcars, "relu"), "type"))
  })
})
