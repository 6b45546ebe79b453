# Training on rows: gradients and convergence numbers compared with explicit formulas, minima known from other methods,
# and the results that fits report.

quiet_fit <- function(...) {
  suppressWarnings(fit(...), classes = c("capalloc_warning_not_converged", "capalloc_warning_starts"))
}

with_relu <- function() {
  c(smooth_cases(), list(relu = list(
    net = input_vector(3) |> layer_dense(5, bias = TRUE) |> layer_activation("relu") |>
      layer_dense(2, bias = TRUE),
    f = function(theta, x) two_layers(theta, x, 5, 2, relu)
  )))
}

random_theta <- function(net, seed) withr::with_seed(seed, stats::rnorm(capalloc:::n_params(net), sd = 0.7))

# ---- gradients -----------------------------------------------------------------------------------

test_that("loss, gradient and convergence number equal those of explicit formulas", {
  for (name in names(with_relu())) {
    case <- with_relu()[[name]]
    theta <- random_theta(case$net, 1)
    n <- prod(case$net$input$shape)
    m <- ncol(case$f(theta, matrix(0, 1, n)))
    # 520 rows are more than one block and not a multiple of a block.
    for (N in c(2, 7, 520)) for (loss in c("squared", "cross_entropy")) for (decay in c(0, 0.03)) {
      if (N == 520 && decay == 0) next
      rows <- random_rows(N, n, m, loss, N)
      found <- core_row_gradient(case$net, theta, rows$x, rows$y, loss, decay)
      label <- paste(name, N, loss, decay)
      objective <- function(theta) plain_loss(case$f(theta, rows$x), rows$y, loss) + decay * sum(theta^2)
      # Both are exact up to the order of summation.
      expect_equal(found$loss, objective(theta), tolerance = 1e-12, label = label)
      expect_equal(found$gradient, complex_step(objective, theta), tolerance = 1e-11, label = label)
      expect_equal(found$number, row_convergence(case$f, theta, rows$x, rows$y, loss, decay),
        tolerance = 1e-10, label = label)
    }
  }
})

test_that("gradients of every kind of layer equal complex-step derivatives of explicit formulas", {
  networks <- c(named_networks(), sequence_networks(), grid_networks(), curved_networks(), curved_grids())
  for (i in seq_along(networks)) {
    net <- networks[[i]]
    theta <- random_theta(net, i)
    rows <- random_rows(3, prod(net$input$shape), prod(shape_of(net)), "squared", i)
    found <- core_row_gradient(net, theta, rows$x, rows$y, "squared")
    objective <- function(theta) plain_loss(twin_predict(net, rows$x, theta), rows$y, "squared")
    expect_equal(found$gradient, complex_step(objective, theta), tolerance = 1e-10, label = names(networks)[[i]])
  }
})

test_that("the curvature of squared errors along a step equals the second derivative", {
  for (name in names(with_relu())) {
    case <- with_relu()[[name]]
    theta <- random_theta(case$net, 5)
    v <- random_theta(case$net, 6)
    n <- prod(case$net$input$shape)
    m <- ncol(case$f(theta, matrix(0, 1, n)))
    # 520 rows are more than one block and not a multiple of a block, and too many for all to avoid the kinks of relu.
    for (N in c(7, if (name != "relu") 520)) {
      rows <- random_rows(N, n, m, "squared", 8)
      # First derivatives along v by complex steps, then a central difference of fourth order.
      slope <- function(t) Im(case$f(theta + t * v + 1e-30i * v, rows$x)) / 1e-30
      h <- 1e-3
      bend <- (8 * (slope(h) - slope(-h)) - (slope(2 * h) - slope(-2 * h))) / (12 * h)
      d <- matrix(complex_step(function(theta) case$f(theta, rows$x), theta), ncol = length(theta))
      found <- core_row_gradient(case$net, theta, rows$x, rows$y, "squared", along = v)$bend
      expect_equal(found, colSums(d * c(bend)) / N, tolerance = 1e-8, label = paste(name, N))
    }
    expect_null(core_row_gradient(case$net, theta, rows$x, abs(sign(rows$y)), "cross_entropy", along = v)$bend)
  }
})

