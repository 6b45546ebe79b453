/*
 * Levenberg-Marquardt with geodesic acceleration (Transtrum and Sethna 2012,
 * doi:10.48550/arXiv.1201.5885). In coordinates scaled by the norms of the
 * columns of J, a step is z + a / 2 with
 *   (J'J + mu I) z = -J'r,   (J'J + mu I) a = -J'r'',
 * r'' the second derivative of r along z: the flat, bent valleys of
 * over-parameterised networks are followed along their bend. With fewer residuals
 * than parameters the same steps come from the q x q system,
 *   (J'J + mu I)^-1 J' x = J' (J J' + mu I)^-1 x.
 * Near the end, when the convergence number is at its bound and the decrement is not, the
 * normal equations have lost the directions that are left: their singular values are below
 * 1e-8. There a Gauss-Newton step by QR with column pivoting is taken instead.
 *
 * After convergence up to three more steps polish the point (POLISH). Products of weights that
 * training drives to zero fall by orders of magnitude in each, which the rank of the tangent
 * sees and the loss does not.
 */

#include <float.h>
#include <limits.h>
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
enum { POLISH = 3, HALVINGS = 6 };

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
    double *qr;     /* q x p: pivoted QR of J with columns of unit norm */
    double *tau, *work;
    double *norm; /* p: of the columns of J */
    int *pivot;   /* p */
    size_t rank, n_work;
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
                       .y = ca_doubles(q),
                       .qr = ca_doubles(q * p),
                       .tau = ca_doubles(n),
                       .norm = ca_doubles(p),
                       .pivot = ca_ints(p),
                       .work = ca_doubles(ca_pivoted_qr_work((int)q, (int)p)),
                       .n_work = ca_pivoted_qr_work((int)q, (int)p)};
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

/* The decrement at `now`, and Q'r in lm->y; the factors stay for newton(). */
static double decrement(struct lm *lm) {
    const size_t p = lm->objective->p, q = lm->objective->q;
    const size_t k = lm->n_system;
    double sum = 0;
    memcpy(lm->qr, lm->now.J, sizeof(double) * q * p);
    for (size_t j = 0; j < p; j++) {
        double *column = lm->qr + j * q;
        lm->norm[j] = ca_norm((int)q, column);
        for (size_t i = 0; i < q && lm->norm[j] > 0; i++)
            column[i] /= lm->norm[j];
    }
    memcpy(lm->y, lm->now.r, sizeof(double) * q);
    lm->rank = 0;
    if (ca_pivoted_qr((int)q, (int)p, lm->qr, lm->pivot, lm->tau, lm->work, lm->n_work) !=
            CA_OK ||
        ca_qr_transposed((int)q, (int)k, lm->qr, lm->tau, lm->y, lm->work, lm->n_work) != CA_OK)
        return NAN;
    const double least = k > 0 ? lm->objective->resolution * fabs(lm->qr[0]) : 0;
    while (lm->rank < k && fabs(lm->qr[lm->rank + lm->rank * q]) > least) {
        sum +=
            ca_promise(lm->objective, lm->y[lm->rank], fabs(lm->qr[lm->rank + lm->rank * q]));
        lm->rank++;
    }
    return sum;
}

static void swap_points(struct lm *lm) {
    const struct point swap = lm->now;
    lm->now = lm->trial;
    lm->trial = swap;
}

/* A Gauss-Newton step with the factors of decrement(), halved until it brings f down. */
static int newton(struct lm *lm) {
    const size_t p = lm->objective->p, q = lm->objective->q;
    ca_solve_upper((int)lm->rank, lm->qr, (int)q, lm->y);
    memset(lm->v, 0, sizeof(double) * p);
    for (size_t l = 0; l < lm->rank; l++) {
        const size_t j = (size_t)lm->pivot[l] - 1;
        lm->v[j] = -lm->y[l] / lm->norm[j] * lm->now.scale[j];
    }
    double share = 1;
    for (int half = 0; half < HALVINGS; half++, share /= 2) {
        for (size_t j = 0; j < p; j++)
            lm->trial.theta[j] = lm->now.theta[j] + share * lm->v[j];
        evaluate(lm, &lm->trial);
        if (isfinite(lm->trial.f) && lm->trial.f < lm->now.f) {
            linearise(lm, &lm->trial);
            swap_points(lm);
            return 1;
        }
    }
    evaluate(lm, &lm->now); /* the objective stands at `now` again */
    return 0;
}

