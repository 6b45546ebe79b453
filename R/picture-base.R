# Shared by all pictures: colours, the theme, axes and ticks.

ink <- "#0072B2" # Okabe and Ito's blue, safe for colour-blind readers and in print
orange <- "#D55E00"
pale <- "#9CC7E5" # fills of bars, bands and strips that have something drawn on them
grey <- "grey60"
palette <- c("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#999999")
depths <- c("#FFFFFF", "#A6D5F2", "#0072B2", "#00263B") # from 0 to the largest value
signs <- c("#7A3300", "#D55E00", "#FFFFFF", "#0072B2", "#00263B") # negative, zero, positive

# The background is white instead of transparent, so that a saved picture is readable on a page of any colour.
picture_theme <- function() {
  ggplot2::theme_minimal() + ggplot2::theme(
    panel.grid.minor = ggplot2::element_blank(), legend.position = "bottom",
    plot.background = ggplot2::element_rect(fill = "white", colour = NA)
  )
}

# Returns a list: `at` and `labels` of the ticks, `limits` of the axis, and `half` the width of a tile.
picture_as_axis <- function(x, flip = FALSE) {
  half <- picture_tile_size(x) / 2
  ends <- if (is.factor(x)) c(1, nlevels(x)) else if (length(x) > 0L) range(x) else c(1, 1)
  limits <- ends + c(-half, half)
  at <- if (is.factor(x)) seq_len(nlevels(x)) else picture_whole_breaks(limits)
  list(at = at, labels = if (is.factor(x)) levels(x) else at, limits = if (flip) rev(limits) else limits, half = half)
}

# Axis of a picture of single coordinates. Returns a list: `at`, the lag of each coordinate of a sequence with one
# channel, else `number`, and `label` of the axis.
picture_input_axis <- function(rows, kind, number) {
  if (kind == "sequence" && max(rows$channel, 1, na.rm = TRUE) == 1) {
    return(list(at = rows$lag, label = "lag (1 is the newest input)"))
  }
  list(at = number, label = "input")
}

# Ticks at integers only, since lags, positions, rows and columns are integers.
picture_whole_breaks <- function(limits) {
  at <- pretty(limits)
  at[at == floor(at) & at >= min(limits) & at <= max(limits)]
}

# Width of a tile: the least distance between two values of x. Where inputs were thinned out it is above 1, so that
# neighbouring tiles still touch.
picture_tile_size <- function(x) {
  if (is.factor(x)) return(1)
  at <- sort(unique(x))
  if (length(at) > 1L) min(diff(at)) else 1
}
