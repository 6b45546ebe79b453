# Variance studies: how the trace of S, the second moment of a tangent, changes over layers for a variance of weights.

#' Variance of weights and the trace of S
#'
#' A tangent vector V goes back through a layer u = A h with gates g = phi'(u) by S_in = A' (Gamma o S_out) A, S = E\[V
#' V'\] (see [propagate_capacity()]). With independent weights of variance w, and gates of mean square q, its trace
#' becomes tr S_in = w q fan_in tr S_out: it is kept by `"fan_in"`, w = 1 / (q fan_in). Per unit it becomes w q fan_out
#' times what it was: that is kept by `"fan_out"`, w = 1 / (q fan_out). Where widths vary both cannot be had, and
#' `"glorot"`, w = 2 / (q (fan_in + fan_out)), is the compromise (Glorot and Bengio 2010, with their q = 1).
#'
#' Here all three are drawn, through dense layers of the given widths, each followed by the activation, and what
#' happens is put beside what the formula says. Inputs are independent standard normals, and the tangent starts at the
#' output with length 1 in a random direction. q is E phi'(z)^2 of a standard normal z.
#'
#' @param widths Two or more whole numbers: the sizes of the input and of each layer.
#' @param activation,parameter As in [layer_activation()].
#' @param variances Of `"fan_in"`, `"fan_out"` and `"glorot"`, or positive numbers: one for each layer, or one for all.
#' @param draws Number of draws of weights and inputs.
#' @param seed A whole number that fixes the draws, or `NULL` to draw one from R's own stream.
#' @returns A data frame of class `ca_variance_study`, for each scheme a row for the input (layer 0) and one for each
#'   layer: `scheme` (a factor; `"given"` for numbers), `layer`, `units`, `variance` (of the weights into it, `NA` for
#'   the input), `trace` (of S there, the mean over draws), `expected` (the same by the formula), `per_unit` (trace /
#'   units) and `signal` (mean square of a unit of the signal forwards, the mean over draws).
#'
#'   `glance()`: one row per scheme, `scheme`, and by which factor `trace` and `per_unit` change from the output to the
#'   input, and `signal` from the input to the output.
#' @references Glorot, X. and Bengio, Y. (2010). Understanding the difficulty of training deep feedforward neural
#'   networks. AISTATS. Donier, J. (2019). Capacity allocation through neural network layers.
#'   \doi{10.48550/arXiv.1902.08572}.
#' @seealso [scaling_study()], [initialise()]; `autoplot()` and `plot()` draw it.
#' @examples
#' glance(variance_study(c(16, 32, 64, 32, 16, 8), draws = 20, seed = 1))
#' @export
variance_study <- function(widths, activation = "relu", parameter = NULL, variances = c("fan_in", "fan_out", "glorot"),
                           draws = 200, seed = NULL) {
  widths <- check_variance_widths(widths)
  activation <- check_activation(activation)
  parameter <- check_activation_parameter(parameter, activation)
  schemes <- read_variances(variances, widths, gate_moments(activation, parameter, 0, 1)$square)
  draws <- check_count(draws)
  seed <- draw_seed(seed)
  # one seed for all schemes, so that their weights differ by a factor alone
  frames <- Map(function(w, name) {
    means <- with_seed(seed, variance_trace_means(widths, w$variance, activation, parameter, draws))
    L <- length(widths)
    light_frame(list(
      scheme = rep(name, L), layer = seq_len(L) - 1L, units = widths, variance = c(NA, w$variance), trace = means$trace,
      expected = rev(cumprod(c(1, rev(w$variance * w$q * widths[-L])))), per_unit = means$trace / widths,
      signal = means$signal
    ))
  }, schemes, names(schemes))
  rows <- stack_frames(frames)
  rows$scheme <- factor(rows$scheme, levels = names(schemes))
  new_frame(as.list(rows), "ca_variance_study", activation = activation, seed = seed, draws = draws)
}

check_variance_widths <- function(widths, call = rlang::caller_env()) {
  widths <- check_vector(widths, arg = "widths", call = call)
  wrong <- widths[widths < 1 | widths != floor(widths) | widths > 1e6]
  if (length(wrong) > 0L) {
    abort(c("{.arg widths} must be whole numbers, 1 or more.", x = "The first that is not is {format(wrong[[1L]])}."),
      "value", call = call)
  }
  if (length(widths) < 2L) {
    abort(c(
      "{.arg widths} must be two numbers or more: of the input, and of each layer.",
      x = "It has {length(widths)}."
    ), "value", call = call)
  }
  as.integer(widths)
}

