/*
 * Levenberg-Marquardt on normal equations, for objectives that hand out their
 * Gauss-Newton matrix instead of residuals:
 *   (G + mu d I) z = -g,
 * with G and g half the matrix and half the gradient of f, and d the largest
 * diagonal entry of G. Damping all coordinates alike keeps units that have hardly begun to act
 * from being thrown far off, which a damping by each one's own diagonal entry does. Of squared
 * errors the step is z + a / 2 with its geodesic acceleration a (see optim-lm.c). mu rises
 * until a step brings f down, and falls with how well the model foretold by how much.
 */

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "linalg.h"
#include "optim.h"
#include "workspace.h"

/* A foretold decrease below LATE times f drowns in its rounding, one below LAST times f in that
 * of the gradient. A step that takes more damping than KINK to be late is not near a smooth
 * minimum. The acceleration is left out where it is not small against the step. */
static const double LATE = 1e-9, LAST = 1e-28, KINK = 1e4, MOST_ACCELERATION = 0.75;

struct point {
    double *theta, *g; /* p */
    double *G;         /* p x p, upper triangle */
    double f, number;
};

enum { POLISH = 3 };

struct normal {
    const struct ca_objective *objective;
    struct point now, trial;
    double *z, *a;  /* p: step and acceleration */
    double *factor; /* p x p */
    double largest; /* d */
    double *work;   /* 4 p: scratch of the decrement */
    int *pivot;     /* p */
};

static struct point point_new(size_t p) {
    return (struct point){.theta = ca_doubles(p), .g = ca_doubles(p), .G = ca_doubles(p * p)};
}

static void evaluate(const struct normal *lm, struct point *at) {
    at->f = lm->objective->normal(lm->objective->context, at->theta, at->G, at->g, &at->number);
}

static void swap_points(struct normal *lm) {
    const struct point swap = lm->now;
    lm->now = lm->trial;
    lm->trial = swap;
}

static int factorise(struct normal *lm, double mu) {
    const size_t p = lm->objective->p;
    memcpy(lm->factor, lm->now.G, sizeof(double) * p * p);
    for (size_t k = 0; k < p; k++)
        lm->factor[k + k * p] += mu * lm->largest;
    return ca_chol((int)p, lm->factor) == CA_OK;
}

/* trial.theta += a / 2 with (G + mu d I) a = -J'r'', r'' the second derivative of the residuals
 * along z. */
static void accelerate(struct normal *lm) {
    const size_t p = lm->objective->p;
    if (lm->objective->bend_gradient == NULL)
        return;
    lm->objective->bend_gradient(lm->objective->context, lm->now.theta, lm->z, lm->a);
    ca_chol_solve((int)p, lm->factor, lm->a);
    if (!(2 * ca_norm((int)p, lm->a) <= MOST_ACCELERATION * ca_norm((int)p, lm->z)))
        return;
    for (size_t k = 0; k < p; k++)
        lm->trial.theta[k] -= lm->a[k] / 2;
}

/* The step into trial.theta; the decrease of f that the model foretells. */
static double propose(struct normal *lm, double mu) {
    const size_t p = lm->objective->p;
    double predicted = 0;
    for (size_t k = 0; k < p; k++)
        lm->z[k] = -lm->now.g[k];
    ca_chol_solve((int)p, lm->factor, lm->z);
    for (size_t k = 0; k < p; k++) {
        predicted += lm->z[k] * (mu * lm->largest * lm->z[k] - lm->now.g[k]);
        lm->trial.theta[k] = lm->now.theta[k] + lm->z[k];
    }
    accelerate(lm);
    return predicted;
}

/* The decrease of f along the step by the mean of the gradients at its ends: it keeps the
 * digits that a difference of values has lost when the step is short. */
static double decrease(const struct normal *lm) {
    double sum = 0;
    for (size_t k = 0; k < lm->objective->p; k++)
        sum -= lm->z[k] * (lm->now.g[k] + lm->trial.g[k]);
    return sum;
}

/* Decrease over foretold decrease, -1 where it is too small; at a kink of f the convergence
 * number must fall. The trial point is evaluated completely when positive. */
