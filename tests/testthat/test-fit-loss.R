# Losses of fits: the excess loss compared with a large sample, the null loss with its definition.

tanh_stack <- function(n, units = 3) {
  input_sequence(n) |> layer_dense(units, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
}

test_that("the excess loss of nonlinear networks is closer to that of a large sample than a difference of losses", {
  task <- task_fgn(8, 0.8)
  w <- oracle_weights(task)
  large <- simulate(task, 2e5, seed = 99)
  error <- vapply(1:12, function(seed) {
    trained <- suppressWarnings(fit(tanh_stack(8), task, seed = seed, n_obs = 300,
      control = list(max_iterations = 100)))
    reference <- mean((predict(trained, large$x) - tcrossprod(large$x, w))^2)
    fresh <- simulate(task, 10000, seed = seed)
    difference <- mean((fresh$y - predict(trained, fresh$x))^2) - bayes_loss(task)
    expect_gte(trained$excess_loss, 0)
    expect_identical(trained$loss, trained$bayes_loss + trained$excess_loss)
    expect_identical(trained$excess_type, "sampled")
    c(ours = trained$excess_loss, difference = difference) - reference
  }, c(ours = 0, difference = 0))
  rms <- sqrt(rowMeans(error^2))
  expect_lt(rms[["ours"]], rms[["difference"]] / 5)
})

test_that("networks with the same seed are evaluated on the same rows", {
  task <- task_ar(4, 0.6)
  of <- function(network) suppressWarnings(fit(network, task, seed = 7, n_obs = 100,
    control = list(max_iterations = 3)))
  # A leaky relu with slope 1 is the identity, so the network is a linear function.
  small <- input_sequence(4) |> layer_dense(1) |> layer_activation("leaky_relu", 1)
  trained <- of(small)
  W <- matrix(coef(trained), 1)
  exact <- drop((W - oracle_weights(task)) %*% task$moments$sigma %*% t(W - oracle_weights(task)))
  # Mean over 10000 rows of a quadratic form of rank one: 5 standard errors of relative size sqrt(2 / N).
  expect_equal(trained$excess_loss, exact, tolerance = 5 * sqrt(2 / 10000))
  x <- capalloc:::fresh_rows
  expect_identical(x, 10000L)
})

test_that("the excess loss of linear networks is exact, with and without means", {
  for (bias in c(FALSE, TRUE)) {
    task <- task_moments(diag(3) + tcrossprod(c(1, -2, 0.5)), c(0.5, 0.2, -1) + 3 * c(1, -2, 0.5), 12,
      mean_x = c(1, -2, 0.5),
      mean_y = 3)
    net <- set_coef(input_vector(3) |> layer_dense(1, bias = bias), c(0.3, -1, 2, 0.7)[seq_len(3 + bias)])
    trained <- suppressWarnings(fit(net, task, seed = 1, control = list(max_iterations = 0), method = "lbfgs"))
    sigma <- rbind(cbind(task$moments$sigma, task$moments$mean_x), c(task$moments$mean_x, 1))
    cross <- c(task$moments$cross, task$moments$mean_y)
    w <- c(coef(net), if (!bias) 0)
    best <- solve(sigma, cross)
    excess <- drop((w - best) %*% sigma %*% (w - best))
    expect_equal(trained$excess_loss, excess, tolerance = 1e-12)
    expect_identical(trained$excess_type, "exact")
  }
})

test_that("a linear excess loss far below the loss is accurate", {
  task <- task_fgn(16, 0.7)
  W <- oracle_weights(task)
  moved <- set_coef(input_sequence(16) |> layer_dense(1), W + 1e-9 * sin(1:16))
  trained <- suppressWarnings(fit(moved, task, seed = 1, method = "lbfgs", control = list(max_iterations = 0)))
  exact <- 1e-18 * drop(sin(1:16) %*% task$moments$sigma %*% sin(1:16))
  # The sum W + 1e-9 is itself rounded at 1e-7 of the change.
  expect_equal(trained$excess_loss, exact, tolerance = 1e-5)
})

test_that("the null loss is the variance, or the held-out loss of the training mean", {
  task <- task_ar(4, 0.6)
  expect_equal(capalloc:::null_loss(task), sum(diag(task$moments$target)), tolerance = 1e-14)
  data <- task_data(mpg ~ wt + hp, mtcars, seed = 1)
  rows <- data$data
  expect_equal(capalloc:::null_loss(data), mean((rows$y_test - mean(rows$y))^2), tolerance = 1e-14)
  expect_equal(fit(input_vector(2) |> layer_dense(1), data, seed = 1)$null_loss, mean((rows$y_test - mean(rows$y))^2),
    tolerance = 1e-14)
  classes <- task_data(Species ~ ., iris, seed = 1)
  share <- colMeans(classes$data$y)
  expect_equal(capalloc:::null_loss(classes), -mean(log(classes$data$y_test %*% share)), tolerance = 1e-14)
  expect_identical(capalloc:::null_loss(task_data(mpg ~ wt, mtcars, test = 0)), NA_real_)
})

test_that("losses of data are in squared units of the response", {
  y <- 1000 * mtcars$mpg
  of <- function(...) fit(input_vector(2) |> layer_dense(1, bias = TRUE),
    task_data(mtcars[c("wt", "hp")], y, seed = 1, ...),
    seed = 1)
  model <- function(trained) {
    rows <- trained$task$data
    fitted <- lm.fit(cbind(1, rows$x), rows$y)
    c(mean(fitted$residuals^2), mean((rows$y_test - cbind(1, rows$x_test) %*% coef(fitted))^2))
  }
  for (standardise in list(TRUE, FALSE)) {
    trained <- of(standardise = standardise)
    expect_equal(c(trained$train_loss, trained$loss), model(trained), tolerance = 1e-10)
    expect_equal(trained$train_loss, mean(residuals(trained)^2), tolerance = 1e-12)
  }
  each <- of(standardise = "each")
  spread <- mean((each$task$data$y - mean(each$task$data$y))^2)
  expect_equal(c(each$train_loss, each$loss) * spread, model(each), tolerance = 1e-10)
})
