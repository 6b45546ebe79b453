#ifndef CAPALLOC_JET_H
#define CAPALLOC_JET_H

/*
 * A network of any operations at a batch of inputs: its values X, what its
 * non-linear operations keep of their derivatives, and around these values
 *   tangents       dX, the change of X along a direction of the inputs,
 *   sensitivities  B = d output / d site, and
 *   their change   dB along that direction.
 * Rows of all passes are the rows of the batch. For a linear network dB = 0 and B
 * is the same in every row.
 */

#include "pass.h"

struct ca_jet {
    const struct ca_graph *graph;
    const double *theta;
    int rows;
    struct ca_pass X;            /* values at live sites */
    struct ca_pass slope, curve; /* at live sites of non-linear operations */
    const double **in, **d_in;   /* what the taps of one position read */
    double *scratch;             /* rows x channels of one site */
    double *one;                 /* rows of 1 */
};

/* For batches of at most `rows` rows. */
struct ca_jet ca_jet_new(const struct ca_graph *graph, int rows);

/* Values at x (rows x n_inputs, leading dimension ld) and their derivatives. */
void ca_jet_at(struct ca_jet *jet, const double *theta, const double *x, size_t ld, int rows);

/* A pass that can hold all live sites of a batch, for B, dX or dB. */
struct ca_pass ca_jet_pass(const struct ca_jet *jet);

/* dX for a direction that is zero outside input position `only` (-1: anywhere). The caller
 * fills the input sites between the two calls. */
void ca_jet_plan_tangent(const struct ca_jet *jet, struct ca_pass *dX, int only);
void ca_jet_tangent(const struct ca_jet *jet, struct ca_pass *dX);

/* All live sites, zero. */
void ca_jet_plan_zero(const struct ca_jet *jet, struct ca_pass *pass);

/* B, planned from zero, its output sites filled by the caller. */
void ca_jet_back(const struct ca_jet *jet, struct ca_pass *B);

/* dB along dX, planned and filled. */
void ca_jet_back_tangent(const struct ca_jet *jet, const struct ca_pass *B,
                         const struct ca_pass *dX, struct ca_pass *dB);

/* First and second derivative of the values along a change v of theta; `twice` is 2 v. Both
 * passes hold all live sites. */
void ca_jet_along(const struct ca_jet *jet, const double *v, const double *twice,
                  struct ca_pass *first, struct ca_pass *second);

#endif
