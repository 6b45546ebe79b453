# Allocations: their record, which capacity(), capacity_kernel() and capacity_table() share, the call of the core, and
# the selection of parameters.

# What is allocated, and how:
#   network      with coefficients
#   graph        its lowered form
#   x, data      as passed by the user: a network or a fit; rows of inputs, a task or NULL
#   units        of the network, or NULL
#   metric       one of capacity_metrics
#   root         root T of the metric (coordinates x coordinates), or NULL for the identity
#   augmented    whether T has a row with the means of the inputs
#   contrast     map of the outputs (m x m), or NULL, see logits_contrast()
#   ridge        ridge relative to the largest squared singular value, 0 for hard capacity and for ridge = "decay"
#   lambda       weight decay of the fit for ridge = "decay", else 0
#   decay        the constant added to the diagonal of J'J for ridge = "decay": lambda times the number of samples
#   tol          tolerance of the rank
#   array        number of the array of each parameter, 0 for parameters that are left out
#   all_arrays   the same without leaving parameters out
#   array_layer  number of the layer of each array
#   n_kept       number of parameters that are not left out
#   m, n         numbers of outputs and of coordinates, the constant included
#   n_rows       rows of the tangent: m n, for nonlinear networks times the number of samples
#   intercept    whether the constant is a coordinate
#   samples      inputs of a nonlinear network in its units (samples x inputs), NULL for a linear network
#   weight       weights of the samples with mean 1 (samples x 1), or NULL
#   block        number of coordinates, or of samples, in a block
#   columns      number of columns in a block, where the tangent has fewer rows than columns
new_allocation <- function(network, graph, x, data, units, metric, root, augmented, contrast, ridge, lambda, decay, tol,
                           array, all_arrays, array_layer, n_kept, m, n, n_rows, intercept, samples, weight,
                           block, columns) {
  list(
    network = network, graph = graph, x = x, data = data, units = units, metric = metric, root = root,
    augmented = augmented, contrast = contrast, ridge = ridge, lambda = lambda, decay = decay, tol = tol, array = array,
    all_arrays = all_arrays, array_layer = array_layer, n_kept = n_kept, m = m, n = n, n_rows = n_rows,
    intercept = intercept, samples = samples, weight = weight, block = block, columns = columns
  )
}

# The allocation that the arguments of capacity() describe.
read_allocation <- function(x, metric, ridge, tol, data, layers, block, call = rlang::caller_env()) {
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
  arrays <- allocation_arrays(network)
  array <- allocation_kept_arrays(network, arrays$array, layers, call)
  n_kept <- sum(array > 0L)
  samples <- if (!is_linear(network)) allocation_sample_inputs(x, network, data, call)
  intercept <- has_constant(network)
  m <- shape_output_size(network)
  n <- input_size(network$input) + intercept
  n_samples <- max(nrow(samples), 1) # the tangent of a linear network is the same at all samples
  n_rows <- m * n * n_samples
  if (is.null(tol)) tol <- 10 * max(n_rows, n_kept) * .Machine$double.eps
  block <- if (!is.null(block)) {
    check_count(block, arg = "block", call = call)
  } else if (is.null(samples)) {
    allocation_block_size(m, n, n_kept)
  } else {
    allocation_block_size(m * n, nrow(samples), n_kept)
  }
  allocation <- new_allocation(
    network = network, graph = lower_network(network), x = x, data = data, units = network$units, metric = metric,
      root = NULL,
    augmented = if (is.null(samples)) has_bias(network) else !is_homogeneous(network),
    contrast = logits_contrast(network), ridge = ridge, lambda = decay, decay = decay * n_samples,
    tol = check_number(tol, min = 0, arg = "tol", call = call), array = array, all_arrays = arrays$array,
    array_layer = arrays$layer, n_kept = n_kept, m = m, n = n, n_rows = n_rows, intercept = intercept,
    samples = samples, weight = if (!is.null(samples)) sample_weights(x, data), block = block,
    columns = allocation_block_columns(n_rows, n_kept)
  )
  allocation["root"] <- list(metric_root(allocation, call))
  allocation
}

