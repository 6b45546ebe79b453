# Every bound on memory in R; those of the C core are in src/bounds.h.

# Blocks of rows of a tangent: entries of a block, 64 MB, and the fewest rows that are worth a call of BLAS.
block_entries <- 2^23
least_block_rows <- 512

# Order of the triangle of an exact allocation: the work space of LAPACK's SVD, 4 times its square, has a 32-bit index.
most_order <- 23000

# Pairs of gates integrated together: each has a column of quadrature points.
integrated_pairs <- 2000

# Bytes of the second moments of all pairs of a layer's parameters, above which the layer is refused.
pair_bytes <- 2^30

# Entries of a matrix of bootstrap draws or sign flips.
draw_entries <- 4e6

# Bytes of a file of a checkpoint that is read.
file_bytes <- 2^30
