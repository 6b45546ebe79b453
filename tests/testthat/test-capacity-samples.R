# Capacity of nonlinear networks, compared with the projector on the columns of the stacked derivatives in plain R.

# Returns a list: kappa, the rank with its evidence, and leverages (samples x outputs x
# coordinates). Ranks at a tolerance near rounding error require derivatives with only rounding
# error, so D is the package's own; test-tangent-samples.R compares it with the twin's.
sample_capacity <- function(network, x, ..., layers = NULL, sigma = NULL,
                            D = .Call(ffi_extended, lower_network(network), network$coef, x)) {
  array <- twin_theta_array(network)
  keep <- if (is.null(layers)) rep(TRUE, ncol(D)) else twin_theta_layer(network) %in% layers
  m <- nrow(D) / nrow(x) / (ncol(x) + 1)
  out <- twin_capacity(D[, keep, drop = FALSE], nrow(x) * m, sigma = sigma, constant = TRUE,
    array = array[keep], ...)
  out$each <- array(out$leverage, c(nrow(x), m, ncol(x) + 1))
  out
}

# Returns the uncentred moments of the rows, with the constant where `augmented`.
sample_sigma <- function(x, augmented) {
  n <- ncol(x)
  if (augmented) return(crossprod(cbind(x, 1)) / nrow(x))
  rbind(cbind(crossprod(x) / nrow(x), 0), c(numeric(n), 1))
}

homogeneous_networks <- c("relu_deep", "elman_relu", "leaky_steep", "grid_same_abs", "max_pool")

test_that("the capacity of every network is that of the stacked projector, in both metrics", {
  networks <- curved_networks()
  for (name in names(networks)) {
    net <- networks[[name]]
    x <- test_inputs(net, 50)
    twin <- sample_capacity(net, x)
    own <- suppressWarnings(capacity(net, data = x), classes = "capalloc_warning_rank_gap")
    expect_equal(own$capacity, twin$kappa, tolerance = 1e-8, label = name)
    expect_equal(attr(own, "total"), twin$rank, label = name)
    expect_equal(sum(own$capacity), twin$rank, tolerance = 1e-8, label = name)
    evidence <- generics::glance(own)
    expect_equal(c(evidence$rank_low, evidence$rank_high), c(twin$rank_low, twin$rank_high), label = name)
    expect_true(all(own$capacity >= 0))
    twin <- sample_capacity(net, x, sigma = sample_sigma(x, !name %in% homogeneous_networks))
    own <- suppressWarnings(capacity(net, data = x, metric = "covariance"), classes = "capalloc_warning_rank_gap")
    expect_equal(own$capacity, twin$kappa, tolerance = 1e-8, label = paste(name, "covariance"))
    expect_equal(attr(own, "total"), twin$rank, label = paste(name, "covariance"))
  }
})

test_that("capacity equals that from the twin's derivatives where these have full rank", {
  for (name in c("gelu", "tanh", "diagonal_tanh", "gru_sequence", "lstm", "conv_grouped_softplus", "sin_fast")) {
    net <- curved_networks()[[name]]
    x <- test_inputs(net, 50)
    # The twin's derivatives have errors of 1e-11: ranks are correct above that, capacities up to that over the gap.
    twin <- sample_capacity(net, x, tol = 1e-7, D = twin_extended(net, x))
    own <- capacity(net, data = x)
    expect_equal(attr(own, "total"), length(net$coef), label = name)
    expect_equal(twin$rank, length(net$coef), label = name)
    expect_equal(own$capacity, twin$kappa, tolerance = 1e-6, label = name)
  }
})

