# Models from elsewhere as networks with coefficients.

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
#' the outputs are the logits, of which the model's probabilities are the softmax, and a message of
#' class `capalloc_message_logits` says so. A `multinom` model is a layer without hidden units: with two
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
#' @export
as_network <- function(x, ...) {
  UseMethod("as_network")
}

#' @rdname as_network
#' @export
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
as_network.ca_network <- function(x, ...) {
  check_dots(...)
  check_coefficients(x)
}

#' @rdname as_network
#' @export
as_network.ca_fit <- function(x, ...) {
  check_dots(...)
  x$network
}

abort_unsupported <- function(message, call = rlang::caller_env(), .envir = parent.frame()) {
  message <- c("{.arg x} must be a model that can be written as a network.", message)
  abort(message, "unsupported", call = call, .envir = .envir)
}

abort_offset <- function(call) abort_unsupported(c(x = "It has an offset, which is no function of its inputs."), call)

abort_constant <- function(call = rlang::caller_env()) {
  abort_unsupported(c(x = "It predicts a constant: it has no inputs."), call)
}

# ---- linear regression -------------------------------------------------------

#' @rdname as_network
#' @export
as_network.lm <- function(x, input = NULL, ...) {
  check_dots(...)
  check_own_class(x, c("lm", "mlm", "aov", "maov", "rlm"))
  regression_network(x, input)
}

#' @rdname as_network
#' @export
as_network.glm <- function(x, input = NULL, ...) {
  check_dots(...)
  check_own_class(x, c("glm", "lm"))
  if (x$family$link != "identity") {
    abort_unsupported(c(
      x = "It is a {.cls glm} with the {x$family$link} link; only the identity is supported."
    ))
  }
  regression_network(x, input)
}

# Subclasses from other packages may predict by more than their coefficients
# (back-transforming, say), and nothing in the object would tell.
check_own_class <- function(x, known, call = rlang::caller_env()) {
  foreign <- setdiff(class(x), known)
  if (length(foreign) == 0L) return(invisible())
  abort(c(
    "{.arg x} must be of a class whose predictions are known.",
    x = "It inherits from {.cls {known[[1L]]}} and is of class {.cls {foreign}}.",
    i = "If it predicts by its coefficients alone, give those:
      {.code as_network(list(list(weight =, bias =)))}."
  ), "type", call = call)
}

regression_network <- function(x, input, call = rlang::caller_env()) {
  if (!is.null(x$offset)) abort_offset(call)
  terms <- as.matrix(x$coefficients) # columns of the model matrix x outputs; coef() may drop NA
  constant <- rownames(terms) == "(Intercept)"
  aliased <- is.na(rowSums(terms))
  used <- !constant & !aliased
  if (!any(used)) abort_constant(call)
  if (any(aliased)) inform_aliased(rownames(terms)[aliased])
  input <- task_input(input, sum(used), rownames(terms)[used], call = call)
  layer <- list(weight = t(terms[used, , drop = FALSE]), bias = if (any(constant)) terms[constant, ])
  stack_dense(new_network(input), list(layer))
}

inform_aliased <- function(names) {
  cli::cli_inform(c(
    "{.val {names}} {?has/have} no coefficient in the model and {?is/are} not among the inputs.",
    i = "Predictions do not use {cli::qty(names)}{?it/them}."
  ), class = c("capalloc_message_aliased", "capalloc_message"))
}

# Layers are list(weight, bias, activation, parameter), all but the first may be NULL.
stack_dense <- function(network, layers) {
  set_coef(add_dense(network, layers), dense_coef(layers))
}

add_dense <- function(network, layers) {
  for (layer in layers) {
    network <- layer_dense(network, nrow(layer$weight), bias = !is.null(layer$bias))
    network <- add_activation(network, layer$activation, layer$parameter)
  }
  network
}

add_activation <- function(network, activation, parameter = NULL) {
  if (is.null(activation) || activation %in% c("linear", "identity")) return(network)
  layer_activation(network, activation, parameter)
}

# In the order of theta.
dense_coef <- function(layers) {
  as.double(unlist(lapply(layers, function(layer) layer[c("weight", "bias")])))
}

# ---- weights -----------------------------------------------------------------

