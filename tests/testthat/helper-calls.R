# Calls of the C core with several faults at once. Each is determined by a seed and its own number, so it
# can be repeated without the calls before it. tools/check-calls.R makes thousands, in separate processes.

# Returns valid arguments of every routine for every small network, which all calls of a seed start from.
ffi_bases <- function(seed) {
  with_ffi_seed(seed, {
    bases <- unlist(lapply(seq_len(10), function(i) {
      c(lapply(unname(ffi_networks()), ffi_calls), lapply(unname(ffi_curved_networks()), ffi_curved_calls))
    }), recursive = FALSE)
    lapply(bases, c, list(ffi_activations = list(), ffi_operations = list(), ffi_threads = list(0)))
  })
}

with_ffi_seed <- function(seed, code) {
  withr::with_seed(seed, code, .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion",
    .rng_sample_kind = "Rejection")
}

ffi_call_seed <- function(seed, number) (seed * 1000003 + number) %% .Machine$integer.max

# Returns a list: the routine and its arguments.
ffi_bad_call <- function(bases, seed, number) {
  with_ffi_seed(ffi_call_seed(seed, number), {
    routine <- pick(names(bases[[1L]]))
    base <- pick(Filter(function(base) routine %in% names(base), bases))
    arguments <- base[[routine]]
    # Half of the calls keep their network, because its faults are reported before any others.
    first <- if (length(arguments) > 1L && runif(1) < 0.5) 2L else 1L
    for (round in seq_len(pick(c(1, 1, 1, 2, 2, 3, 5, 10)))) {
      arguments <- or_as_is(tamper_call(arguments, first, base), arguments)
    }
    # Last, since other changes of data with such extents would exhaust the memory of R.
    if (length(arguments) > 0L && runif(1) < 0.1) {
      i <- sample.int(length(arguments), 1L)
      empty <- list(function(x) pick(empty_extents()))
      arguments <- or_as_is(replace(arguments, i, list(tamper_deep(arguments[[i]], empty))), arguments)
    }
    list(routine = routine, arguments = arguments)
  })
}

# Returns the tampered arguments, or the original ones where tampering fails.
or_as_is <- function(tampered, arguments) tryCatch(suppressWarnings(tampered), error = function(e) arguments)

# `first` is the first argument that may change.
tamper_call <- function(arguments, first, base) {
  ways <- c(rep("arguments", 4), rep("deep", 6), rep("graph", 3 * (first == 1L)), "borrow", "count")
  if (length(arguments) == 0L) ways <- "count"
  i <- first - 1L + sample.int(max(length(arguments) - first + 1L, 1L), 1L)
  switch(pick(ways),
    arguments = replace(arguments, first:length(arguments), tamper_arguments(arguments[first:length(arguments)])),
    deep = replace(arguments, i, list(tamper_deep(arguments[[i]]))),
    graph = replace(arguments, 1L, list(tamper_wiring(arguments[[1L]]))),
    borrow = replace(arguments, i, list(pick(unlist(unname(base), recursive = FALSE)))),
    # rarely, because R itself refuses these calls
    count = if (runif(1) < 0.2) pick(list(arguments[-i], c(arguments, list(ffi_junk())))) else arguments
  )
}

# ---- a value -------------------------------------------------------------------------------------

integer_bounds <- c(.Machine$integer.max, -.Machine$integer.max, .Machine$integer.max - 1L, NA, 0L, 1L, -1L, 65536L)
double_bounds <- c(
  integer_bounds, 2^31, -2^31, 2^32, 2^52, 2^53, 2^63, 2^64, .Machine$double.xmax, -.Machine$double.xmax,
  .Machine$double.xmin, 5e-324, -5e-324, -0, NA, NaN, Inf, -Inf, 0.5, 1 + 2^-52
)

# Changes one value at a random depth.
tamper_deep <- function(x, faults = ffi_faults) {
  if (is.list(x) && length(x) > 0L && runif(1) < 0.9) {
    i <- sample.int(length(x), 1L)
    return(replace(x, i, list(tamper_deep(x[[i]], faults))))
  }
  if (is_vector(x)) pick(faults)(x) else ffi_junk()
}

