#ifndef CAPALLOC_JET_H
#define CAPALLOC_JET_H

/*
 * Derivatives of any network at a batch of inputs: its values X, the derivatives that its
 * nonlinear operations store, and
 *   tangents       dX, the change of X along a direction of the inputs,
 *   sensitivities  B, the derivative of an output with respect to each site,
 *   their change   dB along that direction.
 * The rows of all passes are the rows of the batch. For a linear network dB = 0 and all rows of
 * B are equal.
 */

#include "pass.h"

struct ca_jet {
    const struct ca_graph *graph;
    const double *theta;
    int rows;
    struct ca_pass X;            /* values of live sites */
    struct ca_pass slope, curve; /* derivatives at live sites of nonlinear operations */
    const double **in, **d_in;   /* values and changes that the taps of one position read */
    double *scratch;             /* rows x channels: for one site */
    double *one;                 /* rows: all 1 */
};

/* Allocates a jet for batches of at most `rows` rows. */
struct ca_jet ca_jet_new(const struct ca_graph *graph, int rows);

/* Computes the values at x (rows x n_inputs, leading dimension ld) and stores the derivatives
 * of the nonlinear operations. */
void ca_jet_at(struct ca_jet *jet, const double *theta, const double *x, size_t ld, int rows);

/* Allocates a pass with room for all live sites of a batch, for B, dX or dB. */
struct ca_pass ca_jet_pass(const struct ca_jet *jet);

/* ca_jet_plan_tangent() plans dX for a direction that is zero outside input position `only`
 * (-1: no restriction). Then the caller fills the input sites, and ca_jet_tangent() computes
 * the others. */
void ca_jet_plan_tangent(const struct ca_jet *jet, struct ca_pass *dX, int only);
void ca_jet_tangent(const struct ca_jet *jet, struct ca_pass *dX);

/* Plans all live sites of a pass and sets them to zero. */
void ca_jet_plan_zero(const struct ca_jet *jet, struct ca_pass *pass);

/* Computes B by a backward pass. The caller has set it to zero by ca_jet_plan_zero() and filled
 * the output sites. */
void ca_jet_back(const struct ca_jet *jet, struct ca_pass *B);

/* Plans and computes dB along dX. */
void ca_jet_back_tangent(const struct ca_jet *jet, const struct ca_pass *B,
                         const struct ca_pass *dX, struct ca_pass *dB);

/* Computes the first and second derivatives of the values along a change v of theta. `twice` is
 * 2 v. Both passes have room for all live sites. */
void ca_jet_along(const struct ca_jet *jet, const double *v, const double *twice,
                  struct ca_pass *first, struct ca_pass *second);

#endif
