test_that("a pool has no parameters and keeps the channels", {
  net <- input_sequence(9, channels = 2) |> layer_pool(2)
  expect_equal(summary(net), data.frame(
    layer = "pool1", kind = "average pool, size 2", output = "2 x 4", parameters = 0, depth = 0L
  ))
  strided <- layer_pool(input_sequence(9), 3, stride = 2)
  expect_equal(summary(strided)$kind, "average pool, size 3, stride 2")
})

test_that("the windows agree with the twin for lengths, sizes and strides", {
  for (n in c(1, 4, 7, 10)) for (size in seq_len(min(4, n))) for (stride in seq_len(min(5, n))) {
    layer <- layer_pool(input_sequence(n), size, stride)$layers[[1L]]
    meets <- twin_windows(n, size, stride, 1, "valid")
    expect_equal(layer$out_shape, c(1, 1, nrow(meets)))
    expect_equal(layer$window[7:8], c(0, 1 - meets[1, 1]))
  }
})

test_that("average pooling has equal weights", {
  net <- input_sequence(5) |> layer_pool(2) |> initialise(seed = 1)
  expected <- rbind(c(0, 0.5, 0.5, 0, 0), c(0, 0, 0, 0.5, 0.5))
  expect_equal(unname(effective_weights(net)), expected)
})

