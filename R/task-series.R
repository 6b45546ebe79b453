# Tasks from one series: rows are its sliding windows.

#' A task from your own series
#'
#' Predict a series from its last `length` values. Row t has the inputs
#' `s_(t-length+1), .., s_t`, the oldest first, and the output `s_(t+horizon)`;
#' several horizons make several outputs, and only rows that have them all are kept.
#' The last share of the rows is held out, so that every held-out value lies after
#' all the values that were trained on, as inputs or as outputs. With several
#' horizons the `max(horizon) - min(horizon)` rows before the held-out ones predict
#' some of the same values, so they are left out.
#'
#' Several columns are several channels: all of them are inputs, and all of them
#' are predicted, at each horizon in turn. Nothing is differenced or imputed. Networks are trained on standardised
#' channels ([task_data()]): each channel has one centre and one standard deviation, over the windows that a fit trains
#' on, as input and as response.
#'
#' @param series A numeric vector or a `ts`; a matrix or a multivariate `ts` has one
#'   channel per column. Time runs down, the oldest value first.
#' @param length Number of past values that are seen.
#' @param horizon How many steps ahead to predict: one whole number, or several in
#'   increasing order.
#' @param test Share of the rows to hold out, from the end, rounded to whole rows; 0
#'   for none.
#' @param standardise As in [task_data()].
#' @returns A task of class `ca_task` whose input is a sequence of `length`
#'   positions. Its moments are those of the training rows, and its field `data` is
#'   a list of matrices `x`, `y`, `x_test`, `y_test`.
#' @section Errors:
#' Series shorter than `length + max(horizon)` (class `capalloc_error_shape`);
#' missing or infinite values, named by position, and a `test` that leaves no row to
#' train on (`capalloc_error_value`); anything that is not numbers, data frames,
#' dates and names of columns among them (`capalloc_error_type`).
#' @seealso [task_data()] for rows of your own, [task_process()] for processes with
#'   a known law.
#' @examples
#' task <- task_series(sunspots, length = 32)
#' task
#' nrow(task$data$x_test)
#' task_series(sunspots, length = 32, horizon = c(1, 12))
#' @export
task_series <- function(series, length, horizon = 1, test = 0.2, standardise = TRUE) {
  standardise <- check_standardise(standardise)
  series <- check_series(series)
  check_squares(series, "series")
  length <- check_count(length)
  horizon <- check_horizon(horizon)
  channels <- ncol(series)
  needed <- as.numeric(length) + max(horizon)
  rows <- nrow(series) - needed + 1
  if (rows < 1) {
    abort(c(
      "{.arg series} must have at least {.arg length} + {.code max(horizon)} = {needed} values.",
      x = "It has {nrow(series)}."
    ), "shape")
  }
  held_out <- count_held_out(test, rows)
  train <- count_training(rows, held_out, horizon, test)
  # Row i is the window that begins at time i.
  begins <- c(seq_len(train), rows - held_out + seq_len(held_out))
  names <- colnames(series)
  input <- new_input("sequence", channels, 1L, length, labels = window_labels(names, length))
  label <- process_label(paste("series of", nrow(series), "values"), length, horizon)
  if (is.null(names) && channels > 1L && length(horizon) > 1L) names <- paste("channel", seq_len(channels))
  series <- plain_matrix(series)
  y <- lapply(horizon, function(h) series[begins + length + h - 1L, , drop = FALSE])
  new_data_task(
    "series", label, input, sliding_windows(series, length, begins), do.call(cbind, y),
    held_out = train + seq_len(held_out), output_labels = horizon_labels(horizon, names), standardise = standardise,
    channel = rep(seq_len(channels), times = length(horizon))
  )
}

# Returns the number of training rows, which are the first ones. The latest output of the last training row lies before
# the earliest output of the first held-out row.
count_training <- function(rows, held_out, horizon, test, call = rlang::caller_env()) {
  if (held_out == 0L) return(rows)
  between <- max(horizon) - min(horizon)
  if (rows - held_out - between < 1) {
    abort(c(
      "{.arg test} must leave at least one row to train on.",
      x = "It is {format(test)}, which holds out {held_out} of {rows} rows. Horizons from
        {min(horizon)} to {max(horizon)} would leave out {between} more.",
      i = "Use a longer {.arg series}, horizons that are closer together, or {.code test = 0}."
    ), "value", call = call)
  }
  rows - held_out - between
}

# Returns the windows of a series (windows x (channels length)), channel-fastest. The window that begins at time i has
# the rows i, .., i + length - 1 of the series.
sliding_windows <- function(series, length, begins) {
  windows <- array(0, c(length(begins), ncol(series), length))
  for (position in seq_len(length)) {
    windows[, , position] <- series[begins + position - 1L, ]
  }
  matrix(windows, length(begins))
}

# Returns names of the inputs made from the names of the columns: level[1], rate[1], level[2], ..
window_labels <- function(names, length) {
  if (is.null(names)) return(NULL)
  paste0(names, "[", rep(seq_len(length), each = length(names)), "]")
}

# Returns the series as a matrix (times x channels).
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
