# Sets of architectures with nearly the same number of parameters, or nearly the same total capacity.

#' A set of classical architectures at one budget
#'
#' Architectures on a sequence with nearly the same number of parameters, or nearly the same
#' total capacity, ready for [compare_architectures()]. Widths, depths and kernels are chosen so
#' that each comes as close to the budget as it can; the convolution prefers the longest
#' memory.
#'
#' Total capacity is the rank that [capacity()] finds at the coefficients of
#' `initialise(network, seed = 1)`: what the network can spend, where parameters are what it is
#' made of. For each architecture one size is searched by bisection, over networks of at most
#' 1200 parameters or 4 times the budget, whichever is more. That takes about a second for
#' a length of 64 and about 20 seconds for 256, where sizes by parameters take a fraction of a
#' second.
#'
#' @param length Number of positions.
#' @param budget Number of parameters, by default what a dense layer needs, or total capacity. An
#'   architecture that does not come within 10% of it is left out, with a warning of class
#'   `capalloc_warning_budget` that names it.
#' @param bias Whether the last layers have a constant, as in [arch_dense()]. It is one
#'   more parameter, which does not count for the budget.
#' @param measure `"parameters"`, or `"capacity"` for the total capacity at random coefficients.
#' @returns A plain named list of networks: `dense`, `conv`, `dilated`, `strided`, `pooled`,
#'   `residual`, `elman`, `diagonal`, `deep`, `low_rank`, `local`, `hierarchical` (not shared),
#'   `dilated_skip`, `separable`, `densenet`, `unet`, `stacked` (Elman), `conv_recurrent`.
#' @seealso [architectures]
#' @examples
#' nets <- classical_architectures(64)
#' sapply(nets, \(net) sum(summary(net)$parameters))
#' nets <- classical_architectures(16, measure = "capacity")
#' sapply(nets, \(net) attr(capacity(initialise(net, seed = 1)), "total"))
#' @export
classical_architectures <- function(length, budget = length, bias = FALSE,
                                    measure = c("parameters", "capacity")) {
  length <- check_count(length, min = 8L)
  budget <- check_number(budget, min = 1)
  check_flag(bias)
  measure <- check_choice(measure, c("parameters", "capacity"))
  sizes <- if (measure == "parameters") {
    lapply(classical_candidates(length, budget), function(candidates) {
      counts <- vapply(candidates, n_params, 0)
      best <- which.min(abs(counts - budget))
      list(network = candidates[[best]], size = counts[[best]])
    })
  } else {
    lapply(classical_ladders(length), classical_closest_capacity, budget)
  }
  size <- vapply(sizes, function(x) x$size, 0)
  near <- abs(size - budget) <= 0.1 * budget
  if (!all(near)) {
    shown <- ifelse(is.finite(size), size, "too large to search")
    off <- paste0(names(size)[!near], " (", shown[!near], ")")
    of <- if (measure == "parameters") "parameters" else "for the total capacity"
    warn(c(
      "Architectures without a size within 10% of the budget of {budget} {of} are left out: {off}.",
      i = "Try another {.arg budget}, or build these architectures by their functions, such as {.fn arch_dense}."
    ), "budget")
  }
  lapply(sizes[near], function(x) if (bias) classical_with_last_bias(x$network) else x$network)
}

# ---- equal numbers of parameters -----------------------------------------------------------------

