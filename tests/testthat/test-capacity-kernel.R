# The kernel compared with the twin's projector.

kernel_of <- function(...) unname(as.matrix(capacity_kernel(...)))

with_bias <- function() set_coef(arch_conv(8, 1, 3, bias = TRUE), c(1, 2, 3, -1, 1, 1, 1, 4))

test_that("the kernel equals the twin's in every named network", {
  networks <- c(named_networks(), steep_networks())
  for (name in names(networks)) {
    space <- twin_column_space(networks[[name]])
    # Both sides lose the condition number of the directions above the tolerance.
    expect_near(kernel_of(networks[[name]]), twin_kernel(space), 1e-13 * (100 + twin_condition(space)), name)
  }
})

test_that("the kernel equals the twin's in random networks", {
  for (seed in 1:60) {
    network <- random_network(seed)
    space <- twin_column_space(network)
    K <- suppressWarnings(kernel_of(network), classes = "capalloc_warning_rank_gap")
    expect_near(K, twin_kernel(space), 1e-13 * (100 + twin_condition(space)), paste("seed", seed))
  }
})

test_that("the kernel equals the twin's on grids", {
  for (network in small_grids()) {
    space <- twin_column_space(network, J = unname(tangent(network)))
    expect_near(kernel_of(network), twin_kernel(space))
  }
})

test_that("the kernel equals the twin's in the covariance metric, with a ridge, and for selected layers", {
  networks <- c(named_networks()[c("dense_bias", "conv_channels", "diagonal_bias", "nested", "residual_deep")])
  for (network in networks) {
    x <- some_moments(network)
    first <- network_rows(network)[[1]]$name
    own <- twin_theta_layer(network) %in% unique(twin_theta_layer(network))[1]
    for (metric in c("identity", "covariance")) for (ridge in c(0, 0.01, 2)) {
      sigma <- if (metric == "covariance") x$sigma
      data <- if (metric == "covariance") x$rows
      space <- twin_column_space(network, ridge, sigma = sigma)
      # Roots of moments with condition numbers up to 1e6.
      expect_near(kernel_of(network, metric = metric, ridge = ridge, data = data), twin_kernel(space), 1e-8)
      if (any(own) && !first %in% c("residual1", "parallel1")) {
        space <- twin_column_space(network, ridge, own, sigma)
        found <- kernel_of(network, metric = metric, ridge = ridge, data = data, layers = first)
        expect_near(found, twin_kernel(space), 1e-8)
      }
    }
  }
})

test_that("the diagonal of the kernel is the capacity, and for one output the kernel is a projector", {
  for (network in c(named_networks(), small_grids(), steep_networks())) {
    K <- kernel_of(network)
    expect_near(diag(K), capacity(network)$capacity)
    expect_near(K, t(K), 1e-14)
    expect_gte(min(eigen(K, symmetric = TRUE)$values), -1e-12)
    if (prod(shape_of(network)) == 1) expect_near(rowSums(K^2), diag(K))
  }
})

test_that("the kernel does not depend on the block size", {
  networks <- c(named_networks()[c("conv_channels", "dense_deep", "nested")], steep_networks()["channels"])
  for (network in networks) {
    whole <- kernel_of(network, block = 1000)
    for (block in c(1, 2, 3, 5)) expect_near(kernel_of(network, block = block), whole)
    some <- kernel_of(network, inputs = c(2, 4), block = 3)
    expect_near(some, whole[c(2, 4), c(2, 4)])
  }
})

