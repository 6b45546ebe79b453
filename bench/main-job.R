# How much faster is compare_architectures() with two workers? 8 architectures x 6 tasks at length 64, with so many
# replicates that the sequential run takes 60 seconds; in this session, on one and on two multisession workers, one BLAS
# thread each. The time to start workers is excluded: each does a run before. Target: two workers at least 1.7 times
# faster than one. It takes about three minutes; with CAPALLOC_BENCH_QUICK=1 the sequential run takes 5 seconds.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

if (!requireNamespace("future", quietly = TRUE)) stop("This needs the package future.")

networks <- classical_architectures(64)[1:8]
tasks <- classical_tasks(64)[1:6]
run <- function(replicates, networks_ = networks, tasks_ = tasks) {
  system.time(cmp <<- compare_architectures(networks_, tasks_, replicates = replicates, seed = 1))[[3]]
}

warm <- run(1, networks[1:2], tasks[1:2])
replicates <- ceiling((if (quick) 5 else 60) / run(1))

rows <- list()
add <- function(where) {
  took <- run(replicates)
  rows[[length(rows) + 1]] <<- data.frame(
    where = where, replicates = replicates, runs = nrow(cmp$runs), failed = sum(is.na(cmp$runs$train_loss)),
    converged = sum(cmp$runs$converged), seconds = took, runs_per_second = nrow(cmp$runs) / took
  )
  cmp$runs[c("network", "task", "replicate", "seed", "loss", "total_capacity", "converged")]
}
here <- add("this session")
spent <- tapply(cmp$runs$seconds, factor(cmp$runs$network, names(networks)), sum)
results <- lapply(1:2, function(workers) {
  future::plan("multisession", workers = I(workers))
  run(4, networks[1:4], tasks[1:2]) # warm-up: every worker loads the package and compiles its functions
  out <- add(paste(workers, "worker(s)"))
  future::plan("sequential")
  out
})
stopifnot(identical(here, results[[1]]), identical(here, results[[2]]))
result <- do.call(rbind, rows)
result$speed_up <- result$seconds[[2]] / result$seconds
result$target <- c(NA, NA, 1.7)
show(result)
cat("\nIn fit(), by network:\n")
show(data.frame(network = names(spent), seconds = unname(spent), share = unname(spent / sum(spent))))
