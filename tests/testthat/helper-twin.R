# The twin: a slow, simple interpreter of networks, with which the package is compared. It walks the tree of layers and
# computes padding from the documentation, so it shares no code with the package. Every function also accepts complex
# weights and inputs, which gives exact derivatives.

# Returns a reader that returns consecutive entries of theta as arrays.
twin_tape <- function(theta) {
  used <- 0
  marks <- list()
  list(
    take = function(dim) {
      values <- theta[used + seq_len(prod(dim))]
      used <<- used + prod(dim)
      array(values, dim)
    },
    mark = function(name) marks[[name]] <<- used,
    replay = function(name, run) {
      after <- used
      used <<- marks[[name]]
      on.exit(used <<- after)
      run()
    },
    is_spent = function() used == length(theta)
  )
}

# x is N x n, one row per observation, columns channel-fastest, then by
# position (on a grid down the columns); the result is N x m in the same order.
twin_predict <- function(network, x, theta = network$coef) {
  tape <- twin_tape(theta)
  y <- twin_run(network$layers, array(x, c(nrow(x), network$input$shape)), tape)
  stopifnot(tape$is_spent())
  matrix(y, nrow(x))
}

# Tensors are observations x channels x rows x columns. A sequence has one row, and a vector has its channels at one
# position.
twin_run <- function(layers, x, tape) {
  for (layer in layers) x <- twin_layer(layer, x, tape)
  x
}

twin_layer <- function(layer, x, tape) {
  switch(layer$kind,
    dense = twin_dense(layer, x, tape),
    conv = twin_conv(layer, x, tape),
    local = twin_conv(layer, x, tape),
    pool = twin_pool(layer, x),
    upsample = twin_upsample(layer, x),
    activation = twin_activate(layer$activation, x, layer$parameter),
    recurrent = twin_recurrent(layer, x, tape),
    residual = x + layer$scale * twin_run(layer$blocks[[1L]], x, tape),
    parallel = twin_parallel(layer, x, tape),
    affine = twin_affine(layer, x, tape),
    prelu = {
      slope <- rep(tape$take(layer$params$slope), each = dim(x)[[1L]])
      x * ifelse_like(Re(x) > 0, 1 + 0 * x, array(slope, dim(x)))
    },
    crop = twin_crop(x, lapply(layer$ends, `-`)),
    pad = twin_crop(x, layer$ends),
    conv_transpose = twin_conv_transpose(layer, x, tape),
    shared = twin_shared(layer, x, tape),
    last = x[, , , dim(x)[[4L]], drop = FALSE],
    flatten = array(x, c(dim(x)[[1L]], prod(dim(x)[-1L]), 1L, 1L)),
    stop("The twin does not know the layer ", layer$kind)
  )
}

twin_affine <- function(layer, x, tape) {
  y <- x * rep(tape$take(layer$params$scale), each = dim(x)[[1L]])
  bias <- twin_take_bias(layer, tape)
  if (is.null(bias)) y else y + rep(bias, each = dim(x)[[1L]])
}

# Adds positions (or drops them, where negative) at both ends of rows and columns.
twin_crop <- function(x, ends) {
  if (length(ends) == 1L) ends <- c(list(c(0, 0)), ends)
  place <- function(n, pair) seq(1 - pair[[1L]], n + pair[[2L]])
  rows <- place(dim(x)[[3L]], ends[[1L]])
  columns <- place(dim(x)[[4L]], ends[[2L]])
  y <- array(0 * x[[1L]], c(dim(x)[1:2], length(rows), length(columns)))
  r <- rows >= 1 & rows <= dim(x)[[3L]]
  c <- columns >= 1 & columns <= dim(x)[[4L]]
  y[, , r, c] <- x[, , rows[r], columns[c]]
  y
}

