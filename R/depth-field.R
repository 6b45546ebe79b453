# Theoretical and effective receptive fields of the layers of a network.

#' Effective receptive field
#'
#' What one output of each layer can see of the input by the shapes of the layers (the theoretical field, as in
#' [receptive_field()]), and where its capacity is: mean, standard deviation, and the smallest window with most of it.
#' Many steps of equal layers add up to a bell, whose width grows as the square root of depth while the theoretical
#' field grows as depth (Luo et al. 2016).
#'
#' @section Methods:
#' The network is cut after each of its own layers (a residual or parallel layer is one) and read at one position,
#' all channels there.
#'
#' * `"total"`, `"linear"`, `"gaussian"`, `"empirical"`: the capacity that [propagate_capacity()] brings to the input in
#'   that mode, from each channel separately.
#' * `"gradient"`: the squares of the derivatives of the channels by each input, summed, averaged over the rows of
#'   `data` (of a linear network, its squared effective weights).
#'
#' Channels of the input are summed. What goes to the `(Intercept)` or is lost is left out.
#'
#' @section The square root of depth:
#' `depth` counts the layers so far that widened the theoretical field. `sqrt_depth` is c sqrt(depth), c by least
#' squares over those layers: where sd follows it, layers add independent steps of equal width. Dilations that grow,
#' strides, recurrences and borders in reach depart from it; `exponent` of `glance()`, the slope of log sd on log depth,
#' is 1/2 by the law.
#'
#' @param network A network with coefficients, or a fit (whose task or inputs are used unless `task` or `data` are
#'   given), on a sequence or a grid.
#' @param method `"total"`, `"linear"`, `"gaussian"`, `"empirical"` or `"gradient"`.
#' @param output Where each layer is read: `"newest"`, its last position (on a grid, last row and column), as in
#'   [receptive_field()], or `"middle"`, away from borders.
#' @param level The share of capacity that the smallest window holds.
#' @param task,data,limit As in [propagate_capacity()]; method `"gradient"` of a network that is not linear needs
#'   `data`, or a `task` made from data.
#' @returns A data frame of class `ca_field` with one row per layer, on a grid two, its rows and its columns: `layer` (a
#'   factor), on a grid `dimension`, `depth`, `from`, `to` and `size` (the theoretical field, in input
#'   positions), `mean` and `sd` of capacity, `region_from`, `region_to` and `region_size` (the smallest
#'   window of positions with `level` of it; of several the one with the most), `sqrt_depth`. `NA` where nothing of the
#'   input is seen, or no capacity comes to it.
#'
#'   `glance()`: one row (on a grid, one per dimension): `layers`, `depth`, `size`, `sd` and `region_size` of the last
#'   layer, `share` = region_size / size, `exponent`, `method`, `level`.
#' @references Luo, W., Li, Y., Urtasun, R. and Zemel, R. (2016). Understanding the effective receptive field in deep
#'   convolutional neural networks. \doi{10.48550/arXiv.1701.04128}.
#' @seealso [receptive_field()], [diffusion_limit()]; `autoplot()` and `plot()` draw it.
#' @examples
#' net <- input_sequence(64)
#' for (i in 1:8) net <- layer_conv(net, 1, kernel = 3, padding = "same")
#' net <- set_coef(net, rep(1, 24))
#' field <- effective_receptive_field(net, output = "middle")
#' field
#' glance(field)
#' plot(field)
#' @export
effective_receptive_field <- function(network, method = c("total", "linear", "gaussian", "empirical", "gradient"),
                                      output = c("newest", "middle"), level = 0.95, task = NULL, data = NULL,
                                      limit = 1e11) {
  call <- rlang::current_env()
  fitted <- if (inherits(network, "ca_fit")) network
  warn_unused_gates(network, task, data)
  network <- network_of(network)
  method <- check_choice(method, c("total", "linear", "gaussian", "empirical", "gradient"))
  output <- check_choice(output, c("newest", "middle"))
  level <- check_number(level, min = 0, max = 1, open = TRUE)
  limit <- check_plan_limit(limit)
  check_field_input(network, call)
  if (!is.null(fitted) && is.null(task) && is.null(data)) {
    sampled <- method %in% c("empirical", "gradient") || length(propagate_maxima(lower_network(network))) > 0L
    inputs <- propagate_fit_inputs(fitted, sampled, call)
  } else {
    inputs <- propagate_gate_inputs(network, task, data, call)
  }
  if (method == "gradient") inputs <- field_gradient_inputs(network, inputs, call)
  heads <- lapply(seq_along(network$layers), function(i) field_read_prefix(network, i, output))
  weights <- lapply(heads, function(head) {
    if (method == "gradient") return(field_mean_gradients(head, inputs$data, call))
    flow_through(read_flow(head, NULL, method, inputs$task, inputs$data, limit, call))[[1L]]$unit
  })
  new_field(network, heads, weights, method, output, level)
}

