#' Keep the newest position, or flatten
#'
#' `layer_last()` keeps the newest position of a sequence, with its channels.
#' `layer_flatten()` makes one vector of all channels and positions,
#' channel-fastest. Neither has parameters.
#'
#' @inheritParams layer_dense
#' @returns The network with one more layer. `layer_last()` gives a sequence of
#'   one position, `layer_flatten()` a vector.
#' @examples
#' input_sequence(16) |> layer_conv(4, kernel = 3) |> layer_last() |> layer_dense(1)
#' @export
layer_last <- function(network) {
  check_network(network)
  check_window_sequence(network)
  channels <- output_shape(network)[[1L]]
  add_network_layer(network, new_network_layer("last", network, c(channels, 1L, 1L), "sequence"))
}

#' @rdname layer_last
#' @export
layer_flatten <- function(network) {
  check_network(network)
  add_network_layer(network, new_network_layer("flatten", network, c(shape_output_size(network), 1L, 1L), "vector"))
}

#' @export
describe_layer.ca_layer_last <- function(layer) "newest position"

#' @export
describe_layer.ca_layer_flatten <- function(layer) "flatten"

#' @export
lower_layer.ca_layer_last <- function(layer, graph, from) {
  lower_last(graph, from, layer$in_shape)
}

#' @export
lower_layer.ca_layer_flatten <- function(layer, graph, from) {
  lower_emit(graph, "flatten", from, layer$out_shape)
}

# Returns a network whose output is one position of the output of `network`, with the same coefficients. This internal
# layer is used where results are computed for a single position of a sequence or grid.
layer_at <- function(network, row, column) {
  layer <- new_network_layer("at", network, c(output_shape(network)[[1L]], 1L, 1L), shape_output_kind(network),
    pad = c(1L - row, 1L - column))
  new_network(network$input, c(network$layers, list(layer)), network$coef)
}

#' @export
lower_layer.ca_layer_at <- function(layer, graph, from) {
  lower_emit(graph, "fixed", from, layer$out_shape, window = new_window(pad = layer$pad))
}
