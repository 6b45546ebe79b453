# The depth limit of residual chains, and the diffusion that approximates it and plain stacks of convolutions.

#' Depth limit of a stack of convolutions
#'
#' How far the capacity of one output spreads through many layers, in mode total of [propagate_capacity()]: exactly, in
#' the limit of depth, and as a diffusion; and how far these are from each other.
#'
#' @section Residual chains:
#' For layers h + s phi(A h), capacity moves by T_ij = (delta_ij + s^2 q_i A_ij^2) / (1 + s^2 q_i |A_i|^2). With
#' M_ij = A_ij^2 / |A_i|^2, r_i = s^2 q_i |A_i|^2, and each layer cut into m layers of scale s / sqrt(m), it moves in
#' the limit of m by exp(R (M - I)), R = diag(r), a layer after the other. Far from the borders of one channel r is one
#' number and L equal layers give exp(sigma^2 (M - I)) with sigma^2 = L s^2 q |A|^2, the expected number of steps. At a
#' border, rows are shorter, in r as in M. The distance of the finite chain to its limit falls as 1 / L.
#'
#' exp() is taken by uniformisation, a Poisson mixture of powers of a stochastic matrix, so that no term is negative. It
#' is truncated; the total variation that is left out is `error` of `glance()`, at most `tol` for each group of equal
#' layers.
#'
#' @section Plain stacks:
#' Without skips each layer is a step, with its mean and its variance: widths grow as the square root of depth. There
#' is no limit at a fixed width.
#'
#' @section The continuum:
#' Where a profile is wide against one tap it is that of the diffusion d kappa/dt = - d(sigma^2 mu kappa)/dx +
#' (1/2) d^2(sigma^2 m2 kappa)/dx^2, mu and m2 the mean and the second moment of a step: for one channel the normal
#' density of mean sigma^2 mu and variance sigma^2 m2, for a plain stack of the sums of its steps' means and
#' variances, at whole positions. With padding both ends, half a position outside the sequence, let nothing
#' through (zero flux). That density is a sum over the images of the ends (with drift the tilted images
#' of Girsanov's theorem and the half-lines of images of Cox and Miller), for constant mu and m2: those far from the
#' borders, averaged over the layers. Several channels are summed, with the exact moments of their sum. Of a stack
#' whose convolutions are all `"valid"`, which cannot reach a border, the line is unbounded.
#'
#' @param network A network with coefficients, or a fit: a chain of [layer_residual()] layers each of whose blocks is
#'   one convolution and perhaps activations, or a plain stack of convolutions and perhaps activations; on a sequence,
#'   stride 1, without biases.
#' @param from `list(position =, channel =)`, the output where capacity 1 starts; `NULL` is the middle position, its
#'   channels in equal parts.
#' @param depth Of a residual chain, numbers of layers to compare: multiples m L of its own L, each layer cut into m
#'   layers of scale s / sqrt(m). `NULL`: its own.
#' @param task,data,limit Where gates are asked, as in [propagate_capacity()]; with neither, pre-activations have mean
#'   zero and variance 1.
#' @param tol The total variation that truncating exp() may leave out.
#' @returns A data frame of class `ca_diffusion`: `kind` (a factor, `"finite"`, `"limit"`, `"continuum"`; plain stacks
#'   have no limit), `depth` (number of layers, `Inf` for the limit and for the continuum of a residual chain),
#'   `position` and `lag` of the input, and `capacity` (channels summed).
#'
#'   `glance()`: one row for each finite depth: `depth`, `sigma` (root of the expected number of steps), `drift` and
#'   `second_moment` of one step in positions, `mean_finite`, `mean_limit`, `mean_continuum`, `variance_finite`,
#'   `variance_limit`, `variance_continuum` (in positions, of where capacity is at the input less where it started;
#'   those of the continuum on an unbounded line), the total variations (half the sum of absolute differences)
#'   `finite_limit`, `finite_continuum` and `limit_continuum`, `lost` (in finite chains: at rows of zeros and at gates
#'   that are always 0) and `error` of the limit. `NA` where a plain stack has no limit.
#'
#'   Errors: a network that is no such stack, with the reason (`capalloc_error_stack`); steps without variance, which
#'   have no continuum (`capalloc_error_value`); more than `limit` operations (`capalloc_error_cost`).
#' @references Donier, J. (2019). Capacity allocation through neural network layers.
#'   \doi{10.48550/arXiv.1902.08572}. Cox, D. R. and Miller, H. D. (1965). The theory of stochastic processes. Methuen.
#'   The distances and the refinement of given layers are this package's own.
#' @seealso [propagate_capacity()], [effective_receptive_field()]; `autoplot()` and `plot()` draw it.
#' @examples
#' # one layer of scale 1, cut into 4 and into 64 layers
#' net <- input_sequence(101) |>
#'   layer_residual(\(x) layer_conv(x, 1, kernel = 2, dilation = 2, padding = "same"), scale = 1) |>
#'   set_coef(c(1, 1) / sqrt(2))
#' d <- diffusion_limit(net, depth = c(4, 64))
#' d
#' plot(d)
#' @export
diffusion_limit <- function(network, from = NULL, depth = NULL, task = NULL, data = NULL, limit = 1e11, tol = 1e-13) {
  call <- rlang::current_env()
  own <- network_of(network)
  warn_unused_gates(own, task, data)
  check_diffusion_stack(own, call)
  tol <- check_number(tol, min = 0, max = 0.1, open = TRUE)
  limit <- check_plan_limit(limit)
  middle <- list(position = (output_shape(own)[[3L]] + 1L) %/% 2L, channel = 1L)
  start <- if (is.null(from)) middle else check_diffusion_output(from, call)
  flow <- read_flow(network, start, "total", task, data, limit, call)
  chain <- depth_chain(flow)
  times <- check_depth(depth, chain, call)
  check_plan_cost(chain_cost(chain, times, tol), limit, "The finite chains and their limit", call)
  v <- matrix(as.double(flow$start$capacity), output_shape(own)[[1L]])
  if (is.null(from)) v[, middle$position] <- 1 / nrow(v)
  new_diffusion(flow, chain, times, v, tol, call)
}

