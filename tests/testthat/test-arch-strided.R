# Hierarchical and U-shaped presets: sizes and ranks compared with the formulas of ?arch_strided, weights with loops.

# Returns the taps of each layer of a tree that shrinks an extent by `stride` down to one position.
tree_taps <- function(extent, kernel, stride = kernel) {
  each <- lapply(extent, \(n) pmin(kernel, shrinking(n, stride)))
  depth <- max(lengths(each))
  Reduce(`*`, lapply(each, \(k) c(k, rep(1, depth - length(k)))))
}

# Returns the number of positions after each layer of such a tree.
tree_positions <- function(extent, kernel) {
  each <- lapply(extent, \(n) c(shrinking(n, kernel)[-1], 1))
  depth <- max(lengths(each))
  Reduce(`*`, lapply(each, \(k) c(k, rep(1, depth - length(k)))))
}

forward_tree <- function(x, draw, w, k, m, local = FALSE) {
  for (f in w) {
    kernel <- cut_extents(x, k)
    places <- dim(x)[2:3] %/% kernel
    weights <- draw(c(f, dim(x)[[1]], kernel, if (local) places))
    x <- slow_conv(x, weights, stride = kernel, local = local)
  }
  slow_dense(x, draw, m)
}

# ---- arch_strided --------------------------------------------------------------------------------

test_that("the receptive field of arch_strided() grows by the factor of its kernel down to one position", {
  over_sequences(function(input, n, channels, m) {
    for (kernel in c(2, 3, 4)) {
      k <- pmin(kernel, shrinking(n, kernel))
      for (filters in list(2, rev(seq_along(k)))) {
        w <- c(channels, rep_len(filters, length(k)))
        net <- arch_strided(input, filters, kernel = kernel, outputs = m)
        # The kernel of the last layers is no longer than the remaining positions.
        expect_identical(params(net), conv_params(w, k) + m * w[[length(w)]])
        expect_sees(net, prod(k))
        expect_weights(net, forward_tree, w[-1], kernel, m)
      }
    }
  })
  over_grids(function(input, extent, channels, m) {
    for (kernel in 2:3) {
      k <- tree_taps(extent, kernel)
      w <- c(channels, seq_along(k))
      net <- arch_strided(input, w[-1], kernel = kernel, outputs = m)
      expect_identical(params(net), conv_params(w, k) + m * w[[length(w)]])
      expect_weights(net, forward_tree, w[-1], kernel, m)
    }
  })
})

test_that("a strided pair of layers has the rank of a low-rank matrix", {
  for (w in 1:4) {
    # Weights as a matrix (taps of layer 1 x taps of layer 2) have rank w, so the capacity is w (4 + 4 - w).
    expect_identical(total(initialise(arch_strided(16, w), seed = 1)), w * (8 - w))
  }
})

test_that("a strided tree has the rank of its tensor train", {
  over_sequences(function(input, n, channels, m) {
    for (kernel in c(2, 4)) {
      k <- tree_taps(n, kernel)
      for (w in list(1, 2, 3, rep_len(c(4, 1, 2), length(k)))) {
        rank <- tensor_train(rep_len(w, length(k)), k, channels, m)
        expect_rank(arch_strided(input, w, kernel, outputs = m), rank)
        expect_rank(arch_hierarchical(input, w, kernel, shared = TRUE, outputs = m), rank, seeds = 3)
      }
    }
  })
  over_grids(function(input, extent, channels, m) {
    k <- tree_taps(extent, 2)
    for (w in 1:2) {
      rank <- tensor_train(rep(w, length(k)), k, channels, m)
      expect_rank(arch_strided(input, w, 2, outputs = m), rank)
    }
    # One filter per layer: one redundant scale per layer.
    single <- arch_strided(input, 1, 2, outputs = m)
    expect_rank(single, params(single) - length(k))
  })
})

# ---- arch_pooled ---------------------------------------------------------------------------------

forward_pooled <- function(x, draw, w, k, m) {
  for (f in w) {
    x <- slow_conv(x, draw(c(f, dim(x)[[1]], cut_extents(x, k))), padding = "same")
    size <- pmin(2, dim(x)[2:3])
    mean <- array(1 / prod(size), c(f, 1, size))
    x <- slow_conv(x, mean, stride = size, depthwise = TRUE)
  }
  slow_dense(x, draw, m)
}

