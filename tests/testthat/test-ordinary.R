# Typical data sets (helper-ordinary.R): fits, capacities and comparisons are compared with least squares by QR of
# standardised columns and with other closed forms.

# ---- the references themselves -----------------------------------------------------------------------

test_that("random data sets are reproducible, finite and of every kind", {
  cases <- lapply(seq_along(ordinary_kinds), ordinary_data)
  expect_setequal(vapply(cases, function(case) case$kind, ""), names(ordinary_kinds))
  expect_identical(ordinary_data(3L), cases[[3L]])
  numbers <- lapply(cases, function(case) as.matrix(cbind(case$x, case$y)))
  expect_true(all(vapply(numbers, function(x) is.numeric(x) && all(is.finite(x)), NA)))
  all <- lapply(seq_len(300), ordinary_data)
  expect_gt(max(vapply(all, function(case) offset_of(case$x), 0)), 1e7)
  near <- vapply(all, function(case) correlation_condition(case$x), 0)
  expect_gt(mean(near < 1e-8), 0.1)
  expect_gt(mean(near > 1e-3), 0.5)
  expect_gt(sum(vapply(all, function(case) nrow(case$x) <= ncol(case$x), NA)), 5)
  expect_gt(sum(vapply(all, function(case) ncol(case$y) == 2L, NA)), 30)
})

test_that("the reference loss agrees with a computation with 77 digits", {
  skip_without_precision()
  for (seed in 1:48) {
    case <- ordinary_data(seed)
    if (correlation_condition(case$x) < 1e-13) next # dependent columns have no basis
    x <- lapply(case$x[!vapply(case$x, is_constant, NA)], precise)
    basis <- precise_basis(c(list(precise(rep(1, nrow(case$x)))), x))
    loss <- Reduce(`+`, lapply(case$y, function(y) {
      left <- precise(y)
      for (unit in basis) left <- left - sum(unit * left) * unit
      sum(left^2) / length(y)
    }))
    # QR has a relative error of eps times the condition number of the standardised columns, at most 1e7 here.
    expect_equal(least_squares(case$x, case$y)$loss, Rmpfr::asNumeric(loss), tolerance = 1e-9, info = case_text(case))
  }
})

test_that("twins are the same data without rounding", {
  for (seed in 1:48) {
    case <- ordinary_data(seed)
    x <- on_grid(case$x)
    y <- on_grid(case$y)
    twin <- shifted_twin(x, y, seed)
    expect_identical(unname(Map(function(column, by, along) column / by - along, twin$x, twin$by, twin$along)),
      unname(as.list(x)), info = case_text(case))
    expect_identical(untwin(unname(as.matrix(twin$y)), twin), unname(as.matrix(y)), info = case_text(case))
  }
})

# ---- linear fits are least squares -------------------------------------------------------------------

# Returns a description of a wrong loss, or "". Directions that QR drops at 1e-7 and keeps at 1e-13 may be
# rounding error or data, so any loss between both is accepted. A loss below 1e-14 of the variance counts as 0.
loss_fault <- function(loss, x, y, uncentred = FALSE) {
  high <- least_squares(x, y, 1e-7)
  low <- least_squares(x, y, 1e-13)
  variance <- sum(colMeans(sweep(as.matrix(y), 2L, colMeans(y))^2))
  rounding <- 10 * .Machine$double.eps * max(offset_of(x), offset_of(y))
  # Columns that are scaled but not centred have rounding error
  # of eps times their size, which adds noise to the residuals.
  if (uncentred) rounding <- rounding * max(1, sqrt(variance / high$loss))
  tol <- 1e-8 + rounding
  zero <- 1e-14 * variance
  if (loss <= high$loss * (1 + tol) + zero && loss >= low$loss * (1 - tol) - zero) return("")
  sprintf("loss %.10g, least squares %.10g (relative excess %.2g)", loss, high$loss, loss / high$loss - 1)
}

