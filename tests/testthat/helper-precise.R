# Reference computations with 77 digits (Rmpfr), slow and simple. A matrix is a list of its columns.

skip_without_precision <- function() {
  skip_on_cran() # seconds each
  skip_if_not_installed("Rmpfr")
}

precise <- function(x) Rmpfr::mpfr(x, 256)

precise_unit <- function(columns) lapply(columns, function(column) column / sqrt(sum(column^2)))

# Gram-Schmidt orthogonalisation, each column twice, which is sufficient unless the condition exhausts the digits.
precise_basis <- function(columns) {
  basis <- list()
  for (column in columns) {
    for (again in 1:2) for (unit in basis) column <- column - sum(unit * column) * unit
    basis <- c(basis, precise_unit(list(column)))
  }
  basis
}

# Returns the diagonal of the projector on an orthonormal basis.
precise_leverages <- function(basis) Rmpfr::asNumeric(Reduce(`+`, lapply(basis, function(unit) unit^2)))

# Returns the r leading left singular vectors by subspace iteration; each step reduces the error by the
# squared ratio of the singular values r + 1 and r.
precise_leading <- function(columns, r, steps = 2) {
  basis <- precise_basis(columns[seq_len(r)])
  for (step in seq_len(steps)) {
    moved <- lapply(basis, function(unit) Reduce(`+`, lapply(columns, function(column) sum(column * unit) * column)))
    basis <- precise_basis(moved)
  }
  basis
}

# Returns the largest norm of the columns after projection on the complement of a basis.
precise_rest <- function(columns, basis) {
  rest <- lapply(columns, function(column) {
    for (unit in basis) column <- column - sum(unit * column) * unit
    Rmpfr::asNumeric(sqrt(sum(column^2)))
  })
  max(unlist(rest))
}

# Returns a(z) b(z^every), with coefficients ordered as the taps of a filter.
precise_product <- function(a, b, every = 1L) {
  product <- precise(numeric(length(a) + every * (length(b) - 1L)))
  for (k in seq_along(b)) {
    at <- every * (k - 1L) + seq_along(a)
    product[at] <- product[at] + b[[k]] * a
  }
  product
}

# Returns X with S X = B, all lists of columns, by elimination with pivoting.
precise_solve <- function(S, B) {
  n <- length(S)
  rows <- lapply(seq_len(n), function(i) do.call(c, lapply(c(S, B), function(column) column[i])))
  for (k in seq_len(n)) {
    size <- vapply(rows[k:n], function(row) Rmpfr::asNumeric(abs(row[k])), 0)
    pivot <- k - 1L + which.max(size)
    rows[c(k, pivot)] <- rows[c(pivot, k)]
    rows[[k]] <- rows[[k]] / rows[[k]][k]
    for (i in setdiff(seq_len(n), k)) rows[[i]] <- rows[[i]] - rows[[i]][k] * rows[[k]]
  }
  lapply(seq_along(B), function(j) do.call(c, lapply(rows, function(row) row[n + j])))
}

# Returns the symmetric root of a positive definite matrix by the Denman-Beavers iteration.
precise_root <- function(S) {
  n <- length(S)
  identity <- lapply(seq_len(n), function(j) precise(as.numeric(seq_len(n) == j)))
  half <- function(a, b) Map(function(x, y) (x + y) / 2, a, b)
  root <- S
  inverse <- identity
  for (step in 1:32) {
    other <- precise_solve(root, identity)
    root_next <- half(root, precise_solve(inverse, identity))
    inverse <- half(inverse, other)
    root <- root_next
  }
  root
}
