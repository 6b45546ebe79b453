# Candidates of a search: networks of a family, with the arguments that they were built with. The names of a list of
# candidates are shown in tables and pictures.

# One candidate of a search:
#   family     name of a preset or of the function, NA for networks that are given
#   arguments  named list of the arguments that it was built with
#   network    NULL where it could not be built
#   error      message why it is not trained: it could not be built, or is above the budget; else NULL
new_candidate <- function(family, arguments, network = NULL, error = NULL) {
  list(family = family, arguments = arguments, network = network, error = error)
}

# The named list of candidates of a search. `family` and `grid` are as in search_architecture(): names of presets, a
# function with its grid, or a list of networks.
search_candidates <- function(family, grid, task, budget, label, call = rlang::caller_env()) {
  if (is.character(family)) {
    check_candidate_family(family, grid, task, call)
    found <- if (is.null(grid)) preset_candidates(family, task, budget, call) else
      grid_candidates(search_families[[family]]$build, grid, task, family, call)
  } else if (is.function(family)) {
    found <- grid_candidates(family, grid, task, label, call)
  } else {
    found <- given_candidates(family, grid, call)
  }
  candidates_within_budget(found, budget, call)
}

# ---- presets -------------------------------------------------------------------------------------

# A family that search_architecture() has by name:
#   build  the function arch_*() of that name
#   grid   function(n, budget): a data frame of arguments for n positions (on a grid, its shorter side). Sizes are those
#          of candidate_ladder(); candidates above the budget are removed later.
#   kinds  kinds of inputs that it can have
preset_candidate <- function(build, grid, kinds = c("sequence", "grid")) list(build = build, grid = grid, kinds = kinds)

search_families <- list(
  dense = preset_candidate(arch_dense, function(n, budget) data.frame(row.names = 1L), any_kind),
  deep = preset_candidate(arch_deep, function(n, budget) expand_candidates(units = candidate_ladder(budget / n),
    depth = 1:3), any_kind),
  low_rank = preset_candidate(arch_low_rank, function(n, budget) {
    expand_candidates(filters = candidate_ladder(budget / 2), kernel = candidate_windows(n))
  }),
  local = preset_candidate(arch_local, function(n, budget) expand_candidates(filters = candidate_ladder(budget / n),
    kernel = candidate_windows(n))),
  conv = preset_candidate(arch_conv, function(n, budget) {
    candidates_that_fit(n, expand_candidates(filters = 1:2, kernel = candidate_windows(n), depth = 1:3))
  }),
  dilated = preset_candidate(arch_dilated, function(n, budget) candidate_dilations(n, candidate_narrow(budget))),
  separable = preset_candidate(arch_separable, function(n, budget) {
    candidates_that_fit(n, expand_candidates(filters = 1:3, kernel = candidate_windows(n), depth = 1:2))
  }),
  residual = preset_candidate(arch_residual, function(n, budget) {
    candidates_that_fit(n, expand_candidates(filters = candidate_ladder(3), kernel = c(2, 3, 5),
      blocks = candidate_ladder(n)), depth = "blocks")
  }),
  densenet = preset_candidate(arch_densenet, function(n, budget) {
    candidates_that_fit(n, expand_candidates(filters = candidate_ladder(2), kernel = c(2, 3, 5, 8),
      depth = candidate_ladder(8)))
  }),
  strided = preset_candidate(arch_strided, function(n, budget) expand_candidates(filters = candidate_narrow(budget),
    kernel = candidate_windows(n))),
  pooled = preset_candidate(arch_pooled, function(n, budget) {
    candidates_that_fit(n, expand_candidates(filters = candidate_narrow(budget), kernel = c(1, 2, 3, 5)))
  }),
  hierarchical = preset_candidate(arch_hierarchical, function(n, budget) {
    expand_candidates(filters = candidate_narrow(budget), kernel = candidate_windows(n), shared = c(FALSE, TRUE))
  }),
  unet = preset_candidate(arch_unet, function(n, budget) {
    expand_candidates(filters = candidate_ladder(4), kernel = c(2, 3, 5), depth = seq_len(min(4, ceiling(log2(n)))))
  }),
  recurrent = preset_candidate(arch_recurrent, function(n, budget) {
    expand_candidates(units = candidate_ladder(min(n, budget / 3)), cell = c("elman", "diagonal"), depth = 1:2)
  }, "sequence"),
  conv_recurrent = preset_candidate(arch_conv_recurrent, function(n, budget) {
    choices <- expand_candidates(filters = candidate_ladder(4), kernel = c(2, 4, 8), units = candidate_ladder(min(n,
      sqrt(budget))))
    choices[choices$kernel <= n, , drop = FALSE]
  }, "sequence")
)

