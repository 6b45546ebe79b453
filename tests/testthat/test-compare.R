# compare_architectures(): the design, runs compared with fit() and capacity() called
# by hand, losses compared with lm(), failed runs, and summaries of the result.

nets <- list(
  dense = arch_dense(8), dilated = arch_dilated(8, filters = 1), conv = arch_conv(8, 2, kernel = 3)
)
diagonal <- list(diagonal = arch_recurrent(8, 2, "diagonal"))
tasks <- classical_tasks(8)[c("ar", "sparse")]

# Data with held-out rows and a nonzero mean, and networks with a bias, which such data require.
sunspots <- list(sunspots = task_series(datasets::sunspots[1:120], length = 8))
with_bias <- list(dense = arch_dense(8, bias = TRUE), conv = arch_conv(8, 1, 3, bias = TRUE))

# ---- the result ----------------------------------------------------------------------------------

run_types <- c(
  network = "character", task = "character", replicate = "integer", seed = "integer",
  n_params = "integer", total_capacity = "double", loss = "double", train_loss = "double",
  bayes_loss = "double", linear_loss = "double", excess_loss = "double", converged = "logical",
  gradient_norm = "double", iterations = "integer", seconds = "double", error = "character",
  rank_low = "integer", rank_high = "integer", undecided = "logical", redraws = "integer", decrement = "double",
  excess_type = "character", null_loss = "double", relative_loss = "double", relative_excess = "double",
  mase = "double", accuracy = "double", log_loss = "double"
)

test_that("a comparison has the documented parts", {
  cmp <- compare_architectures(nets, tasks, replicates = 2)
  expect_s3_class(cmp, "ca_comparison")
  expect_named(cmp, c(
    "runs", "allocation", "demand", "networks", "tasks", "n_obs", "seed", "replicates", "resamples",
    "generic_rank", "version"
  ))
  expect_identical(class(cmp$runs), "data.frame")
  expect_identical(vapply(cmp$runs, typeof, ""), run_types)
  expect_identical(class(cmp$allocation), "data.frame")
  expect_identical(vapply(cmp$allocation, typeof, ""), c(
    network = "character", task = "character", replicate = "integer", input = "character",
    position = "integer", lag = "integer", channel = "integer", capacity = "double"
  ))
  expect_identical(class(cmp$demand), "data.frame")
  expect_identical(vapply(cmp$demand, typeof, ""), c(
    task = "character", input = "character", position = "integer", lag = "integer",
    channel = "integer", demand = "double"
  ))
  expect_identical(cmp[c("networks", "tasks", "n_obs", "seed", "replicates")], list(
    networks = nets, tasks = tasks, n_obs = Inf, seed = 1L, replicates = 2L
  ))
  expect_identical(cmp$version, as.character(packageVersion("capalloc")))
})

test_that("every network is trained on every task in every replicate", {
  smooth <- classical_tasks(8)[c("fgn", "ar")]
  cmp <- compare_architectures(nets, smooth, replicates = 3)
  cells <- expand.grid(replicate = 1:3, network = names(nets), task = names(smooth),
    stringsAsFactors = FALSE)
  expect_identical(cmp$runs[c("replicate", "network", "task")], cells, ignore_attr = TRUE)
  expect_true(all(cmp$runs$converged))
  expect_true(all(is.na(cmp$runs$error)))
  inputs <- aggregate(position ~ replicate + network + task, cmp$allocation, paste, collapse = " ")
  expect_identical(nrow(inputs), 18L)
  expect_identical(unique(inputs$position), "1 2 3 4 5 6 7 8")
  expect_identical(cmp$allocation$lag, 9L - cmp$allocation$position)
  totals <- aggregate(capacity ~ replicate + network + task, cmp$allocation, sum)
  expect_equal(merge(cmp$runs, totals)$capacity, merge(cmp$runs, totals)$total_capacity,
    tolerance = 1e-12)
})

test_that("each task and replicate has one seed, which depends only on the main seed and the name", {
  runs <- compare_architectures(nets, tasks, replicates = 3)$runs
  seeds <- tapply(runs$seed, runs[c("replicate", "task")], unique, simplify = FALSE)
  expect_true(all(lengths(seeds) == 1L))
  expect_identical(anyDuplicated(unlist(seeds)), 0L)
  other <- compare_architectures(nets["dense"], tasks, replicates = 3, n_obs = 20)$runs
  expect_identical(other$seed, runs$seed[runs$network == "dense"])
  other <- compare_architectures(nets, tasks, replicates = 3, seed = 2)$runs
  expect_identical(intersect(other$seed, runs$seed), integer())
  # Computed by hand, so that seeds stay the same in later versions.
  named <- lapply(names(tasks), function(task) capalloc:::derive_seeds(capalloc:::named_seed(1L, task), 3))
  expect_identical(runs$seed, c(rep(named[[1]], 3), rep(named[[2]], 3)))
})

