synthetic_tasks <- function() {
  c(classical_tasks(12), list(
    ahead = task_fgn(10, 0.7, variance = 3, horizon = 4),
    process = task_process(5, acf = c(2, 1, 0.5, 0, 0, 0)),
    copy = task_copy(6, lag = c(1, 6, 6), noise = c(0, 1, 2)),
    two = task_linear(matrix(c(1, 2, 0, -1, 0, 0, 3, 1), 2), noise = 0.5, channels = 2),
    moments = do.call(task_moments, withr::with_seed(1, random_moments(4, 3))),
    means = do.call(task_moments, withr::with_seed(2, random_moments(4, 3, mean = 2)))
  ))
}

test_that("bayes_loss() is the Schur complement, for every synthetic task", {
  for (task in synthetic_tasks()) {
    # Both solve systems with condition numbers below 1e4, so the tolerance 1e-10 has a margin.
    expect_equal(bayes_loss(task), twin_bayes_loss(task$moments), tolerance = 1e-10)
  }
})

test_that("task_demand() is the rise of the Bayes loss when one input is withheld", {
  for (task in synthetic_tasks()) {
    demand <- task_demand(task)
    expect_equal(demand$demand, twin_demand(task$moments), tolerance = 1e-10)
    expect_s3_class(demand, c("ca_demand", "ca_frame", "data.frame"), exact = TRUE)
    expect_named(demand, c("input", "position", "lag", "channel", "demand"))
  }
})

test_that("oracle_weights() attain the Bayes loss, and their residuals are uncorrelated with the inputs", {
  for (task in synthetic_tasks()) {
    mo <- task$moments
    intercept <- any(mo$mean_x != 0)
    w <- oracle_weights(task)
    expect_equal(ncol(w), length(mo$mean_x) + intercept)
    if (intercept) {
      mo$sigma <- rbind(cbind(mo$sigma, mo$mean_x), c(mo$mean_x, 1))
      mo$cross <- rbind(mo$cross, mo$mean_y)
    }
    expect_equal(w, t(mo$cross) %*% solve(mo$sigma), tolerance = 1e-10, ignore_attr = TRUE)
    loss <- mo$target - w %*% mo$cross - t(mo$cross) %*% t(w) + w %*% mo$sigma %*% t(w)
    expect_equal(sum(diag(loss)), bayes_loss(task), tolerance = 1e-10)
  }
})

test_that("the default intercept depends on the task, and the user can set it", {
  task <- synthetic_tasks()$means
  without <- oracle_weights(task, intercept = FALSE)
  mo <- task$moments
  expect_equal(without, t(solve(mo$sigma, mo$cross)), tolerance = 1e-10, ignore_attr = TRUE)
  expect_equal(dimnames(without), list(paste0("y[", 1:3, "]"), paste0("x[", 1:4, "]")))
  with <- oracle_weights(task_ar(3, 0.5), intercept = TRUE)
  expect_equal(colnames(with), c("x[1]", "x[2]", "x[3]", "(Intercept)"))
  expect_identical(with[, 4], 0)
})

test_that("redundant inputs have zero demand, and withholding them does not raise the loss", {
  # x3 = x1 + x2, x4 = 0, x5 independent: only withholding x5 raises the loss.
  a <- rbind(c(1, 0, 0), c(0, 1, 0), c(1, 1, 0), 0, c(0, 0, 2))
  cross <- a %*% c(1, 2, 0.5)
  task <- task_moments(tcrossprod(a), cross, 6)
  expect_equal(bayes_loss(task), 6 - sum(c(1, 2, 0.5)^2), tolerance = 1e-12)
  expect_equal(task_demand(task)$demand, c(0, 0, 0, 0, 0.25), tolerance = 1e-12)
  # C' Sigma^+ by the singular value decomposition of the map of the rows: W a = (1, 2, 0.5).
  s <- svd(a)
  expect_equal(
    drop(oracle_weights(task)), drop(c(1, 2, 0.5) %*% s$v %*% (t(s$u) / s$d)),
    tolerance = 1e-12, ignore_attr = TRUE
  )
})

test_that("results do not depend on units, with singular or regular moments", {
  withr::local_seed(3)
  scale <- 10^c(-6, 0, 6, 3)
  plain <- random_moments(4, 2)
  for (singular in c(FALSE, TRUE)) {
    if (singular) {
      a <- rbind(diag(3), c(1, -1, 0))
      plain$sigma <- a %*% plain$sigma[1:3, 1:3] %*% t(a)
      plain$cross <- a %*% plain$cross[1:3, ]
    }
    scaled <- plain
    scaled$sigma <- scaled$sigma * outer(scale, scale)
    scaled$cross <- scaled$cross * scale
    scaled$mean_x <- scaled$mean_y <- plain$mean_x <- plain$mean_y <- NULL
    one <- do.call(task_moments, plain)
    two <- do.call(task_moments, scaled)
    # Entries of Sigma have 16 digits in any units.
    expect_equal(bayes_loss(two), bayes_loss(one), tolerance = 1e-12)
    expect_equal(task_demand(two)$demand, task_demand(one)$demand, tolerance = 1e-12)
    expect_equal(
      oracle_weights(two) %*% scaled$cross, oracle_weights(one) %*% plain$cross,
      tolerance = 1e-10
    )
  }
})

