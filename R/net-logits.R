# Logits and probabilities of classes.

# One logit per level, the largest of a row 0: neither losses nor probabilities know a shift. A single one
# stands for the second of two levels.
all_logits <- function(yhat) {
  logits <- if (ncol(yhat) == 1L) cbind(0, yhat) else yhat
  logits - do.call(pmax, lapply(seq_len(ncol(logits)), function(k) logits[, k]))
}

# Probabilities of the levels.
class_probabilities <- function(yhat) {
  p <- exp(all_logits(yhat))
  p / rowSums(p)
}
