# Pictures of depth limits, by the data of their layers.

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

test_that("depth limits are bars, finite stacks points, and the continuum a line", {
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
  # A plain stack has no bars.
  plain <- ggplot2::autoplot(pictured$plain)
  expect_length(layers(plain), 2)
  expect_match(plain$labels$title, "Plain stack, from position 16")
  expect_match(unlist(drawn(plot(pictured$plain))$titles), "Plain stack", all = FALSE)
})
