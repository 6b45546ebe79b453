# Correlation of input gradients over depth.

relu_nets <- function(width, depth, n = 6) {
  plain <- residual <- input_vector(n) |> layer_dense(width)
  for (l in seq_len(depth)) {
    plain <- plain |> layer_dense(width) |> layer_activation("relu")
    residual <- residual |> layer_residual(\(x) x |> layer_dense(width) |> layer_activation("relu"))
  }
  list(plain = initialise(plain, "he", seed = 1), residual = initialise(residual, "he", seed = 1))
}

normal_rows <- function(N, n, seed = 1) {
  withr::with_seed(seed, matrix(rnorm(N * n), N), .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion")
}

test_that("gradients of a linear network are the same at all inputs", {
  nets <- named_networks()
  for (name in names(nets)) {
    if (length(nets[[name]]$layers) == 0) next
    s <- shattering(nets[[name]], test_inputs(nets[[name]], 5, 1), bins = 3)
    expect_true(all(s$correlation == 1), label = name)
    expect_identical(unique(s$depth), 0L)
    expect_equal(sum(s$pairs), 10)
    expect_identical(levels(s$layer), tail(summary(nets[[name]])$layer[summary(nets[[name]])$depth == 0], 1))
  }
  curved <- relu_nets(5, 1, 2)$plain
  curved$layers[[3]]$activation <- "identity"
  expect_identical(shattering(curved, diag(2))$correlation, 1)
})

test_that("bins do not depend on the unit of the inputs", {
  net <- relu_nets(5, 1, 2)$plain # without biases gradients do not depend on it either
  x <- normal_rows(8, 2)
  s <- shattering(net, x, bins = 4)
  for (unit in c(1e-3, 1e3)) {
    other <- shattering(net, unit * x, bins = 4)
    expect_equal(other$pairs, s$pairs)
    expect_equal(other$correlation, s$correlation, tolerance = 1e-12)
    expect_equal(other$distance, unit * s$distance, tolerance = 1e-12)
  }
})

test_that("correlations equal those of linearise(), bin by bin", {
  nets <- curved_networks()
  for (name in c("relu_deep", "gelu", "lstm_sequence", "parallel_curved", "grid_max")) {
    net <- nets[[name]]
    x <- test_inputs(net, 7, 1)
    s <- shattering(net, x, bins = 4)
    i <- length(net$layers)
    J <- t(vapply(seq_len(7), function(r) {
      W <- linearise(net, x[r, ])
      as.double(W[, -ncol(W)])
    }, numeric(ncol(x) * length(predict(net, x[1, ])))))
    pairs <- which(upper.tri(diag(7)), arr.ind = TRUE)
    distance <- apply(pairs, 1, function(p) sqrt(sum((x[p[1], ] - x[p[2], ])^2)))
    r <- apply(pairs, 1, function(p) {
      sum(J[p[1], ] * J[p[2], ]) / sqrt(sum(J[p[1], ]^2) * sum(J[p[2], ]^2))
    })
    bin <- pmin(floor(distance / max(distance) * 4) + 1, 4)
    last <- s[s$layer == tail(levels(s$layer), 1), ]
    expect_equal(last$correlation, c(tapply(r, bin, mean)), tolerance = 1e-12, label = name, ignore_attr = TRUE)
    expect_equal(last$distance, c(tapply(distance, bin, mean)), tolerance = 1e-12, ignore_attr = TRUE)
    expect_equal(last$pairs, c(table(bin)), ignore_attr = TRUE)
    expect_equal(tail(glance(s)$correlation, 1), mean(r), tolerance = 1e-12)
  }
})

test_that("gradients are taken after each nonlinear layer and at the output", {
  net <- input_vector(3) |> layer_dense(4) |> layer_activation("relu") |> layer_dense(4) |>
    layer_residual(\(x) x |> layer_dense(4) |> layer_activation("tanh")) |> layer_dense(2)
  net <- with_test_coef(net, 1)
  x <- normal_rows(6, 3)
  s <- shattering(net, x)
  expect_identical(levels(s$layer), c("activation1", "residual1", "dense4"))
  expect_identical(glance(s)$depth, c(1L, 2L, 2L))
  cut <- capalloc:::new_network(net$input, net$layers[1:2], net$coef[1:12])
  own <- s[s$layer == "activation1", c("distance", "correlation", "pairs")]
  expect_equal(own, tidy(shattering(cut, x))[c("distance", "correlation", "pairs")], ignore_attr = TRUE)
})

test_that("wide networks of independent weights have the product of gate correlations", {
  net <- relu_nets(300, 3)$plain
  x <- normal_rows(10, 6)
  rho <- cov2cor(tcrossprod(x))
  rho <- rho[upper.tri(rho)]
  product <- 1
  # Pre-activations of the first layer have the correlation of the inputs, deeper ones that after relu.
  for (l in 1:3) {
    K <- decoupling("relu", correlation = rho)$gate_correlation
    product <- product * K
    # A width of 300 has errors of about 1 / sqrt(300) per layer; the three means are at least 0.1 apart.
    expect_near(glance(shattering(net, x))$correlation[[l]], mean(product), 0.04)
    rho <- pmin((sqrt(1 - rho^2) + rho * (pi - acos(rho))) / pi, 1)
  }
})

test_that("deep plain networks shatter, residual ones less", {
  s <- shattering(relu_nets(32, 8), normal_rows(40, 6), bins = 10)
  g <- glance(s)
  plain <- g[g$network == "plain", ]
  residual <- g[g$network == "residual", ]
  expect_identical(plain$depth, 1:8)
  expect_lt(plain$correlation[[8]], 0.25 * plain$correlation[[1]])
  expect_true(all(plain$correlation[1:3] < residual$correlation[1:3]))
  expect_true(all(plain$near < residual$near))
  expect_lt(plain$half[[8]], residual$half[[8]])
})

test_that("a path has one distance for each number of steps", {
  net <- relu_nets(12, 2, 2)$plain
  ends <- rbind(c(-1, 1), c(2, 1))
  s <- shattering(net, ends, path = 31)
  first <- s[s$depth == 1, ]
  expect_equal(first$distance, 1:30 / 10)
  expect_identical(first$pairs, 30:1)
  x <- cbind(seq(-1, 2, length.out = 31), 1)
  expect_equal(first$correlation[[30]], shattering(net, x[c(1, 31), ])$correlation[[1]])
  # The same points given as rows, in the same bins.
  expect_equal(glance(s)$correlation, glance(shattering(net, x))$correlation)
})

test_that("inputs without gradients are counted and left out", {
  net <- set_coef(input_vector(1) |> layer_dense(1) |> layer_activation("relu"), 1)
  s <- shattering(net, matrix(c(-1, 1, 2, -3)), bins = 2)
  expect_identical(glance(s)$dead, 2L)
  expect_identical(glance(s)$pairs, 1L)
  expect_identical(s$correlation, 1)
  none <- shattering(net, matrix(c(-1, -2)))
  expect_identical(nrow(none), 0L)
  expect_true(is.na(glance(none)$correlation) && is.na(glance(none)$near))
  zero <- shattering(set_coef(input_vector(1) |> layer_dense(1), 0), matrix(1:3))
  expect_identical(glance(zero)$dead, 3L)
})

test_that("shattering_half_distance() is where the line through the bins falls to 1/2", {
  expect_equal(shattering_half_distance(c(1, 2, 3), c(0.8, 0.6, 0.4)), 2.5)
  expect_equal(shattering_half_distance(2, 0), 1)
  expect_true(is.na(shattering_half_distance(c(1, 2), c(0.9, 0.6))))
})

test_that("lists, fits and tasks are accepted", {
  nets <- relu_nets(6, 2, 4)
  x <- normal_rows(8, 4)
  both <- shattering(nets, x, bins = 3)
  expect_named(both, c("network", "layer", "depth", "distance", "correlation", "pairs"))
  expect_s3_class(both, c("ca_shattering", "ca_frame", "data.frame"), exact = TRUE)
  one <- shattering(nets$residual, x, bins = 3)
  expect_named(one, c("layer", "depth", "distance", "correlation", "pairs"))
  own <- both[both$network == "residual", ]
  expect_identical(own$correlation, one$correlation)
  expect_identical(shattering(nets$plain, task_data(x, x[, 1], test = 0), bins = 3)$correlation,
    shattering(nets$plain, x, bins = 3)$correlation)
  net <- input_sequence(4) |> layer_dense(3) |> layer_activation("tanh") |> layer_dense(1)
  trained <- suppressWarnings(fit(net, task_fgn(4, 0.8), "lbfgs", n_obs = 12, seed = 1,
    control = list(max_iterations = 2)))
  expect_identical(shattering(trained)$correlation, shattering(trained$network, fit_rows(trained)$x)$correlation)
  # The same point twice.
  expect_equal(shattering(nets$plain, x[c(1, 1), ])$distance, c(0, 0))
})

test_that("results print, and bad arguments are refused by name", {
  net <- relu_nets(3, 1, 2)$plain
  x <- diag(2)
  expect_snapshot({
    shattering(net, rbind(c(1, 2), c(-1, 1), c(0, 1)))
    print(shattering(relu_nets(3, 3, 2)$plain, diag(2)), n = 1)
    cat(bad(shattering(cars, x), "type"))
    cat(bad(shattering(input_vector(2) |> layer_dense(1), x), "no_coefficients"))
    cat(bad(shattering(set_coef(input_vector(2), numeric()), x), "value"))
    cat(bad(shattering(list(net), x), "value"))
    cat(bad(shattering(list(), x), "value"))
    cat(bad(shattering(list(a = net, b = 3), x), "type"))
    cat(bad(shattering(list(a = net, b = relu_nets(3, 1, 4)$plain), x), "shape"))
    cat(bad(shattering(net), "no_data"))
    cat(bad(shattering(net, diag(3)), "shape"))
    cat(bad(shattering(net, c(1, 2)), "shape"))
    cat(bad(shattering(net, task_fgn(2, 0.8)), "type"))
    cat(bad(shattering(net, x, path = 1), "value"))
    cat(bad(shattering(net, rbind(x, 1), path = 5), "shape"))
    cat(bad(shattering(net, x, bins = 0), "value"))
  })
})

test_that("pairs of rows have the fields of their constructor", {
  expect_constructor(capalloc:::new_shattering_pairs)
})
