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
#' Several columns are several channels: all of them are inputs, and those in `target` (all by default) are predicted,
#' at each horizon in turn. Nothing is differenced or imputed. Networks are trained on standardised
#' channels ([task_data()]): each channel has one centre and one standard deviation, over the windows that a fit trains
#' on, as input and as response.
#'
#' @section A set of lags:
#' With `lags` instead of `length` the inputs are a vector ([input_vector()]) with one entry for each lag and column,
#' the oldest lag first. They are named `<name>.lag12`, and their `lag` is filled in results, so that partitions by lag
#' work. Lag 1 is the newest value s_t, as in a full window. Layers along a sequence refuse such a task. Columns in
#' `known` are known ahead, such as a calendar or a price that is set: their values at the time of the prediction are
#' inputs, with lag `NA`, one for each horizon.
#'
#' @param series A numeric vector or a `ts`; a matrix, a multivariate `ts` or a data frame has one channel per column.
#'   Time runs down, the oldest value first. Objects of zoo, xts and tsibble, and data frames with one column of dates
#'   or times, are read with their time, which must be regular: a gap is an error.
#' @param length Number of past values that are seen.
#' @param horizon How many steps ahead to predict: one whole number, or several in
#'   increasing order.
#' @param test What to hold out: a share of the rows, from the end, rounded to whole rows, 0 for none; `"last"`, which
#'   is 0.2; the numbers of the last times of the series, such as `181:200`; or the first time that is held out (a date
#'   for an index of dates, a number such as 1980 for a `ts`). Rows whose first predicted value is held out are test
#'   rows.
#' @param standardise As in [task_data()].
#' @param target Names or numbers of the columns that are predicted; `NULL` for all that are not in `known`.
#' @param lags A set of lags, such as `c(1, 2, 12)`, instead of `length`.
#' @param known Names or numbers of columns that are known ahead. They need `lags`.
#' @returns A task of class `ca_task` whose input is a sequence of `length`
#'   positions, or a vector of lags. Its moments are those of the training rows, and its field `data` is
#'   a list of matrices `x`, `y`, `x_test`, `y_test`. For the `mase` of comparisons it keeps the mean absolute error of
#'   the seasonal naive forecast within the training part, by output; the season is the frequency of a `ts`, else 1.
#' @section Errors:
#' Series shorter than `length + max(horizon)` (class `capalloc_error_shape`);
#' missing or infinite values, named by position, an index with a gap, and a `test` that leaves no row to
#' train on (`capalloc_error_value`); anything that is not numbers, character columns and names of columns among them
#' (`capalloc_error_type`).
#' @seealso [task_data()] for rows of your own, [task_process()] for processes with
#'   a known law.
#' @examples
#' task <- task_series(sunspots, length = 32)
#' task
#' nrow(task$data$x_test)
#' task_series(sunspots, length = 32, horizon = c(1, 12))
#'
#' # the DAX from four indices, and a set of lags
#' task_series(EuStockMarkets, length = 8, target = "DAX")
#' task_series(log(AirPassengers), lags = c(1, 2, 12, 13), test = 1959)
#' @export
task_series <- function(series, length = NULL, horizon = 1, test = 0.2, standardise = TRUE, target = NULL, lags = NULL,
                        known = NULL) {
  standardise <- check_data_standardise(standardise)
  read <- index_read_series(series)
  series <- read$values
  check_task_squares(series, "series")
  horizon <- check_process_horizon(horizon)
  lags <- check_series_lags(lags, length)
  length <- if (is.null(lags)) check_count(length) else max(lags)
  known <- check_series_columns(known, series)
  target <- check_series_targets(target, known, series)
  if (length(known) > 0L && is.null(lags)) {
    abort(c("{.arg known} needs {.arg lags}: columns that are known ahead have no place in a window.",
      i = "Use {.code lags = 1:{length}} for all values of the window."), "value")
  }
  needed <- as.numeric(length) + max(horizon)
  rows <- nrow(series) - needed + 1
  if (rows < 1) {
    abort(c(
      "{.arg series} must have at least {.arg length} + {.code max(horizon)} = {needed} values.",
      x = "It has {nrow(series)}."
    ), "shape")
  }
  held_out <- count_series_held_out(test, rows, length + min(horizon), read)
  train <- series_count_training(rows, held_out, horizon, test)
  # Row i is the window that begins at time i.
  begins <- seq_len(rows)
  names <- colnames(series)
  plain <- task_plain_matrix(series)
  of_target <- names[target]
  if (is.null(names) && ncol(series) > 1L && length(horizon) > 1L) of_target <- paste("channel", target)
  window <- if (is.null(lags)) series_window_inputs(plain, names, length, begins) else
    series_lag_inputs(plain, names, lags, known, horizon, begins)
  y <- lapply(horizon, function(h) plain[begins + length + h - 1L, target, drop = FALSE])
  trained <- plain[seq_len(train + needed - 1), target, drop = FALSE]
  division <- new_task_division(
    nrow(series), begins, seq_len(train), rows - held_out + seq_len(held_out), ordered = TRUE,
    values = plain[, target, drop = FALSE], window = length, period = read$period
  )
  new_data_task(
    "series", series_label(nrow(series), length, lags, horizon), window$input, window$x, do.call(cbind, y),
    division, output_labels = process_horizon_labels(horizon, of_target), standardise = standardise,
    channel = if (is.null(lags)) rep(target, times = length(horizon)), horizon = horizon,
    naive = rep(series_naive_errors(trained, read$period), times = length(horizon))
  )
}

