# Helpers of the tests of comparisons, scheduling and checkpoints.

timeless <- function(cmp) {
  cmp$runs$seconds <- NULL
  cmp
}

# Equal to 1e-8 in losses and 1e-6 in allocations; bitwise equal only where BLAS has one thread everywhere.
expect_same_runs <- function(a, b) {
  said <- c("network", "task", "replicate", "seed", "n_params", "converged", "error")
  expect_identical(a$runs[said], b$runs[said])
  losses <- c("loss", "train_loss", "bayes_loss", "linear_loss", "total_capacity")
  expect_equal(a$runs[losses], b$runs[losses], tolerance = 1e-8)
  expect_equal(a$runs$excess_loss, b$runs$excess_loss, tolerance = 1e-8)
  expect_equal(a$allocation, b$allocation, tolerance = 1e-6)
  others <- setdiff(names(a), c("runs", "allocation"))
  expect_identical(unclass(a)[others], unclass(b)[others])
}

# Evaluates `code` and calls `act` with the number of finished runs at each report of progress.
with_steps <- function(code, act) {
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = TRUE)
  done <- 0
  withCallingHandlers(code, progression = function(p) {
    if (p$type != "update") return()
    done <<- done + p$amount
    act(done)
  })
  done
}

# Replaces an internal function by `value` until the test ends.
local_internal <- function(name, value, env = parent.frame()) {
  ns <- asNamespace("capalloc")
  old <- get(name, ns)
  put <- function(value) {
    unlockBinding(name, ns)
    assign(name, value, ns)
    lockBinding(name, ns)
  }
  put(value)
  withr::defer(put(old), envir = env)
}

# A task that counts its samples, and calls `act` before it draws sample number `at`.
counted <- new.env()
registerS3method("simulate", "counted_task", function(object, nsim, seed = NULL, ...) {
  counted$n <- counted$n + 1L
  if (counted$n == counted$at) counted$act()
  NextMethod()
}, envir = asNamespace("stats"))

counted_task <- function(task, at = 0L, act = NULL) {
  counted$n <- 0L
  counted$at <- at
  counted$act <- act
  class(task) <- c("counted_task", class(task))
  task
}

# Returns the number of runs that `code` computes.
runs_done <- function(code) {
  done <- 0L
  one <- capalloc:::run_one
  local_internal("run_one", function(...) {
    done <<- done + 1L
    one(...)
  })
  code
  done
}

# Workers load the installed package, so tests of code that was loaded otherwise are skipped.
local_workers <- function(..., env = parent.frame()) {
  skip_on_cran()
  skip_if_not_installed("future")
  skip_if(nzchar(Sys.getenv("DEVTOOLS_LOAD")), "Workers load the installed package")
  plan <- if (...length() > 0L) list(...) else list("multisession", workers = 2)
  old <- do.call(future::plan, plan)
  withr::defer(future::plan(old), envir = env)
}

# Tasks of class `hooked_task` act in the process that draws their sample: they write the number of BLAS
# threads to `threads`, wait for `slow` seconds, or kill the process when the seed of the sample is in `kills`
# and the file `log` has fewer than `most` lines. Processes started in this scope have the method too.
local_hooked_tasks <- function(env = parent.frame()) {
  skip_on_os("windows") # no SIGKILL
  profile <- withr::local_tempfile(fileext = ".R", .local_envir = env)
  method <- function(object, nsim, seed = NULL, ...) {
    if (!is.null(object$threads)) cat(capalloc:::blas_threads(), "\n", file = object$threads, append = TRUE)
    if (!is.null(object$slow)) Sys.sleep(object$slow)
    if (isTRUE(seed %in% object$kills) && length(readLines(object$log)) < object$most) {
      cat(seed, "\n", file = object$log, append = TRUE)
      tools::pskill(Sys.getpid(), tools::SIGKILL)
      Sys.sleep(60)
    }
    NextMethod()
  }
  register <- c("registerS3method('simulate', 'hooked_task', ", deparse(method), ", envir = asNamespace('stats'))")
  writeLines(register, profile)
  source(profile, local = TRUE)
  withr::local_envvar(R_PROFILE_USER = profile, .local_envir = env)
}

hooked_task <- function(task, ...) {
  task <- utils::modifyList(task, list(...))
  class(task) <- c("hooked_task", class(task))
  task
}

# Returns the seed that fit() uses for the sample of a run.
sample_seeds <- function(seeds) vapply(seeds, function(seed) capalloc:::derive_seeds(seed, 1L), 1L)

# Starts an R session that runs a script of these lines; returns its process id once it has started.
start_session <- function(lines, env = parent.frame()) {
  skip_on_cran()
  script <- withr::local_tempfile(fileext = ".R", .local_envir = env)
  begun <- withr::local_tempfile(.local_envir = env)
  libraries <- paste0(".libPaths(c(", paste0("'", .libPaths(), "'", collapse = ", "), "))")
  writeLines(c(libraries, sprintf("writeLines(format(Sys.getpid()), '%s')", begun), "library(capalloc)", lines), script)
  system2(file.path(R.home("bin"), "Rscript"), shQuote(script), wait = FALSE, stdout = FALSE, stderr = FALSE)
  wait_for(\() file.exists(begun) && length(readLines(begun)) == 1L)
  as.integer(readLines(begun))
}

# Waits until a condition holds, at most a minute.
wait_for <- function(holds) {
  for (i in 1:3000) {
    if (isTRUE(holds())) return(invisible(TRUE))
    Sys.sleep(0.02)
  }
  stop("waited in vain for ", deparse(body(holds)))
}
