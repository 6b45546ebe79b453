#ifndef CAPALLOC_EXTENDED_H
#define CAPALLOC_EXTENDED_H

/*
 * The extended tangent D of any network at samples x_s (N x n). With B the sensitivities of
 * output o and X the values of sample s,
 *   D_(s,o,j) = d/dtheta dyhat_o/dx_j = contract(B_s, dX_(s,j)) + contract(dB_(s,j), X_s),
 *   contract(B, X)_(f,i) = sum_u B_u[f] X_pos(u)[i] for a linear operation,
 * and for the constant, which is always the last coordinate,
 *   D_(s,o,0) = d/dtheta [yhat_o - (dyhat_o/dx) x].
 * A change of basis of the coordinates, such as a metric, has a direction (v, v0) for each row:
 * the row is D along v - v0 x_s, plus v0 times the gradient of yhat with respect to theta.
 *
 * Samples may have weights: the rows of sample s are then multiplied by sqrt(w_s), so that a
 * sample of weight 2 counts as two equal samples. Tangent maps have no weights.
 *
 * Rows are returned in blocks of samples. In a block of b samples, row (s, o, i) is
 *   s + b (o + m i).
 */

#include "jet.h"

struct ca_extended {
    struct ca_jet jet;
    const double *theta;
    const double *x;      /* N x n_inputs */
    const double *weight; /* N; NULL, as ca_extended_new() sets it, for weights of 1 */
    size_t n_samples, block;
    const double *rows; /* n_rows x (n_inputs + 1), or NULL for the coordinates */
    size_t n_rows;
    const long *column; /* n_nodes: first column of an operation's slice, -1 if left out */
    size_t n_columns;
    struct ca_pass *B;              /* m: sensitivities of each output */
    struct ca_pass dX, dB, shifted; /* shifted: dX + v0 X */
    double *d_one;                  /* block: the change of the constant, v0 */
};

struct ca_extended ca_extended_new(const struct ca_graph *graph, const double *theta,
                                   const double *x, size_t n_samples, const double *rows,
                                   size_t n_rows, const long *column, size_t n_columns,
                                   size_t block);

/* Writes the rows of the samples begin <= s < end (at most one block) into out, leading
 * dimension ld. */
void ca_extended_fill(struct ca_extended *extended, size_t begin, size_t end, double *out,
                      int ld);

/* Writes the tangent maps yhat ~ W_1 x_1 + .. + W_0 of the samples begin <= s < end (at most
 * one block): m x (n_inputs + 1) for each sample, the constant last. */
void ca_extended_linearise(struct ca_extended *extended, size_t begin, size_t end, double *W);

/* Writes d yhat / d theta at the samples begin <= s < end (at most one block) into out, leading
 * dimension ld: row s + b o in a block of b samples. */
void ca_extended_gradients(struct ca_extended *extended, size_t begin, size_t end, double *out,
                           int ld);

/* out (rows x columns) += contract(B, X) at the current values of the jet: the gradients with
 * respect to theta of the output whose sensitivities are B. */
void ca_extended_contract(const long *column, const struct ca_jet *jet, const struct ca_pass *B,
                          double *out, int ld);

#endif