# Arguments of dilated convolutions. If the growth is at most the kernel size, the output depends on every position of
# its receptive field. A growth of kernel + 1 skips some, for a longer memory with the same capacity.
candidate_dilations <- function(n, filters) {
  choices <- expand_candidates(filters = filters, kernel = 2:3, growth = 2:4, depth = seq_len(arch_dilated_depth(n)))
  # a single layer is not dilated, so its growth does not matter
  keep <- mapply(function(kernel, growth, depth) {
    growth <= kernel + (depth > 1) && (depth > 1 || growth == 2) && depth <= arch_dilated_depth(n, kernel, growth)
  }, choices$kernel, choices$growth, choices$depth)
  choices[keep, , drop = FALSE]
}

# 1, 2, 3, 4, 6, 8, 12, 16, .. up to `most`, and 1 in any case.
candidate_ladder <- function(most) {
  steps <- sort(unique(c(1, outer(c(2, 3), 2^(0:20)))))
  steps[steps <= max(1, most)]
}

# Widths of layers whose number of parameters grows with the square of the width.
candidate_narrow <- function(budget) candidate_ladder(min(8, sqrt(budget)))

# Kernel sizes from 2 up to the number of positions n.
candidate_windows <- function(n) candidate_ladder(max(n, 2))[-1L]

# The stacks of convolutions whose receptive field is no longer than the n positions. A single layer with a kernel of 2
# is always kept.
candidates_that_fit <- function(n, choices, depth = "depth") {
  layers <- if (is.null(choices[[depth]])) 1 else choices[[depth]]
  choices[layers * (choices$kernel - 1) < n | choices$kernel == 2 & layers == 1, , drop = FALSE]
}

expand_candidates <- function(...) expand.grid(..., KEEP.OUT.ATTRS = FALSE, stringsAsFactors = FALSE)

# Candidates of the presets' own grids within the budget. Presets whose candidates are all above it are named in a
# warning; if all presets are, that is an error.
preset_candidates <- function(family, task, budget, call) {
  base <- new_network(task$input)
  n <- if (shape_output_kind(base) == "vector") input_size(task$input) else min(window_extent_of(base))
  found <- lapply(stats::setNames(nm = family), function(name) {
    preset <- search_families[[name]]
    all <- grid_candidates(preset$build, preset$grid(n, budget), task, name, call, label = length(family) > 1L)
    list(all = all, fits = candidate_sizes(all) <= budget)
  })
  within <- vapply(found, function(x) any(x$fits), NA)
  if (!any(within)) abort_candidates_budget(unlist(unname(lapply(found, `[[`, "all")), recursive = FALSE), budget, call)
  if (!all(within)) {
    least <- vapply(found[!within], function(x) min(candidate_sizes(x$all)), 0)
    warn(c(
      "Presets are left out whose smallest candidates have more parameters than the {.arg budget} of {budget}:
        {paste0(names(least), ' (', least, ')')}."
    ), "budget")
  }
  unlist(unname(lapply(found, function(x) x$all[x$fits])), recursive = FALSE)
}

check_candidate_family <- function(family, grid, task, call) {
  known <- names(search_families)
  wrong <- family[is.na(family) | !family %in% known]
  if (length(wrong) > 0L || length(family) == 0L) {
    abort(c(
      "{.arg family} must be among {.val {known}}, or a function with a {.arg grid}, or a named list of networks.",
      x = if (length(family) == 0L) "It is empty." else "It has {.val {wrong}}."
    ), "value", call = call)
  }
  if (anyDuplicated(family)) {
    abort(c(
      "{.arg family} must have different names.",
      x = "{.val {family[duplicated(family)]}} occurs more than once."
    ), "value", call = call)
  }
  if (!is.null(grid) && length(family) > 1L) {
    abort(c("{.arg family} must be one preset where a {.arg grid} is given.", x = "It is {.val {family}}."),
      "value", call = call)
  }
  kind <- task$input$kind
  refused <- family[!vapply(search_families[family], function(preset) kind %in% preset$kinds, NA)]
  if (length(refused) == 0L) return(invisible())
  abort(c(
    "{.arg family} must have networks that accept the input of {.arg task}.",
    x = "{.val {refused}} {?does/do} not accept {describe_input_shape(task$input)}.",
    i = if (kind == "vector")
      "Create the task with an {.arg input}, such as {.code input_sequence({input_size(task$input)})}."
  ), "shape", call = call)
}

# ---- a function over a grid ----------------------------------------------------------------------

