# Receptive fields compared with the inputs that have nonzero weights.

test_that("the receptive field of a dilated stack doubles with every layer", {
  net <- input_sequence(16)
  for (d in 2^(0:3)) net <- layer_conv(net, 1, 2, dilation = d)
  field <- receptive_field(net)
  expect_s3_class(field, "data.frame")
  expect_named(field, c("layer", "size", "stride", "from", "to"))
  expect_equal(field$layer, paste0("conv", 1:4))
  expect_equal(field$size, 2^(1:4))
  expect_equal(field$from, 17 - 2^(1:4))
  expect_equal(field$to, rep(16, 4))
  # The last layer has one output, so there is no step between outputs.
  expect_equal(field$stride, c(1, 1, 1, NA))
})

field_of <- function(network) as.matrix(receptive_field(network)[c("size", "stride", "from", "to")])

test_that("strides multiply, and the field ends at the newest input", {
  net <- input_sequence(13) |> layer_conv(1, 2, stride = 2) |> layer_conv(1, 2, dilation = 2) |>
    layer_pool(2, 1) |> layer_last()
  # 2; 2 + 2 x 2; + 1 x 2.
  expect_equal(unname(field_of(net)), cbind(
    c(2, 6, 8, 8), c(2, 2, 2, NA), c(12, 8, 6, 6), rep(13, 4)
  ))
})

test_that("padding narrows the field at the border but not the stride", {
  net <- input_sequence(8) |> conv_same(1) |> conv_same(1)
  # Half of each window of three lies in the padding.
  expect_equal(unname(field_of(net)), cbind(c(2, 3), c(1, 1), c(7, 6), c(8, 8)))
  causal <- input_sequence(8) |> layer_conv(1, 3, stride = 2, padding = "causal")
  expect_equal(unname(field_of(causal)), cbind(3, 2, 6, 8))
})

test_that("recurrences, blocks and dense layers have the right receptive fields", {
  net <- input_sequence(6, channels = 2) |>
    layer_residual(\(x) layer_conv(x, 2, 3, padding = "causal")) |>
    layer_parallel(identity, \(x) layer_conv(x, 2, 2, padding = "causal")) |>
    layer_recurrent(1, output = "sequence") |> layer_dense(1)
  expect_equal(receptive_field(net)$layer, c("residual1", "parallel1", "recurrent1", "dense1"))
  expect_equal(unname(field_of(net)), cbind(
    c(3, 4, 6, 6), c(1, 1, 1, NA), c(4, 3, 1, 1), rep(6, 4)
  ))
  expect_equal(unname(field_of(input_vector(4) |> layer_dense(2))), cbind(4, NA, 1, 4))
})

test_that("on a grid rows and columns have separate fields", {
  net <- input_grid(9, 16) |> layer_conv(2, c(2, 3), stride = c(2, 1), padding = "same") |>
    layer_conv(1, 2, dilation = c(1, 4)) |> layer_pool(c(1, 2), stride = c(1, 3)) |> layer_dense(1)
  field <- receptive_field(net)
  expect_named(field, c("layer", "dimension", "size", "stride", "from", "to"))
  expect_equal(field$layer, rep(c("conv1", "conv2", "pool1", "dense1"), each = 2))
  expect_equal(field$dimension, rep(c("row", "column"), 4))
  # Rows: 2, + 1 x 2, then all. Columns: 3, of which one lies in the padding, + 4, + 1, then all.
  expect_equal(field$size, c(2, 2, 4, 6, 4, 7, 9, 16))
  expect_equal(field$stride, c(2, 1, 2, 1, 2, 3, NA, NA))
  expect_equal(field$from, c(8, 15, 6, 11, 6, 10, 1, 1))
  expect_equal(field$to, c(9, 16, 9, 16, 9, 16, 9, 16))
})

