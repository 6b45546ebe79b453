# Pictures of what a task demands, alone and beside what a fit has allocated.

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
  if (!is.null(object$row)) return(heat_ggplot(demand_heat(object)))
  shown <- demand_data(object)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, y = .data$demand)) +
    ggplot2::geom_col(fill = orange, width = 0.9) +
    ggplot2::labs(x = shown$label, y = demand_label) +
    picture_theme()
}

#' @rdname autoplot.ca_demand
#' @export
plot.ca_demand <- function(x, ...) {
  if (!is.null(x$row)) {
    heat_plot(demand_heat(x))
  } else {
    shown <- demand_data(x)
    plot(shown$rows$x, shown$rows$demand,
      type = "h", lwd = 3, lend = 1, col = orange, bty = "n", xlab = shown$label, ylab = demand_label,
      ylim = c(0, max(shown$rows$demand, 1e-300))
    )
  }
  invisible(x)
}

demand_label <- "demand (rise of the best loss)"

# One bar a position, the demands of its channels summed.
demand_data <- function(object) {
  rows <- plain_frame(object)
  lag <- !anyNA(rows$lag)
  x <- if (lag) rows$lag else rows$position
  sums <- tapply(rows$demand, factor(x, unique(x)), sum)
  list(
    rows = light_frame(list(x = unique(x), demand = as.double(sums))),
    label = if (lag) "lag (1 is the newest input)" else "input"
  )
}

demand_heat <- function(object) {
  rows <- plain_frame(object)
  tiles <- list(x = rows$column, y = rows$row, value = rows$demand)
  if (max(rows$channel) > 1L) tiles$panel <- factor(paste("channel", rows$channel))
  new_heat(light_frame(tiles), "column", "row", demand_label, square = TRUE, flip_y = TRUE)
}

# ---- beside an allocation --------------------------------------------------------------------------

# Panels of one x: capacity above, demand below, each in its own unit. On a grid, shares of the largest.
allocation_ggplot <- function(object) {
  allocated <- capacity(object)
  demanded <- task_demand(object$task)
  if (object$network$input$kind == "grid" && !is.null(demanded$row)) {
    return(heat_ggplot(beside_heat(allocated, demanded)))
  }
  shown <- profile_data(allocated)
  demand <- demand_data(demanded)
  heights <- tapply(shown$rows$capacity, factor(shown$rows[[shown$x]], unique(shown$rows[[shown$x]])), sum)
  panels <- c("capacity (effective parameters)", demand_label)
  rows <- light_frame(list(
    x = c(as.numeric(names(heights)), demand$rows$x),
    height = c(as.double(heights), demand$rows$demand),
    panel = factor(rep(panels, c(length(heights), nrow(demand$rows))), levels = panels)
  ))
  ggplot2::ggplot(rows, ggplot2::aes(x = .data$x, y = .data$height, fill = .data$panel)) +
    ggplot2::geom_col(width = 0.9) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), ncol = 1, scales = "free_y") +
    ggplot2::scale_fill_manual(values = c(ink, orange), guide = "none") +
    ggplot2::labs(x = shown$label, y = NULL, caption = shown$note, title = total_title(allocated)) +
    picture_theme()
}

beside_heat <- function(allocated, demanded) {
  rows <- plain_frame(allocated)
  rows <- rows[!is.na(rows$position), , drop = FALSE]
  pixel <- function(value) {
    sums <- as.double(tapply(value, rows$position, sum))
    sums / max(sums, 1e-300)
  }
  first <- rows[!duplicated(rows$position), , drop = FALSE]
  panels <- c("capacity", "demand")
  tiles <- light_frame(list(
    x = rep(first$column, 2L), y = rep(first$row, 2L), value = c(pixel(rows$capacity), pixel(demanded$demand)),
    panel = factor(rep(panels, each = nrow(first)), levels = panels)
  ))
  new_heat(tiles, "column", "row", "share of the largest", square = TRUE, flip_y = TRUE,
    title = total_title(allocated))
}
