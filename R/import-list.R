# Lists of weight matrices of dense layers.

#' @rdname as_network
#' @export
as_network.list <- function(x, input = NULL, activation = NULL, ...) {
  check_dots(...)
  if (length(x) == 0L) abort(c("{.arg x} must have at least one weight matrix.", x = "It is empty."), "shape")
  args <- list_element_args(x)
  call <- rlang::current_env()
  layers <- Map(function(layer, arg) check_list_dense(layer, arg, call), unname(x), args)
  check_list_chain(lapply(layers, function(layer) layer$weight), args)
  layers <- list_spread_activation(layers, activation, args)
  first <- layers[[1L]]$weight
  import_stack_dense(new_network(task_input(input, ncol(first), colnames(first))), layers)
}

# Code of each element, for errors: x$hidden where it has a name, else such as x[[2]].
list_element_args <- function(x) {
  args <- paste0("x[[", seq_along(x), "]]")
  named <- nzchar(names(x))
  args[named] <- paste0("x$", names(x)[named])
  args
}

# Checks one element, a matrix or a list, and returns it as new_import_dense().
check_list_dense <- function(layer, arg, call) {
  if (!is.list(layer) || is.data.frame(layer)) return(new_import_dense(check_list_weight(layer, arg, call)))
  unknown <- setdiff(names(layer), c("weight", "bias", "activation", "parameter"))
  if (is.null(layer[["weight"]]) || length(unknown) > 0L || anyDuplicated(names(layer))) {
    shown <- if (is.null(names(layer))) "elements without names" else names(layer)
    abort(c(
      "{.arg {arg}} must be a matrix or {.code list(weight =, bias =, activation =, parameter =)}.",
      x = "It is a list of {.val {shown}}."
    ), "type", call = call)
  }
  weight <- check_list_weight(layer[["weight"]], paste0(arg, "$weight"), call)
  bias <- layer[["bias"]]
  if (!is.null(bias)) bias <- check_vector(bias, nrow(weight), paste0(arg, "$bias"), call)
  activation <- layer[["activation"]]
  if (!is.null(activation)) activation <- check_list_known(activation, paste0(arg, "$activation"), call)
  parameter <- layer[["parameter"]]
  if (!is.null(parameter)) parameter <- check_list_dense_parameter(parameter, activation, paste0(arg, "$parameter"),
    call)
  new_import_dense(weight, bias, activation, parameter)
}

check_list_known <- function(activation, arg, call) {
  known <- cli::cli_vec(c("linear", activations()$activation), list("vec-trunc" = 100))
  check_choice(activation_alias(activation), known, arg = arg, call = call)
}

check_list_dense_parameter <- function(parameter, activation, arg, call) {
  if (is.null(activation)) activation <- "linear"
  known <- activations()
  if (activation %in% known$activation[!is.na(known$parameter)]) return(check_number(parameter, arg = arg, call = call))
  abort(c(
    "{.arg {arg}} must be {.code NULL}: {.val {activation}} has no parameter.",
    x = "It is {show_value(parameter)}."
  ), "value", call = call)
}

# Adds the argument `activation` to the layers: one name for each layer, or one for all but the last.
list_spread_activation <- function(layers, activation, args, call = rlang::caller_env()) {
  if (is.null(activation)) return(layers)
  n <- length(layers)
  if (!is.character(activation) || !length(activation) %in% c(1L, n)) {
    abort(c(
      if (n == 1L) {
        "{.arg activation} must be one name: there is one layer."
      } else {
        "{.arg activation} must be one name for all layers but the last, or one for each of the {n} layers."
      },
      x = "It is {show_value(activation)}."
    ), "value", call = call)
  }
  arg <- if (length(activation) == 1L) "activation" else paste0("activation[[", seq_len(n), "]]")
  Map(function(name, arg) check_list_known(name, arg, call), unname(activation), arg)
  if (length(activation) < n) activation <- c(rep(activation, n - 1L), "linear")
  own <- !vapply(layers, function(layer) is.null(layer$activation), NA)
  if (any(own)) {
    abort(c(
      "{.arg activation} must be {.code NULL} when layers state their own.",
      x = "{.arg {args[own]}} {?has/have} an activation."
    ), "value", call = call)
  }
  Map(function(layer, name) replace(layer, "activation", name), layers, activation)
}

# Refuses vectors, since one could be a row or a column, and data frames, whose rows would become units.
check_list_weight <- function(x, arg, call) {
  if (!is.matrix(x) || !is.numeric(x)) {
    abort(c(
      "{.arg {arg}} must be a numeric matrix, units x inputs.",
      x = if (is.matrix(x)) "It is a {typeof(x)} matrix." else "It is {show_value(x)}.",
      i = if (is.numeric(x) && is.null(dim(x))) "A single unit is a matrix of one row.",
      i = if (arg == "x$bias") "One layer is a list in a list: {.code list(list(weight =, bias =))}."
    ), "type", call = call)
  }
  if (length(x) == 0L) {
    abort(c(
      "{.arg {arg}} must have at least one unit and one input.",
      x = "It is {nrow(x)} x {ncol(x)}."
    ), "shape", call = call)
  }
  check_matrix(x, arg = arg, call = call)
}

check_list_chain <- function(weights, args, call = rlang::caller_env()) {
  for (i in seq_along(weights)[-1L]) {
    units <- nrow(weights[[i - 1L]])
    if (ncol(weights[[i]]) == units) next
    abort(c(
      "{.arg {args[[i]]}} must have one column for each of the {units} unit{?s} of {.arg {args[[i - 1L]]}}.",
      x = "It has {ncol(weights[[i]])}."
    ), "shape", call = call)
  }
}
