# run_graph() interprets the lowered graph slowly in R and is compared with the twin, which reads only the layers. So a
# fault of lowering is distinguished from a fault of the C core.

# Nodes are arrays (observations x channels x positions); positions run down the columns.
run_graph <- function(graph, x, theta) {
  input <- array(x, c(nrow(x), graph$input[[1L]], prod(graph$input[-1L])))
  nodes <- list()
  node <- function(i) if (i == 0) input else nodes[[i]]
  for (i in seq_along(graph$ops)) {
    shape <- graph$ops[[i]]$shape
    nodes[[i]] <- array(0, c(nrow(x), shape[[1L]], prod(shape[-1L])))
  }
  for (group in op_groups(graph$ops)) {
    # The operations of a loop run together, position by position.
    for (u in seq_len(dim(nodes[[group[[1L]]]])[[3L]])) for (i in group) {
      op <- graph$ops[[i]]
      nodes[[i]][, , u] <- op_at(op, lapply(op$from, node), u, theta, op_shape(graph, op$from[[1L]]))
    }
  }
  matrix(node(graph$output), nrow(x))
}

op_shape <- function(graph, i) if (i == 0) graph$input else graph$ops[[i]]$shape

# Groups of operations in order: an operation outside loops alone, the operations of one loop together.
op_groups <- function(ops) {
  loops <- vapply(ops, function(op) op$loop, 0L)
  unname(split(seq_along(ops), ifelse(loops == 0L, seq_along(ops), match(loops, loops))))
}

# Returns one position of a node (observations x channels).
node_at <- function(x, u) matrix(x[, , u], dim(x)[[1L]])

# Returns output position u of one operation (observations x channels); `shape` is the shape of its first input.
op_at <- function(op, from, u, theta, shape) {
  switch(op$kind,
    linear = linear_at(op, from[[1L]], u, theta, shape),
    fixed = fixed_at(op, from[[1L]], u, shape),
    bias = sweep(node_at(from[[1L]], u), 2L, theta[theta_at(op, u, op$shape[[1L]])], `+`),
    add = Reduce(`+`, Map(function(x, scale) scale * node_at(x, u), from, op$scale)),
    concat = do.call(cbind, lapply(from, node_at, u)),
    flatten = matrix(from[[1L]], dim(from[[1L]])[[1L]])
  )
}

# Returns the `size` indices (from 1) of theta that output position u reads: one slice shared by all positions, or one
# slice for each position in turn.
theta_at <- function(op, u, size) {
  op$theta + seq_len(size) + (if (op$shared) 0 else (u - 1) * size)
}

# Returns the positions that the taps of output position u read, taps of a column first; 0 where a tap lies outside.
op_taps <- function(op, shape, u) {
  # height and width x kernel, stride, dilation, pad, expand
  window <- matrix(op$window, 2L, 5L)
  along <- function(dimension, u, n) {
    w <- window[dimension, ]
    at <- floor((u * w[[2L]] + (seq_len(w[[1L]]) - 1) * w[[3L]] - w[[4L]]) / w[[5L]])
    ifelse(at >= 0 & at < n, at, NA)
  }
  rows <- along(1L, (u - 1) %% op$shape[[2L]], shape[[2L]])
  columns <- along(2L, (u - 1) %/% op$shape[[2L]], shape[[3L]])
  at <- c(outer(rows, columns, function(row, column) row + shape[[2L]] * column + 1))
  ifelse(is.na(at), 0, at)
}

fixed_at <- function(op, x, u, shape) {
  meets <- op_taps(op, shape, u)
  Reduce(`+`, lapply(meets[meets > 0], function(at) op$scale * node_at(x, at)))
}

linear_at <- function(op, x, u, theta, shape) {
  channels <- dim(x)[[2L]]
  taps <- op_taps(op, shape, u)
  dim <- c(op$shape[[1L]], channels / op$groups, length(taps))
  kernel <- twin_full_kernel(array(theta[theta_at(op, u, prod(dim))], dim), channels, op$groups)
  y <- matrix(0, dim(x)[[1L]], op$shape[[1L]])
  for (k in which(taps > 0)) {
    y <- y + node_at(x, taps[[k]]) %*% t(matrix(kernel[, , k], op$shape[[1L]]))
  }
  y
}

expect_same_graph <- function(network, label) {
  n <- prod(network$input$shape)
  x <- rbind(diag(n), 0)
  found <- run_graph(lower_network(network), x, network$coef)
  wanted <- twin_predict(network, x)
  # Both compute the same sums in a different order.
  expect_lt(max(abs(found - wanted)), 1e-13 * max(1, abs(wanted)), label = label)
}

