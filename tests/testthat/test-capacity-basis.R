# Returns kappa(S) = tr((P_S (x) I_m) P) from the twin's projector.
twin_part <- function(network, Q, sigma = NULL) {
  J <- twin_tangent(network, network$coef)
  m <- nrow(twin_weights(network, network$coef))
  if (!is.null(sigma)) {
    e <- eigen(sigma, symmetric = TRUE)
    J <- kronecker(e$vectors %*% (sqrt(pmax(e$values, 0)) * t(e$vectors)), diag(m)) %*% J
  }
  norms <- sqrt(colSums(J^2))
  J <- sweep(J[, norms > 0, drop = FALSE], 2L, norms[norms > 0], "/")
  s <- svd(J)
  U <- s$u[, s$d > 1e-12 * s$d[[1L]], drop = FALSE]
  sum((t(kronecker(Q, diag(m))) %*% U)^2)
}

cases <- function() {
  list(
    channels = initialise(input_sequence(8, channels = 2) |> layer_conv(2, 2, stride = 2) |>
      layer_conv(1, 2, stride = 2) |> layer_dense(2), seed = 1),
    odd = initialise(input_sequence(7) |> layer_recurrent(2) |> layer_dense(1), seed = 2),
    dilated = initialise(arch_dilated(8, filters = 1), seed = 3)
  )
}

test_that("bases are orthonormal for any length", {
  for (n in c(1, 2, 5, 8, 9)) {
    Q <- fourier_basis(n)$Q
    expect_equal(crossprod(Q), diag(n), tolerance = 1e-12) # rounding error only
  }
  for (n in c(1, 2, 8, 16)) expect_equal(crossprod(haar_basis(n)$Q), diag(n), tolerance = 1e-12)
})

test_that("Fourier parts equal the twin's, sum to the total and are ordered by frequency", {
  for (net in cases()) {
    n <- net$input$shape[[3L]]
    k <- capacity(net, partition = partition_fourier())
    waves <- fourier_basis(n)
    expected <- vapply(split(seq_len(n), waves$cycles), function(columns) {
      twin_part(net, kronecker(waves$Q[, columns, drop = FALSE], diag(net$input$shape[[1L]])))
    }, 0)
    expect_equal(k$capacity, unname(expected), tolerance = 1e-8) # products of rounded bases
    expect_equal(sum(k$capacity), attr(k, "total"), tolerance = 1e-10)
    expect_equal(as.character(k$part)[1:2], c("0", format(1 / n, digits = 15)))
  }
  bands <- capacity(cases()$dilated, partition = partition_fourier(c(0, 0.2, 0.5)))
  fine <- capacity(cases()$dilated, partition = partition_fourier())
  expect_equal(as.character(bands$part), c("mean", "(0,0.2]", "(0.2,0.5]"))
  expect_equal(bands$capacity, c(fine$capacity[1], sum(fine$capacity[2]), sum(fine$capacity[3:5])),
    tolerance = 1e-10)
})

test_that("Haar parts equal the twin's, and a smooth filter has little capacity at fine scales", {
  net <- cases()$channels
  k <- capacity(net, partition = partition_haar())
  haar <- haar_basis(8)
  expected <- vapply(split(seq_len(8), haar$scale), function(columns) {
    twin_part(net, kronecker(haar$Q[, columns, drop = FALSE], diag(2)))
  }, 0)
  expect_equal(k$capacity, unname(expected), tolerance = 1e-8)
  expect_equal(as.character(k$part), c("mean", "2", "4", "8"))
  pooled <- set_coef(input_sequence(8) |> layer_pool(2) |> layer_dense(1), c(1, 2, 3, 4))
  expect_equal(capacity(pooled, partition = partition_haar())$capacity, c(1, 0, 2, 1), tolerance = 1e-12)
})

test_that("principal components require moments, and equal the twin's in both metrics", {
  task <- task_fgn(8, 0.8)
  trained <- fit(arch_dilated(8, filters = 1), task, seed = 1)
  V <- eigen(task$moments$sigma, symmetric = TRUE)$vectors
  for (metric in c("identity", "covariance")) {
    sigma <- if (metric == "covariance") task$moments$sigma
    k <- capacity(trained, metric, partition = partition_pca(2))
    expected <- c(
      twin_part(trained$network, V[, 1, drop = FALSE], sigma),
      twin_part(trained$network, V[, 2, drop = FALSE], sigma),
      twin_part(trained$network, V[, 3:8], sigma)
    )
    expect_equal(k$capacity, expected, tolerance = 1e-8)
    expect_equal(as.character(k$part), c("component 1", "component 2", "(rest)"))
  }
  net <- trained$network
  expect_equal(capacity(net, partition = partition_pca(8), data = task)$capacity,
    capacity(trained, partition = partition_pca(8))$capacity, tolerance = 1e-12)
  expect_error(capacity(net, partition = partition_pca(2)), class = "capalloc_error_value")
  expect_error(capacity(trained, partition = partition_pca(9)), class = "capalloc_error_value")
})

