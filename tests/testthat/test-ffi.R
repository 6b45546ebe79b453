# Every routine of the C core called with wrong types, wrong lengths and tampered
# networks: an R error of the package's own, or a value where the call is still
# valid, but never a crash.

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

# Those that are not linear.
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

# A valid list of arguments for every registered routine.
ffi_calls <- function(network) {
  graph <- capalloc:::lower(network)
  p <- graph$n_params
  n <- prod(graph$input) + capalloc:::has_bias(network)
  m <- prod(graph$ops[[graph$output]]$shape)
  theta <- with_test_coef(network, 1)$coef
  rows <- matrix(sin(seq_len(3 * n * n)), 3 * n)
  sigma <- crossprod(rows) / (3 * n)
  cross <- matrix(cos(seq_len(n * m)), n) / n
  control <- list(max_iterations = 5, tol = 1e-10, learning_rate = 0.01, memory = 3)
  about <- list(layer = rep(1L, p), x = NULL, rows = pick(list(NULL, sigma)), tol = 1e-12, ridge = 0.1, block = 2)
  what <- list(turned = pick(list(NULL, sigma)), group = NULL)
  x <- rows[, seq_len(prod(graph$input)), drop = FALSE]
  groups <- rep(1:2, length.out = p)
  c(
    list(
      ffi_weights = list(graph, theta),
      ffi_tangent = list(graph, theta),
      ffi_gradient = list(graph, theta, sigma, cross, 2),
      ffi_fit = list(graph, theta, sigma, cross, 2, pick(c("lm", "lbfgs", "adam")), control),
      ffi_kernel = list(graph, theta, about, as.integer(seq(1, n, by = 2))),
      ffi_capacity = list(graph, theta, about, what),
      ffi_two_way = list(graph, theta, about, groups)
    ),
    ffi_sample_calls(graph, theta, x)[c("ffi_predict", "ffi_reach", "ffi_extended", "ffi_linearise")]
  )
}

# Those of a network that need not be linear.
ffi_sample_calls <- function(graph, theta, x) {
  n <- ncol(x) + 1
  sigma <- matrix(sin(seq_len(n * n)), n)
  about <- list(layer = rep(1L, length(theta)), x = x, rows = pick(list(NULL, sigma)), tol = 1e-12, ridge = 0.1,
    block = 2)
  what <- list(turned = pick(list(NULL, sigma)), group = pick(list(NULL, rep(1:3, length.out = nrow(x)))))
  list(
    ffi_predict = list(graph, theta, x),
    ffi_reach = list(graph),
    ffi_capacity = list(graph, theta, about, what),
    ffi_two_way = list(graph, theta, about, rep(1:2, length.out = length(theta))),
    ffi_extended = list(graph, theta, x),
    ffi_linearise = list(graph, theta, x[1L, , drop = FALSE])
  )
}

ffi_curved_calls <- function(network) {
  x <- matrix(cos(seq_len(5 * prod(network$input$shape))), 5)
  ffi_sample_calls(capalloc:::lower(network), with_test_coef(network, 1)$coef, x)
}

call_core <- function(routine, arguments) {
  symbol <- utils::getFromNamespace(routine, "capalloc")
  do.call(".Call", c(list(symbol), unname(arguments)), quote = TRUE)
}

# Sizes far beyond the network's, up to those that no index holds. None between
# 2e4 and 2^28: those are sizes of a large network, which would be computed.
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

# One entry of a value changed, or its length, type or names.
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

# A list of settings with one of them changed, or missing.
tamper_list <- function(x) {
  i <- sample.int(length(x), 1L)
  if (runif(1) < 0.1) return(x[-i])
  replace(x, i, list(if (is.matrix(x[[i]])) tamper_matrix(x[[i]]) else tamper(x[[i]])))
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
    ffi_fit = is.list(x) && is.double(x$coef) && ncol(x$history) == 3L && x$outcome %in% 0:4,
    ffi_capacity = ,
    ffi_kernel = ,
    ffi_two_way = is.list(x) && is.matrix(x$answer) && x$rank <= length(x$values) && is.double(x$parameters),
    ffi_activations = is.character(x),
    is.double(x) && is.matrix(x)
  )
}

# How one call ended: a value, an error of the package's own, or what else came of it.
ffi_outcome <- function(routine, arguments) {
  tryCatch(
    if (is_answer(call_core(routine, arguments), routine)) "value" else "not an answer",
    capalloc_error = function(e) "error",
    error = function(e) paste("foreign error:", conditionMessage(e)),
    warning = function(w) paste("warning:", conditionMessage(w))
  )
}

