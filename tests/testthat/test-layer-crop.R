# Crop and pad.

test_that("cropping and padding select and move positions", {
  crop <- input_sequence(4) |> layer_crop(c(1, 2)) |> set_coef(numeric())
  expect_equal(unname(effective_weights(crop)), rbind(c(0, 1, 0, 0)))
  pad <- input_sequence(2) |> layer_pad(c(1, 2)) |> set_coef(numeric())
  expect_equal(unname(effective_weights(pad)), rbind(0, c(1, 0), c(0, 1), 0, 0))
  grid <- input_grid(3, 3) |> layer_crop(list(c(1, 1), c(0, 2))) |> set_coef(numeric())
  expect_equal(c(predict(grid, matrix(1:9, 1))), 2)
  expect_equal(summary(grid)$kind, "crop 1 + 1 x 0 + 2")
})

test_that("a padded convolution is a convolution of the padded input", {
  own <- input_sequence(5) |> layer_conv(1, 3, padding = c(2, 1), stride = 2) |> set_coef(1:3)
  two <- input_sequence(5) |> layer_pad(c(2, 1)) |> layer_conv(1, 3, stride = 2) |> set_coef(1:3)
  expect_equal(effective_weights(own), effective_weights(two))
})

test_that("bad ends are refused", {
  net <- input_sequence(4)
  for (ends in list(1, c(-1, 0), c(0.5, 0), c(NA, 1), "1", NULL, c(1, 2, 3), list(c(1, 1), c(1, 1)))) {
    expect_error(layer_crop(net, ends), class = "capalloc_error_value")
    expect_error(layer_pad(net, ends), class = "capalloc_error_value")
  }
  expect_error(layer_crop(net, c(2, 2)), class = "capalloc_error_shape")
  expect_error(layer_crop(input_vector(3), c(0, 0)), class = "capalloc_error_shape")
  expect_error(layer_conv(net, 1, 2, padding = c(-1, 0)), "-1", class = "capalloc_error_value")
  expect_error(layer_conv(net, 1, 9, padding = c(1, 1)), class = "capalloc_error_shape")
  expect_error(layer_conv(net, 1, 2, align = "left"), "left", class = "capalloc_error_value")
  expect_error(layer_pool(net, 2, align = 1), class = "capalloc_error_value")
})
