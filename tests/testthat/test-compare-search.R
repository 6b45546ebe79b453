# search_architecture(): runs compared with compare_architectures(), order and frontier with slow loops, halving,
# checkpoints, workers, tasks with known answers, and refused input.

fgn <- task_fgn(12, 0.8)
searched <- function(..., task = fgn, budget = 12, family = c("dilated", "conv"), replicates = 3) {
  search_architecture(task, budget, family, ..., replicates = replicates)
}
plain <- searched()

column_types <- c(
  rank = "integer", candidate = "character", family = "character", filters = "double", kernel = "double",
  growth = "integer", depth = "integer", n_params = "integer", memory = "integer", total_capacity = "double",
  total_low = "double", total_high = "double", undecided = "integer", loss = "double", excess_loss = "double",
  std_err = "double", efficiency = "double", gain = "double", coverage = "double", frontier = "logical",
  rounds = "integer", runs = "integer", failed = "integer",
  unconverged = "integer", seconds = "double", error = "character"
)

test_that("a search has the documented parts", {
  expect_s3_class(plain, "ca_search")
  expect_named(plain, c("candidates", "best", "rounds", "comparison", "task", "budget", "strategy", "seed"))
  rows <- plain$candidates
  expect_identical(class(rows), "data.frame")
  expect_identical(vapply(rows, typeof, "")[names(column_types)], column_types)
  expect_setequal(names(rows), names(column_types))
  expect_identical(rows$rank, seq_len(nrow(rows)))
  expect_identical(plain$best, plain$comparison$networks[[rows$candidate[[1]]]])
  k <- nrow(rows)
  expect_identical(plain$rounds, data.frame(round = 1L, candidates = k, replicates = 3L, runs = 3L * k))
  expect_true(all(rows$n_params <= 12))
  # The field of the last layer is that of receptive_field().
  fields <- vapply(plain$comparison$networks[rows$candidate], function(net) {
    field <- receptive_field(net)
    field$size[[nrow(field)]]
  }, 0L)
  expect_identical(rows$memory, unname(fields))
})

test_that("runs of a search equal those of a comparison, and its columns are their means", {
  cmp <- compare_architectures(plain$comparison$networks, list(task = fgn), replicates = 3)
  expect_identical(timeless(plain$comparison), timeless(cmp))
  rows <- plain$candidates
  runs <- augment(cmp)
  for (column in c("n_params", "loss", "excess_loss", "efficiency")) {
    means <- tapply(runs[[column]], runs$network, mean)[rows$candidate]
    expect_equal(rows[[column]], as.double(means), tolerance = 1e-14)
  }
  by_network <- function(column, f) as.double(tapply(runs[[column]], runs$network, f)[rows$candidate])
  expect_identical(rows$total_capacity, by_network("total_capacity", stats::median))
  expect_identical(rows$total_low, by_network("rank_low", min))
  expect_identical(rows$total_high, by_network("rank_high", max))
  expect_identical(rows$undecided, as.integer(by_network("undecided", sum)))
  spread <- tapply(runs$excess_loss, runs$network, function(x) stats::sd(x) / sqrt(3))
  expect_equal(rows$std_err, as.double(spread[rows$candidate]), tolerance = 1e-14)
  expect_identical(rows$unconverged, as.integer(tapply(!runs$converged, runs$network, sum)[rows$candidate]))
})

# Excess losses are of order 1e-3 to 1; none differ by amounts near the resolution of 1e-8 of the loss.
test_that("the frontier and the order equal those of a slow loop over pairs", {
  sampled <- searched(n_obs = 40, family = c("conv", "recurrent"))
  for (search in list(plain, searched(task = task_copy(12, 5)), sampled)) {
    rows <- search$candidates
    resolution <- 1e-8 * min(rows$loss) + 1e-11
    expect_identical(rows$frontier, slow_frontier(rows, resolution))
    expect_gt(sum(rows$frontier), 0)
    for (i in seq_len(nrow(rows) - 1)) {
      a <- rows[i, ]
      b <- rows[i + 1, ]
      equal <- abs(a$excess_loss - b$excess_loss) <= resolution
      expect_true(a$excess_loss < b$excess_loss || equal)
      if (equal) {
        level <- rows[abs(rows$excess_loss - a$excess_loss) <= resolution, ]
        size <- slow_sizes(level$total_low, level$total_high)[match(c(a$candidate, b$candidate), level$candidate)]
        expect_true(size[[1]] < size[[2]] || size[[1]] == size[[2]] && a$n_params <= b$n_params)
      }
    }
    # The gain is the slope from one frontier candidate to the next, starting at the variance of the output, 1.
    edge <- summary(search)
    edge <- edge[!duplicated(edge$total_capacity), ]
    slopes <- -diff(c(1, edge$loss)) / diff(c(0, edge$total_capacity))
    expect_equal(edge$gain, slopes, tolerance = 1e-10)
    expect_true(all(is.na(rows$gain[!rows$frontier])))
  }
})

