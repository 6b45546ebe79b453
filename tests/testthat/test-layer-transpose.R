# Transposed convolution.

test_that("a transposed convolution is the adjoint of the strided convolution", {
  w <- c(2, -1, 0.5)
  # 7 positions, kernel 3, stride 2: three outputs and nothing left over.
  conv <- input_sequence(7) |> layer_conv(1, 3, stride = 2) |> set_coef(w)
  back <- input_sequence(3) |> layer_conv_transpose(1, 3, stride = 2) |> set_coef(w)
  expect_equal(unname(effective_weights(back)), t(unname(effective_weights(conv))))
  grid <- input_grid(5, 4) |> layer_conv(1, c(3, 2), stride = c(2, 1)) |> set_coef(1:6)
  back <- input_grid(2, 3) |> layer_conv_transpose(1, c(3, 2), stride = c(2, 1)) |> set_coef(1:6)
  expect_equal(unname(effective_weights(back)), t(unname(effective_weights(grid))))
})

test_that("bad arguments are refused", {
  net <- input_sequence(3)
  expect_error(layer_conv_transpose(net, 1, 2, crop = c(2, 2)), class = "capalloc_error_shape")
  expect_error(layer_conv_transpose(net, 1, 2, crop = c(-1, 0)), class = "capalloc_error_value")
  expect_error(layer_conv_transpose(net, 1, 0), class = "capalloc_error_value")
  expect_error(layer_conv_transpose(input_vector(3), 1, 2), class = "capalloc_error_shape")
  expect_error(layer_conv_transpose(net, 1, 2, activation = "quantum"), class = "capalloc_error_value")
})
