# Recurrent presets: sizes and ranks compared with the formulas of ?arch_recurrent, weights with loops.

# Returns the states at all positions (states x 1 x positions) for x (channels x 1 x positions).
slow_recurrence <- function(x, draw, u, cell) {
  B <- draw(c(u, dim(x)[[1]]))
  A <- if (cell == "diagonal") diag(c(draw(u)), u) else draw(c(u, u))
  states <- array(0, c(u, 1, dim(x)[[3]]))
  h <- numeric(u)
  for (t in seq_len(dim(x)[[3]])) {
    h <- A %*% h + B %*% x[, 1, t]
    states[, 1, t] <- h
  }
  states
}

forward_recurrent <- function(x, draw, u, cell, m) {
  for (units in u) x <- slow_recurrence(x, draw, units, cell)
  slow_dense(slow_last(x), draw, m)
}

# Returns the network with memories far enough apart for a clear rank, and random other weights.
with_memories <- function(net, seed = 1) {
  net <- initialise(net, seed = seed)
  coefs <- coef(net)
  memories <- grepl("recurrent\\[[0-9]+\\]$", names(coefs))
  coefs[memories] <- rep_len(c(0.9, -0.7, 0.4, -0.3, 0.65, -0.9), sum(memories))
  set_coef(net, unname(coefs))
}

cells <- c("elman", "diagonal")

test_that("arch_recurrent() has the documented size and reads all inputs", {
  over_sequences(function(input, n, channels, m) {
    for (u in c(1, 4)) for (cell in cells) {
      net <- arch_recurrent(input, u, cell, outputs = m)
      expect_identical(params(net), u * (channels + m) + if (cell == "elman") u^2 else u)
      expect_sees(net, n)
      expect_weights(net, forward_recurrent, u, cell, m)
    }
  })
})

test_that("recurrences can be stacked", {
  over_sequences(function(input, n, channels, m) {
    for (u in list(2, c(3, 1, 2))) for (cell in cells) {
      depth <- max(2, length(u))
      net <- arch_recurrent(input, u, cell, outputs = m, depth = depth)
      w <- c(channels, rep_len(u, depth))
      own <- if (cell == "elman") sum(w[-1]^2) else sum(w[-1])
      expect_identical(params(net), conv_params(w, 1) + own + m * w[[depth + 1]])
      expect_sees(net, n)
      expect_weights(net, forward_recurrent, w[-1], cell, m)
    }
  })
  expect_identical(summary(arch_recurrent(9, c(2, 3), depth = 2))$output, c("2 x 9", "3 x 1", "1 x 1"))
})

test_that("arch_conv_recurrent() runs a recurrence over the outputs of a convolution", {
  forward <- function(x, draw, w, k, u, cell, stride, m) {
    x <- slow_conv(x, draw(c(w, dim(x)[[1]], 1, k)), stride = c(1, stride))
    slow_dense(slow_last(slow_recurrence(x, draw, u, cell)), draw, m)
  }
  over_sequences(function(input, n, channels, m) {
    for (cell in cells) for (stride in c(1, 2, 3)) {
      net <- arch_conv_recurrent(input, 2, 3, 4, cell, stride = stride, outputs = m)
      expect_identical(params(net), 3 * channels * 2 + 4 * 2 + (if (cell == "elman") 16 else 4) + m * 4)
      expect_sees(net, 3 + stride * ((n - 3) %/% stride))
      expect_weights(net, forward, 2, 3, 4, cell, stride, m)
    }
  })
  # By default windows do not overlap.
  expect_identical(arch_conv_recurrent(16, kernel = 3), arch_conv_recurrent(16, kernel = 3, stride = 3))
})

