# Intervals of an allocation compared with refits by hand.

# A network whose allocation depends on its weights, and a task on which starts end in several optima.
small <- function() arch_dilated(16, filters = 1)
sparse <- classical_tasks(16)$sparse
sampled <- function(seed = 1, ...) quiet(fit(small(), sparse, n_obs = 200, seed = seed, ...))
# Refits by hand use unstandardised rows.
raw_sequence <- function(x, y) task_data(x, drop(y), test = 0, input = input_sequence(ncol(x)), standardise = FALSE)

refit_summary <- function(draws, level = 0.95) {
  ends <- apply(draws, 2, quantile, c((1 - level) / 2, (1 + level) / 2), type = 6)
  data.frame(std.error = apply(draws, 2, sd), conf.low = ends[1, ], conf.high = ends[2, ])
}

test_that("tidy() without intervals has no interval columns", {
  k <- capacity(sampled())
  expect_identical(names(tidy(k)), c("input", "position", "lag", "channel", "capacity", "capacity_low"))
  expect_identical(class(tidy(k, conf.int = TRUE, times = 5, seed = 1)), "data.frame")
})

test_that("over = \"samples\" refits from the trained weights on new samples", {
  trained <- sampled()
  got <- tidy(capacity(trained), conf.int = TRUE, over = "samples", times = 8, seed = 2, conf.level = 0.8)
  draws <- t(vapply(capalloc:::derive_seeds(2, 8), function(seed) {
    rows <- simulate(sparse, 200, seed = capalloc:::derive_seeds(seed, 1))
    task <- raw_sequence(rows$x, rows$y)
    capacity(quiet(fit(trained$network, task)))$capacity
  }, numeric(16)))
  # Training on the same moments from the same weights: allocations of converged runs agree to 1e-6.
  expect_equal(got[c("std.error", "conf.low", "conf.high")], refit_summary(draws, 0.8), tolerance = 1e-5,
    ignore_attr = TRUE)
  expect_identical(got$capacity, capacity(trained)$capacity)
})

test_that("over = \"rows\" resamples the training rows", {
  x <- 20 + 3 * withr::with_seed(1, matrix(rnorm(640), 40, 16))
  y <- 2 * x[, 8] + x[, 3] / 2 + withr::with_seed(2, rnorm(40))
  trained <- quiet(fit(small(), task_data(x, y, test = 0, input = input_sequence(16)), seed = 1))
  got <- tidy(quiet(capacity(trained)), conf.int = TRUE, over = "rows", times = 6, seed = 2) |> quiet()
  draws <- t(vapply(capalloc:::derive_seeds(2, 6), function(seed) {
    at <- capalloc:::with_seed(capalloc:::derive_seeds(seed, 1), sample.int(40, replace = TRUE))
    # The trained coefficients are used unchanged, in the units of the resampled rows.
    spread <- function(v) sqrt(mean((v - mean(v))^2))
    standard <- function(v) (v - mean(v)) / spread(v)
    task <- raw_sequence(standard(x[at, ]), standard(y[at]))
    trained$network$units <- NULL
    quiet(capacity(quiet(fit(trained$network, task))))$capacity
  }, numeric(16)))
  expect_equal(got[c("std.error", "conf.low", "conf.high")], refit_summary(draws), tolerance = 1e-5,
    ignore_attr = TRUE)
})

test_that("over = \"restarts\" keeps the sample and draws new starts", {
  trained <- sampled(restarts = 2)
  got <- quiet(tidy(capacity(trained), conf.int = TRUE, over = "restarts", times = 6, seed = 2))
  task <- raw_sequence(trained$rows$x, trained$rows$y)
  draws <- t(vapply(capalloc:::derive_seeds(2, 6), function(seed) {
    starts <- capalloc:::derive_seeds(seed, 3)[-1]
    fits <- lapply(starts, function(start) quiet(fit(initialise(small(), seed = start), task)))
    capacity(fits[[which.min(vapply(fits, function(f) f$train_loss, 0))]])$capacity
  }, numeric(16)))
  expect_equal(got[c("std.error", "conf.low", "conf.high")], refit_summary(draws), tolerance = 1e-5,
    ignore_attr = TRUE)
})

