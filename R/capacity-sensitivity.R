# Sensitivities of outputs to inputs over rows of data.

#' How outputs depend on inputs
#'
#' Mean, standard deviation and root mean square of the derivatives \eqn{\partial \hat y_o / \partial x_j} over rows of
#' data, by input and output. Capacity describes where a network has spent parameters. Sensitivity describes what its
#' output depends on: an input can have one without the other.
#'
#' Derivatives are exact, from one backward pass for each output and block of rows, and in the units of the data. For
#' classes they are derivatives of the logits. The derivative of a linear network is the same at all rows: the mean is
#' its effective weight and the standard deviation 0.
#'
#' @param network A network with coefficients, or a fit.
#' @param data Rows of inputs as in [predict()][predict.ca_network()], or a task of data, whose training rows are used.
#'   `NULL` for the rows that a fit was trained on.
#' @param x A result of `sensitivity_profile()`.
#' @param ... Not used.
#' @returns A data frame of class `ca_sensitivity` with one row per input and output: `input`, `position`, `lag`,
#'   `channel` (on grids `row`, `column`), `output`, and over the rows \eqn{s = 1, \dots, N} of \eqn{d_s = \partial \hat
#'   y_o(x_s) / \partial x_j}: `mean` \eqn{\bar d}, `sd` \eqn{\sqrt{\sum_s (d_s - \bar d)^2 / (N - 1)}} (`NA` for one
#'   row), `rms` \eqn{\sqrt{\sum_s d_s^2 / N}}. `tidy()` gives a plain data frame, `glance()` one row: `inputs`,
#'   `outputs`, `nobs`.
#' @section Errors:
#' `capalloc_error_no_data`: a network without `data`. `capalloc_error_shape` and `capalloc_error_value`: data that do
#' not fit the network.
#' @references Pizarroso, Portela and Munoz (2022) \doi{10.18637/jss.v102.i07}.
#' @seealso [capacity()], [linearise()], [autoplot.ca_sensitivity()].
#' @examples
#' task <- task_series(log10(lynx), length = 6)
#' net <- input_sequence(6) |>
#'   layer_dense(2, bias = TRUE) |>
#'   layer_activation("tanh") |>
#'   layer_dense(1, bias = TRUE)
#' trained <- fit(net, task, seed = 1)
#' sensitivity_profile(trained)
#' @export
sensitivity_profile <- function(network, data = NULL, ...) {
  check_dots(...)
  net <- network_of(network)
  rows <- sensitivity_inputs(network, net, data)
  moments <- sensitivity_moments(net, units_in(rows, net$units))
  input <- net$input
  labelled <- if (inherits(network, "ca_fit")) label_input(input, network$task$input) else input
  outputs <- sensitivity_outputs(network, shape_output_size(net))
  frame <- plain_frame(input_frame(labelled, intercept = FALSE))
  at <- rep(seq_len(nrow(frame)), times = length(outputs))
  new_frame(
    c(
      as.list(frame[at, , drop = FALSE]), list(output = rep(outputs, each = nrow(frame))),
      lapply(moments, function(x) c(t(x)))
    ), "ca_sensitivity",
    nobs = nrow(rows), input_kind = input$kind, classes = inherits(network, "ca_fit") && has_task_classes(network$task)
  )
}

# The rows of data, in data units.
sensitivity_inputs <- function(x, network, data, call = rlang::caller_env()) {
  if (is.null(data) && inherits(x, "ca_fit")) return(fit_rows(x, call)$x)
  if (is.null(data)) {
    abort(c("{.arg data} is needed: sensitivities are taken at rows of inputs.",
      i = "Pass rows of inputs, as in {.fn predict}."), "no_data", call = call)
  }
  if (inherits(data, "ca_task")) {
    check_pair_input(network, data, call)
    if (is_data_task(data)) return(data$data$x)
    abort(c("{.arg data} must be rows of inputs, or a task of data.",
      i = "Draw rows with {.code simulate(task, 1000)$x}."), "type", call = call)
  }
  predict_some_inputs(data, network, call)
}

sensitivity_outputs <- function(x, m) {
  names <- if (inherits(x, "ca_fit")) task_output_names(x$task)
  if (length(names) == m) return(names)
  if (length(names) == 2L && m == 1L) return(names[[2L]]) # one logit, that of the second level
  if (m == 1L) "y" else paste0("y", seq_len(m))
}

# Entries of the tangent maps that are in memory at a time.
sensitivity_entries <- 2^23

# Returns list(mean, sd, rms), each outputs x inputs. The mean is computed first, since the mean of squares minus the
# square of the mean loses the digits of a small standard deviation.
sensitivity_moments <- function(network, rows) {
  N <- nrow(rows)
  n <- ncol(rows)
  m <- shape_output_size(network)
  size <- max(1, floor(sensitivity_entries / (m * (n + 1))))
  blocks <- split(seq_len(N), ceiling(seq_len(N) / size))
  sum_of <- function(f) {
    total <- matrix(0, m, n)
    for (at in blocks) {
      W <- linearise_rows(network, rows[at, , drop = FALSE])[, seq_len(n), , drop = FALSE]
      total <- total + rowSums(f(W), dims = 2L)
    }
    total
  }
  mean <- sum_of(identity) / N
  spread <- sum_of(function(W) (W - c(mean))^2)
  sd <- if (N > 1L) sqrt(spread / (N - 1)) else matrix(NA_real_, m, n)
  list(mean = mean, sd = sd, rms = sqrt(mean^2 + spread / N))
}

#' @rdname sensitivity_profile
#' @export
print.ca_sensitivity <- function(x, ...) {
  check_dots(...)
  cat("<sensitivity> ", format_count(length(unique(x$input)), "input"), ", ",
    format_count(length(unique(x$output)), "output"), ", over ", format_count(attr(x, "nobs"), "row"), "\n", sep = "")
  shown <- plain_frame(x)
  shown <- shown[order(-shown$rms), c("input", if (length(unique(x$output)) > 1L) "output", "mean", "sd", "rms")]
  most <- min(nrow(shown), 10L)
  print(shown[seq_len(most), ], row.names = FALSE, digits = 3)
  if (most < nrow(shown)) cat("... and ", format_count(nrow(shown) - most, "more row"), ", by rms\n", sep = "")
  if (attr(x, "classes")) cat("derivatives of the logits\n")
  invisible(x)
}

#' @rdname sensitivity_profile
#' @export
glance.ca_sensitivity <- function(x, ...) {
  check_dots(...)
  light_frame(list(inputs = length(unique(x$input)), outputs = length(unique(x$output)), nobs = attr(x, "nobs")))
}
