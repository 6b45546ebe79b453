# Errors and warnings. All are raised by abort() and warn(), with the class `capalloc_<kind>_<what>` and the parent
# class `capalloc_<kind>`. Messages are cli templates: {.arg x} names an argument, {.val {x}} shows a value.

abort <- function(message, class, call = rlang::caller_env(), ..., .envir = parent.frame()) {
  cli::cli_abort(
    message, ...,
    class = c(paste0("capalloc_error_", class), "capalloc_error"),
    call = call, .envir = .envir
  )
}

# The option `capalloc.muffled` holds the classes of warnings that are not raised (see quietly_warned()).
warn <- function(message, class, ..., .envir = parent.frame()) {
  if (class %in% getOption("capalloc.muffled")) return(invisible())
  cli::cli_warn(
    message, ...,
    class = c(paste0("capalloc_warning_", class), "capalloc_warning"),
    .envir = .envir
  )
}

# Raises an error when a suggested package is not installed. It is called before any work is done. `to` is the purpose
# in the message, such as "write a report".
need_package <- function(package, to, call = rlang::caller_env()) {
  if (has_package(package)) return(invisible())
  abort(c(
    "The package {.pkg {package}} is needed to {to}.",
    i = "Install it with {.code install.packages(\"{package}\")}."
  ), "package", call = call)
}

has_package <- function(package) requireNamespace(package, quietly = TRUE)

# Returns the message of a condition on one line. Bullets are left out, since their characters depend on the session.
flat_message <- function(e) {
  said <- if (inherits(e, "rlang_error")) c(e$message, e$body) else conditionMessage(e)
  gsub("\\s*\n\\s*", " ", cli::ansi_strip(paste(said, collapse = " ")))
}

# Evaluates `code` without the warnings whose content a comparison stores in columns. The warnings are never created,
# since formatting them takes longer than a small run.
quietly_warned <- function(code) {
  old <- options(capalloc.muffled = c(
    "not_converged", "starts", "above_floor", "rank_gap", "rows_exhausted", "constant", "separation",
    "unused"
  ))
  on.exit(options(old))
  code
}

# Raises the error for a status code of the C core (src/status.h), which calls this function. `what` is the C message.
stop_core <- function(code, what) {
  text <- gsub("([{}])", "\\1\\1", what)
  switch(code,
    abort(c(
      "This is not a valid capalloc network: {text}.",
      i = "Build networks with {.fn input_sequence} and layers, and do not edit their fields."
    ), "internal", call = NULL, text = text),
    abort("This is too large: {text}.", "size", call = NULL, text = text),
    abort("LAPACK failed while {text}.", "numeric", call = NULL, text = text),
    abort("A quantity is not finite: {text}.", "nonfinite", call = NULL, text = text)
  )
}
