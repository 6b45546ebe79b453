# Tasks from rows of data. Rows are split once, when the task is made. Moments are means over the training rows.

# The rows of a task of data:
#   of           number of rows, or of times of a series, that the user gave
#   user         number of each row as the user counts them: rows with missing values or weight 0 are left out
#   train, test  numbers of the rows that are trained on and held out
#   between      list(x, y, weight): rows that are neither, set by new_data_task()
#   ordered      whether the rows are in order of time
#   values       of a series: the columns that are predicted (times x columns)
#   window       of a series: number of times that a row sees
#   period       of a series: the season
new_task_division <- function(of, user, train, test, ordered, between = NULL, values = NULL, window = NULL,
                              period = NULL) {
  division <- list(of = of, user = user, train = train, test = test, ordered = ordered, between = between)
  division[c("values", "window", "period")] <- list(values, window, period)
  division
}

# `division`: which rows of x (N x n) and y (N x m) are trained on and held out, see new_task_division(). `weight`: of
# the rows (N x 1), NULL for none.
new_data_task <- function(kind, label, input, x, y, division, output_labels = NULL, ..., weight = NULL) {
  all <- list(x = x, y = y)
  all$weight <- weight
  part <- function(rows) lapply(all, function(z) z[rows, , drop = FALSE])
  train <- part(division$train)
  test <- part(division$test)
  division$between <- part(setdiff(seq_len(nrow(x)), c(division$train, division$test)))
  data <- c(train[c("x", "y")], list(x_test = test$x, y_test = test$y))
  if (!is.null(weight)) data[c("weight", "test_weight")] <- list(train$weight, test$weight)
  moments <- task_row_moments(data$x, data$y, data$weight)
  new_task(kind, label, input, moments, data, output_labels, division = division, ...)
}

# The training rows of a task of data: list(x, y), with weights list(x, y, weight). NULL for other tasks.
task_rows <- function(task) {
  if (is_data_task(task)) task$data[intersect(c("x", "y", "weight"), names(task$data))]
}

# The task with other training rows. Its moments stay as they are.
put_task_rows <- function(task, rows) {
  for (part in c("x", "y", "weight")) task$data[[part]] <- rows[[part]]
  task
}

# Returns the number of rows that the share `test` of `rows` rows holds out. At least one row must be left for training.
data_count_held_out <- function(test, rows, call = rlang::caller_env()) {
  test <- check_number(test, min = 0, max = 1, call = call)
  held_out <- round(test * rows)
  if (held_out >= rows) {
    abort(c(
      "{.arg test} must leave at least one row to train on.",
      x = "It is {format(test)}, which holds out {held_out} of {rows}."
    ), "value", call = call)
  }
  as.integer(held_out)
}

