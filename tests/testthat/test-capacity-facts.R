# Facts that must hold for capacity, and capacity compared with the twin.

kappa <- function(network, ...) capacity(network, ...)$capacity
total <- function(network, ...) generics::glance(capacity(network, ...))$total

# The error of orthonormal bases is rounding error over the least singular
# value kept, relative to the largest, and kappa is quadratic in the bases.
close <- 1e-10
kappa_tolerance <- function(twin) {
  kept <- twin$values[max(1L, twin$rank)] / twin$values[[1L]]
  max(close, 1e-13 / kept, na.rm = TRUE)
}

some_data <- function(network) {
  n <- prod(network$input$shape)
  withr::with_seed(n, matrix(rnorm(3 * n * n), 3 * n) %*% matrix(rnorm(n * n), n) / sqrt(n))
}

# Returns uncentred second moments, with the constant where the network has a bias.
second_moments <- function(network, x) {
  if (twin_has_bias(network$layers)) x <- cbind(x, 1)
  crossprod(x) / nrow(x)
}

expect_capacity <- function(found, twin, label) {
  evidence <- generics::glance(found)
  expect_equal(evidence$total, twin$total, tolerance = close, label = label)
  expect_length(found$capacity, length(twin$kappa))
  expect_lt(max(abs(found$capacity - twin$kappa)), kappa_tolerance(twin), label = label)
}

# Returns TRUE where the rank of a network is decided.
is_clear <- function(twin) twin$rank_low == twin$rank_high

test_networks <- function(seeds) {
  random <- lapply(seeds, random_network)
  c(named_networks(), stats::setNames(random, paste("seed", seeds)))
}

test_that("capacity in the identity metric equals the twin's", {
  networks <- test_networks(1:60)
  clear <- 0
  for (name in names(networks)) {
    twin <- twin_network_capacity(networks[[name]])
    if (!is_clear(twin)) next
    clear <- clear + 1
    expect_capacity(capacity(networks[[name]]), twin, name)
  }
  expect_gt(clear, 0.95 * length(networks))
})

test_that("capacity in the covariance metric equals the twin's", {
  networks <- test_networks(101:140)
  clear <- 0
  for (name in names(networks)) {
    network <- networks[[name]]
    x <- some_data(network)
    twin <- twin_network_capacity(network, sigma = second_moments(network, x))
    if (!is_clear(twin)) next
    clear <- clear + 1
    expect_capacity(capacity(network, metric = "covariance", data = x), twin, name)
  }
  expect_gt(clear, 0.95 * length(networks))
})

test_that("a singular covariance lowers the rank", {
  net <- input_vector(4) |> layer_dense(2) |> with_test_coef(1)
  x <- matrix(rnorm(8), 2) # two rows: rank 2
  expect_equal(total(net, metric = "covariance", data = x), 4)
  expect_equal(total(net), 8)
})

test_that("soft capacity equals the twin's", {
  networks <- test_networks(201:220)
  for (name in names(networks)) for (ridge in c(1e-6, 0.01, 1)) {
    found <- capacity(networks[[name]], ridge = ridge)
    twin <- twin_network_capacity(networks[[name]], ridge = ridge)
    # Directions below the ridge have small weights, so no division by a small value occurs.
    expect_equal(found$capacity, twin$kappa, tolerance = 1e-8, label = name)
    expect_equal(generics::glance(found)$total, twin$total, tolerance = 1e-8, label = name)
  }
})

test_that("soft capacity increases to hard capacity as the ridge goes to zero", {
  net <- named_networks()$conv_wide_dilated
  soft <- vapply(c(1, 0.1, 0.01, 1e-12), function(ridge) total(net, ridge = ridge), 0)
  expect_true(all(diff(soft) > 0))
  expect_equal(soft[[4L]], total(net), tolerance = 1e-8)
})

