# Comparisons: every architecture is trained on every task, several times.
#
# A run depends only on its row of the design (network, task, replicate, seed), n_obs and the arguments of fit(), so any
# worker can compute any run.

#' Compare architectures
#'
#' Trains every network on every task, `replicates` times each, and allocates its
#' capacity.
#'
#' The seed of a run depends on `seed`, the name of its task and its replicate, and is stored in its row:
#' `fit(network, task, seed = seed, n_obs = n_obs, ...)` gives its numbers again, and more networks, tasks or replicates
#' leave the other runs as they are. With a finite `n_obs`, the networks of a replicate share one sample. With `n_obs =
#' Inf` replicates of a synthetic task vary only the starting weights, and so do those of a data task.
#'
#' Runs that fail or do not converge stay as rows, with what was said in `error`.
#' An interrupt returns what is finished; the other runs are rows whose `error` is
#' `"interrupted"`.
#'
#' Progress, with the time left, is reported through progressr: it is shown in interactive sessions,
#' and elsewhere only inside `progressr::with_progress()`;
#' `options(capalloc.progress = )` says otherwise. Without progressr it is a bar of cli.
#'
#' @section Workers:
#' With the package future and a plan set, such as `future::plan("multisession",
#' workers = 2)`, a cluster, or a batch scheduler through future.batchtools, the runs are spread over its workers in
#' chunks, and the result is the same: nothing but the plan changes.
#'
#' A worker uses one BLAS thread, so that threads do not multiply with workers. This is asked of OpenBLAS itself; any
#' other BLAS with threads reads a variable such as `MKL_NUM_THREADS` or `OMP_NUM_THREADS` when it is loaded,
#' which must be set to 1 before the plan is, since workers that have begun do not read it again.
#'
#' When a worker dies, what its chunk had not finished is tried again, one run at a time, after all else. A run that
#' was under way in two workers that died is a failed row, whose `error` is `"worker died"`; where nobody can tell
#' which run was under way (a worker on another machine, without a checkpoint), that is each that was not finished.
#' Workers of `multisession` and `cluster` plans that died are replaced by setting
#' the plan anew once the others have nothing to do, which also ends whatever else has been given to them; in
#' a cluster object, only nodes on this machine can be replaced, and only for this comparison.
#'
#' @section Checkpoints:
#' With `checkpoint`, each run is written when it is finished, by the worker that did it where that sees the
#' directory. The same call goes on where it was ended, be it by an interrupt, a kill or a power cut, and its result
#' is the one it would have had: runs are read to the last bit (with their `seconds`). Without a `seed`, the seed is
#' that of the checkpoint. Runs that failed with an error are kept; those whose worker died are tried again.
#'
#' The directory has a plain text file for each run, named after its network, task and replicate (such as
#' `run-dense-ar-f7d8eb98ff-0003.txt`), with doubles in hexadecimal (`sprintf("%a")`), and `capalloc-manifest.txt`,
#' which says what was asked: `n_obs`, `seed`, further arguments, and name and md5 sum of each network and task (of its
#' values, not of the code of its methods). A comparison can be extended in its directory: a call with more networks,
#' tasks or replicates reads the runs that are there and does the others. A directory whose runs were made with another
#' `n_obs`, `seed` or further arguments, or with another network or task of the same name, is refused, saying what
#' differs. Files are read as text and never evaluated, and each ends in the md5 sum of what is above it: one
#' that is cut short, changed, of another run or of another comparison is named in a warning and made again. The
#' sum finds damage, not forgery. Two sessions may use one directory at a time; they may do some runs twice.
#'
#' @section Resamples:
#' With `resamples` replicate i of a task is trained on the rows of its resample i and its `loss` is that on the rows
#' that the resample holds out; `linear_loss`, `null_loss`, `mase`, centres and scales are those of the same rows. The
#' field `resamples` of the result has the rows, by task. Splits of rsample number the rows of their data, for a series
#' its times: a row is trained on if all of its times are in the analysis, and tested on if all values that it predicts
#' are in the assessment. Rows of a series are trained on only if they lie before the values that test rows predict.
#' Resamples share rows, so they are not independent: [contrast_architectures()] uses their correlation.
#'
#' @section Warnings:
#' `capalloc_warning_all_failed`: no run succeeded; it has the first message. `capalloc_warning_starts`: starts of one
#' network on one population end at losses that differ by more than 1%. What
#' the warnings of single fits say is in the columns of `runs`, and print counts it.
#'
#' @section Errors:
#' Of class `capalloc_error_file`, when `checkpoint` cannot be created or written, before the first run;
#' `capalloc_error_checkpoint`, when it holds another comparison. Warnings of class `capalloc_warning_checkpoint`
#' name damaged files, another version of the package, and runs that could not be written.
#'
#' @param networks A named list of networks, such as [classical_architectures()].
#' @param tasks A named list of tasks, such as [classical_tasks()].
#' @param replicates Number of runs of each network on each task.
#' @param n_obs Observations of each sample, or `Inf` for population moments (for data
#'   tasks all training rows).
#' @param seed A whole number that fixes all seeds, or `NULL` to draw it.
#' @param ... Passed on to [fit()][fit.ca_network()]: `method`, `restarts`, `control`.
#' @param resamples `NULL`, or resamples of the rows of data tasks, which become the replicates: a number (of rolling
#'   origins where the rows are in order of time, of folds elsewhere), [resample_folds()], [resample_rolling()], an
#'   `rset` of rsample, or a list of these by task. Every network is trained and tested on the same resamples. They
#'   divide all rows of a task, those that it holds out itself among them. See the section on resamples.
#' @param checkpoint `NULL`, or the path of a directory to keep finished runs in, made where it does not exist.
#' @returns A list of class `ca_comparison` with
#'
#'   * `runs`, a data frame with one row per run: `network`, `task`, `replicate`,
#'     `seed`, `n_params`, `total_capacity`, `loss` (population, or held-out for data),
#'     `train_loss`, `bayes_loss` (`NA` for data), `linear_loss` (the best linear model trained
#'     on the same rows, judged like `loss`), `excess_loss` (loss - bayes_loss, for data loss -
#'     linear_loss), `converged`, `gradient_norm`, `iterations`, `seconds`, `error` (`NA`, or what
#'     was said), `rank_low` and `rank_high` (the range of its rank, see [capacity()]), `undecided` (whether these
#'     differ), `redraws` and `decrement` (see [fit()][fit.ca_network()]), `excess_type` (`"exact"`, `"sampled"` or
#'     `"versus linear"`), `null_loss` (that of the best constant), `relative_loss` and `relative_excess` (loss and
#'     excess_loss over null_loss), for held-out rows of a series `mase` (mean absolute error over that of the naive
#'     forecast in the training part), for classes `accuracy` and `log_loss`;
#'   * `allocation`, a data frame: `network`, `task`, `replicate`, `input`, `position`,
#'     `lag`, `channel` (on grids `row`, `column`), `capacity`;
#'   * `demand`, a data frame of [task_demand()] for each task;
#'   * `networks`, `tasks`, `n_obs`, `seed`, `replicates`, `resamples`, `generic_rank` (of each network at random
#'   coefficients) and
#'     `version` of the package.
#' @seealso [report()], [summary.ca_comparison()].
#' @examples
#' nets <- list(dense = arch_dense(16), dilated = arch_dilated(16))
#' tasks <- classical_tasks(16)[c("ar", "fgn")]
#' cmp <- compare_architectures(nets, tasks, replicates = 3)
#' cmp
#' summary(cmp)
#' # the same again, kept on disk: the second call reads what the first one wrote
#' dir <- tempfile("checkpoint")
#' cmp <- compare_architectures(nets, tasks, replicates = 3, checkpoint = dir)
#' again <- compare_architectures(nets, tasks, replicates = 3, checkpoint = dir)
#' identical(again, cmp)
#' @export
compare_architectures <- function(networks, tasks, replicates = 10, n_obs = Inf, seed = 1, ..., checkpoint = NULL,
                                  resamples = NULL) {
  if (!is.null(resamples) && missing(replicates)) replicates <- NULL
  work <- compare_work(networks, tasks, replicates, n_obs, seed, list(...), checkpoint, resamples)
  new_comparison(work, schedule_run_design(work))
}

