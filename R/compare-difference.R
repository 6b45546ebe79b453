# The difference of two capacity profiles.
#
# d_r (a vector over inputs) is the difference in replicate r, of R replicates on a task. Bands are mean +- q s /
# sqrt(R). The pointwise q is Student's quantile. The simultaneous q is the quantile of max_j |t_j| over all inputs of
# all tasks, from a bootstrap over replicates, or Bonferroni's quantile where that is less. The global test flips the
# signs of replicates: under the null hypothesis that a and b have the same allocation, d_r and -d_r have the same
# distribution.

#' The difference of two capacity profiles
#'
#' Where one architecture has more capacity than another, with bands and one test for all inputs together.
#'
#' Differences are taken replicate by replicate. With a finite `n_obs` the bands speak of samples and starts; with
#' `n_obs = Inf` they speak of starting weights alone, and a warning of class `capalloc_warning_pairing` says so.
#'
#' The pointwise band is Student's at each input. The simultaneous band covers the whole profile, over all inputs of all
#' tasks, with probability `level`: its half-width is a common multiple of the standard errors, the quantile of the
#' largest |t| in `times` bootstrap draws of the replicates (studentised, each task resampled by itself), or where it
#' is less Bonferroni's Student quantile: with about a dozen replicates or fewer, the bootstrap meets draws of nearly
#' equal replicates and is far too wide. An input at which nothing varies has a band of no width, and takes no part in
#' that quantile.
#'
#' The global test flips the signs of the replicates' differences (all 2^(R - 1) flips where these are at most
#' `times`), with the statistic max over inputs of |sum_r d_r| / sqrt(sum_r d_r^2). It asks whether there is any
#' difference at all. Where nothing varies over replicates, p is `NA` and `reason` says so.
#'
#' Distances are between the mean profiles as shares of their totals, without the constant: total
#' variation is half the sum of absolute differences over inputs (0 the same, 1 apart); the Wasserstein distance
#' is the mean number of lags that capacity must be moved by, for sequences (`NA` otherwise).
#'
#' @param cmp A comparison, from [compare_architectures()].
#' @param a,b Names of two architectures; where there are only two, they may be left out.
#' @param share Whether to take capacities as shares of their totals.
#' @param level Level of the bands.
#' @param times Number of bootstrap draws, and of sign flips.
#' @param seed A whole number, or `NULL` to draw it from R's own stream.
#' @param ... Not used.
#' @returns A data frame of class `ca_difference`, one row per task and input: `task`, `input`, `position`, `lag`,
#'   `channel` (on grids `row`, `column`), `capacity_a`, `capacity_b` (means over replicates), `estimate` (a - b),
#'   `std.error`, `conf.low`, `conf.high` (pointwise), `band.low`, `band.high` (simultaneous). A network without a
#'   bias has no capacity at the `(Intercept)` of one that has it. With one replicate errors and bands are `NA`.
#'   `glance()`: one row, `a`, `b`, `tasks`, `n` (replicates, the least of a task), `statistic` and `p.value` of the
#'   global test, `reason`, `quantile` (of the simultaneous band), `wasserstein`, `total_variation` (means over
#'   tasks), `level`, `times`, `seed`. `summary()`: one row per task, `task`, `n`, `statistic`, `p.value`,
#'   `adj.p.value` (Holm over tasks), `reason`, `wasserstein`, `total_variation`. `augment()`: the differences of each
#'   replicate, `task`, `replicate`, `input`, `difference`.
#' @section Errors:
#' `capalloc_error_value`: an unknown name, `a` the same as `b`, no replicate that has both.
#' @seealso [contrast_architectures()] for single numbers, [autoplot.ca_difference()].
#' @examples
#' nets <- list(dilated = arch_dilated(16), conv = arch_conv(16, 2, 3))
#' cmp <- compare_architectures(nets, classical_tasks(16)["fgn"], replicates = 6, n_obs = 200)
#' d <- capacity_difference(cmp, "dilated", "conv", seed = 1)
#' glance(d)
#' plot(d)
#' @export
capacity_difference <- function(cmp, a = NULL, b = NULL, share = FALSE, level = 0.95, times = 1999, seed = NULL, ...) {
  check_dots(...)
  check_metric_comparison(cmp)
  two <- check_difference_two(a, b, cmp)
  check_flag(share)
  level <- check_number(level, min = 0, max = 1, open = TRUE)
  times <- check_count(times, min = 99L)
  seed <- draw_seed(seed)
  warn_metric_not_comparable(cmp, "capacity", two)
  warn_difference_starts_alone(cmp)
  profiles <- lapply(stats::setNames(nm = names(cmp$tasks)), task_difference, cmp = cmp, two = two, share = share)
  profiles <- check_difference_both(profiles, two)
  seeds <- derive_seeds(seed, 2L)
  quantile <- difference_band_quantile(profiles, level, times, seeds[[1L]])
  new_difference(profiles, cmp, two, new_difference_setting(share, level, times, seed, quantile, seeds[[2L]]))
}

