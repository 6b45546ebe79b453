test_that("a residual layer keeps the shape and contains the parameters of its block", {
  net <- input_sequence(6, channels = 2) |>
    layer_residual(\(x) x |> layer_conv(3, 3, padding = "same") |> layer_conv(2, 1), scale = 0.5)
  expect_equal(summary(net), data.frame(
    layer = c("residual1", "conv1", "conv2"),
    kind = c("x + 0.5 block(x)", "conv, kernel 3, same", "conv, kernel 1"),
    output = c("2 x 6", "3 x 6", "2 x 6"), parameters = c(0, 18, 6), depth = c(0L, 1L, 1L)
  ))
})

test_that("a residual layer computes x + scale * block(x)", {
  a <- matrix(c(1, 2, 3, 4), 2)
  net <- input_vector(2) |> layer_residual(\(x) layer_dense(x, 2), scale = -0.5) |> set_coef(c(a))
  expect_equal(unname(effective_weights(net)), diag(2) - 0.5 * a)
})

test_that("with the identity as block a residual layer computes x + scale * x", {
  net <- input_sequence(3) |> layer_residual(identity, scale = 0.5) |> initialise(seed = 1)
  expect_equal(unname(effective_weights(net)), 1.5 * diag(3))
})

test_that("blocks can be nested, and each function is called once", {
  runs <- 0
  block <- function(x) {
    runs <<- runs + 1
    layer_residual(x, \(y) layer_conv(y, 1, 1))
  }
  net <- input_sequence(4) |> layer_residual(block)
  expect_equal(runs, 1)
  expect_equal(summary(net)$depth, 0:2)
  # (1 + (1 + w)) x.
  expect_equal(unname(effective_weights(set_coef(net, 3))), 5 * diag(4))
})

test_that("outputs of parallel blocks are summed, or their channels are concatenated in order", {
  blocks <- function(merge) {
    input_sequence(2) |>
      layer_parallel(\(x) layer_conv(x, 1, 1), \(x) layer_conv(x, 1, 1), merge = merge) |>
      set_coef(c(2, 3))
  }
  expect_equal(unname(effective_weights(blocks("sum"))), 5 * diag(2))
  expect_equal(unname(effective_weights(blocks("concat"))), kronecker(diag(2), c(2, 3)))
  expect_equal(summary(blocks("sum"))$kind[[1L]], "sum of 2 blocks")
  expect_equal(summary(blocks("concat"))$output, c("2 x 2", "1 x 2", "1 x 2"))
})

test_that("parallel dense blocks of different sizes can be concatenated", {
  net <- input_sequence(4) |>
    layer_parallel(\(x) layer_dense(x, 2), \(x) layer_dense(x, 3), merge = "concat")
  expect_equal(net$layers[[1L]]$out_shape, c(5, 1, 1))
  expect_equal(net$layers[[1L]]$out_kind, "vector")
})

test_that("parallel layers take three blocks", {
  net <- input_vector(2) |> layer_parallel(identity, identity, identity) |> initialise(seed = 1)
  expect_equal(unname(effective_weights(net)), 3 * diag(2))
})

test_that("a residual block that changes the shape is refused", {
  net <- input_sequence(6)
  expect_error(layer_residual(net, \(x) layer_conv(x, 2, 1)), class = "capalloc_error_shape")
  expect_error(layer_residual(net, \(x) layer_conv(x, 1, 2)), class = "capalloc_error_shape")
  expect_error(layer_residual(net, layer_flatten), class = "capalloc_error_shape")
  expect_snapshot(error = TRUE, {
    layer_residual(net, \(x) layer_conv(x, 2, 1))
    layer_residual(net, \(x) layer_conv(x, 1, 2))
    layer_residual(net, layer_flatten)
  })
})

test_that("parallel blocks whose outputs cannot be merged are refused", {
  net <- input_sequence(6)
  expect_error(
    layer_parallel(net, identity, \(x) layer_conv(x, 2, 1)),
    class = "capalloc_error_shape"
  )
  expect_error(
    layer_parallel(net, identity, \(x) layer_pool(x, 2), merge = "concat"),
    class = "capalloc_error_shape"
  )
  expect_error(layer_parallel(net, layer_last, layer_flatten), class = "capalloc_error_shape")
  expect_error(layer_parallel(net, identity), class = "capalloc_error_value")
  expect_error(layer_parallel(net), class = "capalloc_error_value")
  expect_error(
    layer_parallel(net, identity, identity, merge = "mean"),
    class = "capalloc_error_value"
  )
  expect_snapshot(error = TRUE, {
    layer_parallel(net, identity, \(x) layer_conv(x, 2, 1))
    layer_parallel(net, identity, identity, \(x) layer_pool(x, 2), merge = "concat")
    layer_parallel(net, \(x) layer_dense(x, 6), identity)
    layer_parallel(net, identity)
    layer_parallel(net)
    layer_parallel(net, identity, identity, merge = "mean")
  })
})

test_that("blocks that are not functions of a network are refused", {
  net <- input_sequence(6)
  for (block in list(1, NULL, "conv", net)) {
    expect_error(layer_residual(net, block), class = "capalloc_error_type")
    expect_error(layer_parallel(net, identity, block), class = "capalloc_error_type")
  }
  other <- \(x) input_sequence(7)
  for (block in list(\(x) 1, \(x) NULL, other)) {
    expect_error(layer_residual(net, block), class = "capalloc_error_type")
    expect_error(layer_parallel(net, identity, block), class = "capalloc_error_type")
  }
  expect_snapshot(error = TRUE, {
    layer_residual(net, 1)
    layer_residual(net, net)
    layer_residual(net, \(x) NULL)
    layer_residual(net, other)
    layer_parallel(net, identity, 2)
    layer_parallel(net, \(x) "three", identity)
  })
})

test_that("an error inside a block keeps its class and is reported as that of the layer", {
  net <- input_sequence(6)
  expect_error(layer_residual(net, \(x) layer_conv(x, 1, 9)), class = "capalloc_error_shape")
  expect_snapshot(error = TRUE, layer_residual(net, \(x) layer_conv(x, 1, 9)))
})

test_that("bad scales are refused", {
  net <- input_sequence(6)
  for (scale in list(NA, Inf, "1", c(1, 2), NULL)) {
    expect_error(layer_residual(net, identity, scale), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, layer_residual(net, identity, scale = NA))
})

test_that("outputs of parallel blocks can be multiplied, as in a gated activation unit", {
  net <- input_vector(1) |> layer_parallel(
    \(x) layer_dense(x, 1, activation = "tanh"), \(x) layer_dense(x, 1, activation = "sigmoid"), merge = "product"
  ) |> set_coef(c(0.5, -0.3))
  expect_equal(c(predict(net, matrix(1))), tanh(0.5) * plogis(-0.3), tolerance = 1e-15)
  expect_equal(c(predict(net, matrix(1))), 0.19666, tolerance = 1e-4)
  expect_false(is_linear(net))
  expect_equal(summary(net)$kind[[1L]], "product of 2 blocks")
  cube <- input_vector(1) |> layer_parallel(identity, identity, identity, merge = "product") |> set_coef(numeric())
  expect_equal(c(predict(cube, matrix(-2))), -8)
  expect_error(input_sequence(4) |> layer_parallel(identity, \(x) layer_pool(x, 2), merge = "product"),
    class = "capalloc_error_shape")
})
