# The routines behind capacities, kernels and tables called with wrong types, wrong lengths and tampered
# networks, in the manner of test-ffi.R: an answer, or an error of the package's own.

capacity_calls <- function(network) {
  base <- ffi_calls(network)$ffi_capacity
  p <- base[[1L]]$n_params
  n <- prod(base[[1L]]$input) + capalloc:::has_bias(network)
  if (runif(1) < 0.5) base[[6L]]$ridge <- 0
  at <- sort(sample.int(n, sample.int(n, 1L)))
  group <- sample.int(p, p, replace = TRUE)
  list(
    ffi_capacity = base,
    ffi_kernel = replace(base, 5L, list(at)),
    ffi_two_way = replace(base, 5L, list(group))
  )
}

is_capacity_answer <- function(x, routine) {
  identical(names(x), c("answer", "values", "rank", "parameters")) && is.matrix(x$answer) &&
    is.double(x$answer) && is.double(x$values) && is.double(x$parameters) && x$rank <= length(x$values) &&
    (routine != "ffi_kernel" || nrow(x$answer) == ncol(x$answer))
}

capacity_outcome <- function(routine, arguments) {
  tryCatch(
    if (is_capacity_answer(call_core(routine, arguments), routine)) "value" else "not an answer",
    capalloc_error = function(e) "error",
    error = function(e) paste("foreign error:", conditionMessage(e)),
    warning = function(w) paste("warning:", conditionMessage(w))
  )
}

# Half of the calls have the fifth argument tampered with, that which is each routine's own.
tamper_capacity <- function(arguments) {
  if (runif(1) < 0.5) return(tamper_arguments(arguments))
  own <- arguments[[5L]]
  arguments[5L] <- list(if (is.null(own)) ffi_junk() else if (is.matrix(own)) tamper_matrix(own) else tamper(own))
  arguments
}

capacity_storm <- function(seed, calls) {
  withr::with_seed(seed, {
    bases <- unlist(lapply(1:10, function(i) lapply(unname(ffi_networks()), capacity_calls)), recursive = FALSE)
    outcomes <- lapply(seq_len(calls), function(i) {
      base <- pick(bases)
      routine <- pick(names(base))
      data.frame(routine = routine, outcome = capacity_outcome(routine, tamper_capacity(base[[routine]])))
    })
    do.call(rbind, outcomes)
  }, .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion", .rng_sample_kind = "Rejection")
}

test_that("calls that are not tampered with give an answer", {
  withr::with_seed(1, for (network in ffi_networks()) {
    base <- capacity_calls(network)
    for (routine in names(base)) {
      expect_length(base[[routine]], getDLLRegisteredRoutines("capalloc")$.Call[[routine]]$numParameters)
      expect_equal(capacity_outcome(routine, base[[routine]]), "value", label = routine)
    }
  })
})

test_that("no tampered call crashes, and what fails fails with the package's own error", {
  network <- ffi_networks()$nested
  fixed <- withr::with_seed(1, capacity_calls(network))
  before <- lapply(names(fixed), function(routine) call_core(routine, fixed[[routine]]))
  for (seed in 1:2) {
    found <- with_plain_errors(capacity_storm(seed, 1000))
    expect_no_surprise(found, seed, 1000)
    expect_true(all(table(found$routine, found$outcome) > 5))
  }
  expect_identical(lapply(names(fixed), function(routine) call_core(routine, fixed[[routine]])), before)
})

test_that("inputs of a kernel, groups of a table and rows of a partition are checked", {
  base <- withr::with_seed(1, capacity_calls(ffi_networks()$dense)) # 4 coordinates, 14 parameters
  fifth <- function(routine, value) call_core(routine, replace(base[[routine]], 5L, list(value)))
  internal <- function(code, text) expect_error(code, text, class = "capalloc_error_internal")
  for (at in list(0L, 5L, -1L, c(2L, 1L), c(1L, 1L), 1:5, integer(), NA_integer_, c(1L, NA), 1, "1", NULL,
    .Machine$integer.max, list(1L))) {
    internal(fifth("ffi_kernel", at), "the inputs of a kernel")
  }
  p <- length(base$ffi_two_way[[3]])
  for (group in list(1L, rep(0L, p), rep(p + 1L, p), rep(NA_integer_, p), rep(1, p), rep(1L, p + 1L), NULL,
    integer(), replace(seq_len(p), 2, -1L), as.character(seq_len(p)))) {
    internal(fifth("ffi_two_way", group), "the groups of a table")
  }
  for (rows in list(diag(4)[1:3, ], diag(4)[, 1:3], diag(5), matrix(0, 0, 4), 1:4, replace(diag(4), 3, NA), "1")) {
    internal(fifth("ffi_capacity", rows), "the rows of an allocation")
  }
})
