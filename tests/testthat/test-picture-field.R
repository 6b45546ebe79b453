# Pictures of effective receptive fields, by the data of their layers.

pictured <- local({
  stack <- input_sequence(32)
  for (i in 1:4) stack <- layer_conv(stack, 1, 3, padding = "same")
  grid <- input_grid(7, 9) |> layer_conv(1, c(3, 1), padding = "same") |> layer_conv(1, 3, padding = "same")
  curve <- input_vector(2) |> layer_dense(8)
  for (i in 1:3) curve <- curve |> layer_dense(8) |> layer_activation("relu")
  nets <- list(plain = initialise(curve, "he", seed = 1), wide = initialise(curve, "he", seed = 2))
  list(
    chain = diffusion_limit(measure_residual_chain(61, 1, 1), depth = c(1, 4)),
    plain = diffusion_limit(set_coef(stack, rep(c(1, 2, 1), 4))),
    field = effective_receptive_field(set_coef(stack, rep(1, 12)), output = "middle"),
    maps = effective_receptive_field(set_coef(grid, rep(1, 12))),
    shattered = shattering(nets, rbind(c(-2, 1), c(2, 1)), path = 9),
    one = shattering(nets$plain, rbind(c(-2, 1), c(2, 1), c(0, 1)), bins = 3)
  )
})

test_that("fields are strips for each layer, and widths have the line of the square-root law", {
  skip_if_not_installed("ggplot2")
  f <- pictured$field
  plot <- ggplot2::autoplot(f)
  shown <- layers(plot)
  # Half a position at both ends: as wide as the number of positions in the field.
  expect_equal(abs(shown[[1]]$xmax - shown[[1]]$xmin), as.numeric(f$size))
  expect_equal(abs(shown[[2]]$xmax - shown[[2]]$xmin), as.numeric(f$region_size))
  expect_equal(as.numeric(shown[[3]]$x), 33 - f$mean)
  expect_identical(built(plot)$layout$panel_params[[1]]$y$get_labels(), levels(f$layer))
  told <- drawn(plot(f))
  expect_equal(told$tiles[[1]]$left, 33 - f$from + 0.5)
  expect_equal(told$tiles[[2]]$right, 33 - f$region_to - 0.5)
  width <- ggplot2::autoplot(f, type = "width")
  points <- layers(width)[[2]]
  expect_equal(points$y[!is.na(points$y)], f$sd)
  law <- layers(width)[[1]]
  expect_equal(max(law$y, na.rm = TRUE), f$sqrt_depth[[4]])
  expect_match(drawn(plot(f, type = "width"))$texts, "square root", all = FALSE)
  grid <- built(ggplot2::autoplot(pictured$maps))
  expect_identical(as.character(grid$layout$layout$dimension), c("row", "column"))
  expect_setequal(as.numeric(grid$data[[3]]$x), pictured$maps$mean)
  expect_silent(drawn(plot(pictured$maps)))
  expect_silent(drawn(plot(pictured$maps, type = "width")))
  expect_error(plot(f, type = "depth"), class = "capalloc_error_value")
})

test_that("fields without capacity, and many layers, can be drawn", {
  skip_if_not_installed("ggplot2")
  dead <- effective_receptive_field(set_coef(input_sequence(4) |> layer_conv(1, 2), c(0, 0)))
  expect_silent(layers(ggplot2::autoplot(dead)))
  expect_silent(layers(ggplot2::autoplot(dead, "width")))
  expect_silent(drawn(plot(dead)))
  expect_silent(drawn(plot(dead, "width")))
  deep <- input_sequence(4)
  for (i in 1:80) deep <- layer_conv(deep, 1, 2, padding = "same")
  field <- effective_receptive_field(set_coef(deep, rep(1, 160)))
  expect_equal(length(unique(layers(ggplot2::autoplot(field))[[1]]$ymin)), 60)
})

test_that("the data of a picture have the fields of their constructor", {
  expect_constructor(capalloc:::new_field_picture)
})
