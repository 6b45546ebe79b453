# Pictures of ranks, by the data of their layers.

test_that("tiles are ranks with the means as text, the best mean rank at the top", {
  skip_if_not_installed("ggplot2")
  r <- rank_results(random_comparison(2, 4, 3))
  plot <- ggplot2::autoplot(r)
  shown <- layers(plot)
  networks <- unique(r$network)
  tile <- shown[[1]][seq_len(12), ]
  expect_equal(as.numeric(tile$y), 4 - match(r$network, networks))
  expect_equal(as.numeric(tile$x), as.numeric(sub("t", "", r$task)))
  expect_equal(tile$fill, built(plot)$plot$scales$get_scales("fill")$map(r$rank))
  expect_equal(as.numeric(shown[[2]]$label[1:12]), signif(r$mean, 3))
  expect_equal(as.numeric(shown[[2]]$label[13:15]), round(r$mean_rank[match(networks, r$network)], 2))
  told <- drawn(plot(r))
  expect_identical(told$texts[seq_len(15)], as.character(shown[[2]]$label))
  expect_length(told$tiles[[1]]$left, 15)
})

test_that("a single architecture, and architectures without a rank, can be drawn", {
  skip_if_not_installed("ggplot2")
  r <- rank_results(random_comparison(2, 2, 1))
  built(ggplot2::autoplot(r))
  drawn(plot(r))
  cmp <- random_comparison(2, 2, 2)
  cmp$runs$excess_loss[1:2] <- NA
  r <- rank_results(cmp)
  built(ggplot2::autoplot(r))
  drawn(plot(r))
})
