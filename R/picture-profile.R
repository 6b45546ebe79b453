# Profiles: bars of capacity by input, and of capacity beside demand.

# Data of the picture of a profile: `rows`, the column `x` of them for the axis, its `label`, a `note` or NULL, and
# `most`, the bound on the capacity of a position of a linear network, summed over channels (NULL for parts, which have
# no such bound, and for nonlinear networks).
new_profile_picture <- function(rows, x, label, note, most) {
  list(rows = rows, x = x, label = label, note = note, most = most)
}

# The constant is not drawn; the note states its capacity. Inputs of a vector that have names are labelled by name,
# unless `named` is FALSE.
picture_profile_data <- function(object, named = TRUE) {
  rows <- plain_frame(object)
  if (!is.null(rows$part)) {
    return(new_profile_picture(rows, "part", "part of the input space", note = NULL, most = NULL))
  }
  constant <- is.na(rows$position)
  # a sequence beside a vector, which has no lags, is drawn by position
  x <- if (attr(object, "input_kind") == "sequence" && !anyNA(rows$lag[!constant])) "lag" else "position"
  shown <- rows[!constant, , drop = FALSE]
  if (named && attr(object, "input_kind") == "vector" && !all(startsWith(shown$input, "x["))) {
    x <- "input"
    shown$input <- factor(shown$input, levels = unique(shown$input))
  }
  new_profile_picture(
    rows = shown, x = x, note = picture_profile_constant_note(rows[constant, , drop = FALSE]),
    label = if (x == "lag") "lag (1 is the newest input)" else "input",
    most = if (!isFALSE(attr(object, "linear"))) attr(object, "n_outputs") * max(rows$channel, 1, na.rm = TRUE)
  )
}

picture_profile_constant_note <- function(rows) {
  if (nrow(rows) == 0L) return(NULL)
  of <- if (is.null(rows$network)) rows$group else rows$network
  what <- if (is.null(of)) "" else paste0(of, " ")
  paste0("not drawn: (Intercept) ", paste0(what, format(rows$capacity, digits = 2), collapse = ", "))
}

# Height of each stack of bars: capacity of each x, summed over channels, in order of appearance.
picture_profile_stacked <- function(rows, x) {
  height <- tapply(rows$capacity, factor(rows[[x]], unique(rows[[x]])), sum)
  as.double(height)
}

picture_profile_total_title <- function(object) paste("Total capacity", format(attr(object, "total"), digits = 4))

profile_allocation_ggplot <- function(object) {
  shown <- picture_profile_allocation_data(object)
  if (object$network$input$kind == "grid") return(heat_ggplot(shown))
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, y = .data$height, fill = .data$panel)) +
    ggplot2::geom_col(width = 0.9) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), ncol = 1, scales = "free_y") +
    ggplot2::scale_fill_manual(values = c(ink, orange), guide = "none") +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    ggplot2::labs(x = shown$label, y = NULL, caption = shown$note, title = shown$title) +
    picture_theme()
}

profile_allocation_plot <- function(object) {
  shown <- picture_profile_allocation_data(object)
  if (object$network$input$kind == "grid") return(heat_plot(shown))
  old <- graphics::par(mfrow = c(2L, 1L), mar = c(2.5, 4, 2, 1), oma = c(3, 0, 0, 0))
  on.exit(graphics::par(old))
  panels <- split(shown$rows, shown$rows$panel)
  for (i in 1:2) {
    x <- panels[[i]]$x
    plot(x, panels[[i]]$height,
      type = "h", lwd = 3, lend = 1, col = c(ink, orange)[[i]], bty = "n", xaxt = "n", xlab = "",
      ylab = c("capacity", "demand")[[i]], ylim = c(0, picture_profile_highest(panels[[i]]$height)),
      main = if (i == 1L) shown$title, font.main = 1
    )
    graphics::axis(1, picture_whole_breaks(range(x)))
  }
  graphics::mtext(shown$label, side = 1, line = 0.5, outer = TRUE)
  graphics::mtext(shown$note, side = 1, line = 1.7, outer = TRUE, cex = 0.8)
}

