# How much memory does the allocation of a tangent of 200000 x 1000 take? Three strided convolutions and a dense
# layer, 20000 inputs, 10 outputs, p = 1030, in a separate session under /usr/bin/time -v. `megabytes` is its peak
# resident memory, `idle` that of a session that has loaded the package and built the network. `size` is the size of J.
# Target: less than 300 MB above idle.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

timer <- "/usr/bin/time"
if (!file.exists(timer) && !file.exists("/proc/self/status")) {
  stop("This needs /usr/bin/time (Debian's package time) or Linux.")
}

length <- if (quick) 2000 else 20000
build <- c(
  "suppressMessages(library(capalloc))",
  sprintf("net <- input_sequence(%1$d) |> layer_conv(4, kernel = %2$d, stride = %2$d) |>", length, length / 1000),
  "  layer_conv(5, kernel = 10, stride = 10) |> layer_conv(5, kernel = 10, stride = 10) |> layer_dense(10)",
  "net <- initialise(net, seed = 1)"
)
allocate <- c(
  "took <- system.time(k <- suppressMessages(suppressWarnings(capacity(net))))[[3]]",
  'cat("seconds", took, "\\ntotal", attr(k, "total"), "\\np", length(coef(net)), "\\n")'
)

# Returns a list of the numbers that a session prints (seconds, total, p) and of its peak memory in megabytes.
session <- function(code) {
  own <- c(peak_code, code, 'if (file.exists("/proc/self/status")) cat("peak", peak(), "\\n")')
  said <- in_session(own, prefix = if (file.exists(timer)) c(timer, "-v"))
  value <- function(key) as.numeric(sub(".*[: ]([0-9.]+) *$", "\\1", grep(key, said, value = TRUE)))
  list(
    seconds = value("^seconds"), total = value("^total"), p = value("^p "),
    peak = if (file.exists(timer)) value("Maximum resident") / 1024 else value("^peak")
  )
}
idle <- session(build)
busy <- session(c(build, allocate))
show(data.frame(
  rows = 10 * length, p = busy$p, size = 80 * length * busy$p / 2^20, megabytes = busy$peak, idle = idle$peak,
  above_idle = busy$peak - idle$peak, most = 300, seconds = busy$seconds, total = busy$total
))