test_that("coverage is the mean capacity of inputs weighted by their demand", {
  twin <- function(search) {
    demand <- task_demand(search$task)$demand
    vapply(search$candidates$candidate, function(name) {
      net <- search$comparison$networks[[name]]
      runs <- search$comparison$runs
      seeds <- runs$seed[runs$network == name]
      mean(vapply(seeds, function(seed) {
        k <- quiet(capacity(quiet(fit(net, search$task, seed = seed))))
        sum(demand * k$capacity[seq_along(demand)]) / sum(demand) / search$task$outputs
      }, 0))
    }, 0, USE.NAMES = FALSE)
  }
  expect_equal(plain$candidates$coverage, twin(plain), tolerance = 1e-6)
  two <- task_moments(diag(8), cbind(sin(1:8), c(1, rep(0, 7))) / 10, diag(2), input = input_sequence(4, channels = 2))
  search <- quiet(searched(task = two, family = c("conv", "dense"), budget = 16, replicates = 2))
  expect_equal(search$candidates$coverage, twin(search), tolerance = 1e-6)
  expect_equal(search$candidates$coverage[search$candidates$candidate == "dense"], 1, tolerance = 1e-10)
})

# ---- tasks with known answers --------------------------------------------------------------------

test_that("for a copied lag the best candidate reads it with the least capacity", {
  kernels <- expand.grid(filters = 1, depth = 1, kernel = 2:9)
  search <- searched(task = task_copy(12, lag = 5), family = "conv", grid = kernels, replicates = 2)
  rows <- search$candidates
  expect_identical(rows$kernel, c(5:9, 2:4))
  # A single filter of k taps has capacity k, and explains nothing until it reaches lag 5.
  expect_equal(rows$excess_loss, rep(0:1, c(5, 3)), tolerance = 1e-10)
  expect_equal(rows$coverage, rep(1:0, c(5, 3)), tolerance = 1e-10)
  expect_identical(rows$total_capacity, as.double(rows$kernel))
  expect_identical(rows$candidate[rows$frontier], c("filters=1 depth=1 kernel=5", "filters=1 depth=1 kernel=2"))
  # Among dilated stacks, taps 0 and 1, then 0 and 3, read lags 1, 2, 4, 5 with capacity 3.
  dilated <- searched(task = task_copy(12, lag = 5), family = "dilated")
  expect_identical(dilated$candidates$candidate[[1]], "filters=1 kernel=2 growth=3 depth=2")
  expect_identical(dilated$candidates$total_capacity[[1]], 3)
})

test_that("the longest memory is best for long memory, and one step for an AR(1)", {
  kernels <- data.frame(kernel = c(2, 4, 8, 12), depth = 1, filters = 1)
  long <- searched(task = task_fgn(12, 0.9), family = arch_conv, grid = kernels, budget = 13)
  expect_identical(long$candidates$kernel, c(12, 8, 4, 2))
  expect_true(all(long$candidates$frontier))
  expect_false(is.unsorted(-summary(long)$gain))
  short <- searched(task = task_ar(12, 0.6), family = arch_conv, grid = kernels, budget = 13)
  expect_identical(short$candidates$kernel, c(2, 4, 8, 12))
  expect_identical(short$candidates$frontier, c(TRUE, FALSE, FALSE, FALSE))
})

# ---- seeds and halving ---------------------------------------------------------------------------

test_that("the seed determines the search", {
  expect_identical(timeless_search(searched()), timeless_search(plain))
  other <- searched(seed = 2)
  expect_false(any(other$comparison$runs$seed %in% plain$comparison$runs$seed))
  set.seed(3)
  a <- searched(seed = NULL, family = "conv")
  set.seed(3)
  expect_identical(timeless_search(searched(seed = NULL, family = "conv")), timeless_search(a))
})