# The work of a comparison, from checked arguments.
compare_work <- function(networks, tasks, replicates, n_obs, seed, fitting, checkpoint, resamples = NULL,
                         call = rlang::caller_env()) {
  check_named(networks, check_network, call = call)
  check_named(tasks, check_task, call = call)
  if (!is.null(replicates)) replicates <- check_count(replicates, call = call)
  if (!identical(n_obs, Inf)) n_obs <- check_count(n_obs, call = call)
  check_compare_pairs(networks, tasks, call)
  check_compare_fitting(fitting, call)
  if (!is.null(seed)) seed <- draw_seed(seed, call)
  dir <- check_checkpoint(checkpoint, call = call)
  seed <- draw_seed(if (is.null(seed)) checkpoint_seed(dir) else seed, call)
  resamples <- read_resamples(resamples, tasks, replicates, n_obs, seed, call)
  if (!is.null(resamples)) replicates <- length(resamples[[1L]])
  design <- compare_design(networks, tasks, replicates, seed)
  new_schedule_work(design, networks, tasks, n_obs, seed, replicates, fitting, dir, resamples)
}

# Raises an error before the first run unless every network has the inputs and outputs of every task. The error names
# the pairs that do not fit, at most 10.
check_compare_pairs <- function(networks, tasks, call = rlang::caller_env()) {
  bad <- character()
  for (task in names(tasks)) {
    for (network in names(networks)) {
      fits <- same_input(networks[[network]]$input, tasks[[task]]$input) &&
        pair_same_outputs(networks[[network]], tasks[[task]])
      if (!fits) {
        bad <- c(bad, paste0(
          network, " (", describe_input_shape(networks[[network]]$input), ", ",
          format_count(shape_output_size(networks[[network]]), "output"), ") and ", task, " (",
          describe_input_shape(tasks[[task]]$input), ", ", format_count(tasks[[task]]$outputs, "output"), ")"
        ))
      }
    }
  }
  if (length(bad) == 0L) return(invisible())
  shown <- bad[seq_len(min(length(bad), 10L))]
  abort(c(
    "Every network must have the inputs and outputs of every task; {length(bad)} pair{?s} {?does/do} not fit:",
    stats::setNames(gsub("([{}])", "\\1\\1", shown), rep("x", length(shown))),
    if (length(bad) > length(shown)) c(i = "... and {length(bad) - length(shown)} more.")
  ), "shape", call = call)
}

