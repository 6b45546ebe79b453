# tidy() and glance() of fits; those of capacities are in test-capacity.R.

test_that("a tidied fit has its parameters, whose capacities are the column sums of the table", {
  task <- task_fgn(16, 0.8)
  for (network in list(arch_dilated(16, filters = 2), arch_conv(16, 2, 3, bias = TRUE), arch_recurrent(16, 2))) {
    trained <- fit(network, task, seed = 1)
    tidied <- tidy(trained)
    expect_identical(class(tidied), "data.frame")
    expect_named(tidied, c("term", "layer", "estimate", "capacity"))
    expect_identical(tidied$term, names(coef(trained$network)))
    expect_identical(tidied$layer, sub("[.].*", "", tidied$term))
    expect_identical(tidied$estimate, unname(coef(trained$network)))
    space <- twin_column_space(trained$network)
    # of the right vectors: the condition of the directions that count
    expect_near(tidied$capacity, colSums(twin_table(space)), 1e-8)
    expect_near(tidied$capacity, rowSums(space$s$v[, space$weight > 0, drop = FALSE]^2), 1e-8)
    expect_gte(min(tidied$capacity), -1e-12)
    expect_lte(max(tidied$capacity), 1 + 1e-12)
    expect_equal(sum(tidied$capacity), glance(capacity(trained))$total, tolerance = 1e-10)
  }
})

test_that("parameters that are not needed share what they have, and dead ones have none", {
  trained <- fit(input_sequence(3) |> layer_dense(1), task_ar(3, 0.5), seed = 1)
  expect_near(tidy(trained)$capacity, rep(1, 3), 1e-12)
  # Two factors of one weight.
  trained <- fit(input_vector(1) |> layer_dense(1) |> layer_dense(1) |> set_coef(c(1, 0.2)),
    task_moments(matrix(1), 0.5, 1))
  expect_near(tidy(trained)$capacity, c(0.5, 0.5), 1e-12)
  trained$network <- set_coef(trained$network, c(0, 2))
  expect_near(tidy(trained)$capacity, c(1, 0), 1e-12)
})

test_that("parameters inside blocks are those of their own layers", {
  net <- input_sequence(8) |> layer_residual(\(x) conv_same(x, 1, bias = TRUE)) |> layer_dense(1)
  tidied <- tidy(fit(net, task_fgn(8, 0.7), seed = 1))
  expect_identical(unique(tidied$layer), c("conv1", "dense1"))
  expect_identical(tidied$layer, sub("[.].*", "", tidied$term))
})

test_that("a fit on a grid is tidied too", {
  trained <- fit(input_grid(4, 4) |> layer_conv(1, 2, stride = 2) |> layer_dense(1), grid_task(4, 4),
    seed = 1)
  expect_equal(sum(tidy(trained)$capacity), glance(capacity(trained))$total, tolerance = 1e-10)
})

test_that("kernels and tables are tidied to plain data frames", {
  net <- named_networks()$conv_channels
  for (x in list(capacity_kernel(net), capacity_table(net), capacity(net))) {
    tidied <- tidy(x)
    expect_identical(class(tidied), "data.frame")
    expect_identical(names(attributes(tidied)), c("names", "row.names", "class"))
    expect_identical(as.list(tidied), as.list(as.data.frame(x)))
  }
})
