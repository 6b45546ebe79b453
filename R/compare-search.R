# Search: candidates of a family are compared on one task, and ranked by loss, capacity and number of parameters.
#
# The runs are those of compare_architectures() with all candidates and all replicates. Halving computes some of them,
# round by round, so its runs, seeds and checkpoint files are those of the full comparison.

#' Search a family of architectures
#'
#' Trains networks of one or several families on a task, all within a budget of parameters, and ranks them by their
#' excess loss, with the capacity that each spends beside it: which dilations, widths, depths or memory lengths does
#' the task need?
#'
#' @section Candidates:
#' `family` is one of three.
#'
#' * Names of presets: `"dense"`, `"deep"`, `"low_rank"`, `"local"`, `"conv"`, `"dilated"`, `"separable"`,
#'   `"residual"`, `"densenet"`, `"strided"`, `"pooled"`, `"hierarchical"`, `"unet"`, `"recurrent"`,
#'   `"conv_recurrent"`, each standing for the function `arch_*()` of that name ([architectures]). Without a `grid`,
#'   sizes on a coarse ladder (1, 2, 3, 4, 6, 8, 12, ..) are tried that suit the input, and only those within the
#'   budget are candidates.
#' * A preset's name, or a function of an input and further arguments that gives a network, with `grid`: a data
#'   frame whose columns are arguments, a row for each candidate (a list column for arguments of several numbers).
#' * A named list of networks.
#'
#' Networks of the first two are built on the task's input, with as many `outputs` as the task has, and with a
#' `bias` where its means ask for one (tasks from data), where they have these arguments and `grid` does not give
#' them. All parameters count for the budget. A row of `grid`, or a network of a list, that is above the budget or
#' cannot be built is not trained, and stays as a row with its `error`.
#'
#' @section Order:
#' The best candidate has the least mean excess loss over its runs. Excess losses that lie within
#' what they are known to are equal (see [contrast_architectures()], which also tests whether a difference is more
#' than chance), and then the least total capacity decides, then the number of parameters: capacity that buys
#' nothing is not rewarded. The total capacity of an over-parameterised network differs between starts, and its rank
#' is not always decided, so a candidate has a range of it: from the least `rank_low` to the largest `rank_high` of its
#' runs. Candidates of the same loss whose ranges overlap are tied on capacity.
#'
#' What capacity buys is in three columns. `frontier` marks candidates that no other one beats: none has as
#' little of both total capacity and excess loss and less of one, or as much of both from fewer parameters (two
#' candidates have as much capacity where the median of each lies within the range of the other). `gain`
#' is, along the frontier, the fall of the loss for each unit of capacity more than the candidate before it
#' has (the first one is measured from the null loss, that of the best constant, with no capacity). `efficiency` is the
#' mean of (1 - loss / null loss) / total capacity.
#'
#' `coverage` (a measure of this package, not of the papers) is the mean of the capacity allocated to each input and
#' output, weighted by the task's [task_demand()]: near 1 for a single output, when every input that matters is
#' modelled freely.
#'
#' For tasks from data, losses are those on held-out rows, and excess losses are measured from the best linear
#' model. The winner's is then too good: it was chosen by these very rows.
#'
#' @section Halving:
#' `strategy = "halving"` is successive halving (Jamieson and Talwalkar 2016) whose resource is
#' the number of replicates, that is of starts, and of samples with a finite `n_obs`. The first round gives each
#' candidate one replicate or few; the best `keep` of the candidates go on to the next round, which doubles the
#' replicates, until the last round has all `replicates`. Those who got further rank first. Replicate i has the same
#' seed in every round and in a plain grid, so runs are not done again, and `keep = 1` gives the grid's result.
#'
#' @section Checkpoints and workers:
#' As in [compare_architectures()], of which this is one: its checkpoint is that of the comparison of
#' all candidates, so that a halving search can be continued as a grid. On plans of package future the runs of
#' a round are spread over the workers.
#'
#' @section Errors:
#' Classes: `capalloc_error_budget`, a budget below the smallest candidate, with a warning of class
#' `capalloc_warning_budget` for presets that have none where others do; `capalloc_error_n_obs`, networks that are
#' not linear, with `n_obs = Inf` on a task without rows; `capalloc_error_shape`, candidates that do not fit the
#' task; `capalloc_error_value`, a task from data that holds out no rows, or an unknown family or column; and those
#' of [compare_architectures()].
#'
#' @param task A task.
#' @param budget Most parameters of a candidate; `Inf` only with `grid` or a list of networks.
#' @param family Names of presets, or a function, or a named list of networks, see below.
#' @param strategy `"grid"`, every candidate with all replicates, or `"halving"`. (`method` is the optimiser, as in
#'   [fit()][fit.ca_network()].)
#' @param replicates Number of runs of each candidate; in halving, of those that get to the last round.
#' @param n_obs,seed,checkpoint As in [compare_architectures()].
#' @param ... Passed on to [fit()][fit.ca_network()]: `method`, `restarts`, `control`.
#' @param grid `NULL`, or a data frame of arguments of `family`.
#' @param keep For halving: the share of the candidates that go on to the next round, rounded up; at least one does.
#' @returns A list of class `ca_search` with
#'
#'   * `candidates`, a data frame with one row per candidate, the best first: `rank` (`NA` without a loss),
#'     `candidate` (its name), `family`, a column for each argument that was tried (`arg_*` where its name is taken;
#'     several numbers as text, with dashes), `n_params`, `memory` (positions from the oldest that the output sees;
#'     on a grid rows times columns), `total_capacity` (the median over runs) with its range `total_low` and
#'     `total_high`, means over runs of `loss`, `excess_loss` and its `std_err`,
#'     `efficiency`, `gain` (`NA` off the frontier), `coverage`, `frontier`, `rounds` (that it took part in), `runs`
#'     (that did not fail), `failed`, `unconverged`, `undecided` (runs whose rank is not decided), `seconds` (a run's
#'     mean), `error` (`NA`, or why it was not trained, or why its first failed run did);
#'   * `best`, the network that ranks first, without new coefficients (`NULL` when no run has a loss);
#'   * `rounds`, a data frame: `round`, `candidates`, `replicates` (since the beginning), `runs` (of the round);
#'   * `comparison`, a `ca_comparison` of the candidates that were trained, with all their runs (after halving, fewer
#'     of those that did not get further);
#'   * `task`, `budget`, `strategy`, `seed`.
#' @references Jamieson, K. and Talwalkar, A. (2016). Non-stochastic best arm identification and hyperparameter
#'   optimization. \doi{10.48550/arXiv.1502.07943}.
#' @seealso [autoplot.ca_search()] for pictures, [ca_search] for other methods.
#' @examples
#' task <- task_fgn(16, hurst = 0.8)
#' found <- search_architecture(task, 16, family = c("dilated", "conv"), replicates = 2)
#' found
#' summary(found)
#' fit(found$best, task, seed = 1)
#' # any function of an input, over any of its arguments
#' sizes <- expand.grid(kernel = c(2, 4, 8), depth = 1:2, filters = 1)
#' search_architecture(task, budget = 16, family = arch_conv, grid = sizes, replicates = 2)
#' @export
search_architecture <- function(task, budget, family, strategy = c("grid", "halving"), replicates = 5, n_obs = Inf,
                                seed = 1, ..., grid = NULL, keep = 0.5, checkpoint = NULL) {
  label <- if (is.symbol(substitute(family))) as.character(substitute(family)) else "function"
  check_task(task)
  check_search_judged(task)
  budget <- check_search_budget(budget, family, grid)
  strategy <- check_choice(strategy, c("grid", "halving"))
  keep <- check_number(keep, min = 0, max = 1)
  replicates <- check_count(replicates, min = if (strategy == "halving") 2L else 1L)
  found <- search_candidates(family, grid, task, budget, label)
  networks <- lapply(Filter(function(x) is.null(x$error), found), function(x) x$network)
  work <- compare_work(networks, list(task = task), replicates, n_obs, seed, list(...), checkpoint)
  check_search_sampled(work)
  new_search(found, search_rounds(work, strategy, keep), task, budget, strategy)
}

