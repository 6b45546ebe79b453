# Tasks stated by their second moments, and checks that some distribution has these moments. The checks allow rounding
# errors up to sqrt(eps) of the scale of each coordinate. Negative eigenvalues within this tolerance are set to zero
# where moments are factorised.

moments_tol <- sqrt(.Machine$double.eps)

# Returns a covariance matrix, made exactly symmetric.
check_moments_covariance <- function(x, size = NULL, arg = rlang::caller_arg(x),
                             call = rlang::caller_env()) {
  force(arg) # evaluated before `x` is assigned, since its default is the expression of `x`
  x <- task_plain_matrix(check_matrix(x, arg = arg, call = call))
  if (nrow(x) != ncol(x) || !is.null(size) && nrow(x) != size) {
    want <- if (is.null(size)) "square" else paste(size, "x", size)
    abort(c(
      "{.arg {arg}} must be {want}.",
      x = "It is {nrow(x)} x {ncol(x)}."
    ), "shape", call = call)
  }
  off <- abs(x - t(x))
  if (any(off > moments_tol * max(abs(x)))) {
    at <- arrayInd(which.max(off), dim(x))[2:1]
    abort(c(
      "{.arg {arg}} must be symmetric.",
      x = "Entry [{at[[1L]]}, {at[[2L]]}] is {format(x[at[[1L]], at[[2L]]])}, but
           [{at[[2L]]}, {at[[1L]]}] is {format(x[at[[2L]], at[[1L]]])}."
    ), "value", call = call)
  }
  x <- (x + t(x)) / 2
  check_moments_psd(x, "{.arg {arg}} must be positive semi-definite.", call = call, arg = arg)
  x
}

# Raises an error when x is not positive semi-definite. `message` states the violated condition and may contain {arg}.
check_moments_psd <- function(x, message, call, arg = NULL, scale = root_unit_scale(x)) {
  smallest <- moments_smallest_eigenvalue(x / tcrossprod(scale))
  if (smallest >= 0) return(invisible(x))
  abort(c(
    message,
    x = "The smallest eigenvalue, after scaling to unit variances, is {format(smallest, digits = 4L)}."
  ), "value", call = call)
}

# Returns the smallest eigenvalue, or 0 when no eigenvalue is negative beyond rounding error. Cholesky is tried first,
# since it is faster.
moments_smallest_eigenvalue <- function(a) {
  if (!is.null(tryCatch(chol(a), error = function(e) NULL))) return(0)
  values <- eigen(a, symmetric = TRUE, only.values = TRUE)$values
  if (min(values) < -moments_tol * max(abs(values))) min(values) else 0
}

#' A task stated by its moments
#'
#' The joint Gaussian law of inputs `x` (n) and outputs `y` (m) that has the
#' given second moments.
#'
#' @param sigma `E[x x']`, n x n: uncentred, symmetric, positive semi-definite.
#' @param cross `E[x y']`, n x m, or a vector of n values for one output.
#' @param target `E[y y']`, m x m, or one number for one output.
#' @param mean_x,mean_y Means, of n and m values; `NULL` means zero. The second
#'   moments include them: `sigma` is the covariance plus `mean_x mean_x'`.
#' @param input `NULL`, or an input such as `input_sequence(32, channels = 2)`,
#'   when the n inputs have an order (channel-fastest, then position).
#' @returns A task of class `ca_task`. Column names of `sigma` and `cross` are
#'   kept as names of inputs and outputs.
#' @section Errors:
#' Moments that no distribution has are refused: `sigma` or `target` not
#' symmetric or not positive semi-definite, or the joint matrix
#' `[[sigma, cross], [cross', target]]`, after subtracting means, not positive
#' semi-definite. The tolerance is 1.5e-8 at unit variances.
#' @seealso [task_data()] for moments of your own data.
#' @examples
#' task_moments(sigma = diag(3), cross = c(0.5, 0, 0.5), target = 1)
#' @export
task_moments <- function(sigma, cross, target, mean_x = NULL, mean_y = NULL, input = NULL) {
  names_x <- colnames(sigma)
  names_y <- colnames(cross)
  sigma <- check_moments_covariance(sigma)
  n <- nrow(sigma)
  cross <- check_matrix(cross, nrow = n, arg = "cross")
  m <- ncol(cross)
  target <- check_moments_covariance(target, size = m)
  if (!is.null(mean_x)) mean_x <- check_vector(mean_x, length = n, arg = "mean_x")
  if (!is.null(mean_y)) mean_y <- check_vector(mean_y, length = m, arg = "mean_y")
  moments <- new_task_moments(sigma, cross, target, mean_x, mean_y)
  check_moments_joint(moments)
  input <- task_input(input, n, names_x)
  label <- paste0("stated moments, ", n, " input", if (n > 1L) "s")
  new_task("moments", label, input, moments, output_labels = names_y)
}

# Checks the joint moments. The tolerance is relative to the scale of the uncentred moments, since subtracting large
# means leaves rounding errors of that size.
check_moments_joint <- function(moments, call = rlang::caller_env()) {
  scale <- root_unit_scale(task_joint_moments(moments))
  arguments <- "{.arg sigma}, {.arg cross} and {.arg target}"
  if (any(moments$mean_x != 0, moments$mean_y != 0)) {
    check_moments_psd(
      root_subtract_means(moments)$sigma,
      "{.arg sigma} minus {.code mean_x mean_x'} must be positive semi-definite.",
      call = call, scale = root_unit_scale(moments$sigma)
    )
    arguments <- paste0(arguments, ", after subtracting {.arg mean_x} and {.arg mean_y},")
  }
  check_moments_psd(
    task_joint_moments(root_subtract_means(moments)),
    paste(
      "No distribution has these moments:", arguments,
      "must form a positive semi-definite matrix {.code [[sigma, cross], [cross', target]]}."
    ),
    call = call, scale = scale
  )
}
