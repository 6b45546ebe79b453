# ridge = "decay": the soft capacity of a fit with weight decay lambda |theta|^2. With D~ = (T (x) I) D in the
# covariance metric, its columns not scaled, P = D~ (D~'D~ + N lambda I)^-1 D~'. For a linear network D~'D~ = N J~'J~,
# so that P = J~ (J~'J~ + lambda I)^-1 J~' gives the same capacities. For a single dense layer J~ = T (x) I with
# T'T = X'X / N, and the total is the effective degrees of freedom of ridge regression, for each output
# tr X'X (X'X + N lambda I)^-1.

is_decay_ridge <- function(ridge) identical(ridge, "decay")

# The weight decay lambda of the fit x. An error where this soft capacity is not defined.
decay_of <- function(x, metric, data, call) {
  i <- "The soft capacity of {.code ridge = \"decay\"} is that of a fit with {.code control = list(decay = )}."
  if (!inherits(x, "ca_fit")) {
    abort(c("{.arg ridge} can be {.val decay} only for a fit.", x = "{.arg x} is a network.", i = i), "decay",
      call = call)
  }
  if (has_task_classes(x$task)) {
    abort(c(
      "{.arg ridge} can be {.val decay} only for fits by squared error.",
      x = "This fit minimises the cross-entropy.",
      i = "Pass a number instead."
    ), "decay", call = call)
  }
  if (!(x$control$decay > 0)) {
    abort(c("{.arg ridge} can be {.val decay} only for a fit with weight decay.", x = "This fit has none.", i = i),
      "decay", call = call)
  }
  if (!is.null(data)) {
    abort(c(
      "{.arg data} must be {.code NULL} with {.code ridge = \"decay\"}.",
      i = "This soft capacity is defined on the rows that the fit was trained on."
    ), "decay", call = call)
  }
  if (metric != "covariance") {
    abort(c(
      "{.arg metric} must be {.val covariance} with {.code ridge = \"decay\"}.",
      x = "It is {.val {metric}}.",
      i = "Leave {.arg metric} out."
    ), "metric", call = call)
  }
  x$control$decay
}
