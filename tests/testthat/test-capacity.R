# Arguments and results of capacity(). Its values are tested in test-capacity-facts.R.

# Two filters with almost a common zero: the third singular value is about `apart`.
almost_shared <- function(apart) {
  input_sequence(3) |> layer_conv(1, 2) |> layer_conv(1, 2) |> set_coef(c(1, -1, 1, -1 - apart))
}

strided <- function(length = 16, bias = FALSE) {
  input_sequence(length) |> layer_conv(2, 4, stride = 4) |> layer_dense(1, bias = bias) |>
    with_test_coef(1)
}

some_rows <- function(n) {
  withr::with_seed(n, matrix(rnorm(4 * n * n), 4 * n) %*% matrix(rnorm(n * n), n) + 1)
}

test_that("a sequence has one row per input coordinate", {
  net <- input_sequence(4, channels = 2) |> layer_conv(1, 2) |> layer_dense(1) |> with_test_coef(1)
  k <- capacity(net)
  expect_s3_class(k, c("ca_capacity", "ca_frame", "data.frame"), exact = TRUE)
  expect_equal(k$input, paste0("x[", rep(1:4, each = 2), ",", 1:2, "]"))
  expect_identical(k$position, rep(1:4, each = 2))
  expect_identical(k$lag, rep(4:1, each = 2))
  expect_identical(k$channel, rep(1:2, 4))
  expect_type(k$capacity, "double")
  expect_equal(attr(k, "row.names"), 1:8)
})

test_that("a vector has positions and no lags", {
  k <- capacity(input_vector(3) |> layer_dense(2) |> with_test_coef(1))
  expect_equal(names(k), c("input", "position", "lag", "channel", "capacity"))
  expect_equal(k$input, c("x[1]", "x[2]", "x[3]"))
  expect_identical(k$position, 1:3)
  expect_identical(k$lag, rep(NA_integer_, 3))
  expect_equal(k$capacity, rep(2, 3))
})

test_that("the intercept is the last row", {
  k <- capacity(strided(bias = TRUE))
  expect_equal(nrow(k), 17)
  last <- k[17, ]
  expect_equal(last$input, "(Intercept)")
  expect_true(is.na(last$position) && is.na(last$lag) && is.na(last$channel))
  expect_equal(last$capacity, 1)
  expect_equal(generics::glance(k)$n_inputs, 17)
  expect_equal(sum(capacity(strided(bias = FALSE))$capacity) + 1, sum(k$capacity))
})

test_that("inputs have the names of the user's data", {
  task <- task_data(mpg ~ wt + hp, mtcars, seed = 1)
  trained <- fit(input_vector(2) |> layer_dense(1, bias = TRUE), task, seed = 1)
  expect_equal(capacity(trained)$input, c("wt", "hp", "(Intercept)"))
  series <- cbind(level = sin(1:40), rate = cos(1:40))
  net <- input_sequence(2, channels = 2) |> layer_dense(2)
  trained <- fit(net, task_series(series, 2), seed = 1)
  expect_equal(capacity(trained)$input, c("level[1]", "rate[1]", "level[2]", "rate[2]"))
})

test_that("the covariance metric of a fit is that of its task", {
  task <- task_fgn(16, 0.8)
  trained <- fit(strided(), task)
  k <- capacity(trained, metric = "covariance")
  expect_equal(generics::glance(k)$metric, "covariance")
  # The capacity of a fit stores the fit and its convergence number.
  plain <- function(k) structure(k, source = NULL, stationarity = NULL)
  expect_identical(plain(capacity(trained$network, metric = "covariance", data = task)), plain(k))
  twin <- twin_network_capacity(trained$network, sigma = task$moments$sigma)
  # Rounding error over the least singular value, which is 1e-3 of the largest.
  expect_equal(k$capacity, twin$kappa, tolerance = 1e-10)
  expect_gt(max(abs(k$capacity - capacity(trained)$capacity)), 0.01)
  # Where the fit was trained on a sample, the moments are still those of the task.
  sampled <- fit(input_sequence(16) |> layer_conv(1, 4, stride = 4) |> layer_dense(1), task,
    n_obs = 60, seed = 1)
  expect_identical(plain(capacity(sampled, metric = "covariance")),
    plain(capacity(sampled$network, metric = "covariance", data = task)))
})

