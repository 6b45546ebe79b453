network <- function(inputs = 3, outputs = 2) {
  initialise(input_vector(inputs) |> layer_dense(4, bias = TRUE) |> layer_activation("tanh") |> layer_dense(outputs),
    seed = 1)
}

test_that("mean, sd and rms are those of central differences at all rows", {
  net <- network()
  x <- test_inputs(net, 7, 1)
  profile <- sensitivity_profile(net, x)
  for (j in 1:3) {
    step <- 1e-5 * (col(x) == j)
    slope <- (predict(net, x + step) - predict(net, x - step)) / 2e-5
    rows <- profile[profile$input == paste0("x[", j, "]"), ]
    expect_near(rows$mean, colMeans(slope), 1e-9)
    expect_near(rows$sd, apply(slope, 2, sd), 1e-9)
    expect_near(rows$rms, sqrt(colMeans(slope^2)), 1e-9)
  }
  expect_identical(profile$output, rep(c("y1", "y2"), each = 3))
  expect_identical(glance(profile), data.frame(inputs = 3L, outputs = 2L, nobs = 7L))
  expect_identical(class(tidy(profile)), "data.frame")
})

test_that("blocks of rows change nothing, and one row has no standard deviation", {
  net <- network()
  x <- test_inputs(net, 50, 1)
  whole <- sensitivity_profile(net, x)
  local_internal("sensitivity_entries", 8 * 6)
  expect_equal(sensitivity_profile(net, x), whole, tolerance = 1e-13)
  expect_true(all(is.na(sensitivity_profile(net, x[1, ])$sd)))
})

test_that("a linear network has its effective weights, in data units", {
  trained <- fit(arch_dense(input_vector(2)), task_data(mpg ~ wt + hp, mtcars, seed = 1), seed = 1)
  profile <- sensitivity_profile(trained)
  expect_identical(profile$input, c("wt", "hp"))
  expect_identical(profile$output, c("mpg", "mpg"))
  expect_near(profile$mean, effective_weights(trained)[1, 1:2], 1e-12)
  expect_near(profile$sd, c(0, 0), 1e-12)
  expect_near(profile$rms, abs(profile$mean), 1e-12)
})

test_that("sensitivities do not change with the units of inputs", {
  sensitivity <- function(data) {
    net <- input_vector(2) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
    sensitivity_profile(quiet(fit(net, task_data(mpg ~ wt + hp, data, seed = 1), seed = 1)))$rms
  }
  expect_equal(sensitivity(transform(mtcars, hp = 1000 * hp + 7)) * c(1, 1000), sensitivity(mtcars), tolerance = 1e-3)
})

test_that("sequences have lags and channels, classes their logits", {
  series <- task_series(EuStockMarkets[1:60, 1:2], length = 3)
  trained <- quiet(fit(input_sequence(3, 2) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(2), series,
    seed = 1))
  profile <- sensitivity_profile(trained)
  expect_identical(profile$lag[1:6], c(3L, 3L, 2L, 2L, 1L, 1L))
  expect_identical(nrow(profile), 12L)
  species <- quiet(fit(input_vector(2) |> layer_dense(3, bias = TRUE), task_data(Species ~ Petal.Length + Sepal.Width,
    iris,
    seed = 1), seed = 1))
  expect_identical(unique(sensitivity_profile(species)$output), levels(iris$Species))
  expect_output(print(sensitivity_profile(species)), "logits")
})

test_that("linearise() takes several rows", {
  net <- network()
  x <- test_inputs(net, 3, 1)
  W <- linearise(net, x)
  expect_identical(dim(W), c(2L, 4L, 3L))
  for (s in 1:3) expect_near(W[, , s], linearise(net, x[s, ]), 1e-15)
})

test_that("data that do not fit are refused", {
  expect_snapshot({
    cat(bad(sensitivity_profile(network()), "no_data"))
    cat(bad(sensitivity_profile(network(), diag(4)), "shape"))
    cat(bad(sensitivity_profile(network(), task_ar(3, 0.5)), "type"))
    cat(bad(sensitivity_profile(1), "type"))
    sensitivity_profile(network(), diag(3))
  })
})
