# Friedman's test and the comparisons that follow it (Demsar 2006), on ranks within units: 1 is the best.
#
# Mean ranks of k networks over N units have differences of standard error sqrt(k (k + 1) / (6 N)); a difference
# of CD = q sqrt(k (k + 1) / (6 N)) or more is significant. Ties share mean ranks and are not corrected for after
# the global test, which makes what follows it conservative.

# q of Nemenyi's comparison of all pairs: the studentised range with infinite degrees of freedom, over sqrt(2).
nemenyi_quantile <- function(k, level) stats::qtukey(level, k, Inf) / sqrt(2)

# q of Dunn's comparison of `pairs` pairs, by Bonferroni.
dunn_quantile <- function(pairs, level) stats::qnorm(1 - (1 - level) / (2 * pairs))

rank_error <- function(k, N) sqrt(k * (k + 1) / (6 * N))

# list(rows, global, ranks): pairs, the global test, and mean ranks by network.
friedman_contrast <- function(block, setting) {
  ranks <- block_ranks(block, setting$direction)
  k <- ncol(ranks)
  N <- nrow(ranks)
  pairs <- contrast_pairs(colnames(ranks), setting$control)
  nemenyi <- setting$adjust == "nemenyi"
  q <- if (nemenyi) nemenyi_quantile(k, setting$level) else dunn_quantile(nrow(pairs), setting$level)
  reason <- no_ranks_reason(ranks, block)
  global <- global_test(ranks, reason)
  error <- if (is.na(reason)) rank_error(k, N) else NA_real_
  means <- if (N > 0L) colMeans(ranks) else stats::setNames(rep(NA_real_, k), colnames(ranks))
  estimate <- unname(means[pairs[, 1L]] - means[pairs[, 2L]])
  z <- estimate / error
  rows <- light_frame(list(
    group1 = pairs[, 1L], group2 = unname(pairs[, 2L]), estimate = estimate, conf.low = estimate - q * error,
    conf.high = estimate + q * error, statistic = z, p.value = 2 * stats::pnorm(-abs(z)),
    adj.p.value = stats::ptukey(sqrt(2) * abs(z), k, Inf, lower.tail = FALSE), n = rep(N, length(z)),
    method = rep(post_hoc_name(setting), length(z)), reason = rep(reason, length(z))
  ))
  global$critical_difference <- q * error
  global$reason <- reason
  list(rows = rows, global = global, ranks = means)
}

post_hoc_name <- function(setting) {
  if (setting$adjust == "nemenyi") return("Nemenyi test")
  if (setting$adjust == "bonferroni" && !is.null(setting$control)) return("Bonferroni-Dunn test")
  "z-test of mean ranks"
}

# Units x networks: units that lack a network have no ranks.
block_ranks <- function(block, direction) {
  keep <- which(!apply(is.na(block$table), 1L, any))
  ranks <- vapply(keep, function(i) {
    metric_ranks(block$table[i, ], direction, block$tolerance[[i]], block$spread[i, ])
  }, numeric(ncol(block$table)))
  names <- list(block$units[keep], colnames(block$table))
  matrix(ranks, length(keep), ncol(block$table), byrow = TRUE, dimnames = names)
}

# Counts that are identical in all replicates carry no evidence within a task either.
no_ranks_reason <- function(ranks, block) {
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

# Friedman's chi squared and Iman and Davenport's F, which is less conservative.
global_test <- function(ranks, reason) {
  k <- ncol(ranks)
  N <- nrow(ranks)
  out <- list(
    n = N, statistic = NA_real_, parameter = k - 1, p.value = NA_real_, f_statistic = NA_real_, f_p.value = NA_real_
  )
  if (!is.na(reason)) return(light_frame(out))
  test <- stats::friedman.test(ranks)
  out[c("statistic", "p.value")] <- list(unname(test$statistic), test$p.value)
  # where all units agree F is infinite, or its rounding negative
  left <- N * (k - 1) - out$statistic
  out$f_statistic <- if (left > 1e-9 * N) (N - 1) * out$statistic / left else Inf
  out$f_p.value <- stats::pf(out$f_statistic, k - 1, (k - 1) * (N - 1), lower.tail = FALSE)
  light_frame(out)
}

# The results of Friedman's test, one line per block.
global_notes <- function(x) {
  tests <- glance(x)
  where <- if (is.null(tests$task)) "" else paste0(tests$task, ": ")
  said <- paste0(
    where, "Friedman chi-squared ", format(tests$statistic, digits = 3), ", p ", format_p(tests$p.value),
    "; critical difference ", format(tests$critical_difference, digits = 3)
  )
  said[is.na(tests$statistic)] <- paste0(where, "no global test: ", tests$reason)[is.na(tests$statistic)]
  said
}

# ---- critical-difference diagram ----------------------------------------------------------------------

# Maximal runs of networks, in the order of their mean ranks, whose ends differ by less than the critical
# difference: data frame of from and to (ranks).
rank_cliques <- function(ranks, cd) {
  ranks <- sort(unname(ranks))
  last <- vapply(ranks, function(rank) sum(ranks - rank < cd), 0L)
  first <- seq_along(ranks)
  keep <- last > first & !duplicated(last)
  light_frame(list(from = ranks[first[keep]], to = ranks[last[keep]]))
}

# Rows of two names each.
contrast_pairs <- function(names, control) {
  if (is.null(control)) return(t(utils::combn(names, 2L)))
  cbind(setdiff(names, control), control)
}