#' A task from your own data
#'
#' Predict the columns of `y` from the columns of `x`, by the rows given. A share
#' of the rows, drawn at random, is held out: networks are trained on the others
#' and their `loss` is the mean squared error on the held-out ones.
#'
#' Networks are trained on standardised columns, `standardise = TRUE`: each input is centred and divided by its standard
#' deviation over the rows that a fit trains on, and so is the response. The network keeps these numbers as its units,
#' so predictions, effective weights and losses are in the units of the data, while [coef()] and [capacity()] are in
#' standardised coordinates. Rows, moments, [oracle_weights()] and [task_demand()] stay in data units. Several
#' responses are centred one by one and divided by one common number, the root of their mean variance, so that the loss
#' that is minimised is the loss that is reported. Because the response is centred, a network without bias is least
#' squares with an intercept. Columns that do not vary are centred only; classes are left as they are.
#'
#' The formula method builds `x` with [stats::model.matrix()], factors becoming
#' columns as in [stats::lm()], and leaves out the intercept, which belongs to the
#' biases of the network.
#'
#' @param x A matrix, a data frame of numeric columns, or a vector (one input).
#' @param y A vector, matrix or data frame of as many rows.
#' @param test What to hold out: a share of the rows, rounded to whole rows, 0 for none; numbers of rows, such as
#'   `c(3, 17)` or one above 1; or `"last"`, the last fifth.
#' @param seed Seed of the draw of held-out rows; `NULL` draws one, so that
#'   [set.seed()] governs. It is kept in the task as `seed`.
#' @param input `NULL`, or an input such as `input_sequence(32, channels = 2)`,
#'   when the columns have an order (channel-fastest, then position).
#' @param standardise `TRUE`, as above; `"each"` divides each response by its own standard deviation, and losses are
#'   those of the standardised responses; `"scale"` divides by root mean squares and does not centre (regression through
#'   the origin where the network has no bias); `FALSE` trains on the columns as they are.
#' @param split Which rows a share holds out: drawn at `"random"`; the `"last"` ones, for rows in order of time; or
#'   `"stratified"`, drawn so that every class of the response has its share.
#' @param na.action `NULL` refuses missing values; `na.omit` leaves out the rows that have some. That is for independent
#'   rows: the rows that are left of a series are not consecutive.
#' @param weights `NULL`, or a weight for each row, not negative: a vector, and with a formula also an expression in the
#'   variables of `data`, as in [stats::lm()], or a one-sided formula.
#' @param class_weights `NULL`, `"balanced"`, or a positive number for each class, named by the classes.
#' @param formula A formula with the response on the left; `cbind(a, b)` for
#'   several. Offsets are not supported.
#' @param data A data frame with the variables of the formula.
#' @param ... Not used.
#' @returns A task of class `ca_task`; column names are kept as names of inputs
#'   and outputs. Its moments are those of the training rows, and its field `data`
#'   is a list of matrices `x`, `y`, `x_test`, `y_test`.
#' @section Classes:
#' A response that is a factor (or logical, or character) makes a task with classes: its outputs are one
#' column per level, 1 where a row is of that level, in the field `levels` their names. Networks for it have
#' one output per level, or a single one for two levels, and are trained on cross-entropy ([fit.ca_network()]).
#' @section Weights:
#' A row of weight 2 is the row twice: in the moments, the centres and scales, the loss that is minimised, the loss on
#' the rows held out, `null_loss`, `linear_loss`, the accuracy, convergence and the samples of [capacity()]. Only ratios
#' of weights matter. Rows of weight 0 are left out. Shares of `test` and of `control$validation`, rows of a mini-batch
#' (`control$batch`) and [nobs()][nobs.ca_fit] count rows whatever their weights, and bootstrap intervals draw rows with
#' their weights. The gradient of a mini-batch is divided by its number of rows times the mean weight of all rows.
#' [propagate_capacity()] and the like, where they evaluate gates at rows, repeat rows by whole-number weights (up to
#' 100 times as many rows) and use no others, with a warning (`capalloc_warning_weights`).
#'
#' `class_weights` multiply the weights of rows by a weight for the class of each: errors in a rare class then cost as
#' much as in a frequent one. `"balanced"` is \eqn{W / (K W_k)}, with \eqn{W_k} the sum of weights of the training rows
#' of class k of K classes and W that of all. The `loss` of a fit, on the rows held out too, and its `null_loss` use
#' them, since they define the loss of the task. The accuracy and the log loss of a comparison do not, so
#' that they are comparable between tasks with different class weights. Probabilities are those of a population in which
#' the classes have the shares that the weights give them.
#' @section Errors:
#' Missing and infinite values are refused, by row and column, never dropped
#' silently, and so are a factor of which only one level occurs, and columns with empty or equal names. An ordered
#' factor is used with a message.
#' @seealso [task_series()] for a series, [task_moments()] for moments alone.
#' @examples
#' task_data(mpg ~ wt + hp + factor(cyl), mtcars, seed = 1)
#' task_data(as.matrix(mtcars[, -1]), mtcars$mpg, test = 0)
#' # a column as weights of rows, and classes of equal total weight
#' task_data(mpg ~ wt + hp, mtcars, weights = qsec, test = 0)
#' task_data(factor(am) ~ wt + hp, mtcars, class_weights = "balanced", test = 0)
#' @export
task_data <- function(x, ...) {
  UseMethod("task_data")
}

