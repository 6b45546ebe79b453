# Scores of runs and the best linear model, compared with lm().

nets <- list(
  dense = arch_dense(8), dilated = arch_dilated(8, filters = 1), conv = arch_conv(8, 2, kernel = 3)
)

tasks <- classical_tasks(8)[c("ar", "sparse")]

# Data with held-out rows and a nonzero mean, and networks with a bias, which such data require.
sunspots <- list(sunspots = task_series(datasets::sunspots[1:120], length = 8))

with_bias <- list(dense = arch_dense(8, bias = TRUE), conv = arch_conv(8, 1, 3, bias = TRUE))

test_that("on the population the best linear model is the Bayes predictor", {
  runs <- compare_architectures(nets, tasks, replicates = 1)$runs
  expect_identical(runs$bayes_loss, rep(vapply(tasks, bayes_loss, 1), each = 3), ignore_attr = TRUE)
  expect_identical(runs$linear_loss, runs$bayes_loss)
  expect_identical(runs$loss, runs$train_loss)
  expect_identical(runs$loss, runs$bayes_loss + runs$excess_loss)
  # The free linear model has no excess loss, up to rounding error of a loss of order 1.
  expect_equal(runs$excess_loss[runs$network == "dense"], c(0, 0), tolerance = 1e-12)
  expect_gt(runs$excess_loss[runs$network == "dilated" & runs$task == "sparse"], 0.1)
})

test_that("on a sample the linear model is lm() without a constant, evaluated on the population", {
  runs <- compare_architectures(nets, tasks, replicates = 2, n_obs = 30)$runs
  for (i in seq_len(nrow(runs))) {
    task <- tasks[[runs$task[[i]]]]
    drawn <- fit(nets$dense, task, seed = runs$seed[[i]], n_obs = 30)$rows
    w <- coef(lm(drawn$y ~ drawn$x - 1))
    of <- task$moments
    loss <- of$target[[1]] - 2 * sum(w * of$cross) + drop(w %*% of$sigma %*% w)
    # Normal equations and QR differ by the condition number of 30 rows, some hundreds.
    expect_equal(runs$linear_loss[[i]], loss, tolerance = 1e-10)
  }
  expect_identical(runs$loss, runs$bayes_loss + runs$excess_loss)
  dense <- runs[runs$network == "dense", ]
  expect_equal(dense$loss, dense$linear_loss, tolerance = 1e-8) # trained to 1e-10, not exactly
  expect_true(all(dense$train_loss < dense$bayes_loss & dense$loss > dense$bayes_loss))
})

test_that("with nonzero means the linear model has a constant", {
  task <- task_moments(
    sigma = diag(2) + tcrossprod(c(1, -2)), cross = c(0.5, 0.2) + 3 * c(1, -2), target = 10,
    mean_x = c(1, -2), mean_y = 3
  )
  free <- list(free = arch_dense(input_vector(2), bias = TRUE))
  cmp <- compare_architectures(free, list(t = task), replicates = 2, n_obs = 25)
  for (i in 1:2) {
    drawn <- fit(cmp$networks$free, task, seed = cmp$runs$seed[[i]], n_obs = 25)$rows
    w <- coef(lm(drawn$y ~ drawn$x))[c(2, 3, 1)]
    sigma <- rbind(cbind(task$moments$sigma, c(1, -2)), c(1, -2, 1))
    loss <- 10 - 2 * sum(w * c(task$moments$cross, 3)) + drop(w %*% sigma %*% w)
    expect_equal(cmp$runs$linear_loss[[i]], loss, tolerance = 1e-10) # a condition number below 1e3
  }
  expect_equal(cmp$runs$bayes_loss, rep(1 - 0.29, 2), tolerance = 1e-12)
})

test_that("for data the linear model is lm() on the training rows, evaluated on held-out rows", {
  data <- sunspots$sunspots$data
  held_out_loss <- function(x, y) {
    w <- coef(lm(y ~ x))
    mean((data$y_test - cbind(1, data$x_test) %*% w)^2)
  }
  runs <- compare_architectures(with_bias, sunspots, replicates = 2)$runs
  # Squares of sunspots: the condition number of the rows is about 1e4.
  expect_equal(runs$linear_loss, rep(held_out_loss(data$x, data$y), 4), tolerance = 1e-8)
  expect_identical(runs$bayes_loss, rep(NA_real_, 4))
  expect_identical(runs$excess_loss, runs$loss - runs$linear_loss)
  expect_equal(runs$excess_loss[1:2] / runs$loss[1:2], c(0, 0), tolerance = 1e-7)
  runs <- compare_architectures(with_bias, sunspots, replicates = 2, n_obs = 60)$runs
  for (i in 1:4) {
    drawn <- fit(with_bias$dense, sunspots$sunspots, seed = runs$seed[[i]], n_obs = 60)$rows
    expect_equal(runs$linear_loss[[i]], held_out_loss(drawn$x, drawn$y), tolerance = 1e-8)
  }
  expect_identical(runs$excess_loss, runs$loss - runs$linear_loss)
})

