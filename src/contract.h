#ifndef CAPALLOC_CONTRACT_H
#define CAPALLOC_CONTRACT_H

/*
 * Contraction of sensitivities and inputs: derivatives with respect to theta.
 *
 * Theta enters the output of a site through the taps of `own` (op.h). The derivative of an
 * output with respect to entry (f, i) of the block of theta of such a tap is B_f x_i, with B
 * the sensitivities at the site and x the values that the tap reads, or the constant. One
 * iterator visits these taps, and three functions use the products of rows of B and rows of x:
 *   ca_contract_gradient          sums them over rows; B and x have the same rows,
 *   ca_contract_rows     returns them row by row; B and x have the same rows,
 *   ca_contract_outputs  combines each row of B (an output) with each row of x.
 */

#include "pass.h"

/* grad[k] += the sum over rows of B . X, from a backward pass and a forward pass that has all
 * rows at every site. `one` (rows) is the constant, or NULL for 0. */
void ca_contract_gradient(const struct ca_pass *back, const struct ca_pass *value,
                          const double *one, double *grad);

/* A change along a direction: dX of the values, dB of the sensitivities and d_one (rows) of the
 * constant; NULL: no change. If `site` is an input position, only channel `channel` of that
 * position changes. site -1: no such restriction. */
struct ca_change {
    const struct ca_pass *dX, *dB;
    const double *d_one;
    long site;
    int channel;
};

/* out (rows x columns) += contract(B, dX) + contract(dB, X). `one` (rows) is the constant of X.
 * column (n_nodes): the first column of the slice of each operation, -1 for operations that are
 * left out. */
void ca_contract_rows(const long *column, const struct ca_pass *B, const struct ca_pass *X,
                      const double *one, struct ca_change change, double *out, int ld);

/* The rows of the result: row c of the value pass goes to c + shift if 0 <= c + shift < rows,
 * and output o of it to row o + m (c + shift) of `out`. */
struct ca_target {
    double *out;
    int ld, m, rows;
    long shift;
};

/* out += the product of all outputs and all rows of the value pass. The constant `one` has
 * `rows` rows, which are not shifted; NULL for 0. */
void ca_contract_outputs(const long *column, const struct ca_pass *back,
                         const struct ca_pass *value, const double *one,
                         struct ca_target target);

#endif
