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

sigmoid <- function(u) 1 / (1 + exp(-u))

test_that("lists have activations, of their own or by argument", {
  withr::local_seed(2)
  w <- list(matrix(rnorm(12), 4, dimnames = list(NULL, c("a", "b", "c"))), matrix(rnorm(8), 2), matrix(rnorm(2), 1))
  bias <- list(rnorm(4), rnorm(2), rnorm(1))
  x <- matrix(rnorm(15), 5)
  f <- list(tanh, function(u) pmax(u, 0) + 0.3 * pmin(u, 0), sigmoid)
  expected <- t(x)
  for (l in 1:3) expected <- f[[l]](w[[l]] %*% expected + bias[[l]])
  own <- as_network(list(
    first = list(weight = w[[1]], bias = bias[[1]], activation = "tanh"),
    list(activation = "leaky_relu", parameter = 0.3, weight = w[[2]], bias = bias[[2]]),
    list(weight = w[[3]], bias = bias[[3]], activation = "sigmoid")
  ))
  expect_equal(predict(own, x), t(expected), tolerance = 1e-14)
  expect_identical(suppressWarnings(capacity(own, data = x))$input, c("a", "b", "c", "(Intercept)"))
  expect_identical(
    summary(own)$kind, c("dense + bias", "tanh", "dense + bias", "leaky_relu (0.3)", "dense + bias", "sigmoid")
  )

  # One name is that of all layers but the last, otherwise one each; "linear" and "identity" are no layers.
  hidden <- as_network(w, activation = "tanh")
  expect_equal(c(predict(hidden, x)), c(w[[3]] %*% tanh(w[[2]] %*% tanh(w[[1]] %*% t(x)))), tolerance = 1e-14)
  expect_identical(as_network(w, activation = c("tanh", "tanh", "linear")), hidden)
  expect_identical(as_network(unname(w), activation = c(a = "tanh", b = "tanh", c = "identity")), hidden)
  expect_identical(as_network(w, activation = "linear"), as_network(w))
  each <- as_network(w, activation = c("relu", "identity", "abs"))
  expect_identical(summary(each)$kind, c("dense", "relu", "dense", "dense", "abs"))
  expect_identical(summary(as_network(w[1], activation = "tanh"))$kind, c("dense", "tanh"))
  expect_identical(
    as_network(list(list(weight = w[[1]], activation = "elu"))),
    as_network(list(list(weight = w[[1]], activation = "elu", parameter = 1)))
  )
})

# ---- nnet --------------------------------------------------------------------

quiet_nnet <- function(..., trace = FALSE) nnet::nnet(..., trace = trace)
softmax <- function(u) exp(u) / rowSums(exp(u))

# A network of nnet by the names that coef() gives its weights (b constant, i inputs, h hidden, o outputs): one
# matrix for each kind of connection, from x to.
twin_nnet <- function(model) {
  w <- coef(model)
  n <- model$n
  outputs <- if (n[3] == 1) "o" else paste0("o", seq_len(n[3]))
  pick <- function(from, to) {
    weights <- matrix(0, length(from), length(to))
    for (i in seq_along(from)) for (k in seq_along(to)) weights[i, k] <- w[paste0(from[i], "->", to[k])]
    weights[is.na(weights)] <- 0
    weights
  }
  inputs <- paste0("i", seq_len(n[1]))
  hidden <- if (n[2] > 0) paste0("h", seq_len(n[2]))
  list(
    W = pick(inputs, hidden), a = pick("b", hidden), V = pick(hidden, outputs), S = pick(inputs, outputs),
    skip = paste0("i1->", outputs[1]) %in% names(w)
  )
}

# D of a one-hidden-layer network with linear outputs, from its closed form: rows (sample, output, input and
# constant), a column for each of W, a, V, the outputs' constants and, if it has them, S.
twin_mixed <- function(of, x) {
  n <- nrow(of$W)
  m <- ncol(of$V)
  rows <- list()
  for (i in seq_len(nrow(x))) {
    s <- sigmoid(c(x[i, ] %*% of$W + of$a))
    s1 <- s * (1 - s)
    s2 <- s1 * (1 - 2 * s)
    for (o in seq_len(m)) {
      is_o <- seq_len(m) == o
      first <- c(outer(x[i, ], s1 * of$V[, o]), s1 * of$V[, o], outer(s, is_o), is_o, if (of$skip) outer(x[i, ], is_o))
      mixed <- lapply(seq_len(n), function(j) {
        is_j <- seq_len(n) == j
        c(
          outer(x[i, ], of$V[, o] * s2 * of$W[j, ]) + outer(is_j, of$V[, o] * s1),
          of$V[, o] * s2 * of$W[j, ], outer(s1 * of$W[j, ], is_o), 0 * is_o, if (of$skip) outer(is_j, is_o)
        )
      })
      constant <- first - Reduce(`+`, Map(`*`, x[i, ], mixed))
      rows <- c(rows, mixed, list(constant))
    }
  }
  do.call(rbind, rows)
}

