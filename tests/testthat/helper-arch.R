# Helpers of the tests of presets: sizes, ranks, and the architectures written as loops.

params <- function(net) sum(summary(net)$parameters)

total <- function(net) attr(capacity(net), "total")

# Returns the sum over layers of k_l w_(l-1) w_l: `w` starts with the channels of the input, k is recycled.
conv_params <- function(w, k) sum(k * w[-length(w)] * w[-1])

# Returns the positions before each layer of a stack that divides them by `by` down to one.
shrinking <- function(n, by) {
  positions <- integer()
  while (n > 1) {
    positions <- c(positions, n)
    n <- n %/% min(by, n)
  }
  positions
}

# Returns the positions at which the effective weights of some channel and output are nonzero.
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

# Runs `test` on sequences of even and odd length, with one channel and two, for one output and two.
over_sequences <- function(test) {
  cases <- expand.grid(n = c(16, 13), channels = 1:2, outputs = 1:2)
  for (i in seq_len(nrow(cases))) {
    n <- cases$n[[i]]
    channels <- cases$channels[[i]]
    test(input_sequence(n, channels), n, channels, cases$outputs[[i]])
  }
}

# The same for grids.
over_grids <- function(test) {
  cases <- data.frame(height = c(8, 7, 5), width = c(8, 5, 9), channels = c(1, 2, 1), outputs = c(1, 2, 2))
  for (i in seq_len(nrow(cases))) {
    do.call(function(height, width, channels, outputs) {
      test(input_grid(height, width, channels), c(height, width), channels, outputs)
    }, cases[i, ])
  }
}

# Expects that the generic rank of networks with these seeds is `rank`.
expect_rank <- function(net, rank, seeds = 1:2) {
  for (seed in seeds) expect_identical(total(initialise(net, seed = seed)), as.double(rank))
}

# Returns the dimension of the set of matrix-product tensors: w is reduced to the ranks that both sides of a bond allow.
tensor_train <- function(w, taps, channels, outputs) {
  depth <- length(w)
  r <- c(channels, w, outputs)
  for (l in seq_len(depth)) r[[l + 1]] <- min(r[[l + 1]], taps[[l]] * r[[l]])
  for (l in rev(seq_len(depth))) r[[l + 1]] <- min(r[[l + 1]], c(taps, 1)[[l + 1]] * r[[l + 2]])
  inner <- r[seq_len(depth) + 1]
  sum(taps * r[seq_len(depth)] * inner) + outputs * inner[[depth]] - sum(inner^2)
}

# Expects that training lowers the loss |W - w|^2 plus noise, which depends on every input, to `to` if given.
expect_trains <- function(net, to = NULL) {
  n <- prod(net$input$shape)
  w <- sin(seq_len(n)) / sqrt(n)
  task <- task_moments(diag(n), cbind(w), sum(w^2) + 0.1)
  start <- initialise(net, seed = 1)
  trained <- suppressWarnings(fit(start, task, seed = 1), classes = "capalloc_warning")
  loss <- function(net) sum((effective_weights(net) - w)^2) + 0.1
  expect_lt(trained$loss, loss(start))
  expect_lt(trained$loss, sum(w^2) + 0.1)
  expect_equal(trained$loss, loss(trained$network), tolerance = 1e-8)
  if (!is.null(to)) expect_equal(trained$loss, to, tolerance = 1e-8)
}

# ---- architectures as loops ----------------------------------------------------------------------
# A signal is an array (channels x rows x columns); a sequence has one row. `draw(dim)` returns the next coefficients as
# an array.

# Returns the effective weights of a network as forward(unit input, draw, ...), column by column.
slow_weights <- function(net, forward, ...) {
  columns <- vapply(seq_len(prod(net$input$shape)), function(j) {
    x <- array(0, net$input$shape)
    x[[j]] <- 1
    at <- 0
    draw <- function(dim) {
      force(dim) # `dim` may contain a call of draw()
      at <<- at + prod(dim)
      array(net$coef[at - prod(dim) + seq_len(prod(dim))], dim)
    }
    attr(draw, "grid") <- net$input$kind == "grid"
    y <- forward(x, draw, ...)
    stopifnot(at == length(net$coef))
    c(y)
  }, numeric(prod(net$layers[[length(net$layers)]]$out_shape)))
  matrix(columns, ncol = prod(net$input$shape))
}

expect_weights <- function(net, forward, ...) {
  net <- initialise(net, seed = 1)
  W <- unname(effective_weights(net))
  expect_gt(max(abs(W)), 1e-6)
  expect_equal(W, slow_weights(net, forward, ...), tolerance = 1e-10)
}

slow_dense <- function(x, draw, m) array(draw(c(m, length(x))) %*% c(x), c(m, 1, 1))

slow_last <- function(x) x[, , dim(x)[[3]], drop = FALSE]

# Reads a sequence at its newest position and a grid at all positions.
slow_read <- function(x, draw, m) slow_dense(if (attr(draw, "grid")) x else slow_last(x), draw, m)

# Returns the position that tap j of output u reads along one dimension (outputs x taps).
slow_meets <- function(n, k, stride, dilation, padding) {
  span <- (k - 1) * dilation + 1
  outputs <- if (padding == "valid") (n - span) %/% stride + 1 else ceiling(n / stride)
  # The last tap of the last output reads the newest position.
  meets <- outer(seq_len(outputs), seq_len(k), \(u, j) n - (outputs - u) * stride - (k - j) * dilation)
  missing <- (outputs - 1) * stride + span - n
  if (padding == "same" && missing > 0) meets <- meets + floor(missing / 2)
  meets
}

# `kernel` is an array (filters x channels x rows x columns), and with `local` also x output rows x output columns.
slow_conv <- function(x, kernel, stride = 1, dilation = 1, padding = "valid", local = FALSE,
                      depthwise = FALSE) {
  stride <- rep_len(stride, 2)
  rows <- if (dim(x)[[2]] == 1) matrix(1) else slow_meets(dim(x)[[2]], dim(kernel)[[3]], stride[[1]], dilation, padding)
  columns <- slow_meets(dim(x)[[3]], dim(kernel)[[4]], stride[[2]], dilation, padding)
  y <- array(0, c(dim(kernel)[[1]], nrow(rows), nrow(columns)))
  for (u in seq_len(nrow(rows))) for (v in seq_len(nrow(columns))) {
    for (a in seq_len(ncol(rows))) for (b in seq_len(ncol(columns))) {
      i <- rows[u, a]
      j <- columns[v, b]
      if (i < 1 || i > dim(x)[[2]] || j < 1 || j > dim(x)[[3]]) next
      for (f in seq_len(dim(kernel)[[1]])) {
        weights <- if (local) kernel[f, , a, b, u, v] else kernel[f, , a, b]
        y[f, u, v] <- y[f, u, v] + if (depthwise) weights * x[f, i, j] else sum(weights * x[, i, j])
      }
    }
  }
  y
}

# Returns the rows and columns of a kernel for x; on a sequence the kernel has one row.
extents <- function(x, k) {
  if (dim(x)[[2]] == 1) c(1, k[[length(k)]]) else rep_len(k, 2)
}

# The same, limited to the positions of x.
cut_extents <- function(x, k) pmin(extents(x, k), dim(x)[2:3])
