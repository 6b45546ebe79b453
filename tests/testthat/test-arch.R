# Presets: their sizes by the formulas of ?architectures, what they see and the ranks that theory
# gives them; sets of them at one budget.

params <- function(net) sum(summary(net)$parameters)

# sum over layers of k_l w_(l-1) w_l: `w` begins with the channels of the input, k is recycled.
conv_params <- function(w, k) sum(k * w[-length(w)] * w[-1])

# Positions before each layer of a stack that divides them by `by` (never below one) down to one.
shrinking <- function(n, by) {
  positions <- integer()
  while (n > 1) {
    positions <- c(positions, n)
    n <- n %/% min(by, n)
  }
  positions
}

# Positions on which the effective weights of some channel and output are not zero.
seen <- function(net, seed = 1) {
  W <- effective_weights(initialise(net, seed = seed))
  shape <- net$input$shape
  range(ceiling(which(colSums(abs(W)) > 0) / shape[[1]]))
}

expect_sees <- function(net, size) {
  n <- net$input$shape[[3]]
  rows <- receptive_field(net)
  expect_identical(rows$size[[nrow(rows)]], as.integer(size))
  expect_identical(rows$to[[nrow(rows)]], n)
  expect_equal(seen(net), c(n - size + 1, n))
}

grid <- expand.grid(n = c(16, 13), channels = 1:2, outputs = 1:2)

over_grid <- function(test) {
  for (i in seq_len(nrow(grid))) {
    test(input_sequence(grid$n[[i]], grid$channels[[i]]), grid$n[[i]], grid$channels[[i]],
      grid$outputs[[i]])
  }
}

test_that("arch_dense() has one weight per input and output, and sees all", {
  over_grid(function(input, n, channels, m) {
    net <- arch_dense(input, outputs = m)
    expect_identical(params(net), m * channels * n)
    expect_sees(net, n)
    # a free linear model: every dependency is modelled
    expect_equal(capacity(initialise(net, seed = 1))$capacity, rep(m, n * channels),
      tolerance = 1e-12)
  })
})

test_that("arch_conv() has the documented size and sees the recent past", {
  over_grid(function(input, n, channels, m) {
    for (filters in list(2, c(3, 1), c(1, 2, 2))) {
      depth <- max(length(filters), 2)
      w <- c(channels, rep_len(filters, depth))
      net <- arch_conv(input, filters, kernel = 4, depth = depth, outputs = m)
      expect_identical(params(net), conv_params(w, 4) + m * w[[depth + 1]])
      expect_sees(net, 3 * depth + 1)
    }
  })
})

test_that("arch_dilated() doubles what it sees with every layer", {
  over_grid(function(input, n, channels, m) {
    depth <- floor(log2(n))
    for (filters in list(1, 3, rep_len(c(2, 1, 3), depth))) {
      w <- c(channels, rep_len(filters, depth))
      net <- arch_dilated(input, filters, outputs = m)
      expect_identical(params(net), conv_params(w, 2) + m * w[[depth + 1]])
      expect_sees(net, 2^depth)
    }
  })
})

test_that("arch_strided() multiplies what it sees by its kernel, to one position", {
  over_grid(function(input, n, channels, m) {
    for (kernel in c(2, 3, 4)) {
      k <- pmin(kernel, shrinking(n, kernel))
      for (filters in list(2, rev(seq_along(k)))) {
        w <- c(channels, rep_len(filters, length(k)))
        net <- arch_strided(input, filters, kernel = kernel, outputs = m)
        # the kernel of the last layers is no longer than what is left
        expect_identical(params(net), conv_params(w, k) + m * w[[length(w)]])
        expect_sees(net, prod(k))
      }
    }
  })
})

