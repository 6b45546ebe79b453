# Twins of the results that depend on the column space of a tangent: one full SVD, explicit projectors.

# Returns a list: J with unit columns after the metric, its SVD, the weight of each direction, and P (m n x m n).
twin_column_space <- function(network, ridge = 0, keep = TRUE, sigma = NULL, J = twin_tangent(network)) {
  array <- twin_theta_array(network)
  keep <- rep_len(keep, length(array))
  m <- prod(shape_of(network))
  J <- J[, keep, drop = FALSE]
  if (!is.null(sigma)) J <- kronecker(twin_root(sigma, twin_has_bias(network$layers)), diag(m)) %*% J
  J <- twin_unit_columns(J, array[keep])
  s <- svd(J)
  floor <- 10 * max(dim(J)) * .Machine$double.eps * max(s$d, 0)
  weight <- if (ridge > 0) s$d^2 / (s$d^2 + ridge * s$d[[1L]]^2) else as.numeric(s$d > floor)
  weight[!is.finite(weight)] <- 0
  list(J = J, s = s, weight = weight, m = m, P = s$u %*% (weight * t(s$u)), total = sum(weight))
}

# Returns K_ij = sum over o of P_(o,i),(o,j), entry by entry.
twin_kernel <- function(space) {
  m <- space$m
  n <- nrow(space$P) / m
  outer(seq_len(n), seq_len(n), Vectorize(function(i, j) {
    sum(vapply(seq_len(m), function(o) space$P[o + m * (i - 1), o + m * (j - 1)], 0))
  }))
}

# Returns T_(row,k) = J_(row,k) (J^+)_(k,row), summed over outputs (inputs x parameters). With a ridge J^+ is
# (J'J + lambda s_1^2 I)^-1 J', here by solve().
twin_table <- function(space, ridge = 0) {
  J <- space$J
  inverse <- if (ridge > 0) {
    solve(crossprod(J) + ridge * space$s$d[[1L]]^2 * diag(ncol(J)), t(J))
  } else {
    counts <- space$weight > 0
    space$s$v[, counts, drop = FALSE] %*% (t(space$s$u[, counts, drop = FALSE]) / space$s$d[counts])
  }
  rowsum(J * t(inverse), rep(seq_len(nrow(J) / space$m), each = space$m), reorder = FALSE)
}

# Returns kappa(S) = tr((P_S (x) I_m) P) of the subspace spanned by the columns of Q, which need not be orthonormal.
twin_subspace <- function(space, Q) {
  P_S <- Q %*% solve(crossprod(Q), t(Q))
  sum(diag(kronecker(P_S, diag(space$m)) %*% space$P))
}

# Returns a basis of the coordinates `at` of n.
unit_vectors <- function(at, n) diag(n)[, at, drop = FALSE]

# Returns Q with a zero row for the constant, which belongs to no subspace.
without_constant <- function(Q, network) if (twin_has_bias(network$layers)) rbind(Q, 0) else Q

# Returns the largest singular value over the least that counts: both sides lose this factor in accuracy.
twin_condition <- function(space) space$s$d[[1L]] / min(space$s$d[space$weight > 0])

# Returns second moments of rows with nonzero means, with the constant where the network has a bias.
some_moments <- function(network, seed = 1) {
  n <- prod(network$input$shape)
  rows <- withr::with_seed(seed, matrix(rnorm(3 * n * n), 3 * n) %*% matrix(rnorm(n * n), n) + 1)
  constant <- if (twin_has_bias(network$layers)) 1
  list(rows = rows, sigma = crossprod(cbind(rows, constant)) / nrow(rows))
}

# Grids in several combinations; test-capacity-tangent.R compares their tangents with the twin.
small_grids <- function() {
  networks <- list(
    plain = input_grid(4, 5) |> layer_conv(2, 2) |> layer_dense(1),
    channels = input_grid(3, 4, channels = 2) |> layer_conv(2, c(2, 3), bias = TRUE) |> layer_dense(2),
    pooled = input_grid(4, 4) |> layer_pool(2) |> layer_dense(2, bias = TRUE),
    # the inputs of the first block include those of the second
    nested = input_grid(4, 5) |>
      layer_parallel(\(x) layer_conv(x, 1, 3, padding = "same"), \(x) layer_conv(x, 1, 1)) |> layer_dense(1)
  )
  Map(with_test_coef, networks, seq_along(networks))
}

# Ill-conditioned networks: s_1 / s_r far above 1e3, but not near the tolerance.
steep_networks <- function() {
  apart <- function(d) set_coef(input_sequence(3) |> layer_conv(1, 2) |> layer_conv(1, 2), c(1, -1, 1, -1 - d))
  list(
    filters3 = apart(1e-3), filters4 = apart(1e-4), filters5 = apart(1e-5),
    channels = set_coef(input_sequence(6) |> layer_conv(2, 3) |> layer_dense(2),
      c(1, 1, 2, 2.0001, 3, 3, sin(1:16)))
  )
}

expect_near <- function(found, wanted, tolerance = 1e-10, label = NULL) {
  expect_equal(dim(found), dim(wanted), label = label)
  expect_lte(max(abs(c(found) - c(wanted)), 0), tolerance, label = label)
}

# Returns a task: predict the mean of a smooth field over its newest corner from observations with noise.
grid_task <- function(height, width, channels = 1) {
  n <- height * width * channels
  at <- expand.grid(channel = seq_len(channels), row = seq_len(height), column = seq_len(width))
  sigma <- exp(-as.matrix(stats::dist(at)) / 2)
  weights <- as.numeric(at$row > height / 2 & at$column > width / 2)
  task_moments(unname(sigma), c(sigma %*% weights), c(weights %*% sigma %*% weights) + 1,
    input = input_grid(height, width, channels))
}

# Returns the result of the C core for any matrix J, given as
# extra rows to a dense layer, whose tangent is the identity.
allocate_rows <- function(J, block = nrow(J), tol = 10 * max(dim(J)) * .Machine$double.eps, what = ffi_capacity) {
  net <- set_coef(input_vector(ncol(J)) |> layer_dense(1), numeric(ncol(J)))
  setting <- list(
    array = rep(1L, ncol(J)), left_out = NULL, x = NULL, rows = J, contrast = NULL, tol = tol, ridge = 0, decay = 0,
    block = as.double(block), columns = 1, parameters = TRUE
  )
  .Call(what, lower_network(net), net$coef, setting, list(turned = NULL, group = NULL))
}

# Returns a random n x p matrix with these singular values.
matrix_with <- function(n, values, seed = 1) {
  p <- length(values)
  withr::with_seed(seed, {
    U <- qr.Q(qr(matrix(rnorm(n * p), n)))
    V <- qr.Q(qr(matrix(rnorm(p * p), p)))
    U %*% (values * t(V))
  })
}
