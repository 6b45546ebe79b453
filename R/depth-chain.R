# Stacks of convolutions on a sequence as Markov chains of capacity in mode total: one layer, chains refined into more
# layers of smaller scale and their limit, and the moments of the steps. Capacities are matrices (channels x positions).
#

# A move is one convolution with the activations around it:
#   offsets  tap k of output position u reads input position u + offsets[k]
#   W2       for each tap the squared weights (filters x channels)
#   before   mean squared gates q of the activations at its input (channels x input positions), 1 without one
#   after    the same at its output (filters x output positions)
#   scale2   squared scale of its residual layer, NULL in a plain stack
#   norm     sums of the squared weights of the taps inside the input (filters x output positions), which
#            chain_read_move() sets
new_chain_move <- function(offsets, W2, before, after, scale2, norm = NULL) {
  list(offsets = offsets, W2 = W2, before = before, after = after, scale2 = scale2, norm = norm)
}

# A chain: `kind`, "residual" or "plain"; `moves` from the input to the output, where equal consecutive layers are one
# move; `counts`, the number of layers of each move; and `padded`, whether all layers keep the length of the sequence,
# so that capacity can reach its ends.
new_chain <- function(kind, moves, counts, padded) list(kind = kind, moves = moves, counts = counts, padded = padded)

# The chain of a network, from the record of a flow through it.
depth_chain <- function(flow) {
  q <- chain_layer_gates(flow)
  rows <- network_rows(flow$network)
  inside <- Reduce(function(own, row) if (row$depth == 0L) own + 1L else own, rows, 0L, accumulate = TRUE)[-1L]
  own <- split(seq_along(rows), inside)
  residual <- flow$network$layers[[1L]]$kind == "residual"
  theta <- flow$network$coef
  moves <- if (residual) {
    lapply(own, function(at) chain_read_moves(rows[at[-1L]], q[at[-1L]], theta, rows[[at[[1L]]]]$layer$scale^2)[[1L]])
  } else {
    chain_read_moves(rows, q, theta)
  }
  grouped <- chain_group_moves(unname(moves))
  new_chain(kind = if (residual) "residual" else "plain", moves = grouped$moves, counts = grouped$counts,
    padded = residual || all(vapply(moves, function(move) ncol(move$after) == ncol(move$before), NA)))
}

# For each layer, the mean squared gates q of an activation (channels x positions), or NULL for any other layer.
chain_layer_gates <- function(flow) {
  lowered <- lower_with_rows(flow$network)
  square <- joint_gate_squares(flow)
  phi <- which(operations_are(lowered$graph$ops, "activation"))
  q <- vector("list", length(network_rows(flow$network)))
  at <- 0
  for (node in phi) {
    shape <- lowered$graph$ops[[node]]$shape
    q[[lowered$row[[node]]]] <- matrix(square[at + seq_len(prod(shape))], shape[[1L]])
    at <- at + prod(shape)
  }
  q
}

# One move for each convolution. Activations belong to the convolution before them; those before the first convolution
# belong to it.
chain_read_moves <- function(rows, q, theta, scale2 = NULL) {
  convs <- which(vapply(rows, function(row) row$layer$kind == "conv", NA))
  lapply(seq_along(convs), function(i) {
    until <- if (i < length(convs)) convs[[i + 1L]] - 1L else length(rows)
    first <- if (i == 1L) q[seq_len(convs[[1L]] - 1L)]
    chain_read_move(rows[[convs[[i]]]], chain_gate_product(first), chain_gate_product(q[convs[[i]]:until]), theta,
      scale2)
  })
}

# Product of the mean squared gates of consecutive activations, 1 without any.
chain_gate_product <- function(q) Reduce(`*`, Filter(Negate(is.null), q), 1)

chain_read_move <- function(row, before, after, theta, scale2) {
  layer <- row$layer
  n_in <- layer$in_shape[[3L]]
  n_out <- layer$out_shape[[3L]]
  W2 <- chain_tap_squares(layer, theta[row$first:row$last])
  pad <- layer$window[[8L]]
  move <- new_chain_move((seq_along(W2) - 1L) * layer$dilation - pad, W2, matrix(before, layer$in_shape[[1L]], n_in),
    matrix(after, layer$out_shape[[1L]], n_out), scale2)
  move$norm <- chain_gather_taps(move, 1 + 0 * move$before)
  move
}

