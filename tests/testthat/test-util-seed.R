test_that("a seed gives the same draws whatever generator the session uses", {
  withr::local_preserve_seed()
  draw <- function() capalloc:::with_seed(3, c(rnorm(2), runif(1), sample.int(100, 2)))
  first <- draw()
  RNGkind("Wichmann-Hill", "Box-Muller", "Rejection")
  expect_identical(draw(), first)
  RNGkind("L'Ecuyer-CMRG", "Ahrens-Dieter", "Rejection")
  expect_identical(draw(), first)
  expect_false(identical(capalloc:::with_seed(4, rnorm(2)), first[1:2]))
})

test_that("the session's generator is restored, also after an error", {
  withr::local_preserve_seed()
  RNGkind("L'Ecuyer-CMRG", "Box-Muller", "Rejection")
  set.seed(2)
  before <- list(.Random.seed, RNGkind())
  capalloc:::with_seed(1, rnorm(3))
  expect_identical(list(.Random.seed, RNGkind()), before)
  expect_error(capalloc:::with_seed(1, stop("no")), "no")
  expect_identical(list(.Random.seed, RNGkind()), before)
})

test_that("the second normal of a Box-Muller pair is kept", {
  withr::local_preserve_seed()
  RNGkind("Mersenne-Twister", "Inversion", "Rejection")
  set.seed(2)
  after <- rnorm(3)
  set.seed(2)
  drawn <- rnorm(1)
  capalloc:::with_seed(1, rnorm(1))
  expect_identical(c(drawn, rnorm(2)), after)
})

test_that("a session without .Random.seed still has none afterwards", {
  withr::local_preserve_seed()
  rm(".Random.seed", envir = globalenv())
  capalloc:::with_seed(1, runif(1))
  expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
})

test_that("a session without .Random.seed keeps the kinds of generator that it chose", {
  withr::local_preserve_seed()
  for (sampler in c("Rejection", "Rounding")) {
    suppressWarnings(RNGkind("Wichmann-Hill", "Box-Muller", sampler))
    rm(".Random.seed", envir = globalenv())
    expect_warning(capalloc:::with_seed(1, runif(1)), NA)
    expect_identical(RNGkind(), c("Wichmann-Hill", "Box-Muller", sampler))
    expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
  }
})

test_that("a session with the Rounding sampler gets no warnings", {
  withr::local_preserve_seed()
  suppressWarnings(RNGkind("Mersenne-Twister", "Inversion", "Rounding"))
  expect_warning(capalloc:::with_seed(1, runif(1)), NA)
  expect_equal(RNGkind()[[3L]], "Rounding")
  # The stream is also restored where warnings are errors.
  before <- .Random.seed
  withr::with_options(list(warn = 2), try(capalloc:::with_seed(1, runif(1)), silent = TRUE))
  expect_true(identical(.Random.seed, before))
})

test_that("without a seed one number is drawn from the session's stream", {
  withr::local_seed(8)
  first <- capalloc:::draw_seed()
  second <- capalloc:::draw_seed(NULL)
  expect_type(first, "integer")
  expect_false(first == second)
  set.seed(8)
  expect_identical(capalloc:::draw_seed(), first)
  expect_identical(capalloc:::draw_seed(7), 7L)
  expect_identical(capalloc:::draw_seed(-.Machine$integer.max), -.Machine$integer.max)
})

test_that("derived seeds have a common prefix and do not repeat", {
  long <- capalloc:::derive_seeds(1, 1000)
  expect_identical(capalloc:::derive_seeds(1, 3), long[1:3])
  expect_equal(anyDuplicated(long), 0)
  expect_length(intersect(long, capalloc:::derive_seeds(2, 1000)), 0)
})

test_that("seeds that are not one whole number are refused", {
  net <- input_vector(2) |> layer_dense(1)
  expect_snapshot({
    cat(bad(initialise(net, seed = 1.5), "value"))
    cat(bad(initialise(net, seed = NA), "value"))
    cat(bad(initialise(net, seed = c(1, 2)), "value"))
    cat(bad(initialise(net, seed = 2^31), "value"))
    cat(bad(initialise(net, seed = "1"), "value"))
    cat(bad(initialise(net, seed = Inf), "value"))
    cat(bad(initialise(net, seed = list(1)), "value"))
    cat(bad(initialise(net, seed = numeric()), "value"))
    cat(bad(simulate(task_ar(4, 0.5), 2, seed = TRUE), "value"))
  })
})

test_that("seeds derived from a name depend only on its UTF-8 bytes", {
  # The polynomial by hand, in exact arithmetic: 1 * 16807^2 + 98 * 16807 + 99 for "ab".
  expect_identical(capalloc:::named_seed(1L, "ab"), as.integer((16807^2 + 98 * 16807 + 99) %% 2147483647))
  expect_identical(capalloc:::named_seed(7L, "task"), 1090888981L)
  latin <- "caf\xe9"
  Encoding(latin) <- "latin1"
  expect_identical(capalloc:::named_seed(1L, latin), capalloc:::named_seed(1L, "caf\u00e9"))
  withr::with_locale(c(LC_COLLATE = "C", LC_CTYPE = "C"), {
    expect_identical(capalloc:::named_seed(1L, "caf\u00e9"), 2141101822L)
  })
  seeds <- vapply(c("a", "b", "ab", "ba", "aa", " a"), capalloc:::named_seed, 1L, seed = -3L)
  expect_identical(anyDuplicated(seeds), 0L)
  expect_false(any(seeds == vapply(names(seeds), capalloc:::named_seed, 1L, seed = 3L)))
  long <- capalloc:::named_seed(.Machine$integer.max, strrep("x", 1000))
  expect_true(!is.na(long) && long >= 0)
})
