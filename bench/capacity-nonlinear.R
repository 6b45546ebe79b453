# What does capacity() of a non-linear network cost: N = 5000 samples of 64 inputs, p = 1000, tanh?
# Time against its floor (two passes of BLAS-3 and one factorisation),
# and peak memory above an idle session that has the package loaded.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

set.seed(1)
n <- 5000
x <- matrix(rnorm(n * 64), n)
net <- input_vector(64) |> layer_dense(15, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE) |>
  layer_dense(3) |> layer_dense(1, bias = TRUE)
net <- initialise(net, seed = 1)
p <- length(coef(net))

peak <- function() as.numeric(sub("[^0-9]*([0-9]+).*", "\\1", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))) / 1024
before <- if (file.exists("/proc/self/status")) peak() else NA
own <- system.time(k <- suppressWarnings(capacity(net, data = x)))[[3]]
after <- if (file.exists("/proc/self/status")) peak() else NA

# QR of the rows and their product with the right vectors are 2 rows p^2 operations each: as many as one
# product with a p x p matrix.
rows <- n * 65
block <- matrix(rnorm(4096 * p), 4096)
square <- matrix(rnorm(p * p), p)
floor <- 2 * rows / 4096 * seconds(block %*% square) + seconds(svd(square), 1)
print(data.frame(
  p = p, rows = rows, seconds = own, floor_seconds = floor, ratio = own / floor, megabytes_above_idle = after - before,
  total = glance(k)$total
), digits = 3, row.names = FALSE)
