#' Scale and shift of channels
#'
#' `layer_affine()` multiplies every channel by its own scale and adds its own shift, the same at all positions. It is
#' what remains of batch normalisation after training: with the stored mean m, variance v, weight w and bias b of a
#' channel the scale is w / sqrt(v + eps) and the shift b - m w / sqrt(v + eps). `layer_prelu()` is an activation with a
#' parameter: f(u) = max(u, 0) + a min(u, 0), one slope a for each channel.
#'
#' @inheritParams layer_dense
#' @param bias Whether each channel has a shift.
#' @param ... Not used.
#' @returns The network with one more layer of the same shape, without coefficients. `layer_affine()` has one `scale`
#' per
#'   channel, which starts at 1, and one `bias`, which starts at 0. `layer_prelu()` has one `slope` per channel, which
#'   starts at 0.25. Scales are parameters: they belong to `coef()`.
#' @references Ioffe and Szegedy (2015) \doi{10.48550/arXiv.1502.03167}; He et al. (2015)
#'   \doi{10.48550/arXiv.1502.01852} for prelu.
#' @examples
#' input_sequence(8) |> layer_conv(3, kernel = 2) |> layer_affine() |> layer_prelu() |> layer_dense(1)
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

#' @rdname layer_affine
#' @export
layer_prelu <- function(network, ...) {
  check_network(network)
  check_dots(...)
  shape <- output_shape(network)
  add_network_layer(network, new_network_layer("prelu", network, shape, shape_output_kind(network),
    list(slope = shape[[1L]])))
}

#' @export
describe_layer.ca_layer_prelu <- function(layer) "prelu"

# max(u, 0) - a max(-u, 0)
#' @export
lower_layer.ca_layer_prelu <- function(layer, graph, from) {
  shape <- layer$out_shape
  above <- lower_activation(graph, from, shape, "relu")
  mirrored <- lower_emit(graph, "fixed", from, shape, scale = -1)
  below <- lower_activation(graph, mirrored, shape, "relu")
  steep <- lower_emit(graph, "linear", below, shape, groups = shape[[1L]], theta = lower_take(graph,
    layer$params$slope))
  lower_emit(graph, "add", c(above, steep), shape, scale = c(1, -1))
}

#' @export
draw_layer.ca_layer_prelu <- function(layer, scheme) list(rep(0.25, layer$params$slope))

#' @export
is_linear_layer.ca_layer_prelu <- function(layer) FALSE
