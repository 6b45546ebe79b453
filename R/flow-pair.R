# Moments of pairs of activations with jointly Gaussian pre-activations: E[phi_i'(u_i) phi_k'(u_k)] of their gates, and
# E[phi_i(u_i) phi_k(u_k)] of their values.
#
# Piecewise linear activations (by orthant probabilities, 1/4 + asin(rho) / (2 pi) at mean 0), sines and erf have closed
# forms. The others use the expansion E[f(u_i) g(u_k)] = sum_n rho^n f_n g_n with the coefficients of f and g in
# normalised Hermite polynomials (Mehler). The coefficients decay fast if f or g is smooth on the scale of its unit. If
# |rho| is so close to 1 that the truncated terms matter, f(u_i) E[g(u_k) | u_i] is integrated over u_i, split at the
# kinks.
#
# A class of units is list(phi, parameter, at, mean, sd): the units `at` of a tier share their activation.

# joint: list(mean, cov, classes) of n pre-activations, with classes as above but without mean and sd. Returns
# list(mean, square, second): E g (n), E g^2 (n), E[g g'] (n x n), and with `values` also value, E phi (n), and moment,
# E[phi phi'] (n x n).
pair_moments <- function(joint, values = FALSE) {
  n <- length(joint$mean)
  sd <- sqrt(pmax(diag(joint$cov), 0))
  out <- list(mean = numeric(n), square = numeric(n), second = matrix(0, n, n))
  if (values) out <- c(out, list(value = numeric(n), moment = matrix(0, n, n)))
  classes <- lapply(joint$classes, function(class) {
    class$mean <- joint$mean[class$at]
    class$sd <- sd[class$at]
    one <- gate_moments(class$phi, class$parameter, class$mean, class$sd)
    out$mean[class$at] <<- one$mean
    out$square[class$at] <<- one$square
    if (values) out$value[class$at] <<- pair_value_means(class)
    class
  })
  for (i in seq_along(classes)) for (k in seq_len(i)) {
    a <- classes[[i]]
    b <- classes[[k]]
    C <- joint$cov[a$at, b$at, drop = FALSE]
    above <- if (is_pair_straight(a) && is_pair_straight(b)) pair_above_moments(a, b, C)
    out$second[a$at, b$at] <- pair_block(a, b, C, "slope", above)
    out$second[b$at, a$at] <- t(out$second[a$at, b$at])
    if (!values) next
    out$moment[a$at, b$at] <- pair_block(a, b, C, "value", above)
    out$moment[b$at, a$at] <- t(out$moment[a$at, b$at])
  }
  diag(out$second) <- out$square
  out
}

# E of the products of what = "slope" or "value" of two classes with covariances C (a x b). `above` are the
# pair_above_moments() of two piecewise linear classes.
pair_block <- function(a, b, C, what, above = NULL) {
  if (is_pair_straight(a) && is_pair_straight(b)) {
    return(pair_straight_block(a, b, C, what, if (is.null(above)) pair_above_moments(a, b, C) else above))
  }
  if (a$phi == "selu" || b$phi == "selu") return(selu_block(a, b, C, what))
  if (a$phi == "sin" && b$phi == "sin") return(pair_sine_block(a, b, C, what))
  if (a$phi == "exp" && b$phi == "exp") return(exp_block(a, b, C))
  if (a$phi == "erf" && b$phi == "erf" && (what == "slope" || all(a$mean == 0, b$mean == 0))) {
    return(pair_erf_block(a, b, C, what))
  }
  rho <- pair_correlations(a, b, C)
  series <- pair_hermite_block(a, b, rho, what)
  if (identical(a, b)) { # every pair once
    half <- series$open & upper.tri(rho, diag = TRUE)
    series$out[half] <- pair_split_integrals(a, b, rho, which(half), what)
    both <- series$open & lower.tri(rho)
    series$out[both] <- t(series$out)[both]
  } else if (has_pair_given_mean(b)) {
    series$out[series$open] <- pair_split_integrals(a, b, rho, which(series$open), what)
  } else {
    other <- t(series$open)
    found <- t(series$out)
    found[other] <- pair_split_integrals(b, a, t(rho), which(other), what)
    series$out <- t(found)
  }
  series$out
}

is_pair_straight <- function(class) !is.null(gate_straight_slope(class$phi, class$parameter))