test_that("D' eps is a multiple of the gradient at any theta", {
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

test_that("for a trained smooth network D' eps is N lambda theta, twice that for cross-entropy", {
  case <- smooth_cases()$sigmoid
  for (loss in c("squared", "cross_entropy")) {
    rows <- random_rows(25, 2, 1, loss, 4)
    y <- if (loss == "squared") rows$y else factor(rows$y)
    trained <- fit(case$net, raw_data(rows$x, y, test = 0), seed = 1, control = list(decay = 0.01))
    expect_true(trained$converged)
    theta <- unname(coef(trained))
    left <- dependencies_left(case$net, case$f, theta, rows, loss)
    pull <- (if (loss == "squared") 1 else 2) * 25 * 0.01 * theta
    d <- complex_step(function(theta) case$f(theta, rows$x), theta)
    total <- if (loss == "squared") sum(rows$y^2) else 25
    expect_lte(max(abs(left - pull) / sqrt((colSums(d^2) + abs(pull / theta)) * total)), 1e-6)
    expect_gt(max(abs(pull)), 1e-2)
  }
})

# ---- minima known from other methods -------------------------------------------------------------

# Rows of a regression, and of two and three overlapping classes.
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

# Tolerance of each method at a smooth minimum: L-BFGS stops when the loss no longer decreases.
reached <- c(lm = 1e-10, lbfgs = 1e-6, adam = 1e-8)

test_that("a linear network with decay is ridge regression by every method", {
  rows <- regression_rows()
  task <- raw_data(rows$x, rows$y, test = 0)
  X <- cbind(rows$x, 1)
  ridge <- solve(crossprod(X) / 40 + 0.1 * diag(4), crossprod(X, rows$y) / 40)
  for (method in methods) {
    trained <- quiet_fit(input_vector(3) |> layer_dense(2, bias = TRUE), task, method = method, seed = 1,
      control = list(decay = 0.1))
    # The gradient is below 1e-10 and the condition number below 10.
    expect_equal(unname(coef(trained)), c(t(ridge)), tolerance = 1e-8, label = method)
    expect_equal(trained$train_loss, sum((rows$y - X %*% ridge)^2) / 40 + 0.1 * sum(ridge^2), tolerance = 1e-12)
    expect_lte(trained$gradient_norm, reached[[method]])
    expect_equal(trained$converged, trained$gradient_norm <= 1e-10)
    if (method == "lm") expect_true(trained$converged)
  }
})

test_that("one logit for two classes is logistic regression by every method", {
  rows <- regression_rows()
  task <- raw_data(rows$x, rows$two, test = 0)
  by_glm <- stats::glm(rows$two ~ rows$x, stats::binomial, epsilon = 1e-14)
  for (method in methods) {
    trained <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task, method = method, seed = 1,
      control = list(tol = reached[[method]]))
    # The gradient is below 1e-6 of its scale and the condition number of the information below 100.
    expect_equal(unname(coef(trained)), unname(coef(by_glm)[c(2:4, 1)]), tolerance = 1e-5, label = method)
    expect_equal(trained$train_loss, stats::deviance(by_glm) / 80, tolerance = 1e-12, label = method)
    expect_equal(fitted(trained)[, "yes"], unname(stats::fitted(by_glm)), tolerance = 1e-6, label = method)
    expect_true(trained$converged)
  }
})

test_that("one logit per class is multinomial regression by every method", {
  rows <- regression_rows()
  task <- raw_data(rows$x, rows$three, test = 0)
  onehot <- outer(rows$three, letters[1:3], "==") + 0
  trained <- lapply(methods, function(method) {
    fit(input_vector(3) |> layer_dense(3, bias = TRUE), task, method = method, seed = 1,
      control = list(tol = reached[[method]]))
  })
  for (each in trained) {
    theta <- unname(coef(each))
    p <- plain_mean(cbind(rows$x, 1) %*% t(matrix(theta, 3)), "cross_entropy")
    # The score vanishes up to the bound 1e-6 times the scale of 40 rows.
    expect_lt(max(abs(crossprod(cbind(rows$x, 1), onehot - p))), 1e-6 * 40)
    expect_equal(unname(fitted(each)), p, tolerance = 1e-12)
    expect_equal(each$train_loss, -mean(log(p[onehot == 1])), tolerance = 1e-12)
  }
  # Logits are defined up to a constant, probabilities uniquely.
  expect_equal(fitted(trained[[2]]), fitted(trained[[1]]), tolerance = 1e-6)
  expect_equal(fitted(trained[[3]]), fitted(trained[[1]]), tolerance = 1e-8)
  skip_if_not_installed("nnet")
  by_nnet <- nnet::multinom(rows$three ~ rows$x, trace = FALSE, reltol = 1e-15, abstol = 1e-15, maxit = 1000)
  expect_equal(fitted(trained[[1]]), fitted(by_nnet), tolerance = 1e-6, ignore_attr = TRUE)
})

test_that("two logits and one logit give the same probabilities", {
  rows <- regression_rows()
  task <- raw_data(rows$x, rows$two, test = 0)
  one <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task, seed = 1, control = list(tol = 1e-10))
  two <- fit(input_vector(3) |> layer_dense(2, bias = TRUE), task, seed = 1, control = list(tol = 1e-10))
  expect_equal(fitted(two), fitted(one), tolerance = 1e-8)
  expect_equal(two$train_loss, one$train_loss, tolerance = 1e-12)
})

# ---- properties of a fit -------------------------------------------------------------------------

