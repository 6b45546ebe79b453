# Number of BLAS threads, where the library reports it (OpenBLAS).

threads <- function(...) capalloc:::blas_threads(...)

test_that("OpenBLAS reports its number of threads", {
  skip_if_not(grepl("openblas", extSoftVersion()[["BLAS"]], ignore.case = TRUE), "This BLAS is not OpenBLAS")
  expect_gt(threads(), 0L)
})

test_that("the number of threads is set temporarily and restored", {
  skip_if(threads() == 0L, "This BLAS cannot be asked for its threads")
  old <- threads()
  withr::defer(threads(old))
  expect_identical(threads(2), 2L)
  expect_identical(capalloc:::with_one_thread(threads()), 1L)
  expect_identical(threads(), 2L)
  expect_error(capalloc:::with_one_thread(stop("no")), "no")
  expect_identical(threads(), 2L)
})

test_that("the routine refuses invalid numbers of threads", {
  for (n in list(NULL, "1", -1, 1e9, NaN, c(1, 2), list(1))) {
    expect_error(call_core("ffi_threads", list(n)), class = "capalloc_error_internal")
  }
})

test_that("a worker has one thread, whatever its environment variables", {
  skip_if(threads() == 0L, "This BLAS cannot be asked for its threads")
  local_hooked_tasks()
  withr::local_envvar(OPENBLAS_NUM_THREADS = "2", OMP_NUM_THREADS = "2")
  local_workers()
  there <- future::value(future::future(capalloc:::blas_threads(), packages = "capalloc", seed = NULL))
  seen <- withr::local_tempfile()
  task <- hooked_task(task_ar(8, 0.5), threads = seen)
  compare_architectures(list(a = arch_dense(8)), list(ar = task), replicates = 4, n_obs = 20)
  expect_identical(there, 2L)
  expect_identical(as.integer(readLines(seen)), rep(1L, 4))
})