#' @rdname task_data
#' @export
task_data.default <- function(x, y, test = 0.2, seed = NULL, input = NULL, standardise = TRUE,
                              split = c("random", "last", "stratified"), na.action = NULL, weights = NULL,
                              class_weights = NULL, ...) {
  check_dots(...)
  standardise <- check_data_standardise(standardise)
  split <- check_data_split(split, test)
  na.action <- check_data_na_action(na.action)
  if (missing(y)) {
    abort(c(
      "{.arg y} is missing.",
      i = "Use {.code task_data(x, y)}, or {.code task_data(formula, data)}."
    ), "type")
  }
  rows <- seq_len(NROW(x))
  weights <- check_row_weights(weights, length(rows), if (is.null(na.action)) na_hint)
  if (!is.null(na.action)) {
    rows <- data_complete_rows(x, y, weights)
    x <- data_take_rows(x, rows)
    y <- data_take_rows(y, rows)
    weights <- weights[rows]
  }
  x <- data_with_na_hint(check_matrix(x, arg = "x"))
  check_index_columns(colnames(x), "x")
  levels <- NULL
  if (is_data_class_response(y)) {
    y <- data_with_na_hint(data_one_hot(y, "y"))
    levels <- colnames(y)
  }
  check_data_numeric_response(y, "y")
  y <- data_with_na_hint(check_matrix(y, nrow = nrow(x), arg = "y"))
  check_index_columns(colnames(y), "y")
  new_data_rows(x, y, new_data_split(test, seed, split, rows), input, standardise, levels = levels, weights = weights,
    class_weights = class_weights)
}

#' @rdname task_data
#' @export
task_data.formula <- function(formula, data, test = 0.2, seed = NULL, input = NULL, standardise = TRUE,
                              split = c("random", "last", "stratified"), na.action = NULL, weights = NULL,
                              class_weights = NULL, ...) {
  check_dots(...)
  standardise <- check_data_standardise(standardise)
  split <- check_data_split(split, test)
  na.action <- check_data_na_action(na.action)
  if (missing(data) || !is.data.frame(data)) {
    shown <- if (missing(data)) "missing" else show_value(data)
    abort(c("{.arg data} must be a data frame.", x = "It is {shown}."), "type")
  }
  frame <- data_formula_frame(formula, data)
  terms <- attr(frame, "terms")
  rows <- seq_len(nrow(frame))
  weights <- check_row_weights(data_weights(rlang::enquo(weights), data), nrow(frame),
    if (is.null(na.action)) na_hint)
  if (!is.null(na.action)) {
    rows <- which(stats::complete.cases(frame) & !is.na(if (is.null(weights)) rows else weights))
    frame <- frame[rows, , drop = FALSE]
    weights <- weights[rows]
  }
  check_data_complete(frame, rlang::current_env())
  inform_data_ordered(frame)
  x <- stats::model.matrix(terms, frame)
  x <- x[, colnames(x) != "(Intercept)", drop = FALSE]
  y <- stats::model.response(frame)
  levels <- NULL
  if (is_data_class_response(y)) {
    y <- data_one_hot(y, names(frame)[[1L]])
    levels <- colnames(y)
  }
  y <- as.matrix(y)
  if (ncol(y) == 1L) colnames(y) <- names(frame)[[1L]]
  if (ncol(x) == 0L) {
    abort(c(
      "{.arg formula} must have at least one predictor.",
      x = "It is {.code {data_formula_text(formula)}}."
    ), "value")
  }
  x <- check_finite(x, "data")
  y <- check_finite(y, "data")
  reading <- list(
    terms = stats::delete.response(terms), xlev = stats::.getXlevels(terms, frame), contrasts = attr(x, "contrasts")
  )
  new_data_rows(x, y, new_data_split(test, seed, split, rows), input, standardise, data_formula_text(formula), levels,
    reading,
    weights, class_weights)
}

# How rows are held out:
#   test   a share, or numbers of rows as the user counts them
#   seed   of a draw
#   split  "random", "last" or "stratified", for a share
#   rows   of the rows that are used, their numbers as the user counts them
#   most   the largest of these numbers
new_data_split <- function(test, seed, split, rows, most = max(rows, 0)) {
  list(test = test, seed = seed, split = split, rows = rows, most = most)
}

