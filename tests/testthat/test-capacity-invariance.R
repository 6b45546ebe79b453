# Operations that do not change hard capacity, tested on random nested networks on sequences, grids and vectors. Each
# has a pair of consecutive layers, alone or inside a block; the four operations act on the hidden units between them.

# The pair is drawn once and then built with any number of units. Its layers have a tag, by which their parameters are
# found at any place in the network.
marked <- function(network, tag) {
  network$layers[[length(network$layers)]]$tag <- tag
  network
}

# keep: rows, columns and channels are unchanged, as a residual block requires.
random_pair <- function(start, keep) {
  spatial <- shape_output_kind(start) != "vector"
  line <- shape_output_kind(start) == "sequence"
  channels <- output_shape(start)[[1L]]
  first <- if (keep && spatial) random_placed("same", 1) else random_first(start, line, spatial, keep)
  between <- if (keep || !spatial) identity else pick(list(identity, identity, random_pause(start)))
  filters <- if (keep) channels else pick(1:2)
  dense <- !spatial || (!keep && random_flag(0.4))
  bias <- random_flag()
  second <- if (dense) \(x, filters) layer_dense(x, filters, bias = bias) else random_placed("same", 1)
  function(x, units) {
    x <- marked(first(x, units), "first")
    if (shape_output_kind(x) != "vector") x <- between(x)
    # After a dense layer there are no positions.
    last <- if (shape_output_kind(x) == "vector") \(x, filters) layer_dense(x, filters, bias = bias) else second
    marked(last(x, filters), "second")
  }
}

random_first <- function(start, line, spatial, keep) {
  kinds <- c("dense", if (spatial) c("placed", "placed", "placed"), if (line) "diagonal")
  bias <- random_flag()
  output <- pick(c("last", "sequence"))
  switch(pick(kinds),
    dense = \(x, units) layer_dense(x, units, bias = bias),
    diagonal = \(x, units) layer_recurrent(x, units, "diagonal", output = output, bias = bias),
    placed = random_placed(pick(c("valid", "same")), pick(1:2))
  )
}

# Returns a function that adds a convolution or a local layer with any number of filters; its window is small enough for
# the layer before it.
random_placed <- function(padding, stride) {
  layer <- if (random_flag(0.35)) layer_local else layer_conv
  size <- c(pick(1:3), pick(1:3))
  bias <- random_flag()
  function(x, filters) {
    most <- test_extent(x)
    kernel <- pmin(if (length(most) == 1L) size[[2L]] else size, most)
    layer(x, filters, kernel, stride = pmin(stride, most), padding = padding, bias = bias)
  }
}

random_pause <- function(start) {
  if (random_flag(0.5)) return(function(x) layer_upsample(x, 2))
  function(x) layer_pool(x, pmin(2, test_extent(x)))
}

# Returns a function that builds the network around the pair with the given number of hidden units, or with the pair
# twice in parallel.
random_builder <- function() {
  start <- switch(pick(c("sequence", "grid", "grid", "vector"), prob = c(3, 2, 2, 1.5)),
    sequence = input_sequence(pick(4:8), channels = pick(1:2)),
    grid = input_grid(pick(2:4), pick(2:4), channels = pick(1:2)),
    vector = input_vector(pick(3:6))
  )
  if (random_flag(0.5)) start <- random_any(start)
  place <- pick(c("plain", "residual", "parallel"))
  pair <- random_pair(start, keep = place != "plain")
  scale <- pick(c(1, 0.5, -0.7))
  merge <- pick(c("sum", "concat"))
  suffix <- random_flag(0.5)
  seed <- sample.int(1e6, 1L)
  function(units, twice = FALSE) {
    inside <- function(x) pair(x, units)
    both <- if (twice) \(x) layer_parallel(x, inside, inside) else inside
    network <- switch(place,
      plain = both(start),
      residual = layer_residual(start, both, scale = scale),
      parallel = layer_parallel(start, both, identity, merge = merge)
    )
    # The suffix is the same for every pair.
    if (suffix) withr::with_seed(seed, random_any(network)) else network
  }
}

random_any <- function(network) {
  switch(shape_output_kind(network),
    vector = layer_dense(network, pick(1:3), bias = random_flag()),
    sequence = random_wide_layer(network, random_layer),
    grid = random_wide_layer(network, random_grid_layer)
  )
}

# Returns the parameter arrays in the order of theta: tag of the layer ("" outside the pair), name, dimensions and
# indices.
theta_parts <- function(network) {
  parts <- list()
  used <- 0
  for (layer in walk_layers(network$layers)) for (name in names(layer$params)) {
    dim <- layer$params[[name]]
    tag <- if (is.null(layer$tag)) "" else layer$tag
    parts[[length(parts) + 1L]] <- list(tag = tag, name = name, dim = dim, at = used + seq_len(prod(dim)))
    used <- used + prod(dim)
  }
  parts
}

tags_of <- function(parts) vapply(parts, function(part) part$tag, "")

# Returns the entries of an array where new unit i is the old unit map[[i]], with its input weights times `incoming` and
# its output weights times `outgoing`; `constant` scales the second layer's bias.
moved <- function(part, theta, map, incoming, outgoing, constant) {
  x <- theta[part$at]
  if (part$tag == "first") {
    rows <- matrix(x, max(map))[map, , drop = FALSE]
    return(if (part$name == "recurrent") rows else rows * incoming)
  }
  if (part$name == "bias") return(constant * x)
  x <- array(x, c(part$dim[[1L]], max(map), length(x) / part$dim[[1L]] / max(map)))
  sweep(x[, map, , drop = FALSE], 2L, outgoing, `*`)
}

