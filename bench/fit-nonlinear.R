# How much faster than nnet and PyTorch's L-BFGS does fit() reach the same loss, from the same weights?
# One hidden layer of 20 logistic units, N = 1000, 10 inputs, y = sin(x1) + x2 x3 + noise of sd 0.1.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

set.seed(1)
n <- 1000
x <- matrix(rnorm(n * 10), n)
y <- sin(x[, 1]) + x[, 2] * x[, 3] + rnorm(n, sd = 0.1)
task <- task_data(x, y, test = 0)
net <- input_vector(10) |> layer_dense(20, bias = TRUE) |> layer_activation("sigmoid") |> layer_dense(1, bias = TRUE)
w <- runif(241, -0.7, 0.7)
hidden <- matrix(w[1:220], 11) # order of nnet: unit by unit, the bias of a unit first
start <- set_coef(net, c(t(hidden[-1, ]), hidden[1, ], w[222:241], w[221]))

# Seconds until fit() reaches `loss` or less. The number of iterations is taken from one long run, and a run of that
# many iterations is timed.
reach <- function(loss, method) {
  long <- suppressWarnings(fit(start, task, method = method,
    control = list(max_iterations = switch(method, lm = 400, 4000))))
  at <- match(TRUE, long$history$loss <= loss)
  if (is.na(at)) return(c(NA, NA))
  k <- long$history$iteration[[at]]
  c(seconds(suppressWarnings(fit(start, task, method = method, control = list(max_iterations = k)))), k)
}

rows <- list()
add <- function(peer, time, loss) {
  for (method in c("lm", "lbfgs")) {
    own <- reach(loss, method)
    rows[[length(rows) + 1]] <<- data.frame(
      peer = peer, peer_seconds = time, loss = loss, method = method, iterations = own[[2]], seconds = own[[1]],
      times_sooner = time / own[[1]]
    )
  }
}

if (requireNamespace("nnet", quietly = TRUE)) {
  for (maxit in c(1000, 5000)) {
    run <- function() nnet::nnet(x, y, size = 20, linout = TRUE, maxit = maxit, Wts = w, trace = FALSE, reltol = 0,
      abstol = 0)
    m <- run()
    stopifnot(max(abs(predict(start, x) - predict(nnet::nnet(x, y, size = 20, linout = TRUE, maxit = 0, Wts = w,
      trace = FALSE), x))) < 1e-10)
    add(paste("nnet,", maxit, "iterations"), seconds(run(), if (maxit > 1000) 1 else 5), m$value / n)
  }
}
peer <- torch("fit-nonlinear.py", write_matrix(cbind(x, y)), write_matrix(matrix(coef(start))))
if (!is.null(peer)) add("PyTorch L-BFGS", peer$seconds, peer$loss)
print(do.call(rbind, rows), digits = 3, row.names = FALSE)
