# Modes linear, gaussian and empirical, compared with capacity(), explicit recursions and simulation.

at_input <- function(flow) flow[as.integer(flow$layer) == 1L, ]

expect_linear <- function(network, label) {
  for (row in Filter(function(row) row$last >= row$first, capalloc:::network_rows(network))) {
    wanted <- suppressWarnings(capacity(network, layers = row$name), classes = "capalloc_warning_rank_gap")
    for (mode in c("linear", "gaussian", "empirical")) {
      found <- suppressWarnings(propagate_capacity(network, row$name, mode), classes = "capalloc_warning_rank_gap")
      expect_near(at_input(found)$capacity, wanted$capacity, 1e-9, paste(label, row$name, mode))
    }
    expect_equal(glance(found)$rank, attr(wanted, "total"))
  }
  W <- effective_weights(network)
  share <- colSums(W^2 / ifelse(rowSums(W^2) > 0, rowSums(W^2), 1))
  expect_near(at_input(propagate_capacity(network, mode = "linear"))$capacity, unname(share), 1e-12, label)
}

test_that("without activations, all modes from a layer's parameters are the capacity of that layer", {
  networks <- named_networks()
  for (name in names(networks)) expect_linear(networks[[name]], name)
  grids <- grid_networks()[c("grid_conv", "grid_local_grouped", "grid_parallel_sum", "grid_nested", "grid_u_shape")]
  for (name in names(grids)) expect_linear(with_test_coef(grids[[name]], 1), name)
  for (seed in 1:12) expect_linear(random_network(seed), paste("seed", seed))
})

test_that("at every layer it is the capacity of the layers from there on", {
  network <- with_test_coef(input_sequence(8) |> layer_conv(2, 3, bias = TRUE) |> layer_conv(2, 2) |> layer_dense(1), 1)
  rows <- capalloc:::network_rows(network)
  last <- rows[[length(rows)]]$name
  flow <- propagate_capacity(network, last, "linear")
  for (l in seq_along(network$layers)) {
    below <- network$layers[[l]]
    rest <- capalloc:::new_network(
      capalloc:::new_input(below$in_kind, below$in_shape[[1]], below$in_shape[[2]], below$in_shape[[3]]),
      network$layers[l:length(network$layers)], network$coef[rows[[l]]$first:length(network$coef)]
    )
    name <- utils::tail(summary(rest)$layer, 1)
    wanted <- c(capacity(rest, layers = name)$capacity, if (l > 1) 0) # only the first layer of `network` has a constant
    found <- flow$capacity[as.integer(flow$layer) == l]
    expect_length(found, length(wanted))
    expect_near(found, wanted, 1e-10)
  }
})

test_that("mode linear is that of a linear network whose gates are sqrt(q)", {
  shares <- function(W) colSums(W^2 / rowSums(W^2))
  # A common q of a whole layer cancels in the shares.
  net <- with_test_coef(input_vector(4) |> layer_dense(3) |> layer_activation("leaky_relu", 0.5) |> layer_dense(2) |>
    layer_activation("sin", 2) |> layer_dense(2), 1)
  plain <- set_coef(input_vector(4) |> layer_dense(3) |> layer_dense(2) |> layer_dense(2), net$coef)
  wanted <- unname(shares(effective_weights(plain)))
  expect_near(units_at(propagate_capacity(net, mode = "linear"), "dense1"), wanted, 1e-12)
  # Beside a skip it does not cancel.
  block <- \(x) x |> layer_dense(4) |> layer_activation("leaky_relu", 0.5)
  skip <- with_test_coef(input_vector(4) |> layer_residual(block, scale = 0.7), 2)
  gate <- sqrt((1 + 0.5^2) / 2)
  expect_near(units_at(propagate_capacity(skip, mode = "linear"), "residual1"),
    shares(diag(4) + 0.7 * gate * matrix(skip$coef, 4)), 1e-12)
  # A maximum has gain 1 / sqrt(2) on each of its two inputs, and the middle input belongs to both.
  pooled <- set_coef(input_sequence(3) |> layer_pool(2, stride = 1, type = "max") |> layer_dense(1), c(1, 3))
  expect_near(units_at(propagate_capacity(pooled, mode = "linear"), "pool1"), c(1, 16, 9) / 26, 1e-12)
})

