# A series with its time: values as a matrix, and an index that has no gaps.

# Returns list(values, index, period): values (times x channels) with the names of the columns, the time of each row
# (NULL for plain numbers), and the length of the season, 1 without one.
index_read_series <- function(series, call = rlang::caller_env()) {
  read <- if (inherits(series, "tbl_ts")) {
    index_tsibble_series(series, call)
  } else if (is.data.frame(series)) {
    index_frame_series(series, call)
  } else if (inherits(series, "zoo")) { # xts, too
    index <- attr(series, "index")
    list(values = index_zoo_values(series), index = if (inherits(series, "xts")) xts_index(index) else index)
  } else {
    list(values = series, index = if (stats::is.ts(series)) as.double(stats::time(series)))
  }
  period <- if (stats::is.ts(series)) stats::frequency(series) else 1
  values <- check_index_series(read$values, call)
  check_index_columns(colnames(values), "series", call)
  check_index(read$index, nrow(values), call)
  whole <- period >= 2 && period == floor(period)
  list(values = values, index = read$index, period = if (whole) as.integer(period) else 1L)
}

# The data of a zoo or xts object, read from its fields so that neither package is needed.
index_zoo_values <- function(series) {
  values <- unclass(series)
  attributes(values) <- attributes(values)[intersect(c("dim", "dimnames"), names(attributes(values)))]
  if (length(dim(values)) == 2L) dimnames(values) <- list(NULL, colnames(values))
  values
}

# The index of an xts object is in seconds, and its `tclass` is the class that users see.
xts_index <- function(index) {
  times <- as.POSIXct(as.double(index), origin = "1970-01-01", tz = c(attr(index, "tzone"), "UTC")[[1L]])
  if (any(attr(index, "tclass") %in% "POSIXct")) times else as.Date(format(times, "%Y-%m-%d"))
}

# Columns of a tsibble. Several series in one table are refused: their rows are not one sequence.
index_tsibble_series <- function(series, call) {
  keys <- attr(series, "key")
  if (!is.null(keys) && nrow(keys) > 1L) {
    abort(c(
      "{.arg series} must be one series.",
      x = "It is a tsibble with {nrow(keys)} of them, by {.val {setdiff(names(keys), '.rows')}}.",
      i = "Filter one, or make a task for each."
    ), "shape", call = call)
  }
  index <- as.character(attr(series, "index"))
  keys <- setdiff(names(keys), ".rows")
  list(
    values = index_numeric_columns(as.list(series)[setdiff(names(series), c(index, keys))], call),
      index = series[[index]]
  )
}

# Columns of a data frame; a column of dates or times is the index.
index_frame_series <- function(series, call) {
  columns <- as.list(series)
  timed <- vapply(columns, is_index_time, NA)
  if (sum(timed) > 1L) {
    abort(c(
      "{.arg series} must have at most one column of dates or times.",
      x = "It has {.val {names(columns)[timed]}}."
    ), "value", call = call)
  }
  list(values = index_numeric_columns(columns[!timed], call), index = if (any(timed)) columns[[which(timed)]])
}

index_numeric_columns <- function(columns, call) {
  numeric <- vapply(columns, is.numeric, NA)
  if (length(columns) == 0L || !all(numeric)) {
    column <- names(columns)[!numeric]
    abort(c(
      "{.arg series} must have numeric columns, beside one of dates or times.",
      x = if (length(columns) == 0L) "It has none." else "Column {.val {column[[1L]]}} is
        {show_value(columns[[column[[1L]]]])}.",
      i = "Select columns by name, such as {.code data[c(\"sales\", \"price\")]}."
    ), "type", call = call)
  }
  do.call(cbind, lapply(columns, as.double))
}

# Dates, times, and the months, quarters and weeks of zoo and tsibble.
is_index_time <- function(x) {
  inherits(x, c("Date", "POSIXt", "yearmon", "yearqtr", "yearmonth", "yearquarter", "yearweek"))
}

