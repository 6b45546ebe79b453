# Pictures of capacity through layers and of decoupling.

chain <- local({
  net <- input_sequence(8, channels = 2) |> layer_conv(2, 2, stride = 2, bias = TRUE) |> layer_activation("relu") |>
    layer_conv(1, 2) |> layer_dense(2)
  with_test_coef(net, 1)
})

test_that("a flow is a row of tiles for each level, as wide as the input", {
  skip_if_not_installed("ggplot2")
  flow <- propagate_capacity(chain)
  plot <- ggplot2::autoplot(flow)
  tile <- layers(plot)[[1]]
  rows <- flow[flow$part == "unit", ]
  wanted <- tapply(rows$capacity, list(rows$layer, rows$position), sum)
  for (l in seq_along(levels(flow$layer))) {
    own <- tile[(tile$ymin + tile$ymax) / 2 == l, ]
    own <- own[order(-own$xmin), ] # the oldest first
    n <- sum(!is.na(wanted[l, ]))
    expect_equal(own$xmax - own$xmin, rep(8 / n, n))
    expect_equal(range(own$xmin, own$xmax), c(0.5, 8.5))
    shown <- plot$data[plot$data$y == l, ]
    # Colours are capacity per input position, so every level has the same total area.
    expect_equal(shown$value * (shown$right - shown$left), unname(wanted[l, seq_len(n)]))
  }
  expect_match(plot$labels$caption, "not drawn: \\(Intercept\\) ")
  expect_match(plot$labels$title, "each output, mode total")
  told <- drawn(plot(flow))
  expect_equal(told$tiles[[1]]$left, plot$data$left)
  expect_equal(told$tiles[[1]]$top, plot$data$y + 0.5)
  expect_match(told$texts, "white 0, blue .*; not drawn", all = FALSE)
  labels <- built(plot)$layout$panel_params[[1]]$y$get_labels()
  expect_identical(labels, levels(flow$layer))
})

test_that("many levels are thinned, and vectors are drawn by their index", {
  skip_if_not_installed("ggplot2")
  net <- input_vector(3)
  for (i in 1:150) net <- layer_dense(net, 3)
  flow <- propagate_capacity(initialise(net, seed = 1))
  plot <- ggplot2::autoplot(flow)
  expect_equal(length(unique(plot$data$y)), 120)
  expect_identical(plot$labels$x, "input")
  ends <- built(plot)$layout$panel_params[[1]]$y$get_labels()
  expect_identical(ends[c(1, length(ends))], c("dense1", "output"))
  expect_silent(drawn(plot(flow)))
  # Zero capacity.
  none <- propagate_capacity(set_coef(input_vector(2) |> layer_dense(1), c(0, 0)), mode = "linear")
  expect_equal(ggplot2::autoplot(none)$data$value, c(0, 0.5, 0)) # only the output, drawn over two inputs
  expect_silent(drawn(plot(none)))
})

test_that("a grid has a map for each level that is a grid", {
  skip_if_not_installed("ggplot2")
  net <- with_test_coef(grid_networks()$grid_channels, 1)
  flow <- propagate_capacity(net)
  plot <- ggplot2::autoplot(flow)
  tiles <- heat_tiles(plot, plot(flow))
  expect_identical(levels(plot$data$panel), c("conv1", "conv2", "dense1"))
  rows <- flow[flow$layer == "conv1" & flow$part == "unit", ]
  wanted <- tapply(rows$capacity, list(rows$row, rows$column), sum)
  own <- tiles[as.integer(tiles$panel) == 1, ]
  expect_equal(own$value, wanted[cbind(own$y, own$x)])
})

test_that("of more than twelve maps the first, the last and some between are drawn", {
  skip_if_not_installed("ggplot2")
  net <- input_grid(2, 3)
  for (i in 1:20) net <- layer_conv(net, 1, 1)
  flow <- propagate_capacity(set_coef(net, rep(1, 20)))
  plot <- ggplot2::autoplot(flow)
  heat_tiles(plot, plot(flow))
  shown <- levels(plot$data$panel)
  expect_length(shown, 12)
  expect_identical(shown[c(1, 12)], c("conv1", "output"))
  expect_false(is.unsorted(match(shown, levels(flow$layer)), strictly = TRUE))
})

test_that("decoupling is a curve for an activation and points for a network", {
  skip_if_not_installed("ggplot2")
  d <- decoupling("relu", correlation = c(0.5, -1, 0, 1))
  plot <- ggplot2::autoplot(d)
  line <- layers(plot)[[2]]
  expect_equal(line$x, c(-1, 0, 0.5, 1))
  expect_equal(line$y, 1 / 2 + asin(line$x) / pi)
  expect_match(plot$labels$title, "relu at variance 1, decoupling 0.")
  told <- drawn(plot(d))
  expect_equal(told$points[[1]]$y, line$y)
  d <- decoupling(with_test_coef(input_vector(4) |> layer_dense(5) |> layer_activation("abs") |> layer_dense(3) |>
    layer_activation("tanh"), 1))
  plot <- ggplot2::autoplot(d)
  points <- layers(plot)[[2]]
  expect_equal(points$y, d$gate_correlation)
  expect_equal(as.integer(points$PANEL), as.integer(d$layer))
  expect_equal(plot$coordinates$limits$y, c(min(0, d$gate_correlation), 1))
  expect_match(levels(plot$data$panel), "decoupling 0.")
  told <- drawn(plot(d))
  expect_equal(unlist(lapply(told$points, function(p) p$y)), d$gate_correlation)
  wide <- decoupling(with_test_coef(input_vector(3) |> layer_dense(80) |> layer_activation("relu"), 1))
  expect_equal(nrow(layers(ggplot2::autoplot(wide))[[2]]), 2000)
})

test_that("plot() returns its argument invisibly, and unknown types are refused", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (x in list(propagate_capacity(chain), decoupling("relu"))) {
    expect_identical(withVisible(plot(x)), list(value = x, visible = FALSE))
    skip_if_not_installed("ggplot2")
    expect_error(ggplot2::autoplot(x, type = "flow"), class = "capalloc_error_value")
  }
})
