# Scheduling: which runs are done, where, and what happens when a worker is lost.
#
# `rows` are row numbers of the design, and `keep(rows, runs)` stores the runs of these rows when they are finished.

# The work of a comparison:
#   design           data frame with one row per run: network, task, replicate, seed
#   networks, tasks  named lists
#   n_obs            observations of each sample, Inf for population moments
#   seed             that all others are derived from
#   replicates       their number
#   fitting          list of further arguments of fit()
#   dir              path of the checkpoint, NULL without one
#   store            of the checkpoint once it is open, see new_store(), NULL without one
new_work <- function(design, networks, tasks, n_obs, seed, replicates, fitting, dir, store = NULL) {
  list(
    design = design, networks = networks, tasks = tasks, n_obs = n_obs, seed = seed, replicates = replicates,
    fitting = fitting, dir = dir, store = store
  )
}

# A list with one run per row of the design; NULL where an interrupt came first.
run_design <- function(work, call = rlang::caller_env()) {
  begun <- begin_design(work, call)
  done <- run_rows(begun$work, begun$done)
  warn_unwritten(begun$work, done)
  done
}

# list(work, done): with the store of its checkpoint, and the runs that are there.
begin_design <- function(work, call) {
  if (is.null(work$dir)) return(list(work = work, done = vector("list", nrow(work$design))))
  begun <- open_checkpoint(work$dir, work, call)
  work$store <- begun$store
  list(work = work, done = begun$done)
}

# `done` with the runs of these rows that it lacked.
run_rows <- function(work, done, rows = seq_along(done)) {
  left <- rows[vapply(done[rows], is.null, NA)]
  with_progress(length(rows), before = length(rows) - length(left), body = function(advance) {
    keep <- function(rows, runs) {
      done[rows] <<- runs
      if (length(rows) > 0L) advance(length(rows))
    }
    tryCatch(
      if (has_workers()) run_on_workers(work, left, keep) else run_here(work, left, keep),
      interrupt = function(e) cli::cli_alert_warning("Interrupted: returning the runs that are finished.")
    )
  })
  done
}

run_here <- function(work, rows, keep) {
  for (row in rows) keep(row, run_chunk(work_chunk(work, row)))
}

# A full disk costs the checkpoint, not the runs.
warn_unwritten <- function(work, done) {
  store <- work$store
  if (is.null(store)) return(invisible())
  finished <- which(vapply(done, function(run) !is.null(run) && !run$lost, NA))
  missing <- run_name(work$design[finished, , drop = FALSE])
  missing <- missing[!utils::file_test("-f", file.path(store$dir, missing))]
  if (length(missing) == 0L) return(invisible())
  warn(c(
    "{length(missing)} run{?s} could not be written to {.file {store$dir}}; the result has {?it/them}.",
    x = "The first is {.file {missing[[1L]]}}."
  ), "checkpoint")
}

# Whether the user has set a plan of the future framework that is not sequential.
has_workers <- function() {
  isNamespaceLoaded("future") && !inherits(future::plan(), "sequential")
}

# ---- chunks --------------------------------------------------------------------------------------

# Runs that one worker computes in order:
#   rows             row numbers of the whole design
#   design           these rows of it
#   networks, tasks  each that occurs in them, once
#   n_obs, fitting   as in new_work()
#   store            of the checkpoint, NULL without one
new_chunk <- function(rows, design, networks, tasks, n_obs, fitting, store) {
  list(
    rows = rows, design = design, networks = networks, tasks = tasks, n_obs = n_obs, fitting = fitting, store = store
  )
}

# The chunk of these rows.
work_chunk <- function(work, rows) {
  design <- work$design[rows, , drop = FALSE]
  new_chunk(rows, design, work$networks[unique(design$network)], work$tasks[unique(design$task)], work$n_obs,
    work$fitting, work$store)
}

# Its runs, in order. Each is written to the store as soon as it is done, and its row to the `journal` before.
run_chunk <- function(chunk, journal = NULL) {
  lapply(seq_along(chunk$rows), function(i) {
    if (!is.null(journal)) note_start(journal, chunk$rows[[i]])
    key <- chunk$design[i, ]
    stored_run(chunk$store, key, run_one(
      chunk$networks[[key$network]], chunk$tasks[[key$task]], key$seed, chunk$n_obs, chunk$fitting
    ))
  })
}

