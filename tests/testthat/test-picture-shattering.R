# Pictures of shattering, by the data of their layers.

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

test_that("shattering has a line for each depth and a panel for each network", {
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

test_that("plot() returns its argument invisibly", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  for (x in pictured) expect_identical(withVisible(plot(x)), list(value = x, visible = FALSE))
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("pictures of depth match their SVG snapshots", {
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
