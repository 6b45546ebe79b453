# Joint moments of the pre-activations in a network, and the moments of its gates.
#
# For Gaussian inputs the first pre-activations are Gaussian. Deeper ones are approximated as Gaussian, with the means
# and covariances that they have when the pre-activations before them are Gaussian: linear operations map these exactly,
# and E phi(u), E[phi(u_i) phi(u_k)] and cov(phi(u_i), r) = E[phi'(u_i)] cov(u_i, r) follow from Gaussian u
# (R/flow-pair.R). Without a task, inputs are white and every pre-activation is centred and scaled to variance 1.

# One record for each tier of activations (those after the same number of nonlinear steps), from input to output:
#   gate     numbers of its gates, from 0 (src/flow-gate.h), in the order of its units
#   joint    list(mean, cov, classes) of its pre-activations, see R/flow-pair.R
#   moments  pair_moments() of them
# Activations of recurrences run position by position, so each position is a tier. Those of the operations `whole`
# follow once more at the end, with all positions together.
new_joint_tier <- function(gate, joint, moments) list(gate = gate, joint = joint, moments = moments)

# `joint` has the mean and the covariance of the inputs, NULL for white inputs.
joint_tiers <- function(flow, joint = NULL, whole = integer()) {
  graph <- flow$graph
  coef <- flow$network$coef
  check_plan_cost(joint_cost(flow_plan(graph, whole = whole)), flow$limit, "The joint moments of all pre-activations",
    flow$call)
  sd <- if (is.null(joint)) 1 else sqrt(max(diag(joint$cov), 0))
  check_read_range(graph, coef, sd, flow$call, white = is.null(joint))
  found <- list()
  visit <- function(tier) {
    check_range_overflow(c(tier$mean, tier$cov), "the joint moments of pre-activations", flow$call)
    at <- joint_pre_activations(graph, tier, white = is.null(joint))
    moments <- pair_moments(at$joint, values = tier$is_read)
    found[[length(found) + 1L]] <<- new_joint_tier(tier$gate, at$joint, moments)
    if (tier$is_read) list(slope = moments$mean / at$scale, value = moments$value, moment = moments$moment)
  }
  n <- prod(graph$input)
  white <- list(mean = numeric(n), cov = diag(n))
  input <- if (is.null(joint)) white else joint
  .Call(ffi_flow_joint, graph, coef, as.double(input$mean), input$cov, as.integer(whole), visit)
  found
}

# Pre-activations of a tier as pair_moments() takes them, list(joint, scale). White ones are centred and divided by
# `scale`.
joint_pre_activations <- function(graph, tier, white) {
  cov <- tier$cov
  mean <- tier$mean
  scale <- rep(1, length(mean))
  if (white) {
    sd <- sqrt(pmax(diag(cov), 0))
    scale <- ifelse(sd > 0, sd, 1)
    cov <- cov / outer(scale, scale)
    diag(cov) <- 1
    mean <- 0 * mean
  }
  list(joint = list(mean = mean, cov = cov, classes = joint_activation_classes(graph, tier$node)), scale = scale)
}

# Units by their activation and its parameter, in the order in which these first occur: list(phi, parameter, at).
joint_activation_classes <- function(graph, node) {
  kinds <- unique(node)
  name <- vapply(graph$ops[kinds], function(op) paste(op$phi, format(op$scale, digits = 17)), "")
  of_unit <- name[match(node, kinds)]
  lapply(unname(split(seq_along(node), factor(of_unit, levels = unique(of_unit)))), function(units) {
    op <- graph$ops[[node[[units[[1L]]]]]]
    list(phi = op$phi, parameter = op$scale, at = units)
  })
}

# A pair of pre-activations takes about 2000 operations.
joint_cost <- function(plan) 2000 * plan$pairs + plan_carry_cost(plan, "joint", plan$size[["joint"]])

# Mean and covariance of the inputs of a task, or of rows. NULL without them.
input_joint <- function(task, data) {
  if (is.null(task) && is.null(data)) return(NULL)
  if (!is.null(data)) {
    mean <- colMeans(data)
    return(list(mean = mean, cov = crossprod(sweep(data, 2L, mean)) / nrow(data)))
  }
  list(mean = task$moments$mean_x, cov = task_centred_moments(task)$sigma)
}

# ---- all gates, in the order of the core: channels, taps, positions, operations ----------------------

# Mean square of every gate: over data, for Gaussian inputs with the moments of a task, or for pre-activations of mean 0
# and variance 1.
joint_gate_squares <- function(flow) {
  squares <- if (!any(operations_are(flow$graph$ops, "gate"))) {
    numeric()
  } else if (!is.null(flow$data)) {
    .Call(ffi_gate_squares, flow$graph, flow$network$coef, flow$data)
  } else if (!is.null(flow$task)) {
    joint_squares(flow)
  } else {
    joint_standard_squares(flow$graph)
  }
  check_range_overflow(squares, "a gate", flow$call)
}

# A maximum passes each of its inputs with the same probability.
joint_standard_squares <- function(graph) {
  gates <- graph$ops[operations_are(graph$ops, "gate")]
  as.double(unlist(lapply(gates, function(op) {
    if (operation_kinds_are(op$kind, "activation")) return(rep(gate_moments(op$phi, op$scale, 0, 1)$square,
      prod(op$shape)))
    taps <- operation_terms(graph, op)
    rep(1 / taps, prod(op$shape) * taps)
  })))
}

joint_squares <- function(flow) {
  tiers <- joint_tiers(flow, input_joint(flow$task, NULL))
  square <- unlist(lapply(tiers, function(tier) tier$moments$square))
  as.double(square[order(unlist(lapply(tiers, function(tier) tier$gate)))])
}

# Gates of some operations at every row of data: rows x gates.
joint_gate_values <- function(graph, coef, data, nodes, call = rlang::caller_env()) {
  check_range_overflow(.Call(ffi_gate_values, graph, coef, data, as.integer(nodes)), "a gate", call)
}
