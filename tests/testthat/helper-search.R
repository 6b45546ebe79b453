# Helpers of the tests of searches.

# Returns the search without the seconds of its runs.
timeless_search <- function(search) {
  search$comparison <- timeless(search$comparison)
  search$candidates$seconds <- NULL
  search
}

# Returns which candidates are on the frontier, pair by pair as on the help page. Losses are equal within `resolution`.
slow_frontier <- function(rows, resolution) {
  within <- function(i, j) {
    rows$total_low[[j]] <= rows$total_capacity[[i]] && rows$total_capacity[[i]] <= rows$total_high[[j]]
  }
  vapply(seq_len(nrow(rows)), function(i) {
    for (j in setdiff(seq_len(nrow(rows)), i)) {
      equal <- abs(rows$excess_loss[[j]] - rows$excess_loss[[i]]) <= resolution
      less_loss <- rows$excess_loss[[j]] < rows$excess_loss[[i]] && !equal
      as_much <- within(i, j) && within(j, i)
      less_capacity <- rows$total_capacity[[j]] < rows$total_capacity[[i]] && !as_much
      if ((less_loss || equal) && (less_capacity || as_much && less_loss)) return(FALSE)
      if (equal && as_much && rows$n_params[[j]] < rows$n_params[[i]]) return(FALSE)
    }
    TRUE
  }, NA)
}

# Returns a group number for each range, in increasing order: ranges that overlap, directly or through others, have the
# same number. Groups are joined two at a time.
slow_sizes <- function(low, high) {
  group <- seq_along(low)
  for (round in seq_along(low)) {
    for (i in seq_along(low)) {
      for (j in seq_along(low)) {
        if (low[[i]] <= high[[j]] && low[[j]] <= high[[i]]) group[group == group[[j]]] <- group[[i]]
      }
    }
  }
  least <- tapply(low, group, min)[as.character(group)]
  match(least, sort(unique(least)))
}
