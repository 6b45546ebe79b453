# Second moments by definition: the random variables drawn once for a window, and the coefficient of each at each time.
twin_seasonal <- function(length, period, trend, seasonal, noise, harmonics, horizon, level) {
  time <- c(seq_len(length), length + horizon)
  line <- (time - (length + 1) / 2) / length
  parts <- cbind(sqrt(level), sqrt(trend) * line)
  for (k in seq_len(harmonics)) {
    angle <- 2 * pi * k * time / period
    parts <- cbind(parts, sqrt(seasonal / harmonics) * cbind(cos(angle), sin(angle)))
  }
  joint <- parts %*% t(parts)
  for (i in seq_along(time)) joint[i, i] <- joint[i, i] + noise
  x <- seq_len(length)
  list(
    sigma = joint[x, x, drop = FALSE], cross = joint[x, -x, drop = FALSE], target = joint[-x, -x, drop = FALSE],
    mean_x = numeric(length), mean_y = numeric(length(horizon))
  )
}

test_that("moments are those of a line, a cycle and independent noise", {
  for (length in c(1, 2, 13)) {
    for (period in c(2, 5, 7.5, 40)) {
      for (harmonics in unique(c(1, floor(period / 2)))) {
        for (horizon in list(1, 6, c(1, 4, 12))) {
          task <- task_seasonal(length, period, 2, 0.7, 0.3, harmonics, horizon, level = 1.5)
          twin <- twin_seasonal(length, period, 2, 0.7, 0.3, harmonics, horizon, 1.5)
          expect_equal(task$moments, twin, tolerance = 1e-13)
        }
      }
    }
  }
})

test_that("each part alone has its documented moments", {
  none <- function(...) {
    parts <- modifyList(list(trend = 0, seasonal = 0, noise = 0, level = 0), list(...))
    do.call(task_seasonal, c(list(8, 5, horizon = 1:3), parts))
  }
  white <- none(noise = 2)
  expect_identical(white$moments$sigma, diag(2, 8))
  expect_equal(bayes_loss(white), 6)
  level <- none(level = 2)$moments
  expect_identical(range(level$sigma, level$cross, level$target), c(2, 2))
  # The rise over `length` steps, from time 1 to time 9, has variance `trend`.
  trend <- none(trend = 3)$moments
  expect_equal(trend$sigma[1, 1] - 2 * trend$cross[1, 1] + trend$target[1, 1], 3, tolerance = 1e-14)
  expect_equal(trend$sigma[4, 4], 3 * (0.5 / 8)^2)
  cycle <- none(seasonal = 4)
  expect_equal(diag(cycle$moments$sigma), rep(4, 8))
  expect_equal(cycle$moments, task_process(8, \(k) 4 * cos(2 * pi * k / 5), horizon = 1:3)$moments, tolerance = 1e-13)
  expect_equal(
    none(seasonal = 0.9, noise = 0.1)$moments, task_periodic(8, 5, damping = 1, noise = 0.1, horizon = 1:3)$moments,
    tolerance = 1e-13
  )
})

test_that("Bayes loss, weights and demand solve the normal equations", {
  for (horizon in list(1, c(1, 12))) {
    task <- task_seasonal(20, 6, harmonics = 2, horizon = horizon)
    twin <- twin_seasonal(20, 6, 1, 1, 0.1, 2, horizon, 1)
    # The smallest eigenvalue of Sigma is the noise and the largest is below 30, so the condition number is below 1e3.
    expect_equal(bayes_loss(task), twin_bayes_loss(twin), tolerance = 1e-11)
    expect_equal(task_demand(task)$demand, twin_demand(twin), tolerance = 1e-9)
    expect_equal(oracle_weights(task), t(solve(twin$sigma, twin$cross)), tolerance = 1e-11, ignore_attr = TRUE)
    # The noise of the outputs cannot be predicted.
    expect_gt(bayes_loss(task), 0.1 * length(horizon))
  }
})

test_that("without noise 2 + 2 * harmonics values determine the process", {
  for (harmonics in 1:3) {
    n <- 2 + 2 * harmonics
    loss <- function(length) bayes_loss(task_seasonal(length, 12, noise = 0, harmonics = harmonics, horizon = c(1, 5)))
    expect_gt(loss(n - 1), 1e-3)
    expect_lt(loss(n), 1e-10)
    expect_lt(loss(40), 1e-10)
  }
  task <- task_seasonal(40, 12, noise = 0, harmonics = 3, horizon = c(1, 5))
  drawn <- simulate(task, 30, seed = 1)
  expect_equal(drawn$y, drawn$x %*% t(oracle_weights(task)), tolerance = 1e-9, ignore_attr = TRUE)
  # A row is exactly a line plus three harmonics.
  angle <- outer(seq_len(40), 2 * pi * (1:3) / 12)
  left <- lm.fit(cbind(1, seq_len(40), cos(angle), sin(angle)), t(drawn$x))$residuals
  expect_lt(max(abs(left)), 1e-10)
  expect_lt(max(task_demand(task)$demand), 1e-20)
})

test_that("simulate() has the moments of the task", {
  expect_lt(largest_deviation(task_seasonal(8, 5, harmonics = 2, horizon = c(1, 3))), 5)
  expect_lt(largest_deviation(task_seasonal(8, 7.3, noise = 0)), 5)
})

test_that("inputs and outputs are named as for a process", {
  task <- task_seasonal(4, 12)
  expect_s3_class(task, c("ca_task_seasonal", "ca_task"), exact = TRUE)
  expect_identical(task_demand(task)$lag, 4:1)
  expect_null(task$output_labels)
  expect_snapshot({
    task
    task_seasonal(24, 12.5, harmonics = 3, horizon = c(1, 12))
  })
})

test_that("bad arguments are refused by class", {
  texts <- c(
    bad(task_seasonal(0, 12), "value"),
    bad(task_seasonal(data.frame(1:3), 12), "value"),
    bad(task_seasonal(8, 1.5), "value"),
    bad(task_seasonal(8, NA), "value"),
    bad(task_seasonal(8, "year"), "value"),
    bad(task_seasonal(8, NULL), "value"),
    bad(task_seasonal(8, 12, trend = -1), "value"),
    bad(task_seasonal(8, 12, seasonal = c(1, 1)), "value"),
    bad(task_seasonal(8, 12, noise = -0.1), "value"),
    bad(task_seasonal(8, 12, level = Inf), "value"),
    bad(task_seasonal(8, 12, trend = 0, seasonal = 0, noise = 0, level = 0), "value"),
    bad(task_seasonal(8, 12, harmonics = 7), "value"),
    bad(task_seasonal(8, 5, harmonics = 3), "value"),
    bad(task_seasonal(8, 12, harmonics = 0), "value"),
    bad(task_seasonal(8, 12, horizon = c(2, 1)), "value")
  )
  expect_snapshot(writeLines(texts))
})