# Returns a condition or warning that is not of one of the package's classes.
foreign <- function(got) {
  if (inherits(got$value, "error")) {
    return(paste0("error (", class(got$value)[[1L]], ") ", conditionMessage(got$value)))
  }
  other <- got$classes[!startsWith(got$classes, "capalloc_warning_")]
  if (length(other) > 0L) paste("warning of class", other[[1L]]) else ""
}

test_that("linear fits have the loss of least squares, in any units", {
  faults <- character()
  excused <- character()
  count <- ordinary_count()
  for (seed in seq_len(count)) {
    case <- ordinary_data(seed)
    got <- asked(fit(dense_network(case$x, case$y), task_data(case$x, case$y, test = 0), seed = seed))
    fault <- foreign(got)
    if (fault == "" && length(got$classes) > 0L) {
      if (correlation_condition(case$x) < 1e-8) {
        excused <- c(excused, case_text(case, got$classes[[1L]]))
        next
      }
      fault <- paste("not excused:", got$classes[[1L]])
    }
    if (fault == "" && !got$value$converged) fault <- "not converged, without a warning"
    if (fault == "") fault <- loss_fault(got$value$train_loss, case$x, case$y)
    if (fault != "") faults <- c(faults, case_text(case, fault))
  }
  expect_no_faults(faults)
  expect_lte(length(excused), 0.05 * count)
})

test_that("train_loss is the mean squared error of the predictions, in data units", {
  faults <- character()
  for (seed in seq_len(ordinary_count(100))) {
    case <- ordinary_data(seed)
    trained <- asked(fit(dense_network(case$x, case$y), task_data(case$x, case$y, test = 0), seed = seed))$value
    rows <- unname(as.matrix(case$y))
    off <- rows - unname(predict(trained, case$x))
    # The rounding error of a prediction is eps times its size.
    rounding <- 20 * .Machine$double.eps * sqrt(sum(apply(abs(rows), 2L, max)^2))
    gap <- abs(sqrt(mean(rowSums(off^2))) - sqrt(trained$train_loss))
    if (!(gap <= 1e-8 * sqrt(trained$train_loss) + rounding)) faults <- c(faults, case_text(case, "differ by ", gap))
    least <- least_squares(case$x, case$y)$residuals
    if (correlation_condition(case$x) > 1e-8 && nrow(rows) > ncol(case$x) + 1L) {
      gap <- max(abs(off - unname(least))) / sqrt(mean(rowSums(least^2)) + rounding^2 * 1e8)
      if (!(gap <= 1e-6)) faults <- c(faults, case_text(case, "residuals differ by ", gap, " of their size"))
    }
  }
  expect_no_faults(faults)
})

test_that("without standardisation the loss is that of least squares, or a classed condition is raised", {
  faults <- character()
  for (seed in seq_len(ordinary_count(100))) {
    case <- ordinary_data(seed)
    got <- asked({
      task <- task_data(case$x, case$y, test = 0, standardise = FALSE)
      fit(dense_network(case$x, case$y), task, seed = seed)
    })
    if (inherits(got$value, "capalloc_error") || any(startsWith(got$classes, "capalloc_warning_"))) next
    fault <- foreign(got)
    if (fault == "") fault <- loss_fault(got$value$train_loss, case$x, case$y)
    if (fault != "") faults <- c(faults, case_text(case, fault))
  }
  expect_no_faults(faults)
})

# ---- invariance to units -----------------------------------------------------------------------------

# Kinds whose columns are far enough from dependent that weights and capacities are determined to 1e-8.
steady_kinds <- setdiff(names(ordinary_kinds), c("cubic", "dummies", "few", "near", "twice", "constants"))

