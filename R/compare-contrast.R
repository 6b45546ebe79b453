# Contrasts of architectures: differences of a metric between pairs of architectures, with tests.
#
# The units of a contrast are observations that are independent samples of the population of interest. Replicates of one
# task are no evidence about other tasks, so over several tasks each task is a unit, with one difference: the mean over
# its replicates. Within one task the units are its replicates, paired by the sample that they share.
#
# A test such as t_contrast() has the differences d, one per unit, as argument and returns a list: `estimate`,
# `conf.low`, `conf.high`, `statistic`, `p.value`, `method` and `reason`. A number that cannot be computed is NA, and
# `reason` is the text of the cause, else NA.

#' Contrast architectures
#'
#' Differences of a metric between all pairs of architectures, or between each and a control, with intervals and
#' tests.
#'
#' @section What is paired with what:
#' With several tasks, `by = "all"`: every architecture has one value a task, the mean over its replicates, and
#' architectures are paired by task. Replicates of a task are not further evidence about
#' tasks: they make its mean more precise, and taken for independent units they give intervals far too short.
#' The result speaks of tasks like these, as far as these are a sample of them. A metric in the units of a task, such as
#' `"loss"`, weighs tasks with larger losses more; `"relative_excess"` and ranks do not.
#'
#' With one task, or within each with `by = "task"`, the units are replicates, paired by the sample that they
#' share (`n_obs` finite); the result speaks of further samples of that task. With `n_obs = Inf` replicates share
#' nothing but the number of their starting weights: they are averaged, architectures are paired by task
#' alone, and a warning of class `capalloc_warning_pairing` says so; within one task that leaves an estimate and
#' no test. A data task draws its replicates' rows from the same data: they are not independent
#' samples, `rho` can say how far not, and a warning of class `capalloc_warning_resampled` says so. The resamples of
#' `compare_architectures(resamples = )` are paired by resample, with `rho` the share of rows that they hold out.
#'
#' @section Tests:
#' * `"t"`: paired t test of the mean difference, [stats::t.test()].
#' * `"wilcoxon"`: signed rank test, [stats::wilcox.test()]; the estimate is the pseudomedian. An interval that so
#'   few differences cannot give at this level is `NA`.
#' * `"bayes"`: the posterior of the mean difference with a flat prior, in closed form: a Student t with n - 1
#'   degrees of freedom, location the mean and scale sqrt((1/n + rho/(1 - rho)) s^2). `conf.low` and `conf.high`
#'   are its equal-tailed interval, `prob_less`, `prob_rope` and `prob_greater` its probabilities below, in and above
#'   the region of practical equivalence \[-rope, rope\].
#' * `"friedman"`: ranks within each unit, 1 the best (without a direction the least), by [stats::friedman.test()]. The
#'   estimate is the difference of mean ranks, the statistic z = difference / sqrt(k (k + 1) / (6 N)). Between
#'   all pairs `adj.p.value` is Nemenyi's, from the studentised range; against a control
#'   Holm's, or with `adjust = "bonferroni"` Dunn's. Intervals are simultaneous: +- the critical
#'   difference, Nemenyi's q sqrt(k (k + 1) / (6 N)) with q = `qtukey(level, k, Inf) / sqrt(2)`, otherwise Dunn's.
#'   [glance()] gives the global test, also in Iman and Davenport's form, and the critical difference. Its
#'   `p.value` is exact, from all orders of the ranks within units, where these are few enough (six architectures or
#'   fewer), else the chi-squared approximation; `p_method` says which. `f_p.value` is always the approximation, which
#'   is for more than about 10 units and 5 architectures.
#'
#' `rho` is the correlation between the differences of two units. It is 0 for tasks, and for replicates that are
#' fresh samples of a synthetic task. Where replicates resample one set of rows it is not: Nadeau and Bengio's
#' heuristic is the share of rows that a replicate is not trained on, such as 1/10 in ten-fold cross-validation. With
#' it the t test is their corrected one. It is derived for random divisions; for rolling origins, whose training rows
#' are nested, it is an approximation.
#'
#' Differences that do not vary (convex architectures on one population, or capacities that are counts) have no
#' standard error: they give the estimate, `NA` for the rest, and a reason. A difference is none where it is within
#' what a metric is known to (a loss: 1e-8 of the least loss of its task, or 1e-12 of tr V).
#'
#' @param cmp A comparison, from [compare_architectures()], or a table of scores that were computed elsewhere: a matrix
#'   (tasks x models) or a data frame with a column for each model and at most one of names of tasks; or a data frame
#'   with the columns `task`, `model`, optionally `replicate` (a fold or repeat), and one numeric column.
#' @param metric A numeric column of `cmp$runs`, or `"efficiency"`, (1 - loss / null_loss) / total_capacity. `NULL` is
#'   `"excess_loss"`, over several tasks `"relative_excess"` (excess_loss / null_loss), which does not depend on the
#'   scale of a task. Lower is better for losses, `mase`, `gradient_norm`, `decrement`, `iterations`, `redraws` and
#'   `seconds`, higher for `efficiency` and `accuracy`; others have no direction.
#' @param test `"t"`, `"wilcoxon"`, `"bayes"` or `"friedman"`.
#' @param control The name of an architecture to contrast all others with, or `NULL` for all pairs.
#' @param by `"all"`, over all tasks, or `"task"`, within each.
#' @param adjust Adjustment of p-values, over all rows of the result: one of [stats::p.adjust.methods], or
#'   `"nemenyi"` (`test = "friedman"` between all pairs, each task by itself). `NULL` means Nemenyi's where it applies
#'   and otherwise Holm's. The intervals of the t and the Wilcoxon test hold one by one and are not adjusted.
#' @param level Level of the intervals.
#' @param rope Half the width of the region of practical equivalence, in units of the metric.
#' @param rho Correlation between units, from 0 to below 1, for `"t"` and `"bayes"`. `NULL` is 0, and for resamples
#'   within a task the mean share of rows that they hold out.
#' @param direction `"lower"` or `"higher"`, for a metric whose direction is not known, or `NULL`. A table of scores
#'   needs it.
#' @param ... Not used.
#' @section Tables of scores:
#' Equal scores are ties, as they are printed. `metric` is then `"score"`. Scores of folds are no independent samples of
#' a task: `rho` accounts for that.
#' @returns A data frame of class `ca_contrast`, one row per pair (with `by = "task"`, per task and pair): `group1`,
#'   `group2`, `estimate` (group1 - group2), `conf.low`, `conf.high`, `statistic`, `p.value`, `adj.p.value`,
#'   for `"bayes"` `prob_less`, `prob_rope`, `prob_greater`, then `n` (units), `better` (the
#'   better group by the sign of the estimate, `NA` where there is no direction), `method`, `alternative`
#'   (`"two.sided"`), and `reason` (`NA`, or why a number is missing). `tidy()` gives it as a plain data
#'   frame, `glance()` what was asked (`metric`, `direction`, `test`, `by`, `adjust`, `level`, `contrasts`, `n`) and
#'   for Friedman's test `statistic`, `parameter`, `p.value`, `f_statistic`, `f_p.value`, `p_method`,
#'   `critical_difference`, `reason`, with a row for each task if by task; `augment()` the differences of each unit:
#'   `group1`, `group2`, `unit`, `value1`, `value2`, `difference`; `format()` a data frame of texts for
#'   [knitr::kable()].
#' @section Warnings and errors:
#' `capalloc_warning_not_comparable`: runs failed or did not converge, budgets differ by more than a tenth either way
#' (in parameters and in total capacity, for a loss), or seeds differ within a replicate. `capalloc_error_value`: an
#' unknown metric, fewer than two architectures, one task with one replicate.
#' @references Demsar (2006), Statistical comparisons of classifiers over multiple data sets, Journal of Machine
#'   Learning Research 7, 1-30. Nadeau and Bengio (2003) \doi{10.1023/A:1024068626366}. Corani and Benavoli (2015)
#'   \doi{10.1007/s10994-015-5486-z}.
#' @seealso [rank_results()], [capacity_difference()], [autoplot.ca_contrast()].
#' @examples
#' nets <- list(dense = arch_dense(16), dilated = arch_dilated(16), conv = arch_conv(16, 2, 3))
#' cmp <- compare_architectures(nets, classical_tasks(16), replicates = 3, n_obs = 200)
#' contrast_architectures(cmp)
#' contrast_architectures(cmp, "efficiency", test = "friedman")
#' contrast_architectures(cmp, test = "bayes", control = "dense", rope = 0.01)
#' @export
contrast_architectures <- function(cmp, metric = NULL, test = c("t", "wilcoxon", "bayes", "friedman"),
                                   control = NULL, by = c("all", "task"), adjust = NULL, level = 0.95, rope = 0,
                                   rho = NULL, direction = NULL, ...) {
  check_dots(...)
  cmp <- read_comparison(cmp, direction)
  if (inherits(cmp, "ca_score_table")) metric <- "score"
  if (is.null(metric)) metric <- contrast_default_metric(cmp, by)
  metric <- comparison_metric(cmp, metric, direction)
  test <- check_choice(test, c("t", "wilcoxon", "bayes", "friedman"))
  by <- check_choice(by, c("all", "task"))
  control <- check_contrast_control(control, cmp)
  setting <- new_contrast_setting(
    test, control, check_contrast_adjust(adjust, test, control), check_number(level, min = 0, max = 1, open = TRUE),
    check_number(rope, min = 0), check_contrast_rho(rho, cmp, by), metric$direction
  )
  paired <- metric_shares_samples(cmp)
  check_contrast_units(cmp, by, paired)
  if (!inherits(cmp, "ca_score_table")) warn_metric_not_comparable(cmp, metric$name)
  warn_contrast_pairing(cmp, by, paired, test)
  blocks <- contrast_blocks(metric, by, paired)
  made <- lapply(blocks, if (test == "friedman") friedman_contrast else paired_contrast, setting = setting)
  new_contrast(made, blocks, metric, by, setting)
}