test_that("adding and reordering networks, tasks and replicates leaves existing rows unchanged", {
  key <- function(rows) paste(rows$network, rows$task, rows$replicate)
  more <- classical_tasks(8)[c("fgn", "sparse", "ar")]
  for (n_obs in c(Inf, 30)) {
    few <- quiet(compare_architectures(nets, tasks, replicates = 2, n_obs = n_obs))
    many <- quiet(compare_architectures(rev(c(nets, diagonal)), more, replicates = 4, n_obs = n_obs))
    rows <- match(key(few$runs), key(many$runs))
    expect_equal(timeless(few)$runs, timeless(many)$runs[rows, ], tolerance = 0, ignore_attr = "row.names")
  }
})

test_that("the constant is the last row of each allocation", {
  cmp <- compare_architectures(with_bias, sunspots, replicates = 2)
  constant <- cmp$allocation$input == "(Intercept)"
  expect_identical(which(constant), 9L * 1:4)
  expect_true(all(is.na(cmp$allocation[constant, c("position", "lag", "channel")])))
  expect_false(anyNA(cmp$allocation[!constant, ]))
})

test_that("demand is that of task_demand(), and is at the lags of a sparse task", {
  cmp <- compare_architectures(nets["dense"], tasks, replicates = 1)
  for (name in names(tasks)) {
    own <- cmp$demand[cmp$demand$task == name, -1]
    expect_identical(own, as.data.frame(task_demand(tasks[[name]])), ignore_attr = "row.names")
  }
  sparse <- cmp$demand[cmp$demand$task == "sparse", ]
  # White inputs: the squared weights 1/2 at lags 1, 4 and 8.
  expect_equal(sparse$demand, ifelse(sparse$lag %in% c(1, 4, 8), 0.25, 0), tolerance = 1e-12)
})

# ---- runs by hand --------------------------------------------------------------------------------

test_that("with finite n_obs the networks of a replicate share one sample", {
  cmp <- compare_architectures(nets, tasks, replicates = 2, n_obs = 30)
  rows <- lapply(seq_len(nrow(cmp$runs)), function(i) {
    run <- cmp$runs[i, ]
    fit(nets[[run$network]], tasks[[run$task]], seed = run$seed, n_obs = 30)$rows
  })
  cell <- paste(cmp$runs$task, cmp$runs$replicate)
  for (of in split(rows, cell)) expect_identical(unique(of), of[1])
  expect_length(unique(rows), 4)
  # Columns that depend on the sample only are equal within a replicate.
  expect_identical(tapply(cmp$runs$linear_loss, cell, \(x) length(unique(x))), c(
    `ar 1` = 1L, `ar 2` = 1L, `sparse 1` = 1L, `sparse 2` = 1L
  ), ignore_attr = TRUE)
  expect_length(unique(cmp$runs$linear_loss), 4)
})

# ---- losses --------------------------------------------------------------------------------------

test_that("data without held-out rows have loss NA, and their runs have not failed", {
  all_rows <- list(mtcars = task_data(mpg ~ wt + hp, mtcars, test = 0))
  free <- list(free = arch_dense(input_vector(2), bias = TRUE))
  cmp <- compare_architectures(free, all_rows, replicates = 2)
  expect_identical(cmp$runs$loss, c(NA_real_, NA_real_))
  expect_identical(cmp$runs$excess_loss, c(NA_real_, NA_real_))
  ls <- lm(mpg ~ wt + hp, mtcars)
  expect_equal(cmp$runs$train_loss, rep(deviance(ls) / 32, 2), tolerance = 1e-8)
  expect_identical(cmp$runs$error, c(NA_character_, NA_character_))
  expect_identical(glance(cmp)$failed, 0L)
  expect_identical(summary(cmp)$runs, 2L)
  expect_identical(summary(cmp)$total_capacity, 3)
})

# ---- scale-free columns --------------------------------------------------------------------------

# ---- nonlinear networks, and classes -------------------------------------------------------------

relu_nets <- list(
  dense = arch_dense(8),
  relu = input_sequence(8) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
)

# As expect_by_hand(), for allocations whose rows differ between networks.
expect_by_hand_of_rows <- function(cmp, ...) {
  columns <- c("n_params", "loss", "train_loss", "bayes_loss", "converged", "gradient_norm", "iterations")
  for (i in seq_len(nrow(cmp$runs))) {
    run <- cmp$runs[i, ]
    trained <- suppressWarnings(fit(cmp$networks[[run$network]], cmp$tasks[[run$task]], seed = run$seed,
      n_obs = cmp$n_obs, ...))
    expect_identical(run[columns], glance(trained)[columns], ignore_attr = TRUE)
    k <- suppressWarnings(capacity(trained))
    expect_identical(run$total_capacity, glance(k)$total)
    here <- cmp$allocation$network == run$network & cmp$allocation$task == run$task &
      cmp$allocation$replicate == run$replicate
    expect_identical(cmp$allocation$capacity[here], k$capacity)
    expect_identical(cmp$allocation$input[here], k$input)
    if (!run$converged) expect_identical(run$error, paste("not converged:", trained$outcome))
  }
}

