# Settings of the optimisers: defaults, refused values, and effects.

test_that("defaults depend on the method and on the kind of network and loss", {
  given <- function(...) capalloc:::fit_control(list(), ...)
  expect_identical(given("lm"), list(
    max_iterations = 1000, tol = 1e-10, learning_rate = 0.01, memory = 10, decay = 0, batch = Inf,
    validation = 0, patience = 20
  ))
  expect_identical(given("lbfgs")$max_iterations, 5000)
  expect_identical(given("adam")$max_iterations, 5000)
  expect_identical(given("lm", linear = FALSE)$tol, 1e-6)
  expect_identical(capalloc:::fit_control(list(tol = 1L, batch = 5L), "adam", linear = FALSE)[c("tol", "batch")],
    list(tol = 1, batch = 5))
})

test_that("the default tolerance for linear networks applies to squared error only", {
  x <- withr::with_seed(1, matrix(stats::rnorm(90), 30))
  y <- x[, 1] + cos(1:30)
  linear <- input_vector(3) |> layer_dense(1, bias = TRUE)
  tanh <- linear |> layer_activation("tanh")
  met <- function(network, y, ...) {
    fit(network, task_data(x, y, test = 0), seed = 1, control = list(...))$gradient_norm
  }
  expect_lte(met(linear, y), 1e-10)
  expect_lte(met(linear, y, decay = 0.1), 1e-10)
  # The last step is a Newton step, which can end far below the bound.
  for (number in c(met(linear, y > 0), met(tanh, y), met(tanh, y > 0, decay = 0.1))) expect_lte(number, 1e-6)
  bound <- function(network, y) fit(network, task_data(x, y, test = 0), seed = 1)$control$tol
  expect_identical(c(bound(linear, y), bound(linear, y > 0), bound(tanh, y)), c(1e-10, 1e-6, 1e-6))
})

test_that("invalid settings of the optimiser are refused", {
  net <- input_sequence(8) |> layer_dense(1)
  task <- task_ar(8, 0.5)
  control <- function(..., method = "lm") fit(net, task, method = method, seed = 1, control = list(...))
  expect_snapshot({
    cat(bad(fit(net, task, control = 5), "type"))
    cat(bad(fit(net, task, control = NULL), "type"))
    cat(bad(control(5), "type"))
    cat(bad(control(5, tol = 1), "value"))
    cat(bad(control(iterations = 5), "value"))
    cat(bad(control(max_iterations = -1), "value"))
    cat(bad(control(max_iterations = 2.5), "value"))
    cat(bad(control(max_iterations = 1e7), "value"))
    cat(bad(control(tol = -1), "value"))
    cat(bad(control(tol = NA), "value"))
    cat(bad(control(learning_rate = 0), "value"))
    cat(bad(control(memory = 0), "value"))
    cat(bad(control(memory = 101), "value"))
    cat(bad(control(memory = NULL), "value"))
    cat(bad(control(decay = -0.1), "value"))
    cat(bad(control(decay = Inf), "value"))
    cat(bad(control(decay = "a"), "value"))
    cat(bad(control(validation = 1), "value"))
    cat(bad(control(validation = -0.1), "value"))
    cat(bad(control(validation = c(0.1, 0.2)), "value"))
    cat(bad(control(patience = 0), "value"))
    cat(bad(control(patience = Inf), "value"))
    cat(bad(control(patience = 2e6), "value"))
    cat(bad(control(batch = 0, method = "adam"), "value"))
    cat(bad(control(batch = 2.5, method = "adam"), "value"))
    cat(bad(control(batch = NA, method = "adam"), "value"))
    cat(bad(control(batch = NULL, method = "adam"), "value"))
    cat(bad(control(batch = 8), "value"))
    cat(bad(control(batch = 8, method = "lbfgs"), "value"))
  })
})

test_that("infinite batches are accepted, and settings without effect with a warning", {
  x <- withr::with_seed(1, matrix(stats::rnorm(60), 20))
  task <- task_data(x, x[, 1], test = 0)
  net <- input_vector(3) |> layer_dense(1) |> layer_activation("tanh")
  same <- c("network", "history", "outcome")
  plain <- fit(net, task, seed = 1)
  expect_identical(fit(net, task, seed = 1, control = list(batch = Inf))[same], plain[same])
  expect_warning(slow <- fit(net, task, seed = 1, control = list(learning_rate = 5)), class = "capalloc_warning_unused")
  expect_warning(calm <- fit(net, task, seed = 1, control = list(patience = 1e6)), class = "capalloc_warning_unused")
  expect_identical(slow[same], plain[same])
  expect_identical(calm[same], plain[same])
})

test_that("larger decay gives smaller coefficients", {
  x <- withr::with_seed(1, matrix(stats::rnorm(60), 20))
  task <- task_data(x, x[, 1] - x[, 2], test = 0)
  net <- input_vector(3) |> layer_dense(1) |> layer_activation("tanh") |> layer_dense(1)
  size <- vapply(c(0.001, 0.01, 0.1), function(decay) {
    sum(coef(fit(net, task, seed = 1, control = list(decay = decay)))^2)
  }, 0)
  expect_true(all(diff(size) < 0))
})
