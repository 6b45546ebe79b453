# Differences of capacity profiles compared with loops, enumerations and closed forms.

# Returns a list of k matrices (replicates x inputs) of uniform numbers.
random_profiles <- function(R, n, k = 2, seed = 1) {
  withr::with_seed(seed, lapply(stats::setNames(nm = letters[seq_len(k)]), function(name) matrix(runif(R * n), R)))
}

two_tasks <- function(n) list(t1 = task_ar(n, 0.5), t2 = task_ar(n, 0.3))

test_that("estimates and pointwise bands equal those of t tests at each input", {
  p <- random_profiles(6, 5)
  d <- capacity_difference(made_allocations(p), "a", "b", seed = 1)
  for (j in 1:5) {
    test <- t.test(p$a[, j], p$b[, j], paired = TRUE)
    expect_equal(d$estimate[[j]], unname(test$estimate), tolerance = 1e-12)
    expect_equal(c(d$conf.low[[j]], d$conf.high[[j]]), test$conf.int, tolerance = 1e-10, ignore_attr = TRUE)
  }
  expect_equal(d$capacity_a, colMeans(p$a), tolerance = 1e-14)
  expect_equal(d$lag, 5:1)
  expect_true(all(d$band.low <= d$conf.low & d$band.high >= d$conf.high))
  back <- capacity_difference(made_allocations(p), "b", "a", seed = 1)
  expect_equal(back$estimate, -d$estimate)
  expect_equal(back$band.high, -d$band.low, tolerance = 1e-12)
})

test_that("the simultaneous quantile is that of the studentised bootstrap, computed draw by draw", {
  p <- random_profiles(30, 4)
  d <- p$a - p$b
  times <- 299
  counts <- withr::with_seed(5, rmultinom(times, 30, rep(1, 30)))
  largest <- vapply(seq_len(times), function(i) {
    rows <- rep(seq_len(30), counts[, i])
    drawn <- d[rows, ]
    max(abs(colMeans(drawn) - colMeans(d)) / (apply(drawn, 2, sd) / sqrt(30)))
  }, 0)
  expect_equal(capalloc:::difference_bootstrap_largest(d, times, 5), largest, tolerance = 1e-9)
  # ceiling(0.95 300) = 285
  expect_identical(capalloc:::difference_upper_quantile(largest, 0.95), sort(largest)[[285]])
})

test_that("simultaneous bands are at least as wide as pointwise ones", {
  profiles <- withr::with_seed(3, list(list(d = matrix(rnorm(6), 6)), list(d = matrix(rnorm(9), 9))))
  # With one draw the largest value is that draw.
  drawn <- vapply(1:20, function(seed) capalloc:::difference_band_quantile(profiles, 0.95, 1, seed), 0)
  expect_true(all(drawn >= qt(0.975, 8)))
  expect_true(qt(0.975, 8) %in% drawn)
})

test_that("with few replicates the quantile is at most Bonferroni's, and with one input it is Student's", {
  p <- random_profiles(4, 8)
  q <- glance(capacity_difference(made_allocations(p), seed = 1))$quantile
  expect_lte(q, qt(1 - 0.025 / 8, 3) + 1e-12)
  p <- random_profiles(4, 1)
  expect_equal(glance(capacity_difference(made_allocations(p), seed = 1))$quantile, qt(0.975, 3), tolerance = 1e-12)
})

# Returns the statistic and its p-value over all sign flips, by enumeration.
twin_flips <- function(d) {
  R <- nrow(d)
  signs <- as.matrix(expand.grid(rep(list(c(-1, 1)), R)))
  statistic <- function(e) max(abs(colSums(e * d)) / sqrt(colSums(d^2)))
  all <- apply(signs, 1, statistic)
  c(statistic(rep(1, R)), mean(all >= statistic(rep(1, R)) - 1e-9))
}

