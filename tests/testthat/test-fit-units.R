# Units that a fit computes from its rows.

# Data with large means and unequal scales.
car_rows <- function() {
  x <- cbind(wt = 1e6 + 1e3 * mtcars$wt, hp = mtcars$hp / 1e6)
  list(x = x, y = 1e4 + mtcars$mpg)
}

test_that("columns, channels and outputs are standardised by their rules", {
  x <- cbind(a = c(1, 3), b = c(7, 7), c = c(1e8, 1e8 + 1))
  units <- fit(input_vector(3) |> layer_dense(1), task_data(x, c(2, 4), test = 0), seed = 1)$network$units
  expect_equal(units$centre_x, c(2, 7, 1e8 + 0.5))
  expect_equal(units$scale_x, c(1, 1, 0.5)) # a constant column has scale 1
  # A channel has one centre and one scale over all its windows, as input and as response.
  series <- cbind(u = cumsum(1:30), v = 100 * cos(1:30))
  task <- task_series(series, length = 3, horizon = c(1, 2), test = 0)
  units <- fit(input_sequence(3, channels = 2) |> layer_dense(4), task, seed = 1)$network$units
  windows <- array(t(task$data$x), c(2, 3, nrow(task$data$x)))
  centre <- apply(windows, 1, mean)
  variance <- apply(windows, 1, function(v) mean((v - mean(v))^2))
  expect_equal(units$centre_x, rep(centre, 3))
  expect_equal(units$scale_x, rep(sqrt(variance), 3))
  expect_equal(units$centre_y, rep(centre, 2))
  expect_equal(units$scale_y, rep(sqrt(mean(variance)), 4)) # one scale for all outputs
  each <- task_series(series, length = 3, test = 0, standardise = "each")
  units <- fit(input_sequence(3, channels = 2) |> layer_dense(2), each, seed = 1)$network$units
  expect_equal(units$scale_y, units$scale_x[1:2])
  raw <- task_series(series, length = 3, test = 0, standardise = FALSE)
  expect_null(fit(input_sequence(3, channels = 2) |> layer_dense(2), raw, seed = 1)$network$units)
  expect_null(fit(input_sequence(8) |> layer_dense(1), task_ar(8, 0.5), n_obs = 30, seed = 1)$network$units)
})

test_that("scaling without centring is regression through the origin", {
  rows <- car_rows()
  trained <- fit(input_vector(2) |> layer_dense(1), task_data(rows$x, rows$y, test = 0, standardise = "scale"),
    seed = 1)
  by_lm <- lm(rows$y ~ 0 + rows$x)
  expect_equal(trained$train_loss, mean(resid(by_lm)^2), tolerance = 1e-9)
  expect_equal(unname(drop(effective_weights(trained)))[1:2], unname(coef(by_lm)), tolerance = 1e-9)
})

test_that("`standardise` is checked, and tasks print their units", {
  x <- as.matrix(mtcars[2:3])
  expect_snapshot({
    for (how in list(TRUE, "each", "scale", FALSE)) print(task_data(x, mtcars$mpg, seed = 1, standardise = how))
    task_series(lynx, length = 4)
  })
  expect_snapshot(error = TRUE, {
    task_data(x, mtcars$mpg, standardise = "columns")
    task_series(lynx, 4, standardise = NA)
  })
})
