test_that("fractional Gaussian noise has the known Bayes loss", {
  expect_equal(bayes_loss(task_fgn(64, 0.8)), 0.694292004851, tolerance = 1e-10)
})

test_that("fractional Gaussian noise is the increments of fractional Brownian motion", {
  for (hurst in c(0.1, 0.5, 0.8, 0.99)) {
    task <- task_fgn(40, hurst)
    # Var(s_1 + .. + s_t) = t^(2H)
    for (t in c(1, 2, 7, 40)) {
      expect_equal(sum(task$moments$sigma[1:t, 1:t]), t^(2 * hurst), tolerance = 1e-12)
    }
  }
  # White noise at H = 1/2, where the terms cancel up to rounding error.
  expect_lt(max(abs(task_fgn(40, 0.5)$moments$cross)), 1e-15)
  # Asymptotic covariance at long lags: H (2H - 1) k^(2H - 2); the next term is smaller by a factor of order k^-2.
  far <- process_fgn_acf(1e5, 0.8)
  expect_equal(far, 0.8 * 0.6 * 1e5^(-0.4), tolerance = 1e-9)
})

test_that("lags count from the newest input, plus the horizon", {
  acf <- c(10, 5:1, 0.5)
  task <- task_process(3, acf)
  expect_identical(task$moments$sigma, rbind(c(10, 5, 4), c(5, 10, 5), c(4, 5, 10)))
  expect_identical(task$moments$cross, matrix(c(3, 4, 5)))
  expect_identical(task$moments$target, matrix(10))
  expect_identical(task$moments$mean_x, numeric(3))
  expect_identical(task_process(3, acf, horizon = 3)$moments$cross, matrix(c(1, 2, 3)))
  expect_identical(task_demand(task)$lag, 3:1)
  expect_identical(task_demand(task)$position, 1:3)
})

test_that("acf can be a function of one lag", {
  by_function <- task_process(6, function(lag) if (lag == 0) 1 else 0.5^lag, horizon = 2)
  expect_identical(by_function$moments, task_process(6, 0.5^(0:20), horizon = 2)$moments)
})

test_that("AR weights are the coefficients at the newest lags (Yule-Walker)", {
  for (ar in list(0.9, c(0.5, 0.3), c(0.4, 0, -0.5), c(1.2, -0.6, 0.1))) {
    task <- task_ar(9, ar)
    p <- length(ar)
    # The systems have condition numbers below 1e3.
    expect_equal(drop(oracle_weights(task)), c(numeric(9 - p), rev(ar)),
      tolerance = 1e-12, ignore_attr = TRUE
    )
    demand <- task_demand(task)$demand
    expect_lt(max(demand[seq_len(9 - p)]), 1e-20)
    expect_equal(demand[rev(9 - seq_len(p) + 1)] > 1e-3, rev(ar != 0))
  }
})

# Psi weights of s_t = sum_i psi_i e_(t - i); the truncated tail is below rounding error.
twin_arma_acf <- function(ar, ma, lags) {
  psi <- c(1, stats::ARMAtoMA(ar, ma, 3000))
  covariance <- vapply(lags, function(k) sum(psi[seq_len(2000)] * psi[seq_len(2000) + k]), 1)
  covariance / sum(psi[seq_len(2000)]^2)
}

test_that("ARMA moments agree with sums over the MA(infinity) representation", {
  cases <- list(
    list(ar = 0.7, ma = 0.4), list(ar = c(0.5, 0.3), ma = c(0.2, -1.5)),
    list(ar = numeric(), ma = c(0.8, 0.3)), list(ar = c(-0.4, 0.2), ma = numeric()),
    list(ar = c(0.5, 0), ma = 0), list(ar = numeric(), ma = numeric())
  )
  for (case in cases) {
    for (length in c(1, 7)) {
      task <- task_arma(length, case$ar, case$ma, variance = 2, horizon = 3)
      acf <- twin_arma_acf(case$ar, case$ma, 0:20)
      expect_equal(drop(task$moments$cross), 2 * acf[3 + length:1], tolerance = 1e-12)
      expect_equal(task$moments$sigma, 2 * toeplitz(acf[1:length]), tolerance = 1e-12,
        ignore_attr = TRUE
      )
    }
  }
  expect_identical(task_arma(5, 0.5, numeric())$moments, task_ar(5, 0.5)$moments)
  expect_identical(task_arma(5, numeric(), numeric())$moments$sigma, diag(5))
})

