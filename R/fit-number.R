# The convergence number of a network anywhere: at any coefficients, on any task or rows.

# NA where it cannot be had: a nonlinear network on a task without rows, or outputs that do not match.
task_number <- function(network, task) {
  if (!same_input(network$input, task$input) || !same_outputs(network, task)) return(NA_real_)
  if (is_data_task(task)) return(rows_number(network, task, task$data[c("x", "y")]))
  if (!is_linear(network)) return(NA_real_)
  moments_number(network, moment_root(moments_in(task$moments, network$units), has_bias(network)))
}

# rows: list(x, y) in data units. Of the loss alone, without weight decay.
rows_number <- function(network, task, rows) {
  rows <- layer_rows(rows, network, task, network$units)
  if (is_linear(network) && !has_classes(task)) {
    return(moments_number(network, row_root(rows$x, rows$y, has_bias(network))))
  }
  proper_number(.Call(ffi_sample_gradient, lower(network), network$coef, rows, loss_of(task), 0, NULL)$number)
}

moments_number <- function(network, root) {
  if (nrow(root$root) == 0L || !(root$total > 0)) return(NA_real_)
  control <- fit_control(list(max_iterations = 0), "lm")
  proper_number(.Call(ffi_fit, lower(network), network$coef, root, "lm", control)$number)
}

# The core's -1 stands for a tangent that is zero.
proper_number <- function(number) if (is.na(number) || number < 0) NaN else number
