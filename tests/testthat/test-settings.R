# Results with one or two threads, with R's own BLAS and LAPACK, and in a locale without UTF-8.
# Each setting is a separate process, whose results are compared with those of this one.

# Matrices large enough for a BLAS to use several threads: tangents of 192 x 288, and 400 samples x 353.
settings_results <- quote({
  full <- input_sequence(192) |> layer_conv(8, 4, dilation = 4) |> layer_conv(8, 4) |> layer_dense(1)
  full <- initialise(full, seed = 1)
  task <- task_ar(192, c(0.6, -0.2))
  trained <- fit(initialise(arch_dilated(128, filters = 4), seed = 1), task_ar(128, 0.8), seed = 1)
  curved <- initialise(input_vector(16) |> layer_dense(16, bias = TRUE) |> layer_activation("tanh") |>
    layer_dense(4, bias = TRUE) |> layer_activation("relu") |> layer_dense(1), seed = 2)
  x <- simulate(task_ar(16, 0.5), 400, seed = 3)$x
  smooth <- fit(input_vector(16) |> layer_dense(1) |> layer_activation("tanh") |> layer_dense(1),
    task_data(x, tanh(x[, 16] - x[, 15]) + cos(37 * x[, 14]) / 4, test = 0), seed = 1)
  compared <- compare_architectures(list(dense = arch_dense(16), deep = arch_dilated(16)), list(ar = task_ar(16, 0.5)),
    replicates = 3, n_obs = 200, seed = 1)
  list(
    exact = list(weights = effective_weights(full), tangent = tangent(full), seen = predict(curved, x)),
    # Equal up to rounding error times the condition number.
    close = list(
      plain = capacity(full)$capacity, covariance = capacity(full, "covariance", data = task)$capacity,
      soft = capacity(full, ridge = 0.1)$capacity, kernel = unclass(as.matrix(capacity_kernel(full))),
      table = as.matrix(capacity_table(full)), bands = capacity(full, partition = partition_octaves())$capacity,
      samples = capacity(curved, data = x)$capacity, through = propagate_capacity(curved, mode = "gaussian")$capacity,
      demand = task_demand(task)$demand
    ),
    # Equal up to the tolerance of training.
    fitted = list(loss = glance(trained)$loss, weights = c(effective_weights(trained)),
      smooth = glance(smooth)$train_loss, runs = compared$runs$loss, capacities = compared$runs$total_capacity)
  )
})

settings_of <- function(set) {
  file <- withr::local_tempfile()
  code <- sprintf("saveRDS(c(%s, list(session = list(threads = capalloc:::blas_threads(), utf8 = l10n_info()$`UTF-8`,
    blas = unname(extSoftVersion()[['BLAS']])))), '%s')", paste(deparse(settings_results), collapse = "\n"), file)
  ended <- session_of(code, set = set)
  expect_identical(ended, list(said = character(), status = 0L))
  readRDS(file)
}

expect_same_results <- function(found, wanted) {
  worst <- function(part, relative) {
    off <- function(a, b) max(abs(c(a) - c(b))) / if (relative) max(abs(b)) else 1
    unlist(Map(off, found[[part]], wanted[[part]]))
  }
  expect_identical(names(found$close), names(wanted$close))
  expect_near(worst("exact", TRUE), rep(0, 3), 1e-13)
  expect_near(worst("close", FALSE), rep(0, length(wanted$close)), 1e-9)
  expect_near(worst("fitted", TRUE), rep(0, length(wanted$fitted)), 1e-5)
}

test_that("results do not depend on threads, on the BLAS or on the locale", {
  one <- settings_of("LC_ALL=C.UTF-8")
  expect_same_results(one, eval(settings_results, list(), asNamespace("capalloc")))
  local <- settings_of("LC_ALL=C")
  expect_false(local$session$utf8)
  expect_identical(local[1:3], one[1:3])
  if (one$session$threads > 0L) {
    two <- settings_of(c("OPENBLAS_NUM_THREADS=2", "OMP_NUM_THREADS=2"))
    expect_identical(two$session$threads, 2L)
    expect_same_results(two, one)
  }
})

test_that("results are the same with R's reference BLAS and LAPACK", {
  folders <- file.path("/usr/lib", R.version$platform, c("blas", "lapack"))
  folders <- sub("x86_64-pc-linux-gnu", "x86_64-linux-gnu", folders)
  skip_if_not(all(dir.exists(folders)), "The reference BLAS is not beside another")
  plain <- settings_of(paste0("R_LD_LIBRARY_PATH=", paste(c(folders, file.path(R.home(), "lib")), collapse = ":")))
  expect_match(plain$session$blas, folders[[1L]], fixed = TRUE)
  expect_same_results(plain, eval(settings_results, list(), asNamespace("capalloc")))
})

test_that("a checkpoint made in locale C can be resumed in UTF-8, with names in any alphabet", {
  skip_if_not(l10n_info()$`UTF-8`, "This session has no UTF-8")
  dir <- withr::local_tempdir()
  compare <- "function(dir) compare_architectures(stats::setNames(list(arch_dense(8), arch_dilated(8)),
    c('caf\\u00e9', '\\u03b2')), stats::setNames(list(task_ar(8, 0.5)), 's\\u00e9rie'), replicates = 2, seed = 1,
    checkpoint = dir)"
  ended <- session_of(sprintf("made <- (%s)('%s')", compare, dir), set = "LC_ALL=C")
  expect_identical(ended, list(said = character(), status = 0L))
  made <- file.mtime(list.files(dir, full.names = TRUE))
  resumed <- expect_silent(eval(parse(text = compare, encoding = "UTF-8"))(dir))
  expect_identical(file.mtime(list.files(dir, full.names = TRUE)), made)
  expect_identical(unique(resumed$runs$network), c("caf\u00e9", "\u03b2"))
})
