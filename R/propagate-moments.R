# Modes linear, gaussian and empirical: tangent vectors, or second moments of pairs of them, back through the
# layers.
#
# A tangent vector V is what an output (or what a parameter makes of the outputs) is as a function of the
# units on a cut, linearly. Family member 0, B, holds the sensitivities of the outputs; member k, of
# parameter k of the layer that capacity starts from, begins where the parameter meets what it multiplies:
# V^k += I_k B, with I_k from the units that the parameter makes to those that it reads.
# Mode linear carries the vectors themselves, gates being constants sqrt(q); the others carry
# S^(kl) = sum over outputs of E[V^k V^l'] for k <= l.

# Capacities at each level: list(unit, constant), and what the ranks were decided on.
flow_moments <- function(about) {
  about$blocks <- graph_blocks(about$graph)
  about$has_gates <- any(about$blocks$gate & about$blocks$live)
  about$vectors <- about$mode == "linear" || !about$has_gates
  about$cut <- backward_cut(about)
  check_moment_cost(about)
  about$gates <- moment_gates(about)
  if (about$vectors) run_vectors(about) else run_moments(about)
}

# What is carried: everything below the start, and above a layer all that depends on its parameters.
backward_cut <- function(about) {
  blocks <- about$blocks
  outputs <- which(blocks$node == about$graph$output & blocks$live)
  wanted <- blocks$live
  if (about$start$kind == "layer") {
    own <- start_blocks(about)
    wanted <- wanted & (blocks_above(blocks, own) | blocks_below(blocks, own))
    outputs <- outputs[wanted[outputs]]
  }
  new_cut(about$graph, about$network$coef, blocks, wanted, backward = TRUE, outputs)
}

# Blocks of the operations that have parameters of the layer.
start_blocks <- function(about) {
  ops <- about$graph$ops
  theta <- vapply(ops, function(op) if (op$kind %in% c("linear", "bias")) op$theta else NA_real_, 0)
  nodes <- which(theta >= about$start$first - 1 & theta <= about$start$last - 1)
  which(about$blocks$node %in% nodes & about$blocks$live)
}

# Vectors carried: list(members, pairs), those of a layer and B, or outputs one by one.
family_size <- function(about) {
  if (about$start$kind != "layer") return(sum(about$start$capacity > 0))
  about$start$last - about$start$first + 2
}

check_moment_cost <- function(about) {
  p <- family_size(about)
  of <- if (about$start$kind == "layer") paste0("The ", p - 1, " parameters of ", about$start$name) else
    paste(p, if (p == 1) "output" else "outputs")
  if (about$vectors) {
    rows <- if (about$start$kind == "layer") p * output_size(about$network) else p
    cost <- carry_cost(about$cut, two_sided = FALSE, matrices = 1, rows = rows)
  } else {
    matrices <- if (about$start$kind == "layer") p * (p + 1) / 2 else p
    # each is copied once for every stretch between gates
    gates <- sum(vapply(seq_along(about$cut$items), function(i) is_gate_item(about$cut, i), NA))
    cost <- carry_cost(about$cut, two_sided = TRUE, matrices = matrices) + matrices * about$cut$size^2 * 4 * (gates + 1)
  }
  check_cost(cost, about$limit, paste0(of, " in mode ", about$mode), about$call)
}

# ---- gates -----------------------------------------------------------------------------------------

# By item of the cut that has gates, list(from, to, mean, second): places of what gates make and read, each
# gate (channels, positions, taps, blocks) once. `mean` is sqrt(q) in mode linear.
moment_gates <- function(about) {
  cut <- about$cut
  at <- Filter(function(i) is_gate_item(cut, i), seq_along(cut$items))
  found <- vector("list", length(cut$items))
  if (length(at) == 0L) return(found)
  source <- switch(about$mode,
    linear = summary_source(about), gaussian = law_source(about), empirical = sample_source(about)
  )
  for (i in at) {
    sets <- gate_sets(cut, cut$items[[i]])
    found[[i]] <- c(sets, source(cut$items[[i]]))
  }
  found
}

# Places of what the gates of blocks make and read, and the sets (a tap of a block) that they are in.
gate_sets <- function(cut, own) {
  from <- to <- set <- integer()
  for (b in own) {
    made <- cut_units(cut, b)
    for (read in gate_reads(cut, b)) {
      from <- c(from, made)
      to <- c(to, read)
      set <- c(set, rep(length(unique(set)) + 1L, length(made)))
    }
  }
  list(from = from, to = to, set = set)
}

