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
  about$source <- gate_source(about)
  check_carried_digits(about)
  if (about$vectors) return(run_vectors(about))
  if (about$start$kind != "layer") return(run_outputs(about))
  if (is.na(single_block(about))) run_family(about) else run_pairs(about)
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

# The only block of the layer where vectors begin, NA when there are several (recurrences, blocks of layers). What is
# left out of second moments are constants: biases do not count.
single_block <- function(about) {
  own <- start_blocks(about)
  own <- own[about$blocks$kind[own] == "linear"]
  loops <- vapply(about$graph$ops, function(op) op$loop, 0L)
  if (length(own) == 1L && loops[[about$blocks$node[[own]]]] == 0L) own else NA_integer_
}

# How many vectors there are: outputs one by one, or the parameters of a layer.
family_size <- function(about) {
  if (about$start$kind != "layer") return(sum(about$start$capacity > 0))
  as.integer(about$start$last - about$start$first + 1)
}

check_moment_cost <- function(about, cut, two_sided, matrices, rows = cut$size) {
  p <- family_size(about)
  what <- if (about$start$kind == "layer") paste0("The ", p, " parameters of ", about$start$name) else
    paste(p, if (p == 1) "output" else "outputs")
  cost <- carry_cost(cut, two_sided, matrices, rows)
  check_cost(cost, about$limit, paste0(what, " in mode ", about$mode), about$call)
}

# ---- gates -----------------------------------------------------------------------------------------

# A function of blocks of gates of one level, that gives list(mean, second) of their gates (channels, positions,
# taps, blocks). `mean` is sqrt(q) in mode linear.
gate_source <- function(about) {
  if (!about$has_gates) return(NULL)
  switch(about$mode, linear = summary_source(about), gaussian = law_source(about), empirical = sample_source(about))
}

# The gates of a cut as C takes them, by item of gates.
cut_gates <- function(cut, items, source, taps) {
  lapply(items, function(i) c(gate_sets(cut, cut$items[[i]], taps), source(cut$items[[i]])))
}

# Places, from 0, of what the gates of blocks make and read: channels, positions, taps, blocks.
gate_sets <- function(cut, own, taps) {
  reads <- lapply(own, function(b) gate_reads(cut, b, taps))
  from <- unlist(Map(function(b, taps) rep(cut_units(cut, b), length(taps)), own, reads))
  to <- as.integer(unlist(reads)) - 1L
  to[is.na(to)] <- -1L
  list(from = as.integer(from) - 1L, to = to)
}

# By node, the positions that taps meet, of maxima and of the operations where vectors begin.
windows_met <- function(about, own) {
  nodes <- about$blocks$node[about$blocks$kind == "max" | seq_along(about$blocks$node) %in% own]
  nodes <- Filter(function(node) about$graph$ops[[node]]$kind %in% c("linear", "max"), unique(nodes))
  met <- vector("list", length(about$graph$ops))
  if (length(nodes) > 0L) met[nodes] <- .Call(ffi_taps, about$graph, as.integer(nodes))
  met
}

