# Every condition that the package raises is made here, so that its class is
# `capalloc_<kind>_<what>` and its parent `capalloc_<kind>`. Messages are cli
# templates: {.arg x} names an argument, {.val {x}} shows a value.

abort <- function(message, class, call = rlang::caller_env(), ..., .envir = parent.frame()) {
  cli::cli_abort(
    message, ...,
    class = c(paste0("capalloc_error_", class), "capalloc_error"),
    call = call, .envir = .envir
  )
}

# Comparisons keep some warnings as values and name their classes in an option.
warn <- function(message, class, ..., .envir = parent.frame()) {
  if (class %in% getOption("capalloc.muffled")) return(invisible())
  cli::cli_warn(
    message, ...,
    class = c(paste0("capalloc_warning_", class), "capalloc_warning"),
    .envir = .envir
  )
}

# Says which suggested package a feature needs, before any work is done.
need_package <- function(package, to, call = rlang::caller_env()) {
  if (has_package(package)) return(invisible())
  abort(c(
    "The package {.pkg {package}} is needed to {to}.",
    i = "Install it with {.code install.packages(\"{package}\")}."
  ), "package", call = call)
}

has_package <- function(package) requireNamespace(package, quietly = TRUE)

# On one line and without bullets, whose characters depend on the session.
flat_message <- function(e) {
  said <- if (inherits(e, "rlang_error")) c(e$message, e$body) else conditionMessage(e)
  gsub("\\s*\n\\s*", " ", cli::ansi_strip(paste(said, collapse = " ")))
}

# What these warnings say of a run is kept in its columns. They are not made at all, since their layout takes longer
# than a small run.
quietly_warned <- function(code) {
  old <- options(capalloc.muffled = c(
    "not_converged", "starts", "above_floor", "rank_gap", "rows_exhausted", "constant"
  ))
  on.exit(options(old))
  code
}

# The C core's way to raise: its status codes are those of src/status.h.
stop_core <- function(code, what) {
  text <- gsub("([{}])", "\\1\\1", what)
  switch(code,
    abort(c(
      "This is not a network that capalloc has made: {text}.",
      i = "Build networks with {.fn input_sequence} and layers, and do not edit their fields."
    ), "internal", call = NULL, text = text),
    abort("This is too large: {text}.", "size", call = NULL, text = text),
    abort("LAPACK failed while {text}.", "numeric", call = NULL, text = text),
    abort("A quantity is not finite: {text}.", "nonfinite", call = NULL, text = text)
  )
}
