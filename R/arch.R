# Presets: classical architectures as functions of an input, and sets of them at
# one parameter budget.

#' Classical architectures
#'
#' Each builds a network with one vector of `outputs` from an input: an
#' `input_*()` or a sequence length. They are ordinary networks: look at them with
#' [summary()][summary.ca_network()], pipe more layers onto them, train them with
#' [fit()][fit.ca_network()].
#'
#' With C input channels, n positions and m outputs, without biases, they have
#' these parameters:
#'
#' | function | what it is | parameters |
#' |---|---|---|
#' | `arch_dense()` | one weight per input | m C n |
#' | `arch_conv()` | convolutions, read at the newest position: only the recent past is seen | k sum w_(l-1) w_l + m w_L |
#' | `arch_dilated()` | kernel 2, dilations 1, 2, 4, .. up to the length (van den Oord et al. 2016) | 2 sum w_(l-1) w_l + m w_L |
#' | `arch_strided()` | convolutions whose stride is their kernel k, down to one position | k sum w_(l-1) w_l + m w_L |
#' | `arch_pooled()` | convolution and average pooling by turns, down to one position (LeCun et al. 1998) | k sum w_(l-1) w_l + m w_L |
#' | `arch_recurrent()` | a recurrence over the whole sequence, read at its end (Elman 1990) | u (C + m) + u^2, or u (C + m) + u for a diagonal cell |
#' | `arch_residual()` | `blocks` causal convolutions added to their input (He et al. 2016), read at the newest position | C w + blocks k w^2 + m w |
#'
#' with w_l the `filters` of layer l (w_0 = C), k the kernel (in `arch_strided()` and
#' `arch_pooled()` cut to the positions that are left), u the units.
#'
#' @param input An input such as [input_sequence()], or the length of a sequence.
#' @param outputs Number of outputs m.
#' @param bias Whether the last layer has a constant per output, for data whose
#'   means are not zero.
#' @param filters Number of filters: one number, or one per layer.
#' @param kernel Number of taps, and for `arch_strided()` also the stride.
#' @param depth Number of convolutions.
#' @param units Number of states.
#' @param cell `"elman"` or `"diagonal"`, see [layer_recurrent()].
#' @param blocks Number of residual blocks.
#' @param scale Factor of each block, see [layer_residual()].
#' @returns A network without coefficients.
#' @references van den Oord, A. et al. (2016). WaveNet: a generative model for raw
#'   audio. \doi{10.48550/arXiv.1609.03499}. LeCun, Y. et al. (1998). Gradient-based
#'   learning applied to document recognition. \doi{10.1109/5.726791}. Elman, J. L.
#'   (1990). Finding structure in time. \doi{10.1207/s15516709cog1402_1}. He, K. et al.
#'   (2016). Deep residual learning for image recognition.
#'   \doi{10.48550/arXiv.1512.03385}.
#' @seealso [classical_architectures()]
#' @name architectures
#' @examples
#' arch_dilated(64, filters = 2)
#' arch_recurrent(input_sequence(32, channels = 2), units = 4, cell = "diagonal")
NULL

#' @rdname architectures
#' @export
arch_dense <- function(input, outputs = 1, bias = FALSE) {
  arch_input(input) |> read_out(outputs, bias)
}

#' @rdname architectures
#' @export
arch_conv <- function(input, filters = 2, kernel = 5, depth = 2, outputs = 1, bias = FALSE) {
  net <- arch_input(input)
  filters <- filters_of(filters, check_count(depth))
  for (w in filters) net <- layer_conv(net, w, kernel)
  net |> layer_last() |> read_out(outputs, bias)
}

#' @rdname architectures
#' @export
arch_dilated <- function(input, filters = 2, outputs = 1, bias = FALSE) {
  net <- arch_input(input)
  n <- output_shape(net)[[3L]]
  filters <- filters_of(filters, dilated_depth(n))
  for (l in seq_along(filters)) {
    net <- layer_conv(net, filters[[l]], kernel = 2, dilation = 2^(l - 1))
  }
  net |> layer_last() |> read_out(outputs, bias)
}

