#' Activations
#'
#' `layer_activation()` applies a function to every entry of its input. `activations()` lists
#' those that there are; they also serve as the `activation` of [layer_recurrent()].
#'
#' `layer_prelu()` is an activation with parameters: f(u) = max(u, 0) + a min(u, 0), one slope a for each channel, which
#' starts at 0.25.
#'
#' @inheritParams layer_dense
#' @param ... Not used.
#' @param activation A name, as in `activations()`. `"swish"` is another name of `"silu"`, and `"prelu"` adds
#'   a [layer_prelu()], whose slopes are parameters.
#' @param parameter A number for those that have one (the slope of `"leaky_relu"` below zero, alpha of
#'   `"elu"`, the frequency of `"sin"`), or `NULL` for its default.
#' @returns `layer_activation()`: the network with one more layer, of the same shape and without
#'   parameters. `activations()`: a data frame with one row per activation: `activation` (its name),
#'   `formula` (of u), `parameter` (its default, `NA` where there is none), `homogeneous` (whether
#'   f(c u) = c f(u) for all c > 0).
#' @section Values outside the domain:
#' `"rsqrt"` is NaN below zero, and `"reciprocal"` and `"rsqrt"` are infinite at zero. Their gates have no moments
#' under Gaussian pre-activations, so capacity through layers refuses them unless `data` is given.
#' @references Hendrycks and Gimpel (2016) \doi{10.48550/arXiv.1606.08415} for gelu; Clevert, Unterthiner
#'   and Hochreiter (2015) \doi{10.48550/arXiv.1511.07289} for elu; Klambauer et al. (2017)
#'   \doi{10.48550/arXiv.1706.02515} for selu; He et al. (2015) \doi{10.48550/arXiv.1502.01852} for prelu; Howard et
#'   al. (2019) \doi{10.48550/arXiv.1905.02244} for hard_swish;
#'   Misra (2019) \doi{10.48550/arXiv.1908.08681} for mish.
#' @examples
#' activations()
#' input_vector(4) |> layer_dense(8, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1)
#' @export
layer_activation <- function(network, activation, parameter = NULL) {
  check_network(network)
  if (identical(activation, "prelu") && is.null(parameter)) return(layer_prelu(network))
  activation <- check_activation(activation)
  add_network_layer(network, new_network_layer("activation", network, output_shape(network), shape_output_kind(network),
    activation = activation, parameter = check_activation_parameter(parameter, activation)
  ))
}

check_activation <- function(activation, also = NULL, call = rlang::caller_env()) {
  activation <- activation_alias(activation)
  known <- c(also, activations()$activation)
  if (is.character(activation) && length(activation) == 1L && activation %in% known) return(activation)
  known <- cli::cli_vec(known, list("vec-trunc" = 100))
  abort(c(
    "{.arg activation} must be one of {.or {.val {known}}}.",
    x = "It is {show_value(activation)}."
  ), "value", call = call)
}

# The argument `activation` of other layers: NULL, or the name of an activation with its default parameter.
check_layer_activation <- function(activation, call = rlang::caller_env()) {
  if (is.null(activation)) NULL else check_activation(activation, also = "linear", call = call)
}

# Adds an activation as a layer of its own. NULL and the identity add none.
follow_activation <- function(network, activation) {
  if (is.null(activation) || is_activation_identity(activation)) return(network)
  layer_activation(network, activation)
}

check_activation_parameter <- function(parameter, activation, call = rlang::caller_env()) {
  if (is.null(parameter)) return(activation_default_parameter(activation))
  if (is.na(activations()$parameter[activations()$activation == activation])) {
    abort(c(
      "{.arg parameter} must be {.code NULL}: {.val {activation}} has none.",
      x = "It is {show_value(parameter)}."
    ), "value", call = call)
  }
  check_number(parameter, arg = "parameter", call = call)
}

# Returns the default parameter of an activation. Activations without a parameter get 1, which is not used.
activation_default_parameter <- function(activation) {
  default <- activations()$parameter[activations()$activation == activation]
  if (is.na(default)) 1 else default
}

#' @export
describe_layer.ca_layer_activation <- function(layer) {
  default <- activations()$parameter[activations()$activation == layer$activation]
  paste0(layer$activation, if (!is.na(default)) paste0(" (", format(layer$parameter, digits = 3), ")"))
}

#' @export
lower_layer.ca_layer_activation <- function(layer, graph, from) {
  lower_activation(graph, from, layer$out_shape, layer$activation, layer$parameter)
}

#' @export
is_linear_layer.ca_layer_activation <- function(layer) is_activation_identity(layer$activation)

is_activation_identity <- function(activation) activation %in% c("linear", "identity")

# Emits an activation and returns its node. The identity adds no operation.
lower_activation <- function(graph, from, shape, activation, parameter = activation_default_parameter(activation),
  loop = 0L) {
  if (is_activation_identity(activation)) return(from)
  lower_emit(graph, "phi", from, shape, phi = activation, scale = parameter, loop = loop)
}

#' @rdname layer_activation
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
