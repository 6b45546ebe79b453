#' Recurrent layer
#'
#' Runs over a sequence from the oldest position to the newest, h_0 = 0.
#'
#' With A the recurrent and B the input weights, x_t the input and b the constant (if there is one), the
#' state h_t is, for a cell
#'
#' * `"elman"`: f(A h_(t-1) + B x_t + b), A a full matrix;
#' * `"diagonal"`: the same with one entry of A per unit (independent exponential memories);
#' * `"lstm"` (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000, without
#'   peepholes): with gates i, f, o = sigmoid(A_. h_(t-1) + B_. x_t + b_.) and candidate
#'   g = f(A_g h_(t-1) + B_g x_t + b_g), the memory is c_t = f c_(t-1) + i g and h_t = o f(c_t);
#' * `"gru"` (Cho et al. 2014): gates r, z as above, candidate n = f(A_n (r h_(t-1)) + B_n x_t + b_n), and
#'   h_t = (1 - z) n + z h_(t-1): the reset gate is applied before the product. With `reset = "after"`, as in PyTorch
#'   and Keras, n = f(B_n x_t + b_n + r (A_n h_(t-1) + d_n)), and each gate has a second constant d
#'   (`recurrent_bias`) beside the first. Those of r and z act like the first ones, so they add parameters but no
#'   capacity.
#'
#' The last dimension of the weights of a gated cell is the gate, in the order i, f, g, o and r, z, n.
#'
#' @inheritParams layer_dense
#' @param units Number of states.
#' @param cell `"elman"`, `"diagonal"`, `"lstm"` or `"gru"`.
#' @param activation The function f above: `"linear"`, or one of [activations()]. For gated cells it is
#'   `"tanh"` unless given.
#' @param output `"last"` gives the newest state, `"sequence"` the state at every
#'   position.
#' @param bias Whether the state (or each gate) has a constant, added at every step.
#' @param reset For `"gru"`: where the reset gate is applied, `"before"` or `"after"` the recurrent product.
#' @param direction `"forward"`, from the oldest position to the newest, or `"backward"`; then `"last"` is the
#'   state at the oldest position. [layer_bidirectional()] has both.
#' @returns The network with one more layer, without coefficients; its output is
#'   a sequence with `units` channels, of one position for `output = "last"`.
#' @references Elman, J. L. (1990). Finding structure in time. \doi{10.1207/s15516709cog1402_1}.
#'   Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory.
#'   \doi{10.1162/neco.1997.9.8.1735}. Gers, F. A., Schmidhuber, J. and Cummins, F. (2000). Learning to
#'   forget. \doi{10.1162/089976600300015015}. Cho, K. et al. (2014). Learning phrase representations using
#'   RNN encoder-decoder. \doi{10.48550/arXiv.1406.1078}.
#' @examples
#' input_sequence(32) |> layer_recurrent(4, cell = "diagonal") |> layer_dense(1)
#' input_sequence(32) |> layer_recurrent(4, cell = "lstm", bias = TRUE) |> layer_dense(1)
#' @export
layer_recurrent <- function(network, units, cell = c("elman", "diagonal", "lstm", "gru"), activation = "linear",
                            output = c("last", "sequence"), bias = FALSE, reset = c("before", "after"),
                            direction = c("forward", "backward")) {
  check_network(network)
  check_window_sequence(network)
  units <- check_count(units)
  cell <- check_choice(cell, c("elman", "diagonal", "lstm", "gru"))
  if (missing(activation) && cell %in% c("lstm", "gru")) activation <- "tanh"
  activation <- check_activation(activation, also = "linear")
  output <- check_choice(output, c("last", "sequence"))
  check_flag(bias)
  reset <- check_reset(reset, cell)
  direction <- check_choice(direction, c("forward", "backward"))
  shape <- output_shape(network)
  gates <- switch(cell, lstm = 4L, gru = 3L) # NULL for the other cells, whose weights have no dimension for gates
  params <- list(
    input = c(units, shape[[1L]], gates),
    recurrent = c(units, if (cell != "diagonal") units, gates)
  )
  if (bias) params$bias <- c(units, gates)
  if (bias && reset == "after") params$recurrent_bias <- c(units, gates)
  positions <- if (output == "last") 1L else shape[[3L]]
  add_network_layer(network, new_network_layer("recurrent", network, c(units, 1L, positions), "sequence", params,
    cell = cell, activation = activation, output = output, reset = reset, direction = direction
  ))
}

check_reset <- function(reset, cell, call = rlang::caller_env()) {
  reset <- check_choice(reset, c("before", "after"), call = call)
  if (reset == "after" && cell != "gru") {
    abort(c(
      "{.arg reset} is for the cell {.val gru}.",
      x = "It is {.val after}, and {.arg cell} is {.val {cell}}."
    ), "value", call = call)
  }
  reset
}

is_backward <- function(layer) identical(layer$direction, "backward")
resets_after <- function(layer) identical(layer$reset, "after")

