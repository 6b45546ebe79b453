# Checkpoints: writing, reading, refusals, and killed sessions.

nets <- list(dense = arch_dense(8), dilated = arch_dilated(8, filters = 1))
tasks <- classical_tasks(8)[c("ar", "sparse")]
compare <- function(dir = NULL, ..., networks = nets, of = tasks, replicates = 2) {
  compare_architectures(networks, of, replicates = replicates, n_obs = 30, ..., checkpoint = dir)
}
alone <- compare()

manifest <- "capalloc-manifest.txt"
run_file <- function(dir, rows, of = alone) file.path(dir, capalloc:::checkpoint_run_name(of$runs[rows, ]))

# Returns the path of a finished checkpoint of the comparison `alone`.
local_checkpoint <- function(env = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = env)
  compare(dir)
  dir
}

# ---- numbers and texts ---------------------------------------------------------------------------

test_that("doubles are read back to the last bit", {
  there_and_back <- function(x) capalloc:::read_checkpoint_number(capalloc:::write_checkpoint_number(x))
  x <- withr::with_seed(1, c(stats::rnorm(1000) * 10^sample(-300:300, 1000, TRUE), stats::runif(1000)))
  x <- c(x, -x, 2^(-1074:1023), 1 + .Machine$double.eps, .Machine$double.xmax, 1e-310, Inf, -Inf, 2^31, 2^53 + 2)
  expect_identical(there_and_back(x), x)
  expect_identical(1 / there_and_back(c(0, -0)), c(Inf, -Inf))
  missing <- there_and_back(c(NA, NaN))
  expect_identical(is.nan(missing), c(FALSE, TRUE))
  expect_true(all(is.na(missing)))
  expect_identical(there_and_back(numeric()), numeric())
})

test_that("texts that are not numbers in the written form are not read", {
  for (text in c("", " 1", "1 ", "0x", "0x2p+0", "0x1.8", "1e5", "1.5", "TRUE", "Inf ", "nan", "c(1)", "1L",
    "0x1p+99999", "0x1.Fp+0", "--1", "99999999999")) {
    expect_null(capalloc:::read_checkpoint_number(text))
    expect_null(capalloc:::read_checkpoint_number(c("1", text)))
  }
})

test_that("any text is written on one line and read back unchanged", {
  texts <- c("", "NA", "a b", "a\nb\r\nc", "\\n", "\\\\n\n", "\"quoted\" \"", "caf\u00e9 \u4e2d", "{x} %s", "\t", "\\")
  written <- vapply(texts, capalloc:::write_checkpoint_text, "")
  expect_false(any(grepl("[\r\n]", written)))
  expect_identical(vapply(written, capalloc:::read_checkpoint_text, "", USE.NAMES = FALSE), texts)
  expect_identical(capalloc:::read_checkpoint_text(capalloc:::write_checkpoint_text(NA_character_)), NA_character_)
  for (text in c("", "a", "\"", "\"a", "\"\\\"", "\"\\x\"",
    "\"a\\\"")) expect_null(capalloc:::read_checkpoint_text(text))
})

# ---- written files --------------------------------------------------------------------------------

test_that("a checkpoint does not change results, and repeating the call reads all runs from it", {
  dir <- file.path(withr::local_tempdir(), "new", "folder")
  first <- compare(dir)
  expect_identical(timeless(first), timeless(alone))
  expect_setequal(list.files(dir, all.files = TRUE, no.. = TRUE), c(manifest, basename(run_file(dir, 1:8))))
  expect_identical(runs_done(again <- compare(dir)), 0L)
  expect_identical(again, first)
  # Only deleted runs are repeated; the others keep their seconds.
  unlink(run_file(dir, c(2, 7)))
  expect_identical(runs_done(again <- compare(dir)), 2L)
  expect_identical(again$runs$seconds[-c(2, 7)], first$runs$seconds[-c(2, 7)])
  expect_identical(timeless(again), timeless(first))
})

