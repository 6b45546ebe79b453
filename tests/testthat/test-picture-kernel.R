# Pictures of kernels and tables.

dilated <- set_coef(arch_dilated(8, filters = 1), c(1, 2, 3, -1, 1, 1, 1))
with_bias <- set_coef(arch_conv(8, 1, 3, bias = TRUE), c(1, 2, 3, -1, 1, 1, 1, 4))

test_that("a kernel is a square map of pairs, lag against lag", {
  skip_if_not_installed("ggplot2")
  k <- capacity_kernel(dilated)
  plot <- ggplot2::autoplot(k)
  tiles <- heat_tiles(plot, plot(k))
  expect_equal(tiles[c("x", "y", "value")], data.frame(x = k$lag1, y = k$lag2, value = k$kernel), ignore_attr = TRUE)
  expect_match(plot$labels$x, "lag")
  expect_identical(plot$coordinates$ratio, 1) # of a CoordFixed, and from ggplot2 4 on of any coordinates
  # The scale is symmetric around white.
  limits <- plot$scales$get_scales("fill")$limits
  expect_equal(limits, c(-1, 1) * max(abs(k$kernel)))
  expect_match(drawn(plot(k))$texts, "orange -.*, white 0, blue ", all = FALSE)
})

test_that("the constant is not drawn, and a kernel of it alone is empty", {
  skip_if_not_installed("ggplot2")
  k <- capacity_kernel(with_bias)
  plot <- ggplot2::autoplot(k)
  expect_equal(nrow(heat_tiles(plot, plot(k))), 64)
  expect_identical(plot$labels$caption, "(Intercept) is not drawn")
  expect_match(drawn(plot(k))$texts, "(Intercept) is not drawn", fixed = TRUE, all = FALSE)
  alone <- capacity_kernel(with_bias, "(Intercept)")
  expect_identical(nrow(layers(ggplot2::autoplot(alone))[[1]]), 0L)
  expect_match(drawn(plot(alone))$texts, "(Intercept) is not drawn", fixed = TRUE, all = FALSE)
})

test_that("selected inputs are drawn at their own lag or number, in tiles of one size", {
  skip_if_not_installed("ggplot2")
  k <- capacity_kernel(dilated, c(1, 5, 6))
  plot <- ggplot2::autoplot(k)
  tiles <- heat_tiles(plot, plot(k))
  expect_setequal(tiles$x, c(8, 4, 3))
  widths <- with(layers(plot)[[1]], xmax - xmin)
  expect_equal(widths, rep(1, 9))
  told <- drawn(plot(k))$tiles[[1]]
  expect_equal(told$right - told$left, rep(1, 9))
  # On a vector, or with several channels: the number of the coordinate.
  vector <- capacity_kernel(set_coef(input_vector(8) |> layer_dense(1), 1:8), c(2, 7))
  expect_setequal(heat_tiles(ggplot2::autoplot(vector), plot(vector))$x, c(2, 7))
  pairs <- with_test_coef(input_sequence(4, channels = 2) |> layer_conv(1, 2) |> layer_dense(1), 1)
  k <- capacity_kernel(pairs, c(3, 4, 8))
  expect_setequal(heat_tiles(ggplot2::autoplot(k), plot(k))$y, c(3, 4, 8))
  # Thinned inputs are drawn side by side.
  thin <- suppressMessages(capacity_kernel(with_test_coef(input_sequence(900) |> layer_pool(30) |> layer_dense(1), 1)))
  tile <- layers(ggplot2::autoplot(thin))[[1]]
  expect_equal(unique(tile$xmax - tile$xmin), 3)
})

test_that("a single input and zero capacity can be drawn", {
  skip_if_not_installed("ggplot2")
  one <- set_coef(input_vector(1) |> layer_dense(1), 2)
  for (x in list(capacity_kernel(one), capacity_table(one))) {
    expect_identical(heat_tiles(ggplot2::autoplot(x), plot(x))$value, 1)
  }
  zero <- set_coef(dilated, numeric(7))
  for (x in list(capacity_kernel(zero), capacity_table(zero))) {
    plot <- ggplot2::autoplot(x)
    expect_identical(unique(heat_tiles(plot, plot(x))$value), 0)
    expect_identical(unique(layers(plot)[[1]]$fill), "#FFFFFF")
    expect_identical(plot$scales$get_scales("fill")$limits, c(-1, 1))
  }
})

