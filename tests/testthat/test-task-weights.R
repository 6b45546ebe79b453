# Answers to compare with: the same task with each row repeated as often as its weight says, lm() and glm().

weighted_frame <- function(n = 40) {
  withr::local_seed(7)
  d <- data.frame(a = rnorm(n, 5), b = 100 * rexp(n), c = runif(n), w = sample(0:3, n, TRUE))
  d$y <- 2 * tanh(d$a - 5) + d$b / 50 + 0.3 * rnorm(n)
  d$s <- 3 * tanh(d$a - 5 + d$c) + 0.3 * rnorm(n)
  d$group <- factor(ifelse(d$a - 5 + d$c + 1.5 * rnorm(n) > 0.5, "yes", "no"))
  d$three <- factor(c("x", "y", "z")[1 + (d$a + rnorm(n) > 5) + (d$c + 0.5 * rnorm(n) > 0.5)])
  d
}

repeated <- function(d) d[rep(seq_len(nrow(d)), d$w), ]

both_tasks <- function(formula, d = weighted_frame(), ...) {
  list(weighted = task_data(formula, d, weights = w, ...), repeated = task_data(formula, repeated(d), ...))
}

both_fits <- function(network, tasks, ...) {
  lapply(tasks, function(task) suppressWarnings(fit(network, task, seed = 1, ...)))
}

# Rounding error differs between sums of repeated rows and of weighted rows. Optimisers amplify it, so that coefficients
# agree to 1e-8 and losses, which are stationary there, much better.
expect_same_fit <- function(fits, tolerance = 1e-8) {
  a <- fits[[1L]]
  b <- fits[[2L]]
  expect_equal(coef(a), coef(b), tolerance = tolerance)
  fields <- c("train_loss", "null_loss", "loss", "converged", "outcome")
  expect_equal(a[fields], b[fields], tolerance = tolerance)
  expect_equal(a$network$units, b$network$units, tolerance = 1e-12)
  expect_lt(abs(a$gradient_norm - b$gradient_norm), tolerance)
}

tanh_net <- function(outputs = 1) {
  input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(outputs, bias = TRUE)
}

test_that("moments, demands and oracle weights are those of repeated rows and of lm()", {
  for (standardise in list(TRUE, FALSE, "each", "scale")) {
    tasks <- both_tasks(cbind(y, c) ~ a + b, test = 0, standardise = standardise)
    expect_equal(tasks$weighted$moments, tasks$repeated$moments, tolerance = 1e-13)
    expect_equal(task_demand(tasks$weighted), task_demand(tasks$repeated), tolerance = 1e-11)
    units <- lapply(tasks, function(task) fit_units(task, task_rows(task)))
    expect_equal(units$weighted, units$repeated, tolerance = 1e-13)
  }
  d <- weighted_frame()
  ols <- coef(lm(y ~ a + b + c, d, weights = w))
  expect_equal(drop(oracle_weights(both_tasks(y ~ a + b + c, test = 0)$weighted)), ols[c(2:4, 1)], tolerance = 1e-11)
})

test_that("a dense layer is lm() with weights, on moments and on rows", {
  d <- weighted_frame()
  d$w <- d$w + runif(nrow(d)) # not whole numbers
  held <- c(3, 8, 21, 40)
  task <- task_data(y ~ a + b + c, d, weights = w, test = held)
  ols <- lm(y ~ a + b + c, d[-held, ], weights = w)
  trained <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task, seed = 1)
  # the condition number of the standardised columns is below 10
  expect_equal(drop(effective_weights(trained))[c(4, 1:3)], coef(ols), tolerance = 1e-11, ignore_attr = TRUE)
  expect_equal(trained$train_loss, weighted.mean(residuals(ols)^2, d$w[-held]), tolerance = 1e-11)
  expect_equal(trained$loss, weighted.mean((d$y - predict(ols, d))[held]^2, d$w[held]), tolerance = 1e-11)
  centre <- weighted.mean(d$y[-held], d$w[-held])
  expect_equal(trained$null_loss, weighted.mean((d$y[held] - centre)^2, d$w[held]), tolerance = 1e-11)
  expect_equal(unname(drop(residuals(trained))), unname(residuals(ols)), tolerance = 1e-9)
  expect_equal(nobs(trained), nobs(ols))
  expect_equal(weights(trained), weights(ols))
  by_rows <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task, seed = 1, method = "adam",
    control = list(batch = 36, max_iterations = 4000)) |> suppressWarnings()
  expect_equal(drop(effective_weights(by_rows))[c(4, 1:3)], coef(ols), tolerance = 1e-4, ignore_attr = TRUE)
  expect_equal(scores_linear_loss(trained), trained$loss, tolerance = 1e-11)
})

