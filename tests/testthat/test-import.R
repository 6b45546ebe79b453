# Twins: predictions by the source's own predict(), and by the models' equations
# written out as loops.

# Differences by their definition, the regular ones first.
twin_differences <- function(x, arma) {
  if (arma[6] > 0) x <- diff(x, differences = arma[6])
  if (arma[7] > 0) x <- diff(x, lag = arma[5], differences = arma[7])
  x
}

# The coefficient of B^k in (1 + a_1 B + ..)(1 + b_1 B^season + ..), by all pairs of terms.
twin_product <- function(k, a, b, season) {
  total <- 0
  for (i in 0:length(a)) {
    for (j in 0:length(b)) if (i + season * j == k) total <- total + c(1, a)[i + 1] * c(1, b)[j + 1]
  }
  total
}

# Coefficients by kind: ar, ma, sar, sma (as numbers) and the mean, 0 without one.
twin_coefficients <- function(model) {
  ends <- cumsum(model$arma[1:4])
  parts <- Map(function(end, n) unname(model$coef[end - n + seq_len(n)]), ends, model$arma[1:4])
  names(parts) <- c("ar", "ma", "sar", "sma")
  c(parts, mean = if ("intercept" %in% names(model$coef)) model$coef[["intercept"]] else 0)
}

# The value after `x` by the model's own equation, with w at its mean and e at
# zero before the first w that has all its differences.
twin_arima <- function(model, x) {
  x <- as.numeric(x)
  arma <- model$arma
  of <- twin_coefficients(model)
  p <- arma[1] + arma[5] * arma[3]
  q <- arma[2] + arma[5] * arma[4]
  phi <- vapply(seq_len(p), function(k) -twin_product(k, -of$ar, -of$sar, arma[5]), 0)
  theta <- vapply(seq_len(q), function(k) twin_product(k, of$ma, of$sma, arma[5]), 0)
  w <- twin_differences(x, arma) - of$mean
  e <- numeric(length(w))
  for (t in seq_len(length(w) + 1)) {
    what <- 0
    for (k in seq_len(p)) if (t > k) what <- what + phi[[k]] * w[[t - k]]
    for (k in seq_len(q)) if (t > k) what <- what + theta[[k]] * e[[t - k]]
    if (t <= length(w)) e[[t]] <- w[[t]] - what
  }
  # Solved for the next x: its w is x plus what the differences make of the past and a zero.
  what - (tail(twin_differences(c(x, 0), arma), 1) - of$mean)
}

# The text of a message, whose class is checked.
told <- function(code, class) conditionMessage(expect_message(code, class = paste0("capalloc_message_", class)))
quietly <- function(code) suppressMessages(code, classes = "capalloc_message_truncation")
length_of <- function(network) network$input$shape[[3L]]
newest <- function(network, x) tail(as.numeric(x), length_of(network))
first_value <- function(model, ...) as.numeric(predict(model, n.ahead = 1, ...)$pred)

# The rows that the help page makes.
rows_for <- function(model, newdata) {
  frame <- model.frame(delete.response(terms(model)), newdata, xlev = model$xlevels)
  matrix <- model.matrix(delete.response(terms(model)), frame, contrasts.arg = model$contrasts)
  matrix[, setdiff(colnames(effective_weights(as_network(model))), "(Intercept)"), drop = FALSE]
}

