/* Calls of R's BLAS and LAPACK. Character lengths are passed as R >= 4.2 requires. */

#define USE_FC_LEN_T
#include "linalg.h"

#include <string.h>

#include <R_ext/BLAS.h>
#include <R_ext/Lapack.h>
#ifndef FCONE
#define FCONE
#endif

/* A leading dimension that BLAS and LAPACK accept, also for a matrix without rows. */
static int leading(int rows) {
    return rows > 0 ? rows : 1;
}

/* With fewer multiplications, a call of dgemm takes longer than a loop. */
enum { SMALL_PRODUCT = 256 };

static int small(int m, int n, int k) {
    return (double)m * n * k <= SMALL_PRODUCT;
}

/* C += A op(B), with op(B) k x n; entry (l, j) of op(B) is B[l * step_l + j * step_j]. */
static void gemm_n(int m, int n, int k, const double *A, int lda, const double *B, int ldb,
                   int transposed, double *C, int ldc) {
    const size_t step_l = transposed ? (size_t)ldb : 1, step_j = transposed ? 1 : (size_t)ldb;
    if (m == 1 && lda == 1 && ldc == 1 && step_l == 1 && small(1, n, k)) {
        for (int j = 0; j < n; j++) /* dot products of one row with columns */
            C[j] += ca_dot((size_t)k, A, B + (size_t)j * step_j);
        return;
    }
    if (!small(m, n, k) && k > 1) {
        const double one = 1;
        F77_CALL(dgemm)
        ("N", transposed ? "T" : "N", &m, &n, &k, &one, A, &lda, B, &ldb, &one, C,
         &ldc FCONE FCONE);
        return;
    }
    for (int j = 0; j < n; j++)
        for (int l = 0; l < k; l++) {
            const double b = B[(size_t)l * step_l + (size_t)j * step_j];
            const double *restrict a = A + (size_t)l * (size_t)lda;
            double *restrict c = C + (size_t)j * (size_t)ldc;
#pragma omp simd
            for (int i = 0; i < m; i++)
                c[i] += b * a[i];
        }
}

void ca_gemm_nt(int m, int n, int k, const double *A, int lda, const double *B, int ldb,
                double *C, int ldc) {
    gemm_n(m, n, k, A, lda, B, ldb, 1, C, ldc);
}

void ca_gemm_nn(int m, int n, int k, const double *A, int lda, const double *B, int ldb,
                double *C, int ldc) {
    gemm_n(m, n, k, A, lda, B, ldb, 0, C, ldc);
}

void ca_gemm_tn(int m, int n, int k, const double *A, int lda, const double *B, int ldb,
                double *C, int ldc) {
    if (small(m, n, k)) {
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++)
                C[(size_t)i + (size_t)j * (size_t)ldc] +=
                    ca_dot((size_t)k, A + (size_t)i * (size_t)lda, B + (size_t)j * (size_t)ldb);
        return;
    }
    const double one = 1;
    F77_CALL(dgemm)("T", "N", &m, &n, &k, &one, A, &lda, B, &ldb, &one, C, &ldc FCONE FCONE);
}

void ca_gemv_t(int m, int n, const double *A, int lda, const double *x, double *y) {
    const double one = 1, zero = 0;
    const int inc = 1;
    if (m == 0) { /* dgemv would not set y */
        for (int i = 0; i < n; i++)
            y[i] = 0;
        return;
    }
    F77_CALL(dgemv)("T", &m, &n, &one, A, &lda, x, &inc, &zero, y, &inc FCONE);
}

double ca_dot(size_t n, const double *x, const double *y) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

double ca_norm(int n, const double *x) {
    const int inc = 1;
    return F77_CALL(dnrm2)(&n, x, &inc);
}

void ca_gram(int n, int m, const double *A, int lda, int outer, double *G) {
    const double one = 1, zero = 0;
    const int ld = leading(lda), ldg = leading(n);
    F77_CALL(dsyrk)("U", outer ? "N" : "T", &n, &m, &one, A, &ld, &zero, G, &ldg FCONE FCONE);
}

