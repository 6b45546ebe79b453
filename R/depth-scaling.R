# Scaling studies: the spread of capacity against depth L when residual blocks have the scale s = sigma L^-a, and the
# critical exponent a, at which it neither diverges (shattering) nor vanishes (freezing). depth-measure.R has the
# measurements on one network.

#' Scaling study: residual scale and memory against depth
#'
#' Networks of L residual blocks h + s f(h) of scale s = sigma L^-a, at several depths L and exponents a: how far
#' capacity spreads, how much of it stays on the skip, and how decoupled gates are, with the slope of the spread on
#' depth and the *critical exponent*, at which the spread neither grows nor vanishes with depth.
#'
#' With a too small the spread grows with depth (the network shatters), with a too large it vanishes (the network is
#' frozen): a + slope / 2 is where it does neither. Whether that is 1/2 or 1 depends on whether what blocks do adds up
#' by squares or by itself, so it is measured, in one of four modes.
#'
#' @section Modes:
#' * `"total"`: all gates are decoupled (K = I), as in [propagate_capacity()]: capacity 1 starts at the middle
#'   position of the output, and moves by the Markov rule. With zero-mean steps, q |A|^2 equal over units, and borders
#'   out of reach, the V below is L p, p = s^2 q |A|^2 / (1 + s^2 q |A|^2): V / (1 - V/L) is s^2 q |A|^2 L
#'   and the slope 1 - 2 a, exactly. Elsewhere it is an estimate.
#' * `"independent"`: the squared gradient of one output in place of capacity (a random combination of the channels at
#'   the middle position), with real activations and gates, at an input of independent standard normal entries, with
#'   random weights. Its blocks are s B phi(A h), B more random weights (`mixing`).
#' * `"shared"`: the same where all blocks have the weights of the first.
#' * `"recurrent"`: the recurrence h_t = h_(t-1) + s B phi(A h_(t-1) + C x_t), unrolled: all blocks have the weights of
#'   the first, and the biases of each, independent standard normals, are its C x_t. The depth is the memory length
#'   tau, and the scale sigma tau^-a. In mode total a recurrence is the chain: that mode does not see that weights are
#'   shared.
#'
#' @section Blocks that drift:
#' Without the B of `mixing`, blocks s phi(A h) have a mean that depends on h wherever phi has one: over A, E phi(A h)
#' is c |h| for relu and abs, and what it does to the tangent, c 1 h'/|h|, adds up over layers by itself, not by
#' squares. The critical exponent then goes from 1/2 towards 1 with depth, although weights are independent and of mean
#' zero: gates depend on the weights of their own layer, which mode total leaves out. For phi without a mean, such as
#' tanh, it is 1/2 either way.
#'
#' @section Slopes:
#' The spread is the variance of the position of an input, weighted by its capacity or squared gradient (on a grid, of
#' row and column, summed). In units of one step's second moment it is V, and `growth` is V / (1 - V/L), in modes shared
#' and recurrent, whose steps go on in one direction, V itself. Of a given architecture the second moment of all L steps
#' is the spread of `architecture(depth, 1e8)` in mode total, where everything moves (with all weights equal, if they
#' are drawn).
#'
#' The slope is that of the least squares of log growth on log L. With several draws there is one for each,
#' and the interval is Student's for their mean; otherwise it is that of the regression over depths. Draws are
#' independent between depths and the same for all exponents. The critical exponent (*ours*) is a + slope / 2: for
#' growth proportional to (s^2 L) or to (s L)^2 it is 1/2 or 1 at any a. Deviations of order 1/L are in it: see whether
#' it moves when the depths are doubled. Take a near the critical exponent: well below it networks shatter, and growth
#' is no power of s any more.
#'
#' @param architecture `NULL`, a residual chain of convolutions with taps at -1 and +1, long enough that its borders are
#'   not reached (in mode total 2 L + 1 positions; on random weights at least 16 and six standard deviations beyond the
#'   steps expected), or a function of depth and scale, `function(depth, scale)`, that returns a network on a sequence
#'   or grid. In mode total its coefficients are used, if it has any; otherwise, and in other modes, they are drawn
#'   (Glorot, as by [initialise()]). Modes shared and recurrent ask for residual layers of equal parameters.
#' @param depths Two or more whole numbers, L.
#' @param exponents Numbers, a.
#' @param mode `"total"`, `"independent"`, `"shared"` or `"recurrent"`.
#' @param sigma The scale at depth 1, positive.
#' @param activation,channels,mixing Of the chain: the name of an activation, none in mode total and otherwise relu; the
#'   number of channels, 1 in mode total and otherwise 8; and whether blocks end with a convolution of one tap, not in
#'   mode total and otherwise so. Weights A are Gaussian of variance 1 / (2 channels q), q = E phi'(z)^2 of a standard
#'   normal z, those of the mixing of variance 1 / channels; in mode total they are 1/sqrt(2 channels) and
#'   1/sqrt(channels).
#' @param draws Number of draws of weights and inputs, where they are drawn.
#' @param level Of intervals.
#' @param seed A whole number that fixes the draws, or `NULL` to draw one from R's own stream.
#' @param limit The number of operations above which an error says the figure and nothing is done; `Inf` for none.
#' @returns A data frame of class `ca_scaling_study`, a row for each exponent, depth and draw: `exponent`, `depth`,
#'   `scale`, `replicate`, `seed` (of the draw; `NA` where nothing is drawn), `spread` (squared positions), `growth`
#'   (see Slopes; `NA` where there is none: nothing moved, steps do not have the mean zero, or the gradient overflowed),
#'   `survival` (in mode total the product over residual layers of the share of capacity on their skip; otherwise the
#'   squared cosine of the gradients at output and input, `NA` where these differ in shape) and `decoupling` (see
#'   [decoupling()]; of the channels at a position, over positions and inputs, 50 or more, and averaged over
#'   activations; `NA` of linear networks, and of one channel).
#'
#'   `glance()`: one row per exponent: `exponent`, `slope`, `conf.low`, `conf.high`, `critical` (a + slope / 2),
#'   `critical.low`, `critical.high` and `n`, the number of draws in it. `summary()`: means over draws by exponent and
#'   depth, of growth the geometric one. Draws without growth at some depth are left out of slopes, and a warning of
#'   class `capalloc_warning_scaling` says how many. Bad arguments are errors of class `capalloc_error_value`,
#'   `_type` or `_shape`, and what would take more than `limit` is one of `capalloc_error_cost`.
#' @references Donier, J. (2019). Capacity allocation through neural network layers.
#'   \doi{10.48550/arXiv.1902.08572}, for the Markov rule and its scaling. The estimate on random weights is this
#'   package's own.
#' @seealso [propagate_capacity()], [decoupling()], [variance_study()]; `autoplot()` and `plot()` draw it.
#' @examples
#' scaling_study(depths = 2^(2:6), exponents = c(0.25, 0.5, 0.75))
#' depths <- c(8, 16, 32)
#' glance(scaling_study(depths = depths, exponents = 0.5, mode = "independent", draws = 10, seed = 1))
#' @export
scaling_study <- function(architecture = NULL, depths = 2^(4:8), exponents = c(0.25, 0.5, 0.75),
                          mode = c("total", "independent", "shared", "recurrent"), sigma = 1, activation = NULL,
                          channels = NULL, mixing = NULL, draws = 100, level = 0.99, seed = NULL, limit = 1e11) {
  mode <- check_choice(mode, c("total", "independent", "shared", "recurrent"))
  if (mode == "total" && is.null(architecture)) {
    warn_unused(unused_of(draws = missing(draws)), "Mode {.val total} of the default chain draws nothing.")
  }
  depths <- check_depths(depths)
  exponents <- check_scaling_exponents(exponents)
  sigma <- check_number(sigma, min = 0, max = Inf, open = TRUE)
  draws <- check_count(draws)
  level <- check_number(level, min = 0, max = 1, open = TRUE)
  limit <- check_plan_limit(limit)
  chain <- if (is.null(architecture)) check_scaling_chain(activation, channels, mixing, mode)
  if (!is.null(architecture)) check_scaling_architecture(architecture, activation, channels, mixing)
  study <- new_scaling_study(mode, depths, exponents, sigma, draws, level, limit, chain, architecture, draw_seed(seed),
    call = rlang::current_env())
  rows <- stack_frames(run_scaling_study(study))
  new_scaling(rows[order(match(rows$exponent, study$exponents), rows$depth, rows$replicate), , drop = FALSE], study)
}