# Returns the coefficients of `network` moved to `other`, which contains the pair once or twice.
move_coef <- function(network, other, map, incoming = rep(1, length(map)), outgoing = rep(1, length(map)),
                      constant = 1) {
  old <- theta_parts(network)
  new <- theta_parts(other)
  source <- match(paste(tags_of(new), vapply(new, function(part) part$name, "")),
    paste(tags_of(old), vapply(old, function(part) part$name, "")))
  others <- which(tags_of(old) == "")
  source[tags_of(new) == ""] <- others
  values <- lapply(source, function(i) {
    if (old[[i]]$tag == "") return(network$coef[old[[i]]$at])
    moved(old[[i]], network$coef, map, incoming, outgoing, constant)
  })
  set_coef(other, unlist(values))
}

unchanged_by <- list(
  permute = function(network, build, units) move_coef(network, network, c(seq_len(units)[-1L], 1L)),
  rescale = function(network, build, units) {
    by <- 10^runif(1, -4, 4) * pick(c(-1, 1))
    move_coef(network, network, seq_len(units), rep(by, units), rep(1 / by, units))
  },
  split = function(network, build, units) {
    share <- runif(1, 0.2, 0.8)
    move_coef(network, build(units + 1), c(seq_len(units), units),
      outgoing = c(rep(1, units - 1), share, 1 - share))
  },
  # Every column of the pair appears twice; the output weights are halved.
  repeated = function(network, build, units) {
    move_coef(network, build(units, twice = TRUE), seq_len(units), outgoing = rep(0.5, units), constant = 0.5)
  }
)

# Returns a network of limited size and the function that builds it.
random_hidden <- function(seed) {
  withr::with_seed(seed, {
    units <- pick(2:3)
    repeat {
      build <- random_builder()
      network <- build(units)
      if (is_small_enough(network)) break
    }
    list(network = with_test_coef(network, seed), build = build, units = units)
  }, .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion", .rng_sample_kind = "Rejection")
}

quiet_capacity <- function(...) suppressWarnings(capacity(...), classes = "capalloc_warning_rank_gap")

# Returns TRUE where the rank is decided and the least singular value kept is far enough from rounding error for the
# projector to be accurate to 1e-8.
is_sharp <- function(k) {
  evidence <- generics::glance(k)
  values <- attr(k, "spectrum")
  kept <- values[[max(1, round(evidence$total))]] / values[[1L]]
  evidence$rank_low == evidence$rank_high && isTRUE(kept > 1e-6)
}

# Returns one row per operation with the changes of weights and capacity; no row where the rank is undecided.
moves_of <- function(seed, ...) {
  hidden <- random_hidden(seed)
  network <- hidden$network
  k <- quiet_capacity(network, ...)
  weights <- effective_weights(network)
  tags <- vapply(walk_layers(network$layers), function(layer) !is.null(layer$tag), NA)
  rows <- lapply(names(unchanged_by), function(name) {
    other <- withr::with_seed(seed, unchanged_by[[name]](network, hidden$build, hidden$units))
    found <- quiet_capacity(other, ...)
    data.frame(
      seed = seed, operation = name, kind = network$input$kind, sharp = is_sharp(k) && is_sharp(found),
      nested = !any(vapply(network$layers, function(layer) !is.null(layer$tag), NA)),
      moved = !identical(other$coef, network$coef),
      free = attr(k, "spectrum")[[1L]] > 0 && round(generics::glance(k)$total) == length(weights),
      total = generics::glance(found)$total - generics::glance(k)$total,
      weights = max(abs(effective_weights(other) - weights)) / max(1, abs(weights)),
      kappa = max(abs(found$capacity - k$capacity))
    )
  })
  do.call(rbind, rows)
}

expect_unmoved <- function(moves) {
  expect_true(all(moves$moved))
  # The same function, summed in a different order.
  expect_lt(max(moves$weights), 1e-12)
  sharp <- moves[moves$sharp, ]
  expect_equal(sharp$total, numeric(nrow(sharp)), tolerance = 1e-8)
  expect_equal(sharp$seed[sharp$kappa >= 1e-8], integer(), label = "seeds of networks that moved")
}

# Returns the networks for which all four operations could be compared.
compared <- function(moves) {
  all_sharp <- tapply(moves$sharp, moves$seed, all)
  unique(moves[moves$seed %in% names(all_sharp)[all_sharp], c("seed", "kind", "nested", "free")])
}

test_that("permuting, rescaling, splitting and repeating units do not change capacity", {
  moves <- do.call(rbind, lapply(1:230, moves_of))
  expect_unmoved(moves)
  networks <- compared(moves)
  expect_gte(nrow(networks), 200)
  expect_gte(sum(networks$kind == "grid"), 60)
  expect_gte(sum(networks$kind == "sequence"), 50)
  expect_gte(sum(networks$kind == "vector"), 20)
  expect_gte(sum(networks$nested), 80)
  # An unconstrained network has capacity 1 everywhere, so it tests little.
  expect_gte(sum(!networks$free), 150)
})

test_that("the four operations do not change capacity in the covariance metric", {
  moves <- do.call(rbind, lapply(1001:1030, function(seed) {
    n <- prod(random_hidden(seed)$network$input$shape)
    x <- withr::with_seed(seed, matrix(rnorm(4 * n * n), 4 * n) %*% (diag(n) + matrix(rnorm(n * n), n) / (2 * sqrt(n))))
    moves_of(seed, metric = "covariance", data = x)
  }))
  expect_unmoved(moves)
  expect_gte(nrow(compared(moves)), 25)
})