test_that("failed and unconverged runs, unusual names, constants and data are stored", {
  networks <- list(arch_dense(8, bias = TRUE), arch_conv(8, 1, 3, bias = TRUE),
    set_coef(arch_dense(8, bias = TRUE), rep(1e200, 9)))
  names(networks) <- c("../../out", "a \"b\"\nc{d}", "caf\u00e9")
  of <- list(sunspots = task_series(datasets::sunspots[1:120], length = 8))
  outer <- withr::local_tempdir()
  dir <- file.path(outer, "a", "b")
  go <- function(dir) {
    compare(dir, networks = networks, of = of, method = "lbfgs", control = list(max_iterations = 4))
  }
  full <- go(NULL)
  expect_identical(glance(full)[c("failed", "unconverged")], data.frame(failed = 2L, unconverged = 4L))
  expect_identical(timeless(go(dir)), timeless(full))
  unlink(run_file(dir, 1, full))
  expect_identical(runs_done(again <- go(dir)), 1L)
  expect_identical(timeless(again), timeless(full))
  expect_length(list.files(outer, recursive = TRUE), 7)
})

test_that("files are plain text, each with its checksum", {
  dir <- local_checkpoint()
  for (file in list.files(dir, full.names = TRUE)) {
    lines <- readLines(file)
    above <- withr::local_tempfile()
    writeLines(lines[-length(lines)], above, sep = "\n")
    expect_identical(lines[[length(lines)]], paste("md5", tools::md5sum(above)[[1]]))
    expect_match(lines, "^[ -~]*$")
  }
  lines <- readLines(run_file(dir, 3))
  sums <- vapply(list(nets$dilated, tasks$ar), capalloc:::fingerprint, "")
  version <- paste("made with capalloc", packageVersion("capalloc"))
  expect_identical(lines[1:7], c("capalloc run 2", version, paste("network \"dilated\"", sums[[1]]),
    paste("task \"ar\"", sums[[2]]), "replicate 1", paste("seed", alone$runs$seed[[3]]), "n_obs 30"))
  loss <- sub("^loss ", "", grep("^loss ", lines, value = TRUE))
  expect_identical(as.numeric(loss), alone$runs$loss[[3]])
  capacities <- lines[length(lines) - 8:1]
  expect_identical(as.numeric(capacities), alone$allocation$capacity[17:24])
})

test_that("runs are written to a temporary file and then moved into place", {
  dir <- withr::local_tempdir()
  moved <- NULL
  put <- capalloc:::checkpoint_put_in_place
  local_internal("checkpoint_put_in_place", function(beside, path, replace) {
    moved <<- rbind(moved, data.frame(from = dirname(beside), to = dirname(path),
      whole = is.null(capalloc:::read_checkpoint_checked(beside)$damage), before = file.exists(path)))
    put(beside, path, replace)
  })
  compare(dir)
  expect_identical(nrow(moved), 9L)
  expect_identical(normalizePath(unique(c(moved$from, moved$to))), normalizePath(dir))
  expect_true(all(moved$whole & !moved$before))
})

test_that("temporary files of killed sessions are never read, and are deleted when they are old", {
  dir <- local_checkpoint()
  left <- file.path(dir, c("writing-1", "writing-2"))
  file.create(left)
  Sys.setFileTime(left[[1]], Sys.time() - 7200)
  expect_identical(runs_done(compare(dir)), 0L)
  expect_identical(file.exists(left), c(FALSE, TRUE))
})

test_that("without a seed the seed of the checkpoint is used", {
  dir <- withr::local_tempdir()
  withr::local_seed(3)
  first <- compare(dir, seed = NULL)
  unlink(run_file(dir, 3))
  expect_identical(timeless(compare(dir, seed = NULL)), timeless(first))
  expect_identical(compare(dir, seed = first$seed)$seed, first$seed)
})

test_that("progress starts with the runs read from the checkpoint", {
  dir <- local_checkpoint()
  unlink(run_file(dir, 4:8))
  seen <- NULL
  expect_identical(with_steps(compare(dir), function(done) seen <<- c(seen, done)), 8)
  expect_identical(seen, c(3, 4:8))
})

# ---- refused checkpoints ------------------------------------------------------------------------

said <- function(code, dir, class = "checkpoint") {
  gsub(normalizePath(dir), "<dir>", bad(code, class), fixed = TRUE)
}

