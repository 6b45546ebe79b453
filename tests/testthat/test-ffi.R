# Every routine of the C core called with wrong types, wrong lengths and tampered
# networks: an R error of the package's own, or a value where the call is still
# valid, but never a crash.

test_that("the calls that are tampered with are those of all registered routines", {
  registered <- getDLLRegisteredRoutines("capalloc")
  base <- ffi_calls(ffi_networks()$dense)
  expect_setequal(names(base), names(registered$.Call))
  expect_equal(lengths(unclass(registered)[c(".C", ".Fortran", ".External")], FALSE), integer(3))
  for (routine in names(base)) {
    expect_length(base[[routine]], registered$.Call[[routine]]$numParameters)
  }
})

test_that("calls that are not tampered with give an answer", {
  for (network in ffi_networks()) {
    base <- ffi_calls(network)
    for (routine in names(base)) {
      expect_equal(ffi_outcome(routine, base[[routine]]), "value", label = routine)
    }
  }
})

test_that("no tampered call crashes, and what fails fails with the package's own error", {
  network <- ffi_networks()$nested
  before <- call_core("ffi_tangent", ffi_calls(network)$ffi_tangent)
  for (seed in 1:3) {
    found <- with_plain_errors(ffi_storm(seed, 1000))
    expect_no_surprise(found, seed, 1000)
    # Every routine has met both: calls that it refused and calls that it answered.
    expect_true(all(table(found$routine, found$outcome) > 5))
  }
  expect_identical(call_core("ffi_tangent", ffi_calls(network)$ffi_tangent), before)
})

test_that("errors of the core are classed conditions with the text of the fault", {
  found <- ffi_storm(4, 100)
  expect_no_surprise(found, 4, 100)
  graph <- capalloc:::lower(ffi_networks()$dense)
  with <- function(...) utils::modifyList(graph, list(...))
  fault <- function(graph) call_core("ffi_reach", list(graph))
  op <- function(i, ...) {
    graph$ops[[i]] <- utils::modifyList(graph$ops[[i]], list(...))
    graph
  }
  expect_error(fault(op(3, from = 3L)), "operation 3 has an input that comes later",
    class = "capalloc_error_internal")
  expect_error(fault(op(3, from = 9L)), "an input that does not exist",
    class = "capalloc_error_internal")
  expect_error(fault(op(1, theta = 100)), "a slice of theta out of range",
    class = "capalloc_error_internal")
  expect_error(fault(op(1, kind = "scan")), "the kind of an operation",
    class = "capalloc_error_internal")
  expect_error(fault(op(1, groups = 2L)), "groups that do not divide the channels",
    class = "capalloc_error_internal")
  for (i in c(1:6, 9:10)) {
    window <- replace(graph$ops[[1L]]$window, i, 0L)
    expect_error(fault(op(1, window = window)), "a window that is not positive",
      class = "capalloc_error_internal")
  }
  for (window in list(integer(), rep(1L, 8), rep(1L, 11), rep(NA_integer_, 10), rep("1", 10))) {
    expect_error(fault(op(1, window = window)), "a window", class = "capalloc_error_internal")
  }
  for (shared in list(NA, 1L, c(TRUE, TRUE), "TRUE", logical())) {
    expect_error(fault(op(1, shared = shared)), "whether theta is shared",
      class = "capalloc_error_internal")
  }
  expect_error(fault(with(output = 4L)), "an output that does not exist",
    class = "capalloc_error_internal")
  expect_error(fault(with(input = c(2^30, 1, 4))), "too many positions",
    class = "capalloc_error_size")
  expect_error(fault(with(input = c(3L, 0L, 1L))), "a shape that is not positive",
    class = "capalloc_error_internal")
  expect_error(call_core("ffi_weights", list(graph, numeric(3))), "the coefficients",
    class = "capalloc_error_internal")
})

test_that("a loop cannot read its own future", {
  graph <- capalloc:::lower(ffi_networks()$elman)
  memory <- which(vapply(graph$ops, function(op) op$loop == 1L && op$kind == "linear", NA))
  loop <- function(...) {
    graph$ops[[memory]] <- utils::modifyList(graph$ops[[memory]], list(...))
    call_core("ffi_reach", list(graph))
  }
  window <- graph$ops[[memory]]$window
  expect_equal(window[[8L]], 1L)
  for (pad in 0:-1) {
    expect_error(loop(window = replace(window, 8L, pad)), "a loop that reads its own future",
      class = "capalloc_error_internal")
  }
  expect_error(loop(loop = 0L), "an input that comes later", class = "capalloc_error_internal")
  graph$ops[[1L]]$loop <- -1L
  expect_error(call_core("ffi_reach", list(graph)), "a negative loop",
    class = "capalloc_error_internal")
  graph$ops[[1L]]$loop <- 0L
  # Two steps back is still the past.
  expect_equal(loop(window = replace(window, 8L, 2L))[, 1L], c(1L, 1L, 1L, 5L))
})

test_that("what does not share theta needs a stretch of it for every position", {
  graph <- capalloc:::lower(input_sequence(5) |> layer_conv(2, 2, bias = TRUE))
  fault <- function(i, n_params) {
    graph$ops[[i]]$shared <- FALSE
    graph$n_params <- n_params
    call_core("ffi_reach", list(graph))
  }
  # Four positions: 4 parameters each in the kernel (from 0), 2 in the constants (from 4).
  expect_error(fault(1L, 15), "a slice of theta out of range", class = "capalloc_error_internal")
  expect_equal(dim(fault(1L, 16)), c(4, 4))
  expect_error(fault(2L, 11), "a slice of theta out of range", class = "capalloc_error_internal")
  expect_equal(dim(fault(2L, 12)), c(4, 4))
  huge <- capalloc:::lower(input_sequence(2^20) |> layer_conv(50, 50))
  huge$ops[[1L]]$shared <- FALSE
  huge$n_params <- 2^31 - 1
  expect_error(call_core("ffi_reach", list(huge)), "too many parameters", class = "capalloc_error_size")
})

test_that("the rows and columns that are reached are numbered from one, blind places NA", {
  reach <- function(network) call_core("ffi_reach", list(capalloc:::lower(network)))
  expect_equal(reach(input_grid(3, 4) |> layer_conv(1, c(2, 3))), rbind(
    c(1, 2, 1, 2), c(2, 3, 2, 3), c(1, 1, 2, 2), c(3, 3, 4, 4)
  ))
  expect_equal(reach(input_sequence(3) |> layer_conv(1, 2, padding = "causal")), rbind(1, 1, c(1, 1, 2), c(1, 2, 3)),
    ignore_attr = TRUE)
  blind <- input_grid(2, 1) |> layer_conv(1, c(2, 1), dilation = c(4, 1), padding = "same")
  expect_equal(reach(blind), matrix(NA_integer_, 4, 2))
})
