# Returns the output of the core for a graph with one operation of the kind, at x (channels x positions).
run_op <- function(kind, x, theta = numeric(), ...) {
  graph <- new.env(parent = emptyenv())
  graph$ops <- list()
  shape <- c(nrow(x), 1, ncol(x))
  n_from <- if (kind == "product") 2L else 1L
  out <- if (kind == "flatten") c(length(x), 1, 1) else shape
  node <- capalloc:::lower_emit(graph, kind, integer(n_from), out, ...)
  whole <- list(input = shape, ops = graph$ops, output = node, n_params = as.double(length(theta)))
  as.vector(call_core("ffi_predict", list(whole, theta, matrix(x, 1L))))
}

# Arguments of the operations that have parameters or an activation, for two channels.
arguments_of <- function(kind, theta = c(0.3, -2, 1.5, 0.7)) {
  switch(kind, linear = list(theta = theta), bias = list(theta = theta[1:2]), phi = list(phi = "relu"), list())
}

run_kind <- function(kind, x, ...) do.call(run_op, c(list(kind, x), arguments_of(kind, ...)))

test_that("the table has every kind of operation exactly once", {
  table <- capalloc:::operation_table()
  expect_setequal(table$name, c("input", "linear", "fixed", "bias", "add", "concat", "flatten", "phi", "product",
    "max"))
  expect_equal(table$linear, !table$gate)
  expect_identical(capalloc:::operation_table(), table)
})

test_that("the properties in the table agree with what the operations compute", {
  table <- capalloc:::operation_table()
  x <- matrix(c(0.5, -1, 2, 3, -0.4, 1), 2)
  y <- matrix(c(-1, 0.3, 0.2, 2, 5, -3), 2)
  for (kind in setdiff(table$name, "input")) {
    row <- as.list(table[table$name == kind, ])
    own <- run_kind(kind, x)
    zero <- run_kind(kind, 0 * x)
    expect_equal(isTRUE(all.equal(run_kind(kind, 3 * x), 3 * own)), row$homogeneous, label = kind)
    expect_equal(any(zero != 0), row$constant, label = kind)
    expect_equal(row$theta, "theta" %in% names(arguments_of(kind)), label = kind)
    if (row$linear) expect_equal(run_kind(kind, x + y) + zero, own + run_kind(kind, y), label = kind)
    # An operation that does not mix channels leaves the other channel unchanged.
    mixed <- run_kind(kind, x * c(1, 0))[c(2, 4, 6)] - zero[c(2, 4, 6)]
    expect_equal(any(mixed != 0), row$mixes, label = kind)
  }
})

test_that("operation_terms() counts the terms of a unit of an operation", {
  net <- input_sequence(5, channels = 4) |> layer_conv(6, 3, groups = 2, bias = TRUE) |> layer_pool(2, type = "max")
  graph <- capalloc:::lower_network(net)
  terms <- vapply(graph$ops, function(op) capalloc:::operation_terms(graph, op), 0)
  expect_equal(terms[capalloc:::operations_are(graph$ops, "mixes")], 3 * 2)
  expect_equal(terms[capalloc:::operations_are(graph$ops, "constant")], 1)
  expect_equal(terms[capalloc:::operations_are(graph$ops, "gate")], 2)
})

test_that("operation_nodes_below() finds all operations that an operation depends on, also through recurrences", {
  net <- input_sequence(4) |> layer_recurrent(2, activation = "tanh", output = "sequence") |> layer_activation("relu")
  graph <- capalloc:::lower_network(net)
  n <- length(graph$ops)
  expect_true(all(capalloc:::operation_nodes_below(graph, n)))
  # Every operation of a recurrence depends on all the others.
  loop <- vapply(graph$ops, function(op) op$loop > 0L, NA)
  tanh <- which(loop & capalloc:::operations_are(graph$ops, "activation"))
  expect_identical(which(capalloc:::operation_nodes_below(graph, tanh)), seq_len(n - 1L))
  plain <- capalloc:::lower_network(input_vector(3) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(1))
  expect_identical(capalloc:::operation_nodes_below(plain, 1L), c(TRUE, FALSE, FALSE))
})
