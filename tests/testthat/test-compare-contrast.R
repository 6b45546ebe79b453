# contrast_architectures() compared with R's tests of differences computed by hand.

# Returns the mean difference of two networks for each task, by a loop.
task_differences <- function(cmp, a, b, metric = "excess_loss") {
  vapply(names(cmp$tasks), function(task) {
    of <- function(name) cmp$runs[[metric]][cmp$runs$task == task & cmp$runs$network == name]
    mean(of(a)) - mean(of(b))
  }, 0)
}

quiet_comparable <- function(code) suppressWarnings(code, classes = "capalloc_warning_not_comparable")

test_that("over tasks a contrast is the paired t test of the task means", {
  cmp <- random_comparison(5, 6, 3)
  k <- contrast_architectures(cmp)
  expect_s3_class(k, "ca_contrast")
  expect_identical(k$group1, c("a", "a", "b"))
  expect_identical(k$group2, c("b", "c", "c"))
  for (i in 1:3) {
    d <- task_differences(cmp, k$group1[[i]], k$group2[[i]])
    test <- t.test(d)
    expect_equal(k$estimate[[i]], mean(d), tolerance = 1e-12)
    expect_equal(c(k$conf.low[[i]], k$conf.high[[i]]), test$conf.int, tolerance = 1e-10, ignore_attr = TRUE)
    expect_equal(c(k$statistic[[i]], k$p.value[[i]]), c(test$statistic, test$p.value), tolerance = 1e-10,
      ignore_attr = TRUE)
  }
  expect_equal(k$adj.p.value, p.adjust(k$p.value, "holm"), tolerance = 1e-14)
  expect_identical(k$n, rep(6L, 3))
  expect_identical(k$better, ifelse(k$estimate < 0, k$group1, k$group2))
  higher <- contrast_architectures(cmp, direction = "higher")
  expect_identical(higher$better, ifelse(k$estimate > 0, k$group1, k$group2))
  expect_named(tidy(k), c(
    "group1", "group2", "estimate", "conf.low", "conf.high", "statistic", "p.value", "adj.p.value", "n", "better",
    "method", "alternative", "reason"
  ))
  expect_identical(class(tidy(k)), "data.frame")
})

test_that("higher efficiency is better, and total capacity has no better direction", {
  cmp <- random_comparison(2, 5, 2, capacity = withr::with_seed(2, runif(20, 3, 4)))
  k <- contrast_architectures(cmp, "efficiency")
  expect_identical(k$better, if (k$estimate > 0) "a" else "b")
  expect_identical(contrast_architectures(cmp, "total_capacity")$better, NA_character_)
})

test_that("replicates do not increase n over tasks", {
  values <- withr::with_seed(3, matrix(rnorm(8), 4, 2)) # tasks x networks
  many <- aperm(array(values, c(4, 2, 50)), c(3, 1, 2))
  one <- contrast_architectures(made_comparison(array(values, c(1, 4, 2))))
  fifty <- contrast_architectures(made_comparison(many))
  expect_equal(tidy(fifty), tidy(one), tolerance = 1e-12)
})

test_that("within a task replicates are paired by their common sample", {
  cmp <- random_comparison(7, 2, 2)
  k <- contrast_architectures(cmp, by = "task", adjust = "bonferroni")
  expect_identical(k$task, c("t1", "t2"))
  for (i in 1:2) {
    of <- function(name) cmp$runs$excess_loss[cmp$runs$task == k$task[[i]] & cmp$runs$network == name]
    test <- t.test(of("a"), of("b"), paired = TRUE)
    expect_equal(k$p.value[[i]], test$p.value, tolerance = 1e-10)
    expect_equal(c(k$conf.low[[i]], k$conf.high[[i]]), test$conf.int, tolerance = 1e-10, ignore_attr = TRUE)
  }
  expect_equal(k$adj.p.value, p.adjust(k$p.value, "bonferroni"))
  # A single task is contrasted within itself.
  single <- random_comparison(7, 1, 2)
  expect_equal(tidy(contrast_architectures(single))[-1], tidy(contrast_architectures(single, by = "task"))[-(1:2)],
    tolerance = 1e-12)
})