test_that("networks of nnet predict as predict() does", {
  skip_if_not_installed("nnet")
  withr::local_seed(3)
  x <- matrix(rnorm(90), 30)
  new <- matrix(rnorm(21), 7)
  y <- cbind(x[, 1]^2 - x[, 2] + 0.1 * rnorm(30), tanh(x[, 3]), x[, 1])
  share <- softmax(y)
  cases <- expand.grid(size = c(0, 1, 3), skip = c(TRUE, FALSE), outputs = 1:3,
    kind = c("linear", "logistic", "entropy", "softmax"), stringsAsFactors = FALSE)
  cases <- subset(cases, (size > 0 | skip) & !(kind == "softmax" & outputs == 1))
  for (i in seq_len(nrow(cases))) {
    case <- cases[i, ]
    model <- quiet_nnet(x, (if (case$kind == "linear") y else share)[, seq_len(case$outputs)], size = case$size,
      skip = case$skip, linout = case$kind == "linear", entropy = case$kind == "entropy",
      softmax = case$kind == "softmax", decay = 0.1, maxit = 30)
    network <- as_network(model)
    back <- if (case$kind == "softmax") softmax else identity
    for (rows in list(x, new)) {
      expect_lt(max(abs(predict(network, rows) - predict(model, rows))), 1e-10)
      expect_lt(max(abs(back(predict(network, rows, type = "link")) - predict(model, rows))), 1e-10)
    }
    expect_identical(length(coef(network)), length(model$wts))
    expect_setequal(unname(coef(network)), model$wts)
    expect_identical(is_linear(network), case$size == 0 && case$kind %in% c("linear", "softmax"))
    # Without the activation of the outputs
    linked <- as_network(model, link = TRUE)
    back <- switch(case$kind, linear = identity, softmax = softmax, sigmoid)
    expect_lt(max(abs(back(predict(linked, new, type = "link")) - predict(model, new))), 1e-10)
    expect_identical(identical(linked, network), case$kind %in% c("linear", "softmax"))
  }
})

test_that("what logits stand for is a record of the network", {
  skip_if_not_installed("nnet")
  model <- withr::with_seed(1, quiet_nnet(Species ~ ., iris, size = 2, maxit = 5))
  levels <- nnet::multinom(Species ~ ., iris, trace = FALSE, maxit = 5)
  two <- withr::with_seed(1, quiet_nnet(I(Species == "setosa") ~ ., iris, size = 2, maxit = 5))
  expect_silent(said <- lapply(list(model, levels), as_network))
  expect_identical(lapply(said, function(network) network$output), list("softmax", "baseline"))
  expect_null(as_network(two)$output)
})

test_that("beyond 15 nnet's logistic is cut, and predictions differ as the help says", {
  skip_if_not_installed("nnet")
  withr::local_seed(4)
  x <- matrix(rnorm(60), 20)
  model <- quiet_nnet(x, x[, 1]^2, size = 3, linout = TRUE, decay = 0.1, maxit = 30)
  model$wts[1:12] <- 40 * model$wts[1:12]
  of <- twin_nnet(model)
  network <- as_network(model)
  u <- x %*% of$W + rep(of$a, each = 20)
  expect_lt(max(abs(predict(network, x) - (sigmoid(u) %*% of$V + model$wts[13]))), 1e-13)
  cut <- abs(u) > 15
  apart <- abs(predict(network, x) - predict(model, x))
  expect_gt(max(apart), 1e-10)
  expect_true(all(apart <= 3.1e-7 * cut %*% abs(of$V) + 1e-13))
})

