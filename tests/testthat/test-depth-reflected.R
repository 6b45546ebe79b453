# Densities of reflected diffusions.

test_that("the density of reflected diffusions is the limit of fine random walks", {
  # Cells of 1/20, rates by central differences, the matrix exponential by squaring.
  walk <- function(x0, drift, sd, length, cells) {
    h <- length / cells
    up <- sd^2 / (2 * h^2) + drift / (2 * h)
    down <- sd^2 / (2 * h^2) - drift / (2 * h)
    Q <- matrix(0, cells, cells)
    Q[cbind(1:(cells - 1), 2:cells)] <- up
    Q[cbind(2:cells, 1:(cells - 1))] <- down
    diag(Q) <- -rowSums(Q)
    P <- diag(cells) + Q / 2^18 + Q %*% Q / 2^37
    for (i in 1:18) P <- P %*% P
    P[ceiling(x0 / h), ] / h
  }
  cells <- 160
  x <- (seq_len(cells) - 0.5) * 8 / cells
  for (case in list(c(30, 0, 2), c(30, 1, 2), c(159, -4, 3), c(2, 9, 5), c(80, -6, 20))) {
    wanted <- walk(x[[case[[1]]]], case[[2]], case[[3]], 8, cells)
    # The error of the walk is of the order of the squared cell.
    expect_near(reflected_density(x, x[[case[[1]]]], case[[2]], case[[3]], 8), wanted, 2e-3)
  }
  # Near the stationary distribution both expansions agree.
  for (drift in c(0, 3, -200)) {
    expect_near(reflected_density(x, 1, drift, 79.9, 8), reflected_density(x, 1, drift, 80.1, 8), 2e-3)
  }
  # Strong drifts and distant ends: no overflow, and large values are accurate.
  at <- (seq_len(8000) - 0.5) / 4
  for (case in list(c(1500, -400, 20), c(1999, -2500, 50), c(300, 900, 30))) {
    found <- reflected_density(at, case[[1]], case[[2]], case[[3]], 2000)
    expect_true(all(is.finite(found) & found >= 0))
    reached <- case[[1]] + case[[2]]
    if (reached > 0 && reached < 2000) expect_near(found, dnorm(at, reached, case[[3]]), 1e-12)
    # At a wall the density falls by exp(-2) per position, so midpoints of quarters have errors of a percent.
    expect_equal(sum(found) / 4, 1, tolerance = 0.02)
  }
})