test_that("nonlinear networks can be compared with linear ones on samples", {
  short <- list(max_iterations = 20)
  cmp <- compare_architectures(relu_nets, tasks, replicates = 2, n_obs = 30, control = short)
  expect_identical(vapply(cmp$runs, typeof, ""), run_types)
  expect_by_hand_of_rows(cmp, control = short)
  expect_identical(cmp$runs$loss, cmp$runs$bayes_loss + cmp$runs$excess_loss)
  cell <- paste(cmp$runs$task, cmp$runs$replicate)
  for (losses in split(cmp$runs$linear_loss, cell)) expect_identical(losses[[1]], losses[[2]])
  dense <- cmp$runs[cmp$runs$network == "dense", ]
  expect_equal(dense$loss, dense$linear_loss, tolerance = 1e-8)
  # Nonlinear networks have a constant, the others have none here.
  rows <- table(cmp$allocation$network)
  expect_identical(c(rows), c(dense = 4L * 8L, relu = 4L * 9L))
  totals <- tapply(cmp$allocation$capacity, cmp$allocation[c("replicate", "task", "network")], sum)
  expect_equal(c(totals[, , "relu"]), cmp$runs$total_capacity[cmp$runs$network == "relu"], tolerance = 1e-9,
    ignore_attr = TRUE)
})

test_that("without a sample the runs that need one fail, and the others do not", {
  cmp <- compare_architectures(relu_nets, tasks["ar"], replicates = 2)
  failed <- cmp$runs$network == "relu"
  expect_match(cmp$runs$error[failed], "`n_obs` must be finite", fixed = TRUE)
  expect_identical(is.na(cmp$runs$error), !failed)
  expect_true(all(is.na(cmp$runs$loss[failed])))
  expect_identical(cmp$runs$n_params[failed], c(31L, 31L))
  expect_identical(glance(cmp)$failed, 2L)
  expect_identical(unique(cmp$allocation$network), "dense")
})

test_that("on data nonlinear networks are evaluated on held-out rows and compared with the best linear model", {
  scaled <- list(spots = task_series(sqrt(datasets::sunspots[1:120]) / 10, length = 8))
  networks <- list(relu = relu_nets$relu, dense = arch_dense(8, bias = TRUE))
  short <- list(max_iterations = 30)
  data <- scaled$spots$data
  cmp <- compare_architectures(networks, scaled, replicates = 2, control = short)
  expect_by_hand_of_rows(cmp, control = short)
  w <- coef(lm(data$y ~ data$x))
  expect_equal(cmp$runs$linear_loss, rep(mean((data$y_test - cbind(1, data$x_test) %*% w)^2), 4), tolerance = 1e-8)
  expect_identical(cmp$runs$excess_loss, cmp$runs$loss - cmp$runs$linear_loss)
  expect_identical(cmp$runs$bayes_loss, rep(NA_real_, 4))
  # With validation rows the linear model is trained on the remaining rows too.
  aside <- list(max_iterations = 30, validation = 0.25)
  cmp <- compare_architectures(networks["relu"], scaled, replicates = 1, control = aside)
  n <- nrow(data$x) - round(0.25 * nrow(data$x))
  w <- coef(lm(data$y[1:n] ~ data$x[1:n, ]))
  expect_equal(cmp$runs$linear_loss, mean((data$y_test - cbind(1, data$x_test) %*% w)^2), tolerance = 1e-8)
})

# Overlapping classes, so that the multinomial regression has one minimum.
class_task <- function(levels = 3) {
  withr::with_seed(8, {
    x <- matrix(stats::rnorm(240), 80)
    y <- max.col(x %*% diag(3)[, seq_len(levels)] - 1.5 * log(stats::rexp(80 * levels)))
  })
  task_data(x, factor(y, labels = letters[seq_len(levels)]), seed = 1)
}

multinomial_loss <- function(x, y, data) {
  skip_if_not_installed("nnet")
  classes <- factor(max.col(y))
  frame <- data.frame(classes, x)
  by_nnet <- nnet::multinom(classes ~ ., frame, trace = FALSE, reltol = 1e-14, abstol = 1e-14, maxit = 1000)
  p <- predict(by_nnet, data.frame(data$x_test), type = "probs")
  if (is.null(dim(p))) p <- cbind(1 - p, p)
  -mean(log(p[data$y_test == 1]))
}

