# What every question about a tangent's column space needs: the network, the
# metric, the parameters that count, the rank and its evidence.

# list(network, metric, seeds, ridge, tol, kept, n_kept, m, n, intercept, block, samples, x, data):
# `seeds` is NULL or the root of the metric, `kept` the layer of each parameter or 0, `samples` the
# inputs (N x n) at which a network that is not linear is looked at, n the coordinates with the constant.
new_allocation <- function(x, metric, ridge, tol, data, layers, block, call = rlang::caller_env()) {
  network <- network_of(x, "x", call)
  metric <- check_choice(metric, c("identity", "covariance"), arg = "metric", call = call)
  ridge <- check_number(ridge, min = 0, arg = "ridge", call = call)
  kept <- kept_layers(network, layers, call)
  n_kept <- sum(kept > 0L)
  samples <- if (!is_linear(network)) sample_inputs(x, network, data, call)
  intercept <- has_constant(network)
  m <- output_size(network)
  n <- input_size(network$input) + intercept
  n_rows <- m * n * max(nrow(samples), 1)
  if (is.null(tol)) tol <- 10 * max(n_rows, n_kept) * .Machine$double.eps
  list(
    network = network, metric = metric, ridge = ridge, kept = kept, n_kept = n_kept, m = m, n = n,
    n_rows = n_rows, intercept = intercept, samples = samples, x = x, data = data,
    seeds = if (metric == "covariance") metric_root(x, network, data, samples, call),
    tol = check_number(tol, min = 0, arg = "tol", call = call),
    block = if (!is.null(block)) {
      check_count(block, arg = "block", call = call)
    } else if (is.null(samples)) {
      block_size(m, n, n_kept)
    } else {
      block_size(m * n, nrow(samples), n_kept)
    }
  )
}

# Inputs at which a network that is not linear is asked: rows that the user passes, or those that a fit
# was trained on.
sample_inputs <- function(x, network, data, call) {
  if (is.null(data) && inherits(x, "ca_fit")) return(fit_rows(x, call)$x)
  if (is.null(data)) {
    abort(c(
      "The network is not linear: what it allocates depends on its inputs. Pass {.arg data}.",
      i = "Rows of inputs, as in {.fn predict}, such as {.code simulate(task, 1000)$x}."
    ), "no_data", call = call)
  }
  if (inherits(data, "ca_task")) {
    check_pair_input(network, data, call)
    if (is_data_task(data)) return(data$data$x)
    abort(c(
      "{.arg data} must be rows of inputs: the network is not linear, and moments are not enough.",
      i = "Draw them from the task with {.code simulate(task, 1000)$x}."
    ), "type", call = call)
  }
  some_inputs(data, network, call)
}

# `data` as one row of inputs or more.
some_inputs <- function(data, network, call) {
  rows <- check_inputs(data, network$input, arg = "data", call = call)
  if (nrow(rows) == 0L) {
    abort(c("{.arg data} must have rows of inputs.", x = "It has none."), "shape", call = call)
  }
  rows
}

# Asks C a question: list(answer, values, rank, parameters), with the evidence of the rank.
allocate <- function(about, question, what) {
  own <- if (is.null(about$samples)) about$m else about$m * about$n
  inform_cost(about$n_rows, about$n_kept, own * about$block)
  setting <- list(
    layer = about$kept, x = about$samples, rows = about$seeds, tol = about$tol, ridge = about$ridge,
    block = as.double(about$block)
  )
  graph <- lower(about$network)
  theta <- about$network$coef
  check_tangent_digits(graph, theta)
  core <- switch(question,
    capacity = .Call(ffi_capacity, graph, theta, setting, what),
    kernel = .Call(ffi_kernel, graph, theta, setting, what),
    table = .Call(ffi_two_way, graph, theta, setting, what)
  )
  core$evidence <- rank_evidence(core, about$tol)
  if (about$ridge == 0) warn_rank_gap(core$evidence)
  core
}

# For every parameter the number of its layer among those that have parameters, 0 when it is left out.
kept_layers <- function(network, layers, call = rlang::caller_env()) {
  own <- params_by_layer(network$layers)
  of <- rep(cumsum(own > 0), own)
  if (is.null(layers)) return(of)
  rows <- network_rows(network)
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
# next to the largest are zero: their roots would not be. Where the network has no use for the constant,
# its coordinate (of samples) stays by itself.
metric_root <- function(x, network, data, samples, call = rlang::caller_env()) {
  moments <- if (is.null(samples)) metric_moments(x, network, data, call) else input_moments(samples, call)
  augmented <- if (is.null(samples)) has_bias(network) else !is_homogeneous(network)
  sigma <- augment_moments(moments, augmented)$sigma
  e <- eigen(sigma, symmetric = TRUE)
  floor <- 10 * nrow(sigma) * .Machine$double.eps * max(e$values, 0)
  root <- sqrt(ifelse(e$values > floor, e$values, 0))
  root <- e$vectors %*% (root * t(e$vectors))
  if (is.null(samples) || augmented) return(root)
  rbind(cbind(root, 0), c(numeric(ncol(root)), 1))
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
  input_moments(some_inputs(data, network, call), call)
}

input_moments <- function(rows, call = rlang::caller_env()) {
  check_squares(rows, "data", call)
  list(
    sigma = crossprod(rows) / nrow(rows), cross = matrix(0, ncol(rows), 1L), target = matrix(1),
    mean_x = colMeans(rows), mean_y = 0
  )
}

# Coordinates per block: QR of [triangle; block] costs 1 + p / rows of its floor,
# and a block of rows x p takes at most about 64 MB.
block_size <- function(m, n, p) {
  rows <- max(min(6 * p, 2^23 / max(p, 1)), p, 512)
  as.integer(min(ceiling(rows / m), n))
}

# Before a long run: what it will need. `block`: rows at a time.
inform_cost <- function(rows, p, block) {
  flops <- 2 * rows * p^2 * (1 + p / block) + 2 * rows * p * min(rows, p)
  if (flops < 2e11) return(invisible())
  megabytes <- 8 * p * (2 * block + 6 * p) / 2^20
  cli::cli_inform(c(
    "Allocating a tangent of {format(rows, big.mark = ',')} x {format(p, big.mark = ',')} in blocks of
      {format(block, big.mark = ',')} rows.",
    i = "At most {signif(flops / 1e9, 2)} billion operations and {signif(megabytes, 2)} MB."
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
