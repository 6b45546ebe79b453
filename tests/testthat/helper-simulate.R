# Returns the largest deviation of simulated moments from the stated ones, in standard errors. For N draws of a Gaussian
# vector with mean m and covariance S the mean has variance S_ii / N, and the mean of z_i z_j has
# (S_ii S_jj + S_ij^2 + m_i^2 S_jj + m_j^2 S_ii + 2 m_i m_j S_ij) / N.
largest_deviation <- function(task, nsim = 20000, seed = 1) {
  drawn <- simulate(task, nsim, seed = seed)
  z <- cbind(drawn$x, drawn$y)
  m <- c(task$moments$mean_x, task$moments$mean_y)
  second <- with(task$moments, rbind(cbind(sigma, cross), cbind(t(cross), target)))
  s <- second - outer(m, m)
  v <- diag(s)
  variance <- outer(v, v) + s^2 + outer(m^2, v) + outer(v, m^2) + 2 * outer(m, m) * s
  max(
    abs(colMeans(z) - m) / sqrt(v / nsim),
    abs(crossprod(z) / nsim - second) / sqrt(variance / nsim)
  )
}