# Returns the quantities without units that are compared between a data set and its twin. `warned` is the class of a
# warning, or "".
unit_free <- function(network, x, y, seed, twin = NULL, capacities = TRUE, ...) {
  got <- asked({
    trained <- fit(network, task_data(x, y, test = 0), seed = seed, ...)
    yhat <- predict(trained, x)
    list(
      converged = trained$converged, loss = trained$train_loss / if (is.null(twin)) 1 else twin$by_y^2,
      yhat = unname(if (is.null(twin)) yhat else untwin(yhat, twin)),
      standardised = if (capacities) capacity(trained, metric = "standardised")$capacity,
      covariance = if (capacities) capacity(trained, metric = "covariance")$capacity
    )
  })
  if (inherits(got$value, "error")) stop(got$value)
  c(got$value, warned = c(grep("not_converged", got$classes, value = TRUE), "")[[1L]])
}

# Returns differences of predictions relative to the standard deviation, and of losses relative to themselves unless the
# fit is perfect (1e-14 of the variance).
unit_gaps <- function(a, b, y) {
  variance <- sum(colMeans(sweep(as.matrix(y), 2L, colMeans(y))^2))
  c(
    converged = as.numeric(a$converged != b$converged),
    loss = max(0, abs(a$loss - b$loss) - 1e-14 * variance) / max(a$loss, 1e-14 * variance),
    yhat = max(abs(a$yhat - b$yhat)) / sqrt(variance),
    standardised = max(0, abs(a$standardised - b$standardised)),
    covariance = max(0, abs(a$covariance - b$covariance))
  )
}

gap_text <- function(gaps) paste(names(gaps), signif(gaps, 2), collapse = ", ")

linear_networks <- function(n, m) {
  x <- input_vector(n)
  list(
    dense = x |> layer_dense(m, bias = TRUE),
    no_bias = x |> layer_dense(m),
    # With one output everything is determined; with two the first layer is a bottleneck.
    deep = x |> layer_dense(if (m == 1L) 2L else 1L, bias = TRUE) |> layer_dense(m, bias = TRUE),
    deep_no_bias = x |> layer_dense(if (m == 1L) 2L else 1L) |> layer_dense(m)
  )
}

# Returns the sum of absolute weights of standardised columns over the standard deviation of the response: the
# sensitivity of predictions to changes of the inputs.
weight_size <- function(x, y) {
  z <- standardised(x)
  left <- sweep(as.matrix(y), 2L, colMeans(y))
  W <- qr.coef(qr(z, tol = 1e-13), left)
  sum(abs(W), na.rm = TRUE) / sqrt(sum(colMeans(left^2)))
}

test_that("linear fits and capacities do not depend on units", {
  faults <- character()
  unfinished <- 0
  count <- ordinary_count(150)
  for (seed in seq_len(count)) {
    case <- ordinary_data(seed, steady_kinds)
    x <- on_grid(case$x)
    y <- on_grid(case$y)
    twin <- shifted_twin(x, y, seed)
    offset <- max(offset_of(x), offset_of(y), offset_of(twin$x), offset_of(twin$y))
    for (name in names(linear_networks(1L, 1L))) {
      network <- linear_networks(ncol(x), ncol(y))[[name]]
      a <- unit_free(network, x, y, seed)
      b <- unit_free(network, twin$x, twin$y, seed, twin)
      if (a$warned != "" && b$warned != "") { # both warn that they have not converged
        unfinished <- unfinished + 1
        next
      }
      gaps <- unit_gaps(a, b, y)
      # The centre of shifted data has a rounding error of eps times
      # its size, which shifts the inputs of a network without bias.
      rounding <- 10 * .Machine$double.eps * offset * c(1, 1, max(1, weight_size(x, y)), 1, 1)
      high <- gaps > 1e-8 + rounding
      if (any(high)) faults <- c(faults, case_text(case, name, ": ", gap_text(gaps[high])))
    }
  }
  expect_no_faults(faults)
  expect_lte(unfinished, 0.05 * 4 * count)
})

