# Capacity kernel: which inputs share parameters.

#' Capacity kernel
#'
#' \deqn{K_{ij} = \sum_o P_{(o,i),(o,j)}} with P the orthogonal projector on the column space of the
#' [tangent()]: how far parameters act on inputs i and j together. Its diagonal is the capacity of
#' each input ([capacity()]). K is positive semi-definite; for one output of a linear network it is a
#' projector itself, so that the sum of squares along a row is the capacity of that input. Where every
#' input has parameters of its own, K is diagonal.
#'
#' For a nonlinear network P is the projector of [capacity()] over the samples x_s, and
#' \eqn{K_{ij} = \sum_s \sum_o P_{(s,o,i),(s,o,j)}}.
#'
#' @inheritParams capacity
#' @param inputs Which inputs to show: names, or numbers of coordinates as in the rows of
#'   [capacity()]. `NULL` means all of them, or where there are more than 400 at most 400 that
#'   are evenly spaced and end with the newest (and the constant), which a message of class
#'   `capalloc_message_thinned` says. P is that of all inputs in any case.
#' @param ... Not used.
#' @returns A data frame of class `ca_kernel` with one row for each pair of inputs: `input1`,
#'   `position1`, `lag1`, `channel1` (on a grid also `row1`, `column1`), the same for the second
#'   input, and `kernel` (effective parameters). `as.matrix()` gives K, named after the inputs.
#' @inherit capacity references
#' @seealso [capacity()], [capacity_table()]; `autoplot()` and `plot()` draw it.
#' @examples
#' net <- input_sequence(16) |> layer_conv(1, kernel = 4, stride = 4) |> layer_dense(1)
#' K <- capacity_kernel(initialise(net, seed = 1))
#' K
#' round(as.matrix(K)[1:4, 1:8], 2)
#' plot(K)
#' @export
capacity_kernel <- function(x, inputs = NULL, metric = c("identity", "standardised", "covariance"), ridge = 0,
                            tol = NULL, data = NULL, layers = NULL, block = NULL) {
  allocation <- read_allocation(x, metric, ridge, tol, data, layers, block)
  warn_unused_allocation_data(allocation)
  rows <- input_frame(allocation$network$input, allocation$intercept)
  at <- kernel_shown_inputs(inputs, rows)
  core <- allocate_capacity(allocation, "kernel", at)
  rows <- as.list(rows)
  first <- lapply(rows, function(column) rep(column[at], times = length(at)))
  second <- lapply(rows, function(column) rep(column[at], each = length(at)))
  names(first) <- paste0(names(rows), "1")
  names(second) <- paste0(names(rows), "2")
  new_frame(c(first, second, list(kernel = c(core$answer))), "ca_kernel",
    evidence = core$evidence, total = if (rank_soft(allocation)) core$total else as.double(core$rank),
    metric = allocation$metric, ridge = rank_reported_ridge(allocation), decay = allocation$decay > 0, at = at,
    n_inputs = allocation$n, n_outputs = allocation$m,
    input_kind = allocation$network$input$kind
  )
}

most_shown <- 400

# The numbers of the coordinates to show, in increasing order. rows: the frame of all coordinates.
kernel_shown_inputs <- function(inputs, rows, call = rlang::caller_env()) {
  if (is.null(inputs)) return(kernel_thinned_inputs(rows))
  n <- nrow(rows)
  at <- if (is.character(inputs)) match(inputs, rows$input) else inputs
  ok <- is.numeric(at) && length(at) > 0L && !anyNA(at) && all(at >= 1 & at <= n & at == floor(at))
  if (!ok) {
    abort(c(
      "{.arg inputs} must be names of inputs, or whole numbers between 1 and {n}.",
      x = if (anyNA(at) && is.character(inputs)) "There is no {.val {inputs[is.na(at)]}}." else
        "It is {show_value(inputs)}."
    ), "value", call = call)
  }
  sort(unique(as.integer(at)))
}

# The numbers of all coordinates, or of at most `most_shown` evenly spaced inputs that end with the newest one. The
# constant is always included.
kernel_thinned_inputs <- function(rows) {
  constant <- which(is.na(rows$position))
  n <- nrow(rows) - length(constant)
  if (n <= most_shown) return(seq_len(nrow(rows)))
  # a step that has a divisor in common with the number of channels or grid rows would skip some of them entirely
  step <- ceiling(n / most_shown)
  while (!kernel_coprime(step, max(rows$channel, na.rm = TRUE) * max(rows$row, 1, na.rm = TRUE))) step <- step + 1
  at <- rev(seq(n, 1, by = -step))
  cli::cli_inform(c(
    "Showing {length(at)} of {n} inputs, one in {step}.",
    i = "Choose others with {.arg inputs}."
  ), class = "capalloc_message_thinned")
  as.integer(c(at, constant))
}

kernel_coprime <- function(a, b) {
  while (b > 0) {
    rest <- a %% b
    a <- b
    b <- rest
  }
  a == 1
}

#' @rdname capacity_kernel
#' @export
as.matrix.ca_kernel <- function(x, ...) {
  n <- as.integer(round(sqrt(nrow(x))))
  names <- x$input1[seq_len(n)]
  matrix(x$kernel, n, dimnames = list(names, names))
}

#' @rdname capacity_kernel
#' @export
print.ca_kernel <- function(x, ...) {
  n <- as.integer(round(sqrt(nrow(x))))
  cat("<capacity kernel> of ", format_count(n, "input"),
    if (n < attr(x, "n_inputs")) paste(" of", attr(x, "n_inputs")), ", ", kernel_soft_clause(x),
    attr(x, "metric"), " metric\n", sep = "")
  print(plain_frame(x)[seq_len(min(nrow(x), 6L)), c("input1", "input2", "kernel")], row.names = FALSE, digits = 4)
  if (nrow(x) > 6L) cat("  ... and ", nrow(x) - 6L, " more pairs\n", sep = "")
  invisible(x)
}

# capacity_soft_text() with a comma, as an item of a list.
kernel_soft_clause <- function(x) sub(" $", ", ", capacity_soft_text(x))

#' @rdname capacity_kernel
#' @export
tidy.ca_kernel <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

# For kernels and tables: the total and the evidence for the rank.
#' @export
glance.ca_kernel <- function(x, ...) {
  check_dots(...)
  glance_rank(x)
}