test_that("over = c(\"rows\", \"restarts\") resamples rows and draws new starts", {
  trained <- sampled(restarts = 2)
  by_hand <- function(rows_of) {
    t(vapply(capalloc:::derive_seeds(2, 6), function(seed) {
      seeds <- capalloc:::derive_seeds(seed, 3)
      rows <- rows_of(seeds[[1]])
      task <- raw_sequence(rows$x, rows$y)
      fits <- lapply(seeds[-1], function(start) quiet(fit(initialise(small(), seed = start), task)))
      capacity(fits[[which.min(vapply(fits, function(f) f$train_loss, 0))]])$capacity
    }, numeric(16)))
  }
  drawn <- by_hand(function(seed) {
    at <- capalloc:::with_seed(seed, sample.int(200, replace = TRUE))
    lapply(trained$rows, function(z) z[at, , drop = FALSE])
  })
  ask <- function(over, ...) quiet(tidy(capacity(trained), conf.int = TRUE, over = over, times = 6, seed = 2, ...))
  got <- ask(c("rows", "restarts"))
  expect_equal(got[c("std.error", "conf.low", "conf.high")], refit_summary(drawn), tolerance = 1e-5,
    ignore_attr = TRUE)
  expect_identical(ask(c("restarts", "rows")), got)
  fresh <- by_hand(function(seed) simulate(sparse, 200, seed = seed))
  expect_equal(ask(c("samples", "restarts"))[c("std.error", "conf.low", "conf.high")], refit_summary(fresh),
    tolerance = 1e-5, ignore_attr = TRUE)
  # The default varies the starts only.
  expect_identical(quiet(tidy(capacity(trained), conf.int = TRUE, times = 6, seed = 2)), ask("restarts"))
  # Where starts change the allocation, intervals are wider than those over rows from one optimum.
  expect_gt(mean(got$std.error), mean(ask("rows")$std.error))
})

test_that("refits over restarts draw their starts also where the fit was given one", {
  given <- initialise(small(), seed = 9)
  trained <- quiet(fit(given, sparse, n_obs = 200, seed = 1))
  spread <- function(...) quiet(tidy(capacity(trained), conf.int = TRUE, times = 5, seed = 1, ...))$std.error
  expect_gt(max(spread(over = "restarts")), 0.01)
  expect_gt(max(spread(over = c("rows", "restarts"))), 0.01)
  # rows of a series are resampled in blocks
  series <- quiet(fit(arch_conv(12, 2, 3, bias = TRUE), task_series(lynx, 12), seed = 1))
  got <- quiet(tidy(capacity(series), conf.int = TRUE, over = c("rows", "restarts"), times = 3, block_length = 10,
    seed = 1))
  expect_identical(nrow(got), 13L)
})

test_that("a free linear model has zero standard errors for every source of variation", {
  trained <- fit(arch_dense(8), task_fgn(8, 0.8), n_obs = 50, seed = 1)
  for (over in list("restarts", "samples", "rows", c("rows", "restarts"), c("samples", "restarts"))) {
    got <- tidy(capacity(trained), conf.int = TRUE, over = over, times = 5, seed = 1)
    expect_identical(got$std.error, rep(0, 8))
    expect_equal(got$conf.low, rep(1, 8), tolerance = 1e-12)
  }
  # A fit on a population can vary its restarts.
  expect_identical(tidy(capacity(fit(arch_dense(8), task_fgn(8, 0.8), seed = 1)), conf.int = TRUE,
    times = 3)$std.error, rep(0, 8))
})