test_that("copies have the field of their source, and the stride is the largest step between outputs", {
  up <- input_sequence(8) |> layer_conv(1, 2, stride = 2) |> layer_upsample(2)
  expect_equal(unname(field_of(up)), cbind(c(2, 2), c(2, 2), c(7, 7), c(8, 8)))
  grid <- input_grid(2, 3) |> layer_upsample(c(3, 1), size = c(2, 3))
  # The two rows that are kept are copies of the last row.
  expect_equal(receptive_field(grid)$stride, c(0, 1))
  expect_equal(receptive_field(grid)$from, c(2, 3))
})

# Returns the first and last row and the first and last column of the input that each output depends on (4 x outputs,
# rows fastest), where weights are nonzero; NA where all weights are zero. The twin's weights are differences of outputs
# of order 1, so with some BLAS a zero weight is one unit of rounding.
twin_reach <- function(network) {
  shape <- network$input$shape
  seen <- abs(twin_weights(network)[, seq_len(prod(shape)), drop = FALSE]) > 1e-14
  out <- shape_of(network)
  vapply(seq_len(prod(out[-1L])), function(u) {
    any <- array(colSums(seen[(u - 1) * out[[1L]] + seq_len(out[[1L]]), , drop = FALSE]) > 0, shape)
    at <- which(any, arr.ind = TRUE)
    if (nrow(at) == 0L) return(rep(NA_real_, 4L))
    as.numeric(c(range(at[, 2L]), range(at[, 3L])))
  }, numeric(4L))
}

# Returns the largest step of the first and last input in the field from one output to the next along the last column or
# the last row. Padding narrows fields, so the largest step is the stride.
twin_stride <- function(reach) {
  steps <- apply(reach, 1L, diff)
  if (length(steps) == 0L || all(is.na(steps))) NA_real_ else max(steps, na.rm = TRUE)
}

# Returns size, stride, from and to of the newest output along each dimension of the input.
twin_field <- function(network) {
  reach <- array(twin_reach(network), c(4L, shape_of(network)[-1L]))
  down <- matrix(reach[1:2, , dim(reach)[[3L]]], 2L)
  across <- matrix(reach[3:4, dim(reach)[[2L]], ], 2L)
  fields <- lapply(list(down, across), function(reach) {
    ends <- reach[, ncol(reach)]
    c(ends[[2L]] - ends[[1L]] + 1, twin_stride(reach), ends)
  })
  if (network$input$kind == "grid") do.call(rbind, fields) else rbind(fields[[2L]])
}

expect_same_field <- function(network, label) {
  found <- field_of(network)
  wanted <- lapply(seq_along(network$layers), function(i) {
    prefix <- structure(list(input = network$input, layers = network$layers[seq_len(i)]), class = "ca_network")
    twin_field(with_test_coef(prefix, i))
  })
  expect_equal(unname(found), do.call(rbind, wanted), label = label)
}

test_that("the field of each layer is where its effective weights are nonzero", {
  # A vector has no positions, so it has no stride.
  networks <- Filter(function(network) network$input$kind != "vector", named_networks())
  for (name in names(networks)) expect_same_field(networks[[name]], name)
  for (seed in 1:120) expect_same_field(random_network(seed), paste("seed", seed))
})

test_that("an input without layers has no rows, and a layer that reads only padding has an empty field", {
  expect_equal(nrow(receptive_field(input_sequence(3))), 0)
  blind <- input_sequence(2) |> layer_conv(1, 2, dilation = 4, padding = "same")
  expect_true(is.na(receptive_field(blind)$size))
  expect_named(receptive_field(input_grid(3, 3)), c("layer", "dimension", "size", "stride", "from", "to"))
  expect_equal(nrow(receptive_field(input_grid(3, 3))), 0)
  grid <- input_grid(2, 3) |> layer_conv(1, c(2, 1), dilation = c(4, 1), padding = "same")
  expect_equal(receptive_field(grid)$size, c(NA_integer_, NA_integer_))
})
