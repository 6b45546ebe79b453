test_that("shapes, parameters and names of both cells", {
  elman <- input_sequence(6, channels = 2) |> layer_recurrent(3, bias = TRUE)
  expect_equal(elman$layers[[1L]]$params, list(input = c(3L, 2L), recurrent = c(3L, 3L), bias = 3L))
  expect_equal(summary(elman)$output, "3 x 1")
  expect_equal(summary(elman)$parameters, 6 + 9 + 3)
  diagonal <- input_sequence(6) |> layer_recurrent(2, "diagonal", output = "sequence")
  expect_equal(summary(diagonal)$output, "2 x 6")
  expect_named(coef(initialise(diagonal, seed = 1)), c(
    "recurrent1.input[1,1]", "recurrent1.input[2,1]", "recurrent1.recurrent[1]",
    "recurrent1.recurrent[2]"
  ))
  expect_named(coef(initialise(input_sequence(6) |> layer_recurrent(2), seed = 1))[3:6], paste0(
    "recurrent1.recurrent[", c("1,1", "2,1", "1,2", "2,2"), "]"
  ))
})

test_that("one diagonal unit is an exponential memory", {
  net <- input_sequence(5) |> layer_recurrent(1, "diagonal", bias = TRUE) |> set_coef(c(2, 0.5, 3))
  # 2 0.5^(lag - 1), and the bias summed over five steps.
  expect_equal(c(effective_weights(net)), c(2 * 0.5^(4:0), 3 * sum(0.5^(0:4))), tolerance = 1e-14)
})

test_that("an elman cell is the powers of its matrix", {
  withr::local_seed(1)
  a <- matrix(rnorm(4), 2) / 2
  b <- rnorm(2)
  net <- input_sequence(3) |> layer_recurrent(2) |> set_coef(c(b, a))
  expected <- unname(cbind(a %*% a %*% b, a %*% b, b))
  # A few products: rounding only.
  expect_equal(unname(effective_weights(net)), expected, tolerance = 1e-14)
})

test_that("bad recurrences are refused", {
  net <- input_sequence(4)
  for (units in list(0, 1.5, NA, "2")) {
    expect_error(layer_recurrent(net, units), class = "capalloc_error_value")
  }
  expect_error(layer_recurrent(net, 1, cell = "lstm"), class = "capalloc_error_value")
  expect_error(layer_recurrent(net, 1, output = "first"), class = "capalloc_error_value")
  expect_error(layer_recurrent(net, 1, activation = "tanh"), class = "capalloc_error_value")
  expect_error(layer_recurrent(net, 1, bias = NA), class = "capalloc_error_value")
  expect_error(layer_recurrent(input_vector(4), 1), class = "capalloc_error_shape")
  expect_snapshot(error = TRUE, {
    layer_recurrent(net, 0)
    layer_recurrent(net, 1, cell = "transformer")
    layer_recurrent(net, 1, output = "first")
    layer_recurrent(net, 1, activation = "quantum")
    layer_recurrent(net, 1, bias = NA)
    layer_recurrent(input_vector(4), 1)
  })
})
