# Conditions under which a correct allocation carries little information about the network. Each is a warning of its own
# class, and is stored in the result so that print() repeats it.

# The messages that apply, a character vector named by the class of the warning. kappa: the capacity of each coordinate
# or basis vector, over all outputs and samples. There are none for soft capacity.
capacity_notices <- function(allocation, rank, kappa) {
  if (rank_soft(allocation)) return(character())
  c(rows_exhausted_notice(allocation, rank, kappa), constant_notice(allocation, kappa))
}

warn_notices <- function(notices) {
  for (class in names(notices)) warn("{notices[[class]]}", class)
}

# A linear fit with fewer training rows x outputs than its rank; a nonlinear network whose rank is the number of
# independent rows of D, so that P is the identity on its samples.
rows_exhausted_notice <- function(allocation, rank, kappa) {
  outputs <- n_logits_contrasts(allocation$network)
  if (is.null(allocation$samples)) {
    nobs <- if (inherits(allocation$x, "ca_fit") && is.null(allocation$data)) allocation$x$nobs
    if (is.null(nobs) || nobs * outputs >= rank) return(NULL)
    return(c(rows_exhausted = paste0(
      "There are too few rows to determine all directions of the parameters: ",
      format_count(nobs, "training row"), " of ", format_count(outputs, "output"), " for a total capacity of ", rank,
        "."
    )))
  }
  N <- nrow(allocation$samples)
  coordinates <- if (is.null(allocation$root)) sum(kappa > 1e-8) else max(notices_metric_rank(allocation), 1)
  if (rank == 0L || rank < N * outputs * coordinates) return(NULL)
  c(rows_exhausted = paste0(
    "There are too few rows: with ", format_count(N, "sample"), " the network can fit every dependency, so that all ",
    "inputs ",
    "have the same capacity, whatever the architecture. Pass more rows than parameters."
  ))
}

# The number of independent rows of (T (x) I_m) D for one sample and output. The constant is left out where the network
# is positively homogeneous, since its rows of D are zero.
notices_metric_rank <- function(allocation) {
  T <- allocation$root
  if (!allocation$augmented) T <- T[-nrow(T), -ncol(T), drop = FALSE]
  d <- metric_svd(T, 0L, 0L)$d
  sum(d > 10 * max(dim(T)) * .Machine$double.eps * max(d, 0))
}

# A nonlinear network whose inputs all have zero capacity. Not where layers are left out.
constant_notice <- function(allocation, kappa) {
  n_kept <- allocation$n_kept
  if (is.null(allocation$samples) || n_kept < length(allocation$array) || n_kept == 0L) return(NULL)
  inputs <- kappa[seq_len(length(kappa) - allocation$intercept)]
  if (any(inputs > 1e-12)) return(NULL)
  c(constant = paste0(
    "The network is constant on these rows: no parameter changes how its output depends on the inputs there (units ",
    "that are never active, for instance)."
  ))
}
