# Time series models, as convolutions over a window or as recurrences.

# ---- autoregression ----------------------------------------------------------

#' @rdname as_network
#' @export
as_network.ar <- function(x, length = NULL, ...) {
  check_dots(...)
  if (x$order == 0) abort_import_constant()
  length <- check_ar_window(length, x$order)
  mean <- x$x.mean
  channels <- length(mean)
  lags <- array(x$ar, c(x$order, channels, channels)) # lag x output x input
  input <- new_input("sequence", channels, 1L, length, labels = series_window_labels(names(mean), length))
  constant <- if (any(mean != 0) || !is.null(x$x.intercept)) {
    intercept <- if (is.null(x$x.intercept)) 0 else x$x.intercept
    mean + intercept - drop(colSums(lags) %*% mean)
  }
  ar_window_network(input, lags, constant)
}

# Returns the length of the window. `least` is the number of past values that the terms of the model use.
check_ar_window <- function(length, least, default = least, call = rlang::caller_env()) {
  if (is.null(length)) return(as.integer(default))
  length <- check_count(length, call = call)
  if (length < least) {
    abort(c(
      "{.arg length} must be {least} or more, the number of past values that the model uses.",
      x = "It is {length}."
    ), "shape", call = call)
  }
  length
}

# One convolution, read at the newest position. `lags`: coefficients (lag x output x input).
ar_window_network <- function(input, lags, constant = NULL) {
  order <- nrow(lags)
  network <- layer_conv(new_network(input), ncol(lags), kernel = order, bias = !is.null(constant))
  if (input$shape[[3L]] > order) network <- layer_last(network)
  oldest_first <- lags[rev(seq_len(order)), , , drop = FALSE]
  mark_imported(set_coef(network, c(aperm(oldest_first, c(2L, 3L, 1L)), constant)))
}

# ---- ARIMA -------------------------------------------------------------------

#' @rdname as_network
#' @export
as_network.Arima <- function(x, length = NULL, ...) {
  check_dots(...)
  parts <- arima_parts(x)
  if (length(parts$theta) > 0L) return(ar_moving_average_network(parts, length))
  lags <- -ar_multiply(c(1, -parts$phi), c(1, -parts$delta))[-1L]
  if (length(lags) == 0L) abort_import_constant()
  length <- check_ar_window(length, length(lags))
  constant <- if (!is.null(parts$mean)) parts$mean * (1 - sum(lags))
  ar_window_network(new_input("sequence", 1L, 1L, length), array(lags, c(length(lags), 1L, 1L)), constant)
}

# Coefficients `phi`, `theta`, `delta` and `mean` (NULL without one) of an ARIMA model, seasonal factors multiplied out:
#   w_t = x_t - sum_i delta_i x_(t-i)
#   w_t - mean = sum_i phi_i (w_(t-i) - mean) + e_t + sum_i theta_i e_(t-i)
# `nobs` is the length of the series that the model was fitted to.
new_arima <- function(phi, theta, delta, mean, nobs) {
  list(phi = phi, theta = theta, delta = delta, mean = mean, nobs = nobs)
}

# Reads the coefficients of an ARIMA model.
arima_parts <- function(x, call = rlang::caller_env()) {
  others <- x$coef[seq_along(x$coef) > sum(x$arma[1:4])] # the first are ar, ma, seasonal ar and seasonal ma
  regressors <- setdiff(names(others), "intercept")
  if (length(regressors) > 0L) {
    abort_import_unsupported(c(
      x = "It has {length(regressors)} regressor{?s} besides the series: {.val {regressors}}."
    ), call)
  }
  if (!is.null(x$lambda)) {
    abort_import_unsupported(c(
      x = "It transforms its series (Box-Cox, lambda = {format(x$lambda)}).",
      i = "Fit the model to the transformed series."
    ), call)
  }
  theta <- x$model$theta # padded with zeros
  new_arima(
    phi = x$model$phi, theta = theta[seq_len(max(0, which(theta != 0)))], delta = x$model$Delta,
    mean = if (length(others) > 0L) others[["intercept"]], nobs = length(x$residuals)
  )
}

# Product of two polynomials. Coefficients are in order of increasing power.
ar_multiply <- function(a, b) {
  product <- numeric(length(a) + length(b) - 1L)
  for (i in seq_along(a)) {
    at <- i - 1L + seq_along(b)
    product[at] <- product[at] + a[[i]] * b
  }
  product
}