# The arguments of contrast_architectures() that the tests use:
#   test       "t", "wilcoxon", "bayes" or "friedman"
#   control    name of the network that all others are contrasted with, NULL for all pairs
#   adjust     adjustment of p-values: one of stats::p.adjust.methods or "nemenyi"
#   level      level of intervals
#   rope       half the width of the region of practical equivalence
#   rho        correlation between the differences of two units
#   direction  of the metric, see new_metric()
new_contrast_setting <- function(test, control, adjust, level, rope, rho, direction) {
  list(test = test, control = control, adjust = adjust, level = level, rope = rope, rho = rho, direction = direction)
}

# The excess loss; over several tasks relative to the null loss of each, so that no task counts more because of its
# units. Comparisons of older versions have no such column.
contrast_default_metric <- function(cmp, by) {
  pools <- by[[1L]] == "all" && length(cmp$tasks) > 1L
  if (pools && "relative_excess" %in% names(cmp$runs)) "relative_excess" else "excess_loss"
}

# ---- arguments ----------------------------------------------------------------------------------------

check_contrast_control <- function(control, cmp, call = rlang::caller_env()) {
  names <- names(cmp$networks)
  if (length(names) < 2L) {
    abort(c(
      "{.arg cmp} must have two architectures or more to contrast.",
      x = "It has {length(names)}: {.val {names}}."
    ), "value", call = call)
  }
  if (is.null(control)) return(NULL)
  check_choice(control, names, arg = "control", call = call)
}

