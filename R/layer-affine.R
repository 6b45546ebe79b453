#' Scale and shift of channels
#'
#' `layer_affine()` multiplies every channel by its own scale and adds its own shift, the same at all positions.
#' It is what remains of batch normalisation after training: with the stored mean m, variance v, weight w and bias b of
#' a channel the scale is w / sqrt(v + eps) and the shift b - m w / sqrt(v + eps).
#'
#' @inheritParams layer_dense
#' @param bias Whether each channel has a shift.
#' @param ... Not used.
#' @returns The network with one more layer of the same shape, without coefficients. It has one `scale` per
#'   channel, which starts at 1, and one `bias`, which starts at 0. Both are parameters: they belong to `coef()`.
#' @references Ioffe and Szegedy (2015) \doi{10.48550/arXiv.1502.03167}.
#' @examples
#' input_sequence(8) |> layer_conv(3, kernel = 2) |> layer_affine() |> layer_dense(1)
#' @export
layer_affine <- function(network, bias = TRUE, ...) {
  check_network(network)
  check_dots(...)
  check_flag(bias)
  channels <- output_shape(network)[[1L]]
  params <- list(scale = channels)
  if (bias) params$bias <- channels
  add_network_layer(network, new_network_layer("affine", network, output_shape(network), shape_output_kind(network),
    params))
}

#' @export
describe_layer.ca_layer_affine <- function(layer) {
  paste0("scale of channels", if (!is.null(layer$params$bias)) " + bias")
}

#' @export
lower_layer.ca_layer_affine <- function(layer, graph, from) {
  lower_linear(layer, graph, from, layer$params$scale, new_window(), groups = layer$params$scale)
}

#' @export
draw_layer.ca_layer_affine <- function(layer, scheme) {
  list(rep(1, layer$params$scale), if (!is.null(layer$params$bias)) numeric(layer$params$bias))
}
