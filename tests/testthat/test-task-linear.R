test_that("task_linear() has the given oracle weights and the noise as Bayes loss", {
  withr::local_seed(1)
  weights <- matrix(rnorm(12), 2)
  sigma <- crossprod(matrix(rnorm(60), 10))
  task <- task_linear(weights, noise = c(0.5, 2), sigma = sigma)
  # The condition number of sigma is below 1e3.
  expect_equal(oracle_weights(task), weights, tolerance = 1e-12, ignore_attr = TRUE)
  expect_equal(bayes_loss(task), 0.5^2 + 2^2, tolerance = 1e-12)
  expect_equal(task$moments$cross, sigma %*% t(weights), tolerance = 1e-14)
  expect_equal(
    task$moments$target, weights %*% sigma %*% t(weights) + diag(c(0.25, 4)),
    tolerance = 1e-13
  )
  white <- task_linear(weights, noise = 1)
  expect_equal(task_demand(white)$demand, colSums(weights^2), tolerance = 1e-12)
})

test_that("task_linear() accepts a vector, channels and names", {
  task <- task_linear(c(1, 0, 2, 0, 0, 3), noise = 0, channels = 2)
  expect_identical(task$outputs, 1L)
  expect_identical(task$input$shape, c(2L, 1L, 3L))
  expect_identical(task_demand(task)$channel, rep(1:2, 3))
  expect_identical(task_demand(task)$lag, c(3L, 3L, 2L, 2L, 1L, 1L))
  expect_equal(task_demand(task)$demand, c(1, 0, 4, 0, 0, 9))
  named <- task_linear(rbind(out = c(a = 1, b = 2)), noise = 1)
  expect_identical(dimnames(oracle_weights(named)), list("out", c("a", "b")))
  expect_identical(unname(oracle_weights(task_linear(c(a = 1, b = 2), 1))), t(c(1, 2)))
})

test_that("oracle weights have least norm where sigma is singular", {
  task <- task_linear(c(1, 0, 3), noise = 1, sigma = diag(c(1, 1, 0)) + c(0, 0, 0))
  expect_equal(drop(unname(oracle_weights(task))), c(1, 0, 0))
  twins <- task_linear(c(2, 0), noise = 1, sigma = matrix(1, 2, 2))
  expect_equal(drop(unname(oracle_weights(twins))), c(1, 1))
  expect_equal(bayes_loss(twins), 1)
  expect_equal(task_demand(twins)$demand, c(0, 0))
})

test_that("task_copy() has demand at the copied lags only", {
  task <- task_copy(6, lag = c(1, 4), noise = c(0, 0.5))
  expect_equal(bayes_loss(task), 0.25)
  expect_equal(task_demand(task)$demand, c(0, 0, 1, 0, 0, 1))
  expect_equal(unname(oracle_weights(task)), rbind(c(0, 0, 0, 0, 0, 1), c(0, 0, 1, 0, 0, 0)))
  expect_identical(task$output_labels, c("lag 1", "lag 4"))
  expect_equal(bayes_loss(task_copy(1, lag = 1)), 0)
})

test_that("bad arguments are refused by class", {
  texts <- c(
    bad(task_linear("a", 1), "type"),
    bad(task_linear(c(1, NA), 1), "value"),
    bad(task_linear(numeric(), 1), "shape"),
    bad(task_linear(1:2, noise = -1), "value"),
    bad(task_linear(1:2, noise = c(1, 1)), "shape"),
    bad(task_linear(1:2, noise = 1, sigma = diag(3)), "shape"),
    bad(task_linear(1:2, noise = 1, sigma = rbind(c(1, 2), c(2, 1))), "value"),
    bad(task_linear(1:3, noise = 1, channels = 2), "shape"),
    bad(task_copy(4, lag = "a"), "type"),
    bad(task_copy(4, lag = 5), "value"),
    bad(task_copy(4, lag = 1.5), "value"),
    bad(task_copy(4, lag = numeric()), "value"),
    bad(task_copy(4, lag = 1, noise = NaN), "value")
  )
  expect_snapshot(writeLines(texts))
})
