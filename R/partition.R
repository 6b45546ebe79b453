#' Partitions of the input space
#'
#' Ways of cutting up the inputs, for the argument `partition` of [capacity()]. The
#' capacities of the parts sum to the total; the `(Intercept)` of a network with a
#' bias is a part of its own.
#'
#' @param breaks Increasing numbers b_1 < b_2 < ..: parts are the positions in
#'   (b_i, b_(i+1)]. Positions outside are the part `"(other)"`.
#' @returns An object of class `ca_partition`. `partition_octaves()` cuts a sequence
#'   by octaves of the lag, ceiling(log2(lag)): lags 1, 2, 3-4, 5-8, ...
#' @examples
#' net <- initialise(input_sequence(16) |> layer_conv(2, 4, stride = 4) |> layer_dense(1), seed = 1)
#' capacity(net, partition = partition_octaves())
#' capacity(net, partition = partition_regions(c(0, 4, 16)))
#' @export
partition_regions <- function(breaks) {
  breaks <- check_vector(breaks)
  if (length(breaks) < 2L || is.unsorted(breaks, strictly = TRUE)) {
    abort(c(
      "{.arg breaks} must be two or more increasing numbers.",
      x = "It is {show_value(breaks)}."
    ), "value")
  }
  new_partition("regions", function(rows) interval_parts(rows$position, breaks))
}

# Parts (b_i, b_(i+1)], named by their ends; values outside are "(other)".
interval_parts <- function(x, breaks) {
  ends <- format_each(breaks)
  part <- cut(x, breaks, paste0("(", ends[-length(ends)], ",", ends[-1L], "]"))
  if (!anyNA(part)) return(part)
  levels(part) <- c(levels(part), "(other)")
  part[is.na(part)] <- "(other)"
  part
}

format_each <- function(x) vapply(x, format, "", digits = 15)

#' @rdname partition_regions
#' @export
partition_octaves <- function() {
  new_partition("octaves", function(rows) octave_of(rows$lag), needs = "sequence")
}

# `part` maps rows of input_frame() to a factor; `needs` is a kind of input, or NULL.
new_partition <- function(kind, part, needs = NULL) {
  structure(list(kind = kind, part = part, needs = needs), class = "ca_partition")
}

#' @export
print.ca_partition <- function(x, ...) {
  cat("<partition> by ", x$kind, "\n", sep = "")
  invisible(x)
}

check_partition <- function(partition, input, call = rlang::caller_env()) {
  if (is.null(partition)) return(invisible())
  if (!inherits(partition, "ca_partition")) {
    abort(c(
      "{.arg partition} must be a partition, such as {.code partition_octaves()}.",
      x = "It is {show_value(partition)}."
    ), "type", call = call)
  }
  if (!is.null(partition$needs) && partition$needs != input$kind) {
    abort(c(
      "This partition needs a {partition$needs} as input.",
      x = "The network takes {describe_input(input)}."
    ), "shape", call = call)
  }
  invisible()
}

# "1", "2", "3-4", "5-8", .. in the order of the lag.
octave_of <- function(lag) {
  octave <- ceiling(log2(lag))
  all <- seq(0, max(octave, na.rm = TRUE))
  from <- floor(2^(all - 1)) + 1
  to <- 2^all
  factor(octave, levels = all, labels = ifelse(from == to, to, paste0(from, "-", to)))
}

# The basis that a partition reports in, with the constant as a last coordinate where there is one;
# NULL for partitions by inputs.
partition_basis <- function(partition, x, network, data, intercept, call = rlang::caller_env()) {
  if (is.null(partition$basis)) return(NULL)
  moments <- if (partition$needs_moments) metric_moments(x, network, data, call)
  basis <- partition$basis(network$input, moments)
  if (intercept) basis$Q <- rbind(cbind(basis$Q, 0), c(numeric(ncol(basis$Q)), 1))
  basis
}

# Capacities per part, the (Intercept) last. kappa: of inputs, or of the vectors of a basis.
part_sums <- function(kappa, part, intercept) {
  if (intercept) {
    part <- factor(c(as.character(part), "(Intercept)"), levels = c(levels(part), "(Intercept)"))
  }
  group_sums(kappa, part)
}

group_sums <- function(values, part) {
  sums <- vapply(split(values, part), sum, 0, USE.NAMES = FALSE)
  list(part = factor(levels(part), levels = levels(part)), capacity = sums)
}
