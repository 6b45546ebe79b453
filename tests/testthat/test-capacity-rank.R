# The rank of trained networks compared with the twin, closed forms, and under rescaling.

quietly <- function(code) suppressWarnings(code, classes = "capalloc_warning_rank_gap")

evidence_of <- function(...) attr(quietly(capacity(...)), "evidence")

test_that("rank_low and capacity_low are those of the T-rule", {
  for (residue in c(1, 1e-3, 1e-8, 1e-9, 1e-10)) {
    networks <- residue_networks(residue)
    for (name in names(networks)) {
      net <- as_trained(networks[[name]])
      twin <- twin_trained_rank(net, direct = residue_direct(name))
      k <- quietly(capacity(net))
      evidence <- attr(k, "evidence")
      plain <- twin_network_capacity(net)
      label <- paste(name, residue)
      expect_equal(attr(k, "total"), plain$rank, label = label)
      expect_equal(evidence$rank_trained, twin$rank, label = label)
      expect_equal(evidence$rank_low, min(twin$rank, plain$rank_low), label = label)
      expect_equal(evidence$rank_high, max(plain$rank, plain$rank_high), label = label)
      expect_identical(evidence$undecided, evidence$rank_low < evidence$rank_high, label = label)
      low <- attr(k, "capacity_low")
      expect_equal(sum(low), evidence$rank_low, tolerance = 1e-8, label = label)
      if (evidence$rank_low == twin$rank) {
        kappa <- colSums(matrix(twin$leverage, nrow(twin_weights(net))))
        # the twin loses eps / T
        expect_near(low, kappa, 1e-8, label)
      }
      expect_lte(max(low - k$capacity), 1e-6)
      expect_identical(generics::tidy(k)$capacity_low, low)
    }
  }
})

test_that("residue of training is distinguished from capacity", {
  networks <- lapply(residue_networks(1e-9), as_trained)
  undecided <- vapply(networks, function(net) evidence_of(net)$undecided, NA)
  expect_equal(undecided, c(channel = TRUE, branch = TRUE, skip = FALSE, bias = FALSE, elman = TRUE))
  clear <- vapply(lapply(residue_networks(1), as_trained), function(net) evidence_of(net)$undecided, NA)
  expect_false(any(clear))
  # The remaining capacity is that without the branch.
  alone <- input_sequence(4) |> layer_pool(2) |> layer_dense(1) |> set_coef(1:2)
  k <- quietly(capacity(networks$branch))
  expect_equal(attr(k, "evidence")$rank_low, 2)
  expect_near(attr(k, "capacity_low"), capacity(alone)$capacity, 1e-12)
})

test_that("untrained networks have the rank at ten times the tolerance, and no capacity_low", {
  net <- residue_networks(1e-9)$channel
  plain <- twin_network_capacity(net)
  k <- quietly(capacity(net))
  expect_equal(attr(k, "evidence")$rank_low, plain$rank_low)
  expect_null(attr(k, "capacity_low"))
  expect_named(generics::tidy(k), names(k))
})

test_that("imported networks show the T-rule and keep their rank", {
  net <- residue_networks(1e-9)$channel
  twin <- twin_trained_rank(net)
  plain <- generics::glance(quietly(capacity(net)))
  net$imported <- TRUE
  k <- quietly(capacity(net))
  glanced <- generics::glance(k)
  expect_identical(glanced$rank_trained, as.integer(twin$rank))
  expect_lt(twin$rank, glanced$rank_low)
  expect_identical(glanced[names(plain)], plain)
  expect_null(attr(k, "capacity_low"))
})

test_that("a soft capacity is never undecided", {
  net <- as_trained(residue_networks(1e-9)$channel)
  expect_warning(k <- capacity(net, ridge = 0.1), NA)
  expect_false(generics::glance(k)$undecided)
  expect_null(attr(k, "capacity_low"))
})

# Returns the network with the arrays `up` multiplied by c and the arrays `down` divided by c (numbers of arrays).
rescaled <- function(net, up, down, c) {
  array <- twin_theta_array(net)
  net$coef[array %in% up] <- net$coef[array %in% up] * c
  net$coef[array %in% down] <- net$coef[array %in% down] / c
  net
}

