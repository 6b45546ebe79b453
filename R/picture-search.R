# Pictures of searches: the frontier of loss and capacity, demand beside the allocations of candidates, and the ranking.

#' Pictures of searches
#'
#' @param object,x A search, from [search_architecture()].
#' @param type
#'   * `"frontier"`: mean excess loss against mean total capacity, a point per candidate; filled points, with a line
#'     and their ranks, are on the frontier, and the caption names the best. Losses are on a logarithmic scale where
#'     all allow it.
#'   * `"demand"`: why: the mean capacity that candidates allocate to each lag, a panel each, and the task's demand,
#'     scaled to its largest, as an orange line; on a grid heat maps, with the demand's after them.
#'   * `"rank"`: the candidates in their order, with the excess loss of each run (small) and its mean (large).
#' @param candidates For `"demand"` and `"rank"`: how many of the best, or names of candidates. `NULL` means 4 and
#'   20.
#' @param ... Not used.
#' @returns `autoplot()`: a ggplot. `plot()`: its argument, invisibly.
#' @examples
#' task <- task_copy(12, lag = 5)
#' found <- search_architecture(task, 12, family = c("conv", "dilated"), replicates = 2)
#' plot(found)
#' plot(found, type = "demand")
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   ggplot2::autoplot(found)
#'   ggplot2::autoplot(found, type = "demand", candidates = 6)
#'   ggplot2::autoplot(found, type = "rank")
#' }
#' @name autoplot.ca_search
NULL

#' @rdname autoplot.ca_search
#' @exportS3Method ggplot2::autoplot
autoplot.ca_search <- function(object, type = c("frontier", "demand", "rank"), candidates = NULL, ...) {
  check_dots(...)
  type <- check_choice(type, c("frontier", "demand", "rank"))
  warn_unused_candidates(type, candidates)
  switch(type,
    frontier = picture_search_frontier(picture_search_frontier_data(object)),
    demand = picture_search_demand(object, picture_search_candidates(object, candidates, 4)),
    rank = picture_search_ranks(picture_search_rank_points(object, picture_search_candidates(object, candidates, 20)))
  )
}

#' @rdname autoplot.ca_search
#' @export
plot.ca_search <- function(x, type = c("frontier", "demand", "rank"), candidates = NULL, ...) {
  check_dots(...)
  type <- check_choice(type, c("frontier", "demand", "rank"))
  warn_unused_candidates(type, candidates)
  switch(type,
    frontier = search_frontier_plot(picture_search_frontier_data(x)),
    demand = search_demand_plot(x, picture_search_candidates(x, candidates, 4)),
    rank = search_ranks_plot(picture_search_rank_points(x, picture_search_candidates(x, candidates, 20)))
  )
  invisible(x)
}

warn_unused_candidates <- function(type, candidates) {
  if (type == "frontier" && !is.null(candidates)) warn_unused("candidates", "A frontier shows all candidates.")
}

# Names of the ranked candidates to draw, the best first: those in `candidates`, or as many as it or `most` states.
picture_search_candidates <- function(object, candidates, most, call = rlang::caller_env()) {
  ranked <- picture_search_ranked(object, call)$candidate
  if (is.null(candidates)) candidates <- most
  if (!is.character(candidates)) {
    return(ranked[seq_len(min(check_count(candidates, call = call), length(ranked)))])
  }
  wrong <- setdiff(candidates, ranked)
  if (length(wrong) > 0L || length(candidates) == 0L) {
    abort(c(
      "{.arg candidates} must be a number, or names of candidates that have a loss.",
      x = if (length(wrong) > 0L) "There is no {.val {wrong}}." else "It is empty."
    ), "value", call = call)
  }
  intersect(ranked, candidates)
}

picture_search_ranked <- function(object, call = rlang::caller_env()) {
  rows <- object$candidates[!is.na(object$candidates$rank), , drop = FALSE]
  if (nrow(rows) > 0L) return(rows)
  abort(c("The search must have runs to draw.", x = "None of its {nrow(object$candidates)} candidate{?s} has a loss."),
    "value", call = call)
}

# ---- the frontier --------------------------------------------------------------------------------

