#' Effective weights and their tangent
#'
#' A linear network of inputs x (n) and outputs y (m) is y = W(theta) x, W the
#' composition of its layers: its effective weights. The tangent is J = d vec(W) /
#' d theta. With a bias anywhere, the input space has one more coordinate, the
#' constant, called `(Intercept)` and always last.
#'
#' Both are exact, from one backward and one forward pass over the network's
#' operations, on the inputs and positions that the output depends on.
#'
#' With `data`, `tangent()` is the derivative of the outputs at the N rows of `data` with respect to the parameters,
#' d yhat / d theta, for any network. Both are in the standardised coordinates of a network with units, like [coef()].
#'
#' @param network A network with coefficients, or a fit.
#' @param data `NULL`, or rows of inputs as in [predict()][predict.ca_network()].
#' @returns `effective_weights()`: a matrix, outputs x inputs (m x n, or m x (n +
#'   1) with a bias), columns named after the inputs. `tangent()`: a matrix with a
#'   row per output and input, outputs fastest (row o + m (j - 1)), and a column
#'   per parameter, named as in [coef()]; with `data` a row per output and row of data, outputs fastest.
#' @section Errors:
#' `capalloc_error_nonlinear`: a nonlinear network, for `tangent()` without `data`. `capalloc_error_size`: a matrix with
#' more than 2^31 - 1 rows.
#' @references Donier, J. (2019). Capacity allocation analysis of neural
#'   networks: a tool for principled architecture design.
#'   \doi{10.48550/arXiv.1902.04485}
#' @examples
#' net <- input_sequence(4) |>
#'   layer_conv(1, kernel = 2) |>
#'   layer_conv(1, kernel = 3) |>
#'   set_coef(c(1, 2, 1, 0, -1))
#' effective_weights(net)
#' tangent(net)
#' net <- input_vector(2) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(1)
#' tangent(initialise(net, seed = 1), data = rbind(c(1, 0), c(0, 1)))
#' @export
effective_weights <- function(network) {
  network <- network_of(network)
  check_tangent_linear(network)
  W <- units_weights_out(.Call(ffi_weights, lower_network(network), network$coef), network$units)
  colnames(W) <- input_frame(network$input, ncol(W) > input_size(network$input))$input
  W
}

#' @rdname effective_weights
#' @export
tangent <- function(network, data = NULL) {
  network <- network_of(network)
  if (is.null(data)) {
    check_tangent_linear(network)
    J <- .Call(ffi_tangent, lower_network(network), network$coef)
  } else {
    rows <- units_in(predict_some_inputs(data, network), network$units)
    J <- tangent_at_rows(network, rows)
  }
  dimnames(J) <- list(NULL, coef_names(network)) # colnames() would copy J
  J
}

# d yhat / d theta at rows in the units of the network: (m N) x p, outputs fastest.
tangent_at_rows <- function(network, rows) .Call(ffi_gradients, lower_network(network), network$coef, rows)

# Effective weights are defined only where the tangent map is the same at all inputs.
check_tangent_linear <- function(network, arg = "network", call = rlang::caller_env()) {
  if (is_linear(network)) return(invisible())
  abort(c(
    "{.arg {arg}} must be linear: a nonlinear network has no effective weights, only a tangent map at each input.",
    i = "Use {.fn linearise} for the tangent map, {.code tangent(network, data = )} for the derivative by parameters, or
      {.code capacity(network, data = )} for the allocation."
  ), "nonlinear", call = call)
}
