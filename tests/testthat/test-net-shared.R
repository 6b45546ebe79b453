# References to shared blocks in the tree of layers.

test_that("only the first block of a name holds parameters, nested ones included", {
  inner <- \(x) layer_shared(x, "inner", \(y) layer_dense(y, 2, activation = "tanh"))
  outer <- \(x) layer_shared(x, "outer", \(y) layer_residual(y, inner))
  net <- input_vector(2) |> layer_parallel(outer, \(x) x |> outer() |> inner(), merge = "sum") |> outer()
  expect_equal(names(coef(initialise(net, seed = 1))), paste0("dense1.weight[", c("1,1", "2,1", "1,2", "2,2"), "]"))
  net <- with_test_coef(net, 1)
  x <- test_inputs(net, 5)
  W <- matrix(net$coef, 2)
  f <- function(x) tanh(x %*% t(W))
  g <- function(x) x + f(x)
  expect_equal(predict(net, x), g(g(x) + f(g(x))), tolerance = 1e-13, ignore_attr = TRUE)
})

test_that("layers after a shared one keep their places in theta", {
  net <- input_vector(2) |> layer_shared("a", \(x) layer_dense(x, 2)) |> layer_dense(2) |>
    layer_shared("a", \(x) layer_dense(x, 2)) |> layer_dense(1) |> set_coef(1:10)
  A <- matrix(1:4, 2)
  expect_equal(unname(effective_weights(net)), matrix(9:10, 1) %*% A %*% matrix(5:8, 2) %*% A)
})
