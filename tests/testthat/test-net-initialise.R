# Returns the next draw of R's stream without advancing it.
next_draw <- function() withr::with_preserve_seed(runif(1))

test_that("initialise() is determined by its seed", {
  net <- nested_network()
  expect_identical(initialise(net, seed = 1), initialise(net, seed = 1))
  expect_false(identical(coef(initialise(net, seed = 1)), coef(initialise(net, seed = 2))))
  expect_identical(initialise(net, seed = 1), initialise(net, "glorot", seed = 1L))
  withr::with_seed(5, first <- initialise(net))
  withr::with_seed(5, again <- initialise(net))
  expect_identical(first, again)
})

test_that("initialise() with a seed leaves the user's stream unchanged", {
  withr::local_seed(1)
  before <- next_draw()
  initialise(nested_network(), seed = 99)
  expect_identical(next_draw(), before)
})

test_that("initialise() draws the same under any kind of generator and restores it", {
  net <- nested_network()
  expected <- initialise(net, seed = 1)
  withr::local_preserve_seed()
  # R warns whenever the Rounding sampler is selected, also when it is restored.
  old <- suppressWarnings(RNGkind("Wichmann-Hill", "Box-Muller", "Rounding"))
  withr::defer(RNGkind(old[[1]], old[[2]], old[[3]]))
  expect_identical(suppressWarnings(initialise(net, seed = 1)), expected)
  expect_identical(RNGkind(), c("Wichmann-Hill", "Box-Muller", "Rounding"))
})

test_that("initialise() works in a session without .Random.seed", {
  withr::local_preserve_seed()
  runif(1)
  rm(".Random.seed", envir = globalenv())
  initialise(nested_network(), seed = 1)
  expect_false(exists(".Random.seed", envir = globalenv(), inherits = FALSE))
})

test_that("successive draws without a seed differ", {
  withr::local_seed(1)
  expect_false(identical(initialise(nested_network()), initialise(nested_network())))
})

test_that("each scheme has its documented variance", {
  # 100 x 50 weights: the standard error of a variance is 2% of it.
  net <- input_vector(100) |> layer_dense(50)
  variance <- function(scheme) mean(coef(initialise(net, scheme, seed = 1))^2)
  expect_equal(variance("glorot"), 2 / 150, tolerance = 0.08)
  expect_equal(variance("lecun"), 1 / 100, tolerance = 0.08)
  expect_equal(variance("he"), 2 / 100, tolerance = 0.08)
  # Fan-in of a convolution is its taps times the channels of one group.
  conv <- input_sequence(8, channels = 64) |> layer_conv(32, kernel = 5, groups = 2)
  expect_equal(mean(coef(initialise(conv, "lecun", seed = 1))^2), 1 / 160, tolerance = 0.06)
  expect_equal(mean(coef(initialise(conv, seed = 1))^2), 2 / (160 + 80), tolerance = 0.06)
  # On a grid the taps are rows times columns. 5760 draws.
  grid <- input_grid(6, 6, channels = 64) |> layer_conv(30, kernel = c(3, 2), groups = 2)
  expect_equal(mean(coef(initialise(grid, "he", seed = 1))^2), 2 / (32 * 6), tolerance = 0.06)
  expect_equal(mean(coef(initialise(grid, seed = 1))^2), 2 / (32 * 6 + 15 * 6), tolerance = 0.06)
})

test_that("biases start at zero, recurrences near radius 0.9 or with log-uniform memory times", {
  net <- input_sequence(50) |> layer_recurrent(60, bias = TRUE)
  theta <- coef(initialise(net, seed = 1))
  expect_true(all(theta[grepl("bias", names(theta))] == 0))
  a <- matrix(theta[grepl("recurrent[", names(theta), fixed = TRUE)], 60)
  # The circular law holds within about 10% at 60 units.
  expect_equal(max(Mod(eigen(a)$values)), 0.9, tolerance = 0.15)
  diagonal <- input_sequence(50) |> layer_recurrent(200, "diagonal")
  theta <- coef(initialise(diagonal, seed = 1))
  tau <- -1 / log(theta[grepl("recurrent[", names(theta), fixed = TRUE)])
  expect_true(all(tau >= 1 & tau <= 50))
  # Log-uniform: the median memory time is near the square root of the length.
  expect_equal(median(log(tau)), log(50) / 2, tolerance = 0.25)
})

test_that("bad schemes and seeds are refused", {
  net <- input_vector(3) |> layer_dense(1)
  expect_error(initialise(net, "xavier"), class = "capalloc_error_value")
  expect_error(initialise(net, c("glorot", "he")), class = "capalloc_error_value")
  for (seed in list("a", NA, 1.5, c(1, 2), Inf, 2^31, list(1))) {
    expect_error(initialise(net, seed = seed), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, {
    initialise(net, "xavier")
    initialise(net, seed = 1.5)
  })
})
