# The plan of a computation, its cost, and the number of calls of the core.

test_that("a plan has the sizes of cuts, the first gate of every operation, and pairs of pre-activations", {
  net <- input_vector(3) |> layer_dense(4) |> layer_activation("tanh") |> layer_dense(2)
  plan <- capalloc:::flow_plan(capalloc:::lower_network(net))
  expect_true(plan$has_gates)
  expect_identical(plan$first, c(0L, 0L, 4L))
  # Weights, and one multiplication for each gate.
  expect_identical(plan$terms[["whole"]], 12 + 4 + 8)
  # Backward, units of both layers and the outputs are open at once.
  # Forward, the places of the inputs are too few for the activations.
  expect_identical(plan$size[["whole"]], 4 + 4 + 2)
  expect_identical(plan$size[["joint"]], 3 + 4 + 4)
  expect_identical(plan$pairs, 16)
  expect_false(plan$single)
  expect_true(capalloc:::flow_plan(capalloc:::lower_network(net), c(0, 12))$single)
  expect_false(capalloc:::flow_plan(capalloc:::lower_network(input_vector(3) |> layer_dense(1)))$has_gates)
})

test_that("places of blocks that are closed are used again", {
  chain <- input_sequence(64) |> layer_recurrent(1)
  plan <- capalloc:::flow_plan(capalloc:::lower_network(chain))
  # The input stays open; of the states only a few are open at a time.
  expect_lte(plan$size[["whole"]], 64 + 130)
  deep <- input_vector(5)
  for (i in 1:10) deep <- deep |> layer_dense(5)
  expect_identical(capalloc:::flow_plan(capalloc:::lower_network(deep))$size[["whole"]], 10)
})

# Returns the number of calls of core routines by an expression, without evaluations of activations. All functions that
# call routines are replaced while it runs.
count_crossings <- function(code) {
  count <- 0
  counted <- function(routine, ...) {
    if (!identical(routine$name, "ffi_phi")) count <<- count + 1
    .Call(routine, ...)
  }
  with_counter <- function(x) {
    if (identical(x, quote(.Call))) return(counted)
    if (!is.call(x)) return(x)
    as.call(lapply(as.list(x), \(part) if (identical(part, substitute())) part else with_counter(part)))
  }
  capalloc:::operation_table() # cached once per session
  namespace <- asNamespace("capalloc")
  functions <- Filter(is.function, mget(ls(namespace, all.names = TRUE), namespace))
  calling <- Filter(\(f) ".Call" %in% all.names(body(f)), functions)
  on.exit(for (name in names(calling)) utils::assignInNamespace(name, calling[[name]], "capalloc"))
  for (name in names(calling)) {
    new <- calling[[name]]
    body(new) <- with_counter(body(new))
    utils::assignInNamespace(name, new, "capalloc")
  }
  force(code)
  count
}

test_that("capacity through layers crosses the border at most four times, at any length", {
  for (activation in c("identity", "tanh")) for (mode in c("total", "linear", "gaussian", "empirical")) {
    crossings <- vapply(c(4, 12), function(n) {
      net <- with_test_coef(input_sequence(n) |> layer_recurrent(1, activation = activation) |> layer_dense(1), 1)
      x <- if (mode == "empirical") matrix(sin(seq_len(5 * n)), 5)
      task <- if (mode %in% c("linear", "gaussian")) task_fgn(n, 0.7)
      c(
        outputs = count_crossings(propagate_capacity(net, mode = mode, task = task, data = x)),
        layer = count_crossings(propagate_capacity(net, "recurrent1", mode, task = task, data = x))
      )
    }, c(outputs = 0, layer = 0))
    expect_true(all(crossings >= 1 & crossings <= 4), label = paste(mode, activation, toString(crossings)))
    expect_identical(crossings[, 1L], crossings[, 2L], label = paste(mode, activation))
  }
})

test_that("the limit is on two operations for each weight, row, side and matrix", {
  expect_cost <- function(cost, ...) {
    bad(propagate_capacity(..., limit = cost - 1), "cost")
    expect_no_error(propagate_capacity(..., limit = cost))
  }
  x <- matrix(c(1, -1, 2, 0.5, 1, 1, -2, 3, 1), 3)
  net <- with_test_coef(input_vector(3) |> layer_dense(4) |> layer_activation("tanh") |> layer_dense(2), 1)
  # Weights 12 + 4 + 8; a row for each output, and another for each parameter.
  expect_cost(2 * 24 * 2, net, mode = "linear")
  expect_cost(2 * 24 * 2 * 13, net, "dense1", "linear")
  # Units of both layers and the outputs are open at once: 4 + 4 + 2; a matrix for each output.
  expect_cost(2 * 24 * 10 * 2 * 2, net, mode = "empirical", data = x)
  # 36 pairs of eight parameters are propagated down from the activation.
  expect_cost(2 * 16 * 8 * 2 * 36, net, "dense2", "empirical", data = x)
  # No vectors of the first layer are propagated further down, but the gains of its units are propagated to it.
  one <- set_coef(input_vector(1) |> layer_dense(1) |> layer_activation("tanh") |> layer_dense(5), 1:6)
  expect_cost(2 * 7 * 6 * 2, one, "dense1", "empirical", data = matrix(1:3))
  # A joint distribution: 2000 for the single pair, and the covariances of 50 inputs and one unit.
  wide <- with_test_coef(input_vector(50) |> layer_dense(1) |> layer_activation("relu"), 1)
  expect_cost(2000 + 2 * 51 * 51 * 2, wide, mode = "gaussian")
})
