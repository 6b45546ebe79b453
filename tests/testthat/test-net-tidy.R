test_that("tidy() has one row per parameter, and glance() one row", {
  net <- named_networks()$conv_channels
  expect_identical(tidy(net)[c("term", "estimate")], data.frame(term = names(coef(net)), estimate = unname(coef(net))))
  expect_identical(glance(net)$n_params, length(coef(net)))
  bare <- input_sequence(4) |> layer_dense(1) |> layer_activation("tanh")
  expect_identical(tidy(bare)$estimate, rep(NA_real_, 4))
  expect_identical(tidy(bare)$layer, rep("dense1", 4))
  expect_identical(glance(bare), data.frame(
    n_params = 4L, layers = 2L, n_inputs = 4L, n_outputs = 1L, linear = FALSE
  ))
})
