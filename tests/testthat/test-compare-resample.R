cars_task <- function(...) task_data(mpg ~ wt + hp, mtcars, seed = 1, ...)
cars_networks <- function() list(linear = arch_dense(input_vector(2)), tanh = input_vector(2) |>
  layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE))

test_that("folds are the replicates, and losses of the linear network are those of lm() on the same rows", {
  cmp <- quiet(compare_architectures(cars_networks(), list(cars = cars_task()), resamples = resample_folds(4)))
  expect_identical(cmp$replicates, 4L)
  expect_identical(nrow(cmp$runs), 8L)
  folds <- cmp$resamples$cars
  by_hand <- vapply(folds, function(r) {
    trained <- lm(mpg ~ wt + hp, mtcars[r$train, ])
    mean((mtcars$mpg[r$test] - predict(trained, mtcars[r$test, ]))^2)
  }, 0)
  linear <- cmp$runs[cmp$runs$network == "linear", ]
  expect_equal(linear$loss, by_hand, tolerance = 1e-7)
  null <- vapply(folds, function(r) mean((mtcars$mpg[r$test] - mean(mtcars$mpg[r$train]))^2), 0)
  expect_equal(linear$null_loss, null, tolerance = 1e-10)
  expect_equal(cmp$runs$linear_loss, rep(by_hand, 2), tolerance = 1e-7)
  # one run is repeated by hand
  run <- cmp$runs[cmp$runs$network == "tanh" & cmp$runs$replicate == 3, ]
  task <- task_resample(cmp$tasks$cars, folds[[3]]$train, folds[[3]]$test)
  expect_identical(quiet(fit(cars_networks()$tanh, task, seed = run$seed))$loss, run$loss)
})

test_that("rolling origins of a series equal lm() on the windows before each origin", {
  s <- as.double(log(AirPassengers))
  task <- task_series(s, lags = c(1, 12))
  cmp <- quiet(compare_architectures(list(linear = arch_dense(input_vector(2))), list(air = task),
    resamples = resample_rolling(3, test = 12)))
  rows <- data.frame(y = s[13:144], lag1 = s[12:143], lag12 = s[1:132])
  by_hand <- vapply(1:3, function(i) {
    before <- 132 - (4 - i) * 12
    trained <- lm(y ~ ., rows[seq_len(before), ])
    held <- rows[before + 1:12, ]
    c(mean((held$y - predict(trained, held))^2), mean(abs(held$y - predict(trained, held))) /
      mean(abs(diff(s[seq_len(before + 12)]))))
  }, numeric(2))
  expect_equal(cmp$runs$loss, by_hand[1, ], tolerance = 1e-7)
  expect_equal(cmp$runs$mase, by_hand[2, ], tolerance = 1e-6)
})

test_that("a number means folds for rows, and origins for rows in order of time", {
  read <- function(task) read_resamples(3, list(t = task), NULL, Inf, 1)$t
  expect_setequal(unlist(lapply(read(cars_task()), `[[`, "test")), 1:32)
  expect_identical(read(cars_task(split = "last"))[[3]]$test, 25:32)
  expect_identical(read(task_series(sunspots[1:60], 3))[[1]]$id, "Origin1")
})

test_that("splits of rsample are read, of rows and of times", {
  skip_if_not_installed("rsample")
  folds <- withr::with_seed(1, rsample::vfold_cv(mtcars, v = 4))
  read <- read_resamples(folds, list(cars = cars_task()), NULL, Inf, 1)$cars
  expect_identical(vapply(read, `[[`, "", "id"), folds$id)
  for (i in 1:4) {
    expect_identical(mtcars[read[[i]]$train, ], rsample::analysis(folds$splits[[i]]), ignore_attr = TRUE)
    expect_setequal(read[[i]]$test, match(rownames(rsample::assessment(folds$splits[[i]])), rownames(mtcars)))
  }
  # a list of splits, by task, and a bootstrap with repeated rows
  boot <- withr::with_seed(1, rsample::bootstraps(mtcars, times = 2))
  read <- read_resamples(list(cars = boot$splits), list(cars = cars_task()), NULL, Inf, 1)$cars
  expect_identical(sort(read[[1]]$train), sort(boot$splits[[1]]$in_id))
  # rolling origins of the times of a series: windows within the analysis, predictions within the assessment
  frame <- data.frame(sunspots = as.double(sunspots[1:60]))
  rolled <- rsample::rolling_origin(frame, initial = 30, assess = 5, skip = 9)
  series <- task_series(frame, length = 3, horizon = 1)
  read <- read_resamples(rolled, list(s = series), NULL, Inf, 1)$s
  expect_identical(read[[1]]$train, 1:27) # the window 27:29 predicts time 30
  expect_identical(read[[1]]$test, 28:32) # the window 28:30 predicts time 31
  expect_snapshot({
    cat(bad(read_resamples(folds, list(s = series), NULL, Inf, 1), "shape"))
    shuffled <- withr::with_seed(1, rsample::vfold_cv(frame, v = 4))
    cat(bad(read_resamples(shuffled, list(s = series), NULL, Inf, 1), "value"))
  })
})