test_that("windows that do not fit are refused", {
  net <- input_sequence(4)
  expect_error(layer_pool(net, 5), class = "capalloc_error_shape")
  expect_error(layer_pool(net, 2, stride = 5), class = "capalloc_error_shape")
  expect_error(layer_pool(input_vector(4), 2), class = "capalloc_error_shape")
  for (size in list(0, 1.5, NA, "2")) {
    expect_error(layer_pool(net, size), class = "capalloc_error_value")
    expect_error(layer_pool(net, 2, stride = size), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, {
    layer_pool(net, 5)
    layer_pool(net, 2, stride = 5)
    layer_pool(net, 0)
    layer_pool(net, 1.5)
    layer_pool(net, 2, stride = 0)
    layer_pool(input_vector(4), 2)
  })
})

test_that("a pool on a grid averages over rows and columns", {
  net <- input_grid(5, 6, channels = 2) |> layer_pool(c(2, 3))
  expect_equal(summary(net), data.frame(
    layer = "pool1", kind = "average pool, size 2 x 3", output = "2 x 2 x 2", parameters = 0, depth = 0L
  ))
  strided <- layer_pool(input_grid(5, 6), 2, stride = c(2, 1))
  expect_equal(summary(strided)$kind, "average pool, size 2 x 2, stride 2 x 1")
  picture <- matrix(1:30, 5)
  small <- input_grid(5, 6) |> layer_pool(c(2, 3)) |> set_coef(numeric())
  # Windows are aligned to the last row, so the first row is not read.
  means <- sapply(list(1:3, 4:6), function(columns) c(mean(picture[2:3, columns]), mean(picture[4:5, columns])))
  expect_equal(c(predict(small, c(picture))), c(means))
  # An average over a grid is an average over columns of averages over rows.
  both <- input_grid(5, 6) |> layer_pool(c(2, 1)) |> layer_pool(c(1, 3)) |> set_coef(numeric())
  expect_equal(effective_weights(both), effective_weights(small), tolerance = 1e-15)
})

test_that("upsampling repeats every position with all its channels", {
  net <- input_sequence(2, channels = 2) |> layer_upsample(3)
  expect_equal(summary(net), data.frame(
    layer = "upsample1", kind = "upsample by 3", output = "2 x 6", parameters = 0, depth = 0L
  ))
  expect_equal(net$layers[[1L]]$out_kind, "sequence")
  expect_equal(c(predict(set_coef(net, numeric()), c(1, 10, 2, 20))), c(rep(c(1, 10), 3), rep(c(2, 20), 3)))
  same <- input_sequence(4) |> layer_upsample(1) |> set_coef(numeric())
  expect_equal(unname(effective_weights(same)), diag(4))
})

test_that("upsampling to a given size keeps the newest copies", {
  copies <- function(n, factor, size) {
    c(predict(input_sequence(n) |> layer_upsample(factor, size) |> set_coef(numeric()), as.numeric(1:n)))
  }
  expect_equal(copies(4, 2, 7), c(1, 2, 2, 3, 3, 4, 4))
  expect_equal(copies(3, 3, 4), c(2, 3, 3, 3))
  expect_equal(copies(3, 2, 1), 3)
  expect_equal(copies(2, 3, 6), c(1, 1, 1, 2, 2, 2))
})

test_that("upsampling on a grid repeats rows and columns and keeps the last ones", {
  net <- input_grid(2, 3) |> layer_upsample(c(2, 3), size = c(3, 7)) |> set_coef(numeric())
  expect_equal(summary(net)$kind, "upsample by 2 x 3")
  expect_equal(summary(net)$output, "1 x 3 x 7")
  picture <- matrix(1:6, 2)
  expect_equal(c(predict(net, c(picture))), c(picture[c(1, 2, 2), c(1, 2, 2, 2, 3, 3, 3)]))
  twice <- input_grid(2, 2, channels = 2) |> layer_upsample(2, size = 4)
  expect_equal(twice$layers[[1L]]$out_shape, c(2, 4, 4))
  expect_equal(twice$layers[[1L]]$out_kind, "grid")
})

test_that("a pool inverts an upsampling of the same size", {
  for (start in list(input_sequence(5, channels = 2), input_grid(2, 3, channels = 2))) {
    net <- start |> layer_upsample(3) |> layer_pool(3) |> set_coef(numeric())
    expect_equal(unname(effective_weights(net)), diag(prod(start$input$shape)), tolerance = 1e-15)
  }
})

test_that("upsampling restores the length of a strided convolution", {
  for (n in 3:9) {
    net <- input_sequence(n) |> layer_residual(\(x) {
      x |> layer_conv(2, 3, stride = 2, padding = "same") |> layer_upsample(2, size = n) |> layer_conv(1, 1)
    })
    expect_equal(net$layers[[1L]]$out_shape[[3L]], n)
  }
})

test_that("pools and upsampling that do not fit are refused", {
  grid <- input_grid(3, 4)
  for (size in list(7, c(3, 9), c(9, 3), 100)) {
    expect_error(layer_upsample(grid, 2, size = size), class = "capalloc_error_shape")
  }
  # Large numbers are written without exponents.
  expect_match(bad(layer_upsample(input_sequence(1e5), 2, size = 3e5), "shape"), "200000.*300000")
  expect_snapshot({
    writeLines(bad(layer_upsample(input_sequence(4), 2, size = 9), "shape"))
    writeLines(bad(layer_upsample(input_sequence(1), 1, size = 2), "shape"))
    writeLines(bad(layer_upsample(grid, 2, size = 7), "shape"))
    writeLines(bad(layer_upsample(grid, 2, size = c(6, 9)), "shape"))
    writeLines(bad(layer_upsample(grid, 0), "value"))
    writeLines(bad(layer_upsample(grid, c(1, 2, 3)), "value"))
    writeLines(bad(layer_upsample(grid, 2, size = "all"), "value"))
    writeLines(bad(layer_upsample(input_vector(4), 2), "shape"))
    writeLines(bad(layer_upsample(input_sequence(1e5), 1e5), "size"))
    writeLines(bad(layer_upsample(NULL, 2), "type"))
    writeLines(bad(layer_pool(grid, c(4, 1)), "shape"))
    writeLines(bad(layer_pool(grid, 2, stride = 4), "shape"))
  })
})

test_that("max pooling takes the maximum of each channel separately", {
  net <- input_sequence(5, channels = 2) |> layer_pool(2, type = "max") |> set_coef(numeric())
  expect_equal(summary(net)$kind, "max pool, size 2")
  expect_equal(c(predict(net, c(9, 9, 1, -2, 3, -4, -5, 6, -7, 6))), c(3, -2, -5, 6))
  overlapping <- input_sequence(5) |> layer_pool(3, stride = 1, type = "max") |> set_coef(numeric())
  expect_equal(c(predict(overlapping, c(1, -1, 0, 5, 2))), c(1, 5, 5))
  grid <- input_grid(3, 4) |> layer_pool(c(2, 3), stride = c(1, 1), type = "max") |> set_coef(numeric())
  picture <- matrix(c(3, -1, 0, 2, 7, 1, -4, 0, 6, 5, 5, 9), 3)
  windows <- sapply(1:2, function(j) sapply(1:2, function(i) max(picture[i:(i + 1), j:(j + 2)])))
  expect_equal(c(predict(grid, c(picture))), c(windows))
  expect_equal(c(predict(input_sequence(3) |> layer_pool(3, type = "max") |> set_coef(numeric()), c(-3, -1, -2))), -1)
})

test_that("max pooling has the windows of average pooling", {
  for (n in c(1, 4, 7)) for (size in seq_len(min(3, n))) for (stride in seq_len(min(3, n))) {
    average <- layer_pool(input_sequence(n, channels = 2), size, stride)
    largest <- layer_pool(input_sequence(n, channels = 2), size, stride, type = "max")
    expect_equal(receptive_field(largest), receptive_field(average))
    largest <- set_coef(largest, numeric())
    x <- test_inputs(largest, 4, n)
    expect_equal(predict(largest, x), twin_predict(largest, x))
  }
  expect_error(layer_pool(input_sequence(4), 2, type = "median"), class = "capalloc_error_value")
  expect_error(layer_pool(input_sequence(4), 2, type = NA), class = "capalloc_error_value")
})
