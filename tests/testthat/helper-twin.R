# The twin: a slow, obvious interpreter of linear networks, against which the
# package is tested. It walks the tree of layers itself and works padding out
# from the words of the documentation, so it shares no code with the package.
# Every function also takes complex weights, which gives exact derivatives.

# A reader of theta that hands out its entries in order, as arrays.
twin_tape <- function(theta) {
  used <- 0
  list(
    take = function(dim) {
      values <- theta[used + seq_len(prod(dim))]
      used <<- used + prod(dim)
      array(values, dim)
    },
    is_spent = function() used == length(theta)
  )
}

# x is N x n, one row per observation, columns channel-fastest then position;
# the result is N x m in the same order.
twin_predict <- function(network, x, theta = network$coef) {
  channels <- network$input$shape[[1L]]
  tape <- twin_tape(theta)
  y <- twin_run(network$layers, array(x, c(nrow(x), channels, ncol(x) / channels)), tape)
  stopifnot(tape$is_spent())
  matrix(y, nrow(x))
}

# Tensors are observations x channels x positions.
twin_run <- function(layers, x, tape) {
  for (layer in layers) x <- twin_layer(layer, x, tape)
  x
}

twin_layer <- function(layer, x, tape) {
  switch(layer$kind,
    dense = twin_dense(layer, x, tape),
    conv = twin_conv(layer, x, tape),
    pool = twin_pool(layer, x),
    recurrent = twin_recurrent(layer, x, tape),
    residual = x + layer$scale * twin_run(layer$blocks[[1L]], x, tape),
    parallel = twin_parallel(layer, x, tape),
    last = x[, , dim(x)[[3L]], drop = FALSE],
    flatten = array(x, c(dim(x)[[1L]], prod(dim(x)[-1L]), 1L)),
    stop("The twin does not know the layer ", layer$kind)
  )
}

# One position of a tensor: observations x channels.
twin_at <- function(x, position) matrix(x[, , position], dim(x)[[1L]])

# Adds a layer's bias, where it has one, to the rows of observations x units.
twin_add_bias <- function(y, bias) if (is.null(bias)) y else y + rep(bias, each = nrow(y))

twin_take_bias <- function(layer, tape) {
  if (is.null(layer$params$bias)) NULL else tape$take(layer$params$bias)
}

twin_dense <- function(layer, x, tape) {
  weight <- tape$take(layer$params$weight)
  bias <- twin_take_bias(layer, tape)
  y <- matrix(x, dim(x)[[1L]]) %*% t(weight)
  array(twin_add_bias(y, bias), c(dim(y), 1L))
}

# The position that tap k of output u meets (outputs x taps), some of them
# outside 1..n. Counted backwards from the newest tap of the newest output,
# which meets position n, or a padded one after it.
twin_windows <- function(n, kernel, stride, dilation, padding) {
  span <- (kernel - 1) * dilation + 1
  outputs <- if (padding == "valid") floor((n - span) / stride) + 1 else ceiling(n / stride)
  total <- max((outputs - 1) * stride + span - n, 0)
  after <- if (padding == "same") floor(total / 2) else 0
  outer(seq_len(outputs), seq_len(kernel), function(u, k) {
    n + after - (outputs - u) * stride - (kernel - k) * dilation
  })
}

# Filters see only the channels of their own group: elsewhere the tap is zero.
twin_full_kernel <- function(kernel, channels, groups) {
  filters <- dim(kernel)[[1L]]
  full <- array(kernel[[1L]] * 0, c(filters, channels, dim(kernel)[[3L]]))
  for (f in seq_len(filters)) {
    group <- ceiling(f / (filters / groups))
    for (c in seq_len(channels / groups)) {
      full[f, (group - 1) * (channels / groups) + c, ] <- kernel[f, c, ]
    }
  }
  full
}

