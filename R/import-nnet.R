# Networks of package nnet.

#' @rdname as_network
#' @export
as_network.nnet <- function(x, input = NULL, link = FALSE, ...) {
  check_dots(...)
  check_lm_own_class(x, c("nnet", "nnet.formula"))
  check_flag(link)
  weights <- nnet_weights(x) # checks x
  blocks <- nnet_blocks(x, weights)
  network <- new_network(task_input(input, x$n[[1L]], x$coefnames))
  network <- if (length(blocks) == 1L) {
    import_add_dense(network, blocks[[1L]])
  } else {
    layer_parallel(network, \(u) import_add_dense(u, blocks[[1L]]), \(u) import_add_dense(u, blocks[[2L]]))
  }
  if (x$nsunits == x$nunits && !link) network <- import_add_activation(network, "sigmoid")
  mark_imported(set_coef(network, import_dense_coef(unlist(blocks, recursive = FALSE))), if (x$softmax) "softmax")
}

# Returns one or two lists of layers, whose outputs are added: the path through the hidden units, and the skip from the
# inputs to the outputs. A model without hidden units is one layer.
nnet_blocks <- function(x, weights) {
  size <- x$n[[2L]]
  inputs <- 1L + seq_len(x$n[[1L]])
  outputs <- size + seq_len(x$n[[3L]])
  bias <- weights[outputs, 1L]
  across <- weights[outputs, inputs, drop = FALSE]
  if (size == 0) return(list(list(new_import_dense(across, bias))))
  hidden <- new_import_dense(weights[-outputs, inputs, drop = FALSE], weights[-outputs, 1L], "sigmoid")
  through <- list(hidden, new_import_dense(weights[outputs, -c(1L, inputs), drop = FALSE], bias))
  skips <- diff(x$nconn)[[x$nunits]] > 1L + size # number of connections of the last output
  if (skips) list(through, list(new_import_dense(across))) else list(through)
}

# Matrix of weights from nnet's list of connections: (hidden units, outputs) x (constant, inputs, hidden units). nnet
# numbers units from 0 in the order constant, inputs, hidden units, outputs. With entries counted from 0, unit i has the
# entries nconn[i] .. nconn[i + 1] - 1 of `wts`, and the same entries of `conn` are the units that they come from.
nnet_weights <- function(x, call = rlang::caller_env()) {
  check_import_fields(x, c("n", "nunits", "nconn", "conn", "nsunits", "softmax", "wts"), "nnet", call)
  if (isTRUE(x$censored)) {
    abort_import_unsupported(c(x = "It is censored: its responses are sets of classes."), call)
  }
  if (x$n[[1L]] == 0) abort_import_constant(call)
  values <- check_vector(x$wts, length(x$conn), "x$wts", call)
  to <- rep(seq_len(x$nunits), diff(x$nconn)) - 1L - x$n[[1L]]
  weights <- matrix(0, sum(x$n[2:3]), 1 + sum(x$n[1:2]))
  weights[cbind(to, x$conn + 1L)] <- values
  weights
}

#' @rdname as_network
#' @export
as_network.multinom <- function(x, input = NULL, link = FALSE, ...) {
  check_dots(...)
  check_lm_own_class(x, c("multinom", "nnet"))
  check_flag(link)
  check_import_fields(x, c("coefnames", "vcoefnames"), "nnet", rlang::current_env())
  weights <- nnet_weights(x)
  terms <- x$coefnames
  if (length(terms) > length(x$vcoefnames)) abort_import_offset()
  # Every class has weights. Those of the first class are zero, and so are the biases of nnet's own constant.
  if (x$softmax) weights <- weights[-1L, , drop = FALSE] - rep(weights[1L, ], each = nrow(weights) - 1L)
  constant <- c(TRUE, terms == "(Intercept)")
  if (all(constant)) abort_import_constant()
  layer <- new_import_dense(weights[, !constant, drop = FALSE],
    bias = if (sum(constant) > 1L) rowSums(weights[, constant, drop = FALSE]),
    activation = if (!x$softmax && !link) "sigmoid"
  )
  network <- import_stack_dense(new_network(task_input(input, ncol(layer$weight), terms[terms != "(Intercept)"])),
    list(layer))
  mark_imported(network, if (x$softmax) "baseline")
}