test_that("the capacity of a network of nnet is that of its closed form", {
  skip_if_not_installed("nnet")
  withr::local_seed(5)
  x <- matrix(rnorm(60), 20)
  y <- cbind(x[, 1]^2, x[, 2] * x[, 3])
  for (skip in c(TRUE, FALSE)) {
    for (size in c(1, 3)) {
      model <- quiet_nnet(x, y, size = size, skip = skip, linout = TRUE, decay = 0.1, maxit = 20)
      D <- twin_mixed(twin_nnet(model), x)
      D <- D / rep(sqrt(colSums(D^2)), each = nrow(D))
      s <- svd(D)
      rank <- sum(s$d > 1e-10 * s$d[1])
      kappa <- rowSums(s$u[, s$d > 1e-10 * s$d[1]]^2)
      expected <- tapply(kappa, rep(rep(1:4, 2), 20), sum)
      k <- capacity(as_network(model), data = x)
      expect_equal(sum(k$capacity), rank, tolerance = 1e-9)
      expect_equal(k$capacity, as.double(expected), tolerance = 1e-8)
    }
  }
})

test_that("a formula's columns name the inputs", {
  skip_if_not_installed("nnet")
  withr::local_seed(6)
  data <- transform(mtcars, cyl = factor(cyl), gear = factor(gear, ordered = TRUE), wt = wt - 3)
  models <- list(
    quiet_nnet(mpg / 20 ~ wt + cyl, data, size = 2, linout = TRUE, decay = 0.1),
    quiet_nnet(mpg / 20 ~ wt * cyl + gear, data, size = 2, linout = TRUE, decay = 0.1,
      contrasts = list(cyl = "contr.sum")),
    quiet_nnet(mpg / 20 ~ 0 + cyl + poly(wt, 2), data, size = 0, skip = TRUE, linout = TRUE, maxit = 1000),
    quiet_nnet(cbind(mpg / 20, hp / 100) ~ wt + cyl, data, size = 2, skip = TRUE, linout = TRUE, decay = 0.1),
    quiet_nnet(mpg / 20 ~ wt, data, size = 2, skip = TRUE, linout = TRUE, decay = 0.1),
    quiet_nnet(factor(am) ~ wt + cyl, data, size = 2, decay = 0.1)
  )
  newdata <- droplevels(data[data$cyl != 6, ][1:4, ])
  for (model in models) {
    terms <- delete.response(model$terms)
    rows <- function(data) {
      frame <- model.frame(terms, data, xlev = model$xlevels)
      model.matrix(terms, frame, contrasts.arg = model$contrasts)[, model$coefnames, drop = FALSE]
    }
    network <- as_network(model)
    expect_lt(max(abs(predict(network, rows(data)) - predict(model, data))), 1e-10)
    expect_lt(max(abs(predict(network, rows(newdata)) - predict(model, newdata))), 1e-10)
    expect_identical(capacity(network, data = rows(data))$input, c(model$coefnames, "(Intercept)"))
  }
  ordered <- as_network(models[[1]], input = input_sequence(3))
  expect_identical(capacity(ordered, data = rows(data)[, 1:3])[c("input", "lag")], data.frame(
    input = c(models[[1]]$coefnames, "(Intercept)"), lag = c(3:1, NA)
  ), ignore_attr = TRUE)
})

test_that("weights that nnet held fixed are weights like others", {
  skip_if_not_installed("nnet")
  withr::local_seed(7)
  x <- matrix(rnorm(60), 20)
  mask <- rep(c(TRUE, FALSE, TRUE), length.out = 13)
  start <- rnorm(13)
  start[c(2, 5)] <- 0
  model <- quiet_nnet(x, x[, 1]^2, size = 2, linout = TRUE, Wts = start[1:11], mask = mask[1:11],
    decay = 0.1, maxit = 10)
  network <- as_network(model)
  expect_lt(max(abs(predict(network, x) - predict(model, x))), 1e-10)
  expect_identical(unname(model$wts[!mask[1:11]]), start[1:11][!mask[1:11]])
  expect_identical(glance(capacity(network, data = x))$total, 11)
})

