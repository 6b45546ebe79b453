# Failing LAPACK routines and insufficient memory, both in separate processes: in one a preloaded library makes a LAPACK
# routine fail, in the other the system refuses memory.

# C source of a LAPACK routine that always fails, except for queries of its workspace.
failing_routine <- function(name) {
  switch(name,
    dgeqrf = "void dgeqrf_(int *m, int *n, double *A, int *lda, double *tau, double *work, int *lwork, int *info) {
      *work = *n; *info = *lwork == -1 ? 0 : 1; }",
    # divide and conquer only, or the QR iteration too
    dgesdd = "void dgesdd_(char *z, int *m, int *n, double *A, int *lda, double *s, double *U, int *ldu, double *V,
      int *ldv, double *work, int *lwork, int *iwork, int *info) { *work = 1000; *info = *lwork == -1 ? 0 : 1; }",
    svd = paste(failing_routine("dgesdd"),
      "void dgesvd_(char *u, char *v, int *m, int *n, double *A, int *lda, double *s,
      double *U, int *ldu, double *V, int *ldv, double *work, int *lwork, int *info) {
      *work = 1000; *info = *lwork == -1 ? 0 : 1; }"),
    dpstrf = "void dpstrf_(char *u, int *n, double *A, int *lda, int *pivot, int *rank, double *tol, double *work,
      int *info) { *rank = 0; *info = -1; }",
    dpotrf = "void dpotrf_(char *u, int *n, double *A, int *lda, int *info) { *info = 1; }",
    dtrcon = "void dtrcon_(char *a, char *b, char *c, int *n, double *A, int *lda, double *rcond, double *work,
      int *iwork, int *info) { *rcond = 1; *info = -1; }",
    dsyevr = "void dsyevr_(char *a, char *b, char *c, int *n, double *A, int *lda, double *vl, double *vu, int *il,
      int *iu, double *tol, int *found, double *w, double *z, int *ldz, int *isuppz, double *work, int *lwork,
      int *iwork, int *liwork, int *info) { *work = 26.0 * *n; *iwork = 10 * *n; *info = *lwork == -1 ? 0 : 1; }"
  )
}

# Returns the path of the compiled library, or skips where it cannot be compiled.
local_failing <- function(name, env = parent.frame()) {
  skip_on_cran()
  skip_if_not(Sys.info()[["sysname"]] == "Linux", "Only the linker of Linux takes LD_PRELOAD")
  folder <- withr::local_tempdir(.local_envir = env)
  withr::local_dir(folder)
  writeLines(failing_routine(name), "failing.c")
  suppressWarnings(system2(file.path(R.home("bin"), "R"), c("CMD", "SHLIB", "failing.c"), stdout = TRUE, stderr = TRUE))
  skip_if_not(file.exists("failing.so"), "There is no C compiler")
  file.path(folder, "failing.so")
}

# Computations that use LAPACK: each gives a result, or the first class of its error.
lapack_questions <- quote({
  answer <- function(code) {
    tryCatch(code, error = function(e) class(e)[[1L]], capalloc_warning = function(w) class(w)[[1L]])
  }
  full <- set_coef(input_sequence(8) |> layer_conv(1, 3), c(0.5, -1, 2))
  deep <- set_coef(arch_dilated(8, filters = 1), sin(1:7))
  curved <- set_coef(input_vector(2) |> layer_dense(2) |> layer_activation("tanh") |> layer_dense(1), sin(1:6))
  x <- matrix(cos(1:40), 20)
  set.seed(1) # task_data() draws held-out rows
  plain <- function(fitted) c(coef(fitted$network), fitted$loss)
  list(
    full = answer(capacity(full)$capacity), deep = answer(capacity(deep)$capacity),
    kernel = answer(unclass(capacity_kernel(deep))), table = answer(capacity_table(deep)$capacity),
    curved = answer(capacity(curved, data = x)$capacity), soft = answer(capacity(deep, ridge = 0.1)$capacity),
    fit = answer(plain(fit(deep, task_ar(8, 0.6), seed = 1))),
    samples = answer(plain(fit(curved, task_data(x, sin(x[, 1]), standardise = FALSE), seed = 1,
      control = list(tol = 1e-12))))
  )
})

