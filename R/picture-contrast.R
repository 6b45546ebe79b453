# Pictures of contrasts: intervals, and diagrams of critical differences. The same data are drawn by ggplot2 and by base
# graphics.

#' Pictures of contrasts
#'
#' @param object,x A contrast, from [contrast_architectures()].
#' @param type `"interval"`: the estimates and their intervals, a row per pair and a panel per task, filled where the
#'   adjusted p-value (for `"bayes"` the larger posterior probability of a difference beyond the region of practical
#'   equivalence, which is shaded) reaches the level. `"cd"`: for Friedman's test, the critical-difference diagram:
#'   architectures at their mean ranks, the best on the left; a bar joins those whose mean ranks differ by less than
#'   the critical difference (against a control, it spans the control's mean rank +- that difference). It is drawn,
#'   with a note, also where the global test finds no difference. `NULL` means `"cd"` for Friedman's test over all
#'   tasks, `"interval"` otherwise.
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @references Demsar (2006), Statistical comparisons of classifiers over multiple data sets, Journal of Machine
#'   Learning Research 7, 1-30, for the diagram.
#' @examples
#' nets <- list(dense = arch_dense(16), dilated = arch_dilated(16), conv = arch_conv(16, 2, 3))
#' cmp <- compare_architectures(nets, classical_tasks(16), replicates = 2, n_obs = 200)
#' ranked <- contrast_architectures(cmp, test = "friedman")
#' plot(ranked)
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   ggplot2::autoplot(ranked)
#'   ggplot2::autoplot(contrast_architectures(cmp))
#' }
#' @name autoplot.ca_contrast
NULL

#' @rdname autoplot.ca_contrast
#' @exportS3Method ggplot2::autoplot
autoplot.ca_contrast <- function(object, type = NULL, ...) {
  check_dots(...)
  if (picture_contrast_type(object, type) == "cd") return(contrast_cd_ggplot(picture_contrast_cd_data(object)))
  contrast_interval_ggplot(picture_contrast_intervals(object))
}

#' @rdname autoplot.ca_contrast
#' @export
plot.ca_contrast <- function(x, type = NULL, ...) {
  check_dots(...)
  is_cd <- picture_contrast_type(x, type) == "cd"
  if (is_cd) contrast_cd_plot(picture_contrast_cd_data(x)) else contrast_interval_plot(picture_contrast_intervals(x))
  invisible(x)
}

picture_contrast_type <- function(object, type, call = rlang::caller_env()) {
  ranked <- attr(object, "setting")$test == "friedman"
  one <- length(attr(object, "tasks")) == 1L
  if (is.null(type)) return(if (ranked && one) "cd" else "interval")
  type <- check_choice(type, c("interval", "cd"), arg = "type", call = call)
  if (type == "interval" || (ranked && one)) return(type)
  abort(c(
    "{.arg type} can be {.val cd} only for one Friedman test over all tasks.",
    i = "{.code contrast_architectures(cmp, test = \"friedman\")} makes one."
  ), "value", call = call)
}

# ---- intervals ----------------------------------------------------------------------------------------

# Data of a picture of intervals: `rows`, a data frame with the columns pair, estimate, low, high, found (whether a
# difference was found at the level of the test) and optionally panel; the texts `xlab`, `title`, `subtitle` and `note`;
# and `rope`, half the width of the region of practical equivalence, or NULL.
new_contrast_interval_picture <- function(rows, xlab, title, subtitle, note, rope) {
  list(rows = rows, xlab = xlab, title = title, subtitle = subtitle, note = note, rope = rope)
}

picture_contrast_intervals <- function(object) {
  setting <- attr(object, "setting")
  rows <- plain_frame(object)
  pair <- paste(rows$group1, "-", rows$group2)
  sure <- if (setting$test == "bayes") pmax(rows$prob_less, rows$prob_greater) >= setting$level else
    rows$adj.p.value <= 1 - setting$level
  shown <- list(
    pair = factor(pair, levels = rev(unique(pair))), estimate = rows$estimate, low = rows$conf.low,
    high = rows$conf.high, found = factor(!is.na(sure) & sure, levels = c(FALSE, TRUE))
  )
  if (!is.null(rows$task)) shown$panel <- factor(rows$task, levels = unique(rows$task))
  what <- if (setting$test == "friedman") "difference of mean ranks" else paste("difference of", attr(object, "metric"))
  new_contrast_interval_picture(
    rows = light_frame(shown)[!is.na(rows$estimate), , drop = FALSE], xlab = what,
    title = metric_text(attr(object, "metric"), setting$direction),
    subtitle = sub("^.*?: ", "", contrast_headline(object), perl = TRUE),
    rope = if (setting$test == "bayes") setting$rope,
    note = paste0(picture_contrast_interval_note(setting),
      if (any(!is.na(rows$reason))) "; points without interval have no test")
  )
}