test_that("a multinom is its logits against the first level", {
  skip_if_not_installed("nnet")
  withr::local_seed(8)
  data <- transform(mtcars, cyl = factor(cyl), hp = hp / 100, size = factor(ifelse(wt < 3, "light", "heavy")),
    level = factor(sample(c("a", "b", "c"), 32, replace = TRUE)))
  counts <- matrix(rpois(96, 5) + 1, 32, dimnames = list(NULL, c("u", "v", "w")))
  models <- list(
    nnet::multinom(level ~ hp + cyl, data, trace = FALSE),
    nnet::multinom(level ~ 0 + hp + cyl, data, trace = FALSE),
    nnet::multinom(counts ~ hp * size, data, trace = FALSE),
    nnet::multinom(counts[, 1:2] ~ hp, data, trace = FALSE)
  )
  for (model in models) {
    network <- as_network(model, link = TRUE)
    expect_identical(as_network(model), network)
    rows <- model.matrix(model$terms, data, contrasts.arg = model$contrasts)
    rows <- rows[, setdiff(colnames(rows), "(Intercept)"), drop = FALSE]
    p <- predict(model, data, type = "probs")
    p <- if (is.matrix(p)) p else cbind(1 - p, p)
    expect_lt(max(abs(predict(network, rows) - p)), 1e-10)
    expect_lt(max(abs(softmax(cbind(0, predict(network, rows, type = "link"))) - p)), 1e-10)
    # Its weights are the model's coefficients, and there are as many as the model counts.
    W <- effective_weights(network)
    expect_equal(c(W), c(rbind(coef(model))[, colnames(W)]), tolerance = 1e-14, ignore_attr = TRUE)
    expect_setequal(colnames(W), model$coefnames)
    expect_equal(sum(capacity(network)$capacity), model$edf, tolerance = 1e-12)
  }
  # Only differences from the first level matter, and a level's own bias is another intercept.
  model <- models[[1]]
  model$wts <- rnorm(length(model$wts))
  rows <- model.matrix(model$terms, data)[, -1]
  got <- predict(as_network(model, link = TRUE), rows, type = "link")
  expect_lt(max(abs(softmax(cbind(0, got)) - predict(model, data, type = "probs"))), 1e-10)
  for (formula in list(size ~ hp, size ~ hp + cyl, size ~ 0 + hp)) {
    model <- nnet::multinom(formula, data, trace = FALSE, decay = 0.1)
    network <- as_network(model)
    rows <- model.matrix(model$terms, data)
    rows <- rows[, setdiff(colnames(rows), "(Intercept)"), drop = FALSE]
    # type = "probs" gives that of the second level
    expect_lt(max(abs(predict(network, rows) - predict(model, data, type = "probs"))), 1e-10)
    linked <- as_network(model, link = TRUE)
    expect_equal(effective_weights(linked)[, names(coef(model))], coef(model), tolerance = 1e-14, ignore_attr = TRUE)
    expect_equal(sum(capacity(linked)$capacity), model$edf, tolerance = 1e-12)
  }
})

test_that("fit() starts from the weights of nnet", {
  skip_if_not_installed("nnet")
  withr::local_seed(9)
  cars <- data.frame(scale(mtcars[, c("mpg", "wt", "hp")]), am = factor(mtcars$am))
  flowers <- data.frame(scale(iris[, 1:4]), Species = iris$Species)
  models <- list(
    quiet_nnet(mpg ~ wt + hp, cars, size = 2, linout = TRUE, maxit = 20),
    quiet_nnet(am ~ mpg + hp, cars, size = 2, decay = 0.1, maxit = 20),
    quiet_nnet(Species ~ ., flowers, size = 2, decay = 0.1, maxit = 20),
    nnet::multinom(am ~ mpg + hp, cars, trace = FALSE, maxit = 5)
  )
  tasks <- list(task_data(mpg ~ wt + hp, cars, test = 0), task_data(am ~ mpg + hp, cars, test = 0),
    task_data(Species ~ ., flowers, test = 0), task_data(am ~ mpg + hp, cars, test = 0))
  # The loss of the model's own predictions
  probability <- function(model, rows) mean(-log(fitted(model)[rows]))
  chosen <- function(p, second) mean(-log(ifelse(second, p, 1 - p)))
  before <- c(
    mean((cars$mpg - fitted(models[[1]]))^2), chosen(fitted(models[[2]]), cars$am == "1"),
    probability(models[[3]], cbind(1:150, as.integer(iris$Species))), chosen(fitted(models[[4]]), cars$am == "1")
  )
  for (i in seq_along(models)) {
    network <- as_network(models[[i]], link = TRUE)
    none <- suppressWarnings(fit(network, tasks[[i]], seed = 1, control = list(max_iterations = 1)))
    some <- suppressWarnings(fit(network, tasks[[i]], seed = 1, control = list(max_iterations = 30)))
    expect_equal(none$history$loss[[1]], before[[i]], tolerance = 1e-10)
    expect_lte(none$train_loss, before[[i]] * (1 + 1e-12))
    expect_lt(some$train_loss, before[[i]])
    expect_identical(names(coef(some)), names(coef(network)))
  }
})

