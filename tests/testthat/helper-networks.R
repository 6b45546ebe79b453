# Networks for tests: some chosen by hand, any number drawn at random. All have coefficients of moderate size, biases
# included.

# Sets weights with the variance of Glorot's scheme, recurrences that neither explode nor vanish at once, and nonzero
# biases.
with_test_coef <- function(network, seed) {
  withr::with_seed(seed, {
    values <- lapply(walk_layers(network$layers), function(layer) {
      Map(test_weights, names(layer$params), layer$params, MoreArgs = list(layer = layer))
    })
    set_coef(network, as.double(unlist(values)))
  }, .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion", .rng_sample_kind = "Rejection")
}

test_weights <- function(array, dim, layer) {
  n <- prod(dim)
  if (array == "bias") return(rnorm(n))
  if (array != "recurrent") return(rnorm(n) / sqrt(max(1, n / dim[[1L]])))
  if (!layer$cell %in% c("elman", "diagonal")) return(rnorm(n) / sqrt(dim[[1L]]))
  if (layer$cell == "diagonal") return(runif(n, 0.4, 0.95) * sample(c(-1, 1), n, replace = TRUE))
  0.8 * rnorm(n) / sqrt(dim[[1L]])
}

# Returns all layers, depth first.
walk_layers <- function(layers) {
  do.call(c, lapply(layers, function(layer) {
    c(list(layer), do.call(c, lapply(layer$blocks, walk_layers)))
  }))
}

conv_same <- function(x, filters, kernel = 3, ...) {
  layer_conv(x, filters, kernel, padding = "same", ...)
}

# Each kind of layer alone and in combinations that may affect each other: bias, several outputs, nesting.
named_networks <- function() {
  networks <- list(
    dense = input_vector(5) |> layer_dense(2),
    dense_bias = input_vector(5) |> layer_dense(3, bias = TRUE),
    dense_deep = input_vector(6) |> layer_dense(2, bias = TRUE) |> layer_dense(3, bias = TRUE),
    dense_on_sequence = input_sequence(5, channels = 2) |> layer_dense(2) |> layer_dense(1),
    conv_whole = input_sequence(6) |> layer_conv(2, kernel = 6),
    conv_sequence = input_sequence(6) |> layer_conv(2, kernel = 3),
    conv_channels = input_sequence(6, channels = 2) |> layer_conv(3, kernel = 2, bias = TRUE) |>
      layer_dense(1),
    conv_strided = input_sequence(8) |> layer_conv(2, kernel = 2, stride = 3) |> layer_dense(2),
    conv_dilated = input_sequence(16) |> layer_conv(1, 2) |> layer_conv(1, 2, dilation = 2) |>
      layer_conv(1, 2, dilation = 4) |> layer_conv(1, 2, dilation = 8),
    conv_wide_dilated = input_sequence(8) |> layer_conv(2, 2) |> layer_conv(2, 2, dilation = 2) |>
      layer_conv(1, 2, dilation = 4, bias = TRUE),
    conv_same = input_sequence(7) |> conv_same(2) |> layer_dense(1),
    conv_same_even = input_sequence(7) |> conv_same(1, 4, stride = 2, dilation = 2) |>
      layer_dense(2),
    conv_same_loose = input_sequence(9) |> conv_same(2, 1, stride = 4) |> layer_dense(1),
    conv_causal = input_sequence(6) |> layer_conv(2, 3, dilation = 2, padding = "causal") |>
      layer_dense(1),
    conv_causal_strided = input_sequence(9) |> layer_conv(1, 2, stride = 4, padding = "causal") |>
      layer_dense(1, bias = TRUE),
    conv_grouped = input_sequence(6, channels = 4) |> layer_conv(4, 2, groups = 2, bias = TRUE) |>
      layer_dense(1),
    conv_depthwise = input_sequence(6, channels = 3) |> layer_conv(3, 3, groups = 3) |>
      layer_conv(2, 1) |> layer_last(),
    pool = input_sequence(9, channels = 2) |> layer_pool(2) |> layer_dense(2),
    pool_overlapping = input_sequence(8) |> layer_conv(2, 2) |> layer_pool(3, stride = 2) |>
      layer_dense(1, bias = TRUE),
    elman = input_sequence(8) |> layer_recurrent(2),
    elman_sequence = input_sequence(5, channels = 2) |>
      layer_recurrent(2, output = "sequence", bias = TRUE),
    diagonal = input_sequence(10) |> layer_recurrent(3, cell = "diagonal") |> layer_dense(1),
    diagonal_bias = input_sequence(8, channels = 2) |>
      layer_recurrent(2, cell = "diagonal", bias = TRUE) |> layer_dense(2),
    recurrent_stack = input_sequence(7) |> layer_recurrent(2, "diagonal", output = "sequence") |>
      layer_recurrent(2, "elman", bias = TRUE) |> layer_dense(1),
    residual = input_sequence(8) |> layer_residual(\(x) conv_same(x, 1), scale = 0.5) |>
      layer_dense(1),
    residual_deep = input_sequence(6, channels = 2) |>
      layer_residual(\(x) x |> conv_same(3, bias = TRUE) |> conv_same(2)) |>
      layer_residual(\(x) x |> layer_recurrent(2, output = "sequence"), scale = -0.3) |>
      layer_last() |> layer_dense(2),
    residual_dense = input_vector(5) |> layer_residual(\(x) layer_dense(x, 5, bias = TRUE)) |>
      layer_dense(1),
    parallel_sum = input_sequence(8) |>
      layer_parallel(\(x) layer_pool(x, 2), \(x) layer_conv(x, 1, 2, stride = 2)) |> layer_dense(2),
    parallel_concat = input_sequence(6) |>
      layer_parallel(identity, \(x) conv_same(x, 2), merge = "concat") |>
      layer_conv(1, 2, bias = TRUE) |> layer_dense(1),
    nested = input_sequence(8) |> layer_conv(2, 2) |>
      layer_parallel(
        \(x) layer_residual(x, \(y) layer_parallel(y, \(z) conv_same(z, 2), identity)),
        \(x) layer_recurrent(x, 1, output = "sequence", bias = TRUE),
        merge = "concat"
      ) |>
      layer_last() |> layer_dense(2),
    last = input_sequence(4, channels = 2) |> layer_conv(2, 2) |> layer_last(),
    flatten = input_sequence(4, channels = 2) |> layer_flatten() |> layer_dense(3) |> layer_dense(2)
  )
  networks <- c(networks, sequence_networks(), grid_networks())
  Map(with_test_coef, networks, seq_along(networks))
}

all_activations <- c("identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh",
  "erf", "sin", "abs")

# Activations that are defined everywhere, beside those above. Random networks do not draw them.
more_activations <- c("exp", "square", "selu", "softsign", "hard_sigmoid", "hard_swish", "mish", "relu6")

# Activations that are finite at all inputs.
whole_activations <- function() setdiff(activations()$activation, c("reciprocal", "rsqrt"))

# Nonlinear networks: every activation and cell, alone and in combinations.
curved_networks <- function() {
  shallow <- lapply(stats::setNames(nm = c(all_activations, more_activations)), function(f) {
    input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation(f) |> layer_dense(2, bias = TRUE)
  })
  shallow$identity <- NULL # linear
  networks <- c(shallow[setdiff(names(shallow), more_activations)], curved_sequences(), curved_grids(), list(
    leaky_steep = input_vector(3) |> layer_dense(4) |> layer_activation("leaky_relu", -0.7) |> layer_dense(1),
    elu_two = input_vector(3) |> layer_dense(4) |> layer_activation("elu", 2) |> layer_dense(1),
    sin_fast = input_vector(2) |> layer_dense(4) |> layer_activation("sin", 3) |> layer_dense(1),
    deep = input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(3) |>
      layer_activation("gelu") |> layer_dense(2, bias = TRUE) |> layer_activation("sigmoid"),
    relu_deep = input_vector(4) |> layer_dense(4) |> layer_activation("relu") |> layer_dense(3) |>
      layer_activation("abs") |> layer_dense(2),
    activation_first = input_vector(3) |> layer_activation("tanh") |> layer_dense(2, bias = TRUE) |>
      layer_activation("silu"),
    residual_vector = input_vector(3) |>
      layer_residual(\(x) x |> layer_dense(4, bias = TRUE) |> layer_activation("tanh") |>
        layer_dense(3), scale = 0.5) |>
      layer_dense(1)
  ), shallow[more_activations], list(
    positive = input_vector(2) |> layer_dense(3, bias = TRUE) |> layer_activation("exp") |>
      layer_activation("rsqrt") |> layer_activation("reciprocal") |> layer_dense(2)
  ))
  Map(with_test_coef, networks, seq_along(networks))
}

curved_sequences <- function() {
  list(
    conv_tanh = input_sequence(5, channels = 2) |> layer_conv(2, 2, bias = TRUE) |> layer_activation("tanh") |>
      conv_same(2) |> layer_activation("sin", 0.8) |> layer_dense(2),
    conv_grouped_softplus = input_sequence(6, channels = 2) |> layer_conv(2, 2, dilation = 2, groups = 2) |>
      layer_activation("softplus") |> layer_last(),
    local_erf = input_sequence(5) |> layer_local(2, 2, bias = TRUE) |> layer_activation("erf") |> layer_dense(1),
    strided_relu = input_sequence(7) |> layer_conv(2, 3, stride = 2, bias = TRUE) |> layer_activation("relu") |>
      layer_dense(2, bias = TRUE),
    causal_elu = input_sequence(5) |> layer_conv(2, 3, dilation = 2, padding = "causal") |> layer_activation("elu") |>
      layer_last() |> layer_dense(1, bias = TRUE),
    upsample_gelu = input_sequence(3) |> layer_conv(1, 2, bias = TRUE) |> layer_activation("gelu") |>
      layer_upsample(2) |>
      layer_conv(1, 2),
    max_pool = input_sequence(6, channels = 2) |> layer_conv(2, 2) |> layer_pool(2, type = "max") |> layer_dense(2),
    max_overlapping = input_sequence(7) |> layer_conv(2, 2, bias = TRUE) |> layer_activation("tanh") |>
      layer_pool(3, stride = 2, type = "max") |> layer_dense(1),
    max_first = input_sequence(6) |> layer_pool(2, stride = 1, type = "max") |> layer_dense(2, bias = TRUE),
    elman_tanh = input_sequence(4) |> layer_recurrent(2, activation = "tanh", bias = TRUE) |> layer_dense(1),
    elman_relu = input_sequence(4, channels = 2) |> layer_recurrent(2, activation = "relu", output = "sequence"),
    elman_leaky = input_sequence(3) |> layer_recurrent(2, activation = "leaky_relu", bias = TRUE),
    diagonal_tanh = input_sequence(5) |> layer_recurrent(3, "diagonal", activation = "tanh") |> layer_dense(2),
    diagonal_sigmoid = input_sequence(4, channels = 2) |>
      layer_recurrent(2, "diagonal", activation = "sigmoid", output = "sequence", bias = TRUE) |> layer_dense(1),
    lstm = input_sequence(4) |> layer_recurrent(2, "lstm", bias = TRUE) |> layer_dense(1),
    lstm_sequence = input_sequence(3, channels = 2) |> layer_recurrent(2, "lstm", output = "sequence"),
    lstm_linear = input_sequence(4) |> layer_recurrent(2, "lstm", activation = "linear", bias = TRUE) |> layer_dense(2),
    gru = input_sequence(4) |> layer_recurrent(2, "gru", bias = TRUE) |> layer_dense(1),
    gru_sequence = input_sequence(3, channels = 2) |> layer_recurrent(2, "gru", output = "sequence"),
    gru_linear = input_sequence(4) |> layer_recurrent(2, "gru", activation = "identity", bias = TRUE) |> layer_dense(2),
    gru_softplus = input_sequence(3) |> layer_recurrent(1, "gru", activation = "softplus"),
    one_step = input_sequence(1, channels = 2) |> layer_recurrent(2, "lstm", bias = TRUE),
    recurrent_stack_curved = input_sequence(4) |> layer_recurrent(2, "gru", output = "sequence", bias = TRUE) |>
      layer_recurrent(2, "lstm", output = "sequence") |> layer_recurrent(1, activation = "tanh"),
    residual_curved = input_sequence(5) |>
      layer_residual(\(x) x |> conv_same(2, bias = TRUE) |> layer_activation("tanh") |> conv_same(1), scale = -0.6) |>
      layer_residual(\(x) x |> layer_recurrent(1, "gru", output = "sequence")) |> layer_dense(1),
    parallel_curved = input_sequence(6) |>
      layer_parallel(
        \(x) x |> layer_pool(2, type = "max"),
        \(x) x |> layer_conv(2, 2, stride = 2, bias = TRUE) |> layer_activation("silu"),
        \(x) x |> layer_pool(2), merge = "concat"
      ) |>
      layer_dense(2, bias = TRUE),
    blind = input_sequence(6) |> layer_conv(1, 2, stride = 3) |> layer_activation("tanh") |> layer_last() |>
      layer_dense(1)
  )
}

curved_grids <- function() {
  list(
    grid_tanh = input_grid(3, 4) |> layer_conv(2, c(2, 3), bias = TRUE) |> layer_activation("tanh") |> layer_dense(1),
    grid_max = input_grid(4, 4) |> layer_conv(2, 2) |> layer_activation("relu") |>
      layer_pool(2, stride = 1, type = "max") |> layer_dense(2, bias = TRUE),
    grid_max_wide = input_grid(3, 5, channels = 2) |> layer_pool(c(2, 3), stride = c(1, 2), type = "max") |>
      layer_conv(1, c(2, 1), bias = TRUE) |> layer_activation("erf"),
    grid_local_sigmoid = input_grid(3, 3) |> layer_local(2, 2, stride = c(1, 2), padding = "same", bias = TRUE) |>
      layer_activation("sigmoid") |> layer_dense(1),
    grid_same_abs = input_grid(3, 3) |> conv_same(1, c(2, 3), stride = c(2, 1)) |> layer_activation("abs") |>
      layer_upsample(2, size = c(3, 5)) |> layer_dense(1),
    grid_residual_curved = input_grid(2, 3) |>
      layer_residual(\(x) x |> conv_same(1, 2) |> layer_activation("elu", 0.5)) |>
      layer_parallel(\(x) layer_activation(x, "sin"), \(x) conv_same(x, 1, 1)) |> layer_dense(2)
  )
}

# Returns random inputs, the same for the same seed.
test_inputs <- function(network, n, seed = 1) {
  withr::with_seed(seed, matrix(rnorm(n * prod(network$input$shape)), n),
    .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion")
}

# Halves the positions and restores them, `depth` times, with a skip around each level.
u_shape <- function(x, channels, depth, padding = "same") {
  short <- pmin(2, test_extent(x))
  if (depth == 0L) return(layer_conv(x, channels, short, padding = padding))
  down_and_up <- function(x) {
    inner <- x |> layer_conv(channels, short, stride = short, padding = padding) |>
      u_shape(channels, depth - 1L, padding)
    layer_upsample(inner, short, size = test_extent(x))
  }
  layer_parallel(x, identity, down_and_up, merge = "concat") |> layer_conv(channels, 1)
}

sequence_networks <- function() {
  list(
    local = input_sequence(6) |> layer_local(1, kernel = 2, stride = 2) |> layer_dense(1),
    local_free = input_sequence(5) |> layer_local(2, kernel = 1),
    local_same = input_sequence(7, channels = 2) |>
      layer_local(3, kernel = 3, stride = 2, padding = "same", bias = TRUE) |> layer_dense(1),
    local_grouped = input_sequence(5, channels = 4) |>
      layer_local(2, kernel = 2, dilation = 2, groups = 2, bias = TRUE) |> layer_dense(2),
    local_causal = input_sequence(6) |> layer_local(1, 3, dilation = 2, padding = "causal") |>
      layer_conv(1, 2) |> layer_last(),
    local_stack = input_sequence(8) |> layer_local(2, 2, stride = 2) |> layer_local(1, 2, stride = 2) |>
      layer_dense(1, bias = TRUE),
    upsample = input_sequence(3) |> layer_conv(2, 1) |> layer_upsample(3) |> layer_dense(1),
    upsample_short = input_sequence(7) |> layer_conv(1, 2, stride = 2, padding = "same") |>
      layer_upsample(2, size = 7) |> layer_conv(1, 3, bias = TRUE) |> layer_dense(1),
    upsample_once = input_sequence(4, channels = 2) |> layer_upsample(1) |> layer_conv(1, 2),
    u_shape = input_sequence(7) |> u_shape(2, 2) |> layer_dense(1),
    u_shape_sequence = input_sequence(6) |> u_shape(1, 1, padding = "causal"),
    recurrent_sequences = input_sequence(6) |>
      layer_recurrent(2, "elman", output = "sequence") |>
      layer_recurrent(2, "diagonal", output = "sequence", bias = TRUE) |>
      layer_recurrent(1, "elman", output = "sequence"),
    conv_recurrent = input_sequence(9) |> layer_conv(2, 3, stride = 2, bias = TRUE) |>
      layer_recurrent(2) |> layer_dense(1),
    local_recurrent = input_sequence(6) |> layer_local(2, 2, stride = 2) |>
      layer_recurrent(1, "diagonal", output = "sequence"),
    residual_sequence = input_sequence(5) |>
      layer_residual(\(x) x |> layer_local(1, 3, padding = "same", bias = TRUE)) |> conv_same(2)
  )
}

# Grids with unequal height and width, and kernels likewise.
grid_networks <- function() {
  list(
    grid_dense = input_grid(2, 3, channels = 2) |> layer_dense(2, bias = TRUE),
    grid_conv = input_grid(4, 3) |> layer_conv(1, kernel = c(2, 3)) |> layer_dense(1),
    grid_outputs = input_grid(3, 4) |> layer_conv(2, kernel = 2, bias = TRUE),
    grid_deep = input_grid(5, 4) |> layer_conv(2, 2) |> layer_conv(1, c(2, 1), bias = TRUE) |>
      layer_conv(1, 2) |> layer_dense(1),
    grid_strided = input_grid(6, 5) |> layer_conv(2, c(3, 2), stride = c(2, 3)) |> layer_dense(1),
    grid_dilated = input_grid(4, 8) |> layer_conv(1, 2) |> layer_conv(1, 2, dilation = c(1, 2)) |>
      layer_conv(1, 2, dilation = c(1, 4)),
    grid_same = input_grid(4, 3) |> conv_same(1, c(2, 3), stride = c(2, 1), dilation = c(1, 2)) |>
      layer_dense(2),
    grid_channels = input_grid(3, 3, channels = 2) |> conv_same(3, c(3, 2), bias = TRUE) |>
      layer_conv(1, c(1, 3)) |> layer_dense(1),
    grid_grouped = input_grid(3, 4, channels = 4) |> layer_conv(2, c(2, 3), groups = 2, bias = TRUE) |>
      layer_dense(1),
    grid_depthwise = input_grid(3, 3, channels = 2) |> conv_same(2, 2, groups = 2) |> layer_conv(2, 1),
    grid_row = input_grid(1, 6) |> layer_conv(2, c(1, 3), stride = c(1, 2)) |> layer_dense(1),
    grid_column = input_grid(6, 1) |> layer_conv(1, c(3, 1)) |> layer_conv(1, c(2, 1)),
    grid_pool = input_grid(5, 4, channels = 2) |> layer_pool(2) |> layer_dense(1),
    grid_pool_overlapping = input_grid(5, 6) |> layer_conv(1, 2) |> layer_pool(c(3, 2), stride = c(1, 2)) |>
      layer_dense(1, bias = TRUE),
    grid_local = input_grid(4, 4) |> layer_local(1, 2, stride = 2) |> layer_dense(1),
    grid_local_same = input_grid(3, 2, channels = 2) |>
      layer_local(2, c(3, 2), stride = c(2, 1), padding = "same", bias = TRUE) |> layer_dense(1),
    grid_local_grouped = input_grid(3, 4, channels = 2) |>
      layer_local(2, c(2, 2), stride = c(1, 2), groups = 2, bias = TRUE) |> layer_conv(1, c(2, 1)),
    grid_upsample = input_grid(2, 3) |> layer_conv(1, c(2, 1)) |> layer_upsample(c(3, 2), size = c(2, 5)) |>
      layer_dense(1),
    grid_upsample_conv = input_grid(2, 2) |> layer_upsample(2) |> layer_conv(2, c(3, 2), bias = TRUE) |>
      layer_dense(1),
    grid_residual = input_grid(3, 4) |> layer_residual(\(x) conv_same(x, 1), scale = 0.5) |>
      layer_residual(\(x) x |> conv_same(2, c(1, 3), bias = TRUE) |> conv_same(1, c(3, 1)), scale = -0.3) |>
      layer_dense(1),
    grid_parallel_sum = input_grid(4, 4) |>
      layer_parallel(\(x) layer_pool(x, 2), \(x) layer_conv(x, 1, 2, stride = 2)) |> layer_dense(2),
    grid_parallel_concat = input_grid(3, 4) |>
      layer_parallel(identity, \(x) conv_same(x, 2, c(1, 2)), merge = "concat") |>
      layer_conv(1, 2, bias = TRUE) |> layer_dense(1),
    grid_nested = input_grid(4, 4) |> layer_conv(2, 2) |>
      layer_parallel(
        \(x) layer_residual(x, \(y) layer_parallel(y, \(z) conv_same(z, 2, 2), identity)),
        \(x) layer_local(x, 1, 1, bias = TRUE),
        merge = "concat"
      ) |>
      layer_dense(1),
    grid_u_shape = input_grid(5, 4) |> u_shape(1, 2) |> layer_dense(1),
    grid_u_shape_grid = input_grid(3, 3) |> u_shape(2, 1),
    grid_flatten = input_grid(2, 3, channels = 2) |> conv_same(2, 2) |> layer_flatten() |> layer_dense(2)
  )
}

# Returns a random nested architecture over every kind of layer, the same for the same seed, with at most 120 parameters
# and 150 effective weights, so that the twin is fast. Every third is on a grid; of the others every second one uses all
# layers for sequences.
random_network <- function(seed) {
  draw <- if (seed %% 3 == 0) random_grid else if (seed %% 2 == 0) random_architecture else random_sequence
  network <- withr::with_seed(seed, {
    repeat {
      candidate <- draw()
      if (is_small_enough(candidate)) break
    }
    candidate
  }, .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion", .rng_sample_kind = "Rejection")
  with_test_coef(network, seed)
}

is_small_enough <- function(network) {
  p <- sum(unlist(lapply(walk_layers(network$layers), function(layer) lapply(layer$params, prod))))
  p >= 1 && p <= 120 && prod(network$input$shape) * prod(shape_of(network)) <= 150
}

shape_of <- function(network) {
  if (length(network$layers) == 0L) return(network$input$shape)
  network$layers[[length(network$layers)]]$out_shape
}

random_architecture <- function() {
  network <- input_sequence(pick(4:16), channels = pick(1:3, prob = c(3, 1, 1)))
  for (i in seq_len(pick(1:3))) network <- random_layer(network)
  if (runif(1) < 0.7) network <- random_head(network)
  network
}

# sample() without its special case for a single number.
pick <- function(x, prob = NULL) x[[sample.int(length(x), 1L, prob = prob)]]

random_flag <- function(probability = 0.3) runif(1) < probability

random_layer <- function(network, depth = 0) {
  deep <- if (depth < 2) 1 else 0
  kinds <- c(random_conv = 3, random_pool = 1, random_recurrent = 1.5,
    random_residual = 1.5 * deep, random_parallel = 1.5 * deep)
  get(pick(names(kinds), prob = kinds))(network, depth)
}

random_head <- function(network) {
  m <- pick(1:3)
  network <- switch(pick(c("dense", "last", "flatten", "deep")),
    dense = network,
    last = layer_last(network),
    flatten = layer_flatten(network),
    deep = layer_dense(network, pick(1:3), bias = random_flag())
  )
  if (random_flag() && inherits(rev(network$layers)[[1L]], "ca_layer_last")) return(network)
  layer_dense(network, m, bias = random_flag())
}

random_groups <- function(channels, filters) {
  both <- seq_len(channels)
  pick(both[channels %% both == 0 & filters %% both == 0])
}

random_conv <- function(network, depth, filters = pick(1:3)) {
  shape <- shape_of(network)
  padding <- pick(c("valid", "same", "causal"))
  kernel <- pick(seq_len(min(4, shape[[3L]])))
  widest <- if (kernel == 1) 3 else (shape[[3L]] - 1) %/% (kernel - 1)
  layer_conv(network, filters, kernel,
    stride = pick(seq_len(min(3, shape[[3L]]))),
    dilation = pick(seq_len(min(4, if (padding == "valid") widest else 4))),
    padding = padding, groups = random_groups(shape[[1L]], filters), bias = random_flag()
  )
}

random_pool <- function(network, depth) {
  n <- shape_of(network)[[3L]]
  layer_pool(network, pick(seq_len(min(3, n))), stride = pick(seq_len(min(3, n))))
}

random_recurrent <- function(network, depth, units = pick(1:3),
                             output = pick(c("last", "sequence"))) {
  layer_recurrent(network, units, cell = pick(c("elman", "diagonal")), output = output,
    bias = random_flag())
}

# Adds layers that keep the positions and return `channels` channels, for use in blocks.
random_keeping <- function(network, depth, channels = shape_of(network)[[1L]]) {
  if (channels == shape_of(network)[[1L]] && depth < 2 && random_flag()) {
    return(random_residual(network, depth))
  }
  if (random_flag()) return(random_recurrent(network, depth, channels, "sequence"))
  shape <- shape_of(network)
  layer_conv(network, channels, pick(seq_len(min(3, shape[[3L]]))),
    dilation = pick(1:3), padding = pick(c("same", "causal")),
    groups = random_groups(shape[[1L]], channels), bias = random_flag())
}

random_residual <- function(network, depth) {
  channels <- shape_of(network)[[1L]]
  layer_residual(network, function(x) {
    if (random_flag(0.4)) x <- random_keeping(x, depth + 1, pick(1:3))
    random_keeping(x, depth + 1, channels)
  }, scale = pick(c(1, 0.5, -0.7)))
}

random_parallel <- function(network, depth) {
  merge <- pick(c("sum", "concat"))
  if (random_flag(0.4)) return(random_shrinking(network, merge))
  channels <- pick(1:3)
  shortcut <- if (merge == "concat" || channels == shape_of(network)[[1L]]) identity else {
    function(x) layer_conv(x, channels, 1)
  }
  layer_parallel(network,
    function(x) random_keeping(x, depth + 1, channels),
    if (random_flag()) shortcut else function(x) random_keeping(x, depth + 1, channels),
    merge = merge
  )
}

# Adds blocks that shorten the sequence by the same length.
random_shrinking <- function(network, merge) {
  shape <- shape_of(network)
  size <- pick(seq_len(min(3, shape[[3L]])))
  stride <- pick(seq_len(min(3, shape[[3L]])))
  layer_parallel(network,
    function(x) layer_pool(x, size, stride),
    function(x) layer_conv(x, shape[[1L]], size, stride = stride, bias = random_flag()),
    merge = merge
  )
}

# Random sequences with local layers and upsampling.
random_sequence <- function() {
  network <- input_sequence(pick(4:14), channels = pick(1:3, prob = c(3, 1, 1)))
  for (i in seq_len(pick(1:3))) network <- random_wide_layer(network, random_layer)
  if (random_flag(0.7)) network <- random_head(network)
  network
}

random_grid <- function() {
  network <- input_grid(pick(1:6), pick(2:6), channels = pick(1:3, prob = c(4, 1, 1)))
  for (i in seq_len(pick(1:3))) network <- random_wide_layer(network, random_grid_layer)
  if (random_flag(0.7)) network <- layer_dense(network, pick(1:2), bias = random_flag())
  network
}

# Adds a layer that sequences and grids have in common, or one by `others`.
random_wide_layer <- function(network, others) {
  switch(pick(c("local", "upsample", "others"), prob = c(1, 1, 2)),
    local = random_slide(network, layer_local, pick(1:2)),
    upsample = random_upsample(network),
    others = others(network)
  )
}

random_grid_layer <- function(network) {
  switch(pick(c("conv", "pool", "residual", "parallel", "shrinking"), prob = c(3, 1, 1.5, 1.5, 1)),
    conv = random_slide(network, layer_conv, pick(1:3)),
    pool = layer_pool(network, random_extent(network, 3), stride = random_extent(network, 3)),
    residual = random_grid_residual(network),
    parallel = random_grid_parallel(network),
    shrinking = random_grid_shrinking(network)
  )
}

# Returns the rows and columns, or the positions, of a network's output.
test_extent <- function(network) {
  shape <- shape_of(network)
  if (network$input$kind == "grid") shape[2:3] else shape[[3L]]
}

# Returns random sizes from one to `most` along each dimension, at most its extent.
random_extent <- function(network, most) {
  vapply(test_extent(network), function(n) pick(seq_len(min(most, n))), 0L)
}

random_slide <- function(network, layer, filters, padding = pick(c("valid", "same")),
                         stride = random_extent(network, 3)) {
  kernel <- random_extent(network, 3)
  widest <- if (padding == "same") 3 else ifelse(kernel == 1, 3, (test_extent(network) - 1) %/% (kernel - 1))
  dilation <- vapply(rep_len(pmin(3, widest), length(kernel)), function(most) pick(seq_len(most)), 0L)
  layer(network, filters, kernel, stride = stride, dilation = dilation, padding = padding,
    groups = random_groups(shape_of(network)[[1L]], filters), bias = random_flag())
}

random_upsample <- function(network) {
  factor <- vapply(test_extent(network), function(n) pick(if (n > 4) 1:2 else 1:3), 0L)
  whole <- test_extent(network) * factor
  size <- if (random_flag(0.5)) pmax(1, whole - vapply(factor, function(f) pick(seq_len(f)) - 1, 0))
  layer_upsample(network, factor, size)
}

# Adds a layer that keeps the rows and columns.
random_grid_keeping <- function(network, channels) {
  layer <- if (random_flag()) layer_local else layer_conv
  random_slide(network, layer, channels, padding = "same", stride = 1)
}

random_grid_residual <- function(network) {
  channels <- shape_of(network)[[1L]]
  layer_residual(network, function(x) {
    if (random_flag(0.4)) x <- random_grid_keeping(x, pick(1:3))
    if (random_flag(0.2)) x <- layer_residual(x, function(y) random_grid_keeping(y, shape_of(y)[[1L]]))
    random_grid_keeping(x, channels)
  }, scale = pick(c(1, 0.5, -0.7)))
}

random_grid_parallel <- function(network) {
  channels <- pick(1:2)
  layer_parallel(network,
    function(x) random_grid_keeping(x, channels),
    function(x) random_grid_keeping(x, channels),
    merge = pick(c("sum", "concat"))
  )
}

random_grid_shrinking <- function(network) {
  channels <- shape_of(network)[[1L]]
  size <- random_extent(network, 3)
  stride <- random_extent(network, 3)
  layer_parallel(network,
    function(x) layer_pool(x, size, stride),
    function(x) layer_conv(x, channels, size, stride = stride, bias = random_flag()),
    merge = pick(c("sum", "concat"))
  )
}

# Returns a random nonlinear network: activations after some layers and in recurrences, max instead of average in some
# pools.
random_curved_network <- function(seed) {
  network <- random_network(seed)
  layers <- withr::with_seed(seed, curve_layers(network$layers),
    .rng_kind = "Mersenne-Twister", .rng_sample_kind = "Rejection")
  with_test_coef(new_network(network$input, layers), seed)
}

curve_layers <- function(layers) {
  do.call(c, lapply(layers, function(layer) {
    if (!is.null(layer$blocks)) layer$blocks <- lapply(layer$blocks, curve_layers)
    if (layer$kind == "recurrent") layer$activation <- pick(c("linear", all_activations))
    if (layer$kind == "pool") layer$type <- pick(c("average", "max"))
    if (random_flag(0.5)) list(layer) else list(layer, activation_after(layer))
  }))
}

activation_after <- function(layer) {
  shape <- layer$out_shape
  start <- new_network(new_input(layer$out_kind, shape[[1L]], shape[[2L]], shape[[3L]]))
  layer_activation(start, pick(all_activations))$layers[[1L]]
}

# One network with layers inside blocks.
nested_network <- function() {
  input_sequence(8, channels = 2) |>
    layer_conv(2, kernel = 3, bias = TRUE) |>
    layer_parallel(
      \(x) layer_residual(x, \(y) layer_conv(y, 2, 1)),
      \(x) layer_recurrent(x, 1, "diagonal", output = "sequence", bias = TRUE),
      merge = "concat"
    ) |>
    layer_recurrent(2) |>
    layer_dense(1)
}
