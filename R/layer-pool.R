#' Pooling
#'
#' Averages windows of `size` positions, channel by channel. It has no parameters.
#'
#' @inheritParams layer_dense
#' @param size Number of positions in a window.
#' @param stride Step between windows; they are aligned to the newest input.
#' @returns The network with one more layer.
#' @examples
#' input_sequence(16) |> layer_pool(4) |> layer_dense(1)
#' @export
layer_pool <- function(network, size, stride = size) {
  check_network(network)
  check_sequence(network)
  size <- check_count(size)
  stride <- check_count(stride)
  shape <- output_shape(network)
  if (size > shape[[3L]]) {
    abort(c(
      "{.arg size} must fit into the {shape[[3]]} position{?s} of its input.",
      x = "It is {size}."
    ), "shape")
  }
  along <- slide(shape[[3L]], size, stride, 1L, "valid")
  add_layer(network, new_layer("pool", network, c(shape[[1L]], 1L, along$outputs), "sequence",
    size = size, stride = stride, pad = along$pad
  ))
}

#' @export
describe_layer.ca_layer_pool <- function(layer) {
  paste0("average pool, size ", layer$size, if (layer$stride != layer$size) paste(", stride", layer$stride))
}

#' @export
lower_layer.ca_layer_pool <- function(layer, graph, from) {
  window <- new_window(kernel = c(1L, layer$size), stride = c(1L, layer$stride), pad = c(0L, layer$pad))
  emit(graph, "fixed", from, layer$out_shape, window = window, scale = 1 / layer$size)
}