# Each chunk is an eighth of a worker's share of what is left, so that the last ones are single runs and slow networks
# even out; never more than 50 runs. A plan without a number of workers submits chunks to a batch scheduler, where each
# job costs overhead: the chunks are then of equal size, as for a hundred workers with eight chunks each.
run_chunks <- function(rows, workers) {
  left <- length(rows)
  sizes <- integer()
  while (left > 0L) {
    share <- if (is.infinite(workers)) length(rows) / 800 else left / (8 * workers)
    size <- min(max(1, ceiling(share)), 50, left)
    sizes <- c(sizes, size)
    left <- left - size
  }
  unname(split(rows, rep(seq_along(sizes), sizes)))
}

# ---- workers -------------------------------------------------------------------------------------

# Runs on the workers of the plan. A worker that is lost takes its chunk with it: of that chunk what was not finished
# is tried again, one run at a time, after everything else. A run that was under way in two workers that were lost
# becomes a failed row.
run_on_workers <- function(work, rows, keep) {
  if (length(rows) == 0L) return(invisible())
  plan <- future::plan("list")
  state <- new_schedule(run_chunks(rows, future::nbrOfWorkers()), list(), integer(nrow(work$design)), 0L, FALSE, list())
  on.exit(restore_workers(plan, state))
  while (length(state$queue) + length(state$running) > 0L) {
    if (state$hurt && length(state$running) == 0L) state <- replace_lost(state, work, keep)
    state <- fill_workers(state, work, keep)
    state <- collect_ready(state, work, keep)
  }
}

# The state of the chunks and of the workers:
#   queue    row numbers of each chunk that was not started
#   running  the chunks that were started, see new_running()
#   deaths   for each row, how many workers were lost while they computed it
#   refused  how many times in succession a chunk could not be started
#   hurt     whether lost workers have still to be replaced, which is done when no chunk is running
#   spare    workers that replace lost ones of a cluster object of the user
new_schedule <- function(queue, running, deaths, refused, hurt, spare) {
  list(queue = queue, running = running, deaths = deaths, refused = refused, hurt = hurt, spare = spare)
}

# A chunk that was started:
#   rows     its row numbers
#   journal  file with the number of each row that was started, NULL where the chunk has a store
#   future   whose value is the list of runs
new_running <- function(rows, journal, future) list(rows = rows, journal = journal, future = future)

# Starts chunks while workers are free.
fill_workers <- function(state, work, keep) {
  while (!state$hurt && length(state$queue) > 0L && length(state$running) < future::nbrOfWorkers()) {
    chunk <- start_chunk(work_chunk(work, state$queue[[1L]]))
    if (inherits(chunk, "error")) {
      state <- after_refusal(state, work, chunk, keep)
    } else {
      state$queue <- state$queue[-1L]
      state$running <- c(state$running, list(chunk))
      state$refused <- 0L
    }
  }
  state
}

# The chunk with its future, or the error of a worker that could not be given it.
start_chunk <- function(chunk) {
  journal <- if (is.null(chunk$store)) tempfile("chunk-")
  if (!is.null(journal)) file.create(journal)
  tryCatch(
    {
      future <- future::future(with_one_thread(run_chunk(chunk, journal)),
        globals = list(with_one_thread = with_one_thread, run_chunk = run_chunk, chunk = chunk, journal = journal),
        packages = "capalloc", seed = NULL
      )
      new_running(chunk$rows, journal, future)
    },
    error = identity
  )
}

# Takes in the chunks that are ready, waiting for at least one: each time by a fiftieth of the wait so far, at most half
# a second, so that little is lost on short chunks and a scheduler is not asked too often about long ones.
collect_ready <- function(state, work, keep) {
  wait <- 0.005
  repeat {
    ready <- vapply(state$running, function(chunk) is_ready(chunk$future), NA)
    if (any(ready) || length(ready) == 0L) break
    Sys.sleep(wait)
    wait <- min(1.02 * wait, 0.5)
  }
  chunks <- state$running[ready]
  state$running <- state$running[!ready]
  for (chunk in chunks) {
    runs <- collect_chunk(chunk, work)
    if (inherits(runs, "error")) {
      state <- after_loss(state, work, chunk, runs, keep)
    } else {
      keep(chunk$rows, runs)
    }
    unlink(chunk$journal)
  }
  state
}

# A lost worker may raise an error already here.
is_ready <- function(future) {
  tryCatch(future::resolved(future, timeout = 0.01), error = function(e) TRUE)
}

# Its runs, or the error that came instead of them. Runs that the worker could not write are written here.
collect_chunk <- function(chunk, work) {
  runs <- tryCatch(
    withCallingHandlers(future::value(chunk$future), warning = muffle_lost_process),
    error = identity
  )
  if (!inherits(runs, "error") && !is.null(work$store)) {
    design <- work$design[chunk$rows, , drop = FALSE]
    written <- file.exists(file.path(work$store$dir, run_name(design)))
    for (i in which(!written)) write_run(work$store, design[i, ], runs[[i]])
  }
  runs
}

