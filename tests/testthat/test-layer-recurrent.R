test_that("shapes, parameters and names of elman and diagonal cells", {
  elman <- input_sequence(6, channels = 2) |> layer_recurrent(3, bias = TRUE)
  expect_equal(elman$layers[[1L]]$params, list(input = c(3L, 2L), recurrent = c(3L, 3L), bias = 3L))
  expect_equal(summary(elman)$output, "3 x 1")
  expect_equal(summary(elman)$parameters, 6 + 9 + 3)
  diagonal <- input_sequence(6) |> layer_recurrent(2, "diagonal", output = "sequence")
  expect_equal(summary(diagonal)$output, "2 x 6")
  expect_named(coef(initialise(diagonal, seed = 1)), c(
    "recurrent1.input[1,1]", "recurrent1.input[2,1]", "recurrent1.recurrent[1]",
    "recurrent1.recurrent[2]"
  ))
  expect_named(coef(initialise(input_sequence(6) |> layer_recurrent(2), seed = 1))[3:6], paste0(
    "recurrent1.recurrent[", c("1,1", "2,1", "1,2", "2,2"), "]"
  ))
})

test_that("one diagonal unit has exponentially decaying weights", {
  net <- input_sequence(5) |> layer_recurrent(1, "diagonal", bias = TRUE) |> set_coef(c(2, 0.5, 3))
  # 2 * 0.5^(lag - 1), and the bias summed over five steps.
  expect_equal(c(effective_weights(net)), c(2 * 0.5^(4:0), 3 * sum(0.5^(0:4))), tolerance = 1e-14)
})

test_that("weights of an elman cell are powers of its matrix", {
  withr::local_seed(1)
  a <- matrix(rnorm(4), 2) / 2
  b <- rnorm(2)
  net <- input_sequence(3) |> layer_recurrent(2) |> set_coef(c(b, a))
  expected <- unname(cbind(a %*% a %*% b, a %*% b, b))
  # A few products: rounding error only.
  expect_equal(unname(effective_weights(net)), expected, tolerance = 1e-14)
})

test_that("bad recurrences are refused", {
  net <- input_sequence(4)
  for (units in list(0, 1.5, NA, "2")) {
    expect_error(layer_recurrent(net, units), class = "capalloc_error_value")
  }
  expect_error(layer_recurrent(net, 1, cell = "rnn"), class = "capalloc_error_value")
  expect_error(layer_recurrent(net, 1, output = "first"), class = "capalloc_error_value")
  expect_error(layer_recurrent(net, 1, activation = "Tanh"), class = "capalloc_error_value")
  expect_error(layer_recurrent(net, 1, bias = NA), class = "capalloc_error_value")
  expect_error(layer_recurrent(input_vector(4), 1), class = "capalloc_error_shape")
  expect_snapshot(error = TRUE, {
    layer_recurrent(net, 0)
    layer_recurrent(net, 1, cell = "transformer")
    layer_recurrent(net, 1, output = "first")
    layer_recurrent(net, 1, activation = "quantum")
    layer_recurrent(net, 1, bias = NA)
    layer_recurrent(input_vector(4), 1)
  })
})

test_that("shapes, parameters and names of gated cells", {
  lstm <- input_sequence(6, channels = 2) |> layer_recurrent(3, "lstm", bias = TRUE)
  expect_equal(lstm$layers[[1L]]$params, list(input = c(3L, 2L, 4L), recurrent = c(3L, 3L, 4L), bias = c(3L, 4L)))
  expect_equal(summary(lstm)$parameters, 4 * (6 + 9 + 3))
  gru <- input_sequence(6, channels = 2) |> layer_recurrent(3, "gru", output = "sequence")
  expect_equal(gru$layers[[1L]]$params, list(input = c(3L, 2L, 3L), recurrent = c(3L, 3L, 3L)))
  expect_equal(summary(gru)$output, "3 x 6")
  names <- names(coef(initialise(input_sequence(2) |> layer_recurrent(1, "gru", bias = TRUE), seed = 1)))
  expect_equal(names, paste0("recurrent1.", c(paste0("input[1,1,", 1:3, "]"), paste0("recurrent[1,1,", 1:3, "]"),
    paste0("bias[1,", 1:3, "]"))))
  expect_equal(lstm$layers[[1L]]$activation, "tanh")
  expect_equal(layer_recurrent(input_sequence(2), 1, "gru", activation = "linear")$layers[[1L]]$activation, "linear")
})