# Adds the contribution of each input position and tap to the uncropped output.
twin_conv_transpose <- function(layer, x, tape) {
  kernel <- twin_full_kernel(tape$take(layer$params$kernel), dim(x)[[2L]], layer$groups)
  kernel <- array(kernel, c(dim(kernel)[1:2], twin_both(layer$kernel)))
  bias <- twin_take_bias(layer, tape)
  s <- twin_both(layer$stride)
  d <- twin_both(layer$dilation)
  size <- (dim(x)[3:4] - 1) * s + (dim(kernel)[3:4] - 1) * d + 1
  y <- array(kernel[[1L]] * x[[1L]] * 0, c(dim(x)[[1L]], dim(kernel)[[1L]], size))
  for (i in seq_len(dim(x)[[3L]])) for (j in seq_len(dim(x)[[4L]])) {
    for (k in seq_len(dim(kernel)[[3L]])) for (l in seq_len(dim(kernel)[[4L]])) {
      at <- c((i - 1) * s[[1L]] + (k - 1) * d[[1L]], (j - 1) * s[[2L]] + (l - 1) * d[[2L]]) + 1
      taps <- matrix(kernel[, , k, l], dim(kernel)[[1L]])
      y[, , at[[1L]], at[[2L]]] <- y[, , at[[1L]], at[[2L]]] + twin_at(x, i, j) %*% t(taps)
    }
  }
  if (!is.null(bias)) y <- y + rep(bias, each = dim(x)[[1L]])
  twin_crop(y, lapply(layer$crop, `-`))
}

twin_shared <- function(layer, x, tape) {
  if (!is.null(layer$reuse)) return(tape$replay(layer$name, function() twin_run(layer$reuse, x, tape)))
  tape$mark(layer$name)
  twin_run(layer$blocks[[1L]], x, tape)
}

# Returns one position of a tensor (observations x channels).
twin_at <- function(x, row, column) matrix(x[, , row, column], dim(x)[[1L]])

# Adds the bias of a layer, if it has one, to its outputs (observations x units).
twin_add_bias <- function(y, bias) if (is.null(bias)) y else y + rep(bias, each = nrow(y))

twin_take_bias <- function(layer, tape) {
  if (is.null(layer$params$bias)) NULL else tape$take(layer$params$bias)
}

twin_dense <- function(layer, x, tape) {
  weight <- tape$take(layer$params$weight)
  bias <- twin_take_bias(layer, tape)
  y <- matrix(x, dim(x)[[1L]]) %*% t(weight)
  array(twin_add_bias(y, bias), c(dim(y), 1L, 1L))
}

# Returns the position that tap k of output u reads (outputs x taps), which may lie outside 1..n. Positions are counted
# backwards from the newest tap of the newest output, which reads position n, or a padded one after it.
twin_windows <- function(n, kernel, stride, dilation, padding, align = "newest") {
  if (is.numeric(padding)) { # windows on the padded positions, then without the padding
    whole <- twin_windows(n + sum(padding), kernel, stride, dilation, "valid", align)
    return(whole - padding[[1L]])
  }
  if (identical(align, "oldest")) { # the mirror image
    mirror <- twin_windows(n, kernel, stride, dilation, padding)
    return(n + 1 - mirror[rev(seq_len(nrow(mirror))), rev(seq_len(ncol(mirror))), drop = FALSE])
  }
  span <- (kernel - 1) * dilation + 1
  outputs <- if (padding == "valid") floor((n - span) / stride) + 1 else ceiling(n / stride)
  total <- max((outputs - 1) * stride + span - n, 0)
  after <- if (padding == "same") floor(total / 2) else 0
  outer(seq_len(outputs), seq_len(kernel), function(u, k) {
    n + after - (outputs - u) * stride - (kernel - k) * dilation
  })
}

# Settings of rows and columns; a sequence has settings of columns only.
twin_both <- function(x) if (length(x) == 1L) c(1, x) else x

