test_that("a pool has no parameters and keeps the channels", {
  net <- input_sequence(9, channels = 2) |> layer_pool(2)
  expect_equal(summary(net), data.frame(
    layer = "pool1", kind = "average pool, size 2", output = "2 x 4", parameters = 0, depth = 0L
  ))
  strided <- layer_pool(input_sequence(9), 3, stride = 2)
  expect_equal(summary(strided)$kind, "average pool, size 3, stride 2")
})

test_that("the geometry is the twin's over a grid", {
  for (n in c(1, 4, 7, 10)) for (size in seq_len(min(4, n))) for (stride in seq_len(min(5, n))) {
    layer <- layer_pool(input_sequence(n), size, stride)$layers[[1L]]
    meets <- twin_windows(n, size, stride, 1, "valid")
    expect_equal(layer$out_shape[[3L]], nrow(meets))
    expect_equal(meets[1, 1], 1 - layer$pad)
  }
})

test_that("an average is an average", {
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
