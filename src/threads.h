#ifndef CAPALLOC_THREADS_H
#define CAPALLOC_THREADS_H

/*
 * Threads of the BLAS that R has loaded. Environment variables are read when a BLAS is loaded
 * and change nothing afterwards, so its own function is asked for by name.
 */

/* How many threads it uses, after asking for n of them where n > 0; 0 where it has no such
 * function (reference BLAS, or one that is not OpenBLAS). */
int ca_blas_threads(int n);

#endif
