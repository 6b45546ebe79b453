# Activations compared with their formulas.

at_rows <- function(activation, u, parameter = NULL) {
  net <- input_vector(1) |> layer_activation(activation, parameter) |> set_coef(numeric())
  c(predict(net, matrix(u)))
}

test_that("activations equal their textbook formulas", {
  u <- c(-6, -2.5, -1, -1e-3, 0, 1e-9, 0.3, 1, 4, 6)
  for (activation in setdiff(activations()$activation, "rsqrt")) {
    default <- activations()$parameter[activations()$activation == activation]
    expected <- twin_activate(activation, u, default)
    expect_equal(at_rows(activation, u), expected, tolerance = 1e-14, label = activation)
    if (is.na(default)) next
    for (parameter in c(-0.5, 0, 0.2, 3)) {
      expected <- twin_activate(activation, u, parameter)
      expect_equal(at_rows(activation, u, parameter), expected, tolerance = 1e-14, label = activation)
    }
  }
})

test_that("the formulas in the table are those that the core computes", {
  known <- activations()
  expect_named(known, c("activation", "formula", "parameter", "homogeneous"))
  expect_equal(nrow(known), 22)
  by_table <- list(
    identity = \(u, a) u, relu = \(u, a) pmax(u, 0), leaky_relu = \(u, a) pmax(u, 0) + a * pmin(u, 0),
    elu = \(u, a) ifelse(u > 0, u, a * (exp(u) - 1)), gelu = \(u, a) u * pnorm(u),
    silu = \(u, a) u / (1 + exp(-u)), softplus = \(u, a) log(1 + exp(u)), sigmoid = \(u, a) 1 / (1 + exp(-u)),
    tanh = \(u, a) tanh(u), erf = \(u, a) 2 * pnorm(sqrt(2) * u) - 1, sin = \(u, a) sin(a * u), abs = \(u, a) abs(u),
    exp = \(u, a) exp(u), square = \(u, a) u^2, reciprocal = \(u, a) 1 / u, rsqrt = \(u, a) 1 / sqrt(u),
    selu = \(u, a) 1.0507009873554804934 * ifelse(u > 0, u, 1.6732632423543772848 * (exp(u) - 1)),
    softsign = \(u, a) u / (1 + abs(u)), hard_sigmoid = \(u, a) pmin(pmax(u + 3, 0), 6) / 6,
    hard_swish = \(u, a) u * pmin(pmax(u + 3, 0), 6) / 6, mish = \(u, a) u * tanh(log(1 + exp(u))),
    relu6 = \(u, a) pmin(pmax(u, 0), 6)
  )
  expect_named(by_table, known$activation)
  u <- seq(-3, 3, by = 0.37)
  for (i in seq_len(nrow(known))) {
    u <- seq(-9, 9, by = 0.37)
    if (known$activation[[i]] == "rsqrt") u <- seq(0.1, 3, by = 0.37)
    expected <- by_table[[i]](u, known$parameter[[i]])
    expect_equal(at_rows(known$activation[[i]], u), expected, tolerance = 1e-14, label = known$activation[[i]])
    f <- function(u) by_table[[i]](u, known$parameter[[i]])
    homogeneous <- isTRUE(all.equal(f(3 * u), 3 * f(u)))
    expect_equal(known$homogeneous[[i]], homogeneous, label = known$activation[[i]])
  }
})

test_that("first and second derivatives are those of the value, by central differences", {
  for (activation in activations()$activation) {
    u <- c(-7.1, -3.5, -2.2, -0.7, 0.4, 1.3, 2.9, 4.2, 7)
    if (activation == "rsqrt") u <- u[u > 0]
    h <- 1e-5
    a <- if (activation == "sin") 1.3 else 0.4
    a <- if (is.na(activations()$parameter[activations()$activation == activation])) 1 else a
    at <- function(u) capalloc:::gate_phi_at(activation, a, matrix(u))
    found <- lapply(at(u), c)
    # The second derivative of f(w x) by x and w at w = 1 is f'(x) + x f''(x).
    net <- input_vector(1) |> layer_dense(1) |> layer_activation(activation, if (a != 1) a) |> set_coef(1)
    found$curve <- (c(.Call(ffi_extended, capalloc:::lower_network(net), 1, matrix(u)))[seq_along(u)] - found$slope) / u
    # Errors of h^2 times a third derivative, and of rounding over h.
    slope <- c(at(u + h)$value - at(u - h)$value) / (2 * h)
    curve <- c(at(u + h)$slope - at(u - h)$slope) / (2 * h)
    scale <- pmax(1, abs(found$value), abs(found$curve))
    expect_lt(max(abs(found$slope - slope) / scale), 1e-8, label = activation)
    expect_lt(max(abs(found$curve - curve) / scale), 1e-8, label = activation)
  }
})

test_that("swish is another name of silu", {
  u <- c(-2, 0.3, 4)
  expect_identical(at_rows("swish", u), at_rows("silu", u))
})

test_that("saturated and extreme pre-activations of the new activations are accurate", {
  slope <- function(name, u) c(capalloc:::gate_phi_at(name, 1, matrix(u))$slope)
  expect_equal(slope("mish", c(-800, 800)), c(0, 1))
  # For very negative u, mish(u) = u e^u (1 + O(e^u)), with slope (1 + u) e^u.
  expect_equal(slope("mish", -50) / (-49 * exp(-50)), 1, tolerance = 1e-13)
  expect_equal(slope("hard_sigmoid", c(-3, 3, 3.1)), c(0, 1 / 6, 0))
  expect_equal(slope("hard_swish", c(-3, 0, 3, 3.1)), c(0, 0.5, 1.5, 1))
  expect_equal(slope("relu6", c(0, 6, 6.1)), c(0, 1, 0))
})
