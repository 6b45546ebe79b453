# Partitions of the space of inputs and outputs:
#   kind           name for print
#   cut            function(input, moments) that returns a record of new_partition_cut()
#   needs          the kind of input that it requires, or NULL
#   needs_moments  whether cut() uses `moments`, a list of metric_principal_moments(); else it receives NULL
new_partition <- function(kind, cut, needs = NULL, needs_moments = FALSE) {
  structure(list(kind = kind, cut = cut, needs = needs, needs_moments = needs_moments), class = "ca_partition")
}

# A partition of the space of one network:
#   part  a factor, the part of each coordinate or basis vector (not of the constant); NULL for outputs
#   Q     an orthonormal basis of the input space (inputs x inputs); NULL for the coordinates themselves
#   over  "inputs" or "outputs"
new_partition_cut <- function(part = NULL, Q = NULL, over = "inputs") list(part = part, Q = Q, over = over)

#' Partitions by inputs and outputs
#'
#' Ways of cutting up the inputs, for the argument `partition` of [capacity()]. The
#' capacities of the parts sum to the total; the `(Intercept)` of a network with a
#' bias is a part of its own.
#'
#' @param breaks Increasing numbers b_1 < b_2 < ..: parts are the positions in
#'   (b_i, b_(i+1)]. Positions outside are the part `"(other)"`.
#' @param columns `NULL`, or on a grid breaks of its columns: then `breaks` are those of its rows,
#'   and parts are rectangles.
#' @returns An object of class `ca_partition`.
#'
#'   * `partition_regions()`: by regions of positions.
#'   * `partition_octaves()`: a sequence by octaves of the lag, ceiling(log2(lag)): lags 1, 2, 3-4,
#'     5-8, ...
#'   * `partition_positions()`: one part per position, its channels together.
#'   * `partition_channels()`: one part per channel.
#'   * `partition_outputs()`: one part per output o of the network: sum over inputs j of
#'     P_(o,j),(o,j).
#' @seealso [partition_fourier()] and the like for subspaces that are not spanned by inputs.
#' @examples
#' net <- initialise(input_sequence(16) |> layer_conv(2, 4, stride = 4) |> layer_dense(2), seed = 1)
#' capacity(net, partition = partition_octaves())
#' capacity(net, partition = partition_regions(c(0, 4, 16)))
#' capacity(net, partition = partition_outputs())
#' image <- initialise(input_grid(8, 8) |> layer_conv(2, 3, stride = 2) |> layer_dense(1), seed = 1)
#' capacity(image, partition = partition_regions(c(0, 4, 8), columns = c(0, 4, 8)))
#' @export
partition_regions <- function(breaks, columns = NULL) {
  breaks <- check_partition_breaks(breaks)
  if (is.null(columns)) return(coordinate_partition("regions", function(rows) partition_interval_parts(rows$position,
    breaks)))
  columns <- check_partition_breaks(columns)
  coordinate_partition("rows and columns", needs = "grid", function(rows) {
    partition_rectangle_parts(partition_interval_parts(rows$row, breaks), partition_interval_parts(rows$column,
      columns))
  })
}

check_partition_breaks <- function(breaks, arg = rlang::caller_arg(breaks), call = rlang::caller_env()) {
  breaks <- check_vector(breaks, arg = arg, call = call)
  if (length(breaks) < 2L || is.unsorted(breaks, strictly = TRUE)) {
    abort(c(
      "{.arg {arg}} must be two or more increasing numbers.",
      x = "It is {show_value(breaks)}."
    ), "value", call = call)
  }
  breaks
}

# A factor: the interval (b_i, b_(i+1)] of each value, or `outside` for values in none of them.
partition_interval_parts <- function(x, breaks, outside = "(other)") {
  ends <- partition_format_each(breaks)
  part <- cut(x, breaks, paste0("(", ends[-length(ends)], ",", ends[-1L], "]"))
  if (!anyNA(part)) return(part)
  levels(part) <- c(levels(part), outside)
  part[is.na(part)] <- outside
  part
}

# A factor: the rectangle of each coordinate. Coordinates outside in rows or columns are one part.
partition_rectangle_parts <- function(rows, columns) {
  part <- interaction(rows, columns, sep = " x ", lex.order = TRUE)
  outside <- grepl("(other)", levels(part), fixed = TRUE)
  inside <- levels(part)[!outside]
  levels(part)[outside] <- "(other)"
  factor(part, levels = c(inside, if (any(outside)) "(other)"))
}