test_that("inverse rescaling of layers does not change ranks", {
  cases <- list(
    channel = list(up = 1, down = 2), branch = list(up = 2, down = 3), bias = list(up = 1:2, down = 3),
    elman = list(up = c(1, 3), down = 4)
  )
  for (residue in c(1e-9, 1)) for (name in names(cases)) {
    net <- as_trained(residue_networks(residue)[[name]])
    at <- quietly(capacity(net))
    for (c in 10^c(-8, -4, 4, 8)) {
      again <- quietly(capacity(rescaled(net, cases[[name]]$up, cases[[name]]$down, c)))
      label <- paste(name, residue, c)
      expect_identical(attr(again, "evidence")[c("rank", "rank_low", "rank_high")],
        attr(at, "evidence")[c("rank", "rank_low", "rank_high")], label = label)
      # Residue of 1e-9 of the largest leaves 7 digits of its directions.
      expect_near(again$capacity, at$capacity, 1e-6, label)
      expect_near(attr(again, "capacity_low"), attr(at, "capacity_low"), 1e-8, label)
    }
  }
})

test_that("columns are dropped by array, so a small bias beside a large kernel counts", {
  # After rescaling by 1e9 the columns of the first bias and those of its weights differ by a factor of 1e18.
  net <- input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_dense(1) |> set_coef(sin(1:10))
  for (c in c(1e-12, 1, 1e12)) {
    scaled <- net
    scaled$coef[1:6] <- net$coef[1:6] * c
    scaled$coef[7:8] <- net$coef[7:8] * c^-1
    expect_equal(attr(capacity(scaled), "total"), attr(capacity(net), "total"), label = c)
  }
})

test_that("closed forms have rank_low = rank_high at trained coefficients", {
  taps <- list(c(1, 2), c(-1, 0.5), c(2, 1), c(0.3, 1))
  dilated <- input_sequence(16)
  for (d in c(1, 2, 4, 8)) dilated <- layer_conv(dilated, 1, 2, dilation = d)
  noise <- withr::with_seed(1, rnorm(8))
  for (error in c(0, 1e-9)) {
    net <- as_trained(set_coef(dilated, unlist(taps) + error * noise))
    expect_warning(k <- capacity(net), NA)
    expect_equal(unlist(generics::glance(k)[c("total", "rank_low", "rank_high")], use.names = FALSE), rep(5, 3))
    expect_near(k$capacity, twin_dilated_capacity(taps), 1e-8)
  }
  # The rank of a low-rank map is r (m + n - r).
  low <- as_trained(with_test_coef(input_vector(6) |> layer_dense(2) |> layer_dense(4), 1))
  expect_equal(unlist(generics::glance(capacity(low))[c("total", "rank_low", "rank_high")], use.names = FALSE),
    rep(2 * (6 + 4 - 2), 3))
})

test_that("rank_direct_arrays() finds arrays that read the input without a trained parameter in between", {
  direct <- function(net) rank_direct_arrays(lower_network(net), allocation_arrays(net)$array)
  x <- input_vector(3)
  expect_equal(direct(x |> layer_dense(2, bias = TRUE)), 1)
  expect_equal(direct(x |> layer_dense(2, bias = TRUE) |> layer_dense(1)), integer())
  expect_equal(direct(x |> layer_dense(2) |> layer_activation("tanh")), 1)
  expect_equal(direct(x |> layer_parallel(\(x) layer_dense(x, 1), \(x) layer_dense(x, 2) |> layer_dense(1))), 1)
  s <- input_sequence(8)
  expect_equal(direct(s |> layer_pool(2) |> layer_conv(1, 2) |> layer_last()), 1)
  expect_equal(direct(s |> layer_recurrent(2, "elman")), integer())
  expect_equal(direct(s |> layer_recurrent(2, "diagonal") |> layer_dense(1)), integer())
  expect_equal(direct(s |> layer_residual(\(x) layer_conv(x, 1, 3, padding = "same")) |> layer_last()), 1)
  expect_equal(direct(s |> layer_recurrent(2, "gru")), integer())
  expect_equal(direct(s |> layer_pool(2)), integer())
})

test_that("in other metrics the T-rule uses the tangent in that metric", {
  x <- withr::with_seed(4, matrix(rnorm(120), 40) %*% matrix(rnorm(9), 3) + 1)
  net <- as_trained(residue_networks(1e-9)$bias)
  sigma <- crossprod(cbind(x, 1)) / nrow(x)
  T <- twin_root(sigma, constant = TRUE)
  twin <- twin_trained_rank(net, J = kronecker(T, diag(2)) %*% twin_tangent(net), W = twin_weights(net) %*% t(T))
  evidence <- attr(quietly(capacity(net, "covariance", data = x)), "evidence")
  expect_equal(evidence$rank_trained, twin$rank)
})

