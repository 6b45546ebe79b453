# Imported regressions compared with predict().

# Returns the text of a message after checking its class.
told <- function(code, class) conditionMessage(expect_message(code, class = paste0("capalloc_message_", class)))

# Returns the rows of inputs as the help page constructs them.
rows_for <- function(model, newdata) {
  frame <- model.frame(delete.response(terms(model)), newdata, xlev = model$xlevels)
  matrix <- model.matrix(delete.response(terms(model)), frame, contrasts.arg = model$contrasts)
  matrix[, setdiff(colnames(effective_weights(as_network(model))), "(Intercept)"), drop = FALSE]
}

test_that("imported regressions predict as predict() does", {
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
    # Sums of a few terms: rounding error only.
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

test_that("columns without a coefficient are not inputs", {
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

test_that("columns in time order can be a sequence", {
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
