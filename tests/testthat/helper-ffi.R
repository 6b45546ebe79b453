# Helpers of the tests of the C core's routines: small networks, valid calls, and functions that tamper with them.

ffi_networks <- function() {
  list(
    dense = input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_dense(2),
    dilated = input_sequence(8) |> layer_conv(2, 2) |> layer_conv(2, 2, dilation = 2, groups = 2) |>
      layer_conv(1, 2, dilation = 4, bias = TRUE),
    elman = input_sequence(5, channels = 2) |>
      layer_recurrent(2, output = "sequence", bias = TRUE) |> layer_flatten() |> layer_dense(1),
    diagonal = input_sequence(6) |> layer_recurrent(3, cell = "diagonal") |> layer_dense(1),
    nested = input_sequence(6) |>
      layer_residual(\(x) layer_conv(x, 1, 3, padding = "same"), scale = 0.5) |>
      layer_parallel(
        \(x) layer_pool(x, 2), \(x) layer_conv(x, 2, 2, stride = 2), merge = "concat"
      ) |>
      layer_last() |> layer_dense(2, bias = TRUE),
    grid = input_grid(4, 7, channels = 2) |>
      layer_conv(2, c(2, 3), stride = c(1, 2), dilation = c(2, 1), padding = "same", groups = 2) |>
      layer_parallel(identity, \(x) x |> layer_pool(2) |> layer_upsample(2, size = 4), merge = "concat") |>
      layer_conv(1, 2, bias = TRUE) |> layer_dense(1),
    local = input_grid(3, 4) |> layer_local(2, 2, stride = c(1, 2), bias = TRUE) |>
      layer_upsample(c(1, 2), size = c(2, 3)) |> layer_conv(1, 2)
  )
}

# Nonlinear networks.
ffi_curved_networks <- function() {
  list(
    deep = input_vector(3) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(2) |>
      layer_activation("leaky_relu", 0.3),
    lstm = input_sequence(4, channels = 2) |> layer_recurrent(2, "lstm", bias = TRUE) |> layer_dense(1),
    gru = input_sequence(4) |> layer_recurrent(2, "gru", output = "sequence") |> layer_activation("sin", 2),
    max = input_sequence(6) |> layer_conv(2, 2) |> layer_pool(2, stride = 1, type = "max") |> layer_dense(1),
    grid_max = input_grid(3, 4, channels = 2) |> layer_conv(2, 2, groups = 2) |> layer_activation("relu") |>
      layer_pool(2, type = "max") |> layer_dense(2, bias = TRUE)
  )
}

# Returns a list of valid arguments for every registered routine.
ffi_calls <- function(network) {
  graph <- capalloc:::lower_network(network)
  p <- graph$n_params
  n <- prod(graph$input) + capalloc:::has_bias(network)
  m <- prod(graph$ops[[graph$output]]$shape)
  theta <- with_test_coef(network, 1)$coef
  rows <- matrix(sin(seq_len(3 * n * n)), 3 * n)
  sigma <- crossprod(rows) / (3 * n)
  moments <- list(root = rows, target = matrix(cos(seq_len(3 * n * m)), 3 * n), floor = 0.1, total = 2)
  control <- list(max_iterations = 5, tol = 1e-10, learning_rate = 0.01, memory = 3)
  about <- list(array = rep(1L, p), x = NULL, rows = pick(list(NULL, sigma)), tol = 1e-12, ridge = 0.1, decay = 0,
    block = 2, columns = 3, parameters = TRUE)
  what <- list(turned = pick(list(NULL, sigma)), group = NULL)
  x <- rows[, seq_len(prod(graph$input)), drop = FALSE]
  groups <- rep(1:2, length.out = p)
  c(
    list(
      ffi_weights = list(graph, theta),
      ffi_tangent = list(graph, theta),
      ffi_gradient = list(graph, theta, moments),
      ffi_fit = list(graph, theta, moments, pick(c("lm", "lbfgs", "adam")), control),
      ffi_kernel = list(graph, theta, about, as.integer(seq(1, n, by = 2))),
      ffi_capacity = list(graph, theta, about, what),
      ffi_two_way = list(graph, theta, about, groups)
    ),
    ffi_sample_calls(graph, theta, x, m)[c(
      "ffi_predict", "ffi_reach", "ffi_extended", "ffi_linearise", "ffi_gradients", "ffi_fit_samples",
        "ffi_sample_gradient"
    )],
    ffi_flow_calls(graph, theta, x)
  )
}

