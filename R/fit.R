# Training: a network, a task and an optimiser give a `ca_fit`.

#' Train a network on a task
#'
#' Minimises the mean squared error E|y - yhat|^2. A linear network meets its data
#' only through moments: with `n_obs = Inf` those of the population (or all
#' training rows of a data task), otherwise those of a simulated sample.
#'
#' @section Convergence:
#' At a stationary point every column of the tangent is orthogonal to the
#' dependencies left between inputs and residuals: J' eps = 0. `gradient_norm` is
#' the largest of |J_k' eps| / (|J~_k| sqrt(tr V)) over parameters k, where J~ is the
#' tangent in the metric of the inputs' second moments and tr V = E|y|^2, so that
#' neither the scale of a layer nor that of the data matters. A fit has converged
#' when it is at most `control$tol`, 1e-10. Otherwise a warning of class
#' `capalloc_warning_not_converged` says whether it stalled (no step improves any
#' more), ran out of iterations, or is degenerate (the tangent is zero); the fit is
#' returned all the same, with `converged = FALSE`.
#'
#' @param object A network. One with coefficients starts from them, and only
#'   further restarts are drawn.
#' @param task A task such as [task_fgn()] or [task_series()].
#' @param method `"lm"`, Levenberg-Marquardt with geodesic acceleration;
#'   `"lbfgs"`, R's own limited-memory BFGS; `"adam"`, full-batch Adam.
#' @param restarts Number of starts; the one with the least training loss is kept.
#' @param seed A whole number that fixes the starting weights and the sample, or
#'   `NULL` to draw one from R's own stream. It is kept in the result.
#' @param n_obs Number of simulated observations to train on, or `Inf`.
#' @param control A named list: `max_iterations` (1000, 5000 for lbfgs and adam,
#'   where each is one evaluation of the gradient; at most 1e6),
#'   `tol` (1e-10), `learning_rate` (0.01, adam, falling as a half cosine),
#'   `memory` (10, lbfgs, at most 100).
#' @param ... Not used.
#' @returns A list of class `ca_fit`: `network` (with the trained coefficients),
#'   `task`, `loss` (population loss, or the loss on held-out rows), `train_loss`,
#'   `bayes_loss`, `converged`, `outcome` (`"converged"`, `"stalled"`,
#'   `"exhausted"` or `"degenerate"`), `gradient_norm`, `iterations`, `seconds`,
#'   `method`, `seed`, `nobs`, `runs` (a data frame with one row per restart) and
#'   `history` (a data frame: restart, iteration, set, loss, gradient_norm).
#' @references Levenberg (1944) \doi{10.1090/qam/10666}; Marquardt (1963)
#'   \doi{10.1137/0111030}; Transtrum and Sethna (2012)
#'   \doi{10.48550/arXiv.1201.5885}; Byrd et al. (1995) \doi{10.1137/0916069}; Kingma and Ba
#'   (2015) \doi{10.48550/arXiv.1412.6980}.
#' @examples
#' net <- input_sequence(16)
#' for (d in 2^(0:3)) net <- layer_conv(net, 1, kernel = 2, dilation = d)
#' trained <- fit(net, task_fgn(length = 16, hurst = 0.8), seed = 1)
#' trained
#' glance(trained)
#' @export
fit.ca_network <- function(object, task, method = c("lm", "lbfgs", "adam"), restarts = 1, seed = NULL,
                           n_obs = Inf, control = list(), ...) {
  check_dots(...)
  check_task(task)
  method <- check_choice(method, fit_methods)
  restarts <- check_count(restarts)
  control <- fit_control(control, method)
  check_pair(object, task)
  if (n_params(object) == 0) {
    abort(c("{.arg object} must have parameters to train.", x = "This network has none."), "value")
  }
  seed <- draw_seed(seed)
  began <- proc.time()[[3L]]
  seeds <- derive_seeds(seed, restarts + 1L)
  sample <- training_sample(task, n_obs, seeds[[1L]])
  runs <- train_restarts(object, sample$moments, method, control, seeds[-1L])
  new_fit(object, task, sample, runs, method, seed, proc.time()[[3L]] - began)
}

fit_methods <- c("lm", "lbfgs", "adam")

#' @importFrom generics fit
#' @export
generics::fit

# A network and a task must be about the same inputs and outputs.
check_pair <- function(network, task, call = rlang::caller_env()) {
  check_pair_input(network, task, call)
  if (output_size(network) != task$outputs) {
    abort(c(
      "The network must have one output per output of the {.arg task}.",
      x = "The network has {output_size(network)}, the task {task$outputs}.",
      i = "End the network with {.code layer_dense({task$outputs})}, for instance."
    ), "shape", call = call)
  }
  invisible()
}

