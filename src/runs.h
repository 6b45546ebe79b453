#ifndef CAPALLOC_RUNS_H
#define CAPALLOC_RUNS_H

/*
 * Runs: how sensitivities and values are contracted into columns of the tangent,
 *   J_(o,c),(f,i) += sum_s b_s[o, f] x_s[c, i],
 * where most is zero: run s brings the outputs and rows that it knows to be there. Those of one
 * block of theta (a tap, or a tap at one position) are taken together, column by column of J,
 * which then stays in cache: as one product where they are the same rows of matrices at equal
 * distances, as a convolution where they bring the same values each a row further on, else one
 * after the other.
 */

#include <stddef.h>

#include "bounds.h"
#include "op.h"

/* out[out_lo + o + m (row + c), (f, i)] += b[o, f] x[c, i] for o < n_out, c < rows. */
struct ca_run {
    int row, rows, out_lo, n_out, ld; /* ld of x */
    const double *x, *b;
};

/* The columns of one block of theta of an operation (f fastest, then i), leading dimension ld,
 * of whose rows m belong to each c. */
struct ca_columns {
    double *y;
    int ld, m;
};

void ca_contract_runs(const struct ca_op *op, const struct ca_run *run, int n,
                      struct ca_columns columns);

#endif
