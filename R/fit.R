# Training of a network on a task. The result is an object of class `ca_fit`.

#' Train a network on a task
#'
#' Minimises the mean squared error E|y - yhat|^2, or for a task whose response is a factor ([task_data()]) the mean
#' cross-entropy. A linear network is trained on second moments: with `n_obs = Inf` those of the population (or of all
#' training rows of a data task), otherwise those of a simulated sample. Networks that are not linear, cross-entropy,
#' weight decay and early stopping need rows: a task of data, or a finite `n_obs`.
#'
#' @section Units:
#' Data tasks are standardised by default (`standardise` of [task_data()] and [task_series()]): the network is trained
#' on inputs and responses with a centre and a scale taken from the training rows, which the network records.
#' [predict()][predict.ca_network()], [linearise()] and [effective_weights()] are in data units; [coef()], [tangent()]
#' and [capacity()] in standardised coordinates. Squared errors are reported in squared units of the response (with
#' `standardise = "each"` of the standardised responses). With centring, a network without bias is least squares with an
#' intercept. Weight decay acts on the coefficients in standardised coordinates. Synthetic tasks are never standardised.
#'
#' Moments of rows are factored by QR of the centred and scaled columns, stated moments by pivoted Cholesky of the
#' correlations, so that an offset or the unit of a column costs no digits. A network that is one dense layer is solved
#' directly.
#'
#' @section Loss and excess loss:
#' For synthetic tasks `loss` is `bayes_loss` + `excess_loss`, and the excess is computed by itself: with W* the best
#' affine weights it is \eqn{|\Sigma^{1/2} (W - W^*)'|^2} for a linear network (`excess_type` `"exact"`), and for others
#' the mean of \eqn{|\hat y(x) - E(y \mid x)|^2} over 10000 fresh rows from the seed (`"sampled"`). It is never
#' negative. For data tasks `loss` is that of the rows held out.
#'
#' @section Cross-entropy:
#' The outputs are logits: one per level of the response (multinomial), or a single one for two levels
#' (logistic, of the second level). The residual is r = onehot - p.
#'
#' @section Convergence:
#' At a stationary point every column of the tangent is orthogonal to the dependencies left between inputs and
#' residuals:
#' \eqn{J' \epsilon = 0}. A fit has converged when two conditions hold.
#'
#' *The number*, `gradient_norm`, is the largest over parameters k of
#' \deqn{|J_k' \epsilon| / (|\tilde J_k| \sqrt{\mathrm{tr} V}),}
#' with \eqn{\tilde J} the tangent in the metric of the inputs' second moments and V those of the response, centred
#' where the network has a bias, so that neither the scale of a layer nor that of the data matters. It must be at most
#' `control$tol`: 1e-10, or 1e-6 unless the network is linear and the loss squared. Over samples x_s, y_s, with
#' \eqn{d_{sk} = \partial \hat y_s / \partial \theta_k}, it is the largest of
#' \eqn{|\sum_s r_s' d_{sk}| / \sqrt{\sum_s |d_{sk}|^2 \sum_s |y_s|^2}}, y_s onehot for classes. Weight decay is one
#' more row for each parameter: with c = N lambda (squared error) or 2 N lambda (cross-entropy) the first sum is less c
#' theta_k, and \eqn{\sum_s |d_{sk}|^2} more c.
#'
#' *The Newton decrement*, `decrement`, is what one Gauss-Newton step still promises, |P r|^2 with P the projector on
#' the column-scaled tangent (its directions above 1e-6 of the largest for nonlinear networks; for cross-entropy g' G^+
#' g with G the Gauss-Newton matrix). It must be at most max(1e-8, tol^2) of the loss: a small gradient along a
#' direction in which the inputs hardly vary can hide a loss far above the least one. No direction counts for more than
#' a step of length 1000 sqrt(tr V) along it promises (columns of unit norm), since at minima where the tangent loses
#' rank, such as filters that share a zero, the lost direction promises what no network of the architecture can do. A
#' loss below 1e-14 tr V counts as zero, and then the number alone decides; so it does where the decrement is `NA`.
#'
#' After convergence up to three more steps are taken while they lower the number (Levenberg-Marquardt, and on moments
#' after L-BFGS and Adam too). They drive what is left of weights that training sends to zero towards rounding, so that
#' [capacity()] does not count it.
#'
#' Early stopping and mini-batches never count as converged. With weights of rows ([task_data()]) all sums over samples
#' have them, and N is their sum.
#'
#' @section Warnings:
#' `capalloc_warning_not_converged`: the fit stalled (no step improves any more), ran out of iterations, was stopped
#' early, or is degenerate (the tangent is zero). It is returned all the same, with `converged = FALSE`.
#' `capalloc_warning_starts`: the starts of a network that is not convex end at training losses that differ by more than
#' 1%. `capalloc_warning_separation`: the classes are separated by the network, for all training rows or (for a single
#' dense layer) for some, so that the cross-entropy has no minimum; the rows are the field `rows` of the condition. In
#' contrast to [stats::glm()], probabilities close to 0 or 1 alone are no reason for it.
#' `capalloc_warning_unused`: a setting in `control` that the method does not use.
#' `capalloc_warning_above_floor`: a converged linear network that can express the best weights has a loss above the
#' least possible one by more than 1e-6 of it.
#'
#' @section Starts:
#' A drawn start of a network that is not convex whose training loss ends above that of the best constant (of zero,
#' where the network has no bias) is drawn again, at most five times; `redraws` counts them. Coefficients of `object`
#' are a start too, and stay the same function of the data: where the task is standardised they are re-expressed in its
#' units, which is exact for dense layers and convolutions without padding at the ends of the network, and otherwise
#' refused (`capalloc_error_units`). Those of [initialise()] have no units and stand as they are.
#'
#' @param object A network. One with coefficients starts from them, and only
#'   further restarts are drawn.
#' @param task A task such as [task_fgn()] or [task_series()].
#' @param method `"lm"`, Levenberg-Marquardt with geodesic acceleration;
#'   `"lbfgs"`, R's own limited-memory BFGS; `"adam"`, Adam, with mini-batches
#'   where `control$batch` asks for them.
#' @param restarts Number of starts; the one with the least training loss is kept.
#' @param seed A whole number that fixes the starting weights and the sample, or
#'   `NULL` to draw one from R's own stream. It is kept in the result.
#' @param n_obs Number of simulated observations to train on, or `Inf`: population moments of a synthetic task, all
#'   training rows of a task of data. A finite number for a task of data draws that many of its training rows with
#'   replacement.
#' @param control A named list: `max_iterations` (1000, 5000 for lbfgs and adam,
#'   where each is one evaluation of the gradient; at most 1e6),
#'   `tol` (the bound of the convergence number: 1e-10 for a linear network and squared error, otherwise 1e-6),
#'   `learning_rate` (0.01, adam, falling as a half cosine),
#'   `memory` (10, lbfgs, at most 100). On samples also `decay` (0: lambda of lambda |theta|^2, which is part of
#'   the loss), `batch` (`Inf`: rows of a mini-batch, adam, where an iteration is a pass over all of them),
#'   `validation` (0: share of the training rows that is set aside, the last ones of a series, others at random)
#'   and `patience` (20: iterations without a lower validation loss after which training stops; the
#'   coefficients are those of the lowest).
#' @param ... Not used.
#' @returns A list of class `ca_fit`: `network` (with the trained coefficients),
#'   `task`, `loss` (population loss, or the loss on held-out rows), `train_loss` (with its decay),
#'   `bayes_loss`, `excess_loss` and `excess_type` (see above), `null_loss` (of the best constant: of the population, or
#'   of the training mean on the rows held out), `converged`, `outcome` (`"converged"`, `"stalled"`,
#'   `"exhausted"`, `"stopped"` early or `"degenerate"`), `gradient_norm`, `decrement`, `iterations`, `redraws`,
#'   `seconds`, `method`, `control`, `seed`, `nobs`, `runs` (a data frame with one row per restart: `restart`,
#'   `train_loss`, `outcome`, `gradient_norm`, `iterations`, `decrement`, `redraws`), `history` (a data frame: restart,
#'   iteration, set, loss, gradient_norm) and `version` of the package.
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
  check_pair(object, task)
  if (n_params(object) == 0) {
    abort(c("{.arg object} must have parameters to train.", x = "This network has none."), "value")
  }
  control <- fit_control(control, method, linear = is_linear(object) && !has_task_classes(task))
  seed <- draw_seed(seed)
  began <- proc.time()[[3L]]
  seeds <- derive_seeds(seed, restarts + 1L)
  sample <- fit_prepare_sample(fit_training_sample(task, n_obs, seeds[[1L]]), object, task, control, seeds[[1L]])
  start <- start_in_units(object, sample$units)
  runs <- fit_on_sample(start, task, sample, method, control, seeds[-1L])
  new_fit(start, task, sample, runs, method, control, seed, proc.time()[[3L]] - began)
}