test_that("fits of nearly dependent columns, constants and few rows do not depend on units", {
  faults <- character()
  excused <- 0
  count <- ordinary_count(60)
  for (seed in seq_len(count)) {
    case <- ordinary_data(seed, setdiff(names(ordinary_kinds), steady_kinds))
    x <- on_grid(case$x)
    y <- on_grid(case$y)
    twin <- shifted_twin(x, y, seed, digits = 4)
    network <- dense_network(x, y)
    a <- unit_free(network, x, y, seed, capacities = FALSE)
    b <- unit_free(network, twin$x, twin$y, seed, twin, capacities = FALSE)
    near <- correlation_condition(x)
    if (near < 1e-8 && (a$warned != "" || b$warned != "")) {
      excused <- excused + 1
      next
    }
    gaps <- unit_gaps(a, b, y)
    # Fitted values of least squares by QR have errors of eps times the condition number of the columns.
    steep <- if (near > 1e-20) 1 / sqrt(near) else 1
    high <- gaps > 1e-8 + 10 * .Machine$double.eps * (max(offset_of(twin$x), offset_of(twin$y)) + steep)
    if (any(high)) faults <- c(faults, case_text(case, gap_text(gaps[high])))
  }
  expect_no_faults(faults)
  expect_lte(excused, 0.05 * count)
})

# Returns a nonlinear response, for which tanh units are determined.
bent_response <- function(x, seed) {
  z <- standardised(x)
  with_ordinary_seed(seed, {
    bent <- tanh(2 * z[, 1L] + 1) - tanh(z %*% stats::rnorm(ncol(z)) - 1)
    data.frame(u = 1e3 + 20 * (drop(bent) + 0.1 * stats::rnorm(nrow(z))))
  })
}

test_that("fits and capacities of tanh networks do not depend on units", {
  faults <- character()
  finished <- 0
  count <- ordinary_count(24)
  for (seed in seq_len(count)) {
    case <- ordinary_data(seed, c("plain", "units", "weather", "swiss", "unix", "mtcars"))
    x <- on_grid(case$x)[seq_len(min(3L, ncol(case$x)))]
    y <- on_grid(bent_response(x, seed))
    twin <- shifted_twin(x, y, seed, digits = 4)
    network <- input_vector(ncol(x)) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |>
      layer_dense(1, bias = TRUE)
    own <- unit_free(network, x, y, seed)
    other <- unit_free(network, twin$x, twin$y, seed, twin)
    if (own$warned != "" && other$warned != "") next
    finished <- finished + 1
    gaps <- unit_gaps(own, other, y)
    # The change of the same fit when its standardised data change by their rounding
    # error: training amplifies it, and may stop one step earlier or later.
    offset <- max(1, offset_of(x), offset_of(y), offset_of(twin$x), offset_of(twin$y))
    moved <- vapply(1:8, function(i) {
      near <- x
      near[] <- with_ordinary_seed(i, lapply(x, function(column) {
        column - mean(column) + .Machine$double.eps * offset * stats::sd(column) * stats::rnorm(nrow(x))
      }))
      unit_gaps(own, unit_free(network, near, y, seed), y)
    }, gaps)
    high <- gaps > 1e-8 + 10 * apply(moved, 1L, max)
    if (any(high)) faults <- c(faults, case_text(case, gap_text(gaps[high])))
  }
  expect_no_faults(faults)
  expect_gte(finished, 0.7 * count)
})