test_that("the covariance metric accepts rows, with the constant where there is a bias", {
  task <- task_series(log(as.numeric(lynx)), length = 8, standardise = FALSE)
  for (bias in c(FALSE, TRUE)) {
    trained <- fit(strided(8, bias), task)
    k <- capacity(trained, metric = "covariance")
    rows <- capacity(trained$network, metric = "covariance", data = task$data$x)
    # The training rows have the moments of the task, up to the order of summation.
    expect_equal(rows$capacity, k$capacity, tolerance = 1e-8)
    x <- if (bias) cbind(task$data$x, 1) else task$data$x
    twin <- twin_network_capacity(trained$network, sigma = crossprod(x) / nrow(x))
    expect_equal(k$capacity, twin$kappa, tolerance = 1e-8)
  }
  frame <- capacity(strided(8), metric = "covariance", data = as.data.frame(task$data$x))
  matrix <- capacity(strided(8), metric = "covariance", data = task$data$x)
  expect_equal(frame, matrix)
  # `data` takes precedence over the fit's own task.
  white <- capacity(trained, metric = "covariance", data = task_copy(8, 1))
  expect_equal(white$capacity, capacity(trained)$capacity, tolerance = 1e-10)
})

test_that("layers are selected by name, and a layer that holds blocks includes their layers", {
  net <- input_sequence(6) |> layer_conv(1, 2) |>
    layer_parallel(
      \(x) layer_residual(x, \(y) layer_conv(y, 1, 3, padding = "same", bias = TRUE)),
      \(x) layer_conv(x, 2, 1), merge = "concat"
    ) |>
    layer_dense(2) |> with_test_coef(3)
  only <- function(...) capacity(net, layers = c(...))
  evidence <- function(...) generics::glance(only(...))
  expect_equal(evidence("conv1")$n_params, 2)
  expect_equal(evidence("parallel1")$n_params, 6)
  expect_equal(only("parallel1"), only("conv2", "conv3"))
  expect_equal(only("residual1"), only("conv2"))
  # A layer selected twice, directly and through its block, counts once, in any order.
  expect_equal(only("conv2", "parallel1", "parallel1"), only("parallel1"))
  expect_equal(only("dense1", "conv1"), only("conv1", "dense1"))
  expect_equal(only("conv1", "parallel1", "dense1"), capacity(net))
  # A layer without parameters adds no capacity.
  pooled <- input_sequence(4) |> layer_pool(2) |> layer_dense(1) |> with_test_coef(1)
  expect_equal(capacity(pooled, layers = c("pool1", "dense1")), capacity(pooled))
})

test_that("soft capacity is the sum of s^2 / (s^2 + ridge s_1^2)", {
  net <- strided(bias = TRUE)
  J <- twin_tangent(net)
  J <- J %*% diag(1 / sqrt(colSums(J^2)))
  s <- svd(J)
  for (ridge in c(1e-3, 0.1, 1, 1e6)) {
    k <- capacity(net, ridge = ridge)
    weight <- s$d^2 / (s$d^2 + ridge * s$d[[1L]]^2)
    # Rounding error of sums of squares of an orthonormal basis.
    expect_equal(generics::glance(k)$total, sum(weight), tolerance = 1e-10)
    expect_equal(k$capacity, c(s$u^2 %*% weight), tolerance = 1e-10)
    expect_equal(generics::glance(k)$total, sum(k$capacity))
    expect_equal(generics::glance(k)$ridge, ridge)
  }
})

test_that("the tolerance determines the rank, the total and the evidence", {
  net <- almost_shared(1e-3)
  values <- attr(capacity(net), "spectrum")
  expect_equal(values, twin_network_capacity(net)$values[1:3], tolerance = 1e-10)
  between <- sqrt(values[[2L]] * values[[3L]]) / values[[1L]]
  expect_equal(generics::glance(capacity(net))$total, 3)
  k <- capacity(net, tol = between)
  expect_equal(generics::glance(k)$total, 2)
  expect_equal(generics::glance(k)$tol, between)
  expect_equal(generics::glance(k)$gap, values[[2L]] / values[[3L]])
  expect_equal(sum(k$capacity), 2)
  # At full rank no singular value is below the tolerance.
  expect_equal(generics::glance(capacity(net))$gap, Inf)
})

test_that("an undecided rank warns and reports the possible ranks", {
  net <- almost_shared(1e-6)
  tol <- twin_network_capacity(net)$values
  tol <- tol[[3L]] / tol[[1L]]
  expect_warning(k <- capacity(net, tol = 2 * tol), class = "capalloc_warning_rank_gap")
  evidence <- generics::glance(k)
  expect_equal(c(evidence$total, evidence$rank_low, evidence$rank_high), c(2, 2, 3))
  expect_warning(k <- capacity(net, tol = tol / 2), class = "capalloc_warning_rank_gap")
  evidence <- generics::glance(k)
  expect_equal(c(evidence$total, evidence$rank_low, evidence$rank_high), c(3, 2, 3))
  condition <- rlang::catch_cnd(capacity(net, tol = tol / 2), "capalloc_warning")
  expect_equal(condition$evidence$rank, 3L)
  # Soft capacity does not depend on a rank; decided ranks do not warn.
  expect_warning(capacity(net, tol = tol / 2, ridge = 0.1), NA)
  expect_warning(capacity(net, tol = 100 * tol), NA)
  expect_warning(capacity(net), NA)
})

