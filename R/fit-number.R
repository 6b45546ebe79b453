# The convergence number of a network at its coefficients, on any task or rows.

# NA where it is not defined: the inputs or outputs of the network and the task differ, or the network is nonlinear and
# the task has no rows.
task_number <- function(network, task) {
  if (!same_input(network$input, task$input) || !pair_same_outputs(network, task)) return(NA_real_)
  if (is_data_task(task)) return(rows_number(network, task, task_rows(task)))
  if (!is_linear(network)) return(NA_real_)
  moments_number(network, moment_root(units_moments_in(task$moments, network$units), has_bias(network)))
}

# The convergence number on rows, list(x, y) or list(x, y, weight) in data units, for the loss without weight decay.
rows_number <- function(network, task, rows) {
  rows <- layer_rows(rows, network, task, network$units)
  if (is_linear(network) && !has_task_classes(task)) {
    return(moments_number(network, row_root(rows$x, rows$y, has_bias(network), rows$weight)))
  }
  proper_number(.Call(ffi_sample_gradient, lower_network(network), network$coef, rows, task_loss_of(task), 0,
    NULL)$number)
}

# The convergence number on moments. root: a result of moment_root() or row_root(). NA where all inputs are zero or the
# outputs are constant.
moments_number <- function(network, root) {
  if (nrow(root$root) == 0L || !(root$total > 0)) return(NA_real_)
  control <- fit_control(list(max_iterations = 0), "lm")
  proper_number(.Call(ffi_fit, lower_network(network), network$coef, root, "lm", control)$number)
}

# The core returns -1 for a tangent that is zero: there the number is 0 / 0.
proper_number <- function(number) if (is.na(number) || number < 0) NaN else number
