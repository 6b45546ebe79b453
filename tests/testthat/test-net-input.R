test_that("coordinates run channel-fastest, the newest last", {
  frame <- input_frame(input_sequence(3, channels = 2)$input)
  expect_equal(frame$position, c(1, 1, 2, 2, 3, 3))
  expect_equal(frame$lag, c(3, 3, 2, 2, 1, 1))
  expect_equal(frame$channel, c(1, 2, 1, 2, 1, 2))
  expect_equal(frame$input[1:3], c("x[1,1]", "x[1,2]", "x[2,1]"))
})

test_that("on a vector the position is the index and the lag is missing", {
  frame <- input_frame(input_vector(3)$input)
  expect_equal(frame$position, 1:3)
  expect_equal(frame$lag, rep(NA_integer_, 3))
  expect_equal(frame$channel, rep(1, 3))
  expect_equal(frame$input, c("x[1]", "x[2]", "x[3]"))
})

test_that("the intercept is the last row and has no position", {
  frame <- input_frame(input_sequence(3)$input, intercept = TRUE)
  expect_equal(nrow(frame), 4)
  expect_equal(frame$input[[4]], "(Intercept)")
  expect_true(all(is.na(frame[4, c("position", "lag", "channel")])))
  expect_type(frame$position, "integer")
})

test_that("inputs are networks without layers", {
  expect_s3_class(input_sequence(4, 2), "ca_network")
  expect_equal(prod(input_sequence(4, 2)$input$shape), 8)
  expect_equal(prod(input_vector(5)$input$shape), 5)
  expect_equal(nrow(summary(input_vector(5))), 0)
})

test_that("an input without layers is the identity", {
  net <- set_coef(input_sequence(2, channels = 2), numeric())
  expect_equal(twin_weights(net), diag(4))
  expect_equal(unname(coef(net)), numeric())
})

test_that("sizes that are not positive whole numbers are refused", {
  bad <- list(0, -1, 2.5, NA, Inf, NULL, "4", c(2, 3), list(4), 2^31)
  for (size in bad) {
    expect_error(input_sequence(size), class = "capalloc_error_value")
    expect_error(input_sequence(4, channels = size), class = "capalloc_error_value")
    expect_error(input_vector(size), class = "capalloc_error_value")
  }
  expect_snapshot(error = TRUE, {
    input_sequence(0)
    input_sequence(2.5)
    input_sequence(c(2, 3))
    input_sequence(4, channels = NA)
    input_vector("four")
    input_vector(NULL)
  })
})

test_that("positions of a grid run down the columns and have no lags", {
  rows <- input_frame(input_grid(2, 3, channels = 2)$input, intercept = TRUE)
  expect_equal(names(rows), c("input", "position", "lag", "channel", "row", "column"))
  expect_equal(rows$position, c(rep(1:6, each = 2), NA))
  expect_equal(rows$row, c(rep(c(1, 2), each = 2, times = 3), NA))
  expect_equal(rows$column, c(rep(1:3, each = 4), NA))
  expect_true(all(is.na(rows$lag)))
  expect_equal(rows$input[c(1, 2, 3, 12, 13)], c("x[1,1,1]", "x[1,1,2]", "x[2,1,1]", "x[2,3,2]", "(Intercept)"))
  expect_equal(input_frame(input_grid(2, 2)$input)$input, c("x[1,1]", "x[2,1]", "x[1,2]", "x[2,2]"))
  expect_error(input_grid(0, 3), "`height`", class = "capalloc_error_value")
  expect_error(input_grid(2, "a"), "`width`", class = "capalloc_error_value")
})
