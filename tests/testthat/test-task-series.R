test_that("windows slide over 1:10", {
  task <- task_series(1:10, length = 3, horizon = 2, test = 0.5)
  expect_identical(task$data, list(
    x = rbind(1:3, 2:4, 3:5) + 0, y = matrix(c(5, 6, 7)),
    x_test = rbind(4:6, 5:7, 6:8) + 0, y_test = matrix(c(8, 9, 10))
  ))
  expect_equal(task$moments, list(
    sigma = crossprod(task$data$x) / 3, cross = crossprod(task$data$x, task$data$y) / 3,
    target = crossprod(task$data$y) / 3, mean_x = c(2, 3, 4), mean_y = 6
  ))
  expect_identical(task_demand(task)$lag, 3:1)
  expect_identical(bayes_loss(task), NA_real_)
})

test_that("held-out values lie after all values used in training", {
  for (horizon in 1:3) {
    for (test in c(0, 0.2, 0.9)) {
      task <- task_series(1:30, 4, horizon, test)
      rows <- 30 - 4 - horizon + 1
      expect_identical(nrow(task$data$x_test), as.integer(round(test * rows)))
      expect_identical(nrow(task$data$x) + nrow(task$data$x_test), as.integer(rows))
      expect_lt(max(task$data$x, task$data$y), min(task$data$y_test, Inf))
    }
  }
})

# Returns the rows by definition: one for each time whose window and outputs are all available.
twin_windows <- function(series, length, horizon) {
  series <- as.matrix(series)
  x <- y <- NULL
  for (t in seq_len(nrow(series))) {
    if (t < length || t + max(horizon) > nrow(series)) next
    x <- rbind(x, as.vector(t(series[(t - length + 1):t, , drop = FALSE])))
    y <- rbind(y, as.vector(t(series[t + horizon, , drop = FALSE])))
  }
  list(x = unname(x), y = unname(y))
}

test_that("several horizons are several outputs of the rows that have all of them", {
  two <- cbind(up = 1:40 + 0, down = -(1:40) / 3)
  for (series in list(1:40 + 0, two, unname(two))) {
    for (horizon in list(1, 3, c(1, 2), c(2, 5, 9))) {
      task <- task_series(series, 4, horizon, test = 0)
      expect_identical(task$data[c("x", "y")], twin_windows(series, 4, horizon))
      expect_identical(task$outputs, length(horizon) * NCOL(series))
      expect_equal(task$moments$target, crossprod(task$data$y) / nrow(task$data$y), tolerance = 1e-13)
    }
  }
  expect_identical(task_series(1:12, 3, c(2, 4), test = 0)$data$y, cbind(5:10, 7:12) + 0)
})

test_that("with several horizons held-out values lie after all values used in training", {
  for (horizon in list(c(1, 2), c(1, 4), 2:5)) {
    all <- twin_windows(1:60, 4, horizon)
    rows <- nrow(all$x)
    for (test in c(0, 0.2, 0.5)) {
      task <- task_series(1:60, 4, horizon, test)
      held_out <- as.integer(round(test * rows))
      between <- if (held_out > 0) max(horizon) - min(horizon) else 0
      train <- rows - held_out - between
      expect_identical(task$data$x, all$x[seq_len(train), ] + 0)
      expect_identical(task$data$y, all$y[seq_len(train), ] + 0)
      # The last rows are held out.
      expect_identical(task$data$x_test, all$x[rows - held_out + seq_len(held_out), , drop = FALSE] + 0)
      expect_identical(task$data$y_test, all$y[rows - held_out + seq_len(held_out), , drop = FALSE] + 0)
      expect_lt(max(task$data$x, task$data$y), min(task$data$y_test, Inf))
      # No more rows are omitted than necessary.
      if (held_out > 0) expect_identical(max(task$data$y) + 1, min(task$data$y_test))
    }
  }
})

