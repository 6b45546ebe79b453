# Dense, low-rank and locally connected architectures.

#' Dense, low-rank and locally connected architectures
#'
#' Networks that see the whole input at once, or window by window.
#'
#' * `arch_dense()`: one weight per input and output.
#' * `arch_deep()`: dense layers one after another, without activations between them (Baldi
#'   and Hornik 1989). Its effective weights are any matrix whose rank is at most the
#'   smallest width.
#' * `arch_low_rank()`: `filters` shared by all windows of `kernel` positions, side by side, and a
#'   dense read-out of what they give (as the patches of Dosovitskiy et al. 2021). Arranged as a
#'   matrix with one row per window and output, and one column per tap and channel, the effective
#'   weights have rank `filters` at most.
#' * `arch_local()`: every window has `filters` of its own (a convolution without sharing, as in
#'   Taigman et al. 2014), with a dense read-out.
#'
#' Windows are aligned to the newest position (on a grid, to the last row and column); what
#' they leave over at the other end is not seen.
#'
#' With N = C n inputs, P windows, K taps, w `filters` and w_l `units`:
#'
#' | function | parameters | generic total capacity |
#' |---|---|---|
#' | `arch_dense()` | m N | m N |
#' | `arch_deep()` | w_1 N + sum w_(l-1) w_l (l = 2 .. L) + m w_L | r (m + N - r), r the least of m, N and all w_l |
#' | `arch_low_rank()` | w C K + m P w | r (C K + m P - r), r the least of w, C K and m P |
#' | `arch_local()` | P w C K + m P w | P r (C K + m - r), r the least of w, C K and m, for windows side by side |
#'
#' See [architectures] for what generic total capacity means. With one output
#' `arch_deep()` has the capacity of `arch_dense()`, and so has `arch_local()`, whatever its
#' stride, on the inputs that its windows cover.
#'
#' @param input An input such as [input_sequence()] or [input_grid()], a network, or the length
#'   of a sequence. `arch_dense()` and `arch_deep()` also take vectors.
#' @param units Widths of the hidden layers: one number, or one per layer.
#' @param depth Number of hidden layers.
#' @param filters Number of filters (of each window in `arch_local()`).
#' @param kernel Number of positions in a window; on a grid one number, or two for rows and
#'   columns.
#' @param stride Step between windows, as `kernel`: by default they lie side by side.
#' @param activation `NULL`, or one of [activations()], after each layer but the last.
#' @param outputs Number of outputs m.
#' @param bias Whether the last layer has a constant per output, for data whose
#'   means are not zero.
#' @returns A network without coefficients.
#' @references Baldi, P. and Hornik, K. (1989). Neural networks and principal component
#'   analysis: learning from examples without local minima.
#'   \doi{10.1016/0893-6080(89)90014-2}. Dosovitskiy, A. et al. (2021). An image is worth
#'   16x16 words: transformers for image recognition at scale.
#'   \doi{10.48550/arXiv.2010.11929}. Taigman, Y. et al. (2014). DeepFace: closing the gap to
#'   human-level performance in face verification. \doi{10.1109/CVPR.2014.220}.
#' @seealso [architectures] for the others.
#' @examples
#' arch_deep(16, units = 2, outputs = 3)
#' net <- initialise(arch_low_rank(64, filters = 2, kernel = 8), seed = 1)
#' attr(capacity(net), "total") # 2 (8 + 8 - 2)
#' arch_local(input_grid(8, 8), kernel = 4)
#' @export
arch_dense <- function(input, outputs = 1, bias = FALSE) {
  arch_input(input, any_kind) |> arch_read_out(outputs, bias)
}

#' @rdname arch_dense
#' @export
arch_deep <- function(input, units = 2, depth = 2, outputs = 1, bias = FALSE, activation = NULL) {
  net <- arch_input(input, any_kind)
  for (w in arch_per_layer(units, check_count(depth))) {
    net <- layer_dense(net, check_count(w, arg = "units"), activation = activation)
  }
  arch_read_out(net, outputs, bias)
}

#' @rdname arch_dense
#' @export
arch_low_rank <- function(input, filters = 2, kernel = 4, outputs = 1, bias = FALSE, activation = NULL) {
  arch_input(input) |> layer_conv(filters, kernel, stride = kernel, activation = activation) |> arch_read_out(outputs,
    bias)
}

#' @rdname arch_dense
#' @export
arch_local <- function(input, filters = 1, kernel = 4, stride = kernel, outputs = 1, bias = FALSE,
                       activation = NULL) {
  arch_input(input) |> layer_local(filters, kernel, stride = stride, activation = activation) |>
    arch_read_out(outputs, bias)
}