# ---- second moments, as for networks with activations --------------------------------------------------

# Returns the result of the method by second moments for a network without activations and biases, which normally uses
# tangent vectors: moments by pairs, or as a family with B.
by_moments <- function(network, from, family = FALSE) {
  flow <- capalloc:::read_flow(network, from, "gaussian", NULL, NULL)
  flow$plan <- capalloc:::flow_plan(flow$graph, capalloc:::flow_slice(flow$start))
  flow$plan$has_gates <- FALSE
  flow$carried <- if (is.null(from)) "outputs" else if (family || !flow$plan$single) "family" else "pairs"
  capalloc:::moment_levels(flow)[[1L]]$unit
}

test_that("second moments of vectors that are fixed give the same", {
  networks <- Filter(function(network) !twin_has_bias(network$layers), named_networks())
  for (name in names(networks)) {
    network <- networks[[name]]
    for (row in capalloc:::network_rows(network)) {
      if (row$last < row$first || row$last - row$first > 12) next
      wanted <- suppressWarnings(capacity(network, layers = row$name), classes = "capalloc_warning_rank_gap")
      # The Gram matrix squares the condition number.
      expect_near(by_moments(network, row$name), wanted$capacity, 1e-6, paste(name, row$name))
      expect_near(by_moments(network, row$name, family = TRUE), wanted$capacity, 1e-6, paste(name, row$name))
    }
    expect_near(by_moments(network, NULL), at_input(propagate_capacity(network, mode = "linear"))$capacity, 1e-12, name)
  }
})

test_that("a hidden relu layer's read-out is the closed form tr(M^+ M_j)", {
  set.seed(2)
  n <- 6
  h <- 5
  moments <- random_moments(n, 1)
  task <- task_moments(moments$sigma, moments$cross, moments$target)
  net <- initialise(input_vector(n) |> layer_dense(h) |> layer_activation("relu") |> layer_dense(1), seed = 1)
  W <- matrix(coef(net)[seq_len(n * h)], h)
  Gamma <- 1 / 4 + asin(cov2cor(W %*% moments$sigma %*% t(W))) / (2 * pi)
  M <- Gamma * tcrossprod(W)
  wanted <- vapply(seq_len(n), function(j) sum(solve(M) * (Gamma * tcrossprod(W[, j]))), 0)
  flow <- propagate_capacity(net, "dense2", "gaussian", task = task)
  expect_near(units_at(flow, "dense1"), wanted, 1e-10)
  expect_equal(unname(level_sums(flow)), rep(h, 3), tolerance = 1e-10)
  # Mode linear has K = 1; mode gaussian with white inputs has their correlations.
  Gamma <- 1 / 4 + asin(cov2cor(tcrossprod(W))) / (2 * pi)
  M <- Gamma * tcrossprod(W)
  wanted <- vapply(seq_len(n), function(j) sum(solve(M) * (Gamma * tcrossprod(W[, j]))), 0)
  expect_near(units_at(propagate_capacity(net, "dense2", "gaussian"), "dense1"), wanted, 1e-10)
})

