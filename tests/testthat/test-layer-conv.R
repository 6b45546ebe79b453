windows_of <- function(layer) {
  twin_windows(layer$in_shape[[3L]], layer$kernel, layer$stride, layer$dilation, layer$padding)
}

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

test_that("the geometry is the twin's over a grid of lengths, kernels, strides and dilations", {
  grid <- expand.grid(
    n = c(1, 2, 5, 8, 13), kernel = 1:4, stride = 1:5, dilation = 1:4,
    padding = c("valid", "same", "causal"), stringsAsFactors = FALSE
  )
  span <- (grid$kernel - 1) * grid$dilation + 1
  fits <- grid$kernel <= grid$n & grid$stride <= grid$n & (grid$padding != "valid" | span <= grid$n)
  expect_gt(sum(fits), 300)
  layers <- Map(
    function(n, ...) layer_conv(input_sequence(n), 1, ...)$layers[[1L]],
    grid$n[fits], grid$kernel[fits], grid$stride[fits], grid$dilation[fits], grid$padding[fits]
  )
  meets <- lapply(layers, windows_of)
  expect_equal(vapply(layers, function(layer) layer$out_shape[[3L]], 0L), vapply(meets, nrow, 0L))
  # Output u, tap k meets u stride + k dilation - pad, all counted from 0.
  expect_equal(vapply(layers, function(layer) 1 - layer$pad, 0), vapply(meets, `[[`, 0, 1L))
})

test_that("a valid convolution that fits exactly drops nothing", {
  layer <- layer_conv(input_sequence(7), 1, kernel = 3, stride = 2)$layers[[1L]]
  expect_equal(layer$out_shape[[3L]], 3)
  expect_equal(layer$pad, 0)
  whole <- layer_conv(input_sequence(7), 1, kernel = 3, dilation = 3)$layers[[1L]]
  expect_equal(whole$out_shape[[3L]], 1)
})

test_that("the dilated stack of the introduction ends in one position", {
  net <- input_sequence(64)
  for (d in 2^(0:5)) net <- layer_conv(net, if (d < 32) 2 else 1, kernel = 2, dilation = d)
  expect_equal(summary(net)$output, paste(c(2, 2, 2, 2, 2, 1), "x", c(63, 61, 57, 49, 33, 1)))
  expect_equal(summary(net)$parameters, c(4, 8, 8, 8, 8, 4))
})

test_that("sizes that are not whole numbers of one or more are refused", {
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
