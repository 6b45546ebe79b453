# Measurements of a scaling study on one network: how far capacity, or a gradient, spreads from the middle of the
# output, the share of it that stays on the skips, and the decoupling of the gates.

# ---- networks --------------------------------------------------------------------------------------

# One exponent at one depth: `depth`, `exponent` and `scale`; `network` and `lowered`, its graph with rows; `at`, see
# measure_input_places(); `middle`, a new_measure_middle(); `draw`, see measure_study_draw(); and `read`, see
# measure_read_graph(), NULL in mode total.
new_measure_case <- function(depth, exponent, scale, network, lowered, at, middle, draw, read) {
  list(depth = depth, exponent = exponent, scale = scale, network = network, lowered = lowered, at = at,
    middle = middle, draw = draw, read = read)
}

measure_study_case <- function(study, depth, exponent) {
  scale <- study$sigma * depth^-exponent
  network <- measure_study_network(study, depth, scale)
  lowered <- lower_with_rows(network)
  middle <- measure_middle_units(network)
  new_measure_case(depth, exponent, scale, network, lowered, at = measure_input_places(network$input), middle = middle,
    draw = measure_study_draw(study, network), read = if (study$mode != "total") measure_read_graph(network,
      lowered$graph, middle))
}

measure_study_network <- function(study, depth, scale) {
  if (is.null(study$architecture)) return(measure_residual_chain(study, depth, scale))
  network <- study$architecture(depth, scale)
  if (!inherits(network, "ca_network")) {
    abort(c(
      "{.arg architecture} must return a network.",
      x = "At depth {depth} it returned {show_value(network)} of class {.cls {class(network)}}."
    ), "type", call = study$call)
  }
  if (network$input$kind == "vector") {
    abort(c(
      "{.arg architecture} must return a network on a sequence or a grid.",
      x = "It is on {describe_input_shape(network$input)}, which has no positions for capacity to spread over."
    ), "shape", call = study$call)
  }
  network
}

# The default architecture. Each block has taps at -1 and +1, an activation, and optionally mixing weights between the
# channels of a position.
measure_residual_chain <- function(study, depth, scale) {
  chain <- study$chain
  C <- chain$channels
  net <- input_sequence(2 * measure_chain_half(study, depth, scale) + 1, channels = chain$channels)
  block <- function(x) {
    x <- layer_conv(x, C, kernel = 2, dilation = 2, padding = "same", bias = study$mode == "recurrent")
    x <- layer_activation(x, chain$activation)
    if (chain$mixing) layer_conv(x, C, kernel = 1) else x
  }
  for (l in seq_len(depth)) net <- layer_residual(net, block, scale = scale)
  if (study$mode == "total") set_coef(net, measure_chain_deviation(net, q = 1)) else net
}

# Standard deviation of each parameter of the chain: 1/sqrt(2 q channels) for taps, 1/sqrt(channels) for mixing weights.
measure_chain_deviation <- function(network, q) {
  unlist(lapply(network_rows(network), function(row) {
    dim <- row$layer$params$kernel
    taps <- dim[3L]
    rep(1 / sqrt(dim[2L] * (if (identical(taps, 2L)) 2 * q else 1)), network_own_params(row$layer))
  }))
}

# Number of positions on each side of the middle. In mode total it is L, since L steps reach no further. On random
# weights it is 16 + N + 6 sqrt(N), at most L, where N bounds the number of steps: 3 times its mean for independent
# weights, and 2 s L for shared weights, whose steps can have one direction.
measure_chain_half <- function(study, depth, scale) {
  if (study$mode == "total") return(depth)
  N <- if (study$mode == "independent") 3 * depth * scale^2 / (1 + scale^2) else 2 * depth * scale
  min(depth, 16 + ceiling(N + 6 * sqrt(N)))
}

# Number of operations of the default architecture at each depth and exponent, without building the networks.
measure_study_cost <- function(study) {
  each <- outer(as.double(study$depths), study$exponents, Vectorize(function(depth, a) {
    length <- 2 * measure_chain_half(study, depth, study$sigma * depth^-a) + 1
    (2 + study$chain$mixing) * study$chain$channels^2 * length * depth
  }))
  each * measure_passes(study)
}

# Cost of a network in multiples of one pass: forward and backward passes, and on random weights passes for gates in
# every draw.
measure_passes <- function(study) if (study$mode == "total") 4 else 8 * study$draws

measure_case_cost <- function(case) {
  ops <- case$lowered$graph$ops
  sum(vapply(ops, function(op) prod(op$shape) * operation_terms(case$lowered$graph, op), 0))
}

# Position of each coordinate of a sequence (n x 1), row and column of each coordinate of a grid (n x 2).
measure_input_places <- function(input) {
  units <- propagate_unit_columns(input$shape, input$kind, input$kind == "grid")
  if (input$kind == "grid") cbind(units$row, units$column) else cbind(units$position)
}

