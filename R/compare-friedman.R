# Friedman's test and its post-hoc comparisons (Demsar 2006), on ranks within units; rank 1 is the best.
#
# The difference of two mean ranks of k networks over N units has the standard error sqrt(k (k + 1) / (6 N)). It is
# significant if it is at least the critical difference CD = q sqrt(k (k + 1) / (6 N)). Ties share their mean rank. Only
# the global test corrects for ties, so the post-hoc comparisons are conservative.

# q of Nemenyi's comparison of all pairs: the quantile of the studentised range with infinite degrees of freedom,
# divided by sqrt(2).
friedman_nemenyi_quantile <- function(k, level) stats::qtukey(level, k, Inf) / sqrt(2)

# q of Dunn's comparison of a number of pairs, by Bonferroni's inequality.
friedman_dunn_quantile <- function(pairs, level) stats::qnorm(1 - (1 - level) / (2 * pairs))

friedman_rank_error <- function(k, N) sqrt(k * (k + 1) / (6 * N))

# Returns a list: `rows`, a data frame with one row per pair; `global`, a data frame with one row, the global test;
# `ranks`, the mean ranks named by network.
friedman_contrast <- function(block, setting) {
  ranks <- friedman_block_ranks(block, setting$direction)
  k <- ncol(ranks)
  N <- nrow(ranks)
  pairs <- friedman_contrast_pairs(colnames(ranks), setting$control)
  nemenyi <- setting$adjust == "nemenyi"
  q <- if (nemenyi) friedman_nemenyi_quantile(k, setting$level) else friedman_dunn_quantile(nrow(pairs), setting$level)
  reason <- friedman_no_ranks_reason(ranks, block)
  global <- friedman_global_test(ranks, reason)
  error <- if (is.na(reason)) friedman_rank_error(k, N) else NA_real_
  means <- if (N > 0L) colMeans(ranks) else stats::setNames(rep(NA_real_, k), colnames(ranks))
  estimate <- unname(means[pairs[, 1L]] - means[pairs[, 2L]])
  z <- estimate / error
  rows <- light_frame(list(
    group1 = pairs[, 1L], group2 = unname(pairs[, 2L]), estimate = estimate, conf.low = estimate - q * error,
    conf.high = estimate + q * error, statistic = z, p.value = 2 * stats::pnorm(-abs(z)),
    adj.p.value = stats::ptukey(sqrt(2) * abs(z), k, Inf, lower.tail = FALSE), n = rep(N, length(z)),
    method = rep(friedman_post_hoc_name(setting), length(z)), reason = rep(reason, length(z))
  ))
  global$critical_difference <- q * error
  global$reason <- reason
  list(rows = rows, global = global, ranks = means)
}

friedman_post_hoc_name <- function(setting) {
  if (setting$adjust == "nemenyi") return("Nemenyi test")
  if (setting$adjust == "bonferroni" && !is.null(setting$control)) return("Bonferroni-Dunn test")
  "z-test of mean ranks"
}

# Ranks of the networks within each unit (units x networks). Units without a value of every network are left out.
friedman_block_ranks <- function(block, direction) {
  keep <- which(!apply(is.na(block$table), 1L, any))
  ranks <- vapply(keep, function(i) {
    metric_ranks(block$table[i, ], direction, block$tolerance[[i]], block$spread[i, ])
  }, numeric(ncol(block$table)))
  names <- list(block$units[keep], colnames(block$table))
  matrix(ranks, length(keep), ncol(block$table), byrow = TRUE, dimnames = names)
}

# NA, or the text of why these ranks have no test. Values that are the same in all replicates, such as parameter counts,
# are no evidence within a task.
friedman_no_ranks_reason <- function(ranks, block) {
  N <- nrow(ranks)
  of <- block$of
  if (N == 0L) return(paste("no", of, "has all architectures"))
  if (N == 1L) {
    return(if (of == "replicate") "one replicate has all architectures" else
      "one task, and no replicates that share samples")
  }
  if (all(ranks == ranks[, 1L])) return("all architectures are tied")
  widths <- apply(block$table[rownames(ranks), , drop = FALSE], 2L, function(x) diff(range(x)))
  fixed <- of == "replicate" && all(widths <= block$tolerance[[1L]])
  if (fixed) "no value varies over the replicates" else NA_character_
}