test_that("for nonlinear networks the T-rule uses D and the tangent maps at the samples", {
  cases <- list(
    tanh = list(input_vector(3) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |>
      layer_dense(1, bias = TRUE)),
    relu = list(input_vector(3) |> layer_dense(3) |> layer_activation("relu") |> layer_dense(2)),
    skip = list(input_vector(3) |>
      layer_parallel(\(x) layer_dense(x, 1), \(x) layer_dense(x, 2) |> layer_activation("tanh") |> layer_dense(1)))
  )
  x <- withr::with_seed(5, matrix(rnorm(90), 30))
  for (name in names(cases)) for (residue in c(1, 1e-9)) {
    net <- with_test_coef(cases[[name]][[1L]], 2)
    array <- twin_theta_array(net)
    # The last unit, or the whole branch.
    small <- switch(name, tanh = c(3, 6, 9, 12, 15), relu = c(3, 6, 9, 14, 15), skip = which(array > 1))
    net$coef[small] <- residue * net$coef[small]
    net <- as_trained(net, 1e-6)
    D <- .Call(ffi_extended, lower_network(net), net$coef, x)
    W <- do.call(rbind, lapply(seq_len(nrow(x)), function(i) linearise(net, x[i, ])))
    direct <- if (name == "skip") 1L else integer()
    twin <- twin_trained_rank(net, D, W, direct)
    k <- quietly(capacity(net, data = x))
    evidence <- attr(k, "evidence")
    expect_equal(evidence$rank_trained, twin$rank, label = paste(name, residue))
    if (evidence$rank_low == twin$rank) {
      low <- colSums(matrix(twin$leverage, ncol = 4))
      expect_near(attr(k, "capacity_low"), low, 1e-7, paste(name, residue))
    }
    # The tangent of a linear branch lies in that of the skip.
    if (residue < 1 && name != "skip") expect_lt(evidence$rank_low, evidence$rank_high)
    groups <- quietly(capacity(net, data = x, by = rep(1:2, 15)))
    summed <- rowSums(matrix(attr(groups, "capacity_low"), 4))
    expect_near(summed, attr(k, "capacity_low"), 1e-8)
    parts <- quietly(capacity(net, data = x, partition = partition_positions()))
    expect_near(attr(parts, "capacity_low"), attr(k, "capacity_low"), 1e-8)
  }
})

test_that("tangent maps of many samples equal those of each sample", {
  for (name in c("tanh_deep", "lstm", "grid_same_abs", "relu")) {
    net <- curved_networks()[[name]]
    if (is.null(net)) next
    for (N in c(1, 5, 300)) {
      x <- test_inputs(net, N)
      W <- .Call(ffi_linearise, lower_network(net), net$coef, x)
      W <- array(W, c(nrow(W), ncol(x) + 1, N))
      for (s in unique(c(1, 2, N))[unique(c(1, 2, N)) <= N]) {
        expect_equal(matrix(W[, , s], dim(W)[[1L]]), unname(linearise(net, x[s, ])), tolerance = 1e-14)
      }
    }
  }
})

test_that("kernels and tables report the same evidence", {
  net <- as_trained(residue_networks(1e-9)$channel)
  evidence <- evidence_of(net)
  expect_true(evidence$undecided)
  expect_identical(attr(quietly(capacity_kernel(net)), "evidence"), evidence)
  expect_identical(attr(quietly(capacity_table(net)), "evidence"), evidence)
  expect_identical(generics::glance(quietly(capacity_table(net)))$rank_low, evidence$rank_low)
})

test_that("an undecided capacity is reported by print, glance and a warning", {
  net <- as_trained(residue_networks(1e-9)$branch)
  expect_warning(k <- capacity(net), class = "capalloc_warning_rank_gap")
  said <- rlang::catch_cnd(capacity(net), "capalloc_warning_rank_gap")
  expect_identical(said$evidence, attr(k, "evidence"))
  expect_snapshot({
    writeLines(cli::ansi_strip(conditionMessage(said)))
    print(k, n = 1)
    generics::glance(k)[c("total", "rank_low", "rank_high", "undecided")]
    summary(k)
    print(quietly(capacity_table(net)))
  })
})

test_that("the evidence of a rank has the fields of its constructor", {
  expect_constructor(new_rank_evidence)
})
