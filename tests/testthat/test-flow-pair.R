# Moments of gates of pairs of units, compared with numerical integration.

gate_class <- function(phi, parameter = 1) list(phi = phi, parameter = parameter, at = 1L)

# Returns E[f(u) g(w)] by integrate() in two dimensions, split where u, w and the mean of w given u are 0.
integrate_pair <- function(f, g, mean, cov) {
  s <- sqrt(cov[1, 1])
  r <- cov[1, 2] / s
  tau <- sqrt(cov[2, 2] - r^2)
  pieces <- function(h, at) {
    ends <- sort(unique(c(-10, 0, 10, pmin(pmax(at, -10), 10))))
    sum(vapply(seq_along(ends)[-1], function(i) {
      integrate(h, ends[[i - 1]], ends[[i]], rel.tol = 1e-10, abs.tol = 1e-13, subdivisions = 1000)$value
    }, 0))
  }
  given <- function(z) {
    mu <- mean[[2]] + r * z
    pieces(function(y) g(mu + tau * y) * dnorm(y), (-mu + c(-4, -1, 0, 1, 4)) / tau)
  }
  outer <- function(z) f(mean[[1]] + s * z) * vapply(z, given, 0) * dnorm(z)
  pieces(outer, c((-mean[[1]] + c(-1, 0, 1)) / s, (-mean[[2]] + c(-tau, 0, tau)) / r))
}

test_that("moments of pairs are those of numerical integration, means and unequal variances included", {
  pairs <- list(
    c("relu", "relu"), c("leaky_relu", "abs"), c("elu", "elu"), c("elu", "relu"), c("gelu", "gelu"), c("silu", "tanh"),
    c("softplus", "softplus"), c("sigmoid", "relu"), c("tanh", "tanh"), c("erf", "erf"), c("sin", "sin"),
    c("sin", "softplus"), c("abs", "abs"), c("identity", "elu"), c("exp", "exp"), c("exp", "relu"),
    c("square", "square"), c("selu", "selu"), c("selu", "tanh"), c("softsign", "softsign"), c("mish", "mish")
  )
  parameters <- c(leaky_relu = 0.2, elu = 0.7, sin = 2)
  laws <- list(
    list(mean = c(0, 0), cov = matrix(c(1, 0.6, 0.6, 1), 2)),
    list(mean = c(0.5, -0.8), cov = matrix(c(0.3, -0.95 * sqrt(0.9), -0.95 * sqrt(0.9), 3), 2))
  )
  for (pair in pairs) for (law in laws) {
    classes <- lapply(pair, function(phi) gate_class(phi, if (phi %in% names(parameters)) parameters[[phi]] else 1))
    classes[[2]]$at <- 2L
    found <- capalloc:::pair_moments(c(law, list(classes = classes)), values = TRUE)
    for (what in c("slope", "value")) {
      f <- lapply(classes, function(class) function(u) capalloc:::gate_phi_at(class$phi, class$parameter, u)[[what]])
      own <- if (what == "slope") found$second else found$moment
      # integrate() has a tolerance of 1e-10.
      expect_near(own[1, 2], integrate_pair(f[[1]], f[[2]], law$mean, law$cov), 1e-9, paste(pair[[1]], pair[[2]], what))
      expect_identical(own[1, 2], own[2, 1])
    }
    for (i in 1:2) {
      s <- sqrt(law$cov[i, i])
      slope <- function(z) capalloc:::gate_phi_at(pair[[i]], classes[[i]]$parameter, law$mean[[i]] + s * z)$slope
      zero <- -law$mean[[i]] / s
      E <- function(h) integrate(h, -12, zero, rel.tol = 1e-10)$value + integrate(h, zero, 12, rel.tol = 1e-10)$value
      expect_near(found$mean[[i]], E(function(z) slope(z) * dnorm(z)), 1e-8)
      expect_near(found$square[[i]], E(function(z) slope(z)^2 * dnorm(z)), 1e-8)
    }
  }
})

