test_that("task_data() keeps every row once, in order, with the moments of its rows", {
  withr::local_seed(1)
  x <- matrix(rnorm(60), 20, dimnames = list(NULL, c("a", "b", "c")))
  y <- cbind(u = rnorm(20), v = rnorm(20))
  task <- task_data(x, y, test = 0.25, seed = 3)
  data <- task$data
  expect_equal(dim(data$x_test), c(5L, 3L))
  rows <- match(data$x[, 1], x[, "a"])
  held_out <- match(data$x_test[, 1], x[, "a"])
  expect_false(is.unsorted(rows))
  expect_setequal(c(rows, held_out), 1:20)
  expect_identical(data$y, unname(y[rows, ]))
  expect_identical(data$y_test, unname(y[held_out, ]))
  x <- unname(x[rows, ])
  y <- unname(y[rows, ])
  expect_equal(task$moments, list(
    sigma = t(x) %*% x / 15, cross = t(x) %*% y / 15, target = t(y) %*% y / 15,
    mean_x = colMeans(x), mean_y = colMeans(y)
  ), tolerance = 1e-14)
  expect_identical(task_demand(task)$input, c("a", "b", "c"))
  expect_identical(task$output_labels, c("u", "v"))
})

test_that("oracle weights and demands are those of lm()", {
  task <- task_data(mpg ~ wt + hp + factor(cyl), mtcars, test = 0)
  fit <- lm(mpg ~ wt + hp + factor(cyl), mtcars)
  w <- drop(oracle_weights(task))
  # The condition number of the scaled covariance is below 1e2.
  expect_equal(w[c("(Intercept)", names(coef(fit))[-1])], coef(fit), tolerance = 1e-12)
  x <- model.matrix(fit)[, -1]
  without <- vapply(1:4, \(j) deviance(lm(mtcars$mpg ~ x[, -j])), 1)
  expect_equal(task_demand(task)$demand, (without - deviance(fit)) / 32, tolerance = 1e-12)
  expect_identical(bayes_loss(task), NA_real_)
  expect_equal(
    drop(oracle_weights(task, intercept = FALSE)), coef(lm(mtcars$mpg ~ x - 1)),
    tolerance = 1e-12, ignore_attr = TRUE
  )
})

test_that("large means and constant columns do not reduce accuracy", {
  withr::local_seed(2)
  x <- cbind(a = 1e6 + 1e-2 * rnorm(50), b = 0.1, c = rnorm(50))
  x[1, "b"] <- 0.1 * (1 + .Machine$double.eps) # constant except for its last digit
  y <- 100 * (x[, 1] - 1e6) + x[, 3] + rnorm(50)
  task <- task_data(x, y, test = 0)
  fit <- lm(y ~ I(a - 1e6) + c, as.data.frame(x))
  # Ten digits of x are left after its mean is subtracted.
  expect_equal(oracle_weights(task)[c(1, 3)], unname(coef(fit)[-1]), tolerance = 1e-7)
  expect_identical(oracle_weights(task)[[2]], 0)
  expect_identical(task_demand(task)$demand[[2]], 0)
})

test_that("constant inputs have zero weight, also beside collinear inputs or alone", {
  withr::local_seed(4)
  x <- cbind(a = rnorm(30), b = 2, c = 3 * rnorm(30))
  y <- x[, "a"] + rnorm(30)
  task <- task_data(cbind(x, d = x[, "a"] + x[, "c"]), y, test = 0)
  # Weights w + t (1, 0, 1, -1) with w = (a, 0, c, 0) have least norm at t = -(a + c) / 3.
  w <- coef(lm(y ~ a + c, as.data.frame(x)))
  t <- -(w[["a"]] + w[["c"]]) / 3
  found <- oracle_weights(task)
  expect_equal(found[1:4], c(w[["a"]] + t, 0, w[["c"]] + t, -t), tolerance = 1e-12)
  expect_identical(found[[2]], 0)
  none <- task_data(x[, c("b", "b")], y, test = 0)
  expect_identical(oracle_weights(none)[1:2], c(0, 0))
  expect_equal(oracle_weights(none)[[3]], mean(y), tolerance = 1e-14)
  expect_identical(task_demand(none)$demand, c(0, 0))
})