test_that("a checkpoint of another comparison is refused, and the error states the differences", {
  dir <- local_checkpoint()
  before <- tools::md5sum(list.files(dir, full.names = TRUE))
  other <- list(dense = arch_dense(8), dilated = arch_dilated(8, filters = 2))
  odd <- stats::setNames(nets, c("{odd} \"name\"", "dilated"))
  texts <- c(
    said(compare(dir, seed = 123456789), dir),
    said(compare_architectures(nets, tasks, replicates = 2, checkpoint = dir), dir),
    said(compare(dir, method = "lbfgs", control = list(max_iterations = 5)), dir),
    said(compare(dir, networks = other), dir),
    said(compare(dir, of = list(ar = task_ar(8, 0.5), sparse = tasks$sparse), seed = 2), dir)
  )
  expect_snapshot(writeLines(texts))
  expect_identical(tools::md5sum(list.files(dir, full.names = TRUE)), before)
  compare(dir, networks = odd)
  expect_match(said(compare(dir, networks = stats::setNames(rev(nets), names(odd))), dir),
    "`networks${odd} \"name\"`: a different value there", fixed = TRUE)
})

# ---- studies that grow ---------------------------------------------------------------------------

# Expects that the rows of `part` and their allocations are in `whole`, to the last bit.
expect_part_of <- function(part, whole) {
  key <- function(x) paste(x$network, x$task, x$replicate, sep = "|")
  at <- match(key(part$runs), key(whole$runs))
  expect_equal(timeless(part)$runs, timeless(whole)$runs[at, ], ignore_attr = "row.names", tolerance = 0)
  of <- whole$allocation[key(whole$allocation) %in% key(part$runs), ]
  by_key <- function(rows) rows[order(key(rows), rows$position), ]
  expect_equal(by_key(part$allocation), by_key(of), ignore_attr = "row.names", tolerance = 0)
}

test_that("adding and reordering networks, tasks and replicates computes only new runs", {
  dir <- withr::local_tempdir()
  first <- compare(dir)
  more_nets <- list(conv = arch_conv(8, 2, 3), dilated = nets$dilated, dense = nets$dense)
  more_tasks <- classical_tasks(8)[c("fgn", "sparse", "ar")]
  at_once <- compare(networks = more_nets, of = more_tasks, replicates = 5)
  expect_part_of(first, at_once)
  expect_identical(runs_done(grown <- compare(dir, networks = more_nets, of = more_tasks, replicates = 5)), 45L - 8L)
  expect_identical(timeless(grown), timeless(at_once))
  # The seconds of the old runs show that they were read.
  key <- function(x) paste(x$runs$network, x$runs$task, x$runs$replicate)
  expect_identical(grown$runs$seconds[match(key(first), key(grown))], first$runs$seconds)
  # The first comparison, and a part of it, can still be read.
  expect_identical(runs_done(again <- compare(dir)), 0L)
  expect_identical(again, first)
  expect_identical(runs_done(compare(dir, networks = nets["dense"], of = rev(tasks), replicates = 1)), 0L)
  # Names that were added also keep their values.
  expect_match(said(compare(dir, networks = list(conv = arch_conv(8, 2, 4))), dir),
    "`networks$conv`: a different value there",
    fixed = TRUE)
})

test_that("runs are identified by values, not by labels or options", {
  dir <- local_checkpoint()
  withr::local_options(digits = 3, scipen = 20)
  labelled <- classical_tasks(8)[c("ar", "sparse")]
  labelled$ar$label <- "another label"
  expect_identical(runs_done(compare(dir, of = labelled)), 0L)
})

test_that("two sessions that extend a checkpoint at the same time keep each other's names", {
  dir <- local_checkpoint()
  write <- capalloc:::write_checkpoint_checked
  local_internal("write_checkpoint_checked", function(path, ...) {
    if (basename(path) == manifest) {
      local_internal("write_checkpoint_checked", write)
      # Another session writes between this session's read and its write.
      compare(dir, networks = list(theirs = nets$dense), replicates = 1)
    }
    write(path, ...)
  })
  compare(dir, networks = list(mine = nets$dense), replicates = 1)
  lines <- readLines(file.path(dir, manifest))
  expect_length(grep("^network \"(mine|dense|dilated)\"", lines), 3)
  # Where the other session's name was overwritten, its run files still identify the networks.
  expect_match(said(compare(dir, networks = list(theirs = nets$dilated), replicates = 1), dir), "theirs")
  expect_identical(runs_done(compare(dir, networks = list(theirs = nets$dense), replicates = 1)), 0L)
})

