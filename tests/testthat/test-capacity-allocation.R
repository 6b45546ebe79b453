# The part that capacity(), capacity_kernel() and capacity_table() share: metric, layers, tolerance, evidence,
# cost. Their results are tested in test-capacity.R, test-capacity-kernel.R and test-capacity-table.R.

# Returns rows (5n x n) that span only `rank` dimensions, so that Sigma is singular.
singular_rows <- function(n, rank, seed = 1) {
  withr::with_seed(seed, matrix(rnorm(5 * n * rank), 5 * n) %*% matrix(rnorm(rank * n), rank))
}

rank_of <- function(A) {
  d <- svd(A, 0L, 0L)$d
  sum(d > 1e-10 * d[[1L]])
}

test_that("the covariance metric agrees with the twin's, also with a constant and means", {
  networks <- c(named_networks()[c("dense_bias", "conv_channels", "dense_deep", "diagonal_bias", "nested")],
    small_grids())
  for (name in names(networks)) {
    network <- networks[[name]]
    J <- unname(tangent(network))
    x <- some_moments(network)
    space <- twin_column_space(network, sigma = x$sigma, J = J)
    k <- capacity(network, "covariance", data = x$rows)
    expect_near(k$capacity, diag(twin_kernel(space)), 1e-8, name) # the condition number of the root is up to 1e3
    # The same as stated moments; the means give the column of the constant.
    n <- ncol(x$rows)
    task <- task_moments(x$sigma[seq_len(n), seq_len(n)], numeric(n), 1, mean_x = colMeans(x$rows))
    if (network$input$kind == "vector") {
      expect_near(capacity(network, "covariance", data = task)$capacity, k$capacity, 1e-9, name)
    }
  }
})

test_that("with singular moments the total is the rank of T J", {
  networks <- c(named_networks()[c("dense_bias", "conv_sequence", "conv_channels", "recurrent_stack")], small_grids())
  for (name in names(networks)) {
    network <- networks[[name]]
    n <- prod(network$input$shape)
    rows <- singular_rows(n, 3)
    constant <- if (twin_has_bias(network$layers)) 1
    sigma <- crossprod(cbind(rows, constant)) / nrow(rows)
    J <- unname(tangent(network))
    product <- kronecker(twin_root(sigma, twin_has_bias(network$layers)), diag(prod(shape_of(network)))) %*% J
    k <- capacity(network, "covariance", data = rows)
    expect_equal(glance(k)$total, rank_of(product), label = name)
    expect_lte(glance(k)$total, rank_of(J))
    if (name == "dense_bias") expect_lt(glance(k)$total, rank_of(J))
    expect_near(k$capacity, diag(twin_kernel(twin_column_space(network, sigma = sigma, J = J))), 1e-7, name)
    expect_equal(sum(k$capacity), glance(k)$total, tolerance = 1e-10)
    expect_near(diag(as.matrix(capacity_kernel(network, metric = "covariance", data = rows))),
      k$capacity, 1e-8, name)
    T <- as.matrix(capacity_table(network, metric = "covariance", data = rows))
    expect_near(rowSums(T), k$capacity, 1e-8, name)
  }
})

test_that("inputs that are always zero have no capacity in the covariance metric", {
  net <- input_vector(3) |> layer_dense(1) |> set_coef(1:3)
  rows <- cbind(1:5, 0, c(1, -1, 1, 0, 2))
  expect_near(capacity(net, "covariance", data = rows)$capacity, c(1, 0, 1), 1e-12)
  none <- capacity(net, "covariance", data = 0 * rows)
  expect_near(none$capacity, numeric(3), 0)
  expect_identical(glance(none)$total, 0)
})