test_that("inputs are selected by name or number, in input order and once each", {
  net <- with_bias()
  K <- as.matrix(capacity_kernel(net))
  expect_identical(rownames(K), capacity(net)$input)
  expect_identical(colnames(K), rownames(K))
  for (inputs in list(c(2, 5, 9), c(9, 5, 2), c(5, 2, 2, 9, 5), c("x[5]", "(Intercept)", "x[2]"), c(2L, 5L, 9L))) {
    expect_equal(as.matrix(capacity_kernel(net, inputs)), K[c(2, 5, 9), c(2, 5, 9)], tolerance = 1e-14)
  }
  expect_equal(as.matrix(capacity_kernel(net, 3)), K[3, 3, drop = FALSE], tolerance = 1e-14)
  # The evidence is that of all inputs.
  expect_identical(attr(capacity_kernel(net, 3), "evidence"), attr(capacity_kernel(net), "evidence"))
})

test_that("the result has a row for each pair, with the columns of both inputs", {
  k <- capacity_kernel(with_bias(), c(1, 8, 9))
  expect_s3_class(k, c("ca_kernel", "ca_frame", "data.frame"), exact = TRUE)
  expect_named(k, c("input1", "position1", "lag1", "channel1", "input2", "position2", "lag2", "channel2", "kernel"))
  expect_equal(k$input1, rep(c("x[1]", "x[8]", "(Intercept)"), 3))
  expect_equal(k$input2, rep(c("x[1]", "x[8]", "(Intercept)"), each = 3))
  expect_equal(k$lag1[1:3], c(8, 1, NA))
  expect_equal(k$position2[c(1, 4, 7)], c(1, 8, NA))
  expect_identical(as.matrix(k)[2, 3], k$kernel[k$input1 == "x[8]" & k$input2 == "(Intercept)"])
  expect_identical(class(tidy(k)), "data.frame")
  expect_identical(class(k[1:2, ]), "data.frame")
  grid <- capacity_kernel(small_grids()$plain)
  expect_equal(unique(grid[c("row1", "column1")])$row1, rep(1:4, 5))
  expect_equal(unique(grid[c("row2", "column2")])$column2, rep(1:5, each = 4))
})

test_that("the total is the rank, or the soft total with a ridge", {
  for (network in named_networks()[c("conv_sequence", "nested")]) for (ridge in c(0, 0.1)) {
    expect_equal(attr(capacity_kernel(network, 1:2, ridge = ridge), "total"),
      glance(capacity(network, ridge = ridge))$total, tolerance = 1e-12)
  }
})

test_that("inputs with parameters of their own have zero kernel between them", {
  net <- input_vector(4) |> layer_dense(3) |> with_test_coef(1)
  expect_near(kernel_of(net), 3 * diag(4), 1e-12)
  expect_near(kernel_of(set_coef(arch_dilated(8, 1), numeric(7))), matrix(0, 8, 8), 0)
  bare <- input_sequence(4) |> layer_pool(2) |> layer_last() |> set_coef(numeric())
  expect_near(kernel_of(bare), matrix(0, 4, 4), 0)
})

test_that("the kernel of a fit is that of its network, and its metric that of its task", {
  task <- task_fgn(8, 0.8)
  trained <- fit(arch_dilated(8, 1), task, seed = 1)
  expect_identical(capacity_kernel(trained), capacity_kernel(trained$network))
  expect_identical(capacity_kernel(trained, metric = "covariance"),
    capacity_kernel(trained$network, metric = "covariance", data = task))
})

