# Random numbers. All drawing in the package happens inside with_seed(), which
# fixes R's generator kinds, so that a seed means the same draws in any session
# and the user's own stream is left as it was found.

# A seed from the user's stream when none is given: set.seed() then governs.
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
  force(seed) # drawing it may move the user's stream, which is kept after that
  old <- globalenv()$.Random.seed
  kinds <- if (is.null(old)) RNGkind() # a stream says its kinds itself
  on.exit(restore_stream(old, kinds))
  set.seed(seed, kind = generators[[1L]], normal.kind = generators[[2L]], sample.kind = generators[[3L]])
  force(code)
}

generators <- c("Mersenne-Twister", "Inversion", "Rejection")

restore_stream <- function(old, kinds) {
  if (!is.null(old)) return(assign(".Random.seed", old, envir = globalenv()))
  # R warns of the sampler of before R 3.6 whenever it is set, also when it is set back
  if (!identical(kinds, generators)) suppressWarnings(RNGkind(kinds[[1L]], kinds[[2L]], kinds[[3L]]))
  rm(".Random.seed", envir = globalenv())
}

# Independent streams from one seed: element i is the same for any `n` >= i.
derive_seeds <- function(seed, n) {
  with_seed(seed, sample.int(.Machine$integer.max, n))
}

# A seed for each name, from the seed of the whole: the same for any other names beside it, on every platform, in any
# locale. A polynomial hash of the name's UTF-8 bytes modulo the prime 2^31 - 1, with the seed as leading coefficient.
# Intermediate values stay below 2^46, so that doubles hold them exactly.
named_seed <- function(seed, name) {
  prime <- 2147483647
  hash <- seed %% prime
  for (byte in as.integer(charToRaw(enc2utf8(name)))) hash <- (hash * 16807 + byte + 1) %% prime
  as.integer(hash)
}
