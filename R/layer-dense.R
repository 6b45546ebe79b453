#' Dense layer
#'
#' Every unit sees all of the layer's input, flattened (channel-fastest, then
#' position). A dense layer applied at each position separately is
#' `layer_conv(kernel = 1)`.
#'
#' @param network A network, or an input such as [input_sequence()].
#' @param units Number of outputs.
#' @param bias Whether each unit has a constant, which gives the effective
#'   weights an `(Intercept)` column.
#' @param activation `NULL`, or one of [activations()], which is added as a layer of its own.
#' @returns The network with one more layer, without coefficients; its output is
#'   a vector of `units`.
#' @examples
#' input_sequence(16) |> layer_dense(3) |> layer_dense(1, bias = TRUE)
#' @export
layer_dense <- function(network, units, bias = FALSE, activation = NULL) {
  check_network(network)
  units <- check_count(units)
  check_flag(bias)
  params <- list(weight = c(units, shape_output_size(network)))
  if (bias) params$bias <- units
  activation <- check_layer_activation(activation)
  add_network_layer(network, new_network_layer("dense", network, c(units, 1L, 1L), "vector", params)) |>
    follow_activation(activation)
}

#' @export
describe_layer.ca_layer_dense <- function(layer) {
  paste0("dense", if (!is.null(layer$params$bias)) " + bias")
}

# A dense layer has one output position, and its window is the whole input. In memory, weight[unit, input] is
# weight[unit, channel, position].
#' @export
lower_layer.ca_layer_dense <- function(layer, graph, from) {
  window <- new_window(kernel = layer$in_shape[2:3])
  lower_linear(layer, graph, from, layer$params$weight, window)
}
