#' Layers and what they work on
#'
#' Layers pipe onto a network, which begins with an input. Each takes the network as its first
#' argument and returns it with one more layer. All of them can be nested in blocks, and a network
#' may end in any of them: its outputs are then all channels of all positions that are left.
#'
#' | layer | sequence | grid | vector | bias | several outputs |
#' |---|---|---|---|---|---|
#' | [layer_dense()] | yes | yes | yes | yes | yes |
#' | [layer_conv()] | yes | yes | - | yes | yes |
#' | [layer_local()] | yes | yes | - | yes | yes |
#' | [layer_pool()] | yes | yes | - | - | yes |
#' | [layer_upsample()] | yes | yes | - | - | yes |
#' | [layer_recurrent()] | yes | - | - | yes | yes |
#' | [layer_residual()] | yes | yes | yes | - | yes |
#' | [layer_parallel()] | yes | yes | yes | - | yes |
#' | [layer_last()] | yes | - | - | - | yes |
#' | [layer_flatten()] | yes | yes | yes | - | yes |
#' | [layer_activation()] | yes | yes | yes | - | yes |
#'
#' Layers without a bias of their own have no parameters; the blocks of a residual or parallel layer may
#' have biases. Convolution and local layers take strides, dilations, `"valid"` and `"same"` padding (on
#' sequences also `"causal"`) and groups; recurrences are `"elman"`, `"diagonal"`, `"lstm"` or `"gru"`, read at
#' the last position or at all of them, and stack; pooling is `"average"` or `"max"`. A network with an activation,
#' a gated cell or max pooling is not linear: [capacity()] then asks for inputs.
#'
#' There is no attention, normalisation or dropout.
#'
#' @name layers
#' @seealso [input_sequence()] for inputs, [architectures] for networks that are ready,
#'   [summary()][summary.ca_network()] to look at one.
#' @examples
#' # A U-shaped network: down, up, and the way across
#' input_sequence(32) |>
#'   layer_conv(2, kernel = 3, padding = "same") |>
#'   layer_parallel(
#'     identity,
#'     \(x) x |> layer_conv(4, kernel = 2, stride = 2) |> layer_upsample(2),
#'     merge = "concat"
#'   ) |>
#'   layer_conv(1, kernel = 3, padding = "same")
NULL
