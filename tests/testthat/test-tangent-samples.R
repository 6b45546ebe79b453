# The extended tangent D of nonlinear networks: rows s + N (o + m j), the constant last.

core_extended <- function(network, x) .Call(ffi_extended, lower_network(network), network$coef, x)

# Returns random rows, and D both as a matrix and as samples x outputs x coordinates x parameters.
extended_at <- function(network, n = 4, seed = 1) {
  x <- test_inputs(network, n, seed)
  D <- core_extended(network, x)
  m <- prod(shape_of(network))
  list(x = x, D = D, cube = array(D, c(n, m, ncol(x) + 1, ncol(D))), m = m)
}

test_that("D equals the twin's mixed derivatives, with the row of the constant", {
  networks <- curved_networks()
  for (name in names(networks)) {
    net <- networks[[name]]
    own <- extended_at(net)
    # Fourth-order differences with a step of 2e-4: an error of 1e-15 from the step and 1e-11 from rounding.
    expect_lt(max(abs(own$D - twin_extended(net, own$x))), 2e-10, label = name)
    expect_gt(max(abs(own$D)), 0.05, label = name)
  }
})

test_that("x and the constant times D give the gradient of the outputs", {
  networks <- curved_networks()
  for (name in names(networks)) {
    net <- networks[[name]]
    own <- extended_at(net, 5, seed = 2)
    n <- ncol(own$x)
    total <- array(own$cube[, , n + 1, ], dim(own$cube)[-3])
    for (j in seq_len(n)) total <- total + own$x[, j] * array(own$cube[, , j, ], dim(total))
    # Rounding error of n products of order one.
    expect_lt(max(abs(matrix(total, ncol = dim(total)[[3L]]) - twin_gradients(net, own$x))), 1e-13, label = name)
  }
})

test_that("D' eps is -N / 2 times the gradient of the mean squared error, at any theta", {
  networks <- curved_networks()
  for (name in names(networks)) {
    net <- networks[[name]]
    own <- extended_at(net, 6, seed = 3)
    y <- withr::with_seed(4, matrix(rnorm(6 * own$m), 6))
    r <- y - predict(net, own$x)
    eps <- r[, rep(seq_len(own$m), ncol(own$x) + 1)] * cbind(own$x, 1)[, rep(seq_len(ncol(own$x) + 1), each = own$m)]
    loss <- function(theta) sum((y - twin_predict(net, own$x, theta))^2) / 6
    theta <- net$coef
    gradient <- vapply(seq_along(theta), function(k) {
      Im(loss(theta + 1e-20i * (seq_along(theta) == k))) / 1e-20
    }, 0)
    # Rounding error of sums of N m n terms of order one.
    expect_equal(c(crossprod(own$D, c(eps))), -3 * gradient, tolerance = 1e-12, label = name)
  }
})

test_that("only homogeneous networks without bias have a zero row for the constant", {
  networks <- curved_networks()
  homogeneous <- c("relu_deep", "elman_relu", "leaky_steep", "grid_same_abs")
  for (name in names(networks)) {
    own <- extended_at(networks[[name]])
    constant <- max(abs(own$cube[, , ncol(own$x) + 1, ]))
    expect_equal(is_homogeneous(networks[[name]]), name %in% c(homogeneous, "max_pool"), label = name)
    # Rounding error of terms that cancel.
    if (is_homogeneous(networks[[name]])) expect_lt(constant, 1e-14) else expect_gt(constant, 1e-3)
  }
})

test_that("for a linear network D is the tangent at every sample", {
  networks <- c(named_networks()[c("dense_bias", "nested", "grid_nested", "elman_sequence", "local_grouped")],
    lapply(1:20, random_network))
  for (net in networks) {
    J <- twin_tangent(net)
    own <- extended_at(net, 3)
    if (!twin_has_bias(net$layers)) J <- rbind(J, matrix(0, own$m, ncol(J)))
    expect_equal(own$D, J[rep(seq_len(nrow(J)), each = 3), , drop = FALSE], tolerance = 1e-12)
  }
})

test_that("the rows of a sample do not depend on other samples", {
  for (net in curved_networks()[c("gru", "grid_max", "parallel_curved")]) {
    own <- extended_at(net, 5)
    for (s in c(1, 5)) {
      alone <- core_extended(net, own$x[s, , drop = FALSE])
      # The same sums, possibly in a different order.
      expect_equal(c(alone), c(own$cube[s, , , ]), tolerance = 1e-14)
    }
  }
})

test_that("ties of a maximum select the first tap, and a dead unit has zero derivatives", {
  net <- input_sequence(2) |> layer_pool(2, type = "max") |> layer_dense(1) |> set_coef(3)
  expect_equal(unname(linearise(net, c(1, 1))), cbind(3, 0, 0))
  expect_equal(unname(linearise(net, c(1, 2))), cbind(0, 3, 0))
  expect_equal(core_extended(net, matrix(c(1, 1), 1)), cbind(c(1, 0, 0)))
  dead <- input_vector(2) |> layer_dense(1, bias = TRUE) |> layer_activation("relu") |> layer_dense(1) |>
    set_coef(c(1, 1, -10, 2))
  expect_equal(core_extended(dead, matrix(c(1, 1), 1)), matrix(0, 3, 4))
})

test_that("random nonlinear networks have the twin's predictions, derivatives and capacity", {
  for (seed in 1:60) {
    net <- random_curved_network(seed)
    own <- extended_at(net, 3, seed)
    expect_equal(predict(net, own$x), twin_predict(net, own$x), tolerance = 1e-12, label = seed)
    # A smaller step, so that no kink is crossed: an error of 1e-10 from rounding.
    expect_lt(max(abs(own$D - twin_extended(net, own$x, step = 2e-5))), 1e-9, label = seed)
    if (is_linear(net)) next
    twin <- twin_capacity(own$D, 3 * own$m, array = twin_theta_array(net))
    found <- suppressWarnings(capacity(net, data = own$x, block = 2),
      classes = c("capalloc_warning_rank_gap", "capalloc_warning_rows_exhausted", "capalloc_warning_constant"))
    expect_equal(attr(found, "total"), twin$rank, label = seed)
    expect_equal(found$capacity, twin$kappa, tolerance = 1e-8, label = seed)
  }
})
