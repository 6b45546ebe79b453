# How activations decouple the outputs of a layer.

#' Decoupling by activations
#'
#' The gate correlation of two units u_i, u_k of a layer with activation phi is
#' K_ik = E\[g_i g_k\] / sqrt(E\[g_i^2\] E\[g_k^2\]), g_i = phi'(u_i). It is 1 everywhere for a linear layer, and
#' near 0 off the diagonal for a very irregular activation: what the layer's outputs can do below it is then
#' decoupled. The decoupling of a layer is 1 less the mean of K_ik^2 over i != k.
#'
#' @section Closed forms:
#' For u_i, u_k jointly Gaussian with mean zero, variances v_i, v_k and correlation rho:
#'
#' | activation | gate correlation |
#' |---|---|
#' | identity | 1 |
#' | relu | 1/2 + asin(rho)/pi |
#' | abs | 2 asin(rho)/pi |
#' | leaky_relu of slope b | (b + (1-b)^2 (1/4 + asin(rho)/(2 pi))) / ((1 + b^2)/2) |
#' | sin of frequency w | cosh(w^2 rho sqrt(v_i v_k)) / sqrt(cosh(w^2 v_i) cosh(w^2 v_k)) |
#' | erf | ((1 + 4 v_i)(1 + 4 v_k))^(1/4) / sqrt((1 + 2 v_i)(1 + 2 v_k) - 4 rho^2 v_i v_k) |
#'
#' Smooth others are expanded in Hermite polynomials, and elu is integrated piece by piece, split at its kink:
#' all to about 1e-12. Means that are not zero are included.
#'
#' @section Of a network:
#' With `task` inputs are Gaussian with its moments. Pre-activations of the first activations are then Gaussian, and
#' their gate correlations exact. Deeper ones are *assumed* Gaussian, with the means and covariances that they have
#' if those before them are (exactly so through linear layers, biases included). With neither `task` nor `data`,
#' inputs are white and every pre-activation is taken as centred, with variance 1. With `data` nothing
#' is assumed: gates are averaged over its rows.
#'
#' Gates of lstm and gru cells, and all that comes after them or after max pooling, need `data`.
#'
#' @param x The name of an activation, as in [activations()], a network with coefficients, or a fit (whose task is
#'   used unless `task` or `data` are given).
#' @param task,data For a network, a task or rows of inputs, as in [propagate_capacity()].
#' @param correlation For an activation, the correlations of pre-activations; by default 201 from -1 to 1.
#' @param variance For an activation, the variance of the pre-activations, or two of them, v_i and v_k.
#' @param parameter For an activation, its parameter, as in [layer_activation()].
#' @param limit For a network, the number of operations above which nothing is done.
#' @returns A data frame of class `ca_decoupling` with columns `layer` (a factor; for an activation its name), `i`, `j`,
#'   `correlation` of the pre-activations and `gate_correlation`, `NA` where a unit is dead (its gate is always 0).
#'   For a network one row for each pair i < j of units of each activation layer, numbered channel-fastest,
#'   then position (those of a recurrence at all its positions; of a gated cell each gate is a layer, such as
#'   `recurrent1.f`).
#'
#'   `glance()` and `summary()`: one row per layer, `layer`, `units`, `dead`, and `decoupling`, without the dead units
#'   and `NA` when there are not two others; for an activation over the correlations given.
#' @references Donier, J. (2019). Capacity allocation through neural network layers.
#'   \doi{10.48550/arXiv.1902.08572}. The decoupling scalar is this package's own.
#' @seealso [propagate_capacity()]; `autoplot()` and `plot()` draw it.
#' @examples
#' decoupling("relu", correlation = c(-1, 0, 0.5, 1))
#' glance(decoupling("sin", variance = 4))
#' net <- input_vector(8) |> layer_dense(6) |> layer_activation("relu") |> layer_dense(1)
#' decoupling(initialise(net, seed = 1))
#' @export
decoupling <- function(x, task = NULL, data = NULL, correlation = NULL, variance = 1, parameter = NULL, limit = 1e11) {
  if (is.character(x)) {
    decoupling_only_networks(task, data)
    return(activation_decoupling(x, correlation, variance, parameter))
  }
  if (!is.null(correlation) || !identical(variance, 1) || !is.null(parameter)) {
    arg <- if (!is.null(correlation)) "correlation" else if (!is.null(parameter)) "parameter" else "variance"
    abort(c("{.arg {arg}} is for the name of an activation.", x = "{.arg x} is {show_value(x)}."), "value")
  }
  network_decoupling(x, task, data, check_plan_limit(limit), rlang::current_env())
}