# ---- neuralnet ---------------------------------------------------------------

# An object as neuralnet() makes it, untrained: `weights[[repetition]][[layer]]` is (constant and inputs) x units.
# Its results are those of loops over rows and units.
made_nn <- function(hidden = c(3, 2), outputs = 2, act = "logistic", linear.output = TRUE, repetitions = 1, seed = 1) {
  withr::local_seed(seed)
  data <- data.frame(wt = rnorm(12), hp = rnorm(12), qsec = rnorm(12))
  variables <- names(data)
  response <- matrix(rnorm(12 * outputs), 12, dimnames = list(NULL, paste0("y", seq_len(outputs))))
  sizes <- c(length(variables), hidden, outputs)
  layers <- seq_len(length(sizes) - 1)
  weights <- lapply(seq_len(repetitions), function(r) {
    lapply(layers, function(l) matrix(rnorm((sizes[l] + 1) * sizes[l + 1]), sizes[l] + 1))
  })
  act.fct <- switch(act,
    logistic = function(x) 1 / (1 + exp(-x)), tanh = function(x) tanh(x), relu = function(x) x * (x > 0),
    function(x) log(1 + exp(x))
  )
  attr(act.fct, "type") <- act
  nn <- list(
    call = quote(neuralnet()), response = response, covariate = as.matrix(data),
    model.list = list(response = colnames(response), variables = variables), err.fct = NULL, act.fct = act.fct,
    linear.output = linear.output, data = cbind(data, response), exclude = NULL, weights = weights
  )
  nn$net.result <- lapply(seq_len(repetitions), function(r) twin_nn(nn, nn$covariate, r))
  error <- vapply(nn$net.result, function(fitted) sum((response - fitted)^2) / 2, 0)
  nn$result.matrix <- rbind(error = error, reached.threshold = 0.01, steps = 100)
  structure(nn, class = "nn")
}

twin_nn <- function(nn, x, rep = 1) {
  t(apply(x, 1, function(row) {
    layers <- nn$weights[[rep]]
    for (l in seq_along(layers)) {
      sums <- numeric(ncol(layers[[l]]))
      for (k in seq_along(sums)) {
        sums[k] <- layers[[l]][1, k]
        for (j in seq_along(row)) sums[k] <- sums[k] + layers[[l]][j + 1, k] * row[j]
      }
      row <- if (l < length(layers) || !nn$linear.output) nn$act.fct(sums) else sums
    }
    row
  })) |> matrix(nrow(x))
}

test_that("networks of neuralnet predict as their equations do", {
  new <- withr::with_seed(10, matrix(rnorm(15), 5, dimnames = list(NULL, c("wt", "hp", "qsec"))))
  for (act in c("logistic", "tanh", "relu")) {
    for (linear in c(TRUE, FALSE)) {
      for (hidden in list(NULL, 1, 4, c(3, 2), c(2, 3, 2))) {
        for (outputs in 1:2) {
          nn <- made_nn(hidden, outputs, act, linear)
          network <- as_network(nn)
          expect_lt(max(abs(predict(network, nn$data[1:3]) - nn$net.result[[1]])), 1e-10)
          expect_lt(max(abs(predict(network, new) - twin_nn(nn, new))), 1e-10)
          expect_identical(input_frame(network$input)$input, c("wt", "hp", "qsec"))
          linked <- as_network(nn, link = TRUE)
          nn$linear.output <- TRUE
          expect_lt(max(abs(predict(linked, new) - twin_nn(nn, new))), 1e-10)
        }
      }
    }
  }
  nn <- made_nn(3, 1)
  k <- capacity(as_network(nn), data = nn$covariate)
  expect_identical(k$input, c("wt", "hp", "qsec", "(Intercept)"))
  expect_equal(sum(k$capacity), glance(k)$total, tolerance = 1e-10)
  expect_identical(glance(k)$total, 16)
  expect_identical(as_network(nn, input = input_sequence(3))$input$kind, "sequence")
  # Columns of other names than the formula's terms, and an activation that is not used
  nn$model.list$variables <- c("wt", "hp")
  expect_identical(input_frame(as_network(nn)$input)$input, c("x[1]", "x[2]", "x[3]"))
  expect_identical(summary(as_network(made_nn(NULL, act = "function")))$kind, "dense + bias")
})

