# Training on rows: gradients and the convergence number against networks written out by hand, minima that are
# known otherwise, and what fits of such networks say.

quiet_fit <- function(...) suppressWarnings(fit(...), classes = "capalloc_warning_not_converged")

with_relu <- function() {
  c(smooth_cases(), list(relu = list(
    net = input_vector(3) |> layer_dense(5, bias = TRUE) |> layer_activation("relu") |>
      layer_dense(2, bias = TRUE),
    f = function(theta, x) two_layers(theta, x, 5, 2, relu)
  )))
}

random_theta <- function(net, seed) withr::with_seed(seed, stats::rnorm(capalloc:::n_params(net), sd = 0.7))

# ---- gradients -----------------------------------------------------------------------------------

test_that("loss, gradient and convergence number are those of the network written out", {
  for (name in names(with_relu())) {
    case <- with_relu()[[name]]
    theta <- random_theta(case$net, 1)
    n <- prod(case$net$input$shape)
    m <- ncol(case$f(theta, matrix(0, 1, n)))
    # 520 rows are more than a block and not a multiple of one.
    for (N in c(1, 7, 520)) for (loss in c("squared", "cross_entropy")) for (decay in c(0, 0.03)) {
      rows <- random_rows(N, n, m, loss, N)
      found <- core_row_gradient(case$net, theta, rows$x, rows$y, loss, decay)
      label <- paste(name, N, loss, decay)
      objective <- function(theta) plain_loss(case$f(theta, rows$x), rows$y, loss) + decay * sum(theta^2)
      # Both are exact: what differs is the order of sums.
      expect_equal(found$loss, objective(theta), tolerance = 1e-12, label = label)
      expect_equal(found$gradient, complex_step(objective, theta), tolerance = 1e-11, label = label)
      expect_equal(found$number, row_convergence(case$f, theta, rows$x, rows$y, loss, decay),
        tolerance = 1e-10, label = label)
    }
  }
})

test_that("at any theta D' eps is a multiple of the gradient", {
  for (name in names(with_relu())) {
    case <- with_relu()[[name]]
    theta <- random_theta(case$net, 2)
    n <- prod(case$net$input$shape)
    m <- ncol(case$f(theta, matrix(0, 1, n)))
    for (loss in c("squared", "cross_entropy")) {
      rows <- random_rows(9, n, m, loss, 3)
      gradient <- core_row_gradient(case$net, theta, rows$x, rows$y, loss)$gradient
      share <- if (loss == "squared") 9 / 2 else 9
      left <- dependencies_left(case$net, case$f, theta, rows, loss)
      # Sums of second derivatives of size 1 to 10.
      expect_lt(max(abs(left + share * gradient)), 1e-12 * 9 * 10, label = paste(name, loss))
      expect_gt(max(abs(left)), 0.1, label = paste(name, loss))
    }
  }
})

test_that("at a trained smooth network D' eps is N lambda theta, twice that for cross-entropy", {
  case <- smooth_cases()$sigmoid
  for (loss in c("squared", "cross_entropy")) {
    rows <- random_rows(25, 2, 1, loss, 4)
    y <- if (loss == "squared") rows$y else factor(rows$y)
    trained <- fit(case$net, task_data(rows$x, y, test = 0), seed = 1, control = list(decay = 0.01))
    expect_true(trained$converged)
    theta <- unname(coef(trained))
    left <- dependencies_left(case$net, case$f, theta, rows, loss)
    pull <- (if (loss == "squared") 1 else 2) * 25 * 0.01 * theta
    d <- complex_step(function(theta) case$f(theta, rows$x), theta)
    total <- if (loss == "squared") sum(rows$y^2) else 25
    expect_lte(max(abs(left - pull) / sqrt(colSums(d^2) * total)), 1e-6)
    expect_gt(max(abs(pull)), 1e-2)
  }
})

# ---- minima known otherwise ----------------------------------------------------------------------

# Rows of a regression, of two and of three classes that overlap.
regression_rows <- function() {
  withr::with_seed(3, {
    x <- matrix(stats::rnorm(120), 40)
    list(
      x = x,
      y = x %*% cbind(c(1, -1, 0.5), c(0, 2, 0.5)) + matrix(stats::rnorm(80), 40) + rep(0:1, each = 40),
      two = factor(ifelse(x %*% c(1, -1, 0.5) + stats::rlogis(40) > 0, "yes", "no")),
      three = factor(letters[max.col(x %*% cbind(c(1, 0.5, 0.5), c(0, -1, 0.5), -1) - log(stats::rexp(120)))])
    )
  })
}

