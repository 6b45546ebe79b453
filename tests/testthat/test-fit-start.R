# Starts: redraws, and given coefficients in the units of a task.

test_that("a start that ends above the null loss is redrawn and counted", {
  # The mocked train() ends at a given loss for each start.
  net <- input_vector(2) |> layer_dense(2) |> layer_dense(1)
  trained <- function(bad, decay = 0, given = NULL, network = net) {
    calls <- 0L
    starts <- list()
    train <- function(start, seed) {
      calls <<- calls + 1L
      starts[[calls]] <<- start
      loss <- if (calls <= bad) 10 - calls / 10 else 0.5
      list(coef = start, loss = loss + decay * sum(start^2), outcome = "converged")
    }
    if (!is.null(given)) network <- set_coef(network, given)
    run <- capalloc:::train_each_start(network, 5L, null = 1, decay = decay, train = train)[[1L]]
    list(run = run, calls = calls, starts = starts)
  }
  good <- trained(0)
  expect_identical(c(good$run$redraws, good$calls), c(0L, 1L))
  twice <- trained(2)
  expect_identical(c(twice$run$redraws, twice$calls), c(2L, 3L))
  expect_identical(twice$run$loss, 0.5)
  expect_identical(length(unique(twice$starts)), 3L)
  # The first draw does not depend on later ones.
  expect_identical(twice$starts[[1]], good$starts[[1]])
  # A start is redrawn five times at most, and the best run is kept.
  never <- trained(100)
  expect_identical(c(never$run$redraws, never$calls), c(5L, 6L))
  expect_equal(never$run$loss, 9.4)
  # The penalty is excluded from the comparison.
  expect_identical(trained(0, decay = 100)$run$redraws, 0L)
  # Starts of the user are not redrawn, nor those of a convex network, which has one optimum.
  expect_identical(trained(3, given = rep(0.1, 6))$calls, 1L)
  expect_identical(trained(3, network = input_vector(2) |> layer_dense(1))$calls, 1L)
})

test_that("the null training loss is that of the best constant, or of zero", {
  null <- capalloc:::null_training_loss
  y <- cbind(c(1, 2, 6), c(0, 0, 3))
  expect_equal(null(y, "squared", TRUE), sum(apply(y, 2, function(v) mean((v - mean(v))^2))))
  expect_equal(null(y, "squared", FALSE), mean(rowSums(y^2)))
  onehot <- diag(3)[c(1, 1, 2, 3), ]
  expect_equal(null(onehot, "cross_entropy", TRUE), -(0.5 * log(0.5) + 2 * 0.25 * log(0.25)))
  expect_equal(null(onehot, "cross_entropy", FALSE), log(3))
  expect_equal(null(cbind(c(0, 0, 1)), "cross_entropy", TRUE), -(log(2 / 3) * 2 + log(1 / 3)) / 3)
  expect_equal(null(cbind(c(0, 0, 1)), "cross_entropy", FALSE), log(2))
})

test_that("recurrent starts are stable and have distinct poles", {
  for (seed in 1:30) {
    net <- initialise(input_sequence(64) |> layer_recurrent(1, output = "sequence") |> layer_recurrent(1), seed = seed)
    a <- abs(coef(net)[c("recurrent1.recurrent[1,1]", "recurrent2.recurrent[1,1]")])
    expect_true(all(a < 1))
    expect_false(a[[1]] == a[[2]])
  }
  contract <- capalloc:::recurrent_contract
  expect_identical(contract(matrix(0.5)), matrix(0.5))
  expect_equal(contract(matrix(0.9)), matrix(0.9))
  radius <- function(A) max(Mod(eigen(A)$values))
  expect_equal(radius(contract(3 * diag(2))), 1 - 0.09 / 3)
  fits <- quiet(fit(arch_recurrent(64, 4, "elman"), task_fgn(64, 0.8), seed = 1, restarts = 4,
    control = list(max_iterations = 20)))
  expect_lte(max(fits$runs$train_loss), 1)
})

# ---- coefficients in other units -----------------------------------------------------------------

# A given start is the same function of the data in any units of the task.
expect_same_function <- function(network, task, x) {
  start <- quiet(fit(network, task, seed = 1, control = list(max_iterations = 0), method = "adam"))
  expect_equal(predict(start, x), predict(network, x), tolerance = 1e-10)
}

test_that("given coefficients are converted to the units of the task where that is exact", {
  x <- withr::with_seed(1, cbind(50 + 3 * rnorm(40), 0.01 * rnorm(40), 1e4 + rnorm(40)))
  y <- 7 + x[, 1] / 10 + withr::with_seed(2, rnorm(40))
  task <- task_data(x, y, test = 0)
  dense <- input_vector(3) |> layer_dense(1, bias = TRUE)
  tanh <- input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  for (net in list(dense, tanh)) {
    theta <- withr::with_seed(3, stats::rnorm(capalloc:::n_params(net))) / 1000
    expect_same_function(set_coef(net, theta), task, x)
  }
  # From one set of units to another, and from units to none.
  trained <- quiet(fit(tanh, task, seed = 1, control = list(max_iterations = 30)))
  expect_same_function(trained$network, task_data(2 * x[1:20, ] + 1, 3 * y[1:20], test = 0), x)
  expect_same_function(trained$network, task_data(x, y, test = 0, standardise = FALSE), x)
  # Sequences: dense layers and convolutions, a window at the newest end.
  v <- cumsum(withr::with_seed(4, rnorm(60))) + 30
  series <- task_series(v, 6, test = 0)
  rows <- series$data$x
  conv <- input_sequence(6) |> layer_conv(2, 3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  last <- input_sequence(6) |> layer_conv(1, 3, bias = TRUE) |> layer_last()
  for (net in list(conv, last)) expect_same_function(set_coef(net, sin(seq_len(capalloc:::n_params(net))) / 10),
    series, rows)
})

test_that("given coefficients are refused by class where the conversion is not exact", {
  v <- cumsum(withr::with_seed(4, rnorm(60))) + 30
  task <- task_series(v, 6, test = 0)
  nets <- list(
    padded = input_sequence(6) |> layer_conv(2, 3, padding = "same", bias = TRUE) |> layer_dense(1, bias = TRUE),
    no_bias = input_sequence(6) |> layer_conv(1, 6),
    no_output_bias = input_sequence(6) |> layer_conv(2, 3, bias = TRUE) |> layer_dense(1),
    recurrent = input_sequence(6) |> layer_recurrent(2, bias = TRUE) |> layer_dense(1, bias = TRUE)
  )
  for (net in nets) {
    given <- set_coef(net, sin(seq_len(capalloc:::n_params(net))))
    expect_error(fit(given, task, seed = 1), class = "capalloc_error_units")
    # Coefficients drawn by initialise() have no units.
    expect_s3_class(quiet(fit(initialise(net, seed = 1), task, seed = 1, control = list(max_iterations = 1))), "ca_fit")
  }
})

test_that("a change of units has the fields of its constructor", {
  expect_constructor(new_start_units_change)
})
