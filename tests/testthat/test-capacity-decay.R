# Soft capacity of fits with weight decay.

decay_rows <- function(N = 60) withr::with_seed(2, matrix(rnorm(5 * N), N) %*% diag(c(1, 2, 3, 0.5, 1)) + 0.5)

decayed <- function(network, lambda, outputs = 1) {
  x <- decay_rows()
  y <- x[, seq_len(outputs)] - x[, 2] + withr::with_seed(3, matrix(rnorm(60 * outputs), 60))
  suppressWarnings(fit(network, task_data(x, y, test = 0), seed = 1, control = list(decay = lambda)),
    classes = "capalloc_warning_not_converged")
}

# Returns the training rows in the units of the network's layers.
rows_of <- function(trained) units_in(trained$rows$x, trained$network$units)

test_that("for a dense layer ridge = \"decay\" gives the effective degrees of freedom of ridge regression", {
  for (bias in c(TRUE, FALSE)) for (lambda in c(1e-3, 0.3, 10)) for (outputs in 1:2) {
    trained <- decayed(input_vector(5) |> layer_dense(outputs, bias = bias), lambda, outputs)
    X <- if (bias) cbind(rows_of(trained), 1) else rows_of(trained)
    df <- sum(diag(crossprod(X) %*% solve(crossprod(X) + nrow(X) * lambda * diag(ncol(X)))))
    k <- capacity(trained, ridge = "decay")
    expect_equal(attr(k, "total"), outputs * df, tolerance = 1e-10)
    expect_equal(sum(k$capacity), outputs * df, tolerance = 1e-10)
    glanced <- generics::glance(k)
    expect_equal(glanced$ridge, lambda)
    expect_equal(glanced$metric, "covariance")
  }
})

test_that("for deep and nonlinear networks ridge = \"decay\" uses D~ (D~'D~ + N lambda I)^-1 D~'", {
  networks <- list(
    deep = input_vector(5) |> layer_dense(2) |> layer_dense(2, bias = TRUE),
    tanh = input_vector(5) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(2),
    relu = input_vector(5) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(2)
  )
  for (name in names(networks)) {
    trained <- decayed(networks[[name]], 0.02, 2)
    net <- trained$network
    x <- rows_of(trained)
    N <- nrow(x)
    sigma <- if (name == "relu") rbind(cbind(crossprod(x) / N, 0), c(numeric(5), 1)) else crossprod(cbind(x, 1)) / N
    T <- twin_root(sigma, constant = TRUE)
    if (name == "deep") {
      D <- kronecker(T, diag(2)) %*% twin_tangent(net)
      weight <- 0.02
    } else {
      D <- kronecker(T, diag(2 * N)) %*% .Call(ffi_extended, lower_network(net), net$coef, x)
      weight <- N * 0.02
    }
    inverse <- solve(crossprod(D) + weight * diag(ncol(D)))
    kappa <- colSums(matrix(rowSums((D %*% inverse) * D), ncol = 6))
    k <- capacity(trained, ridge = "decay", block = 4)
    expect_near(k$capacity, kappa, 1e-9, name)
    K <- capacity_kernel(trained, ridge = "decay")
    expect_near(unname(diag(as.matrix(K))), kappa, 1e-9, name)
    expect_near(unname(rowSums(as.matrix(capacity_table(trained, ridge = "decay")))), kappa, 1e-9, name)
  }
})

test_that("ridge = \"decay\" is refused where it is not defined", {
  trained <- decayed(input_vector(5) |> layer_dense(1), 0.3)
  plain <- fit(input_vector(5) |> layer_dense(1), trained$task, seed = 1)
  classes <- fit(arch_dense(input_vector(2), bias = TRUE), task_data(factor(am) ~ wt + hp, mtcars, test = 0),
    seed = 1, control = list(decay = 0.1))
  expect_snapshot({
    cat(bad(capacity(trained$network, ridge = "decay"), "decay"))
    cat(bad(capacity(plain, ridge = "decay"), "decay"))
    cat(bad(capacity(classes, ridge = "decay"), "decay"))
    cat(bad(capacity(trained, ridge = "decay", data = decay_rows()), "decay"))
    cat(bad(capacity(trained, "identity", ridge = "decay"), "metric"))
    cat(bad(capacity(trained, ridge = "Decay"), "value"))
  })
  expect_equal(capacity(trained, "covariance", ridge = "decay")$capacity, capacity(trained, ridge = "decay")$capacity)
})

test_that("print() shows the weight decay", {
  trained <- decayed(input_vector(5) |> layer_dense(1), 0.3)
  expect_output(print(capacity(trained, ridge = "decay")), "soft (weight decay 0.3) total", fixed = TRUE)
  expect_output(print(capacity_kernel(trained, ridge = "decay")), "soft (weight decay 0.3), covariance", fixed = TRUE)
})