test_that("comparisons do not depend on units", {
  n <- 3L
  networks <- list(
    dense = input_vector(n) |> layer_dense(1, bias = TRUE),
    no_bias = input_vector(n) |> layer_dense(1),
    deep = input_vector(n) |> layer_dense(2, bias = TRUE) |> layer_dense(1),
    tanh = input_vector(n) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  )
  cases <- Filter(function(case) ncol(case$x) >= n && nrow(case$x) >= 30L, lapply(seq_len(200), ordinary_data,
    kinds = c("plain", "units", "weather", "swiss", "trend", "mtcars")))[seq_len(ordinary_count(6))]
  names(cases) <- paste0("task", seq_along(cases))
  x <- lapply(cases, function(case) on_grid(case$x[seq_len(n)]))
  y <- lapply(cases, function(case) on_grid(case$y[1L]))
  twins <- Map(function(x, y, seed) shifted_twin(x, y, seed, digits = 3), x, y, seq_along(cases))
  compare <- function(x, y) {
    tasks <- Map(function(x, y) task_data(x, y, test = 0.25, seed = 5), x, y)
    asked(compare_architectures(networks, tasks, replicates = 2, seed = 1))$value$runs
  }
  a <- compare(x, y)
  b <- compare(lapply(twins, `[[`, "x"), lapply(twins, `[[`, "y"))
  expect_identical(a[c("network", "task", "replicate", "seed", "total_capacity")],
    b[c("network", "task", "replicate", "seed", "total_capacity")])
  linear <- a$network != "tanh"
  expect_identical(a$converged[linear], b$converged[linear])
  expect_equal(a$relative_loss[linear], b$relative_loss[linear], tolerance = 1e-8)
  # Offsets of 1e3 standard deviations give inputs rounding errors of 2e-13. Training a
  # network of two tanh units amplifies them, without bound where it does not converge.
  ended <- !linear & a$converged & b$converged
  expect_gte(sum(ended), 0.6 * sum(!linear))
  expect_equal(a$relative_loss[ended], b$relative_loss[ended], tolerance = 1e-6)
})

# ---- several outputs and weight decay ----------------------------------------------------------------

two_scales <- function(seed, N = 120L) {
  with_ordinary_seed(seed, {
    x <- 1e3 + matrix(stats::rnorm(3L * N), N) * rep(c(1, 1e-3, 50), each = N)
    z <- standardised(x)
    y <- cbind(
      small = 5 + z %*% c(1, -1, 0.5) + stats::rnorm(N),
      large = -300 + 100 * (z %*% c(0.2, 0, 1) + stats::rnorm(N))
    )
  })
  list(x = x, y = y)
}

# Returns the best prediction by `rank` linear combinations: least squares, then the leading singular vectors of the
# fitted values, in units where each output is divided by `scale`.
reduced_rank <- function(x, y, rank, scale = rep(1, ncol(y))) {
  centre <- colMeans(y)
  fitted <- least_squares(x, y)$fitted
  z <- (fitted - rep(centre, each = nrow(y))) / rep(scale, each = nrow(y))
  d <- svd(z, nu = rank, nv = rank)
  z <- d$u %*% (d$d[seq_len(rank)] * t(d$v))
  z * rep(scale, each = nrow(y)) + rep(centre, each = nrow(y))
}

test_that("two outputs of scales 1 and 100 reach raw least squares, also with a bottleneck", {
  for (seed in 1:3) {
    data <- two_scales(seed)
    task <- task_data(data$x, data$y, test = 0)
    least <- least_squares(data$x, data$y)
    full <- fit(input_vector(3) |> layer_dense(2, bias = TRUE), task, seed = seed)
    expect_true(full$converged)
    expect_equal(full$train_loss, least$loss, tolerance = 1e-10)
    # Each output, not only their sum, which the larger one dominates.
    expect_equal(colMeans((data$y - predict(full, data$x))^2), colMeans(least$residuals^2),
      tolerance = 1e-8, ignore_attr = TRUE)
    narrow <- fit(input_vector(3) |> layer_dense(1, bias = TRUE) |> layer_dense(2, bias = TRUE), task,
      seed = seed, restarts = 3)
    best <- reduced_rank(data$x, data$y, 1L)
    expect_true(narrow$converged)
    expect_equal(narrow$train_loss, mean(rowSums((data$y - best)^2)), tolerance = 1e-8)
    expect_equal(predict(narrow, data$x), best, tolerance = 1e-6, ignore_attr = TRUE)
  }
})

