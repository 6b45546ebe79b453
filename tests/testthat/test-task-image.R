# Matern correlation at half-integer smoothness, in elementary functions.
twin_matern <- function(d, range, smoothness) {
  z <- sqrt(2 * smoothness) * d / range
  switch(format(smoothness),
    "0.5" = exp(-z),
    "1.5" = (1 + z) * exp(-z),
    "2.5" = (1 + z + z^2 / 3) * exp(-z)
  )
}

# Returns the correlations (points x points) between points given as (row, column).
twin_field <- function(points, range, smoothness) {
  field <- matrix(0, nrow(points), nrow(points))
  for (i in seq_len(nrow(points))) {
    for (j in seq_len(nrow(points))) {
      field[i, j] <- twin_matern(sqrt(sum((points[i, ] - points[j, ])^2)), range, smoothness)
    }
  }
  field
}

# Returns the moments, pixel by pixel down the columns, then the targets.
twin_image <- function(height, width, range, target, noise, smoothness) {
  pixels <- NULL
  for (column in seq_len(width)) for (row in seq_len(height)) pixels <- rbind(pixels, c(row, column))
  field <- twin_field(rbind(pixels, target), range, smoothness)
  x <- seq_len(nrow(pixels))
  list(
    sigma = field[x, x, drop = FALSE] + diag(noise^2, length(x)), cross = field[x, -x, drop = FALSE],
    target = field[-x, -x, drop = FALSE], mean_x = numeric(length(x)), mean_y = numeric(nrow(target))
  )
}

test_that("moments are those of a field at Euclidean distances observed with noise", {
  for (smoothness in c(0.5, 1.5, 2.5)) {
    for (size in list(c(1, 1), c(1, 5), c(4, 1), c(3, 5), c(6, 4))) {
      for (noise in c(0, 0.3)) {
        corner <- rbind(size)
        task <- task_image(size[[1]], size[[2]], 2, "corner", noise, smoothness)
        twin <- twin_image(size[[1]], size[[2]], 2, corner, noise, smoothness)
        expect_equal(task$moments, twin, tolerance = 1e-12)
      }
    }
  }
  pixels <- rbind(c(3, 1), c(1, 4), c(2, 2))
  task <- task_image(3, 4, range = 1.7, target = pixels, noise = 1, smoothness = 2.5)
  expect_equal(task$moments, twin_image(3, 4, 1.7, pixels, 1, 2.5), tolerance = 1e-12)
  expect_identical(task$moments$sigma, t(task$moments$sigma))
})

test_that("positions run down the columns", {
  task <- task_image(3, 4, range = 2, target = c(2, 3), noise = 0)
  frame <- task_demand(task)
  expect_identical(task$input$shape, c(1L, 3L, 4L))
  expect_identical(task$input$kind, "grid")
  expect_identical(which(frame$demand > 1e-3), 2L + 3L * 2L)
  expect_identical(c(frame$row[[8]], frame$column[[8]]), 2:3)
  # Without noise the target is one of the inputs; its demand is the loss of predicting it from the others.
  expect_equal(bayes_loss(task), 0, tolerance = 1e-12)
  expect_equal(frame$demand[[8]], 1 / solve(task$moments$sigma)[8, 8], tolerance = 1e-10)
  drawn <- simulate(task, 20, seed = 1)
  expect_equal(drawn$y[, 1], drawn$x[, 8], tolerance = 1e-12)
  # An image of one row is a sequence.
  expect_identical(task_image(1, 6, range = 3, noise = 0)$moments$sigma, task_matern(6, range = 3)$moments$sigma)
})

test_that("centre and corner are the pixels that the help page describes", {
  same <- function(height, width, target, pixel) {
    named <- task_image(height, width, 2, target)
    expect_identical(named, task_image(height, width, 2, pixel))
    expect_identical(named, task_image(height, width, 2, rbind(pixel)))
  }
  same(5, 7, "centre", c(3, 4))
  same(4, 6, "centre", c(2, 3))
  same(4, 7, "centre", c(2, 4))
  same(1, 2, "centre", c(1, 1))
  same(4, 7, "corner", c(4, 7))
  expect_identical(task_image(4, 4, 2), task_image(4, 4, 2, "centre"))
  expect_identical(task_image(4, 4, 2, data.frame(row = 1:2, column = 3)), task_image(4, 4, 2, cbind(1:2, 3)))
})

test_that("Bayes loss, weights and demand solve the normal equations", {
  for (target in list(rbind(c(3, 3)), rbind(c(1, 1), c(5, 4)))) {
    task <- task_image(5, 5, range = 1.5, target = target, noise = 0.4)
    twin <- twin_image(5, 5, 1.5, target, 0.4, 1.5)
    # The smallest eigenvalue of Sigma is above 0.16 and the largest below 15, so the condition number is below 1e2.
    expect_equal(bayes_loss(task), twin_bayes_loss(twin), tolerance = 1e-12)
    expect_equal(task_demand(task)$demand, twin_demand(twin), tolerance = 1e-10)
    expect_equal(oracle_weights(task), t(solve(twin$sigma, twin$cross)), tolerance = 1e-12, ignore_attr = TRUE)
  }
  # One pixel alone: predict f from f + e.
  expect_equal(bayes_loss(task_image(1, 1, 2, noise = 0.5)), 0.25 / 1.25)
})