# ---- arguments -----------------------------------------------------------------------------------

check_search_budget <- function(budget, family, grid, call = rlang::caller_env()) {
  own <- !is.null(grid) || is.list(family)
  if (own && identical(budget, Inf)) return(Inf)
  check_number(budget, min = 1, call = call)
}

# Raises an error for data tasks without held-out rows, where no candidate would have a loss.
check_search_judged <- function(task, call = rlang::caller_env()) {
  if (!is_data_task(task) || NROW(task$data$x_test) > 0L) return(invisible())
  abort(c(
    "{.arg task} must have held-out rows, on which the losses of candidates are compared.",
    x = "All its {nrow(task$data$x)} row{?s} are training rows.",
    i = "Create the task with, for example, {.code test = 0.2}."
  ), "value", call = call)
}

# Raises an error before the first run if networks need rows, and the task has only population moments.
check_search_sampled <- function(work, call = rlang::caller_env()) {
  if (is.finite(work$n_obs) || is_data_task(work$tasks[[1L]])) return(invisible())
  fitting <- work$fitting
  control <- fit_control(as.list(fitting$control), c(fitting$method, "lm")[[1L]], call = call)
  refused <- vapply(work$networks, needs_rows, NA, work$tasks[[1L]], control)
  if (!any(refused)) return(invisible())
  abort(c(
    "{.arg n_obs} must be finite: population moments suffice only for linear networks that are trained on the squared
      error alone.",
    x = "It is {.code Inf}, and {.val {names(work$networks)[refused]}} need{?s/} rows.",
    i = "Simulate rows with, for example, {.code n_obs = 1000}."
  ), "n_obs", call = call)
}

