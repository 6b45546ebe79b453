# Tasks: their fields, and the quantities that are computed from their moments.
#
# A task is the joint distribution of inputs x (n) and outputs y (m), up to its second moments: Sigma = E[x x'] (n x n),
# C = E[x y'] (n x m), V = E[y y'] (m x m), uncentred, and the means. The moments of synthetic tasks are exact. Tasks
# from data contain their rows, and their moments are those of the training rows.
#
# The quantities are
#   W* = C' Sigma^+,  Bayes loss = tr(V - C' Sigma^+ C),
#   demand_j = |w_j|^2 / (Sigma^-1)_jj for one input j.
# Sigma is scaled to unit diagonal before it is factorised, so that the numerical rank does not depend on the units of
# the inputs. W* and demand use task_factor_covariance(), the Bayes loss moment_root().

# `data` is NULL or list(x, y, x_test, y_test); `...` are further fields.
new_task <- function(kind, label, input, moments, data = NULL, output_labels = NULL, ...) {
  structure(
    list(
      kind = kind, label = label, input = input, outputs = ncol(moments$cross),
      output_labels = output_labels, moments = moments, data = data, ...
    ),
    class = c(paste0("ca_task_", kind), "ca_task")
  )
}

# Returns the moments of a task as a list: `sigma` (n x n), `cross` (n x m), `target` (m x m), `mean_x` (n) and
# `mean_y` (m). The means are zero unless given.
new_task_moments <- function(sigma, cross, target, mean_x = NULL, mean_y = NULL) {
  cross <- task_plain_matrix(cross)
  list(
    sigma = task_plain_matrix(sigma), cross = cross, target = task_plain_matrix(target),
    mean_x = if (is.null(mean_x)) numeric(nrow(cross)) else as.double(mean_x),
    mean_y = if (is.null(mean_y)) numeric(ncol(cross)) else as.double(mean_y)
  )
}

# Returns a double matrix without names and without the attributes of a time series.
task_plain_matrix <- function(x) {
  matrix(as.double(x), NROW(x), NCOL(x))
}

check_task <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (!inherits(x, "ca_task")) {
    abort(c(
      "{.arg {arg}} must be a task.",
      x = "It is {show_value(x)}.",
      i = "Tasks are made by {.fn task_fgn}, {.fn task_data}, {.fn task_series} and the like."
    ), "type", call = call)
  }
  x
}

# Returns the input space of a task whose coordinates are the columns of a matrix: a vector, unless the user gives an
# `input_*()`.
task_input <- function(input, n, labels = NULL, call = rlang::caller_env()) {
  if (is.null(input)) return(new_input("vector", n, labels = labels))
  if (!inherits(input, "ca_network")) {
    abort(c(
      "{.arg input} must be {.code NULL} or an input, such as {.code input_sequence({n})}.",
      x = "It is {show_value(input)}."
    ), "type", call = call)
  }
  space <- input$input
  if (input_size(space) != n) {
    abort(c(
      "{.arg input} must have one coordinate for each input ({n}).",
      x = "It is {describe_input_shape(space)}, whose number of coordinates is {input_size(space)}."
    ), "shape", call = call)
  }
  if (!is.null(labels)) space$labels <- labels
  space
}

is_data_task <- function(task) !is.null(task$data)

# Whether predictions have an intercept by default: for data, and for means that are not all zero.
has_task_intercept <- function(task) {
  is_data_task(task) || any(task$moments$mean_x != 0, task$moments$mean_y != 0)
}

task_output_names <- function(task) {
  if (is.null(task$output_labels)) paste0("y[", seq_len(task$outputs), "]") else task$output_labels
}

# Returns numbers as text for a label, at most four of them.
task_label_numbers <- function(x) {
  task_shorten(as.character(signif(x, 4L)), 4L)
}

task_shorten <- function(words, most) {
  paste(c(words[seq_along(words) <= most], if (length(words) > most) "..."), collapse = ", ")
}

# ---- moments and their factorisation ---------------------------------------

# Returns the covariances of a task. Rows are centred before they are multiplied, since subtracting moments would lose
# digits to cancellation. The covariances of a constant input are rounding error and are set to zero.
task_centred_moments <- function(task) {
  moments <- task$moments
  if (!is_data_task(task)) return(root_centre_moments(moments))
  x <- sweep(task$data$x, 2L, moments$mean_x)
  y <- sweep(task$data$y, 2L, moments$mean_y)
  root_clear_constants(task_row_moments(x, y, task$data$weight), moments, (100 * .Machine$double.eps)^2)
}