# For each tap of a block of gates the places that it reads, NA for none.
gate_reads <- function(cut, b) {
  op <- cut$graph$ops[[cut$blocks$node[[b]]]]
  if (op$kind == "phi") return(list(read_units(cut, b)))
  positions <- (cut$blocks$begin[[b]] + 1L):cut$blocks$end[[b]]
  channels <- seq_len(cut$blocks$channels[[b]])
  if (op$kind == "product") {
    return(lapply(op$from, function(node) unit_places(cut, node, rep(positions, each = length(channels)), channels)))
  }
  taps <- .Call(ffi_taps, cut$graph, as.double(cut$blocks$node[[b]]))
  lapply(seq_len(nrow(taps)), function(k) {
    unit_places(cut, op$from[[1L]], rep(taps[k, positions], each = length(channels)), channels)
  })
}

# Places of channels (recycled) of a node at positions, from 1.
unit_places <- function(cut, node, position, channel) {
  blocks <- cut$blocks
  own <- which(blocks$node == node)
  b <- if (length(own) == 1L) rep(own, length(position)) else own[findInterval(position - 1L, blocks$begin[own])]
  at <- cut$at[b]
  at[at < 0L] <- NA
  at + blocks$channels[own[[1L]]] * (position - 1L - blocks$begin[b]) + channel
}

# Each source: a function of blocks that gives list(mean, second) of their gates.
summary_source <- function(about) {
  blocks <- about$blocks
  q <- gate_summary(about)$square
  taps <- vapply(about$graph$ops, function(op) {
    switch(op$kind, phi = 1, product = 2, max = prod(op$window[1:2]), 0)
  }, 0)
  sizes <- taps * vapply(about$graph$ops, function(op) prod(op$shape), 0)
  first <- cumsum(sizes) - sizes
  function(own) {
    list(mean = unlist(lapply(own, function(b) {
      node <- blocks$node[[b]]
      K <- taps[[node]]
      C <- blocks$channels[[b]]
      unit <- expand.grid(c = seq_len(C), u = blocks$begin[[b]]:(blocks$end[[b]] - 1L), k = seq_len(K) - 1L)
      sqrt(q[first[[node]] + unit$c + C * (unit$k + K * unit$u)])
    })))
  }
}

law_source <- function(about) {
  law <- input_law(about$task, about$data)
  laws <- gate_laws(about$network, about$graph, law, about$limit, about$call)
  blocks <- about$blocks
  function(own) {
    at <- Filter(function(law) own[[1L]] %in% law$blocks, laws)[[1L]]
    block <- rep(at$blocks, blocks$size[at$blocks])
    units <- unlist(lapply(own, function(b) which(block == b)))
    list(mean = at$moments$mean[units], second = at$moments$second[units, units, drop = FALSE])
  }
}

sample_source <- function(about) {
  function(own) {
    g <- .Call(ffi_gate_values, about$graph, about$network$coef, about$data, as.integer(own - 1L))
    list(mean = colMeans(g), second = crossprod(g) / nrow(g))
  }
}

# ---- mode linear: vectors --------------------------------------------------------------------------

# V: (outputs x members) x units, the constant last where the network has no gates.
run_vectors <- function(about) {
  cut <- about$cut
  m <- if (about$start$kind == "layer") output_size(about$network) else family_size(about)
  members <- if (about$start$kind == "layer") family_size(about) else 1
  constant <- if (!about$has_gates && has_bias(about$network)) cut$size else -1
  about$n_columns <- cut$size + (constant >= 0)
  V <- array(0, c(m, members, about$n_columns))
  at <- output_places(about)
  V[, 1L, at[!is.na(at)]] <- start_vectors(about)[, !is.na(at)]
  dim(V) <- c(m * members, about$n_columns, 1L)
  levels <- list()
  before <- level_hooks(about, function(state, l, at) {
    at <- c(at, if (constant >= 0) cut$size + 1L)
    rows <- array(state, c(m, members, about$n_columns))[, , at, drop = FALSE]
    levels[[l]] <<- vector_capacity(rows, about, constant >= 0)
  }, function(state, ties) inject_vectors(state, ties, m, members, if (constant >= 0) cut$size + 1L))
  linear <- function(state, items) carry_items(cut, state, items, two_sided = FALSE, constant = constant)
  gate <- function(state, i) {
    g <- about$gates[[i]]
    for (set in split(seq_along(g$set), g$set)) {
      on <- set[!is.na(g$to[set])]
      state[, g$to[on], 1L] <- state[, g$to[on], 1L] + state[, g$from[on], 1L] * rep(g$mean[on], each = nrow(state))
    }
    state
  }
  finish_cut(about, run_cut(cut, V, linear, gate, before), before)
  levels
}