# ---- rounds --------------------------------------------------------------------------------------

# Computes the runs of a search. Returns a list: `comparison`, of all computed runs; `rounds`, a data frame with one row
# per round; `entered`, for each network the number of rounds that it took part in. An interrupt ends the search after
# the current round.
search_rounds <- function(work, strategy, keep, call = rlang::caller_env()) {
  begun <- schedule_begin_design(work, call)
  work <- begun$work
  done <- begun$done
  entered <- stats::setNames(integer(length(work$networks)), names(work$networks))
  alive <- names(entered)
  asked <- logical(length(done))
  replicates <- if (strategy == "grid") work$replicates else search_halving_replicates(work$replicates)
  rounds <- NULL
  for (r in seq_along(replicates)) {
    rows <- which(work$design$network %in% alive & work$design$replicate <= replicates[[r]])
    done <- schedule_run_rows(work, done, rows)
    rounds <- rbind(rounds, c(r, length(alive), replicates[[r]], length(setdiff(rows, which(asked)))))
    asked[rows] <- TRUE
    entered[alive] <- r
    if (any(vapply(done[rows], is.null, NA))) break
    scores <- search_score_runs(search_asked_runs(work, done, rows, alive))
    alive <- alive[search_best_first(scores)][seq_len(max(1, ceiling(keep * length(alive) - 1e-9)))]
  }
  warn_schedule_unwritten(work, done)
  work$design <- work$design[asked, , drop = FALSE]
  list(comparison = new_comparison(work, done[asked]), rounds = search_rounds_frame(rounds), entered = entered)
}

# Numbers of replicates of the rounds, doubled from round to round, the last one equal to `replicates`.
search_halving_replicates <- function(replicates) {
  as.integer(replicates %/% 2^(floor(log2(replicates)):0))
}

search_rounds_frame <- function(rounds) {
  storage.mode(rounds) <- "integer"
  light_frame(list(round = rounds[, 1L], candidates = rounds[, 2L], replicates = rounds[, 3L], runs = rounds[, 4L]))
}

# The parts of a comparison that search_score_runs() needs, for these rows and networks.
search_asked_runs <- function(work, done, rows, networks) {
  work$design <- work$design[rows, , drop = FALSE]
  list(runs = compare_bind_runs(work, done[rows]), tasks = work$tasks, networks = work$networks[networks])
}

