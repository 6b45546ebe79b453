# Scheduling: which runs are computed, on which workers, and what happens when a worker is lost.
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
#   resamples        by task a list with one resample for each replicate, NULL without any
#   store            of the checkpoint once it is open, see new_checkpoint_store(), NULL without one
new_schedule_work <- function(design, networks, tasks, n_obs, seed, replicates, fitting, dir, resamples = NULL,
                              store = NULL) {
  list(
    design = design, networks = networks, tasks = tasks, n_obs = n_obs, seed = seed, replicates = replicates,
    fitting = fitting, dir = dir, resamples = resamples, store = store
  )
}

# A list with one run per row of the design, NULL for a run that an interrupt prevented.
schedule_run_design <- function(work, call = rlang::caller_env()) {
  begun <- schedule_begin_design(work, call)
  done <- schedule_run_rows(begun$work, begun$done)
  warn_schedule_unwritten(begun$work, done)
  done
}

# Returns a list: `work` with the store of its checkpoint, and `done` with the runs that the checkpoint has.
schedule_begin_design <- function(work, call) {
  if (is.null(work$dir)) return(list(work = work, done = vector("list", nrow(work$design))))
  begun <- open_checkpoint(work$dir, work, call)
  work$store <- begun$store
  list(work = work, done = begun$done)
}

# `done`, completed by the missing runs of these rows. An interrupt ends the computation, with a message.
schedule_run_rows <- function(work, done, rows = seq_along(done)) {
  left <- rows[vapply(done[rows], is.null, NA)]
  with_progress(length(rows), before = length(rows) - length(left), body = function(advance) {
    keep <- function(rows, runs) {
      done[rows] <<- runs
      if (length(rows) > 0L) advance(length(rows))
    }
    tryCatch(
      if (has_schedule_workers()) schedule_run_on_workers(work, left, keep) else schedule_run_here(work, left, keep),
      interrupt = function(e) cli::cli_alert_warning("Interrupted: returning the runs that are finished.")
    )
  })
  done
}

schedule_run_here <- function(work, rows, keep) {
  for (row in rows) keep(row, schedule_run_chunk(schedule_work_chunk(work, row)))
}

# Warns if finished runs have no file in the checkpoint, for example because the disk is full. The result has these
# runs.
warn_schedule_unwritten <- function(work, done) {
  store <- work$store
  if (is.null(store)) return(invisible())
  finished <- which(vapply(done, function(run) !is.null(run) && !run$lost, NA))
  missing <- checkpoint_run_name(work$design[finished, , drop = FALSE])
  missing <- missing[!utils::file_test("-f", file.path(store$dir, missing))]
  if (length(missing) == 0L) return(invisible())
  warn(c(
    "{length(missing)} run{?s} could not be written to {.file {store$dir}}; the result has {?it/them}.",
    x = "The first is {.file {missing[[1L]]}}."
  ), "checkpoint")
}

# Whether the user has set a plan of the future framework that is not sequential.
has_schedule_workers <- function() {
  isNamespaceLoaded("future") && !inherits(future::plan(), "sequential")
}

# ---- chunks --------------------------------------------------------------------------------------

# Runs that one worker computes in order:
#   rows             row numbers of the whole design
#   design           these rows of it
#   networks, tasks  each that occurs in them, once
#   n_obs, fitting, resamples  as in new_schedule_work()
#   store            of the checkpoint, NULL without one
new_schedule_chunk <- function(rows, design, networks, tasks, n_obs, fitting, resamples, store) {
  list(
    rows = rows, design = design, networks = networks, tasks = tasks, n_obs = n_obs, fitting = fitting,
    resamples = resamples, store = store
  )
}

# The chunk of these rows.
schedule_work_chunk <- function(work, rows) {
  design <- work$design[rows, , drop = FALSE]
  new_schedule_chunk(rows, design, work$networks[unique(design$network)], work$tasks[unique(design$task)], work$n_obs,
    work$fitting, work$resamples[unique(design$task)], work$store)
}

# The runs of a chunk, in order. Each run is written to the store when it is finished. Before it starts, its row number
# is appended to the file `journal`.
schedule_run_chunk <- function(chunk, journal = NULL) {
  lapply(seq_along(chunk$rows), function(i) {
    if (!is.null(journal)) schedule_note_start(journal, chunk$rows[[i]])
    key <- chunk$design[i, ]
    checkpoint_stored_run(chunk$store, key, run_one(
      chunk$networks[[key$network]], schedule_task(chunk, key), key$seed, chunk$n_obs, chunk$fitting
    ))
  })
}

# The task of the design's row `key`, with the rows of its resample.
schedule_task <- function(chunk, key) {
  task <- chunk$tasks[[key$task]]
  if (is.null(chunk$resamples)) task else resample_task(task, chunk$resamples[[key$task]][[key$replicate]])
}

