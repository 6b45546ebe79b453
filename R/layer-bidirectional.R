#' Recurrences in both directions, and squeeze-and-excite
#'
#' Compositions of other layers. `layer_bidirectional()` runs one recurrence from the oldest position to the newest and
#' another one back, each with weights of its own. `layer_squeeze()` multiplies every channel by a gate between 0 and 1,
#' computed from the means of all channels over the positions.
#'
#' @inheritParams layer_recurrent
#' @param units In `layer_bidirectional()` the number of states of each direction; in `layer_squeeze()` the number of
#'   units between the means and the gates.
#' @param ... In `layer_bidirectional()` further arguments of [layer_recurrent()], such as `cell`, `bias` and `output`;
#'   for `output = "last"` the last state of each direction. In `layer_squeeze()` not used.
#' @param merge `"concat"` (forward states first), `"sum"` or `"product"`.
#' @param activation Of the units of `layer_squeeze()`.
#' @returns The network with one more layer, which holds the layers as blocks.
#' @references Schuster and Paliwal (1997) \doi{10.1109/78.650093}; Hu, Shen and Sun (2018)
#'   \doi{10.48550/arXiv.1709.01507}.
#' @examples
#' input_sequence(8) |> layer_bidirectional(2, cell = "gru", bias = TRUE) |> layer_dense(1)
#' input_sequence(8, channels = 4) |> layer_squeeze(2) |> layer_dense(1)
#' @export
layer_bidirectional <- function(network, units, ..., merge = c("concat", "sum", "product")) {
  check_network(network)
  check_window_sequence(network)
  merge <- check_choice(merge, c("concat", "sum", "product"))
  layer_parallel(network,
    function(x) layer_recurrent(x, units, ...),
    function(x) layer_recurrent(x, units, ..., direction = "backward"),
    merge = merge
  )
}

#' @rdname layer_bidirectional
#' @export
layer_squeeze <- function(network, units, activation = "relu", bias = TRUE, ...) {
  check_network(network)
  check_dots(...)
  check_window_spatial(network)
  units <- check_count(units)
  activation <- check_activation(activation, also = "linear")
  check_flag(bias)
  size <- window_extent_of(network)
  layer_parallel(network, identity, function(x) {
    x |>
      layer_pool(size) |>
      layer_conv(units, 1, bias = bias, activation = activation) |>
      layer_conv(output_shape(network)[[1L]], 1, bias = bias, activation = "sigmoid") |>
      layer_upsample(size)
  }, merge = "product")
}