test_that("without common samples only tasks are paired, with a warning", {
  cmp <- random_comparison(4, 3, 2, n_obs = Inf)
  expect_warning(k <- contrast_architectures(cmp), class = "capalloc_warning_pairing")
  expect_equal(k$p.value, t.test(task_differences(cmp, "a", "b"))$p.value, tolerance = 1e-10)
  expect_warning(k <- contrast_architectures(cmp, by = "task"), class = "capalloc_warning_pairing")
  expect_equal(k$estimate, unname(task_differences(cmp, "a", "b")), tolerance = 1e-12)
  expect_true(all(is.na(k$p.value)))
  expect_match(k$reason, "no replicates that share samples")
  # The same holds where seeds differ within a replicate.
  apart <- random_comparison(4, 3, 2)
  apart$runs$seed <- seq_len(nrow(apart$runs))
  expect_warning(quiet_comparable(contrast_architectures(apart)), class = "capalloc_warning_pairing")
})

test_that("failed replicates are left out in pairs, with a warning", {
  cmp <- random_comparison(4, 3, 2)
  lost <- cmp$runs$network == "a" & cmp$runs$task == "t2" & cmp$runs$replicate == 3
  cmp$runs[lost, c("excess_loss", "loss", "train_loss")] <- NA
  expect_warning(k <- contrast_architectures(cmp), class = "capalloc_warning_not_comparable")
  # The same result as without the partner.
  both <- cmp
  both$runs$excess_loss[cmp$runs$task == "t2" & cmp$runs$replicate == 3] <- NA
  kept <- both
  kept$runs <- both$runs[!is.na(both$runs$excess_loss), ]
  expect_equal(k$estimate, mean(task_differences(kept, "a", "b")), tolerance = 1e-12)
  # A task without any successful run of one network.
  cmp$runs[cmp$runs$network == "a" & cmp$runs$task == "t2", c("excess_loss", "loss", "train_loss")] <- NA
  expect_identical(quiet(contrast_architectures(cmp))$n, 2L)
  cmp$runs[cmp$runs$network == "a", c("excess_loss", "loss", "train_loss")] <- NA
  k <- quiet(contrast_architectures(cmp))
  expect_identical(k$reason, "no task has both")
  expect_identical(k$estimate, NA_real_)
})

test_that("constant differences have an estimate, no p-value, and a reason", {
  values <- array(rep(c(0.1, 0.3, 0.1), each = 12), c(3, 4, 3))
  for (test in c("t", "wilcoxon", "bayes")) {
    k <- contrast_architectures(made_comparison(values), test = test)
    expect_equal(k$estimate, c(-0.2, 0, 0.2), tolerance = 1e-12)
    expect_true(all(is.na(k[c("p.value", "adj.p.value", "conf.low", "statistic")])))
    expect_identical(k$reason, c("all 4 differences are the same", "all 4 differences are zero",
      "all 4 differences are the same"))
  }
  # Variation at rounding error counts as constant.
  values <- values + withr::with_seed(1, runif(length(values), 0, 1e-9))
  expect_equal(is.na(contrast_architectures(made_comparison(values))$p.value), rep(TRUE, 3))
  # A contrast that varies is tested although others are constant.
  values[, , 2] <- withr::with_seed(1, runif(12))
  k <- contrast_architectures(made_comparison(values))
  expect_identical(is.na(k$p.value), c(FALSE, TRUE, FALSE))
  expect_equal(k$adj.p.value[c(1, 3)], p.adjust(k$p.value[c(1, 3)], "holm"))
})

