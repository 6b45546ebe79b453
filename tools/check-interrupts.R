# Interrupts long calls at random moments, until N interrupts arrived during a call. After each interrupt the same call
# must return the value that it returns without interrupts. At the end the session must use no more memory than before.
# Call: Rscript check-interrupts.R N SEED

arguments <- as.integer(commandArgs(TRUE))
n <- arguments[[1]]
set.seed(arguments[[2]])
suppressMessages(library(capalloc))

stack <- function(length, filters) {
  net <- input_sequence(length)
  for (d in 2^(seq_len(log2(length)) - 1)) net <- layer_conv(net, if (2 * d < length) filters else 1, 2, dilation = d)
  net
}
curved <- function(size, units) {
  initialise(input_vector(size) |> layer_dense(units, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1),
    seed = 1)
}
long <- task_fgn(128, hurst = 0.8)
x <- matrix(rnorm(400 * 48), 400)
wide <- initialise(stack(2048, 8), seed = 1)
deep <- input_sequence(256)
for (i in 1:200) deep <- layer_residual(deep, \(x) layer_conv(x, 1, 3, padding = "same"), scale = 0.1)
deep <- initialise(deep, seed = 1)

# Functions whose values are compared before and after an interrupt. Values exclude run times.
calls <- list(
  fit = function() coef(fit(stack(128, 4), long, seed = 1, control = list(max_iterations = 150))),
  restarts = function() coef(fit(stack(64, 4), task_fgn(64, hurst = 0.8), seed = 1, restarts = 30)),
  rows = function() coef(fit(curved(16, 6), task_fgn(16, hurst = 0.8), n_obs = 200, seed = 1)),
  adam = function() {
    control <- list(max_iterations = 200, batch = 50)
    coef(fit(curved(16, 12), task_fgn(16, hurst = 0.8), n_obs = 500, method = "adam", seed = 1, control = control))
  },
  capacity = function() capacity(wide)$capacity,
  samples = function() capacity(curved(48, 8), data = x)$capacity,
  propagate = function() propagate_capacity(deep, mode = "linear", limit = Inf)$capacity,
  compare = function() {
    cmp <- compare_architectures(list(dense = arch_dense(32), elman = arch_recurrent(32, 3, "elman")),
      list(fgn = task_fgn(32, hurst = 0.8)), replicates = 15)
    cmp$runs[c("network", "replicate", "loss", "error")]
  }
)
quietly <- function(call) suppressMessages(suppressWarnings(call()))

resident <- function() {
  invisible(gc())
  as.numeric(sub("\\D*(\\d+).*", "\\1", grep("^VmRSS", readLines("/proc/self/status"), value = TRUE))) / 1024
}

# Interrupts a call after some seconds. Returns whether the interrupt arrived before the call ended.
interrupted <- function(call, after) {
  sent <- tempfile()
  command <- sprintf("sleep %.4f; : > %s; kill -INT %d", after, sent, Sys.getpid())
  system2("sh", c("-c", shQuote(command)), wait = FALSE)
  hit <- done <- FALSE
  # an interrupted comparison returns its finished runs with a message
  said <- function(m) if (grepl("Interrupted", conditionMessage(m))) hit <<- TRUE
  tryCatch(
    {
      withCallingHandlers(suppressWarnings(call()), message = function(m) {
        said(m)
        invokeRestart("muffleMessage")
      })
      done <- TRUE
      while (!file.exists(sent)) Sys.sleep(0.002)
      Sys.sleep(0.05)
    },
    interrupt = function(e) hit <<- hit || !done
  )
  unlink(sent)
  hit
}
wanted <- lapply(calls, quietly)
took <- vapply(calls, function(call) system.time(quietly(call))[["elapsed"]], 0)
hits <- stats::setNames(integer(length(calls)), names(calls))
before <- NA
sent <- wrong <- 0L
while (sum(hits) < n && sent < 3L * n) { # some interrupts arrive after the call has ended
  sent <- sent + 1L
  name <- names(calls)[[(sent - 1L) %% length(calls) + 1L]]
  hits[[name]] <- hits[[name]] + interrupted(calls[[name]], stats::runif(1, 0, took[[name]]))
  if (!is.null(getOption("capalloc.muffled"))) stop("options were left changed by ", name)
  took[[name]] <- system.time(again <- quietly(calls[[name]]))[["elapsed"]]
  if (!identical(again, wanted[[name]])) {
    wrong <- wrong + 1L
    cat("interrupt", sent, ": another value of", name, "\n")
  }
  if (sent == length(calls)) before <- resident() # each has been interrupted once
}
after <- resident()
print(data.frame(call = names(calls), interrupted = hits), row.names = FALSE)
cat(sprintf("%d interrupts, %d of them during a call; %d wrong values; %.0f MB, then %.0f MB\n",
  sent, sum(hits), wrong, before, after))
quit(status = if (wrong > 0 || sum(hits) < n || after > before + 30) 1L else 0L)