test_that("units that are equal, opposite or fixed have the moments that they must have", {
  for (phi in whole_activations()) {
    parameter <- capalloc:::activation_default_parameter(phi)
    class <- list(phi = phi, parameter = parameter, at = 1:4)
    for (m in c(0, 0.7)) {
      # Two equal units, one with opposite sign, and a constant one.
      cov <- 2 * rbind(c(1, 1, -1, 0), c(1, 1, -1, 0), c(-1, -1, 1, 0), 0)
      law <- list(mean = c(m, m, -m, 0.3), cov = cov, classes = list(class))
      found <- capalloc:::pair_moments(law, values = TRUE)
      expect_near(found$second[1, 2], found$square[[1]], 1e-10, phi)
      panels <- capalloc:::gate_normal_panels(m, sqrt(2), 0.2, c(-6, -3, 3, 6))
      u <- m + sqrt(2) * panels$z
      at <- function(u) capalloc:::gate_phi_at(phi, parameter, u)
      expect_near(found$second[1, 3], sum(panels$w * at(u)$slope * at(-u)$slope), 1e-9, phi)
      expect_near(found$moment[1, 3], sum(panels$w * at(u)$value * at(-u)$value), 1e-9, phi)
      expect_near(found$second[1, 4], found$mean[[1]] * at(0.3)$slope, 1e-10, phi)
      expect_near(found$moment[1, 4], found$value[[1]] * at(0.3)$value, 1e-10, phi)
      expect_near(found$square[[4]], c(at(0.3)$slope^2), 1e-15, phi)
    }
  }
})

test_that("orthant probabilities are right near one and far out", {
  # P(X > -h, Y > -k) is the smaller marginal at correlation 1, and the excess of their sum over 1 at correlation -1.
  h <- c(-3, 0, 0.5, 2)
  k <- c(1, 0, 0.4, -1)
  expect_near(capalloc:::pair_orthant(h, k, rep(1, 4)), pnorm(pmin(h, k)), 1e-14)
  expect_near(capalloc:::pair_orthant(h, k, rep(-1, 4)), pmax(pnorm(h) + pnorm(k) - 1, 0), 1e-14)
  for (rho in c(0.999999, 0.99, -0.9999, -0.5)) {
    wanted <- mapply(function(h, k) {
      f <- function(x) dnorm(x) * pnorm((k + rho * x) / sqrt(1 - rho^2))
      turn <- pmin(pmax(-k / rho + c(-10, -1, 0, 1, 10) * sqrt(1 - rho^2), -h), 12)
      ends <- c(-h, turn, 12)
      ends <- sort(ends)
      sum(mapply(function(a, b) integrate(f, a, b, rel.tol = 1e-12)$value, ends[-length(ends)], ends[-1]))
    }, h, k)
    expect_near(capalloc:::pair_orthant(h, k, rep(rho, 4)), wanted, 1e-12)
  }
  expect_identical(capalloc:::pair_orthant(c(Inf, -Inf), c(1, 1), c(0, 0)), c(pnorm(1), 0))
})

test_that("large variances are integrated too", {
  for (phi in c("tanh", "sigmoid", "gelu", "softplus", "silu", "elu", "erf")) {
    class <- list(phi = phi, parameter = 1, at = 1:2)
    law <- list(mean = c(0, 0), cov = 100 * matrix(c(1, 0.5, 0.5, 1), 2), classes = list(class))
    found <- capalloc:::pair_moments(law)
    f <- function(u) capalloc:::gate_phi_at(phi, 1, u)$slope
    expect_near(found$second[1, 2], integrate_pair(f, f, c(0, 0), 100 * matrix(c(1, 0.5, 0.5, 1), 2)), 1e-8, phi)
  }
})

test_that("values of large variance beside a leaky relu that is nearly one with them are integrated", {
  value_of <- function(phi, parameter) function(u) capalloc:::gate_phi_at(phi, parameter, u)$value
  for (phi in c("sigmoid", "tanh", "erf")) for (rho in c(0.99, 0.9999, -0.999)) {
    classes <- list(list(phi = phi, parameter = 1, at = 1L), list(phi = "leaky_relu", parameter = -0.4, at = 2L))
    law <- list(mean = c(0.3, -0.2), cov = outer(c(20, 2), c(20, 2)) * matrix(c(1, rho, rho, 1), 2), classes = classes)
    expected <- integrate_pair(value_of(phi, 1), value_of("leaky_relu", -0.4), law$mean, law$cov)
    # integrate() has a tolerance of 1e-10.
    expect_near(capalloc:::pair_moments(law, values = TRUE)$moment[1, 2], expected, 1e-9, paste(phi, "rho", rho))
  }
})

