#' Convolution
#'
#' One-dimensional convolution of a sequence: at each output position, every
#' filter takes a weighted sum of a window of `kernel` taps, `dilation` apart. Tap
#' 1 meets the oldest input of its window.
#'
#' A strided `"valid"` convolution is aligned to the newest input: positions that
#' are left over are dropped at the old end. `"same"` padding gives
#' `ceiling(n / stride)` outputs with zeros on both sides, the odd one at the old
#' end; `"causal"` puts all of them at the old end. Padding is never stored: a
#' padded tap is a tap that is not there.
#'
#' @inheritParams layer_dense
#' @param filters Number of output channels.
#' @param kernel Number of taps.
#' @param stride Step between output positions.
#' @param dilation Step between taps.
#' @param padding `"valid"` (none), `"same"` or `"causal"`.
#' @param groups Channels and filters are cut into this many groups, and filters
#'   see only the channels of their own. `groups` equal to the number of channels
#'   is a depthwise convolution.
#' @param bias Whether each filter has a constant.
#' @returns The network with one more layer, without coefficients; its output is
#'   a sequence of `filters` channels.
#' @examples
#' # A dilated stack: the receptive field doubles with every layer
#' net <- input_sequence(16)
#' for (d in 2^(0:3)) net <- layer_conv(net, filters = 1, kernel = 2, dilation = d)
#' net
#' @export
layer_conv <- function(network, filters, kernel, stride = 1, dilation = 1,
                       padding = c("valid", "same", "causal"), groups = 1, bias = FALSE) {
  check_network(network)
  check_sequence(network)
  filters <- check_count(filters)
  kernel <- check_count(kernel)
  stride <- check_count(stride)
  dilation <- check_count(dilation)
  padding <- check_choice(padding, c("valid", "same", "causal"))
  groups <- check_count(groups)
  check_flag(bias)
  shape <- output_shape(network)
  check_groups(groups, shape[[1L]], filters)
  along <- slide(shape[[3L]], kernel, stride, dilation, padding)
  params <- list(kernel = c(filters, shape[[1L]] %/% groups, kernel))
  if (bias) params$bias <- filters
  add_layer(network, new_layer("conv", network, c(filters, 1L, along$outputs), "sequence", params,
    kernel = kernel, stride = stride, dilation = dilation, padding = padding, groups = groups,
    pad = along$pad
  ))
}

check_sequence <- function(network, call = rlang::caller_env()) {
  if (output_kind(network) == "sequence") return(invisible())
  abort(c(
    "This layer needs a sequence.",
    x = "The network's output is {describe_shape(output_shape(network), output_kind(network))}.",
    i = "Dense and flattened outputs have no positions left."
  ), "shape", call = call)
}

check_groups <- function(groups, channels, filters, call = rlang::caller_env()) {
  if (channels %% groups == 0L && filters %% groups == 0L) return(invisible())
  abort(c(
    "{.arg groups} must divide the {channels} input channel{?s} and the {filters} filter{?s}.",
    x = "It is {groups}."
  ), "shape", call = call)
}

# How a window of `kernel` taps slides over n positions: the number of outputs
# and `pad`, the positions missing at the old end (negative: dropped there), so
# that output u, tap k meets position u stride + k dilation - pad, all from 0.
slide <- function(n, kernel, stride, dilation, padding, call = rlang::caller_env()) {
  span <- (kernel - 1) * dilation + 1
  if (kernel > n || (padding == "valid" && span > n)) {
    abort(c(
      "{.arg kernel} must fit into the {n} position{?s} of its input.",
      x = "{.arg kernel} is {kernel} and {.arg dilation} {dilation}, which spans {span}."
    ), "shape", call = call)
  }
  if (stride > n) {
    abort(c(
      "{.arg stride} must not pass the {n} position{?s} of its input.",
      x = "It is {stride}."
    ), "shape", call = call)
  }
  outputs <- if (padding == "valid") (n - span) %/% stride + 1 else (n + stride - 1) %/% stride
  missing <- (outputs - 1) * stride + span - n
  pad <- if (padding == "same" && missing > 0) ceiling(missing / 2) else missing
  list(outputs = as.integer(outputs), pad = as.integer(pad))
}

#' @export
describe_layer.ca_layer_conv <- function(layer) {
  paste0(
    "conv, kernel ", layer$kernel,
    if (layer$stride > 1L) paste(", stride", layer$stride),
    if (layer$dilation > 1L) paste(", dilation", layer$dilation),
    if (layer$padding != "valid") paste0(", ", layer$padding),
    if (layer$groups > 1L) paste(", groups", layer$groups),
    if (!is.null(layer$params$bias)) " + bias"
  )
}

#' @export
lower_layer.ca_layer_conv <- function(layer, graph, from) {
  window <- new_window(
    kernel = c(1L, layer$kernel), stride = c(1L, layer$stride),
    dilation = c(1L, layer$dilation), pad = c(0L, layer$pad)
  )
  lower_linear(layer, graph, from, layer$params$kernel, window, layer$groups)
}
