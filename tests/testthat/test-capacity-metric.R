# The standardised and the covariance metric.

metric_rows <- function(seed = 1, N = 200, rho = 0.99) {
  withr::with_seed(seed, {
    x1 <- rnorm(N)
    x2 <- rho * x1 + sqrt(1 - rho^2) * rnorm(N)
    cbind(x1, x2, rnorm(N)) + rep(c(1, -2, 0.5), each = N)
  })
}

constrained <- function(bias = TRUE) {
  input_vector(3) |> layer_dense(1, bias = bias) |> layer_dense(2, bias = bias) |> with_test_coef(3)
}

# Returns the same function of the inputs scale * x + shift.
in_other_units <- function(net, scale, shift) {
  first <- seq_len(net$layers[[1L]]$params$weight[[1L]] * 3)
  weight <- matrix(net$coef[first], ncol = 3) %*% diag(1 / scale)
  net$coef[first] <- c(weight)
  bias <- net$layers[[1L]]$params$bias
  at <- max(first) + seq_len(max(bias, 0))
  net$coef[at] <- net$coef[at] - drop(weight %*% shift)[seq_along(at)]
  net
}

test_that("neither metric depends on units, nor on shifts where there is a constant", {
  x <- metric_rows()
  for (bias in c(TRUE, FALSE)) for (metric in c("standardised", "covariance")) {
    net <- constrained(bias)
    at <- capacity(net, metric, data = x)$capacity
    shifts <- if (bias) list(numeric(3), c(1e3, -50, 7)) else list(numeric(3))
    for (scale in list(c(1000, 1, 1), c(1e-9, 1e9, 1))) for (shift in shifts) {
      other <- in_other_units(net, scale, shift * scale)
      moved <- (x + rep(shift, each = nrow(x))) * rep(scale, each = nrow(x))
      # Shifts of 1e3 standard deviations lose three digits, and their squares in T J another three.
      expect_near(capacity(other, metric, data = moved)$capacity, at, if (any(shift != 0)) 1e-8 else 1e-10)
    }
  }
  # The same for nonlinear networks.
  curved <- input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |>
    layer_dense(1) |> with_test_coef(1)
  for (metric in c("standardised", "covariance")) {
    at <- capacity(curved, metric, data = x)$capacity
    other <- in_other_units(curved, c(1000, 1, 1e-3), c(1000, 5, 0))
    moved <- x * rep(c(1000, 1, 1e-3), each = nrow(x)) + rep(c(1000, 5, 0), each = nrow(x))
    expect_near(capacity(other, metric, data = moved)$capacity, at, 1e-8)
  }
})

test_that("an input with correlation .99 keeps its capacity when its unit changes", {
  x <- metric_rows()
  net <- constrained()
  other <- in_other_units(net, c(1, 1000, 1), numeric(3))
  change <- capacity(other, "covariance", data = x %*% diag(c(1, 1000, 1)))$capacity -
    capacity(net, "covariance", data = x)$capacity
  expect_lt(max(abs(change)), 1e-10)
})

test_that("the covariance root is a root of the moments, and symmetric for stationary zero-mean tasks", {
  for (bias in c(TRUE, FALSE)) {
    allocation <- read_allocation(constrained(bias), "covariance", 0, NULL, metric_rows(), NULL, NULL)
    x <- if (bias) cbind(metric_rows(), 1) else metric_rows()
    expect_equal(crossprod(allocation$root), unname(crossprod(x) / nrow(x)), tolerance = 1e-12)
  }
  task <- task_fgn(8, 0.8)
  net <- with_test_coef(input_sequence(8) |> layer_dense(1), 1)
  T <- read_allocation(net, "covariance", 0, NULL, task, NULL, NULL)$root
  expect_equal(T, t(T), tolerance = 1e-14)
  expect_equal(T %*% T, task$moments$sigma, tolerance = 1e-12)
})

test_that("the root of rows with large means keeps the accuracy of their differences", {
  x <- metric_rows(rho = 0.5)
  far <- x + 1e6
  net <- constrained()
  root <- function(x) read_allocation(net, "covariance", 0, NULL, x, NULL, NULL)$root[1:3, 1:3]
  # rounding error of the rows themselves: 1e6 eps
  expect_near(root(far), root(x), 1e-9)
})

test_that("capacity in the covariance metric equals the twin's, from rows and from moments", {
  x <- metric_rows()
  for (bias in c(TRUE, FALSE)) {
    net <- constrained(bias)
    sigma <- crossprod(if (bias) cbind(x, 1) else x) / nrow(x)
    space <- twin_column_space(net, sigma = unname(sigma))
    expect_near(capacity(net, "covariance", data = x)$capacity, diag(twin_kernel(space)), 1e-10)
    task <- task_moments(unname(crossprod(x) / nrow(x)), matrix(0, 3, 2), diag(2), mean_x = colMeans(x))
    expect_near(capacity(net, "covariance", data = task)$capacity, diag(twin_kernel(space)), 1e-8)
  }
})

test_that("constant and repeated columns have eigenvalues of exactly zero", {
  x <- metric_rows()
  x <- cbind(x[, 1], x[, 1], 3)
  parts <- metric_correlation(new_metric_inputs(x), TRUE)
  expect_identical(sum(parts$values == 0), 2L)
  expect_identical(parts$sd[[3L]], 0)
  dense <- input_vector(3) |> layer_dense(1, bias = TRUE) |> set_coef(1:4)
  k <- capacity(dense, "covariance", data = x)
  expect_equal(attr(k, "total"), 2)
  expect_near(k$capacity, c(0.5, 0.5, 0, 1), 1e-10)
})