has_pair_kink <- function(class) {
  is_pair_straight(class) || class$phi == "elu" || length(activation_kinks(class$phi)) > 0L
}

# Correlations (a x b), 0 for a constant unit. Values within rounding error of 1 are set to 1, since moments of gates
# with kinks change with the square root of the distance to 1.
pair_correlations <- function(a, b, C) {
  scale <- outer(a$sd, b$sd)
  rho <- ifelse(scale > 0, C / scale, 0)
  whole <- abs(rho) > 1 - 4 * .Machine$double.eps
  rho[whole] <- sign(rho[whole])
  matrix(rho, nrow(C))
}

# ---- one unit --------------------------------------------------------------------------------------

# E phi(u).
pair_value_means <- function(class) {
  kinds <- unique(light_frame(class[c("mean", "sd")]))
  at <- match(paste(class$mean, class$sd), paste(kinds$mean, kinds$sd))
  out <- gate_phi_at(class$phi, class$parameter, kinds$mean)$value
  moving <- kinds$sd > 0
  if (any(moving)) {
    m <- kinds$mean[moving]
    s <- kinds$sd[moving]
    a <- gate_straight_slope(class$phi, class$parameter)
    out[moving] <- if (!is.null(a)) a * m + (1 - a) * pair_mean_above(m, s) else {
      panels <- gate_normal_panels(m, s, gate_panel_step(class$phi, class$parameter, max(s)),
        activation_kinks(class$phi))
      rowSums(panels$w * gate_phi_at(class$phi, class$parameter, m + s * panels$z)$value)
    }
  }
  out[at]
}

# E max(u, 0)
pair_mean_above <- function(m, s) m * stats::pnorm(m / s) + s * stats::dnorm(m / s)

# ---- piecewise linear activations --------------------------------------------------------------------

# phi = slope u + (1 - slope) max(u, 0) for both.
pair_straight_block <- function(a, b, C, what, above) {
  sa <- gate_straight_slope(a$phi, a$parameter)
  sb <- gate_straight_slope(b$phi, b$parameter)
  if (what == "slope") {
    return(sa * sb + sa * (1 - sb) * above$b + (1 - sa) * sb * above$a + (1 - sa) * (1 - sb) * above$both)
  }
  # E[u max(w, 0)] = m_u E max(w, 0) + c P(w > 0)
  uw <- outer(a$mean, b$mean) + C
  u_above <- a$mean * rep(above$max_b, each = length(a$mean)) + C * above$b
  w_above <- rep(b$mean, each = length(a$mean)) * above$max_a + C * above$a
  sa * sb * uw + sa * (1 - sb) * u_above + (1 - sa) * sb * w_above + (1 - sa) * (1 - sb) * above$product
}

# P(u > 0), P(w > 0), P(both), E max(u, 0), E max(w, 0), E[max(u, 0) max(w, 0)]: a x b, the means by unit.
pair_above_moments <- function(a, b, C) {
  n <- c(length(a$mean), length(b$mean))
  rho <- pair_correlations(a, b, C)
  # a constant unit lies on one side of 0 with probability 1
  h <- ifelse(a$sd > 0, a$mean / a$sd, ifelse(a$mean > 0, Inf, -Inf))
  k <- ifelse(b$sd > 0, b$mean / b$sd, ifelse(b$mean > 0, Inf, -Inf))
  H <- matrix(h, n[[1L]], n[[2L]])
  K <- matrix(k, n[[1L]], n[[2L]], byrow = TRUE)
  both <- if (identical(a, b)) pair_symmetric_orthant(H, K, rho) else matrix(pair_orthant(H, K, rho), n[[1L]])
  max_a <- ifelse(a$sd > 0, pair_mean_above(a$mean, ifelse(a$sd > 0, a$sd, 1)), pmax(a$mean, 0))
  max_b <- ifelse(b$sd > 0, pair_mean_above(b$mean, ifelse(b$sd > 0, b$sd, 1)), pmax(b$mean, 0))
  # standardised X > -h, Y > -k, r^2 = 1 - rho^2, after Rosenbaum (1961)
  r <- sqrt(pmax((1 - rho) * (1 + rho), 0))
  tail <- function(x, y) { # P(Y > -y | X = -x), 1/2 or a step at |rho| = 1
    z <- y - rho * x
    stats::pnorm(ifelse(r > 0, z / r, ifelse(z > 0, Inf, ifelse(z < 0, -Inf, 0))))
  }
  finite <- is.finite(H) & is.finite(K)
  H0 <- ifelse(finite, H, 0)
  K0 <- ifelse(finite, K, 0)
  e_x <- stats::dnorm(H0) * tail(H0, K0)
  e_y <- stats::dnorm(K0) * tail(K0, H0)
  density <- ifelse(r > 0, exp(-(H0^2 - 2 * rho * H0 * K0 + K0^2) / (2 * r^2)) * r / (2 * pi), 0)
  xy <- rho * both - rho * H0 * e_x - rho * K0 * e_y + density
  product <- outer(a$mean, b$mean) * both + outer(a$sd, b$mean) * (e_x + rho * e_y) +
    outer(a$mean, b$sd) * (e_y + rho * e_x) + outer(a$sd, b$sd) * xy
  list(
    a = stats::pnorm(H), b = stats::pnorm(K), both = both, max_a = max_a, max_b = max_b,
    product = ifelse(finite, product, outer(max_a, max_b))
  )
}

