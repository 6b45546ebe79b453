# Comparisons combined: the runs of several comparisons as one.

#' Combine comparisons
#'
#' The runs of several comparisons as one, for studies that were computed in parts: other networks, tasks or replicates
#' with the same `seed` and `n_obs`. Parts that were computed with one seed equal the study that is computed at once.
#'
#' Networks and tasks of one name must have the same values, and replicates of a task the same seeds (and resamples), so
#' that the networks of a replicate share their sample. A run that is in several parts must have the same results in all
#' of them; it is kept once. Pairs of network and task that no part has are missing. The arguments of
#' [fit()][fit.ca_network()] are not stored in a comparison, so they are not compared.
#'
#' @param ... Comparisons, from [compare_architectures()].
#' @param deparse.level Not used.
#' @returns A comparison.
#' @section Errors:
#' `capalloc_error_type`: an argument that is no comparison. `capalloc_error_value`: parts that contradict each other;
#' the message names where.
#' @seealso `checkpoint` of [compare_architectures()], which extends a study in its directory.
#' @examples
#' tasks <- classical_tasks(8)[c("ar", "fgn")]
#' first <- compare_architectures(list(dense = arch_dense(8)), tasks, replicates = 2)
#' second <- compare_architectures(list(conv = arch_conv(8, 1, 3)), tasks, replicates = 2)
#' c(first, second)
#' @name c.ca_comparison
NULL

#' @rdname c.ca_comparison
#' @export
c.ca_comparison <- function(...) combine_comparisons(list(...))

#' @rdname c.ca_comparison
#' @export
rbind.ca_comparison <- function(..., deparse.level = 1) combine_comparisons(list(...))

combine_comparisons <- function(parts, call = rlang::caller_env()) {
  for (i in seq_along(parts)) check_metric_comparison(parts[[i]], paste0("..", i), call)
  check_combine_common(parts, call)
  out <- parts[[1L]]
  out$networks <- combine_named(parts, "networks", call)
  out$tasks <- combine_named(parts, "tasks", call)
  runs <- combine_runs(parts, call)
  order <- order(match(runs$task, names(out$tasks)), match(runs$network, names(out$networks)), runs$replicate)
  out$runs <- runs[order, , drop = FALSE]
  rownames(out$runs) <- NULL
  out$allocation <- combine_allocations(parts, out$runs)
  demand <- stack_frames(lapply(parts, function(part) plain_frame(part$demand)))
  out$demand <- demand[!duplicated(demand[c("task", "input")]), , drop = FALSE]
  rownames(out$demand) <- NULL
  out$replicates <- max(out$runs$replicate)
  out$generic_rank <- unlist(lapply(parts, `[[`, "generic_rank"))[names(out$networks)]
  out["resamples"] <- list(combine_resamples(parts))
  out
}

# Every part has the same n_obs, and a replicate of a task the same seed and resample in all parts.
check_combine_common <- function(parts, call) {
  sizes <- unique(vapply(parts, function(part) as.double(part$n_obs), 0))
  if (length(sizes) > 1L) {
    abort(c("Combined comparisons must have the same {.arg n_obs}.", x = "They have {sizes}."), "value", call = call)
  }
  with <- vapply(parts, function(part) !is.null(part$resamples), NA)
  if (any(with) && !all(with)) {
    abort("Comparisons with and without {.arg resamples} cannot be combined.", "value", call = call)
  }
  seeds <- stack_frames(lapply(parts, function(part) plain_frame(part$runs)[c("task", "replicate", "seed")]))
  key <- paste(seeds$task, seeds$replicate, sep = "\r")
  differs <- which(seeds$seed != seeds$seed[match(key, key)])
  if (length(differs) > 0L) {
    first <- seeds[differs[[1L]], ]
    abort(c("Combined comparisons must have the same seed for each task and replicate.",
      x = "Those of replicate {first$replicate} of {.val {first$task}} differ.",
      i = "Compute the parts with the same {.arg seed}."), "value", call = call)
  }
  for (task in unique(unlist(lapply(parts, function(part) names(part$resamples))))) {
    own <- lapply(parts, function(part) part$resamples[[task]])
    own <- own[lengths(own) > 0L]
    n <- min(lengths(own))
    same <- vapply(own, function(r) identical(r[seq_len(n)], own[[1L]][seq_len(n)]), NA)
    if (!all(same)) {
      abort("The resamples of {.val {task}} differ between the comparisons.", "value", call = call)
    }
  }
}

# The networks or tasks of all parts by name; those of one name must have the same values.
combine_named <- function(parts, what, call) {
  all <- unlist(lapply(unname(parts), `[[`, what), recursive = FALSE)
  first <- all[!duplicated(names(all))]
  same <- rep(TRUE, length(all))
  for (i in which(duplicated(names(all)))) {
    same[[i]] <- fingerprint(all[[i]]) == fingerprint(first[[names(all)[[i]]]])
  }
  if (all(same)) return(first)
  abort(c("{.field {what}} of the same name must be the same in all comparisons.",
    x = "{.val {names(all)[!same][[1L]]}} differs."), "value", call = call)
}

# The runs of all parts, each once. Columns that only some parts have are NA elsewhere.
combine_runs <- function(parts, call) {
  columns <- unique(unlist(lapply(parts, function(part) names(part$runs))))
  runs <- stack_frames(lapply(parts, function(part) {
    rows <- plain_frame(part$runs)
    rows[setdiff(columns, names(rows))] <- NA
    rows[columns]
  }))
  key <- combine_keys(runs)
  # times differ from call to call
  values <- do.call(paste, c(lapply(runs[setdiff(columns, "seconds")], format, digits = 15), sep = "\r"))
  differs <- which(values != values[match(key, key)])
  if (length(differs) > 0L) {
    first <- runs[differs[[1L]], ]
    abort(c("A run that is in several comparisons must be the same in all of them.",
      x = "Replicate {first$replicate} of {.val {first$network}} on {.val {first$task}} differs."), "value",
    call = call)
  }
  runs[!duplicated(key), , drop = FALSE]
}

combine_keys <- function(rows) paste(rows$network, rows$task, rows$replicate, sep = "\r")

# The allocations of the runs, in their order.
combine_allocations <- function(parts, runs) {
  columns <- unique(unlist(lapply(parts, function(part) names(part$allocation))))
  columns <- c(setdiff(columns, "capacity"), "capacity")
  seen <- character()
  frames <- lapply(parts, function(part) {
    rows <- plain_frame(part$allocation)
    rows[setdiff(columns, names(rows))] <- NA
    key <- combine_keys(rows)
    kept <- rows[!key %in% seen, columns, drop = FALSE]
    seen <<- union(seen, unique(key))
    kept
  })
  rows <- stack_frames(frames)
  rows <- rows[order(match(combine_keys(rows), combine_keys(runs))), , drop = FALSE]
  rownames(rows) <- NULL
  rows
}

# By task the longest list of resamples; the shorter ones begin alike.
combine_resamples <- function(parts) {
  tasks <- unique(unlist(lapply(parts, function(part) names(part$resamples))))
  if (length(tasks) == 0L) return(NULL)
  lapply(stats::setNames(nm = tasks), function(task) {
    own <- lapply(parts, function(part) part$resamples[[task]])
    own[[which.max(lengths(own))]]
  })
}