answers_without <- function(name) {
  library <- local_failing(name, parent.frame())
  file <- withr::local_tempfile()
  code <- sprintf("saveRDS(%s, '%s')", paste(deparse(lapack_questions), collapse = "\n"), file)
  # Preload after the libraries of this process, such as the runtimes of sanitizers.
  before <- Sys.getenv("LD_PRELOAD", NA)
  ended <- session_of(code, set = sprintf("LD_PRELOAD='%s'", paste(c(before[!is.na(before)], library), collapse = " ")))
  expect_identical(ended, list(said = character(), status = 0L))
  readRDS(file)
}

# Expects the class for the computations in `failed`, and the usual results for all others.
expect_answers <- function(answers, failed, class) {
  expect_equal(answers[failed], stats::setNames(as.list(rep(class, length(failed))), failed))
  others <- setdiff(names(answers), failed)
  # Other LAPACK routines give results that differ by rounding error.
  expect_equal(answers[others], whole[others], tolerance = 1e-8)
}
whole <- withr::with_preserve_seed(eval(lapack_questions, new.env()))

test_that("all computations succeed where LAPACK works", {
  expect_false(any(vapply(whole, is.character, NA)))
})

test_that("a factorisation that fails is an error of class capalloc_error_numeric", {
  # Computations whose tangent does not have full rank; the others do not need these routines.
  spectra <- c("deep", "kernel", "table", "soft")
  expect_answers(answers_without("dgeqrf"), spectra, "capalloc_error_numeric")
  expect_answers(answers_without("svd"), spectra, "capalloc_error_numeric")
  expect_answers(answers_without("dpstrf"), "fit", "capalloc_error_numeric")
})

test_that("where a fast routine fails a robust one is used", {
  expect_answers(answers_without("dsyevr"), character(), "")
  expect_answers(answers_without("dtrcon"), character(), "")
  expect_answers(answers_without("dgesdd"), character(), "")
})

test_that("training whose systems cannot be factored does not converge, and warns", {
  expect_answers(answers_without("dpotrf"), c("fit", "samples"), "capalloc_warning_not_converged")
})

# ---- memory --------------------------------------------------------------------------------------

test_that("a request for too much memory is R's own error, and the session continues", {
  skip_on_cran()
  skip_if_not(Sys.info()[["sysname"]] == "Linux", "Only Linux limits a process's memory so")
  skip_if(grepl("libasan", Sys.getenv("LD_PRELOAD")), "The sanitizers reserve terabytes of addresses")
  wanted <- capacity(set_coef(arch_dilated(8, filters = 1), sin(1:7)))$capacity
  file <- withr::local_tempfile()
  ended <- session_of(sprintf("
    said <- function(code) tryCatch({suppressMessages(code); 'no error'}, error = conditionMessage)
    big <- initialise(input_sequence(3000) |> layer_conv(8, 3, padding = 'same'), seed = 1)
    wide <- initialise(input_sequence(30000) |> layer_local(4, 30, stride = 4) |> layer_dense(60), seed = 1)
    small <- set_coef(arch_dilated(8, filters = 1), sin(1:7))
    asked <- list(
      tangent = said(tangent(big)),
      capacity = said(capacity(wide)),
      fit = said(fit(wide, task_ar(30000, 0.5), seed = 1))
    )
    saveRDS(list(asked = asked, after = capacity(small)$capacity), '%s')", file), memory = 1.5e6)
  expect_identical(ended, list(said = character(), status = 0L))
  found <- readRDS(file)
  for (message in found$asked) expect_match(message, "cannot allocate|too large|needs a triangle of order")
  expect_equal(found$after, wanted, tolerance = 1e-12)
})
