# Extreme or ill-conditioned inputs with exactly known answers: results are accurate, or a classed error is raised.

# ---- recurrences -------------------------------------------------------------------------------------------

# h_t = a h_(t-1) + b x_t: W_j = b a^(n-j), so J spans a^d and d a^d, where d = n - j is the lag minus 1.
# After scaling by the largest power its columns have a condition number below 1e4 and no loss of accuracy.
recurrence_projector <- function(a, n) {
  d <- n - seq_len(n)
  power <- a^(if (a <= 1) d else d - max(d))
  J <- cbind(power, d * power)
  rowSums(qr.Q(qr(J / rep(sqrt(colSums(J^2)), each = n)))^2)
}

test_that("recurrences that vanish or explode over 1024 steps have the allocation of their powers", {
  n <- 1024
  for (a in c(0.5, 0.8, 0.99, 1, 1.01, 1.2, 1.5)) {
    for (cell in c("elman", "diagonal")) {
      net <- set_coef(input_sequence(n) |> layer_recurrent(1, cell), c(0.7, a))
      found <- capacity(net)
      expect_identical(glance(found)$total, 2)
      # The error is n eps for the powers, times the condition number of the two columns.
      expect_near(found$capacity, recurrence_projector(a, n), 1e-9, paste(cell, a))
      expect_equal(c(effective_weights(net)), 0.7 * a^(n - seq_len(n)), tolerance = 1e-12)
    }
  }
})

test_that("a recurrence whose weights overflow is a classed error", {
  net <- set_coef(input_sequence(1024) |> layer_recurrent(1), c(1, 2.5))
  expect_error(capacity(net), "not finite: the tangent", class = "capalloc_error_nonfinite")
  expect_error(propagate_capacity(net, mode = "linear"), class = "capalloc_error_nonfinite")
  # Mode total does not depend on scale: with equal weights half of a unit's capacity goes to x.
  flow <- propagate_capacity(set_coef(net, c(1, 1)))
  share <- 2^-(1024 - 1:1024 + 1)
  share[[1]] <- 2^-1023 # there is no h_0
  expect_near(units_at(flow, "recurrent1"), share, 1e-15)
})

# ---- filters that nearly coincide --------------------------------------------------------------------------

test_that("nearly equal filters have full rank up to rounding error, with a warning near it", {
  stack <- function(d) set_coef(input_sequence(3) |> layer_conv(1, 2) |> layer_conv(1, 2), c(1, 0.5, 1, 0.5 + d))
  for (d in 10^-c(1:12)) {
    found <- capacity(stack(d))
    # Three independent directions of three inputs: only orthogonality can be inaccurate.
    expect_near(found$capacity, c(1, 1, 1), 1e-12, paste("distance", d))
    expect_near(sum(found$capacity), 3, 1e-13)
  }
  # s_3 / s_1 is 0.3 d, the tolerance 40 eps = 9e-15.
  expect_warning(near <- capacity(stack(2^-44)), class = "capalloc_warning_rank_gap")
  expect_identical(glance(near)$rank_high, 3L)
  # J spans the shifts of f: the missing direction is orthogonal to (1, 1/2, 0) and (0, 1, 1/2), which is (1, -2, 4).
  same <- capacity(stack(0))
  expect_identical(glance(same)$total, 2)
  expect_near(same$capacity, 1 - c(1, 4, 16) / 21, 1e-14)
})

# ---- covariances near singular -----------------------------------------------------------------------------

