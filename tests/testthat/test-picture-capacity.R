# Pictures of capacities and fits: their layers by ggplot_build() for ggplot2, and recorded calls
# of a null device for base graphics. Some are compared as SVG where CAPALLOC_VDIFFR is set.

dilated <- set_coef(arch_dilated(8, filters = 1), c(1, 2, 3, -1, 1, 1, 1))
recurrent <- set_coef(arch_recurrent(8, 2, "diagonal"), c(1, 2, 0.9, -0.5, 1, 1))
with_bias <- set_coef(arch_conv(8, 1, 3, bias = TRUE), c(1, 2, 3, -1, 1, 1, 1, 4))

profile <- capacity(dilated)

# ---- capacities ----------------------------------------------------------------------------------

test_that("parts of a partition are drawn in their order, without an upper bound", {
  skip_if_not_installed("ggplot2")
  k <- capacity(with_bias, partition = partition_octaves())
  b <- built(ggplot2::autoplot(k))
  expect_identical(nrow(b$data[[1]]), 0L)
  expect_identical(b$data[[2]]$y, k$capacity)
  expect_identical(
    b$layout$panel_params[[1]]$x$get_labels(), c("1", "2", "3-4", "5-8", "(Intercept)")
  )
  base <- drawn(plot(k))
  expect_identical(base$points[[1]], list(x = as.double(1:5), y = k$capacity))
  expect_null(base$h)
})

test_that("several partitioned capacities are drawn", {
  skip_if_not_installed("ggplot2")
  parts <- partition_regions(c(0, 2, 8))
  a <- capacity(dilated, partition = parts)
  b <- capacity(recurrent, partition = parts)
  both <- c(a = a, b = b)
  expect_identical(layers(ggplot2::autoplot(both))[[2]]$y, c(a$capacity, b$capacity))
  base <- drawn(plot(both))
  expect_identical(lapply(base$points, `[[`, "y"), list(a$capacity, b$capacity))
})

test_that("base graphics and ggplot2 draw the same, also with several channels", {
  skip_if_not_installed("ggplot2")
  k <- capacity(initialise(arch_dilated(input_sequence(8, channels = 2), 2), seed = 1))
  columns <- layers(ggplot2::autoplot(k))[[2]]
  heights <- tapply(columns$ymax, columns$x, max)
  base <- drawn(plot(k))
  points <- base$points[[1]]
  # By columns of bars or lines: the highest at each lag.
  expect_equal(c(unname(tapply(points$y, points$x, max))), c(unname(heights)), tolerance = 1e-12)
  expect_gte(max(base$windows[[1]]), max(heights))
})

test_that("a spectrum has singular values, the tolerance and the values that count", {
  skip_if_not_installed("ggplot2")
  shown <- layers(ggplot2::autoplot(profile, type = "spectrum"))
  s <- attr(profile, "spectrum")
  expect_length(s, 7)
  # Exact zeros are drawn at eps^2.
  relative <- pmax(s / s[[1]], .Machine$double.eps^2)
  expect_equal(shown[[2]]$y, log10(relative), tolerance = 1e-14)
  expect_identical(shown[[2]]$shape, rep(c(16, 1), c(4, 3)))
  expect_identical(shown[[1]]$yintercept, log10(glance(profile)$tol))
  base <- drawn(plot(profile, type = "spectrum"))
  expect_equal(base$points[[1]], list(x = 1:7, y = relative), tolerance = 1e-14)
  expect_identical(base$h, glance(profile)$tol)
})

test_that("a network with a zero tangent can be drawn", {
  skip_if_not_installed("ggplot2")
  k <- capacity(set_coef(dilated, numeric(7)))
  expect_identical(layers(ggplot2::autoplot(k))[[2]]$y, numeric(8))
  expect_identical(drawn(plot(k))$points[[1]]$y, numeric(8))
  # All singular values are zero.
  expect_identical(layers(ggplot2::autoplot(k, type = "spectrum"))[[2]]$shape, rep(1, 7))
  expect_length(drawn(plot(k, type = "spectrum"))$points[[1]]$y, 7)
})

# ---- fits ----------------------------------------------------------------------------------------