test_that("soft capacity and capacity of selected layers equal those of the projector", {
  for (name in c("tanh", "conv_tanh", "lstm", "grid_max", "recurrent_stack_curved", "parallel_curved")) {
    net <- curved_networks()[[name]]
    x <- test_inputs(net, 50)
    for (ridge in c(1e-6, 0.01, 1)) {
      twin <- sample_capacity(net, x, ridge = ridge)
      own <- capacity(net, data = x, ridge = ridge)
      expect_equal(own$capacity, twin$kappa, tolerance = 1e-8, label = name)
      expect_equal(attr(own, "total"), twin$total, tolerance = 1e-8, label = name)
    }
    with_theta <- which(vapply(walk_layers(net$layers), function(layer) length(layer$params) > 0, NA))
    for (layers in list(with_theta[[1L]], rev(with_theta)[[1L]])) {
      names <- summary(net)$layer[layers]
      twin <- sample_capacity(net, x, layers = layers)
      own <- suppressWarnings(capacity(net, data = x, layers = names), classes = "capalloc_warning_rank_gap")
      expect_equal(own$capacity, twin$kappa, tolerance = 1e-8, label = paste(name, names))
    }
  }
})

test_that("groups of samples are partial sums of capacity", {
  for (name in c("softplus", "grid_residual_curved", "gru", "max_overlapping")) {
    net <- curved_networks()[[name]]
    x <- test_inputs(net, 23)
    whole <- capacity(net, data = x)
    each <- capacity(net, data = x, by = "sample")
    n <- ncol(x) + 1
    expect_equal(nrow(each), 23 * n)
    expect_equal(names(each)[[1L]], "group")
    expect_identical(levels(each$group), as.character(1:23))
    expect_equal(attr(each, "total"), attr(whole, "total"))
    expect_equal(each$input, rep(whole$input, 23))
    twin <- sample_capacity(net, x)
    expect_equal(matrix(each$capacity, n), t(apply(twin$each, c(1, 3), sum)), tolerance = 1e-8, label = name)
    expect_equal(rowSums(matrix(each$capacity, n)), whole$capacity, tolerance = 1e-10)
    by <- rep(c("b", "a", "c", "a"), length.out = 23)
    grouped <- capacity(net, data = x, by = by)
    for (g in c("a", "b", "c")) {
      expect_equal(grouped$capacity[grouped$group == g], rowSums(matrix(each$capacity, n)[, by == g]),
        tolerance = 1e-10)
    }
    expect_equal(levels(grouped$group), c("a", "b", "c"))
    # A factor keeps its order, and levels without samples are omitted.
    ordered <- capacity(net, data = x, by = factor(by, levels = c("z", "c", "b", "a")))
    expect_equal(levels(ordered$group), c("c", "b", "a"))
    expect_equal(ordered$capacity[ordered$group == "a"], grouped$capacity[grouped$group == "a"])
    # A single group has the capacity of all samples.
    one <- capacity(net, data = x, by = rep(TRUE, 23))
    expect_equal(one$capacity, whole$capacity)
    expect_equal(levels(one$group), "TRUE")
  }
})

test_that("groups and partitions can be combined", {
  net <- curved_networks()$parallel_curved
  x <- test_inputs(net, 20)
  by <- rep(1:2, each = 10)
  parts <- capacity(net, data = x, partition = partition_octaves(), by = by)
  expect_equal(names(parts), c("group", "part", "capacity"))
  whole <- capacity(net, data = x, partition = partition_octaves())
  expect_equal(parts$capacity[1:5] + parts$capacity[6:10], whole$capacity, tolerance = 1e-10)
  expect_equal(levels(parts$part), levels(whole$part))
  expect_equal(parts$part, rep(whole$part, 2))
  first <- capacity(net, data = x, by = by)
  expect_equal(parts$capacity[[5L]], first$capacity[[7L]], tolerance = 1e-10)
})