test_that("capacity of selected layers is that of their columns", {
  for (name in c("nested", "dense_deep", "conv_wide_dilated", "recurrent_stack", "residual_deep")) {
    net <- named_networks()[[name]]
    owner <- sub("[.].*", "", names(coef(net)))
    for (layer in unique(owner)) {
      twin <- twin_network_capacity(net, keep = owner == layer)
      expect_capacity(capacity(net, layers = layer), twin, paste(name, layer))
    }
    two <- unique(owner)[1:2]
    twin <- twin_network_capacity(net, keep = owner %in% two)
    expect_capacity(capacity(net, layers = two), twin, paste(name, "two layers"))
    expect_equal(kappa(net, layers = unique(owner)), kappa(net), tolerance = close)
  }
})

test_that("selecting a layer that holds a block selects the layers of the block", {
  net <- named_networks()$residual_deep
  inside <- c("conv1", "conv2")
  expect_equal(kappa(net, layers = "residual1"), kappa(net, layers = inside), tolerance = close)
})

test_that("capacity does not depend on the blocks of rows", {
  # Tangents that are wide, tall, square, and tall of full rank: the triangle may or may not be truncated.
  for (name in c("conv_wide_dilated", "diagonal_bias", "dense_bias", "conv_sequence", "elman")) {
    net <- named_networks()[[name]]
    x <- some_data(net)
    for (block in c(1, 2, 5, 1000)) {
      expect_equal(kappa(net, block = block), kappa(net), tolerance = close)
      expect_equal(
        kappa(net, block = block, metric = "covariance", data = x),
        kappa(net, metric = "covariance", data = x),
        tolerance = close
      )
    }
  }
})

test_that("capacity is conserved and lies between zero and the number of outputs", {
  networks <- test_networks(301:360)
  for (name in names(networks)) {
    k <- suppressWarnings(capacity(networks[[name]]), classes = "capalloc_warning_rank_gap")
    m <- nrow(effective_weights(networks[[name]]))
    evidence <- generics::glance(k)
    # Singular values are as small as 1e-9 of the largest, which amplifies rounding error to 1e-7.
    expect_lt(abs(sum(k$capacity) - evidence$total), 1e-7, label = name)
    expect_equal(evidence$total, round(evidence$total), label = name)
    expect_lte(evidence$total, min(m * nrow(k), evidence$n_params), label = name)
    expect_true(all(k$capacity > -1e-7 & k$capacity < m + 1e-7), label = name)
    expect_equal(evidence$n_params, length(coef(networks[[name]])), label = name)
  }
})

test_that("the result has the place of each input, with the intercept last", {
  k <- capacity(named_networks()$conv_channels)
  expect_equal(names(k), c("input", "position", "lag", "channel", "capacity"))
  expect_equal(nrow(k), 13)
  expect_equal(k$input[c(1, 12, 13)], c("x[1,1]", "x[6,2]", "(Intercept)"))
  expect_equal(k$lag[c(1, 12, 13)], c(6, 1, NA))
  expect_true(is.na(k$position[[13L]]) && is.na(k$channel[[13L]]))
  evidence <- generics::glance(k)
  expect_true(all(c(
    "total", "n_params", "n_inputs", "tol", "gap", "rank_low", "rank_high", "metric", "ridge"
  ) %in% names(evidence)))
  expect_equal(evidence$metric, "identity")
  expect_equal(evidence$ridge, 0)
  # 10 max(m n, p) eps with 13 coordinates and 30 parameters.
  expect_equal(evidence$tol, 10 * 30 * .Machine$double.eps)
  expect_equal(generics::glance(capacity(named_networks()$dense, tol = 1e-3))$tol, 1e-3)
})

test_that("the tolerance determines the rank, and the evidence has the ranks around it", {
  net <- named_networks()$diagonal
  twin <- twin_network_capacity(net)
  # A tolerance between the third and the fourth singular value.
  tol <- sqrt(twin$values[[3L]] * twin$values[[4L]]) / twin$values[[1L]]
  twin <- twin_network_capacity(net, tol = tol)
  k <- suppressWarnings(capacity(net, tol = tol), classes = "capalloc_warning_rank_gap")
  evidence <- generics::glance(k)
  expect_equal(evidence$total, 3)
  expect_equal(k$capacity, twin$kappa, tolerance = close)
  expect_equal(c(evidence$rank_low, evidence$rank_high), c(twin$rank_low, twin$rank_high))
  loud <- twin$values[[5L]] / twin$values[[1L]]
  # A tolerance at a singular value: the ranks at ten times and a tenth of it differ.
  expect_warning(capacity(net, tol = loud), class = "capalloc_warning_rank_gap")
})

