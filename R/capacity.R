# Capacity allocation of a network at its coefficients.

#' Capacity allocation
#'
#' The effective number of parameters that a network spends on each input.
#'
#' At a trained network J' eps = 0: every independent parameter forces one linear
#' combination of the dependencies left between inputs and residuals to zero
#' (J is the [tangent()], eps_oj = E\[x_j r_o\]). With P the orthogonal projector on
#' the column space of J, the total capacity is kappa = rank(J), and the capacity of
#' input j is kappa_j = sum over outputs o of P_(o,j),(o,j), between 0 (the network
#' cannot act there) and the number of outputs (every dependency on that input is
#' fully modelled). Over the inputs, or over the parts of any orthogonal partition
#' of the input space, capacities sum to the total.
#'
#' @section Networks that are not linear:
#' At a sample x_s a network has the tangent map yhat(x) ~ w_s' x + b_s. The input space is extended by
#' the samples: D stacks D_s = d^2 yhat / (dx dtheta) at x_s, rows (s, o, j), with the row
#' d/dtheta \[yhat - (dyhat/dx) x\] for the `(Intercept)`, which is always there. At a stationary point of
#' the mean squared error on these samples D' eps = 0 with eps_soj = x_sj r_so. With P the projector on the
#' columns of D, the total capacity is rank(D) and the capacity of an input the sum over samples and
#' outputs of P_(s,o,j),(s,o,j), which may exceed the number of outputs: one input can carry several gated
#' dependencies. For a linear network both definitions agree, for any samples. D is never stored: it is made
#' twice, in blocks of samples, by exact second-order derivatives.
#'
#' @section Metric:
#' `"identity"` measures angles between inputs as they are: where the network is
#' constrained, the allocation depends on the units of the inputs. `"covariance"`
#' uses (Sigma^(1/2) (x) I_m) J, the geometry of the loss, with Sigma the uncentred
#' second moments of the inputs (with the constant where there is a bias). A fit
#' uses those of its task; a bare network needs `data`. With singular Sigma the total
#' is the rank of that product.
#'
#' @section Rank:
#' Columns of J are scaled to unit norm, so that rescaling a layer changes nothing;
#' J is reduced to a triangle by blocks of Householder QR, and its singular values
#' s_i are compared with `tol` times the largest. Spectra often decay without a gap:
#' [glance()] gives the tolerance, the gap at the rank (s_r / s_(r+1)) and the rank at
#' ten times and at a tenth of the tolerance, `attr(x, "spectrum")` the singular
#' values, and a warning of class `capalloc_warning_rank_gap` is raised when those
#' ranks differ.
#'
#' @param x A network with coefficients, or a fit.
#' @param metric `"identity"` or `"covariance"`.
#' @param partition `NULL` for one row per input, or a partition such as
#'   [partition_octaves()].
#' @param ridge A number lambda >= 0. When positive, soft capacity: P becomes U
#'   diag(s_i^2 / (s_i^2 + lambda s_1^2)) U'. It depends on the parametrisation.
#' @param tol Relative tolerance of the rank, by default 10 max(m n, p) eps.
#' @param data Inputs as in [predict.ca_network()], at which a network that is not linear is asked (a fit
#'   uses those that it was trained on). For linear networks, a task or inputs for the covariance metric
#'   of a bare network and for [partition_pca()].
#' @param layers Names of layers, as in [summary.ca_network()], whose parameters count;
#'   `NULL` for all. A residual or parallel layer means all that it holds.
#' @param by For networks that are not linear: `"sample"`, or a group for each row of `data`. The
#'   result has one row for each group and input; over groups capacities sum to those of all samples.
#' @param block Number of input coordinates (for networks that are not linear: of samples) that are
#'   worked on at a time, which bounds memory: about 8 p (6 p + 2 rows of a block) bytes. `NULL` chooses it.
#' @returns A data frame of class `ca_capacity`. Without a partition one row per
#'   input coordinate: `input` (its name), `position` (1 is the oldest), `lag` (`NA`
#'   for vectors), `channel`, `capacity` (effective parameters). With one: `part` (a
#'   factor) and `capacity`. The `(Intercept)` is the last row of networks with a
#'   bias. Taking rows or binding gives a plain data frame.
#' @references Donier, J. (2019). Capacity allocation analysis of neural
#'   networks: a tool for principled architecture design.
#'   \doi{10.48550/arXiv.1902.04485}. The covariance metric, soft capacity and the
#'   rules for the rank are this package's own.
#' @seealso [autoplot.ca_capacity()], [partition_octaves()], [task_demand()].
#' @examples
#' net <- input_sequence(16)
#' for (d in 2^(0:3)) net <- layer_conv(net, 1, kernel = 2, dilation = d)
#' net <- initialise(net, seed = 1)
#' capacity(net)
#' capacity(net, partition = partition_octaves())
#' glance(capacity(net))
#' @export
capacity <- function(x, metric = c("identity", "covariance"), partition = NULL, ridge = 0, tol = NULL,
                     data = NULL, layers = NULL, by = NULL, block = NULL) {
  about <- new_allocation(x, metric, ridge, tol, data, layers, block)
  input <- about$network$input
  check_partition(partition, input)
  group <- sample_groups(by, about)
  cut <- cut_inputs(partition, about)
  core <- allocate(about, "capacity", list(
    turned = turned_rows(cut$Q, about), group = if (!is.null(group)) as.integer(group)
  ))
  frames <- lapply(seq_len(ncol(core$answer)), function(g) {
    kappa <- matrix(core$answer[, g], about$m)
    if (is.null(partition)) {
      c(input_frame(input, about$intercept), list(capacity = colSums(kappa)))
    } else {
      part_sums(kappa, cut, about$intercept)
    }
  })
  new_frame(bind_groups(frames, group), "ca_capacity",
    total = if (about$ridge > 0) sum(core$answer) else as.double(core$rank),
    evidence = core$evidence, spectrum = core$values, metric = about$metric, ridge = about$ridge,
    n_params = about$n_kept, n_inputs = about$n, n_outputs = about$m, input_kind = input$kind,
    linear = is.null(about$samples), n_samples = max(nrow(about$samples), 1),
    source = if (inherits(x, "ca_fit")) {
      list(fit = x, asked = list(
        metric = about$metric, partition = partition, ridge = ridge, tol = tol, data = data, layers = layers, by = by,
        block = block
      ))
    }
  )
}