# How a difference was computed:
#   share     whether capacities are shares of their totals
#   level     level of the bands
#   times     number of bootstrap draws, and of sign flips
#   seed      the seed that all others are derived from
#   quantile  of the simultaneous band, NA where nothing varies
#   flips     seed of the sign flips
new_difference_setting <- function(share, level, times, seed, quantile, flips) {
  list(share = share, level = level, times = times, seed = seed, quantile = quantile, flips = flips)
}

# c(a, b): names of two different architectures. If both are NULL, the comparison must have exactly two.
check_difference_two <- function(a, b, cmp, call = rlang::caller_env()) {
  names <- names(cmp$networks)
  if (length(names) < 2L) {
    abort(c(
      "{.arg cmp} must have two architectures or more.",
      x = "It has {length(names)}: {.val {names}}."
    ), "value", call = call)
  }
  if (length(names) == 2L && is.null(a) && is.null(b)) return(names)
  a <- check_choice(a, names, arg = "a", call = call)
  b <- check_choice(b, names, arg = "b", call = call)
  if (a == b) {
    abort(c("{.arg a} and {.arg b} must be different architectures.", x = "Both are {.val {a}}."), "value", call = call)
  }
  c(a, b)
}

warn_difference_starts_alone <- function(cmp) {
  if (metric_shares_samples(cmp)) return(invisible())
  warn(c(
    "The replicates share no sample.",
    i = if (is.infinite(cmp$n_obs))
      "With {.code n_obs = Inf} bands and test describe only variation from starting weights." else
      "Their seeds differ within a replicate."
  ), "pairing")
}

# The profile pairs of the tasks on which at least one replicate has both networks; an error if there are none.
check_difference_both <- function(profiles, two, call = rlang::caller_env()) {
  has <- vapply(profiles, function(profile) nrow(profile$a) > 0L, NA)
  if (any(has)) return(profiles[has])
  abort(c(
    "{.arg a} and {.arg b} must have runs of the same replicates.",
    x = "No replicate has capacities of both {.val {two[1]}} and {.val {two[2]}}."
  ), "value", call = call)
}

# The capacities of two networks on one task, in the replicates that have both:
#   inputs  a data frame with one row per input
#   a, b    replicates x inputs: capacities of each network
#   d       a - b, differences of at most `same_capacity` set to zero
new_difference_pair <- function(inputs, a, b, d) list(inputs = inputs, a = a, b = b, d = d)

# The profile pair of one task. A network without a constant has capacity 0 at the constant of the other one.
task_difference <- function(task, cmp, two, share) {
  sides <- lapply(two, function(name) difference_profiles(cmp, name, task, share))
  both <- intersect(rownames(sides[[1L]]$values), rownames(sides[[2L]]$values))
  constant <- any(vapply(sides, function(side) side$constant, NA))
  values <- lapply(sides, function(side) {
    values <- side$values[both, , drop = FALSE]
    if (constant && !side$constant) cbind(values, 0) else values
  })
  longer <- if (sides[[1L]]$constant || !constant) 1L else 2L
  d <- values[[1L]] - values[[2L]]
  d[abs(d) <= same_capacity] <- 0
  new_difference_pair(sides[[longer]]$inputs, values[[1L]], values[[2L]], d)
}

