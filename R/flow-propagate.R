# Capacity through layers: from the outputs, or from a layer's parameters, back to the input.

#' Capacity through layers
#'
#' How the capacity of a network's outputs, or of a layer's parameters, flows back through its layers to
#' the input.
#'
#' A layer u = A h followed by an activation has the gates g_i = phi'(u_i), which vary with the input. What
#' the parameters above can do to the inputs below goes through them: gates that vary together (gate
#' correlation K_ik = E\[g_i g_k\] / sqrt(q_i q_k) near 1, q_i = E\[g_i^2\]) keep the layer's outputs coupled, as
#' in a linear network; gates that do not (K_ik near 0) decouple them, see [decoupling()].
#'
#' @section Mode total:
#' All outputs of all layers are taken as decoupled (K = I): capacity is a mass that moves from unit to
#' unit by a Markov rule, kappa_j = sum_i kappa_i T_ij, and is conserved.
#'
#' * Through a layer T_ij = A_ij^2 / |A_i|^2, with the rows that there are: shorter ones at a border.
#' * A bias is one more column, whose part goes to the `(Intercept)` and stays there. Max pooling divides by how
#'   often each input is the largest in `data`, equally without.
#' * At a sum the capacity of unit i is divided among the branches in proportion to scale^2 times the squared
#'   gain of each from the nearest node that they share: G = 1 there, G_i = sum_j A_ij^2 G_j + b_i^2 through a
#'   layer, times q_i through an activation, and a skip has gain 1. For h + s phi(A h) this is
#'   T_ij = (delta_ij + s^2 q_i A_ij^2) / (1 + s^2 q_i |A_i|^2). A cell's sum A h + B x + b is one row of its
#'   recurrent layer.
#' * What reaches a row of zeros, or an activation whose gate is always 0, goes to a part called `lost`.
#' * From a layer's parameters, each has capacity 1, divided among the positions that share it in proportion
#'   to their squared sensitivities (of the outputs, summed, gates decoupled).
#'
#' It costs one pass over the weights.
#'
#' @section Modes linear, gaussian and empirical:
#' They carry tangent vectors V^k, one for each start, backwards by the second moments of their pairs,
#' S^(kl) = E\[V^k V^l'\]: through a layer S_in = A' (Gamma o S_out) A with Gamma_ik = E\[g_i g_k\] (o the entrywise
#' product), through h + s phi(A h)
#' S_in = S + s (A' D S + S D A) + s^2 A' (Gamma o S) A, D = diag(E g_i). At each layer the capacity of unit j is
#' sum_kl (G^+)_kl S^(kl)_jj, G_kl = tr S^(kl); of one output, its share of the trace.
#'
#' * `"linear"`: every gate is a constant, the root of q_i (K = 1). From a layer's parameters in a network without
#'   activations this is the [capacity()] of that layer, with its `(Intercept)`.
#' * `"gaussian"`: Gamma of Gaussian pre-activations, as in [decoupling()], from the moments of `task` or `data`; with
#'   neither, of white inputs with pre-activations centred and scaled to variance 1.
#' * `"empirical"`: Gamma averaged over the rows of `data`.
#'
#' Exact for one hidden layer and its read-out. Deeper it is *assumed* that a layer's gates are independent
#' of the tangents above; activations that are equally many steps away from the input (in parallel blocks) are taken
#' together, with the moments between them. Left out are the (Intercept) row of networks with activations and, for
#' parameters at or below a smooth activation, the terms in phi''.
#'
#' From p parameters, with n units on the way, the last two carry p (p + 1)/2 matrices n x n (from a recurrence, or a
#' layer that holds others, p + 1 more), which costs up to p^2 n^3 a layer (less where rows are sparse); from
#' outputs, one matrix for each. The law of all pre-activations takes about 2000 operations for each pair of units of an
#' activation. In networks without activations, and in mode linear, vectors are carried themselves. Ranks of G see
#' nothing below 1e-8 of the largest vector. What takes more than 1e10 operations is said before
#' (`capalloc_message_cost`).
#'
#' @section Gates:
#' q_i is that of pre-activations from `task` or `data`; with neither they have mean zero and variance 1.
#'
#' | layer | total | linear | gaussian | empirical |
#' |---|---|---|---|---|
#' | dense, conv, local, average pool, upsample, last, flatten | yes | yes | yes | yes |
#' | residual, parallel, activation | yes | yes | yes | yes |
#' | recurrent: elman, diagonal | yes | yes | yes | yes |
#' | recurrent: lstm, gru | - | - | - | yes |
#' | max pool | without `task` | without `task` | - | yes |
#'
#' @param network A network with coefficients, or a fit: unless `task` or `data` are given its task is used, and where
#'   gates are asked at samples (mode empirical, max pooling) the inputs that it was trained on.
#' @param from Where capacity starts: `NULL`, each output separately with capacity 1, summed; the name of a layer
#'   as in [summary.ca_network()], its parameters; `list(position =, channel =)`, one output (a vector's
#'   position is its index); or, in mode total, a numeric vector of the capacity of every output.
#' @param mode `"total"`, `"linear"`, `"gaussian"` or `"empirical"`.
#' @param task A task, whose inputs are taken as Gaussian with its moments.
#' @param data Rows of inputs, as in [predict.ca_network()], or a task made from data. Not together with `task`.
#' @param limit The number of operations above which an error says the figure and nothing is done; `Inf` for none.
#' @returns A data frame of class `ca_propagation` with the capacity at the input of each layer, in order from
#'   input to output (a residual or parallel layer is one level), and at the level `output`: `layer` (a factor),
#'   `part` (`"unit"`, and in mode total `"(Intercept)"` and `"lost"`, all that went there from the start on; in the
#'   other modes the `"(Intercept)"` of networks with a bias and without activations),
#'   `position`, `channel` (of a network on a grid also `row`, `column`; of a vector the position is the
#'   index), `capacity`. From a layer's parameters the levels end with that layer. In mode total each level sums
#'   to the same total; in the others, to the rank of the vectors there.
#'
#'   `glance()`: one row, `mode`, `from`, `total` (where capacity starts), `input` (what arrives at the units of the
#'   input), `intercept`, `lost` (`NA` outside mode total) and `rank` (at the input; `NA` in mode total).
#' @references Donier, J. (2019). Capacity allocation through neural network layers.
#'   \doi{10.48550/arXiv.1902.08572}.
#' @seealso [decoupling()], [capacity()]; `autoplot()` and `plot()` draw it.
#' @examples
#' net <- input_sequence(32)
#' for (i in 1:4) {
#'   block <- \(x) layer_conv(x, 1, kernel = 2, dilation = 2, padding = "same")
#'   net <- layer_residual(net, block, scale = 0.5)
#' }
#' net <- set_coef(net, rep(1 / sqrt(2), 8))
#' flow <- propagate_capacity(net, from = list(position = 16))
#' subset(flow, layer == "residual1" & capacity > 0.01)
#' @export
propagate_capacity <- function(network, from = NULL, mode = c("total", "linear", "gaussian", "empirical"),
                               task = NULL, data = NULL, limit = 1e11) {
  mode <- check_choice(mode, c("total", "linear", "gaussian", "empirical"))
  limit <- check_plan_limit(limit)
  warn_unused_gates(network, task, data)
  flow <- read_flow(network, from, mode, task, data, limit, rlang::current_env())
  levels <- flow_through(flow)
  warn_propagate_rank_gaps(levels, flow$names)
  new_propagation_frame(flow, levels)
}