# Valid arguments of the routines that accept nonlinear networks.
ffi_sample_calls <- function(graph, theta, x, m) {
  n <- ncol(x) + 1
  sigma <- matrix(sin(seq_len(n * n)), n)
  about <- list(array = rep(1L, length(theta)), x = x, rows = pick(list(NULL, sigma)), tol = 1e-12, ridge = 0.1,
    decay = 0,
    block = 2, columns = 3, parameters = TRUE)
  what <- list(turned = pick(list(NULL, sigma)), group = pick(list(NULL, rep(1:3, length.out = nrow(x)))))
  weight <- matrix(1 + seq_len(nrow(x)) %% 3)
  data <- list(x = x, y = matrix(seq_len(nrow(x) * m) %% 2, nrow(x)), weight = pick(list(NULL, weight)))
  about["weight"] <- pick(list(list(NULL), list(weight)))
  control <- list(max_iterations = 3, tol = 1e-6, learning_rate = 0.01, memory = 3, decay = 0.01,
    batch = pick(c(0, 2)), patience = 2)
  list(
    ffi_predict = list(graph, theta, x),
    ffi_reach = list(graph),
    ffi_capacity = list(graph, theta, about, what),
    ffi_two_way = list(graph, theta, about, rep(1:2, length.out = length(theta))),
    ffi_fit_samples = list(graph, theta, data, pick(list(NULL, data)), pick(c("squared", "cross_entropy")),
      pick(c("lm", "lbfgs", "adam")), control),
    ffi_sample_gradient = list(graph, theta, data, "squared", 0.1, pick(list(NULL, rev(theta)))),
    ffi_extended = list(graph, theta, x),
    ffi_linearise = list(graph, theta, x[1L, , drop = FALSE]), ffi_gradients = list(graph, theta, x)
  )
}

ffi_curved_calls <- function(network) {
  x <- matrix(cos(seq_len(5 * prod(network$input$shape))), 5)
  graph <- capalloc:::lower_network(network)
  theta <- with_test_coef(network, 1)$coef
  calls <- c(
    ffi_sample_calls(graph, theta, x, prod(graph$ops[[graph$output]]$shape)), ffi_flow_calls(graph, theta, x)
  )
  products <- any(vapply(graph$ops, function(op) op$kind == "product", NA))
  maxima <- any(vapply(graph$ops, function(op) op$kind == "max", NA))
  refused <- c(if (products) "ffi_flow", if (products || maxima) "ffi_flow_joint")
  calls[setdiff(names(calls), refused)]
}

