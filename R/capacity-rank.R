# The rank of a tangent, and the range within which it is determined.
#
# For any matrix the range is that between the ranks at ten times and at a tenth of the tolerance. For trained networks
# it also includes the rank by the T-rule. Training drives some products of weights to zero, but stops at about
# sqrt(eps) at best, since a pair of small weights u = v = x changes the loss by x^4 only. The remainders of such
# weights have singular values far above rounding error although they are not capacity, and the T-rule leaves them out.
# With T = max(1e-6, tol) it keeps the columns of layers that are alive, if their norm is above T times the largest of
# their array, scales them to unit norm and counts singular values s > T s_1. The rank of a trained network lies between
#   rank_low  = min(rank at 10 tol, the T-rule) and
#   rank_high = max(rank at tol, rank at tol / 10),
# and is undecided where these differ.

trained_tol <- 1e-6

# Evidence of a rank:
#   tol                  tolerance, relative to the largest singular value
#   gap                  ratio of the singular values before and after the rank: Inf at full rank, NA at rank 0
#   rank                 at the tolerance
#   rank_low, rank_high  range of the rank
#   undecided            whether these two differ; FALSE for soft capacity
#   is_trained           whether the network was trained and the capacity is hard
#   is_imported          whether the network was imported
#   rank_trained         rank by the T-rule
# The last four are fields of allocations only, and rank_trained only of trained and imported networks.
new_rank_evidence <- function(tol, gap, rank, rank_low, rank_high, undecided = NULL, is_trained = NULL,
                              is_imported = NULL, rank_trained = NULL) {
  evidence <- list(tol = tol, gap = gap, rank = rank, rank_low = rank_low, rank_high = rank_high)
  evidence$undecided <- undecided
  evidence$is_trained <- is_trained
  evidence$is_imported <- is_imported
  evidence$rank_trained <- rank_trained
  evidence
}

# Evidence of the rank of any matrix: its range is that between ten times and a tenth of the tolerance.
rank_evidence <- function(core, tol) {
  s <- core$values
  above <- function(tol) if (length(s) == 0L) 0L else sum(s > tol * s[[1L]])
  r <- core$rank
  gap <- if (r == 0L) NA_real_ else if (r == length(s)) Inf else s[[r]] / s[[r + 1L]]
  new_rank_evidence(tol = tol, gap = gap, rank = r, rank_low = above(10 * tol), rank_high = above(tol / 10))
}

# Completes the evidence of a rank. core: the result of the core; ask(change): runs the core again with changed
# settings, a list with `tol` or `left_out`. Returns a list: `evidence`, and for trained networks `low`, the answer for
# a projector of rank rank_low, or NULL where that is core$answer or want_low is FALSE.
settle_rank <- function(core, allocation, ask, want_low = TRUE) {
  evidence <- rank_evidence(core, allocation$tol)
  evidence$undecided <- !rank_soft(allocation) && evidence$rank_low < evidence$rank_high
  evidence$is_trained <- !rank_soft(allocation) && !is.null(allocation$network$trained)
  evidence$is_imported <- isTRUE(allocation$network$imported)
  if (rank_soft(allocation) || !(evidence$is_trained || evidence$is_imported)) return(list(evidence = evidence))
  rule <- trained_rank(core, allocation, ask)
  evidence$rank_trained <- rule$rank
  if (!evidence$is_trained) return(list(evidence = evidence))
  at_10 <- evidence$rank_low
  evidence$rank_low <- min(at_10, rule$rank)
  evidence$rank_high <- max(core$rank, evidence$rank_high)
  evidence$undecided <- evidence$rank_low < evidence$rank_high
  low <- NULL
  if (want_low && evidence$rank_low < core$rank) {
    low <- if (rule$rank > at_10) {
      ask(list(tol = 10 * allocation$tol))
    } else if (is.null(rule$core)) {
      ask(list(tol = rule$tol))
    } else {
      rule$core
    }
  }
  list(evidence = evidence, low = low$answer)
}

# The rank by the T-rule. Returns a list: `rank`; `tol`, the T of the rule; and `core`, the result of ask() if the core
# had to run again because columns are dropped.
trained_rank <- function(core, allocation, ask) {
  tol <- max(trained_tol, allocation$tol)
  s <- core$values
  if (core$rank == 0L) return(list(rank = 0L, tol = tol))
  out <- rank_left_out_columns(core$norm, allocation, tol)
  if (!any(out)) return(list(rank = sum(s > tol * s[[1L]]), tol = tol))
  again <- ask(list(tol = tol, left_out = out))
  list(rank = again$rank, tol = tol, core = again)
}

# Whether the T-rule drops each column. Columns are those of parameters that are not left out; norm: their norms, 0 for
# columns that the core has dropped, for which the result is FALSE.
rank_left_out_columns <- function(norm, allocation, tol) {
  array <- allocation$array[allocation$array > 0L]
  largest <- tapply(norm, array, max)[as.character(array)]
  alive <- rank_alive_arrays(norm, array, allocation, tol)
  norm > 0 & !(norm > tol * largest & alive[as.character(array)])
}

