# Tasks that predict a stationary process from its past. With autocovariance acf(k), Sigma is Toeplitz, the input at lag
# l and the output at horizon h have C = acf(l + h - 1), and two outputs have V = acf(|h - h'|).

# `acf`: the autocovariances at lags 0 to length + max(horizon) - 1.
new_process <- function(kind, name, length, horizon, acf) {
  lag <- seq(length, 1L)
  sigma <- stats::toeplitz(acf[seq_len(length)])
  cross <- matrix(acf[outer(lag, horizon, `+`)], length)
  target <- matrix(acf[abs(outer(horizon, horizon, `-`)) + 1L], length(horizon))
  label <- process_label(name, length, horizon)
  input <- new_input("sequence", 1L, 1L, length)
  new_task(kind, label, input, new_task_moments(sigma, cross, target), output_labels = process_horizon_labels(horizon))
}

process_label <- function(name, length, horizon) {
  steps <- task_shorten(sprintf("%d", horizon), 4L)
  ahead <- if (length(horizon) > 1L) paste("horizons", steps) else paste(steps, "steps ahead")
  if (identical(horizon, 1L)) ahead <- "next value"
  paste0(name, ", length ", length, ", ", ahead)
}

# Returns the names of the outputs. With one horizon they are the names of the channels, or NULL.
process_horizon_labels <- function(horizon, channels = NULL) {
  if (length(horizon) == 1L) return(channels)
  labels <- sprintf("h = %d", horizon)
  if (is.null(channels)) labels else paste(channels, "at", rep(labels, each = length(channels)))
}

# Returns the horizons, in steps ahead, as integers. Each horizon is an output.
check_process_horizon <- function(horizon, call = rlang::caller_env()) {
  ok <- is.numeric(horizon) && length(horizon) > 0L && all(is.finite(horizon)) &&
    all(horizon == floor(horizon), horizon >= 1, horizon <= .Machine$integer.max, diff(horizon) > 0)
  if (!ok) {
    abort(c(
      "{.arg horizon} must be one whole number, 1 or more, or several in increasing order.",
      x = "It is {show_value(horizon)}."
    ), "value", call = call)
  }
  as.integer(horizon)
}

# `acf(lag)` returns the autocorrelations at a vector of lags. They are positive semi-definite in theory, so this is not
# checked.
named_process <- function(kind, name, length, variance, horizon, acf,
                          call = rlang::caller_env()) {
  length <- check_count(length, call = call)
  variance <- check_number(variance, min = 0, open = TRUE, call = call)
  horizon <- check_process_horizon(horizon, call = call)
  lags <- seq(0, as.numeric(length) + max(horizon) - 1)
  new_process(kind, name, length, horizon, variance * acf(lags))
}