test_that("of several repetitions the best is taken, or the one asked for", {
  nn <- made_nn(2, 1, repetitions = 4)
  best <- which.min(nn$result.matrix["error", ])
  expect_gt(best, 1)
  expect_identical(as_network(nn), as_network(nn, rep = best))
  for (r in 1:4) expect_lt(max(abs(predict(as_network(nn, rep = r), nn$covariate) - nn$net.result[[r]])), 1e-10)
  nn$result.matrix["error", best] <- NA
  expect_identical(as_network(nn), as_network(nn, rep = order(nn$result.matrix["error", ])[1]))
})

test_that("weights that neuralnet excluded are zero", {
  nn <- made_nn(c(3, 2), 1)
  nn$weights[[1]][[1]][2, 3] <- 0
  nn$weights[[1]][[2]][1, 1] <- 0
  zero <- as_network(nn)
  nn$weights[[1]][[1]][2, 3] <- NA
  nn$weights[[1]][[2]][1, 1] <- NA
  expect_identical(as_network(nn), zero)
})

test_that("fit() starts from the weights of neuralnet", {
  nn <- made_nn(2, 1)
  task <- task_data(nn$covariate, nn$response, test = 0)
  trained <- suppressWarnings(fit(as_network(nn), task, seed = 1, control = list(max_iterations = 20)))
  expect_equal(trained$history$loss[[1]], 2 * nn$result.matrix[["error", 1]] / 12, tolerance = 1e-12)
  expect_lt(trained$train_loss, trained$history$loss[[1]])
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
  nets <- list(as_network(made_nn(2, 1)), as_network(list(diag(3), diag(3)), activation = "tanh"))
  if (rlang::is_installed("nnet")) {
    nets <- c(nets, list(withr::with_seed(1, as_network(quiet_nnet(iris[, 1:3], iris[, 4], size = 2, skip = TRUE)))))
  }
  rows <- as.matrix(iris[1:20, 1:3])
  for (network in nets) {
    saveRDS(network, file)
    expect_identical(readRDS(file), network)
    # units of a fit may be saturated, and the rank not clear
    found <- suppressWarnings(capacity(readRDS(file), data = rows), classes = "capalloc_warning_rank_gap")
    expect_identical(found, suppressWarnings(capacity(network, data = rows), classes = "capalloc_warning_rank_gap"))
  }
})

