# Profiles of capacity along inputs, by the data of their layers.

dilated <- set_coef(arch_dilated(8, filters = 1), c(1, 2, 3, -1, 1, 1, 1))

recurrent <- set_coef(arch_recurrent(8, 2, "diagonal"), c(1, 2, 0.9, -0.5, 1, 1))

with_bias <- set_coef(arch_conv(8, 1, 3, bias = TRUE), c(1, 2, 3, -1, 1, 1, 1, 4))

two_outputs <- set_coef(arch_dilated(8, filters = 2, outputs = 2), sin(1:24))

profile <- capacity(dilated)

test_that("a profile has the capacity at each lag and the upper bound per input", {
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

test_that("the constant is stated in the caption and not drawn", {
  skip_if_not_installed("ggplot2")
  k <- capacity(with_bias)
  plot <- ggplot2::autoplot(k)
  expect_identical(layers(plot)[[2]]$y, k$capacity[1:8])
  expect_identical(plot$labels$caption, "not drawn: (Intercept) 1")
  base <- drawn(plot(k))
  expect_identical(base$points[[1]], list(x = as.double(8:1), y = k$capacity[1:8]))
  expect_match(unlist(base$titles), "not drawn: (Intercept) 1", fixed = TRUE, all = FALSE)
})

test_that("inputs without time order are drawn by position", {
  skip_if_not_installed("ggplot2")
  k <- capacity(set_coef(input_vector(4) |> layer_dense(1), 1:4))
  plot <- ggplot2::autoplot(k)
  expect_equal(as.numeric(layers(plot)[[2]]$x), 1:4)
  expect_identical(plot$labels$x, "input")
  expect_equal(drawn(plot(k))$points[[1]]$x, 1:4)
})

test_that("named inputs are drawn by name, in the order of the data", {
  skip_if_not_installed("ggplot2")
  trained <- fit(arch_dense(input_vector(3), bias = TRUE), task_data(mpg ~ wt + hp + am, mtcars, seed = 1), seed = 1)
  k <- capacity(trained)
  b <- built(ggplot2::autoplot(k))
  expect_identical(b$layout$panel_params[[1]]$x$get_labels(), c("wt", "hp", "am"))
  expect_identical(b$data[[2]]$y, k$capacity[1:3])
  told <- drawn(plot(k))
  expect_identical(told$points[[1]], list(x = as.double(1:3), y = k$capacity[1:3]))
  marked <- Filter(function(axis) is.character(axis[[3]]), told$axes)
  expect_identical(marked, list(list(1, 1:3, c("wt", "hp", "am"))), ignore_attr = TRUE)
})

test_that("several capacities are drawn in panels one below the other, on one scale", {
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

test_that("constants of several capacities are stated with their networks", {
  skip_if_not_installed("ggplot2")
  both <- c(conv = capacity(with_bias), plain = profile)
  expect_identical(ggplot2::autoplot(both)$labels$caption, "not drawn: (Intercept) conv 1")
  expect_length(layers(ggplot2::autoplot(both))[[2]]$y, 16)
  base <- drawn(plot(both))
  expect_match(unlist(base$titles), "(Intercept)", fixed = TRUE, all = FALSE)
  # A subtitle is on line 4 of the lower margin, so the margin must have more lines.
  expect_length(base$margins, 2)
  for (margins in base$margins) expect_gte(margins[[1]], 5)
})

test_that("no column is higher than the dashed line", {
  skip_if_not_installed("ggplot2")
  # All 16 coordinates of 8 positions are free, with capacity 1 each.
  k <- capacity(initialise(arch_dense(input_sequence(8, channels = 2)), seed = 1))
  shown <- layers(ggplot2::autoplot(k))
  expect_lte(max(shown[[2]]$ymax), max(shown[[1]]$yintercept) + 1e-12)
})

test_that("a sequence combined with a vector is drawn by position", {
  skip_if_not_installed("ggplot2")
  vector <- capacity(set_coef(input_vector(8) |> layer_dense(1), 1:8))
  for (both in list(c(a = profile, b = vector), c(b = vector, a = profile))) {
    plot <- ggplot2::autoplot(both)
    expect_identical(plot$labels$x, "input")
    expect_equal(as.numeric(layers(plot)[[2]]$x), c(1:8, 1:8))
    expect_equal(lapply(drawn(plot(both))$points, `[[`, "x"), list(1:8, 1:8))
  }
})

pooled <- with_test_coef(input_grid(4, 6) |> layer_pool(2) |> layer_dense(1), 2)

test_that("totals with different numbers of digits are not padded", {
  skip_if_not_installed("ggplot2")
  big <- with_test_coef(input_grid(4, 6) |> layer_dense(1), 1)
  both <- c(big = capacity(big), pooled = capacity(pooled))
  expect_identical(levels(ggplot2::autoplot(both)$data$panel), c("big: total 24", "pooled: total 6"))
})

test_that("the data of a picture have the fields of their constructor", {
  expect_constructor(capalloc:::new_profile_picture)
})
