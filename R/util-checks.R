# Argument checks. Each function returns its argument in the type that the package uses, or raises a classed error that
# names the argument and shows its value. `arg` is the name of the argument in the message, and `call` the environment
# of the function that the user called.

# Returns a short text for any value, for error messages: the value itself, or its class and size.
show_value <- function(x) {
  if (is.null(x)) return("NULL")
  if (is.atomic(x) && !is.object(x) && length(x) == 1L) return(if (is.character(x)) dQuote(x, FALSE) else format(x))
  if (is.atomic(x) && !is.object(x) && is.null(dim(x)) && length(x) > 0L && length(x) <= 5L) {
    shown <- if (is.character(x)) dQuote(x, FALSE) else format(x, trim = TRUE)
    return(paste0("c(", paste(shown, collapse = ", "), ")"))
  }
  size <- if (is.null(dim(x))) paste("of length", length(x)) else paste(dim(x), collapse = " x ")
  paste0("<", class(x)[[1L]], " ", size, ">")
}

check_number <- function(x, min = -Inf, max = Inf, arg = rlang::caller_arg(x), call = rlang::caller_env(),
                         open = FALSE) {
  ok <- is.numeric(x) && length(x) == 1L && is.finite(x) &&
    (if (open) x > min && x < max else x >= min && x <= max)
  if (!ok) {
    range <- if (is.finite(min) && is.finite(max)) {
      if (open) ", strictly between {min} and {max}" else ", between {min} and {max}"
    } else if (is.finite(min)) {
      if (open) ", greater than {min}" else ", {min} or more"
    } else if (is.finite(max)) {
      ", {max} or less"
    }
    abort(c(
      paste0("{.arg {arg}} must be one finite number", range, "."),
      x = "It is {show_value(x)}."
    ), "value", call = call)
  }
  as.numeric(x)
}

# Returns one whole number, of at least `min`, as an integer.
check_count <- function(x, min = 1L, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  ok <- is.numeric(x) && length(x) == 1L && is.finite(x) && x == floor(x) && x >= min && x <= .Machine$integer.max
  if (!ok) {
    abort(c(
      "{.arg {arg}} must be one whole number, {min} or more.",
      x = "It is {show_value(x)}."
    ), "value", call = call)
  }
  as.integer(x)
}

check_flag <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (!is.logical(x) || length(x) != 1L || is.na(x)) {
    abort(c(
      "{.arg {arg}} must be {.code TRUE} or {.code FALSE}.",
      x = "It is {show_value(x)}."
    ), "value", call = call)
  }
  x
}

check_string <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (!is.character(x) || length(x) != 1L || is.na(x)) {
    abort(c("{.arg {arg}} must be one string.", x = "It is {show_value(x)}."), "type", call = call)
  }
  x
}

# Raises an error when `...` is not empty, so that misspelt arguments are not ignored silently.
check_dots <- function(..., call = rlang::caller_env()) {
  if (...length() == 0L) return(invisible())
  names <- ...names()
  unknown <- if (is.null(names)) rep("", ...length()) else ifelse(is.na(names), "", names)
  unknown <- ifelse(unknown == "", "one without a name", unknown)
  abort(c("{.arg ...} must be empty.", x = "It has {.val {unknown}}: is an argument misspelt?"),
    "value", call = call)
}

# Returns one of `choices`. The vector of all choices, the usual default of an argument, selects the first.
check_choice <- function(x, choices, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (identical(x, choices)) return(choices[[1L]])
  if (!is.character(x) || length(x) != 1L || !x %in% choices) {
    abort(c(
      "{.arg {arg}} must be one of {.or {.val {choices}}}.",
      x = "It is {show_value(x)}."
    ), "value", call = call)
  }
  x
}

