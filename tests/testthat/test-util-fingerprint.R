# fingerprint(): equal for equal calls, different for any change that affects a run.

sum_of <- function(...) capalloc:::fingerprint(...)

test_that("fingerprints do not depend on the session, the platform or the way a value was made", {
  # Hash of the bytes that fingerprint_value_writer() describes. If it changes, no checkpoint written before matches its
  # comparison.
  expect_identical(sum_of(list(a = 1:3, b = c("x", NA), c = NULL, d = TRUE)), "e07cc4ffc0e6ef8cf13ca160205c0a50")
  expect_identical(sum_of(3L), sum_of(3))
  expect_identical(sum_of(c(1, NaN)), sum_of(c(1, 0 / 0 * -1)))
  latin <- "caf\xe9"
  Encoding(latin) <- "latin1"
  expect_identical(sum_of(latin), sum_of("caf\u00e9"))
  with_source <- eval(parse(text = "function(x) {\n  x + 1 # one\n}", keep.source = TRUE), globalenv())
  without <- eval(parse(text = "function(x) {x+1}", keep.source = FALSE), globalenv())
  expect_identical(sum_of(with_source), sum_of(without))
  expect_identical(sum_of(compiler::cmpfun(without)), sum_of(without))
  expect_identical(sum_of(arch_conv(8, 2, 3)), sum_of(arch_conv(8, 2, 3)))
  expect_identical(sum_of(unserialize(serialize(task_fgn(8, 0.8), NULL))), sum_of(task_fgn(8, 0.8)))
})

test_that("fingerprints do not depend on options, labels or source references", {
  makers <- list(
    \() task_ar(8, 0.123456789), \() task_data(mpg ~ wt, mtcars, test = 1 / 3, seed = 1),
    \() eval(quote(function(x, y = 1e5, ...) list(100000, y, 0.1 + 0.2, "\u00e9", function(z = 2L) z)), globalenv()),
    \() quote(f(a = 1e5, b = 0.1))
  )
  plain <- vapply(makers, \(make) sum_of(make()), "")
  withr::local_options(digits = 3, scipen = 20, OutDec = ",", keep.source = TRUE)
  expect_identical(vapply(makers, \(make) sum_of(make()), ""), plain)
  relabelled <- task_ar(8, 0.5)
  relabelled$label <- "another label"
  expect_identical(sum_of(relabelled), sum_of(task_ar(8, 0.5)))
  code <- c("function(x) {", "  lapply(x, function(y, z) y) # a comment", "}")
  kept <- eval(parse(text = code, keep.source = TRUE), globalenv())
  dropped <- eval(parse(text = code, keep.source = FALSE), globalenv())
  expect_identical(sum_of(kept), sum_of(dropped))
})

test_that("different values have different fingerprints", {
  in_scope <- function(k) function(x) x + k
  tied <- function(value) {
    env <- new.env()
    env$self <- env
    env$value <- value
    env
  }
  values <- list(
    NULL, list(), list(NULL), character(), "", NA_character_, "NA", c("ab", "c"), c("a", "bc"), "abc", list("abc"),
    list("ab", "c"), list(list("ab"), "c"), 0, -0, 1, NA_real_, NaN, Inf, c(a = 1), c(b = 1), 1 + 3e-16, 1i,
    quote(x), "x", quote(x + y),
    quote(f(a = x)), quote(f(b = x)), quote(f(x)), function(x, y) x, function(y, x) x, matrix(1:6, 2),
    matrix(1:6, 3), 1:6, factor(c("a", "b")), structure(1:2, class = "a"),
    in_scope(1), in_scope(2), function(x) x, function(x = 1) x, function(y) y, tied(1), tied(2), as.raw(1:2), y ~ x,
    mtcars,
    mtcars[-1], lm, sum, max, `if`, in_scope(sum), in_scope(max), methods::new("externalptr"),
    methods::getClass("numeric"), methods::getClass("integer")
  )
  sums <- vapply(values, sum_of, "")
  expect_identical(anyDuplicated(sums), 0L)
  expect_match(sums, "^[0-9a-f]{32}$")
})

test_that("all preset networks and tasks, and each change of them, have different fingerprints", {
  all <- c(suppressWarnings(classical_architectures(16)), classical_tasks(16))
  net <- arch_dense(8)
  task <- task_data(mpg ~ wt, mtcars, seed = 1)
  moved <- task
  moved$data$x[[3]] <- moved$data$x[[3]] * (1 + 2^-52)
  more <- list(
    net, set_coef(net, 1:8), set_coef(net, c(1:7, 8.5)), arch_dense(8, bias = TRUE), arch_dense(9),
    input_sequence(8) |> layer_residual(\(x) layer_conv(x, 1, 1), scale = 0.5) |> layer_dense(1),
    input_sequence(8) |> layer_residual(\(x) layer_conv(x, 1, 1), scale = 0.6) |> layer_dense(1),
    task, moved, task_data(mpg ~ wt, mtcars, seed = 2), task_ar(8, 0.5), task_ar(8, 0.5 + 1e-15)
  )
  expect_identical(anyDuplicated(vapply(c(all, more), sum_of, "")), 0L)
})