# Names of columns must tell them apart.
check_index_columns <- function(names, arg, call = rlang::caller_env()) {
  if (is.null(names)) return(invisible())
  if (anyNA(names) || any(names == "")) {
    abort(c("Every column of {.arg {arg}} must have a name, or none.",
      x = "Column {which(is.na(names) | names == '')[[1L]]} has none."), "value", call = call)
  }
  if (anyDuplicated(names) > 0L) {
    abort(c("Columns of {.arg {arg}} must have different names.",
      x = "{.val {names[anyDuplicated(names)]}} occurs {sum(names == names[anyDuplicated(names)])} times."),
      "value", call = call)
  }
  invisible()
}

# Raises an error for an index that is not increasing, or has a gap, which is named by the times around it.
check_index <- function(index, n, call) {
  if (is.null(index)) return(invisible())
  if (length(index) != n || anyNA(index)) {
    abort("The index of {.arg series} must have a time for each row.", "value", call = call)
  }
  if (n < 3L) return(invisible())
  steps <- index_steps(index)
  if (any(steps <= 0)) {
    at <- which(steps <= 0)[[1L]]
    abort(c("The index of {.arg series} must increase.",
      x = "{index_time_text(index, at + 1L)} comes after {index_time_text(index, at)}."), "value", call = call)
  }
  step <- stats::median(steps)
  rounding <- if (is.list(index)) 0 else 8 * .Machine$double.eps * max(abs(as.double(unclass(index))))
  irregular <- which(abs(steps - step) > 1e-6 * step + rounding)
  if (length(irregular) == 0L) return(invisible())
  at <- irregular[[1L]]
  abort(c(
    "The index of {.arg series} must be regular.",
    x = "From {index_time_text(index, at)} to {index_time_text(index, at + 1L)} it moves by
      {format(steps[[at]] / step, digits = 3)} times its usual step; steps that differ: {length(irregular)}
      of {length(steps)}.",
    i = "Fill the gap with values, or drop the index, for instance by {.fn as.matrix}, if the rows are consecutive."
  ), "value", call = call)
}

# Steps between times: in months if all are on the same day of a month, in days if all are at the same time of a day
# (days with a change of daylight saving time have 23 or 25 hours), else in the units of the index.
index_steps <- function(index) {
  if (inherits(index, c("Date", "POSIXt"))) {
    parts <- as.POSIXlt(index)
    clock <- parts$hour * 3600 + parts$min * 60 + parts$sec
    if (inherits(index, "POSIXt") && any(clock != clock[[1L]])) return(diff(as.double(as.POSIXct(index))))
    months <- 12 * parts$year + parts$mon
    if (all(parts$mday == parts$mday[[1L]]) && all(diff(months) > 0)) return(diff(months))
    dates <- as.Date(format(index, "%Y-%m-%d"))
    if (all(as.POSIXlt(dates + 1)$mday == 1L)) return(diff(months)) # ends of months
    return(diff(as.double(dates)))
  }
  if (inherits(index, c("yearmonth", "yearquarter"))) { # days of their first day
    parts <- as.POSIXlt(as.Date(as.double(unclass(index)), origin = "1970-01-01"))
    return(diff(12 * parts$year + parts$mon))
  }
  diff(as.double(unclass(index)))
}

index_time_text <- function(index, at) {
  if (inherits(index, "POSIXlt")) index <- as.POSIXct(index)
  if (is.numeric(index) && !is_index_time(index)) format(index[[at]], digits = 7) else trimws(format(index[at]))
}

# Returns the values of a series as a matrix (times x channels).
check_index_series <- function(series, call = rlang::caller_env()) {
  if (!is.numeric(series)) {
    hint <- if (is.character(series) && length(series) == 1L) {
      "Give the values themselves, such as {.code data[[\"{series}\"]]}."
    }
    abort(c(
      "{.arg series} must be a numeric vector, a {.cls ts}, a numeric matrix or a data frame of numbers.",
      x = "It is {show_value(series)}.",
      i = hint
    ), "type", call = call)
  }
  if (length(dim(series)) == 2L) return(check_matrix(series, arg = "series", call = call))
  matrix(check_vector(series, arg = "series", call = call))
}