test_that("capacity does not depend on the blocks of samples", {
  for (name in c("tanh", "conv_tanh", "gru_sequence", "max_pool")) {
    net <- curved_networks()[[name]]
    x <- test_inputs(net, 31)
    for (metric in c("identity", "covariance")) {
      ask <- function(block, ...) capacity(net, data = x, metric = metric, block = block, ...)
      whole <- suppressWarnings(ask(NULL), classes = "capalloc_warning_rank_gap")
      for (block in c(1, 2, 7, 30, 31, 32, 1000)) {
        own <- suppressWarnings(ask(block), classes = "capalloc_warning_rank_gap")
        expect_equal(own$capacity, whole$capacity, tolerance = 1e-10, label = paste(name, block))
        expect_equal(attr(own, "total"), attr(whole, "total"))
      }
      each <- suppressWarnings(ask(NULL, by = "sample"), classes = "capalloc_warning_rank_gap")
      expect_equal(suppressWarnings(ask(4, by = "sample"), classes = "capalloc_warning_rank_gap")$capacity,
        each$capacity, tolerance = 1e-8)
      parts <- suppressWarnings(ask(NULL, partition = partition_pca(1)), classes = "capalloc_warning_rank_gap")
      expect_equal(suppressWarnings(ask(3, partition = partition_pca(1)),
        classes = "capalloc_warning_rank_gap")$capacity,
        parts$capacity, tolerance = 1e-8)
    }
  }
})

# Capacity of a subspace: the trace of the projector restricted to it.
test_that("parts of a partition are traces of the projector, and sum to the total", {
  net <- input_sequence(8) |> layer_conv(2, 3, bias = TRUE) |> layer_activation("tanh") |>
    layer_recurrent(2, "gru") |> layer_dense(2, bias = TRUE) |> with_test_coef(11)
  x <- test_inputs(net, 50)
  expect_no_warning(whole <- capacity(net, data = x))
  partitions <- list(partition_octaves(), partition_regions(c(0, 3, 8)), partition_positions(), partition_channels(),
    partition_outputs(), partition_fourier(), partition_haar(), partition_pca(3),
    partition_subspaces(list(mean = rep(1, 8), step = rep(c(1, -1), each = 4))))
  for (partition in partitions) for (metric in c("identity", "covariance")) {
    cut <- capacity(net, data = x, partition = partition, metric = metric)
    expect_equal(sum(cut$capacity), attr(whole, "total"), tolerance = 1e-8, label = partition$kind)
    expect_equal(as.character(cut$part[nrow(cut)]), "(Intercept)")
    intercept <- capacity(net, data = x, metric = metric)$capacity[[9L]]
    expect_equal(cut$capacity[[nrow(cut)]], intercept, tolerance = 1e-8)
  }
  regions <- capacity(net, data = x, partition = partition_regions(c(0, 3, 8)))$capacity
  expect_equal(regions[1:2], c(sum(whole$capacity[1:3]), sum(whole$capacity[4:8])), tolerance = 1e-10)
  outputs <- capacity(net, data = x, partition = partition_outputs())
  twin <- sample_capacity(net, x)
  expect_equal(outputs$capacity, c(apply(twin$each[, , 1:8], 2, sum), sum(twin$each[, , 9])), tolerance = 1e-8)
  expect_equal(levels(outputs$part), c("y[1]", "y[2]", "(Intercept)"))
  # The trace on v v' with v the mean over positions: P in a basis rotated by hand.
  turn <- qr.Q(qr(cbind(rep(1, 8), diag(8)[, -1])))
  turned <- kronecker(rbind(cbind(t(turn), 0), c(numeric(8), 1)), diag(100))
  D <- .Call(ffi_extended, lower_network(net), net$coef, x)
  s <- svd(twin_unit_columns(D, twin_theta_array(net)))
  u <- turned %*% s$u[, s$d > 1e-10 * s$d[[1L]]]
  subspaces <- capacity(net, data = x, partition = partition_subspaces(list(mean = rep(1, 8))))
  expect_equal(subspaces$capacity[[1L]], sum(u[1:100, ]^2), tolerance = 1e-8)
})

test_that("the capacity of one input can exceed the number of outputs", {
  net <- input_vector(2) |> layer_dense(6) |> layer_activation("relu") |> layer_dense(1) |> with_test_coef(2)
  own <- capacity(net, data = test_inputs(net, 100))
  expect_gt(max(own$capacity), 1.5)
  # A homogeneous network has one redundant scale for each hidden unit.
  expect_equal(attr(own, "total"), 18 - 6)
  expect_equal(own$capacity[[3L]], 0, tolerance = 1e-20)
})