# Returns for each architecture a list of networks with about `budget` parameters. Of two that are equally close to the
# budget, the earlier is preferred.
classical_candidates <- function(n, budget) {
  counted <- function(kernels, build, ...) list(build(classical_closest_widths(kernels, budget, ...)))
  list(
    dense = list(arch_dense(n)),
    conv = unlist(lapply(classical_conv_choices(n), function(k) {
      counted(rep(k[["kernel"]], k[["depth"]]), \(w) arch_conv(n, w, k[["kernel"]], k[["depth"]]))
    }), recursive = FALSE),
    dilated = counted(rep(2, arch_dilated_depth(n)), \(w) arch_dilated(n, w)),
    strided = counted(unlist(arch_strided_kernels(n, 4, 4)), \(w) arch_strided(n, w)),
    pooled = counted(unlist(arch_strided_kernels(n, 3, 2)), \(w) arch_pooled(n, w)),
    residual = classical_residual_candidates(n, budget),
    elman = lapply(seq_len(ceiling(sqrt(budget)) + 1), \(u) arch_recurrent(n, u, "elman")),
    diagonal = lapply(seq_len(ceiling(budget / 3) + 1), \(u) arch_recurrent(n, u, "diagonal")),
    deep = lapply(classical_around(budget / (n + 1)), \(w) arch_deep(n, w, depth = 1)),
    low_rank = unlist(lapply(classical_window_choices(n), function(k) {
      lapply(classical_around(budget / (k + n %/% k)), \(w) arch_low_rank(n, w, kernel = k))
    }), recursive = FALSE),
    local = unlist(lapply(classical_window_choices(n), function(k) {
      lapply(classical_around(budget / (n + n %/% k)), \(w) arch_local(n, w, kernel = k))
    }), recursive = FALSE),
    hierarchical = lapply(classical_window_choices(n), \(k) arch_hierarchical(n, classical_hierarchical_width(n, k,
      budget), k)),
    dilated_skip = counted(rep(2, arch_dilated_depth(n)), \(w) arch_dilated(n, w, skip = TRUE), read_all = TRUE),
    separable = classical_separable_candidates(n, budget),
    densenet = classical_densenet_candidates(n, budget),
    unet = classical_unet_candidates(n, budget),
    stacked = classical_stacked_candidates(n, budget),
    conv_recurrent = classical_conv_recurrent_candidates(n, budget)
  )
}

# Returns the whole numbers next to x, at least 1, the nearest first.
classical_around <- function(x) unique(pmax(1, c(round(x), floor(x), ceiling(x))))

# Returns kernels and depths of stacks of convolutions whose receptive field is shorter than n, the longest first.
classical_conv_choices <- function(n) {
  choices <- expand.grid(kernel = c(3, 5, 8), depth = 2:3)
  memory <- (choices$kernel - 1) * choices$depth + 1
  choices <- choices[memory < n, , drop = FALSE]
  choices <- choices[order(-memory[memory < n]), , drop = FALSE]
  lapply(seq_len(nrow(choices)), function(i) unlist(choices[i, ]))
}

# Returns at most `most` window lengths from 2 to n / 2, those near the square root of n first. Only divisors of n are
# used where n has any in this range.
classical_window_choices <- function(n, most = 12) {
  k <- 2:(n %/% 2L)
  if (any(n %% k == 0)) k <- k[n %% k == 0]
  k <- k[order(abs(log(k^2 / n)))]
  k[seq_len(min(length(k), most))]
}

# Returns the widths, w or w + 1 in each layer, for which the number of parameters of a chain of convolutions is closest
# to the budget. The read-out has one output. It reads the last layer, or every layer where `read_all` is TRUE.
classical_closest_widths <- function(kernels, budget, read_all = FALSE) {
  depth <- length(kernels)
  most <- ceiling(sqrt(budget / max(depth - 1, 1))) + 1
  wider <- if (depth <= 8L) as.matrix(expand.grid(rep(list(0:1), depth))) else 1 * lower.tri(diag(depth))
  widths <- do.call(rbind, lapply(seq_len(most), function(w) wider + w))
  before <- cbind(1, widths[, -depth, drop = FALSE])
  counts <- drop((before * widths) %*% kernels) + if (read_all) rowSums(widths) else widths[, depth]
  unname(widths[which.min(abs(counts - budget)), ])
}

classical_residual_candidates <- function(n, budget) {
  choices <- expand.grid(blocks = seq_len(ceiling(budget / 3)), filters = c(2, 1, 3, 4))
  counts <- choices$filters * 2 + choices$blocks * 3 * choices$filters^2
  choices <- choices[order(abs(counts - budget))[seq_len(min(4, nrow(choices)))], ]
  Map(function(w, blocks) arch_residual(n, w, blocks), choices$filters, choices$blocks)
}

# Returns the network of the first row of `choices` whose count is closest to the budget, as a list of one.
classical_nearest_choice <- function(choices, counts, budget, build) {
  list(do.call(build, unclass(choices[which.min(abs(counts - budget)), , drop = FALSE])))
}

classical_hierarchical_width <- function(n, kernel, budget) {
  kernels <- unlist(arch_strided_kernels(n, kernel, kernel))
  taps <- Reduce(function(positions, k) (positions %/% k), kernels, n, accumulate = TRUE)[-1L] * kernels
  w <- seq_len(ceiling(budget / taps[[1L]]) + 1)
  counts <- w * taps[[1L]] + w^2 * sum(taps[-1L]) + w
  w[[which.min(abs(counts - budget))]]
}