# Without the layout of messages, which takes most of the time of an error.
with_plain_errors <- function(code) {
  real <- capalloc:::stop_core
  plain <- function(code, what) stop(structure(class = c("capalloc_error", "error", "condition"),
    list(message = what, call = NULL)))
  utils::assignInNamespace("stop_core", plain, "capalloc")
  on.exit(utils::assignInNamespace("stop_core", real, "capalloc"))
  code
}

# The outcomes of `calls` tampered calls. They depend on the seed alone, so that a crash
# can be found again: set `trace` to a file, which then holds the last call.
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

test_that("the calls that are tampered with are those of all registered routines", {
  registered <- getDLLRegisteredRoutines("capalloc")
  base <- c(ffi_calls(ffi_networks()$dense), list(ffi_activations = list()))
  expect_setequal(names(base), names(registered$.Call))
  expect_equal(lengths(unclass(registered)[c(".C", ".Fortran", ".External")], FALSE), integer(3))
  for (routine in names(base)) {
    expect_length(base[[routine]], registered$.Call[[routine]]$numParameters)
  }
})

test_that("calls that are not tampered with give an answer", {
  for (network in ffi_networks()) {
    base <- ffi_calls(network)
    for (routine in names(base)) {
      expect_equal(ffi_outcome(routine, base[[routine]]), "value", label = routine)
    }
  }
})

test_that("calls for networks that are not linear give an answer", {
  for (network in ffi_curved_networks()) {
    base <- ffi_curved_calls(network)
    for (routine in names(base)) {
      expect_equal(ffi_outcome(routine, base[[routine]]), "value", label = routine)
    }
  }
  expect_equal(call_core("ffi_activations", list()), activations()$activation)
})

test_that("what is only for linear networks refuses others, and those without samples", {
  network <- ffi_curved_networks()$deep
  graph <- capalloc:::lower(network)
  theta <- with_test_coef(network, 1)$coef
  p <- length(theta)
  refused <- function(routine, ...) {
    expect_error(call_core(routine, list(graph, theta, ...)), class = "capalloc_error_internal")
  }
  control <- list(max_iterations = 5, tol = 1e-10, learning_rate = 0.01, memory = 3)
  refused("ffi_weights")
  refused("ffi_tangent")
  refused("ffi_gradient", diag(4), matrix(1, 4, 2), 2)
  refused("ffi_fit", diag(4), matrix(1, 4, 2), 2, "lm", control)
  about <- function(x) list(layer = rep(1L, p), x = x, rows = NULL, tol = 1e-12, ridge = 0, block = 2)
  refused("ffi_capacity", about(NULL), list(turned = NULL, group = NULL))
  refused("ffi_two_way", about(NULL), rep(1L, p))
  refused("ffi_kernel", about(NULL), 1L)
  refused("ffi_kernel", about(matrix(0.5, 2, 3)), 1L)
  for (x in list(matrix(0, 0, 3), matrix(0, 2, 4), matrix(1L, 2, 3), c(1, 2, 3), matrix(NA_real_, 2, 3), "x")) {
    refused("ffi_extended", x)
    refused("ffi_linearise", x)
    refused("ffi_capacity", about(x), list(turned = NULL, group = NULL))
  }
  for (group in list(1:3, c(0L, 1L), c(1L, 5L), c(1L, NA), c(1, 2), "1")) {
    refused("ffi_capacity", about(matrix(0.5, 2, 3)), list(turned = NULL, group = group))
  }
  refused("ffi_capacity", about(matrix(0.5, 2, 3)), list(turned = diag(3), group = NULL))
})