twin_conv <- function(layer, x, tape) {
  kernel <- twin_full_kernel(tape$take(layer$params$kernel), dim(x)[[2L]], layer$groups)
  bias <- twin_take_bias(layer, tape)
  meets <- twin_windows(dim(x)[[3L]], layer$kernel, layer$stride, layer$dilation, layer$padding)
  y <- array(kernel[[1L]] * 0, c(dim(x)[[1L]], dim(kernel)[[1L]], nrow(meets)))
  for (u in seq_len(nrow(meets))) {
    total <- twin_at(y, u)
    for (k in seq_len(ncol(meets))) {
      if (meets[u, k] < 1 || meets[u, k] > dim(x)[[3L]]) next
      taps <- matrix(kernel[, , k], dim(kernel)[[1L]])
      total <- total + twin_at(x, meets[u, k]) %*% t(taps)
    }
    y[, , u] <- twin_add_bias(total, bias)
  }
  y
}

twin_pool <- function(layer, x) {
  meets <- twin_windows(dim(x)[[3L]], layer$size, layer$stride, 1, "valid")
  y <- array(x[[1L]] * 0, c(dim(x)[1:2], nrow(meets)))
  for (u in seq_len(nrow(meets))) {
    for (position in meets[u, ]) y[, , u] <- y[, , u] + x[, , position] / layer$size
  }
  y
}

twin_recurrent <- function(layer, x, tape) {
  input <- tape$take(layer$params$input)
  recurrent <- tape$take(layer$params$recurrent)
  if (layer$cell == "diagonal") recurrent <- diag(c(recurrent), nrow(input))
  bias <- twin_take_bias(layer, tape)
  state <- matrix(input[[1L]] * 0, dim(x)[[1L]], nrow(input))
  y <- array(state[[1L]], c(dim(state), dim(x)[[3L]]))
  for (position in seq_len(dim(x)[[3L]])) {
    state <- state %*% t(recurrent) + twin_at(x, position) %*% t(input)
    state <- twin_add_bias(state, bias)
    y[, , position] <- state
  }
  if (layer$output == "last") y[, , dim(x)[[3L]], drop = FALSE] else y
}

twin_parallel <- function(layer, x, tape) {
  outputs <- lapply(layer$blocks, function(block) twin_run(block, x, tape))
  if (layer$merge == "sum") return(Reduce(`+`, outputs))
  channels <- vapply(outputs, function(y) dim(y)[[2L]], 0L)
  y <- array(outputs[[1L]][[1L]] * 0, c(dim(x)[[1L]], sum(channels), dim(outputs[[1L]])[[3L]]))
  for (i in seq_along(outputs)) {
    y[, sum(channels[seq_len(i - 1L)]) + seq_len(channels[[i]]), ] <- outputs[[i]]
  }
  y
}

twin_has_bias <- function(layers) {
  any(vapply(layers, function(layer) {
    "bias" %in% names(layer$params) || any(vapply(layer$blocks, twin_has_bias, NA))
  }, NA))
}

# W, m x n, or m x (n + 1) with the intercept last: the outputs at the unit
# vectors, less the output at zero.
twin_weights <- function(network, theta = network$coef) {
  n <- prod(network$input$shape)
  y <- t(twin_predict(network, rbind(diag(n), 0), theta))
  weights <- y[, seq_len(n), drop = FALSE] - y[, n + 1L]
  if (twin_has_bias(network$layers)) cbind(weights, y[, n + 1L]) else weights
}

# d vec(W) / d theta by complex steps: no difference is taken, so a step of
# 1e-20 gives the derivative to rounding.
twin_tangent <- function(network, theta = network$coef) {
  columns <- lapply(seq_along(theta), function(k) {
    Im(c(twin_weights(network, theta + 1e-20i * (seq_along(theta) == k)))) / 1e-20
  })
  matrix(unlist(columns), ncol = length(theta))
}

# The same by central differences of any function of theta.
central_tangent <- function(weights, theta, step = 1e-5) {
  columns <- lapply(seq_along(theta), function(k) {
    move <- step * (seq_along(theta) == k)
    c(weights(theta + move) - weights(theta - move)) / (2 * step)
  })
  matrix(unlist(columns), ncol = length(theta))
}

