# Modes linear, gaussian and empirical: tangent vectors, or second moments of pairs of them, back through the
# layers. src/flow-moments.h defines them; the core computes them in one call.
#
# The vectors are the sensitivities of the outputs, or the derivatives of the outputs with respect to the parameters
# of one layer, as linear functions of the units of a level. Mode linear computes the vectors themselves, with gates
# that are the constants sqrt(q). The other modes compute S^(kl) = sum over outputs of E[V^k V^l'] for k <= l.

# Capacities at each level: a list of moments_level_of().
flow_moments <- function(flow) {
  flow$plan <- flow_plan(flow$graph, flow_slice(flow$start))
  flow$carried <- moments_carried_kind(flow)
  check_carried_range(flow)
  check_moment_costs(flow)
  moment_levels(flow)
}

moment_levels <- function(flow) {
  start <- list(
    what = flow$carried, constant = flow$carried == "vectors" && !flow$plan$has_gates && has_bias(flow$network),
    outputs = which(moments_start_outputs(flow)), slice = flow_slice(flow$start)
  )
  levels <- carried_moments(flow, start)
  for (level in levels) check_moments_carried(level, flow)
  rows <- length(start$outputs) * (1 + moments_family_size(flow)) # of vectors
  lapply(levels, function(level) {
    switch(flow$carried,
      vectors = moments_vector_capacity(matrix(level, rows), length(start$outputs), flow$start$kind == "layer",
        start$constant),
      outputs = moments_output_capacity(matrix(level, ncol = length(start$outputs))),
      moments_pair_capacity(matrix(level, ncol = choose(moments_family_size(flow) + 1, 2)), moments_family_size(flow))
    )
  })
}

# The number of parameters that have a vector.
moments_family_size <- function(flow) if (flow$start$kind == "layer") as.integer(flow_slice(flow$start)[[2L]]) else 0L

# Outputs whose vectors are computed.
moments_start_outputs <- function(flow) {
  if (flow$start$kind == "layer") return(rep(TRUE, shape_output_size(flow$network)))
  flow$start$capacity > 0
}

# What the core computes: vectors, or second moments of outputs one by one or of pairs of parameters. Moments of pairs
# are computed pair by pair if all vectors begin at one stage of the graph, otherwise (recurrences, blocks of layers)
# all at once.
moments_carried_kind <- function(flow) {
  if (flow$mode == "linear" || !flow$plan$has_gates) return("vectors")
  if (flow$start$kind != "layer") return("outputs")
  if (flow$plan$single) "pairs" else "family"
}

# The numbers of each level: rows x units x matrices.
carried_moments <- function(flow, start) {
  gates <- moments_carried_gates(flow)
  rlang::try_fetch(
    .Call(ffi_flow_moments, flow$graph, flow$network$coef, start, gates, flow$nodes),
    capalloc_error_nonfinite = function(e) check_range_overflow(NA, "a gate", flow$call)
  )
}

# Moments of the gates, or the data at which the core averages them.
moments_carried_gates <- function(flow) {
  if (!flow$plan$has_gates) return(list())
  switch(flow$mode,
    linear = list(square = joint_gate_squares(flow)),
    gaussian = list(sets = lapply(joint_tiers(flow, input_joint(flow$task, flow$data)), function(tier) {
      list(gate = tier$gate, mean = tier$moments$mean, second = tier$moments$second)
    })),
    empirical = list(data = flow$data)
  )
}

# ---- cost ------------------------------------------------------------------------------------------

check_moment_costs <- function(flow) {
  p <- moments_family_size(flow)
  m <- sum(moments_start_outputs(flow))
  whole <- flow$plan$size[["whole"]]
  switch(flow$carried,
    vectors = check_moment_cost(flow, "whole", m * (1 + p), two_sided = FALSE),
    outputs = check_moment_cost(flow, "whole", whole * m),
    pairs = {
      check_moment_cost(flow, "below", flow$plan$size[["below"]] * choose(p + 1, 2))
      check_moment_cost(flow, "above", flow$plan$size[["above"]])
    },
    family = {
      check_moment_cost(flow, "whole", whole * choose(p + 2, 2))
      check_moments_family_memory(flow)
    }
  )
}

# The cost of `rows` rows of matrices through a cut.
check_moment_cost <- function(flow, cut, rows, two_sided = TRUE) {
  n <- if (flow$start$kind == "layer") moments_family_size(flow) else sum(moments_start_outputs(flow))
  what <- if (flow$start$kind == "layer") paste0("The ", n, " parameters of ", flow$start$name) else
    paste(n, if (n == 1) "output" else "outputs")
  check_plan_cost(plan_carry_cost(flow$plan, cut, rows, two_sided), flow$limit, paste0(what, " in mode ", flow$mode),
    flow$call)
}

