# Starts of one network on one population whose training ends at different losses.

# A data frame of the pairs of a network and a task whose runs differ only in their starting weights (population tasks,
# n_obs = Inf) and end at losses that differ by more than 1% plus 1e-8 of the null loss: network, task, least and
# largest loss. Convex networks are left out.
starts_apart <- function(cmp) {
  nothing <- light_frame(list(network = character(), task = character(), least = numeric(), largest = numeric()))
  if (is.finite(cmp$n_obs)) return(nothing)
  free <- names(cmp$networks)[!vapply(cmp$networks, is_convex, NA)]
  population <- names(cmp$tasks)[!vapply(cmp$tasks, is_data_task, NA)]
  runs <- cmp$runs[cmp$runs$network %in% free & cmp$runs$task %in% population & !is.na(cmp$runs$loss), ]
  if (nrow(runs) == 0L) return(nothing)
  pair <- paste(runs$network, runs$task, sep = "\r")
  first <- !duplicated(pair)
  ends <- function(f) as.double(tapply(runs$loss, factor(pair, unique(pair)), f))
  rows <- light_frame(list(
    network = runs$network[first], task = runs$task[first], least = ends(min), largest = ends(max)
  ))
  tolerance <- 1e-8 * vapply(cmp$tasks[rows$task], null_loss, 0)
  rows[rows$largest - rows$least > 0.01 * rows$least + tolerance, , drop = FALSE]
}

# "dilated on ar, conv on fgn and 3 more"
starts_pair_text <- function(rows, most = 4L) {
  shown <- paste(rows$network, "on", rows$task)[seq_len(min(nrow(rows), most))]
  paste0(paste(shown, collapse = ", "), if (nrow(rows) > most) paste(" and", nrow(rows) - most, "more"))
}

warn_starts_apart <- function(cmp) {
  apart <- starts_apart(cmp)
  if (nrow(apart) == 0L) return(invisible())
  pairs <- starts_pair_text(apart)
  warn(c(
    "Starts of the same network on the same population end at losses that differ by more than 1%: {pairs}.",
    i = "The capacities differ between these starts too. With more {.arg restarts}, each run keeps the best start."
  ), "starts", pairs = apart)
}
