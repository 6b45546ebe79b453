# Numbers and text for print methods.

format_count <- function(n, noun) paste0(format(n, big.mark = ","), " ", noun, if (n == 1) "" else "s")

format_p <- function(p) {
  ifelse(is.na(p), "", ifelse(p < 0.001, "<0.001", formatC(p, digits = 3, format = "f")))
}

# Returns texts such as "0.012 [0.01, 0.014]": the number alone where the interval is NA, "" where the estimate is NA.
format_with_interval <- function(estimate, low, high, digits = 3) {
  number <- function(x) vapply(x, function(v) format(signif(format_without_rounding(v), digits)), "")
  out <- number(estimate)
  has <- !is.na(low) & !is.na(high)
  out[has] <- paste0(out[has], " [", number(low[has]), ", ", number(high[has]), "]")
  out[is.na(estimate)] <- ""
  out
}

# Returns texts such as "16 (13 to 19)": the number alone where `low` and `high` are equal, "" where it is NA.
format_with_range <- function(middle, low, high, digits = 4) {
  number <- function(x) vapply(x, function(v) format(v, digits = digits), "")
  out <- number(middle)
  wide <- which(low < high)
  out[wide] <- paste0(out[wide], " (", number(low[wide]), " to ", number(high[wide]), ")")
  out[is.na(middle)] <- ""
  out
}

# Replaces numbers below 1e-13 in absolute value by 0 for printing: an excess loss of 1e-16 is rounding error.
format_without_rounding <- function(x) if (is.numeric(x)) ifelse(abs(x) < 1e-13, 0, x) else x

format_extent <- function(extent) paste(format(extent, scientific = FALSE, trim = TRUE), collapse = " x ")

# Returns extents as (height, width). A sequence has a single extent, its width; its height is `height`.
format_two <- function(extent, height = 1L) {
  if (length(extent) == 1L) c(height, extent) else extent
}