# NULL, environments and primitives are not copied: setting an attribute would change them for the whole session.
is_vector <- function(x) !is.null(x) && (is.atomic(x) || is.list(x))

ffi_faults <- list(
  bound = function(x) set_some(x, sample.int(length(x), 1L)),
  bounds = function(x) set_some(x, which(runif(length(x)) < 0.5)),
  fill = function(x) replace(x, seq_along(x), pick(if (is.integer(x)) integer_bounds else double_bounds)),
  type = function(x) {
    as.vector(x, pick(c("list", "integer", "double", "logical", "complex", "character", "expression")))
  },
  length = function(x) rep(x, length.out = pick(c(0, 1, length(x) - 1, length(x) + 1, 2 * length(x), 1000))),
  shape = function(x) {
    n <- length(x)
    `dim<-`(x, pick(list(NULL, n, c(1L, n), c(n, 1L), rev(dim(x)), c(dim(x), 1L))))
  },
  class = function(x) `class<-`(x, pick(c("ca_network", "factor", "data.frame", "matrix", "function", "Date"))),
  names = function(x) {
    n <- length(x)
    `names<-`(x, pick(list(NULL, rev(names(x)), rep(names(x)[[1L]], n), rep(NA, n))))
  },
  order = function(x) x[sample.int(length(x))],
  nest = function(x) list(x),
  # compact vectors, which R stores without their values
  compact = function(x) seq_len(pick(c(1, 3, 2e4))),
  missing = function(x) pick(alist(a = , b = a)),
  `S4` = function(x) asS4(x),
  junk = function(x) ffi_junk()
)

set_some <- function(x, at) {
  replace(x, at, sample(if (is.integer(x)) integer_bounds else double_bounds, length(at), replace = TRUE))
}

# Empty arrays with dimensions up to the largest index.
empty_extents <- function() {
  most <- .Machine$integer.max
  list(
    matrix(numeric(), 0, most), matrix(numeric(), most, 0), array(numeric(), c(0L, most, 1L)),
    array(numeric(), c(most, most, 0L)), array(numeric(), c(0L, 0L, 0L)), matrix(integer(), most, 0)
  )
}

# ---- a graph -------------------------------------------------------------------------------------

# Changes the graph: cycles, loops over ranges of operations, and arbitrary slices of theta.
tamper_wiring <- function(graph) {
  n <- length(graph$ops)
  some <- which(runif(n) < pick(c(0.2, 1)))
  way <- pick(c("cycle", "forward", "loop", "loop", "theta", "window", "shape"))
  begin <- sample.int(n, 1L)
  stretch <- begin:sample(begin:n, 1L)
  for (i in if (way == "loop") stretch else some) {
    op <- graph$ops[[i]]
    graph$ops[[i]] <- utils::modifyList(op, switch(way,
      cycle = list(from = sample.int(n, max(length(op$from), 1L), replace = TRUE)),
      forward = list(from = as.integer(pmin(op$from + pick(0:2), n))),
      loop = list(loop = pick(c(1L, 1L, 1L, 2L, .Machine$integer.max))),
      theta = list(theta = pick(c(0, 1, graph$n_params - 1, graph$n_params, .Machine$integer.max, op$theta + 1))),
      window = list(window = set_small(op$window)),
      shape = list(shape = set_small(op$shape))
    ))
  }
  graph
}

# Changes one number to a small one, which may be valid.
set_small <- function(x) replace(x, sample.int(length(x), 1L), pick(c(1L, 2L, 3L, 7L, -1L, 0L, .Machine$integer.max)))

# ---- outcomes ------------------------------------------------------------------------------------

# R's own errors before a routine is called, or when memory is exhausted.
ffi_own_errors <- "^foreign error: (Incorrect number of arguments|cannot allocate|.*memory exhausted)"

ffi_call_outcome <- function(call) {
  outcome <- ffi_outcome(call$routine, call$arguments)
  if (call$routine == "ffi_threads") call_core("ffi_threads", list(1))
  if (grepl(ffi_own_errors, outcome)) "R's error" else outcome
}