test_that("the default tolerance is the limit at which rounding error is indistinguishable from rank", {
  # 10 max(m n, p) eps with three inputs and four parameters.
  limit <- 40 * .Machine$double.eps
  scale <- twin_network_capacity(almost_shared(1e-6))$values
  scale <- scale[[3L]] / scale[[1L]] / 1e-6
  expect_warning(capacity(almost_shared(2 * limit / scale)), class = "capalloc_warning_rank_gap")
  expect_equal(generics::glance(capacity(almost_shared(100 * limit / scale)))$total, 3)
  expect_equal(generics::glance(capacity(almost_shared(0)))$total, 2)
})

test_that("capacity does not depend on the block size", {
  net <- input_sequence(10, channels = 2) |> layer_conv(3, 3, stride = 2, bias = TRUE) |>
    layer_dense(3, bias = TRUE) |> with_test_coef(2)
  x <- some_rows(20)
  for (layers in list(NULL, "conv1")) for (metric in c("identity", "covariance")) {
    data <- if (metric == "covariance") x
    of <- function(...) capacity(net, metric = metric, data = data, layers = layers, ...)
    for (ridge in c(0, 0.01)) {
      whole <- of(ridge = ridge)
      for (block in c(1, 3, 7, 20, 21, 1000)) {
        found <- of(block = block, ridge = ridge)
        # The triangles differ by rounding error; the least singular value kept is above 1e-3 of the largest.
        expect_equal(found$capacity, whole$capacity, tolerance = 1e-10)
        expect_equal(attr(found, "spectrum"), attr(whole, "spectrum"), tolerance = 1e-10)
        expect_equal(attr(found, "total"), attr(whole, "total"), tolerance = 1e-10)
      }
    }
  }
})

test_that("glance() has one row with the documented columns", {
  glanced <- generics::glance(capacity(strided()))
  expect_identical(class(glanced), "data.frame")
  expect_equal(nrow(glanced), 1)
  expect_equal(names(glanced), c("total", "n_params", "n_inputs", "tol", "gap", "rank_low",
    "rank_high", "undecided", "gradient_norm", "converged", "metric", "ridge"))
  expect_equal(glanced$n_params, 16)
  expect_equal(glanced$n_inputs, 16)
  expect_equal(glanced$tol, 10 * 16 * .Machine$double.eps)
})

test_that("tidy() gives the same rows as a plain data frame", {
  k <- capacity(strided())
  tidied <- generics::tidy(k)
  expect_identical(class(tidied), "data.frame")
  expect_null(attr(tidied, "total"))
  expect_equal(as.list(tidied), as.list(k), ignore_attr = TRUE)
  expect_identical(as.data.frame(k), tidied)
})

test_that("summary() has octaves of the lag with shares of the total", {
  k <- capacity(strided())
  octaves <- summary(k)$octaves
  expect_equal(as.character(octaves$part), c("1", "2", "3-4", "5-8", "9-16"))
  rows <- list(16, 15, 13:14, 9:12, 1:8)
  expect_equal(octaves$capacity, vapply(rows, function(i) sum(k$capacity[i]), 0))
  expect_equal(sum(octaves$share), 1)
  expect_equal(summary(k)$glance, generics::glance(k))
  # The constant is in no octave, and vectors have no octaves.
  biased <- summary(capacity(strided(bias = TRUE)))$octaves
  expect_equal(sum(biased$share), 1 - 1 / generics::glance(capacity(strided(bias = TRUE)))$total)
  expect_null(summary(capacity(input_vector(2) |> layer_dense(1) |> set_coef(1:2)))$octaves)
})

test_that("capacities print their total and their first rows", {
  k <- capacity(strided())
  one <- input_vector(1) |> layer_dense(1) |> set_coef(1)
  expect_snapshot({
    print(k, n = 3)
    k
    capacity(one)
    capacity(strided(8, bias = TRUE), ridge = 0.5, layers = "dense1")
    capacity(strided(), "covariance", data = task_fgn(16, 0.8), partition = partition_octaves())
    # Small singular values are rounding error and vary, so a network with a clear gap is shown.
    summary(capacity(almost_shared(1), tol = 1e-9))
    summary(capacity(one))
  })
  expect_invisible(print(k))
})

