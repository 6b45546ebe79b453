# Metrics of runs: one number for each run, the direction that is better, and the accuracy of the number.
#
# Contrasts, ranks, searches and pictures use the metrics of this file. The values of a metric are an array, replicates
# x tasks x networks, NA where a run has no value.

# The direction that is better. Metrics that are not listed (total_capacity, n_params, bayes_loss, columns that a user
# adds) have no direction: larger values are neither better nor worse.
metric_directions <- c(
  loss = "lower", train_loss = "lower", excess_loss = "lower", relative_loss = "lower", relative_excess = "lower",
  mase = "lower", log_loss = "lower", gradient_norm = "lower", decrement = "lower", iterations = "lower",
  redraws = "lower", seconds = "lower", efficiency = "higher", accuracy = "higher"
)

loss_metrics <- c("loss", "train_loss", "excess_loss", "bayes_loss", "linear_loss", "null_loss", "log_loss")

# Losses as multiples of the null loss.
relative_metrics <- c("relative_loss", "relative_excess")

# Metrics that depend on the trained weights through a loss on rows that the network was not trained on.
held_out_metrics <- c("loss", "excess_loss", "log_loss", relative_metrics, "efficiency")

# Names of all metrics that a comparison has.
known_metrics <- function(cmp) {
  numeric <- names(cmp$runs)[vapply(cmp$runs, is.numeric, NA)]
  union(setdiff(numeric, c("replicate", "seed")), "efficiency")
}

check_metric_comparison <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (!inherits(x, "ca_comparison")) {
    abort(c(
      "{.arg {arg}} must be a comparison, from {.fn compare_architectures}.",
      x = "It is {show_value(x)}."
    ), "type", call = call)
  }
  x
}

# A metric of the runs of a comparison:
#   name         a metric of known_metrics()
#   direction    "lower" or "higher", whichever is better, or "none"
#   values       replicates x tasks x networks, NA where a run has no value
#   tolerance    of each task: smaller differences count as zero
#   uncertainty  of each value, in the shape of `values`
# A difference counts as zero if it is at most the tolerance of its task, or at most the sum of the two uncertainties.
new_metric <- function(name, direction, values, tolerance, uncertainty) {
  list(name = name, direction = direction, values = values, tolerance = tolerance, uncertainty = uncertainty)
}

# The metric of a comparison that has the name `metric`. `direction` NULL means its own direction.
comparison_metric <- function(cmp, metric, direction = NULL, call = rlang::caller_env()) {
  metric <- check_choice(metric, known_metrics(cmp), arg = "metric", call = call)
  if (!is.null(direction)) direction <- check_choice(direction, c("lower", "higher"), arg = "direction", call = call)
  numbers <- if (metric == "efficiency") metric_run_efficiency(cmp) else as.double(cmp$runs[[metric]])
  numbers[!is.finite(numbers)] <- NA
  if (all(is.na(numbers))) {
    abort(c(
      "{.arg metric} must have at least one finite value.",
      x = "None of the {length(numbers)} run{?s} has a finite {.field {metric}}."
    ), "value", call = call)
  }
  values <- metric_run_array(cmp, numbers)
  new_metric(metric, if (is.null(direction)) metric_own_direction(metric) else direction, values,
    metric_tolerance(cmp, metric, values), metric_uncertainty(cmp, metric))
}

metric_own_direction <- function(metric) {
  if (metric %in% names(metric_directions)) metric_directions[[metric]] else "none"
}

# (1 - loss / null loss) / total capacity: the share of the null loss that each effective parameter explains.
metric_run_efficiency <- function(cmp) {
  (1 - scores_against(cmp$runs$loss, metric_run_null_loss(cmp))) / cmp$runs$total_capacity
}

# The null loss of each run; in comparisons of older versions, without a column `null_loss`, that of its task.
metric_run_null_loss <- function(cmp) {
  frame_field_or(cmp$runs, "null_loss", unname(metric_task_null_losses(cmp$tasks)[cmp$runs$task]))
}

metric_task_null_losses <- function(tasks) vapply(tasks, null_loss, 0)