test_that("regressions predict as predict() does", {
  models <- list(
    lm(mpg ~ wt, mtcars),
    lm(mpg ~ wt * factor(cyl) + I(hp^2) + log(disp), mtcars),
    lm(mpg ~ poly(wt, 3) + qsec, mtcars, weights = hp),
    lm(mpg ~ 0 + factor(gear) + wt, mtcars),
    lm(mpg ~ factor(gear), mtcars, contrasts = list("factor(gear)" = "contr.sum")),
    aov(mpg ~ factor(gear) + factor(am), mtcars),
    glm(mpg ~ wt + hp, data = mtcars),
    glm(carb ~ wt, family = poisson("identity"), data = mtcars, start = c(0.1, 0.8)),
    structure(lm(mpg ~ wt, mtcars), class = c("rlm", "lm"))
  )
  newdata <- mtcars[mtcars$gear != 3, ][c(1, 5, 9), ]
  newdata$wt <- newdata$wt + 0.25
  for (model in models) {
    network <- as_network(model)
    # sums of a few terms: rounding only
    expect_equal(predict(network, rows_for(model, newdata))[, 1], unname(predict(model, newdata)), tolerance = 1e-12)
    k <- capacity(network)
    expect_equal(k$capacity, rep(1, length(coef(model))), tolerance = 1e-12)
    expect_setequal(k$input, names(coef(model)))
  }
  expect_identical(has_bias(as_network(models[[4]])), FALSE)
  expect_identical(capacity(as_network(models[[1]]))$input, c("wt", "(Intercept)"))
})

test_that("several responses are several outputs", {
  for (formula in list(cbind(mpg, qsec, drat) ~ wt + hp, cbind(mpg, qsec, drat) ~ 0 + wt + hp)) {
    model <- lm(formula, mtcars)
    network <- as_network(model)
    expect_equal(predict(network, mtcars[c("wt", "hp")]), unname(fitted(model)), tolerance = 1e-12)
    expect_equal(capacity(network)$capacity, rep(3, nrow(coef(model))), tolerance = 1e-12)
  }
})

test_that("columns without a coefficient are no inputs", {
  data <- transform(mtcars, twice = 2 * wt, minus = -hp)
  model <- lm(mpg ~ wt + twice + hp + minus, data)
  expect_message(network <- as_network(model), "twice.*minus.*have", class = "capalloc_message_aliased")
  expect_identical(input_frame(network$input)$input, c("wt", "hp"))
  expect_equal(predict(network, data[c("wt", "hp")])[, 1], unname(fitted(model)), tolerance = 1e-12)
  both <- lm(cbind(mpg, qsec) ~ wt + twice, data)
  expect_message(network <- as_network(both), "twice.*has.*use it", class = "capalloc_message_aliased")
  expect_equal(predict(network, data["wt"]), unname(fitted(both)), tolerance = 1e-12)
  texts <- c(told(as_network(model), "aliased"), told(as_network(both), "aliased"))
  expect_snapshot(writeLines(texts))
  expect_silent(as_network(lm(mpg ~ wt, mtcars)))
})

test_that("columns with an order become a sequence", {
  lags <- embed(as.numeric(lh), 4)[, 4:1]
  colnames(lags) <- c("l3", "l2", "l1", "now")
  model <- lm(now ~ l3 + l2 + l1, as.data.frame(lags))
  network <- as_network(model, input = input_sequence(3))
  k <- capacity(network)
  expect_identical(k$input, c("l3", "l2", "l1", "(Intercept)"))
  expect_identical(k$lag, c(3:1, NA))
  expect_equal(predict(network, lags[, 1:3])[, 1], unname(fitted(model)), tolerance = 1e-12)
  expect_equal(sum(capacity(network, partition = partition_octaves())$capacity), 4, tolerance = 1e-12)
  grid <- as_network(list(matrix(1:6, 1)), input = input_grid(2, 3))
  expect_identical(capacity(grid)$column, c(1L, 1L, 2L, 2L, 3L, 3L))
})

test_that("autoregressions of one series predict as predict() does", {
  for (method in c("yule-walker", "burg", "ols", "mle")) {
    for (demean in c(TRUE, FALSE)) {
      model <- ar(lh, method = method, demean = demean, order.max = 3, aic = FALSE)
      for (length in c(3, 4, 9)) {
        network <- as_network(model, length = length)
        expect_equal(c(predict(network, newest(network, lh))), first_value(model), tolerance = 1e-13)
        k <- capacity(network)
        has_mean <- demean
        expect_equal(k$capacity, c(numeric(length - 3), 1, 1, 1, if (has_mean) 1), tolerance = 1e-13)
        expect_identical(k$lag, c(seq(length, 1), if (has_mean) NA))
      }
      expect_identical(as_network(model), as_network(model, length = 3))
    }
  }
  model <- ar(lh, method = "ols", demean = FALSE, intercept = FALSE, order.max = 1, aic = FALSE)
  expect_identical(unname(coef(as_network(model))), c(model$ar))
  expect_identical(input_frame(as_network(model, length = 2)$input)$input, c("x[1]", "x[2]"))
})

