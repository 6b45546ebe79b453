#ifndef CAPALLOC_THREADS_H
#define CAPALLOC_THREADS_H

/*
 * Threads of the BLAS that R has loaded. A BLAS reads environment variables only when it is
 * loaded, so its own functions are looked up by name and called.
 */

/* Sets the number of threads to n, if n > 0. Returns the number of threads, or 0 if the BLAS
 * has no such function (the reference BLAS, or one that is not OpenBLAS). */
int ca_blas_threads(int n);

#endif