# A training sample. In data units:
#   rows        list(x, y), with weights list(x, y, weight); NULL for a population
#   validation  rows set aside for early stopping, the same or NULL
#   moments     of the rows, or of the population
#   nobs        number of rows, whatever their weights; Inf for a population
# In the coordinates of the layers, added by fit_sample_in_units():
#   units       of the fit, or NULL
#   root        root of the moments, for a linear network that is trained on moments, else NULL
#   trained_on  rows, NULL for training on moments
#   aside       rows set aside, or NULL
new_fit_sample <- function(rows, validation, moments, nobs, units = NULL, root = NULL, trained_on = NULL,
  aside = NULL) {
  list(rows = rows, validation = validation, moments = moments, nobs = nobs, units = units, root = root,
    trained_on = trained_on, aside = aside)
}

# The sample of rows in data units.
fit_sample_of_rows <- function(rows, validation = NULL) {
  new_fit_sample(rows, validation, task_row_moments(rows$x, rows$y, rows$weight), nrow(rows$x))
}

# The sample with rows set aside for early stopping and with the fields in the coordinates of the layers.
fit_prepare_sample <- function(sample, network, task, control, seed, call = rlang::caller_env()) {
  by_rows <- needs_rows(network, task, control)
  if (by_rows) sample <- rows_split_sample(sample, task, control, seed, call = call)
  fit_sample_in_units(sample, network, task, by_rows, call)
}

