# Twins of capacity through layers: trees of layers walked backwards with dense matrices.

# Returns the affine map of one layer without blocks: outputs x (inputs, the constant last).
twin_matrix <- function(layer, theta) {
  net <- new_network(new_input(layer$in_kind, layer$in_shape[[1L]], layer$in_shape[[2L]], layer$in_shape[[3L]]),
    list(layer), theta)
  A <- twin_weights(net)
  if (ncol(A) == prod(layer$in_shape)) cbind(A, 0) else A
}

# Returns the layers with the slices of theta that they and their blocks use.
twin_slices <- function(layers, theta) {
  at <- 0
  lapply(layers, function(layer) {
    n <- layers_params(list(layer))
    own <- theta[at + seq_len(n)]
    at <<- at + n
    if (is.null(layer$blocks)) return(list(layer = layer, theta = own))
    begin <- network_own_params(layer)
    blocks <- lapply(layer$blocks, function(block) {
      p <- layers_params(block)
      begin <<- begin + p
      twin_slices(block, own[begin - p + seq_len(p)])
    })
    list(layer = layer, theta = own, blocks = blocks)
  })
}

# Returns E phi'(z)^2 of a standard normal z, by integrate().
twin_q <- function(layer) {
  step <- 1e-6
  slope <- function(u) {
    a <- layer$parameter
    (twin_activate(layer$activation, u + step, a) - twin_activate(layer$activation, u - step, a)) / (2 * step)
  }
  f <- function(u) slope(u)^2 * dnorm(u)
  sum(vapply(1:6, function(i) integrate(f, -12 + 4 * (i - 1), -8 + 4 * (i - 1), rel.tol = 1e-9)$value, 0))
}

# Returns the weights of an elman or diagonal cell: A, B, b.
twin_cell <- function(layer, theta) {
  u <- layer$params$input[[1L]]
  n_B <- prod(layer$params$input)
  n_A <- prod(layer$params$recurrent)
  A <- theta[n_B + seq_len(n_A)]
  list(
    B = matrix(theta[seq_len(n_B)], u), A = if (layer$cell == "diagonal") diag(A, u) else matrix(A, u),
    b = if (is.null(layer$params$bias)) numeric(u) else theta[n_B + n_A + seq_len(u)],
    q = if (is_activation_identity(layer$activation)) 1 else twin_q(list(activation = layer$activation, parameter = 1))
  )
}

# Returns the squared gains G after a chain of layers from those of its input.
twin_gain <- function(slices, G) {
  for (slice in slices) {
    layer <- slice$layer
    G <- switch(layer$kind,
      activation = twin_q(layer) * G,
      residual = G + layer$scale^2 * twin_gain(slice$blocks[[1L]], G),
      parallel = twin_merge(layer, lapply(slice$blocks, twin_gain, G)),
      recurrent = twin_cell_gain(layer, slice$theta, G),
      {
        A2 <- twin_matrix(layer, slice$theta)^2
        c(A2 %*% c(G, 1))
      }
    )
  }
  G
}

twin_merge <- function(layer, values) {
  if (layer$merge == "sum") return(Reduce(`+`, values))
  positions <- prod(layer$out_shape[2:3])
  c(do.call(rbind, lapply(values, matrix, ncol = positions)))
}

# Returns the parts of a concatenation, one for each block.
twin_split <- function(layer, value) {
  value <- matrix(value, ncol = prod(layer$out_shape[2:3]))
  channels <- vapply(layer$blocks, function(block) {
    if (length(block) == 0L) layer$in_shape[[1L]] else block[[length(block)]]$out_shape[[1L]]
  }, 0L)
  end <- cumsum(channels)
  Map(function(from, to) c(value[from:to, ]), end - channels + 1L, end)
}

twin_cell_gain <- function(layer, theta, G) {
  cell <- twin_cell(layer, theta)
  G <- matrix(G, ncol = layer$in_shape[[3L]])
  h <- numeric(nrow(cell$B))
  all <- NULL
  for (t in seq_len(ncol(G))) {
    h <- cell$q * c(cell$A^2 %*% h + cell$B^2 %*% G[, t] + cell$b^2)
    all <- cbind(all, h)
  }
  c(if (layer$output == "last") h else all)
}

# Returns list(unit, constant, lost) at the input of a chain of layers from that at its output; with `levels` a list of
# these for the input of every layer and the output.
twin_flow <- function(slices, state, levels = FALSE) {
  found <- list(state)
  for (slice in rev(slices)) {
    state <- twin_flow_layer(slice, state)
    found <- c(list(state), found)
  }
  if (levels) found else state
}

twin_flow_layer <- function(slice, state) {
  layer <- slice$layer
  switch(layer$kind,
    activation = {
      dead <- twin_q(layer) == 0
      list(unit = state$unit * !dead, constant = state$constant, lost = state$lost + dead * sum(state$unit))
    },
    residual = {
      gain <- cbind(1, layer$scale^2 * twin_gain(slice$blocks[[1L]], rep(1, length(state$unit))))
      twin_flow_branches(list(list(), slice$blocks[[1L]]), gain, state)
    },
    parallel = if (layer$merge == "sum") {
      gain <- do.call(cbind, lapply(slice$blocks, twin_gain, rep(1, prod(layer$in_shape))))
      twin_flow_branches(slice$blocks, gain, state)
    } else {
      parts <- twin_split(layer, state$unit)
      twin_flow_parts(slice$blocks, parts, state)
    },
    recurrent = twin_flow_cell(layer, slice$theta, state),
    twin_flow_matrix(twin_matrix(layer, slice$theta), state)
  )
}