check_pair_input <- function(network, task, call = rlang::caller_env()) {
  if (!same_input(network$input, task$input)) {
    abort(c(
      "The network and the {.arg task} must have the same input.",
      x = "The network takes {describe_input(network$input)}, the task gives
        {describe_input(task$input)}."
    ), "shape", call = call)
  }
  invisible()
}

# The names that a task has for the inputs, where the network has none of its own.
label_input <- function(own, of_task) {
  if (is.null(own$labels)) own$labels <- of_task$labels
  own
}

# What a fit is trained on: moments, and the rows behind them if there are any.
training_sample <- function(task, n_obs, seed, call = rlang::caller_env()) {
  if (identical(n_obs, Inf)) {
    rows <- if (is.null(task$data)) NULL else task$data[c("x", "y")]
    return(list(moments = task$moments, rows = rows, nobs = if (is.null(rows)) Inf else nrow(rows$x)))
  }
  n_obs <- check_count(n_obs, call = call)
  rows <- simulate(task, n_obs, seed = seed)[c("x", "y")]
  list(moments = row_moments(rows$x, rows$y), rows = rows, nobs = n_obs)
}

# Moments with the constant as a last coordinate, for networks with a bias.
augment_moments <- function(moments, intercept) {
  if (!intercept) return(moments)
  list(
    sigma = rbind(cbind(moments$sigma, moments$mean_x), c(moments$mean_x, 1)),
    cross = rbind(moments$cross, moments$mean_y),
    target = moments$target
  )
}

outcomes <- c("converged", "stalled", "exhausted", "degenerate", "diverged")

train_restarts <- function(network, moments, method, control, seeds, call = rlang::caller_env()) {
  graph <- lower(network)
  moments <- augment_moments(moments, has_bias(network))
  total <- sum(diag(moments$target))
  if (!(total > 0)) {
    abort(c("{.arg task} must have outputs that vary.", x = "Their second moment is {total}."),
      "value", call = call)
  }
  lapply(seq_along(seeds), function(i) {
    own <- i == 1L && !is.null(network$coef)
    start <- if (own) network$coef else draw_coef(network, "glorot", seeds[[i]])
    run <- .Call(ffi_fit, graph, start, moments$sigma, moments$cross, total, method, control)
    run$outcome <- outcomes[[run$outcome + 1L]]
    run
  })
}

new_fit <- function(network, task, sample, runs, method, seed, seconds) {
  losses <- vapply(runs, function(run) run$loss, 0)
  if (all(!is.finite(losses))) {
    abort(c(
      "Training diverged: the loss is not finite.",
      i = "Start from smaller coefficients, or rescale the task."
    ), "diverged", call = rlang::caller_env())
  }
  best <- runs[[which.min(losses)]]
  network$coef <- best$coef
  network$input <- label_input(network$input, task$input)
  object <- structure(list(
    network = network, task = task, rows = sample$rows, moments = sample$moments,
    loss = NA_real_, train_loss = best$loss, bayes_loss = bayes_loss(task),
    converged = best$outcome == "converged", outcome = best$outcome,
    gradient_norm = if (best$number < 0) NaN else best$number,
    iterations = best$iterations, seconds = seconds, method = method, seed = seed,
    nobs = sample$nobs, runs = run_frame(runs), history = history_frame(runs)
  ), class = "ca_fit")
  object$loss <- if (identical(sample$moments, task$moments) && is.null(task$data)) {
    best$loss
  } else {
    task_loss(network, task)
  }
  if (!object$converged) warn_not_converged(object)
  object
}

run_frame <- function(runs) {
  light_frame(list(
    restart = seq_along(runs),
    train_loss = vapply(runs, function(run) run$loss, 0),
    outcome = vapply(runs, function(run) run$outcome, ""),
    gradient_norm = vapply(runs, function(run) run$number, 0),
    iterations = vapply(runs, function(run) run$iterations, 0L)
  ))
}

history_frame <- function(runs) {
  rows <- vapply(runs, function(run) nrow(run$history), 0L)
  all <- do.call(rbind, lapply(runs, function(run) run$history))
  light_frame(list(
    restart = rep(seq_along(runs), rows),
    iteration = as.integer(all[, 1L]),
    set = rep("train", sum(rows)),
    loss = all[, 2L],
    gradient_norm = all[, 3L]
  ))
}

