# Functions that all pictures use.

test_that("colour scales start at zero or are symmetric around it, and never have zero length", {
  heat <- function(value, signed) {
    new_heat(data.frame(x = seq_along(value), y = rep(1, length(value)), value = value), "x", "y", "v", signed)
  }
  expect_identical(heat_limits(heat(c(0.2, 3), FALSE)), c(0, 3))
  expect_identical(heat_limits(heat(c(-4, 3), TRUE)), c(-4, 4))
  expect_identical(heat_limits(heat(c(0, 0), FALSE)), c(0, 1))
  expect_identical(heat_limits(heat(c(0, 0), TRUE)), c(-1, 1))
  expect_identical(heat_limits(heat(numeric(), TRUE)), c(-1, 1))
  # Values of the size of rounding error keep their own scale.
  expect_identical(heat_limits(heat(1e-20, FALSE)), c(0, 1e-20))
})

test_that("tiles are as wide as the smallest step", {
  expect_identical(heat_tile_size(c(1, 4, 7, 4, 1)), 3)
  expect_identical(heat_tile_size(c(1, 2, 9)), 1)
  expect_identical(heat_tile_size(5), 1)
  expect_identical(heat_tile_size(numeric()), 1)
  expect_identical(heat_tile_size(factor(c("a", "c"), levels = letters)), 1)
})

test_that("breaks are whole numbers inside the limits", {
  for (limits in list(c(0.5, 1.5), c(0.5, 2.5), c(0.5, 64.5), c(8.5, 0.5), c(99.5, 103.5))) {
    at <- heat_whole_breaks(limits)
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

test_that("colours of a heat map are white at zero, with fixed colours at the limits", {
  skip_if_not_installed("ggplot2")
  rows <- data.frame(x = 1:3, y = 1, value = c(-2, 0, 2))
  fill <- layers(heat_ggplot(new_heat(rows, "x", "y", "v", signed = TRUE)))[[1]]$fill
  expect_identical(fill, c("#7A3300", "#FFFFFF", "#00263B"))
  base <- drawn(heat_plot(new_heat(rows, "x", "y", "v", signed = TRUE)))$tiles[[1]]$col
  # Colours are rounded by ggplot2 or by base graphics.
  expect_lte(max(abs(grDevices::col2rgb(base) - grDevices::col2rgb(fill))), 1)
  rows$value <- 0:2
  expect_identical(layers(heat_ggplot(new_heat(rows, "x", "y", "v")))[[1]]$fill[c(1, 3)], c("#FFFFFF", "#00263B"))
})

test_that("panels share one scale, which is stated once, and keep the title", {
  skip_if_not_installed("ggplot2")
  panels <- c("b", "a", "c")
  rows <- data.frame(x = rep(1:2, 3), y = 1, value = 1:6, panel = factor(rep(panels, each = 2), panels))
  heat <- new_heat(rows, "x", "y", "v", note = "a note", title = "a title")
  tiles <- heat_tiles(heat_ggplot(heat), heat_plot(heat))
  expect_equal(as.integer(tiles$panel), rep(1:3, each = 2))
  told <- drawn(heat_plot(heat))
  expect_setequal(told$texts, c("a title", "v: white 0, blue 6; a note"))
  expect_match(unlist(told$titles), "^[abc]$", all = FALSE)
})
