# Called by check-calls.sh with the folder of the tests, the number of calls, a seed and the first number.
#
# tests/testthat/helper-calls.R makes the calls. They run in processes of a thousand calls each. A process writes the
# number of a call to a file before it makes the call. If the process ends early or a call takes too long, this file
# identifies the call, and the next process starts with the call after it. CAPALLOC_CALL_MEMORY is the memory limit of a
# process in kilobytes, or "unlimited" for sanitizers.

memory <- Sys.getenv("CAPALLOC_CALL_MEMORY", "4000000")
longest <- 30 # seconds that one call may take
each <- 1000

# ---- a process of calls --------------------------------------------------------------------------

make_calls <- function(tests, seed, first, last, folder) {
  suppressPackageStartupMessages(library(testthat))
  house <- new.env(parent = asNamespace("capalloc"))
  for (file in list.files(tests, "^helper-.*[.]R$", full.names = TRUE)) sys.source(file, house)
  bases <- house$ffi_bases(seed)
  found <- house$with_plain_errors(lapply(first:last, function(number) {
    call <- house$ffi_bad_call(bases, seed, number)
    writeLines(paste(number, call$routine), file.path(folder, "at"))
    data.frame(number = number, routine = call$routine, outcome = house$ffi_call_outcome(call))
  }))
  saveRDS(do.call(rbind, found), file.path(folder, "found.rds"))
}

# ---- monitoring a process ------------------------------------------------------------------------

# Starts a process of calls in the background and returns its folder, where its exit status is written when it ends.
begin <- function(...) {
  folder <- tempfile("calls")
  dir.create(folder)
  child <- paste(shQuote(c(file.path(R.home("bin"), "Rscript"), script, "calls", ..., folder)), collapse = " ")
  lines <- c(
    paste("ulimit -v", memory), paste0("cd ", shQuote(folder)), paste(child, "> log 2>&1 & echo $! > pid"),
    "wait $!", "echo $? > status.part; mv status.part status"
  )
  writeLines(lines, file.path(folder, "run.sh"))
  system2("sh", shQuote(file.path(folder, "run.sh")), wait = FALSE)
  folder
}

here <- function(folder, file) file.exists(file.path(folder, file))
text_of <- function(folder, file) if (here(folder, file)) readLines(file.path(folder, file), warn = FALSE) else ""
call_of <- function(folder) paste(text_of(folder, "at"), collapse = "")

# Waits until the process of a folder ends. Returns "" if it made all its calls, else the reason why not.
watch <- function(folder) {
  at <- ""
  since <- proc.time()[["elapsed"]]
  while (!here(folder, "status")) {
    Sys.sleep(0.05)
    now <- call_of(folder)
    if (now != "" && now != at) since <- proc.time()[["elapsed"]]
    if (now != "") at <- now
    # the limit is longer before the first call, since R and packages are loaded then
    if (proc.time()[["elapsed"]] - since > if (at == "") 10 * longest else longest) {
      tools::pskill(as.integer(text_of(folder, "pid")), tools::SIGKILL)
      return(paste("still running after", longest, "seconds"))
    }
  }
  if (here(folder, "found.rds")) "" else paste("the process ended with status", text_of(folder, "status"))
}

# Returns a data frame with one row for each call: all calls of a complete process, or the call that ended it.
calls_of <- function(folder, end) {
  if (end == "") return(readRDS(file.path(folder, "found.rds")))
  at <- strsplit(call_of(folder), " ")[[1L]]
  writeLines(utils::tail(text_of(folder, "log"), 20))
  if (length(at) != 2L) stop("no call was made: ", end)
  data.frame(number = as.integer(at[1L]), routine = at[2L], outcome = end)
}

check <- function(tests, n, seed, first) {
  last <- first + n - 1
  found <- NULL
  from <- first
  while (from <= last) {
    to <- min(last, from + each - 1)
    folder <- begin(tests, seed, from, to)
    end <- watch(folder)
    new <- calls_of(folder, end)
    # the results of the calls before the one that ended the process are lost, so these calls are repeated
    if (end != "" && new$number > from) {
      again <- begin(tests, seed, from, new$number - 1)
      new <- rbind(calls_of(again, watch(again)), new)
    }
    found <- rbind(found, new)
    from <- max(new$number) + 1
  }
  found
}

# Prints a summary and the bad calls. Returns whether each call ended in an error or a value.
tell <- function(found, seed) {
  good <- c("error", "value", "R's error")
  bad <- found[!found$outcome %in% good, ]
  print(table(found$routine, factor(found$outcome, good), dnn = NULL))
  cat(sprintf(
    "%d calls of %d routines with seed %d: %d refused, %d still valid, %d refused by R, %d other\n",
    nrow(found), length(unique(found$routine)), seed, sum(found$outcome == "error"), sum(found$outcome == "value"),
    sum(found$outcome == "R's error"), nrow(bad)
  ))
  again <- sprintf("%s: %s (sh tools/check-calls.sh 1 %d %d)", bad$routine, bad$outcome, seed, bad$number)
  writeLines(again)
  nrow(bad) == 0L
}

script <- normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
given <- commandArgs(TRUE)
if (given[1L] == "calls") {
  numbers <- as.integer(given[3:5])
  make_calls(given[2L], numbers[1L], numbers[2L], numbers[3L], given[6L])
} else {
  numbers <- as.integer(given[2:4])
  if (anyNA(numbers) || any(numbers < 1L)) stop("N, SEED and FIRST must be positive whole numbers")
  good <- tell(check(normalizePath(given[1L]), numbers[1L], numbers[2L], numbers[3L]), numbers[2L])
  quit(status = if (good) 0L else 1L)
}