test_that("permuting channels does not change capacity", {
  net <- input_sequence(8) |> layer_conv(3, 2, bias = TRUE) |> layer_conv(2, 2, dilation = 2) |>
    layer_dense(1) |> with_test_coef(1)
  order <- c(3, 1, 2)
  theta <- coef(net)
  first <- array(theta[1:6], c(3, 1, 2))
  second <- array(theta[10:21], c(2, 3, 2))
  permuted <- set_coef(net, c(first[order, , ], theta[7:9][order], second[, order, ], theta[22:31]))
  expect_false(isTRUE(all.equal(coef(permuted), theta)))
  expect_equal(kappa(permuted), kappa(net), tolerance = close)
})

test_that("rescaling two consecutive layers inversely does not change capacity", {
  for (name in c("conv_dilated", "dense_deep", "conv_wide_dilated", "recurrent_stack")) {
    net <- named_networks()[[name]]
    owner <- sub("[.].*", "", names(coef(net)))
    state <- grepl("recurrent[", names(coef(net)), fixed = TRUE)
    # With 1e-9 the columns of one layer are below the rounding error of those of the other.
    for (by in c(1e-9, 1000)) {
      # A recurrence is scaled by its input weights; the scale of its recurrent matrix is not free.
      up <- owner == unique(owner)[[1L]] & !state
      down <- owner == unique(owner)[[2L]] & !state & !grepl("bias", names(coef(net)))
      scaled <- set_coef(net, coef(net) * ifelse(up, by, ifelse(down, 1 / by, 1)))
      expect_equal(effective_weights(scaled), effective_weights(net), tolerance = 1e-12)
      expect_equal(kappa(scaled), kappa(net), tolerance = close, label = paste(name, by))
    }
  }
})

test_that("splitting a hidden unit in two does not change capacity", {
  small <- input_vector(5) |> layer_dense(2) |> layer_dense(3) |> with_test_coef(1)
  v <- matrix(coef(small)[1:10], 2)
  u <- matrix(coef(small)[11:16], 3)
  split <- input_vector(5) |> layer_dense(3) |> layer_dense(3) |>
    set_coef(c(v[c(1, 2, 2), ], cbind(u[, 1], 0.3 * u[, 2], 0.7 * u[, 2])))
  expect_equal(effective_weights(split), effective_weights(small))
  expect_equal(kappa(split), kappa(small), tolerance = close)
  expect_equal(total(split), 2 * (3 + 5 - 2))
})

test_that("columns at rounding error of the largest column of their array do not count", {
  rounding <- 0.1 + 0.2 - 0.3
  # Two parallel filters, read out at two positions; the weights of the second are rounding error.
  one_layer <- input_sequence(4) |> layer_conv(2, 2, stride = 2) |> layer_dense(1) |>
    set_coef(c(1, 2, 3, 6, 1, rounding, 1, 0))
  expect_equal(total(one_layer), 3)
  # As a layer of its own, the second filter is not compared with the first.
  two_layers <- input_sequence(4) |>
    layer_parallel(
      \(x) layer_conv(x, 1, 2, stride = 2), \(x) layer_conv(x, 1, 2, stride = 2),
      merge = "concat"
    ) |>
    layer_dense(1) |> set_coef(c(1, 3, 2, 6, 1, rounding, 1, 0))
  expect_equal(total(two_layers), 4)
  expect_equal(kappa(two_layers), rep(1, 4), tolerance = close)
})