test_that("with more inputs than rows the oracle weights fit exactly", {
  withr::local_seed(3)
  x <- matrix(rnorm(40), 5)
  y <- rnorm(5)
  w <- oracle_weights(task_data(x, y, test = 0))
  expect_equal(drop(cbind(x, 1) %*% t(w)), y, tolerance = 1e-12)
  expect_equal(task_demand(task_data(x, y, test = 0))$demand, numeric(8))
})

test_that("task_data() accepts vectors and data frames", {
  task <- task_data(1:10, data.frame(out = 11:20), test = 0.2, seed = 1)
  expect_identical(task$input$shape[[1]], 1L)
  expect_identical(task$output_labels, "out")
  expect_identical(task_data(mtcars[2:3], mtcars$mpg, seed = 1)$input$labels, c("cyl", "disp"))
  expect_identical(nrow(task_data(1:10, 1:10, test = 0)$data$x_test), 0L)
  expect_identical(dim(task_data(matrix(1, 4, 2), 1:4, test = 0)$data$x_test), c(0L, 2L))
})

test_that("an ordered input can be given", {
  x <- matrix(1:12 + 0, 2)
  task <- task_data(x, 1:2, test = 0, input = input_sequence(3, channels = 2))
  expect_identical(task_demand(task)$lag, c(3L, 3L, 2L, 2L, 1L, 1L))
  # Its coordinates are named after the columns.
  named <- task_data(mtcars[2:3], mtcars$mpg, test = 0, input = input_sequence(2))
  expect_identical(named$input$labels, c("cyl", "disp"))
})

test_that("the formula method follows lm() and leaves the intercept to biases of the network", {
  task <- task_data(formula = log(mpg) ~ poly(wt, 2) + cyl:hp, data = mtcars, test = 0)
  fit <- lm(log(mpg) ~ poly(wt, 2) + cyl:hp, mtcars)
  expect_identical(task$input$labels, names(coef(fit))[-1])
  expect_identical(task$output_labels, "log(mpg)")
  expect_equal(task$data$x, unname(model.matrix(fit)[, -1]), ignore_attr = TRUE)
  both <- task_data(cbind(mpg, hp) ~ ., mtcars[1:5], test = 0)
  expect_identical(both$output_labels, c("mpg", "hp"))
  expect_identical(both$input$labels, c("cyl", "disp", "drat"))
  none <- task_data(mpg ~ factor(cyl) - 1, mtcars, test = 0)
  expect_identical(none$input$labels, paste0("factor(cyl)", c(4, 6, 8)))
})

test_that("a long formula is shortened in print", {
  long <- mpg ~ log(wt) + log(hp) + log(disp) + log(drat) + log(qsec) + carb
  shown <- "data, mpg ~ log(wt) + log(hp) + log(disp) + log(drat) + log(qse...\n"
  expect_output(print(task_data(long, mtcars, seed = 1)), shown, fixed = TRUE)
  whole <- mpg ~ log(wt) + log(hp) + log(disp) + log(drat) + log(qsec)
  expect_output(print(task_data(whole, mtcars, seed = 1)), "+ log(drat) + log(qsec)\n", fixed = TRUE)
})

test_that("the seed determines the held-out rows only", {
  set.seed(5)
  state <- .Random.seed
  one <- task_data(1:50, 1:50, seed = 1)
  expect_identical(.Random.seed, state)
  expect_identical(task_data(1:50, 1:50, seed = 1), one)
  expect_false(identical(task_data(1:50, 1:50, seed = 2)$data$x, one$data$x))
  task_data(1:50, 1:50, test = 0) # draws no random numbers
  expect_identical(.Random.seed, state)
  drawn <- task_data(1:50, 1:50)
  expect_identical(task_data(1:50, 1:50, seed = drawn$seed), drawn)
})

