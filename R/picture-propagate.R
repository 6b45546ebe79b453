# Pictures of capacity through layers.

#' Pictures of capacity through layers and of decoupling
#'
#' Capacity is drawn as a flow over depth: a line of tiles for each level, the input at the bottom, each level
#' stretched to the width of the input, so that the colour is capacity per input position (channels summed; its
#' scale is that of square roots). Of more than 120 levels evenly spaced ones are shown. A network on a grid has
#' a map for each level that is a grid. What went to the `(Intercept)` or was lost is said, not drawn.
#'
#' Decoupling is drawn as gate correlation against the correlation of pre-activations: a curve for an activation,
#' points with a panel per layer for a network (at most 2000 pairs of each, evenly spaced).
#'
#' @param object,x A propagation, from [propagate_capacity()], or a decoupling, from [decoupling()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' net <- input_sequence(32)
#' for (i in 1:6) {
#'   net <- layer_residual(net, \(x) layer_conv(x, 1, kernel = 3, padding = "same"), scale = 0.5)
#' }
#' plot(propagate_capacity(initialise(net, seed = 1), from = list(position = 16)))
#' plot(decoupling("tanh", variance = 9))
#' @name autoplot.ca_propagation
NULL

#' @rdname autoplot.ca_propagation
#' @exportS3Method ggplot2::autoplot
autoplot.ca_propagation <- function(object, ...) {
  check_dots(...)
  if (attr(object, "input_kind") == "grid") return(heat_ggplot(propagate_heat(object)))
  shown <- propagate_picture(object)
  ggplot2::ggplot(shown$rows) +
    ggplot2::geom_rect(ggplot2::aes(
      xmin = .data$left, xmax = .data$right, ymin = .data$y - 0.5, ymax = .data$y + 0.5, fill = .data$value
    )) +
    ggplot2::scale_fill_gradientn("capacity per input position",
      colours = depths, limits = c(0, shown$most), trans = "sqrt", breaks = picture_propagate_breaks(shown$most),
      guide = ggplot2::guide_colourbar(title.position = "top", barwidth = 10, barheight = 0.6, frame.colour = "grey70")
    ) +
    ggplot2::scale_x_continuous(expand = c(0, 0), breaks = picture_whole_breaks) +
    ggplot2::scale_y_continuous(expand = c(0, 0), breaks = shown$ticks$y, labels = shown$ticks$label) +
    ggplot2::labs(x = shown$label, y = NULL, title = shown$title, caption = shown$note) +
    picture_theme() +
    ggplot2::theme(
      panel.grid = ggplot2::element_blank(), panel.border = ggplot2::element_rect(colour = "grey70", fill = NA)
    )
}

#' @rdname autoplot.ca_propagation
#' @export
plot.ca_propagation <- function(x, ...) {
  check_dots(...)
  if (attr(x, "input_kind") == "grid") {
    heat_plot(propagate_heat(x))
    return(invisible(x))
  }
  shown <- propagate_picture(x)
  rows <- shown$rows
  old <- graphics::par(mar = c(5, min(2 + 0.45 * max(nchar(shown$ticks$label)), 12), 2.5, 1), oma = c(1, 0, 0, 0))
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::plot.window(range(rows$left, rows$right), range(rows$y) + c(-0.5, 0.5), xaxs = "i", yaxs = "i")
  colours <- grDevices::colorRampPalette(depths, space = "Lab")(101)
  graphics::rect(rows$left, rows$y - 0.5, rows$right, rows$y + 0.5,
    col = colours[1 + round(100 * sqrt(rows$value / shown$most))], border = NA)
  graphics::box(col = "grey70")
  graphics::axis(1, picture_whole_breaks(range(rows$left, rows$right)), lwd = 0, lwd.ticks = 1)
  graphics::axis(2, shown$ticks$y, shown$ticks$label, lwd = 0, lwd.ticks = 1, las = 1, cex.axis = 0.8)
  graphics::title(main = shown$title, xlab = shown$label, font.main = 1)
  graphics::mtext(paste0(
    "capacity per input position: white 0, blue ", format(shown$most, digits = 2),
    if (!is.null(shown$note)) paste0("; ", shown$note)
  ), side = 1, outer = TRUE, cex = 0.7)
  invisible(x)
}

most_levels <- 120

# Returns a list: `rows`, a data frame of tiles from `left` to `right`, in input positions, with the level `y` and
# `value`, the capacity per input position; `most`, the largest value; `ticks` of the levels (y, label); `label` of the
# x axis, `title` and `note`. At most `most_levels` levels are drawn.
propagate_picture <- function(object) {
  rows <- plain_frame(object)
  levels <- levels(rows$layer)
  shown <- unique(round(seq(1, length(levels), length.out = min(length(levels), most_levels))))
  units <- rows[rows$part == "unit" & as.integer(rows$layer) %in% shown, , drop = FALSE]
  lag <- attr(object, "input_kind") == "sequence"
  sums <- stats::aggregate(units["capacity"], list(y = as.integer(units$layer), position = units$position), sum)
  n <- tapply(sums$position, sums$y, max)[as.character(sums$y)]
  wide <- max(rows$position[as.integer(rows$layer) == 1L], na.rm = TRUE)
  place <- if (lag) n + 1 - sums$position else sums$position
  width <- wide / n
  # rounding errors of second moments can be negative
  value <- pmax(sums$capacity, 0) / width
  y <- match(sums$y, shown)
  most <- max(value, 0)
  few <- unique(round(seq(1, length(shown), length.out = min(length(shown), 20L))))
  list(
    rows = light_frame(list(
      left = as.double((place - 1) * width + 0.5), right = as.double(place * width + 0.5), y = as.double(y),
      value = as.double(value)
    )),
    most = if (most > 0) most else 1, ticks = light_frame(list(y = few, label = levels[shown][few])),
    label = if (lag) "lag (1 is the newest input)" else "input", title = picture_propagate_title(object),
    note = picture_propagate_note(rows)
  )
}

