# Called by check-resume.sh with the number of kills and a seed.
#
# A trial is one checkpoint, whose comparison is repeated until it ends. In trials of sessions the session is killed,
# with no workers or with two. In trials of workers one of the two workers is killed during a run, and the session
# continues. A kill counts as a hit if its process was alive and the comparison had not ended.

library(capalloc)
arguments <- as.integer(commandArgs(TRUE))
wanted <- arguments[1]
set.seed(arguments[2])
folder <- tempfile("resume")
dir.create(folder)

# Every process of the trials writes its process number when it starts a run. Each run is slowed down.
profile <- file.path(folder, "profile.R")
writeLines("registerS3method('simulate', 'slow_task', function(object, nsim, seed = NULL, ...) {
  cat(Sys.getpid(), '\\n', file = Sys.getenv('CAPALLOC_AT_WORK'), append = TRUE)
  Sys.sleep(0.03)
  NextMethod()
}, envir = asNamespace('stats'))", profile)

script <- file.path(folder, "session.R")
writeLines("library(capalloc)
  given <- commandArgs(TRUE)
  writeLines(format(Sys.getpid()), given[3])
  slow <- function(task) structure(task, class = c('slow_task', class(task)))
  if (given[2] != '0') future::plan('multisession', workers = as.integer(given[2]))
  cmp <- compare_architectures(list(dense = arch_dense(16), dilated = arch_dilated(16)),
    lapply(classical_tasks(16)[c('ar', 'fgn')], slow), replicates = 10, n_obs = 50,
    checkpoint = if (given[1] != 'none') given[1])
  cmp$runs$seconds <- NULL
  saveRDS(unclass(cmp)[c('runs', 'allocation', 'demand')], given[4])", script)

# Starts a session of the comparison in the background. Returns a list: `pid` its process number, `result` the file for
# its result, `work` the file for the process numbers of its workers.
begin <- function(checkpoint, workers) {
  files <- tempfile(c("pid", "result", "work"), folder)
  Sys.setenv(R_PROFILE_USER = profile, CAPALLOC_AT_WORK = files[3])
  system2(file.path(R.home("bin"), "Rscript"), shQuote(c(script, checkpoint, workers, files[1:2])),
    wait = FALSE, stdout = FALSE, stderr = FALSE)
  until(function() file.exists(files[1]) && length(readLines(files[1])) == 1)
  list(pid = as.integer(readLines(files[1])), result = files[2], work = files[3])
}

until <- function(holds) {
  for (i in 1:12000) {
    if (holds()) return(TRUE)
    Sys.sleep(0.01)
  }
  stop("timed out waiting for ", deparse(body(holds)))
}

alive <- function(session) tools::pskill(session$pid, 0)
ended <- function(session) !alive(session)
written <- function(checkpoint) length(list.files(checkpoint, "^run-"))
at_work <- function(session) if (file.exists(session$work)) as.integer(readLines(session$work)) else integer()

kill <- function(pid, session) {
  hit <- isTRUE(tools::pskill(pid, 0)) && !file.exists(session$result) && alive(session)
  tools::pskill(pid, tools::SIGKILL)
  hit
}

# Waits until a random part of the remaining runs is written, and then for a random time.
random_moment <- function(checkpoint, session) {
  done <- written(checkpoint)
  enough <- done + sample(max(1, 38 - done), 1)
  until(function() written(checkpoint) >= enough || ended(session))
  Sys.sleep(stats::runif(1, 0, 0.04))
}

kill_session <- function(checkpoint, workers) {
  session <- begin(checkpoint, workers)
  random_moment(checkpoint, session)
  kill(session$pid, session)
}

# Kills the process that started the latest run, which is a worker.
kill_worker <- function(checkpoint, session) {
  random_moment(checkpoint, session)
  workers <- at_work(session)
  length(workers) > 0 && kill(workers[length(workers)], session)
}

result_of <- function(checkpoint, workers) {
  session <- begin(checkpoint, workers)
  until(function() file.exists(session$result) && ended(session))
  readRDS(session$result)
}

check <- function(what, result) {
  same <- identical(result, uninterrupted)
  close <- same || isTRUE(all.equal(result, uninterrupted, tolerance = 1e-8))
  cat(sprintf("%-28s %s\n", what, if (same) "identical" else if (close) "equal to 1e-8" else "DIFFERENT"))
  if (!close) print(result$runs[!is.na(result$runs$error), c("network", "task", "replicate", "error")])
  close
}

uninterrupted <- result_of("none", 0)
hits <- c(session = 0, `session of workers` = 0, worker = 0)
good <- TRUE

while (hits[[1]] + hits[[2]] < wanted) {
  checkpoint <- tempfile("checkpoint", folder)
  workers <- sample(c(0, 2), 1)
  before <- hits
  for (i in seq_len(sample(1:3, 1))) {
    kind <- if (workers == 0) 1 else 2
    hits[kind] <- hits[kind] + kill_session(checkpoint, workers)
  }
  what <- sprintf("%d sessions killed, %d workers", sum(hits - before), workers)
  good <- check(what, result_of(checkpoint, workers)) && good
}

while (hits[["worker"]] < wanted) {
  checkpoint <- tempfile("checkpoint", folder)
  before <- hits
  session <- begin(checkpoint, 2)
  for (i in seq_len(sample(1:2, 1))) hits["worker"] <- hits["worker"] + kill_worker(checkpoint, session)
  until(function() file.exists(session$result) && ended(session))
  # a run whose worker died twice is marked as failed; then another session resumes the comparison
  result <- readRDS(session$result)
  twice <- sum(result$runs$error %in% "worker died")
  if (twice > 0) result <- result_of(checkpoint, 2)
  good <- check(sprintf("%d workers killed%s", sum(hits - before), if (twice > 0) ", resumed" else ""), result) && good
}

unlink(folder, recursive = TRUE)
cat(paste0(hits, " kills of a ", names(hits), " hit\n"), sep = "")
cat(if (good) "All results equal those of the uninterrupted session\n" else "Some results differ\n")
quit(status = if (good) 0L else 1L)