test_that("the global test uses all sign flips", {
  for (seed in 1:3) {
    p <- random_profiles(7, 5, seed = seed)
    p$a <- p$a + 0.2
    g <- glance(capacity_difference(made_allocations(p), seed = 1))
    expect_equal(c(g$statistic, g$p.value), twin_flips(p$a - p$b), tolerance = 1e-12)
  }
  # Sign flips are sampled where there are too many: within four standard errors of the exact value.
  p <- random_profiles(12, 5)
  exact <- twin_flips(p$a - p$b)[[2L]]
  drawn <- glance(capacity_difference(made_allocations(p), seed = 1, times = 1000))$p.value
  expect_lt(abs(drawn - exact), 4 * sqrt(exact * (1 - exact) / 1000) + 1e-3)
  # A p-value is never zero.
  p$a <- p$a + 5
  p.value <- glance(capacity_difference(made_allocations(p), seed = 1, times = 1000))$p.value
  expect_gte(p.value, 1 / 1001)
  expect_lte(p.value, 5 / 1001) # the flip of all signs, with probability 1/2048, may be among those drawn
})

test_that("distances are those of the shares", {
  # All capacity of a at lag 1 and all of b at lag 4: three lags apart, total variation 1.
  p <- list(a = matrix(c(0, 0, 0, 2), 3, 4, byrow = TRUE), b = matrix(c(1, 0, 0, 0), 3, 4, byrow = TRUE))
  d <- quiet(capacity_difference(made_allocations(p), seed = 1))
  for (of in list(glance(d), summary(d))) expect_equal(c(of$wasserstein, of$total_variation), c(3, 1))
  # Half of one profile's share moves by one lag.
  p <- list(a = matrix(c(1, 1, 0, 0), 3, 4, byrow = TRUE), b = matrix(c(1, 0.5, 0.5, 0), 3, 4, byrow = TRUE))
  g <- glance(quiet(capacity_difference(made_allocations(p), seed = 1)))
  expect_equal(c(g$wasserstein, g$total_variation), c(0.25, 0.25))
  # Wasserstein distance by quantile functions on a fine grid.
  p <- random_profiles(3, 6)
  share <- lapply(p, function(x) colMeans(x) / sum(colMeans(x)))
  at <- (seq_len(1e5) - 0.5) / 1e5
  lag <- function(s) findInterval(at, cumsum(s))
  g <- glance(capacity_difference(made_allocations(p), seed = 1))
  expect_equal(g$wasserstein, mean(abs(lag(share$a) - lag(share$b))), tolerance = 1e-3)
  expect_equal(g$total_variation, sum(abs(share$a - share$b)) / 2, tolerance = 1e-12)
})

test_that("with several tasks bands and the global test are joint, and the summary is by task", {
  p <- random_profiles(8, 4)
  d <- capacity_difference(made_allocations(p, two_tasks(4)), seed = 1)
  expect_identical(d$task, rep(c("t1", "t2"), each = 4))
  s <- summary(d)
  expect_identical(s$task, c("t1", "t2"))
  expect_equal(s$p.value, rep(twin_flips(p$a - p$b)[[2L]], 2), tolerance = 1e-12)
  expect_equal(s$adj.p.value, p.adjust(s$p.value, "holm"))
  seeds <- capalloc:::derive_seeds(capalloc:::derive_seeds(1, 1), 2)
  largest <- pmax(capalloc:::difference_bootstrap_largest(p$a - p$b, 1999, seeds[[1L]]),
    capalloc:::difference_bootstrap_largest(p$a - p$b, 1999, seeds[[2L]]))
  expect_equal(glance(d)$quantile, min(sort(largest)[[1900]], qt(1 - 0.025 / 8, 7)), tolerance = 1e-12)
  # The maximum of two independent statistics: within four standard errors.
  exact <- 1 - (1 - s$p.value[[1L]])^2
  expect_lt(abs(glance(d)$p.value - exact), 4 * sqrt(exact * (1 - exact) / 1999) + 1e-3)
})