# Returns list(input, x): the sequence of full windows, and its rows.
series_window_inputs <- function(series, names, length, begins) {
  list(
    input = new_input("sequence", ncol(series), 1L, length, labels = series_window_labels(names, length)),
    x = series_sliding_windows(series, length, begins)
  )
}

# Returns list(input, x): the vector of lags, oldest first and columns fastest, then the known columns at each horizon.
series_lag_inputs <- function(series, names, lags, known, horizon, begins) {
  lags <- rev(lags)
  lagged <- setdiff(seq_len(ncol(series)), known)
  newest <- begins + lags[[1L]] - 1L # times of lag 1
  x <- lapply(lags, function(lag) series[newest + 1L - lag, lagged, drop = FALSE])
  ahead <- lapply(if (length(known) > 0L) horizon, function(h) series[newest + h, known, drop = FALSE])
  if (is.null(names)) names <- if (ncol(series) > 1L) paste0("x", seq_len(ncol(series))) else "x"
  at_horizon <- if (length(horizon) > 1L) paste0(" at h = ", rep(horizon, each = length(known))) else ""
  labels <- c(
    paste0(names[lagged], ".lag", rep(lags, each = length(lagged))),
    if (length(known) > 0L) paste0(names[known], at_horizon)
  )
  lag <- c(rep(lags, each = length(lagged)), rep(NA_integer_, length(known) * length(horizon)))
  list(input = new_input("vector", length(labels), labels = labels, lag = lag), x = do.call(cbind, c(x, ahead)))
}

series_label <- function(n, length, lags, horizon) {
  label <- process_label(paste("series of", n, "values"), length, horizon)
  if (is.null(lags)) return(label)
  sub(paste0("length ", length), paste("lags", task_shorten(sprintf("%d", lags), 6L)), label, fixed = TRUE)
}

# Mean absolute error of the seasonal naive forecast s_(t - period) of each column, NA for series that are too short.
series_naive_errors <- function(series, period) {
  if (nrow(series) <= period) return(rep(NA_real_, ncol(series)))
  colMeans(abs(diff(series, lag = period)))
}

check_series_lags <- function(lags, length, call = rlang::caller_env()) {
  if (is.null(lags) && is.null(length)) {
    abort(c("{.arg length} is missing.", i = "Give the number of past values, or {.arg lags} = a set of them."),
      "type", call = call)
  }
  if (is.null(lags)) return(NULL)
  if (!is.null(length)) {
    abort(c("Only one of {.arg length} and {.arg lags} can be given.",
      i = "{.arg lags} = {.code 1:12} are all values of a window of 12, as a vector."), "value", call = call)
  }
  ok <- is.numeric(lags) && length(lags) > 0L && all(is.finite(lags)) &&
    all(lags == floor(lags), lags >= 1, lags <= .Machine$integer.max) && anyDuplicated(lags) == 0L
  if (!ok) {
    abort(c("{.arg lags} must be different whole numbers, 1 or more; lag 1 is the newest value.",
      x = "It is {show_value(lags)}."), "value", call = call)
  }
  sort(as.integer(lags))
}

# Returns the numbers of columns that are given by name or number.
check_series_columns <- function(columns, series, arg = rlang::caller_arg(columns), call = rlang::caller_env()) {
  force(arg)
  if (is.null(columns)) return(integer())
  all <- colnames(series)
  at <- if (is.character(columns)) match(columns, all) else match(columns, seq_len(ncol(series)))
  if (length(columns) == 0L || anyNA(at) || anyDuplicated(at) > 0L) {
    wrong <- if (length(columns) > 0L) columns[is.na(at) | duplicated(at)]
    has <- if (is.null(all)) "{.arg series} has columns 1 to {ncol(series)}, without names." else
      "The columns of {.arg series} are {.val {all}}."
    abort(c("{.arg {arg}} must be different names or numbers of columns of {.arg series}.",
      x = if (length(columns) == 0L) "It is empty." else "It has {show_value(wrong[[1L]])}.", i = has),
      "value", call = call)
  }
  at
}

