#' A set of classical tasks
#'
#' Seven tasks to compare architectures on, from short memory to long, periodic and
#' sparse, all of unit output variance. What depends on time scales grows with
#' `length`.
#'
#' | name | task |
#' |---|---|
#' | `ar` | short memory: [task_ar()], coefficients 0.5 and 0.3 |
#' | `arma` | decaying memory: [task_arma()], `ar = 0.8`, `ma = 0.6` |
#' | `ou` | one time scale: [task_ou()], `rate = 4 / length` |
#' | `fgn` | long memory: [task_fgn()], `hurst = 0.8` |
#' | `multiscale` | four time scales from 1 to `length`: [task_multiscale()] |
#' | `periodic` | a noisy cycle, four to the window: [task_periodic()] |
#' | `sparse` | lags 1, `length / 2` and `length` of white noise: [task_linear()] |
#'
#' @param length Number of past values that are seen, 8 or more.
#' @returns A plain named list of tasks, each with a sequence of `length` inputs and
#'   one output.
#' @examples
#' tasks <- classical_tasks(32)
#' sapply(tasks, bayes_loss)
#' @export
classical_tasks <- function(length) {
  length <- check_count(length, min = 8L)
  list(
    ar = task_ar(length, ar = c(0.5, 0.3)),
    arma = task_arma(length, ar = 0.8, ma = 0.6),
    ou = task_ou(length, rate = 4 / length),
    fgn = task_fgn(length, hurst = 0.8),
    multiscale = task_multiscale(length, scales = length^(0:3 / 3)),
    periodic = task_periodic(length, period = max(length / 4, 4), noise = 0.2),
    sparse = classical_sparse_task(length)
  )
}

# Three equal weights w = 0.5 and noise of standard deviation 0.5: the output variance is 3 w^2 + 0.5^2 = 1.
classical_sparse_task <- function(length) {
  weights <- numeric(length)
  lags <- c(1L, length %/% 2L, length)
  weights[length + 1L - lags] <- 0.5
  task_linear(weights, noise = 0.5)
}
