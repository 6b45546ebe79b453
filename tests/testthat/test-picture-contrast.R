# Pictures of contrasts and critical differences, by the data of their layers.

cmp <- random_comparison(3, 8, 5)

test_that("intervals are drawn at their estimates, filled where they are significant", {
  skip_if_not_installed("ggplot2")
  values <- withr::with_seed(1, array(runif(3 * 8 * 2), c(3, 8, 2)))
  values <- array(c(values, values[, , 1] + 3), c(3, 8, 3))
  values[, , 3] <- values[, , 3] + withr::with_seed(2, runif(24))
  k <- contrast_architectures(made_comparison(values))
  shown <- layers(ggplot2::autoplot(k))
  expect_equal(shown[[3]]$x, k$estimate, tolerance = 1e-12)
  expect_equal(c(shown[[2]]$x, shown[[2]]$xend), c(k$conf.low, k$conf.high), tolerance = 1e-12)
  expect_identical(shown[[3]]$shape == 16, k$adj.p.value <= 0.05)
  expect_identical(sort(unique(k$adj.p.value <= 0.05)), c(FALSE, TRUE))
  told <- drawn(plot(k))
  expect_equal(told$points[[2]]$x, k$estimate)
  expect_match(told$texts, "95% intervals", all = FALSE)
})

test_that("the region of practical equivalence is shaded, and the caption states points without a test", {
  skip_if_not_installed("ggplot2")
  b <- contrast_architectures(cmp, test = "bayes", rope = 0.1)
  shown <- layers(ggplot2::autoplot(b))
  expect_equal(c(shown[[1]]$xmin, shown[[1]]$xmax), c(-0.1, 0.1))
  drawn(plot(b))
  fixed <- contrast_architectures(made_comparison(array(rep(1:3, each = 8), c(2, 4, 3))))
  plot <- ggplot2::autoplot(fixed)
  expect_identical(nrow(layers(plot)[[2]]), 0L)
  expect_identical(nrow(layers(plot)[[3]]), 3L)
  expect_match(plot$labels$caption, "no test")
  drawn(plot(fixed))
})

test_that("by task there is one panel per task", {
  skip_if_not_installed("ggplot2")
  k <- contrast_architectures(cmp, by = "task")
  expect_identical(as.character(built(ggplot2::autoplot(k))$layout$layout$panel), names(cmp$tasks))
  expect_length(drawn(plot(k))$windows, 8)
})

test_that("a critical-difference diagram has names at mean ranks, the best on the left", {
  skip_if_not_installed("ggplot2")
  f <- contrast_architectures(cmp, test = "friedman")
  ranks <- sort(attr(f, "ranks")[[1L]])
  data <- capalloc:::picture_contrast_cd_data(f)
  down <- data$lines[data$lines$x == data$lines$xend & data$lines$yend < 0, ]
  expect_equal(down$x, unname(ranks))
  texts <- data$texts[grepl("\\(", data$texts$label), ]
  expect_identical(sub(" \\(.*", "", texts$label), names(ranks))
  # The better half is left of the axis, with names ending there; no two names share a line on one side.
  expect_identical(texts$side, c(1, 1, 1, 0, 0))
  expect_true(all(texts$x[texts$side == 1] < 1) && all(texts$x[texts$side == 0] > 5))
  expect_false(anyDuplicated(paste(texts$side, texts$y)) > 0)
  # Each line ends at its name.
  across <- data$lines[data$lines$y == data$lines$yend & data$lines$y %in% texts$y, ]
  expect_equal(across$x, unname(ranks))
  expect_equal(across$y, texts$y)
  # Bars are the groups without significant difference, the ruler is the critical difference.
  cd <- glance(f)$critical_difference
  bars <- data$lines[data$lines$width > 1, ]
  cliques <- capalloc:::friedman_cliques(ranks, cd)
  expect_equal(c(bars$x, bars$xend), c(cliques$from, cliques$to))
  ruler <- data$lines[data$lines$y == data$lines$yend & data$lines$y > 1, ]
  expect_equal(ruler$xend - ruler$x, cd)
  # Both pictures draw it.
  shown <- layers(ggplot2::autoplot(f))
  expect_identical(shown[[2]]$label, data$texts$label)
  expect_setequal(drawn(plot(f))$texts[seq_len(nrow(data$texts))], data$texts$label)
})

test_that("the order of ranks respects the direction of the metric", {
  skip_if_not_installed("ggplot2")
  order <- function(...) {
    texts <- capalloc:::picture_contrast_cd_data(contrast_architectures(cmp, test = "friedman", ...))$texts
    sub(" \\(.*", "", texts$label[grepl("\\(", texts$label)])
  }
  # These comparisons have one total capacity, so the least loss has the highest efficiency.
  expect_identical(order(metric = "efficiency"), order())
  ranks <- function(...) attr(contrast_architectures(cmp, test = "friedman", ...), "ranks")[[1L]]
  expect_equal(ranks(direction = "higher"), 6 - ranks(), tolerance = 1e-12)
})

test_that("the diagram is drawn, with a note, where the global test is not significant or missing", {
  skip_if_not_installed("ggplot2")
  f <- contrast_architectures(random_comparison(2, 3, 4), test = "friedman")
  expect_gt(glance(f)$p.value, 0.05)
  plot <- ggplot2::autoplot(f)
  expect_match(plot$labels$caption, "shows no difference")
  bars <- layers(plot)[[1]]
  expect_true(any(bars$linewidth > 1)) # all are joined
  tied <- contrast_architectures(made_comparison(array(0.1, c(2, 3, 3))), test = "friedman")
  plot <- ggplot2::autoplot(tied)
  expect_match(plot$labels$caption, "no test: all architectures are tied")
  built(plot)
  drawn(plot(tied))
  alone <- quiet(contrast_architectures(random_comparison(3, 1, 3, n_obs = Inf), test = "friedman"))
  built(ggplot2::autoplot(alone))
})

test_that("with a control the bar spans its critical difference", {
  skip_if_not_installed("ggplot2")
  f <- contrast_architectures(cmp, test = "friedman", control = "b", adjust = "bonferroni")
  bar <- subset(capalloc:::picture_contrast_cd_data(f)$lines, width > 1)
  at <- attr(f, "ranks")[[1L]][["b"]]
  cd <- glance(f)$critical_difference
  expect_equal(c(bar$x, bar$xend), c(max(1, at - cd), min(5, at + cd)))
})

test_that("unknown types are refused by class", {
  skip_if_not_installed("ggplot2")
  k <- contrast_architectures(cmp)
  expect_match(bad(ggplot2::autoplot(k, type = "cd"), "value"), "Friedman")
  bad(ggplot2::autoplot(k, type = "forest"), "value")
  bad(plot(k, typ = 1, main = "a"), "value")
})

# SVGs depend on the versions of ggplot2, vdiffr and R's graphics engine.
test_that("the critical-difference diagram matches its SVG snapshot", {
  announce_snapshot_file(name = "critical-difference.svg")
  skip_if_not_installed("vdiffr")
  skip_if_not_installed("ggplot2")
  skip_if(Sys.getenv("CAPALLOC_VDIFFR") == "", "CAPALLOC_VDIFFR is not set")
  vdiffr::expect_doppelganger("critical difference", ggplot2::autoplot(contrast_architectures(cmp, test = "friedman")))
})

test_that("the data of pictures have the fields of their constructors", {
  expect_constructor(capalloc:::new_contrast_interval_picture)
  expect_constructor(capalloc:::new_contrast_cd_picture)
})
