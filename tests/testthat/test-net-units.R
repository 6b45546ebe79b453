# Data with large means and unequal scales.
car_rows <- function() {
  x <- cbind(wt = 1e6 + 1e3 * mtcars$wt, hp = mtcars$hp / 1e6)
  list(x = x, y = 1e4 + mtcars$mpg)
}

tanh_dense <- function(n, m = 1) {
  input_vector(n) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(m, bias = TRUE)
}

few_steps <- function(network, task, ...) {
  suppressWarnings(fit(network, task, seed = 1, control = list(max_iterations = 20), ...))
}

test_that("a fit and its network give the same predictions, in data units", {
  rows <- car_rows()
  trained <- few_steps(tanh_dense(2), task_data(rows$x, rows$y, test = 0))
  expect_identical(predict(trained$network, rows$x), predict(trained, rows$x))
  expect_identical(fitted(trained), predict(trained, rows$x))
  # The layers written out, on columns standardised by hand.
  z <- apply(rows$x, 2, function(v) (v - mean(v)) / sqrt(mean((v - mean(v))^2)))
  theta <- unname(coef(trained))
  hidden <- tanh(z %*% t(matrix(theta[1:4], 2)) + rep(theta[5:6], each = 32))
  by_hand <- mean(rows$y) + sqrt(mean((rows$y - mean(rows$y))^2)) * (hidden %*% theta[7:8] + theta[9])
  # Inputs have 13 digits after centring loses three; predictions are of order 1e4.
  expect_equal(predict(trained, rows$x), by_hand, tolerance = 1e-12)
  expect_equal(trained$train_loss, mean((rows$y - by_hand)^2), tolerance = 1e-9)
  expect_s3_class(unserialize(serialize(trained$network, NULL)), "ca_network")
})

test_that("a fit and its network both predict class probabilities", {
  task <- task_data(factor(am) ~ wt + hp, mtcars, test = 0)
  x <- task$data$x
  for (outputs in 1:2) {
    trained <- few_steps(input_vector(2) |> layer_dense(outputs, bias = TRUE), task)
    expect_equal(unname(predict(trained, x)), predict(trained$network, x), tolerance = 1e-15)
    expect_equal(rowSums(predict(trained$network, x)), rep(1, 32))
    expect_equal(ncol(predict(trained$network, x, type = "link")), outputs)
  }
  expect_identical(trained$network$output, "softmax")
})

test_that("effective weights and tangent maps are in data units", {
  rows <- car_rows()
  task <- task_data(rows$x, rows$y, test = 0)
  free <- fit(input_vector(2) |> layer_dense(1), task, seed = 1)
  W <- effective_weights(free)
  # With centring, a network without bias is least squares with an intercept.
  expect_identical(colnames(W), c("wt", "hp", "(Intercept)"))
  least <- coef(lm(rows$y ~ rows$x))
  expect_equal(unname(drop(W)), unname(least[c(2, 3, 1)]), tolerance = 1e-10)
  expect_equal(predict(free, rows$x), cbind(rows$x, 1) %*% t(unname(W)), tolerance = 1e-12)
  expect_equal(unname(linearise(free, rows$x[1, ])), unname(W), tolerance = 1e-12)
  curved <- few_steps(tanh_dense(2), task)
  at <- rows$x[3, ]
  slope <- linearise(curved, at)
  step <- c(10, 1e-6)
  for (j in 1:2) {
    moved <- function(s) predict(curved, replace(at, j, at[[j]] + s * step[[j]]))
    # central differences: the error is the curvature over a step of 0.01 standard deviations
    expect_equal(slope[[1, j]], drop(moved(1) - moved(-1)) / (2 * step[[j]]), tolerance = 1e-3)
  }
  expect_equal(drop(slope %*% c(at, 1)), drop(predict(curved, at)), tolerance = 1e-10)
})

test_that("changing the coefficients drops the record of training", {
  rows <- car_rows()
  network <- few_steps(tanh_dense(2), task_data(rows$x, rows$y, test = 0))$network
  expect_named(network$trained, c("tol", "gradient_norm", "converged"))
  for (other in list(set_coef(network, coef(network)), initialise(network, seed = 1))) {
    expect_null(other$trained)
    expect_identical(other$units, network$units)
  }
})