# Capacities at each level, from input to output.
flow_through <- function(flow) if (flow$mode == "total") flow_total(flow) else flow_moments(flow)

# A question about capacity through layers:
#   network, graph  and its lowered form
#   start           propagate_read_start()
#   mode            as in propagate_capacity()
#   task, data      where gates are evaluated, see propagate_gate_inputs()
#   names           of the levels, from input to output
#   nodes, spaces   the nodes of the levels, and their shape and kind
#   limit           operations above which nothing is computed
#   call            the caller, for errors
new_flow <- function(network, graph, start, mode, task, data, names, nodes, spaces, limit, call) {
  list(network = network, graph = graph, start = start, mode = mode, task = task, data = data, names = names,
    nodes = nodes, spaces = spaces, limit = limit, call = call)
}

read_flow <- function(network, from, mode, task, data, limit = Inf, call = rlang::caller_env()) {
  fitted <- if (inherits(network, "ca_fit")) network
  network <- network_of(network, call = call)
  lowered <- lower_with_rows(network)
  if (!is.null(fitted) && is.null(task) && is.null(data)) {
    own <- propagate_fit_inputs(fitted, mode == "empirical" || length(propagate_maxima(lowered$graph)) > 0L, call)
    task <- own$task
    data <- own$data
  }
  start <- propagate_read_start(from, mode, network, call)
  inputs <- propagate_gate_inputs(network, task, data, call)
  check_propagate_mode(network, lowered, mode, inputs, call)
  if (mode == "empirical") inputs <- propagate_empirical_inputs(inputs, is_linear(network), call)
  levels <- flow_levels(network, lowered, start)
  new_flow(network, lowered$graph, start, mode, inputs$task, inputs$data, levels$names, levels$nodes, levels$spaces,
    limit, call)
}

