#' Recurrent layer
#'
#' Runs over a sequence from the oldest position to the newest with the linear
#' state h_t = A h_(t-1) + B x_t (+ bias), h_0 = 0. In an `elman` cell A is a full
#' matrix, in a `diagonal` cell it has one entry per unit (independent
#' exponential memories).
#'
#' @inheritParams layer_dense
#' @param units Number of states.
#' @param cell `"elman"` or `"diagonal"`.
#' @param activation Only `"linear"` so far.
#' @param output `"last"` gives the newest state, `"sequence"` the state at every
#'   position.
#' @param bias Whether the state has a constant, added at every step.
#' @returns The network with one more layer, without coefficients; its output is
#'   a sequence with `units` channels, of one position for `output = "last"`.
#' @examples
#' input_sequence(32) |> layer_recurrent(4, cell = "diagonal") |> layer_dense(1)
#' @export
layer_recurrent <- function(network, units, cell = c("elman", "diagonal"), activation = "linear",
                            output = c("last", "sequence"), bias = FALSE) {
  check_network(network)
  check_sequence(network)
  units <- check_count(units)
  cell <- check_choice(cell, c("elman", "diagonal"))
  check_choice(activation, "linear")
  output <- check_choice(output, c("last", "sequence"))
  check_flag(bias)
  shape <- output_shape(network)
  params <- list(
    input = c(units, shape[[1L]]),
    recurrent = if (cell == "diagonal") units else c(units, units)
  )
  if (bias) params$bias <- units
  positions <- if (output == "last") 1L else shape[[3L]]
  add_layer(network, new_layer("recurrent", network, c(units, 1L, positions), "sequence", params,
    cell = cell, output = output
  ))
}

#' @export
describe_layer.ca_layer_recurrent <- function(layer) {
  paste0(
    layer$cell, " recurrence, ", layer$output, if (!is.null(layer$params$bias)) " + bias"
  )
}

# The state is a node of its own past: a delay is a one-tap window with one
# missing position at the old end, and the loop runs its operations position by
# position.
#' @export
lower_layer.ca_layer_recurrent <- function(layer, graph, from) {
  units <- layer$params$input[[1L]]
  states <- c(units, 1L, layer$in_shape[[3L]])
  drive <- emit(graph, "linear", from, states, theta = take(graph, layer$params$input))
  delayed <- take(graph, layer$params$recurrent)
  if (!is.null(layer$params$bias)) {
    drive <- emit(graph, "bias", drive, states, theta = take(graph, layer$params$bias))
  }
  loop <- new_loop(graph)
  state <- next_node(graph, 1L)
  memory <- emit(graph, "linear", state, states,
    window = new_window(pad = 1L), theta = delayed,
    groups = if (layer$cell == "diagonal") units else 1L, loop = loop
  )
  emit(graph, "add", c(drive, memory), states, scale = c(1, 1), loop = loop)
  if (layer$output == "last") lower_last(graph, state, states) else state
}

# Spectral radius near 0.9, or memory times log-uniform over the sequence.
#' @export
draw_layer.ca_layer_recurrent <- function(layer, scheme) {
  dim <- layer$params$input
  units <- dim[[1L]]
  list(
    draw_weights(prod(dim), fan_in = dim[[2L]], fan_out = units, scheme),
    if (layer$cell == "diagonal") {
      exp(-exp(-stats::runif(units, 0, log(max(2, layer$in_shape[[3L]])))))
    } else {
      stats::rnorm(units^2, sd = 0.9 / sqrt(units))
    },
    if (!is.null(layer$params$bias)) numeric(units)
  )
}
