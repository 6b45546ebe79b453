# Measures at one depth for random weights, compared with loops.

# Returns a residual network of convolutions, with coefficients if `coef` is given.
residual_network <- function(depth, scale, input, coef = NULL, activation = "tanh", ...) {
  for (l in seq_len(depth)) {
    input <- layer_residual(input, function(x) layer_activation(layer_conv(x, ...), activation), scale = scale)
  }
  if (is.null(coef)) input else set_coef(input, rep_len(coef, capalloc:::n_params(input)))
}

test_that("a random measure uses the twin's gradient, and its gates equal those of a loop", {
  study <- scaling_study(depths = 2:3, exponents = 0.5, mode = "independent", activation = "tanh", channels = 2,
    draws = 3, seed = 4)
  chain <- list(activation = "tanh", channels = 2L, mixing = TRUE)
  about <- list(mode = "independent", sigma = 1, draws = 3, chain = chain)
  for (i in seq_len(nrow(study))) {
    case <- capalloc:::measure_study_case(about, study$depth[[i]], 0.5)
    n <- prod(case$network$input$shape)
    drawn <- capalloc:::with_seed(study$seed[[i]], list(theta = case$draw(), x = rnorm(n), w = rnorm(2)))
    middle <- n / 2 + 0:1
    slopes <- matrix(twin_slopes(case$network, matrix(drawn$x, 1), drawn$theta), n)[middle, ]
    g <- colSums(drawn$w * slopes)
    place <- rep(seq_len(n / 2), each = 2)
    mean <- sum(g^2 * place) / sum(g^2)
    expect_equal(study$spread[[i]], sum(g^2 * (place - mean)^2) / sum(g^2), tolerance = 1e-10)
    expect_equal(study$survival[[i]], sum(g[middle] * drawn$w)^2 / sum(g^2) / sum(drawn$w^2), tolerance = 1e-10)
    V <- study$spread[[i]]
    expect_equal(study$growth[[i]], V / (1 - V / study$depth[[i]]), tolerance = 1e-12)
  }
  expect_equal(glance(study)$slope, mean(diff(matrix(log(study$growth), 2, byrow = TRUE)) / log(3 / 2)))
  test <- stats::t.test(diff(matrix(log(study$growth), 2, byrow = TRUE)) / log(3 / 2), conf.level = 0.99)
  expect_equal(c(glance(study)$conf.low, glance(study)$conf.high), c(test$conf.int), tolerance = 1e-10)
  expect_equal(glance(study)$critical.high, 0.5 + test$conf.int[[2]] / 2, tolerance = 1e-10)
  # Gates of one activation, averaged over positions and inputs.
  case <- capalloc:::measure_study_case(about, 1, 0.5)
  theta <- capalloc:::with_seed(1, case$draw())
  n <- prod(case$network$input$shape)
  x <- capalloc:::with_seed(2, matrix(rnorm(ceiling(100 / n) * n), ncol = n))
  before <- input_sequence(n / 2, channels = 2) |> layer_conv(2, 2, dilation = 2, padding = "same")
  gates <- 1 / cosh(twin_predict(set_coef(before, theta[1:8]), x))^2
  one <- c(gates[, seq(1, n, by = 2)])
  two <- c(gates[, seq(2, n, by = 2)])
  expected <- 1 - sum(one * two)^2 / sum(one^2) / sum(two^2)
  expect_equal(capalloc:::measure_gate_decoupling(case, theta, 2), expected, tolerance = 1e-9)
})

test_that("borders of the random chain are not reached", {
  for (mode in c("independent", "shared")) {
    for (a in c(0.25, 0.5)) {
      about <- list(mode = mode, sigma = 1, draws = 1, chain = list(activation = "abs", channels = 8L, mixing = TRUE))
      case <- capalloc:::measure_study_case(about, 256, a)
      n <- prod(case$network$input$shape)
      drawn <- capalloc:::with_seed(1, list(theta = case$draw(), x = rnorm(n), w = rnorm(8)))
      g <- .Call(capalloc:::ffi_linearise, case$read, c(drawn$theta, drawn$w), matrix(drawn$x, 1))[seq_len(n)]
      # Gradients within two positions of a border.
      outer <- c(1:16, n - 0:15)
      expect_lt(sum(g[outer]^2) / sum(g^2), 1e-8, label = paste(mode, a))
    }
  }
})

test_that("the seed determines the draws, and more draws keep the first ones", {
  few <- function(...) scaling_study(depths = c(2, 3), exponents = c(0.5, 1), mode = "recurrent", channels = 2, ...)
  set.seed(3)
  before <- .Random.seed
  a <- few(draws = 4, seed = 7)
  expect_identical(.Random.seed, before)
  expect_identical(few(draws = 4, seed = 7), a)
  b <- few(draws = 2, seed = 7)
  expect_identical(a$spread[a$replicate <= 2], b$spread)
  expect_identical(a$survival[a$replicate <= 2], b$survival)
  set.seed(3)
  c <- few(draws = 2)
  expect_false(identical(c$spread, b$spread))
  set.seed(3)
  expect_identical(few(draws = 2), c)
  # The same draws are used for all exponents.
  expect_identical(a$seed[a$exponent == 0.5], a$seed[a$exponent == 1])
})

test_that("draws with zero gradients give a warning and are left out", {
  still <- function(depth, scale) residual_network(depth, scale, input_sequence(5), 1, filters = 1, kernel = 1)
  expect_warning(study <- scaling_study(still, 2:3, 0.5), class = "capalloc_warning_scaling")
  expect_true(all(is.na(study$growth)))
  expect_identical(glance(study)$n, 0L)
  expect_true(is.na(glance(study)$slope) && is.na(glance(study)$conf.low))
  skip_if_not_installed("ggplot2")
  expect_error(ggplot2::autoplot(study), class = "capalloc_error_value")
})

test_that("gradients that overflow are NA", {
  expect_warning(study <- scaling_study(depths = c(2, 700), exponents = 0, mode = "shared", sigma = 9, channels = 2,
    activation = "abs", draws = 1, seed = 1, limit = Inf), class = "capalloc_warning_scaling")
  expect_identical(is.na(study$spread), c(FALSE, TRUE))
  expect_identical(is.na(study$survival), c(FALSE, TRUE))
})

test_that("cases and measurements have the fields of their constructors", {
  expect_constructor(capalloc:::new_measure_case)
  expect_constructor(capalloc:::new_measure_middle)
  expect_constructor(capalloc:::new_measures)
})
