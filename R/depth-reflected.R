# Density of a diffusion of constant drift and variance with zero flux at both ends.

# At x in (0, length), of what starts at x0 with the mean displacement `drift` and the standard deviation `sd` on
# an unbounded line. A sum over images of the ends, 2 n length apart: those of no drift, tilted (Girsanov), and for the
# drift, under which ends are no mirrors, half-lines of images (Cox and Miller 1965 of one end). No term
# is large; where the ends are not reached all but one vanish, and it is the normal density. Without ends (length Inf)
# that alone.
reflected_density <- function(x, x0, drift, sd, length = Inf) {
  if (is.infinite(length)) return(stats::dnorm(x, x0 + drift, sd))
  if (sd > 10 * length) return(settled_density(x, drift / sd^2, length))
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
  pmax(out, 0) # differences below rounding
}

# After a long time: uniform, or with drift exponential, wherever it started.
settled_density <- function(x, pull, length) {
  if (pull == 0) return(rep(1 / length, length(x)))
  from <- if (pull > 0) length else 0
  2 * abs(pull) * exp(2 * pull * (x - from)) / -expm1(-2 * abs(pull) * length)
}
