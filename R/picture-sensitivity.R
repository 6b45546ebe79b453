# Pictures of sensitivities: bars of the root mean square of the derivative by input, points at its mean.

#' Pictures of sensitivities
#'
#' Bars are the root mean square of the derivative of an output with respect to each input, points its mean: where they
#' differ, the derivative changes its sign or its size over the rows. Outputs have a panel each.
#'
#' @param object,x A result of [sensitivity_profile()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @name autoplot.ca_sensitivity
#' @examples
#' net <- input_vector(3) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(1)
#' profile <- sensitivity_profile(initialise(net, seed = 1), data = diag(3))
#' plot(profile)
NULL

#' @rdname autoplot.ca_sensitivity
#' @exportS3Method ggplot2::autoplot
autoplot.ca_sensitivity <- function(object, ...) {
  check_dots(...)
  shown <- picture_sensitivity_data(object)
  dodge <- ggplot2::position_dodge(0.9)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, group = .data$channel)) +
    ggplot2::geom_hline(yintercept = 0, colour = grey) +
    ggplot2::geom_col(ggplot2::aes(y = .data$rms, fill = .data$channel), width = 0.9, position = dodge) +
    ggplot2::geom_point(ggplot2::aes(y = .data$mean), colour = orange, size = 1.2, position = dodge) +
    ggplot2::scale_fill_manual("channel", values = rep_len(palette, nlevels(shown$rows$channel)),
      guide = if (nlevels(shown$rows$channel) > 1L) "legend" else "none") +
    (if (shown$outputs > 1L) ggplot2::facet_wrap(ggplot2::vars(.data$output), ncol = 1L)) +
    (if (is.factor(shown$rows$x)) ggplot2::scale_x_discrete(guide = ggplot2::guide_axis(check.overlap = TRUE)) else
      ggplot2::scale_x_continuous(breaks = picture_whole_breaks)) +
    ggplot2::labs(x = shown$label, y = "derivative", caption = sensitivity_picture_note) +
    picture_theme()
}

sensitivity_picture_note <- "bars: root mean square over rows; points: mean"

#' @rdname autoplot.ca_sensitivity
#' @export
plot.ca_sensitivity <- function(x, ...) {
  check_dots(...)
  shown <- picture_sensitivity_data(x)
  panels <- split(shown$rows, factor(shown$rows$output, unique(shown$rows$output)))
  old <- graphics::par(mfrow = c(length(panels), 1L))
  on.exit(graphics::par(old))
  for (name in names(panels)) sensitivity_panel(panels[[name]], shown, if (shown$outputs > 1L) name)
  invisible(x)
}

sensitivity_panel <- function(rows, shown, title) {
  at <- if (is.factor(rows$x)) as.integer(rows$x) else rows$x
  at <- at + (as.integer(rows$channel) - (nlevels(rows$channel) + 1) / 2) * 0.8 / nlevels(rows$channel)
  plot(at, rows$rms, type = "h", lwd = 3, lend = 1, col = rep_len(palette, nlevels(rows$channel))[rows$channel],
    ylim = range(0, rows$rms, rows$mean), bty = "n", xaxt = "n", xlab = shown$label, ylab = "derivative",
    main = title, sub = sensitivity_picture_note, font.main = 1)
  graphics::abline(h = 0, col = grey)
  graphics::points(at, rows$mean, pch = 16, cex = 0.7, col = orange)
  if (is.factor(rows$x)) graphics::axis(1, seq_len(nlevels(rows$x)), levels(rows$x)) else
    graphics::axis(1, picture_whole_breaks(range(rows$x)))
}

# Returns list(rows, label, outputs): `x` of the rows is the lag of a sequence, the name of an input of a vector, or the
# number of an input.
picture_sensitivity_data <- function(object) {
  rows <- plain_frame(object)
  by_lag <- attr(object, "input_kind") == "sequence"
  named <- attr(object, "input_kind") == "vector" && !all(startsWith(rows$input, "x["))
  if (by_lag) {
    rows$x <- rows$lag
    rows$channel <- factor(rows$channel)
  } else {
    number <- match(rows$input, unique(rows$input))
    rows$x <- if (named) factor(rows$input, unique(rows$input)) else number
    rows$channel <- factor(1L)
  }
  list(rows = rows, label = if (by_lag) "lag (1 is the newest input)" else "input",
    outputs = length(unique(rows$output)))
}

# Capacity above sensitivity, by input; both on the inputs of the capacity, without the constant.
capacity_sensitivity_ggplot <- function(object, sensitivity, call = rlang::caller_env()) {
  shown <- picture_profile_data(object)
  picture_check_sensitivity(shown, sensitivity, call)
  rms <- tapply(sensitivity$rms^2, factor(sensitivity$input, unique(sensitivity$input)), function(x) sqrt(sum(x)))
  capacity <- list(x = shown$rows[[shown$x]], height = shown$rows$capacity, channel = shown$rows$channel)
  panel <- c("capacity (effective parameters)", "sensitivity (root mean square)")
  rows <- light_frame(list(
    x = rep(capacity$x, 2L), height = c(capacity$height, as.double(rms)), channel = factor(rep(capacity$channel, 2L)),
    panel = factor(rep(panel, each = length(rms)), panel)
  ))
  channels <- nlevels(rows$channel)
  ggplot2::ggplot(rows, ggplot2::aes(x = .data$x, y = .data$height, fill = .data$channel)) +
    ggplot2::geom_col(width = 0.9) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), ncol = 1L, scales = "free_y") +
    ggplot2::scale_fill_manual("channel", values = if (channels > 1L) rep_len(palette, channels) else ink,
      guide = if (channels > 1L) "legend" else "none", na.value = ink) +
    (if (is.factor(rows$x)) ggplot2::scale_x_discrete(guide = ggplot2::guide_axis(check.overlap = TRUE)) else
      ggplot2::scale_x_continuous(breaks = picture_whole_breaks)) +
    ggplot2::labs(x = shown$label, y = NULL, caption = shown$note, title = picture_profile_total_title(object)) +
    picture_theme()
}

picture_check_sensitivity <- function(shown, sensitivity, call) {
  if (!inherits(sensitivity, "ca_sensitivity")) {
    abort(c("{.arg sensitivity} must be a result of {.fn sensitivity_profile}.",
      x = "It is {show_value(sensitivity)}."),
      "type", call = call)
  }
  plain <- shown$x != "part" && is.null(shown$rows$group) && is.null(shown$rows$row)
  if (plain && length(unique(sensitivity$input)) == nrow(shown$rows)) return(invisible())
  abort(c("{.arg sensitivity} must have the inputs of the capacity.",
    x = if (plain) "It has {length(unique(sensitivity$input))} inputs, the capacity {nrow(shown$rows)}." else
      "The capacity is on a grid, by part or by group."), "shape", call = call)
}