check_contrast_adjust <- function(adjust, test, control, call = rlang::caller_env()) {
  nemenyi <- test == "friedman" && is.null(control)
  if (is.null(adjust)) return(if (nemenyi) "nemenyi" else "holm")
  check_choice(adjust, c(stats::p.adjust.methods, if (nemenyi) "nemenyi"), arg = "adjust", call = call)
}

# NULL is the correlation of resamples where the units are resamples, else 0.
check_contrast_rho <- function(rho, cmp, by, call = rlang::caller_env()) {
  if (is.null(rho)) {
    within <- by == "task" || length(cmp$tasks) == 1L
    return(if (within && !is.null(cmp$resamples)) resamples_rho(cmp$resamples) else 0)
  }
  rho <- check_number(rho, min = 0, max = 1, arg = "rho", call = call)
  if (rho < 1) return(rho)
  abort(c(
    "{.arg rho} must be below 1.",
    x = "It is {rho}: all units would have the same difference."
  ), "value", call = call)
}

# Raises an error if there is only one unit because of a single replicate. With `n_obs = Inf` more replicates would not
# help; then the result has an estimate, no test, and a reason.
check_contrast_units <- function(cmp, by, paired, call = rlang::caller_env()) {
  replicates <- length(unique(cmp$runs$replicate))
  if (replicates > 1L || !paired || (by == "all" && length(cmp$tasks) > 1L)) return(invisible())
  abort(c(
    "{.arg cmp} must have two replicates or more to contrast architectures within a task.",
    x = "It has {replicates}.",
    i = "Run the comparison with {.code replicates = 10}, or with several tasks."
  ), "value", call = call)
}

