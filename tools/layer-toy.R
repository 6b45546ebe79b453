#' Multiply channels by trained numbers
#'
#' The toy layer of the recipe in CONTRIBUTING.md: each channel times a number of its own.
#'
#' @inheritParams layer_dense
#' @returns The network with one more layer of the same shape.
#' @examples
#' input_sequence(8, channels = 2) |> layer_toy()
#' @export
layer_toy <- function(network) {
  check_network(network)
  shape <- output_shape(network)
  add_network_layer(network, new_network_layer("toy", network, shape, shape_output_kind(network),
    params = list(weight = c(shape[[1L]], 1L))))
}

#' @export
describe_layer.ca_layer_toy <- function(layer) "toy"

#' @export
lower_layer.ca_layer_toy <- function(layer, graph, from) {
  lower_linear(layer, graph, from, c(layer$params$weight, 1L, 1L), new_window(), groups = layer$out_shape[[1L]])
}
