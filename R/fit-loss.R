# Losses of a fit besides its training loss: population or held-out loss, excess loss, null loss.

# The factor that converts squared errors from the units of training to those that are reported: squared units of the
# response. With one scale per output (standardise = "each") squared errors of standardised outputs are reported.
loss_scale <- function(task, units) {
  if (is.null(units) || has_task_classes(task) || identical(task$standardise, "each")) 1 else units$scale_y[[1L]]^2
}

# The divisor of each output's error (length m), applied before errors are squared and summed over outputs.
loss_output_scale <- function(task, units) {
  by_output <- identical(task$standardise, "each") && !is.null(units) && !has_task_classes(task)
  if (by_output) units$scale_y else rep(1, task$outputs)
}

# Returns list(loss, excess_loss, excess_type), see fit(). `fit` must have its trained network; `best` is the run that
# was kept.
fit_losses <- function(fit, sample, best) {
  task <- fit$task
  if (is_data_task(task)) {
    yhat <- predict_network_outputs(fit$network, task$data$x_test)
    return(list(loss = held_out_loss(task, yhat, sample$units), excess_loss = NA_real_, excess_type = "versus linear"))
  }
  linear <- is_linear(fit$network)
  excess <- if (linear) loss_linear_excess(fit$network, task, sample, best) else loss_sampled_excess(fit$network, task,
    fit$seed)
  list(loss = fit$bayes_loss + excess, excess_loss = excess, excess_type = if (linear) "exact" else "sampled")
}

# The excess loss |R (W - W*)'|^2 of a linear network on the population, where W* are the best affine weights. The
# optimiser has computed it already where training used the population moments, and the network has a bias if and only
# if the task has means.
loss_linear_excess <- function(network, task, sample, best) {
  if (is.null(sample$rows) && has_bias(network) == has_task_intercept(task)) return(best$excess)
  intercept <- has_bias(network) || has_task_intercept(task)
  W <- units_weights_out(.Call(ffi_weights, lower_network(network), network$coef), network$units)
  if (ncol(W) < input_size(network$input) + intercept) W <- cbind(W, 0)
  root_excess(W, moment_root(task$moments, intercept))
}

# The excess loss of a nonlinear network, sampled: the mean of |f - f*|^2 over `fresh_rows` rows. The rows depend on the
# seed alone, so that networks are compared on the same rows. f* = E[y | x] is affine, since synthetic tasks are
# Gaussian.
loss_sampled_excess <- function(network, task, seed) {
  fresh <- simulate(task, fresh_rows, seed = derive_seeds(seed, 1L) %/% 2L)
  W <- root_weights(moment_root(task$moments, TRUE))
  best <- cbind(fresh$x, 1) %*% t(W)
  sum((predict_network_outputs(network, fresh$x) - best)^2) / fresh_rows
}

fresh_rows <- 10000L

# The loss on the held-out rows, NA when there are none. yhat: their predictions (rows x m), for a task with classes
# outputs of the network. With weights it is their weighted mean loss.
held_out_loss <- function(task, yhat, units = NULL) {
  if (nrow(yhat) == 0L) return(NA_real_)
  if (has_task_classes(task)) return(row_loss(yhat, task$data$y_test, "cross_entropy", task$data$test_weight))
  scale <- rep(loss_output_scale(task, units), each = nrow(yhat))
  row_loss(yhat / scale, task$data$y_test / scale, "squared", task$data$test_weight)
}

# The null loss: the loss of the best constant on the population, or of the training mean (for classes of their training
# shares) on the held-out rows; NA when no rows are held out. A value at the level of rounding error, as for constant
# outputs, is returned as 0.
null_loss <- function(task, units = NULL) {
  eps <- 100 * .Machine$double.eps
  if (!is_data_task(task)) {
    size <- sum(diag(task$moments$target))
    left <- size - sum(task$moments$mean_y^2)
    return(if (left <= eps * size) 0 else left)
  }
  y <- task$data$y_test
  if (nrow(y) == 0L) return(NA_real_)
  constant <- matrix(root_centre_of(task$data$y, task$data$weight), nrow(y), ncol(y), byrow = TRUE)
  if (has_task_classes(task)) return(-weighted_means(matrix(log(rowSums(constant * y))), task$data$test_weight))
  left <- held_out_loss(task, constant, units)
  if (left <= eps^2 * held_out_loss(task, 0 * y, units)) 0 else left
}

# The mean loss of outputs yhat (N x m) for y: squared error summed over outputs, or cross-entropy of logits.
row_loss <- function(yhat, y, loss, weight = NULL) {
  if (loss == "squared") return(weighted_means(matrix(rowSums((y - yhat)^2)), weight))
  logits <- all_logits(yhat)
  weighted_means(matrix(log(rowSums(exp(logits))) - rowSums(y * logits)), weight)
}

# The mean loss of the best constant outputs for y (N x m), or with constant = FALSE, for networks without bias, that of
# zero outputs.
null_training_loss <- function(y, loss, constant, weight = NULL) {
  if (loss == "squared") {
    centre <- if (constant) rep(root_centre_of(y, weight), each = nrow(y)) else 0
    return(sum(weighted_means((y - centre)^2, weight)))
  }
  if (!constant) return(log(max(ncol(y), 2L)))
  share <- weighted_means(y, weight)
  if (length(share) == 1L) share <- c(1 - share, share)
  -sum(share[share > 0] * log(share[share > 0]))
}

check_loss_outputs_vary <- function(total, call) {
  if (total > 0) return(total)
  abort(c("{.arg task} must have outputs that vary.", x = "Their variance is {total}."),
    "value", call = call)
}
