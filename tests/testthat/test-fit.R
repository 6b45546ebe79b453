quiet_fit <- function(...) {
  suppressWarnings(fit(...), classes = c("capalloc_warning_not_converged", "capalloc_warning_starts"))
}

dilated_stack <- function(filters = 1, layers = 6) {
  net <- input_sequence(2^layers)
  for (l in seq_len(layers)) {
    net <- layer_conv(net, if (l < layers) filters else 1, 2, dilation = 2^(l - 1))
  }
  net
}

# Returns a task with several outputs, correlated inputs of unequal scale and, if `mean` is nonzero, means.
moments_task <- function(n, m, seed, mean = 0) {
  stated <- withr::with_seed(seed, random_moments(n, m, mean, scale = seq(0.5, 2, length.out = n)))
  if (mean == 0) stated <- stated[c("sigma", "cross", "target")]
  do.call(task_moments, stated)
}

# Returns Sigma, C, V, with the constant appended where `bias` is TRUE.
twin_moments <- function(moments, bias) {
  if (!bias) return(moments)
  list(
    sigma = rbind(cbind(moments$sigma, moments$mean_x), c(moments$mean_x, 1)),
    cross = rbind(moments$cross, moments$mean_y), target = moments$target
  )
}

twin_loss <- function(W, moments) {
  sum(diag(moments$target - 2 * W %*% moments$cross + W %*% moments$sigma %*% t(W)))
}

# max_k |J_k' eps| / (|J~_k| sqrt(tr V)), column by column as m x n matrices.
twin_convergence <- function(network, moments) {
  moments <- twin_moments(moments, twin_has_bias(network$layers))
  W <- twin_weights(network)
  eps <- t(moments$cross) - W %*% moments$sigma
  cosines <- apply(twin_tangent(network), 2L, function(column) {
    D <- matrix(column, nrow(W))
    abs(sum(D * eps)) / sqrt(sum((D %*% moments$sigma) * D))
  })
  # The total is about the mean where the network has a bias.
  mean_y <- if (twin_has_bias(network$layers)) moments$cross[nrow(moments$cross), ] else 0
  total <- sum(diag(moments$target)) - sum(mean_y^2)
  max(cosines, na.rm = TRUE) / sqrt(total)
}

# Returns the least loss of weights of rank r (reduced-rank regression): the Bayes loss plus the squares of the omitted
# singular values of W* Sigma^(1/2).
twin_low_rank_loss <- function(moments, rank) {
  root <- t(chol(moments$sigma))
  values <- svd(t(moments$cross) %*% t(solve(root)))$d
  sum(diag(moments$target)) - sum(values[seq_len(rank)]^2)
}

centred <- function(moments) {
  list(
    sigma = moments$sigma - tcrossprod(moments$mean_x),
    cross = moments$cross - tcrossprod(moments$mean_x, moments$mean_y),
    target = moments$target - tcrossprod(moments$mean_y)
  )
}

core_gradient <- function(network, task) {
  moments <- twin_moments(task$moments, twin_has_bias(network$layers))
  root <- chol(moments$sigma)
  target <- solve(t(root), moments$cross)
  floor <- max(0, sum(diag(moments$target)) - sum(target^2))
  .Call(capalloc:::ffi_gradient, capalloc:::lower_network(network), network$coef,
    list(root = root, target = target, floor = floor, total = 1))
}

test_that("the single-channel dilated stack learns fractional Gaussian noise from any seed", {
  task <- task_fgn(length = 64, hurst = 0.8)
  for (seed in 1:10) {
    trained <- fit(dilated_stack(), task, seed = seed)
    expect_true(trained$converged)
    # The reference value has eight digits.
    expect_lt(abs(trained$loss - 0.69734703), 5e-9, label = paste("seed", seed))
    expect_equal(generics::glance(capacity(trained))$total, 7)
  }
})

test_that("a wide dilated stack converges from at least eight seeds of ten", {
  task <- task_fgn(length = 64, hurst = 0.8)
  runs <- lapply(1:10, function(seed) quiet_fit(dilated_stack(4), task, seed = seed))
  expect_gte(sum(vapply(runs, function(run) run$converged, NA)), 8)
  losses <- vapply(runs, function(run) run$loss, 0)
  # With more filters the loss is below that of the single-channel stack and above the Bayes loss.
  expect_true(all(losses >= bayes_loss(task)))
  expect_lt(min(losses), 0.69734703)
})

