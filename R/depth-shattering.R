# Shattering: correlation between the input gradients of a network at different inputs, by depth.

#' Shattering of gradients
#'
#' The correlation of a network's input gradients at pairs of inputs, against the distance of the inputs, for the
#' network cut after each of its layers that is not linear. In plain networks with activations it falls with
#' depth until gradients at neighbouring inputs have little in common ("shattered gradients", Balduzzi et
#' al. 2017); skip connections slow that down.
#'
#' @section What is correlated:
#' J_s = dyhat/dx at input x_s, all outputs of the network cut there by all inputs. The correlation of two inputs is
#' sum_oj J_s,oj J_t,oj / (|J_s| |J_t|), not centred, as gate correlations are ([decoupling()]): 1 everywhere for what
#' is linear. In a plain network of independent weights of mean zero it tends, as layers get wide, to the product over
#' its activations of the gate correlations at the correlation that pre-activations have there. Inputs at which all
#' gradients are zero are left out and counted.
#'
#' The network is cut after each of its own layers that is not linear (a residual or parallel layer is one), and at its
#' end; `depth` counts them. Gradients are exact ([linearise()]), one row of `data` at a time; their storage is 8 N m n
#' bytes for N rows, m outputs at the cut and n inputs.
#'
#' @param network A network with coefficients, a fit, or a named list of them on the same inputs, which are compared.
#' @param data Rows of inputs, as in [predict.ca_network()], or a task made from data. For one fit `NULL`: what it was
#'   trained on.
#' @param path `NULL`, or a number of points, evenly spaced on the line between two inputs: the two rows of `data`.
#' @param bins Number of bins of equal width for the distances of pairs; on a `path` distances are multiples of the
#'   step, and no bins are needed.
#' @returns A data frame of class `ca_shattering`: of a list `network` (a factor), `layer` (a factor, what the network
#'   was cut after), `depth` (number of layers so far that are not linear), `distance` (Euclidean, mean of the pairs in
#'   the bin), `correlation` (mean of the pairs), `pairs`. Bins without pairs are left out.
#'
#'   `glance()`: one row for each network and layer: `network`, `layer`, `depth`, `correlation` of all pairs, `near`
#'   (that of the nearest bin), `half` (the distance at which the correlation comes down to 1/2, between bins by a
#'   straight line from 1 at distance 0; `NA` where it does not), `pairs`, and `dead`, the number of inputs without
#'   gradients.
#' @references Balduzzi, D., Frean, M., Leary, L., Lewis, J. P., Ma, K. W.-D. and McWilliams, B. (2017). The shattered
#'   gradients problem: if resnets are the answer, then what is the question? \doi{10.48550/arXiv.1702.08591}.
#' @seealso [decoupling()], [linearise()]; `autoplot()` and `plot()` draw it.
#' @examples
#' plain <- residual <- input_vector(2) |> layer_dense(16)
#' for (i in 1:5) {
#'   plain <- plain |> layer_dense(16) |> layer_activation("relu")
#'   residual <- residual |> layer_residual(\(x) x |> layer_dense(16) |> layer_activation("relu"))
#' }
#' nets <- lapply(list(plain = plain, residual = residual), initialise, scheme = "he", seed = 1)
#' s <- shattering(nets, rbind(c(-2, 1), c(2, 1)), path = 33)
#' glance(s)
#' plot(s)
#' @export
shattering <- function(network, data = NULL, path = NULL, bins = 20) {
  call <- rlang::current_env()
  networks <- shattering_networks(network, call)
  if (!is.null(path)) warn_unused(unused_of(bins = missing(bins)), "On a {.arg path} a bin is a number of steps.")
  bins <- check_count(bins)
  rows <- shattering_rows(networks, data, call)
  if (!is.null(path)) rows <- shattering_path_rows(rows, check_count(path, min = 2L), call)
  if (nrow(rows) < 2L) {
    abort(c("{.arg data} must have at least two rows to form a pair.", x = "It has {nrow(rows)}."), "shape")
  }
  pairs <- shattering_distance_pairs(rows, bins, path)
  found <- lapply(networks, function(net) shattering_layers(net, rows, pairs, call))
  new_shattering(found, named = is.list(network) && !is_shattering_network(network), path = !is.null(path))
}

is_shattering_network <- function(x) inherits(x, "ca_network") || inherits(x, "ca_fit")