# `reading`: how a formula reads new data, see predict(). `weights`: of the rows, or NULL.
new_data_rows <- function(x, y, split, input, standardise, label = NULL, levels = NULL, reading = NULL, weights = NULL,
                     class_weights = NULL, call = rlang::caller_env()) {
  if (length(x) == 0L || length(y) == 0L) {
    abort(c(
      "{.arg x} and {.arg y} must not be empty.",
      x = "They are {nrow(x)} x {ncol(x)} and {nrow(y)} x {ncol(y)}."
    ), "shape", call = call)
  }
  if (is.null(levels)) { # training on classes does not use moments
    check_task_squares(x, if (is.null(label)) "x" else "data", call)
    check_task_squares(y, if (is.null(label)) "y" else "data", call)
  }
  input <- task_input(input, ncol(x), colnames(x), call = call)
  kept <- drop_zero_weights(list(x = x, y = y, weights = weights, split = split, levels = levels), call)
  y <- kept$y
  levels <- kept$levels
  held <- data_hold_out(kept$split, nrow(y), if (!is.null(levels)) max.col(y, "first"), call)
  weight <- if (!is.null(weights)) matrix(kept$weights)
  train <- setdiff(seq_len(nrow(y)), held$rows)
  class_weights <- read_class_weights(class_weights, levels, y[train, , drop = FALSE], weight[train], call)
  if (is.null(label)) label <- paste0(ncol(x), " input", if (ncol(x) > 1L) "s")
  task <- new_data_task(
    "data", paste0("data, ", label), input, task_plain_matrix(kept$x), task_plain_matrix(y),
    new_task_division(kept$split$most, kept$split$rows, train, held$rows, ordered = split$split == "last"),
    output_labels = colnames(y), seed = held$seed, levels = levels, standardise = standardise, reading = reading,
    weight = with_class_weights(class_weights, y, weight)
  )
  task$class_weights <- class_weights
  task
}

# Returns list(rows, seed): the rows of n to hold out, in increasing order, and the seed if they are drawn. `class` is
# the number of the class of every row, NULL without classes.
data_hold_out <- function(split, n, class, call) {
  if (is_data_row_numbers(split$test)) return(list(rows = data_numbered_rows(split, n, call), seed = split$seed))
  test <- if (identical(split$test, "last")) 0.2 else split$test
  size <- data_count_held_out(test, n, call = call)
  drawn <- split$split != "last"
  seed <- if ((size > 0L && drawn) || !is.null(split$seed)) draw_seed(split$seed, call = call)
  if (split$split == "stratified" && is.null(class)) {
    abort(c("{.arg split} can be {.val stratified} only if the response is a factor."), "value", call = call)
  }
  rows <- switch(split$split,
    last = n - size + seq_len(size),
    random = if (size > 0L) with_seed(seed, sort(sample.int(n, size))) else integer(),
    stratified = with_seed(seed, data_stratified_rows(class, size, call))
  )
  list(rows = rows, seed = seed)
}

# Draws `size` rows so that every class has its share, rounded; classes with the largest remainders get one more.
data_stratified_rows <- function(class, size, call) {
  count <- tabulate(class)
  exact <- size * count / length(class)
  own <- floor(exact)
  more <- order(exact - own, decreasing = TRUE)[seq_len(size - sum(own))]
  own[more] <- own[more] + 1
  if (any(own >= count)) {
    abort(c("{.arg split} = {.val stratified} must leave a row of every class to train on.",
      x = "The smallest class has {min(count)} row{?s}."), "value", call = call)
  }
  sort(unlist(lapply(which(own > 0), function(k) {
    of_class <- which(class == k)
    of_class[sample.int(length(of_class), own[[k]])]
  })))
}

# A share is one number up to 1.
is_data_row_numbers <- function(test) {
  is.numeric(test) && (length(test) > 1L || (length(test) == 1L && isTRUE(test > 1)))
}

