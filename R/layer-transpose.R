#' Transposed convolution
#'
#' The adjoint of a strided convolution, which lengthens its input: position i of the input adds
#' \eqn{K_k x_i} to position \eqn{(i - 1) s + (k - 1) d + 1} of the output, for each tap k of the kernel K, with stride
#' s
#' and dilation d. The output has \eqn{(n - 1) s + (taps - 1) d + 1} positions, less those that `crop` drops.
#'
#' @inheritParams layer_conv
#' @param stride Distance of the contributions of neighbouring positions, as `kernel`.
#' @param crop Numbers of positions that are dropped at the old and the new end, `c(old, new)`; on a grid for both
#'   dimensions, or a list of two pairs. `padding = p` of PyTorch is `crop = c(p, p)`.
#' @param ... Not used.
#' @returns The network with one more layer. The kernel is an array of filters x channels of a group x taps (on a grid x
#'   rows x columns); PyTorch and ONNX store it as channels x filters of a group x taps.
#' @examples
#' input_sequence(4) |> layer_conv_transpose(1, kernel = 3, stride = 2, crop = c(1, 0))
#' @export
layer_conv_transpose <- function(network, filters, kernel, stride = 1, dilation = 1, crop = c(0, 0), groups = 1,
                                 bias = FALSE, activation = NULL, ...) {
  check_network(network)
  check_dots(...)
  check_window_spatial(network)
  kernel <- check_window_extent(kernel, network)
  stride <- check_window_extent(stride, network)
  dilation <- check_window_extent(dilation, network)
  crop <- check_ends(crop, network)
  filters <- check_count(filters)
  groups <- check_conv_groups(groups, network, filters)
  check_flag(bias)
  activation <- check_layer_activation(activation)
  size <- transpose_size(network, kernel, stride, dilation, crop)
  params <- list(kernel = c(filters, output_shape(network)[[1L]] %/% groups, kernel))
  if (bias) params$bias <- filters
  window <- new_window(kernel, dilation = -dilation, pad = -vapply(crop, function(pair) pair[[1L]], 0L),
    expand = -stride)
  if (length(kernel) == 1L) window[c(5L, 9L)] <- 1L # the height of a sequence
  add_network_layer(network, new_network_layer("conv_transpose", network, c(filters, format_two(size)),
    shape_output_kind(network), params,
    kernel = kernel, stride = stride, dilation = dilation, crop = crop, groups = groups, window = window
  )) |> follow_activation(activation)
}

transpose_size <- function(network, kernel, stride, dilation, crop, call = rlang::caller_env()) {
  whole <- (window_extent_of(network) - 1) * as.double(stride) + (kernel - 1) * as.double(dilation) + 1
  size <- whole - vapply(crop, sum, 0L)
  if (any(size < 1)) {
    abort(c(
      "{.arg crop} must leave at least one position.",
      x = "It is {ends_text(crop)}, and the extent before it is {format_extent(whole)}."
    ), "shape", call = call)
  }
  if (any(size > .Machine$integer.max)) {
    abort(c("The output has too many positions.", x = "Its extent would be {format_extent(size)}."), "size",
      call = call)
  }
  size
}

#' @export
describe_layer.ca_layer_conv_transpose <- function(layer) {
  paste0(
    "transposed conv, kernel ", format_extent(layer$kernel),
    if (any(layer$stride > 1L)) paste(", stride", format_extent(layer$stride)),
    if (any(layer$dilation > 1L)) paste(", dilation", format_extent(layer$dilation)),
    if (any(unlist(layer$crop) > 0L)) paste(", crop", ends_text(layer$crop)),
    if (layer$groups > 1L) paste(", groups", layer$groups),
    if (!is.null(layer$params$bias)) " + bias"
  )
}

#' @export
lower_layer.ca_layer_conv_transpose <- function(layer, graph, from) {
  lower_linear(layer, graph, from, layer$params$kernel, layer$window, layer$groups)
}
