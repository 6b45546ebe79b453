# Resamples of a task of data: other divisions of its rows into rows to train on and rows to test on.
#
# The field `division` of a task of data is the record of its division, see new_task_division(). Rows are numbered in
# the order of the data; row i of a series is the window that begins at time i.

# A resample: numbers of rows to train on and to test on, and its name.
new_resample <- function(train, test, id) list(train = as.integer(train), test = as.integer(test), id = id)

#' Resamples of data: folds and rolling origins
#'
#' `resample_folds()` divides the rows at random into `v` parts: each is held out once and the others are trained on.
#' `resample_rolling()` is for rows in order of time: after each of the `origins` the next `test` rows are held out, and
#' the rows before are trained on. Both are passed to [compare_architectures()] as `resamples`.
#'
#' All rows of a task are resampled, those that it holds out itself among them. Folds have each class in its share.
#' Centres and scales are computed from the rows that are trained on. The held-out rows of consecutive origins follow
#' each other and end with the last row. With several horizons, rows that predict values of the held-out rows are left
#' out.
#'
#' `task_resample()` is the task with other rows, for instance to repeat the run of replicate 2: with `rows =
#' cmp$resamples$name[[2]]` it is `fit(network, task_resample(task, rows$train, rows$test), seed = seed)`.
#'
#' @param v Number of parts, at most the number of rows.
#' @param repeats Number of divisions into parts.
#' @param origins Number of origins.
#' @param test `resample_rolling()`: number of rows after each origin. `NULL` is n / (origins + 1), rounded down, for n
#'   rows. `task_resample()`: numbers of rows to test on, which are not trained on.
#' @param window Number of rows before an origin that are trained on; `NULL` for all.
#' @param task A task of data.
#' @param train Numbers of rows to train on. A row may occur several times. Row i of a series is the window that begins
#'   at time i.
#' @returns A description for [compare_architectures()] or, from `task_resample()`, a task.
#' @seealso [compare_architectures()], [contrast_architectures()].
#' @references Nadeau and Bengio (2003) \doi{10.1023/A:1024068626366}. Bergmeir and Benitez (2012)
#'   \doi{10.1016/j.ins.2011.12.028}.
#' @examples
#' task <- task_data(mpg ~ wt + hp, mtcars, seed = 1)
#' nets <- list(
#'   linear = arch_dense(input_vector(2)),
#'   tanh = input_vector(2) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(1)
#' )
#' cmp <- compare_architectures(nets, list(cars = task), resamples = resample_folds(8))
#' summary(cmp)
#' contrast_architectures(cmp, "loss")
#'
#' dax <- task_series(diff(log(EuStockMarkets[1:300, ])), length = 4, target = "DAX")
#' nets <- list(dense = arch_dense(input_sequence(4, 4)))
#' compare_architectures(nets, list(dax = dax), resamples = resample_rolling(3))
#' @export
resample_folds <- function(v = 10, repeats = 1) {
  new_resample_plan("folds", v = check_count(v, min = 2L), repeats = check_count(repeats))
}

#' @rdname resample_folds
#' @export
resample_rolling <- function(origins = 5, test = NULL, window = NULL) {
  new_resample_plan("rolling", origins = check_count(origins), test = if (!is.null(test)) check_count(test),
    window = if (!is.null(window)) check_count(window))
}

new_resample_plan <- function(kind, ...) structure(list(kind = kind, ...), class = "ca_resample_plan")

#' @export
print.ca_resample_plan <- function(x, ...) {
  check_dots(...)
  cat("<resamples> ", resample_plan_text(x), "\n", sep = "")
  invisible(x)
}

resample_plan_text <- function(plan) {
  if (plan$kind == "folds") {
    return(paste0(plan$v, " folds", if (plan$repeats > 1L) paste0(", ", plan$repeats, " times")))
  }
  paste0(format_count(plan$origins, "origin"), ", ",
    if (is.null(plan$test)) "test rows: n / (origins + 1)" else paste("each with", format_count(plan$test, "test row")),
    if (!is.null(plan$window)) paste0(", window of ", format_count(plan$window, "row")))
}

#' @rdname resample_folds
#' @export
task_resample <- function(task, train, test) {
  check_resample_task(task)
  n <- length(task$division$user)
  train <- check_resample_rows(train, n)
  test <- check_resample_rows(test, n)
  both <- intersect(train, test)
  if (length(both) > 0L) {
    abort(c("No row can be in both {.arg train} and {.arg test}.", x = "Row {both[[1L]]} is."), "value")
  }
  check_resample_order(task, train, test)
  resample_task(task, new_resample(train, test, "given"))
}

check_resample_task <- function(task, call = rlang::caller_env()) {
  check_task(task, call = call)
  if (!is_data_task(task)) {
    abort(c("{.arg task} must have rows of data, from {.fn task_data} or {.fn task_series}.",
      x = "Its kind is {.val {task$kind}}."), "type", call = call)
  }
  if (is.null(task$division)) {
    abort(c("{.arg task} must be made by this version of capalloc to be resampled.",
      i = "Make it again by {.fn task_data} or {.fn task_series}."), "value", call = call)
  }
}

check_resample_rows <- function(rows, n, arg = rlang::caller_arg(rows), call = rlang::caller_env()) {
  ok <- is.numeric(rows) && length(rows) > 0L && all(is.finite(rows)) && all(rows == floor(rows), rows >= 1, rows <= n)
  if (ok) return(as.integer(rows))
  abort(c("{.arg {arg}} must be numbers of rows, from 1 to {n}.", x = "It is {show_value(rows)}."), "value",
    call = call)
}