# Valid arguments of the routines of capacity through layers.
ffi_flow_calls <- function(graph, theta, x) {
  kinds <- vapply(graph$ops, function(op) op$kind, "")
  taps <- vapply(graph$ops, function(op) switch(op$kind, phi = 1, product = 2, max = prod(op$window[1:2]), 0), 0)
  each <- taps * vapply(graph$ops, function(op) prod(op$shape), 0)
  m <- prod(graph$ops[[graph$output]]$shape)
  slice <- c(0, length(theta))
  start <- pick(list(list(outputs = rep(1, m), slice = NULL), list(outputs = NULL, slice = slice)))
  levels <- c(0L, graph$output)
  square <- list(square = rep(0.5, sum(each)))
  of_slice <- pick(list(
    list(list(what = "vectors", constant = TRUE, outputs = seq_len(m), slice = slice), square),
    list(list(what = "family", constant = FALSE, outputs = seq_len(m), slice = slice), list(data = x))
  ))
  of_outputs <- pick(list(
    list(list(what = "vectors", constant = FALSE, outputs = 1L, slice = NULL), square),
    list(list(what = "outputs", constant = FALSE, outputs = seq_len(m), slice = NULL), list(data = x)),
    list(list(what = "outputs", constant = FALSE, outputs = 1L, slice = NULL), ffi_gate_moments(graph, x))
  ))
  flow <- if (length(theta) > 6) of_outputs else pick(list(of_slice, of_outputs))
  visit <- function(tier) {
    n <- length(tier$mean)
    list(slope = numeric(n), value = tier$mean, moment = tier$cov)
  }
  n <- prod(graph$input)
  loops <- which(kinds == "phi" & vapply(graph$ops, function(op) op$loop > 0L, NA))
  list(
    ffi_flow = list(graph, theta, rep(0.5, sum(each)), start, levels),
    ffi_phi = list("tanh", 1, c(-1, 0, 2)),
    ffi_gate_squares = list(graph, theta, x),
    ffi_gate_values = list(graph, theta, x, which(each > 0)),
    ffi_flow_plan = list(graph, pick(list(NULL, slice)), loops),
    ffi_flow_joint = list(graph, theta, numeric(n), diag(n), loops, visit),
    ffi_flow_moments = list(graph, theta, flow[[1L]], flow[[2L]], levels)
  )
}

# Moments of gates: a set for each tier of activations where pre-activations are Gaussian, else data.
ffi_gate_moments <- function(graph, x) {
  kinds <- vapply(graph$ops, function(op) op$kind, "")
  if (any(kinds %in% c("max", "product"))) return(list(data = x))
  flow <- list(graph = graph, network = list(coef = numeric(graph$n_params)), limit = Inf, call = NULL)
  list(sets = lapply(capalloc:::joint_tiers(flow), function(tier) {
    list(gate = tier$gate, mean = tier$moments$mean, second = tier$moments$second)
  }))
}

call_core <- function(routine, arguments) {
  symbol <- utils::getFromNamespace(routine, "capalloc")
  do.call(".Call", c(list(symbol), unname(arguments)), quote = TRUE)
}

# Sizes far beyond the network's, up to those beyond any index. None lies between
# 2e4 and 2^28: such sizes are those of a large network, which would be computed.
ffi_numbers <- c(0, 1, -1, 2, 3, 7, 0.5, 2e4, 2^28, 2^31 - 1, 2^31, -2^31, 2^53, 1e300, NA, NaN,
  Inf, -Inf)

ffi_junk <- function() {
  pick(list(
    NULL, NA, NA_integer_, NA_real_, NaN, Inf, TRUE, 0L, 1L, -1L, 1e300, -1.5, 1i, "1", "",
    "linear", NA_character_, as.raw(1), numeric(), integer(), character(), list(), list(1),
    list(NULL),
    list(ops = NULL), list(input = 1:3, ops = list(), output = 0L, n_params = 0), matrix(0, 0, 0),
    matrix(1, 1, 1), matrix(1L, 2, 2), array(1, c(2, 2, 2)), matrix(numeric(), 0, 4), 1:3, rnorm(3),
    rep(NA_real_, 3), c(a = 1), factor("a"), globalenv(), new.env(), function(x) x, sum, quote(a),
    quote(a + b), y ~ x, expression(1), data.frame(a = 1), as.Date("2020-01-01"), pairlist(a = 1),
    structure(list(), names = character()), structure(1, class = "ca_network"), 1:1000,
    numeric(1000), rep(list(list()), 50), structure(list(input = 1), class = "ca_network")
  ))
}

# Returns a value with one entry, or its length, type or names, changed.
tamper <- function(x) {
  if (length(x) == 0L || !is.atomic(x)) return(ffi_junk())
  i <- sample.int(length(x), 1L)
  number <- pick(ffi_numbers)
  ways <- c("junk", "set", "set", "near", "near", "shorter", "longer", "integer", "double", "text")
  switch(pick(ways),
    junk = ffi_junk(),
    set = if (is.numeric(x)) replace(as.double(x), i, number) else ffi_junk(),
    near = tamper_slightly(x, i),
    shorter = x[-i],
    longer = c(x, x[[i]]),
    integer = suppressWarnings(as.integer(x)),
    double = suppressWarnings(as.double(x)),
    text = as.character(x)
  )
}