test_that("covariances near singular keep their rank, and weights have errors of eps over the least eigenvalue", {
  w <- c(1, -2)
  for (d in 2^-c(3, 10, 20, 30, 40)) { # sums are exact
    sigma <- matrix(c(1, 1 - d, 1 - d, 1), 2)
    task <- task_moments(sigma, sigma %*% w, c(w %*% sigma %*% w) + 1)
    found <- capacity(set_coef(input_vector(2) |> layer_dense(1), c(1, 1)), "covariance", data = task)
    expect_near(found$capacity, c(1, 1), 1e-12)
    bound <- 20 * .Machine$double.eps / d
    expect_near(c(oracle_weights(task)), w, bound)
    expect_near(task_demand(task)$demand / (w^2 * d * (2 - d)), c(1, 1), 2 * bound)
    expect_equal(bayes_loss(task), 1, tolerance = 1e-14)
    # The loss hardly depends on the inaccurate direction.
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

# ---- compared with 77 digits ---------------------------------------------------------------------------------

# Returns the allocation, and whether there was a warning about an undecided rank.
capacity_warned <- function(...) {
  warned <- FALSE
  found <- withCallingHandlers(capacity(...), capalloc_warning_rank_gap = function(w) {
    warned <<- TRUE
    invokeRestart("muffleWarning")
  })
  list(kappa = found$capacity, total = glance(found)$total, warned = warned)
}

# Expects errors below a fraction of rounding error times the condition number of the tangent.
expect_exact <- function(found, wanted, rank, condition, label) {
  expect_false(found$warned, label = label)
  expect_identical(found$total, rank, label = label)
  expect_near(found$kappa, wanted, 5e-13 + 0.1 * .Machine$double.eps * condition, label)
}

test_that("tangents with condition numbers of 1 to 1e12 have exact allocations, and a warning beyond", {
  skip_without_precision()
  r <- 3
  m <- 4
  n <- 9
  frame <- function(a, b) qr.Q(qr(matrix(stats::rnorm(a * b), a)))
  for (digits in 0:13) {
    # The tangent space of W = B A is the orthogonal complement of all products of a direction orthogonal to the columns
    # of B and a direction orthogonal to the rows of A.
    parts <- withr::with_seed(digits, list(A = frame(r, r) %*% (10^(-digits * (0:(r - 1)) / (r - 1)) * t(frame(n, r))),
      B = frame(m, r)))
    net <- set_coef(input_vector(n) |> layer_dense(r) |> layer_dense(m), unlist(parts))
    of <- lapply(list(t(parts$A), parts$B), function(x) {
      precise_leverages(precise_basis(lapply(seq_len(r), function(j) precise(x[, j]))))
    })
    wanted <- colSums(1 - outer(1 - of[[2L]], 1 - of[[1L]]))
    found <- capacity_warned(net)
    # Leverages of fewer rows than columns come from singular vectors, without a second pass that restores digits.
    if (digits < 13) expect_exact(found, wanted, r * (m + n - r), 4 * 10^digits, paste0("condition 1e", digits))
  }
  expect_true(found$warned)
})

# f(z) g(z) h(z^4), without the directions that rescale a filter: independent columns of the tangent.
chain_tangent <- function(f, g, h) {
  one <- function(k, n) precise(as.numeric(seq_len(n) == k))
  c(
    lapply(1:3, function(k) precise_product(precise_product(one(k, 3), g), h, 4)),
    lapply(1:2, function(k) precise_product(precise_product(f, one(k, 3)), h, 4)),
    lapply(1:2, function(k) precise_product(precise_product(f, g), one(k, 3), 4))
  )
}

test_that("nearly equal filters have exact allocations", {
  skip_without_precision()
  net <- input_sequence(13) |> layer_conv(1, 3) |> layer_conv(1, 3) |> layer_conv(1, 3, dilation = 4)
  f <- c(1, 0.5, -0.75)
  h <- c(2, -1, 0.5)
  for (d in 2^-seq(0, 36, 3)) {
    g <- f + c(0, d, -d) # exact in double precision
    wanted <- precise_leverages(precise_basis(chain_tangent(precise(f), precise(g), precise(h))))
    expect_exact(capacity_warned(set_coef(net, c(f, g, h))), wanted, 7, 12 / d, paste("distance", d))
  }
})

# Returns d w_t / d (b, A, c) of w_t = c' A^t b, t = n - 1, ..., 0, for A = (x 0; a y) and c = `out`.
# All parts are combinations of f_x = x^t and f_y = y^t, like A^t: the states s = A^t b, the gains r'
# = c' A^t, and their convolutions dw / dA = sum over k < t of r_(t-1-k) s_k'. The convolution of f_x
# with itself is t x^(t-1), that of f_x and f_y is (x^t - y^t) / (x - y). Columns have norm 1;
# columns at rounding error of the largest of their layer are left out, as by the tolerance.
two_state_tangent <- function(b, A, out, n) {
  x <- precise(A[1, 1])
  y <- precise(A[2, 2])
  t <- rev(seq_len(n)) - 1
  f <- list(x^t, y^t)
  twice <- list(t * x^(t - 1), t * y^(t - 1))
  crossed <- (f[[1L]] - f[[2L]]) / (x - y)
  turned <- A[2, 1] / (x - y)
  s <- list(c(precise(b[[1L]]), 0), c(b[[1L]] * turned, b[[2L]] - b[[1L]] * turned))
  r <- list(c(out[[1L]] + out[[2L]] * turned, -out[[2L]] * turned), c(precise(0), out[[2L]]))
  along <- function(u) u[1] * f[[1L]] + u[2] * f[[2L]]
  meet <- function(u, v) u[1] * v[1] * twice[[1L]] + u[2] * v[2] * twice[[2L]] + (u[1] * v[2] + u[2] * v[1]) * crossed
  entries <- unlist(lapply(s, function(v) lapply(r, meet, v)), recursive = FALSE)
  columns <- c(lapply(r, along), entries, lapply(s, along))
  size <- vapply(columns, function(column) Rmpfr::asNumeric(log(max(abs(column)))), 0)
  precise_unit(columns[size - stats::ave(size, rep(1:2, c(6, 2)), FUN = max) > log(10 * n * .Machine$double.eps)])
}

test_that("recurrences with two states over 1024 steps have the numerical rank and allocation of exact arithmetic", {
  skip_without_precision()
  n <- 1024
  b <- c(0.5, 1)
  out <- c(1, 0.5)
  for (rates in list(c(0.5, 0.25), c(0.984375, 0.96875), c(1.0625, 0.875), c(1.5, 1.375))) {
    A <- matrix(c(rates[[1L]], 0.25, 0, rates[[2L]]), 2)
    found <- capacity_warned(set_coef(input_sequence(n) |> layer_recurrent(2) |> layer_dense(1), c(b, A, out)))
    columns <- two_state_tangent(b, A, out, n)
    # rates^d and d rates^d: the tolerance (1024 * 10 eps) keeps those above rounding error.
    basis <- precise_leading(columns, found$total)
    expect_false(found$warned)
    expect_near(found$kappa, precise_leverages(basis), 1e-10, paste("rates", toString(rates)))
    expect_lt(precise_rest(columns, basis), 2e-12)
    expect_identical(found$total, if (rates[[1L]] > 1) 2 else 4, label = paste("rates", toString(rates)))
  }
})

test_that("covariances with condition numbers of 1e3 to 1e12 have exact allocations", {
  skip_without_precision()
  n <- 6
  f <- c(1, 0.5, -0.75)
  g <- c(2, -1)
  net <- set_coef(input_sequence(n) |> layer_conv(1, 3) |> layer_conv(1, 2, dilation = 3), c(f, g))
  one <- function(k, n) precise(as.numeric(seq_len(n) == k))
  columns <- c(
    lapply(1:3, function(k) precise_product(one(k, 3), precise(g), 3)), list(precise_product(precise(f), one(1, 2), 3))
  )
  hilbert <- outer(seq_len(n), seq_len(n), function(i, j) 1 / (i + j - 1))
  for (added in 2^-c(8, 24, 40)) {
    sigma <- hilbert + added * diag(n)
    # P^(1/2) V^(1/2) with P the correlations and V the variances.
    sd <- sqrt(precise(diag(sigma)))
    root <- precise_root(lapply(seq_len(n), function(j) precise(sigma[, j]) / (sd * sd[j])))
    root <- lapply(seq_len(n), function(j) root[[j]] * sd[j])
    seen <- lapply(columns, function(column) Reduce(`+`, Map(`*`, root, as.list(column))))
    found <- capacity_warned(net, "covariance", data = task_moments(sigma, rowSums(sigma), sum(sigma) + 1))
    expect_identical(found$total, 4)
    expect_false(found$warned)
    expect_near(found$kappa, precise_leverages(precise_basis(seen)), 1e-11, paste("added", added))
  }
})

# ---- scale -------------------------------------------------------------------------------------------------

# Powers of two are exact.
tiny <- 2^-498 # 1e-150
huge <- 2^498

scaled_network <- function(by) {
  net <- with_test_coef(input_sequence(6) |> layer_conv(2, 3) |> layer_conv(2, 2) |> layer_dense(1), 1)
  set_coef(net, coef(net) * rep(by, c(6, 8, 6)))
}

test_that("the allocation does not depend on the scale of weights", {
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
    found <- tryCatch(propagate_capacity(other, mode = "linear"), capalloc_error_nonfinite = function(e) NULL)
    numbers <- is.finite(prod(by)) && prod(by) > 0
    expect_identical(is.null(found), !numbers)
    if (!is.null(found)) expect_near(found$capacity, propagate_capacity(net, mode = "linear")$capacity, 1e-14)
    flow <- function(net) propagate_capacity(net, "conv2", mode = "linear")$capacity
    if (numbers) expect_near(flow(other), flow(net), 1e-13)
  }
})

# Functions of a homogeneous network at inputs x whose results do not depend on the scale of its weights.
scale_free <- list(
  linear = function(net, x) propagate_capacity(net, mode = "linear")$capacity,
  gaussian = function(net, x) propagate_capacity(net, mode = "gaussian")$capacity,
  from_layer = function(net, x) propagate_capacity(net, "conv2", mode = "gaussian")$capacity,
  empirical = function(net, x) propagate_capacity(net, mode = "empirical", data = x)$capacity,
  gates = function(net, x) decoupling(net)$gate_correlation,
  gates_at_task = function(net, x) decoupling(net, task = task_ar(6, 0.5))$gate_correlation,
  gates_at_rows = function(net, x) decoupling(net, data = x)$gate_correlation,
  field = function(net, x) unlist(glance(effective_receptive_field(net, "gradient", data = x))[c("sd", "region_size")]),
  total_field = function(net, x) glance(effective_receptive_field(net))$sd,
  shattering = function(net, x) mean(shattering(net, data = x)$correlation[1:20]),
  samples = function(net, x) capacity(net, data = x)$capacity
)

test_that("results do not depend on the scale of weights, or a classed error is raised", {
  net <- input_sequence(6) |> layer_conv(2, 2) |> layer_activation("relu") |> layer_conv(2, 2) |>
    layer_activation("relu") |> layer_last() |> layer_dense(1)
  theta <- withr::with_seed(3, stats::rnorm(14))
  x <- withr::with_seed(4, matrix(stats::rnorm(48), 8))
  scales <- 2^c(-660, -600, -498, -330, -200, -100, 100, 200, 330, 498, 600, 660)
  for (name in names(scale_free)) {
    ask <- scale_free[[name]]
    expected <- ask(set_coef(net, theta), x)
    told <- vapply(scales, function(scale) {
      found <- tryCatch(ask(set_coef(net, theta * scale), x), capalloc_error_nonfinite = function(e) NULL)
      # Gradients that are zero have no correlation and no field.
      if (is.null(found) || scale < 1 && all(is.na(found))) return(FALSE)
      expect_equal(found, expected, tolerance = 1e-9, label = paste(name, log2(scale)))
      TRUE
    }, NA)
    expect_true(all(told[scales >= 2^-100 & scales <= 2^100]), label = name)
  }
})

test_that("overflow of second moments is a classed error", {
  net <- input_vector(2) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(2) |> layer_dense(1)
  net <- set_coef(net, huge * seq_len(10))
  for (from in list(NULL, "dense2", "dense1")) {
    expect_error(propagate_capacity(net, from, mode = "gaussian"), class = "capalloc_error_nonfinite")
  }
  # Pre-activations and gates are finite; the squares of the propagated moments overflow.
  loop <- input_sequence(4) |> layer_recurrent(2, activation = "relu") |> layer_dense(1)
  loop <- set_coef(loop, 2^250 * seq_len(8))
  expect_error(propagate_capacity(loop, "recurrent1", mode = "empirical", data = rbind(1:4, 4:1)),
    "carries through the layers", class = "capalloc_error_nonfinite")
})

test_that("fits do not depend on the scale of data, or a classed error is raised", {
  x <- withr::with_seed(1, matrix(rnorm(200), 50))
  y <- withr::with_seed(2, c(x %*% c(1, -1, 2, 0.5)) + rnorm(50))
  net <- input_vector(4) |> layer_dense(1)
  for (standardise in list(TRUE, FALSE)) {
    weights <- function(s, t) {
      trained <- fit(net, task_data(s * x, t * y, test = 0, standardise = standardise), seed = 1)
      expect_true(glance(trained)$converged)
      expect_near(capacity(trained, "covariance")$capacity, rep(1, 4), 1e-12)
      unname(effective_weights(trained$network)[, 1:4]) / (t / s)
    }
    for (s in c(tiny, 1, huge)) for (t in c(tiny, 1, huge)) {
      # Where both have converged, they agree to their tolerance.
      expect_equal(weights(s, t), weights(1, 1), tolerance = 1e-8)
    }
  }
  for (s in c(1e-160, 1e160)) {
    expect_error(task_data(s * x, y), class = "capalloc_error_value")
    expect_error(task_data(x, s * y), class = "capalloc_error_value")
    expect_error(task_data(cbind(x, s * x[, 1]), y), class = "capalloc_error_value")
    expect_error(task_data(y ~ x, data.frame(x = s * x[, 1], y = y)), class = "capalloc_error_value")
    expect_error(task_series(s * y, 4), class = "capalloc_error_value")
    expect_error(capacity(set_coef(net, 1:4), "covariance", data = s * x), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, task_data(1e160 * x, y))
})

test_that("results and fits do not depend on the variance of the task", {
  task <- function(variance) task_ar(6, c(0.5, 0.2), variance = variance)
  net <- input_sequence(6) |> layer_dense(1)
  w <- oracle_weights(task(1))
  for (variance in 2^c(-960, -330, -60, 60, 330, 960)) {
    expect_equal(oracle_weights(task(variance)), w, tolerance = 1e-12)
    expect_equal(bayes_loss(task(variance)) / variance, bayes_loss(task(1)), tolerance = 1e-12)
    expect_equal(task_demand(task(variance))$demand / variance, task_demand(task(1))$demand, tolerance = 1e-12)
    for (method in c("lm", "lbfgs")) {
      trained <- fit(net, task(variance), method = method, seed = 1)
      expect_true(glance(trained)$converged)
      # Where both have converged, they agree to their tolerance.
      expect_equal(unname(coef(trained)), c(w), tolerance = 1e-8, label = paste(method, log2(variance)))
    }
  }
})

# ---- sizes -------------------------------------------------------------------------------------------------

test_that("sizes beyond 2^31 are counted exactly, and refused by class where they cannot be computed", {
  plane <- input_grid(60000, 60000) |> layer_conv(1, 2)
  expect_error(predict(set_coef(plane, 1:4), 1:4), "(3.6e+09)", fixed = TRUE, class = "capalloc_error_shape")
  expect_error(task_moments(diag(2), 1:2, 9, input = input_grid(60000, 60000)), class = "capalloc_error_shape")
  wide <- input_vector(2^31 - 1) |> layer_dense(2)
  expect_error(set_coef(wide, 0), "4294967294", class = "capalloc_error_shape")
  expect_output(print(input_sequence(1e5) |> layer_dense(1e5)), "1e[+]10 parameters")
  stacked <- Reduce(\(net, i) layer_activation(net, "relu"), 1:6, input_sequence(2^23))
  for (net in list(plane, wide, stacked)) expect_error(receptive_field(net), class = "capalloc_error_size")
  expect_error(effective_weights(set_coef(plane, 1:4)), class = "capalloc_error_size")
  expect_message(
    expect_error(capacity(set_coef(plane, 1:4)), class = "capalloc_error_size"), "1.295957e[+]19 x 4"
  )
  # 4.9e9 weights from 2 parameters
  same <- input_sequence(70000) |> layer_conv(1, 2, padding = "same") |> set_coef(1:2)
  expect_error(effective_weights(same), class = "capalloc_error_size")
  expect_error(tangent(same), class = "capalloc_error_size")
  keep <- \(x) layer_activation(x, "relu")
  half <- input_sequence(1, channels = 2^30)
  expect_error(layer_parallel(half, keep, keep, merge = "concat"), "2147483648", class = "capalloc_error_size")
})
