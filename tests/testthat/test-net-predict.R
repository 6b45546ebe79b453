# Outputs of networks for rows of inputs.

test_that("new data that do not fit the input are refused", {
  net <- input_vector(3) |> layer_dense(1) |> initialise(seed = 1)
  expect_error(predict(net, diag(4)), class = "capalloc_error_shape")
  expect_error(predict(net, matrix("a", 1, 3)), class = "capalloc_error_type")
  expect_error(predict(net, matrix(c(1, NA, 3), 1)), class = "capalloc_error_value")
  expect_snapshot(error = TRUE, {
    predict(net, diag(4))
    predict(net, matrix(c(1, NA, 3), 1))
    predict(net, matrix("a", 1, 3))
  })
})
