# Conditions under which the numbers of an allocation are right and yet say little about the network: warnings of their
# own classes, which the result carries so that print repeats them.

# A named character vector of messages, named by class.
capacity_notices <- function(about, rank, kappa) {
  if (soft(about)) return(character())
  c(rows_exhausted_notice(about, rank, kappa), constant_notice(about, kappa))
}

warn_notices <- function(notices) {
  for (class in names(notices)) warn("{notices[[class]]}", class)
}

# kappa: the capacity of each coordinate or basis vector, over all samples.
rows_exhausted_notice <- function(about, rank, kappa) {
  outputs <- n_contrasts(about$network)
  if (is.null(about$samples)) {
    nobs <- if (inherits(about$x, "ca_fit") && is.null(about$data)) about$x$nobs
    if (is.null(nobs) || nobs * outputs >= rank) return(NULL)
    return(c(rows_exhausted = paste0(
      "The data determine fewer directions than the network has: ", count_text(nobs, "training row"), " of ",
      count_text(outputs, "output"), " for a total capacity of ", rank, "."
    )))
  }
  N <- nrow(about$samples)
  coordinates <- if (is.null(about$seeds)) sum(kappa > 1e-8) else max(metric_rank(about), 1)
  if (rank == 0L || rank < N * outputs * coordinates) return(NULL)
  c(rows_exhausted = paste0(
    "The rows are exhausted: with ", count_text(N, "sample"), " the network can fit every dependency, so each input ",
    "has ",
    "the same capacity, whatever the network is. Pass more rows than parameters."
  ))
}

# Rows of (T (x) I_m) D of one sample and output that are independent. Rows of D for the constant are zero where the
# network is positively homogeneous.
metric_rank <- function(about) {
  T <- about$seeds
  if (!about$augmented) T <- T[-nrow(T), -ncol(T), drop = FALSE]
  d <- svd_of(T, 0L, 0L)$d
  sum(d > 10 * max(dim(T)) * .Machine$double.eps * max(d, 0))
}

constant_notice <- function(about, kappa) {
  if (is.null(about$samples) || about$n_kept < length(about$array) || about$n_kept == 0L) return(NULL)
  inputs <- kappa[seq_len(length(kappa) - about$intercept)]
  if (any(inputs > 1e-12)) return(NULL)
  c(constant = paste0(
    "The network is constant on these rows: no parameter changes how its output depends on the inputs there (units ",
    "that are never active, for instance)."
  ))
}
