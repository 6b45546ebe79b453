# Units of a network: a centre and a scale for each input and output, which standardise the data for the layers.
#
# A network with units maps x (data units) to centre_y + scale_y f((x - centre_x) / scale_x), where f is the composition
# of its layers. coef(), tangent() and capacity() describe f, in standardised coordinates. predict(), linearise() and
# effective_weights() describe the whole map. Without units (NULL) the two are the same.

# Returns a list: `centre_x` and `scale_x` (n values each), `centre_y` and `scale_y` (m values each).
new_units <- function(centre_x, scale_x, centre_y, scale_y) {
  list(
    centre_x = as.double(centre_x), scale_x = as.double(scale_x),
    centre_y = as.double(centre_y), scale_y = as.double(scale_y)
  )
}

# Returns rows of inputs (N x n) in standardised coordinates, in which the layers receive them.
units_in <- function(x, units) {
  if (is.null(units)) return(x)
  (x - rep(units$centre_x, each = nrow(x))) / rep(units$scale_x, each = nrow(x))
}

# Returns rows of responses (N x m) in standardised coordinates, those of the layers' outputs.
units_response_in <- function(y, units) {
  if (is.null(units)) return(y)
  (y - rep(units$centre_y, each = nrow(y))) / rep(units$scale_y, each = nrow(y))
}

# Returns the outputs of the layers (N x m) in data units.
units_out <- function(yhat, units) {
  if (is.null(units)) return(yhat)
  yhat * rep(units$scale_y, each = nrow(yhat)) + rep(units$centre_y, each = nrow(yhat))
}

# Returns an affine map W of the layers (m x n, or m x (n + 1) with the constant last) in data units. The result is
# m x (n + 1) whenever the network has units.
units_weights_out <- function(W, units) {
  if (is.null(units)) return(W)
  n <- length(units$centre_x)
  constant <- if (ncol(W) > n) W[, n + 1L] else 0
  W <- W[, seq_len(n), drop = FALSE] * tcrossprod(units$scale_y, 1 / units$scale_x)
  cbind(W, units$scale_y * constant + units$centre_y - drop(W %*% units$centre_x))
}

# ---- constants from rows -----------------------------------------------------------------------------

# Returns a group number for each coordinate (n). The coordinates of a group share a centre and a scale: each coordinate
# of a vector is a group, and so is each channel of a sequence or grid.
unit_groups <- function(input) {
  n <- input_size(input)
  if (input$kind == "vector") seq_len(n) else rep_len(seq_len(input$shape[[1L]]), n)
}

# Returns a list: `centre`, `scale` and `spread` (n each) of the columns of x (N x n), over all columns of a group.
# `spread` is the standard deviation, or the root mean square where `centred` is FALSE. Rows may have weights. Columns
# that vary by no more than rounding error have spread 0 and scale 1. Elsewhere the scale equals the spread.
column_units <- function(x, group, centred = TRUE, weight = NULL) {
  centre <- if (centred) units_group_means(weighted_means(x, weight), group) else numeric(ncol(x))
  # a second pass, since the mean of large values has a rounding error that is large compared with their differences
  if (centred) centre <- centre + units_group_means(weighted_means(x - rep(centre, each = nrow(x)), weight), group)
  spread <- sqrt(units_group_means(weighted_means((x - rep(centre, each = nrow(x)))^2, weight), group))
  largest <- units_group_most(apply(abs(x), 2L, max), group)
  spread[!(spread > 4 * .Machine$double.eps * largest)] <- 0
  list(centre = centre, scale = ifelse(spread == 0, 1, spread), spread = spread)
}

# Mean and maximum over each group, repeated for each of its members. Groups are numbered from 1.
units_group_means <- function(x, group) as.double(rowsum(x, group) / tabulate(group))[group]

units_group_most <- function(x, group) vapply(split(x, group), max, 0, USE.NAMES = FALSE)[group]