decoupling_only_networks <- function(task, data, call = rlang::caller_env()) {
  if (is.null(task) && is.null(data)) return(invisible())
  arg <- if (is.null(task)) "data" else "task"
  abort("{.arg {arg}} must be {.code NULL} for the name of an activation.", "value", call = call)
}

# ---- of an activation ------------------------------------------------------------------------------

activation_decoupling <- function(x, correlation, variance, parameter, call = rlang::caller_env()) {
  known <- activations()$activation
  x <- activation_alias(x)
  if (length(x) != 1L || !x %in% known) {
    known <- cli::cli_vec(known, list("vec-trunc" = 100))
    abort(c(
      "{.arg x} must be a network, or the name of an activation: {.or {.val {known}}}.",
      x = "It is {show_value(x)}."
    ), "value", call = call)
  }
  parameter <- check_activation_parameter(parameter, x, call = call)
  rho <- check_decoupling_correlation(correlation, call)
  v <- check_decoupling_variance(variance, call)
  one <- list(phi = x, parameter = parameter, at = 1L, mean = 0, sd = sqrt(v[[1L]]))
  sd <- rep(sqrt(v[[2L]]), length(rho))
  other <- list(phi = x, parameter = parameter, at = seq_along(rho), mean = 0 * rho, sd = sd)
  q <- vapply(v, function(v) gate_moments(x, parameter, 0, sqrt(v))$square, 0)
  second <- pair_block(one, other, matrix(rho * sqrt(v[[1L]] * v[[2L]]), 1L), "slope")
  K <- if (all(q > 0)) as.double(second) / sqrt(prod(q)) else rep(NA_real_, length(rho))
  rows <- list(
    layer = factor(rep(x, length(rho)), levels = x), i = rep(1L, length(rho)), j = rep(2L, length(rho)),
    correlation = rho, gate_correlation = K
  )
  overall <- light_frame(list(layer = x, units = 2L, dead = sum(q == 0), decoupling = 1 - mean(K^2)))
  new_frame(rows, "ca_decoupling", overall = overall, of = "activation", variance = v, parameter = parameter)
}

check_decoupling_correlation <- function(correlation, call) {
  if (is.null(correlation)) return(seq(-100, 100) / 100)
  rho <- check_vector(correlation, arg = "correlation", call = call)
  if (length(rho) == 0L || any(abs(rho) > 1)) {
    outside <- rho[abs(rho) > 1]
    abort(c(
      "{.arg correlation} must be between -1 and 1.",
      x = if (length(rho) == 0L) "It is empty." else "The first that is not is {format(outside[[1L]])}."
    ), "value", call = call)
  }
  rho
}

check_decoupling_variance <- function(variance, call) {
  v <- check_vector(variance, arg = "variance", call = call)
  if (!length(v) %in% 1:2) {
    abort(c("{.arg variance} must be one number, or two for a pair of units.", x = "It has {length(v)}."),
      "shape", call = call)
  }
  if (any(v <= 0)) {
    abort(c("{.arg variance} must be positive.", x = "It is {format(v[v <= 0][[1L]])}."), "value", call = call)
  }
  rep_len(v, 2L)
}

# ---- of a network ----------------------------------------------------------------------------------

