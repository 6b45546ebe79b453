separated_frame <- function() {
  withr::local_seed(1)
  d <- data.frame(a = rnorm(50), b = rnorm(50), q = rbinom(50, 1, 0.3))
  d$complete <- factor(d$a + d$b > 0)
  d$partly <- factor(d$q == 1 | d$a + rnorm(50) > 0)
  d
}

logit_net <- function(n, outputs = 1) input_vector(n) |> layer_dense(outputs, bias = TRUE)

test_that("complete separation is warned of once, by every optimiser and for hidden layers", {
  d <- separated_frame()
  task <- task_data(complete ~ a + b, d, test = 0)
  # glm() warns as well
  expect_warning(glm(complete ~ a + b, binomial, d), "numerically 0 or 1") |> suppressWarnings()
  hidden <- input_vector(2) |> layer_dense(3, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  for (method in c("lm", "lbfgs", "adam")) {
    seen <- list()
    withCallingHandlers(fit(logit_net(2), task, method, seed = 1, restarts = 2), warning = function(w) {
      if (inherits(w, "capalloc_warning_separation")) seen <<- c(seen, list(w))
      invokeRestart("muffleWarning")
    })
    expect_length(seen, 1L)
    expect_identical(seen[[1]]$rows, 1:50)
  }
  expect_warning(fit(hidden, task, seed = 1), class = "capalloc_warning_separation")
  expect_no_warning(fit(logit_net(2), task, seed = 1, control = list(decay = 1e-4)))
})

test_that("partial separation is found, for two classes and more", {
  d <- separated_frame()
  task <- task_data(partly ~ a + b + q, d, test = 0)
  for (method in c("lm", "lbfgs")) {
    w <- expect_warning(fit(logit_net(3), task, method, seed = 1), class = "capalloc_warning_separation")
    expect_identical(w$rows, which(d$q == 1))
  }
  # setosa is separated from the two other species, which overlap
  expect_warning(fit(logit_net(4, 3), task_data(Species ~ ., iris, test = 0), seed = 1), "For 150 of 150 training rows",
    class = "capalloc_warning_separation")
})

test_that("probabilities near 0 or 1 without separation are no reason for a warning", {
  overlap <- droplevels(iris[51:150, ])
  expect_no_warning(fit(logit_net(4), task_data(Species ~ ., overlap, test = 0), seed = 1))
  withr::local_seed(1)
  d <- data.frame(x = 10 * rnorm(500))
  d$y <- factor(runif(500) < plogis(3 * d$x))
  expect_warning(strong <- glm(y ~ x, binomial, d), "numerically 0 or 1")
  expect_true(strong$converged)
  expect_no_warning(trained <- fit(logit_net(1), task_data(y ~ x, d, test = 0), seed = 1))
  expect_equal(drop(effective_weights(trained))[2:1], coef(strong), tolerance = 1e-6, ignore_attr = TRUE)
  # collinear inputs have directions that change no margin at all
  d$z <- 2 * d$x
  expect_no_warning(fit(logit_net(2), task_data(y ~ x + z, d, test = 0), seed = 1),
    class = "capalloc_warning_separation")
})

test_that("comparisons do not repeat the warning for each run", {
  task <- task_data(complete ~ a + b, separated_frame(), seed = 1)
  expect_no_warning(compare_architectures(list(logit = logit_net(2)), list(apart = task), replicates = 2, seed = 1),
    class = "capalloc_warning_separation")
})

test_that("the text names the rows and the way out", {
  d <- separated_frame()
  texts <- lapply(c(complete ~ a + b + q, partly ~ a + b + q), function(formula) {
    conditionMessage(expect_warning(fit(logit_net(3), task_data(formula, d, test = 0), seed = 1),
      class = "capalloc_warning_separation"))
  })
  expect_snapshot(writeLines(unlist(texts)))
})
