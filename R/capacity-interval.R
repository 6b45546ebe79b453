# Uncertainty of an allocation: its fit is trained again many times, with one or two sources of variation:
#
#   restarts  other starting weights, the same training sample
#   samples   other samples of the task, each refit warm-started at the trained weights
#   rows      a bootstrap of the training rows (by moving blocks for a series), each refit warm-started
#
# "restarts" together with another source varies both in each refit: the sample and the starting weights are drawn.
# capacity() is called on each refit with the arguments of the original call.

#' Intervals for an allocation
#'
#' How much the capacity of each input, or part, varies with the starting weights and with the data.
#'
#' The fit is trained again `times` times. Each refit varies the source that `over` names and leaves all else as it was:
#'
#' * `"restarts"`: other starting weights on the same sample (each the best of as many as the fit had). An
#'   interval describes the allocations of other starts. Convex networks have one optimum, so that they do not vary;
#'   other networks may end at several optima, and over-parameterised ones at different allocations of the same loss.
#' * `"samples"`: other samples of as many rows from a synthetic task, each refit warm-started at the trained weights.
#'   An interval describes the allocation of another such sample. The fit must have a finite `n_obs`.
#' * `"rows"`: the training rows drawn again with replacement, each refit warm-started at the trained weights: the
#'   bootstrap, for data whose distribution is not known. Rows of a series come in blocks of neighbours
#'   (`block_length`), so that their dependence is kept. An interval is one for the allocation that unlimited data would
#'   give. Rows set aside for early stopping stay as they are.
#' * `c("rows", "restarts")` or `c("samples", "restarts")`: both at once. Each refit draws its rows or its sample, and
#'   trains from other starting weights too. A warm start stays near the optimum of the fit, so that intervals over rows
#'   alone are too narrow where training has several optima; these cover both sources.
#'
#' `std.error` is the standard deviation over refits, `conf.low` and `conf.high` are their quantiles: intervals stay
#' within what capacities can be, and hold input by input. Allocations of networks whose rank is that of a free linear
#' model do not vary.
#'
#' A refit that diverges is left out, and one that does not converge (though the fit itself has) is kept: a warning of
#' class `capalloc_warning_refits` counts them.
#'
#' @param x A capacity, from [capacity()] of a fit.
#' @param conf.int Whether to add intervals.
#' @param conf.level Their level.
#' @param over `"restarts"`, `"samples"` or `"rows"`, or `"restarts"` with one of the others. The default is
#'   `"restarts"`.
#' @param times Number of refits.
#' @param block_length For `"rows"` of a series: the length of a block. `NULL` means the window of the task, or the
#'   cube root of the number of rows where that is more, and at most half of them.
#' @param seed A whole number, or `NULL` to draw it from R's own stream.
#' @param ... Not used.
#' @returns A data frame: the rows of `x`, for trained networks with `capacity_low` (what is decided of each capacity,
#'   see the section on the rank in [capacity()]), and with intervals `std.error`, `conf.low`, `conf.high`.
#' @section Errors:
#' `capalloc_error_value`: a capacity of a bare network, which has no training to repeat; `"samples"` of a
#' fit on data or on a population; `"rows"` of a fit on a population; groups of samples (`by`) without fixed `data`.
#' @references Kuensch (1989), The jackknife and the bootstrap for general stationary observations,
#'   \doi{10.1214/aos/1176347265}, for blocks.
#' @seealso [capacity_difference()] for two architectures of a comparison.
#' @examples
#' trained <- fit(arch_dilated(8), task_fgn(8, 0.8), n_obs = 300, seed = 1)
#' generics::tidy(capacity(trained), conf.int = TRUE, over = "rows", times = 20, seed = 1)
#' @export
tidy.ca_capacity <- function(x, conf.int = FALSE, conf.level = 0.95, over = c("restarts", "samples", "rows"),
                             times = 200, block_length = NULL, seed = NULL, ...) {
  check_dots(...)
  rows <- plain_frame(x)
  rows$capacity_low <- attr(x, "capacity_low")
  if (!check_flag(conf.int)) {
    warn_unused(unused_of(conf.level = missing(conf.level), over = missing(over), times = missing(times),
      block_length = missing(block_length)), "It belongs to intervals: add {.code conf.int = TRUE}.")
    return(rows)
  }
  conf.level <- check_number(conf.level, min = 0, max = 1, open = TRUE)
  over <- check_interval_over(over)
  times <- check_count(times, min = 2L)
  source <- check_interval_source(x, over)
  block_length <- check_interval_block_length(block_length, source$fit, over)
  draws <- interval_refits(source, over, times, block_length, draw_seed(seed))
  # refits x rows
  rows$std.error <- apply(draws, 2L, stats::sd)
  rows$std.error[rows$std.error <= same_capacity] <- 0
  tails <- c((1 - conf.level) / 2, (1 + conf.level) / 2)
  ends <- apply(draws, 2L, stats::quantile, tails, type = 6L, names = FALSE)
  rows$conf.low <- ends[1L, ]
  rows$conf.high <- ends[2L, ]
  rows
}

