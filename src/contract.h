#ifndef CAPALLOC_CONTRACT_H
#define CAPALLOC_CONTRACT_H

/*
 * Contraction of sensitivities and inputs: derivatives by theta.
 *
 * Theta enters the output of a site through the taps that an operation calls its own (op.h),
 * and there the derivative by entry (f, i) of the block of theta is B_f x_i, with B the
 * sensitivities at the site and x what the tap reads, or the constant. One iterator visits
 * these taps; three kernels do with the products of rows of B and rows of x what is wanted:
 *   ca_gradient          their sum over rows, which are the same ones,
 *   ca_contract_rows     each row by itself, which are the same ones,
 *   ca_contract_outputs  every row of B (outputs) by every row of x.
 */

#include "pass.h"

/* grad[k] += sum over rows of B . X, for a backward pass, and a forward pass that holds all
 * rows; `one` (rows) is the constant, or NULL for 0. */
void ca_gradient(const struct ca_pass *back, const struct ca_pass *value, const double *one,
                 double *grad);

/* What changes along a direction: NULL for nothing; of input position `site` (-1: any) only
 * channel `channel` does. */
struct ca_change {
    const struct ca_pass *dX, *dB;
    const double *d_one; /* rows, of the constant */
    long site;
    int channel;
};

/* out (rows x columns) += contract(B, dX) + contract(dB, X), `one` (rows) the constant of X.
 * column: n_nodes, the first column of an operation's slice, -1 when it is left out. */
void ca_contract_rows(const long *column, const struct ca_pass *B, const struct ca_pass *X,
                      const double *one, struct ca_change change, double *out, int ld);

/* Where rows of x go: row c of the pass to c + shift, of which 0 <= c + shift < rows are
 * wanted, with output o at o + m (c + shift). */
struct ca_target {
    double *out;
    int ld, m, rows;
    long shift;
};

/* out += the product of all outputs and all rows of the value pass. The constant has `rows`
 * rows without a shift, NULL for 0. */
void ca_contract_outputs(const long *column, const struct ca_pass *back,
                         const struct ca_pass *value, const double *one,
                         struct ca_target target);

#endif