warn_contrast_pairing <- function(cmp, by, paired, test) {
  within <- by == "task" || length(cmp$tasks) == 1L
  if (!paired) {
    warn(c(
      "Architectures are paired only by task, since their replicates share no sample.",
      i = if (is.infinite(cmp$n_obs)) "With {.code n_obs = Inf} replicates vary only the starting weights." else
        "Their seeds differ within a replicate.",
      i = if (within) "Within one task there is then an estimate, but no test."
    ), "pairing")
  } else if (within && !is.null(cmp$resamples)) {
    if (test %in% c("t", "bayes")) return(invisible())
    warn(c(
      "Resamples share rows, and {.code test = {.val {test}}} takes them as independent: p-values are too small.",
      i = "{.code test = {.val t}} and {.val bayes} use their correlation."
    ), "resampled")
  } else if (within && length(run_data_tasks(cmp)) > 0L) {
    warn(c(
      "Replicates of {.val {run_data_tasks(cmp)}} resample the same rows: they are not independent samples.",
      i = "Intervals are conditional on these rows; {.arg rho} can account for the correlation of replicates."
    ), "resampled")
  }
}

# ---- units --------------------------------------------------------------------------------------------

# The values of a metric on the units of one test. Blocks are stored in results, with these names:
#   task        name of the task, NA for a block over all tasks
#   of          what a unit is: "task" or "replicate"
#   units       names of the units
#   tolerance   of each unit: smaller differences count as zero
#   pair(a, b)  units x 2: values of two networks, means over the replicates that have both
#   table       units x networks: values of all, means over the replicates that have all
#   spread      units x networks: uncertainty of each value
new_contrast_block <- function(task, of, units, tolerance, pair, table, spread) {
  list(task = task, of = of, units = units, tolerance = tolerance, pair = pair, table = table, spread = spread)
}

# One block whose units are the tasks, or one block for each task.
contrast_blocks <- function(metric, by, paired) {
  tasks <- dimnames(metric$values)$task
  if (by == "all" && length(tasks) > 1L) return(list(contrast_block_of_tasks(metric, paired)))
  lapply(tasks, function(task) contrast_block_of_replicates(metric, task, paired))
}

# A block for all tasks, whose values are means over replicates.
contrast_block_of_tasks <- function(metric, paired) {
  values <- metric$values
  pair <- function(a, b) metric_task_means(values[, , c(a, b), drop = FALSE], paired)
  new_contrast_block(NA_character_, "task", dimnames(values)$task, metric$tolerance, pair, metric_task_means(values,
    paired),
    metric_task_means(metric$uncertainty))
}

# A block for one task. Its units are the replicates, or where these share no sample the task with means over them.
contrast_block_of_replicates <- function(metric, task, paired) {
  by_unit <- function(values) {
    values <- values[, task, , drop = FALSE]
    if (paired) matrix(values, nrow(values), dimnames = dimnames(values)[c(1L, 3L)]) else metric_task_means(values)
  }
  table <- by_unit(metric$values)
  pair <- function(a, b) table[, c(a, b), drop = FALSE]
  new_contrast_block(task, if (paired) "replicate" else "task", rownames(table),
    rep(metric$tolerance[[task]], nrow(table)), pair, table, by_unit(metric$uncertainty))
}