check_depths <- function(depths, call = rlang::caller_env()) {
  depths <- check_vector(depths, arg = "depths", call = call)
  wrong <- depths[depths < 1 | depths != floor(depths) | depths > .Machine$integer.max]
  if (length(wrong) > 0L) {
    abort(c("{.arg depths} must be whole numbers, 1 or more.", x = "The first that is not is {format(wrong[[1L]])}."),
      "value", call = call)
  }
  depths <- sort(unique(as.integer(depths)))
  if (length(depths) < 2L) {
    abort(c(
      "{.arg depths} must be two different numbers or more, for a slope.",
      x = if (length(depths) == 0L) "It is empty." else "It only has {depths}."
    ), "value", call = call)
  }
  depths
}

check_scaling_exponents <- function(exponents, call = rlang::caller_env()) {
  exponents <- unique(check_vector(exponents, arg = "exponents", call = call))
  if (length(exponents) == 0L) {
    abort(c("{.arg exponents} must be one number or more.", x = "It is empty."), "value", call = call)
  }
  exponents
}

# The settings of a scaling study: the arguments of scaling_study(), of which `chain`, a new_scaling_chain(), is NULL
# with an `architecture`, and the `call` for errors.
new_scaling_study <- function(mode, depths, exponents, sigma, draws, level, limit, chain, architecture, seed, call) {
  list(mode = mode, depths = depths, exponents = exponents, sigma = sigma, draws = draws, level = level, limit = limit,
    chain = chain, architecture = architecture, seed = seed, call = call)
}

