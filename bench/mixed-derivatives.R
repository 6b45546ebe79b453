# How fast are mixed derivatives d2 yhat / dx dtheta, compared with PyTorch's vmap of jacrev of grad?
# One hidden layer of 15 tanh units, 64 inputs (p = 991), N = 200 samples.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

set.seed(1)
x <- matrix(rnorm(200 * 64), 200)
net <- input_vector(64) |> layer_dense(15, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
net <- initialise(net, seed = 1)
graph <- capalloc:::lower_network(net)
own <- seconds(.Call(capalloc:::ffi_extended, graph, net$coef, x))
D <- array(.Call(capalloc:::ffi_extended, graph, net$coef, x), c(200, 65, 991))
peer <- torch("mixed-derivatives.py", write_matrix(x), write_matrix(matrix(net$coef)))
print(data.frame(
  side = c("capalloc (with the constant)", "PyTorch"), seconds = c(own, if (is.null(peer)) NA else peer$seconds),
  ns_per_entry = 1e9 * c(own / (200 * 65 * 991), if (is.null(peer)) NA else peer$seconds / (200 * 64 * 991))
), digits = 3, row.names = FALSE)
if (!is.null(peer)) {
  cat(sprintf("\nper entry %.0f times faster; sums of squares agree to %.1e\n",
    (peer$seconds / 64) / (own / 65), abs(sum(D[, -65, ]^2) / peer$squares - 1)))
}
