# Runs of a comparison compared with fit() and capacity() called by hand.

nets <- list(
  dense = arch_dense(8), dilated = arch_dilated(8, filters = 1), conv = arch_conv(8, 2, kernel = 3)
)

diagonal <- list(diagonal = arch_recurrent(8, 2, "diagonal"))

tasks <- classical_tasks(8)[c("ar", "sparse")]

# Data with held-out rows and a nonzero mean, and networks with a bias, which such data require.
sunspots <- list(sunspots = task_series(datasets::sunspots[1:120], length = 8))

with_bias <- list(dense = arch_dense(8, bias = TRUE), conv = arch_conv(8, 1, 3, bias = TRUE))

expect_by_hand <- function(cmp, ...) {
  columns <- c(
    "n_params", "loss", "train_loss", "bayes_loss", "converged", "gradient_norm", "iterations"
  )
  for (i in seq_len(nrow(cmp$runs))) {
    run <- cmp$runs[i, ]
    quiet <- function(code) suppressWarnings(code, classes = "capalloc_warning")
    trained <- quiet(fit(cmp$networks[[run$network]], cmp$tasks[[run$task]], seed = run$seed,
      n_obs = cmp$n_obs, ...))
    expect_identical(run[columns], glance(trained)[columns], ignore_attr = TRUE)
    k <- quiet(capacity(trained))
    g <- glance(k)
    expect_identical(
      run[c("total_capacity", "rank_low", "rank_high")], g[c("total", "rank_low", "rank_high")],
      ignore_attr = TRUE
    )
    here <- cmp$allocation$network == run$network & cmp$allocation$task == run$task &
      cmp$allocation$replicate == run$replicate
    own <- cmp$allocation[here, -(1:3)]
    expect_identical(own, tidy(k)[names(own)], ignore_attr = "row.names")
  }
}

test_that("results of a run equal those of fit() and capacity() called by hand", {
  expect_by_hand(compare_architectures(nets, tasks, replicates = 2))
  expect_by_hand(compare_architectures(nets, tasks, replicates = 2, n_obs = 40))
  expect_by_hand(compare_architectures(with_bias, sunspots, replicates = 2))
  expect_by_hand(compare_architectures(with_bias, sunspots, replicates = 2, n_obs = 50))
})

test_that("method, restarts and control are passed to fit()", {
  control <- list(max_iterations = 7, learning_rate = 0.1)
  cmp <- compare_architectures(diagonal, tasks, replicates = 2, n_obs = 30, method = "adam",
    restarts = 3, control = control)
  expect_by_hand(cmp, method = "adam", restarts = 3, control = control)
  expect_identical(unique(cmp$runs$iterations), 7L)
})

test_that("networks with coefficients are trained from them", {
  begun <- list(dense = set_coef(nets$dense, rep(0.5, 8)))
  cmp <- compare_architectures(begun, tasks["ar"], replicates = 2)
  expect_by_hand(cmp)
  expect_identical(cmp$runs$gradient_norm[[1]], cmp$runs$gradient_norm[[2]])
})

relu_nets <- list(
  dense = arch_dense(8),
  relu = input_sequence(8) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
)

test_that("a run that diverges is a row with its error", {
  cmp <- compare_architectures(relu_nets["relu"], tasks["ar"], replicates = 2, n_obs = 30, method = "adam",
    control = list(learning_rate = 1e200, max_iterations = 5))
  expect_match(cmp$runs$error, "^Training diverged at iteration 1: the loss is not finite")
  expect_identical(glance(cmp)$failed, 2L)
})

test_that("columns have the same types when runs fail", {
  big <- set_coef(nets$dilated, rep(1e200, 7))
  some <- compare_architectures(list(dense = nets$dense, big = big), tasks["ar"], replicates = 1)
  all <- compare_architectures(list(big = big), tasks["ar"], replicates = 2)
  none <- compare_architectures(nets["dense"], tasks["ar"], replicates = 1)
  for (cmp in list(some, all)) {
    expect_identical(lapply(cmp$runs, typeof), lapply(none$runs, typeof))
    expect_identical(lapply(cmp$allocation, typeof), lapply(none$allocation, typeof))
  }
  expect_identical(nrow(all$allocation), 0L)
  expect_identical(glance(all)$failed, 2L)
})

test_that("undecided ranks are stored in columns and do not warn", {
  # Nearly equal states: the fifth singular value is twice the tolerance.
  near <- arch_recurrent(16, 3, "diagonal") |>
    set_coef(c(1, 1, 1, 0.5, 0.5 + 5e-4, 0.5 - 5e-4, 1, 1, 1))
  task <- classical_tasks(16)["ar"]
  still <- list(max_iterations = 0)
  begun <- suppressWarnings(fit(near, task$ar, control = still),
    classes = "capalloc_warning_not_converged")
  expect_warning(k <- capacity(begun), class = "capalloc_warning_rank_gap")
  expect_warning(
    cmp <- compare_architectures(list(near = near), task, replicates = 1, control = still), NA
  )
  expect_lt(cmp$runs$rank_low, cmp$runs$rank_high)
  expect_identical(cmp$runs$total_capacity, attr(k, "total"))
})

test_that("the fields of a run are the formals of its constructor", {
  expect_constructor(capalloc:::new_run)
})