test_that("an input with variance at rounding error is treated as constant", {
  moments <- withr::with_seed(4, random_moments(3, 1, mean = 1))
  moments$mean_x[[2]] <- 0.1
  moments$sigma[2, ] <- moments$sigma[, 2] <- 0.1 * moments$mean_x
  moments$cross[2, ] <- 0.1 * moments$mean_y * (1 + 8 * .Machine$double.eps)
  moments$sigma[2, 2] <- 0.01 * (1 + 8 * .Machine$double.eps)
  task <- do.call(task_moments, moments)
  expect_identical(task_demand(task)$demand[[2]], 0)
  expect_identical(oracle_weights(task)[[2]], 0)
  expect_equal(bayes_loss(task), twin_bayes_loss(moments, c(1, 3)), tolerance = 1e-12)
})

test_that("simulate() has the moments of the task", {
  nsim <- 20000
  for (task in synthetic_tasks()) {
    drawn <- simulate(task, nsim, seed = 1)
    z <- cbind(drawn$x, drawn$y)
    moments <- task_joint_moments(task$moments)
    expect_equal(dim(drawn$y), c(nsim, task$outputs))
    # E[(z_i z_j - E z_i z_j)^2] <= 3 E z_i^2 E z_j^2 / nsim: the bound is five standard errors.
    error <- abs(crossprod(z) / nsim - moments) / sqrt(outer(diag(moments), diag(moments)))
    expect_lt(max(error), 5 * sqrt(3 / nsim))
    means <- c(task$moments$mean_x, task$moments$mean_y)
    expect_lt(max(abs(colMeans(z) - means) / sqrt(diag(moments))), 5 / sqrt(nsim))
  }
})

test_that("simulate() keeps exact linear relations of singular tasks", {
  drawn <- simulate(task_copy(5, lag = 2), 50, seed = 1)
  expect_equal(drawn$y[, 1], drawn$x[, 4], tolerance = 1e-12)
  cycle <- task_periodic(6, period = 5, damping = 1, noise = 0)
  drawn <- simulate(cycle, 50, seed = 1)
  expect_equal(drawn$x[, 6], drawn$x[, 1], tolerance = 1e-12)
  best <- drawn$x %*% t(oracle_weights(cycle))
  expect_equal(best, drawn$y, tolerance = 1e-12, ignore_attr = TRUE)
})

test_that("simulate() depends on the seed only and leaves the user's stream unchanged", {
  task <- task_fgn(4, 0.8)
  withr::local_preserve_seed()
  RNGkind("L'Ecuyer-CMRG", "Box-Muller", "Rejection")
  set.seed(9)
  kinds <- RNGkind()
  state <- .Random.seed
  one <- simulate(task, 3, seed = 7)
  expect_identical(.Random.seed, state)
  expect_identical(RNGkind(), kinds)
  RNGkind("default", "default", "default")
  expect_identical(simulate(task, 3, seed = 7), one)
  expect_identical(simulate(task, 5, seed = 7)$x[1:3, ], one$x)
  expect_false(identical(simulate(task, 3, seed = 8)$x, one$x))
  expect_identical(attr(one, "seed"), 7L)
  set.seed(1)
  drawn <- simulate(task, 3)
  set.seed(1)
  expect_identical(simulate(task, 3), drawn)
  expect_identical(simulate(task, 3, seed = attr(drawn, "seed")), drawn)
  expect_equal(dim(simulate(task)$x), c(1L, 4L))
})

test_that("tasks print in a few lines", {
  expect_snapshot({
    task_fgn(64, 0.8)
    task_copy(16, lag = c(1, 8), noise = 0.1)
    task_data(mpg ~ wt + hp, mtcars, seed = 1)
    task_series(ts(1:20), 4, horizon = 2)
  })
})

test_that("bad arguments are refused by class", {
  task <- task_ar(4, 0.5)
  texts <- c(
    bad(bayes_loss(1), "type"),
    bad(oracle_weights(NULL), "type"),
    bad(task_demand(list(1)), "type"),
    bad(oracle_weights(task, intercept = NA), "value"),
    bad(simulate(task, nsim = 0), "value"),
    bad(simulate(task, nsim = 2.5), "value"),
    bad(simulate(task, seed = "a"), "value")
  )
  expect_snapshot(writeLines(texts))
})