network_decoupling <- function(x, task, data, limit, call) {
  fitted <- if (inherits(x, "ca_fit")) x
  network <- network_of(x, call = call)
  if (!is.null(fitted) && is.null(task) && is.null(data)) task <- fitted$task
  inputs <- propagate_gate_inputs(network, task, data, call)
  lowered <- lower_with_rows(network)
  places <- decoupling_activation_places(network, lowered)
  if (nrow(places) == 0L) {
    abort(c(
      "{.arg x} must have activations: a linear network has no gates.",
      i = "Its outputs are coupled, with correlation 1."
    ), "value", call = call)
  }
  if (is.null(inputs$data)) check_decoupling_gaussian(network, lowered, call)
  units <- vapply(places$node, function(node) prod(lowered$graph$ops[[node]]$shape), 0)
  check_plan_cost(2000 * sum(units^2), limit, "The gate correlations of all pairs", call)
  found <- if (is.null(inputs$data)) {
    decoupling_joint_gates(network, lowered$graph, places$node, input_joint(inputs$task, NULL), limit, call)
  } else {
    check_read_range(lowered$graph, network$coef, max(abs(inputs$data)), call, squared = FALSE)
    lapply(places$node, function(node) decoupling_gates_of_rows(node, network, lowered$graph, inputs$data, call))
  }
  frames <- Map(decoupling_pair_rows, found, places$layer)
  columns <- lapply(stats::setNames(nm = c("i", "j", "correlation", "gate_correlation")), function(column) {
    unlist(lapply(frames, function(frame) frame[[column]]), use.names = FALSE)
  })
  sizes <- vapply(frames, function(frame) length(frame$i), 0L)
  layer <- structure(rep(seq_along(sizes), sizes), levels = places$layer, class = "factor")
  overall <- light_frame(list(
    layer = places$layer, units = as.integer(units),
    dead = vapply(found, function(gates) sum(gates$square == 0), 0L),
    decoupling = vapply(found, layer_decoupling, 0)
  ))
  new_frame(c(list(layer = layer), columns), "ca_decoupling", overall = overall, of = "network",
    source = if (!is.null(inputs$data)) "data" else if (!is.null(inputs$task)) "task" else "none")
}

# A data frame with the operations that are activations, `node`, and their layers, `layer`.
decoupling_activation_places <- function(network, lowered) {
  rows <- network_rows(network)
  nodes <- which(operations_are(lowered$graph$ops, "activation"))
  row <- lowered$row[nodes]
  layer <- vapply(rows[row], function(row) row$name, "")
  gated <- vapply(rows[row], function(row) identical(row$layer$cell, "lstm") || identical(row$layer$cell, "gru"), NA)
  parts <- list(lstm = c("i", "f", "g", "o", "memory"), gru = c("r", "z", "n"))
  for (r in unique(row[gated])) {
    own <- rows[[r]]$layer
    names <- parts[[own$cell]]
    if (is_activation_identity(own$activation)) names <- setdiff(names, c("g", "memory", "n"))
    layer[row == r] <- paste0(layer[row == r], ".", names)
  }
  light_frame(list(node = nodes, layer = layer))
}

# Pre-activations after a product or a maximum are not treated as Gaussian.
check_decoupling_gaussian <- function(network, lowered, call) {
  ops <- lowered$graph$ops
  activation <- operations_are(ops, "activation")
  below <- operation_nodes_below(lowered$graph, which(activation))
  stops <- which(below & operations_are(ops, "gate") & !activation)
  if (length(stops) == 0L) return(invisible())
  name <- network_rows(network)[[lowered$row[[stops[[1L]]]]]]$name
  abort(c(
    "{.arg data} is needed: the pre-activations after layer {.val {name}} are not Gaussian.",
    i = "Pass rows of inputs, such as {.code simulate(task, 1000)$x}."
  ), "no_data", call = call)
}

