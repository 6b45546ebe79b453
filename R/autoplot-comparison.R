# Pictures of comparisons.

#' Pictures of comparisons
#'
#' @param object A comparison, from [compare_architectures()].
#' @param type `"profile"`: mean capacity by lag, a row of panels per task and a column per
#'   architecture, all on one scale, with the task's demand, scaled to its largest, as an
#'   orange line; on a grid a heat map each. `"loss"`: excess loss against total capacity, a panel per
#'   task, a small point per run and a large one per architecture; on a logarithmic scale where all
#'   losses allow it.
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

# Mean capacity of each input over the runs of a network on a task.
mean_profiles <- function(object) {
  rows <- object$allocation[!is.na(object$allocation$position), , drop = FALSE]
  keys <- intersect(c("network", "task", "position", "lag", "channel", "row", "column"), names(rows))
  cell <- do.call(paste, c(rows[keys], sep = "\r"))
  first <- rows[!duplicated(cell), keys, drop = FALSE]
  first$capacity <- as.double(tapply(rows$capacity, factor(cell, unique(cell)), mean))
  first
}

# One row per task, network and position: the demand of the task there, its largest scaled to 1. Positions are
# the network's, which may take as a sequence what the task gives as a vector.
scaled_demands <- function(object) {
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

# Panels in the order that the user gave.
in_order <- function(rows, object) {
  rows$network <- factor(rows$network, levels = names(object$networks))
  rows$task <- factor(rows$task, levels = names(object$tasks))
  rows
}

comparison_profile <- function(object) {
  if (has_grids(object)) return(comparison_maps(object))
  profiles <- in_order(mean_profiles(object), object)
  demands <- in_order(scaled_demands(object), object)
  x <- if (anyNA(profiles$lag) || anyNA(demands$lag)) "position" else "lag"
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

# On a grid: a map for each network and task, channels summed.
comparison_maps <- function(object) {
  profiles <- in_order(mean_profiles(object), object)
  pixel <- paste(profiles$network, profiles$task, profiles$position, sep = "\r")
  sums <- rowsum(profiles$capacity, pixel, reorder = FALSE)
  first <- profiles[!duplicated(pixel), , drop = FALSE]
  tiles <- light_frame(list(
    x = first$column, y = first$row, value = c(sums), task = first$task, network = first$network
  ))
  heat_ggplot(new_heat(tiles, "column", "row", "mean capacity", square = TRUE, flip_y = TRUE)) +
    ggplot2::facet_grid(ggplot2::vars(.data$task), ggplot2::vars(.data$network))
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

# Whether every network is on a grid.
has_grids <- function(object) {
  all(vapply(object$networks, function(network) network$input$kind == "grid", NA))
}
