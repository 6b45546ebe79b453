# Capacity allocation of a network at its coefficients.

#' Capacity allocation
#'
#' The effective number of parameters that a network spends on each input.
#'
#' Let J be the [tangent()] of a linear network with effective weights W (m outputs x n inputs), and
#' \eqn{\epsilon_{oj} = E[x_j r_o]} the dependency left between input j and the residual of output o. At a
#' stationary point of the loss \eqn{J' \epsilon = 0}: every independent parameter forces one linear
#' combination of the remaining dependencies to zero. With P the orthogonal projector on the column space
#' of J, the total capacity and the capacity of input j are
#' \deqn{\kappa = \mathrm{rank}(J), \qquad \kappa_j = \sum_o P_{(o,j),(o,j)}.}
#' \eqn{\kappa_j} lies between 0 (the network cannot act there) and m (every dependency on that input is
#' modelled). Over the inputs, or over the parts of any orthogonal partition of the input space, capacities
#' sum to the total.
#'
#' For networks with units of their own (fits of standardised data) capacities are in standardised
#' coordinates; `data` is given in data units.
#'
#' @section Nonlinear networks:
#' At a sample x_s a network has the tangent map \eqn{\hat y(x) \approx w_s' x + b_s}. The input space is
#' extended by the samples: D stacks \eqn{D_s = \partial^2 \hat y / \partial x \partial \theta} at x_s, rows
#' (s, o, j), with the row \eqn{\partial [\hat y - (\partial \hat y / \partial x) x] / \partial \theta} for the
#' `(Intercept)`. At a stationary point of the mean squared error on these samples \eqn{D' \epsilon = 0} with
#' \eqn{\epsilon_{soj} = x_{sj} r_{so}}. With P the projector on the columns of D, the total capacity is
#' rank(D) and the capacity of an input is the sum over samples and outputs of
#' \eqn{P_{(s,o,j),(s,o,j)}}. It may exceed m: one input can carry several gated dependencies. For a linear
#' network both definitions agree, for any samples. D is never stored: it is computed twice, in blocks of
#' samples, by exact second-order derivatives.
#'
#' @section Capacity, degrees of freedom, importance:
#' Three different questions. *Capacity* of an input: how many independent parameters act on it. *Degrees of freedom*
#' ([summary()][summary.ca_fit]): how closely predictions can follow the responses at the training rows; for one dense
#' layer without decay it is the total capacity, the constant included. *Importance* ([sensitivity_profile()]): how much
#' the output changes with an input. For y = x1 + noise and one dense layer on x1 and x2, the capacity of both is 1,
#' since each has a free weight; with the constant there are 3 degrees of freedom; the sensitivities are about 1 and 0.
#' A parameter is spent on x2 although nothing depends on it.
#'
#' @section Logits:
#' Cross-entropy depends on differences of logits only. Where the outputs of a network are K logits, J and D
#' are projected on their contrasts, \eqn{(I_K - 11'/K) D}, before anything else; K - 1 logits against a first
#' level count as the same contrasts. The total of multinomial regression is (K - 1)(n + 1).
#'
#' @section Metric:
#' All metrics replace J by \eqn{(T \otimes I_m) J} with a root T of the inputs' coordinates.
#'
#' * `"identity"`: T = I. Where the network is constrained, the allocation depends on the units of the inputs.
#' * `"standardised"`: as if the inputs had been standardised, with one centre and scale for each column of a
#'   vector and each channel of a sequence or a grid. It equals `"identity"` for networks with units of their
#'   own, and makes other networks comparable with them.
#' * `"covariance"`: T'T is the matrix of second moments of the inputs, so that P is orthogonal in the geometry
#'   of the loss. With a constant \eqn{T = [[A, 0], [\mu', 1]]}, \eqn{A = P_x^{1/2} V^{1/2}}, where \eqn{P_x} are
#'   the correlations and V the variances of the inputs: of all roots, the one closest to the standardised inputs
#'   (ZCA-cor). The `(Intercept)` then holds what is spent on the mean output, the inputs what is spent on variation
#'   about it. Without a constant \eqn{P_x} and V are those of uncentred moments. The allocation does not change with
#'   the units of the inputs, nor with shifts where there is a constant. Where \eqn{P_x} is singular the total is the
#'   rank of \eqn{(T \otimes I_m) J}.
#'
#' Moments are those of a fit's task (of its training inputs for nonlinear networks), or of `data`.
#'
#' @section Rank:
#' Columns of J are scaled to unit norm, so that rescaling a layer changes nothing; columns that are rounding next to
#' the largest of their array (the kernel or the bias of a layer, say) are dropped. J is reduced to a triangle by
#' blocks of Householder QR, and the total is the number of its singular values s_i above `tol` times the largest.
#' [glance()] gives the tolerance, the gap at the rank (s_r / s_(r+1)) and a range for the rank, `attr(x, "spectrum")`
#' the singular values.
#'
#' *Any network.* `rank_low` and `rank_high` are the ranks at ten times and at a tenth of the tolerance.
#'
#' *Trained networks* (fits, and the `network` of a fit). Training drives some products of weights to zero. Where it
#' stops, their remains have singular values far above rounding, and yet they are not capacity: a pair of small weights
#' u = v = x changes the loss by x^4 only, so that training in double precision decides nothing below about 1e-7 s_1. So
#' the rank is counted a second time with T = max(1e-6, `tol`): columns of J above T times the largest of their array,
#' of layers that are alive, scaled to unit norm, and their singular values above T s_1. A layer is alive when
#' \eqn{\max_b |\theta_b| |J_b| / |W|} over its arrays b (Frobenius norms in the metric) exceeds T, or when it reads the
#' input and no other trained parameter lies between it and the output. `rank_low` is the smaller of that count and
#' of the rank at ten times the tolerance, `rank_high` at least the total. `attr(x, "capacity_low")`, and a column of
#' that name of [tidy()][tidy.ca_capacity], is the allocation by the projector whose rank is `rank_low`. For imported
#' networks the count is shown as `rank_trained` and changes nothing.
#'
#' Where `rank_low < rank_high` the capacity is *undecided*: print and [glance()] show the range, and a warning of class
#' `capalloc_warning_rank_gap` says why. An over-parameterised network has no unique allocation, even at exactly
#' stationary points: other starts end at other points of the same loss, with other allocations. Compare several
#' ([tidy.ca_capacity()], [compare_architectures()]).
#'
#' @section Stationarity:
#' Capacity describes what training forced only where the coefficients are stationary. [glance()] gives the convergence
#' number of the network on its data (`gradient_norm`, see [fit()][fit.ca_network], for `data = <task>` that of the
#' task, without the term of weight decay), and print says when it is above 10 times the bound of the fit. It is `NA`
#' for networks that were not trained, for imported ones and for `data` without a response.
#'
#' @section Soft capacity:
#' For a number `ridge` \eqn{\lambda > 0}, P is \eqn{U \mathrm{diag}(s_i^2 / (s_i^2 + \lambda s_1^2)) U'}. It depends on
#' the parametrisation. `ridge = "decay"` is the soft capacity that belongs to a fit with weight decay
#' \eqn{\lambda |\theta|^2} on N rows: in the covariance metric of these rows, columns not scaled,
#' \deqn{P = \tilde D (\tilde D'\tilde D + N \lambda I)^{-1} \tilde D', \qquad \tilde D = (T \otimes I) D.}
#' For a dense layer the total is the effective degrees of freedom of ridge regression, for each output
#' \eqn{\mathrm{tr}\, X'X (X'X + N \lambda I)^{-1}} with the constant penalised like the other columns. For nonlinear
#' networks the total differs from the degrees of freedom of the predictions, \eqn{\mathrm{tr}\, J (J'J + N \lambda
#' I)^{-1} J'} with J their gradients: D is about how predictions depend on the inputs.
#'
#' @param x A network with coefficients, or a fit.
#' @param metric `"identity"`, `"standardised"` or `"covariance"`.
#' @param partition `NULL` for one row per input, or a partition such as
#'   [partition_octaves()].
#' @param ridge 0 for hard capacity, a number > 0 for soft capacity, or `"decay"` for that of the fit's own weight
#' decay.
#' @param tol Relative tolerance of the rank, by default 10 max(m n, p) eps.
#' @param data Inputs as in [predict.ca_network()], in data units, at which a nonlinear network is linearised (a fit
#'   uses those that it was trained on). For linear networks, a task or inputs for the standardised and the covariance
#'   metric of a bare network and for [partition_pca()]. A task also gives the convergence number.
#' @param layers Names of layers, as in [summary.ca_network()], whose parameters count;
#'   `NULL` for all. A residual or parallel layer means all that it holds.
#' @param by For nonlinear networks: `"sample"`, or a group for each row of `data`. The
#'   result has one row for each group and input; over groups capacities sum to those of all samples.
#' @param block Number of input coordinates (for nonlinear networks: of samples) that are
#'   worked on at a time, which bounds memory: about 8 p (8 p + 2 rows of a block) bytes. `NULL` chooses it. With fewer
#'   rows R than parameters p, time grows with p R^2 and memory with R^2 + R times the parameters of the largest layer.
#' @returns A data frame of class `ca_capacity`. Without a partition one row per
#'   input coordinate: `input` (its name), `position` (1 is the oldest), `lag` (`NA`
#'   for vectors), `channel`, `capacity` (effective parameters). With one: `part` (a
#'   factor) and `capacity`. The `(Intercept)` is the last row of networks with a
#'   bias, and of nonlinear ones. Taking rows or binding gives a plain data frame.
#' @section Errors and warnings:
#' `capalloc_error_no_data`: a nonlinear network without `data`. `capalloc_error_decay`: `ridge = "decay"` for a network
#' that is not a fit, a fit without weight decay, a fit by cross-entropy, or with `data`. `capalloc_error_metric`:
#' `ridge = "decay"` with a metric other than the covariance metric.
#'
#' `capalloc_warning_rank_gap`: the rank is undecided. `capalloc_warning_rows_exhausted`: there are too few rows: P is
#' the identity on the samples of a nonlinear network, so that all inputs have the same capacity, or a linear fit has
#' fewer training rows x outputs than its total. `capalloc_warning_unused`: `data` of a linear network for which nothing
#' uses it. `capalloc_warning_constant`: no parameter changes how the output of a
#' nonlinear network depends on its inputs on these rows (units that are never active, for instance). Print repeats the
#' last two.
#' @references Donier, J. (2019). Capacity allocation analysis of neural
#'   networks: a tool for principled architecture design.
#'   \doi{10.48550/arXiv.1902.04485}. The metrics, soft capacity and the
#'   rules for the rank are this package's own. Kessy, A., Lewin, A. and Strimmer, K. (2018). Optimal whitening and
#'   decorrelation. \doi{10.1080/00031305.2016.1277159}.
#' @seealso [autoplot.ca_capacity()], [partition_octaves()], [task_demand()].
#' @examples
#' net <- input_sequence(16)
#' for (d in 2^(0:3)) net <- layer_conv(net, 1, kernel = 2, dilation = d)
#' net <- initialise(net, seed = 1)
#' capacity(net)
#' capacity(net, partition = partition_octaves())
#' glance(capacity(net))
#' @export
capacity <- function(x, metric = c("identity", "standardised", "covariance"), partition = NULL, ridge = 0, tol = NULL,
                     data = NULL, layers = NULL, by = NULL, block = NULL) {
  allocation <- read_allocation(x, metric, ridge, tol, data, layers, block)
  input <- allocation$network$input
  check_partition(partition, input)
  group <- capacity_sample_groups(by, allocation)
  warn_unused_allocation_data(allocation, isTRUE(partition$needs_moments) || inherits(data, "ca_task"))
  cut <- partition_cut_inputs(partition, allocation)
  core <- allocate_capacity(allocation, "capacity", list(
    turned = partition_turned_rows(cut$Q, allocation), group = if (!is.null(group)) as.integer(group)
  ))
  # columns of the data frame. answer: capacities (outputs and coordinates x groups of samples), outputs fastest
  frames_of <- function(answer) {
    lapply(seq_len(ncol(answer)), function(g) {
      kappa <- matrix(answer[, g], allocation$m)
      if (is.null(partition)) {
        c(input_frame(input, allocation$intercept), list(capacity = colSums(kappa)))
      } else {
        partition_part_sums(kappa, cut, allocation$intercept)
      }
    })
  }
  columns <- capacity_bind_groups(frames_of(core$answer), group)
  low <- if (core$evidence$is_trained) {
    if (is.null(core$low)) columns$capacity else capacity_bind_groups(frames_of(core$low), group)$capacity
  }
  notices <- capacity_notices(allocation, core$rank, colSums(matrix(rowSums(core$answer), allocation$m)))
  warn_notices(notices)
  new_frame(columns, "ca_capacity",
    total = if (rank_soft(allocation)) sum(core$answer) else as.double(core$rank),
    evidence = core$evidence, spectrum = core$values, capacity_low = low, stationarity = stationarity_of(allocation),
    notices = notices, metric = allocation$metric, ridge = rank_reported_ridge(allocation),
      decay = allocation$decay > 0,
    n_params = allocation$n_kept, n_inputs = allocation$n, n_outputs = allocation$m, input_kind = input$kind,
    linear = is.null(allocation$samples), n_samples = max(nrow(allocation$samples), 1),
    source = if (inherits(x, "ca_fit")) {
      new_capacity_source(fit = x, asked = list(
        metric = allocation$metric, partition = partition, ridge = ridge, tol = tol, data = data, layers = layers,
        by = by, block = block
      ))
    }
  )
}

