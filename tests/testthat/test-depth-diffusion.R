# The depth limit of residual and convolutional stacks.

profile_of <- function(d, kind, depth = NULL) {
  d$capacity[d$kind == kind & (is.null(depth) | d$depth %in% depth)]
}

test_that("the residual chain has the predicted variances and distances", {
  net <- measure_residual_chain(401, 1, 1)
  d <- diffusion_limit(net, depth = c(10, 100, 1000))
  g <- glance(d)
  expect_identical(g$depth, c(10, 100, 1000))
  expect_equal(g$variance_finite, g$depth / (g$depth + 1), tolerance = 1e-10)
  expect_equal(g$sigma, c(1, 1, 1))
  expect_near(g$drift, c(0, 0, 0), 1e-15)
  expect_equal(g$second_moment, c(1, 1, 1))
  expect_equal(g$variance_limit, c(1, 1, 1), tolerance = 1e-10)
  # As documented, to the last digit.
  expect_equal(g$finite_limit, c(.0146, .00153, .000154), tolerance = 4e-3)
  expect_equal(g$limit_continuum, rep(.0762, 3), tolerance = 1e-3)
  expect_near(g$finite_continuum, rep(.0762, 3), 5e-3)
  ratio <- g$finite_limit[-3] / g$finite_limit[-1]
  expect_equal(ratio, c(10, 10), tolerance = 0.06) # as 1/L
  # The continuum is the normal density at integer positions.
  x <- seq_len(401) - 201
  expect_near(profile_of(d, "continuum"), dnorm(x), 1e-15)
  # The limit is a Poisson mixture of random walks: Bessel functions.
  near <- abs(x) <= 30
  expect_near(profile_of(d, "limit")[near], besselI(1, abs(x[near]), expon.scaled = TRUE), 1e-13)
  # Layers cut into parts equal those of a deep network, and propagate_capacity() agrees.
  deep <- measure_residual_chain(401, 10, 1 / sqrt(10))
  own <- diffusion_limit(deep, from = list(position = 201))
  expect_near(own$capacity, d$capacity[d$depth %in% c(10, Inf)], 1e-14)
  expect_near(profile_of(own, "finite"), units_at(propagate_capacity(deep, list(position = 201)), "residual1"), 1e-14)
  expect_near(diffusion_limit(deep, depth = 1000)$capacity, d$capacity[d$depth %in% c(1000, Inf)], 1e-12)
})

test_that("the distance between limit and continuum decreases as sigma grows", {
  distance <- vapply(c(1, 2, 4), function(s) glance(diffusion_limit(measure_residual_chain(201, 1,
    s)))$limit_continuum, 0)
  expect_true(all(diff(distance) < 0))
  # A lattice walk differs from its normal limit by the order of 1 / variance.
  expect_equal(distance[[2]] / distance[[3]], 4, tolerance = 0.12)
})

test_that("finite chains equal propagate_capacity(), and converge to the limit", {
  for (net in uneven_chains()) {
    shape <- shape_of(net)
    from <- list(position = 3, channel = shape[[1]])
    d <- diffusion_limit(net, from, depth = c(2, 6))
    expect_near(profile_of(d, "finite", 2), arrived(net, from), 1e-14)
    expect_near(profile_of(d, "finite", 6), arrived(cut_layers(net, 3), from), 1e-14)
    # The error of m cuts is a / m + b / m^2: extrapolated from 200 and 400.
    fine <- lapply(c(200, 400), function(m) profile_of(diffusion_limit(net, from, depth = 2 * m), "finite"))
    expect_near(profile_of(d, "limit"), 2 * fine[[2]] - fine[[1]], 1e-5)
    expect_gt(max(abs(profile_of(d, "limit") - fine[[2]])), 1e-4)
    expect_equal(sum(profile_of(d, "limit")), 1, tolerance = 1e-12)
  }
})

test_that("moments of the continuum equal those of the limit, with channels", {
  set.seed(2)
  net <- input_sequence(121, channels = 2) |>
    layer_residual(\(x) x |> layer_conv(2, 3, padding = "same") |> layer_activation("relu"), 1.1) |>
    layer_residual(\(x) layer_conv(x, 2, 2, padding = "causal", groups = 2), 0.9)
  net <- set_coef(net, rnorm(16))
  for (from in list(NULL, list(position = 61, channel = 2))) {
    g <- glance(diffusion_limit(net, from))
    expect_equal(g$mean_continuum, g$mean_limit, tolerance = 1e-9)
    expect_equal(g$variance_continuum, g$variance_limit, tolerance = 1e-9)
    expect_equal(g$drift, g$mean_limit / g$sigma^2, tolerance = 1e-9)
  }
  # Equal layers of two channels form one step, repeated.
  equal <- Reduce(\(x, l) layer_residual(x, \(y) layer_conv(y, 2, 3, padding = "same")), 1:6, input_sequence(121, 2))
  g <- glance(diffusion_limit(set_coef(equal, rep(c(2, 1, 0.5, -1, 1, 1, 0.2, 0.5, -2, 1, 1, 0.1) / 3, 6))))
  expect_equal(g$mean_continuum, g$mean_limit, tolerance = 1e-9)
  expect_equal(g$variance_continuum, g$variance_limit, tolerance = 1e-9)
  # One channel: the rate is sigma^2, mu and m2 are the moments of a step.
  net <- measure_residual_chain(101, 4, 0.5, taps = c(2, 1), dilation = 1, padding = "causal")
  g <- glance(diffusion_limit(net))
  expect_equal(c(g$sigma^2, g$drift, g$second_moment), c(4 * 0.25 * 5, -0.8, 0.8))
  expect_equal(c(g$mean_continuum, g$variance_continuum), 5 * c(-0.8, 0.8))
})

