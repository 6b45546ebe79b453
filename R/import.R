# Models of other packages as networks with coefficients.

#' Networks from fitted models
#'
#' Writes a model that you already have as a network with coefficients, so that
#' [capacity()], [predict()][predict.ca_network()], [fit()][fit.ca_network()], which starts from
#' them, and the like work on it.
#'
#' @section What its capacity means:
#' Capacity counts the coefficients of the *network* that is built, all of them
#' free: 1 per output on each input of a regression or an autoregression, whatever
#' its weight. What constrained the model beyond the shape of that network (zeros
#' of a seasonal polynomial, fixed coefficients, unit roots, the companion form
#' below, weights that nnet's `mask` or neuralnet's `exclude` held fixed) is kept in the values
#' and not counted. Networks with hidden units are not linear: `capacity(net, data = rows)` asks
#' them at the rows of inputs that you give.
#'
#' @section Linear regression:
#' One dense layer on a vector whose inputs are the columns of the model matrix
#' without the intercept, which is the bias. Weights of observations play no part in
#' predictions. Coefficients that [stats::lm()] could not estimate (`NA`) do not
#' either: their columns are no inputs, since a free weight there would count capacity
#' that the model does not have, and a message of class `capalloc_message_aliased` names
#' them. A `glm` is accepted when its link is the identity. Predictions are those of
#' `predict()` on the model, to rounding; the example makes the rows for new data.
#'
#' @section Autoregression:
#' [stats::ar()] by any method, of one series or of several (channels, all of them
#' predicted): one convolution over the `order` newest positions, its bias holding
#' the mean. From the last `length` values, the oldest first, it predicts what
#' `predict()` on the model begins with.
#'
#' @section ARIMA:
#' [stats::arima()], and the objects of package forecast that inherit from it. With
#' the lag operator B, w_t = delta(B) x_t is the differenced series and phi(B) w_t =
#' theta(B) e_t its model, after the mean is taken off and with the seasonal
#' factors multiplied out. Without a moving average the prediction is a weighted sum of
#' past values, the coefficients of phi(B) delta(B), and is built as an autoregression.
#'
#' With a moving average it is the model's innovations form at its steady state
#' (Hyndman et al. 2008, chapter 11): with r the larger order of phi and theta, T
#' the companion matrix of phi (r x r), Z = (1, 0, .., 0), and K = phi + theta, padded
#' with zeros (r),
#'
#' h_t = (T - K Z) h_(t-1) + K w_t, and Z h_t predicts w_(t+1):
#'
#' a `layer_recurrent(units = r)` and a `layer_dense(1)`, whose biases hold the mean.
#' With differences, a convolution makes w from x, and a second one, beside the
#' recurrence in a [layer_parallel()], adds what undoes the differences. A
#' recurrence of r units has r^2 recurrent weights, many for long seasons.
#'
#' @section Truncation:
#' A moving average remembers the whole past; the network sees `length` values and
#' starts from h_0 = 0, as if all earlier w had been at their mean. The weights of
#' earlier w fade, a step, by the largest modulus of the eigenvalues of T - K Z,
#' which are the inverse roots of theta. The error is at most the sum of the absolute weights
#' that are left out times the largest deviation of an unseen w from its mean.
#' `length = NULL` takes the least number of values that leaves out 1e-8 or less, but
#' no more than the series had that the model was fitted to. A message of class
#' `capalloc_message_truncation` says how many and what is left out. `predict()` on
#' the model itself is a Kalman filter from the first value of that series, whose own start fades at
#' the same rate.
#'
#' @section Package nnet:
#' `nnet::nnet()` of one hidden layer (logistic units) or none, with `skip` connections or without, and
#' any number of outputs: with u the inputs,
#' \eqn{yhat = f(b + V sigmoid(a + W u) + S u)}, a [layer_parallel()] where both V and S are there.
#' For `linout = TRUE` f is the identity, otherwise (`entropy` fits among them) logistic, so
#' that predictions are those of `predict()` on the model. No layer is a softmax: with `softmax = TRUE`
#' the outputs of the layers are logits, which the network records: [predict()][predict.ca_network()] gives the
#' probabilities, with `type = "link"` the logits, and [capacity()] counts differences of logits only. A `multinom`
#' model is a layer without hidden units: with two
#' levels its output is the probability of the second one, with more (or a matrix of counts) the outputs are
#' the logits of all but the first level against the first, which has 0, so that they have as
#' many coefficients as the model. Intercept and bias of `multinom` are one bias.
#'
#' Inputs of a model made with a formula are the columns of its model matrix without the
#' intercept, under their names (`coefnames`); the example makes the rows for new data. The matrix method of
#' `nnet()` keeps no names.
#'
#' nnet sets its logistic function to 0 below -15 and to 1 above 15, which is wrong by 3.1e-7 at
#' most; this package does not. Predictions agree to rounding where no unit is beyond, otherwise to
#' 3.1e-7 times the weights of those units on what follows.
#'
#' @section Package neuralnet:
#' `neuralnet::neuralnet()`, of class `nn`, with any number of hidden layers and `act.fct` one of
#' `"logistic"`, `"tanh"` and `"relu"`; for `linear.output = FALSE` the outputs have it too. Inputs are its
#' covariates, `model.list$variables`, in that order: columns of data, no factors. Weights that it excluded are `NA` in
#' the object and 0 in the network.
#'
#' @section Weights:
#' A list of matrices, units x inputs, the first layer first, or of lists `list(weight
#' =, bias =, activation =, parameter =)`, all but the first optional: one dense layer each,
#' followed by its activation, one of [activations()] (or `"linear"`), with the parameter that
#' [layer_activation()] has. Column names of the first matrix name the inputs.
#'
#' @section Classes:
#' [fit()][fit.ca_network()] on a task with classes trains logits. Give it the network of a logistic output
#' with `link = TRUE`, and that of a softmax as it is. That of a `multinom` with more than two levels has an
#' output less than [fit()][fit.ca_network()] wants.
#'
#' @section Errors:
#' `capalloc_error_type`: objects of other classes, and of classes from other packages that
#' inherit from `lm`, `glm`, `nnet` or `nn` and may predict in their own way, or lack what these
#' packages put in them.
#' `capalloc_error_unsupported`: a link other than the identity; an offset;
#' regressors in an ARIMA (`xreg`, drift); a Box-Cox transformation; a model without inputs, which
#' predicts a constant (an autoregression of order 0 among them); a moving average with a
#' root inside the unit circle, on it, or so near that 1e5 steps do not fade to 1e-8; `censored = TRUE` of
#' nnet; an `act.fct` of neuralnet that is a function of your own; a `neuralnet()` that did not converge
#' and has no weights.
#' `capalloc_error_shape`: matrices that do not fit each other, a `length` below the model's orders.
#' `capalloc_error_value`: missing or infinite weights, unknown activations, a `rep` that is not
#' there. `capalloc_error_no_coefficients`: a network without them.
#'
#' @param x A model: `lm`, `mlm` or `glm`; `ar`; `Arima`; `nnet` or `multinom` of package nnet; `nn` of
#'   package neuralnet; a list of weights; a fit of this package; or a network with coefficients, which
#'   is returned as it is.
#' @param input `NULL` for a vector, or an input of the same size such as
#'   `input_sequence(12)` where the columns have an order (channel-fastest, then
#'   position, the oldest first).
#' @param length Number of past values that the network sees. `NULL` takes the
#'   model's order or, with a moving average, as many as are said below.
#' @param activation For a list: one of [activations()] for each layer, or one for
#'   all layers but the last; `NULL` where the list has them itself, or there are none.
#' @param link Whether to leave out the activation of the outputs (logistic, or `act.fct`): `TRUE` gives the
#'   logits of a logistic output. Linear outputs and those of a softmax are the same either way.
#' @param rep Which repetition of a `neuralnet()`; `NULL` takes that of the least error.
#' @param ... Not used.
#' @returns A network of class `ca_network` with coefficients. Names that the model
#'   has for its inputs (columns, several series) are kept.
#' @references Hyndman, R. J., Koehler, A. B., Ord, J. K. and Snyder, R. D. (2008).
#'   Forecasting with Exponential Smoothing: The State Space Approach. Springer.
#'   \doi{10.1007/978-3-540-71918-2}
#'
#'   Venables, W. N. and Ripley, B. D. (2002). Modern Applied Statistics with S, fourth edition.
#'   Springer (chapter 8.10, nnet). \doi{10.1007/978-0-387-21706-2}
#' @seealso [set_coef()] for networks of any other kind.
#' @examples
#' model <- lm(mpg ~ wt + factor(cyl), mtcars)
#' net <- as_network(model)
#' capacity(net)
#'
#' # Rows for new data: the columns of the model matrix that are inputs
#' rows <- function(model, newdata) {
#'   frame <- model.frame(delete.response(terms(model)), newdata, xlev = model$xlevels)
#'   matrix <- model.matrix(delete.response(terms(model)), frame, contrasts.arg = model$contrasts)
#'   matrix[, setdiff(colnames(effective_weights(as_network(model))), "(Intercept)"), drop = FALSE]
#' }
#' predict(net, rows(model, mtcars[1:3, ]))
#' predict(model, mtcars[1:3, ])
#'
#' # Lagged columns as a sequence
#' lags <- embed(as.numeric(lh), 4)
#' model <- lm(lags[, 1] ~ lags[, 4:2])
#' capacity(as_network(model, input = input_sequence(3)))
#'
#' net <- as_network(ar(lh), length = 8)
#' predict(net, tail(lh, 8))
#'
#' net <- as_network(arima(LakeHuron, order = c(1, 0, 1)))
#' capacity(net, partition = partition_octaves())
#'
#' # A factorisation of rank 2: 2 (4 + 6 - 2) independent parameters
#' set.seed(1)
#' glance(capacity(as_network(list(matrix(rnorm(12), 2), matrix(rnorm(8), 4)))))$total
#'
#' # Weights from anywhere, with their activations
#' hidden <- list(weight = matrix(c(1, -1, 0.5, 2), 2), bias = c(0, 1), activation = "tanh")
#' as_network(list(hidden, list(weight = matrix(1, 1, 2), bias = 0)))
#'
#' if (requireNamespace("nnet", quietly = TRUE)) {
#'   data <- transform(mtcars, cyl = factor(cyl), wt = wt - 3)
#'   model <- nnet::nnet(mpg ~ wt + cyl, data, size = 2, linout = TRUE, decay = 0.01, trace = FALSE)
#'   net <- as_network(model)
#'
#'   # Rows for new data, with the factors' levels and contrasts of the model
#'   terms <- delete.response(model$terms)
#'   frame <- model.frame(terms, data, xlev = model$xlevels)
#'   x <- model.matrix(terms, frame, contrasts.arg = model$contrasts)[, model$coefnames, drop = FALSE]
#'   print(all.equal(c(predict(net, x)), c(predict(model, data)), tolerance = 1e-6))
#'   capacity(net, data = x)
#' }
#' @order 1
#' @export
as_network <- function(x, ...) {
  UseMethod("as_network")
}