# A data frame with one row: Friedman's chi squared and Iman and Davenport's F, which is less conservative. With a
# reason the statistics are NA.
friedman_global_test <- function(ranks, reason) {
  k <- ncol(ranks)
  N <- nrow(ranks)
  out <- list(
    n = N, statistic = NA_real_, parameter = k - 1, p.value = NA_real_, f_statistic = NA_real_, f_p.value = NA_real_,
    p_method = NA_character_
  )
  if (!is.na(reason)) return(light_frame(out))
  test <- stats::friedman.test(ranks)
  out$statistic <- unname(test$statistic)
  exact <- friedman_exact_p(ranks)
  out$p.value <- if (is.na(exact)) test$p.value else exact
  out$p_method <- if (is.na(exact)) "chi-squared" else "exact"
  # if all units have the same ranks, the denominator of F is zero up to rounding error, which can be negative
  left <- N * (k - 1) - out$statistic
  out$f_statistic <- if (left > 1e-9 * N) (N - 1) * out$statistic / left else Inf
  out$f_p.value <- stats::pf(out$f_statistic, k - 1, (k - 1) * (N - 1), lower.tail = FALSE)
  light_frame(out)
}

# Largest number of rows of a step of friedman_exact_p().
friedman_most_states <- 1e6

# The probability, if all orders of the ranks within a unit are equally likely, of a statistic at least as large as that
# of these ranks (units x networks). NA where the number of states is too large. The statistic increases with the sum of
# squares of the rank sums, which does not depend on their order: a state is the sorted vector of rank sums.
friedman_exact_p <- function(ranks) {
  k <- ncol(ranks)
  if (k > 6L) return(NA_real_)
  ranks <- round(2 * ranks) # ties have halves
  base <- (sum(ranks[, 1L] >= 0) * 2 * k + 1)^(seq_len(k) - 1)
  orders <- friedman_permutations(k)
  state <- matrix(0, 1L, k)
  probability <- 1
  for (i in seq_len(nrow(ranks))) {
    if (nrow(state) * nrow(orders) > friedman_most_states) return(NA_real_)
    moves <- matrix(ranks[i, ][orders], ncol = k)
    moved <- state[rep(seq_len(nrow(state)), each = nrow(moves)), , drop = FALSE] +
      moves[rep(seq_len(nrow(moves)), nrow(state)), , drop = FALSE]
    moved <- matrix(moved[order(row(moved), moved)], ncol = k, byrow = TRUE)
    key <- drop(moved %*% base)
    kept <- !duplicated(key)
    state <- moved[kept, , drop = FALSE]
    each <- rep(probability / nrow(moves), each = nrow(moves))
    probability <- as.double(rowsum(each, match(key, key[kept])))
  }
  observed <- sum(colSums(ranks)^2)
  min(1, sum(probability[rowSums(state^2) >= observed - 1e-9]))
}

# All orders of 1, .., k as the rows of a matrix.
friedman_permutations <- function(k) {
  if (k == 1L) return(matrix(1L))
  before <- friedman_permutations(k - 1L)
  do.call(rbind, lapply(seq_len(k), function(first) {
    others <- setdiff(seq_len(k), first)
    cbind(first, matrix(others[before], nrow(before)), deparse.level = 0L)
  }))
}

# Lines of text with the results of Friedman's test, one per block.
friedman_notes <- function(x) {
  tests <- glance(x)
  where <- if (is.null(tests$task)) "" else paste0(tests$task, ": ")
  said <- paste0(
    where, "Friedman chi-squared ", format(tests$statistic, digits = 3), ", p ", format_p(tests$p.value),
    ifelse(tests$p_method %in% "exact", " (exact)", " (approximate)"), "; critical difference ",
      format(tests$critical_difference, digits = 3)
  )
  said[is.na(tests$statistic)] <- paste0(where, "no global test: ", tests$reason)[is.na(tests$statistic)]
  said
}

# ---- critical-difference diagram ----------------------------------------------------------------------

# The bars of the diagram: maximal sequences of networks, in the order of their mean ranks, whose first and last mean
# rank differ by less than the critical difference. A data frame of these two ranks, `from` and `to`.
friedman_cliques <- function(ranks, cd) {
  ranks <- sort(unname(ranks))
  last <- vapply(ranks, function(rank) sum(ranks - rank < cd), 0L)
  first <- seq_along(ranks)
  keep <- last > first & !duplicated(last)
  light_frame(list(from = ranks[first[keep]], to = ranks[last[keep]]))
}

# Pairs of networks (pairs x 2): all pairs of `names`, or each other one with the control.
friedman_contrast_pairs <- function(names, control) {
  if (is.null(control)) return(t(utils::combn(names, 2L)))
  cbind(setdiff(names, control), control)
}