# Returns the windows of a layer over the rows and over the columns of its input.
twin_layer_windows <- function(layer, x, padding = layer$padding) {
  kernel <- twin_both(layer$kernel)
  stride <- twin_both(layer$stride)
  dilation <- twin_both(layer$dilation)
  pads <- if (is.list(padding)) padding else list(padding, padding)
  if (length(pads) == 1L) pads <- c("valid", pads)
  list(
    rows = twin_windows(dim(x)[[3L]], kernel[[1L]], stride[[1L]], dilation[[1L]], pads[[1L]], layer$align),
    columns = twin_windows(dim(x)[[4L]], kernel[[2L]], stride[[2L]], dilation[[2L]], pads[[2L]], layer$align)
  )
}

# Returns the kernel over all channels; the taps on channels outside a filter's group are zero. kernel: filters x
# channels of a group x any further dimensions.
twin_full_kernel <- function(kernel, channels, groups) {
  filters <- dim(kernel)[[1L]]
  rest <- dim(kernel)[-(1:2)]
  kernel <- array(kernel, c(dim(kernel)[1:2], prod(rest)))
  full <- array(kernel[[1L]] * 0, c(filters, channels, prod(rest)))
  for (f in seq_len(filters)) {
    group <- ceiling(f / (filters / groups))
    for (c in seq_len(channels / groups)) {
      full[f, (group - 1) * (channels / groups) + c, ] <- kernel[f, c, ]
    }
  }
  array(full, c(filters, channels, rest))
}

# Returns a kernel as filters x channels x row of tap x column of tap x row of output x column of output; a convolution
# has the same values at every output. The same for a bias.
twin_kernel_everywhere <- function(layer, kernel, places) {
  array(kernel, c(dim(kernel)[1:2], twin_both(layer$kernel), places))
}

twin_bias_everywhere <- function(bias, filters, places) {
  if (is.null(bias)) return(array(0, c(filters, places)))
  array(bias, c(filters, places))
}

# Convolutions and local layers.
twin_conv <- function(layer, x, tape) {
  kernel <- twin_full_kernel(tape$take(layer$params$kernel), dim(x)[[2L]], layer$groups)
  filters <- dim(kernel)[[1L]]
  meets <- twin_layer_windows(layer, x)
  places <- c(nrow(meets$rows), nrow(meets$columns))
  kernel <- twin_kernel_everywhere(layer, kernel, places)
  bias <- twin_bias_everywhere(twin_take_bias(layer, tape), filters, places)
  y <- array(kernel[[1L]] * 0, c(dim(x)[[1L]], filters, places))
  for (i in seq_len(places[[1L]])) for (j in seq_len(places[[2L]])) {
    y[, , i, j] <- twin_add_bias(twin_taps(x, kernel, meets, i, j), bias[, i, j])
  }
  y
}

# Returns the sum over the window of the output in row i and column j.
twin_taps <- function(x, kernel, meets, i, j) {
  rows <- meets$rows[i, ]
  columns <- meets$columns[j, ]
  total <- matrix(kernel[[1L]] * 0, dim(x)[[1L]], dim(kernel)[[1L]])
  for (k in which(rows >= 1 & rows <= dim(x)[[3L]])) {
    for (l in which(columns >= 1 & columns <= dim(x)[[4L]])) {
      taps <- matrix(kernel[, , k, l, i, j], dim(kernel)[[1L]])
      total <- total + twin_at(x, rows[[k]], columns[[l]]) %*% t(taps)
    }
  }
  total
}

twin_pool <- function(layer, x) {
  meets <- twin_layer_windows(layer, x, "valid")
  summary <- if (layer$type == "max") twin_largest else rowMeans
  y <- array(x[[1L]] * 0, c(dim(x)[1:2], nrow(meets$rows), nrow(meets$columns)))
  for (i in seq_len(nrow(meets$rows))) for (j in seq_len(nrow(meets$columns))) {
    window <- x[, , meets$rows[i, ], meets$columns[j, ], drop = FALSE]
    y[, , i, j] <- summary(matrix(window, prod(dim(x)[1:2])))
  }
  y
}

# Returns the largest entry of each row, the first of equal ones; complex numbers are compared by their real parts.
twin_largest <- function(x) x[cbind(seq_len(nrow(x)), apply(Re(x), 1L, which.max))]