methods <- c("lm", "lbfgs", "adam")

test_that("a linear network with decay is ridge regression by every method", {
  rows <- regression_rows()
  task <- task_data(rows$x, rows$y, test = 0)
  X <- cbind(rows$x, 1)
  ridge <- solve(crossprod(X) / 40 + 0.1 * diag(4), crossprod(X, rows$y) / 40)
  for (method in methods) {
    trained <- fit(input_vector(3) |> layer_dense(2, bias = TRUE), task, method = method, seed = 1,
      control = list(decay = 0.1))
    # 1e-10 in the gradient, a condition below 10.
    expect_equal(unname(coef(trained)), c(t(ridge)), tolerance = 1e-8, label = method)
    expect_equal(trained$train_loss, sum((rows$y - X %*% ridge)^2) / 40 + 0.1 * sum(ridge^2), tolerance = 1e-12)
    expect_lte(trained$gradient_norm, 1e-10)
    expect_true(trained$converged)
  }
})

test_that("one logit for two classes is logistic regression by every method", {
  rows <- regression_rows()
  task <- task_data(rows$x, rows$two, test = 0)
  by_glm <- stats::glm(rows$two ~ rows$x, stats::binomial, epsilon = 1e-14)
  for (method in methods) {
    trained <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task, method = method, seed = 1,
      control = list(tol = 1e-9))
    # The gradient is below 1e-9 of its scale, the condition of the information below 100.
    expect_equal(unname(coef(trained)), unname(coef(by_glm)[c(2:4, 1)]), tolerance = 1e-6, label = method)
    expect_equal(trained$train_loss, stats::deviance(by_glm) / 80, tolerance = 1e-12, label = method)
    expect_equal(fitted(trained)[, "yes"], unname(stats::fitted(by_glm)), tolerance = 1e-6, label = method)
    expect_true(trained$converged)
  }
})

test_that("one logit per class is multinomial regression by every method", {
  rows <- regression_rows()
  task <- task_data(rows$x, rows$three, test = 0)
  onehot <- outer(rows$three, letters[1:3], "==") + 0
  trained <- lapply(methods, function(method) {
    fit(input_vector(3) |> layer_dense(3, bias = TRUE), task, method = method, seed = 1,
      control = list(tol = 1e-9))
  })
  for (each in trained) {
    theta <- unname(coef(each))
    p <- plain_mean(cbind(rows$x, 1) %*% t(matrix(theta, 3)), "cross_entropy")
    # The likelihood's stationary point: the bound 1e-9 times the size of 40 rows.
    expect_lt(max(abs(crossprod(cbind(rows$x, 1), onehot - p))), 1e-7)
    expect_equal(unname(fitted(each)), p, tolerance = 1e-12)
    expect_equal(each$train_loss, -mean(log(p[onehot == 1])), tolerance = 1e-12)
  }
  # Logits are defined up to a constant; probabilities are not.
  expect_equal(fitted(trained[[2]]), fitted(trained[[1]]), tolerance = 1e-7)
  expect_equal(fitted(trained[[3]]), fitted(trained[[1]]), tolerance = 1e-7)
  skip_if_not_installed("nnet")
  by_nnet <- nnet::multinom(rows$three ~ rows$x, trace = FALSE, reltol = 1e-15, abstol = 1e-15, maxit = 1000)
  expect_equal(fitted(trained[[1]]), fitted(by_nnet), tolerance = 1e-6, ignore_attr = TRUE)
})

test_that("two logits and one logit give the same probabilities", {
  rows <- regression_rows()
  task <- task_data(rows$x, rows$two, test = 0)
  one <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task, seed = 1, control = list(tol = 1e-10))
  two <- fit(input_vector(3) |> layer_dense(2, bias = TRUE), task, seed = 1, control = list(tol = 1e-10))
  expect_equal(fitted(two), fitted(one), tolerance = 1e-8)
  expect_equal(two$train_loss, one$train_loss, tolerance = 1e-12)
})

test_that("a network that is linear after all has the minimum of least squares", {
  # relu(u) - relu(-u) = u for every unit.
  both <- function(x) {
    layer_parallel(x, \(x) layer_activation(x, "relu"),
      \(x) x |> layer_conv(2, 1) |> layer_activation("relu") |> layer_conv(2, 1), merge = "sum")
  }
  rows <- regression_rows()
  net <- input_vector(3) |> layer_dense(2, bias = TRUE) |> both()
  skip_if(TRUE)
})

# ---- what a fit says of itself -------------------------------------------------------------------