test_that("at few samples capacity is at most the number of derivatives, and dead networks have none", {
  net <- input_vector(2) |> layer_dense(4, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1) |>
    with_test_coef(1)
  # One sample has three rows of D.
  expect_warning(single <- capacity(net, data = c(1, 2)), class = "capalloc_warning_rows_exhausted")
  expect_equal(attr(single, "total"), 3)
  expect_equal(single$capacity, rep(1, 3), tolerance = 1e-10)
  twice <- capacity(net, data = rbind(c(1, 2), c(1, 2)), by = "sample")
  expect_equal(twice$capacity, rep(0.5, 6), tolerance = 1e-10)
  dead <- input_vector(2) |> layer_dense(3, bias = TRUE) |> layer_activation("relu") |> layer_dense(1) |>
    set_coef(c(1:6, rep(-100, 3), 1:3))
  expect_warning(none <- capacity(dead, data = test_inputs(dead, 10)), class = "capalloc_warning_constant")
  expect_equal(none$capacity, numeric(3))
  expect_equal(attr(none, "total"), 0)
  each <- suppressWarnings(capacity(dead, data = test_inputs(dead, 10), by = "sample"), "capalloc_warning_constant")
  expect_equal(each$capacity, numeric(30))
  bare <- input_vector(2) |> layer_activation("relu") |> set_coef(numeric())
  expect_equal(capacity(bare, data = test_inputs(bare, 5))$capacity, numeric(3))
})

# Returns the same function as a network that is treated as nonlinear.
as_curved <- function(network) {
  last <- layer_activation(new_network(network$input, network$layers), "leaky_relu", 1)
  set_coef(last, network$coef)
}

test_that("for a linear network capacity at samples is the linear capacity, for any data and number of samples", {
  networks <- c(named_networks(), lapply(1:40, random_network))
  for (i in seq_along(networks)) {
    net <- networks[[i]]
    linear <- suppressWarnings(capacity(net), classes = "capalloc_warning_rank_gap")
    n <- nrow(linear)
    for (n_samples in if (i %% 2 == 0) 1 else c(1, 5)) {
      x <- test_inputs(net, n_samples, seed = i)
      # At one sample an unconstrained network can fit every dependency.
      own <- suppressWarnings(capacity(as_curved(net), data = x),
        classes = c("capalloc_warning_rank_gap", "capalloc_warning_rows_exhausted"))
      expect_equal(own$capacity[seq_len(n)], linear$capacity, tolerance = 1e-8, label = i)
      expect_equal(attr(own, "total"), attr(linear, "total"), label = i)
      # The constant is included; without a bias it has no capacity.
      expect_equal(sum(own$capacity), sum(linear$capacity), tolerance = 1e-8)
    }
  }
})

test_that("for a linear network they are equal also in the covariance metric, with a ridge and over parts", {
  for (name in c("dense_bias", "conv_channels", "nested", "elman", "grid_parallel_concat", "local_same")) {
    net <- named_networks()[[name]]
    x <- test_inputs(net, 30) %*% diag(seq(0.5, 2, length.out = prod(net$input$shape))) + 0.3
    both <- function(...) {
      # data have no effect on a linear network in the identity metric
      expected <- c("capalloc_warning_rank_gap", "capalloc_warning_unused")
      linear <- suppressWarnings(capacity(net, data = x, ...), classes = expected)
      own <- suppressWarnings(capacity(as_curved(net), data = x, ...), classes = "capalloc_warning_rank_gap")
      expect_equal(own$capacity[seq_len(nrow(linear))], linear$capacity, tolerance = 1e-8, label = name)
      expect_equal(attr(own, "total"), attr(linear, "total"), tolerance = 1e-8, label = name)
    }
    both(metric = "covariance")
    both(ridge = 0.1)
    both(metric = "covariance", ridge = 0.01)
    both(partition = partition_outputs())
    both(partition = partition_pca(2), metric = "covariance")
  }
})

