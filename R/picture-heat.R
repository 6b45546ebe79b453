# Heat maps in ggplot2 and in base graphics.

# Describes a heat map for heat_ggplot() and heat_plot(). `rows`: data frame with the columns x, y, value and optionally
# panel; y may be a factor. `what`: name and unit of the value, the title of the colour scale. `signed`: whether values
# can be negative. `square`: whether x and y have the same unit, so that tiles are square. `flip_y`: whether y increases
# downwards. `note`: caption.
new_heat <- function(rows, xlab, ylab, what, signed = FALSE, square = FALSE, flip_y = FALSE, note = NULL,
                     title = NULL) {
  # without rows: no panels and no labels of an axis
  if (nrow(rows) == 0L) rows <- light_frame(list(x = numeric(), y = numeric(), value = numeric()))
  list(
    rows = rows, xlab = xlab, ylab = ylab, what = what, signed = signed, square = square, flip_y = flip_y,
    note = note, title = title
  )
}

# Limits of the colour scale, the same for all panels: from 0, or symmetric about 0 for signed values.
heat_limits <- function(heat) {
  most <- max(abs(heat$rows$value), 0)
  if (most == 0) most <- 1
  if (heat$signed) c(-most, most) else c(0, most)
}

heat_ggplot <- function(heat) {
  rows <- heat$rows
  limits <- heat_limits(heat)
  rows$value <- pmin(pmax(rows$value, limits[[1L]]), limits[[2L]])
  ggplot2::ggplot(rows, ggplot2::aes(x = .data$x, y = .data$y, fill = .data$value)) +
    ggplot2::geom_tile(width = picture_tile_size(rows$x), height = picture_tile_size(rows$y)) +
    ggplot2::scale_fill_gradientn(heat$what,
      colours = if (heat$signed) signs else depths, limits = limits,
      guide = ggplot2::guide_colourbar(
        title.position = "top", barwidth = 10, barheight = 0.6, frame.colour = "grey70"
      )
    ) +
    heat_scale(rows$x, ggplot2::scale_x_discrete, ggplot2::scale_x_continuous) +
    heat_scale(rows$y, ggplot2::scale_y_discrete, if (heat$flip_y) ggplot2::scale_y_reverse else
      ggplot2::scale_y_continuous) +
    (if (heat$square) ggplot2::coord_equal() else ggplot2::coord_cartesian()) +
    (if (!is.null(rows$panel)) ggplot2::facet_wrap(ggplot2::vars(.data$panel))) +
    ggplot2::labs(x = heat$xlab, y = heat$ylab, caption = heat$note, title = heat$title) +
    picture_theme() +
    ggplot2::theme(
      panel.grid = ggplot2::element_blank(),
      panel.border = ggplot2::element_rect(colour = "grey70", fill = NA)
    )
}

heat_scale <- function(x, discrete, continuous) {
  if (is.factor(x)) return(discrete(expand = c(0, 0), guide = ggplot2::guide_axis(check.overlap = TRUE)))
  continuous(expand = c(0, 0), breaks = picture_whole_breaks)
}

# The heat map in base graphics. Instead of a colour bar, a line below the panels states the limits of the scale.
heat_plot <- function(heat) {
  panels <- if (is.null(heat$rows$panel)) list(heat$rows) else split(heat$rows, heat$rows$panel)
  columns <- ceiling(sqrt(length(panels)))
  widest <- max(nchar(levels(heat$rows$y)), 0L)
  old <- graphics::par(
    mfrow = c(ceiling(length(panels) / columns), columns), oma = c(1.5, 0, if (length(panels) > 1L) 1.5 else 0, 0),
    mar = c(4, if (is.factor(heat$rows$y)) min(2 + 0.45 * widest, 12) else 4, 2.5, 1)
  )
  on.exit(graphics::par(old))
  for (i in seq_along(panels)) {
    heat_panel(heat, panels[[i]], if (is.null(names(panels))) heat$title else names(panels)[[i]])
  }
  if (length(panels) > 1L) graphics::mtext(heat$title, side = 3, outer = TRUE)
  limits <- heat_limits(heat)
  graphics::mtext(paste0(
    heat$what, ": ", if (heat$signed) paste0("orange ", format(limits[[1L]], digits = 2), ", "),
    "white 0, blue ", format(limits[[2L]], digits = 2), if (!is.null(heat$note)) paste0("; ", heat$note)
  ), side = 1, outer = TRUE, cex = 0.7)
}

# Draws one panel by rect(), since image() would stretch the tiles of inputs that are not evenly spaced.
heat_panel <- function(heat, rows, title) {
  x <- picture_as_axis(rows$x)
  y <- picture_as_axis(rows$y, heat$flip_y)
  graphics::plot.new()
  graphics::plot.window(x$limits, y$limits, xaxs = "i", yaxs = "i", asp = if (heat$square) 1 else NA)
  limits <- heat_limits(heat)
  colours <- grDevices::colorRampPalette(if (heat$signed) signs else depths, space = "Lab")(101)
  shade <- 1 + round(100 * (rows$value - limits[[1L]]) / diff(limits))
  at_x <- as.numeric(rows$x)
  at_y <- as.numeric(rows$y)
  graphics::rect(at_x - x$half, at_y - y$half, at_x + x$half, at_y + y$half,
    col = colours[pmin(pmax(shade, 1), 101)], border = NA)
  graphics::rect(x$limits[[1L]], y$limits[[1L]], x$limits[[2L]], y$limits[[2L]], border = "grey70")
  graphics::axis(1, x$at, x$labels, pos = y$limits[[1L]], lwd = 0, lwd.ticks = 1)
  graphics::axis(2, y$at, y$labels, pos = x$limits[[1L]], lwd = 0, lwd.ticks = 1, las = 1,
    cex.axis = if (is.factor(rows$y)) 0.8 else 1)
  graphics::title(main = title, xlab = heat$xlab, ylab = if (is.factor(rows$y)) "" else heat$ylab, font.main = 1)
}