# The allocations of a network on a task. Returns a list: `inputs`, a data frame with one row per input; `values`
# (replicates x inputs); `constant`, whether the last input is the constant. With `share`, rows are divided by their
# totals.
difference_profiles <- function(cmp, network, task, share) {
  own <- cmp$networks[[network]]
  columns <- plain_frame(input_frame(label_input(own$input, cmp$tasks[[task]]$input), has_constant(own)))
  rows <- cmp$allocation[cmp$allocation$network == network & cmp$allocation$task == task, , drop = FALSE]
  replicates <- unique(rows$replicate)
  values <- matrix(rows$capacity, length(replicates), nrow(columns), byrow = TRUE,
    dimnames = list(replicates, NULL))
  if (share) values <- values / pmax(rowSums(values), 1e-300)
  list(inputs = columns, values = values, constant = has_constant(own))
}

# ---- bands and test -----------------------------------------------------------------------------------

# Whether each column (input) varies over the replicates.
difference_varying <- function(d) {
  if (nrow(d) < 2L) return(rep(FALSE, ncol(d)))
  apply(d, 2L, stats::sd) > same_capacity
}

# The quantile q of the simultaneous band; NA where nothing varies. With few replicates, some bootstrap draws consist of
# nearly equal replicates, so that |t| is very large. Bonferroni's quantile is valid too, and q is the smaller of the
# two, but at least Student's quantile of the pointwise band.
difference_band_quantile <- function(profiles, level, times, seed) {
  seeds <- derive_seeds(seed, length(profiles))
  largest <- numeric(times)
  inputs <- 0L
  R <- integer()
  for (i in seq_along(profiles)) {
    d <- profiles[[i]]$d[, difference_varying(profiles[[i]]$d), drop = FALSE]
    if (ncol(d) == 0L) next
    inputs <- inputs + ncol(d)
    R <- c(R, nrow(d))
    largest <- pmax(largest, difference_bootstrap_largest(d, times, seeds[[i]]))
  }
  if (inputs == 0L) return(NA_real_)
  bonferroni <- stats::qt(1 - (1 - level) / (2 * inputs), min(R) - 1)
  max(min(difference_upper_quantile(largest, level), bonferroni), stats::qt((1 + level) / 2, max(R) - 1))
}

# The quantile that at most a share 1 - level of the draws exceeds: of n draws in order, number ceiling(level (n + 1)).
difference_upper_quantile <- function(draws, level) {
  sort(draws)[[min(ceiling(level * (length(draws) + 1)), length(draws))]]
}

# max_j |t*_j| of each bootstrap draw of replicates, studentised by the standard error of the draw. A column that does
# not vary in a draw has no t there and is left out of the maximum.
difference_bootstrap_largest <- function(d, times, seed) {
  R <- nrow(d)
  centred <- sweep(d, 2L, colMeans(d))
  counts <- with_seed(seed, stats::rmultinom(times, R, rep(1, R))) # R x times
  unlist(lapply(difference_chunks(times, ncol(d)), function(at) {
    means <- crossprod(counts[, at, drop = FALSE], centred) / R # draws x inputs
    variance <- crossprod(counts[, at, drop = FALSE], centred^2) / R - means^2
    error <- sqrt(pmax(variance, 0) / (R - 1))
    t <- abs(means) / error
    t[error <= same_capacity / R] <- 0
    t[cbind(seq_along(at), max.col(t, "first"))]
  }), use.names = FALSE)
}

# Indices 1 .. n split into chunks, so that a matrix of one chunk x `width` has at most `draw_entries` numbers.
difference_chunks <- function(n, width) split(seq_len(n), ceiling(seq_len(n) / max(1, floor(draw_entries / width))))

# Signs of the replicates (flips x R); the first row has no flips. All combinations up to a common sign if these are at
# most `times`, else `times` random ones besides the first row.
difference_sign_flips <- function(R, times, seed) {
  if (2^(R - 1) <= times) {
    return(cbind(1, as.matrix(expand.grid(rep(list(c(1, -1)), R - 1), KEEP.OUT.ATTRS = FALSE))))
  }
  drawn <- with_seed(seed, matrix(sample(c(1, -1), R * times, replace = TRUE), times))
  rbind(1, drawn)
}

