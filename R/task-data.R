# Tasks from rows of data. Rows are split once, when the task is made. Moments are means over the training rows.

# `held_out`: indices of the rows of x (N x n) and y (N x m) that are not used for training.
new_data_task <- function(kind, label, input, x, y, held_out, output_labels = NULL, ...) {
  train <- setdiff(seq_len(nrow(x)), held_out)
  data <- list(
    x = x[train, , drop = FALSE], y = y[train, , drop = FALSE],
    x_test = x[held_out, , drop = FALSE], y_test = y[held_out, , drop = FALSE]
  )
  new_task(kind, label, input, row_moments(data$x, data$y), data, output_labels, ...)
}

# Returns the number of rows that the share `test` of `rows` rows holds out. At least one row must be left for training.
count_held_out <- function(test, rows, call = rlang::caller_env()) {
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
#' @param test Share of the rows to hold out, rounded to whole rows; 0 for none.
#' @param seed Seed of the draw of held-out rows; `NULL` draws one, so that
#'   [set.seed()] governs. It is kept in the task as `seed`.
#' @param input `NULL`, or an input such as `input_sequence(32, channels = 2)`,
#'   when the columns have an order (channel-fastest, then position).
#' @param standardise `TRUE`, as above; `"each"` divides each response by its own standard deviation, and losses are
#'   those of the standardised responses; `"scale"` divides by root mean squares and does not centre (regression through
#'   the origin where the network has no bias); `FALSE` trains on the columns as they are.
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
#' @section Errors:
#' Missing and infinite values are refused, by row and column, never dropped
#' silently, and so is a factor of which only one level occurs.
#' @seealso [task_series()] for a series, [task_moments()] for moments alone.
#' @examples
#' task_data(mpg ~ wt + hp + factor(cyl), mtcars, seed = 1)
#' task_data(as.matrix(mtcars[, -1]), mtcars$mpg, test = 0)
#' @export
task_data <- function(x, ...) {
  UseMethod("task_data")
}

#' @rdname task_data
#' @export
task_data.default <- function(x, y, test = 0.2, seed = NULL, input = NULL, standardise = TRUE, ...) {
  rlang::check_dots_empty()
  standardise <- check_standardise(standardise)
  if (missing(y)) {
    abort(c(
      "{.arg y} is missing.",
      i = "Use {.code task_data(x, y)}, or {.code task_data(formula, data)}."
    ), "type")
  }
  x <- check_matrix(x, arg = "x")
  levels <- NULL
  if (is_class_response(y)) {
    y <- one_hot(y, "y")
    levels <- colnames(y)
  }
  check_numeric_response(y, "y")
  y <- check_matrix(y, nrow = nrow(x), arg = "y")
  new_rows(x, y, test, seed, input, standardise, levels = levels)
}

#' @rdname task_data
#' @export
task_data.formula <- function(formula, data, test = 0.2, seed = NULL, input = NULL, standardise = TRUE, ...) {
  rlang::check_dots_empty()
  standardise <- check_standardise(standardise)
  if (missing(data) || !is.data.frame(data)) {
    shown <- if (missing(data)) "missing" else show_value(data)
    abort(c("{.arg data} must be a data frame.", x = "It is {shown}."), "type")
  }
  frame <- formula_frame(formula, data)
  terms <- attr(frame, "terms")
  x <- stats::model.matrix(terms, frame)
  x <- x[, colnames(x) != "(Intercept)", drop = FALSE]
  y <- stats::model.response(frame)
  levels <- NULL
  if (is_class_response(y)) {
    y <- one_hot(y, names(frame)[[1L]])
    levels <- colnames(y)
  }
  y <- as.matrix(y)
  if (ncol(y) == 1L) colnames(y) <- names(frame)[[1L]]
  if (ncol(x) == 0L) {
    abort(c(
      "{.arg formula} must have at least one predictor.",
      x = "It is {.code {formula_text(formula)}}."
    ), "value")
  }
  x <- check_finite(x, "data")
  y <- check_finite(y, "data")
  new_rows(x, y, test, seed, input, standardise, formula_text(formula), levels)
}

new_rows <- function(x, y, test, seed, input, standardise, label = NULL, levels = NULL, call = rlang::caller_env()) {
  if (length(x) == 0L || length(y) == 0L) {
    abort(c(
      "{.arg x} and {.arg y} must not be empty.",
      x = "They are {nrow(x)} x {ncol(x)} and {nrow(y)} x {ncol(y)}."
    ), "shape", call = call)
  }
  if (is.null(levels)) { # training on classes does not use moments
    check_squares(x, if (is.null(label)) "x" else "data", call)
    check_squares(y, if (is.null(label)) "y" else "data", call)
  }
  input <- task_input(input, ncol(x), colnames(x), call = call)
  held_out <- integer()
  size <- count_held_out(test, nrow(x), call = call)
  seed <- if (size > 0L || !is.null(seed)) draw_seed(seed, call = call)
  if (size > 0L) held_out <- with_seed(seed, sort(sample.int(nrow(x), size)))
  if (is.null(label)) label <- paste0(ncol(x), " input", if (ncol(x) > 1L) "s")
  new_data_task(
    "data", paste0("data, ", label), input, plain_matrix(x), plain_matrix(y), held_out,
    output_labels = colnames(y), seed = seed, levels = levels, standardise = standardise
  )
}

# Returns `standardise`, which must be TRUE, FALSE, "each" or "scale".
check_standardise <- function(standardise, call = rlang::caller_env()) {
  if (isTRUE(standardise) || isFALSE(standardise)) return(standardise)
  if (identical(standardise, "each") || identical(standardise, "scale")) return(standardise)
  abort(c(
    "{.arg standardise} must be {.code TRUE}, {.code FALSE}, {.val each} or {.val scale}.",
    x = "It is {show_value(standardise)}."
  ), "value", call = call)
}

is_class_response <- function(y) is.factor(y) || is.character(y) || is.logical(y)

# Returns a matrix of zeros and ones with one column per level that occurs.
one_hot <- function(y, arg, call = rlang::caller_env()) {
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
  outer(as.integer(y), seq_len(nlevels(y)), `==`) |> plain_matrix() |> `colnames<-`(levels(y))
}

# Returns the model frame of a formula with all rows. Raises an error where it has missing values, an offset or a
# response that is neither numeric nor classes.
formula_frame <- function(formula, data, call = rlang::caller_env()) {
  if (length(formula) != 3L) {
    abort(c(
      "{.arg formula} must have a response on its left.",
      x = "It is {.code {formula_text(formula)}}."
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
      x = "It is {.code {formula_text(formula)}}.",
      i = "Subtract it from the response."
    ), "value", call = call)
  }
  y <- stats::model.response(frame)
  if (!is_class_response(y)) check_numeric_response(y, names(frame)[[1L]], call)
  check_complete(frame, call)
}

check_numeric_response <- function(y, arg, call = rlang::caller_env()) {
  if (is.numeric(y) || is.data.frame(y)) return(y)
  abort(c(
    "The response {.arg {arg}} must be numeric (a vector, or a matrix of several outputs), or a factor.",
    x = "It is {show_value(y)}."
  ), "type", call = call)
}

# Raises an error for missing values. It is called before model.matrix(), so that the message names the variable and not
# a dummy column of a factor.
check_complete <- function(frame, call) {
  missing <- vapply(frame, function(v) sum(!stats::complete.cases(v)), integer(1))
  if (all(missing == 0L)) return(frame)
  column <- names(frame)[missing > 0L][[1L]]
  row <- which(!stats::complete.cases(frame[[column]]))[[1L]]
  abort(c(
    "{.arg data} must have no missing values.",
    x = "It has {sum(missing)}; the first is at row {row}, column {.val {column}}."
  ), "value", call = call)
}

formula_text <- function(formula) {
  text <- paste(trimws(deparse(formula, width.cutoff = 500L)), collapse = " ")
  if (nchar(text) > 60L) paste0(substr(text, 1L, 57L), "...") else text
}
