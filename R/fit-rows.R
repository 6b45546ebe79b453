# Training on rows, for nonlinear networks, classes, weight decay, mini-batches and early stopping.

needs_rows <- function(network, task, control) {
  !is_linear(network) || has_task_classes(task) || control$decay > 0 || is.finite(control$batch) ||
    control$validation > 0
}

# The sample with control$validation of its rows set aside for early stopping: the last ones of a series, others at
# random.
rows_split_sample <- function(sample, task, control, seed, call = rlang::caller_env()) {
  if (is.null(sample$rows)) {
    abort(c(
      "{.arg n_obs} must be finite: population moments are sufficient only for a linear network that is trained on
        squared error, without weight decay, mini-batches or validation.",
      x = "It is {.code Inf}, and the task has no rows of its own.",
      i = "Simulate rows with {.code n_obs = 1000}, for instance."
    ), "n_obs", call = call)
  }
  if (control$validation == 0) return(sample)
  n <- nrow(sample$rows$x)
  aside <- check_rows_aside(round(control$validation * n), n, control$validation, call)
  if (task$kind == "series") { # separated as held-out rows are: no value is both trained on and validated
    held <- n - aside + seq_len(aside)
    keep <- seq_len(series_count_training(n, aside, task$horizon, control$validation, call))
  } else {
    held <- with_seed(seed, sort(sample.int(n, aside)))
    keep <- setdiff(seq_len(n), held)
  }
  sample$validation <- lapply(sample$rows, function(z) z[held, , drop = FALSE])
  sample$rows <- lapply(sample$rows, function(z) z[keep, , drop = FALSE])
  sample$nobs <- length(keep)
  sample$moments <- task_row_moments(sample$rows$x, sample$rows$y, sample$rows$weight)
  sample
}

# Rows in the coordinates of the layers, list(x, y, weight): inputs in the network's units, responses in those of its
# outputs, weights with mean 1 or NULL. For classes y is the indicator matrix.
layer_rows <- function(rows, network, task, units) {
  y <- if (has_task_classes(task)) rows_network_response(rows$y, network, task) else units_response_in(rows$y, units)
  list(x = units_in(rows$x, units), y = y, weight = unit_weights(rows$weight))
}

# `aside`, the number of rows to set aside of n, if it is at least one and leaves at least one.
check_rows_aside <- function(aside, n, share, call) {
  if (aside > 0L && aside < n) return(aside)
  abort(c(
    "{.arg control$validation} must set aside at least one row and leave at least one to train on.",
    x = "It is {format(share)}, which sets aside {aside} of {n}."
  ), "value", call = call)
}

# The response with one column per output: a single logit is that of the second of two levels.
rows_network_response <- function(y, network, task) {
  if (has_task_classes(task) && shape_output_size(network) == 1L) y[, 2L, drop = FALSE] else y
}

# Returns a list with one run for each seed, as fit_on_sample(), but with losses in the units of training.
train_on_rows <- function(network, sample, loss, method, control, seeds, call = rlang::caller_env()) {
  graph <- lower_network(network)
  null <- null_training_loss(sample$trained_on$y, loss, has_bias(network), sample$trained_on$weight)
  if (loss == "squared") check_loss_outputs_vary(null, call)
  if (is.infinite(control$batch)) control$batch <- 0
  train_each_start(network, seeds, null, control$decay, train = function(start, seed) {
    with_seed(seed, .Call(
      ffi_fit_samples, graph, start, sample$trained_on, sample$aside, loss, method, control
    ))
  })
}