# The middle position of the output: its `row` and `column`, counted from 0, and `units`, the indices of its channels
# among all outputs, counted from 1.
new_measure_middle <- function(row, column, units) list(row = row, column = column, units = units)

measure_middle_units <- function(network) {
  shape <- output_shape(network)
  row <- (shape[[2L]] - 1L) %/% 2L
  column <- (shape[[3L]] - 1L) %/% 2L
  new_measure_middle(row, column, units = shape[[1L]] * (row + shape[[2L]] * column) + seq_len(shape[[1L]]))
}

# Weighted variance of positions, summed over dimensions. `at`: positions (n x dimensions).
measure_weighted_spread <- function(weight, at) {
  share <- weight / sum(weight)
  mean <- colSums(share * at)
  sum(share * (at - rep(mean, each = nrow(at)))^2)
}

# ---- the reach of all steps --------------------------------------------------------------------------

# Spread of a chain in which all capacity goes through every block: L times the second moment of a step. For a given
# architecture it is that of a network with a very large scale.
measure_study_reach <- function(study, depth) {
  if (is.null(study$architecture)) return(as.double(depth))
  network <- measure_study_network(study, depth, 1e8)
  if (study$mode != "total" || is.null(network$coef)) network$coef <- rep(1, n_params(network))
  measure_flow_to(network, measure_input_places(network$input), measure_middle_units(network), integer())$spread
}

# The measurements of one draw: `spread` at the input, share on the skips (`survival`) and `decoupling` of gates.
new_measures <- function(spread, survival, decoupling) {
  list(spread = spread, survival = survival, decoupling = decoupling)
}

# ---- mode total --------------------------------------------------------------------------------------

measure_flow <- function(case, seed) {
  network <- case$network
  if (!is.na(seed)) network$coef <- with_seed(seed, case$draw())
  skips <- measure_residual_sums(case)
  found <- measure_flow_to(network, case$at, case$middle, c(skips$sum, skips$moved))
  n <- length(skips$sum)
  share <- vapply(seq_len(n), function(l) sum(found$units[[n + l]]) / sum(found$units[[l]]), 0)
  new_measures(spread = found$spread, survival = prod(1 - share), decoupling = measure_gate_decoupling(case,
    network$coef, 1))
}

# Carries capacity 1 from the middle of the output to the input, whose coordinates have the positions `at`. Returns a
# list: `spread` at the input, and `units`, the capacities of the units of each node in `nodes`.
measure_flow_to <- function(network, at, middle, nodes) {
  capacity <- replace(numeric(shape_output_size(network)), middle$units, 1 / length(middle$units))
  flow <- read_flow(network, capacity, "total", NULL, NULL)
  start <- list(outputs = capacity, slice = NULL)
  along <- order(nodes) # the core has levels in order of increasing nodes
  levels <- as.integer(c(0L, nodes[along]))
  carried <- .Call(ffi_flow, flow$graph, network$coef, joint_gate_squares(flow), start, levels)
  list(spread = measure_weighted_spread(carried$units[[1L]], at), units = carried$units[-1L][order(along)])
}

# Nodes of the outer residual layers. Returns a list: `sum`, the nodes that add block and skip, and `moved`, the last
# nodes of the blocks.
measure_residual_sums <- function(case) {
  own <- which(vapply(network_rows(case$network), function(row) row$depth == 0L && row$layer$kind == "residual", NA))
  ops <- case$lowered$graph$ops
  sums <- which(case$lowered$row %in% own & operations_are(ops, "sums"))
  moved <- vapply(sums, function(node) ops[[node]]$from[[2L]], 0L)
  # a block without operations has the node of the skip
  other <- moved != vapply(sums, function(node) ops[[node]]$from[[1L]], 0L)
  list(sum = sums[other], moved = moved[other])
}

# ---- random weights ----------------------------------------------------------------------------------

# Returns a function that draws coefficients: for the chain as documented in scaling_study(), otherwise by Glorot's
# scheme. In mode "shared" all residual layers have the coefficients of the first. In mode "recurrent" this holds for
# all but the biases, which are standard normal.
measure_study_draw <- function(study, network) {
  p <- n_params(network)
  plain <- if (is.null(study$chain)) {
    function() as.double(initialise_layers(network$layers, "glorot"))
  } else {
    sd <- measure_chain_deviation(network, q = measure_chain_q(study$chain))
    function() stats::rnorm(p, sd = sd)
  }
  if (!study$mode %in% c("shared", "recurrent")) return(plain)
  first <- measure_shared_entries(network, study)
  bias <- if (study$mode == "recurrent") measure_bias_entries(network, study)
  function() {
    theta <- plain()[first]
    theta[bias] <- stats::rnorm(length(bias))
    theta
  }
}

measure_chain_q <- function(chain) gate_moments(chain$activation, activation_default_parameter(chain$activation), 0,
  1)$square