picture_contrast_interval_note <- function(setting) {
  if (setting$test == "bayes") {
    return(paste0(100 * setting$level, "% posterior intervals; filled: P(beyond the rope) at least ", setting$level))
  }
  paste0(100 * setting$level, "% intervals", if (setting$test != "friedman") ", each by itself",
    "; filled: adjusted p at most ", format(1 - setting$level), " (", setting$adjust, ")")
}

contrast_interval_ggplot <- function(shown) {
  rows <- shown$rows
  has <- rows[!is.na(rows$low), , drop = FALSE]
  ggplot2::ggplot(rows, ggplot2::aes(x = .data$estimate, y = .data$pair)) +
    (if (!is.null(shown$rope) && shown$rope > 0) {
      ggplot2::annotate("rect",
        xmin = -shown$rope, xmax = shown$rope, ymin = -Inf, ymax = Inf, fill = pale, alpha = 0.4
      )
    }) +
    ggplot2::geom_vline(xintercept = 0, colour = grey, linetype = "dashed") +
    ggplot2::geom_segment(
      ggplot2::aes(x = .data$low, xend = .data$high, yend = .data$pair), data = has, colour = ink, linewidth = 0.7
    ) +
    ggplot2::geom_point(ggplot2::aes(shape = .data$found), colour = ink, fill = "white", size = 2.5) +
    ggplot2::scale_shape_manual(values = c(`FALSE` = 21, `TRUE` = 16), guide = "none") +
    (if (!is.null(rows$panel)) ggplot2::facet_wrap(ggplot2::vars(.data$panel), scales = "free_x")) +
    ggplot2::labs(x = shown$xlab, y = NULL, title = shown$title, subtitle = shown$subtitle, caption = shown$note) +
    picture_theme()
}

contrast_interval_plot <- function(shown) {
  panels <- if (is.null(shown$rows$panel)) list(shown$rows) else split(shown$rows, shown$rows$panel)
  columns <- ceiling(sqrt(length(panels)))
  widest <- max(nchar(levels(shown$rows$pair)))
  old <- graphics::par(
    mfrow = c(ceiling(length(panels) / columns), columns), oma = c(1.5, 0, 1.5, 0),
    mar = c(4, min(2 + 0.5 * widest, 14), 2, 1)
  )
  on.exit(graphics::par(old))
  for (i in seq_along(panels)) contrast_interval_panel(shown, panels[[i]], names(panels)[i])
  graphics::mtext(paste0(shown$title, ": ", shown$subtitle), side = 3, outer = TRUE)
  graphics::mtext(shown$note, side = 1, outer = TRUE, cex = 0.7)
}

contrast_interval_panel <- function(shown, rows, title) {
  y <- as.integer(rows$pair)
  ends <- c(rows$estimate, rows$low, rows$high, 0)
  plot(rows$estimate, y,
    xlim = range(ends[is.finite(ends)]), ylim = c(0.5, nlevels(rows$pair) + 0.5), type = "n", yaxt = "n", bty = "n",
    xlab = shown$xlab, ylab = "", main = title, font.main = 1
  )
  graphics::abline(v = c(0, if (!is.null(shown$rope)) c(-1, 1) * shown$rope), lty = 2, col = grey)
  graphics::axis(2, seq_len(nlevels(rows$pair)), levels(rows$pair), las = 1, lwd = 0)
  graphics::segments(rows$low, y, rows$high, y, col = ink)
  graphics::points(rows$estimate, y, pch = ifelse(rows$found == "TRUE", 16, 21), col = ink, bg = "white")
}

# ---- critical differences -----------------------------------------------------------------------------

# Data of a diagram of critical differences: `lines`, a data frame with the columns x, y, xend, yend and width;
# `texts` with x, y, label and side (horizontal justification: 0 begins at x, 1 ends at x); `limits`, a list of those of
# x and y; `title` and `note`.
new_contrast_cd_picture <- function(lines, texts, limits, title, note) {
  list(lines = lines, texts = texts, limits = limits, title = title, note = note)
}

