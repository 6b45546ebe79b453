# The window of a layer has kernel, stride, dilation, pad and expand, two numbers each.
pad_of <- function(layer) layer$window[7:8]

windows_of <- function(layer, n, dimension) {
  at <- function(x) twin_both(x)[[dimension]]
  twin_windows(n, at(layer$kernel), at(layer$stride), at(layer$dilation), layer$padding)
}

slides <- function() {
  grid <- expand.grid(
    n = c(1, 2, 5, 8, 13), kernel = 1:4, stride = 1:5, dilation = 1:4,
    padding = c("valid", "same", "causal"), stringsAsFactors = FALSE
  )
  span <- (grid$kernel - 1) * grid$dilation + 1
  grid[grid$kernel <= grid$n & grid$stride <= grid$n & (grid$padding != "valid" | span <= grid$n), ]
}

test_that("on a sequence the window agrees with the twin, for lengths, kernels, strides and dilations", {
  grid <- slides()
  expect_gt(nrow(grid), 300)
  layers <- Map(function(n, ...) layer_conv(input_sequence(n), 1, ...)$layers[[1L]],
    grid$n, grid$kernel, grid$stride, grid$dilation, grid$padding)
  meets <- Map(windows_of, layers, grid$n, dimension = 2L)
  shapes <- lapply(meets, function(meets) c(1L, 1L, nrow(meets)))
  expect_equal(lapply(layers, function(layer) layer$out_shape), unname(shapes))
  # Tap k of output u reads position u stride + k dilation - pad, all counted from 0.
  expect_equal(lapply(layers, pad_of), lapply(meets, function(meets) c(0, 1 - meets[1, 1])))
  windows <- Map(function(k, s, d) c(1, k, 1, s, 1, d), grid$kernel, grid$stride, grid$dilation)
  expect_equal(lapply(layers, function(layer) layer$window[1:6]), windows)
  expect_true(all(vapply(layers, function(layer) identical(layer$window[9:10], c(1L, 1L)), NA)))
})

test_that("on a grid the window agrees with the twin along rows and along columns", {
  all <- slides()
  all <- all[all$padding != "causal", ]
  withr::local_seed(1)
  for (i in sample(nrow(all), 150)) {
    same <- all[all$padding == all$padding[[i]], ]
    rows <- all[i, ]
    columns <- same[sample(nrow(same), 1L), ]
    layer <- layer_conv(input_grid(rows$n, columns$n), 1, c(rows$kernel, columns$kernel),
      stride = c(rows$stride, columns$stride), dilation = c(rows$dilation, columns$dilation),
      padding = rows$padding)$layers[[1L]]
    down <- windows_of(layer, rows$n, 1L)
    across <- windows_of(layer, columns$n, 2L)
    expect_equal(layer$out_shape, c(1, nrow(down), nrow(across)))
    expect_equal(pad_of(layer), 1 - c(down[1, 1], across[1, 1]))
  }
})

test_that("one number is used for both rows and columns", {
  one <- input_grid(8, 9) |> layer_conv(2, 3, stride = 2, dilation = 2, padding = "same")
  two <- input_grid(8, 9) |> layer_conv(2, c(3, 3), stride = c(2, 2), dilation = c(2, 2), padding = "same")
  expect_identical(one, two)
  expect_identical(
    layer_pool(input_grid(4, 6), 2), layer_pool(input_grid(4, 6), c(2, 2), stride = c(2, 2))
  )
  layer <- one$layers[[1L]]
  expect_equal(list(layer$kernel, layer$stride, layer$dilation), list(c(3, 3), c(2, 2), c(2, 2)))
  expect_type(layer$window, "integer")
})

test_that("a grid of one row gives the same windows as a sequence", {
  line <- input_sequence(9) |> layer_conv(2, 3, stride = 2, padding = "same")
  grid <- input_grid(1, 9) |> layer_conv(2, c(1, 3), stride = c(1, 2), padding = "same")
  expect_equal(grid$layers[[1L]]$window, line$layers[[1L]]$window)
  expect_equal(grid$layers[[1L]]$out_shape, line$layers[[1L]]$out_shape)
  expect_equal(grid$layers[[1L]]$out_kind, "grid")
})

