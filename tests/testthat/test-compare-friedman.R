# Friedman's test, Nemenyi's and Dunn's comparisons, and the groups of a critical-difference diagram.

test_that("critical values equal published ones", {
  # Demsar (2006), table 5: Nemenyi at 0.05 and 0.10, k = 2 .. 10; three decimals, truncated or rounded.
  nemenyi <- capalloc:::friedman_nemenyi_quantile
  expect_equal(nemenyi(3, 0.95), 2.3437, tolerance = 2e-5)
  published <- c(1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)
  expect_lt(max(abs(vapply(2:10, nemenyi, 0, level = 0.95) - published)), 1.1e-3)
  published <- c(1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920)
  expect_lt(max(abs(vapply(2:10, nemenyi, 0, level = 0.9) - published)), 1.1e-3)
  # Dunn at 0.05, k - 1 pairs.
  published <- c(1.960, 2.241, 2.394, 2.498, 2.576, 2.638, 2.690)
  expect_lt(max(abs(vapply(1:7, capalloc:::friedman_dunn_quantile, 0, level = 0.95) - published)), 1.1e-3)
})

# Demsar's example, table 6: AUC of four classifiers on fourteen data sets.
auc <- cbind(
  C4.5 = c(.763, .599, .954, .628, .882, .936, .661, .583, .775, 1.000, .940, .619, .972, .957),
  `C4.5+m` = c(.768, .591, .971, .661, .888, .931, .668, .583, .838, 1.000, .962, .666, .981, .978),
  `C4.5+cf` = c(.771, .590, .968, .654, .886, .916, .609, .563, .866, 1.000, .965, .614, .9751, .946),
  `C4.5+m+cf` = c(.798, .569, .967, .657, .898, .931, .685, .625, .875, 1.000, .962, .669, .975, .970)
)

auc_comparison <- function() {
  networks <- stats::setNames(rep(list(arch_dense(4)), 4), colnames(auc))
  cmp <- made_comparison(array(auc, c(1, 14, 4)), networks = networks)
  cmp$runs$auc <- cmp$runs$excess_loss
  cmp
}

test_that("results equal those of Demsar's example", {
  k <- contrast_architectures(auc_comparison(), "auc", "friedman", direction = "higher")
  expect_equal(attr(k, "ranks")[[1L]], c(C4.5 = 3.143, `C4.5+m` = 2.000, `C4.5+cf` = 2.893, `C4.5+m+cf` = 1.964),
    tolerance = 1e-3)
  g <- glance(k)
  # Printed: 9.28 and 3.69, without the correction for ties of R; critical difference 1.25 (q 2.569).
  ranks <- t(apply(-auc, 1, rank))
  expect_equal(g$statistic, unname(friedman.test(ranks)$statistic), tolerance = 1e-12)
  plain <- 12 * 14 / (4 * 5) * (sum(colMeans(ranks)^2) - 4 * 25 / 4)
  expect_equal(plain, 9.28, tolerance = 1e-3)
  expect_equal(13 * plain / (14 * 3 - plain), 3.69, tolerance = 2e-3)
  expect_equal(g$f_statistic, 13 * g$statistic / (14 * 3 - g$statistic), tolerance = 1e-12)
  expect_equal(g$critical_difference, 1.25, tolerance = 5e-3)
  # Compared with C4.5 at 0.05: Dunn's 2.394 sqrt(4 5 / (6 14)) = 1.16.
  dunn <- contrast_architectures(auc_comparison(), "auc", "friedman", control = "C4.5", adjust = "bonferroni",
    direction = "higher")
  expect_lt(abs(glance(dunn)$critical_difference - 1.16), 0.01) # truncated, not rounded
  # Printed z of C4.5+m+cf, C4.5+m, C4.5+cf: 2.416, 2.342, 0.512; p 0.016, 0.019, 0.607.
  expect_equal(abs(dunn$statistic[c(3, 1, 2)]), c(2.416, 2.342, 0.512), tolerance = 1e-3)
  expect_lt(max(abs(dunn$p.value[c(3, 1, 2)] - c(0.016, 0.019, 0.607))), 2e-3)
  expect_identical(dunn$better, rep_len(c("C4.5+m", "C4.5+cf", "C4.5+m+cf"), 3))
  expect_identical(dunn$method, rep("Bonferroni-Dunn test", 3))
})

test_that("p-values are adjusted as requested, and the interval is the critical difference", {
  cmp <- auc_comparison()
  ask <- function(...) contrast_architectures(cmp, "auc", "friedman", direction = "higher", ...)
  k <- ask()
  error <- sqrt(4 * 5 / (6 * 14))
  expect_equal(k$statistic, k$estimate / error, tolerance = 1e-12)
  expect_equal(k$adj.p.value, ptukey(sqrt(2) * abs(k$statistic), 4, Inf, lower.tail = FALSE), tolerance = 1e-12)
  # A pair is significant by its p-value exactly where its difference exceeds the critical difference.
  expect_identical(k$adj.p.value < 0.05, abs(k$estimate) > glance(k)$critical_difference)
  expect_equal(k$conf.high - k$estimate, rep(glance(k)$critical_difference, 6), tolerance = 1e-12)
  holm <- ask(control = "C4.5")
  expect_equal(holm$adj.p.value, p.adjust(2 * pnorm(-abs(holm$statistic)), "holm"), tolerance = 1e-12)
  expect_equal(ask(adjust = "BH")$adj.p.value, p.adjust(k$p.value, "BH"), tolerance = 1e-12)
})