test_that("of more than 400 inputs about 400 evenly spaced ones are shown, with the newest and the constant", {
  pooled <- function(n, channels = 1, bias = FALSE) {
    input_sequence(n, channels) |> layer_pool(5, 5) |> layer_dense(1, bias = bias) |> with_test_coef(1)
  }
  expect_message(whole <- capacity_kernel(pooled(400)), NA)
  expect_equal(nrow(whole), 400^2)
  expect_message(capacity_kernel(pooled(400, bias = TRUE)), NA)
  said <- expect_message(k <- capacity_kernel(pooled(900)), class = "capalloc_message_thinned")
  shown <- k$position1[seq_len(sqrt(nrow(k)))]
  expect_identical(shown, seq(3L, 900L, by = 3L))
  expect_match(conditionMessage(said), "300 of 900 inputs")
  expect_message(k <- capacity_kernel(pooled(900, bias = TRUE)), class = "capalloc_message_thinned")
  inputs <- rownames(as.matrix(k))
  expect_identical(inputs, c(paste0("x[", seq(3, 900, by = 3), "]"), "(Intercept)"))
  # The projector is that of all inputs.
  expect_near(unname(as.matrix(k)), kernel_of(pooled(900, bias = TRUE), inputs = c(seq(3, 900, by = 3), 901)), 0)
  # The oldest of the 901 positions ends the last step.
  expect_message(k <- capacity_kernel(pooled(901)), class = "capalloc_message_thinned")
  expect_identical(k$position1[seq_len(301)], seq(1L, 901L, by = 3L))
  # Positions are thinned, not coordinates: a step of 2 would drop one of two channels, a step of 3 rows of a grid.
  expect_message(k <- capacity_kernel(pooled(300, channels = 2)), class = "capalloc_message_thinned")
  shown <- unique(k[c("position1", "channel1")])
  expect_identical(shown$channel1, rep(2:1, 100)[200:1])
  expect_equal(shown$position1, ceiling(seq(3, 600, by = 3) / 2))
  image <- input_grid(30, 40) |> layer_pool(10) |> layer_dense(1) |> with_test_coef(1)
  expect_message(k <- capacity_kernel(image), "one in 7")
  expect_setequal(k$row1, 1:30)
  expect_message(capacity_kernel(pooled(900), inputs = 1:500), NA)
})

test_that("kernels print a summary", {
  net <- with_bias()
  expect_snapshot({
    capacity_kernel(net)
    capacity_kernel(net, c("x[1]", "x[2]"), ridge = 0.1)
    capacity_kernel(net, 1, metric = "covariance", data = task_fgn(8, 0.8))
  })
  k <- capacity_kernel(net)
  expect_invisible(print(k))
})

test_that("bad arguments are refused, and the error names them", {
  net <- with_bias()
  bare <- input_sequence(4) |> layer_dense(1)
  expect_snapshot({
    cat(bad(capacity_kernel(cars), "type"))
    cat(bad(capacity_kernel(NULL), "type"))
    cat(bad(capacity_kernel("dense"), "type"))
    cat(bad(capacity_kernel(bare), "no_coefficients"))
    cat(bad(capacity_kernel(net, 0), "value"))
    cat(bad(capacity_kernel(net, 10), "value"))
    cat(bad(capacity_kernel(net, 1.5), "value"))
    cat(bad(capacity_kernel(net, c(1, NA)), "value"))
    cat(bad(capacity_kernel(net, c("x[1]", "z")), "value"))
    cat(bad(capacity_kernel(net, NA_character_), "value"))
    cat(bad(capacity_kernel(net, character()), "value"))
    cat(bad(capacity_kernel(net, numeric()), "value"))
    cat(bad(capacity_kernel(net, factor("x[1]")), "value"))
    cat(bad(capacity_kernel(net, list(1)), "value"))
    cat(bad(capacity_kernel(net, TRUE), "value"))
    cat(bad(capacity_kernel(net, data.frame(1)), "value"))
    cat(bad(capacity_kernel(net, ridge = -1), "value"))
    cat(bad(capacity_kernel(net, metric = "covariance"), "value"))
    cat(bad(capacity_kernel(net, layers = "conv9"), "value"))
    cat(bad(capacity_kernel(net, block = 0), "value"))
  })
})

test_that("inputs with names from the user's data are selected by these names", {
  trained <- fit(input_vector(2) |> layer_dense(1, bias = TRUE), task_data(mpg ~ wt + hp, mtcars, seed = 1), seed = 1)
  K <- as.matrix(capacity_kernel(trained, c("hp", "(Intercept)"), metric = "covariance"))
  expect_identical(dimnames(K), list(c("hp", "(Intercept)"), c("hp", "(Intercept)")))
  expect_near(unname(K), diag(2), 1e-10)
})