check_field_input <- function(network, call) {
  if (network$input$kind == "vector") {
    abort(c(
      "{.arg network} must be on a sequence or a grid.",
      x = "Its input is {describe_input_shape(network$input)}, whose entries have no positions."
    ), "shape", call = call)
  }
  if (length(network$layers) > 0L) return(invisible())
  abort(c("{.arg network} must have layers.", x = "It is a bare input."), "value", call = call)
}

field_gradient_inputs <- function(network, inputs, call) {
  if (!is.null(inputs$task) && is_data_task(inputs$task)) {
    inputs <- list(task = NULL, data = rows_by_weights(inputs$task$data))
  }
  if (is.null(inputs$data) && !is_linear(network)) {
    abort(c(
      "Method {.val gradient} needs {.arg data}: rows of inputs, at which the gradients are taken.",
      i = "Draw them from a task with {.code simulate(task, 1000)$x}."
    ), "no_data", call = call)
  }
  inputs
}

# The network of the first i layers, with one position of its output.
field_read_prefix <- function(network, i, output) {
  layers <- network$layers[seq_len(i)]
  head <- new_network(network$input, layers, network$coef[seq_len(layers_params(layers))])
  if (shape_output_kind(head) == "vector") return(head)
  places <- output_shape(head)[2:3]
  at <- if (output == "newest") places else (places + 1L) %/% 2L
  layer_at(head, at[[1L]], at[[2L]])
}

# For each input j, sum over outputs o of (dyhat_o / dx_j)^2, averaged over rows. It is relative to the square of the
# largest derivative, which could overflow or underflow.
field_mean_gradients <- function(network, data, call) {
  graph <- lower_network(network)
  check_gradient_range(graph, network$coef, call)
  n <- input_size(network$input)
  if (is_linear(network)) data <- matrix(0, 1L, n)
  total <- numeric(n)
  unit <- 0
  for (s in seq_len(nrow(data))) {
    J <- linearise_gradient(graph, network$coef, data[s, , drop = FALSE], call)
    largest <- max(abs(J))
    if (largest > unit) {
      total <- total * (unit / largest)^2
      unit <- largest
    }
    if (unit > 0) total <- total + colSums((J / unit)^2)
  }
  total / nrow(data)
}

new_field <- function(network, heads, weights, method, output, level) {
  grid <- network$input$kind == "grid"
  names <- vapply(Filter(function(row) row$depth == 0L, network_rows(network)), function(row) row$name, "")
  shape <- network$input$shape
  along <- if (grid) c(row = 1L, column = 2L) else c(position = 2L)
  frames <- lapply(names(along), function(dimension) {
    d <- along[[dimension]]
    fields <- Map(function(head, w) {
      # rounding errors of second moments can be negative
      sums <- apply(array(pmax(w, 0), shape), d + 1L, sum)
      c(theoretical_field(head, d), used_field(sums, level))
    }, heads, weights)
    columns <- lapply(stats::setNames(nm = names(fields[[1L]])), function(name) {
      vapply(fields, function(field) field[[name]], fields[[1L]][[name]])
    })
    depth_law(c(list(layer = factor(names, levels = names), dimension = rep(dimension, length(names))), columns))
  })
  rows <- field_stack_layers(frames)
  if (!grid) rows$dimension <- NULL
  new_frame(rows, "ca_field", method = method, output = output, level = level, extent = shape[along + 1L],
    input_kind = network$input$kind)
}

# Joins the frames of rows and columns. The two entries of a layer are neighbours, as in receptive_field().
field_stack_layers <- function(frames) {
  names <- levels(frames[[1L]]$layer)
  at <- c(matrix(seq_len(length(names) * length(frames)), length(frames), byrow = TRUE))
  lapply(stats::setNames(nm = names(frames[[1L]])), function(column) {
    if (column == "layer") return(factor(rep(names, each = length(frames)), levels = names))
    unlist(lapply(frames, function(frame) frame[[column]]))[at]
  })
}