check_diffusion_output <- function(from, call) {
  if (is.list(from)) return(from)
  abort(c(
    "{.arg from} must be {.code NULL} or {.code list(position = , channel = )}: capacity starts at one output.",
    x = "It is {show_value(from)}."
  ), "type", call = call)
}

# Numbers of smaller layers that each layer is replaced by, one for each chain.
check_depth <- function(depth, chain, call) {
  if (is.null(depth)) return(1)
  if (chain$kind == "plain") {
    abort(c(
      "{.arg depth} must be {.code NULL} for a stack without skips.",
      i = "Its layers cannot be divided into smaller steps; only a residual chain has a limit."
    ), "value", call = call)
  }
  depth <- check_vector(depth, arg = "depth", call = call)
  own <- sum(chain$counts)
  wrong <- depth[depth <= 0 | depth %% own != 0]
  if (length(depth) == 0L || length(wrong) > 0L) {
    abort(c(
      "{.arg depth} must be positive multiples of the {own} layer{?s} of the network.",
      x = if (length(depth) == 0L) "It is empty." else "The first that is not is {format(wrong[[1L]])}."
    ), "value", call = call)
  }
  unique(depth) / own
}

# ---- supported networks ----------------------------------------------------------------------------

check_diffusion_stack <- function(network, call) {
  kinds <- vapply(network$layers, function(layer) layer$kind, "")
  if (network$input$kind != "sequence") {
    diffusion_stop_stack(
      "Its input is {describe_input_shape(network$input)}: the depth limit is defined on sequences only.", call,
      network = network)
  }
  rows <- network_rows(network)
  names <- vapply(rows, function(row) row$name, "")
  if (length(kinds) == 0L) diffusion_stop_stack("It has no layers.", call)
  residual <- kinds[[1L]] == "residual"
  for (i in seq_along(rows)) {
    why <- diffusion_unfit_row(rows[[i]], residual)
    if (!is.null(why)) diffusion_stop_stack(paste0("Layer {.val {name}} ", why), call, name = names[[i]])
  }
  if (!residual) return(check_diffusion_plain(rows, call))
  depth <- vapply(rows, function(row) row$depth, 0L)
  convs <- tapply(vapply(rows, function(row) row$layer$kind == "conv", NA), cumsum(depth == 0L), sum)
  if (any(convs != 1)) {
    at <- which(convs != 1)[[1L]]
    diffusion_stop_stack("Layer {.val {name}} has {count} convolutions in its block: it must have one.", call,
      name = names[depth == 0L][[at]], count = convs[[at]])
  }
  invisible()
}

