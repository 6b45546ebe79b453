# Checks that the inputs and outputs of a network are those of a task.

check_pair <- function(network, task, call = rlang::caller_env()) {
  check_pair_input(network, task, call)
  if (!same_outputs(network, task)) {
    abort(c(
      "The network must have one output per output of the {.arg task}.",
      x = "The network has {output_size(network)} output{?s}, the task {task$outputs}.",
      i = "End the network with {.code layer_dense({task$outputs})}, for instance."
    ), "shape", call = call)
  }
  invisible()
}

# Whether a network has as many outputs as a task. A single logit is enough for two classes.
same_outputs <- function(network, task) {
  m <- output_size(network)
  m == task$outputs || (m == 1L && has_classes(task) && task$outputs == 2L)
}

check_pair_input <- function(network, task, call = rlang::caller_env()) {
  if (!same_input(network$input, task$input)) {
    abort(c(
      "The network and the {.arg task} must have the same input.",
      x = "The input of the network is {describe_input(network$input)}, that of the task
        {describe_input(task$input)}."
    ), "shape", call = call)
  }
  invisible()
}
