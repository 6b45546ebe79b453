# Effective weights, predictions and tangents of the C core against the twin.

# Largest difference beside the largest value.
relative_gap <- function(found, wanted) max(abs(found - wanted)) / max(1, abs(wanted))

some_rows <- function(network, n_rows = 5) {
  withr::with_seed(n_rows, matrix(rnorm(n_rows * prod(network$input$shape)), n_rows))
}

# The same three functions of the same weights, computed apart.
expect_same_weights <- function(network, label) {
  x <- some_rows(network)
  wanted <- twin_weights(network)
  found <- unname(effective_weights(network))
  expect_equal(dim(found), dim(wanted), label = label)
  predicted <- matrix(predict(network, x), nrow(x))
  constant <- if (twin_has_bias(network$layers)) 1
  # Sums of at most some hundred products of moderate size: 1e-12 is rounding.
  expect_lt(relative_gap(found, wanted), 1e-12, label = label)
  expect_lt(relative_gap(predicted, twin_predict(network, x)), 1e-12, label = label)
  expect_lt(relative_gap(predicted, cbind(x, constant) %*% t(found)), 1e-12, label = label)
}

expect_same_tangent <- function(network, label) {
  wanted <- twin_tangent(network)
  found <- unname(tangent(network))
  expect_equal(dim(found), dim(wanted), label = label)
  # Column by column: a small one must be as good as a large one. Both sides are
  # exact to rounding, which 1e-10 leaves room for.
  size <- apply(abs(wanted), 2L, max)
  expect_true(all(found[, size == 0] == 0), label = label)
  gap <- apply(abs(found - wanted), 2L, max)
  expect_lt(max(0, (gap / size)[size > 0]), 1e-10, label = label)
}

expect_same_differences <- function(network, label) {
  weights <- function(theta) effective_weights(set_coef(network, theta))
  wanted <- central_tangent(weights, network$coef)
  # Central differences with a step of 1e-5 are good to some 1e-9.
  expect_lt(relative_gap(unname(tangent(network)), wanted), 1e-6, label = label)
}

test_that("weights and predictions are the twin's, in every named network", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_weights(networks[[name]], name)
})

test_that("weights and predictions are the twin's, in random networks", {
  for (seed in 1:120) expect_same_weights(random_network(seed), paste("seed", seed))
})

test_that("tangents are the twin's, in every named network", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_tangent(networks[[name]], name)
})

test_that("tangents are the twin's, in random networks", {
  for (seed in 1:120) expect_same_tangent(random_network(seed), paste("seed", seed))
})

test_that("tangents are the central differences of the effective weights", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_differences(networks[[name]], name)
  for (seed in 1:100) expect_same_differences(random_network(seed), paste("seed", seed))
})

test_that("the package's own starting weights do as well", {
  for (seed in 1:20) {
    network <- random_network(seed) |> initialise(seed = seed)
    expect_same_weights(network, paste("seed", seed))
    expect_same_tangent(network, paste("seed", seed))
  }
})

test_that("rows of the tangent are output-fastest, columns in the order of theta", {
  net <- input_vector(2) |> layer_dense(2, bias = TRUE) |> set_coef(1:6)
  # y_o = sum_j w_oj x_j + b_o: each coefficient moves one entry of W.
  expect_equal(unname(tangent(net)), diag(6))
})

test_that("weights far below and above one keep their accuracy", {
  for (size in c(1e-6, 1e6)) {
    net <- named_networks()$nested
    net <- set_coef(net, net$coef * size)
    expect_same_tangent(net, paste("size", size))
  }
})

test_that("sequences longer than a block of rows are predicted alike", {
  net <- input_sequence(6) |> layer_conv(2, 3, bias = TRUE) |> layer_dense(2) |> with_test_coef(1)
  x <- some_rows(net, 1100)
  expect_lt(relative_gap(matrix(predict(net, x), nrow(x)), twin_predict(net, x)), 1e-12)
  one <- some_rows(net, 1)
  expect_lt(relative_gap(c(predict(net, one)), c(twin_predict(net, one))), 1e-12)
})

test_that("a network that sees nothing has zero weights and a zero tangent", {
  # Both taps fall into the padding: 2 positions, 4 apart.
  net <- input_sequence(2) |> layer_conv(1, 2, dilation = 4, padding = "same") |> set_coef(c(1, 2))
  expect_equal(unname(effective_weights(net)), matrix(0, 2, 2))
  expect_equal(unname(tangent(net)), matrix(0, 4, 2))
})

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
  # The last layer has one output, so no step between outputs.
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

test_that("padding narrows the field at the border, not the stride", {
  net <- input_sequence(8) |> conv_same(1) |> conv_same(1)
  # Half of each window of three lies in the padding.
  expect_equal(unname(field_of(net)), cbind(c(2, 3), c(1, 1), c(7, 6), c(8, 8)))
  causal <- input_sequence(8) |> layer_conv(1, 3, stride = 2, padding = "causal")
  expect_equal(unname(field_of(causal)), cbind(3, 2, 6, 8))
})

test_that("recurrences, blocks and dense layers see what they should", {
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

# First and last position with a weight that is not zero in the newest output.
twin_reach <- function(network) {
  n <- prod(network$input$shape)
  channels <- rev(network$layers)[[1L]]$out_shape[[1L]]
  newest <- utils::tail(twin_weights(network)[, seq_len(n), drop = FALSE], channels)
  seen <- ceiling(which(colSums(newest != 0) > 0) / network$input$shape[[1L]])
  if (length(seen) == 0L) c(NA_real_, NA_real_) else as.numeric(range(seen))
}

test_that("the last layer's field is where the effective weights are not zero", {
  for (seed in 1:100) {
    network <- random_network(seed)
    field <- utils::tail(receptive_field(network), 1L)
    expect_equal(c(field$from, field$to), twin_reach(network), label = paste("seed", seed))
  }
})

test_that("an input alone has no rows, and a blind layer an empty field", {
  expect_equal(nrow(receptive_field(input_sequence(3))), 0)
  blind <- input_sequence(2) |> layer_conv(1, 2, dilation = 4, padding = "same")
  expect_true(is.na(receptive_field(blind)$size))
})
