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
