# Pictures of depth limits.

#' Pictures of depth limits
#'
#' Capacity against lag: bars are the exact depth limit, points the finite stacks, the dashed line is the
#' continuum. Lags with less than a thousandth of the largest capacity at both ends are left out.
#'
#' @param object,x A diffusion, from [diffusion_limit()].
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' net <- input_sequence(64)
#' for (i in 1:9) net <- layer_conv(net, 1, kernel = 3, padding = "same")
#' plot(diffusion_limit(initialise(net, seed = 1)))
#' @name autoplot.ca_diffusion
NULL

#' @rdname autoplot.ca_diffusion
#' @exportS3Method ggplot2::autoplot
autoplot.ca_diffusion <- function(object, ...) {
  check_dots(...)
  shown <- diffusion_picture(object)
  n <- nlevels(shown$finite$stack)
  ggplot2::ggplot(shown$finite, ggplot2::aes(x = .data$lag, y = .data$capacity)) +
    (if (nrow(shown$limit) > 0L) ggplot2::geom_col(data = shown$limit, fill = pale, width = 0.9)) +
    ggplot2::geom_line(data = shown$continuum, colour = "grey30", linetype = "dashed") +
    ggplot2::geom_point(ggplot2::aes(colour = .data$stack), size = 1.5) +
    ggplot2::scale_colour_manual(NULL, values = rep_len(diffusion_colours, n)) +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    ggplot2::labs(x = "lag (1 is the newest input)", y = "capacity (of 1)", title = shown$title, caption = shown$note) +
    picture_theme()
}

#' @rdname autoplot.ca_diffusion
#' @export
plot.ca_diffusion <- function(x, ...) {
  check_dots(...)
  shown <- diffusion_picture(x)
  all <- rbind(shown$finite[c("lag", "capacity")], shown$limit[c("lag", "capacity")],
    shown$continuum[c("lag", "capacity")])
  old <- graphics::par(mar = c(5.5, 4, 2.5, 1))
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::plot.window(range(all$lag) + c(-0.5, 0.5), c(0, max(all$capacity)))
  limit <- shown$limit
  if (nrow(limit) > 0L) graphics::rect(limit$lag - 0.45, 0, limit$lag + 0.45, limit$capacity, col = pale, border = NA)
  graphics::lines(shown$continuum$lag, shown$continuum$capacity, lty = 2, col = "grey30")
  colours <- rep_len(diffusion_colours, nlevels(shown$finite$stack))
  graphics::points(shown$finite$lag, shown$finite$capacity, pch = 16, col = colours[as.integer(shown$finite$stack)])
  graphics::axis(1, picture_whole_breaks(range(all$lag)))
  graphics::axis(2, las = 1)
  graphics::title(main = shown$title, xlab = "lag (1 is the newest input)", ylab = "capacity (of 1)", font.main = 1)
  graphics::mtext(shown$note, side = 1, line = 4, cex = 0.7, adj = 1)
  graphics::legend("topright", levels(shown$finite$stack), col = colours, pch = 16, bty = "n", cex = 0.8)
  invisible(x)
}

diffusion_colours <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")

# Returns a list: `finite`, `limit` and `continuum`, the rows of each kind (those of finite stacks with a factor
# `stack`), `title` and `note`. Positions at both ends with less than 1/1000 of the largest capacity are left out.
diffusion_picture <- function(object) {
  rows <- plain_frame(object)
  overall <- attr(object, "overall")
  residual <- attr(object, "stack") == "residual"
  seen <- range(rows$position[rows$capacity >= max(rows$capacity) / 1000])
  rows <- rows[rows$position >= seen[[1L]] & rows$position <= seen[[2L]], , drop = FALSE]
  finite <- rows[rows$kind == "finite", , drop = FALSE]
  labels <- paste(format(overall$depth, trim = TRUE, scientific = FALSE), ifelse(overall$depth == 1, "layer", "layers"))
  finite$stack <- factor(labels[match(finite$depth, overall$depth)], levels = labels)
  list(
    finite = finite, limit = rows[rows$kind == "limit", , drop = FALSE],
    continuum = rows[rows$kind == "continuum", , drop = FALSE], note = diffusion_note(overall, residual),
    title = paste0(
      if (residual) paste("Residual chain, sigma", format(overall$sigma[[1L]], digits = 3)) else "Plain stack",
      ", from position ", format(attr(object, "start"))
    )
  )
}

diffusion_note <- function(overall, residual) {
  two <- function(x) paste(format(x, digits = 2, trim = TRUE), collapse = ", ")
  if (!residual) return(paste0("dashed: continuum, ", two(overall$finite_continuum), " apart (total variation)"))
  paste0("bars: depth limit, dashed: continuum, ", two(overall$limit_continuum[[1L]]),
    " apart (total variation); finite to limit: ", two(overall$finite_limit))
}
