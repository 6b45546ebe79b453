# Architectures that reduce the resolution: strided, pooled, hierarchical and U-shaped.

#' Hierarchical and U-shaped architectures
#'
#' Networks that coarsen the input step by step.
#'
#' * `arch_strided()`: convolutions whose stride is their kernel, down to one position
#'   (Springenberg et al. 2015 have them in place of pools).
#' * `arch_pooled()`: convolution and average pooling by 2 in turn, down to one position (LeCun et
#'   al. 1998).
#' * `arch_hierarchical()`: a tree of windows of `kernel` positions, side by side, down to one
#'   position (Fukushima 1980). Not shared, every window of every layer has weights of its own; shared, it is
#'   `arch_strided()`.
#' * `arch_unet()`: after a first convolution, `depth` convolutions of stride 2, and as many back up
#'   to the full resolution, each of which sees the level below, every position repeated twice,
#'   beside what this level had on the way down (Ronneberger et al. 2015). Convolutions are padded
#'   on both sides, for any length. Sequences are read at their newest position, grids densely
#'   at all.
#'
#' Kernels are cut to the positions that are left. Windows are aligned to the newest position (on
#' a grid, to the last row and column); what they leave over at the other end is not seen.
#'
#' With K_l taps in the kernel of layer l, cut as said, and P_l the positions after it:
#'
#' | function | parameters |
#' |---|---|
#' | `arch_strided()`, `arch_pooled()`, `arch_hierarchical(shared = TRUE)` | sum K_l w_(l-1) w_l + m w_L |
#' | `arch_hierarchical()` | sum P_l K_l w_(l-1) w_l + m w_L |
#' | `arch_unet()` | K C w_0 + sum K_l w_(l-1) (w_(l-1) + 2 w_l) + m P w_0 |
#'
#' In the last, w_0 is the filters at full resolution, w_l those at level l = 1 .. `depth`, P its
#' positions, and K_l is cut to the positions of level l - 1.
#'
#' @section Generic total capacity:
#' See [architectures] for what it means.
#'
#' * `arch_strided()` and `arch_hierarchical(shared = TRUE)`: the weights are a tensor with one
#'   index per layer, and the capacity is the dimension of those of tensor-train ranks r_l (Holtz
#'   et al. 2012), sum K_l r_(l-1) r_l + m r_L - sum r_l^2. r_0 = C; to find the other r_l, begin with
#'   w_l, cut each to K_l r_(l-1) from the first to the last, the last to m, and each to K_(l+1)
#'   r_(l+1) from the last to the first. With one filter per layer these are the parameters less
#'   one scale per layer; with two layers and one output it is a matrix of rank r.
#' * `arch_hierarchical()` with one output: the number of inputs that it sees. With one filter per
#'   layer and one channel: that plus m - 1.
#'
#' @inheritParams arch_conv
#' @param filters Number of filters: one number, or one per layer (`arch_unet()`: per level, the
#'   full resolution first).
#' @param kernel Number of taps, 2 or more where it is also the stride. On grids the same for rows
#'   and columns.
#' @param activation `NULL`, or one of [activations()], after each convolution.
#' @param shared Whether the windows of a layer share their weights.
#' @param depth Number of levels below the full resolution.
#' @returns A network without coefficients.
#' @references Springenberg, J. T. et al. (2015). Striving for simplicity: the all convolutional
#'   net. \doi{10.48550/arXiv.1412.6806}. Fukushima, K. (1980). Neocognitron: a self-organizing
#'   neural network model for a mechanism of pattern recognition unaffected by shift in position.
#'   \doi{10.1007/BF00344251}. LeCun, Y. et al. (1998). Gradient-based learning applied to document
#'   recognition. \doi{10.1109/5.726791}. Ronneberger, O., Fischer, P. and Brox, T. (2015). U-Net:
#'   convolutional networks for biomedical image segmentation.
#'   \doi{10.48550/arXiv.1505.04597}. Holtz, S., Rohwedder, T. and Schneider, R. (2012). On manifolds
#'   of tensors of fixed TT-rank. \doi{10.1007/s00211-011-0419-7}.
#' @seealso [architectures] for the others.
#' @examples
#' arch_strided(64, filters = c(2, 3, 2))
#' net <- initialise(arch_hierarchical(16, filters = 1, shared = TRUE), seed = 1)
#' attr(capacity(net), "total") # 4 layers of 2 taps: 5
#' arch_unet(input_grid(7, 9), filters = c(2, 3, 4))
#' @export
arch_strided <- function(input, filters = 2, kernel = 4, outputs = 1, bias = FALSE, activation = NULL) {
  net <- arch_input(input)
  arch_strided_coarsen(net, filters, check_count(kernel, min = 2L), layer_conv, activation = activation) |>
    arch_read_out(outputs, bias)
}