# Divides rows into chunks: a list of row numbers. Each chunk is an eighth of a worker's share of the remaining rows, at
# most 50. So the last chunks are single runs, which balances the load where networks differ in speed. A plan with an
# infinite number of workers submits chunks to a batch scheduler, where each job has an overhead: chunks then have equal
# sizes, as for a hundred workers with eight chunks each.
schedule_run_chunks <- function(rows, workers) {
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

# Computes runs on the workers of the plan. When a worker is lost, the unfinished runs of its chunk are tried again, one
# at a time, after all other chunks. A run during which two workers were lost becomes a failed run.
schedule_run_on_workers <- function(work, rows, keep) {
  if (length(rows) == 0L) return(invisible())
  plan <- future::plan("list")
  state <- new_schedule(schedule_run_chunks(rows, future::nbrOfWorkers()), list(), integer(nrow(work$design)), 0L,
    FALSE, list())
  on.exit(schedule_restore_workers(plan, state))
  while (length(state$queue) + length(state$running) > 0L) {
    if (state$hurt && length(state$running) == 0L) state <- schedule_replace_lost(state, work, keep)
    state <- schedule_fill_workers(state, work, keep)
    state <- schedule_collect_ready(state, work, keep)
  }
}

# The state of the chunks and of the workers:
#   queue    row numbers of each chunk that was not started
#   running  the chunks that were started, see new_schedule_running()
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
new_schedule_running <- function(rows, journal, future) list(rows = rows, journal = journal, future = future)

# Starts chunks while workers are free.
schedule_fill_workers <- function(state, work, keep) {
  while (!state$hurt && length(state$queue) > 0L && length(state$running) < future::nbrOfWorkers()) {
    chunk <- schedule_start_chunk(schedule_work_chunk(work, state$queue[[1L]]))
    if (inherits(chunk, "error")) {
      state <- schedule_after_refusal(state, work, chunk, keep)
    } else {
      state$queue <- state$queue[-1L]
      state$running <- c(state$running, list(chunk))
      state$refused <- 0L
    }
  }
  state
}

# Starts a chunk: a new_schedule_running(), or the error where no worker could be started.
schedule_start_chunk <- function(chunk) {
  journal <- if (is.null(chunk$store)) tempfile("chunk-")
  if (!is.null(journal)) file.create(journal)
  tryCatch(
    {
      future <- future::future(with_one_thread(schedule_run_chunk(chunk, journal)),
        globals = list(with_one_thread = with_one_thread, schedule_run_chunk = schedule_run_chunk, chunk = chunk,
          journal = journal),
        packages = "capalloc", seed = NULL
      )
      new_schedule_running(chunk$rows, journal, future)
    },
    error = identity
  )
}

# Waits until at least one chunk is finished and collects all finished ones. The interval between two checks grows by a
# fiftieth each time, up to half a second, so that short chunks are collected promptly and a batch scheduler is not
# queried too often.
schedule_collect_ready <- function(state, work, keep) {
  wait <- 0.005
  repeat {
    ready <- vapply(state$running, function(chunk) is_schedule_ready(chunk$future), NA)
    if (any(ready) || length(ready) == 0L) break
    Sys.sleep(wait)
    wait <- min(1.02 * wait, 0.5)
  }
  chunks <- state$running[ready]
  state$running <- state$running[!ready]
  for (chunk in chunks) {
    runs <- schedule_collect_chunk(chunk, work)
    if (inherits(runs, "error")) {
      state <- schedule_after_loss(state, work, chunk, runs, keep)
    } else {
      keep(chunk$rows, runs)
    }
    unlink(chunk$journal)
  }
  state
}

# Whether a future is resolved. A lost worker can raise an error here; schedule_collect_chunk() then reports it.
is_schedule_ready <- function(future) {
  tryCatch(future::resolved(future, timeout = 0.01), error = function(e) TRUE)
}

# The runs of a finished chunk, or the error of its future. Runs that the worker could not write to the store are
# written here.
schedule_collect_chunk <- function(chunk, work) {
  runs <- tryCatch(
    withCallingHandlers(future::value(chunk$future), warning = schedule_muffle_lost_process),
    error = identity
  )
  if (!inherits(runs, "error") && !is.null(work$store)) {
    design <- work$design[chunk$rows, , drop = FALSE]
    written <- file.exists(file.path(work$store$dir, checkpoint_run_name(design)))
    for (i in which(!written)) write_checkpoint_run(work$store, design[i, ], runs[[i]])
  }
  runs
}

# A forked process that died raises this warning besides the error.
schedule_muffle_lost_process <- function(w) {
  call <- conditionCall(w)
  if (is.call(call) && identical(call[[1L]], quote(mccollect))) invokeRestart("muffleWarning")
}

# ---- lost workers --------------------------------------------------------------------------------

# The state after a worker was lost, or a chunk failed with an error: runs that are in the store are kept, and the other
# rows of the chunk are queued singly. Rows that are given up become failed runs.
schedule_after_loss <- function(state, work, chunk, error, keep) {
  state$hurt <- has_schedule_pool()
  runs <- lapply(chunk$rows, function(row) if (!is.null(work$store)) read_checkpoint_run(work$store, work$design[row,
    ])$run)
  finished <- !vapply(runs, is.null, NA)
  keep(chunk$rows[finished], runs[finished])
  left <- chunk$rows[!finished]
  guilty <- schedule_under_way(chunk, left)
  state$deaths[guilty] <- state$deaths[guilty] + 1L
  given_up <- left[state$deaths[left] >= 2L]
  # an error of the future framework after the start of a future concerns the worker, any other error the chunk
  died <- inherits(error, "FutureError") && !inherits(error, "FutureLaunchError")
  said <- if (died) "worker died" else flat_message(error)
  keep(given_up, schedule_lost_runs(work, given_up, said))
  state$queue <- c(state$queue, as.list(setdiff(left, given_up)))
  state
}

# Which of the unfinished rows `left` of a lost worker was being computed: the first one, if the chunk has a store and
# so no journal, else the last one in the journal. All of them if the journal has none of these rows, such as that of a
# worker on another machine.
schedule_under_way <- function(chunk, left) {
  if (is.null(chunk$journal)) return(left[seq_len(min(1L, length(left)))])
  started <- suppressWarnings(as.integer(readLines(chunk$journal, warn = FALSE)))
  last <- started[length(started)]
  if (length(last) == 1L && last %in% left) last else left
}

schedule_note_start <- function(journal, row) {
  if (file.exists(journal)) cat(row, "\n", file = journal, append = TRUE, sep = "")
}

# The state after a chunk could not be started: an idle worker was lost, or the plan does not work. At the third failure
# in succession all waiting chunks are given up.
schedule_after_refusal <- function(state, work, error, keep) {
  state$refused <- state$refused + 1L
  state$hurt <- has_schedule_pool()
  if (state$refused < 3L) return(state)
  schedule_give_up(state, work, paste("no worker could be started:", flat_message(error)), keep)
}

# The rows of all waiting chunks become failed runs.
schedule_give_up <- function(state, work, said, keep) {
  rows <- unlist(state$queue)
  state$queue <- list()
  state$hurt <- FALSE
  keep(rows, schedule_lost_runs(work, rows, said))
  state
}

# Failed runs of rows that no worker could finish. They are not written to the store, since the run itself may succeed
# in another session.
schedule_lost_runs <- function(work, rows, message) {
  networks <- work$networks[work$design$network[rows]]
  lapply(unname(networks), failed_run, message = message, lost = TRUE)
}

# ---- pools of workers ----------------------------------------------------------------------------

# Whether the workers of the plan are persistent (multisession and cluster), so that lost ones have to be replaced.
has_schedule_pool <- function() inherits(future::plan(), "cluster")

# The state with lost workers replaced, by setting the plan again, which starts new workers. In a cluster object that
# the user has made, each lost worker on this machine is replaced by a new one; lost workers on other machines are
# removed.
schedule_replace_lost <- function(state, work, keep) {
  state$hurt <- FALSE
  plan <- future::plan("list")
  workers <- formals(plan[[1L]])$workers
  if (!inherits(workers, "cluster")) {
    schedule_set_plan(plan)
    return(state)
  }
  lost <- vapply(workers, is_schedule_lost, NA)
  here <- vapply(workers, is_schedule_here, NA)
  for (i in which(lost & here)) {
    node <- parallel::makePSOCKcluster(1L)
    state$spare <- c(state$spare, list(node))
    workers[[i]] <- node[[1L]]
  }
  workers <- workers[!lost | here]
  if (length(workers) == 0L) return(schedule_give_up(state, work, "no worker is left", keep))
  plan[[1L]] <- future::tweak(future::cluster, workers = workers)
  schedule_set_plan(plan)
  state
}

schedule_set_plan <- function(plan) {
  future::plan("sequential")
  future::plan(plan)
}

schedule_restore_workers <- function(plan, state) {
  if (state$hurt || length(state$spare) > 0L) schedule_set_plan(plan)
  for (node in state$spare) try(parallel::stopCluster(node), silent = TRUE)
}

# Whether the connection of an idle worker has ended: then it is readable, while an idle worker sends nothing.
is_schedule_lost <- function(node) {
  if (is.null(node$con)) return(FALSE)
  tryCatch(socketSelect(list(node$con), FALSE, 0), error = function(e) TRUE)
}

is_schedule_here <- function(node) {
  isTRUE(node$host %in% c("localhost", "127.0.0.1", Sys.info()[["nodename"]])) && !is.null(node$con)
}
