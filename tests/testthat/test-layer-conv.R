test_that("shapes, parameters and names of a convolution", {
  net <- input_sequence(10, channels = 4) |>
    layer_conv(6, kernel = 3, stride = 2, dilation = 2, groups = 2, bias = TRUE)
  layer <- net$layers[[1L]]
  expect_equal(layer$params, list(kernel = c(6L, 2L, 3L), bias = 6L))
  expect_equal(layer$out_shape, c(6, 1, 3))
  expect_equal(summary(net)$parameters, 6 * 2 * 3 + 6)
  expect_equal(summary(net)$kind, "conv, kernel 3, stride 2, dilation 2, groups 2 + bias")
  expect_equal(names(coef(initialise(net, seed = 1)))[c(1, 2, 7, 13, 42)], c(
    "conv1.kernel[1,1,1]", "conv1.kernel[2,1,1]", "conv1.kernel[1,2,1]", "conv1.kernel[1,1,2]",
    "conv1.bias[6]"
  ))
})

test_that("a kernel on a grid has rows and columns, given as one number or two", {
  net <- input_grid(8, 10, channels = 4) |>
    layer_conv(6, kernel = c(3, 2), stride = c(1, 2), dilation = 2, groups = 2, bias = TRUE)
  layer <- net$layers[[1L]]
  expect_equal(layer$params, list(kernel = c(6L, 2L, 3L, 2L), bias = 6L))
  expect_equal(layer$out_shape, c(6, 4, 4))
  expect_equal(layer$out_kind, "grid")
  expect_equal(summary(net), data.frame(
    layer = "conv1", kind = "conv, kernel 3 x 2, stride 1 x 2, dilation 2 x 2, groups 2 + bias",
    output = "6 x 4 x 4", parameters = 6 * 2 * 3 * 2 + 6, depth = 0L
  ))
  expect_equal(names(coef(initialise(net, seed = 1)))[c(1, 2, 7, 13, 37, 72, 78)], c(
    "conv1.kernel[1,1,1,1]", "conv1.kernel[2,1,1,1]", "conv1.kernel[1,2,1,1]", "conv1.kernel[1,1,2,1]",
    "conv1.kernel[1,1,1,2]", "conv1.kernel[6,2,3,2]", "conv1.bias[6]"
  ))
  plain <- input_grid(4, 4) |> layer_conv(1, 2, padding = "same")
  expect_equal(summary(plain)$kind, "conv, kernel 2 x 2, same")
})

test_that("a kernel on a grid is a matrix of weights, starting at the first row and column", {
  picture <- matrix(c(1, 2, 3, 4), 2)
  net <- input_grid(3, 2) |> layer_conv(1, 2) |> set_coef(c(picture))
  # Two output positions, one below the other.
  expect_equal(unname(effective_weights(net)), rbind(
    c(rbind(picture, 0)), c(rbind(0, picture))
  ))
  expect_equal(colnames(effective_weights(net)), paste0("x[", c("1,1", "2,1", "3,1", "1,2", "2,2", "3,2"), "]"))
  # Windows are aligned to the last row and column, so the first row is not read.
  strided <- input_grid(4, 3) |> layer_conv(1, 1, stride = 2) |> set_coef(5)
  expect_equal(unname(effective_weights(strided)), 5 * diag(12)[c(2, 4, 10, 12), ])
})

test_that("a column convolution followed by a row convolution is a kernel of rank one", {
  # One convolution along the rows and one along the columns, in either order.
  down <- c(1, -2, 3)
  across <- c(5, 7)
  one <- input_grid(5, 4) |> layer_conv(1, c(3, 2), padding = "same") |> set_coef(c(outer(down, across)))
  two <- input_grid(5, 4) |> layer_conv(1, c(3, 1), padding = "same") |>
    layer_conv(1, c(1, 2), padding = "same") |> set_coef(c(down, across))
  expect_equal(effective_weights(one), effective_weights(two), tolerance = 1e-14)
  expect_equal(unname(effective_weights(one)), kronecker(
    unname(effective_weights(input_sequence(4) |> layer_conv(1, 2, padding = "same") |> set_coef(across))),
    unname(effective_weights(input_sequence(5) |> layer_conv(1, 3, padding = "same") |> set_coef(down)))
  ), tolerance = 1e-14)
})

