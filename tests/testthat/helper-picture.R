# Helpers of the tests of pictures: the built data of a ggplot, and the recorded calls of base graphics.

# Returns a built ggplot, and expects that building it gives no warning.
built <- function(plot) {
  expect_warning(b <- ggplot2::ggplot_build(plot), NA)
  b
}

layers <- function(plot) built(plot)$data

# Returns the recorded base graphics: list(points = lists of x and y, h = horizontal lines, titles, windows, margins of
# each panel, texts, tiles = rectangles, axes = their labels).
drawn <- function(code) {
  grDevices::pdf(NULL)
  device <- grDevices::dev.cur()
  withr::defer(grDevices::dev.off(device))
  grDevices::dev.control("enable")
  before <- graphics::par(no.readonly = TRUE)
  # Margins are set before the first page, so they are not among the recorded calls.
  margins <- list()
  hooks <- getHook("plot.new")
  setHook("plot.new", function() margins[[length(margins) + 1L]] <<- graphics::par("mar"))
  withr::defer(setHook("plot.new", hooks, "replace"))
  expect_warning(code, NA)
  after <- graphics::par(no.readonly = TRUE)
  kept <- setdiff(names(before), c("usr", "xaxp", "yaxp", "mfg", "page", "xlog", "ylog"))
  expect_identical(after[kept], before[kept])
  calls <- lapply(grDevices::recordPlot()[[1]], function(call) as.list(call[[2]]))
  named <- function(name) Filter(function(call) identical(call[[1]]$name, name), calls)
  list(
    points = lapply(named("C_plotXY"), function(call) call[[2]][c("x", "y")]),
    h = unlist(lapply(named("C_abline"), function(call) call[[4]])),
    titles = lapply(named("C_title"), function(call) unlist(call[2:5])),
    windows = lapply(named("C_plot_window"), function(call) call[[3]]),
    margins = margins,
    texts = unlist(lapply(c(named("C_text"), named("C_mtext")), function(call) {
      if (identical(call[[1]]$name, "C_text")) call[[3]] else call[[2]]
    })),
    tiles = lapply(named("C_rect"), function(call) {
      stats::setNames(call[2:6], c("left", "bottom", "right", "top", "col"))
    }),
    axes = lapply(named("C_axis"), function(call) call[2:4])
  )
}


# Returns the tick positions on one side of a base picture.
marks_along <- function(told, side) {
  axes <- Filter(function(axis) axis[[1L]] == side && !is.null(axis[[2L]]), told$axes)
  axes[[1L]][[2L]]
}

# Expects that both pictures of a heat map show the same tiles;
# returns a data frame of x, y, value and colour from ggplot.
heat_tiles <- function(plot, code) {
  tile <- layers(plot)[[1L]]
  base <- drawn(code)$tiles
  filled <- Filter(function(tile) !all(is.na(tile$col)), base)
  rects <- do.call(rbind, lapply(filled, function(tile) data.frame(tile)))
  expect_equal(nrow(rects), nrow(tile))
  at <- function(frame) order(round(frame$x, 6), round(frame$y, 6), as.integer(frame$panel))
  shown <- data.frame(x = as.numeric(tile$x), y = abs(as.numeric(tile$y)), panel = tile$PANEL)
  panel <- rep(seq_along(filled), vapply(filled, function(tile) length(tile$left), 0L))
  told <- data.frame(x = (rects$left + rects$right) / 2, y = (rects$bottom + rects$top) / 2, panel = panel)
  expect_equal(told[at(told), ], shown[at(shown), ], ignore_attr = TRUE)
  # A hundred and one shades between the same end colours.
  rgb <- function(colour) t(grDevices::col2rgb(colour))
  expect_lte(max(abs(rgb(rects$col)[at(told), ] - rgb(tile$fill)[at(shown), ])), 6)
  shown$value <- plot$data$value
  shown
}
