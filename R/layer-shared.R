#' One block of weights in several places
#'
#' Layers with the same `name` use the same weights, as in the branches of a Siamese network. The block is given each
#' time, and its layers must agree. The first one holds the parameters; the others add none to `coef()`.
#'
#' @inheritParams layer_residual
#' @param name A string.
#' @param ... Not used.
#' @returns The network with one more layer, which holds the block.
#' @examples
#' tower <- \(x) x |> layer_conv(2, kernel = 3) |> layer_pool(2)
#' input_sequence(12) |>
#'   layer_parallel(
#'     \(x) x |> layer_crop(c(0, 6)) |> layer_shared("tower", tower),
#'     \(x) x |> layer_crop(c(6, 0)) |> layer_shared("tower", tower),
#'     merge = "concat"
#'   ) |>
#'   layer_dense(1)
#' @export
layer_shared <- function(network, name, block, ...) {
  check_network(network)
  check_dots(...)
  name <- check_string(name)
  if (name == "") abort(c("{.arg name} must not be empty.", x = "It is {show_value(name)}."), "value")
  inner <- residual_run_block(block, network, "block")
  add_network_layer(network, new_network_layer("shared", network, output_shape(inner), shape_output_kind(inner),
    blocks = list(inner$layers), name = name
  ))
}

#' @export
describe_layer.ca_layer_shared <- function(layer) {
  paste0("shared block ", dQuote(layer$name, FALSE), if (!is.null(layer$reuse)) ", again")
}

# A reference lowers its layers with the slice of theta of the first block. They are no layers of their own, so `quiet`
# keeps them out of the record of layers.
#' @export
lower_layer.ca_layer_shared <- function(layer, graph, from) {
  if (is.null(layer$reuse)) {
    graph$shared[[layer$name]] <- graph$theta
    return(lower_layers(layer$blocks[[1L]], graph, from))
  }
  after <- graph$theta
  quiet <- graph$quiet
  graph$theta <- graph$shared[[layer$name]]
  graph$quiet <- TRUE
  node <- lower_layers(layer$reuse, graph, from)
  graph$theta <- after
  graph$quiet <- quiet
  node
}

#' @export
is_linear_layer.ca_layer_shared <- function(layer) layers_are_linear(layer$reuse)
