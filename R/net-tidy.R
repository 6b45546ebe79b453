# tidy() and glance() of networks.

#' @rdname summary.ca_network
#' @export
tidy.ca_network <- function(x, ...) {
  check_dots(...)
  rows <- network_rows(x)
  names <- vapply(rows, function(row) row$name, "")
  estimate <- if (is.null(x$coef)) rep(NA_real_, n_params(x)) else unname(x$coef)
  light_frame(list(
    term = coef_names(x), layer = rep(names, vapply(rows, function(row) network_own_params(row$layer), 0)),
      estimate = estimate
  ))
}

#' @rdname summary.ca_network
#' @export
glance.ca_network <- function(x, ...) {
  check_dots(...)
  light_frame(list(
    n_params = as.integer(n_params(x)), layers = length(network_rows(x)), n_inputs = as.integer(input_size(x$input)),
    n_outputs = as.integer(shape_output_size(x)), linear = is_linear(x)
  ))
}
