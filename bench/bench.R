# What the scripts of this folder share. Each answers one question, prints one table and can be run by
# anyone with capalloc installed: Rscript bench/<question>.R
# Ratios are measured in one run on one machine, with one BLAS thread on both sides unless
# OMP_NUM_THREADS says otherwise; medians of `times` runs after one to warm up.

if (Sys.getenv("OMP_NUM_THREADS") == "") Sys.setenv(OMP_NUM_THREADS = 1, OPENBLAS_NUM_THREADS = 1)
suppressMessages(library(capalloc))

bench_folder <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1]))

seconds <- function(code, times = 5) {
  call <- substitute(code)
  frame <- parent.frame()
  run <- function() system.time(eval(call, frame))[[3L]]
  run()
  stats::median(vapply(seq_len(times), function(i) run(), 0))
}

machine <- function() {
  cpu <- tryCatch(sub(".*: ", "", grep("model name", readLines("/proc/cpuinfo"), value = TRUE)[[1]]), error = function(e) "?")
  cat(R.version.string, "| BLAS", basename(extSoftVersion()[["BLAS"]]), "|", cpu, "x", parallel::detectCores(), "\n\n")
}

# Runs a Python script of this folder (with python3, or the one that CAPALLOC_PYTHON names) that prints "name value" lines; NULL where PyTorch is not there.
torch <- function(script, ...) {
  has_torch <- function(python) system2(python, c("-c", shQuote("import torch")), stdout = FALSE, stderr = FALSE) == 0
  python <- Filter(has_torch, setdiff(c(Sys.getenv("CAPALLOC_PYTHON"), Sys.which(c("python3", "/usr/bin/python3"))), ""))
  if (length(python) == 0) {
    cat("PyTorch is not there: its side is skipped.\n")
    return(NULL)
  }
  python <- python[[1]]
  out <- system2(python, c(file.path(bench_folder, script), ...), stdout = TRUE)
  words <- strsplit(grep("^[a-z_]+ [-0-9.e]+$", out, value = TRUE), " ")
  stats::setNames(lapply(words, function(w) as.numeric(w[[2]])), vapply(words, `[[`, "", 1L))
}

write_matrix <- function(x) {
  file <- tempfile(fileext = ".csv")
  utils::write.table(format(x, digits = 17), file, row.names = FALSE, col.names = FALSE, quote = FALSE, sep = ",")
  file
}