# Hooks after the last item are those of the input.
finish_cut <- function(about, state, before) {
  last <- before[[as.character(length(about$cut$items) + 1L)]]
  if (!is.null(last)) last(state)
  invisible()
}

# Places of all outputs, NA for those that are left out: they do not depend on the parameters.
output_places <- function(about) {
  positions <- prod(output_shape(about$network)[2:3])
  channels <- output_shape(about$network)[[1L]]
  unit_places(about$cut, about$graph$output, rep(seq_len(positions), each = channels), seq_len(channels))
}

# Rows of B: the outputs that count, each a unit vector.
start_vectors <- function(about) {
  n <- output_size(about$network)
  if (about$start$kind == "layer") return(diag(n))
  diag(n)[about$start$capacity > 0, , drop = FALSE]
}

# What comes before an item of the cut: records of levels, and parameters that begin there. Both by the number of
# the item.
level_hooks <- function(about, record, inject) {
  cut <- about$cut
  time <- rep(Inf, length(cut$blocks$node))
  time[unlist(cut$items)] <- rep(seq_along(cut$items), lengths(cut$items))
  hooks <- list()
  add <- function(i, f) {
    key <- as.character(if (is.finite(i)) i else length(cut$items) + 1L)
    hooks[[key]] <<- c(hooks[[key]], f)
  }
  for (l in seq_along(about$nodes)) local({
    level <- l
    node <- about$nodes[[level]]
    space <- about$spaces[[level]]
    n <- prod(space$shape)
    channels <- node_channels(about$graph, node)
    at <- unit_places(cut, node, rep(seq_len(n / channels), each = channels), seq_len(channels))
    add(min(time[loop_blocks(cut, node)]), function(state) {
      record(state, level, at)
      state
    })
  })
  if (about$start$kind == "layer") for (b in start_blocks(about)) local({
    ties <- parameter_ties(about, b)
    add(time[[b]], function(state) inject(state, ties))
  })
  lapply(hooks, function(fs) function(state) {
    for (f in fs) state <- f(state)
    state
  })
}

# Blocks of a node, or of the whole loop that it is in: none of them has been taken before its level is told.
loop_blocks <- function(cut, node) {
  loops <- vapply(cut$graph$ops, function(op) op$loop, 0L)
  nodes <- if (node > 0L && loops[[node]] > 0L) which(loops == loops[[node]]) else node
  which(cut$blocks$node %in% nodes & cut$at >= 0L)
}

# Where the parameters of a block act: list(k, from, to), B at `from` begins member k at `to`; `to` is NA for
# the constant.
parameter_ties <- function(about, b) {
  cut <- about$cut
  blocks <- cut$blocks
  node <- blocks$node[[b]]
  op <- about$graph$ops[[node]]
  filters <- op$shape[[1L]]
  positions <- (blocks$begin[[b]] + 1L):blocks$end[[b]]
  member <- function(index) as.integer(op$theta + index - (about$start$first - 1))
  if (op$kind == "bias") {
    at <- expand.grid(f = seq_len(filters), u = positions)
    k <- member(at$f + if (op$shared) 0 else filters * (at$u - 1L))
    return(list(k = k, from = unit_places(cut, node, at$u, at$f), to = rep(NA_integer_, length(k))))
  }
  taps <- .Call(ffi_taps, about$graph, as.double(node))
  cg <- node_channels(about$graph, op$from[[1L]]) / op$groups
  at <- expand.grid(f = seq_len(filters), c = seq_len(cg), k = seq_len(nrow(taps)), u = positions)
  met <- taps[cbind(at$k, at$u)]
  at <- at[!is.na(met), , drop = FALSE]
  met <- met[!is.na(met)]
  own <- filters * cg * nrow(taps)
  index <- at$f + filters * (at$c - 1L + cg * (at$k - 1L)) + if (op$shared) 0 else own * (at$u - 1L)
  channel <- (at$f - 1L) %/% (filters / op$groups) * cg + at$c
  list(
    k = member(index), from = unit_places(cut, node, at$u, at$f),
    to = unit_places(cut, op$from[[1L]], met, channel)
  )
}

