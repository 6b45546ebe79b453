# How fast is tangent(), how does its time grow with the length, and how much memory does it take? It is compared with
# the fastest of PyTorch's per-example gradients over one-hot inputs, pullbacks of one-hot effective weights and forward
# mode.
# Dilated stacks of 2 taps, dilations 1, 2, 4, .., 8 filters in each layer but the last, one output; lengths 64 to
# 4096. ms_call is the time inside .Call, ms_fixed that of the R code that does not touch J; x_J the peak memory
# of a call over the size of J. Targets: at 1024 (p = 1056) 100 times faster than PyTorch; ns per entry inside
# .Call within 2 times from 256 to 4096; memory under 4 times J (NA if J is too small to measure).

file <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(file), "bench.R"))
machine()

stack <- function(length, filters = 8) {
  net <- input_sequence(length)
  dilations <- 2^(seq_len(log2(length)) - 1)
  for (d in dilations) net <- layer_conv(net, if (2 * d < length) filters else 1, kernel = 2, dilation = d)
  initialise(net, seed = 1)
}

peak_over_size <- function(length) {
  if (!file.exists("/proc/self/clear_refs") || length < 1024) return(NA)
  code <- c(
    "suppressMessages(library(capalloc))", paste("stack <-", paste(deparse(stack), collapse = "\n")), peak_code,
    "J <- tangent(stack(64)); rm(J)", paste0("net <- stack(", length, ")"),
    'before <- start_peak(); J <- tangent(net); cat((peak() - before) / (8 * length(J) / 2^20))'
  )
  as.numeric(in_session(code))
}

lengths <- if (quick) c(64, 256) else c(64, 256, 1024, 4096)
frames <- lapply(lengths, function(length) {
  net <- stack(length)
  graph <- capalloc:::lower_network(net)
  theta <- net$coef
  took <- seconds_each(
    whole = tangent(net), call = .Call(capalloc:::ffi_tangent, graph, theta),
    fixed = {
      capalloc:::check_network_coefficients(net)
      capalloc:::check_tangent_linear(net)
      capalloc:::lower_network(net)
      capalloc:::coef_names(net)
    }
  )
  J <- tangent(net)
  out <- tempfile()
  peer <- torch("tangent.py", write_matrix(matrix(theta)), length, 8, if (length > 1024) 0 else usual_times, out)
  data.frame(
    length = length, p = ncol(J), ms = 1e3 * took[["whole"]], ms_call = 1e3 * took[["call"]],
    ms_fixed = 1e3 * took[["fixed"]], ns_per_entry = 1e9 * took[["call"]] / length(J),
    torch_ms = if (is.null(peer)) NA else 1e3 * peer$seconds,
    ratio = if (is.null(peer)) NA else peer$seconds / took[["whole"]], target = if (length == 1024) 100 else NA,
    x_J = peak_over_size(length), x_J_target = 4,
    difference = if (is.null(peer)) NA else difference(J, matrix(read_doubles(out), nrow(J)))
  )
})
result <- do.call(rbind, frames)
show(result)
long <- result$length >= 256
cat(sprintf("\nns per entry from 256 on: the largest is %.2f times the smallest (target: 2)\n",
  max(result$ns_per_entry[long]) / min(result$ns_per_entry[long])))
