# Pictures of scaling and variance studies.

total <- scaling_study(depths = c(4, 8, 16))
random <- scaling_study(depths = c(4, 8, 16), exponents = c(0.5, 1), mode = "shared",
  activation = "tanh", channels = 2, draws = 5, seed = 1)

test_that("growth is drawn against depth on logarithmic axes, with fitted lines", {
  skip_if_not_installed("ggplot2")
  plot <- ggplot2::autoplot(random)
  shown <- layers(plot)
  means <- summary(random)
  expect_equal(shown[[3]]$x, log2(means$depth))
  expect_equal(shown[[3]]$y, log10(means$growth))
  # The lines have the slopes of glance().
  line <- shown[[1]][shown[[1]]$group == 1, ]
  expect_equal(diff(line$y) * log(10) / (diff(line$x) * log(2)), rep(glance(random)$slope[[1]], 2))
  y <- log(random$growth[random$exponent == 0.5 & random$depth == 8])
  expect_equal(c(shown[[2]]$ymin[[2]], shown[[2]]$ymax[[2]]) * log(10), c(t.test(y, conf.level = 0.99)$conf.int))
  expect_match(levels(plot$data$name)[[1]], "^a = 0.5: slope .*\\[")
  expect_match(plot$labels$title, "shared random weights")
  told <- drawn(plot(random))
  expect_equal(told$points[[2]]$y, means$growth[1:3])
  expect_true(levels(plot$data$name)[[1]] %in% told$texts)
  expect_identical(levels(ggplot2::autoplot(total)$data$name)[[2]], "a = 0.50: slope 0.00")
})

test_that("survival and decoupling are drawn without logarithms", {
  skip_if_not_installed("ggplot2")
  for (type in c("survival", "decoupling")) {
    plot <- ggplot2::autoplot(random, type = type)
    expect_equal(layers(plot)[[2]]$y, summary(random)[[type]])
    told <- drawn(plot(random, type = type))
    expect_equal(told$points[[1]]$y, summary(random)[[type]][1:3])
  }
})

test_that("a variance study is drawn as multiples of its start", {
  skip_if_not_installed("ggplot2")
  study <- variance_study(c(4, 8, 2), draws = 3, seed = 1)
  plot <- ggplot2::autoplot(study)
  points <- layers(plot)[[3]]
  own <- plot$data[plot$data$scheme == "fan_out" & plot$data$panel == "per unit, backwards", ]
  rows <- study[study$scheme == "fan_out", ]
  expect_equal(own$value, rows$per_unit / rows$per_unit[[3]])
  expect_equal(nrow(points), 27)
  told <- drawn(plot(study))
  expect_equal(length(told$titles), 3)
  expect_true(all(c("fan_in", "fan_out", "glorot") %in% told$texts))
})

test_that("plot() returns its argument invisibly, and unknown types are refused", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (x in list(total, variance_study(c(2, 2), draws = 1))) {
    expect_identical(withVisible(plot(x)), list(value = x, visible = FALSE))
  }
  expect_error(plot(total, type = "depth"), class = "capalloc_error_value")
  expect_error(plot(total, type = "decoupling"), class = "capalloc_error_value")
  skip_if_not_installed("ggplot2")
  expect_error(ggplot2::autoplot(total, panel = 1), class = "capalloc_error_value")
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("pictures of studies match their SVG snapshots", {
  announce_snapshot_file(name = "scaling-growth.svg")
  announce_snapshot_file(name = "variance-study.svg")
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  vdiffr::expect_doppelganger("scaling growth", ggplot2::autoplot(random))
  study <- variance_study(c(16, 64, 32, 8), draws = 20, seed = 1)
  vdiffr::expect_doppelganger("variance study", ggplot2::autoplot(study))
})