test_that("for a fit the covariance metric uses the moments of its task", {
  for (case in list(
    list(arch_conv(8, 2, 3, bias = TRUE), task_fgn(8, 0.8)),
    list(input_grid(4, 4) |> layer_conv(1, 2, stride = 2) |> layer_dense(1), grid_task(4, 4)),
    list(input_vector(2) |> layer_dense(1, bias = TRUE), task_data(mpg ~ wt + hp, mtcars, seed = 1))
  )) {
    trained <- fit(case[[1]], case[[2]], seed = 1)
    network <- trained$network
    # A capacity also stores its fit and the convergence number of its coefficients.
    for (question in list(capacity, capacity_kernel, capacity_table)) {
      ask <- function(...) structure(question(...), source = NULL, stationarity = NULL)
      expect_identical(ask(trained), ask(network))
      expect_identical(ask(trained, metric = "covariance"), ask(network, metric = "covariance", data = case[[2]]))
    }
    moments <- case[[2]]$moments
    sigma <- if (!twin_has_bias(network$layers)) moments$sigma else {
      rbind(cbind(moments$sigma, moments$mean_x), c(moments$mean_x, 1))
    }
    space <- twin_column_space(network, sigma = sigma, J = unname(tangent(network)))
    expect_near(capacity(trained, "covariance")$capacity, diag(twin_kernel(space)), 1e-8)
  }
})

test_that("capacity, kernel and table of a network report the same evidence", {
  net <- named_networks()$nested
  evidence <- attr(capacity(net), "evidence")
  expect_named(evidence, c("tol", "gap", "rank", "rank_low", "rank_high", "undecided", "is_trained", "is_imported"))
  expect_identical(attr(capacity_kernel(net), "evidence"), evidence)
  expect_identical(attr(capacity_table(net), "evidence"), evidence)
  expect_identical(attr(capacity(net, partition = partition_octaves()), "evidence"), evidence)
})

test_that("capacity, kernel and table warn about an undecided rank unless they are soft", {
  net <- steep_networks()$filters5
  s <- twin_column_space(net)$s$d
  tol <- s[[3]] / s[[1]] / 2
  for (ask in list(capacity, capacity_kernel, capacity_table)) {
    expect_warning(ask(net, tol = tol), class = "capalloc_warning_rank_gap")
    expect_warning(ask(net, tol = tol, ridge = 0.1), NA)
    expect_warning(ask(net), NA)
  }
})

test_that("the tolerance truncates the spectrum in capacity, kernel and table", {
  net <- steep_networks()$filters3
  J <- twin_unit_columns(twin_tangent(net), twin_theta_array(net))
  s <- svd(J)
  U <- s$u[, 1:2]
  cut <- sqrt(s$d[[2]] * s$d[[3]]) / s$d[[1]]
  expect_near(unname(as.matrix(capacity_kernel(net, tol = cut))), tcrossprod(U), 1e-9)
  expect_near(capacity(net, tol = cut)$capacity, rowSums(U^2), 1e-9)
  inverse <- s$v[, 1:2] %*% (t(U) / s$d[1:2])
  expect_near(unname(as.matrix(capacity_table(net, "parameter", tol = cut))), J * t(inverse), 1e-9)
  # No singular value is above the largest.
  expect_identical(glance(capacity(net, tol = 100))$total, 0)
  expect_near(unname(as.matrix(capacity_kernel(net, 1, tol = 100))), matrix(0, 1, 1), 0)
  expect_near(unname(as.matrix(capacity_table(net, tol = 100))), matrix(0, 3, 2), 0)
  expect_near(capacity(net, tol = 100, ridge = 1)$capacity, numeric(3), 0)
})

test_that("results per parameter do not depend on the scale of layers", {
  net <- named_networks()$nested
  grown <- coef(net)
  grown[grepl("^dense1.weight", names(grown))] <- 1e9 * grown[grepl("^dense1.weight", names(grown))]
  for (ask in list(capacity, capacity_kernel)) {
    expect_near(utils::tail(as.list(ask(set_coef(net, grown))), 1)[[1]], utils::tail(as.list(ask(net)), 1)[[1]], 1e-8)
  }
})