# A data frame with one row per network: means over its runs (for total capacity the median and the range). `loss_rank`
# is the rank of its excess loss; losses that differ by no more than their tolerance and uncertainty share a rank.
# `capacity_rank` is the rank of its total capacity among the networks of the same loss rank; capacities whose ranges
# overlap share a rank.
search_score_runs <- function(cmp) {
  names <- names(cmp$networks)
  runs <- split(cbind(cmp$runs, efficiency = metric_run_efficiency(cmp)), factor(cmp$runs$network, names))
  mean_of <- function(column) unname(vapply(runs, function(rows) compare_mean_interval(rows[[column]], 0.95)[[1L]], 0))
  counted <- function(count) unname(vapply(runs, count, 0L))
  excess <- mean_of("excess_loss")
  tolerance <- metric_tolerance(cmp, "excess_loss", metric_run_array(cmp, cmp$runs$excess_loss))[[1L]]
  uncertainty <- drop(metric_task_means(metric_uncertainty(cmp, "excess_loss"))[1L, , drop = FALSE])
  loss_rank <- metric_ranks(excess, "lower", tolerance, uncertainty)
  range <- vapply(runs, function(rows) compare_total_range(rows[has_run(rows), , drop = FALSE]), numeric(2L))
  light_frame(list(
    network = names, n_params = counted(function(rows) rows$n_params[[1L]]),
    total_capacity = unname(vapply(runs, function(rows) compare_median_of(rows$total_capacity), 0)),
    total_low = unname(range[1L, ]), total_high = unname(range[2L, ]), loss = mean_of("loss"), excess_loss = excess,
    std_err = unname(vapply(runs, function(rows) search_std_err(rows$excess_loss), 0)),
      efficiency = mean_of("efficiency"),
    loss_rank = loss_rank, capacity_rank = search_capacity_ranks(loss_rank, range[1L, ], range[2L, ]),
    runs = counted(function(rows) sum(has_run(rows))), failed = counted(function(rows) sum(!has_run(rows))),
    unconverged = counted(function(rows) sum(has_run(rows) & !rows$converged)),
    undecided = counted(function(rows) sum(is_compare_undecided(rows))), seconds = mean_of("seconds"),
    error = unname(vapply(runs, function(rows) c(rows$error[!has_run(rows)], NA_character_)[[1L]], ""))
  ))
}

# Ranks of the ranges of total capacity among networks of the same loss rank.
search_capacity_ranks <- function(loss_rank, low, high) {
  ranks <- rep(NA_integer_, length(loss_rank))
  for (here in split(seq_along(loss_rank), loss_rank)) ranks[here] <- search_range_ranks(low[here], high[here])
  ranks
}

# Ranks of ranges from low to high. Ranges that overlap, directly or through a chain of others, share a rank. NA where
# `low` is NA.
search_range_ranks <- function(low, high) {
  ranks <- rep(NA_integer_, length(low))
  at <- order(low, high, na.last = NA)
  if (length(at) == 0L) return(ranks)
  before <- c(-Inf, cummax(high[at])[-length(at)])
  ranks[at] <- cumsum(low[at] > before)
  ranks
}

search_std_err <- function(x) {
  x <- x[!is.na(x)]
  if (length(x) > 1L) stats::sd(x) / sqrt(length(x)) else NA_real_
}

# Order of the rows of scores: by rounds (most first), then loss rank, capacity rank and number of parameters. Networks
# without a loss are last.
search_best_first <- function(scores, rounds = 0) {
  order(
    is.na(scores$loss_rank), -rep_len(rounds, nrow(scores)), scores$loss_rank, scores$capacity_rank, scores$n_params
  )
}

# ---- the result ----------------------------------------------------------------------------------

new_search <- function(found, searched, task, budget, strategy) {
  cmp <- searched$comparison
  scores <- search_score_runs(cmp)
  scores$rounds <- unname(searched$entered)
  scores$frontier <- is_search_frontier(scores)
  scores$gain <- search_marginal_loss_reduction(scores, null_loss(task))
  scores$coverage <- search_demand_coverage(cmp, task)
  scores <- scores[search_best_first(scores, scores$rounds), , drop = FALSE]
  structure(list(
    candidates = search_candidate_frame(found, scores),
    best = if (!is.na(scores$loss_rank[[1L]])) cmp$networks[[scores$network[[1L]]]], rounds = searched$rounds,
    comparison = cmp, task = task, budget = budget, strategy = strategy, seed = cmp$seed
  ), class = "ca_search")
}