test_that("arch_pooled() halves its positions down to one and sees all", {
  over_grid(function(input, n, channels, m) {
    for (kernel in 1:3) {
      k <- pmin(kernel, shrinking(n, 2))
      for (filters in list(2, seq_along(k))) {
        w <- c(channels, rep_len(filters, length(k)))
        net <- arch_pooled(input, filters, kernel = kernel, outputs = m)
        expect_identical(params(net), conv_params(w, k) + m * w[[length(w)]])
        expect_identical(rev(summary(net)$output)[[2]], paste(w[[length(w)]], "x 1"))
        # one tap reaches no further than the pools, which drop what is left over
        expect_sees(net, if (kernel == 1) 2^length(k) else n)
      }
    }
  })
})

test_that("arch_recurrent() has the documented size and sees all", {
  over_grid(function(input, n, channels, m) {
    for (u in c(1, 4)) {
      elman <- arch_recurrent(input, u, outputs = m)
      diagonal <- arch_recurrent(input, u, "diagonal", outputs = m)
      expect_identical(params(elman), u * (channels + m) + u^2)
      expect_identical(params(diagonal), u * (channels + m) + u)
      expect_sees(elman, n)
      expect_sees(diagonal, n)
    }
  })
})

test_that("arch_residual() has the documented size and sees a kernel more with every block", {
  over_grid(function(input, n, channels, m) {
    for (blocks in c(1, 3, 9)) {
      w <- if (blocks == 3) 3 else 2
      net <- arch_residual(input, w, blocks, kernel = 3, scale = 0.5, outputs = m)
      expect_identical(params(net), channels * w + blocks * 3 * w^2 + m * w)
      expect_sees(net, min(n, 2 * blocks + 1))
      scales <- vapply(net$layers[1 + seq_len(blocks)], \(layer) layer$scale, 1)
      expect_identical(scales, rep(0.5, blocks))
    }
  })
})

test_that("a length is an input of one channel, and layers can be added on both sides", {
  expect_identical(arch_dilated(16), arch_dilated(input_sequence(16)))
  begun <- input_sequence(16) |> layer_pool(2)
  expect_identical(nrow(summary(arch_conv(begun, kernel = 2))), 5L)
  expect_identical(params(arch_dense(input_vector(5), outputs = 3)), 15)
  net <- arch_recurrent(16, units = 2) |> layer_dense(2)
  expect_identical(params(net), 2 * 2 + 4 + 2)
})

test_that("a bias is one more parameter per output and an (Intercept)", {
  builders <- list(
    arch_dense, arch_conv, arch_dilated, arch_strided, arch_pooled, arch_recurrent, arch_residual
  )
  for (arch in builders) {
    with <- arch(13, outputs = 2, bias = TRUE)
    expect_identical(params(with), params(arch(13, outputs = 2)) + 2)
    k <- capacity(initialise(with, seed = 1))
    expect_identical(k$input[[14]], "(Intercept)")
    # the constant is free: each output's own
    expect_equal(k$capacity[[14]], 2, tolerance = 1e-10)
  }
})

# ---- ranks ---------------------------------------------------------------------------------------

total <- function(net) attr(capacity(net), "total")

test_that("a stack of shared filters has the rank of what it sees, and nothing elsewhere", {
  for (filters in 1:2) {
    net <- initialise(arch_conv(16, filters, kernel = 4, depth = 2), seed = filters)
    # products of polynomials without a common zero: all coefficients are free
    expect_equal(capacity(net)$capacity, rep(0:1, c(9, 7)), tolerance = 1e-10)
  }
})