# The same for a sample whose rows are set aside already. by_rows: whether training needs rows, see needs_rows().
fit_sample_in_units <- function(sample, network, task, by_rows, call = rlang::caller_env()) {
  sample["units"] <- list(fit_units(task, sample$rows, shape_output_size(network)))
  if (by_rows) {
    sample$trained_on <- layer_rows(sample$rows, network, task, sample$units)
    if (!is.null(sample$validation)) sample$aside <- layer_rows(sample$validation, network, task, sample$units)
    return(sample)
  }
  sample$root <- if (is.null(sample$rows)) {
    moment_root(sample$moments, has_bias(network))
  } else {
    rows <- layer_rows(sample$rows, network, task, sample$units)
    row_root(rows$x, rows$y, has_bias(network), rows$weight)
  }
  check_fit_varies(sample$root, call)
  sample
}

# Returns a list with one run for each seed, see train_each_start(). A run is the result of the core: `coef`, `loss`,
# `excess` (the loss above the floor of the moments), `decrement`, `number`, `outcome`, `iterations`, `history`, and
# `redraws`. Losses, excess and decrement are in the units that are reported.
fit_on_sample <- function(network, task, sample, method, control, seeds, call = rlang::caller_env()) {
  runs <- if (is.null(sample$root)) {
    train_on_rows(network, sample, task_loss_of(task), method, control, seeds, call = call)
  } else {
    fit_on_moments(network, sample$root, method, control, seeds, call = call)
  }
  scale <- loss_scale(task, sample$units)
  lapply(runs, function(run) {
    for (value in c("loss", "excess", "decrement")) run[[value]] <- scale * run[[value]]
    run$history[, c(2L, 4L)] <- scale * run$history[, c(2L, 4L)]
    run
  })
}

fit_methods <- c("lm", "lbfgs", "adam")

#' @importFrom generics fit
#' @export
generics::fit

# The sample in data units, before rows are set aside: simulated for a finite n_obs, else the rows or the population
# moments of the task.
fit_training_sample <- function(task, n_obs, seed, call = rlang::caller_env()) {
  if (identical(n_obs, Inf)) {
    rows <- task_rows(task)
    return(new_fit_sample(rows, NULL, task$moments, if (is.null(rows)) Inf else nrow(rows$x)))
  }
  n_obs <- check_count(n_obs, call = call)
  fit_sample_of_rows(simulate(task, n_obs, seed = seed)[c("x", "y")])
}

