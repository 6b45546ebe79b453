#' Convolution
#'
#' Convolution of a sequence or a grid: at each output position, every filter takes a
#' weighted sum of a window of `kernel` taps, `dilation` apart. On a sequence tap 1
#' meets the oldest input of its window, on a grid tap \[1, 1\] the first row and column.
#'
#' A strided `"valid"` convolution is aligned to the newest input: positions that
#' are left over are dropped at the old end (on a grid, the first rows and columns).
#' `"same"` padding gives `ceiling(n / stride)` outputs with zeros on both sides, the odd
#' one at the old end; `"causal"`, on sequences, puts all of them at the old end. Padding
#' is never stored: a padded tap is a tap that is not there.
#'
#' `layer_local()` is a convolution without sharing: every output position has filters,
#' and constants, of its own.
#'
#' @inheritParams layer_dense
#' @param filters Number of output channels.
#' @param kernel Number of taps; on a grid one number, or two for rows and columns.
#' @param stride Step between output positions, as `kernel`.
#' @param dilation Step between taps, as `kernel`.
#' @param padding `"valid"` (none), `"same"` or `"causal"`; or the numbers of zeros at the old and the new end,
#'   `c(old, new)`, on a grid for both dimensions or as a list of two pairs, for rows and columns.
#' @param groups Channels and filters are cut into this many groups, and filters
#'   see only the channels of their own. `groups` equal to the number of channels
#'   is a depthwise convolution.
#' @param bias Whether each filter has a constant.
#' @param align Where windows are aligned when the stride leaves positions over: `"newest"` drops them at the old
#'   end, `"oldest"` at the new end, as PyTorch, Keras and ONNX do. With `"same"` padding `"oldest"` puts the odd zero
#'   at
#'   the new end, as Keras does.
#' @param activation `NULL`, or one of [activations()], which is added as a layer of its own.
#' @returns The network with one more layer, without coefficients; its output is
#'   a sequence or grid of `filters` channels. The kernel is an array of filters x
#'   channels of a group x taps (on a grid x rows x columns), and in `layer_local()` x
#'   output positions (on a grid rows x columns).
#' @examples
#' # A dilated stack: the receptive field doubles with every layer
#' net <- input_sequence(16)
#' for (d in 2^(0:3)) net <- layer_conv(net, filters = 1, kernel = 2, dilation = d)
#' net
#' input_grid(8, 12) |> layer_conv(2, kernel = c(3, 5), stride = 2, padding = "same")
#' input_sequence(16) |> layer_local(1, kernel = 4, stride = 4)
#' @export
layer_conv <- function(network, filters, kernel, stride = 1, dilation = 1,
                       padding = c("valid", "same", "causal"), groups = 1, bias = FALSE,
                       align = c("newest", "oldest"), activation = NULL) {
  check_network(network)
  slide <- check_window_slide(network, kernel, stride, dilation, padding, align = align)
  activation <- check_layer_activation(activation)
  filters <- check_count(filters)
  groups <- check_conv_groups(groups, network, filters)
  check_flag(bias)
  params <- list(kernel = c(filters, output_shape(network)[[1L]] %/% groups, slide$kernel))
  if (bias) params$bias <- filters
  add_network_layer(network, window_slide_layer("conv", network, filters, slide, params, groups = groups)) |>
    follow_activation(activation)
}

#' @rdname layer_conv
#' @export
layer_local <- function(network, filters, kernel, stride = 1, dilation = 1,
                        padding = c("valid", "same", "causal"), groups = 1, bias = FALSE,
                        align = c("newest", "oldest"), activation = NULL) {
  check_network(network)
  slide <- check_window_slide(network, kernel, stride, dilation, padding, align = align)
  activation <- check_layer_activation(activation)
  filters <- check_count(filters)
  groups <- check_conv_groups(groups, network, filters)
  check_flag(bias)
  places <- slide$outputs
  params <- list(kernel = c(filters, output_shape(network)[[1L]] %/% groups, slide$kernel, places))
  if (bias) params$bias <- c(filters, places)
  add_network_layer(network, window_slide_layer("local", network, filters, slide, params, groups = groups)) |>
    follow_activation(activation)
}

check_conv_groups <- function(groups, network, filters, call = rlang::caller_env()) {
  groups <- check_count(groups, call = call)
  channels <- output_shape(network)[[1L]]
  if (channels %% groups == 0L && filters %% groups == 0L) return(groups)
  abort(c(
    "{.arg groups} must divide the {channels} input channel{?s} and the {filters} filter{?s}.",
    x = "It is {groups}."
  ), "shape", call = call)
}

#' @export
describe_layer.ca_layer_conv <- function(layer) {
  paste0(
    layer$kind, ", kernel ", format_extent(layer$kernel),
    if (any(layer$stride > 1L)) paste(", stride", format_extent(layer$stride)),
    if (any(layer$dilation > 1L)) paste(", dilation", format_extent(layer$dilation)),
    if (is.list(layer$padding)) paste0(", padding ", ends_text(layer$padding)),
    if (!is.list(layer$padding) && layer$padding != "valid") paste0(", ", layer$padding),
    if (identical(layer$align, "oldest")) ", oldest",
    if (layer$groups > 1L) paste(", groups", layer$groups),
    if (!is.null(layer$params$bias)) " + bias"
  )
}

#' @export
describe_layer.ca_layer_local <- describe_layer.ca_layer_conv

#' @export
lower_layer.ca_layer_conv <- function(layer, graph, from) {
  lower_linear(layer, graph, from, layer$params$kernel, layer$window, layer$groups)
}

#' @export
lower_layer.ca_layer_local <- function(layer, graph, from) {
  lower_linear(layer, graph, from, layer$params$kernel, layer$window, layer$groups, shared = FALSE)
}

# Draws independent weights for every position, with the variance of a convolution's weights.
#' @export
draw_layer.ca_layer_local <- function(layer, scheme) {
  places <- prod(layer$out_shape[2:3])
  dim <- layer$params$kernel[seq_len(2L + length(layer$kernel))]
  list(
    initialise_weights(prod(dim) * places, prod(dim[-1L]), initialise_fan_out(layer, dim), scheme),
    if (!is.null(layer$params$bias)) numeric(prod(layer$params$bias))
  )
}
