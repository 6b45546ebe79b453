# Warnings about allocations that contain little information about their network.

test_that("capacity() warns about too few rows for a nonlinear network", {
  net <- input_vector(3) |> layer_dense(8, bias = TRUE) |> layer_activation("tanh") |>
    layer_dense(1) |> with_test_coef(1)
  x <- withr::with_seed(1, matrix(rnorm(300), 100))
  few <- x[1:3, ]
  expect_warning(k <- capacity(net, data = few), class = "capalloc_warning_rows_exhausted")
  expect_near(k$capacity, rep(3, 4), 1e-8)
  expect_named(attr(k, "notices"), "rows_exhausted")
  expect_output(print(k), "too few rows")
  for (metric in c("standardised", "covariance")) {
    # two directions of three rows around their mean, in the covariance metric
    several <- x[1:5, ]
    expect_warning(capacity(net, metric, data = several), class = "capalloc_warning_rows_exhausted")
  }
  expect_warning(k <- capacity(net, data = x), NA)
  expect_null(attr(k, "notices"))
  expect_warning(capacity(net, data = few, ridge = 0.1), NA)
})

test_that("for a homogeneous network rows are exhausted without the constant", {
  net <- input_vector(3) |> layer_dense(8) |> layer_activation("abs") |> layer_dense(1) |> with_test_coef(1)
  x <- withr::with_seed(2, matrix(rnorm(6), 2))
  expect_warning(k <- capacity(net, data = x), class = "capalloc_warning_rows_exhausted")
  expect_near(k$capacity, c(2, 2, 2, 0), 1e-8)
  expect_warning(capacity(net, "covariance", data = x), class = "capalloc_warning_rows_exhausted")
})

test_that("capacity() warns about a linear fit on fewer rows than its total", {
  x <- withr::with_seed(1, matrix(rnorm(40), 4))
  trained <- suppressWarnings(fit(input_vector(10) |> layer_dense(1), task_data(x, x[, 1], test = 0), seed = 1),
    classes = "capalloc_warning_not_converged")
  expect_warning(k <- capacity(trained), class = "capalloc_warning_rows_exhausted")
  expect_match(attr(k, "notices")[["rows_exhausted"]], "4 training rows of 1 output for a total capacity of 10")
  expect_warning(capacity(trained$network), NA)
})

test_that("capacity() warns about a network that is constant", {
  dead <- input_vector(2) |> layer_dense(3, bias = TRUE) |> layer_activation("relu") |> layer_dense(1, bias = TRUE) |>
    set_coef(c(1:6 / 10, rep(-100, 3), 1:3, 1))
  x <- matrix(sin(1:20), 10)
  expect_warning(k <- capacity(dead, data = x), class = "capalloc_warning_constant")
  expect_near(k$capacity, c(0, 0, 1), 1e-12)
  expect_output(print(k), "constant on these rows")
  # A network that is not constant gives no warning, also for the parameters of the last layer alone.
  alive <- with_test_coef(dead, 1)
  expect_warning(capacity(alive, data = x, layers = "dense2"), NA)
})
