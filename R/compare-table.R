# Tables of scores as comparisons: scores that were computed elsewhere, by task (or fold) and model.
#
# Contrasts and ranks read a comparison through its runs, the names of its networks and tasks, and n_obs. A table of
# scores becomes an object with these parts: one run for each score, with the score as the column `score`.

# `x` is a matrix (tasks x models), a data frame with one column for each model and at most one column of names of
# tasks, or a data frame with the columns `task`, `model` (or `network`), optionally `replicate`, and one numeric
# column.
table_comparison <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  scores <- if (is_table_long(x)) table_long(x, arg, call) else table_wide(x, arg, call)
  check_table_scores(scores, arg, call)
  networks <- unique(scores$network)
  tasks <- unique(scores$task)
  n <- nrow(scores)
  runs <- light_frame(list(
    network = scores$network, task = scores$task, replicate = scores$replicate, seed = rep(1L, n),
    n_params = rep(NA_integer_, n), total_capacity = rep(NA_real_, n), loss = rep(NA_real_, n),
    train_loss = ifelse(is.na(scores$score), NA_real_, 0), converged = rep(TRUE, n), score = scores$score
  ))
  structure(list(
    runs = runs, networks = stats::setNames(vector("list", length(networks)), networks),
    tasks = stats::setNames(vector("list", length(tasks)), tasks), n_obs = 1, replicates = max(scores$replicate),
    seed = 1L
  ), class = c("ca_score_table", "ca_comparison"))
}

# A comparison, or a table of scores as one. The direction of a table has to be given, since scores have none.
read_comparison <- function(x, direction, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  force(arg)
  if (!is.data.frame(x) && !is.matrix(x)) return(check_metric_comparison(x, arg, call))
  if (is.null(direction)) {
    abort(c("{.arg direction} is needed for a table of scores: {.val lower} or {.val higher}, whichever is better.",
      i = "Losses are better when lower, accuracies when higher."), "value", call = call)
  }
  table_comparison(x, arg, call)
}

is_table_long <- function(x) is.data.frame(x) && "task" %in% names(x) && any(c("model", "network") %in% names(x))

table_long <- function(x, arg, call) {
  model <- intersect(c("model", "network"), names(x))[[1L]]
  numeric <- setdiff(names(x)[vapply(x, is.numeric, NA)], c("task", "model", "network", "replicate"))
  if (length(numeric) != 1L) {
    abort(c("{.arg {arg}} must have one numeric column of scores beside {.field task}, {.field {model}} and
      {.field replicate}.", x = if (length(numeric) == 0L) "It has none." else "It has {.val {numeric}}.",
    i = "Select the columns, for instance {.code x[c(\"task\", \"{model}\", \"accuracy\")]}."), "value", call = call)
  }
  key <- paste(x$task, x[[model]], if (is.null(x$replicate)) "" else x$replicate, sep = "\r")
  if (anyDuplicated(key) > 0L) {
    twice <- x[anyDuplicated(key), ]
    abort(c("Each task, {model} and replicate must have one score in {.arg {arg}}.",
      x = "{.val {as.character(twice$task)}} and {.val {as.character(twice[[model]])}} have several.",
      i = if (is.null(x$replicate)) "Number the folds or repeats in a column {.field replicate}."), "value",
        call = call)
  }
  light_frame(list(
    network = as.character(x[[model]]), task = as.character(x$task),
    replicate = if (is.null(x$replicate)) rep(1L, nrow(x)) else as.integer(factor(x$replicate)),
    score = as.double(x[[numeric]])
  ))
}

table_wide <- function(x, arg, call) {
  tasks <- rownames(x)
  if (is.data.frame(x)) {
    named <- which(!vapply(x, is.numeric, NA))
    if (length(named) > 1L) {
      abort(c("{.arg {arg}} must have numeric columns and at most one column of names.",
        x = "{.val {names(x)[named]}} are not numeric."), "type", call = call)
    }
    if (length(named) == 1L) tasks <- as.character(x[[named]])
    x <- as.matrix(x[setdiff(seq_along(x), named)])
  }
  if (!is.numeric(x)) abort(c("{.arg {arg}} must be numeric.", x = "It is {show_value(x)}."), "type", call = call)
  if (is.null(colnames(x)) || anyDuplicated(colnames(x)) > 0L) {
    abort(c("The columns of {.arg {arg}} must be named after the models.", x = if (is.null(colnames(x)))
      "They have no names." else "{.val {colnames(x)[anyDuplicated(colnames(x))]}} occurs twice."), "value",
    call = call)
  }
  if (is.null(tasks)) tasks <- as.character(seq_len(nrow(x)))
  if (anyDuplicated(tasks) > 0L) {
    abort(c("Each row of {.arg {arg}} must be a task of its own.",
      x = "{.val {tasks[anyDuplicated(tasks)]}} occurs twice.",
      i = "Give several folds of a task as a data frame with the columns {.field task}, {.field model},
        {.field replicate} and the score."), "value", call = call)
  }
  light_frame(list(
    network = rep(colnames(x), each = nrow(x)), task = rep(tasks, ncol(x)), replicate = rep(1L, length(x)),
    score = as.double(x)
  ))
}

check_table_scores <- function(scores, arg, call) {
  bad <- which(is.infinite(scores$score))
  if (length(bad) > 0L) {
    abort(c("{.arg {arg}} must have finite scores; missing ones are {.code NA}.",
      x = "That of {.val {scores$network[[bad[[1L]]]]}} on {.val {scores$task[[bad[[1L]]]]}} is infinite."), "value",
      call = call)
  }
  if (length(unique(scores$network)) < 2L) {
    abort(c("{.arg {arg}} must have scores of two models or more.",
      x = "It has {length(unique(scores$network))}."), "value", call = call)
  }
}
