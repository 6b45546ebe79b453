# Scale and shift of channels; prelu beside it.

test_that("an affine layer after a convolution is batch normalisation after training", {
  m <- c(0.3, -1)
  v <- c(2, 0.5)
  w <- c(1.5, -0.7)
  b <- c(0.1, 0.2)
  scale <- w / sqrt(v + 1e-5)
  net <- input_sequence(3) |> layer_conv(2, 2) |> layer_affine() |> set_coef(c(1, 2, 3, 4, scale, b - m * scale))
  x <- c(0.5, -1, 2)
  u <- rbind(c(x[1] + 3 * x[2], 2 * x[1] + 4 * x[2]), c(x[2] + 3 * x[3], 2 * x[2] + 4 * x[3]))
  expected <- t(w * (t(u) - m) / sqrt(v + 1e-5) + b)
  expect_equal(c(predict(net, x)), c(t(expected)), tolerance = 1e-14)
  # Folding it into the convolution gives the same effective weights.
  folded <- input_sequence(3) |> layer_conv(2, 2, bias = TRUE) |> set_coef(c(scale * c(1, 2, 3, 4), b - m * scale))
  expect_equal(effective_weights(net), effective_weights(folded), tolerance = 1e-14)
})

test_that("an affine layer starts as the identity, and prelu at 0.25", {
  net <- input_sequence(3, channels = 2) |> layer_affine() |> initialise(seed = 1)
  expect_equal(unname(coef(net)), c(1, 1, 0, 0))
  expect_equal(names(coef(net)), c("affine1.scale[1]", "affine1.scale[2]", "affine1.bias[1]", "affine1.bias[2]"))
  prelu <- input_vector(2) |> layer_activation("prelu") |> initialise(seed = 1)
  expect_equal(coef(prelu), c("prelu1.slope[1]" = 0.25, "prelu1.slope[2]" = 0.25))
  expect_equal(c(predict(set_coef(prelu, c(0.5, -2)), rbind(c(-1, -1), c(3, 4)))), c(-0.5, 3, 2, 4))
  expect_false(is_linear(prelu))
  leaky <- input_vector(2) |> layer_activation("leaky_relu", 0.25) |> set_coef(numeric())
  x <- rbind(c(-1, 2), c(0.5, -0.1))
  expect_equal(predict(prelu, x), predict(leaky, x))
})

test_that("bad arguments are refused", {
  expect_error(layer_affine(1), class = "capalloc_error_type")
  expect_error(layer_affine(input_vector(2), bias = NA), class = "capalloc_error_value")
  expect_error(layer_affine(input_vector(2), biass = TRUE), class = "capalloc_error_value")
  expect_error(layer_prelu(input_vector(2), 0.1), class = "capalloc_error_value")
})
