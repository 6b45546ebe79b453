# Scaling studies: closed forms of mode total, dense and complex-step twins, and the exponents of random weights.

# Returns a residual network of convolutions, with coefficients if `coef` is given.
residual_network <- function(depth, scale, input, coef = NULL, activation = "tanh", ...) {
  for (l in seq_len(depth)) {
    input <- layer_residual(input, function(x) layer_activation(layer_conv(x, ...), activation), scale = scale)
  }
  if (is.null(coef)) input else set_coef(input, rep_len(coef, capalloc:::n_params(input)))
}

test_that("mode total has the slope 1 - 2a and the predicted growth, spread and survival", {
  depths <- c(3, 4, 8, 16, 32, 64)
  for (sigma in c(1, 0.3, 2)) {
    study <- scaling_study(depths = rev(depths), exponents = c(0.7, 0, 0.25, 0.5, 1), sigma = sigma)
    slopes <- glance(study)
    expect_identical(slopes$exponent, c(0.7, 0, 0.25, 0.5, 1))
    # The documentation promises 1e-6; the actual error is rounding error.
    expect_near(slopes$slope, 1 - 2 * slopes$exponent, 1e-12)
    expect_near(c(slopes$conf.low, slopes$conf.high), rep(slopes$slope, 2), 1e-12)
    expect_near(slopes$critical, rep(0.5, 5), 1e-12)
    expect_identical(slopes$n, rep(1L, 5))
    s <- sigma * study$depth^-study$exponent
    p <- s^2 / (1 + s^2)
    expect_equal(study$scale, s)
    expect_equal(study$spread, study$depth * p, tolerance = 1e-12)
    expect_equal(study$growth, study$depth * s^2, tolerance = 1e-11)
    expect_equal(study$survival, (1 - p)^study$depth, tolerance = 1e-12)
    expect_true(all(is.na(study$decoupling)) && all(is.na(study$seed)))
    expect_identical(unique(study$depth), as.integer(depths))
  }
  # With channels, gates with any q, and a second layer of weights.
  for (activation in c("relu", "tanh")) {
    study <- scaling_study(depths = c(2, 5, 9), exponents = 0.3, activation = activation, channels = 3, mixing = TRUE)
    expect_near(glance(study)$slope, 0.4, 1e-12)
    q <- capalloc:::gate_moments(activation, 1, 0, 1)$square
    expect_equal(study$growth, study$depth * q * study$scale^2, tolerance = 1e-10)
  }
})

test_that("mode total equals the twin in given architectures, on sequences and grids", {
  sequence <- function(depth, scale) {
    residual_network(depth, scale, input_sequence(12, channels = 2), c(0.3, -1, 0.5, 2, 0.1), filters = 2, kernel = 3,
      padding = "same")
  }
  grid <- function(depth, scale) {
    residual_network(depth, scale, input_grid(6, 5), c(0.3, -1, 0.5, 2, 0.1), "relu", filters = 1, kernel = c(3, 2),
      padding = "same")
  }
  for (architecture in list(sequence, grid)) {
    expect_silent(study <- scaling_study(architecture, depths = 2:4, exponents = c(0.5, 0.8), sigma = 0.5))
    for (i in seq_len(nrow(study))) {
      network <- architecture(study$depth[[i]], study$scale[[i]])
      shape <- network$input$shape
      middle <- replace(array(0, shape), cbind(seq_len(shape[[1]]), (shape[[2]] + 1) %/% 2, (shape[[3]] + 1) %/% 2),
        1 / shape[[1]])
      slices <- twin_slices(network$layers, network$coef)
      kappa <- array(twin_flow(slices, list(unit = c(middle), constant = 0, lost = 0))$unit, shape)
      variance <- function(weight) sum(weight * seq_along(weight)^2) - sum(weight * seq_along(weight))^2
      # The twin's q is an integral by differences.
      expect_near(study$spread[[i]], variance(apply(kappa, 2, sum)) + variance(apply(kappa, 3, sum)), 1e-5)
    }
    y <- log(study$growth[study$exponent == 0.8])
    line <- stats::lm(y ~ x, list(x = log(2:4)))
    expect_equal(unlist(glance(study)[2, c("slope", "conf.low", "conf.high")], use.names = FALSE),
      c(coef(line)[[2]], confint(line, "x", 0.99)), tolerance = 1e-10)
  }
  # Equal taps and borders out of reach: the slope is exact on a grid, for any second moment of a step.
  plain <- function(depth, scale) residual_network(depth, scale, input_grid(13, 13), 0.2, filters = 1, kernel = 3,
    padding = "same")
  exact <- scaling_study(plain, depths = c(2, 3, 5), exponents = c(0.1, 0.5))
  expect_near(glance(exact)$slope, c(0.8, 0), 1e-12)
  # Different dilations: L p of the second moments of their steps.
  dilated <- function(depth, scale) {
    net <- input_sequence(41)
    for (l in seq_len(depth)) {
      net <- layer_residual(net, \(x) layer_conv(x, 1, 2, dilation = if (l %% 2) 2 else 4, padding = "same"), scale)
    }
    set_coef(net, rep(1, 2 * depth))
  }
  expect_near(glance(scaling_study(dilated, c(2, 4, 6), 0.25))$slope, 0.5, 1e-12)
})

