# Tasks whose outputs are those of a teacher network with noise: y = W x + b + noise, with the teacher's effective
# weights W and constant b.

#' A task set by a teacher network
#'
#' Inputs are Gaussian, and outputs are those of the teacher, a linear network with
#' coefficients, plus independent Gaussian noise. A student that can be the teacher can
#' reach the Bayes loss, which is the sum of the noise variances; how another falls
#' short of it, and where it spends its capacity, shows what its architecture
#' costs.
#'
#' With the teacher's [effective_weights()] W (m x n) and their `(Intercept)` b (0
#' without biases), `y = W x + b + e`. For inputs of mean mu and uncentred second
#' moments `Sigma = E[x x']`, the moments, uncentred too, are
#' `C = Sigma W' + mu b'`, `V = W Sigma W' + W mu b' + b mu' W' + b b' + diag(noise^2)`, and
#' the mean of y is `W mu + b`.
#'
#' @param network The teacher: a network with coefficients.
#' @param noise Standard deviation of the noise, in units of the outputs: one number,
#'   or one per output.
#' @param sigma Covariance of the inputs, n x n, whose means are then zero; `NULL`
#'   means the identity. Or a task on the same input: its inputs' second moments and
#'   means are taken, those of the training rows for a task made from data.
#' @returns A task of class `ca_task` on the teacher's input. Names of inputs that the
#'   teacher does not have are those of the task `sigma`.
#' @section Errors:
#' A network without coefficients (class `capalloc_error_no_coefficients`); a `sigma`
#' of the wrong size or a task on another input (`capalloc_error_shape`), or not a
#' covariance (`capalloc_error_value`).
#' @seealso [task_linear()] for weights of your own, [initialise()] and [set_coef()]
#'   for coefficients, [bayes_loss()], [oracle_weights()], [task_demand()].
#' @examples
#' teacher <- input_sequence(8) |>
#'   layer_conv(1, kernel = 2, dilation = 4) |>
#'   layer_conv(1, kernel = 4) |>
#'   initialise(seed = 1)
#' task <- task_teacher(teacher, noise = 0.1)
#' task
#' student <- input_sequence(8)
#' for (d in 2^(0:2)) student <- layer_conv(student, 1, kernel = 2, dilation = d)
#' fit(student, task, seed = 1)$loss
#' task_teacher(teacher, sigma = task_ou(length = 8, rate = 0.5))
#' @export
task_teacher <- function(network, noise = 0, sigma = NULL) {
  check_network_coefficients(network)
  weights <- unname(effective_weights(network))
  if (!has_bias(network)) weights <- cbind(weights, 0)
  noise <- check_linear_noise(noise, nrow(weights))
  inputs <- teacher_inputs(network$input, sigma)
  shown <- if (length(unique(noise)) == 1L) noise[[1L]] else noise
  label <- paste0(
    "teacher network (", format_count(n_params(network), "parameter"), ", noise = ", task_label_numbers(shown), "), ",
    format_count(input_size(network$input), "input")
  )
  # the constant is treated as one more input with weights b, and then removed
  task <- new_linear("teacher", label, inputs$input, weights, noise, inputs$sigma)
  task$moments <- teacher_drop_constant(task$moments)
  task
}

# Returns a list: `input`, the input space of the task, and `sigma`, the second moments of the inputs and the constant,
# which is last ((n + 1) x (n + 1)).
teacher_inputs <- function(input, sigma, call = rlang::caller_env()) {
  mean <- numeric(input_size(input))
  if (inherits(sigma, "ca_task")) {
    check_teacher_input(input, sigma, call)
    input <- label_input(input, sigma$input)
    mean <- sigma$moments$mean_x
    sigma <- sigma$moments$sigma
  } else {
    sigma <- if (is.null(sigma)) diag(length(mean)) else check_moments_covariance(sigma, length(mean), call = call)
  }
  list(input = input, sigma = rbind(cbind(sigma, mean, deparse.level = 0), c(mean, 1)))
}

check_teacher_input <- function(input, task, call) {
  if (!same_input(input, task$input)) {
    abort(c(
      "{.arg sigma} must be a task on the input of {.arg network}.",
      x = "The input of the network is {describe_input_shape(input)},
        that of the task {describe_input_shape(task$input)}."
    ), "shape", call = call)
  }
  invisible()
}

# Returns the moments without the constant. Its products with inputs and outputs give the means.
teacher_drop_constant <- function(moments) {
  last <- nrow(moments$sigma)
  new_task_moments(
    moments$sigma[-last, -last], moments$cross[-last, , drop = FALSE], moments$target,
    mean_x = moments$sigma[last, -last], mean_y = moments$cross[last, ]
  )
}
