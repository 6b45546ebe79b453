# Ranks of architectures, with the values of the metric.

#' @importFrom generics rank_results
#' @export
generics::rank_results

#' Rank architectures
#'
#' The mean of a metric for each task and architecture, its rank within the task, and the mean of these ranks.
#'
#' Rank 1 is the best; of a metric without a direction, such as `total_capacity`, the least. Values that lie
#' within what the metric is known to (see [contrast_architectures()]) share their mean rank, so that rounding decides
#' nothing. The mean rank is over the tasks on which an architecture has runs.
#'
#' @param x A comparison, from [compare_architectures()], or a table of scores, see [contrast_architectures()].
#' @param metric,direction As in [contrast_architectures()]. A table of scores needs `direction`.
#' @param ... Not used.
#' @returns A data frame of class `ca_ranks`, one row per architecture and task, the best mean rank first: `network`,
#'   `task`, `metric`, `mean` (over runs), `std_err` (`NA` for a single run), `n` (runs with a value), `rank`,
#'   `mean_rank`. `summary()` of it: one row per architecture, `network`, `mean_rank`, `best` (tasks on which it
#'   is first, alone or tied), `tasks`. `glance()`: one row, `metric`, `direction`, `networks`, `tasks`. `format()`: a
#'   table of texts, a row per architecture and a column per task, ready for [knitr::kable()].
#' @seealso [contrast_architectures()] for tests; `autoplot(cmp, type = "rank")`.
#' @examples
#' cmp <- compare_architectures(
#'   list(dense = arch_dense(16), dilated = arch_dilated(16)), classical_tasks(16), replicates = 2
#' )
#' rank_results(cmp)
#' summary(rank_results(cmp, "efficiency"))
#' @export
rank_results.ca_comparison <- function(x, metric = "excess_loss", direction = NULL, ...) {
  check_dots(...)
  rank_comparison(x, metric, direction)
}

#' @rdname rank_results.ca_comparison
#' @export
rank_results.data.frame <- function(x, direction = NULL, ...) {
  check_dots(...)
  rank_comparison(read_comparison(x, direction), "score", direction)
}

#' @rdname rank_results.ca_comparison
#' @export
rank_results.matrix <- rank_results.data.frame

rank_comparison <- function(x, metric, direction, call = rlang::caller_env()) {
  metric <- comparison_metric(x, metric, direction, call)
  rows <- ranks_metric_means(metric)
  order <- order(rows$mean_rank, match(rows$network, names(x$networks)), match(rows$task, names(x$tasks)))
  new_frame(lapply(rows, function(column) column[order]), "ca_ranks", direction = metric$direction,
    networks = names(x$networks), tasks = names(x$tasks))
}

# A data frame with one row per network and task, ordered by task: means over replicates, standard errors and ranks.
ranks_metric_means <- function(metric) {
  values <- metric$values
  means <- metric_task_means(values) # tasks x networks
  counts <- colSums(!is.na(values))
  sd <- apply(values, 2:3, stats::sd, na.rm = TRUE)
  sd[counts < 2] <- NA
  uncertainty <- metric_task_means(metric$uncertainty)
  ranks <- vapply(seq_len(nrow(means)), function(i) {
    metric_ranks(means[i, ], metric$direction, metric$tolerance[[i]], uncertainty[i, ])
  }, numeric(ncol(means)))
  ranks <- matrix(ranks, ncol(means)) # networks x tasks
  mean_rank <- rowMeans(ranks, na.rm = TRUE)
  mean_rank[is.nan(mean_rank)] <- NA
  light_frame(list(
    network = rep(colnames(means), nrow(means)), task = rep(rownames(means), each = ncol(means)),
    metric = rep(metric$name, length(means)), mean = c(t(means)), std_err = c(t(sd / sqrt(counts))),
    n = as.integer(t(counts)), rank = c(ranks), mean_rank = rep(mean_rank, nrow(means))
  ))
}

#' @rdname rank_results.ca_comparison
#' @param object Ranks, from `rank_results()`.
#' @export
summary.ca_ranks <- function(object, ...) {
  check_dots(...)
  per <- split(plain_frame(object), factor(object$network, unique(object$network)))
  light_frame(list(
    network = names(per), mean_rank = unname(vapply(per, function(rows) rows$mean_rank[[1L]], 0)),
    best = unname(vapply(per, function(rows) sum(ranks_first(object)[object$network == rows$network[[1L]]]), 0L)),
    tasks = unname(vapply(per, function(rows) sum(!is.na(rows$rank)), 0L))
  ))
}

# Whether a row has the least rank of its task.
ranks_first <- function(rows) {
  least <- tapply(rows$rank, rows$task, function(x) if (all(is.na(x))) NA_real_ else min(x, na.rm = TRUE))
  !is.na(rows$rank) & rows$rank == least[rows$task]
}

#' @export
glance.ca_ranks <- function(x, ...) {
  check_dots(...)
  light_frame(list(
    metric = x$metric[[1L]], direction = attr(x, "direction"), networks = length(attr(x, "networks")),
    tasks = length(attr(x, "tasks"))
  ))
}

#' @export
print.ca_ranks <- function(x, ...) {
  cat("<ranks> ", metric_text(x$metric[[1L]], attr(x, "direction")), ", 1 is ",
    if (attr(x, "direction") == "none") "the least" else "the best", "\n", sep = "")
  print(format(x), row.names = FALSE, right = FALSE)
  cat("mean (rank) on each task\n")
  invisible(x)
}

#' @rdname rank_results.ca_comparison
#' @param digits Significant digits.
#' @export
format.ca_ranks <- function(x, digits = 3, ...) {
  networks <- unique(x$network)
  texts <- lapply(stats::setNames(nm = attr(x, "tasks")), function(task) {
    rows <- plain_frame(x)[x$task == task, , drop = FALSE]
    rows <- rows[match(networks, rows$network), , drop = FALSE]
    shown <- format_with_interval(rows$mean, NA, NA, digits)
    ifelse(is.na(rows$rank), "", paste0(shown, " (", format_rank(rows$rank), ")"))
  })
  mean_rank <- x$mean_rank[match(networks, x$network)]
  light_frame(c(list(network = networks, `mean rank` = format_rank(mean_rank)), texts))
}

format_rank <- function(rank) ifelse(is.na(rank), "", vapply(rank, function(r) format(round(r, 2)), ""))
