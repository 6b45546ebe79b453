#' Effective weights and their tangent
#'
#' A linear network of inputs x (n) and outputs y (m) is y = W(theta) x, W the
#' composition of its layers: its effective weights. The tangent is J = d vec(W) /
#' d theta. With a bias anywhere, the input space has one more coordinate, the
#' constant, called `(Intercept)` and always last.
#'
#' Both are exact, from one backward and one forward pass over the network's
#' operations, on the inputs and positions that the output depends on.
#'
#' @param network A network with coefficients, or a fit.
#' @returns `effective_weights()`: a matrix, outputs x inputs (m x n, or m x (n +
#'   1) with a bias), columns named after the inputs. `tangent()`: a matrix with a
#'   row per output and input, outputs fastest (row o + m (j - 1)), and a column
#'   per parameter, named as in [coef()].
#' @references Donier, J. (2019). Capacity allocation analysis of neural
#'   networks: a tool for principled architecture design.
#'   \doi{10.48550/arXiv.1902.04485}
#' @examples
#' net <- input_sequence(4) |>
#'   layer_conv(1, kernel = 2) |>
#'   layer_conv(1, kernel = 3) |>
#'   set_coef(c(1, 2, 1, 0, -1))
#' effective_weights(net)
#' tangent(net)
#' @export
effective_weights <- function(network) {
  network <- network_of(network)
  check_linear(network)
  W <- weights_out(.Call(ffi_weights, lower(network), network$coef), network$units)
  colnames(W) <- input_frame(network$input, ncol(W) > input_size(network$input))$input
  W
}

#' @rdname effective_weights
#' @export
tangent <- function(network) {
  network <- network_of(network)
  check_linear(network)
  J <- .Call(ffi_tangent, lower(network), network$coef)
  dimnames(J) <- list(NULL, coef_names(network)) # colnames() would copy it
  J
}

# Weights that do not depend on the inputs.
check_linear <- function(network, arg = "network", call = rlang::caller_env()) {
  if (is_linear(network)) return(invisible())
  abort(c(
    "{.arg {arg}} must be linear: others have no effective weights, only a tangent map at each input.",
    i = "{.fn linearise} gives it, and {.code capacity(network, data = )} the allocation over inputs."
  ), "nonlinear", call = call)
}

#' Predict
#'
#' Applies a network, or a fit's network, to new inputs. Inputs and predictions are in the units of the data: a network
#' that was trained on a standardised task keeps the centre and scale of its inputs and outputs.
#'
#' @param object A network with coefficients, or a fit.
#' @param newdata A numeric matrix or data frame with one row per observation and
#'   one column per input coordinate, channel-fastest, then position; a vector is
#'   one observation. For a fit, `NULL` gives the fitted values.
#' @param type `"response"`, or for a network whose outputs are logits (trained on classes, or imported from a model of
#'   classes) `"link"` for the logits; its response is one probability per class, the second class for a single logit
#'   of a bare network.
#' @param ... Not used.
#' @returns A matrix, observations x outputs.
#' @examples
#' net <- input_sequence(4) |> layer_dense(1) |> set_coef(c(0, 0, 0, 1))
#' predict(net, rbind(1:4, 5:8))
#' @export
predict.ca_network <- function(object, newdata, type = c("response", "link"), ...) {
  check_coefficients(object)
  type <- check_choice(type, c("response", "link"))
  x <- check_inputs(newdata, object$input, arg = "newdata")
  yhat <- network_outputs(object, x)
  if (type == "link" || is.null(object$output)) return(yhat)
  class_probabilities(if (object$output == "baseline") cbind(0, yhat) else yhat)
}

# Outputs of rows x in data units (N x n), in data units.
network_outputs <- function(network, x) {
  units_out(.Call(ffi_predict, lower(network), network$coef, units_in(x, network$units)), network$units)
}