#' @rdname architectures
#' @export
arch_strided <- function(input, filters = 2, kernel = 4, outputs = 1, bias = FALSE) {
  net <- arch_input(input)
  filters <- filters_of(filters, strided_depth(output_shape(net)[[3L]], check_count(kernel, min = 2L)))
  for (w in filters) {
    k <- min(kernel, output_shape(net)[[3L]])
    net <- layer_conv(net, w, kernel = k, stride = k)
  }
  net |> read_out(outputs, bias)
}

#' @rdname architectures
#' @export
arch_pooled <- function(input, filters = 2, kernel = 3, outputs = 1, bias = FALSE) {
  net <- arch_input(input)
  filters <- filters_of(filters, strided_depth(output_shape(net)[[3L]], 2L))
  for (w in filters) {
    k <- min(kernel, output_shape(net)[[3L]])
    net <- net |> layer_conv(w, kernel = k, padding = "same") |> layer_pool(2)
  }
  net |> read_out(outputs, bias)
}

#' @rdname architectures
#' @export
arch_recurrent <- function(input, units = 4, cell = c("elman", "diagonal"), outputs = 1, bias = FALSE) {
  cell <- check_choice(cell, c("elman", "diagonal"))
  arch_input(input) |> layer_recurrent(units, cell = cell) |> read_out(outputs, bias)
}

#' @rdname architectures
#' @export
arch_residual <- function(input, filters = 2, blocks = 4, kernel = 3, scale = 1, outputs = 1, bias = FALSE) {
  net <- arch_input(input) |> layer_conv(filters, kernel = 1)
  for (i in seq_len(check_count(blocks))) {
    net <- layer_residual(net, \(x) layer_conv(x, filters, kernel, padding = "causal"), scale = scale)
  }
  net |> layer_last() |> read_out(outputs, bias)
}

arch_input <- function(input, call = rlang::caller_env()) {
  if (is.numeric(input)) return(input_sequence(check_count(input, arg = "input", call = call)))
  check_network(input, arg = "input", call = call)
}

read_out <- function(net, outputs, bias, call = rlang::caller_env()) {
  layer_dense(net, check_count(outputs, arg = "outputs", call = call), bias = check_flag(bias, call = call))
}

# Layers until a dilated stack sees n positions, or a strided one has one left.
dilated_depth <- function(n) max(1L, as.integer(floor(log2(n))))

strided_depth <- function(n, stride) max(1L, length(cut_kernels(n, stride, stride)))

filters_of <- function(filters, depth, call = rlang::caller_env()) {
  filters <- check_vector(filters, arg = "filters", call = call)
  if (!length(filters) %in% c(1L, depth)) {
    abort(c(
      "{.arg filters} must be one number, or one for each of the {depth} layer{?s}.",
      x = "It has {length(filters)} values."
    ), "shape", call = call)
  }
  rep_len(filters, depth)
}

#' A set of classical architectures at one budget
#'
#' Architectures on a sequence with nearly the same number of parameters, ready for
#' [compare_architectures()]. Widths, depths and kernels are chosen so that each
#' comes as close to the budget as it can; the convolution prefers the longest
#' memory.
#'
#' @param length Number of positions.
#' @param budget Number of parameters, by default what a dense layer needs. An
#'   architecture that does not come within 10% of it is left out, with a warning of class
#'   `capalloc_warning_budget` that names it.
#' @param bias Whether the last layers have a constant, as in [arch_dense()]. It is one
#'   more parameter, which does not count for the budget.
#' @returns A plain named list of networks: `dense`, `conv`, `dilated`, `strided`, `pooled`,
#'   `residual`, `elman`, `diagonal`.
#' @examples
#' nets <- classical_architectures(64)
#' sapply(nets, \(net) sum(summary(net)$parameters))
#' @export
classical_architectures <- function(length, budget = length, bias = FALSE) {
  length <- check_count(length, min = 8L)
  budget <- check_number(budget, min = 1)
  check_flag(bias)
  closest <- lapply(architecture_candidates(length, budget), function(candidates) {
    counts <- vapply(candidates, n_params, 0)
    candidates[[which.min(abs(counts - budget))]]
  })
  counts <- vapply(closest, n_params, 0)
  near <- abs(counts - budget) <= 0.1 * budget
  if (!all(near)) {
    off <- paste0(names(counts)[!near], " (", counts[!near], ")")
    warn(c(
      "Left out, since they do not come within 10% of {budget} parameters: {off}.",
      i = "Try another {.arg budget}, or build them with {.fn arch_dense} and the like."
    ), "budget")
  }
  lapply(closest[near], function(net) if (bias) with_last_bias(net) else net)
}

