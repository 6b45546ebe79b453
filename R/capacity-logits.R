# Outputs that are logits. Under cross-entropy only differences of logits matter, and the residuals onehot - p sum to
# zero over the levels, so the tangent is projected on the contrasts of the outputs before anything else.

# The map of the outputs (m x m, symmetric), or NULL where all of them count.
#   "softmax"   K logits: the projector on contrasts, I - 11'/K.
#   "baseline"  K - 1 logits against a first level whose logit is 0. Their K logits are (0, z); the inner product of
#               contrasts of these is z'(I - 11'/K) z', so the map is the symmetric root of I_(K-1) - 11'/K.
#   "sigmoid"   one logit: nothing is left out.
output_contrast <- function(network) {
  m <- output_size(network)
  output <- network$output
  if (is.null(output)) return(NULL)
  switch(output,
    softmax = diag(m) - 1 / m,
    # I - 11'/K has the eigenvalue 1 - (K - 1) / K = 1 / K along 1, and 1 elsewhere; m = K - 1
    baseline = diag(m) + (1 / sqrt(m + 1) - 1) / m
  )
}

# Directions of the outputs that count.
n_contrasts <- function(network) {
  output_size(network) - identical(network$output, "softmax")
}
