# The input space: its shape and the names of its coordinates.
#
# An input is list(kind, shape, labels): `shape` is c(channels, height, width), and `labels` are the names of the
# coordinates, or NULL. A sequence has height 1. The entries of a vector are the channels of a single position; a vector
# of lagged values also has `lag`, NA for entries without one.
# Coordinates are ordered channel-fastest, then by position.

new_input <- function(kind, channels, height = 1L, width = 1L, labels = NULL, lag = NULL) {
  input <- list(kind = kind, shape = c(channels, height, width), labels = labels)
  if (is.null(lag)) input else c(input, list(lag = lag))
}

input_size <- function(input) prod(input$shape)

# Whether two inputs have the same kind and shape. When one of them is a vector, only their sizes are compared.
same_input <- function(a, b) {
  if (a$kind == "vector" || b$kind == "vector") return(input_size(a) == input_size(b))
  identical(a$shape, b$shape) && a$kind == b$kind
}

# Returns a data frame with one row per input coordinate: input, position, lag, channel (for grids also row and column).
# With `intercept`, the last row is the (Intercept).
input_frame <- function(input, intercept = FALSE) {
  channels <- input$shape[[1L]]
  positions <- input$shape[[2L]] * input$shape[[3L]]
  if (input$kind == "vector") {
    positions <- channels
    channels <- 1L
  }
  position <- rep(seq_len(positions), each = channels)
  channel <- rep(seq_len(channels), times = positions)
  lag <- if (input$kind == "sequence") positions + 1L - position else
    if (is.null(input$lag)) rep(NA_integer_, length(position)) else input$lag
  columns <- list(input = input$labels, position = position, lag = lag, channel = channel)
  if (input$kind == "grid") {
    columns$row <- (position - 1L) %% input$shape[[2L]] + 1L
    columns$column <- (position - 1L) %/% input$shape[[2L]] + 1L
  }
  if (is.null(input$labels)) columns$input <- input_coordinate_labels(columns, channels)
  if (intercept) {
    columns <- lapply(columns, function(x) c(x, NA))
    columns$input[[length(columns$input)]] <- "(Intercept)"
  }
  light_frame(columns)
}

# Returns labels such as "x[3]", on a grid "x[2,5]" (row, column). The channel is the last index if there are several.
input_coordinate_labels <- function(columns, channels) {
  place <- if (is.null(columns$row)) columns["position"] else columns[c("row", "column")]
  if (channels > 1L) place$channel <- columns$channel
  paste0("x[", do.call(paste, c(unname(place), sep = ",")), "]")
}

#' Inputs
#'
#' Every network starts from an input, which says what its coordinates are. A
#' bare input is a network without layers; pipe layers onto it.
#'
#' Position 1 of a sequence is the oldest value and position `length` the newest,
#' so that `lag = length + 1 - position`. A grid is an image, a map or any other field
#' on rows and columns; its positions run down the columns, `position = row + height
#' (column - 1)`, as a matrix is stored in R, and have no lag. Data are matrices with
#' one row per observation and one column per coordinate, channel-fastest, then
#' position.
#'
#' @param length Number of positions (time steps) of the sequence.
#' @param height,width Rows and columns of the grid.
#' @param channels Number of values at each position.
#' @param size Number of entries of the vector. Its position is the index and
#'   its lag `NA`.
#' @returns A network of class `ca_network` with no layers.
#' @seealso [layer_dense()] and the other layers, [summary.ca_network()].
#' @examples
#' input_sequence(64) |> layer_conv(filters = 1, kernel = 2)
#' input_grid(8, 8, channels = 3) |> layer_conv(filters = 2, kernel = 3)
#' input_vector(10) |> layer_dense(1, bias = TRUE)
#' @export
input_sequence <- function(length, channels = 1) {
  length <- check_count(length)
  channels <- check_count(channels)
  new_network(new_input("sequence", channels, 1L, length))
}

#' @rdname input_sequence
#' @export
input_grid <- function(height, width, channels = 1) {
  height <- check_count(height)
  width <- check_count(width)
  new_network(new_input("grid", check_count(channels), height, width))
}

#' @rdname input_sequence
#' @export
input_vector <- function(size) {
  new_network(new_input("vector", check_count(size)))
}

# Returns the input `own` of a network, with the labels and lags of a task's input where it has none.
label_input <- function(own, of_task) {
  if (is.null(own$labels)) own$labels <- of_task$labels
  if (is.null(own$lag)) own$lag <- of_task$lag
  own
}
