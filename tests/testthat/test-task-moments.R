test_that("task_moments() stores uncentred moments and keeps names", {
  sigma <- matrix(c(2, 1, 1, 3), 2, dimnames = list(NULL, c("a", "b")))
  task <- task_moments(sigma, cbind(out = c(1, 1)), 2, mean_x = c(0, 1), mean_y = 1)
  expect_identical(task$moments, list(
    sigma = matrix(c(2, 1, 1, 3), 2), cross = matrix(c(1, 1)), target = matrix(2),
    mean_x = c(0, 1), mean_y = 1
  ))
  expect_identical(task_demand(task)$input, c("a", "b"))
  expect_identical(task_demand(task)$lag, c(NA_integer_, NA_integer_))
  expect_identical(rownames(oracle_weights(task)), "out")
})

test_that("task_moments() accepts an ordered input", {
  task <- task_moments(diag(4), 1:4 / 10, 1, input = input_sequence(2, channels = 2))
  expect_identical(task_demand(task)$lag, c(2L, 2L, 1L, 1L))
  expect_identical(task_demand(task)$channel, c(1L, 2L, 1L, 2L))
})

test_that("asymmetry of the size of rounding error is accepted, larger asymmetry is not", {
  sigma <- diag(2)
  sigma[1, 2] <- 1e-12
  expect_identical(task_moments(sigma, c(0, 0), 1)$moments$sigma[2, 1], 5e-13)
  # The tolerance is relative to the units.
  expect_equal(task_moments(1e9 * sigma, c(0, 0), 1)$moments$sigma[2, 1], 5e-4)
  uneven <- rbind(c(1, 0.5), c(0.4, 1))
  expect_error(task_moments(1e-9 * uneven, c(0, 0), 1), "symmetric", class = "capalloc_error_value")
  expect_equal(bayes_loss(task_moments(1, 1, 1)), 0)
  expect_equal(bayes_loss(task_moments(1, 1 + 1e-10, 1)), 0)
  expect_error(task_moments(1, 1 + 1e-6, 1), class = "capalloc_error_value")
  # Large means leave rounding error relative to their own size.
  expect_equal(bayes_loss(task_moments(1e12 + 1, 1e12 + 1, 1e12 + 1, 1e6, 1e6)), 0)
})

test_that("moments that no distribution can have are refused by class", {
  texts <- c(
    bad(task_moments("a", 1, 1), "type"),
    bad(task_moments(matrix(1, 2, 3), 1, 1), "shape"),
    bad(task_moments(rbind(c(1, 0.5), c(0.4, 1)), c(0, 0), 1), "value"),
    bad(task_moments(rbind(c(1, 2), c(2, 1)), c(0, 0), 1), "value"),
    bad(task_moments(-1, 0, 1), "value"),
    bad(task_moments(diag(2), 1, 1), "shape"),
    bad(task_moments(diag(2), c(1, NaN), 1), "value"),
    bad(task_moments(diag(2), diag(2), 1), "shape"),
    bad(task_moments(diag(2), c(1, 1), 1), "value"),
    bad(task_moments(1, 0, -1), "value"),
    bad(task_moments(1, 0.5, 1, mean_x = 2), "value"),
    bad(task_moments(1, 0.5, 1, mean_x = 0.9, mean_y = -0.9), "value"),
    bad(task_moments(1, 0.5, 1, mean_x = c(0, 0)), "shape"),
    bad(task_moments(diag(4), 1:4 / 10, 1, input = 4), "type"),
    bad(task_moments(diag(4), 1:4 / 10, 1, input = input_sequence(3)), "shape")
  )
  expect_snapshot(writeLines(texts))
})