# The axis of mean ranks is at y = 0, the best rank on the left. The bars are below it. A line leads down from each mean
# rank to the name of its network; the names of the better half are on the left.
picture_contrast_cd_data <- function(object) {
  setting <- attr(object, "setting")
  ranks <- sort(attr(object, "ranks")[[1L]])
  global <- attr(object, "global")[[1L]]
  cd <- global$critical_difference
  k <- length(ranks)
  bars <- picture_contrast_cd_bars(ranks, cd, setting$control)
  depth <- 0.5 + 0.35 * nrow(bars) # below the bars
  left <- seq_len(ceiling(k / 2))
  level <- -(depth + ifelse(seq_along(ranks) %in% left, seq_along(ranks), rev(seq_along(ranks))) * 0.6)
  margin <- (k - 1) * 0.06
  edge <- ifelse(seq_along(ranks) %in% left, 1 - margin, k + margin)
  side <- ifelse(seq_along(ranks) %in% left, 1, 0)
  ticks <- seq_len(k)
  lines <- rbind(
    data.frame(x = 1, y = 0, xend = k, yend = 0, width = 1),
    data.frame(x = ticks, y = 0, xend = ticks, yend = 0.15, width = 1),
    data.frame(x = ranks, y = 0, xend = ranks, yend = level, width = 1),
    data.frame(x = ranks, y = level, xend = edge, yend = level, width = 1),
    if (nrow(bars) > 0L) {
      at <- -(0.1 + 0.35 * seq_len(nrow(bars)))
      data.frame(x = bars$from, y = at, xend = bars$to, yend = at, width = 4)
    },
    if (!is.na(cd)) {
      rbind(
        data.frame(x = 1, y = 1.1, xend = 1 + cd, yend = 1.1, width = 1),
        data.frame(x = c(1, 1 + cd), y = 1, xend = c(1, 1 + cd), yend = 1.2, width = 1)
      )
    }
  )
  texts <- rbind(
    data.frame(x = edge + ifelse(side == 1, -1, 1) * margin / 3, y = level,
      label = paste0(names(ranks), " (", format(round(ranks, 2)), ")"), side = side),
    data.frame(x = ticks, y = 0.45, label = as.character(ticks), side = 0.5),
    if (!is.na(cd)) data.frame(x = 1 + cd / 2, y = 1.5, label = paste("CD =", format(cd, digits = 3)), side = 0.5)
  )
  room <- (k - 1) * (0.1 + 0.028 * max(nchar(texts$label)))
  new_contrast_cd_picture(
    lines = light_frame(as.list(lines)), texts = light_frame(as.list(texts)),
    limits = list(x = c(1 - room, max(k + room, 1 + if (is.na(cd)) 0 else cd)), y = c(min(level) - 0.3, 1.8)),
    title = paste0("Mean ranks of ", metric_text(attr(object, "metric"), setting$direction), " over ",
      format_count(global$n, attr(object, "of"))),
    note = picture_contrast_cd_note(setting, global)
  )
}

# Data frame with the ends of each bar, `from` and `to`: groups of ranks that do not differ, or the ranks within the
# critical difference of the control.
picture_contrast_cd_bars <- function(ranks, cd, control) {
  if (is.na(cd)) return(friedman_cliques(ranks, 0))
  if (is.null(control)) return(friedman_cliques(ranks, cd))
  at <- ranks[[control]]
  light_frame(list(from = max(1, at - cd), to = min(length(ranks), at + cd)))
}

picture_contrast_cd_note <- function(setting, global) {
  if (!is.na(global$reason)) return(paste("no test:", global$reason))
  paste0(
    if (is.null(setting$control)) "joined: not significantly different" else
      paste0("outside the bar: significantly different from ", setting$control),
    " (", if (setting$adjust == "nemenyi") "Nemenyi" else "Bonferroni-Dunn", ", ", format(1 - setting$level), "); ",
    if (global$p.value <= 1 - setting$level) "Friedman's test: p " else "Friedman's test shows no difference: p ",
    format_p(global$p.value)
  )
}

contrast_cd_ggplot <- function(shown) {
  ggplot2::ggplot(shown$lines) +
    ggplot2::geom_segment(
      ggplot2::aes(x = .data$x, y = .data$y, xend = .data$xend, yend = .data$yend),
      linewidth = shown$lines$width * 0.5, colour = ifelse(shown$lines$width > 1, ink, "black")
    ) +
    ggplot2::geom_text(ggplot2::aes(x = .data$x, y = .data$y, label = .data$label, hjust = .data$side),
      data = shown$texts, size = 3.5) +
    ggplot2::coord_cartesian(xlim = shown$limits$x, ylim = shown$limits$y) +
    ggplot2::labs(title = shown$title, caption = shown$note) +
    picture_theme() +
    ggplot2::theme(
      panel.grid = ggplot2::element_blank(), axis.text = ggplot2::element_blank(), axis.title = ggplot2::element_blank()
    )
}

contrast_cd_plot <- function(shown) {
  old <- graphics::par(mar = c(3, 1, 3, 1))
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::plot.window(shown$limits$x, shown$limits$y)
  graphics::segments(shown$lines$x, shown$lines$y, shown$lines$xend, shown$lines$yend,
    lwd = shown$lines$width, lend = 1, col = ifelse(shown$lines$width > 1, ink, "black"))
  for (side in unique(shown$texts$side)) {
    texts <- shown$texts[shown$texts$side == side, , drop = FALSE]
    graphics::text(texts$x, texts$y, texts$label, adj = c(side, 0.5))
  }
  graphics::title(main = shown$title, font.main = 1)
  graphics::mtext(shown$note, side = 1, cex = 0.8)
}