# For each tap of a block of gates the places that it reads, NA for none.
gate_reads <- function(cut, b, taps) {
  op <- cut$graph$ops[[cut$blocks$node[[b]]]]
  if (op$kind == "phi") return(list(read_units(cut, b)))
  positions <- (cut$blocks$begin[[b]] + 1L):cut$blocks$end[[b]]
  channels <- seq_len(cut$blocks$channels[[b]])
  if (op$kind == "product") {
    return(lapply(op$from, function(node) unit_places(cut, node, rep(positions, each = length(channels)), channels)))
  }
  taps <- taps[[cut$blocks$node[[b]]]]
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

summary_source <- function(about) {
  blocks <- about$blocks
  q <- gate_squares(about)
  taps <- vapply(about$graph$ops, function(op) {
    switch(op$kind, phi = 1, max = prod(op$window[1:2]), 0)
  }, 0)
  sizes <- taps * vapply(about$graph$ops, function(op) prod(op$shape), 0)
  first <- cumsum(sizes) - sizes
  function(own) {
    list(mean = unlist(lapply(own, function(b) {
      node <- blocks$node[[b]]
      K <- taps[[node]]
      C <- blocks$channels[[b]]
      # channels, then positions, then taps
      unit <- outer(seq_len(C), C * K * blocks$begin[[b]]:(blocks$end[[b]] - 1L), "+")
      sqrt(q[first[[node]] + outer(unit, C * (seq_len(K) - 1L), "+")])
    })))
  }
}

law_source <- function(about) {
  laws <- NULL # only once the cost of the rest is known
  blocks <- about$blocks
  function(own) {
    if (is.null(laws)) {
      law <- input_law(about$task, about$data)
      laws <<- gate_laws(about$network, about$graph, law, about$limit, about$call)
    }
    at <- Filter(function(law) own[[1L]] %in% law$blocks, laws)[[1L]]
    block <- rep(at$blocks, blocks$size[at$blocks])
    units <- unlist(lapply(own, function(b) which(block == b)))
    list(mean = at$moments$mean[units], second = at$moments$second[units, units, drop = FALSE])
  }
}

sample_source <- function(about) {
  function(own) {
    g <- gate_values(about$graph, about$network$coef, about$data, own, about$call)
    list(mean = colMeans(g), second = crossprod(g) / nrow(g))
  }
}

# ---- the way down ----------------------------------------------------------------------------------

# Takes a state through a cut in one call: list(S, levels). Where the vectors of a family of `members` begin, it is
# with the parameters of the layer that capacity starts from.
run_cut <- function(about, cut, state, two_sided, constant = -1, members = 1) {
  own <- if (members > 1) start_blocks(about) else integer()
  taps <- if (is.null(about$taps)) windows_met(about, own) else about$taps
  gated <- which(vapply(seq_along(cut$items), function(i) is_gate_item(cut, i), NA))
  hooks <- cut_hooks(about, cut, constant, own, taps)
  told <- which(!is.na(hooks$level))
  program <- program_of(
    program_part("tell", told - 1L, hooks$level[told]),
    program_part("begin", seq_along(hooks$begin) - 1L, hooks$begin),
    program_part("gates", seq_along(gated) - 1L, gated),
    cut_program(cut)
  )
  gates <- cut_gates(cut, gated, about$source, taps)
  out <- carry_program(cut, state, program, two_sided, constant, gates, hooks$places, hooks$ties, members)
  out$levels[is.na(hooks$level)] <- list(NULL)
  out
}

# By the number of the item that they come before (one more than there are: after all): levels with their places, and
# parameters that begin there. Levels that the cut does not have are NA; the constant is the last place of each.
cut_hooks <- function(about, cut, constant, own, taps) {
  time <- rep(length(cut$items) + 1L, length(cut$blocks$node))
  time[unlist(cut$items)] <- rep(seq_along(cut$items), lengths(cut$items))
  level <- vapply(about$nodes, function(node) {
    own <- loop_blocks(cut, node)
    if (length(own) == 0L) NA_integer_ else min(time[own])
  }, 0L)
  places <- Map(function(node, space) {
    channels <- node_channels(about$graph, node)
    n <- prod(space$shape) / channels
    at <- unit_places(cut, node, rep(seq_len(n), each = channels), seq_len(channels))
    c(ifelse(is.na(at), -1L, as.integer(at) - 1L), if (constant >= 0) as.integer(constant))
  }, about$nodes, about$spaces)
  ties <- split_ties(about, cut, own, time, constant, taps)
  list(level = level, places = unname(places), begin = as.integer(names(ties)), ties = unname(ties))
}

# Where vectors begin, as C takes it, by the item before which they do; of several blocks of one operation at once.
split_ties <- function(about, cut, own, time, constant, taps) {
  all <- lapply(unname(split(own, about$blocks$node[own])), function(b) {
    ties <- parameter_ties(about, cut, cut, b, taps)
    to <- ifelse(is.na(ties$to), constant, ties$to - 1L)
    list(item = time[ties$block], member = ties$k, from = ties$from - 1L, to = to)
  })
  whole <- lapply(stats::setNames(nm = c("item", "member", "from", "to")), function(column) {
    as.integer(unlist(lapply(all, function(ties) ties[[column]])))
  })
  done <- order(whole$item, whole$member)
  parts <- lapply(whole[-1L], function(column) split(column[done], whole$item[done]))
  Map(function(member, from, to) list(member = member, from = from, to = to), parts$member, parts$from, parts$to)
}

# Blocks of a node, or of the whole loop that it is in: none of them has been taken before its level is told.
loop_blocks <- function(cut, node) {
  loops <- vapply(cut$graph$ops, function(op) op$loop, 0L)
  nodes <- if (node > 0L && loops[[node]] > 0L) which(loops == loops[[node]]) else node
  which(cut$blocks$node %in% nodes & cut$at >= 0L)
}

# ---- mode linear: vectors --------------------------------------------------------------------------

# V: (outputs x members) x units, the constant last where the network has no gates. Member 1 is B.
run_vectors <- function(about) {
  cut <- backward_cut(about)
  layer <- about$start$kind == "layer"
  m <- if (layer) output_size(about$network) else family_size(about)
  members <- if (layer) family_size(about) + 1L else 1L
  check_moment_cost(about, cut, two_sided = FALSE, matrices = 1, rows = m * members)
  constant <- if (!about$has_gates && has_bias(about$network)) cut$size else -1
  V <- array(0, c(m, members, cut$size + (constant >= 0)))
  at <- output_places(about, cut)
  V[, 1L, at[!is.na(at)]] <- start_vectors(about)[, !is.na(at)]
  dim(V) <- c(m * members, dim(V)[[3L]], 1L)
  out <- run_cut(about, cut, V, two_sided = FALSE, constant = constant, members = members)
  lapply(out$levels, function(rows) {
    vector_capacity(array(rows, c(m, members, length(rows) / (m * members))), about, constant >= 0)
  })
}

# Places of all outputs, NA for those that are left out: they do not depend on the parameters.
output_places <- function(about, cut) {
  positions <- prod(output_shape(about$network)[2:3])
  channels <- output_shape(about$network)[[1L]]
  unit_places(cut, about$graph$output, rep(seq_len(positions), each = channels), seq_len(channels))
}

# Rows of B: the outputs that count, each a unit vector.
start_vectors <- function(about) {
  n <- output_size(about$network)
  if (about$start$kind == "layer") return(diag(n))
  diag(n)[about$start$capacity > 0, , drop = FALSE]
}

# Where the parameters of blocks `b` of one operation act: list(k, block, from, to), B at `from` (on the cut `above`)
# begins member k at `to` (on `cut`), NA for the constant.
parameter_ties <- function(about, cut, above, b, taps) {
  blocks <- cut$blocks
  node <- blocks$node[[b[[1L]]]]
  op <- about$graph$ops[[node]]
  filters <- op$shape[[1L]]
  width <- blocks$end[b] - blocks$begin[b]
  positions <- sequence(width, blocks$begin[b] + 1L)
  block <- rep(b, width)
  member <- function(index) as.integer(op$theta + index - (about$start$first - 1))
  if (op$kind == "bias") {
    f <- rep(seq_len(filters), length(positions))
    u <- rep(positions, each = filters)
    k <- member(f + if (op$shared) 0 else filters * (u - 1L))
    return(list(k = k, block = rep(block, each = filters), from = unit_places(above, node, u, f),
      to = rep(NA_integer_, length(k))))
  }
  taps <- taps[[node]]
  cg <- node_channels(about$graph, op$from[[1L]]) / op$groups
  own <- filters * cg * nrow(taps) # weights at a position: filters, channels, taps
  f <- rep(seq_len(filters), length.out = own * length(positions))
  c <- rep(rep(seq_len(cg), each = filters), length.out = own * length(positions))
  k <- rep(rep(seq_len(nrow(taps)), each = filters * cg), length(positions))
  u <- rep(positions, each = own)
  met <- taps[cbind(k, u)]
  index <- f + filters * (c - 1L + cg * (k - 1L)) + if (op$shared) 0 else own * (u - 1L)
  channel <- (f - 1L) %/% (filters / op$groups) * cg + c
  at <- !is.na(met)
  list(
    k = member(index[at]), block = rep(block, each = own)[at], from = unit_places(above, node, u[at], f[at]),
    to = unit_places(cut, op$from[[1L]], met[at], channel[at])
  )
}

# Products of very large weights are no numbers, and second moments have their squares.
check_carried <- function(carried, about) {
  if (all(is.finite(carried))) return(invisible())
  abort(c(
    "A quantity is not finite: what mode {about$mode} carries through the layers.",
    i = "The weights of {.arg network} are too large for it; mode total does not depend on their scale."
  ), "nonfinite", call = about$call)
}

# rows: outputs x members x units. Of outputs one by one the shares of |V|^2; of parameters the diagonal of the
# projector on their vectors.
vector_capacity <- function(rows, about, constant) {
  check_carried(rows, about)
  n <- dim(rows)[[3L]]
  if (about$start$kind != "layer") {
    V <- matrix(rows, ncol = n)
    largest <- apply(abs(V), 1L, max, 0)
    V <- V / ifelse(largest > 0, largest, 1) # squares of weights of any scale
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
  largest <- apply(abs(J), 2L, max, 0)
  norm <- largest * sqrt(colSums((J / rep(ifelse(largest > 0, largest, 1), each = nrow(J)))^2))
  kept <- norm > tol * max(norm, 0)
  if (!any(kept)) return(list(leverage = numeric(nrow(J)), rank = 0L))
  s <- svd_of(J[, kept, drop = FALSE] / rep(norm[kept], each = nrow(J)), nv = 0L)
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

# Each output by itself: one matrix S for each.
run_outputs <- function(about) {
  cut <- backward_cut(about)
  B <- start_vectors(about)
  check_moment_cost(about, cut, two_sided = TRUE, matrices = nrow(B))
  at <- output_places(about, cut)
  B <- B[, !is.na(at), drop = FALSE]
  at <- at[!is.na(at)]
  each <- function(rows) {
    S <- array(0, c(cut$size, cut$size, length(rows)))
    for (o in seq_along(rows)) S[at, at, o] <- tcrossprod(B[rows[[o]], ])
    run_cut(about, cut, S, two_sided = TRUE)$levels
  }
  told <- in_chunks(nrow(B), cut$size, each)
  check_carried(unlist(told), about)
  lapply(seq_along(about$nodes), function(l) output_capacity(matrix(unlist(told[[l]]), ncol = nrow(B))))
}

# each(numbers) for chunks of 1 .. n matrices of at most 256 MB together: by level, what the chunks told.
in_chunks <- function(n, size, each) {
  most <- max(1, floor(2^25 / size^2))
  chunks <- split(seq_len(n), ceiling(seq_len(n) / most))
  told <- lapply(chunks, each)
  lapply(seq_along(told[[1L]]), function(l) lapply(told, function(chunk) chunk[[l]]))
}

# Where all vectors begin at one block: B alone down to it, then from there every pair by itself,
# S^(kl) = I_k S^(BB) I_l'.
run_pairs <- function(about) {
  blocks <- about$blocks
  b <- single_block(about)
  above <- new_cut(about$graph, about$network$coef, blocks, blocks$live & blocks_above(blocks, b), backward = TRUE,
    outputs = intersect(which(blocks$node == about$graph$output & blocks$live), which(blocks_above(blocks, b))))
  below <- new_cut(about$graph, about$network$coef, blocks, blocks$live & blocks_below(blocks, blocks$reads[[b]]),
    backward = TRUE, outputs = blocks$reads[[b]])
  p <- family_size(about)
  pairs <- which(upper.tri(matrix(0, p, p), diag = TRUE), arr.ind = TRUE)
  check_moment_cost(about, below, two_sided = TRUE, matrices = nrow(pairs))
  check_moment_cost(about, above, two_sided = TRUE, matrices = 1)
  BB <- sensitivity_moments(about, above, b)
  about$taps <- windows_met(about, b)
  ties <- parameter_ties(about, below, above, b, about$taps)
  tie <- split(seq_along(ties$k), factor(ties$k, levels = seq_len(p)))
  each <- function(numbers) {
    S <- array(0, c(below$size, below$size, length(numbers)))
    for (i in seq_along(numbers)) {
      k <- tie[[pairs[numbers[[i]], 1L]]]
      l <- tie[[pairs[numbers[[i]], 2L]]]
      S[ties$to[k], ties$to[l], i] <- BB[ties$from[k], ties$from[l]]
    }
    run_cut(about, below, S, two_sided = TRUE)$levels
  }
  told <- in_chunks(nrow(pairs), below$size, each)
  check_carried(unlist(told), about)
  lapply(seq_along(about$nodes), function(l) {
    pair_capacity(matrix(unlist(told[[l]]), ncol = nrow(pairs)), pairs)
  })
}

# E[B B'], summed over the outputs, where block b is about to be taken.
sensitivity_moments <- function(about, cut, b) {
  at <- output_places(about, cut)
  S <- array(0, c(cut$size, cut$size, 1L))
  S[cbind(at[!is.na(at)], at[!is.na(at)], 1L)] <- 1
  ahead <- seq_len(which(vapply(cut$items, function(item) b %in% item, NA)) - 1L)
  cut$items <- cut$items[ahead]
  cut$closing <- cut$closing[ahead]
  about$nodes <- integer()
  matrix(run_cut(about, cut, S, two_sided = TRUE)$S, cut$size)
}

# Where vectors begin at several blocks, B is carried with them: S^(kl) for k <= l, 0 for B.
run_family <- function(about) {
  cut <- backward_cut(about)
  p <- family_size(about)
  pairs <- which(upper.tri(matrix(0, p + 1L, p + 1L), diag = TRUE), arr.ind = TRUE) - 1L
  check_moment_cost(about, cut, two_sided = TRUE, matrices = nrow(pairs))
  check_memory(8 * nrow(pairs) * cut$size^2, about)
  at <- output_places(about, cut)
  S <- array(0, c(cut$size, cut$size, nrow(pairs)))
  S[cbind(at[!is.na(at)], at[!is.na(at)], 1L)] <- 1
  told <- run_cut(about, cut, S, two_sided = TRUE, members = p + 1)
  own <- pairs[, 1L] > 0L
  check_carried(unlist(told$levels), about)
  lapply(told$levels, function(each) {
    pair_capacity(matrix(each, ncol = nrow(pairs))[, own, drop = FALSE], pairs[own, , drop = FALSE])
  })
}

# All pairs are held at once, and copied now and then.
check_memory <- function(bytes, about) {
  if (bytes <= 2^30 || about$limit == Inf) return(invisible())
  abort(c(
    "The {family_size(about)} parameters of {about$start$name} in mode {about$mode} would take about
      {signif(3 * bytes / 2^30, 2)} GB of memory.",
    i = "Set {.arg limit} to {.code Inf} to have it done all the same."
  ), "cost", call = about$call)
}

# Shares of the trace of each output: diagonals are units x outputs.
output_capacity <- function(each) {
  total <- colSums(each)
  share <- each[, total > 0, drop = FALSE] / rep(total[total > 0], each = nrow(each))
  level_of(rowSums(share), FALSE, rank = sum(total > 0))
}

# kappa_j = sum_kl (G^+)_kl S^(kl)_jj, G_kl = tr S^(kl), of diagonals (units x pairs).
pair_capacity <- function(each, pairs) {
  p <- max(pairs)
  G <- matrix(0, p, p)
  G[pairs] <- G[pairs[, 2:1, drop = FALSE]] <- colSums(each)
  found <- moment_inverse(G, nrow(each))
  twice <- ifelse(pairs[, 1L] == pairs[, 2L], 1, 2)
  kappa <- each %*% (twice * found$inverse[pairs])
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
