# Runs on workers: chunks, workers that die, several kinds of plans; all compared with runs in one process.

nets <- list(dense = arch_dense(8), dilated = arch_dilated(8, filters = 1))
tasks <- classical_tasks(8)[c("ar", "sparse")]
alone <- compare_architectures(nets, tasks, replicates = 4, n_obs = 30)

# Expects that the runs of `cmp` that did not fail, and their allocations, equal those of `full`.
expect_rest_intact <- function(cmp, full, failed) {
  expect_identical(which(cmp$runs$error %in% "worker died"), failed)
  expect_true(all(is.na(cmp$runs$loss[failed])))
  expect_identical(cmp$runs$n_params, full$runs$n_params)
  rest <- function(x) {
    key <- paste(x$runs$network, x$runs$task, x$runs$replicate)[failed]
    x$allocation <- x$allocation[!paste(x$allocation$network, x$allocation$task, x$allocation$replicate) %in% key, ]
    rownames(x$allocation) <- NULL
    x$runs <- x$runs[setdiff(seq_len(nrow(x$runs)), failed), ]
    x$tasks <- NULL
    x
  }
  expect_same_runs(rest(cmp), rest(full))
}

# Returns a task that kills the first `most` processes that draw the samples of these rows.
killing <- function(rows, most, env = parent.frame()) {
  log <- withr::local_tempfile(.local_envir = env)
  file.create(log)
  hooked_task(tasks$ar, kills = sample_seeds(alone$runs$seed[rows]), log = log, most = most)
}

deaths <- function(task) length(readLines(task$log))

# ---- chunks --------------------------------------------------------------------------------------

test_that("chunks contain every run once, at most 50 each, and the last ones are single runs", {
  for (case in list(c(1, 1), c(7, 2), c(16, 2), c(17, 2), c(1000, 2), c(10000, 4), c(30, Inf), c(10000, Inf))) {
    rows <- 5L + seq_len(case[[1]])
    chunks <- capalloc:::schedule_run_chunks(rows, case[[2]])
    size <- lengths(chunks)
    expect_identical(unlist(chunks), rows)
    expect_lte(max(size), 50)
    if (is.infinite(case[[2]])) next
    left <- length(rows) - c(0L, cumsum(size)[-length(size)])
    expect_true(all(size == pmin(50, ceiling(left / (8 * case[[2]])))))
  }
  expect_identical(lengths(capalloc:::schedule_run_chunks(1:18, 2)), rep(2:1, c(1, 16)))
  expect_length(capalloc:::schedule_run_chunks(1:10000, Inf), 770) # as for a hundred workers: 13 runs per chunk
  expect_length(capalloc:::schedule_run_chunks(integer(), 2), 0)
})

test_that("a chunk contains each of its networks and tasks once", {
  work <- list(design = alone$runs[1:4], networks = nets, tasks = tasks, n_obs = 30, fitting = list(), store = NULL)
  chunk <- capalloc:::schedule_work_chunk(work, 2:4)
  expect_identical(chunk[c("networks", "tasks")], list(networks = nets["dense"], tasks = tasks["ar"]))
  expect_length(capalloc:::schedule_work_chunk(work, 1:16)$networks, 2)
  runs <- capalloc:::schedule_run_chunk(capalloc:::schedule_work_chunk(work, c(16L, 3L)))
  expect_identical(vapply(runs, function(run) run$row$loss, 1), alone$runs$loss[c(16, 3)])
})

# ---- plans ---------------------------------------------------------------------------------------

test_that("one worker, four workers and forked processes give the same runs", {
  for (plan in list(list("multisession", workers = I(1)), list("multisession", workers = 4))) {
    do.call(local_workers, plan)
    expect_same_runs(compare_architectures(nets, tasks, replicates = 4, n_obs = 30), alone)
  }
  skip_if_not(future::supportsMulticore(), "No forked processes here")
  local_workers("multicore", workers = 2)
  expect_same_runs(compare_architectures(nets, tasks, replicates = 4, n_obs = 30), alone)
})

