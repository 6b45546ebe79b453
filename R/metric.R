# Metrics of runs: a number for each run, which way is better, and how finely it is known.
#
# Everything that compares runs asks here: contrasts, ranks and pictures see one array
# of values, replicates x tasks x networks, NA where a run has none.

# Which way is better. What is not listed (total_capacity, n_params, bayes_loss, a column of the user's own) has
# no direction: more of it is neither better nor worse.
metric_directions <- c(
  loss = "lower", train_loss = "lower", excess_loss = "lower", gradient_norm = "lower", iterations = "lower",
  seconds = "lower", efficiency = "higher"
)

loss_metrics <- c("loss", "train_loss", "excess_loss", "bayes_loss", "linear_loss")

# Names of all metrics that a comparison has.
known_metrics <- function(cmp) {
  numeric <- names(cmp$runs)[vapply(cmp$runs, is.numeric, NA)]
  union(setdiff(numeric, c("replicate", "seed")), "efficiency")
}

check_comparison <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (!inherits(x, "ca_comparison")) {
    abort(c(
      "{.arg {arg}} must be a comparison, from {.fn compare_architectures}.",
      x = "It is {show_value(x)}."
    ), "type", call = call)
  }
  x
}

# list(name, direction, values (replicates x tasks x networks), resolution (per task)). A difference within the
# resolution is none.
new_metric <- function(cmp, metric, direction = NULL, call = rlang::caller_env()) {
  metric <- check_choice(metric, known_metrics(cmp), arg = "metric", call = call)
  if (!is.null(direction)) direction <- check_choice(direction, c("lower", "higher"), arg = "direction", call = call)
  numbers <- if (metric == "efficiency") run_efficiency(cmp) else as.double(cmp$runs[[metric]])
  numbers[!is.finite(numbers)] <- NA
  if (all(is.na(numbers))) {
    abort(c(
      "{.arg metric} must have values.",
      x = "None of the {length(numbers)} run{?s} has {.field {metric}}."
    ), "value", call = call)
  }
  values <- run_array(cmp, numbers)
  list(
    name = metric, direction = if (is.null(direction)) own_direction(metric) else direction,
    values = values, resolution = metric_resolution(cmp, metric, values)
  )
}

own_direction <- function(metric) {
  if (metric %in% names(metric_directions)) metric_directions[[metric]] else "none"
}

# (tr V - loss) / total capacity: variance explained by each effective parameter. Cross-entropy explains no
# variance.
run_efficiency <- function(cmp) {
  total <- vapply(cmp$tasks, function(task) if (has_classes(task)) NA_real_ else total_variance(task), 0)
  unname((total[cmp$runs$task] - cmp$runs$loss) / cmp$runs$total_capacity)
}

total_variance <- function(task) sum(diag(task$moments$target))

run_array <- function(cmp, values) {
  runs <- cmp$runs
  names <- list(
    replicate = as.character(sort(unique(runs$replicate))), task = names(cmp$tasks), network = names(cmp$networks)
  )
  out <- array(NA_real_, unname(lengths(names)), names)
  out[cbind(
    match(runs$replicate, sort(unique(runs$replicate))), match(runs$task, names$task),
    match(runs$network, names$network)
  )] <- values
  out
}

# How finely a metric is known, per task. Two runs with the same seeds have the same loss to 1e-8 of it, and where
# there is no loss left to the rounding of tr V; whatever else is a number is compared to 1e-8 of the largest.
metric_resolution <- function(cmp, metric, values) {
  if (!metric %in% c(loss_metrics, "efficiency")) return(1e-8 * largest_by_task(abs(values)))
  losses <- run_array(cmp, cmp$runs$loss)
  least <- -largest_by_task(-losses)
  resolution <- pmax(1e-8 * least, 1e-12 * vapply(cmp$tasks, total_variance, 0), na.rm = TRUE)
  if (metric != "efficiency") return(resolution)
  capacities <- run_array(cmp, cmp$runs$total_capacity)
  resolution / pmax(-largest_by_task(-capacities), 1, na.rm = TRUE)
}