test_that("without a valid manifest run files identify a different comparison", {
  dir <- local_checkpoint()
  unlink(file.path(dir, manifest))
  expect_match(said(compare(dir, seed = 2), dir), "holds another run (`seed`: ", fixed = TRUE)
  expect_false(file.exists(file.path(dir, manifest)))
  # Run files of this comparison are read.
  expect_identical(runs_done(again <- compare(dir)), 0L)
  expect_identical(timeless(again), timeless(alone))
  writeLines("manifest", file.path(dir, manifest))
  expect_match(said(compare(dir, seed = 2), dir), "is truncated")
  expect_warning(again <- compare(dir), "capalloc-manifest.txt: is truncated", class = "capalloc_warning_checkpoint")
  expect_identical(timeless(again), timeless(alone))
  expect_warning(compare(dir), NA)
})

test_that("files of another format version are refused, and runs of another package version give a warning", {
  dir <- local_checkpoint()
  path <- run_file(dir, 3)
  lines <- readLines(path)
  capalloc:::write_checkpoint_checked(path, replace(lines[-length(lines)], 2, "made with capalloc 0.0.1"))
  expect_warning(compare(dir), "made with capalloc 0.0.1", class = "capalloc_warning_checkpoint")
  path <- file.path(dir, manifest)
  lines <- readLines(path)
  capalloc:::write_checkpoint_checked(path, replace(lines[-length(lines)], 1, "capalloc checkpoint 1"))
  expect_snapshot(writeLines(said(compare(dir), dir)))
})

test_that("a path that is not a writable directory is refused before the first run", {
  file <- withr::local_tempfile()
  file.create(file)
  refused <- function(x, class = "file") gsub(file, "<file>", bad(compare(x), class), fixed = TRUE)
  task <- counted_task(tasks$ar)
  bad(compare(file, of = list(ar = task)), "file")
  expect_identical(counted$n, 0L)
  texts <- c(
    refused(file), refused(file.path(file, "inside")), refused(3, "type"), refused(c("a", "b"), "type"),
    refused(NA_character_, "type"), refused("", "value")
  )
  expect_snapshot(writeLines(texts))
  skip_if_not(dir.exists("/proc/self"), "No /proc, which nobody can write to")
  expect_match(refused("/proc/capalloc"), "cannot be created")
  expect_match(refused("/proc/self"), "cannot be written")
})

test_that("runs that cannot be written are in the result, with a warning", {
  dir <- withr::local_tempdir()
  task <- counted_task(tasks$ar, at = 3L, act = function() unlink(dir, recursive = TRUE))
  expect_warning(cmp <- compare(dir, of = list(ar = task)), "4 runs could not be written",
    class = "capalloc_warning_checkpoint")
  expect_identical(cmp$runs$loss, alone$runs$loss[1:4])
})

# ---- damage --------------------------------------------------------------------------------------

test_that("damaged files of every kind are reported, computed again and never used", {
  dir <- local_checkpoint()
  elsewhere <- withr::local_tempdir()
  compare(elsewhere, seed = 2)
  file <- run_file(dir, 1:8)
  marker <- file.path(dir, "evaluated")
  edit <- function(path, change) writeLines(change(readLines(path)), path)
  spoil <- list(
    \() edit(file[1], \(x) x[1:9]), # truncated
    \() edit(file[2], \(x) sub("^loss .*", "loss 0x1p-3", x)), # an edited number
    \() file.copy(file[4], file[3], overwrite = TRUE), # a file of another run
    \() file.copy(run_file(elsewhere, 4), file[4], overwrite = TRUE), # a file of another comparison
    \() close(file(file[5], "w")), # empty
    \() writeBin(withr::with_seed(1, as.raw(sample(0:255, 3000, TRUE))), file[6]), # random bytes
    \() writeLines(sprintf("file.create('%s')", marker), file[7]), # code
    \() edit(file[8], \(x) c(x, "more"))
  )
  for (spoil_one in spoil) spoil_one()
  w <- expect_warning(again <- compare(dir), class = "capalloc_warning_checkpoint")
  expect_identical(w$damaged, basename(file))
  expect_snapshot(writeLines(gsub(normalizePath(dir), "<dir>", conditionMessage(w), fixed = TRUE)))
  expect_identical(timeless(again), timeless(alone))
  expect_false(file.exists(marker))
  expect_warning(expect_identical(runs_done(compare(dir)), 0L), NA)
})