test_that("for classes the loss is cross-entropy, compared with multinomial regression on the same rows", {
  networks <- list(
    tanh = input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(3),
    linear = input_vector(3) |> layer_dense(3, bias = TRUE)
  )
  task <- class_task()
  weak <- list(max_iterations = 30, decay = 0.01)
  cmp <- compare_architectures(networks, list(classes = task), replicates = 2, control = weak)
  expect_identical(vapply(cmp$runs, typeof, ""), run_types)
  expect_by_hand_of_rows(cmp, control = weak)
  # The bound 1e-6 of the gradient; the loss is on other rows.
  expect_equal(cmp$runs$linear_loss, rep(multinomial_loss(task$data$x, task$data$y, task$data), 4), tolerance = 1e-4)
  expect_identical(cmp$runs$excess_loss, cmp$runs$loss - cmp$runs$linear_loss)
  # Scores on held-out rows.
  shares <- colMeans(task$data$y)
  null <- -mean(log(shares[max.col(task$data$y_test)]))
  for (i in 1:4) {
    trained <- quiet(fit(networks[[cmp$runs$network[[i]]]], task, seed = cmp$runs$seed[[i]], control = weak))
    p <- predict(trained, task$data$x_test)
    expect_equal(cmp$runs$accuracy[[i]], mean(max.col(p) == max.col(task$data$y_test)), tolerance = 1e-14)
    expect_equal(cmp$runs$log_loss[[i]], -mean(log(p[task$data$y_test == 1])), tolerance = 1e-10)
  }
  expect_equal(cmp$runs$null_loss, rep(null, 4), tolerance = 1e-12)
  expect_equal(cmp$runs$relative_loss, cmp$runs$loss / null, tolerance = 1e-12)
  expect_output(print(cmp), "mean excess loss")
  # Rows drawn with replacement, and rows without the validation rows.
  cmp <- compare_architectures(networks["linear"], list(classes = task), replicates = 2, n_obs = 50)
  for (i in 1:2) {
    drawn <- fit(networks$linear, task, seed = cmp$runs$seed[[i]], n_obs = 50)$rows
    expect_equal(cmp$runs$linear_loss[[i]], multinomial_loss(drawn$x, drawn$y, task$data), tolerance = 1e-4)
  }
  expect_equal(cmp$runs$excess_loss, c(0, 0), tolerance = 1e-5)
  aside <- list(validation = 0.25)
  cmp <- compare_architectures(networks["tanh"], list(classes = task), replicates = 1, control = aside)
  kept <- suppressWarnings(fit(networks$tanh, task, seed = cmp$runs$seed, control = aside))$rows
  expect_equal(cmp$runs$linear_loss, multinomial_loss(kept$x, kept$y, task$data), tolerance = 1e-4)
})

test_that("one logit is sufficient for two classes", {
  networks <- list(
    one = input_vector(3) |> layer_dense(1, bias = TRUE),
    two = input_vector(3) |> layer_dense(2, bias = TRUE)
  )
  cmp <- compare_architectures(networks, list(classes = class_task(2)), replicates = 1)
  expect_true(all(cmp$runs$converged))
  expect_equal(cmp$runs$loss[[1]], cmp$runs$loss[[2]], tolerance = 1e-4)
  expect_equal(cmp$runs$excess_loss, c(0, 0), tolerance = 1e-4)
  expect_match(bad(compare_architectures(networks["one"], list(classes = class_task()), replicates = 1), "shape"),
    "one (a vector of 3, 1 output)", fixed = TRUE)
})

# ---- the same seed -------------------------------------------------------------------------------

test_that("the same seed gives the same comparison and leaves the user's stream unchanged", {
  withr::local_preserve_seed()
  set.seed(3)
  state <- .Random.seed
  one <- compare_architectures(nets, tasks, replicates = 2, n_obs = 30, seed = 5)
  expect_identical(.Random.seed, state)
  RNGkind("Wichmann-Hill")
  two <- compare_architectures(nets, tasks, replicates = 2, n_obs = 30, seed = 5)
  expect_identical(timeless(two), timeless(one))
})

test_that("without a seed set.seed() determines the result, and the seed is stored", {
  draw <- function() compare_architectures(nets["dense"], tasks["ar"], replicates = 2, seed = NULL)
  withr::local_preserve_seed()
  set.seed(3)
  one <- draw()
  two <- draw()
  set.seed(3)
  expect_identical(timeless(draw()), timeless(one))
  expect_false(two$seed == one$seed)
  again <- compare_architectures(nets["dense"], tasks["ar"], replicates = 2, seed = one$seed)
  expect_identical(timeless(again), timeless(one))
})