test_that("a single-channel dilated stack has rank L + 1, and the profile of its closed form", {
  for (L in 3:5) {
    net <- initialise(arch_dilated(2^L, filters = 1), seed = L)
    taps <- matrix(coef(net)[seq_len(2 * L)], 2)
    a2 <- t(t(taps^2) / colSums(taps^2))
    # b_l is orthogonal to a_l: its squares are a_l's, swapped
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

test_that("a strided pair of layers has the rank of a low-rank matrix", {
  for (w in 1:4) {
    # weights (tap of layer 1 x tap of layer 2) of rank w: w (4 + 4 - w)
    expect_identical(total(initialise(arch_strided(16, w), seed = 1)), w * (8 - w))
  }
})

test_that("recurrences with u states have rank 2u", {
  for (u in 1:3) {
    states <- c(0.9, -0.6, 0.3)[seq_len(u)]
    diagonal <- arch_recurrent(16, u, "diagonal") |> set_coef(c(1:u, states, u:1))
    expect_identical(total(diagonal), 2 * u)
    # a generic elman cell is one of those in another basis, whose u^2 entries change nothing
    basis <- diag(u) + 0.3 * upper.tri(diag(u)) - 0.2 * lower.tri(diag(u))
    A <- basis %*% diag(states, u) %*% solve(basis)
    elman <- arch_recurrent(16, u) |> set_coef(c(1:u, A, u:1))
    expect_identical(total(elman), 2 * u)
  }
  # two equal states are one, and its derivative is lost with it
  equal <- arch_recurrent(16, 2, "diagonal") |> set_coef(c(1, 2, 0.5, 0.5, 2, 1))
  expect_identical(total(equal), 2)
})

test_that("a single-channel residual stack has the rank of what it sees", {
  for (blocks in c(2, 4)) {
    net <- initialise(arch_residual(16, filters = 1, blocks = blocks), seed = 2)
    expect_equal(capacity(net)$capacity, rep(0:1, c(15 - 2 * blocks, 2 * blocks + 1)),
      tolerance = 1e-10)
  }
})

test_that("scale = 0 leaves the newest input alone", {
  net <- initialise(arch_residual(16, filters = 2, blocks = 3, scale = 0), seed = 1)
  expect_equal(capacity(net)$capacity, rep(0:1, c(15, 1)), tolerance = 1e-12)
})

# ---- sets ----------------------------------------------------------------------------------------

eight <- c("dense", "conv", "dilated", "strided", "pooled", "residual", "elman", "diagonal")

# The set and, by name, the counts that its warning gives for those left out.
set_and_warning <- function(...) {
  message <- ""
  set <- withCallingHandlers(classical_architectures(...), capalloc_warning_budget = function(w) {
    message <<- gsub("\\s+", " ", conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  found <- regmatches(message, gregexpr("[a-z]+ \\([0-9]+\\)", message))[[1]]
  counts <- as.numeric(gsub("\\D", "", found))
  list(set = set, left_out = stats::setNames(counts, sub(" .*", "", found)))
}

test_that("classical_architectures(64) has all eight", {
  expect_warning(nets <- classical_architectures(64), NA)
  expect_identical(class(nets), "list")
  expect_identical(names(nets), eight)
  expect_identical(params(nets$dense), 64)
  for (net in nets) expect_identical(net$input, input_sequence(64)$input)
  expect_identical(nets$elman, arch_recurrent(64, 7, "elman"))
  expect_identical(nets$diagonal, arch_recurrent(64, 21, "diagonal"))
})

test_that("sets are within 10% of the budget, and what is left out is named", {
  cases <- list(c(8, 8), c(9, 9), c(16, 16), c(24, 24), c(31, 31), c(50, 50), c(64, 16), c(64, 40),
    c(100, 100))
  for (case in cases) {
    made <- set_and_warning(case[[1]], budget = case[[2]])
    counts <- vapply(made$set, params, 1)
    expect_true(all(abs(counts - case[[2]]) <= 0.1 * case[[2]]))
    expect_true(all(abs(made$left_out - case[[2]]) > 0.1 * case[[2]]))
    expect_setequal(c(names(counts), names(made$left_out)), eight)
    expect_identical(length(counts) + length(made$left_out), 8L)
    expect_identical("dense" %in% names(counts), abs(case[[1]] - case[[2]]) <= 0.1 * case[[2]])
    # nothing is left out for want of a closer size among those with one number to choose
    for (cell in intersect(c("elman", "diagonal"), names(made$left_out))) {
      u <- 1:200
      sizes <- if (cell == "elman") 2 * u + u^2 else 3 * u
      expect_identical(min(abs(sizes - case[[2]])), abs(made$left_out[[cell]] - case[[2]]))
    }
  }
})

test_that("those left out are said", {
  expect_warning(set <- classical_architectures(16, budget = 100), "dense \\(16\\)",
    class = "capalloc_warning_budget")
  expect_false("dense" %in% names(set))
  expect_identical(set_and_warning(16, budget = 100)$left_out[["dense"]], 16)
})

test_that("bias = TRUE adds one parameter and an intercept to each", {
  with <- set_and_warning(16, bias = TRUE)
  without <- set_and_warning(16)
  expect_identical(names(with$set), names(without$set))
  for (name in names(with$set)) {
    net <- with$set[[name]]
    expect_identical(params(net), params(without$set[[name]]) + 1)
    W <- effective_weights(set_coef(net, rep(c(0.5, 7), c(params(net) - 1, 1))))
    expect_identical(W[1, "(Intercept)"], c(`(Intercept)` = 7))
    no_bias <- set_coef(without$set[[name]], rep(0.5, params(net) - 1))
    expect_equal(W[, 1:16], effective_weights(no_bias)[1, ], tolerance = 1e-14)
  }
})

test_that("every network of a set is ready to train", {
  task <- classical_tasks(16)$sparse
  for (net in set_and_warning(16)$set) {
    trained <- suppressWarnings(fit(net, task, seed = 1), classes = "capalloc_warning")
    expect_lt(trained$loss, 1) # some of the task's variance, 1, is explained
  }
})

# ---- bad arguments -------------------------------------------------------------------------------

test_that("bad inputs are refused by class", {
  texts <- c(
    bad(arch_dense("a"), "type"),
    bad(arch_conv(NULL), "type"),
    bad(arch_dilated(0), "value"),
    bad(arch_strided(c(8, 16)), "value"),
    bad(arch_pooled(8.5), "value"),
    bad(arch_recurrent(NA_real_), "value"),
    bad(arch_residual(classical_tasks(8)$ar), "type"),
    bad(arch_conv(input_vector(8)), "shape")
  )
  expect_snapshot(writeLines(texts))
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
    bad(arch_dilated(16, filters = c(1, 2)), "shape"),
    bad(arch_dilated(16, filters = 1.5), "value"),
    bad(arch_strided(16, kernel = 1), "value"),
    bad(arch_strided(16, filters = numeric()), "shape"),
    bad(arch_pooled(16, kernel = 0), "value"),
    bad(arch_pooled(16, filters = rep(1, 5)), "shape"),
    bad(arch_recurrent(16, units = 0), "value"),
    bad(arch_recurrent(16, cell = "rnn"), "value"),
    bad(arch_residual(16, blocks = 0), "value"),
    bad(arch_residual(16, filters = c(1, 2)), "value"),
    bad(arch_residual(16, kernel = 17), "shape"),
    bad(arch_residual(16, scale = Inf), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("the number of outputs is named as the user wrote it", {
  for (arch in list(arch_dense, arch_conv, arch_dilated, arch_recurrent)) {
    expect_match(bad(arch(16, outputs = 0), "value"), "`outputs`")
  }
})

test_that("a bad bias is refused by every architecture", {
  builders <- list(
    arch_dense, arch_conv, arch_dilated, arch_strided, arch_pooled, arch_recurrent, arch_residual
  )
  for (arch in builders) {
    expect_error(arch(16, bias = NA), class = "capalloc_error_value")
    expect_error(arch(16, bias = "yes"), "`bias`", class = "capalloc_error_value")
  }
})

test_that("bad sets are refused by class", {
  texts <- c(
    bad(classical_architectures(7), "value"),
    bad(classical_architectures("64"), "value"),
    bad(classical_architectures(64, budget = 0), "value"),
    bad(classical_architectures(64, budget = NULL), "value"),
    bad(classical_architectures(64, bias = NA), "value")
  )
  expect_snapshot(writeLines(texts))
})
