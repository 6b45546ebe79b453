# The data that a linear network is trained on: a root R of the second moments of the inputs, and the response T in the
# coordinates of R.
#
#   L(W) = floor + |R W' - T|^2,   R'R = Sigma (rank x n), R'T = C (rank x m),
#
# `total` is E|y|^2, or E|y - Ey|^2 with an intercept. With an intercept, the constant is the last coordinate. Means are
# subtracted before the factorisation, so that large means cause no loss of accuracy:
#   R = [[mu', 1], [R_c D, 0]],   T = [E y'; T_c],
# with D the standard deviations, and R_c the factor of the standardised inputs.

# Returns the root of rows x (N x n), y (N x m), by QR with column pivoting. `weight`: of the rows, or NULL.
row_root <- function(x, y, intercept, weight = NULL) {
  N <- nrow(x)
  mean_x <- if (intercept) root_centre_of(x, weight)
  mean_y <- if (intercept) root_centre_of(y, weight)
  if (intercept) {
    x <- x - rep(mean_x, each = N)
    y <- y - rep(mean_y, each = N)
  }
  x <- weighted_rows(x, weight)
  y <- weighted_rows(y, weight)
  scale <- sqrt(colMeans(x^2))
  scale[scale == 0] <- 1
  q <- qr(x / rep(scale, each = N), LAPACK = TRUE)
  # directions at the level of rounding error of the largest are dropped
  size <- abs(diag(q$qr))
  rank <- sum(size > 10 * max(dim(x)) * .Machine$double.eps * max(size, 0))
  t <- qr.qty(q, y)
  R <- matrix(0, rank, ncol(x))
  R[, q$pivot] <- qr.R(q)[seq_len(rank), , drop = FALSE]
  left <- if (rank < N) sum(t[(rank + 1L):N, ]^2) / N else 0
  new_root(R / sqrt(N), t[seq_len(rank), , drop = FALSE] / sqrt(N), scale, mean_x, mean_y, left, sum(y^2) / N)
}

# Returns column means. A second pass corrects the rounding error of means that are far from zero.
root_centre_of <- function(x, weight = NULL) {
  centre <- weighted_means(x, weight)
  centre + weighted_means(x - rep(centre, each = nrow(x)), weight)
}

# Returns the root of stated moments, by pivoted Cholesky of the correlations. The rank is decided by LAPACK's default
# tolerance, since a threshold of 10 n eps on eigenvalues would drop directions that smooth processes need.
moment_root <- function(moments, intercept) {
  centred <- if (intercept) root_centre_moments(moments) else moments
  scale <- root_unit_scale(centred$sigma)
  triangle <- root_pivoted_chol(centred$sigma / tcrossprod(scale))
  rank <- attr(triangle, "rank")
  pivot <- attr(triangle, "pivot")
  R <- matrix(0, rank, length(scale))
  R[, pivot] <- triangle[seq_len(rank), , drop = FALSE]
  lead <- pivot[seq_len(rank)]
  target <- backsolve(triangle, centred$cross[lead, , drop = FALSE] / scale[lead], k = rank, transpose = TRUE)
  total <- sum(diag(centred$target))
  new_root(
    R, target, scale, if (intercept) moments$mean_x, if (intercept) moments$mean_y, max(0, total - sum(target^2)), total
  )
}

# chol() warns about matrices that do not have full rank, which are expected here.
root_pivoted_chol <- function(sigma, call = rlang::caller_env(2L)) {
  tryCatch(
    suppressWarnings(chol(sigma, pivot = TRUE, tol = -1)),
    error = function(e) {
      abort(c("The moments of the task cannot be factored.", x = "{conditionMessage(e)}"), "numeric", call = call)
    }
  )
}

# Returns a list: `root` R and `target` T, which are assembled from R_c and T_c of the standardised inputs; `floor` and
# `total`; `parts`, which root_weights() uses. The means are NULL without an intercept.
new_root <- function(R, target, scale, mean_x, mean_y, floor, total) {
  parts <- list(root = R, target = target, scale = scale, mean_x = mean_x, mean_y = mean_y)
  root <- R * rep(scale, each = nrow(R))
  if (!is.null(mean_x)) {
    root <- rbind(c(mean_x, 1), cbind(root, 0), deparse.level = 0)
    target <- rbind(mean_y, target, deparse.level = 0)
  }
  list(root = root, target = target, floor = floor, total = total, parts = parts)
}

# Returns weights W (m x n, with an intercept m x (n + 1)) that attain the floor and have the least norm in standardised
# inputs. R_c has full row rank. With R_c' P = Q S, the solution of R_c z = T_c is z = Q S'^-1 P' T_c.
root_weights <- function(factored) {
  parts <- factored$parts
  rank <- nrow(parts$root)
  z <- matrix(0, ncol(parts$root), ncol(parts$target))
  if (rank > 0L) {
    q <- qr(t(parts$root), LAPACK = TRUE)
    inner <- backsolve(qr.R(q), parts$target[q$pivot, , drop = FALSE], transpose = TRUE)
    z <- qr.qy(q, rbind(inner, matrix(0, nrow(z) - rank, ncol(z))))
  }
  W <- t(z / parts$scale)
  if (is.null(parts$mean_x)) return(W)
  cbind(W, parts$mean_y - drop(W %*% parts$mean_x))
}

# Returns the loss of weights W (m x n) above the floor, |R (W - W*)'|^2.
root_excess <- function(W, factored) sum((tcrossprod(factored$root, W) - factored$target)^2)

# Returns stated moments after subtraction of the means.
root_centre_moments <- function(moments) {
  if (all(moments$mean_x == 0) && all(moments$mean_y == 0)) return(moments)
  root_clear_constants(root_subtract_means(moments), moments, 100 * .Machine$double.eps)
}

# Returns the square roots of the diagonal, with 1 in place of 0.
root_unit_scale <- function(sigma) {
  scale <- sqrt(pmax(diag(sigma), 0))
  scale[scale == 0] <- 1
  scale
}

root_clear_constants <- function(centred, moments, rounding) {
  constant <- diag(centred$sigma) <= rounding * diag(moments$sigma)
  centred$sigma[constant, ] <- 0
  centred$sigma[, constant] <- 0
  centred$cross[constant, ] <- 0
  centred
}

root_subtract_means <- function(moments) {
  list(
    sigma = moments$sigma - tcrossprod(moments$mean_x),
    cross = moments$cross - tcrossprod(moments$mean_x, moments$mean_y),
    target = moments$target - tcrossprod(moments$mean_y)
  )
}
