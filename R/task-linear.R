# Tasks with known linear weights: y = W x + noise, so that C = Sigma W' and
# V = W Sigma W' + diag(noise^2).

new_linear <- function(kind, label, input, weights, noise, sigma, output_labels = NULL) {
  cross <- tcrossprod(sigma, weights)
  target <- weights %*% cross
  target <- (target + t(target)) / 2 + diag(noise^2, nrow(weights))
  new_task(kind, label, input, new_task_moments(sigma, cross, target), output_labels = output_labels)
}

#' Tasks with known weights
#'
#' `task_linear()`: zero-mean Gaussian inputs of covariance `sigma` and outputs
#' `y = W x + noise`, the noise independent over outputs. `task_copy()`: a white
#' unit-variance sequence, to be remembered: the outputs are the inputs at the
#' given lags, plus noise. The Bayes loss is the sum of the noise variances.
#'
#' @param weights W, a matrix with one row per output and one column per input
#'   (channel-fastest, then position, the oldest first), or a vector for one
#'   output.
#' @param noise Standard deviation of the noise: one number, or one per output.
#' @param sigma Covariance of the inputs; `NULL` means the identity.
#' @param channels Number of channels of the sequence; must divide the number of
#'   inputs.
#' @param length Number of positions of the sequence.
#' @param lag Lag of the value to give back, from 1 (the newest input) to
#'   `length`. Several lags make several outputs.
#' @returns A task of class `ca_task` whose input is a sequence. Row and column
#'   names of `weights` are kept as names of outputs and inputs.
#' @seealso [oracle_weights()], which gives `weights` back where `sigma` is
#'   regular; [task_moments()].
#' @examples
#' task_linear(weights = c(0, 0.5, 0, 1), noise = 0.1)
#' task_copy(length = 16, lag = c(1, 8))
#' @export
task_linear <- function(weights, noise, sigma = NULL, channels = 1) {
  names_y <- rownames(weights)
  weights <- if (is.null(dim(weights))) {
    t(check_vector(weights, arg = "weights"))
  } else {
    check_matrix(weights, arg = "weights")
  }
  names_x <- colnames(weights)
  weights <- task_plain_matrix(weights)
  n <- ncol(weights)
  if (length(weights) == 0L) {
    abort(c("{.arg weights} must not be empty.", x = "It is {show_value(weights)}."), "shape")
  }
  noise <- check_linear_noise(noise, nrow(weights))
  sigma <- if (is.null(sigma)) diag(n) else check_moments_covariance(sigma, size = n)
  channels <- check_count(channels)
  if (n %% channels != 0L) {
    abort(c(
      "{.arg channels} must divide the number of inputs.",
      x = "{.arg weights} has {n} inputs, {.arg channels} is {channels}."
    ), "shape")
  }
  input <- new_input("sequence", channels, 1L, n %/% channels, labels = names_x)
  label <- paste0("linear task (noise = ", task_label_numbers(noise), "), ", n, " inputs")
  new_linear("linear", label, input, weights, noise, sigma, names_y)
}

check_linear_noise <- function(noise, outputs, call = rlang::caller_env()) {
  noise <- check_vector(noise, arg = "noise", call = call)
  if (!length(noise) %in% c(1L, outputs)) {
    abort(c(
      "{.arg noise} must be one number, or one for each of {outputs} output{?s}.",
      x = "It has {length(noise)} values."
    ), "shape", call = call)
  }
  if (any(noise < 0)) {
    abort(c(
      "{.arg noise} must not be negative: it is a standard deviation.",
      x = "It is {show_value(noise)}."
    ), "value", call = call)
  }
  rep_len(noise, outputs)
}

#' @rdname task_linear
#' @export
task_copy <- function(length, lag, noise = 0) {
  length <- check_count(length)
  lag <- check_vector(lag, arg = "lag")
  if (length(lag) == 0L || any(lag != floor(lag) | lag < 1 | lag > length)) {
    abort(c(
      "{.arg lag} must be whole numbers from 1 to {length}, the length.",
      x = "It is {show_value(lag)}."
    ), "value")
  }
  noise <- check_linear_noise(noise, length(lag))
  weights <- matrix(0, length(lag), length)
  weights[cbind(seq_along(lag), length + 1L - lag)] <- 1
  label <- paste0("copy of lag ", task_label_numbers(lag), ", length ", length)
  input <- new_input("sequence", 1L, 1L, length)
  new_linear("copy", label, input, weights, noise, diag(length), paste("lag", lag))
}
