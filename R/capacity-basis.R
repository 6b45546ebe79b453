# Partitions by subspaces that are not spanned by inputs. Each has an orthonormal basis of the input space, and the
# vectors of the basis are grouped in parts.

#' Partitions by subspaces
#'
#' Cuts the input space into orthogonal subspaces, for the argument `partition` of [capacity()]. The
#' capacity of a subspace with orthogonal projector P_S is tr((P_S (x) I_m) P); over all parts
#' capacities sum to the total, and what no part holds is the part `"(rest)"`.
#'
#' @param bands Increasing frequencies b_1 < b_2 < .. in cycles per position, between 0 and 0.5: parts
#'   are the frequencies in (b_i, b_(i+1)], the mean (frequency 0) is a part of its own. `NULL` gives one
#'   part per frequency k / n.
#' @param k Number of principal components that are parts of their own.
#' @param subspaces A named list of matrices with n rows (one per input coordinate), whose columns span
#'   subspaces that are orthogonal to each other.
#' @returns An object of class `ca_partition`.
#'
#'   * `partition_fourier()`: by frequency, in the real orthonormal Fourier basis of the positions of
#'     a sequence of any length, all channels together.
#'   * `partition_haar()`: by scale, in the Haar wavelet basis of a sequence of 2^j positions: the
#'     `"mean"`, then wavelets by the number of positions that they cover.
#'   * `partition_pca()`: by principal components of the inputs, those of the fit's task or of `data`:
#'     eigenvectors of the uncentred second moments in the identity metric, and of the correlations in
#'     the standardised and the covariance metric.
#'   * `partition_subspaces()`: by any subspaces.
#' @seealso [partition_octaves()]
#' @examples
#' trained <- fit(arch_dilated(16, filters = 1), task_fgn(16, 0.8), seed = 1)
#' capacity(trained, partition = partition_haar())
#' capacity(trained, partition = partition_fourier(c(0, 1 / 8, 1 / 4, 1 / 2)))
#' capacity(trained, partition = partition_pca(2))
#' newest <- diag(16)[, 15:16]
#' capacity(trained, partition = partition_subspaces(list(newest = newest)))
#' @export
partition_fourier <- function(bands = NULL) {
  if (!is.null(bands)) {
    bands <- check_vector(bands)
    if (length(bands) < 2L || is.unsorted(bands, strictly = TRUE) || bands[[1L]] < 0 || max(bands) > 0.5) {
      abort(c(
        "{.arg bands} must be two or more increasing frequencies between 0 and 0.5.",
        x = "It is {show_value(bands)}."
      ), "value")
    }
  }
  new_partition("Fourier frequency", needs = "sequence", cut = function(input, moments) {
    n <- input$shape[[3L]]
    waves <- fourier_basis(n)
    frequency <- waves$cycles / n
    part <- if (is.null(bands)) {
      factor(frequency, labels = partition_format_each(sort(unique(frequency))))
    } else {
      basis_band_parts(frequency, bands)
    }
    basis_over_channels(waves$Q, part, input)
  })
}

# The real orthonormal Fourier basis of n points. Returns a list: `Q`, the basis (n x n), and `cycles`, the frequency of
# each column in cycles per n points: 0, 1, 1, 2, 2, .., cosine before sine.
fourier_basis <- function(n) {
  t <- seq_len(n) - 1
  cycles <- 0:(n %/% 2)
  columns <- lapply(cycles, function(k) {
    angle <- 2 * pi * k * t / n
    if (k == 0 || 2 * k == n) cbind(cos(angle) / sqrt(n)) else cbind(cos(angle), sin(angle)) * sqrt(2 / n)
  })
  list(Q = do.call(cbind, columns), cycles = rep(cycles, vapply(columns, ncol, 0L)))
}

# The part of each frequency: the mean, a band, or "(rest)".
basis_band_parts <- function(frequency, bands) {
  waves <- partition_interval_parts(frequency[frequency > 0], bands, outside = "(rest)")
  factor(c(rep("mean", sum(frequency == 0)), as.character(waves)), levels = c("mean", levels(waves)))
}

#' @rdname partition_fourier
#' @export
partition_haar <- function() {
  new_partition("Haar scale", needs = "sequence", cut = function(input, moments) {
    n <- input$shape[[3L]]
    if (2^round(log2(n)) != n) {
      abort(c(
        "{.fn partition_haar} needs a sequence whose length is a power of two.",
        x = "The input of the network is {describe_input_shape(input)}."
      ), "shape", call = NULL)
    }
    haar <- haar_basis(n)
    part <- factor(haar$scale, levels = sort(unique(haar$scale)))
    levels(part)[[1L]] <- "mean"
    basis_over_channels(haar$Q, part, input)
  })
}

