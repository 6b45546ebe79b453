# ridge = "decay": the soft capacity that belongs to a fit with weight decay lambda |theta|^2. With D~ = (T (x) I) D in
# the covariance metric and columns as they are, P = D~ (D~'D~ + N lambda I)^-1 D~'. For a linear network D~'D~ is
# N J~'J~, so the same is J~ (J~'J~ + lambda I)^-1 J~'. Of a dense layer J~ is (T (x) I) itself with T'T = X'X / N, and
# the total is ridge regression's effective degrees of freedom, for each output tr X'X (X'X + N lambda I)^-1.

is_decay_ridge <- function(ridge) identical(ridge, "decay")

# lambda of the fit, where it can be had.
decay_of <- function(x, metric, data, call) {
  i <- "The soft capacity of {.code ridge = \"decay\"} is that of a fit with {.code control = list(decay = )}."
  if (!inherits(x, "ca_fit")) {
    abort(c("{.arg ridge} can be {.val decay} only for a fit.", x = "{.arg x} is a network.", i = i), "decay",
      call = call)
  }
  if (has_classes(x$task)) {
    abort(c(
      "{.arg ridge} can be {.val decay} only for fits by squared error.",
      x = "This one minimises the cross-entropy.",
      i = "Pass a number instead."
    ), "decay", call = call)
  }
  if (!(x$control$decay > 0)) {
    abort(c("{.arg ridge} can be {.val decay} only for a fit with weight decay.", x = "This one has none.", i = i),
      "decay", call = call)
  }
  if (!is.null(data)) {
    abort(c(
      "{.arg data} must be {.code NULL} with {.code ridge = \"decay\"}.",
      i = "Weight decay is weighed against the rows that the fit was trained on."
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
