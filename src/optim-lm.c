/*
 * Levenberg-Marquardt with geodesic acceleration (Transtrum and Sethna 2012,
 * doi:10.48550/arXiv.1201.5885). In coordinates scaled by the norms of the
 * columns of J, a step is z + a / 2 with
 *   (J'J + mu I) z = -J'r,   (J'J + mu I) a = -J'r'',
 * r'' the second derivative of r along z: the flat, bent valleys of
 * over-parameterised networks are followed along their bend. With fewer residuals
 * than parameters the same steps come from the q x q system,
 *   (J'J + mu I)^-1 J' x = J' (J J' + mu I)^-1 x.
 */

#include <float.h>
#include <math.h>
#include <string.h>

#include "linalg.h"
#include "optim.h"
#include "workspace.h"

/* Norms below this share of the largest are not scaled up: a parameter whose effect has all but
 * vanished would take steps without bound. */
static const double SCALE_FLOOR = 1e-2;
/* A predicted decrease below this share of |r|^2 drowns in its rounding. */
static const double LATE = 1e-9;
/* The acceleration is left out where it is not small against the step. */
static const double MOST_ACCELERATION = 0.75;

struct point {
    double *theta; /* p */
    double *r;     /* q */
    double *J;     /* q x p, columns scaled */
    double *g;     /* p: J'r */
    double *scale; /* p: of the columns, so that theta moves by scale * z */
    double f;      /* |r|^2 */
    double number; /* convergence, -1 when J = 0 */
};

struct lm {
    const struct ca_objective *objective;
    size_t n_system; /* min(p, q) */
    struct point now, trial;
    double *gram;   /* n_system^2: J'J or JJ' at `now` */
    double *factor; /* gram + mu I, factored */
    double *z, *a;  /* p: step and acceleration, scaled coordinates */
    double *v;      /* p: the step in theta */
    double *bent;   /* q: r'' */
    double *y;      /* q */
};

static struct point point_new(size_t p, size_t q) {
    return (struct point){.theta = ca_doubles(p),
                          .r = ca_doubles(q),
                          .J = ca_doubles(q * p),
                          .g = ca_doubles(p),
                          .scale = ca_doubles(p)};
}

static struct lm lm_new(const struct ca_objective *objective) {
    const size_t p = objective->p, q = objective->q, n = q < p ? q : p;
    return (struct lm){.objective = objective,
                       .n_system = n,
                       .now = point_new(p, q),
                       .trial = point_new(p, q),
                       .gram = ca_doubles(n * n),
                       .factor = ca_doubles(n * n),
                       .z = ca_doubles(p),
                       .a = ca_doubles(p),
                       .v = ca_doubles(p),
                       .bent = ca_doubles(q),
                       .y = ca_doubles(q)};
}

static void evaluate(const struct lm *lm, struct point *at) {
    lm->objective->residuals(lm->objective->context, at->theta, at->r);
    at->f = ca_dot(lm->objective->q, at->r, at->r);
}

/* The tangent at the point of the last residuals, its scales and the convergence number. */
static void linearise(const struct lm *lm, struct point *at) {
    const size_t p = lm->objective->p, q = lm->objective->q;
    double largest = 0;
    lm->objective->jacobian(lm->objective->context, at->J);
    at->number = ca_convergence(lm->objective, at->r, at->J);
    for (size_t k = 0; k < p; k++) {
        at->scale[k] = ca_norm((int)q, at->J + k * q);
        largest = fmax(largest, at->scale[k]);
    }
    for (size_t k = 0; k < p && largest > 0; k++) {
        double *column = at->J + k * q;
        at->scale[k] = 1 / fmax(at->scale[k], SCALE_FLOOR * largest);
        for (size_t i = 0; i < q; i++)
            column[i] *= at->scale[k];
        at->g[k] = ca_dot(q, column, at->r);
    }
}

static void assemble(struct lm *lm) {
    const int p = (int)lm->objective->p, q = (int)lm->objective->q;
    if (q < p)
        ca_gram(q, p, lm->now.J, q, 1, lm->gram);
    else
        ca_gram(p, q, lm->now.J, q, 0, lm->gram);
}

/* Factors the system for damping mu; 0 when it is not positive definite in floating point. */
static int factorise(struct lm *lm, double mu) {
    const size_t n = lm->n_system;
    memcpy(lm->factor, lm->gram, sizeof(double) * n * n);
    for (size_t i = 0; i < n; i++)
        lm->factor[i + i * n] += mu;
    return ca_chol((int)n, lm->factor) == CA_OK;
}