# P(X > -h, Y > -k) of standard normals of correlation rho: with rho = cos(t), h, k >= 0 or not,
#   Phi(h) Phi(k) + int_acos(rho)^(pi/2) exp(-(h - k)^2 / (2 sin(s)^2) - h k / (1 + cos(s))) ds / (2 pi),
# and for negative rho Phi(h) less that of (h, -k, -rho). Panels halve towards s = 0.
pair_orthant <- function(h, k, rho) {
  below <- rho < 0
  k1 <- ifelse(below, -k, k)
  angle <- acos(abs(rho))
  out <- stats::pnorm(h) * stats::pnorm(k1)
  centred <- h == 0 & k == 0
  out[centred] <- 0.25 + asin(abs(rho[centred])) / (2 * pi)
  on <- which(is.finite(h) & is.finite(k) & !centred)
  rule <- gate_legendre(20L)
  end <- pi / 2
  repeat {
    on <- on[angle[on] < end]
    if (length(on) == 0L || end < 1e-15) break
    half <- (end - pmax(angle[on], end / 2)) / 2
    for (j in seq_along(rule$x)) {
      s <- end - half * (1 - rule$x[[j]])
      f <- exp(-(h[on] - k1[on])^2 / (2 * sin(s)^2) - h[on] * k1[on] / (1 + cos(s)))
      out[on] <- out[on] + rule$w[[j]] * half * f / (2 * pi)
    }
    end <- end / 2
  }
  out[below] <- stats::pnorm(h[below]) - out[below]
  out
}

# A class with itself: every pair once.
pair_symmetric_orthant <- function(H, K, rho) {
  half <- upper.tri(rho, diag = TRUE)
  out <- matrix(0, nrow(rho), ncol(rho))
  out[half] <- pair_orthant(H[half], K[half], rho[half])
  out[lower.tri(out)] <- t(out)[lower.tri(out)]
  out
}

# ---- sines and erf ---------------------------------------------------------------------------------

pair_sine_block <- function(a, b, C, what) {
  w <- a$parameter
  x <- b$parameter
  spread <- outer(w^2 * a$sd^2, x^2 * b$sd^2, "+") / 2
  minus <- exp(w * x * C - spread) * cos(outer(w * a$mean, x * b$mean, "-"))
  plus <- exp(-w * x * C - spread) * cos(outer(w * a$mean, x * b$mean, "+"))
  if (what == "slope") w * x * (minus + plus) / 2 else (minus - plus) / 2
}

# Slopes are 2 / sqrt(pi) exp(-u^2): with S the moments of a pair, det(I + 2 S)^(-1/2) exp(-m' (I + 2 S)^-1 m).
pair_erf_block <- function(a, b, C, what) {
  va <- matrix(1 + 2 * a$sd^2, nrow(C), ncol(C))
  vb <- matrix(1 + 2 * b$sd^2, nrow(C), ncol(C), byrow = TRUE)
  if (what == "value") return(2 / pi * asin(2 * C / sqrt(va * vb)))
  ma <- matrix(a$mean, nrow(C), ncol(C))
  mb <- matrix(b$mean, nrow(C), ncol(C), byrow = TRUE)
  det <- va * vb - 4 * C^2
  4 / pi / sqrt(det) * exp(-(vb * ma^2 - 4 * C * ma * mb + va * mb^2) / det)
}

