# Convolutional presets: sizes and ranks compared with the formulas of ?arch_conv, weights with loops.

# Returns the number of positions that a read-out reads: one on a sequence, all remaining positions on a grid.
read_positions <- function(extent) if (length(extent) == 1) 1 else prod(extent)

# ---- arch_conv -----------------------------------------------------------------------------------

forward_conv <- function(x, draw, w, k, m) {
  for (f in w) x <- slow_conv(x, draw(c(f, dim(x)[[1]], extents(x, k))))
  slow_read(x, draw, m)
}

test_that("arch_conv() has the documented size and receptive field", {
  over_sequences(function(input, n, channels, m) {
    for (filters in list(2, c(3, 1), c(1, 2, 2))) {
      depth <- max(length(filters), 2)
      w <- c(channels, rep_len(filters, depth))
      net <- arch_conv(input, filters, kernel = 4, depth = depth, outputs = m)
      expect_identical(params(net), conv_params(w, 4) + m * w[[depth + 1]])
      expect_sees(net, 3 * depth + 1)
      expect_weights(net, forward_conv, w[-1], 4, m)
    }
  })
})

test_that("arch_conv() on a grid reads all remaining positions", {
  over_grids(function(input, extent, channels, m) {
    for (k in list(2, c(3, 2))) {
      net <- arch_conv(input, c(1, 2), kernel = k, depth = 2, outputs = m)
      left <- prod(extent - 2 * (k - 1))
      taps <- prod(rep_len(k, 2))
      expect_identical(params(net), taps * (channels + 2) + m * left * 2)
      expect_weights(net, forward_conv, 1:2, k, m)
    }
  })
  expect_identical(summary(arch_conv(input_grid(8, 9), 3, kernel = 3))$output,
    c("3 x 6 x 7", "3 x 4 x 5", "1 x 1"))
})

test_that("in arch_conv() single filters lose one parameter per layer", {
  over_sequences(function(input, n, channels, m) {
    expect_rank(arch_conv(input, 1, kernel = 3, depth = 3, outputs = m), 3 * channels + 6 + m - 3)
  })
  over_grids(function(input, extent, channels, m) {
    left <- prod(extent - 2)
    expect_rank(arch_conv(input, 1, kernel = 2, depth = 2, outputs = m), 4 * channels + 4 + m * left - 2)
  })
})

test_that("a stack of shared filters has full capacity inside its receptive field and none outside", {
  # One channel and one output: products of polynomials without a common zero have free coefficients.
  for (filters in 1:3) {
    net <- initialise(arch_conv(16, filters, kernel = 4, depth = 2), seed = filters)
    expect_equal(capacity(net)$capacity, rep(0:1, c(9, 7)), tolerance = 1e-10)
  }
})

# ---- arch_dilated --------------------------------------------------------------------------------

forward_dilated <- function(x, draw, w, k, m) {
  for (l in seq_along(w)) x <- slow_conv(x, draw(c(w[[l]], dim(x)[[1]], extents(x, k))), dilation = 2^(l - 1))
  slow_read(x, draw, m)
}

forward_skip <- function(x, draw, w, k, m) {
  y <- 0
  for (l in seq_along(w)) {
    x <- slow_conv(x, draw(c(w[[l]], dim(x)[[1]], extents(x, k))), dilation = 2^(l - 1))
    y <- y + slow_dense(slow_last(x), draw, m)
  }
  y
}

test_that("the receptive field of arch_dilated() doubles with every layer", {
  over_sequences(function(input, n, channels, m) {
    depth <- floor(log2(n))
    for (filters in list(1, 3, rep_len(c(2, 1, 3), depth))) {
      w <- c(channels, rep_len(filters, depth))
      net <- arch_dilated(input, filters, outputs = m)
      expect_identical(params(net), conv_params(w, 2) + m * w[[depth + 1]])
      expect_sees(net, 2^depth)
      expect_weights(net, forward_dilated, w[-1], 2, m)
    }
    wide <- arch_dilated(input, 2, outputs = m, kernel = 3)
    depth <- max(which(1 + 2 * (2^(1:9) - 1) <= n))
    expect_identical(length(wide$layers), depth + 2L)
    expect_sees(wide, 1 + 2 * (2^depth - 1))
    expect_weights(wide, forward_dilated, rep(2, depth), 3, m)
  })
})

