# Metrics: roots T of the inputs' coordinates, applied to the tangent as (T (x) I_m) J.
#
# "standardised" and "covariance" both have the form
#   T = [[A, 0], [mu', 1]]    where the tangent has the constant as a coordinate that carries means,
#   T = A                     otherwise,
# so that the inputs' rows of T J are about variation around the mean and the row of the constant is about the
# mean output. For "standardised" A = diag(scale); for "covariance" A = P^(1/2) V^(1/2) with P the correlations and V
# the variances of the inputs (ZCA-cor; Kessy, Lewin and Strimmer 2018, doi:10.1080/00031305.2016.1277159). Without a
# constant P and V come from uncentred moments: the network cannot express a mean.

capacity_metrics <- c("identity", "standardised", "covariance")

# The root T, rows x coordinates, or NULL for the identity.
metric_root <- function(about, call = rlang::caller_env()) {
  if (about$metric == "identity") return(NULL)
  # the inputs of a network with units of its own are standardised already
  if (about$metric == "standardised" && !is.null(about$units)) return(NULL)
  law <- metric_law(about, call)
  input <- about$network$input
  if (about$metric == "standardised") {
    units <- standard_units(law, unit_groups(input))
    A <- diag(units$scale, length(units$scale))
    mean <- units$centre
  } else {
    parts <- correlation_parts(law, about$augmented)
    A <- correlation_root(parts)
    mean <- parts$mean
  }
  if (about$augmented) return(rbind(cbind(A, 0), c(mean, 1)))
  # a nonlinear homogeneous network has the constant as a coordinate, whose rows of D are zero
  if (about$intercept) rbind(cbind(A, 0), c(numeric(ncol(A)), 1)) else A
}

# Where the moments of the inputs come from, in the network's own coordinates: list(rows), or for a task that is
# stated by its moments list(mean, sigma), sigma its centred second moments.
metric_law <- function(about, call) {
  if (!is.null(about$samples)) return(list(rows = check_squares(about$samples, "data", call)))
  if (about$decay > 0) return(list(rows = units_in(fit_rows(about$x, call)$x, about$units)))
  data <- about$data
  if (is.null(data)) {
    if (!inherits(about$x, "ca_fit")) {
      abort(c(
        "The second moments of a network's inputs are needed: pass {.arg data}, a task or rows of inputs.",
        i = "A fit uses its own task."
      ), "value", call = call)
    }
    return(task_law(about$x$task, about$units))
  }
  if (inherits(data, "ca_task")) {
    check_pair_input(about$network, data, call)
    return(task_law(data, about$units))
  }
  rows <- some_inputs(data, about$network, call)
  list(rows = units_in(check_squares(rows, "data", call), about$units))
}

task_law <- function(task, units) {
  if (is_data_task(task)) return(list(rows = units_in(task$data$x, units)))
  mean <- task$moments$mean_x
  sigma <- centred_moments(task)$sigma
  if (is.null(units)) return(list(mean = mean, sigma = sigma))
  list(mean = (mean - units$centre_x) / units$scale_x, sigma = sigma / tcrossprod(units$scale_x))
}

# Centre and scale of each coordinate, coordinates of a group together; constants have scale 1.
standard_units <- function(law, group) {
  if (!is.null(law$rows)) return(column_units(law$rows, group))
  centre <- group_means(law$mean, group)
  spread <- sqrt(group_means(diag(law$sigma) + (law$mean - centre)^2, group))
  list(centre = centre, scale = ifelse(spread > 0, spread, 1))
}

# list(mean, sd, values, vectors): eigenvalues and eigenvectors of the correlation matrix P of the inputs. From rows by
# QR of the centred and scaled columns, whose singular values are the roots of the eigenvalues: forming M - mu mu'
# instead would lose the digits that large means cancel. Eigenvalues that are rounding next to the largest are zero.
correlation_parts <- function(law, centred) {
  if (is.null(law$rows)) {
    sigma <- if (centred) law$sigma else law$sigma + tcrossprod(law$mean)
    sd <- sqrt(diag(sigma))
    inverse <- ifelse(sd > 0, 1 / sd, 0)
    e <- eigen(sigma * tcrossprod(inverse), symmetric = TRUE)
    return(list(mean = law$mean, sd = sd, values = clip_values(e$values), vectors = e$vectors))
  }
  x <- law$rows
  N <- nrow(x)
  mean <- colMeans(x)
  largest <- apply(abs(x), 2L, max)
  if (centred) {
    x <- x - rep(mean, each = N)
    again <- colMeans(x) # the mean of large values has lost digits that their differences have
    x <- x - rep(again, each = N)
    mean <- mean + again
  }
  sd <- sqrt(colMeans(x^2))
  sd[!(sd > 4 * .Machine$double.eps * largest)] <- 0
  inverse <- ifelse(sd > 0, 1 / sd, 0)
  factor <- qr(x * rep(inverse / sqrt(N), each = N), LAPACK = TRUE)
  R <- qr.R(factor)[, order(factor$pivot), drop = FALSE]
  e <- svd_of(R, nu = 0L, nv = ncol(R))
  values <- c(e$d^2, numeric(ncol(R) - length(e$d)))
  list(mean = mean, sd = sd, values = clip_values(values), vectors = e$v)
}

clip_values <- function(values) {
  floor <- 10 * length(values) * .Machine$double.eps * max(values, 0)
  ifelse(values > floor, values, 0)
}

# A = P^(1/2) V^(1/2)
correlation_root <- function(parts) {
  root <- parts$vectors %*% (sqrt(parts$values) * t(parts$vectors))
  root * rep(parts$sd, each = nrow(root))
}

# What partition_pca() takes the eigenvectors of: uncentred second moments in the identity metric, where coordinates
# keep their units, and correlations in the others, where they do not.
principal_moments <- function(about, call) {
  if (about$metric == "identity") return(list(sigma = second_moments_of(about, call)))
  parts <- correlation_parts(metric_law(about, call), about$augmented)
  list(sigma = parts$vectors %*% (parts$values * t(parts$vectors)))
}

second_moments_of <- function(about, call) {
  if (inherits(about$x, "ca_fit") && is.null(about$data)) {
    return(moments_in(about$x$task$moments, about$units)$sigma)
  }
  if (inherits(about$data, "ca_task")) {
    check_pair_input(about$network, about$data, call)
    return(moments_in(about$data$moments, about$units)$sigma)
  }
  rows <- metric_law(about, call)$rows
  crossprod(rows) / nrow(rows)
}

# svd() of a finite matrix. LAPACK's divide and conquer fails on some of them, and then succeeds on the transpose, whose
# rounding is another.
svd_of <- function(x, nu = min(dim(x)), nv = min(dim(x))) {
  tryCatch(svd(x, nu, nv), error = function(e) {
    s <- svd(t(x), nv, nu)
    list(d = s$d, u = s$v, v = s$u)
  })
}
