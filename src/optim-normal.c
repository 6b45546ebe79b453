/*
 * Steps of Levenberg-Marquardt by normal equations, for objectives that have a Gauss-Newton
 * matrix instead of residuals:
 *   (G + mu d I) z = -g,
 * with G and g half the matrix and half the gradient of f, and d the largest diagonal entry of
 * G. All coordinates have the same damping. Damping by the diagonal entries of G instead would
 * allow very large steps of units that have hardly any effect yet. For squared errors the step
 * is z + a / 2 with its geodesic acceleration a (see optim-tangent.c).
 */

#include <math.h>
#include <string.h>

#include "linalg.h"
#include "optim-lm.h"
#include "workspace.h"

/* A predicted decrease below LATE times f is lost in the rounding error of f, and below LAST
 * times f in that of the gradient. A step with a predicted decrease below LATE f that needs
 * more damping than KINK is not near a smooth minimum. The acceleration is used only if twice
 * its norm is at most MOST_ACCELERATION times that of z. */
static const double LATE = 1e-9, LAST = 1e-28, KINK = 1e4, MOST_ACCELERATION = 0.75;

struct point {
    struct ca_lm_point at;
    double *g; /* p */
    double *G; /* p x p, upper triangle */
};

struct normal_system {
    const struct ca_objective *objective;
    struct point now, trial;
    double *z, *a;  /* p: step and acceleration */
    double *factor; /* p x p */
    double largest; /* d */
    double *work;   /* 4 p: scratch for the decrement */
    int *pivot;     /* p */
};

static struct point point_new(size_t p) {
    return (struct point){
        .at.theta = ca_doubles(p), .g = ca_doubles(p), .G = ca_doubles(p * p)};
}

static void evaluate(const struct normal_system *s, struct point *at) {
    at->at.f = s->objective->normal.evaluate(s->objective->context, at->at.theta, at->G, at->g,
                                             &at->at.number);
}

static void swap_points(void *context) {
    struct normal_system *s = context;
    const struct point swap = s->now;
    s->now = s->trial;
    s->trial = swap;
}

static int factorise(void *context, double mu) {
    struct normal_system *s = context;
    const size_t p = s->objective->p;
    memcpy(s->factor, s->now.G, sizeof(double) * p * p);
    for (size_t k = 0; k < p; k++)
        s->factor[k + k * p] += mu * s->largest;
    return ca_chol((int)p, s->factor) == CA_OK;
}

/* trial.at.theta += a / 2, with (G + mu d I) a = -J'r'' and r'' the second derivative of the
 * residuals along z. */
static void accelerate(struct normal_system *s) {
    const size_t p = s->objective->p;
    if (s->objective->normal.bend == NULL)
        return;
    s->objective->normal.bend(s->objective->context, s->now.at.theta, s->z, s->a);
    ca_chol_solve((int)p, s->factor, s->a);
    if (!(2 * ca_norm((int)p, s->a) <= MOST_ACCELERATION * ca_norm((int)p, s->z)))
        return;
    for (size_t k = 0; k < p; k++)
        s->trial.at.theta[k] -= s->a[k] / 2;
}

/* Computes the trial point. Returns the decrease of f that the quadratic model predicts. */
static double propose(void *context, double mu) {
    struct normal_system *s = context;
    const size_t p = s->objective->p;
    double predicted = 0;
    for (size_t k = 0; k < p; k++)
        s->z[k] = -s->now.g[k];
    ca_chol_solve((int)p, s->factor, s->z);
    for (size_t k = 0; k < p; k++) {
        predicted += s->z[k] * (mu * s->largest * s->z[k] - s->now.g[k]);
        s->trial.at.theta[k] = s->now.at.theta[k] + s->z[k];
    }
    accelerate(s);
    return predicted;
}

/* The decrease of f along the step by the trapezoidal rule, from the gradients at its ends. For
 * short steps it is more accurate than a difference of values. */
static double decrease(const struct normal_system *s) {
    double sum = 0;
    for (size_t k = 0; k < s->objective->p; k++)
        sum -= s->z[k] * (s->now.g[k] + s->trial.g[k]);
    return sum;
}

/* Returns the ratio of the decrease to the predicted decrease, or -1 if the trial point is to
 * be rejected. At a kink of f the convergence number must fall, and the result is 1. If it is
 * positive, the trial point has been evaluated completely. */
static double judge(void *context, double mu, double predicted) {
    struct normal_system *s = context;
    const struct point *now = &s->now;
    struct point *trial = &s->trial;
    if (!(fabs(predicted) > LAST * fabs(now->at.f)))
        return -1;
    if (fabs(predicted) < LATE * fabs(now->at.f)) {
        evaluate(s, trial);
        if (!(trial->at.f <= now->at.f + LATE * fabs(now->at.f)))
            return -1;
        if (mu > KINK)
            return trial->at.number < now->at.number ? 1 : -1;
        const double gain = decrease(s) / predicted;
        return gain > 1e-4 ? gain : -1;
    }
    const double f = s->objective->normal.value(s->objective->context, trial->at.theta);
    const double gain = (now->at.f - f) / predicted;
    if (!isfinite(f) || !(gain > 1e-4))
        return -1;
    evaluate(s, trial);
    return gain;
}

static double decrement(void *context) {
    const struct normal_system *s = context;
    return ca_optim_normal_decrement(s->objective, s->now.G, s->now.g, s->factor, s->work,
                                     s->pivot);
}

/* ---- the system ------------------------------------------------------------------------- */

static struct ca_lm_point *stand(void *context) {
    return &((struct normal_system *)context)->now.at;
}

static void start(void *context) {
    struct normal_system *s = context;
    evaluate(s, &s->now);
}

static void prepare(void *context) {
    struct normal_system *s = context;
    const size_t p = s->objective->p;
    s->largest = 0;
    for (size_t k = 0; k < p; k++)
        s->largest = fmax(s->largest, s->now.G[k + k * p]);
}

struct ca_lm_system ca_normal_system(const struct ca_objective *objective) {
    const size_t p = objective->p;
    struct normal_system *s = ca_bytes(1, sizeof *s);
    *s = (struct normal_system){.objective = objective,
                                .now = point_new(p),
                                .trial = point_new(p),
                                .z = ca_doubles(p),
                                .a = ca_doubles(p),
                                .factor = ca_doubles(p * p),
                                .work = ca_doubles(4 * p),
                                .pivot = ca_ints(p)};
    return (struct ca_lm_system){.context = s,
                                 .now = stand,
                                 .start = start,
                                 .prepare = prepare,
                                 .factorise = factorise,
                                 .propose = propose,
                                 .judge = judge,
                                 .swap = swap_points,
                                 .decrement = decrement};
}
