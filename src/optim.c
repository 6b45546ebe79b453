/* What the optimisers share: how they judge where they ended. */

#include "optim.h"

#include <math.h>

#include "linalg.h"
#include "workspace.h"

double ca_convergence(const struct ca_objective *objective, const double *r, const double *J) {
    double worst = -1;
    for (size_t k = 0; k < objective->p; k++) {
        const double *column = J + k * objective->q;
        const double norm = ca_norm((int)objective->q, column);
        if (norm == 0)
            continue;
        const double cosine = fabs(ca_dot(objective->q, column, r)) / norm;
        if (isnan(cosine)) /* the worst of all */
            return cosine;
        worst = fmax(worst, cosine);
    }
    return worst == -1 ? -1 : worst / sqrt(objective->total);
}

struct ca_result ca_finish(const struct ca_objective *objective,
                           const struct ca_control *control, const double *theta,
                           int iterations, enum ca_outcome outcome) {
    double f;
    const double number = objective->number(objective->context, theta, &f);
    if (!isfinite(f))
        outcome = CA_DIVERGED;
    if (outcome != CA_DIVERGED && outcome != CA_STOPPED) {
        if (number == -1)
            outcome = CA_DEGENERATE;
        else if (number <= control->tol && objective->n_batches <= 1)
            outcome = CA_CONVERGED;
    }
    return (struct ca_result){.outcome = outcome,
                              .iterations = iterations,
                              .loss = objective->floor + f,
                              .number = number};
}
