# Recurrent architectures.

#' Recurrent architectures
#'
#' Linear recurrences over the whole sequence, from the oldest position to the newest, read at
#' its end.
#'
#' * `arch_recurrent()`: one recurrence (Elman 1990), or `depth` of them, each over the states of the
#'   one below (Graves et al. 2013). The states of a diagonal cell do not mix (Li et al. 2018).
#' * `arch_conv_recurrent()`: a convolution, and a recurrence over what it gives (Shi et al. 2017).
#'
#' With k the kernel, w the `filters`, and u states (u_l in layer l, u_0 = C):
#'
#' | function | parameters |
#' |---|---|
#' | `arch_recurrent()` | sum u_l (u_(l-1) + u_l) + m u_L, diagonal sum u_l (u_(l-1) + 1) + m u_L |
#' | `arch_conv_recurrent()` | k C w + u (w + u) + m u, diagonal k C w + u (w + 1) + m u |
#'
#' @section Generic total capacity:
#' See [architectures] for what it means. The formulas are the same for both cells: a generic
#' full matrix is a diagonal one in another (complex) basis.
#'
#' * One recurrence with one channel and one output: the smaller of n and 2 u, where u counts
#'   equal memories of a diagonal cell once. With C channels and m outputs, for n >= 2 u:
#'   u (C + m).
#' * L recurrences, with one channel and one output: the smaller of n and 1 + sum (2 u_l - 1), the
#'   number of coefficients of a rational function.
#' * `arch_conv_recurrent()` with one filter, one channel and one output, for a stride of 1
#'   or the kernel: k - 1 plus the smaller of q and 2 u, with q the positions that the recurrence
#'   runs over.
#'
#' Singular values decay fast as states are added, most of all in a diagonal cell: with many of them,
#' or with nearly equal memories, the rank that [capacity()] finds at its tolerance is lower.
#'
#' @inheritParams arch_conv
#' @param input A sequence: an [input_sequence()], a network, or its length.
#' @param units Number of states; in `arch_recurrent()` one number, or one per layer.
#' @param cell `"elman"`, `"diagonal"`, `"lstm"` or `"gru"` (the last two are not linear), see
#'   [layer_recurrent()].
#' @param depth Number of recurrences.
#' @param activation Of the cells, see [layer_recurrent()]; `NULL` is `"tanh"` for gated cells and `"linear"` for
#' others.
#' @param filters Number of filters of the convolution.
#' @param kernel Number of its taps.
#' @param stride Step between its outputs, by default its kernel.
#' @returns A network without coefficients.
#' @references Elman, J. L. (1990). Finding structure in time.
#'   \doi{10.1207/s15516709cog1402_1}. Graves, A., Mohamed, A. and Hinton, G. (2013). Speech
#'   recognition with deep recurrent neural networks. \doi{10.1109/ICASSP.2013.6638947}. Li, S.
#'   et al. (2018). Independently recurrent neural network (IndRNN): building a longer and deeper
#'   RNN. \doi{10.48550/arXiv.1803.04831}.
#'   Shi, B., Bai, X. and Yao, C. (2017). An end-to-end trainable neural network for image-based
#'   sequence recognition and its application to scene text recognition.
#'   \doi{10.1109/TPAMI.2016.2646371}.
#' @seealso [architectures] for the others.
#' @examples
#' arch_recurrent(32, units = 3, depth = 2)
#' net <- initialise(arch_recurrent(32, units = 3, cell = "diagonal"), seed = 1)
#' attr(capacity(net), "total") # 2 u
#' arch_conv_recurrent(64, filters = 2, kernel = 4, units = 4)
#' @export
arch_recurrent <- function(input, units = 4, cell = c("elman", "diagonal", "lstm", "gru"), outputs = 1, bias = FALSE,
                           depth = 1, activation = NULL) {
  net <- arch_input(input, "sequence")
  units <- arch_per_layer(units, check_count(depth))
  for (l in seq_along(units)) {
    net <- layer_recurrent(net, check_count(units[[l]], arg = "units"), cell = cell,
      output = if (l < length(units)) "sequence" else "last", activation = cell_activation(activation, cell))
  }
  arch_read_out(net, outputs, bias)
}

#' @rdname arch_recurrent
#' @export
arch_conv_recurrent <- function(input, filters = 2, kernel = 4, units = 4,
                                cell = c("elman", "diagonal", "lstm", "gru"),
                                stride = kernel, outputs = 1, bias = FALSE, activation = NULL) {
  arch_input(input, "sequence") |>
    layer_conv(filters, kernel, stride = stride) |>
    layer_recurrent(units, cell = cell, activation = cell_activation(activation, cell)) |>
    arch_read_out(outputs, bias)
}

# The activation of a recurrent cell unless another one is given.
cell_activation <- function(activation, cell) {
  if (!is.null(activation)) return(activation)
  if (is.character(cell) && cell[[1L]] %in% c("lstm", "gru")) "tanh" else "linear"
}
