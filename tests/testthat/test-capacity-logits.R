# Only contrasts of logits count.

test_that("the total of multinomial regression is (K - 1)(n + 1)", {
  for (K in 2:4) {
    softmax <- with_test_coef(input_vector(2) |> layer_dense(K, bias = TRUE), 1)
    expect_equal(attr(capacity(softmax), "total"), K * 3)
    softmax$output <- "softmax"
    k <- capacity(softmax)
    expect_equal(attr(k, "total"), (K - 1) * 3)
    expect_near(k$capacity, rep(K - 1, 3), 1e-12)
    baseline <- with_test_coef(input_vector(2) |> layer_dense(K - 1, bias = TRUE), 1)
    baseline$output <- if (K == 2) "sigmoid" else "baseline"
    expect_equal(attr(capacity(baseline), "total"), (K - 1) * 3)
    expect_near(capacity(baseline)$capacity, k$capacity, 1e-12)
  }
})

test_that("capacities, kernels and tables are those of the projected tangent", {
  x <- withr::with_seed(1, matrix(rnorm(36), 12))
  linear <- input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_dense(4, bias = TRUE) |> with_test_coef(1)
  curved <- input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |>
    layer_dense(4) |> with_test_coef(1)
  for (output in c("softmax", "baseline")) {
    K <- 4 + (output == "baseline")
    C <- if (output == "softmax") diag(4) - 1 / 4 else {
      e <- eigen(diag(4) - 1 / K, symmetric = TRUE)
      e$vectors %*% (sqrt(e$values) * t(e$vectors))
    }
    linear$output <- curved$output <- output
    for (metric in c("identity", "covariance")) {
      T <- if (metric == "covariance") twin_root(crossprod(cbind(x, 1)) / 12, constant = TRUE) else diag(4)
      space <- twin_column_space(linear, J = kronecker(T, C) %*% twin_tangent(linear))
      kernel <- twin_kernel(space)
      data <- if (metric == "covariance") x
      expect_near(capacity(linear, metric, data = data)$capacity, diag(kernel), 1e-10)
      expect_near(unname(as.matrix(capacity_kernel(linear, metric = metric, data = data))), kernel, 1e-10)
      expect_near(unname(rowSums(as.matrix(capacity_table(linear, metric = metric, data = data)))), diag(kernel), 1e-9)
      # rows (s, o, j) of D
      D <- kronecker(T, kronecker(C, diag(12))) %*% .Call(ffi_extended, lower_network(curved), curved$coef, x)
      s <- svd(twin_unit_columns(D, twin_theta_array(curved)))
      U <- s$u[, s$d > 1e-10 * s$d[[1L]], drop = FALSE]
      own <- capacity(curved, metric, data = x, block = 5)
      expect_equal(attr(own, "total"), ncol(U))
      expect_near(own$capacity, colSums(matrix(rowSums(U^2), ncol = 4)), 1e-9)
    }
  }
})

test_that("baseline logits are converted to contrasts of all logits", {
  # The same function with a first logit that is zero.
  short <- input_vector(3) |> layer_dense(2) |> layer_dense(2, bias = TRUE) |> with_test_coef(1)
  short$output <- "baseline"
  C <- diag(3) - 1 / 3
  E <- rbind(0, diag(2))
  J <- kronecker(diag(4), C %*% E) %*% twin_tangent(short)
  s <- svd(twin_unit_columns(J, twin_theta_array(short)))
  U <- s$u[, s$d > 1e-10 * s$d[[1L]], drop = FALSE]
  expect_near(capacity(short)$capacity, colSums(matrix(rowSums(U^2), 3)), 1e-12)
})
