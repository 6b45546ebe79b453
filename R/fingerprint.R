# What identifies a network, a task or an option: the md5 sum of its values, written out in one form on every
# platform. Two objects that the same call built have the same sum; whole numbers count the same as integers and as
# doubles, and bytecode and references to source files do not count.

fingerprint <- function(x) {
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
  tag <- function(kind, n) writeBin(paste(kind, format(n, scientific = FALSE)), out)
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
    for (part in x) value(part)
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
        texts(deparse(args(x)))
        texts(deparse(body(x)))
        scope(environment(x))
      },
      environment = scope(x),
      symbol = , language = , builtin = , special = texts(deparse(x)),
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

# Scopes that exist in every session, whose contents are not part of a value.
is_named_scope <- function(env) {
  identical(env, globalenv()) || identical(env, emptyenv()) || identical(env, baseenv()) || isNamespace(env) ||
    nzchar(environmentName(env))
}
