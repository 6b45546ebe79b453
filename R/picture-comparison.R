# Pictures of comparisons.

#' Pictures of comparisons
#'
#' @param object A comparison, from [compare_architectures()].
#' @param type
#'   * `"profile"`: mean capacity by lag, a row of panels per task and a column per architecture, all on one scale, with
#'     the task's demand, scaled to its largest, as an orange line; on a grid a heat map each.
#'   * `"loss"`: excess loss against total capacity, a panel per task, a small point per run and a large one per
#'     architecture; on a logarithmic scale where all losses allow it.
#'   * `"rank"`: the ranks of [rank_results()] with the raw values written in.
#'   * `"cd"`: the critical-difference diagram of Friedman's test ([autoplot.ca_contrast()]).
#'   * `"frontier"`: as `"loss"`, means alone with their intervals, and a line through those that no other beats in both
#'     capacity and excess loss.
#'   * `"difference"`: [capacity_difference()] between `a` and `b`.
#'
#'   (A spectrum belongs to one capacity: [autoplot.ca_capacity()].)
#' @param metric For `"rank"` and `"cd"`, as in [contrast_architectures()].
#' @param level Of intervals, bands and tests.
#' @param control For `"cd"`: the name of an architecture to compare all others with, or `NULL`.
#' @param a,b For `"difference"`: names of two architectures, which may be left out where there are only two.
#' @param seed For `"difference"`: of its bootstrap.
#' @param ... Not used.
#' @returns A ggplot. What a warning would say of runs that are not comparable is in the report of
#'   [contrast_architectures()]; pictures only note it.
#' @examples
#' cmp <- compare_architectures(
#'   list(dense = arch_dense(16), dilated = arch_dilated(16), conv = arch_conv(16, 2, 3)),
#'   classical_tasks(16)[c("ar", "fgn", "sparse")], replicates = 2
#' )
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   ggplot2::autoplot(cmp)
#'   ggplot2::autoplot(cmp, type = "rank")
#'   ggplot2::autoplot(cmp, type = "cd")
#' }
#' @exportS3Method ggplot2::autoplot
autoplot.ca_comparison <- function(object, type = c("profile", "loss", "rank", "cd", "frontier", "difference"),
                                   metric = "excess_loss", level = 0.95, control = NULL, a = NULL, b = NULL,
                                   seed = 1, ...) {
  check_dots(...)
  type <- check_choice(type, c("profile", "loss", "rank", "cd", "frontier", "difference"))
  given <- unused_of(metric = missing(metric), level = missing(level), control = missing(control), a = missing(a),
    b = missing(b))
  used <- switch(type, rank = "metric", cd = c("metric", "level", "control"), frontier = "level",
    difference = c("a", "b", "level"))
  warn_unused(setdiff(given, used), "It belongs to other types than {.val {type}}.")
  drawn <- if (type %in% c("loss", "frontier")) object$runs$loss else object$runs$total_capacity
  if (all(is.na(drawn))) {
    abort(c(
      "{.arg object} must have runs to draw.",
      x = "None of its {length(drawn)} run{?s} has values for type {.val {type}}."
    ), "value")
  }
  switch(type,
    profile = picture_comparison_profile(object),
    loss = picture_comparison_loss(object),
    rank = autoplot.ca_ranks(rank_results(object, metric)),
    cd = picture_comparison_cd(object, metric, level, control),
    frontier = picture_comparison_frontier(object, check_number(level, min = 0, max = 1, open = TRUE)),
    difference = picture_comparison_difference(object, a, b, level, seed)
  )
}

picture_comparison_difference <- function(object, a, b, level, seed) {
  noted <- picture_with_notes(capacity_difference(object, a, b, level = level, seed = seed))
  plot <- autoplot.ca_difference(noted$value)
  plot + ggplot2::labs(caption = paste(c(plot$labels$caption, noted$notes), collapse = "\n"))
}

# Evaluates code and replaces its warnings about comparability and pairing of runs by short notes. Returns a list: the
# `value` of the code and its `notes`.
picture_with_notes <- function(code) {
  notes <- character()
  note <- function(text) function(w) {
    notes <<- c(notes, text)
    invokeRestart("muffleWarning")
  }
  value <- withCallingHandlers(code,
    capalloc_warning_not_comparable = note("runs are only partly comparable (see contrast_architectures())"),
    capalloc_warning_pairing = note("replicates do not share a sample"),
    capalloc_warning_resampled = note("replicates resample the same rows")
  )
  list(value = value, notes = notes)
}