test_that("sizes of a window are one whole number, or two on a grid", {
  layers <- list(
    \(x, size) layer_conv(x, 1, size), \(x, size) layer_conv(x, 1, 1, stride = size),
    \(x, size) layer_conv(x, 1, 1, dilation = size), \(x, size) layer_local(x, 1, size),
    \(x, size) layer_pool(x, size), \(x, size) layer_pool(x, 1, stride = size),
    \(x, size) layer_upsample(x, size), \(x, size) layer_upsample(x, 2, size = size)
  )
  never <- list(0, -1, 1.5, NA, NaN, Inf, "2", TRUE, list(1), factor(1), numeric(), 2^31, c(1, 2, 3),
    data.frame(a = 1), as.Date("2020-01-01"))
  for (size in never) {
    expect_error(layer_conv(input_sequence(6), 1, size), class = "capalloc_error_value")
    expect_error(layer_conv(input_grid(6, 6), 1, size), class = "capalloc_error_value")
  }
  for (layer in layers) {
    for (size in list(0, 1.5, c(1, 2))) {
      expect_error(layer(input_sequence(6), size), class = "capalloc_error_value")
    }
    for (size in list(NA, c(0, 1), c(1, 1.5), c(2, Inf))) {
      expect_error(layer(input_grid(6, 6), size), class = "capalloc_error_value")
    }
    expect_s3_class(layer(input_grid(6, 6), c(1, 2)), "ca_network")
  }
  expect_error(layer_conv(input_grid(4, 4), 1, NULL), class = "capalloc_error_value")
  expect_error(layer_upsample(input_grid(4, 4), NULL), class = "capalloc_error_value")
  line <- input_sequence(6)
  grid <- input_grid(6, 6)
  expect_snapshot({
    writeLines(bad(layer_conv(line, 1, c(1, 2)), "value"))
    writeLines(bad(layer_conv(line, 1, NA), "value"))
    writeLines(bad(layer_conv(grid, 1, 1:3), "value"))
    writeLines(bad(layer_conv(grid, 1, "2"), "value"))
    writeLines(bad(layer_conv(grid, 1, c(2, 0)), "value"))
    writeLines(bad(layer_conv(grid, 1, 1, stride = c(1, 1.5)), "value"))
    writeLines(bad(layer_local(grid, 1, 1, dilation = NULL), "value"))
    writeLines(bad(layer_pool(line, numeric()), "value"))
    writeLines(bad(layer_pool(grid, 2, stride = c(1, NA)), "value"))
  })
})

test_that("windows that do not fit are refused, and the error names the dimension", {
  grid <- input_grid(1, 6)
  expect_snapshot({
    writeLines(bad(layer_conv(grid, 1, 2), "shape"))
    writeLines(bad(layer_conv(grid, 1, c(1, 7)), "shape"))
    writeLines(bad(layer_conv(grid, 1, c(1, 7), padding = "same"), "shape"))
    writeLines(bad(layer_conv(grid, 1, c(1, 3), dilation = 3), "shape"))
    writeLines(bad(layer_local(grid, 1, 1, stride = 2), "shape"))
    writeLines(bad(layer_local(grid, 1, 1, stride = c(1, 7)), "shape"))
    writeLines(bad(layer_pool(grid, 2), "shape"))
    writeLines(bad(layer_pool(input_sequence(1), 2), "shape"))
    writeLines(bad(layer_conv(input_sequence(4), 1, 2, stride = 5), "shape"))
  })
})

test_that("causal padding is refused on a grid, and windows are refused on a vector", {
  expect_snapshot({
    writeLines(bad(layer_conv(input_grid(3, 3), 1, 2, padding = "causal"), "value"))
    writeLines(bad(layer_local(input_grid(3, 3), 1, 2, padding = "causal"), "value"))
    writeLines(bad(layer_conv(input_grid(3, 3) |> layer_dense(4), 1, 2), "shape"))
    writeLines(bad(layer_local(input_vector(4), 1, 2), "shape"))
    writeLines(bad(layer_pool(input_grid(2, 2) |> layer_flatten(), 2), "shape"))
    writeLines(bad(layer_upsample(input_vector(4), 2), "shape"))
  })
  # Layers that run through time are refused on a grid.
  expect_snapshot({
    writeLines(bad(layer_recurrent(input_grid(3, 3), 1), "shape"))
    writeLines(bad(layer_last(input_grid(3, 3, channels = 2)), "shape"))
  })
})
