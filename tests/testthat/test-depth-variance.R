# The variance of weights that conserves the trace of S.

test_that("expected traces follow the formula, and random draws agree with them", {
  widths <- c(6, 24, 12, 48, 8)
  for (activation in c("relu", "abs")) {
    q <- if (activation == "relu") 0.5 else 1
    study <- variance_study(widths, activation, draws = 400, seed = 1)
    expect_identical(levels(study$scheme), c("fan_in", "fan_out", "glorot"))
    at <- function(scheme, column) study[[column]][study$scheme == scheme]
    expect_equal(at("fan_in", "expected"), rep(1, 5))
    expect_equal(at("fan_out", "expected"), widths / 8)
    expect_equal(at("fan_in", "variance"), c(NA, 1 / (q * widths[-5])))
    expect_equal(at("fan_out", "variance"), c(NA, 1 / (q * widths[-1])))
    expect_equal(at("glorot", "variance"), c(NA, 2 / (q * (widths[-1] + widths[-5]))))
    # The recursion from the output.
    trace <- 1
    for (l in 4:1) trace <- c(2 * widths[[l]] / (widths[[l]] + widths[[l + 1]]) * trace[[1]], trace)
    expect_equal(at("glorot", "expected"), trace)
    # Means of 400 draws with a standard deviation of about one: five standard errors.
    expect_near(study$trace / study$expected, rep(1, 15), 0.25)
    expect_equal(study$per_unit, study$trace / study$units)
    # fan_in conserves the signal per unit: E phi(z)^2 = q for both activations.
    expect_near(at("fan_in", "signal"), rep(1, 5), 0.25)
    g <- glance(study)
    expect_equal(g$trace, c(study$trace[c(1, 6, 11)]))
    expect_equal(g$per_unit[[2]], study$per_unit[[6]] / study$per_unit[[10]])
    expect_equal(g$signal[[1]], study$signal[[5]] / study$signal[[1]])
  }
})

test_that("one draw is the gradient and the signal of a network", {
  study <- variance_study(c(3, 4, 2), "tanh", variances = c(0.5, 2), draws = 1, seed = 9)
  expect_identical(levels(study$scheme), "given")
  draw <- function() list(A = rnorm(12, sd = sqrt(0.5)), B = rnorm(8, sd = sqrt(2)), x = rnorm(3), V = rnorm(2))
  drawn <- capalloc:::with_seed(9, draw())
  net <- input_vector(3) |> layer_dense(4) |> layer_activation("tanh") |> layer_dense(2) |> layer_activation("tanh") |>
    set_coef(c(drawn$A, drawn$B))
  V <- drawn$V / sqrt(sum(drawn$V^2))
  slopes <- matrix(twin_slopes(net, matrix(drawn$x, 1)), 2)
  expect_equal(study$trace[[1]], sum((V %*% slopes)^2), tolerance = 1e-12)
  expect_equal(study$trace[[3]], 1)
  expect_equal(study$signal[c(1, 3)], c(mean(drawn$x^2), mean(twin_predict(net, matrix(drawn$x, 1))^2)))
})

test_that("the seed determines the draws", {
  set.seed(1)
  before <- .Random.seed
  a <- variance_study(c(3, 2), draws = 2, seed = 1)
  expect_identical(.Random.seed, before)
  expect_identical(variance_study(c(3, 2), draws = 2, seed = 1), a)
  expect_identical(class(tidy(a)), "data.frame")
  expect_output(print(a), "variance study> relu, widths 3, 2, 2 draws")
})

test_that("bad arguments are refused", {
  expect_snapshot(error = TRUE, {
    variance_study(4)
    variance_study(c(4, 0))
    variance_study(c(4, 2.5))
    variance_study("wide")
    variance_study(c(4, 4), "sofmax")
    variance_study(c(4, 4), parameter = 1)
    variance_study(c(4, 4), variances = "he")
    variance_study(c(4, 4), variances = 0)
    variance_study(c(4, 4, 4), variances = c(1, -1))
    variance_study(c(4, 4), variances = c(1, 1, 1))
    variance_study(c(4, 4), variances = NA_real_)
    variance_study(c(4, 4), draws = 0)
  })
})