# ---- workers that die ----------------------------------------------------------------------------

test_that("a run that kills its worker twice is a failed row, and all others are complete", {
  local_hooked_tasks()
  local_workers()
  plan <- future::plan("list")
  # Replicate 2 of both networks draws the same sample; the third death is that of the second network's run.
  task <- killing(2, most = Inf)
  cmp <- compare_architectures(nets, list(ar = task, sparse = tasks$sparse), replicates = 4, n_obs = 30)
  expect_identical(deaths(task), 4L)
  expect_rest_intact(cmp, alone, c(2L, 6L))
  expect_identical(glance(cmp)$failed, 2L)
  # The user's plan is restored, with as many workers as before.
  expect_identical(lapply(future::plan("list"), class), lapply(plan, class))
  pids <- lapply(1:2, function(i) future::future({
    Sys.sleep(0.5)
    Sys.getpid()
  }, seed = NULL))
  expect_length(unique(vapply(pids, future::value, 1L)), 2)
})

test_that("a run that kills its worker once is repeated", {
  local_hooked_tasks()
  skip_if_not_installed("future")
  skip_if_not(future::supportsMulticore(), "No forked processes here")
  local_workers("multicore", workers = 2)
  task <- killing(2, most = 1)
  cmp <- compare_architectures(nets, list(ar = task, sparse = tasks$sparse), replicates = 4, n_obs = 30)
  expect_identical(deaths(task), 1L)
  expect_rest_intact(cmp, alone, integer())
})

test_that("with a checkpoint the finished runs of a chunk are not repeated after its worker died", {
  local_hooked_tasks()
  skip_if_not_installed("future")
  skip_if_not(future::supportsMulticore(), "No forked processes here")
  local_workers("multicore", workers = 2)
  dir <- withr::local_tempdir()
  many <- compare_architectures(nets["dense"], tasks["ar"], replicates = 48, n_obs = 30)
  task <- hooked_task(tasks$ar, kills = sample_seeds(many$runs$seed[3]), most = Inf,
    log = withr::local_tempfile(), threads = withr::local_tempfile())
  file.create(task$log)
  # Chunks of three runs.
  cmp <- compare_architectures(nets["dense"], list(ar = task), replicates = 48, n_obs = 30, checkpoint = dir)
  expect_rest_intact(cmp, many, 3L)
  expect_identical(deaths(task), 2L)
  # Each draw writes a line first: 48, and one for the second attempt of the third run.
  expect_length(readLines(task$threads), 49)
  # That run is not stored, and can still be computed.
  expect_identical(setdiff(capalloc:::checkpoint_run_name(many$runs), list.files(dir)),
    capalloc:::checkpoint_run_name(many$runs[3, ]))
})

test_that("lost nodes of the user's own cluster are replaced during the comparison", {
  local_hooked_tasks()
  skip_on_cran()
  cluster <- parallel::makePSOCKcluster(2)
  withr::defer(try(parallel::stopCluster(cluster), silent = TRUE))
  local_workers("cluster", workers = cluster)
  task <- killing(2, most = Inf)
  cmp <- compare_architectures(nets, list(ar = task, sparse = tasks$sparse), replicates = 4, n_obs = 30)
  expect_rest_intact(cmp, alone, c(2L, 6L))
  # The worker dies at its first run.
  task <- killing(2, most = 1)
  cmp <- compare_architectures(nets, list(ar = task, sparse = tasks$sparse), replicates = 4, n_obs = 30)
  expect_rest_intact(cmp, alone, integer())
})