# The source of a capacity: the fit, and the other arguments of capacity() as a named list.
new_capacity_source <- function(fit, asked) list(fit = fit, asked = asked)

# The group of each sample as a factor, NULL for one group of all samples.
capacity_sample_groups <- function(by, allocation, call = rlang::caller_env()) {
  if (is.null(by)) return(NULL)
  if (is.null(allocation$samples)) {
    abort(c(
      "{.arg by} must be {.code NULL} for a linear network: its allocation is the same at all inputs."
    ), "value", call = call)
  }
  n <- nrow(allocation$samples)
  if (identical(by, "sample")) return(factor(seq_len(n)))
  if (!is.atomic(by) || length(by) != n || anyNA(by)) {
    abort(c(
      "{.arg by} must be {.val sample}, or a group for each of the {n} row{?s} of {.arg data}.",
      x = "It is {show_value(by)}."
    ), "value", call = call)
  }
  droplevels(as.factor(by))
}

# Columns of the data frames of all groups, one below the other, after a column `group`.
capacity_bind_groups <- function(frames, group) {
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
#'   (coordinates, with the constant), `tol`, `gap`, `rank_low`, `rank_high`, `undecided` (whether these differ; `FALSE`
#'   for soft capacity), `gradient_norm` and `converged` (of the network on its data, `NA` where not known), `metric`,
#'   `ridge` (lambda of the fit for `ridge = "decay"`), and for imported networks `rank_trained`.
#'   `tidy()`: the same rows as a plain data frame, for trained networks with `capacity_low`, and with intervals on
#'   request ([tidy.ca_capacity()]). `augment()`: the same rows with `.share`, of the total. `summary()`: a list with
#'   the `glance` row and, for sequences, `octaves` (part, capacity, share).
#'   `c()`: one data frame with a first column `network`, for one picture of several
#'   capacities on one scale.
#' @section Errors:
#' `c()` refuses capacities in different metrics (`capalloc_error_metric`) or with different columns
#' (`capalloc_error_shape`).
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
  cat(capacity_note_lines(capacity_notes(x)), sep = "")
  shown <- plain_frame(x)[seq_len(min(n, nrow(x))), , drop = FALSE]
  print(shown, row.names = FALSE, digits = 4)
  if (nrow(x) > nrow(shown)) cat("  ... and ", nrow(x) - nrow(shown), " more rows\n", sep = "")
  invisible(x)
}