test_that("demand decays with distance from the target", {
  for (target in list(c(5, 5), c(9, 9), c(2, 6))) {
    frame <- task_demand(task_image(9, 9, range = 3, target = target, smoothness = 0.5))
    distance <- sqrt((frame$row - target[[1]])^2 + (frame$column - target[[2]])^2)
    expect_identical(which.max(frame$demand), which(distance == 0))
    # Further away the border, where a pixel has fewer neighbours, has as large an effect.
    ring <- tapply(frame$demand, round(distance), max)[as.character(0:6)]
    expect_true(all(diff(ring) < 0))
    # Four steps away demand is negligible.
    expect_lt(max(frame$demand[distance >= 4]), 1e-2 * max(frame$demand))
  }
})

test_that("the Bayes loss is positive, and grows with the noise and towards the border", {
  loss <- function(...) bayes_loss(task_image(7, 7, range = 3, ...))
  expect_gt(loss(noise = 0.1), 0)
  expect_lt(loss(noise = 0.1), loss(noise = 0.5))
  expect_lt(loss("centre"), loss("corner"))
  # At most the loss of predicting f from its own noisy pixel.
  expect_lt(loss(noise = 0.5), 0.25 / 1.25)
  # Without correlation between pixels only the pixel itself is informative.
  expect_equal(bayes_loss(task_image(5, 5, range = 1e-3)), 0.25 / 1.25)
})

test_that("smooth fields of long range with numerically singular moments give valid results", {
  task <- task_image(6, 6, range = 30, noise = 0, smoothness = 10)
  expect_lt(bayes_loss(task), 1e-10)
  expect_true(all(is.finite(oracle_weights(task))))
  expect_true(all(task_demand(task)$demand >= 0))
})

test_that("simulate() has the moments of the task", {
  expect_lt(largest_deviation(task_image(3, 4, range = 2)), 5)
  expect_lt(largest_deviation(task_image(3, 3, range = 2, target = cbind(1:3, 2), noise = 0)), 5)
})

test_that("networks on grids reach the Bayes loss, and their capacity has rows and columns", {
  task <- task_image(5, 5, range = 2)
  trained <- fit(input_grid(5, 5) |> layer_dense(2) |> layer_dense(1), task, seed = 1)
  # The loss is quadratic near its minimum, and the gradient is below 1e-10.
  expect_equal(trained$loss, bayes_loss(task), tolerance = 1e-12)
  allocated <- capacity(trained)
  expect_identical(allocated$row, rep(1:5, times = 5))
  expect_identical(allocated$column, rep(1:5, each = 5))
  expect_error(fit(input_grid(5, 4) |> layer_dense(1), task), class = "capalloc_error_shape")
})

test_that("image tasks print in a few lines", {
  expect_snapshot({
    task_image(8, 6, range = 2)
    task_image(8, 6, range = 2, target = cbind(1:5, 1:5), smoothness = 0.5)
  })
  expect_null(task_image(8, 6, range = 2)$output_labels)
  expect_identical(rownames(oracle_weights(task_image(2, 3, 1, cbind(2, 1:3)))), c("f[2,1]", "f[2,2]", "f[2,3]"))
  expect_s3_class(task_image(2, 2, 1), c("ca_task_image", "ca_task"), exact = TRUE)
})

test_that("bad arguments are refused by class", {
  texts <- c(
    bad(task_image(0, 4, 2), "value"),
    bad(task_image(4, 4.5, 2), "value"),
    bad(task_image(4, NULL, 2), "value"),
    bad(task_image(4, 4, 0), "value"),
    bad(task_image(4, 4, "far"), "value"),
    bad(task_image(4, 4, 2, noise = -1), "value"),
    bad(task_image(4, 4, 2, noise = NA), "value"),
    bad(task_image(4, 4, 2, smoothness = 0), "value"),
    bad(task_image(4, 4, 2, smoothness = 51), "value"),
    bad(task_image(4, 4, 2, "center"), "value"),
    bad(task_image(4, 4, 2, NULL), "type"),
    bad(task_image(4, 4, 2, TRUE), "type"),
    bad(task_image(4, 4, 2, list(1, 2)), "type"),
    bad(task_image(4, 4, 2, data.frame(row = "a", column = 1)), "type"),
    bad(task_image(4, 4, 2, 3), "shape"),
    bad(task_image(4, 4, 2, matrix(1, 2, 3)), "shape"),
    bad(task_image(4, 4, 2, matrix(1, 0, 2)), "shape"),
    bad(task_image(4, 4, 2, c(1, NA)), "value"),
    bad(task_image(4, 6, 2, c(5, 1)), "value"),
    bad(task_image(4, 6, 2, rbind(c(1, 1), c(1, 7))), "value"),
    bad(task_image(4, 6, 2, c(1.5, 1)), "value"),
    bad(task_image(4, 6, 2, c(0, 1)), "value"),
    bad(task_image(4, 6, 2, rbind(c(1, 2), c(2, 1), c(1, 2))), "value")
  )
  expect_snapshot(writeLines(texts))
})