# Whether each row of scores is on the frontier. A candidate is on the frontier if no other one has at most its capacity
# and its loss and less of one of them, or equal values of both and fewer parameters. Two capacities are equal if the
# median of each lies in the range of the other. This relation is not transitive, so each candidate is compared with
# those already on the frontier, in order of increasing loss.
is_search_frontier <- function(scores) {
  kept <- integer()
  for (i in search_best_first(scores)) if (!is.na(scores$loss_rank[[i]]) && !any(search_beats(scores, kept,
    i))) kept <- c(kept, i)
  seq_len(nrow(scores)) %in% kept
}

# Whether each candidate in j dominates i. The losses of j must not exceed that of i.
search_beats <- function(scores, j, i) {
  total <- scores$total_capacity
  as_much <- search_as_much(scores, j, i)
  less <- total[j] < total[[i]] & !as_much
  less_loss <- scores$loss_rank[j] < scores$loss_rank[[i]]
  less | as_much & (less_loss | scores$n_params[j] < scores$n_params[[i]])
}

# Whether the capacities of the candidates j equal that of i: each median lies in the range of the other.
search_as_much <- function(scores, j, i) {
  total <- scores$total_capacity
  total[j] >= scores$total_low[[i]] & total[j] <= scores$total_high[[i]] &
    total[[i]] >= scores$total_low[j] & total[[i]] <= scores$total_high[j]
}

# For each candidate on the frontier, the reduction of the loss per effective parameter that it has more than the
# candidate before it. The first one is compared with zero capacity and the null loss. NA off the frontier.
search_marginal_loss_reduction <- function(scores, null) {
  reduction <- rep(NA_real_, nrow(scores))
  edge <- which(scores$frontier)
  for (i in edge) {
    less <- edge[scores$total_capacity[edge] < scores$total_capacity[[i]] & !search_as_much(scores, edge, i)]
    before <- less[order(-scores$total_capacity[less])][1L]
    from <- if (is.na(before)) c(0, null) else c(scores$total_capacity[[before]], scores$loss[[before]])
    reduction[[i]] <- (from[[2L]] - scores$loss[[i]]) / (scores$total_capacity[[i]] - from[[1L]])
  }
  reduction[!is.finite(reduction)] <- NA
  reduction
}

# For each network, the mean over inputs of its capacity (mean over runs) per output, weighted by the demand of the
# task. NA without demand.
search_demand_coverage <- function(cmp, task) {
  demand <- cmp$demand$demand
  rows <- compare_mean_profiles(cmp)
  unname(vapply(names(cmp$networks), function(name) {
    capacity <- rows$capacity[rows$network == name]
    if (length(capacity) != length(demand) || !isTRUE(sum(demand) > 0)) return(NA_real_)
    sum(demand * capacity) / sum(demand) / shape_output_size(cmp$networks[[name]])
  }, 0))
}

# The data frame of all candidates: trained ones in the order of the rows of scores, then the others.
search_candidate_frame <- function(found, scores) {
  names <- c(scores$network, setdiff(names(found), scores$network))
  found <- found[names]
  at <- match(names, scores$network)
  untrained <- vapply(found, function(x) if (is.null(x$error)) NA_character_ else x$error, "", USE.NAMES = FALSE)
  size <- candidate_sizes(found)
  first <- list(
    rank = ifelse(is.na(scores$loss_rank), NA_integer_, seq_len(nrow(scores)))[at], candidate = names,
    family = vapply(found, function(x) x$family, "", USE.NAMES = FALSE)
  )
  last <- c(
    list(n_params = ifelse(is.finite(size), as.integer(pmin(size, .Machine$integer.max)), NA_integer_),
      memory = vapply(found, search_candidate_memory, 0L, USE.NAMES = FALSE)),
    lapply(as.list(scores[score_columns]), `[`, at),
    list(frontier = scores$frontier[at] %in% TRUE),
    lapply(as.list(scores[score_counts]), function(x) ifelse(is.na(at), 0L, x[at])),
    list(seconds = scores$seconds[at], error = ifelse(is.na(at), untrained, scores$error[at]))
  )
  tried <- search_argument_columns(found)
  taken <- names(tried) %in% c(names(first), names(last))
  names(tried)[taken] <- paste0("arg_", names(tried)[taken])
  light_frame(lapply(c(first, tried, last), unname))
}

