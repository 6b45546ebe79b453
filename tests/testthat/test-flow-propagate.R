# Capacity through layers in mode total, compared with dense matrices and closed forms.

expect_flow <- function(network, kappa = rep(1, prod(shape_of(network))), label = NULL) {
  start <- list(unit = kappa, constant = 0, lost = 0)
  wanted <- twin_flow(twin_slices(network$layers, network$coef), start, levels = TRUE)
  flow <- propagate_capacity(network, from = kappa)
  names <- levels(flow$layer)
  expect_identical(names[[length(names)]], "output")
  expect_length(wanted, length(names))
  # The twin's q is an integral by differences with steps of 1e-6.
  tolerance <- if (capalloc:::is_linear(network)) 1e-12 else 2e-6
  for (l in seq_along(names)) {
    own <- flow[flow$layer == names[[l]], ]
    expect_near(own$capacity, c(wanted[[l]]$unit, wanted[[l]]$constant, wanted[[l]]$lost), tolerance, label)
    expect_equal(sum(own$capacity), sum(kappa), tolerance = 1e-12, label = label)
  }
}

test_that("mode total is the twin's in every named network, and conserves capacity", {
  for (name in names(named_networks())) expect_flow(named_networks()[[name]], label = name)
  grids <- grid_networks()
  for (i in seq_along(grids)) expect_flow(with_test_coef(grids[[i]], i), label = names(grids)[[i]])
})

test_that("mode total is the twin's in random networks, with zero rows, from any capacities", {
  for (seed in 1:40) {
    network <- random_network(seed)
    withr::with_seed(seed, {
      # A third of the weights is zero, so that some rows are zero.
      zero <- runif(length(network$coef)) < 0.33
      kappa <- rexp(prod(shape_of(network)))
    })
    network$coef[zero] <- 0
    expect_flow(network, kappa, label = paste("seed", seed))
  }
})

test_that("mode total is the twin's with activations", {
  for (name in names(curved_flows())) expect_flow(curved_flows()[[name]], label = name)
})

test_that("zero rows, dead gates and constants are parts of their own", {
  net <- input_vector(2) |> layer_dense(2, bias = TRUE) |> layer_dense(2) |> set_coef(c(1, 0, 2, 0, 2, 0, 1, 0, 1, 0))
  flow <- propagate_capacity(net)
  # Output 2 has a zero row. Half of output 1 is on each unit, and the second unit has
  # a zero row. The first unit has squared weights 1 and 4 and a squared bias 4, of 9.
  expect_equal(flow$capacity[flow$layer == "output"], c(1, 1, 0, 0))
  expect_equal(flow$capacity[flow$layer == "dense2"], c(0.5, 0.5, 0, 1), tolerance = 1e-15)
  expect_equal(flow$capacity[flow$layer == "dense1"], c(1, 4, 4, 0) / 18 + c(0, 0, 0, 1.5), tolerance = 1e-15)
  expect_identical(flow$part[flow$layer == "dense1"], c("unit", "unit", "(Intercept)", "lost"))
  expect_true(all(is.na(flow$position[flow$part != "unit"])))
  # Only a constant.
  net <- set_coef(input_vector(1) |> layer_dense(1, bias = TRUE), c(0, 2))
  expect_equal(propagate_capacity(net)$capacity[1:3], c(0, 1, 0))
  # A relu unit that is dead.
  dead <- set_coef(input_vector(1) |> layer_dense(2) |> layer_activation("relu") |> layer_dense(1), c(1, -1, 1, 1))
  flow <- propagate_capacity(dead, data = matrix(1:3))
  expect_equal(flow$capacity[flow$layer == "activation1"], c(0.5, 0, 0, 0.5))
  # Activations of which only the last is read.
  last <- input_sequence(4) |> layer_conv(1, 2) |> layer_activation("relu") |> layer_last() |> set_coef(c(1, 3))
  flow <- propagate_capacity(last, data = matrix(1:4, 1))
  expect_equal(flow$capacity[flow$layer == "conv1"], c(0, 0, 0.1, 0.9, 0, 0))
  skip <- set_coef(input_vector(1) |> layer_residual(\(x) x |> layer_dense(1) |> layer_activation("relu")), -1)
  expect_equal(propagate_capacity(skip, data = matrix(1:3))$capacity[1:3], c(1, 0, 0))
})

