# Returns a function that runs `check` on its argument `units`, as functions of the package do. Checks find the name of
# the argument and the caller.
checked <- function(check) {
  function(units, ...) check(units, ...)
}

test_that("checks return the type that the code works with", {
  expect_identical(capalloc:::check_count(3), 3L)
  expect_identical(capalloc:::check_count(0, min = 0L), 0L)
  expect_identical(capalloc:::check_number(2L), 2)
  expect_identical(capalloc:::check_flag(TRUE), TRUE)
  expect_identical(capalloc:::check_choice(c("a", "b"), c("a", "b")), "a")
  expect_identical(capalloc:::check_choice("b", c("a", "b")), "b")
  expect_identical(capalloc:::check_vector(1:3), c(1, 2, 3))
  expect_identical(capalloc:::check_vector(c(a = 1, b = 2)), c(1, 2))
  expect_identical(capalloc:::check_vector(ts(1:3)), c(1, 2, 3))
  expect_identical(capalloc:::check_vector(matrix(1:3)), c(1, 2, 3))
  expect_identical(capalloc:::check_matrix(1:3), matrix(c(1, 2, 3)))
  expect_identical(capalloc:::check_matrix(matrix(1:4, 2)), matrix(c(1, 2, 3, 4), 2))
  frame <- data.frame(a = 1:2, b = c(0.5, 1))
  expect_equal(capalloc:::check_matrix(frame), cbind(a = c(1, 2), b = c(0.5, 1)),
    ignore_attr = "dimnames")
  expect_identical(capalloc:::check_matrix(matrix(1, 2, 3), nrow = 2, ncol = 3), matrix(1, 2, 3))
})

test_that("the ends of a range belong to it unless the range is open", {
  expect_identical(capalloc:::check_number(0, min = 0, max = 1), 0)
  expect_identical(capalloc:::check_number(1, min = 0, max = 1), 1)
  for (end in 0:1) {
    expect_error(capalloc:::check_number(end, min = 0, max = 1, open = TRUE),
      class = "capalloc_error_value")
  }
  expect_identical(capalloc:::check_number(0.5, min = 0, max = 1, open = TRUE), 0.5)
})

test_that("errors name the argument as the user wrote it, and show the value", {
  count <- checked(capalloc:::check_count)
  number <- checked(capalloc:::check_number)
  flag <- checked(capalloc:::check_flag)
  choice <- checked(capalloc:::check_choice)
  vector <- checked(capalloc:::check_vector)
  matrix_of <- checked(capalloc:::check_matrix)
  expect_snapshot({
    cat(bad(count(0), "value"))
    cat(bad(count(-1, min = 0L), "value"))
    cat(bad(count(1.5), "value"))
    cat(bad(count(NA), "value"))
    cat(bad(count(2^31), "value"))
    cat(bad(count("3"), "value"))
    cat(bad(count(NULL), "value"))
    cat(bad(count(1:3), "value"))
    cat(bad(count(1:30), "value"))
    cat(bad(count(list(1)), "value"))
    cat(bad(count(mtcars), "value"))
    cat(bad(count(TRUE), "value"))
    cat(bad(number(2, min = 0, max = 1), "value"))
    cat(bad(number(0, min = 0, open = TRUE), "value"))
    cat(bad(number(0, min = 0, max = 1, open = TRUE), "value"))
    cat(bad(number(-1, min = 0), "value"))
    cat(bad(number(Inf), "value"))
    cat(bad(flag(NA), "value"))
    cat(bad(flag("yes"), "value"))
    cat(bad(flag(c(TRUE, FALSE)), "value"))
    cat(bad(choice("c", c("a", "b")), "value"))
    cat(bad(choice(c("a", "a"), c("a", "b")), "value"))
    cat(bad(choice(NULL, c("a", "b")), "value"))
    cat(bad(vector("a"), "type"))
    cat(bad(vector(factor("a")), "type"))
    cat(bad(vector(matrix(1, 2, 2)), "type"))
    cat(bad(vector(1:3, length = 2), "shape"))
    cat(bad(vector(c(1, NA, Inf)), "value"))
    cat(bad(vector(NaN), "value"))
    cat(bad(matrix_of("a"), "type"))
    cat(bad(matrix_of(array(1, c(2, 2, 2))), "type"))
    cat(bad(matrix_of(matrix(1, 2, 3), ncol = 2), "shape"))
    cat(bad(matrix_of(matrix(1, 2, 3), nrow = 3, ncol = 3), "shape"))
    cat(bad(matrix_of(data.frame(a = 1, b = "x")), "type"))
    cat(bad(matrix_of(matrix(c(1, NA, 3, Inf), 2)), "value"))
    cat(bad(matrix_of(cbind(a = 1:2, b = c(1, NA))), "value"))
  })
})