test_that("subspaces are orthonormalised, completed by a rest and checked", {
  net <- cases()$dilated
  skew <- cbind(diag(8)[, 7:8] %*% matrix(c(1, 1, 1, -2), 2), 0)
  k <- capacity(net, partition = partition_subspaces(list(new = skew, old = diag(8)[, 1:2])))
  by_input <- capacity(net)$capacity
  expect_equal(as.character(k$part), c("new", "old", "(rest)"))
  expect_equal(k$capacity, c(sum(by_input[7:8]), sum(by_input[1:2]), sum(by_input[3:6])),
    tolerance = 1e-10)
  whole <- capacity(net, partition = partition_subspaces(list(all = diag(8))))
  expect_equal(as.character(whole$part), "all")
  expect_snapshot({
    cat(bad(partition_subspaces(list(a = diag(4)[, 1:2], b = diag(4)[, 2:3])), "value"))
    cat(bad(partition_subspaces(list(diag(4))), "value"))
    cat(bad(partition_subspaces(list(a = matrix(0, 4, 1))), "value"))
    cat(bad(partition_subspaces(list(a = diag(4)[, 1], b = diag(5)[, 2])), "shape"))
    cat(bad(capacity(net, partition = partition_subspaces(list(a = diag(4)))), "shape"))
    cat(bad(capacity(cases()$odd, partition = partition_haar()), "shape"))
    cat(bad(partition_fourier(c(0, 0.7)), "value"))
    cat(bad(capacity(named_networks()$dense, partition = partition_fourier()), "shape"))
    cat(bad(capacity(small_grids()$plain, partition = partition_haar()), "shape"))
    cat(bad(partition_subspaces(list(`(rest)` = diag(4)[, 1:2])), "value"))
    cat(bad(partition_subspaces(list(`(Intercept)` = diag(4)[, 1:2])), "value"))
    cat(bad(partition_subspaces(list()), "type"))
    cat(bad(partition_subspaces(diag(4)), "type"))
    cat(bad(partition_subspaces(NULL), "type"))
    cat(bad(partition_subspaces(list(a = "x")), "type"))
    cat(bad(partition_subspaces(list(a = NULL)), "type"))
    cat(bad(partition_subspaces(list(a = c(1, NA))), "value"))
    cat(bad(partition_subspaces(list(a = diag(4)[, 1], a = diag(4)[, 2])), "value"))
    cat(bad(partition_fourier("a"), "type"))
    cat(bad(partition_fourier(c(0.2, 0.1)), "value"))
    cat(bad(partition_fourier(0.1), "value"))
    cat(bad(partition_fourier(c(-0.1, 0.1)), "value"))
    cat(bad(partition_fourier(c(0, NA)), "value"))
    cat(bad(partition_pca(0), "value"))
    cat(bad(partition_pca(1.5), "value"))
    cat(bad(partition_pca("a"), "value"))
    cat(bad(partition_pca(1:2), "value"))
  })
})

test_that("with a bias the constant is a separate part in every basis", {
  net <- initialise(input_sequence(4) |> layer_conv(1, 2, bias = TRUE) |> layer_dense(1, bias = TRUE), seed = 1)
  own <- capacity(net)$capacity[[5]]
  for (partition in list(partition_fourier(), partition_haar(), partition_subspaces(list(a = diag(4)[, 1:2])))) {
    for (block in c(1, 3, 100)) {
      k <- capacity(net, partition = partition, block = block)
      expect_equal(as.character(k$part[nrow(k)]), "(Intercept)")
      expect_equal(k$capacity[nrow(k)], own, tolerance = 1e-10)
      expect_equal(sum(k$capacity), attr(k, "total"), tolerance = 1e-10)
    }
  }
})

# The bases of the documentation, written independently: real waves of n points, and halved boxes.
twin_waves <- function(n) {
  t <- seq_len(n) - 1
  lapply(stats::setNames(nm = 0:(n %/% 2)), function(k) {
    waves <- cbind(cos(2 * pi * k * t / n), sin(2 * pi * k * t / n))
    waves[, colSums(waves^2) > 1e-8, drop = FALSE]
  })
}

twin_haar <- function(n) {
  scales <- 2^seq_len(log2(n))
  details <- lapply(scales, function(scale) {
    vapply(seq_len(n / scale), function(i) {
      at <- (i - 1) * scale + seq_len(scale)
      replace(numeric(n), at, rep(c(1, -1), each = scale / 2))
    }, numeric(n))
  })
  c(list(mean = matrix(1, n, 1)), stats::setNames(details, scales))
}

# The same basis for each channel.
in_channels <- function(Q, channels) kronecker(Q, diag(channels))

