# Networks of layers that are composed of others or follow the conventions of other libraries.

composed_networks <- function() {
  tower <- \(x) x |> layer_conv(2, 2, bias = TRUE, activation = "tanh") |> layer_pool(2)
  networks <- list(
    affine = input_sequence(5, channels = 2) |> layer_affine() |> layer_conv(2, 2) |> layer_affine(bias = FALSE),
    affine_grid = input_grid(3, 2, channels = 2) |> layer_affine() |> layer_activation("tanh") |> layer_dense(1),
    prelu = input_sequence(5) |> layer_conv(2, 2, bias = TRUE) |> layer_prelu() |> layer_dense(2),
    crop = input_sequence(6, channels = 2) |> layer_crop(c(1, 2)) |> layer_conv(2, 2) |> layer_pad(c(0, 2)) |>
      layer_conv(1, 2),
    crop_grid = input_grid(4, 5) |> layer_crop(list(c(1, 0), c(0, 2))) |> layer_conv(2, 2) |>
      layer_pad(list(c(1, 0), c(2, 1))) |> layer_dense(1),
    padded = input_sequence(6) |> layer_conv(2, 3, padding = c(1, 3), stride = 2) |> layer_dense(1),
    padded_oldest = input_sequence(7) |> layer_conv(2, 3, padding = c(0, 1), stride = 3, align = "oldest", bias = TRUE),
    padded_wide = input_sequence(3) |> layer_conv(1, 2, padding = c(4, 3)) |> layer_dense(1),
    padded_grid = input_grid(4, 3) |>
      layer_conv(2, 2, stride = 2, padding = list(c(1, 0), c(0, 2)), align = "oldest") |>
      layer_dense(1),
    oldest_same = input_sequence(7) |> layer_conv(2, 4, stride = 2, padding = "same", align = "oldest") |>
      layer_dense(1),
    oldest_pool = input_sequence(8) |> layer_conv(1, 2) |> layer_pool(3, align = "oldest") |> layer_dense(1),
    oldest_max = input_sequence(8) |> layer_conv(1, 2) |> layer_pool(3, type = "max", align = "oldest") |>
      layer_dense(1),
    oldest_local = input_sequence(8) |> layer_local(2, 3, stride = 2, align = "oldest", activation = "silu"),
    transposed = input_sequence(4, channels = 2) |> layer_conv_transpose(2, 3, stride = 2, bias = TRUE) |>
      layer_dense(1),
    transposed_crop = input_sequence(4) |> layer_conv_transpose(2, 2, stride = 3, dilation = 2, crop = c(1, 2)),
    transposed_grid = input_grid(2, 3, channels = 2) |>
      layer_conv_transpose(2, c(2, 3), stride = c(2, 1), groups = 2, crop = list(c(0, 1), c(1, 0)), bias = TRUE,
        activation = "tanh"),
    backward = input_sequence(4, channels = 2) |> layer_recurrent(2, direction = "backward", bias = TRUE),
    backward_sequence = input_sequence(4) |> layer_recurrent(2, "lstm", direction = "backward", output = "sequence"),
    bidirectional = input_sequence(4) |> layer_bidirectional(2, cell = "gru", bias = TRUE, reset = "after") |>
      layer_dense(1),
    bidirectional_sequence = input_sequence(4) |>
      layer_bidirectional(2, "diagonal", output = "sequence", merge = "sum") |> layer_conv(1, 2),
    gru_after = input_sequence(4) |> layer_recurrent(2, "gru", reset = "after", bias = TRUE) |> layer_dense(1),
    gru_after_plain = input_sequence(3, channels = 2) |>
      layer_recurrent(2, "gru", reset = "after", output = "sequence", activation = "linear"),
    gated = input_sequence(5) |> layer_parallel(
      \(x) layer_conv(x, 2, 2, activation = "tanh"), \(x) layer_conv(x, 2, 2, activation = "sigmoid"), merge = "product"
    ) |> layer_dense(1),
    squeeze = input_sequence(4, channels = 3) |> layer_squeeze(2, "tanh") |> layer_dense(1),
    squeeze_grid = input_grid(2, 3, channels = 2) |> layer_conv(2, 1) |> layer_squeeze(1),
    siamese = input_sequence(8) |> layer_parallel(
      \(x) x |> layer_crop(c(0, 4)) |> layer_shared("tower", tower),
      \(x) x |> layer_crop(c(4, 0)) |> layer_shared("tower", tower), merge = "product"
    ) |> layer_dense(1),
    shared_deep = input_vector(3) |> layer_shared("map", \(x) layer_dense(x, 3, bias = TRUE, activation = "tanh")) |>
      layer_dense(3) |> layer_shared("map", \(x) layer_dense(x, 3, bias = TRUE, activation = "tanh")),
    shared_linear = input_sequence(6) |> layer_shared("f", \(x) layer_conv(x, 1, 2)) |>
      layer_shared("f", \(x) layer_conv(x, 1, 2)) |> layer_dense(1)
  )
  Map(with_test_coef, networks, seq_along(networks))
}

# A random stack of such layers on a sequence, which ends in a dense layer.
random_composed <- function(seed) {
  withr::with_seed(seed, {
    network <- input_sequence(sample(4:7, 1), channels = sample(2, 1))
    for (i in seq_len(sample(2:4, 1))) network <- random_piece(network)
    with_test_coef(layer_dense(network, sample(2, 1), bias = TRUE), seed)
  }, .rng_kind = "Mersenne-Twister", .rng_sample_kind = "Rejection")
}

random_piece <- function(network) {
  align <- sample(c("newest", "oldest"), 1)
  f <- sample(c("tanh", "mish", "softsign", "selu", "hard_swish", "identity"), 1)
  switch(sample(10, 1),
    layer_affine(network),
    layer_prelu(network),
    layer_conv(network, 2, 2, stride = 2, padding = sample(0:2, 2, TRUE), align = align, activation = f),
    layer_conv_transpose(network, 2, 2, stride = sample(2, 1), crop = c(1, 0), activation = f),
    layer_pad(network, sample(0:1, 2, TRUE)),
    layer_bidirectional(network, 1, cell = sample(c("elman", "diagonal", "gru"), 1), output = "sequence", bias = TRUE),
    layer_recurrent(network, 2, "gru", output = "sequence", reset = "after", bias = TRUE),
    layer_parallel(network, \(x) layer_conv(x, 2, 1, activation = "tanh"),
      \(x) layer_conv(x, 2, 1, activation = "sigmoid"), merge = "product"),
    layer_squeeze(network, 1, activation = "tanh"),
    layer_parallel(network, \(x) layer_shared(x, paste0("s", output_channels(network)), \(y) layer_conv(y, 1, 1,
      bias = TRUE)),
      \(x) layer_residual(x, \(y) layer_affine(y)) |> layer_crop(c(0, 0)) |>
        layer_conv(1, 1, activation = f), merge = "sum") |>
      layer_conv(output_channels(network), 1)
  )
}

output_channels <- function(network) {
  if (length(network$layers) == 0L) network$input$shape[[1L]] else utils::tail(network$layers, 1L)[[1L]]$out_shape[[1L]]
}