# Data of a picture of a frontier: `rows`, a data frame with the columns capacity, excess, rank, frontier and family;
# `edge`, the rows on the frontier in order of increasing capacity, with a label (the ranks of all candidates with this
# capacity); `logarithmic`, whether the axis of excess losses is; and `note`.
new_search_frontier_picture <- function(rows, edge, logarithmic, note) {
  list(rows = rows, edge = edge, logarithmic = logarithmic, note = note)
}

picture_search_frontier_data <- function(object) {
  rows <- picture_search_ranked(object)
  excess <- picture_on_log_scale(rows$excess_loss)
  family <- ifelse(is.na(rows$family), "network", rows$family)
  given <- family[match(names(object$comparison$networks), rows$candidate)]
  rows <- light_frame(list(
    capacity = rows$total_capacity, excess = excess$values, rank = rows$rank, frontier = rows$frontier,
    family = factor(family, unique(given[!is.na(given)]))
  ))
  edge <- rows[rows$frontier, , drop = FALSE]
  edge <- edge[order(edge$capacity, edge$rank), , drop = FALSE]
  edge$label <- stats::ave(as.character(edge$rank), edge$capacity, FUN = function(x) paste(x, collapse = ", "))
  edge$label[duplicated(edge$capacity)] <- ""
  new_search_frontier_picture(
    rows = rows, edge = edge, logarithmic = excess$logarithmic,
    note = paste(c(
      paste0("filled: on the frontier, with their ranks; ", picture_search_best_key(object)), excess$note
    ), collapse = "\n")
  )
}

picture_search_best_key <- function(object) paste("1 is", object$candidates$candidate[[1L]])

picture_search_frontier <- function(shown) {
  families <- nlevels(shown$rows$family)
  shapes <- rep_len(c(21, 24, 22, 23, 25), families)
  colours <- rep_len(palette, families)
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$capacity, y = .data$excess)) +
    (if (nrow(shown$edge) > 1L) ggplot2::geom_step(data = shown$edge, colour = grey)) +
    ggplot2::geom_point(ggplot2::aes(shape = .data$family, colour = .data$family), fill = NA, size = 1.8, alpha = 0.6) +
    ggplot2::geom_point(ggplot2::aes(shape = .data$family, colour = .data$family, fill = .data$family),
      data = shown$edge, size = 2.8) +
    ggplot2::geom_text(ggplot2::aes(label = .data$label), data = shown$edge[order(shown$edge$rank), ], size = 3,
      hjust = -0.4, vjust = -0.6, check_overlap = TRUE) +
    ggplot2::scale_shape_manual(values = shapes, drop = FALSE) +
    ggplot2::scale_colour_manual(values = colours, drop = FALSE) +
    ggplot2::scale_fill_manual(values = colours, drop = FALSE) +
    (if (shown$logarithmic) ggplot2::scale_y_log10() else ggplot2::scale_y_continuous()) +
    ggplot2::labs(x = "total capacity", y = "excess loss", colour = NULL, shape = NULL, fill = NULL,
      caption = shown$note) +
    picture_theme() +
    (if (families == 1L) ggplot2::theme(legend.position = "none"))
}

search_frontier_plot <- function(shown) {
  rows <- shown$rows
  at <- as.integer(rows$family)
  shapes <- rep_len(c(21, 24, 22, 23, 25), max(at))[at]
  colours <- rep_len(palette, max(at))[at]
  old <- graphics::par(mar = c(6, 4, 1.5, 1), xpd = NA)
  on.exit(graphics::par(old))
  plot(rows$capacity, rows$excess,
    log = if (shown$logarithmic) "y" else "", pch = shapes, col = colours,
    bg = ifelse(rows$frontier, colours, NA), cex = ifelse(rows$frontier, 1.3, 0.9), bty = "n",
    xlab = "total capacity", ylab = "excess loss"
  )
  graphics::lines(shown$edge$capacity, shown$edge$excess, type = "s", col = grey)
  graphics::text(shown$edge$capacity, shown$edge$excess, shown$edge$label, pos = 4, cex = 0.8)
  if (nlevels(rows$family) > 1L) {
    graphics::legend("topright", levels(rows$family), pch = rep_len(c(21, 24, 22, 23, 25), nlevels(rows$family)),
      col = rep_len(palette, nlevels(rows$family)), bty = "n")
  }
  graphics::mtext(shown$note, side = 1, line = 4.8, cex = 0.8)
}