test_that("the extended tangent of linear operations is exact", {
  for (seed in 1:12) {
    net <- random_network(seed)
    x <- test_inputs(net, 3, seed)
    graph <- lower_network(net)
    layer <- twin_theta_layer(net)
    about <- list(array = match(layer, unique(layer)), x = x, rows = NULL, tol = 1e-12, ridge = 0, decay = 0,
      block = 2, columns = 3, parameters = TRUE)
    core <- .Call(ffi_capacity, graph, net$coef, about, list(turned = NULL, group = NULL))
    linear <- twin_network_capacity(net, tol = 1e-12)
    m <- prod(shape_of(net))
    kappa <- colSums(matrix(core$answer, m))[seq_along(linear$kappa)]
    expect_equal(kappa, linear$kappa, tolerance = 1e-8)
    expect_equal(core$rank, linear$rank)
  }
})

test_that("the metric includes the constant where the network has a bias or is not homogeneous", {
  net <- input_sequence(4) |> layer_conv(2, 2, bias = TRUE) |> layer_activation("relu") |> layer_dense(1) |>
    with_test_coef(1)
  free <- input_vector(2) |> layer_dense(3) |> layer_activation("sigmoid") |> layer_dense(1) |> with_test_coef(2)
  for (network in list(net, free)) {
    x <- test_inputs(network, 40) + 1
    expect_equal(capacity(network, data = x, metric = "covariance")$capacity,
      sample_capacity(network, x, sigma = sample_sigma(x, TRUE))$kappa, tolerance = 1e-8)
    apart <- sample_capacity(network, x, sigma = sample_sigma(x, FALSE))$kappa
    expect_gt(max(abs(apart - capacity(network, data = x, metric = "covariance")$capacity)), 1e-3)
  }
})

test_that("a singular metric gives the rank of the product", {
  net <- input_vector(3) |> layer_dense(4, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1) |>
    with_test_coef(3)
  x <- test_inputs(net, 40)
  x[, 3] <- x[, 1] - x[, 2]
  twin <- sample_capacity(net, x, sigma = sample_sigma(x, TRUE))
  own <- suppressWarnings(capacity(net, data = x, metric = "covariance"), classes = "capalloc_warning_rank_gap")
  expect_equal(attr(own, "total"), twin$rank)
  expect_equal(own$capacity, twin$kappa, tolerance = 1e-8)
})

test_that("one hidden layer of gates has the closed form in the limit of many samples", {
  withr::local_seed(5)
  n <- 4
  h <- 3
  root <- matrix(rnorm(n * n), n) / 2 + diag(n)
  sigma <- crossprod(root)
  W <- matrix(rnorm(h * n), h)
  net <- input_vector(n) |> layer_dense(h) |> layer_activation("relu") |> layer_dense(1) |> set_coef(c(W, rnorm(h)))
  u <- W %*% sigma %*% t(W)
  rho <- pmin(pmax(cov2cor(u), -1), 1)
  gamma <- 1 / 4 + asin(rho) / (2 * pi)
  M <- lapply(seq_len(n), function(j) gamma * tcrossprod(W[, j]))
  inverse <- solve(Reduce(`+`, M))
  expected <- vapply(M, function(Mj) sum(diag(inverse %*% Mj)), 0)
  draws <- vapply(1:8, function(i) {
    capacity(net, data = matrix(rnorm(2500 * n), ncol = n) %*% root, layers = "dense2")$capacity
  }, numeric(n + 1))
  # The error with 20000 samples is that of the mean of eight draws of 2500.
  x <- matrix(rnorm(20000 * n), ncol = n) %*% root
  own <- capacity(net, data = x, layers = "dense2")
  standard_error <- apply(draws, 1L, sd)[seq_len(n)] / sqrt(8)
  expect_lt(max(standard_error), 0.01)
  expect_lt(max(abs(own$capacity[seq_len(n)] - expected) / standard_error), 5)
  expect_equal(own$capacity[[n + 1]], 0)
  expect_equal(sum(expected), h)
  expect_equal(attr(own, "total"), h)
})