test_that("a free linear model reaches the Bayes loss and the oracle weights", {
  # The error of the weights is rounding error times the condition number of Sigma, below 1e4 here.
  tasks <- list(task_fgn(12, 0.8), task_arma(8, ar = 0.8, ma = 0.6), moments_task(5, 3, 1))
  for (task in tasks) {
    length <- task$input$shape[[3L]]
    input <- if (task$input$kind == "vector") input_vector(5) else input_sequence(length)
    trained <- fit(layer_dense(input, task$outputs), task, seed = 1)
    expect_true(trained$converged)
    expect_equal(trained$loss, bayes_loss(task), tolerance = 1e-12)
    expect_equal(unname(effective_weights(trained$network)), unname(oracle_weights(task)),
      tolerance = 1e-9)
  }
})

test_that("a free linear model with a bias reaches the best affine weights", {
  # As above; means of 3 add two digits to the condition number.
  task <- moments_task(5, 2, 2, mean = 3)
  trained <- fit(input_vector(5) |> layer_dense(2, bias = TRUE), task, seed = 1)
  expect_equal(trained$loss, bayes_loss(task), tolerance = 1e-11)
  expect_equal(unname(effective_weights(trained$network)), unname(oracle_weights(task)),
    tolerance = 1e-8)
  # Without a bias the best weights are those of the uncentred moments.
  plain <- fit(input_vector(5) |> layer_dense(2), task, seed = 1)
  expect_equal(unname(effective_weights(plain$network)),
    unname(oracle_weights(task, intercept = FALSE)), tolerance = 1e-8)
  expect_gt(plain$loss, 1.01 * trained$loss)
})

test_that("two dense layers reach the best weights of low rank", {
  for (rank in 1:3) {
    task <- moments_task(6, 4, rank)
    net <- input_vector(6) |> layer_dense(rank) |> layer_dense(4)
    trained <- fit(net, task, seed = 1, restarts = 3)
    # The loss is flat at its minimum, so its error is rounding error.
    expect_equal(trained$loss, twin_low_rank_loss(task$moments, rank), tolerance = 1e-11)
    expect_equal(qr(effective_weights(trained$network), tol = 1e-8)$rank, rank)
  }
})

test_that("with a bias the low-rank problem is that of centred moments", {
  task <- moments_task(6, 4, 5, mean = 2)
  net <- input_vector(6) |> layer_dense(2) |> layer_dense(4, bias = TRUE)
  trained <- fit(net, task, seed = 1, restarts = 3)
  expect_true(trained$converged)
  # Centring leaves the rounding error of the uncentred moments, which are a few times larger.
  expect_equal(trained$loss, twin_low_rank_loss(centred(task$moments), 2), tolerance = 1e-10)
})

test_that("the gradient is -2 J' eps and equals central differences of the loss", {
  networks <- list(
    named_networks()$dense_deep, named_networks()$residual_deep, named_networks()$nested,
    named_networks()$recurrent_stack, named_networks()$conv_wide_dilated, random_network(7)
  )
  for (i in seq_along(networks)) {
    net <- networks[[i]]
    n <- prod(net$input$shape)
    W <- twin_weights(net)
    task <- moments_task(n, nrow(W), i, mean = 1)
    moments <- twin_moments(task$moments, twin_has_bias(net$layers))
    eps <- t(moments$cross) - W %*% moments$sigma
    found <- core_gradient(net, task)
    expect_equal(found$loss, twin_loss(W, moments), tolerance = 1e-12)
    expect_equal(found$gradient, -2 * c(crossprod(twin_tangent(net), c(eps))), tolerance = 1e-10)
    # Central differences with step 1e-5 have an error of about 1e-10 times the third derivative.
    loss <- function(theta) twin_loss(twin_weights(net, theta), moments)
    differences <- central_tangent(loss, net$coef)
    expect_equal(found$gradient, c(differences), tolerance = 1e-6)
  }
})

