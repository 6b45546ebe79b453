# Functions that the benchmarks share. Each script answers one question and prints one table. It needs an installed
# capalloc: Rscript bench/<question>.R
# Ratios are measured in one run on one machine, with one BLAS thread on both sides unless OMP_NUM_THREADS is set. Times
# are medians of five runs after a warm-up run; runs of two compared sides alternate.
# CAPALLOC_BENCH_QUICK=1 selects small problems and single runs, to test a script. CAPALLOC_BENCH_CLOCK=cpu measures
# processor time on both sides instead of elapsed time, for a busy machine; it is valid for one thread only.

bench_file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
bench_folder <- dirname(bench_file)

# BLAS reads its number of threads when R starts, so the script runs again in a process with the number set.
if (Sys.getenv("OMP_NUM_THREADS") == "") {
  Sys.setenv(OMP_NUM_THREADS = 1, OPENBLAS_NUM_THREADS = 1)
  quit(status = system2(file.path(R.home("bin"), "Rscript"), shQuote(c(bench_file, commandArgs(TRUE)))))
}
suppressMessages(library(capalloc))
options(width = 160)

quick <- nzchar(Sys.getenv("CAPALLOC_BENCH_QUICK"))
usual_times <- if (quick) 1L else 5L

now <- function() {
  time <- proc.time()
  if (Sys.getenv("CAPALLOC_BENCH_CLOCK") == "cpu") time[["user.self"]] + time[["sys.self"]] else time[["elapsed"]]
}

# Median seconds of `times` alternating runs of each expression, after a warm-up run of each. Short expressions are
# repeated, since the clock resolves milliseconds. The warm-up run of an expression longer than 5 s counts as a run.
seconds_each <- function(..., times = usual_times) {
  calls <- as.list(substitute(list(...)))[-1L]
  frame <- parent.frame()
  once <- function(call, repeats = 1L) {
    began <- now()
    for (i in seq_len(repeats)) eval(call, frame)
    (now() - began) / repeats
  }
  first <- vapply(calls, once, 0)
  repeats <- vapply(seq_along(calls), function(i) {
    if (first[[i]] < 0.05) max(1, floor(0.05 / max(once(calls[[i]]), 1e-4))) else 1
  }, 0)
  long <- first > 5
  rest <- vapply(seq_len(times - all(long)), function(i) {
    due <- !(long & i == times)
    replace(rep(NA, length(calls)), due, unlist(Map(once, calls[due], repeats[due])))
  }, first)
  runs <- matrix(cbind(ifelse(long, first, NA), rest), length(calls), dimnames = list(names(calls)))
  apply(runs, 1L, stats::median, na.rm = TRUE)
}

seconds <- function(code, times = usual_times) {
  eval(call("seconds_each", substitute(code), times = times), parent.frame())[[1L]]
}

machine <- function() {
  model <- function() grep("model name", readLines("/proc/cpuinfo"), value = TRUE)[[1]]
  cpu <- tryCatch(sub(".*: ", "", model()), error = function(e) "?", warning = function(w) "?")
  blas <- extSoftVersion()[["BLAS"]]
  cat(R.version.string, "| BLAS", file.path(basename(dirname(blas)), basename(blas)), "with", basename(La_library()),
    "|", Sys.getenv("OMP_NUM_THREADS"), "thread(s) |", cpu, "x", parallel::detectCores(),
    if (Sys.getenv("CAPALLOC_BENCH_CLOCK") == "cpu") "| processor's time", "\n\n")
}

show <- function(frame) print(frame, digits = 3, row.names = FALSE)

# ---- PyTorch -------------------------------------------------------------------------------------

# The first Python that has PyTorch: CAPALLOC_PYTHON, else python3, else "".
find_torch <- function() {
  has_torch <- function(python) {
    system2(python, c("-c", shQuote("import numpy, torch")), stdout = FALSE, stderr = FALSE) == 0
  }
  candidates <- c(Sys.getenv("CAPALLOC_PYTHON"), Sys.which(c("python3", "/usr/bin/python3")))
  python <- Filter(has_torch, setdiff(candidates, ""))
  if (length(python) == 0) cat("PyTorch is not installed: comparisons with it are skipped.\n")
  c(python, "")[[1]]
}
the <- new.env()

# Runs a Python script of this folder that prints lines "name value", and returns a named list of the values. NULL if
# PyTorch is not installed.
torch <- function(script, ...) {
  if (is.null(the$python)) the$python <- find_torch()
  if (the$python == "") return(NULL)
  out <- system2(the$python, c(file.path(bench_folder, script), ...), stdout = TRUE)
  words <- strsplit(grep("^[a-z_]+ [-+0-9.e]+$", out, value = TRUE), " ")
  stats::setNames(lapply(words, function(w) as.numeric(w[[2]])), vapply(words, `[[`, "", 1L))
}

write_matrix <- function(x) {
  file <- tempfile(fileext = ".csv")
  utils::write.table(format(x, digits = 17), file, row.names = FALSE, col.names = FALSE, quote = FALSE, sep = ",")
  file
}

# Reads a file of doubles that a Python script wrote.
read_doubles <- function(file) readBin(file, "double", file.size(file) / 8)

# The largest absolute difference of two results relative to the largest entry of the first; an error above `most`.
difference <- function(own, peer, most = 1e-10) {
  d <- max(abs(own - peer)) / max(abs(own))
  if (!(d <= most)) stop("The two sides differ by ", format(d), " of the largest entry")
  d
}

# ---- allocation of a matrix ----------------------------------------------------------------------

# The arguments of the allocation routine for a network with tangent J. The network is a dense layer, whose tangent is
# the identity, evaluated at the rows of J.
matrix_question <- function(J) {
  net <- set_coef(input_vector(ncol(J)) |> layer_dense(1), numeric(ncol(J)))
  allocation <- capalloc:::read_allocation(net, "identity", 0, NULL, NULL, NULL, NULL)
  list(
    graph = capalloc:::lower_network(net), theta = net$coef, tol = 10 * max(dim(J)) * .Machine$double.eps,
    setting = list(
      array = allocation$array, left_out = NULL, x = NULL, rows = J, tol = 10 * max(dim(J)) * .Machine$double.eps,
      ridge = 0, decay = 0, block = as.double(capalloc:::allocation_block_size(1, nrow(J), ncol(J))),
      columns = 1, parameters = FALSE
    )
  )
}

allocate_matrix <- function(question) {
  with(question, .Call(capalloc:::ffi_capacity, graph, theta, setting, list(turned = NULL, group = NULL)))
}

# ---- memory --------------------------------------------------------------------------------------

# Runs lines of R code in a separate R session and returns its output.
in_session <- function(code, prefix = character()) {
  file <- tempfile(fileext = ".R")
  writeLines(code, file)
  call <- c(prefix, file.path(R.home("bin"), "Rscript"), file)
  system2(call[[1L]], shQuote(call[-1L]), stdout = TRUE, stderr = TRUE)
}

# Lines of code that define peak() and start_peak(): resident memory of the process in megabytes (Linux only).
peak_code <- c(
  'status <- function(key) {',
  '  as.numeric(gsub("[^0-9]", "", grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024',
  '}',
  'start_peak <- function() { invisible(gc()); cat("5", file = "/proc/self/clear_refs"); status("VmRSS") }',
  'peak <- function() status("VmHWM")'
)