# Settings of the default architecture: `activation`, the number of `channels`, and whether it has `mixing` weights.
new_scaling_chain <- function(activation, channels, mixing) {
  list(activation = activation, channels = channels, mixing = mixing)
}

check_scaling_chain <- function(activation, channels, mixing, mode, call = rlang::caller_env()) {
  random <- mode != "total"
  if (is.null(activation)) activation <- if (random) "relu" else "identity"
  if (is.null(channels)) channels <- if (random) 8L else 1L
  if (is.null(mixing)) mixing <- random
  activation <- check_activation(activation, call = call)
  channels <- check_count(channels, call = call)
  new_scaling_chain(activation, channels, check_flag(mixing, call = call))
}

check_scaling_architecture <- function(architecture, activation, channels, mixing, call = rlang::caller_env()) {
  if (!is.function(architecture)) {
    abort(c(
      "{.arg architecture} must be {.code NULL}, or a function of depth and scale that returns a network.",
      x = "It is {show_value(architecture)}."
    ), "type", call = call)
  }
  given <- c(activation = !is.null(activation), channels = !is.null(channels), mixing = !is.null(mixing))
  if (any(given)) {
    arg <- names(given)[given][[1L]]
    abort("{.arg {arg}} must be {.code NULL} with an {.arg architecture}, which defines its own.", "value", call = call)
  }
  architecture
}

# ---- the runs --------------------------------------------------------------------------------------

# Returns a list of data frames, one for each exponent and depth. The cost is checked before the first measurement.
run_scaling_study <- function(study) {
  if (is.null(study$architecture)) check_scaling_cost(study, measure_study_cost(study))
  plan <- expand.grid(d = seq_along(study$depths), a = study$exponents)
  cases <- Map(function(d, a) measure_study_case(study, study$depths[[d]], a), plan$d, plan$a)
  if (!is.null(study$architecture)) check_scaling_cost(study, measure_passes(study) * vapply(cases, measure_case_cost,
    0))
  reach <- vapply(study$depths, function(depth) measure_study_reach(study, depth), 0)
  drawn <- vapply(cases, function(case) is_scaling_drawn(case, study), NA)
  replicates <- if (any(drawn)) study$draws else 1L
  # depths x replicates, filled by columns, so that more draws do not change the seeds of the first ones
  seeds <- matrix(derive_seeds(study$seed, length(study$depths) * replicates), length(study$depths))
  with_progress(length(cases) * replicates, function(advance) {
    Map(function(case, d, drawn) {
      rows <- run_scaling_case(case, study, if (drawn) seeds[d, ] else NA_integer_, advance)
      rows$growth <- scaling_spread_growth(rows$spread, case$depth, reach[[d]], study$mode)
      rows
    }, cases, plan$d, drawn)
  })
}

# Whether coefficients are drawn. Coefficients that the network has are only used in mode total.
is_scaling_drawn <- function(case, study) study$mode != "total" || is.null(case$network$coef)

run_scaling_case <- function(case, study, seeds, advance) {
  found <- lapply(seeds, function(seed) {
    out <- if (study$mode == "total") measure_flow(case, seed) else measure_gradient(case, seed)
    advance(1)
    out
  })
  column <- function(name) vapply(found, function(one) one[[name]], 0)
  n <- length(seeds)
  light_frame(list(
    exponent = rep(case$exponent, n), depth = rep(case$depth, n), scale = rep(case$scale, n),
    replicate = seq_len(n), seed = seeds, spread = column("spread"), growth = rep(NA_real_, n),
    survival = column("survival"), decoupling = column("decoupling")
  ))
}

# V / (1 - V / L) in the diffusive modes, else V, where V / L is the spread relative to `reach`, the spread when all
# capacity goes through every block. NA unless positive and finite.
scaling_spread_growth <- function(spread, depth, reach, mode) {
  V <- spread * depth / reach
  growth <- if (is_scaling_diffusive(mode)) V / (1 - V / depth) else V
  ifelse(is.finite(growth) & growth > 0, growth, NA_real_)
}

is_scaling_diffusive <- function(mode) mode %in% c("total", "independent")