test_that("a picture of a fit has the loss above the lowest, one line per restart", {
  skip_if_not_installed("ggplot2")
  task <- classical_tasks(8)$sparse
  trained <- fit(arch_conv(8, 2, 3), task, restarts = 3, seed = 1, n_obs = 40)
  plot <- ggplot2::autoplot(trained)
  line <- layers(plot)[[1]]
  excess <- trained$history$loss - min(trained$history$loss)
  expect_equal(line$y, log10(excess[excess > 0]), tolerance = 1e-12)
  expect_equal(as.numeric(line$x), trained$history$iteration[excess > 0])
  expect_identical(as.integer(line$group), trained$history$restart[excess > 0])
  expect_identical(plot$labels$title, "Converged")
  lines <- drawn(plot(trained))$points[-1]
  expect_identical(unlist(lapply(lines, `[[`, "y")), excess[excess > 0])
  expect_length(lines, 3)
})

test_that("a picture of an unconverged fit states this, also after zero iterations", {
  skip_if_not_installed("ggplot2")
  stopped <- function(most) {
    suppressWarnings(fit(dilated, classical_tasks(8)$ar, control = list(max_iterations = most)),
      classes = "capalloc_warning_not_converged")
  }
  expect_identical(ggplot2::autoplot(stopped(2))$labels$title, "Not converged: exhausted")
  expect_match(unlist(drawn(plot(stopped(2)))$titles), "Not converged: exhausted", all = FALSE)
  built(ggplot2::autoplot(stopped(0)))
  drawn(plot(stopped(0)))
})

test_that("axis ticks are at whole positions", {
  skip_if_not_installed("ggplot2")
  one <- capacity(set_coef(input_vector(1) |> layer_dense(1), 2))
  two <- capacity(set_coef(input_vector(2) |> layer_dense(1), 1:2))
  for (k in list(one, two, profile)) {
    breaks <- built(ggplot2::autoplot(k))$layout$panel_params[[1]]$x$breaks
    breaks <- breaks[!is.na(breaks)]
    expect_gte(length(breaks), 1)
    expect_identical(breaks, floor(breaks))
    marks <- marks_along(drawn(plot(k)), 1)
    expect_gte(length(marks), 1)
    expect_equal(marks, floor(marks))
  }
})

test_that("many parts have distinct labels", {
  skip_if_not_installed("ggplot2")
  net <- set_coef(input_sequence(64) |> layer_pool(2) |> layer_dense(1), 1:32)
  k <- capacity(net, partition = partition_positions())
  b <- built(ggplot2::autoplot(k))
  expect_identical(b$data[[2]]$y, k$capacity)
  expect_identical(b$layout$panel_params[[1]]$x$get_labels(), as.character(1:64))
  expect_identical(drawn(plot(k))$points[[1]]$y, k$capacity)
  zero <- capacity(set_coef(net, numeric(32)), partition = partition_positions())
  # With zero capacity the axis still starts at 0.
  expect_gte(min(drawn(plot(zero))$windows[[1]]), 0)
})

# ---- grids ---------------------------------------------------------------------------------------

image <- with_test_coef(input_grid(4, 6) |> layer_conv(2, 3) |> layer_dense(1, bias = TRUE), 1)
pooled <- with_test_coef(input_grid(4, 6) |> layer_pool(2) |> layer_dense(1), 2)
colours <- with_test_coef(input_grid(3, 5, channels = 2) |> layer_conv(2, 2) |> layer_dense(1), 3)

test_that("a grid is a heat map with the first row at the top", {
  skip_if_not_installed("ggplot2")
  k <- capacity(image)
  plot <- ggplot2::autoplot(k)
  expect_identical(plot$labels$title, paste("Total capacity", glance(k)$total))
  expect_match(plot$labels$caption, "^not drawn: \\(Intercept\\) 1$")
  tiles <- heat_tiles(plot, plot(k))
  pixels <- k[!is.na(k$position), ]
  expect_equal(tiles[c("x", "y", "value")], data.frame(x = pixels$column, y = pixels$row, value = pixels$capacity),
    ignore_attr = TRUE)
  # ggplot2 reverses the scale, base graphics reverse the window.
  expect_lt(max(layers(plot)[[1]]$y), 0)
  expect_identical(drawn(plot(k))$windows[[1]], c(4.5, 0.5))
  expect_match(drawn(plot(k))$texts, "capacity .effective parameters.: white 0, blue [01].*; not drawn: .Intercept. 1",
    all = FALSE)
  expect_identical(plot$coordinates$ratio, 1) # of a CoordFixed, and from ggplot2 4 on of any coordinates
})