test_that("every optimiser, decay and loss trains as on repeated rows", {
  tasks <- both_tasks(y ~ a + b + c, test = 0)
  lin <- input_vector(3) |> layer_dense(2) |> layer_dense(1, bias = TRUE)
  expect_same_fit(both_fits(lin, tasks))
  one <- input_vector(3) |> layer_dense(1, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  for (method in c("lm", "lbfgs")) {
    curved <- both_tasks(s ~ a + b + c, test = 0)
    expect_same_fit(both_fits(one, curved, method = method, control = list(tol = 1e-9)), 1e-7)
  }
  expect_same_fit(both_fits(tanh_net(), tasks, control = list(decay = 0.01)))
  # Adam divides by root mean squares of gradients, which amplifies rounding error at each step
  expect_same_fit(both_fits(tanh_net(), tasks, method = "adam", control = list(max_iterations = 200)))
  two <- both_tasks(cbind(y, c) ~ a + b + w, test = 0, standardise = "each")
  expect_same_fit(both_fits(tanh_net(2), two, control = list(decay = 0.01)))
  classes <- both_tasks(three ~ a + b + c, test = 0)
  soft <- input_vector(3) |> layer_dense(3, bias = TRUE)
  expect_same_fit(both_fits(soft, classes, control = list(decay = 0.01)))
  expect_same_fit(both_fits(soft, classes, control = list(decay = 0.01), method = "lbfgs"), 1e-5)
  expect_same_fit(both_fits(tanh_net(3), classes, control = list(decay = 0.01)))
})

test_that("the core's loss, derivatives and extended tangent are those of repeated samples", {
  net <- initialise(tanh_net(2), seed = 1)
  theta <- net$coef
  times <- c(2, 1, 3, 1, 1, 4)
  at <- rep(1:6, times)
  graph <- lower_network(net)
  for (loss in c("squared", "cross_entropy")) {
    rows <- random_rows(6, 3, 2, loss, seed = 4)
    of <- function(x, y, weight = NULL) {
      .Call(ffi_sample_gradient, graph, theta, list(x = x, y = y, weight = weight), loss, 0.1, rev(theta))
    }
    # sums of 12 terms in another order
    expect_equal(of(rows$x, rows$y, matrix(times)), of(rows$x[at, ], rows$y[at, ]), tolerance = 1e-13)
    # central differences of the loss, in which the weights are explicit
    mean_loss <- function(theta) {
      yhat <- predict(set_coef(net, theta), rows$x)
      one <- if (loss == "squared") rowSums((rows$y - yhat)^2) else log(rowSums(exp(yhat))) - rowSums(rows$y * yhat)
      weighted.mean(one, times) + 0.1 * sum(theta^2)
    }
    slope <- vapply(seq_along(theta), function(k) {
      e <- replace(numeric(length(theta)), k, 1e-5)
      (mean_loss(theta + e) - mean_loss(theta - e)) / 2e-5
    }, 0)
    expect_equal(of(rows$x, rows$y, matrix(times))$gradient, slope, tolerance = 1e-8) # 1e-5^2, and eps / 1e-5
  }
})

test_that("equal weights change nothing, with mini-batches and early stopping too", {
  d <- weighted_frame()
  tasks <- list(task_data(y ~ a + b + c, d, weights = rep(2, 40), seed = 1), task_data(y ~ a + b + c, d, seed = 1))
  expect_same_fit(both_fits(tanh_net(), tasks, control = list(decay = 0.01)))
  expect_same_fit(both_fits(tanh_net(), tasks, method = "adam", control = list(batch = 7, max_iterations = 100)))
  stopped <- both_fits(tanh_net(), tasks, control = list(validation = 0.3, decay = 0.001))
  expect_same_fit(stopped)
  expect_equal(stopped[[1]]$history$loss, stopped[[2]]$history$loss, tolerance = 1e-8)
})

test_that("the expected gradient of mini-batches is that of the weighted loss", {
  # batches of one row with weights: training ends near the weighted mean, far from the mean
  task <- task_data(matrix(rep(1, 12)), rep(c(0, 1), 6), weights = rep(c(1, 9), 6), test = 0, standardise = FALSE)
  trained <- fit(input_vector(1) |> layer_dense(1), task, seed = 1, method = "adam",
    control = list(batch = 1, max_iterations = 3000, learning_rate = 0.003)) |> suppressWarnings()
  expect_equal(predict(trained)[[1]], 0.9, tolerance = 0.03)
})

test_that("validation losses have the weights of the rows set aside", {
  d <- weighted_frame()
  task <- task_data(y ~ a + b + c, d, weights = w + 0.5, test = 0)
  trained <- fit(tanh_net(), task, seed = 1, control = list(validation = 0.3, max_iterations = 3)) |>
    suppressWarnings()
  aside <- trained$validation
  expected <- weighted.mean((aside$y - predict(trained, aside$x))^2, aside$weight)
  checked <- trained$history$loss[trained$history$set == "validation"]
  expect_equal(min(checked), expected, tolerance = 1e-10)
})

test_that("capacities, kernels and tables are those of repeated rows, in every metric", {
  fits <- both_fits(tanh_net(), both_tasks(y ~ a + b + c, test = 0), control = list(decay = 0.01))
  answers <- function(one) {
    list(
      lapply(c("identity", "standardised", "covariance"), function(metric) capacity(one, metric)$capacity),
      capacity(one, partition = partition_pca(2))$capacity, capacity(one, "covariance", ridge = 0.1)$capacity,
      capacity(one, ridge = "decay")$capacity, as.matrix(capacity_kernel(one)), as.matrix(capacity_table(one)),
      glance(capacity(one, data = one$task))$gradient_norm
    )
  }
  expect_equal(answers(fits[[1]]), answers(fits[[2]]), tolerance = 1e-8)
  # a bare network takes the weights of a task
  bare <- lapply(fits, function(one) set_coef(tanh_net(), unname(coef(one))))
  tasks <- lapply(fits, function(one) one$task)
  of_task <- Map(function(net, task) capacity(net, "covariance", data = task)$capacity, bare, tasks)
  expect_equal(of_task[[1]], of_task[[2]], tolerance = 1e-8)
  expect_gt(max(abs(of_task[[1]] - capacity(bare[[1]], "covariance", data = tasks[[1]]$data$x)$capacity)), 1e-3)
  two <- both_tasks(cbind(y, s) ~ a + b + c, test = 0)
  linear <- both_fits(input_vector(3) |> layer_dense(2) |> layer_dense(2), two)
  of_linear <- lapply(linear, function(one) capacity(one, "covariance")$capacity)
  expect_equal(of_linear[[1]], of_linear[[2]], tolerance = 1e-8)
})

test_that("logistic and multinomial regression are glm() and repeated rows", {
  d <- weighted_frame()
  d$w <- d$w + 1
  held <- c(3, 8, 21, 40)
  task <- task_data(group ~ a + b + c, d, weights = w, test = held)
  logit <- glm(group ~ a + b + c, binomial, d[-held, ], weights = w, epsilon = 1e-14)
  trained <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task, seed = 1, control = list(tol = 1e-10))
  # the loss is flat at its minimum, so coefficients have half the digits of the bound 1e-10
  expect_equal(drop(effective_weights(trained))[c(4, 1:3)], coef(logit), tolerance = 1e-8, ignore_attr = TRUE)
  expect_equal(trained$train_loss, deviance(logit) / 2 / sum(d$w[-held]), tolerance = 1e-10)
  p <- predict(logit, d[held, ], type = "response")
  log_loss <- -log(ifelse(d$group[held] == "yes", p, 1 - p))
  expect_equal(trained$loss, weighted.mean(log_loss, d$w[held]), tolerance = 1e-8)
  scores <- held_out_scores(trained, trained$loss)
  expect_equal(scores$accuracy, weighted.mean((p > 0.5) == (d$group[held] == "yes"), d$w[held]))
  expect_identical(scores$log_loss, trained$loss)
  share <- weighted.mean(d$group[-held] == "yes", d$w[-held])
  null <- -log(ifelse(d$group[held] == "yes", share, 1 - share))
  expect_equal(trained$null_loss, weighted.mean(null, d$w[held]), tolerance = 1e-12)
})