test_that("the standardised metric is the identity metric of standardised inputs", {
  x <- metric_rows() %*% diag(c(1, 20, 0.3))
  net <- constrained()
  units <- column_units(x, 1:3)
  z <- (x - rep(units$centre, each = nrow(x))) / rep(units$scale, each = nrow(x))
  # The same function of standardised inputs.
  inside <- in_other_units(net, 1 / units$scale, -units$centre / units$scale)
  expect_near(capacity(net, "standardised", data = x)$capacity, capacity(inside)$capacity, 1e-10)
  # The same with one scale for each channel of a sequence.
  rows <- withr::with_seed(1, matrix(rnorm(240), 30)) * rep(rep(c(1, 10), 4), each = 30)
  seq_net <- with_test_coef(input_sequence(4, channels = 2) |> layer_conv(1, 2) |> layer_dense(1), 1)
  T <- read_allocation(seq_net, "standardised", 0, NULL, rows, NULL, NULL)$root
  expect_length(unique(diag(T)), 2)
  # Moments give the same as rows.
  task <- task_moments(crossprod(rows) / 30, numeric(8), 1, mean_x = colMeans(rows),
    input = input_sequence(4, channels = 2))
  expect_equal(read_allocation(seq_net, "standardised", 0, NULL, task, NULL, NULL)$root, T, tolerance = 1e-12)
})

test_that("a network with units is standardised, and accepts data in data units", {
  x <- metric_rows() %*% diag(c(1, 20, 0.3))
  units <- column_units(x, 1:3)
  z <- (x - rep(units$centre, each = nrow(x))) / rep(units$scale, each = nrow(x))
  net <- constrained()
  own <- net
  own$units <- new_units(units$centre, units$scale, numeric(2), rep(1, 2))
  expect_identical(capacity(own, "standardised")$capacity, capacity(net)$capacity)
  expect_near(capacity(own, "covariance", data = x)$capacity, capacity(net, "covariance", data = z)$capacity, 1e-12)
  task <- task_data(x, x[, 1:2], test = 0)
  expect_near(capacity(own, "covariance", data = task)$capacity, capacity(net, "covariance", data = z)$capacity, 1e-12)
  stated <- task_moments(crossprod(x) / nrow(x), crossprod(x, x[, 1:2]) / nrow(x), crossprod(x[, 1:2]) / nrow(x),
    mean_x = colMeans(x), mean_y = colMeans(x[, 1:2]))
  expect_near(capacity(own, "covariance", data = stated)$capacity, capacity(net, "covariance", data = z)$capacity, 1e-8)
  curved <- input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |>
    layer_dense(2) |> with_test_coef(1)
  own <- curved
  own$units <- new_units(units$centre, units$scale, numeric(2), rep(1, 2))
  expect_near(capacity(own, data = x)$capacity, capacity(curved, data = z)$capacity, 1e-12)
  expect_near(capacity(own, data = task)$capacity, capacity(curved, data = z)$capacity, 1e-12)
})

test_that("outside the identity metric principal components are those of the correlations", {
  x <- metric_rows()
  net <- constrained()
  for (metric in c("standardised", "covariance")) {
    pca <- partition_pca(1)
    at <- capacity(net, metric, pca, data = x)
    other <- in_other_units(net, c(1000, 1, 1e-3), numeric(3))
    moved <- capacity(other, metric, pca, data = x %*% diag(c(1000, 1, 1e-3)))
    expect_near(moved$capacity, at$capacity, 1e-9)
    P <- cor(x)
    Q <- eigen(P, symmetric = TRUE)$vectors
    T <- read_allocation(net, metric, 0, NULL, x, NULL, NULL)$root
    J <- kronecker(T, diag(2)) %*% unname(tangent(net))
    s <- svd(twin_unit_columns(J, twin_theta_array(net)))
    U <- s$u[, s$d > 1e-10 * s$d[[1]], drop = FALSE]
    first <- sum((t(kronecker(c(Q[, 1], 0), diag(2))) %*% U)^2)
    expect_equal(at$capacity[[1L]], first, tolerance = 1e-8)
  }
})

test_that("kernels and tables accept every metric", {
  x <- metric_rows()
  net <- constrained()
  for (metric in c("standardised", "covariance")) {
    k <- capacity(net, metric, data = x)$capacity
    expect_near(unname(diag(as.matrix(capacity_kernel(net, metric = metric, data = x)))), k, 1e-12)
    expect_near(unname(rowSums(as.matrix(capacity_table(net, metric = metric, data = x)))), k, 1e-10)
  }
})

test_that("capacities in different metrics cannot be combined", {
  x <- metric_rows()
  net <- constrained()
  expect_snapshot(cat(bad(c(a = capacity(net), b = capacity(net, "standardised", data = x)), "metric")))
  expect_s3_class(c(a = capacity(net), b = capacity(net)), "ca_capacities")
})

test_that("records of inputs and of their correlations have the fields of their constructors", {
  expect_constructor(new_metric_inputs)
  expect_constructor(new_metric_correlation)
})
