# Typical data sets: raw units, offsets, calendars, dummies, nearly equal columns, few rows. Tests
# compare the results of the package with least squares by QR of standardised columns (least_squares()).

# Tests draw 300 data sets; CAPALLOC_ORDINARY = 2000 increases every count in proportion.
ordinary_count <- function(usual = 300) {
  asked <- as.numeric(Sys.getenv("CAPALLOC_ORDINARY", "300"))
  max(1L, as.integer(ceiling(usual * asked / 300)))
}

with_ordinary_seed <- function(seed, code) {
  withr::with_seed(seed, code,
    .rng_kind = "Mersenne-Twister", .rng_normal_kind = "Inversion", .rng_sample_kind = "Rejection"
  )
}

# Returns one data set: list(seed, kind, x, y), x and y data frames. Consecutive seeds cycle through the kinds.
ordinary_data <- function(seed, kinds = names(ordinary_kinds)) {
  kind <- kinds[[1L + seed %% length(kinds)]]
  with_ordinary_seed(seed, {
    x <- ordinary_kinds[[kind]]()
    y <- attr(x, "y")
    if (is.null(y)) y <- ordinary_response(x)
    list(seed = seed, kind = kind, x = as.data.frame(as.list(x)), y = as.data.frame(y))
  })
}

between <- function(low, high) stats::runif(1, low, high)

whole <- function(low, high) low + sample.int(high - low + 1L, 1L) - 1L

normal_columns <- function(N = whole(12L, 150L), n = whole(1L, 6L)) {
  as.data.frame(matrix(stats::rnorm(N * n), N))
}

# Multiplies each column by a random scale and shifts it by up to 10^digits standard deviations.
in_units <- function(x, digits = 8, scale = 9) {
  x[] <- lapply(x, function(column) {
    sd <- if (is_constant(column)) 1 else stats::sd(column)
    shift <- sample(c(-1, 0, 1), 1L) * sd * 10^between(0, digits)
    (column + shift) * 10^between(-scale, scale)
  })
  x
}

is_constant <- function(column) !(stats::sd(column) > 4 * .Machine$double.eps * max(abs(column)))

# Returns a linear response in random units with noise of 1e-4 to 10 times its size. In three of ten draws there is a
# second output, with a scale up to 1e4 times larger or smaller.
ordinary_response <- function(x) {
  z <- standardised(x)
  m <- if (stats::runif(1) < 0.3) 2L else 1L
  y <- vapply(seq_len(m), function(o) {
    signal <- drop(z %*% stats::rnorm(ncol(z)))
    size <- if (any(signal != 0)) sqrt(mean(signal^2)) else 1
    signal / size + 10^between(-4, 1) * stats::rnorm(nrow(z))
  }, numeric(nrow(z)))
  y <- matrix(y, nrow(z))
  scale <- 10^between(-6, 6)
  for (o in seq_len(m)) {
    y[, o] <- (y[, o] + sample(c(0, 1), 1L) * 10^between(0, 5)) * scale
    scale <- scale * 10^between(-4, 4)
  }
  as.data.frame(`colnames<-`(y, c("u", "v")[seq_len(m)]))
}

# Returns `lags` past values of a series and its next value.
lagged <- function(series, lags, scale = 1, offset = 0) {
  series <- scale * as.numeric(series) + offset
  rows <- stats::embed(series, lags + 1L)
  x <- as.data.frame(rows[, -1L, drop = FALSE])
  structure(x, y = data.frame(now = rows[, 1L]))
}

responds <- function(data, response) structure(data[setdiff(names(data), response)], y = data[response])

