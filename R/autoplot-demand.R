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
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
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
      ylim = c(0, highest(shown$rows$demand)), xaxt = "n"
    )
    graphics::axis(1, whole_breaks(range(shown$rows$x)))
  }
  invisible(x)
}

highest <- function(heights) if (max(heights) > 0) max(heights) else 1

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

# A heat map, or list(rows, label, note, title): the height of each position in two panels, capacity above
# and demand below, each in its own unit. On a grid, shares of the largest.
allocation_data <- function(object) {
  input <- object$network$input
  allocated <- capacity(object)
  # a task may give as a vector what its network takes as a sequence or a grid: places are the network's
  demanded <- light_frame(c(as.list(input_frame(input)), list(demand = task_demand(object$task)$demand)))
  if (input$kind == "grid") return(beside_heat(allocated, demanded))
  shown <- profile_data(allocated, named = FALSE)
  demand <- demand_data(demanded)
  heights <- stacked(shown$rows, shown$x)
  panels <- c("capacity (effective parameters)", demand_label)
  list(
    rows = light_frame(list(
      x = c(unique(shown$rows[[shown$x]]), demand$rows$x), height = c(heights, demand$rows$demand),
      panel = factor(rep(panels, c(length(heights), nrow(demand$rows))), levels = panels)
    )),
    label = shown$label, note = shown$note, title = total_title(allocated)
  )
}

allocation_ggplot <- function(object) {
  shown <- allocation_data(object)
  if (object$network$input$kind == "grid") return(heat_ggplot(shown))
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, y = .data$height, fill = .data$panel)) +
    ggplot2::geom_col(width = 0.9) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), ncol = 1, scales = "free_y") +
    ggplot2::scale_fill_manual(values = c(ink, orange), guide = "none") +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::labs(x = shown$label, y = NULL, caption = shown$note, title = shown$title) +
    picture_theme()
}

allocation_plot <- function(object) {
  shown <- allocation_data(object)
  if (object$network$input$kind == "grid") return(heat_plot(shown))
  old <- graphics::par(mfrow = c(2L, 1L), mar = c(2.5, 4, 2, 1), oma = c(3, 0, 0, 0))
  on.exit(graphics::par(old))
  panels <- split(shown$rows, shown$rows$panel)
  for (i in 1:2) {
    x <- panels[[i]]$x
    plot(x, panels[[i]]$height,
      type = "h", lwd = 3, lend = 1, col = c(ink, orange)[[i]], bty = "n", xaxt = "n", xlab = "",
      ylab = c("capacity", "demand")[[i]], ylim = c(0, highest(panels[[i]]$height)),
      main = if (i == 1L) shown$title, font.main = 1
    )
    graphics::axis(1, whole_breaks(range(x)))
  }
  graphics::mtext(shown$label, side = 1, line = 0.5, outer = TRUE)
  graphics::mtext(shown$note, side = 1, line = 1.7, outer = TRUE, cex = 0.8)
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
    note = constant_note(plain_frame(allocated)[is.na(allocated$position), , drop = FALSE]),
    title = total_title(allocated))
}