check_diffusion_plain <- function(rows, call) {
  convs <- Filter(function(row) row$layer$kind == "conv", rows)
  if (length(convs) == 0L) diffusion_stop_stack("It has no convolution.", call)
  keeps <- vapply(convs, function(row) row$layer$in_shape[[3L]] == row$layer$out_shape[[3L]], NA)
  padded <- vapply(convs, function(row) !identical(row$layer$padding, "valid"), NA)
  if (any(!keeps) && any(padded & vapply(convs, function(row) row$layer$kernel > 1L, NA))) {
    diffusion_stop_stack(
      "It mixes convolutions with and without padding: the boundaries of the diffusion are undefined.", call
    )
  }
  invisible()
}

# The reason why a layer is not supported, or NULL.
diffusion_unfit_row <- function(row, residual) {
  kind <- row$layer$kind
  outer <- residual && row$depth == 0L
  if (outer != (kind == "residual")) {
    return(paste(if (outer) "is not" else "is", "residual: a chain is residual throughout, or a plain stack."))
  }
  if (kind %in% c("residual", "activation")) return(NULL)
  if (kind != "conv") return("is not a convolution or an activation.")
  if (row$layer$stride > 1L) return("has a stride: its taps have no fixed offsets.")
  if (!is.null(row$layer$params$bias)) return("has a bias: part of the capacity would leave the sequence.")
  NULL
}

diffusion_stop_stack <- function(why, call, ...) {
  values <- list2env(list(...), parent = environment())
  abort(c(
    "{.arg network} must be a chain of residual layers with one convolution each, or a plain stack of convolutions.",
    x = why
  ), "stack", call = call, .envir = values)
}

# ---- results ---------------------------------------------------------------------------------------

new_diffusion <- function(flow, chain, times, v, tol, call) {
  moments <- chain_moments(chain, rowSums(v))
  check_diffusion_spread(moments, call)
  n <- flow$network$input$shape[[3L]]
  start <- sum(colSums(v) * seq_len(ncol(v)))
  own <- sum(chain$counts)
  finite <- lapply(times, function(m) colSums(chain_finite(chain, v, m)))
  limit <- if (chain$kind == "residual") chain_limit(chain, v, tol)
  profiles <- c(finite, if (!is.null(limit)) list(colSums(limit$v)), list(reflected_density(
    seq_len(n) - 0.5, start - 0.5, moments$mean, sqrt(moments$variance), if (chain$padded) n else Inf
  )))
  kinds <- c("finite", "limit", "continuum")
  kind <- c(rep(1L, length(times)), if (!is.null(limit)) 2L, 3L)
  far <- if (chain$kind == "residual") Inf else own
  depths <- c(times * own, if (!is.null(limit)) far, far)
  columns <- list(
    kind = factor(kinds[rep(kind, each = n)], levels = kinds[unique(kind)]), depth = rep(depths, each = n),
    position = rep(seq_len(n), length(kind)), lag = rep(rev(seq_len(n)), length(kind)), capacity = unlist(profiles)
  )
  new_frame(columns, "ca_diffusion", stack = chain$kind, start = start, padded = chain$padded,
    overall = diffusion_overview(profiles, depths, start, moments, limit))
}

