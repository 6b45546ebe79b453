# Outputs of a network at rows of inputs.

# Returns rows of inputs as a matrix (N x n) without dimnames. A vector of length n is one row, and for a sequence so is
# one window, positions x channels. Named columns are matched to the names of the inputs.
check_predict_inputs <- function(x, input, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
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
  if (is_predict_window(x, input)) x <- matrix(as.double(t(as.matrix(x))), nrow = 1L)
  x <- predict_match_columns(x, input$labels, arg, call)
  x <- check_matrix(x, ncol = n, arg = arg, call = call)
  dimnames(x) <- NULL
  x
}

# Whether x is one window of a sequence, positions x channels, rather than rows of inputs.
is_predict_window <- function(x, input) {
  window <- input$shape[c(3L, 1L)]
  input$kind == "sequence" && identical(dim(x), window) && window[[2L]] != input_size(input)
}

# Returns the columns of x in the order of the labels. Columns without names are taken in order; others than the inputs
# are left out.
predict_match_columns <- function(x, labels, arg, call) {
  names <- if (is.data.frame(x)) names(x) else colnames(x)
  if (is.null(labels) || is.null(names)) return(x)
  at <- match(labels, names)
  if (anyNA(at)) {
    lacks <- labels[is.na(at)]
    abort(c(
      "Columns of {.arg {arg}} must have the names of the inputs, in any order, or no names.",
      x = "No column is named {.val {lacks}}; its columns are {.val {names}}.",
      i = "Rename them, or drop their names with {.fn unname} if they are in the order of the inputs."
    ), "names", call = call)
  }
  if (identical(at, seq_along(names))) return(x)
  x[, at, drop = FALSE]
}

# Returns the new data that are given under one of two names: `newdata` of stats and broom, or `new_data` of tidymodels.
predict_one_newdata <- function(newdata, new_data, call = rlang::caller_env()) {
  if (is.null(new_data)) return(newdata)
  if (is.null(newdata)) return(new_data)
  abort("Only one of {.arg newdata} and {.arg new_data} can be given.", "value", call = call)
}

# Returns the outputs of a network (N x m) for rows x (N x n), both in data units.
predict_network_outputs <- function(network, x) {
  units_out(.Call(ffi_predict, lower_network(network), network$coef, units_in(x, network$units)), network$units)
}

#' Predict
#'
#' Applies a network, or a fit's network, to new inputs. Inputs and predictions are in the units of the data: a network
#' that was trained on a standardised task keeps the centre and scale of its inputs and outputs.
#'
#' @param object A network with coefficients, or a fit.
#' @param newdata,new_data New inputs, under either name: a numeric matrix or data frame with one row per observation
#'   and one column per input coordinate, channel-fastest, then position; a vector is
#'   one observation, and for a sequence so is a matrix of one window, positions x channels. If the inputs have names
#'   and the columns have, too, they are matched by name. For a fit, `NULL` gives the fitted values; for one of a
#'   formula, a data frame with the variables of the formula is read as by [stats::predict.lm()].
#' @param type `"response"`, or for a network whose outputs are logits (trained on classes, or imported from a model of
#'   classes) `"link"` for the logits; its response is one probability per class, the second class for a single logit
#'   of a bare network.
#' @param ... Not used.
#' @returns A matrix, observations x outputs.
#' @examples
#' net <- input_sequence(4) |> layer_dense(1) |> set_coef(c(0, 0, 0, 1))
#' predict(net, rbind(1:4, 5:8))
#' @export
predict.ca_network <- function(object, newdata = NULL, type = c("response", "link"), ..., new_data = NULL) {
  check_dots(...)
  newdata <- predict_one_newdata(newdata, new_data)
  if (is.null(newdata)) {
    abort(c("{.arg newdata} is missing.", i = "Give rows of inputs, with one column for each of
      {input_size(object$input)} inputs."), "type")
  }
  check_network_coefficients(object)
  type <- check_choice(type, c("response", "link"))
  x <- check_predict_inputs(newdata, object$input, arg = "newdata")
  yhat <- predict_network_outputs(object, x)
  if (type == "link" || is.null(object$output)) return(yhat)
  logits_probabilities(if (object$output == "baseline") cbind(0, yhat) else yhat)
}

# Returns the argument `data` as a matrix of inputs (N x n) with at least one row.
predict_some_inputs <- function(data, network, call) {
  rows <- check_predict_inputs(data, network$input, arg = "data", call = call)
  if (nrow(rows) == 0L) {
    abort(c("{.arg data} must have at least one row.", x = "It has none."), "shape", call = call)
  }
  rows
}
