# Tasks on a grid: predict pixels of a random field from a noisy image of it.

#' A task on images
#'
#' The inputs are the pixels of a noisy image, and the output is what one pixel, or
#' each of several, would be without the noise. What there is to know about a
#' pixel lies around it, within the range of the field, so this task asks of a network
#' that it look near the target.
#'
#' The inputs are `x = f + e`: `f` a zero-mean Gaussian field of variance 1, `e`
#' independent Gaussian noise of standard deviation `noise` at each pixel. The
#' covariance of the field depends on nothing but the distance `d` of two pixels, a
#' neighbour in the row or in the column being 1 away, and is of Matern's family
#' (Stein 1999, \doi{10.1007/978-1-4612-1494-6}), a covariance in any number of dimensions:
#'
#' `K(d) = 2^(1 - nu) / Gamma(nu) z^nu K_nu(z)`, `z = sqrt(2 nu) d / range`, nu the smoothness;
#'
#' `exp(-d / range)` where the smoothness is 1/2. The output is `f` at the target. So `Sigma` is
#' `K` at the distances of the pixels plus `noise^2` on the diagonal, `C` is `K` at
#' their distances from the targets, `V` at the targets' distances from each other.
#'
#' @param height,width Rows and columns of the image, in pixels.
#' @param range Length scale of the field, in pixels.
#' @param target The pixel to predict: `"centre"`, row `ceiling(height / 2)` and column
#'   `ceiling(width / 2)`, which of an even number of rows or columns is the first
#'   of the middle two; `"corner"`, the last row and column; or `c(row, column)`. A
#'   matrix with two columns, row and column, has a target in each row, all
#'   different, and each is an output.
#' @param noise Standard deviation of the noise, in units of the field's.
#' @param smoothness Of the field, at most 50.
#' @returns A task of class `ca_task` on a grid, as [input_grid()] makes it: positions run
#'   down the columns, `position = row + height (column - 1)`. Several targets are
#'   outputs named after their pixels, `f[2,3]` the field at row 2, column 3.
#' @section Errors:
#' A target outside the image, given twice or of another name (class
#' `capalloc_error_value`), one that is not a pair of numbers
#' (`capalloc_error_shape`) or of another type (`capalloc_error_type`).
#' @seealso [task_matern()] for the same correlation in time; [bayes_loss()],
#'   [oracle_weights()], [task_demand()], [simulate.ca_task()].
#' @examples
#' task <- task_image(7, 7, range = 2)
#' task
#' matrix(round(task_demand(task)$demand, 3), 7, 7)
#' task_image(7, 7, range = 2, target = rbind(c(1, 1), c(4, 4)))
#' @export
task_image <- function(height, width, range, target = c("centre", "corner"), noise = 0.5, smoothness = 1.5) {
  height <- check_count(height)
  width <- check_count(width)
  range <- check_number(range, min = 0, open = TRUE)
  target <- check_image_target(target, height, width)
  noise <- check_number(noise, min = 0)
  smoothness <- check_process_smoothness(smoothness)
  field <- image_covariance(height, width, range, smoothness)
  at <- target[, 1L] + height * (target[, 2L] - 1L)
  sigma <- field
  diag(sigma) <- diag(field) + noise^2
  pixels <- paste0("[", target[, 1L], ",", target[, 2L], "]")
  label <- paste0(
    "image ", height, " x ", width, " (range = ", task_label_numbers(range), ", smoothness = ",
      task_label_numbers(smoothness),
    ", noise = ", task_label_numbers(noise), "), pixel", if (length(at) > 1L) "s", " ", task_shorten(pixels, 4L)
  )
  new_task(
    "image", label, new_input("grid", 1L, height, width),
    new_task_moments(sigma, field[, at], field[at, at]),
    output_labels = if (length(at) > 1L) paste0("f", pixels)
  )
}

# Returns the covariance matrix of the field (pixels x pixels). A covariance depends only on the differences in row and
# in column, so height x width distinct values are computed.
image_covariance <- function(height, width, range, smoothness) {
  distance <- sqrt(outer((seq_len(height) - 1)^2, (seq_len(width) - 1)^2, `+`))
  correlation <- process_matern_acf(distance, range, smoothness)
  rows <- rep(seq_len(height), times = width)
  columns <- rep(seq_len(width), each = height)
  apart <- 1 + abs(outer(rows, rows, `-`)) + height * abs(outer(columns, columns, `-`))
  matrix(correlation[as.vector(apart)], height * width)
}

# Returns the targets as an integer matrix with the columns row and column.
check_image_target <- function(target, height, width, call = rlang::caller_env()) {
  if (is.character(target)) {
    target <- check_choice(target, c("centre", "corner"), call = call)
    return(switch(target,
      centre = cbind((height + 1L) %/% 2L, (width + 1L) %/% 2L),
      corner = cbind(height, width)
    ))
  }
  if (!is.numeric(target) && !is.data.frame(target)) {
    abort(c(
      "{.arg target} must be {.val centre}, {.val corner} or {.code c(row, column)}.",
      x = "It is {show_value(target)}."
    ), "type", call = call)
  }
  pixels <- if (length(dim(target)) < 2L) matrix(target, nrow = 1L) else target
  pixels <- task_plain_matrix(check_matrix(pixels, arg = "target", call = call))
  if (ncol(pixels) != 2L || nrow(pixels) == 0L) {
    abort(c(
      "{.arg target} must be {.code c(row, column)}, or a matrix with these two columns.",
      x = "It is {show_value(target)}."
    ), "shape", call = call)
  }
  check_image_pixels(pixels, height, width, call)
}

check_image_pixels <- function(target, height, width, call) {
  outside <- target != floor(target) | target < 1 | target[, 1L] > height | target[, 2L] > width
  if (any(outside)) {
    first <- target[which(rowSums(outside) > 0L)[[1L]], ]
    abort(c(
      "{.arg target} must be pixels of the image: whole rows from 1 to {height}, columns from 1 to {width}.",
      x = "It has {show_value(first)}."
    ), "value", call = call)
  }
  if (anyDuplicated(target) > 0L) {
    abort(c(
      "{.arg target} must have different pixels.",
      x = "It has {show_value(target[anyDuplicated(target), ])} twice."
    ), "value", call = call)
  }
  storage.mode(target) <- "integer"
  target
}