check_diffusion_spread <- function(moments, call) {
  if (is.finite(moments$variance) && moments$variance > 0) return(invisible())
  why <- if (!is.finite(moments$variance) || moments$steps == 0) "Its scale, weights or gates are zero." else
    "All capacity goes to one position: each kernel has only one nonzero tap."
  abort(c("The steps of {.arg network} must have a positive variance.", x = why), "value", call = call)
}

# One row for each finite profile. The last of `profiles` is the continuum, and the one before it the limit where there
# is one.
diffusion_overview <- function(profiles, depths, start, moments, limit) {
  n <- length(profiles)
  has_limit <- !is.null(limit)
  finite <- profiles[seq_len(n - 1L - has_limit)]
  spread <- lapply(profiles, diffusion_profile_moments)
  each <- function(name) vapply(spread[seq_along(finite)], function(s) s[[name]], 0)
  to <- function(other) vapply(finite, function(kappa) sum(abs(kappa - other)) / 2, 0)
  continuum <- profiles[[n]]
  middle <- if (has_limit) profiles[[n - 1L]]
  light_frame(list(
    depth = depths[seq_along(finite)], sigma = rep(sqrt(moments$steps), length(finite)),
    drift = rep(moments$drift, length(finite)), second_moment = rep(moments$second, length(finite)),
    mean_finite = each("mean") - start,
    mean_limit = rep(if (has_limit) spread[[n - 1L]]$mean - start else NA_real_, length(finite)),
    mean_continuum = rep(moments$mean, length(finite)),
    variance_finite = each("variance"),
    variance_limit = rep(if (has_limit) spread[[n - 1L]]$variance else NA_real_, length(finite)),
    variance_continuum = rep(moments$variance, length(finite)),
    finite_limit = if (has_limit) to(middle) else rep(NA_real_, length(finite)), finite_continuum = to(continuum),
    limit_continuum = rep(if (has_limit) sum(abs(middle - continuum)) / 2 else NA_real_, length(finite)),
    lost = vapply(finite, function(kappa) max(1 - sum(kappa), 0), 0),
    error = rep(if (has_limit) limit$error else NA_real_, length(finite))
  ))
}

# Mean and variance of the position of capacity, NA without capacity.
diffusion_profile_moments <- function(kappa, at = seq_along(kappa)) {
  total <- sum(kappa)
  if (!(total > 0)) return(list(mean = NA_real_, variance = NA_real_))
  mean <- sum(at * kappa) / total
  list(mean = mean, variance = sum((at - mean)^2 * kappa) / total)
}

#' @rdname diffusion_limit
#' @param x A diffusion, from `diffusion_limit()`.
#' @param ... Not used.
#' @export
glance.ca_diffusion <- function(x, ...) {
  check_dots(...)
  attr(x, "overall")
}

#' @rdname diffusion_limit
#' @export
tidy.ca_diffusion <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

#' @rdname diffusion_limit
#' @export
print.ca_diffusion <- function(x, ...) {
  overall <- attr(x, "overall")
  stack <- if (attr(x, "stack") == "residual") "residual chain" else "plain stack"
  four <- function(name) format(overall[[name]][[1L]], digits = 4)
  cat("<depth limit> of a ", stack, ", from position ", format(attr(x, "start")), "\nsigma ", four("sigma"),
    ", a step of mean ", four("drift"), " and second moment ", four("second_moment"), "; variance of the continuum ",
    four("variance_continuum"), "\n", sep = "")
  shown <- c("depth", "variance_finite", "variance_limit", "finite_limit", "finite_continuum", "limit_continuum")
  shown <- shown[!vapply(overall[shown], anyNA, NA)]
  print(overall[shown], row.names = FALSE, digits = 4)
  invisible(x)
}