tamper_slightly <- function(x, i) {
  if (is.logical(x)) return(!x)
  if (is.numeric(x)) replace(x, i, x[[i]] + pick(c(-1L, 1L, 2L))) else pick(ffi_kinds)
}

ffi_kinds <- c("linear", "fixed", "bias", "add", "concat", "flatten", "phi", "product", "max", "input", "scan")

tamper_op <- function(ops) {
  i <- sample.int(length(ops), 1L)
  j <- sample.int(length(ops), 1L)
  field <- pick(names(ops[[i]]))
  op <- ops[[i]]
  ways <- c(rep("field", 4), "kind", "from", "loop", "drop", "swap", "repeat", "missing", "other",
    "borrow")
  switch(pick(ways),
    field = op[field] <- list(tamper(op[[field]])),
    kind = op$kind <- pick(ffi_kinds),
    from = op$from <- sample(-1:(length(ops) + 1L), pick(c(0:3, 40L)), replace = TRUE),
    loop = op$loop <- pick(0:3),
    drop = return(ops[-i]),
    swap = return(replace(ops, c(i, j), ops[c(j, i)])),
    `repeat` = return(append(ops, ops[i], j)),
    missing = op[[field]] <- NULL,
    other = op <- ffi_junk(),
    borrow = op[field] <- ops[[j]][field]
  )
  ops[i] <- list(op)
  ops
}

is_op <- function(x) is.list(x) && !is.data.frame(x) && length(x) > 0L && !is.null(names(x))

tamper_graph <- function(graph) {
  field <- pick(c("input", "ops", "ops", "ops", "ops", "ops", "output", "n_params"))
  if (is.list(graph$ops) && length(graph$ops) > 0L && field == "ops" && runif(1) < 0.97) {
    if (!all(vapply(graph$ops, is_op, NA))) return(graph)
    graph$ops <- tamper_op(graph$ops)
  } else if (runif(1) < 0.9) {
    graph[field] <- list(tamper(graph[[field]]))
  } else {
    graph[[field]] <- NULL
  }
  if (is.list(graph) && runif(1) < 0.02) names(graph) <- NULL
  graph
}

# Returns a list of settings with one of them changed or missing.
tamper_list <- function(x) {
  i <- sample.int(length(x), 1L)
  if (runif(1) < 0.1) return(x[-i])
  x <- replace(x, i, list(if (is.matrix(x[[i]])) tamper_matrix(x[[i]]) else tamper(x[[i]])))
  # A valid number of iterations stays small, because all of them would be run.
  most <- x$max_iterations
  long <- is.numeric(most) && length(most) == 1L && isTRUE(most > 50 & most <= 1e6)
  if (long) x$max_iterations <- 50
  x
}

tamper_matrix <- function(x) {
  pick(list(
    t(x), x[-1L, , drop = FALSE], x[, -1L, drop = FALSE], x[0L, , drop = FALSE],
    x[, 0L, drop = FALSE], cbind(x, 1), rbind(x, 1), 0 * x, -x, 1e200 * x, 1e-320 * x, round(x),
    replace(x, 1L, NA), replace(x, length(x), Inf), `storage.mode<-`(round(x), "integer"), c(x),
    as.data.frame(x), array(x, c(dim(x), 1L))
  ))
}

