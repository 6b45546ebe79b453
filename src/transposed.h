#ifndef CAPALLOC_TRANSPOSED_H
#define CAPALLOC_TRANSPOSED_H

/*
 * The transpose of a matrix J with fewer rows than columns, as a source of rows. Its allocation
 * is that of J with rows and columns exchanged: with J' = U diag(s) V' the leverages of the
 * rows of J are sums over the rows of V, and the capacities of its columns are leverages of J'.
 * Memory and time then grow with p n_rows^2 instead of n_rows p^2.
 *
 * J is computed in blocks of columns, with all of its rows. A block is kept until another one
 * is needed, so that a matrix of one block is computed once.
 */

#include "allocation.h"

/* The columns of J in blocks: block b has the columns first[b] <= k < first[b + 1]. */
struct ca_column_blocks {
    size_t n_blocks;
    const size_t *first; /* n_blocks + 1 */
    /* makes these columns those that the source of rows of J computes */
    void (*select)(void *context, size_t b);
    void *context;
};

struct ca_transposed {
    struct ca_rows_source rows; /* of J */
    struct ca_column_blocks columns;
    size_t block;   /* rows of J that are computed together */
    size_t current; /* the block of columns in `values` */
    double *values; /* n_rows x columns of a block */
    double *norm;   /* p: norm of each column of J */
    double *scale;  /* p: factor of each column, see struct ca_spectrum */
    const int *group;
};

/* Allocates memory for one block of columns. group (p, or NULL): the group of each column, from
 * 0, which is the coordinate of a row of the transpose. */
struct ca_transposed ca_transposed_new(struct ca_rows_source rows,
                                       struct ca_column_blocks columns, size_t block,
                                       const int *group);

/* Computes the norms of all columns and their scales. */
enum ca_status ca_transposed_scale(struct ca_transposed *transposed,
                                   const struct ca_columns *columns);

/* The rows of (J diag(scale))'. */
struct ca_rows_source ca_transposed_rows(struct ca_transposed *transposed);

#endif