# ---- one test per pair --------------------------------------------------------------------------------

# Returns list(rows): a data frame with one row per pair.
paired_contrast <- function(block, setting) {
  pairs <- friedman_contrast_pairs(colnames(block$table), setting$control)
  rows <- lapply(seq_len(nrow(pairs)), function(i) {
    d <- contrast_block_differences(block, pairs[i, 1L], pairs[i, 2L])
    c(list(group1 = pairs[i, 1L], group2 = pairs[i, 2L]), contrast_test_differences(d, block, setting))
  })
  list(rows = stack_frames(lapply(rows, light_frame)))
}

# Returns a list with one entry for each unit that has both networks: `d`, the differences a - b, zero where at most the
# tolerance or the sum of the two uncertainties; `tolerance`, the larger of these two.
contrast_block_differences <- function(block, a, b) {
  values <- block$pair(a, b)
  d <- values[, 1L] - values[, 2L]
  tolerance <- pmax(block$tolerance, block$spread[, a] + block$spread[, b], 0, na.rm = TRUE)
  d[!is.na(d) & abs(d) <= tolerance] <- 0
  list(d = unname(d[!is.na(d)]), tolerance = tolerance[!is.na(d)])
}

# The columns of one pair: result of the test, or of no_contrast(), and the number of units n.
contrast_test_differences <- function(differences, block, setting) {
  d <- differences$d
  test <- switch(setting$test, t = t_contrast, wilcoxon = wilcoxon_contrast, bayes = bayes_contrast)
  reason <- contrast_no_test_reason(d, differences$tolerance, block$of)
  out <- if (is.na(reason)) test(d, setting) else no_contrast(d, setting, reason)
  c(out, list(n = length(d)))
}

# NA, or the text of why these differences have no standard error.
contrast_no_test_reason <- function(d, tolerance, of) {
  n <- length(d)
  if (n == 0L) return(paste0("no ", of, " has both"))
  if (n == 1L) {
    return(if (of == "task") "one task, and no replicates that share samples" else "one replicate has both")
  }
  if (diff(range(d)) > max(tolerance)) return(NA_character_)
  if (all(d == 0)) paste("all", n, "differences are zero") else paste("all", n, "differences are the same")
}

no_contrast <- function(d, setting, reason) {
  c(
    list(
      estimate = if (length(d) == 0L) NA_real_ else mean(d), conf.low = NA_real_, conf.high = NA_real_,
      statistic = NA_real_, p.value = NA_real_
    ),
    if (setting$test == "bayes") list(prob_less = NA_real_, prob_rope = NA_real_, prob_greater = NA_real_),
    list(method = test_names[[setting$test]], reason = reason)
  )
}

test_names <- c(
  t = "Paired t-test", wilcoxon = "Wilcoxon signed rank test", bayes = "Bayesian correlated t-test",
  friedman = "Friedman rank sum test"
)

# Standard error of the mean of n differences with correlation rho (Nadeau and Bengio 2003).
contrast_correlated_error <- function(d, rho) sqrt(1 / length(d) + rho / (1 - rho)) * stats::sd(d)

t_contrast <- function(d, setting) {
  error <- contrast_correlated_error(d, setting$rho)
  df <- length(d) - 1
  half <- stats::qt((1 + setting$level) / 2, df) * error
  statistic <- mean(d) / error
  list(
    estimate = mean(d), conf.low = mean(d) - half, conf.high = mean(d) + half, statistic = statistic,
    p.value = 2 * stats::pt(-abs(statistic), df),
    method = if (setting$rho > 0) "Corrected paired t-test" else test_names[["t"]], reason = NA_character_
  )
}

