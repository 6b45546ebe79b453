# Pictures of ranks: a table of architectures by tasks, coloured by rank, with the mean of the metric in each cell.

#' Pictures of ranks
#'
#' A row per architecture, the best mean rank on top, and a column per task, shaded by rank (the darker the better),
#' each mean written in; the mean ranks stand on the right.
#'
#' @param object,x Ranks, from [rank_results()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' cmp <- compare_architectures(
#'   list(dense = arch_dense(16), dilated = arch_dilated(16)), classical_tasks(16), replicates = 2
#' )
#' plot(rank_results(cmp))
#' @name autoplot.ca_ranks
NULL

#' @rdname autoplot.ca_ranks
#' @exportS3Method ggplot2::autoplot
autoplot.ca_ranks <- function(object, ...) {
  check_dots(...)
  shown <- picture_ranks_data(object)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, y = .data$y)) +
    ggplot2::geom_tile(ggplot2::aes(fill = .data$rank), width = 0.96, height = 0.92, na.rm = TRUE) +
    ggplot2::geom_text(ggplot2::aes(label = .data$label), colour = shown$rows$ink, size = 3) +
    ggplot2::scale_fill_gradientn("rank", colours = rank_shades, limits = c(1, max(shown$worst, 2)), na.value = "white",
      breaks = seq_len(max(shown$worst, 2)), guide = ggplot2::guide_colourbar(barwidth = 10, barheight = 0.6)) +
    ggplot2::scale_x_discrete(limits = levels(shown$rows$x), position = "top", expand = c(0, 0)) +
    ggplot2::scale_y_discrete(limits = levels(shown$rows$y), expand = c(0, 0)) +
    ggplot2::labs(x = NULL, y = NULL, title = shown$title, caption = shown$note) +
    picture_theme() +
    ggplot2::theme(panel.grid = ggplot2::element_blank())
}

#' @rdname autoplot.ca_ranks
#' @export
plot.ca_ranks <- function(x, ...) {
  check_dots(...)
  shown <- picture_ranks_data(x)
  rows <- shown$rows
  old <- graphics::par(mar = c(2, min(2 + 0.5 * max(nchar(levels(rows$y))), 12), 4, 1))
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::plot.window(c(0.5, nlevels(rows$x) + 0.5), c(0.5, nlevels(rows$y) + 0.5), xaxs = "i", yaxs = "i")
  at_x <- as.integer(rows$x)
  at_y <- as.integer(rows$y)
  shade <- 1 + round(100 * (rows$rank - 1) / max(shown$worst - 1, 1))
  colours <- grDevices::colorRampPalette(rank_shades)(101)[shade]
  graphics::rect(at_x - 0.48, at_y - 0.46, at_x + 0.48, at_y + 0.46, col = colours, border = NA)
  graphics::text(at_x, at_y, rows$label, col = rows$ink, cex = 0.8)
  graphics::axis(3, seq_len(nlevels(rows$x)), levels(rows$x), lwd = 0)
  graphics::axis(2, seq_len(nlevels(rows$y)), levels(rows$y), lwd = 0, las = 1)
  graphics::title(main = shown$title, font.main = 1, line = 2.5)
  graphics::mtext(shown$note, side = 1, cex = 0.8, line = 0.5)
  invisible(x)
}

rank_shades <- c("#0072B2", "#A6D5F2", "#FFFFFF") # from the best rank to the worst

# Returns a list: `rows`, a data frame with the columns x (task, or "mean rank"), y (network), rank, label and ink (the
# colour of the label); `worst`, the number of networks; `title` and `note`.
picture_ranks_data <- function(object) {
  rows <- plain_frame(object)
  networks <- unique(rows$network)
  k <- length(networks)
  means <- rows$mean_rank[match(networks, rows$network)]
  tasks <- attr(object, "tasks")
  label <- format_with_interval(rows$mean, NA, NA)
  columns <- c(tasks, "mean rank")
  list(
    rows = light_frame(list(
      x = factor(c(rows$task, rep("mean rank", k)), levels = columns),
      y = factor(c(rows$network, networks), levels = rev(networks)),
      rank = c(rows$rank, rep(NA, k)), label = c(label, format_rank(means)),
      ink = c(ifelse(!is.na(rows$rank) & rows$rank < 1 + (k - 1) / 4, "white", "black"), rep("black", k))
    )),
    worst = k, title = paste("Ranks of", metric_text(rows$metric[[1L]], attr(object, "direction"))),
    note = "written: means over replicates"
  )
}