void ca_gram_add(int n, int m, const double *A, int lda, double *G) {
    const double one = 1;
    const int ld = leading(lda), ldg = leading(n);
    F77_CALL(dsyrk)("U", "T", &n, &m, &one, A, &ld, &one, G, &ldg FCONE FCONE);
}

size_t ca_qr_work(int m, int n, int lda) {
    double size;
    int info, query = -1;
    F77_CALL(dgeqrf)(&m, &n, &size, &lda, &size, &size, &query, &info);
    return (size_t)size;
}

enum ca_status ca_qr(int m, int n, double *A, int lda, double *tau, double *work,
                     size_t n_work) {
    int info, lwork = (int)n_work;
    F77_CALL(dgeqrf)(&m, &n, A, &lda, tau, work, &lwork, &info);
    return info == 0 ? CA_OK : CA_LAPACK;
}

/* Workspace for both dgesdd and dgesvd, with a copy of A behind it. */
static size_t svd_work(const char *job, int m, int n, int ld_vt) {
    const int ld = leading(m), ld_right = leading(ld_vt);
    double divided = 0, plain = 0, none = 0;
    int info, query = -1, iwork;
    F77_CALL(dgesdd)
    (job, &m, &n, &none, &ld, &none, &none, &ld, &none, &ld_right, &divided, &query, &iwork,
     &info FCONE);
    F77_CALL(dgesvd)
    (job, job, &m, &n, &none, &ld, &none, &none, &ld, &none, &ld_right, &plain, &query,
     &info FCONE FCONE);
    return (size_t)(divided > plain ? divided : plain) + (size_t)m * (size_t)n;
}

/* Tries divide and conquer (dgesdd) first. It fails for some finite matrices for which the QR
 * iteration of dgesvd converges. dgesdd overwrites A even then, so a copy is kept at the end of
 * work. */
static enum ca_status svd(const char *job, int m, int n, double *A, double *s, double *U,
                          double *Vt, int ld_vt, double *work, size_t n_work, int *iwork) {
    const int ld = leading(m), ld_right = leading(ld_vt);
    const size_t size = (size_t)m * (size_t)n;
    const int lwork = (int)(n_work - size);
    double *copy = work + (n_work - size);
    int info;
    memcpy(copy, A, sizeof(double) * size);
    F77_CALL(dgesdd)
    (job, &m, &n, A, &ld, s, U, &ld, Vt, &ld_right, work, &lwork, iwork, &info FCONE);
    if (info == 0)
        return CA_OK;
    F77_CALL(dgesvd)
    (job, job, &m, &n, copy, &ld, s, U, &ld, Vt, &ld_right, work, &lwork, &info FCONE FCONE);
    return info == 0 ? CA_OK : CA_LAPACK;
}

size_t ca_svd_work(int m, int n) {
    return svd_work("S", m, n, m < n ? m : n);
}

enum ca_status ca_svd(int m, int n, double *A, double *s, double *U, double *Vt, double *work,
                      size_t n_work, int *iwork) {
    return svd("S", m, n, A, s, U, Vt, m < n ? m : n, work, n_work, iwork);
}

size_t ca_singular_values_work(int m, int n) {
    return svd_work("N", m, n, 1);
}

enum ca_status ca_singular_values(int m, int n, double *A, double *s, double *work,
                                  size_t n_work, int *iwork) {
    double none;
    return svd("N", m, n, A, s, &none, &none, 1, work, n_work, iwork);
}

/* dsyevr for eigenvalues only; n_work < 0 is a query for the size of work. */
static int eigenvalues(int n, double *A, double *values, double *work, int n_work, int *iwork) {
    const int one = 1, zero = 0, n_iwork = n_work < 0 ? -1 : 10 * n;
    const double no_limit = 0, smallest = 0;
    double none;
    int info, found, no_support;
    F77_CALL(dsyevr)
    ("N", "A", "U", &n, A, &n, &no_limit, &no_limit, &zero, &zero, &smallest, &found, values,
     &none, &one, &no_support, work, &n_work, iwork, &n_iwork, &info FCONE FCONE FCONE);
    return info;
}

