# The tangent maps of a network at rows of inputs.

#' Linearise a network
#'
#' The tangent map yhat ~ W x + b of a network at an input x: W = dyhat/dx there, and the constant
#' b = yhat - W x. For a linear network it is the network itself, [effective_weights()], at any x.
#'
#' @inheritParams effective_weights
#' @param x One input, a vector with one value per coordinate, or rows of inputs.
#' @returns For one row a matrix, outputs x (inputs + 1), its last column the `(Intercept)`. For N rows an array,
#' outputs
#'   x (inputs + 1) x N.
#' @seealso [sensitivity_profile()] for its mean and spread over rows.
#' @examples
#' net <- input_vector(3) |> layer_dense(4, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1)
#' linearise(initialise(net, seed = 1), c(1, 0, -1))
#' @export
linearise <- function(network, x) {
  network <- network_of(network)
  x <- check_predict_inputs(x, network$input)
  if (nrow(x) == 0L) abort("{.arg x} must have at least one row.", "shape")
  W <- linearise_rows(network, units_in(x, network$units))
  dimnames(W) <- list(NULL, input_frame(network$input, intercept = TRUE)$input, NULL)
  if (nrow(x) == 1L) matrix(W, dim(W)[[1L]], dimnames = dimnames(W)[1:2]) else W
}

# The tangent maps at rows in the units of the network, as an array in data units: outputs x (inputs + 1) x rows.
linearise_rows <- function(network, rows) {
  N <- nrow(rows)
  W <- .Call(ffi_linearise, lower_network(network), network$coef, rows)
  n <- ncol(W) / N
  W <- array(W, c(nrow(W), n, N))
  if (is.null(network$units)) return(W)
  for (s in seq_len(N)) W[, , s] <- units_weights_out(matrix(W[, , s], ncol = n), network$units)
  W
}

# The gradient dyhat / dx at one row of inputs (outputs x inputs).
linearise_gradient <- function(graph, coef, row, call = rlang::caller_env()) {
  J <- .Call(ffi_linearise, graph, coef, row)[, seq_along(row), drop = FALSE]
  check_range_overflow(J, "the gradient of an output", call)
}