# Returns row numbers of the user as numbers of the rows that are used. Rows with missing values are left out.
data_numbered_rows <- function(split, n, call) {
  test <- split$test
  most <- split$most
  ok <- all(is.finite(test)) && all(test == floor(test), test >= 1, test <= most) && anyDuplicated(test) == 0L
  if (!ok) {
    abort(c("Row numbers in {.arg test} must be different whole numbers from 1 to {most}.",
      x = "They are {show_value(test)}."), "value", call = call)
  }
  rows <- sort(match(test, split$rows))
  if (length(rows) == 0L || length(rows) >= n) {
    abort(c("{.arg test} must leave at least one row to train on.", x = "It holds out {length(rows)} of {n}."), "value",
      call = call)
  }
  rows
}

check_data_split <- function(split, test, call = rlang::caller_env()) {
  if (identical(test, "last")) {
    if (identical(split, c("random", "last", "stratified")) || identical(split, "last")) return("last")
    abort(c("{.arg split} must be {.val last} or left out with {.code test = \"last\"}.",
      x = "It is {show_value(split)}."), "value", call = call)
  }
  split <- check_choice(split, c("random", "last", "stratified"), call = call)
  if (split != "random" && is_data_row_numbers(test)) {
    abort(c("{.arg split} is for a share of the rows.", x = "{.arg test} has row numbers."), "value", call = call)
  }
  split
}

# ---- missing values and names ------------------------------------------------------------------------

# NULL refuses missing values; stats::na.omit leaves out their rows.
check_data_na_action <- function(na.action, call = rlang::caller_env()) {
  if (is.null(na.action) || identical(na.action, stats::na.fail) || identical(na.action, "na.fail")) return(NULL)
  if (identical(na.action, stats::na.omit) || identical(na.action, "na.omit")) return("na.omit")
  abort(c("{.arg na.action} must be {.code NULL} or {.code na.omit}.", x = "It is {show_value(na.action)}."), "value",
    call = call)
}

# Rows without missing values in x and y. Objects of different length are refused later, by name.
data_complete_rows <- function(x, y, weights = NULL) {
  rows <- seq_len(NROW(x))
  if (NROW(x) != NROW(y)) return(rows)
  which(stats::complete.cases(as.data.frame(x), as.data.frame(y)) & !is.na(if (is.null(weights)) rows else weights))
}

data_take_rows <- function(x, rows) if (is.null(dim(x))) x[rows] else x[rows, , drop = FALSE]

# Adds the way out to an error about missing values.
data_with_na_hint <- function(code) {
  rlang::try_fetch(code, capalloc_error_value = function(e) {
    message <- conditionMessage(e)
    if (grepl("missing", message, fixed = TRUE) && !grepl("is -?Inf at", message)) e$body <- c(e$body, i = na_hint)
    rlang::cnd_signal(e)
  })
}

na_hint <- "Leave out such rows with `na.action = na.omit` if the rows are independent."

