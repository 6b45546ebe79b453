# How does the time of allocation and tangent grow with the size? Exponents by regression of log seconds on log size,
# with the theoretical exponents. Allocation of a Gaussian J of n x p (see allocation.R): n from 256 to 16384 at p = 50,
# p from 50 to 2000 at n = 16384. Tangent: n from 256 to 16384 for two convolutions (kernel 3, same padding), 16
# averages and a dense layer (p = 344), and to 4096 for a recurrence of 8 states (p = 80); p from 50 to 2000 by the
# number of filters of the convolutions at n = 1024. A tangent has n p entries; for a recurrence each is a sum over all
# later positions. Small sizes are dominated by fixed costs, so exponents may be below the theoretical ones; `upper` is
# the exponent of the larger half of the sizes. An allocation also computes the singular values of the p x p triangle,
# which takes O(p^3) and is noticeable at p = 2000.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

allocation <- function(n, p) {
  J <- matrix(rnorm(n * p), n)
  question <- matrix_question(J)
  seconds(allocate_matrix(question))
}
tangent_of <- function(net) {
  net <- initialise(net, seed = 1)
  graph <- capalloc:::lower_network(net)
  seconds(.Call(capalloc:::ffi_tangent, graph, net$coef))
}
pooled <- function(n, filters) {
  input_sequence(n) |> layer_conv(filters, 3, padding = "same") |> layer_conv(filters, 3, padding = "same") |>
    layer_pool(n / 16) |> layer_dense(1)
}

lengths <- 2^(8:(if (quick) 11 else 14))
params <- if (quick) c(50, 100, 200) else c(50, 100, 200, 500, 1000, 2000)
filters <- if (quick) c(1, 2, 4) else c(2, 4, 8, 16, 24)
widest <- max(lengths)
cases <- list(
  list(what = "allocation", varies = "n", fixed = "p = 50", size = lengths, theory = 1,
    took = vapply(lengths, allocation, 0, p = 50)),
  list(what = "allocation", varies = "p", fixed = paste("n =", widest), size = params, theory = 2,
    took = vapply(params, function(p) allocation(widest, p), 0)),
  list(what = "tangent, convolutions", varies = "n", fixed = "p = 344", size = lengths, theory = 1,
    took = vapply(lengths, function(n) tangent_of(pooled(n, 8)), 0)),
  list(what = "tangent, recurrence", varies = "n", fixed = "p = 80", size = lengths[lengths <= 4096], theory = 2,
    took = vapply(lengths[lengths <= 4096], function(n) {
      tangent_of(input_sequence(n) |> layer_recurrent(8) |> layer_dense(1))
    }, 0)),
  list(what = "tangent, convolutions", varies = "p", fixed = "n = 1024",
    size = vapply(filters, function(f) sum(summary(pooled(1024, f))$parameters), 0), theory = 1,
    took = vapply(filters, function(f) tangent_of(pooled(1024, f)), 0))
)
exponent <- function(size, took) stats::coef(stats::lm(log(took) ~ log(size)))[[2]]
show(do.call(rbind, lapply(cases, function(case) {
  upper <- seq_along(case$size) > length(case$size) / 2
  data.frame(
    what = case$what, varies = case$varies, fixed = case$fixed, from = min(case$size), to = max(case$size),
    first_ms = 1e3 * case$took[[1]], last_ms = 1e3 * case$took[[length(case$took)]],
    exponent = exponent(case$size, case$took), upper = exponent(case$size[upper], case$took[upper]),
    theory = case$theory
  )
})))