# Warns of `task` and `data` for a network without gates.
warn_unused_gates <- function(network, task, data) {
  if (is.null(task) && is.null(data)) return(invisible())
  if (!inherits(network, c("ca_network", "ca_fit"))) return(invisible()) # an error later
  graph <- lower_network(if (inherits(network, "ca_fit")) network$network else network)
  if (any(operations_are(graph$ops, "gate"))) return(invisible())
  warn_unused(unused_of(task = is.null(task), data = is.null(data)), "Gates are evaluated there, and this network is
    linear: it has none.")
}

# Where the gates of a fit are evaluated by default: list(task, data).
propagate_fit_inputs <- function(fitted, sampled, call) {
  list(
    task = if (!sampled) fitted$task,
    data = if (sampled && !is_linear(fitted$network)) rows_by_weights(fit_rows(fitted, call))
  )
}

# The operations of a graph that multiply two of their inputs; those that are nonlinear in a window, such as a maximum.
propagate_products <- function(graph) which(operations_are(graph$ops, "gate") & operations_are(graph$ops, "multiplies"))
propagate_maxima <- function(graph) which(operations_are(graph$ops, "gate") & operations_are(graph$ops, "windowed"))

# Where gates are evaluated: list(task, data), at most one of them, `data` as rows, both in the units of the network.
propagate_gate_inputs <- function(network, task, data, call) {
  if (!is.null(task) && !is.null(data)) {
    abort(c(
      "Only one of {.arg task} and {.arg data} can be given.",
      i = "The gates are those of Gaussian inputs with the moments of {.arg task}, or those at {.arg data}."
    ), "value", call = call)
  }
  if (!is.null(task)) {
    check_task(task, call = call)
    check_pair_input(network, task, call)
  }
  if (inherits(data, "ca_task")) {
    if (!is_data_task(data)) {
      abort(c(
        "{.arg data} must be rows of inputs, or a task made from data.",
        i = "Draw them from the task with {.code simulate(task, 1000)$x}, or pass it as {.arg task}."
      ), "type", call = call)
    }
    check_pair_input(network, data, call)
    data <- rows_by_weights(data$data)
  }
  if (!is.null(data)) data <- units_in(predict_some_inputs(data, network, call), network$units)
  list(task = task_in(task, network$units), data = data)
}

propagate_empirical_inputs <- function(inputs, linear, call) {
  if (!is.null(inputs$task) && is_data_task(inputs$task)) {
    inputs <- list(task = NULL, data = rows_by_weights(inputs$task$data))
  }
  if (is.null(inputs$data) && !linear) {
    abort(c(
      "Mode {.val empirical} needs {.arg data}: rows of inputs, at which the gates are evaluated.",
      i = "Draw them from a task with {.code simulate(task, 1000)$x}."
    ), "no_data", call = call)
  }
  inputs
}

# Refuses layers that a mode is not defined for, and names the modes that are.
check_propagate_mode <- function(network, lowered, mode, inputs, call) {
  name <- function(nodes) network_rows(network)[[lowered$row[[nodes[[1L]]]]]]$name
  product <- propagate_products(lowered$graph)
  maximum <- propagate_maxima(lowered$graph)
  if (mode != "empirical" && length(product) > 0L) {
    abort(c(
      "Mode {.val {mode}} is not defined for layer {.val {name(product)}}, whose cell multiplies its states by
        gates.",
      i = "Mode {.val empirical} is."
    ), "mode", call = call)
  }
  if (length(maximum) == 0L) return(invisible())
  if (mode == "gaussian") {
    abort(c(
      "Mode {.val gaussian} is not defined for layer {.val {name(maximum)}}: a maximum is not Gaussian.",
      i = "Modes {.val total}, {.val linear} and {.val empirical} are."
    ), "mode", call = call)
  }
  if (!is.null(inputs$task) && mode != "empirical") {
    abort(c(
      "{.arg task} must be {.code NULL} for layer {.val {name(maximum)}}: a maximum is not Gaussian.",
      i = "Pass rows of inputs as {.arg data}, such as {.code simulate(task, 1000)$x}."
    ), "mode", call = call)
  }
  invisible()
}

# The start of capacity, list(kind, ...): "outputs", "output" and "given" have `capacity` by output, "layer" has the
# layer's `name`, `row` and parameters `first` to `last`.
propagate_read_start <- function(from, mode, network, call) {
  if (is.null(from)) return(list(kind = "outputs", capacity = rep(1, shape_output_size(network))))
  if (is.character(from)) return(propagate_start_layer(from, network, call))
  if (is.list(from)) return(propagate_start_output(from, network, call))
  m <- shape_output_size(network)
  if (mode != "total" && is.numeric(from)) {
    abort(c(
      "{.arg from} can only be capacities in mode {.val total}.",
      x = "The mode is {.val {mode}}: capacity there starts from outputs, or from a layer's parameters."
    ), "value", call = call)
  }
  if (!is.numeric(from)) {
    abort(c(
      "{.arg from} must be {.code NULL}, the name of a layer, {.code list(position = , channel = )} or a
        number for each output.",
      x = "It is {show_value(from)}."
    ), "type", call = call)
  }
  kappa <- check_vector(from, m, arg = "from", call = call)
  if (any(kappa < 0)) {
    abort(c("{.arg from} must not be negative.", x = "The first that is is {format(kappa[kappa < 0][[1L]])}."),
      "value", call = call)
  }
  list(kind = "given", capacity = kappa)
}

propagate_start_layer <- function(from, network, call) {
  rows <- network_rows(network)
  names <- vapply(rows, function(row) row$name, "")
  at <- if (length(from) == 1L) match(from, names) else NA
  if (is.na(at)) {
    abort(c(
      "{.arg from} must name one layer of the network: {.or {.val {names}}}.",
      x = "It is {show_value(from)}."
    ), "value", call = call)
  }
  if (rows[[at]]$last < rows[[at]]$first) {
    abort(c("{.arg from} must name a layer with parameters.", x = "{.val {from}} has none."), "value", call = call)
  }
  list(kind = "layer", name = from, row = at, first = rows[[at]]$first, last = rows[[at]]$last)
}

propagate_start_output <- function(from, network, call) {
  known <- c("position", "channel")
  wrong <- setdiff(if (is.null(names(from))) rep("", length(from)) else names(from), known)
  if (length(wrong) > 0L || length(from) == 0L || anyDuplicated(names(from))) {
    abort(c(
      "{.arg from} must be {.code list(position = , channel = )} to name one output.",
      x = if (length(wrong) > 0L) "It has {.val {wrong}}." else "Its names are {show_value(names(from))}."
    ), "value", call = call)
  }
  most <- propagate_unit_extent(output_shape(network), shape_output_kind(network))
  at <- vapply(known, function(name) {
    value <- if (is.null(from[[name]])) 1L else {
      check_count(from[[name]], arg = paste0("from$", name), call = call)
    }
    if (is.null(from[[name]]) && most[[name]] > 1L) {
      abort(c("{.arg from} must have a {.field {name}}.", x = "The network's output has {most[[name]]} of them."),
        "value", call = call)
    }
    if (value > most[[name]]) {
      abort(c("{.arg from$%s} must be at most {most[[name]]}." |> sprintf(name), x = "It is {value}."),
        "value", call = call)
    }
    value
  }, 0L)
  output <- at[["channel"]] + most[["channel"]] * (at[["position"]] - 1L)
  list(kind = "output", output = output,
    capacity = as.numeric(seq_len(shape_output_size(network)) == output))
}

# Numbers of positions and channels of a result. The entries of a vector count as positions.
propagate_unit_extent <- function(shape, kind) {
  if (kind == "vector") return(c(position = shape[[1L]], channel = 1L))
  c(position = shape[[2L]] * shape[[3L]], channel = shape[[1L]])
}

# The levels are the inputs of the network's layers, and its output. From a layer's parameters they end at that layer.
flow_levels <- function(network, lowered, start) {
  rows <- network_rows(network)
  own <- which(vapply(rows, function(row) row$depth == 0L, NA))
  if (start$kind == "layer") own <- union(own[own < start$row], start$row)
  names <- vapply(rows[own], function(row) row$name, "")
  nodes <- lowered$from[own]
  spaces <- lapply(rows[own], function(row) list(shape = row$layer$in_shape, kind = row$layer$in_kind))
  if (start$kind != "layer") {
    names <- c(names, "output")
    nodes <- c(nodes, lowered$graph$output)
    spaces <- c(spaces, list(list(shape = output_shape(network), kind = shape_output_kind(network))))
  }
  list(names = names, nodes = as.integer(nodes), spaces = spaces)
}

# ---- mode total ------------------------------------------------------------------------------------

# Capacities at each level: list(unit, constant, lost).
flow_total <- function(flow) {
  start <- flow$start
  from <- list(outputs = if (start$kind != "layer") as.double(start$capacity), slice = flow_slice(start))
  found <- .Call(ffi_flow, flow$graph, flow$network$coef, joint_gate_squares(flow), from, flow$nodes)
  lapply(seq_along(flow$nodes), function(l) {
    list(unit = found$units[[l]], constant = found$constant[[l]], lost = found$lost[[l]])
  })
}

# ---- results ---------------------------------------------------------------------------------------

new_propagation_frame <- function(flow, levels) {
  grid <- flow$network$input$kind == "grid"
  frames <- Map(function(level, space) propagate_level_rows(level, space, grid), levels, flow$spaces)
  columns <- lapply(stats::setNames(nm = names(frames[[1L]])), function(column) {
    unlist(lapply(frames, function(frame) frame[[column]]), use.names = FALSE)
  })
  sizes <- vapply(frames, function(frame) length(frame$capacity), 0L)
  layer <- structure(rep(seq_along(sizes), sizes), levels = flow$names, class = "factor")
  new_frame(c(list(layer = layer), columns), "ca_propagation",
    mode = flow$mode, from = propagate_start_text(flow$start, flow$network), input_kind = flow$network$input$kind,
    ranks = if (flow$mode != "total") vapply(levels, function(level) as.double(level$rank), 0)
  )
}

# One warning for all levels whose rank is undecided.
warn_propagate_rank_gaps <- function(levels, names) {
  unclear <- vapply(levels, function(level) {
    !is.null(level$evidence) && level$evidence$rank_low != level$evidence$rank_high
  }, NA)
  if (!any(unclear)) return(invisible())
  first <- levels[unclear][[1L]]$evidence
  warn(c(
    "The rank of the tangent vectors is not clear at {sum(unclear)} level{?s}, the first of them
      {.val {names[unclear][[1L]]}}: {first$rank} at the tolerance {format(first$tol, digits = 2)},
      {first$rank_low} at ten times and {first$rank_high} at a tenth of it."
  ), "rank_gap", evidence = first)
}

propagate_level_rows <- function(level, space, grid) {
  units <- propagate_unit_columns(space$shape, space$kind, grid)
  parts <- c(if (!is.null(level$constant)) "(Intercept)", if (!is.null(level$lost)) "lost")
  n <- length(level$unit)
  columns <- lapply(units, function(column) c(column, rep(NA_integer_, length(parts))))
  c(
    list(part = c(rep("unit", n), parts)), columns,
    list(capacity = c(level$unit, level$constant, level$lost))
  )
}

# Position and channel of every unit; for a network on a grid also row and column, NA for units that have none.
propagate_unit_columns <- function(shape, kind, grid) {
  most <- propagate_unit_extent(shape, kind)
  position <- rep(seq_len(most[["position"]]), each = most[["channel"]])
  columns <- list(position = position, channel = rep(seq_len(most[["channel"]]), times = most[["position"]]))
  if (!grid) return(columns)
  none <- if (kind != "grid") NA_integer_ else 0L
  columns$row <- (position - 1L) %% shape[[2L]] + 1L + none
  columns$column <- (position - 1L) %/% shape[[2L]] + 1L + none
  columns
}

propagate_start_text <- function(start, network) {
  switch(start$kind,
    outputs = if (length(start$capacity) == 1L) "the output" else "each output",
    output = paste("output", start$output),
    layer = paste("the parameters of", start$name),
    given = "given capacities of the outputs"
  )
}

#' @rdname propagate_capacity
#' @param x A propagation, from `propagate_capacity()`.
#' @param n Number of levels to print.
#' @param ... Not used.
#' @export
print.ca_propagation <- function(x, n = 20, ...) {
  cat("<capacity through layers> mode ", attr(x, "mode"), ", from ", attr(x, "from"), "\n", sep = "")
  totals <- propagate_level_totals(x)
  print(totals[seq_len(min(n, nrow(totals))), , drop = FALSE], row.names = FALSE, digits = 4)
  if (nrow(totals) > n) cat("  ... and ", nrow(totals) - n, " more levels\n", sep = "")
  invisible(x)
}

#' @rdname propagate_capacity
#' @export
glance.ca_propagation <- function(x, ...) {
  check_dots(...)
  totals <- propagate_level_totals(x)
  last <- totals[nrow(totals), -1L, drop = FALSE]
  own <- function(column) if (is.null(totals[[column]])) NA_real_ else totals[[column]][[1L]]
  ranks <- attr(x, "ranks")
  light_frame(list(
    mode = attr(x, "mode"), from = attr(x, "from"), total = sum(last), input = totals$units[[1L]],
    intercept = own("(Intercept)"), lost = own("lost"), rank = if (is.null(ranks)) NA_real_ else ranks[[1L]]
  ))
}

#' @rdname propagate_capacity
#' @export
tidy.ca_propagation <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

# By level the capacity of its units, and of the other parts.
propagate_level_totals <- function(x) {
  rows <- plain_frame(x)
  parts <- intersect(c("unit", "(Intercept)", "lost"), rows$part)
  sums <- lapply(stats::setNames(nm = parts), function(part) {
    as.double(tapply(rows$capacity * (rows$part == part), rows$layer, sum))
  })
  names(sums)[[1L]] <- "units"
  light_frame(c(list(layer = levels(rows$layer)), sums))
}