#' @rdname as_network
#' @export
as_network.list <- function(x, input = NULL, activation = NULL, ...) {
  check_dots(...)
  if (length(x) == 0L) abort(c("{.arg x} must have at least one weight matrix.", x = "It is empty."), "shape")
  args <- element_args(x)
  call <- rlang::current_env()
  layers <- Map(function(layer, arg) check_dense(layer, arg, call), unname(x), args)
  check_chain(lapply(layers, function(layer) layer$weight), args)
  layers <- spread_activation(layers, activation, args)
  first <- layers[[1L]]$weight
  stack_dense(new_network(task_input(input, ncol(first), colnames(first))), layers)
}

# How the user would write each element: x$hidden where it has a name, else x[[2]].
element_args <- function(x) {
  args <- paste0("x[[", seq_along(x), "]]")
  named <- nzchar(names(x))
  args[named] <- paste0("x$", names(x)[named])
  args
}

# A matrix, or list(weight =, bias =, activation =, parameter =), as such a list.
check_dense <- function(layer, arg, call) {
  if (!is.list(layer) || is.data.frame(layer)) return(list(weight = check_weight(layer, arg, call)))
  unknown <- setdiff(names(layer), c("weight", "bias", "activation", "parameter"))
  if (is.null(layer[["weight"]]) || length(unknown) > 0L || anyDuplicated(names(layer))) {
    shown <- if (is.null(names(layer))) "nothing with a name" else names(layer)
    abort(c(
      "{.arg {arg}} must be a matrix or {.code list(weight =, bias =, activation =, parameter =)}.",
      x = "It is a list of {.val {shown}}."
    ), "type", call = call)
  }
  weight <- check_weight(layer[["weight"]], paste0(arg, "$weight"), call)
  bias <- layer[["bias"]]
  if (!is.null(bias)) bias <- check_vector(bias, nrow(weight), paste0(arg, "$bias"), call)
  activation <- layer[["activation"]]
  if (!is.null(activation)) activation <- check_known(activation, paste0(arg, "$activation"), call)
  parameter <- layer[["parameter"]]
  if (!is.null(parameter)) parameter <- check_dense_parameter(parameter, activation, paste0(arg, "$parameter"), call)
  list(weight = weight, bias = bias, activation = activation, parameter = parameter)
}

check_known <- function(activation, arg, call) {
  check_choice(activation, c("linear", activations()$activation), arg = arg, call = call)
}

check_dense_parameter <- function(parameter, activation, arg, call) {
  if (is.null(activation)) activation <- "linear"
  known <- activations()
  if (activation %in% known$activation[!is.na(known$parameter)]) return(check_number(parameter, arg = arg, call = call))
  abort(c(
    "{.arg {arg}} must be {.code NULL}: {.val {activation}} has none.",
    x = "It is {show_value(parameter)}."
  ), "value", call = call)
}

# The argument `activation`: one for each layer, or one for all but the last.
spread_activation <- function(layers, activation, args, call = rlang::caller_env()) {
  if (is.null(activation)) return(layers)
  n <- length(layers)
  if (!is.character(activation) || !length(activation) %in% c(1L, n)) {
    abort(c(
      if (n == 1L) {
        "{.arg activation} must be one name: there is one layer."
      } else {
        "{.arg activation} must be one name for all layers but the last, or one for each of the {n} layers."
      },
      x = "It is {show_value(activation)}."
    ), "value", call = call)
  }
  arg <- if (length(activation) == 1L) "activation" else paste0("activation[[", seq_len(n), "]]")
  Map(function(name, arg) check_known(name, arg, call), unname(activation), arg)
  if (length(activation) < n) activation <- c(rep(activation, n - 1L), "linear")
  own <- !vapply(layers, function(layer) is.null(layer$activation), NA)
  if (any(own)) {
    abort(c(
      "{.arg activation} must be {.code NULL} where layers have their own.",
      x = "{.arg {args[own]}} {?has/have} one."
    ), "value", call = call)
  }
  Map(function(layer, name) replace(layer, "activation", name), layers, activation)
}

