# The two-way table compared with the twin's J * t(pinv(J)).

table_of <- function(...) unname(as.matrix(capacity_table(...)))

grouped <- function(T, group) unname(t(rowsum(t(T), factor(group, unique(group)))))

layer_names <- function(network) sub("[.].*", "", coef_names(network))

coef_names <- function(network) names(coef(network))

test_that("the table of parameters equals the twin's in every named network", {
  networks <- c(named_networks(), steep_networks())
  for (name in names(networks)) {
    space <- twin_column_space(networks[[name]])
    # Entries and their rounding errors grow with the condition number of the directions above the tolerance.
    tolerance <- 1e-14 * (1e3 + twin_condition(space)^2)
    expect_near(table_of(networks[[name]], "parameter"), unname(twin_table(space)), tolerance, name)
  }
})

test_that("the table of layers equals the twin's in random networks, and sums to the total both ways", {
  for (seed in 1:60) {
    network <- random_network(seed)
    space <- twin_column_space(network)
    wanted <- grouped(twin_table(space), twin_theta_layer(network))
    found <- suppressWarnings(capacity_table(network), classes = "capalloc_warning_rank_gap")
    T <- as.matrix(found)
    if (ncol(T) == 0) next
    expect_near(unname(T), wanted, 1e-14 * (1e3 + twin_condition(space)^2), paste("seed", seed))
    expect_equal(sum(T), attr(found, "total"), tolerance = 1e-9)
    own <- suppressWarnings(capacity(network)$capacity, classes = "capalloc_warning_rank_gap")
    expect_near(unname(rowSums(T)), own, 1e-9, paste("seed", seed))
  }
})

test_that("the table equals the twin's on grids, with a ridge, in the covariance metric, and for selected layers", {
  networks <- c(named_networks()[c("dense_bias", "conv_channels", "diagonal_bias", "recurrent_stack")],
    small_grids())
  for (name in names(networks)) {
    network <- networks[[name]]
    J <- if (network$input$kind == "grid") unname(tangent(network)) else twin_tangent(network)
    x <- some_moments(network)
    last <- utils::tail(layer_names(network), 1)
    for (metric in c("identity", "covariance")) for (ridge in c(0, 0.01, 2)) for (layers in list(NULL, last)) {
      sigma <- if (metric == "covariance") x$sigma
      keep <- is.null(layers) | layer_names(network) %in% layers
      space <- twin_column_space(network, ridge, keep, sigma, J)
      found <- capacity_table(network, "parameter", metric, ridge,
        data = if (metric == "covariance") x$rows, layers = layers)
      # The condition number of the moments is up to 1e6, and the twin's solve() squares it.
      expect_near(unname(as.matrix(found)), unname(twin_table(space, ridge)), 1e-8, name)
      expect_equal(levels(found$group), coef_names(network)[rep_len(keep, length(coef(network)))])
      expect_equal(attr(found, "total"), space$total, tolerance = 1e-9)
    }
  }
})

test_that("sums over parameters are capacities of inputs, and sums over inputs those of parameters", {
  task <- task_fgn(16, 0.8)
  for (network in list(arch_dilated(16, filters = 2), arch_conv(16, 2, 3, bias = TRUE))) {
    trained <- fit(network, task, seed = 1)
    T <- as.matrix(capacity_table(trained, "parameter"))
    expect_near(unname(rowSums(T)), capacity(trained)$capacity, 1e-9)
    expect_near(unname(colSums(T)), tidy(trained)$capacity, 1e-9)
    expect_equal(sum(T), glance(capacity(trained))$total, tolerance = 1e-10)
    expect_identical(rownames(T), capacity(trained)$input)
    expect_identical(colnames(T), tidy(trained)$term)
    soft <- capacity_table(trained, ridge = 0.1)
    expect_equal(attr(soft, "total"), glance(capacity(trained, ridge = 0.1))$total, tolerance = 1e-10)
  }
  expect_identical(capacity_table(trained, metric = "covariance"),
    capacity_table(trained$network, metric = "covariance", data = task))
})

test_that("parameters are grouped by layer, array, individually or by given names", {
  net <- named_networks()$nested
  T <- as.matrix(capacity_table(net, "parameter"))
  names <- coef_names(net)
  expect_identical(colnames(T), names)
  by_layer <- capacity_table(net)
  expect_named(by_layer, c("layer", "input", "position", "lag", "channel", "capacity"))
  expect_identical(levels(by_layer$layer), unique(sub("[.].*", "", names)))
  expect_near(table_of(net), grouped(T, sub("[.].*", "", names)), 1e-12)
  by_array <- capacity_table(net, "array")
  expect_named(by_array, c("group", "input", "position", "lag", "channel", "capacity"))
  expect_identical(levels(by_array$group), unique(sub("\\[.*", "", names)))
  expect_true("recurrent1.bias" %in% levels(by_array$group))
  expect_near(table_of(net, "array"), grouped(T, sub("\\[.*", "", names)), 1e-12)
  own <- rep_len(c("odd", "even"), length(names))
  for (groups in list(own, factor(own), rep_len(c(TRUE, FALSE), length(names)), rep_len(2:1, length(names)))) {
    expect_near(table_of(net, groups), grouped(T, own), 1e-12)
  }
  # A given group can have parameters of several layers; groups without a selected parameter are omitted.
  some <- capacity_table(net, own, layers = "dense1")
  expect_identical(levels(some$group), unique(own[layer_names(net) == "dense1"]))
})