test_that("arch_dilated() has the given growth of dilations and the given depth", {
  for (growth in 1:4) {
    for (depth in 1:2) {
      net <- arch_dilated(20, 2, kernel = 3, depth = depth, growth = growth)
      expect_sees(net, 1 + 2 * sum(growth^(seq_len(depth) - 1)))
      expect_identical(params(net), conv_params(c(1, rep(2, depth)), 3) + 2)
    }
    reach <- 1 + 2 * cumsum(growth^(0:20))
    expect_identical(length(arch_dilated(20, 1, kernel = 3, growth = growth)$layers), sum(reach <= 20) + 2L)
  }
  expect_identical(arch_dilated(12, 2, growth = 1, depth = 3), arch_conv(12, 2, kernel = 2, depth = 3))
  expect_identical(arch_dilated(16, c(1, 2), depth = 2, skip = TRUE, growth = 3)$layers[[1]],
    layer_conv(input_sequence(16), 1, 2)$layers[[1]])
  expect_error(arch_dilated(16, depth = 5), class = "capalloc_error_shape")
  expect_error(arch_dilated(16, growth = 0), class = "capalloc_error_value")
  expect_error(arch_dilated(16, 1:3, depth = 2), class = "capalloc_error_shape")
})

test_that("arch_dilated() with skips sums read-outs of every layer", {
  over_sequences(function(input, n, channels, m) {
    depth <- floor(log2(n))
    for (filters in list(2, rep_len(c(2, 1, 3), depth))) {
      w <- c(channels, rep_len(filters, depth))
      net <- arch_dilated(input, filters, outputs = m, skip = TRUE)
      expect_identical(params(net), conv_params(w, 2) + m * sum(w[-1]))
      expect_sees(net, 2^depth)
      expect_weights(net, forward_skip, w[-1], 2, m)
    }
  })
  # A network of one layer has one read-out.
  expect_identical(arch_dilated(2, 3, skip = TRUE), arch_dilated(2, 3))
  with <- set_coef(arch_dilated(4, 1, bias = TRUE, skip = TRUE), 1:7)
  expect_identical(effective_weights(with)[1, "(Intercept)"], c(`(Intercept)` = 7))
})

test_that("arch_dilated() on a grid has as many layers as fit and reads all remaining positions", {
  over_grids(function(input, extent, channels, m) {
    for (k in 2:3) {
      depth <- max(which((k - 1) * (2^(1:9) - 1) < min(extent)))
      left <- prod(extent - (k - 1) * (2^depth - 1))
      net <- arch_dilated(input, 1, kernel = k, outputs = m)
      expect_identical(params(net), k^2 * (channels + depth - 1) + m * left)
      expect_weights(net, forward_dilated, rep(1, depth), k, m)
      # one redundant scale per layer
      expect_rank(net, params(net) - depth)
    }
  })
})

test_that("in arch_dilated() single filters lose one parameter per layer, for any kernel", {
  over_sequences(function(input, n, channels, m) {
    for (k in 3:4) {
      net <- arch_dilated(input, 1, outputs = m, kernel = k)
      expect_rank(net, params(net) - (length(net$layers) - 2))
    }
  })
})

test_that("a single-channel dilated stack has rank L + 1 and the profile of its closed form", {
  for (L in 3:5) {
    net <- initialise(arch_dilated(2^L, filters = 1), seed = L)
    taps <- matrix(coef(net)[seq_len(2 * L)], 2)
    a2 <- t(t(taps^2) / colSums(taps^2))
    # b_l is orthogonal to a_l, so its squares are those of a_l in reverse order.
    kappa <- vapply(seq_len(2^L) - 1, function(j) {
      bit <- cbind(1 + (j %/% 2^(seq_len(L) - 1)) %% 2, seq_len(L))
      a <- a2[bit]
      b <- a2[cbind(3 - bit[, 1], bit[, 2])]
      prod(a) + sum(vapply(seq_len(L), \(l) b[[l]] * prod(a[-l]), 1))
    }, 1)
    k <- capacity(net)
    expect_identical(attr(k, "total"), L + 1)
    expect_equal(k$capacity, kappa, tolerance = 1e-10)
  }
})

test_that("a dilated stack with kernel 2 has the rank of its tensor train", {
  over_sequences(function(input, n, channels, m) {
    depth <- floor(log2(n))
    for (w in list(1, 2, 3, rep_len(c(4, 1, 3), depth))) {
      net <- arch_dilated(input, w, outputs = m)
      expect_rank(net, tensor_train(rep_len(w, depth), rep(2, depth), channels, m))
    }
  })
  # The widest useful stack for one output has full capacity on every input.
  expect_rank(arch_dilated(16, c(2, 4, 2, 1)), 16)
})

test_that("with single filters skips add one to the rank for every layer but the last two", {
  for (L in 2:6) expect_rank(arch_dilated(2^L, filters = 1, skip = TRUE), 2 * L - 1)
  expect_rank(arch_dilated(13, filters = 1, skip = TRUE), 2 * 3 - 1)
})

