# The tangent map of a network at one input.

#' Linearise a network
#'
#' The tangent map yhat ~ W x + b of a network at an input x: W = dyhat/dx there, and the constant
#' b = yhat - W x. For a linear network it is the network itself, [effective_weights()], at any x.
#'
#' @inheritParams effective_weights
#' @param x One input: a vector with one value per coordinate, or a matrix or data frame of one row.
#' @returns A matrix, outputs x (inputs + 1), its last column the `(Intercept)`.
#' @examples
#' net <- input_vector(3) |> layer_dense(4, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1)
#' linearise(initialise(net, seed = 1), c(1, 0, -1))
#' @export
linearise <- function(network, x) {
  network <- network_of(network)
  x <- check_predict_inputs(x, network$input)
  if (nrow(x) != 1L) {
    abort(c("{.arg x} must be one input.", x = "It has {nrow(x)} rows."), "shape")
  }
  W <- .Call(ffi_linearise, lower_network(network), network$coef, units_in(x, network$units))
  W <- units_weights_out(W, network$units)
  colnames(W) <- input_frame(network$input, intercept = TRUE)$input
  W
}

# The gradient dyhat / dx at one row of inputs (outputs x inputs).
linearise_gradient <- function(graph, coef, row, call = rlang::caller_env()) {
  J <- .Call(ffi_linearise, graph, coef, row)[, seq_along(row), drop = FALSE]
  check_range_overflow(J, "the gradient of an output", call)
}