test_that("c() combines capacities of several networks into one frame", {
  a <- capacity(strided())
  b <- capacity(with_test_coef(input_sequence(16) |> layer_dense(1, bias = TRUE), 1))
  both <- c(strided = a, dense = b)
  expect_s3_class(both, "ca_capacities")
  expect_equal(names(both), c("network", names(a)))
  expect_equal(as.character(both$network), rep(c("strided", "dense"), c(16, 17)))
  expect_equal(levels(both$network), c("strided", "dense"))
  expect_equal(both$capacity, c(a$capacity, b$capacity))
  expect_equal(both$input, c(a$input, b$input))
  totals <- c(strided = generics::glance(a)$total, dense = 17)
  expect_equal(attr(both, "totals"), totals)
  # Only linear networks have an upper bound at each input.
  curved <- with_test_coef(input_sequence(16) |> layer_dense(1) |> layer_activation("tanh"), 1)
  expect_true(attr(both, "linear"))
  expect_false(attr(c(strided = a, curved = capacity(curved, data = matrix(1:64 / 64, 4))), "linear"))
  # A subset has no totals.
  expect_identical(class(both[1:3, ]), "data.frame")
  parts <- c(a = capacity(strided(), partition = partition_octaves()))
  expect_equal(names(parts), c("network", "part", "capacity"))
})

test_that("capacities that cannot be combined are refused", {
  a <- capacity(strided())
  parts <- capacity(strided(), partition = partition_octaves())
  expect_snapshot({
    cat(bad(c(a, a), "value"))
    cat(bad(c(x = a, a), "value"))
    cat(bad(c(x = a, x = a), "value"))
    cat(bad(c(x = a, y = 1), "type"))
    cat(bad(c(x = a, y = parts), "shape"))
  })
})

test_that("bad arguments are refused, and the error names them", {
  net <- strided()
  bare <- input_sequence(4) |> layer_dense(1)
  rows <- matrix(1, 3, 16)
  expect_snapshot({
    cat(bad(capacity(1), "type"))
    cat(bad(capacity(lm(dist ~ speed, cars)), "type"))
    cat(bad(capacity(bare), "no_coefficients"))
    cat(bad(capacity(net, metric = "euclidean"), "value"))
    cat(bad(capacity(net, metric = c("identity", "identity")), "value"))
    cat(bad(capacity(net, partition = "octaves"), "type"))
    cat(bad(capacity(net, partition = partition_octaves), "type"))
    cat(bad(capacity(net, ridge = -1), "value"))
    cat(bad(capacity(net, ridge = NA), "value"))
    cat(bad(capacity(net, ridge = c(0, 1)), "value"))
    cat(bad(capacity(net, ridge = Inf), "value"))
    cat(bad(capacity(net, tol = -1e-10), "value"))
    cat(bad(capacity(net, tol = "small"), "value"))
    cat(bad(capacity(net, layers = "conv2"), "value"))
    cat(bad(capacity(net, layers = 1), "value"))
    cat(bad(capacity(net, layers = character()), "value"))
    cat(bad(capacity(net, layers = NA_character_), "value"))
    cat(bad(capacity(net, block = 0), "value"))
    cat(bad(capacity(net, block = 1.5), "value"))
    cat(bad(capacity(net, metric = "covariance"), "value"))
    cat(bad(capacity(net, metric = "covariance", data = rows[, -1]), "shape"))
    cat(bad(capacity(net, metric = "covariance", data = replace(rows, 5, NA)), "value"))
    cat(bad(capacity(net, metric = "covariance", data = letters), "type"))
    cat(bad(capacity(net, metric = "covariance", data = task_ar(8, 0.5)), "shape"))
  })
  pooled <- input_sequence(4) |> layer_pool(2) |> layer_dense(1) |> with_test_coef(1)
  expect_snapshot(cat(bad(capacity(pooled, layers = "pool1"), "value")))
})

test_that("the covariance metric refuses data without rows", {
  expect_error(capacity(strided(), metric = "covariance", data = matrix(0, 0, 16)),
    class = "capalloc_error")
})

test_that("a network without parameters has no capacity", {
  net <- input_sequence(4) |> layer_pool(2) |> layer_last() |> set_coef(numeric())
  k <- capacity(net)
  expect_equal(k$capacity, numeric(4))
  expect_equal(generics::glance(k)$total, 0)
  expect_identical(generics::glance(k)$gap, NA_real_)
})

test_that("the source of a capacity has the fields of its constructor", {
  expect_constructor(new_capacity_source)
})