test_that("at samples, one hidden layer and its read-out are exactly their extended tangent", {
  x <- withr::with_seed(3, matrix(rnorm(400 * 5), 400) %*% matrix(rnorm(25), 5) + 0.5)
  networks <- list(
    relu = input_vector(5) |> layer_dense(4) |> layer_activation("relu") |> layer_dense(2),
    # gates of unequal variance, and the cross terms of a residual block
    leaky = input_vector(5) |>
      layer_residual(\(x) x |> layer_dense(5) |> layer_activation("leaky_relu", -0.4), scale = 0.8) |> layer_dense(1),
    # two kinds of gates in one hidden layer
    parallel = input_vector(5) |> layer_parallel(\(x) x |> layer_dense(2) |> layer_activation("relu"),
      \(x) x |> layer_dense(3) |> layer_activation("abs"), merge = "concat") |> layer_dense(1),
    sum = input_vector(5) |> layer_parallel(\(x) x |> layer_dense(3) |> layer_activation("relu"),
      \(x) x |> layer_dense(3) |> layer_activation("abs"), \(x) layer_dense(x, 3)) |> layer_dense(1),
    deep = input_vector(5) |> layer_dense(4) |> layer_flatten() |> layer_dense(2) |> layer_activation("abs") |>
      layer_dense(1)
  )
  sequence <- list(
    conv = input_sequence(5) |> layer_conv(2, 2) |> layer_activation("relu") |> layer_conv(1, 2),
    pool = input_sequence(5) |> layer_conv(2, 2) |> layer_pool(2, stride = 1, type = "max") |> layer_dense(1)
  )
  networks <- Map(with_test_coef, c(networks, sequence), seq_along(c(networks, sequence)))
  for (name in names(networks)) {
    for (row in Filter(function(row) row$last >= row$first, capalloc:::network_rows(networks[[name]]))) {
      wanted <- capacity(networks[[name]], layers = row$name, data = x)
      flow <- propagate_capacity(networks[[name]], row$name, "empirical", data = x)
      n <- nrow(wanted) - 1L # the constant is zero because all networks are positively homogeneous
      expect_near(at_input(flow)$capacity, wanted$capacity[seq_len(n)], 1e-8, paste(name, row$name))
    }
  }
})

test_that("Gaussian inputs are the limit of many samples", {
  task <- task_fgn(5, 0.8)
  x <- simulate(task, 2e4, seed = 1)$x
  net <- with_test_coef(input_sequence(5) |>
    layer_residual(\(x) x |> layer_conv(1, 3, padding = "same") |> layer_activation("tanh")) |> layer_dense(1), 4)
  for (from in list(NULL, "dense1")) {
    found <- at_input(propagate_capacity(net, from, "gaussian", task = task))$capacity
    wanted <- at_input(propagate_capacity(net, from, "empirical", data = x))$capacity
    # Gates have standard errors of 1 / sqrt(2e4) = 0.7%.
    expect_near(found, wanted, 0.02)
  }
})

test_that("deeper, it is the simulation with gates drawn anew for each layer", {
  x <- withr::with_seed(3, matrix(rnorm(2e4 * 4), 2e4) %*% matrix(rnorm(16), 4))
  net <- with_test_coef(input_vector(4) |> layer_dense(5) |> layer_activation("relu") |> layer_dense(3) |>
    layer_activation("relu") |> layer_dense(1), 2)
  A <- matrix(net$coef[1:20], 5)
  B <- matrix(net$coef[21:35], 3)
  h <- x %*% t(A)
  g <- h > 0
  f <- (pmax(h, 0) %*% t(B) > 0)
  leverage <- function(f, g) { # D_(s,j),k = f_k sum_i B_ki g_i A_ij
    D <- do.call(rbind, lapply(1:4, function(j) f * (g %*% (t(B) * A[, j]))))
    Q <- qr.Q(qr(D))
    colSums(matrix(rowSums(Q^2), nrow(x)))
  }
  redrawn <- withr::with_seed(4, leverage(f, g[sample(nrow(g)), ]))
  found <- units_at(propagate_capacity(net, "dense3", "empirical", data = x), "dense1")
  expect_near(found, redrawn, 0.02)
  # The network itself differs by more than the error of the simulation, but not by much.
  distance <- max(abs(found - leverage(f, g)))
  expect_gt(distance, 0.02)
  expect_lt(distance, 0.5)
})

