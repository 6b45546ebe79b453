# The optimisers compared step by step with slow versions in R, and their final points.

quiet_fit <- function(...) suppressWarnings(fit(...), classes = "capalloc_warning_not_converged")

net <- function() {
  input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(2, bias = TRUE)
}
f <- function(theta, x) two_layers(theta, x, 3, 2, tanh)

# Kingma and Ba's algorithm 1 on the mean loss of the rows in each of `batches`; the rate decreases as half a cosine.
plain_adam <- function(theta, rows, loss, decay, passes, rate, batches) {
  first <- second <- 0 * theta
  t <- 0
  for (pass in seq_len(passes)) for (batch in batches[[pass]]) {
    x <- rows$x[batch, , drop = FALSE]
    y <- rows$y[batch, , drop = FALSE]
    g <- complex_step(function(theta) plain_loss(f(theta, x), y, loss) + decay * sum(theta^2), theta)
    t <- t + 1
    first <- 0.9 * first + 0.1 * g
    second <- 0.999 * second + 0.001 * g^2
    now <- rate * (1 + cos(pi * (pass - 1) / passes)) / 2
    theta <- theta - now * (first / (1 - 0.9^t)) / (sqrt(second / (1 - 0.999^t)) + 1e-8)
  }
  theta
}

# Fisher-Yates shuffles with R's generator and the seed of the run, each starting from the order of the pass before.
shuffled_batches <- function(N, size, passes, seed) {
  withr::with_seed(seed, .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion",
    .rng_sample_kind = "Rejection", {
      order <- seq_len(N)
      lapply(seq_len(passes), function(pass) {
        for (i in N:2) {
          j <- floor(stats::runif(1) * i) + 1
          order[c(i, j)] <<- order[c(j, i)]
        }
        unname(split(order, ceiling(seq_len(N) / size)))
      })
    })
}

test_that("Adam takes the steps of its paper, on all rows and on mini-batches", {
  start <- withr::with_seed(1, stats::rnorm(20))
  for (loss in c("squared", "cross_entropy")) for (batch in c(Inf, 20, 11, 4, 1)) {
    rows <- random_rows(11, 3, 2, loss, 2)
    y <- if (loss == "squared") rows$y else factor(max.col(rows$y))
    trained <- quiet_fit(set_coef(net(), start), raw_data(rows$x, y, test = 0), method = "adam", seed = 5,
      control = list(max_iterations = 4, learning_rate = 0.001, batch = batch, decay = 0.02))
    batches <- if (batch < 11) {
      shuffled_batches(11, batch, 4, capalloc:::derive_seeds(5, 2)[[2]])
    } else {
      rep(list(list(1:11)), 4)
    }
    by_hand <- plain_adam(start, rows, loss, 0.02, 4, 0.001, batches)
    # Steps of 1e-3, so that every digit of the direction matters.
    expect_equal(unname(coef(trained)), by_hand, tolerance = 1e-12, label = paste(loss, batch))
    expect_gt(max(abs(by_hand - start)), 2e-3)
  }
})

test_that("the history of mini-batches has the loss of the start, then the mean loss of each pass", {
  start <- withr::with_seed(1, stats::rnorm(20))
  rows <- random_rows(11, 3, 2, "squared", 2)
  trained <- quiet_fit(set_coef(net(), start), raw_data(rows$x, rows$y, test = 0), method = "adam", seed = 5,
    control = list(max_iterations = 1, learning_rate = 1e-9, batch = 4))
  order <- shuffled_batches(11, 4, 1, capalloc:::derive_seeds(5, 2)[[2]])[[1]]
  # Steps of 1e-9 leave the losses unchanged.
  losses <- vapply(order, function(at) plain_loss(f(start, rows$x[at, ]), rows$y[at, ], "squared"), 0)
  expect_equal(trained$history$loss, c(plain_loss(f(start, rows$x), rows$y, "squared"), mean(losses)),
    tolerance = 1e-7)
})