test_that("when the last node, on another machine, is lost, the remaining runs fail with this reason", {
  local_hooked_tasks()
  skip_on_cran()
  cluster <- parallel::makePSOCKcluster(1)
  withr::defer(try(parallel::stopCluster(cluster), silent = TRUE))
  cluster[[1]]$host <- "elsewhere.example"
  local_workers("cluster", workers = cluster)
  task <- killing(3, most = Inf)
  cmp <- compare_architectures(nets, list(ar = task, sparse = tasks$sparse), replicates = 4, n_obs = 30)
  # The worker has chunks of two runs: the first chunk finishes, and the worker dies in the second.
  expect_identical(deaths(task), 1L)
  expect_identical(cmp$runs$error, rep(c(NA, "no worker is left"), c(2, 14)))
})

test_that("error messages of a worker are stored in the rows", {
  local_workers()
  local_internal("schedule_run_chunk", function(...) stop("no such {thing}\nhere"))
  cmp <- compare_architectures(nets, tasks, replicates = 1)
  expect_identical(cmp$runs$error, rep("no such {thing} here", 4))
})

test_that("a finished comparison starts no worker", {
  dir <- withr::local_tempdir()
  first <- compare_architectures(nets, tasks, replicates = 2, n_obs = 30, checkpoint = dir)
  local_workers()
  local_internal("schedule_start_chunk", function(...) stop("a worker"))
  expect_identical(compare_architectures(nets, tasks, replicates = 2, n_obs = 30, checkpoint = dir), first)
})

test_that("runs that a worker cannot write to the checkpoint are written by the main process", {
  skip_on_cran()
  skip_if_not_installed("future")
  skip_if_not(future::supportsMulticore(), "No forked processes here")
  local_workers("multicore", workers = 2)
  dir <- withr::local_tempdir()
  write <- capalloc:::write_checkpoint_run
  here <- Sys.getpid()
  local_internal("write_checkpoint_run", function(...) if (Sys.getpid() == here) write(...))
  cmp <- compare_architectures(nets, tasks, replicates = 4, n_obs = 30, checkpoint = dir)
  expect_same_runs(cmp, alone)
  expect_setequal(list.files(dir, "^run-"), capalloc:::checkpoint_run_name(alone$runs))
  expect_identical(timeless(compare_architectures(nets, tasks, replicates = 4, n_obs = 30, checkpoint = dir)),
    timeless(cmp))
})

# Nodes as in an MPI cluster, which tests cannot start.
test_that("a node without a connection is never regarded as lost", {
  node <- structure(list(rank = 1L, host = "localhost"), class = "MPInode")
  expect_false(capalloc:::is_schedule_lost(node))
  expect_false(capalloc:::is_schedule_here(node))
})

test_that("when no worker can be started the runs fail with this reason", {
  local_workers()
  local_internal("schedule_start_chunk", function(...) simpleError("no {such} template"))
  cmp <- compare_architectures(nets, tasks, replicates = 1)
  expect_identical(cmp$runs$error, rep("no worker could be started: no {such} template", 4))
  expect_identical(cmp$runs$n_params, c(8L, 7L, 8L, 7L))
})

test_that("the run in progress is found from the journal, or assumed to be the first without one", {
  journal <- withr::local_tempfile()
  under_way <- function(left) capalloc:::schedule_under_way(list(journal = journal), left)
  note <- function(row) capalloc:::schedule_note_start(journal, row)
  note(4L)
  expect_false(file.exists(journal)) # no journal is created here if it is on another machine
  file.create(journal)
  expect_identical(under_way(4:6), 4:6)
  note(4L)
  note(5L)
  expect_identical(under_way(4:6), 5L)
  expect_identical(under_way(c(4L, 6L)), c(4L, 6L))
  expect_identical(capalloc:::schedule_under_way(list(), 5:6), 5L)
  expect_identical(capalloc:::schedule_under_way(list(), integer()), integer())
})

test_that("the fields of work, chunks and the schedule are the formals of their constructors", {
  expect_constructor(capalloc:::new_schedule_work)
  expect_constructor(capalloc:::new_schedule_chunk)
  expect_constructor(capalloc:::new_schedule_running)
  expect_constructor(capalloc:::new_schedule)
})