# Small, not linear, and quick: 16 parameters.
tanh_net <- function(outputs = 1) {
  input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |>
    layer_dense(outputs, bias = TRUE)
}

tanh_f <- function(outputs = 1) function(theta, x) two_layers(theta, x, 3, outputs, tanh)

sine_rows <- function(N = 40, seed = 1) {
  withr::with_seed(seed, {
    x <- matrix(stats::rnorm(3 * N), N)
    list(x = x, y = sin(2 * x[, 1]) + x[, 2] * x[, 3] + stats::rnorm(N) / 5)
  })
}

sine_task <- function(...) {
  rows <- sine_rows()
  task_data(rows$x, rows$y, ...)
}

test_that("the convergence number is the documented one, and converged means that it is at its bound", {
  task <- sine_task(test = 0)
  classes <- task_data(task$data$x, cut(task$data$y, c(-Inf, -0.5, 0.5, Inf)), test = 0)
  for (decay in c(0, 0.01)) for (method in methods) for (most in c(0, 3, 300)) {
    control <- list(max_iterations = most, decay = decay)
    for (case in list(list(task, 1, "squared"), list(classes, 3, "cross_entropy"))) {
      trained <- quiet_fit(tanh_net(case[[2]]), case[[1]], method = method, seed = 2, control = control)
      label <- paste(method, most, decay, case[[3]])
      theta <- unname(coef(trained))
      data <- case[[1]]$data
      number <- row_convergence(tanh_f(case[[2]]), theta, data$x, data$y, case[[3]], decay)
      # Near a minimum the number is a difference of numbers of size 1.
      expect_lt(abs(trained$gradient_norm - number), 1e-8 * number + 1e-13, label = label)
      expect_identical(trained$converged, trained$gradient_norm <= 1e-6, label = label)
      expect_identical(trained$converged, trained$outcome == "converged", label = label)
      expect_lte(trained$iterations, most)
      loss <- plain_loss(tanh_f(case[[2]])(theta, data$x), data$y, case[[3]]) + decay * sum(theta^2)
      expect_equal(trained$train_loss, loss, tolerance = 1e-12, label = label)
      expect_equal(min(trained$history$loss), loss, tolerance = 1e-12, label = label)
    }
  }
})

test_that("every outcome has its warning", {
  task <- sine_task(test = 0)
  expect_warning(
    trained <- fit(tanh_net(), task, seed = 1, control = list(max_iterations = 2)),
    "used all its iterations", class = "capalloc_warning_not_converged"
  )
  expect_equal(trained$outcome, "exhausted")
  expect_warning(
    trained <- fit(tanh_net(), task, seed = 1, control = list(tol = 0, decay = 0.01)),
    "stalled", class = "capalloc_warning_not_converged"
  )
  expect_lt(trained$gradient_norm, 1e-10)
  for (method in methods) {
    # All units are dead: nothing moves.
    dead <- input_vector(3) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(1) |> set_coef(numeric(8))
    expect_warning(
      trained <- fit(dead, task, method = method, seed = 1, control = list(max_iterations = 20)),
      "degenerate", class = "capalloc_warning_not_converged"
    )
    expect_equal(trained$outcome, "degenerate")
    expect_true(is.nan(trained$gradient_norm))
  }
  expect_warning(
    trained <- fit(tanh_net(), task, seed = 1, control = list(validation = 0.3, patience = 2)),
    "stopped early", class = "capalloc_warning_not_converged"
  )
  expect_equal(trained$outcome, "stopped")
  expect_false(trained$converged)
  expect_no_warning <- function(code) expect_warning(code, NA)
  expect_no_warning(trained <- fit(tanh_net(), task, seed = 1, control = list(decay = 0.01)))
  expect_equal(trained$outcome, "converged")
})

test_that("the restart with the least training loss is kept, and coefficients given are the first start", {
  task <- sine_task(test = 0)
  control <- list(max_iterations = 6)
  trained <- quiet_fit(tanh_net(), task, seed = 4, restarts = 4, control = control)
  losses <- trained$runs$train_loss
  expect_length(unique(losses), 4)
  expect_identical(trained$train_loss, min(losses))
  expect_identical(trained$gradient_norm, trained$runs$gradient_norm[[which.min(losses)]])
  expect_identical(trained$iterations, trained$runs$iterations[[which.min(losses)]])
  expect_identical(unique(trained$history$restart), 1:4)
  one <- quiet_fit(tanh_net(), task, seed = 4, control = control)
  expect_identical(one$train_loss, losses[[1]])
  begun <- set_coef(tanh_net(), random_theta(tanh_net(), 7))
  for (method in methods) {
    still <- quiet_fit(begun, task, method = method, seed = 4, restarts = 3, control = list(max_iterations = 0))
    drawn <- quiet_fit(tanh_net(), task, method = method, seed = 4, restarts = 3,
      control = list(max_iterations = 0))
    own <- plain_loss(tanh_f()(begun$coef, task$data$x), task$data$y, "squared")
    expect_equal(still$runs$train_loss[[1]], own, tolerance = 1e-12)
    expect_identical(still$runs$train_loss[-1], drawn$runs$train_loss[-1])
  }
  alone <- quiet_fit(begun, task, seed = 4, control = list(max_iterations = 0))
  expect_identical(unname(coef(alone)), begun$coef)
})