test_that("class weights multiply the weights of rows", {
  d <- weighted_frame()
  held <- c(3, 8, 21, 40)
  cost <- c(yes = 5, no = 2)
  task <- task_data(group ~ a + b + c, d, class_weights = cost, test = held)
  of_rows <- unname(cost[as.character(d$group)])
  logit <- glm(group ~ a + b + c, binomial, d[-held, ], weights = of_rows[-held], epsilon = 1e-14)
  net <- input_vector(3) |> layer_dense(1, bias = TRUE)
  trained <- fit(net, task, seed = 1, control = list(tol = 1e-10))
  expect_equal(drop(effective_weights(trained))[c(4, 1:3)], coef(logit), tolerance = 1e-8, ignore_attr = TRUE)
  p <- predict(logit, d[held, ], type = "response")
  log_loss <- -log(ifelse(d$group[held] == "yes", p, 1 - p))
  expect_equal(trained$loss, weighted.mean(log_loss, of_rows[held]), tolerance = 1e-8)
  scores <- held_out_scores(trained, trained$loss)
  expect_equal(scores$log_loss, mean(log_loss), tolerance = 1e-8)
  expect_equal(scores$accuracy, mean((p > 0.5) == (d$group[held] == "yes")))
  expect_equal(scores_linear_loss(trained), trained$loss, tolerance = 1e-5)
  # with weights of rows as well
  rows <- task_data(group ~ a + b + c, d, class_weights = cost, weights = w + 1, test = held)
  expect_equal(rows$data$weight, matrix(((d$w + 1) * of_rows)[-held]))
  said <- held_out_scores(fit(net, rows, seed = 1), NA)
  refit <- glm(group ~ a + b + c, binomial, d[-held, ], weights = ((d$w + 1) * of_rows)[-held], epsilon = 1e-14)
  right <- (predict(refit, d[held, ]) > 0) == (d$group[held] == "yes")
  expect_equal(said$accuracy, weighted.mean(right, d$w[held] + 1))
})