test_that("arch_pooled() halves its positions down to one and reads all inputs", {
  over_sequences(function(input, n, channels, m) {
    for (kernel in 1:3) {
      k <- pmin(kernel, shrinking(n, 2))
      for (filters in list(2, seq_along(k))) {
        w <- c(channels, rep_len(filters, length(k)))
        net <- arch_pooled(input, filters, kernel = kernel, outputs = m)
        expect_identical(params(net), conv_params(w, k) + m * w[[length(w)]])
        expect_identical(rev(summary(net)$output)[[2]], paste(w[[length(w)]], "x 1"))
        # With one tap the receptive field is that of the pools, which do not read leftover positions.
        expect_sees(net, if (kernel == 1) 2^length(k) else n)
        expect_weights(net, forward_pooled, w[-1], kernel, m)
      }
    }
  })
  over_grids(function(input, extent, channels, m) {
    k <- tree_taps(extent, 3, 2)
    w <- c(channels, rep(2, length(k)))
    net <- arch_pooled(input, 2, kernel = 3, outputs = m)
    expect_identical(params(net), conv_params(w, k) + m * 2)
    expect_weights(net, forward_pooled, w[-1], 3, m)
  })
})

# ---- arch_hierarchical ---------------------------------------------------------------------------

test_that("arch_hierarchical() has separate weights in every window", {
  over_sequences(function(input, n, channels, m) {
    for (kernel in 2:3) {
      k <- tree_taps(n, kernel)
      places <- tree_positions(n, kernel)
      w <- c(channels, rep_len(c(2, 1, 3), length(k)))
      net <- arch_hierarchical(input, w[-1], kernel, outputs = m)
      expect_identical(params(net), conv_params(w, k * places) + m * w[[length(w)]])
      expect_sees(net, prod(k))
      expect_weights(net, forward_tree, w[-1], kernel, m, local = TRUE)
    }
  })
  over_grids(function(input, extent, channels, m) {
    k <- tree_taps(extent, 2)
    net <- arch_hierarchical(input, 2, outputs = m)
    w <- c(channels, rep(2, length(k)))
    expect_identical(params(net), conv_params(w, k * tree_positions(extent, 2)) + m * 2)
    expect_weights(net, forward_tree, w[-1], 2, m, local = TRUE)
  })
})

test_that("arch_hierarchical(shared = TRUE) is arch_strided()", {
  expect_identical(arch_hierarchical(13, 2:4, kernel = 2, shared = TRUE), arch_strided(13, 2:4, kernel = 2))
})

test_that("an unshared tree has full capacity on its receptive field", {
  for (n in c(13, 16)) for (kernel in 2:4) {
    sees <- prod(tree_taps(n, kernel))
    for (w in 1:2) expect_rank(arch_hierarchical(input_sequence(n, 2), w, kernel), 2 * sees)
    # With a single filter everywhere the outputs are proportional to each other.
    for (m in 2:3) expect_rank(arch_hierarchical(n, 1, kernel, outputs = m), sees + m - 1)
  }
  over_grids(function(input, extent, channels, m) {
    sees <- prod(tree_taps(extent, 2))
    expect_rank(arch_hierarchical(input, 2), channels * sees)
    if (channels == 1) expect_rank(arch_hierarchical(input, 1, outputs = m), sees + m - 1)
  })
})

# ---- arch_unet -----------------------------------------------------------------------------------

forward_unet <- function(x, draw, w, k, m) {
  conv <- function(x, f, stride = 1) {
    slow_conv(x, draw(c(f, dim(x)[[1]], cut_extents(x, k))), stride = pmin(stride, dim(x)[2:3]), padding = "same")
  }
  # All convolutions of the way down, then those of the way up, the last level first.
  x <- conv(x, w[[1]])
  here <- list(x)
  for (l in seq_along(w)[-1]) {
    x <- conv(x, w[[l]], stride = 2)
    here[[l]] <- x
  }
  for (l in rev(seq_along(w))[-1]) {
    kept <- here[[l]]
    both <- array(0, c(dim(kept)[[1]] + dim(x)[[1]], dim(kept)[2:3]))
    from <- lapply(2:3, \(d) rep(seq_len(dim(x)[[d]]), each = 2))
    from <- Map(\(i, n) i[length(i) - n + seq_len(n)], from, dim(kept)[2:3])
    both[seq_len(dim(kept)[[1]]), , ] <- kept
    both[dim(kept)[[1]] + seq_len(dim(x)[[1]]), , ] <- x[, from[[1]], from[[2]]]
    x <- conv(both, w[[l]])
  }
  slow_read(x, draw, m)
}

