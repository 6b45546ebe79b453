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
  # white at H = 1/2, where the terms cancel to rounding
  expect_lt(max(abs(task_fgn(40, 0.5)$moments$cross)), 1e-15)
  # far lags: H (2H - 1) k^(2H - 2), next term of relative order k^-2
  far <- fgn_acf(1e5, 0.8)
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

test_that("acf may be a function of one lag", {
  by_function <- task_process(6, function(lag) if (lag == 0) 1 else 0.5^lag, horizon = 2)
  expect_identical(by_function$moments, task_process(6, 0.5^(0:20), horizon = 2)$moments)
})

test_that("AR weights are the coefficients at the newest lags (Yule-Walker)", {
  for (ar in list(0.9, c(0.5, 0.3), c(0.4, 0, -0.5), c(1.2, -0.6, 0.1))) {
    task <- task_ar(9, ar)
    p <- length(ar)
    # the systems have condition below 1e3
    expect_equal(drop(oracle_weights(task)), c(numeric(9 - p), rev(ar)),
      tolerance = 1e-12, ignore_attr = TRUE
    )
    demand <- task_demand(task)$demand
    expect_lt(max(demand[seq_len(9 - p)]), 1e-20)
    expect_equal(demand[rev(9 - seq_len(p) + 1)] > 1e-3, rev(ar != 0))
  }
})

# psi-weights of s_t = sum_i psi_i e_(t - i); the tail is below rounding
twin_arma_acf <- function(ar, ma, lags) {
  psi <- c(1, stats::ARMAtoMA(ar, ma, 3000))
  covariance <- vapply(lags, function(k) sum(psi[seq_len(2000)] * psi[seq_len(2000) + k]), 1)
  covariance / sum(psi[seq_len(2000)]^2)
}

test_that("ARMA moments are sums over the moving average of infinite order", {
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
})

test_that("a periodic process is a damped rotation seen through noise", {
  # state (a, b) rotates by 2 pi / period, shrinks, and keeps unit variance
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
  # without damping and noise two values say all
  expect_equal(bayes_loss(task_periodic(8, 5, damping = 1, noise = 0)), 0, tolerance = 1e-12)
  expect_equal(bayes_loss(task_periodic(8, 5, noise = 1)), 1)
})

test_that("processes have unit variance unless told otherwise", {
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

test_that("a process of length one works", {
  expect_equal(bayes_loss(task_ar(1, 0.5)), 0.75)
  expect_equal(task_demand(task_ar(1, 0.5))$demand, 0.25)
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
    bad(task_arma(4, 1.1, 0.5), "value"),
    bad(task_arma(4, 0.5, Inf), "value"),
    bad(task_fgn(4, 1), "value"),
    bad(task_fgn("a", 0.5), "value"),
    bad(task_ou(4, 0), "value"),
    bad(task_multiscale(4, c(1, -2)), "value"),
    bad(task_multiscale(4, c(1, 2), weights = 1), "shape"),
    bad(task_multiscale(4, c(1, 2), weights = c(1, -1)), "value"),
    bad(task_periodic(4, period = 1), "value"),
    bad(task_periodic(4, 4, damping = 1.1), "value"),
    bad(task_periodic(4, 4, noise = -0.1), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("Matern correlations have their closed forms at half-integers", {
  lag <- 0:12
  a <- sqrt(3) * lag / 4
  b <- sqrt(5) * lag / 4
  # Bessel functions of half-integer order are elementary: rounding only.
  expect_equal(matern_acf(lag, 4, 1.5), (1 + a) * exp(-a), tolerance = 1e-12)
  expect_equal(matern_acf(lag, 4, 2.5), (1 + b + b^2 / 3) * exp(-b), tolerance = 1e-12)
  expect_equal(task_matern(6, range = 3, smoothness = 0.5)$moments, task_ou(6, rate = 1 / 3)$moments,
    tolerance = 1e-12)
  expect_true(all(is.finite(matern_acf(c(1e-8, 1, 1e4), 1, 40))))
  # Where the Bessel function overflows, next to where it does not: the difference is the series' next
  # term, z^4 / 3e4 with z near 1e-5.
  near <- matern_acf(c(4e-6, 6e-6, 8e-6), 1, 50)
  expect_equal(1 - near, 100 * c(4e-6, 6e-6, 8e-6)^2 / 196, tolerance = 1e-3)
  expect_error(task_matern(6, range = 0), class = "capalloc_error_value")
  expect_error(task_matern(6, range = 2, smoothness = 60), class = "capalloc_error_value")
})

test_that("power-law memory has the correlations it says and is a process", {
  task <- task_powerlaw(16, exponent = 0.5, variance = 2)
  expect_equal(task$moments$sigma[1, ], 2 / sqrt(1:16))
  expect_equal(drop(task$moments$cross), 2 / sqrt(17:2))
  expect_gt(min(eigen(task$moments$sigma, only.values = TRUE)$values), 0)
  expect_error(task_powerlaw(16, exponent = 0), class = "capalloc_error_value")
})