# A vector could be a row or a column, and a data frame would have its rows as units.
check_weight <- function(x, arg, call) {
  if (!is.matrix(x) || !is.numeric(x)) {
    abort(c(
      "{.arg {arg}} must be a numeric matrix, units x inputs.",
      x = if (is.matrix(x)) "It is a {typeof(x)} matrix." else "It is {show_value(x)}.",
      i = if (is.numeric(x) && is.null(dim(x))) "A single unit is a matrix of one row.",
      i = if (arg == "x$bias") "One layer is a list in a list: {.code list(list(weight =, bias =))}."
    ), "type", call = call)
  }
  if (length(x) == 0L) {
    abort(c(
      "{.arg {arg}} must have at least one unit and one input.",
      x = "It is {nrow(x)} x {ncol(x)}."
    ), "shape", call = call)
  }
  check_matrix(x, arg = arg, call = call)
}

check_chain <- function(weights, args, call = rlang::caller_env()) {
  for (i in seq_along(weights)[-1L]) {
    units <- nrow(weights[[i - 1L]])
    if (ncol(weights[[i]]) == units) next
    abort(c(
      "{.arg {args[[i]]}} must have one column for each of the {units} unit{?s} of {.arg {args[[i - 1L]]}}.",
      x = "It has {ncol(weights[[i]])}."
    ), "shape", call = call)
  }
}

# ---- autoregression ----------------------------------------------------------

#' @rdname as_network
#' @export
as_network.ar <- function(x, length = NULL, ...) {
  check_dots(...)
  if (x$order == 0) abort_constant()
  length <- check_window(length, x$order)
  mean <- x$x.mean
  channels <- length(mean)
  lags <- array(x$ar, c(x$order, channels, channels)) # lag x output x input
  input <- new_input("sequence", channels, 1L, length, labels = window_labels(names(mean), length))
  constant <- if (any(mean != 0) || !is.null(x$x.intercept)) {
    intercept <- if (is.null(x$x.intercept)) 0 else x$x.intercept
    mean + intercept - drop(colSums(lags) %*% mean)
  }
  window_network(input, lags, constant)
}

# `least`: the number of values that the model's own terms reach back.
check_window <- function(length, least, default = least, call = rlang::caller_env()) {
  if (is.null(length)) return(as.integer(default))
  length <- check_count(length, call = call)
  if (length < least) {
    abort(c(
      "{.arg length} must be {least} or more, which is how far back the model looks.",
      x = "It is {length}."
    ), "shape", call = call)
  }
  length
}

# One convolution, read at the newest position; `lags` is lag x output x input.
window_network <- function(input, lags, constant = NULL) {
  order <- nrow(lags)
  network <- layer_conv(new_network(input), ncol(lags), kernel = order, bias = !is.null(constant))
  if (input$shape[[3L]] > order) network <- layer_last(network)
  oldest_first <- lags[rev(seq_len(order)), , , drop = FALSE]
  set_coef(network, c(aperm(oldest_first, c(2L, 3L, 1L)), constant))
}

# ---- ARIMA -------------------------------------------------------------------

#' @rdname as_network
#' @export
as_network.Arima <- function(x, length = NULL, ...) {
  check_dots(...)
  parts <- arima_parts(x)
  if (length(parts$theta) > 0L) return(moving_average_network(parts, length))
  lags <- -multiply(c(1, -parts$phi), c(1, -parts$delta))[-1L]
  if (length(lags) == 0L) abort_constant()
  length <- check_window(length, length(lags))
  constant <- if (!is.null(parts$mean)) parts$mean * (1 - sum(lags))
  window_network(new_input("sequence", 1L, 1L, length), array(lags, c(length(lags), 1L, 1L)), constant)
}

# w_t = x_t - sum_i delta_i x_(t-i), w_t - mean = sum_i phi_i (w_(t-i) - mean) +
# e_t + sum_i theta_i e_(t-i), seasonal factors multiplied out; `nobs` is the
# length of the series that it was fitted to.
arima_parts <- function(x, call = rlang::caller_env()) {
  others <- x$coef[seq_along(x$coef) > sum(x$arma[1:4])] # behind ar, ma and their seasonal kin
  regressors <- setdiff(names(others), "intercept")
  if (length(regressors) > 0L) {
    abort_unsupported(c(
      x = "It has {length(regressors)} regressor{?s} besides the series: {.val {regressors}}."
    ), call)
  }
  if (!is.null(x$lambda)) {
    abort_unsupported(c(
      x = "It transforms its series (Box-Cox, lambda = {format(x$lambda)}).",
      i = "Fit the model to the transformed series."
    ), call)
  }
  theta <- x$model$theta # padded with zeros
  list(
    phi = x$model$phi, theta = theta[seq_len(max(0, which(theta != 0)))], delta = x$model$Delta,
    mean = if (length(others) > 0L) others[["intercept"]], nobs = length(x$residuals)
  )
}