check_compare_fitting <- function(fitting, call = rlang::caller_env()) {
  known <- c("method", "restarts", "control")
  names <- if (is.null(names(fitting))) rep("", length(fitting)) else names(fitting)
  if (all(names %in% known)) {
    method <- check_choice(c(fitting$method, "lm")[[1L]], fit_methods, arg = "method", call = call)
    if (!is.null(fitting$restarts)) check_count(fitting$restarts, arg = "restarts", call = call)
    if (!is.null(fitting$control)) fit_control(fitting$control, method, call = call)
    return(invisible())
  }
  wrong <- names[!names %in% known]
  abort(c(
    "{.arg ...} can have the arguments {.or {.arg {known}}}, which are passed to {.fn fit}.",
    x = "It has {.val {wrong}}."
  ), "value", call = call)
}

# The design: a data frame with one row per run. The seed of a run depends only on the seed of the comparison, the name
# of its task and its replicate. So the networks of a task and replicate share a seed, hence their sample, and seeds do
# not change when networks, tasks or replicates are added.
compare_design <- function(networks, tasks, replicates, seed) {
  seeds <- vapply(names(tasks), function(task) derive_seeds(named_seed(seed, task), replicates), integer(replicates))
  seeds <- matrix(seeds, replicates)
  grid <- expand.grid(
    replicate = seq_len(replicates), network = names(networks), task = names(tasks),
    KEEP.OUT.ATTRS = FALSE, stringsAsFactors = FALSE
  )
  grid$seed <- seeds[cbind(grid$replicate, match(grid$task, names(tasks)))]
  grid[c("network", "task", "replicate", "seed")]
}