test_that("an Ornstein-Uhlenbeck process is an AR(1)", {
  expect_equal(task_ou(6, rate = 0.3)$moments, task_ar(6, exp(-0.3))$moments, tolerance = 1e-13)
  expect_equal(bayes_loss(task_ou(6, rate = 0.3, horizon = 2)), 1 - exp(-1.2), tolerance = 1e-12)
})

test_that("a multiscale process is a sum of independent Ornstein-Uhlenbeck processes", {
  task <- task_multiscale(5, scales = c(1, 10), weights = c(3, 1), variance = 2)
  fast <- task_ou(5, rate = 1, variance = 1.5)$moments
  slow <- task_ou(5, rate = 0.1, variance = 0.5)$moments
  for (part in names(fast)) expect_equal(task$moments[[part]], fast[[part]] + slow[[part]])
  expect_identical(
    task_multiscale(5, c(1, 10))$moments, task_multiscale(5, c(1, 10), c(2, 2))$moments
  )
  expect_equal(task_multiscale(5, 10)$moments, task_ou(5, rate = 0.1)$moments, tolerance = 1e-14)
})

test_that("a periodic process is a damped rotation observed with noise", {
  # The state (a, b) rotates by 2 pi / period per step, shrinks, and keeps unit variance.
  period <- 7.5
  damping <- 0.9
  turn <- 2 * pi / period
  rotation <- damping * rbind(c(cos(turn), sin(turn)), c(-sin(turn), cos(turn)))
  acf <- 1
  power <- diag(2)
  for (k in 1:9) {
    power <- power %*% rotation
    acf <- c(acf, 0.7 * power[1, 1])
  }
  task <- task_periodic(8, period, damping, noise = 0.3, horizon = 2)
  expect_equal(task$moments, task_process(8, acf, horizon = 2)$moments, tolerance = 1e-13)
  # Without damping and noise two values determine the process.
  expect_equal(bayes_loss(task_periodic(8, 5, damping = 1, noise = 0)), 0, tolerance = 1e-12)
  expect_equal(bayes_loss(task_periodic(8, 5, noise = 1)), 1)
})

test_that("processes have unit variance by default", {
  tasks <- function(...) {
    list(
      task_ar(8, 0.5, ...), task_arma(8, 0.5, 0.2, ...), task_fgn(8, 0.6, ...),
      task_ou(8, 1, ...), task_multiscale(8, 1:3, ...), task_periodic(8, 4, ...)
    )
  }
  for (task in tasks()) {
    expect_equal(c(diag(task$moments$sigma), task$moments$target), rep(1, 9), tolerance = 1e-14)
  }
  expect_equal(lapply(tasks(variance = 3), bayes_loss), lapply(tasks(), \(t) 3 * bayes_loss(t)))
})

test_that("processes accept a length of one", {
  expect_equal(bayes_loss(task_ar(1, 0.5)), 0.75)
  expect_equal(task_demand(task_ar(1, 0.5))$demand, 0.25)
})

# All processes, as functions of the horizon.
processes <- function() {
  list(
    process = \(h) task_process(5, 0.6^(0:40), horizon = h),
    ar = \(h) task_ar(5, c(0.5, 0.3), variance = 2, horizon = h),
    arma = \(h) task_arma(5, 0.7, 0.4, horizon = h),
    fgn = \(h) task_fgn(5, 0.8, horizon = h),
    ou = \(h) task_ou(5, 0.2, horizon = h),
    matern = \(h) task_matern(5, 3, horizon = h),
    powerlaw = \(h) task_powerlaw(5, 0.5, horizon = h),
    multiscale = \(h) task_multiscale(5, c(1, 10), horizon = h),
    periodic = \(h) task_periodic(5, 5.5, horizon = h)
  )
}