test_that("the loss of a fit is that of its weights on the task's moments", {
  for (bias in c(FALSE, TRUE)) {
    task <- moments_task(6, 2, 3, mean = 1)
    trained <- fit(input_vector(6) |> layer_dense(1, bias = bias) |> layer_dense(2), task, seed = 2)
    W <- twin_weights(trained$network)
    # Rounding error of a difference of second moments of size 1.
    expect_equal(trained$loss, twin_loss(W, twin_moments(task$moments, bias)), tolerance = 1e-11)
    expect_equal(trained$train_loss, trained$loss)
  }
})

test_that("a fit on rows equals the fit on the moments of these rows", {
  task <- moments_task(6, 2, 4, mean = 1)
  start <- input_vector(6) |> layer_dense(2) |> layer_dense(2, bias = TRUE) |> with_test_coef(1)
  rows <- fit(start, task, n_obs = 50, seed = 3)
  x <- rows$rows$x
  y <- rows$rows$y
  expect_equal(dim(x), c(50, 6))
  stated <- task_moments(crossprod(x) / 50, crossprod(x, y) / 50, crossprod(y) / 50, colMeans(x),
    colMeans(y))
  moments <- fit(start, stated)
  # The same steps on moments that differ at most by rounding error.
  expect_equal(moments$loss, rows$train_loss, tolerance = 1e-12)
  expect_equal(coef(moments), coef(rows), tolerance = 1e-8)
  expect_equal(mean(rowSums(residuals(rows)^2)), rows$train_loss, tolerance = 1e-11)
  # The population loss is that of the task, not of the sample.
  W <- effective_weights(rows$network)
  expect_equal(rows$loss, twin_loss(W, twin_moments(task$moments, TRUE)), tolerance = 1e-11)
  expect_gt(rows$loss, bayes_loss(task))
  # The same seed draws the same rows again.
  expect_equal(generics::glance(rows)$nobs, 50)
  expect_identical(fit(start, task, n_obs = 50, seed = 3)$rows, rows$rows)
})

test_that("the convergence number is the largest cosine of a tangent column and the residuals", {
  cases <- list(
    list(named_networks()$dense_deep, moments_task(6, 3, 6, mean = 1)),
    list(named_networks()$conv_dilated, task_fgn(16, 0.8)),
    list(named_networks()$residual_deep, moments_task(12, 2, 7, mean = 1)),
    list(named_networks()$diagonal, task_arma(10, ar = 0.8, ma = 0.6))
  )
  for (case in cases) {
    for (iterations in c(0, 1, 3)) {
      run <- quiet_fit(case[[1L]], case[[2L]], control = list(max_iterations = iterations, tol = 0))
      # The cosine is far from zero, so the difference is rounding error only.
      expect_equal(run$gradient_norm, twin_convergence(run$network, case[[2L]]$moments),
        tolerance = 1e-8)
      expect_equal(run$iterations, iterations)
    }
  }
  for (case in cases[1:2]) {
    done <- fit(case[[1L]], case[[2L]])
    # Near the end the number is of the size of rounding error: both are below the tolerance of 1e-10.
    expect_lte(done$gradient_norm, 1e-10)
    expect_lt(twin_convergence(done$network, case[[2L]]$moments), 2e-10)
  }
})

test_that("scales of layers and data do not change convergence", {
  task <- task_fgn(16, 0.8)
  scaled <- task_fgn(16, 0.8, variance = 1e8)
  net <- named_networks()$conv_dilated
  a <- quiet_fit(net, task, control = list(max_iterations = 2))
  b <- quiet_fit(net, scaled, control = list(max_iterations = 2))
  expect_equal(b$gradient_norm, a$gradient_norm, tolerance = 1e-6)
  expect_equal(b$loss, 1e8 * a$loss, tolerance = 1e-10)
})

test_that("free layers on a grid are least squares", {
  picture <- input_grid(3, 4, channels = 2)
  task <- moments_task(24, 2, 11, mean = 1)
  free <- list(
    dense = picture |> layer_dense(2, bias = TRUE),
    conv = picture |> layer_conv(2, c(3, 4), bias = TRUE),
    local = picture |> layer_local(2, c(3, 4), bias = TRUE),
    # Each position has two filters of its own, whose outputs the read-out can combine.
    places = picture |> layer_local(2, 1) |> layer_dense(2, bias = TRUE)
  )
  wanted <- t(solve(twin_moments(task$moments, TRUE)$sigma, twin_moments(task$moments, TRUE)$cross))
  for (name in names(free)) {
    trained <- fit(free[[name]], task, seed = 1)
    expect_true(trained$converged, label = name)
    # Normal equations with a well-conditioned Sigma.
    expect_equal(unname(effective_weights(trained$network)), wanted, tolerance = 1e-7, label = name)
    expect_equal(trained$loss, bayes_loss(task), tolerance = 1e-10, label = name)
  }
})

