# Settings of the optimisers, one set of defaults.

fit_control <- function(control, method, call = rlang::caller_env()) {
  defaults <- list(
    max_iterations = switch(method, lm = 1000L, lbfgs = 5000L, adam = 5000L),
    tol = 1e-10, learning_rate = 0.01, memory = 10L
  )
  if (!is.list(control) || (length(control) > 0L && is.null(names(control)))) {
    abort(c(
      "{.arg control} must be a named list.",
      x = "It is {show_value(control)}."
    ), "type", call = call)
  }
  unknown <- setdiff(names(control), names(defaults))
  if (length(unknown) > 0L) {
    abort(c(
      "{.arg control} can hold {.or {.val {names(defaults)}}}.",
      x = "It has {.val {unknown}}."
    ), "value", call = call)
  }
  defaults[names(control)] <- control
  check_count(defaults$max_iterations, min = 0L, arg = "control$max_iterations", call = call)
  check_number(defaults$max_iterations, max = 1e6, arg = "control$max_iterations", call = call)
  check_number(defaults$tol, min = 0, arg = "control$tol", call = call)
  check_number(defaults$learning_rate, min = 0, arg = "control$learning_rate", call = call, open = TRUE)
  check_count(defaults$memory, arg = "control$memory", call = call)
  check_number(defaults$memory, max = 100, arg = "control$memory", call = call)
  lapply(defaults, as.double)
}