# ---- arch_separable ------------------------------------------------------------------------------

forward_separable <- function(x, draw, w, k, m) {
  for (f in w) {
    x <- slow_conv(x, draw(c(dim(x)[[1]], 1, extents(x, k))), depthwise = TRUE)
    x <- slow_conv(x, draw(c(f, dim(x)[[1]], 1, 1)))
  }
  slow_read(x, draw, m)
}

test_that("arch_separable() filters each channel and then mixes channels", {
  over_sequences(function(input, n, channels, m) {
    for (w in list(c(2, 2), c(3, 1, 2))) {
      net <- arch_separable(input, w, kernel = 4, depth = length(w), outputs = m)
      before <- c(channels, w[-length(w)])
      expect_identical(params(net), sum(before * (4 + w)) + m * w[[length(w)]])
      expect_sees(net, 3 * length(w) + 1)
      expect_weights(net, forward_separable, w, 4, m)
    }
  })
  over_grids(function(input, extent, channels, m) {
    net <- arch_separable(input, c(2, 3), kernel = c(2, 3), outputs = m)
    expect_identical(params(net), channels * (6 + 2) + 2 * (6 + 3) + m * 3 * prod(extent - c(2, 4)))
    expect_weights(net, forward_separable, 2:3, c(2, 3), m)
  })
})

test_that("the rank of one separable layer is that of a low-rank mixing plus one scaled filter per channel", {
  for (m in 1:3) for (C in 1:4) for (w in 1:3) for (k in 2:3) {
    r <- min(w, m, C)
    expect_rank(arch_separable(input_sequence(8, C), w, k, depth = 1, outputs = m), r * (m + C - r) + C * (k - 1))
  }
})

# ---- arch_residual -------------------------------------------------------------------------------

padding_of <- function(x) if (dim(x)[[2]] == 1) "causal" else "same"

forward_residual <- function(x, draw, w, blocks, k, scale, m) {
  x <- slow_conv(x, draw(c(w, dim(x)[[1]], 1, 1)))
  for (i in seq_len(blocks)) x <- x + scale * slow_conv(x, draw(c(w, w, extents(x, k))), padding = padding_of(x))
  slow_read(x, draw, m)
}

test_that("arch_residual() has the documented size, and its receptive field grows with every block", {
  over_sequences(function(input, n, channels, m) {
    for (blocks in c(1, 3, 9)) {
      w <- if (blocks == 3) 3 else 2
      net <- arch_residual(input, w, blocks, kernel = 3, scale = 0.5, outputs = m)
      expect_identical(params(net), channels * w + blocks * 3 * w^2 + m * w)
      expect_sees(net, min(n, 2 * blocks + 1))
      scales <- vapply(net$layers[1 + seq_len(blocks)], \(layer) layer$scale, 1)
      expect_identical(scales, rep(0.5, blocks))
      if (blocks < 9) expect_weights(net, forward_residual, w, blocks, 3, 0.5, m)
    }
  })
  over_grids(function(input, extent, channels, m) {
    net <- arch_residual(input, 2, blocks = 2, kernel = c(3, 2), scale = -0.5, outputs = m)
    expect_identical(params(net), channels * 2 + 2 * 6 * 4 + m * prod(extent) * 2)
    expect_weights(net, forward_residual, 2, 2, c(3, 2), -0.5, m)
  })
})

test_that("the rank of a residual stack is the size of its receptive field", {
  # one channel, one output, any number of filters
  for (blocks in c(2, 4, 9)) for (filters in 1:2) {
    net <- initialise(arch_residual(16, filters, blocks = blocks), seed = 2)
    sees <- min(16, 2 * blocks + 1)
    expect_equal(capacity(net)$capacity, rep(0:1, c(16 - sees, sees)), tolerance = 1e-10)
  }
})

test_that("with scale = 0 only the newest input has capacity", {
  net <- initialise(arch_residual(16, filters = 2, blocks = 3, scale = 0), seed = 1)
  expect_equal(capacity(net)$capacity, rep(0:1, c(15, 1)), tolerance = 1e-12)
})

# ---- arch_densenet -------------------------------------------------------------------------------

forward_densenet <- function(x, draw, w, k, m) {
  for (f in w) {
    new <- slow_conv(x, draw(c(f, dim(x)[[1]], extents(x, k))), padding = padding_of(x))
    both <- array(0, c(dim(x)[[1]] + f, dim(x)[2:3]))
    both[seq_len(dim(x)[[1]]), , ] <- x
    both[dim(x)[[1]] + seq_len(f), , ] <- new
    x <- both
  }
  slow_read(x, draw, m)
}

