# The diagram of a network, in base graphics and in ggplot2.

# Returns a list: `boxes`, a data frame with one row for each layer, from the input at the bottom; `arrows` between the
# boxes of outer layers (from, to); and `title`. Layers inside a residual or parallel layer are drawn above it, indented
# and tinted.
picture_network_data <- function(network) {
  rows <- summary(network)
  n <- nrow(rows) + 1L
  depth <- c(0L, rows$depth)
  boxes <- light_frame(list(
    y = seq_len(n), left = 0.04 + 0.04 * depth, inside = depth > 0L, label = c("input", rows$layer),
    what = c(describe_input_shape(network$input), rows$kind),
    shape = c("", rows$output), parameters = c("", partition_format_each(rows$parameters))
  ))
  own <- which(depth == 0L)
  list(
    boxes = boxes,
    arrows = light_frame(list(from = own[-length(own)], to = own[-1L])),
    title = format_count(n_params(network), "parameter")
  )
}

#' @rdname summary.ca_network
#' @export
plot.ca_network <- function(x, ...) {
  check_dots(...)
  shown <- picture_network_data(x)
  boxes <- shown$boxes
  n <- nrow(boxes)
  old <- graphics::par(mar = c(0.5, 0.5, 2, 0.5))
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::plot.window(xlim = c(0, 1), ylim = c(0.4, n + 1.2))
  graphics::rect(boxes$left, boxes$y - 0.38, 0.98, boxes$y + 0.38,
    col = ifelse(boxes$inside, "#EAF1F8", "white"), border = ink)
  if (nrow(shown$arrows) > 0L) {
    graphics::arrows(0.02, shown$arrows$from, 0.02, shown$arrows$to - 0.1, length = 0.06, col = ink)
    graphics::segments(0.02, boxes$y[!boxes$inside], 0.04, boxes$y[!boxes$inside], col = ink)
  }
  size <- min(0.8, 14 / n)
  graphics::text(boxes$left + 0.02, boxes$y, boxes$label, adj = 0, font = 2, cex = size)
  graphics::text(0.3, boxes$y, boxes$what, adj = 0, cex = size)
  graphics::text(0.82, boxes$y, boxes$shape, adj = 1, cex = size)
  graphics::text(0.96, boxes$y, boxes$parameters, adj = 1, cex = size)
  graphics::text(c(0.82, 0.96), n + 0.75, c("output", "parameters"), adj = 1, cex = 0.7, col = "grey40")
  graphics::title(main = shown$title, line = 0.6, font.main = 1)
  invisible(x)
}

#' @rdname summary.ca_network
#' @exportS3Method ggplot2::autoplot
autoplot.ca_network <- function(object, ...) {
  shown <- picture_network_data(object)
  n <- nrow(shown$boxes)
  heads <- light_frame(list(x = c(0.82, 0.96), y = c(n, n) + 0.75, label = c("output", "parameters")))
  words <- function(x, column, hjust, ...) {
    ggplot2::geom_text(ggplot2::aes(x = x, label = .data[[column]]), hjust = hjust, size = 3.3, ...)
  }
  ggplot2::ggplot(shown$boxes, ggplot2::aes(y = .data$y)) +
    ggplot2::geom_rect(
      ggplot2::aes(xmin = .data$left, xmax = 0.98, ymin = .data$y - 0.38, ymax = .data$y + 0.38, fill = .data$inside),
      colour = ink, linewidth = 0.3
    ) +
    ggplot2::geom_segment(
      ggplot2::aes(x = 0.02, xend = 0.02, y = .data$from, yend = .data$to - 0.1),
      data = shown$arrows, colour = ink, arrow = ggplot2::arrow(length = ggplot2::unit(0.15, "cm"))
    ) +
    ggplot2::geom_segment(
      ggplot2::aes(x = 0.02, xend = 0.04, yend = .data$y),
      data = shown$boxes[!shown$boxes$inside, , drop = FALSE], colour = ink
    ) +
    ggplot2::geom_text(ggplot2::aes(x = .data$left + 0.02, label = .data$label), hjust = 0, size = 3.3,
      fontface = "bold") +
    words(0.3, "what", 0) + words(0.82, "shape", 1) + words(0.96, "parameters", 1) +
    ggplot2::geom_text(ggplot2::aes(x = .data$x, label = .data$label), data = heads, hjust = 1, size = 2.8,
      colour = "grey40") +
    ggplot2::scale_fill_manual(values = c(`FALSE` = "white", `TRUE` = "#EAF1F8"), guide = "none") +
    ggplot2::coord_cartesian(xlim = c(0, 1), ylim = c(0.4, n + 1.1), expand = FALSE) +
    ggplot2::labs(title = shown$title) +
    ggplot2::theme_void() +
    ggplot2::theme(plot.background = ggplot2::element_rect(fill = "white", colour = NA))
}
