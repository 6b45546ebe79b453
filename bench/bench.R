# What the scripts of this folder share. Each answers one question, prints one table and can be run by
# anyone with capalloc installed: Rscript bench/<question>.R
# Ratios are measured in one run on one machine, with one BLAS thread on both sides unless
# OMP_NUM_THREADS says otherwise; medians of five runs after one to warm up, taken in turn where two
# sides are compared. CAPALLOC_BENCH_QUICK=1 makes them small and few, to see that a script runs; on a busy machine
# CAPALLOC_BENCH_CLOCK=cpu counts the processor's time on both sides instead of the clock's, which one thread allows.

bench_file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
bench_folder <- dirname(bench_file)

# A BLAS reads its number of threads when R starts, so the script is run again with that set.
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

# Medians of `times` runs of each of the expressions, taken in turn, after one of each to warm up. Short ones are
# repeated, since the clock counts milliseconds; the first of a long one counts.
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

# python3, or the one that CAPALLOC_PYTHON names, if it has PyTorch; else "".
find_torch <- function() {
  has_torch <- function(python) {
    system2(python, c("-c", shQuote("import numpy, torch")), stdout = FALSE, stderr = FALSE) == 0
  }
  candidates <- c(Sys.getenv("CAPALLOC_PYTHON"), Sys.which(c("python3", "/usr/bin/python3")))
  python <- Filter(has_torch, setdiff(candidates, ""))
  if (length(python) == 0) cat("PyTorch is not there: its side is skipped.\n")
  c(python, "")[[1]]
}
the <- new.env()

# Runs a Python script of this folder that prints "name value" lines; NULL where PyTorch is not there.
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

# Doubles that a Python script has left in a file.
read_doubles <- function(file) readBin(file, "double", file.size(file) / 8)

# The largest difference of two results over the largest entry; they must be equal.
difference <- function(own, peer, most = 1e-10) {
  d <- max(abs(own - peer)) / max(abs(own))
  if (!(d <= most)) stop("The two sides differ by ", format(d), " of the largest entry")
  d
}

# ---- allocation of a matrix ----------------------------------------------------------------------

# What capacity() asks C when the network's tangent is J: a dense layer, whose own tangent is the identity, asked
# about the rows of J.
matrix_question <- function(J) {
  net <- set_coef(input_vector(ncol(J)) |> layer_dense(1), numeric(ncol(J)))
  about <- capalloc:::new_allocation(net, "identity", 0, NULL, NULL, NULL, NULL)
  list(
    graph = capalloc:::lower(net), theta = net$coef, tol = 10 * max(dim(J)) * .Machine$double.eps,
    setting = list(
      layer = about$kept, x = NULL, rows = J, tol = 10 * max(dim(J)) * .Machine$double.eps, ridge = 0,
      block = as.double(capalloc:::block_size(1, nrow(J), ncol(J)))
    )
  )
}

allocate_matrix <- function(question) {
  with(question, .Call(capalloc:::ffi_capacity, graph, theta, setting, list(turned = NULL, group = NULL)))
}

# ---- memory --------------------------------------------------------------------------------------

# Runs R code, lines of text, in an R session of its own; what it prints.
in_session <- function(code, prefix = character()) {
  file <- tempfile(fileext = ".R")
  writeLines(code, file)
  call <- c(prefix, file.path(R.home("bin"), "Rscript"), file)
  system2(call[[1L]], shQuote(call[-1L]), stdout = TRUE, stderr = TRUE)
}

# Lines of code that define peak() and start_peak(): megabytes of resident memory, of this Linux process.
peak_code <- c(
  'status <- function(key) {',
  '  as.numeric(gsub("[^0-9]", "", grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024',
  '}',
  'start_peak <- function() { invisible(gc()); cat("5", file = "/proc/self/clear_refs"); status("VmRSS") }',
  'peak <- function() status("VmHWM")'
)
