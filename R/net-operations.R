# The table of operations, which is that of the C core (src/op.h): what an operation is asked for is a column of it.

known_operations <- new.env(parent = emptyenv())

# A row for each operation:
#   name         the kind of an operation in a graph
#   linear       of its inputs; `gate` where it is not
#   homogeneous  f(c x) = c f(x) for c > 0, of an activation where that is
#   theta        whether it has parameters
#   constant     whether these are added to what it reads
#   multiplies   what it reads, by theta or by another input
#   mixes        channels of a group into every output channel
#   sums         its inputs, each with a scale of its own
#   windowed     reads by a window
#   activation   is what `phi` and its parameter say
operation_table <- function() {
  if (is.null(known_operations$table)) known_operations$table <- light_frame(.Call(ffi_operations))
  known_operations$table
}

# A column of the table, of each of some kinds, or of the operations of a graph.
kinds_are <- function(kinds, column) {
  table <- operation_table()
  table[[column]][match(kinds, table$name)]
}

ops_are <- function(ops, column) kinds_are(vapply(ops, function(op) op$kind, ""), column)

# How many terms a unit of the output of an operation is made from.
op_terms <- function(graph, op) {
  taps <- if (kinds_are(op$kind, "windowed")) prod(op$window[1:2]) else length(op$from)
  if (!kinds_are(op$kind, "mixes")) return(taps)
  from <- op$from[[1L]]
  shape <- if (from == 0L) graph$input else graph$ops[[from]]$shape
  taps * shape[[1L]] / op$groups
}

# Whether each operation is one of `nodes`, or one that they depend on. Operations of a recurrence may read later ones.
nodes_below <- function(graph, nodes) {
  found <- seq_along(graph$ops) %in% nodes
  repeat {
    read <- unlist(lapply(graph$ops[found], function(op) op$from))
    more <- found | seq_along(found) %in% read
    if (identical(more, found)) return(found)
    found <- more
  }
}
