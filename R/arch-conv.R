# Architectures of convolutions with stride 1.

#' Convolutional architectures
#'
#' Stacks of convolutions with stride 1. Sequences are read at their newest position, grids
#' densely at all positions that are left.
#'
#' * `arch_conv()`: `"valid"` convolutions one after another (LeCun et al. 1989). Read at the newest position, a
#'   sequence is only seen in its recent past.
#' * `arch_dilated()`: dilations 1, 2, 4, .. (the powers of `growth`) for `depth` layers, or as many as fit into the
#'   input; on sequences as in van den Oord et al. (2016), where `skip = TRUE` sums a read-out of the
#'   newest position of every layer, on grids as in Yu and Koltun (2016), with `kernel = 3`.
#' * `arch_separable()`: layers of one filter per channel and a mixing of the channels at each
#'   position (Chollet 2017, Howard et al. 2017).
#' * `arch_residual()`: convolutions that are added to their input (He et al. 2016), after one of
#'   kernel 1.
#' * `arch_densenet()`: every convolution sees the input and what all earlier ones give (Huang et
#'   al. 2017), and so does the read-out.
#'
#' In the last two, convolutions keep the positions: they are padded at the old end, on a grid
#' on all sides.
#'
#' | function | parameters |
#' |---|---|
#' | `arch_conv()`, `arch_dilated()` | K sum w_(l-1) w_l + m P w_L, with skips K sum w_(l-1) w_l + m sum w_l |
#' | `arch_separable()` | sum w_(l-1) (K + w_l) + m P w_L |
#' | `arch_residual()` | C w + B K w^2 + m P w, B the blocks |
#' | `arch_densenet()` | K sum c_(l-1) w_l + m P c_L, with c_l = C + w_1 + .. + w_l |
#'
#' @section Generic total capacity:
#' See [architectures] for what it means.
#'
#' * `arch_conv()` and `arch_dilated()` (without skips) with one filter per layer: K (C + L - 1) +
#'   m P - L, the parameters less one scale per layer. On a sequence with one channel and one
#'   output that is 1 + L (k - 1): without dilation the number of positions seen, with kernel 2
#'   L + 1.
#' * `arch_dilated()` on a sequence with kernel 2, growth 2 and any filters: sum 2 r_(l-1) r_l + m r_L - sum
#'   r_l^2, the dimension of tensors of tensor-train ranks r_l (Holtz et al. 2012). r_0 = C; to find
#'   the other r_l, begin with w_l, cut each to 2 r_(l-1) from the first to the last, the last to m,
#'   and each to 2 r_(l+1) from the last to the first.
#' * `arch_dilated(skip = TRUE)` with kernel 2, one filter per layer, one channel and one output:
#'   2 L - 1 for two layers or more. The skip of the last layer but one adds nothing.
#' * `arch_separable(depth = 1)` on a sequence: r (m + C - r) + C (k - 1), r the least of w, m and C.
#' * On a sequence with one channel and one output, for any filters: `arch_conv()` has 1 + L (k - 1),
#'   `arch_residual()` (with L blocks and a `scale` other than 0) and `arch_densenet()` the smaller of
#'   n and that.
#'
#' @inheritParams arch_dense
#' @param input An input such as [input_sequence()] or [input_grid()], a network, or the length
#'   of a sequence.
#' @param filters Number of filters: one number, or one per layer (in `arch_residual()` always
#'   one number).
#' @param kernel Number of taps; on a grid one number, or two for rows and columns
#'   (`arch_dilated()`: always one, 2 or more).
#' @param depth Number of convolutions, in `arch_separable()` of pairs of them. `arch_dilated()` has as many as
#'   fit into the input, unless it is given.
#' @param growth Factor from each dilation to the next; 1 is no dilation.
#' @param blocks Number of residual blocks.
#' @param activation `NULL`, or one of [activations()], after each convolution (in `arch_separable()` after each pair).
#' @param scale Factor of each block, see [layer_residual()].
#' @param skip Whether the output is the sum of a read-out of every layer's newest position;
#'   for sequences. With `bias` only the read-out of the last layer has the constants.
#' @returns A network without coefficients.
#' @references LeCun, Y. et al. (1989). Backpropagation applied to handwritten zip code
#'   recognition. \doi{10.1162/neco.1989.1.4.541}. van den Oord, A. et al. (2016). WaveNet: a generative model for raw
#'   audio. \doi{10.48550/arXiv.1609.03499}. Yu, F. and Koltun, V. (2016). Multi-scale context
#'   aggregation by dilated convolutions. \doi{10.48550/arXiv.1511.07122}. Chollet, F. (2017).
#'   Xception: deep learning with depthwise separable convolutions.
#'   \doi{10.48550/arXiv.1610.02357}. Howard, A. G. et al. (2017). MobileNets: efficient
#'   convolutional neural networks for mobile vision applications.
#'   \doi{10.48550/arXiv.1704.04861}. He, K. et al. (2016). Deep residual learning for image
#'   recognition. \doi{10.48550/arXiv.1512.03385}. Huang, G. et al. (2017). Densely connected
#'   convolutional networks. \doi{10.48550/arXiv.1608.06993}. Holtz, S., Rohwedder, T. and
#'   Schneider, R. (2012). On manifolds of tensors of fixed TT-rank.
#'   \doi{10.1007/s00211-011-0419-7}.
#' @seealso [architectures] for the others.
#' @examples
#' arch_dilated(64, filters = 2)
#' arch_dilated(input_grid(9, 9), filters = 1, kernel = 3)
#' arch_densenet(16, filters = 2, depth = 3)
#' net <- initialise(arch_dilated(16, filters = 1, skip = TRUE), seed = 1)
#' attr(capacity(net), "total") # 2 L - 1
#' @export
arch_conv <- function(input, filters = 2, kernel = 5, depth = 2, outputs = 1, bias = FALSE,
                      activation = NULL) {
  net <- arch_input(input)
  for (w in arch_per_layer(filters, check_count(depth))) {
    net <- layer_conv(net, check_arch_filters(w), kernel, activation = activation)
  }
  arch_read_newest(net, outputs, bias)
}