test_that("the kernel of a grid is drawn by the number of the pixel", {
  skip_if_not_installed("ggplot2")
  k <- capacity_kernel(small_grids()$plain)
  plot <- ggplot2::autoplot(k)
  tiles <- heat_tiles(plot, plot(k))
  expect_equal(tiles$x, k$position1)
  expect_equal(tiles$y, k$position2)
  expect_identical(plot$labels$x, "input")
})

test_that("a table has layers against lags, with the first layer at the bottom", {
  skip_if_not_installed("ggplot2")
  T <- capacity_table(with_bias)
  plot <- ggplot2::autoplot(T)
  tiles <- heat_tiles(plot, plot(T))
  drawn_rows <- T[!is.na(T$position), ]
  expect_equal(tiles$x, drawn_rows$lag)
  expect_equal(tiles$y, as.integer(drawn_rows$layer))
  expect_equal(tiles$value, drawn_rows$capacity)
  expect_identical(built(plot)$layout$panel_params[[1]]$y$get_labels(), levels(T$layer))
  expect_identical(Filter(function(axis) axis[[1]] == 2, drawn(plot(T))$axes)[[1]][[3]], levels(T$layer))
  expect_identical(plot$labels$caption, "not drawn: (Intercept) 1")
  expect_identical(plot$labels$y, "layer")
  expect_identical(plot$labels$title, "Total capacity 6")
})

test_that("a table of parameters has one row per parameter, with space for their names", {
  skip_if_not_installed("ggplot2")
  T <- capacity_table(initialise(arch_dilated(8, filters = 2), seed = 1), "parameter")
  plot <- ggplot2::autoplot(T)
  expect_identical(plot$labels$y, "group")
  expect_identical(built(plot)$layout$panel_params[[1]]$y$get_labels(), levels(T$group))
  expect_equal(max(heat_tiles(plot, plot(T))$y), nlevels(T$group))
  # One letter of these labels is about 0.4 lines wide.
  expect_gte(drawn(plot(T))$margins[[1]][[2]], 0.4 * max(nchar(levels(T$group))))
})

test_that("channels of a position are summed in a table", {
  skip_if_not_installed("ggplot2")
  net <- with_test_coef(input_sequence(4, channels = 3) |> layer_conv(2, 2) |> layer_dense(1), 1)
  T <- capacity_table(net)
  tiles <- heat_tiles(ggplot2::autoplot(T), plot(T))
  wanted <- tapply(T$capacity, list(T$layer, T$lag), sum)
  expect_equal(tiles$value, wanted[cbind(tiles$y, match(tiles$x, colnames(wanted)))])
  vector <- capacity_table(named_networks()$dense_bias)
  expect_equal(heat_tiles(ggplot2::autoplot(vector), plot(vector))$x, 1:5)
})

test_that("a table on a grid has a map for each group, on one scale", {
  skip_if_not_installed("ggplot2")
  for (groups in c("layer", "array")) {
    T <- capacity_table(small_grids()$channels, groups)
    plot <- ggplot2::autoplot(T)
    tiles <- heat_tiles(plot, plot(T))
    rows <- T[!is.na(T$position), ]
    wanted <- tapply(rows$capacity, list(rows[[1]], rows$row, rows$column), sum)
    expect_equal(tiles$value, wanted[cbind(as.integer(tiles$panel), tiles$y, tiles$x)])
    expect_identical(levels(plot$data$panel), levels(T[[1]]))
  }
})

test_that("a table without groups is an empty picture", {
  skip_if_not_installed("ggplot2")
  T <- capacity_table(input_sequence(4) |> layer_pool(2) |> layer_last() |> set_coef(numeric()))
  expect_identical(nrow(layers(ggplot2::autoplot(T))[[1]]), 0L)
  expect_length(drawn(plot(T))$points, 0)
})

test_that("plot() returns its argument invisibly", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (x in list(capacity_kernel(dilated), capacity_table(dilated))) {
    expect_identical(withVisible(plot(x)), list(value = x, visible = FALSE))
  }
})