inject_vectors <- function(state, ties, m, members, constant) {
  to <- ties$to
  if (is.null(constant)) {
    kept <- !is.na(to)
    ties <- lapply(ties, function(x) x[kept])
    to <- ties$to
  } else {
    to[is.na(to)] <- constant
  }
  size <- ncol(state)
  V <- array(state, c(m, members, size))
  # of the constant several positions meet one place
  for (round in split(seq_along(to), occurrence(ties$k, to))) {
    for (o in seq_len(m)) {
      at <- cbind(o, ties$k[round] + 1L, to[round])
      V[at] <- V[at] + V[cbind(o, 1L, ties$from[round])]
    }
  }
  array(V, c(m * members, size, 1L))
}

# 1 for the first pair (a, b) of its kind, 2 for the second, ..
occurrence <- function(a, b) {
  key <- paste(a, b)
  stats::ave(seq_along(key), key, FUN = seq_along)
}

# rows: outputs x members x units. Of outputs one by one the shares of |V|^2; of parameters the diagonal of the
# projector on their vectors.
vector_capacity <- function(rows, about, constant) {
  n <- dim(rows)[[3L]]
  if (about$start$kind != "layer") {
    V <- matrix(rows, ncol = n)
    total <- rowSums(V^2)
    some <- total > 0
    kappa <- colSums(V[some, , drop = FALSE]^2 / total[some])
    return(level_of(kappa, constant, rank = sum(total > 0)))
  }
  J <- aperm(rows[, -1L, , drop = FALSE], c(3L, 1L, 2L))
  J <- matrix(J, ncol = dim(rows)[[2L]] - 1L)
  found <- column_leverage(J)
  level_of(rowSums(matrix(found$leverage, n)), constant, rank = found$rank, evidence = found$evidence)
}

# Leverage of the rows of J on its columns, each scaled to unit norm.
column_leverage <- function(J) {
  tol <- 10 * max(dim(J)) * .Machine$double.eps
  norm <- sqrt(colSums(J^2))
  kept <- norm > tol * max(norm, 0)
  if (!any(kept)) return(list(leverage = numeric(nrow(J)), rank = 0L))
  s <- svd(J[, kept, drop = FALSE] / rep(norm[kept], each = nrow(J)), nv = 0L)
  rank <- sum(s$d > tol * s$d[[1L]])
  list(
    leverage = rowSums(s$u[, seq_len(rank), drop = FALSE]^2), rank = rank,
    evidence = rank_evidence(list(values = s$d, rank = rank), tol)
  )
}

level_of <- function(kappa, constant, rank, evidence = NULL) {
  n <- length(kappa)
  if (!constant) return(list(unit = kappa, rank = rank, evidence = evidence))
  list(unit = kappa[-n], constant = kappa[[n]], rank = rank, evidence = evidence)
}

# ---- modes gaussian and empirical: second moments ------------------------------------------------------

# S: units x units x pairs, of outputs one matrix each.
run_moments <- function(about) {
  cut <- about$cut
  pairs <- moment_pairs(about)
  B <- start_vectors(about)
  at <- output_places(about)
  B <- B[, !is.na(at), drop = FALSE]
  at <- at[!is.na(at)]
  S <- array(0, c(cut$size, cut$size, nrow(pairs)))
  if (about$start$kind == "layer") S[at, at, 1L] <- crossprod(B)
  else for (o in seq_len(nrow(B))) S[at, at, o] <- tcrossprod(B[o, ])
  levels <- list()
  before <- level_hooks(about, function(state, l, at) {
    levels[[l]] <<- moment_capacity(state, pairs, at, about)
  }, function(state, ties) inject_moments(state, ties, pairs))
  linear <- function(state, items) carry_items(cut, state, items, two_sided = TRUE)
  gate <- function(state, i) gate_moment_step(state, about$gates[[i]])
  finish_cut(about, run_cut(cut, S, linear, gate, before), before)
  levels
}

# k <= l of the matrices, 0 for B.
moment_pairs <- function(about) {
  p <- family_size(about)
  if (about$start$kind != "layer") return(cbind(k = rep(0L, p), l = rep(0L, p)))
  k <- rep(seq_len(p) - 1L, p)
  l <- rep(seq_len(p) - 1L, each = p)
  cbind(k = k, l = l)[k <= l, , drop = FALSE]
}