# Rows of a series that are trained on must lie before the values that held-out rows predict.
check_resample_order <- function(task, train, test, call = rlang::caller_env()) {
  if (task$kind != "series") return(invisible())
  last <- max(train) + resample_reach(task)
  first <- min(test) + task$division$window + min(task$horizon) - 1L
  if (last < first) return(invisible())
  abort(c(
    "Training rows of a series must lie before the values that test rows predict.",
    x = "They use values up to time {last}, and the first predicted value is at time {first}.",
    i = "Use {.fn resample_rolling}, or rolling origins of {.pkg rsample}."
  ), "value", call = call)
}

# The times that a row of a series uses end this many steps after its first.
resample_reach <- function(task) task$division$window + max(task$horizon) - 1L

# ---- the rows of a task --------------------------------------------------------------------------------

# All rows of a task in their order: list(x, y), with weights list(x, y, weight).
resample_all_rows <- function(task) {
  division <- task$division
  n <- length(division$user)
  at <- c(division$train, division$test, setdiff(seq_len(n), c(division$train, division$test)))
  test_names <- c(x = "x_test", y = "y_test", weight = "test_weight")
  parts <- intersect(names(test_names), names(task$data))
  lapply(stats::setNames(nm = parts), function(part) {
    all <- rbind(task$data[[part]], task$data[[test_names[[part]]]], division$between[[part]])
    all[match(seq_len(n), at), , drop = FALSE]
  })
}

# The task with the rows of a resample.
resample_task <- function(task, resample) {
  all <- resample_all_rows(task)
  part <- function(rows) lapply(all, function(z) z[rows, , drop = FALSE])
  train <- part(resample$train)
  test <- part(resample$test)
  task$data <- c(train[c("x", "y")], list(x_test = test$x, y_test = test$y))
  if (!is.null(train$weight)) {
    task$data$weight <- train$weight
    task$data$test_weight <- test$weight
  }
  task$moments <- task_row_moments(train$x, train$y, train$weight)
  if (!is.null(task$naive)) {
    times <- min(resample$train):(max(resample$train) + resample_reach(task))
    errors <- series_naive_errors(task$division$values[times, , drop = FALSE], task$division$period)
    task$naive <- rep(errors, times = length(task$horizon))
  }
  # A row that is drawn several times has no single place among the rows, so the result cannot be resampled again.
  task$division <- NULL
  task
}

# ---- folds and origins -----------------------------------------------------------------------------------

# The resamples of a plan: a list of new_resample(). `seed` governs the draw of folds.
resample_plan <- function(plan, task, seed, call = rlang::caller_env()) {
  if (plan$kind == "folds") resample_plan_folds(plan, task, seed, call) else resample_plan_rolling(plan, task, call)
}

resample_plan_folds <- function(plan, task, seed, call) {
  n <- length(task$division$user)
  if (task$kind == "series") {
    abort(c("Folds would train on values after those that they test on.", x = "The task is a series.",
      i = "Use {.fn resample_rolling}."), "value", call = call)
  }
  if (plan$v > n) {
    abort(c("{.arg v} must be at most the number of rows, {n}.", x = "It is {plan$v}."), "value", call = call)
  }
  class <- if (is.null(task$levels)) rep(1L, n) else max.col(resample_all_rows(task)$y, "first")
  seeds <- derive_seeds(seed, plan$repeats)
  divided <- lapply(seq_len(plan$repeats), function(i) {
    fold <- with_seed(seeds[[i]], resample_draw_folds(class, plan$v))
    name <- if (plan$repeats > 1L) paste0("Repeat", i, " Fold") else "Fold"
    lapply(seq_len(plan$v), function(k) new_resample(which(fold != k), which(fold == k), paste0(name, k)))
  })
  unlist(divided, recursive = FALSE)
}

# The number of the fold of each row. Rows are dealt to the folds in turn, class by class, so that every fold has each
# class in its share, up to one row.
resample_draw_folds <- function(class, v) {
  dealt <- unlist(lapply(unique(class), function(k) {
    of_class <- which(class == k)
    of_class[sample.int(length(of_class))]
  }))
  fold <- integer(length(class))
  fold[dealt] <- rep_len(sample.int(v), length(class))
  fold
}

resample_plan_rolling <- function(plan, task, call) {
  n <- length(task$division$user)
  gap <- if (task$kind == "series") max(task$horizon) - min(task$horizon) else 0L
  size <- if (is.null(plan$test)) n %/% (plan$origins + 1L) else plan$test
  least <- n - plan$origins * size - gap # training rows before the first origin
  if (size < 1L || least < max(1L, plan$window)) {
    abort(c(
      "Every origin must have rows to train on before it{if (!is.null(plan$window)) paste0(', ', plan$window)}, and rows
        to test on after it.",
      x = "{n} rows are too few for {resample_plan_text(plan)}."
    ), "value", call = call)
  }
  lapply(seq_len(plan$origins), function(i) {
    before <- n - (plan$origins - i + 1L) * size
    last <- before - gap
    first <- if (is.null(plan$window)) 1L else last - plan$window + 1L
    new_resample(first:last, before + seq_len(size), paste0("Origin", i))
  })
}
