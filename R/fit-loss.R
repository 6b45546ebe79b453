# Losses of a fit: what is reported beside the training loss.

# Squared errors are reported in squared units of the response; with one scale per output they are those of the
# standardised outputs.
loss_scale <- function(task, units) {
  if (is.null(units) || has_classes(task) || identical(task$standardise, "each")) 1 else units$scale_y[[1L]]^2
}

# What the outputs' errors are divided by before they are squared and summed.
output_scale <- function(task, units) {
  if (identical(task$standardise, "each") && !is.null(units) && !has_classes(task)) units$scale_y else rep(1, task$outputs)
}

# list(loss, excess_loss, excess_type) of a fit that has its network.
fit_losses <- function(fit, sample, best) {
  task <- fit$task
  if (is_data_task(task)) {
    yhat <- network_outputs(fit$network, task$data$x_test)
    return(list(loss = held_out_loss(task, yhat, sample$units), excess_loss = NA_real_, excess_type = "versus linear"))
  }
  linear <- is_linear(fit$network)
  excess <- if (linear) linear_excess(fit$network, task, sample, best) else sampled_excess(fit$network, task, fit$seed)
  list(loss = fit$bayes_loss + excess, excess_loss = excess, excess_type = if (linear) "exact" else "sampled")
}

# |R (W - W*)'|^2 over the population, W* the best affine weights.
linear_excess <- function(network, task, sample, best) {
  if (is.null(sample$rows) && has_bias(network) == has_intercept(task)) return(best$excess)
  intercept <- has_bias(network) || has_intercept(task)
  W <- weights_out(.Call(ffi_weights, lower(network), network$coef), network$units)
  if (ncol(W) < input_size(network$input) + intercept) W <- cbind(W, 0)
  root_excess(W, moment_root(task$moments, intercept))
}

# The mean of |f - f*|^2 over fresh rows that are the same for all networks of a seed, f* = E[y | x] of a Gaussian task.
sampled_excess <- function(network, task, seed) {
  fresh <- simulate(task, fresh_rows, seed = derive_seeds(seed, 1L) %/% 2L)
  W <- root_weights(moment_root(task$moments, TRUE))
  best <- cbind(fresh$x, 1) %*% t(W)
  sum((network_outputs(network, fresh$x) - best)^2) / fresh_rows
}

fresh_rows <- 10000L

# yhat: predictions of the rows held out; NA when there are none.
held_out_loss <- function(task, yhat, units = NULL) {
  if (nrow(yhat) == 0L) return(NA_real_)
  if (has_classes(task)) return(row_loss(yhat, task$data$y_test, "cross_entropy"))
  scale <- rep(output_scale(task, units), each = nrow(yhat))
  row_loss(yhat / scale, task$data$y_test / scale, "squared")
}

# The loss of the best constant: of the population, or of the training mean (class shares) on the rows held out.
null_loss <- function(task, units = NULL) {
  if (!is_data_task(task)) {
    moments <- task$moments
    return(sum(diag(moments$target) - moments$mean_y^2))
  }
  y <- task$data$y_test
  if (nrow(y) == 0L) return(NA_real_)
  constant <- rep(centre_of(task$data$y), each = nrow(y))
  if (!has_classes(task)) return(held_out_loss(task, matrix(constant, nrow(y)), units))
  log_share <- matrix(log(constant), nrow(y))
  -sum(log_share[y > 0]) / nrow(y)
}
