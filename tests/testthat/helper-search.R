# What the tests of searches share.

# The same search but for the seconds of its runs.
timeless_search <- function(search) {
  search$comparison <- timeless(search$comparison)
  search$candidates$seconds <- NULL
  search
}

# Which candidates no other beats, pair by pair, in words of the help page. Losses are equal within `resolution`.
slow_frontier <- function(capacity, excess, n_params, resolution) {
  vapply(seq_along(excess), function(i) {
    for (j in setdiff(seq_along(excess), i)) {
      equal <- abs(excess[[j]] - excess[[i]]) <= resolution
      less_loss <- excess[[j]] < excess[[i]] && !equal
      less_capacity <- capacity[[j]] < capacity[[i]]
      if ((less_loss || equal) && capacity[[j]] <= capacity[[i]] && (less_loss || less_capacity)) return(FALSE)
      if (equal && capacity[[j]] == capacity[[i]] && n_params[[j]] < n_params[[i]]) return(FALSE)
    }
    TRUE
  }, NA)
}

# A number for each range, from the least on: the same for ranges that overlap, be it through others, by joining two
# at a time.
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
