# Pictures of capacity differences, by the data of their layers.

test_that("bands and estimates are drawn at their lags, one panel per task", {
  skip_if_not_installed("ggplot2")
  profiles <- withr::with_seed(1, list(a = matrix(runif(30), 6), b = matrix(runif(30), 6)))
  tasks <- list(t1 = task_ar(5, 0.5), t2 = task_ar(5, 0.3))
  d <- capacity_difference(made_allocations(profiles, tasks), seed = 1)
  b <- built(ggplot2::autoplot(d))
  expect_identical(as.character(b$layout$layout$panel), c("t1", "t2"))
  for (i in 1:2) {
    rows <- d[d$task == names(tasks)[[i]], ]
    rows <- rows[order(rows$lag), ]
    of <- function(layer) {
      x <- b$data[[layer]][b$data[[layer]]$PANEL == i, ]
      x[order(x$x), ]
    }
    expect_equal(of(1)$ymin, rows$band.low)
    expect_equal(of(2)$ymax, rows$conf.high)
    expect_equal(of(4)$y, rows$estimate)
    expect_equal(of(4)$x, rows$lag)
  }
  told <- drawn(plot(d))
  expect_length(told$windows, 2)
  expect_equal(sort(told$points[[1]]$x), 1:5)
  single <- capacity_difference(made_allocations(lapply(profiles, function(p) p[1, , drop = FALSE])), seed = 1)
  built(ggplot2::autoplot(single))
  drawn(plot(single))
})

test_that("on a grid a difference is a map with two signs, and on vectors it is drawn by position", {
  skip_if_not_installed("ggplot2")
  grid <- input_grid(3, 3)
  nets <- list(conv = grid |> layer_conv(1, 2) |> layer_dense(1), dense = grid |> layer_dense(1))
  cmp <- compare_architectures(nets, list(image = task_image(3, 3, range = 2)), replicates = 3, n_obs = 60)
  d <- quiet(capacity_difference(cmp, seed = 1))
  tiles <- heat_tiles(ggplot2::autoplot(d), plot(d))
  expect_equal(tiles$value, d$estimate)
  cmp <- compare_architectures(list(a = arch_dense(input_vector(2), bias = TRUE), b = arch_dense(input_vector(2))),
    list(cars = task_data(mpg ~ wt + hp, mtcars, seed = 1)), replicates = 3, n_obs = 24)
  plot <- ggplot2::autoplot(quiet(capacity_difference(cmp, seed = 1)))
  expect_identical(plot$labels$x, "input")
  expect_match(plot$labels$caption, "Intercept")
})

test_that("on grids tasks and channels have separate maps", {
  skip_if_not_installed("ggplot2")
  grid <- input_grid(3, 3)
  nets <- list(conv = grid |> layer_conv(1, 2) |> layer_dense(1), dense = grid |> layer_dense(1))
  images <- list(near = task_image(3, 3, range = 1), far = task_image(3, 3, range = 4))
  d <- quiet(capacity_difference(compare_architectures(nets, images, replicates = 2, n_obs = 60), seed = 1))
  plot <- ggplot2::autoplot(d)
  tiles <- heat_tiles(plot, plot(d))
  expect_identical(levels(plot$data$panel), c("near", "far"))
  expect_identical(as.integer(tiles$panel), rep(1:2, each = 9))
  expect_equal(tiles$value, d$estimate)
})

test_that("the data of a picture have the fields of their constructor", {
  expect_constructor(capalloc:::new_difference_picture)
})
