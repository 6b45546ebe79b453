# Conditions under which the numbers of an allocation are right and yet say little about the network: warnings of their
# own classes, which the result carries so that print repeats them.

# A named character vector of messages, named by class.
capacity_notices <- function(allocation, rank, kappa) {
  if (soft(allocation)) return(character())
  c(rows_exhausted_notice(allocation, rank, kappa), constant_notice(allocation, kappa))
}

warn_notices <- function(notices) {
  for (class in names(notices)) warn("{notices[[class]]}", class)
}

# kappa: the capacity of each coordinate or basis vector, over all samples.
rows_exhausted_notice <- function(allocation, rank, kappa) {
  outputs <- n_contrasts(allocation$network)
  if (is.null(allocation$samples)) {
    nobs <- if (inherits(allocation$x, "ca_fit") && is.null(allocation$data)) allocation$x$nobs
    if (is.null(nobs) || nobs * outputs >= rank) return(NULL)
    return(c(rows_exhausted = paste0(
      "The data determine fewer directions than the network has: ", count_text(nobs, "training row"), " of ",
      count_text(outputs, "output"), " for a total capacity of ", rank, "."
    )))
  }
  N <- nrow(allocation$samples)
  coordinates <- if (is.null(allocation$root)) sum(kappa > 1e-8) else max(metric_rank(allocation), 1)
  if (rank == 0L || rank < N * outputs * coordinates) return(NULL)
  c(rows_exhausted = paste0(
    "The rows are exhausted: with ", count_text(N, "sample"), " the network can fit every dependency, so each input ",
    "has ",
    "the same capacity, whatever the network is. Pass more rows than parameters."
  ))
}

# Rows of (T (x) I_m) D of one sample and output that are independent. Rows of D for the constant are zero where the
# network is positively homogeneous.
metric_rank <- function(allocation) {
  T <- allocation$root
  if (!allocation$augmented) T <- T[-nrow(T), -ncol(T), drop = FALSE]
  d <- svd_of(T, 0L, 0L)$d
  sum(d > 10 * max(dim(T)) * .Machine$double.eps * max(d, 0))
}

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
