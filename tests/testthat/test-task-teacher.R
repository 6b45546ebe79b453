# Returns the moments from W, b and the moments of x, one entry at a time: y_o = sum_j W_oj x_j + b_o + e_o.
twin_teacher <- function(W, b, noise, sigma, mean_x) {
  m <- nrow(W)
  n <- ncol(W)
  cross <- matrix(0, n, m)
  target <- matrix(0, m, m)
  for (o in seq_len(m)) {
    for (j in seq_len(n)) cross[j, o] <- sum(W[o, ] * sigma[j, ]) + mean_x[[j]] * b[[o]]
    for (q in seq_len(m)) {
      target[o, q] <- sum(outer(W[o, ], W[q, ]) * sigma) + sum(W[o, ] * mean_x) * b[[q]] +
        b[[o]] * sum(W[q, ] * mean_x) + b[[o]] * b[[q]] + if (o == q) noise[[o]]^2 else 0
    }
  }
  list(sigma = sigma, cross = cross, target = target, mean_x = mean_x, mean_y = drop(W %*% mean_x) + b)
}

# Returns effective weights from outputs at zero input and at each unit input.
twin_weights <- function(network) {
  n <- prod(network$input$shape)
  b <- drop(predict(network, matrix(0, 1, n)))
  list(W = t(predict(network, diag(n))) - b, b = b)
}

teachers <- function() {
  list(
    conv = input_sequence(6) |> layer_conv(1, 2, dilation = 2) |> layer_conv(1, 4),
    bias = input_vector(5) |> layer_dense(3, bias = TRUE) |> layer_dense(2, bias = TRUE),
    channels = input_sequence(4, channels = 2) |> layer_conv(2, 2, bias = TRUE) |> layer_dense(3),
    recurrent = input_sequence(5) |> layer_recurrent(2) |> layer_dense(1, bias = TRUE),
    grid = input_grid(3, 4) |> layer_dense(2) |> layer_dense(2),
    one = input_vector(1) |> layer_dense(1, bias = TRUE)
  ) |> lapply(with_test_coef, seed = 3)
}

random_covariance <- function(n) crossprod(matrix(rnorm(4 * n^2), 4 * n)) / (4 * n)

test_that("moments are those of y = W x + b + e", {
  withr::local_seed(1)
  for (teacher in teachers()) {
    n <- input_size(teacher$input)
    twin <- twin_weights(teacher)
    m <- length(twin$b)
    for (noise in list(0, 0.5, seq_len(m) / 4)) {
      sd <- rep_len(noise, m)
      for (sigma in list(NULL, random_covariance(n))) {
        task <- task_teacher(teacher, noise, sigma)
        covariance <- if (is.null(sigma)) diag(n) else sigma
        # Weights are sums of at most 12 products of order 1.
        expect_equal(task$moments, twin_teacher(twin$W, twin$b, sd, covariance, numeric(n)), tolerance = 1e-12)
        expect_equal(bayes_loss(task), sum(sd^2), tolerance = 1e-12)
        expect_identical(task$moments$target, t(task$moments$target))
      }
    }
  }
})

test_that("inputs can have the moments of another task, means included", {
  withr::local_seed(2)
  for (teacher in teachers()) {
    n <- input_size(teacher$input)
    mean <- rnorm(n)
    covariance <- random_covariance(n)
    second <- covariance + outer(mean, mean)
    inputs <- task_moments(second, numeric(n), 1, mean_x = mean)
    twin <- twin_weights(teacher)
    task <- task_teacher(teacher, 0.5, inputs)
    expect_equal(task$moments, twin_teacher(twin$W, twin$b, rep(0.5, length(twin$b)), second, mean), tolerance = 1e-12)
    expect_equal(bayes_loss(task), 0.25 * length(twin$b), tolerance = 1e-11)
    # The condition numbers of these covariances are below 1e3.
    expect_equal(oracle_weights(task), cbind(twin$W, twin$b), tolerance = 1e-10, ignore_attr = TRUE)
    expect_lt(largest_deviation(task), 5)
  }
  ou <- task_ou(6, rate = 0.5)
  expect_identical(
    task_teacher(teachers()$conv, 0.1, ou)$moments, task_teacher(teachers()$conv, 0.1, ou$moments$sigma)$moments
  )
})

