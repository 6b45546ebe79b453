# Gate correlations: closed forms, networks, and refused input.

test_that("closed forms are those of theory, and of numerical integration", {
  rho <- seq(-1, 1, by = 0.25)
  K <- function(...) decoupling(..., correlation = rho)$gate_correlation
  expect_equal(K("identity"), rep(1, 9))
  for (v in list(1, 0.2, c(0.5, 4))) {
    v1 <- v[[1]]
    v2 <- v[[length(v)]]
    b <- 0.3
    expect_near(K("relu", variance = v), 1 / 2 + asin(rho) / pi, 1e-14)
    expect_near(K("abs", variance = v), 2 * asin(rho) / pi, 1e-14)
    expect_near(K("leaky_relu", variance = v, parameter = b),
      (b + (1 - b)^2 * (1 / 4 + asin(rho) / (2 * pi))) / ((1 + b^2) / 2), 1e-14)
    for (w in c(0.5, 2)) {
      expect_near(K("sin", variance = v, parameter = w),
        cosh(w^2 * rho * sqrt(v1 * v2)) / sqrt(cosh(w^2 * v1) * cosh(w^2 * v2)), 1e-13)
    }
    expect_near(K("erf", variance = v),
      ((1 + 4 * v1) * (1 + 4 * v2))^(1 / 4) / sqrt((1 + 2 * v1) * (1 + 2 * v2) - 4 * rho^2 * v1 * v2), 1e-13)
  }
  # All other activations are compared with a sum over a fine product grid.
  z <- seq(-9, 9, length.out = 3601)
  density <- dnorm(z) * diff(z[1:2])
  for (phi in c("gelu", "silu", "softplus", "sigmoid", "tanh", "erf", "sin")) {
    slope <- function(u) c(capalloc:::gate_phi_at(phi, 1, u)$slope)
    for (r in c(-0.7, 0.4)) {
      y <- seq(-9, 9, length.out = 301)
      w <- dnorm(y) * diff(y[1:2])
      x <- seq(-9, 9, length.out = 301)
      pair <- outer(x, y, function(x, y) slope(x) * slope(r * x + sqrt(1 - r^2) * y))
      wanted <- c(w %*% pair %*% w) / sum(density * slope(z)^2)
      expect_near(decoupling(phi, correlation = r)$gate_correlation, wanted, 1e-8, phi)
    }
  }
})

test_that("a sine of growing frequency decouples", {
  rho <- c(-0.9, -0.3, 0, 0.5, 0.9)
  K <- vapply(c(0.1, 1, 2, 4, 8, 16), function(w) {
    decoupling("sin", correlation = rho, parameter = w)$gate_correlation
  }, rho)
  expect_true(all(K[, 1] > 0.99))
  expect_true(all(apply(K, 1, diff) < 0))
  expect_true(all(K[, 6] < 1e-5))
  expect_equal(decoupling("sin", correlation = c(-1, 1), parameter = 16)$gate_correlation, c(1, 1), tolerance = 1e-10)
  expect_equal(glance(decoupling("sin", correlation = rho, parameter = 16))$decoupling, 1, tolerance = 1e-9)
})

test_that("gates at samples are averages, gated cells included", {
  x <- withr::with_seed(1, matrix(rnorm(60), 20))
  net <- with_test_coef(input_vector(3) |> layer_dense(2) |> layer_activation("relu"), 1)
  u <- x %*% t(matrix(net$coef, 2))
  g <- u > 0
  d <- decoupling(net, data = x)
  expect_equal(d$correlation, cor(u)[1, 2])
  expect_equal(d$gate_correlation, mean(g[, 1] & g[, 2]) / sqrt(mean(g[, 1]) * mean(g[, 2])))
  lstm <- with_test_coef(input_sequence(3) |> layer_recurrent(2, "lstm") |> layer_dense(1), 1)
  expect_identical(levels(decoupling(lstm, data = x)$layer), paste0("recurrent1.", c("i", "f", "g", "o", "memory")))
  gru <- with_test_coef(input_sequence(3) |> layer_recurrent(1, "gru", activation = "linear"), 1)
  expect_identical(levels(decoupling(gru, data = x)$layer), paste0("recurrent1.", c("r", "z")))
  # Units at positions that the output does not depend on are included.
  last <- with_test_coef(input_sequence(3) |> layer_conv(1, 2) |> layer_activation("abs") |> layer_last(), 1)
  expect_false(anyNA(decoupling(last, data = x)$gate_correlation))
})

