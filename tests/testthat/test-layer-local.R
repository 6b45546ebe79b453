test_that("shapes, parameters and names of a local layer", {
  net <- input_sequence(7, channels = 4) |>
    layer_local(6, kernel = 3, stride = 2, groups = 2, bias = TRUE)
  layer <- net$layers[[1L]]
  expect_equal(layer$params, list(kernel = c(6L, 2L, 3L, 3L), bias = c(6L, 3L)))
  expect_equal(layer$out_shape, c(6, 1, 3))
  expect_equal(summary(net), data.frame(
    layer = "local1", kind = "local, kernel 3, stride 2, groups 2 + bias", output = "6 x 3",
    parameters = 6 * 2 * 3 * 3 + 6 * 3, depth = 0L
  ))
  names <- names(coef(initialise(net, seed = 1)))
  expect_equal(names[c(1, 2, 7, 13, 37, 108, 109, 126)], c(
    "local1.kernel[1,1,1,1]", "local1.kernel[2,1,1,1]", "local1.kernel[1,2,1,1]",
    "local1.kernel[1,1,2,1]", "local1.kernel[1,1,1,2]", "local1.kernel[6,2,3,3]",
    "local1.bias[1,1]", "local1.bias[6,3]"
  ))
})

test_that("on a grid a kernel has rows and columns for each row and column of positions", {
  net <- input_grid(5, 4, channels = 2) |> layer_local(3, kernel = c(3, 2), stride = c(2, 1), bias = TRUE)
  layer <- net$layers[[1L]]
  expect_equal(layer$params, list(kernel = c(3L, 2L, 3L, 2L, 2L, 3L), bias = c(3L, 2L, 3L)))
  expect_equal(layer$out_kind, "grid")
  expect_equal(summary(net)$kind, "local, kernel 3 x 2, stride 2 x 1 + bias")
  expect_equal(summary(net)$output, "3 x 2 x 3")
  names <- names(coef(initialise(net, seed = 1)))
  expect_equal(names[c(1, 4, 7, 19, 37, 73, 216, 217, 220, 234)], c(
    "local1.kernel[1,1,1,1,1,1]", "local1.kernel[1,2,1,1,1,1]", "local1.kernel[1,1,2,1,1,1]",
    "local1.kernel[1,1,1,2,1,1]", "local1.kernel[1,1,1,1,2,1]", "local1.kernel[1,1,1,1,1,2]",
    "local1.kernel[3,2,3,2,2,3]", "local1.bias[1,1,1]", "local1.bias[1,2,1]", "local1.bias[3,2,3]"
  ))
})

test_that("every position has its own weights and bias", {
  net <- input_sequence(4) |> layer_local(1, 2, bias = TRUE) |> set_coef(c(1, 2, 3, 4, 5, 6, 7, 8, 9))
  expect_equal(unname(effective_weights(net)), rbind(c(1, 2, 0, 0, 7), c(0, 3, 4, 0, 8), c(0, 0, 5, 6, 9)))
  # Each coefficient changes one entry of W only.
  expect_equal(colSums(tangent(net) != 0), rep(1, 9), ignore_attr = TRUE)
})

test_that("a local layer with one position equals a convolution of the whole input and a dense layer", {
  theta <- c(sin(1:24), 0.5, 0.25)
  whole <- list(
    input_grid(2, 3, channels = 2) |> layer_local(2, c(2, 3), bias = TRUE),
    input_grid(2, 3, channels = 2) |> layer_conv(2, c(2, 3), bias = TRUE),
    input_grid(2, 3, channels = 2) |> layer_dense(2, bias = TRUE)
  )
  weights <- lapply(whole, function(net) effective_weights(set_coef(net, theta)))
  expect_equal(weights[[1L]], weights[[3L]], tolerance = 1e-14)
  expect_equal(weights[[2L]], weights[[3L]], tolerance = 1e-14)
})

# Returns coefficients of `local` that repeat the kernel and bias of `conv` at every position.
untied <- function(conv, local) {
  kernel <- rep(coef(conv)[seq_len(prod(conv$layers[[1L]]$params$kernel))], prod(local$layers[[1L]]$out_shape[2:3]))
  bias <- rep(coef(conv)[grepl("bias", names(coef(conv)))], prod(local$layers[[1L]]$out_shape[2:3]))
  set_coef(local, c(kernel, bias))
}

