# Pictures of capacities and fits: methods of ggplot2's autoplot(), registered when ggplot2 is loaded, and of plot() in
# base graphics. Both draw the same prepared data, so that they show the same picture.

#' Pictures of capacities and fits
#'
#' `autoplot()` gives a ggplot, `plot()` draws the same with base graphics. Several
#' capacities, put together by `c()`, are drawn one above the other on one scale.
#'
#' In a profile, the height at an input is the effective number of parameters
#' that act on it, and the heights sum to the total capacity. The dashed line is
#' the most a position of a linear network can have, one per output and channel: every dependency
#' on it is then fully modelled. Channels are stacked, and groups of samples (`capacity(by = )`) have a
#' panel each. On a grid the profile is a heat map, a panel
#' for each channel.
#'
#' @param object,x A capacity, several of them (`c(a = , b = )`), or a fit.
#' @param type For a capacity `"profile"` (capacity against lag, position or part) or
#'   `"spectrum"` (singular values of the tangent, the tolerance of the rank drawn
#'   in). For a fit `"loss"` (training loss by iteration) or `"allocation"` (capacity of
#'   each input beside the [task_demand()] of the task; on a grid both as shares of their
#'   largest).
#' @param conf.int Whether a profile has intervals, those of [tidy.ca_capacity()] (not where channels are stacked, nor
#'   on grids).
#' @param ... With `conf.int`: `conf.level`, `over`, `times`, `block_length` and `seed` of [tidy.ca_capacity()].
#'   Otherwise not used.
#' @param sensitivity For a capacity by input, `NULL` or the [sensitivity_profile()] of the same network, drawn below
#' it:
#'   where parameters are spent, and what the output depends on.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @name autoplot.ca_capacity
#' @aliases autoplot
#' @examples
#' dilated <- input_sequence(16)
#' for (d in 2^(0:3)) dilated <- layer_conv(dilated, 1, kernel = 2, dilation = d)
#' recurrent <- input_sequence(16) |> layer_recurrent(3, "diagonal") |> layer_dense(1)
#' a <- capacity(initialise(dilated, seed = 1))
#' b <- capacity(initialise(recurrent, seed = 1))
#' plot(a)
#' plot(c(dilated = a, recurrent = b))
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   ggplot2::autoplot(c(dilated = a, recurrent = b))
#' }
NULL

#' @rdname autoplot.ca_capacity
#' @exportS3Method ggplot2::autoplot
autoplot.ca_capacity <- function(object, type = c("profile", "spectrum"), conf.int = FALSE, ..., sensitivity = NULL) {
  if (!check_flag(conf.int)) check_dots(...)
  type <- check_choice(type, c("profile", "spectrum"))
  if (type == "spectrum") {
    if (conf.int) warn_unused("conf.int", "A spectrum has no intervals.")
    return(capacity_spectrum_ggplot(object))
  }
  if (!is.null(sensitivity)) {
    if (conf.int) warn_unused("conf.int", "The picture with {.arg sensitivity} has no intervals.")
    return(capacity_sensitivity_ggplot(object, sensitivity))
  }
  if (conf.int) {
    object[c("conf.low", "conf.high")] <- tidy.ca_capacity(object, conf.int = TRUE, ...)[c("conf.low", "conf.high")]
  }
  if (is_capacity_grid_profile(object)) return(heat_ggplot(capacity_grid_heat(object)))
  profile_ggplot(object) + ggplot2::labs(title = picture_profile_total_title(object))
}

#' @rdname autoplot.ca_capacity
#' @exportS3Method ggplot2::autoplot
autoplot.ca_capacities <- function(object, ...) {
  check_dots(...)
  if (is_capacity_grid_profile(object)) return(heat_ggplot(capacity_grid_heat(object)))
  profile_ggplot(object) +
    ggplot2::facet_wrap(ggplot2::vars(.data$network), ncol = 1, labeller = capacity_totals_labeller(object))
}

# Titles of the panels, such as "dilated: total 7".
capacity_totals_labeller <- function(object) {
  totals <- attr(object, "totals")
  ggplot2::as_labeller(function(names) paste0(names, ": total ", format(totals[names], digits = 4, trim = TRUE)))
}

# Whether the rows are coordinates of a grid. Parts of its input space have no column `row`.
is_capacity_grid_profile <- function(object) attr(object, "input_kind") == "grid" && !is.null(object$row)

# A heat map with row 1 at the top, as in an image, and one panel for each network and channel.
capacity_grid_heat <- function(object) {
  rows <- plain_frame(object)
  constant <- is.na(rows$position)
  shown <- rows[!constant, , drop = FALSE]
  totals <- attr(object, "totals")
  channel <- if (max(shown$channel) > 1L) paste("channel", shown$channel)
  network <- if (!is.null(totals)) {
    paste0(shown$network, ": total ", format(totals, digits = 4, trim = TRUE)[shown$network])
  }
  panel <- if (is.null(channel)) network else if (is.null(network)) channel else paste(network, channel, sep = ", ")
  tiles <- list(x = shown$column, y = shown$row, value = shown$capacity)
  if (!is.null(panel)) tiles$panel <- factor(panel, levels = unique(panel))
  new_heat(light_frame(tiles), "column", "row", "capacity (effective parameters)",
    square = TRUE, flip_y = TRUE, note = picture_profile_constant_note(rows[constant, , drop = FALSE]),
    title = if (is.null(totals)) picture_profile_total_title(object)
  )
}

