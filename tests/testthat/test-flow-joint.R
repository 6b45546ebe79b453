# The joint distribution of pre-activations after linear layers, activations and recurrences.

test_that("the first activations of Gaussian inputs are exact, biases and means included", {
  set.seed(1)
  n <- 4
  moments <- random_moments(n, 1, mean = 0.4)
  task <- task_moments(moments$sigma, moments$cross, moments$target, mean_x = moments$mean_x)
  net <- with_test_coef(input_vector(n) |> layer_dense(3, bias = TRUE) |> layer_dense(3) |> layer_activation("relu"), 2)
  W <- effective_weights(net |> (\(net) capalloc:::new_network(net$input, net$layers[1:2], net$coef))())
  mean <- c(W %*% c(moments$mean_x, 1))
  C <- W[, 1:n] %*% (moments$sigma - tcrossprod(moments$mean_x)) %*% t(W[, 1:n])
  d <- decoupling(net, task = task)
  expect_named(d, c("layer", "i", "j", "correlation", "gate_correlation"))
  expect_s3_class(d, c("ca_decoupling", "ca_frame", "data.frame"), exact = TRUE)
  expect_identical(d[c("i", "j")], data.frame(i = c(1L, 1L, 2L), j = c(2L, 3L, 3L)), ignore_attr = TRUE)
  at <- cbind(d$i, d$j)
  expect_near(d$correlation, cov2cor(C)[at], 1e-12)
  h <- mean / sqrt(diag(C))
  both <- capalloc:::pair_orthant(h[d$i], h[d$j], d$correlation)
  expect_near(d$gate_correlation, both / sqrt(pnorm(h[d$i]) * pnorm(h[d$j])), 1e-12)
  expect_equal(glance(d)$decoupling, 1 - mean(d$gate_correlation^2))
  expect_identical(summary(d), glance(d))
  expect_identical(tidy(d), as.data.frame(d))
  expect_identical(class(tidy(d)), "data.frame")
})

test_that("of a network without a task pre-activations are centred and scaled", {
  net <- with_test_coef(input_sequence(6) |> layer_conv(2, 3, bias = TRUE) |> layer_activation("tanh"), 1)
  W <- capalloc:::new_network(net$input, net$layers[1], net$coef) |> effective_weights()
  rho <- cov2cor(tcrossprod(W[, 1:6]))
  d <- decoupling(net)
  expect_near(d$correlation, rho[cbind(d$i, d$j)], 1e-12)
  own <- decoupling("tanh", correlation = pmin(pmax(d$correlation, -1), 1))$gate_correlation
  expect_near(d$gate_correlation, own, 1e-10)
})

test_that("an activation of a whole sequence of states sees all of them together", {
  states <- input_sequence(4) |> layer_recurrent(2, output = "sequence")
  net <- with_test_coef(states |> layer_activation("relu"), 1)
  W <- effective_weights(set_coef(states, net$coef))
  rho <- cov2cor(tcrossprod(W))
  d <- decoupling(net)
  expect_identical(nrow(d), 28L)
  expect_near(d$correlation, rho[cbind(d$i, d$j)], 1e-12)
  expect_near(d$gate_correlation, 1 / 2 + asin(pmin(pmax(d$correlation, -1), 1)) / pi, 1e-7)
})

test_that("deeper laws are those of samples as far as these are Gaussian", {
  task <- task_fgn(6, 0.7)
  net <- with_test_coef(input_sequence(6) |> layer_conv(3, 3, bias = TRUE) |> layer_activation("tanh") |>
    layer_residual(\(x) x |> layer_conv(3, 3, padding = "same") |> layer_activation("elu")) |>
    layer_parallel(\(x) layer_activation(x, "sigmoid"), \(x) x |> layer_conv(2, 1) |> layer_activation("gelu"),
      merge = "concat") |>
      layer_recurrent(2, activation = "softplus") |> layer_dense(1), 1)
  d <- decoupling(net, task = task)
  e <- decoupling(net, data = simulate(task, 2e4, seed = 1)$x)
  expect_identical(d[c("layer", "i", "j")], e[c("layer", "i", "j")])
  expect_identical(levels(d$layer), c("activation1", "activation2", "activation3", "activation4", "recurrent1"))
  first <- d$layer == "activation1"
  expect_near(d$gate_correlation[first], e$gate_correlation[first], 0.01)
  expect_near(d$correlation, e$correlation, 0.1)
  expect_near(d$gate_correlation, e$gate_correlation, 0.05)
  # The states of a recurrence at all positions.
  expect_equal(glance(d)$units, c(12, 12, 12, 8, 8))
})

test_that("a maximum behind the activations does not end their law", {
  net <- initialise(input_sequence(6) |> layer_conv(2, 2) |> layer_activation("relu") |> layer_pool(2, type = "max"),
    seed = 1)
  before <- set_coef(input_sequence(6) |> layer_conv(2, 2) |> layer_activation("relu"), coef(net))
  expect_identical(decoupling(net)$gate_correlation, decoupling(before)$gate_correlation)
})
