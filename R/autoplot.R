# Pictures: ggplot2's autoplot() (registered when ggplot2 is loaded) and base
# graphics' plot(). Both read one description of what is to be drawn, so that
# they show the same.

ink <- "#0072B2" # Okabe and Ito's blue, safe for colour-blind readers and in print
grey <- "grey60"
palette <- c("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#999999")

# On white, so that a saved picture can be read on any page.
picture_theme <- function() {
  ggplot2::theme_minimal() + ggplot2::theme(
    panel.grid.minor = ggplot2::element_blank(), legend.position = "bottom",
    plot.background = ggplot2::element_rect(fill = "white", colour = NA)
  )
}

# What a profile shows: x, capacity and perhaps network, and the most that a position can have over its
# channels (a part has no such bound). The constant is said, not drawn.
profile_data <- function(object) {
  rows <- plain_frame(object)
  if (!is.null(rows$part)) {
    return(list(rows = rows, x = "part", label = "part of the input space", note = NULL, most = NULL))
  }
  constant <- is.na(rows$position)
  x <- if (attr(object, "input_kind") == "sequence") "lag" else "position"
  list(
    rows = rows[!constant, , drop = FALSE], x = x, note = constant_note(rows[constant, , drop = FALSE]),
    label = if (x == "lag") "lag (1 is the newest input)" else "input",
    most = attr(object, "n_outputs") * max(rows$channel, 1, na.rm = TRUE)
  )
}

constant_note <- function(rows) {
  if (nrow(rows) == 0L) return(NULL)
  what <- if (is.null(rows$network)) "" else paste0(rows$network, " ")
  paste0("not drawn: (Intercept) ", paste0(what, format(rows$capacity, digits = 2), collapse = ", "))
}

#' Pictures of capacities and fits
#'
#' `autoplot()` gives a ggplot, `plot()` draws the same with base graphics. Several
#' capacities, put together by `c()`, are drawn one above the other on one scale.
#'
#' In a profile, the height at an input is the effective number of parameters
#' that act on it, and the heights sum to the total capacity. The dashed line is
#' the most a position can have, one per output and channel: every dependency on it is
#' then fully modelled. Channels are stacked.
#'
#' @param object,x A capacity, several of them (`c(a = , b = )`), or a fit.
#' @param type For a capacity `"profile"` (capacity against lag, position or part) or
#'   `"spectrum"` (singular values of the tangent, the tolerance of the rank drawn
#'   in).
#' @param ... Not used.
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
autoplot.ca_capacity <- function(object, type = c("profile", "spectrum"), ...) {
  type <- check_choice(type, c("profile", "spectrum"))
  if (type == "spectrum") return(spectrum_ggplot(object))
  profile_ggplot(object) +
    ggplot2::labs(title = paste("Total capacity", format(attr(object, "total"), digits = 4)))
}

#' @rdname autoplot.ca_capacity
#' @exportS3Method ggplot2::autoplot
autoplot.ca_capacities <- function(object, ...) {
  profile_ggplot(object) +
    ggplot2::facet_wrap(ggplot2::vars(.data$network), ncol = 1, labeller = totals_labeller(object))
}

# "dilated: total 7" above each panel.
totals_labeller <- function(object) {
  totals <- attr(object, "totals")
  ggplot2::as_labeller(function(names) paste0(names, ": total ", format(totals[names], digits = 4, trim = TRUE)))
}

#' @importFrom rlang .data
profile_ggplot <- function(object) {
  shown <- profile_data(object)
  width <- if (shown$x == "part") 0.7 else 0.9
  channels <- length(unique(shown$rows$channel))
  columns <- if (channels > 1L) {
    ggplot2::geom_col(ggplot2::aes(fill = factor(.data$channel)), width = width)
  } else {
    ggplot2::geom_col(fill = ink, width = width)
  }
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data[[shown$x]], y = .data$capacity)) +
    ggplot2::geom_hline(yintercept = shown$most, colour = grey, linetype = "dashed") +
    columns +
    (if (channels > 1L) ggplot2::scale_fill_manual("channel", values = rep_len(palette, channels))) +
    ggplot2::labs(x = shown$label, y = "capacity (effective parameters)", caption = shown$note) +
    picture_theme()
}