test_that("the call of an error is that of the function that the user called", {
  my_layer <- function(units) capalloc:::check_count(units)
  condition <- rlang::catch_cnd(my_layer(0), "capalloc_error")
  expect_equal(rlang::call_name(condition$call), "my_layer")
  condition <- rlang::catch_cnd(layer_dense(input_vector(2), units = 0), "capalloc_error")
  expect_equal(rlang::call_name(condition$call), "layer_dense")
  # The same holds where a helper made the check.
  net <- input_vector(2) |> layer_dense(1)
  condition <- rlang::catch_cnd(fit(net, task_ar(3, 0.5)), "capalloc_error")
  expect_match(rlang::call_name(condition$call), "^fit")
  expect_match(conditionMessage(condition), "a vector of 2")
})

test_that("values are shown in short and complete form", {
  show <- capalloc:::show_value
  expect_equal(show(NULL), "NULL")
  expect_equal(show(1.5), "1.5")
  expect_equal(show(NA), "NA")
  expect_equal(show("a"), "\"a\"")
  expect_equal(show(c(1, 2.5)), "c(1.0, 2.5)")
  expect_equal(show(1:6), "<integer of length 6>")
  expect_equal(show(numeric()), "<numeric of length 0>")
  expect_equal(show(matrix(1, 2, 3)), "<matrix 2 x 3>")
  expect_equal(show(mtcars), "<data.frame 32 x 11>")
  expect_equal(show(list(1, 2)), "<list of length 2>")
  expect_equal(show(sum), "<function of length 1>")
})

test_that("braces in a user's value are not interpolated", {
  text <- "{stop('run')} {.val x}"
  expect_error(capalloc:::check_count(text), "{stop('run')} {.val x}", fixed = TRUE,
    class = "capalloc_error_value")
  expect_error(layer_conv(input_sequence(4), 1, 2, padding = text), "{stop('run')}", fixed = TRUE,
    class = "capalloc_error_value")
  expect_error(capalloc:::stop_core(1L, text), "{stop('run')}", fixed = TRUE,
    class = "capalloc_error_internal")
})

test_that("every status code of the core has an error class", {
  classes <- c("internal", "size", "numeric", "nonfinite")
  for (code in seq_along(classes)) {
    expect_error(capalloc:::stop_core(code, "a test"), "a test",
      class = paste0("capalloc_error_", classes[[code]]))
  }
})

test_that("conditions have the package's classes", {
  condition <- rlang::catch_cnd(capalloc:::abort("no", "value", extra = 3))
  expect_s3_class(condition, c("capalloc_error_value", "capalloc_error", "rlang_error", "error",
    "condition"), exact = TRUE)
  expect_equal(condition$extra, 3)
  condition <- rlang::catch_cnd(capalloc:::warn("no", "rank_gap", extra = 4))
  expect_s3_class(condition, c("capalloc_warning_rank_gap", "capalloc_warning"))
  expect_s3_class(condition, "warning")
  expect_equal(condition$extra, 4)
})

test_that("the error for a missing package names the package and what needs it", {
  expect_silent(capalloc:::need_package("stats", "draw"))
  expect_snapshot(cat(bad(capalloc:::need_package("no.such.package", "draw this"), "package")))
})
