# Both directions of a recurrence, and squeeze-and-excite.

test_that("the backward recurrence is the forward one on the reversed sequence", {
  theta <- c(0.5, 0.8)
  back <- input_sequence(4) |> layer_recurrent(1, direction = "backward") |> set_coef(theta)
  expect_equal(unname(effective_weights(back)), 0.5 * rbind(0.8^(0:3)))
  all <- input_sequence(3) |> layer_recurrent(1, direction = "backward", output = "sequence") |> set_coef(theta)
  expect_equal(unname(effective_weights(all)), 0.5 * rbind(0.8^(0:2), c(0, 1, 0.8), c(0, 0, 1)))
})

test_that("the GRU that resets after the product has the stated value", {
  net <- input_sequence(3) |> layer_recurrent(1, "gru", reset = "after", bias = TRUE) |>
    set_coef(c(0.5, -0.4, 0.3, 0.2, 0.1, 0.7, 0.1, 0, -0.2, 0, 0.05, 0.3))
  expect_equal(c(predict(net, c(1, 2, 3))), 0.7497551797185505, tolerance = 1e-15)
  h <- 0
  for (x in 1:3) {
    r <- plogis(0.5 * x + 0.1 + 0.2 * h)
    z <- plogis(-0.4 * x + 0.1 * h + 0.05)
    n <- tanh(0.3 * x - 0.2 + r * (0.7 * h + 0.3))
    h <- (1 - z) * n + z * h
  }
  expect_equal(c(predict(net, c(1, 2, 3))), h, tolerance = 1e-15)
  expect_error(layer_recurrent(input_sequence(3), 1, "lstm", reset = "after"), class = "capalloc_error_value")
  expect_error(layer_recurrent(input_sequence(3), 1, "gru", reset = "never"), class = "capalloc_error_value")
  expect_error(layer_recurrent(input_sequence(3), 1, direction = "up"), class = "capalloc_error_value")
})

test_that("a bidirectional layer stacks both states", {
  net <- input_sequence(3) |> layer_bidirectional(1) |> set_coef(c(2, 0.5, 3, 0.1))
  expect_equal(unname(effective_weights(net)), rbind(2 * 0.5^(2:0), 3 * 0.1^(0:2)))
  expect_error(layer_bidirectional(input_grid(2, 2), 1), class = "capalloc_error_shape")
  expect_error(layer_bidirectional(input_sequence(2), 1, merge = "mean"), class = "capalloc_error_value")
})

test_that("squeeze-and-excite multiplies channels by gates of their means", {
  net <- input_sequence(2, channels = 2) |> layer_squeeze(1) |> set_coef(c(1, -1, 0.5, 2, 3, 0, 0.1))
  x <- c(1, 2, 3, -4) # channel-fastest: channel 1 is (1, 3), channel 2 is (2, -4)
  hidden <- max(0, 2 * 1 - (-1) + 0.5)
  gates <- plogis(c(2, 3) * hidden + c(0, 0.1))
  expect_equal(c(predict(net, x)), x * rep(gates, 2), tolerance = 1e-14)
  expect_error(layer_squeeze(input_vector(4), 1), class = "capalloc_error_shape")
})