capacity_headline <- function(x) {
  paste0(
    "<capacity> ", capacity_soft_text(x), "total ", capacity_total_text(x), " of ", format_count(attr(x, "n_params"),
      "parameter"),
    " over ", format_count(attr(x, "n_inputs"), "input"),
    if (isFALSE(attr(x, "linear"))) paste(" at", format_count(attr(x, "n_samples"), "sample")),
    ", ", attr(x, "metric"), " metric"
  )
}

# "soft (ridge 0.1) ", "soft (weight decay 0.01) ", or "" for hard capacity.
capacity_soft_text <- function(x) {
  if (!(attr(x, "ridge") > 0)) return("")
  paste0("soft (", if (isTRUE(attr(x, "decay"))) "weight decay " else "ridge ", format(attr(x, "ridge")), ") ")
}

# The total, with its range where it is undecided: "28 (14 to 28, undecided)".
capacity_total_text <- function(x) {
  evidence <- attr(x, "evidence")
  paste0(
    format(attr(x, "total"), digits = 6),
    if (isTRUE(evidence$undecided)) paste0(" (", evidence$rank_low, " to ", evidence$rank_high, ", undecided)")
  )
}

# Lines that print() shows below the headline.
capacity_notes <- function(x) c(stationarity_text(attr(x, "stationarity")), unname(attr(x, "notices")))

