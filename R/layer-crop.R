#' Crop and pad
#'
#' `layer_crop()` drops positions at the ends, `layer_pad()` adds zeros there. Neither has parameters.
#'
#' @inheritParams layer_dense
#' @param ends Numbers of positions at the old and at the new end, `c(old, new)`. On a grid one pair for both
#' dimensions,
#'   or a list of two pairs, for rows and columns.
#' @param ... Not used.
#' @returns The network with one more layer.
#' @examples
#' input_sequence(8) |> layer_crop(c(2, 0)) |> layer_pad(c(0, 1)) |> layer_dense(1)
#' input_grid(6, 6) |> layer_crop(list(c(1, 1), c(0, 2)))
#' @export
layer_crop <- function(network, ends, ...) {
  check_network(network)
  check_dots(...)
  check_window_spatial(network)
  ends <- check_ends(ends, network)
  size <- window_extent_of(network) - vapply(ends, sum, 0L)
  if (any(size < 1L)) {
    abort(c(
      "{.arg ends} must leave at least one position.",
      x = "They are {ends_text(ends)}, and the extent of the input is {format_extent(window_extent_of(network))}."
    ), "shape")
  }
  crop_layer(network, "crop", ends, size, sign = -1L)
}

#' @rdname layer_crop
#' @export
layer_pad <- function(network, ends, ...) {
  check_network(network)
  check_dots(...)
  check_window_spatial(network)
  ends <- check_ends(ends, network)
  size <- window_extent_of(network) + vapply(ends, function(pair) sum(as.double(pair)), 0)
  if (any(size > .Machine$integer.max)) {
    abort(c("{.arg ends} gives too many positions.", x = "The extent would be {format_extent(size)}."), "size")
  }
  crop_layer(network, "pad", ends, size, sign = 1L)
}

crop_layer <- function(network, kind, ends, size, sign) {
  window <- new_window(pad = sign * vapply(ends, function(pair) pair[[1L]], 0L))
  add_network_layer(network, new_network_layer(kind, network, c(output_shape(network)[[1L]], format_two(size)),
    shape_output_kind(network),
    ends = ends, window = window
  ))
}

#' @export
describe_layer.ca_layer_crop <- function(layer) paste(layer$kind, ends_text(layer$ends))

#' @export
describe_layer.ca_layer_pad <- describe_layer.ca_layer_crop

#' @export
lower_layer.ca_layer_crop <- function(layer, graph, from) {
  lower_emit(graph, "fixed", from, layer$out_shape, window = layer$window)
}

#' @export
lower_layer.ca_layer_pad <- lower_layer.ca_layer_crop