test_that("invalid lines are rejected even with a correct checksum", {
  dir <- local_checkpoint()
  file <- run_file(dir, 2)
  lines <- readLines(file)
  lines <- lines[-length(lines)]
  with <- function(lines) {
    capalloc:::write_checkpoint_checked(file, lines)
    w <- expect_warning(again <- compare(dir), class = "capalloc_warning_checkpoint")
    expect_identical(w$damaged, basename(file))
    expect_identical(timeless(again), timeless(alone))
  }
  change <- function(from, to) sub(from, to, lines)
  with(change("^loss .*", "loss system('true')"))
  with(change("^n_params .*", "n_params 0x1.8p+0"))
  with(change("^converged .*", "converged T"))
  with(change("^error .*", "error quit()"))
  with(change("^loss ", "lost "))
  with(change("^allocation 8", "allocation 9"))
  with(lines[-length(lines)])
  with(c(lines, "NA"))
  with(c(lines, "q()"))
  with(lines[1:9])
  with(lines[1:6])
  with(c(lines[1:2], "n_params 7"))
  with("design")
  unlink(file)
  dir.create(file)
  expect_warning(expect_warning(compare(dir), "cannot be read"), "1 run could not be written")
})

test_that("a file that is a link is replaced, and the target of the link is unchanged", {
  skip_on_os("windows")
  dir <- local_checkpoint()
  precious <- withr::local_tempfile(lines = "precious")
  unlink(run_file(dir, 2))
  file.symlink(precious, run_file(dir, 2))
  expect_warning(again <- compare(dir), basename(run_file(dir, 2)), class = "capalloc_warning_checkpoint")
  expect_identical(timeless(again), timeless(alone))
  expect_identical(readLines(precious), "precious")
  expect_identical(Sys.readlink(run_file(dir, 2)), "")
})

# ---- interrupts and kills ------------------------------------------------------------------------

test_that("repeating the call after an interrupt resumes the comparison", {
  dir <- withr::local_tempdir()
  task <- counted_task(tasks$ar, at = 3L, act = rlang::interrupt)
  of <- list(ar = task, sparse = tasks$sparse)
  expect_message(stopped <- compare(dir, of = of), "Interrupted")
  expect_identical(stopped$runs$error, rep(c(NA, "interrupted"), c(2, 6)))
  expect_identical(runs_done(cmp <- compare(dir, of = of)), 6L)
  expect_identical(timeless(cmp)$runs, timeless(alone)$runs)
  expect_identical(cmp$allocation, alone$allocation)
})

# A comparison whose runs take some time, and its result.
slow <- hooked_task(tasks$ar, slow = 0.02)
full <- compare(of = list(slow = slow), replicates = 12)
begin <- function(dir, plan = NULL, env = parent.frame()) {
  start_session(c(plan, sprintf("cmp <- compare_architectures(%s, %s, replicates = 12, n_obs = 30, checkpoint = '%s')",
    "list(dense = arch_dense(8), dilated = arch_dilated(8, filters = 1))",
    paste0("list(slow = structure(utils::modifyList(classical_tasks(8)$ar, list(slow = 0.02)), ",
      "class = c('hooked_task', 'ca_task_ar', 'ca_task')))"), dir),
  sprintf("cmp$runs$seconds <- NULL; saveRDS(cmp, '%s.rds')", dir)), env = env)
}
written <- function(dir) length(list.files(dir, "^run-"))

