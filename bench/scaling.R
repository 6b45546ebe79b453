# At which exponent of the residual scale is the spread of capacity independent of the depth? Mode total is exact. On
# random weights the 99% intervals of the critical exponent should contain 1/2 for independent weights and 1 for shared
# weights (target: width below 0.1 from 100 draws). Further tables have doubled depths, other exponents, and blocks with
# drift.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()
depths <- if (quick) 2^(3:5) else 2^(4:8)
draws <- if (quick) 10 else 100

began <- now()
total <- scaling_study(depths = depths, exponents = c(0, 0.25, 0.5, 0.75, 1))
cat("mode total, depths", range(depths), ": largest error of the slope 1 - 2a",
  format(max(abs(glance(total)$slope - (1 - 2 * glance(total)$exponent))), digits = 2), "in",
  round(now() - began, 1), "s\n\n")

row <- function(mode, activation, exponent, depths, mixing = TRUE) {
  began <- now()
  found <- glance(scaling_study(depths = depths, exponents = exponent, mode = mode, activation = activation,
    mixing = mixing,
    draws = draws, seed = 1))
  data.frame(mode = mode, phi = activation, block = if (mixing) "B phi(A h)" else "phi(A h)", a = exponent,
    depths = paste(range(depths), collapse = "-"), critical = found$critical, low = found$critical.low,
    high = found$critical.high,
    width = found$critical.high - found$critical.low, seconds = now() - began)
}
phis <- c("relu", "tanh", "abs")
show <- function(rows) {
  print(do.call(rbind, rows), digits = 3, row.names = FALSE)
  cat("\n")
}
show(c(
  lapply(phis, function(phi) row("independent", phi, 0.5, depths)),
  lapply(phis, function(phi) row("shared", phi, 1, depths)),
  lapply(phis, function(phi) row("recurrent", phi, 1, depths))
))
cat("Depths doubled\n")
show(c(
  lapply(phis, function(phi) row("independent", phi, 0.5, 2 * depths)),
  list(row("shared", "relu", 1, 2 * depths))
))
cat("Other exponents\n")
show(lapply(c(0.4, 0.6, 0.75), function(a) row("independent", "relu", a, depths)))
cat("Blocks without weights after the activation: if phi has a nonzero mean, they drift, more so with depth\n")
show(c(
  lapply(phis, function(phi) row("independent", phi, 0.5, depths, mixing = FALSE)),
  list(row("independent", "relu", 0.5, 2 * depths, mixing = FALSE))
))

cat("Variance of weights: factors of the trace of S backwards, also per unit, and of the signal forwards\n")
print(glance(variance_study(c(16, 64, 32, 128, 64, 16, 8), draws = 10 * draws, seed = 1)), digits = 3,
  row.names = FALSE)