test_that("activations, products and maxima are checked", {
  edit <- function(network, kind, ..., which = 1L) {
    graph <- capalloc:::lower(ffi_curved_networks()[[network]])
    at <- which(vapply(graph$ops, function(op) op$kind == kind, NA))[[which]]
    graph$ops[[at]] <- utils::modifyList(graph$ops[[at]], list(...), keep.null = TRUE)
    call_core("ffi_reach", list(graph))
  }
  fault <- function(..., text) expect_error(edit(...), text, class = "capalloc_error_internal")
  for (phi in list("swish", "", "Tanh", NA_character_, NULL, 1L, c("tanh", "relu"), character())) {
    fault("deep", "phi", phi = phi, text = "an activation")
  }
  for (scale in list(NULL, NA_real_, Inf, c(1, 1), "1", 1L)) {
    fault("deep", "phi", scale = scale, text = "a scale")
  }
  fault("deep", "phi", from = integer(), text = "wrong number of inputs")
  fault("deep", "phi", from = 1:2, text = "wrong number of inputs")
  fault("deep", "phi", shape = c(3L, 1L, 1L), text = "inputs with other channels")
  fault("deep", "phi", from = 0L, text = "inputs with other channels")
  fault("lstm", "product", from = 1L, text = "wrong number of inputs")
  fault("lstm", "product", from = c(1L, 1L, 1L), text = "wrong number of inputs")
  fault("gru", "product", from = c(0L, 0L), shape = c(2L, 1L, 4L), text = "inputs with other channels")
  fault("gru", "product", shape = c(1L, 1L, 3L), text = "a loop over different positions")
  fault("max", "max", shape = c(1L, 1L, 4L), text = "inputs with other channels")
  for (i in 1:2) fault("max", "max", window = replace(capalloc:::new_window(2L), i, 0L), text = "a window")
  fault("max", "max", from = 1:2, text = "wrong number of inputs")
})

test_that("activations and products of a loop cannot read its future", {
  for (network in c("lstm", "gru")) {
    graph <- capalloc:::lower(ffi_curved_networks()[[network]])
    for (kind in c("phi", "product")) {
      members <- which(vapply(graph$ops, function(op) op$loop == 1L && op$kind == kind, NA))
      for (at in members) for (later in c(at, at + 1L)) {
        broken <- graph
        broken$ops[[at]]$from[[1L]] <- later
        if (later > length(graph$ops)) next
        expect_error(call_core("ffi_reach", list(broken)), "an input that comes later",
          class = "capalloc_error_internal")
      }
    }
    # The past memory, and the past state, one position back.
    for (at in which(vapply(graph$ops, function(op) op$loop == 1L && op$kind %in% c("fixed", "linear"), NA))) {
      if (graph$ops[[at]]$from < at) next
      for (pad in 0:-1) {
        broken <- graph
        broken$ops[[at]]$window[[8L]] <- pad
        expect_error(call_core("ffi_reach", list(broken)), "reads its own future", class = "capalloc_error_internal")
      }
    }
  }
})

test_that("a maximum over an empty window is zero and does not change", {
  graph <- capalloc:::lower(input_sequence(3) |> layer_pool(2, type = "max") |> layer_conv(1, 1))
  graph$ops[[1L]]$window[[8L]] <- 9L # all before the sequence
  theta <- 2
  x <- matrix(c(1, 2, 3), 1)
  expect_equal(call_core("ffi_predict", list(graph, theta, x)), matrix(0))
  expect_equal(call_core("ffi_extended", list(graph, theta, x)), matrix(0, 4, 1))
  expect_equal(call_core("ffi_linearise", list(graph, theta, x)), matrix(0, 1, 4))
})

test_that("no tampered call crashes, and what fails fails with the package's own error", {
  network <- ffi_networks()$nested
  before <- call_core("ffi_tangent", ffi_calls(network)$ffi_tangent)
  for (seed in 1:3) {
    found <- with_plain_errors(ffi_storm(seed, 1500))
    expect_no_surprise(found, seed, 1500)
    # Every routine has met both: calls that it refused and calls that it answered.
    expect_true(all(table(found$routine, found$outcome) > 5))
  }
  expect_identical(call_core("ffi_tangent", ffi_calls(network)$ffi_tangent), before)
})