test_that("T of a residual block is the merged rule, with the q of a task or of data", {
  set.seed(5)
  n <- 4
  A <- matrix(rnorm(n^2), n)
  s <- 0.6
  block <- function(x) x |> layer_dense(n) |> layer_activation("tanh")
  net <- set_coef(input_vector(n) |> layer_residual(block, scale = s), c(A))
  merged <- function(q) (diag(n) + s^2 * q * A^2) / (1 + s^2 * q * rowSums(A^2))
  kappa <- c(1, 2, 0, 0.5)
  found <- function(...) units_at(propagate_capacity(net, kappa, ...), "residual1")
  moments <- random_moments(n, 1)
  task <- task_moments(moments$sigma, moments$cross, moments$target)
  q_of <- function(v) integrate(function(z) dnorm(z) / cosh(sqrt(v) * z)^4, -12, 12, rel.tol = 1e-12)$value
  expect_near(found(), c(kappa %*% merged(q_of(1))), 1e-10)
  expect_near(found(task = task), c(kappa %*% merged(vapply(diag(A %*% moments$sigma %*% t(A)), q_of, 0))), 1e-10)
  x <- simulate(task, 500, seed = 1)$x + 1
  expect_near(found(data = x), c(kappa %*% merged(rowMeans(1 / cosh(A %*% t(x))^4))), 1e-12)
})

test_that("the residual chain is the binomial mixture, with the variances of theory", {
  n <- 401
  step <- function(v) (c(v[-1], 0) + c(0, v[-n])) / 2
  shift <- function(p) { # sum_k p_k M^k e_201
    v <- as.numeric(seq_len(n) == 201)
    out <- 0
    for (k in seq_along(p)) {
      out <- out + p[[k]] * v
      v <- step(v)
    }
    out
  }
  x <- seq_len(n) - 201
  for (L in c(10, 100, 1000)) {
    net <- input_sequence(n)
    for (l in seq_len(L)) {
      net <- layer_residual(net, \(x) layer_conv(x, 1, kernel = 2, dilation = 2, padding = "same"), scale = 1 / sqrt(L))
    }
    flow <- propagate_capacity(set_coef(net, rep(1 / sqrt(2), 2 * L)), from = list(position = 201))
    kappa <- units_at(flow, "residual1")
    expect_equal(sum(kappa * x^2), L / (L + 1), tolerance = 1e-9)
    expect_near(kappa, shift(dbinom(0:min(L, 199), L, 1 / (L + 1))), 1e-12)
    # exp(M - I) is a Poisson mixture.
    distance <- sum(abs(kappa - shift(dpois(0:199, 1)))) / 2
    expect_equal(distance, c(`10` = .0146, `100` = .00153, `1000` = .000154)[[as.character(L)]], tolerance = 5e-3)
    normal <- dnorm(x)
    expect_equal(sum(abs(kappa - normal)) / 2, .0762, tolerance = 0.2)
  }
})

test_that("from a layer, parameters have capacity 1 each where they act", {
  # Two positions share a kernel: the first has 1/4 of the squared sensitivity, the second 3/4.
  net <- set_coef(input_sequence(3) |> layer_conv(1, 2) |> layer_dense(1), c(1, 1, 1, sqrt(3)))
  flow <- propagate_capacity(net, from = "conv1")
  expect_identical(levels(flow$layer), "conv1")
  expect_equal(units_at(flow, "conv1"), c(1, 3 + 1, 3) / 4)
  flow <- propagate_capacity(net, from = "dense1")
  expect_identical(levels(flow$layer), c("conv1", "dense1"))
  expect_equal(units_at(flow, "dense1"), c(1, 1))
  expect_equal(units_at(flow, "conv1"), c(0.5, 1, 0.5))
  networks <- c(named_networks(), curved_flows())
  for (name in names(networks)) {
    for (row in Filter(function(row) row$last >= row$first, capalloc:::network_rows(networks[[name]]))) {
      sums <- level_sums(propagate_capacity(networks[[name]], from = row$name))
      expect_equal(unname(sums), rep(row$last - row$first + 1, length(sums)), tolerance = 1e-12, label = name)
    }
  }
})

test_that("parameters that reach no output are lost, those of constants are the (Intercept)'s", {
  net <- set_coef(input_vector(2) |> layer_dense(2, bias = TRUE) |> layer_dense(1), c(1, 2, 3, 4, 5, 6, 1, 0))
  flow <- propagate_capacity(net, from = "dense1")
  expect_equal(flow$capacity, c(1, 1, 1, 3))
})