# Repeats every row and column, and keeps the last ones.
twin_upsample <- function(layer, x) {
  factor <- twin_both(layer$factor)
  rows <- utils::tail(rep(seq_len(dim(x)[[3L]]), each = factor[[1L]]), layer$out_shape[[2L]])
  columns <- utils::tail(rep(seq_len(dim(x)[[4L]]), each = factor[[2L]]), layer$out_shape[[3L]])
  x[, , rows, columns, drop = FALSE]
}

# Activations by their textbook formulas. For complex numbers with a small imaginary part, the real part determines the
# side of a kink.
twin_activate <- function(name, u, parameter = 1) {
  positive <- Re(u) > 0
  logistic <- function(u) {
    small <- exp(u * (1 - 2 * (Re(u) > 0))) # exp(-|u|)
    ifelse_like(Re(u) > 0, 1 / (1 + small), small / (1 + small))
  }
  switch(name,
    identity = , linear = u,
    relu = u * positive,
    leaky_relu = u * (positive + parameter * !positive),
    elu = ifelse_like(positive, u, parameter * (exp(u * !positive) - 1)),
    gelu = u * (1 + twin_erf(u / sqrt(2))) / 2,
    silu = u * logistic(u),
    softplus = u * positive + log(1 + exp(u * (1 - 2 * positive))),
    sigmoid = logistic(u),
    tanh = 2 * logistic(2 * u) - 1,
    erf = twin_erf(u),
    sin = sin(parameter * u),
    abs = u * (positive - !positive),
    exp = exp(u),
    square = u^2,
    reciprocal = 1 / u,
    rsqrt = u^-0.5,
    selu = 1.0507009873554804934 * twin_activate("elu", u, 1.6732632423543772848),
    softsign = u / (1 + u * (positive - !positive)),
    relu6 = ifelse_like(Re(u) > 6, 6 + 0 * u, u * positive),
    hard_sigmoid = twin_activate("relu6", u + 3) / 6,
    hard_swish = u * twin_activate("relu6", u + 3) / 6,
    mish = {
      up <- (1 + exp(u))^2
      u * (up - 1) / (up + 1)
    },
    stop("The twin does not know the activation ", name)
  )
}

# ifelse() that keeps dimensions.
ifelse_like <- function(test, yes, no) {
  yes[!test] <- no[!test]
  yes
}

# For complex steps: erf(a + ib) ~ erf(a) + ib erf'(a).
twin_erf <- function(z) {
  value <- 2 * pnorm(sqrt(2) * Re(z)) - 1
  if (is.complex(z)) value + 2 / sqrt(pi) * exp(-Re(z)^2) * 1i * Im(z) else value
}

