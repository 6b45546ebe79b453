# Tests of the twin itself, compared with numbers computed by hand.

by_hand <- function(network, theta, x) c(twin_predict(set_coef(network, theta), t(x)))

conv_of <- function(n, taps, ...) {
  by_hand(layer_conv(input_sequence(n), 1, kernel = length(taps), ...), taps, seq_len(n))
}

test_that("a dense layer is a matrix stored unit-fastest", {
  net <- input_vector(3) |> layer_dense(2, bias = TRUE)
  expect_equal(by_hand(net, c(1, 10, 2, 20, 3, 30, 0.5, 0.25), c(1, 1, 2)), c(9.5, 90.25))
})

test_that("convolutions of 1:6 equal results by hand", {
  digits <- c(1, 10, 100)
  expect_equal(conv_of(6, digits), c(321, 432, 543, 654))
  expect_equal(conv_of(6, digits, dilation = 2), c(531, 642))
  # Aligned to the newest position: the oldest is not read.
  expect_equal(conv_of(6, digits, stride = 2), c(432, 654))
})

test_that("same padding puts the odd zero at the oldest end", {
  expect_equal(conv_of(6, c(1, 10, 100), padding = "same"), c(210, 321, 432, 543, 654, 65))
  expect_equal(conv_of(6, c(1, 10), padding = "same"), c(10, 21, 32, 43, 54, 65))
  expect_equal(conv_of(6, c(1, 10, 100), padding = "same", stride = 2), c(210, 432, 654))
  # No padding is needed, so windows are aligned to the newest position.
  expect_equal(conv_of(10, 1, padding = "same", stride = 4), c(2, 6, 10))
})

test_that("causal padding puts all zeros at the oldest end", {
  expect_equal(conv_of(6, c(1, 10, 100), padding = "causal"), c(100, 210, 321, 432, 543, 654))
  expect_equal(conv_of(9, c(1, 10), padding = "causal", stride = 4), c(10, 54, 98))
  expect_equal(conv_of(10, 1, padding = "causal", stride = 4), c(2, 6, 10))
  expect_equal(conv_of(5, c(1, 10), padding = "causal", dilation = 3), c(10, 20, 30, 41, 52))
})

test_that("channels, filters and groups of a convolution are in the right order", {
  x <- c(1, 10, 2, 20, 3, 30) # channels 1, 2, 3 and 10, 20, 30
  full <- input_sequence(3, channels = 2) |> layer_conv(2, kernel = 2, bias = TRUE)
  theta <- c(1, 0, 0, 0, 0, 0, 0, 1, 0.5, 0.25)
  # Filter 1 reads channel 1 at the older position, filter 2 reads channel 2 at the newer one.
  expect_equal(by_hand(full, theta, x), c(1.5, 20.25, 2.5, 30.25))
  grouped <- input_sequence(3, channels = 2) |> layer_conv(4, kernel = 1, groups = 2)
  expect_equal(
    by_hand(grouped, 1:4, x),
    c(1, 2, 30, 40, 2, 4, 60, 80, 3, 6, 90, 120)
  )
})

test_that("a pool averages windows aligned to the newest position", {
  expect_equal(by_hand(layer_pool(input_sequence(7), 3), numeric(), 1:7), c(3, 6))
  expect_equal(by_hand(layer_pool(input_sequence(6), 3, stride = 2), numeric(), 1:6), c(3, 5))
  two <- layer_pool(input_sequence(2, channels = 2), 2)
  expect_equal(by_hand(two, numeric(), c(1, 10, 3, 30)), c(2, 20))
})

test_that("convolutions of a grid equal results by hand", {
  # 1 3 5
  # 2 4 6
  conv <- function(taps, kernel, ...) by_hand(layer_conv(input_grid(2, 3), 1, kernel, ...), taps, 1:6)
  # Taps run down the columns: 1 10 / 100 1000 on the first two columns, then on the last two.
  expect_equal(conv(c(1, 10, 100, 1000), 2), c(4321, 6543))
  expect_equal(conv(c(1, 10), c(2, 1)), c(21, 43, 65))
  expect_equal(conv(c(1, 10), c(1, 2)), c(31, 42, 53, 64))
  expect_equal(conv(c(1, 10), c(1, 2), dilation = c(1, 2)), c(51, 62))
  # Aligned to the last row and column.
  expect_equal(conv(1, 1, stride = 2), c(2, 6))
  # The odd zero is added at the top and at the left.
  expect_equal(conv(c(1, 10, 100, 1000), 2, padding = "same"), c(1000, 2100, 3010, 4321, 5030, 6543))
  expect_equal(conv(c(1, 10, 100), c(1, 3), padding = "same", stride = c(2, 2)), c(420, 64))
})