# Two warnings of wilcox.test() are muffled. Ties and zeros prevent exact p-values, which the column `method` reports.
# The confidence level may not be attainable: the widest interval, from the least to the largest of n differences, has
# level 1 - 2^(1-n). Then the limits are NA.
wilcoxon_contrast <- function(d, setting) {
  out <- suppressWarnings(stats::wilcox.test(d, conf.int = TRUE, conf.level = setting$level))
  reached <- 2^(1 - sum(d != 0)) <= 1 - setting$level + 1e-12 && all(is.finite(out$conf.int))
  list(
    estimate = unname(out$estimate), conf.low = if (reached) out$conf.int[[1L]] else NA_real_,
    conf.high = if (reached) out$conf.int[[2L]] else NA_real_, statistic = unname(out$statistic),
    p.value = out$p.value, method = out$method, reason = if (reached) NA_character_ else
      paste0("no ", 100 * setting$level, "% interval from ", length(d), " differences")
  )
}

# Posterior of the mean difference (Corani and Benavoli 2015): Student t with n - 1 degrees of freedom.
bayes_contrast <- function(d, setting) {
  df <- length(d) - 1
  scale <- contrast_correlated_error(d, setting$rho)
  half <- stats::qt((1 + setting$level) / 2, df) * scale
  less <- stats::pt((-setting$rope - mean(d)) / scale, df)
  greater <- stats::pt((setting$rope - mean(d)) / scale, df, lower.tail = FALSE)
  list(
    estimate = mean(d), conf.low = mean(d) - half, conf.high = mean(d) + half, statistic = NA_real_,
    p.value = NA_real_, prob_less = less, prob_rope = max(0, 1 - less - greater), prob_greater = greater,
    method = test_names[["bayes"]], reason = NA_character_
  )
}

# ---- the result ---------------------------------------------------------------------------------------

# `made` are the results of the tests, one per block.
new_contrast <- function(made, blocks, metric, by, setting) {
  tasks <- vapply(blocks, function(block) block$task, "")
  rows <- stack_frames(lapply(made, function(x) x$rows))
  per_block <- vapply(made, function(x) nrow(x$rows), 0L)
  adjusted <- if (setting$adjust == "nemenyi") rows$adj.p.value else stats::p.adjust(rows$p.value, setting$adjust)
  columns <- c(
    if (by == "task") list(task = rep(tasks, per_block)),
    as.list(rows[c("group1", "group2", "estimate", "conf.low", "conf.high", "statistic", "p.value")]),
    list(adj.p.value = adjusted),
    as.list(rows[intersect(names(rows), c("prob_less", "prob_rope", "prob_greater"))]),
    list(
      n = rows$n, better = contrast_better_group(rows, metric$direction, setting$test), method = rows$method,
      alternative = rep("two.sided", nrow(rows)), reason = rows$reason
    )
  )
  new_frame(columns, "ca_contrast",
    metric = metric$name, setting = setting, by = by, of = blocks[[1L]]$of, tasks = tasks, blocks = blocks,
    global = lapply(made, function(x) x$global), ranks = lapply(made, function(x) x$ranks)
  )
}

# The better network of each pair, by the sign of the estimate; NA without a direction or for an estimate of zero. A
# lower rank is better for every metric with a direction.
contrast_better_group <- function(rows, direction, test) {
  if (direction == "none") return(rep(NA_character_, nrow(rows)))
  first_is_less <- if (direction == "lower" || test == "friedman") rows$estimate < 0 else rows$estimate > 0
  better <- ifelse(first_is_less, rows$group1, rows$group2)
  better[is.na(rows$estimate) | rows$estimate == 0] <- NA
  better
}

#' @rdname contrast_architectures
#' @param x A contrast.
#' @export
print.ca_contrast <- function(x, ...) {
  cat(contrast_headline(x), "\n", sep = "")
  shown <- plain_frame(x)
  empty <- c("statistic", "p.value", "adj.p.value")[attr(x, "setting")$test == "bayes"]
  shown <- shown[!names(shown) %in% c("method", "alternative", empty, if (all(is.na(shown$reason))) "reason")]
  print(shown, row.names = FALSE, digits = 3)
  cat(contrast_notes(x), sep = "\n")
  invisible(x)
}

contrast_headline <- function(x) {
  setting <- attr(x, "setting")
  paste0("<contrast> ", metric_text(attr(x, "metric"), setting$direction), ": ", test_names[[setting$test]], ", ",
    if (attr(x, "by") == "task") "within each task " else if (!is.na(attr(x, "tasks")[[1L]]))
      paste0("within ", attr(x, "tasks")[[1L]], " "),
    "by ", attr(x, "of"))
}