test_that("balanced classes have equal totals over the training rows", {
  d <- weighted_frame()
  d$w <- d$w + 1
  task <- task_data(three ~ a + b, d, class_weights = "balanced", weights = w, split = "stratified", seed = 1)
  totals <- colSums(task$data$y * as.double(task$data$weight))
  expect_equal(totals, rep(totals[[1]], 3), tolerance = 1e-14)
  plain <- task_data(three ~ a + b, d, class_weights = "balanced", test = 0)
  count <- table(d$three)
  expect_equal(plain$class_weights, c(40 / (3 * count)), tolerance = 1e-14)
  expect_equal(mean(plain$data$weight), 1, tolerance = 1e-14)
  expect_match(format(plain), "^Class weights: x ", all = FALSE)
  # the intercepts of a network without inputs that vary: equal probabilities
  still <- task_data(matrix(1, 40), d$three, class_weights = "balanced", test = 0)
  trained <- fit(input_vector(1) |> layer_dense(3, bias = TRUE), still, seed = 1) |> suppressWarnings()
  expect_equal(unname(predict(trained)[1, ]), rep(1 / 3, 3), tolerance = 1e-6)
})

test_that("weights are a vector, a column, an expression or a one-sided formula", {
  d <- weighted_frame()
  mine <- sqrt(d$w) + 1
  expected <- task_data(y ~ a, d, weights = mine, test = 0)
  expect_equal(expected$data$weight, matrix(sqrt(d$w) + 1))
  expect_equal(task_data(y ~ a, d, weights = sqrt(w) + 1, test = 0), expected)
  expect_equal(task_data(y ~ a, d, weights = ~ sqrt(w) + 1, test = 0), expected)
  wrapper <- function(z) task_data(y ~ a, d, weights = z, test = 0)
  expect_equal(wrapper(mine), expected, ignore_formula_env = TRUE)
  by_matrix <- task_data(as.matrix(d["a"]), d["y"], weights = mine, test = 0)
  expect_equal(by_matrix$moments, expected$moments)
  expect_null(task_data(y ~ a, d, test = 0)$data$weight)
  expect_match(format(expected), "^Weights: 1.00 to 2.73", all = FALSE)
})

test_that("rows of weight 0 are left out, and row numbers stay those of the user", {
  d <- weighted_frame()
  d$w[40] <- 0
  zero <- which(d$w == 0)
  task <- task_data(y ~ a + b, d, weights = w, test = c(1:5, 40))
  train <- setdiff(6:40, zero)
  expect_equal(task$data$x, unname(as.matrix(d[train, c("a", "b")])))
  expect_equal(task$data$x_test, unname(as.matrix(d[setdiff(1:5, zero), c("a", "b")])))
  expect_equal(task$data$test_weight, matrix(as.double(d$w[setdiff(1:5, zero)])))
  trained <- fit(input_vector(2) |> layer_dense(1), task, seed = 1)
  expect_equal(nobs(trained), nobs(lm(y ~ a + b, d[6:40, ], weights = w)))
  d$w[d$three == "z"] <- 0
  expect_identical(task_data(three ~ a, d, weights = w)$levels, c("x", "y"))
  d$w[[2]] <- NA
  left <- task_data(y ~ a, d, weights = w, na.action = na.omit, test = 0)
  expect_equal(nrow(left$data$x), sum(d$w > 0, na.rm = TRUE))
  by_matrix <- task_data(d["a"], d$y, weights = d$w, na.action = na.omit, test = 0)
  expect_equal(by_matrix$data$weight, left$data$weight)
})

