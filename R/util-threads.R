# BLAS threads. A worker uses one, so that the threads of a machine do not multiply with its workers.

# How many threads BLAS uses, after asking for `n` of them (0 only asks); 0 where it cannot be told (see threads.h).
blas_threads <- function(n = 0) .Call(ffi_threads, as.double(n))

with_one_thread <- function(code) {
  before <- blas_threads()
  if (before > 1L) {
    blas_threads(1)
    on.exit(blas_threads(before))
  }
  force(code)
}
