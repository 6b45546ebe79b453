# Metrics of runs: values, directions, tolerances and ranks.

ar <- list(t1 = task_ar(4, 0.5), t2 = task_ar(4, 0.5, variance = 4))

test_that("every numeric column of the runs and efficiency are metrics", {
  cmp <- random_comparison(2, 2, 2)
  expect_setequal(capalloc:::known_metrics(cmp), c(
    "n_params", "total_capacity", "excess_loss", "loss", "train_loss", "bayes_loss", "efficiency"
  ))
  cmp$runs$mine <- seq_len(nrow(cmp$runs)) / 3
  mine <- capalloc:::comparison_metric(cmp, "mine")
  expect_identical(c(mine$values), cmp$runs$mine)
  # The tolerance is 1e-8 of the largest value of each task.
  expect_equal(unname(mine$tolerance), 1e-8 * c(max(mine$values[, 1, ]), max(mine$values[, 2, ])), tolerance = 1e-12)
})

test_that("efficiency is the share of the null loss explained per effective parameter", {
  cmp <- random_comparison(3, 2, 2, tasks = ar, capacity = 1:6)
  got <- capalloc:::comparison_metric(cmp, "efficiency")
  for (i in seq_len(nrow(cmp$runs))) {
    run <- cmp$runs[i, ]
    null <- c(t1 = 1, t2 = 4)[[run$task]]
    expect_equal(got$values[run$replicate, run$task, run$network], (1 - run$loss / null) / run$total_capacity,
      tolerance = 1e-14)
  }
  expect_identical(got$direction, "higher")
  # For classes the null loss is the cross-entropy of their shares.
  classes <- task_data(factor(am) ~ wt + hp, mtcars, seed = 1)
  cmp <- random_comparison(2, 1, 2, tasks = list(cars = classes),
    networks = list(a = arch_dense(input_vector(2)), b = arch_dense(input_vector(2))))
  share <- mean(classes$data$y[, 2])
  null <- -mean(ifelse(classes$data$y_test[, 2] == 1, log(share), log(1 - share)))
  expect_equal(c(capalloc:::comparison_metric(cmp, "efficiency")$values), (1 - cmp$runs$loss / null) / 4,
    tolerance = 1e-12)
  # Nothing to explain, or no held-out rows.
  constant <- task_data(matrix(1:40, 10), rep(2.1, 10), seed = 1)
  none <- task_data(mpg ~ wt, mtcars, test = 0)
  for (task in list(constant, none)) {
    cmp <- random_comparison(2, 1, 2, tasks = list(t = task))
    expect_true(all(is.na(capalloc:::metric_run_efficiency(cmp))))
  }
})

test_that("an offset of the data does not change efficiency", {
  with_offset <- function(offset) {
    tasks <- list(cars = task_data(mpg ~ wt + hp, transform(mtcars, mpg = mpg + offset), seed = 1))
    networks <- list(a = arch_dense(input_vector(2), bias = TRUE))
    cmp <- made_comparison(array(c(0, 1), c(2, 1, 1)), tasks = tasks, networks = networks)
    capalloc:::comparison_metric(cmp, "efficiency")$values
  }
  # Rounding error of 1e6 relative to a standard deviation of 6.
  expect_equal(with_offset(1e6), with_offset(0), tolerance = 1e-8)
})

test_that("directions are those of the metric unless the user gives one", {
  cmp <- random_comparison(2, 2, 2)
  direction <- function(...) capalloc:::comparison_metric(cmp, ...)$direction
  expect_identical(direction("excess_loss"), "lower")
  expect_identical(direction("total_capacity"), "none")
  expect_identical(direction("total_capacity", "lower"), "lower")
})

test_that("values are matched to their runs in any order of rows", {
  cmp <- random_comparison(3, 2, 4)
  shuffled <- cmp
  shuffled$runs <- cmp$runs[withr::with_seed(1, sample.int(nrow(cmp$runs))), ]
  expect_identical(capalloc:::comparison_metric(shuffled, "loss"), capalloc:::comparison_metric(cmp, "loss"))
  fewer <- cmp
  fewer$runs <- cmp$runs[!(cmp$runs$network == "b" & cmp$runs$task == "t2" & cmp$runs$replicate == 3), ]
  values <- capalloc:::comparison_metric(fewer, "loss")$values
  expect_identical(which(is.na(values)), which(slice.index(values, 1) == 3 & slice.index(values, 2) == 2 &
    slice.index(values, 3) == 2))
})