partition_format_each <- function(x) vapply(x, format, "", digits = 15)

# A partition of coordinates. part: a function of input_frame() that returns a factor.
coordinate_partition <- function(kind, part, needs = NULL) {
  new_partition(kind, function(input, moments) new_partition_cut(part(input_frame(input))), needs = needs)
}

#' @rdname partition_regions
#' @export
partition_octaves <- function() {
  coordinate_partition("octaves", function(rows) partition_octave_of(rows$lag), needs = "lag")
}

# A factor: the octave of each lag, "1", "2", "3-4", "5-8", .. in increasing order.
partition_octave_of <- function(lag) {
  octave <- ceiling(log2(lag))
  all <- seq(0, max(octave, na.rm = TRUE))
  from <- floor(2^(all - 1)) + 1
  to <- 2^all
  part <- factor(octave, levels = all, labels = ifelse(from == to, to, paste0(from, "-", to)))
  if (!anyNA(lag)) return(part)
  levels(part) <- c(levels(part), "(no lag)")
  part[is.na(part)] <- "(no lag)"
  part
}

#' @rdname partition_regions
#' @export
partition_positions <- function() {
  coordinate_partition("positions", function(rows) factor(rows$position))
}

#' @rdname partition_regions
#' @export
partition_channels <- function() {
  coordinate_partition("channels", function(rows) factor(rows$channel))
}

#' @rdname partition_regions
#' @export
partition_outputs <- function() {
  new_partition("outputs", function(input, moments) new_partition_cut(over = "outputs"))
}

#' @export
print.ca_partition <- function(x, ...) {
  cat("<partition> by ", x$kind, "\n", sep = "")
  invisible(x)
}

check_partition <- function(partition, input, call = rlang::caller_env()) {
  if (is.null(partition)) return(invisible())
  if (!inherits(partition, "ca_partition")) {
    abort(c(
      "{.arg partition} must be a partition, such as {.code partition_octaves()}.",
      x = "It is {show_value(partition)}."
    ), "type", call = call)
  }
  has <- c(input$kind, if (input$kind == "sequence" || !is.null(input$lag)) "lag")
  if (!is.null(partition$needs) && !partition$needs %in% has) {
    needed <- if (partition$needs == "lag") "sequence, or inputs with lags," else partition$needs
    abort(c(
      "This partition needs a {needed} as input.",
      x = "The input of the network is {describe_input_shape(input)}."
    ), "shape", call = call)
  }
  invisible()
}

# The record of new_partition_cut() for the network of an allocation, NULL without a partition.
partition_cut_inputs <- function(partition, allocation, call = rlang::caller_env()) {
  if (is.null(partition)) return(NULL)
  moments <- if (partition$needs_moments) metric_principal_moments(allocation, call)
  partition$cut(allocation$network$input, moments)
}

# The matrix that takes the rows of the tangent to the basis Q in the metric (basis vectors x coordinates, the constant
# last), or NULL without a basis.
partition_turned_rows <- function(Q, allocation) {
  if (is.null(Q)) return(NULL)
  if (allocation$intercept) Q <- rbind(cbind(Q, 0), c(numeric(ncol(Q)), 1))
  if (is.null(allocation$root)) t(Q) else crossprod(Q, allocation$root)
}

# Capacities by part, the (Intercept) last: list(part, capacity). kappa: capacities (outputs x coordinates or basis
# vectors).
partition_part_sums <- function(kappa, cut, intercept) {
  inputs <- seq_len(ncol(kappa) - intercept)
  if (identical(cut$over, "outputs")) {
    sums <- rowSums(kappa[, inputs, drop = FALSE])
    names <- paste0("y[", seq_along(sums), "]")
  } else {
    sums <- partition_group_sums(colSums(kappa)[inputs], cut$part)$capacity
    names <- levels(cut$part)
  }
  if (intercept) {
    sums <- c(sums, sum(kappa[, -inputs]))
    names <- c(names, "(Intercept)")
  }
  list(part = factor(names, levels = names), capacity = sums)
}

# Sums of values by the levels of a factor, list(part, capacity).
partition_group_sums <- function(values, part) {
  sums <- vapply(split(values, part), sum, 0, USE.NAMES = FALSE)
  list(part = factor(levels(part), levels = levels(part)), capacity = sums)
}
