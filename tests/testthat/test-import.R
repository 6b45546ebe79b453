# Helpers for imports from several packages, and tests of as_network() that apply to all of them.

quietly <- function(code) suppressMessages(code, classes = "capalloc_message_truncation")

# Long series, for which the Kalman filter reaches its steady state.
long_series <- function(...) withr::with_seed(1, arima.sim(list(...), n = 1500))

quiet_nnet <- function(..., trace = FALSE) nnet::nnet(..., trace = trace)

test_that("as_network() returns networks unchanged, and the network of a fit", {
  network <- input_sequence(4) |> layer_conv(1, 2) |> layer_dense(1) |> initialise(seed = 1)
  expect_identical(as_network(network), network)
  trained <- fit(network, task_ar(4, 0.5), seed = 1)
  expect_identical(as_network(trained), trained$network)
})

test_that("imported networks are unchanged by saveRDS()", {
  file <- withr::local_tempfile()
  x <- long_series(ma = 0.5)
  for (network in list(
    as_network(lm(mpg ~ wt + hp, mtcars)), as_network(ar(lh)), as_network(list(diag(2))),
    quietly(as_network(arima(x, c(0, 0, 1)))), quietly(as_network(arima(x, c(0, 1, 1), fixed = 0.3)))
  )) {
    saveRDS(network, file)
    expect_identical(readRDS(file), network)
    expect_identical(capacity(readRDS(file)), capacity(network))
  }
  nets <- list(as_network(made_nn(2, 1)), as_network(list(diag(3), diag(3)), activation = "tanh"))
  if (rlang::is_installed("nnet")) {
    nets <- c(nets, list(withr::with_seed(1, as_network(quiet_nnet(iris[, 1:3], iris[, 4], size = 2, skip = TRUE)))))
  }
  rows <- unname(as.matrix(iris[1:20, 1:3]))
  for (network in nets) {
    saveRDS(network, file)
    expect_identical(readRDS(file), network)
    # Units of a fit can be saturated and the rank undecided.
    found <- suppressWarnings(capacity(readRDS(file), data = rows), classes = "capalloc_warning_rank_gap")
    expect_identical(found, suppressWarnings(capacity(network, data = rows), classes = "capalloc_warning_rank_gap"))
  }
})

test_that("imported networks can be trained", {
  network <- as_network(ar(lh), length = 6)
  trained <- fit(network, task_series(lh, 6, test = 0), seed = 1)
  expect_true(trained$converged)
  expect_lte(trained$train_loss, mean((lh[7:48] - predict(network, embed(lh, 7)[, 7:2]))^2))
  # The start is the imported model in the units of the task.
  start <- fit(network, task_series(lh, 6, test = 0), seed = 1, control = list(max_iterations = 0)) |> quiet()
  expect_equal(predict(start, embed(lh, 7)[, 7:2]), predict(network, embed(lh, 7)[, 7:2]), tolerance = 1e-12)
})

test_that("objects that cannot be imported are refused by class", {
  x <- long_series(ma = 0.5)
  logit <- glm(am ~ wt, binomial, mtcars)
  texts <- c(
    bad(as_network(NULL), "type"),
    bad(as_network("lm"), "type"),
    bad(as_network(mtcars), "type"),
    bad(as_network(lh), "type"),
    bad(as_network(c(1, NA)), "type"),
    bad(as_network(diag(2)), "type"),
    bad(as_network(nls(mpg ~ a + b * wt, mtcars, start = list(a = 1, b = 1))), "type"),
    bad(as_network(structure(lm(mpg ~ wt, mtcars), class = c("tslm", "lm"))), "type"),
    bad(as_network(structure(logit, class = c("gam", "glm", "lm"))), "type"),
    bad(as_network(logit), "unsupported"),
    bad(as_network(lm(mpg ~ wt + offset(hp), mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ wt, mtcars, offset = hp)), "unsupported"),
    bad(as_network(glm(mpg ~ wt + offset(hp), data = mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ 1, mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ 0, mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ wt, mtcars), input = 1), "type"),
    bad(as_network(lm(mpg ~ wt, mtcars), length = 3), "value"),
    bad(as_network(ar(withr::with_seed(1, rnorm(50)), order.max = 1)), "unsupported"),
    bad(as_network(ar(lh), length = 2), "shape"),
    bad(as_network(ar(lh), length = "long"), "value"),
    bad(as_network(ar(lh), input = input_sequence(3)), "value"),
    bad(as_network(arima(lh)), "unsupported"),
    bad(as_network(arima(lh, order = c(1, 0, 0), xreg = cbind(trend = 1:48, wave = sin(1:48)))), "unsupported"),
    bad(as_network(arima(lh, xreg = cbind(trend = 1:48))), "unsupported"),
    bad(as_network(structure(c(arima(lh, order = c(1, 0, 0)), lambda = 0.5), class = "Arima")), "unsupported"),
    bad(as_network(arima(x, order = c(0, 0, 1), fixed = c(2, 0), transform.pars = FALSE)), "unsupported"),
    bad(as_network(arima(x, order = c(0, 0, 1), fixed = c(-1, 0), transform.pars = FALSE)), "unsupported"),
    bad(as_network(arima(x, order = c(0, 0, 1), fixed = c(0.9999, 0), transform.pars = FALSE)), "unsupported"),
    bad(as_network(arima(x, order = c(0, 1, 1), fixed = 0.3), length = 1), "shape"),
    bad(as_network(arima(lh, order = c(2, 1, 0)), length = 2), "shape"),
    bad(as_network(input_sequence(4) |> layer_dense(1)), "no_coefficients"),
    bad(as_network(set_coef(input_sequence(4), numeric()), seed = 1), "value")
  )
  expect_snapshot(writeLines(texts))
  # The text of the error is that of task_data().
  expect_error(as_network(lm(mpg ~ wt, mtcars), input = input_sequence(2)), class = "capalloc_error_shape")
})

test_that("a dense layer has the fields of its constructor", {
  expect_constructor(capalloc:::new_import_dense)
})
