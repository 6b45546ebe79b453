# Resamples as the replicates of a comparison. The argument `resamples` is read to a list with one entry for each task:
# a list of new_resample() of task-resample.R.

# `resamples`: NULL, a number, a plan, an rset or a list of splits of rsample, or a list of these by task.
read_resamples <- function(resamples, tasks, replicates, n_obs, seed, call = rlang::caller_env()) {
  if (is.null(resamples)) return(NULL)
  check_resamples_tasks(tasks, call)
  if (is.finite(n_obs)) {
    abort(c("{.arg n_obs} must be {.code Inf} with {.arg resamples}.",
      x = "It is {n_obs}: each resample is trained on all of its rows."), "value", call = call)
  }
  by_task <- is.list(resamples) && !is.object(resamples) && !is_resamples_split(resamples[[1L]])
  if (by_task) check_resamples_names(resamples, tasks, call)
  read <- lapply(stats::setNames(nm = names(tasks)), function(name) {
    asked <- if (by_task) resamples[[name]] else resamples
    resamples_of_task(asked, tasks[[name]], named_seed(seed, paste(name, "resamples")), call)
  })
  check_resamples_counts(read, replicates, call)
  read
}

check_resamples_tasks <- function(tasks, call) {
  synthetic <- names(tasks)[!vapply(tasks, is_data_task, NA)]
  if (length(synthetic) > 0L) {
    abort(c("{.arg resamples} needs tasks of data.", x = "{.val {synthetic}} {?has/have} no rows.",
      i = "Samples of a synthetic task are independent: use {.arg replicates} and {.arg n_obs}."), "value", call = call)
  }
  for (task in tasks) check_resample_task(task, call)
}

check_resamples_names <- function(resamples, tasks, call) {
  if (setequal(names(resamples), names(tasks))) return(invisible())
  abort(c("A list of {.arg resamples} must have one entry for each task: {.val {names(tasks)}}.",
    x = "It has {.val {names(resamples)}}."), "value", call = call)
}

# Every task has as many resamples, which are the replicates.
check_resamples_counts <- function(read, replicates, call) {
  counts <- lengths(read)
  if (length(unique(counts)) > 1L) {
    abort(c("Every task must have the same number of resamples.",
      x = "They have {paste0(names(counts), ': ', counts, collapse = ', ')}."), "value", call = call)
  }
  if (!is.null(replicates) && replicates != counts[[1L]]) {
    abort(c("{.arg replicates} must be left out with {.arg resamples}, whose number it is.",
      x = "It is {replicates}; there are {counts[[1L]]} resamples."), "value", call = call)
  }
}

# A number means rolling origins where rows are in order of time, and folds elsewhere.
resamples_of_task <- function(asked, task, seed, call) {
  if (is.numeric(asked)) {
    number <- check_count(asked, min = 2L, arg = "resamples", call = call)
    asked <- if (task$division$ordered) resample_rolling(number) else resample_folds(number)
  }
  if (inherits(asked, "ca_resample_plan")) return(resample_plan(asked, task, seed, call))
  splits <- if (inherits(asked, "rset")) asked$splits else asked
  if (!is.list(splits) || length(splits) == 0L || !all(vapply(splits, is_resamples_split, NA))) {
    abort(c(
      "{.arg resamples} must be a number, {.fn resample_folds}, {.fn resample_rolling}, an {.cls rset} or splits of
        {.pkg rsample}, or a list of these by task.",
      x = "It is {show_value(asked)}."
    ), "type", call = call)
  }
  ids <- if (inherits(asked, "rset")) do.call(paste, asked[grep("^id", names(asked))]) else seq_along(splits)
  Map(function(split, id) resamples_of_split(split, task, as.character(id), call), splits, ids, USE.NAMES = FALSE)
}

is_resamples_split <- function(x) inherits(x, "rsplit")

# The rows of a split of rsample, read by its fields: numbers of rows of its data, or of times of a series.
resamples_of_split <- function(split, task, id, call) {
  n <- NROW(split$data)
  if (n != task$division$of) {
    abort(c("The splits in {.arg resamples} must be of the data of the task.",
      x = "They have {n} rows, the task was made from {task$division$of}."), "shape", call = call)
  }
  analysis <- split$in_id
  assessment <- if (length(split$out_id) == 1L && is.na(split$out_id)) setdiff(seq_len(n), analysis) else split$out_id
  rows <- if (task$kind == "series") resamples_of_times(task, analysis, assessment) else
    lapply(list(train = analysis, test = assessment), function(at) {
      found <- match(at, task$division$user)
      found[!is.na(found)]
    })
  if (length(rows$train) == 0L || length(rows$test) == 0L) {
    abort(c("Every split in {.arg resamples} must have rows of the task to train on and to test on.",
      x = "{.val {id}} has {length(rows$train)} and {length(rows$test)}."), "value", call = call)
  }
  check_resample_order(task, rows$train, rows$test, call)
  new_resample(rows$train, rows$test, id)
}

# Rows of a series are trained on if all of their times are in the analysis, and tested on if all the values that they
# predict are in the assessment.
resamples_of_times <- function(task, analysis, assessment) {
  begins <- seq_along(task$division$user)
  all_in <- function(offsets, times) {
    inside <- matrix(outer(begins, offsets, `+`) %in% times, length(begins))
    begins[rowSums(inside) == length(offsets)]
  }
  list(
    train = all_in(0:resample_reach(task), analysis),
    test = all_in(task$division$window + task$horizon - 1L, assessment)
  )
}

# The correlation of the differences of two resamples: Nadeau and Bengio's heuristic, the mean share of rows that are
# tested on.
resamples_rho <- function(resamples) {
  mean(vapply(unlist(unname(resamples), recursive = FALSE), function(r) {
    length(r$test) / (length(r$test) + length(r$train))
  }, 0))
}

resamples_text <- function(resamples) {
  paste0("Replicates are ", length(resamples[[1L]]), " resamples of the same rows (", resamples[[1L]][[1L]]$id,
    ", ...), and vary the starting weights.")
}