#' @export
describe_layer.ca_layer_recurrent <- function(layer) {
  usual <- if (layer$cell %in% c("lstm", "gru")) "tanh" else "linear"
  paste0(
    if (is_backward(layer)) "backward ",
    layer$cell, " recurrence, ", if (resets_after(layer)) "reset after, ",
    if (layer$activation != usual) paste0(layer$activation, ", "),
    layer$output, if (!is.null(layer$params$bias)) " + bias"
  )
}

#' @export
is_linear_layer.ca_layer_recurrent <- function(layer) {
  layer$cell %in% c("elman", "diagonal") && is_activation_identity(layer$activation)
}

# The state at each position depends on the state before it. A delay is a window of one tap with one position of padding
# at the old end, and the operations of the loop are evaluated position by position.
#' @export
lower_layer.ca_layer_recurrent <- function(layer, graph, from) {
  if (is_backward(layer)) from <- lower_reverse(graph, from, layer$in_shape)
  cell <- new_recurrent_cell(layer, graph, from)
  state <- switch(layer$cell,
    lstm = lower_recurrent_lstm(cell),
    gru = if (resets_after(layer)) lower_gru_after(cell) else lower_recurrent_gru(cell),
    lower_recurrent_elman(cell)
  )
  if (layer$output == "last") return(lower_last(graph, state, cell$shape))
  if (is_backward(layer)) lower_reverse(graph, state, cell$shape) else state
}

# Emits the positions of a sequence in reverse order.
lower_reverse <- function(graph, from, shape) {
  lower_emit(graph, "fixed", from, shape, window = new_window(stride = c(1L, -1L), pad = c(0L, 1L - shape[[3L]])))
}

# Returns the parts that all kinds of cells share, as a list: the graph; `drives`, for each gate the node of its linear
# map of the input, with the bias; `recurrent`, for each gate the offset of its recurrent weights in theta; `loop`, the
# number of the recurrence; `shape`, `groups` and `activation` of the operations.
new_recurrent_cell <- function(layer, graph, from) {
  dim <- layer$params$input
  gates <- if (length(dim) == 3L) dim[[3L]] else 1L
  shape <- c(dim[[1L]], 1L, layer$in_shape[[3L]])
  slices <- function(dim) {
    if (is.null(dim)) return(NULL)
    lower_take(graph, dim) + (seq_len(gates) - 1) * prod(dim) / gates
  }
  input <- slices(dim)
  recurrent <- slices(layer$params$recurrent)
  bias <- slices(layer$params$bias)
  hidden <- slices(layer$params$recurrent_bias)
  drives <- vapply(seq_len(gates), function(g) {
    drive <- lower_emit(graph, "linear", from, shape, theta = input[[g]])
    if (is.null(bias)) drive else lower_emit(graph, "bias", drive, shape, theta = bias[[g]])
  }, 0L)
  list(
    graph = graph, shape = shape, drives = drives, recurrent = recurrent, hidden = hidden, loop = new_lower_loop(graph),
    groups = if (layer$cell == "diagonal") dim[[1L]] else 1L, activation = layer$activation
  )
}

# Emits an operation of a cell's loop and returns its node.
emit_recurrent_cell <- function(cell, kind, from, ...) lower_emit(cell$graph, kind, from, cell$shape, ...,
  loop = cell$loop)

# Emits f(drive + A past) for gate g and returns its node. `past` is a node of the loop, read `pad` positions back.
emit_recurrent_gate <- function(cell, g, past, activation, pad = 1L) {
  memory <- emit_recurrent_cell(cell, "linear", past,
    window = new_window(pad = pad), groups = cell$groups, theta = cell$recurrent[[g]])
  if (!is.null(cell$hidden)) memory <- emit_recurrent_cell(cell, "bias", memory, theta = cell$hidden[[g]])
  sum <- emit_recurrent_cell(cell, "add", c(cell$drives[[g]], memory), scale = c(1, 1))
  lower_activation(cell$graph, sum, cell$shape, activation, loop = cell$loop)
}

lower_recurrent_elman <- function(cell) {
  ahead <- if (is_activation_identity(cell$activation)) 1L else 2L
  emit_recurrent_gate(cell, 1L, lower_next_node(cell$graph, ahead), cell$activation)
}