test_that("one Levenberg-Marquardt step solves its damped normal equations", {
  for (m in 1:2) for (loss in c("squared", "cross_entropy")) {
    network <- input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |>
      layer_dense(m, bias = TRUE)
    f <- function(theta, x) two_layers(theta, x, 3, m, tanh)
    start <- withr::with_seed(1, stats::rnorm(12 + 4 * m, sd = 0.5))
    rows <- random_rows(30, 3, m, loss, 2)
    y <- if (loss == "squared") rows$y else factor(if (m == 1) rows$y else max.col(rows$y))
    trained <- quiet_fit(set_coef(network, start), raw_data(rows$x, y, test = 0), seed = 5,
      control = list(max_iterations = 1, decay = 0.02))
    D <- array(complex_step(function(theta) f(theta, rows$x), start), c(30, m, length(start)))
    p <- plain_mean(f(start, rows$x), loss)
    G <- 0.02 * diag(length(start))
    for (s in 1:30) {
      # Half the second derivative of the loss with respect to the outputs.
      H <- if (loss == "squared") diag(m) else (diag(p[s, ], m) - tcrossprod(p[s, ])) / 2
      d <- matrix(D[s, , ], m)
      G <- G + t(d) %*% H %*% d / 30
    }
    g <- complex_step(function(theta) plain_loss(f(theta, rows$x), rows$y, loss) + 0.02 * sum(theta^2), start) / 2
    step <- -solve(G + 0.01 * max(diag(G)) * diag(length(start)), g)
    # The damping 0.01 is tried first, and is accepted here.
    expect_equal(unname(coef(trained)) - start, step, tolerance = 1e-9, label = paste(m, loss))
    expect_lt(trained$train_loss, trained$history$loss[[1]])
  }
})

# Transtrum and Sethna's steps on the moments of a linear network of two layers, as described in src/optim-lm.c, with
# plain matrices. Any root of Sigma gives the same steps, and second derivatives of products are exact as differences.
plain_lm <- function(network, theta, moments, iterations) {
  root <- chol(moments$sigma)
  target <- t(backsolve(root, moments$cross, transpose = TRUE))
  m <- nrow(target)
  residuals <- function(theta) c(twin_weights(network, theta) %*% t(root) - target)
  mu <- 1e-2
  for (i in seq_len(iterations)) {
    J <- kronecker(root, diag(m)) %*% twin_tangent(network, theta)
    norms <- sqrt(colSums(J^2))
    scale <- 1 / pmax(norms, 1e-2 * max(norms))
    J <- J * rep(scale, each = nrow(J))
    r <- residuals(theta)
    grow <- 2
    repeat {
      solve_damped <- function(x) -c(solve(crossprod(J) + mu * diag(ncol(J)), crossprod(J, x)))
      z <- solve_damped(r)
      v <- scale * z
      a <- solve_damped(residuals(theta + v) - 2 * r + residuals(theta - v))
      small <- 2 * sqrt(sum(a^2)) <= 0.75 * sqrt(sum(z^2))
      trial <- theta + v + if (small) scale * a / 2 else 0
      gain <- (sum(r^2) - sum(residuals(trial)^2)) / sum(z * (mu * z - crossprod(J, r)))
      if (gain > 1e-4) break
      mu <- mu * grow
      grow <- 2 * grow
    }
    theta <- trial
    mu <- max(mu * max(0.1, 1 - (2 * gain - 1)^3), .Machine$double.eps)
  }
  theta
}

test_that("Levenberg-Marquardt with geodesic acceleration takes its steps on moments", {
  # Fewer residuals than parameters, and more; small weights, whose steps are refused or not accelerated.
  networks <- list(
    wide = input_vector(3) |> layer_dense(3) |> layer_dense(1),
    single = input_sequence(4) |> layer_conv(1, 2) |> layer_conv(1, 3),
    deep = input_sequence(4) |> layer_conv(1, 2) |> layer_conv(1, 2) |> layer_conv(1, 2),
    # every second position of the first layer is read
    strided = input_sequence(6) |> layer_conv(1, 1) |> layer_conv(1, 1, stride = 2) |> layer_dense(1),
    narrow = input_vector(4) |> layer_dense(1) |> layer_dense(3)
  )
  for (name in names(networks)) for (seed in 1:12) {
    net <- networks[[name]]
    p <- capalloc:::n_params(net)
    start <- withr::with_seed(seed, c(1, 0.05, 20)[[seed %% 3 + 1]] * stats::rnorm(p) * 10^-(seq_len(p) %% 4))
    n <- prod(net$input$shape)
    moments <- withr::with_seed(4, random_moments(n, prod(shape_of(net))))
    task <- task_moments(moments$sigma, moments$cross, moments$target)
    for (iterations in c(1, 3)) {
      trained <- quiet_fit(set_coef(net, start), task, method = "lm", seed = 1,
        control = list(max_iterations = iterations, tol = 0))
      # Each step multiplies rounding error by the condition number of the damped system, at most 1e4 here.
      expect_equal(unname(coef(trained)), plain_lm(net, start, moments, iterations), tolerance = 1e-8,
        label = paste(name, seed, iterations))
    }
  }
})