test_that("autoregressions of several series have their channels", {
  series <- ts.union(lead = BJsales.lead, sales = BJsales - 150)
  for (method in c("yule-walker", "burg", "ols")) {
    for (order in 1:3) {
      model <- ar(series, method = method, order.max = order, aic = FALSE)
      for (length in order + c(0, 2)) {
        network <- as_network(model, length = length)
        rows <- c(t(tail(unclass(series), length)))
        expected <- predict(model, newdata = series, n.ahead = 1, se.fit = FALSE)
        expect_equal(c(predict(network, rows)), as.numeric(expected), tolerance = 1e-12)
        k <- capacity(network)
        expect_equal(k$capacity, c(rep(0, 2 * (length - order)), rep(2, 2 * order + 1)), tolerance = 1e-12)
        names <- paste0(c("lead", "sales"), "[", rep(seq_len(length), each = 2), "]")
        expect_identical(k$input, c(names, "(Intercept)"))
      }
    }
  }
})

test_that("an arima without moving average is its weights on past values", {
  models <- list(
    arima(lh, order = c(3, 0, 0)),
    arima(lh, order = c(1, 0, 0), include.mean = FALSE),
    arima(lh, order = c(3, 0, 0), fixed = c(NA, 0, NA, NA), transform.pars = FALSE),
    arima(lh, order = c(2, 0, 0), method = "CSS"),
    arima(USAccDeaths, order = c(1, 0, 0), seasonal = c(1, 0, 0)),
    arima(LakeHuron, order = c(2, 1, 0)),
    arima(LakeHuron, order = c(1, 2, 0)),
    arima(USAccDeaths, order = c(1, 1, 0), seasonal = c(1, 1, 0)),
    arima(lh, order = c(0, 1, 0))
  )
  reach <- c(3, 1, 3, 2, 13, 3, 3, 1 + 12 + 1 + 12, 1)
  series <- list(lh, lh, lh, lh, USAccDeaths, LakeHuron, LakeHuron, USAccDeaths, lh)
  for (i in seq_along(models)) {
    expect_silent(network <- as_network(models[[i]]))
    expect_identical(length_of(network), as.integer(reach[[i]]))
    got <- c(predict(network, newest(network, series[[i]])))
    # Rounding; series are long enough for the Kalman filter to have forgotten its start.
    expect_equal(got, twin_arima(models[[i]], series[[i]]), tolerance = 1e-12)
    expect_equal(got, first_value(models[[i]]), tolerance = 1e-12)
    longer <- as_network(models[[i]], length = reach[[i]] + 4)
    expect_equal(c(predict(longer, newest(longer, series[[i]]))), got, tolerance = 1e-11)
    has_mean <- "intercept" %in% names(coef(models[[i]]))
    expect_equal(capacity(longer)$capacity, rep(c(0, 1), c(4, reach[[i]] + has_mean)), tolerance = 1e-12)
  }
})

# Long series, so that the Kalman filter has reached its steady state.
long_series <- function(...) withr::with_seed(1, arima.sim(list(...), n = 1500))

