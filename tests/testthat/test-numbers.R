# Hard numbers with answers that are known exactly: what comes out is right, or it says by class that it cannot be.

# ---- recurrences -------------------------------------------------------------------------------------------

# h_t = a h_(t-1) + b x_t: W_j = b a^(n-j), so J spans a^d and d a^d, d = n - j the lag. Scaled by the largest power,
# its columns have a condition below 1e4 and lose nothing.
recurrence_projector <- function(a, n) {
  d <- n - seq_len(n)
  power <- a^(if (a <= 1) d else d - max(d))
  J <- cbind(power, d * power)
  rowSums(qr.Q(qr(J / rep(sqrt(colSums(J^2)), each = n)))^2)
}

test_that("recurrences that vanish and explode over 1024 steps have the allocation of their powers", {
  n <- 1024
  for (a in c(0.5, 0.8, 0.99, 1, 1.01, 1.2, 1.5)) {
    for (cell in c("elman", "diagonal")) {
      net <- set_coef(input_sequence(n) |> layer_recurrent(1, cell), c(0.7, a))
      found <- capacity(net)
      expect_identical(glance(found)$total, 2)
      # powers to n eps each, and the condition of the two columns
      expect_near(found$capacity, recurrence_projector(a, n), 1e-9, paste(cell, a))
      expect_equal(c(effective_weights(net)), 0.7 * a^(n - seq_len(n)), tolerance = 1e-12)
    }
  }
})

test_that("a recurrence whose weights are no numbers says so", {
  net <- set_coef(input_sequence(1024) |> layer_recurrent(1), c(1, 2.5))
  expect_error(capacity(net), class = "capalloc_error_nonfinite")
  expect_error(propagate_capacity(net, mode = "linear"), class = "capalloc_error_nonfinite")
  # mode total does not see scale: half of a unit's capacity would go to x if the weights were equal
  flow <- propagate_capacity(set_coef(net, c(1, 1)))
  share <- 2^-(1024 - 1:1024 + 1)
  share[[1]] <- 2^-1023 # h_0 is not there
  expect_near(units_at(flow, "recurrent1"), share, 1e-15)
})

# ---- filters that nearly coincide --------------------------------------------------------------------------

test_that("nearly coincident filters have full rank until rounding, with a warning near it", {
  stack <- function(d) set_coef(input_sequence(3) |> layer_conv(1, 2) |> layer_conv(1, 2), c(1, 0.5, 1, 0.5 + d))
  for (d in 10^-c(1:12)) {
    found <- capacity(stack(d))
    # three independent directions of three inputs: nothing is left to be wrong but orthogonality
    expect_near(found$capacity, c(1, 1, 1), 1e-12, paste("distance", d))
    expect_near(sum(found$capacity), 3, 1e-13)
  }
  # s_3 / s_1 is d times 0.3, the tolerance 40 eps = 9e-15
  expect_warning(near <- capacity(stack(2^-44)), class = "capalloc_warning_rank_gap")
  expect_identical(glance(near)$rank_high, 3L)
  # J spans (f shifted, f shifted): what is left out is orthogonal to (1, 1/2, 0) and (0, 1, 1/2), which is (1, -2, 4)
  same <- capacity(stack(0))
  expect_identical(glance(same)$total, 2)
  expect_near(same$capacity, 1 - c(1, 4, 16) / 21, 1e-14)
})

# ---- covariances near singular -----------------------------------------------------------------------------

test_that("covariances near singular keep their rank, and weights to eps over their least eigenvalue", {
  w <- c(1, -2)
  for (d in 2^-c(3, 10, 20, 30, 40)) { # exact in sums
    sigma <- matrix(c(1, 1 - d, 1 - d, 1), 2)
    task <- task_moments(sigma, sigma %*% w, c(w %*% sigma %*% w) + 1)
    found <- capacity(set_coef(input_vector(2) |> layer_dense(1), c(1, 1)), "covariance", data = task)
    expect_near(found$capacity, c(1, 1), 1e-12)
    bound <- 20 * .Machine$double.eps / d
    expect_near(c(oracle_weights(task)), w, bound)
    expect_near(task_demand(task)$demand / (w^2 * d * (2 - d)), c(1, 1), 2 * bound)
    expect_equal(bayes_loss(task), 1, tolerance = 1e-14)
    # the loss hardly sees what is badly known
    trained <- fit(input_vector(2) |> layer_dense(1), task, seed = 1)
    expect_true(glance(trained)$converged)
    expect_equal(glance(trained)$loss, 1, tolerance = 1e-8)
  }
  sigma <- matrix(1, 2, 2)
  task <- task_moments(sigma, sigma %*% w, 2)
  found <- capacity(set_coef(input_vector(2) |> layer_dense(1), c(1, 1)), "covariance", data = task)
  expect_near(found$capacity, c(0.5, 0.5), 1e-14)
  expect_near(c(oracle_weights(task)), c(-0.5, -0.5), 1e-14)
})

