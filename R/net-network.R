# Networks: list(input, layers, coef) of class `ca_network`.
#
# `layers` is a tree: a residual or parallel layer holds blocks, which are lists of layers. A layer is list(kind,
# in_shape, in_kind, out_shape, out_kind, params, ...). `params` is a named list of the dimensions of its parameter
# arrays, in theta order. S3 methods in the layer's own file lower, describe and initialise it.

new_network <- function(input, layers = list(), coef = NULL) {
  structure(list(input = input, layers = layers, coef = coef), class = "ca_network")
}

new_network_layer <- function(kind, network, out_shape, out_kind, params = list(), ...) {
  structure(
    list(
      kind = kind, in_shape = output_shape(network), in_kind = shape_output_kind(network),
      out_shape = as.integer(out_shape), out_kind = out_kind, params = params, ...
    ),
    class = c(paste0("ca_layer_", kind), "ca_layer")
  )
}

# Returns the network with one more layer. It drops the coefficients, which do not fit the longer network.
add_network_layer <- function(network, layer, call = rlang::caller_env()) {
  layer <- share_layer(layer, network$layers, call)
  new_network(network$input, c(network$layers, list(layer)))
}

# Checks the first argument of every layer and network function.
check_network <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (inherits(x, "ca_network")) return(x)
  called <- rlang::frame_call(call)[[1L]] # a name, capalloc::name, or from do.call() a function
  called <- if (is.function(called)) "" else as.character(called)
  fn <- called[[length(called)]]
  abort(c(
    "{.arg {arg}} must be a capalloc network.",
    x = "It is {show_value(x)} of class {.cls {class(x)}}.",
    i = "Start one with {.fn input_sequence}, {.fn input_grid} or {.fn input_vector}.",
    i = if (startsWith(fn, "layer_")) {
      "If another package masks {.fn {fn}}, write {.code capalloc::{fn}()}."
    }
  ), "type", call = call)
}

# Returns the network of a fit, or x itself when it is a network with coefficients.
network_of <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (inherits(x, "ca_fit")) return(x$network)
  if (inherits(x, "ca_network")) return(check_network_coefficients(x, arg, call))
  abort(c(
    "{.arg {arg}} must be a network with coefficients, or a fit.",
    x = "It is {show_value(x)} of class {.cls {class(x)}}."
  ), "type", call = call)
}

# Returns the tree as a list with one element per layer, depth first: `name` ("conv1", numbered per kind over the whole
# network), `depth`, `layer`, and `first` and `last`, the first and the last entry of theta that belong to the layer and
# its blocks (last < first when there are none).
network_rows <- function(network) {
  rows <- list()
  counts <- list()
  p <- 0
  walk <- function(layers, depth) {
    for (layer in layers) {
      count <- (if (is.null(counts[[layer$kind]])) 0L else counts[[layer$kind]]) + 1L
      counts[[layer$kind]] <<- count
      at <- length(rows) + 1L
      rows[[at]] <<- list(name = paste0(layer$kind, count), depth = depth, layer = layer, first = p + 1)
      p <<- p + network_own_params(layer)
      for (block in layer$blocks) walk(block, depth + 1L)
      rows[[at]]$last <<- p
    }
  }
  walk(network$layers, 0L)
  rows
}

# Whether any layer has a bias. The tangent of a linear network then has an (Intercept) coordinate.
has_bias <- function(network) layers_have_bias(network$layers)

# Whether the outputs of a network are linear (or affine) in its inputs.
is_linear <- function(network) layers_are_linear(network$layers)

layers_are_linear <- function(layers) {
  for (layer in layers) {
    if (!is_linear_layer(layer)) return(FALSE)
    for (block in layer$blocks) if (!layers_are_linear(block)) return(FALSE)
  }
  TRUE
}

# Whether one layer is linear, apart from its blocks.
is_linear_layer <- function(layer) UseMethod("is_linear_layer")

#' @export
is_linear_layer.default <- function(layer) TRUE

# Whether the capacities of a network include an (Intercept). Those of nonlinear networks always do.
has_constant <- function(network) has_bias(network) || !is_linear(network)

layers_have_bias <- function(layers) {
  for (layer in layers) {
    if (!is.null(layer$params$bias)) return(TRUE)
    for (block in layer$blocks) if (layers_have_bias(block)) return(TRUE)
  }
  FALSE
}

