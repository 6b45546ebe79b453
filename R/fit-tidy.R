# tidy(), glance() and augment() of fits. Names of columns are those of broom where it has one. The capacity of each
# parameter is computed here, so that fit.R does not depend on the files of capacity.

#' @rdname ca_fit
#' @export
glance.ca_fit <- function(x, ...) {
  check_dots(...)
  light_frame(list(
    n_params = length(x$network$coef), loss = x$loss, train_loss = x$train_loss,
    bayes_loss = x$bayes_loss, excess_loss = x$excess_loss, converged = x$converged,
    gradient_norm = x$gradient_norm, iterations = x$iterations, seconds = x$seconds,
    method = x$method, seed = x$seed, nobs = x$nobs, decrement = x$decrement, redraws = x$redraws,
    null_loss = x$null_loss
  ))
}

#' @rdname ca_fit
#' @export
tidy.ca_fit <- function(x, ...) {
  check_dots(...)
  rows <- network_rows(x$network)
  names <- vapply(rows, function(row) row$name, "")
  allocation <- read_allocation(x, "identity", ridge = 0, tol = NULL, data = NULL, layers = NULL, block = NULL)
  light_frame(list(
    term = coef_names(x$network),
    layer = rep(names, vapply(rows, function(row) network_own_params(row$layer), 0)),
    estimate = x$network$coef,
    capacity = allocate_capacity(allocation, "capacity", list(), want_low = FALSE, want_parameters = TRUE)$parameters
  ))
}

#' @rdname ca_fit
#' @export
augment.ca_fit <- function(x, newdata = NULL, ..., new_data = NULL) {
  check_dots(...)
  newdata <- predict_one_newdata(newdata, new_data)
  if (!is.null(newdata)) {
    yhat <- stats::predict(x, newdata)
    row <- rep(seq_len(nrow(yhat)), ncol(yhat))
    return(light_frame(list(row = row, output = rep(task_output_names(x$task), each = nrow(yhat)), .fitted = c(yhat))))
  }
  yhat <- fitted(x)
  left <- residuals(x)
  names <- task_output_names(x$task)
  N <- nrow(yhat)
  light_frame(list(
    row = rep(seq_len(N), ncol(yhat)), output = rep(names, each = N), .observed = c(yhat + left), .fitted = c(yhat),
    .resid = c(left)
  ))
}