test_that("the table does not depend on the block size", {
  networks <- c(named_networks()[c("conv_channels", "dense_deep", "nested")], steep_networks()["channels"])
  for (network in networks) {
    whole <- table_of(network, "parameter", block = 1000)
    for (block in c(1, 2, 3, 5)) expect_near(table_of(network, "parameter", block = block), whole, 1e-6)
  }
})

test_that("tables exist for one parameter, a zero tangent and no parameters", {
  one <- input_vector(1) |> layer_dense(1) |> set_coef(2)
  expect_near(table_of(one), matrix(1), 1e-14)
  pooled <- input_sequence(4) |> layer_pool(4) |> layer_dense(1) |> set_coef(2)
  expect_near(table_of(pooled), matrix(1 / 4, 4, 1), 1e-14)
  zero <- set_coef(arch_dilated(8, 1), numeric(7))
  expect_near(table_of(zero), matrix(0, 8, 4), 0)
  expect_near(table_of(zero, ridge = 0.1), matrix(0, 8, 4), 0)
  expect_identical(attr(capacity_table(zero), "total"), 0)
  bare <- input_sequence(4) |> layer_pool(2) |> layer_last() |> set_coef(numeric())
  none <- capacity_table(bare)
  expect_identical(nrow(none), 0L)
  expect_identical(lengths(none), c(layer = 0L, input = 0L, position = 0L, lag = 0L, channel = 0L, capacity = 0L))
  expect_identical(attr(none, "total"), 0)
  expect_identical(dim(as.matrix(none)), c(0L, 0L))
})

test_that("redundant parameters give negative entries", {
  # J = [a b] with unit columns a = (1, 0), b = (c, s): J^+ = [1 -c/s; 0 1/s], so T_(1,.) = (1, 0) and T_(2,.) = (0, 1).
  # Rows rotated by 45 degrees mix them.
  net <- set_coef(input_sequence(2) |> layer_conv(1, 1) |> layer_dense(1), c(1, 1, 2))
  T <- table_of(net, "parameter")
  expect_near(T, unname(twin_table(twin_column_space(net))), 1e-12)
  smallest <- vapply(named_networks(), function(network) min(table_of(network, "parameter"), 0), 0)
  expect_lt(min(smallest), -0.01)
})

test_that("grids have rows and columns, and a subset is a plain data frame", {
  T <- capacity_table(small_grids()$channels)
  expect_s3_class(T, c("ca_table", "ca_frame", "data.frame"), exact = TRUE)
  expect_named(T, c("layer", "input", "position", "lag", "channel", "row", "column", "capacity"))
  expect_identical(class(T[1:3, ]), "data.frame")
  expect_identical(class(tidy(T)), "data.frame")
  expect_identical(tidy(T)$capacity, T$capacity)
})

test_that("tables print their totals", {
  net <- set_coef(arch_conv(8, 1, 3, bias = TRUE), c(1, 2, 3, -1, 1, 1, 1, 4))
  one <- input_vector(1) |> layer_dense(1) |> set_coef(2)
  bare <- input_sequence(4) |> layer_pool(2) |> layer_last() |> set_coef(numeric())
  expect_snapshot({
    capacity_table(net)
    capacity_table(net, "array", ridge = 0.1)
    capacity_table(net, metric = "covariance", data = task_fgn(8, 0.8))
    capacity_table(set_coef(input_sequence(12) |> layer_dense(2), 1:24), "parameter")
    capacity_table(one)
    capacity_table(bare)
  })
  T <- capacity_table(net)
  expect_invisible(print(T))
})

test_that("bad groups are refused, and the error names them", {
  net <- set_coef(arch_conv(8, 1, 3, bias = TRUE), c(1, 2, 3, -1, 1, 1, 1, 4))
  expect_snapshot({
    cat(bad(capacity_table(cars), "type"))
    cat(bad(capacity_table(input_sequence(4) |> layer_dense(1)), "no_coefficients"))
    cat(bad(capacity_table(net, "kernel"), "value"))
    cat(bad(capacity_table(net, c("layer", "array")), "value"))
    cat(bad(capacity_table(net, letters[1:7]), "value"))
    cat(bad(capacity_table(net, c(letters[1:7], NA)), "value"))
    cat(bad(capacity_table(net, NA), "value"))
    cat(bad(capacity_table(net, NULL), "value"))
    cat(bad(capacity_table(net, as.list(1:8)), "value"))
    cat(bad(capacity_table(net, data.frame(1:8)), "value"))
    cat(bad(capacity_table(net, sum), "value"))
    cat(bad(capacity_table(net, metric = "covariance"), "value"))
    cat(bad(capacity_table(net, ridge = NA), "value"))
    cat(bad(capacity_table(net, layers = "dense9"), "value"))
  })
})