# Gates of the operations `nodes`, each list(correlation, second, square) of its units.
#
# From the joint moments of pre-activations:
decoupling_joint_gates <- function(network, graph, nodes, joint, limit, call) {
  loops <- nodes[vapply(nodes, function(node) graph$ops[[node]]$loop > 0L, NA)]
  tiers <- joint_tiers(list(network = network, graph = graph, limit = limit, call = call), joint, whole = loops)
  first <- flow_plan(graph)$first
  lapply(nodes, function(node) {
    own <- first[[node]] + seq_len(prod(graph$ops[[node]]$shape)) - 1L
    tier <- Filter(function(tier) all(own %in% tier$gate), tiers)[[1L]]
    units <- match(own, tier$gate)
    list(
      correlation = decoupling_cov_correlation(tier$joint$cov[units, units, drop = FALSE]),
      second = tier$moments$second[units, units, drop = FALSE], square = tier$moments$square[units]
    )
  })
}

# At rows of data:
decoupling_gates_of_rows <- function(node, network, graph, data, call) {
  graph$output <- node
  g <- joint_gate_values(graph, network$coef, data, node, call)
  graph$output <- graph$ops[[node]]$from
  u <- .Call(ffi_predict, graph, network$coef, data)
  second <- crossprod(g) / nrow(g)
  centred <- sweep(u, 2L, colMeans(u))
  size <- apply(abs(centred), 2L, max) # its own square need not be a number
  centred <- sweep(centred, 2L, ifelse(size < least_number, Inf, size), "/")
  list(correlation = decoupling_cov_correlation(crossprod(centred) / nrow(u)), second = second, square = diag(second))
}

# Correlations, NA for a constant unit.
decoupling_cov_correlation <- function(cov) {
  sd <- sqrt(pmax(diag(cov), 0))
  rho <- cov / outer(sd, sd)
  rho[!is.finite(rho)] <- NA
  rho
}

decoupling_gate_correlations <- function(gates) {
  K <- gates$second / sqrt(outer(gates$square, gates$square))
  K[!is.finite(K)] <- NA
  K
}

decoupling_pair_rows <- function(gates, layer) {
  pairs <- which(upper.tri(gates$second), arr.ind = TRUE)
  list(
    i = as.integer(pairs[, 1L]), j = as.integer(pairs[, 2L]), correlation = gates$correlation[pairs],
    gate_correlation = decoupling_gate_correlations(gates)[pairs]
  )
}

layer_decoupling <- function(gates) {
  K <- decoupling_gate_correlations(gates)
  K2 <- K[upper.tri(K)]^2
  if (all(is.na(K2))) NA_real_ else 1 - mean(K2, na.rm = TRUE)
}

# ---- methods ---------------------------------------------------------------------------------------

#' @rdname decoupling
#' @param object,... A decoupling, from `decoupling()`; `...` is not used.
#' @export
glance.ca_decoupling <- function(x, ...) {
  check_dots(...)
  attr(x, "overall")
}

#' @rdname decoupling
#' @export
summary.ca_decoupling <- function(object, ...) {
  check_dots(...)
  attr(object, "overall")
}

#' @rdname decoupling
#' @export
tidy.ca_decoupling <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

#' @rdname decoupling
#' @param n Number of pairs to print.
#' @export
print.ca_decoupling <- function(x, n = 6, ...) {
  cat("<decoupling> ", decoupling_source(x), "
", sep = "")
  print(attr(x, "overall"), row.names = FALSE, digits = 4)
  cat("
")
  shown <- seq_len(min(n, nrow(x)))
  print(plain_frame(x)[shown, , drop = FALSE], row.names = FALSE, digits = 4)
  if (nrow(x) > n) cat("  ... and ", nrow(x) - n, " more pairs\n", sep = "")
  invisible(x)
}

decoupling_source <- function(x) {
  if (attr(x, "of") == "activation") {
    v <- unique(attr(x, "variance"))
    return(paste0("at ", if (length(v) == 1L) "variance " else "variances ", task_label_numbers(v)))
  }
  switch(attr(x, "source"),
    data = "at rows of data", task = "of Gaussian inputs with the moments of a task",
    "of white inputs, pre-activations scaled to variance 1"
  )
}
