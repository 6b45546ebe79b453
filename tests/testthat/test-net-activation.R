# Activations compared with their formulas.

at_rows <- function(activation, u, parameter = NULL) {
  net <- input_vector(1) |> layer_activation(activation, parameter) |> set_coef(numeric())
  c(predict(net, matrix(u)))
}

test_that("activations equal their textbook formulas", {
  u <- c(-6, -2.5, -1, -1e-3, 0, 1e-9, 0.3, 1, 4, 6)
  for (activation in activations()$activation) {
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
  expect_equal(nrow(known), 12)
  by_table <- list(
    identity = \(u, a) u, relu = \(u, a) pmax(u, 0), leaky_relu = \(u, a) pmax(u, 0) + a * pmin(u, 0),
    elu = \(u, a) ifelse(u > 0, u, a * (exp(u) - 1)), gelu = \(u, a) u * pnorm(u),
    silu = \(u, a) u / (1 + exp(-u)), softplus = \(u, a) log(1 + exp(u)), sigmoid = \(u, a) 1 / (1 + exp(-u)),
    tanh = \(u, a) tanh(u), erf = \(u, a) 2 * pnorm(sqrt(2) * u) - 1, sin = \(u, a) sin(a * u), abs = \(u, a) abs(u)
  )
  expect_named(by_table, known$activation)
  u <- seq(-3, 3, by = 0.37)
  for (i in seq_len(nrow(known))) {
    expected <- by_table[[i]](u, known$parameter[[i]])
    expect_equal(at_rows(known$activation[[i]], u), expected, tolerance = 1e-14, label = known$activation[[i]])
    f <- function(u) by_table[[i]](u, known$parameter[[i]])
    homogeneous <- isTRUE(all.equal(f(3 * u), 3 * f(u)))
    expect_equal(known$homogeneous[[i]], homogeneous, label = known$activation[[i]])
  }
})
