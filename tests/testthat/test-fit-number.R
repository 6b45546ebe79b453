# The convergence number of a network on a task, compared with its definition.

# max over k of |J_k' eps| / (|J~_k| sqrt(tr V))
number_by_definition <- function(J, x, r, y, centred) {
  m <- ncol(r)
  columns <- if (nrow(J) > m * ncol(x)) cbind(x, 1) else x
  numbers <- apply(J, 2, function(j) {
    moved <- tcrossprod(columns, matrix(j, m)) # the derivative of yhat with respect to theta_k
    abs(sum(r * moved)) / sqrt(sum(moved^2) * sum((if (centred) scale(y, scale = FALSE) else y)^2))
  })
  max(numbers)
}

test_that("for linear networks the convergence number equals its definition, on rows and on tasks", {
  x <- withr::with_seed(1, matrix(rnorm(90), 30))
  y <- cbind(x[, 1] + 2 + withr::with_seed(2, rnorm(30)))
  for (bias in c(FALSE, TRUE)) {
    net <- set_coef(input_vector(3) |> layer_dense(2, bias = bias) |> layer_dense(1), cos(seq_len(if (bias) 10 else 8)))
    task <- task_data(x, y, test = 0, standardise = FALSE)
    expected <- number_by_definition(tangent(net), x, y - predict(net, x), y, bias)
    expect_equal(capalloc:::task_number(net, task), expected, tolerance = 1e-10)
    expect_equal(glance(quiet(capacity(net, data = task)))$gradient_norm, expected, tolerance = 1e-10)
    expect_equal(capalloc:::rows_number(net, task, list(x = x, y = y)), expected, tolerance = 1e-10)
  }
})

test_that("task_number() equals the convergence number of a fit", {
  tanh <- input_vector(2) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  task <- task_data(mpg ~ wt + hp, mtcars, test = 0)
  for (net in list(input_vector(2) |> layer_dense(2) |> layer_dense(1), tanh)) {
    trained <- quiet(fit(net, task, seed = 1, control = list(max_iterations = 5)))
    expect_equal(capalloc:::task_number(trained$network, task), trained$gradient_norm, tolerance = 1e-6)
  }
})

test_that("with weight decay task_number() is that of the loss without penalty", {
  task <- task_data(mpg ~ wt + hp, mtcars, test = 0)
  trained <- fit(input_vector(2) |> layer_dense(1, bias = TRUE), task, seed = 1, control = list(decay = 0.1))
  expect_true(trained$converged)
  expect_lt(trained$gradient_norm, 1e-9)
  units <- trained$network$units
  x <- capalloc:::units_in(task$data$x, units)
  y <- capalloc:::units_response_in(task$data$y, units)
  expected <- number_by_definition(tangent(trained$network), x, y - cbind(x, 1) %*% coef(trained), y, TRUE)
  expect_equal(trained$network$trained$gradient_norm, expected, tolerance = 1e-8)
  expect_gt(expected, 0.01)
})

test_that("task_number() is NA for other numbers of outputs, and for nonlinear networks without rows", {
  net <- set_coef(input_sequence(4) |> layer_dense(1) |> layer_activation("tanh"), cos(1:4))
  expect_identical(capalloc:::task_number(net, task_ar(4, 0.5)), NA_real_)
  two <- set_coef(input_sequence(4) |> layer_dense(2), cos(1:8))
  expect_identical(capalloc:::task_number(two, task_ar(4, 0.5)), NA_real_)
  expect_identical(capalloc:::task_number(two, task_ar(5, 0.5)), NA_real_)
})