picture_comparison_cd <- function(object, metric, level, control) {
  noted <- picture_with_notes(contrast_architectures(object, metric, "friedman", control = control, level = level,
    adjust = if (!is.null(control)) "bonferroni"))
  shown <- picture_contrast_cd_data(noted$value)
  shown$note <- paste(c(shown$note, noted$notes), collapse = "\n")
  contrast_cd_ggplot(shown)
}

# Mean excess loss against mean total capacity with intervals, a panel for each task. A line joins the architectures on
# the frontier.
picture_comparison_frontier <- function(object, level) {
  means <- picture_in_order(plain_frame(summary(object, level = level)), object)
  means <- means[means$runs > 0 & !is.na(means$excess_loss), , drop = FALSE]
  # excess losses at rounding level would stretch the axis of a task that all architectures fit exactly
  ends <- c("excess_loss", "excess_low", "excess_high")
  means[ends] <- lapply(means[ends], format_without_rounding)
  edge <- means[picture_on_frontier(means$total_capacity, means$excess_loss, means$task), , drop = FALSE]
  edge <- edge[order(edge$task, edge$total_capacity), , drop = FALSE]
  # a frontier of one architecture has no line
  edge <- edge[edge$task %in% edge$task[duplicated(edge$task)], , drop = FALSE]
  k <- length(object$networks)
  ggplot2::ggplot(means, ggplot2::aes(x = .data$total_capacity, y = .data$excess_loss)) +
    (if (nrow(edge) > 0L) ggplot2::geom_step(data = edge, colour = grey)) +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data$excess_low, ymax = .data$excess_high, colour = .data$network), na.rm = TRUE
    ) +
    ggplot2::geom_point(ggplot2::aes(colour = .data$network, shape = .data$network), size = 2.5) +
    ggplot2::scale_shape_manual(values = rep_len(network_shapes, k), drop = FALSE) +
    ggplot2::scale_colour_manual(values = rep_len(palette, k), drop = FALSE) +
    ggplot2::facet_wrap(ggplot2::vars(.data$task), scales = "free_y") +
    ggplot2::labs(x = "total capacity", y = "excess loss", colour = NULL, shape = NULL, caption = paste0(
      "line: the frontier of loss and capacity\nbars: ", 100 * level,
      "% intervals of the mean over replicates"
    )) +
    picture_theme()
}

network_shapes <- c(16, 17, 15, 18, 1, 2, 0, 5, 6, 8)

# Whether no other architecture dominates this one on its task: at most as much capacity and loss, and less of one.
picture_on_frontier <- function(capacity, loss, task) {
  vapply(seq_along(loss), function(i) {
    same <- task == task[[i]]
    !any(same & capacity <= capacity[[i]] & loss <= loss[[i]] & (capacity < capacity[[i]] | loss < loss[[i]]))
  }, NA)
}

# One row for each task, network and position: demand of the task, scaled so that its largest is 1. Positions are those
# of the network's input, since a network may have a sequence where the task has a vector.
picture_scaled_demands <- function(object) {
  per_network <- lapply(names(object$networks), function(name) {
    places <- input_frame(object$networks[[name]]$input)
    per_task <- lapply(split(object$demand$demand, factor(object$demand$task, names(object$tasks))), function(demand) {
      sums <- as.double(tapply(demand, places$position, sum))
      first <- places[!duplicated(places$position), c("position", "lag")]
      light_frame(list(position = first$position, lag = first$lag, demand = sums / max(sums, 1e-300)))
    })
    rows <- do.call(rbind, unname(per_task))
    task <- rep(names(per_task), vapply(per_task, nrow, 0L))
    light_frame(c(list(network = rep(name, nrow(rows)), task = task), as.list(rows)))
  })
  do.call(rbind, per_network)
}

# Makes network and task factors, so that panels have the order of the comparison.
picture_in_order <- function(rows, object) {
  rows$network <- factor(rows$network, levels = names(object$networks))
  rows$task <- factor(rows$task, levels = names(object$tasks))
  rows
}

