# Imported networks of package neuralnet compared with their equations.

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
  # Columns whose names differ from the terms of the formula, and an activation that is not used.
  nn$model.list$variables <- c("wt", "hp")
  expect_identical(input_frame(as_network(nn)$input)$input, c("x[1]", "x[2]", "x[3]"))
  expect_identical(summary(as_network(made_nn(NULL, act = "function")))$kind, "dense + bias")
})

test_that("of several repetitions the best is imported unless `rep` selects another", {
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