# Rows of inputs as a plain N x n matrix; a vector of length n is one row.
check_inputs <- function(x, input, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  force(arg)
  n <- input_size(input)
  if (is.numeric(x) && is.null(dim(x))) {
    if (length(x) != n) {
      abort(c(
        "{.arg {arg}} must have one column for each input ({n}); a vector is one row.",
        x = "It is a vector of {length(x)}."
      ), "shape", call = call)
    }
    x <- matrix(as.double(x), nrow = 1L)
  }
  x <- check_matrix(x, ncol = n, arg = arg, call = call)
  dimnames(x) <- NULL
  x
}

#' Receptive field
#'
#' What the newest output of each layer can see of the input, by the shapes of the
#' layers alone (weights are not looked at).
#'
#' @param network A network; coefficients are not needed.
#' @returns A data frame with one row per layer of the network (a residual or
#'   parallel layer is one row): `layer`, `size` (number of input positions from
#'   the oldest to the newest that is seen), `stride` (input positions between
#'   neighbouring outputs, `NA` for a single output), `from` and `to` (the input
#'   positions, 1 the oldest). On a grid two rows per layer, its rows and its columns,
#'   told apart by a second column `dimension`.
#' @examples
#' net <- input_sequence(16)
#' for (d in 2^(0:3)) net <- layer_conv(net, 1, kernel = 2, dilation = d)
#' receptive_field(net)
#' @export
receptive_field <- function(network) {
  check_network(network)
  rows <- Filter(function(row) row$depth == 0L, network_rows(network))
  dimensions <- if (network$input$kind == "grid") c("row", "column") else ""
  fields <- lapply(seq_along(rows), function(i) {
    field <- layer_field(new_network(network$input, network$layers[seq_len(i)]))
    light_frame(c(list(layer = rep(rows[[i]]$name, length(dimensions)), dimension = dimensions), field))
  })
  none <- list(layer = character(), dimension = character(), size = integer(), stride = integer(),
    from = integer(), to = integer())
  field <- do.call(rbind, c(list(light_frame(none)), fields))
  if (network$input$kind != "grid") field$dimension <- NULL
  field
}

# size, stride, from and to of a network's newest output, along each dimension of its input.
layer_field <- function(network) {
  reach <- .Call(ffi_reach, lower(network))
  if (network$input$kind == "vector") reach[3:4, ] <- c(1L, as.integer(input_size(network$input)))
  grid <- network$input$kind == "grid"
  outputs <- if (output_kind(network) == "grid") output_shape(network)[2:3] else c(1L, ncol(reach))
  # along a dimension, outputs of the last row or column of the other
  last <- list(row = seq_len(outputs[[1L]]) + ncol(reach) - outputs[[1L]],
    column = seq(outputs[[1L]], ncol(reach), by = outputs[[1L]]))
  along <- list(row = reach[1:2, last$row, drop = FALSE], column = reach[3:4, last$column, drop = FALSE])
  along <- if (grid) along else along["column"]
  from <- vapply(along, function(x) x[1L, ncol(x)], 0L, USE.NAMES = FALSE)
  to <- vapply(along, function(x) x[2L, ncol(x)], 0L, USE.NAMES = FALSE)
  list(size = to - from + 1L, stride = vapply(along, reach_stride, 0L, USE.NAMES = FALSE), from = from, to = to)
}

# Input positions between neighbouring outputs: padding narrows what those at a border see, so all
# neighbours are compared. reach: 2 x outputs, first and last position seen.
reach_stride <- function(reach) {
  steps <- reach[, -1L] - reach[, -ncol(reach)]
  if (all(is.na(steps))) NA_integer_ else max(steps, na.rm = TRUE)
}

# The C core's way to raise: its status codes are those of src/status.h.
stop_core <- function(code, what) {
  text <- gsub("([{}])", "\\1\\1", what)
  switch(code,
    abort(c(
      "This is not a network that capalloc has made: {text}.",
      i = "Build networks with {.fn input_sequence} and layers, and do not edit their fields."
    ), "internal", call = NULL, text = text),
    abort("This is too large: {text}.", "size", call = NULL, text = text),
    abort("LAPACK failed while {text}.", "numeric", call = NULL, text = text),
    abort("A quantity is not finite: {text}.", "nonfinite", call = NULL, text = text)
  )
}