test_that("inputs can have the moments of rows of data", {
  x <- as.matrix(mtcars[c("wt", "hp", "qsec")])
  teacher <- input_vector(3) |> layer_dense(1, bias = TRUE) |> set_coef(c(1, -0.1, 2, 5))
  task <- task_teacher(teacher, sigma = task_data(x, mtcars$mpg, test = 0))
  y <- drop(x %*% c(1, -0.1, 2) + 5)
  expect_equal(task$moments$mean_y, mean(y), tolerance = 1e-12)
  expect_equal(drop(task$moments$cross), drop(crossprod(x, y)) / 32, tolerance = 1e-12, ignore_attr = TRUE)
  expect_equal(drop(task$moments$target), mean(y^2), tolerance = 1e-12)
  expect_null(task$data)
  expect_identical(colnames(oracle_weights(task)), c("wt", "hp", "qsec", "(Intercept)"))
  expect_equal(drop(oracle_weights(task)), c(1, -0.1, 2, 5), tolerance = 1e-9, ignore_attr = TRUE)
})

test_that("simulated outputs are the teacher's predictions plus noise", {
  for (teacher in teachers()) {
    exact <- simulate(task_teacher(teacher), 50, seed = 1)
    expect_equal(exact$y, predict(teacher, exact$x), tolerance = 1e-10)
    task <- task_teacher(teacher, noise = 0.5)
    drawn <- simulate(task, 20000, seed = 1)
    noise <- drawn$y - predict(teacher, drawn$x)
    # Five standard errors: of a variance 0.25 sqrt(2 / N), of a mean 0.5 / sqrt(N).
    expect_lt(max(abs(crossprod(noise) / 20000 - diag(0.25, ncol(noise)))), 5 * 0.25 * sqrt(2 / 20000))
    expect_lt(max(abs(colMeans(noise))), 5 * 0.5 / sqrt(20000))
    expect_lt(max(abs(crossprod(noise, drawn$x) / 20000)), 5 * 0.5 / sqrt(20000))
    expect_lt(largest_deviation(task), 5)
  }
})

test_that("a student with the teacher's coefficients has the Bayes loss", {
  for (teacher in teachers()) {
    for (noise in c(0, 0.3)) {
      task <- task_teacher(teacher, noise)
      best <- noise^2 * task$outputs
      total <- sum(diag(task$moments$target))
      # Rounding error of a few dozen terms that cancel, each at most the size of the outputs.
      untrained <- suppressWarnings(fit(teacher, task, seed = 1, control = list(max_iterations = 0)))
      expect_lt(abs(untrained$loss - best), 1e-13 * total)
      trained <- fit(teacher, task, seed = 1)
      expect_true(trained$converged)
      expect_lt(abs(trained$loss - best), 1e-13 * total)
      expect_equal(coef(trained$network), coef(teacher), tolerance = 1e-9)
    }
  }
})

test_that("a student without the teacher's bias has the squared bias as excess loss", {
  teacher <- input_vector(3) |> layer_dense(1, bias = TRUE) |> set_coef(c(1, 2, 3, 4))
  task <- task_teacher(teacher, noise = 0.5)
  expect_identical(task$moments$mean_y, 4)
  expect_identical(drop(task$moments$target), 14 + 16 + 0.25)
  expect_equal(bayes_loss(task), 0.25, tolerance = 1e-13)
  trained <- fit(input_vector(3) |> layer_dense(1), task, seed = 1)
  expect_equal(trained$loss, 16.25, tolerance = 1e-13)
})

