# Density of a diffusion of constant drift and variance with zero flux at both ends.

# Density at x in (0, length) of a diffusion that starts at x0. On an unbounded line its displacement would have mean
# `drift` and standard deviation `sd`, and length = Inf gives that normal density. With two ends the density is a sum by
# the method of images: the images of a diffusion without drift, 2 length apart, tilted by Girsanov's theorem; and
# half-lines of images, since with drift reflection alone does not give zero flux (Cox and Miller 1965 for one end). No
# term is large. Where the ends are not reached, all terms but the normal density vanish.
reflected_density <- function(x, x0, drift, sd, length = Inf) {
  if (is.infinite(length)) return(stats::dnorm(x, x0 + drift, sd))
  if (sd > 10 * length) return(reflected_settled_density(x, drift / sd^2, length))
  tilt <- drift * (x - x0) / sd^2 - drift^2 / (2 * sd^2)
  most <- ceiling((abs(drift) + 9 * sd) / (2 * length)) + 1
  out <- 0
  for (shift in 2 * length * (-most:most)) {
    out <- out + exp(tilt + stats::dnorm(x - x0 + shift, 0, sd, log = TRUE)) +
      exp(tilt + stats::dnorm(x + x0 + shift, 0, sd, log = TRUE))
  }
  if (drift == 0) return(out)
  pull <- 2 * drift / sd^2
  for (n in 0:most) {
    near <- stats::pnorm((drift + 2 * n * length + x0 + x) / sd, lower.tail = FALSE, log.p = TRUE)
    far <- stats::pnorm((drift - 2 * (n + 1) * length + x0 + x) / sd, log.p = TRUE)
    out <- out + pull * (exp(pull * (x - (n + 1) * length) + far) - exp(pull * (x + n * length) + near))
  }
  pmax(out, 0) # rounding errors can be negative
}

# The stationary density, which does not depend on the start: uniform without drift, else exponential. `pull` is the
# drift divided by the variance.
reflected_settled_density <- function(x, pull, length) {
  if (pull == 0) return(rep(1 / length, length(x)))
  from <- if (pull > 0) length else 0
  2 * abs(pull) * exp(2 * pull * (x - from)) / -expm1(-2 * abs(pull) * length)
}