test_that("refits use the metric, partition and ridge of the capacity", {
  trained <- sampled()
  k <- capacity(trained, metric = "covariance", partition = partition_octaves(), ridge = 0.01)
  got <- tidy(k, conf.int = TRUE, over = "rows", times = 5, seed = 1)
  expect_named(got, c("part", "capacity", "std.error", "conf.low", "conf.high"))
  source <- attr(k, "source")
  seed <- capalloc:::derive_seeds(1, 5)[[1L]]
  one <- capalloc:::interval_refit_once(source, "rows", 1L, seed)
  again <- capalloc:::interval_refit(trained, capalloc:::interval_drawn_sample(trained, 1L,
    capalloc:::derive_seeds(seed, 1)), 1L)
  expect_identical(one$capacity,
    capacity(again, metric = "covariance", partition = partition_octaves(), ridge = 0.01)$capacity)
})

test_that("resampled blocks are consecutive rows, and are used for series in time order only", {
  at <- withr::with_seed(1, capalloc:::draw_blocks(100, 8))
  expect_length(at, 100)
  steps <- matrix(diff(c(at, NA))[1:96], 8)[1:7, ]
  expect_true(all(steps == 1))
  expect_true(all(at >= 1 & at <= 100))
  expect_setequal(withr::with_seed(1, capalloc:::draw_blocks(5, 5)), 1:5)
  series <- quiet(fit(arch_conv(12, 2, 3, bias = TRUE), task_series(lynx, 12), seed = 1))
  block <- function(fit, ...) capalloc:::check_interval_block_length(..., fit = fit, over = "rows")
  # The default is the window; a given length is used; many rows give their cube root.
  expect_identical(block(series, NULL), 12L)
  expect_identical(block(series, 3), 3L)
  long <- fit(arch_dense(2, bias = TRUE), task_series(datasets::sunspots, 2), seed = 1)
  expect_identical(block(long, NULL), as.integer(ceiling(nobs(long)^(1 / 3))))
  expect_identical(block(sampled(), NULL), 1L)
  redrawn <- quiet(fit(arch_dense(2, bias = TRUE), task_series(lynx, 2), n_obs = 40, seed = 1))
  expect_identical(block(redrawn, NULL), 1L)
  got <- quiet(tidy(capacity(series), conf.int = TRUE, over = "rows", times = 4, block_length = 10, seed = 1))
  expect_identical(nrow(got), 13L)
})

test_that("nonlinear networks, classes and early stopping are refitted on rows", {
  net <- input_sequence(4) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1)
  trained <- quiet(fit(net, task_fgn(4, 0.8), n_obs = 100, seed = 1, control = list(validation = 0.2)))
  expect_identical(dim(trained$validation$x), c(20L, 4L))
  for (over in list("restarts", "samples", "rows", c("rows", "restarts"))) {
    # Refits are stopped early as the fit was, without a warning that they did not converge.
    expect_warning(
      got <- suppressWarnings(tidy(capacity(trained), conf.int = TRUE, over = over, times = 3, seed = 1),
        classes = "capalloc_warning_rank_gap"), NA)
    expect_identical(nrow(got), 5L)
    expect_true(all(got$conf.low <= got$conf.high))
  }
  cars <- fit(arch_dense(input_vector(2), bias = TRUE), task_data(factor(am) ~ wt + hp, mtcars, test = 0), seed = 1)
  got <- quiet(tidy(capacity(cars), conf.int = TRUE, over = "restarts", times = 3, seed = 1))
  expect_equal(got$conf.low, got$capacity, tolerance = 1e-6)
  # groups of samples, at fixed inputs
  x <- simulate(task_fgn(4, 0.8), 6, seed = 1)$x
  k <- capacity(trained, data = x, by = rep(c("a", "b"), 3))
  expect_named(quiet(tidy(k, conf.int = TRUE, over = "rows", times = 3, seed = 1))[1], "group")
  bad(tidy(capacity(trained, by = "sample"), conf.int = TRUE, over = "rows"), "value")
})

