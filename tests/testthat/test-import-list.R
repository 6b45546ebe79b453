# Networks from lists of weights.

test_that("lists of matrices are imported as dense layers", {
  withr::local_seed(1)
  v <- matrix(rnorm(12), 2, dimnames = list(NULL, letters[1:6]))
  u <- matrix(rnorm(8), 4)
  network <- as_network(list(v, u))
  expect_equal(effective_weights(network), u %*% v, tolerance = 1e-14)
  k <- capacity(network)
  expect_identical(k$input, letters[1:6])
  expect_equal(sum(k$capacity), 2 * (4 + 6 - 2), tolerance = 1e-12)
  biased <- as_network(list(list(bias = 1:2, weight = v), u, list(weight = matrix(1:4, 1), bias = -3L)))
  x <- rnorm(6)
  expect_equal(c(predict(biased, x)), sum(1:4 * (u %*% (v %*% x + 1:2))) - 3, tolerance = 1e-13)
  expect_identical(summary(biased)$kind, c("dense + bias", "dense", "dense + bias"))
  expect_identical(as_network(list(hidden = v, out = list(weight = u))), network)
  expect_identical(input_frame(as_network(list(unname(v)))$input)$input[[1]], "x[1]")
})

sigmoid <- function(u) 1 / (1 + exp(-u))

test_that("activations are given in the list or by argument", {
  withr::local_seed(2)
  w <- list(matrix(rnorm(12), 4, dimnames = list(NULL, c("a", "b", "c"))), matrix(rnorm(8), 2), matrix(rnorm(2), 1))
  bias <- list(rnorm(4), rnorm(2), rnorm(1))
  x <- matrix(rnorm(15), 5)
  f <- list(tanh, function(u) pmax(u, 0) + 0.3 * pmin(u, 0), sigmoid)
  expected <- t(x)
  for (l in 1:3) expected <- f[[l]](w[[l]] %*% expected + bias[[l]])
  own <- as_network(list(
    first = list(weight = w[[1]], bias = bias[[1]], activation = "tanh"),
    list(activation = "leaky_relu", parameter = 0.3, weight = w[[2]], bias = bias[[2]]),
    list(weight = w[[3]], bias = bias[[3]], activation = "sigmoid")
  ))
  expect_equal(predict(own, x), t(expected), tolerance = 1e-14)
  expect_identical(suppressWarnings(capacity(own, data = x))$input, c("a", "b", "c", "(Intercept)"))
  expect_identical(
    summary(own)$kind, c("dense + bias", "tanh", "dense + bias", "leaky_relu (0.3)", "dense + bias", "sigmoid")
  )

  # One name applies to all layers but the last, otherwise one per layer; "linear" and "identity" add no layer.
  hidden <- as_network(w, activation = "tanh")
  expect_equal(c(predict(hidden, x)), c(w[[3]] %*% tanh(w[[2]] %*% tanh(w[[1]] %*% t(x)))), tolerance = 1e-14)
  expect_identical(as_network(w, activation = c("tanh", "tanh", "linear")), hidden)
  expect_identical(as_network(unname(w), activation = c(a = "tanh", b = "tanh", c = "identity")), hidden)
  expect_identical(as_network(w, activation = "linear"), as_network(w))
  each <- as_network(w, activation = c("relu", "identity", "abs"))
  expect_identical(summary(each)$kind, c("dense", "relu", "dense", "dense", "abs"))
  expect_identical(summary(as_network(w[1], activation = "tanh"))$kind, c("dense", "tanh"))
  expect_identical(
    as_network(list(list(weight = w[[1]], activation = "elu"))),
    as_network(list(list(weight = w[[1]], activation = "elu", parameter = 1)))
  )
})

test_that("invalid lists are refused, and the error names the element", {
  w <- matrix(1:6, 2)
  texts <- c(
    bad(as_network(list()), "shape"),
    bad(as_network(list(w, "a")), "type"),
    bad(as_network(list(w, NULL)), "type"),
    bad(as_network(list(1:3)), "type"),
    bad(as_network(list(mtcars)), "type"),
    bad(as_network(list(w > 2)), "type"),
    bad(as_network(list(array(1, c(2, 2, 2)))), "type"),
    bad(as_network(list(matrix(0, 0, 3))), "shape"),
    bad(as_network(list(w, hidden = matrix(1, 1, 3))), "shape"),
    bad(as_network(list(w, diag(2), w)), "shape"),
    bad(as_network(list(matrix(c(1, NA, 3, Inf), 2))), "value"),
    bad(as_network(list(w, list(weight = diag(2), bias = c(1, NaN)))), "value"),
    bad(as_network(list(list(weight = w, bias = 1:3))), "shape"),
    bad(as_network(list(list(weight = w, bias = "b"))), "type"),
    bad(as_network(list(list(w, 1:2))), "type"),
    bad(as_network(list(list(bias = 1))), "type"),
    bad(as_network(list(out = list(weight = w, biases = 1:2))), "type"),
    bad(as_network(list(weight = w, bias = 1:2)), "type"),
    bad(as_network(list(w), bias = 1:2), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("invalid activations are refused, and the error names the element", {
  w <- matrix(1:6, 2)
  curved <- list(weight = w, activation = "tanh")
  texts <- c(
    bad(as_network(list(list(weight = w, activation = "softmax"))), "value"),
    bad(as_network(list(w, out = list(weight = diag(2), activation = tanh))), "value"),
    bad(as_network(list(list(weight = w, activation = c("tanh", "relu")))), "value"),
    bad(as_network(list(list(weight = w, activation = "tanh", parameter = 2))), "value"),
    bad(as_network(list(list(weight = w, parameter = 2))), "value"),
    bad(as_network(list(list(weight = w, activation = "elu", parameter = "big"))), "value"),
    bad(as_network(list(w, diag(2)), activation = tanh), "value"),
    bad(as_network(list(w), activation = c("tanh", "relu")), "value"),
    bad(as_network(list(w, diag(2), diag(2)), activation = c("tanh", "relu")), "value"),
    bad(as_network(list(w, diag(2)), activation = "softmax"), "value"),
    bad(as_network(list(w, diag(2)), activation = c("tanh", NA)), "value"),
    bad(as_network(list(curved, diag(2)), activation = "tanh"), "value"),
    bad(as_network(list(curved, first = list(weight = diag(2), activation = "linear")), activation = "tanh"), "value")
  )
  expect_snapshot(writeLines(texts))
})
