# Effective weights, predictions and tangents of the C core compared with the twin.

# Returns the largest difference relative to the largest value, or to 1.
relative_gap <- function(found, wanted) max(abs(found - wanted)) / max(1, abs(wanted))

some_rows <- function(network, n_rows = 5) {
  withr::with_seed(n_rows, matrix(rnorm(n_rows * prod(network$input$shape)), n_rows))
}

# Predictions, effective weights and the twin are computed from the same weights by separate code.
expect_same_weights <- function(network, label) {
  x <- some_rows(network)
  wanted <- twin_weights(network)
  found <- unname(effective_weights(network))
  expect_equal(dim(found), dim(wanted), label = label)
  predicted <- matrix(predict(network, x), nrow(x))
  constant <- if (twin_has_bias(network$layers)) 1
  # Sums of at most some hundred products of moderate size: 1e-12 allows for rounding error.
  expect_lt(relative_gap(found, wanted), 1e-12, label = label)
  expect_lt(relative_gap(predicted, twin_predict(network, x)), 1e-12, label = label)
  expect_lt(relative_gap(predicted, cbind(x, constant) %*% t(found)), 1e-12, label = label)
}

expect_same_tangent <- function(network, label) {
  wanted <- twin_tangent(network)
  found <- unname(tangent(network))
  expect_equal(dim(found), dim(wanted), label = label)
  # Columns are compared one by one, so that a small one must be as accurate as
  # a large one. Both sides have rounding error only, for which 1e-10 is ample.
  size <- apply(abs(wanted), 2L, max)
  expect_true(all(found[, size == 0] == 0), label = label)
  gap <- apply(abs(found - wanted), 2L, max)
  expect_lt(max(0, (gap / size)[size > 0]), 1e-10, label = label)
}

expect_same_differences <- function(network, label) {
  weights <- function(theta) effective_weights(set_coef(network, theta))
  wanted <- central_tangent(weights, network$coef)
  # Central differences with a step of 1e-5 have errors of about 1e-9.
  expect_lt(relative_gap(unname(tangent(network)), wanted), 1e-6, label = label)
}

test_that("weights and predictions equal the twin's in every named network", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_weights(networks[[name]], name)
})

test_that("weights and predictions equal the twin's in random networks", {
  for (seed in 1:120) expect_same_weights(random_network(seed), paste("seed", seed))
})

test_that("tangents equal the twin's in every named network", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_tangent(networks[[name]], name)
})

test_that("tangents equal the twin's in random networks", {
  for (seed in 1:120) expect_same_tangent(random_network(seed), paste("seed", seed))
})

test_that("tangents equal central differences of the effective weights", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_differences(networks[[name]], name)
  for (seed in 1:100) expect_same_differences(random_network(seed), paste("seed", seed))
})

test_that("weights and tangents equal the twin's for the package's starting weights", {
  for (seed in 1:20) {
    network <- random_network(seed) |> initialise(seed = seed)
    expect_same_weights(network, paste("seed", seed))
    expect_same_tangent(network, paste("seed", seed))
  }
})

test_that("rows of the tangent are output-fastest, columns in the order of theta", {
  net <- input_vector(2) |> layer_dense(2, bias = TRUE) |> set_coef(1:6)
  # y_o = sum_j w_oj x_j + b_o: each coefficient changes one entry of W.
  expect_equal(unname(tangent(net)), diag(6))
})

test_that("tangents are accurate for weights far below and above one", {
  for (size in c(1e-6, 1e6)) {
    net <- named_networks()$nested
    net <- set_coef(net, net$coef * size)
    expect_same_tangent(net, paste("size", size))
  }
})

test_that("a span with one more run than are processed together is complete", {
  # 256 runs are processed together. The span that the second filter reads has two of three rows in each of 257 columns,
  # one run per column.
  net <- input_grid(3, 258) |> layer_conv(1, c(2, 257)) |> layer_conv(1, c(1, 2)) |> with_test_coef(1)
  J <- tangent(net)
  for (k in c(1, 514, 515, 516)) { # W is linear in each filter
    own <- if (k <= 514) 1:514 else 515:516
    unit <- effective_weights(set_coef(net, replace(coef(net), own, as.numeric(own == k))))
    expect_near(unname(J[, k]), c(unit), 1e-14)
  }
})

test_that("outputs of a grid run channels first, then down the columns", {
  net <- input_grid(2, 2, channels = 2) |> layer_conv(2, 1, groups = 2) |> set_coef(c(2, 3))
  expect_equal(unname(effective_weights(net)), diag(rep(c(2, 3), 4)))
  expect_equal(c(predict(net, 1:8)), c(2, 6, 6, 12, 10, 18, 14, 24))
  expect_equal(colnames(effective_weights(net))[c(1, 2, 3, 5)], c("x[1,1,1]", "x[1,1,2]", "x[2,1,1]", "x[1,2,1]"))
})

test_that("predictions do not depend on the blocks of rows", {
  net <- input_sequence(6) |> layer_conv(2, 3, bias = TRUE) |> layer_dense(2) |> with_test_coef(1)
  x <- some_rows(net, 1100)
  expect_lt(relative_gap(matrix(predict(net, x), nrow(x)), twin_predict(net, x)), 1e-12)
  one <- some_rows(net, 1)
  expect_lt(relative_gap(c(predict(net, one)), c(twin_predict(net, one))), 1e-12)
})

test_that("a network that reads only padding has zero weights and a zero tangent", {
  # Both taps lie in the padding: 2 positions, dilation 4.
  net <- input_sequence(2) |> layer_conv(1, 2, dilation = 4, padding = "same") |> set_coef(c(1, 2))
  expect_equal(unname(effective_weights(net)), matrix(0, 2, 2))
  expect_equal(unname(tangent(net)), matrix(0, 4, 2))
})

# Runs with the same values one row further on are contracted as one convolution, four channels at a time; runs at equal
# distances as one product; all others one after another. The networks have more than four channels, and rows outside
# the runs.
test_that("all methods of contracting runs give the same tangent", {
  networks <- list(
    convolution = input_sequence(24) |> layer_conv(5, 2) |> layer_conv(6, 3, padding = "same") |> layer_dense(1),
    pooled = input_sequence(30) |> layer_conv(5, 1) |> layer_conv(5, 5, padding = "same") |> layer_pool(4) |>
      layer_dense(1),
    product = input_sequence(20) |> layer_conv(6, 4, stride = 4) |> layer_conv(5, 2) |> layer_dense(1),
    outputs = input_sequence(18, channels = 2) |> layer_conv(5, 3, padding = "same") |> layer_dense(3),
    groups = input_sequence(16, channels = 4) |> layer_conv(8, 3, groups = 2) |> layer_conv(5, 3) |> layer_dense(1)
  )
  for (name in names(networks)) {
    network <- initialise(networks[[name]], seed = 1)
    expect_near(unname(tangent(network)), unname(twin_tangent(network)), 1e-14, name)
  }
})