# Notes as wrapped and indented text.
capacity_note_lines <- function(notes) {
  vapply(notes, function(note) {
    paste0(paste(strwrap(note, width = 100L, indent = 2L, exdent = 4L), collapse = "\n"), "\n")
  }, "")
}

#' @rdname ca_capacity
#' @export
summary.ca_capacity <- function(object, ...) {
  check_dots(...)
  out <- list(headline = capacity_headline(object), notes = capacity_notes(object), glance = glance(object))
  if (!is.null(object$lag) && any(!is.na(object$lag))) {
    inputs <- !is.na(object$position) # without the (Intercept)
    octaves <- light_frame(partition_group_sums(object$capacity[inputs], partition_octave_of(object$lag[inputs])))
    octaves$share <- octaves$capacity / attr(object, "total")
    out$octaves <- octaves
  }
  structure(out, class = "ca_capacity_summary")
}

#' @export
print.ca_capacity_summary <- function(x, ...) {
  g <- x$glance
  cat(x$headline, "\n", sep = "")
  cat(capacity_note_lines(x$notes), sep = "")
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
      "Capacities must have unique names, such as {.code c(dense = a, conv = b)}.",
      x = "Their names are {show_value(names)}."
    ), "value")
  }
  for (i in seq_along(parts)) {
    if (!inherits(parts[[i]], "ca_capacity")) {
      abort(c("{.arg {names[[i]]}} must be a capacity.", x = "It is {show_value(parts[[i]])}."), "type")
    }
    if (!identical(names(parts[[i]]), names(parts[[1L]]))) {
      abort(c(
        "Capacities must have the same columns to be combined.",
        x = "{.arg {names[[i]]}} has {.val {names(parts[[i]])}}, {.arg {names[[1]]}}
          {.val {names(parts[[1]])}}."
      ), "shape")
    }
    if (attr(parts[[i]], "metric") != attr(parts[[1L]], "metric")) {
      abort(c(
        "Capacities must be in the same metric to be combined.",
        x = "{.arg {names[[i]]}} is in the {attr(parts[[i]], \"metric\")} metric, {.arg {names[[1]]}} in the
          {attr(parts[[1]], \"metric\")} metric.",
        i = "Use {.code metric = \"standardised\"}, which is comparable between fits and other networks."
      ), "metric")
    }
  }
  rows <- do.call(rbind, lapply(parts, plain_frame))
  network <- factor(rep(names, vapply(parts, nrow, 0L)), levels = names)
  new_frame(c(list(network = network), as.list(rows)), "ca_capacities",
    totals = vapply(parts, function(x) attr(x, "total"), 0),
    linear = all(vapply(parts, function(x) !isFALSE(attr(x, "linear")), NA)),
    metric = attr(parts[[1L]], "metric"), input_kind = attr(parts[[1L]], "input_kind"),
    n_outputs = attr(parts[[1L]], "n_outputs")
  )
}

# Differences between capacities that are not above this are numerical error and count as zero.
same_capacity <- 1e-6

#' @rdname ca_capacity
#' @export
glance.ca_capacity <- function(x, ...) {
  check_dots(...)
  evidence <- attr(x, "evidence")
  stationarity <- attr(x, "stationarity")
  light_frame(c(
    list(total = attr(x, "total"), n_params = attr(x, "n_params"), n_inputs = attr(x, "n_inputs")),
    rank_columns(evidence),
    list(
      gradient_norm = stationarity$gradient_norm, converged = stationarity$converged, metric = attr(x, "metric"),
      ridge = attr(x, "ridge")
    ),
    if (evidence$is_imported) list(rank_trained = evidence$rank_trained)
  ))
}

#' @rdname ca_capacity
#' @export
augment.ca_capacity <- function(x, ...) {
  check_dots(...)
  rows <- plain_frame(x)
  rows$.share <- rows$capacity / attr(x, "total")
  rows
}

# One row for each network.
#' @export
glance.ca_capacities <- function(x, ...) {
  check_dots(...)
  totals <- attr(x, "totals")
  light_frame(list(network = names(totals), total = unname(totals)))
}