# One candidate for each row of `grid`; a candidate that cannot be built has an error instead of a network. `label` puts
# the family in front of the names of candidates. Equal names are numbered.
grid_candidates <- function(build, grid, task, family, call, label = FALSE) {
  takes <- names(formals(build))
  grid <- check_candidate_grid(grid, takes, family, call)
  own <- list(outputs = task$outputs, bias = has_task_intercept(task))
  own <- own[names(own) %in% setdiff(takes, names(grid))]
  rows <- lapply(seq_len(nrow(grid)), function(i) {
    arguments <- lapply(grid, function(column) column[[i]])
    built <- tryCatch(
      check_network(do.call(build, c(list(new_network(task$input)), arguments, own)), arg = "family()"),
      error = function(e) flat_message(e)
    )
    if (is.character(built)) new_candidate(family, arguments, error = built) else
      new_candidate(family, arguments, built)
  })
  names <- vapply(rows, function(row) candidate_name(row$arguments, if (label || length(grid) == 0L) family), "")
  again <- stats::ave(seq_along(names), names, FUN = seq_along)
  stats::setNames(rows, paste0(names, ifelse(again > 1L, paste0(" #", again), "")))
}

# A name such as "conv filters=2 kernel=5"; arguments that are texts are shown without their names, as in "recurrent
# units=2 elman".
candidate_name <- function(arguments, family = NULL) {
  said <- vapply(arguments, candidate_argument_text, "")
  own <- vapply(arguments, is.character, NA)
  said[!own] <- paste0(names(arguments), "=", said)[!own]
  paste(c(family, said), collapse = " ")
}

# The text of one value, or of several values with dashes between them.
candidate_argument_text <- function(x) {
  if (is.function(x)) return("function")
  paste(vapply(as.list(x), function(v) paste(format(v, digits = 4), collapse = "-"), ""), collapse = "-")
}

check_candidate_grid <- function(grid, takes, family, call) {
  if (!is.data.frame(grid) || nrow(grid) == 0L) {
    abort(c(
      "{.arg grid} must be a data frame with one row per candidate and columns that are arguments of {.arg family}.",
      x = "It is {show_value(grid)}."
    ), "type", call = call)
  }
  takes <- takes[-1L]
  wrong <- setdiff(names(grid), takes)
  if (length(wrong) > 0L && !"..." %in% takes) {
    abort(c(
      "{.arg grid} must have columns that are arguments of {family}: {.val {takes}}.",
      x = "It has {.val {wrong}}."
    ), "value", call = call)
  }
  columns <- lapply(grid, function(column) if (is.factor(column)) as.character(column) else column)
  structure(columns, class = "data.frame", row.names = seq_len(nrow(grid)))
}

# ---- networks of the user's own ------------------------------------------------------------------

given_candidates <- function(networks, grid, call) {
  if (!is.list(networks) || inherits(networks, c("ca_network", "ca_task"))) {
    abort(c(
      "{.arg family} must be names of presets, a function with a {.arg grid}, or a named list of networks.",
      x = "It is {show_value(networks)}."
    ), "type", call = call)
  }
  check_named(networks, check_network, arg = "family", call = call)
  if (!is.null(grid)) {
    abort(c("{.arg grid} must be {.code NULL} for networks that are given.", x = "It is {show_value(grid)}."),
      "value", call = call)
  }
  lapply(networks, function(network) new_candidate(NA_character_, list(), network))
}

# ---- the budget ----------------------------------------------------------------------------------

# Candidates above the budget are kept with an error, so that results list them. No candidate within it is an error.
candidates_within_budget <- function(found, budget, call) {
  sizes <- candidate_sizes(found)
  if (all(sizes > budget)) abort_candidates_budget(found, budget, call)
  over <- is.finite(sizes) & sizes > budget
  found[over] <- Map(function(x, size) {
    x$error <- paste0("above the budget: ", size, " parameters")
    x
  }, found[over], sizes[over])
  found
}

# Numbers of parameters, Inf for candidates without a network.
candidate_sizes <- function(found) {
  vapply(found, function(x) if (is.null(x$network)) Inf else n_params(x$network), 0)
}

abort_candidates_budget <- function(found, budget, call) {
  sizes <- candidate_sizes(found)
  if (all(is.infinite(sizes))) {
    abort(c(
      "{.arg family} must have a candidate that can be built.",
      x = "The first one has the error: {found[[1L]]$error}"
    ), "value", call = call)
  }
  least <- which.min(sizes)
  abort(c(
    "{.arg budget} must be at least {sizes[[least]]}, the number of parameters of the smallest candidate.",
    x = "It is {budget}. The smallest candidate is {.val {names(found)[[least]]}}."
  ), "budget", call = call)
}