test_that("several horizons are several outputs of one process", {
  horizon <- c(1, 4, 12)
  for (task_at in processes()) {
    task <- task_at(horizon)
    # The selected times of the process at all times from 1 to 17.
    whole <- task_at(1:12)$moments
    expect_identical(task$outputs, 3L)
    expect_identical(task$moments$sigma, whole$sigma)
    expect_identical(task$moments$cross, whole$cross[, horizon])
    expect_identical(task$moments$target, whole$target[horizon, horizon])
    for (k in 1:3) {
      one <- task_at(horizon[[k]])$moments
      expect_identical(task$moments$cross[, k], one$cross[, 1])
      expect_identical(task$moments$target[k, k], one$target[1, 1])
    }
    # Outputs h and h' have the covariance of two inputs |h - h'| steps apart.
    longer <- task_at(1)$moments$sigma
    expect_identical(whole$target[1:5, 1:5], longer)
    alone <- vapply(horizon, \(h) bayes_loss(task_at(h)), 0)
    expect_equal(bayes_loss(task), sum(alone), tolerance = 1e-12)
    # The condition numbers of these 5 x 5 covariances are below 1e3.
    expect_equal(bayes_loss(task), twin_bayes_loss(task$moments), tolerance = 1e-11)
    expect_equal(task_demand(task)$demand, twin_demand(task$moments), tolerance = 1e-9)
    expect_lt(largest_deviation(task), 5)
  }
})

test_that("the moments of several horizons are acf at the differences of times", {
  acf <- function(k) 3 * 0.7^k * cos(k)
  for (length in c(1, 4)) {
    for (horizon in list(1, 3, 2:4, c(1, 6), c(2, 3, 9))) {
      task <- task_process(length, acf, horizon = horizon)
      time <- c(seq_len(length), length + horizon)
      joint <- matrix(0, length(time), length(time))
      for (i in seq_along(time)) for (j in seq_along(time)) joint[i, j] <- acf(abs(time[[i]] - time[[j]]))
      x <- seq_len(length)
      expect_identical(task$moments$sigma, joint[x, x, drop = FALSE])
      expect_identical(task$moments$cross, joint[x, -x, drop = FALSE])
      expect_identical(task$moments$target, joint[-x, -x, drop = FALSE])
    }
  }
})

test_that("outputs are named after horizons where there are several", {
  task <- task_ar(4, 0.5, horizon = c(1, 4, 12))
  expect_identical(task$output_labels, c("h = 1", "h = 4", "h = 12"))
  expect_identical(rownames(oracle_weights(task)), task$output_labels)
  expect_identical(format(task)[c(1, 3)], c(
    "<task> AR(1) process (ar = 0.5), length 4, horizons 1, 4, 12", "Outputs: 3 (h = 1, h = 4, h = 12)"
  ))
  expect_identical(task_ar(4, 0.5, horizon = 1:6)$label, "AR(1) process (ar = 0.5), length 4, horizons 1, 2, 3, 4, ...")
  expect_null(task_ar(4, 0.5, horizon = 100000)$output_labels)
  expect_identical(task_ar(4, 0.5, horizon = 100000)$label, "AR(1) process (ar = 0.5), length 4, 100000 steps ahead")
  expect_identical(task_ar(4, 0.5)$label, "AR(1) process (ar = 0.5), length 4, next value")
  # AR(1): the weight of the newest input at horizon h is 0.5^h.
  expect_equal(oracle_weights(task)[, 4], 0.5^c(1, 4, 12), tolerance = 1e-13, ignore_attr = TRUE)
})

test_that("a network with one output per horizon reaches the Bayes loss", {
  task <- task_ar(6, c(0.5, 0.3), horizon = c(1, 3))
  trained <- fit(input_sequence(6) |> layer_dense(2), task, seed = 1)
  expect_true(trained$converged)
  # The loss is quadratic near its minimum, and the gradient is below 1e-10.
  expect_equal(trained$loss, bayes_loss(task), tolerance = 1e-12)
  expect_equal(effective_weights(trained$network), oracle_weights(task), tolerance = 1e-8, ignore_attr = TRUE)
})

test_that("a deterministic periodic process has zero Bayes loss at any horizon", {
  task <- task_periodic(8, 5, damping = 1, noise = 0, horizon = c(1, 5, 7))
  expect_equal(bayes_loss(task), 0, tolerance = 1e-12)
  drawn <- simulate(task, 20, seed = 1)
  # Period 5: five steps ahead equals the newest value, and times 9 and 15 equal inputs 4 and 5.
  expect_equal(drawn$y, drawn$x[, c(4, 8, 5)], tolerance = 1e-12)
})