# The moments of all pairs of a family are held at once.
check_moments_family_memory <- function(flow) {
  bytes <- 8 * choose(moments_family_size(flow) + 2, 2) * flow$plan$size[["whole"]]^2
  if (bytes <= pair_bytes || flow$limit == Inf) return(invisible())
  abort(c(
    "The {moments_family_size(flow)} parameters of {flow$start$name} in mode {flow$mode} would take about
      {signif(bytes / 2^30, 2)} GB of memory.",
    i = "Set {.arg limit} to {.code Inf} to compute them all the same."
  ), "cost", call = flow$call)
}

# ---- capacities ------------------------------------------------------------------------------------

# Products of very large weights overflow, and so do their squares in second moments.
check_moments_carried <- function(carried, flow) {
  if (all(is.finite(carried))) return(invisible())
  abort(c(
    "A quantity is not finite: what mode {flow$mode} carries through the layers.",
    i = "The weights of {.arg network} are too large for it; mode total does not depend on their scale."
  ), "nonfinite", call = flow$call)
}

# V: (outputs x members) x units. From outputs the shares of |V|^2 one by one. From the parameters of a layer, whose
# first member holds the sensitivities of the outputs, the diagonal of the projector on their vectors.
moments_vector_capacity <- function(V, outputs, of_layer, constant) {
  n <- ncol(V)
  if (!of_layer) {
    largest <- apply(abs(V), 1L, max, 0)
    V <- V / ifelse(largest > 0, largest, 1) # squares of weights of any scale
    total <- rowSums(V^2)
    some <- total > 0
    kappa <- colSums(V[some, , drop = FALSE]^2 / total[some])
    return(moments_level_of(kappa, constant, rank = sum(total > 0)))
  }
  V <- array(V, c(outputs, nrow(V) / outputs, n))
  J <- aperm(V[, -1L, , drop = FALSE], c(3L, 1L, 2L))
  J <- matrix(J, ncol = dim(V)[[2L]] - 1L)
  found <- moments_column_leverage(J)
  moments_level_of(rowSums(matrix(found$leverage, n)), constant, rank = found$rank, evidence = found$evidence)
}

# Leverage of the rows of J on its columns, each scaled to unit norm.
moments_column_leverage <- function(J) {
  tol <- 10 * max(dim(J)) * .Machine$double.eps
  largest <- apply(abs(J), 2L, max, 0)
  norm <- largest * sqrt(colSums((J / rep(ifelse(largest > 0, largest, 1), each = nrow(J)))^2))
  kept <- norm > tol * max(norm, 0)
  if (!any(kept)) return(list(leverage = numeric(nrow(J)), rank = 0L))
  s <- metric_svd(J[, kept, drop = FALSE] / rep(norm[kept], each = nrow(J)), nv = 0L)
  rank <- sum(s$d > tol * s$d[[1L]])
  list(
    leverage = rowSums(s$u[, seq_len(rank), drop = FALSE]^2), rank = rank,
    evidence = rank_evidence(list(values = s$d, rank = rank), tol)
  )
}

moments_level_of <- function(kappa, constant, rank, evidence = NULL) {
  n <- length(kappa)
  if (!constant) return(list(unit = kappa, rank = rank, evidence = evidence))
  list(unit = kappa[-n], constant = kappa[[n]], rank = rank, evidence = evidence)
}

# Shares of the trace for each output. `each` are the diagonals, units x outputs.
moments_output_capacity <- function(each) {
  total <- colSums(each)
  share <- each[, total > 0, drop = FALSE] / rep(total[total > 0], each = nrow(each))
  moments_level_of(rowSums(share), FALSE, rank = sum(total > 0))
}

# kappa_j = sum_kl (G^+)_kl S^(kl)_jj with G_kl = tr S^(kl); `each` are the diagonals S^(kl)_jj, units x pairs of p
# parameters.
moments_pair_capacity <- function(each, p) {
  pairs <- which(upper.tri(matrix(0, p, p), diag = TRUE), arr.ind = TRUE)
  G <- matrix(0, p, p)
  G[pairs] <- G[pairs[, 2:1, drop = FALSE]] <- colSums(each)
  found <- moment_inverse(G, nrow(each))
  twice <- ifelse(pairs[, 1L] == pairs[, 2L], 1, 2)
  kappa <- each %*% (twice * found$inverse[pairs])
  moments_level_of(c(kappa), FALSE, rank = found$rank, evidence = found$evidence)
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