test_that("a valid convolution whose windows fit exactly uses every input", {
  layer <- layer_conv(input_sequence(7), 1, kernel = 3, stride = 2)$layers[[1L]]
  expect_equal(layer$out_shape[[3L]], 3)
  expect_equal(layer$window[7:8], c(0, 0))
  whole <- layer_conv(input_sequence(7), 1, kernel = 3, dilation = 3)$layers[[1L]]
  expect_equal(whole$out_shape[[3L]], 1)
})

test_that("the dilated stack of the introduction ends in one position", {
  net <- input_sequence(64)
  for (d in 2^(0:5)) net <- layer_conv(net, if (d < 32) 2 else 1, kernel = 2, dilation = d)
  expect_equal(summary(net)$output, paste(c(2, 2, 2, 2, 2, 1), "x", c(63, 61, 57, 49, 33, 1)))
  expect_equal(summary(net)$parameters, c(4, 8, 8, 8, 8, 4))
})

test_that("sizes that are not positive whole numbers are refused", {
  net <- input_sequence(8)
  for (size in list(0, 1.5, -1, NA, "2", c(1, 2))) {
    expect_error(layer_conv(net, size, 2), class = "capalloc_error_value")
    expect_error(layer_conv(net, 1, size), class = "capalloc_error_value")
    expect_error(layer_conv(net, 1, 2, stride = size), class = "capalloc_error_value")
    expect_error(layer_conv(net, 1, 2, dilation = size), class = "capalloc_error_value")
    expect_error(layer_conv(net, 1, 2, groups = size), class = "capalloc_error_value")
  }
  expect_error(layer_conv(net, 1, 2, padding = "reflect"), class = "capalloc_error_value")
  expect_error(layer_conv(net, 1, 2, bias = 1), class = "capalloc_error_value")
  expect_snapshot(error = TRUE, {
    layer_conv(net, 0, 2)
    layer_conv(net, 1, 1.5)
    layer_conv(net, 1, 2, stride = 0)
    layer_conv(net, 1, 2, dilation = -1)
    layer_conv(net, 1, 2, groups = NA)
    layer_conv(net, 1, 2, padding = "reflect")
    layer_conv(net, 1, 2, bias = 1)
  })
})

test_that("kernels, strides and groups that do not fit are refused", {
  net <- input_sequence(8, channels = 4)
  expect_error(layer_conv(net, 1, 9), class = "capalloc_error_shape")
  expect_error(layer_conv(net, 1, 9, padding = "same"), class = "capalloc_error_shape")
  expect_error(layer_conv(net, 1, 3, dilation = 4), class = "capalloc_error_shape")
  expect_error(layer_conv(net, 1, 2, stride = 9), class = "capalloc_error_shape")
  expect_error(layer_conv(net, 4, 2, groups = 3), class = "capalloc_error_shape")
  expect_error(layer_conv(net, 3, 2, groups = 2), class = "capalloc_error_shape")
  expect_snapshot(error = TRUE, {
    layer_conv(net, 1, 9)
    layer_conv(net, 1, 3, dilation = 4)
    layer_conv(net, 1, 2, stride = 9)
    layer_conv(net, 4, 2, groups = 3)
    layer_conv(net, 3, 2, groups = 2)
  })
})

test_that("a convolution of a vector is refused", {
  expect_error(layer_conv(input_vector(4), 1, 2), class = "capalloc_error_shape")
  expect_snapshot(error = TRUE, {
    layer_conv(input_vector(4), 1, 2)
    input_sequence(4) |> layer_dense(3) |> layer_conv(1, 2)
    input_sequence(4) |> layer_flatten() |> layer_conv(1, 2)
  })
})
