# Weights of rows: positive numbers in a matrix with one column (N x 1), so that rows of a sample are selected alike in
# all its matrices. NULL means that all rows have weight 1. A row of weight 2 counts as two equal rows.

# Returns the weights with mean 1, as the core receives them. Nothing that is computed depends on their mean.
unit_weights <- function(weight) if (!is.null(weight)) weight / mean(weight)

# Returns the weighted means of the columns of x (N x n).
weighted_means <- function(x, weight = NULL) {
  if (is.null(weight)) colMeans(x) else drop(crossprod(unit_weights(weight), x)) / nrow(x)
}

# Returns x (N x n) with its rows multiplied by the square roots of the weights with mean 1. The second moments of these
# rows are the weighted second moments of x.
weighted_rows <- function(x, weight = NULL) {
  if (is.null(weight)) x else x * as.double(sqrt(unit_weights(weight)))
}