test_that("recurrences with u states have rank 2u", {
  for (u in 1:3) {
    states <- c(0.9, -0.6, 0.3)[seq_len(u)]
    diagonal <- arch_recurrent(16, u, "diagonal") |> set_coef(c(1:u, states, u:1))
    expect_identical(total(diagonal), 2 * u)
    # A generic elman cell is a diagonal cell in another basis; the u^2 entries of the basis add no capacity.
    basis <- diag(u) + 0.3 * upper.tri(diag(u)) - 0.2 * lower.tri(diag(u))
    A <- basis %*% diag(states, u) %*% solve(basis)
    elman <- arch_recurrent(16, u) |> set_coef(c(1:u, A, u:1))
    expect_identical(total(elman), 2 * u)
  }
  # Two equal states act as one, and the derivative with respect to their difference vanishes.
  equal <- arch_recurrent(16, 2, "diagonal") |> set_coef(c(1, 2, 0.5, 0.5, 2, 1))
  expect_identical(total(equal), 2)
})

test_that("with one channel and one output the rank is min(n, 2u)", {
  for (cell in cells) for (n in c(3, 5, 16)) for (u in 1:4) for (seed in 1:2) {
    expect_identical(total(with_memories(arch_recurrent(n, u, cell), seed)), min(n, 2 * u))
  }
})

test_that("with C channels and m outputs the rank is u (C + m) for n >= 2u", {
  for (cell in cells) for (u in 1:3) for (n in c(2 * u, 2 * u + 5)) for (C in 1:3) for (m in 1:2) {
    net <- arch_recurrent(input_sequence(n, C), u, cell, outputs = m)
    expect_identical(total(with_memories(net)), as.double(u * (C + m)))
  }
})

test_that("a stack of recurrences has the rank of a rational function", {
  for (cell in cells) for (n in c(6, 24)) for (u in list(1, c(1, 1, 1), c(2, 2), c(2, 1, 2), c(3, 2), c(2, 3))) {
    for (seed in 1:2) {
      net <- with_memories(arch_recurrent(n, u, cell, depth = length(u)), seed)
      expect_identical(total(net), min(n, 1 + sum(2 * u - 1)))
    }
  }
})

test_that("a filter of k taps before a recurrence adds k - 1 to the rank", {
  for (cell in cells) for (n in c(8, 20)) for (u in 1:3) for (k in 2:3) for (stride in c(1, k)) {
    net <- with_memories(arch_conv_recurrent(n, 1, k, u, cell, stride = stride), seed = u)
    positions <- (n - k) %/% stride + 1
    expect_identical(total(net), k - 1 + min(positions, 2 * u))
  }
})

test_that("recurrent presets can be trained", {
  for (cell in cells) {
    expect_trains(arch_recurrent(12, 2, cell))
    expect_trains(arch_recurrent(12, 2, cell, depth = 2))
    expect_trains(arch_conv_recurrent(12, 2, 3, 2, cell))
  }
})

test_that("bad sizes are refused by class", {
  texts <- c(
    bad(arch_recurrent(16, units = 0), "value"),
    bad(arch_recurrent(16, units = "4"), "type"),
    bad(arch_recurrent(16, units = c(1, 2)), "shape"),
    bad(arch_recurrent(16, units = c(1, 2, 3), depth = 2), "shape"),
    bad(arch_recurrent(16, units = c(1, NA), depth = 2), "value"),
    bad(arch_recurrent(16, depth = 0), "value"),
    bad(arch_recurrent(16, cell = "rnn"), "value"),
    bad(arch_recurrent(input_grid(4, 4)), "shape"),
    bad(arch_recurrent(input_vector(4)), "shape"),
    bad(arch_conv_recurrent(16, filters = c(1, 2)), "value"),
    bad(arch_conv_recurrent(16, kernel = 17), "shape"),
    bad(arch_conv_recurrent(16, stride = 0), "value"),
    bad(arch_conv_recurrent(16, units = 1.5), "value"),
    bad(arch_conv_recurrent(16, cell = NA), "value"),
    bad(arch_conv_recurrent(input_grid(4, 4)), "shape")
  )
  expect_snapshot(writeLines(texts))
})
