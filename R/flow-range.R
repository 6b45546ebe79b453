# Checks for overflow and underflow. Overflow shows as Inf or NaN in a result. Underflow gives zeros or numbers with few
# digits (below 2^-1022) that look valid, so the products of gains along the paths of a network are checked before.
# Second moments underflow at half the exponent.

# Smaller statistics of samples count as zero: units may be saturated at all of them.
least_number <- 1e-300

# Base-2 logarithms of the largest product of gains over all paths from the input or a constant to each node (`up`), and
# from each node to the output (`down`). The first entry is the input. `through` has for each operation the largest
# product over the paths through it, without its own gain. Loops are passed once. The product restarts at 1 after the
# operations `anew`, and the gains of the operations `free` count as 1.
range_node_gains <- function(graph, coef, anew = integer(), free = integer()) {
  ops <- graph$ops
  own <- range_own_gains(graph, coef)
  # a bias passes its input with gain 1, and paths start at its constant
  bias <- operations_are(ops, "constant")
  constant <- ifelse(bias, own, -Inf)
  own[bias] <- 0
  own[free] <- 0
  up <- c(0, rep(-Inf, length(ops)))
  read <- numeric(length(ops))
  for (i in seq_along(ops)) {
    step <- range_gain_step(ops[[i]], i)
    read[[i]] <- max(up[step$from + 1L] + step$gain, -Inf)
    up[[i + 1L]] <- if (i %in% anew) 0 else max(read[[i]] + own[[i]], constant[[i]])
  }
  down <- replace(rep(-Inf, length(ops) + 1L), graph$output + 1L, 0)
  for (i in rev(seq_along(ops))) {
    step <- range_gain_step(ops[[i]], i)
    down[step$from + 1L] <- pmax(down[step$from + 1L], down[[i + 1L]] + own[[i]] + step$gain)
  }
  list(up = up, down = down, through = ifelse(bias, 0, read) + down[-1L])
}

# The largest weight of each operation, times the root of the number of terms of one output.
range_own_gains <- function(graph, coef) {
  has_own <- operations_are(graph$ops, "theta")
  begin <- vapply(graph$ops, function(op) op$theta, 0)
  ends <- sort(unique(c(begin[has_own], length(coef))))
  vapply(seq_along(has_own), function(i) {
    if (!has_own[[i]]) return(0)
    op <- graph$ops[[i]]
    largest <- max(abs(coef[(begin[[i]] + 1):min(ends[ends > begin[[i]]])]))
    log2(largest) + log2(operation_terms(graph, op)) / 2
  }, 0)
}

# The earlier nodes that an operation reads, and its gains other than weights.
range_gain_step <- function(op, i) {
  ahead <- op$from < i
  scale <- if (operation_kinds_are(op$kind, "activation")) 1 else op$scale
  list(from = op$from[ahead], gain = log2(abs(rep_len(scale, length(op$from))[ahead])))
}

# A cheap sufficient condition: no product of weights can underflow.
is_in_range <- function(graph, coef) {
  sizes <- abs(c(coef, unlist(lapply(graph$ops, function(op) op$scale))))
  sizes <- sizes[sizes != 0]
  length(graph$ops) * log2(min(sizes, 1)) > -400
}

# For the tangent of a network: products of all weights but one, and the pre-activations.
check_tangent_range <- function(graph, coef) {
  if (is_in_range(graph, coef)) return(invisible())
  own <- operations_are(graph$ops, "theta")
  gains <- range_node_gains(graph, coef)
  if (range_any_below(c(gains$through[own], gains$up[range_phi_reads(graph) + 1L]), -1000)) {
    abort_range_underflow("the tangent", "The weights are too small.", NULL)
  }
}

check_gradient_range <- function(graph, coef, call) {
  if (is_in_range(graph, coef)) return(invisible())
  if (range_any_below(range_node_gains(graph, coef)$up[[graph$output + 1L]], -960)) {
    abort_range_underflow("the gradient of an output", "The weights of {.arg network} are too small.", call)
  }
}

# Operations with parameters of the layer that capacity starts from.
range_start_nodes <- function(flow) {
  ops <- flow$graph$ops
  theta <- vapply(ops, function(op) as.double(op$theta), 0)
  which(operations_are(ops, "theta") & theta >= flow$start$first - 1 & theta <= flow$start$last - 1)
}

# For the vectors of capacity through layers, or their squares. Paths that are negligible beside the largest one do not
# matter.
check_carried_range <- function(flow) {
  if (is_in_range(flow$graph, flow$network$coef)) return(invisible())
  free <- if (flow$start$kind == "layer") range_start_nodes(flow)
  gains <- range_node_gains(flow$graph, flow$network$coef, free = free)
  most <- gains$down[[1L]]
  small <- gains$down < (if (flow$carried == "vectors") -1000 else -500) & gains$up + gains$down > most - 50
  if (!is.finite(most) || !any(small)) return(invisible())
  abort_range_underflow(paste("what mode", flow$mode, "carries through the layers"),
    "The weights of {.arg network} are too small for it.", flow$call)
}

# For pre-activations at inputs of this size, or their squares. With `white` each pre-activation is scaled to 1.
check_read_range <- function(graph, coef, size, call, white = FALSE, squared = TRUE) {
  if (is_in_range(graph, c(coef, size))) return(invisible())
  anew <- if (white) which(operations_are(graph$ops, "activation"))
  up <- range_node_gains(graph, coef, anew = anew)$up + log2(size)
  if (range_any_below(up[range_phi_reads(graph) + 1L], if (squared) -500 else -1000)) {
    abort_range_underflow("what activations read", "The weights of {.arg network}, or its inputs, are too small.", call)
  }
}

range_phi_reads <- function(graph) {
  unlist(lapply(graph$ops[operations_are(graph$ops, "activation")], function(op) op$from))
}

# Zero weights are not underflow.
range_any_below <- function(gains, lowest) any(is.finite(gains) & gains < lowest)

# Returns `numbers` if all are finite.
check_range_overflow <- function(numbers, what, call) {
  if (all(is.finite(numbers))) return(numbers)
  abort(c(
    "A quantity is not finite: {what}.",
    i = "The weights of {.arg network}, or its inputs, are too large."
  ), "nonfinite", call = call)
}

abort_range_underflow <- function(what, why, call) {
  abort(c("A quantity underflows: {what}.", i = why), "nonfinite", call = call)
}
