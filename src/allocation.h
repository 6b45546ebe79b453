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

struct ca_spectrum {
    size_t n_columns, n_values; /* p, k = min(n_rows, p) */
    double *scale;              /* p: 1 / norm of each column, 0 for dropped ones */
    double *values;             /* k: singular values of the scaled J */
    double *Vt;                 /* k x p: right singular vectors, as rows */
};

/* First pass. layer[k] numbers the layer of column k (0 .. n_layers - 1): columns below
 * 10 max(rows, p) eps times the largest of their own layer are dropped. */
enum ca_status ca_spectrum(struct ca_rows_source source, size_t n_columns, const int *layer,
                           int n_layers, size_t block, struct ca_spectrum *spectrum);

/* Singular values above tol s_1. */
size_t ca_rank(const struct ca_spectrum *spectrum, double tol);

/* Effective capacity of every column: sum_l w_l V_kl^2, the column sums of the two-way table.
 */
void ca_parameters(const struct ca_spectrum *spectrum, size_t rank, double ridge,
                   double *capacity);

/* The second pass: the basis Q of the columns of J, block by block. */
struct ca_projector {
    struct ca_rows_source rows;
    size_t p, r, block;
    double *V;        /* p x r: Q = J V R^-1 */
    double *triangle; /* R (r x r), or NULL for the identity */
    double *J, *Q;    /* the block at hand: rows x p, rows x r */
    int ld;
};

/* ridge 0: hard, of that rank; otherwise soft. */
enum ca_status ca_projector_new(struct ca_rows_source source,
                                const struct ca_spectrum *spectrum, size_t rank, double ridge,
                                size_t block, struct ca_projector *projector);

/* P_ii of every row, handed to `take` block by block. */
void ca_leverage(struct ca_projector *projector,
                 void (*take)(void *context, size_t begin, size_t end, const double *leverage),
                 void *context);

/* K (n_places x n_places): sum over o of P_(o,i),(o,j) for rows o + m j, j at place[j] (one j a
 * place), -1 to leave it out. */
void ca_kernel(struct ca_projector *projector, size_t m, const int *place, size_t n_places,
               double *K);

/* T (n_coordinates x n_groups): J_(row,k) (J^+)_(k,row), summed over the rows of a coordinate
 * and the columns k of a group. */
void ca_two_way(struct ca_projector *projector, size_t n_coordinates, const int *group,
                size_t n_groups, double *T);

#endif
