# Fingerprint of a network, a task or an option: the md5 sum of its values, which are written in the same form on every
# platform. Objects built by the same call have the same sum, and a whole number has the same sum as an integer and as a
# double. Bytecode, references to source files, labels, formulas and divisions of rows of tasks are left out: the digits
# of labels depend on options, the environments of formulas on the session, and rows are in the data of a task. Code is
# written as its syntax tree, since text made by deparse() also depends on options such as `scipen`.

fingerprint <- function(x) {
  if (inherits(x, "ca_task")) x[c("label", "reading", "division")] <- NULL
  path <- tempfile("fingerprint")
  on.exit(unlink(path))
  out <- file(path, "wb")
  tryCatch(fingerprint_value_writer(out)(x), finally = close(out))
  unname(tools::md5sum(path))
}

fingerprint_text_sum <- function(lines) {
  path <- tempfile("sum")
  on.exit(unlink(path))
  writeBin(charToRaw(paste0(paste0(lines, "\n"), collapse = "")), path)
  unname(tools::md5sum(path))
}

# Returns a function that writes a value and then its attributes to the connection `out`. The kind and the length of
# each part precede it, so that different structures give different bytes.
fingerprint_value_writer <- function(out) {
  seen <- list() # environments written so far, since environments may refer to each other
  tag <- function(kind, n) writeBin(paste(kind, sprintf("%.0f", n)), out)
  texts <- function(x) {
    tag("text", length(x))
    bytes <- lapply(enc2utf8(as.vector(x)), charToRaw)
    numbers(ifelse(is.na(x), NA, lengths(bytes)))
    writeBin(as.raw(unlist(bytes)), out)
  }
  numbers <- function(x) {
    tag("numbers", length(x))
    x <- as.double(x)
    x[is.nan(x)] <- NaN # NaN has several bit patterns
    writeBin(x, out, endian = "little")
  }
  parts <- function(kind, x) {
    tag(kind, length(x))
    for (i in seq_along(x)) if (is_fingerprint_no_value(x[[i]])) tag("no value", 0L) else value(x[[i]])
  }
  scope <- function(env) {
    known <- match(TRUE, vapply(seen, identical, NA, env), 0L)
    if (known > 0L || is_fingerprint_named_scope(env)) return(texts(paste(environmentName(env), known)))
    seen <<- c(seen, list(env))
    names <- sort(ls(env, all.names = TRUE), method = "radix")
    texts(names)
    parts("scope", mget(names, env))
    scope(parent.env(env))
  }
  value <- function(x) {
    switch(typeof(x),
      `NULL` = tag("null", 0L),
      logical = , integer = , double = numbers(unclass(x)),
      character = texts(unclass(x)),
      complex = numbers(c(Re(x), Im(x))),
      raw = numbers(as.integer(x)),
      list = , pairlist = , expression = parts("list", as.list(unclass(x))),
      closure = {
        value(as.list(formals(x)))
        value(body(x))
        scope(environment(x))
      },
      environment = scope(x),
      symbol = {
        tag("symbol", 1L)
        texts(as.character(x))
      },
      language = {
        tag("call", 1L)
        value(fingerprint_code_parts(x))
      },
      builtin = , special = texts(deparse(x)),
      texts(typeof(x))
    )
    attrs <- attributes(x)
    attrs <- attrs[!names(attrs) %in% c("srcref", "srcfile", "wholeSrcref")]
    if (is.environment(x) || length(attrs) == 0L) return(invisible())
    attrs <- attrs[order(names(attrs), method = "radix")]
    texts(names(attrs))
    parts("attributes", unname(attrs))
  }
  value
}

# Whether x is the empty symbol, the default of an argument without one. It cannot be passed to a function as a value.
is_fingerprint_no_value <- function(x) identical(x, quote(expr = )) # nolint: spaces_inside_linter.

# Returns the function and the arguments of a call as a list. For `function(x) x` it omits the fourth element, which is
# a reference to the source.
fingerprint_code_parts <- function(x) {
  parts <- as.list(x)
  if (identical(parts[[1L]], quote(`function`))) parts[1:3] else parts
}

# Whether an environment exists in every session (global environment, packages, namespaces). The contents of such an
# environment are not part of a value.
is_fingerprint_named_scope <- function(env) {
  identical(env, globalenv()) || identical(env, emptyenv()) || identical(env, baseenv()) || isNamespace(env) ||
    nzchar(environmentName(env))
}
