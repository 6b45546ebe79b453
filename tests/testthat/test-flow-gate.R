# Moments of the gates of a single unit.

test_that("gates that vary in a thousandth of a deviation are integrated, wherever that is", {
  for (phi in c("sigmoid", "tanh", "erf", "gelu")) for (s in c(0.01, 3000)) for (centre in c(0, -0.4, 2.5)) {
    found <- capalloc:::gate_moments(phi, 1, -centre * s, s)
    slope <- function(z) capalloc:::gate_phi_at(phi, 1, s * (z - centre))$slope
    ends <- panel_ends(centre, 1 / s)
    # u / s is rounded: 3000 * 12 * 2e-16 of its width; integrate() has a tolerance of 1e-12.
    expect_near(found$mean / expect_over(slope, ends), 1, 1e-11, paste(phi, s, centre))
    expect_near(found$square / expect_over(\(z) slope(z)^2, ends), 1, 1e-11, paste(phi, s, centre))
  }
})

test_that("pre-activations that are constants have the gates of their values", {
  b <- c(0.4, -1.5)
  block <- \(x) x |> layer_dense(2, bias = TRUE) |> layer_activation("tanh")
  net <- set_coef(input_vector(2) |> layer_residual(block, scale = 2), c(0, 0, 0, 0, b))
  task <- task_moments(diag(2), matrix(0, 2, 1), 1)
  flow <- propagate_capacity(net, task = task)
  # The block is constant, with squared gain s^2 q b^2 beside the gain 1 of the skip.
  gain <- 4 * b^2 / cosh(b)^4
  expect_near(units_at(flow, "residual1"), 1 / (1 + gain), 1e-14)
  expect_near(flow$capacity[flow$layer == "residual1" & flow$part == "(Intercept)"], sum(gain / (1 + gain)), 1e-14)
})
