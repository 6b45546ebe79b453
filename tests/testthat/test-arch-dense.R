# Dense, low-rank and locally connected presets: sizes and ranks compared with the formulas of ?arch_dense, weights with
# loops.

test_that("arch_dense() has one weight per input and output, and reads all inputs", {
  over_sequences(function(input, n, channels, m) {
    net <- arch_dense(input, outputs = m)
    expect_identical(params(net), m * channels * n)
    expect_sees(net, n)
    # A free linear model has full capacity on every input.
    expect_equal(capacity(initialise(net, seed = 1))$capacity, rep(m, n * channels),
      tolerance = 1e-12)
    expect_weights(net, \(x, draw) draw(c(m, length(x))) %*% c(x))
  })
  over_grids(function(input, extent, channels, m) {
    expect_identical(params(arch_dense(input, outputs = m)), m * channels * prod(extent))
  })
})

test_that("arch_deep() is a product of matrices with the rank of the narrowest", {
  inputs <- list(input_sequence(5, channels = 2), input_vector(10), input_grid(2, 5))
  for (input in inputs) for (m in 1:3) for (w in list(2, c(1, 3), c(3, 4, 20))) {
    net <- arch_deep(input, w, depth = max(2, length(w)), outputs = m)
    w <- rep_len(w, max(2, length(w)))
    expect_identical(params(net), conv_params(c(10, w, m), 1))
    expect_weights(net, function(x, draw) {
      for (u in c(w, m)) x <- slow_dense(x, draw, u)
      x
    })
    r <- min(w, m, 10)
    expect_rank(net, r * (m + 10 - r))
  }
  expect_identical(summary(arch_deep(8, units = c(3, 2), outputs = 4))$output, c("3 x 1", "2 x 1", "4 x 1"))
})

test_that("arch_low_rank() has blocks of rank `filters`", {
  forward <- function(x, draw, w, k, m) {
    y <- slow_conv(x, draw(c(w, dim(x)[[1]], extents(x, k))), stride = extents(x, k))
    slow_dense(y, draw, m)
  }
  over_sequences(function(input, n, channels, m) {
    for (k in c(2, 4)) for (w in c(1, 4)) {
      net <- arch_low_rank(input, w, k, outputs = m)
      expect_identical(params(net), w * channels * k + m * (n %/% k) * w)
      expect_weights(net, forward, w, k, m)
      r <- min(w, channels * k, m * (n %/% k))
      expect_rank(net, r * (channels * k + m * (n %/% k) - r))
    }
  })
  over_grids(function(input, extent, channels, m) {
    for (k in list(2, c(2, 3))) {
      net <- arch_low_rank(input, 2, k, outputs = m)
      taps <- prod(rep_len(k, 2))
      windows <- prod(extent %/% k)
      expect_identical(params(net), 2 * channels * taps + m * windows * 2)
      expect_weights(net, forward, 2, k, m)
      expect_rank(net, 2 * (channels * taps + m * windows - 2))
    }
  })
})

test_that("a low-rank filter bank with one output and windows that tile the input has rank r (b + n / b - r)", {
  for (n in c(16, 24)) for (b in c(2, 4, 8)) for (r in seq_len(min(b, n / b))) {
    net <- arch_low_rank(n, r, b)
    expect_rank(net, r * (b + n / b - r))
    # The matrix of weights (windows x taps) has rank r.
    W <- matrix(effective_weights(initialise(net, seed = 3)), b)
    expect_identical(qr(W)$rank, as.integer(r))
  }
})

test_that("arch_local() has separate weights in every window", {
  forward <- function(x, draw, w, k, stride, m) {
    places <- dim(slow_conv(x, array(0, c(1, dim(x)[[1]], extents(x, k))), extents(x, stride)))[2:3]
    kernel <- draw(c(w, dim(x)[[1]], extents(x, k), places))
    slow_dense(slow_conv(x, kernel, extents(x, stride), local = TRUE), draw, m)
  }
  over_sequences(function(input, n, channels, m) {
    for (w in 1:3) {
      net <- arch_local(input, w, 4, outputs = m)
      windows <- n %/% 4
      expect_identical(params(net), windows * w * channels * 4 + m * windows * w)
      expect_weights(net, forward, w, 4, 4, m)
      r <- min(w, channels * 4, m)
      expect_rank(net, windows * r * (channels * 4 + m - r))
    }
    overlapping <- arch_local(input, 2, 4, stride = 3, outputs = m)
    windows <- (n - 4) %/% 3 + 1
    expect_identical(params(overlapping), windows * 2 * channels * 4 + m * windows * 2)
    expect_weights(overlapping, forward, 2, 4, 3, m)
    # With one output every input in the receptive field has capacity 1.
    if (m == 1) {
      expect_rank(overlapping, channels * (3 * windows + 1))
      expect_rank(arch_local(input, 2, 2, stride = 3), channels * 2 * ((n - 2) %/% 3 + 1))
    }
  })
  over_grids(function(input, extent, channels, m) {
    net <- arch_local(input, 1, c(2, 3), outputs = m)
    windows <- prod(extent %/% c(2, 3))
    expect_identical(params(net), windows * channels * 6 + m * windows)
    expect_weights(net, forward, 1, c(2, 3), c(2, 3), m)
    expect_rank(net, windows * (channels * 6 + m - 1))
  })
})

test_that("dense and local presets can be trained, those of full capacity to the minimum", {
  expect_trains(arch_dense(12), to = 0.1)
  expect_trains(arch_deep(12, units = c(3, 2)), to = 0.1)
  expect_trains(arch_local(12, kernel = 3), to = 0.1)
  expect_trains(arch_local(input_grid(4, 4), kernel = 2), to = 0.1)
  # full rank: any 3 x 4 matrix
  expect_trains(arch_low_rank(12, filters = 3, kernel = 4), to = 0.1)
  expect_trains(arch_low_rank(12, filters = 1, kernel = 4))
  expect_trains(arch_low_rank(input_grid(4, 6), filters = 2, kernel = 2))
})

test_that("bad sizes are refused by class", {
  texts <- c(
    bad(arch_deep(16, units = 0), "value"),
    bad(arch_deep(16, units = "2"), "type"),
    bad(arch_deep(16, units = c(2, NA)), "value"),
    bad(arch_deep(16, units = c(1, 2, 3), depth = 2), "shape"),
    bad(arch_deep(16, units = NULL), "type"),
    bad(arch_deep(16, units = 1.5), "value"),
    bad(arch_deep(16, depth = 0), "value"),
    bad(arch_low_rank(16, filters = c(1, 2)), "value"),
    bad(arch_low_rank(16, kernel = 17), "shape"),
    bad(arch_low_rank(16, kernel = c(2, 2)), "value"),
    bad(arch_low_rank(input_vector(16)), "shape"),
    bad(arch_local(16, filters = 0), "value"),
    bad(arch_local(16, kernel = NULL), "value"),
    bad(arch_local(16, stride = 17), "shape"),
    bad(arch_local(input_grid(4, 4), kernel = 1:3), "value"),
    bad(arch_local(input_vector(16)), "shape")
  )
  expect_snapshot(writeLines(texts))
})