# The number of the layer that each entry of theta belongs to, depth first.
twin_theta_layer <- function(network) {
  owner <- integer()
  count <- 0L
  walk <- function(layers) {
    for (layer in layers) {
      count <<- count + 1L
      owner <<- c(owner, rep(count, sum(vapply(layer$params, prod, 0))))
      for (block in layer$blocks) walk(block)
    }
  }
  walk(network$layers)
  owner
}

# Columns of unit norm; those that are rounding beside their own layer are zero.
twin_unit_columns <- function(tangent, layer) {
  norms <- sqrt(colSums(tangent^2))
  largest <- ave(norms, layer, FUN = max)
  keep <- norms > 0 & norms >= 10 * max(dim(tangent)) * .Machine$double.eps * largest
  sweep(tangent, 2L, ifelse(keep, 1 / ifelse(norms > 0, norms, 1), 0), `*`)
}

# Eigenvalues that are rounding are zero: their roots would not be small.
twin_root <- function(sigma) {
  e <- eigen(sigma, symmetric = TRUE)
  values <- ifelse(e$values > 1e-13 * e$values[[1L]], e$values, 0)
  e$vectors %*% (sqrt(values) * t(e$vectors))
}

# Capacity of each input by the full SVD: kappa, total and the evidence. `sigma`
# (with the constant, where there is an intercept) gives the metric of the loss.
twin_capacity <- function(tangent, m, tol = NULL, ridge = 0, layer = rep(1, ncol(tangent)),
                          sigma = NULL) {
  if (!is.null(sigma)) tangent <- kronecker(twin_root(sigma), diag(m)) %*% tangent
  if (is.null(tol)) tol <- 10 * max(dim(tangent)) * .Machine$double.eps
  s <- svd(twin_unit_columns(tangent, layer))
  rank_at <- function(tol) sum(s$d > tol * max(s$d, 0) & s$d > 0)
  weight <- if (ridge > 0) s$d^2 / (s$d^2 + ridge * s$d[[1L]]^2) else seq_along(s$d) <= rank_at(tol)
  leverage <- c(s$u^2 %*% weight)
  list(
    kappa = colSums(matrix(leverage, m)), total = sum(weight), rank = rank_at(tol), values = s$d,
    rank_low = rank_at(10 * tol), rank_high = rank_at(tol / 10), tol = tol
  )
}

twin_network_capacity <- function(network, ..., keep = TRUE) {
  tangent <- twin_tangent(network)
  layer <- twin_theta_layer(network)
  keep <- rep_len(keep, length(layer))
  m <- nrow(twin_weights(network))
  twin_capacity(tangent[, keep, drop = FALSE], m, ..., layer = layer[keep])
}

# Single-channel filters of two taps with dilations 1, 2, 4, ..: the closed form
# for each input, the oldest first. `taps` is a list of pairs.
twin_dilated_capacity <- function(taps) {
  a <- lapply(taps, function(t) t^2 / sum(t^2))
  b <- lapply(a, rev) # the squares of a unit vector orthogonal to (a1, a2)
  bits <- lapply(seq_along(taps), function(l) (seq_len(2^length(taps)) - 1) %/% 2^(l - 1) %% 2 + 1)
  share <- function(of) Reduce(`*`, Map(function(v, bit) v[bit], of, bits))
  kappa <- share(a)
  for (l in seq_along(taps)) kappa <- kappa + share(replace(a, l, b[l]))
  kappa
}

# The filter with these roots as a polynomial in the shift; a root at 0 is a zero
# first tap, a root at infinity a zero last tap.
filter_with_roots <- function(roots) {
  taps <- 1
  for (root in roots) {
    factor <- if (is.infinite(root)) c(1, 0) else c(-root, 1)
    taps <- c(taps * factor[[1L]], 0) + c(0, taps * factor[[2L]])
  }
  taps
}

# Degree of the least common multiple of polynomials given by their roots.
twin_lcm_degree <- function(roots) {
  distinct <- unique(unlist(roots))
  sum(vapply(distinct, function(z) max(vapply(roots, function(r) sum(r == z), 0L)), 0L))
}