test_that("channels of a grid vary faster than its rows, and groups read their own channels", {
  x <- c(1, 10, 2, 20, 3, 30, 4, 40) # channels 1 3 / 2 4 and 10 30 / 20 40
  full <- input_grid(2, 2, channels = 2) |> layer_conv(1, kernel = c(2, 1), bias = TRUE)
  # kernel[filter, channel, row, column].
  expect_equal(by_hand(full, c(1, 0, 0, 1, 0.5), x), c(21.5, 43.5))
  grouped <- input_grid(2, 2, channels = 2) |> layer_conv(2, kernel = c(1, 2), groups = 2)
  expect_equal(by_hand(grouped, c(1, 2, 100, 200), x), c(301, 6020, 402, 8040))
})

test_that("a local layer has a kernel for every position, in order", {
  line <- input_sequence(3) |> layer_local(1, 2, bias = TRUE)
  expect_equal(by_hand(line, c(1, 10, 2, 20, 0.5, 0.25), 1:3), c(21.5, 64.25))
  # kernel[filter, channel, row, column, row of position, column of position].
  grid <- input_grid(2, 2) |> layer_local(2, c(1, 2), bias = TRUE)
  expect_equal(
    by_hand(grid, c(1, 2, 10, 20, 3, 4, 30, 40, 0.1, 0.2, 0.3, 0.4), 1:4),
    c(1 + 30 + 0.1, 2 + 60 + 0.2, 6 + 120 + 0.3, 8 + 160 + 0.4)
  )
  # Padded: the first tap of the first position lies outside the input.
  padded <- input_sequence(3) |> layer_local(1, 2, padding = "causal")
  expect_equal(by_hand(padded, c(9, 1, 2, 10, 3, 100), 1:3), c(1, 2 + 20, 6 + 300))
  grouped <- input_sequence(2, channels = 2) |> layer_local(2, 1, groups = 2)
  expect_equal(by_hand(grouped, c(1, 2, 3, 4), c(1, 10, 2, 20)), c(1, 20, 6, 80))
})

test_that("on a grid a pool averages, and upsampling repeats and keeps the last copies", {
  expect_equal(by_hand(layer_pool(input_grid(2, 3), 2), numeric(), 1:6), 4.5)
  expect_equal(by_hand(layer_pool(input_grid(2, 3), c(1, 2), stride = 1), numeric(), 1:6), c(2, 3, 4, 5))
  expect_equal(by_hand(layer_upsample(input_sequence(3), 2, size = 5), numeric(), 1:3), c(1, 2, 2, 3, 3))
  both <- layer_upsample(input_sequence(2, channels = 2), 2)
  expect_equal(by_hand(both, numeric(), c(1, 10, 2, 20)), c(1, 10, 1, 10, 2, 20, 2, 20))
  # 1 3   ->  1 3 3
  # 2 4       2 4 4
  #           2 4 4
  grid <- layer_upsample(input_grid(2, 2), 2, size = 3)
  expect_equal(by_hand(grid, numeric(), 1:4), c(1, 2, 2, 3, 4, 4, 3, 4, 4))
})

test_that("recurrences start from zero and run towards the newest position", {
  diagonal <- input_sequence(3) |> layer_recurrent(1, "diagonal", output = "sequence")
  expect_equal(by_hand(diagonal, c(2, 0.5), 1:3), c(2, 5, 8.5))
  biased <- input_sequence(3) |> layer_recurrent(1, "diagonal", bias = TRUE)
  expect_equal(by_hand(biased, c(2, 0.5, 1), 1:3), 10.25)
  # Unit 1 reads the state of unit 2 one step before.
  elman <- input_sequence(3) |> layer_recurrent(2, "elman", output = "sequence")
  expect_equal(by_hand(elman, c(1, 2, 0, 0, 1, 0), 1:3), c(1, 2, 4, 4, 7, 6))
})

test_that("blocks are added with their scale, summed or concatenated", {
  residual <- input_sequence(3) |> layer_residual(\(x) layer_conv(x, 1, 1), scale = 0.5)
  expect_equal(by_hand(residual, 4, 1:3), c(3, 6, 9))
  both <- function(merge) {
    input_sequence(3) |> layer_parallel(identity, \(x) layer_conv(x, 1, 1), merge = merge)
  }
  expect_equal(by_hand(both("sum"), 10, 1:3), c(11, 22, 33))
  expect_equal(by_hand(both("concat"), 10, 1:3), c(1, 10, 2, 20, 3, 30))
})