test_that("a convolution of a grid is least squares on the sums that it reads", {
  # y is the sum over positions of a 2 x 2 kernel: one regressor for each tap.
  net <- input_grid(4, 3) |> layer_conv(1, 2) |> layer_pool(c(3, 2))
  x <- withr::with_seed(1, matrix(rnorm(60 * 12), 60))
  y <- withr::with_seed(2, rnorm(60))
  at <- function(row, column) (row + 0:2) + 4 * rep(column + 0:1 - 1, each = 3)
  taps <- sapply(list(at(1, 1), at(2, 1), at(1, 2), at(2, 2)), function(places) rowMeans(x[, places]))
  by_hand <- lm.fit(taps, y)
  trained <- fit(net, task_data(x, y, test = 0, standardise = FALSE), seed = 1)
  expect_true(trained$converged)
  expect_equal(unname(coef(trained)), unname(by_hand$coefficients), tolerance = 1e-8)
  expect_equal(trained$train_loss, mean(by_hand$residuals^2), tolerance = 1e-10)
})

test_that("the gradient of local layers, upsampling and grids agrees with the tangent, and they converge", {
  networks <- named_networks()[c("local_same", "u_shape", "grid_local_grouped", "grid_u_shape", "grid_nested")]
  for (i in seq_along(networks)) {
    net <- networks[[i]]
    n <- prod(net$input$shape)
    W <- twin_weights(net)
    task <- moments_task(n, nrow(W), i + 20, mean = 1)
    moments <- twin_moments(task$moments, twin_has_bias(net$layers))
    eps <- t(moments$cross) - W %*% moments$sigma
    found <- core_gradient(net, task)
    expect_equal(found$loss, twin_loss(W, moments), tolerance = 1e-12)
    expect_equal(found$gradient, -2 * c(crossprod(twin_tangent(net), c(eps))), tolerance = 1e-10)
    start <- quiet_fit(net, task, control = list(max_iterations = 3, tol = 0))
    expect_equal(start$gradient_norm, twin_convergence(start$network, task$moments), tolerance = 1e-8)
    trained <- fit(net, task)
    expect_true(trained$converged)
    expect_lt(trained$loss, found$loss)
    expect_equal(trained$loss, twin_loss(twin_weights(trained$network), moments), tolerance = 1e-10)
    # The number is of the size of rounding error: both are below the tolerance of 1e-10.
    expect_lt(twin_convergence(trained$network, task$moments), 2e-10)
  }
})

test_that("all methods reach the same loss", {
  task <- task_fgn(16, 0.8)
  net <- named_networks()$conv_dilated
  lm <- fit(net, task)
  lbfgs <- quiet_fit(net, task, method = "lbfgs")
  adam <- quiet_fit(net, task, method = "adam")
  # L-BFGS stops when the loss no longer decreases, near the square root of eps; the last steps of Adam are small.
  expect_equal(lbfgs$loss, lm$loss, tolerance = 1e-9)
  expect_equal(adam$loss, lm$loss, tolerance = 1e-5)
  expect_gte(adam$loss, lm$loss * (1 - 1e-12))
  expect_equal(c(lm$method, lbfgs$method, adam$method), c("lm", "lbfgs", "adam"))
  # The reported number is that of the final point.
  expect_equal(adam$gradient_norm, twin_convergence(adam$network, task$moments), tolerance = 1e-4)
  dense <- fit(input_sequence(16) |> layer_dense(1), task, method = "lbfgs", seed = 1,
    control = list(tol = 1e-6))
  expect_true(dense$converged)
  expect_equal(dense$loss, bayes_loss(task), tolerance = 1e-9)
})