test_that("samples and bootstrap draws of rows use weights", {
  d <- weighted_frame()
  task <- task_data(y ~ a, d, weights = w, test = 0)
  drawn <- simulate(task, 20000, seed = 1)
  share <- vapply(task$data$x[, 1], function(x) mean(drawn$x[, 1] == x), 0)
  p <- drop(task$data$weight) / sum(task$data$weight)
  # 27 binomial proportions within 5 standard deviations
  expect_lt(max(abs(share - p) / sqrt(p * (1 - p) / 20000)), 5)
  trained <- fit(input_vector(1) |> layer_dense(1), task, n_obs = 50, seed = 1)
  expect_null(weights(trained))
  net <- input_vector(3) |> layer_dense(1) |> layer_activation("tanh") |> layer_dense(1)
  rows <- fit(net, task_data(y ~ a + b + c, d, weights = w, test = 0), seed = 1)
  again <- interval_drawn_sample(rows, 1L, 3L)
  at <- match(again$rows$x[, 1], rows$rows$x[, 1])
  expect_equal(again$rows$weight, rows$rows$weight[at, , drop = FALSE])
  shown <- tidy(capacity(rows), conf.int = TRUE, over = "rows", times = 4, seed = 1) |> suppressWarnings()
  expect_true(all(shown$conf.low <= shown$conf.high))
})

test_that("comparisons report weighted losses", {
  d <- weighted_frame()
  d$w <- d$w + 1
  task <- task_data(y ~ a + b + c, d, weights = w, test = 31:40)
  runs <- compare_architectures(list(dense = input_vector(3) |> layer_dense(1)), list(mine = task), replicates = 2,
    seed = 1)$runs
  ols <- lm(y ~ a + b + c, d[1:30, ], weights = w)
  expected <- weighted.mean((d$y - predict(ols, d))[31:40]^2, d$w[31:40])
  expect_equal(runs$loss, rep(expected, 2), tolerance = 1e-9)
  expect_equal(runs$linear_loss, rep(expected, 2), tolerance = 1e-9)
})

test_that("capacity through layers repeats rows, or warns that it uses no weights", {
  fits <- both_fits(tanh_net(), both_tasks(y ~ a + b + c, test = 0), control = list(decay = 0.01))
  for (mode in c("empirical", "gaussian")) {
    levels <- lapply(fits, function(one) tidy(propagate_capacity(one, mode = mode))$capacity)
    expect_equal(levels[[1]], levels[[2]], tolerance = 1e-7)
    expect_silent(propagate_capacity(fits[[1]], mode = mode))
  }
  pairs <- lapply(fits, function(one) tidy(decoupling(one, data = one$task))$gate_correlation)
  expect_equal(pairs[[1]], pairs[[2]], tolerance = 1e-7)
  part <- fit(tanh_net(), task_data(y ~ a + b + c, weighted_frame(), weights = w + 0.5, test = 0), seed = 1) |>
    suppressWarnings()
  expect_warning(propagate_capacity(part, mode = "empirical"), class = "capalloc_warning_weights")
  expect_no_warning(propagate_capacity(part, mode = "gaussian"), class = "capalloc_warning_weights")
})

test_that("weights that cannot be used are refused, by row", {
  d <- weighted_frame()
  texts <- c(
    bad(task_data(y ~ a, d, weights = -w - 1), "value"),
    bad(task_data(y ~ a, d, weights = replace(w, 3, NA)), "value"),
    bad(task_data(d["a"], d$y, weights = replace(d$w, 4, Inf)), "value"),
    bad(task_data(d["a"], d$y, weights = 1:3), "shape"),
    bad(task_data(d["a"], d$y, weights = "w"), "type"),
    bad(task_data(y ~ a, d, weights = none), "value"),
    bad(task_data(y ~ a, d, weights = 0 * w), "value"),
    bad(task_data(y ~ a, d, weights = c(1e-200, rep(1, 39))), "value"),
    bad(task_data(group ~ a, d, weights = as.numeric(group == "yes")), "value"),
    bad(task_data(y ~ a, d, class_weights = "balanced"), "value"),
    bad(task_data(group ~ a, d, class_weights = c(yes = 1, maybe = 2)), "value"),
    bad(task_data(group ~ a, d, class_weights = c(yes = 1, no = 0)), "value"),
    bad(task_data(group ~ a, d, class_weights = c(1, 2)), "value"),
    bad(task_data(group ~ a, d, class_weights = "balanced", test = which(d$group == "yes")), "value")
  )
  expect_snapshot(writeLines(texts))
})