# Returns the moments of N rows: sums of products divided by N, and column means. With weights both are weighted means.
task_row_moments <- function(x, y, weight = NULL) {
  n_rows <- nrow(x)
  mean_x <- weighted_means(x, weight)
  mean_y <- weighted_means(y, weight)
  x <- weighted_rows(x, weight)
  y <- weighted_rows(y, weight)
  new_task_moments(crossprod(x) / n_rows, crossprod(x, y) / n_rows, crossprod(y) / n_rows, mean_x, mean_y)
}

# Squares of entries above 1e154 overflow, and those of very small entries underflow and lose digits.
check_task_squares <- function(rows, arg, call = rlang::caller_env()) {
  size <- apply(abs(rows), 2L, max, 0)
  size <- size[size > 0]
  bad <- size[size > 1e152 | size < 1e-152]
  if (length(bad) == 0L) return(rows)
  abort(c(
    "The squares of {.arg {arg}} must not overflow or underflow.",
    x = "The largest absolute value of a column is {format(bad[[1]], digits = 2)}.",
    i = "Rescale the column, so that this value lies between 1e-152 and 1e152."
  ), "value", call = call)
}

# Returns [[Sigma, C], [C', V]] ((n + m) x (n + m)).
task_joint_moments <- function(moments) {
  rbind(cbind(moments$sigma, moments$cross), cbind(t(moments$cross), moments$target))
}

# Returns a list, with A = Sigma scaled to unit diagonal: `scale` (n), the standard deviations; `root` (n x r) with
# A^+ = root root'; `null` (n x (n - r)), an orthonormal basis of the null space of A. For an input of zero variance,
# `null` contains exactly its unit vector.
task_factor_covariance <- function(sigma) {
  scale <- root_unit_scale(sigma)
  n <- length(scale)
  varies <- diag(sigma) > 0
  f <- task_factor_correlation((sigma / tcrossprod(scale))[varies, varies, drop = FALSE])
  root <- matrix(0, n, ncol(f$root))
  root[varies, ] <- f$root
  null <- matrix(0, n, ncol(f$null))
  null[varies, ] <- f$null
  list(scale = scale, root = root, null = cbind(null, diag(n)[, !varies, drop = FALSE]))
}

# Returns `root` and `null`, as above, of a correlation matrix. Pivoted Cholesky is used when it finds full rank at
# LAPACK's default tolerance n eps, since a threshold of 10 n eps would drop directions that smooth processes need.
# Otherwise eigenvalues are used. Those below `tol` times the largest count as zero, and so do those of at most ten
# times the size of the most negative one, which are rounding error.
task_factor_correlation <- function(a) {
  n <- nrow(a)
  if (n == 0L) return(list(root = a, null = a))
  tol <- 10 * n * .Machine$double.eps
  triangle <- suppressWarnings(chol(a, pivot = TRUE, tol = -1))
  if (attr(triangle, "rank") == n) {
    root <- matrix(0, n, n)
    root[attr(triangle, "pivot"), ] <- backsolve(triangle, diag(n))
    return(list(root = root, null = matrix(0, n, 0L)))
  }
  e <- eigen(a, symmetric = TRUE)
  keep <- e$values > max(tol * max(e$values), -10 * min(e$values))
  root <- e$vectors[, keep, drop = FALSE] * rep(1 / sqrt(e$values[keep]), each = n)
  list(root = root, null = e$vectors[, !keep, drop = FALSE])
}

# Returns the best linear prediction of y from x as a list: `weights` W* = C' Sigma^+ (m x n); `loss`; `precision`, the
# n diagonal entries of Sigma^-1. The precision of an input is one over its variance given all other inputs, and Inf
# where they determine it.
task_best_linear <- function(moments) {
  f <- task_factor_covariance(moments$sigma)
  explained <- crossprod(f$root, moments$cross / f$scale)
  weights <- t((f$root %*% explained) / f$scale)
  precision <- rowSums(f$root^2) / f$scale^2
  if (ncol(f$null) > 0L) {
    # Among the optimal weights, those of least norm in the user's units have no component in the null space of Sigma,
    # which is the null space of A divided by `scale`.
    null <- qr.Q(qr(f$null / f$scale, LAPACK = TRUE))
    weights <- weights - tcrossprod(weights %*% null, null)
    # An input with a nonzero entry in the null space is a linear combination of others. The bound of 1e-6 on its norm
    # is far above the rounding error of eigenvectors, about n eps over the gap.
    precision[rowSums(f$null^2) > 1e-12] <- Inf
  }
  loss <- max(0, sum(diag(moments$target)) - sum(explained^2))
  list(weights = weights, precision = precision, loss = loss)
}

# ---- computed quantities ----------------------------------------------------

