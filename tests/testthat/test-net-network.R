test_that("summary() has one row per layer, the layers of a block after their block", {
  expect_equal(as.data.frame(summary(nested_network())), data.frame(
    layer = c(
      "conv1", "parallel1", "residual1", "conv2", "recurrent1", "recurrent2", "dense1"
    ),
    kind = c(
      "conv, kernel 3 + bias", "concatenation of 2 blocks", "x + block(x)", "conv, kernel 1",
      "diagonal recurrence, sequence + bias", "elman recurrence, last", "dense"
    ),
    output = c("2 x 6", "3 x 6", "2 x 6", "2 x 6", "1 x 6", "2 x 1", "1 x 1"),
    parameters = c(14, 0, 0, 4, 4, 10, 2),
    depth = c(0L, 0L, 1L, 2L, 1L, 0L, 0L)
  ))
})

test_that("networks print layer by layer", {
  expect_snapshot({
    nested_network()
    nested_network() |> initialise(seed = 1)
    input_sequence(2000) |> layer_dense(1)
  })
})

test_that("plot() draws every network and returns it", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  net <- nested_network()
  expect_no_warning(drawn <- withVisible(plot(net)))
  expect_identical(drawn, list(value = net, visible = FALSE))
  for (net in named_networks()[c("u_shape", "local_same", "grid_nested", "grid_outputs")]) {
    expect_no_warning(plot(net))
  }
})

test_that("adding a layer drops the coefficients", {
  net <- input_vector(3) |> layer_dense(2) |> initialise(seed = 1) |> layer_dense(1)
  expect_error(coef(net), class = "capalloc_error_no_coefficients")
})

test_that("networks are unchanged by saveRDS() and readRDS()", {
  for (net in named_networks()[c("nested", "dense_bias")]) {
    file <- withr::local_tempfile()
    saveRDS(net, file)
    expect_identical(readRDS(file), net)
  }
})

test_that("a first argument of another class is refused, with a hint at capalloc::", {
  layers <- list(
    \(x) layer_conv(x, 1, 1), \(x) layer_dense(x, 1), \(x) layer_flatten(x),
    \(x) layer_last(x), \(x) layer_parallel(x, identity, identity), \(x) layer_pool(x, 1),
    \(x) layer_recurrent(x, 1), \(x) layer_residual(x, identity), \(x) layer_local(x, 1, 1),
    \(x) layer_upsample(x, 2)
  )
  for (layer in layers) for (foreign in list(1, NULL, "net", mean, list(input = 1))) {
    expect_error(layer(foreign), "capalloc::layer_", class = "capalloc_error_type")
  }
  expect_snapshot(error = TRUE, {
    layer_conv(1:3, 1, 1)
    layer_dense(NULL, 1)
    layer_flatten(mean)
    layer_last("net")
    layer_parallel(list(), identity, identity)
    layer_pool(data.frame(a = 1), 1)
    layer_recurrent(1, 1)
    layer_residual(1, identity)
    initialise(3)
    set_coef(3, 1)
  })
})

test_that("the error of capalloc::layer_conv() names the call with its prefix", {
  expect_error(capalloc::layer_conv(1, 1, 1), "capalloc::layer_conv()", fixed = TRUE)
})

test_that("functions of the weights require coefficients", {
  net <- input_vector(3) |> layer_dense(1)
  for (f in list(coef, effective_weights, tangent, capacity)) {
    expect_error(f(net), class = "capalloc_error_no_coefficients")
  }
  expect_error(predict(net, diag(3)), class = "capalloc_error_no_coefficients")
  for (f in list(effective_weights, tangent, receptive_field)) {
    expect_error(f(1), class = "capalloc_error_type")
  }
  expect_snapshot(error = TRUE, {
    effective_weights(net)
    tangent(net)
    predict(net, diag(3))
    receptive_field("net")
  })
})

test_that("a network is convex if one linear layer has parameters, and no recurrence is anywhere in it", {
  convex <- list(
    input_vector(3) |> layer_dense(2, bias = TRUE),
    input_sequence(6) |> layer_conv(2, 3) |> layer_last(),
    input_sequence(6) |> layer_residual(\(x) layer_conv(x, 1, 3, padding = "same"))
  )
  other <- list(
    input_vector(3) |> layer_dense(2) |> layer_dense(1),
    input_vector(3) |> layer_dense(2) |> layer_activation("tanh"),
    input_sequence(6) |> layer_recurrent(1),
    input_sequence(6) |> layer_residual(\(x) layer_recurrent(x, 1, output = "sequence"))
  )
  for (network in convex) expect_true(capalloc:::is_convex(network))
  for (network in other) expect_false(capalloc:::is_convex(network))
})