picture_comparison_profile <- function(object) {
  if (has_picture_grids(object)) return(picture_comparison_maps(object))
  profiles <- picture_in_order(compare_mean_profiles(object), object)
  demands <- picture_in_order(picture_scaled_demands(object), object)
  x <- if (anyNA(profiles$lag) || anyNA(demands$lag)) "position" else "lag"
  ggplot2::ggplot(profiles, ggplot2::aes(x = .data[[x]], y = .data$capacity)) +
    ggplot2::geom_col(fill = pale, width = 1) +
    ggplot2::geom_line(ggplot2::aes(y = .data$demand), data = demands, colour = orange, linewidth = 0.5) +
    ggplot2::scale_x_continuous(breaks = picture_whole_breaks) +
    ggplot2::facet_grid(ggplot2::vars(.data$task), ggplot2::vars(.data$network)) +
    ggplot2::labs(
      x = if (x == "lag") "lag (1 is the newest input)" else "input",
      y = "mean capacity", caption = "orange: demand of the task, scaled to 1"
    ) +
    picture_theme()
}

# For grids: one heat map for each network and task, summed over channels.
picture_comparison_maps <- function(object) {
  profiles <- picture_in_order(compare_mean_profiles(object), object)
  pixel <- paste(profiles$network, profiles$task, profiles$position, sep = "\r")
  sums <- rowsum(profiles$capacity, pixel, reorder = FALSE)
  first <- profiles[!duplicated(pixel), , drop = FALSE]
  tiles <- light_frame(list(
    x = first$column, y = first$row, value = c(sums), task = first$task, network = first$network
  ))
  heat_ggplot(new_heat(tiles, "column", "row", "mean capacity", square = TRUE, flip_y = TRUE)) +
    ggplot2::facet_grid(ggplot2::vars(.data$task), ggplot2::vars(.data$network))
}

picture_comparison_loss <- function(object) {
  runs <- picture_in_order(object$runs[!is.na(object$runs$loss), , drop = FALSE], object)
  means <- picture_in_order(plain_frame(summary(object)), object)
  means <- means[means$runs > 0, , drop = FALSE]
  shapes <- rep_len(network_shapes, length(object$networks))
  worst <- metric_task_null_losses(object$tasks)[as.character(runs$task)]
  worst[is.na(worst)] <- Inf
  scale <- picture_on_log_scale(runs$excess_loss, worst = worst)
  means$excess_loss <- picture_on_log_scale(means$excess_loss, runs$excess_loss, worst)$values
  runs$excess_loss <- scale$values
  ggplot2::ggplot(runs, ggplot2::aes(
    x = .data$total_capacity, y = .data$excess_loss, colour = .data$network, shape = .data$network
  )) +
    ggplot2::geom_point(alpha = 0.4, size = 1) +
    ggplot2::geom_point(data = means, size = 3) +
    ggplot2::scale_shape_manual(values = shapes) +
    ggplot2::scale_colour_manual(values = rep_len(palette, length(object$networks))) +
    ggplot2::facet_wrap(ggplot2::vars(.data$task)) +
    (if (scale$logarithmic) ggplot2::scale_y_log10() else ggplot2::scale_y_continuous()) +
    ggplot2::labs(x = "total capacity", y = "excess loss", colour = NULL, shape = NULL, caption = scale$note) +
    picture_theme()
}

# Prepares excess losses for a logarithmic scale. Returns a list: `values`, `logarithmic`, and a `note` or NULL. Values
# below 1e-6 of the largest, zeros among them, are raised to that number; the largest is found after losses above
# `worst` (the null loss) are lowered to it. The scale stays linear when a value is clearly negative or all are at
# rounding level.
picture_on_log_scale <- function(excess, all = excess, worst = Inf) {
  floor <- 1e-6 * max(pmin(all, worst), 0, na.rm = TRUE)
  # excess losses that are rounding errors relative to the null loss would show meaningless orders of magnitude
  least_worst <- min(worst[is.finite(worst)], Inf)
  is_rounding <- floor == 0 || is.finite(least_worst) && floor < 1e-18 * least_worst
  if (is_rounding || any(all < -1e-9, na.rm = TRUE)) return(list(values = excess, logarithmic = FALSE))
  low <- any(all < floor, na.rm = TRUE)
  list(
    values = pmax(excess, floor), logarithmic = TRUE,
    note = if (low) paste("losses below", format(floor, digits = 1), "are drawn there")
  )
}

# Whether every network is on a grid.
has_picture_grids <- function(object) {
  all(vapply(object$networks, function(network) network$input$kind == "grid", NA))
}
