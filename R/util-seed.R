# Random numbers. All random numbers but seeds are drawn inside with_seed(). It fixes the kinds of R's generators, so
# that a seed gives the same draws in any session, and restores the state of the user's generator on exit.

# Returns `seed` as an integer. When it is NULL, a seed is drawn from the user's generator, so that set.seed() fixes it.
draw_seed <- function(seed = NULL, call = rlang::caller_env()) {
  if (is.null(seed)) return(sample.int(.Machine$integer.max, 1L))
  ok <- is.numeric(seed) && length(seed) == 1L && is.finite(seed) && seed == floor(seed) &&
    abs(seed) <= .Machine$integer.max
  if (!ok) {
    abort(c(
      "{.arg seed} must be one whole number, or {.code NULL} to draw one.",
      x = "It is {show_value(seed)}."
    ), "value", call = call)
  }
  as.integer(seed)
}

with_seed <- function(seed, code) {
  force(seed) # evaluated before the state is saved, since drawing a seed advances the user's generator
  old <- globalenv()$.Random.seed
  kinds <- if (is.null(old)) RNGkind() # otherwise .Random.seed contains the kinds
  on.exit(restore_seed_stream(old, kinds))
  set.seed(seed, kind = generators[[1L]], normal.kind = generators[[2L]], sample.kind = generators[[3L]])
  force(code)
}

generators <- c("Mersenne-Twister", "Inversion", "Rejection")

restore_seed_stream <- function(old, kinds) {
  if (!is.null(old)) return(assign(".Random.seed", old, envir = globalenv()))
  # setting the sampler of R before 3.6 raises a warning, also when it is restored
  if (!identical(kinds, generators)) suppressWarnings(RNGkind(kinds[[1L]], kinds[[2L]], kinds[[3L]]))
  rm(".Random.seed", envir = globalenv())
}

# Returns `n` seeds derived from one seed. Element i is the same for any `n` >= i.
derive_seeds <- function(seed, n) {
  with_seed(seed, sample.int(.Machine$integer.max, n))
}

# Returns the seed of one name, derived from a common seed. It does not depend on other names, the platform or the
# locale. It is a polynomial hash of the name's UTF-8 bytes modulo the prime 2^31 - 1, with the seed as leading
# coefficient. Intermediate values stay below 2^46, so that doubles represent them exactly.
named_seed <- function(seed, name) {
  prime <- 2147483647
  hash <- seed %% prime
  for (byte in as.integer(charToRaw(enc2utf8(name)))) hash <- (hash * 16807 + byte + 1) %% prime
  as.integer(hash)
}