test_that("in arch_densenet() each layer reads all earlier layers", {
  over_sequences(function(input, n, channels, m) {
    for (w in list(c(1, 1, 1), c(2, 1), c(1, 3))) {
      net <- arch_densenet(input, w, kernel = 3, depth = length(w), outputs = m)
      seen <- channels + cumsum(c(0, w))
      expect_identical(params(net), 3 * sum(seen[seq_along(w)] * w) + m * seen[[length(seen)]])
      expect_sees(net, 2 * length(w) + 1)
      expect_weights(net, forward_densenet, w, 3, m)
    }
  })
  over_grids(function(input, extent, channels, m) {
    net <- arch_densenet(input, 2, kernel = 2, depth = 2, outputs = m)
    expect_identical(params(net), 4 * 2 * (channels + channels + 2) + m * prod(extent) * (channels + 4))
    expect_weights(net, forward_densenet, c(2, 2), 2, m)
  })
})

test_that("the rank of a densely connected stack is the size of its receptive field", {
  # one channel, one output, any number of filters
  for (depth in c(2, 4, 8)) for (filters in 1:2) {
    expect_rank(arch_densenet(16, filters, depth = depth), min(16, 2 * depth + 1), seeds = 1)
    expect_rank(arch_densenet(9, filters, kernel = 2, depth = depth), min(9, depth + 1), seeds = 2)
  }
})

# ---- all -----------------------------------------------------------------------------------------

test_that("convolutional presets can be trained", {
  expect_trains(arch_conv(12, kernel = 3))
  expect_trains(arch_conv(input_grid(5, 5), kernel = 2))
  expect_trains(arch_dilated(12))
  expect_trains(arch_dilated(12, skip = TRUE))
  expect_trains(arch_dilated(input_grid(5, 5), kernel = 3))
  expect_trains(arch_dilated(16, c(2, 4, 2, 1)), to = 0.1) # full rank
  expect_trains(arch_separable(12))
  expect_trains(arch_separable(input_grid(5, 5), kernel = 2))
  expect_trains(arch_residual(12))
  expect_trains(arch_residual(12, blocks = 6), to = 0.1)
  expect_trains(arch_residual(input_grid(4, 4), blocks = 1), to = 0.1)
  expect_trains(arch_densenet(12, depth = 2))
  expect_trains(arch_densenet(12, depth = 6), to = 0.1)
  expect_trains(arch_densenet(input_grid(4, 4), depth = 1), to = 0.1)
})

test_that("bad sizes are refused by class", {
  texts <- c(
    bad(arch_conv(16, filters = 0), "value"),
    bad(arch_conv(16, filters = "2"), "type"),
    bad(arch_conv(16, filters = c(1, 2, 3), depth = 2), "shape"),
    bad(arch_conv(16, filters = c(1, NA)), "value"),
    bad(arch_conv(16, kernel = 0), "value"),
    bad(arch_conv(16, depth = 0), "value"),
    bad(arch_conv(8, kernel = 5), "shape"),
    bad(arch_conv(input_grid(4, 8), kernel = c(5, 2)), "shape"),
    bad(arch_dilated(16, filters = c(1, 2)), "shape"),
    bad(arch_dilated(16, filters = 1.5), "value"),
    bad(arch_dilated(16, kernel = 1), "value"),
    bad(arch_dilated(input_grid(8, 8), kernel = c(2, 3)), "value"),
    bad(arch_dilated(16, kernel = 17), "shape"),
    bad(arch_dilated(16, skip = NA), "value"),
    bad(arch_dilated(input_grid(8, 8), skip = TRUE), "value"),
    bad(arch_dilated(16, filters = 0, skip = TRUE), "value"),
    bad(arch_separable(16, filters = c(1, 2, 3)), "shape"),
    bad(arch_separable(16, filters = -1), "value"),
    bad(arch_separable(16, depth = 0.5), "value"),
    bad(arch_separable(8, kernel = 5), "shape"),
    bad(arch_residual(16, blocks = 0), "value"),
    bad(arch_residual(16, filters = c(1, 2)), "value"),
    bad(arch_residual(16, kernel = 17), "shape"),
    bad(arch_residual(16, scale = Inf), "value"),
    bad(arch_densenet(16, filters = 0), "value"),
    bad(arch_densenet(16, filters = 1:3), "shape"),
    bad(arch_densenet(16, depth = NULL), "value"),
    bad(arch_densenet(16, kernel = 17), "shape")
  )
  expect_snapshot(writeLines(texts))
})