# A small nonlinear network with 16 parameters, which trains fast.
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
  raw_data(rows$x, rows$y, ...)
}

test_that("the convergence number equals its definition, and `converged` means that it meets its bound", {
  task <- sine_task(test = 0)
  classes <- raw_data(task$data$x, cut(task$data$y, c(-Inf, -0.5, 0.5, Inf)), test = 0)
  for (decay in c(0, 0.01)) for (method in methods) for (most in c(0, 3, 100)) {
    control <- list(max_iterations = most, decay = decay)
    for (case in list(list(task, 1, "squared"), list(classes, 3, "cross_entropy"))) {
      trained <- quiet_fit(tanh_net(case[[2]]), case[[1]], method = method, seed = 2, control = control)
      label <- paste(method, most, decay, case[[3]])
      theta <- unname(coef(trained))
      data <- case[[1]]$data
      number <- row_convergence(tanh_f(case[[2]]), theta, data$x, data$y, case[[3]], decay)
      # Near a minimum the number is a difference of quantities of size 1.
      expect_lt(abs(trained$gradient_norm - number), 1e-8 * number + 1e-13, label = label)
      # The convergence number is not sufficient: the decrement must be small too.
      small <- trained$decrement <= 1e-8 * trained$train_loss
      expect_identical(trained$converged, trained$gradient_norm <= 1e-6 && small, label = label)
      expect_identical(trained$converged, trained$outcome == "converged", label = label)
      expect_lte(trained$iterations, most)
      loss <- plain_loss(tanh_f(case[[2]])(theta, data$x), data$y, case[[3]]) + decay * sum(theta^2)
      expect_equal(trained$train_loss, loss, tolerance = 1e-12, label = label)
      expect_equal(min(trained$history$loss), loss, tolerance = 1e-12, label = label)
    }
  }
})