ar_moving_average_network <- function(parts, length, call = rlang::caller_env()) {
  state <- ar_innovations(parts$phi, parts$theta)
  check_ar_fading(state$fade, call)
  lost <- ar_lost_weight(parts, state)
  enough <- which(lost <= unseen_weight)[[1L]] - 1L # lost[[1]] is for a window of no values
  lag <- length(parts$delta)
  least <- lag + length(state$gain)
  length <- check_ar_window(length, least, max(least, min(lag + enough, parts$nobs)), call)
  seen <- length - lag
  inform_ar_truncation(length, if (seen < length(lost)) lost[[seen + 1L]] else 0, state$fade, lag + enough)
  network <- new_network(new_input("sequence", 1L, 1L, length))
  if (lag == 0L) ar_recurrent_network(network, state, parts$mean) else ar_differenced_network(network, state,
    parts$delta)
}

# The default window leaves out values whose weights sum to at most `unseen_weight`. A recursion whose weights need more
# than `longest_memory` steps to fall to that number is refused.
unseen_weight <- 1e-8
longest_memory <- 1e5

# The innovations form of an ARMA model at its steady state, h_t = transition h_(t-1) + gain w_t: `gain` (length r),
# `transition` (r x r) = T - K Z, which has -theta in its first column and ones above the diagonal, and `fade`, the
# spectral radius of `transition`.
new_ar_innovations <- function(gain, transition, fade) list(gain = gain, transition = transition, fade = fade)

ar_innovations <- function(phi, theta) {
  r <- max(length(phi), length(theta))
  pad <- function(x) c(x, numeric(r - length(x)))
  transition <- matrix(0, r, r)
  transition[, 1L] <- -pad(theta)
  above <- seq_len(r - 1L)
  transition[cbind(above, above + 1L)] <- 1
  fade <- max(Mod(eigen(transition, only.values = TRUE)$values))
  new_ar_innovations(pad(phi) + pad(theta), transition, fade)
}

check_ar_fading <- function(fade, call) {
  if (fade < 1 && log(unseen_weight) / log(fade) <= longest_memory) return(invisible())
  abort_import_unsupported(c(
    x = "The influence of past values on its predictions decays too slowly or not at all: its moving average has an
      inverse root of modulus {format(fade, digits = 6)}.",
    i = if (fade < 1.001) "A root on the unit circle often means that the series was differenced once too often."
  ), call)
}

# Weight that a window of k values leaves out: entry k + 1 is the sum of |pi_j| over j > k, with pi_j the weight of
# w_(t+1-j) in the prediction of w_(t+1), given by theta(B) pi(B) = phi(B). The infinite sum is truncated where its
# terms are below rounding.
ar_lost_weight <- function(parts, state) {
  reach <- length(state$gain) + ceiling(log(1e-18) / log(state$fade))
  weights <- stats::ARMAtoMA(ar = -parts$theta, ma = -parts$phi, lag.max = reach)
  c(rev(cumsum(rev(abs(weights)))), 0)
}

inform_ar_truncation <- function(length, lost, fade, enough) {
  cli::cli_inform(c(
    "The moving average depends on the whole past; this network uses the last {length} value{?s}.",
    i = "The weights of earlier values sum to {signif(lost, 2)} and decrease by a factor of {signif(fade, 4)} a step.",
    i = if (lost > unseen_weight) "{.code length = {enough}} brings that sum to 1e-8 or less."
  ), class = c("capalloc_message_truncation", "capalloc_message"))
}

# With a mean, the state is that of the deviations from it. The state before the window is zero, which is then a past
# that is equal to the mean.
ar_recurrent_network <- function(network, state, mean) {
  r <- length(state$gain)
  biased <- !is.null(mean)
  network |>
    layer_recurrent(r, bias = biased) |>
    layer_dense(1, bias = biased) |>
    set_coef(c(state$gain, state$transition, if (biased) -state$gain * mean, ar_first_unit(r), mean)) |>
    mark_imported()
}

# x_t is predicted by sum_i delta_i x_(t-i), the first branch, plus the prediction of w_t, the second branch.
ar_differenced_network <- function(network, state, delta) {
  r <- length(state$gain)
  lag <- length(delta)
  network |>
    layer_parallel(
      \(x) x |> layer_conv(1, kernel = lag) |> layer_last(),
      \(x) x |> layer_conv(1, kernel = lag + 1) |> layer_recurrent(r) |> layer_conv(1, kernel = 1)
    ) |>
    set_coef(c(rev(delta), rev(c(1, -delta)), state$gain, state$transition, ar_first_unit(r))) |>
    mark_imported()
}

ar_first_unit <- function(r) c(1, numeric(r - 1L))