test_that("the same seed gives an identical fit and another seed a different fit", {
  net <- named_networks()$nested
  net$coef <- NULL
  task <- moments_task(8, 2, 8)
  task$input <- net$input
  same <- c("network", "loss", "train_loss", "gradient_norm", "iterations", "runs", "history",
    "rows", "seed")
  for (method in c("lm", "lbfgs", "adam")) for (n_obs in c(Inf, 30)) {
    again <- function(seed) {
      quiet_fit(net, task, method = method, n_obs = n_obs, seed = seed, restarts = 2,
        control = list(max_iterations = 20))
    }
    first <- again(1)
    expect_identical(again(1)[same], first[same])
    other <- again(2)
    expect_false(isTRUE(all.equal(coef(other), coef(first))))
    expect_false(isTRUE(all.equal(other$history$loss, first$history$loss)))
  }
})

test_that("set.seed() determines a fit without a seed", {
  net <- input_sequence(8) |> layer_conv(2, 4) |> layer_dense(1)
  task <- task_ar(8, 0.5)
  draw <- function() fit(net, task, n_obs = 30)
  withr::local_seed(11)
  first <- draw()
  second <- draw()
  set.seed(11)
  again <- draw()
  expect_identical(again$seed, first$seed)
  expect_identical(coef(again), coef(first))
  expect_false(second$seed == first$seed)
  # The stored seed gives the same fit.
  expect_identical(coef(fit(net, task, n_obs = 30, seed = first$seed)), coef(first))
})

test_that("fit() restores the user's generator", {
  withr::local_preserve_seed()
  net <- input_sequence(8) |> layer_dense(1)
  task <- task_ar(8, 0.5)
  RNGkind("Wichmann-Hill", "Box-Muller", "Rejection")
  set.seed(5)
  before <- list(RNGkind(), .Random.seed)
  trained <- fit(net, task, n_obs = 30, seed = 1)
  expect_identical(list(RNGkind(), .Random.seed), before)
  # Without a seed exactly one number is drawn from the stream.
  fit(net, task, n_obs = 30)
  after <- .Random.seed
  set.seed(5)
  sample.int(.Machine$integer.max, 1L)
  expect_identical(.Random.seed, after)
  expect_equal(RNGkind(), before[[1L]])
  RNGkind("default", "default", "default")
  default <- fit(net, task, n_obs = 30, seed = 1)
  expect_identical(coef(default), coef(trained))
})

test_that("the best restart is kept, and every restart has a row", {
  net <- dilated_stack(2, 4)
  task <- task_fgn(16, 0.8)
  control <- list(max_iterations = 8)
  trained <- quiet_fit(net, task, seed = 4, restarts = 5, control = control)
  runs <- trained$runs
  expect_equal(names(runs), c("restart", "train_loss", "outcome", "gradient_norm", "iterations", "decrement",
    "redraws"))
  expect_equal(runs$restart, 1:5)
  expect_equal(length(unique(runs$train_loss)), 5)
  expect_identical(trained$train_loss, min(runs$train_loss))
  best <- which.min(runs$train_loss)
  expect_identical(trained$gradient_norm, runs$gradient_norm[[best]])
  expect_identical(trained$outcome, runs$outcome[[best]])
  # The start of a restart does not depend on the number of restarts.
  one <- quiet_fit(net, task, seed = 4, control = control)
  expect_identical(one$train_loss, runs$train_loss[[1L]])
})

test_that("a network with coefficients is trained from them", {
  task <- task_fgn(16, 0.8)
  trained <- fit(dilated_stack(1, 4), task, seed = 1)
  again <- fit(trained$network, task, seed = 2)
  # Polishing can take a few more steps, which change coefficients at rounding error.
  expect_lte(again$iterations, 3)
  expect_equal(coef(again), coef(trained), tolerance = 1e-10)
  expect_true(again$converged)
  # Only the starts of further restarts are drawn.
  start <- with_test_coef(dilated_stack(1, 4), 3)
  several <- quiet_fit(start, task, seed = 2, restarts = 3, control = list(max_iterations = 0))
  moments <- task$moments
  own <- several$runs$train_loss[[1L]]
  expect_equal(own, twin_loss(twin_weights(start), moments), tolerance = 1e-12)
  drawn <- quiet_fit(dilated_stack(1, 4), task, seed = 2, restarts = 3,
    control = list(max_iterations = 0))
  expect_identical(several$runs$train_loss[-1L], drawn$runs$train_loss[-1L])
})