test_that("halving that keeps all candidates gives the same result as the grid", {
  halved <- searched(strategy = "halving", keep = 1, replicates = 5)
  grid <- searched(replicates = 5)
  expect_identical(halved$rounds$replicates, c(1L, 2L, 5L))
  expect_identical(halved$rounds$runs, nrow(grid$candidates) * c(1L, 1L, 3L))
  same <- setdiff(names(grid$candidates), c("rounds", "seconds"))
  expect_identical(halved$candidates[same], grid$candidates[same])
  expect_true(all(halved$candidates$rounds == 3L))
  expect_identical(timeless(halved$comparison), timeless(grid$comparison))
  expect_identical(halved$best, grid$best)
})

test_that("halving keeps the best candidates of each round by the runs of the grid", {
  halved <- searched(strategy = "halving", replicates = 5, n_obs = 40)
  grid <- searched(replicates = 5, n_obs = 40)
  runs <- grid$comparison$runs
  alive <- names(grid$comparison$networks)
  asked <- NULL
  for (r in c(1, 2, 5)) {
    asked <- c(asked, which(runs$network %in% alive & runs$replicate <= r))
    expect_identical(sort(halved$candidates$candidate[halved$candidates$rounds >= match(r, c(1, 2, 5))]), sort(alive))
    of <- function(column, f) {
      vapply(alive, function(name) f(runs[[column]][runs$network == name & runs$replicate <= r]), 0)
    }
    # Losses with seven digits are equal for networks that express the same functions.
    order <- order(signif(of("excess_loss", mean), 7), slow_sizes(of("rank_low", min), of("rank_high", max)),
      of("n_params", mean))
    alive <- alive[order][seq_len(ceiling(length(alive) / 2))]
  }
  expect_equal(timeless(halved$comparison)$runs, timeless(grid$comparison)$runs[sort(unique(asked)), ],
    ignore_attr = "row.names")
  # Candidates that reached later rounds rank first.
  expect_false(is.unsorted(-halved$candidates$rounds))
  expect_identical(halved$candidates$runs, c(1L, 2L, 5L)[halved$candidates$rounds])
  expect_identical(halved$rounds$runs, diff(c(0L, 1L, 2L, 5L)) * halved$rounds$candidates)
  # At least one candidate is kept.
  last <- searched(strategy = "halving", replicates = 2, keep = 0)
  expect_identical(last$rounds$candidates, c(nrow(last$candidates), 1L))
})

test_that("overlapping ranges of capacity are tied, also through chains of overlaps", {
  ranks <- capalloc:::search_range_ranks
  expect_identical(ranks(c(4, 1, 2, 8), c(4, 1, 3, 9)), c(3L, 1L, 2L, 4L))
  expect_identical(ranks(c(1, 2, 4, 7), c(3, 5, 6, 7)), c(1L, 1L, 1L, 2L))
  expect_identical(ranks(c(5, NA, 5), c(5, NA, 9)), c(1L, NA, 1L))
  expect_identical(ranks(NA_real_, NA_real_), NA_integer_)
  for (seed in 1:20) {
    low <- withr::with_seed(seed, sample(40, 8))
    high <- low + withr::with_seed(seed, sample(0:6, 8, TRUE))
    expect_identical(ranks(low, high), slow_sizes(low, high))
  }
  # Equal losses: the larger median ranks first where the ranges overlap and it has fewer parameters.
  scores <- data.frame(loss_rank = 1, total_capacity = c(5, 7), total_low = c(5, 5), total_high = c(7, 9),
    n_params = c(9, 8))
  scores$capacity_rank <- ranks(scores$total_low, scores$total_high)
  expect_identical(capalloc:::search_best_first(scores), 2:1)
  expect_identical(capalloc:::is_search_frontier(scores), c(FALSE, TRUE))
  # Ranges and undecided runs are shown.
  shown <- plain
  shown$candidates$total_low[[1]] <- 2
  shown$comparison$runs$undecided <- seq_len(nrow(shown$comparison$runs)) <= 2
  expect_output(print(shown), "8 \\(2 to 8\\).*2 of 75 runs have an undecided rank: see rank_low and rank_high")
  expect_identical(glance(shown)$undecided, 2L)
})

test_that("a search can have a single candidate", {
  for (strategy in c("grid", "halving")) {
    alone <- searched(strategy = strategy, family = "dense", replicates = 2)
    expect_identical(alone$candidates$candidate, "dense")
    expect_identical(alone$candidates$rank, 1L)
    expect_true(alone$candidates$frontier)
    expect_output(print(alone), "1 candidate ")
  }
})

# ---- checkpoints, workers and interrupts ---------------------------------------------------------