ordinary_kinds <- list(
  plain = function() normal_columns(),
  offset = function() in_units(normal_columns(), scale = 0),
  scales = function() in_units(normal_columns(n = whole(2L, 6L)), digits = 0),
  units = function() in_units(normal_columns(n = whole(2L, 6L))),
  trend = function() {
    N <- whole(20L, 150L)
    data.frame(
      t = seq_len(N), walk = cumsum(stats::rnorm(N)), level = 100 + 0.3 * seq_len(N) + stats::rnorm(N),
      growth = 1e3 * exp(0.02 * seq_len(N))
    )
  },
  years = function() {
    year <- whole(1850L, 1990L) + 0:whole(15L, 60L)
    data.frame(year = year, year2 = year^2)
  },
  cubic = function() {
    year <- 1990 + seq(0, 30, length.out = whole(20L, 120L))
    data.frame(year = year, year2 = year^2, year3 = year^3)
  },
  unix = function() {
    hour <- seq_len(whole(30L, 200L))
    data.frame(
      time = 1.7e9 + 3600 * hour, sine = sin(2 * pi * hour / 24), load = 4e4 + 3e3 * stats::rnorm(length(hour))
    )
  },
  month = function() {
    N <- whole(30L, 120L)
    month <- factor(1 + seq_len(N) %% 12, levels = 1:12)
    cbind(
      as.data.frame(stats::model.matrix(~month)[, -1L]), year = 1960 + seq_len(N) %/% 12, sales = 1e6 * stats::rexp(N)
    )
  },
  dummies = function() {
    group <- factor(sample(letters[1:4], 60L, replace = TRUE), levels = letters[1:4])
    x <- as.data.frame(stats::model.matrix(~ group - 1)) # their sum is the constant
    cbind(x, price = 1e4 * stats::rlnorm(60))
  },
  near = function() {
    x <- normal_columns(n = whole(2L, 5L))
    apart <- sqrt(2 * 10^between(-10, -4)) # correlation 1 - apart^2 / 2
    x$near <- x[[1L]] + apart * stats::rnorm(nrow(x))
    signal <- x[[1L]] + (x$near - x[[1L]]) / apart + rowSums(x)
    y <- data.frame(y = 50 + signal + 10^between(-3, 0) * stats::rnorm(nrow(x)))
    structure(in_units(x, digits = 3), y = y)
  },
  constants = function() {
    x <- normal_columns()
    x$one <- 1
    x$tenth <- 0.1
    x$zero <- 0
    x$large <- 12345678.9
    in_units(x, digits = 4, scale = 3)[sample.int(ncol(x))]
  },
  tails = function() {
    N <- whole(30L, 150L)
    data.frame(
      cauchy = stats::rcauchy(N), income = exp(stats::rnorm(N, 10, 2)), t = 1e-5 * stats::rt(N, 2),
      rare = as.numeric(seq_len(N) == whole(1L, N))
    )
  },
  repeats = function() {
    x <- in_units(normal_columns(whole(8L, 20L), whole(1L, 4L)), digits = 4, scale = 4)
    x[sample.int(nrow(x), 5L * nrow(x), replace = TRUE), , drop = FALSE] |> `rownames<-`(NULL)
  },
  few = function() { # fewer rows than columns, as many, or slightly more
    n <- whole(3L, 8L)
    in_units(normal_columns(max(2L, n + whole(-3L, 3L)), n), digits = 5, scale = 5)
  },
  weather = function() {
    N <- whole(40L, 200L)
    data.frame(
      pressure = 101325 + 800 * stats::rnorm(N), kelvin = 288 + 8 * stats::rnorm(N), humidity = stats::rbeta(N, 5, 2),
      wavelength = 5e-7 + 1e-8 * stats::rnorm(N), altitude = 300 * stats::rexp(N)
    )
  },
  twice = function() { # one quantity in two units
    celsius <- 15 + 8 * stats::rnorm(whole(20L, 100L))
    data.frame(celsius = celsius, kelvin = celsius + 273.15, fahrenheit = 32 + 1.8 * celsius, z = stats::rnorm(celsius))
  },
  huron = function() lagged(datasets::LakeHuron, whole(1L, 12L), scale = 304.8), # feet to mm
  co2 = function() lagged(datasets::co2, whole(1L, 14L), offset = whole(0L, 1L) * 1e6),
  nile = function() lagged(datasets::Nile, whole(1L, 10L), scale = 1e8),
  longley = function() responds(datasets::longley * 10^between(-6, 6), "Employed"),
  mtcars = function() responds(datasets::mtcars, sample(c("mpg", "hp", "qsec"), 1L)),
  swiss = function() responds(datasets::swiss, "Fertility"),
  women = function() {
    x <- with(datasets::women, data.frame(height = height * 25.4, height2 = (height * 25.4)^2))
    structure(x, y = data.frame(grams = datasets::women$weight * 453.59237))
  }
)

# ---- least squares without the package ---------------------------------------------------------------

# Returns columns minus their means, divided by their standard deviations (divisor N); constant columns are zero.
standardised <- function(x) {
  x <- as.matrix(x)
  z <- apply(x, 2L, function(column) {
    if (nrow(x) == 1L || is_constant(column)) return(0 * column)
    column <- column - mean(column)
    column <- column - mean(column) # the remaining rounding error of the mean of large values
    column / sqrt(mean(column^2))
  })
  matrix(z, nrow(x), dimnames = list(NULL, colnames(x)))
}

