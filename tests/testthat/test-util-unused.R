unused <- function(code) {
  expect_warning(code, class = "capalloc_warning_unused")$args
}

silent <- function(code) expect_no_warning(code, class = "capalloc_warning_unused")

test_that("data of a linear network are warned of where nothing uses them", {
  net <- initialise(input_vector(3) |> layer_dense(2) |> layer_dense(1), seed = 1)
  x <- matrix(rnorm(30), 10)
  task <- task_moments(diag(3), 1:3, 20)
  expect_identical(unused(capacity(net, data = x)), "data")
  expect_identical(unused(capacity_kernel(net, data = x)), "data")
  expect_identical(unused(capacity_table(net, data = task)), "data")
  silent(capacity(net, data = task)) # for the convergence number
  silent(capacity(net, "covariance", data = x))
  silent(capacity(net, "standardised", data = x))
  silent(capacity(net, partition = partition_pca(1), data = x))
  fitted <- fit(net, task_data(x, x[, 1] + rnorm(10), test = 0), seed = 1) |> suppressWarnings()
  expect_identical(unused(capacity(fitted, "standardised", data = x)), "data") # it has units of its own
  curved <- initialise(input_vector(3) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(1), seed = 1)
  silent(suppressWarnings(capacity(curved, data = x), classes = "capalloc_warning_rows_exhausted"))
})

test_that("arguments of intervals need conf.int", {
  trained <- fit(arch_dense(4), task_ar(4, 0.5), n_obs = 50, seed = 1)
  expect_identical(unused(tidy(capacity(trained), times = 20, over = "rows")), c("over", "times"))
  silent(tidy(capacity(trained), seed = 1))
  silent(tidy(capacity(trained), conf.int = TRUE, over = "rows", times = 3, seed = 1))
})

test_that("settings of other optimisers and of early stopping are warned of", {
  net <- input_vector(1) |> layer_dense(1)
  task <- task_data(mpg ~ wt, mtcars, test = 0)
  expect_identical(unused(fit(net, task, control = list(learning_rate = 1, memory = 5))),
    c("control$learning_rate", "control$memory"))
  expect_identical(unused(fit(net, task, control = list(patience = 3))), "control$patience")
  silent(fit(net, task, "lbfgs", control = list(memory = 5)))
  silent(suppressWarnings(fit(net, task, seed = 1, control = list(validation = 0.2, patience = 3)),
    classes = "capalloc_warning_not_converged"))
  cars <- list(cars = task_data(mpg ~ wt, mtcars))
  once <- unused(compare_architectures(list(net = net), cars, replicates = 2, control = list(memory = 5)))
  expect_identical(once, "control$memory") # a second warning would be reported by testthat
})

test_that("a split that contradicts the rows to hold out is refused", {
  for (split in c("random", "stratified")) {
    expect_error(task_data(mpg ~ wt, mtcars, test = "last", split = split), class = "capalloc_error_value")
    expect_error(task_data(factor(am) ~ wt, mtcars, test = 3:4, split = "stratified"), class = "capalloc_error_value")
  }
  expect_equal(nrow(task_data(mpg ~ wt, mtcars, test = "last", split = "last")$data$x_test), 6)
})

test_that("places of gates are warned of where a network has none", {
  linear <- initialise(input_sequence(8) |> layer_conv(2, 3) |> layer_dense(1), seed = 1)
  curved <- initialise(input_sequence(8) |> layer_conv(2, 3) |> layer_activation("tanh") |> layer_dense(1), seed = 1)
  task <- task_ar(8, 0.5)
  x <- simulate(task, 20, seed = 1)$x
  expect_identical(unused(propagate_capacity(linear, task = task)), "task")
  expect_identical(unused(propagate_capacity(linear, data = x)), "data")
  expect_identical(unused(effective_receptive_field(linear, task = task)), "task")
  silent(propagate_capacity(curved, task = task))
  silent(propagate_capacity(linear))
  chain <- initialise(input_sequence(33) |>
    layer_residual(\(u) layer_conv(u, 1, kernel = 3, padding = "same"), scale = 1), seed = 1)
  expect_identical(unused(diffusion_limit(chain, task = task_ar(33, 0.5))), "task")
  ends <- rbind(rep(-1, 8), rep(1, 8))
  expect_identical(unused(shattering(curved, ends, path = 5, bins = 3)), "bins")
  silent(shattering(curved, x, bins = 3))
  expect_identical(unused(scaling_study(depths = c(4, 8), exponents = 0.5, draws = 5)), "draws")
  silent(scaling_study(depths = c(4, 8), exponents = 0.5, mode = "independent", draws = 3, seed = 1))
})

test_that("pictures warn of arguments of other types", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(list(dense = arch_dense(8), dilated = arch_dilated(8)), classical_tasks(8)[1:2],
    replicates = 2)
  expect_identical(unused(ggplot2::autoplot(cmp, metric = "loss", a = "dense")), c("metric", "a"))
  silent(ggplot2::autoplot(cmp, type = "rank", metric = "loss"))
  silent(ggplot2::autoplot(cmp, type = "frontier", level = 0.9))
  trained <- fit(arch_dense(4), task_ar(4, 0.5), n_obs = 50, seed = 1)
  expect_identical(unused(ggplot2::autoplot(capacity(trained), type = "spectrum", conf.int = TRUE)), "conf.int")
  found <- search_architecture(task_fgn(8, 0.8), 16, family = c("dilated", "conv"), replicates = 2)
  expect_identical(unused(plot(found, candidates = 2)), "candidates")
  expect_identical(unused(ggplot2::autoplot(found, candidates = 2)), "candidates")
})

test_that("the text names the arguments and the reason", {
  net <- input_vector(1) |> layer_dense(1)
  task <- task_data(mpg ~ wt, mtcars, test = 0)
  settings <- list(list(learning_rate = 1, memory = 5), list(patience = 3))
  texts <- vapply(settings, function(control) {
    conditionMessage(expect_warning(fit(net, task, control = control), class = "capalloc_warning_unused"))
  }, "")
  data <- expect_warning(capacity(initialise(net, seed = 1), data = matrix(1)), class = "capalloc_warning_unused")
  expect_snapshot(writeLines(c(texts, conditionMessage(data))))
})