check_fit_varies <- function(root, call) {
  if (nrow(root$root) == 0L) {
    abort(c("{.arg task} must have inputs that vary.", x = "All of them are zero."), "value", call = call)
  }
  check_loss_outputs_vary(root$total, call)
}

# As train_on_rows(), for linear networks, on the root of the moments.
fit_on_moments <- function(network, root, method, control, seeds, call = rlang::caller_env()) {
  graph <- lower_network(network)
  # a single dense layer starts at the exact solution
  if (method == "lm" && is_fit_dense_only(network)) network$coef <- as.double(root_weights(root))
  train_each_start(network, seeds, root$total, train = function(start, seed) {
    .Call(ffi_fit, graph, start, root, method, control)
  })
}

is_fit_dense_only <- function(network) {
  kinds <- vapply(network$layers, function(layer) layer$kind, "")
  sum(kinds == "dense") == 1L && all(kinds %in% c("dense", "flatten"))
}

# The `ca_fit` of the best of `runs`. object: the network as it was before training, in the units of the sample.
new_fit <- function(object, task, sample, runs, method, control, seed, seconds) {
  best <- fit_best_run(runs)
  network <- object
  network$coef <- best$coef
  network$input <- label_input(network$input, task$input)
  if (!is.finite(start_run_loss(best))) abort_fit_diverged(network, best)
  converged <- best$outcome == "converged"
  number <- if (is.na(best$number) || best$number < 0) NaN else best$number
  network$output <- fit_output(network, task)
  fit <- structure(list(
    network = network, task = task, rows = sample$rows, validation = sample$validation, moments = sample$moments,
    loss = NA_real_, train_loss = best$loss, bayes_loss = fit_known_floor(object, task, sample), excess_loss = NA_real_,
    excess_type = NA_character_, null_loss = null_loss(task, sample$units), converged = converged,
    outcome = best$outcome, gradient_norm = number, decrement = best$decrement, iterations = best$iterations,
    redraws = sum(vapply(runs, function(run) run$redraws, 0L)), seconds = seconds, method = method,
    control = control, seed = seed, nobs = sample$nobs, runs = fit_run_frame(runs), history = fit_history_frame(runs),
    version = own_version()
  ), class = "ca_fit")
  fit$network$trained <- fit_trained_record(fit)
  losses <- fit_losses(fit, sample, best)
  fit[names(losses)] <- losses
  warn_fit(fit, sample, best)
  fit
}

# The Bayes loss of the task. For training on population moments it is the floor of their root, unless the task has
# means that a network without bias cannot express.
fit_known_floor <- function(network, task, sample) {
  same <- !is.null(sample$root) && is.null(sample$rows) && (has_bias(network) || !has_task_intercept(task))
  if (same) sample$root$floor else bayes_loss(task)
}

# The record of training that a network carries:
#   tol            bound of the convergence number
#   gradient_norm  the convergence number
#   converged      whether training converged
new_fit_trained_record <- function(tol, gradient_norm, converged) {
  list(tol = tol, gradient_norm = gradient_norm, converged = converged)
}

# The record of a fit, which capacity() uses. With weight decay its convergence number is that of the loss without the
# penalty, which is not zero at the optimum of the penalised loss.
fit_trained_record <- function(fit) {
  number <- fit$gradient_norm
  if (fit$control$decay > 0) number <- rows_number(fit$network, fit$task, fit$rows)
  new_fit_trained_record(tol = fit$control$tol, gradient_norm = number, converged = fit$converged)
}

# The map from outputs to probabilities, NULL for a task without classes.
fit_output <- function(network, task) {
  if (!has_task_classes(task)) return(NULL)
  if (shape_output_size(network) == 1L) "sigmoid" else "softmax"
}

warn_fit <- function(fit, sample, best) {
  if (!fit$converged) warn_fit_not_converged(fit)
  warn_fit_starts(fit)
  if (has_task_classes(fit$task)) warn_separation(fit, is_fit_dense_only(fit$network))
  if (!is.null(sample$root)) warn_fit_above_floor(fit, sample$root, best)
}

