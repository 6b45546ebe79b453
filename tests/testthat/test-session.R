# Global state of a session is unchanged by calls: options, generators, graphical parameters, folders and files.

# Evaluates code and expects that all state but `except` is unchanged.
expect_unchanged <- function(code, folders, except = character()) {
  before <- session_state(folders)
  force(code)
  after <- session_state(folders)
  kept <- setdiff(names(before), except)
  expect_identical(after[kept], before[kept])
}

# A session whose settings all differ from the defaults.
local_user <- function(env = parent.frame()) {
  # Packages set options of their own when they are loaded.
  for (package in c("future", "progressr", "ggplot2")) requireNamespace(package, quietly = TRUE)
  empty <- c(withr::local_tempdir(.local_envir = env), withr::local_tempdir(.local_envir = env))
  folders <- c(empty, system.file(package = "capalloc"))
  withr::local_dir(folders[[1L]], .local_envir = env)
  withr::local_envvar(HOME = folders[[2L]], R_USER_CACHE_DIR = folders[[2L]], .local_envir = env)
  withr::local_options(digits = 5, OutDec = ".", width = 70, stringsAsFactors = FALSE, warn = 0, .local_envir = env)
  withr::local_seed(1, .rng_kind = "Wichmann-Hill", .rng_normal_kind = "Box-Muller", .rng_sample_kind = "Rejection",
    .local_envir = env)
  stats::rnorm(1)
  folders
}

test_that("building, fitting, allocating, propagating and comparing do not change the session", {
  folders <- local_user()
  kept <- function(code, except = character()) expect_unchanged(code, folders, except)
  task <- task_ar(8, 0.6)
  kept(net <- initialise(arch_dilated(8), seed = 1))
  kept(trained <- fit(net, task, seed = 1))
  kept(fit(net, task, seed = 1, method = "lbfgs"))
  kept(fit(net, task, seed = 1, n_obs = 50, method = "adam"))
  kept(capacity(trained, metric = "covariance"))
  kept(capacity(trained, partition = partition_octaves()))
  kept(capacity_kernel(trained))
  kept(capacity_table(trained))
  kept(propagate_capacity(trained))
  kept(simulate(task, 5, seed = 3))
  nets <- list(a = arch_dense(8), b = arch_dilated(8))
  kept(cmp <- compare_architectures(nets, list(ar = task), replicates = 2, seed = 1))
  kept(summary(cmp))
  kept(utils::capture.output(print(cmp), print(trained), print(net), print(task)))
  # Without a seed one number is drawn from the user's stream, and nothing else changes.
  kept(fit(net, task), except = "stream")
})

test_that("errors do not change the session", {
  folders <- local_user()
  kept <- function(code) expect_unchanged(expect_error(code, class = "capalloc_error"), folders)
  net <- set_coef(arch_dilated(8), rep(1e200, 22))
  kept(fit(net, task_ar(8, 0.6), seed = 1))
  kept(fit(net, "task", seed = 1))
  kept(compare_architectures(list(a = arch_dense(8)), list(ar = task_ar(9, 0.6)), replicates = 2, seed = 1))
  kept(capacity(net, data = "x"))
})

test_that("pictures restore graphical parameters and devices", {
  folders <- local_user()
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  graphics::par(mar = c(1, 2, 3, 1), las = 1, bg = "grey95", xpd = NA, cex.axis = 0.8)
  graphics::plot.new()
  task <- task_ar(8, 0.6)
  trained <- fit(arch_dense(8), task, seed = 1)
  nets <- list(a = arch_dense(8), b = arch_dilated(8))
  cmp <- compare_architectures(nets, list(ar = task), replicates = 4, n_obs = 40, seed = 1)
  curved <- initialise(input_sequence(6) |> layer_conv(2, 2) |> layer_activation("tanh") |> layer_dense(1), seed = 1)
  pictures <- list(
    fit = trained, network = arch_dilated(8), capacity = capacity(trained), demand = task_demand(task),
    parts = capacity(trained, partition = partition_octaves()), kernel = capacity_kernel(trained),
    table = capacity_table(trained), propagation = propagate_capacity(trained), contrast = contrast_architectures(cmp),
    ranks = rank_results(cmp), decoupling = decoupling(curved)
  )
  for (name in names(pictures)) {
    expect_unchanged(utils::capture.output(plot(pictures[[name]])), folders)
    # These have one object for every kind of picture.
    drawn <- c("network", "capacity", "kernel", "contrast")
    if (!name %in% drawn || !requireNamespace("ggplot2", quietly = TRUE)) next
    theme <- ggplot2::theme_get()
    expect_unchanged(print(ggplot2::autoplot(pictures[[name]])), folders)
    expect_identical(ggplot2::theme_get(), theme)
  }
})
