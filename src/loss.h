#ifndef CAPALLOC_LOSS_H
#define CAPALLOC_LOSS_H

/*
 * The loss of a linear network on moments, as least squares: the residuals are r = R W(theta)'
 * - T (row o + m i), so that L = floor + |r|^2. The tangent of r is J~ = (R (x) I_m) J. The
 * gradient is 2 J~' r = -2 J' eps with eps = C - Sigma W' = -R' r.
 */

#include "moments.h"
#include "optim.h"
#include "tangent.h"

struct ca_loss {
    struct ca_tangent tangent; /* its seeds are R */
    struct ca_moments moments;
    struct ca_pass value;                  /* m rows: forward values of R'r = -eps */
    struct ca_pass back_change, back_bend; /* derivatives of the backward pass along v */
    double *W;                             /* m x n */
    double *r;                             /* m x rank */
    double *eps;                           /* m x n: R'r, minus the eps above */
    double *twice;                         /* p: 2 v */
};

/* Allocates the loss; and its objective, which the optimisers minimise. */
struct ca_loss ca_loss_new(const struct ca_graph *graph, const struct ca_moments *moments,
                           const long *column);
struct ca_objective ca_loss_objective(struct ca_loss *loss);

#endif