#' Tasks that predict a stationary process
#'
#' The inputs are the last `length` values of a zero-mean stationary Gaussian
#' process, position 1 the oldest, and the output is the next value, or the value
#' `horizon` steps after the newest input; several horizons make several outputs.
#' All moments are exact: with autocovariance `acf(k)` at lag k, two inputs have
#' `acf(|i - j|)`, the input at lag l and the output at horizon h
#' `acf(l + h - 1)`, and two outputs `acf(|h - h'|)`. The named processes have
#' variance 1 unless `variance` says otherwise.
#'
#' Autocorrelations at lag k:
#' - `task_process()`: any, given as `acf`.
#' - `task_ar()`, `task_arma()`: of
#'   `s_t = ar_1 s_(t-1) + .. + e_t + ma_1 e_(t-1) + ..`, from [stats::ARMAacf()].
#' - `task_fgn()`: fractional Gaussian noise (Mandelbrot and Van Ness, 1968,
#'   \doi{10.1137/1010093}), `(|k+1|^(2H) - 2 |k|^(2H) + |k-1|^(2H)) / 2`; long
#'   memory for `H > 1/2`, white noise at `1/2`.
#' - `task_ou()`: an Ornstein-Uhlenbeck process seen at unit times, `exp(-rate k)`.
#' - `task_matern()`: a Matern process (Matern 1960; Stein 1999,
#'   \doi{10.1007/978-1-4612-1494-6}) seen at unit times, `2^(1 - nu) / Gamma(nu) z^nu K_nu(z)` with
#'   `z = sqrt(2 nu) k / range`, nu the smoothness; 1/2 is an Ornstein-Uhlenbeck process.
#' - `task_powerlaw()`: power-law memory, `(1 + k)^-exponent`; long memory for exponents below 1.
#' - `task_multiscale()`: a sum of independent Ornstein-Uhlenbeck processes,
#'   `sum_i w_i exp(-k / scale_i)` with `w` the weights divided by their sum.
#' - `task_periodic()`: a stochastic cycle and white noise,
#'   `(1 - noise) damping^k cos(2 pi k / period)`, and 1 at k = 0.
#'
#' @param length Number of past values that are seen.
#' @param acf Autocovariances at lags 0, 1, .., `length + max(horizon) - 1` (more
#'   are ignored), or a function of one lag that gives them.
#' @param horizon How many steps ahead to predict: one whole number, or several in
#'   increasing order.
#' @param range,smoothness Of the Matern correlation: its length scale, and how smooth the process is
#'   (at most 50).
#' @param exponent Of the decay of the correlation.
#' @param ar,ma Coefficients. The autoregression must be stationary: all roots of
#'   `1 - ar_1 z - ar_2 z^2 - ..` outside the unit circle. `task_arma()` takes
#'   either as `numeric()`. The moving average need not be invertible.
#' @param variance Variance of the process.
#' @param hurst Hurst exponent H, strictly between 0 and 1.
#' @param rate Rate of mean reversion per step, positive.
#' @param scales Time scales in steps, positive.
#' @param weights Share of the variance at each scale, not negative; `NULL` means
#'   equal shares.
#' @param period Length of the cycle in steps, 2 or more; need not be whole.
#' @param damping Factor by which the cycle's memory decays in one step, between 0
#'   and 1. At 1 the cycle never changes.
#' @param noise Share of the variance that is white noise, between 0 and 1.
#' @returns A task of class `ca_task` with a sequence of `length` inputs and one
#'   output for each horizon; where there are several they are named `h = 1` and
#'   so on.
#' @section Errors:
#' An `acf` too short (class `capalloc_error_shape`) or not that of any process,
#' because its Toeplitz matrix has a negative eigenvalue, and an autoregression
#' that is not stationary (`capalloc_error_value`); horizons that are not whole
#' numbers in increasing order (`capalloc_error_value`).
#' @seealso [bayes_loss()], [oracle_weights()], [task_demand()],
#'   [simulate.ca_task()]; [task_seasonal()] for a trend and a season,
#'   [task_series()] for a series of your own.
#' @examples
#' task_process(length = 8, acf = function(lag) 0.5^lag)
#' task_fgn(length = 64, hurst = 0.8)
#' task_fgn(length = 64, hurst = 0.8, horizon = c(1, 4, 12))
#' task_demand(task_arma(length = 6, ar = 0.7, ma = 0.4))
#' @export
task_process <- function(length, acf, horizon = 1) {
  length <- check_count(length)
  horizon <- check_process_horizon(horizon)
  acf <- process_acf(acf, as.numeric(length) + max(horizon))
  task <- new_process("process", "stationary process", length, horizon, acf)
  check_moments_psd(
    task_joint_moments(task$moments),
    paste(
      "{.arg acf} must be the autocovariance of a stationary process:",
      "its Toeplitz matrix must be positive semi-definite."
    ),
    call = rlang::current_env()
  )
  task
}