twin_recurrent <- function(layer, x, tape) {
  gates <- switch(layer$cell, lstm = 4, gru = 3, 1)
  units <- layer$params$input[[1L]]
  input <- array(tape$take(layer$params$input), c(units, dim(x)[[2L]], gates))
  recurrent <- tape$take(layer$params$recurrent)
  recurrent <- if (layer$cell == "diagonal") {
    array(diag(c(recurrent), units), c(units, units, 1))
  } else {
    array(recurrent, c(units, units, gates))
  }
  bias <- twin_take_bias(layer, tape)
  bias <- if (is.null(bias)) matrix(0, units, gates) else matrix(bias, units, gates)
  hidden <- if (is.null(layer$params$recurrent_bias)) NULL else tape$take(layer$params$recurrent_bias)
  hidden <- if (is.null(hidden)) matrix(0, units, gates) else matrix(hidden, units, gates)
  if (identical(layer$direction, "backward")) x <- x[, , , rev(seq_len(dim(x)[[4L]])), drop = FALSE]
  # A_g h + B_g x_t + b_g (observations x units)
  at <- function(g, h, now) {
    by <- function(weights, v) v %*% t(matrix(weights[, , g], units))
    after <- identical(layer$reset, "after")
    input_part <- by(input, now) + rep(bias[, g], each = nrow(now))
    if (!after) return(by(recurrent, h) + input_part)
    own <- rep(hidden[, g], each = nrow(now))
    if (is.list(h)) return(input_part + h$reset * (by(recurrent, h$state) + own))
    input_part + by(recurrent, h) + rep(hidden[, g], each = nrow(h))
  }
  f <- function(u) twin_activate(layer$activation, u, if (layer$activation == "leaky_relu") 0.01 else 1)
  gru <- if (identical(layer$reset, "after")) twin_gru_after else twin_gru
  step <- switch(layer$cell, lstm = twin_lstm, gru = gru, twin_elman)
  state <- list(h = matrix(0, dim(x)[[1L]], units), c = matrix(0, dim(x)[[1L]], units))
  y <- array(input[[1L]] * x[[1L]] * 0, c(dim(state$h), 1L, dim(x)[[4L]]))
  for (position in seq_len(dim(x)[[4L]])) {
    state <- step(state, at, twin_at(x, 1L, position), f)
    y[, , 1L, position] <- state$h
  }
  if (layer$output == "last") return(y[, , , dim(x)[[4L]], drop = FALSE])
  if (identical(layer$direction, "backward")) y[, , , rev(seq_len(dim(x)[[4L]])), drop = FALSE] else y
}

twin_elman <- function(state, at, now, f) list(h = f(at(1, state$h, now)))

twin_lstm <- function(state, at, now, f) {
  gate <- function(g) twin_activate("sigmoid", at(g, state$h, now))
  c <- gate(2) * state$c + gate(1) * f(at(3, state$h, now))
  list(h = gate(4) * f(c), c = c)
}

twin_gru <- function(state, at, now, f) {
  gate <- function(g) twin_activate("sigmoid", at(g, state$h, now))
  n <- f(at(3, gate(1) * state$h, now))
  list(h = (1 - gate(2)) * n + gate(2) * state$h)
}

twin_gru_after <- function(state, at, now, f) {
  gate <- function(g) twin_activate("sigmoid", at(g, state$h, now))
  n <- f(at(3, list(state = state$h, reset = gate(1)), now))
  list(h = (1 - gate(2)) * n + gate(2) * state$h)
}

twin_parallel <- function(layer, x, tape) {
  outputs <- lapply(layer$blocks, function(block) twin_run(block, x, tape))
  if (layer$merge == "sum") return(Reduce(`+`, outputs))
  if (layer$merge == "product") return(Reduce(`*`, outputs))
  channels <- vapply(outputs, function(y) dim(y)[[2L]], 0L)
  places <- dim(outputs[[1L]])[3:4]
  y <- array(outputs[[1L]][[1L]] * 0, c(dim(x)[[1L]], sum(channels), places))
  for (i in seq_along(outputs)) {
    y[, sum(channels[seq_len(i - 1L)]) + seq_len(channels[[i]]), , ] <- outputs[[i]]
  }
  y
}

twin_has_bias <- function(layers) {
  any(vapply(layers, function(layer) {
    "bias" %in% names(layer$params) || any(vapply(layer$blocks, twin_has_bias, NA))
  }, NA))
}

# Returns W (m x n), or m x (n + 1) with the intercept last: the outputs at the unit vectors minus the output at zero.
twin_weights <- function(network, theta = network$coef) {
  n <- prod(network$input$shape)
  y <- t(twin_predict(network, rbind(diag(n), 0), theta))
  weights <- y[, seq_len(n), drop = FALSE] - y[, n + 1L]
  if (twin_has_bias(network$layers)) cbind(weights, y[, n + 1L]) else weights
}

# Returns d vec(W) / d theta by complex steps. No difference is computed, so a step of 1e-20 gives the derivative up to
# rounding error.
twin_tangent <- function(network, theta = network$coef) {
  columns <- lapply(seq_along(theta), function(k) {
    Im(c(twin_weights(network, theta + 1e-20i * (seq_along(theta) == k)))) / 1e-20
  })
  matrix(unlist(columns), ncol = length(theta))
}

