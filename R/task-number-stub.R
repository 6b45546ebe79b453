# Stands in for the function of the same name on the side of fits until both meet.

# The convergence number of a linear network on a task: max over k of |J_k' eps| / (|J~_k| sqrt(tr V)). NA for others.
task_number <- function(network, task) {
  if (!is_linear(network) || has_classes(task) || output_size(network) != task$outputs) return(NA_real_)
  bias <- has_bias(network)
  moments <- moments_in(task$moments, network$units)
  V <- if (bias) subtract_means(moments)$target else moments$target
  augmented <- augment_moments(moments, bias)
  J <- .Call(ffi_tangent, lower(network), network$coef)
  W <- .Call(ffi_weights, lower(network), network$coef)
  eps <- t(augmented$cross) - W %*% augmented$sigma # m x n
  m <- nrow(W)
  norm <- apply(J, 2L, function(column) {
    J_k <- matrix(column, m)
    sqrt(sum((J_k %*% augmented$sigma) * J_k))
  })
  number <- abs(drop(crossprod(J, c(eps)))) / (norm * sqrt(sum(diag(V))))
  max(number[norm > 0], 0)
}
