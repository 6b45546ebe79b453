# How much memory and time does a comparison of 10000 runs take in the main process, beyond the runs themselves? Small
# networks, sequentially, with a checkpoint, resumed from it, and on two workers.
#
# Call: Rscript bench/scale.R [RUNS]; each way runs in a separate session

arguments <- commandArgs(TRUE)
runs <- if (length(arguments) > 0) as.integer(arguments[1]) else 10000L
ways <- c("alone", "written", "resumed", "workers")

if (length(arguments) < 2) {
  this <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
  dir <- tempfile("checkpoint")
  for (way in ways) system2(file.path(R.home("bin"), "Rscript"), c(shQuote(this), runs, way, shQuote(dir)))
  unlink(dir, recursive = TRUE)
  quit(status = 0)
}

library(capalloc)
way <- arguments[2]
nets <- list(dense = arch_dense(16), dilated = arch_dilated(16))
tasks <- classical_tasks(16)[1:5]
if (way == "workers") future::plan("multisession", workers = 2)
peak <- function() {
  status <- readLines("/proc/self/status")
  as.numeric(gsub("[^0-9]", "", grep("^VmHWM", status, value = TRUE))) / 1024
}
before <- peak()
seconds <- system.time(cmp <- compare_architectures(nets, tasks,
  replicates = runs %/% 10L, checkpoint = if (way %in% c("written", "resumed")) arguments[3]
))[["elapsed"]]
cat(sprintf("%-8s %6d runs %7.1f s %7.0f MB at most (%.0f MB before), runs themselves %.1f s, failed %d\n", way,
  nrow(cmp$runs), seconds, peak(), before, sum(cmp$runs$seconds, na.rm = TRUE), glance(cmp)$failed))
