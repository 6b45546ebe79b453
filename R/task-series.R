# Tasks from one series: rows are its sliding windows.

#' A task from your own series
#'
#' Predict a series from its last `length` values. Row t has the inputs
#' `s_(t-length+1), .., s_t`, the oldest first, and the output `s_(t+horizon)`.
#' The last share of the rows is held out, so that every held-out value lies after
#' all the values that were trained on, as inputs or as outputs.
#'
#' Several columns are several channels: all of them are inputs, and all of them
#' are predicted. Nothing is centred, scaled, differenced or imputed: give networks
#' a bias where the series has a mean, or [scale()] it yourself.
#'
#' @param series A numeric vector or a `ts`; a matrix or a multivariate `ts` has one
#'   channel per column. Time runs down, the oldest value first.
#' @param length Number of past values that are seen.
#' @param horizon How many steps ahead to predict.
#' @param test Share of the rows to hold out, from the end, rounded to whole rows; 0
#'   for none.
#' @returns A task of class `ca_task` whose input is a sequence of `length`
#'   positions. Its moments are those of the training rows, and its field `data` is
#'   a list of matrices `x`, `y`, `x_test`, `y_test`.
#' @section Errors:
#' Series shorter than `length + horizon` (class `capalloc_error_shape`); missing or
#' infinite values, named by position (`capalloc_error_value`); anything that is not
#' numbers, data frames, dates and names of columns among them
#' (`capalloc_error_type`).
#' @seealso [task_data()] for rows of your own, [task_process()] for processes with
#'   a known law.
#' @examples
#' task <- task_series(sunspot.month, length = 32)
#' task
#' nrow(task$data$x_test)
#' @export
task_series <- function(series, length, horizon = 1, test = 0.2) {
  series <- check_series(series)
  length <- check_count(length)
  horizon <- check_count(horizon)
  channels <- ncol(series)
  needed <- as.numeric(length) + horizon
  rows <- nrow(series) - needed + 1
  if (rows < 1) {
    abort(c(
      "{.arg series} must have at least {.arg length} + {.arg horizon} = {needed} values.",
      x = "It has {nrow(series)}."
    ), "shape")
  }
  held_out <- seq_len(rows)[seq_len(rows) > rows - count_held_out(test, rows)]
  names <- colnames(series)
  input <- new_input("sequence", channels, 1L, length, labels = window_labels(names, length))
  label <- process_label(paste("series of", nrow(series), "values"), length, horizon)
  series <- plain_matrix(series)
  targets <- seq_len(rows) + length + horizon - 1L
  new_data_task(
    "series", label, input, sliding_windows(series, length, rows), series[targets, , drop = FALSE],
    held_out, output_labels = names
  )
}

# Window i holds rows i, .., i + length - 1, channel-fastest: rows x (length channels)
sliding_windows <- function(series, length, rows) {
  windows <- array(0, c(rows, ncol(series), length))
  for (position in seq_len(length)) {
    windows[, , position] <- series[seq_len(rows) + position - 1L, ]
  }
  matrix(windows, rows)
}

# Columns with names keep them: level[1], rate[1], level[2], ..
window_labels <- function(names, length) {
  if (is.null(names)) return(NULL)
  paste0(names, "[", rep(seq_len(length), each = length(names)), "]")
}

# Time x channels.
check_series <- function(series, call = rlang::caller_env()) {
  if (!is.numeric(series)) {
    hint <- if (is.data.frame(series) && length(series) > 0L) {
      column <- names(series)[[1L]]
      "Give one of its columns, such as {.code data[[\"{column}\"]]}."
    } else if (is.character(series) && length(series) == 1L) {
      "Give the values themselves, such as {.code data[[\"{series}\"]]}."
    }
    abort(c(
      "{.arg series} must be a numeric vector, a {.cls ts} or a numeric matrix.",
      x = "It is {show_value(series)}.",
      i = hint
    ), "type", call = call)
  }
  if (length(dim(series)) == 2L) return(check_matrix(series, arg = "series", call = call))
  matrix(check_vector(series, arg = "series", call = call))
}