test_that("channels and networks of grids have separate panels on one scale", {
  skip_if_not_installed("ggplot2")
  k <- capacity(colours)
  tiles <- heat_tiles(ggplot2::autoplot(k), plot(k))
  expect_equal(as.integer(tiles$panel), k$channel)
  expect_identical(tiles$value, k$capacity)
  told <- drawn(plot(k))
  expect_match(unlist(told$titles), "channel 2", all = FALSE)
  expect_match(told$texts, "Total capacity", all = FALSE)
  # The scale is stated once for all panels.
  expect_length(grep("white 0", told$texts), 1)

  both <- c(conv = capacity(image), pooled = capacity(pooled))
  plot <- ggplot2::autoplot(both)
  tiles <- heat_tiles(plot, plot(both))
  expect_identical(levels(plot$data$panel), c(paste("conv: total", glance(capacity(image))$total), "pooled: total 6"))
  expect_equal(tiles$value, both$capacity[!is.na(both$position)])
  expect_identical(plot$labels$caption, "not drawn: (Intercept) conv 1")
  two <- c(a = k, b = k)
  expect_identical(levels(ggplot2::autoplot(two)$data$panel),
    paste0(rep(c("a", "b"), each = 2), ": total ", glance(k)$total, ", channel ", c(1, 2)))
  expect_length(unique(heat_tiles(ggplot2::autoplot(two), plot(two))$panel), 4)
})

test_that("parts of a grid are drawn as columns", {
  skip_if_not_installed("ggplot2")
  k <- capacity(image, partition = partition_regions(c(0, 2, 4), columns = c(0, 3, 6)))
  b <- built(ggplot2::autoplot(k))
  expect_identical(b$data[[2]]$y, k$capacity)
  expect_identical(b$layout$panel_params[[1]]$x$get_labels(), levels(k$part))
  expect_identical(drawn(plot(k))$points[[1]]$y, k$capacity)
  built(ggplot2::autoplot(c(a = k, b = k)))
})

test_that("a grid without capacity is white", {
  skip_if_not_installed("ggplot2")
  k <- capacity(set_coef(colours, numeric(length(coef(colours)))))
  tiles <- heat_tiles(ggplot2::autoplot(k), plot(k))
  expect_identical(tiles$value, numeric(30))
  expect_identical(unique(layers(ggplot2::autoplot(k))[[1]]$fill), "#FFFFFF")
  # The scale is 0 to 1, not 0 to the smallest number.
  expect_match(drawn(plot(k))$texts, "blue 1$", all = FALSE)
})

# ---- a fit's allocation --------------------------------------------------------------------------

# Expects the rows of both panels in ggplot2 and in base graphics.
expect_beside <- function(trained, x, capacity, demand, label) {
  plot <- ggplot2::autoplot(trained, type = "allocation")
  shown <- split(layers(plot)[[1]], layers(plot)[[1]]$PANEL)
  expect_equal(lapply(shown, function(panel) as.numeric(panel$x)), list(x, x), ignore_attr = TRUE)
  expect_equal(shown[[1]]$y, capacity, tolerance = 1e-12)
  expect_equal(shown[[2]]$y, demand, tolerance = 1e-12)
  expect_identical(plot$labels$x, label)
  told <- drawn(plot(trained, type = "allocation"))
  expect_equal(lapply(told$points, `[[`, "x"), list(x, x))
  expect_equal(lapply(told$points, `[[`, "y"), list(capacity, demand), tolerance = 1e-12)
  expect_match(told$texts, label, fixed = TRUE, all = FALSE)
}

test_that("the allocation of a fit is drawn beside the demand of its task", {
  skip_if_not_installed("ggplot2")
  task <- task_fgn(8, 0.8)
  trained <- fit(arch_dilated(8, 1), task, seed = 1)
  k <- capacity(trained)
  lag <- "lag (1 is the newest input)"
  expect_beside(trained, as.double(8:1), k$capacity, task_demand(task)$demand, lag)
  # The same task given as a vector has the same lags.
  vector <- with(task$moments, task_moments(sigma, cross, target))
  same <- fit(arch_dilated(8, 1), vector, seed = 1)
  expect_beside(same, as.double(8:1), capacity(same)$capacity, task_demand(task)$demand, lag)
  # A vector network on the sequence is drawn by position.
  free <- fit(input_vector(8) |> layer_dense(1), task, seed = 1)
  expect_beside(free, as.double(1:8), rep(1, 8), task_demand(task)$demand, "input")
})

