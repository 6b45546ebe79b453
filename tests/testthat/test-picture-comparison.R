# Pictures of comparisons, by the data of their layers.

dilated <- set_coef(arch_dilated(8, filters = 1), c(1, 2, 3, -1, 1, 1, 1))
nets <- list(dilated = arch_dilated(8, 1), dense = arch_dense(8), conv = arch_conv(8, 2, 3))
tasks <- classical_tasks(8)[c("sparse", "ar")]

test_that("a comparison has mean capacities and scaled demands, one panel per network and task", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets, tasks, replicates = 3, n_obs = 40)
  b <- built(ggplot2::autoplot(cmp))
  layout <- b$layout$layout
  expect_identical(as.character(layout$task), rep(names(tasks), each = 3))
  expect_identical(as.character(layout$network), rep(names(nets), 2))
  for (panel in seq_len(6)) {
    task <- names(tasks)[[layout$ROW[[panel]]]]
    network <- names(nets)[[layout$COL[[panel]]]]
    rows <- cmp$allocation[cmp$allocation$task == task & cmp$allocation$network == network, ]
    columns <- b$data[[1]][b$data[[1]]$PANEL == panel, ]
    means <- tapply(rows$capacity, rows$lag, mean)
    expect_equal(columns$y[order(columns$x)], unname(c(means)), tolerance = 1e-14)
    demand <- task_demand(tasks[[task]])
    line <- b$data[[2]][b$data[[2]]$PANEL == panel, ]
    expect_identical(line$y[order(line$x)], rev(demand$demand / max(demand$demand)))
  }
  ranges <- lapply(b$layout$panel_params, function(panel) panel$y.range)
  expect_length(unique(ranges), 1)
})

test_that("a comparison on data without time order is drawn by position", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(
    list(free = arch_dense(input_vector(2), bias = TRUE)),
    list(cars = task_data(mpg ~ wt + hp, mtcars, seed = 1)), replicates = 2
  )
  plot <- ggplot2::autoplot(cmp)
  shown <- layers(plot)
  expect_identical(plot$labels$x, "input")
  expect_equal(as.numeric(shown[[1]]$x), 1:2) # the constant is left out
  loss <- layers(ggplot2::autoplot(cmp, type = "loss"))
  # Excess losses of data can be negative, so there is no logarithm.
  expect_identical(loss[[1]]$y, cmp$runs$excess_loss)
})

test_that("losses are drawn against capacity, with small points for runs and large ones for means", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets, tasks, replicates = 3, n_obs = 40)
  plot <- ggplot2::autoplot(cmp, type = "loss")
  shown <- layers(plot)
  expect_identical(shown[[1]]$x, cmp$runs$total_capacity)
  floor <- 1e-6 * max(cmp$runs$excess_loss)
  expect_equal(shown[[1]]$y, log10(pmax(cmp$runs$excess_loss, floor)), tolerance = 1e-12)
  means <- summary(cmp)
  expect_identical(shown[[2]]$x, means$total_capacity)
  expect_equal(shown[[2]]$y, log10(pmax(means$excess_loss, floor)), tolerance = 1e-12)
  expect_gt(min(shown[[2]]$size), max(shown[[1]]$size))
  # Each architecture has its own colour and shape, the same in both layers.
  look <- function(layer, network) unique(paste(layer$colour, layer$shape)[network])
  looks <- vapply(names(nets), \(name) look(shown[[1]], cmp$runs$network == name), "")
  expect_length(unique(looks), 3)
  expect_identical(vapply(names(nets), \(name) look(shown[[2]], means$network == name), ""), looks)
})

test_that("exact zeros are drawn at a millionth of the largest loss, and the caption states it", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets[c("dilated", "dense")], tasks["sparse"], replicates = 1)
  cmp$runs$excess_loss <- c(0.25, 0)
  plot <- ggplot2::autoplot(cmp, type = "loss")
  expect_equal(layers(plot)[[1]]$y, log10(c(0.25, 2.5e-7)), tolerance = 1e-12)
  expect_match(plot$labels$caption, "2e-07|3e-07")
})

test_that("failed runs are omitted from pictures", {
  skip_if_not_installed("ggplot2")
  big <- list(big = set_coef(nets$dilated, rep(1e200, 7)))
  cmp <- compare_architectures(c(nets["dense"], big), tasks, replicates = 2, n_obs = 40)
  expect_identical(nrow(layers(ggplot2::autoplot(cmp, type = "loss"))[[1]]), 4L)
  b <- built(ggplot2::autoplot(cmp))
  expect_identical(nrow(b$data[[1]]), 2L * 8L)
  expect_setequal(as.character(b$layout$layout$network), c("dense", "big"))
})

test_that("if every run has failed there is a classed error or an empty picture", {
  skip_if_not_installed("ggplot2")
  big <- list(big = set_coef(nets$dilated, rep(1e200, 7)))
  cmp <- compare_architectures(big, tasks, replicates = 2)
  for (type in c("profile", "loss")) {
    said <- tryCatch(
      {
        ggplot2::ggplot_build(ggplot2::autoplot(cmp, type = type))
        "empty"
      },
      error = function(e) class(e)[[1]]
    )
    expect_match(said, "^(empty|capalloc_error.*)$")
  }
})

