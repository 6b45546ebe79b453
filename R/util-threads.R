# BLAS threads. Each parallel worker uses one, since several threads in each worker would exceed the number of cores.

# Sets the number of BLAS threads to `n` (0 leaves it unchanged) and returns it, or 0 if it is unknown (see threads.h).
blas_threads <- function(n = 0) .Call(ffi_threads, as.double(n))

with_one_thread <- function(code) {
  before <- blas_threads()
  if (before > 1L) {
    blas_threads(1)
    on.exit(blas_threads(before))
  }
  force(code)
}