refit_sources <- c("restarts", "samples", "rows")

# `over` as one source, or "restarts" before one other source. The default of the argument, all three sources, stands
# for "restarts".
check_interval_over <- function(over, call = rlang::caller_env()) {
  if (identical(over, refit_sources)) return("restarts")
  if (length(over) <= 1L || !is.character(over) || !all(over %in% refit_sources)) {
    return(check_choice(over, refit_sources, arg = "over", call = call))
  }
  over <- refit_sources[refit_sources %in% over]
  if (length(over) < 2L || identical(over[[1L]], "restarts") && length(over) == 2L) return(over)
  abort(c(
    "{.arg over} can hold {.val restarts} together with one of {.val samples} and {.val rows}.",
    x = "It has {.val {over}}."
  ), "value", call = call)
}

# The source of the capacity x. An error where its fit cannot be trained again with `over` varied.
check_interval_source <- function(x, over, call = rlang::caller_env()) {
  source <- attr(x, "source")
  if (is.null(source)) {
    abort(c(
      "Only the capacity of a fit has intervals: a network without its fit cannot be trained again.",
      i = "Use {.code capacity(fit(network, task))}."
    ), "value", call = call)
  }
  fit <- source$fit
  if ("rows" %in% over && is.null(fit$rows)) {
    abort(c(
      "{.arg over} can be {.val rows} only where the fit was trained on rows.",
      x = "It was trained on population moments.",
      i = "Train on a sample with {.code fit(n_obs = )}."
    ), "value", call = call)
  }
  if ("samples" %in% over && (is.null(fit$rows) || is_data_task(fit$task))) {
    abort(c(
      "{.arg over} can be {.val samples} only where the fit was trained on a sample of a synthetic task.",
      x = if (is_data_task(fit$task)) "The distribution of its data is not known." else
        "It was trained on population moments.",
      i = if (is_data_task(fit$task)) "Resample its rows with {.code over = \"rows\"}." else
        "Train on a sample with {.code fit(n_obs = )}."
    ), "value", call = call)
  }
  if (!identical(over, "restarts") && !is.null(source$asked$by) && is.null(source$asked$data)) {
    abort(c(
      "Intervals over {setdiff(over, 'restarts')} for groups of samples need fixed inputs: the training inputs change
        with each refit.",
      i = "Pass {.arg data} to {.fn capacity}."
    ), "value", call = call)
  }
  source
}

# The length of a block of rows: 1, except for the bootstrap of a series.
check_interval_block_length <- function(block_length, fit, over, call = rlang::caller_env()) {
  if (!"rows" %in% over || !interval_in_time_order(fit)) {
    if (is.null(block_length)) return(1L)
    abort(c(
      "{.arg block_length} can be given only for {.code over = \"rows\"} and a fit on all rows of a series.",
      x = "It is {show_value(block_length)}."
    ), "value", call = call)
  }
  N <- nrow(fit$rows$x)
  if (is.null(block_length)) {
    return(default_block_length(N, fit$task$input$shape[[3L]]))
  }
  block_length <- check_count(block_length, call = call)
  if (block_length <= N) return(block_length)
  abort(c("{.arg block_length} must be at most {N}, the number of rows.", x = "It is {block_length}."), "value",
    call = call)
}

# Whether a fit was trained on all rows of a series in order of time, except last ones that were set aside.
interval_in_time_order <- function(fit) {
  if (fit$task$kind != "series" || is.null(fit$rows)) return(FALSE)
  N <- nrow(fit$rows$x)
  N <= nrow(fit$task$data$x) && identical(fit$rows$x, fit$task$data$x[seq_len(N), , drop = FALSE])
}

# ---- refits -------------------------------------------------------------------------------------------

