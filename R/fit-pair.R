# Checks that the inputs and outputs of a network are those of a task.

check_pair <- function(network, task, call = rlang::caller_env()) {
  check_pair_input(network, task, call)
  if (!pair_same_outputs(network, task)) {
    abort(c(
      "The network must have one output per output of the {.arg task}.",
      x = "The network has {shape_output_size(network)} output{?s}, the task {task$outputs}.",
      i = "End the network with {.code layer_dense({task$outputs})}, for instance."
    ), "shape", call = call)
  }
  invisible()
}

# Whether a network has as many outputs as a task. A single logit is enough for two classes.
pair_same_outputs <- function(network, task) {
  m <- shape_output_size(network)
  m == task$outputs || (m == 1L && has_task_classes(task) && task$outputs == 2L)
}

check_pair_input <- function(network, task, call = rlang::caller_env()) {
  if (!same_input(network$input, task$input)) {
    abort(c(
      "The network and the {.arg task} must have the same input.",
      x = "The input of the network is {describe_input_shape(network$input)}, that of the task
        {describe_input_shape(task$input)}."
    ), "shape", call = call)
  }
  if (!is.null(task$input$lag) && network$input$kind != "vector") {
    abort(c(
      "The inputs of the {.arg task} are a set of lags, not a sequence.",
      x = "The network takes {describe_input_shape(network$input)}.",
      i = "Begin it with {.code input_vector({input_size(task$input)})}, or use a full window: {.arg length} in
        {.fn task_series}."
    ), "shape", call = call)
  }
  invisible()
}