test_that("standardise = \"each\" minimises the loss of standardised outputs", {
  data <- two_scales(4)
  task <- task_data(data$x, data$y, test = 0, standardise = "each")
  scale <- sqrt(colMeans(sweep(data$y, 2L, colMeans(data$y))^2))
  full <- fit(input_vector(3) |> layer_dense(2, bias = TRUE), task, seed = 1)
  least <- least_squares(data$x, data$y)
  expect_equal(predict(full, data$x), least$fitted, tolerance = 1e-8, ignore_attr = TRUE)
  expect_equal(full$train_loss, sum(colMeans(least$residuals^2) / scale^2), tolerance = 1e-10)
  narrow <- fit(input_vector(3) |> layer_dense(1, bias = TRUE) |> layer_dense(2, bias = TRUE), task,
    seed = 1, restarts = 3)
  best <- reduced_rank(data$x, data$y, 1L, scale)
  expect_equal(predict(narrow, data$x), best, tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(narrow$train_loss, sum(colMeans((data$y - best)^2) / scale^2), tolerance = 1e-8)
  # The bottleneck differs from that of raw outputs.
  expect_gt(max(abs(best - reduced_rank(data$x, data$y, 1L))), 0.1)
})

# Returns ridge regression in standardised coordinates, all outputs with one scale: list(fitted, loss in data units with
# the penalty, freedom). The constant is penalised, and its best value is 0.
ridge_regression <- function(x, y, lambda) {
  N <- nrow(x)
  z <- standardised(x)
  centre <- colMeans(y)
  left <- sweep(y, 2L, centre)
  scale <- sqrt(mean(left^2))
  W <- solve(crossprod(z) + N * lambda * diag(ncol(z)), crossprod(z, left / scale))
  fitted <- scale * z %*% W
  gram <- crossprod(cbind(z, 1))
  list(
    fitted = fitted + rep(centre, each = N),
    loss = mean(rowSums((left - fitted)^2)) + scale^2 * lambda * sum(W^2),
    freedom = ncol(y) * sum(diag(solve(gram + N * lambda * diag(ncol(gram)), gram)))
  )
}

test_that("weight decay is ridge regression of standardised columns, converged at its optimum", {
  for (seed in 1:4) {
    data <- two_scales(seed)
    if (seed %% 2L == 0L) data$y <- data$y[, 1L, drop = FALSE]
    network <- input_vector(3) |> layer_dense(ncol(data$y), bias = TRUE)
    for (lambda in c(1e-4, 0.1, 3)) {
      ridge <- ridge_regression(data$x, data$y, lambda)
      trained <- fit(network, task_data(data$x, data$y, test = 0), seed = seed, control = list(decay = lambda))
      expect_true(trained$converged)
      expect_equal(trained$train_loss, ridge$loss, tolerance = 1e-9)
      expect_equal(predict(trained, data$x), ridge$fitted, tolerance = 1e-7, ignore_attr = TRUE)
      again <- fit(trained$network, trained$task, seed = seed, control = list(decay = lambda))
      expect_true(again$converged)
      expect_lte(again$iterations, 3)
      expect_equal(again$train_loss, ridge$loss, tolerance = 1e-9)
    }
  }
})

test_that("capacity(ridge = \"decay\") of a dense layer is the degrees of freedom of ridge regression", {
  for (seed in 1:4) {
    data <- two_scales(seed)
    if (seed %% 2L == 0L) data$y <- data$y[, 1L, drop = FALSE]
    network <- input_vector(3) |> layer_dense(ncol(data$y), bias = TRUE)
    for (lambda in c(1e-4, 0.1, 3)) {
      trained <- fit(network, task_data(data$x, data$y, test = 0), seed = seed, control = list(decay = lambda))
      soft <- capacity(trained, ridge = "decay")
      freedom <- ridge_regression(data$x, data$y, lambda)$freedom
      expect_equal(glance(soft)$total, freedom, tolerance = 1e-10)
      expect_equal(sum(soft$capacity), freedom, tolerance = 1e-10)
    }
  }
})

# ---- the smallest cases ------------------------------------------------------------------------------

expect_least_squares <- function(x, y, tolerance = 1e-8) {
  trained <- fit(dense_network(as.matrix(x), as.matrix(y)), task_data(x, y, test = 0), seed = 1)
  expect_true(trained$converged)
  expect_equal(trained$train_loss, least_squares(x, y)$loss, tolerance = tolerance)
}

test_that("an offset of 1e4 standard deviations does not change the fit", {
  set.seed(1)
  x1 <- 1e4 + rnorm(400)
  x2 <- rnorm(400)
  y <- x1 - 1e4 + x2 + rnorm(400) / 10
  trained <- fit(input_vector(2) |> layer_dense(1, bias = TRUE), task_data(cbind(x1, x2), y, test = 0), seed = 1)
  expect_true(trained$converged)
  expect_equal(trained$train_loss, mean(residuals(lm(y ~ I(x1 - 1e4) + x2))^2), tolerance = 1e-8)
  expect_lt(trained$train_loss, 0.012) # the noise has variance 0.01
})

test_that("pressure and temperature, calendars, Unix time, tiny columns and mm are fitted", {
  set.seed(2)
  pressure <- 101325 + 800 * rnorm(200)
  kelvin <- 288 + 8 * rnorm(200)
  expect_least_squares(cbind(pressure, kelvin), (pressure - 101325) / 800 + (kelvin - 288) / 8 + rnorm(200) / 5)
  year <- 1900:2020
  expect_least_squares(cbind(year, square = year^2), sin(year / 40) + rnorm(121) / 10)
  expect_least_squares(cbind(year, square = year^2), 14 + 1e-4 * (year - 1950)^2 + rnorm(121) / 10)
  time <- as.numeric(as.POSIXct("2024-03-01", tz = "UTC")) + 3600 * 0:199
  wave <- sin(2 * pi * 0:199 / 24)
  expect_least_squares(cbind(time, wave), (0:199) / 50 + wave + rnorm(200) / 5)
  tiny <- 1e-9 * rnorm(200)
  expect_least_squares(cbind(tiny, pressure), 1e9 * tiny + rnorm(200))
  huron <- stats::embed(304.8 * as.numeric(LakeHuron), 5)
  expect_least_squares(huron[, -1], huron[, 1])
})

test_that("a tanh network fits raw LakeHuron as well as scaled LakeHuron", {
  rows <- stats::embed(as.numeric(LakeHuron), 9)
  network <- input_vector(8) |> layer_dense(5, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  r_squared <- function(rows, ...) {
    vapply(1:5, function(seed) {
      trained <- asked(fit(network, task_data(rows[, -1], rows[, 1], test = 0, ...), seed = seed))$value
      1 - trained$train_loss / mean((rows[, 1] - mean(rows[, 1]))^2)
    }, 0)
  }
  raw <- r_squared(rows)
  expect_gt(max(raw), 0.9)
  # Apart from the curvature of tanh, least squares on the same lags is a special case.
  expect_gt(min(raw), 0.5)
  expect_equal(max(r_squared(304.8 * rows)), max(raw), tolerance = 1e-3)
})

test_that("a tanh network fits raw LakeHuron as a series", {
  network <- input_sequence(8) |> layer_dense(5, bias = TRUE) |> layer_activation("tanh") |> layer_dense(1, bias = TRUE)
  best <- max(vapply(1:5, function(seed) {
    trained <- asked(fit(network, task_series(LakeHuron, length = 8, test = 0), seed = seed))$value
    1 - trained$train_loss / mean((LakeHuron[-(1:8)] - mean(LakeHuron[-(1:8)]))^2)
  }, 0))
  expect_gt(best, 0.9)
})

# ---- units belong to the network ---------------------------------------------------------------------

test_that("a fit and its network give the same predictions", {
  faults <- character()
  for (seed in seq_len(ordinary_count(24))) {
    case <- ordinary_data(seed, steady_kinds)
    n <- ncol(case$x)
    m <- ncol(case$y)
    networks <- list(
      dense_network(case$x, case$y), dense_network(case$x, case$y, bias = FALSE),
      input_vector(n) |> layer_dense(2, bias = TRUE) |> layer_activation("tanh") |> layer_dense(m)
    )
    for (network in networks) for (standardise in list(TRUE, FALSE, "scale", "each")) {
      got <- asked({
        task <- task_data(case$x, case$y, test = 0, standardise = standardise)
        fit(network, task, seed = seed, control = list(max_iterations = 20))
      })
      trained <- got$value
      if (inherits(trained, "capalloc_error")) next # raw numbers that cannot be trained on
      fault <- foreign(got)
      if (fault == "" && !identical(predict(trained$network, case$x), predict(trained, case$x))) {
        fault <- "the network predicts other values"
      }
      if (fault == "" && !identical(predict(trained), predict(trained, case$x))) {
        fault <- "predict() without rows gives other values"
      }
      if (fault != "") faults <- c(faults, case_text(case, standardise, ": ", fault))
    }
  }
  expect_no_faults(faults)
})

test_that("the effective weights of a fit are those of lm(), in data units", {
  for (seed in seq_len(ordinary_count(48))) {
    case <- ordinary_data(seed, setdiff(steady_kinds, "years"))
    trained <- fit(dense_network(case$x, case$y), task_data(case$x, case$y, test = 0), seed = seed)
    W <- unname(effective_weights(trained$network))
    z <- standardised(case$x)
    sd <- apply(case$x, 2L, stats::sd) * sqrt(1 - 1 / nrow(z))
    left <- sweep(as.matrix(case$y), 2L, colMeans(case$y))
    # Weights of standardised columns: 1e-7 for a condition number of at most 1e6.
    expect_equal(t(W[, seq_len(ncol(z)), drop = FALSE]) * sd, qr.coef(qr(z), left), tolerance = 1e-7,
      ignore_attr = TRUE, info = case_text(case))
  }
})

test_that("a network without bias is least squares with an intercept, or through the origin with \"scale\"", {
  faults <- character()
  for (seed in seq_len(ordinary_count(60))) {
    case <- ordinary_data(seed, setdiff(steady_kinds, c("years", "co2", "huron", "women", "month", "trend")))
    network <- dense_network(case$x, case$y, bias = FALSE)
    trained <- fit(network, task_data(case$x, case$y, test = 0), seed = seed)
    fault <- loss_fault(trained$train_loss, case$x, case$y)
    if (fault != "") faults <- c(faults, case_text(case, "with an intercept: ", fault))
    if (max(offset_of(case$x), offset_of(case$y)) > 100) next # all columns are nearly the constant
    for (standardise in list("scale", FALSE)) {
      got <- asked(fit(network, task_data(case$x, case$y, test = 0, standardise = standardise), seed = seed))
      if (isFALSE(standardise) && any(startsWith(got$classes, "capalloc_warning_"))) next
      fault <- foreign(got)
      origin <- least_squares(case$x, case$y, intercept = FALSE)$loss
      if (fault == "" && abs(got$value$train_loss / origin - 1) > 1e-8) {
        fault <- sprintf("loss %.10g, least squares %.10g", got$value$train_loss, origin)
      }
      if (fault != "") faults <- c(faults, case_text(case, "through the origin (", standardise, "): ", fault))
    }
  }
  expect_no_faults(faults)
})

test_that("\"scale\" with a bias is least squares with an intercept", {
  faults <- character()
  for (seed in seq_len(ordinary_count(60))) {
    case <- ordinary_data(seed, steady_kinds)
    got <- asked(fit(
      dense_network(case$x, case$y), task_data(case$x, case$y, test = 0, standardise = "scale"), seed = seed
    ))
    fault <- foreign(got)
    if (fault == "" && any(startsWith(got$classes, "capalloc_warning_"))) next
    if (fault == "") fault <- loss_fault(got$value$train_loss, case$x, case$y, uncentred = TRUE)
    if (fault != "") faults <- c(faults, case_text(case, fault))
  }
  expect_no_faults(faults)
})