#' @importFrom rlang .data
profile_ggplot <- function(object) {
  shown <- picture_profile_data(object)
  discrete <- is.factor(shown$rows[[shown$x]])
  width <- if (discrete) 0.7 else 0.9
  channels <- length(unique(shown$rows$channel))
  columns <- if (channels > 1L) {
    ggplot2::geom_col(ggplot2::aes(fill = factor(.data$channel)), width = width)
  } else {
    ggplot2::geom_col(fill = ink, width = width)
  }
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data[[shown$x]], y = .data$capacity)) +
    ggplot2::geom_hline(yintercept = shown$most, colour = grey, linetype = "dashed") +
    columns +
    (if (channels <= 1L && !is.null(shown$rows$conf.low)) {
      ggplot2::geom_linerange(ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high), colour = orange)
    }) +
    (if (channels > 1L) ggplot2::scale_fill_manual("channel", values = rep_len(palette, channels))) +
    (if (!is.null(shown$rows$group)) ggplot2::facet_wrap(ggplot2::vars(.data$group))) +
    (if (discrete) ggplot2::scale_x_discrete(guide = ggplot2::guide_axis(check.overlap = TRUE)) else
      ggplot2::scale_x_continuous(breaks = picture_whole_breaks)) +
    ggplot2::labs(x = shown$label, y = "capacity (effective parameters)", caption = shown$note) +
    picture_theme()
}

base_profile <- function(shown, title, highest = max(picture_profile_stacked(shown$rows, shown$x), shown$most)) {
  x <- unique(shown$rows[[shown$x]])
  at <- if (is.factor(x)) as.integer(x) else x
  plot(at, picture_profile_stacked(shown$rows, shown$x),
    type = "h", lwd = if (is.factor(x)) max(2, min(12, 240 / length(x))) else 3, lend = 1, col = ink,
    ylim = c(0, if (highest > 0) highest else 1), bty = "n", xaxt = "n", xlab = shown$label, ylab = "capacity",
    main = title, sub = shown$note, font.main = 1
  )
  if (is.factor(x)) graphics::axis(1, at, as.character(x)) else graphics::axis(1, picture_whole_breaks(range(at)))
  if (!is.null(shown$most)) graphics::abline(h = shown$most, lty = 2, col = grey)
}

picture_profile_highest <- function(heights) if (max(heights) > 0) max(heights) else 1

# On a sequence or vector, returns a list: `rows`, a data frame with the columns x, height and panel (capacity above,
# demand below, each in its own unit), `label`, `note` and `title`. On a grid, returns a heat map of shares of the
# largest.
picture_profile_allocation_data <- function(object) {
  input <- object$network$input
  allocated <- capacity(object)
  # positions are those of the network's input: it may be a sequence or a grid where the task has a vector
  demanded <- light_frame(c(as.list(input_frame(input)), list(demand = task_demand(object$task)$demand)))
  if (input$kind == "grid") return(profile_beside_heat(allocated, demanded))
  shown <- picture_profile_data(allocated, named = FALSE)
  demand <- picture_profile_demand_data(demanded)
  heights <- picture_profile_stacked(shown$rows, shown$x)
  panels <- c("capacity (effective parameters)", demand_label)
  list(
    rows = light_frame(list(
      x = c(unique(shown$rows[[shown$x]]), demand$rows$x), height = c(heights, demand$rows$demand),
      panel = factor(rep(panels, c(length(heights), nrow(demand$rows))), levels = panels)
    )),
    label = shown$label, note = shown$note, title = picture_profile_total_title(allocated)
  )
}

profile_beside_heat <- function(allocated, demanded) {
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
    note = picture_profile_constant_note(plain_frame(allocated)[is.na(allocated$position), , drop = FALSE]),
    title = picture_profile_total_title(allocated))
}

# Returns a list: `rows` (x, demand), one for each position, summed over channels, and `label` of the axis.
picture_profile_demand_data <- function(object) {
  rows <- plain_frame(object)
  lag <- !anyNA(rows$lag)
  x <- if (lag) rows$lag else rows$position
  sums <- tapply(rows$demand, factor(x, unique(x)), sum)
  list(
    rows = light_frame(list(x = unique(x), demand = as.double(sums))),
    label = if (lag) "lag (1 is the newest input)" else "input"
  )
}

demand_label <- "demand (rise of the best loss)"
