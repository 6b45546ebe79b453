# Windows that slide over the positions of a sequence or a grid, for convolution, pooling and upsampling. Extents
# (kernel, stride, ..) are one number on a sequence, and two numbers (rows, columns) on a grid.

# Returns a list: the checked arguments `kernel`, `stride`, `dilation` and `padding`, the number of `outputs` along each
# dimension, and the `window` in the format of the C core.
check_window_slide <- function(network, kernel, stride, dilation = 1, padding = "valid", arg = "kernel",
                        call = rlang::caller_env(), align = "newest") {
  check_window_spatial(network, call)
  kernel <- check_window_extent(kernel, network, arg = arg, call = call)
  stride <- check_window_extent(stride, network, arg = "stride", call = call)
  dilation <- check_window_extent(dilation, network, arg = "dilation", call = call)
  padding <- check_slide_padding(padding, network, call)
  align <- check_choice(align, c("newest", "oldest"), arg = "align", call = call)
  if (identical(padding, "causal") && shape_output_kind(network) == "grid") {
    abort(c(
      "{.arg padding} must be {.val valid} or {.val same} on a grid: {.val causal} padding needs a sequence.",
      x = "It is {.val causal}."
    ), "value", call = call)
  }
  along <- Map(window_slide_along, window_extent_of(network), kernel, stride, dilation,
    padding = if (is.list(padding)) padding else list(padding), what = window_dimension_names(network),
    MoreArgs = list(arg = arg, call = call, align = align))
  list(
    kernel = kernel, stride = stride, dilation = dilation, padding = padding, align = align,
    outputs = vapply(along, function(x) x$outputs, 0L),
    window = new_window(kernel, stride, dilation, vapply(along, function(x) x$pad, 0L))
  )
}

# Returns a layer with `channels` output channels at the output positions of a list from check_window_slide().
window_slide_layer <- function(kind, network, channels, slide, params = list(), ...) {
  new_network_layer(kind, network, c(channels, format_two(slide$outputs)), shape_output_kind(network), params,
    kernel = slide$kernel, stride = slide$stride, dilation = slide$dilation,
    padding = slide$padding, window = slide$window, align = slide$align, ...
  )
}

# Returns a list for a window of `kernel` taps that slides over n positions: `outputs`, the number of output positions,
# and `pad`, the number of positions that are missing at the old end (negative: dropped there). Tap k of output u reads
# position u stride + k dilation - pad, all counted from 0. `padding` may also be two numbers, the zeros at the old and
# at
# the new end.
window_slide_along <- function(n, kernel, stride, dilation, padding, what, arg, call, align = "newest") {
  span <- (kernel - 1) * as.double(dilation) + 1
  if (is.numeric(padding)) return(slide_padded(n, kernel, stride, dilation, padding, what, arg, call, align))
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
  pad <- if (padding == "same" && missing > 0) {
    if (align == "newest") ceiling(missing / 2) else floor(missing / 2)
  } else if (missing < 0 && align == "oldest") 0 else missing
  list(outputs = as.integer(outputs), pad = as.integer(pad))
}

# The same with explicit zeros at both ends.
slide_padded <- function(n, kernel, stride, dilation, padding, what, arg, call, align) {
  whole <- n + sum(as.double(padding))
  span <- (kernel - 1) * as.double(dilation) + 1
  if (span > whole || stride > whole || whole > .Machine$integer.max) {
    abort(c(
      "{.arg {arg}} and {.arg stride} must fit into the {n} {what}{cli::qty(n)}{?s} of its input and their padding.",
      x = "The window spans {span}, the stride is {stride}, and there are {whole} {what}s with the padding."
    ), "shape", call = call)
  }
  left_over <- if (align == "newest") (whole - span) %% stride else 0
  list(outputs = as.integer((whole - span) %/% stride + 1), pad = as.integer(padding[[1L]] - left_over))
}

# Returns a name of a padding, or a list with the two ends of each dimension.
check_slide_padding <- function(padding, network, call) {
  if (!is.numeric(padding) && !is.list(padding)) {
    return(check_choice(padding, c("valid", "same", "causal"), arg = "padding", call = call))
  }
  check_ends(padding, network, arg = "padding", call = call)
}

# Returns numbers at the old and the new end as a list with one pair for each dimension. A single pair applies to all
# dimensions, and a list on a grid has one pair for rows and one for columns.
check_ends <- function(x, network, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  dims <- length(window_extent_of(network))
  pairs <- if (is.list(x)) x else rep_len(list(x), dims)
  is_pair <- function(pair) {
    is.numeric(pair) && length(pair) == 2L && all(is.finite(pair) & pair >= 0 & pair == floor(pair) & pair <= 2^30)
  }
  if (length(pairs) == dims && all(vapply(pairs, is_pair, NA))) {
    return(lapply(unname(pairs), function(pair) as.integer(unname(pair))))
  }
  bad <- if (length(pairs) == dims) Filter(Negate(is_pair), pairs)[[1L]] else x
  abort(c(
    if (dims == 1L) "{.arg {arg}} must be two whole numbers, 0 or more: at the old and at the new end." else
      "{.arg {arg}} must be two whole numbers, 0 or more, or a list of two such pairs, for rows and columns.",
    x = "It is {show_value(bad)}."
  ), "value", call = call)
}

# Returns text such as "1 + 0", or "1 + 0 x 2 + 2" on a grid.
ends_text <- function(pairs) paste(vapply(pairs, paste, "", collapse = " + "), collapse = " x ")

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
