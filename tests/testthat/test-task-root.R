# The root of moments compared with explicit least squares.

root_cases <- function() {
  withr::with_seed(1, {
    x <- matrix(rnorm(200), 40)
    x <- cbind(x, x[, 1] + x[, 2]) # one column is the sum of two others
    y <- cbind(x[, 3] + rnorm(40), 2 + rnorm(40))
    list(
      plain = list(x = x[, 1:4], y = y), collinear = list(x = x, y = y),
      far = list(x = 1e6 + x[, 1:3], y = 1e3 + y), few = list(x = x[1:4, ], y = y[1:4, ]),
      constant = list(x = cbind(x[, 1:2], 3), y = y)
    )
  })
}

test_that("the floor is the loss of least squares, and the root gives the loss of any weights", {
  for (name in names(root_cases())) for (intercept in c(TRUE, FALSE)) {
    rows <- root_cases()[[name]]
    label <- paste(name, intercept)
    N <- nrow(rows$x)
    design <- if (intercept) cbind(rows$x, 1) else rows$x
    root <- capalloc:::row_root(rows$x, rows$y, intercept)
    left <- lm.fit(if (intercept) cbind(1, sweep(rows$x, 2, colMeans(rows$x))) else rows$x, rows$y)$residuals
    # A sum of squared residuals with the rounding error of sums of y^2.
    expect_equal(root$floor, sum(left^2) / N, tolerance = 1e-10, label = label)
    expect_equal(root$total, sum(sweep(rows$y, 2, if (intercept) colMeans(rows$y) else 0)^2) / N, label = label)
    expect_equal(crossprod(root$root), crossprod(design) / N, tolerance = 1e-12, label = label)
    expect_equal(crossprod(root$root, root$target), crossprod(design, rows$y) / N, tolerance = 1e-12, label = label)
    W <- matrix(cos(seq_len(2 * ncol(design))), 2) / 1e3
    loss <- sum((rows$y - design %*% t(W))^2) / N
    expect_equal(root$floor + capalloc:::root_excess(W, root), loss, tolerance = 1e-10, label = label)
    best <- capalloc:::root_weights(root)
    expect_lt(capalloc:::root_excess(best, root), 1e-20 * max(root$total, 1), label = label)
  }
})

test_that("stated moments give the root of rows with these moments", {
  rows <- root_cases()$plain
  moments <- capalloc:::task_row_moments(rows$x, rows$y)
  for (intercept in c(TRUE, FALSE)) {
    of_rows <- capalloc:::row_root(rows$x, rows$y, intercept)
    stated <- capalloc:::moment_root(moments, intercept)
    expect_equal(stated$floor, of_rows$floor, tolerance = 1e-12)
    expect_equal(stated$total, of_rows$total, tolerance = 1e-12)
    expect_equal(capalloc:::root_weights(stated), capalloc:::root_weights(of_rows), tolerance = 1e-12)
  }
})

test_that("weights of collinear inputs have least norm in standardised inputs", {
  rows <- root_cases()$collinear
  z <- scale(rows$x) * sqrt(40 / 39)
  s <- svd(z)
  keep <- s$d > 1e-10
  least <- s$v[, keep] %*% (crossprod(s$u[, keep], scale(rows$y, scale = FALSE)) / s$d[keep])
  W <- capalloc:::root_weights(capalloc:::row_root(rows$x, rows$y, TRUE))
  expect_equal(W[, 1:6], unname(t(least / attr(scale(rows$x), "scaled:scale") * sqrt(40 / 39))), tolerance = 1e-9)
})

test_that("networks reach the floor of the loss on smooth processes", {
  # Best losses for the stored moments, computed with 77 digits.
  wanted <- c(3.2919e-8, 6.784501906e-9)
  tasks <- list(task_matern(24, 20, 4.5), task_matern(64, 20, 5))
  for (i in 1:2) {
    n <- c(24, 64)[[i]]
    trained <- fit(arch_dense(n), tasks[[i]], seed = 1)
    expect_true(trained$converged)
    # Moments in double precision determine the loss to a relative error of about eps / loss.
    expect_equal(trained$loss, wanted[[i]], tolerance = 1e-4)
    expect_lt(trained$excess_loss, 1e-6 * trained$loss)
    deep <- fit(arch_deep(n), tasks[[i]], seed = 1)
    expect_true(deep$converged)
    expect_lt(deep$excess_loss, 1e-6 * deep$loss)
  }
})