test_that("the graph of every named network computes what its layers describe", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_graph(networks[[name]], name)
})

test_that("the graph of every random network computes what its layers describe", {
  for (seed in 1:120) expect_same_graph(random_network(seed), paste("seed", seed))
})

# Returns the indices (from 1) of theta that each operation reads.
theta_of <- function(graph, op) {
  if (!op$kind %in% c("linear", "bias")) return(integer())
  block <- op$shape[[1L]]
  if (op$kind == "linear") block <- block * op_shape(graph, op$from)[[1L]] / op$groups * prod(op$window[1:2])
  places <- if (op$shared) 1 else seq_len(prod(op$shape[2:3]))
  unlist(lapply(places, function(u) theta_at(op, u, block)))
}

test_that("slices of theta cover it exactly once, and nodes read only earlier nodes or their own loop", {
  for (network in c(named_networks(), lapply(1:60, random_network))) {
    graph <- lower_network(network)
    slices <- unlist(lapply(graph$ops, theta_of, graph = graph))
    expect_equal(sort(slices), as.numeric(seq_along(network$coef)))
    expect_equal(graph$n_params, length(network$coef))
    expect_equal(graph$output, length(graph$ops))
    for (i in seq_along(graph$ops)) {
      op <- graph$ops[[i]]
      later <- op$from[op$from >= i]
      # Only operations of one loop may read later nodes.
      expect_true(all(vapply(later, function(j) graph$ops[[j]]$loop == op$loop && op$loop > 0, NA)))
    }
  }
})

test_that("the graph of a recurrence does not grow with its length", {
  ops <- function(n) length(lower_network(input_sequence(n) |> layer_recurrent(2, bias = TRUE))$ops)
  expect_equal(ops(4), ops(4000))
})

test_that("padding is part of the index map and adds no operation", {
  ops <- function(padding) {
    lower_network(input_sequence(9) |> layer_conv(1, 3, stride = 2, padding = padding))$ops
  }
  expect_equal(lengths(list(ops("valid"), ops("same"), ops("causal"))), c(1, 1, 1))
  expect_equal(vapply(list(ops("valid"), ops("same"), ops("causal")), function(op) {
    as.numeric(op[[1L]]$window[[8L]])
  }, 0), c(0, 1, 2))
})

test_that("a network without layers is its input", {
  graph <- lower_network(input_sequence(5))
  expect_equal(graph$output, 0)
  expect_length(graph$ops, 0)
})

test_that("a window is ten whole numbers, (height, width) for each setting", {
  ops <- function(network) lower_network(network)$ops
  grid <- ops(input_grid(7, 9) |> layer_conv(2, c(2, 3), stride = c(3, 1), dilation = c(1, 2), padding = "same"))
  # Outputs 3 x 9: the 3 x 3 rows read fit without padding, four columns are padded.
  expect_equal(grid[[1L]]$window, c(2, 3, 3, 1, 1, 2, 1, 2, 1, 1))
  line <- ops(input_sequence(9) |> layer_conv(2, 3, dilation = 2, padding = "causal"))
  expect_equal(line[[1L]]$window, c(1, 3, 1, 1, 1, 2, 0, 4, 1, 1))
  up <- ops(input_grid(2, 3) |> layer_upsample(c(2, 3), size = c(3, 9)))
  expect_equal(up[[1L]]$window, c(1, 1, 1, 1, 1, 1, -1, 0, 2, 3))
  expect_equal(up[[1L]]$kind, "fixed")
  expect_equal(up[[1L]]$scale, 1)
  pool <- ops(input_grid(4, 6) |> layer_pool(c(2, 3)))
  expect_equal(pool[[1L]]$window, c(2, 3, 2, 3, 1, 1, 0, 0, 1, 1))
  expect_equal(pool[[1L]]$scale, 1 / 6)
  # A dense layer is one position whose window is the whole input.
  expect_equal(ops(input_grid(4, 6) |> layer_dense(1))[[1L]]$window, c(4, 6, 1, 1, 1, 1, 0, 0, 1, 1))
})

test_that("only kernels and biases of local layers are not shared over positions", {
  shared <- function(network) vapply(lower_network(network)$ops, function(op) op$shared, NA)
  expect_equal(shared(input_sequence(4) |> layer_local(1, 2, bias = TRUE)), c(FALSE, FALSE))
  expect_equal(shared(input_grid(4, 4) |> layer_conv(1, 2, bias = TRUE)), c(TRUE, TRUE))
  for (network in named_networks()) {
    kinds <- vapply(walk_layers(network$layers), function(layer) layer$kind, "")
    expect_equal(any(!shared(network)), "local" %in% kinds)
  }
})