# A named list of networks with coefficients, or fits. A single one has the name "network".
shattering_networks <- function(network, call) {
  if (is_shattering_network(network) || !is.list(network) || is.data.frame(network)) {
    network_of(network, call = call)
    return(list(network = check_shattering_layers(network, "network", call)))
  }
  check_shattering_names(names(network), call)
  for (name in names(network)) {
    arg <- paste0("network$", name)
    network_of(network[[name]], arg, call)
    check_shattering_layers(network[[name]], arg, call)
  }
  check_shattering_input(network, call)
}

check_shattering_names <- function(names, call) {
  if (length(names) > 0L && !anyNA(names) && all(names != "") && !anyDuplicated(names)) return(invisible())
  abort(c(
    "A list of networks in {.arg network} must have unique names.",
    x = "Its names are {show_value(names)}."
  ), "value", call = call)
}

check_shattering_input <- function(network, call) {
  names <- names(network)
  inputs <- lapply(network, function(net) network_of(net)$input)
  differ <- names[!vapply(inputs, same_input, NA, inputs[[1L]])]
  if (length(differ) == 0L) return(network)
  abort(c(
    "The networks in {.arg network} must have the same inputs.",
    x = "{.val {names[[1]]}} is on {describe_input_shape(inputs[[1]])}, {.val {differ[[1]]}} on
      {describe_input_shape(inputs[[differ[[1]]]])}."
  ), "shape", call = call)
}

check_shattering_layers <- function(x, arg, call) {
  if (length(network_of(x)$layers) > 0L) return(x)
  abort(c("{.arg {arg}} must have layers.", x = "It is a bare input."), "value", call = call)
}

shattering_rows <- function(networks, data, call) {
  first <- networks[[1L]]
  if (is.null(data) && length(networks) == 1L && inherits(first, "ca_fit")) return(fit_rows(first, call)$x)
  if (is.null(data)) {
    abort(c(
      "{.arg data} is required: gradients are compared at pairs of its rows.",
      i = "Draw them from a task with {.code simulate(task, 100)$x}."
    ), "no_data", call = call)
  }
  if (inherits(data, "ca_task") && !is_data_task(data)) {
    abort(c(
      "{.arg data} must be rows of inputs, or a task made from data.",
      i = "Draw them from the task with {.code simulate(task, 100)$x}."
    ), "type", call = call)
  }
  propagate_gate_inputs(network_of(first), NULL, data, call)$data
}

shattering_path_rows <- function(ends, points, call) {
  if (nrow(ends) != 2L) {
    abort(c(
      "{.arg data} must have two rows, the ends of the {.arg path}.",
      x = "It has {nrow(ends)}."
    ), "shape", call = call)
  }
  along <- seq(0, 1, length.out = points)
  outer(1 - along, ends[1L, ]) + outer(along, ends[2L, ])
}

# Pairs of rows, as vectors: the rows `i` < `j` of each pair, their `distance`, and the number of its `bin`.
new_shattering_pairs <- function(i, j, distance, bin) list(i = i, j = j, distance = distance, bin = bin)

# All pairs of rows. On a path a bin is a number of steps.
shattering_distance_pairs <- function(rows, bins, path) {
  N <- nrow(rows)
  j <- rep(seq_len(N), seq_len(N) - 1L)
  i <- sequence(seq_len(N) - 1L)
  if (!is.null(path)) {
    step <- sqrt(sum((rows[N, ] - rows[1L, ])^2)) / (N - 1)
    return(new_shattering_pairs(i, j, distance = step * (j - i), bin = j - i))
  }
  distance <- as.matrix(stats::dist(rows))[cbind(i, j)]
  most <- max(distance)
  bin <- if (most > 0) pmin(floor(distance / most * bins) + 1, bins) else rep(1, length(i))
  new_shattering_pairs(i, j, distance, bin)
}

# ---- over depth ------------------------------------------------------------------------------------

# For the layers up to each nonlinear one, and up to the last: the list of shattering_of() with the name of the last
# `layer` and `depth`, the number of nonlinear layers.
shattering_layers <- function(x, rows, pairs, call) {
  network <- network_of(x)
  rows <- units_in(rows, network$units)
  names <- vapply(Filter(function(row) row$depth == 0L, network_rows(network)), function(row) row$name, "")
  curved <- !vapply(network$layers, function(layer) layers_are_linear(list(layer)), NA)
  cuts <- union(which(curved), length(network$layers))
  lapply(cuts, function(i) {
    layers <- network$layers[seq_len(i)]
    head <- new_network(network$input, layers, network$coef[seq_len(layers_params(layers))])
    c(list(layer = names[[i]], depth = sum(curved[seq_len(i)])), shattering_of(head, rows, pairs, call))
  })
}

