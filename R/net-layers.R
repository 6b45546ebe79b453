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
#' | [layer_affine()] | yes | yes | yes | yes | yes |
#' | [layer_crop()] | yes | yes | - | - | yes |
#' | [layer_pad()] | yes | yes | - | - | yes |
#' | [layer_conv_transpose()] | yes | yes | - | yes | yes |
#' | [layer_bidirectional()] | yes | - | - | - | yes |
#' | [layer_squeeze()] | yes | yes | - | yes | yes |
#' | [layer_shared()] | yes | yes | yes | - | yes |
#' | [layer_prelu()] | yes | yes | yes | - | yes |
#'
#' The blocks of a residual, parallel or shared layer may have biases, as may the recurrences of a bidirectional one.
#' Convolution and local layers take strides, dilations, `"valid"` and `"same"` padding (on
#' sequences also `"causal"`) and groups; recurrences are `"elman"`, `"diagonal"`, `"lstm"` or `"gru"`, read at
#' the last position or at all of them, and stack; pooling is `"average"` or `"max"`. A network with an activation,
#' a gated cell or max pooling is not linear: [capacity()] then asks for inputs.
#'
#' There is no attention, normalisation or dropout.
#'
#' @section Names in other libraries:
#'
#' | PyTorch | Keras | ONNX | here |
#' |---|---|---|---|
#' | `Linear` | `Dense` | `Gemm` | [layer_dense()] |
#' | `Conv1d` | `Conv1D` | `Conv` | [layer_conv()] with `align = "oldest"` |
#' | - | `LocallyConnected1D` | - | [layer_local()] with `align = "oldest"` |
#' | `ConvTranspose1d` | `Conv1DTranspose` | `ConvTranspose` | [layer_conv_transpose()] |
#' | `AvgPool1d` | `AveragePooling1D` | `AveragePool` | [layer_pool()] with `align = "oldest"` |
#' | `Upsample` | `UpSampling1D` | `Resize` | [layer_upsample()] |
#' | `RNN` | `SimpleRNN` | `RNN` | [layer_recurrent()] with `activation = "tanh"` |
#' | `LSTM` | `LSTM` | `LSTM` | `cell = "lstm"` |
#' | `GRU` | `GRU` | `GRU` | `cell = "gru"`, `reset = "after"` |
#' | `bidirectional` | `Bidirectional` | `direction` | [layer_bidirectional()] |
#' | `BatchNorm1d` | `BatchNormalization` | `BatchNormalization` | [layer_affine()], after training |
#' | `PReLU` | `PReLU` | `PRelu` | [layer_prelu()] |
#' | `ZeroPad1d` | `ZeroPadding1D` | `Pad` | [layer_pad()] |
#' | a slice | `Cropping1D` | `Slice` | [layer_crop()] |
#' | `SiLU`, `Mish` | `silu`, `mish` | `Sigmoid` and `Mul`, `Mish` | [layer_activation()] |
#' | `Flatten` | `Flatten` | `Flatten` | [layer_flatten()] |
#'
#' Layouts of weights, with F filters or units, C channels and k taps, first index first:
#'
#' * dense: F x C in PyTorch and here, C x F in Keras. Flattened inputs are channel-fastest here and in Keras,
#'   position-fastest in PyTorch and ONNX;
#' * convolution: F x C x k in PyTorch, ONNX and here, k x C x F in Keras;
#' * transposed convolution: C x F x k in PyTorch and ONNX, k x F x C in Keras, F x C x k here;
#' * grids: rows before columns everywhere, but positions are stored with the row fastest here;
#' * recurrences: gates stacked along the units in PyTorch and ONNX, along the last dimension in Keras (C x gates F),
#' the
#'   third dimension here (F x C x gate). Gates are i, f, g, o and r, z, n in PyTorch and here; i, f, c, o and z, r, h
#'   in
#'   Keras; i, o, f, c and z, r, h in ONNX;
#' * biases of recurrences: PyTorch and ONNX have two, which are summed here but for the GRU with `reset = "after"`.
#' Keras
#'   has two for that GRU only. ONNX calls it `linear_before_reset = 1`;
#' * batch normalisation: weight, bias, mean and variance, which [layer_affine()] takes as a scale and a shift;
#' * prelu: 1 or C slopes in PyTorch, one per entry unless shared in Keras, C here.
#'
#' `"hard_sigmoid"` is that of PyTorch and Keras 3, min(max(u + 3, 0), 6) / 6; Keras 2 and the default of ONNX have the
#' slope 0.2. The odd zero of `padding = "same"` is at the new end in Keras, as with `align = "oldest"`.
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
