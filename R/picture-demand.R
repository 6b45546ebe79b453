# Pictures of the demand of a task. picture-profile.R draws it beside the capacity of a fit.

#' Pictures of a task's demand
#'
#' @param object,x A demand, from [task_demand()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot, on a grid a heat map. `plot()`: its argument, invisibly.
#' @examples
#' plot(task_demand(task_ar(length = 16, ar = c(0.5, 0.3))))
#' @name autoplot.ca_demand
NULL

#' @rdname autoplot.ca_demand
#' @exportS3Method ggplot2::autoplot
autoplot.ca_demand <- function(object, ...) {
  check_dots(...)
  if (!is.null(object$row)) return(heat_ggplot(demand_heat(object)))
  shown <- picture_profile_demand_data(object)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, y = .data$demand)) +
    ggplot2::geom_col(fill = orange, width = 0.9) +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    ggplot2::labs(x = shown$label, y = demand_label) +
    picture_theme()
}

#' @rdname autoplot.ca_demand
#' @export
plot.ca_demand <- function(x, ...) {
  check_dots(...)
  if (!is.null(x$row)) {
    heat_plot(demand_heat(x))
  } else {
    shown <- picture_profile_demand_data(x)
    plot(shown$rows$x, shown$rows$demand,
      type = "h", lwd = 3, lend = 1, col = orange, bty = "n", xlab = shown$label, ylab = demand_label,
      ylim = c(0, picture_profile_highest(shown$rows$demand)), xaxt = "n"
    )
    graphics::axis(1, picture_whole_breaks(range(shown$rows$x)))
  }
  invisible(x)
}

demand_heat <- function(object) {
  rows <- plain_frame(object)
  tiles <- list(x = rows$column, y = rows$row, value = rows$demand)
  if (max(rows$channel) > 1L) tiles$panel <- factor(paste("channel", rows$channel))
  new_heat(light_frame(tiles), "column", "row", demand_label, square = TRUE, flip_y = TRUE)
}
