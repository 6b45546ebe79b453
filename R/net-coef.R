# Coefficients: the vector theta in the order of the layers, and the names of its entries.

#' @rdname initialise
#' @importFrom stats coef
#' @export
coef.ca_network <- function(object, ...) {
  check_dots(...)
  check_network_coefficients(object)
  stats::setNames(object$coef, coef_names(object))
}

#' @rdname initialise
#' @export
set_coef <- function(network, values) {
  check_network(network)
  if (!is.numeric(values)) {
    abort(c("{.arg values} must be a numeric vector.", x = "It is {show_value(values)}."), "type")
  }
  p <- n_params(network)
  if (length(values) != p) {
    abort(c(
      "{.arg values} must have one value per parameter of the network: {p}.",
      x = "It has {length(values)}."
    ), "shape")
  }
  network <- forget_training(network)
  network$coef <- as.double(check_vector(values))
  network
}

# Returns the names of all entries of theta, such as "conv1.kernel[2,1,1]".
coef_names <- function(network) {
  unlist(lapply(network_rows(network), function(row) {
    lapply(names(row$layer$params), function(array) {
      coef_array_labels(paste0(row$name, ".", array), row$layer$params[[array]])
    })
  }), use.names = FALSE)
}

# Returns the labels "name[1,1]", "name[2,1]", .. of an array with dimensions `dim`, first index fastest. Building
# strings dominates the cost, so each label is made once, from few pieces.
coef_array_labels <- function(name, dim) {
  ends <- c(rep("", length(dim) - 1L), "]")
  labels <- paste0(name, "[", seq_len(dim[[1L]]), ends[[1L]])
  for (i in seq_along(dim)[-1L]) {
    labels <- if (length(labels) == 1L) paste0(labels, ",", seq_len(dim[[i]]), ends[[i]]) else {
      paste0(labels, rep(paste0(",", seq_len(dim[[i]]), ends[[i]]), each = length(labels)))
    }
  }
  labels
}
