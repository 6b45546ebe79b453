# Outputs that are logits. Cross-entropy depends only on differences of logits, and the residuals onehot - p sum to zero
# over the levels. So the tangent is projected on the contrasts of the logits before it is allocated.

# The symmetric matrix (m x m) that is applied to the outputs, or NULL for the identity:
#   "softmax"   K logits: the projector on contrasts, I - 11'/K.
#   "baseline"  K - 1 logits z against a first level whose logit is 0. The squared norm of the contrasts of the K logits
#               (0, z) is z'(I - 11'/K) z, so the matrix is the symmetric root of I_(K-1) - 11'/K.
#   "sigmoid"   one logit: NULL.
logits_contrast <- function(network) {
  m <- shape_output_size(network)
  output <- network$output
  if (is.null(output)) return(NULL)
  switch(output,
    softmax = diag(m) - 1 / m,
    # I - 11'/K has the eigenvalue 1 - (K - 1) / K = 1 / K along 1, and 1 elsewhere; m = K - 1
    baseline = diag(m) + (1 / sqrt(m + 1) - 1) / m
  )
}

# The rank of the matrix above: the number of independent contrasts.
n_logits_contrasts <- function(network) {
  shape_output_size(network) - identical(network$output, "softmax")
}