test_that("a start with a zero tangent is degenerate, not converged", {
  net <- dilated_stack(2, 4) |> set_coef(numeric(24))
  for (method in c("lm", "lbfgs", "adam")) {
    expect_warning(
      trained <- fit(net, task_fgn(16, 0.8), method = method, control = list(max_iterations = 50)),
      "degenerate", class = "capalloc_warning_not_converged"
    )
    expect_equal(trained$outcome, "degenerate")
    expect_false(trained$converged)
    expect_true(is.nan(trained$gradient_norm))
    # At W = 0 the loss is the variance.
    expect_equal(trained$loss, 1)
  }
})

test_that("a fit that used all its iterations warns", {
  task <- task_fgn(16, 0.8)
  for (method in c("lm", "lbfgs", "adam")) {
    expect_warning(
      trained <- fit(dilated_stack(2, 4), task, method = method, seed = 1,
        control = list(max_iterations = 1)),
      "reached the maximum number of iterations", class = "capalloc_warning_not_converged"
    )
    expect_equal(trained$outcome, "exhausted")
    expect_false(trained$converged)
    expect_false(generics::glance(trained)$converged)
  }
})

test_that("a fit that no step improves has stalled", {
  # A tolerance of zero is never met, so every fit ends with another outcome.
  expect_warning(
    trained <- fit(dilated_stack(1, 4), task_fgn(16, 0.8), seed = 1, control = list(tol = 0)),
    "stalled", class = "capalloc_warning_not_converged"
  )
  expect_equal(trained$outcome, "stalled")
  expect_lt(trained$gradient_norm, 1e-10)
})

test_that("a start whose loss overflows is an error unless another restart succeeds", {
  task <- task_fgn(16, 0.8)
  net <- set_coef(dilated_stack(1, 4), rep(1e200, 8))
  for (method in c("lm", "lbfgs", "adam")) {
    expect_error(quiet_fit(net, task, method = method, seed = 1), class = "capalloc_error_diverged")
  }
  trained <- fit(net, task, seed = 1, restarts = 2)
  expect_equal(trained$runs$outcome, c("diverged", "converged"))
  expect_true(trained$converged)
  expect_true(all(is.finite(coef(trained))))
  # Large coefficients whose loss is finite.
  large <- quiet_fit(set_coef(dilated_stack(1, 4), rep(1e10, 8)), task)
  expect_lte(large$loss, 1e160)
  expect_true(all(is.finite(coef(large))))
})

test_that("the loss of data is the loss on held-out rows", {
  series <- log(as.numeric(lynx))
  task <- task_series(series, length = 8, test = 0.25)
  net <- input_sequence(8) |> layer_conv(1, 4) |> layer_dense(1, bias = TRUE)
  trained <- fit(net, task, seed = 1)
  rows <- embed(series, 9)[, 9:1]
  held <- seq_len(nrow(rows)) > nrow(rows) - round(0.25 * nrow(rows))
  # The channel has one centre and one scale over all training windows.
  centre <- mean(rows[!held, 1:8])
  scale <- sqrt(mean((rows[!held, 1:8] - centre)^2))
  W <- twin_weights(trained$network)
  error <- function(of) {
    z <- (rows[of, ] - centre) / scale
    mean((rows[of, 9] - centre - scale * cbind(z[, 1:8], 1) %*% t(W))^2)
  }
  # Rounding error of squares of size 1 against means of size 40.
  expect_equal(trained$loss, error(held), tolerance = 1e-11)
  expect_equal(trained$train_loss, error(!held), tolerance = 1e-10)
  expect_equal(nobs(trained), sum(!held))
  expect_true(is.na(trained$bayes_loss))
  expect_true(is.na(generics::glance(trained)$excess_loss))
  expect_equal(residuals(trained), matrix(rows[!held, 9]) - fitted(trained))
})