# Of a forked process that died there is this warning too.
muffle_lost_process <- function(w) {
  call <- conditionCall(w)
  if (is.call(call) && identical(call[[1L]], quote(mccollect))) invokeRestart("muffleWarning")
}

# ---- lost workers --------------------------------------------------------------------------------

after_loss <- function(state, work, chunk, error, keep) {
  state$hurt <- has_pool()
  runs <- lapply(chunk$rows, function(row) if (!is.null(work$store)) read_run(work$store, work$design[row, ])$run)
  finished <- !vapply(runs, is.null, NA)
  keep(chunk$rows[finished], runs[finished])
  left <- chunk$rows[!finished]
  guilty <- under_way(chunk, left)
  state$deaths[guilty] <- state$deaths[guilty] + 1L
  given_up <- left[state$deaths[left] >= 2L]
  # An error of the future framework after the start of a future concerns the worker; other errors concern the chunk.
  died <- inherits(error, "FutureError") && !inherits(error, "FutureLaunchError")
  said <- if (died) "worker died" else flat_message(error)
  keep(given_up, lost_runs(work, given_up, said))
  state$queue <- c(state$queue, as.list(setdiff(left, given_up)))
  state
}

# Of the rows that a lost worker left, the one that was under way: the first that is not in the store, or the last in
# the journal. All of them where a worker that sees no journal leaves that open.
under_way <- function(chunk, left) {
  if (is.null(chunk$journal)) return(left[seq_len(min(1L, length(left)))])
  started <- suppressWarnings(as.integer(readLines(chunk$journal, warn = FALSE)))
  last <- started[length(started)]
  if (length(last) == 1L && last %in% left) last else left
}

note_start <- function(journal, row) {
  if (file.exists(journal)) cat(row, "\n", file = journal, append = TRUE, sep = "")
}

# No worker took the next chunk: one was lost while it had nothing to do, or the plan does not work at all.
after_refusal <- function(state, work, error, keep) {
  state$refused <- state$refused + 1L
  state$hurt <- has_pool()
  if (state$refused < 3L) return(state)
  give_up(state, work, paste("no worker could be started:", flat_message(error)), keep)
}

# What waits will not be done.
give_up <- function(state, work, said, keep) {
  rows <- unlist(state$queue)
  state$queue <- list()
  state$hurt <- FALSE
  keep(rows, lost_runs(work, rows, said))
  state
}

# Not written to a store: they say nothing of the run, which another session may be able to do.
lost_runs <- function(work, rows, message) {
  networks <- work$networks[work$design$network[rows]]
  lapply(unname(networks), failed_run, message = message, lost = TRUE)
}

# ---- pools of workers ----------------------------------------------------------------------------

# Workers that live from one future to the next (multisession and cluster), and so are missed when they are lost.
has_pool <- function() inherits(future::plan(), "cluster")

# Setting a plan anew starts its workers, unless they are a cluster that the user has made: there a new worker on
# this machine takes the place of each lost one that was on it, and for others there are fewer.
replace_lost <- function(state, work, keep) {
  state$hurt <- FALSE
  plan <- future::plan("list")
  workers <- formals(plan[[1L]])$workers
  if (!inherits(workers, "cluster")) {
    set_plan(plan)
    return(state)
  }
  lost <- vapply(workers, is_lost, NA)
  here <- vapply(workers, is_here, NA)
  for (i in which(lost & here)) {
    node <- parallel::makePSOCKcluster(1L)
    state$spare <- c(state$spare, list(node))
    workers[[i]] <- node[[1L]]
  }
  workers <- workers[!lost | here]
  if (length(workers) == 0L) return(give_up(state, work, "no worker is left", keep))
  plan[[1L]] <- future::tweak(future::cluster, workers = workers)
  set_plan(plan)
  state
}

set_plan <- function(plan) {
  future::plan("sequential")
  future::plan(plan)
}

restore_workers <- function(plan, state) {
  if (state$hurt || length(state$spare) > 0L) set_plan(plan)
  for (node in state$spare) try(parallel::stopCluster(node), silent = TRUE)
}

# The end of a connection can be read; from a worker that has nothing to do there is nothing to read.
is_lost <- function(node) {
  if (is.null(node$con)) return(FALSE)
  tryCatch(socketSelect(list(node$con), FALSE, 0), error = function(e) TRUE)
}

is_here <- function(node) {
  isTRUE(node$host %in% c("localhost", "127.0.0.1", Sys.info()[["nodename"]])) && !is.null(node$con)
}
