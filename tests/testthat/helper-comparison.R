# Comparisons with given numbers, for tests of results computed from them: values
# are excess losses (replicates x tasks x networks) over a Bayes loss of 1.
made_comparison <- function(values, n_obs = 100, capacity = 4, tasks = NULL, networks = NULL) {
  R <- dim(values)[[1L]]
  T <- dim(values)[[2L]]
  k <- dim(values)[[3L]]
  if (is.null(networks)) networks <- stats::setNames(rep(list(arch_dense(4)), k), letters[seq_len(k)])
  if (is.null(tasks)) tasks <- stats::setNames(rep(list(task_ar(4, 0.5)), T), paste0("t", seq_len(T)))
  runs <- expand.grid(replicate = seq_len(R), task = names(tasks), network = names(networks), stringsAsFactors = FALSE)
  runs$seed <- runs$replicate + 100L * match(runs$task, names(tasks))
  runs$n_params <- 4L
  runs$total_capacity <- rep_len(capacity, nrow(runs))
  runs$excess_loss <- c(values)
  runs$loss <- 1 + runs$excess_loss
  runs$train_loss <- runs$loss
  runs$bayes_loss <- 1
  runs$converged <- !is.na(runs$loss)
  structure(list(
    runs = runs, allocation = data.frame(), demand = data.frame(), networks = networks, tasks = tasks, n_obs = n_obs,
    seed = 1L, replicates = R
  ), class = "ca_comparison")
}

random_comparison <- function(R, T, k, seed = 1, ...) {
  made_comparison(withr::with_seed(seed, array(abs(stats::rnorm(R * T * k)), c(R, T, k))), ...)
}

# Allocations: profiles is a list by network of matrices (replicates x inputs), the same for each task.
made_allocations <- function(profiles, tasks = list(t1 = task_ar(ncol(profiles[[1L]]), 0.5)), n_obs = 100,
                             networks = NULL) {
  n <- ncol(profiles[[1L]])
  R <- nrow(profiles[[1L]])
  if (is.null(networks)) networks <- lapply(profiles, function(p) arch_dense(n))
  cmp <- made_comparison(array(0.1, c(R, length(tasks), length(profiles))), n_obs, tasks = tasks, networks = networks)
  rows <- expand.grid(at = seq_len(n), replicate = seq_len(R), task = names(tasks), network = names(profiles),
    stringsAsFactors = FALSE)
  rows$capacity <- mapply(function(name, r, at) profiles[[name]][r, at], rows$network, rows$replicate, rows$at)
  rows$input <- paste0("x[", rows$at, "]")
  rows$position <- rows$at
  rows$lag <- n + 1L - rows$at
  rows$channel <- 1L
  cmp$allocation <- rows[c("network", "task", "replicate", "input", "position", "lag", "channel", "capacity")]
  cmp
}

quiet <- function(code) suppressWarnings(code, classes = "capalloc_warning")
