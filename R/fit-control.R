# Settings of the optimisers: defaults and checks.

# The argument `control` of fit() with all its defaults filled in: a named list of doubles.
fit_control <- function(control, method, linear = TRUE, call = rlang::caller_env()) {
  defaults <- list(
    max_iterations = switch(method, lm = 1000L, lbfgs = 5000L, adam = 5000L),
    tol = if (linear) 1e-10 else 1e-6, learning_rate = 0.01, memory = 10L,
    decay = 0, batch = Inf, validation = 0, patience = 20L
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
  check_number(defaults$decay, min = 0, arg = "control$decay", call = call)
  check_number(defaults$validation, min = 0, max = 0.9, arg = "control$validation", call = call)
  check_count(defaults$patience, arg = "control$patience", call = call)
  check_number(defaults$patience, max = 1e6, arg = "control$patience", call = call)
  if (!identical(defaults$batch, Inf)) {
    check_count(defaults$batch, arg = "control$batch", call = call)
    if (method != "adam") {
      abort(c(
        "{.arg control$batch} must be {.code Inf} for {.code method = \"{method}\"}: only {.val adam} uses
          mini-batches.",
        x = "It is {defaults$batch}."
      ), "value", call = call)
    }
  }
  warn_unused_control(names(control), method, defaults$validation > 0)
  lapply(defaults, as.double)
}

# Warns of settings that another optimiser uses, or early stopping alone.
warn_unused_control <- function(given, method, stops_early) {
  of_method <- c(learning_rate = "adam", memory = "lbfgs")
  other <- intersect(given, names(of_method)[of_method != method])
  why <- "The method is {.val {method}}; {.val {of_method[other]}} {?uses it/use them}."
  warn_unused(sprintf("control$%s", other), why)
  if (!stops_early) {
    warn_unused(sprintf("control$%s", intersect(given, "patience")), "It belongs to early stopping: set
      {.code control$validation}.")
  }
}
