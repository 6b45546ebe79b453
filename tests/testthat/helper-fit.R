# Helpers of the tests of training on rows: networks as plain functions of theta and the rows, and derivatives of their
# losses by complex steps.

sigmoid <- function(u) 1 / (1 + exp(-u))

# Each network with its outputs (N x m) as a function of theta and x (N x n). `f` is smooth; `kink` marks networks that
# need finite differences.
smooth_cases <- function() {
  list(
    tanh = list(
      net = input_vector(3) |> layer_dense(4, bias = TRUE) |> layer_activation("tanh") |>
        layer_dense(2, bias = TRUE),
      f = function(theta, x) two_layers(theta, x, 4, 2, tanh)
    ),
    sigmoid = list(
      net = input_vector(2) |> layer_dense(3, bias = TRUE) |> layer_activation("sigmoid") |>
        layer_dense(1, bias = TRUE),
      f = function(theta, x) two_layers(theta, x, 3, 1, sigmoid)
    ),
    sin = list(
      net = input_vector(4) |> layer_dense(3, bias = TRUE) |> layer_activation("sin", 1.5) |>
        layer_dense(3, bias = TRUE),
      f = function(theta, x) two_layers(theta, x, 3, 3, function(u) sin(1.5 * u))
    ),
    conv = list(
      net = input_sequence(5, channels = 2) |> layer_conv(2, kernel = 3, bias = TRUE) |>
        layer_activation("softplus") |> layer_dense(2),
      f = conv_by_hand
    ),
    lstm = list(
      net = input_sequence(4, channels = 2) |> layer_recurrent(2, cell = "lstm", activation = "tanh", bias = TRUE) |>
        layer_dense(2),
      f = lstm_by_hand
    )
  )
}

# Dense with bias, phi, dense with bias; weights are units x inputs.
two_layers <- function(theta, x, units, outputs, phi) {
  n <- ncol(x)
  A <- matrix(theta[seq_len(units * n)], units)
  b <- theta[units * n + seq_len(units)]
  rest <- theta[-seq_len(units * (n + 1))]
  C <- matrix(rest[seq_len(outputs * units)], outputs)
  d <- rest[outputs * units + seq_len(outputs)]
  u <- x %*% t(A) + rep(b, each = nrow(x))
  phi(u) %*% t(C) + rep(d, each = nrow(x))
}

# One convolution without padding (filters x channels x taps), softplus, and a dense layer without bias.
conv_by_hand <- function(theta, x) {
  positions <- 3
  kernel <- array(theta[1:12], c(2, 2, 3))
  bias <- theta[13:14]
  hidden <- matrix(0 * theta[[1L]], nrow(x), 2 * positions)
  for (u in seq_len(positions)) for (f in 1:2) {
    sum <- bias[[f]]
    for (tap in 1:3) for (c in 1:2) sum <- sum + kernel[f, c, tap] * x[, 2 * (u + tap - 2) + c]
    hidden[, 2 * (u - 1) + f] <- log(1 + exp(sum))
  }
  hidden %*% t(matrix(theta[15:26], 2))
}

# Two states, gates i, f, g, o; a dense layer without bias reads the newest state.
lstm_by_hand <- function(theta, x) {
  B <- array(theta[1:16], c(2, 2, 4))
  A <- array(theta[17:32], c(2, 2, 4))
  b <- matrix(theta[33:40], 2)
  h <- c <- matrix(0, nrow(x), 2)
  for (t in 1:4) {
    now <- x[, 2 * (t - 1) + 1:2, drop = FALSE]
    gate <- lapply(1:4, function(g) h %*% t(A[, , g]) + now %*% t(B[, , g]) + rep(b[, g], each = nrow(x)))
    c <- sigmoid(gate[[2]]) * c + sigmoid(gate[[1]]) * tanh(gate[[3]])
    h <- sigmoid(gate[[4]]) * tanh(c)
  }
  h %*% t(matrix(theta[41:44], 2))
}

# Zero below the kink, so that a complex step gives the derivative on its side.
relu <- function(u) u * (Re(u) > 0)

# Returns derivatives d_sk = dyhat_s / dtheta_k ((N m) x p), or those of a scalar loss.
complex_step <- function(f, theta) {
  step <- 1e-30
  vapply(seq_along(theta), function(k) {
    theta[[k]] <- theta[[k]] + step * 1i
    c(Im(f(theta))) / step
  }, as.double(Re(f(theta + 0i))))
}