# Returns a double vector without missing or infinite values, of length `length` unless that is NULL.
check_vector <- function(x, length = NULL, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  force(arg)
  if (!is.numeric(x) || is.factor(x) || !is.null(dim(x)) && sum(dim(x) > 1L) > 1L) {
    abort(c("{.arg {arg}} must be a numeric vector.", x = "It is {show_value(x)}."), "type", call = call)
  }
  x <- as.double(x)
  if (!is.null(length) && length(x) != length) {
    abort(c(
      "{.arg {arg}} must have {length} value{?s}.",
      x = "It has {length(x)}."
    ), "shape", call = call)
  }
  check_finite(x, arg = arg, call = call)
}

# Returns a double matrix without missing or infinite values. A vector becomes one column, and a data frame of numeric
# columns becomes a matrix.
check_matrix <- function(x, nrow = NULL, ncol = NULL, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  force(arg)
  if (is.data.frame(x)) {
    numeric <- vapply(x, is.numeric, logical(1))
    if (!all(numeric)) {
      bad <- names(x)[!numeric][[1L]]
      abort(c(
        "Every column of {.arg {arg}} must be numeric.",
        x = "Column {.val {bad}} is of class {.cls {class(x[[bad]])}}."
      ), "type", call = call)
    }
    x <- as.matrix(x)
  }
  if (!is.numeric(x) || length(dim(x)) > 2L) {
    abort(c("{.arg {arg}} must be a numeric matrix.", x = "It is {show_value(x)}."), "type", call = call)
  }
  if (length(dim(x)) != 2L) x <- matrix(as.double(x), ncol = 1L)
  if ((!is.null(nrow) && nrow(x) != nrow) || (!is.null(ncol) && ncol(x) != ncol)) {
    wanted <- if (is.null(nrow)) format_count(ncol, "column") else if (is.null(ncol)) format_count(nrow, "row") else
      paste(format_count(nrow, "row"), "and", format_count(ncol, "column"))
    abort(c(
      "{.arg {arg}} must have {wanted}.",
      x = "It is {nrow(x)} x {ncol(x)}."
    ), "shape", call = call)
  }
  storage.mode(x) <- "double"
  check_finite(x, arg = arg, call = call)
}

# Returns x, or raises an error that gives the place of the first missing or infinite value. Nothing is imputed.
check_finite <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (all(is.finite(x))) return(x)
  bad <- which(!is.finite(x))[[1L]]
  n_bad <- sum(!is.finite(x))
  value <- format(x[[bad]])
  where <- if (is.matrix(x)) {
    at <- arrayInd(bad, dim(x))
    column <- if (is.null(colnames(x))) at[[2L]] else dQuote(colnames(x)[[at[[2L]]]], FALSE)
    paste0("row ", at[[1L]], ", column ", column)
  } else {
    paste("position", bad)
  }
  abort(c(
    "{.arg {arg}} must have no missing or infinite values.",
    x = "It has {n_bad}; the first is {value} at {where}."
  ), "value", call = call)
}

# Returns a non-empty list with distinct names, after `check` has accepted each element under the name `arg$name`.
check_named <- function(x, check, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  force(arg)
  if (!is.list(x) || inherits(x, c("ca_network", "ca_task")) || length(x) == 0L) {
    abort(c(
      "{.arg {arg}} must be a named list of one or more, such as {.code list(a = , b = )}.",
      x = "It is {show_value(x)}."
    ), "type", call = call)
  }
  names <- names(x)
  if (is.null(names) || anyNA(names) || any(names == "")) {
    unnamed <- as.character(if (is.null(names)) seq_along(x) else which(is.na(names) | names == ""))
    abort(c(
      "{.arg {arg}} must have names.",
      x = "Element{?s} {unnamed} {?has/have} none."
    ), "value", call = call)
  }
  if (anyDuplicated(names)) {
    abort(c(
      "{.arg {arg}} must have different names.",
      x = "{.val {unique(names[duplicated(names)])}} occurs more than once."
    ), "value", call = call)
  }
  for (name in names) check(x[[name]], arg = paste0(arg, "$", name), call = call)
  invisible(x)
}