test_that("a stack of residual blocks is the recursion of second moments, written out", {
  set.seed(8)
  n <- 4
  sigma <- crossprod(matrix(rnorm(n^2), n)) / n + diag(n)
  task <- task_moments(sigma, matrix(0, n, 1), 1)
  s <- c(0.7, -1.2)
  A <- replicate(2, matrix(rnorm(n^2) / 2, n), simplify = FALSE)
  net <- input_vector(n)
  for (l in 1:2) net <- layer_residual(net, \(x) x |> layer_dense(n) |> layer_activation("sin", 1.5), scale = s[[l]])
  net <- set_coef(net, unlist(A))
  w <- 1.5
  # Forward: E cos and E cos cos; sines of centred inputs are centred, and cov(sin, u) = E[cos] w C.
  laws <- list()
  C <- sigma
  for (l in 1:2) {
    U <- A[[l]] %*% C %*% t(A[[l]])
    v <- diag(U)
    D <- w * exp(-w^2 * v / 2)
    spread <- exp(-w^2 * outer(v, v, "+") / 2)
    laws[[l]] <- list(D = D, Gamma = w^2 * spread * cosh(w^2 * U))
    across <- D * A[[l]] %*% C
    C <- C + s[[l]] * (across + t(across)) + s[[l]]^2 * spread * sinh(w^2 * U)
  }
  flow <- propagate_capacity(net, list(position = 3), "gaussian", task = task)
  S <- diag(n)[, 3] %o% diag(n)[, 3]
  for (l in 2:1) {
    a <- A[[l]]
    S <- S + s[[l]] * (t(a) %*% (laws[[l]]$D * S) + t(t(a) %*% (laws[[l]]$D * S))) +
      s[[l]]^2 * t(a) %*% (laws[[l]]$Gamma * S) %*% a
    expect_near(units_at(flow, paste0("residual", l)), diag(S) / sum(diag(S)), 1e-10)
  }
  # The same in mode total, where q is the diagonal of Gamma.
  total <- propagate_capacity(net, list(position = 3), task = task)
  kappa <- as.numeric(seq_len(n) == 3)
  for (l in 2:1) {
    q <- diag(laws[[l]]$Gamma)
    kappa <- c(kappa %*% ((diag(n) + s[[l]]^2 * q * A[[l]]^2) / (1 + s[[l]]^2 * q * rowSums(A[[l]]^2))))
    expect_near(units_at(total, paste0("residual", l)), kappa, 1e-10)
  }
})

test_that("recurrences are unrolled, products of gates at samples included", {
  set.seed(1)
  x <- matrix(rnorm(300), 100)
  net <- with_test_coef(input_sequence(3) |> layer_recurrent(2, activation = "relu") |> layer_dense(1), 3)
  A <- matrix(net$coef[3:6], 2)
  B <- net$coef[1:2]
  h <- list(matrix(0, 100, 2))
  for (t in 1:3) h[[t + 1]] <- pmax(h[[t]] %*% t(A) + x[, t] %o% B, 0)
  S <- net$coef[7:8] %o% net$coef[7:8]
  kappa <- numeric(3)
  for (t in 3:1) {
    S <- S * crossprod(h[[t + 1]] > 0) / 100
    kappa[[t]] <- c(B %*% S %*% B)
    S <- t(A) %*% S %*% A
  }
  found <- units_at(propagate_capacity(net, mode = "empirical", data = x), "recurrent1")
  expect_near(found, kappa / sum(kappa), 1e-12)
  # One step of an lstm without recurrence: c = i g, h = o f(c), y = w h.
  lstm <- with_test_coef(input_sequence(1, channels = 2) |> layer_recurrent(1, "lstm") |> layer_dense(1), 2)
  x <- matrix(rnorm(200), 100)
  b <- matrix(lstm$coef[1:8], 2) # channels x gates i, f, g, o
  u <- x %*% b
  s <- function(u) 1 / (1 + exp(-u))
  i <- s(u[, 1])
  g <- tanh(u[, 3])
  o <- s(u[, 4])
  f_c <- tanh(i * g)
  f_d <- 1 - f_c^2
  E <- function(...) crossprod(cbind(...)) / 100
  # The last product gives o and f(c), each with the value of the other; then f; then i g; then the gates together.
  S <- E(f_c, o) # of (o, c)
  S <- S * matrix(c(1, mean(f_d), mean(f_d), mean(f_d^2)), 2)
  third <- matrix(S[2, 2], 2, 2) * E(g, i) # of (i, g)
  S <- rbind(cbind(third, S[2, 1] * c(mean(g), mean(i))), c(S[2, 1] * c(mean(g), mean(i)), S[1, 1])) # (i, g, o)
  S <- S * E(i * (1 - i), 1 - g^2, o * (1 - o))
  own <- b[, c(1, 3, 4)]
  kappa <- rowSums((own %*% S) * own)
  flow <- propagate_capacity(lstm, mode = "empirical", data = x)
  expect_near(units_at(flow, "recurrent1"), kappa / sum(kappa), 1e-12)
})

