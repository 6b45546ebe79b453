# Classical architectures as functions of an input. This file holds the functions that they share. Each group of
# architectures has a file arch-*.R, and arch-classical.R makes sets of architectures.

#' Classical architectures
#'
#' Each `arch_*()` function builds a network with one vector of `outputs` from an input:
#' an `input_*()`, a network to go on from, or a sequence length. They are ordinary
#' networks: look at them with [summary()][summary.ca_network()], pipe more layers onto
#' them, train them with [fit()][fit.ca_network()].
#'
#' | page | architectures |
#' |---|---|
#' | [arch_dense()] | dense, deep dense, low rank, locally connected |
#' | [arch_conv()] | convolution, dilated, separable, residual, densely connected |
#' | [arch_strided()] | strided, pooled, hierarchical, U-shaped |
#' | [arch_recurrent()] | Elman, diagonal and stacked recurrences, convolution into recurrence |
#'
#' All but the recurrent ones also take an [input_grid()]. Where positions are left at
#' the end, sequences are read at the newest, grids at all of them.
#'
#' @section Sizes:
#' The pages give each architecture's number of parameters without biases. In their
#' formulas C is the number of input channels, n that of positions, m that of outputs,
#' L that of layers, w_l the `filters` or `units` of layer l (w_0 = C), k the kernel and K
#' its number of taps: k on a sequence, the product of its two extents on a grid. P is the
#' number of positions that the read-out sees: 1 on a sequence.
#'
#' @section Generic total capacity:
#' Total capacity (the rank of the tangent, see [capacity()]) has the same value, its
#' largest, at all weights but a set of volume zero. Where theory gives that value in
#' closed form the pages state it, with its conditions: networks without biases, in exact
#' arithmetic. Mostly it is the number of parameters less that of the
#' rescalings (or changes of basis) that leave the effective weights as they are.
#' Initialised networks reach it, except where singular values decay below the tolerance of
#' [capacity()], as with many recurrent states.
#' @name architectures
#' @seealso [classical_architectures()] for sets of them at one budget.
#' @examples
#' arch_dilated(64, filters = 2)
#' arch_recurrent(input_sequence(32, channels = 2), units = 4, cell = "diagonal")
#' arch_strided(input_grid(8, 8), kernel = 2)
NULL

# Returns the network to which an architecture adds its layers. A number is the length of an input sequence.
arch_input <- function(input, kinds = c("sequence", "grid"), call = rlang::caller_env()) {
  if (is.numeric(input)) return(input_sequence(check_count(input, arg = "input", call = call)))
  check_network(input, arg = "input", call = call)
  kind <- shape_output_kind(input)
  if (kind %in% kinds) return(input)
  kinds <- paste("a", kinds)
  abort(c(
    "{.arg input} must be {.or {kinds}}.",
    x = "It is {describe_shape(output_shape(input), kind)}.",
    i = if (kind == "vector") "Vectors have no positions. Use {.fn arch_dense} or {.fn arch_deep} for them."
  ), "shape", call = call)
}

any_kind <- c("sequence", "grid", "vector")

arch_read_out <- function(net, outputs, bias, call = rlang::caller_env()) {
  layer_dense(net, check_count(outputs, arg = "outputs", call = call), bias = check_flag(bias, call = call))
}

# Adds a read-out of the newest position of a sequence, or of all positions of a grid.
arch_read_newest <- function(net, outputs, bias, call = rlang::caller_env()) {
  force(call)
  if (shape_output_kind(net) == "sequence") net <- layer_last(net)
  arch_read_out(net, outputs, bias, call)
}

# Returns one number per layer. A single number applies to all layers.
arch_per_layer <- function(x, depth, what = "layer", arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  x <- check_vector(x, arg = arg, call = call)
  if (!length(x) %in% c(1L, depth)) {
    abort(c(
      if (depth == 1L) "{.arg {arg}} must be one number, for one {what}." else
        "{.arg {arg}} must be one number, or one for each of the {depth} {what}s.",
      x = "It has {length(x)} value{?s}."
    ), "shape", call = call)
  }
  rep_len(x, depth)
}

# Returns the padding that keeps the number of positions. On a sequence it is causal.
arch_keep_positions <- function(net) if (shape_output_kind(net) == "grid") "same" else "causal"