# Correlations of input gradients. Returns a list: for each bin `distance` and `mean` (of the correlations), means over
# its pairs, and `pairs`, their number; `dead`, the number of rows with a zero gradient; and `correlation`, the mean
# over all pairs. The gradient of a linear network is the same at every row, so it is computed at the first alone.
shattering_of <- function(network, rows, pairs, call) {
  if (is_linear(network)) {
    dead <- nrow(rows) * all(shattering_input_gradients(network, rows[1L, , drop = FALSE], call) == 0)
    r <- rep(if (dead > 0) NA_real_ else 1, length(pairs$i))
  } else {
    J <- shattering_input_gradients(network, rows, call)
    largest <- apply(abs(J), 1L, max)
    largest[largest < least_number] <- 0
    dead <- sum(largest == 0)
    J <- J / largest # squares of unscaled entries could overflow or underflow
    C <- tcrossprod(J / sqrt(rowSums(J^2)))
    r <- C[cbind(pairs$i, pairs$j)]
  }
  known <- !is.na(r)
  bin <- factor(pairs$bin[known])
  mean_of <- function(x) as.double(tapply(x[known], bin, mean))
  list(
    distance = mean_of(pairs$distance), mean = mean_of(r), pairs = as.integer(table(bin)), dead = as.integer(dead),
    correlation = if (any(known)) mean(r[known]) else NA_real_
  )
}

# dyhat / dx at each row (N x (m n)).
shattering_input_gradients <- function(network, rows, call) {
  graph <- lower_network(network)
  check_gradient_range(graph, network$coef, call)
  gradients <- vapply(seq_len(nrow(rows)), function(s) {
    c(linearise_gradient(graph, network$coef, rows[s, , drop = FALSE], call))
  }, numeric(shape_output_size(network) * ncol(rows)))
  matrix(gradients, nrow(rows), byrow = TRUE)
}

# ---- results ---------------------------------------------------------------------------------------

new_shattering <- function(found, named, path) {
  cuts <- do.call(c, unname(found))
  network <- rep(names(found), lengths(found))
  each <- vapply(cuts, function(cut) length(cut$mean), 0L)
  layers <- unique(vapply(cuts, function(cut) cut$layer, ""))
  of <- function(name, type) vapply(cuts, function(cut) cut[[name]], type)
  flat <- function(name) unlist(lapply(cuts, function(cut) cut[[name]]))
  columns <- list(
    layer = factor(rep(of("layer", ""), each), levels = layers), depth = rep(of("depth", 0L), each),
    distance = as.double(flat("distance")), correlation = as.double(flat("mean")), pairs = as.integer(flat("pairs"))
  )
  overall <- list(
    layer = of("layer", ""), depth = of("depth", 0L), correlation = of("correlation", 0),
    near = vapply(cuts, function(cut) if (length(cut$mean) > 0L) cut$mean[[1L]] else NA_real_, 0),
    half = vapply(cuts, function(cut) shattering_half_distance(cut$distance, cut$mean), 0),
    pairs = vapply(cuts, function(cut) sum(cut$pairs), 0L), dead = of("dead", 0L)
  )
  if (named) {
    columns <- c(list(network = factor(rep(network, each), levels = names(found))), columns)
    overall <- c(list(network = network), overall)
  }
  new_frame(columns, "ca_shattering", overall = light_frame(overall), path = path)
}

# The distance at which the correlation first falls to 1/2, by linear interpolation from correlation 1 at distance 0.
shattering_half_distance <- function(distance, correlation) {
  below <- which(correlation <= 0.5)
  if (length(below) == 0L) return(NA_real_)
  k <- below[[1L]]
  x <- c(0, distance)[k + 0:1]
  y <- c(1, correlation)[k + 0:1]
  x[[1L]] + (y[[1L]] - 0.5) / (y[[1L]] - y[[2L]]) * diff(x)
}

#' @rdname shattering
#' @param x A result of `shattering()`.
#' @param ... Not used.
#' @export
glance.ca_shattering <- function(x, ...) {
  check_dots(...)
  attr(x, "overall")
}

#' @rdname shattering
#' @export
tidy.ca_shattering <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

#' @rdname shattering
#' @param n Number of rows to print.
#' @export
print.ca_shattering <- function(x, n = 20, ...) {
  overall <- attr(x, "overall")
  where <- if (attr(x, "path")) "along a path" else "at pairs of inputs"
  cat("<shattering> correlation of input gradients ", where, "\n", sep = "")
  print(overall[seq_len(min(n, nrow(overall))), , drop = FALSE], row.names = FALSE, digits = 4)
  if (nrow(overall) > n) cat("  ... and ", nrow(overall) - n, " more layers\n", sep = "")
  invisible(x)
}