test_that("losses of several outputs are summed, and the loss is NA without held-out rows", {
  task <- task_data(as.matrix(mtcars[, 3:6]), as.matrix(mtcars[, 1:2]), test = 0.3, seed = 1)
  trained <- fit(input_vector(4) |> layer_dense(2, bias = TRUE), task, seed = 1)
  by_lm <- stats::lm.fit(cbind(task$data$x, 1), task$data$y)
  held_out <- task$data$y_test - cbind(task$data$x_test, 1) %*% by_lm$coefficients
  expect_equal(trained$loss, sum(held_out^2) / nrow(held_out), tolerance = 1e-10)
  expect_equal(unname(fitted(trained)), unname(by_lm$fitted.values), tolerance = 1e-10)
  all <- task_data(mtcars[, 3:6], mtcars[, 1:2], test = 0)
  all <- fit(input_vector(4) |> layer_dense(2), all, seed = 1)
  expect_identical(all$loss, NA_real_)
  expect_equal(nobs(all), 32)
})

test_that("the methods of a fit agree with its parts", {
  task <- task_ar(8, 0.5)
  trained <- fit(input_sequence(8) |> layer_conv(2, 5) |> layer_dense(1, bias = TRUE), task,
    n_obs = 40, seed = 3)
  rows <- trained$rows
  expect_identical(coef(trained), coef(trained$network))
  expect_identical(predict(trained), fitted(trained))
  expect_equal(fitted(trained), twin_predict(trained$network, rows$x), tolerance = 1e-12)
  expect_identical(residuals(trained), rows$y - fitted(trained))
  expect_identical(predict(trained, rows$x[1:3, ]), predict(trained$network, rows$x[1:3, ]))
  expect_equal(nobs(trained), 40)
  # With a bias the residuals are orthogonal to the constant.
  expect_lt(abs(mean(residuals(trained))), 1e-9)
})

test_that("glance(), tidy() and the history have the documented columns", {
  task <- task_ar(8, 0.5)
  trained <- fit(input_sequence(8) |> layer_conv(2, 5) |> layer_dense(1, bias = TRUE), task,
    seed = 3, restarts = 2)
  glanced <- generics::glance(trained)
  expect_identical(class(glanced), "data.frame")
  expect_equal(nrow(glanced), 1)
  expect_equal(names(glanced), c("n_params", "loss", "train_loss", "bayes_loss", "excess_loss",
    "converged", "gradient_norm", "iterations", "seconds", "method", "seed", "nobs", "decrement", "redraws",
    "null_loss"))
  expect_equal(glanced$n_params, 19)
  expect_equal(glanced$bayes_loss, bayes_loss(task))
  expect_equal(glanced$excess_loss, trained$loss - bayes_loss(task))
  expect_equal(glanced$seed, 3)
  expect_equal(glanced$nobs, Inf)
  expect_gte(glanced$seconds, 0)
  tidied <- generics::tidy(trained)
  expect_identical(class(tidied), "data.frame")
  expect_equal(names(tidied), c("term", "layer", "estimate", "capacity"))
  expect_equal(sum(tidied$capacity), generics::glance(capacity(trained))$total)
  expect_equal(tidied$term, names(coef(trained)))
  expect_equal(tidied$layer, rep(c("conv1", "dense1"), c(10, 9)))
  expect_equal(tidied$estimate, unname(coef(trained)))
  history <- trained$history
  expect_equal(names(history), c("restart", "iteration", "set", "loss", "gradient_norm"))
  expect_equal(as.numeric(table(history$restart)), trained$runs$iterations + 1)
  expect_equal(unique(history$set), "train")
  for (restart in 1:2) {
    rows <- history[history$restart == restart, ]
    expect_equal(rows$iteration, seq_len(nrow(rows)) - 1L)
    expect_equal(rows$loss[[nrow(rows)]], trained$runs$train_loss[[restart]])
    # Late steps are accepted by the convergence number, so the loss can vary by its rounding error.
    expect_true(all(diff(rows$loss) <= 1e-8 * rows$loss[[1L]]))
  }
})

test_that("the history of every method has all iterations and the reported loss", {
  net <- dilated_stack(2, 4)
  for (method in c("lm", "lbfgs", "adam")) for (most in c(0, 1, 30)) {
    run <- quiet_fit(net, task_fgn(16, 0.8), method = method, seed = 1,
      control = list(max_iterations = most))
    label <- paste(method, most)
    expect_lte(run$iterations, most, label = label)
    expect_equal(nrow(run$history), run$iterations + 1, label = label)
    # The best point is kept, and its loss is computed once more.
    expect_equal(min(run$history$loss), run$train_loss, tolerance = 1e-12, label = label)
  }
})