# Returns the same by central differences of any function of theta.
central_tangent <- function(weights, theta, step = 1e-5) {
  columns <- lapply(seq_along(theta), function(k) {
    move <- step * (seq_along(theta) == k)
    c(weights(theta + move) - weights(theta - move)) / (2 * step)
  })
  matrix(unlist(columns), ncol = length(theta))
}

# Returns for each entry of theta the number of its layer, depth first, or of its array within all layers.
twin_theta_layer <- function(network) twin_theta_owner(network)$layer
twin_theta_array <- function(network) twin_theta_owner(network)$array

twin_theta_owner <- function(network) {
  layer <- array <- integer()
  n_layers <- n_arrays <- 0L
  walk <- function(layers) {
    for (one in layers) {
      n_layers <<- n_layers + 1L
      for (dim in one$params) {
        n_arrays <<- n_arrays + 1L
        layer <<- c(layer, rep(n_layers, prod(dim)))
        array <<- c(array, rep(n_arrays, prod(dim)))
      }
      for (block in one$blocks) walk(block)
    }
  }
  walk(network$layers)
  list(layer = layer, array = array)
}

# Returns columns of unit norm; columns at rounding error of the largest of their array are set to zero.
twin_unit_columns <- function(tangent, array) {
  norms <- sqrt(colSums(tangent^2))
  largest <- ave(norms, array, FUN = max)
  keep <- norms > 0 & norms >= 10 * max(dim(tangent)) * .Machine$double.eps * largest
  sweep(tangent, 2L, ifelse(keep, 1 / ifelse(norms > 0, norms, 1), 0), `*`)
}

# Returns the root T of second moments sigma: A = P^(1/2) V^(1/2), or with the constant as the last coordinate [[A,
# 0], [mu', 1]] with P and V centred. Eigenvalues at rounding error are set to zero, since their roots are not small.
twin_root <- function(sigma, constant = FALSE) {
  n <- ncol(sigma) - constant
  mu <- if (constant) sigma[n + 1L, seq_len(n)] else numeric(n)
  sigma <- sigma[seq_len(n), seq_len(n), drop = FALSE] - tcrossprod(mu)
  sd <- sqrt(pmax(diag(sigma), 0))
  P <- sigma / tcrossprod(ifelse(sd > 0, sd, 1))
  e <- eigen(P, symmetric = TRUE)
  values <- ifelse(e$values > 1e-13 * e$values[[1L]], e$values, 0)
  A <- e$vectors %*% (sqrt(values) * t(e$vectors)) %*% diag(sd, n)
  if (constant) rbind(cbind(A, 0), c(mu, 1)) else A
}

# Returns the capacity of each input by the full SVD: kappa, total and the evidence. `sigma` (with the constant, where
# there is an intercept) selects the covariance metric.
twin_capacity <- function(tangent, m, tol = NULL, ridge = 0, array = rep(1, ncol(tangent)),
                          sigma = NULL, constant = FALSE) {
  if (!is.null(sigma)) tangent <- kronecker(twin_root(sigma, constant), diag(m)) %*% tangent
  if (is.null(tol)) tol <- 10 * max(dim(tangent)) * .Machine$double.eps
  s <- svd(twin_unit_columns(tangent, array))
  rank_at <- function(tol) sum(s$d > tol * max(s$d, 0) & s$d > 0)
  weight <- if (ridge > 0) s$d^2 / (s$d^2 + ridge * s$d[[1L]]^2) else seq_along(s$d) <= rank_at(tol)
  leverage <- c(s$u^2 %*% weight)
  list(
    kappa = colSums(matrix(leverage, m)), leverage = leverage, total = sum(weight), rank = rank_at(tol), values = s$d,
    rank_low = rank_at(10 * tol), rank_high = rank_at(tol / 10), tol = tol
  )
}

