test_that("coefficients are named in the order of theta, depth first", {
  net <- nested_network() |> initialise(seed = 1)
  names <- names(coef(net))
  expect_length(names, 14 + 4 + 4 + 10 + 2)
  expect_equal(names[1:4], paste0("conv1.kernel[", c("1,1,1", "2,1,1", "1,2,1", "2,2,1"), "]"))
  expect_equal(names[13:14], c("conv1.bias[1]", "conv1.bias[2]"))
  expect_equal(names[15:18], paste0("conv2.kernel[", c("1,1,1", "2,1,1", "1,2,1", "2,2,1"), "]"))
  expect_equal(names[19:22], paste0(
    "recurrent1.", c("input[1,1]", "input[1,2]", "recurrent[1]", "bias[1]")
  ))
  expect_equal(names[23:24], paste0("recurrent2.input[", 1:2, ",1]"))
  expect_equal(names[29:32], paste0("recurrent2.recurrent[", c("1,1", "2,1", "1,2", "2,2"), "]"))
  expect_equal(names[33:34], c("dense1.weight[1,1]", "dense1.weight[1,2]"))
})

test_that("names are unique and as many as the parameters, in every network", {
  for (net in c(named_networks(), lapply(1:30, random_network))) {
    expect_length(coef(net), length(twin_theta_layer(net)))
    expect_identical(anyDuplicated(names(coef(net))), 0L)
    expect_equal(sum(summary(net)$parameters), length(coef(net)))
  }
})

test_that("set_coef() and coef() leave coefficients unchanged", {
  net <- nested_network()
  values <- seq_len(34) / 7
  expect_identical(unname(coef(set_coef(net, values))), values)
  expect_identical(coef(set_coef(net, 1:34)), coef(set_coef(net, as.double(1:34))))
  named <- coef(initialise(net, seed = 3))
  expect_identical(coef(set_coef(net, named)), named)
})

test_that("coefficients of the wrong length, type or value are refused", {
  net <- input_vector(3) |> layer_dense(1)
  expect_error(set_coef(net, 1:2), class = "capalloc_error_shape")
  expect_error(set_coef(net, numeric()), class = "capalloc_error_shape")
  expect_error(set_coef(net, c(1, NA, 3)), class = "capalloc_error_value")
  expect_error(set_coef(net, c(1, Inf, 3)), class = "capalloc_error_value")
  expect_error(set_coef(net, c("a", "b", "c")), class = "capalloc_error_type")
  expect_error(set_coef(net, NULL), class = "capalloc_error_type")
  expect_error(set_coef(net, factor(1:3)), class = "capalloc_error_type")
  expect_error(set_coef(net, list(1, 2, 3)), class = "capalloc_error_type")
  expect_snapshot(error = TRUE, {
    set_coef(net, 1:2)
    set_coef(net, c(1, NA, 3))
    set_coef(net, c(1, 2, -Inf))
    set_coef(net, "a")
    coef(net)
  })
})