test_that("demands are drawn at the lags of each network, also where the task is a vector", {
  skip_if_not_installed("ggplot2")
  task <- task_fgn(8, 0.8)
  vector <- with(task$moments, task_moments(sigma, cross, target))
  share <- task_demand(task)$demand / max(task_demand(task)$demand)
  plot <- ggplot2::autoplot(compare_architectures(nets["dilated"], list(a = vector), replicates = 1))
  line <- layers(plot)[[2]]
  expect_match(plot$labels$x, "lag")
  expect_equal(line$y[order(line$x)], rev(share), tolerance = 1e-12)
  # With a vector among the networks everything is drawn by position.
  mixed <- c(nets["dilated"], list(free = input_vector(8) |> layer_dense(1)))
  plot <- ggplot2::autoplot(compare_architectures(mixed, list(a = task), replicates = 1))
  line <- split(layers(plot)[[2]], layers(plot)[[2]]$PANEL)
  expect_identical(plot$labels$x, "input")
  for (panel in line) expect_equal(panel$y[order(panel$x)], share, tolerance = 1e-12)
  # Two channels of four positions.
  pairs <- list(pairs = input_sequence(4, channels = 2) |> layer_dense(1))
  line <- layers(ggplot2::autoplot(compare_architectures(pairs, list(a = vector), replicates = 1)))[[2]]
  sums <- c(rowsum(share, rep(1:4, each = 2)))
  expect_equal(line$y[order(line$x)], rev(sums / max(sums)), tolerance = 1e-12)
})

test_that("on a grid there is a map of mean capacities per network and task, with channels summed", {
  skip_if_not_installed("ggplot2")
  for (channels in 1:2) {
    input <- input_grid(4, 4, channels)
    maps <- list(conv = input |> layer_conv(1, 2, stride = 2) |> layer_dense(1), free = input |> layer_dense(1))
    corner <- grid_task(4, 4, channels)
    cmp <- compare_architectures(maps, list(one = corner, two = corner), replicates = 2, n_obs = 200)
    b <- built(ggplot2::autoplot(cmp))
    expect_identical(nrow(b$layout$layout), 4L)
    for (panel in seq_len(4)) {
      pair <- b$layout$layout[panel, ]
      rows <- cmp$allocation[cmp$allocation$task == pair$task & cmp$allocation$network == pair$network, ]
      wanted <- tapply(rows$capacity, list(rows$row, rows$column), sum) / 2
      tiles <- b$data[[1]][b$data[[1]]$PANEL == panel, ]
      expect_equal(tiles$fill, b$plot$scales$get_scales("fill")$map(wanted[cbind(-tiles$y, tiles$x)]))
    }
    built(ggplot2::autoplot(cmp, type = "loss"))
  }
})

test_that("unknown types are refused by class", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets["dense"], tasks["ar"], replicates = 1)
  expect_snapshot(writeLines(bad(ggplot2::autoplot(cmp, type = "spectrum"), "value")))
})

test_that("pictures of ranks, critical differences and capacity differences equal those of their own functions", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets, tasks, replicates = 3, n_obs = 40)
  same <- function(a, b) expect_identical(lapply(layers(a), as.list), lapply(layers(b), as.list))
  same(ggplot2::autoplot(cmp, type = "rank", metric = "loss"), ggplot2::autoplot(rank_results(cmp, "loss")))
  same(ggplot2::autoplot(cmp, type = "cd"),
    ggplot2::autoplot(quiet(contrast_architectures(cmp, test = "friedman"))))
  same(ggplot2::autoplot(cmp, type = "cd", control = "dense", level = 0.9), ggplot2::autoplot(quiet(
    contrast_architectures(cmp, test = "friedman", control = "dense", adjust = "bonferroni", level = 0.9))))
  same(ggplot2::autoplot(cmp, type = "difference", a = "conv", b = "dense", seed = 2),
    ggplot2::autoplot(quiet(capacity_difference(cmp, "conv", "dense", seed = 2))))
  # Warnings are stated in the caption.
  population <- compare_architectures(nets, tasks, replicates = 2)
  expect_warning(plot <- ggplot2::autoplot(population, type = "cd"), NA)
  expect_match(plot$labels$caption, "replicates do not share a sample")
  bad(ggplot2::autoplot(cmp, type = "difference"), "value")
  bad(ggplot2::autoplot(cmp, type = "rank", metric = "accuracy"), "value")
})

test_that("a frontier has means with intervals and a line through the networks on it", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets, tasks, replicates = 3, n_obs = 40)
  means <- summary(cmp, level = 0.9)
  plot <- ggplot2::autoplot(cmp, type = "frontier", level = 0.9)
  shown <- layers(plot)
  points <- shown[[length(shown)]]
  expect_equal(points$y, means$excess_loss)
  expect_equal(shown[[length(shown) - 1L]]$ymax, means$excess_high)
  beaten <- vapply(seq_len(nrow(means)), function(i) {
    any(means$task == means$task[[i]] & means$total_capacity <= means$total_capacity[[i]] &
      means$excess_loss < means$excess_loss[[i]])
  }, NA)
  free <- capalloc:::picture_on_frontier(means$total_capacity, means$excess_loss, means$task)
  expect_identical(free, !beaten)
  # A point equal in one value is dominated by less of the other; equal points do not dominate each other.
  expect_identical(capalloc:::picture_on_frontier(c(1, 1, 2, 2), c(3, 2, 2, 1), rep("t", 4)), c(FALSE, TRUE, FALSE,
    TRUE))
  expect_identical(capalloc:::picture_on_frontier(c(1, 1), c(2, 2), c("t", "t")), c(TRUE, TRUE))
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("the picture of a comparison matches its SVG snapshot", {
  announce_snapshot_file(name = "comparison-profile.svg")
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  cmp <- compare_architectures(nets[1:2], tasks, replicates = 2, n_obs = 40)
  vdiffr::expect_doppelganger("comparison profile", ggplot2::autoplot(cmp))
})
