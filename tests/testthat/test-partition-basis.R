# kappa(S) = tr((P_S (x) I_m) P), from the twin's projector.
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
    expect_equal(crossprod(Q), diag(n), tolerance = 1e-12) # rounding only
  }
  for (n in c(1, 2, 8, 16)) expect_equal(crossprod(haar_basis(n)$Q), diag(n), tolerance = 1e-12)
})

test_that("Fourier parts are the twin's, sum to the total and follow the frequency", {
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

test_that("Haar parts are the twin's; a smooth filter spends nothing on fine scales", {
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

test_that("principal components need moments, and are the twin's in both metrics", {
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

test_that("subspaces are spanned, completed by the rest and checked", {
  net <- cases()$dilated
  skew <- cbind(diag(8)[, 7:8] %*% matrix(c(1, 1, 1, -2), 2), 0)
  k <- capacity(net, partition = partition_subspaces(list(new = skew, old = diag(8)[, 1:2])))
  by_input <- capacity(net)$capacity
  expect_equal(as.character(k$part), c("new", "old", "(rest)"))
  expect_equal(k$capacity, c(sum(by_input[7:8]), sum(by_input[1:2]), sum(by_input[3:6])),
    tolerance = 1e-10)
  whole <- capacity(net, partition = partition_subspaces(list(all = diag(8))))
  expect_equal(as.character(whole$part), "all")
  expect_snapshot(error = TRUE, {
    partition_subspaces(list(a = diag(4)[, 1:2], b = diag(4)[, 2:3]))
    partition_subspaces(list(diag(4)))
    partition_subspaces(list(a = matrix(0, 4, 1)))
    partition_subspaces(list(a = diag(4)[, 1], b = diag(5)[, 2]))
    capacity(net, partition = partition_subspaces(list(a = diag(4))))
    capacity(cases()$odd, partition = partition_haar())
    partition_fourier(c(0, 0.7))
    capacity(initialise(input_vector(4) |> layer_dense(1), seed = 1), partition = partition_fourier())
  })
})

test_that("with a bias the constant is a part of its own in every basis", {
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