test_that("errors of the core are classed conditions with the text of the fault", {
  found <- ffi_storm(4, 100)
  expect_no_surprise(found, 4, 100)
  graph <- capalloc:::lower(ffi_networks()$dense)
  with <- function(...) utils::modifyList(graph, list(...))
  fault <- function(graph) call_core("ffi_reach", list(graph))
  op <- function(i, ...) {
    graph$ops[[i]] <- utils::modifyList(graph$ops[[i]], list(...))
    graph
  }
  expect_error(fault(op(3, from = 3L)), "operation 3 has an input that comes later",
    class = "capalloc_error_internal")
  expect_error(fault(op(3, from = 9L)), "an input that does not exist",
    class = "capalloc_error_internal")
  expect_error(fault(op(1, theta = 100)), "a slice of theta out of range",
    class = "capalloc_error_internal")
  expect_error(fault(op(1, kind = "scan")), "the kind of an operation",
    class = "capalloc_error_internal")
  expect_error(fault(op(1, groups = 2L)), "groups that do not divide the channels",
    class = "capalloc_error_internal")
  for (i in c(1:6, 9:10)) {
    window <- replace(graph$ops[[1L]]$window, i, 0L)
    expect_error(fault(op(1, window = window)), "a window that is not positive",
      class = "capalloc_error_internal")
  }
  for (window in list(integer(), rep(1L, 8), rep(1L, 11), rep(NA_integer_, 10), rep("1", 10))) {
    expect_error(fault(op(1, window = window)), "a window", class = "capalloc_error_internal")
  }
  for (shared in list(NA, 1L, c(TRUE, TRUE), "TRUE", logical())) {
    expect_error(fault(op(1, shared = shared)), "whether theta is shared",
      class = "capalloc_error_internal")
  }
  expect_error(fault(with(output = 4L)), "an output that does not exist",
    class = "capalloc_error_internal")
  expect_error(fault(with(input = c(2^30, 1, 4))), "too many positions",
    class = "capalloc_error_size")
  expect_error(fault(with(input = c(3L, 0L, 1L))), "a shape that is not positive",
    class = "capalloc_error_internal")
  expect_error(call_core("ffi_weights", list(graph, numeric(3))), "the coefficients",
    class = "capalloc_error_internal")
})

test_that("a loop cannot read its own future", {
  graph <- capalloc:::lower(ffi_networks()$elman)
  memory <- which(vapply(graph$ops, function(op) op$loop == 1L && op$kind == "linear", NA))
  loop <- function(...) {
    graph$ops[[memory]] <- utils::modifyList(graph$ops[[memory]], list(...))
    call_core("ffi_reach", list(graph))
  }
  window <- graph$ops[[memory]]$window
  expect_equal(window[[8L]], 1L)
  for (pad in 0:-1) {
    expect_error(loop(window = replace(window, 8L, pad)), "a loop that reads its own future",
      class = "capalloc_error_internal")
  }
  expect_error(loop(loop = 0L), "an input that comes later", class = "capalloc_error_internal")
  graph$ops[[1L]]$loop <- -1L
  expect_error(call_core("ffi_reach", list(graph)), "a negative loop",
    class = "capalloc_error_internal")
  graph$ops[[1L]]$loop <- 0L
  # Two steps back is still the past.
  expect_equal(loop(window = replace(window, 8L, 2L))[, 1L], c(1L, 1L, 1L, 5L))
})

test_that("what does not share theta needs a stretch of it for every position", {
  graph <- capalloc:::lower(input_sequence(5) |> layer_conv(2, 2, bias = TRUE))
  fault <- function(i, n_params) {
    graph$ops[[i]]$shared <- FALSE
    graph$n_params <- n_params
    call_core("ffi_reach", list(graph))
  }
  # Four positions: 4 parameters each in the kernel (from 0), 2 in the constants (from 4).
  expect_error(fault(1L, 15), "a slice of theta out of range", class = "capalloc_error_internal")
  expect_equal(dim(fault(1L, 16)), c(4, 4))
  expect_error(fault(2L, 11), "a slice of theta out of range", class = "capalloc_error_internal")
  expect_equal(dim(fault(2L, 12)), c(4, 4))
  huge <- capalloc:::lower(input_sequence(2^20) |> layer_conv(50, 50))
  huge$ops[[1L]]$shared <- FALSE
  huge$n_params <- 2^31 - 1
  expect_error(call_core("ffi_reach", list(huge)), "too many parameters", class = "capalloc_error_size")
})

test_that("the rows and columns that are reached are numbered from one, blind places NA", {
  reach <- function(network) call_core("ffi_reach", list(capalloc:::lower(network)))
  expect_equal(reach(input_grid(3, 4) |> layer_conv(1, c(2, 3))), rbind(
    c(1, 2, 1, 2), c(2, 3, 2, 3), c(1, 1, 2, 2), c(3, 3, 4, 4)
  ))
  expect_equal(reach(input_sequence(3) |> layer_conv(1, 2, padding = "causal")), rbind(1, 1, c(1, 1, 2), c(1, 2, 3)),
    ignore_attr = TRUE)
  blind <- input_grid(2, 1) |> layer_conv(1, c(2, 1), dilation = c(4, 1), padding = "same")
  expect_equal(reach(blind), matrix(NA_integer_, 4, 2))
})