# Warns when the starts of a network that is not convex end at training losses that differ by more than 1%.
warn_fit_starts <- function(fit) {
  losses <- fit$runs$train_loss[is.finite(fit$runs$train_loss)]
  if (length(losses) < 2L || is_convex(fit$network) || !(max(losses) > 1.01 * min(losses))) return(invisible())
  within <- sum(losses <= 1.01 * min(losses))
  warn(c(
    "Training from different starts ended at different losses: {within} of {length(losses)} within 1% of the least.",
    x = "The training losses range from {format(min(losses), digits = 4)} to {format(max(losses), digits = 4)}.",
    i = "The best start is kept. Its allocation of capacity is a property of that minimum: compare it with those of
      other starts by {.code tidy(capacity(fit), conf.int = TRUE, over = \"restarts\")}."
  ), "starts")
}

# Warns when a converged linear network that can express all weights has a loss above the floor of its moments: at a
# stationary point it should have reached the floor.
warn_fit_above_floor <- function(fit, root, best) {
  floor <- best$loss - best$excess
  above <- best$excess / floor
  is_near <- !(above > 1e-6) || best$loss <= 1e-14 * root$total
  if (!fit$converged || is_near || !fit_can_express(fit$network)) return(invisible())
  warn(c(
    "The training loss is above the least loss that this network can attain.",
    x = "It is {format(best$loss, digits = 6)}, {format(100 * above, digits = 2)}% above {format(floor, digits = 6)}.",
    i = "The inputs are nearly collinear. A single {.code layer_dense()} is solved directly."
  ), "above_floor")
}

# Whether the tangent has full row rank, so that a change of theta can move the effective weights in every direction.
fit_can_express <- function(network) {
  if (n_params(network) < shape_output_size(network) * (input_size(network$input) + has_bias(network))) return(FALSE)
  J <- .Call(ffi_tangent, lower_network(network), network$coef)
  norm <- sqrt(colSums(J^2))
  J <- J[, norm > 0, drop = FALSE] / rep(norm[norm > 0], each = nrow(J))
  if (ncol(J) < nrow(J)) return(FALSE)
  size <- abs(diag(qr(t(J), LAPACK = TRUE)$qr))
  min(size) > 10 * max(dim(J)) * .Machine$double.eps * size[[1L]]
}

fit_best_run <- function(runs) runs[[which.min(vapply(runs, start_run_loss, 0))]]

# The condition carries the last coefficients at which the loss was finite as `coef` (the start, if there are none).
abort_fit_diverged <- function(network, run, call = rlang::caller_env(2L)) {
  abort(c(
    "Training diverged at iteration {run$iterations}: the loss is not finite.",
    i = "Start from smaller coefficients, rescale the task, or lower {.code control$learning_rate}."
  ), "diverged", call = call, coef = stats::setNames(run$coef, coef_names(network)), iteration = run$iterations)
}

fit_run_frame <- function(runs) {
  light_frame(list(
    restart = seq_along(runs),
    train_loss = vapply(runs, function(run) run$loss, 0),
    outcome = vapply(runs, function(run) run$outcome, ""),
    gradient_norm = vapply(runs, function(run) run$number, 0),
    iterations = vapply(runs, function(run) run$iterations, 0L),
    decrement = vapply(runs, function(run) run$decrement, 0),
    redraws = vapply(runs, function(run) run$redraws, 0L)
  ))
}

# The history of all runs as a data frame: a row for each iteration, and one more where a validation loss was computed.
# The columns of a run's history are iteration, loss, convergence number and validation loss (NA where there is none).
fit_history_frame <- function(runs) {
  frames <- lapply(seq_along(runs), function(i) {
    rows <- runs[[i]]$history
    checked <- if (ncol(rows) > 3L) which(!is.na(rows[, 4L]))
    light_frame(list(
      restart = rep(i, nrow(rows) + length(checked)),
      iteration = as.integer(c(rows[, 1L], rows[checked, 1L])),
      set = rep(c("train", "validation"), c(nrow(rows), length(checked))),
      loss = c(rows[, 2L], if (length(checked) > 0L) rows[checked, 4L]),
      gradient_norm = c(rows[, 3L], rep(NA, length(checked)))
    ))
  })
  stack_frames(frames)
}

warn_fit_not_converged <- function(object) {
  what <- switch(object$outcome,
    stalled = "it stalled, no further step reduces the loss",
    exhausted = "it reached the maximum number of iterations",
    stopped = "it was stopped early, by the validation loss",
    degenerate = "it is degenerate, the tangent of the network is zero"
  )
  warn(c(
    "Training has not converged: {what}.",
    x = "After {object$iterations} iteration{?s} the loss is {format(object$train_loss, digits = 6)}
      and {.field gradient_norm} {format(object$gradient_norm, digits = 2)}.",
    i = switch(object$outcome,
      degenerate = "Start from other coefficients: at zero weights the gradient of a deep network is zero.",
      stopped = "The coefficients are those of the least validation loss.",
      "Try more {.arg restarts}, or {.code control = list(max_iterations = )}."
    )
  ), "not_converged", outcome = object$outcome)
}

#' Methods for fits
#'
#' @param object,x A fit, from [fit.ca_network()].
#' @param newdata,new_data Inputs, as in [predict.ca_network()], or `NULL`; both names are accepted. `augment()` of new
#'   data has the columns `row`, `output` and `.fitted`.
#' @param type For a task with classes `"response"` gives probabilities, `"link"` the outputs of the network
#'   (logits), `"class"` a factor. Otherwise the first two are the same.
#' @param ... Not used.
#' @returns `fitted()` and `residuals()`: matrices, observations x outputs, for the
#'   rows that the fit was trained on (of a task with classes, probabilities and onehot - p); a fit
#'   on population moments has none, which is an error. `nobs()`: their number, `Inf` for a population; rows with
#'   weights count once each, as in [stats::lm()], and rows of weight 0 are not counted. `weights()`: the weights of
#'   these rows (times those of their classes), `NULL` without weights. Residuals have no weights. `coef()`: the
#'   trained coefficients, named. `glance()`: a data frame with one row, columns
#'   `n_params`, `loss`, `train_loss`, `bayes_loss`, `excess_loss` (`NA` for data), `converged`, `gradient_norm`,
#'   `iterations`, `seconds`, `method`, `seed`, `nobs`, `decrement`, `redraws`, `null_loss`. `tidy()`: one row per
#'   parameter: `term`, `layer`, `estimate`, `capacity` (its effective capacity in the identity metric, the sum of its
#'   column of [capacity_table()]: between 0 and 1, and the total over all of them). `augment()`: one row per output and
#'   row trained on: `row`, `output`, `.observed`, `.fitted`, `.resid`.
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
  cat("  ", state, " in ", format_count(x$iterations, "iteration"), " (", x$method, ", seed ", x$seed,
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
  check_dots(...)
  fit_respond(object, fit_rows(object)$x)
}

#' @rdname ca_fit
#' @importFrom stats residuals
#' @export
residuals.ca_fit <- function(object, ...) {
  check_dots(...)
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
nobs.ca_fit <- function(object, ...) {
  check_dots(...)
  object$nobs
}

#' @rdname ca_fit
#' @importFrom stats weights
#' @export
weights.ca_fit <- function(object, ...) {
  check_dots(...)
  if (!is.null(object$rows$weight)) as.double(object$rows$weight)
}

#' @rdname ca_fit
#' @export
coef.ca_fit <- function(object, ...) {
  check_dots(...)
  coef(object$network)
}

#' @rdname ca_fit
#' @export
predict.ca_fit <- function(object, newdata = NULL, type = c("response", "link", "class"), ..., new_data = NULL) {
  check_dots(...)
  newdata <- predict_one_newdata(newdata, new_data)
  type <- check_choice(type, c("response", "link", "class"))
  x <- if (is.null(newdata)) fit_rows(object)$x else {
    check_predict_inputs(data_read_newdata(object$task, newdata), object$network$input, arg = "newdata")
  }
  if (type == "class") return(fit_most_likely(object, x))
  if (type == "response") return(fit_respond(object, x))
  predict_network_outputs(object$network, x)
}

# Predictions (rows x outputs) at inputs x, for a task with classes the probabilities (rows x levels).
fit_respond <- function(object, x) {
  yhat <- predict_network_outputs(object$network, x)
  if (!has_task_classes(object$task)) return(yhat)
  p <- logits_probabilities(yhat)
  colnames(p) <- object$task$levels
  p
}

fit_most_likely <- function(object, x, call = rlang::caller_env()) {
  if (!has_task_classes(object$task)) {
    abort(c("{.arg type} can be {.val class} only where the response of the task is a factor."), "value", call = call)
  }
  levels <- object$task$levels
  factor(levels[max.col(fit_respond(object, x), ties.method = "first")], levels = levels)
}
