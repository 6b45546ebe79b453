# Summaries of fits as those of lm() and glm(): log-likelihood, degrees of freedom, R squared, coefficients.
#
# With J = d yhat / d theta at the training rows ((N m) x p, rows times the square roots of their weights) the degrees
# of freedom of a fit by squared error with weight decay lambda are tr J (J'J + N lambda I)^-1 J', without decay
# rank(J). With cross-entropy J'J is replaced by H = sum_s J_s' (diag p_s - p_s p_s') J_s and lambda by 2 lambda.

#' Summaries and likelihoods of fits
#'
#' `summary()` of a fit on rows, as that of [stats::lm()]: coefficients where the network is one dense layer, else
#' layers; losses, R squared, degrees of freedom, and the outcome of training.
#'
#' @section Degrees of freedom:
#' With \eqn{J = \partial \hat y / \partial \theta} at the training rows they are \eqn{\mathrm{tr}\, J (J'J + N \lambda
#' I)^{-1} J'} for weight decay \eqn{\lambda}, and the rank of J without. They count how flexible the *predictions at
#' the training rows* are. Where a network has no bias but its responses are centred ([task_data()]), the centres count
#' one each. For nonlinear networks they are those of the linear model that J spans at the fit, an approximation that
#' ignores the search over \eqn{\theta}. For cross-entropy \eqn{J'J} is replaced by the second derivatives of the loss
#' in the logits.
#'
#' @section Likelihood:
#' For squared error errors are taken as normal with one variance, estimated by maximum likelihood, so that `logLik()`
#' and `AIC()` of one dense layer are those of `lm()`; weights are those of `lm()`. For classes it is the multinomial
#' log-likelihood, as in `glm()` and [nnet::multinom()]. Its `df` are the degrees of freedom and, for squared error, 1
#' for the variance (one for each output with `standardise = "each"`).
#'
#' @param object A fit on rows: of a task of data, or with a finite `n_obs`.
#' @param x A summary.
#' @param digits Significant digits.
#' @param ... Not used.
#' @returns `summary()`: a list of class `summary.ca_fit` with `coefficients` (a matrix for a network that is one dense
#'   layer with one output, by squared error without decay: estimate in data units, standard error, t and p as in
#'   `lm()`; else `NULL`), `layers` ([summary.ca_network()]), `loss`, `train_loss`, `r_squared` (1 - train_loss / the
#'   loss of the best constant), `held_out_r_squared` (on the rows held out, `NA` without), `sigma` (residual standard
#'   error; `NA` for classes), `df`, `df.residual`, `nobs`, `converged`, `outcome`. `logLik()`: a `logLik`, for
#'   [stats::AIC()] and [stats::BIC()]. `df.residual()`: the number of training values minus the degrees of freedom.
#' @section Errors:
#' `capalloc_error_value`: a fit on population moments has no rows.
#' @examples
#' trained <- fit(arch_dense(input_vector(2), bias = TRUE), task_data(mpg ~ wt + hp, mtcars, test = 0))
#' summary(trained)
#' AIC(trained, lm(mpg ~ wt + hp, mtcars))
#' @name summary.ca_fit
NULL

#' @rdname summary.ca_fit
#' @importFrom stats logLik
#' @export
logLik.ca_fit <- function(object, ...) {
  check_dots(...)
  rows <- fit_rows(object)
  df <- summary_df(object)
  value <- if (has_task_classes(object$task)) summary_class_likelihood(object, rows) else
    summary_normal_likelihood(object, rows)
  structure(value, df = df + summary_variances(object), nobs = nrow(rows$y), class = "logLik")
}

#' @rdname summary.ca_fit
#' @importFrom stats df.residual
#' @export
df.residual.ca_fit <- function(object, ...) {
  check_dots(...)
  summary_values(object) - summary_df(object)
}

# Number of values that a fit is trained on: for classes one for each row.
summary_values <- function(fit) {
  y <- fit_rows(fit)$y
  if (has_task_classes(fit$task)) nrow(y) else length(y)
}

# Number of variances that are estimated.
summary_variances <- function(fit) {
  if (has_task_classes(fit$task)) return(0L)
  if (identical(fit$task$standardise, "each")) fit$task$outputs else 1L
}

# Weights of the rows, 1 without weights.
summary_weights <- function(rows) if (is.null(rows$weight)) rep(1, nrow(rows$x)) else as.double(rows$weight)

# The log-likelihood of normal errors with variances at their maximum.
summary_normal_likelihood <- function(fit, rows) {
  w <- summary_weights(rows)
  squares <- colSums(w * (rows$y - fitted(fit))^2)
  N <- length(w)
  n <- rep(N, length(squares)) # values for each variance
  if (summary_variances(fit) == 1L) {
    n <- N * length(squares)
    squares <- sum(squares)
  }
  sum(-n / 2 * (log(2 * pi * squares / n) + 1)) + ncol(rows$y) * sum(log(w)) / 2
}

summary_class_likelihood <- function(fit, rows) {
  p <- summary_probabilities(fit, rows)
  if (ncol(p) == 1L) p <- cbind(1 - p, p)
  sum(summary_weights(rows) * log(rowSums(rows$y * p)))
}

# Probabilities of the outputs of the network: for a single logit that of the second level.
summary_probabilities <- function(fit, rows) {
  logits <- stats::predict(fit, rows$x, type = "link")
  if (ncol(logits) == 1L) return(stats::plogis(logits))
  p <- exp(logits - apply(logits, 1L, max))
  p / rowSums(p)
}

# ---- degrees of freedom ------------------------------------------------------------------------------