test_that("two workers give the same runs as one process, failed ones included", {
  big <- set_coef(nets$dilated, rep(1e200, 7))
  compare <- function(n_obs) {
    compare_architectures(c(nets, list(big = big)), tasks, replicates = 3, n_obs = n_obs)
  }
  alone <- lapply(c(Inf, 30), compare)
  local_workers()
  expect_same_runs(compare(Inf), alone[[1]])
  expect_same_runs(compare(30), alone[[2]])
  expect_identical(glance(alone[[1]])$failed, 6L)
  kept <- compare_architectures(with_bias, sunspots, replicates = 2)
  future::plan("sequential")
  expect_same_runs(kept, compare_architectures(with_bias, sunspots, replicates = 2))
})

test_that("an interrupt returns the runs that workers have finished", {
  full <- compare_architectures(nets, tasks, replicates = 3)
  local_workers()
  collected <- 0
  collect <- capalloc:::schedule_collect_chunk
  local_internal("schedule_collect_chunk", function(...) {
    collected <<- collected + 1
    if (collected == 3) rlang::interrupt()
    collect(...)
  })
  expect_message(stopped <- compare_architectures(nets, tasks, replicates = 3), "Interrupted")
  done <- is.na(stopped$runs$error)
  # Two chunks: the first has two runs, the others one.
  expect_true(sum(done) %in% 2:3)
  expect_identical(unique(stopped$runs$error[!done]), "interrupted")
  expect_true(all(is.na(stopped$runs$loss[!done])))
  expect_equal(stopped$runs$loss[done], full$runs$loss[done], tolerance = 1e-8)
  # The workers can be used again.
  expect_same_runs(compare_architectures(nets, tasks, replicates = 3), full)
})

# ---- failures ------------------------------------------------------------------------------------

test_that("failed runs are kept as rows with their error messages", {
  big <- list(big = set_coef(nets$dilated, rep(1e200, 7)))
  expect_warning(cmp <- compare_architectures(c(nets["dense"], big), tasks, replicates = 2), NA)
  failed <- cmp$runs$network == "big"
  expect_identical(is.na(cmp$runs$error), !failed)
  expect_match(cmp$runs$error[failed], "^Training diverged at iteration 0: the loss is not finite\\. [^\n]*$")
  expect_false(any(cmp$runs$converged[failed]))
  expect_true(all(cmp$runs$n_params[failed] == 7))
  numbers <- setdiff(names(run_types), c(
    "network", "task", "replicate", "seed", "n_params", "converged", "error"
  ))
  expect_true(all(is.na(cmp$runs[failed, numbers])))
  expect_identical(unique(cmp$allocation$network), "dense")
  without <- compare_architectures(nets["dense"], tasks, replicates = 2)
  expect_equal(timeless(cmp)$runs[!failed, ], timeless(without)$runs, tolerance = 0,
    ignore_attr = TRUE)
  expect_identical(cmp$allocation, without$allocation)
})

test_that("an error in one task is a row of that task", {
  stopping <- counted_task(tasks$ar, at = 2L, act = function() stop("no {more} rows"))
  cmp <- compare_architectures(nets["dense"], list(stopping = stopping, ar = tasks$ar),
    replicates = 3, n_obs = 30)
  expect_identical(cmp$runs$error, c(NA, "no {more} rows", NA, NA, NA, NA))
  expect_identical(is.na(cmp$runs$loss), !is.na(cmp$runs$error))
})

test_that("unconverged runs are rows with their loss and message", {
  # There is no warning for each run, but one for starts that end at different losses.
  expect_warning(
    cmp <- compare_architectures(nets, tasks["sparse"], replicates = 2, control = list(max_iterations = 1)),
    class = "capalloc_warning_starts"
  )
  # A single dense layer is solved directly.
  free <- cmp$runs$network == "dense"
  expect_identical(cmp$runs$converged, free)
  expect_identical(cmp$runs$error, ifelse(free, NA, "not converged: exhausted"))
  expect_false(anyNA(cmp$runs$loss))
  expect_identical(nrow(cmp$allocation), 6L * 8L)
  zero <- list(zero = set_coef(nets$dilated, numeric(7)))
  runs <- compare_architectures(zero, tasks["ar"], replicates = 1)$runs
  expect_identical(runs$error, "not converged: degenerate")
  expect_identical(runs[c("total_capacity", "loss")], list(0, 1), ignore_attr = TRUE)
})

test_that("an interrupt during a run returns the runs before it", {
  finished <- compare_architectures(nets[1:2], tasks["ar"], replicates = 3, n_obs = 30)
  task <- counted_task(tasks$ar, at = 5L, act = rlang::interrupt)
  expect_message(
    cmp <- compare_architectures(nets[1:2], list(ar = task), replicates = 3, n_obs = 30),
    "Interrupted"
  )
  expect_identical(counted$n, 5L)
  expect_identical(cmp$runs$error, rep(c(NA, "interrupted"), c(4, 2)))
  expect_equal(timeless(cmp)$runs[1:4, ], timeless(finished)$runs[1:4, ], tolerance = 0,
    ignore_attr = TRUE)
  expect_identical(cmp$runs$seed, finished$runs$seed)
  expect_equal(cmp$runs$n_params, finished$runs$n_params)
  expect_identical(cmp$allocation, finished$allocation[1:32, ], ignore_attr = TRUE)
  expect_identical(glance(cmp)$failed, 2L)
  expect_identical(summary(cmp)$runs, c(3L, 1L))
})

