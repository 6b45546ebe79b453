# Lowering: from the tree of layers to the flat graph of operations that C runs.
#
# A graph is list(input, ops, output, n_params): `input` a shape c(channels,
# height, width), node 0; operation i of `ops` makes node i. An operation is a
# list of
#   kind    its name in the table of operations (R/net-operations.R)
#   from    nodes that it reads
#   shape   of its output
#   window  kernel, stride, dilation, pad, expand, each (height, width): output u,
#           tap k meets position floor((u stride + k dilation - pad) / expand), or
#           nothing outside
#   groups  of channels (linear)
#   shared  whether all positions use one block of theta, or each its own (linear, bias)
#   theta   where its slice of theta begins, from 0 (linear, bias)
#   scale   of each input (add), of the sum over taps (fixed), the parameter of an activation (phi)
#   phi     the name of an activation
#   loop    0, or the number of the recurrence that it belongs to: such
#           operations run position by position and may read later nodes of
#           their own loop at earlier positions.
# The description does not grow with the length of a sequence.

lower <- function(network) lower_with_rows(network)$graph

# With it, in the order of network_rows(): `from`, the node that each layer reads, and for every operation
# `row`, the layer that it belongs to.
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

# Each returns the node that holds its output.
lower_layers <- function(layers, graph, from) {
  outer <- graph$row
  for (layer in layers) {
    graph$from <- c(graph$from, from)
    graph$row <- length(graph$from)
    from <- lower_layer(layer, graph, from)
    graph$row <- outer
  }
  from
}

lower_layer <- function(layer, graph, from) UseMethod("lower_layer")

node_channels <- function(graph, node) {
  if (node == 0L) graph$input[[1L]] else graph$ops[[node]]$shape[[1L]]
}

# Whether f(c x) = c f(x) for c > 0.
is_homogeneous <- function(network) {
  ops <- lower(network)$ops
  phi <- vapply(ops[ops_are(ops, "activation")], function(op) op$phi, "")
  known <- activations()
  all(ops_are(ops, "homogeneous"), known$homogeneous[match(phi, known$activation)])
}

emit <- function(graph, kind, from, shape, window = new_window(), groups = 1L, shared = TRUE, theta = 0,
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

# The number that the operation after `ahead` more will have.
next_node <- function(graph, ahead = 0L) length(graph$ops) + 1L + ahead

new_loop <- function(graph) {
  graph$loops <- graph$loops + 1L
  graph$loops
}

# Takes the next slice of theta, for an array of these dimensions.
take <- function(graph, dim) {
  first <- graph$theta
  graph$theta <- first + prod(dim)
  first
}

# A linear map and, where the layer has one, its bias.
lower_linear <- function(layer, graph, from, dim, window, groups = 1L, shared = TRUE) {
  node <- emit(graph, "linear", from, layer$out_shape, window, groups, shared, take(graph, dim))
  if (is.null(layer$params$bias)) return(node)
  emit(graph, "bias", node, layer$out_shape, shared = shared, theta = take(graph, layer$params$bias))
}

lower_last <- function(graph, from, shape) {
  emit(graph, "fixed", from, c(shape[[1L]], 1L, 1L), window = new_window(pad = 1L - shape[[3L]]))
}
