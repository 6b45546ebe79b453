# Pictures of shattering.

#' Pictures of shattering
#'
#' The correlation of input gradients against the distance of the inputs, a line for each depth, the darker the deeper;
#' several networks have a panel each. Of more than 12 depths of a network evenly spaced ones are shown.
#'
#' @param object,x A result of [shattering()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' net <- input_vector(4)
#' for (i in 1:4) net <- net |> layer_dense(12) |> layer_activation("relu")
#' plot(shattering(initialise(net, "he", seed = 1), matrix(sin(1:160), 40)))
#' @name autoplot.ca_shattering
NULL

#' @rdname autoplot.ca_shattering
#' @exportS3Method ggplot2::autoplot
autoplot.ca_shattering <- function(object, ...) {
  check_dots(...)
  shown <- shattering_picture(object)
  ggplot2::ggplot(shown$rows, ggplot2::aes(
    x = .data$distance, y = .data$correlation, colour = .data$depth, group = .data$line
  )) +
    ggplot2::geom_hline(yintercept = c(0, 1), colour = grey, linetype = "dashed") +
    ggplot2::geom_line(linewidth = 0.7) +
    ggplot2::geom_point(size = 1) +
    ggplot2::scale_colour_gradientn("depth", colours = depth_shades, limits = shown$depths,
      breaks = picture_whole_breaks,
      guide = ggplot2::guide_colourbar(title.position = "top", barwidth = 10, barheight = 0.6)) +
    (if (shown$named) ggplot2::facet_wrap(ggplot2::vars(.data$network))) +
    ggplot2::coord_cartesian(xlim = c(0, max(shown$rows$distance, 0)), ylim = shown$limits) +
    ggplot2::labs(x = "distance of the inputs", y = "correlation of input gradients", title = shown$title,
      caption = shown$note) +
    picture_theme()
}

#' @rdname autoplot.ca_shattering
#' @export
plot.ca_shattering <- function(x, ...) {
  check_dots(...)
  shown <- shattering_picture(x)
  panels <- split(shown$rows, shown$rows$network)
  columns <- ceiling(sqrt(length(panels)))
  old <- graphics::par(
    mfrow = c(ceiling(length(panels) / columns), columns), mar = c(4, 4, 2.5, 1), oma = c(1.5, 0, 0, 0)
  )
  on.exit(graphics::par(old))
  colours <- grDevices::colorRampPalette(depth_shades, space = "Lab")(101)
  for (name in names(panels)) {
    graphics::plot.new()
    graphics::plot.window(c(0, max(shown$rows$distance, 0)), shown$limits)
    graphics::abline(h = c(0, 1), lty = 2, col = grey)
    for (line in split(panels[[name]], panels[[name]]$line, drop = TRUE)) {
      shade <- 1 + round(100 * (line$depth[[1L]] - shown$depths[[1L]]) / diff(shown$depths))
      graphics::lines(line$distance, line$correlation, type = "o", pch = 16, cex = 0.6, col = colours[[shade]])
    }
    graphics::axis(1)
    graphics::axis(2, las = 1)
    graphics::title(main = if (shown$named) name else shown$title, xlab = "distance of the inputs",
      ylab = "correlation of input gradients", font.main = 1)
  }
  graphics::mtext(paste0("darker lines are deeper: depth ", shown$depths[[1L]], " to ", shown$depths[[2L]],
    if (!is.null(shown$note)) paste0("; ", shown$note)), side = 1, outer = TRUE, cex = 0.7)
  invisible(x)
}

# Colours from the least depth, still visible on white, to the largest.
depth_shades <- c("#A6D5F2", "#0072B2", "#00263B")

most_lines <- 12

# Returns a list: `rows` with the group `line` of each network and layer; `named`, whether the networks have names;
# `depths`, the limits of the colour scale; `limits` of the y axis; `title` and `note`. At most `most_lines` layers of
# each network are drawn.
shattering_picture <- function(object) {
  rows <- plain_frame(object)
  named <- !is.null(rows$network)
  if (!named) rows$network <- factor(rep("network", nrow(rows)), levels = "network")
  rows$line <- interaction(rows$network, rows$layer, drop = TRUE)
  kept <- unlist(lapply(split(rows, rows$network), function(own) {
    lines <- as.character(unique(own$line))
    lines[unique(round(seq(1, length(lines), length.out = min(length(lines), most_lines))))]
  }), use.names = FALSE)
  rows <- rows[rows$line %in% kept, , drop = FALSE]
  dead <- sum(attr(object, "overall")$dead)
  depths <- range(rows$depth, 0L, 1L)
  list(
    rows = rows, named = named, depths = depths, limits = c(min(0, rows$correlation), 1),
    title = paste("Gradients", if (attr(object, "path")) "along a path" else "at pairs of inputs"),
    note = if (dead > 0L) paste("not drawn: inputs without gradients,", dead, "over all layers")
  )
}
