cars_task <- function(...) task_data(mpg ~ wt + hp, mtcars, seed = 1, ...)

series_rows <- function(begins) t(vapply(begins, function(i) as.double(sunspots[i + 0:2]), numeric(3)))

test_that("all rows of a task are in their order, also those between training and test rows of a series", {
  x <- as.matrix(mtcars[c("wt", "hp")])
  all <- resample_all_rows(cars_task())
  expect_near(all$x, unname(x), 0)
  expect_near(all$y, matrix(mtcars$mpg), 0)
  omitted <- mtcars
  omitted$hp[c(2, 30)] <- NA
  task <- task_data(mpg ~ wt + hp, omitted, seed = 1, na.action = na.omit)
  expect_identical(task$division$user, setdiff(1:32, c(2L, 30L)))
  expect_near(resample_all_rows(task)$y, matrix(mtcars$mpg[-c(2, 30)]), 0)
  series <- task_series(sunspots[1:60], length = 3, horizon = c(1, 6), test = 0.2)
  all <- resample_all_rows(series)
  expect_identical(nrow(all$x), 52L)
  expect_lt(nrow(series$data$x) + nrow(series$data$x_test), 52)
  expect_near(all$x[10, ], sunspots[10:12], 0)
  expect_near(all$y[10, ], sunspots[c(13, 18)], 0)
})

test_that("a resampled task has the given rows, the moments of its training rows and their naive error", {
  task <- task_resample(cars_task(), c(1:10, 10), 31:32)
  expect_near(task$data$y, matrix(mtcars$mpg[c(1:10, 10)]), 0)
  expect_near(task$data$y_test, matrix(mtcars$mpg[31:32]), 0)
  expect_near(task$moments$mean_x, colMeans(mtcars[c(1:10, 10), c("wt", "hp")]), 1e-12)
  weighted <- task_data(mpg ~ wt, mtcars, weights = hp, seed = 1)
  expect_near(task_resample(weighted, 1:5, 6:7)$data$test_weight, matrix(mtcars$hp[6:7]), 0)
  series <- task_series(ts(sunspots[1:60], frequency = 12), length = 3, horizon = 2)
  got <- task_resample(series, 11:20, 30:31)
  # row 11 begins at time 11, row 20 predicts time 24
  expect_near(got$naive, mean(abs(diff(sunspots[11:24], lag = 12))), 1e-12)
  # a fit on the resample is lm() on the same rows
  trained <- fit(arch_dense(3, bias = TRUE), got, seed = 1)
  expect_near(coef(lm(sunspots[15:24] ~ series_rows(11:20)))[-1], effective_weights(trained)[, 1:3], 1e-6)
})

test_that("folds divide the rows, with each class in its share, and are determined by the seed", {
  task <- cars_task()
  folds <- resample_plan(resample_folds(5, repeats = 2), task, seed = 3)
  expect_length(folds, 10)
  expect_identical(vapply(folds, `[[`, "", "id")[c(1, 10)], c("Repeat1 Fold1", "Repeat2 Fold5"))
  for (r in folds) expect_setequal(c(r$train, r$test), 1:32)
  for (repeated in list(1:5, 6:10)) expect_identical(sort(unlist(lapply(folds[repeated], `[[`, "test"))), 1:32)
  expect_true(all(lengths(lapply(folds, `[[`, "test")) %in% 6:7))
  expect_identical(resample_plan(resample_folds(5, repeats = 2), task, seed = 3), folds)
  # more repeats leave the first ones as they are
  expect_identical(resample_plan(resample_folds(5, repeats = 3), task, seed = 3)[1:10], folds)
  classes <- task_data(factor(rep(c("a", "b"), c(27, 5))) ~ wt, mtcars, seed = 1)
  for (r in resample_plan(resample_folds(5), classes, seed = 1)) expect_identical(sum(r$test > 27), 1L)
})

test_that("origins roll: test rows follow each other, training rows lie before, without values that are tested on", {
  series <- task_series(sunspots[1:60], length = 3, horizon = c(1, 6)) # 52 rows, 5 between
  rolled <- resample_plan(resample_rolling(3, test = 8), series, seed = 1)
  expect_identical(lapply(rolled, `[[`, "test"), list(29:36, 37:44, 45:52))
  expect_identical(lapply(rolled, `[[`, "train"), list(1:23, 1:31, 1:39))
  # the last training row predicts up to time 23 + 2 + 6, the first test row predicts time 29 + 2 + 1
  expect_lt(23 + 2 + 6, 29 + 2 + 1)
  window <- resample_plan(resample_rolling(3, test = 8, window = 10), series, seed = 1)
  expect_identical(lapply(window, `[[`, "train"), list(14:23, 22:31, 30:39))
  by_default <- resample_plan(resample_rolling(3), task_series(sunspots[1:60], length = 3), seed = 1)
  expect_identical(by_default[[3]]$test, 44:57) # 57 / 4 rows
})

test_that("resamples that leak, overlap or do not exist are refused", {
  series <- task_series(sunspots[1:60], length = 3)
  task <- cars_task()
  expect_snapshot({
    cat(bad(task_resample(task, 1:10, 10:12), "value"))
    cat(bad(task_resample(task, 0:3, 10:12), "value"))
    cat(bad(task_resample(task_ar(3, 0.5), 1:3, 4), "type"))
    cat(bad(task_resample(series, 20:30, 1:10), "value"))
    cat(bad(resample_plan(resample_folds(5), series, 1), "value"))
    cat(bad(resample_plan(resample_folds(33), task, 1), "value"))
    cat(bad(resample_plan(resample_rolling(3, test = 30), series, 1), "value"))
    cat(bad(resample_folds(1), "value"))
    resample_folds(5, 2)
    resample_rolling(3, test = 8, window = 10)
  })
  # the first time that may be tested on is the one after the last value of the training rows
  expect_identical(nrow(task_resample(series, 1:10, 11)$data$x_test), 1L)
})

test_that("records have their fields", {
  expect_constructor(new_resample)
  expect_constructor(new_task_division)
})