expect_subspaces <- function(network, partition, parts, label) {
  x <- some_moments(network)
  J <- unname(tangent(network))
  for (metric in c("identity", "covariance")) for (ridge in c(0, 0.1)) {
    space <- twin_column_space(network, ridge, sigma = if (metric == "covariance") x$sigma, J = J)
    wanted <- vapply(parts, function(Q) twin_subspace(space, without_constant(Q, network)), 0)
    if (twin_has_bias(network$layers)) wanted <- c(wanted, `(Intercept)` = space$total - sum(wanted))
    k <- capacity(network, metric, partition, ridge, data = x$rows)
    expect_identical(levels(k$part), names(wanted), label = label)
    expect_near(k$capacity, unname(wanted), if (metric == "identity") 1e-10 else 1e-8, label)
    expect_equal(sum(k$capacity), space$total, tolerance = 1e-9, label = label)
  }
}

test_that("Fourier, Haar and arbitrary subspaces equal the twin's, with channels, outputs and the constant", {
  networks <- c(
    named_networks()[c("conv_channels", "dense_on_sequence", "diagonal_bias", "nested", "conv_strided")],
    list(one = input_sequence(1, channels = 2) |> layer_dense(2, bias = TRUE) |> with_test_coef(1))
  )
  for (name in names(networks)) {
    network <- networks[[name]]
    channels <- network$input$shape[[1]]
    n <- network$input$shape[[3]]
    waves <- lapply(twin_waves(n), in_channels, channels)
    names(waves) <- vapply(as.numeric(names(waves)) / n, format, "", digits = 15)
    expect_subspaces(network, partition_fourier(), waves, name)
    if (log2(n) == round(log2(n))) {
      expect_subspaces(network, partition_haar(), lapply(twin_haar(n), in_channels, channels), name)
    }
    some <- withr::with_seed(n, qr.Q(qr(matrix(rnorm((n * channels)^2), n * channels))))
    # Columns that are not orthonormal, one of them redundant.
    a <- some[, 1, drop = FALSE] %*% cbind(2, -3)
    parts <- list(a = some[, 1, drop = FALSE], `b c` = some[, 2, drop = FALSE])
    if (ncol(some) > 2) parts$`(rest)` <- some[, -(1:2), drop = FALSE]
    expect_subspaces(network, partition_subspaces(list(a = a, `b c` = 5 * some[, 2])), parts, name)
  }
})

test_that("arbitrary subspaces of a grid and of a vector equal the twin's", {
  for (network in c(small_grids(), named_networks()[c("dense_bias", "dense_deep")])) {
    n <- prod(network$input$shape)
    smooth <- cbind(1, seq_len(n))
    parts <- list(smooth = smooth, `(rest)` = qr.Q(qr(smooth), complete = TRUE)[, -(1:2)])
    expect_subspaces(network, partition_subspaces(list(smooth = smooth)), parts, "grid")
    expect_subspaces(network, partition_subspaces(list(smooth = as.data.frame(smooth))), parts, "data frame")
  }
})

test_that("bands are half-open, the mean is separate, and frequencies in no band are the rest", {
  net <- named_networks()$pool # 9 positions: frequencies 0, 1/9, .., 4/9
  fine <- capacity(net, partition = partition_fourier())$capacity
  some <- capacity(net, partition = partition_fourier(c(1 / 9, 3 / 9)))
  expect_identical(levels(some$part), c("mean", "(0.111111111111111,0.333333333333333]", "(rest)"))
  expect_near(some$capacity, c(fine[[1]], sum(fine[3:4]), sum(fine[c(2, 5)])))
  whole <- capacity(net, partition = partition_fourier(c(0, 0.5)))
  expect_near(whole$capacity, c(fine[[1]], sum(fine[-1])))
})

test_that("principal components equal the twin's with channels, a constant and on a grid", {
  networks <- c(named_networks()[c("conv_channels", "diagonal_bias")], small_grids())
  for (network in networks) {
    n <- prod(network$input$shape)
    x <- some_moments(network)
    V <- svd(x$rows)$v
    for (k in c(1, 3, n)) {
      parts <- lapply(seq_len(k), function(i) V[, i, drop = FALSE])
      names(parts) <- paste("component", seq_len(k))
      if (k < n) parts$`(rest)` <- V[, -seq_len(k), drop = FALSE]
      space <- twin_column_space(network, J = unname(tangent(network)))
      wanted <- vapply(parts, function(Q) twin_subspace(space, without_constant(Q, network)), 0)
      found <- capacity(network, partition = partition_pca(k), data = x$rows)
      own <- found[as.character(found$part) != "(Intercept)", ]
      expect_identical(as.character(own$part), names(wanted))
      expect_near(own$capacity, unname(wanted), 1e-8) # depends on the gaps between eigenvalues of the moments
      expect_equal(sum(found$capacity), space$total, tolerance = 1e-9)
    }
  }
})

test_that("partitions by a basis print their kind", {
  expect_snapshot({
    partition_fourier()
    partition_haar()
    partition_pca(2)
    partition_subspaces(list(a = diag(4)[, 1]))
  })
})
