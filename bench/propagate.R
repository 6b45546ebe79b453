# How long does capacity through layers take, for a residual chain of depth 1000 on 256 positions in mode total (target:
# seconds), and in the other modes at their usual depths?

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

chain <- function(depth, length, activation = NULL) {
  net <- input_sequence(length)
  for (l in seq_len(depth)) {
    net <- layer_residual(net, function(x) {
      x <- layer_conv(x, 1, kernel = 3, padding = "same")
      if (is.null(activation)) x else layer_activation(x, activation)
    }, scale = 1 / sqrt(depth))
  }
  initialise(net, seed = 1)
}
task <- task_fgn(256, 0.8)
x <- simulate(task, 200, seed = 1)$x
one <- list(position = 128)
wide <- input_sequence(64) |> layer_conv(4, 3, padding = "same") |> layer_activation("tanh") |>
  layer_conv(4, 3, padding = "same") |> layer_activation("tanh") |> layer_dense(1) |> initialise(seed = 1)
chained <- input_sequence(64) |> layer_recurrent(1, activation = "tanh") |> layer_dense(1) |> initialise(seed = 1)

long <- chain(1000, 256, "relu")
short <- chain(50, 256, "relu")
print(data.frame(
  what = c("total, depth 1000", "total, depth 1000, gates at 200 rows", "linear, depth 1000, one output",
    "total, depth 50, gates of a task", "gaussian, depth 50, one output", "empirical, depth 50, one output",
    "gaussian, 48 parameters, 256 units", "linear, parameters of a recurrence, length 64"),
  seconds = c(
    seconds(propagate_capacity(long), 1), seconds(propagate_capacity(long, data = x), 1),
    seconds(propagate_capacity(long, one, "linear"), 1), seconds(propagate_capacity(short, task = task), 1),
    seconds(propagate_capacity(short, one, "gaussian", task = task), 1),
    seconds(propagate_capacity(short, one, "empirical", data = x), 1),
    seconds(propagate_capacity(wide, "conv2", "gaussian"), 1),
    seconds(propagate_capacity(chained, "recurrent1", "linear"), 20)
  )
), digits = 2, row.names = FALSE)