# Whether the layer of each array is alive, named by the number of the array. A layer is alive when its activity exceeds
# tol. The activity of a layer is the largest over its arrays b of |theta_b| |J_b| / |W|, with Frobenius norms in the
# metric. It measures the share of the output's weights that the array can move, and does not change when layers are
# rescaled inversely to each other. A layer with an array of rank_direct_arrays() is alive whatever its activity: its
# parameters are in no product that training could drive to zero.
rank_alive_arrays <- function(norm, array, allocation, tol) {
  theta <- allocation$network$coef[allocation$array > 0L]
  size <- function(v) {
    most <- max(abs(v))
    if (most > 0) most * sqrt(sum((v / most)^2)) else 0
  }
  numbers <- sort(unique(array))
  # logarithms, since the product of the norms can overflow or underflow
  activity <- vapply(numbers, function(b) log(size(theta[array == b])) + log(size(norm[array == b])), 0) -
    log(rank_map_norm(allocation))
  alive <- is.nan(activity) | activity > log(tol)
  if (!all(alive)) alive <- alive | numbers %in% rank_direct_arrays(allocation$graph, allocation$all_arrays)
  layer <- allocation$array_layer[numbers]
  stats::setNames(layer %in% layer[alive], numbers)
}

# The Frobenius norm |W| of the network in the metric, W its effective weights, or its tangent maps at all samples.
rank_map_norm <- function(allocation) {
  graph <- allocation$graph
  theta <- allocation$network$coef
  m <- allocation$m
  if (is.null(allocation$samples)) {
    W <- .Call(ffi_weights, graph, theta)
  } else {
    W <- .Call(ffi_linearise, graph, theta, allocation$samples)
    weight <- allocation$weight
    if (!is.null(weight)) W <- W * rep(sqrt(as.double(weight)), each = m * allocation$n)
  }
  if (!is.null(allocation$contrast)) W <- allocation$contrast %*% W
  if (!is.null(allocation$root)) {
    N <- ncol(W) / allocation$n
    W <- matrix(aperm(array(W, c(m, allocation$n, N)), c(1L, 3L, 2L)), m * N) %*% t(allocation$root)
  }
  norm(W, "F")
}

# The numbers of the arrays that no other parameter multiplies, neither between the input and the array nor between the
# array and the output: for instance those of a single dense layer, or of a linear skip connection. In the lowered graph
# linear operations with theta and products of two nodes multiply; a bias is added.
rank_direct_arrays <- function(graph, arrays) {
  multiplies <- operations_are(graph$ops, "multiplies")
  weighs <- multiplies & operations_are(graph$ops, "theta")
  reads <- lapply(graph$ops, function(op) op$from)
  n <- length(reads)
  plain <- c(TRUE, logical(n)) # node i at i + 1: whether a path from the input has no multiplication
  behind <- logical(n + 1L) # whether a multiplication follows the node
  repeat { # until nothing changes, since recurrences read later nodes
    before <- c(plain, behind)
    for (i in seq_len(n)) {
      from <- reads[[i]] + 1L
      plain[[i + 1L]] <- plain[[i + 1L]] || (!multiplies[[i]] && any(plain[from]))
      behind[from] <- behind[from] | multiplies[[i]] | behind[[i + 1L]]
    }
    if (identical(before, c(plain, behind))) break
  }
  direct <- vapply(seq_len(n), function(i) {
    weighs[[i]] && any(plain[reads[[i]] + 1L]) && !behind[[i + 1L]]
  }, NA)
  unique(vapply(graph$ops[direct], function(op) arrays[[op$theta + 1]], 0L))
}

warn_rank_gap <- function(evidence) {
  if (!evidence$undecided) return(invisible())
  range <- "{evidence$rank_low} to {evidence$rank_high}"
  if (evidence$is_trained && evidence$rank_trained < evidence$rank) {
    warn(c(
      paste0("The capacity of this trained network is undecided: ", range, " (total {evidence$rank})."),
      x = "Training has not determined the other directions: their singular values, or their weights, are below
        {format(max(trained_tol, evidence$tol), digits = 2)} times the largest, like the remainders of weights that
        training drives to zero.",
      i = "{.field capacity_low} of {.fn tidy} excludes them. Soft capacities, with {.arg ridge}, do not depend on a
        rank."
    ), "rank_gap", evidence = evidence)
    return(invisible())
  }
  warn(c(
    paste0("The rank of the tangent is undecided: ", range, ", {evidence$rank} at the tolerance
      {format(evidence$tol, digits = 2)}."),
    x = "Its singular values decay without a gap between ten times and a tenth of the tolerance
      (see {.code attr(x, \"spectrum\")}).",
    i = "Use soft capacities, with {.arg ridge}, which do not depend on a rank, or set {.arg tol}."
  ), "rank_gap", evidence = evidence)
}

# Whether capacity is soft: directions have weights between 0 and 1, so that it does not depend on a rank.
rank_soft <- function(allocation) allocation$ridge > 0 || allocation$decay > 0

# The ridge that results show: with ridge = "decay" the weight decay of the fit.
rank_reported_ridge <- function(allocation) if (allocation$decay > 0) allocation$lambda else allocation$ridge

rank_columns <- function(evidence) {
  evidence[c("tol", "gap", "rank_low", "rank_high", "undecided")]
}

glance_rank <- function(x) {
  light_frame(c(
    list(total = attr(x, "total"), n_inputs = attr(x, "n_inputs")), rank_columns(attr(x, "evidence")),
    list(metric = attr(x, "metric"), ridge = attr(x, "ridge"))
  ))
}
