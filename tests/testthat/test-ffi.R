# Every routine of the C core is called with wrong types, wrong lengths and tampered networks. The outcome is one of the
# package's errors, or a value where the call is still valid, but never a crash.

test_that("calls to tamper with exist for all registered routines", {
  registered <- getDLLRegisteredRoutines("capalloc")
  base <- c(ffi_calls(ffi_networks()$dense),
    list(ffi_activations = list(), ffi_operations = list(), ffi_threads = list(0)))
  expect_setequal(names(base), names(registered$.Call))
  expect_equal(lengths(unclass(registered)[c(".C", ".Fortran", ".External")], FALSE), integer(3))
  for (routine in names(base)) {
    expect_length(base[[routine]], registered$.Call[[routine]]$numParameters)
  }
})

test_that("valid calls return a value", {
  for (network in ffi_networks()) {
    base <- ffi_calls(network)
    for (routine in names(base)) {
      expect_equal(ffi_outcome(routine, base[[routine]]), "value", label = routine)
    }
  }
})

test_that("valid calls for nonlinear networks return a value", {
  for (network in ffi_curved_networks()) {
    base <- ffi_curved_calls(network)
    for (routine in names(base)) {
      expect_equal(ffi_outcome(routine, base[[routine]]), "value", label = routine)
    }
  }
  expect_equal(call_core("ffi_activations", list()), activations()$activation)
})

test_that("routines for linear networks refuse nonlinear ones, and routines for samples require rows", {
  network <- ffi_curved_networks()$deep
  graph <- capalloc:::lower_network(network)
  theta <- with_test_coef(network, 1)$coef
  p <- length(theta)
  refused <- function(routine, ...) {
    expect_error(call_core(routine, list(graph, theta, ...)), class = "capalloc_error_internal")
  }
  control <- list(max_iterations = 5, tol = 1e-10, learning_rate = 0.01, memory = 3)
  refused("ffi_weights")
  refused("ffi_tangent")
  moments <- list(root = diag(4), target = matrix(1, 4, 2), floor = 0, total = 2)
  refused("ffi_gradient", moments)
  refused("ffi_fit", moments, "lm", control)
  about <- function(x) list(array = rep(1L, p), x = x, rows = NULL, tol = 1e-12, ridge = 0, decay = 0, block = 2,
    columns = 3, parameters = TRUE)
  refused("ffi_capacity", about(NULL), list(turned = NULL, group = NULL))
  refused("ffi_two_way", about(NULL), rep(1L, p))
  refused("ffi_kernel", about(NULL), 1L)
  for (at in list(0L, 5L, 2:1, 1)) refused("ffi_kernel", about(matrix(0.5, 2, 3)), at)
  for (x in list(matrix(0, 0, 3), matrix(0, 2, 4), matrix(1L, 2, 3), c(1, 2, 3), matrix(NA_real_, 2, 3), "x")) {
    refused("ffi_extended", x)
    refused("ffi_linearise", x)
    refused("ffi_capacity", about(x), list(turned = NULL, group = NULL))
  }
  for (group in list(1:3, c(0L, 1L), c(1L, 5L), c(1L, NA), c(1, 2), "1")) {
    refused("ffi_capacity", about(matrix(0.5, 2, 3)), list(turned = NULL, group = group))
  }
  refused("ffi_capacity", about(matrix(0.5, 2, 3)), list(turned = diag(3), group = NULL))
})