test_that("simulate() draws training rows with replacement", {
  task <- task_data(1:10, 101:110, seed = 1)
  drawn <- simulate(task, 100, seed = 1)
  expect_identical(drawn$y, drawn$x + 100)
  expect_setequal(drawn$x, task$data$x)
  expect_identical(simulate(task, 100, seed = 1), drawn)
})

test_that("misspelt arguments are refused", {
  expect_error(task_data(1:3, 1:3, tset = 0.5), class = "rlib_error_dots_nonempty")
  expect_error(task_data(mpg ~ hp, mtcars, tset = 0.5), class = "rlib_error_dots_nonempty")
})

test_that("bad data are refused by class", {
  holed <- mtcars
  holed$hp[3] <- NA
  holed$cyl <- factor(holed$cyl)
  holed$cyl[5] <- NA
  texts <- c(
    bad(task_data(1:3), "type"),
    bad(task_data(1:3, 1:4), "shape"),
    bad(task_data(c(1, NA, 3), 1:3), "value"),
    bad(task_data(as.matrix(holed["hp"]), 1:32), "value"),
    bad(task_data(iris, 1:150), "type"),
    bad(task_data("a", 1), "type"),
    bad(task_data(1:3, c(1, Inf, 2)), "value"),
    bad(task_data(1:3, "y"), "value"),
    bad(task_data(1:3, list("y")), "type"),
    bad(task_data(1:3, Sys.Date() + 1:3), "type"),
    bad(task_data(numeric(), numeric()), "shape"),
    bad(task_data(1:3, 1:3, test = 1), "value"),
    bad(task_data(1:3, 1:3, test = -0.1), "value"),
    bad(task_data(1:3, 1:3, seed = 1.5), "value"),
    bad(task_data(1:3, 1:3, input = input_sequence(2)), "shape"),
    bad(task_data(mpg ~ hp), "type"),
    bad(task_data(mpg ~ hp, as.matrix(mtcars)), "type"),
    bad(task_data(~hp, mtcars), "value"),
    bad(task_data(mpg ~ 1, mtcars), "value"),
    bad(task_data(mpg ~ nowhere, mtcars), "value"),
    bad(task_data(mpg ~ hp + offset(wt), mtcars), "value"),
    bad(task_data(mpg ~ hp, holed), "value"),
    bad(task_data(mpg ~ cyl, holed), "value"),
    bad(task_data(log(mpg - 15.2) ~ wt, mtcars[c(1, 12, 14), ]), "value")
  )
  expect_snapshot(writeLines(texts))
})

# ---- classes -------------------------------------------------------------------------------------

test_that("a factor response has one output for each level that occurs", {
  y <- factor(c("b", "a", "c", "b", "c", "b"), levels = c("c", "b", "a", "d"))
  task <- task_data(1:6, y, test = 0)
  expect_identical(task$levels, c("c", "b", "a"))
  expect_identical(task$output_labels, task$levels)
  expect_identical(task$outputs, 3L)
  expect_identical(task$data$y, rbind(c(0, 1, 0), c(0, 0, 1), c(1, 0, 0), c(0, 1, 0), c(1, 0, 0), c(0, 1, 0)))
  expect_identical(task$data$y_test, matrix(0, 0, 3))
  expect_equal(task$moments$mean_y, c(2, 3, 1) / 6, tolerance = 1e-15)
  expect_identical(bayes_loss(task), NA_real_)
  # Levels are in the order of the factor, ordered or not; levels of text and logicals are in the order of factor().
  expect_identical(task_data(1:6, factor(y, ordered = TRUE), test = 0)$levels, task$levels)
  text <- task_data(1:6, as.character(y), test = 0)
  expect_identical(text$levels, c("a", "b", "c"))
  expect_identical(text$data$y, task$data$y[, 3:1][, c(1, 2, 3)])
  logical <- task_data(1:6, y == "b", test = 0)
  expect_identical(logical$levels, c("FALSE", "TRUE"))
  expect_identical(logical$data$y[, 2], as.double(y == "b"))
  # A matrix with one column is treated as a vector.
  expect_identical(task_data(1:6, matrix(as.character(y)), test = 0)$data, text$data)
})