test_that("the warning counts refits that failed or did not converge", {
  expect_snapshot(writeLines(conditionMessage(
    expect_warning(capalloc:::warn_interval_refits(2, 3, 100), class = "capalloc_warning_refits"))))
  expect_warning(capalloc:::warn_interval_refits(0, 0, 100), NA)
  trained <- sampled()
  expect_true(trained$converged)
  trained$control$max_iterations <- 0
  expect_warning(tidy(capacity(trained), conf.int = TRUE, over = "rows", times = 3, seed = 1),
    class = "capalloc_warning_refits")
  trained$network$coef[] <- 1e200
  trained$rows$x[] <- 1e200
  k <- capacity(sampled())
  attr(k, "source")$fit <- trained
  expect_match(bad(tidy(k, conf.int = TRUE, over = "rows", times = 3, seed = 1), "value"), "0 of 3")
})

test_that("refits that all diverge are an error", {
  trained <- sampled()
  k <- capacity(trained)
  trained$network$coef[] <- 1e200
  attr(k, "source")$fit <- trained
  expect_snapshot(writeLines(bad(tidy(k, conf.int = TRUE, over = "rows", times = 3, seed = 1), "value")))
})

test_that("a seed, or R's own stream, reproduces the intervals", {
  k <- capacity(sampled())
  ask <- function(...) tidy(k, conf.int = TRUE, over = "rows", times = 4, ...)
  expect_identical(ask(seed = 1), ask(seed = 1))
  expect_identical(withr::with_seed(1, ask()), withr::with_seed(1, ask()))
  expect_false(identical(ask(seed = 1), ask(seed = 2)))
})

test_that("allocations that cannot be refitted are refused by class", {
  k <- capacity(sampled())
  population <- capacity(quiet(fit(small(), sparse, seed = 1)))
  cars <- capacity(fit(arch_dense(input_vector(2), bias = TRUE), task_data(mpg ~ wt + hp, mtcars, seed = 1), seed = 1))
  series <- capacity(fit(arch_dense(2, bias = TRUE), task_series(lynx, 2), seed = 1))
  texts <- c(
    bad(tidy(capacity(initialise(small(), seed = 1)), conf.int = TRUE), "value"),
    bad(tidy(population, conf.int = TRUE, over = "rows"), "value"),
    bad(tidy(population, conf.int = TRUE, over = "samples"), "value"),
    bad(tidy(cars, conf.int = TRUE, over = "samples"), "value"),
    bad(tidy(k, conf.int = "yes"), "value"),
    bad(tidy(k, conf.int = TRUE, conf.level = 2), "value"),
    bad(tidy(k, conf.int = TRUE, over = "starts"), "value"),
    bad(tidy(k, conf.int = TRUE, over = c("rows", "samples")), "value"),
    bad(tidy(k, conf.int = TRUE, over = c("rows", "starts")), "value"),
    bad(tidy(population, conf.int = TRUE, over = c("rows", "restarts")), "value"),
    bad(tidy(k, conf.int = TRUE, times = 1), "value"),
    bad(tidy(k, conf.int = TRUE, over = "rows", block_length = 5), "value"),
    bad(tidy(series, conf.int = TRUE, over = "rows", block_length = 1000), "value"),
    bad(tidy(k, conf.int = TRUE, by = "rows"), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("a profile is drawn with its intervals", {
  skip_if_not_installed("ggplot2")
  k <- capacity(sampled())
  shown <- layers(ggplot2::autoplot(k, conf.int = TRUE, over = "rows", times = 5, seed = 1))
  got <- tidy(k, conf.int = TRUE, over = "rows", times = 5, seed = 1)
  ranges <- shown[[3L]][order(-shown[[3L]]$x), ]
  expect_equal(c(ranges$ymin, ranges$ymax), c(got$conf.low, got$conf.high))
  octaves <- capacity(sampled(), partition = partition_octaves())
  expect_length(layers(ggplot2::autoplot(octaves, conf.int = TRUE, times = 3, seed = 1)), 2L + 1L)
  bad(ggplot2::autoplot(k, over = "rows"), "value")
})
