# Table 6 of Demsar (2006): AUC of four variants of C4.5 on 14 data sets. The paper's ranks resolve the tie of the last
# two on `voting` by digits that are not printed, which `unrounded` restores.
demsar <- function(unrounded = FALSE) {
  x <- matrix(c(
    0.763, 0.768, 0.771, 0.798, 0.599, 0.591, 0.590, 0.569, 0.954, 0.971, 0.968, 0.967, 0.628, 0.661, 0.654, 0.657,
    0.882, 0.888, 0.886, 0.898, 0.936, 0.931, 0.916, 0.931, 0.661, 0.668, 0.609, 0.685, 0.583, 0.583, 0.563, 0.625,
    0.775, 0.838, 0.866, 0.875, 1, 1, 1, 1, 0.940, 0.962, 0.965, 0.962, 0.619, 0.666, 0.614, 0.669,
    0.972, 0.981, 0.975, 0.975, 0.957, 0.978, 0.946, 0.970
  ), ncol = 4, byrow = TRUE, dimnames = list(
    c("adult", "breast cancer", "breast cancer wisconsin", "cmc", "ionosphere", "iris", "liver disorders",
      "lung cancer", "lymphography", "mushroom", "primary tumor", "rheum", "voting", "wine"),
    c("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
  ))
  if (unrounded) x["voting", "C4.5+cf"] <- 0.9752
  x
}

test_that("ranks, critical differences and z of a published table are those of the paper", {
  ranks <- summary(rank_results(demsar(unrounded = TRUE), direction = "higher"))
  expect_equal(round(ranks$mean_rank[match(colnames(demsar()), ranks$network)], 3), c(3.143, 2.000, 2.893, 1.964))
  contrast <- function(...) contrast_architectures(demsar(unrounded = TRUE), test = "friedman", direction = "higher",
    ...)
  expect_equal(round(glance(contrast())$critical_difference, 2), 1.25)
  expect_equal(round(glance(contrast(level = 0.9))$critical_difference, 2), 1.12)
  control <- contrast(control = "C4.5", adjust = "holm")
  z <- abs(control$statistic[match(c("C4.5+m+cf", "C4.5+m", "C4.5+cf"), control$group1)])
  expect_equal(round(z, 2), c(2.42, 2.34, 0.51)) # the paper divides by 0.488
  expect_equal(round(sort(control$p.value), 3), c(0.016, 0.019, 0.608), tolerance = 1e-3)
  # the statistics without a correction for ties are 9.28 and 3.69
  R <- c(3.143, 2.000, 2.893, 1.964)
  expect_equal(12 * 14 / 20 * (sum(R^2) - 25), 9.28, tolerance = 1e-3)
  g <- glance(contrast())
  expect_gt(g$statistic, 9.28)
  expect_equal(g$statistic, unname(friedman.test(demsar(unrounded = TRUE))$statistic), tolerance = 1e-10)
  expect_equal(g$f_statistic, 13 * g$statistic / (42 - g$statistic), tolerance = 1e-10)
})

test_that("a wide data frame, a long one and a matrix give the same contrast", {
  x <- demsar()
  wide <- data.frame(set = rownames(x), x, check.names = FALSE)
  long <- data.frame(task = rep(rownames(x), 4), model = rep(colnames(x), each = 14), auc = c(x))
  for (test in c("friedman", "t", "wilcoxon", "bayes")) {
    wanted <- tidy(contrast_architectures(x, test = test, direction = "higher"))
    expect_identical(tidy(contrast_architectures(wide, test = test, direction = "higher")), wanted)
    expect_identical(tidy(contrast_architectures(long, test = test, direction = "higher")), wanted)
  }
  one <- tidy(contrast_architectures(x[, c(1, 4)], direction = "higher"))
  expect_equal(one$statistic, unname(t.test(x[, 1], x[, 4], paired = TRUE)$statistic), tolerance = 1e-10)
  expect_identical(one$better, "C4.5+m+cf")
})

test_that("folds of one task are units, with a correlation", {
  folds <- data.frame(task = "iris", model = rep(c("a", "b"), each = 5), replicate = rep(1:5, 2),
    loss = c(0.1, 0.12, 0.09, 0.2, 0.15, 0.12, 0.11, 0.1, 0.25, 0.2))
  d <- folds$loss[1:5] - folds$loss[6:10]
  got <- contrast_architectures(folds, direction = "lower", rho = 0.2)
  expect_equal(got$statistic, mean(d) / (sqrt(1 / 5 + 0.25) * sd(d)), tolerance = 1e-10)
})

test_that("equal scores are ties, and missing ones leave out their task in ranks", {
  x <- demsar()
  ranks <- rank_results(x, direction = "higher")
  expect_identical(ranks$rank[ranks$task == "mushroom"], rep(2.5, 4))
  expect_identical(sort(ranks$rank[ranks$task == "voting"]), c(1, 2.5, 2.5, 4))
  x["wine", 2] <- NA
  expect_identical(glance(contrast_architectures(x, test = "friedman", direction = "higher"))$n, 13L)
})

test_that("the exact p-value of Friedman's test is that of all orders, with ties too", {
  all_orders <- function(ranks) {
    orders <- friedman_permutations(ncol(ranks))
    choices <- as.matrix(expand.grid(rep(list(seq_len(nrow(orders))), nrow(ranks))))
    of <- function(r) sum(colSums(r)^2)
    found <- apply(choices, 1L, function(pick) {
      of(t(vapply(seq_len(nrow(ranks)), function(i) ranks[i, ][orders[pick[[i]], ]], numeric(ncol(ranks)))))
    })
    mean(found >= of(ranks) - 1e-9)
  }
  for (ranks in list(rbind(1:3, 1:3, 1:3), rbind(1:3, c(2, 1, 3), c(1, 3, 2), 1:3), rbind(c(1.5, 1.5, 3), 1:3, c(2, 2,
    2)),
    rbind(1:4, c(2, 1, 3, 4)))) {
    expect_near(friedman_exact_p(ranks), all_orders(ranks), 1e-12)
  }
  # published critical values: k = 3, N = 3: P(chi-squared >= 6) = 0.028; k = 4, N = 2: P(>= 6) = 0.042
  expect_near(friedman_exact_p(rbind(1:3, 1:3, 1:3)), 1 / 36, 1e-12)
  expect_near(friedman_exact_p(rbind(1:4, 1:4)), 1 / 24, 1e-12)
  expect_identical(friedman_exact_p(matrix(rep(1:7, 3), 3, byrow = TRUE)), NA_real_)
  expect_identical(nrow(unique(friedman_permutations(4L))), 24L)
})

test_that("tables that are none are refused", {
  x <- demsar()
  expect_snapshot({
    cat(bad(contrast_architectures(x), "value"))
    cat(bad(contrast_architectures(unname(x), direction = "higher"), "value"))
    cat(bad(contrast_architectures(x[, 1, drop = FALSE], direction = "higher"), "value"))
    cat(bad(contrast_architectures(replace(x, 3, Inf), direction = "higher"), "value"))
    cat(bad(contrast_architectures(x[c(1, 1), ], direction = "higher"), "value"))
    cat(bad(contrast_architectures(format(x), direction = "higher"), "type"))
    cat(bad(contrast_architectures(data.frame(a = "b", c = "d", e = 1), direction = "lower"), "type"))
    long <- data.frame(task = "a", model = c("m", "m", "n"), loss = 1:3)
    cat(bad(contrast_architectures(long, direction = "lower"), "value"))
    cat(bad(contrast_architectures(transform(long, other = 1), direction = "lower"), "value"))
    cat(bad(contrast_architectures(1:3, direction = "lower"), "type"))
  })
})

test_that("pictures of a table are drawn", {
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(contrast_architectures(demsar(), test = "friedman", direction = "higher")),
    "ggplot")
  expect_s3_class(ggplot2::autoplot(rank_results(demsar(), direction = "higher")), "ggplot")
})
