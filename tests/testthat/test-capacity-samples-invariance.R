# Operations that do not change the capacity of nonlinear networks.

perceptron <- function(units, activation, m = 2, bias = TRUE) {
  input_vector(3) |> layer_dense(units, bias = bias) |> layer_activation(activation) |> layer_dense(m, bias = bias)
}

# unpack() returns the weights as a list, pack() sets them from one.
unpack <- function(network) {
  layers <- Filter(function(layer) length(layer$params) > 0L, walk_layers(network$layers))
  at <- 0
  lapply(layers, function(layer) lapply(layer$params, function(dim) {
    values <- array(network$coef[at + seq_len(prod(dim))], dim)
    at <<- at + prod(dim)
    values
  }))
}

pack <- function(network, weights) set_coef(network, as.double(unlist(weights)))

expect_same_capacity <- function(a, b, x, ..., tolerance = 1e-8) {
  own <- suppressWarnings(capacity(a, data = x), classes = "capalloc_warning_rank_gap")
  other <- suppressWarnings(capacity(b, data = x), classes = "capalloc_warning_rank_gap")
  # Both networks are the same function, so the operation is correct.
  expect_equal(predict(b, x), predict(a, x), tolerance = 1e-10, ...)
  expect_equal(attr(other, "total"), attr(own, "total"), ...)
  expect_equal(other$capacity, own$capacity, tolerance = tolerance, ...)
}

test_that("permuting hidden units does not change capacity", {
  order <- c(3, 1, 4, 2)
  for (activation in whole_activations()[-1L]) {
    net <- perceptron(4, activation) |> with_test_coef(1)
    w <- unpack(net)
    w[[1L]] <- list(w[[1L]]$weight[order, ], w[[1L]]$bias[order])
    w[[2L]]$weight <- w[[2L]]$weight[, order]
    expect_same_capacity(net, pack(net, w), test_inputs(net, 40), label = activation)
  }
})

test_that("permuting units of recurrent cells does not change capacity", {
  order <- c(2, 3, 1)
  for (cell in c("elman", "diagonal", "lstm", "gru")) {
    net <- input_sequence(4) |> layer_recurrent(3, cell, activation = "tanh", bias = TRUE) |> layer_dense(1) |>
      with_test_coef(2)
    w <- unpack(net)
    gates <- switch(cell, lstm = 4, gru = 3, 1)
    r <- w[[1L]]
    r$input <- array(r$input, c(3, 1, gates))[order, , ]
    r$recurrent <- if (cell == "diagonal") r$recurrent[order] else array(r$recurrent, c(3, 3, gates))[order, order, ]
    r$bias <- matrix(r$bias, 3)[order, ]
    w[[1L]] <- r
    w[[2L]]$weight <- w[[2L]]$weight[, order]
    # Spectra of recurrences decay, so rounding error is amplified by the least singular value.
    expect_same_capacity(net, pack(net, w), test_inputs(net, 40), label = cell, tolerance = 1e-7)
  }
})

test_that("permuting channels of convolutions, through a max pool, does not change capacity", {
  net <- input_sequence(7) |> layer_conv(3, 2, bias = TRUE) |> layer_activation("elu") |>
    layer_pool(2, stride = 1, type = "max") |> layer_conv(2, 2) |> layer_activation("sin") |> layer_dense(1) |>
    with_test_coef(4)
  w <- unpack(net)
  w[[1L]] <- list(w[[1L]]$kernel[c(2, 3, 1), , ], w[[1L]]$bias[c(2, 3, 1)])
  w[[2L]]$kernel <- w[[2L]]$kernel[, c(2, 3, 1), ]
  expect_same_capacity(net, pack(net, w), test_inputs(net, 40))
})

test_that("inverse rescaling through positively homogeneous activations does not change capacity", {
  scale <- c(1e3, 0.5, 1e-4, 3)
  for (activation in c("relu", "leaky_relu", "abs")) for (bias in c(FALSE, TRUE)) {
    net <- perceptron(4, activation, bias = bias) |> with_test_coef(5)
    w <- unpack(net)
    w[[1L]] <- lapply(w[[1L]], function(values) values * scale)
    w[[2L]]$weight <- w[[2L]]$weight %*% diag(1 / scale)
    expect_same_capacity(net, pack(net, w), test_inputs(net, 40), label = activation)
  }
  pooled <- input_sequence(7, channels = 2) |> layer_conv(2, 2) |> layer_pool(2, type = "max") |> layer_dense(1) |>
    with_test_coef(6)
  w <- unpack(pooled)
  w[[1L]]$kernel <- w[[1L]]$kernel * c(10, 0.1)
  w[[2L]]$weight <- w[[2L]]$weight * c(0.1, 10)
  expect_same_capacity(pooled, pack(pooled, w), test_inputs(pooled, 40))
  # All units of a layer, through elman cells with relu: the states are rescaled.
  net <- input_sequence(4) |> layer_recurrent(2, activation = "relu", bias = TRUE) |> layer_dense(1) |>
    with_test_coef(7)
  w <- unpack(net)
  w[[1L]]$input <- w[[1L]]$input * 100
  w[[1L]]$bias <- w[[1L]]$bias * 100
  w[[2L]]$weight <- w[[2L]]$weight / 100
  expect_same_capacity(net, pack(net, w), test_inputs(net, 40))
})

test_that("changing signs of units with odd or even activations does not change capacity", {
  sign <- c(-1, 1, -1, 1)
  for (activation in c("tanh", "erf", "sin", "abs")) {
    net <- perceptron(4, activation) |> with_test_coef(8)
    w <- unpack(net)
    w[[1L]] <- lapply(w[[1L]], function(values) values * sign)
    if (activation != "abs") w[[2L]]$weight <- w[[2L]]$weight %*% diag(sign)
    expect_same_capacity(net, pack(net, w), test_inputs(net, 40), label = activation)
  }
})

test_that("splitting a hidden unit in two does not change capacity", {
  for (activation in whole_activations()[-1L]) {
    net <- perceptron(3, activation) |> with_test_coef(9)
    w <- unpack(net)
    w[[1L]] <- list(w[[1L]]$weight[c(1:3, 2), ], w[[1L]]$bias[c(1:3, 2)])
    v <- w[[2L]]$weight
    w[[2L]]$weight <- cbind(v[, 1], 0.3 * v[, 2], v[, 3], 0.7 * v[, 2])
    expect_same_capacity(net, pack(perceptron(4, activation), w), test_inputs(net, 40), label = activation)
  }
})

test_that("permuting or repeating samples does not change capacity", {
  for (net in curved_networks()[c("tanh", "gru_sequence", "max_overlapping")]) {
    x <- test_inputs(net, 20)
    own <- capacity(net, data = x)
    expect_equal(capacity(net, data = x[20:1, ])$capacity, own$capacity, tolerance = 1e-8)
    expect_equal(capacity(net, data = rbind(x, x))$capacity, own$capacity, tolerance = 1e-8)
    each <- capacity(net, data = x, by = "sample")
    back <- capacity(net, data = x[20:1, ], by = 20:1)
    expect_equal(back$capacity, each$capacity, tolerance = 1e-8)
  }
})
