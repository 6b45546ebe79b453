#ifndef CAPALLOC_LINALG_H
#define CAPALLOC_LINALG_H

/*
 * All calls of BLAS and LAPACK. Matrices are column-major with a leading dimension. "+=" in a
 * comment means that the product is added to the result.
 */

#include <stddef.h>

#include "status.h"

/* C (m x n) += A (m x k) B' (B n x k) */
void ca_gemm_nt(int m, int n, int k, const double *A, int lda, const double *B, int ldb,
                double *C, int ldc);
/* C (m x n) += A (m x k) B (k x n) */
void ca_gemm_nn(int m, int n, int k, const double *A, int lda, const double *B, int ldb,
                double *C, int ldc);
/* C (m x n) += A' (A k x m) B (k x n) */
void ca_gemm_tn(int m, int n, int k, const double *A, int lda, const double *B, int ldb,
                double *C, int ldc);

/* y (n) = A' x, with A m x n */
void ca_gemv_t(int m, int n, const double *A, int lda, const double *x, double *y);

double ca_dot(size_t n, const double *x, const double *y);
/* Euclidean norm, without overflow or underflow for very large or very small entries. */
double ca_norm(int n, const double *x);

/* Upper triangle of G (n x n) = A'A (A m x n), or of A A' (A n x m) if outer is 1. */
void ca_gram(int n, int m, const double *A, int lda, int outer, double *G);

/* Upper triangle of G (n x n) += A'A (A m x n) */
void ca_gram_add(int n, int m, const double *A, int lda, double *G);

/* Householder QR of A (m x n), in place: R in the upper triangle. ca_qr_work() returns
 * n_work. */
size_t ca_qr_work(int m, int n, int lda);
enum ca_status ca_qr(int m, int n, double *A, int lda, double *tau, double *work,
                     size_t n_work);

/* Singular values s (k = min(m, n)), left vectors U (m x k) and right vectors Vt (k x n) of A
 * (m x n), which is overwritten. Uses dgesdd, and dgesvd where that fails. A must be finite:
 * for NaN LAPACK reports an invalid argument or does not terminate. iwork: 8 k. ca_svd_work()
 * returns n_work. */
size_t ca_svd_work(int m, int n);
enum ca_status ca_svd(int m, int n, double *A, double *s, double *U, double *Vt, double *work,
                      size_t n_work, int *iwork);

/* Like ca_svd(), for singular values only. */
size_t ca_singular_values_work(int m, int n);
enum ca_status ca_singular_values(int m, int n, double *A, double *s, double *work,
                                  size_t n_work, int *iwork);

/* Eigenvalues (n, increasing) of a symmetric A (upper triangle), which is overwritten. iwork:
 * 10 n. ca_eigenvalues_work() returns n_work. */
size_t ca_eigenvalues_work(int n);
enum ca_status ca_eigenvalues(int n, double *A, double *values, double *work, size_t n_work,
                              int *iwork);

/* Returns an estimate of 1 / (|R| |R^-1|), in 1-norms, for the upper triangle R (n x n). work:
 * 3 n, iwork: n */
double ca_reciprocal_condition(int n, const double *R, double *work, int *iwork);

/* Cholesky factor of a symmetric positive definite A (upper triangle), in place. CA_LAPACK if A
 * is not positive definite. */
enum ca_status ca_chol(int n, double *A);
/* x := (R'R)^-1 x, with R from ca_chol() */
void ca_chol_solve(int n, const double *R, double *x);

/* Pivoted Cholesky P'AP = R'R of a positive semidefinite A (n x n), in place: R in the upper
 * triangle of the first *rank rows, pivots from 1. Stops when the largest remaining diagonal
 * entry is at most tol. work: 2 n */
enum ca_status ca_pivoted_chol(int n, double *A, double tol, int *pivot, int *rank,
                               double *work);

/* Householder QR with column pivoting, A P = Q R (A m x n), in place; pivots from 1.
 * ca_pivoted_qr_work() returns n_work. */
size_t ca_pivoted_qr_work(int m, int n);
enum ca_status ca_pivoted_qr(int m, int n, double *A, int *pivot, double *tau, double *work,
                             size_t n_work);
/* x (m) := Q' x, with the first k reflectors of ca_pivoted_qr() and its work */
enum ca_status ca_qr_transposed(int m, int k, const double *A, const double *tau, double *x,
                                double *work, size_t n_work);
/* x := R^-1 x for the upper triangle R (n x n) */
void ca_solve_upper(int n, const double *R, int ld, double *x);

/* B (m x n) := B R^-1 for the upper triangle R (n x n) */
void ca_solve_right(int m, int n, const double *R, double *B, int ldb);
/* B (n x n) := R B for the upper triangle R */
void ca_multiply_left(int n, const double *R, double *B);

#endif