test_that("L-BFGS evaluates each point once", {
  network <- input_vector(4) |> layer_dense(1) |> layer_dense(3)
  moments <- withr::with_seed(4, random_moments(4, 3))
  trained <- quiet_fit(network, task_moments(moments$sigma, moments$cross, moments$target), method = "lbfgs", seed = 1,
    control = list(max_iterations = 6))
  expect_identical(as.integer(trained$history$iteration), 0:6)
  # R requests the value and the gradient separately.
  expect_identical(anyDuplicated(trained$history$loss), 0L)
})

test_that("the loss of Levenberg-Marquardt never increases by more than rounding error", {
  rows <- random_rows(40, 3, 2, "squared", 3)
  task <- raw_data(rows$x, rows$y, test = 0)
  for (decay in c(0, 0.01)) for (seed in 1:3) {
    losses <- quiet_fit(net(), task, seed = seed, control = list(decay = decay, max_iterations = 100))$history$loss
    expect_true(all(diff(losses) <= 1e-9 * losses[[1]]))
  }
})

test_that("smooth networks with decay converge from every start", {
  # Gauss-Newton omits the curvature of the residuals, which is large here, so
  # short steps are needed, with differences of the loss below rounding error.
  rows <- withr::with_seed(1, {
    x <- matrix(stats::rnorm(120), 40)
    list(x = x, y = sin(2 * x[, 1]) + x[, 2] * x[, 3] + stats::rnorm(40) / 5)
  })
  numbers <- raw_data(rows$x, rows$y, test = 0)
  classes <- raw_data(rows$x, cut(rows$y, c(-Inf, -0.5, 0.5, Inf)), test = 0)
  deep <- function(activation, outputs) {
    input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation(activation) |>
      layer_dense(outputs, bias = TRUE)
  }
  for (activation in c("tanh", "sin")) for (decay in c(0.01, 0.1)) for (seed in 1:4) {
    label <- paste(activation, decay, seed)
    expect_true(quiet_fit(deep(activation, 1), numbers, seed = seed, control = list(decay = decay))$converged,
      label = label)
    expect_true(quiet_fit(deep(activation, 3), classes, seed = seed, control = list(decay = decay))$converged,
      label = label)
  }
})

test_that("a fit converges although decay drives units to zero", {
  # A response of pure noise: with this decay all weights but the last bias end at zero, and so do their columns of D.
  rows <- random_rows(30, 3, 1, "squared", 4)
  net <- input_vector(3) |> layer_dense(3) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  for (method in c("lm", "lbfgs")) {
    trained <- fit(net, raw_data(rows$x, rows$y, test = 0), method = method, seed = 1, control = list(decay = 1))
    expect_true(trained$converged)
    expect_lt(max(abs(coef(trained)[1:12])), 1e-5)
    expect_equal(coef(trained)[[13]], mean(rows$y) / 2, tolerance = 1e-5)
  }
})

test_that("a step that overshoots is rejected", {
  # The first undamped step from this start increases the loss.
  rows <- random_rows(20, 1, 1, "squared", 5)
  steep <- input_vector(1) |> layer_dense(1) |> layer_activation("sin", 20) |> layer_dense(1)
  task <- raw_data(rows$x, rows$y, test = 0)
  for (method in c("lm", "lbfgs", "adam")) {
    trained <- quiet_fit(set_coef(steep, c(0.5, 3)), task, method = method, seed = 1,
      control = list(max_iterations = 50))
    expect_lt(trained$train_loss, trained$history$loss[[1]])
    expect_identical(trained$train_loss <= min(trained$history$loss) * (1 + 1e-12), TRUE)
  }
})

test_that("a convergence number that overflows is not zero", {
  # |d|^2 overflows, so every cosine would be computed as zero.
  task <- raw_data(1e160 * sin(1:10), rep(c("a", "b"), 5), test = 0)
  logit <- input_vector(1) |> layer_dense(1) |> set_coef(1e-160)
  expect_error(fit(logit, task, seed = 1), class = "capalloc_error_diverged")
  for (method in c("lbfgs", "adam")) {
    trained <- quiet_fit(logit, task, method = method, seed = 1, control = list(max_iterations = 0))
    expect_false(trained$converged)
    expect_identical(trained$gradient_norm, NaN)
  }
})