test_that("row sums of a table are the capacities, and its sum is the total", {
  for (name in c("deep", "conv_tanh", "lstm", "residual_curved", "grid_max", "max_pool")) {
    net <- curved_networks()[[name]]
    x <- test_inputs(net, 40)
    for (metric in c("identity", "covariance")) for (ridge in c(0, 0.01)) {
      ask <- function(f, ...) {
        suppressWarnings(f(net, data = x, metric = metric, ridge = ridge, ...), classes = "capalloc_warning_rank_gap")
      }
      own <- ask(capacity)
      table <- ask(capacity_table)
      T <- as.matrix(table)
      expect_equal(unname(rowSums(T)), own$capacity, tolerance = 1e-7, label = name)
      expect_equal(sum(T), attr(own, "total"), tolerance = 1e-8, label = name)
      expect_equal(attr(table, "total"), attr(own, "total"), tolerance = 1e-8)
      expect_equal(rownames(T), own$input)
      for (block in c(1, 7)) {
        expect_equal(ask(capacity_table, block = block)$capacity, table$capacity, tolerance = 1e-7,
          label = paste(name, block))
      }
    }
  }
})

test_that("entries of a table are those of the pseudo-inverse", {
  net <- curved_networks()$tanh
  x <- test_inputs(net, 30)
  D <- twin_unit_columns(.Call(ffi_extended, lower_network(net), net$coef, x), twin_theta_array(net))
  s <- svd(D)
  for (ridge in c(0, 0.05)) {
    expect_true(min(s$d) > 1e-6)
    weight <- s$d / (s$d^2 + ridge * s$d[[1L]]^2)
    inverse <- s$u %*% (weight * t(s$v))
    T <- rowsum(D * inverse, rep(1:4, each = 60))
    table <- capacity_table(net, data = x, groups = "parameter", ridge = ridge)
    # Rounding error over the least singular value.
    expect_equal(unname(as.matrix(table)), unname(T), tolerance = 1e-8)
    layers <- as.matrix(capacity_table(net, data = x, ridge = ridge))
    expect_equal(unname(layers), unname(t(rowsum(t(T), twin_theta_layer(net)))), tolerance = 1e-8)
    # Column sums: the effective capacity of each layer.
    expect_equal(unname(colSums(layers)), c(sum((D * inverse)[, 1:12]), sum((D * inverse)[, 13:20])), tolerance = 1e-8)
  }
})

test_that("for a fit or a task of data the samples are its rows", {
  task <- task_data(cbind(a = sin(1:40), b = cos(1:40)), sin(1:40) * cos(1:40), test = 0)
  net <- input_vector(2) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1) |>
    with_test_coef(1)
  expect_equal(capacity(net, data = task)$capacity, capacity(net, data = task$data$x)$capacity)
  expect_equal(capacity(net, data = as.data.frame(task$data$x)), capacity(net, data = task$data$x))
})

test_that("rows can be given in any form, and print shows their number", {
  net <- curved_networks()$lstm
  x <- test_inputs(net, 12)
  own <- capacity(net, data = x)
  expect_s3_class(own, c("ca_capacity", "ca_frame", "data.frame"), exact = TRUE)
  expect_equal(own$input, c("x[1]", "x[2]", "x[3]", "x[4]", "(Intercept)"))
  expect_equal(own$lag, c(4:1, NA))
  expect_equal(capacity(net, data = ts(x)), own)
  expect_equal(attr(own, "n_samples"), 12)
  expect_output(print(own), "<capacity>")
  expect_output(print(summary(own)), "octave")
  expect_output(print(capacity(net, data = x, by = "sample")), "group")
  expect_s3_class(generics::tidy(own), "data.frame")
})