test_that("repeating a column does not change capacity", {
  # A duplicated unit with the same read-out duplicates every column.
  net <- input_vector(4) |> layer_dense(1) |> layer_dense(1) |> set_coef(c(1, -2, 3, 0.5, 2))
  twice <- input_vector(4) |> layer_dense(2) |> layer_dense(1) |>
    set_coef(c(rep(c(1, -2, 3, 0.5), each = 2), 1, 1))
  expect_equal(kappa(twice), kappa(net), tolerance = close)
})

test_that("untying a shared weight changes capacity", {
  tied <- input_sequence(4) |> layer_conv(1, 2, stride = 2) |> layer_dense(1) |>
    set_coef(c(1, 2, 3, -1))
  # The same weights as four channels of one position in two groups.
  free <- input_sequence(1, channels = 4) |> layer_conv(2, 1, groups = 2) |> layer_dense(1) |>
    set_coef(c(1, 1, 2, 2, 3, -1))
  expect_equal(unname(effective_weights(tied)), unname(effective_weights(free)))
  # A 2 x 2 matrix of rank one has 3 degrees of freedom, an unconstrained row 4.
  expect_equal(total(tied), 3)
  expect_equal(total(free), 4)
})

test_that("a free linear model has capacity 1 on every input that it uses", {
  expect_equal(kappa(input_vector(6) |> layer_dense(1) |> with_test_coef(1)), rep(1, 6))
  # lm() with an intercept, and with three responses.
  lm <- input_vector(4) |> layer_dense(1, bias = TRUE) |> with_test_coef(1)
  expect_equal(kappa(lm), rep(1, 5))
  expect_equal(kappa(input_vector(4) |> layer_dense(3) |> with_test_coef(1)), rep(3, 4))
  # AR(4) on ten values.
  ar <- input_sequence(10) |> layer_conv(1, 4) |> layer_last() |> with_test_coef(1)
  expect_equal(kappa(ar), rep(0:1, c(6, 4)))
})

test_that("the rank of a chain of filters is one more than the degree of their least common multiple", {
  chains <- list(
    none_shared = list(c(0.5, -2), 3, c(-0.3, 1.5)),
    one_shared = list(c(0.5, -2), 0.5, 3),
    multiple = list(c(2, 2), 2, c(2, -1)),
    old_taps_zero = list(c(0, 0.5), 0, -1),
    new_taps_zero = list(c(Inf, 2), c(Inf, -2)),
    all_the_same = list(3, 3, 3, 3),
    both_ends = list(c(0, Inf), c(0, 2), c(Inf, 2))
  )
  for (name in names(chains)) {
    filters <- lapply(chains[[name]], filter_with_roots)
    net <- input_sequence(1 + sum(lengths(chains[[name]])))
    for (taps in filters) net <- layer_conv(net, 1, length(taps))
    net <- set_coef(net, unlist(filters))
    expect_equal(total(net), 1 + twin_lcm_degree(chains[[name]]), label = name)
  }
  # Without a shared zero the capacity is 1 everywhere.
  plain <- lapply(chains$none_shared, filter_with_roots)
  net <- input_sequence(6) |> layer_conv(1, 3) |> layer_conv(1, 2) |> layer_conv(1, 3) |>
    set_coef(unlist(plain))
  expect_equal(kappa(net), rep(1, 6), tolerance = close)
})

test_that("a stack of dilated filters of two taps has the capacities of its closed form", {
  for (depth in 2:6) {
    taps <- withr::with_seed(depth, replicate(depth, rnorm(2), simplify = FALSE))
    net <- input_sequence(2^depth)
    for (l in seq_len(depth)) net <- layer_conv(net, 1, 2, dilation = 2^(l - 1))
    net <- set_coef(net, unlist(taps))
    expect_equal(total(net), depth + 1)
    # The values lie between the norms of the other filters, so none is small.
    expect_equal(kappa(net), twin_dilated_capacity(taps), tolerance = close)
  }
})

