#' Residual and parallel blocks
#'
#' Blocks are functions of a network, such as `\(x) x |> layer_conv(1, 3)`, and
#' are called once with a network that ends where the block begins.
#' `layer_residual()` adds `scale` times the block's output to its input;
#' `layer_parallel()` runs several blocks on the same input and sums their outputs
#' stacks their channels, or multiplies them. `identity` is a block that passes its input on.
#'
#' @inheritParams layer_dense
#' @param block A function that takes a network and returns it with more layers.
#' @param scale A number: the output is x + scale block(x).
#' @param ... Blocks: two or more functions.
#' @param merge `"sum"`, `"concat"` to stack channels in the order of the blocks, or `"product"` to multiply
#'   entry by entry, as in gated linear units and WaveNet: `\\(x) layer_conv(x, 4, 2, activation = "tanh")` beside
#'   `\\(x) layer_conv(x, 4, 2, activation = "sigmoid")`.
#' @returns The network with one more layer, which holds the blocks.
#' @examples
#' input_sequence(16) |>
#'   layer_residual(\(x) x |> layer_conv(1, kernel = 3, padding = "same"), scale = 0.5) |>
#'   layer_parallel(\(x) x |> layer_pool(4), \(x) x |> layer_conv(1, 4, stride = 4)) |>
#'   layer_dense(1)
#' @export
layer_residual <- function(network, block, scale = 1) {
  check_network(network)
  scale <- check_number(scale)
  inner <- residual_run_block(block, network, "block")
  same_kind <- shape_output_kind(inner) == shape_output_kind(network)
  if (!identical(output_shape(inner), output_shape(network)) || !same_kind) {
    abort(c(
      "{.arg block} must keep the shape of its input, since its output is added to the input.",
      x = "Its input is {describe_shape(output_shape(network), shape_output_kind(network))}, its output
        {describe_shape(output_shape(inner), shape_output_kind(inner))}."
    ), "shape")
  }
  add_network_layer(network, new_network_layer("residual", network, output_shape(network), shape_output_kind(network),
    blocks = list(inner$layers), scale = scale
  ))
}

#' @rdname layer_residual
#' @export
layer_parallel <- function(network, ..., merge = c("sum", "concat", "product")) {
  check_network(network)
  merge <- check_choice(merge, c("sum", "concat", "product"))
  blocks <- list(...)
  if (length(blocks) < 2L) {
    abort(c("{.arg ...} must be two blocks or more.", x = "There {?is/are} {length(blocks)}."), "value")
  }
  inner <- Map(function(block, i) residual_run_block(block, network, paste0("...", i), parent.frame(3L)),
    unname(blocks), seq_along(blocks))
  shapes <- lapply(inner, output_shape)
  kinds <- vapply(inner, shape_output_kind, "")
  compared <- if (merge != "concat") shapes else lapply(shapes, function(shape) shape[-1L])
  for (i in seq_along(inner)[-1L]) {
    if (!identical(compared[[i]], compared[[1L]]) || kinds[[i]] != kinds[[1L]]) {
      abort(c(
        "The outputs of the blocks must have the same {if (merge != 'concat') 'shape' else 'positions'}
          to be merged by {.val {merge}}.",
        x = "The output of block 1 is {describe_shape(shapes[[1]], kinds[[1]])}, that of block {i}
          {describe_shape(shapes[[i]], kinds[[i]])}."
      ), "shape")
    }
  }
  shape <- shapes[[1L]]
  if (merge == "concat") shape[[1L]] <- residual_all_channels(shapes)
  add_network_layer(network, new_network_layer("parallel", network, shape, kinds[[1L]],
    blocks = lapply(inner, function(x) x$layers), merge = merge
  ))
}

residual_all_channels <- function(shapes, call = rlang::caller_env()) {
  channels <- sum(vapply(shapes, function(shape) as.double(shape[[1L]]), 0))
  if (channels > .Machine$integer.max) {
    abort(c(
      "The outputs of the blocks have too many channels.", x = "Together they have {format_extent(channels)}."
    ), "size", call = call)
  }
  as.integer(channels)
}

# Applies a block to an input with the shape of the network's output, and returns the resulting network. Its layers are
# those of the block.
residual_run_block <- function(block, network, arg, call = rlang::caller_env()) {
  if (!is.function(block)) {
    abort(c(
      "{.arg {arg}} must be a function of a network, such as {.code \\(x) x |> layer_conv(1, 3)}.",
      x = "It is {show_value(block)}."
    ), "type", call = call)
  }
  shape <- output_shape(network)
  start <- new_network(new_input(shape_output_kind(network), shape[[1L]], shape[[2L]], shape[[3L]]))
  inner <- block(start)
  if (!inherits(inner, "ca_network") || !identical(inner$input, start$input)) {
    abort(c(
      "{.arg {arg}} must return the network that it is given, with layers added.",
      x = "It returned {show_value(inner)} of class {.cls {class(inner)}}."
    ), "type", call = call)
  }
  inner
}

#' @export
describe_layer.ca_layer_residual <- function(layer) {
  if (layer$scale == 1) "x + block(x)" else paste0("x + ", format(layer$scale, digits = 3), " block(x)")
}

#' @export
describe_layer.ca_layer_parallel <- function(layer) {
  merged <- switch(layer$merge, sum = "sum", product = "product", "concatenation")
  paste0(merged, " of ", length(layer$blocks), " blocks")
}

#' @export
lower_layer.ca_layer_residual <- function(layer, graph, from) {
  inner <- lower_layers(layer$blocks[[1L]], graph, from)
  lower_emit(graph, "add", c(from, inner), layer$out_shape, scale = c(1, layer$scale))
}

#' @export
lower_layer.ca_layer_parallel <- function(layer, graph, from) {
  inner <- vapply(layer$blocks, function(block) lower_layers(block, graph, from), 0L)
  if (layer$merge == "concat") return(lower_emit(graph, "concat", inner, layer$out_shape))
  if (layer$merge == "product") {
    return(Reduce(function(a, b) lower_emit(graph, "product", c(a, b), layer$out_shape), inner))
  }
  lower_emit(graph, "add", inner, layer$out_shape, scale = rep(1, length(inner)))
}

#' @export
is_linear_layer.ca_layer_parallel <- function(layer) layer$merge != "product"