test_that("kinks of units that are one are found on both sides, of any deviations", {
  sd <- c(0.1, 1000)
  kinks <- c(0.5, 1.2)
  for (sign in c(1, -1)) for (turn in 1:2) {
    s <- if (turn == 1) sd else rev(sd)
    classes <- lapply(1:2, \(i) list(phi = "elu", parameter = c(1, 0.5)[[i]], at = i))
    law <- list(mean = -kinks * s, cov = s %o% s * c(1, sign, sign, 1), classes = classes)
    found <- capalloc:::pair_moments(law, values = TRUE)
    ends <- panel_ends(kinks * c(1, sign), 1 / s)
    for (what in c("slope", "value")) {
      at <- function(i, z) capalloc:::gate_phi_at("elu", classes[[i]]$parameter, z)[[what]]
      wanted <- expect_over(\(z) at(1, s[[1]] * (z - kinks[[1]])) * at(2, s[[2]] * (sign * z - kinks[[2]])), ends)
      own <- if (what == "slope") found$second else found$moment
      # integrate() has a tolerance of 1e-12 on each panel.
      expect_near(own[1, 2] / wanted, 1, 1e-11, paste(what, sign, turn))
    }
  }
})

test_that("kinks of units that are nearly one are told apart", {
  # Given w, u is above 0 with a certain probability; deviations are powers of 2, so that rho is exact.
  s <- c(0.5, 2)
  classes <- list(list(phi = "elu", parameter = 0.5, at = 1L), list(phi = "relu", parameter = 0, at = 2L))
  for (rho in c(0.965, -0.9995, 1 - 2^-30)) for (kink in c(0.4, -0.3 * sign(rho))) {
    law <- list(mean = -c(-0.3, kink) * s, cov = s %o% s * c(1, rho, rho, 1), classes = classes)
    r <- sqrt((1 - rho) * (1 + rho))
    slope <- function(z) capalloc:::gate_phi_at("elu", 0.5, s[[1]] * (z + 0.3))$slope
    ends <- panel_ends(c(-0.3, kink / rho), c(1 / s[[1]], r))
    wanted <- expect_over(\(z) slope(z) * pnorm((rho * z - kink) / r), ends)
    expect_near(capalloc:::pair_moments(law)$second[1, 2], wanted, 1e-12, paste(rho, kink))
  }
  # Cho and Saul (2009): E[max(u, 0) max(w, 0)] of standard normals.
  for (rho in 1 - 2^-c(5, 17, 30)) {
    class <- list(phi = "relu", parameter = 0, at = 1:2)
    law <- list(mean = c(0, 0), cov = matrix(c(1, rho, rho, 1), 2), classes = list(class))
    found <- capalloc:::pair_moments(law, values = TRUE)$moment
    wanted <- (sqrt(1 - rho^2) + rho * (pi / 2 + asin(rho))) / (2 * pi)
    expect_near(found, matrix(c(0.5, wanted, wanted, 0.5), 2), 1e-14)
  }
})

test_that("a fast sine is resolved beside the slope of erf", {
  # E[w cos(w u) 2 / sqrt(pi) exp(-v^2)]: the factor exp(-v^2) reduces the variance of v to v / (1 + 2 v).
  w <- 25
  v <- 1000
  for (rho in c(0.99, -0.999)) {
    c <- rho * sqrt(v)
    classes <- list(list(phi = "sin", parameter = w, at = 1L), list(phi = "erf", parameter = 1, at = 2L))
    law <- list(mean = c(0, 0), cov = matrix(c(1, c, c, v), 2), classes = classes)
    wanted <- 2 * w / sqrt(pi * (1 + 2 * v)) * exp(-w^2 / 2 * (1 - rho^2 + rho^2 / (1 + 2 * v)))
    # w^2 / 2 times the rounding error of rho^2, and that of the sum.
    expect_near(capalloc:::pair_moments(law)$second[1, 2] / wanted, 1, 1e-12, paste(rho))
  }
})