# Returns the first `needed` autocovariances, for lags from 0.
process_acf <- function(acf, needed, call = rlang::caller_env()) {
  if (is.function(acf)) {
    acf <- vapply(seq(0, needed - 1), process_acf_at, numeric(1), acf = acf, call = call)
  } else {
    acf <- check_vector(acf, arg = "acf", call = call)
  }
  if (length(acf) < needed) {
    abort(c(
      "{.arg acf} must have {needed} values, for lags 0 to {needed - 1}.",
      x = "It has {length(acf)}."
    ), "shape", call = call)
  }
  if (acf[[1L]] <= 0) {
    abort(c(
      "{.arg acf} must be positive at lag 0, where it is the variance.",
      x = "It is {format(acf[[1L]])}."
    ), "value", call = call)
  }
  acf[seq_len(needed)]
}

process_acf_at <- function(lag, acf, call) {
  value <- acf(lag)
  if (!is.numeric(value) || length(value) != 1L || !is.finite(value)) {
    abort(c(
      "{.arg acf} must return one finite number for each lag.",
      x = "At lag {lag} it returns {show_value(value)}."
    ), "value", call = call)
  }
  as.double(value)
}

#' @rdname task_process
#' @export
task_ar <- function(length, ar, variance = 1, horizon = 1) {
  ar <- check_process_stationary(ar)
  if (length(ar) == 0L) {
    abort(c("{.arg ar} must have at least one coefficient.", x = "It has none."), "shape")
  }
  name <- paste0("AR(", length(ar), ") process (ar = ", task_label_numbers(ar), ")")
  named_process("ar", name, length, variance, horizon, \(lag) process_arma_acf(lag, ar, numeric()))
}

#' @rdname task_process
#' @export
task_arma <- function(length, ar, ma, variance = 1, horizon = 1) {
  ar <- check_process_stationary(ar)
  ma <- check_vector(ma, arg = "ma")
  parts <- c(
    if (length(ar) > 0L) paste("ar =", task_label_numbers(ar)),
    if (length(ma) > 0L) paste("ma =", task_label_numbers(ma))
  )
  name <- paste0("ARMA(", length(ar), ", ", length(ma), ") process")
  if (!is.null(parts)) name <- paste0(name, " (", paste(parts, collapse = "; "), ")")
  named_process("arma", name, length, variance, horizon, \(lag) process_arma_acf(lag, ar, ma))
}

# Returns autocorrelations. A zero coefficient is appended, since ARMAacf() raises an error for a model without any.
process_arma_acf <- function(lags, ar, ma) {
  acf <- stats::ARMAacf(ar = c(ar, 0), ma = ma, lag.max = max(lags, 1))
  unname(acf[lags + 1])
}

# Returns the coefficients of a stationary autoregression. Roots count as on the unit circle when they are closer to it
# than the accuracy of polyroot().
check_process_stationary <- function(ar, call = rlang::caller_env()) {
  ar <- check_vector(ar, arg = "ar", call = call)
  modulus <- min(Mod(polyroot(c(1, -ar))), Inf)
  if (modulus <= 1 + sqrt(.Machine$double.eps)) {
    abort(c(
      "{.arg ar} must be stationary: all roots of {.code 1 - ar_1 z - ..} outside the unit
       circle.",
      x = "The smallest root has modulus {format(modulus, digits = 6L)}."
    ), "value", call = call)
  }
  ar
}

#' @rdname task_process
#' @export
task_fgn <- function(length, hurst, variance = 1, horizon = 1) {
  hurst <- check_number(hurst, min = 0, max = 1, open = TRUE)
  name <- paste0("fractional Gaussian noise (H = ", task_label_numbers(hurst), ")")
  named_process("fgn", name, length, variance, horizon, \(lag) process_fgn_acf(lag, hurst))
}

# Computes (1 +- 1/k)^(2H) - 1 by expm1(). The second difference of k^(2H) would lose two digits to cancellation for
# each factor of ten in the lag.
process_fgn_acf <- function(lags, hurst) {
  k <- lags[lags > 0]
  h <- 2 * hurst
  acf <- rep(1, length(lags))
  acf[lags > 0] <- k^h * (expm1(h * log1p(1 / k)) + expm1(h * log1p(-1 / k))) / 2
  acf
}

