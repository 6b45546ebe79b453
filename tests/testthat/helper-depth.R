# Returns a chain of L residual layers with scale s and one convolution each.
measure_residual_chain <- function(n, L, scale, taps = c(1, 1) / sqrt(2), dilation = 2, padding = "same") {
  net <- input_sequence(n)
  for (l in seq_len(L)) {
    block <- \(x) layer_conv(x, 1, length(taps), dilation = dilation, padding = padding)
    net <- layer_residual(net, block, scale = scale)
  }
  set_coef(net, rep(taps, L))
}

# Returns the network with every residual layer repeated m times at scale s / sqrt(m).
cut_layers <- function(net, m) {
  sizes <- vapply(net$layers, function(layer) layers_params(list(layer)), 0)
  theta <- split(net$coef, rep(seq_along(sizes), sizes))
  layers <- lapply(net$layers, function(layer) {
    layer$scale <- layer$scale / sqrt(m)
    layer
  })
  at <- rep(seq_along(layers), each = m)
  new_network(net$input, layers[at], unlist(theta[at], use.names = FALSE))
}

# Two chains with unequal layers, activations around convolutions, borders within reach, channels and groups.
uneven_chains <- function() {
  networks <- list(
    causal = input_sequence(9) |> layer_residual(\(x) layer_conv(x, 1, 3, padding = "causal"), 0.8) |>
      layer_residual(\(x) layer_conv(x, 1, 2, padding = "same") |> layer_activation("relu"), -1.3),
    channels = input_sequence(7, channels = 2) |>
      layer_residual(\(x) x |> layer_conv(2, 3, padding = "same") |> layer_activation("tanh"), 0.7) |>
      layer_residual(\(x) layer_activation(x, "sin", 2) |>
        layer_conv(2, 2, dilation = 2, padding = "same", groups = 2), 0.5)
  )
  Map(with_test_coef, networks, seq_along(networks))
}

# Returns the capacity that arrives at the positions of the input, with channels summed.
arrived <- function(net, from, ...) {
  flow <- propagate_capacity(net, from, ...)
  rows <- flow[flow$layer == levels(flow$layer)[[1]] & flow$part == "unit", ]
  c(tapply(rows$capacity, rows$position, sum, simplify = TRUE), use.names = FALSE)
}
