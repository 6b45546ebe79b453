nets <- function() {
  list(dense = arch_dense(8), conv = arch_conv(8, 1, 3), low = arch_low_rank(8, 1), deep = arch_deep(8, 1, 2))
}
tasks <- function() classical_tasks(8)[c("ar", "fgn", "sparse", "ou")]
compare <- function(n, t, r, ...) quiet(compare_architectures(nets()[n], tasks()[t], replicates = r, ...))
timeless <- function(cmp) {
  cmp$runs$seconds <- NULL
  cmp[c("runs", "allocation", "demand", "replicates", "generic_rank", "n_obs", "seed")]
}

test_that("a study in two sessions equals the study made at once, by a checkpoint and by c()", {
  dir <- withr::local_tempdir()
  first <- compare(1:2, 1:3, 3, checkpoint = dir)
  grown <- compare(1:4, 1:4, 5, checkpoint = dir)
  whole <- compare(1:4, 1:4, 5)
  expect_identical(timeless(grown), timeless(whole))
  by <- c("network", "task", "replicate")
  old <- merge(first$runs[c(by, "loss")], grown$runs, by = by)
  expect_identical(old$loss.x, old$loss.y)
  # the same in parts, in another order, with a part of the runs in two of them
  parts <- list(first, compare(3:4, 1:4, 5), compare(1:2, 1:4, 5))
  for (combined in list(do.call(c, parts), do.call(rbind, parts))) {
    expect_identical(timeless(combined), timeless(whole))
  }
})

test_that("combined comparisons are summarised, contrasted and drawn as others", {
  combined <- c(compare(1, 1:2, 2, n_obs = 50), compare(2, 1:2, 2, n_obs = 50))
  whole <- compare(1:2, 1:2, 2, n_obs = 50)
  expect_equal(quiet(tidy(contrast_architectures(combined))), quiet(tidy(contrast_architectures(whole))))
  summary_of <- function(cmp) as.data.frame(summary(cmp))[setdiff(names(summary(cmp)), "seconds")]
  expect_identical(summary_of(combined), summary_of(whole))
})

test_that("columns of the user and failed runs are kept", {
  first <- compare(1, 1, 2)
  first$runs$note <- "mine"
  combined <- c(first, compare(2, 1, 2))
  expect_identical(combined$runs$note, c("mine", "mine", NA, NA))
})

test_that("comparisons that contradict each other are refused by name", {
  first <- compare(1, 1, 2)
  other <- first
  other$runs$loss[[2]] <- 0
  renamed <- quiet(compare_architectures(list(dense = arch_dense(8, bias = TRUE)), tasks()[1], replicates = 2))
  expect_snapshot({
    cat(bad(c(first, 1), "type"))
    cat(bad(c(first, compare(2, 1, 2, n_obs = 50)), "value"))
    cat(bad(c(first, compare(2, 1, 2, seed = 2)), "value"))
    cat(bad(c(first, other), "value"))
    cat(bad(c(first, renamed), "value"))
  })
})