# max_j |sum_r e_r d_rj| / sqrt(sum_r d_rj^2) for each row e of `flips`.
difference_flipped_largest <- function(d, flips) {
  scale <- sqrt(colSums(d^2))
  d <- sweep(d[, scale > 0, drop = FALSE], 2L, scale[scale > 0], "/")
  if (ncol(d) == 0L) return(numeric(nrow(flips)))
  unlist(lapply(difference_chunks(nrow(flips), ncol(d)), function(at) {
    sums <- abs(flips[at, , drop = FALSE] %*% d)
    sums[cbind(seq_along(at), max.col(sums, "first"))]
  }), use.names = FALSE)
}

# The global test of the differences `ds` of one or more tasks, each (replicates x inputs). Signs of different tasks are
# flipped independently. Returns a list: `statistic`, `p.value`, and `reason`, NA or the text of why there is no test.
difference_flip_test <- function(ds, times, seed) {
  R <- vapply(ds, nrow, 0L)
  none <- function(reason) list(statistic = NA_real_, p.value = NA_real_, reason = reason)
  if (max(R) < 2L) return(none("one replicate"))
  if (!any(vapply(ds, function(d) any(difference_varying(d)), NA))) {
    same <- all(vapply(ds, function(d) all(d == 0), NA))
    return(none(paste("nothing varies over the replicates, and", if (same) "all differences are zero" else
      "not all differences are zero")))
  }
  if (length(ds) == 1L) {
    largest <- difference_flipped_largest(ds[[1L]], difference_sign_flips(R, times, seed))
  } else {
    seeds <- derive_seeds(seed, length(ds))
    per_task <- Map(function(d, s) {
      difference_flipped_largest(d, rbind(1, with_seed(s, matrix(sample(c(1, -1), nrow(d) * times, replace = TRUE),
        times))))
    }, ds, seeds)
    largest <- do.call(pmax, unname(per_task))
  }
  # 1e-9 allows for rounding error: flips with the same statistic sum the same numbers in another order
  list(
    statistic = largest[[1L]], p.value = mean(largest >= largest[[1L]] - 1e-9), reason = NA_character_
  )
}

# ---- distances ----------------------------------------------------------------------------------------

# c(wasserstein, total_variation): distances between the two mean profiles, as shares of their totals, without the
# constant. NA where a total is zero; Wasserstein's distance is NA where inputs have no lag.
difference_distances <- function(profile) {
  at <- !is.na(profile$inputs$position)
  shares <- lapply(list(colMeans(profile$a), colMeans(profile$b)), function(kappa) kappa[at] / sum(kappa[at]))
  if (!all(is.finite(unlist(shares)))) return(c(wasserstein = NA_real_, total_variation = NA_real_))
  d <- shares[[1L]] - shares[[2L]]
  lag <- profile$inputs$lag[at]
  apart <- if (anyNA(lag)) NA_real_ else {
    steps <- cumsum(as.double(tapply(d, lag, sum)))
    sum(abs(steps[-length(steps)]) * diff(sort(unique(lag))))
  }
  c(wasserstein = apart, total_variation = sum(abs(d)) / 2)
}

# ---- the result ---------------------------------------------------------------------------------------

new_difference <- function(profiles, cmp, two, setting) {
  rows <- stack_frames(Map(difference_rows, profiles, names(profiles), MoreArgs = list(setting = setting)))
  kinds <- vapply(cmp$networks[two], function(network) network$input$kind, "")
  new_frame(as.list(rows), "ca_difference",
    two = two, setting = setting, profiles = profiles,
    input_kind = if (length(unique(kinds)) == 1L) kinds[[1L]] else "vector"
  )
}

difference_rows <- function(profile, task, setting) {
  R <- nrow(profile$d)
  estimate <- colMeans(profile$d)
  error <- if (R > 1L) apply(profile$d, 2L, stats::sd) / sqrt(R) else rep(NA_real_, length(estimate))
  error[error <= same_capacity / sqrt(R)] <- 0
  t <- if (R > 1L) stats::qt((1 + setting$level) / 2, R - 1) else NA_real_
  # NA if nothing varies on any task: errors are then 0, and the band has zero width with any q
  q <- if (is.na(setting$quantile)) t else max(setting$quantile, t)
  light_frame(c(
    list(task = rep(task, length(estimate))), as.list(profile$inputs),
    list(
      capacity_a = colMeans(profile$a), capacity_b = colMeans(profile$b), estimate = estimate, std.error = error,
      conf.low = estimate - t * error, conf.high = estimate + t * error,
      band.low = estimate - q * error, band.high = estimate + q * error
    )
  ))
}

