# Helpers of the tests of tasks.

# Returns the text of an error after checking its class; several texts go into one snapshot.
# (expect_snapshot(error = TRUE) has different layouts in testthat 3.1 and 3.2.)
bad <- function(code, class) {
  conditionMessage(expect_error(code, class = paste0("capalloc_error_", class)))
}

# Returns the Bayes loss by the textbook formula: the Schur complement of centred moments, by solve().
twin_bayes_loss <- function(moments, inputs = seq_along(moments$mean_x)) {
  sigma <- moments$sigma - outer(moments$mean_x, moments$mean_x)
  cross <- moments$cross - outer(moments$mean_x, moments$mean_y)
  target <- moments$target - outer(moments$mean_y, moments$mean_y)
  sigma <- sigma[inputs, inputs, drop = FALSE]
  cross <- cross[inputs, , drop = FALSE]
  sum(diag(target - t(cross) %*% solve(sigma, cross)))
}

twin_demand <- function(moments) {
  n <- length(moments$mean_x)
  vapply(seq_len(n), function(j) {
    twin_bayes_loss(moments, setdiff(seq_len(n), j)) - twin_bayes_loss(moments)
  }, numeric(1))
}

# Returns moments of random rows, which are valid moments of a distribution.
random_moments <- function(n, m, mean = 0, scale = rep(1, n)) {
  z <- matrix(rnorm(4 * (n + m)^2), ncol = n + m) + mean
  z <- z * rep(c(scale, rep(1, m)), each = nrow(z))
  x <- z[, seq_len(n), drop = FALSE]
  y <- z[, n + seq_len(m), drop = FALSE]
  list(
    sigma = crossprod(x) / nrow(z), cross = crossprod(x, y) / nrow(z),
    target = crossprod(y) / nrow(z), mean_x = colMeans(x), mean_y = colMeans(y)
  )
}
