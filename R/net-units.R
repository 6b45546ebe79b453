# Units of a network: a centre and a scale for each input and output, between data and the numbers that the layers see.
#
# A network with units maps x (data units) to centre_y + scale_y f((x - centre_x) / scale_x), f its layers. coef(),
# tangent() and capacity() are about f, in standardised coordinates; predict(), linearise() and effective_weights()
# about the whole. Without units (NULL) the two are the same.

# Fields: centre_x, scale_x (n), centre_y, scale_y (m).
new_units <- function(centre_x, scale_x, centre_y, scale_y) {
  list(
    centre_x = as.double(centre_x), scale_x = as.double(scale_x),
    centre_y = as.double(centre_y), scale_y = as.double(scale_y)
  )
}

# Rows of inputs (N x n) as the layers see them.
units_in <- function(x, units) {
  if (is.null(units)) return(x)
  (x - rep(units$centre_x, each = nrow(x))) / rep(units$scale_x, each = nrow(x))
}

# Rows of responses (N x m) on the scale of the layers' outputs.
response_in <- function(y, units) {
  if (is.null(units)) return(y)
  (y - rep(units$centre_y, each = nrow(y))) / rep(units$scale_y, each = nrow(y))
}

# Outputs of the layers (N x m) in data units.
units_out <- function(yhat, units) {
  if (is.null(units)) return(yhat)
  yhat * rep(units$scale_y, each = nrow(yhat)) + rep(units$centre_y, each = nrow(yhat))
}

# An affine map W (m x n, or m x (n + 1) with the constant last) of the layers, in data units: always m x (n + 1)
# where there are units.
weights_out <- function(W, units) {
  if (is.null(units)) return(W)
  n <- length(units$centre_x)
  constant <- if (ncol(W) > n) W[, n + 1L] else 0
  W <- W[, seq_len(n), drop = FALSE] * tcrossprod(units$scale_y, 1 / units$scale_x)
  cbind(W, units$scale_y * constant + units$centre_y - drop(W %*% units$centre_x))
}

# ---- constants from rows -----------------------------------------------------------------------------

# Which coordinates share a centre and a scale: each column of a vector has its own, coordinates of one channel of a
# sequence or a grid the same.
unit_groups <- function(input) {
  n <- input_size(input)
  if (input$kind == "vector") seq_len(n) else rep_len(seq_len(input$shape[[1L]]), n)
}

# Centre and scale of each column of x (N x n), over the columns of a group together: list(centre, scale, spread), n
# each. Columns that do not vary beyond the rounding of their values have scale 1 and spread 0.
column_units <- function(x, group, centred = TRUE) {
  centre <- if (centred) group_means(colMeans(x), group) else numeric(ncol(x))
  # a second pass: the mean of large values has lost the digits that their differences have
  if (centred) centre <- centre + group_means(colMeans(x - rep(centre, each = nrow(x))), group)
  spread <- sqrt(group_means(colMeans((x - rep(centre, each = nrow(x)))^2), group))
  largest <- group_most(apply(abs(x), 2L, max), group)
  spread[!(spread > 4 * .Machine$double.eps * largest)] <- 0
  list(centre = centre, scale = ifelse(spread == 0, 1, spread), spread = spread)
}

# Groups are numbered from 1.
group_means <- function(x, group) as.double(rowsum(x, group) / tabulate(group))[group]

group_most <- function(x, group) vapply(split(x, group), max, 0, USE.NAMES = FALSE)[group]
