#ifndef CAPALLOC_LOSS_H
#define CAPALLOC_LOSS_H

/*
 * A linear network's loss on moments, as residuals r = R W(theta)' - T (row
 * o + m i), so that L = floor + |r|^2, the tangent of r is J~ = (R (x) I_m) J, and
 * the gradient 2 J~' r = -2 J' eps with eps = C - Sigma W' = -R' r.
 */

#include "moments.h"
#include "optim.h"
#include "tangent.h"

struct ca_loss {
    struct ca_tangent tangent; /* seeded with R */
    struct ca_moments moments;
    struct ca_pass value;                  /* m rows: forward values of the dependencies eps */
    struct ca_pass back_change, back_bend; /* derivatives of the backward pass along a step */
    double *W;                             /* m x n */
    double *r;                             /* m x rank */
    double *eps;                           /* m x n: R'r, minus the dependencies left */
    double *twice;                         /* p: 2 v */
};

/* The loss and the objective that an optimiser sees. */
struct ca_loss ca_loss_new(const struct ca_graph *graph, const struct ca_moments *moments,
                           const long *column);
struct ca_objective ca_loss_objective(struct ca_loss *loss);

#endif
