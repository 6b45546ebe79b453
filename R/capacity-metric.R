# Metrics: matrices T (coordinates x coordinates) that are applied to the tangent as (T (x) I_m) J.
#
# "standardised" and "covariance" both have the form
#   T = [[A, 0], [mu', 1]]    where the constant is a coordinate of the tangent whose rows are not zero,
#   T = A                     otherwise.
# In the first form the rows of T J for the inputs describe variation around the mean, and the row for the constant
# describes the mean output. For "standardised" A = diag(scale). For "covariance" A = P^(1/2) V^(1/2) with P the
# correlations and V the variances of the inputs (ZCA-cor; Kessy, Lewin and Strimmer 2018,
# doi:10.1080/00031305.2016.1277159). In the second form P and V are those of uncentred moments, since the network
# cannot express a mean.

capacity_metrics <- c("identity", "standardised", "covariance")

# The root T (coordinates x coordinates), or NULL for the identity.
metric_root <- function(allocation, call = rlang::caller_env()) {
  if (allocation$metric == "identity") return(NULL)
  # inputs of a network that has units are standardised already
  if (allocation$metric == "standardised" && !is.null(allocation$units)) return(NULL)
  inputs <- metric_inputs(allocation, call)
  if (allocation$metric == "standardised") {
    units <- metric_standard_units(inputs, unit_groups(allocation$network$input))
    A <- diag(units$scale, length(units$scale))
    mean <- units$centre
  } else {
    parts <- metric_correlation(inputs, allocation$augmented)
    A <- metric_correlation_root(parts)
    mean <- parts$mean
  }
  if (allocation$augmented) return(rbind(cbind(A, 0), c(mean, 1)))
  # the constant is a coordinate of a positively homogeneous network as well, but its rows of D are zero
  if (allocation$intercept) rbind(cbind(A, 0), c(numeric(ncol(A)), 1)) else A
}

# Inputs of a network in its units, as rows or as moments:
#   rows   (rows x inputs), NULL for a task that is stated by its moments
#   weight of the rows (rows x 1), or NULL
#   mean   means of the inputs, NULL for rows
#   sigma  their centred second moments, NULL for rows
new_metric_inputs <- function(rows = NULL, mean = NULL, sigma = NULL, weight = NULL) {
  list(rows = rows, mean = mean, sigma = sigma, weight = weight)
}

# The inputs whose moments the metric uses.
metric_inputs <- function(allocation, call) {
  if (!is.null(allocation$samples)) {
    return(new_metric_inputs(check_task_squares(allocation$samples, "data", call), weight = allocation$weight))
  }
  if (allocation$decay > 0) {
    rows <- fit_rows(allocation$x, call)
    return(new_metric_inputs(units_in(rows$x, allocation$units), weight = rows$weight))
  }
  data <- allocation$data
  if (is.null(data)) {
    if (!inherits(allocation$x, "ca_fit")) {
      abort(c(
        "{.arg data} is needed for the second moments of the inputs: a task or rows of inputs.",
        i = "For a fit its own task is the default."
      ), "value", call = call)
    }
    return(metric_task_inputs(allocation$x$task, allocation$units))
  }
  if (inherits(data, "ca_task")) {
    check_pair_input(allocation$network, data, call)
    return(metric_task_inputs(data, allocation$units))
  }
  rows <- predict_some_inputs(data, allocation$network, call)
  new_metric_inputs(units_in(check_task_squares(rows, "data", call), allocation$units))
}

# The inputs of a task, in `units`.
metric_task_inputs <- function(task, units) {
  if (is_data_task(task)) return(new_metric_inputs(units_in(task$data$x, units), weight = task$data$weight))
  mean <- task$moments$mean_x
  sigma <- task_centred_moments(task)$sigma
  if (is.null(units)) return(new_metric_inputs(mean = mean, sigma = sigma))
  new_metric_inputs(mean = (mean - units$centre_x) / units$scale_x, sigma = sigma / tcrossprod(units$scale_x))
}

# Centre and scale of each coordinate, common to the coordinates of a group: list(centre, scale). The scale of constants
# is 1.
metric_standard_units <- function(inputs, group) {
  if (!is.null(inputs$rows)) return(column_units(inputs$rows, group, weight = inputs$weight))
  centre <- units_group_means(inputs$mean, group)
  spread <- sqrt(units_group_means(diag(inputs$sigma) + (inputs$mean - centre)^2, group))
  list(centre = centre, scale = ifelse(spread > 0, spread, 1))
}