test_that("a search resumes from the remaining files of its checkpoint", {
  for (strategy in c("grid", "halving")) {
    go <- function(dir) searched(strategy = strategy, family = "conv", n_obs = 30, replicates = 4, checkpoint = dir)
    whole <- go(NULL)
    dir <- withr::local_tempdir()
    expect_identical(timeless_search(go(dir)), timeless_search(whole))
    files <- list.files(dir, "^run-", full.names = TRUE)
    expect_length(files, nrow(whole$comparison$runs))
    unlink(files[c(FALSE, TRUE)])
    expect_identical(runs_done(again <- go(dir)), length(files) %/% 2L)
    expect_identical(timeless_search(again), timeless_search(whole))
  }
  # The last checkpoint, of halving, is continued as a grid.
  grid <- searched(family = "conv", n_obs = 30, replicates = 4)
  expect_identical(timeless_search(searched(family = "conv", n_obs = 30, replicates = 4, checkpoint = dir)),
    timeless_search(grid))
  # More replicates and other candidates compute only the new runs.
  more <- nrow(grid$candidates)
  expect_identical(runs_done(searched(family = "conv", n_obs = 30, replicates = 5, checkpoint = dir)), more)
  added <- searched(family = "dilated", n_obs = 30, replicates = 4, checkpoint = dir)
  expect_identical(timeless_search(added), timeless_search(searched(family = "dilated", n_obs = 30, replicates = 4)))
  expect_error(searched(family = "conv", n_obs = 31, replicates = 4, checkpoint = dir),
    class = "capalloc_error_checkpoint")
  file <- withr::local_tempfile(lines = "")
  expect_error(searched(checkpoint = file), class = "capalloc_error_file")
})

test_that("an interrupt returns the finished runs and starts no further round", {
  done <- 0L
  one <- capalloc:::run_one
  local_internal("run_one", function(...) {
    done <<- done + 1L
    if (done == 4L) rlang::interrupt()
    one(...)
  })
  expect_message(part <- searched(strategy = "halving", family = "conv"), "Interrupted")
  expect_identical(nrow(part$rounds), 1L)
  expect_identical(sum(part$candidates$runs), 3L)
  lost <- part$candidates$runs == 0L
  expect_identical(unique(part$candidates$error[lost]), "interrupted")
  expect_true(all(is.na(part$candidates$rank[lost])))
  expect_false(any(part$candidates$frontier[lost]))
})

test_that("two workers give the sequential result", {
  sequential <- searched(strategy = "halving", family = "conv", n_obs = 30)
  local_workers()
  parallel <- searched(strategy = "halving", family = "conv", n_obs = 30)
  expect_same_runs(timeless(parallel$comparison), timeless(sequential$comparison))
  expect_equal(timeless_search(parallel)$candidates, timeless_search(sequential)$candidates, tolerance = 1e-6)
})

# ---- other networks and tasks --------------------------------------------------------------------

test_that("nonlinear networks require samples", {
  cells <- data.frame(units = c(1, 2), cell = c("gru", "elman"))
  expect_error(searched(family = arch_recurrent, grid = cells, budget = 40), class = "capalloc_error_n_obs")
  expect_error(searched(family = "conv", control = list(decay = 0.1)), class = "capalloc_error_n_obs")
  search <- search_architecture(fgn, 40, arch_recurrent, grid = cells, n_obs = 60, replicates = 2, method = "lbfgs",
    control = list(max_iterations = 50))
  expect_identical(search$candidates$family, rep("arch_recurrent", 2))
  expect_true(all(search$candidates$runs == 2L))
  # 50 iterations are too few for one of them: the result counts it and keeps it.
  expect_identical(sum(search$candidates$unconverged), sum(!search$comparison$runs$converged))
  expect_gt(sum(search$candidates$unconverged), 0)
})

test_that("data are evaluated on held-out rows, without which a search is refused", {
  of <- task_series(datasets::sunspots[1:150], length = 6)
  search <- searched(task = of, family = c("conv", "dense"), budget = 8, replicates = 2)
  dense <- search$candidates[search$candidates$candidate == "dense", ]
  expect_equal(dense$excess_loss, 0, tolerance = 1e-6)
  expect_output(print(search), "its own loss is too optimistic")
  trained <- task_series(datasets::sunspots[1:150], length = 6, test = 0)
  expect_error(searched(task = trained), class = "capalloc_error_value")
  classes <- task_data(Species ~ ., iris, test = 0.3, seed = 1)
  search <- search_architecture(classes, 17, c("dense", "deep"), replicates = 1)
  # For classes gains start at the cross-entropy of their shares.
  edge <- summary(search)
  expect_equal(edge$gain[[1]], (capalloc:::null_loss(classes) - edge$loss[[1]]) / edge$total_capacity[[1]],
    tolerance = 1e-12)
  expect_equal(search$candidates$efficiency, (1 - search$candidates$loss / capalloc:::null_loss(classes)) /
    search$candidates$total_capacity, tolerance = 1e-12)
  expect_identical(search$candidates$rank, seq_len(nrow(search$candidates)))
})

