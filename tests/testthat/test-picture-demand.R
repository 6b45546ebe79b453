# Pictures of demands; those beside an allocation are in test-picture-capacity.R.

test_that("a demand is a column at each lag or position, with channels summed", {
  skip_if_not_installed("ggplot2")
  pairs <- withr::with_seed(1, random_moments(8, 1))
  cases <- list(
    list(task_fgn(8, 0.8), 8:1, rep(1:8), "lag (1 is the newest input)"),
    list(task_data(mpg ~ wt + hp + disp, mtcars, seed = 1), 1:3, 1:3, "input"),
    list(task_moments(pairs$sigma, pairs$cross, pairs$target, input = input_sequence(4, channels = 2)),
      4:1, rep(1:4, each = 2), "lag (1 is the newest input)"),
    list(task_moments(matrix(2), 1, 1), 1, 1, "input")
  )
  for (case in cases) {
    demand <- task_demand(case[[1]])
    plot <- ggplot2::autoplot(demand)
    sums <- c(rowsum(demand$demand, case[[3]]))
    expect_equal(as.numeric(layers(plot)[[1]]$x), case[[2]])
    expect_equal(layers(plot)[[1]]$y, sums)
    expect_identical(plot$labels$x, case[[4]])
    expect_equal(drawn(plot(demand))$points[[1]], list(x = case[[2]], y = sums))
    marks <- marks_along(drawn(plot(demand)), 1)
    expect_equal(marks, floor(marks))
  }
})

test_that("a task without demand can be drawn", {
  skip_if_not_installed("ggplot2")
  demand <- task_demand(task_moments(diag(3), numeric(3), 1))
  expect_equal(layers(ggplot2::autoplot(demand))[[1]]$y, numeric(3))
  expect_identical(drawn(plot(demand))$windows[[1]], c(0, 1))
})

test_that("on a grid a demand is a map for each channel", {
  skip_if_not_installed("ggplot2")
  for (channels in 1:2) {
    demand <- task_demand(grid_task(4, 3, channels))
    plot <- ggplot2::autoplot(demand)
    tiles <- heat_tiles(plot, plot(demand))
    expect_equal(tiles$value, demand$demand)
    expect_equal(tiles$x, demand$column)
    expect_equal(tiles$y, demand$row)
    expect_equal(as.integer(tiles$panel), demand$channel)
  }
})

test_that("plot() returns its argument invisibly", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (demand in list(task_demand(task_fgn(8, 0.8)), task_demand(grid_task(3, 3)))) {
    expect_identical(withVisible(plot(demand)), list(value = demand, visible = FALSE))
  }
})
