# Pictures of effective receptive fields.

#' Pictures of effective receptive fields
#'
#' `type = "region"`: for each layer, the input at the bottom, the theoretical field (pale), the smallest window with
#' most of the capacity (blue) and its mean (orange). `type = "width"`: the standard deviation of capacity against
#' depth, and the square-root law (dashed). A grid has a panel for its rows and one for its columns. Of more than 60
#' layers evenly spaced ones are shown.
#'
#' @param object,x An effective receptive field, from [effective_receptive_field()].
#' @param type `"region"` or `"width"`.
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' net <- input_sequence(64)
#' for (d in 2^(0:5)) net <- layer_conv(net, 1, kernel = 2, dilation = d)
#' field <- effective_receptive_field(initialise(net, seed = 1))
#' plot(field)
#' plot(field, type = "width")
#' @name autoplot.ca_field
NULL

#' @rdname autoplot.ca_field
#' @exportS3Method ggplot2::autoplot
autoplot.ca_field <- function(object, type = c("region", "width"), ...) {
  check_dots(...)
  type <- check_choice(type, c("region", "width"))
  panels <- if (!is.null(object$dimension)) ggplot2::facet_wrap(ggplot2::vars(.data$dimension), scales = "free_x")
  if (type == "width") return(field_width_ggplot(object) + panels)
  shown <- field_picture(object)
  strip <- function(from, to, colour, half) {
    ggplot2::geom_rect(ggplot2::aes(xmin = .data[[from]], xmax = .data[[to]], ymin = .data$y - half,
      ymax = .data$y + half), fill = colour, na.rm = TRUE)
  }
  ggplot2::ggplot(shown$rows) +
    strip("left", "right", pale, 0.4) +
    strip("region_left", "region_right", ink, 0.25) +
    ggplot2::geom_point(ggplot2::aes(x = .data$at, y = .data$y), colour = orange, size = 1.5, na.rm = TRUE) +
    ggplot2::scale_y_continuous(breaks = shown$ticks$y, labels = shown$ticks$label) +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    panels +
    ggplot2::labs(x = shown$label, y = NULL, title = shown$title, caption = shown$note) +
    picture_theme()
}

field_width_ggplot <- function(object) {
  rows <- picture_field_width_rows(object)
  ggplot2::ggplot(rows, ggplot2::aes(x = .data$depth)) +
    ggplot2::geom_line(ggplot2::aes(y = .data$law), colour = "grey30", linetype = "dashed", na.rm = TRUE) +
    ggplot2::geom_point(ggplot2::aes(y = .data$sd), colour = ink, na.rm = TRUE) +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    ggplot2::expand_limits(y = 0) +
    ggplot2::labs(x = "depth (layers that widen the field)", y = "standard deviation (positions)",
      title = picture_field_title(object), caption = "dashed: the square root of depth") +
    picture_theme()
}

# Rows of two kinds: `sd` at the depth of each layer, and `law`, c sqrt(depth), on a fine grid of depths from 0.
picture_field_width_rows <- function(object) {
  rows <- plain_frame(object)
  if (is.null(rows$dimension)) rows$dimension <- "position"
  parts <- lapply(split(rows, factor(rows$dimension, unique(rows$dimension))), function(part) {
    c <- max(part$sqrt_depth / sqrt(part$depth), -Inf, na.rm = TRUE)
    fine <- seq(0, max(part$depth), length.out = 101)
    light_frame(list(
      depth = c(part$depth, fine), sd = c(part$sd, rep(NA, 101)),
      law = c(rep(NA, nrow(part)), if (is.finite(c)) c * sqrt(fine) else rep(NA_real_, 101)),
      dimension = factor(rep(part$dimension[[1L]], nrow(part) + 101), levels = unique(rows$dimension))
    ))
  })
  rows <- do.call(rbind, parts)
  rownames(rows) <- NULL
  rows
}

