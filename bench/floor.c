/* The floor of an allocation by QR: dgeqrf(J) and dgesdd of the triangle, in the LAPACK of R. Compiled by
 * allocation.R. */
#define USE_FC_LEN_T
#include <R.h>
#include <R_ext/Lapack.h>
#include <Rinternals.h>
#include <string.h>
#ifndef FCONE
#define FCONE
#endif

/* V' (p x p) of J (n x p, n >= p). */
SEXP floor_qr_svd(SEXP J) {
    int n = Rf_nrows(J), p = Rf_ncols(J), info, query = -1, lwork;
    double size;
    const size_t N = (size_t)n, P = (size_t)p;
    double *A = (double *)R_alloc(N * P, sizeof(double)), *tau = (double *)R_alloc(P, sizeof(double));
    memcpy(A, REAL(J), sizeof(double) * N * P);
    F77_CALL(dgeqrf)(&n, &p, A, &n, tau, &size, &query, &info);
    lwork = (int)size;
    F77_CALL(dgeqrf)(&n, &p, A, &n, tau, (double *)R_alloc((size_t)lwork, sizeof(double)), &lwork, &info);
    if (info != 0)
        Rf_error("dgeqrf: %d", info);
    double *R = (double *)R_alloc(P * P, sizeof(double)), *U = (double *)R_alloc(P * P, sizeof(double));
    memset(R, 0, sizeof(double) * P * P);
    for (size_t j = 0; j < P; j++)
        memcpy(R + j * P, A + j * N, sizeof(double) * (j + 1));
    SEXP Vt = PROTECT(Rf_allocMatrix(REALSXP, p, p));
    int *iwork = (int *)R_alloc(8 * P, sizeof(int));
    F77_CALL(dgesdd)
    ("S", &p, &p, R, &p, tau, U, &p, REAL(Vt), &p, &size, &query, iwork, &info FCONE);
    lwork = (int)size;
    F77_CALL(dgesdd)
    ("S", &p, &p, R, &p, tau, U, &p, REAL(Vt), &p, (double *)R_alloc((size_t)lwork, sizeof(double)), &lwork,
     iwork, &info FCONE);
    if (info != 0)
        Rf_error("dgesdd: %d", info);
    UNPROTECT(1); /* Vt */
    return Vt;
}