test_that("independent weights have the exponent 1/2, shared ones 1", {
  # Depths 16 to 256 and more draws are in bench/scaling.R.
  for (activation in c("relu", "tanh", "abs")) {
    found <- glance(scaling_study(depths = c(16, 64), exponents = 0.5, mode = "independent",
      activation = activation, draws = 100, seed = 1))
    expect_identical(found$n, 100L)
    expect_true(found$critical.low < 0.5 && found$critical.high > 0.5, label = activation)
    expect_lt(found$critical.high - found$critical.low, 0.1)
  }
  for (mode in c("shared", "recurrent")) {
    found <- glance(scaling_study(depths = c(16, 64), exponents = 1, mode = mode, draws = 40, seed = 1))
    expect_true(found$critical.low < 1 && found$critical.high > 1 && found$critical.low > 0.75, label = mode)
  }
  # Gates depend on the weights of their layer: relu outputs have a nonzero mean and drift, tanh outputs do not.
  drift <- function(activation) glance(scaling_study(depths = c(16, 64), exponents = 0.5, mode = "independent",
    mixing = FALSE, activation = activation, draws = 40, seed = 1))
  expect_gt(drift("relu")$critical.low, 0.55)
  tanh <- drift("tanh")
  expect_true(tanh$critical.low < 0.5 && tanh$critical.high > 0.5)
})

test_that("survival decreases, is constant or increases, and decoupling is that of Gaussian gates", {
  study <- scaling_study(depths = c(8, 32), exponents = c(0.2, 0.5, 0.8), mode = "independent", draws = 20, seed = 2)
  means <- summary(study)
  expect_identical(means$n, rep(20L, 6))
  expect_equal(means$spread[[1]], mean(study$spread[study$exponent == 0.2 & study$depth == 8]))
  expect_equal(means$growth[[6]], exp(mean(log(study$growth[study$exponent == 0.8 & study$depth == 32]))))
  change <- diff(matrix(means$survival, 2))
  expect_lt(change[[1]], -0.05)
  expect_gt(change[[3]], 0.05)
  # relu: 1 - (1/2 + asin(rho)/pi)^2 is 3/4 at rho = 0, slightly less for the rho of 8 random channels.
  expect_near(means$decoupling, rep(0.74, 6), 0.03)
})