test_that("summary() names the kind and activation of a cell", {
  kind <- function(...) summary(input_sequence(4) |> layer_recurrent(2, ...))$kind
  expect_equal(kind(), "elman recurrence, last")
  expect_equal(kind(activation = "tanh"), "elman recurrence, tanh, last")
  expect_equal(kind("lstm"), "lstm recurrence, last")
  expect_equal(kind("gru", bias = TRUE, output = "sequence"), "gru recurrence, sequence + bias")
  expect_equal(kind("gru", activation = "relu"), "gru recurrence, relu, last")
})

test_that("one lstm unit equals a calculation by hand", {
  # Gates i, f, g, o in this order: input, recurrent and bias.
  theta <- c(0.3, -0.2, 0.5, 0.7, 0.1, 0.4, -0.6, 0.2, 0.05, 1, -0.1, 0.3)
  net <- input_sequence(2) |> layer_recurrent(1, "lstm", output = "sequence", bias = TRUE) |> set_coef(theta)
  x <- c(1.5, -0.8)
  u <- theta[1:4] * x[[1L]] + theta[9:12]
  c1 <- plogis(u[[1L]]) * tanh(u[[3L]])
  h1 <- plogis(u[[4L]]) * tanh(c1)
  u <- theta[1:4] * x[[2L]] + theta[5:8] * h1 + theta[9:12]
  c2 <- plogis(u[[2L]]) * c1 + plogis(u[[1L]]) * tanh(u[[3L]])
  expect_equal(c(predict(net, x)), c(h1, plogis(u[[4L]]) * tanh(c2)), tolerance = 1e-14)
})

test_that("one gru unit equals a calculation by hand", {
  # Gates r, z, n in this order.
  theta <- c(0.3, -0.2, 0.5, 0.1, 0.4, -0.6, 0.05, 1, -0.1)
  net <- input_sequence(2) |> layer_recurrent(1, "gru", output = "sequence", bias = TRUE) |> set_coef(theta)
  x <- c(1.5, -0.8)
  u <- theta[1:3] * x[[1L]] + theta[7:9]
  h1 <- (1 - plogis(u[[2L]])) * tanh(u[[3L]])
  u <- theta[1:3] * x[[2L]] + theta[7:9]
  r <- plogis(u[[1L]] + theta[[4L]] * h1)
  z <- plogis(u[[2L]] + theta[[5L]] * h1)
  n <- tanh(u[[3L]] + theta[[6L]] * r * h1)
  expect_equal(c(predict(net, x)), c(h1, (1 - z) * n + z * h1), tolerance = 1e-14)
})

test_that("predictions equal the twin's for every cell with every activation", {
  for (cell in c("elman", "diagonal", "lstm", "gru")) for (activation in c("linear", whole_activations())) {
    for (output in c("last", "sequence")) {
      bias <- output == "last"
      net <- input_sequence(4, channels = 2) |>
        layer_recurrent(2, cell, activation = activation, output = output, bias = bias) |> with_test_coef(3)
      x <- test_inputs(net, 5)
      # A few steps: rounding error of values of order one.
      expect_equal(predict(net, x), twin_predict(net, x), tolerance = 1e-13, label = paste(cell, activation))
      curved <- cell %in% c("lstm", "gru") || !activation %in% c("linear", "identity")
      expect_equal(is_linear(net), !curved, label = paste(cell, activation))
    }
  }
})

test_that("long and stacked cells run from the oldest to the newest position", {
  net <- input_sequence(40) |> layer_recurrent(3, "lstm", output = "sequence", bias = TRUE) |>
    layer_recurrent(2, "gru", output = "sequence") |> layer_recurrent(2, activation = "tanh") |> with_test_coef(8)
  x <- test_inputs(net, 3)
  expect_equal(predict(net, x), twin_predict(net, x), tolerance = 1e-12)
  # The state at a position does not depend on later positions.
  early <- input_sequence(40) |> layer_recurrent(3, "gru", output = "sequence") |> with_test_coef(9)
  later <- x
  later[, 21:40] <- 0
  expect_identical(predict(early, x)[, 1:60], predict(early, later)[, 1:60])
  expect_equal(receptive_field(early)$size, 40)
})

test_that("the forget gate of an lstm starts with bias 1", {
  net <- initialise(input_sequence(8) |> layer_recurrent(2, "lstm", bias = TRUE), seed = 1)
  bias <- coef(net)[grepl("bias", names(coef(net)))]
  expect_equal(unname(bias), c(0, 0, 1, 1, 0, 0, 0, 0))
  gru <- coef(initialise(input_sequence(8) |> layer_recurrent(2, "gru", bias = TRUE), seed = 1))
  expect_equal(unname(gru[grepl("bias", names(gru))]), numeric(6))
  expect_length(coef(initialise(input_sequence(8) |> layer_recurrent(2, "lstm"), seed = 1)), 4 * (2 + 4))
})
