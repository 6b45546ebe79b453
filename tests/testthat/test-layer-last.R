test_that("layer_last() keeps the channels of the newest position", {
  net <- input_sequence(3, channels = 2) |> layer_last() |> initialise(seed = 1)
  expect_equal(summary(net), data.frame(
    layer = "last1", kind = "newest position", output = "2 x 1", parameters = 0, depth = 0L
  ))
  expect_equal(net$layers[[1L]]$out_kind, "sequence")
  expect_equal(unname(effective_weights(net)), cbind(matrix(0, 2, 4), diag(2)))
})

test_that("layer_flatten() makes a vector in the same order", {
  net <- input_sequence(3, channels = 2) |> layer_flatten() |> initialise(seed = 1)
  expect_equal(net$layers[[1L]]$out_shape, c(6, 1, 1))
  expect_equal(net$layers[[1L]]$out_kind, "vector")
  expect_equal(unname(effective_weights(net)), diag(6))
})

test_that("a dense layer gives the same weights on the flattened sequence", {
  dense <- input_sequence(3, channels = 2) |> layer_dense(2) |> initialise(seed = 1)
  flat <- input_sequence(3, channels = 2) |> layer_flatten() |> layer_dense(2) |>
    set_coef(unname(coef(dense)))
  expect_equal(effective_weights(dense), effective_weights(flat))
})

test_that("layer_last() refuses a vector", {
  expect_error(layer_last(input_vector(3)), class = "capalloc_error_shape")
  expect_snapshot(error = TRUE, {
    layer_last(input_vector(3))
    input_sequence(3) |> layer_flatten() |> layer_last()
  })
})
