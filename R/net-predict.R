# Outputs of a network at rows of inputs.

# Returns rows of inputs as a matrix (N x n) without dimnames. A vector of length n is one row.
check_inputs <- function(x, input, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  force(arg)
  n <- input_size(input)
  if (is.numeric(x) && is.null(dim(x))) {
    if (length(x) != n) {
      abort(c(
        "{.arg {arg}} must have one column for each input ({n}); a vector is one row.",
        x = "It is a vector of {length(x)}."
      ), "shape", call = call)
    }
    x <- matrix(as.double(x), nrow = 1L)
  }
  x <- check_matrix(x, ncol = n, arg = arg, call = call)
  dimnames(x) <- NULL
  x
}

# Returns the outputs of a network (N x m) for rows x (N x n), both in data units.
network_outputs <- function(network, x) {
  units_out(.Call(ffi_predict, lower(network), network$coef, units_in(x, network$units)), network$units)
}

#' Predict
#'
#' Applies a network, or a fit's network, to new inputs. Inputs and predictions are in the units of the data: a network
#' that was trained on a standardised task keeps the centre and scale of its inputs and outputs.
#'
#' @param object A network with coefficients, or a fit.
#' @param newdata A numeric matrix or data frame with one row per observation and
#'   one column per input coordinate, channel-fastest, then position; a vector is
#'   one observation. For a fit, `NULL` gives the fitted values.
#' @param type `"response"`, or for a network whose outputs are logits (trained on classes, or imported from a model of
#'   classes) `"link"` for the logits; its response is one probability per class, the second class for a single logit
#'   of a bare network.
#' @param ... Not used.
#' @returns A matrix, observations x outputs.
#' @examples
#' net <- input_sequence(4) |> layer_dense(1) |> set_coef(c(0, 0, 0, 1))
#' predict(net, rbind(1:4, 5:8))
#' @export
predict.ca_network <- function(object, newdata, type = c("response", "link"), ...) {
  check_coefficients(object)
  type <- check_choice(type, c("response", "link"))
  x <- check_inputs(newdata, object$input, arg = "newdata")
  yhat <- network_outputs(object, x)
  if (type == "link" || is.null(object$output)) return(yhat)
  class_probabilities(if (object$output == "baseline") cbind(0, yhat) else yhat)
}

# Returns the argument `data` as a matrix of inputs (N x n) with at least one row.
some_inputs <- function(data, network, call) {
  rows <- check_inputs(data, network$input, arg = "data", call = call)
  if (nrow(rows) == 0L) {
    abort(c("{.arg data} must have at least one row.", x = "It has none."), "shape", call = call)
  }
  rows
}