# For each architecture networks around the budget; earlier ones win ties.
architecture_candidates <- function(n, budget) {
  counted <- function(kernels, build) list(build(closest_widths(kernels, budget)))
  list(
    dense = list(arch_dense(n)),
    conv = unlist(lapply(conv_choices(n), function(k) {
      counted(rep(k[["kernel"]], k[["depth"]]), \(w) arch_conv(n, w, k[["kernel"]], k[["depth"]]))
    }), recursive = FALSE),
    dilated = counted(rep(2, dilated_depth(n)), \(w) arch_dilated(n, w)),
    strided = counted(cut_kernels(n, 4, 4), \(w) arch_strided(n, w)),
    pooled = counted(cut_kernels(n, 3, 2), \(w) arch_pooled(n, w)),
    residual = residual_candidates(n, budget),
    elman = lapply(seq_len(ceiling(sqrt(budget)) + 1), \(u) arch_recurrent(n, u, "elman")),
    diagonal = lapply(seq_len(ceiling(budget / 3) + 1), \(u) arch_recurrent(n, u, "diagonal"))
  )
}

# Kernels and depths with memory below the length, the longest first.
conv_choices <- function(n) {
  choices <- expand.grid(kernel = c(3, 5, 8), depth = 2:3)
  memory <- (choices$kernel - 1) * choices$depth + 1
  choices <- choices[memory < n, , drop = FALSE]
  choices <- choices[order(-memory[memory < n]), , drop = FALSE]
  lapply(seq_len(nrow(choices)), function(i) unlist(choices[i, ]))
}

# Kernels of the layers that bring n positions down to one by steps of `stride`, each cut to what is left.
cut_kernels <- function(n, kernel, stride) {
  kernels <- numeric()
  while (n > 1L) {
    kernels <- c(kernels, min(kernel, n))
    n <- n %/% min(stride, n)
  }
  kernels
}

# Of nearly equal widths (w everywhere, and one more in some layers) those whose chain of
# convolutions, with a read-out of one output, comes closest to the budget.
closest_widths <- function(kernels, budget) {
  depth <- length(kernels)
  most <- ceiling(sqrt(budget / max(depth - 1, 1))) + 1
  wider <- if (depth <= 8L) as.matrix(expand.grid(rep(list(0:1), depth))) else 1 * lower.tri(diag(depth))
  widths <- do.call(rbind, lapply(seq_len(most), function(w) wider + w))
  before <- cbind(1, widths[, -depth, drop = FALSE])
  counts <- drop((before * widths) %*% kernels) + widths[, depth]
  unname(widths[which.min(abs(counts - budget)), ])
}

residual_candidates <- function(n, budget) {
  choices <- expand.grid(blocks = seq_len(ceiling(budget / 3)), filters = c(2, 1, 3, 4))
  counts <- choices$filters * 2 + choices$blocks * 3 * choices$filters^2
  choices <- choices[order(abs(counts - budget))[1:min(4, nrow(choices))], ]
  Map(function(w, blocks) arch_residual(n, w, blocks), choices$filters, choices$blocks)
}

# The same network, its read-out with a constant.
with_last_bias <- function(net) {
  last <- net$layers[[length(net$layers)]]
  before <- new_network(net$input, net$layers[-length(net$layers)])
  layer_dense(before, last$params$weight[[1L]], bias = TRUE)
}
