# Pictures of capacity kernels and tables.

#' Pictures of kernels and tables
#'
#' Heat maps, white at zero, blue above and orange below it. A kernel is drawn inputs by inputs; a table
#' inputs by layers (the first layer at the bottom), the channels of a position summed, and on a grid as
#' one map per layer. The row of the constant is not drawn.
#'
#' @param object,x A kernel, from [capacity_kernel()], or a table, from [capacity_table()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' net <- initialise(arch_dilated(16, filters = 2), seed = 1)
#' plot(capacity_kernel(net))
#' plot(capacity_table(net))
#' @name autoplot.ca_kernel
NULL

#' @rdname autoplot.ca_kernel
#' @exportS3Method ggplot2::autoplot
autoplot.ca_kernel <- function(object, ...) {
  check_dots(...)
  heat_ggplot(kernel_heat(object))
}

#' @rdname autoplot.ca_kernel
#' @export
plot.ca_kernel <- function(x, ...) {
  check_dots(...)
  heat_plot(kernel_heat(x))
  invisible(x)
}

#' @rdname autoplot.ca_kernel
#' @exportS3Method ggplot2::autoplot
autoplot.ca_table <- function(object, ...) {
  check_dots(...)
  heat_ggplot(kernel_table_heat(object))
}

#' @rdname autoplot.ca_kernel
#' @export
plot.ca_table <- function(x, ...) {
  check_dots(...)
  heat_plot(kernel_table_heat(x))
  invisible(x)
}

kernel_heat <- function(object) {
  n <- as.integer(round(sqrt(nrow(object))))
  own <- plain_frame(object)[seq_len(n), , drop = FALSE]
  inputs <- light_frame(list(lag = own$lag1, position = own$position1, channel = own$channel1))
  axis <- picture_input_axis(inputs, attr(object, "input_kind"), attr(object, "at"))
  constant <- is.na(inputs$position)
  at <- axis$at
  at[constant] <- NA
  tiles <- light_frame(list(x = rep(at, times = n), y = rep(at, each = n), value = object$kernel))
  new_heat(tiles[!is.na(tiles$x) & !is.na(tiles$y), , drop = FALSE], axis$label, axis$label,
    "kernel (effective parameters)", signed = TRUE, square = TRUE,
    note = if (any(constant)) "(Intercept) is not drawn"
  )
}

kernel_table_heat <- function(object) {
  rows <- plain_frame(object)
  group <- rows[[1L]]
  constant <- is.na(rows$position)
  note <- picture_profile_constant_note(data.frame(capacity = sum(rows$capacity[constant]))[any(constant), ,
    drop = FALSE])
  rows <- rows[!constant, , drop = FALSE]
  group <- group[!constant]
  sums <- rowsum(rows$capacity, paste(group, rows$position, sep = "\r"), reorder = FALSE)
  first <- !duplicated(paste(group, rows$position, sep = "\r"))
  rows <- rows[first, , drop = FALSE]
  what <- "capacity (effective parameters)"
  title <- picture_profile_total_title(object)
  if (attr(object, "input_kind") == "grid") {
    tiles <- list(x = rows$column, y = rows$row, value = c(sums), panel = group[first])
    return(new_heat(light_frame(tiles), "column", "row", what,
      signed = TRUE, square = TRUE, flip_y = TRUE, note = note, title = title))
  }
  lag <- attr(object, "input_kind") == "sequence"
  tiles <- list(x = if (lag) rows$lag else rows$position, y = group[first], value = c(sums))
  new_heat(light_frame(tiles), if (lag) "lag (1 is the newest input)" else "input", names(object)[[1L]], what,
    signed = TRUE, note = note, title = title)
}