# Returns E[f(u) g(w)] by the trapezoidal rule in u and in w given u. For smooth f and g its error is rounding error if
# the steps are small relative to the scales of both.
trapezoid_pair <- function(p, q, mean, sd, rho, what) {
  at <- function(phi, u) capalloc:::gate_phi_at(phi, 1, u)[[what]]
  z <- seq(-9.5, 9.5, by = 0.1 / sd[[1L]])
  tau <- sd[[2L]] * sqrt(1 - rho^2)
  y <- seq(-9, 9, by = min(0.05, 0.15 / tau))
  inner <- vapply(z, function(z) sum(stats::dnorm(y) * at(q, mean[[2L]] + sd[[2L]] * rho * z + tau * y)), 0)
  sum(stats::dnorm(z) * at(p, mean[[1L]] + sd[[1L]] * z) * inner) * diff(z[1:2]) * diff(y[1:2])
}

test_that("smooth activations of large deviation are right at correlations near one", {
  mean <- c(0.5, -1.2)
  of <- function(phi, i, sd) list(phi = phi, parameter = 1, at = 1L, mean = mean[[i]], sd = sd[[i]])
  compare <- function(phi, sd, rho) for (what in c("slope", "value")) {
    a <- of(phi[[1L]], 1, sd)
    b <- of(phi[[2L]], 2, sd)
    C <- matrix(rho * sd[[1L]] * sd[[2L]])
    found <- capalloc:::pair_block(a, b, C, what)
    wanted <- trapezoid_pair(phi[[1L]], phi[[2L]], mean, sd, rho, what)
    expect_equal(c(found), wanted, tolerance = 1e-11, label = paste(toString(phi), rho, what))
    expect_equal(capalloc:::pair_block(b, a, C, what), found, tolerance = 1e-12)
  }
  compare(c("tanh", "tanh"), c(5, 6), 0.985)
  compare(c("tanh", "tanh"), c(20, 15), -0.9999)
  compare(c("sigmoid", "gelu"), c(20, 15), 0.99)
  compare(c("softplus", "silu"), c(15, 20), 0.99)
  compare(c("erf", "tanh"), c(5, 20), 0.9999)
})

test_that("units that are one have the second moment of one, and sines that of a wave", {
  # Three tanh units, of which the first two are equal.
  u <- list(mean = c(1, 1, -2), cov = 900 * rbind(c(1, 1, 0.5), c(1, 1, 0.5), c(0.5, 0.5, 1)),
    classes = list(list(phi = "tanh", parameter = 1, at = 1:3)))
  found <- capalloc:::pair_moments(u, values = TRUE)
  expect_equal(found$second[1, 2], found$square[[1L]], tolerance = 1e-12)
  expect_equal(found$moment[1, 2], found$moment[1, 1], tolerance = 1e-12)
  expect_equal(found$moment[2:1, 3], found$moment[3, 1:2], tolerance = 1e-14)
  # E[sin(x u) tanh'(w)] with w = u: the cosine transform of a smoothed sech^2, by the trapezoidal rule.
  sd <- 3
  sine <- list(phi = "sin", parameter = 12, at = 1L, mean = 0, sd = sd)
  bend <- list(phi = "tanh", parameter = 1, at = 1L, mean = 0, sd = sd)
  z <- seq(-12, 12, by = 1e-3)
  for (phi in list(list(sine, bend), list(bend, sine))) {
    found <- capalloc:::pair_block(phi[[1L]], phi[[2L]], matrix(sd^2), "slope")
    wanted <- sum(stats::dnorm(z) * 12 * cos(12 * sd * z) / cosh(sd * z)^2) * 1e-3
    expect_lt(abs(c(found) - wanted), 1e-13)
    found <- capalloc:::pair_block(phi[[1L]], phi[[2L]], matrix(sd^2), "value")
    expect_lt(abs(c(found) - sum(stats::dnorm(z) * sin(12 * sd * z) * tanh(sd * z)) * 1e-3), 1e-13)
  }
  # relu and elu, in either order.
  kinks <- list(c("relu", "elu"), c("elu", "relu"))
  found <- vapply(kinks, function(phi) {
    of <- function(phi, sd) list(phi = phi, parameter = 1, at = 1L, mean = 0.3, sd = sd)
    sd <- if (phi[[1L]] == "relu") c(2, 3) else c(3, 2)
    c(capalloc:::pair_block(of(phi[[1L]], sd[[1L]]), of(phi[[2L]], sd[[2L]]), matrix(0.99 * 6), "value"))
  }, 0)
  expect_equal(found[[1L]], found[[2L]], tolerance = 1e-12)
  # Pairs that are integrated together have the same moments as alone.
  elus <- function(at) list(phi = "elu", parameter = 1, at = at, mean = c(0.3, -1, 2)[at], sd = c(1, 2, 3)[at])
  C <- outer(1:3, 1:3) * 0.98^abs(outer(1:3, 1:3, "-"))
  together <- capalloc:::pair_block(elus(1:3), elus(1:3), C, "value")
  alone <- function(i, k) c(capalloc:::pair_block(elus(i), elus(k), C[i, k, drop = FALSE], "value"))
  expect_equal(together, outer(1:3, 1:3, Vectorize(alone)), tolerance = 1e-13)
})

