# Initialisation of coefficients.

#' Coefficients of a network
#'
#' `initialise()` draws starting weights, `set_coef()` sets them, `coef()` reads
#' them. They run in layer order (depth first), within a layer kernel or weight,
#' input, recurrent, bias; arrays are stored first index fastest, and names say
#' where each one sits: `conv1.kernel[2,1,1]` is filter 2, channel 1, tap 1 (tap 1
#' meets the oldest input), `dense1.weight[1,7]` unit 1, input 7.
#'
#' @param network A network.
#' @param scheme Variance of the weights: `"glorot"` is 2 / (fan_in + fan_out)
#'   (Glorot and Bengio 2010), `"lecun"` 1 / fan_in, `"he"` 2 / fan_in. All draws
#'   are Gaussian and biases start at zero. Recurrent weights are drawn with
#'   spectral radius at most 0.9 (`elman`), or as `exp(-1 / tau)` with memory times
#'   `tau` log-uniform between 1 and the length of the sequence (`diagonal`).
#' @param seed A whole number that fixes the draw, or `NULL` to draw it from R's
#'   own stream. The generator kinds are fixed inside and restored.
#' @param values Numeric vector with one finite value per parameter.
#' @param object A network.
#' @param ... Not used.
#' @returns `initialise()` and `set_coef()`: the network with coefficients.
#'   `coef()`: a named numeric vector.
#' @examples
#' net <- input_sequence(8) |> layer_conv(2, kernel = 3) |> layer_dense(1)
#' coef(initialise(net, seed = 1))[1:3]
#' @export
initialise <- function(network, scheme = c("glorot", "lecun", "he"), seed = NULL) {
  check_network(network)
  scheme <- check_choice(scheme, c("glorot", "lecun", "he"))
  network <- forget_training(network)
  network$coef <- initialise_coef(network, scheme, draw_seed(seed))
  network$drawn <- TRUE
  network
}

initialise_coef <- function(network, scheme, seed) {
  with_seed(seed, as.double(initialise_layers(network$layers, scheme)))
}

# Returns the starting weights of all layers and their blocks, depth first.
initialise_layers <- function(layers, scheme) {
  unlist(lapply(layers, function(layer) {
    own <- draw_layer(layer, scheme)
    if (is.null(layer$blocks)) own else list(own, lapply(layer$blocks, initialise_layers, scheme))
  }))
}

# Returns the starting weights of one layer (without its blocks) as a list of arrays, in theta order.
draw_layer <- function(layer, scheme) UseMethod("draw_layer")

#' @export
draw_layer.default <- function(layer, scheme) {
  lapply(names(layer$params), function(array) {
    dim <- layer$params[[array]]
    if (array == "bias") return(numeric(prod(dim)))
    initialise_weights(prod(dim), fan_in = prod(dim[-1L]), fan_out = initialise_fan_out(layer, dim), scheme)
  })
}

# Fan-out: number of units that one input channel contributes to, which is the filters of its group times the taps.
initialise_fan_out <- function(layer, dim) {
  groups <- if (is.null(layer$groups)) 1L else layer$groups
  taps <- if (length(dim) > 2L) prod(dim[-(1:2)]) else 1
  dim[[1L]] / groups * taps
}

initialise_weights <- function(n, fan_in, fan_out, scheme) {
  variance <- switch(scheme, glorot = 2 / (fan_in + fan_out), lecun = 1 / fan_in, he = 2 / fan_in)
  stats::rnorm(n, sd = sqrt(variance))
}