# The correlation matrix P of the inputs by its eigenvectors:
#   mean     means of the inputs
#   sd       standard deviations, or root mean squares for uncentred moments
#   values   eigenvalues of P
#   vectors  eigenvectors of P, in columns
new_metric_correlation <- function(mean, sd, values, vectors) {
  list(mean = mean, sd = sd, values = values, vectors = vectors)
}

# The correlations of `inputs`, from centred or uncentred moments. For rows they are computed by QR of the centred and
# scaled columns, whose squared singular values are the eigenvalues: M - mu mu' would lose digits by cancellation where
# means are large.
metric_correlation <- function(inputs, centred) {
  if (is.null(inputs$rows)) {
    sigma <- if (centred) inputs$sigma else inputs$sigma + tcrossprod(inputs$mean)
    sd <- sqrt(diag(sigma))
    inverse <- ifelse(sd > 0, 1 / sd, 0)
    e <- eigen(sigma * tcrossprod(inverse), symmetric = TRUE)
    return(new_metric_correlation(inputs$mean, sd, metric_clip_values(e$values), e$vectors))
  }
  x <- inputs$rows
  N <- nrow(x)
  weight <- inputs$weight
  mean <- weighted_means(x, weight)
  largest <- apply(abs(x), 2L, max)
  if (centred) {
    x <- x - rep(mean, each = N)
    again <- weighted_means(x, weight) # a second pass, since the mean of large values has a rounding error
    x <- x - rep(again, each = N)
    mean <- mean + again
  }
  x <- weighted_rows(x, weight)
  sd <- sqrt(colMeans(x^2))
  sd[!(sd > 4 * .Machine$double.eps * largest)] <- 0
  inverse <- ifelse(sd > 0, 1 / sd, 0)
  factor <- qr(x * rep(inverse / sqrt(N), each = N), LAPACK = TRUE)
  R <- qr.R(factor)[, order(factor$pivot), drop = FALSE]
  e <- metric_svd(R, nu = 0L, nv = ncol(R))
  values <- c(e$d^2, numeric(ncol(R) - length(e$d)))
  new_metric_correlation(mean, sd, metric_clip_values(values), e$v)
}

# Eigenvalues with those at the level of rounding error set to zero.
metric_clip_values <- function(values) {
  floor <- 10 * length(values) * .Machine$double.eps * max(values, 0)
  ifelse(values > floor, values, 0)
}

# A = P^(1/2) V^(1/2)
metric_correlation_root <- function(parts) {
  root <- parts$vectors %*% (sqrt(parts$values) * t(parts$vectors))
  root * rep(parts$sd, each = nrow(root))
}

# list(sigma): the matrix whose eigenvectors partition_pca() uses. It contains uncentred second moments in the identity
# metric, where coordinates keep their units, and correlations in the other metrics.
metric_principal_moments <- function(allocation, call) {
  if (allocation$metric == "identity") return(list(sigma = metric_second_moments(allocation, call)))
  parts <- metric_correlation(metric_inputs(allocation, call), allocation$augmented)
  list(sigma = parts$vectors %*% (parts$values * t(parts$vectors)))
}

# The uncentred second moments of the inputs, in the units of the network.
metric_second_moments <- function(allocation, call) {
  if (inherits(allocation$x, "ca_fit") && is.null(allocation$data)) {
    return(units_moments_in(allocation$x$task$moments, allocation$units)$sigma)
  }
  if (inherits(allocation$data, "ca_task")) {
    check_pair_input(allocation$network, allocation$data, call)
    return(units_moments_in(allocation$data$moments, allocation$units)$sigma)
  }
  inputs <- metric_inputs(allocation, call)
  crossprod(weighted_rows(inputs$rows, inputs$weight)) / nrow(inputs$rows)
}

# svd() of a finite matrix. LAPACK's divide-and-conquer routine does not converge for some matrices. It then succeeds on
# the transpose, since rounding errors differ.
metric_svd <- function(x, nu = min(dim(x)), nv = min(dim(x))) {
  tryCatch(svd(x, nu, nv), error = function(e) {
    s <- svd(t(x), nv, nu)
    list(d = s$d, u = s$v, v = s$u)
  })
}