#' @rdname capacity_difference
#' @param x,object A difference.
#' @export
glance.ca_difference <- function(x, ...) {
  check_dots(...)
  setting <- attr(x, "setting")
  profiles <- attr(x, "profiles")
  two <- attr(x, "two")
  test <- difference_flip_test(lapply(profiles, function(profile) profile$d), setting$times, setting$flips)
  distances <- rowMeans(vapply(profiles, difference_distances, numeric(2)))
  light_frame(c(
    list(a = two[[1L]], b = two[[2L]], tasks = length(profiles), n = min(vapply(profiles, function(p) nrow(p$d), 0L))),
    test,
    list(
      quantile = setting$quantile, wasserstein = distances[[1L]], total_variation = distances[[2L]],
      level = setting$level, times = setting$times, seed = setting$seed
    )
  ))
}

#' @rdname capacity_difference
#' @export
summary.ca_difference <- function(object, ...) {
  check_dots(...)
  setting <- attr(object, "setting")
  profiles <- attr(object, "profiles")
  tests <- stack_frames(lapply(profiles, function(profile) {
    light_frame(difference_flip_test(list(profile$d), setting$times, setting$flips))
  }))
  distances <- vapply(profiles, difference_distances, numeric(2))
  light_frame(list(
    task = names(profiles), n = unname(vapply(profiles, function(profile) nrow(profile$d), 0L)),
    statistic = tests$statistic, p.value = tests$p.value, adj.p.value = stats::p.adjust(tests$p.value, "holm"),
    reason = tests$reason, wasserstein = unname(distances[1L, ]), total_variation = unname(distances[2L, ])
  ))
}

#' @rdname capacity_difference
#' @export
augment.ca_difference <- function(x, ...) {
  check_dots(...)
  profiles <- attr(x, "profiles")
  stack_frames(Map(function(profile, task) {
    R <- nrow(profile$d)
    n <- ncol(profile$d)
    light_frame(list(
      task = rep(task, R * n), replicate = rep(as.integer(rownames(profile$d)), each = n),
      input = rep(profile$inputs$input, R), difference = c(t(profile$d))
    ))
  }, profiles, names(profiles)))
}

#' @rdname capacity_difference
#' @param n Number of rows to print.
#' @export
print.ca_difference <- function(x, n = 10, ...) {
  cat(difference_headline(x), "\n", sep = "")
  shown <- plain_frame(x)[seq_len(min(n, nrow(x))), , drop = FALSE]
  shown <- shown[!names(shown) %in% c("capacity_a", "capacity_b", "position"[!anyNA(shown$lag)])]
  shown[] <- lapply(shown, format_without_rounding)
  print(shown, row.names = FALSE, digits = 3)
  if (nrow(x) > nrow(shown)) cat("  ... and ", nrow(x) - nrow(shown), " more rows\n", sep = "")
  cat(difference_note(x), "\n", sep = "")
  invisible(x)
}

difference_headline <- function(x) {
  two <- attr(x, "two")
  paste0("<capacity difference> ", two[[1L]], " - ", two[[2L]], " on ", task_shorten(names(attr(x, "profiles")), 4L),
    if (attr(x, "setting")$share) ", shares of the total")
}

# Describes the bands and the result of the global test.
difference_note <- function(x) {
  g <- glance(x)
  paste0(
    100 * g$level, "% bands over ", format_count(g$n, "replicate"), "; global test: ",
    if (is.na(g$p.value)) g$reason else paste0("p ", format_p(g$p.value), " by sign flips"),
    "; total variation ", format(g$total_variation, digits = 2),
    if (!is.na(g$wasserstein)) paste0(", Wasserstein distance ", format(g$wasserstein, digits = 2), " lags")
  )
}