summary_df <- function(fit) {
  rows <- fit_rows(fit)
  network <- fit$network
  m <- shape_output_size(network)
  w <- summary_weights(rows)
  J <- tangent_at_rows(network, units_in(rows$x, network$units)) * rep(sqrt(w), each = m)
  ridge <- sum(w) * fit$control$decay
  if (has_task_classes(fit$task)) return(summary_trace(summary_class_tangent(J, fit, rows), 2 * ridge))
  centres <- if (!has_bias(network) && any(network$units$centre_y != 0)) m else 0L
  summary_trace(J, ridge) + centres
}

# The rows of J multiplied by a root of diag(p) - p p' for each sample: with several logits sqrt(p_o) (J_o - sum_k p_k
# J_k), with one sqrt(p (1 - p)) J.
summary_class_tangent <- function(J, fit, rows) {
  p <- summary_probabilities(fit, rows)
  m <- ncol(p)
  if (m == 1L) return(J * sqrt(c(p * (1 - p))))
  of_output <- function(o) J[seq(o, nrow(J), by = m), , drop = FALSE]
  mean <- Reduce(`+`, lapply(seq_len(m), function(o) p[, o] * of_output(o)))
  do.call(rbind, lapply(seq_len(m), function(o) sqrt(p[, o]) * (of_output(o) - mean)))
}

# tr J (J'J + ridge I)^-1 J', without a ridge the rank of J with columns of norm 1.
summary_trace <- function(J, ridge) {
  if (length(J) == 0L) return(0)
  if (ridge == 0) {
    norm <- sqrt(colSums(J^2))
    norm[norm <= 10 * max(dim(J)) * .Machine$double.eps * max(norm)] <- Inf
    J <- J / rep(norm, each = nrow(J))
  }
  s <- svd(J, nu = 0L, nv = 0L)$d
  if (ridge > 0) return(sum(s^2 / (s^2 + ridge)))
  as.double(sum(s > 10 * max(dim(J)) * .Machine$double.eps * s[[1L]]))
}

# ---- summary -----------------------------------------------------------------------------------------

#' @rdname summary.ca_fit
#' @export
summary.ca_fit <- function(object, ...) {
  check_dots(...)
  rows <- fit_rows(object)
  df <- summary_df(object)
  left <- summary_values(object) - df
  classes <- has_task_classes(object$task)
  sigma <- if (classes || left <= 0) NA_real_ else
    sqrt(sum(summary_weights(rows) * (rows$y - fitted(object))^2) / left)
  held_out <- is_data_task(object$task) && nrow(object$task$data$x_test) > 0L
  null <- null_training_loss(rows$y, task_loss_of(object$task), TRUE, rows$weight)
  structure(list(
    label = object$task$label, coefficients = summary_coefficients(object, rows, sigma),
    layers = summary(object$network), classes = classes, loss = object$loss, train_loss = object$train_loss,
    r_squared = 1 - object$train_loss / null,
    held_out_r_squared = if (held_out) 1 - object$loss / object$null_loss else NA_real_,
    sigma = sigma, df = df, df.residual = left, nobs = nrow(rows$y), converged = object$converged,
    outcome = object$outcome, decay = object$control$decay
  ), class = "summary.ca_fit")
}

# The table of lm(), for one dense layer with one output that is trained on squared error without decay; else NULL.
summary_coefficients <- function(fit, rows, sigma) {
  network <- fit$network
  plain <- is_fit_dense_only(network) && shape_output_size(network) == 1L && !has_task_classes(fit$task) &&
    fit$control$decay == 0
  if (!plain) return(NULL)
  W <- drop(effective_weights(network))
  X <- if (length(W) > ncol(rows$x)) cbind(rows$x, 1) else rows$x
  input <- label_input(network$input, fit$task$input)
  names(W) <- input_frame(input, length(W) > ncol(rows$x))$input
  q <- qr(X * sqrt(summary_weights(rows)))
  error <- if (q$rank < ncol(X)) rep(NA_real_, ncol(X)) else sigma * sqrt(diag(chol2inv(qr.R(q))))
  t <- W / error
  left <- summary_values(fit) - summary_df(fit)
  cbind(
    Estimate = W, `Std. Error` = error, `t value` = t,
    `Pr(>|t|)` = 2 * stats::pt(abs(t), max(left, 0), lower.tail = FALSE)
  )
}

#' @rdname summary.ca_fit
#' @export
print.summary.ca_fit <- function(x, digits = 4, ...) {
  check_dots(...)
  number <- function(value) format(value, digits = digits)
  cat("<fit summary> ", x$label, "\n\n", sep = "")
  if (is.null(x$coefficients)) print(x$layers) else {
    cat("Coefficients (in the units of the data):\n")
    stats::printCoefmat(x$coefficients, digits = digits)
  }
  cat("\n")
  if (!x$classes) {
    cat("Residual standard error: ", number(x$sigma), " on ", number(x$df.residual), " degrees of freedom\n", sep = "")
  }
  what <- if (x$classes) "1 - cross-entropy / that of the class shares" else "R squared"
  cat(what, ": ", number(x$r_squared), sep = "")
  if (!is.na(x$held_out_r_squared)) cat(", held out ", number(x$held_out_r_squared), sep = "")
  cat("\nTraining loss ", number(x$train_loss), " over ", format_count(x$nobs, "row"), sep = "")
  if (!is.na(x$held_out_r_squared)) cat(", held-out loss ", number(x$loss), sep = "")
  cat("\nDegrees of freedom: ", number(x$df), if (x$decay > 0) paste0(" (weight decay ", number(x$decay), ")"), "\n",
    sep = "")
  cat(if (x$converged) "Converged" else paste("Not converged:", x$outcome), "\n", sep = "")
  invisible(x)
}