test_that("invalid activations, products and maxima are refused", {
  edit <- function(network, kind, ..., which = 1L) {
    graph <- capalloc:::lower_network(ffi_curved_networks()[[network]])
    at <- which(vapply(graph$ops, function(op) op$kind == kind, NA))[[which]]
    graph$ops[[at]] <- utils::modifyList(graph$ops[[at]], list(...), keep.null = TRUE)
    call_core("ffi_reach", list(graph))
  }
  fault <- function(..., text) expect_error(edit(...), text, class = "capalloc_error_internal")
  for (phi in list("swish", "", "Tanh", NA_character_, NULL, 1L, c("tanh", "relu"), character())) {
    fault("deep", "phi", phi = phi, text = "an activation")
  }
  for (scale in list(NULL, NA_real_, Inf, c(1, 1), "1", 1L)) {
    fault("deep", "phi", scale = scale, text = "a scale")
  }
  fault("deep", "phi", from = integer(), text = "wrong number of inputs")
  fault("deep", "phi", from = 1:2, text = "wrong number of inputs")
  fault("deep", "phi", shape = c(3L, 1L, 1L), text = "inputs with a different number of channels")
  fault("deep", "phi", from = 0L, text = "inputs with a different number of channels")
  for (shape in list(c(2L, 2L, 2L), c(2L, 1L, 3L))) {
    fault("grid_max", "phi", shape = shape, text = "inputs with different positions")
  }
  fault("lstm", "product", from = 1L, text = "wrong number of inputs")
  fault("lstm", "product", from = c(1L, 1L, 1L), text = "wrong number of inputs")
  fault("gru", "product", from = c(0L, 0L), shape = c(2L, 1L, 4L), text = "inputs with a different number of channels")
  fault("gru", "product", shape = c(1L, 1L, 3L), text = "a loop with different numbers of positions")
  fault("max", "max", shape = c(1L, 1L, 4L), text = "inputs with a different number of channels")
  for (i in 1:2) fault("max", "max", window = replace(capalloc:::new_window(2L), i, 0L), text = "a window")
  fault("max", "max", from = 1:2, text = "wrong number of inputs")
})

test_that("activations and products of a loop cannot read later positions", {
  for (network in c("lstm", "gru")) {
    graph <- capalloc:::lower_network(ffi_curved_networks()[[network]])
    for (kind in c("phi", "product")) {
      members <- which(vapply(graph$ops, function(op) op$loop == 1L && op$kind == kind, NA))
      for (at in members) for (later in c(at, at + 1L)) {
        broken <- graph
        broken$ops[[at]]$from[[1L]] <- later
        if (later > length(graph$ops)) next
        expect_error(call_core("ffi_reach", list(broken)), "an input that is not an earlier operation",
          class = "capalloc_error_internal")
      }
    }
    # The memory cell and the state, one position back.
    for (at in which(vapply(graph$ops, function(op) op$loop == 1L && op$kind %in% c("fixed", "linear"), NA))) {
      if (graph$ops[[at]]$from < at) next
      for (pad in 0:-1) {
        broken <- graph
        broken$ops[[at]]$window[[8L]] <- pad
        expect_error(call_core("ffi_reach", list(broken)), "reads a value before it is computed",
          class = "capalloc_error_internal")
      }
    }
  }
})

test_that("a maximum over an empty window is zero and has zero derivative", {
  graph <- capalloc:::lower_network(input_sequence(3) |> layer_pool(2, type = "max") |> layer_conv(1, 1))
  graph$ops[[1L]]$window[[8L]] <- 9L # all before the sequence
  theta <- 2
  x <- matrix(c(1, 2, 3), 1)
  expect_equal(call_core("ffi_predict", list(graph, theta, x)), matrix(0))
  expect_equal(call_core("ffi_extended", list(graph, theta, x)), matrix(0, 4, 1))
  expect_equal(call_core("ffi_linearise", list(graph, theta, x)), matrix(0, 1, 4))
})

test_that("tampered calls never crash, and fail with the package's own errors only", {
  network <- ffi_networks()$nested
  before <- call_core("ffi_tangent", ffi_calls(network)$ffi_tangent)
  for (seed in 1:3) {
    found <- with_plain_errors(ffi_storm(seed, 2400))
    expect_no_surprise(found, seed, 2400)
    # Every routine has both refused and computed calls.
    expect_true(all(table(found$routine, found$outcome) > 5))
  }
  expect_identical(call_core("ffi_tangent", ffi_calls(network)$ffi_tangent), before)
})