# Returns pairs of sizes that differ by at most `apart`, equal sizes first, combined with all further choices. The first
# size runs from 1 to `most`.
classical_near_pairs <- function(name, most, apart, ...) {
  pairs <- expand.grid(first = seq_len(most), more = order(abs(-apart:apart)) - apart - 1, ...)
  pairs$more <- pairs$first + pairs$more
  names(pairs)[1:2] <- paste0(name, 1:2)
  pairs[pairs[[2L]] >= 1, ]
}

classical_separable_candidates <- function(n, budget) {
  most <- ceiling(sqrt(budget)) + 1
  choices <- classical_near_pairs("w", most, 1, kernel = c(8, 5, 3))
  choices <- choices[2 * (choices$kernel - 1) < n, ]
  counts <- with(choices, kernel + w1 + w1 * (kernel + w2) + w2)
  classical_nearest_choice(choices, counts, budget, \(w1, w2, kernel) arch_separable(n, c(w1, w2), kernel, depth = 2))
}

classical_densenet_candidates <- function(n, budget) {
  choices <- expand.grid(depth = 2:8, filters = seq_len(ceiling(sqrt(budget / 3)) + 1), kernel = c(3, 5, 8))
  choices <- choices[choices$kernel <= n, ]
  counts <- with(choices, kernel * filters * depth * (1 + filters * (depth - 1) / 2) + 1 + depth * filters)
  classical_nearest_choice(choices, counts, budget, \(depth, filters, kernel) arch_densenet(n, filters, kernel, depth))
}

classical_unet_candidates <- function(n, budget) {
  most <- min(4, ceiling(log2(n)) - 1)
  choices <- expand.grid(depth = seq_len(most), filters = seq_len(ceiling(sqrt(budget / 6)) + 1), kernel = 3:6)
  counts <- mapply(function(depth, w, kernel) {
    w * kernel + 3 * w^2 * sum(pmin(kernel, ceiling(n / 2^(seq_len(depth) - 1)))) + w
  }, choices$depth, choices$filters, choices$kernel)
  classical_nearest_choice(choices, counts, budget, \(depth, filters, kernel) arch_unet(n, filters, depth, kernel))
}

classical_stacked_candidates <- function(n, budget) {
  choices <- classical_near_pairs("u", ceiling(sqrt(budget / 2)) + 1, 4)
  counts <- with(choices, u1 * (1 + u1) + u2 * (u1 + u2) + u2)
  classical_nearest_choice(choices, counts, budget, \(u1, u2) arch_recurrent(n, c(u1, u2), depth = 2))
}

classical_conv_recurrent_candidates <- function(n, budget) {
  choices <- expand.grid(units = seq_len(ceiling(sqrt(budget)) + 1), filters = 2:4, kernel = c(4, 3, 2))
  counts <- with(choices, kernel * filters + units * (filters + units) + units)
  classical_nearest_choice(choices, counts, budget, \(units, filters, kernel) arch_conv_recurrent(n, filters, kernel,
    units))
}

# ---- equal total capacity ------------------------------------------------------------------------

