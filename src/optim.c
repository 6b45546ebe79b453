/* The conditions of convergence, which all optimisers share. */

#include "optim.h"

#include <math.h>

#include "linalg.h"
#include "workspace.h"

double ca_optim_convergence(const struct ca_objective *objective, const double *r,
                            const double *J) {
    double worst = -1;
    for (size_t k = 0; k < objective->p; k++) {
        const double *column = J + k * objective->squares.q;
        const double norm = ca_norm((int)objective->squares.q, column);
        if (norm == 0)
            continue;
        const double cosine = fabs(ca_dot(objective->squares.q, column, r)) / norm;
        if (isnan(cosine)) /* larger than any number */
            return cosine;
        worst = fmax(worst, cosine);
    }
    return worst == -1 ? -1 : worst / sqrt(objective->total);
}

/* A loss below this share of `total` counts as 0. */
static const double NEGLIGIBLE = 1e-14;

int ca_optim_is_small(const struct ca_objective *objective, const struct ca_control *control,
                      double f, double decrement) {
    const double loss = objective->floor + f;
    return isnan(decrement) || loss <= NEGLIGIBLE * objective->total ||
           decrement <= control->decrement * loss;
}

/* The longest step that counts in the decrement, in units of sqrt(total), in coordinates in
 * which the columns of J have unit norm. */
static const double REACH = 1e3;

double ca_optim_promise(const struct ca_objective *objective, double c, double s) {
    return fmin(c * c, 2 * fabs(c) * s * REACH * sqrt(objective->total));
}

/* Pivoted Cholesky factorisation of the scaled matrix, which stops at the square of the
 * resolution: the remaining directions have smaller singular values. */
double ca_optim_normal_decrement(const struct ca_objective *objective, const double *G,
                                 const double *g, double *A, double *work, int *pivot) {
    const size_t p = objective->p;
    const double resolution = objective->resolution;
    double *x = work, *scale = work + p, sum = 0;
    int rank;
    for (size_t k = 0; k < p; k++)
        scale[k] = G[k + k * p] > 0 ? 1 / sqrt(G[k + k * p]) : 0;
    for (size_t k = 0; k < p; k++)
        for (size_t i = 0; i <= k; i++)
            A[i + k * p] = scale[i] * G[i + k * p] * scale[k];
    if (p == 0 || ca_pivoted_chol((int)p, A, resolution * resolution, pivot, &rank,
                                  work + 2 * p) != CA_OK)
        return NAN;
    /* forward substitution, R'x = g on the leading `rank` columns */
    for (size_t k = 0; k < (size_t)rank; k++) {
        const size_t from = (size_t)pivot[k] - 1;
        x[k] = (scale[from] * g[from] - ca_dot(k, A + k * p, x)) / A[k + k * p];
        sum += ca_optim_promise(objective, x[k], A[k + k * p]);
    }
    return sum;
}

struct ca_result ca_optim_finish(const struct ca_objective *objective,
                                 const struct ca_control *control, const double *theta,
                                 int iterations, enum ca_outcome outcome) {
    double f;
    const double number = objective->number(objective->context, theta, &f);
    if (!isfinite(f))
        outcome = CA_DIVERGED;
    if (outcome != CA_DIVERGED && outcome != CA_STOPPED) {
        if (number == -1)
            outcome = CA_DEGENERATE;
        else if (number <= control->tol && objective->batches.n <= 1)
            outcome = CA_CONVERGED;
    }
    double decrement = NAN;
    if (outcome != CA_DIVERGED && objective->normal.affordable) {
        const size_t p = objective->p;
        double *G = ca_doubles(p * p), *g = ca_doubles(p), same;
        objective->normal.evaluate(objective->context, theta, G, g, &same);
        decrement = ca_optim_normal_decrement(objective, G, g, ca_doubles(p * p),
                                              ca_doubles(4 * p), ca_ints(p));
    }
    if (outcome == CA_CONVERGED && !ca_optim_is_small(objective, control, f, decrement))
        outcome = CA_STALLED;
    return (struct ca_result){.outcome = outcome,
                              .iterations = iterations,
                              .loss = objective->floor + f,
                              .excess = f,
                              .number = number,
                              .decrement = decrement};
}