/* out = -(J'J + mu I)^-1 J'x */
static void solve(struct lm *lm, const double *x, double *out) {
    const size_t p = lm->objective->p, q = lm->objective->q;
    if (q < p) {
        memcpy(lm->y, x, sizeof(double) * q);
        ca_chol_solve((int)q, lm->factor, lm->y);
        ca_gemv_t((int)q, (int)p, lm->now.J, (int)q, lm->y, out);
    } else {
        ca_gemv_t((int)q, (int)p, lm->now.J, (int)q, x, out);
        ca_chol_solve((int)p, lm->factor, out);
    }
    for (size_t k = 0; k < p; k++)
        out[k] = -out[k];
}

/* The step for damping mu into trial.theta; returns the decrease of |r|^2 that its linear part
 * predicts. The objective must stand at `now`. */
static double propose(struct lm *lm, double mu) {
    const size_t p = lm->objective->p;
    const struct point *now = &lm->now;
    double predicted = 0;
    solve(lm, now->r, lm->z);
    for (size_t k = 0; k < p; k++) {
        lm->v[k] = lm->z[k] * now->scale[k];
        predicted += lm->z[k] * (mu * lm->z[k] - now->g[k]);
    }
    lm->objective->bend(lm->objective->context, lm->v, lm->bent);
    solve(lm, lm->bent, lm->a);
    const double ratio = 2 * ca_norm((int)p, lm->a) / ca_norm((int)p, lm->z);
    const double share = ratio <= MOST_ACCELERATION ? 0.5 : 0;
    for (size_t k = 0; k < p; k++)
        lm->trial.theta[k] = now->theta[k] + lm->v[k] + share * lm->a[k] * now->scale[k];
    return predicted;
}

/* Evaluates the trial point and says how good it is: decrease over predicted decrease, or, when
 * that is rounding, 1 or -1 as the convergence number falls or not. Linearised when positive.
 */
static double judge(struct lm *lm, double predicted) {
    const struct point *now = &lm->now;
    struct point *trial = &lm->trial;
    evaluate(lm, trial);
    if (!isfinite(trial->f))
        return -1;
    const int late = fabs(predicted) < LATE * now->f;
    const double gain = (now->f - trial->f) / predicted;
    if (!late && !(gain > 1e-4))
        return -1;
    linearise(lm, trial);
    if (late)
        return trial->number < now->number && trial->f <= now->f * (1 + LATE) ? 1 : -1;
    return gain;
}

/* Tries dampings from *mu upwards until a step is accepted. */
static int step(struct lm *lm, double *mu) {
    double grow = 2;
    int moved = 0; /* the objective stands at a rejected trial point */
    assemble(lm);
    for (; *mu < 1e16; *mu *= grow, grow *= 2) {
        if (!factorise(lm, *mu))
            continue;
        if (moved)
            evaluate(lm, &lm->now);
        const double predicted = propose(lm, *mu), gain = judge(lm, predicted);
        moved = 1;
        if (gain > 0) {
            const struct point swap = lm->now;
            lm->now = lm->trial;
            lm->trial = swap;
            *mu = fmax(*mu * fmax(0.1, 1 - pow(2 * gain - 1, 3)), DBL_EPSILON);
            return 1;
        }
    }
    return 0;
}

static enum ca_outcome minimise(struct lm *lm, const struct ca_control *control,
                                const struct ca_trace *trace, int *iteration) {
    const struct ca_objective *objective = lm->objective;
    double mu = 1e-2;
    evaluate(lm, &lm->now);
    linearise(lm, &lm->now);
    for (*iteration = 0;; ++*iteration) {
        const int stop = trace->tick(trace->context, *iteration, lm->now.theta,
                                     objective->floor + lm->now.f, lm->now.number);
        if (!isfinite(lm->now.f) || isnan(lm->now.number))
            return CA_DIVERGED;
        if (lm->now.number < 0)
            return CA_DEGENERATE;
        if (lm->now.number <= control->tol)
            return CA_CONVERGED;
        if (stop)
            return CA_STOPPED;
        if (*iteration >= control->max_iterations)
            return CA_EXHAUSTED;
        if (!step(lm, &mu))
            return CA_STALLED;
    }
}

struct ca_result ca_lm(const struct ca_objective *objective, const struct ca_control *control,
                       const struct ca_trace *trace, double *theta) {
    struct lm lm = lm_new(objective);
    struct ca_result result;
    memcpy(lm.now.theta, theta, sizeof(double) * objective->p);
    result.outcome = minimise(&lm, control, trace, &result.iterations);
    memcpy(theta, lm.now.theta, sizeof(double) * objective->p);
    result.loss = objective->floor + lm.now.f;
    result.number = lm.now.number;
    return result;
}
