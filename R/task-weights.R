# Weights of the rows of a task, and of its classes.
#
# A task with weights has the fields `weight` and `test_weight` in its data: matrices with one column, for training rows
# and for rows held out, which contain the weight of the row times that of its class. Its field `class_weights` has the
# latter, in the order of the levels. Rows of weight 0 are left out when the task is made.

# The weights of n rows that the user gave, as a vector; NULL for none. `hint`: what to do about missing weights; NULL
# where they are allowed.
check_row_weights <- function(weights, n, hint, call = rlang::caller_env()) {
  if (is.null(weights)) return(NULL)
  if (!is.numeric(weights) || length(weights) != n) {
    abort(c("{.arg weights} must be numeric, with one weight for each of the {n} row{?s}.",
      x = "It is {show_value(weights)}, of length {length(weights)}."), if (is.numeric(weights)) "shape" else "type",
      call = call)
  }
  weights <- as.double(weights)
  if (!is.null(hint)) refuse_weight(weights, which(is.na(weights)), "not be missing", call, hint)
  refuse_weight(weights, which(weights < 0), "not be negative", call)
  refuse_weight(weights, which(is.infinite(weights)), "be finite", call)
  positive <- weights[!is.na(weights) & weights > 0]
  if (length(positive) == 0L) {
    abort(c("{.arg weights} must have a positive value.", x = "None is positive."), "value", call = call)
  }
  if (max(positive) / min(positive) < 1e150) return(weights)
  abort(c("{.arg weights} must not differ by a factor above 1e150.",
    x = "They are between {format(min(positive))} and {format(max(positive))}."), "value", call = call)
}

refuse_weight <- function(weights, bad, rule, call, hint = NULL) {
  if (length(bad) == 0L) return(invisible())
  abort(c(
    "{.arg weights} must {rule}.",
    x = "It has {length(bad)} such value{?s}; the first is {weights[[bad[[1L]]]]}, at row {bad[[1L]]}.",
    i = hint
  ), "value", call = call)
}

# The weights of a formula task: an expression in the variables of `data`, as in lm(), or a one-sided formula.
data_weights <- function(weights, data, call = rlang::caller_env()) {
  tryCatch(
    {
      value <- rlang::eval_tidy(weights, data)
      if (!rlang::is_formula(value, lhs = FALSE)) return(value)
      rlang::eval_tidy(rlang::f_rhs(value), data, rlang::f_env(value))
    },
    error = function(e) {
      abort(c("{.arg weights} could not be evaluated in {.arg data}.", x = "{conditionMessage(e)}"), "value",
        call = call)
    }
  )
}

# Leaves out rows of weight 0, and classes that are left without rows. rows: list(x, y, weights, split, levels), see
# new_data_rows().
drop_zero_weights <- function(rows, call) {
  keep <- which(rows$weights > 0)
  if (is.null(rows$weights) || length(keep) == length(rows$weights)) return(rows)
  rows$x <- rows$x[keep, , drop = FALSE]
  rows$y <- rows$y[keep, , drop = FALSE]
  rows$weights <- rows$weights[keep]
  rows$split$rows <- rows$split$rows[keep]
  if (is.null(rows$levels)) return(rows)
  left <- colSums(rows$y) > 0
  if (sum(left) < 2L) {
    abort(c("{.arg weights} must leave rows of two classes or more.", x = "Only {.val {rows$levels[left]}} is left."),
      "value", call = call)
  }
  rows$y <- rows$y[, left, drop = FALSE]
  rows$levels <- rows$levels[left]
  rows
}

# The weights of classes in the order of `levels`, or NULL. y (N x classes): indicators of the training rows, whose
# weights are `weight` (N x 1) or NULL. "balanced" gives all classes the same total weight, and rows the mean weight 1.
read_class_weights <- function(class_weights, levels, y, weight, call) {
  if (is.null(class_weights)) return(NULL)
  if (is.null(levels)) {
    abort(c("{.arg class_weights} are for a response that is a factor.", x = "The response is numeric.",
      i = "Use {.arg weights} for weights of rows."), "value", call = call)
  }
  if (!identical(class_weights, "balanced")) return(named_class_weights(class_weights, levels, call))
  share <- weighted_means(y, weight)
  if (all(share > 0)) return(stats::setNames(1 / (length(levels) * share), levels))
  abort(c("{.arg class_weights} can be {.val balanced} only if every class has training rows.",
    x = "{.val {levels[share == 0]}} {?has/have} none.", i = "Use {.code split = \"stratified\"}."), "value",
    call = call)
}

named_class_weights <- function(class_weights, levels, call) {
  ok <- is.numeric(class_weights) && length(class_weights) == length(levels) && all(is.finite(class_weights)) &&
    all(class_weights > 0) && setequal(names(class_weights), levels)
  if (ok) return(class_weights[levels])
  abort(c(
    "{.arg class_weights} must be {.val balanced}, or a positive number for each class, named by
      {.val {levels}}.",
    x = "It is {show_value(class_weights)}{if (!is.null(names(class_weights)))
      paste0(', named ', paste(names(class_weights), collapse = ', '))}."
  ), "value", call = call)
}

# Weights of rows (N x 1) times those of their classes. y (N x classes): indicators. NULL without any weights.
with_class_weights <- function(class_weights, y, weight) {
  if (is.null(class_weights)) return(weight)
  of_rows <- y %*% unname(class_weights)
  if (is.null(weight)) of_rows else weight * of_rows
}

# The inverse: weights of rows alone, NULL where the task has only weights of classes or none.
without_class_weights <- function(task, y, weight) {
  if (is.null(task$class_weights) || is.null(weight)) return(weight)
  weight / (y %*% unname(task$class_weights))
}

# The inputs of rows, for results that treat all rows alike: rows are repeated by weights that are whole numbers, if
# that is at most `most_repeated` times as many rows. Otherwise weights are not used, with a warning. rows: list(x,
# weight).
rows_by_weights <- function(rows) {
  weight <- rows$weight
  if (is.null(weight)) return(rows$x)
  if (all(weight == round(weight)) && sum(weight) <= most_repeated * nrow(rows$x)) {
    return(rows$x[rep(seq_len(nrow(rows$x)), weight), , drop = FALSE])
  }
  warn(c("Weights of rows are not used here: all rows count alike.",
    i = "Only weights that are small whole numbers are, by repeated rows."), "weights")
  rows$x
}

most_repeated <- 100