score_counts <- c("rounds", "runs", "failed", "unconverged", "undecided")

score_columns <- c(
  "total_capacity", "total_low", "total_high", "loss", "excess_loss", "std_err", "efficiency", "gain", "coverage"
)

# A list of columns, one for each argument of any candidate; NA for candidates without it. Arguments that are not single
# values become texts.
search_argument_columns <- function(found) {
  arguments <- unique(unlist(lapply(found, function(x) names(x$arguments))))
  lapply(stats::setNames(nm = arguments), function(name) {
    values <- lapply(found, function(x) if (is.null(x$arguments[[name]])) NA else x$arguments[[name]])
    single <- all(vapply(values, function(v) is.atomic(v) && length(v) == 1L, NA))
    unlist(if (single) values else lapply(values, candidate_argument_text), use.names = FALSE)
  })
}

# Size of the receptive field: on a sequence the number of positions, on a grid rows times columns.
search_candidate_memory <- function(x) {
  if (is.null(x$network)) return(NA_integer_)
  as.integer(prod(layer_field(x$network)$size))
}

# ---- methods -------------------------------------------------------------------------------------

#' Methods for searches
#'
#' @param x,object A search, from [search_architecture()].
#' @param n Number of candidates to print.
#' @param ... Not used.
#' @returns `tidy()` and `as.data.frame()`: the candidates. `summary()`: a data frame of class `ca_search_summary`,
#'   the candidates of the frontier, the smallest total capacity first: `candidate`, `rank`, `n_params`,
#'   `total_capacity`, `total_low`, `total_high`, `loss`, `excess_loss`, `gain`, `coverage`, see
#'   [search_architecture()]. `glance()`: one row: `candidates`, `trained` (that were), `runs`, `failed`, `unconverged`,
#'   `undecided`, `rounds`, `best` (a name), `n_params`,
#'   `total_capacity`, `loss` and `excess_loss` of the best, `budget`, `strategy`, `n_obs`, `seed`. `augment()`:
#'   why, a row for each candidate that has runs and each input: `rank`, `candidate`, `input`, `position`, `lag`,
#'   `channel` (on grids `row`, `column`), mean `capacity` over runs, and the task's `demand`.
#' @name ca_search
#' @examples
#' found <- search_architecture(task_copy(8, lag = 3), 8, family = "conv", replicates = 2)
#' glance(found)
#' summary(found)
#' head(augment(found))
NULL

#' @rdname ca_search
#' @export
tidy.ca_search <- function(x, ...) {
  check_dots(...)
  x$candidates
}

#' @rdname ca_search
#' @export
as.data.frame.ca_search <- function(x, ...) x$candidates

#' @rdname ca_search
#' @export
glance.ca_search <- function(x, ...) {
  check_dots(...)
  rows <- x$candidates
  runs <- glance(x$comparison)
  best <- rows[1L, ]
  light_frame(list(
    candidates = nrow(rows), trained = length(x$comparison$networks), runs = runs$runs, failed = runs$failed,
    unconverged = runs$unconverged, undecided = runs$undecided, rounds = nrow(x$rounds),
    best = if (is.na(best$rank)) NA_character_ else best$candidate,
    n_params = if (is.na(best$rank)) NA_integer_ else best$n_params, total_capacity = best$total_capacity,
    loss = best$loss, excess_loss = best$excess_loss, budget = x$budget, strategy = x$strategy, n_obs = runs$n_obs,
    seed = x$seed
  ))
}

#' @rdname ca_search
#' @export
augment.ca_search <- function(x, ...) {
  check_dots(...)
  profiles <- compare_mean_profiles(x$comparison)
  profiles$input <- rep_len(x$comparison$demand$input, nrow(profiles))
  profiles$demand <- rep_len(x$comparison$demand$demand, nrow(profiles))
  profiles$candidate <- profiles$network
  profiles$rank <- x$candidates$rank[match(profiles$network, x$candidates$candidate)]
  where <- intersect(c("position", "lag", "channel", "row", "column"), names(profiles))
  rows <- profiles[order(profiles$rank), c("rank", "candidate", "input", where, "capacity", "demand")]
  light_frame(as.list(rows))
}

