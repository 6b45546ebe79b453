# How much time and memory does capacity() of a nonlinear network take: N = 5000 samples of 64 inputs, one hidden layer
# of 15 tanh units, p = 991? Time relative to a floor, two passes of BLAS-3 and one factorisation (target: at most 1.5
# times), and peak memory above an idle session that has loaded the package (target: under 300 MB).

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

set.seed(1)
n <- if (quick) 500 else 5000
x <- matrix(rnorm(n * 64), n)
net <- input_vector(64) |> layer_dense(15, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
net <- initialise(net, seed = 1)
p <- length(coef(net))
allocate <- function() suppressMessages(suppressWarnings(capacity(net, data = x)))

eval(parse(text = peak_code))
has_peak <- file.exists("/proc/self/status")
before <- if (has_peak) peak() else NA
k <- allocate()
after <- if (has_peak) peak() else NA

# QR of the rows and their product with the right singular vectors need 2 rows p^2 operations each, as many as one
# product with a p x p matrix.
rows <- n * 65
block <- matrix(rnorm(4096 * p), 4096)
square <- matrix(rnorm(p * p), p)
took <- seconds_each(own = allocate(), product = block %*% square, svd = svd(square))
floor <- 2 * rows / 4096 * took[["product"]] + took[["svd"]]
show(data.frame(
  p = p, rows = rows, seconds = took[["own"]], floor_seconds = floor, ratio = took[["own"]] / floor, most = 1.5,
  megabytes_above_idle = after - before, most_megabytes = 300, total = glance(k)$total
))
