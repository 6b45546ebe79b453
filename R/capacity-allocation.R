# What all allocations share: the network, the metric, the parameters that count, the rank and its evidence.

# list(network, graph, units, metric, augmented, contrast, ridge, decay, array, all_arrays, array_layer, n_kept, m, n,
# n_rows, intercept, samples, seeds, tol, block, x, data):
# `graph` is the network as the core sees it, `seeds` is NULL or the root of the metric, `augmented` whether that has a
# row for means, `contrast` NULL or the map of the outputs, `decay` 0 or the weight of |theta|^2 beside J'J, `array` the
# number of the array (the kernel or the bias of a layer, say) of each parameter or 0 where it is left out,
# `array_layer` the number of the layer of each array, `samples` the inputs (N x n, as the layers see them) of a
# nonlinear network, n the coordinates with the constant.
new_allocation <- function(x, metric, ridge, tol, data, layers, block, call = rlang::caller_env()) {
  network <- network_of(x, "x", call)
  by_default <- identical(metric, capacity_metrics)
  metric <- check_choice(metric, capacity_metrics, arg = "metric", call = call)
  decay <- 0
  if (is_decay_ridge(ridge)) {
    if (by_default) metric <- "covariance"
    decay <- decay_of(x, metric, data, call)
    ridge <- 0
  }
  ridge <- check_number(ridge, min = 0, arg = "ridge", call = call)
  arrays <- parameter_arrays(network)
  array <- kept_arrays(network, arrays$array, layers, call)
  n_kept <- sum(array > 0L)
  samples <- if (!is_linear(network)) sample_inputs(x, network, data, call)
  intercept <- has_constant(network)
  m <- output_size(network)
  n <- input_size(network$input) + intercept
  n_rows <- m * n * max(nrow(samples), 1)
  if (is.null(tol)) tol <- 10 * max(n_rows, n_kept) * .Machine$double.eps
  about <- list(
    network = network, graph = lower(network), units = network$units, metric = metric,
    contrast = output_contrast(network), ridge = ridge,
    # a linear network has the tangent of one sample for all of them
    lambda = decay, decay = decay * max(nrow(samples), 1),
    augmented = if (is.null(samples)) has_bias(network) else !is_homogeneous(network),
    array = array, all_arrays = arrays$array, array_layer = arrays$layer, n_kept = n_kept,
    m = m, n = n, n_rows = n_rows, intercept = intercept,
    samples = samples, x = x, data = data, tol = check_number(tol, min = 0, arg = "tol", call = call)
  )
  about$seeds <- metric_root(about, call)
  about$block <- if (!is.null(block)) {
    check_count(block, arg = "block", call = call)
  } else if (is.null(samples)) {
    block_size(m, n, n_kept)
  } else {
    block_size(m * n, nrow(samples), n_kept)
  }
  about
}

# Inputs at which a nonlinear network is linearised, as its layers see them: rows that the user passes, or those
# that a fit was trained on.
sample_inputs <- function(x, network, data, call) {
  if (is.null(data) && inherits(x, "ca_fit")) return(units_in(fit_rows(x, call)$x, network$units))
  if (is.null(data)) {
    abort(c(
      "The network is not linear: what it allocates depends on its inputs. Pass {.arg data}.",
      i = "Rows of inputs, as in {.fn predict}, such as {.code simulate(task, 1000)$x}."
    ), "no_data", call = call)
  }
  if (inherits(data, "ca_task")) {
    check_pair_input(network, data, call)
    if (is_data_task(data)) return(units_in(data$data$x, network$units))
    abort(c(
      "{.arg data} must be rows of inputs: the network is not linear, and moments are not enough.",
      i = "Draw them from the task with {.code simulate(task, 1000)$x}."
    ), "type", call = call)
  }
  units_in(some_inputs(data, network, call), network$units)
}

# Runs the core: list(answer, values, rank, parameters, norm) with the evidence of the rank, and for trained networks
# `low`, the answer of a projector that attains rank_low (NULL where it is `answer`, or want_low is FALSE).
allocate <- function(about, question, what, want_low = question == "capacity") {
  own <- if (is.null(about$samples)) about$m else about$m * about$n
  inform_cost(about$n_rows, about$n_kept, own * about$block)
  setting <- list(
    array = about$array, left_out = NULL, x = about$samples, rows = about$seeds, contrast = about$contrast,
    tol = about$tol, ridge = about$ridge, decay = as.double(about$decay), block = as.double(about$block)
  )
  graph <- about$graph
  theta <- about$network$coef
  check_tangent_range(graph, theta)
  core <- switch(question,
    capacity = .Call(ffi_capacity, graph, theta, setting, what),
    kernel = .Call(ffi_kernel, graph, theta, setting, what),
    table = .Call(ffi_two_way, graph, theta, setting, what)
  )
  if (question != "capacity") what <- list()
  ask <- function(change) {
    setting[names(change)] <- change
    .Call(ffi_capacity, graph, theta, setting, what)
  }
  settled <- settle_rank(core, about, ask, want_low)
  core$evidence <- settled$evidence
  core$low <- settled$low
  if (!soft(about)) warn_rank_gap(core$evidence)
  core
}

# Arrays of parameters (the kernel or the bias of a layer, say) in the order of theta, depth first: `array`, the number
# of the array of each parameter, and `layer`, the number of the layer of each array.
parameter_arrays <- function(network) {
  sizes <- array_sizes(network$layers)
  of_layer <- lengths(sizes)
  list(
    array = rep(seq_len(sum(of_layer)), as.numeric(unlist(sizes))),
    layer = rep(seq_along(sizes), of_layer)
  )
}

# Numbers of parameters of each array of each layer, a vector a layer.
array_sizes <- function(layers) {
  unlist(lapply(layers, function(layer) {
    c(list(vapply(layer$params, prod, 0)), unlist(lapply(layer$blocks, array_sizes), recursive = FALSE))
  }), recursive = FALSE)
}

# The array of each parameter, 0 for parameters of other layers than those named.
kept_arrays <- function(network, array, layers, call = rlang::caller_env()) {
  if (is.null(layers)) return(array)
  rows <- network_rows(network)
  names <- vapply(rows, function(row) row$name, "")
  unknown <- if (is.character(layers)) setdiff(layers, names)
  if (!is.character(layers) || length(layers) == 0L || length(unknown) > 0L) {
    abort(c(
      "{.arg layers} must name layers of the network: {.or {.val {names}}}.",
      x = if (length(unknown) > 0L) "There is no {.val {unknown}}." else "It is {show_value(layers)}."
    ), "value", call = call)
  }
  keep <- logical(length(array))
  for (row in rows[names %in% layers]) {
    if (row$last >= row$first) keep[row$first:row$last] <- TRUE
  }
  if (!any(keep)) {
    abort(c("{.arg layers} must have parameters.", x = "{.val {layers}} {?has/have} none."),
      "value", call = call)
  }
  array[!keep] <- 0L
  array
}

# Coordinates per block: QR of [triangle; block] costs 1 + p / rows of its floor,
# and a block of rows x p takes at most about 64 MB.
block_size <- function(m, n, p) {
  rows <- max(min(6 * p, block_entries / max(p, 1)), p, least_block_rows)
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