# For each tap the squared weights (filters x channels), zero between channels of different groups.
chain_tap_squares <- function(layer, kernel) {
  dim <- layer$params$kernel
  what <- "the squared weights of a layer"
  largest <- max(abs(kernel))
  if (largest > 0 && largest < 1e-150) abort_range_underflow(what, "The weights are too small.", NULL)
  kernel <- array(check_range_overflow(kernel^2, what, NULL), dim)
  channels <- layer$in_shape[[1L]]
  group <- function(n) (seq_len(n) - 1L) %/% (n / layer$groups)
  same <- outer(group(dim[[1L]]), group(channels), `==`)
  lapply(seq_len(dim[[3L]]), function(k) {
    W2 <- matrix(kernel[, , k], dim[[1L]])
    W2[, rep_len(seq_len(dim[[2L]]), channels), drop = FALSE] * same
  })
}

# Output positions at which tap k reads inside the input.
chain_met_positions <- function(move, k) {
  u <- seq_len(ncol(move$after)) + move$offsets[[k]]
  which(u >= 1 & u <= ncol(move$before))
}

# Squared gains of the outputs (filters x output positions) from squared gains G of the inputs: sum over k of W2_k G at
# the positions that tap k reads.
chain_gather_taps <- function(move, G) {
  out <- matrix(0, nrow(move$after), ncol(move$after))
  for (k in seq_along(move$offsets)) {
    u <- chain_met_positions(move, k)
    out[, u] <- out[, u] + move$W2[[k]] %*% G[, u + move$offsets[[k]], drop = FALSE]
  }
  out
}

# Carries capacity v of the outputs to the inputs by A_ij^2 / |A_i|^2. Capacity that arrives at a gate that is always 0
# is lost.
chain_carry_taps <- function(move, v) {
  v <- v * ifelse(move$norm > 0 & move$after > 0, 1 / move$norm, 0)
  out <- matrix(0, nrow(move$before), ncol(move$before))
  for (k in seq_along(move$offsets)) {
    u <- chain_met_positions(move, k)
    at <- u + move$offsets[[k]]
    out[, at] <- out[, at] + crossprod(move$W2[[k]], v[, u, drop = FALSE])
  }
  out * (move$before > 0)
}

# For each output of a residual layer, the ratio of capacity that goes through the block to capacity that stays on the
# skip: s^2 q_i sum_j A_ij^2 q_j.
chain_move_rate <- function(move) move$scale2 * move$after * chain_gather_taps(move, move$before)

chain_group_moves <- function(moves) {
  same <- vapply(seq_along(moves)[-1L], function(i) identical(moves[[i]], moves[[i - 1L]]), NA)
  runs <- cumsum(c(TRUE, !same))
  list(moves = moves[!duplicated(runs)], counts = tabulate(runs))
}

# ---- finite chains and their limit -----------------------------------------------------------------

# Carries capacity v from the outputs to the inputs through all layers, each replaced by `times` layers of
# scale / sqrt(times).
chain_finite <- function(chain, v, times = 1) {
  for (g in rev(seq_along(chain$moves))) {
    move <- chain$moves[[g]]
    if (chain$kind == "residual") {
      rate <- chain_move_rate(move) / times
      stay <- 1 / (1 + rate)
      go <- rate / (1 + rate)
    }
    for (i in seq_len(chain$counts[[g]] * times)) {
      v <- if (chain$kind == "plain") chain_carry_taps(move, v) else stay * v + chain_carry_taps(move, go * v)
    }
  }
  v
}

# The result of chain_limit(): capacity `v` of the inputs, and `error`, a bound on the capacity truncated.
new_chain_limit <- function(v, error) list(v = v, error = error)

# Limit of chain_finite() for `times` to infinity: exp(Q) with Q = R (M - I), R the diagonal matrix of rates, for each
# group of equal layers. It is computed by uniformisation: with r the largest rate, exp(Q) = sum_k Pois(r)(k)
# (I + Q / r)^k, whose terms have one sign, truncated where the remaining probability is below `tol`.
chain_limit <- function(chain, v, tol) {
  error <- 0
  for (g in rev(seq_along(chain$moves))) {
    move <- chain$moves[[g]]
    rate <- chain_move_rate(move) * chain$counts[[g]]
    r <- max(rate)
    if (r == 0) next
    last <- stats::qpois(tol, r, lower.tail = FALSE)
    weight <- stats::dpois(0:last, r)
    out <- weight[[1L]] * v
    for (k in seq_len(last)) {
      v <- v - v * rate / r + chain_carry_taps(move, v * rate / r)
      out <- out + weight[[k + 1L]] * v
    }
    v <- out
    error <- error + stats::ppois(last, r, lower.tail = FALSE)
  }
  new_chain_limit(v, error)
}

