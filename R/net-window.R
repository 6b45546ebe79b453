# Windows that slide over the positions of a sequence or a grid, for convolution, pooling and upsampling. Extents
# (kernel, stride, ..) are one number on a sequence, and two numbers (rows, columns) on a grid.

# Returns a list: the checked arguments `kernel`, `stride`, `dilation` and `padding`, the number of `outputs` along each
# dimension, and the `window` in the format of the C core.
check_window_slide <- function(network, kernel, stride, dilation = 1, padding = "valid", arg = "kernel",
                        call = rlang::caller_env()) {
  check_window_spatial(network, call)
  kernel <- check_window_extent(kernel, network, arg = arg, call = call)
  stride <- check_window_extent(stride, network, arg = "stride", call = call)
  dilation <- check_window_extent(dilation, network, arg = "dilation", call = call)
  padding <- check_choice(padding, c("valid", "same", "causal"), arg = "padding", call = call)
  if (padding == "causal" && shape_output_kind(network) == "grid") {
    abort(c(
      "{.arg padding} must be {.val valid} or {.val same} on a grid: {.val causal} padding needs a sequence.",
      x = "It is {.val causal}."
    ), "value", call = call)
  }
  along <- Map(window_slide_along, window_extent_of(network), kernel, stride, dilation,
    what = window_dimension_names(network), MoreArgs = list(padding = padding, arg = arg, call = call))
  list(
    kernel = kernel, stride = stride, dilation = dilation, padding = padding,
    outputs = vapply(along, function(x) x$outputs, 0L),
    window = new_window(kernel, stride, dilation, vapply(along, function(x) x$pad, 0L))
  )
}

# Returns a layer with `channels` output channels at the output positions of a list from check_window_slide().
window_slide_layer <- function(kind, network, channels, slide, params = list(), ...) {
  new_network_layer(kind, network, c(channels, format_two(slide$outputs)), shape_output_kind(network), params,
    kernel = slide$kernel, stride = slide$stride, dilation = slide$dilation,
    padding = slide$padding, window = slide$window, ...
  )
}

# Returns a list for a window of `kernel` taps that slides over n positions: `outputs`, the number of output positions,
# and `pad`, the number of positions that are missing at the old end (negative: dropped there). Tap k of output u reads
# position u stride + k dilation - pad, all counted from 0.
window_slide_along <- function(n, kernel, stride, dilation, padding, what, arg, call) {
  span <- (kernel - 1) * as.double(dilation) + 1
  if (kernel > n || span > .Machine$integer.max || (padding == "valid" && span > n)) {
    abort(c(
      "{.arg {arg}} must fit into the {n} {what}{cli::qty(n)}{?s} of its input.",
      x = if (dilation > 1) "It is {kernel}, which spans {span} at {.arg dilation} {dilation}." else "It is {kernel}."
    ), "shape", call = call)
  }
  if (stride > n) {
    abort(c(
      "{.arg stride} must be at most {n}, the number of {what}s of its input.",
      x = "It is {stride}."
    ), "shape", call = call)
  }
  outputs <- if (padding == "valid") (n - span) %/% stride + 1 else (n + stride - 1) %/% stride
  missing <- (outputs - 1) * stride + span - n
  pad <- if (padding == "same" && missing > 0) ceiling(missing / 2) else missing
  list(outputs = as.integer(outputs), pad = as.integer(pad))
}

# Returns an extent as whole numbers, one for each dimension. A single number applies to all dimensions.
check_window_extent <- function(x, network, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  dims <- length(window_extent_of(network))
  if (!is.numeric(x) || !length(x) %in% c(1L, dims)) {
    abort(c(
      if (dims == 1L) "{.arg {arg}} must be one whole number on a sequence." else
        "{.arg {arg}} must be one whole number on a grid, or two, for rows and columns.",
      x = "It is {show_value(x)}."
    ), "value", call = call)
  }
  if (length(x) > 1L && !all(is.finite(x) & x >= 1 & x == floor(x) & x <= .Machine$integer.max)) {
    abort(c("{.arg {arg}} must be whole numbers, 1 or more.", x = "It is {show_value(x)}."), "value", call = call)
  }
  rep_len(if (length(x) == 1L) check_count(x, arg = arg, call = call) else as.integer(x), dims)
}

check_window_spatial <- function(network, call = rlang::caller_env()) {
  if (shape_output_kind(network) != "vector") return(invisible())
  abort(c(
    "This layer needs a sequence or a grid.",
    x = "The network's output is {describe_shape(output_shape(network), shape_output_kind(network))}.",
    i = "The output of a dense or flatten layer has no positions."
  ), "shape", call = call)
}

check_window_sequence <- function(network, call = rlang::caller_env()) {
  if (shape_output_kind(network) == "sequence") return(invisible())
  abort(c(
    "This layer needs a sequence.",
    x = "The network's output is {describe_shape(output_shape(network), shape_output_kind(network))}.",
    i = if (shape_output_kind(network) == "vector") "The output of a dense or flatten layer has no positions."
  ), "shape", call = call)
}

# Number of positions along each dimension of a network's output.
window_extent_of <- function(network) {
  shape <- output_shape(network)
  if (shape_output_kind(network) == "grid") shape[2:3] else shape[[3L]]
}

window_dimension_names <- function(network) {
  if (shape_output_kind(network) == "grid") c("row", "column") else "position"
}

# Returns a window in the format of the C core: ten numbers, (height, width) of each argument. Each argument has one
# number on a sequence and two on a grid.
new_window <- function(kernel = 1L, stride = 1L, dilation = 1L, pad = 0L, expand = 1L) {
  c(format_two(kernel), format_two(stride), format_two(dilation), format_two(pad, 0L), format_two(expand))
}