test_that("dead units are left out, and one unit has no decoupling", {
  net <- set_coef(input_vector(1) |> layer_dense(3) |> layer_activation("relu"), c(1, -1, 2))
  d <- decoupling(net, data = matrix(1:3))
  expect_equal(d$gate_correlation, c(NA, 1, NA))
  expect_identical(glance(d), data.frame(layer = "activation1", units = 3L, dead = 1L, decoupling = 0))
  one <- set_coef(input_vector(1) |> layer_dense(1) |> layer_activation("relu"), 1)
  expect_identical(nrow(decoupling(one)), 0L)
  expect_identical(glance(decoupling(one))$decoupling, NA_real_)
})

test_that("a fit is asked about its task", {
  task <- task_fgn(4, 0.8)
  net <- input_sequence(4) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(1)
  control <- list(max_iterations = 3)
  trained <- suppressWarnings(fit(net, task, method = "lbfgs", n_obs = 50, seed = 1, control = control))
  expect_identical(decoupling(trained)$gate_correlation, decoupling(trained$network, task = task)$gate_correlation)
})

test_that("decouplings print", {
  net <- set_coef(input_vector(2) |> layer_dense(4) |> layer_activation("relu"), c(1, 0, 1, 1, 0, 1, 1, -1))
  expect_snapshot({
    decoupling("relu", correlation = c(-1, 0, 1))
    decoupling("erf", correlation = 0.5, variance = c(1, 4))
    print(decoupling(net), n = 2)
    decoupling(net, data = diag(2))
    print(decoupling(net, task = task_moments(diag(2), matrix(0, 2, 1), 1)), n = 1)
  })
})

test_that("bad decouplings are refused by name", {
  net <- set_coef(input_vector(2) |> layer_dense(2) |> layer_activation("relu"), 1:4)
  linear <- set_coef(input_vector(2) |> layer_dense(2), 1:4)
  lstm <- initialise(input_sequence(3) |> layer_recurrent(1, "lstm") |> layer_dense(1), seed = 1)
  pooled <- initialise(input_sequence(3) |> layer_pool(2, type = "max") |> layer_activation("tanh"), seed = 1)
  expect_snapshot({
    cat(bad(decoupling("swoosh"), "value"))
    cat(bad(decoupling(c("relu", "tanh")), "value"))
    cat(bad(decoupling(3), "type"))
    cat(bad(decoupling("relu", correlation = c(0, 1.2, -3)), "value"))
    cat(bad(decoupling("relu", correlation = numeric()), "value"))
    cat(bad(decoupling("relu", correlation = NA_real_), "value"))
    cat(bad(decoupling("relu", correlation = "1"), "type"))
    cat(bad(decoupling("relu", variance = 0), "value"))
    cat(bad(decoupling("relu", variance = c(1, -2)), "value"))
    cat(bad(decoupling("relu", variance = 1:3), "shape"))
    cat(bad(decoupling("relu", parameter = 2), "value"))
    cat(bad(decoupling("relu", task = task_fgn(3, 0.8)), "value"))
    cat(bad(decoupling("relu", data = diag(2)), "value"))
    cat(bad(decoupling(net, correlation = 0.5), "value"))
    cat(bad(decoupling(net, variance = 2), "value"))
    cat(bad(decoupling(net, parameter = 2), "value"))
    cat(bad(decoupling(linear), "value"))
    cat(bad(decoupling(lstm), "no_data"))
    cat(bad(decoupling(pooled, task = task_fgn(3, 0.8)), "no_data"))
    cat(bad(decoupling(net, limit = 1000), "cost"))
    cat(bad(decoupling(net, limit = "a"), "value"))
    cat(bad(decoupling(net, task = task_fgn(3, 0.8)), "shape"))
    cat(bad(decoupling(net, data = diag(3)), "shape"))
    cat(bad(decoupling(input_vector(2) |> layer_dense(1)), "no_coefficients"))
  })
})