# For each entry of theta the index of the entry that it shares: in residual layers, the same entry of the first one.
measure_shared_entries <- function(network, study) {
  rows <- Filter(function(row) row$depth == 0L && row$layer$kind == "residual", network_rows(network))
  sizes <- vapply(rows, function(row) row$last - row$first + 1, 0)
  if (length(rows) == 0L || any(sizes != sizes[[1L]]) || sizes[[1L]] == 0) {
    abort(c(
      "{.arg architecture} must return residual layers with equal numbers of parameters in mode {.val {study$mode}}.",
      x = if (length(rows) == 0L) "It has none." else "They have {unique(sizes)}."
    ), "shape", call = study$call)
  }
  first <- seq_len(n_params(network))
  for (row in rows) first[row$first:row$last] <- rows[[1L]]$first:rows[[1L]]$last
  first
}

measure_bias_entries <- function(network, study) {
  entries <- unlist(lapply(network_rows(network), function(row) {
    n <- if (is.null(row$layer$params$bias)) 0 else prod(row$layer$params$bias)
    row$first + network_own_params(row$layer) - n - 1 + seq_len(n) # the last entries of the layer
  }))
  if (length(entries) > 0L) return(entries)
  abort(c(
    "{.arg architecture} must return layers with a bias in mode {.val recurrent}.",
    i = "The bias represents the inputs of each step."
  ), "value", call = study$call)
}

# The graph with one output, a linear combination of the channels at the middle position. Its weights are the last
# entries of theta.
measure_read_graph <- function(network, lowered, middle) {
  graph <- list2env(list(ops = lowered$ops, theta = lowered$n_params, row = 0L))
  channels <- output_shape(network)[[1L]]
  crop <- new_window(pad = -c(middle$row, middle$column))
  from <- lower_emit(graph, "fixed", lowered$output, c(channels, 1L, 1L), window = crop)
  output <- lower_emit(graph, "linear", from, c(1L, 1L, 1L), theta = lower_take(graph, channels))
  list(input = lowered$input, ops = graph$ops, output = output, n_params = graph$theta)
}

measure_gradient <- function(case, seed) {
  n <- input_size(case$network$input)
  channels <- output_shape(case$network)[[1L]]
  drawn <- with_seed(seed, list(theta = case$draw(), x = stats::rnorm(n), w = stats::rnorm(channels)))
  slopes <- .Call(ffi_linearise, case$read, c(drawn$theta, drawn$w), matrix(drawn$x, 1L))[seq_len(n)]
  # relative to the largest derivative, whose square can overflow
  largest <- max(abs(slopes))
  slopes <- if (is.finite(largest) && largest > 0) slopes / largest else slopes * NA_real_
  new_measures(
    spread = measure_weighted_spread(slopes^2, case$at), survival = measure_skip_share(case, slopes, drawn$w),
    decoupling = measure_gate_decoupling(case, drawn$theta, seed)
  )
}

# Share of the gradient that stays on the skips: the squared cosine between the gradient at the output and at the input.
# NA where input and output differ in shape or kind.
measure_skip_share <- function(case, slopes, w) {
  same <- identical(output_shape(case$network), case$network$input$shape)
  if (!same || shape_output_kind(case$network) != case$network$input$kind) return(NA_real_)
  sum(slopes[case$middle$units] * w)^2 / (sum(slopes^2) * sum(w^2))
}

# Decoupling of the channels of a position, 1 - mean of K_ik^2 over i != k, averaged over activations. Moments of gates
# are averages over positions and standard normal inputs, as many as give 50 positions or more. NA without activations
# of two channels or more.
measure_gate_decoupling <- function(case, theta, seed) {
  ops <- case$lowered$graph$ops
  channels <- vapply(ops, function(op) op$shape[[1L]], 0L)
  phi <- which(operations_are(ops, "activation") & channels > 1L)
  if (length(phi) == 0L) return(NA_real_)
  n <- input_size(case$network$input)
  positions <- vapply(ops[phi], function(op) if (op$loop > 0L) 1 else prod(op$shape[-1L]), 0)
  rows <- ceiling(50 / min(positions))
  x <- with_seed(seed, matrix(stats::rnorm(rows * n), rows))
  gates <- joint_gate_values(case$lowered$graph, theta, x, phi)
  layer <- rep(phi, vapply(ops[phi], function(op) prod(op$shape), 0))
  found <- vapply(phi, function(node) {
    own <- gates[, layer == node]
    C <- channels[[node]]
    g <- matrix(aperm(array(own, c(rows, C, length(own) / rows / C)), c(1L, 3L, 2L)), ncol = C)
    second <- crossprod(g) / nrow(g)
    layer_decoupling(list(second = second, square = diag(second)))
  }, 0)
  if (all(is.na(found))) NA_real_ else mean(found, na.rm = TRUE)
}
