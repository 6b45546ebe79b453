# Pictures of depth limits, effective receptive fields and shattering.

pictured <- local({
  stack <- input_sequence(32)
  for (i in 1:4) stack <- layer_conv(stack, 1, 3, padding = "same")
  grid <- input_grid(7, 9) |> layer_conv(1, c(3, 1), padding = "same") |> layer_conv(1, 3, padding = "same")
  curve <- input_vector(2) |> layer_dense(8)
  for (i in 1:3) curve <- curve |> layer_dense(8) |> layer_activation("relu")
  nets <- list(plain = initialise(curve, "he", seed = 1), wide = initialise(curve, "he", seed = 2))
  list(
    chain = diffusion_limit(residual_chain(61, 1, 1), depth = c(1, 4)),
    plain = diffusion_limit(set_coef(stack, rep(c(1, 2, 1), 4))),
    field = effective_receptive_field(set_coef(stack, rep(1, 12)), output = "middle"),
    maps = effective_receptive_field(set_coef(grid, rep(1, 12))),
    shattered = shattering(nets, rbind(c(-2, 1), c(2, 1)), path = 9),
    one = shattering(nets$plain, rbind(c(-2, 1), c(2, 1), c(0, 1)), bins = 3)
  )
})

test_that("depth limits are bars, finite stacks points, the continuum a line", {
  skip_if_not_installed("ggplot2")
  d <- pictured$chain
  plot <- ggplot2::autoplot(d)
  shown <- layers(plot)
  seen <- range(d$position[d$capacity >= max(d$capacity) / 1000])
  kept <- d[d$position >= seen[[1]] & d$position <= seen[[2]], ]
  expect_equal(as.numeric(shown[[1]]$x), kept$lag[kept$kind == "limit"])
  expect_equal(shown[[1]]$y, kept$capacity[kept$kind == "limit"])
  expect_equal(sort(shown[[2]]$y), sort(kept$capacity[kept$kind == "continuum"]))
  expect_equal(shown[[3]]$y, kept$capacity[kept$kind == "finite"])
  expect_match(plot$labels$title, "Residual chain, sigma 1, from position 31")
  expect_match(plot$labels$caption, "0.076 apart")
  told <- drawn(plot(d))
  expect_equal(told$tiles[[1]]$top, shown[[1]]$y)
  expect_equal(told$points[[2]]$y, shown[[3]]$y)
  # a plain stack has no bars
  plain <- ggplot2::autoplot(pictured$plain)
  expect_length(layers(plain), 2)
  expect_match(plain$labels$title, "Plain stack, from position 16")
  expect_match(unlist(drawn(plot(pictured$plain))$titles), "Plain stack", all = FALSE)
})

test_that("fields are strips for each layer, and widths follow the law", {
  skip_if_not_installed("ggplot2")
  f <- pictured$field
  plot <- ggplot2::autoplot(f)
  shown <- layers(plot)
  # half a position at both ends: as wide as the field has positions
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

test_that("fields without capacity, and many layers, are drawn", {
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

test_that("shattering is a line for each depth, a panel for each network", {
  skip_if_not_installed("ggplot2")
  s <- pictured$shattered
  plot <- ggplot2::autoplot(s)
  b <- built(plot)
  expect_identical(as.character(b$layout$layout$network), c("plain", "wide"))
  line <- b$data[[2]]
  expect_equal(sort(line$y), sort(s$correlation))
  expect_length(unique(line$colour), 3)
  told <- drawn(plot(s))
  expect_length(told$points, 6)
  expect_equal(told$points[[1]]$y, s$correlation[s$network == "plain" & s$depth == 1])
  one <- ggplot2::autoplot(pictured$one)
  expect_match(one$labels$title, "pairs of inputs")
  expect_silent(drawn(plot(pictured$one)))
  dead <- shattering(set_coef(input_vector(1) |> layer_dense(1) |> layer_activation("relu"), 1), matrix(c(-1, -2)))
  expect_match(ggplot2::autoplot(dead)$labels$caption, "without gradients, 2")
  expect_silent(layers(ggplot2::autoplot(dead)))
  expect_silent(drawn(plot(dead)))
})

test_that("a plot returns its argument, invisibly", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (x in pictured) expect_identical(withVisible(plot(x)), list(value = x, visible = FALSE))
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("pictures look as they did", {
  for (name in c("depth-limit", "field-region", "field-width", "shattered")) {
    announce_snapshot_file(name = paste0(name, ".svg"))
  }
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  vdiffr::expect_doppelganger("depth limit", ggplot2::autoplot(pictured$chain))
  vdiffr::expect_doppelganger("field region", ggplot2::autoplot(pictured$maps))
  vdiffr::expect_doppelganger("field width", ggplot2::autoplot(pictured$field, type = "width"))
  vdiffr::expect_doppelganger("shattered", ggplot2::autoplot(pictured$shattered))
})
