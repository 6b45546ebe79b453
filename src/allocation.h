#ifndef CAPALLOC_ALLOCATION_H
#define CAPALLOC_ALLOCATION_H

/*
 * Capacity allocation of any matrix J (n_rows x p) that can be computed in blocks of rows: its
 * rank, the leverages of its rows (the diagonal of the projector P on its columns), the kernel
 * P between rows, the two-way allocation of rows and columns, and their soft forms. This file
 * is independent of networks.
 *
 * There are two passes over the rows, with O(p^2 + block) memory. The first pass reduces J to a
 * triangle T (k x p, k = min(n_rows, p)) by QR of [T; block]. The columns are then scaled to
 * unit norm; the norms of the columns of T are those of J, and QR has a small backward error
 * column by column. Then T = U diag(s) V'. The second pass computes row i of the orthonormal
 * basis as Q_i = J_i V / s, so that
 *   leverage_i = sum_l Q_il^2,
 * with l up to the rank. A soft capacity has J_i V / sqrt(s^2 + ridge s_1^2) over all l
 * instead, so that direction l has the weight w_l = s_l^2 / (s_l^2 + ridge s_1^2). Where s_1 /
 * s_r is large, the basis is orthonormalised again, so that the leverages sum to the rank. The
 * second pass may use rows in another basis than the first, as long as the two differ by an
 * orthogonal map of the rows.
 *
 * A faster way is used when J has full rank, no direction is close to the tolerance, and single
 * directions are not needed. The Gram matrix of the scaled columns is R'R, and J R^-1 is the
 * basis. It is orthonormal to about eps (s_1 / s_p)^2, which is enough up to s_1 / s_p = 1e2.
 * Up to about 1e7 the same is applied once more, to J R^-1. This leaves an error of eps
 * (CholeskyQR2: Yamamoto et al. 2015, doi:10.1553/etna_vol44s306), and the condition of the
 * second factor shows whether it does. All other matrices, in particular those of rank below p,
 * need QR.
 */

#include <stddef.h>

#include "status.h"

/* A source of rows: `fill` writes the rows begin <= i < end of J (n_columns) to out, with
 * leading dimension ld. Blocks begin at multiples of the block size that the caller has
 * chosen. */
struct ca_rows_source {
    void *context;
    void (*fill)(void *context, size_t begin, size_t end, double *out, int ld);
    /* returns the coordinate of row i of the block begin .. end */
    size_t (*coordinate)(const void *context, size_t begin, size_t end, size_t i);
    size_t n_rows;
};

/* J (n_rows x n_columns), and memory for two blocks of its rows. */
struct ca_tall {
    struct ca_rows_source rows;
    size_t n_columns, block, ld;
    double *one, *two; /* ld x n_columns */
};

struct ca_tall ca_allocation_tall_new(struct ca_rows_source rows, size_t n_columns,
                                      size_t block);

struct ca_spectrum {
    size_t n_columns, n_values; /* p, k = min(n_rows, p) */
    double *norm;               /* p: norm of each column of J */
    double *scale;              /* p: 1 / norm of each column, 0 for dropped columns */
    double *values;             /* k: singular values of the scaled J */
    double *Vt; /* k x p: right singular vectors, as rows; NULL by the faster way */
    /* by the faster way: upper triangles (p x p), NULL for the identity, such that
     * J diag(scale) root_0^-1 root_1^-1 is the basis */
    const double *root[2];
};

/* Selection and scaling of the columns of J. */
struct ca_columns {
    /* Columns whose norm is below 10 max(n_rows, p) eps times the largest of their own array
     * (such as the kernel or the bias of a layer) are dropped. array[k] (0 .. n_arrays - 1) is
     * the array of column k. */
    const int *array;
    int n_arrays;
    const int *left_out; /* p: nonzero for further columns to drop; NULL for none */
    int unscaled;        /* nonzero: columns keep their norms, for a penalty on theta itself */
};

/* Computes the scales of p columns from their norms: 1 / norm, or 1 if unscaled. The scale is 0
 * for zero columns, for columns within rounding error of zero relative to the largest of their
 * array, and for columns that are left out. Returns whether any scale is 0. */
int ca_allocation_scales(const struct ca_columns *columns, size_t n_rows, size_t p,
                         const double *norm, double *scale);

/* The first pass. The faster way is tried for a tolerance tol below 1; INFINITY if single
 * directions are needed. */
enum ca_status ca_allocation_spectrum(const struct ca_tall *tall,
                                      const struct ca_columns *columns, double tol,
                                      struct ca_spectrum *spectrum);

/* Returns the number of singular values above tol s_1. */
size_t ca_allocation_rank(const struct ca_spectrum *spectrum, double tol);

/* Effective capacity of every column: sum_l w_l V_kl^2, which equals the column sums of the
 * two-way table. */
void ca_allocation_parameters(const struct ca_spectrum *spectrum, size_t rank, double ridge,
                              double *capacity);

/* Returns the sum of the weights of all directions: the rank, or the soft total. */
double ca_allocation_total(const struct ca_spectrum *spectrum, size_t rank, double ridge);

/* The second pass: the basis Q of the columns of J, block by block. */
struct ca_projector {
    struct ca_tall tall;
    size_t r;
    const double *V;           /* p x r, or NULL for diag(scale) */
    const double *scale;       /* p */
    const double *triangle[2]; /* Q = J V R_0^-1 R_1^-1 (r x r, upper), NULL for the identity */
};

/* Computes the basis: for ridge 0 that of the given rank, otherwise that of the soft capacity.
 * tall: J in any orthogonal basis of its rows. */
enum ca_status ca_allocation_projector_new(struct ca_tall tall,
                                           const struct ca_spectrum *spectrum, size_t rank,
                                           double ridge, struct ca_projector *projector);

/* Passes the leverages P_ii of all rows to `take`, block by block. */
void ca_allocation_leverage(struct ca_projector *projector,
                            void (*take)(void *context, size_t begin, size_t end,
                                         const double *leverage),
                            void *context);

/* K (n_places x n_places): sum over outputs o of P_(o,i),(o,j), with rows o + m j. place[j] is
 * the place of coordinate j in K, different for each j, or -1 to leave it out. */
void ca_allocation_kernel(struct ca_projector *projector, size_t m, const int *place,
                          size_t n_places, double *K);

/* The same if each block of rows has all coordinates of b samples, with row (s, o, j) at s + b
 * (o + m j). K is summed over samples and outputs. */
void ca_allocation_kernel_samples(struct ca_projector *projector, size_t n_coordinates,
                                  const int *place, size_t n_places, double *K);

/* The kernel of the columns of J instead of its rows, for a spectrum with singular vectors:
 * K (n_places x n_places) is the sum over l and over outputs of w_l V_il V_jl. coordinate: that
 * of each column. The columns of an output are those of the same rank among the columns of
 * their coordinate. */
void ca_allocation_kernel_columns(const struct ca_spectrum *spectrum, size_t rank, double ridge,
                                  const int *coordinate, size_t n_coordinates, const int *place,
                                  size_t n_places, double *K);

/* T (n_coordinates x n_groups): J_(row,k) (J^+)_(k,row), summed over the rows of a coordinate
 * and the columns k of a group. group (n_columns): the group of each column, from 0. */
void ca_allocation_two_way(struct ca_projector *projector, size_t n_coordinates,
                           const int *group, size_t n_groups, double *T);

#endif