test_that("outputs of several horizons are named after channel and horizon", {
  named <- cbind(up = 1:9, down = 9:1)
  expect_identical(
    task_series(named, 2, c(1, 3))$output_labels,
    c("up at h = 1", "down at h = 1", "up at h = 3", "down at h = 3")
  )
  expect_identical(
    task_series(unname(named), 2, c(1, 3))$output_labels,
    c("channel 1 at h = 1", "channel 2 at h = 1", "channel 1 at h = 3", "channel 2 at h = 3")
  )
  expect_identical(task_series(1:9, 2, c(1, 3))$output_labels, c("h = 1", "h = 3"))
  expect_null(task_series(1:9, 2, 3)$output_labels)
  expect_identical(task_series(1:9, 2, c(1, 3))$label, "series of 9 values, length 2, horizons 1, 3")
})

test_that("a ts gives the same task as its values, except for the season", {
  series <- ts(c(3, 1, 4, 1, 5, 9), start = 2000, frequency = 12)
  plain <- task_series(c(3, 1, 4, 1, 5, 9), 2)
  expect_identical(task_series(ts(c(series)), 2), plain)
  but_season <- function(task) task[setdiff(names(task), c("naive", "division"))]
  expect_identical(but_season(task_series(series, 2)), but_season(plain))
  expect_identical(task_series(matrix(series), 2), task_series(as.numeric(series), 2))
})

test_that("columns are channels, channel-fastest, and all are predicted", {
  series <- cbind(up = 1:5, down = -(1:5))
  task <- task_series(series, length = 2, test = 0)
  expect_identical(task$data$x, rbind(c(1, -1, 2, -2), c(2, -2, 3, -3), c(3, -3, 4, -4)))
  expect_identical(task$data$y, rbind(c(3, -3), c(4, -4), c(5, -5)))
  expect_identical(task$input$shape, c(2L, 1L, 2L))
  expect_identical(task$output_labels, c("up", "down"))
  expect_identical(task_demand(task)$input, c("up[1]", "down[1]", "up[2]", "down[2]"))
  expect_identical(task_series(ts(series), 2, test = 0), task)
})

test_that("oracle weights are those of least squares on the windows", {
  task <- task_series(lh, length = 3, test = 0)
  w <- oracle_weights(task)
  fit <- lm(task$data$y ~ task$data$x)
  # The condition number of the covariance is below 1e2.
  expect_equal(w[c(4, 1:3)], unname(coef(fit)), tolerance = 1e-12)
})

test_that("the shortest series has one window", {
  task <- task_series(1:4, 3)
  expect_identical(task$data$x, rbind(1:3) + 0)
  expect_identical(nrow(task$data$x_test), 0L)
})

test_that("bad series are refused by class", {
  texts <- c(
    bad(task_series(1:4, 3, horizon = 2), "shape"),
    bad(task_series(1:4, 4), "shape"),
    bad(task_series(numeric(), 1), "shape"),
    bad(task_series(c(1, 2, NA, 4, NA), 2), "value"),
    bad(task_series(ts(c(1, Inf, 3)), 1), "value"),
    bad(task_series(cbind(a = 1:3, b = c(1, NaN, 2)), 1), "value"),
    bad(task_series("sales", 2), "type"),
    bad(task_series(letters, 2), "type"),
    bad(task_series(data.frame(sales = letters), 2), "type"),
    bad(task_series(as.Date("2020-01-01") + 0:5, 2), "type"),
    bad(task_series(factor(1:5), 2), "type"),
    bad(task_series(NULL, 2), "type"),
    bad(task_series(array(1, c(2, 2, 2)), 1), "type"),
    bad(task_series(1:10, 0), "value"),
    bad(task_series(1:10, 2, horizon = 0.5), "value"),
    bad(task_series(1:10, 2, test = 1), "value"),
    bad(task_series(1:10, 2, test = NA), "value"),
    bad(task_series(1:14, 3, horizon = c(1, 12)), "shape"),
    bad(task_series(1:17, 3, horizon = c(1, 12)), "value"),
    bad(task_series(1:20, 3, horizon = c(1, 9), test = 0.5), "value"),
    bad(task_series(1:10, 2, horizon = c(2, 1)), "value")
  )
  expect_snapshot(writeLines(texts))
})