test_that("demand follows from the teacher's weights", {
  teacher <- teachers()$channels
  sigma <- withr::with_seed(5, random_covariance(8))
  W <- twin_weights(teacher)$W
  expect_equal(task_demand(task_teacher(teacher, 1))$demand, colSums(W^2), tolerance = 1e-12)
  # The condition number of sigma is below 1e2.
  expect_equal(
    task_demand(task_teacher(teacher, 1, sigma))$demand, colSums(W^2) / diag(solve(sigma)), tolerance = 1e-11
  )
})

test_that("singular inputs do not change the Bayes loss", {
  teacher <- input_vector(3) |> layer_dense(1) |> set_coef(c(2, 0, 1))
  twins <- matrix(1, 3, 3) * c(1, 1, 0) * rep(c(1, 1, 0), each = 3)
  task <- task_teacher(teacher, noise = 0.5, sigma = twins)
  expect_equal(bayes_loss(task), 0.25, tolerance = 1e-13)
  expect_equal(unname(drop(oracle_weights(task))), c(1, 1, 0), tolerance = 1e-12)
  expect_equal(task_demand(task)$demand, c(0, 0, 0))
})

test_that("the task has the input of the teacher", {
  for (teacher in teachers()) expect_identical(task_teacher(teacher)$input, teacher$input)
  named <- fit(input_vector(2) |> layer_dense(1), task_linear(rbind(c(a = 1, b = 2)), 0), seed = 1)$network
  expect_identical(task_demand(task_teacher(named))$input, c("a", "b"))
  # The teacher's names take precedence over those of the task that gives the inputs.
  other <- task_linear(rbind(c(u = 1, v = 2)), 0)
  expect_identical(task_demand(task_teacher(named, sigma = other))$input, c("a", "b"))
  expect_snapshot({
    task_teacher(teachers()$bias, noise = c(0.1, 0.2))
    task_teacher(teachers()$grid)
    task_teacher(teachers()$one)
  })
  expect_s3_class(task_teacher(teachers()$one), c("ca_task_teacher", "ca_task"), exact = TRUE)
})

test_that("bad arguments are refused by class", {
  teacher <- teachers()$bias
  texts <- c(
    bad(task_teacher(input_sequence(4) |> layer_dense(1)), "no_coefficients"),
    bad(task_teacher(input_sequence(4)), "no_coefficients"),
    bad(task_teacher(c(1, 2)), "type"),
    bad(task_teacher(NULL), "type"),
    bad(task_teacher("teacher"), "type"),
    bad(task_teacher(mtcars), "type"),
    bad(task_teacher(task_fgn(4, 0.8)), "type"),
    bad(task_teacher(teacher, noise = -1), "value"),
    bad(task_teacher(teacher, noise = c(1, 2, 3)), "shape"),
    bad(task_teacher(teacher, noise = c(1, NA)), "value"),
    bad(task_teacher(teacher, noise = "some"), "type"),
    bad(task_teacher(teacher, noise = NULL), "type"),
    bad(task_teacher(teacher, sigma = diag(4)), "shape"),
    bad(task_teacher(teacher, sigma = matrix(1, 5, 4)), "shape"),
    bad(task_teacher(teacher, sigma = diag(c(1, 1, 1, 1, -1))), "value"),
    bad(task_teacher(teacher, sigma = diag(c(1, 1, 1, 1, NA))), "value"),
    bad(task_teacher(teacher, sigma = "ou"), "type"),
    bad(task_teacher(teacher, sigma = data.frame(a = letters[1:5])), "type"),
    bad(task_teacher(teacher, sigma = task_ou(6, 1)), "shape"),
    bad(task_teacher(teachers()$grid, sigma = task_ou(12, 1)), "shape"),
    bad(task_teacher(teacher, sigma = teacher), "type")
  )
  expect_snapshot(writeLines(texts))
  call <- conditionCall(tryCatch(task_teacher(teacher, sigma = diag(4)), error = identity))
  expect_identical(as.character(call[[1L]]), "task_teacher")
})