# Product of two polynomials, constants first.
multiply <- function(a, b) {
  product <- numeric(length(a) + length(b) - 1L)
  for (i in seq_along(a)) {
    at <- i - 1L + seq_along(b)
    product[at] <- product[at] + a[[i]] * b
  }
  product
}

moving_average_network <- function(parts, length, call = rlang::caller_env()) {
  state <- innovations(parts$phi, parts$theta)
  check_fading(state$fade, call)
  lost <- lost_weight(parts, state)
  enough <- which(lost <= unseen_weight)[[1L]] - 1L # lost[[1]] is for a window of no values
  lag <- length(parts$delta)
  least <- lag + length(state$gain)
  length <- check_window(length, least, max(least, min(lag + enough, parts$nobs)), call)
  seen <- length - lag
  inform_truncation(length, if (seen < length(lost)) lost[[seen + 1L]] else 0, state$fade, lag + enough)
  network <- new_network(new_input("sequence", 1L, 1L, length))
  if (lag == 0L) recurrent_network(network, state, parts$mean) else differenced_network(network, state, parts$delta)
}

# The weights of unseen values that the default `length` leaves out, and the
# largest number of values that is taken for a recursion to die out.
unseen_weight <- 1e-8
longest_memory <- 1e5

# Steady state: h_t = `transition` h_(t-1) + `gain` w_t, with transition = T - K
# Z: -theta in its first column, ones above the diagonal. `fade` is its
# spectral radius.
innovations <- function(phi, theta) {
  r <- max(length(phi), length(theta))
  pad <- function(x) c(x, numeric(r - length(x)))
  transition <- matrix(0, r, r)
  transition[, 1L] <- -pad(theta)
  above <- seq_len(r - 1L)
  transition[cbind(above, above + 1L)] <- 1
  fade <- max(Mod(eigen(transition, only.values = TRUE)$values))
  list(gain = pad(phi) + pad(theta), transition = transition, fade = fade)
}

check_fading <- function(fade, call) {
  if (fade < 1 && log(unseen_weight) / log(fade) <= longest_memory) return(invisible())
  abort_unsupported(c(
    x = "The past does not die out in its predictions: its moving average has an inverse root of modulus
      {format(fade, digits = 6)}.",
    i = if (fade < 1.001) "A root on the unit circle often means that the series was differenced once too often."
  ), call)
}

# The weights pi_j of w_(t+1-j) in the prediction of w_(t+1), from theta(B)
# pi(B) = phi(B), go on for ever; entry k + 1 is the sum of |pi_j| over j > k,
# up to where rounding ends it.
lost_weight <- function(parts, state) {
  reach <- length(state$gain) + ceiling(log(1e-18) / log(state$fade))
  weights <- stats::ARMAtoMA(ar = -parts$theta, ma = -parts$phi, lag.max = reach)
  c(rev(cumsum(rev(abs(weights)))), 0)
}

inform_truncation <- function(length, lost, fade, enough) {
  cli::cli_inform(c(
    "The moving average remembers the whole past; this network sees its last {length} value{?s}.",
    i = "The weights of what it does not see sum to {signif(lost, 2)} and fade by {signif(fade, 4)} a step.",
    i = if (lost > unseen_weight) "{.code length = {enough}} brings that sum to 1e-8 or less."
  ), class = c("capalloc_message_truncation", "capalloc_message"))
}

# With a mean, the state is that of the deviations from it: also at its start, where it is zero.
recurrent_network <- function(network, state, mean) {
  r <- length(state$gain)
  biased <- !is.null(mean)
  network |>
    layer_recurrent(r, bias = biased) |>
    layer_dense(1, bias = biased) |>
    set_coef(c(state$gain, state$transition, if (biased) -state$gain * mean, first_unit(r), mean))
}

