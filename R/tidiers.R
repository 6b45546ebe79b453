# tidy() and glance() of every class, with broom's column names where it has them.

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

#' @rdname ca_fit
#' @export
glance.ca_fit <- function(x, ...) {
  light_frame(list(
    n_params = length(x$network$coef), loss = x$loss, train_loss = x$train_loss,
    bayes_loss = x$bayes_loss, excess_loss = x$loss - x$bayes_loss, converged = x$converged,
    gradient_norm = x$gradient_norm, iterations = x$iterations, seconds = x$seconds,
    method = x$method, seed = x$seed, nobs = x$nobs
  ))
}

#' @rdname ca_fit
#' @export
tidy.ca_fit <- function(x, ...) {
  rows <- network_rows(x$network)
  names <- vapply(rows, function(row) row$name, "")
  about <- new_allocation(x, "identity", ridge = 0, tol = NULL, data = NULL, layers = NULL, block = NULL)
  light_frame(list(
    term = coef_names(x$network),
    layer = rep(names, vapply(rows, function(row) own_params(row$layer), 0)),
    estimate = x$network$coef,
    capacity = allocate(about, "capacity", NULL)$parameters
  ))
}

#' @rdname ca_capacity
#' @export
glance.ca_capacity <- function(x, ...) {
  evidence <- attr(x, "evidence")
  light_frame(list(
    total = attr(x, "total"), n_params = attr(x, "n_params"), n_inputs = attr(x, "n_inputs"),
    tol = evidence$tol, gap = evidence$gap, rank_low = evidence$rank_low,
    rank_high = evidence$rank_high, metric = attr(x, "metric"), ridge = attr(x, "ridge")
  ))
}

#' @rdname ca_capacity
#' @export
tidy.ca_capacity <- function(x, ...) plain_frame(x)
