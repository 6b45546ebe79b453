# Outputs of networks for rows of inputs.

test_that("new data that do not fit the input are refused", {
  net <- input_vector(3) |> layer_dense(1) |> initialise(seed = 1)
  expect_error(predict(net, diag(4)), class = "capalloc_error_shape")
  expect_error(predict(net, matrix("a", 1, 3)), class = "capalloc_error_type")
  expect_error(predict(net, matrix(c(1, NA, 3), 1)), class = "capalloc_error_value")
  expect_snapshot(error = TRUE, {
    predict(net, diag(4))
    predict(net, matrix(c(1, NA, 3), 1))
    predict(net, matrix("a", 1, 3))
  })
})

test_that("columns are matched to the names of the inputs, others are left out, and wrong names are refused", {
  task <- task_data(mtcars[c("wt", "hp", "qsec")], mtcars$mpg, test = 0)
  trained <- fit(input_vector(3) |> layer_dense(1, bias = TRUE), task)
  wanted <- predict(trained, unname(as.matrix(mtcars[c("wt", "hp", "qsec")])))
  own <- lm(mpg ~ wt + hp + qsec, mtcars)
  expect_near(wanted[, 1L], unname(fitted(own)), 1e-8)
  for (columns in list(c("wt", "hp", "qsec"), c("qsec", "wt", "hp"), names(mtcars))) {
    expect_identical(predict(trained, mtcars[columns]), wanted)
    expect_identical(predict(trained, as.matrix(mtcars[columns])), wanted)
    expect_identical(predict(trained$network, mtcars[columns]), wanted)
    expect_identical(linearise(trained, mtcars[1L, columns]), linearise(trained, mtcars[1L, c("wt", "hp", "qsec")]))
  }
  expect_snapshot(cran = TRUE, {
    cat(bad(predict(trained, data.frame(wt = 1, hp = 2, cyl = 3)), "names"))
    cat(bad(predict(trained, matrix(1, 2, 3, dimnames = list(NULL, c("a", "b", "c")))), "names"))
    cat(bad(predict(trained, matrix(1, 2, 4)), "shape"))
  })
  # a network without names takes any
  expect_no_error(predict(set_coef(input_vector(2) |> layer_dense(1), 1:2), data.frame(u = 1, v = 2)))
})

test_that("a matrix of positions x channels is one window", {
  net <- set_coef(input_sequence(4, channels = 2) |> layer_dense(1), 1:8)
  window <- matrix(c(0.5, -1, 2, 3, 1, 7, -2, 4), 4)
  expect_identical(predict(net, window), predict(net, as.vector(t(window))))
  expect_identical(predict(net, window)[[1L]], sum(t(window) * 1:8))
  # eight columns are rows of inputs
  expect_identical(dim(predict(net, matrix(1, 4, 8))), c(4L, 1L))
  one <- set_coef(input_sequence(3) |> layer_dense(1), 1:3)
  expect_identical(predict(one, matrix(1:3)), matrix(14))
})

test_that("new data have either name, and other arguments are refused by every method", {
  task <- task_data(mpg ~ wt + hp, mtcars, test = 0)
  trained <- fit(input_vector(2) |> layer_dense(1, bias = TRUE), task)
  new <- mtcars[1:3, c("wt", "hp")]
  expect_identical(predict(trained, new_data = new), predict(trained, newdata = new))
  expect_identical(predict(trained$network, new_data = new), predict(trained, new))
  own <- augment(trained, new_data = new)
  expect_named(own, c("row", "output", ".fitted"))
  expect_identical(own, augment(trained, newdata = new))
  expect_near(own$.fitted, unname(predict(lm(mpg ~ wt + hp, mtcars), new)), 1e-8)
  bad(predict(trained, new, new_data = new), "value")
  bad(predict(trained$network), "type")
  allocation <- capacity(trained)
  for (wrong in list(
    quote(predict(trained, new, h = 3)), quote(predict(trained$network, new, interval = "confidence")),
    quote(fitted(trained, new)), quote(residuals(trained, type = "pearson")), quote(nobs(trained, 1)),
    quote(coef(trained, 1)), quote(augment(trained, data = new)), quote(glance(trained, conf.int = TRUE)),
    quote(tidy(trained, exponentiate = TRUE)), quote(summary(allocation, digits = 3)), quote(glance(allocation, 1)),
    quote(augment(allocation, new)), quote(simulate(task, 5, seed = 1, newdata = new)),
    quote(plot(trained, main = "a"))
  )) {
    expect_error(eval(wrong), class = "capalloc_error_value", label = deparse(wrong))
  }
})
