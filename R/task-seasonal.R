# A trend and a season: the only process task that is not stationary.

#' A task with a trend and a season
#'
#' The inputs are the last `length` values of a straight line with a periodic cycle
#' and white noise, position 1 the oldest, and the output is the next value, or the
#' values at each `horizon`. Line and cycle are drawn anew for every observation, so
#' a network has to find them in the window and to carry them on.
#'
#' With t = 1, .., length the positions of the inputs and t = length + h the time of
#' the output at horizon h,
#'
#' `s_t = a + b u_t + sum_k [c_k cos(2 pi k t / period) + d_k sin(2 pi k t / period)] + e_t`,
#' `u_t = (t - (length + 1) / 2) / length`,
#'
#' with k = 1, .., `harmonics` and all of these independent, Gaussian and of mean zero:
#' - `a` of variance `level`: the height of the line in the middle of the window;
#' - `b` of variance `trend`: its rise over `length` steps;
#' - `c_k` and `d_k` of variance `seasonal / harmonics`: every harmonic has a random phase
#'   and amplitude, and the cycle has variance `seasonal` at any one time;
#' - `e_t` of variance `noise`, anew at each time, that of the outputs among them.
#'
#' So the second moments, of which `Sigma`, `C` and `V` are the blocks, are
#'
#' `E[s_t s_t'] = level + trend u_t u_t' + (seasonal / harmonics) sum_k cos(2 pi k (t - t') / period) + noise [t = t']`.
#'
#' Without noise a window of `2 + 2 harmonics` values tells everything that follows.
#'
#' @inheritParams task_process
#' @param period Length of the cycle in steps, 2 or more; need not be whole.
#' @param trend,seasonal,noise,level Variances, in squared units of the series: of the
#'   line's rise over the window, of the cycle, of the white noise, and of the line's
#'   height in the middle of the window. Any may be 0, but not all.
#' @param harmonics Number of harmonics of the cycle, of equal variance, from 1 (a
#'   sine wave) to `period / 2`.
#' @returns A task of class `ca_task` with a sequence of `length` inputs and one
#'   output for each horizon.
#' @section Errors:
#' More harmonics than half the period, which one value a step cannot tell from slower
#' ones, and variances that are negative or all zero (class `capalloc_error_value`).
#' @seealso [task_periodic()] for a cycle that changes slowly; [bayes_loss()],
#'   [oracle_weights()], [task_demand()], [simulate.ca_task()].
#' @examples
#' task <- task_seasonal(length = 24, period = 12, noise = 0.1, horizon = c(1, 12))
#' task
#' oracle_weights(task)["h = 12", 13:24]
#' @export
task_seasonal <- function(length, period, trend = 1, seasonal = 1, noise = 0.1, harmonics = 1, horizon = 1,
                          level = 1) {
  length <- check_count(length)
  period <- check_number(period, min = 2)
  variances <- list(
    trend = check_number(trend, min = 0), seasonal = check_number(seasonal, min = 0),
    noise = check_number(noise, min = 0), level = check_number(level, min = 0)
  )
  harmonics <- check_seasonal_harmonics(harmonics, period)
  horizon <- check_process_horizon(horizon)
  if (all(variances == 0)) {
    abort(c(
      "{.arg trend}, {.arg seasonal}, {.arg noise} and {.arg level} must not all be zero.",
      x = "They are all zero, so there is nothing to predict."
    ), "value")
  }
  time <- c(seq_len(length), as.numeric(length) + horizon)
  covariance <- seasonal_covariance(time, (length + 1) / 2, length, period, harmonics, variances)
  name <- paste0("trend and season (period = ", task_label_numbers(period), ")")
  new_task(
    "seasonal", process_label(name, length, horizon), new_input("sequence", 1L, 1L, length),
    seasonal_split_moments(covariance, length), output_labels = process_horizon_labels(horizon)
  )
}

check_seasonal_harmonics <- function(harmonics, period, call = rlang::caller_env()) {
  harmonics <- check_count(harmonics, call = call)
  if (harmonics > period / 2) {
    abort(c(
      "{.arg harmonics} must be at most half the {.arg period}: {format(period / 2)}.",
      x = "It is {harmonics}."
    ), "value", call = call)
  }
  harmonics
}

# Returns the covariance matrix of the process (times x times). The trend is a random multiple of (t - middle) / scale.
seasonal_covariance <- function(time, middle, scale, period, harmonics, variances) {
  line <- (time - middle) / scale
  apart <- outer(time, time, `-`)
  cycle <- 0
  for (k in seq_len(harmonics)) cycle <- cycle + cos(2 * pi * k * apart / period)
  variances$level + variances$trend * outer(line, line) + variances$seasonal / harmonics * cycle +
    diag(variances$noise, length(time))
}

# Splits joint second moments of inputs and outputs, the n inputs first, into the moments of a task.
seasonal_split_moments <- function(covariance, n) {
  x <- seq_len(n)
  new_task_moments(covariance[x, x], covariance[x, -x, drop = FALSE], covariance[-x, -x])
}