test_that("values within the tolerance are tied", {
  ranks <- function(x, direction = "lower", tolerance = 0) capalloc:::metric_ranks(x, direction, tolerance)
  expect_identical(ranks(c(3, 1, 2)), c(3, 1, 2))
  expect_identical(ranks(c(3, 1, 2), "higher"), c(1, 3, 2))
  expect_identical(ranks(c(1, 1 + 1e-9, 2), tolerance = 1e-8), c(1.5, 1.5, 3))
  expect_identical(ranks(c(2, NA, 1)), c(2, NA, 1))
  expect_identical(ranks(c(NA, NA)), c(NA_real_, NA_real_))
  # Losses tie within 1e-8 of the least loss, and at zero loss within the rounding error of tr V.
  cmp <- made_comparison(array(c(0, 5e-9, 2e-8), c(1, 1, 3)))
  metric <- capalloc:::comparison_metric(cmp, "excess_loss")
  expect_equal(unname(metric$tolerance), 1e-8, tolerance = 1e-12)
  cmp$runs$loss <- 0
  expect_equal(unname(capalloc:::comparison_metric(cmp, "excess_loss")$tolerance), 1e-12, tolerance = 1e-12)
})

test_that("held-out losses tie within the uncertainty given by their decrements", {
  # Losses 1, 1 + 3e-5, 1 + 1.5e-4; 2 sqrt(d loss) is 2e-5 and 1.8e-4.
  cmp <- made_comparison(array(c(0, 3e-5, 1.5e-4), c(1, 1, 3)))
  metric_at <- function(decrement, metric = "excess_loss") {
    cmp$runs$decrement <- decrement
    capalloc:::comparison_metric(cmp, metric)
  }
  ranks <- function(metric) capalloc:::metric_ranks(metric$values[1, 1, ], "lower", metric$tolerance[[1]],
    metric$uncertainty[1, 1, ])
  expect_identical(unname(ranks(metric_at(NA_real_))), c(1, 2, 3))
  expect_identical(unname(ranks(metric_at(1e-12))), c(1, 2, 3))
  expect_equal(c(metric_at(1e-10)$uncertainty), 2 * sqrt(1e-10 * cmp$runs$loss) + 1e-12 * cmp$runs$loss,
    tolerance = 1e-14)
  expect_identical(unname(ranks(metric_at(1e-10))), c(1.5, 1.5, 3))
  # Two runs tie within the sum of their own uncertainties.
  expect_identical(unname(ranks(metric_at(c(1e-10, 1e-10, 8e-9)))), c(2, 2, 2))
  expect_identical(unname(ranks(metric_at(c(2e-10, 1e-14, 1e-14)))), c(1, 2, 3))
  # A run that has not converged has the uncertainty of a run at the bound.
  expect_identical(metric_at(0.1)$uncertainty, metric_at(1e-8 * cmp$runs$loss)$uncertainty)
  # On the population the reported loss is the training loss.
  population <- made_comparison(array(c(0, 3e-5, 1.5e-4), c(1, 1, 3)), n_obs = Inf)
  population$runs$decrement <- 1e-10
  on_population <- capalloc:::comparison_metric(population, "excess_loss")
  expect_equal(c(on_population$uncertainty), 1e-10 + 1e-12 * population$runs$loss, tolerance = 1e-14)
  # Metrics that do not depend on the weights to first order have no such uncertainty.
  expect_true(all(metric_at(1e-7, "train_loss")$uncertainty == 0))
  cmp$runs$null_loss <- 4
  expect_equal(c(metric_at(1e-10)$uncertainty) / 4, c(metric_at(1e-10, "efficiency")$uncertainty) * 4,
    tolerance = 1e-12)
  # The uncertainty in contrasts and ranks.
  cmp <- made_comparison(array(c(0, 0, 3e-5, 3e-5), c(1, 2, 2)))
  expect_identical(quiet(contrast_architectures(cmp))$estimate, -3e-5)
  cmp$runs$decrement <- 1e-10
  expect_identical(quiet(contrast_architectures(cmp))$estimate, 0)
  expect_identical(rank_results(cmp)$rank, rep(1.5, 4))
  expect_identical(quiet(contrast_architectures(cmp, test = "friedman"))$estimate, 0)
})

test_that("one warning lists the reasons why runs are not comparable", {
  cmp <- random_comparison(2, 2, 2)
  expect_warning(capalloc:::warn_metric_not_comparable(cmp, "excess_loss"), NA)
  cmp$runs$converged[[1L]] <- FALSE
  cmp$runs[2L, c("loss", "train_loss", "excess_loss")] <- NA
  cmp$runs$n_params <- rep(c(4L, 8L), each = 4)
  said <- function(cmp, ...) conditionMessage(expect_warning(capalloc:::warn_metric_not_comparable(cmp, ...),
    class = "capalloc_warning_not_comparable"))
  expect_false(grepl("Budgets", said(cmp, "excess_loss"))) # all of one total capacity
  cmp$runs$total_capacity <- rep(c(4, 8), each = 4)
  cmp$runs$seed[[3L]] <- 7L
  expect_snapshot(writeLines(said(cmp, "excess_loss")))
  expect_false(grepl("Budgets", said(cmp, "efficiency")))
})

test_that("the fields of a metric are the formals of its constructor", {
  expect_constructor(capalloc:::new_metric)
})
