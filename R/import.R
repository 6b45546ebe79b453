# Models from elsewhere as networks with coefficients.

#' Networks from fitted models
#'
#' Writes a model that you already have as a network with coefficients, so that
#' [capacity()], [effective_weights()], [predict()][predict.ca_network()] and the
#' like work on it.
#'
#' @section What its capacity means:
#' Capacity counts the coefficients of the *network* that is built, all of them
#' free: 1 per output on each input of a regression or an autoregression, whatever
#' its weight. What constrained the model beyond the shape of that network (zeros
#' of a seasonal polynomial, fixed coefficients, unit roots, the companion form
#' below) is kept in the values and not counted.
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
#' @section Matrices:
#' A list of matrices, units x inputs, the first layer first, or of lists `list(weight
#' =, bias =)` where layers have biases: one dense layer each. Column names of the
#' first matrix name the inputs.
#'
#' @section Errors:
#' `capalloc_error_type`: objects of other classes, and of classes from other packages that
#' inherit from `lm` or `glm` and may predict in their own way.
#' `capalloc_error_unsupported`: a link other than the identity; an offset;
#' regressors in an ARIMA (`xreg`, drift); a Box-Cox transformation; a model without inputs, which
#' predicts a constant (an autoregression of order 0 among them); a moving average with a
#' root inside the unit circle, on it, or so near that 1e5 steps do not fade to 1e-8.
#' `capalloc_error_shape`: matrices that do not fit each other, a `length` below the model's orders.
#' `capalloc_error_value`: missing or infinite weights. `capalloc_error_no_coefficients`:
#' a network without them.
#'
#' @param x A model: `lm`, `mlm` or `glm`; `ar`; `Arima`; a list of weight matrices;
#'   a fit of this package; or a network with coefficients, which is returned as it is.
#' @param input `NULL` for a vector, or an input of the same size such as
#'   `input_sequence(12)` where the columns have an order (channel-fastest, then
#'   position, the oldest first).
#' @param length Number of past values that the network sees. `NULL` takes the
#'   model's order or, with a moving average, as many as are said below.
#' @param ... Not used.
#' @returns A network of class `ca_network` with coefficients. Names that the model
#'   has for its inputs (columns, several series) are kept.
#' @references Hyndman, R. J., Koehler, A. B., Ord, J. K. and Snyder, R. D. (2008).
#'   Forecasting with Exponential Smoothing: The State Space Approach. Springer.
#'   \doi{10.1007/978-3-540-71918-2}
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
#' @export
as_network <- function(x, ...) {
  UseMethod("as_network")
}

#' @rdname as_network
#' @export
as_network.default <- function(x, ...) {
  abort(c(
    "{.arg x} must be a model that can be written as a linear network.",
    x = "It is {show_value(x)} of class {.cls {class(x)}}.",
    i = if (is.matrix(x)) "One matrix is a list of one: {.code as_network(list(x))}.",
    i = "Supported are {.cls lm} and {.cls mlm}, {.cls glm} with the identity link, {.cls ar}, {.cls Arima},
      lists of weight matrices, and the networks and fits of this package.",
    i = "Any linear model can be given by its weights (units x inputs):
      {.code as_network(list(list(weight =, bias =)))}."
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
  message <- c("{.arg x} must be a model that can be written as a linear network.", message)
  abort(message, "unsupported", call = call, .envir = .envir)
}

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
      x = "It is a {.cls glm} with the {x$family$link} link; only the identity is linear."
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
  if (!is.null(x$offset)) {
    abort_unsupported(c(x = "It has an offset, which is no function of its inputs."), call)
  }
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

# Layers are list(weight, bias), in the order of theta; bias may be NULL.
stack_dense <- function(network, layers) {
  for (layer in layers) network <- layer_dense(network, nrow(layer$weight), bias = !is.null(layer$bias))
  set_coef(network, as.double(unlist(layers)))
}

# ---- matrices ----------------------------------------------------------------

#' @rdname as_network
#' @export
as_network.list <- function(x, input = NULL, ...) {
  check_dots(...)
  if (length(x) == 0L) abort(c("{.arg x} must have at least one weight matrix.", x = "It is empty."), "shape")
  args <- element_args(x)
  call <- rlang::current_env()
  layers <- Map(function(layer, arg) check_dense(layer, arg, call), unname(x), args)
  check_chain(lapply(layers, function(layer) layer$weight), args)
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

# A matrix, or list(weight =, bias =), as list(weight, bias).
check_dense <- function(layer, arg, call) {
  if (!is.list(layer) || is.data.frame(layer)) return(list(weight = check_weight(layer, arg, call)))
  unknown <- setdiff(names(layer), c("weight", "bias"))
  if (is.null(layer[["weight"]]) || length(unknown) > 0L || anyDuplicated(names(layer))) {
    shown <- if (is.null(names(layer))) "nothing with a name" else names(layer)
    abort(c(
      "{.arg {arg}} must be a matrix or {.code list(weight =, bias =)}.",
      x = "It is a list of {.val {shown}}."
    ), "type", call = call)
  }
  weight <- check_weight(layer[["weight"]], paste0(arg, "$weight"), call)
  bias <- layer[["bias"]]
  if (!is.null(bias)) bias <- check_vector(bias, nrow(weight), paste0(arg, "$bias"), call)
  list(weight = weight, bias = bias)
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