test_that("with borders in reach the continuum has zero flux", {
  # A width far beyond the sequence: with symmetric steps finite chain, limit and continuum are uniform.
  wide <- measure_residual_chain(12, 1, 20, taps = c(1, 1, 1), dilation = 1)
  d <- diffusion_limit(wide, list(position = 2), depth = 4000)
  for (kind in c("limit", "continuum")) expect_near(profile_of(d, kind), rep(1 / 12, 12), 1e-12)
  # A layer of rate 0.3 stays at a border slightly less often than in the limit.
  expect_near(profile_of(d, "finite"), rep(1 / 12, 12), 0.01)
  # At an intermediate width, from a border.
  half <- diffusion_limit(measure_residual_chain(40, 1, 10, taps = c(1, 1, 1), dilation = 1), list(position = 1))
  expect_lt(glance(half)$limit_continuum, 2e-3)
  expect_equal(sum(profile_of(half, "continuum")), 1, tolerance = 1e-4)
})

test_that("a plain stack has the mean and the variance of its steps", {
  stack <- function(L, padding) {
    net <- input_sequence(161)
    for (l in seq_len(L)) net <- layer_conv(net, 1, 3, padding = padding) |> layer_activation("tanh")
    set_coef(net, rep(c(1, 2, 3), L))
  }
  taps <- c(1, 4, 9) / 14
  mu <- sum(c(-1, 0, 1) * taps)
  variance <- sum(c(1, 0, 1) * taps) - mu^2
  for (L in c(4, 16)) {
    d <- diffusion_limit(stack(L, "same"))
    expect_true(attr(d, "padded"))
    expect_false(attr(diffusion_limit(stack(L, "valid")), "padded"))
    g <- glance(d)
    expect_identical(levels(d$kind), c("finite", "continuum"))
    expect_equal(c(g$mean_finite, g$mean_continuum), c(L, L) * mu)
    expect_equal(c(g$variance_finite, g$variance_continuum), c(L, L) * variance)
    expect_true(is.na(g$variance_limit) && is.na(g$finite_limit) && is.na(g$error))
    expect_equal(g$sigma^2, L)
    normal <- dnorm(1:161 - 81, L * mu, sqrt(L * variance))
    expect_equal(g$finite_continuum, sum(abs(profile_of(d, "finite") - normal)) / 2)
    expect_near(profile_of(d, "finite"), arrived(stack(L, "same"), list(position = 81)), 1e-14)
    # Without padding position u of the output reads u, u + 1, u + 2.
    g <- glance(diffusion_limit(stack(L, "valid")))
    expect_equal(c(g$mean_finite, g$variance_finite), L * c(mu + 1, variance))
  }
  # Capacity that reaches dead gates is lost.
  dead <- set_coef(input_sequence(5) |> layer_conv(1, 3, padding = "same") |> layer_activation("relu"), c(1, 1, 1))
  g <- glance(diffusion_limit(dead, data = matrix(-1, 2, 5)))
  expect_equal(g$lost, 1)
  expect_true(is.na(g$variance_finite))
  # The remaining capacity has its own mean and variance.
  twice <- Reduce(\(net, l) layer_conv(net, 1, 3, padding = "same") |> layer_activation("relu"), 1:2, input_sequence(5))
  twice <- set_coef(twice, rep(1, 6))
  data <- rbind(c(-1, -1, 1, 1, 1), c(-1, -1, 1, 1, 1)) # the first two units of the first layer are dead
  g <- glance(diffusion_limit(twice, list(position = 3), data = data))
  kappa <- c(0, 1, 2, 2, 1) / 9
  mean <- sum(kappa * (-2:2)) / sum(kappa)
  expect_equal(g$lost, 1 / 3)
  expect_equal(c(g$mean_finite, g$variance_finite), c(mean, sum(kappa * (-2:2 - mean)^2) / sum(kappa)))
})

test_that("frames, prints and the default start are as documented", {
  net <- measure_residual_chain(31, 2, 0.5)
  d <- diffusion_limit(net)
  expect_s3_class(d, c("ca_diffusion", "ca_frame", "data.frame"), exact = TRUE)
  expect_named(d, c("kind", "depth", "position", "lag", "capacity"))
  expect_identical(unique(d$depth), c(2, Inf))
  expect_identical(d$lag, 32L - d$position)
  expect_identical(class(tidy(d)), "data.frame")
  expect_identical(d$capacity, diffusion_limit(net, list(position = 16))$capacity)
  expect_lte(glance(diffusion_limit(net, tol = 1e-3))$error, 1e-3)
  expect_gt(glance(diffusion_limit(net, tol = 1e-3))$error, 1e-9)
  trained <- fit(measure_residual_chain(8, 1, 1) |> set_coef(c(1, 0.5)), task_linear(diag(8), 0.1), seed = 1)
  expect_identical(diffusion_limit(trained)$capacity, diffusion_limit(trained$network)$capacity)
  expect_snapshot({
    diffusion_limit(net, depth = c(2, 20))
    diffusion_limit(set_coef(input_sequence(9) |> layer_conv(1, 2), c(1, 2)))
  })
})

test_that("weights whose squares overflow or underflow are refused by class", {
  net <- input_sequence(9) |> layer_residual(\(x) layer_conv(x, 1, 3, padding = "same"))
  expect_error(diffusion_limit(set_coef(net, rep(2^600, 3))), "not finite: the squared weights",
    class = "capalloc_error_nonfinite")
  expect_error(diffusion_limit(set_coef(net, rep(2^-600, 3))), "underflows: the squared weights",
    class = "capalloc_error_nonfinite")
})