# `from`, `to` and `size` of the receptive field of the network's one output position along dimension d, 1 (rows) or 2.
theoretical_field <- function(network, d) {
  reach <- .Call(ffi_reach, lower_network(network))[2L * d - 1:0, 1L]
  list(from = reach[[1L]], to = reach[[2L]], size = reach[[2L]] - reach[[1L]] + 1L)
}

used_field <- function(w, level) {
  moments <- diffusion_profile_moments(w)
  region <- field_smallest_window(w, level)
  list(
    mean = moments$mean, sd = sqrt(moments$variance), region_from = region[[1L]], region_to = region[[2L]],
    region_size = region[[2L]] - region[[1L]] + 1L
  )
}

# First and last index of the shortest run of entries whose sum is at least `level` of the total. Of several such runs
# it is the one with the largest sum.
field_smallest_window <- function(w, level) {
  total <- sum(w)
  if (!(total > 0)) return(c(NA_integer_, NA_integer_))
  before <- c(0, cumsum(w))
  needed <- level * total * (1 - 1e-12) # allows for rounding
  # the first end for each start, by binary search in the nondecreasing cumulative sums
  end <- findInterval(before[seq_along(w)] + needed, before, left.open = TRUE)
  from <- which(end <= length(w))
  steps <- end[from] - from
  shortest <- from[steps == min(steps)]
  best <- shortest[[which.max(before[end[shortest] + 1L] - before[shortest])]]
  c(best, end[[best]])
}

# Adds the columns `depth`, the number of layers so far that widened the field, and `sqrt_depth`, c sqrt(depth) with c
# fitted to the standard deviations by least squares.
depth_law <- function(rows) {
  size <- ifelse(is.na(rows$size), 0L, rows$size)
  grew <- diff(c(1L, cummax(pmax(size, 1L)))) > 0
  rows$depth <- cumsum(grew)
  known <- grew & !is.na(rows$sd)
  c <- sum(rows$sd[known] * sqrt(rows$depth[known])) / sum(rows$depth[known])
  rows$sqrt_depth <- if (any(known)) c * sqrt(rows$depth) else rep(NA_real_, length(grew))
  rows[c("layer", "dimension", "depth", "from", "to", "size", "mean", "sd", "region_from", "region_to", "region_size",
    "sqrt_depth")]
}

# ---- methods ---------------------------------------------------------------------------------------

#' @rdname effective_receptive_field
#' @param x An effective receptive field, from `effective_receptive_field()`.
#' @param ... Not used.
#' @export
glance.ca_field <- function(x, ...) {
  check_dots(...)
  rows <- plain_frame(x)
  grid <- !is.null(rows$dimension)
  parts <- if (grid) split(rows, factor(rows$dimension, levels = c("row", "column"))) else list(rows)
  last <- do.call(rbind, lapply(parts, function(part) part[nrow(part), , drop = FALSE]))
  out <- list(
    layers = vapply(parts, nrow, 0L), depth = last$depth, size = last$size, sd = last$sd,
    region_size = last$region_size, share = last$region_size / last$size, exponent = vapply(parts, depth_exponent, 0),
    method = rep(attr(x, "method"), length(parts)), level = rep(attr(x, "level"), length(parts))
  )
  light_frame(c(if (grid) list(dimension = names(parts)), lapply(out, unname)))
}

# Slope of log sd on log depth over the layers that widened the field, NA for fewer than two.
depth_exponent <- function(rows) {
  use <- !duplicated(rows$depth) & rows$depth > 0L & !is.na(rows$sd) & rows$sd > 0
  x <- log(rows$depth[use])
  if (length(x) < 2L) return(NA_real_)
  sum((x - mean(x)) * log(rows$sd[use])) / sum((x - mean(x))^2)
}

#' @rdname effective_receptive_field
#' @export
tidy.ca_field <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

#' @rdname effective_receptive_field
#' @param n Number of rows to print.
#' @export
print.ca_field <- function(x, n = 20, ...) {
  cat("<effective receptive field> of the ", attr(x, "output"), " output of each layer, method ", attr(x, "method"),
    ", region with ", format(100 * attr(x, "level")), "%\n", sep = "")
  rows <- plain_frame(x)
  print(rows[seq_len(min(n, nrow(rows))), , drop = FALSE], row.names = FALSE, digits = 4)
  if (nrow(rows) > n) cat("  ... and ", nrow(rows) - n, " more rows\n", sep = "")
  invisible(x)
}