test_that("channels are summed in both panels, also where the task is a vector", {
  skip_if_not_installed("ggplot2")
  moments <- withr::with_seed(1, random_moments(8, 1))
  task <- task_moments(moments$sigma, moments$cross, moments$target)
  trained <- fit(input_sequence(4, channels = 2) |> layer_conv(1, 2) |> layer_dense(1), task, seed = 1)
  pairs <- rep(1:4, each = 2)
  expect_beside(trained, as.double(4:1), c(rowsum(capacity(trained)$capacity, pairs)),
    c(rowsum(task_demand(task)$demand, pairs)), "lag (1 is the newest input)")
})

test_that("a picture of an allocation on data states the inputs that it omits", {
  skip_if_not_installed("ggplot2")
  trained <- fit(input_vector(2) |> layer_dense(1, bias = TRUE), task_data(mpg ~ wt + hp, mtcars, seed = 1), seed = 1)
  expect_beside(trained, c(1, 2), c(1, 1), task_demand(trained$task)$demand, "input")
  expect_identical(ggplot2::autoplot(trained, type = "allocation")$labels$caption, "not drawn: (Intercept) 1")
  expect_match(drawn(plot(trained, type = "allocation"))$texts, "not drawn: (Intercept) 1", fixed = TRUE, all = FALSE)
})

test_that("on a grid both panels are maps of shares with channels summed, also where the task is a vector", {
  skip_if_not_installed("ggplot2")
  for (channels in 1:2) {
    grid <- grid_task(4, 4, channels)
    for (task in list(grid, with(grid$moments, task_moments(sigma, cross, target)))) {
      net <- input_grid(4, 4, channels) |> layer_conv(1, 2, stride = 2) |> layer_dense(1, bias = TRUE)
      trained <- fit(net, task, seed = 1)
      plot <- ggplot2::autoplot(trained, type = "allocation")
      tiles <- heat_tiles(plot, plot(trained, type = "allocation"))
      k <- capacity(trained)
      share <- function(value) {
        sums <- c(rowsum(value, rep(1:16, each = channels)))
        sums / max(sums)
      }
      expect_equal(tiles$value, c(share(utils::head(k$capacity, -1)), share(task_demand(grid)$demand)),
        tolerance = 1e-10)
      expect_equal(tiles$x[1:16], rep(1:4, each = 4))
      expect_equal(tiles$y[1:16], rep(1:4, 4))
      expect_identical(plot$labels$caption, "not drawn: (Intercept) 1")
    }
  }
})

test_that("unknown types are refused by class", {
  skip_if_not_installed("ggplot2")
  trained <- fit(arch_dense(8), classical_tasks(8)$ar, seed = 1)
  texts <- c(
    bad(ggplot2::autoplot(profile, type = "heat"), "value"),
    bad(plot(profile, type = "l"), "value"),
    bad(ggplot2::autoplot(trained, type = "profile"), "value"),
    bad(plot(trained, type = "l"), "value"),
    bad(c(profile, profile), "value"),
    bad(c(a = profile, b = 1), "type"),
    bad(c(a = profile, b = capacity(dilated, partition = partition_octaves())), "shape")
  )
  expect_snapshot(writeLines(texts))
})

test_that("plot() returns its argument invisibly", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  trained <- fit(arch_dense(8), classical_tasks(8)$ar, seed = 1)
  for (x in list(profile, c(a = profile), trained, dilated)) {
    expect_identical(withVisible(plot(x)), list(value = x, visible = FALSE))
  }
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("pictures of capacities match their SVG snapshots", {
  names <- c("profile", "several-capacities", "spectrum", "grid")
  for (name in names) announce_snapshot_file(name = paste0(name, ".svg"))
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  vdiffr::expect_doppelganger("profile", ggplot2::autoplot(capacity(with_bias)))
  vdiffr::expect_doppelganger(
    "several capacities", ggplot2::autoplot(c(dilated = profile, recurrent = capacity(recurrent)))
  )
  vdiffr::expect_doppelganger("spectrum", function() plot(capacity(recurrent), type = "spectrum"))
  vdiffr::expect_doppelganger("grid", ggplot2::autoplot(capacity(image)))
})
