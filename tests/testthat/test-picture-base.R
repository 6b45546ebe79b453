# Functions that all pictures use.

test_that("breaks are whole numbers inside the limits", {
  for (limits in list(c(0.5, 1.5), c(0.5, 2.5), c(0.5, 64.5), c(8.5, 0.5), c(99.5, 103.5))) {
    at <- picture_whole_breaks(limits)
    expect_gte(length(at), 1)
    expect_equal(at, floor(at))
    expect_true(all(at >= min(limits) & at <= max(limits)))
  }
})

test_that("axes end half a tile beyond their first and last value, and can be reversed", {
  expect_equal(picture_as_axis(c(1, 3, 5))$limits, c(0, 6))
  expect_equal(picture_as_axis(1:4, flip = TRUE)$limits, c(4.5, 0.5))
  expect_equal(picture_as_axis(factor(c("a", "b")))[c("at", "labels")], list(at = 1:2, labels = c("a", "b")))
})

test_that("an input is drawn at its lag or at the number of its coordinate", {
  one <- data.frame(lag = 3:1, channel = 1)
  expect_identical(picture_input_axis(one, "sequence", 1:3), list(at = 3:1, label = "lag (1 is the newest input)"))
  two <- data.frame(lag = c(2, 2, 1, 1), channel = c(1, 2, 1, 2))
  expect_identical(picture_input_axis(two, "sequence", 5:8), list(at = 5:8, label = "input"))
  expect_identical(picture_input_axis(one, "grid", 4:6)$at, 4:6)
})

test_that("tiles are as wide as the smallest step", {
  expect_identical(picture_tile_size(c(1, 4, 7, 4, 1)), 3)
  expect_identical(picture_tile_size(c(1, 2, 9)), 1)
  expect_identical(picture_tile_size(5), 1)
  expect_identical(picture_tile_size(numeric()), 1)
  expect_identical(picture_tile_size(factor(c("a", "c"), levels = letters)), 1)
})
