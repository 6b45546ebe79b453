# Methods of tidy(), glance() and augment(). Names of columns are those of broom where it has one.

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

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
    capacity = allocate_capacity(allocation, "capacity", list(), want_low = FALSE)$parameters
  ))
}

#' @rdname ca_capacity
#' @export
glance.ca_capacity <- function(x, ...) {
  check_dots(...)
  evidence <- attr(x, "evidence")
  stationarity <- attr(x, "stationarity")
  light_frame(c(
    list(total = attr(x, "total"), n_params = attr(x, "n_params"), n_inputs = attr(x, "n_inputs")),
    capacity_rank_columns(evidence),
    list(
      gradient_norm = stationarity$gradient_norm, converged = stationarity$converged, metric = attr(x, "metric"),
      ridge = attr(x, "ridge")
    ),
    if (evidence$is_imported) list(rank_trained = evidence$rank_trained)
  ))
}

capacity_rank_columns <- function(evidence) {
  evidence[c("tol", "gap", "rank_low", "rank_high", "undecided")]
}

#' @rdname ca_capacity
#' @export
augment.ca_capacity <- function(x, ...) {
  check_dots(...)
  rows <- plain_frame(x)
  rows$.share <- rows$capacity / attr(x, "total")
  rows
}

# For kernels and tables: the total and the evidence for the rank.
#' @export
glance.ca_kernel <- function(x, ...) {
  check_dots(...)
  glance_capacity_rank(x)
}

#' @export
glance.ca_table <- function(x, ...) {
  check_dots(...)
  glance_capacity_rank(x)
}

glance_capacity_rank <- function(x) {
  light_frame(c(
    list(total = attr(x, "total"), n_inputs = attr(x, "n_inputs")), capacity_rank_columns(attr(x, "evidence")),
    list(metric = attr(x, "metric"), ridge = attr(x, "ridge"))
  ))
}

#' @rdname summary.ca_network
#' @export
tidy.ca_network <- function(x, ...) {
  check_dots(...)
  rows <- network_rows(x)
  names <- vapply(rows, function(row) row$name, "")
  estimate <- if (is.null(x$coef)) rep(NA_real_, n_params(x)) else unname(x$coef)
  light_frame(list(
    term = coef_names(x), layer = rep(names, vapply(rows, function(row) network_own_params(row$layer), 0)),
      estimate = estimate
  ))
}

#' @rdname summary.ca_network
#' @export
glance.ca_network <- function(x, ...) {
  check_dots(...)
  light_frame(list(
    n_params = as.integer(n_params(x)), layers = length(network_rows(x)), n_inputs = as.integer(input_size(x$input)),
    n_outputs = as.integer(shape_output_size(x)), linear = is_linear(x)
  ))
}

# One row for each network.
#' @export
glance.ca_capacities <- function(x, ...) {
  check_dots(...)
  totals <- attr(x, "totals")
  light_frame(list(network = names(totals), total = unname(totals)))
}

#' @export
glance.ca_demand <- function(x, ...) {
  check_dots(...)
  light_frame(list(inputs = nrow(x), largest = max(x$demand), at = x$input[[which.max(x$demand)]]))
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

#' @rdname ca_comparison
#' @export
augment.ca_comparison <- function(x, ...) {
  check_dots(...)
  rows <- plain_frame(x$runs)
  rows$efficiency <- metric_run_efficiency(x)
  rows
}

#' @importFrom generics augment
#' @export
generics::augment

# The rows of any result as a plain data frame.
#' @export
tidy.ca_frame <- function(x, ...) plain_frame(x)