#' @rdname ca_search
#' @export
summary.ca_search <- function(object, ...) {
  check_dots(...)
  rows <- object$candidates[object$candidates$frontier, , drop = FALSE]
  rows <- rows[order(rows$total_capacity, rows$rank), , drop = FALSE]
  columns <- c(
    "candidate", "rank", "n_params", "total_capacity", "total_low", "total_high", "loss", "excess_loss", "gain",
    "coverage"
  )
  new_frame(as.list(rows[columns]), "ca_search_summary", notes = search_notes(object))
}

#' @export
print.ca_search_summary <- function(x, ...) {
  cat("Frontier of total capacity and excess loss, the smallest capacity first\n")
  table <- search_table(x)
  print_search_fitting(c(table[c("rank", "candidate", "capacity", "excess loss")],
    list(gain = format_without_rounding(x$gain)),
    table[c("params", "coverage")]))
  cat("gain: decrease of the loss per unit of total capacity, from the next smaller candidate of the frontier\n")
  cat(attr(x, "notes"), sep = "\n")
  invisible(x)
}

#' @rdname ca_search
#' @export
print.ca_search <- function(x, n = 8, ...) {
  g <- glance(x)
  cat("<search> ", x$strategy, " over ", format_count(g$candidates, "candidate"), " of at most ", x$budget,
    " parameters: ", format_count(g$runs, "run"), ", ", g$failed, " failed, ", g$unconverged,
    " not converged (seed ", x$seed, ")\n", sep = "")
  cat("Task: ", x$task$label, "\n", sep = "")
  if (x$strategy == "halving") {
    each <- vapply(x$rounds$replicates, format_count, "", noun = "replicate")
    cat("Rounds: ", paste0(x$rounds$candidates, " x ", each, collapse = ", "), "\n", sep = "")
  }
  ranked <- x$candidates[!is.na(x$candidates$rank), , drop = FALSE]
  shown <- ranked[seq_len(min(check_count(n, min = 0L), nrow(ranked))), , drop = FALSE]
  if (nrow(shown) > 0L) {
    print_search_fitting(search_table(shown))
    if (any(shown$frontier)) cat("* on the frontier of total capacity and excess loss\n")
  }
  cat(c(search_left_over_text(x, nrow(ranked) - nrow(shown)), search_notes(x)), sep = "\n")
  invisible(x)
}

search_table <- function(rows) {
  mark <- if (is.null(rows$frontier)) "" else ifelse(rows$frontier, "*", "")
  list(
    rank = paste0(rows$rank, formatC(mark, width = -1)),
    candidate = formatC(rows$candidate, width = -max(nchar(rows$candidate))), params = rows$n_params,
    capacity = format_with_range(rows$total_capacity, rows$total_low, rows$total_high, 3),
    `excess loss` = format_without_rounding(rows$excess_loss),
    coverage = format_without_rounding(rows$coverage)
  )
}

# Prints a table without the last columns that would exceed the width of the console.
print_search_fitting <- function(columns) {
  texts <- lapply(columns, format, digits = 3)
  width <- cumsum(pmax(vapply(texts, function(x) max(nchar(x)), 0L), nchar(names(texts))) + 1L)
  print(light_frame(columns[width <= getOption("width")]), row.names = FALSE, digits = 3)
}

# Lines of text about the candidates that the table does not show.
search_left_over_text <- function(x, more) {
  untrained <- sum(x$candidates$runs + x$candidates$failed == 0L)
  lossless <- sum(is.na(x$candidates$rank)) - untrained
  c(
    if (more > 0L) paste0("and ", format_count(more, "more candidate"), " in $candidates"),
    if (lossless > 0L) paste0(format_count(lossless, "candidate"), " without a loss, see $candidates$error"),
    if (untrained > 0L) paste0(format_count(untrained, "candidate"), " not trained, see $candidates$error")
  )
}

search_notes <- function(x) {
  notes <- c(compare_what_varies(x$comparison), compare_run_notes(x$comparison))
  if (!is_data_task(x$task)) return(notes)
  c(
    notes,
    "Losses are on held-out rows. The best candidate was chosen by them, so its own loss is too optimistic. Excess
losses are relative to the best linear model."
  )
}