# S[yy] -> E[g g'] o S[yy], S[yr] -> E[g] S[yr], moved from what the gates make to what they read.
gate_moment_step <- function(state, gates) {
  on <- which(!is.na(gates$to))
  from <- gates$from[on]
  to <- gates$to[on]
  rest <- setdiff(seq_len(nrow(state)), from)
  sets <- split(seq_along(on), gates$set[on])
  D <- gates$mean[on]
  Gamma <- gates$second[on, on, drop = FALSE]
  for (p in seq_len(dim(state)[[3L]])) {
    S <- matrix(state[, , p], nrow(state))
    own <- S[from, from, drop = FALSE] * Gamma
    down <- S[from, rest, drop = FALSE] * D
    right <- S[rest, from, drop = FALSE] * rep(D, each = length(rest))
    S[from, ] <- 0
    S[, from] <- 0
    for (a in sets) {
      S[to[a], rest] <- S[to[a], rest] + down[a, ]
      S[rest, to[a]] <- S[rest, to[a]] + right[, a]
      for (b in sets) S[to[a], to[b]] <- S[to[a], to[b]] + own[a, b]
    }
    state[, , p] <- S
  }
  state
}

# V^k += I_k B: S^(kl) += I_k S^(Bl) + S^(kB) I_l' + I_k S^(BB) I_l'.
inject_moments <- function(state, ties, pairs) {
  kept <- !is.na(ties$to)
  tie <- split(which(kept), ties$k[kept])
  of <- function(k) tie[[as.character(k)]]
  number <- function(k, l) which(pairs[, 1L] == k & pairs[, 2L] == l)
  BB <- matrix(state[, , 1L], nrow(state))
  old <- function(l) if (l == 0L) BB else matrix(state[, , number(0L, l)], nrow(state))
  # those with B change last: the others need them as they were
  for (p in rev(order(pairs[, 1L] > 0L, decreasing = FALSE))) {
    k <- pairs[p, 1L]
    l <- pairs[p, 2L]
    own <- of(k)
    other <- of(l)
    if (is.null(own) && is.null(other) || l == 0L) next
    S <- matrix(state[, , p], nrow(state))
    if (!is.null(own)) {
      S[ties$to[own], ] <- S[ties$to[own], ] + old(l)[ties$from[own], ]
    }
    if (!is.null(other)) {
      kB <- if (k == 0L) BB else t(old(k))
      S[, ties$to[other]] <- S[, ties$to[other]] + kB[, ties$from[other]]
    }
    if (!is.null(own) && !is.null(other)) {
      S[ties$to[own], ties$to[other]] <- S[ties$to[own], ties$to[other]] + BB[ties$from[own], ties$from[other]]
    }
    state[, , p] <- S
  }
  state
}

# kappa_j = sum_kl (G^+)_kl S^(kl)_jj, G_kl = tr S^(kl); the units of G's diagonal are scaled to 1.
moment_capacity <- function(state, pairs, at, about) {
  diagonal <- cbind(at, at)
  each <- vapply(seq_len(nrow(pairs)), function(p) {
    matrix(state[, , p], nrow(state))[diagonal]
  }, numeric(length(at)))
  each <- matrix(each, length(at))
  if (about$start$kind != "layer") {
    total <- colSums(each)
    share <- each[, total > 0, drop = FALSE] / rep(total[total > 0], each = nrow(each))
    return(level_of(rowSums(share), FALSE, rank = sum(total > 0)))
  }
  p <- max(pairs)
  own <- pairs[, 1L] > 0L
  G <- matrix(0, p, p)
  G[pairs[own, , drop = FALSE]] <- colSums(each)[own]
  G[pairs[own, 2:1, drop = FALSE]] <- colSums(each)[own]
  found <- moment_inverse(G, length(at))
  twice <- ifelse(pairs[own, 1L] == pairs[own, 2L], 1, 2)
  kappa <- each[, own, drop = FALSE] %*% (twice * found$inverse[pairs[own, , drop = FALSE]])
  level_of(c(kappa), FALSE, rank = found$rank, evidence = found$evidence)
}

# G^+ by the eigenvalues of G scaled to unit diagonal.
moment_inverse <- function(G, n) {
  tol <- 10 * max(n, nrow(G)) * .Machine$double.eps
  scale <- sqrt(pmax(diag(G), 0))
  kept <- which(scale > sqrt(tol) * max(scale))
  inverse <- matrix(0, nrow(G), nrow(G))
  if (length(kept) == 0L) return(list(inverse = inverse, rank = 0L))
  e <- eigen(G[kept, kept, drop = FALSE] / outer(scale[kept], scale[kept]), symmetric = TRUE)
  rank <- sum(e$values > tol * e$values[[1L]])
  root <- e$vectors[, seq_len(rank), drop = FALSE] / scale[kept]
  inverse[kept, kept] <- root %*% (t(root) / e$values[seq_len(rank)])
  values <- pmax(e$values, 0)
  list(inverse = inverse, rank = rank, evidence = rank_evidence(list(values = values, rank = rank), tol))
}