test_that("ranks respect the direction: the best network has rank 1", {
  values <- array(rep(c(0.1, 0.2, 0.3), each = 5), c(1, 5, 3)) + withr::with_seed(1, rep(runif(5) / 20, 3))
  cmp <- made_comparison(values)
  low <- contrast_architectures(cmp, test = "friedman")
  expect_identical(attr(low, "ranks")[[1L]], c(a = 1, b = 2, c = 3))
  expect_identical(low$better, c("a", "a", "b"))
  # The same order by efficiency, whose direction is opposite.
  high <- contrast_architectures(cmp, "efficiency", "friedman")
  expect_identical(attr(high, "ranks")[[1L]], c(a = 1, b = 2, c = 3))
  expect_identical(high$better, low$better)
  # With identical rankings F is infinite.
  expect_identical(glance(low)[c("f_statistic", "f_p.value")], data.frame(f_statistic = Inf, f_p.value = 0))
})

test_that("a reason is given where ranks are uninformative", {
  tied <- contrast_architectures(made_comparison(array(0.1, c(2, 3, 3))), test = "friedman")
  expect_identical(unique(tied$reason), "all architectures are tied")
  expect_true(all(is.na(c(tied$p.value, tied$conf.low, glance(tied)$p.value))))
  expect_identical(tied$estimate, c(0, 0, 0))
  # Values that are the same in every replicate.
  fixed <- contrast_architectures(made_comparison(array(rep(1:3, each = 4), c(4, 1, 3))), test = "friedman")
  expect_identical(unique(fixed$reason), "no value varies over the replicates")
  expect_identical(fixed$estimate, c(-1, -2, -1))
  # Over tasks a constant order is evidence.
  expect_identical(unique(contrast_architectures(made_comparison(array(rep(1:3, each = 4), c(1, 4, 3))),
    test = "friedman")$reason), NA_character_)
  alone <- quiet(contrast_architectures(random_comparison(3, 1, 3, n_obs = Inf), test = "friedman"))
  expect_match(alone$reason, "one task")
})

test_that("a task without runs of one architecture has no ranks", {
  cmp <- random_comparison(2, 5, 3)
  cmp$runs[cmp$runs$task == "t2" & cmp$runs$network == "b", c("excess_loss", "loss", "train_loss")] <- NA
  k <- quiet(contrast_architectures(cmp, test = "friedman"))
  expect_identical(k$n, rep(4L, 3))
  without <- cmp
  without$runs <- cmp$runs[cmp$runs$task != "t2", ]
  without$tasks <- cmp$tasks[-2]
  expect_equal(tidy(k), tidy(contrast_architectures(without, test = "friedman")))
})

test_that("by = \"task\" tests within each task", {
  cmp <- random_comparison(6, 2, 3)
  # A failed run removes its replicate in its own task.
  cmp$runs$excess_loss[cmp$runs$task == "t2" & cmp$runs$replicate == 1 & cmp$runs$network == "a"] <- NA
  k <- quiet(contrast_architectures(cmp, test = "friedman", by = "task"))
  g <- glance(k)
  expect_identical(g$task, c("t1", "t2"))
  expect_identical(g$contrasts, c(3L, 3L))
  expect_identical(g$n, c(6L, 5L))
  for (i in 1:2) {
    values <- matrix(cmp$runs$excess_loss[cmp$runs$task == g$task[[i]]], 6)
    expect_equal(g$statistic[[i]], unname(friedman.test(stats::na.omit(values))$statistic), tolerance = 1e-12)
    expect_identical(g$p_method[[i]], "exact")
  }
})

# Returns the maximal groups of networks whose ranks differ by less than cd, by all pairs of ends.
twin_cliques <- function(ranks, cd) {
  ranks <- sort(unname(ranks))
  k <- length(ranks)
  all <- subset(expand.grid(from = seq_len(k), to = seq_len(k)), to > from & ranks[to] - ranks[from] < cd)
  inside <- vapply(seq_len(nrow(all)), function(i) {
    any(all$from <= all$from[[i]] & all$to >= all$to[[i]] & seq_len(nrow(all)) != i)
  }, NA)
  all <- all[!inside, ]
  all <- all[order(all$from), ]
  data.frame(from = ranks[all$from], to = ranks[all$to])
}

test_that("groups are the maximal ones within the critical difference", {
  for (seed in 1:20) {
    ranks <- withr::with_seed(seed, runif(7, 1, 7))
    for (cd in c(0, 0.3, 1, 2, 9)) {
      expect_equal(capalloc:::friedman_cliques(ranks, cd), twin_cliques(ranks, cd), ignore_attr = "row.names")
    }
  }
  # A difference of exactly the critical difference is significant.
  expect_identical(nrow(capalloc:::friedman_cliques(c(1, 2), 1)), 0L)
})