test_that("long computations report their cost first, those of fewer rows than parameters theirs", {
  cost <- function(n_rows, n_kept) {
    list(n_rows = n_rows, n_kept = n_kept, m = 1, samples = NULL, block = allocation_block_size(1, n_rows, n_kept),
      columns = allocation_block_columns(n_rows, n_kept), array = rep(1L, n_kept))
  }
  expect_message(inform_allocation_cost(cost(1e5, 1e4)), class = "capalloc_message_cost")
  expect_message(inform_allocation_cost(cost(1000, 100)), NA)
  expect_message(inform_allocation_cost(cost(22, 48001)), NA)
  # 2 p n_rows^2, not 2 n_rows p^2
  expect_lt(allocation_cost(cost(22, 48001))$flops, 1e8)
  expect_lt(allocation_cost(cost(22, 48001))$bytes, 5e7)
})

test_that("a tangent that is too large on both sides is refused with the way out", {
  expect_snapshot(cat(bad(
    check_allocation_size(list(n_rows = 1e6, n_kept = 1e5), NULL), "size")))
  expect_identical(check_allocation_size(list(n_rows = 100, n_kept = 1e6), NULL), NULL)
})

# With fewer rows than parameters the transpose is allocated, in blocks of columns.
wide_cases <- function() {
  list(
    initialise(input_vector(3) |> layer_dense(20, bias = TRUE) |> layer_dense(15) |> layer_dense(2), seed = 1),
    initialise(input_sequence(6, 2) |> layer_recurrent(9, bias = TRUE) |> layer_dense(1), seed = 3),
    initialise(input_sequence(4) |> layer_recurrent(4, "gru", bias = TRUE) |> layer_dense(2), seed = 2)
  )
}

test_that("with fewer rows than parameters all results equal those of the SVD, for any block of columns", {
  for (net in wide_cases()) for (ridge in c(0, 0.01)) {
    x <- if (!is_linear(net)) test_inputs(net, 3, 1)
    N <- max(1, nrow(x))
    D <- twin_tangent(net)
    if (N > 1) D <- matrix(.Call(ffi_extended, lower_network(net), net$coef, x), ncol = length(net$coef))
    expect_lt(nrow(D), ncol(D))
    space <- twin_column_space(net, ridge, J = D)
    allocation <- read_allocation(net, "identity", ridge, NULL, x, NULL, NULL)
    for (columns in c(1, 7, 1000)) {
      allocation$columns <- columns
      core <- allocate_capacity(allocation, "capacity", list(turned = NULL, group = NULL), want_parameters = TRUE)
      expect_near(core$values, space$s$d, 1e-12 * space$s$d[[1]])
      expect_near(core$total, space$total, 1e-9)
      expect_near(c(core$answer), colSums(matrix(diag(space$P), N)), 1e-9)
      expect_near(core$parameters, rowSums(space$s$v^2 %*% diag(space$weight)), 1e-8)
    }
  }
})

test_that("with fewer rows than parameters kernels and tables equal the twin's", {
  for (net in wide_cases()[1:2]) for (ridge in c(0, 0.01)) {
    space <- twin_column_space(net, ridge)
    expect_near(unname(as.matrix(capacity_kernel(net, ridge = ridge))), twin_kernel(space), 1e-9)
    layers <- twin_theta_layer(net)
    table <- t(rowsum(t(twin_table(space, ridge)), match(layers, unique(layers))))
    expect_near(unname(as.matrix(capacity_table(net, ridge = ridge))), unname(table), 1e-8)
  }
})

test_that("with fewer rows than parameters blocks of samples, groups and partitions change nothing", {
  net <- wide_cases()[[3]]
  x <- test_inputs(net, 3, 1)
  whole <- quiet(capacity(net, data = x, ridge = 0.01))
  expect_equal(quiet(capacity(net, data = x, ridge = 0.01, block = 1)), whole, tolerance = 1e-10)
  by_sample <- quiet(capacity(net, data = x, ridge = 0.01, by = "sample"))
  expect_near(rowsum(by_sample$capacity, by_sample$input, reorder = FALSE)[whole$input, ], whole$capacity, 1e-10)
  parts <- quiet(capacity(net, data = x, ridge = 0.01, partition = partition_haar()))
  expect_near(sum(parts$capacity), sum(whole$capacity), 1e-9)
  kernel <- quiet(capacity_kernel(net, data = x, ridge = 0.01))
  expect_near(unname(diag(as.matrix(kernel))), whole$capacity, 1e-10)
})