#' @rdname as_network
#' @export
#' @order 2
as_network.default <- function(x, ...) {
  abort(c(
    "{.arg x} must be a model that can be written as a network.",
    x = "It is {show_value(x)} of class {.cls {class(x)}}.",
    i = if (is.matrix(x)) "One matrix is a list of one: {.code as_network(list(x))}.",
    i = "Supported are {.cls lm} and {.cls mlm}, {.cls glm} with the identity link, {.cls ar}, {.cls Arima},
      {.cls nnet} and {.cls multinom} of {.pkg nnet}, {.cls nn} of {.pkg neuralnet},
      lists of weight matrices, and the networks and fits of this package.",
    i = "Any model of dense layers can be given by its weights (units x inputs):
      {.code as_network(list(list(weight =, bias =, activation =)))}."
  ), "type")
}

#' @rdname as_network
#' @export
#' @order 3
as_network.ca_network <- function(x, ...) {
  check_dots(...)
  check_network_coefficients(x)
}

#' @rdname as_network
#' @export
#' @order 4
as_network.ca_fit <- function(x, ...) {
  check_dots(...)
  x$network
}

abort_import_unsupported <- function(message, call = rlang::caller_env(), .envir = parent.frame()) {
  message <- c("{.arg x} must be a model that can be written as a network.", message)
  abort(message, "unsupported", call = call, .envir = .envir)
}