# Returns for each architecture one or more ladders, list(build, steps): networks build(1), .., build(steps) whose total
# capacity does not decrease. Dense, deep, local and hierarchical networks with one output have one step, since their
# capacity is the number of inputs at any size.
classical_ladders <- function(n) {
  ladder <- function(build, steps) list(list(build = build, steps = max(1, floor(steps))))
  widths <- function(kernels, build, useful = classical_useful_widths(kernels)) {
    ladder(\(s) build(pmin(classical_rising_widths(s, length(useful)), useful)), 12 * length(useful))
  }
  halves <- rep(2, arch_dilated_depth(n))
  list(
    dense = ladder(\(s) arch_dense(n), 1),
    conv = c(
      ladder(\(s) arch_conv(n, 1, s + 1, depth = 2), (n - 1) / 2),
      ladder(\(s) arch_conv(n, 1, s + 1, depth = 3), (n - 1) / 3)
    ),
    dilated = widths(halves, \(w) arch_dilated(n, w)),
    strided = widths(unlist(arch_strided_kernels(n, 4, 4)), \(w) arch_strided(n, w)),
    pooled = widths(NULL, \(w) arch_pooled(n, w), rep(Inf, length(arch_strided_kernels(n, 3, 2)))),
    residual = ladder(\(s) arch_residual(n, 1, blocks = s), n / 2),
    elman = ladder(\(s) arch_recurrent(n, s, "elman"), n / 2),
    diagonal = ladder(\(s) arch_recurrent(n, s, "diagonal"), n / 2),
    deep = ladder(\(s) arch_deep(n, 1, depth = 1), 1),
    low_rank = unlist(lapply(classical_window_choices(n, 4), function(k) {
      ladder(\(s) arch_low_rank(n, s, kernel = k), min(k, n %/% k))
    }), recursive = FALSE),
    local = ladder(\(s) arch_local(n, 1, kernel = classical_window_choices(n)[[1L]]), 1),
    hierarchical = unlist(lapply(c(2, classical_window_choices(n, 3)), function(k) {
      ladder(\(s) arch_hierarchical(n, 1, k), 1)
    }), recursive = FALSE),
    dilated_skip = widths(halves, \(w) arch_dilated(n, w, skip = TRUE), 1 + classical_useful_widths(halves)),
    separable = ladder(\(s) arch_separable(n, 2, kernel = s + 1, depth = 2), (n - 1) / 2),
    densenet = ladder(\(s) arch_densenet(n, 1, kernel = s + 1, depth = 4), n / 4),
    unet = ladder(\(s) arch_unet(n, 1, depth = 3, kernel = s + 1), n / 2),
    stacked = ladder(\(s) arch_recurrent(n, s, depth = 2), n / 2),
    conv_recurrent = ladder(\(s) arch_conv_recurrent(n, 4, kernel = 4, units = s), n / 2)
  )
}

# Returns the widths of step s. Each step adds one to the width of one layer, in the order of the layers.
classical_rising_widths <- function(s, depth) 1 + (s - 1) %/% depth + (seq_len(depth) <= (s - 1) %% depth)

# Returns the widths above which the tensor-train ranks of a tree with one channel and one output do not increase.
classical_useful_widths <- function(kernels) {
  inputs <- cumprod(kernels)
  pmin(inputs, prod(kernels) / inputs)
}

# Returns list(network, size, step) of the step, on any ladder, whose total capacity is closest to the budget. Of equal
# ones, the earlier ladder and the smaller step are preferred.
classical_closest_capacity <- function(ladders, budget) {
  found <- lapply(ladders, classical_climb, budget)
  found[[which.min(vapply(found, function(x) abs(x$size - budget), 0))]]
}

# Searches one ladder by bisection and returns list(network, size, step). The capacity of step `low` is below the
# budget. That of step `high` is not, or its network is too large, or the ladder has no such step. A ladder whose first
# network is too large gives size -Inf.
classical_climb <- function(ladder, budget) {
  best <- list(size = -Inf)
  look <- function(s) {
    network <- ladder$build(s)
    if (n_params(network) > max(1200, 4 * budget)) return(Inf)
    size <- classical_generic_capacity(network)
    closer <- abs(best$size - budget) - abs(size - budget)
    if (closer > 0 || (closer == 0 && s < best$step)) best <<- list(network = network, size = size, step = s)
    size
  }
  low <- 1
  if (look(low) >= budget) return(best)
  high <- ladder$steps + 1
  while (high - low > 1) {
    middle <- (low + high) %/% 2
    if (look(middle) >= budget) high <- middle else low <- middle
  }
  best
}

# Returns the total capacity at random coefficients: the rank at the default tolerance, also where it is undecided.
classical_generic_capacity <- function(network) {
  k <- suppressMessages(
    suppressWarnings(capacity(initialise(network, seed = 1)), classes = "capalloc_warning_rank_gap"),
    classes = "capalloc_message_cost"
  )
  attr(k, "total")
}

# ---- either --------------------------------------------------------------------------------------

# Returns the network with a bias in its read-out. In a sum of read-outs, only the last has a bias.
classical_with_last_bias <- function(net) {
  last <- net$layers[[length(net$layers)]]
  before <- new_network(net$input, net$layers[-length(net$layers)])
  if (last$kind != "parallel") return(layer_dense(before, last$params$weight[[1L]], bias = TRUE))
  inner <- last$blocks[[length(last$blocks)]]
  last$blocks[[length(last$blocks)]] <- classical_with_last_bias(new_network(net$input, inner))$layers
  add_network_layer(before, last)
}
