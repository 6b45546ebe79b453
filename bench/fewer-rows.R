# What does capacity() take when a network has fewer rows (samples x outputs x coordinates) than parameters? Time
# relative to a floor, the QR of the transposed tangent; time and memory relative to what is announced before.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()
eval(parse(text = peak_code))

tanh_network <- function(inputs, units) {
  input_vector(inputs) |> layer_dense(units, bias = TRUE) |> layer_activation("tanh") |> layer_dense(units) |>
    layer_activation("tanh") |> layer_dense(1) |> initialise(seed = 1)
}
normal_rows <- function(n, inputs) {
  set.seed(1)
  matrix(rnorm(n * inputs), n)
}
linear <- initialise(input_vector(11) |> layer_dense(4000) |> layer_dense(2), seed = 1)
cases <- list(
  list(network = linear, data = NULL),
  list(network = tanh_network(16, if (quick) 50 else 100), data = normal_rows(if (quick) 20 else 100, 16)),
  list(network = tanh_network(16, if (quick) 100 else 400), data = normal_rows(30, 16))
)

for (case in cases) {
  allocation <- capalloc:::read_allocation(case$network, "identity", 0.01, NULL, case$data, NULL, NULL)
  cost <- capalloc:::allocation_cost(allocation)
  rows <- allocation$n_rows
  p <- allocation$n_kept
  before <- start_peak()
  took <- seconds(suppressMessages(suppressWarnings(capacity(case$network, data = case$data, ridge = 0.01))))
  above <- peak() - before
  block <- min(p, 8192)
  tall <- matrix(rnorm(block * rows), block)
  floor <- seconds(qr(tall, LAPACK = TRUE)) * p / block
  show(data.frame(
    rows = rows, p = p, seconds = took, floor_seconds = floor, ratio = took / floor, megabytes = above,
    announced_megabytes = cost$bytes / 2^20, announced_gflop = cost$flops / 1e9,
    gflop_per_second = cost$flops / 1e9 / took
  ))
}
