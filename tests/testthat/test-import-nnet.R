# Imported networks of package nnet compared with predict().

sigmoid <- function(u) 1 / (1 + exp(-u))

quiet_nnet <- function(..., trace = FALSE) nnet::nnet(..., trace = trace)

softmax <- function(u) exp(u) / rowSums(exp(u))

# Returns the weights of a network of nnet by the names of coef() (b constant, i inputs,
# h hidden, o outputs): a list with one matrix for each kind of connection (to x from).
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

# Returns D of a network with one hidden layer and linear outputs in closed form. Rows: sample, output, input and
# constant. Columns: W, a, V, the biases of the outputs and, with skips, S.
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

test_that("imported networks of nnet predict as predict() does", {
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
    # Without the activation of the outputs.
    linked <- as_network(model, link = TRUE)
    back <- switch(case$kind, linear = identity, softmax = softmax, sigmoid)
    expect_lt(max(abs(back(predict(linked, new, type = "link")) - predict(model, new))), 1e-10)
    expect_identical(identical(linked, network), case$kind %in% c("linear", "softmax"))
  }
})

test_that("the network records the meaning of its logits", {
  skip_if_not_installed("nnet")
  model <- withr::with_seed(1, quiet_nnet(Species ~ ., iris, size = 2, maxit = 5))
  levels <- nnet::multinom(Species ~ ., iris, trace = FALSE, maxit = 5)
  two <- withr::with_seed(1, quiet_nnet(I(Species == "setosa") ~ ., iris, size = 2, maxit = 5))
  expect_silent(said <- lapply(list(model, levels), as_network))
  expect_identical(lapply(said, function(network) network$output), list("softmax", "baseline"))
  expect_null(as_network(two)$output)
})

test_that("beyond 15 nnet truncates its logistic function, and predictions differ as documented", {
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

test_that("the capacity of a network of nnet equals its closed form", {
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

test_that("the inputs are named after the columns of the formula", {
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

test_that("weights that nnet held fixed are imported as parameters", {
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

test_that("the outputs of an imported multinom are logits relative to the first level", {
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
    # The weights are the coefficients of the model, and their number is the model's.
    W <- effective_weights(network)
    expect_equal(c(W), c(rbind(coef(model))[, colnames(W)]), tolerance = 1e-14, ignore_attr = TRUE)
    expect_setequal(colnames(W), model$coefnames)
    expect_equal(sum(capacity(network)$capacity), model$edf, tolerance = 1e-12)
  }
  # Only differences from the first level matter; the bias of a level is added to its intercept.
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
    # type = "probs" gives the probability of the second level.
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
  # The loss of the model's own predictions.
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
  # The text of the error is that of task_data().
  expect_error(as_network(model, input = input_sequence(2)), class = "capalloc_error_shape")
})