test_that("progress is reported once per run, and only where it is enabled", {
  seen <- NULL
  compare <- function() compare_architectures(nets, tasks, replicates = 2)
  expect_identical(with_steps(compare(), function(done) seen <<- c(seen, done)), 12)
  expect_identical(seen, as.double(1:12))
  withr::local_options(progressr.enable = NULL, capalloc.progress = NULL)
  expect_silent(compare())
})

test_that("options(capalloc.progress = TRUE) shows progress in Rscript too", {
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = FALSE, capalloc.progress = TRUE)
  said <- NULL
  withr::local_options(progressr.handlers = list(function(...) {
    progressr::make_progression_handler("test", reporter = list(
      update = function(config, state, ...) said <<- c(said, state$step)
    ), intrusiveness = 0, interval = 0, enable = TRUE)
  }))
  compare_architectures(nets["dense"], tasks["ar"], replicates = 3)
  expect_identical(max(said, 0), 3)
})

# ---- summaries -----------------------------------------------------------------------------------

test_that("summary() has means and Student intervals over replicates", {
  cmp <- compare_architectures(nets, tasks, replicates = 3, n_obs = 30)
  rows <- summary(cmp, level = 0.8)
  expect_s3_class(rows, c("ca_comparison_summary", "ca_frame", "data.frame"), exact = TRUE)
  expect_named(rows, c(
    "task", "network", "runs", "failed", "unconverged", "undecided", "redraws", "n_params", "generic_rank",
    "total_capacity", "total_low", "total_high", "loss", "loss_low", "loss_high", "loss_median", "excess_loss",
    "excess_low", "excess_high", "excess_median", "seconds"
  ))
  expect_identical(rows$task, rep(names(tasks), each = 3))
  expect_identical(rows$network, rep(names(nets), 2))
  for (i in seq_len(nrow(rows))) {
    runs <- cmp$runs[cmp$runs$task == rows$task[[i]] & cmp$runs$network == rows$network[[i]], ]
    loss <- t.test(runs$loss, conf.level = 0.8)
    excess <- t.test(runs$excess_loss, conf.level = 0.8)
    expect_equal(unlist(rows[i, -(1:5)]), c(
      sum(runs$undecided), sum(runs$redraws), runs$n_params[[1]], cmp$generic_rank[[rows$network[[i]]]],
      median(runs$total_capacity), min(runs$rank_low), max(runs$rank_high), loss$estimate, loss$conf.int,
      median(runs$loss), excess$estimate, excess$conf.int, median(runs$excess_loss), mean(runs$seconds)
    ), tolerance = 1e-12, ignore_attr = TRUE)
  }
  expect_true(all(rows$runs == 3 & rows$failed == 0 & rows$unconverged == 0))
  wider <- summary(cmp)
  expect_true(all(wider$loss_low < rows$loss_low & wider$loss_high > rows$loss_high))
  # A subset of its rows is a plain data frame.
  expect_identical(class(rows[1:2, ]), "data.frame")
})

test_that("summary() and print() show the number of undecided runs and the range of their totals", {
  cmp <- compare_architectures(nets["dilated"], tasks["ar"], replicates = 3)
  cmp$runs$rank_low <- c(4L, 3L, 4L)
  cmp$runs$rank_high <- c(4L, 4L, 6L)
  cmp$runs$total_capacity <- c(4, 4, 5)
  cmp$runs$undecided <- cmp$runs$rank_low < cmp$runs$rank_high
  rows <- summary(cmp)
  expect_identical(unlist(rows[c("total_capacity", "total_low", "total_high", "undecided")]), c(4, 3, 6, 2),
    ignore_attr = TRUE)
  said <- "2 of 3 runs have an undecided rank: see rank_low and rank_high"
  expect_output(print(cmp), said, fixed = TRUE)
  expect_output(print(rows), said, fixed = TRUE)
  expect_output(print(rows), "4 (3 to 6)", fixed = TRUE)
  expect_identical(format(rows)$`total capacity`, "4 (3 to 6)")
  expect_identical(glance(cmp)$undecided, 2L)
  cmp$runs$redraws <- c(0L, 5L, 1L)
  cmp$runs$relative_loss[[2]] <- 3
  expect_identical(summary(cmp)$redraws, 6L)
  expect_output(print(cmp), "6 starts worse than the best constant were drawn again", fixed = TRUE)
  expect_output(print(cmp), "1 of 3 runs has a loss above that of the best constant", fixed = TRUE)
})