test_that("many pairs that are integrated one by one say how long that takes", {
  chain <- 100 * 0.999^abs(outer(1:40, 1:40, "-"))
  law <- list(mean = numeric(40), cov = chain, classes = list(list(phi = "tanh", parameter = 1, at = 1:40)))
  asked <- FALSE
  tryCatch(capalloc:::pair_moments(law), capalloc_message_cost = function(m) asked <<- conditionMessage(m))
  expect_match(asked, "pairs of tanh gates of correlations near one will take about [0-9]+\\s+seconds")
  few <- list(mean = numeric(2), cov = chain[1:2, 1:2], classes = list(list(phi = "tanh", parameter = 1, at = 1:2)))
  expect_silent(capalloc:::pair_moments(few))
})

test_that("activations with kinks away from zero are integrated at all correlations", {
  # E[f(u) g(w)] by a fine grid of midpoints between all kinks, for u = m + s x, w = m + s (rho x + sqrt(1 - rho^2) y).
  grid <- function(kinks, m, s) {
    ends <- sort(unique(c(seq(-9, 9, by = 0.25), pmin(pmax((kinks - m) / s, -9), 9))))
    rule <- capalloc:::gate_legendre(8L)
    half <- diff(ends) / 2
    z <- c(outer(half, rule$x) + ends[-1] - half)
    list(z = z, w = c(outer(half, rule$w)) * dnorm(z))
  }
  kinks <- list(relu6 = c(0, 6), hard_sigmoid = c(-3, 3), hard_swish = c(-3, 3))
  for (phi in names(kinks)) for (rho in c(0.5, 0.97, -1, 1)) for (what in c("slope", "value")) {
    m <- 0.4
    s <- 2.5
    law <- list(mean = c(m, m), cov = s^2 * matrix(c(1, rho, rho, 1), 2),
      classes = list(list(phi = phi, parameter = 1, at = 1:2)))
    found <- capalloc:::pair_moments(law, values = TRUE)
    f <- function(u) c(capalloc:::gate_phi_at(phi, 1, matrix(u))[[what]])
    mirrored <- 2 * m - kinks[[phi]] # kinks of w as a function of u at rho = -1
    outer_nodes <- grid(c(kinks[[phi]], if (rho == -1) mirrored), m, s)
    given <- vapply(outer_nodes$z, function(z) {
      if (abs(rho) == 1) return(f(m + s * rho * z))
      tau <- s * sqrt(1 - rho^2)
      inner <- grid(kinks[[phi]], m + s * rho * z, tau)
      sum(inner$w * f(m + s * rho * z + tau * inner$z))
    }, 0)
    wanted <- sum(outer_nodes$w * f(m + s * outer_nodes$z) * given)
    own <- if (what == "slope") found$second[1, 2] else found$moment[1, 2]
    # The conditional mean of a step varies over tau / s; panels of a quarter give 1e-8.
    expect_near(own, wanted, 1e-7, paste(phi, rho, what))
  }
})

test_that("activations whose gates have no Gaussian moments are refused by name", {
  for (phi in c("reciprocal", "rsqrt")) {
    expect_error(decoupling(phi), phi, class = "capalloc_error_unsupported")
    net <- input_vector(2) |> layer_dense(2) |> layer_activation(phi) |> layer_dense(1) |> set_coef(c(1, 0, 0, 1, 1, 1))
    expect_error(propagate_capacity(net), phi, class = "capalloc_error_unsupported")
    data <- matrix(c(1, 2, 3, 0.5, 0.7, 1), 3)
    found <- propagate_capacity(net, data = data)
    expect_true(all(is.finite(found$capacity)))
  }
})
