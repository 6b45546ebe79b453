# How much time of a small fit() and capacity() is spent in R code? One of each at length 64: dilated stack of 2
# filters, p = 46. ms_r is the total time minus that of the same .Calls repeated with the same arguments. The second
# table is from R's profiler: the samples outside .Call, by the innermost function of capalloc (`own`, which includes
# the functions of other packages that it calls) and by every function of capalloc on the stack (`with_callees`).
# Targets: R code under 2 ms and under 20% of the total.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

net <- arch_dilated(64, filters = 2)
task <- task_fgn(64, hurst = 0.8)
whole <- function() {
  trained <- fit(net, task, seed = 1)
  capacity(trained)
}

# The arguments of the .Calls of fit() and capacity().
graph <- capalloc:::lower_network(net)
root <- capalloc:::moment_root(task$moments, capalloc:::has_bias(net))
control <- capalloc:::fit_control(list(), "lm")
start <- capalloc:::initialise_coef(net, "glorot", capalloc:::derive_seeds(1L, 2L)[[2L]])
trained <- fit(net, task, seed = 1)
theta <- trained$network$coef
allocation <- capalloc:::read_allocation(trained, "identity", 0, NULL, NULL, NULL, NULL)
setting <- list(
  array = allocation$array, left_out = NULL, x = NULL, rows = NULL, tol = allocation$tol, ridge = 0, decay = 0,
  block = as.double(allocation$block), columns = as.double(allocation$columns), parameters = FALSE
)
call_fit <- function() .Call(capalloc:::ffi_fit, graph, start, root, "lm", control)
call_capacity <- function() .Call(capalloc:::ffi_capacity, graph, theta, setting, list(turned = NULL, group = NULL))
stopifnot(
  trained$converged, all.equal(call_fit()$coef, theta),
  all.equal(sum(call_capacity()$answer), sum(capacity(trained)$capacity))
)

took <- seconds_each(
  whole = whole(), fit = fit(net, task, seed = 1), capacity = capacity(trained), call_fit = call_fit(),
  call_capacity = call_capacity(), times = if (quick) 3 else 15
)
row <- function(what, whole, call) {
  data.frame(
    what = what, p = length(theta), ms = 1e3 * whole, ms_call = 1e3 * call, ms_r = 1e3 * (whole - call), most_ms = 2,
    share = (whole - call) / whole, most = 0.2
  )
}
show(rbind(
  row("fit", took[["fit"]], took[["call_fit"]]),
  row("capacity", took[["capacity"]], took[["call_capacity"]]),
  row("both", took[["whole"]], took[["call_fit"]] + took[["call_capacity"]])
))

repeats <- if (quick) 50 else 500
profile <- tempfile()
began <- now()
Rprof(profile, interval = 0.002)
for (i in seq_len(repeats)) whole()
Rprof(NULL)
elapsed <- now() - began
stacks <- lapply(strsplit(readLines(profile)[-1], "\" \"?"), gsub, pattern = "\"", replacement = "")
stacks <- lapply(stacks, function(stack) sub("^capalloc:::?", "", stack[stack != ""]))
# In byte-compiled code .Call is not on the stack; the innermost function is then its caller (`train` in fit()).
functions <- Filter(is.function, as.list(asNamespace("capalloc"), all.names = TRUE))
callers <- c(".Call", "train", names(Filter(function(f) ".Call" %in% all.names(body(f)), functions)))
stacks <- Filter(function(stack) length(stack) > 0 && !stack[[1]] %in% callers, stacks) # outside .Call
samples <- length(readLines(profile)) - 1
ours <- lapply(stacks, function(stack) stack[stack %in% names(functions)])
own <- table(unlist(lapply(ours, function(stack) if (length(stack) == 0) "(other)" else stack[[1]])))
with_callees <- table(unlist(lapply(ours, unique)))
each <- 1e3 * elapsed / repeats / samples # ms of one sample
result <- data.frame(
  outside_call = c("all R code", names(own)), own_ms = c(length(stacks), own) * each,
  with_callees_ms = c(length(stacks), with_callees[names(own)]) * each, row.names = NULL
)
cat(sprintf("\n%d fits and capacities of %.2f ms each, ", repeats, 1e3 * elapsed / repeats))
cat(sprintf("%.0f%% of the profiler's samples outside .Call (most: 20%%)\n", 100 * length(stacks) / samples))
result <- result[order(-result$own_ms), ]
show(head(result, 15))