#' @rdname task_process
#' @export
task_ou <- function(length, rate, variance = 1, horizon = 1) {
  rate <- check_number(rate, min = 0, open = TRUE)
  name <- paste0("Ornstein-Uhlenbeck process (rate = ", task_label_numbers(rate), ")")
  named_process("ou", name, length, variance, horizon, \(lag) exp(-rate * lag))
}

#' @rdname task_process
#' @export
task_matern <- function(length, range, smoothness = 1.5, variance = 1, horizon = 1) {
  range <- check_number(range, min = 0, open = TRUE)
  smoothness <- check_process_smoothness(smoothness)
  name <- paste0("Matern process (range = ", task_label_numbers(range), ", smoothness = ",
    task_label_numbers(smoothness), ")")
  named_process("matern", name, length, variance, horizon, \(lag) process_matern_acf(lag, range, smoothness))
}

check_process_smoothness <- function(smoothness, call = rlang::caller_env()) {
  smoothness <- check_number(smoothness, min = 0, open = TRUE, call = call)
  check_number(smoothness, max = 50, call = call)
}

# The exponentially scaled Bessel function and logarithms avoid underflow at large lags. The Bessel function overflows
# where z is small and the smoothness far above 1. There, the first terms of the series are exact to rounding error.
process_matern_acf <- function(lag, range, smoothness) {
  z <- sqrt(2 * smoothness) * lag / range
  bessel <- besselK(z, smoothness, expon.scaled = TRUE)
  log_acf <- (1 - smoothness) * log(2) - lgamma(smoothness) + smoothness * log(z) - z +
    log(bessel)
  ifelse(lag == 0, 1, ifelse(is.finite(bessel), exp(log_acf), 1 - z^2 / (4 * (smoothness - 1))))
}

#' @rdname task_process
#' @export
task_powerlaw <- function(length, exponent, variance = 1, horizon = 1) {
  exponent <- check_number(exponent, min = 0, open = TRUE)
  name <- paste0("power-law memory (exponent = ", task_label_numbers(exponent), ")")
  named_process("powerlaw", name, length, variance, horizon, \(lag) (1 + lag)^-exponent)
}

#' @rdname task_process
#' @export
task_multiscale <- function(length, scales, weights = NULL, variance = 1, horizon = 1) {
  scales <- check_vector(scales, arg = "scales")
  if (length(scales) == 0L || any(scales <= 0)) {
    abort(c(
      "{.arg scales} must be positive numbers.",
      x = "It is {show_value(scales)}."
    ), "value")
  }
  if (is.null(weights)) weights <- rep(1, length(scales))
  weights <- check_process_weights(weights, length(scales))
  name <- paste0("multiscale process (scales = ", task_label_numbers(scales), ")")
  named_process("multiscale", name, length, variance, horizon, function(lag) {
    drop(exp(-outer(lag, scales, "/")) %*% (weights / sum(weights)))
  })
}

check_process_weights <- function(weights, length, call = rlang::caller_env()) {
  weights <- check_vector(weights, length = length, arg = "weights", call = call)
  if (any(weights < 0) || sum(weights) == 0) {
    abort(c(
      "{.arg weights} must not be negative, nor all zero.",
      x = "It is {show_value(weights)}."
    ), "value", call = call)
  }
  weights
}

#' @rdname task_process
#' @export
task_periodic <- function(length, period, damping = 0.98, noise = 0.1, variance = 1, horizon = 1) {
  period <- check_number(period, min = 2)
  damping <- check_number(damping, min = 0, max = 1)
  noise <- check_number(noise, min = 0, max = 1)
  name <- paste0("stochastic cycle (period = ", task_label_numbers(period), ")")
  named_process("periodic", name, length, variance, horizon, function(lag) {
    ifelse(lag == 0, 1, (1 - noise) * damping^lag * cos(2 * pi * lag / period))
  })
}