test_that("a network that is not used, outputs without inputs and one without layers have capacities", {
  none <- set_coef(input_vector(2) |> layer_dense(1), c(0, 0))
  for (mode in c("linear", "gaussian")) {
    expect_identical(units_at(propagate_capacity(none, mode = mode), "dense1"), c(0, 0))
  }
  expect_identical(units_at(propagate_capacity(none, "dense1", "gaussian"), "dense1"), c(1, 1))
  bare <- set_coef(input_vector(2), numeric())
  for (mode in c("total", "linear")) {
    expect_identical(units_at(propagate_capacity(bare, mode = mode), "output"), c(1, 1))
  }
  flat <- set_coef(input_vector(2) |> layer_activation("relu") |> layer_dense(1), c(0, 0))
  expect_identical(units_at(propagate_capacity(flat, mode = "gaussian"), "activation1"), c(0, 0))
})

test_that("parameters on units that are always 0 have no capacity below them", {
  below <- function(net, ...) units_at(propagate_capacity(net, "dense2", ...), "dense1")
  linear <- set_coef(input_vector(2) |> layer_dense(2) |> layer_dense(1), c(0, 0, 0, 0, 1, 1))
  expect_identical(below(linear, "linear"), c(0, 0))
  curved <- set_coef(input_vector(2) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(1), coef(linear))
  flow <- propagate_capacity(curved, "dense2", "gaussian")
  expect_identical(units_at(flow, "dense1"), c(0, 0))
  expect_near(units_at(flow, "dense2"), c(1, 1), 1e-12)
  expect_equal(glance(flow)$rank, 0)
})

test_that("mode gaussian at data is that of Gaussian inputs with its moments", {
  x <- withr::with_seed(1, matrix(rnorm(60) + 1, 20))
  task <- task_moments(crossprod(x) / 20, matrix(0, 3, 1), 1, mean_x = colMeans(x))
  net <- with_test_coef(input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1), 1)
  at_data <- propagate_capacity(net, "dense2", "gaussian", data = x)
  expect_near(at_data$capacity, propagate_capacity(net, "dense2", "gaussian", task = task)$capacity, 1e-10)
  # The result differs from that of white inputs and from that of the samples themselves.
  expect_gt(max(abs(at_data$capacity - propagate_capacity(net, "dense2", "gaussian")$capacity)), 1e-3)
  expect_gt(max(abs(at_data$capacity - propagate_capacity(net, "dense2", "empirical", data = x)$capacity)), 1e-3)
})

test_that("an unclear rank is a warning with its level", {
  net <- set_coef(input_vector(2) |> layer_dense(2) |> layer_dense(1), c(1, 1, 1, 1 + 4e-14, 1, 1))
  expect_warning(propagate_capacity(net, "dense2", "linear"), "dense1", class = "capalloc_warning_rank_gap")
})

test_that("of what is above a layer the scale does not matter", {
  net <- with_test_coef(input_vector(3) |> layer_dense(3) |> layer_activation("tanh") |> layer_dense(2), 1)
  above <- startsWith(names(coef(net)), "dense2")
  x <- withr::with_seed(1, matrix(rnorm(30), 10))
  for (mode in c("linear", "gaussian", "empirical")) {
    data <- if (mode == "empirical") x
    found <- lapply(c(1e-9, 1, 1e9), function(scale) {
      propagate_capacity(set_coef(net, coef(net) * ifelse(above, scale, 1)), "dense1", mode, data = data)$capacity
    })
    for (other in found[-2]) expect_equal(other, found[[2]], tolerance = 1e-9, label = mode)
  }
})