# ---- demand beside allocation --------------------------------------------------------------------

# The comparison restricted to these candidates. Their new names state rank, name, excess loss and capacity; on grids,
# where panels are small, only rank and capacity.
picture_search_comparison <- function(object, names) {
  cmp <- object$comparison
  rows <- object$candidates[match(names, object$candidates$candidate), , drop = FALSE]
  spent <- paste("capacity", vapply(rows$total_capacity, format, "", digits = 3))
  labels <- if (has_picture_grids(cmp)) paste0(rows$rank, ": ", spent) else vapply(seq_along(names), function(i) {
    excess <- paste0("excess ", format(format_without_rounding(rows$excess_loss[[i]]), digits = 2), ", ")
    paste(strwrap(c(paste0(rows$rank[[i]], ": ", names[[i]]), paste0(excess, spent[[i]])),
      if (length(names) <= 4L) 48 else 28), collapse = "\n")
  }, "")
  cmp$networks <- stats::setNames(cmp$networks[names], labels)
  for (part in c("runs", "allocation")) {
    kept <- cmp[[part]][cmp[[part]]$network %in% names, , drop = FALSE]
    kept$network <- labels[match(kept$network, names)]
    cmp[[part]] <- kept
  }
  cmp
}

picture_search_demand <- function(object, names) {
  cmp <- picture_search_comparison(object, names)
  if (has_picture_grids(cmp)) return(heat_ggplot(picture_search_demand_maps(cmp, picture_search_best_key(object))))
  picture_comparison_profile(cmp) +
    ggplot2::facet_wrap(ggplot2::vars(.data$network)) +
    ggplot2::labs(title = object$task$label, caption = picture_search_demand_note(object))
}

picture_search_demand_note <- function(object) {
  if (!any(object$comparison$demand$demand > 0)) return("the demand is zero at every input")
  "orange: demand of the task, scaled to 1"
}

# For grids: heat maps of shares of the largest capacity, one panel for each candidate, and of the demand in the last.
picture_search_demand_maps <- function(cmp, note) {
  input <- cmp$networks[[1L]]$input
  pixels <- input_frame(input)
  first <- pixels[!duplicated(pixels$position), , drop = FALSE]
  share <- function(value, position) {
    sums <- as.double(tapply(value, factor(position, first$position), sum))
    sums / max(sums, 1e-300)
  }
  profiles <- compare_mean_profiles(cmp)
  panels <- c(names(cmp$networks), "demand")
  values <- c(
    lapply(names(cmp$networks), function(name) {
      rows <- profiles[profiles$network == name, , drop = FALSE]
      share(rows$capacity, rows$position)
    }),
    list(share(cmp$demand$demand, pixels$position))
  )
  new_heat(light_frame(list(
    x = rep(first$column, length(panels)), y = rep(first$row, length(panels)), value = unlist(values),
    panel = factor(rep(panels, each = nrow(first)), levels = panels)
  )), "column", "row", "share of the largest", square = TRUE, flip_y = TRUE, note = note)
}