# What the differences predict without a model of w, plus the prediction of w.
differenced_network <- function(network, state, delta) {
  r <- length(state$gain)
  lag <- length(delta)
  network |>
    layer_parallel(
      \(x) x |> layer_conv(1, kernel = lag) |> layer_last(),
      \(x) x |> layer_conv(1, kernel = lag + 1) |> layer_recurrent(r) |> layer_conv(1, kernel = 1)
    ) |>
    set_coef(c(rev(delta), rev(c(1, -delta)), state$gain, state$transition, first_unit(r)))
}

first_unit <- function(r) c(1, numeric(r - 1L))

# ---- package nnet ------------------------------------------------------------

#' @rdname as_network
#' @export
as_network.nnet <- function(x, input = NULL, link = FALSE, ...) {
  check_dots(...)
  check_own_class(x, c("nnet", "nnet.formula"))
  check_flag(link)
  weights <- nnet_weights(x) # checks x
  blocks <- nnet_blocks(x, weights)
  network <- new_network(task_input(input, x$n[[1L]], x$coefnames))
  network <- if (length(blocks) == 1L) {
    add_dense(network, blocks[[1L]])
  } else {
    layer_parallel(network, \(u) add_dense(u, blocks[[1L]]), \(u) add_dense(u, blocks[[2L]]))
  }
  if (x$softmax && !link) {
    inform_logits("The outputs of the network are logits: their softmax is the model's probabilities.")
  }
  if (x$nsunits == x$nunits && !link) network <- add_activation(network, "sigmoid")
  set_coef(network, dense_coef(unlist(blocks, recursive = FALSE)))
}

# Lists of layers whose outputs add up: through the hidden units, and from the inputs straight to the outputs.
nnet_blocks <- function(x, weights) {
  size <- x$n[[2L]]
  inputs <- 1L + seq_len(x$n[[1L]])
  outputs <- size + seq_len(x$n[[3L]])
  bias <- weights[outputs, 1L]
  across <- list(weight = weights[outputs, inputs, drop = FALSE])
  if (size == 0) return(list(list(c(across, list(bias = bias)))))
  hidden <- list(
    weight = weights[-outputs, inputs, drop = FALSE], bias = weights[-outputs, 1L], activation = "sigmoid"
  )
  through <- list(hidden, list(weight = weights[outputs, -c(1L, inputs), drop = FALSE], bias = bias))
  skips <- diff(x$nconn)[[x$nunits]] > 1L + size # all that the last output reads
  if (skips) list(through, list(across)) else list(through)
}

# Hidden units and outputs x the constant, inputs and hidden units, from nnet's list of connections.
# It counts units from 0: the constant, the inputs, the hidden units, the outputs. Unit i has the entries
# nconn[i] .. nconn[i + 1] - 1 of wts, and `conn` are the units that they come from.
nnet_weights <- function(x, call = rlang::caller_env()) {
  check_fields(x, c("n", "nunits", "nconn", "conn", "nsunits", "softmax", "wts"), "nnet", call)
  if (isTRUE(x$censored)) {
    abort_unsupported(c(x = "It is censored: its responses are sets of classes."), call)
  }
  if (x$n[[1L]] == 0) abort_constant(call)
  values <- check_vector(x$wts, length(x$conn), "x$wts", call)
  to <- rep(seq_len(x$nunits), diff(x$nconn)) - 1L - x$n[[1L]]
  weights <- matrix(0, sum(x$n[2:3]), 1 + sum(x$n[1:2]))
  weights[cbind(to, x$conn + 1L)] <- values
  weights
}

# Objects of that class that other packages, or hands, have made.
check_fields <- function(x, fields, package, call) {
  missing <- setdiff(fields, names(x))
  if (length(missing) == 0L) return(invisible())
  abort(c(
    "{.arg x} must be as package {.pkg {package}} makes a {.cls {class(x)[[1L]]}}.",
    x = "It has no {.or {.field {missing}}}.",
    i = "Weights of dense layers can be given as they are:
      {.code as_network(list(list(weight =, bias =, activation =)))}."
  ), "type", call = call)
}

inform_logits <- function(message) {
  cli::cli_inform(c(
    message,
    i = "{.code link = TRUE} asks for logits, and leaves out this message."
  ), class = c("capalloc_message_logits", "capalloc_message"))
}