test_that("tidy() names the layers inside blocks", {
  net <- named_networks()$residual_deep
  task <- moments_task(12, 2, 7)
  tidied <- generics::tidy(quiet_fit(net, task, control = list(max_iterations = 1)))
  expect_equal(tidied$layer, sub("[.].*", "", tidied$term))
})

test_that("a fit is unchanged by saveRDS() and readRDS()", {
  trained <- fit(dilated_stack(2, 3), task_fgn(8, 0.8), n_obs = 30, seed = 1)
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(trained, path)
  back <- readRDS(path)
  x <- matrix(sin(1:16), 2)
  expect_identical(predict(back, x), predict(trained, x))
  expect_identical(coef(back), coef(trained))
  expect_identical(capacity(back), capacity(trained))
})

test_that("a fit prints its task, its outcome and its network", {
  # Iterations and the convergence number depend on the BLAS.
  hide <- function(lines) {
    lines <- sub("in [0-9]+ iterations?", "in # iterations", lines)
    sub("gradient norm .*", "gradient norm #", lines)
  }
  task <- task_fgn(8, 0.8)
  stopping <- task_data(dist ~ speed + I(speed^2), cars, seed = 1)
  expect_snapshot(transform = hide, {
    fit(input_sequence(8) |> layer_dense(1), task, seed = 1)
    fit(input_sequence(8) |> layer_dense(1), task, seed = 1, n_obs = 20)
    fit(input_vector(2) |> layer_dense(1, bias = TRUE), stopping, seed = 1)
    quiet_fit(dilated_stack(1, 3), task, seed = 1, control = list(max_iterations = 1))
  })
})

test_that("networks, tasks and arguments that cannot be trained are refused", {
  net <- input_sequence(8) |> layer_dense(1)
  task <- task_ar(8, 0.5)
  population <- fit(net, task, seed = 1)
  expect_snapshot({
    cat(bad(fit(net, 1), "type"))
    cat(bad(fit(net, task, method = "sgd"), "value"))
    cat(bad(fit(net, task, restarts = 0), "value"))
    cat(bad(fit(net, task, restarts = 1.5), "value"))
    cat(bad(fit(net, task, seed = 1.5), "value"))
    cat(bad(fit(net, task, seed = "a"), "value"))
    cat(bad(fit(net, task, n_obs = 0), "value"))
    cat(bad(fit(net, task, n_obs = NA), "value"))
    cat(bad(fit(net, task, n_obs = -Inf), "value"))
    cat(bad(fit(input_sequence(8), task_copy(8, lag = 1:8)), "value"))
    cat(bad(fit(input_sequence(9) |> layer_dense(1), task), "shape"))
    cat(bad(fit(input_sequence(8, channels = 2) |> layer_dense(1), task_copy(16, 1)), "shape"))
    cat(bad(fit(input_sequence(8) |> layer_dense(2), task), "shape"))
    cat(bad(fit(net, task_moments(diag(8), numeric(8), 0)), "value"))
    cat(bad(fitted(population), "value"))
    cat(bad(residuals(population), "value"))
    cat(bad(predict(population, 1:7), "shape"))
    cat(bad(predict(population, c(1:7, NA)), "value"))
  })
})

test_that("a looser tolerance converges earlier", {
  task <- task_fgn(16, 0.8)
  tight <- fit(dilated_stack(1, 4), task, seed = 1)
  loose <- fit(dilated_stack(1, 4), task, seed = 1, control = list(tol = 1e-3))
  expect_lt(loose$iterations, tight$iterations)
  expect_true(loose$converged)
  expect_gt(loose$gradient_norm, tight$gradient_norm)
})

test_that("training can be interrupted, and repeating the call gives the same fit", {
  expect_identical(said_by_interrupted('
    net <- arch_dilated(128, filters = 8)
    train <- function(most) {
      suppressWarnings(fit(net, task_fgn(128, 0.8), seed = 1, control = list(max_iterations = most, tol = 0)))
    }
    before <- train(2)
    interrupt_soon()
    tryCatch(repeat train(1e5), interrupt = function(e) cat("interrupted "))
    cat(identical(train(2)$history, before$history))
  '), "interrupted TRUE")
})

test_that("samples and records of training have the fields of their constructors", {
  expect_constructor(new_fit_sample)
  expect_constructor(new_fit_trained_record)
})