test_that("constant differences have an estimate, no p-value, and a reason", {
  p <- list(a = matrix(1, 5, 3), b = matrix(c(1, 0.5, 0), 5, 3, byrow = TRUE))
  d <- capacity_difference(made_allocations(p), seed = 1)
  expect_equal(d$estimate, c(0, 0.5, 1))
  expect_identical(d$conf.low, d$estimate)
  expect_identical(d$band.high, d$estimate)
  g <- glance(d)
  expect_identical(g$p.value, NA_real_)
  expect_match(g$reason, "nothing varies over the replicates, and not all")
  # Variation at rounding error counts as neither variation nor difference.
  p$b <- p$a + withr::with_seed(1, matrix(runif(15, 0, 1e-7), 5))
  g <- glance(d <- capacity_difference(made_allocations(p), seed = 1))
  expect_match(g$reason, "all differences are zero")
  expect_identical(d$estimate, c(0, 0, 0))
  # Beside inputs whose difference varies, a constant one has a band of zero width.
  p$b[, 2] <- 1 - (1:5) / 10
  d <- capacity_difference(made_allocations(p), seed = 1)
  expect_identical(d$std.error > 0, c(FALSE, TRUE, FALSE))
  expect_identical(d$band.low[c(1, 3)], c(0, 0))
  expect_false(is.na(glance(d)$p.value))
})

test_that("a task without any difference does not affect the joint test", {
  p <- random_profiles(6, 4)
  cmp <- made_allocations(p, two_tasks(4))
  b <- cmp$allocation$network == "b" & cmp$allocation$task == "t2"
  cmp$allocation$capacity[b] <- cmp$allocation$capacity[cmp$allocation$network == "a" & cmp$allocation$task == "t2"]
  d <- capacity_difference(cmp, seed = 1)
  expect_identical(d$estimate[d$task == "t2"], rep(0, 4))
  exact <- twin_flips(p$a - p$b)
  g <- glance(d)
  expect_equal(g$statistic, exact[[1L]], tolerance = 1e-12)
  # With 1999 sampled flips: within four standard errors.
  expect_lt(abs(g$p.value - exact[[2L]]), 4 * sqrt(exact[[2L]] * (1 - exact[[2L]]) / 1999) + 1e-3)
  expect_match(summary(d)$reason[[2L]], "all differences are zero")
})

test_that("draws are processed in chunks of a few million numbers", {
  sizes <- function(...) unname(lengths(capalloc:::difference_chunks(...)))
  expect_identical(sizes(10, 1e6), c(4L, 4L, 2L))
  expect_identical(sizes(3, 5e6), rep(1L, 3))
  expect_identical(unlist(capalloc:::difference_chunks(10, 1e6), use.names = FALSE), 1:10)
})

test_that("an allocation with zero total has no shares and no distance", {
  p <- list(a = matrix(0, 4, 3), b = random_profiles(4, 3)$b)
  d <- capacity_difference(made_allocations(p), seed = 1)
  expect_equal(d$estimate, -colMeans(p$b), tolerance = 1e-14)
  expect_identical(unlist(glance(d)[c("wasserstein", "total_variation")], use.names = FALSE), rep(NA_real_, 2))
  expect_identical(summary(d)$total_variation, NA_real_)
})

test_that("one replicate has no bands and no test", {
  d <- capacity_difference(made_allocations(random_profiles(1, 3)), seed = 1)
  expect_true(all(is.na(d[c("std.error", "conf.low", "band.low")])))
  expect_identical(glance(d)$reason, "one replicate")
  expect_output(print(d), "one replicate")
})

test_that("shares divide each replicate by its total", {
  p <- random_profiles(5, 4)
  d <- capacity_difference(made_allocations(p), share = TRUE, seed = 1)
  expect_equal(d$estimate, colMeans(p$a / rowSums(p$a) - p$b / rowSums(p$b)), tolerance = 1e-12)
})

test_that("replicates of only one of the networks are left out", {
  p <- random_profiles(5, 3)
  cmp <- made_allocations(p)
  cmp$allocation <- cmp$allocation[!(cmp$allocation$network == "b" & cmp$allocation$replicate == 2), ]
  d <- capacity_difference(cmp, seed = 1)
  expect_equal(d$estimate, colMeans(p$a[-2, ] - p$b[-2, ]), tolerance = 1e-12)
  expect_identical(unique(generics::augment(d)$replicate), c(1L, 3L, 4L, 5L))
  cmp$allocation <- cmp$allocation[cmp$allocation$network == "a", ]
  bad(capacity_difference(cmp, seed = 1), "value")
})