test_that("errors of the core are classed conditions with the text of the fault", {
  found <- ffi_storm(4, 100)
  expect_no_surprise(found, 4, 100)
  graph <- capalloc:::lower_network(ffi_networks()$dense)
  with <- function(...) utils::modifyList(graph, list(...))
  fault <- function(graph) call_core("ffi_reach", list(graph))
  op <- function(i, ...) {
    graph$ops[[i]] <- utils::modifyList(graph$ops[[i]], list(...))
    graph
  }
  expect_error(fault(op(3, from = 3L)), "operation 3 has an input that is not an earlier operation",
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
    expect_error(fault(op(1, shared = shared)), "the flag for shared theta",
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

test_that("a loop cannot read its own later positions", {
  graph <- capalloc:::lower_network(ffi_networks()$elman)
  memory <- which(vapply(graph$ops, function(op) op$loop == 1L && op$kind == "linear", NA))
  loop <- function(...) {
    graph$ops[[memory]] <- utils::modifyList(graph$ops[[memory]], list(...))
    call_core("ffi_reach", list(graph))
  }
  window <- graph$ops[[memory]]$window
  expect_equal(window[[8L]], 1L)
  for (pad in 0:-1) {
    expect_error(loop(window = replace(window, 8L, pad)), "a loop that reads a value before it is computed",
      class = "capalloc_error_internal")
  }
  expect_error(loop(loop = 0L), "an input that is not an earlier operation", class = "capalloc_error_internal")
  graph$ops[[1L]]$loop <- -1L
  expect_error(call_core("ffi_reach", list(graph)), "a negative loop",
    class = "capalloc_error_internal")
  graph$ops[[1L]]$loop <- 0L
  # Two steps back is also valid.
  expect_equal(loop(window = replace(window, 8L, 2L))[, 1L], c(1L, 1L, 1L, 5L))
})

test_that("an operation that does not share theta needs a slice of it for every position", {
  graph <- capalloc:::lower_network(input_sequence(5) |> layer_conv(2, 2, bias = TRUE))
  fault <- function(i, n_params) {
    graph$ops[[i]]$shared <- FALSE
    graph$n_params <- n_params
    call_core("ffi_reach", list(graph))
  }
  # Four positions: 4 parameters each in the kernel (from 0), 2 in the biases (from 4).
  expect_error(fault(1L, 15), "a slice of theta out of range", class = "capalloc_error_internal")
  expect_equal(dim(fault(1L, 16)), c(4, 4))
  expect_error(fault(2L, 11), "a slice of theta out of range", class = "capalloc_error_internal")
  expect_equal(dim(fault(2L, 12)), c(4, 4))
  huge <- capalloc:::lower_network(input_sequence(2^20) |> layer_conv(50, 50))
  huge$ops[[1L]]$shared <- FALSE
  huge$n_params <- 2^31 - 1
  expect_error(call_core("ffi_reach", list(huge)), "too many parameters", class = "capalloc_error_size")
})

test_that("ffi_reach returns rows and columns numbered from one, and NA without receptive field", {
  reach <- function(network) call_core("ffi_reach", list(capalloc:::lower_network(network)))
  expect_equal(reach(input_grid(3, 4) |> layer_conv(1, c(2, 3))), rbind(
    c(1, 2, 1, 2), c(2, 3, 2, 3), c(1, 1, 2, 2), c(3, 3, 4, 4)
  ))
  expect_equal(reach(input_sequence(3) |> layer_conv(1, 2, padding = "causal")), rbind(1, 1, c(1, 1, 2), c(1, 2, 3)),
    ignore_attr = TRUE)
  blind <- input_grid(2, 1) |> layer_conv(1, c(2, 1), dilation = c(4, 1), padding = "same")
  expect_equal(reach(blind), matrix(NA_integer_, 4, 2))
})

test_that("invalid inputs of a kernel, groups of a table and rows of a partition are refused", {
  base <- ffi_calls(ffi_networks()$dense) # 4 coordinates, 14 parameters
  last <- function(routine, value) call_core(routine, replace(base[[routine]], 4L, list(value)))
  internal <- function(code, text) expect_error(code, text, class = "capalloc_error_internal")
  for (at in list(0L, 5L, -1L, c(2L, 1L), c(1L, 1L), 1:5, integer(), NA_integer_, c(1L, NA), 1, "1", NULL,
    .Machine$integer.max, list(1L))) {
    internal(last("ffi_kernel", at), "the inputs of a kernel")
  }
  p <- length(base$ffi_two_way[[2]])
  for (group in list(1L, rep(0L, p), rep(p + 1L, p), rep(NA_integer_, p), rep(1, p), rep(1L, p + 1L), NULL,
    integer(), replace(seq_len(p), 2, -1L), as.character(seq_len(p)))) {
    internal(last("ffi_two_way", group), "the groups of a table")
  }
  for (rows in list(diag(4)[1:3, ], diag(4)[, 1:3], diag(5), matrix(0, 0, 4), 1:4, replace(diag(4), 3, NA), "1")) {
    internal(last("ffi_capacity", list(turned = rows, group = NULL)), "the rows of a")
  }
})

of_session <- attributes(globalenv())

test_that("calls with several faults end in an error or a value", {
  bases <- ffi_bases(5)
  found <- with_plain_errors(vapply(1:1000, function(number) ffi_call_outcome(ffi_bad_call(bases, 5, number)), ""))
  known <- found %in% c("error", "value", "R's error")
  expect_equal(found[!known], character(), label = paste("of the calls", toString(which(!known)), "of seed 5"))
  expect_true(all(table(found) > 20))
})

test_that("a bad call depends on its seed and its number only", {
  bases <- ffi_bases(6)
  alone <- ffi_bad_call(bases, 6, 17)
  for (number in 1:16) ffi_bad_call(bases, 6, number)
  expect_identical(ffi_bad_call(bases, 6, 17), alone)
  expect_false(identical(ffi_bad_call(bases, 6, 18)$arguments, alone$arguments))
  # Objects that exist once per session are unchanged.
  expect_identical(attributes(globalenv()), of_session)
  expect_false(any(isS4(NULL), isS4(globalenv()), isS4(sum), isS4(quote(a))))
})

test_that("empty arrays with huge extents are refused or computed at no cost", {
  most <- .Machine$integer.max
  base <- ffi_calls(ffi_networks()$dense)
  for (routine in c("ffi_predict", "ffi_extended", "ffi_linearise", "ffi_gate_squares", "ffi_gate_values")) {
    for (extent in list(c(0L, most), c(most, 0L))) {
      x <- matrix(numeric(), extent[[1L]], extent[[2L]])
      expect_error(call_core(routine, replace(base[[routine]], 3L, list(x))), class = "capalloc_error_internal")
    }
  }
})
# Faults found by the fuzzer (tools/fuzz.sh).

test_that("a network without parameters is stationary: its tangent is zero", {
  x <- matrix(c(1, 2, 3, 4), 2)
  control <- list(max_iterations = 3, tol = 1e-6, learning_rate = 0.01, memory = 3, decay = 0, batch = 0, patience = 2)
  for (network in list(input_vector(2), input_vector(2) |> layer_activation("tanh"))) {
    graph <- capalloc:::lower_network(network)
    y <- call_core("ffi_predict", list(graph, numeric(), x)) + 1 # each output is off by one
    for (method in c("lm", "lbfgs", "adam")) {
      data <- list(x = x, y = y)
      found <- call_core("ffi_fit_samples", list(graph, numeric(), data, NULL, "squared", method, control))
      expect_identical(found[c("coef", "loss", "number", "outcome")],
        list(coef = numeric(), loss = 2, number = -1, outcome = "degenerate"), label = method)
    }
  }
})

test_that("a flow through very many biases does not exhaust the stack", {
  n <- 200000L
  bias <- list(kind = "bias", from = 0L, shape = c(1L, 1L, 1L), window = capalloc:::new_window(1L), groups = 1L,
    shared = TRUE, theta = 0, scale = 1, phi = "", loop = 0L)
  ops <- rep(list(bias), n)
  for (i in seq_len(n)) ops[[i]]$from <- i - 1L
  sum <- utils::modifyList(bias, list(kind = "add", from = c(0L, n), scale = c(1, 0), loop = 1L))
  graph <- list(input = c(1L, 1L, 1L), ops = c(ops, list(sum)), output = n + 1L, n_params = 1)
  found <- call_core("ffi_flow", list(graph, 1, numeric(), list(outputs = 1, slice = NULL), 0L))
  expect_equal(found, list(units = list(1), constant = 0, lost = 0))
})