# ---- scale -------------------------------------------------------------------------------------------------

# Powers of two change no digit.
tiny <- 2^-498 # 1e-150
huge <- 2^498

scaled_network <- function(by) {
  net <- with_test_coef(input_sequence(6) |> layer_conv(2, 3) |> layer_conv(2, 2) |> layer_dense(1), 1)
  set_coef(net, coef(net) * rep(by, c(6, 8, 6)))
}

test_that("weights of any scale have the same allocation", {
  net <- scaled_network(c(1, 1, 1))
  cases <- list(c(huge, tiny, 1), c(tiny, huge, 1), c(tiny, tiny, 1), c(huge, 1, huge), c(tiny, tiny, tiny),
    c(huge, huge, huge))
  for (by in cases) {
    other <- scaled_network(by)
    expect_near(capacity(other)$capacity, capacity(net)$capacity, 1e-13)
    expect_near(capacity(other, ridge = 0.1)$capacity, capacity(net, ridge = 0.1)$capacity, 1e-13)
    expect_near(as.matrix(capacity_kernel(other)), as.matrix(capacity_kernel(net)), 1e-13)
    expect_near(as.matrix(capacity_table(other)), as.matrix(capacity_table(net)), 1e-12)
    expect_near(propagate_capacity(other)$capacity, propagate_capacity(net)$capacity, 1e-14)
    if (prod(by) == 0) next # the outputs are zero
    found <- tryCatch(propagate_capacity(other, mode = "linear"), capalloc_error_nonfinite = function(e) NULL)
    expect_identical(is.null(found), !is.finite(prod(by)))
    if (!is.null(found)) expect_near(found$capacity, propagate_capacity(net, mode = "linear")$capacity, 1e-14)
    flow <- function(net) propagate_capacity(net, "conv2", mode = "linear")$capacity
    if (is.finite(prod(by))) expect_near(flow(other), flow(net), 1e-13)
  }
})

test_that("second moments of large weights are no numbers, and say so", {
  net <- input_vector(2) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(2) |> layer_dense(1)
  net <- set_coef(net, huge * seq_len(10))
  for (from in list(NULL, "dense2", "dense1")) {
    expect_error(propagate_capacity(net, from, mode = "gaussian"), class = "capalloc_error_nonfinite")
  }
})

test_that("data of any scale are fitted alike, or refused by class", {
  x <- withr::with_seed(1, matrix(rnorm(200), 50))
  y <- withr::with_seed(2, c(x %*% c(1, -1, 2, 0.5)) + rnorm(50))
  net <- input_vector(4) |> layer_dense(1)
  w <- unname(coef(fit(net, task_data(x, y, test = 0), seed = 1)))
  for (s in c(tiny, 1, huge)) for (t in c(tiny, 1, huge)) {
    trained <- fit(net, task_data(s * x, t * y, test = 0), seed = 1)
    expect_true(glance(trained)$converged)
    # where both have converged, to their tolerance
    expect_equal(unname(coef(trained)) / (t / s), w, tolerance = 1e-8)
    expect_near(capacity(trained, "covariance")$capacity, rep(1, 4), 1e-12)
  }
  for (s in c(1e-160, 1e160)) {
    expect_error(task_data(s * x, y), class = "capalloc_error_value")
    expect_error(task_data(x, s * y), class = "capalloc_error_value")
    expect_error(task_data(y ~ x, data.frame(x = s * x[, 1], y = y)), class = "capalloc_error_value")
    expect_error(task_series(s * y, 4), class = "capalloc_error_value")
    expect_error(capacity(set_coef(net, 1:4), "covariance", data = s * x), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, task_data(1e160 * x, y))
})