test_that("real allocations: a bias in only one network, and grids compared with vectors", {
  nets <- list(with = arch_conv(8, 2, 3, bias = TRUE), without = arch_dilated(8, 1))
  cmp <- compare_architectures(nets, classical_tasks(8)["fgn"], replicates = 4, n_obs = 60)
  for (names in list(c("with", "without"), c("without", "with"))) {
    d <- quiet(capacity_difference(cmp, names[[1L]], names[[2L]], seed = 1))
    expect_identical(d$input[[9L]], "(Intercept)")
    of <- function(name) {
      rows <- cmp$allocation[cmp$allocation$network == name, ]
      c(tapply(rows$capacity, factor(rows$input, unique(rows$input)), mean))
    }
    expect_equal(d$estimate[1:8], unname(of(names[[1L]])[1:8] - of(names[[2L]])[1:8]), tolerance = 1e-9)
    expect_equal(d$estimate[[9L]], if (names[[1L]] == "with") of("with")[[9L]] else -of("with")[[9L]])
  }
  grid <- input_grid(3, 3) |> layer_conv(1, 2) |> layer_dense(1)
  nets <- list(grid = grid, vector = input_vector(9) |> layer_dense(1))
  cmp <- compare_architectures(nets, list(image = task_image(3, 3, range = 2)), replicates = 3, n_obs = 60)
  d <- quiet(capacity_difference(cmp, "grid", "vector", seed = 1))
  expect_identical(d$row, rep(1:3, 3))
  expect_identical(glance(d)$wasserstein, NA_real_)
  expect_false(is.na(glance(d)$total_variation))
})

test_that("a seed, or R's own stream, reproduces the bands", {
  cmp <- made_allocations(random_profiles(20, 4))
  a <- capacity_difference(cmp, seed = 3)
  expect_identical(a, capacity_difference(cmp, seed = 3))
  drawn <- function() capacity_difference(cmp)
  expect_identical(withr::with_seed(1, drawn()), withr::with_seed(1, drawn()))
  stream <- function() withr::with_seed(1, {
    capacity_difference(cmp, seed = 3)
    runif(1)
  })
  expect_identical(stream(), withr::with_seed(1, runif(1)))
})

test_that("warnings state limits of the bands", {
  expect_warning(capacity_difference(made_allocations(random_profiles(4, 3), n_obs = Inf), seed = 1),
    class = "capalloc_warning_pairing")
  cmp <- made_allocations(random_profiles(4, 3))
  cmp$runs$converged[[1L]] <- FALSE
  expect_warning(capacity_difference(cmp, seed = 1), class = "capalloc_warning_not_comparable")
})

test_that("differences print, and bad arguments are refused by class", {
  cmp <- made_allocations(random_profiles(6, 3, k = 3))
  d <- capacity_difference(cmp, "a", "c", seed = 1)
  expect_snapshot({
    d
    print(d, n = 1)
  })
  expect_identical(tidy(d), as.data.frame(d))
  texts <- c(
    bad(capacity_difference(list()), "type"),
    bad(capacity_difference(cmp), "value"),
    bad(capacity_difference(cmp, "a"), "value"),
    bad(capacity_difference(cmp, "a", "a"), "value"),
    bad(capacity_difference(cmp, "a", "dense"), "value"),
    bad(capacity_difference(cmp, "a", "b", share = NA), "value"),
    bad(capacity_difference(cmp, "a", "b", level = 95), "value"),
    bad(capacity_difference(cmp, "a", "b", times = 10), "value"),
    bad(capacity_difference(cmp, "a", "b", seed = 0.5), "value"),
    bad(capacity_difference(cmp, "a", "b", metric = "loss"), "value"),
    bad(capacity_difference(made_allocations(random_profiles(2, 3, k = 1))), "value")
  )
  expect_snapshot(writeLines(texts))
})

test_that("the fields of settings and pairs of profiles are the formals of their constructors", {
  expect_constructor(capalloc:::new_difference_setting)
  expect_constructor(capalloc:::new_difference_pair)
})
