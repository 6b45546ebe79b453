# Pictures: what they are made of, by ggplot_build() for ggplot2 and by the recorded calls of a
# null device for base graphics. Four are compared as SVG where CAPALLOC_VDIFFR is set.

dilated <- set_coef(arch_dilated(8, filters = 1), c(1, 2, 3, -1, 1, 1, 1))
recurrent <- set_coef(arch_recurrent(8, 2, "diagonal"), c(1, 2, 0.9, -0.5, 1, 1))
with_bias <- set_coef(arch_conv(8, 1, 3, bias = TRUE), c(1, 2, 3, -1, 1, 1, 1, 4))
two_outputs <- set_coef(arch_dilated(8, filters = 2, outputs = 2), sin(1:24))

profile <- capacity(dilated)

# Layers of a ggplot, built; no warning may come of it.
built <- function(plot) {
  expect_warning(b <- ggplot2::ggplot_build(plot), NA)
  b
}

layers <- function(plot) built(plot)$data

# What base graphics were told: list(points = lists of x and y, h = lines across, texts).
drawn <- function(code) {
  grDevices::pdf(NULL)
  device <- grDevices::dev.cur()
  withr::defer(grDevices::dev.off(device))
  grDevices::dev.control("enable")
  before <- graphics::par(no.readonly = TRUE)
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
    margins = unlist(lapply(named("C_par"), function(call) call[[2]]$mar))
  )
}

# ---- capacities ----------------------------------------------------------------------------------

test_that("a profile shows the capacity at each lag, and the most that an input can have", {
  skip_if_not_installed("ggplot2")
  plot <- ggplot2::autoplot(profile)
  expect_s3_class(plot, "ggplot")
  shown <- layers(plot)
  expect_identical(shown[[1]]$yintercept, 1)
  expect_identical(shown[[1]]$linetype, "dashed")
  expect_equal(as.numeric(shown[[2]]$x), profile$lag)
  expect_identical(shown[[2]]$y, profile$capacity)
  expect_match(plot$labels$x, "lag")
  expect_identical(plot$labels$title, "Total capacity 4")
  expect_null(plot$labels$caption)
})

test_that("the dashed line is at the number of outputs", {
  skip_if_not_installed("ggplot2")
  k <- capacity(two_outputs)
  shown <- layers(ggplot2::autoplot(k))
  expect_identical(shown[[1]]$yintercept, 2)
  expect_identical(shown[[2]]$y, k$capacity)
  expect_identical(drawn(plot(k))$h, 2)
})

test_that("the constant is said, not drawn", {
  skip_if_not_installed("ggplot2")
  k <- capacity(with_bias)
  plot <- ggplot2::autoplot(k)
  expect_identical(layers(plot)[[2]]$y, k$capacity[1:8])
  expect_identical(plot$labels$caption, "not drawn: (Intercept) 1")
  base <- drawn(plot(k))
  expect_identical(base$points[[1]], list(x = as.double(8:1), y = k$capacity[1:8]))
  expect_match(unlist(base$titles), "not drawn: (Intercept) 1", fixed = TRUE, all = FALSE)
})

test_that("inputs without an order are drawn by position", {
  skip_if_not_installed("ggplot2")
  k <- capacity(set_coef(input_vector(4) |> layer_dense(1), 1:4))
  plot <- ggplot2::autoplot(k)
  expect_equal(as.numeric(layers(plot)[[2]]$x), 1:4)
  expect_identical(plot$labels$x, "input")
  expect_equal(drawn(plot(k))$points[[1]]$x, 1:4)
})