test_that("candidates that were not trained and failed runs are kept as rows", {
  nets <- list(good = arch_dense(12), large = arch_deep(12, 3), wild = set_coef(arch_deep(12, 1), rep(1e200, 14)))
  search <- search_architecture(fgn, 14, nets, replicates = 2)
  rows <- search$candidates
  expect_setequal(rows$candidate, names(nets))
  by <- function(column) stats::setNames(rows[[column]], rows$candidate)[names(nets)]
  expect_identical(unname(by("rank")), c(1L, NA, NA))
  expect_identical(unname(by("runs")), c(2L, 0L, by("runs")[["wild"]]))
  expect_identical(by("error")[["large"]], "above the budget: 48 parameters")
  expect_identical(unname(by("failed")), c(0L, 0L, 2L))
  expect_false(is.na(by("error")[["wild"]]))
  expect_snapshot(print(search))
  bad <- search_architecture(fgn, 14, nets["wild"], replicates = 2)
  expect_null(bad$best)
  expect_identical(glance(bad)$best, NA_character_)
  expect_output(print(bad), "1 candidate without a loss")
  expect_error(plot(bad), class = "capalloc_error_value")
})

test_that("a user's grid allows an infinite budget, and networks that cannot be built have no size and no memory", {
  search <- searched(family = arch_conv, grid = data.frame(filters = 1, kernel = c(3, 20), depth = 1), budget = Inf,
    replicates = 1)
  rows <- search$candidates
  expect_identical(rows$kernel, c(3, 20))
  expect_identical(rows$memory, c(3L, NA))
  expect_identical(rows$n_params, c(4L, NA))
  expect_identical(rows$rank, c(1L, NA))
  expect_match(rows$error[[2]], "`kernel` must fit into the 12 positions")
})

test_that("an argument whose name is a column of the result is renamed", {
  ranked <- function(input, rank) arch_low_rank(input, filters = rank)
  search <- searched(family = ranked, grid = data.frame(rank = 1:2), budget = 20, replicates = 1)
  expect_setequal(search$candidates$arg_rank, 1:2)
  expect_identical(search$candidates$rank, 1:2)
})

# ---- methods -------------------------------------------------------------------------------------

test_that("methods return rows", {
  expect_identical(tidy(plain), plain$candidates)
  expect_identical(as.data.frame(plain), plain$candidates)
  g <- glance(plain)
  expect_identical(g$candidates, nrow(plain$candidates))
  expect_identical(g$best, plain$candidates$candidate[[1]])
  expect_identical(c(g$runs, g$trained), c(3L, 1L) * nrow(plain$candidates))
  rows <- augment(plain)
  expect_identical(nrow(rows), nrow(plain$candidates) * 12L)
  first <- rows[rows$rank == 1, ]
  expect_identical(first$demand, task_demand(fgn)$demand)
  expect_identical(first$input, task_demand(fgn)$input)
  expect_equal(sum(first$capacity), plain$candidates$total_capacity[[1]], tolerance = 1e-8)
  expect_s3_class(summary(plain), "ca_search_summary")
  expect_identical(summary(plain)$candidate %in% plain$candidates$candidate[plain$candidates$frontier],
    rep(TRUE, sum(plain$candidates$frontier)))
})

test_that("print() and summary() match their snapshots", {
  search <- searched(task = task_copy(8, lag = 3), family = c("conv", "recurrent"), strategy = "halving", budget = 8)
  expect_snapshot({
    print(search, n = 3)
    summary(search)
  })
})

test_that("bad arguments are refused before the first run", {
  local_internal("run_one", function(...) stop("a run"))
  expect_snapshot(error = TRUE, {
    search_architecture(3, 8, "conv")
    searched(strategy = "random")
    searched(strategy = "halving", replicates = 1)
    searched(keep = 2)
    searched(replicates = 0)
    searched(learning = 1)
    searched(family = list(a = arch_dense(5), b = arch_dense(12)))
    searched(task = task_data(mpg ~ wt + hp, mtcars, test = 0), family = "dense")
    searched(family = arch_recurrent, grid = data.frame(cell = c("lstm", "elman"), units = 1))
  })
})
