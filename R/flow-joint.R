# The law of pre-activations in a network, and the moments of its gates.
#
# For Gaussian inputs those of the first activations are Gaussian, exactly. Deeper ones are taken as Gaussian
# with the means and covariances that they have when the pre-activations before them are: through linear
# operations these are exact, through activations E phi(u), E[phi(u_i) phi(u_k)] and cov(phi(u_i), r) =
# E[phi'(u_i)] cov(u_i, r) are those of Gaussian u (R/flow-pair.R). Without a task, inputs are white and every
# pre-activation is taken as centred and scaled to variance 1.

# Of a graph with activations by level, list(blocks, law, moments): blocks of activations, from input to output, and
# pair_moments() of them. Of the activations `whole`, which run position by position, once more for all positions
# together.
gate_laws <- function(network, graph, law = NULL, limit = Inf, call = rlang::caller_env(), whole = integer()) {
  blocks <- graph_blocks(graph)
  gates <- which(blocks$kind == "phi")
  keep <- unlist(blocks$reads[blocks$node %in% whole])
  cut <- new_cut(graph, network$coef, blocks, blocks_below(blocks, gates), backward = FALSE, keep = keep)
  check_cost(law_cost(cut), limit, "The law of all pre-activations", call)
  sd <- if (is.null(law)) 1 else sqrt(max(diag(law$cov), 0))
  check_read_digits(graph, network$coef, sd, call, white = is.null(law))
  state <- start_law(cut, law)
  found <- list()
  program <- cut_program(cut)
  done <- 0L
  linear <- function(state, before) {
    now <- program$item >= done & program$item < before
    pending <- lapply(program, function(column) column[now])
    lapply(list(
      mean = carry_program(cut, state$mean, pending, two_sided = FALSE, constant = cut$size)$S,
      cov = carry_program(cut, state$cov, pending, two_sided = TRUE)$S
    ), check_overflow, "the law of pre-activations", call)
  }
  for (i in seq_along(cut$items)) {
    if (is_gate_item(cut, i)) {
      state <- linear(state, i)
      done <- i
      own <- cut$items[[i]]
      at <- gate_law(cut, own, state, white = is.null(law))
      needed <- any(own %in% unlist(blocks$reads))
      moments <- pair_moments(at$law, values = needed)
      found[[length(found) + 1L]] <- list(blocks = own, law = at$law, moments = moments)
      if (needed) state <- pass_law(cut, own, state, at, moments)
    }
  }
  for (node in whole) {
    own <- which(blocks$node == node)
    at <- gate_law(cut, own, state, white = is.null(law))
    found[[length(found) + 1L]] <- list(blocks = own, law = at$law, moments = pair_moments(at$law))
  }
  found
}

# Mean and covariance of the inputs on the cut: 1 x (size + 1) with the constant last, size x size.
start_law <- function(cut, law) {
  mean <- array(0, c(1L, cut$size + 1L, 1L))
  mean[[cut$size + 1L]] <- 1
  cov <- array(0, c(cut$size, cut$size, 1L))
  if (cut$at[[1L]] >= 0L) {
    own <- cut_units(cut, 1L)
    mean[1L, own, 1L] <- if (is.null(law)) 0 else law$mean
    cov[own, own, 1L] <- if (is.null(law)) diag(length(own)) else law$cov
  }
  list(mean = mean, cov = cov)
}

# The law of the pre-activations of gates: list(law, at, scale), `at` their places on the cut, `scale` what
# they are divided by.
gate_law <- function(cut, own, state, white) {
  at <- unlist(lapply(own, function(b) read_units(cut, b)))
  cov <- matrix(state$cov[at, at, 1L], length(at))
  mean <- state$mean[1L, at, 1L]
  scale <- rep(1, length(at))
  if (white) {
    sd <- sqrt(pmax(diag(cov), 0))
    scale <- ifelse(sd > 0, sd, 1)
    cov <- cov / outer(scale, scale)
    diag(cov) <- 1
    mean <- 0 * mean
  }
  ops <- lapply(cut$blocks$node[own], function(node) cut$graph$ops[[node]])
  name <- rep(vapply(ops, function(op) paste(op$phi, format(op$scale, digits = 17)), ""), cut$blocks$size[own])
  first <- rep(seq_along(own), cut$blocks$size[own])
  classes <- lapply(unname(split(seq_along(name), factor(name, levels = unique(name)))), function(units) {
    op <- ops[[first[[units[[1L]]]]]]
    list(phi = op$phi, parameter = op$scale, at = units)
  })
  list(law = list(mean = mean, cov = cov, classes = classes), at = at, scale = scale)
}