# The Haar basis of n points, n a power of two. Returns a list: `Q`, the basis (n x n), and `scale`, the number of
# positions that each wavelet covers (2, 4, .., n), 0 for the mean.
haar_basis <- function(n) {
  Q <- matrix(1 / sqrt(n), n, 1L)
  scale <- 0
  width <- n
  while (width > 1L) {
    wavelet <- c(rep(1, width / 2), rep(-1, width / 2)) / sqrt(width)
    Q <- cbind(Q, diag(n / width) %x% matrix(wavelet))
    scale <- c(scale, rep(width, n / width))
    width <- width / 2
  }
  list(Q = Q, scale = scale)
}

#' @rdname partition_fourier
#' @export
partition_pca <- function(k) {
  k <- check_count(k)
  new_partition("principal component", needs_moments = TRUE, cut = function(input, moments) {
    n <- nrow(moments$sigma)
    if (k > n) {
      abort(c("{.arg k} must be at most the number of inputs, {n}.", x = "It is {k}."), "value", call = NULL)
    }
    labels <- c(paste0("component ", seq_len(k)), if (k < n) "(rest)")
    part <- factor(labels[pmin(seq_len(n), k + 1L)], levels = labels)
    new_partition_cut(part, eigen(moments$sigma, symmetric = TRUE)$vectors)
  })
}

#' @rdname partition_fourier
#' @export
partition_subspaces <- function(subspaces) {
  check_named(subspaces, check_basis_matrix)
  taken <- intersect(names(subspaces), c("(rest)", "(Intercept)"))
  if (length(taken) > 0L) {
    abort(c("{.arg subspaces} must not have reserved names.", x = "{.val {taken}} {?names a part/name parts} that
      {?is/are} added automatically."), "value")
  }
  call <- rlang::current_env()
  bases <- Map(function(x, name) span_basis(x, name, call), subspaces, names(subspaces))
  check_basis_orthogonal(bases)
  new_partition("subspace", function(input, moments) {
    n <- input_size(input)
    if (nrow(bases[[1L]]) != n) {
      abort(c(
        "{.arg subspaces} must have one row for each of the {n} input coordinate{?s} of the network.",
        x = "They have {nrow(bases[[1]])} row{?s}."
      ), "shape", call = NULL)
    }
    complete_basis(bases, n)
  })
}

check_basis_matrix <- function(x, arg, call) check_matrix(x, arg = arg, call = call)

# An orthonormal basis of the column space of x.
span_basis <- function(x, name, call) {
  x <- as.matrix(x)
  s <- metric_svd(x, nv = 0L)
  rank <- sum(s$d > 10 * max(dim(x)) * .Machine$double.eps * max(s$d, 0))
  if (rank == 0L) {
    abort(c("{.arg subspaces${name}} must not be zero.", x = "All its elements are."), "value", call = call)
  }
  s$u[, seq_len(rank), drop = FALSE]
}

check_basis_orthogonal <- function(bases, call = rlang::caller_env()) {
  sizes <- vapply(bases, nrow, 0L)
  if (length(unique(sizes)) > 1L) {
    abort(c(
      "{.arg subspaces} must all have one row per input coordinate.",
      x = "They have {sizes} rows."
    ), "shape", call = call)
  }
  for (i in seq_along(bases)) {
    for (j in seq_len(i - 1L)) {
      # the cosine of the smallest angle; rounding errors of orthonormal vectors are far below 1e-8
      cosine <- max(metric_svd(crossprod(bases[[i]], bases[[j]]), 0L, 0L)$d)
      if (cosine > 1e-8) {
        abort(c(
          "{.arg subspaces} must be orthogonal to each other.",
          x = "{.val {names(bases)[[j]]}} and {.val {names(bases)[[i]]}} overlap: the cosine of their
            smallest angle is {signif(cosine, 3)}."
        ), "value", call = call)
      }
    }
  }
  invisible()
}

# The bases of subspaces, completed to a basis of n coordinates by a part "(rest)".
complete_basis <- function(bases, n) {
  own <- do.call(cbind, unname(bases))
  rest <- if (ncol(own) < n) qr.Q(qr(own), complete = TRUE)[, (ncol(own) + 1L):n, drop = FALSE]
  labels <- c(names(bases), if (!is.null(rest)) "(rest)")
  sizes <- c(vapply(bases, ncol, 0L), if (!is.null(rest)) ncol(rest))
  new_partition_cut(factor(rep(labels, sizes), levels = labels), cbind(own, rest))
}

# Extends a basis Q of positions to all channels. The channel varies fastest over coordinates.
basis_over_channels <- function(Q, part, input) {
  channels <- input$shape[[1L]]
  new_partition_cut(rep(part, each = channels), Q %x% diag(channels))
}