# Number of operations of all finite chains and of the limit.
chain_cost <- function(chain, times, tol) {
  residual <- chain$kind == "residual"
  sum(mapply(function(move, count) {
    step <- 2 * length(move$W2) * length(move$W2[[1L]]) * ncol(move$after)
    powers <- if (residual) stats::qpois(tol, max(chain_move_rate(move)) * count, lower.tail = FALSE) else 0
    step * (count * sum(times) + powers)
  }, chain$moves, chain$counts))
}

# ---- moments of the steps --------------------------------------------------------------------------

# Moments of the displacement of capacity: `steps`, the expected number of steps (layers of a plain stack); `drift` and
# `second`, mean and second moment of one step; `mean` and `variance` of the whole displacement.
new_chain_moments <- function(steps, drift, second, mean, variance) {
  list(steps = steps, drift = drift, second = second, mean = mean, variance = variance)
}

# Moments far from the borders, from capacities p of the output's channels. The columns of `state` are sums over paths,
# weighted by capacity: of 1, of the number of steps, of the displacement, of the squared displacement of each step, and
# of the square of the whole displacement.
chain_moments <- function(chain, p) {
  state <- cbind(p, 0, 0, 0, 0) # channels x 5
  for (g in rev(seq_along(chain$moves))) {
    move <- chain$moves[[g]]
    R <- chain_step_matrices(move, chain$kind == "residual")
    state <- if (chain$kind == "residual") {
      chain_limit_moments(R, state, chain$counts[[g]])
    } else {
      for (i in seq_len(chain$counts[[g]])) state <- chain_add_step(R, state)
      state
    }
  }
  sums <- colSums(state)
  steps <- sums[[2L]] / sums[[1L]]
  mean <- sums[[3L]] / sums[[1L]]
  new_chain_moments(
    steps = steps, drift = mean / steps, second = sums[[4L]] / sums[[2L]], mean = mean,
    variance = sums[[5L]] / sums[[1L]] - mean^2
  )
}

# Rates of one step: `R0`, `R1` and `R2` (filters x channels), sums over taps of the rates times 1, d and d^2 with d the
# displacement of the tap; and `rate`, the rate of each filter, 1 in a plain stack.
new_chain_step_rates <- function(R0, R1, R2, rate) list(R0 = R0, R1 = R1, R2 = R2, rate = rate)

chain_step_matrices <- function(move, residual) {
  W2 <- Reduce(`+`, move$W2)
  norm <- rowSums(W2)
  rate <- if (residual) move$scale2 * rowMeans(move$after) * c(W2 %*% rowMeans(move$before)) else rep(1, nrow(W2))
  by <- ifelse(norm > 0, rate / norm, 0)
  sums <- lapply(0:2, function(power) by * Reduce(`+`, Map(`*`, move$W2, move$offsets^power)))
  new_chain_step_rates(R0 = sums[[1L]], R1 = sums[[2L]], R2 = sums[[3L]], rate = rate)
}

# The sums over paths after one more step.
chain_add_step <- function(R, s) {
  along <- function(R, x) c(crossprod(R, x))
  cbind(
    along(R$R0, s[, 1L]),
    along(R$R0, s[, 2L]) + along(R$R0, s[, 1L]),
    along(R$R0, s[, 3L]) + along(R$R1, s[, 1L]),
    along(R$R0, s[, 4L]) + along(R$R2, s[, 1L]),
    along(R$R0, s[, 5L]) + 2 * along(R$R1, s[, 3L]) + along(R$R2, s[, 1L])
  )
}

# The sums over paths in the limit, by the Poisson mixture of chain_limit(). The sums grow as k^2, so the mixture is
# truncated later.
chain_limit_moments <- function(R, s, count) {
  r <- max(R$rate) * count
  if (r == 0) return(s)
  R <- lapply(R, function(x) x * count / r)
  last <- stats::qpois(1e-20, r, lower.tail = FALSE) + 3
  weight <- stats::dpois(0:last, r)
  out <- weight[[1L]] * s
  for (k in seq_len(last)) {
    s <- s - R$rate * s + chain_add_step(R, s)
    out <- out + weight[[k + 1L]] * s
  }
  out
}