test_that("horizons that are not increasing whole numbers are refused by class", {
  texts <- vapply(
    list(c(4, 1), c(2, 2), numeric(), c(1, NA), c(1, 2.5), 0:2, Inf, "next", NULL, TRUE, list(1, 2), factor(1:2),
      data.frame(h = 1:2), 3e9),
    \(h) bad(task_ar(4, 0.5, horizon = h), "value"), ""
  )
  expect_snapshot(writeLines(texts))
  for (task_at in processes()) {
    expect_error(task_at(c(4, 1)), class = "capalloc_error_value")
    call <- conditionCall(tryCatch(task_at("a"), error = identity))
    expect_match(deparse(call)[[1L]], "^task_")
  }
  expect_snapshot(writeLines(bad(task_process(2, c(1, 0.5, 0.1, 0), horizon = c(1, 4)), "shape")))
})

test_that("bad arguments are refused by class", {
  texts <- c(
    bad(task_process(0, 1), "value"),
    bad(task_process(2.5, 1), "value"),
    bad(task_process(4, c(1, 0.5)), "shape"),
    bad(task_process(2, c(1, 0.5, 0.1), horizon = 2), "shape"),
    bad(task_process(2, c(1, NA, 0.1)), "value"),
    bad(task_process(2, "acf"), "type"),
    bad(task_process(2, c(0, 0, 0)), "value"),
    bad(task_process(2, c(1, 0.9, 0)), "value"),
    bad(task_process(2, function(lag) rep(lag, 2)), "value"),
    bad(task_process(2, function(lag) 1 / lag), "value"),
    bad(task_ar(4, 1), "value"),
    bad(task_ar(4, c(0.5, 0.6)), "value"),
    bad(task_ar(4, numeric()), "shape"),
    bad(task_ar(4, 0.5, variance = 0), "value"),
    bad(task_ar(4, 0.5, horizon = 0), "value"),
    bad(task_ar(4, c(0.5, NA)), "value"),
    bad(task_arma(4, "ar", 0.5), "type"),
    bad(task_arma(4, 1.1, 0.5), "value"),
    bad(task_arma(4, 0.5, Inf), "value"),
    bad(task_fgn(4, 1), "value"),
    bad(task_fgn("a", 0.5), "value"),
    bad(task_ou(4, 0), "value"),
    bad(task_multiscale(4, c(1, -2)), "value"),
    bad(task_multiscale(4, numeric()), "value"),
    bad(task_multiscale(4, c(1, 2), weights = 1), "shape"),
    bad(task_multiscale(4, c(1, 2), weights = c(1, -1)), "value"),
    bad(task_periodic(4, period = 1), "value"),
    bad(task_periodic(4, 4, damping = 1.1), "value"),
    bad(task_periodic(4, 4, noise = -0.1), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("Matern correlations equal their closed forms at half-integer smoothness", {
  lag <- 0:12
  a <- sqrt(3) * lag / 4
  b <- sqrt(5) * lag / 4
  # Bessel functions of half-integer order are elementary, so only rounding error remains.
  expect_equal(process_matern_acf(lag, 4, 1.5), (1 + a) * exp(-a), tolerance = 1e-12)
  expect_equal(process_matern_acf(lag, 4, 2.5), (1 + b + b^2 / 3) * exp(-b), tolerance = 1e-12)
  expect_equal(task_matern(6, range = 3, smoothness = 0.5)$moments, task_ou(6, rate = 1 / 3)$moments,
    tolerance = 1e-12)
  expect_true(all(is.finite(process_matern_acf(c(1e-8, 1, 1e4), 1, 40))))
  # Lags where the Bessel function overflows, next to lags where it does not. The error is the next term of the series,
  # z^4 / 3e4 with z near 1e-5.
  near <- process_matern_acf(c(4e-6, 6e-6, 8e-6), 1, 50)
  expect_equal(1 - near, 100 * c(4e-6, 6e-6, 8e-6)^2 / 196, tolerance = 1e-3)
  expect_error(task_matern(6, range = 0), class = "capalloc_error_value")
  expect_error(task_matern(6, range = 2, smoothness = 60), class = "capalloc_error_value")
})

test_that("power-law memory has the documented correlations and a positive definite covariance", {
  task <- task_powerlaw(16, exponent = 0.5, variance = 2)
  expect_equal(task$moments$sigma[1, ], 2 / sqrt(1:16))
  expect_equal(drop(task$moments$cross), 2 / sqrt(17:2))
  expect_gt(min(eigen(task$moments$sigma, only.values = TRUE)$values), 0)
  expect_error(task_powerlaw(16, exponent = 0), class = "capalloc_error_value")
})