test_that("formulas accept classes as the response", {
  task <- task_data(Species ~ ., iris, seed = 1)
  expect_identical(task$levels, levels(iris$Species))
  expect_identical(task$input$labels, names(iris)[1:4])
  expect_identical(dim(task$data$y), c(120L, 3L))
  key <- function(x) apply(as.matrix(x), 1, function(row) paste(format(row), collapse = " "))
  held_out <- match(key(task$data$x_test), key(unname(iris[1:4])))
  expect_identical(max.col(task$data$y_test), as.integer(iris$Species)[held_out])
  expect_identical(task_data(factor(cyl) ~ hp, mtcars, test = 0)$levels, c("4", "6", "8"))
  cars <- task_data(mpg > 20 ~ hp, mtcars, test = 0)
  expect_identical(cars$levels, c("FALSE", "TRUE"))
  expect_identical(cars$data$y[, 2], as.double(mtcars$mpg > 20))
  named <- transform(mtcars, make = rownames(mtcars), few = ifelse(cyl == 4, "few", "many"))
  expect_identical(task_data(few ~ hp, named, test = 0)$levels, c("few", "many"))
  # Numbers are not converted to classes.
  expect_null(task_data(cyl ~ hp, mtcars)$levels)
  # Levels that occur in no row are omitted.
  expect_identical(task_data(Species ~ ., iris[51:150, ])$levels, c("versicolor", "virginica"))
})

test_that("a task with classes prints, and simulate() draws whole rows", {
  task <- task_data(Species ~ ., iris, seed = 1)
  expect_snapshot(task)
  drawn <- simulate(task, 50, seed = 2)
  rows <- match(apply(drawn$x, 1, paste, collapse = " "), apply(task$data$x, 1, paste, collapse = " "))
  expect_identical(drawn$y, task$data$y[rows, ])
  expect_identical(rowSums(drawn$y), rep(1, 50))
})

test_that("bad classes are refused by class", {
  holed <- data.frame(y = c("u", NA, "v"), z = c(TRUE, FALSE, NA), one = "u", x = 1:3)
  texts <- c(
    bad(task_data(1:3, factor(c("a", NA, "b"))), "value"),
    bad(task_data(1:3, addNA(factor(c("a", "b", NA)))), "value"),
    bad(task_data(1:3, c(NA, TRUE, FALSE)), "value"),
    bad(task_data(1:3, c(NA, NA, NA)), "value"),
    bad(task_data(1:3, factor(c("a", "a", "a"), levels = c("a", "b"))), "value"),
    bad(task_data(1:3, factor(character())), "value"),
    bad(task_data(1:4, factor(c("a", "b"))), "shape"),
    bad(task_data(1:4, matrix(c("a", "b"), 4, 2)), "type"),
    bad(task_data(1:4, data.frame(k = factor(1:4))), "type"),
    bad(task_data(y ~ x, holed), "value"),
    bad(task_data(z ~ x, holed), "value"),
    bad(task_data(one ~ x, holed), "value"),
    bad(task_data(cbind(x > 1, x > 2) ~ x, holed), "type"),
    bad(task_data(iris[1:4], replace(iris$Species, 7, NA)), "value"),
    bad(task_data(replace(1:150, 9, NA), iris$Species), "value")
  )
  expect_snapshot(writeLines(texts))
})