test_that("layer_last() and layer_flatten() select and order values correctly", {
  x <- c(1, 10, 2, 20)
  expect_equal(by_hand(layer_last(input_sequence(2, channels = 2)), numeric(), x), c(2, 20))
  expect_equal(by_hand(layer_flatten(input_sequence(2, channels = 2)), numeric(), x), x)
})

test_that("weights, the intercept and the tangent follow the product rule", {
  net <- input_vector(2) |> layer_dense(1, bias = TRUE) |> layer_dense(2, bias = TRUE) |>
    set_coef(c(1, 2, 3, 10, 20, 0.5, 0.25))
  expect_equal(twin_weights(net), rbind(c(10, 20, 30.5), c(20, 40, 60.25)))
  # Rows (output fastest): w11 w21 w12 w22 and the two intercepts.
  expect_equal(twin_tangent(net), cbind(
    c(10, 20, 0, 0, 0, 0), c(0, 0, 10, 20, 0, 0), c(0, 0, 0, 0, 10, 20),
    c(1, 0, 2, 0, 3, 0), c(0, 1, 0, 2, 0, 3), c(0, 0, 0, 0, 1, 0), c(0, 0, 0, 0, 0, 1)
  ))
})

test_that("complex steps agree with central differences", {
  for (seed in 1:10) {
    net <- random_network(seed)
    exact <- twin_tangent(net)
    # The error of central differences with a step of 1e-5 is about 1e-10.
    central <- central_tangent(\(theta) twin_weights(net, theta), net$coef)
    expect_lt(max(abs(exact - central)), 1e-7 * max(1, abs(exact)))
  }
})

test_that("twin_capacity() equals projectors computed by hand", {
  # The column space of one column is the line along it.
  k <- twin_capacity(matrix(c(3, 4)), m = 1)
  expect_equal(k$kappa, c(0.36, 0.64))
  expect_equal(k$total, 1)
  # Two outputs: the rows of an input are summed.
  expect_equal(twin_capacity(diag(4), m = 2)$kappa, c(2, 2))
  # A ridge of one halves the only direction.
  expect_equal(twin_capacity(matrix(c(3, 4)), m = 1, ridge = 1)$kappa, c(0.18, 0.32))
  # A column at rounding error of the largest of its array does not count; in an array of its own it does.
  tiny <- cbind(c(1, 0), c(0, 1e-18))
  expect_equal(twin_capacity(tiny, m = 1)$total, 1)
  expect_equal(twin_capacity(tiny, m = 1, array = 1:2)$total, 2)
})

test_that("the covariance metric is the geometry of the loss", {
  sigma <- matrix(c(2, 1, 1, 2), 2)
  root <- twin_root(sigma)
  expect_equal(root, t(root))
  expect_equal(root %*% root, sigma)
  # Along (1, 0): the root's first column, normalised.
  k <- twin_capacity(matrix(c(1, 0)), m = 1, sigma = sigma)
  expect_equal(k$kappa, root[, 1]^2 / sum(root[, 1]^2))
  singular <- matrix(1, 2, 2)
  expect_equal(twin_capacity(diag(2), m = 1, sigma = singular)$total, 1)
})

test_that("the closed form of a dilated stack equals the diagonal of its projector", {
  # Two filters by hand: W = a (x) b, kappa from an explicit orthonormal basis.
  a <- c(1, 2) / sqrt(5)
  b <- c(3, -1) / sqrt(10)
  across_a <- c(2, -1) / sqrt(5)
  across_b <- c(1, 3) / sqrt(10)
  basis <- cbind(kronecker(b, a), kronecker(b, across_a), kronecker(across_b, a))
  expect_equal(twin_dilated_capacity(list(c(1, 2), c(3, -1))), rowSums(basis^2))
  expect_equal(sum(twin_dilated_capacity(list(c(1, 2), c(3, -1), c(5, 7)))), 4)
})

test_that("polynomials have the given roots", {
  expect_equal(filter_with_roots(c(2, 3)), c(6, -5, 1))
  expect_equal(filter_with_roots(0), c(0, 1))
  expect_equal(filter_with_roots(c(Inf, 2)), c(-2, 1, 0))
  expect_equal(twin_lcm_degree(list(c(1, 2), 3)), 3)
  expect_equal(twin_lcm_degree(list(c(1, 1), 1, c(1, Inf), Inf)), 3)
})