unet_params <- function(extent, channels, w, k, m) {
  sizes <- lapply(seq_along(w), \(l) ceiling(extent / 2^(l - 1)))
  taps <- vapply(sizes, \(n) prod(pmin(k, n)), 1)
  above <- w[-length(w)]
  read <- if (length(extent) == 1) 1 else prod(extent)
  taps[[1]] * channels * w[[1]] + sum(taps[seq_along(above)] * above * (above + 2 * w[-1])) + m * read * w[[1]]
}

test_that("arch_unet() goes down and up again, for any length", {
  over_sequences(function(input, n, channels, m) {
    for (w in list(c(2, 2), c(1, 3, 2))) for (k in 2:3) {
      net <- arch_unet(input, w, depth = length(w) - 1, kernel = k, outputs = m)
      expect_identical(params(net), unet_params(n, channels, w, k, m))
      expect_weights(net, forward_unet, w, k, m)
    }
  })
  over_grids(function(input, extent, channels, m) {
    w <- c(2, 1, 2)
    net <- arch_unet(input, w, outputs = m)
    expect_identical(params(net), unet_params(extent, channels, w, 3, m))
    expect_weights(net, forward_unet, w, 3, m)
  })
  expect_weights(arch_unet(input_grid(2, 9), 1, depth = 4), forward_unet, rep(1, 5), 3, 1)
  expect_weights(arch_unet(13, c(2, 1, 1, 1, 1), depth = 4), forward_unet, c(2, 1, 1, 1, 1), 3, 1)
})

test_that("arch_unet() concatenates the outputs of each level on the way down", {
  net <- arch_unet(7, c(2, 3, 4), depth = 2)
  rows <- summary(net)
  expect_identical(rows$output, c("2 x 7", "5 x 7", "3 x 4", "7 x 4", "4 x 2", "4 x 4", "3 x 4", "3 x 7",
    "2 x 7", "2 x 1", "1 x 1"))
  expect_identical(rows$depth, c(0L, 0L, 1L, 1L, 2L, 2L, 1L, 1L, 0L, 0L, 0L))
})

# ---- all -----------------------------------------------------------------------------------------

test_that("strided presets can be trained", {
  expect_trains(arch_strided(16))
  expect_trains(arch_strided(input_grid(4, 4), kernel = 2))
  expect_trains(arch_pooled(12))
  expect_trains(arch_pooled(input_grid(4, 4)))
  expect_trains(arch_hierarchical(16), to = 0.1)
  expect_trains(arch_hierarchical(16, shared = TRUE))
  expect_trains(arch_hierarchical(input_grid(4, 4)), to = 0.1)
  expect_trains(arch_unet(12))
  expect_trains(arch_unet(input_grid(4, 4)), to = 0.1)
})

test_that("a tree over one position has one tap", {
  expect_identical(params(arch_strided(1, 1)), 2)
  expect_identical(params(arch_pooled(1, 1)), 2)
  expect_identical(params(arch_hierarchical(input_grid(1, 1), 1)), 2)
})

test_that("bad sizes are refused by class", {
  texts <- c(
    bad(arch_strided(16, kernel = 1), "value"),
    bad(arch_strided(16, filters = numeric()), "shape"),
    bad(arch_strided(16, filters = c(0, 1)), "value"),
    bad(arch_strided(input_grid(4, 4), kernel = c(2, 2)), "value"),
    bad(arch_pooled(16, kernel = 0), "value"),
    bad(arch_pooled(16, filters = rep(1, 5)), "shape"),
    bad(arch_pooled(16, filters = 2.5), "value"),
    bad(arch_hierarchical(16, kernel = 1), "value"),
    bad(arch_hierarchical(16, filters = c(1, 2)), "shape"),
    bad(arch_hierarchical(16, shared = "no"), "value"),
    bad(arch_hierarchical(16, shared = NULL), "value"),
    bad(arch_unet(16, filters = 0), "value"),
    bad(arch_unet(16, filters = c(1, 2)), "shape"),
    bad(arch_unet(16, depth = 0), "value"),
    bad(arch_unet(16, depth = 5), "shape"),
    bad(arch_unet(input_grid(3, 2), depth = 3), "shape"),
    bad(arch_unet(16, kernel = c(3, 3)), "value"),
    bad(arch_unet(16, kernel = NA), "value"),
    bad(arch_unet(input_vector(16)), "shape"),
    bad(arch_strided(input_vector(16)), "shape")
  )
  expect_snapshot(writeLines(texts))
})