tamper_arguments <- function(arguments) {
  i <- sample.int(length(arguments), 1L, prob = c(3, rep(1, length(arguments) - 1L)))
  old <- arguments[[i]]
  if (runif(1) < 0.1) {
    arguments[i] <- list(ffi_junk())
  } else if (i == 1L && is.list(old)) {
    for (times in seq_len(pick(c(1, 1, 2, 3)))) if (is.list(old)) old <- tamper_graph(old)
    arguments[1L] <- list(old)
  } else if (is.matrix(old)) {
    arguments[i] <- list(tamper_matrix(old))
  } else if (is.list(old)) {
    arguments[i] <- list(tamper_list(old))
  } else {
    arguments[i] <- list(tamper(old))
  }
  arguments
}

is_answer <- function(x, routine) {
  switch(routine,
    ffi_reach = is.integer(x) && is.matrix(x) && nrow(x) == 4L,
    ffi_gradient = identical(names(x), c("loss", "gradient")) && is.double(x$gradient),
    ffi_fit = ,
    ffi_fit_samples = is.list(x) && is.double(x$coef) && ncol(x$history) == 4L && is.character(x$outcome),
    ffi_sample_gradient = identical(names(x), c("loss", "gradient", "number", "bend")) && is.double(x$gradient),
    ffi_capacity = ,
    ffi_kernel = ,
    ffi_two_way = is.list(x) && is.matrix(x$answer) && x$rank <= length(x$values) && is.double(x$norm),
    ffi_activations = is.character(x),
    ffi_operations = is.character(x$name) && all(vapply(x[-1L], is.logical, NA)),
    ffi_threads = is.integer(x) && length(x) == 1L,
    ffi_flow = identical(names(x), c("units", "constant", "lost")) && is.double(x$lost),
    ffi_phi = identical(names(x), c("value", "slope")) && is.double(x$slope),
    ffi_flow_plan = identical(names(x$size), c("whole", "above", "below", "joint")) && is.integer(x$first),
    ffi_flow_joint = is.null(x),
    ffi_flow_moments = is.list(x) && all(vapply(x, is.double, NA)),
    ffi_gate_squares = is.double(x) && is.null(dim(x)),
    is.double(x) && is.matrix(x)
  )
}

# Returns how one call ended: a value, one of the package's errors, or another outcome.
ffi_outcome <- function(routine, arguments) {
  tryCatch(
    if (is_answer(call_core(routine, arguments), routine)) "value" else "not an answer",
    capalloc_error = function(e) "error",
    error = function(e) paste("foreign error:", conditionMessage(e)),
    warning = function(w) paste("warning:", conditionMessage(w))
  )
}

# Raises errors without the layout of messages, which dominates the cost of an error.
with_plain_errors <- function(code) {
  real <- capalloc:::stop_core
  plain <- function(code, what) stop(structure(class = c("capalloc_error", "error", "condition"),
    list(message = what, call = NULL)))
  utils::assignInNamespace("stop_core", plain, "capalloc")
  on.exit(utils::assignInNamespace("stop_core", real, "capalloc"))
  code
}

# Returns the outcomes of `calls` tampered calls. They depend on the seed only, so a
# crash can be reproduced: set `trace` to a file, which then contains the last call.
ffi_storm <- function(seed, calls, trace = NULL) {
  withr::with_seed(seed, {
    bases <- unlist(lapply(seq_len(20), function(i) {
      c(lapply(unname(ffi_networks()), ffi_calls), lapply(unname(ffi_curved_networks()), ffi_curved_calls))
    }), recursive = FALSE)
    outcomes <- lapply(seq_len(calls), function(i) {
      base <- pick(bases)
      routine <- pick(names(base))
      arguments <- tamper_arguments(base[[routine]])
      if (!is.null(trace)) saveRDS(list(i = i, routine = routine, arguments = arguments), trace)
      data.frame(routine = routine, outcome = ffi_outcome(routine, arguments))
    })
    do.call(rbind, outcomes)
  }, .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion", .rng_sample_kind = "Rejection")
}

expect_no_surprise <- function(found, seed, calls) {
  expect_equal(nrow(found), calls)
  foreign <- found[!found$outcome %in% c("value", "error"), ]
  expect_equal(
    paste(foreign$routine, foreign$outcome), character(),
    label = paste("unexpected outcomes of seed", seed)
  )
}
