# Ranks with raw values.

test_that("means, standard errors and ranks are those of each task", {
  cmp <- random_comparison(4, 3, 3)
  r <- rank_results(cmp)
  expect_named(r, c("network", "task", "metric", "mean", "std_err", "n", "rank", "mean_rank"))
  expect_identical(nrow(r), 9L)
  for (i in seq_len(nrow(r))) {
    x <- cmp$runs$excess_loss[cmp$runs$network == r$network[[i]] & cmp$runs$task == r$task[[i]]]
    expect_equal(r$mean[[i]], mean(x), tolerance = 1e-14)
    expect_equal(r$std_err[[i]], sd(x) / 2, tolerance = 1e-12)
    others <- r$mean[r$task == r$task[[i]]]
    expect_equal(r$rank[[i]], 1 + sum(others < r$mean[[i]]))
    expect_equal(r$mean_rank[[i]], mean(r$rank[r$network == r$network[[i]]]), tolerance = 1e-14)
  }
  expect_false(is.unsorted(r$mean_rank))
  expect_equal(rank_results(cmp, direction = "higher")$mean_rank[1:3], rep(4 - max(r$mean_rank), 3))
  expect_identical(tidy(r), as.data.frame(r))
})

test_that("higher efficiency ranks first, and without a direction the least value does", {
  cmp <- random_comparison(1, 2, 3, capacity = c(4, 4, 2, 2, 3, 3))
  r <- rank_results(cmp, "total_capacity")
  expect_identical(unique(r$network), c("b", "c", "a"))
  expect_true(all(is.na(r$std_err)))
  e <- rank_results(cmp, "efficiency")
  expect_identical(e$rank, ave(-e$mean, e$task, FUN = rank))
})

test_that("values that differ by rounding error only are tied", {
  cmp <- made_comparison(array(c(0.1, 0.1 + 1e-10, 0.2), c(1, 1, 3)))
  expect_identical(rank_results(cmp)$rank, c(1.5, 1.5, 3))
})

test_that("an architecture without runs on a task has no rank there", {
  cmp <- random_comparison(2, 2, 2)
  cmp$runs$excess_loss[cmp$runs$network == "a" & cmp$runs$task == "t1"] <- NA
  r <- tidy(rank_results(cmp))
  lost <- r[r$network == "a" & r$task == "t1", ]
  expect_identical(unlist(lost[c("mean", "std_err", "rank")], use.names = FALSE), rep(NA_real_, 3))
  # The mean is over the other tasks.
  expect_identical(lost$mean_rank, r$rank[r$network == "a" & r$task == "t2"])
  expect_identical(lost$n, 0L)
  expect_identical(r$rank[r$network == "b" & r$task == "t1"], 1)
  s <- summary(rank_results(cmp))
  expect_identical(s$tasks[s$network == "a"], 1L)
})

test_that("summary(), glance(), format() and print()", {
  cmp <- made_comparison(array(c(1, 2, 3, 2, 1, 3, 3, 3, 1), c(1, 3, 3)))
  r <- rank_results(cmp)
  s <- summary(r)
  expect_identical(s$mean_rank[match(letters[1:3], s$network)], c(1 + 2 + 2.5, 2 + 1 + 2.5, 3 + 3 + 1) / 3)
  expect_identical(s$best[match(letters[1:3], s$network)], c(1L, 1L, 1L))
  expect_identical(glance(r), data.frame(metric = "excess_loss", direction = "lower", networks = 3L, tasks = 3L))
  expect_snapshot({
    r
    format(r)
    rank_results(cmp, "total_capacity")
  })
})

test_that("bad arguments are refused by class", {
  cmp <- random_comparison(2, 2, 2)
  bad(rank_results(cmp, "accuracy"), "value")
  bad(rank_results(cmp, direction = 1), "value")
  bad(rank_results(cmp, select_best = TRUE), "value")
})