test_that("parts of a partition are drawn in their order, without a bound", {
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

test_that("several capacities are one below the other, on one scale", {
  skip_if_not_installed("ggplot2")
  both <- c(recurrent = capacity(recurrent), dilated = profile)
  plot <- ggplot2::autoplot(both)
  b <- built(plot)
  columns <- split(b$data[[2]]$y, b$data[[2]]$PANEL)
  expect_identical(unname(columns), list(capacity(recurrent)$capacity, profile$capacity))
  expect_identical(b$layout$layout$ROW, 1:2)
  ranges <- lapply(b$layout$panel_params, function(panel) panel$y.range)
  expect_identical(ranges[[1]], ranges[[2]])
  expect_identical(unique(b$data[[1]]$yintercept), 1)
  labels <- unlist(plot$facet$params$labeller(data.frame(network = c("recurrent", "dilated"))))
  expect_identical(unname(labels), c("recurrent: total 4", "dilated: total 4"))

  base <- drawn(plot(both))
  expect_identical(base$points, list(
    list(x = as.double(8:1), y = capacity(recurrent)$capacity),
    list(x = as.double(8:1), y = profile$capacity)
  ))
  expect_identical(base$windows[[1]], base$windows[[2]])
  expect_identical(base$h, c(1, 1))
})

test_that("constants of several capacities are said with their networks", {
  skip_if_not_installed("ggplot2")
  both <- c(conv = capacity(with_bias), plain = profile)
  expect_identical(ggplot2::autoplot(both)$labels$caption, "not drawn: (Intercept) conv 1")
  expect_length(layers(ggplot2::autoplot(both))[[2]]$y, 16)
  base <- drawn(plot(both))
  expect_match(unlist(base$titles), "(Intercept)", fixed = TRUE, all = FALSE)
  # a subtitle stands on line 4 of the margin below, which must be there
  expect_gte(base$margins[[1]], 5)
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

test_that("base graphics show what ggplot2 shows, also with several channels", {
  skip_if_not_installed("ggplot2")
  k <- capacity(initialise(arch_dilated(input_sequence(8, channels = 2), 2), seed = 1))
  columns <- layers(ggplot2::autoplot(k))[[2]]
  heights <- tapply(columns$ymax, columns$x, max)
  base <- drawn(plot(k))
  points <- base$points[[1]]
  # by columns of the bars or lines: the highest at each lag
  expect_equal(c(unname(tapply(points$y, points$x, max))), c(unname(heights)), tolerance = 1e-12)
  expect_gte(max(base$windows[[1]]), max(heights))
})

test_that("no column is higher than the dashed line", {
  skip_if_not_installed("ggplot2")
  # all 16 coordinates of 8 positions are free, and each has 1
  k <- capacity(initialise(arch_dense(input_sequence(8, channels = 2)), seed = 1))
  shown <- layers(ggplot2::autoplot(k))
  expect_lte(max(shown[[2]]$ymax), max(shown[[1]]$yintercept) + 1e-12)
})

test_that("a spectrum shows singular values, the tolerance and what counts", {
  skip_if_not_installed("ggplot2")
  shown <- layers(ggplot2::autoplot(profile, type = "spectrum"))
  s <- attr(profile, "spectrum")
  expect_length(s, 7)
  # exact zeros stand at eps^2
  relative <- pmax(s / s[[1]], .Machine$double.eps^2)
  expect_equal(shown[[2]]$y, log10(relative), tolerance = 1e-14)
  expect_identical(shown[[2]]$shape, rep(c(16, 1), c(4, 3)))
  expect_identical(shown[[1]]$yintercept, log10(glance(profile)$tol))
  base <- drawn(plot(profile, type = "spectrum"))
  expect_equal(base$points[[1]], list(x = 1:7, y = relative), tolerance = 1e-14)
  expect_identical(base$h, glance(profile)$tol)
})

test_that("a network whose tangent is zero is drawn too", {
  skip_if_not_installed("ggplot2")
  k <- capacity(set_coef(dilated, numeric(7)))
  expect_identical(layers(ggplot2::autoplot(k))[[2]]$y, numeric(8))
  expect_identical(drawn(plot(k))$points[[1]]$y, numeric(8))
  # all singular values are zero
  expect_identical(layers(ggplot2::autoplot(k, type = "spectrum"))[[2]]$shape, rep(1, 7))
  expect_length(drawn(plot(k, type = "spectrum"))$points[[1]]$y, 7)
})

# ---- fits ----------------------------------------------------------------------------------------

test_that("a fit shows the loss above the lowest, one line per restart", {
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

test_that("a fit that has not converged says so, also after no iteration", {
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

# ---- comparisons ---------------------------------------------------------------------------------

nets <- list(dilated = arch_dilated(8, 1), dense = arch_dense(8), conv = arch_conv(8, 2, 3))
tasks <- classical_tasks(8)[c("sparse", "ar")]

test_that("a comparison shows mean capacities and scaled demands, a panel for each pair", {
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

test_that("a comparison on data without an order is drawn by position", {
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
  # excess losses of data may be negative: no logarithms
  expect_identical(loss[[1]]$y, cmp$runs$excess_loss)
})

test_that("losses are drawn against capacity, runs small and means large", {
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
  # each architecture has a colour and a shape of its own, the same in both layers
  look <- function(layer, network) unique(paste(layer$colour, layer$shape)[network])
  looks <- vapply(names(nets), \(name) look(shown[[1]], cmp$runs$network == name), "")
  expect_length(unique(looks), 3)
  expect_identical(vapply(names(nets), \(name) look(shown[[2]], means$network == name), ""), looks)
})

test_that("exact zeros are drawn at a millionth of the largest loss, and it is said", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets[c("dilated", "dense")], tasks["sparse"], replicates = 1)
  cmp$runs$excess_loss <- c(0.25, 0)
  plot <- ggplot2::autoplot(cmp, type = "loss")
  expect_equal(layers(plot)[[1]]$y, log10(c(0.25, 2.5e-7)), tolerance = 1e-12)
  expect_match(plot$labels$caption, "2e-07|3e-07")
})

test_that("failed runs are left out of pictures", {
  skip_if_not_installed("ggplot2")
  big <- list(big = set_coef(nets$dilated, rep(1e200, 7)))
  cmp <- compare_architectures(c(nets["dense"], big), tasks, replicates = 2, n_obs = 40)
  expect_identical(nrow(layers(ggplot2::autoplot(cmp, type = "loss"))[[1]]), 4L)
  b <- built(ggplot2::autoplot(cmp))
  expect_identical(nrow(b$data[[1]]), 2L * 8L)
  expect_setequal(as.character(b$layout$layout$network), c("dense", "big"))
})

test_that("where every run has failed there is a plain error or an empty picture", {
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

test_that("unknown types are refused by class", {
  skip_if_not_installed("ggplot2")
  cmp <- compare_architectures(nets["dense"], tasks["ar"], replicates = 1)
  texts <- c(
    bad(ggplot2::autoplot(profile, type = "heat"), "value"),
    bad(plot(profile, type = "l"), "value"),
    bad(ggplot2::autoplot(cmp, type = "spectrum"), "value"),
    bad(c(profile, profile), "value"),
    bad(c(a = profile, b = 1), "type"),
    bad(c(a = profile, b = capacity(dilated, partition = partition_octaves())), "shape")
  )
  expect_snapshot(writeLines(texts))
})

test_that("plots return their argument, invisibly", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  trained <- fit(arch_dense(8), classical_tasks(8)$ar, seed = 1)
  for (x in list(profile, c(a = profile), trained, dilated)) {
    expect_identical(withVisible(plot(x)), list(value = x, visible = FALSE))
  }
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("pictures look as they did", {
  names <- c("profile", "several-capacities", "spectrum", "comparison-profile")
  for (name in names) announce_snapshot_file(name = paste0(name, ".svg"))
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  vdiffr::expect_doppelganger("profile", ggplot2::autoplot(capacity(with_bias)))
  vdiffr::expect_doppelganger(
    "several capacities", ggplot2::autoplot(c(dilated = profile, recurrent = capacity(recurrent)))
  )
  vdiffr::expect_doppelganger("spectrum", function() plot(capacity(recurrent), type = "spectrum"))
  cmp <- compare_architectures(nets[1:2], tasks, replicates = 2, n_obs = 40)
  vdiffr::expect_doppelganger("comparison profile", ggplot2::autoplot(cmp))
})
