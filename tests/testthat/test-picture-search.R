# Pictures of searches, by the data of their layers.

search <- search_architecture(task_copy(12, 5), 12, c("conv", "dilated"), replicates = 2)
fgn <- quiet(search_architecture(task_fgn(12, 0.8), 12, c("conv", "recurrent"), replicates = 2))

test_that("a frontier has one point per candidate, with ranks on the frontier", {
  skip_if_not_installed("ggplot2")
  rows <- fgn$candidates
  shown <- layers(ggplot2::autoplot(fgn))
  expect_equal(shown[[2]]$x, rows$total_capacity)
  expect_equal(shown[[2]]$y, log10(rows$excess_loss), tolerance = 1e-12)
  edge <- summary(fgn)
  expect_identical(sort(shown[[3]]$x), edge$total_capacity)
  expect_setequal(unlist(strsplit(shown[[4]]$label, ", ")), as.character(edge$rank))
  # Exact zeros are drawn at a millionth of the largest loss.
  zeros <- layers(ggplot2::autoplot(search))[[2]]$y
  expect_equal(min(zeros), log10(1e-6 * max(search$candidates$excess_loss)), tolerance = 1e-10)
  base <- drawn(plot(fgn))
  expect_equal(base$points[[1]]$x, rows$total_capacity)
  expect_equal(base$points[[1]]$y, rows$excess_loss)
})

test_that("demand and allocation are drawn in one panel per candidate", {
  skip_if_not_installed("ggplot2")
  b <- built(ggplot2::autoplot(search, type = "demand"))
  expect_identical(nrow(b$layout$layout), 4L)
  means <- augment(search)
  for (panel in 1:4) {
    bars <- b$data[[1]][b$data[[1]]$PANEL == panel, ]
    rows <- means[means$rank == panel, ]
    expect_equal(bars$y[order(bars$x)], rows$capacity[order(rows$lag)], tolerance = 1e-14)
    line <- b$data[[2]][b$data[[2]]$PANEL == panel, ]
    expect_equal(line$y[order(line$x)], as.double(1:12 == 5), tolerance = 1e-14)
  }
  names <- search$candidates$candidate[c(2, 7)]
  panels <- built(ggplot2::autoplot(search, type = "demand", candidates = rev(names)))$layout$layout$network
  expect_identical(sub(" .*", "", panels), c("2:", "7:"))
  base <- drawn(plot(search, type = "demand", candidates = 2))
  expect_equal(base$points[[1]]$y, means$capacity[means$rank == 1])
})

test_that("a task without demand can be drawn, and the caption states it", {
  skip_if_not_installed("ggplot2")
  noise <- task_moments(diag(6), matrix(0, 6, 1), 1, input = input_sequence(6))
  idle <- search_architecture(noise, 4, "conv", replicates = 1)
  expect_true(all(is.na(idle$candidates$coverage)))
  # Capacity does not lower the loss, so the least capacity is best.
  expect_identical(idle$candidates$kernel, 2:3 + 0)
  expect_match(ggplot2::autoplot(idle, type = "demand")$labels$caption, "demand is zero")
  expect_true(any(grepl("demand is zero", drawn(plot(idle, type = "demand"))$texts)))
})

test_that("on a grid the map of the demand follows those of the candidates", {
  skip_if_not_installed("ggplot2")
  image <- search_architecture(task_image(4, 4, 1), 16, "conv", replicates = 1)
  tiles <- heat_tiles(ggplot2::autoplot(image, type = "demand", candidates = 2),
    plot(image, type = "demand", candidates = 2))
  expect_identical(nrow(tiles), 48L)
  demand <- task_demand(image$task)$demand
  expect_equal(tiles$value[33:48], demand / max(demand), tolerance = 1e-12)
})

test_that("a picture of ranks has the runs and their means", {
  skip_if_not_installed("ggplot2")
  shown <- layers(ggplot2::autoplot(fgn, type = "rank", candidates = 3))
  best <- fgn$candidates[1:3, ]
  expect_equal(shown[[2]]$x, log10(best$excess_loss), tolerance = 1e-12)
  expect_equal(as.numeric(shown[[2]]$y), 3:1)
  expect_identical(nrow(shown[[1]]), 6L)
  base <- drawn(plot(fgn, type = "rank", candidates = 3))
  expect_equal(base$points[[2]]$x, best$excess_loss)
})

test_that("invalid types and candidates are refused", {
  skip_if_not_installed("ggplot2")
  expect_snapshot(error = TRUE, {
    ggplot2::autoplot(search, type = "pie")
    ggplot2::autoplot(search, type = "demand", candidates = "conv")
    ggplot2::autoplot(search, type = "demand", candidates = 0)
    ggplot2::autoplot(search, kind = "rank")
  })
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("pictures of searches match their SVG snapshots", {
  announce_snapshot_file(name = "search-demand.svg")
  announce_snapshot_file(name = "search-frontier.svg")
  announce_snapshot_file(name = "search-rank.svg")
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  vdiffr::expect_doppelganger("search frontier", ggplot2::autoplot(search))
  vdiffr::expect_doppelganger("search demand", ggplot2::autoplot(search, type = "demand"))
  vdiffr::expect_doppelganger("search rank", ggplot2::autoplot(search, type = "rank"))
})

test_that("the data of pictures have the fields of their constructors", {
  expect_constructor(capalloc:::new_search_frontier_picture)
  expect_constructor(capalloc:::new_search_ranking_picture)
})