# ---- targets, lags and columns that are known ahead ----------------------------------------------------

test_that("only targets are predicted, and all columns are inputs", {
  two <- cbind(up = 1:40 + 0, down = -(1:40) / 3, wave = sin(1:40))
  all <- task_series(two, 4, c(1, 3), test = 0)
  for (target in list("down", c("wave", "up"), 3, c(2, 3))) {
    task <- task_series(two, 4, c(1, 3), test = 0, target = target)
    at <- if (is.character(target)) match(target, colnames(two)) else target
    expect_identical(task$data$x, all$data$x)
    expect_identical(task$data$y, all$data$y[, c(at, 3 + at)])
    expect_identical(task$outputs, 2L * length(at))
    expect_identical(task$output_labels, all$output_labels[c(at, 3 + at)])
  }
  # the target has the centre and the scale of its channel, as least squares in any units
  dax <- task_series(EuStockMarkets, 4, target = "DAX")
  fitted <- fit(input_sequence(4, channels = 4) |> layer_dense(1, bias = TRUE), dax, seed = 1)
  own <- lm(dax$data$y ~ dax$data$x)
  expect_near(glance(fitted)$loss, mean((dax$data$y_test - cbind(1, dax$data$x_test) %*% coef(own))^2), 1e-6)
})

# Rows from the definition, for each time in turn.
twin_lags <- function(series, lags, horizon, target, known) {
  series <- as.matrix(series)
  lagged <- setdiff(seq_len(ncol(series)), known)
  x <- y <- NULL
  for (t in seq_len(nrow(series))) {
    if (t < max(lags) || t + max(horizon) > nrow(series)) next
    past <- unlist(lapply(sort(lags, decreasing = TRUE), function(lag) series[t + 1 - lag, lagged]))
    x <- rbind(x, c(past, unlist(lapply(horizon, function(h) series[t + h, known]))))
    y <- rbind(y, unlist(lapply(horizon, function(h) series[t + h, target])))
  }
  list(x = unname(x), y = unname(y))
}

test_that("lags are columns with names and lags, known columns are those of the time predicted", {
  three <- cbind(a = sin(1:40), b = cos(1:40), c = 1:40 + 0)
  for (lags in list(1, c(1, 2, 12), c(7, 3))) for (horizon in list(1, c(1, 4))) for (known in list(integer(), 3, 2:3)) {
    task <- task_series(three, lags = lags, horizon = horizon, test = 0, target = 1,
      known = if (length(known) > 0L) known)
    expect_identical(task$data[c("x", "y")], twin_lags(three, lags, horizon, 1, known))
  }
  task <- task_series(three, lags = c(12, 1), horizon = c(1, 2), known = "c", target = "b")
  expect_identical(task$input$labels, c("a.lag12", "b.lag12", "a.lag1", "b.lag1", "c at h = 1", "c at h = 2"))
  expect_identical(task_demand(task)$lag, c(12L, 12L, 1L, 1L, NA, NA))
  expect_identical(task_series(sin(1:40), lags = 2:1)$input$labels, c("x.lag2", "x.lag1"))
  # a full set of lags is a window
  expect_identical(task_series(sin(1:40), lags = 1:4)$data, task_series(sin(1:40), 4)$data)
  trained <- fit(input_vector(6) |> layer_dense(2, bias = TRUE), task, seed = 1)
  allocation <- capacity(trained)
  expect_identical(allocation$lag, c(12L, 12L, 1L, 1L, NA, NA, NA))
  octaves <- capacity(trained, partition = partition_octaves())
  expect_identical(as.character(octaves$part), c("1", "2", "3-4", "5-8", "9-16", "(no lag)", "(Intercept)"))
  expect_equal(octaves$capacity[c(1, 5, 6, 7)], c(4, 4, 4, 2))
  expect_output(print(summary(allocation)), "no lag")
})