#' @rdname as_network
#' @export
as_network.multinom <- function(x, input = NULL, link = FALSE, ...) {
  check_dots(...)
  check_own_class(x, c("multinom", "nnet"))
  check_flag(link)
  check_fields(x, c("coefnames", "vcoefnames"), "nnet", rlang::current_env())
  weights <- nnet_weights(x)
  terms <- x$coefnames
  if (length(terms) > length(x$vcoefnames)) abort_offset()
  # Every level has weights, those of the first are held at zero; so are all biases of its own.
  if (x$softmax) weights <- weights[-1L, , drop = FALSE] - rep(weights[1L, ], each = nrow(weights) - 1L)
  constant <- c(TRUE, terms == "(Intercept)")
  if (all(constant)) abort_constant()
  layer <- list(
    weight = weights[, !constant, drop = FALSE],
    bias = if (sum(constant) > 1L) rowSums(weights[, constant, drop = FALSE]),
    activation = if (!x$softmax && !link) "sigmoid"
  )
  if (x$softmax && !link) {
    inform_logits(
      "The outputs of the network are logits against the first level: the softmax of 0 and them is the model's
        probabilities."
    )
  }
  stack_dense(new_network(task_input(input, ncol(layer$weight), terms[terms != "(Intercept)"])), list(layer))
}

# ---- package neuralnet -------------------------------------------------------

#' @rdname as_network
#' @export
as_network.nn <- function(x, input = NULL, link = FALSE, rep = NULL, ...) {
  check_dots(...)
  check_own_class(x, "nn")
  check_flag(link)
  check_fields(x, c("act.fct", "linear.output", "model.list"), "neuralnet", rlang::current_env())
  layers <- neuralnet_layers(x, check_repetition(rep, x))
  last <- length(layers)
  curved <- c(rep.int(TRUE, last - 1L), !x$linear.output && !link)
  if (any(curved)) {
    activation <- neuralnet_activation(x)
    layers[curved] <- lapply(layers[curved], c, activation = activation)
  }
  labels <- x$model.list$variables
  inputs <- ncol(layers[[1L]]$weight)
  if (length(labels) != inputs) labels <- NULL
  stack_dense(new_network(task_input(input, inputs, labels)), layers)
}

# Repetitions that did not converge are not in the object.
check_repetition <- function(rep, x, call = rlang::caller_env()) {
  n <- sum(lengths(x$weights) > 0L)
  if (n == 0L) {
    abort_unsupported(c(x = "It has no weights: none of its repetitions reached its {.arg threshold}."), call)
  }
  if (!is.null(rep)) {
    rep <- check_count(rep, call = call)
    if (rep <= n) return(rep)
    abort(c("{.arg rep} must be {n} or less, the number of repetitions.", x = "It is {rep}."), "value", call = call)
  }
  if (n == 1L) return(1L)
  error <- if ("error" %in% rownames(x$result.matrix)) x$result.matrix["error", ]
  if (length(error) == n && !all(is.na(error))) return(which.min(error)[[1L]])
  abort(c(
    "{.arg rep} must be given where the errors of the repetitions are not known.",
    x = "There are {n}, and {.code x$result.matrix} has no error for {?it/each of them}."
  ), "value", call = call)
}

# One matrix for each layer, the constant (first) and inputs x units. Weights that were excluded are NA: they were
# held at zero.
neuralnet_layers <- function(x, rep, call = rlang::caller_env()) {
  units <- NULL
  lapply(seq_along(x$weights[[rep]]), function(i) {
    weight <- x$weights[[rep]][[i]]
    if (is.numeric(weight)) weight[is.na(weight) & !is.nan(weight)] <- 0
    weight <- check_matrix(weight, if (!is.null(units)) units + 1L, arg = paste0("x$weights[[", rep, "]][[", i, "]]"),
      call = call)
    units <<- ncol(weight)
    list(weight = t(weight[-1L, , drop = FALSE]), bias = weight[1L, ])
  })
}

neuralnet_activation <- function(x, call = rlang::caller_env()) {
  type <- attr(x$act.fct, "type")
  known <- c(logistic = "sigmoid", tanh = "tanh", relu = "relu", ReLu = "relu")
  if (is.character(type) && length(type) == 1L && type %in% names(known)) return(known[[type]])
  abort_unsupported(c(
    x = "Its {.arg act.fct} is a function of its own; known are {.val {names(known)[1:3]}}.",
    i = "If it is one of {.fn activations}, give it with the weights:
      {.code as_network(list(list(weight =, bias =, activation =)))}."
  ), call)
}
