/* Replacements of two routines of R. */

#include <R_ext/Applic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BLAS and LAPACK call this for an invalid argument; R's version raises an error. */
void xerbla_(const char *routine, const int *argument, size_t length);

void xerbla_(const char *routine, const int *argument, size_t length) {
    fprintf(stderr, "invalid argument %d of %.*s\n", *argument,
            (int)(length < 16 ? length : 16), routine);
    abort();
}

/* lbfgsb() is not tested here: the replacement takes a few gradient steps with the same
 * callbacks. */
void lbfgsb(int n, int m, double *x, double *l, double *u, int *nbd, double *Fmin, optimfn fn,
            optimgr gr, int *fail, void *ex, double factr, double pgtol, int *fncount,
            int *grcount, int maxit, char *msg, int trace, int nREPORT) {
    (void)m, (void)l, (void)u, (void)nbd, (void)factr, (void)pgtol, (void)maxit, (void)trace,
        (void)nREPORT;
    double *g = calloc((size_t)n + 1, sizeof(double));
    for (int step = 0; step < 3; step++) {
        *Fmin = fn(n, x, ex);
        gr(n, x, g, ex);
        for (int k = 0; k < n; k++)
            x[k] -= 0.01 * g[k];
    }
    free(g);
    *fail = 0;
    *fncount = *grcount = 3;
    strcpy(msg, "steps down the gradient");
}
