# Linear regression.

#' @rdname as_network
#' @export
as_network.lm <- function(x, input = NULL, ...) {
  check_dots(...)
  check_lm_own_class(x, c("lm", "mlm", "aov", "maov", "rlm"))
  lm_network(x, input)
}

#' @rdname as_network
#' @export
as_network.glm <- function(x, input = NULL, ...) {
  check_dots(...)
  check_lm_own_class(x, c("glm", "lm"))
  if (x$family$link != "identity") {
    abort_import_unsupported(c(
      x = "It is a {.cls glm} with the {x$family$link} link; only the identity is supported."
    ))
  }
  lm_network(x, input)
}

# Refuses subclasses of other packages. Their predictions may use more than the coefficients, for example a back
# transformation, and no field of the object shows that.
check_lm_own_class <- function(x, known, call = rlang::caller_env()) {
  foreign <- setdiff(class(x), known)
  if (length(foreign) == 0L) return(invisible())
  abort(c(
    "{.arg x} must be of a class whose predictions are known.",
    x = "It inherits from {.cls {known[[1L]]}} and is of class {.cls {foreign}}.",
    i = "If its predictions use the coefficients alone, give those:
      {.code as_network(list(list(weight =, bias =)))}."
  ), "type", call = call)
}

lm_network <- function(x, input, call = rlang::caller_env()) {
  if (!is.null(x$offset)) abort_import_offset(call)
  terms <- as.matrix(x$coefficients) # columns of the model matrix x outputs; coef() may drop NA
  constant <- rownames(terms) == "(Intercept)"
  aliased <- is.na(rowSums(terms))
  used <- !constant & !aliased
  if (!any(used)) abort_import_constant(call)
  if (any(aliased)) inform_lm_aliased(rownames(terms)[aliased])
  input <- task_input(input, sum(used), rownames(terms)[used], call = call)
  layer <- new_import_dense(t(terms[used, , drop = FALSE]), bias = if (any(constant)) terms[constant, ])
  import_stack_dense(new_network(input), list(layer))
}

inform_lm_aliased <- function(names) {
  cli::cli_inform(c(
    "{.val {names}} {?has/have} no coefficient in the model and {?is/are} not among the inputs.",
    i = "Predictions do not use {cli::qty(names)}{?it/them}."
  ), class = c("capalloc_message_aliased", "capalloc_message"))
}
