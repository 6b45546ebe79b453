# Receptive fields: the input positions that the outputs of each layer depend on.

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

# Returns a list with one number for each dimension of the input: `size`, `from` and `to` describe the receptive field
# of the newest output, and `stride` is the number of input positions between neighbouring outputs.
layer_field <- function(network) {
  reach <- .Call(ffi_reach, lower_network(network))
  if (network$input$kind == "vector") reach[3:4, ] <- c(1L, as.integer(input_size(network$input)))
  grid <- network$input$kind == "grid"
  outputs <- if (shape_output_kind(network) == "grid") output_shape(network)[2:3] else c(1L, ncol(reach))
  # along each dimension, the outputs of the last row or column of the other dimension
  last <- list(row = seq_len(outputs[[1L]]) + ncol(reach) - outputs[[1L]],
    column = seq(outputs[[1L]], ncol(reach), by = outputs[[1L]]))
  along <- list(row = reach[1:2, last$row, drop = FALSE], column = reach[3:4, last$column, drop = FALSE])
  along <- if (grid) along else along["column"]
  from <- vapply(along, function(x) x[1L, ncol(x)], 0L, USE.NAMES = FALSE)
  to <- vapply(along, function(x) x[2L, ncol(x)], 0L, USE.NAMES = FALSE)
  list(size = to - from + 1L, stride = vapply(along, field_reach_stride, 0L, USE.NAMES = FALSE), from = from, to = to)
}

# Returns the number of input positions between neighbouring outputs, or NA for a single output. `reach` (2 x outputs)
# has the first and the last position of each receptive field. Padding narrows the fields at the borders, so the largest
# distance over all pairs of neighbours is used.
field_reach_stride <- function(reach) {
  steps <- reach[, -1L] - reach[, -ncol(reach)]
  if (all(is.na(steps))) NA_integer_ else max(steps, na.rm = TRUE)
}