test_that("imported networks can be trained on", {
  network <- as_network(ar(lh), length = 6)
  trained <- fit(network, task_series(lh, 6, test = 0), seed = 1)
  expect_true(trained$converged)
  expect_lte(trained$train_loss, mean((lh[7:48] - predict(network, embed(lh, 7)[, 7:2]))^2))
  # the start is the model in the units of the task
  start <- fit(network, task_series(lh, 6, test = 0), seed = 1, control = list(max_iterations = 0)) |> quiet()
  expect_equal(predict(start, embed(lh, 7)[, 7:2]), predict(network, embed(lh, 7)[, 7:2]), tolerance = 1e-12)
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

test_that("activations of lists are refused, naming the element", {
  w <- matrix(1:6, 2)
  curved <- list(weight = w, activation = "tanh")
  texts <- c(
    bad(as_network(list(list(weight = w, activation = "softmax"))), "value"),
    bad(as_network(list(w, out = list(weight = diag(2), activation = tanh))), "value"),
    bad(as_network(list(list(weight = w, activation = c("tanh", "relu")))), "value"),
    bad(as_network(list(list(weight = w, activation = "tanh", parameter = 2))), "value"),
    bad(as_network(list(list(weight = w, parameter = 2))), "value"),
    bad(as_network(list(list(weight = w, activation = "elu", parameter = "big"))), "value"),
    bad(as_network(list(w, diag(2)), activation = tanh), "value"),
    bad(as_network(list(w), activation = c("tanh", "relu")), "value"),
    bad(as_network(list(w, diag(2), diag(2)), activation = c("tanh", "relu")), "value"),
    bad(as_network(list(w, diag(2)), activation = "softmax"), "value"),
    bad(as_network(list(w, diag(2)), activation = c("tanh", NA)), "value"),
    bad(as_network(list(curved, diag(2)), activation = "tanh"), "value"),
    bad(as_network(list(curved, first = list(weight = diag(2), activation = "linear")), activation = "tanh"), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("objects of nnet that cannot be imported are refused by class", {
  skip_if_not_installed("nnet")
  withr::local_seed(11)
  model <- quiet_nnet(mpg ~ wt, mtcars, size = 1, maxit = 2)
  levels <- nnet::multinom(factor(cyl) ~ wt, mtcars, trace = FALSE, maxit = 2)
  changed <- function(model, ...) structure(utils::modifyList(unclass(model), list(...)), class = class(model))
  sets <- cbind(iris$Species != "setosa", iris$Species != "virginica", TRUE) + 0
  texts <- c(
    bad(as_network(quiet_nnet(iris[, 1:2], sets, size = 1, censored = TRUE, maxit = 2)), "unsupported"),
    bad(as_network(nnet::multinom(sets ~ iris[, 1], censored = TRUE, trace = FALSE, maxit = 2)), "unsupported"),
    bad(as_network(nnet::multinom(factor(cyl) ~ wt + offset(cbind(hp, hp, hp)), mtcars, trace = FALSE)), "unsupported"),
    bad(as_network(nnet::multinom(factor(cyl) ~ 1, mtcars, trace = FALSE)), "unsupported"),
    bad(as_network(changed(model, n = c(0, 1, 1))), "unsupported"),
    bad(as_network(structure(list(model), class = c("avNNet", "nnet"))), "type"),
    bad(as_network(structure(levels, class = c("own", class(levels)))), "type"),
    bad(as_network(structure(list(W = 1), class = "nnet")), "type"),
    bad(as_network(structure(list(n = 1), class = c("multinom", "nnet"))), "type"),
    bad(as_network(changed(model, wts = c(1, NA, 3, 4))), "value"),
    bad(as_network(changed(model, wts = 1:3)), "shape"),
    bad(as_network(model, link = "logit"), "value"),
    bad(as_network(levels, link = NA), "value"),
    bad(as_network(model, size = 3), "value"),
    bad(as_network(levels, rep = 1), "value"),
    bad(as_network(model, input = 3), "type")
  )
  expect_snapshot(writeLines(texts))
  # its text is task_data()'s
  expect_error(as_network(model, input = input_sequence(2)), class = "capalloc_error_shape")
})

test_that("objects of neuralnet that cannot be imported are refused by class", {
  nn <- made_nn(2, 1, repetitions = 2)
  changed <- function(...) structure(utils::modifyList(unclass(nn), list(...)), class = "nn")
  wrong <- function(layer, value) {
    nn$weights[[1]][[layer]] <- value
    nn
  }
  texts <- c(
    bad(as_network(made_nn(2, 1, act = "function")), "unsupported"),
    bad(as_network(made_nn(NULL, 1, act = "softplus", linear.output = FALSE)), "unsupported"),
    bad(as_network(changed(weights = NULL)), "unsupported"),
    bad(as_network(nn, rep = 3), "value"),
    bad(as_network(nn, rep = "best"), "value"),
    bad(as_network(nn, rep = 0), "value"),
    bad(as_network(changed(result.matrix = NULL)), "value"),
    bad(as_network(changed(result.matrix = nn$result.matrix[, 1, drop = FALSE])), "value"),
    bad(as_network(wrong(1, "a"), rep = 1), "type"),
    bad(as_network(wrong(1, matrix(c(1, NaN, 1:6), 4)), rep = 1), "value"),
    bad(as_network(wrong(2, matrix(1, 2, 1)), rep = 1), "shape"),
    bad(as_network(structure(list(weights = list(), act.fct = tanh), class = "nn")), "type"),
    bad(as_network(structure(identity, class = "nn")), "type"),
    bad(as_network(structure(nn, class = c("own", "nn"))), "type"),
    bad(as_network(nn, link = 1), "value"),
    bad(as_network(nn, repetition = 1), "value")
  )
  expect_snapshot(writeLines(texts))
  expect_error(as_network(nn, input = input_sequence(2)), class = "capalloc_error_shape")
})