twin_network_capacity <- function(network, ..., keep = TRUE) {
  tangent <- twin_tangent(network)
  array <- twin_theta_array(network)
  keep <- rep_len(keep, length(array))
  m <- nrow(twin_weights(network))
  twin_capacity(tangent[, keep, drop = FALSE], m, ..., array = array[keep], constant = twin_has_bias(network$layers))
}

# Returns the closed form for single-channel filters of two taps with dilations 1, 2, 4, ..: the capacity of each input,
# the oldest first. `taps` is a list of pairs.
twin_dilated_capacity <- function(taps) {
  a <- lapply(taps, function(t) t^2 / sum(t^2))
  b <- lapply(a, rev) # the squares of a unit vector orthogonal to (a1, a2)
  bits <- lapply(seq_along(taps), function(l) (seq_len(2^length(taps)) - 1) %/% 2^(l - 1) %% 2 + 1)
  share <- function(of) Reduce(`*`, Map(function(v, bit) v[bit], of, bits))
  kappa <- share(a)
  for (l in seq_along(taps)) kappa <- kappa + share(replace(a, l, b[l]))
  kappa
}

# Returns the filter with these roots as a polynomial in the shift; a
# root at 0 is a zero first tap, a root at infinity a zero last tap.
filter_with_roots <- function(roots) {
  taps <- 1
  for (root in roots) {
    factor <- if (is.infinite(root)) c(1, 0) else c(-root, 1)
    taps <- c(taps * factor[[1L]], 0) + c(0, taps * factor[[2L]])
  }
  taps
}

# Returns the degree of the least common multiple of polynomials given by their roots.
twin_lcm_degree <- function(roots) {
  distinct <- unique(unlist(roots))
  sum(vapply(distinct, function(z) max(vapply(roots, function(r) sum(r == z), 0L)), 0L))
}

# --- nonlinear networks ---

# Returns dyhat_s/dtheta ((N m) x p) by complex steps.
twin_gradients <- function(network, x, theta = network$coef) {
  columns <- lapply(seq_along(theta), function(k) {
    Im(c(twin_predict(network, x, theta + 1e-20i * (seq_along(theta) == k)))) / 1e-20
  })
  matrix(unlist(columns), ncol = length(theta))
}

# Returns dyhat_o/dx_j at every row of x (N x m x n) by complex steps.
twin_slopes <- function(network, x, theta = network$coef) {
  slopes <- lapply(seq_len(ncol(x)), function(j) {
    Im(twin_predict(network, x + 1e-20i * (col(x) == j), theta)) / 1e-20
  })
  array(unlist(slopes), c(nrow(x), length(slopes[[1L]]) / nrow(x), ncol(x)))
}

# Returns the extended tangent ((N m (n + 1)) x p, rows s + N (o + m j), the constant last): complex steps in theta of
# central differences of fourth order in x.
twin_extended <- function(network, x, theta = network$coef, step = 2e-4) {
  n_rows <- nrow(x)
  n <- ncol(x)
  rows <- list(x)
  for (j in seq_len(n)) for (by in c(-2, -1, 1, 2)) rows <- c(rows, list(x + step * by * (col(x) == j)))
  gradients <- twin_gradients(network, do.call(rbind, rows), theta)
  p <- length(theta)
  m <- nrow(gradients) / (n_rows * length(rows))
  gradients <- aperm(array(gradients, c(n_rows, length(rows), m, p)), c(1, 3, 4, 2))
  D <- array(0, c(n_rows, m, n + 1, p))
  constant <- array(gradients[, , , 1L], c(n_rows, m, p))
  for (j in seq_len(n)) {
    at <- array(gradients[, , , 4 * j + -2:1], c(n_rows, m, p, 4))
    D[, , j, ] <- (at[, , , 1] - 8 * at[, , , 2] + 8 * at[, , , 3] - at[, , , 4]) / (12 * step)
    constant <- constant - x[, j] * array(D[, , j, ], c(n_rows, m, p))
  }
  D[, , n + 1, ] <- constant
  matrix(D, ncol = p)
}