# E[exp(u) exp(w)], the slopes as well as the values.
exp_block <- function(a, b, C) exp(outer(a$mean + a$sd^2 / 2, b$mean + b$sd^2 / 2, "+") + C)

# selu is a multiple of elu.
selu_block <- function(a, b, C, what) {
  scale <- 1.0507009873554804934
  as_elu <- function(class) {
    if (class$phi == "selu") class[c("phi", "parameter")] <- list("elu", 1.6732632423543772848)
    class
  }
  scale^((a$phi == "selu") + (b$phi == "selu")) * pair_block(as_elu(a), as_elu(b), C, what)
}

# ---- expansion in Hermite polynomials --------------------------------------------------------------

# list(out, open): the sums (a x b), and the pairs whose truncated terms exceed rounding error. They are at most |rho|^n
# times the root of the truncated shares of E f^2 and E g^2.
pair_hermite_block <- function(a, b, rho, what) {
  fa <- pair_hermite_coefficients(a, what)
  fb <- if (identical(a, b)) fa else pair_hermite_coefficients(b, what)
  n <- min(ncol(fa$terms), ncol(fb$terms))
  out <- matrix(0, nrow(rho), ncol(rho))
  for (k in rev(seq_len(n))) out <- out * rho + outer(fa$terms[, k], fb$terms[, k])
  list(out = out, open = abs(rho)^n * sqrt(outer(pair_share_left(fa, n), pair_share_left(fb, n))) > 1e-12)
}

# The share of E f^2 after n terms, by unit.
pair_share_left <- function(f, n) {
  f$left + rowSums(f$terms[, -seq_len(n), drop = FALSE]^2) / ifelse(f$total > 0, f$total, 1)
}

most_coefficients <- 1000

# list(terms, left, total). terms: coefficients of f(m + s z) in He_n / sqrt(n!), n = 0, 1, .. (units x terms). The
# series ends when the truncated share of E f^2 is rounding error and six coefficients in a row (functions may be odd or
# even) are below 1e-13 of the root of E f^2, or at the largest number of terms. left: the truncated share by unit, 0 if
# it is rounding error. total: E f^2 by unit.
pair_hermite_coefficients <- function(class, what) {
  kinds <- unique(light_frame(class[c("mean", "sd")]))
  at <- match(paste(class$mean, class$sd), paste(kinds$mean, kinds$sd))
  # a constant unit is its own expectation, and its correlations are 0
  s <- kinds$sd
  s[s == 0] <- 1e-300
  step <- min(gate_panel_step(class$phi, class$parameter, max(s)), 0.5)
  panels <- gate_normal_panels(kinds$mean, s, step, activation_kinks(class$phi))
  f <- gate_phi_at(class$phi, class$parameter, kinds$mean + s * panels$z)[[what]]
  weight <- panels$w * f
  left <- total <- rowSums(weight * f)
  most <- if (has_pair_kink(class)) 400 else most_coefficients
  before <- matrix(0, nrow(f), ncol(f))
  He <- matrix(1, nrow(f), ncol(f))
  out <- list()
  small <- 0
  for (n in seq_len(most)) {
    out[[n]] <- rowSums(weight * He)
    left <- left - out[[n]]^2
    small <- if (all(abs(out[[n]]) <= 1e-13 * sqrt(total))) small + 1 else 0
    if (small >= 6 && all(left <= 1e-12 * total)) break
    after <- (panels$z * He - sqrt(n - 1) * before) / sqrt(n)
    before <- He
    He <- after
  }
  terms <- do.call(cbind, out)
  done <- left <= 1e-12 * total & rowSums(abs(terms[, n - 0:5, drop = FALSE]) > 1e-13 * sqrt(total)) == 0
  # differences of sums below 1e-15 are rounding error
  left <- ifelse(done, 0, pmax(left / total, 1e-15))
  list(terms = terms[at, , drop = FALSE], left = left[at], total = total[at])
}

# ---- correlations near one ---------------------------------------------------------------------------

