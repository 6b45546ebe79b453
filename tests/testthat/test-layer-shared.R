# Layers composed of others, and blocks of shared weights.

expect_exact <- function(net, x, label) {
  expect_equal(predict(net, x), twin_predict(net, x), tolerance = 1e-10, label = label)
  D <- .Call(ffi_extended, capalloc:::lower_network(net), net$coef, x)
  m <- ncol(predict(net, x))
  # dyhat/dtheta = sum_j x_j D_j + D_0 by complex steps of the twin
  gradient <- matrix(twin_gradients(net, x), ncol = length(net$coef))
  parts <- array(D, c(nrow(x), m, ncol(x) + 1, length(net$coef)))
  if (length(parts) != length(D)) stop("the shape of D")
  sum_of <- 0
  for (j in seq_len(ncol(x))) sum_of <- sum_of + x[, j] * matrix(parts[, , j, ], nrow(x) * m)
  sum_of <- sum_of + matrix(parts[, , ncol(x) + 1, ], nrow(x) * m)
  expect_equal(matrix(sum_of, nrow(x) * m), gradient, tolerance = 1e-9, label = label)
}

test_that("values and gradients of composed networks equal the twin's", {
  for (name in names(composed_networks())) {
    net <- composed_networks()[[name]]
    x <- test_inputs(net, 4)
    expect_equal(predict(net, x), twin_predict(net, x), tolerance = 1e-12, label = name)
    if (is_linear(net)) {
      expect_equal(unname(effective_weights(net)), twin_weights(net), tolerance = 1e-12, label = name)
      expect_equal(unname(tangent(net)), twin_tangent(net), tolerance = 1e-10, label = name)
    }
  }
})