test_that("resamples extend in a checkpoint, and other rows are not read as the same run", {
  dir <- withr::local_tempdir()
  compare <- function(resamples, dir = NULL) {
    quiet(compare_architectures(cars_networks()["linear"], list(cars = cars_task()), resamples = resamples,
      checkpoint = dir))
  }
  first <- compare(resample_folds(3), dir)
  more <- compare(resample_folds(3, repeats = 2), dir)
  expect_identical(more$runs[1:3, ], first$runs, ignore_attr = TRUE)
  whole <- compare(resample_folds(3, repeats = 2))
  timed <- names(whole$runs) != "seconds"
  expect_identical(more$runs[timed], whole$runs[timed])
  # Other folds of the same name are computed again, with a warning.
  expect_warning(other <- compare_architectures(cars_networks()["linear"], list(cars = cars_task()),
    resamples = resample_folds(4), checkpoint = dir), class = "capalloc_warning_checkpoint")
  expect_identical(other$runs[timed], compare(resample_folds(4))$runs[timed])
})

test_that("contrasts of resamples use their correlation by default, and say so", {
  cmp <- quiet(compare_architectures(cars_networks(), list(cars = cars_task()), resamples = resample_folds(4)))
  contrast <- function(...) {
    withCallingHandlers(contrast_architectures(cmp, "loss", ...),
      capalloc_warning_not_comparable = function(w) invokeRestart("muffleWarning"))
  }
  expect_warning(made <- contrast(), NA)
  d <- with(cmp$runs, loss[network == "linear"] - loss[network == "tanh"])
  # Nadeau and Bengio: variance (1/n + n_test/n_train) s^2
  error <- sqrt(1 / 4 + (8 / 32) / (1 - 8 / 32)) * sd(d)
  expect_equal(made$statistic, mean(d) / error, tolerance = 1e-8)
  expect_output(print(made), "rho 0.25")
  expect_equal(contrast(rho = 0)$statistic, unname(t.test(d)$statistic), tolerance = 1e-8)
  expect_warning(contrast(test = "wilcoxon"), class = "capalloc_warning_resampled")
  expect_output(print(summary(cmp)), "4 resamples")
})

test_that("draws of rows of a series are blocks", {
  task <- task_series(as.double(seq_len(100)), length = 4)
  drawn <- simulate(task, 40, seed = 1)
  expect_identical(sum(diff(drawn$y[, 1]) == 1) >= 30, TRUE)
})

test_that("bad resamples are refused", {
  nets <- cars_networks()["linear"]
  compare <- function(...) compare_architectures(nets, list(cars = cars_task()), ...)
  expect_snapshot({
    cat(bad(compare(resamples = "ten"), "type"))
    cat(bad(compare(resamples = 1), "value"))
    cat(bad(compare(resamples = 4, replicates = 10), "value"))
    cat(bad(compare(resamples = 4, n_obs = 20), "value"))
    cat(bad(compare(resamples = list(other = 4)), "value"))
    cat(bad(compare_architectures(list(a = arch_dense(8)), classical_tasks(8)["ar"], resamples = 4), "value"))
    cat(bad(compare_architectures(nets, list(a = cars_task(), b = cars_task()),
      resamples = list(a = 3, b = 4)), "value"))
  })
})