test_that("a moving average is its recurrence", {
  x <- long_series(ar = 0.6, ma = 0.5)
  models <- list(
    arima(x + 10, order = c(1, 0, 1)),
    arima(x, order = c(0, 0, 2), include.mean = FALSE),
    arima(x + 3, order = c(2, 0, 1)),
    arima(x - 5, order = c(1, 0, 3), method = "CSS"),
    arima(ts(x, frequency = 4), order = c(0, 0, 1), seasonal = c(1, 0, 1), method = "CSS"),
    arima(cumsum(x), order = c(1, 1, 1), method = "CSS"),
    arima(cumsum(cumsum(x)), order = c(0, 2, 1), method = "CSS"),
    arima(ts(cumsum(x), frequency = 4), order = c(0, 1, 1), seasonal = c(0, 1, 1), fixed = c(0.4, -0.6), method = "CSS")
  )
  shift <- list(x + 10, x, x + 3, x - 5, x, cumsum(x), cumsum(cumsum(x)), cumsum(x))
  for (i in seq_along(models)) {
    expect_message(network <- as_network(models[[i]]), class = "capalloc_message_truncation")
    expect_lt(length_of(network), 1500) # not cut at the length of the series
    seen <- newest(network, shift[[i]])
    got <- c(predict(network, seen))
    expect_equal(got, c(twin_predict(network, rbind(seen))), tolerance = 1e-12)
    # The same truncation, written out.
    expect_equal(got, twin_arima(models[[i]], seen), tolerance = 1e-10)
    # The bound of the help page, and rounding at the level of the series.
    w <- twin_differences(shift[[i]], models[[i]]$arma) - twin_coefficients(models[[i]])$mean
    bound <- 1e-8 * max(abs(w)) + 1e-14 * max(abs(shift[[i]]))
    expect_lt(abs(got - twin_arima(models[[i]], shift[[i]])), bound)
    expect_lt(abs(got - first_value(models[[i]])), bound)
  }
})

test_that("one recurrent unit of an ARMA(1, 1) is its closed form", {
  model <- arima(long_series(ar = 0.6, ma = 0.5), order = c(1, 0, 1), fixed = c(0.6, 0.5, 2), transform.pars = FALSE)
  network <- quietly(as_network(model, length = 12))
  # pi_j = (phi + theta) (-theta)^(j - 1), and what is left of the mean
  weights <- 1.1 * (-0.5)^(11:0)
  expect_equal(c(effective_weights(network)), c(weights, 2 * (1 - sum(weights))), tolerance = 1e-13)
  # Five coefficients, of which K Z counts once and the two biases make one constant.
  expect_identical(glance(capacity(network))$total, 3)
})

test_that("the mean is right however short the window", {
  x <- long_series(ar = 0.6, ma = c(0.5, -0.3))
  levelled <- arima(x + 100, order = c(1, 0, 2))
  mean <- coef(levelled)[["intercept"]]
  differenced <- arima(cumsum(x) + 100, order = c(1, 1, 2), method = "CSS")
  for (length in c(3, 5, 40)) {
    network <- quietly(as_network(levelled, length = length))
    expect_equal(c(predict(network, rep(mean, length))), mean, tolerance = 1e-13)
    network <- quietly(as_network(differenced, length = length))
    expect_equal(c(predict(network, rep(7, length))), 7, tolerance = 1e-13)
  }
})

test_that("the truncation is what the message says", {
  x <- long_series(ma = c(0.2, 0.7))
  model <- arima(x, order = c(1, 0, 2), include.mean = FALSE)
  # Weights by a long network: what a short one leaves out is the rest of them.
  weights <- abs(rev(c(effective_weights(quietly(as_network(model, length = 600))))))
  for (length in c(3, 10, 30)) {
    said <- told(as_network(model, length = length), "truncation")
    lost <- sum(weights[-seq_len(length)])
    expect_match(said, paste("sum to", signif(lost, 2)), fixed = TRUE)
    fade <- max(1 / Mod(polyroot(c(1, coef(model)[c("ma1", "ma2")]))))
    expect_match(said, paste("fade by", signif(fade, 4)), fixed = TRUE)
  }
  network <- quietly(as_network(model))
  expect_lte(sum(weights[-seq_len(length_of(network))]), 1e-8)
  expect_gt(sum(weights[-seq_len(length_of(network) - 1)]), 1e-8)
  # Differences reach further back by their own number.
  fixed <- function(x, d) {
    arima(x, order = c(1, d, 1), fixed = c(0.6, 0.5), include.mean = FALSE, transform.pars = FALSE)
  }
  plain <- quietly(as_network(fixed(x, 0)))
  twice <- quietly(as_network(fixed(cumsum(cumsum(x)), 2)))
  expect_identical(length_of(twice), length_of(plain) + 2L)
  # A window no longer than the series, and the cost of that said.
  seasonal <- arima(log(AirPassengers), order = c(0, 1, 1), seasonal = c(0, 1, 1), fixed = c(-0.4, -0.5572))
  expect_match(told(network <- as_network(seasonal), "truncation"), "`length = ", fixed = TRUE)
  expect_identical(length_of(network), 144L)
  expect_equal(c(predict(network, log(AirPassengers))), twin_arima(seasonal, log(AirPassengers)), tolerance = 1e-12)
  # The lost weight, 0.006, on differences below 0.2: the Kalman filter knows better how w began.
  expect_lt(abs(c(predict(network, log(AirPassengers))) - first_value(seasonal)), 0.006 * 0.2)
  texts <- c(told(as_network(seasonal), "truncation"), told(as_network(seasonal, length = 500), "truncation"))
  expect_snapshot(writeLines(texts))
})