# Numbers of the runs as an array, replicates x tasks x networks, NA where there is no such run.
metric_run_array <- function(cmp, values) {
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

# The tolerance of a metric for each task. For losses it is 1e-8 of the least loss of the task, but at least 1e-12 of
# the null loss, since losses near zero are less accurate. Metrics that are losses divided by the null loss or the
# capacity have the same tolerance in their own scale. For any other metric it is 1e-8 of the largest absolute value.
metric_tolerance <- function(cmp, metric, values) {
  if (!metric %in% c(loss_metrics, relative_metrics, "efficiency")) return(1e-8 * metric_largest_by_task(abs(values)))
  losses <- metric_run_array(cmp, cmp$runs$loss)
  least <- -metric_largest_by_task(-losses)
  null <- metric_task_null_losses(cmp$tasks)
  tolerance <- pmax(1e-8 * least, 1e-12 * null, na.rm = TRUE)
  if (metric %in% loss_metrics) return(tolerance)
  tolerance <- scores_against(tolerance, null)
  if (metric %in% relative_metrics) return(tolerance)
  capacities <- metric_run_array(cmp, cmp$runs$total_capacity)
  tolerance / pmax(-metric_largest_by_task(-capacities), 1, na.rm = TRUE)
}

# The uncertainty of each run's value, in the shape of metric_run_array(). Training stops at a Newton decrement d, the
# decrease that the training loss could still have. A loss on other rows is of first order in the error of the weights
# and can change by up to 2 sqrt(d loss) (Cauchy-Schwarz). d is bounded by 1e-8 of the loss, the largest decrement of a
# run that has converged: the value of a run that has not converged is the loss that it reached, with the uncertainty at
# that bound.
metric_uncertainty <- function(cmp, metric) {
  runs <- cmp$runs
  if (!metric %in% held_out_metrics) return(metric_run_array(cmp, numeric(nrow(runs))))
  decrement <- frame_field_or(runs, "decrement", rep(NA_real_, nrow(runs)))
  decrement <- pmin(decrement, 1e-8 * runs$loss)
  trained_there <- !runs$task %in% run_data_tasks(cmp) & is.infinite(cmp$n_obs)
  change <- ifelse(trained_there, decrement, 2 * sqrt(pmax(decrement * runs$loss, 0)))
  uncertainty <- ifelse(is.na(decrement), 0, change + 1e-12 * abs(runs$loss))
  if (metric %in% c(relative_metrics, "efficiency")) uncertainty <- scores_against(uncertainty,
    metric_run_null_loss(cmp))
  if (metric == "efficiency") uncertainty <- uncertainty / pmax(runs$total_capacity, 1)
  uncertainty[!is.finite(uncertainty)] <- 0
  uncertainty[is.na(runs$loss)] <- NA
  metric_run_array(cmp, uncertainty)
}

# The largest value of each task, NA where all are NA.
metric_largest_by_task <- function(values) {
  apply(values, 2L, function(x) if (all(is.na(x))) NA_real_ else max(x, na.rm = TRUE))
}

# "excess_loss (lower is better)"
metric_text <- function(metric, direction) {
  if (direction == "none") metric else paste0(metric, " (", direction, " is better)")
}

# Ranks of values: 1 is the best, or the least without a direction. Two neighbours in order of value are tied if they
# differ by at most `tolerance` or by at most the sum of their `uncertainty`; ties extend over successive neighbours and
# share their mean rank. NA where the value is NA.
metric_ranks <- function(values, direction, tolerance, uncertainty = numeric(length(values))) {
  if (direction == "higher") values <- -values
  ranks <- rep(NA_real_, length(values))
  at <- order(values, na.last = NA)
  if (length(at) == 0L) return(ranks)
  apart <- pmax(uncertainty[at][-1L] + uncertainty[at][-length(at)], tolerance, 0, na.rm = TRUE)
  tied <- cumsum(c(TRUE, diff(values[at]) > apart))
  ranks[at] <- rank(tied)
  ranks
}

# Means over replicates (tasks x networks), with `complete` only over the replicates that have values of all networks.
# NA where there are none.
metric_task_means <- function(values, complete = FALSE) {
  if (complete) {
    lost <- apply(is.na(values), 1:2, any)
    values[rep(lost, times = dim(values)[[3L]])] <- NA
  }
  means <- colMeans(values, na.rm = TRUE)
  means[is.nan(means)] <- NA
  means
}

# ---- whether runs can be compared --------------------------------------------------------------------

# Whether the networks of a replicate share a sample: samples are finite and seeds do not differ between networks.
metric_shares_samples <- function(cmp) {
  (is.finite(cmp$n_obs) || !is.null(cmp$resamples)) && metric_seeds_agree(cmp$runs)
}

metric_seeds_agree <- function(runs) {
  replicate <- paste(runs$task, runs$replicate, sep = "\r")
  !any(vapply(split(runs$seed, replicate), function(seeds) length(unique(seeds)) > 1L, NA))
}

# One warning with all reasons against a comparison of these networks by this metric.
warn_metric_not_comparable <- function(cmp, metric, networks = names(cmp$networks)) {
  runs <- cmp$runs[cmp$runs$network %in% networks, , drop = FALSE]
  said <- c(
    metric_failed_text(runs), metric_unconverged_text(runs), metric_budget_text(runs, metric),
    if (!metric_seeds_agree(runs)) "Networks of a replicate have different seeds, and so different data."
  )
  if (length(said) == 0L) return(invisible())
  said <- gsub("([{}])", "\\1\\1", said)
  warn(c("The runs are not quite comparable.", stats::setNames(said, rep("x", length(said)))), "not_comparable")
}

metric_failed_text <- function(runs) {
  failed <- !has_run(runs)
  if (any(failed)) paste0(metric_counted_by(runs$network[failed], "run"), " failed, and are left out.")
}

metric_unconverged_text <- function(runs) {
  unconverged <- has_run(runs) & !runs$converged
  if (any(unconverged)) paste0(metric_counted_by(runs$network[unconverged], "run"), " did not converge.")
}

# "3 runs (dense 2, conv 1)"
metric_counted_by <- function(networks, noun) {
  counts <- table(factor(networks, unique(networks)))
  paste0(format_count(length(networks), noun), " (", paste(names(counts), counts, collapse = ", "), ")")
}

# A text for losses of networks with different budgets, else NULL. Networks have one budget if their numbers of
# parameters, or their total capacities, are all within a tenth of a common number.
metric_budget_text <- function(runs, metric) {
  if (!metric %in% c(loss_metrics, relative_metrics)) return(NULL)
  budget <- function(column) {
    medians <- tapply(runs[[column]], runs$network, stats::median, na.rm = TRUE)
    range(medians[is.finite(medians)])
  }
  params <- budget("n_params")
  totals <- budget("total_capacity")
  apart <- function(ends) ends[[2L]] > 1.1 / 0.9 * ends[[1L]] + 1e-8
  if (!apart(params) || !apart(totals)) return(NULL)
  paste0(
    "Budgets differ: ", params[[1L]], " to ", params[[2L]], " parameters, total capacity ",
    format(totals[[1L]], digits = 3), " to ", format(totals[[2L]], digits = 3),
    ". The metric \"efficiency\" accounts for capacity."
  )
}
