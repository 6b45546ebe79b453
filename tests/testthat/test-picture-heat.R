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
