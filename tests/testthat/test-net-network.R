nested <- function() {
  input_sequence(8, channels = 2) |>
    layer_conv(2, kernel = 3, bias = TRUE) |>
    layer_parallel(
      \(x) layer_residual(x, \(y) layer_conv(y, 2, 1)),
      \(x) layer_recurrent(x, 1, "diagonal", output = "sequence", bias = TRUE),
      merge = "concat"
    ) |>
    layer_recurrent(2) |>
    layer_dense(1)
}

# Returns the next draw of R's stream without advancing it.
next_draw <- function() withr::with_preserve_seed(runif(1))

test_that("coefficients are named in the order of theta, depth first", {
  net <- nested() |> initialise(seed = 1)
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

test_that("summary() has one row per layer, the layers of a block after their block", {
  expect_equal(as.data.frame(summary(nested())), data.frame(
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
    nested()
    nested() |> initialise(seed = 1)
    input_sequence(2000) |> layer_dense(1)
  })
})

test_that("plot() draws every network and returns it", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  net <- nested()
  expect_no_warning(drawn <- withVisible(plot(net)))
  expect_identical(drawn, list(value = net, visible = FALSE))
  for (net in named_networks()[c("u_shape", "local_same", "grid_nested", "grid_outputs")]) {
    expect_no_warning(plot(net))
  }
})

test_that("set_coef() and coef() leave coefficients unchanged", {
  net <- nested()
  values <- seq_len(34) / 7
  expect_identical(unname(coef(set_coef(net, values))), values)
  expect_identical(coef(set_coef(net, 1:34)), coef(set_coef(net, as.double(1:34))))
  named <- coef(initialise(net, seed = 3))
  expect_identical(coef(set_coef(net, named)), named)
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

test_that("initialise() is determined by its seed", {
  net <- nested()
  expect_identical(initialise(net, seed = 1), initialise(net, seed = 1))
  expect_false(identical(coef(initialise(net, seed = 1)), coef(initialise(net, seed = 2))))
  expect_identical(initialise(net, seed = 1), initialise(net, "glorot", seed = 1L))
  withr::with_seed(5, first <- initialise(net))
  withr::with_seed(5, again <- initialise(net))
  expect_identical(first, again)
})

test_that("initialise() with a seed leaves the user's stream unchanged", {
  withr::local_seed(1)
  before <- next_draw()
  initialise(nested(), seed = 99)
  expect_identical(next_draw(), before)
})

test_that("initialise() draws the same under any kind of generator and restores it", {
  net <- nested()
  expected <- initialise(net, seed = 1)
  withr::local_preserve_seed()
  # R warns whenever the Rounding sampler is selected, also when it is restored.
  old <- suppressWarnings(RNGkind("Wichmann-Hill", "Box-Muller", "Rounding"))
  withr::defer(RNGkind(old[[1]], old[[2]], old[[3]]))
  expect_identical(suppressWarnings(initialise(net, seed = 1)), expected)
  expect_identical(RNGkind(), c("Wichmann-Hill", "Box-Muller", "Rounding"))
})

test_that("initialise() works in a session without .Random.seed", {
  withr::local_preserve_seed()
  runif(1)
  rm(".Random.seed", envir = globalenv())
  initialise(nested(), seed = 1)
  expect_false(exists(".Random.seed", envir = globalenv(), inherits = FALSE))
})

test_that("successive draws without a seed differ", {
  withr::local_seed(1)
  expect_false(identical(initialise(nested()), initialise(nested())))
})

test_that("each scheme has its documented variance", {
  # 100 x 50 weights: the standard error of a variance is 2% of it.
  net <- input_vector(100) |> layer_dense(50)
  variance <- function(scheme) mean(coef(initialise(net, scheme, seed = 1))^2)
  expect_equal(variance("glorot"), 2 / 150, tolerance = 0.08)
  expect_equal(variance("lecun"), 1 / 100, tolerance = 0.08)
  expect_equal(variance("he"), 2 / 100, tolerance = 0.08)
  # Fan-in of a convolution is its taps times the channels of one group.
  conv <- input_sequence(8, channels = 64) |> layer_conv(32, kernel = 5, groups = 2)
  expect_equal(mean(coef(initialise(conv, "lecun", seed = 1))^2), 1 / 160, tolerance = 0.06)
  expect_equal(mean(coef(initialise(conv, seed = 1))^2), 2 / (160 + 80), tolerance = 0.06)
  # On a grid the taps are rows times columns. 5760 draws.
  grid <- input_grid(6, 6, channels = 64) |> layer_conv(30, kernel = c(3, 2), groups = 2)
  expect_equal(mean(coef(initialise(grid, "he", seed = 1))^2), 2 / (32 * 6), tolerance = 0.06)
  expect_equal(mean(coef(initialise(grid, seed = 1))^2), 2 / (32 * 6 + 15 * 6), tolerance = 0.06)
})

test_that("biases start at zero, recurrences near radius 0.9 or with log-uniform memory times", {
  net <- input_sequence(50) |> layer_recurrent(60, bias = TRUE)
  theta <- coef(initialise(net, seed = 1))
  expect_true(all(theta[grepl("bias", names(theta))] == 0))
  a <- matrix(theta[grepl("recurrent[", names(theta), fixed = TRUE)], 60)
  # The circular law holds within about 10% at 60 units.
  expect_equal(max(Mod(eigen(a)$values)), 0.9, tolerance = 0.15)
  diagonal <- input_sequence(50) |> layer_recurrent(200, "diagonal")
  theta <- coef(initialise(diagonal, seed = 1))
  tau <- -1 / log(theta[grepl("recurrent[", names(theta), fixed = TRUE)])
  expect_true(all(tau >= 1 & tau <= 50))
  # Log-uniform: the median memory time is near the square root of the length.
  expect_equal(median(log(tau)), log(50) / 2, tolerance = 0.25)
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

test_that("bad schemes and seeds are refused", {
  net <- input_vector(3) |> layer_dense(1)
  expect_error(initialise(net, "xavier"), class = "capalloc_error_value")
  expect_error(initialise(net, c("glorot", "he")), class = "capalloc_error_value")
  for (seed in list("a", NA, 1.5, c(1, 2), Inf, 2^31, list(1))) {
    expect_error(initialise(net, seed = seed), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, {
    initialise(net, "xavier")
    initialise(net, seed = 1.5)
  })
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
