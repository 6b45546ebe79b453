#' Pooling and upsampling
#'
#' `layer_pool()` takes the average or the largest value of windows of `size` positions, channel by channel.
#' `layer_upsample()` repeats every position `factor` times. Neither has parameters.
#'
#' @inheritParams layer_dense
#' @param size Number of positions in a window; on a grid one number, or two for rows
#'   and columns. In `layer_upsample()` the number of positions to keep, the newest (on
#'   a grid the last rows and columns), by default all: it undoes a shortening of a
#'   length that the factor does not divide.
#' @param stride Step between windows, as `size`.
#' @param type `"average"` or `"max"`, which is not linear. Of equal values the first counts as the largest.
#' @param align Where windows are aligned when positions are left over, see [layer_conv()].
#' @param factor Number of copies of each position, as `size` in `layer_pool()`.
#' @returns The network with one more layer.
#' @examples
#' input_sequence(16) |> layer_pool(4) |> layer_dense(1)
#' input_grid(8, 8) |> layer_pool(2) |> layer_dense(1)
#' input_sequence(7) |> layer_conv(1, 2, stride = 2, padding = "same") |> layer_upsample(2, size = 7)
#' @export
layer_pool <- function(network, size, stride = size, type = c("average", "max"),
                       align = c("newest", "oldest")) {
  check_network(network)
  type <- check_choice(type, c("average", "max"))
  slide <- check_window_slide(network, size, stride, arg = "size", align = align)
  add_network_layer(network, window_slide_layer("pool", network, output_shape(network)[[1L]], slide, type = type))
}

#' @export
describe_layer.ca_layer_pool <- function(layer) {
  paste0(
    layer$type, " pool, size ", format_extent(layer$kernel),
    if (any(layer$stride != layer$kernel)) paste(", stride", format_extent(layer$stride)),
    if (identical(layer$align, "oldest")) ", oldest"
  )
}

#' @export
lower_layer.ca_layer_pool <- function(layer, graph, from) {
  if (layer$type == "max") return(lower_emit(graph, "max", from, layer$out_shape, window = layer$window))
  lower_emit(graph, "fixed", from, layer$out_shape, window = layer$window, scale = 1 / prod(layer$kernel))
}

#' @export
is_linear_layer.ca_layer_pool <- function(layer) layer$type == "average"

#' @rdname layer_pool
#' @export
layer_upsample <- function(network, factor, size = NULL) {
  check_network(network)
  check_window_spatial(network)
  factor <- check_window_extent(factor, network)
  whole <- window_extent_of(network) * as.double(factor)
  if (any(whole > .Machine$integer.max)) {
    abort(c(
      "{.arg factor} gives too many positions.",
      x = "The extent of the output would be {format_extent(whole)}."
    ), "size")
  }
  if (is.null(size)) size <- whole
  size <- check_window_extent(size, network)
  if (any(size > whole)) {
    abort(c(
      "{.arg size} must be at most {format_extent(whole)}, the extent after upsampling by {.arg factor}.",
      x = "It is {format_extent(size)}."
    ), "shape")
  }
  window <- new_window(pad = as.integer(size - whole), expand = factor)
  add_network_layer(network, new_network_layer("upsample", network, c(output_shape(network)[[1L]], format_two(size)),
    shape_output_kind(network), factor = factor, window = window
  ))
}

#' @export
describe_layer.ca_layer_upsample <- function(layer) paste("upsample by", format_extent(layer$factor))

#' @export
lower_layer.ca_layer_upsample <- function(layer, graph, from) {
  lower_emit(graph, "fixed", from, layer$out_shape, window = layer$window)
}