# Warns of `data` that a linear network does not use. uses: whether something else than the metric uses it, as do a
# partition by principal components and the convergence number, which takes a task. Data that are no inputs are an
# error.
warn_unused_allocation_data <- function(allocation, uses = FALSE, call = rlang::caller_env()) {
  if (is.null(allocation$data) || !is.null(allocation$samples) || !is.null(allocation$root) || uses) {
    return(invisible())
  }
  if (!inherits(allocation$data, "ca_task")) predict_some_inputs(allocation$data, allocation$network, call)
  warn_unused("data", "The tangent of a linear network is the same at all inputs. {.arg data} is for the
    standardised and the covariance metric, for {.fn partition_pca} and, as a task, for the convergence number.")
}

# The inputs at which a nonlinear network is linearised, in its units (samples x inputs): rows from the user, or those
# that the fit was trained on.
allocation_sample_inputs <- function(x, network, data, call) {
  if (is.null(data) && inherits(x, "ca_fit")) return(units_in(fit_rows(x, call)$x, network$units))
  if (is.null(data)) {
    abort(c(
      "{.arg data} is needed: the allocation of a nonlinear network depends on its inputs.",
      i = "Pass rows of inputs, as in {.fn predict}, such as {.code simulate(task, 1000)$x}."
    ), "no_data", call = call)
  }
  if (inherits(data, "ca_task")) {
    check_pair_input(network, data, call)
    if (is_data_task(data)) return(units_in(data$data$x, network$units))
    abort(c(
      "{.arg data} must be rows of inputs: moments are not sufficient for a nonlinear network.",
      i = "Draw them from the task with {.code simulate(task, 1000)$x}."
    ), "type", call = call)
  }
  units_in(predict_some_inputs(data, network, call), network$units)
}

# The weights of the inputs that allocation_sample_inputs() returns: those of the fit's training rows, or of a task.
sample_weights <- function(x, data) {
  rows <- if (is.null(data)) x$rows else if (inherits(data, "ca_task")) data$data
  unit_weights(rows$weight)
}

# Runs the core and decides the rank. question: "capacity", "kernel" or "table"; what: its own arguments, see the C
# functions. Returns a list:
#   answer      capacities (outputs and coordinates, or basis vectors, x groups of samples), kernel, or two-way table
#   values      singular values
#   rank        number of those above the tolerance
#   total       sum of the weights of all directions: the rank, or the total of a soft capacity
#   parameters  capacity of each parameter, NULL unless want_parameters is TRUE
#   norm        norm of each column of J that is not left out, 0 for dropped columns
#   evidence    record of new_rank_evidence()
#   low         for trained networks `answer` for a projector of rank rank_low; absent where that is `answer` itself or
#               want_low is FALSE
allocate_capacity <- function(allocation, question, what, want_low = question == "capacity", want_parameters = FALSE,
                              call = rlang::caller_env()) {
  check_allocation_size(allocation, call)
  inform_allocation_cost(allocation)
  setting <- list(
    array = allocation$array, left_out = NULL, x = allocation$samples, weight = allocation$weight,
    rows = allocation$root, contrast = allocation$contrast, tol = allocation$tol, ridge = allocation$ridge,
    decay = as.double(allocation$decay), block = as.double(allocation$block), columns = as.double(allocation$columns),
    parameters = want_parameters
  )
  graph <- allocation$graph
  theta <- allocation$network$coef
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
  settled <- settle_rank(core, allocation, ask, want_low)
  core$evidence <- settled$evidence
  core$low <- settled$low
  if (!rank_soft(allocation)) warn_rank_gap(core$evidence)
  core
}

# The arrays of parameters in the order of theta, which is depth first. Returns a list: `array`, the number of the array
# of each parameter, and `layer`, the number of the layer of each array.
allocation_arrays <- function(network) {
  sizes <- allocation_array_sizes(network$layers)
  of_layer <- lengths(sizes)
  list(
    array = rep(seq_len(sum(of_layer)), as.numeric(unlist(sizes))),
    layer = rep(seq_along(sizes), of_layer)
  )
}

# The numbers of parameters of the arrays of each layer: a list with one vector for each layer.
allocation_array_sizes <- function(layers) {
  unlist(lapply(layers, function(layer) {
    c(list(vapply(layer$params, prod, 0)), unlist(lapply(layer$blocks, allocation_array_sizes), recursive = FALSE))
  }), recursive = FALSE)
}

# `array` with 0 for the parameters of layers that `layers` does not name.
allocation_kept_arrays <- function(network, array, layers, call = rlang::caller_env()) {
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

# The number of coordinates (m rows of J each) in a block. QR of [triangle; block] costs 1 + p / rows times as much as
# QR in one piece, so a block has 6 p rows where these take at most 64 MB, else fewer, but at least p and at least 512.
allocation_block_size <- function(m, n, p) {
  rows <- max(min(6 * p, block_entries / max(p, 1)), p, least_block_rows)
  as.integer(min(ceiling(rows / m), n))
}

# The number of columns in a block of a tangent with fewer rows than columns: as many as make up 64 MB, at least as many
# as there are rows.
allocation_block_columns <- function(n_rows, p) min(max(floor(block_entries / n_rows), n_rows, 1), max(p, 1))

# Refuses a tangent whose smaller side, the order of the triangle, is beyond what LAPACK can index.
check_allocation_size <- function(allocation, call) {
  order <- min(allocation$n_rows, allocation$n_kept)
  if (order <= most_order) return(invisible())
  abort(c(
    "The exact allocation needs a triangle of order {format(order, big.mark = ',')}, at most
      {format(most_order, big.mark = ',')} is possible.",
    x = "The tangent has {format(allocation$n_rows, big.mark = ',')} rows and
      {format(allocation$n_kept, big.mark = ',')} columns.",
    i = "Pass fewer rows as {.arg data}, or select layers by {.arg layers}."
  ), "size", call = call)
}

# Operations and bytes of an allocation: at most, since a tangent of full rank needs half of the operations.
allocation_cost <- function(allocation) {
  rows <- allocation$n_rows
  p <- allocation$n_kept
  if (rows < p) {
    widest <- max(allocation$columns, tabulate(allocation$array))
    return(list(
      flops = 2 * p * rows^2 * (1 + rows / allocation$columns) + 20 * rows^3,
      bytes = 8 * rows * (widest + 2 * (allocation$columns + rows) + 6 * rows)
    ))
  }
  block <- allocation$block * allocation$m * if (is.null(allocation$samples)) 1 else allocation$n
  list(
    flops = 2 * rows * p^2 * (1 + p / block) + 2 * rows * p^2 + 20 * p^3,
    bytes = 8 * p * (2 * (block + p) + 6 * p)
  )
}

# Informs about the operations and the memory of a long computation before it begins.
inform_allocation_cost <- function(allocation) {
  cost <- allocation_cost(allocation)
  if (cost$flops < 2e11) return(invisible())
  cli::cli_inform(c(
    "Allocating a tangent of {format(allocation$n_rows, big.mark = ',')} x
      {format(allocation$n_kept, big.mark = ',')}.",
    i = "At most {signif(cost$flops / 1e9, 2)} billion operations and {signif(cost$bytes / 2^20, 2)} MB. Fewer rows in
      {.arg data}, or {.arg layers}, make it smaller."
  ), class = "capalloc_message_cost")
}
