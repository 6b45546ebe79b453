# tidy() and glance() of fits; those of capacities are in test-capacity.R.

test_that("tidy() of a fit has its parameters with the column sums of the table as capacity", {
  task <- task_fgn(16, 0.8)
  for (network in list(arch_dilated(16, filters = 2), arch_conv(16, 2, 3, bias = TRUE), arch_recurrent(16, 2))) {
    trained <- fit(network, task, seed = 1)
    tidied <- tidy(trained)
    expect_identical(class(tidied), "data.frame")
    expect_named(tidied, c("term", "layer", "estimate", "capacity"))
    expect_identical(tidied$term, names(coef(trained$network)))
    expect_identical(tidied$layer, sub("[.].*", "", tidied$term))
    expect_identical(tidied$estimate, unname(coef(trained$network)))
    space <- twin_column_space(trained$network)
    # From the right singular vectors; accuracy depends on the condition number of the directions above the tolerance.
    expect_near(tidied$capacity, colSums(twin_table(space)), 1e-8)
    expect_near(tidied$capacity, rowSums(space$s$v[, space$weight > 0, drop = FALSE]^2), 1e-8)
    expect_gte(min(tidied$capacity), -1e-12)
    expect_lte(max(tidied$capacity), 1 + 1e-12)
    expect_equal(sum(tidied$capacity), glance(capacity(trained))$total, tolerance = 1e-10)
  }
})

test_that("redundant parameters share capacity, and dead parameters have none", {
  trained <- fit(input_sequence(3) |> layer_dense(1), task_ar(3, 0.5), seed = 1)
  expect_near(tidy(trained)$capacity, rep(1, 3), 1e-12)
  # Two factors of one weight.
  trained <- fit(input_vector(1) |> layer_dense(1) |> layer_dense(1) |> set_coef(c(1, 0.2)),
    task_moments(matrix(1), 0.5, 1))
  expect_near(tidy(trained)$capacity, c(0.5, 0.5), 1e-12)
  trained$network <- set_coef(trained$network, c(0, 2))
  expect_near(tidy(trained)$capacity, c(1, 0), 1e-12)
})

test_that("parameters inside blocks belong to their own layers", {
  net <- input_sequence(8) |> layer_residual(\(x) conv_same(x, 1, bias = TRUE)) |> layer_dense(1)
  tidied <- tidy(fit(net, task_fgn(8, 0.7), seed = 1))
  expect_identical(unique(tidied$layer), c("conv1", "dense1"))
  expect_identical(tidied$layer, sub("[.].*", "", tidied$term))
})

test_that("tidy() works for a fit on a grid", {
  trained <- fit(input_grid(4, 4) |> layer_conv(1, 2, stride = 2) |> layer_dense(1), grid_task(4, 4),
    seed = 1)
  expect_equal(sum(tidy(trained)$capacity), glance(capacity(trained))$total, tolerance = 1e-10)
})

test_that("tidy() of kernels and tables gives plain data frames", {
  net <- named_networks()$conv_channels
  for (x in list(capacity_kernel(net), capacity_table(net), capacity(net))) {
    tidied <- tidy(x)
    expect_identical(class(tidied), "data.frame")
    expect_identical(names(attributes(tidied)), c("names", "row.names", "class"))
    expect_identical(as.list(tidied), as.list(as.data.frame(x)))
  }
})

test_that("augment() adds inputs, fitted values and residuals to the rows", {
  trained <- fit(arch_dilated(8), task_fgn(8, 0.8), n_obs = 50, seed = 1)
  rows <- generics::augment(trained)
  expect_identical(rows$.fitted, c(fitted(trained)))
  expect_equal(rows$.observed, c(trained$rows$y))
  expect_identical(unique(rows$output), "y[1]")
  cars <- fit(arch_dense(input_vector(2), bias = TRUE), task_data(factor(am) ~ wt + hp, mtcars, test = 0), seed = 1)
  rows <- generics::augment(cars)
  expect_identical(rows$output, rep(c("0", "1"), each = 32))
  expect_equal(rows$.observed, c(mtcars$am == 0, mtcars$am == 1) + 0, tolerance = 1e-12)
  expect_equal(rows$.observed - rows$.fitted, rows$.resid, tolerance = 1e-12)
  k <- capacity(trained)
  expect_equal(sum(generics::augment(k)$.share), 1)
  cmp <- compare_architectures(list(a = arch_dense(8)), classical_tasks(8)["ar"], replicates = 2, n_obs = 30)
  expect_equal(generics::augment(cmp)$efficiency, (1 - cmp$runs$loss) / 8, tolerance = 1e-12)
})

test_that("every result has tidy() and glance()", {
  k <- capacity(named_networks()$conv_channels)
  both <- c(a = k, b = k)
  expect_identical(class(tidy(both)), "data.frame")
  expect_identical(glance(both), data.frame(network = c("a", "b"), total = rep(glance(k)$total, 2)))
  net <- named_networks()$conv_channels
  columns <- c("total", "n_inputs", "tol", "gap", "rank_low", "rank_high", "undecided", "metric", "ridge")
  for (x in list(capacity_kernel(net), capacity_table(net))) {
    expect_named(glance(x), columns)
    expect_identical(glance(x)$total, glance(k)$total)
  }
  demand <- task_demand(task_ar(4, 0.5))
  expect_identical(tidy(demand), as.data.frame(demand))
  expect_identical(glance(demand)[c("inputs", "at")], data.frame(inputs = 4L, at = "x[4]"))
})

test_that("format() of a summary has its intervals", {
  cmp <- compare_architectures(list(a = arch_dense(8)), classical_tasks(8)["ar"], replicates = 3, n_obs = 30)
  s <- summary(cmp)
  shown <- format(s)
  expect_true(all(vapply(shown, is.character, NA)))
  number <- function(x) format(signif(x, 3))
  expect_identical(shown$loss, paste0(number(s$loss), " [", number(s$loss_low), ", ", number(s$loss_high), "]"))
  skip_if_not_installed("knitr")
  expect_match(knitr::kable(shown, "pipe")[[3L]], shown$loss, fixed = TRUE)
})