#' The best possible loss of a task
#'
#' The expected squared error of the best prediction, `E|y - E[y | x]|^2`, summed
#' over the outputs. No network has a lower population loss.
#'
#' Synthetic tasks are Gaussian, so the best prediction is linear (affine where
#' means are not zero) and the loss is `tr(V - C' Sigma^+ C)`, with centred
#' `Sigma = cov(x)`, `C = cov(x, y)`, `V = cov(y)`. It is computed by pivoted
#' Cholesky of `Sigma` scaled to unit diagonal or, where that is singular, from
#' its eigenvalues above `10 n eps` times the largest.
#'
#' @param task A task.
#' @returns One number, in squared units of the output. `NA` for tasks made from
#'   data, whose law is not known.
#' @seealso [oracle_weights()] for the prediction that attains it,
#'   [task_demand()] for what each input contributes.
#' @examples
#' bayes_loss(task_fgn(length = 64, hurst = 0.8))
#' @export
bayes_loss <- function(task) {
  check_task(task)
  if (is_data_task(task)) return(NA_real_)
  moment_root(task$moments, intercept = TRUE)$floor
}

#' The best linear weights of a task
#'
#' `W* = C' Sigma^+`: the weights that a free linear model has after training
#' with unlimited data (for tasks from data: on all the training rows). Where
#' `Sigma` is singular many weights are best and these have the least norm.
#'
#' @inheritParams bayes_loss
#' @param intercept Whether the prediction has a constant. `NULL`, the default,
#'   means yes for tasks made from data and for means that are not all zero. With
#'   an intercept the moments are centred first; without one they are not.
#' @returns A matrix with one row per output and one column per input, named;
#'   with an intercept, a last column `(Intercept)`.
#' @inherit bayes_loss seealso
#' @examples
#' oracle_weights(task_ar(length = 6, ar = c(0.5, 0.3)))
#' @export
oracle_weights <- function(task, intercept = NULL) {
  check_task(task)
  if (is.null(intercept)) intercept <- has_task_intercept(task)
  check_flag(intercept)
  moments <- task$moments
  weights <- task_best_linear(if (intercept) task_centred_moments(task) else moments)$weights
  if (intercept) weights <- cbind(weights, moments$mean_y - drop(weights %*% moments$mean_x))
  dimnames(weights) <- list(task_output_names(task), input_frame(task$input, intercept)$input)
  weights
}

#' What a task demands of each input
#'
#' The rise of the best possible loss when one input is withheld, all others
#' kept: `|w_j|^2 / (Sigma^-1)_jj`, with `w_j` the best weights of input j
#' (summed over outputs) and `Sigma` the covariance of the inputs. An input that
#' the others determine has demand 0. Demands do not add up to anything: two
#' inputs that carry the same news have none each.
#'
#' Compare it with the capacity that a trained network allocates. For tasks from
#' data it is the rise of the least squares error on the training rows.
#'
#' @inheritParams bayes_loss
#' @returns A data frame of class `ca_demand` with one row per input: `input`
#'   (its name), `position` (1 is the oldest), `lag` (1 is the newest; `NA` for
#'   vectors), `channel`, and `demand`, in squared units of the output.
#' @seealso [bayes_loss()], [oracle_weights()].
#' @examples
#' task_demand(task_ar(length = 6, ar = c(0.5, 0.3)))
#' @export
task_demand <- function(task) {
  check_task(task)
  best <- task_best_linear(task_centred_moments(task))
  columns <- as.list(input_frame(task$input))
  columns$demand <- colSums(best$weights^2) / best$precision
  new_frame(columns, "ca_demand")
}

#' Draw observations from a task
#'
#' Synthetic tasks draw independent rows from the joint Gaussian law of inputs
#' and outputs that has the task's moments, singular ones included. Tasks made
#' from data draw training rows with replacement, with probabilities proportional to their weights.
#'
#' @param object A task.
#' @param nsim Number of rows.
#' @param seed One whole number; `NULL` draws one from R's own stream, so that
#'   [set.seed()] governs. The same seed gives the same rows in any session,
#'   and for synthetic tasks a longer draw begins with the shorter one. R's
#'   generator and its kind are left as they were found.
#' @param ... Not used.
#' @returns A list of `x` (`nsim` x inputs) and `y` (`nsim` x outputs), with the
#'   seed in attribute `"seed"`. Columns of `x` run in the order of
#'   [task_demand()]'s rows.
#' @examples
#' drawn <- simulate(task_ar(length = 4, ar = 0.5), nsim = 100, seed = 1)
#' cor(drawn$x[, 4], drawn$y)
#' @importFrom stats simulate
#' @export
simulate.ca_task <- function(object, nsim = 1, seed = NULL, ...) {
  check_dots(...)
  nsim <- check_count(nsim)
  seed <- draw_seed(seed)
  draw <- if (is_data_task(object)) task_draw_rows else task_draw_gaussian
  drawn <- draw(object, nsim, seed)
  attr(drawn, "seed") <- seed
  drawn
}

