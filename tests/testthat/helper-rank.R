# Twins of the rank of a trained network, and networks whose weights contain residue of training.

# Returns the network with the record that fit() adds to a trained network.
as_trained <- function(network, tol = 1e-10, gradient_norm = 1e-12, converged = gradient_norm <= tol) {
  if (inherits(network, "ca_fit")) {
    network$network <- as_trained(network$network, network$control$tol, network$gradient_norm, network$converged)
    return(network)
  }
  network$trained <- list(tol = tol, gradient_norm = gradient_norm, converged = converged)
  network
}

frobenius <- function(x) sqrt(sum(x^2))

# The T-rule (ARCHITECTURE.md, section 1.5), written independently. J (rows x p) is in the metric, W has the norm of the
# network in it, `direct` has the numbers of the arrays that read the input with no trained parameter between them and
# the output. Returns list(rank, leverage): the rank and the leverage of each row.
twin_trained_rank <- function(network, J = twin_tangent(network), W = twin_weights(network), direct = integer(),
                              T = 1e-6) {
  owner <- twin_theta_owner(network)
  norm <- sqrt(colSums(J^2))
  activity <- vapply(unique(owner$array), function(b) {
    own <- owner$array == b
    frobenius(network$coef[own]) * frobenius(norm[own]) / frobenius(W)
  }, 0)
  alive <- is.nan(activity) | activity > T | unique(owner$array) %in% direct
  layer_of <- tapply(owner$layer, owner$array, `[`, 1)
  alive_layers <- unique(layer_of[alive])
  keep <- norm > T * ave(norm, owner$array, FUN = max) & owner$layer %in% alive_layers & norm > 0
  if (!any(keep)) return(list(rank = 0, leverage = numeric(nrow(J))))
  s <- svd(sweep(J[, keep, drop = FALSE], 2L, norm[keep], `/`))
  counts <- s$d > T * s$d[[1L]]
  list(rank = sum(counts), leverage = rowSums(s$u[, counts, drop = FALSE]^2))
}

# Returns trained networks with residue of this size in some of their weights.
residue_networks <- function(residue = 1e-9) {
  some <- withr::with_seed(1, rnorm(40))
  small <- function(at, n = 40) replace(some, at, residue * some[at])[seq_len(n)]
  recurrent <- matrix(some[4:12], 3) / 4
  recurrent[3, ] <- residue * recurrent[3, ]
  recurrent[, 3] <- residue * recurrent[, 3]
  list(
    # the second channel of the first layer and its readers: kernels 2 x 1 x 2, 2 x 2 x 2 and 1 x 2 x 2
    channel = input_sequence(8) |> layer_conv(2, 2) |> layer_conv(2, 2, dilation = 2) |>
      layer_conv(1, 2, dilation = 4) |>
      set_coef(small(c(2, 4, 7, 8, 11, 12), 16)),
    # a deep branch beside a linear skip over pairs; the branch is residue
    branch = input_sequence(4) |>
      layer_parallel(\(x) layer_pool(x, 2) |> layer_dense(1), \(x) layer_dense(x, 2) |> layer_dense(1)) |>
      set_coef(small(3:12, 12)),
    # the skip is residue, but it is an array that reads the input directly, so it counts
    skip = input_sequence(4) |>
      layer_parallel(\(x) layer_dense(x, 1), \(x) layer_pool(x, 2) |> layer_dense(2) |> layer_dense(1)) |>
      set_coef(small(1:4, 10)),
    bias = input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_dense(2, bias = TRUE) |> set_coef(small(7:8, 14)),
    # the third unit
    elman = input_sequence(6) |> layer_recurrent(3, "elman", bias = TRUE) |> layer_dense(1) |>
      set_coef(c(some[1:2], residue * some[3], recurrent, some[13:14], residue * some[15], some[16:17], residue))
  )
}

# Returns the numbers of the arrays that read the input with no trained parameter between them and the output.
residue_direct <- function(name) if (name %in% c("branch", "skip")) 1L else integer()
