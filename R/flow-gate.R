# Gates of activations: g = phi'(u) for a Gaussian pre-activation u, one unit at a time.
#
# Integrals over the normal density use Gauss-Legendre quadrature on panels. Panels are narrow near u = 0, where
# activations bend or have a kink, and 0 is always an end of a panel.

# Nodes and weights of n points on (-1, 1), from the eigenvalues of the Jacobi matrix.
gate_legendre <- function(n) {
  k <- seq_len(n - 1)
  off <- k / sqrt(4 * k^2 - 1)
  J <- matrix(0, n, n)
  J[cbind(k, k + 1)] <- J[cbind(k + 1, k)] <- off
  e <- eigen(J, symmetric = TRUE)
  list(x = rev(e$values), w = rev(2 * e$vectors[1L, ]^2))
}

# For units of mean m and standard deviation s > 0, nodes z of the standard normal distribution and weights that include
# its density, each units x nodes. `step` is the largest width of a panel, and `kinks` are pre-activations at which
# panels
# also end. Truncation at 12 standard deviations leaves out a probability of 1e-32.
gate_normal_panels <- function(m, s, step = 0.75, kinks = numeric()) {
  kink <- -m / s
  around <- outer(1 / s, c(0, 2^(1:6)))
  ends <- cbind(kink + around, kink - around[, -1L, drop = FALSE])
  for (at in kinks) ends <- cbind(ends, kink + at / s)
  fixed <- seq(-12, 12, length.out = ceiling(24 / step) + 1)
  gate_panels_between(cbind(ends, matrix(fixed, length(m), length(fixed), byrow = TRUE)))
}

# Nodes and weights between the ends in each row, which may be in any order.
gate_panels_between <- function(ends) {
  ends <- pmin(pmax(ends, -12), 12)
  ends <- matrix(ends[order(row(ends), ends)], nrow(ends), byrow = TRUE)
  left <- ends[, -ncol(ends), drop = FALSE]
  half <- (ends[, -1L, drop = FALSE] - left) / 2
  rule <- gate_legendre(16L)
  z <- do.call(cbind, lapply(rule$x, function(x) left + half * (1 + x)))
  w <- do.call(cbind, lapply(rule$w, function(w) w * half)) * stats::dnorm(z)
  list(z = z, w = w)
}

# Sines of high frequency need narrow panels.
gate_panel_step <- function(phi, parameter, s) {
  if (phi == "sin") min(0.75, 3 / max(abs(parameter) * s, 1e-300)) else 0.75
}

gate_phi_at <- function(phi, parameter, u) {
  out <- .Call(ffi_phi, phi, as.double(parameter), as.double(u))
  lapply(out, function(x) {
    dim(x) <- dim(u)
    x
  })
}

# The slope below zero of an activation that is linear on both sides of zero, whose gate is slope + (1 - slope) 1(u >
# 0). NULL for other activations.
gate_straight_slope <- function(phi, parameter) {
  switch(phi, relu = 0, leaky_relu = parameter, abs = -1, identity = 1)
}

# list(mean, square): E g and E g^2 of units with these means and standard deviations.
gate_moments <- function(phi, parameter, mean, sd) {
  kinds <- unique(light_frame(list(mean = mean, sd = sd)))
  at <- match(paste(mean, sd), paste(kinds$mean, kinds$sd))
  found <- gate_distinct_moments(phi, parameter, kinds$mean, kinds$sd)
  lapply(found, function(x) x[at])
}

gate_distinct_moments <- function(phi, parameter, mean, sd) {
  still <- sd == 0
  if (!all(still)) check_gate_moments(phi)
  out <- list(mean = numeric(length(mean)), square = numeric(length(mean)))
  if (any(still)) {
    slope <- gate_phi_at(phi, parameter, mean[still])$slope
    out$mean[still] <- slope
    out$square[still] <- slope^2
  }
  if (all(still)) return(out)
  m <- mean[!still]
  s <- sd[!still]
  a <- gate_straight_slope(phi, parameter)
  moving <- if (!is.null(a)) {
    above <- stats::pnorm(m / s)
    list(mean = a + (1 - a) * above, square = a^2 + (1 - a^2) * above)
  } else if (phi == "sin") {
    w <- parameter
    list(mean = w * exp(-w^2 * s^2 / 2) * cos(w * m), square = w^2 * (1 + exp(-2 * w^2 * s^2) * cos(2 * w * m)) / 2)
  } else if (phi == "exp") {
    list(mean = exp(m + s^2 / 2), square = exp(2 * m + 2 * s^2))
  } else {
    panels <- gate_normal_panels(m, s, kinks = activation_kinks(phi))
    g <- gate_phi_at(phi, parameter, m + s * panels$z)$slope
    list(mean = rowSums(panels$w * g), square = rowSums(panels$w * g^2))
  }
  out$mean[!still] <- moving$mean
  out$square[!still] <- moving$square
  out
}

# Refuses activations whose gates have no moments when pre-activations are Gaussian.
check_gate_moments <- function(phi, call = rlang::caller_env()) {
  if (!phi %in% c("reciprocal", "rsqrt")) return(invisible())
  abort(c(
    "The gates of {.val {phi}} have no moments when pre-activations are Gaussian.",
    x = if (phi == "rsqrt") "It is not defined below zero." else "The integral of 1 / u^4 diverges at zero.",
    i = "Pass rows of inputs as {.arg data} where the function takes them."
  ), "unsupported", call = call)
}
