# Logits and probabilities of classes.

# Returns one logit per level (rows x levels). A single column of `yhat` is the logit of the second of two levels, and
# the first has logit 0. The largest logit of each row is shifted to 0 against overflow, which changes neither losses
# nor probabilities.
all_logits <- function(yhat) {
  logits <- if (ncol(yhat) == 1L) cbind(0, yhat) else yhat
  logits - do.call(pmax, lapply(seq_len(ncol(logits)), function(k) logits[, k]))
}

# Returns the probabilities of the levels (rows x levels).
logits_probabilities <- function(yhat) {
  p <- exp(all_logits(yhat))
  p / rowSums(p)
}