test_that("a nonlinear network without data is an error that explains what to give", {
  net <- input_sequence(3) |> layer_conv(2, 2) |> layer_activation("tanh") |> layer_dense(1) |> with_test_coef(1)
  linear <- input_vector(2) |> layer_dense(1) |> set_coef(1:2)
  x <- test_inputs(net, 4)
  hole <- replace(x, 6, NA)
  named <- `colnames<-`(hole, c("a", "b", "c"))
  for (f in list(capacity, capacity_table)) {
    expect_error(f(net), class = "capalloc_error_no_data")
    expect_error(f(net, data = task_fgn(3, 0.7)), class = "capalloc_error_type")
    expect_error(f(net, data = task_fgn(4, 0.7)), class = "capalloc_error")
    expect_error(f(net, data = hole), class = "capalloc_error_value")
    expect_error(f(net, data = matrix(1, 0, 3)), class = "capalloc_error_shape")
    expect_error(f(net, data = x, layers = "activation1"), class = "capalloc_error_value")
    for (data in list("x", list(1, 2), TRUE, quote(x), mean, factor(1:3), matrix("1", 2, 3))) {
      expect_error(f(net, data = data), class = "capalloc_error_type")
    }
  }
  for (by in list(1:3, 1:5, c(1, NA, 2, 3), "samples", list(1, 2, 3, 4), mean, NA, character())) {
    expect_error(capacity(net, data = x, by = by), class = "capalloc_error_value")
  }
  expect_snapshot({
    writeLines(bad(capacity(net), "no_data"))
    writeLines(bad(capacity_table(net), "no_data"))
    writeLines(bad(capacity(net, data = task_fgn(3, 0.7)), "type"))
    writeLines(bad(capacity(net, data = x[, 1:2]), "shape"))
    writeLines(bad(capacity(net, data = 1:4), "shape"))
    writeLines(bad(capacity(net, data = hole), "value"))
    writeLines(bad(capacity(net, data = named), "value"))
    writeLines(bad(capacity(net, data = replace(x, 2, -Inf)), "value"))
    writeLines(bad(capacity(net, data = data.frame(a = 1, b = "2", c = 3)), "type"))
    writeLines(bad(capacity(net, data = x[0, ]), "shape"))
    writeLines(bad(capacity(net, data = x, by = 1:3), "value"))
    writeLines(bad(capacity(net, data = x, by = c("a", NA, "b", "b")), "value"))
    writeLines(bad(capacity(net, data = x, by = list(1, 2, 3, 4)), "value"))
    writeLines(bad(capacity(net, data = x, by = "samples"), "value"))
    writeLines(bad(capacity(linear, by = "sample"), "value"))
    writeLines(bad(capacity(net, data = x, layers = "activation1"), "value"))
    writeLines(bad(capacity(net, data = x, block = 0), "value"))
    writeLines(bad(capacity(layer_dense(net, 1), data = x), "no_coefficients"))
  })
})

test_that("functions for linear networks only raise errors that name alternatives", {
  for (net in curved_networks()[c("relu", "lstm", "max_first")]) {
    x <- test_inputs(net, 4)
    expect_error(effective_weights(net), class = "capalloc_error_nonlinear")
    expect_error(tangent(net), class = "capalloc_error_nonlinear")
  }
  net <- curved_networks()$relu
  expect_snapshot({
    writeLines(bad(effective_weights(net), "nonlinear"))
    writeLines(bad(tangent(net), "nonlinear"))
    writeLines(bad(capacity_kernel(net), "no_data"))
  })
})

test_that("overflow of values or derivatives is a classed error", {
  explode <- list(
    input_sequence(50) |> layer_recurrent(2, activation = "relu") |> layer_dense(1) |>
      set_coef(c(1, 1, rep(1e10, 4), 1, 1)),
    input_vector(2) |> layer_dense(2) |> layer_activation("abs") |> layer_dense(1) |> set_coef(rep(1e300, 6)),
    input_sequence(2) |> layer_pool(2, type = "max") |> layer_dense(1) |> layer_dense(1) |> set_coef(c(1e300, 1e300)),
    # Inf - Inf is NaN, which relu must not treat as negative.
    input_vector(2) |> layer_dense(1) |> layer_dense(2) |> layer_dense(1) |> layer_activation("relu") |>
      layer_dense(1) |> set_coef(c(1e300, 1e300, 1, -1, 1, 1, 1))
  )
  for (net in explode) {
    x <- matrix(1e10, 2, prod(net$input$shape))
    expect_error(capacity(net, data = x), class = "capalloc_error_nonfinite")
    expect_error(capacity(net, data = x, metric = "covariance"), class = "capalloc_error_nonfinite")
    expect_error(capacity_table(net, data = x), class = "capalloc_error_nonfinite")
  }
})