test_that("the null loss is that of the best constant, and relative losses are divided by it", {
  expect_by_ratio <- function(runs, null) {
    expect_equal(runs$null_loss, null, tolerance = 1e-12)
    expect_equal(runs$relative_loss, runs$loss / null, tolerance = 1e-12)
    expect_equal(runs$relative_excess, runs$excess_loss / null, tolerance = 1e-12)
  }
  # tr V for zero means; tr V - |E y|^2 otherwise.
  expect_by_ratio(compare_architectures(nets["dense"], tasks, replicates = 1)$runs, c(1, 1))
  moved <- task_moments(diag(2) + tcrossprod(c(1, -2)), c(0.5, 0.2) + 3 * c(1, -2), 10, mean_x = c(1, -2), mean_y = 3)
  expect_by_ratio(compare_architectures(list(a = arch_dense(input_vector(2), bias = TRUE)), list(t = moved), 1)$runs, 1)
  # For data: the training mean evaluated on held-out rows.
  data <- sunspots$sunspots$data
  runs <- compare_architectures(with_bias["dense"], sunspots, replicates = 1)$runs
  expect_by_ratio(runs, mean((data$y_test - mean(data$y))^2))
  expect_identical(runs$excess_type, "versus linear")
  # A constant response, and data without held-out rows.
  flat <- list(flat = task_data(matrix(sin(1:40), 20), rep(0.1, 20), seed = 1))
  expect_identical(capalloc:::null_loss(flat$flat), 0)
  expect_identical(capalloc:::scores_against(c(0, 2, 1), c(0, 4, NA)), c(NA, 0.5, NA))
  runs <- compare_architectures(list(a = arch_dense(input_vector(2), bias = TRUE)), flat, replicates = 1)$runs
  expect_match(runs$error, "outputs that vary")
  all_rows <- list(mtcars = task_data(mpg ~ wt + hp, mtcars, test = 0))
  runs <- compare_architectures(list(a = arch_dense(input_vector(2), bias = TRUE)), all_rows, replicates = 1)$runs
  expect_identical(unlist(runs[c("null_loss", "relative_loss", "mase")], use.names = FALSE), rep(NA_real_, 3))
})

test_that("MASE is the held-out mean absolute error divided by that of the naive forecast on the training part", {
  by_hand <- function(series, length, horizon, trained) {
    task <- trained$task
    yhat <- predict(trained, task$data$x_test)
    last <- nrow(task$data$x) + length + max(horizon) - 1 # the training part of the series
    series <- as.matrix(series)[seq_len(last), , drop = FALSE]
    naive <- rep(colMeans(abs(diff(series))), times = length(horizon))
    mean(colMeans(abs(yhat - task$data$y_test)) / naive)
  }
  spots <- datasets::sunspots[1:120]
  cmp <- compare_architectures(with_bias, list(spots = task_series(spots, 8)), replicates = 1)
  for (i in 1:2) {
    trained <- quiet(fit(with_bias[[i]], cmp$tasks$spots, seed = cmp$runs$seed[[i]]))
    expect_equal(cmp$runs$mase[[i]], by_hand(spots, 8, 1, trained), tolerance = 1e-10)
  }
  stocks <- datasets::EuStockMarkets[1:100, 1:2]
  task <- task_series(stocks, 4, horizon = c(1, 3))
  net <- input_sequence(4, channels = 2) |> layer_dense(4, bias = TRUE)
  run <- quiet(compare_architectures(list(net = net), list(stocks = task), replicates = 1))$runs
  expect_equal(run$mase, by_hand(stocks, 4, c(1, 3), quiet(fit(net, task, seed = run$seed))), tolerance = 1e-10)
  # The season is the frequency of a ts; only columns that are predicted count
  quarterly <- ts(stocks, frequency = 4)
  task <- task_series(quarterly, 4, horizon = c(1, 3), target = "SMI")
  values <- quarterly[seq_len(nrow(task$data$x) + 4 + 2), "SMI"]
  expect_equal(task$naive, rep(mean(abs(values[-(1:4)] - values[seq_len(length(values) - 4)])), 2), tolerance = 1e-12)
  expect_identical(task_series(ts(1:12, frequency = 12), 3)$naive, NA_real_)
  # Only series have a MASE.
  expect_true(all(is.na(compare_architectures(nets["dense"], tasks, replicates = 1, n_obs = 30)$runs$mase)))
})

test_that("the best linear model does not depend on units and offsets", {
  x <- withr::with_seed(1, matrix(stats::rnorm(200), 50))
  y <- x[, 1] - x[, 2] + withr::with_seed(2, stats::rnorm(50))
  loss_of <- function(x, y) {
    task <- task_data(x, y, seed = 1)
    capalloc:::scores_linear_row_loss(task, task$data[c("x", "y")])
  }
  expect_equal(loss_of(x, y), {
    task <- task_data(x, y, seed = 1)
    w <- coef(lm(task$data$y ~ task$data$x))
    mean((task$data$y_test - cbind(1, task$data$x_test) %*% w)^2)
  }, tolerance = 1e-12)
  moved <- sweep(sweep(x, 2, c(1e-9, 1, 1e6, 1e3), "*"), 2, c(1e-4, 1e6, 0, -1e8), "+")
  # An offset of 1e6 standard deviations leaves ten digits.
  expect_equal(loss_of(moved, y), loss_of(x, y), tolerance = 1e-8)
  expect_equal(loss_of(x, 1e6 + y), loss_of(x, y), tolerance = 1e-8)
  # Constant and repeated columns do not change the loss.
  expect_equal(loss_of(cbind(x, 7, x[, 1]), y), loss_of(x, y), tolerance = 1e-10)
})