search_demand_plot <- function(object, names) {
  cmp <- picture_search_comparison(object, names)
  if (has_picture_grids(cmp)) return(heat_plot(picture_search_demand_maps(cmp, picture_search_best_key(object))))
  profiles <- compare_mean_profiles(cmp)
  demands <- picture_scaled_demands(cmp)
  x <- if (anyNA(profiles$lag) || anyNA(demands$lag)) "position" else "lag"
  k <- length(cmp$networks)
  columns <- ceiling(sqrt(k))
  old <- graphics::par(mfrow = c(ceiling(k / columns), columns), mar = c(2.5, 3, 3, 1), oma = c(3, 1, 0, 0))
  on.exit(graphics::par(old))
  bars <- lapply(split(profiles, factor(profiles$network, names(cmp$networks))), function(rows) {
    list(x = unique(rows[[x]]), height = as.double(tapply(rows$capacity, factor(rows[[x]], unique(rows[[x]])), sum)))
  })
  most <- picture_profile_highest(unlist(lapply(bars, function(bar) bar$height)))
  for (name in names(bars)) {
    plot(bars[[name]]$x, bars[[name]]$height,
      type = "h", lwd = 3, lend = 1, col = pale, bty = "n", xlab = "", ylab = "", xaxt = "n",
      ylim = c(0, max(most, 1)), main = name, font.main = 1, cex.main = 0.9
    )
    graphics::axis(1, picture_whole_breaks(range(bars[[name]]$x)))
    rows <- demands[demands$network == name, , drop = FALSE]
    rows <- rows[order(rows[[x]]), , drop = FALSE]
    graphics::lines(rows[[x]], rows$demand, col = orange)
  }
  graphics::mtext(paste0(if (x == "lag") "lag (1 is the newest input)" else "input",
    "; bars: mean capacity; ", picture_search_demand_note(object)), side = 1, outer = TRUE, line = 1, cex = 0.8)
}

# ---- the ranking ---------------------------------------------------------------------------------

# Data of a picture of the ranking: `rows` of runs and `means` of candidates, data frames with the columns x (excess
# loss) and y (the candidate, a factor with the best as its last level), and for means frontier; `logarithmic`, whether
# the axis of x is; and `note`.
new_search_ranking_picture <- function(rows, means, logarithmic, note) {
  list(rows = rows, means = means, logarithmic = logarithmic, note = note)
}

picture_search_rank_points <- function(object, names) {
  runs <- object$comparison$runs
  runs <- runs[runs$network %in% names & !is.na(runs$excess_loss), , drop = FALSE]
  means <- object$candidates[match(names, object$candidates$candidate), , drop = FALSE]
  all <- c(runs$excess_loss, means$excess_loss)
  scaled <- function(x) picture_on_log_scale(x, all)$values
  labels <- paste0(means$rank, ": ", names)
  place <- function(network) factor(labels[match(network, names)], levels = rev(labels))
  scale <- picture_on_log_scale(all)
  new_search_ranking_picture(
    rows = light_frame(list(x = scaled(runs$excess_loss), y = place(runs$network))),
    means = light_frame(list(x = scaled(means$excess_loss), y = place(names), frontier = means$frontier)),
    logarithmic = scale$logarithmic,
    note = paste(c("small: runs; large: their means, filled on the frontier", scale$note), collapse = "\n")
  )
}

picture_search_ranks <- function(shown) {
  ggplot2::ggplot(shown$rows, ggplot2::aes(x = .data$x, y = .data$y)) +
    ggplot2::geom_point(size = 0.8, alpha = 0.5, colour = ink) +
    ggplot2::geom_point(ggplot2::aes(fill = .data$frontier), data = shown$means, size = 2.6, shape = 21, colour = ink) +
    ggplot2::scale_fill_manual(values = c(`TRUE` = ink, `FALSE` = "white"), guide = "none") +
    ggplot2::scale_y_discrete(limits = levels(shown$rows$y)) +
    (if (shown$logarithmic) ggplot2::scale_x_log10() else ggplot2::scale_x_continuous()) +
    ggplot2::labs(x = "excess loss", y = NULL, caption = shown$note) +
    picture_theme()
}

search_ranks_plot <- function(shown) {
  labels <- levels(shown$means$y)
  old <- graphics::par(mar = c(6, min(2 + 0.45 * max(nchar(labels)), 18), 1, 1))
  on.exit(graphics::par(old))
  plot(shown$rows$x, as.integer(shown$rows$y),
    log = if (shown$logarithmic) "x" else "", pch = 16, cex = 0.5, col = ink, bty = "n", yaxt = "n",
    ylim = c(0.5, length(labels) + 0.5), xlab = "excess loss", ylab = ""
  )
  graphics::points(shown$means$x, as.integer(shown$means$y), pch = 21, col = ink, cex = 1.4,
    bg = ifelse(shown$means$frontier, ink, "white"))
  graphics::axis(2, seq_along(labels), labels, las = 1, lwd = 0, cex.axis = 0.8)
  graphics::mtext(shown$note, side = 1, line = 4.8, cex = 0.8)
}