#' @rdname autoplot.ca_field
#' @export
plot.ca_field <- function(x, type = c("region", "width"), ...) {
  check_dots(...)
  type <- check_choice(type, c("region", "width"))
  shown <- field_picture(x)
  rows <- if (type == "width") picture_field_width_rows(x) else shown$rows
  parts <- split(rows, rows$dimension)
  widest <- if (type == "width") 4 else min(2 + 0.45 * max(nchar(shown$ticks$label)), 12)
  old <- graphics::par(mfrow = c(1L, length(parts)), mar = c(5.5, widest, 2.5, 1))
  on.exit(graphics::par(old))
  for (name in names(parts)) {
    title <- if (length(parts) > 1L) paste0(name, "s") else shown$title
    if (type == "width") field_width_panel(parts[[name]], title) else field_region_panel(parts[[name]], shown, title)
  }
  invisible(x)
}

field_region_panel <- function(rows, shown, title) {
  graphics::plot.new()
  graphics::plot.window(range(rows$left, rows$right, na.rm = TRUE), range(rows$y) + c(-0.5, 0.5))
  graphics::rect(rows$left, rows$y - 0.4, rows$right, rows$y + 0.4, col = pale, border = NA)
  graphics::rect(rows$region_left, rows$y - 0.25, rows$region_right, rows$y + 0.25, col = ink, border = NA)
  graphics::points(rows$at, rows$y, pch = 16, col = orange)
  graphics::axis(1, picture_whole_breaks(range(rows$left, rows$right, na.rm = TRUE)))
  graphics::axis(2, shown$ticks$y, shown$ticks$label, lwd = 0, lwd.ticks = 1, las = 1, cex.axis = 0.8)
  graphics::title(main = title, xlab = shown$label, font.main = 1)
  graphics::mtext(shown$note, side = 1, line = 4, cex = 0.7, adj = 1)
}

field_width_panel <- function(rows, title) {
  graphics::plot.new()
  graphics::plot.window(c(0, max(rows$depth, 1)), c(0, max(rows$sd, rows$law, 1e-12, na.rm = TRUE)))
  graphics::lines(rows$depth[!is.na(rows$law)], rows$law[!is.na(rows$law)], lty = 2, col = "grey30")
  graphics::points(rows$depth, rows$sd, pch = 16, col = ink)
  graphics::axis(1, picture_whole_breaks(c(0, max(rows$depth, 1))))
  graphics::axis(2, las = 1)
  graphics::title(main = title, xlab = "depth (layers that widen the field)", font.main = 1,
    ylab = "standard deviation (positions)")
  graphics::mtext("dashed: the square root of depth", side = 1, line = 4, cex = 0.7, adj = 1)
}

most_fields <- 60

# Data of a picture of regions: `rows`, a data frame with the ends of the strips of each layer, extended by half a
# position to both sides, in lags on a sequence; `ticks` of the layers (y, label); `label` of the x axis, `title` and
# `note`.
new_field_picture <- function(rows, ticks, label, title, note) {
  list(rows = rows, ticks = ticks, label = label, title = title, note = note)
}

field_picture <- function(object) {
  rows <- plain_frame(object)
  sequence <- attr(object, "input_kind") == "sequence"
  if (sequence) rows$dimension <- "position"
  levels <- levels(rows$layer)
  kept <- unique(round(seq(1, length(levels), length.out = min(length(levels), most_fields))))
  rows <- rows[as.integer(rows$layer) %in% kept, , drop = FALSE]
  place <- if (sequence) function(x) attr(object, "extent") + 1 - x else identity
  side <- if (sequence) -0.5 else 0.5
  few <- unique(round(seq(1, length(kept), length.out = min(length(kept), 20L))))
  new_field_picture(
    rows = light_frame(list(
      left = place(rows$from) - side, right = place(rows$to) + side, region_left = place(rows$region_from) - side,
      region_right = place(rows$region_to) + side, at = place(rows$mean), y = match(as.integer(rows$layer), kept),
      dimension = factor(rows$dimension, levels = unique(rows$dimension))
    )),
    ticks = light_frame(list(y = few, label = levels[kept][few])),
    label = if (sequence) "lag (1 is the newest input)" else "row or column", title = picture_field_title(object),
    note = paste0("pale: theoretical field, blue: window with ", format(100 * attr(object, "level")),
      "% of the capacity, orange: mean")
  )
}

picture_field_title <- function(object) {
  paste0("Effective receptive field, ", attr(object, "output"), " output, method ", attr(object, "method"))
}