test_that("with equal weights everywhere a local layer is the convolution, and sharing sums its tangent columns", {
  settings <- list(
    list(input_sequence(9, channels = 2), kernel = 3, stride = 2),
    list(input_sequence(6, channels = 2), kernel = 3, dilation = 2, padding = "causal"),
    list(input_sequence(7, channels = 2), kernel = 2, stride = 3, padding = "same"),
    list(input_grid(4, 5, channels = 2), kernel = c(2, 3), padding = "same"),
    list(input_grid(5, 6, channels = 2), kernel = 2, stride = c(2, 1), dilation = c(1, 3))
  )
  for (setting in settings) for (groups in 1:2) {
    arguments <- c(setting[1L], filters = 2, setting[-1L], groups = groups, bias = TRUE)
    conv <- with_test_coef(do.call(layer_conv, arguments), groups)
    local <- untied(conv, do.call(layer_local, arguments))
    # The same network by different operations.
    expect_equal(effective_weights(local), effective_weights(conv), tolerance = 1e-14)
    # Sharing weights sums the tangent columns of the positions.
    places <- prod(local$layers[[1L]]$out_shape[2:3])
    n <- length(coef(conv)) - 2
    blocks <- array(tangent(local)[, seq_len(n * places)], c(nrow(tangent(conv)), n, places))
    expect_equal(apply(blocks, 1:2, sum), unname(tangent(conv)[, seq_len(n)]), tolerance = 1e-14)
    expect_gt(generics::glance(capacity(local))$total, generics::glance(capacity(conv))$total)
  }
})

test_that("every tap inside the input is an independent parameter, so capacity counts taps", {
  # One output per position: each filter is free on its taps inside the input.
  net <- input_sequence(7) |> layer_local(1, 3) |> with_test_coef(1)
  expect_equal(capacity(net)$capacity, c(1, 2, 3, 3, 3, 2, 1))
  grid <- input_grid(2, 3) |> layer_local(1, c(2, 2)) |> with_test_coef(1)
  expect_equal(capacity(grid)$capacity, c(1, 1, 2, 2, 1, 1))
  padded <- input_sequence(4) |> layer_local(1, 3, padding = "same") |> with_test_coef(1)
  # Of twelve parameters two read only padding.
  expect_equal(generics::glance(capacity(padded))$total, 10)
})

test_that("starting weights have the variance of a convolution, and biases start at zero", {
  net <- input_sequence(64, channels = 8) |> layer_local(6, 5, groups = 2, bias = TRUE)
  theta <- coef(initialise(net, "lecun", seed = 1))
  bias <- grepl("bias", names(theta))
  expect_true(all(theta[bias] == 0))
  # 7200 draws: the standard error of a variance is 1.7% of it.
  expect_equal(mean(theta[!bias]^2), 1 / 20, tolerance = 0.07)
  expect_equal(mean(coef(initialise(net, "he", seed = 1))[!bias]^2), 2 / 20, tolerance = 0.07)
  expect_equal(mean(coef(initialise(net, seed = 1))[!bias]^2), 2 / (20 + 15), tolerance = 0.07)
  grid <- input_grid(16, 16, channels = 4) |> layer_local(4, c(3, 2), padding = "same")
  expect_equal(mean(coef(initialise(grid, seed = 2))^2), 2 / (24 + 24), tolerance = 0.07)
  expect_length(unique(coef(initialise(grid, seed = 2))), length(coef(initialise(grid, seed = 2))))
})

test_that("bad filters, groups and biases are refused", {
  net <- input_sequence(8, channels = 4)
  for (size in list(0, 1.5, -1, NA, "2", c(1, 2), NULL)) {
    expect_error(layer_local(net, size, 2), class = "capalloc_error_value")
    expect_error(layer_local(net, 1, 2, groups = size), class = "capalloc_error_value")
  }
  expect_snapshot({
    writeLines(bad(layer_local(net, 0, 2), "value"))
    writeLines(bad(layer_local(net, 1, 9), "shape"))
    writeLines(bad(layer_local(net, 1, 2, padding = "reflect"), "value"))
    writeLines(bad(layer_local(net, 3, 2, groups = 2), "shape"))
    writeLines(bad(layer_local(net, 1, 2, groups = 3), "shape"))
    writeLines(bad(layer_local(net, 1, 2, bias = NA), "value"))
    writeLines(bad(layer_local("net", 1, 2), "type"))
  })
})

test_that("networks with local layers and grids print their settings", {
  line <- input_sequence(16) |> layer_local(1, kernel = 4, stride = 4) |> layer_dense(1)
  grid <- input_grid(8, 12) |>
    layer_local(2, kernel = c(3, 5), stride = 2, dilation = c(1, 2), padding = "same", bias = TRUE) |>
    layer_pool(2, stride = c(2, 1)) |>
    layer_upsample(c(1, 2)) |>
    layer_dense(1)
  expect_snapshot({
    line
    grid
  })
})
