# Blocks of neighbouring rows, for the moving-block bootstrap of rows in order of time.

# The default length of a block for N rows that see `window` times each: the cube root of N or the window, at most half
# of the rows.
default_block_length <- function(N, window) max(1L, min(max(as.integer(ceiling(N^(1 / 3))), window), N %/% 2L))

# Row numbers (length n) of a moving-block bootstrap of N rows. Each block begins at any row with equal probability such
# that it ends within the N rows.
draw_blocks <- function(N, length, n = N) {
  begins <- sample.int(N - length + 1L, ceiling(n / length), replace = TRUE)
  at <- rep(begins, each = length) + seq_len(length) - 1L
  at[seq_len(n)]
}
