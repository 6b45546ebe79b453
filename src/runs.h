#ifndef CAPALLOC_RUNS_H
#define CAPALLOC_RUNS_H

/*
 * Contracts sensitivities and values into columns of the tangent,
 *   J_(o,c),(f,i) += sum_s b_s[o, f] x_s[c, i],
 * where most terms are zero: run s has only the outputs o and rows c that can be nonzero. The
 * runs of one block of theta (a tap, or a tap at one position) are processed together, column
 * by column of J, so that the column stays in cache:
 *   - as one matrix product, if they are the same rows of matrices at equal distances,
 *   - as a convolution, if they have the same x, each one row further on,
 *   - one after the other otherwise.
 */

#include <stddef.h>

#include "bounds.h"

/* One run: out[out_lo + o + m (row + c), (f, i)] += b[o, f] x[c, i] for o < n_out, c < rows. */
struct ca_run {
    int row, rows, out_lo, n_out, ld; /* ld: leading dimension of x */
    const double *x, *b;
};

/* The columns of one block of theta, filters x channels of a group (f fastest, then i), with
 * leading dimension ld. Each row c of x has m consecutive rows, one for each output. */
struct ca_columns {
    double *y;
    int ld, m;
    int filters, channels, groups;
};

/* Adds n runs to the columns of one block. */
void ca_contract_runs(const struct ca_run *run, int n, struct ca_columns columns);

#endif