test_that("one output, each output and given capacities are one flow", {
  net <- named_networks()$conv_channels
  shape <- shape_of(net)
  each <- lapply(seq_len(prod(shape)), function(o) {
    propagate_capacity(net, list(position = (o - 1) %/% shape[[1]] + 1, channel = (o - 1) %% shape[[1]] + 1))$capacity
  })
  expect_equal(Reduce(`+`, each), propagate_capacity(net)$capacity, tolerance = 1e-12)
  expect_equal(propagate_capacity(net, rep(2, prod(shape)))$capacity, 2 * propagate_capacity(net)$capacity)
  vector <- initialise(input_vector(3) |> layer_dense(4), seed = 1)
  expect_identical(propagate_capacity(vector, list(position = 3))$capacity,
    propagate_capacity(vector, c(0, 0, 1, 0))$capacity)
})

test_that("a maximum divides equally, or as often as each is the largest", {
  grid <- set_coef(input_grid(4, 4) |> layer_pool(2, type = "max"), numeric())
  expect_equal(units_at(propagate_capacity(grid), "pool1"), rep(0.25, 16))
  net <- set_coef(input_sequence(4) |> layer_pool(2, type = "max") |> layer_last(), numeric())
  expect_equal(units_at(propagate_capacity(net), "pool1"), c(0, 0, 0.5, 0.5))
  x <- rbind(c(0, 0, 1, 2), c(0, 0, 3, 1), c(0, 0, 4, 1), c(0, 0, 5, 1))
  expect_equal(units_at(propagate_capacity(net, data = x), "pool1"), c(0, 0, 0.75, 0.25))
})

test_that("rows, columns and levels are those of the layers", {
  net <- named_networks()$conv_channels
  flow <- propagate_capacity(net)
  expect_s3_class(flow, c("ca_propagation", "ca_frame", "data.frame"), exact = TRUE)
  expect_named(flow, c("layer", "part", "position", "channel", "capacity"))
  expect_identical(tidy(flow), as.data.frame(flow))
  expect_identical(class(tidy(flow)), "data.frame")
  own <- summary(net)
  expect_identical(levels(flow$layer), c(own$layer[own$depth == 0], "output"))
  expect_identical(class(flow[1:3, ]), "data.frame")
  grid <- with_test_coef(grid_networks()$grid_channels, 1)
  flow <- propagate_capacity(grid)
  expect_named(flow, c("layer", "part", "position", "channel", "row", "column", "capacity"))
  conv <- flow[flow$layer == "conv1" & flow$part == "unit", ]
  expect_identical(conv[c("position", "channel", "row", "column")],
    as.data.frame(capalloc:::input_frame(grid$input))[c("position", "channel", "row", "column")], ignore_attr = TRUE)
  expect_true(all(is.na(flow$row[flow$layer == "output"])))
  nested <- propagate_capacity(named_networks()$nested)
  expect_false(any(grepl("conv2", levels(nested$layer)) & summary(named_networks()$nested)$depth[1] > 0))
})

test_that("what weights have to do with scale does not matter", {
  net <- named_networks()$dense_deep
  big <- net
  big$coef <- net$coef * 1e60
  expect_equal(propagate_capacity(big)$capacity, propagate_capacity(net)$capacity, tolerance = 1e-10)
})

test_that("a fit is its network with its task", {
  task <- task_fgn(8, 0.8)
  trained <- fit(input_sequence(8) |> layer_conv(2, 3) |> layer_dense(1), task, seed = 1)
  expect_identical(propagate_capacity(trained)$capacity, propagate_capacity(trained$network)$capacity)
  curved <- function(net) {
    suppressWarnings(fit(net, task, "lbfgs", n_obs = 40, seed = 1, control = list(max_iterations = 2)))
  }
  # Gates divide the capacity of a residual layer between its block and its skip.
  gated <- curved(input_sequence(8) |> layer_residual(\(x) x |> layer_conv(1, 3, padding = "same") |>
    layer_activation("tanh")) |> layer_dense(1))
  x <- capalloc:::fit_rows(gated)$x
  expect_identical(dim(x), c(40L, 8L))
  expect_identical(propagate_capacity(gated)$capacity, propagate_capacity(gated$network, task = task)$capacity)
  expect_identical(propagate_capacity(gated, mode = "empirical")$capacity,
    propagate_capacity(gated$network, mode = "empirical", data = x)$capacity)
  pooled <- curved(input_sequence(8) |> layer_pool(2, type = "max") |> layer_dense(1))
  expect_identical(propagate_capacity(pooled)$capacity, propagate_capacity(pooled$network, data = x)$capacity)
  # The task of the fit is replaced if another task or other data are given.
  for (given in list(list(task = task_fgn(8, 0.3)), list(data = 2 * x[1:9, ]))) {
    of <- function(network) do.call(propagate_capacity, c(list(network), given))$capacity
    expect_identical(of(gated), of(gated$network))
    expect_gt(max(abs(of(gated) - propagate_capacity(gated)$capacity)), 1e-3)
  }
})