# ---- the result ----------------------------------------------------------------------------------

# `done` is a list with one run per row of the design, NULL for a run that an interrupt prevented.
new_comparison <- function(work, done) {
  cmp <- structure(list(
    runs = compare_bind_runs(work, done), allocation = compare_bind_allocations(work$design, done, work$networks,
      work$tasks),
    demand = compare_bind_demands(work$tasks), networks = work$networks, tasks = work$tasks, n_obs = work$n_obs,
    seed = work$seed, replicates = work$replicates, resamples = work$resamples, generic_rank = vapply(work$networks,
      compare_generic_rank, 0L),
    version = own_version()
  ), class = "ca_comparison")
  warn_starts_apart(cmp)
  warn_compare_all_failed(cmp$runs)
  cmp
}

# Warns if no run succeeded, with the first message: a table of failures alone is easily overlooked in a script.
warn_compare_all_failed <- function(runs) {
  failed <- !has_run(runs) & runs$error != "interrupted"
  if (!all(failed)) return(invisible())
  first <- runs$error[[1L]]
  warn(c("All {nrow(runs)} runs failed.", x = "The first, {.val {runs$network[[1L]]}} on {.val {runs$task[[1L]]}}:
    {first}"), "all_failed")
}

# The rank of a network's tangent at random coefficients. NA for nonlinear networks, whose rank depends on the samples
# at which the tangent is evaluated.
compare_generic_rank <- function(network) {
  if (!is_linear(network) || n_params(network) == 0) return(NA_integer_)
  tryCatch(
    as.integer(glance(quietly_warned(capacity(initialise(network, seed = 1L))))$total), error = function(e) NA_integer_
  )
}

# The data frame `runs`; runs that an interrupt prevented are rows with the error "interrupted".
compare_bind_runs <- function(work, done) {
  lost <- vapply(done, is.null, NA)
  done[lost] <- lapply(work$networks[work$design$network[lost]], failed_run, message = "interrupted")
  values <- lapply(names(run_columns), function(column) {
    unlist(lapply(done, function(run) run$row[[column]]), use.names = FALSE)
  })
  light_frame(c(as.list(work$design), stats::setNames(values, names(run_columns))))
}

# The data frame `allocation`: the allocations of all runs that did not fail. The coordinates are computed once for each
# pair of a network and a task, and copied for its replicates.
compare_bind_allocations <- function(design, done, networks, tasks) {
  coordinates <- function(i) {
    net <- networks[[design$network[[i]]]]
    plain_frame(input_frame(label_input(net$input, tasks[[design$task[[i]]]]$input), has_constant(net)))
  }
  rows <- vapply(done, function(run) length(run$allocation), 0L)
  kept <- which(rows > 0L)
  rows <- rows[kept]
  pair <- match(design$network, names(networks)) + length(networks) * match(design$task, names(tasks))
  pairs <- unique(pair[kept])
  frames <- lapply(if (length(pairs) > 0L) match(pairs, pair) else 1L, coordinates)
  before <- c(0L, cumsum(vapply(frames, nrow, 0L)))[match(pair[kept], pairs)]
  take <- function(columns, at) lapply(as.list(columns), `[`, at)
  light_frame(c(
    take(design[c("network", "task", "replicate")], rep(kept, rows)),
    take(stack_frames(frames), rep(before, rows) + sequence(rows)),
    list(capacity = as.double(unlist(lapply(done[kept], function(run) run$allocation))))
  ))
}

compare_bind_demands <- function(tasks) {
  demands <- lapply(tasks, function(task) plain_frame(task_demand(task)))
  rows <- stack_frames(unname(demands))
  light_frame(c(list(task = rep(names(tasks), vapply(demands, nrow, 0L))), as.list(rows)))
}

#' Methods for comparisons
#'
#' @param x,object A comparison, from [compare_architectures()].
#' @param level Level of the intervals.
#' @param ... Not used.
#' @returns `summary()`: a data frame of class `ca_comparison_summary` with one row per
#'   task and network: `task`, `network`, `runs` (that did not fail), `failed`, `unconverged`, `undecided` (runs with
#'   `rank_low < rank_high`), `redraws` (bad starts that were drawn again, all runs together), `n_params`,
#'   `generic_rank` (the rank of the architecture at random coefficients, `NA` for networks that are not linear),
#'   `total_capacity` (the median over runs), `total_low` and `total_high` (the least `rank_low` and the largest
#'   `rank_high` of the runs), `loss` and `excess_loss` (means over runs, with Student intervals of the mean in
#'   `loss_low`, `loss_high`, `excess_low`, `excess_high`, `NA` for a single run), `loss_median`, `excess_median`, and
#'   the mean `seconds`. Its print says what the intervals describe. `tidy()`: the runs. `augment()`: the runs
#'   with `efficiency`, (1 - loss / null_loss) / total_capacity. `glance()`: one
#'   row: `networks`, `tasks`, `replicates`, `runs`, `failed`, `unconverged`, `undecided`, `n_obs`, `seed`. `format()`
#'   of a summary: a data frame of texts with intervals in brackets, ready for [knitr::kable()].
#' @name ca_comparison
#' @examples
#' cmp <- compare_architectures(list(dense = arch_dense(8)), classical_tasks(8)["ar"], replicates = 2)
#' glance(cmp)
NULL

#' @rdname ca_comparison
#' @export
summary.ca_comparison <- function(object, level = 0.95, ...) {
  check_dots(...)
  level <- check_number(level, min = 0, max = 1, open = TRUE)
  pairs <- unique(object$runs[c("task", "network")])
  generic <- frame_field_or(object, "generic_rank", integer())[pairs$network]
  rows <- lapply(seq_len(nrow(pairs)), function(i) {
    here <- object$runs$task == pairs$task[[i]] & object$runs$network == pairs$network[[i]]
    compare_summarise_runs(object$runs[here, , drop = FALSE], level, generic[[i]])
  })
  columns <- lapply(stats::setNames(nm = names(rows[[1L]])), function(column) {
    unlist(lapply(rows, function(row) row[[column]]), use.names = FALSE)
  })
  new_frame(c(as.list(pairs), columns), "ca_comparison_summary",
    varies = compare_what_varies(object), level = level, data_tasks = run_data_tasks(object),
      notes = compare_run_notes(object)
  )
}

compare_summarise_runs <- function(runs, level, generic) {
  ok <- has_run(runs)
  loss <- compare_mean_interval(runs$loss[ok], level)
  excess <- compare_mean_interval(runs$excess_loss[ok], level)
  ends <- compare_total_range(runs[ok, , drop = FALSE])
  list(
    runs = sum(ok), failed = sum(!ok), unconverged = sum(ok & !runs$converged),
      undecided = sum(is_compare_undecided(runs)),
    redraws = sum(frame_field_or(runs, "redraws", 0L), na.rm = TRUE), n_params = runs$n_params[[1L]],
    generic_rank = generic, total_capacity = compare_median_of(runs$total_capacity[ok]), total_low = ends[[1L]],
    total_high = ends[[2L]], loss = loss[[1L]], loss_low = loss[[2L]], loss_high = loss[[3L]],
    loss_median = compare_median_of(runs$loss[ok]), excess_loss = excess[[1L]], excess_low = excess[[2L]],
    excess_high = excess[[3L]], excess_median = compare_median_of(runs$excess_loss[ok]),
    seconds = compare_mean_interval(runs$seconds[ok], level)[[1L]]
  )
}

# Whether the rank of each run is undecided.
is_compare_undecided <- function(runs) {
  undecided <- frame_field_or(runs, "undecided", frame_field_or(runs, "rank_low", NA) < frame_field_or(runs,
    "rank_high", NA))
  rep_len(undecided, nrow(runs)) %in% TRUE
}

# c(low, high): the least `rank_low` and the largest `rank_high` of some runs, or their total capacities where these lie
# outside. NA where no run has a rank.
compare_total_range <- function(runs) {
  low <- pmin(frame_field_or(runs, "rank_low", NA), runs$total_capacity, na.rm = TRUE)
  high <- pmax(frame_field_or(runs, "rank_high", NA), runs$total_capacity, na.rm = TRUE)
  if (all(is.na(low))) return(c(NA_real_, NA_real_))
  as.double(c(min(low, na.rm = TRUE), max(high, na.rm = TRUE)))
}

compare_median_of <- function(x) {
  x <- x[!is.na(x)]
  if (length(x) == 0L) NA_real_ else as.double(stats::median(x))
}

# c(mean, low, high): mean of the values that are not NA with Student's interval; NA limits for a single value.
compare_mean_interval <- function(x, level) {
  x <- x[!is.na(x)]
  n <- length(x)
  if (n == 0L) return(rep(NA_real_, 3L))
  half <- if (n > 1L) stats::qt((1 + level) / 2, n - 1) * stats::sd(x) / sqrt(n) else NA_real_
  mean(x) + c(0, -half, half)
}

# One line of text: what differs between replicates, and so what intervals describe.
compare_what_varies <- function(object) {
  if (!is.null(object$resamples)) return(resamples_text(object$resamples))
  if (is.infinite(object$n_obs)) {
    "Replicates vary only the starting weights: intervals describe variation from training, not from data."
  } else if (length(run_data_tasks(object)) > 0L) {
    "Replicates vary the starting weights and the sample (data tasks draw training rows with replacement)."
  } else {
    "Replicates vary the starting weights and the sample, which the networks of a replicate share."
  }
}

# Lines of text about undecided ranks, redraws, losses above that of the best constant, and starts that end at different
# losses; character() where there are none.
compare_run_notes <- function(object) {
  runs <- object$runs[has_run(object$runs), , drop = FALSE]
  share <- function(n) {
    paste0(n, " of ", format_count(nrow(runs), "run"), if (n == 1L) " has" else " have")
  }
  undecided <- sum(is_compare_undecided(runs))
  drawn <- sum(frame_field_or(runs, "redraws", 0L), na.rm = TRUE)
  worse <- sum(frame_field_or(runs, "relative_loss", NA) > 1, na.rm = TRUE)
  apart <- starts_apart(object)
  c(
    if (undecided > 0L) paste(share(undecided), "an undecided rank: see rank_low and rank_high"),
    if (drawn > 0L) {
      were <- if (drawn == 1L) "was" else "were"
      paste(format_count(drawn, "start"), "worse than the best constant", were, "drawn again")
    },
    if (worse > 0L) paste(share(worse), "a loss above that of the best constant"),
    if (nrow(apart) > 0L) paste0("Starts end at losses that differ by more than 1%: ", starts_pair_text(apart))
  )
}

#' @rdname ca_comparison
#' @export
print.ca_comparison_summary <- function(x, ...) {
  cat("Means of losses over runs, with ", 100 * attr(x, "level"),
    "% intervals; medians of total capacity, with its range\n", sep = "")
  shown <- plain_frame(x)
  shown$total_capacity <- format_with_range(x$total_capacity, x$total_low, x$total_high)
  hidden <- c(
    "loss_low", "loss_high", "seconds", "total_low", "total_high", "undecided",
    if (all(x$redraws == 0)) "redraws", if (all(is.na(x$generic_rank))) "generic_rank"
  )
  shown <- shown[!names(shown) %in% hidden]
  shown[] <- lapply(shown, format_without_rounding)
  print(shown, row.names = FALSE, digits = 4)
  cat(compare_notes(x), sep = "\n")
  invisible(x)
}

#' @rdname ca_comparison
#' @param digits Significant digits.
#' @export
format.ca_comparison_summary <- function(x, digits = 3, ...) {
  rows <- plain_frame(x)
  light_frame(list(
    task = rows$task, network = rows$network,
    loss = format_with_interval(rows$loss, rows$loss_low, rows$loss_high, digits),
    `excess loss` = format_with_interval(rows$excess_loss, rows$excess_low, rows$excess_high, digits),
    parameters = as.character(rows$n_params),
    `total capacity` = format_with_range(rows$total_capacity, rows$total_low, rows$total_high, digits),
    runs = as.character(rows$runs), failed = as.character(rows$failed), unconverged = as.character(rows$unconverged),
    undecided = as.character(rows$undecided)
  ))
}

compare_notes <- function(summary) {
  of_data <- attr(summary, "data_tasks")
  c(
    attr(summary, "varies"),
    if (length(of_data) > 0L) {
      paste0("For ", paste(of_data, collapse = ", "), " the loss is that of held-out rows, and excess_loss ",
        "is relative to the best linear model trained on the same rows.")
    },
    attr(summary, "notes")
  )
}

#' @rdname ca_comparison
#' @export
print.ca_comparison <- function(x, ...) {
  g <- glance(x)
  cat("<comparison> ", format_count(g$networks, "network"), " x ", format_count(g$tasks, "task"), " x ",
    format_count(g$replicates, "replicate"), ": ", format_count(g$runs, "run"), ", ", g$failed, " failed, ",
    g$unconverged, " not converged (seed ", g$seed, ")\n", sep = "")
  cat("mean excess loss\n")
  shown <- compare_excess_table(x)
  shown[] <- lapply(shown, format_without_rounding)
  print(shown, row.names = FALSE, digits = 3)
  cat(c(compare_what_varies(x), compare_run_notes(x)), sep = "\n")
  invisible(x)
}

# Mean excess losses for print and report: a data frame with one row per network, its number of parameters and one
# column per task.
compare_excess_table <- function(x) {
  rows <- summary(x)
  first <- plain_frame(rows)[rows$task == names(x$tasks)[[1L]], , drop = FALSE]
  excess <- lapply(stats::setNames(nm = names(x$tasks)), function(task) rows$excess_loss[rows$task == task])
  light_frame(c(list(network = first$network, parameters = first$n_params), excess))
}

#' @rdname ca_comparison
#' @export
tidy.ca_comparison <- function(x, ...) {
  check_dots(...)
  x$runs
}

#' @rdname ca_comparison
#' @export
glance.ca_comparison <- function(x, ...) {
  check_dots(...)
  failed <- !has_run(x$runs)
  light_frame(list(
    networks = length(x$networks), tasks = length(x$tasks), replicates = x$replicates,
    runs = nrow(x$runs), failed = sum(failed), unconverged = sum(!failed & !x$runs$converged),
    undecided = sum(is_compare_undecided(x$runs)), n_obs = x$n_obs, seed = x$seed
  ))
}

# Mean capacity of each input over the runs of a network on a task.
compare_mean_profiles <- function(object) {
  rows <- object$allocation[!is.na(object$allocation$position), , drop = FALSE]
  keys <- intersect(c("network", "task", "position", "lag", "channel", "row", "column"), names(rows))
  key <- do.call(paste, c(rows[keys], sep = "\r"))
  first <- rows[!duplicated(key), keys, drop = FALSE]
  first$capacity <- as.double(tapply(rows$capacity, factor(key, unique(key)), mean))
  first
}

#' @rdname ca_comparison
#' @export
augment.ca_comparison <- function(x, ...) {
  check_dots(...)
  rows <- plain_frame(x$runs)
  rows$efficiency <- metric_run_efficiency(x)
  rows
}