capacity_spectrum_ggplot <- function(object) {
  shown <- picture_capacity_spectrum(object)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$index, y = .data$value)) +
    ggplot2::geom_hline(yintercept = shown$tol, colour = grey, linetype = "dashed") +
    ggplot2::geom_point(ggplot2::aes(shape = .data$counted), colour = ink) +
    ggplot2::scale_y_log10() +
    ggplot2::scale_shape_manual(values = c(`TRUE` = 16, `FALSE` = 1), guide = "none") +
    ggplot2::labs(
      x = "index", y = "singular value / largest", title = paste("Rank", shown$rank),
      caption = paste("dashed: the tolerance,", format(shown$tol, digits = 2))
    ) +
    picture_theme()
}

# Returns a list: `rows` with the singular values relative to the largest, `tol` and `rank`. Zeros are drawn at the
# square of the machine epsilon, since the scale is logarithmic.
picture_capacity_spectrum <- function(object) {
  s <- attr(object, "spectrum")
  evidence <- attr(object, "evidence")
  largest <- if (length(s) > 0L && s[[1L]] > 0) s[[1L]] else 1
  relative <- pmax(s / largest, .Machine$double.eps^2)
  list(
    rows = light_frame(list(
      index = seq_along(s), value = relative, counted = factor(seq_along(s) <= evidence$rank)
    )),
    tol = evidence$tol, rank = evidence$rank
  )
}

#' @rdname autoplot.ca_capacity
#' @exportS3Method ggplot2::autoplot
autoplot.ca_fit <- function(object, type = c("loss", "allocation"), ...) {
  check_dots(...)
  type <- check_choice(type, c("loss", "allocation"))
  if (type == "allocation") return(profile_allocation_ggplot(object))
  rows <- picture_capacity_history(object)
  ggplot2::ggplot(rows, ggplot2::aes(
    x = .data$iteration, y = .data$excess, group = paste(.data$restart, .data$set), linetype = .data$set
  )) +
    ggplot2::geom_line(colour = ink) +
    ggplot2::scale_linetype_manual(NULL,
      values = c(train = "solid", validation = "dashed"),
      guide = if (any(rows$set == "validation")) "legend" else "none"
    ) +
    ggplot2::scale_y_log10() +
    ggplot2::labs(
      x = "iteration", y = "loss above the lowest",
      title = if (object$converged) "Converged" else paste("Not converged:", object$outcome)
    ) +
    picture_theme()
}

# Losses above the lowest one. The lowest itself is left out, since the scale is logarithmic.
picture_capacity_history <- function(object) {
  rows <- object$history
  rows$excess <- rows$loss - min(rows$loss)
  rows[rows$excess > 0, , drop = FALSE]
}

#' @rdname autoplot.ca_capacity
#' @export
plot.ca_capacity <- function(x, type = c("profile", "spectrum"), ...) {
  check_dots(...)
  type <- check_choice(type, c("profile", "spectrum"))
  if (type == "spectrum") {
    shown <- picture_capacity_spectrum(x)
    plot(shown$rows$index, shown$rows$value,
      log = "y", col = ink, pch = ifelse(shown$rows$counted == "TRUE", 16, 1),
      xlab = "index", ylab = "singular value / largest", main = paste("Rank", shown$rank)
    )
    graphics::abline(h = shown$tol, lty = 2, col = grey)
  } else if (is_capacity_grid_profile(x)) {
    heat_plot(capacity_grid_heat(x))
  } else {
    base_profile(picture_profile_data(x), picture_profile_total_title(x))
  }
  invisible(x)
}

#' @rdname autoplot.ca_capacity
#' @export
plot.ca_capacities <- function(x, ...) {
  check_dots(...)
  if (is_capacity_grid_profile(x)) {
    heat_plot(capacity_grid_heat(x))
    return(invisible(x))
  }
  shown <- picture_profile_data(x)
  totals <- attr(x, "totals")
  old <- graphics::par(mfrow = c(length(totals), 1L), mar = c(5, 4, 2, 1))
  on.exit(graphics::par(old))
  panels <- split(shown$rows, shown$rows$network)
  highest <- max(vapply(panels, function(rows) max(picture_profile_stacked(rows, shown$x)), 0), shown$most)
  for (name in names(totals)) {
    panel <- shown
    panel$rows <- panels[[name]]
    base_profile(panel, paste0(name, ": total ", format(totals[[name]], digits = 4)), highest)
  }
  invisible(x)
}

#' @rdname autoplot.ca_capacity
#' @export
plot.ca_fit <- function(x, type = c("loss", "allocation"), ...) {
  check_dots(...)
  type <- check_choice(type, c("loss", "allocation"))
  if (type == "allocation") {
    profile_allocation_plot(x)
    return(invisible(x))
  }
  rows <- picture_capacity_history(x)
  any <- nrow(rows) > 0L
  plot(
    if (any) range(rows$iteration) else 0:1, if (any) range(rows$excess) else c(0.1, 1),
    log = "y", type = "n", xlab = "iteration", ylab = "loss above the lowest", bty = "n",
    main = if (x$converged) "Converged" else paste("Not converged:", x$outcome), font.main = 1
  )
  for (run in split(rows, paste(rows$restart, rows$set))) {
    graphics::lines(run$iteration, run$excess, col = ink, lty = if (run$set[[1L]] == "train") 1 else 2)
  }
  invisible(x)
}