# ---- seeds ---------------------------------------------------------------------------------------

test_that("the same seed gives the identical fit, another seed another", {
  task <- sine_task(test = 0.2, seed = 1)
  cases <- list(
    list(method = "lm", control = list(max_iterations = 5)),
    list(method = "lm", control = list(max_iterations = 5, validation = 0.2)),
    list(method = "lbfgs", control = list(max_iterations = 5, decay = 0.1)),
    list(method = "adam", control = list(max_iterations = 5)),
    list(method = "adam", control = list(max_iterations = 5, batch = 7)),
    list(method = "lm", n_obs = 30, control = list(max_iterations = 5))
  )
  for (case in cases) {
    draw <- function(seed) {
      trained <- do.call(quiet_fit, c(list(tanh_net(), task, seed = seed, restarts = 2), case))
      trained[setdiff(names(trained), "seconds")]
    }
    one <- draw(1)
    expect_identical(draw(1), one)
    expect_false(identical(draw(2)$history$loss, one$history$loss))
  }
})

test_that("the order of mini-batches comes from the seed also when the start is given", {
  begun <- set_coef(tanh_net(), random_theta(tanh_net(), 7))
  draw <- function(seed) {
    coef(quiet_fit(begun, sine_task(test = 0), method = "adam", seed = seed,
      control = list(max_iterations = 2, batch = 7)))
  }
  expect_identical(draw(1), draw(1))
  expect_false(identical(draw(1), draw(2)))
})

test_that("the user's generator is left as it was found", {
  withr::local_preserve_seed()
  task <- sine_task(test = 0)
  RNGkind("Wichmann-Hill", "Box-Muller", "Rejection")
  set.seed(5)
  before <- list(RNGkind(), .Random.seed)
  control <- list(max_iterations = 3, batch = 7, validation = 0.2)
  trained <- quiet_fit(tanh_net(), task, method = "adam", seed = 1, control = control)
  quiet_fit(tanh_net(), task_linear(c(1, 1, 1), 0.1, input = input_vector(3)), n_obs = 20, seed = 1)
  expect_identical(list(RNGkind(), .Random.seed), before)
  quiet_fit(tanh_net(), task, method = "adam", control = control)
  after <- .Random.seed
  set.seed(5)
  sample.int(.Machine$integer.max, 1L)
  expect_identical(.Random.seed, after)
  RNGkind("default", "default", "default")
  expect_identical(coef(quiet_fit(tanh_net(), task, method = "adam", seed = 1, control = control)), coef(trained))
  rm(".Random.seed", envir = globalenv())
  quiet_fit(tanh_net(), task, method = "adam", seed = 1, control = control)
  expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
})

# ---- samples and losses --------------------------------------------------------------------------

test_that("a synthetic task needs a finite n_obs where moments are not enough", {
  task <- task_ar(8, 0.5)
  linear <- input_sequence(8) |> layer_dense(1)
  relu <- input_sequence(8) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(1)
  expect_snapshot({
    cat(bad(fit(relu, task, seed = 1), "n_obs"))
    cat(bad(fit(linear, task, seed = 1, control = list(decay = 0.1)), "n_obs"))
    cat(bad(fit(linear, task, seed = 1, control = list(validation = 0.1)), "n_obs"))
    cat(bad(fit(linear, task, seed = 1, method = "adam", control = list(batch = 5)), "n_obs"))
  })
  trained <- quiet_fit(relu, task, n_obs = 50, seed = 1, control = list(max_iterations = 5))
  expect_equal(nobs(trained), 50)
  # The rows are those that the linear network of this seed sees.
  expect_identical(trained$rows, fit(linear, task, n_obs = 50, seed = 1)$rows)
  expect_identical(trained$bayes_loss, bayes_loss(task))
})