test_that("activations equal results by hand", {
  at <- function(name, u, parameter = 1) twin_activate(name, u, parameter)
  expect_equal(at("relu", c(-2, 0, 3)), c(0, 0, 3))
  expect_equal(at("leaky_relu", c(-2, 3), 0.1), c(-0.2, 3))
  expect_equal(at("elu", c(-log(2), 3), 4), c(-2, 3))
  expect_equal(at("abs", c(-2, 0, 3)), c(2, 0, 3))
  expect_equal(at("sigmoid", c(0, log(3))), c(0.5, 0.75))
  expect_equal(at("softplus", c(0, log(7))), log(c(2, 8)))
  expect_equal(at("silu", log(3)), 0.75 * log(3))
  expect_equal(at("tanh", c(-2, 0.3, 5)), tanh(c(-2, 0.3, 5)))
  # Integrals of exp(-t^2).
  erf <- function(u) 2 / sqrt(pi) * integrate(function(t) exp(-t^2), 0, u, rel.tol = 1e-10)$value
  expect_equal(at("erf", c(-2, 0.3, 5)), c(erf(-2), erf(0.3), erf(5)), tolerance = 1e-9)
  expect_equal(at("gelu", 0.3), 0.3 * (1 + erf(0.3 / sqrt(2))) / 2, tolerance = 1e-9)
  expect_equal(at("sin", pi / 6, 3), 1)
  # Derivatives by complex steps.
  slope <- function(name, u, ...) Im(at(name, u + 1e-20i, ...)) / 1e-20
  expect_equal(slope("erf", c(-1, 2)), 2 * sqrt(2) * dnorm(sqrt(2) * c(-1, 2)))
  expect_equal(slope("tanh", 0.7), 1 / cosh(0.7)^2)
  expect_equal(slope("relu", c(-1, 1)), c(0, 1))
  expect_equal(slope("abs", c(-1, 1)), c(-1, 1))
  expect_equal(slope("elu", c(-1, 1), 2), c(2 * exp(-1), 1))
})

test_that("max pools take the largest value, and recurrences apply their activation", {
  expect_equal(by_hand(layer_pool(input_sequence(5), 2, type = "max"), numeric(), c(9, 1, 3, 8, 2)), c(3, 8))
  expect_equal(by_hand(layer_pool(input_grid(2, 3), 2, stride = 1, type = "max"), numeric(), c(1, 5, 2, 3, 6, 0)),
    c(5, 6))
  relu <- input_sequence(3) |> layer_recurrent(1, activation = "relu", output = "sequence")
  expect_equal(by_hand(relu, c(1, 0.5), c(2, -3, 1)), c(2, 0, 1))
  # With zero input and zero weights all gates are 1/2.
  lstm <- input_sequence(3) |> layer_recurrent(1, "lstm", activation = "linear", output = "sequence")
  expect_equal(by_hand(lstm, c(0, 0, 1, 0, 0, 0, 0, 0), c(4, 8, 0)), c(1, 2.5, 1.25))
  gru <- input_sequence(3) |> layer_recurrent(1, "gru", activation = "linear", output = "sequence")
  expect_equal(by_hand(gru, c(0, 0, 1, 0, 0, 0), c(4, 8, 0)), c(2, 5, 2.5))
  # The reset gate, 1/2 here, is applied before the product.
  expect_equal(by_hand(gru, c(0, 0, 1, 0, 0, 2), c(4, 8, 0)), c(2, 6, 6))
})

test_that("the twin's mixed derivatives equal results by hand", {
  # yhat = v tanh(w x + b): d2 / dx dw and the other derivatives.
  net <- input_vector(1) |> layer_dense(1, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1) |>
    set_coef(c(0.7, 0.2, 1.5))
  x <- 0.4
  t <- tanh(0.7 * x + 0.2)
  d <- 1 - t^2
  along <- 1.5 * c(d + 0.7 * x * -2 * t * d, 0.7 * -2 * t * d, 0.7 * d / 1.5)
  gradient <- c(1.5 * d * x, 1.5 * d, t)
  # Differences of fourth order: an error of 1e-12.
  expect_equal(twin_extended(net, matrix(x)), unname(rbind(along, gradient - x * along)), tolerance = 1e-10,
    ignore_attr = TRUE)
  expect_equal(twin_gradients(net, matrix(x)), t(gradient), tolerance = 1e-14)
  expect_equal(c(twin_slopes(net, matrix(x))), 1.5 * 0.7 * d, tolerance = 1e-14)
})