check_series_targets <- function(target, known, series, call = rlang::caller_env()) {
  if (is.null(target)) target <- setdiff(seq_len(ncol(series)), known) else {
    target <- check_series_columns(target, series, arg = "target", call = call)
  }
  if (length(target) == 0L) abort("{.arg known} must leave a column to predict.", "value", call = call)
  both <- intersect(target, known)
  if (length(both) > 0L) {
    abort(c("A column in {.arg target} cannot be in {.arg known}.",
      x = "Column {both[[1L]]} is in both."), "value", call = call)
  }
  target
}

# Returns the number of rows to hold out, which are the last ones. The first predicted value of row i is at time i +
# `ahead` - 1.
count_series_held_out <- function(test, rows, ahead, read, call = rlang::caller_env()) {
  if (identical(test, "last")) test <- 0.2
  share <- is.numeric(test) && length(test) == 1L && !is.na(test) && test <= 1
  if (share || !(is.numeric(test) || is_index_time(test) || is.character(test))) {
    return(data_count_held_out(test, rows, call = call))
  }
  n <- nrow(read$values)
  is_rows <- is.numeric(test) && length(test) > 1L
  from <- if (is_rows) series_first_of_last(test, n, call) else series_first_from(test, read, call)
  held_out <- sum(seq_len(rows) + ahead - 1 >= from)
  if (held_out == 0L || held_out >= rows) {
    abort(c(
      "{.arg test} must leave rows to train on and rows to test.",
      x = "It holds out {held_out} of {rows}."
    ), "value", call = call)
  }
  held_out
}

# The first day of the months or quarters of zoo, which are years and their fractions.
series_first_day <- function(index) {
  months <- round(12 * as.double(unclass(index)))
  as.Date(sprintf("%d-%02d-01", months %/% 12, months %% 12 + 1))
}

# Numbers of times must be the last ones, since training rows lie before all held-out values.
series_first_of_last <- function(test, n, call) {
  test <- sort(unique(test))
  if (anyNA(test) || !identical(as.double(test), as.double(seq(n - length(test) + 1, n)))) {
    abort(c("The times in {.arg test} must be the last ones of the series, such as {.code {max(n - 9, 1)}:{n}}.",
      x = "They are {show_value(test)}; training rows lie before all held-out values."), "value", call = call)
  }
  test[[1L]]
}

# Number of the first time that is not before a date or time.
series_first_from <- function(test, read, call) {
  if (is.null(read$index) || length(test) != 1L) {
    abort(c(
      "{.arg test} must be a share of the rows, {.val last}, the numbers of the last times, or the first time that is
        held out.",
      x = if (is.null(read$index)) "It is {show_value(test)}, and {.arg series} has no times." else
        "It is {show_value(test)}."
    ), "value", call = call)
  }
  index <- read$index
  if (is.character(test)) {
    test <- tryCatch(as.Date(test), error = function(e) NULL)
    if (is.null(test)) abort(c("{.arg test} must be a date, such as {.val 2020-01-31}."), "value", call = call)
  }
  if (is_index_time(index) && !is_index_time(test)) {
    abort(c("{.arg test} must be a date or time, as the index of {.arg series}.", x = "It is {show_value(test)}."),
      "value", call = call)
  }
  if (inherits(index, "POSIXt") && inherits(test, "Date")) {
    test <- as.POSIXct(format(test), tz = format(index[1L], "%Z"))
  }
  if (inherits(index, c("yearmon", "yearqtr")) && inherits(test, "Date")) index <- series_first_day(index)
  from <- which(as.double(unclass(index)) >= as.double(unclass(test)) - 1e-9)
  if (length(from) == 0L) {
    abort(c("{.arg test} must lie within the index of {.arg series}.",
      x = "The last time is {index_time_text(index, length(index))}."), "value", call = call)
  }
  from[[1L]]
}

# Returns the number of training rows, which are the first ones. The latest output of the last training row lies before
# the earliest output of the first held-out row.
series_count_training <- function(rows, held_out, horizon, test, call = rlang::caller_env()) {
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
series_sliding_windows <- function(series, length, begins) {
  windows <- array(0, c(length(begins), ncol(series), length))
  for (position in seq_len(length)) {
    windows[, , position] <- series[begins + position - 1L, ]
  }
  matrix(windows, length(begins))
}

# Returns names of the inputs made from the names of the columns: level[1], rate[1], level[2], ..
series_window_labels <- function(names, length) {
  if (is.null(names)) return(NULL)
  paste0(names, "[", rep(seq_len(length), each = length(names)), "]")
}