test_that("the loss is on 10000 fresh rows, the same for all networks of a seed", {
  task <- task_ar(8, 0.5)
  # yhat = relu(x_8) / 2 - relu(-x_8) / 2 = x_8 / 2: the Bayes predictor of the first-order process.
  net <- input_sequence(8) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(1)
  best <- set_coef(net, c(numeric(14), 1, -1, 0.5, -0.5))
  still <- list(max_iterations = 0)
  loss <- function(network, seed, ...) quiet_fit(network, task, n_obs = 20, seed = seed, control = still, ...)$loss
  one <- loss(best, 1)
  # The mean of 10000 squares of a Gaussian of variance v scatters by v sqrt(2 / 10000).
  v <- bayes_loss(task)
  expect_lt(abs(one - v), 5 * v * sqrt(2 / 10000))
  expect_false(one == v)
  expect_false(loss(best, 2) == one)
  for (method in methods) expect_identical(loss(best, 1, method = method), one)
  expect_identical(quiet_fit(best, task, n_obs = 31, seed = 1, control = still)$loss, one)
  # The same function in another network, with other restarts.
  wide <- input_sequence(8) |> layer_dense(3) |> layer_activation("relu") |> layer_dense(1) |>
    set_coef(c(numeric(21), 1, -1, 0, 0.5, -0.5, 0))
  expect_equal(loss(wide, 1), one, tolerance = 1e-13)
  # They are not the rows of training: there the loss is another.
  trained <- quiet_fit(best, task, n_obs = 10000, seed = 1, control = still)
  expect_gt(abs(trained$train_loss - trained$loss), 1e-6)
  # A linear network on rows has its loss on the population.
  ridge <- fit(input_sequence(8) |> layer_dense(1), task, n_obs = 50, seed = 1, control = list(decay = 0.1))
  w <- unname(coef(ridge))
  of <- task$moments
  expect_equal(ridge$loss, of$target[[1]] - 2 * sum(w * of$cross) + drop(w %*% of$sigma %*% w), tolerance = 1e-12)
  expect_equal(ridge$train_loss, mean(residuals(ridge)^2) + 0.1 * sum(w^2), tolerance = 1e-12)
})

test_that("the loss of data is on the rows held out, without decay", {
  rows <- sine_rows(50)
  classes <- cut(rows$y, c(-Inf, -0.5, 0.5, Inf), labels = c("low", "middle", "high"))
  control <- list(max_iterations = 20, decay = 0.01)
  trained <- quiet_fit(tanh_net(), task_data(rows$x, rows$y, seed = 1), seed = 1, control = control)
  data <- trained$task$data
  expect_equal(nrow(data$x_test), 10)
  yhat <- tanh_f()(unname(coef(trained)), data$x_test)
  expect_equal(trained$loss, mean((data$y_test - yhat)^2), tolerance = 1e-12)
  expect_identical(trained$bayes_loss, NA_real_)
  trained <- quiet_fit(tanh_net(3), task_data(rows$x, classes, seed = 1), seed = 1, control = control)
  data <- trained$task$data
  p <- plain_mean(tanh_f(3)(unname(coef(trained)), data$x_test), "cross_entropy")
  expect_equal(trained$loss, -mean(log(p[data$y_test == 1])), tolerance = 1e-12)
  none <- quiet_fit(tanh_net(3), task_data(rows$x, classes, test = 0), seed = 1, control = control)
  expect_identical(none$loss, NA_real_)
})

test_that("cross-entropy does not overflow", {
  task <- task_data(c(-2, -1, 1, 2), c("a", "a", "b", "b"), test = 0)
  logit <- input_vector(1) |> layer_dense(1)
  still <- list(max_iterations = 0)
  # log(1 + exp(-1000)) + log(1 + exp(-2000)) is zero, the wrong way round it is 1000 + 2000.
  right <- quiet_fit(set_coef(logit, 1000), task, control = still)
  wrong <- quiet_fit(set_coef(logit, -1000), task, control = still)
  expect_identical(right$train_loss, 0)
  expect_identical(wrong$train_loss, 1500)
  expect_identical(unname(fitted(right)), cbind(c(1, 1, 0, 0), c(0, 0, 1, 1)))
  two <- quiet_fit(set_coef(input_vector(1) |> layer_dense(2), c(500, -500)), task, control = still)
  expect_identical(two$train_loss, 1500)
  expect_identical(unname(fitted(two)), unname(fitted(wrong)))
  # Classes that can be told apart: the loss goes to zero, and the bound is met on the way.
  trained <- fit(logit, task, seed = 1)
  expect_true(trained$converged)
  expect_lt(trained$train_loss, 1e-5)
})
