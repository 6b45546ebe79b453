# Lowering: from the tree of layers to the flat graph of operations that C runs.
#
# A graph is list(input, ops, output, n_params): `input` a shape c(channels,
# height, width), node 0; operation i of `ops` makes node i. An operation is a
# list of
#   kind    "linear", "fixed", "bias", "add", "concat" or "flatten"
#   from    nodes that it reads
#   shape   of its output
#   window  kernel, stride, dilation, pad, each (height, width): output u, tap k
#           meets position u stride + k dilation - pad, or nothing outside
#   groups  of channels (linear)
#   theta   where its slice of theta begins, from 0 (linear, bias)
#   scale   of each input (add), of the sum over taps (fixed)
#   loop    0, or the number of the recurrence that it belongs to: such
#           operations run position by position and may read later nodes of
#           their own loop at earlier positions.
# The description does not grow with the length of a sequence.

lower <- function(network) {
  graph <- new.env(parent = emptyenv())
  graph$ops <- list()
  graph$theta <- 0
  graph$loops <- 0L
  output <- lower_layers(network$layers, graph, 0L)
  list(input = network$input$shape, ops = graph$ops, output = output, n_params = graph$theta)
}

# Each returns the node that holds its output.
lower_layers <- function(layers, graph, from) {
  for (layer in layers) from <- lower_layer(layer, graph, from)
  from
}

lower_layer <- function(layer, graph, from) UseMethod("lower_layer")

emit <- function(graph, kind, from, shape, window = new_window(), groups = 1L, theta = 0, scale = 1,
                 loop = 0L) {
  op <- list(
    kind = kind, from = from, shape = shape, window = window, groups = groups, theta = theta,
    scale = scale, loop = loop
  )
  node <- length(graph$ops) + 1L
  graph$ops[[node]] <- op
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

new_window <- function(kernel = c(1L, 1L), stride = c(1L, 1L), dilation = c(1L, 1L), pad = c(0L, 0L)) {
  c(kernel, stride, dilation, pad)
}

# A linear map and, where the layer has one, its bias.
lower_linear <- function(layer, graph, from, dim, window, groups = 1L) {
  node <- emit(graph, "linear", from, layer$out_shape, window, groups, take(graph, dim))
  if (is.null(layer$params$bias)) return(node)
  emit(graph, "bias", node, layer$out_shape, theta = take(graph, layer$params$bias))
}

lower_last <- function(graph, from, shape) {
  emit(graph, "fixed", from, c(shape[[1L]], 1L, 1L), window = new_window(pad = c(0L, 1L - shape[[3L]])))
}
