test_that("a dense layer reads its whole input, flattened", {
  net <- input_sequence(4, channels = 3) |> layer_dense(2, bias = TRUE)
  layer <- net$layers[[1L]]
  expect_equal(layer$out_shape, c(2, 1, 1))
  expect_equal(layer$out_kind, "vector")
  expect_equal(layer$params, list(weight = c(2L, 12L), bias = 2L))
  expect_equal(summary(net)$parameters, 26)
  expect_equal(summary(net)$kind, "dense + bias")
})

test_that("coefficients are named by unit, then by input", {
  net <- input_vector(2) |> layer_dense(2, bias = TRUE) |> layer_dense(1) |> initialise(seed = 1)
  expect_named(coef(net), c(
    "dense1.weight[1,1]", "dense1.weight[2,1]", "dense1.weight[1,2]", "dense1.weight[2,2]",
    "dense1.bias[1]", "dense1.bias[2]", "dense2.weight[1,1]", "dense2.weight[1,2]"
  ))
})

test_that("effective weights are the product of the matrices", {
  withr::local_seed(1)
  v <- matrix(rnorm(12), 3)
  b <- rnorm(3)
  u <- matrix(rnorm(6), 2)
  net <- input_vector(4) |> layer_dense(3, bias = TRUE) |> layer_dense(2) |> set_coef(c(v, b, u))
  # Sums of three products: rounding error only.
  expect_equal(unname(effective_weights(net)), cbind(u %*% v, u %*% b), tolerance = 1e-13)
})

test_that("bad units and biases are refused", {
  net <- input_vector(3)
  for (units in list(0, -2, 1.5, NA, "2", c(1, 2))) {
    expect_error(layer_dense(net, units), class = "capalloc_error_value")
  }
  for (bias in list(NA, 1, "yes", c(TRUE, FALSE), NULL)) {
    expect_error(layer_dense(net, 1, bias = bias), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, {
    layer_dense(net, 0)
    layer_dense(net, 1.5)
    layer_dense(net, 1, bias = "yes")
  })
})