# For each scheme a list: `variance` of the weights of each layer, and `q`, the mean squared gate.
read_variances <- function(variances, widths, q, call = rlang::caller_env()) {
  n_in <- widths[-length(widths)]
  n_out <- widths[-1L]
  known <- list(fan_in = 1 / (q * n_in), fan_out = 1 / (q * n_out), glorot = 2 / (q * (n_in + n_out)))
  if (is.character(variances) && length(variances) > 0L && all(variances %in% names(known))) {
    return(lapply(known[unique(variances)], function(w) list(variance = w, q = q)))
  }
  if (!is.numeric(variances) || !length(variances) %in% c(1L, length(n_in))) {
    abort(c(
      "{.arg variances} must be one or more of {.or {.val {names(known)}}}, or one number for each layer.",
      x = "It is {show_value(variances)}."
    ), "value", call = call)
  }
  w <- check_vector(variances, arg = "variances", call = call)
  if (any(w <= 0)) {
    abort(c("{.arg variances} must be positive.", x = "The first that is not is {format(w[w <= 0][[1L]])}."),
      "value", call = call)
  }
  list(given = list(variance = rep_len(w, length(n_in)), q = q))
}

# Means over draws at every level, from the input to the output. Returns a list: `trace` of S, and `signal`, the mean
# square of the values.
variance_trace_means <- function(widths, variance, activation, parameter, draws) {
  runs <- lapply(seq_len(draws), function(r) variance_trace_run(widths, variance, activation, parameter))
  mean_of <- function(name) rowMeans(matrix(vapply(runs, function(run) run[[name]], widths + 0), length(widths)))
  list(trace = mean_of("trace"), signal = mean_of("signal"))
}

variance_trace_run <- function(widths, variance, activation, parameter) {
  L <- length(variance)
  A <- lapply(seq_len(L), function(l) {
    matrix(stats::rnorm(widths[[l]] * widths[[l + 1L]], sd = sqrt(variance[[l]])), widths[[l + 1L]])
  })
  h <- stats::rnorm(widths[[1L]])
  V <- stats::rnorm(widths[[L + 1L]])
  V <- V / sqrt(sum(V^2))
  gates <- vector("list", L)
  signal <- mean(h^2)
  for (l in seq_len(L)) {
    at <- gate_phi_at(activation, parameter, A[[l]] %*% h)
    h <- at$value
    gates[[l]] <- at$slope
    signal <- c(signal, mean(h^2))
  }
  trace <- 1
  for (l in rev(seq_len(L))) {
    V <- crossprod(A[[l]], gates[[l]] * V)
    trace <- c(sum(V^2), trace)
  }
  list(trace = trace, signal = signal)
}

#' @rdname variance_study
#' @param x A variance study, from `variance_study()`.
#' @param ... Not used.
#' @export
glance.ca_variance_study <- function(x, ...) {
  check_dots(...)
  parts <- split(plain_frame(x), x$scheme)
  ratio <- function(column, from_end) {
    vapply(parts, function(rows) {
      ends <- rows[[column]][c(1L, nrow(rows))]
      if (from_end) ends[[1L]] / ends[[2L]] else ends[[2L]] / ends[[1L]]
    }, 0, USE.NAMES = FALSE)
  }
  light_frame(list(scheme = names(parts), trace = ratio("trace", TRUE), per_unit = ratio("per_unit", TRUE),
    signal = ratio("signal", FALSE)))
}

#' @rdname variance_study
#' @export
tidy.ca_variance_study <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

#' @rdname variance_study
#' @export
print.ca_variance_study <- function(x, ...) {
  widths <- x$units[x$scheme == x$scheme[[1L]]]
  cat("<variance study> ", attr(x, "activation"), ", widths ", paste(widths, collapse = ", "), ", ",
    format_count(attr(x, "draws"), "draw"), "\n", sep = "")
  print(glance(x), row.names = FALSE, digits = 3)
  cat("ratios input / output of the trace of S, total and per unit; ratio output / input of the signal\n")
  invisible(x)
}