test_that("test is a share, the last times, or a date or time from which on values are held out", {
  for (horizon in list(1, c(2, 4))) {
    task <- function(test, series = 1:40 + 0) task_series(series, 4, horizon, test)
    expect_identical(task("last"), task(0.2))
    for (from in c(31, 36)) {
      by_number <- task(from:40)
      # every row whose first value lies at `from` or later, and no value of the others
      expect_identical(by_number$data$y_test[, 1L], seq(from, 40 - max(horizon) + min(horizon)) + 0)
      expect_lt(max(by_number$data$x, by_number$data$y), from)
      dated <- data.frame(when = as.Date("2021-03-01") + 0:39, value = 1:40 + 0)
      by_date <- task(as.Date("2021-03-01") + from - 1, dated)
      expect_identical(by_date$data, by_number$data)
      expect_identical(task(format(as.Date("2021-03-01") + from - 1), dated)$data, by_number$data)
      monthly <- ts(1:40 + 0, start = c(2000, 1), frequency = 12)
      expect_identical(task(time(monthly)[[from]] + 2000 - 2000, monthly)$data, by_number$data)
    }
  }
})

test_that("validation rows are separated from training rows as held-out rows are", {
  task <- task_series(1:60 + 0, 4, horizon = c(1, 5), test = 0)
  net <- input_sequence(4) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(2)
  sample <- list(rows = list(x = task$data$x, y = task$data$y))
  split <- capalloc:::rows_split_sample(sample, task, list(validation = 0.25), 1)
  expect_identical(nrow(split$validation$x), as.integer(round(0.25 * nrow(task$data$x))))
  expect_lt(max(split$rows$x, split$rows$y), min(split$validation$y))
  expect_identical(split$nobs, nrow(split$rows$x))
})

test_that("bad targets, lags, known columns and tests are refused by name", {
  two <- cbind(sales = sin(1:30), price = cos(1:30))
  dated <- data.frame(when = as.Date("2021-03-01") + 0:29, sales = sin(1:30))
  lagged <- task_series(two, lags = c(1, 5))
  expect_snapshot(cran = TRUE, {
    cat(bad(task_series(two), "type"))
    cat(bad(task_series(two, 3, lags = 1), "value"))
    cat(bad(task_series(two, lags = c(1, 1)), "value"))
    cat(bad(task_series(two, lags = 0), "value"))
    cat(bad(task_series(two, lags = 0.5), "value"))
    cat(bad(task_series(two, lags = 30), "shape"))
    cat(bad(task_series(two, 3, target = "profit"), "value"))
    cat(bad(task_series(two, 3, target = 3), "value"))
    cat(bad(task_series(unname(two), 3, target = 3), "value"))
    cat(bad(task_series(two, 3, target = integer()), "value"))
    cat(bad(task_series(two, 3, known = "price"), "value"))
    cat(bad(task_series(two, lags = 1:2, known = c("sales", "price")), "value"))
    cat(bad(task_series(two, lags = 1:2, target = "price", known = "price"), "value"))
    cat(bad(task_series(two, 3, test = 10:12), "value"))
    cat(bad(task_series(two, 3, test = 1:30), "value"))
    cat(bad(task_series(two, 3, test = as.Date("2021-03-20")), "value"))
    cat(bad(task_series(dated, 3, test = as.Date("2022-03-20")), "value"))
    cat(bad(task_series(dated, 3, test = "soon"), "value"))
    cat(bad(task_series(dated, 3, test = 30), "value"))
    cat(bad(fit(input_sequence(4) |> layer_dense(2), lagged), "shape"))
    cat(bad(input_vector(4) |> layer_conv(1, 2), "shape"))
  })
})
