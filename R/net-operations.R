# The table of operations, read from the C core (src/op.h). Its columns are the properties of the operations.

known_operations <- new.env(parent = emptyenv())

# Returns a data frame with one row for each operation. `name` is its kind in a graph, the other columns are logical:
#   linear       linear in its inputs
#   gate         nonlinear
#   homogeneous  f(c x) = c f(x) for c > 0; for activations it depends on `phi`, see activations()
#   theta        has parameters
#   constant     adds its parameters to its input
#   multiplies   multiplies its input by theta or by another input
#   mixes        every output channel is a sum over the channels of its group
#   sums         adds its inputs, each times its own scale
#   windowed     its taps are those of its window
#   activation   applies the activation `phi` with its parameter
operation_table <- function() {
  if (is.null(known_operations$table)) known_operations$table <- light_frame(.Call(ffi_operations))
  known_operations$table
}

# Return a column of the table: operation_kinds_are() for a vector of kinds, operations_are() for the operations of a
# graph.
operation_kinds_are <- function(kinds, column) {
  table <- operation_table()
  table[[column]][match(kinds, table$name)]
}

operations_are <- function(ops, column) operation_kinds_are(vapply(ops, function(op) op$kind, ""), column)

# Returns the number of terms in the sum (or maximum, or product) that gives one unit of an operation's output.
operation_terms <- function(graph, op) {
  taps <- if (operation_kinds_are(op$kind, "windowed")) prod(op$window[1:2]) else length(op$from)
  if (!operation_kinds_are(op$kind, "mixes")) return(taps)
  from <- op$from[[1L]]
  shape <- if (from == 0L) graph$input else graph$ops[[from]]$shape
  taps * shape[[1L]] / op$groups
}

# Whether each operation is one of `nodes`, or one that they depend on. Operations of a recurrence may read later ones.
operation_nodes_below <- function(graph, nodes) {
  found <- seq_along(graph$ops) %in% nodes
  repeat {
    read <- unlist(lapply(graph$ops[found], function(op) op$from))
    more <- found | seq_along(found) %in% read
    if (identical(more, found)) return(found)
    found <- more
  }
}
