# Separation of classes in fits by cross-entropy. The loss has no minimum where a direction v of the coefficients does
# not lower any margin z_i' v, the logit of the class of a training row less that of another class, and raises some:
# along v the fitted probabilities of these rows tend to 0 or 1 and coefficients grow without bound.
#
# Complete separation: all margins are positive, and v is a multiple of the last layer, in which logits are linear.
# Quasi-complete separation is tested for a single dense layer, whose margins are linear in its coefficients. Then v is
# the projection of the coefficients on the directions that change only margins whose probabilities are below a share
# (several are tried). If v lowers none of them, it proves separation; large margins alone do not.

separated_shares <- c(1e-8, 1e-6, 1e-4)

# Warns once where a fit without weight decay or early stopping separates classes. is_dense: whether its network is a
# single dense layer.
warn_separation <- function(fit, is_dense) {
  if (fit$control$decay > 0 || fit$outcome == "stopped") return(invisible())
  class <- max.col(fit$rows$y, "first")
  margins <- separation_margins(predict_network_outputs(fit$network, fit$rows$x), class)
  complete <- all(margins > 0, na.rm = TRUE) && can_scale_separation(fit$network)
  rows <- if (complete) seq_along(class) else if (is_dense) partly_separated(fit, margins, class)
  if (length(rows) == 0L) return(invisible())
  warn(c(
    "The classes are separated: the cross-entropy of this network has no minimum on the training rows.",
    x = if (complete) {
      "All {length(class)} training rows are predicted without error: fitted probabilities tend to 0 or 1 as
        coefficients grow without bound."
    } else {
      "For {length(rows)} of {length(class)} training rows the fitted probability of a class tends to 0 as coefficients
        grow without bound."
    },
    i = "Coefficients and {.fn capacity} of this fit depend on where training stopped. Use weight decay, for example
      {.code control = list(decay = 1e-4)}, or fewer inputs."
  ), "separation", rows = rows)
}

# The numbers of the training rows that are separated by a single dense layer. margins: separation_margins() of the fit.
partly_separated <- function(fit, margins, class) {
  network <- fit$network
  x <- cbind(units_in(fit$rows$x, network$units), if (has_bias(network)) 1)
  W <- .Call(ffi_weights, lower_network(network), network$coef)
  p <- logits_probabilities(predict_network_outputs(network, fit$rows$x))
  for (share in separated_shares) {
    apart <- !is.na(margins) & p < share
    if (!any(apart)) next
    v <- separation_direction(x, W, class, apart)
    rows <- separation_proof(separation_margins(tcrossprod(x, v), class), apart)
    if (length(rows) > 0L) return(rows)
  }
  integer()
}

# The numbers of the rows whose margins a direction raises, if it lowers none. along: change of the margins; `apart` as
# in separation_direction(). The bounds are for rounding error.
separation_proof <- function(along, apart) {
  most <- max(along[apart])
  if (most < 1 || any(along[apart] < -1e-6 * most) || any(abs(along[!apart]) > 1e-4 * most, na.rm = TRUE)) {
    return(integer())
  }
  which(rowSums(apart & along > 1e-6 * most, na.rm = TRUE) > 0)
}

# The logit of the class of each row less the others (rows x classes), NA for its own class. yhat: logits, a single
# one for two classes.
separation_margins <- function(yhat, class) {
  logits <- if (ncol(yhat) == 1L) cbind(0, yhat) else yhat
  own <- cbind(seq_along(class), class)
  margins <- logits[own] - logits
  margins[own] <- NA
  margins
}

# The projection of the weights W (outputs x coordinates) of a dense layer on the directions that change no margin of
# the pairs that are not `apart` (rows x classes). x: rows x coordinates.
separation_direction <- function(x, W, class, apart) {
  scale <- sqrt(colMeans(x^2))
  scale[scale == 0] <- 1
  x <- x / rep(scale, each = nrow(x))
  n <- ncol(x)
  G <- matrix(0, length(W), length(W))
  place <- function(k) if (nrow(W) == 1L) integer() else (k - 1L) * n + seq_len(n)
  for (a in seq_len(ncol(apart))) {
    for (b in setdiff(seq_len(ncol(apart)), a)) {
      own <- crossprod(x[class == a & !apart[, b], , drop = FALSE])
      if (nrow(W) == 1L) {
        G <- G + own
        next
      }
      G[place(a), place(a)] <- G[place(a), place(a)] + own
      G[place(b), place(b)] <- G[place(b), place(b)] + own
      G[place(a), place(b)] <- G[place(a), place(b)] - own
      G[place(b), place(a)] <- G[place(b), place(a)] - own
    }
  }
  e <- eigen(G, symmetric = TRUE)
  null <- e$vectors[, e$values <= 1e-12 * nrow(x), drop = FALSE]
  theta <- as.double(t(W) * scale)
  t(matrix(null %*% crossprod(null, theta), n) / scale)
}

# Whether the last layer, other than those that select positions, is linear in parameters of its own, so that its
# logits can be multiplied by any factor.
can_scale_separation <- function(network) {
  kinds <- vapply(network$layers, function(layer) layer$kind, "")
  last <- kinds[max(which(!kinds %in% c("last", "flatten")), 1L)]
  last %in% c("dense", "conv", "local")
}