# Lines of text that describe the estimates, intervals and p-values.
contrast_notes <- function(x) {
  setting <- attr(x, "setting")
  percent <- paste0(100 * setting$level, "%")
  if (setting$test == "bayes") {
    return(paste0(percent, " intervals of the posterior; rope ", format(setting$rope), ", rho ", format(setting$rho,
      digits = 3)))
  }
  p <- if (setting$adjust == "nemenyi") "p-values adjusted by Nemenyi" else
    paste0("p-values adjusted by ", setting$adjust, " over ", format_count(nrow(x), "row"))
  if (setting$test != "friedman") {
    return(paste0("estimate: ", if (setting$test == "t") "mean" else "pseudomedian",
      " of group1 - group2; ", percent, " intervals, not simultaneous; ", p,
      if (setting$rho > 0) paste0("; rho ", format(setting$rho, digits = 3))))
  }
  c(paste0("estimate: difference of mean ranks; ", percent, " intervals, simultaneous; ", p), friedman_notes(x))
}

#' @rdname contrast_architectures
#' @param digits Significant digits.
#' @export
format.ca_contrast <- function(x, digits = 3, ...) {
  rows <- plain_frame(x)
  setting <- attr(x, "setting")
  shown <- list(
    task = rows$task, contrast = paste(rows$group1, "-", rows$group2),
    estimate = format_with_interval(rows$estimate, rows$conf.low, rows$conf.high, digits)
  )
  if (setting$test == "bayes") {
    shown[c("P(less)", "P(rope)", "P(greater)")] <- lapply(rows[c("prob_less", "prob_rope", "prob_greater")], format_p)
  } else {
    shown[c("p", "adjusted p")] <- lapply(rows[c("p.value", "adj.p.value")], format_p)
  }
  shown$n <- as.character(rows$n)
  if (!all(is.na(rows$reason))) shown$note <- ifelse(is.na(rows$reason), "", rows$reason)
  light_frame(shown[!vapply(shown, is.null, NA)])
}

#' @rdname contrast_architectures
#' @export
glance.ca_contrast <- function(x, ...) {
  check_dots(...)
  setting <- attr(x, "setting")
  global <- attr(x, "global")
  tasks <- attr(x, "tasks")
  common <- list(
    metric = attr(x, "metric"), direction = setting$direction, test = setting$test, by = attr(x, "of"),
    adjust = setting$adjust, level = setting$level, contrasts = nrow(x), n = max(x$n)
  )
  if (setting$test != "friedman") return(light_frame(common))
  tests <- stack_frames(global)
  common <- lapply(common, rep, nrow(tests))
  common$n <- tests$n
  common$contrasts <- rep(nrow(x) %/% nrow(tests), nrow(tests))
  light_frame(c(
    if (attr(x, "by") == "task") list(task = tasks), common, as.list(tests[names(tests) != "n"])
  ))
}

#' @rdname contrast_architectures
#' @export
augment.ca_contrast <- function(x, ...) {
  check_dots(...)
  setting <- attr(x, "setting")
  frames <- lapply(attr(x, "blocks"), function(block) {
    pairs <- friedman_contrast_pairs(colnames(block$table), setting$control)
    per_pair <- lapply(seq_len(nrow(pairs)), function(i) {
      values <- if (setting$test == "friedman") block$table[, pairs[i, ]] else block$pair(pairs[i, 1L], pairs[i, 2L])
      values <- matrix(values, ncol = 2L)
      n <- nrow(values)
      light_frame(list(
        task = rep(block$task, n), group1 = rep(pairs[i, 1L], n), group2 = rep(pairs[i, 2L], n), unit = block$units,
        value1 = values[, 1L], value2 = values[, 2L], difference = values[, 1L] - values[, 2L]
      ))
    })
    stack_frames(per_pair)
  })
  rows <- stack_frames(frames)
  if (attr(x, "by") == "task") rows else rows[names(rows) != "task"]
}
