# The diagram of a network.

diagrams <- function() {
  c(
    list(bare = input_sequence(8), without_coef = input_sequence(8) |> layer_conv(2, 2) |> layer_dense(1)),
    named_networks()[c("nested", "residual_deep", "dense_bias")], small_grids()["channels"]
  )
}

test_that("the diagram has a box for the input and for each layer, from the bottom up", {
  skip_if_not_installed("ggplot2")
  for (network in diagrams()) {
    rows <- summary(network)
    data <- layers(ggplot2::autoplot(network))
    boxes <- data[[1]]
    n <- nrow(rows) + 1
    expect_equal((boxes$ymin + boxes$ymax) / 2, seq_len(n))
    # Layers inside a block are indented by their depth, and tinted.
    expect_equal(boxes$xmin, 0.04 + 0.04 * c(0, rows$depth))
    expect_identical(boxes$fill == "white", c(0, rows$depth) == 0)
    texts <- unlist(lapply(data[4:7], `[[`, "label"))
    expect_setequal(texts, c("input", rows$layer, describe_input_shape(network$input), rows$kind, "", rows$output,
      as.character(rows$parameters)))
    # Arrows join the layers at depth 0.
    own <- which(c(0, rows$depth) == 0)
    expect_equal(as.numeric(data[[2]]$y), own[-length(own)])
    told <- drawn(plot(network))
    expect_identical(told$texts, c("input", rows$layer, describe_input_shape(network$input), rows$kind, "", rows$output,
      "", as.character(rows$parameters), "output", "parameters"))
    expect_equal(told$tiles[[1]]$left, boxes$xmin)
    expect_equal(told$tiles[[1]]$bottom, boxes$ymin)
  }
})

test_that("the title has the number of parameters", {
  skip_if_not_installed("ggplot2")
  expect_identical(ggplot2::autoplot(input_sequence(2) |> layer_dense(1))$labels$title, "2 parameters")
  expect_identical(ggplot2::autoplot(input_vector(1) |> layer_dense(1))$labels$title, "1 parameter")
  expect_match(unlist(drawn(plot(input_vector(1) |> layer_dense(1)))$titles), "^1 parameter$", all = FALSE)
})

test_that("plot() returns its argument invisibly", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  net <- named_networks()$nested
  expect_identical(withVisible(plot(net)), list(value = net, visible = FALSE))
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("the diagram matches its SVG snapshot", {
  announce_snapshot_file(name = "diagram.svg")
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  vdiffr::expect_doppelganger("diagram", ggplot2::autoplot(named_networks()$nested))
})