test_that("blocks hold about 64 MB and at most all rows", {
  expect_identical(allocation_block_size(1, 10, 5), 10L)
  expect_lte(allocation_block_size(1, 1e6, 1000) * 1000 * 8, 2^26)
  # A block has at least as many rows as parameters, otherwise copying the triangle would dominate the cost.
  expect_gte(allocation_block_size(1, 1e6, 5000), 5000)
  expect_identical(allocation_block_size(3, 1e6, 1), as.integer(ceiling(512 / 3)))
})

# The Gram matrix is used up to a condition number of 1e2, twice
# up to about 1e7, and QR beyond: test both sides of each.
test_that("ranks and leverages equal those of the SVD at every condition number and block size", {
  for (digits in c(0, 1.5, 1.9, 2.1, 3, 5, 6, 7, 8, 9, 11)) {
    for (seed in 1:2) {
      J <- matrix_with(90, 10^seq(0, -digits, length.out = 20), seed)
      s <- svd(twin_unit_columns(J, rep(1, 20)))
      # Both sides lose eps times the condition number.
      bound <- 1e-12 + 20 * .Machine$double.eps * s$d[[1]] / s$d[[20]]
      for (block in c(90, 31, 20)) {
        core <- allocate_rows(J, block)
        label <- paste("condition", digits, "block", block)
        expect_identical(core$rank, 20L, label = label)
        expect_near(core$answer[, 1], rowSums(s$u^2), bound, label)
        expect_near(core$values / s$d, rep(1, 20), bound, label)
        expect_equal(sum(core$answer), 20, tolerance = 1e-13, label = label)
      }
    }
  }
})

test_that("ranks below the number of parameters equal those of the SVD", {
  for (rank in c(1, 10, 19)) {
    for (seed in 1:10) {
      J <- matrix_with(60, c(10^seq(0, -3, length.out = rank), rep(0, 20 - rank)), seed)
      s <- svd(twin_unit_columns(J, rep(1, 20)))
      for (block in c(60, 23)) {
        core <- allocate_rows(J, block)
        expect_identical(core$rank, as.integer(rank))
        expect_near(core$answer[, 1], rowSums(s$u[, seq_len(rank), drop = FALSE]^2), 1e-10)
      }
    }
  }
})

test_that("columns below ten times the rounding error of the largest are dropped, others are kept", {
  floor <- 10 * 6 * .Machine$double.eps
  for (size in c(0.95, 1.05)) {
    J <- cbind(c(1, 0, 0, 0, 0, 0), c(0, size * floor, 0, 0, 0, 0))
    core <- allocate_rows(J, 3)
    expect_identical(core$rank, if (size > 1) 2L else 1L)
    expect_near(core$answer[, 1], c(1, size > 1, 0, 0, 0, 0), 1e-15)
  }
})

test_that("a tolerance that truncates the spectrum is met exactly, also where the fast path would apply", {
  J <- matrix_with(60, 10^seq(0, -2, length.out = 20))
  s <- svd(twin_unit_columns(J, rep(1, 20)))
  for (r in c(1, 7, 19, 20)) {
    tol <- if (r == 20) s$d[[20]] / s$d[[1]] / 2 else sqrt(s$d[[r]] * s$d[[r + 1]]) / s$d[[1]]
    core <- allocate_rows(J, 23, tol)
    expect_identical(core$rank, r |> as.integer())
    expect_near(core$answer[, 1], rowSums(s$u[, seq_len(r), drop = FALSE]^2), 1e-11)
  }
})

test_that("the record of an allocation has the fields of its constructor", {
  expect_constructor(new_allocation)
})