test_that("summary() has the generic rank of each architecture", {
  shared <- list(
    # dilated: L + 1; low rank: r (m + n - r); a recurrence of 2 units: 2 H; nonlinear: none
    dilated = arch_dilated(8, filters = 1), low = input_vector(8) |> layer_dense(2) |> layer_dense(3),
    diagonal = diagonal$diagonal, tanh = arch_dense(8) |> layer_activation("tanh")
  )
  expect_identical(vapply(shared, capalloc:::compare_generic_rank, 0L), c(dilated = 4L, low = 18L, diagonal = 4L,
    tanh = NA))
  started <- set_coef(shared$dilated, numeric(7))
  expect_identical(capalloc:::compare_generic_rank(started), 4L)
  cmp <- quiet(compare_architectures(shared[c("dilated", "diagonal")], tasks["sparse"], replicates = 1))
  expect_identical(summary(cmp)$generic_rank, c(4L, 4L))
})

test_that("comparisons made by earlier versions print", {
  cmp <- quiet(compare_architectures(nets[1:2], tasks, replicates = 2))
  old <- cmp
  old$version <- old$generic_rank <- NULL
  old$runs <- old$runs[names(run_types)[1:18]]
  expect_output(print(old), "mean excess loss")
  expect_output(print(summary(old)), "total_capacity")
  same <- setdiff(names(summary(cmp)), "generic_rank")
  expect_identical(as.data.frame(summary(old))[same], as.data.frame(summary(cmp))[same])
  expect_identical(summary(old)$generic_rank, rep(NA_integer_, 4))
  expect_identical(augment(old)$efficiency, augment(cmp)$efficiency)
  expect_identical(glance(old), glance(cmp))
  expect_identical(rank_results(old), rank_results(cmp))
  expect_equal(quiet(contrast_architectures(old))$estimate, quiet(contrast_architectures(cmp))$estimate)
})

test_that("summary() counts failed runs and leaves them out of the means", {
  stopping <- counted_task(tasks$ar, at = 3L, act = function() stop("no more"))
  cmp <- compare_architectures(nets["dense"], list(a = stopping), replicates = 3, n_obs = 30)
  rows <- summary(cmp)
  expect_identical(unlist(rows[c("runs", "failed", "unconverged")]), c(2L, 1L, 0L),
    ignore_attr = TRUE)
  expect_equal(rows$loss, mean(cmp$runs$loss[1:2]), tolerance = 1e-14)
  expect_equal(c(rows$loss_low, rows$loss_high), t.test(cmp$runs$loss[1:2])$conf.int,
    tolerance = 1e-12, ignore_attr = TRUE)
  stopped <- suppressWarnings(
    compare_architectures(nets[1:2], tasks["sparse"], replicates = 2, control = list(max_iterations = 1)),
    classes = "capalloc_warning_starts"
  )
  expect_identical(summary(stopped)$unconverged, c(0L, 2L))
  expect_identical(glance(stopped)$unconverged, 2L)
  single <- summary(compare_architectures(nets["dense"], tasks["ar"], replicates = 1, n_obs = 30))
  expect_identical(unlist(single[c("loss_low", "loss_high", "excess_low", "excess_high")]),
    rep(NA_real_, 4), ignore_attr = TRUE)
  expect_false(is.na(single$loss))
})

test_that("means over no runs are NA", {
  big <- list(big = set_coef(nets$dilated, rep(1e200, 7)))
  rows <- as.data.frame(summary(quiet(compare_architectures(big, tasks["ar"], replicates = 2))))
  expect_identical(unlist(rows[3:9]), c(0L, 2L, 0L, 0L, 0L, 7L, 4L), ignore_attr = TRUE)
  expect_identical(unlist(rows[10:21]), rep(NA_real_, 12), ignore_attr = TRUE)
  expect_false(any(vapply(rows, function(x) any(is.nan(x)), NA)))
})

test_that("summary() states what its intervals are conditional on", {
  varies <- function(...) attr(summary(compare_architectures(..., replicates = 2)), "varies")
  expect_match(varies(nets["dense"], tasks["ar"]), "only the starting weights")
  expect_match(varies(with_bias["dense"], sunspots), "only the starting weights")
  expect_match(varies(nets["dense"], tasks["ar"], n_obs = 30), "starting weights and the sample")
  expect_match(varies(with_bias["dense"], sunspots, n_obs = 30), "with replacement")
})

test_that("tidy() gives the runs and glance() one row", {
  cmp <- compare_architectures(nets, tasks, replicates = 2, n_obs = 20, seed = 9)
  expect_identical(tidy(cmp), cmp$runs)
  expect_identical(glance(cmp), data.frame(
    networks = 3L, tasks = 2L, replicates = 2L, runs = 12L, failed = 0L, unconverged = 0L,
    undecided = 0L, n_obs = 20L, seed = 9L
  ))
  population <- compare_architectures(nets["dense"], tasks["ar"], replicates = 1)
  expect_identical(glance(population)$n_obs, Inf)
})