abort_import_offset <- function(call) {
  abort_import_unsupported(c(x = "It has an offset, which is not a function of its inputs."), call)
}

abort_import_constant <- function(call = rlang::caller_env()) {
  abort_import_unsupported(c(x = "It predicts a constant: it has no inputs."), call)
}

# ---- shared by several models -----------------------------------------------

# Refuses objects of the right class that lack fields, since another package or the user made them.
check_import_fields <- function(x, fields, package, call) {
  missing <- setdiff(fields, names(x))
  if (length(missing) == 0L) return(invisible())
  abort(c(
    "{.arg x} must be a complete {.cls {class(x)[[1L]]}} object of package {.pkg {package}}.",
    x = "It has no {.or {.field {missing}}}.",
    i = "Weights of dense layers can be given directly:
      {.code as_network(list(list(weight =, bias =, activation =)))}."
  ), "type", call = call)
}

# A dense layer: `weight` (units x inputs), `bias` (units), the name of its `activation`, and the `parameter` of the
# activation. All but the first may be NULL.
new_import_dense <- function(weight, bias = NULL, activation = NULL, parameter = NULL) {
  list(weight = weight, bias = bias, activation = activation, parameter = parameter)
}

# Adds dense layers, each a new_import_dense(), to a network, sets their coefficients and marks them as imported.
import_stack_dense <- function(network, layers) {
  mark_imported(set_coef(import_add_dense(network, layers), import_dense_coef(layers)))
}

# Marks coefficients that were not trained by this package. `output` is the meaning of the outputs where they are
# logits: "softmax", one for each class; "baseline", one for each class but the first, whose logit is 0; "sigmoid", one
# for the second of two classes.
mark_imported <- function(network, output = NULL) {
  network$imported <- TRUE
  network$output <- output
  network
}

import_add_dense <- function(network, layers) {
  for (layer in layers) {
    network <- layer_dense(network, nrow(layer$weight), bias = !is.null(layer$bias))
    network <- import_add_activation(network, layer$activation, layer$parameter)
  }
  network
}

import_add_activation <- function(network, activation, parameter = NULL) {
  if (is.null(activation) || activation %in% c("linear", "identity")) return(network)
  layer_activation(network, activation, parameter)
}

# Coefficients of dense layers in the order of theta.
import_dense_coef <- function(layers) {
  as.double(unlist(lapply(layers, function(layer) layer[c("weight", "bias")])))
}