# The group of each sample as a factor, NULL for all together.
sample_groups <- function(by, about, call = rlang::caller_env()) {
  if (is.null(by)) return(NULL)
  if (is.null(about$samples)) {
    abort(c(
      "{.arg by} must be {.code NULL} for a linear network: it allocates the same at every input."
    ), "value", call = call)
  }
  n <- nrow(about$samples)
  if (identical(by, "sample")) return(factor(seq_len(n)))
  if (!is.atomic(by) || length(by) != n || anyNA(by)) {
    abort(c(
      "{.arg by} must be {.val sample}, or a group for each of the {n} row{?s} of {.arg data}.",
      x = "It is {show_value(by)}."
    ), "value", call = call)
  }
  droplevels(as.factor(by))
}

bind_groups <- function(frames, group) {
  if (is.null(group)) return(frames[[1L]])
  columns <- lapply(stats::setNames(nm = names(frames[[1L]])), function(column) {
    all <- lapply(frames, function(frame) frame[[column]])
    if (is.factor(all[[1L]])) factor(unlist(lapply(all, as.character)), levels = levels(all[[1L]])) else unlist(all)
  })
  names <- levels(group)
  c(list(group = factor(rep(names, each = length(columns[[1L]]) / length(names)), levels = names)), columns)
}