size_t ca_eigenvalues_work(int n) {
    double size, none = 0;
    int iwork;
    (void)eigenvalues(n, &none, &none, &size, -1, &iwork);
    return (size_t)size;
}

enum ca_status ca_eigenvalues(int n, double *A, double *values, double *work, size_t n_work,
                              int *iwork) {
    return eigenvalues(n, A, values, work, (int)n_work, iwork) == 0 ? CA_OK : CA_LAPACK;
}

double ca_reciprocal_condition(int n, const double *R, double *work, int *iwork) {
    double rcond;
    int info;
    F77_CALL(dtrcon)("1", "U", "N", &n, R, &n, &rcond, work, iwork, &info FCONE FCONE FCONE);
    return info == 0 ? rcond : 0;
}

enum ca_status ca_chol(int n, double *A) {
    const int ld = leading(n);
    int info;
    F77_CALL(dpotrf)("U", &n, A, &ld, &info FCONE);
    return info == 0 ? CA_OK : CA_LAPACK;
}

void ca_chol_solve(int n, const double *R, double *x) {
    const int one = 1, ld = leading(n);
    int info;
    F77_CALL(dpotrs)("U", &n, &one, R, &ld, x, &ld, &info FCONE);
    (void)info; /* nonzero for invalid arguments only */
}

enum ca_status ca_pivoted_chol(int n, double *A, double tol, int *pivot, int *rank,
                               double *work) {
    int info;
    F77_CALL(dpstrf)("U", &n, A, &n, pivot, rank, &tol, work, &info FCONE);
    return info < 0 ? CA_LAPACK : CA_OK; /* info 1: rank below n */
}

size_t ca_pivoted_qr_work(int m, int n) {
    const int ld = leading(m), one = 1;
    double factor, product;
    int info, query = -1, pivot = 0;
    F77_CALL(dgeqp3)(&m, &n, &factor, &ld, &pivot, &factor, &factor, &query, &info);
    F77_CALL(dormqr)
    ("L", "T", &m, &one, &one, &factor, &ld, &factor, &factor, &ld, &product, &query,
     &info FCONE FCONE);
    return (size_t)(factor > product ? factor : product);
}

enum ca_status ca_pivoted_qr(int m, int n, double *A, int *pivot, double *tau, double *work,
                             size_t n_work) {
    const int ld = leading(m);
    int info, lwork = (int)n_work;
    for (int j = 0; j < n; j++)
        pivot[j] = 0;
    F77_CALL(dgeqp3)(&m, &n, A, &ld, pivot, tau, work, &lwork, &info);
    return info == 0 ? CA_OK : CA_LAPACK;
}

enum ca_status ca_qr_transposed(int m, int k, const double *A, const double *tau, double *x,
                                double *work, size_t n_work) {
    const int ld = leading(m), one = 1;
    int info, lwork = (int)n_work;
    F77_CALL(dormqr)
    ("L", "T", &m, &one, &k, A, &ld, tau, x, &ld, work, &lwork, &info FCONE FCONE);
    return info == 0 ? CA_OK : CA_LAPACK;
}

void ca_solve_upper(int n, const double *R, int ld, double *x) {
    const int inc = 1;
    F77_CALL(dtrsv)("U", "N", "N", &n, R, &ld, x, &inc FCONE FCONE FCONE);
}

void ca_solve_right(int m, int n, const double *R, double *B, int ldb) {
    const double one = 1;
    F77_CALL(dtrsm)
    ("R", "U", "N", "N", &m, &n, &one, R, &n, B, &ldb FCONE FCONE FCONE FCONE);
}

void ca_multiply_left(int n, const double *R, double *B) {
    const double one = 1;
    F77_CALL(dtrmm)
    ("L", "U", "N", "N", &n, &n, &one, R, &n, B, &n FCONE FCONE FCONE FCONE);
}