# Returns the largest |mean| / sd of the columns that are not constant.
offset_of <- function(x) {
  x <- as.matrix(x)
  ratio <- apply(x, 2L, function(column) if (is_constant(column)) 0 else abs(mean(column)) / stats::sd(column))
  max(0, ratio)
}

# Returns least squares of y on x with a constant: list(loss, fitted), the loss summed over the outputs, in units of y.
# Directions below `tol` of their column are dropped; lm() uses 1e-7.
least_squares <- function(x, y, tol = 1e-7, intercept = TRUE) {
  y <- as.matrix(y)
  centre <- colMeans(y)
  if (!intercept) centre[] <- 0
  design <- if (intercept) cbind(1, standardised(x)) else sweep(as.matrix(x), 2L, sqrt(colMeans(as.matrix(x)^2)), `/`)
  factor <- qr(design, tol = tol)
  left <- y - rep(centre, each = nrow(y))
  residuals <- qr.resid(factor, left)
  list(loss = mean(rowSums(residuals^2)), fitted = y - residuals, residuals = residuals)
}

# Returns the smallest eigenvalue of the correlation matrix over the largest, without constant columns.
correlation_condition <- function(x) {
  z <- standardised(x)
  z <- z[, colSums(z^2) > 0, drop = FALSE]
  if (ncol(z) == 0L) return(1)
  if (nrow(z) <= ncol(z)) return(0)
  d <- svd(z, 0L, 0L)$d
  (d[[ncol(z)]] / d[[1L]])^2
}

# ---- twins -------------------------------------------------------------------------------------------

# Returns columns rounded to 2^-22 of their standard deviation. Then adding multiples of that and multiplying by powers
# of 2 is exact.
on_grid <- function(x) {
  x[] <- lapply(x, function(column) {
    grid <- column_grid(column)
    grid * round(column / grid)
  })
  x
}

column_grid <- function(column) {
  if (is_constant(column)) return(2^-10)
  2^(floor(log2(stats::sd(column))) - 22)
}

# Returns the same data in other units: column j of x is multiplier_j (x_j + shift_j), without rounding. Shifts are
# up to 10^digits standard deviations, multipliers powers of 2 from 1e-9 to 1e9; the outputs share one multiplier.
shifted_twin <- function(x, y, seed, digits = 8) {
  with_ordinary_seed(seed, {
    shift <- function(column) {
      grid <- column_grid(column)
      sd <- if (is_constant(column)) 1 else stats::sd(column)
      grid * round(sample(c(-1, 1), 1L) * sd * 10^between(0, digits) / grid)
    }
    by <- 2^vapply(x, function(column) whole(-30L, 30L), 0)
    along <- vapply(x, shift, 0)
    by_y <- 2^whole(-20L, 20L)
    along_y <- vapply(y, shift, 0)
  })
  twin <- x
  twin[] <- Map(function(column, by, along) by * (column + along), x, by, along)
  twin_y <- y
  twin_y[] <- Map(function(column, along) by_y * (column + along), y, along_y)
  list(x = twin, y = twin_y, by = by, along = along, by_y = by_y, along_y = along_y)
}

# Returns outputs of the twin (N x m) in the units of the original.
untwin <- function(yhat, twin) yhat / twin$by_y - rep(twin$along_y, each = nrow(yhat))

# ---- evaluation --------------------------------------------------------------------------------------

# Returns list(value, classes): the value of an expression or its error, and the classes of its warnings.
asked <- function(code) {
  classes <- character()
  value <- tryCatch(
    withCallingHandlers(code, warning = function(w) {
      classes <<- c(classes, class(w)[[1L]])
      invokeRestart("muffleWarning")
    }),
    error = function(e) e
  )
  list(value = value, classes = classes)
}

dense_network <- function(x, y, bias = TRUE) input_vector(ncol(x)) |> layer_dense(ncol(y), bias = bias)

# Returns one line that describes a failing case.
case_text <- function(case, ...) {
  paste0("seed ", case$seed, " (", case$kind, ", ", nrow(case$x), " x ", ncol(case$x), "): ", ...)
}

expect_no_faults <- function(faults) {
  expect(length(faults) == 0L, paste(c(
    paste(length(faults), "cases are wrong, the first of them"), utils::head(faults, 10L)
  ), collapse = "\n"))
}
