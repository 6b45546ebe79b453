/*
 * BLAS and LAPACK are not instrumented. The functions here check their matrices column by
 * column before the call. The linker redirects the calls to them (-Wl,--wrap in tools/fuzz.sh).
 */

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

static void check(const char *routine, const double *A, int rows, int columns, int ld) {
    for (int j = 0; j < columns && rows > 0; j++)
        if (__asan_region_is_poisoned((void *)(A + (size_t)j * (size_t)ld),
                                      sizeof(double) * (size_t)rows)) {
            fprintf(stderr, "%s: a matrix of %d x %d (%d) beyond allocated memory\n", routine,
                    rows, columns, ld);
            abort();
        }
}

/* Checks the matrix that is, or whose transpose is, rows x columns. */
static void check_as(const char *routine, char transposed, const double *A, int rows,
                     int columns, int ld) {
    if (transposed == 'T')
        check(routine, A, columns, rows, ld);
    else
        check(routine, A, rows, columns, ld);
}

void __real_dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
                   const double *alpha, const double *A, const int *lda, const double *B,
                   const int *ldb, const double *beta, double *C, const int *ldc, size_t one,
                   size_t two);
void __wrap_dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
                   const double *alpha, const double *A, const int *lda, const double *B,
                   const int *ldb, const double *beta, double *C, const int *ldc, size_t one,
                   size_t two);

void __wrap_dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
                   const double *alpha, const double *A, const int *lda, const double *B,
                   const int *ldb, const double *beta, double *C, const int *ldc, size_t one,
                   size_t two) {
    check_as("dgemm", *ta, A, *m, *k, *lda);
    check_as("dgemm", *tb, B, *k, *n, *ldb);
    check("dgemm", C, *m, *n, *ldc);
    __real_dgemm_(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc, one, two);
}

void __real_dsyrk_(const char *uplo, const char *t, const int *n, const int *k,
                   const double *alpha, const double *A, const int *lda, const double *beta,
                   double *C, const int *ldc, size_t one, size_t two);
void __wrap_dsyrk_(const char *uplo, const char *t, const int *n, const int *k,
                   const double *alpha, const double *A, const int *lda, const double *beta,
                   double *C, const int *ldc, size_t one, size_t two);

void __wrap_dsyrk_(const char *uplo, const char *t, const int *n, const int *k,
                   const double *alpha, const double *A, const int *lda, const double *beta,
                   double *C, const int *ldc, size_t one, size_t two) {
    check_as("dsyrk", *t, A, *n, *k, *lda);
    check("dsyrk", C, *n, *n, *ldc);
    __real_dsyrk_(uplo, t, n, k, alpha, A, lda, beta, C, ldc, one, two);
}

void __real_dtrsm_(const char *side, const char *uplo, const char *t, const char *diag,
                   const int *m, const int *n, const double *alpha, const double *A,
                   const int *lda, double *B, const int *ldb, size_t one, size_t two,
                   size_t three, size_t four);
void __wrap_dtrsm_(const char *side, const char *uplo, const char *t, const char *diag,
                   const int *m, const int *n, const double *alpha, const double *A,
                   const int *lda, double *B, const int *ldb, size_t one, size_t two,
                   size_t three, size_t four);

void __wrap_dtrsm_(const char *side, const char *uplo, const char *t, const char *diag,
                   const int *m, const int *n, const double *alpha, const double *A,
                   const int *lda, double *B, const int *ldb, size_t one, size_t two,
                   size_t three, size_t four) {
    const int order = *side == 'L' ? *m : *n;
    check("dtrsm", A, order, order, *lda);
    check("dtrsm", B, *m, *n, *ldb);
    __real_dtrsm_(side, uplo, t, diag, m, n, alpha, A, lda, B, ldb, one, two, three, four);
}

void __real_dgeqrf_(const int *m, const int *n, double *A, const int *lda, double *tau,
                    double *work, const int *n_work, int *info);
void __wrap_dgeqrf_(const int *m, const int *n, double *A, const int *lda, double *tau,
                    double *work, const int *n_work, int *info);

void __wrap_dgeqrf_(const int *m, const int *n, double *A, const int *lda, double *tau,
                    double *work, const int *n_work, int *info) {
    if (*n_work >= 0) { /* else a query for the size of work */
        check("dgeqrf", A, *m, *n, *lda);
        check("dgeqrf", tau, *m < *n ? *m : *n, 1, 1);
        check("dgeqrf", work, *n_work, 1, 1);
    }
    __real_dgeqrf_(m, n, A, lda, tau, work, n_work, info);
}

void __real_dgesdd_(const char *job, const int *m, const int *n, double *A, const int *lda,
                    double *s, double *U, const int *ldu, double *Vt, const int *ldvt,
                    double *work, const int *n_work, int *iwork, int *info, size_t one);
void __wrap_dgesdd_(const char *job, const int *m, const int *n, double *A, const int *lda,
                    double *s, double *U, const int *ldu, double *Vt, const int *ldvt,
                    double *work, const int *n_work, int *iwork, int *info, size_t one);

void __wrap_dgesdd_(const char *job, const int *m, const int *n, double *A, const int *lda,
                    double *s, double *U, const int *ldu, double *Vt, const int *ldvt,
                    double *work, const int *n_work, int *iwork, int *info, size_t one) {
    const int k = *m < *n ? *m : *n;
    if (*n_work >= 0) {
        check("dgesdd", A, *m, *n, *lda);
        check("dgesdd", s, k, 1, 1);
        check("dgesdd", work, *n_work, 1, 1);
        check("dgesdd", (const double *)iwork, 4 * k, 1, 1);
    }
    if (*n_work >= 0 && *job == 'S') {
        check("dgesdd", U, *m, k, *ldu);
        check("dgesdd", Vt, k, *n, *ldvt);
    }
    __real_dgesdd_(job, m, n, A, lda, s, U, ldu, Vt, ldvt, work, n_work, iwork, info, one);
}