#' Look at a network
#'
#' `print()` shows a network layer by layer, `summary()` gives the same as a data
#' frame, `plot()` (base graphics) and `autoplot()` (ggplot2) draw it, the input at the
#' bottom.
#'
#' @param x,object A network.
#' @param ... Not used.
#' @returns `summary()`: a data frame with one row per layer, nested layers
#'   after the layer that holds them: `layer` (name), `kind` (what it does),
#'   `output` (its output: channels x positions, on a grid
#'   channels x rows x columns), `parameters` (its own, and
#'   for a residual or parallel layer those of its blocks are on the blocks' own
#'   rows), `depth` (0 for the network's own layers, 1 inside a block, ...).
#'   `tidy()`: one row per parameter, `term`, `layer`, `estimate` (`NA` without coefficients). `glance()`: one row,
#'   `n_params`, `layers`, `n_inputs`, `n_outputs`, `linear`. `print()` and `plot()` return their argument, `autoplot()`
#'   a ggplot.
#' @examples
#' net <- input_sequence(16) |>
#'   layer_residual(\(x) x |> layer_conv(1, kernel = 3, padding = "same")) |>
#'   layer_dense(1)
#' summary(net)
#' plot(net)
#' @export
summary.ca_network <- function(object, ...) {
  check_dots(...)
  rows <- network_rows(object)
  light_frame(list(
    layer = vapply(rows, function(row) row$name, ""),
    kind = vapply(rows, function(row) describe_layer(row$layer), ""),
    output = vapply(rows, function(row) shape_text(row$layer), ""),
    parameters = vapply(rows, function(row) network_own_params(row$layer), 0),
    depth = vapply(rows, function(row) row$depth, 0L)
  ))
}

# Returns the shape of a layer's output as text: channels x positions, on a grid channels x rows x columns.
shape_text <- function(layer) {
  format_extent(if (layer$out_kind == "grid") layer$out_shape else layer$out_shape[c(1, 3)])
}

# Returns a one-line description of a layer, without its name.
describe_layer <- function(layer) UseMethod("describe_layer")

#' @rdname summary.ca_network
#' @export
print.ca_network <- function(x, ...) {
  cat("<network> on ", describe_input_shape(x$input), ", ", format_count(n_params(x), "parameter"),
    if (is.null(x$coef)) ", no coefficients yet" else "", "\n", sep = "")
  rows <- summary(x)
  if (nrow(rows) > 0L) {
    name <- paste0(strrep("  ", rows$depth), rows$layer)
    cat(paste0(
      "  ", format(name), "  ", format(rows$kind), "  -> ", format(rows$output), "  ",
      format(rows$parameters, width = 5)
    ), sep = "\n")
  }
  invisible(x)
}

# Whether the loss is convex in the parameters: the network is linear, at most one layer has parameters, and no layer is
# a recurrence, inside blocks or outside.
is_convex <- function(network) is_linear(network) && sum(params_by_layer(network$layers) > 0) <= 1L &&
  !any(vapply(network_rows(network), function(row) row$layer$kind == "recurrent", NA))

# Removes the records that describe the present coefficients, before these are replaced.
forget_training <- function(network) {
  network[c("trained", "drawn", "imported")] <- NULL
  network
}

# Number of parameters of one layer, without those of its blocks.
network_own_params <- function(layer) {
  n <- 0
  for (dim in layer$params) n <- n + prod(dim)
  n
}

layers_params <- function(layers) {
  n <- 0
  for (layer in layers) {
    n <- n + network_own_params(layer)
    for (block in layer$blocks) n <- n + layers_params(block)
  }
  n
}

# Number of parameters of every layer, each without those of its blocks, depth first.
params_by_layer <- function(layers) {
  as.numeric(unlist(lapply(layers, function(layer) {
    if (is.null(layer$blocks)) return(network_own_params(layer))
    c(network_own_params(layer), unlist(lapply(layer$blocks, params_by_layer)))
  })))
}

n_params <- function(network) layers_params(network$layers)

# Checks that x is a network with coefficients.
check_network_coefficients <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  check_network(x, arg, call)
  if (is.null(x$coef)) {
    abort(c(
      "{.arg {arg}} must have coefficients.",
      x = "This network has none yet.",
      i = "Draw them with {.fn initialise}, set them with {.fn set_coef} or train it with {.fn fit}."
    ), "no_coefficients", call = call)
  }
  x
}
