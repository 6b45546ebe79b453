# How fast is tangent() of networks other than dilated stacks, compared with the fastest of PyTorch's per-example
# gradients over one-hot inputs and pullbacks of one-hot effective weights? Target: 20 times faster for each network.
# The networks have one output:
# elman           32 states over 512 positions, read-out of the last state
# residual        8 blocks of 2 convolutions, 8 channels, kernel 3, same padding, length 256, read at the newest
#                 position
# residual_dense  the same, read at all positions
# unet            3 levels (256, 128, 64 positions), 8 channels, kernel 3, read at the newest position
# unet_dense      the same, read at all positions
# grid            32 x 32, 4 convolutions of 3 x 3, 8 channels, dense to one output
# ms_call is the time inside .Call.

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

residual <- function(net) {
  net <- layer_conv(net, 8, kernel = 1)
  block <- function(x) layer_conv(x, 8, 3, padding = "same") |> layer_conv(8, 3, padding = "same")
  for (i in 1:8) net <- layer_residual(net, block)
  net
}
unet <- arch_unet(256, filters = 8, depth = 2)
before_read_out <- input_sequence(256)
before_read_out$layers <- unet$layers[seq_len(length(unet$layers) - 2)] # without last and dense
networks <- list(
  elman = input_sequence(512) |> layer_recurrent(32) |> layer_dense(1),
  residual = input_sequence(256) |> residual() |> layer_last() |> layer_dense(1),
  residual_dense = input_sequence(256) |> residual() |> layer_dense(1),
  unet = unet,
  unet_dense = before_read_out |> layer_dense(1),
  grid = arch_conv(input_grid(32, 32), filters = 8, kernel = 3, depth = 4)
)

frames <- lapply(names(networks), function(name) {
  net <- initialise(networks[[name]], seed = 1)
  graph <- capalloc:::lower_network(net)
  theta <- net$coef
  took <- seconds_each(whole = tangent(net), call = .Call(capalloc:::ffi_tangent, graph, theta))
  J <- tangent(net)
  out <- tempfile()
  peer <- torch("other-tangents.py", write_matrix(matrix(theta)), name, usual_times, out)
  data.frame(
    network = name, inputs = nrow(J), p = ncol(J), ms = 1e3 * took[["whole"]], ms_call = 1e3 * took[["call"]],
    ns_per_entry = 1e9 * took[["call"]] / length(J), torch_ms = if (is.null(peer)) NA else 1e3 * peer$seconds,
    ratio = if (is.null(peer)) NA else peer$seconds / took[["whole"]], target = 20,
    difference = if (is.null(peer)) NA else difference(J, matrix(read_doubles(out), nrow(J)))
  )
})
show(do.call(rbind, frames))