spectrum_ggplot <- function(object) {
  shown <- spectrum_data(object)
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

# Exact zeros have no place on a logarithmic scale: they are drawn at the rounding unit's square.
spectrum_data <- function(object) {
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
autoplot.ca_fit <- function(object, ...) {
  rows <- history_data(object)
  ggplot2::ggplot(rows, ggplot2::aes(
    x = .data$iteration, y = .data$excess, group = .data$restart
  )) +
    ggplot2::geom_line(colour = ink) +
    ggplot2::scale_y_log10() +
    ggplot2::labs(
      x = "iteration", y = "training loss above the lowest",
      title = if (object$converged) "Converged" else paste("Not converged:", object$outcome)
    ) +
    picture_theme()
}

# The lowest loss itself has no logarithm, and is left out.
history_data <- function(object) {
  rows <- object$history
  rows$excess <- rows$loss - min(rows$loss)
  rows[rows$excess > 0, , drop = FALSE]
}

#' @rdname autoplot.ca_capacity
#' @export
plot.ca_capacity <- function(x, type = c("profile", "spectrum"), ...) {
  type <- check_choice(type, c("profile", "spectrum"))
  if (type == "spectrum") {
    shown <- spectrum_data(x)
    plot(shown$rows$index, shown$rows$value,
      log = "y", col = ink, pch = ifelse(shown$rows$counted == "TRUE", 16, 1),
      xlab = "index", ylab = "singular value / largest", main = paste("Rank", shown$rank)
    )
    graphics::abline(h = shown$tol, lty = 2, col = grey)
  } else {
    base_profile(profile_data(x), paste("Total capacity", format(attr(x, "total"), digits = 4)))
  }
  invisible(x)
}

#' @rdname autoplot.ca_capacity
#' @export
plot.ca_capacities <- function(x, ...) {
  shown <- profile_data(x)
  totals <- attr(x, "totals")
  old <- graphics::par(mfrow = c(length(totals), 1L), mar = c(5, 4, 2, 1))
  on.exit(graphics::par(old))
  panels <- split(shown$rows, shown$rows$network)
  highest <- max(vapply(panels, function(rows) max(stacked(rows, shown$x)), 0), shown$most)
  for (name in names(totals)) {
    panel <- shown
    panel$rows <- panels[[name]]
    base_profile(panel, paste0(name, ": total ", format(totals[[name]], digits = 4)), highest)
  }
  invisible(x)
}

# Heights of a position's channels, one upon the other.
stacked <- function(rows, x) {
  height <- tapply(rows$capacity, factor(rows[[x]], unique(rows[[x]])), sum)
  as.double(height)
}

base_profile <- function(shown, title, highest = max(stacked(shown$rows, shown$x), shown$most)) {
  x <- unique(shown$rows[[shown$x]])
  at <- if (is.factor(x)) as.integer(x) else x
  plot(at, stacked(shown$rows, shown$x),
    type = "h", lwd = if (is.factor(x)) 12 else 3, lend = 1, col = ink, ylim = c(0, highest), bty = "n",
    xaxt = if (is.factor(x)) "n" else "s", xlab = shown$label, ylab = "capacity", main = title,
    sub = shown$note, font.main = 1
  )
  if (is.factor(x)) graphics::axis(1, at, as.character(x))
  if (!is.null(shown$most)) graphics::abline(h = shown$most, lty = 2, col = grey)
}

#' @rdname autoplot.ca_capacity
#' @export
plot.ca_fit <- function(x, ...) {
  rows <- history_data(x)
  any <- nrow(rows) > 0L
  plot(
    if (any) range(rows$iteration) else 0:1, if (any) range(rows$excess) else c(0.1, 1),
    log = "y", type = "n", xlab = "iteration", ylab = "training loss above the lowest", bty = "n",
    main = if (x$converged) "Converged" else paste("Not converged:", x$outcome), font.main = 1
  )
  for (run in split(rows, rows$restart)) graphics::lines(run$iteration, run$excess, col = ink)
  invisible(x)
}

#' Pictures of comparisons
#'
#' @param object A comparison, from [compare_architectures()].
#' @param type `"profile"`: mean capacity by lag, a row of panels per task and a column per
#'   architecture, all on one scale, with the task's demand, scaled to its largest, as an
#'   orange line. `"loss"`: excess loss against total capacity, a panel per task, a small point
#'   per run and a large one per architecture; on a logarithmic scale where all losses allow it.
#' @param ... Not used.
#' @returns A ggplot.
#' @examples
#' cmp <- compare_architectures(
#'   list(dense = arch_dense(16), dilated = arch_dilated(16)), classical_tasks(16)["fgn"],
#'   replicates = 2
#' )
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   ggplot2::autoplot(cmp)
#'   ggplot2::autoplot(cmp, type = "loss")
#' }
#' @exportS3Method ggplot2::autoplot
autoplot.ca_comparison <- function(object, type = c("profile", "loss"), ...) {
  type <- check_choice(type, c("profile", "loss"))
  drawn <- if (type == "loss") object$runs$loss else object$runs$total_capacity
  if (all(is.na(drawn))) {
    abort(c("{.arg object} must have runs to draw.", x = "None of its {length(drawn)} run{?s} gave a {type}."),
      "value")
  }
  if (type == "loss") comparison_loss(object) else comparison_profile(object)
}

orange <- "#D55E00"
pale <- "#9CC7E5" # under a line of demand

# Mean capacity of each input over the runs of a network on a task.
mean_profiles <- function(object) {
  rows <- object$allocation[!is.na(object$allocation$position), , drop = FALSE]
  keys <- c("network", "task", "position", "lag", "channel")
  cell <- do.call(paste, c(rows[keys], sep = "\r"))
  first <- rows[!duplicated(cell), keys, drop = FALSE]
  first$capacity <- as.double(tapply(rows$capacity, factor(cell, unique(cell)), mean))
  first
}

# One row per task, network and position: the demand of the task there, its largest scaled to 1.
scaled_demands <- function(object) {
  rows <- object$demand
  key <- paste(rows$task, rows$position)
  first <- rows[!duplicated(key), , drop = FALSE]
  first$demand <- as.double(tapply(rows$demand, factor(key, unique(key)), sum))
  first$demand <- first$demand / stats::ave(first$demand, first$task, FUN = function(x) max(x, 1e-300))
  do.call(rbind, lapply(names(object$networks), function(network) cbind(network = network, first)))
}

# Panels in the order that the user gave.
in_order <- function(rows, object) {
  rows$network <- factor(rows$network, levels = names(object$networks))
  rows$task <- factor(rows$task, levels = names(object$tasks))
  rows
}

comparison_profile <- function(object) {
  profiles <- in_order(mean_profiles(object), object)
  demands <- in_order(scaled_demands(object), object)
  x <- if (anyNA(profiles$lag)) "position" else "lag"
  ggplot2::ggplot(profiles, ggplot2::aes(x = .data[[x]], y = .data$capacity)) +
    ggplot2::geom_col(fill = pale, width = 1) +
    ggplot2::geom_line(ggplot2::aes(y = .data$demand), data = demands, colour = orange, linewidth = 0.5) +
    ggplot2::facet_grid(ggplot2::vars(.data$task), ggplot2::vars(.data$network)) +
    ggplot2::labs(
      x = if (x == "lag") "lag (1 is the newest input)" else "input",
      y = "mean capacity", caption = "orange: demand of the task, scaled to 1"
    ) +
    picture_theme()
}

comparison_loss <- function(object) {
  runs <- in_order(object$runs[!is.na(object$runs$loss), , drop = FALSE], object)
  means <- in_order(plain_frame(summary(object)), object)
  means <- means[means$runs > 0, , drop = FALSE]
  shapes <- rep_len(c(16, 17, 15, 18, 1, 2, 0, 5, 6, 8), length(object$networks))
  # exact zeros have no logarithm: they are drawn at a millionth of the largest
  floor <- 1e-6 * max(runs$excess_loss, 0)
  logarithmic <- floor > 0 && all(runs$excess_loss > -1e-9)
  if (logarithmic) {
    runs$excess_loss <- pmax(runs$excess_loss, floor)
    means$excess_loss <- pmax(means$excess_loss, floor)
  }
  ggplot2::ggplot(runs, ggplot2::aes(
    x = .data$total_capacity, y = .data$excess_loss, colour = .data$network, shape = .data$network
  )) +
    ggplot2::geom_point(alpha = 0.4, size = 1) +
    ggplot2::geom_point(data = means, size = 3) +
    ggplot2::scale_shape_manual(values = shapes) +
    ggplot2::scale_colour_manual(values = rep_len(palette, length(object$networks))) +
    ggplot2::facet_wrap(ggplot2::vars(.data$task)) +
    (if (logarithmic) ggplot2::scale_y_log10() else ggplot2::scale_y_continuous()) +
    ggplot2::labs(
      x = "total capacity", y = "excess loss", colour = NULL, shape = NULL,
      caption = if (logarithmic) paste("losses below", format(floor, digits = 1), "are drawn there")
    ) +
    picture_theme()
}