test_that("subclasses of Arima are read alike", {
  model <- arima(lh, order = c(1, 0, 0))
  forecast <- structure(model, class = c("forecast_ARIMA", "ARIMA", "Arima"))
  expect_identical(as_network(forecast), as_network(model))
})

test_that("lists of matrices are dense layers", {
  withr::local_seed(1)
  v <- matrix(rnorm(12), 2, dimnames = list(NULL, letters[1:6]))
  u <- matrix(rnorm(8), 4)
  network <- as_network(list(v, u))
  expect_equal(effective_weights(network), u %*% v, tolerance = 1e-14)
  k <- capacity(network)
  expect_identical(k$input, letters[1:6])
  expect_equal(sum(k$capacity), 2 * (4 + 6 - 2), tolerance = 1e-12)
  biased <- as_network(list(list(bias = 1:2, weight = v), u, list(weight = matrix(1:4, 1), bias = -3L)))
  x <- rnorm(6)
  expect_equal(c(predict(biased, x)), sum(1:4 * (u %*% (v %*% x + 1:2))) - 3, tolerance = 1e-13)
  expect_identical(summary(biased)$kind, c("dense + bias", "dense", "dense + bias"))
  expect_identical(as_network(list(hidden = v, out = list(weight = u))), network)
  expect_identical(input_frame(as_network(list(unname(v)))$input)$input[[1]], "x[1]")
})

test_that("networks and fits are their networks", {
  network <- input_sequence(4) |> layer_conv(1, 2) |> layer_dense(1) |> initialise(seed = 1)
  expect_identical(as_network(network), network)
  trained <- fit(network, task_ar(4, 0.5), seed = 1)
  expect_identical(as_network(trained), trained$network)
})

test_that("imported networks survive saveRDS", {
  file <- withr::local_tempfile()
  x <- long_series(ma = 0.5)
  for (network in list(
    as_network(lm(mpg ~ wt + hp, mtcars)), as_network(ar(lh)), as_network(list(diag(2))),
    quietly(as_network(arima(x, c(0, 0, 1)))), quietly(as_network(arima(x, c(0, 1, 1), fixed = 0.3)))
  )) {
    saveRDS(network, file)
    expect_identical(readRDS(file), network)
    expect_identical(capacity(readRDS(file)), capacity(network))
  }
})

test_that("imported networks can be trained on", {
  network <- as_network(ar(lh), length = 6)
  trained <- fit(network, task_series(lh, 6, test = 0), seed = 1)
  expect_true(trained$converged)
  expect_lte(trained$train_loss, mean((lh[7:48] - predict(network, embed(lh, 7)[, 7:2]))^2))
})

