# Pictures of capacity differences.

#' Pictures of capacity differences
#'
#' The difference of two profiles by lag or position: a panel per task (and channel), the
#' simultaneous band pale and the pointwise one darker. On a grid a heat map per task and channel, without bands.
#'
#' @param object,x A difference, from [capacity_difference()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' nets <- list(dilated = arch_dilated(16), conv = arch_conv(16, 2, 3))
#' cmp <- compare_architectures(nets, classical_tasks(16)["fgn"], replicates = 6, n_obs = 200)
#' plot(capacity_difference(cmp, seed = 1))
#' @name autoplot.ca_difference
NULL

#' @rdname autoplot.ca_difference
#' @exportS3Method ggplot2::autoplot
autoplot.ca_difference <- function(object, ...) {
  check_dots(...)
  if (is_picture_difference_grid(object)) return(heat_ggplot(difference_heat(object)))
  shown <- picture_difference_data(object)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, y = .data$estimate)) +
    ggplot2::geom_ribbon(ggplot2::aes(ymin = .data$band.low, ymax = .data$band.high), fill = pale, alpha = 0.45,
      na.rm = TRUE) +
    ggplot2::geom_ribbon(ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high), fill = pale, na.rm = TRUE) +
    ggplot2::geom_hline(yintercept = 0, colour = grey, linetype = "dashed") +
    ggplot2::geom_line(colour = ink) +
    ggplot2::geom_point(colour = ink, size = 0.8) +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    (if (nlevels(shown$rows$panel) > 1L) ggplot2::facet_wrap(ggplot2::vars(.data$panel))) +
    ggplot2::labs(x = shown$label, y = shown$what, title = shown$title, caption = shown$note) +
    picture_theme()
}

#' @rdname autoplot.ca_difference
#' @export
plot.ca_difference <- function(x, ...) {
  check_dots(...)
  if (is_picture_difference_grid(x)) {
    heat_plot(difference_heat(x))
    return(invisible(x))
  }
  shown <- picture_difference_data(x)
  panels <- split(shown$rows, shown$rows$panel)
  columns <- ceiling(sqrt(length(panels)))
  old <- graphics::par(
    mfrow = c(ceiling(length(panels) / columns), columns), mar = c(4, 4, 2, 1), oma = c(1.5, 0, 1.5, 0)
  )
  on.exit(graphics::par(old))
  ends <- unlist(shown$rows[c("estimate", "band.low", "band.high")])
  for (name in names(panels)) {
    difference_panel(panels[[name]], shown, range(ends[is.finite(ends)], 0), if (length(panels) > 1L) name)
  }
  graphics::mtext(shown$title, side = 3, outer = TRUE)
  graphics::mtext(shown$note, side = 1, outer = TRUE, cex = 0.7)
  invisible(x)
}

difference_panel <- function(rows, shown, ylim, title) {
  rows <- rows[order(rows$x), , drop = FALSE]
  plot(rows$x, rows$estimate, type = "n", ylim = ylim, bty = "n", xaxt = "n", xlab = shown$label, ylab = shown$what,
    main = title, font.main = 1)
  graphics::axis(1, picture_whole_breaks(range(rows$x)))
  band <- function(low, high, colour) {
    if (!anyNA(low)) graphics::polygon(c(rows$x, rev(rows$x)), c(low, rev(high)), col = colour, border = NA)
  }
  band(rows$band.low, rows$band.high, grDevices::adjustcolor(pale, 0.45))
  band(rows$conf.low, rows$conf.high, pale)
  graphics::abline(h = 0, lty = 2, col = grey)
  graphics::lines(rows$x, rows$estimate, col = ink)
}

is_picture_difference_grid <- function(object) attr(object, "input_kind") == "grid"

# Data of the picture of a difference: `rows` with the columns x and panel, `label` of the x axis, `what` of the y
# axis, `title` and `note`.
new_difference_picture <- function(rows, label, what, title, note) {
  list(rows = rows, label = label, what = what, title = title, note = note)
}

picture_difference_data <- function(object) {
  rows <- plain_frame(object)
  constant <- is.na(rows$position)
  channels <- length(unique(rows$channel[!constant]))
  rows <- rows[!constant, , drop = FALSE]
  lag <- !anyNA(rows$lag)
  panel <- if (channels > 1L) paste0(rows$task, ", channel ", rows$channel) else rows$task
  rows$x <- if (lag) rows$lag else rows$position
  rows$panel <- factor(panel, levels = unique(panel))
  new_difference_picture(
    rows = rows, label = if (lag) "lag (1 is the newest input)" else "input",
    what = if (attr(object, "setting")$share) "difference of shares" else "difference of capacity",
    title = paste(attr(object, "two"), collapse = " - "),
    note = paste0(difference_note(object), if (any(constant)) "; (Intercept) is not drawn")
  )
}

difference_heat <- function(object) {
  rows <- plain_frame(object)
  constant <- is.na(rows$position)
  rows <- rows[!constant, , drop = FALSE]
  panel <- if (max(rows$channel) > 1L) paste0(rows$task, ", channel ", rows$channel) else rows$task
  tiles <- list(x = rows$column, y = rows$row, value = rows$estimate)
  if (length(unique(panel)) > 1L) tiles$panel <- factor(panel, levels = unique(panel))
  new_heat(light_frame(tiles), "column", "row", "difference of capacity", signed = TRUE, square = TRUE, flip_y = TRUE,
    note = if (any(constant)) "(Intercept) is not drawn", title = paste(attr(object, "two"), collapse = " - "))
}