#' @rdname arch_conv
#' @export
arch_dilated <- function(input, filters = 2, outputs = 1, bias = FALSE, kernel = 2, skip = FALSE, depth = NULL,
                         growth = 2, activation = NULL) {
  net <- arch_input(input)
  kernel <- check_count(kernel, min = 2L)
  dilations <- check_count(growth)^(seq_len(check_arch_dilated_depth(depth, min(window_extent_of(net)), kernel,
    growth)) - 1)
  filters <- arch_per_layer(filters, length(dilations))
  if (check_flag(skip)) {
    return(arch_skip_sum(net, filters, kernel, dilations, outputs, bias, activation = activation))
  }
  for (l in seq_along(filters)) {
    net <- layer_conv(net, check_arch_filters(filters[[l]]), kernel, dilation = dilations[[l]], activation = activation)
  }
  arch_read_newest(net, outputs, bias)
}

#' @rdname arch_conv
#' @export
arch_separable <- function(input, filters = 4, kernel = 3, depth = 2, outputs = 1, bias = FALSE,
                           activation = NULL) {
  net <- arch_input(input)
  for (w in arch_per_layer(filters, check_count(depth))) {
    channels <- output_shape(net)[[1L]]
    net <- layer_conv(net, channels, kernel, groups = channels) |>
      layer_conv(check_arch_filters(w), kernel = 1, activation = activation)
  }
  arch_read_newest(net, outputs, bias)
}

#' @rdname arch_conv
#' @export
arch_residual <- function(input, filters = 2, blocks = 4, kernel = 3, scale = 1, outputs = 1, bias = FALSE,
                          activation = NULL) {
  net <- arch_input(input) |> layer_conv(filters, kernel = 1)
  for (i in seq_len(check_count(blocks))) {
    net <- layer_residual(net, \(x) {
      layer_conv(x, filters, kernel, padding = arch_keep_positions(x), activation = activation)
    }, scale = scale)
  }
  arch_read_newest(net, outputs, bias)
}

#' @rdname arch_conv
#' @export
arch_densenet <- function(input, filters = 1, kernel = 3, depth = 4, outputs = 1, bias = FALSE,
                          activation = NULL) {
  net <- arch_input(input)
  for (w in arch_per_layer(filters, check_count(depth))) {
    check_arch_filters(w)
    net <- layer_parallel(net, identity,
      \(x) layer_conv(x, w, kernel, padding = arch_keep_positions(x), activation = activation),
      merge = "concat")
  }
  arch_read_newest(net, outputs, bias)
}

check_arch_filters <- function(w, call = rlang::caller_env()) check_count(w, arg = "filters", call = call)

# Returns the largest number L of layers with dilations 1, g, g^2, .. (at least 1) whose receptive field
# 1 + (kernel - 1) (1 + g + .. + g^(L - 1)) fits into n positions.
arch_dilated_depth <- function(n, kernel = 2, growth = 2) {
  max(1L, sum(1 + (kernel - 1) * cumsum(growth^(seq_len(n) - 1)) <= n))
}

check_arch_dilated_depth <- function(depth, n, kernel, growth, call = rlang::caller_env()) {
  most <- arch_dilated_depth(n, kernel, growth)
  if (is.null(depth)) return(most)
  depth <- check_count(depth, call = call)
  if (depth <= most) return(depth)
  abort(c(
    "{.arg depth} must be at most {most}, so that the receptive field fits into {n} positions.",
    x = "It is {depth}."
  ), "shape", call = call)
}

# Adds layers l, l + 1, .. of a stack in which every layer has a read-out of its newest position. A parallel layer sums
# the read-out of layer l and the output of the remaining stack.
arch_skip_sum <- function(net, filters, kernel, dilations, outputs, bias, l = 1L, call = rlang::caller_env(),
                     activation = NULL) {
  force(call)
  if (shape_output_kind(net) == "grid") {
    abort(c(
      "{.arg skip} must be {.code FALSE} on a grid, which has no newest position.",
      x = "It is {.code TRUE}."
    ), "value", call = call)
  }
  net <- layer_conv(net, check_arch_filters(filters[[l]], call), kernel, dilation = dilations[[l]],
    activation = activation)
  if (l == length(filters)) return(arch_read_newest(net, outputs, bias, call))
  layer_parallel(net,
    \(x) arch_read_newest(x, outputs, FALSE, call),
    \(x) arch_skip_sum(x, filters, kernel, dilations, outputs, bias, l + 1L, call, activation)
  )
}
