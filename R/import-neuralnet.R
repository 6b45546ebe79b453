# Networks of package neuralnet.

#' @rdname as_network
#' @export
as_network.nn <- function(x, input = NULL, link = FALSE, rep = NULL, ...) {
  check_dots(...)
  check_lm_own_class(x, "nn")
  check_flag(link)
  check_import_fields(x, c("act.fct", "linear.output", "model.list"), "neuralnet", rlang::current_env())
  layers <- neuralnet_layers(x, check_neuralnet_repetition(rep, x))
  last <- length(layers)
  curved <- c(rep.int(TRUE, last - 1L), !x$linear.output && !link)
  if (any(curved)) {
    activation <- neuralnet_activation(x)
    layers[curved] <- lapply(layers[curved], replace, "activation", activation)
  }
  labels <- x$model.list$variables
  inputs <- ncol(layers[[1L]]$weight)
  if (length(labels) != inputs) labels <- NULL
  import_stack_dense(new_network(task_input(input, inputs, labels)), layers)
}

# Number of the repetition to import. The object only has repetitions that converged.
check_neuralnet_repetition <- function(rep, x, call = rlang::caller_env()) {
  n <- sum(lengths(x$weights) > 0L)
  if (n == 0L) {
    abort_import_unsupported(c(x = "It has no weights: none of its repetitions reached its {.arg threshold}."), call)
  }
  if (!is.null(rep)) {
    rep <- check_count(rep, call = call)
    if (rep <= n) return(rep)
    abort(c("{.arg rep} must be {n} or less, the number of repetitions.", x = "It is {rep}."), "value", call = call)
  }
  if (n == 1L) return(1L)
  error <- if ("error" %in% rownames(x$result.matrix)) x$result.matrix["error", ]
  if (length(error) == n && !all(is.na(error))) return(which.min(error)[[1L]])
  abort(c(
    "{.arg rep} is required when the errors of the repetitions are unknown.",
    x = "There are {n} repetitions, and {.code x$result.matrix} does not have the error of each."
  ), "value", call = call)
}

# The layers of one repetition, each a new_import_dense(). Package neuralnet has one matrix for each layer,
# (1 + inputs) x units with the constant in row 1. Excluded weights are NA there; they are zero in predictions.
neuralnet_layers <- function(x, rep, call = rlang::caller_env()) {
  units <- NULL
  lapply(seq_along(x$weights[[rep]]), function(i) {
    weight <- x$weights[[rep]][[i]]
    if (is.numeric(weight)) weight[is.na(weight) & !is.nan(weight)] <- 0
    weight <- check_matrix(weight, if (!is.null(units)) units + 1L, arg = paste0("x$weights[[", rep, "]][[", i, "]]"),
      call = call)
    units <<- ncol(weight)
    new_import_dense(t(weight[-1L, , drop = FALSE]), bias = weight[1L, ])
  })
}

neuralnet_activation <- function(x, call = rlang::caller_env()) {
  type <- attr(x$act.fct, "type")
  known <- c(logistic = "sigmoid", tanh = "tanh", relu = "relu", ReLu = "relu")
  if (is.character(type) && length(type) == 1L && type %in% names(known)) return(known[[type]])
  abort_import_unsupported(c(
    x = "Its {.arg act.fct} is a user-defined function; supported are {.val {names(known)[1:3]}}.",
    i = "If it is one of {.fn activations}, give it with the weights:
      {.code as_network(list(list(weight =, bias =, activation =)))}."
  ), call)
}
