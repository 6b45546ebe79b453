profile_of <- function(net, n = 10) sensitivity_profile(initialise(net, seed = 1), test_inputs(net, n, 1))
smooth <- function(input) input |> layer_dense(3) |> layer_activation("tanh") |> layer_dense(1)

test_that("bars are root mean squares at the lag, points are means", {
  skip_if_not_installed("ggplot2")
  profile <- profile_of(smooth(input_sequence(4)))
  drawn <- built(ggplot2::autoplot(profile))
  bars <- drawn$data[[2]]
  expect_near(bars$y[order(bars$x)], rev(profile$rms), 1e-12)
  expect_near(drawn$data[[3]]$y[order(drawn$data[[3]]$x)], rev(profile$mean), 1e-12)
})

test_that("channels, outputs and named inputs are drawn by both, and the base picture returns its argument", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (net in list(smooth(input_sequence(4, 2)), smooth(input_vector(3)), input_vector(3) |> layer_dense(2))) {
    profile <- profile_of(net)
    expect_identical(plot(profile), profile)
    if (requireNamespace("ggplot2", quietly = TRUE)) expect_s3_class(ggplot2::autoplot(profile), "ggplot")
  }
})

test_that("a capacity is drawn above the sensitivity of the same inputs", {
  skip_if_not_installed("ggplot2")
  task <- task_data(mpg ~ wt + hp, mtcars, seed = 1)
  trained <- quiet(fit(smooth(input_vector(2)), task, seed = 1))
  k <- quiet(capacity(trained))
  profile <- sensitivity_profile(trained)
  drawn <- built(ggplot2::autoplot(k, sensitivity = profile))$data[[1]]
  expect_near(drawn$y[drawn$PANEL == 1], k$capacity[!is.na(k$position)], 1e-12)
  expect_near(drawn$y[drawn$PANEL == 2], profile$rms, 1e-12)
  expect_error(ggplot2::autoplot(k, sensitivity = 1), class = "capalloc_error_type")
  expect_error(ggplot2::autoplot(k, sensitivity = profile_of(smooth(input_vector(3)))), class = "capalloc_error_shape")
})
