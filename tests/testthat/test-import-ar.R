# Imported autoregressions and ARIMA models compared with predict() and their equations.

# Returns the differences by definition, the regular ones first.
twin_differences <- function(x, arma) {
  if (arma[6] > 0) x <- diff(x, differences = arma[6])
  if (arma[7] > 0) x <- diff(x, lag = arma[5], differences = arma[7])
  x
}

# Returns the coefficient of B^k in (1 + a_1 B + ..)(1 + b_1 B^season + ..), by all pairs of terms.
twin_product <- function(k, a, b, season) {
  total <- 0
  for (i in 0:length(a)) {
    for (j in 0:length(b)) if (i + season * j == k) total <- total + c(1, a)[i + 1] * c(1, b)[j + 1]
  }
  total
}

# Returns a list: ar, ma, sar, sma (numeric) and the mean, 0 without one.
twin_coefficients <- function(model) {
  ends <- cumsum(model$arma[1:4])
  parts <- Map(function(end, n) unname(model$coef[end - n + seq_len(n)]), ends, model$arma[1:4])
  names(parts) <- c("ar", "ma", "sar", "sma")
  c(parts, mean = if ("intercept" %in% names(model$coef)) model$coef[["intercept"]] else 0)
}

# Returns the value after `x` by the model's own equation, with w at its mean and e at zero before the first w that has
# all its differences.
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
  # Solve for the next x: its w is x plus the differences of the past followed by a zero.
  what - (tail(twin_differences(c(x, 0), arma), 1) - of$mean)
}

# Returns the text of a message after checking its class.
told <- function(code, class) conditionMessage(expect_message(code, class = paste0("capalloc_message_", class)))

quietly <- function(code) suppressMessages(code, classes = "capalloc_message_truncation")

length_of <- function(network) network$input$shape[[3L]]

newest <- function(network, x) tail(as.numeric(x), length_of(network))

first_value <- function(model, ...) as.numeric(predict(model, n.ahead = 1, ...)$pred)

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

test_that("autoregressions of several series have one channel per series", {
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

test_that("an arima without moving average is a linear function of past values", {
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
    # Rounding error; the series are long enough for the Kalman filter to be independent of its start.
    expect_equal(got, twin_arima(models[[i]], series[[i]]), tolerance = 1e-12)
    expect_equal(got, first_value(models[[i]]), tolerance = 1e-12)
    longer <- as_network(models[[i]], length = reach[[i]] + 4)
    expect_equal(c(predict(longer, newest(longer, series[[i]]))), got, tolerance = 1e-11)
    has_mean <- "intercept" %in% names(coef(models[[i]]))
    expect_equal(capacity(longer)$capacity, rep(c(0, 1), c(4, reach[[i]] + has_mean)), tolerance = 1e-12)
  }
})

# Long series, for which the Kalman filter reaches its steady state.
long_series <- function(...) withr::with_seed(1, arima.sim(list(...), n = 1500))

test_that("a moving average is imported as a recurrence", {
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
    expect_lt(length_of(network), 1500) # not truncated at the length of the series
    seen <- newest(network, shift[[i]])
    got <- c(predict(network, seen))
    expect_equal(got, c(twin_predict(network, rbind(seen))), tolerance = 1e-12)
    # The same truncation, written out.
    expect_equal(got, twin_arima(models[[i]], seen), tolerance = 1e-10)
    # The bound of the help page, plus rounding error relative to the series.
    w <- twin_differences(shift[[i]], models[[i]]$arma) - twin_coefficients(models[[i]])$mean
    bound <- 1e-8 * max(abs(w)) + 1e-14 * max(abs(shift[[i]]))
    expect_lt(abs(got - twin_arima(models[[i]], shift[[i]])), bound)
    expect_lt(abs(got - first_value(models[[i]])), bound)
  }
})

test_that("the recurrent unit of an ARMA(1, 1) has the weights of its closed form", {
  model <- arima(long_series(ar = 0.6, ma = 0.5), order = c(1, 0, 1), fixed = c(0.6, 0.5, 2), transform.pars = FALSE)
  network <- quietly(as_network(model, length = 12))
  # pi_j = (phi + theta) (-theta)^(j - 1), and the remaining weight on the mean.
  weights <- 1.1 * (-0.5)^(11:0)
  expect_equal(c(effective_weights(network)), c(weights, 2 * (1 - sum(weights))), tolerance = 1e-13)
  # Five coefficients: K Z counts once, and the two biases give one constant.
  expect_identical(glance(capacity(network))$total, 3)
})

test_that("the mean is exact for windows of any length", {
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

test_that("the truncation message states the weight that is lost", {
  x <- long_series(ma = c(0.2, 0.7))
  model <- arima(x, order = c(1, 0, 2), include.mean = FALSE)
  # Weights from a long network: a short one omits the weights beyond its length.
  weights <- abs(rev(c(effective_weights(quietly(as_network(model, length = 600))))))
  for (length in c(3, 10, 30)) {
    said <- told(as_network(model, length = length), "truncation")
    lost <- sum(weights[-seq_len(length)])
    expect_match(said, paste("sum to", signif(lost, 2)), fixed = TRUE)
    fade <- max(1 / Mod(polyroot(c(1, coef(model)[c("ma1", "ma2")]))))
    expect_match(said, paste("factor of", signif(fade, 4)), fixed = TRUE)
  }
  network <- quietly(as_network(model))
  expect_lte(sum(weights[-seq_len(length_of(network))]), 1e-8)
  expect_gt(sum(weights[-seq_len(length_of(network) - 1)]), 1e-8)
  # Differences extend the window by their own number.
  fixed <- function(x, d) {
    arima(x, order = c(1, d, 1), fixed = c(0.6, 0.5), include.mean = FALSE, transform.pars = FALSE)
  }
  plain <- quietly(as_network(fixed(x, 0)))
  twice <- quietly(as_network(fixed(cumsum(cumsum(x)), 2)))
  expect_identical(length_of(twice), length_of(plain) + 2L)
  # The window is at most as long as the series, and the message states the truncation.
  seasonal <- arima(log(AirPassengers), order = c(0, 1, 1), seasonal = c(0, 1, 1), fixed = c(-0.4, -0.5572))
  expect_match(told(network <- as_network(seasonal), "truncation"), "`length = ", fixed = TRUE)
  expect_identical(length_of(network), 144L)
  expect_equal(c(predict(network, log(AirPassengers))), twin_arima(seasonal, log(AirPassengers)), tolerance = 1e-12)
  # The omitted weight, 0.006, times differences below 0.2: the Kalman filter estimates the initial w better.
  expect_lt(abs(c(predict(network, log(AirPassengers))) - first_value(seasonal)), 0.006 * 0.2)
  texts <- c(told(as_network(seasonal), "truncation"), told(as_network(seasonal, length = 500), "truncation"))
  expect_snapshot(writeLines(texts))
})

test_that("subclasses of Arima are imported like Arima", {
  model <- arima(lh, order = c(1, 0, 0))
  forecast <- structure(model, class = c("forecast_ARIMA", "ARIMA", "Arima"))
  expect_identical(as_network(forecast), as_network(model))
})

test_that("coefficients and innovations have the fields of their constructors", {
  expect_constructor(capalloc:::new_arima)
  expect_constructor(capalloc:::new_ar_innovations)
})
