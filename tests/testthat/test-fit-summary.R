cars_task <- function(...) task_data(mpg ~ wt + hp, mtcars, ...)
smooth <- function(units = 2, outputs = 1, inputs = 2) {
  input_vector(inputs) |> layer_dense(units, bias = TRUE) |> layer_activation("tanh") |>
    layer_dense(outputs, bias = TRUE)
}

test_that("likelihood, AIC, BIC and the table of one dense layer are those of lm(), with and without a bias", {
  for (weights in list(NULL, mtcars$cyl)) for (bias in c(TRUE, FALSE)) {
    trained <- fit(arch_dense(input_vector(2), bias = bias), cars_task(test = 0, weights = weights), seed = 1)
    wanted <- if (is.null(weights)) lm(mpg ~ wt + hp, mtcars) else lm(mpg ~ wt + hp, mtcars, weights = cyl)
    expect_equal(as.double(logLik(trained)), as.double(logLik(wanted)), tolerance = 1e-8)
    expect_equal(AIC(trained), AIC(wanted), tolerance = 1e-8)
    expect_equal(BIC(trained), BIC(wanted), tolerance = 1e-8)
    expect_equal(df.residual(trained), df.residual(wanted))
    table <- summary(trained)$coefficients
    expect_equal(table[c("(Intercept)", "wt", "hp"), ], coef(summary(wanted)), tolerance = 1e-6, ignore_attr = TRUE)
    expect_equal(summary(trained)$sigma, summary(wanted)$sigma, tolerance = 1e-8)
    if (is.null(weights)) expect_equal(summary(trained)$r_squared, summary(wanted)$r.squared, tolerance = 1e-8)
  }
})

test_that("a regression through the origin has no centre to count", {
  trained <- fit(arch_dense(input_vector(2)), cars_task(test = 0, standardise = "scale"), seed = 1)
  wanted <- lm(mpg ~ wt + hp - 1, mtcars)
  expect_equal(AIC(trained), AIC(wanted), tolerance = 1e-8)
  expect_equal(df.residual(trained), 30)
})

test_that("likelihoods of classes are those of glm() and multinom()", {
  task <- task_data(factor(am) ~ wt + hp, mtcars, test = 0)
  trained <- quiet(fit(arch_dense(input_vector(2), bias = TRUE), task, seed = 1))
  wanted <- glm(am ~ wt + hp, binomial, mtcars)
  expect_equal(as.double(logLik(trained)), as.double(logLik(wanted)), tolerance = 1e-7)
  expect_equal(AIC(trained), AIC(wanted), tolerance = 1e-7)
  expect_equal(df.residual(trained), df.residual(wanted))
  skip_if_not_installed("nnet")
  flowers <- task_data(Species ~ Petal.Length + Sepal.Width, iris[c(1:40, 51:150), ], test = 0)
  net <- input_vector(2) |> layer_dense(3, bias = TRUE)
  logits <- quiet(fit(net, flowers, seed = 1, control = list(max_iterations = 2000)))
  wanted <- nnet::multinom(Species ~ Petal.Length + Sepal.Width, iris[c(1:40, 51:150), ], trace = FALSE, maxit = 2000)
  # nearly separated classes: both are close to the supremum of the likelihood
  expect_lt(abs(logLik(logits) - logLik(wanted)), 0.1)
})

test_that("degrees of freedom are the trace of the smoother: refits of a linear network with decay", {
  task <- cars_task(test = 0)
  trained <- fit(arch_dense(input_vector(2)), task, seed = 1, control = list(decay = 0.3))
  x <- scale(mtcars[c("wt", "hp")]) * sqrt(32 / 31) # divided by the standard deviation with N
  y <- (mtcars$mpg - mean(mtcars$mpg)) / sqrt(mean((mtcars$mpg - mean(mtcars$mpg))^2))
  hat <- x %*% solve(crossprod(x) + 32 * 0.3 * diag(2), t(x))
  expect_equal(32 - df.residual(trained), sum(diag(hat)) + 1, tolerance = 1e-10) # 1 for the mean
  expect_near((fitted(trained) - mean(mtcars$mpg)) / sqrt(mean((mtcars$mpg - mean(mtcars$mpg))^2)), hat %*% y, 1e-5)
})

test_that("degrees of freedom with decay and classes are those of the second derivatives", {
  task <- task_data(factor(am) ~ wt + hp, mtcars, test = 0, standardise = FALSE)
  trained <- quiet(fit(arch_dense(input_vector(2), bias = TRUE), task, seed = 1, control = list(decay = 0.05)))
  X <- cbind(mtcars$wt, mtcars$hp, 1)
  p <- plogis(predict(trained, mtcars[c("wt", "hp")], type = "link"))
  H <- crossprod(X * c(sqrt(p * (1 - p))))
  expect_equal(32 - df.residual(trained), sum(diag(H %*% solve(H + 2 * 32 * 0.05 * diag(3)))), tolerance = 1e-6)
})

test_that("the tangent at rows is that of central differences, outputs fastest", {
  net <- initialise(smooth(3, 2), seed = 1)
  x <- test_inputs(net, 5, 1)
  J <- tangent(net, data = x)
  expect_identical(dim(J), c(10L, 17L))
  expect_identical(colnames(J), names(coef(net)))
  step <- 1e-5
  for (k in seq_along(coef(net))) {
    move <- replace(numeric(17), k, step)
    slope <- (predict(set_coef(net, coef(net) + move), x) - predict(set_coef(net, coef(net) - move), x)) / (2 * step)
    expect_near(J[, k], c(t(slope)), 1e-8)
  }
  # many rows come in blocks
  many <- test_inputs(net, 600, 2)
  expect_near(tangent(net, data = many)[599:602, ], rbind(tangent(net, many[300, ]), tangent(net, many[301, ])), 1e-14)
  # a linear network: J at x is the tangent of its weights, contracted with x
  linear <- initialise(arch_deep(input_vector(2), units = 2, depth = 2), seed = 1)
  expect_near(tangent(linear, data = rbind(1:2)), matrix(1:2, 1) %*% tangent(linear), 1e-14)
  # a fit has units: data are given in theirs
  trained <- quiet(fit(smooth(), cars_task(test = 0), seed = 1))
  scaled <- sweep(sweep(as.matrix(mtcars[c("wt", "hp")]), 2, trained$network$units$centre_x),
    2, trained$network$units$scale_x, `/`)
  bare <- trained$network
  bare$units <- NULL
  expect_near(tangent(trained, mtcars[c("wt", "hp")]), tangent(bare, scaled), 1e-12)
})

test_that("summaries print, and fits on population moments have no likelihood", {
  expect_snapshot({
    summary(fit(arch_dense(input_vector(2), bias = TRUE), cars_task(seed = 1), seed = 1))
    summary(quiet(fit(smooth(), cars_task(seed = 1), seed = 1, control = list(decay = 0.01))))
    cat(bad(logLik(fit(arch_dense(3), task_ar(3, 0.5), seed = 1)), "value"))
    cat(bad(summary(fit(arch_dense(3), task_ar(3, 0.5), seed = 1)), "value"))
  })
})