largest_by_task <- function(values) {
  apply(values, 2L, function(x) if (all(is.na(x))) NA_real_ else max(x, na.rm = TRUE))
}

# "excess_loss (lower is better)"
metric_text <- function(metric, direction) {
  if (direction == "none") metric else paste0(metric, " (", direction, " is better)")
}

# Ranks from the best, 1; without a direction from the least. What lies within `resolution` of its neighbour
# shares a mean rank. NA where there is no value.
metric_ranks <- function(values, direction, resolution) {
  if (direction == "higher") values <- -values
  ranks <- rep(NA_real_, length(values))
  at <- order(values, na.last = NA)
  if (length(at) == 0L) return(ranks)
  tied <- cumsum(c(TRUE, diff(values[at]) > resolution))
  ranks[at] <- rank(tied)
  ranks
}

# Means over replicates, tasks x networks. `complete`: only over the replicates that have all networks.
task_means <- function(values, complete = FALSE) {
  if (complete) {
    lost <- apply(is.na(values), 1:2, any)
    values[rep(lost, times = dim(values)[[3L]])] <- NA
  }
  means <- colMeans(values, na.rm = TRUE)
  means[is.nan(means)] <- NA
  means
}

# ---- whether runs can be compared --------------------------------------------------------------------

# Replicates of a task share a sample where it is finite and their seeds agree over networks.
shares_samples <- function(cmp) is.finite(cmp$n_obs) && seeds_agree(cmp$runs)

seeds_agree <- function(runs) {
  cell <- paste(runs$task, runs$replicate, sep = "\r")
  !any(vapply(split(runs$seed, cell), function(seeds) length(unique(seeds)) > 1L, NA))
}

# One warning with all that stands against comparing these networks by this metric.
warn_not_comparable <- function(cmp, metric, networks = names(cmp$networks)) {
  runs <- cmp$runs[cmp$runs$network %in% networks, , drop = FALSE]
  said <- c(
    failed_text(runs), unconverged_text(runs), budget_text(runs, metric),
    if (!seeds_agree(runs)) "Networks of a replicate have different seeds, so different data."
  )
  if (length(said) == 0L) return(invisible())
  said <- gsub("([{}])", "\\1\\1", said)
  warn(c("The runs are not quite comparable.", stats::setNames(said, rep("x", length(said)))), "not_comparable")
}

failed_text <- function(runs) {
  failed <- !has_run(runs)
  if (any(failed)) paste0(counted_by(runs$network[failed], "run"), " failed, and are left out.")
}

unconverged_text <- function(runs) {
  unconverged <- has_run(runs) & !runs$converged
  if (any(unconverged)) paste0(counted_by(runs$network[unconverged], "run"), " did not converge.")
}

# "3 runs (dense 2, conv 1)"
counted_by <- function(networks, noun) {
  counts <- table(factor(networks, unique(networks)))
  paste0(count_text(length(networks), noun), " (", paste(names(counts), counts, collapse = ", "), ")")
}

# Losses of networks of one budget: parameters, or independent parameters, within a tenth of it either way.
budget_text <- function(runs, metric) {
  if (!metric %in% loss_metrics) return(NULL)
  budget <- function(column) {
    means <- tapply(runs[[column]], runs$network, mean, na.rm = TRUE)
    range(means[is.finite(means)])
  }
  params <- budget("n_params")
  totals <- budget("total_capacity")
  apart <- function(ends) ends[[2L]] > 1.1 / 0.9 * ends[[1L]] + 1e-8
  if (!apart(params) || !apart(totals)) return(NULL)
  paste0(
    "Budgets differ: ", params[[1L]], " to ", params[[2L]], " parameters, total capacity ",
    format(totals[[1L]], digits = 3), " to ", format(totals[[2L]], digits = 3),
    ". The metric \"efficiency\" takes capacity into account."
  )
}