test_that("every outcome but convergence has its warning", {
  task <- sine_task(test = 0)
  expect_warning(
    trained <- fit(tanh_net(), task, seed = 1, control = list(max_iterations = 2)),
    "reached the maximum number of iterations", class = "capalloc_warning_not_converged"
  )
  expect_equal(trained$outcome, "exhausted")
  expect_warning(
    trained <- fit(tanh_net(), task, seed = 1, control = list(tol = 0, decay = 0.01)),
    "stalled", class = "capalloc_warning_not_converged"
  )
  expect_lt(trained$gradient_norm, 1e-10)
  for (method in methods) {
    # All units are dead, so all derivatives are zero.
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
  expect_warning(trained <- fit(tanh_net(), task, seed = 1, control = list(decay = 0.01)), NA)
  expect_equal(trained$outcome, "converged")
})

test_that("the restart with the least training loss is kept, and given coefficients are the first start", {
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

test_that("the same seed gives an identical fit and another seed a different fit", {
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

test_that("the seed determines the order of mini-batches also when the start is given", {
  begun <- set_coef(tanh_net(), random_theta(tanh_net(), 7))
  draw <- function(seed) {
    coef(quiet_fit(begun, sine_task(test = 0), method = "adam", seed = seed,
      control = list(max_iterations = 2, batch = 7)))
  }
  expect_identical(draw(1), draw(1))
  expect_false(identical(draw(1), draw(2)))
})

test_that("fit() restores the user's generator", {
  withr::local_preserve_seed()
  task <- sine_task(test = 0)
  RNGkind("Wichmann-Hill", "Box-Muller", "Rejection")
  set.seed(5)
  before <- list(RNGkind(), .Random.seed)
  control <- list(max_iterations = 3, batch = 7, validation = 0.2)
  trained <- quiet_fit(tanh_net(), task, method = "adam", seed = 1, control = control)
  quiet_fit(input_sequence(3) |> layer_dense(1) |> layer_activation("tanh"), task_ar(3, 0.5), n_obs = 20, seed = 1)
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

test_that("a synthetic task needs a finite n_obs where training needs rows", {
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
  # The rows are the same as those of a linear network with this seed.
  expect_identical(trained$rows, fit(linear, task, n_obs = 50, seed = 1)$rows)
  expect_identical(trained$bayes_loss, bayes_loss(task))
})

test_that("the excess loss is computed on 10000 new rows, the same for all networks of a seed", {
  task <- task_ar(8, 0.5)
  # yhat = relu(x_8) / 2 - relu(-x_8) / 2 = x_8 / 2: the Bayes predictor of the first-order process.
  net <- input_sequence(8) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(1)
  best <- set_coef(net, c(numeric(14), 1, -1, 0.5, -0.5))
  still <- list(max_iterations = 0)
  loss <- function(network, seed, ...) quiet_fit(network, task, n_obs = 20, seed = seed, control = still, ...)$loss
  # The Bayes predictor has no excess loss on any rows.
  expect_equal(loss(best, 1), bayes_loss(task), tolerance = 1e-14)
  # With the weight 0.4 instead of 0.5 the excess is the mean of (x_8 / 10)^2: x_8 has variance 4 / 3, and the relative
  # standard error is sqrt(2 / 10000).
  best <- set_coef(net, c(numeric(14), 1, -1, 0.4, -0.4))
  one <- loss(best, 1)
  v <- task$moments$sigma[8, 8] / 100
  expect_lt(abs(one - bayes_loss(task) - v), 5 * v * sqrt(2 / 10000))
  expect_false(loss(best, 2) == one)
  for (method in methods) expect_identical(loss(best, 1, method = method), one)
  expect_identical(quiet_fit(best, task, n_obs = 31, seed = 1, control = still)$loss, one)
  # The same function computed by another network, with other restarts.
  wide <- input_sequence(8) |> layer_dense(3) |> layer_activation("relu") |> layer_dense(1) |>
    set_coef(c(numeric(21), 1, -1, 0, 0.4, -0.4, 0))
  expect_equal(loss(wide, 1), one, tolerance = 1e-13)
  # They are not the training rows, on which the loss differs.
  trained <- quiet_fit(best, task, n_obs = 10000, seed = 1, control = still)
  expect_gt(abs(trained$train_loss - trained$loss), 1e-6)
  # A linear network trained on rows has its loss on the population.
  ridge <- fit(input_sequence(8) |> layer_dense(1), task, n_obs = 50, seed = 1, control = list(decay = 0.1))
  w <- unname(coef(ridge))
  of <- task$moments
  expect_equal(ridge$loss, of$target[[1]] - 2 * sum(w * of$cross) + drop(w %*% of$sigma %*% w), tolerance = 1e-12)
  expect_equal(ridge$train_loss, mean(residuals(ridge)^2) + 0.1 * sum(w^2), tolerance = 1e-12)
})

test_that("the loss of data is the loss on held-out rows, without decay", {
  rows <- sine_rows(50)
  classes <- cut(rows$y, c(-Inf, -0.5, 0.5, Inf), labels = c("low", "middle", "high"))
  control <- list(max_iterations = 20, decay = 0.01)
  trained <- quiet_fit(tanh_net(), raw_data(rows$x, rows$y, seed = 1), seed = 1, control = control)
  data <- trained$task$data
  expect_equal(nrow(data$x_test), 10)
  yhat <- tanh_f()(unname(coef(trained)), data$x_test)
  expect_equal(trained$loss, mean((data$y_test - yhat)^2), tolerance = 1e-12)
  expect_identical(trained$bayes_loss, NA_real_)
  trained <- quiet_fit(tanh_net(3), raw_data(rows$x, classes, seed = 1), seed = 1, control = control)
  data <- trained$task$data
  p <- plain_mean(tanh_f(3)(unname(coef(trained)), data$x_test), "cross_entropy")
  expect_equal(trained$loss, -mean(log(p[data$y_test == 1])), tolerance = 1e-12)
  none <- quiet_fit(tanh_net(3), raw_data(rows$x, classes, test = 0), seed = 1, control = control)
  expect_identical(none$loss, NA_real_)
})

test_that("cross-entropy does not overflow", {
  task <- raw_data(c(-2, -1, 1, 2), c("a", "a", "b", "b"), test = 0)
  logit <- input_vector(1) |> layer_dense(1)
  still <- list(max_iterations = 0)
  # log(1 + exp(-1000)) + log(1 + exp(-2000)) is zero; with the opposite sign it is 1000 + 2000.
  expect_warning(
    right <- quiet_fit(set_coef(logit, 1000), task, control = still), class = "capalloc_warning_separation"
  )
  wrong <- quiet_fit(set_coef(logit, -1000), task, control = still)
  expect_identical(right$train_loss, 0)
  expect_identical(wrong$train_loss, 1500)
  expect_identical(unname(fitted(right)), cbind(c(1, 1, 0, 0), c(0, 0, 1, 1)))
  two <- quiet_fit(set_coef(input_vector(1) |> layer_dense(2), c(500, -500)), task, control = still)
  expect_identical(two$train_loss, 1500)
  expect_identical(unname(fitted(two)), unname(fitted(wrong)))
  # Separable classes: the loss tends to zero, and the bound is met on the way.
  expect_warning(trained <- fit(logit, task, seed = 1), class = "capalloc_warning_separation")
  expect_true(trained$converged)
  expect_lt(trained$train_loss, 1e-5)
})

# ---- early stopping ------------------------------------------------------------------------------

validation_rows <- function(history, restart = 1) {
  history[history$set == "validation" & history$restart == restart, ]
}

test_that("validation holds rows out and keeps the coefficients with the least validation loss", {
  task <- sine_task(test = 0)
  all <- task$data
  for (method in methods) {
    trained <- quiet_fit(tanh_net(), task, method = method, seed = 3,
      control = list(validation = 0.25, patience = 4, max_iterations = 200))
    expect_equal(nobs(trained), 30)
    kept <- match(trained$rows$x[, 1], all$x[, 1])
    expect_false(is.unsorted(kept))
    expect_identical(trained$rows, lapply(all[c("x", "y")], function(z) z[kept, , drop = FALSE]))
    expect_false(identical(kept, 1:30))
    aside <- lapply(all, function(z) z[-kept, , drop = FALSE])
    theta <- unname(coef(trained))
    validation <- validation_rows(trained$history)
    least <- which.min(validation$loss)
    loss <- function(rows) plain_loss(tanh_f()(theta, rows$x), rows$y, "squared")
    expect_equal(min(validation$loss), loss(aside), tolerance = 1e-12, label = method)
    expect_equal(trained$train_loss, loss(trained$rows), tolerance = 1e-12, label = method)
    at_least <- trained$history$set == "train" & trained$history$iteration == validation$iteration[[least]]
    expect_equal(trained$history$loss[at_least], trained$train_loss, tolerance = 1e-12)
    # Training stops exactly when four iterations in a row did not improve the validation loss.
    expect_equal(trained$outcome, "stopped")
    expect_false(trained$converged)
    expect_equal(trained$iterations, validation$iteration[[least]] + 4)
    waited <- diff(c(which(validation$loss == cummin(validation$loss) & !duplicated(validation$loss)),
      nrow(validation)))
    expect_true(all(waited <= 4))
  }
})

test_that("the history has a row per set and iteration, with convergence numbers where they are known", {
  control <- list(validation = 0.25, max_iterations = 5)
  trained <- quiet_fit(tanh_net(), sine_task(test = 0), seed = 3, restarts = 2, control = control)
  history <- trained$history
  expect_identical(vapply(history, typeof, ""), c(
    restart = "integer", iteration = "integer", set = "character", loss = "double", gradient_norm = "double"
  ))
  expect_identical(history$set, rep(rep(c("train", "validation"), each = 6), 2))
  expect_identical(history$restart, rep(1:2, each = 12))
  expect_identical(history$iteration, rep(0:5, 4))
  expect_identical(is.na(history$gradient_norm), history$set == "validation")
  expect_false(anyNA(history$loss))
  plain <- quiet_fit(tanh_net(), sine_task(test = 0), method = "adam", seed = 3, control = list(max_iterations = 5))
  expect_identical(plain$history$set, rep("train", 6))
})

test_that("the seed determines the validation rows, which are the last ones of a series", {
  rows_of <- function(task, seed, ...) {
    quiet_fit(tanh_net(), task, seed = seed, control = list(validation = 0.2, max_iterations = 2), ...)$rows$x
  }
  task <- sine_task(test = 0)
  expect_identical(rows_of(task, 1), rows_of(task, 1, method = "adam"))
  expect_false(identical(rows_of(task, 1), rows_of(task, 2)))
  series <- task_series(sin(1:50), length = 3, test = 0.2)
  net <- input_sequence(3) |> layer_dense(1) |> layer_activation("tanh")
  trained <- quiet_fit(net, series, seed = 1, control = list(validation = 0.25, max_iterations = 2))
  n <- nrow(series$data$x)
  kept <- n - round(0.25 * n)
  expect_equal(nobs(trained), kept)
  expect_identical(trained$rows$x, series$data$x[seq_len(kept), ])
  expect_identical(trained$rows$y, series$data$y[seq_len(kept), , drop = FALSE])
})

test_that("the validation loss excludes decay, and is cross-entropy for classes", {
  rows <- regression_rows()
  task <- raw_data(rows$x, rows$three, test = 0)
  trained <- quiet_fit(input_vector(3) |> layer_dense(3, bias = TRUE), task, seed = 1,
    control = list(validation = 0.25, decay = 0.05, max_iterations = 30))
  kept <- match(trained$rows$x[, 1], rows$x[, 1])
  theta <- unname(coef(trained))
  p <- plain_mean(cbind(rows$x, 1) %*% t(matrix(theta, 3)), "cross_entropy")
  lost <- -log(p[cbind(1:40, as.integer(rows$three))])
  expect_equal(min(validation_rows(trained$history)$loss), mean(lost[-kept]), tolerance = 1e-12)
  expect_equal(trained$train_loss, mean(lost[kept]) + 0.05 * sum(theta^2), tolerance = 1e-12)
})

test_that("a fit is converged only if the returned coefficients are", {
  # Training converges to its minimum, but an earlier point has less validation loss.
  task <- sine_task(test = 0)
  for (seed in 1:3) {
    expect_warning(
      trained <- fit(tanh_net(), task, seed = seed, control = list(decay = 0.01, validation = 0.25, patience = 500)),
      "stopped early", class = "capalloc_warning_not_converged"
    )
    train <- trained$history[trained$history$set == "train", ]
    expect_lte(train$gradient_norm[[nrow(train)]], 1e-6)
    expect_gt(trained$gradient_norm, 1e-6)
    expect_false(trained$converged)
    expect_identical(trained$outcome, "stopped")
  }
})

test_that("patience is counted separately for each restart", {
  trained <- quiet_fit(tanh_net(), sine_task(test = 0), seed = 3, restarts = 3,
    control = list(validation = 0.25, patience = 3))
  for (restart in 1:3) {
    validation <- validation_rows(trained$history, restart)
    expect_equal(nrow(validation), trained$runs$iterations[[restart]] + 1)
    expect_equal(which.min(validation$loss) + 3, nrow(validation))
  }
  expect_identical(trained$train_loss, min(trained$runs$train_loss))
})

# ---- mini-batches --------------------------------------------------------------------------------

test_that("mini-batches never converge, and one batch of all rows is not a mini-batch", {
  task <- sine_task(test = 0)
  train <- function(...) {
    quiet_fit(tanh_net(), task, method = "adam", seed = 1, control = list(tol = 10, max_iterations = 5, ...))
  }
  for (batch in c(1, 7, 39)) {
    trained <- train(batch = batch)
    expect_false(trained$converged)
    expect_identical(trained$outcome, "exhausted")
    expect_lte(trained$gradient_norm, 10)
    expect_equal(trained$gradient_norm,
      row_convergence(tanh_f(), unname(coef(trained)), task$data$x, task$data$y, "squared"), tolerance = 1e-9)
    expect_equal(trained$train_loss, mean(residuals(trained)^2), tolerance = 1e-12)
    expect_identical(trained$history$iteration, 0:5)
  }
  whole <- c("network", "train_loss", "converged", "outcome", "history")
  expect_identical(train(batch = 40)[whole], train()[whole])
  expect_identical(train(batch = 1000)[whole], train()[whole])
  expect_true(train()$converged)
})

test_that("mini-batches come close to the minimum, and can be stopped early", {
  rows <- regression_rows()
  task <- raw_data(rows$x, rows$two, test = 0)
  logit <- input_vector(3) |> layer_dense(1, bias = TRUE)
  best <- fit(logit, task, seed = 1)
  near <- quiet_fit(logit, task, method = "adam", seed = 1,
    control = list(batch = 8, max_iterations = 300, learning_rate = 0.05))
  # The steps shrink to zero, and so does the noise of the batches.
  expect_equal(near$train_loss, best$train_loss, tolerance = 1e-4)
  expect_gte(near$train_loss, best$train_loss)
  stopped <- quiet_fit(tanh_net(), sine_task(test = 0), method = "adam", seed = 3,
    control = list(batch = 8, validation = 0.25, patience = 5, learning_rate = 0.1))
  expect_identical(stopped$outcome, "stopped")
  validation <- validation_rows(stopped$history)
  expect_equal(stopped$iterations, which.min(validation$loss) - 1 + 5)
})

# ---- methods of a fit ----------------------------------------------------------------------------

class_fit <- function(outputs = 3, ...) {
  rows <- sine_rows(50)
  cuts <- if (outputs == 3) c(-Inf, -0.5, 0.5, Inf) else c(-Inf, 0, Inf)
  labels <- if (outputs == 3) c("low", "middle", "high") else c("no", "yes")
  task <- raw_data(rows$x, cut(rows$y, cuts, labels), seed = 1)
  quiet_fit(tanh_net(if (outputs == 3) 3 else 1), task, seed = 1, control = list(decay = 0.01), ...)
}

test_that("predictions of classes are probabilities, logits or a factor", {
  for (outputs in c(1, 3)) {
    trained <- class_fit(outputs)
    data <- trained$task$data
    yhat <- tanh_f(outputs)(unname(coef(trained)), data$x_test)
    p <- plain_mean(if (outputs == 1) cbind(0, yhat) else yhat, "cross_entropy")
    levels <- if (outputs == 1) c("no", "yes") else c("low", "middle", "high")
    expect_equal(predict(trained, data$x_test, type = "link"), yhat, tolerance = 1e-12)
    expect_equal(predict(trained, data$x_test), `colnames<-`(p, levels), tolerance = 1e-12)
    classes <- factor(levels[apply(p, 1, which.max)], levels)
    expect_identical(predict(trained, data$x_test, type = "class"), classes)
    expect_identical(predict(trained), fitted(trained))
    expect_identical(predict(trained, type = "class"), predict(trained, data$x, type = "class"))
    expect_equal(rowSums(fitted(trained)), rep(1, 40), tolerance = 1e-14)
    expect_equal(residuals(trained), data$y - fitted(trained), tolerance = 1e-15, ignore_attr = TRUE)
    # A vector is one row. The factor has all levels although one may be predicted.
    expect_identical(levels(predict(trained, data$x_test[1, ], type = "class")), levels)
    expect_identical(dim(predict(trained, data$x_test[1, ])), c(1L, length(levels)))
  }
})

test_that("predictions of numbers are the same for response and link, and refuse class", {
  trained <- quiet_fit(tanh_net(), sine_task(seed = 1), seed = 1, control = list(max_iterations = 5))
  x <- trained$task$data$x_test
  expect_equal(predict(trained, x), tanh_f()(unname(coef(trained)), x), tolerance = 1e-12)
  expect_identical(predict(trained, x, type = "link"), predict(trained, x))
  expect_identical(residuals(trained), trained$rows$y - fitted(trained))
  expect_snapshot({
    cat(bad(predict(trained, x, type = "class"), "value"))
    cat(bad(predict(trained, x, type = "prob"), "value"))
    cat(bad(predict(trained, x[, 1:2]), "shape"))
  })
})

test_that("glance() and tidy() have the documented columns", {
  trained <- class_fit()
  glanced <- generics::glance(trained)
  expect_equal(names(glanced), c("n_params", "loss", "train_loss", "bayes_loss", "excess_loss",
    "converged", "gradient_norm", "iterations", "seconds", "method", "seed", "nobs", "decrement", "redraws",
    "null_loss"))
  expect_equal(glanced$n_params, 24)
  expect_identical(unlist(glanced[c("bayes_loss", "excess_loss")]), c(NA_real_, NA_real_), ignore_attr = TRUE)
  expect_equal(glanced$nobs, 40)
  tidied <- generics::tidy(trained)
  expect_equal(names(tidied), c("term", "layer", "estimate", "capacity"))
  expect_identical(tidied$term, names(coef(trained)))
  expect_equal(sum(tidied$capacity), generics::glance(capacity(trained))$total, tolerance = 1e-10)
  expect_identical(tidied$estimate, unname(coef(trained)))
})

test_that("the capacity of a fit is evaluated at its training rows", {
  trained <- quiet_fit(tanh_net(), sine_task(seed = 1), seed = 1,
    control = list(validation = 0.25, decay = 0.01, patience = 3))
  expect_equal(nrow(trained$rows$x), 24)
  own <- capacity(trained)
  expect_identical(own$capacity, capacity(trained$network, data = trained$rows$x)$capacity)
  other <- capacity(trained, data = trained$task$data$x_test)
  expect_false(isTRUE(all.equal(other$capacity, own$capacity)))
  # The trace of the projector on the columns of D, for each input.
  D <- .Call(capalloc:::ffi_extended, capalloc:::lower_network(trained$network), unname(coef(trained)), trained$rows$x)
  Q <- qr.Q(qr(D %*% diag(1 / sqrt(colSums(D^2)))))
  by_hand <- rowSums(matrix(rowSums(Q^2), 4, byrow = TRUE))
  expect_equal(own$capacity, by_hand, tolerance = 1e-8)
  expect_equal(sum(own$capacity), 16, tolerance = 1e-10)
})

test_that("a fit of classes is unchanged by saveRDS() and readRDS()", {
  trained <- class_fit()
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(trained, path)
  back <- readRDS(path)
  x <- matrix(sin(1:6), 2)
  for (type in c("response", "link", "class")) {
    expect_identical(predict(back, x, type = type), predict(trained, x, type = type))
  }
  expect_identical(capacity(back), capacity(trained))
  expect_identical(back, trained)
})

test_that("fits on rows print", {
  hide <- function(lines) {
    lines <- sub("in [0-9]+ iterations?", "in # iterations", lines)
    lines <- gsub("(loss) [0-9.]+", "\\1 #", lines)
    sub("gradient norm .*", "gradient norm #", lines)
  }
  expect_snapshot(transform = hide, {
    class_fit()
    quiet_fit(tanh_net(), sine_task(seed = 1), seed = 1, control = list(validation = 0.25, patience = 3))
    quiet_fit(input_sequence(3) |> layer_dense(1) |> layer_activation("tanh"), task_ar(3, 0.5), seed = 1,
      n_obs = 50, control = list(max_iterations = 3))
  })
})

test_that("fits on rows can be plotted", {
  trained <- class_fit()
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (type in c("loss", "allocation")) {
    expect_identical(withVisible(plot(trained, type = type))$visible, FALSE)
    skip_if_not_installed("ggplot2")
    picture <- ggplot2::autoplot(trained, type = type)
    expect_s3_class(picture, "ggplot")
    expect_gt(nrow(ggplot2::ggplot_build(picture)$data[[1]]), 3)
  }
})

# ---- failures ------------------------------------------------------------------------------------

test_that("divergence is an error with the last coefficients of finite loss", {
  task <- sine_task(test = 0)
  data <- task$data
  start <- set_coef(tanh_net(), random_theta(tanh_net(), 7))
  for (batch in c(Inf, 7)) {
    control <- list(learning_rate = 1e200, batch = batch, max_iterations = 20)
    failed <- expect_error(fit(start, task, method = "adam", seed = 1, control = control),
      class = "capalloc_error_diverged")
    expect_match(conditionMessage(failed), "diverged at iteration 1:", fixed = TRUE)
    expect_identical(failed$iteration, 1L)
    expect_identical(names(failed$coef), names(coef(start)))
    expect_true(is.finite(plain_loss(tanh_f()(unname(failed$coef), data$x), data$y, "squared")))
  }
  # Squares of the outputs are first finite, then overflow within one epoch.
  control <- list(learning_rate = 3.6e153, batch = 7, max_iterations = 20)
  failed <- expect_error(fit(start, task, method = "adam", seed = 1, control = control),
    class = "capalloc_error_diverged")
  expect_gt(max(abs(failed$coef)), 1e152)
  # The last step of the first epoch diverges: its coefficients are not those in the condition.
  control <- list(learning_rate = 1e200, batch = 39, max_iterations = 20)
  failed <- expect_error(fit(start, task, method = "adam", seed = 1, control = control),
    class = "capalloc_error_diverged")
  expect_identical(unname(failed$coef), start$coef)
  expect_snapshot(cat(bad(fit(start, task, method = "adam", seed = 1, control = control), "diverged")))
})

test_that("a start whose loss overflows is an error unless another restart succeeds", {
  task <- sine_task(test = 0)
  # The first network has infinite outputs, the second NaN.
  relu <- input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation("relu") |> layer_dense(3) |>
    layer_dense(1, bias = TRUE)
  starts <- list(
    set_coef(tanh_net(), rep(1e200, 16)),
    set_coef(relu, rep(c(1e200, -1e200), length.out = 25))
  )
  for (start in starts) for (method in methods) {
    failed <- expect_error(fit(start, task, method = method, seed = 1), class = "capalloc_error_diverged")
    expect_identical(unname(failed$coef), start$coef)
    trained <- quiet_fit(start, task, method = method, seed = 1, restarts = 2, control = list(max_iterations = 20))
    expect_identical(trained$runs$outcome[[1]], "diverged")
    expect_true(is.finite(trained$train_loss))
    expect_identical(trained$train_loss, trained$runs$train_loss[[2]])
  }
})

test_that("responses that are all zero are refused", {
  rows <- sine_rows()
  expect_match(bad(fit(tanh_net(), raw_data(rows$x, 0 * rows$y), seed = 1), "value"), "outputs that vary")
})

test_that("networks with the wrong number of outputs for the classes are refused", {
  rows <- regression_rows()
  outputs <- function(m) input_vector(3) |> layer_dense(m)
  expect_snapshot({
    cat(bad(fit(outputs(2), task_data(rows$x, rows$three), seed = 1), "shape"))
    cat(bad(fit(outputs(1), task_data(rows$x, rows$three), seed = 1), "shape"))
    cat(bad(fit(outputs(3), task_data(rows$x, rows$two), seed = 1), "shape"))
  })
})

test_that("a validation share that leaves no training or no validation rows is refused", {
  rows <- sine_rows()
  three <- raw_data(rows$x[1:3, ], rows$y[1:3], test = 0)
  one <- raw_data(rows$x[1, , drop = FALSE], rows$y[[1]], test = 0)
  expect_snapshot({
    cat(bad(fit(tanh_net(), three, seed = 1, control = list(validation = 0.9)), "value"))
    cat(bad(fit(tanh_net(), three, seed = 1, control = list(validation = 0.1)), "value"))
    cat(bad(fit(tanh_net(), one, seed = 1, control = list(validation = 0.5)), "value"))
  })
  trained <- quiet_fit(tanh_net(), raw_data(rows$x[1:4, ], rows$y[1:4], test = 0), seed = 1,
    control = list(validation = 0.5, max_iterations = 2))
  expect_equal(nobs(trained), 2)
})

test_that("training on rows can be interrupted, and repeating the call gives the same fit", {
  expect_identical(said_by_interrupted('
    set.seed(1)
    state <- .Random.seed
    x <- matrix(sin(1:6000), 2000)
    task <- task_data(x, x[, 1] * x[, 2], test = 0)
    net <- input_vector(3) |> layer_dense(20) |> layer_activation("tanh") |> layer_dense(1)
    train <- function(most) {
      suppressWarnings(fit(net, task, "adam", seed = 1, control = list(max_iterations = most, batch = 50)))
    }
    before <- train(2)
    interrupt_soon()
    tryCatch(train(1e6), interrupt = function(e) cat("interrupted "))
    cat(identical(train(2)$history, before$history), identical(.Random.seed, state))
  '), "interrupted TRUE TRUE")
})