check_scaling_cost <- function(study, each) {
  what <- paste0("A scaling study of depths to ", max(study$depths), " at ", length(study$exponents),
    if (length(study$exponents) == 1L) " exponent" else " exponents")
  check_plan_cost(sum(each), study$limit, what, study$call)
}

# ---- results ---------------------------------------------------------------------------------------

new_scaling <- function(rows, study) {
  slopes <- stack_frames(lapply(study$exponents, function(a) {
    scaling_exponent_slope(rows[rows$exponent == a, , drop = FALSE], a, study$level)
  }))
  without <- tapply(is.na(rows$growth), paste(rows$exponent, rows$replicate), any)
  if (any(without)) {
    warn(c(
      "{sum(without)} of {length(without)} draw{?s} {?has/have} no growth at some depth, and {?is/are} left out of the
        slopes.",
      i = "The spread was zero there, its steps do not have mean zero, or its gradient overflowed."
    ), "scaling")
  }
  new_frame(as.list(rows), "ca_scaling_study", slopes = slopes, mode = study$mode, level = study$level,
    sigma = study$sigma, seed = study$seed, architecture = scaling_study_text(study))
}

# One row of glance(): slope of log growth on log depth and the critical exponent, with their intervals.
scaling_exponent_slope <- function(rows, exponent, level) {
  wide <- matrix(log(rows$growth), length(unique(rows$depth)), byrow = TRUE) # depths x draws
  x <- log(unique(rows$depth))
  x <- x - mean(x)
  wide <- wide[, !apply(is.na(wide), 2L, any), drop = FALSE]
  slopes <- colSums(x * wide) / sum(x^2)
  n <- length(slopes)
  error <- if (n == 0L) NA_real_ else
    if (n > 1L) stats::sd(slopes) / sqrt(n) else scaling_regression_error(x, wide[, 1L], slopes)
  df <- if (n > 1L) n - 1 else length(x) - 2
  slope <- if (n > 0L) mean(slopes) else NA_real_
  half <- if (is.na(error)) NA_real_ else stats::qt((1 + level) / 2, df) * error
  light_frame(list(
    exponent = exponent, slope = slope, conf.low = slope - half, conf.high = slope + half,
    critical = exponent + slope / 2, critical.low = exponent + (slope - half) / 2,
    critical.high = exponent + (slope + half) / 2, n = n
  ))
}

# Standard error of the slope of y on x, which has mean 0. NA for two depths, which leave no degrees of freedom.
scaling_regression_error <- function(x, y, slope) {
  if (length(x) < 3L) return(NA_real_)
  left <- y - mean(y) - slope * x
  sqrt(sum(left^2) / (length(x) - 2) / sum(x^2))
}

scaling_study_text <- function(study) {
  if (is.null(study$chain)) return("the architecture")
  with <- if (study$chain$activation != "identity") paste0(study$chain$activation, ", ")
  count <- format_count(study$chain$channels, "channel")
  paste0("the residual chain (", with, count, ")")
}

scaling_modes <- c(
  total = "mode total", independent = "independent random weights", shared = "shared random weights",
  recurrent = "a recurrence of random weights"
)

#' @rdname scaling_study
#' @param x,object A scaling study, from `scaling_study()`.
#' @param ... Not used.
#' @export
print.ca_scaling_study <- function(x, ...) {
  cat("<scaling study> ", attr(x, "architecture"), ", ", scaling_modes[[attr(x, "mode")]], ", depths ",
    paste(unique(x$depth), collapse = ", "), "\n", sep = "")
  slopes <- glance(x)
  slopes[] <- lapply(slopes, function(column) round(column, 6)) # rounding errors print as 0
  print(slopes, row.names = FALSE, digits = 4)
  cat("slope of log growth on log depth, critical = exponent + slope / 2, intervals at ",
    format(100 * attr(x, "level")), "%\n", sep = "")
  invisible(x)
}

#' @rdname scaling_study
#' @export
summary.ca_scaling_study <- function(object, ...) {
  check_dots(...)
  rows <- plain_frame(object)
  first <- !duplicated(rows[c("exponent", "depth")])
  group <- cumsum(first)
  by <- function(x) {
    mean <- as.double(tapply(x, group, mean, na.rm = TRUE))
    ifelse(is.nan(mean), NA_real_, mean)
  }
  light_frame(list(
    exponent = rows$exponent[first], depth = rows$depth[first], scale = rows$scale[first],
    spread = by(rows$spread), growth = exp(by(log(rows$growth))), survival = by(rows$survival),
    decoupling = by(rows$decoupling), n = tabulate(group)
  ))
}

#' @rdname scaling_study
#' @export
glance.ca_scaling_study <- function(x, ...) {
  check_dots(...)
  attr(x, "slopes")
}

#' @rdname scaling_study
#' @export
tidy.ca_scaling_study <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}