# E[f(u) g(w)] for the pairs `at` of a and b, by quadrature over u. Given u, w has mean mu and standard deviation tau.
pair_split_integrals <- function(a, b, rho, at, what) {
  if (length(at) == 0L) return(numeric())
  each <- if (has_pair_given_mean(b)) integrated_pairs else 1
  if (each == 1 && length(at) > 500) {
    cli::cli_inform("{length(at)} pairs of {b$phi} gates of correlations near one will take about
      {ceiling(0.05 * length(at))} seconds.", class = c("capalloc_message_cost", "capalloc_message"))
  }
  place <- arrayInd(at, dim(rho))
  pairs <- list(ma = a$mean[place[, 1L]], sa = a$sd[place[, 1L]], mb = b$mean[place[, 2L]],
    sb = b$sd[place[, 2L]], rho = rho[at])
  chunks <- split(seq_along(at), ceiling(seq_along(at) / each))
  unlist(lapply(chunks, function(chunk) {
    pair_split_chunk(a, b, lapply(pairs, function(x) x[chunk]), what)
  }), use.names = FALSE)
}

pair_split_chunk <- function(a, b, pairs, what) {
  waves <- pmax(pair_wave_number(a) * pairs$sa, pair_wave_number(b) * pairs$sb)
  panels <- pair_kink_panels(pairs, gate_panel_step("sin", 1, max(waves)), activation_kinks(a$phi),
    activation_kinks(b$phi))
  panels <- lapply(panels, function(x) x[, apply(panels$w, 2L, max) > 1e-20, drop = FALSE])
  u <- pairs$ma + pairs$sa * panels$z
  mu <- pairs$mb + pairs$sb * pairs$rho * panels$z
  tau <- pairs$sb * sqrt(pmax((1 - pairs$rho) * (1 + pairs$rho), 0))
  g <- pair_given_mean(b, mu, matrix(tau, nrow(mu), ncol(mu)), what)
  rowSums(panels$w * gate_phi_at(a$phi, a$parameter, u)[[what]] * g)
}

# Panels that end at the kink of f, and at that of g if u and w are perfectly correlated, and halve towards both.
pair_kink_panels <- function(pairs, step, own_kinks = numeric(), other_kinks = numeric()) {
  own <- -pairs$ma / pairs$sa
  other <- -pairs$mb / (pairs$sb * pairs$rho)
  blur <- sqrt(pmax((1 - pairs$rho) * (1 + pairs$rho), 0))
  around <- function(centre, width) {
    steps <- outer(width, 2^(1:6))
    cbind(centre, centre - steps, centre + steps)
  }
  fixed <- seq(-12, 12, length.out = ceiling(24 / step) + 1)
  fixed <- matrix(fixed, length(own), length(fixed), byrow = TRUE)
  ends <- cbind(around(own, 1 / pairs$sa), around(other, 1 / pairs$sb), around(other, blur), fixed)
  for (at in own_kinks) ends <- cbind(ends, own + at / pairs$sa)
  for (at in other_kinks) ends <- cbind(ends, around(other + at / (pairs$sb * pairs$rho), blur))
  gate_panels_between(ends)
}

pair_wave_number <- function(class) if (class$phi == "sin") abs(class$parameter) else 0

# Expectation of the slope or value for w ~ N(mu, tau^2).
pair_given_mean <- function(class, mu, tau, what) {
  still <- tau == 0
  t <- ifelse(still, 1, tau)
  above <- stats::pnorm(mu / t)
  slope <- gate_straight_slope(class$phi, class$parameter)
  out <- if (!is.null(slope)) {
    if (what == "slope") slope + (1 - slope) * above else slope * mu + (1 - slope) * pair_mean_above(mu, t)
  } else if (class$phi == "elu") {
    # E[exp(w) 1(w < 0)] = exp(mu + tau^2 / 2) Phi(-mu / tau - tau)
    below <- exp(mu + t^2 / 2 + stats::pnorm(-mu / t - t, log.p = TRUE))
    alpha <- class$parameter
    if (what == "slope") above + alpha * below else pair_mean_above(mu, t) + alpha * (below - (1 - above))
  } else if (class$phi == "sin") {
    x <- class$parameter
    if (what == "slope") x * exp(-x^2 * t^2 / 2) * cos(x * mu) else exp(-x^2 * t^2 / 2) * sin(x * mu)
  } else {
    panels <- gate_normal_panels(c(mu), c(t), kinks = activation_kinks(class$phi))
    f <- gate_phi_at(class$phi, class$parameter, c(mu) + c(t) * panels$z)[[what]]
    matrix(rowSums(panels$w * f), nrow(mu))
  }
  if (any(still)) out[still] <- gate_phi_at(class$phi, class$parameter, mu[still])[[what]]
  out
}

has_pair_given_mean <- function(class) is_pair_straight(class) || class$phi %in% c("elu", "sin")
