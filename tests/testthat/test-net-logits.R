# Logits and probabilities of classes.

test_that("probabilities are the softmax, without overflow", {
  yhat <- withr::with_seed(1, matrix(rnorm(12), 4))
  expect_equal(logits_probabilities(yhat), exp(yhat) / rowSums(exp(yhat)), tolerance = 1e-14)
  expect_equal(logits_probabilities(yhat + 1000), logits_probabilities(yhat), tolerance = 1e-12)
  expect_identical(logits_probabilities(cbind(1e4, 0)), cbind(1, 0))
})

test_that("a single logit is that of the second of two levels", {
  expect_equal(logits_probabilities(cbind(c(0, 2))), cbind(1 - plogis(c(0, 2)), plogis(c(0, 2))), tolerance = 1e-14)
  expect_identical(all_logits(cbind(c(-1, 3))), cbind(c(0, -3), c(-1, 0)))
})