/* Tries at most `tries` dampings from *mu upwards until a step is accepted. */
static int step(struct lm *lm, double *mu, int tries) {
    double grow = 2;
    int moved = 0; /* the objective stands at a rejected trial point */
    assemble(lm);
    for (; *mu < 1e16 && tries > 0; *mu *= grow, grow *= 2, tries--) {
        if (!factorise(lm, *mu))
            continue;
        if (moved)
            evaluate(lm, &lm->now);
        const double predicted = propose(lm, *mu), gain = judge(lm, predicted);
        moved = 1;
        if (gain > 0) {
            swap_points(lm);
            *mu = fmax(*mu * fmax(0.1, 1 - pow(2 * gain - 1, 3)), DBL_EPSILON);
            return 1;
        }
    }
    return 0;
}

static int report(const struct lm *lm, const struct ca_trace *trace, int iteration) {
    return trace->tick(trace->context, iteration, lm->now.theta,
                       lm->objective->floor + lm->now.f, lm->now.number);
}

/* Up to POLISH more steps, each with at most `tries` dampings; one that takes the number from
 * within its bound to beyond it is taken back. */
static void polish(struct lm *lm, const struct ca_control *control,
                   const struct ca_trace *trace, double mu, int tries, int *iteration) {
    for (int i = 0; i < POLISH; i++) {
        const int within = lm->now.number <= control->tol;
        if (!step(lm, &mu, tries))
            return;
        if (within && !(lm->now.number <= control->tol)) {
            swap_points(lm);
            return;
        }
        report(lm, trace, ++*iteration);
    }
}

static enum ca_outcome minimise(struct lm *lm, const struct ca_control *control,
                                const struct ca_trace *trace, double *mu, int *iteration) {
    evaluate(lm, &lm->now);
    linearise(lm, &lm->now);
    for (*iteration = 0;; ++*iteration) {
        const int stop = report(lm, trace, *iteration);
        if (!isfinite(lm->now.f) || isnan(lm->now.number))
            return CA_DIVERGED;
        if (lm->now.number < 0)
            return CA_DEGENERATE;
        const int near = lm->now.number <= control->tol;
        /* f bounds its own decrement, so the factorisation is often not needed */
        if (near && (ca_is_small(lm->objective, control, lm->now.f, lm->now.f) ||
                     ca_is_small(lm->objective, control, lm->now.f, decrement(lm))))
            return CA_CONVERGED;
        if (stop)
            return CA_STOPPED;
        if (*iteration >= control->max_iterations)
            return CA_EXHAUSTED;
        if (!(near && newton(lm)) && !step(lm, mu, INT_MAX))
            return CA_STALLED;
    }
}

/* The result at `now`. */
static struct ca_result end_at(struct lm *lm, enum ca_outcome outcome, int iterations,
                               double *theta) {
    memcpy(theta, lm->now.theta, sizeof(double) * lm->objective->p);
    return (struct ca_result){.outcome = outcome,
                              .iterations = iterations,
                              .loss = lm->objective->floor + lm->now.f,
                              .excess = lm->now.f,
                              .number = lm->now.number,
                              .decrement = outcome == CA_DIVERGED ? NAN : decrement(lm)};
}

struct ca_result ca_lm(const struct ca_objective *objective, const struct ca_control *control,
                       const struct ca_trace *trace, double *theta) {
    struct lm lm = lm_new(objective);
    double mu = 1e-2;
    int iterations;
    memcpy(lm.now.theta, theta, sizeof(double) * objective->p);
    const enum ca_outcome outcome = minimise(&lm, control, trace, &mu, &iterations);
    if (outcome == CA_CONVERGED)
        polish(&lm, control, trace, mu, 1, &iterations);
    return end_at(&lm, outcome, iterations, theta);
}

struct ca_result ca_lm_polish(const struct ca_objective *objective,
                              const struct ca_control *control, const struct ca_trace *trace,
                              double *theta, const struct ca_result *ended) {
    struct lm lm = lm_new(objective);
    int iterations = ended->iterations;
    memcpy(lm.now.theta, theta, sizeof(double) * objective->p);
    evaluate(&lm, &lm.now);
    linearise(&lm, &lm.now);
    polish(&lm, control, trace, 1e-8, INT_MAX, &iterations);
    struct ca_result result = end_at(&lm, ended->outcome, iterations, theta);
    const int at_rest = result.number >= 0 && result.number <= control->tol &&
                        ca_is_small(objective, control, lm.now.f, result.decrement);
    result.outcome = at_rest ? CA_CONVERGED : CA_STALLED;
    return result;
}
