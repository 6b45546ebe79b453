# Two-way capacity: which layer models which inputs.

#' Capacity of layers at inputs
#'
#' With J the [tangent()], its columns scaled to unit norm, and \eqn{J^+} its pseudo-inverse, the entries
#' \deqn{T_{(o,j),k} = J_{(o,j),k} (J^+)_{k,(o,j)}} divide the total capacity by inputs and parameters at once.
#' Over the parameters they sum to the capacity of an input, over the inputs to the effective capacity of a
#' parameter; over the parameters of a layer they show which inputs that layer models. With a ridge,
#' \eqn{J^+} is \eqn{(J'J + \lambda s_1^2 I)^{-1} J'}. For a nonlinear network J is the extended tangent D of
#' [capacity()], and entries are summed over samples.
#'
#' Entries may be negative, for parameters that act against each other. Unlike [capacity()], the table
#' depends on the parametrisation. What a layer can model on its own is `capacity(layers = )`, which
#' does not sum to the total.
#'
#' @inheritParams capacity
#' @param groups How parameters are put together: `"layer"` (by the layer that owns them), `"array"`
#'   (kernels, recurrent matrices and biases apart), `"parameter"` (each one), or a vector with a name
#'   for every parameter, in the order of `coef()`.
#' @param ... Not used.
#' @returns A data frame of class `ca_table` with one row for each group and input: `layer` (a factor in
#'   the order of the network; `group` when `groups` is not `"layer"`), the columns of an input as in
#'   [capacity()], and `capacity` (effective parameters). `as.matrix()` gives T, inputs x groups.
#' @inherit capacity references
#' @seealso [capacity()], [capacity_kernel()]; `autoplot()` and `plot()` draw it.
#' @examples
#' net <- initialise(arch_dilated(16, filters = 2), seed = 1)
#' two_way <- capacity_table(net)
#' two_way
#' colSums(as.matrix(two_way)) # effective parameters of each layer
#' plot(two_way)
#' @export
capacity_table <- function(x, groups = c("layer", "array", "parameter"),
                           metric = c("identity", "standardised", "covariance"), ridge = 0, tol = NULL, data = NULL,
                           layers = NULL, block = NULL) {
  allocation <- read_allocation(x, metric, ridge, tol, data, layers, block)
  warn_unused_allocation_data(allocation)
  if (identical(groups, c("layer", "array", "parameter"))) groups <- "layer"
  group <- table_parameter_groups(allocation$network, groups)[allocation$array > 0L]
  group <- factor(group, levels = unique(group))
  core <- allocate_capacity(allocation, "table", as.integer(group))
  rows <- as.list(input_frame(allocation$network$input, allocation$intercept))
  first <- list(factor(rep(levels(group), each = allocation$n), levels = levels(group)))
  names(first) <- if (identical(groups, "layer")) "layer" else "group"
  columns <- lapply(rows, rep, times = nlevels(group))
  # without parameters there are no groups, but the core returns one
  values <- core$answer[seq_len(allocation$n * nlevels(group))]
  new_frame(c(first, columns, list(capacity = values)), "ca_table",
    evidence = core$evidence, total = if (rank_soft(allocation)) sum(core$answer) else as.double(core$rank),
    metric = allocation$metric, ridge = rank_reported_ridge(allocation), decay = allocation$decay > 0,
    n_inputs = allocation$n, n_outputs = allocation$m,
    input_kind = allocation$network$input$kind
  )
}

# The name of the group of each parameter.
table_parameter_groups <- function(network, groups, call = rlang::caller_env()) {
  names <- coef_names(network)
  if (identical(groups, "layer")) return(sub("[.].*", "", names))
  if (identical(groups, "array")) return(sub("\\[.*", "", names))
  if (identical(groups, "parameter")) return(names)
  if (is.atomic(groups) && length(groups) == length(names) && !anyNA(groups)) return(as.character(groups))
  abort(c(
    "{.arg groups} must be {.val layer}, {.val array}, {.val parameter}, or a name for each of the
      {length(names)} parameter{?s}.",
    x = if (is.atomic(groups) && length(groups) > 1L && anyNA(groups)) "It has missing values." else
      "It is {show_value(groups)}."
  ), "value", call = call)
}

#' @rdname capacity_table
#' @export
as.matrix.ca_table <- function(x, ...) {
  groups <- levels(x[[1L]])
  matrix(x$capacity, ncol = length(groups),
    dimnames = list(x$input[seq_len(nrow(x) / max(length(groups), 1L))], groups))
}

#' @rdname capacity_table
#' @export
print.ca_table <- function(x, ...) {
  sums <- colSums(as.matrix(x))
  cat("<capacity table> total ", capacity_total_text(x), " over ",
    format_count(length(sums), names(x)[[1L]]), " and ", format_count(attr(x, "n_inputs"), "input"), ", ",
      kernel_soft_clause(x),
    attr(x, "metric"), " metric\n", sep = "")
  shown <- sums[seq_len(min(length(sums), 20L))]
  if (length(shown) > 0L) print(data.frame(group = names(shown), capacity = shown), row.names = FALSE, digits = 4)
  if (length(sums) > length(shown)) cat("  ... and ", length(sums) - length(shown), " more\n", sep = "")
  invisible(x)
}

#' @rdname capacity_table
#' @export
tidy.ca_table <- function(x, ...) {
  check_dots(...)
  plain_frame(x)
}

#' @export
glance.ca_table <- function(x, ...) {
  check_dots(...)
  glance_rank(x)
}