test_that("given architectures without coefficients get random ones, shared where requested", {
  bare <- function(depth, scale) residual_network(depth, scale, input_sequence(2 * depth + 1), activation = "relu",
    filters = 1, kernel = 3, padding = "same")
  study <- scaling_study(bare, depths = 2:4, exponents = 0.5, draws = 5, seed = 1)
  expect_identical(nrow(study), 15L)
  expect_true(all(study$survival > 0 & study$survival < 1) && !anyNA(study$seed))
  about <- list(mode = "shared", architecture = bare)
  theta <- capalloc:::with_seed(1, capalloc:::measure_study_draw(about, bare(3, 1))())
  expect_identical(theta, rep(theta[1:3], 3))
  biased <- function(depth, scale) residual_network(depth, scale, input_sequence(9), filters = 2, kernel = 1,
    bias = TRUE) |> layer_conv(1, 2)
  wide <- function(depth, scale) {
    net <- layer_conv(input_sequence(9), 2, kernel = 1)
    for (l in seq_len(depth)) {
      net <- layer_residual(net, \(x) layer_conv(x, 2, kernel = 3, padding = "same", bias = TRUE), scale = scale)
    }
    layer_dense(net, 1)
  }
  about <- list(mode = "recurrent", architecture = wide)
  theta <- capalloc:::with_seed(1, capalloc:::measure_study_draw(about, wide(3, 1))())
  blocks <- matrix(theta[2 + 1:42], 14)
  expect_identical(blocks[1:12, 1], blocks[1:12, 3])
  expect_false(any(blocks[13:14, 1] == blocks[13:14, 2]) || any(blocks[13:14, ] == 0))
  study <- scaling_study(wide, depths = 2:3, exponents = 1, mode = "recurrent", draws = 2, seed = 1)
  expect_true(all(is.na(study$survival)) && all(study$spread > 0)) # the output has another shape
  expect_error(scaling_study(biased, 2:3, 1, mode = "shared"), class = "capalloc_error_shape")
})

test_that("a study prints its results", {
  expect_snapshot(scaling_study(depths = c(4, 8, 16)))
  expect_identical(class(tidy(scaling_study(depths = 2:3))), "data.frame")
  expect_identical(glance(scaling_study(depths = 2:3, exponents = 0.5))$conf.low, NA_real_)
})

test_that("bad arguments are refused", {
  expect_snapshot(error = TRUE, {
    scaling_study(depths = c(4, 0))
    scaling_study(depths = c(4, -8))
    scaling_study(depths = 4.5)
    scaling_study(depths = 4)
    scaling_study(depths = c(4, 4))
    scaling_study(depths = numeric())
    scaling_study(depths = c(4, NA))
    scaling_study(depths = "deep")
    scaling_study(exponents = "half")
    scaling_study(exponents = c(0.5, Inf))
    scaling_study(exponents = numeric())
    scaling_study(sigma = 0)
    scaling_study(sigma = -1)
    scaling_study(mode = "random")
    scaling_study(level = 1)
    scaling_study(draws = 0)
    scaling_study(channels = 0)
    scaling_study(activation = "sofmax")
    scaling_study(mixing = 1)
    scaling_study(input_sequence(4))
    scaling_study(\(depth, scale) depth, depths = 2:3)
    scaling_study(\(depth, scale) input_vector(3) |> layer_dense(3), depths = 2:3)
    scaling_study(\(depth, scale) input_sequence(3), depths = 2:3, activation = "relu")
    scaling_study(\(depth, scale) input_sequence(3) |> layer_conv(1, 2), depths = 2:3, mode = "shared")
    scaling_study(\(depth, scale) input_sequence(3) |> layer_residual(\(x) layer_conv(x, 1, 1), scale),
      depths = 2:3, mode = "recurrent")
    scaling_study(depths = c(1e5, 1e6))
    scaling_study(depths = 2^(4:8), mode = "independent", limit = 1e6)
    scaling_study(\(depth, scale) input_sequence(99) |> layer_conv(9, 9), depths = 2:3, limit = 100)
  })
  expect_silent(scaling_study(depths = 2:3, limit = Inf))
})

test_that("a study and its default chain have the fields of their constructors", {
  expect_constructor(capalloc:::new_scaling_study)
  expect_constructor(capalloc:::new_scaling_chain)
})