# Nodes of the cell in order: three for each gate, the past memory, two products, the memory, its activation and the
# state. The candidate and the memory have no node for a linear activation.
lower_recurrent_lstm <- function(cell) {
  linear <- is_activation_identity(cell$activation)
  first <- lower_next_node(cell$graph)
  memory <- first + 12L - linear + 3L
  state <- memory + 2L - linear
  input <- emit_recurrent_gate(cell, 1L, state, "sigmoid")
  forget <- emit_recurrent_gate(cell, 2L, state, "sigmoid")
  candidate <- emit_recurrent_gate(cell, 3L, state, cell$activation)
  output <- emit_recurrent_gate(cell, 4L, state, "sigmoid")
  past <- emit_recurrent_cell(cell, "fixed", memory, window = new_window(pad = 1L))
  kept <- emit_recurrent_cell(cell, "product", c(forget, past))
  new <- emit_recurrent_cell(cell, "product", c(input, candidate))
  sum <- emit_recurrent_cell(cell, "add", c(kept, new), scale = c(1, 1))
  shown <- lower_activation(cell$graph, sum, cell$shape, cell$activation, loop = cell$loop)
  emit_recurrent_cell(cell, "product", c(output, shown))
}

# Nodes of the cell in order: three for each of two gates, the past state h, its product with the reset gate, three for
# the candidate n (two for a linear activation), and three for n + z (h - n).
lower_recurrent_gru <- function(cell) {
  linear <- is_activation_identity(cell$activation)
  state <- lower_next_node(cell$graph) + 6L + 2L + 3L - linear + 2L
  reset <- emit_recurrent_gate(cell, 1L, state, "sigmoid")
  update <- emit_recurrent_gate(cell, 2L, state, "sigmoid")
  past <- emit_recurrent_cell(cell, "fixed", state, window = new_window(pad = 1L))
  seen <- emit_recurrent_cell(cell, "product", c(reset, past))
  candidate <- emit_recurrent_gate(cell, 3L, seen, cell$activation, pad = 0L)
  step <- emit_recurrent_cell(cell, "add", c(past, candidate), scale = c(1, -1))
  moved <- emit_recurrent_cell(cell, "product", c(update, step))
  emit_recurrent_cell(cell, "add", c(candidate, moved), scale = c(1, 1))
}

# The reset gate multiplies the recurrent term with its own bias, as in PyTorch and Keras. Nodes of the cell in order:
# three for each of two gates (four with biases), the past state, its linear map (and bias), the product with the reset
# gate, the sum and the candidate, and three for n + z (h - n).
lower_gru_after <- function(cell) {
  linear <- is_activation_identity(cell$activation)
  biased <- !is.null(cell$hidden)
  state <- lower_next_node(cell$graph) + 2L * (3L + biased) + 1L + (1L + biased) + 2L + 1L - linear + 2L
  reset <- emit_recurrent_gate(cell, 1L, state, "sigmoid")
  update <- emit_recurrent_gate(cell, 2L, state, "sigmoid")
  past <- emit_recurrent_cell(cell, "fixed", state, window = new_window(pad = 1L))
  memory <- emit_recurrent_cell(cell, "linear", past, theta = cell$recurrent[[3L]])
  if (biased) memory <- emit_recurrent_cell(cell, "bias", memory, theta = cell$hidden[[3L]])
  seen <- emit_recurrent_cell(cell, "product", c(reset, memory))
  sum <- emit_recurrent_cell(cell, "add", c(cell$drives[[3L]], seen), scale = c(1, 1))
  candidate <- lower_activation(cell$graph, sum, cell$shape, cell$activation, loop = cell$loop)
  step <- emit_recurrent_cell(cell, "add", c(past, candidate), scale = c(1, -1))
  moved <- emit_recurrent_cell(cell, "product", c(update, step))
  emit_recurrent_cell(cell, "add", c(candidate, moved), scale = c(1, 1))
}

# The spectral radius r of an elman cell must be below 1: with a larger radius the state grows exponentially over the
# sequence, and training does not recover from that. A radius r > 0.9 becomes 1 - 0.09 / r. Radii stay distinct, since
# consecutive recurrences with a common pole would lower the rank of the tangent below that of the architecture. Memory
# times of a diagonal cell are log-uniform between 1 and the length of the sequence. The forget gates of an lstm have
# bias 1, so they start nearly open.
#' @export
draw_layer.ca_layer_recurrent <- function(layer, scheme) {
  dim <- layer$params$input
  units <- dim[[1L]]
  recurrent <- layer$params$recurrent
  list(
    initialise_weights(prod(dim), fan_in = dim[[2L]], fan_out = units, scheme),
    if (layer$cell == "diagonal") {
      exp(-exp(-stats::runif(units, 0, log(max(2, layer$in_shape[[3L]])))))
    } else {
      A <- stats::rnorm(prod(recurrent), sd = 0.9 / sqrt(units))
      if (layer$cell == "elman") recurrent_contract(matrix(A, units)) else A
    },
    if (!is.null(layer$params$bias)) c(outer(rep(1, units), if (layer$cell == "lstm") c(0, 1, 0, 0) else
      numeric(prod(layer$params$bias) / units))),
    if (!is.null(layer$params$recurrent_bias)) numeric(prod(layer$params$recurrent_bias))
  )
}

recurrent_contract <- function(A) {
  radius <- max(Mod(eigen(A, only.values = TRUE)$values))
  if (radius > 0.9) A * (1 - 0.09 / radius) / radius else A
}