test_that("the Wilcoxon test is that of R, and its interval is NA where the level cannot be attained", {
  cmp <- random_comparison(2, 9, 2)
  k <- contrast_architectures(cmp, test = "wilcoxon", level = 0.9)
  test <- wilcox.test(task_differences(cmp, "a", "b"), conf.int = TRUE, conf.level = 0.9)
  expect_equal(c(k$estimate, k$statistic, k$p.value), c(test$estimate, test$statistic, test$p.value),
    tolerance = 1e-10, ignore_attr = TRUE)
  expect_equal(c(k$conf.low, k$conf.high), test$conf.int, tolerance = 1e-10, ignore_attr = TRUE)
  few <- contrast_architectures(random_comparison(2, 3, 2), test = "wilcoxon")
  expect_false(is.na(few$p.value))
  expect_identical(few$conf.low, NA_real_)
  expect_identical(few$reason, "no 95% interval from 3 differences")
  # With five differences the level is at most 1 - 2^-4, although wilcox.test() reports it as 95%.
  expect_identical(contrast_architectures(random_comparison(2, 5, 2), test = "wilcoxon")$conf.low, NA_real_)
  expect_false(is.na(contrast_architectures(random_comparison(2, 5, 2), test = "wilcoxon", level = 0.9)$conf.low))
  # Ties and zeros are stated by `method`, without a warning: approximate before R 4.6, exact since then.
  tied <- made_comparison(array(c(1, 2, 3, 4, 1, 1, 4, 6), c(1, 4, 2)))
  expect_warning(k <- contrast_architectures(tied, test = "wilcoxon"), NA)
  test <- suppressWarnings(wilcox.test(c(0, 1, -1, -2)))
  expect_match(test$method, if (getRversion() < "4.6") "continuity correction" else "exact")
  expect_identical(k$method, test$method)
  expect_equal(k$p.value, test$p.value, tolerance = 1e-12)
})

test_that("the Bayesian contrast is the Student posterior of Corani and Benavoli, by integration", {
  cmp <- random_comparison(10, 1, 2)
  d <- cmp$runs$excess_loss[1:10] - cmp$runs$excess_loss[11:20]
  for (rho in c(0, 0.1, 0.5)) {
    k <- contrast_architectures(cmp, test = "bayes", rope = 0.2, rho = rho)
    scale <- sqrt((1 / 10 + rho / (1 - rho)) * var(d))
    density <- function(x) dt((x - mean(d)) / scale, 9) / scale
    area <- function(from, to) integrate(density, from, to, rel.tol = 1e-9)$value
    # integrate() has errors of 1e-9
    expect_equal(c(k$prob_less, k$prob_rope, k$prob_greater), c(area(-Inf, -0.2), area(-0.2, 0.2), area(0.2, Inf)),
      tolerance = 1e-6)
    expect_equal(area(k$conf.low, k$conf.high), 0.95, tolerance = 1e-6)
    expect_equal(k$prob_less + k$prob_rope + k$prob_greater, 1, tolerance = 1e-12)
  }
  # With rho = 0 and no rope it is the one-sided t test.
  k <- contrast_architectures(cmp, test = "bayes")
  expect_equal(k$prob_less, t.test(d, alternative = "greater")$p.value, tolerance = 1e-10)
  expect_identical(k$prob_rope, 0)
  # With rho > 0 the corrected t test has the same interval.
  expect_equal(
    tidy(contrast_architectures(cmp, rho = 0.1))[c("conf.low", "conf.high")],
    tidy(contrast_architectures(cmp, test = "bayes", rho = 0.1))[c("conf.low", "conf.high")]
  )
})

test_that("with a control there is a row for each other network", {
  cmp <- random_comparison(2, 6, 4)
  k <- contrast_architectures(cmp, control = "c")
  expect_identical(k$group1, c("a", "b", "d"))
  expect_identical(k$group2, rep("c", 3))
  all <- contrast_architectures(cmp)
  expect_equal(k$p.value[[1L]], all$p.value[all$group1 == "a" & all$group2 == "c"], tolerance = 1e-12)
})

test_that("data tasks warn that replicates resample the same rows", {
  cmp <- compare_architectures(list(a = arch_dense(input_vector(2), bias = TRUE), b = arch_dense(input_vector(2))),
    list(cars = task_data(mpg ~ wt + hp, mtcars, seed = 1)), replicates = 3, n_obs = 24)
  expect_warning(quiet_comparable(contrast_architectures(cmp)), class = "capalloc_warning_resampled")
})

test_that("contrasts of real runs equal differences computed by hand", {
  cmp <- compare_architectures(list(dense = arch_dense(8), dilated = arch_dilated(8, 1)), classical_tasks(8)[1:3],
    replicates = 3, n_obs = 60)
  k <- quiet(contrast_architectures(cmp, "loss"))
  expect_equal(k$estimate, mean(task_differences(cmp, "dense", "dilated", "loss")), tolerance = 1e-12)
})