#' @rdname arch_strided
#' @export
arch_pooled <- function(input, filters = 2, kernel = 3, outputs = 1, bias = FALSE, activation = NULL) {
  net <- arch_input(input)
  kernels <- arch_strided_kernels(window_extent_of(net), check_count(kernel), 2)
  filters <- arch_per_layer(filters, length(kernels))
  for (l in seq_along(kernels)) {
    net <- layer_conv(net, check_arch_filters(filters[[l]]), kernels[[l]], padding = "same", activation = activation)
    net <- layer_pool(net, pmin(2, window_extent_of(net)))
  }
  arch_read_out(net, outputs, bias)
}

#' @rdname arch_strided
#' @export
arch_hierarchical <- function(input, filters = 1, kernel = 2, shared = FALSE, outputs = 1, bias = FALSE,
                              activation = NULL) {
  net <- arch_input(input)
  layer <- if (check_flag(shared)) layer_conv else layer_local
  arch_strided_coarsen(net, filters, check_count(kernel, min = 2L), layer, activation = activation) |>
    arch_read_out(outputs, bias)
}

#' @rdname arch_strided
#' @export
arch_unet <- function(input, filters = 2, depth = 2, kernel = 3, outputs = 1, bias = FALSE, activation = NULL) {
  net <- arch_input(input)
  depth <- check_count(depth)
  kernel <- check_count(kernel)
  most <- ceiling(log2(max(window_extent_of(net))))
  if (depth > most) {
    abort(c(
      "{.arg depth} must be at most {most}, the number of times that the input can be halved.",
      x = "It is {depth}, and the input is {describe_shape(output_shape(net), shape_output_kind(net))}."
    ), "shape")
  }
  filters <- arch_per_layer(filters, depth + 1L, "level")
  for (w in filters) check_arch_filters(w)
  net |> arch_strided_cut(filters[[1L]], kernel, activation = activation) |> arch_unet_below(filters, kernel,
    activation) |>
    arch_read_newest(outputs, bias)
}

# Adds the levels below the present one: a convolution to half the resolution, the levels below that, and upsampling.
# The result is concatenated with the output of the present level and passed through a convolution.
arch_unet_below <- function(net, filters, kernel, activation = NULL) {
  if (length(filters) == 1L) return(net)
  here <- window_extent_of(net)
  net |>
    layer_parallel(
      identity,
      \(x) x |> arch_strided_cut(filters[[2L]], kernel, stride = pmin(2L, here), activation = activation) |>
        arch_unet_below(filters[-1L], kernel, activation) |>
        layer_upsample(2, size = here),
      merge = "concat"
    ) |>
    arch_strided_cut(filters[[1L]], kernel, activation = activation)
}

arch_strided_cut <- function(net, filters, kernel, stride = 1L, activation = NULL) {
  layer_conv(net, filters, pmin(kernel, window_extent_of(net)), stride = stride, padding = "same",
    activation = activation)
}

# Adds layers of adjacent windows (stride = kernel) until one position is left.
arch_strided_coarsen <- function(net, filters, kernel, layer, call = rlang::caller_env(), activation = NULL) {
  kernels <- arch_strided_kernels(window_extent_of(net), kernel, kernel)
  filters <- arch_per_layer(filters, length(kernels), call = call)
  for (l in seq_along(kernels)) {
    net <- layer(net, check_arch_filters(filters[[l]], call), kernels[[l]], stride = kernels[[l]],
      activation = activation)
  }
  net
}

# Returns a list with the kernels of the layers, at least one, that reduce an extent to one position when each divides
# it by `stride`. Kernels are at most the remaining extent.
arch_strided_kernels <- function(extent, kernel, stride) {
  kernels <- list()
  while (length(kernels) == 0L || any(extent > 1)) {
    kernels <- c(kernels, list(pmin(kernel, extent)))
    extent <- extent %/% pmin(stride, extent)
  }
  kernels
}