test_that("a matrix of low rank has capacity r (m + n - r), distributed by its row space", {
  for (size in list(c(3, 7, 2), c(2, 5, 1), c(4, 4, 3), c(3, 6, 3), c(5, 3, 2))) {
    m <- size[[1L]]
    n <- size[[2L]]
    r <- size[[3L]]
    net <- input_vector(n) |> layer_dense(r) |> layer_dense(m) |> with_test_coef(m)
    v <- matrix(coef(net)[seq_len(r * n)], r)
    along <- diag(t(v) %*% solve(v %*% t(v), v))
    expect_equal(total(net), r * (m + n - r))
    expect_equal(kappa(net), r + (m - r) * along, tolerance = close)
  }
})

test_that("a network can have more layers than parameters", {
  net <- input_sequence(6) |> layer_pool(1) |> layer_pool(1) |> layer_conv(1, 1) |> set_coef(2)
  # One parameter, which scales the identity.
  expect_equal(kappa(net), rep(1 / 6, 6))
  expect_equal(total(net, layers = "conv1"), 1)
})

test_that("a network that reads only padding has no capacity", {
  net <- input_sequence(2) |> layer_conv(1, 2, dilation = 4, padding = "same") |> set_coef(c(1, 2))
  expect_equal(total(net), 0)
  expect_equal(kappa(net), c(0, 0))
})

test_that("on a grid each input has a row and a column", {
  k <- capacity(named_networks()$grid_dense)
  expect_equal(names(k), c("input", "position", "lag", "channel", "row", "column", "capacity"))
  expect_equal(nrow(k), 13)
  expect_equal(k$input[c(1, 3, 12, 13)], c("x[1,1,1]", "x[2,1,1]", "x[2,3,2]", "(Intercept)"))
  expect_equal(k$row[c(1, 3, 12, 13)], c(1, 2, 2, NA))
  expect_equal(k$column[c(1, 3, 12, 13)], c(1, 1, 3, NA))
  # A free layer with two outputs.
  expect_equal(k$capacity, rep(2, 13))
})

test_that("a row filter and a column filter have the capacity of a rank-one image", {
  # W = a b': the tangent space is a y' + x b', of dimension h + w - 1.
  for (size in list(c(4, 3), c(2, 6), c(1, 5), c(3, 3))) {
    h <- size[[1L]]
    w <- size[[2L]]
    net <- input_grid(h, w) |> layer_conv(1, c(h, 1)) |> layer_conv(1, c(1, w)) |> with_test_coef(h)
    a <- coef(net)[seq_len(h)]^2 / sum(coef(net)[seq_len(h)]^2)
    b <- coef(net)[h + seq_len(w)]^2 / sum(coef(net)[h + seq_len(w)]^2)
    expect_equal(total(net), h + w - 1)
    expect_equal(kappa(net), c(outer(a, b, function(a, b) a + b - a * b)), ignore_attr = TRUE, tolerance = close)
  }
})

test_that("pooled inputs share one parameter, and upsampled inputs keep their own", {
  pooled <- input_grid(4, 6) |> layer_pool(c(2, 3)) |> layer_dense(1) |> with_test_coef(1)
  expect_equal(kappa(pooled), rep(1 / 6, 24))
  copied <- input_grid(2, 3) |> layer_upsample(2) |> layer_dense(1) |> with_test_coef(1)
  expect_equal(kappa(copied), rep(1, 6))
  # Dropped copies do not lower the capacity.
  short <- input_sequence(4) |> layer_upsample(3, size = 10) |> layer_dense(1) |> with_test_coef(1)
  expect_equal(kappa(short), rep(1, 4))
})

test_that("untying a convolution gives the local layer full capacity on the inputs of its taps", {
  tied <- input_grid(4, 4) |> layer_conv(1, 2, stride = 2) |> layer_dense(1) |> with_test_coef(1)
  free <- input_grid(4, 4) |> layer_local(1, 2, stride = 2) |> layer_dense(1) |> with_test_coef(1)
  # A kernel of four taps at four positions: a 4 x 4 matrix of rank one, or an unconstrained one.
  expect_equal(total(tied), 4 + 4 - 1)
  expect_equal(total(free), 16)
  expect_equal(kappa(free), rep(1, 16))
})