# Rows of a series depend on their neighbours, so they are drawn in blocks.
task_draw_rows <- function(task, nsim, seed) {
  N <- nrow(task$data$x)
  rows <- with_seed(seed, if (task$kind == "series") {
    draw_blocks(N, default_block_length(N, task$input$shape[[3L]]), nsim)
  } else {
    sample.int(N, nsim, replace = TRUE, prob = task$data$weight)
  })
  list(x = task$data$x[rows, , drop = FALSE], y = task$data$y[rows, , drop = FALSE])
}

# Draws by the symmetric root of the covariance matrix, scaled to unit diagonal. This root does not depend on the signs
# of eigenvectors. Eigenvalues at the level of rounding error are set to zero, so that the draws satisfy the exact
# linear relations of a singular distribution.
task_draw_gaussian <- function(task, nsim, seed) {
  n <- length(task$moments$mean_x)
  joint <- task_joint_moments(task_centred_moments(task))
  scale <- root_unit_scale(joint)
  e <- eigen(joint / tcrossprod(scale), symmetric = TRUE)
  noise <- 10 * length(scale) * .Machine$double.eps * e$values[[1L]]
  gain <- ifelse(e$values > noise, sqrt(abs(e$values)), 0)
  root <- tcrossprod(e$vectors * rep(gain, each = length(scale)), e$vectors)
  z <- with_seed(seed, matrix(stats::rnorm(nsim * length(scale)), nsim, byrow = TRUE))
  mean <- c(task$moments$mean_x, task$moments$mean_y)
  drawn <- z %*% root * rep(scale, each = nsim) + rep(mean, each = nsim)
  list(x = drawn[, seq_len(n), drop = FALSE], y = drawn[, -seq_len(n), drop = FALSE])
}

# The Bayes loss, 0 where it is rounding error.
task_shown_loss <- function(task) {
  loss <- bayes_loss(task)
  if (loss > 1e-14 * sum(diag(task$moments$target))) loss else 0
}

task_standardise_text <- function(task) {
  how <- task$standardise
  if (is.null(how) || identical(how, FALSE)) return("on the columns as they are")
  what <- if (task$kind == "series") "channels" else "columns"
  switch(as.character(how),
    each = paste("on standardised", what, "with one scale for each response"),
    scale = paste("on scaled", what, "that are not centred"),
    paste("on standardised", what)
  )
}

# A line of text about the weights of a task, or NULL.
weights_text <- function(task) {
  weights <- task$class_weights
  if (!is.null(weights)) {
    return(paste0("Class weights: ", task_shorten(paste(names(weights), format(weights, digits = 3L, trim = TRUE)),
      6L)))
  }
  if (is.null(task$data$weight)) return(NULL)
  paste0("Weights: ", paste(format(range(task$data$weight), digits = 3L, trim = TRUE), collapse = " to "))
}

#' Print a task
#'
#' @param x A task.
#' @param ... Not used.
#' @returns `print()` returns `x`, invisibly; `format()` the lines that it shows.
#' @examples
#' task_fgn(length = 64, hurst = 0.8)
#' @export
print.ca_task <- function(x, ...) {
  writeLines(format(x))
  invisible(x)
}

#' @rdname print.ca_task
#' @export
format.ca_task <- function(x, ...) {
  labels <- x$output_labels
  outputs <- paste0(x$outputs, if (!is.null(labels)) paste0(" (", task_shorten(labels, 6L), ")"))
  c(
    paste0("<task> ", x$label),
    paste0("Input: ", describe_input_shape(x$input)),
    paste0("Outputs: ", outputs),
    if (is_data_task(x)) {
      c(
        paste0("Rows: ", nrow(x$data$x), " training, ", nrow(x$data$x_test), " held out"),
        paste0("Training: ", task_standardise_text(x)),
        weights_text(x)
      )
    } else {
      paste0("Bayes loss: ", format(task_shown_loss(x), digits = 6L))
    }
  )
}

has_task_classes <- function(task) !is.null(task$levels)

task_loss_of <- function(task) if (has_task_classes(task)) "cross_entropy" else "squared"

#' @export
glance.ca_demand <- function(x, ...) {
  check_dots(...)
  light_frame(list(inputs = nrow(x), largest = max(x$demand), at = x$input[[which.max(x$demand)]]))
}
