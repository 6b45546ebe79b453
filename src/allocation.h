#ifndef CAPALLOC_ALLOCATION_H
#define CAPALLOC_ALLOCATION_H

/*
 * Capacity allocation of any matrix J that can be produced in row blocks:
 * rank, leverage of rows (the diagonal of the projector P on its columns), the
 * kernel P between rows, the two-way allocation of rows and columns, and their
 * soft forms. It knows nothing of networks.
 *
 * Two passes over the rows, O(p^2 + block) memory. The first reduces J to a
 * triangle T (k x p, k = min(rows, p)) by QR of [T; block]. Columns are then
 * scaled to unit norm (those of a triangle are those of J: QR acts column by
 * column, and so does its backward error), and T = U diag(s) V'. The second pass
 * gives row i of the orthonormal basis as Q_i = J_i V / s, so
 *   leverage_i = sum_l Q_il^2,
 * over l up to the rank; soft, J_i V / sqrt(s^2 + ridge s_1^2) over all l, which
 * gives direction l the weight w_l = s_l^2 / (s_l^2 + ridge s_1^2).
 * Where s_1 / s_r is large, that basis is made orthonormal once more, so that the leverages sum
 * to the rank. A row basis other than the first pass's may be used in the second, as long as
 * the two differ by an orthogonal map of the rows.
 *
 * The quick way, when no direction is close to being lost and none needs to be known by
 * itself: the Gram matrix of the scaled columns is R'R, and J R^-1 is the basis. It is
 * orthonormal to about eps (s_1 / s_p)^2. Up to s_1 / s_p = 1e2 that is enough; up to about
 * 1e7 the same once more, on J R^-1, leaves eps (Cholesky QR twice: Yamamoto et al. 2015,
 * doi:10.1553/etna_vol44s306), which the condition of that second factor shows. Whatever lies
 * beyond, ranks below p above all, is for QR.
 */

#include <stddef.h>

#include "status.h"

/* Rows begin <= i < end of J (n_columns) into out, leading dimension ld. Blocks begin at
 * multiples of the block size that the caller chose. */
struct ca_rows_source {
    void *context;
    void (*fill)(void *context, size_t begin, size_t end, double *out, int ld);
    /* which coordinate row i of the block begin .. end belongs to */
    size_t (*coordinate)(const void *context, size_t begin, size_t end, size_t i);
    size_t n_rows;
};

/* J (n_rows x n_columns), and room for two blocks of its rows. */
struct ca_tall {
    struct ca_rows_source rows;
    size_t n_columns, block, ld;
    double *one, *two; /* ld x n_columns */
};

struct ca_tall ca_tall_new(struct ca_rows_source rows, size_t n_columns, size_t block);

struct ca_spectrum {
    size_t n_columns, n_values; /* p, k = min(n_rows, p) */
    double *norm;               /* p: norm of each column of J */
    double *scale;              /* p: 1 / norm of each column, 0 for dropped ones */
    double *values;             /* k: singular values of the scaled J */
    double *Vt;            /* k x p: right singular vectors, as rows; NULL the quick way, */
    const double *root[2]; /* where J scale root_0^-1 root_1^-1 is the basis (p x p, upper
                            * triangles; NULL for the identity) */
};

/* Which columns of J count, and how they are scaled. */
struct ca_columns {
    /* Columns below 10 max(rows, p) eps times the largest of their own array (the kernel or the
     * bias of a layer, say) are dropped; array[k] (0 .. n_arrays - 1) is that of column k. */
    const int *array;
    int n_arrays;
    const int *left_out; /* p: nonzero for further columns to drop; NULL for none */
    int unscaled; /* nonzero: columns keep their norms (the penalty is on theta itself) */
};

/* First pass. The quick way is for full rank at the tolerance tol; INFINITY where directions
 * have to be known by themselves. */
enum ca_status ca_spectrum(const struct ca_tall *tall, const struct ca_columns *columns,
                           double tol, struct ca_spectrum *spectrum);

/* Singular values above tol s_1. */
size_t ca_rank(const struct ca_spectrum *spectrum, double tol);

/* Effective capacity of every column: sum_l w_l V_kl^2, the column sums of the two-way table.
 */
void ca_parameters(const struct ca_spectrum *spectrum, size_t rank, double ridge,
                   double *capacity);

/* The second pass: the basis Q of the columns of J, block by block. */
struct ca_projector {
    struct ca_tall tall;
    size_t r;
    const double *V;           /* p x r, or NULL for diag(scale): */
    const double *scale;       /* p */
    const double *triangle[2]; /* Q = J V R_0^-1 R_1^-1 (r x r, upper), NULL for the identity */
};

/* ridge 0: hard, of that rank; otherwise soft. tall: J, in any orthogonal basis of its rows. */
enum ca_status ca_projector_new(struct ca_tall tall, const struct ca_spectrum *spectrum,
                                size_t rank, double ridge, struct ca_projector *projector);

/* P_ii of every row, handed to `take` block by block. */
void ca_leverage(struct ca_projector *projector,
                 void (*take)(void *context, size_t begin, size_t end, const double *leverage),
                 void *context);

/* K (n_places x n_places): sum over o of P_(o,i),(o,j) for rows o + m j, j at place[j] (one j a
 * place), -1 to leave it out. */
void ca_kernel(struct ca_projector *projector, size_t m, const int *place, size_t n_places,
               double *K);

/* The same where each block of rows holds all coordinates of b samples, row (s, o, j) at
 * s + b (o + m j): K sums over samples and outputs. */
void ca_kernel_samples(struct ca_projector *projector, size_t n_coordinates, const int *place,
                       size_t n_places, double *K);

/* T (n_coordinates x n_groups): J_(row,k) (J^+)_(k,row), summed over the rows of a coordinate
 * and the columns k of a group. */
void ca_two_way(struct ca_projector *projector, size_t n_coordinates, const int *group,
                size_t n_groups, double *T);

#endif