# Places of the units that a block of an activation reads: of a loop, those of its own position.
read_units <- function(cut, b) {
  blocks <- cut$blocks
  from <- blocks$reads[[b]]
  if (length(from) == 1L) {
    skip <- blocks$channels[[b]] * (blocks$begin[[b]] - blocks$begin[[from]])
    return(cut$at[[from]] + skip + seq_len(blocks$size[[b]]))
  }
  cut_units(cut, from[order(blocks$begin[from])])
}

# The outputs of activations join the cut.
pass_law <- function(cut, own, state, at, moments) {
  new <- cut_units(cut, own)
  D <- moments$mean / at$scale
  across <- D * matrix(state$cov[at$at, , 1L], length(new))
  state$cov[new, , 1L] <- across
  state$cov[, new, 1L] <- t(across)
  state$cov[new, new, 1L] <- moments$moment - tcrossprod(moments$value)
  state$mean[1L, new, 1L] <- moments$value
  state
}

# Pairs of pre-activations take about 2000 operations each, and the covariance what carry does.
law_cost <- function(cut) {
  pairs <- vapply(seq_along(cut$items), function(i) {
    if (is_gate_item(cut, i)) sum(cut$blocks$size[cut$items[[i]]])^2 else 0
  }, 0)
  2000 * sum(pairs) + carry_cost(cut, two_sided = TRUE, matrices = 1)
}

# Multiplications and additions.
carry_cost <- function(cut, two_sided, matrices, rows = cut$size) {
  weights <- vapply(unlist(cut$items), function(b) {
    op <- cut$graph$ops[[cut$blocks$node[[b]]]]
    own <- as.double(cut$blocks$size[[b]])
    taps <- if (op$kind %in% c("linear", "fixed", "max")) prod(op$window[1:2]) else length(op$from)
    channels <- if (op$kind == "linear") node_channels(cut$graph, op$from[[1L]]) / op$groups else 1
    own * taps * channels
  }, 0)
  2 * sum(weights) * rows * (1 + two_sided) * matrices
}

# More than `limit` operations are only done when they are asked for; what takes long is said before.
check_cost <- function(cost, limit, what, call) {
  if (cost <= limit) {
    if (cost > 1e10) {
      cli::cli_inform("{what} will take about {operations_text(cost)} operations.", class = "capalloc_message_cost")
    }
    return(invisible())
  }
  abort(c(
    "{what} would take about {operations_text(cost)} operations.",
    x = "{.arg limit} is {operations_text(limit)}.",
    i = "Raise {.arg limit} to have it done all the same."
  ), "cost", call = call)
}

operations_text <- function(n) {
  if (n >= 1e9) paste(format(signif(n / 1e9, 2), big.mark = ","), "billion") else
    format(signif(n, 2), big.mark = ",", scientific = FALSE)
}

# Mean and covariance of the inputs of a task, or of rows.
input_law <- function(task, data, n) {
  if (is.null(task) && is.null(data)) return(NULL)
  if (!is.null(data)) {
    mean <- colMeans(data)
    return(list(mean = mean, cov = crossprod(sweep(data, 2L, mean)) / nrow(data)))
  }
  list(mean = task$moments$mean_x, cov = centred_moments(task)$sigma)
}

# ---- all gates as C numbers them: channels, taps, positions, operations -------------------------------

# Mean square of every gate.
gate_squares <- function(about) {
  check_overflow(some_squares(about), "a gate", about$call)
}

# Gates of the activations `blocks` at every row: rows x units.
gate_values <- function(graph, coef, data, blocks, call = rlang::caller_env()) {
  check_overflow(.Call(ffi_gate_values, graph, coef, data, as.integer(blocks - 1L)), "a gate", call)
}

# At data, of the law of a task's inputs, or of pre-activations of mean 0 and variance 1.
some_squares <- function(about) {
  gates <- Filter(function(op) op$kind %in% c("phi", "max", "product"), about$graph$ops)
  if (length(gates) == 0L) return(numeric())
  if (!is.null(about$data)) return(.Call(ffi_gate_squares, about$graph, about$network$coef, about$data))
  if (!is.null(about$task)) return(gaussian_squares(about))
  as.double(unlist(lapply(gates, function(op) {
    taps <- prod(op$window[1:2])
    switch(op$kind,
      phi = rep(gate_moments(op$phi, op$scale, 0, 1)$square, prod(op$shape)),
      max = rep(1 / taps, prod(op$shape) * taps)
    )
  })))
}

gaussian_squares <- function(about) {
  laws <- gate_laws(about$network, about$graph, input_law(about$task, NULL), about$limit, about$call)
  blocks <- graph_blocks(about$graph)
  nodes <- unlist(lapply(laws, function(law) rep(blocks$node[law$blocks], blocks$size[law$blocks])))
  begin <- unlist(lapply(laws, function(law) rep(blocks$begin[law$blocks], blocks$size[law$blocks])))
  square <- unlist(lapply(laws, function(law) law$moments$square))
  as.double(square[order(nodes, begin)])
}