# Breaks with two digits, rounded down so that the largest lies within the limits of the scale.
picture_propagate_breaks <- function(most) {
  at <- most * c(0.1, 0.4, 1)
  unit <- 10^(floor(log10(at)) - 1)
  c(0, pmin(floor(at / unit + 1e-9) * unit, most))
}

picture_propagate_title <- function(object) paste0("Capacity from ", attr(object, "from"), ", mode ", attr(object,
  "mode"))

# States the capacity that does not reach the input, by part, such as `lost` and `(Intercept)`.
picture_propagate_note <- function(rows) {
  away <- rows[as.integer(rows$layer) == 1L & rows$part != "unit" & rows$capacity > 0, , drop = FALSE]
  if (nrow(away) == 0L) return(NULL)
  paste0("not drawn: ", paste(away$part, format(away$capacity, digits = 2, trim = TRUE), collapse = ", "))
}

# Heat maps of the levels that are grids, at most 12.
propagate_heat <- function(object) {
  rows <- plain_frame(object)
  units <- rows[rows$part == "unit" & !is.na(rows$row), , drop = FALSE]
  levels <- levels(droplevels(units$layer))
  if (length(levels) > 12L) levels <- levels[unique(round(seq(1, length(levels), length.out = 12L)))]
  units <- units[units$layer %in% levels, , drop = FALSE]
  units$layer <- factor(units$layer, levels = levels)
  sums <- stats::aggregate(units["capacity"], units[c("column", "row", "layer")], sum)
  tiles <- list(x = sums$column, y = sums$row, value = pmax(sums$capacity, 0), panel = sums$layer)
  new_heat(light_frame(tiles), "column", "row", "capacity (effective parameters)", square = TRUE, flip_y = TRUE,
    note = picture_propagate_note(rows), title = picture_propagate_title(object))
}

#' @rdname autoplot.ca_propagation
#' @exportS3Method ggplot2::autoplot
autoplot.ca_decoupling <- function(object, ...) {
  check_dots(...)
  shown <- decoupling_picture(object)
  mark <- if (shown$curve) ggplot2::geom_line(colour = ink) else
    ggplot2::geom_point(colour = ink, size = 0.8, alpha = 0.5)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$correlation, y = .data$gate_correlation)) +
    ggplot2::geom_hline(yintercept = c(0, 1), colour = grey, linetype = "dashed") +
    mark +
    (if (!shown$curve) ggplot2::facet_wrap(ggplot2::vars(.data$panel))) +
    ggplot2::coord_cartesian(xlim = c(-1, 1), ylim = shown$limits) +
    ggplot2::labs(x = "correlation of pre-activations", y = "gate correlation", title = shown$title) +
    picture_theme()
}

#' @rdname autoplot.ca_propagation
#' @export
plot.ca_decoupling <- function(x, ...) {
  check_dots(...)
  shown <- decoupling_picture(x)
  panels <- if (shown$curve) list(shown$rows) else split(shown$rows, shown$rows$panel)
  columns <- ceiling(sqrt(length(panels)))
  old <- graphics::par(mfrow = c(ceiling(length(panels) / columns), columns), mar = c(4, 4, 2.5, 1))
  on.exit(graphics::par(old))
  for (i in seq_along(panels)) {
    graphics::plot.new()
    graphics::plot.window(c(-1, 1), shown$limits)
    graphics::axis(1)
    graphics::axis(2, las = 1)
    graphics::abline(h = c(0, 1), lty = 2, col = grey)
    if (shown$curve) {
      graphics::lines(panels[[i]]$correlation, panels[[i]]$gate_correlation, col = ink, lwd = 2)
    } else {
      graphics::points(panels[[i]]$correlation, panels[[i]]$gate_correlation, col = ink, pch = 16, cex = 0.5)
    }
    graphics::title(main = if (shown$curve) shown$title else names(panels)[[i]], font.main = 1,
      xlab = "correlation of pre-activations", ylab = "gate correlation")
  }
  invisible(x)
}

most_pairs <- 2000

# Returns a list: `rows` without pairs that have a dead unit, `curve` (whether the object describes an activation
# instead of the layers of a network), `limits` of the y axis and `title`. At most `most_pairs` pairs of each layer are
# drawn.
decoupling_picture <- function(object) {
  rows <- plain_frame(object)
  rows <- rows[!is.na(rows$correlation) & !is.na(rows$gate_correlation), , drop = FALSE]
  overall <- attr(object, "overall")
  curve <- attr(object, "of") == "activation"
  if (curve) {
    rows <- rows[order(rows$correlation), , drop = FALSE]
    shown <- format(overall$decoupling, digits = 3)
    title <- paste0(overall$layer, " ", decoupling_source(object), ", decoupling ", shown)
  } else {
    kept <- unlist(lapply(split(seq_len(nrow(rows)), rows$layer), function(at) {
      at[unique(round(seq(1, length(at), length.out = min(length(at), most_pairs))))]
    }), use.names = FALSE)
    rows <- rows[kept, , drop = FALSE]
    name <- paste0(overall$layer, ": decoupling ", format(overall$decoupling, digits = 2))
    rows$panel <- factor(name[as.integer(rows$layer)], levels = name)
    title <- paste("Gate correlations", decoupling_source(object))
  }
  list(rows = rows, curve = curve, limits = c(min(0, rows$gate_correlation), 1), title = title)
}