test_that("a session killed at random times and resumed gives the uninterrupted result", {
  skip_on_cran()
  local_hooked_tasks()
  dir <- file.path(withr::local_tempdir(), "checkpoint")
  until <- c(1, 7, 13, 18)
  for (n in until) {
    session <- begin(dir)
    wait_for(\() written(dir) >= n)
    Sys.sleep(stats::runif(1, 0, 0.02))
    expect_true(tools::pskill(session, tools::SIGKILL))
    expect_lt(written(dir), 24)
  }
  expect_false(file.exists(paste0(dir, ".rds")))
  left <- 24L - written(dir)
  expect_identical(runs_done(cmp <- compare(dir, of = list(slow = slow), replicates = 12)), left)
  expect_identical(timeless(cmp), timeless(full))
})

test_that("a session killed while its workers run keeps the runs that they finished", {
  local_hooked_tasks()
  local_workers()
  dir <- file.path(withr::local_tempdir(), "checkpoint")
  session <- begin(dir, "future::plan('multisession', workers = 2)")
  wait_for(\() written(dir) >= 5)
  expect_true(tools::pskill(session, tools::SIGKILL))
  # Workers of the killed session may still write to the same directory.
  cmp <- compare(dir, of = list(slow = slow), replicates = 12)
  expect_false(file.exists(paste0(dir, ".rds")))
  expect_same_runs(cmp, full)
})

test_that("two sessions can use the same directory at the same time", {
  skip_on_cran()
  local_hooked_tasks()
  dir <- file.path(withr::local_tempdir(), "checkpoint")
  session <- begin(dir)
  wait_for(\() written(dir) >= 1)
  cmp <- compare(dir, of = list(slow = slow), replicates = 12)
  wait_for(\() file.exists(paste0(dir, ".rds")) && !tools::pskill(session, 0))
  theirs <- readRDS(paste0(dir, ".rds"))
  expect_identical(timeless(cmp), timeless(full))
  expect_same_runs(theirs, full)
  expect_warning(expect_identical(runs_done(compare(dir, of = list(slow = slow), replicates = 12)), 0L), NA)
})

test_that("of two manifests written at the same time one is kept, and the other session is refused", {
  dir <- withr::local_tempdir()
  write <- capalloc:::write_checkpoint_manifest
  local_internal("write_checkpoint_manifest", function(...) {
    local_internal("write_checkpoint_manifest", write)
    compare(dir, seed = 2) # another session writes between this session's check and its write
    write(...)
  })
  expect_match(said(compare(dir), dir), "`seed`: 2 there, 1 here", fixed = TRUE)
  expect_identical(compare(dir, seed = 2)$seed, 2L)
})

test_that("a manifest that cannot be replaced is an error", {
  skip_on_os("windows") # directories have no size
  dir <- local_checkpoint()
  unlink(file.path(dir, manifest))
  dir.create(file.path(dir, manifest)) # a non-empty directory in place of the manifest
  file.create(file.path(dir, manifest, "inside"))
  expect_warning(text <- said(compare(dir), dir, "file"), "capalloc-manifest.txt: cannot be read")
  expect_snapshot(writeLines(text))
})

test_that("values of a manifest that are not numbers are shown as they are", {
  dir <- local_checkpoint()
  path <- file.path(dir, manifest)
  lines <- readLines(path)
  capalloc:::write_checkpoint_checked(path, sub("^n_obs .*", "n_obs many", lines[-length(lines)]))
  expect_match(said(compare(dir), dir), "`n_obs`: many there, 30 here", fixed = TRUE)
})

test_that("files that are very large or in another encoding count as damaged and are computed again", {
  skip_on_cran()
  skip_on_os(c("windows", "mac")) # holes of sparse files use no disk space
  dir <- local_checkpoint()
  large <- file(run_file(dir, 2), "wb")
  seek(large, 2^30, rw = "write")
  writeBin(raw(1), large)
  close(large)
  writeBin(c(charToRaw("caf"), as.raw(0xe9), charToRaw("\n")), run_file(dir, 5))
  w <- expect_warning(again <- compare(dir), class = "capalloc_warning_checkpoint")
  expect_match(conditionMessage(w), paste0(basename(run_file(dir, 2)), ": is too large"), fixed = TRUE)
  expect_match(conditionMessage(w), paste0(basename(run_file(dir, 5)), ": is not text"), fixed = TRUE)
  expect_identical(timeless(again), timeless(alone))
})

test_that("the fields of a store are the formals of its constructor", {
  expect_constructor(capalloc:::new_checkpoint_store)
})
