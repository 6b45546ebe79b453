# Stacks of equal layers: which networks qualify.

profile_of <- function(d, kind, depth = NULL) {
  d$capacity[d$kind == kind & (is.null(depth) | d$depth %in% depth)]
}

test_that("a layer of zeros does not change the limit", {
  steps <- \(x) layer_residual(x, \(y) layer_conv(y, 1, 3, padding = "same"))
  one <- diffusion_limit(set_coef(input_sequence(9) |> steps(), c(1, 2, 3)), list(position = 4))
  two <- diffusion_limit(set_coef(input_sequence(9) |> steps() |> steps(), c(0, 0, 0, 1, 2, 3)), list(position = 4))
  expect_identical(two$capacity, one$capacity)
  expect_identical(glance(two)[-1], glance(one)[-1])
})

test_that("gates are computed from a task or from data", {
  net <- uneven_chains()$channels
  from <- list(position = 4, channel = 1)
  x <- test_inputs(net, 30, 1)
  expect_near(profile_of(diffusion_limit(net, from, data = x), "finite"), arrived(net, from, data = x), 1e-14)
  one <- uneven_chains()$causal
  task <- task_fgn(9, 0.8)
  from <- list(position = 4)
  expect_near(profile_of(diffusion_limit(one, from, task = task), "finite"), arrived(one, from, task = task), 1e-14)
  set.seed(1)
  moved <- diffusion_limit(one, from, data = matrix(rnorm(90) + 2, 10))
  expect_gt(max(abs(moved$capacity - diffusion_limit(one, from)$capacity)), 1e-3)
})

test_that("networks that are no such stack are refused with the reason", {
  chain <- measure_residual_chain(9, 2, 1)
  conv <- input_sequence(9) |> layer_conv(1, 3, padding = "same")
  drawn <- function(net) initialise(net, seed = 1)
  expect_snapshot({
    cat(bad(diffusion_limit(cars), "type"))
    cat(bad(diffusion_limit(conv), "no_coefficients"))
    cat(bad(diffusion_limit(drawn(input_grid(4, 4) |> layer_conv(1, 2))), "stack"))
    cat(bad(diffusion_limit(set_coef(input_sequence(4), numeric())), "stack"))
    cat(bad(diffusion_limit(drawn(layer_dense(conv, 1))), "stack"))
    cat(bad(diffusion_limit(drawn(layer_dense(chain, 1))), "stack"))
    cat(bad(diffusion_limit(drawn(layer_residual(conv, \(x) layer_conv(x, 1, 3, padding = "same")))), "stack"))
    cat(bad(diffusion_limit(drawn(input_sequence(9) |> layer_conv(1, 3, stride = 2))), "stack"))
    cat(bad(diffusion_limit(drawn(input_sequence(9) |> layer_conv(1, 3, bias = TRUE))), "stack"))
    cat(bad(diffusion_limit(drawn(layer_conv(conv, 1, 3))), "stack"))
    cat(bad(diffusion_limit(drawn(input_sequence(9) |> layer_activation("relu"))), "stack"))
    cat(bad(diffusion_limit(drawn(layer_residual(chain, \(x) x |> layer_conv(1, 3, padding = "same") |>
      layer_conv(1, 1)))), "stack"))
    cat(bad(diffusion_limit(drawn(layer_residual(chain, \(x) layer_activation(x, "relu")))), "stack"))
    cat(bad(diffusion_limit(drawn(layer_residual(chain, \(x) layer_local(x, 1, 3, padding = "same")))), "stack"))
    cat(bad(diffusion_limit(chain, 3), "type"))
    cat(bad(diffusion_limit(chain, list(position = 10)), "value"))
    cat(bad(diffusion_limit(chain, depth = -2), "value"))
    cat(bad(diffusion_limit(chain, depth = c(2, 3)), "value"))
    cat(bad(diffusion_limit(chain, depth = numeric()), "value"))
    cat(bad(diffusion_limit(chain, depth = "deep"), "type"))
    cat(bad(diffusion_limit(drawn(conv), depth = 2), "value"))
    cat(bad(diffusion_limit(chain, tol = 0), "value"))
    cat(bad(diffusion_limit(chain, limit = 10), "cost"))
    cat(bad(diffusion_limit(measure_residual_chain(9, 1, 0)), "value"))
    cat(bad(diffusion_limit(set_coef(conv, c(0, 1, 0))), "value"))
    cat(bad(diffusion_limit(set_coef(conv, c(0, 0, 0))), "value"))
  })
})

test_that("moves, chains and their moments have the fields of their constructors", {
  expect_constructor(capalloc:::new_chain_move)
  expect_constructor(capalloc:::new_chain)
  expect_constructor(capalloc:::new_chain_limit)
  expect_constructor(capalloc:::new_chain_moments)
  expect_constructor(capalloc:::new_chain_step_rates)
})