# Returns the mean loss of outputs; a single logit is compared with zero.
plain_loss <- function(yhat, y, loss) {
  if (loss == "squared") return(sum((y - yhat)^2) / nrow(y))
  if (ncol(yhat) == 1L) return(plain_loss(cbind(0, yhat), cbind(1 - y, y), loss))
  yhat <- yhat - apply(Re(yhat), 1L, max)
  sum(log(rowSums(exp(yhat))) - rowSums(y * yhat)) / nrow(y)
}

# Returns the values to compare with y: the outputs themselves, or probabilities.
plain_mean <- function(yhat, loss) {
  if (loss == "squared") return(yhat)
  if (ncol(yhat) == 1L) return(sigmoid(yhat))
  odds <- exp(yhat - apply(yhat, 1L, max))
  odds / rowSums(odds)
}

# Returns max_k |sum_s r_s' d_sk - c theta_k| / sqrt((sum_s |d_sk|^2 + c) sum_s |y_s|^2), where c is N or 2N times the
# decay and y_s is centred where the network has a bias; classes are one-hot, with sum_s |y_s|^2 = N.
row_convergence <- function(f, theta, x, y, loss, decay = 0) { # for networks with a bias
  N <- nrow(x)
  yhat <- f(theta, x)
  d <- complex_step(function(theta) f(theta, x), theta)
  if (!is.matrix(d)) d <- matrix(d, nrow = 1L)
  r <- y - plain_mean(yhat, loss)
  total <- if (loss == "squared") sum((y - rep(colMeans(y), each = N))^2) else N
  pull <- (if (loss == "squared") 1 else 2) * N * decay
  size <- sqrt((colSums(d^2) + pull) * total)
  max((abs(colSums(d * c(r)) - pull * theta) / size)[size > 0])
}

core_row_gradient <- function(net, theta, x, y, loss, decay = 0, along = NULL) {
  .Call(capalloc:::ffi_sample_gradient, capalloc:::lower_network(net), theta, list(x = x, y = y), loss, decay, along)
}

# Returns inputs and outputs for the loss: numbers, 0 or 1, or one-hot rows.
random_rows <- function(N, n, m, loss, seed) {
  withr::with_seed(seed, {
    x <- matrix(stats::rnorm(N * n), N)
    y <- if (loss == "squared") {
      matrix(stats::rnorm(N * m), N)
    } else if (m == 1L) {
      matrix(as.double(stats::runif(N) < 0.5), N)
    } else {
      diag(m)[sample.int(m, N, replace = TRUE), , drop = FALSE]
    }
  })
  list(x = x, y = y)
}

# Returns D' eps: D from the core (rows s + N (o + m j), the constant last), eps_soj = r_so x_sj and r_so.
dependencies_left <- function(net, f, theta, rows, loss) {
  D <- .Call(capalloc:::ffi_extended, capalloc:::lower_network(net), theta, rows$x)
  r <- rows$y - plain_mean(f(theta, rows$x), loss)
  inputs <- cbind(rows$x, 1)
  eps <- array(0, c(dim(r), ncol(inputs)))
  for (j in seq_len(ncol(inputs))) eps[, , j] <- r * inputs[, j]
  stopifnot(nrow(D) == length(eps))
  drop(crossprod(D, c(eps)))
}

# Returns the output of R code in a separate process, where interrupt_soon() sends an interrupt half a second later.
said_by_interrupted <- function(code) {
  skip_on_cran()
  skip_on_os("windows")
  soon <- 'interrupt_soon <- function() {
    system(sprintf("(sleep 0.5; kill -INT %d) > /dev/null 2>&1 &", Sys.getpid()))
  }'
  path <- withr::local_tempfile(fileext = ".R", lines = c("library(capalloc)", soon, code))
  said <- suppressWarnings(
    system2(file.path(R.home("bin"), "Rscript"), shQuote(path), stdout = TRUE, timeout = 60)
  )
  paste(said, collapse = "")
}

# A task without standardisation, for tests that write out the steps of optimisers.
raw_data <- function(...) task_data(..., standardise = FALSE)
