# The graph is interpreted here, slowly, from its description in R/lower.R, and
# held to the twin, which only knows the layers: so a fault of lowering shows
# apart from one of the C core.

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
      nodes[[i]][, , u] <- op_at(graph$ops[[i]], lapply(graph$ops[[i]]$from, node), u, theta)
    }
  }
  matrix(node(graph$output), nrow(x))
}

# Operations outside loops alone, those of a loop together, in order.
op_groups <- function(ops) {
  loops <- vapply(ops, function(op) op$loop, 0L)
  unname(split(seq_along(ops), ifelse(loops == 0L, seq_along(ops), match(loops, loops))))
}

# Output position u of one operation: observations x channels.
op_at <- function(op, from, u, theta) {
  channels <- op$shape[[1L]]
  switch(op$kind,
    linear = linear_at(op, from[[1L]], u, theta),
    fixed = fixed_at(op, from[[1L]], u),
    bias = sweep(twin_at(from[[1L]], u), 2L, theta[op$theta + seq_len(channels)], `+`),
    add = Reduce(`+`, Map(function(x, scale) scale * twin_at(x, u), from, op$scale)),
    concat = do.call(cbind, lapply(from, twin_at, u)),
    flatten = matrix(from[[1L]], dim(from[[1L]])[[1L]])
  )
}

# Positions that the taps meet; 0 where there is none. All are one high here.
op_taps <- function(op, x, u) {
  window <- matrix(op$window, ncol = 4L) # height and width x kernel, stride, dilation, pad
  w <- window[2L, ]
  at <- (u - 1) * w[[2L]] + (seq_len(w[[1L]]) - 1) * w[[3L]] - w[[4L]] + 1
  ifelse(at >= 1 & at <= dim(x)[[3L]], at, 0)
}

fixed_at <- function(op, x, u) {
  meets <- setdiff(op_taps(op, x, u), 0)
  Reduce(`+`, lapply(meets, function(at) op$scale * twin_at(x, at)))
}

linear_at <- function(op, x, u, theta) {
  channels <- dim(x)[[2L]]
  taps <- op_taps(op, x, u)
  dim <- c(op$shape[[1L]], channels / op$groups, length(taps))
  kernel <- twin_full_kernel(array(theta[op$theta + seq_len(prod(dim))], dim), channels, op$groups)
  y <- matrix(0, dim(x)[[1L]], op$shape[[1L]])
  for (k in which(taps > 0)) {
    y <- y + twin_at(x, taps[[k]]) %*% t(matrix(kernel[, , k], op$shape[[1L]]))
  }
  y
}

expect_same_graph <- function(network, label) {
  n <- prod(network$input$shape)
  x <- rbind(diag(n), 0)
  found <- run_graph(lower(network), x, network$coef)
  wanted <- twin_predict(network, x)
  # The same sums in another order.
  expect_lt(max(abs(found - wanted)), 1e-13 * max(1, abs(wanted)), label = label)
}

test_that("every named network is lowered to what its layers say", {
  networks <- named_networks()
  for (name in names(networks)) expect_same_graph(networks[[name]], name)
})

test_that("so is every random one", {
  for (seed in 1:100) expect_same_graph(random_network(seed), paste("seed", seed))
})

# Entries of theta that each operation reads, from 1.
theta_of <- function(graph, op) {
  if (op$kind == "bias") return(op$theta + seq_len(op$shape[[1L]]))
  if (op$kind != "linear") return(integer())
  channels <- (if (op$from == 0) graph$input else graph$ops[[op$from]]$shape)[[1L]]
  op$theta + seq_len(op$shape[[1L]] * channels / op$groups * prod(op$window[1:2]))
}

test_that("slices of theta cover it once, and nodes read what is there", {
  for (network in c(named_networks(), lapply(1:50, random_network))) {
    graph <- lower(network)
    slices <- unlist(lapply(graph$ops, theta_of, graph = graph))
    expect_equal(sort(slices), as.numeric(seq_along(network$coef)))
    expect_equal(graph$n_params, length(network$coef))
    expect_equal(graph$output, length(graph$ops))
    for (i in seq_along(graph$ops)) {
      op <- graph$ops[[i]]
      later <- op$from[op$from >= i]
      # Only the operations of one loop may read ahead.
      expect_true(all(vapply(later, function(j) graph$ops[[j]]$loop == op$loop && op$loop > 0, NA)))
    }
  }
})

test_that("the description of a recurrence does not grow with its length", {
  ops <- function(n) length(lower(input_sequence(n) |> layer_recurrent(2, bias = TRUE))$ops)
  expect_equal(ops(4), ops(4000))
})

test_that("padding is in the index map, never an operation", {
  ops <- function(padding) {
    lower(input_sequence(9) |> layer_conv(1, 3, stride = 2, padding = padding))$ops
  }
  expect_equal(lengths(list(ops("valid"), ops("same"), ops("causal"))), c(1, 1, 1))
  expect_equal(vapply(list(ops("valid"), ops("same"), ops("causal")), function(op) {
    as.numeric(op[[1L]]$window[[8L]])
  }, 0), c(0, 1, 2))
})

test_that("a network without layers is its input", {
  graph <- lower(input_sequence(5))
  expect_equal(graph$output, 0)
  expect_length(graph$ops, 0)
})