test_that("glance(), augment(), format() and print()", {
  cmp <- random_comparison(4, 3, 3)
  k <- contrast_architectures(cmp)
  expect_identical(glance(k), data.frame(
    metric = "excess_loss", direction = "lower", test = "t", by = "task", adjust = "holm", level = 0.95, contrasts = 3L,
    n = 3L
  ))
  units <- generics::augment(k)
  expect_identical(nrow(units), 9L)
  expect_equal(units$difference[1:3], unname(task_differences(cmp, "a", "b")), tolerance = 1e-12)
  expect_equal(units$difference, units$value1 - units$value2, tolerance = 1e-12)
  expect_identical(units$unit[1:3], names(cmp$tasks))
  expect_named(generics::augment(contrast_architectures(cmp, by = "task"))[1], "task")
  shown <- format(k)
  expect_true(all(vapply(shown, is.character, NA)))
  if (requireNamespace("knitr", quietly = TRUE)) expect_length(knitr::kable(shown, "pipe"), 5L)
  capture.output(printed <- withVisible(print(k)))
  expect_false(printed$visible)
  expect_snapshot({
    k
    contrast_architectures(cmp, test = "bayes", rope = 0.1)
    contrast_architectures(cmp, test = "friedman")
    format(contrast_architectures(cmp, test = "friedman", control = "a", adjust = "bonferroni"))
    format(contrast_architectures(cmp, test = "bayes", rope = 0.1))
  })
})

test_that("bad arguments are refused by class", {
  cmp <- random_comparison(2, 2, 2)
  one <- random_comparison(1, 1, 2)
  texts <- c(
    bad(contrast_architectures(cmp$runs), "value"),
    bad(contrast_architectures(cmp, "accuracy"), "value"),
    bad(contrast_architectures(cmp, "seed"), "value"),
    bad(contrast_architectures(cmp, test = "anova"), "value"),
    bad(contrast_architectures(cmp, control = "dense"), "value"),
    bad(contrast_architectures(cmp, adjust = "nemenyi"), "value"),
    bad(contrast_architectures(cmp, test = "friedman", control = "a", adjust = "nemenyi"), "value"),
    bad(contrast_architectures(cmp, level = 1), "value"),
    bad(contrast_architectures(cmp, rope = -1), "value"),
    bad(contrast_architectures(cmp, rho = 1), "value"),
    bad(contrast_architectures(cmp, direction = "up"), "value"),
    bad(contrast_architectures(cmp, metrics = "loss"), "value"),
    bad(contrast_architectures(random_comparison(2, 2, 1)), "value"),
    bad(contrast_architectures(one), "value"),
    bad(contrast_architectures(random_comparison(1, 3, 2), by = "task"), "value")
  )
  expect_snapshot(writeLines(texts))
  cmp$runs$excess_loss <- NA_real_
  expect_match(bad(contrast_architectures(cmp), "value"), "excess_loss")
})

test_that("differences within the resolution of the loss count as zero", {
  a <- withr::with_seed(1, abs(stats::rnorm(8)))
  differing <- function(d) made_comparison(array(c(a, a + c(d, 0.3, 0.4, -0.1, 0.2, 0.25)), c(8, 1, 2)))
  for (test in c("t", "wilcoxon")) {
    of <- function(d) tidy(contrast_architectures(differing(d), test = test))
    expect_equal(of(c(1e-13, -1e-13, 2e-13)), of(c(0, 0, 0)), tolerance = 1e-14)
  }
})

test_that("the fields of settings and blocks are the formals of their constructors", {
  expect_constructor(capalloc:::new_contrast_setting)
  expect_constructor(capalloc:::new_contrast_block)
})

test_that("several tasks are contrasted on a scale-free metric by default", {
  nets <- list(a = arch_dense(8), b = arch_conv(8, 1, 3))
  cmp <- quiet(compare_architectures(nets, classical_tasks(8)[c("ar", "fgn")], replicates = 2, n_obs = 50))
  got <- quiet(contrast_architectures(cmp))
  expect_identical(glance(got)$metric, "relative_excess")
  means <- with(cmp$runs, tapply(excess_loss / null_loss, list(task, network), mean))
  expect_equal(got$estimate, mean(means[, "a"] - means[, "b"]), tolerance = 1e-10)
  expect_identical(glance(quiet(contrast_architectures(cmp, by = "task")))$metric, "excess_loss")
  # comparisons of older versions
  cmp$runs$relative_excess <- NULL
  expect_identical(glance(quiet(contrast_architectures(cmp)))$metric, "excess_loss")
})
