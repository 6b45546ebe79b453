# Sets of preset networks with one budget.

first_eight <- c("dense", "conv", "dilated", "strided", "pooled", "residual", "elman", "diagonal")
others <- c("deep", "low_rank", "local", "hierarchical", "dilated_skip", "separable", "densenet", "unet", "stacked",
  "conv_recurrent")

# Returns a list: `set` the networks, `left_out` the named sizes that the warning gives for omitted networks, `message`.
set_and_warning <- function(...) {
  message <- ""
  set <- withCallingHandlers(classical_architectures(...), capalloc_warning_budget = function(w) {
    message <<- gsub("\\s+", " ", conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  found <- regmatches(message, gregexpr("[a-z_]+ \\(([0-9]+|too large to search)\\)", message))[[1]]
  sizes <- suppressWarnings(as.numeric(gsub(".*\\(|\\)", "", found)))
  list(set = set, left_out = stats::setNames(sizes, sub(" .*", "", found)), message = message)
}

# Returns the rank of the initialised network, without warnings about undecided ranks.
rank_of <- function(net, seed = 1) {
  suppressWarnings(total(initialise(net, seed = seed)), classes = "capalloc_warning_rank_gap")
}

test_that("classical_architectures(64) returns all networks", {
  expect_warning(nets <- classical_architectures(64), NA)
  expect_identical(class(nets), "list")
  expect_identical(names(nets), c(first_eight, others))
  expect_identical(params(nets$dense), 64)
  for (net in nets) expect_identical(net$input, input_sequence(64)$input)
  expect_identical(nets$elman, arch_recurrent(64, 7, "elman"))
  expect_identical(nets$diagonal, arch_recurrent(64, 21, "diagonal"))
  expect_identical(nets$deep, arch_deep(64, 1, depth = 1))
  expect_identical(nets$low_rank, arch_low_rank(64, 4, kernel = 8))
})

test_that("sizes are within 10% of the budget, and the warning names omitted networks", {
  cases <- list(c(8, 8), c(9, 9), c(16, 16), c(24, 24), c(31, 31), c(50, 50), c(64, 16), c(64, 40),
    c(100, 100), c(16, 300))
  for (case in cases) {
    made <- set_and_warning(case[[1]], budget = case[[2]])
    counts <- vapply(made$set, params, 1)
    expect_true(all(abs(counts - case[[2]]) <= 0.1 * case[[2]]))
    expect_true(all(abs(made$left_out - case[[2]]) > 0.1 * case[[2]]))
    expect_setequal(c(names(counts), names(made$left_out)), c(first_eight, others))
    expect_identical(length(counts) + length(made$left_out), 18L)
    expect_identical("dense" %in% names(counts), abs(case[[1]] - case[[2]]) <= 0.1 * case[[2]])
    # Networks with one free size are omitted only if no size of theirs is closer to the budget.
    for (name in intersect(c("elman", "diagonal", "deep"), names(made$left_out))) {
      u <- 1:200
      sizes <- switch(name, elman = 2 * u + u^2, diagonal = 3 * u, deep = u * (case[[1]] + 1))
      expect_identical(min(abs(sizes - case[[2]])), abs(made$left_out[[name]] - case[[2]]))
    }
  }
})

test_that("the warning lists omitted networks and their sizes", {
  expect_warning(set <- classical_architectures(16, budget = 100), "dense \\(16\\)",
    class = "capalloc_warning_budget")
  expect_false("dense" %in% names(set))
  expect_identical(set_and_warning(16, budget = 100)$left_out[["dense"]], 16)
})

test_that("sets by parameters take less than five seconds", {
  skip_on_cran()
  expect_lt(system.time(set_and_warning(256))[["elapsed"]], 5)
})

test_that("total capacities of a set are within 10% of the budget", {
  for (case in list(c(16, 16), c(16, 8), c(32, 20), c(24, 24))) {
    made <- set_and_warning(case[[1]], budget = case[[2]], measure = "capacity")
    ranks <- vapply(made$set, rank_of, 1)
    expect_true(all(abs(ranks - case[[2]]) <= 0.1 * case[[2]]))
    expect_true(all(abs(made$left_out - case[[2]]) > 0.1 * case[[2]]))
    expect_setequal(c(names(ranks), names(made$left_out)), c(first_eight, others))
    # With one output these networks have full capacity on every input in their receptive field.
    full <- intersect(c("dense", "deep", "local", "hierarchical"), names(ranks))
    expect_identical(length(full) > 0, case[[1]] == case[[2]])
    expect_match(paste0(made$message, " "), "for the total capacity|^ $")
  }
})

test_that("sets of equal capacity have the sizes that closed forms predict", {
  nets <- set_and_warning(32, budget = 17, measure = "capacity")$set
  # capacity with kernel k: 1 + 2 (k - 1); with u states: 2 u; with blocks: 1 + 2 blocks
  expect_identical(nets$conv, arch_conv(32, 1, 9, depth = 2))
  expect_identical(rank_of(nets$conv), 17)
  expect_identical(nets$elman, arch_recurrent(32, 8, "elman"))
  expect_identical(nets$residual, arch_residual(32, 1, blocks = 8))
  # Filters beyond c(2, 4, 8, .., 2, 1) add no capacity.
  widths <- vapply(nets$dilated$layers[1:5], \(layer) layer$out_shape[[1]], 1L)
  expect_true(all(widths <= c(2, 4, 4, 2, 1)))
  expect_identical(rank_of(nets$dilated), tensor_train(widths, rep(2, 5), 1, 1))
})

test_that("sizes that are too large are not searched", {
  made <- set_and_warning(1300, budget = 1, measure = "capacity")
  expect_true(is.na(made$left_out[["dense"]]))
  expect_match(made$message, "dense (too large to search)", fixed = TRUE)
})

test_that("bias = TRUE adds one parameter and an intercept to each", {
  for (measure in c("parameters", "capacity")) {
    with <- set_and_warning(16, bias = TRUE, measure = measure)
    without <- set_and_warning(16, measure = measure)
    expect_identical(names(with$set), names(without$set))
    expect_true("dilated_skip" %in% names(with$set))
    for (name in names(with$set)) {
      net <- with$set[[name]]
      expect_identical(params(net), params(without$set[[name]]) + 1)
      W <- effective_weights(set_coef(net, rep(c(0.3, 7), c(params(net) - 1, 1))))
      expect_identical(W[1, "(Intercept)"], c(`(Intercept)` = 7))
      no_bias <- set_coef(without$set[[name]], rep(0.3, params(net) - 1))
      expect_equal(W[, 1:16], effective_weights(no_bias)[1, ], tolerance = 1e-14)
    }
  }
})

test_that("every network of a set can be trained", {
  task <- classical_tasks(16)$sparse
  for (net in set_and_warning(16)$set) {
    trained <- suppressWarnings(fit(net, task, seed = 1), classes = "capalloc_warning")
    expect_lt(trained$loss, 1) # explains part of the task's variance, which is 1
  }
})

test_that("bad sets are refused by class", {
  texts <- c(
    bad(classical_architectures(7), "value"),
    bad(classical_architectures("64"), "value"),
    bad(classical_architectures(NULL), "value"),
    bad(classical_architectures(input_grid(8, 8)), "value"),
    bad(classical_architectures(64, budget = 0), "value"),
    bad(classical_architectures(64, budget = NULL), "value"),
    bad(classical_architectures(64, budget = NA), "value"),
    bad(classical_architectures(64, bias = NA), "value"),
    bad(classical_architectures(64, measure = "flops"), "value"),
    bad(classical_architectures(64, measure = NULL), "value")
  )
  expect_snapshot(writeLines(texts))
})