test_that("comparisons and summaries print", {
  # on samples, so that no printed digit is rounding error
  cmp <- compare_architectures(nets[c("dense", "conv")], tasks, replicates = 2, n_obs = 30)
  expect_snapshot({
    cmp
    summary(cmp)
  })
  mixed <- compare_architectures(with_bias["conv"], sunspots, replicates = 2, n_obs = 60)
  expect_snapshot({
    mixed
    summary(mixed, level = 0.8)
  })
  expect_identical(withVisible(print(cmp))$visible, FALSE)
})

# ---- bad arguments -------------------------------------------------------------------------------

test_that("invalid lists of networks and tasks are refused", {
  net <- nets$dense
  ar <- tasks["ar"]
  texts <- c(
    bad(compare_architectures(list(net), ar), "value"),
    bad(compare_architectures(list(a = net, b = net, a = net), ar), "value"),
    bad(compare_architectures(list(), ar), "type"),
    bad(compare_architectures(net, ar), "type"),
    bad(compare_architectures("dense", ar), "type"),
    bad(compare_architectures(NULL, ar), "type"),
    bad(compare_architectures(list(a = net, b = lm(dist ~ speed, cars)), ar), "type"),
    bad(compare_architectures(ar, nets), "type"),
    bad(compare_architectures(nets, unname(tasks)), "value"),
    bad(compare_architectures(nets, tasks$ar), "type"),
    bad(compare_architectures(nets, list(ar = net)), "type"),
    bad(compare_architectures(nets, c(ar, ar)), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("elements without a name are identified by number", {
  net <- nets$dense
  said <- function(networks) bad(compare_architectures(networks, tasks["ar"]), "value")
  expect_match(said(list(a = net, net, b = net, net)), "Elements 2 and 4 have none", fixed = TRUE)
  expect_match(said(list(a = net, net)), "Element 2 has none", fixed = TRUE)
  missing <- stats::setNames(list(net, net), c("a", NA))
  expect_match(said(missing), "Element 2 has none", fixed = TRUE)
})

test_that("invalid replicates, n_obs, seeds and further arguments are refused", {
  compare <- function(...) compare_architectures(nets["dense"], tasks["ar"], ...)
  texts <- c(
    bad(compare(replicates = 0), "value"),
    bad(compare(replicates = 2.5), "value"),
    bad(compare(replicates = Inf), "value"),
    bad(compare(n_obs = 1.5), "value"),
    bad(compare(n_obs = 0), "value"),
    bad(compare(n_obs = -Inf), "value"),
    bad(compare(n_obs = NULL), "value"),
    bad(compare(seed = "a"), "value"),
    bad(compare(seed = 1.5), "value"),
    bad(compare(epochs = 3, method = "lm", rate = 1), "value"),
    bad(compare(2, Inf, 1, "lm"), "value"),
    bad(summary(compare(replicates = 1), level = 1), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("arguments of fit() are checked before the first run", {
  compare <- function(...) compare_architectures(nets["dense"], tasks["ar"], ...)
  expect_match(bad(compare(method = "newton"), "value"), "`method`")
  expect_match(bad(compare(restarts = 0), "value"), "`restarts`")
  expect_match(bad(compare(control = list(epochs = 3)), "value"), "`control`")
})

test_that("calls by do.call() give the same errors", {
  bad(do.call(compare_architectures, list(list(a = 1), tasks)), "type")
})

test_that("networks on grids and vectors can be compared", {
  task <- task_image(3, 3, range = 2)
  networks <- list(grid = input_grid(3, 3) |> layer_dense(1), vector = input_vector(9) |> layer_dense(1))
  cmp <- compare_architectures(networks, list(image = task), replicates = 1)
  expect_true(all(cmp$runs$converged))
  rows <- cmp$allocation
  expect_equal(rows$row, c(rep(1:3, 3), rep(NA, 9)))
  expect_equal(rows$column, c(rep(1:3, each = 3), rep(NA, 9)))
  expect_equal(rows$capacity, rep(1, 18))
  expect_equal(cmp$demand$demand, task_demand(task)$demand)
})

test_that("a comparison whose runs all failed warns with the first message", {
  big <- list(big = set_coef(nets$dilated, rep(1e200, 7)))
  expect_warning(cmp <- compare_architectures(big, tasks["ar"], replicates = 2), class = "capalloc_warning_all_failed")
  expect_identical(sum(!is.na(cmp$runs$error)), 2L)
  said <- tryCatch(compare_architectures(big, tasks["ar"], replicates = 2),
    capalloc_warning_all_failed = conditionMessage)
  expect_match(said, cmp$runs$error[[1]], fixed = TRUE)
  expect_warning(compare_architectures(c(big, nets["dense"]), tasks["ar"], replicates = 1), NA)
})