test_that("gates at a task made from data are those at its rows", {
  net <- with_test_coef(input_vector(2) |> layer_residual(\(x) x |> layer_dense(2) |> layer_activation("tanh")), 1)
  task <- task_data(mpg ~ wt + qsec, mtcars, test = 0)
  flow <- propagate_capacity(net, mode = "empirical", task = task)
  expect_identical(flow$capacity, propagate_capacity(net, mode = "empirical", data = task$data$x)$capacity)
})

test_that("what takes long is said before, and what takes too much memory is refused", {
  net <- initialise(input_sequence(30) |> layer_recurrent(12, activation = "tanh") |> layer_dense(1), seed = 1)
  expect_snapshot(
    cat(bad(propagate_capacity(net, "recurrent1", "gaussian", limit = 1e15), "cost"))
  )
  expect_message(bad(propagate_capacity(net, "recurrent1", "gaussian", limit = 1e15), "cost"),
    class = "capalloc_message_cost")
})

test_that("flows print their totals by level", {
  net <- set_coef(input_vector(2) |> layer_dense(2, bias = TRUE) |> layer_dense(2), c(1, 0, 2, 0, 2, 0, 1, 0, 1, 0))
  expect_snapshot({
    propagate_capacity(net)
    propagate_capacity(net, "dense1", "linear")
    glance(propagate_capacity(net))
    glance(propagate_capacity(net, "dense1", "linear"))
  })
  long <- input_vector(1)
  for (i in 1:40) long <- layer_dense(long, 1)
  expect_output(print(propagate_capacity(set_coef(long, rep(1, 40)))), "more levels")
})

test_that("bad starts, modes and inputs are refused by name", {
  net <- set_coef(input_sequence(3) |> layer_conv(2, 2) |> layer_activation("relu"), c(1, 2, 3, 4))
  lstm <- initialise(input_sequence(3) |> layer_recurrent(1, "lstm") |> layer_dense(1), seed = 1)
  pooled <- initialise(input_sequence(4) |> layer_pool(2, type = "max") |> layer_dense(1), seed = 1)
  expect_snapshot({
    cat(bad(propagate_capacity(cars), "type"))
    cat(bad(propagate_capacity(input_vector(2) |> layer_dense(1)), "no_coefficients"))
    cat(bad(propagate_capacity(net, mode = "partial"), "value"))
    cat(bad(propagate_capacity(net, "conv2"), "value"))
    cat(bad(propagate_capacity(net, c("conv1", "conv1")), "value"))
    cat(bad(propagate_capacity(net, "activation1"), "value"))
    cat(bad(propagate_capacity(net, sum), "type"))
    cat(bad(propagate_capacity(net, 1:3), "shape"))
    cat(bad(propagate_capacity(net, c(1, -2, 0, 1)), "value"))
    cat(bad(propagate_capacity(net, c(1, NA, 0, 1)), "value"))
    cat(bad(propagate_capacity(net, 1:4, "linear"), "value"))
    cat(bad(propagate_capacity(net, list(position = 3, channel = 1)), "value"))
    cat(bad(propagate_capacity(net, list(position = 1)), "value"))
    cat(bad(propagate_capacity(net, list(channel = 1)), "value"))
    cat(bad(propagate_capacity(net, list(position = 0, channel = 1)), "value"))
    cat(bad(propagate_capacity(net, list(row = 1)), "value"))
    cat(bad(propagate_capacity(net, list()), "value"))
    cat(bad(propagate_capacity(net, limit = -1), "value"))
    cat(bad(propagate_capacity(net, task = 3), "type"))
    cat(bad(propagate_capacity(net, task = task_fgn(5, 0.8)), "shape"))
    cat(bad(propagate_capacity(net, task = task_fgn(3, 0.8), data = diag(3)), "value"))
    cat(bad(propagate_capacity(net, data = diag(4)), "shape"))
    cat(bad(propagate_capacity(net, data = task_fgn(3, 0.8)), "type"))
    cat(bad(propagate_capacity(net, mode = "empirical"), "no_data"))
    cat(bad(propagate_capacity(lstm), "mode"))
    cat(bad(propagate_capacity(lstm, mode = "gaussian"), "mode"))
    cat(bad(propagate_capacity(pooled, mode = "gaussian"), "mode"))
    cat(bad(propagate_capacity(pooled, task = task_fgn(4, 0.8)), "mode"))
    cat(bad(propagate_capacity(net, "conv1", "gaussian", limit = 100), "cost"))
    cat(bad(propagate_capacity(net, mode = "gaussian", limit = 10), "cost"))
  })
})
