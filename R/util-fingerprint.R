# What identifies a network, a task or an option: the md5 sum of its values, written out in one form on every
# platform. Two objects that the same call built have the same sum; whole numbers count the same as integers and as
# doubles. Bytecode and references to source files do not count, nor do the labels of tasks, whose digits depend on
# options. Code is written as the tree that it is: text made by deparse() depends on options too, such as `scipen`.

fingerprint <- function(x) {
  if (inherits(x, "ca_task")) x["label"] <- NULL
  path <- tempfile("fingerprint")
  on.exit(unlink(path))
  out <- file(path, "wb")
  tryCatch(value_writer(out)(x), finally = close(out))
  unname(tools::md5sum(path))
}

text_sum <- function(lines) {
  path <- tempfile("sum")
  on.exit(unlink(path))
  writeBin(charToRaw(paste0(paste0(lines, "\n"), collapse = "")), path)
  unname(tools::md5sum(path))
}

# A function that writes a value, then its attributes, every part behind its kind and its length, so that no two
# structures are written alike.
value_writer <- function(out) {
  seen <- list() # environments, which may hold each other
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
    x[is.nan(x)] <- NaN # NaN has many forms
    writeBin(x, out, endian = "little")
  }
  parts <- function(kind, x) {
    tag(kind, length(x))
    for (i in seq_along(x)) if (is_no_value(x[[i]])) tag("no value", 0L) else value(x[[i]])
  }
  scope <- function(env) {
    known <- match(TRUE, vapply(seen, identical, NA, env), 0L)
    if (known > 0L || is_named_scope(env)) return(texts(paste(environmentName(env), known)))
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
        value(code_parts(x))
      },
      builtin = , special = texts(deparse(x)),
      texts(typeof(x))
    )
    about <- attributes(x)
    about <- about[!names(about) %in% c("srcref", "srcfile", "wholeSrcref")]
    if (is.environment(x) || length(about) == 0L) return(invisible())
    about <- about[order(names(about), method = "radix")]
    texts(names(about))
    parts("attributes", unname(about))
  }
  value
}

# An argument without a default, which code cannot pass on.
is_no_value <- function(x) identical(x, quote(expr = )) # nolint: spaces_inside_linter.

# A call's function and arguments. The fourth part of `function(x) x` is a reference to its source.
code_parts <- function(x) {
  parts <- as.list(x)
  if (identical(parts[[1L]], quote(`function`))) parts[1:3] else parts
}

# Scopes that exist in every session, whose contents are not part of a value.
is_named_scope <- function(env) {
  identical(env, globalenv()) || identical(env, emptyenv()) || identical(env, baseenv()) || isNamespace(env) ||
    nzchar(environmentName(env))
}