twin_flow_matrix <- function(A, state) {
  norm <- rowSums(A^2)
  T <- A^2 / ifelse(norm > 0, norm, 1)
  kappa <- c(state$unit %*% T)
  list(
    unit = kappa[-ncol(A)], constant = state$constant + kappa[[ncol(A)]],
    lost = state$lost + sum(state$unit[norm == 0])
  )
}

# gain: units x branches.
twin_flow_branches <- function(blocks, gain, state) {
  total <- rowSums(gain)
  parts <- lapply(seq_along(blocks), function(b) ifelse(total > 0, state$unit * gain[, b] / total, 0))
  state$lost <- state$lost + sum(state$unit[total == 0])
  twin_flow_parts(blocks, parts, state)
}

twin_flow_parts <- function(blocks, parts, state) {
  unit <- 0
  for (b in seq_along(blocks)) {
    state$unit <- parts[[b]]
    state <- twin_flow(blocks[[b]], state)
    unit <- unit + state$unit
  }
  state$unit <- unit
  state
}

# The capacity of h_t is divided among h_(t-1), x_t and the constant by the row [A B b]; there is no h_0.
twin_flow_cell <- function(layer, theta, state) {
  cell <- twin_cell(layer, theta)
  n <- layer$in_shape[[3L]]
  h <- matrix(0, nrow(cell$B), n)
  h[, if (layer$output == "last") n else seq_len(n)] <- state$unit
  x <- matrix(0, ncol(cell$B), n)
  for (t in rev(seq_len(n))) {
    row <- cbind(if (t > 1) cell$A, cell$B, cell$b)
    next_state <- twin_flow_matrix(row, list(unit = h[, t], constant = state$constant, lost = state$lost))
    state[c("constant", "lost")] <- next_state[c("constant", "lost")]
    if (t > 1) h[, t - 1] <- h[, t - 1] + next_state$unit[seq_len(nrow(h))]
    x[, t] <- next_state$unit[length(next_state$unit) - nrow(x) + seq_len(nrow(x))]
  }
  state$unit <- c(x)
  state
}

# Returns the total capacity at each level of a flow.
level_sums <- function(flow) c(tapply(flow$capacity, flow$layer, sum))

units_at <- function(flow, layer) flow$capacity[flow$layer == layer & flow$part == "unit"]

# Networks with activations and sums of all kinds, which the other helpers do not have.
curved_flows <- function() {
  networks <- list(
    plain = input_vector(5) |> layer_dense(4, bias = TRUE) |> layer_activation("relu") |> layer_dense(3) |>
      layer_activation("tanh") |> layer_dense(2),
    residual = input_sequence(9, channels = 2) |>
      layer_residual(\(x) x |> layer_conv(2, 3, padding = "same") |> layer_activation("relu"), scale = 0.7) |>
      layer_residual(\(x) x |> layer_conv(3, 2, padding = "causal", bias = TRUE) |> layer_activation("erf") |>
        layer_conv(2, 1), scale = -2) |>
      layer_last(),
    parallel = input_grid(5, 4) |>
      layer_parallel(\(x) x |> layer_conv(2, 3, padding = "same") |> layer_activation("abs"),
        \(x) x |> layer_local(2, c(1, 3), padding = "same", bias = TRUE), \(x) x |> layer_conv(2, 1)) |>
      layer_parallel(identity, \(x) layer_activation(x, "sin", 3), merge = "concat") |> layer_pool(2) |>
      layer_upsample(2) |> layer_conv(1, 2, stride = 2),
    nested = input_sequence(8) |> layer_conv(2, 2, padding = "causal") |>
      layer_residual(\(x) x |> layer_parallel(
        \(y) layer_residual(y, \(z) z |> layer_conv(2, 2, padding = "same", groups = 2) |> layer_activation("gelu")),
        \(y) layer_recurrent(y, 2, "diagonal", activation = "softplus", output = "sequence", bias = TRUE)
      ), scale = 0.3) |> layer_dense(1),
    elman = input_sequence(7, channels = 2) |>
      layer_recurrent(3, activation = "tanh", output = "sequence", bias = TRUE) |>
      layer_recurrent(2, activation = "relu") |> layer_dense(2)
  )
  Map(with_test_coef, networks, seq_along(networks))
}

# ---- integrals over the normal density ---------------------------------------------------------

# Returns ends of panels from -12 to 12, dense around the centres on the scale of the widths.
panel_ends <- function(centres, widths) {
  steps <- outer(widths, 4^(-1:8))
  ends <- c(seq(-12, 12, by = 2), unlist(lapply(centres, \(centre) c(centre, centre - steps, centre + steps))))
  sort(unique(pmin(pmax(ends, -12), 12)))
}

# Returns E h(z) of a standard normal z. integrate() has a tolerance of 1e-12 on each panel;
# where only rounding error is attainable it stops with a message, which is accepted.
expect_over <- function(h, ends) {
  part <- function(from, to) {
    integrate(\(z) h(z) * dnorm(z), from, to, rel.tol = 1e-12, abs.tol = 0, stop.on.error = FALSE)$value
  }
  sum(mapply(part, ends[-length(ends)], ends[-1]))
}