# Contrasts of an ordered factor are polynomial in lm(), whose order a network does not use.
inform_data_ordered <- function(frame) {
  ordered <- names(frame)[vapply(frame, is.ordered, NA)]
  if (length(ordered) == 0L) return(invisible())
  cli::cli_inform(
    c("Ordered factor{?s} {.val {ordered}}: columns are polynomial contrasts, as in {.fn lm}, or classes without order
      as the response.", i = "Use {.code factor(x, ordered = FALSE)} for a column for each level."),
    class = "capalloc_message_ordered"
  )
}

# Returns `standardise`, which must be TRUE, FALSE, "each" or "scale".
check_data_standardise <- function(standardise, call = rlang::caller_env()) {
  if (isTRUE(standardise) || isFALSE(standardise)) return(standardise)
  if (identical(standardise, "each") || identical(standardise, "scale")) return(standardise)
  abort(c(
    "{.arg standardise} must be {.code TRUE}, {.code FALSE}, {.val each} or {.val scale}.",
    x = "It is {show_value(standardise)}."
  ), "value", call = call)
}

is_data_class_response <- function(y) is.factor(y) || is.character(y) || is.logical(y)

# Returns a matrix of zeros and ones with one column per level that occurs.
data_one_hot <- function(y, arg, call = rlang::caller_env()) {
  if (NCOL(y) > 1L) {
    abort(c("The response {.arg {arg}} must be one factor.", x = "It is {show_value(y)}."), "type", call = call)
  }
  missing <- which(is.na(as.character(y))) # a level of a factor may be NA, which is.na() does not find
  if (length(missing) > 0L) {
    abort(c(
      "The response {.arg {arg}} must have no missing values.",
      x = "It has {length(missing)}; the first is at row {missing[[1]]}."
    ), "value", call = call)
  }
  y <- droplevels(as.factor(y))
  if (nlevels(y) < 2L) {
    abort(c(
      "The response {.arg {arg}} must have two levels or more.",
      x = if (length(y) == 0L) "It is empty." else "Only {.val {levels(y)}} occurs."
    ), "value", call = call)
  }
  outer(as.integer(y), seq_len(nlevels(y)), `==`) |> task_plain_matrix() |> `colnames<-`(levels(y))
}

# Returns the model frame of a formula with all rows. Raises an error for an offset, or a response that is neither
# numeric nor classes.
data_formula_frame <- function(formula, data, call = rlang::caller_env()) {
  if (length(formula) != 3L) {
    abort(c(
      "{.arg formula} must have a response on its left.",
      x = "It is {.code {data_formula_text(formula)}}."
    ), "value", call = call)
  }
  frame <- tryCatch(
    stats::model.frame(formula, data, na.action = stats::na.pass),
    error = function(e) {
      abort(c(
        "{.arg formula} could not be evaluated in {.arg data}.",
        x = "{conditionMessage(e)}"
      ), "value", call = call)
    }
  )
  if (!is.null(stats::model.offset(frame))) {
    abort(c(
      "{.arg formula} must not have an offset.",
      x = "It is {.code {data_formula_text(formula)}}.",
      i = "Subtract it from the response."
    ), "value", call = call)
  }
  y <- stats::model.response(frame)
  if (!is_data_class_response(y)) check_data_numeric_response(y, names(frame)[[1L]], call)
  frame
}

# Returns the inputs of new data: for a task of a formula, from the variables of the formula, with the levels and
# contrasts of the factors in the task's data.
data_read_newdata <- function(task, newdata, call = rlang::caller_env()) {
  reading <- task$reading
  if (is.null(reading) || !is.data.frame(newdata) || all(task$input$labels %in% names(newdata))) return(newdata)
  lacks <- setdiff(all.vars(reading$terms), names(newdata))
  lacks <- lacks[!vapply(lacks, exists, NA, envir = environment(reading$terms))]
  if (length(lacks) > 0L) {
    abort(c(
      "{.arg newdata} must have the variables of the formula.",
      x = "It lacks {.val {lacks}}."
    ), "names", call = call)
  }
  frame <- tryCatch(
    stats::model.frame(reading$terms, newdata, xlev = reading$xlev, na.action = stats::na.pass),
    error = function(e) {
      abort(c("{.arg newdata} could not be read by the formula.", x = "{conditionMessage(e)}"), "value", call = call)
    }
  )
  x <- stats::model.matrix(reading$terms, frame, contrasts.arg = reading$contrasts)
  x[, colnames(x) != "(Intercept)", drop = FALSE]
}

check_data_numeric_response <- function(y, arg, call = rlang::caller_env()) {
  if (is.numeric(y) || is.data.frame(y)) return(y)
  abort(c(
    "The response {.arg {arg}} must be numeric (a vector, or a matrix of several outputs), or a factor.",
    x = "It is {show_value(y)}."
  ), "type", call = call)
}

# Raises an error for missing values. It is called before model.matrix(), so that the message names the variable and not
# a dummy column of a factor.
check_data_complete <- function(frame, call) {
  missing <- vapply(frame, function(v) sum(!stats::complete.cases(v)), integer(1))
  if (all(missing == 0L)) return(frame)
  column <- names(frame)[missing > 0L][[1L]]
  row <- which(!stats::complete.cases(frame[[column]]))[[1L]]
  abort(c(
    "{.arg data} must have no missing values.",
    x = "It has {sum(missing)}; the first is at row {row}, column {.val {column}}.",
    i = na_hint
  ), "value", call = call)
}

data_formula_text <- function(formula) {
  text <- paste(trimws(deparse(formula, width.cutoff = 500L)), collapse = " ")
  if (nchar(text) > 60L) paste0(substr(text, 1L, 57L), "...") else text
}
