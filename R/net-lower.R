# Lowering: from the tree of layers to the flat graph of operations that the C core evaluates.
#
# A graph is list(input, ops, output, n_params): `input` is the shape c(channels, height, width) of node 0, operation i
# of `ops` computes node i, `output` is the node of the network's output, and `n_params` is the length of theta. An
# operation is a list of
#   kind    its name in the table of operations (R/net-operations.R)
#   from    nodes that it reads
#   shape   of its output
#   window  kernel, stride, dilation, pad, expand, each (height, width): tap k of output u reads the position
#           floor((u stride + k dilation - pad) / expand), or nothing where that lies outside the input; a negative
#           expand reads only where |expand| divides exactly, and a negative stride or dilation reverses the order
#   groups  number of groups of channels (linear)
#   shared  whether all positions use one block of theta, or each its own (linear, bias)
#   theta   offset of its slice of theta, from 0 (linear, bias)
#   scale   factor of each input (add) or of the sum over taps (fixed), parameter of an activation (phi)
#   phi     name of an activation (phi)
#   loop    0, or the number of the recurrence that it belongs to. The operations of a loop are evaluated position by
#           position and may read later nodes of their own loop at earlier positions.
# The size of a graph does not depend on the length of a sequence.

lower_network <- function(network) lower_with_rows(network)$graph

# Returns a list: `graph`; `from`, the node that each layer reads, in the order of network_rows(); `row`, the index of
# the layer that each operation belongs to, in the same order.
lower_with_rows <- function(network) {
  graph <- new.env(parent = emptyenv())
  graph$ops <- list()
  graph$theta <- 0
  graph$loops <- 0L
  output <- lower_layers(network$layers, graph, 0L)
  list(
    graph = list(input = network$input$shape, ops = graph$ops, output = output, n_params = graph$theta),
    from = as.integer(graph$from), row = as.integer(graph$owner)
  )
}

# lower_layers() and lower_layer() emit the operations of layers. They return the node that holds the output.
lower_layers <- function(layers, graph, from) {
  outer <- graph$row
  for (layer in layers) {
    if (is.null(graph$quiet)) {
      graph$from <- c(graph$from, from)
      graph$row <- length(graph$from)
    }
    from <- lower_layer(layer, graph, from)
    graph$row <- outer
  }
  from
}

lower_layer <- function(layer, graph, from) UseMethod("lower_layer")

lower_node_channels <- function(graph, node) {
  if (node == 0L) graph$input[[1L]] else graph$ops[[node]]$shape[[1L]]
}

# Whether a network f is positively homogeneous: f(c x) = c f(x) for all c > 0.
is_homogeneous <- function(network) {
  ops <- lower_network(network)$ops
  phi <- vapply(ops[operations_are(ops, "activation")], function(op) op$phi, "")
  known <- activations()
  all(operations_are(ops, "homogeneous"), known$homogeneous[match(phi, known$activation)])
}

lower_emit <- function(graph, kind, from, shape, window = new_window(), groups = 1L, shared = TRUE, theta = 0,
                 scale = 1, loop = 0L, phi = NULL) {
  op <- list(
    kind = kind, from = from, shape = shape, window = window, groups = groups, shared = shared,
    theta = theta, scale = scale, loop = loop, phi = phi
  )
  node <- length(graph$ops) + 1L
  graph$ops[[node]] <- op
  graph$owner <- c(graph$owner, graph$row)
  node
}

# Returns the node that will be emitted after `ahead` others.
lower_next_node <- function(graph, ahead = 0L) length(graph$ops) + 1L + ahead

new_lower_loop <- function(graph) {
  graph$loops <- graph$loops + 1L
  graph$loops
}

# Reserves the next slice of theta for an array of dimensions `dim` and returns its offset.
lower_take <- function(graph, dim) {
  first <- graph$theta
  graph$theta <- first + prod(dim)
  first
}

# Emits a linear operation and the layer's bias, if it has one. Returns the last node.
lower_linear <- function(layer, graph, from, dim, window, groups = 1L, shared = TRUE) {
  node <- lower_emit(graph, "linear", from, layer$out_shape, window, groups, shared, lower_take(graph, dim))
  if (is.null(layer$params$bias)) return(node)
  lower_emit(graph, "bias", node, layer$out_shape, shared = shared, theta = lower_take(graph, layer$params$bias))
}

lower_last <- function(graph, from, shape) {
  lower_emit(graph, "fixed", from, c(shape[[1L]], 1L, 1L), window = new_window(pad = 1L - shape[[3L]]))
}
