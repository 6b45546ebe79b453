# What every question about a tangent's column space needs: the network, the
# metric, the parameters that count, the rank and its evidence.

# list(network, metric, seeds, ridge, tol, kept, n_kept, m, n, intercept, block, x, data):
# `seeds` is NULL or the root of the metric, `kept` the layer of each parameter or 0.
new_allocation <- function(x, metric, ridge, tol, data, layers, block, call = rlang::caller_env()) {
  network <- capacity_network(x, call)
  metric <- check_choice(metric, c("identity", "covariance"), arg = "metric", call = call)
  ridge <- check_number(ridge, min = 0, arg = "ridge", call = call)
  kept <- kept_layers(network, layers, call)
  n_kept <- sum(kept > 0L)
  intercept <- has_bias(network)
  m <- output_size(network)
  n <- input_size(network$input) + intercept
  if (is.null(tol)) tol <- 10 * max(m * n, n_kept) * .Machine$double.eps
  list(
    network = network, metric = metric, ridge = ridge, kept = kept, n_kept = n_kept, m = m, n = n,
    intercept = intercept, x = x, data = data,
    seeds = if (metric == "covariance") metric_root(x, network, data, call),
    tol = check_number(tol, min = 0, arg = "tol", call = call),
    block = if (is.null(block)) block_size(m, n, n_kept) else check_count(block, arg = "block", call = call)
  )
}

# Asks C a question: list(answer, values, rank, parameters), with the evidence of the rank.
allocate <- function(about, question, what) {
  inform_cost(about$m, about$n, about$n_kept, about$block)
  options <- list(tol = about$tol, ridge = about$ridge, block = as.double(about$block))
  graph <- lower(about$network)
  theta <- about$network$coef
  core <- switch(question,
    capacity = .Call(ffi_capacity, graph, theta, about$kept, about$seeds, what, options),
    kernel = .Call(ffi_kernel, graph, theta, about$kept, about$seeds, what, options),
    table = .Call(ffi_two_way, graph, theta, about$kept, about$seeds, what, options)
  )
  core$evidence <- rank_evidence(core, about$tol)
  if (about$ridge == 0) warn_rank_gap(core$evidence)
  core
}

# The network of a network or a fit.
capacity_network <- function(x, call = rlang::caller_env()) {
  if (inherits(x, "ca_fit")) return(x$network)
  if (!inherits(x, "ca_network")) {
    abort(c(
      "{.arg x} must be a network with coefficients, or a fit.",
      x = "It is {show_value(x)} of class {.cls {class(x)}}."
    ), "type", call = call)
  }
  check_coefficients(x, arg = "x", call = call)
}

# For every parameter the number of its layer among those that have parameters, 0 when it is left out.
kept_layers <- function(network, layers, call = rlang::caller_env()) {
  rows <- network_rows(network)
  own <- vapply(rows, function(row) own_params(row$layer), 0)
  of <- rep(cumsum(own > 0), own)
  if (is.null(layers)) return(of)
  names <- vapply(rows, function(row) row$name, "")
  unknown <- if (is.character(layers)) setdiff(layers, names)
  if (!is.character(layers) || length(layers) == 0L || length(unknown) > 0L) {
    abort(c(
      "{.arg layers} must name layers of the network: {.or {.val {names}}}.",
      x = if (length(unknown) > 0L) "There is no {.val {unknown}}." else "It is {show_value(layers)}."
    ), "value", call = call)
  }
  keep <- logical(length(of))
  for (row in rows[names %in% layers]) {
    if (row$last >= row$first) keep[row$first:row$last] <- TRUE
  }
  if (!any(keep)) {
    abort(c("{.arg layers} must have parameters.", x = "{.val {layers}} {?has/have} none."),
      "value", call = call)
  }
  of[!keep] <- 0L
  of
}

# Symmetric root of the augmented second moments. Eigenvalues that are rounding
# next to the largest are zero: their roots would not be.
metric_root <- function(x, network, data, call = rlang::caller_env()) {
  moments <- metric_moments(x, network, data, call)
  sigma <- augment_moments(moments, has_bias(network))$sigma
  e <- eigen(sigma, symmetric = TRUE)
  floor <- 10 * nrow(sigma) * .Machine$double.eps * max(e$values, 0)
  root <- sqrt(ifelse(e$values > floor, e$values, 0))
  e$vectors %*% (root * t(e$vectors))
}

metric_moments <- function(x, network, data, call) {
  if (is.null(data)) {
    if (inherits(x, "ca_fit")) return(x$task$moments)
    abort(c(
      "The second moments of a network's inputs are needed: pass {.arg data}, a task or rows of inputs.",
      i = "A fit uses its own task."
    ), "value", call = call)
  }
  if (inherits(data, "ca_task")) {
    check_pair_input(network, data, call)
    return(data$moments)
  }
  rows <- check_inputs(data, network$input, arg = "data", call = call)
  if (nrow(rows) == 0L) {
    abort(c("{.arg data} must have rows of inputs.", x = "It has none."), "shape", call = call)
  }
  list(
    sigma = crossprod(rows) / nrow(rows), cross = matrix(0, ncol(rows), 1L), target = matrix(1),
    mean_x = colMeans(rows), mean_y = 0
  )
}

# Coordinates per block: QR of [triangle; block] costs 1 + p / rows of its floor,
# and a block of rows x p takes at most about 64 MB.
block_size <- function(m, n, p) {
  rows <- max(min(4 * p, 2^23 / max(p, 1)), p, 512)
  as.integer(min(ceiling(rows / m), n))
}

# Before a long run: what it will need.
inform_cost <- function(m, n, p, block) {
  rows <- as.double(m) * n
  flops <- 2 * rows * p^2 * (1 + p / (as.double(m) * block)) + 2 * rows * p * min(rows, p)
  if (flops < 2e11) return(invisible())
  megabytes <- 8 * p * (2 * as.double(m) * block + 3 * p) / 2^20
  cli::cli_inform(c(
    "Allocating a tangent of {format(rows, big.mark = ',')} x {format(p, big.mark = ',')} in blocks of
      {format(block, big.mark = ',')} inputs.",
    i = "About {signif(flops / 1e9, 2)} billion operations and {signif(megabytes, 2)} MB."
  ), class = "capalloc_message_cost")
}

# Singular values around the rank.
rank_evidence <- function(core, tol) {
  s <- core$values
  above <- function(tol) if (length(s) == 0L) 0L else sum(s > tol * s[[1L]])
  r <- core$rank
  gap <- if (r == 0L) NA_real_ else if (r == length(s)) Inf else s[[r]] / s[[r + 1L]]
  list(tol = tol, gap = gap, rank = r, rank_low = above(10 * tol), rank_high = above(tol / 10))
}

warn_rank_gap <- function(evidence) {
  if (evidence$rank_low == evidence$rank_high) return(invisible())
  warn(c(
    "The rank of the tangent is not clear: {evidence$rank} at the tolerance
      {format(evidence$tol, digits = 2)}, {evidence$rank_low} at ten times and {evidence$rank_high} at a
      tenth of it.",
    i = "Its singular values decay without a gap there (see {.code attr(x, \"spectrum\")}); compare
      soft capacities with {.arg ridge}, or set {.arg tol}."
  ), "rank_gap", evidence = evidence)
}