static double judge(struct normal *lm, double mu, double predicted) {
    const struct point *now = &lm->now;
    struct point *trial = &lm->trial;
    if (!(fabs(predicted) > LAST * fabs(now->f)))
        return -1;
    if (fabs(predicted) < LATE * fabs(now->f)) {
        evaluate(lm, trial);
        if (!(trial->f <= now->f + LATE * fabs(now->f)))
            return -1;
        if (mu > KINK)
            return trial->number < now->number ? 1 : -1;
        const double gain = decrease(lm) / predicted;
        return gain > 1e-4 ? gain : -1;
    }
    const double f = lm->objective->value(lm->objective->context, trial->theta);
    const double gain = (now->f - f) / predicted;
    if (!isfinite(f) || !(gain > 1e-4))
        return -1;
    evaluate(lm, trial);
    return gain;
}

/* Tries at most `tries` dampings from *mu upwards until a step is accepted. */
static int step(struct normal *lm, double *mu, int tries) {
    const size_t p = lm->objective->p;
    double grow = 2;
    lm->largest = 0;
    for (size_t k = 0; k < p; k++)
        lm->largest = fmax(lm->largest, lm->now.G[k + k * p]);
    for (; *mu < 1e16 && tries > 0; *mu *= grow, grow *= 2, tries--) {
        if (!factorise(lm, *mu))
            continue;
        const double gain = judge(lm, *mu, propose(lm, *mu));
        if (gain > 0) {
            swap_points(lm);
            *mu = fmax(*mu * fmax(0.1, 1 - pow(2 * gain - 1, 3)), DBL_EPSILON);
            return 1;
        }
    }
    return 0;
}

static double decrement(const struct normal *lm) {
    return ca_normal_decrement(lm->objective, lm->now.G, lm->now.g, lm->factor, lm->work,
                               lm->pivot);
}

static int report(const struct normal *lm, const struct ca_trace *trace, int iteration) {
    return trace->tick(trace->context, iteration, lm->now.theta, lm->now.f, lm->now.number);
}

/* As in optim-lm.c. */
static void polish(struct normal *lm, const struct ca_control *control,
                   const struct ca_trace *trace, double mu, int *iteration) {
    for (int i = 0; i < POLISH; i++) {
        if (!step(lm, &mu, 1))
            return;
        if (!(lm->now.number <= control->tol)) {
            swap_points(lm);
            return;
        }
        report(lm, trace, ++*iteration);
    }
}

static enum ca_outcome minimise(struct normal *lm, const struct ca_control *control,
                                const struct ca_trace *trace, double *mu, int *iteration) {
    evaluate(lm, &lm->now);
    for (*iteration = 0;; ++*iteration) {
        const struct point *now = &lm->now;
        const int stop = report(lm, trace, *iteration);
        if (!isfinite(now->f) || isnan(now->number))
            return CA_DIVERGED;
        if (now->number < 0)
            return CA_DEGENERATE;
        if (now->number <= control->tol &&
            ca_is_small(lm->objective, control, now->f, decrement(lm)))
            return CA_CONVERGED;
        if (stop)
            return CA_STOPPED;
        if (*iteration >= control->max_iterations)
            return CA_EXHAUSTED;
        if (!step(lm, mu, INT_MAX))
            return CA_STALLED;
    }
}

struct ca_result ca_normal(const struct ca_objective *objective,
                           const struct ca_control *control, const struct ca_trace *trace,
                           double *theta) {
    const size_t p = objective->p;
    struct normal lm = {.objective = objective,
                        .now = point_new(p),
                        .trial = point_new(p),
                        .z = ca_doubles(p),
                        .a = ca_doubles(p),
                        .factor = ca_doubles(p * p),
                        .work = ca_doubles(4 * p),
                        .pivot = ca_ints(p)};
    double mu = 1e-2;
    int iterations;
    memcpy(lm.now.theta, theta, sizeof(double) * p);
    const enum ca_outcome outcome = minimise(&lm, control, trace, &mu, &iterations);
    if (outcome == CA_CONVERGED)
        polish(&lm, control, trace, mu, &iterations);
    memcpy(theta, lm.now.theta, sizeof(double) * p);
    return (struct ca_result){.outcome = outcome,
                              .iterations = iterations,
                              .loss = lm.now.f,
                              .excess = lm.now.f,
                              .number = lm.now.number,
                              .decrement = outcome == CA_DIVERGED ? NAN : decrement(&lm)};
}
