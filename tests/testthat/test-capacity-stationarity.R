# The convergence number that an allocation carries.

stationary <- function(...) {
  k <- suppressWarnings(capacity(...), classes = "capalloc_warning_rank_gap")
  list(glance = generics::glance(k)[c("gradient_norm", "converged")], text = stationarity_text(attr(k, "stationarity")))
}

test_that("capacities of a fit and of its network carry the convergence number", {
  task <- task_fgn(8, 0.8)
  trained <- fit(arch_dilated(8, 1), task, seed = 1)
  own <- stationary(trained)
  expect_identical(own$glance, data.frame(gradient_norm = trained$gradient_norm, converged = TRUE))
  expect_null(own$text)
  net <- as_trained(trained)$network
  expect_identical(stationary(net), own)
  # The record of the network takes precedence: it excludes the term of weight decay.
  decayed <- as_trained(trained)
  decayed$network$trained$gradient_norm <- 0.2
  expect_equal(stationary(decayed)$glance$gradient_norm, 0.2)
  expect_match(stationary(decayed)$text, "more than 10 times the bound 1e-10")
})

test_that("for untrained networks the text states that they were not trained", {
  net <- with_test_coef(arch_dilated(8, 1), 1)
  expect_identical(stationary(net)$glance, data.frame(gradient_norm = NA_real_, converged = NA))
  expect_match(stationary(net)$text, "^not trained")
  net$imported <- TRUE
  expect_match(stationary(net)$text, "imported")
  expect_identical(stationary(net)$glance$gradient_norm, NA_real_)
})

test_that("the number is NA for rows without a response, and computed for a task", {
  task <- task_fgn(8, 0.8)
  trained <- fit(arch_dilated(8, 1), task, seed = 1)
  rows <- stationary(trained, "covariance", data = matrix(sin(1:80), 10))
  expect_identical(rows$glance, data.frame(gradient_norm = NA_real_, converged = NA))
  expect_match(rows$text, "no response")
  expect_lt(stationary(trained, data = task)$glance$gradient_norm, 1e-9)
  other <- stationary(trained, data = task_ar(8, -0.5))
  expect_gt(other$glance$gradient_norm, 1e-3)
  expect_false(other$glance$converged)
  expect_match(other$text, "not what training forced")
})

test_that("the record of stationarity has the fields of its constructor", {
  expect_constructor(new_stationarity)
})
