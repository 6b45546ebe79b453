# Pictures of scaling studies, and of the variance of weights.

#' Pictures of scaling and variance studies
#'
#' A scaling study is drawn against depth, a colour for each exponent: `type = "spread"`, the growth that slopes are of,
#' on logarithmic axes with their lines (points are geometric means over draws, bars the interval of each at the study's
#' level); `"survival"` and `"decoupling"`, means over draws. A variance study is drawn over the layers, a colour for
#' each scheme: the trace of S, the same per unit, and the signal, each as a multiple of what it starts with.
#'
#' @param object,x A scaling study, from [scaling_study()], or a variance study, from [variance_study()].
#' @param type `"spread"`, `"survival"` or `"decoupling"`.
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' study <- scaling_study(depths = 2^(2:6), exponents = c(0.25, 0.5, 0.75))
#' plot(study)
#' plot(study, type = "survival")
#' plot(variance_study(c(16, 32, 64, 32, 16, 8), draws = 20))
#' @name autoplot.ca_scaling_study
NULL

#' @rdname autoplot.ca_scaling_study
#' @exportS3Method ggplot2::autoplot
autoplot.ca_scaling_study <- function(object, type = c("spread", "survival", "decoupling"), ...) {
  check_dots(...)
  shown <- scaling_picture(object, check_choice(type, c("spread", "survival", "decoupling")))
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$depth, y = .data$value, colour = .data$name)) +
    (if (shown$log) ggplot2::geom_line(ggplot2::aes(y = .data$fitted)) else ggplot2::geom_line()) +
    (if (shown$log) ggplot2::geom_linerange(ggplot2::aes(ymin = .data$low, ymax = .data$high), na.rm = TRUE)) +
    ggplot2::geom_point() +
    ggplot2::scale_x_continuous(trans = "log2", breaks = unique(shown$rows$depth)) +
    (if (shown$log) ggplot2::scale_y_continuous(trans = "log10") else ggplot2::scale_y_continuous(limits = c(0, 1))) +
    ggplot2::scale_colour_manual(NULL, values = shown$colours,
      guide = ggplot2::guide_legend(ncol = if (shown$log) 2 else NULL)) +
    ggplot2::labs(x = shown$xlab, y = shown$ylab, title = shown$title) +
    picture_theme()
}

#' @rdname autoplot.ca_scaling_study
#' @export
plot.ca_scaling_study <- function(x, type = c("spread", "survival", "decoupling"), ...) {
  check_dots(...)
  shown <- scaling_picture(x, check_choice(type, c("spread", "survival", "decoupling")))
  rows <- shown$rows
  legend_lines <- ceiling(nlevels(rows$name) / 2)
  old <- graphics::par(mar = c(4.5, 4.5, 2.5, 1), oma = c(1.2 * legend_lines, 0, 0, 0))
  on.exit(graphics::par(old))
  graphics::plot.new()
  ends <- if (shown$log) range(rows$value, rows$low, rows$high, rows$fitted, na.rm = TRUE) else c(0, 1)
  graphics::plot.window(range(rows$depth), ends, log = if (shown$log) "xy" else "x")
  graphics::axis(1, unique(rows$depth))
  graphics::axis(2, las = 1)
  for (name in levels(rows$name)) {
    own <- rows[rows$name == name, , drop = FALSE]
    colour <- shown$colours[[name]]
    graphics::lines(own$depth, if (shown$log) own$fitted else own$value, col = colour)
    if (shown$log) graphics::segments(own$depth, own$low, own$depth, own$high, col = colour)
    graphics::points(own$depth, own$value, col = colour, pch = 16)
  }
  graphics::title(main = shown$title, xlab = shown$xlab, ylab = shown$ylab, font.main = 1)
  picture_scaling_legend(shown$colours)
  invisible(x)
}

# A legend below the picture: names in their colours, two on each line.
picture_scaling_legend <- function(colours) {
  at <- seq_along(colours) - 1L
  lines <- ceiling(length(colours) / 2)
  graphics::mtext(names(colours), side = 1, line = at %/% 2 - 0.8 - (lines == 1), at = 0.28 + 0.46 * (at %% 2),
    outer = TRUE, col = unname(colours), cex = 0.75)
}

# Returns a list: `rows`, a data frame with the columns depth, value and name, and for type "spread" fitted, low and
# high; `log`, whether the y axis is logarithmic; `colours` by name; and the texts `xlab`, `ylab` and `title`.
scaling_picture <- function(object, type) {
  rows <- summary(object)
  slopes <- glance(object)
  log <- type == "spread"
  name <- paste("a =", format(slopes$exponent, digits = 3, trim = TRUE))
  if (log) name <- paste0(name, ": slope ", picture_scaling_slope_text(slopes))
  rows$name <- factor(name[match(rows$exponent, slopes$exponent)], levels = name)
  rows$value <- if (log) rows$growth else rows[[type]]
  if (log) rows <- cbind(rows, picture_scaling_growth_ends(object, rows, slopes))
  rows <- rows[!is.na(rows$value), , drop = FALSE]
  if (nrow(rows) == 0L) {
    abort(c(
      "{.arg type} cannot be {.val {type}}: this study has no values of it.",
      i = if (type == "decoupling") "Decoupling needs activations and two channels or more."
    ), "value", call = rlang::caller_env())
  }
  mode <- attr(object, "mode")
  sigma <- attr(object, "sigma")
  list(
    rows = rows, log = log, colours = stats::setNames(picture_scaling_many_colours(length(name)), name),
    xlab = if (mode == "recurrent") "memory length" else "depth L",
    ylab = if (!log) type else paste0(if (is_scaling_diffusive(mode)) "V / (1 - V / L), " else "V, ",
      "V the spread in steps"),
    title = paste0("Scale ", if (sigma != 1) paste0(format(sigma, digits = 3), " "),
      if (mode == "recurrent") "tau" else "L", "^-a: ", scaling_modes[[mode]])
  )
}