#' Methods for capacities
#'
#' @param x,object A capacity, from [capacity()].
#' @param n Number of rows to print.
#' @param ... For `c()`: capacities, named after their networks. Otherwise not used.
#' @returns `glance()`: a data frame with one row: `total`, `n_params`, `n_inputs`
#'   (coordinates, with the constant), `tol`, `gap`, `rank_low`, `rank_high`, `metric`,
#'   `ridge`. `tidy()`: the same rows as a plain data frame, with intervals on request
#'   ([tidy.ca_capacity()]). `augment()`: the same with `.share`, of the total. `summary()`: a list with
#'   the `glance` row and, for sequences, `octaves` (part, capacity, share).
#'   `c()`: one data frame with a first column `network`, for one picture of several
#'   capacities on one scale.
#' @name ca_capacity
#' @examples
#' net <- input_sequence(16) |> layer_conv(2, kernel = 4, stride = 4) |> layer_dense(1)
#' a <- capacity(initialise(net, seed = 1))
#' summary(a)
#' b <- capacity(initialise(input_sequence(16) |> layer_dense(1), seed = 1))
#' both <- c(strided = a, dense = b)
NULL

#' @rdname ca_capacity
#' @export
print.ca_capacity <- function(x, n = 10, ...) {
  cat(capacity_headline(x), "\n", sep = "")
  shown <- plain_frame(x)[seq_len(min(n, nrow(x))), , drop = FALSE]
  print(shown, row.names = FALSE, digits = 4)
  if (nrow(x) > nrow(shown)) cat("  ... and ", nrow(x) - nrow(shown), " more rows\n", sep = "")
  invisible(x)
}

capacity_headline <- function(x) {
  soft <- attr(x, "ridge") > 0
  paste0(
    "<capacity> ", if (soft) paste0("soft (ridge ", format(attr(x, "ridge")), ") "),
    "total ", format(attr(x, "total"), digits = 6), " of ", count_text(attr(x, "n_params"), "parameter"),
    " over ", count_text(attr(x, "n_inputs"), "input"),
    if (isFALSE(attr(x, "linear"))) paste(" at", count_text(attr(x, "n_samples"), "sample")),
    ", ", attr(x, "metric"), " metric"
  )
}

#' @rdname ca_capacity
#' @export
summary.ca_capacity <- function(object, ...) {
  out <- list(headline = capacity_headline(object), glance = glance(object))
  if (!is.null(object$lag) && any(!is.na(object$lag))) {
    octaves <- light_frame(group_sums(object$capacity, octave_of(object$lag)))
    octaves$share <- octaves$capacity / attr(object, "total")
    out$octaves <- octaves
  }
  structure(out, class = "ca_capacity_summary")
}

#' @export
print.ca_capacity_summary <- function(x, ...) {
  g <- x$glance
  cat(x$headline, "\n", sep = "")
  cat("  rank ", g$rank_low, " to ", g$rank_high, " around tolerance ", format(g$tol, digits = 2),
    ", gap there ", format(g$gap, digits = 3), "\n", sep = "")
  if (!is.null(x$octaves)) {
    cat("  by octave of the lag:\n")
    print(x$octaves, row.names = FALSE, digits = 3)
  }
  invisible(x)
}

#' @rdname ca_capacity
#' @export
c.ca_capacity <- function(...) {
  parts <- list(...)
  names <- names(parts)
  if (is.null(names) || any(names == "") || anyDuplicated(names)) {
    abort(c(
      "Capacities must have names of their own, such as {.code c(dense = a, conv = b)}.",
      x = "Their names are {show_value(names)}."
    ), "value")
  }
  for (i in seq_along(parts)) {
    if (!inherits(parts[[i]], "ca_capacity")) {
      abort(c("{.arg {names[[i]]}} must be a capacity.", x = "It is {show_value(parts[[i]])}."), "type")
    }
    if (!identical(names(parts[[i]]), names(parts[[1L]]))) {
      abort(c(
        "Capacities must have the same columns to be put together.",
        x = "{.arg {names[[i]]}} has {.val {names(parts[[i]])}}, {.arg {names[[1]]}}
          {.val {names(parts[[1]])}}."
      ), "shape")
    }
  }
  rows <- do.call(rbind, lapply(parts, plain_frame))
  network <- factor(rep(names, vapply(parts, nrow, 0L)), levels = names)
  new_frame(c(list(network = network), as.list(rows)), "ca_capacities",
    totals = vapply(parts, function(x) attr(x, "total"), 0),
    linear = all(vapply(parts, function(x) !isFALSE(attr(x, "linear")), NA)),
    input_kind = attr(parts[[1L]], "input_kind"), n_outputs = attr(parts[[1L]], "n_outputs")
  )
}