test_that("what cannot be imported is refused by class", {
  x <- long_series(ma = 0.5)
  logit <- glm(am ~ wt, binomial, mtcars)
  texts <- c(
    bad(as_network(NULL), "type"),
    bad(as_network("lm"), "type"),
    bad(as_network(mtcars), "type"),
    bad(as_network(lh), "type"),
    bad(as_network(c(1, NA)), "type"),
    bad(as_network(diag(2)), "type"),
    bad(as_network(nls(mpg ~ a + b * wt, mtcars, start = list(a = 1, b = 1))), "type"),
    bad(as_network(structure(lm(mpg ~ wt, mtcars), class = c("tslm", "lm"))), "type"),
    bad(as_network(structure(logit, class = c("gam", "glm", "lm"))), "type"),
    bad(as_network(logit), "unsupported"),
    bad(as_network(lm(mpg ~ wt + offset(hp), mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ wt, mtcars, offset = hp)), "unsupported"),
    bad(as_network(glm(mpg ~ wt + offset(hp), data = mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ 1, mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ 0, mtcars)), "unsupported"),
    bad(as_network(lm(mpg ~ wt, mtcars), input = 1), "type"),
    bad(as_network(lm(mpg ~ wt, mtcars), length = 3), "value"),
    bad(as_network(ar(withr::with_seed(1, rnorm(50)), order.max = 1)), "unsupported"),
    bad(as_network(ar(lh), length = 2), "shape"),
    bad(as_network(ar(lh), length = "long"), "value"),
    bad(as_network(ar(lh), input = input_sequence(3)), "value"),
    bad(as_network(arima(lh)), "unsupported"),
    bad(as_network(arima(lh, order = c(1, 0, 0), xreg = cbind(trend = 1:48, wave = sin(1:48)))), "unsupported"),
    bad(as_network(arima(lh, xreg = cbind(trend = 1:48))), "unsupported"),
    bad(as_network(structure(c(arima(lh, order = c(1, 0, 0)), lambda = 0.5), class = "Arima")), "unsupported"),
    bad(as_network(arima(x, order = c(0, 0, 1), fixed = c(2, 0), transform.pars = FALSE)), "unsupported"),
    bad(as_network(arima(x, order = c(0, 0, 1), fixed = c(-1, 0), transform.pars = FALSE)), "unsupported"),
    bad(as_network(arima(x, order = c(0, 0, 1), fixed = c(0.9999, 0), transform.pars = FALSE)), "unsupported"),
    bad(as_network(arima(x, order = c(0, 1, 1), fixed = 0.3), length = 1), "shape"),
    bad(as_network(arima(lh, order = c(2, 1, 0)), length = 2), "shape"),
    bad(as_network(input_sequence(4) |> layer_dense(1)), "no_coefficients"),
    bad(as_network(set_coef(input_sequence(4), numeric()), seed = 1), "value")
  )
  expect_snapshot(writeLines(texts))
  # its text is task_data()'s
  expect_error(as_network(lm(mpg ~ wt, mtcars), input = input_sequence(2)), class = "capalloc_error_shape")
})

test_that("lists that are no layers are refused, naming the element", {
  w <- matrix(1:6, 2)
  texts <- c(
    bad(as_network(list()), "shape"),
    bad(as_network(list(w, "a")), "type"),
    bad(as_network(list(w, NULL)), "type"),
    bad(as_network(list(1:3)), "type"),
    bad(as_network(list(mtcars)), "type"),
    bad(as_network(list(w > 2)), "type"),
    bad(as_network(list(array(1, c(2, 2, 2)))), "type"),
    bad(as_network(list(matrix(0, 0, 3))), "shape"),
    bad(as_network(list(w, hidden = matrix(1, 1, 3))), "shape"),
    bad(as_network(list(w, diag(2), w)), "shape"),
    bad(as_network(list(matrix(c(1, NA, 3, Inf), 2))), "value"),
    bad(as_network(list(w, list(weight = diag(2), bias = c(1, NaN)))), "value"),
    bad(as_network(list(list(weight = w, bias = 1:3))), "shape"),
    bad(as_network(list(list(weight = w, bias = "b"))), "type"),
    bad(as_network(list(list(w, 1:2))), "type"),
    bad(as_network(list(list(bias = 1))), "type"),
    bad(as_network(list(out = list(weight = w, biases = 1:2))), "type"),
    bad(as_network(list(weight = w, bias = 1:2)), "type"),
    bad(as_network(list(w), bias = 1:2), "value")
  )
  expect_snapshot(writeLines(texts))
})