# The capacities of refits (refits x rows of the capacity). Refits that failed are left out.
interval_refits <- function(source, over, times, block_length, seed, call = rlang::caller_env()) {
  seeds <- derive_seeds(seed, times)
  refits <- vector("list", times)
  with_progress(times, function(advance) {
    for (i in seq_len(times)) {
      refits[[i]] <<- interval_refit_once(source, over, block_length, seeds[[i]])
      advance(1)
    }
  })
  lost <- vapply(refits, function(one) is.null(one$capacity), NA)
  if (sum(!lost) < 2L) {
    abort(c(
      "Too few refits succeeded for an interval: {sum(!lost)} of {times}.",
      x = "The error of the first that failed: {refits[[which(lost)[[1]]]]$error}"
    ), "value", call = call)
  }
  # refits of a fit that has not converged are not expected to converge
  unconverged <- if (source$fit$converged) sum(vapply(refits[!lost], function(one) !one$converged, NA)) else 0L
  warn_interval_refits(sum(lost), unconverged, times)
  do.call(rbind, lapply(refits[!lost], function(one) one$capacity))
}

warn_interval_refits <- function(lost, unconverged, times) {
  if (lost + unconverged == 0L) return(invisible())
  warn(c(
    "Some of the {times} refits failed or did not converge.",
    x = if (lost > 0L) "{lost} failed and {?is/are} left out.",
    x = if (unconverged > 0L) "{unconverged} did not converge."
  ), "refits")
}

# Trains the fit again once. Returns list(capacity, converged), or list(error) with the message of an error.
interval_refit_once <- function(source, over, block_length, seed) {
  tryCatch(
    {
      seeds <- derive_seeds(seed, nrow(source$fit$runs) + 1L)
      sample <- if ("rows" %in% over) {
        interval_drawn_sample(source$fit, block_length, seeds[[1L]])
      } else if ("samples" %in% over) {
        interval_fresh_sample(source$fit, seeds[[1L]])
      } else {
        interval_same_sample(source$fit)
      }
      warm <- !"restarts" %in% over
      again <- interval_refit(source$fit, sample, if (warm) seeds[2L] else seeds[-1L], warm)
      asked <- quietly_warned(do.call(capacity, c(list(again), source$asked)))
      list(capacity = asked$capacity, converged = again$converged)
    },
    error = function(e) list(error = flat_message(e))
  )
}

# `fit` trained again on `sample` in the units of the sample, with a run for each seed. With `warm` the first run starts
# at the coefficients of the fit, which are not re-expressed; otherwise all runs start from drawn coefficients.
interval_refit <- function(fit, sample, seeds, warm = TRUE) {
  network <- forget_training(fit$network)
  if (!warm) network["coef"] <- list(NULL)
  sample <- fit_sample_in_units(sample, network, fit$task, needs_rows(network, fit$task, fit$control))
  network$units <- sample$units
  runs <- fit_on_sample(network, fit$task, sample, fit$method, fit$control, seeds)
  best <- fit_best_run(runs)
  if (!is.finite(start_run_loss(best))) abort_fit_diverged(network, best)
  network$coef <- best$coef
  network$output <- fit$network$output
  network$trained <- fit$network$trained
  fit$network <- network
  fit[c("rows", "moments")] <- sample[c("rows", "moments")]
  # moments of a data task, which metrics use as well, are estimates and change with the rows
  if (is_data_task(fit$task)) {
    fit$task$moments <- sample$moments
    fit$task <- put_task_rows(fit$task, sample$rows)
  }
  fit$converged <- best$outcome == "converged"
  fit
}

# The sample that a fit was trained on.
interval_same_sample <- function(fit) new_fit_sample(fit$rows, fit$validation, fit$moments, fit$nobs)

# Another sample of a synthetic task with as many rows, and as many set aside.
interval_fresh_sample <- function(fit, seed) {
  N <- nrow(fit$rows$x)
  aside <- max(nrow(fit$validation$x), 0L)
  drawn <- simulate(fit$task, N + aside, seed = seed)[c("x", "y")]
  part <- function(at) lapply(drawn, function(z) z[at, , drop = FALSE])
  fit_sample_of_rows(part(seq_len(N)), if (aside > 0L) part(N + seq_len(aside)))
}

# A bootstrap sample of the training rows, each with its weight. Rows set aside remain as they are.
interval_drawn_sample <- function(fit, block_length, seed) {
  at <- with_seed(seed, draw_blocks(nrow(fit$rows$x), block_length))
  fit_sample_of_rows(lapply(fit$rows, function(z) z[at, , drop = FALSE]), fit$validation)
}