warn_not_converged <- function(object) {
  what <- switch(object$outcome,
    stalled = "it stalled, no step improves it any more",
    exhausted = "it used all its iterations",
    degenerate = "it is degenerate, the network's tangent is zero"
  )
  warn(c(
    "Training has not converged: {what}.",
    x = "After {object$iterations} iteration{?s} the loss is {format(object$train_loss, digits = 6)}
      and {.field gradient_norm} {format(object$gradient_norm, digits = 2)}.",
    i = switch(object$outcome,
      degenerate = "Start from other coefficients: at zero weights a deep network cannot move.",
      "Try more {.arg restarts}, or {.code control = list(max_iterations = )}."
    )
  ), "not_converged", outcome = object$outcome)
}

# The loss that a user cares about: over the population, or on the rows held out.
task_loss <- function(network, task) {
  if (is.null(task$data)) {
    moments <- augment_moments(task$moments, has_bias(network))
    return(moment_loss(.Call(ffi_weights, lower(network), network$coef), moments))
  }
  held_out_loss(task, .Call(ffi_predict, lower(network), network$coef, task$data$x_test))
}

# yhat: predictions of the rows held out; NA when there are none.
held_out_loss <- function(task, yhat) {
  if (nrow(yhat) == 0L) return(NA_real_)
  mean(rowSums((task$data$y_test - yhat)^2))
}

# tr V - 2 tr(W C) + tr(W Sigma W')
moment_loss <- function(W, moments) {
  sum(diag(moments$target)) - 2 * sum(W * t(moments$cross)) + sum((W %*% moments$sigma) * W)
}

#' Methods for fits
#'
#' @param object,x A fit, from [fit.ca_network()].
#' @param newdata Inputs, as in [predict.ca_network()], or `NULL`.
#' @param ... Not used.
#' @returns `fitted()` and `residuals()`: matrices, observations x outputs, for the
#'   rows that the fit was trained on; a fit on population moments has none, which
#'   is an error. `nobs()`: their number, `Inf` for a population. `coef()`: the
#'   trained coefficients, named. `glance()`: a data frame with one row, columns
#'   `n_params`, `loss`, `train_loss`, `bayes_loss`, `excess_loss` (loss -
#'   bayes_loss, `NA` for data), `converged`, `gradient_norm`, `iterations`,
#'   `seconds`, `method`, `seed`, `nobs`. `tidy()`: one row per parameter: `term`,
#'   `layer`, `estimate`, `capacity` (its effective capacity in the identity metric, the sum of its
#'   column of [capacity_table()]: between 0 and 1, and the total over all of them).
#' @name ca_fit
#' @examples
#' net <- input_sequence(8) |> layer_dense(1)
#' trained <- fit(net, task_ar(length = 8, ar = 0.5), n_obs = 200, seed = 1)
#' head(residuals(trained))
#' glance(trained)
NULL

#' @rdname ca_fit
#' @export
print.ca_fit <- function(x, ...) {
  state <- if (x$converged) "converged" else paste("not converged:", x$outcome)
  cat("<fit> ", x$task$label, "\n", sep = "")
  cat("  ", state, " in ", count_text(x$iterations, "iteration"), " (", x$method, ", seed ", x$seed,
    "), gradient norm ", format(x$gradient_norm, digits = 2), "\n", sep = "")
  what <- if (is.null(x$task$data)) "loss" else "held-out loss"
  cat("  ", what, " ", format(x$loss, digits = 7), sep = "")
  if (is.finite(x$nobs)) cat(", training loss ", format(x$train_loss, digits = 7), sep = "")
  if (!is.na(x$bayes_loss)) cat(", Bayes loss ", format(x$bayes_loss, digits = 7), sep = "")
  cat("\n")
  print(x$network)
  invisible(x)
}

#' @rdname ca_fit
#' @importFrom stats fitted
#' @export
fitted.ca_fit <- function(object, ...) {
  .Call(ffi_predict, lower(object$network), object$network$coef, fit_rows(object)$x)
}

#' @rdname ca_fit
#' @importFrom stats residuals
#' @export
residuals.ca_fit <- function(object, ...) {
  fit_rows(object)$y - fitted(object)
}

fit_rows <- function(object, call = rlang::caller_env()) {
  if (!is.null(object$rows)) return(object$rows)
  abort(c(
    "This fit has no observations: it was trained on population moments.",
    i = "Train on a sample with {.code fit(n_obs = )}, or pass {.arg newdata} to {.fn predict}."
  ), "value", call = call)
}

#' @rdname ca_fit
#' @importFrom stats nobs
#' @export
nobs.ca_fit <- function(object, ...) object$nobs

#' @rdname ca_fit
#' @export
coef.ca_fit <- function(object, ...) coef(object$network)

#' @rdname ca_fit
#' @export
predict.ca_fit <- function(object, newdata = NULL, ...) {
  if (is.null(newdata)) fitted(object) else predict(object$network, newdata)
}
