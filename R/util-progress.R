# Progress and remaining time of long computations, such as comparisons and refits.

# Returns body(advance). A call advance(n) reports that n more of `steps` steps are done; `before` steps were done at
# the start. Progress is shown in interactive sessions, or where the option `capalloc.progress` is TRUE: by progressr,
# or by a progress bar of cli where progressr is not installed.
with_progress <- function(steps, body, before = 0) {
  shown <- isTRUE(getOption("capalloc.progress", interactive() && !isTRUE(getOption("knitr.in.progress")) &&
    !nzchar(Sys.getenv("CI"))))
  left <- progress_time_left(steps, before)
  if (!has_package("progressr")) {
    return(if (shown) with_progress_bar(steps, before, left, body) else body(function(n) NULL))
  }
  report <- function() {
    step <- progressr::progressor(steps = steps)
    if (before > 0) step(amount = before)
    body(function(n) step(message = left(n), amount = n))
  }
  if (!shown) return(report())
  progressr::with_progress(report(), handlers = progress_handlers(), enable = TRUE)
}

# Returns the user's progressr handlers, or a progress bar that shows the remaining time.
progress_handlers <- function() {
  if (!is.null(getOption("progressr.handlers"))) return(progressr::handlers())
  progressr::handler_cli(format = bar_format, enable = TRUE)
}

bar_format <- "{cli::pb_bar} {cli::pb_current}/{cli::pb_total} {cli::pb_status}"

with_progress_bar <- function(steps, before, left, body) {
  bar <- cli::cli_progress_bar(total = steps, format = bar_format)
  cli::cli_progress_update(set = before, id = bar)
  out <- body(function(n) cli::cli_progress_update(n, status = left(n), id = bar))
  cli::cli_progress_done(id = bar)
  out
}

# Returns a function of the number of steps done since its last call. That function returns text with the expected
# remaining time at the rate so far.
progress_time_left <- function(steps, before) {
  begun <- proc.time()[["elapsed"]]
  done <- 0
  function(n) {
    done <<- done + n
    seconds <- (proc.time()[["elapsed"]] - begun) / done * (steps - before - done)
    paste(progress_seconds(seconds), "left")
  }
}

progress_seconds <- function(seconds) {
  units <- c(d = 86400, h = 3600, min = 60, s = 1)
  unit <- which(seconds >= units | units == 1)[[1L]]
  if (unit == 4L) return(paste(round(seconds), "s"))
  rest <- floor((seconds %% units[[unit]]) / units[[unit + 1L]])
  paste(floor(seconds / units[[unit]]), names(units)[[unit]], rest, names(units)[[unit + 1L]])
}