picture_scaling_slope_text <- function(slopes) {
  number <- function(x) formatC(x + 0, digits = 2, format = "f") |> sub(pattern = "^-(0\\.00)$", replacement = "\\1")
  exact <- is.na(slopes$conf.low) | slopes$conf.high - slopes$conf.low < 1e-6
  ifelse(exact, number(slopes$slope),
    paste0(number(slopes$slope), " [", number(slopes$conf.low), ", ", number(slopes$conf.high), "]"))
}

# For each point of a picture of growth: `fitted`, the regression line on log scales, and `low` and `high`, the
# confidence interval of the geometric mean over draws.
picture_scaling_growth_ends <- function(object, rows, slopes) {
  level <- attr(object, "level")
  all <- plain_frame(object)
  half <- vapply(seq_len(nrow(rows)), function(i) {
    y <- log(all$growth[all$exponent == rows$exponent[[i]] & all$depth == rows$depth[[i]]])
    y <- y[!is.na(y)]
    if (length(y) < 2L) NA_real_ else stats::qt((1 + level) / 2, length(y) - 1) * stats::sd(y) / sqrt(length(y))
  }, 0)
  slope <- slopes$slope[match(rows$exponent, slopes$exponent)]
  x <- log(rows$depth)
  y <- log(rows$growth)
  centre <- function(v) stats::ave(v, rows$exponent, FUN = function(v) mean(v, na.rm = TRUE))
  light_frame(list(
    fitted = exp(centre(y) + slope * (x - centre(x))), low = rows$growth * exp(-half), high = rows$growth * exp(half)
  ))
}

picture_scaling_many_colours <- function(n) if (n <= length(palette)) palette[seq_len(n)] else grDevices::hcl.colors(n,
  "Dark 3")

#' @rdname autoplot.ca_scaling_study
#' @exportS3Method ggplot2::autoplot
autoplot.ca_variance_study <- function(object, ...) {
  check_dots(...)
  shown <- variance_picture(object)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$layer, y = .data$value, colour = .data$scheme)) +
    ggplot2::geom_hline(yintercept = 1, colour = grey, linetype = "dashed") +
    ggplot2::geom_line() +
    ggplot2::geom_point(size = 1) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel)) +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    ggplot2::scale_y_continuous(trans = "log10") +
    ggplot2::scale_colour_manual(NULL, values = shown$colours) +
    ggplot2::labs(x = shown$xlab, y = shown$ylab, title = shown$title) +
    picture_theme()
}

#' @rdname autoplot.ca_scaling_study
#' @export
plot.ca_variance_study <- function(x, ...) {
  check_dots(...)
  shown <- variance_picture(x)
  old <- graphics::par(mfrow = c(1, 3), mar = c(4, 4, 2.5, 1), oma = c(2, 0, 2, 0))
  on.exit(graphics::par(old))
  for (panel in levels(shown$rows$panel)) {
    rows <- shown$rows[shown$rows$panel == panel, , drop = FALSE]
    graphics::plot.new()
    graphics::plot.window(range(rows$layer), range(shown$rows$value, 1), log = "y")
    graphics::axis(1, picture_whole_breaks(range(rows$layer)))
    graphics::axis(2, las = 1)
    graphics::abline(h = 1, lty = 2, col = grey)
    for (scheme in levels(rows$scheme)) {
      own <- rows[rows$scheme == scheme, , drop = FALSE]
      graphics::lines(own$layer, own$value, col = shown$colours[[scheme]])
      graphics::points(own$layer, own$value, col = shown$colours[[scheme]], pch = 16)
    }
    graphics::title(main = panel, xlab = shown$xlab, ylab = shown$ylab, font.main = 1)
  }
  graphics::mtext(shown$title, side = 3, outer = TRUE)
  n <- length(shown$colours)
  graphics::mtext(names(shown$colours), side = 1, line = 0.5, at = (seq_len(n) - 0.5) / n, outer = TRUE,
    col = unname(shown$colours), cex = 0.8)
  invisible(x)
}

# Returns a list: `rows`, a data frame with the columns layer, value, scheme and panel; `colours` by scheme; and the
# texts `xlab`, `ylab` and `title`.
variance_picture <- function(object) {
  rows <- plain_frame(object)
  last <- max(rows$layer)
  start <- function(column, at) {
    first <- rows[[column]][rows$layer == at]
    rows[[column]] / first[as.integer(rows$scheme)]
  }
  panels <- c("trace of S, backwards", "per unit, backwards", "signal, forwards")
  value <- c(start("trace", last), start("per_unit", last), start("signal", 0L))
  light <- light_frame(list(
    layer = rep(rows$layer, 3L), scheme = rep(rows$scheme, 3L),
    panel = factor(rep(panels, each = nrow(rows)), levels = panels), value = value
  ))
  list(
    rows = light[light$value > 0, , drop = FALSE], xlab = "layer (0 is the input)", ylab = "multiple of its start",
    colours = stats::setNames(picture_scaling_many_colours(nlevels(rows$scheme)), levels(rows$scheme)),
    title = paste0("Variance of weights, ", attr(object, "activation"), " layers of ",
      paste(range(rows$units), collapse = " to "), " units")
  )
}
