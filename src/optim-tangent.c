/*
 * Steps of Levenberg-Marquardt from residuals and their tangent, with geodesic acceleration
 * (Transtrum and Sethna 2012, doi:10.48550/arXiv.1201.5885). In coordinates that are scaled by
 * the norms of the columns of J, a step is z + a / 2 with
 *   (J'J + mu I) z = -J'r,   (J'J + mu I) a = -J'r'',
 * and r'' the second derivative of r along z. The acceleration makes steps follow the flat,
 * curved valleys of over-parameterised networks. With fewer residuals than parameters the same
 * steps are computed from the q x q system,
 *   (J'J + mu I)^-1 J' x = J' (J J' + mu I)^-1 x.
 *
 * Near the minimum the convergence number may be below its bound and the decrement not. The
 * remaining directions then have singular values below 1e-8, which the normal equations cannot
 * resolve. In that case a Gauss-Newton step by QR with column pivoting is taken instead.
 */

#include <math.h>
#include <string.h>

#include "linalg.h"
#include "optim-lm.h"
#include "workspace.h"

/* Norms below this share of the largest count as that share in the scaling. Otherwise a
 * parameter that has almost no effect would take arbitrarily large steps. */
static const double SCALE_FLOOR = 1e-2;
/* A predicted decrease below this share of |r|^2 is lost in its rounding error. */
static const double LATE = 1e-9;
/* The acceleration is used only if twice its norm is at most this share of the norm of z. */
static const double MOST_ACCELERATION = 0.75;
enum { HALVINGS = 6 };

struct point {
    struct ca_lm_point at;
    double *r;     /* q: residuals */
    double *J;     /* q x p: tangent with scaled columns */
    double *g;     /* p: J'r */
    double *scale; /* p: factors of the columns; the step of theta is scale * z */
};

struct tangent_system {
    const struct ca_objective *objective;
    size_t n_system; /* min(p, q) */
    struct point now, trial;
    double *gram;   /* n_system^2: J'J or J J' at `now` */
    double *factor; /* n_system^2: Cholesky factor of gram + mu I */
    double *z, *a;  /* p: step and acceleration in scaled coordinates */
    double *v;      /* p: the step in theta */
    double *bent;   /* q: r'' */
    double *y;      /* q: scratch; Q'r after decrement() */
    double *qr;     /* q x p: pivoted QR of J with columns of unit norm */
    double *tau, *work;
    double *norm; /* p: norms of the columns of J */
    int *pivot;   /* p */
    size_t rank, n_work;
    int at_trial; /* whether the objective was last evaluated at the trial point */
};

static struct point point_new(size_t p, size_t q) {
    return (struct point){.at.theta = ca_doubles(p),
                          .r = ca_doubles(q),
                          .J = ca_doubles(q * p),
                          .g = ca_doubles(p),
                          .scale = ca_doubles(p)};
}

static struct tangent_system *system_new(const struct ca_objective *objective) {
    const size_t p = objective->p, q = objective->squares.q, n = q < p ? q : p;
    struct tangent_system *s = ca_bytes(1, sizeof *s);
    *s = (struct tangent_system){.objective = objective,
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
    return s;
}

static void evaluate(const struct tangent_system *s, struct point *at) {
    s->objective->squares.residuals(s->objective->context, at->at.theta, at->r);
    at->at.f = ca_dot(s->objective->squares.q, at->r, at->r);
}

/* Computes the tangent at the point of the last residuals, the scales of its columns and the
 * convergence number. */
static void linearise(const struct tangent_system *s, struct point *at) {
    const size_t p = s->objective->p, q = s->objective->squares.q;
    double largest = 0;
    s->objective->squares.jacobian(s->objective->context, at->J);
    at->at.number = ca_optim_convergence(s->objective, at->r, at->J);
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

static void prepare(void *context) {
    struct tangent_system *s = context;
    const int p = (int)s->objective->p, q = (int)s->objective->squares.q;
    if (q < p)
        ca_gram(q, p, s->now.J, q, 1, s->gram);
    else
        ca_gram(p, q, s->now.J, q, 0, s->gram);
}

/* Factorises the system for damping mu. Returns 0 if it is not positive definite in floating
 * point. */
static int factorise(void *context, double mu) {
    struct tangent_system *s = context;
    const size_t n = s->n_system;
    memcpy(s->factor, s->gram, sizeof(double) * n * n);
    for (size_t i = 0; i < n; i++)
        s->factor[i + i * n] += mu;
    return ca_chol((int)n, s->factor) == CA_OK;
}

/* out = -(J'J + mu I)^-1 J'x */
static void solve(struct tangent_system *s, const double *x, double *out) {
    const size_t p = s->objective->p, q = s->objective->squares.q;
    if (q < p) {
        memcpy(s->y, x, sizeof(double) * q);
        ca_chol_solve((int)q, s->factor, s->y);
        ca_gemv_t((int)q, (int)p, s->now.J, (int)q, s->y, out);
    } else {
        ca_gemv_t((int)q, (int)p, s->now.J, (int)q, x, out);
        ca_chol_solve((int)p, s->factor, out);
    }
    for (size_t k = 0; k < p; k++)
        out[k] = -out[k];
}

/* Computes the trial point for damping mu. Returns the decrease of |r|^2 that the linear part
 * of the step predicts. */
static double propose(void *context, double mu) {
    struct tangent_system *s = context;
    const size_t p = s->objective->p;
    const struct point *now = &s->now;
    double predicted = 0;
    if (s->at_trial)
        evaluate(s, &s->now);
    s->at_trial = 0;
    solve(s, now->r, s->z);
    for (size_t k = 0; k < p; k++) {
        s->v[k] = s->z[k] * now->scale[k];
        predicted += s->z[k] * (mu * s->z[k] - now->g[k]);
    }
    s->objective->squares.bend(s->objective->context, s->v, s->bent);
    solve(s, s->bent, s->a);
    const double ratio = 2 * ca_norm((int)p, s->a) / ca_norm((int)p, s->z);
    const double share = ratio <= MOST_ACCELERATION ? 0.5 : 0;
    for (size_t k = 0; k < p; k++)
        s->trial.at.theta[k] = now->at.theta[k] + s->v[k] + share * s->a[k] * now->scale[k];
    return predicted;
}

/* Evaluates the trial point. Returns the ratio of the decrease to the predicted decrease, or -1
 * if the point is to be rejected. If the predicted decrease is within rounding error, the
 * result is 1 if the convergence number falls and f does not rise by more than rounding error,
 * else -1. If it is positive, the trial point has been linearised. */
static double judge(void *context, double mu, double predicted) {
    struct tangent_system *s = context;
    const struct point *now = &s->now;
    struct point *trial = &s->trial;
    (void)mu;
    evaluate(s, trial);
    s->at_trial = 1;
    if (!isfinite(trial->at.f))
        return -1;
    const int late = fabs(predicted) < LATE * now->at.f;
    const double gain = (now->at.f - trial->at.f) / predicted;
    if (!late && !(gain > 1e-4))
        return -1;
    linearise(s, trial);
    if (late)
        return trial->at.number < now->at.number && trial->at.f <= now->at.f * (1 + LATE) ? 1
                                                                                          : -1;
    return gain;
}

/* Returns the decrement at the current point. Leaves Q'r in s->y and the factors for
 * newton(). */
static double decrement(void *context) {
    struct tangent_system *s = context;
    const size_t p = s->objective->p, q = s->objective->squares.q;
    const size_t k = s->n_system;
    double sum = 0;
    memcpy(s->qr, s->now.J, sizeof(double) * q * p);
    for (size_t j = 0; j < p; j++) {
        double *column = s->qr + j * q;
        s->norm[j] = ca_norm((int)q, column);
        for (size_t i = 0; i < q && s->norm[j] > 0; i++)
            column[i] /= s->norm[j];
    }
    memcpy(s->y, s->now.r, sizeof(double) * q);
    s->rank = 0;
    if (ca_pivoted_qr((int)q, (int)p, s->qr, s->pivot, s->tau, s->work, s->n_work) != CA_OK ||
        ca_qr_transposed((int)q, (int)k, s->qr, s->tau, s->y, s->work, s->n_work) != CA_OK)
        return NAN;
    const double least = k > 0 ? s->objective->resolution * fabs(s->qr[0]) : 0;
    while (s->rank < k && fabs(s->qr[s->rank + s->rank * q]) > least) {
        sum +=
            ca_optim_promise(s->objective, s->y[s->rank], fabs(s->qr[s->rank + s->rank * q]));
        s->rank++;
    }
    return sum;
}

static void swap_points(void *context) {
    struct tangent_system *s = context;
    const struct point swap = s->now;
    s->now = s->trial;
    s->trial = swap;
    s->at_trial = !s->at_trial;
}

/* A Gauss-Newton step with the factors of decrement(), halved until it decreases f. Returns 0
 * if HALVINGS trials fail. */
static int newton(void *context) {
    struct tangent_system *s = context;
    const size_t p = s->objective->p, q = s->objective->squares.q;
    ca_solve_upper((int)s->rank, s->qr, (int)q, s->y);
    memset(s->v, 0, sizeof(double) * p);
    for (size_t l = 0; l < s->rank; l++) {
        const size_t j = (size_t)s->pivot[l] - 1;
        s->v[j] = -s->y[l] / s->norm[j] * s->now.scale[j];
    }
    double share = 1;
    for (int half = 0; half < HALVINGS; half++, share /= 2) {
        for (size_t j = 0; j < p; j++)
            s->trial.at.theta[j] = s->now.at.theta[j] + share * s->v[j];
        evaluate(s, &s->trial);
        if (isfinite(s->trial.at.f) && s->trial.at.f < s->now.at.f) {
            linearise(s, &s->trial);
            swap_points(s);
            s->at_trial = 0;
            return 1;
        }
    }
    s->at_trial = 1;
    return 0;
}

/* ---- the system ------------------------------------------------------------------------- */

static struct ca_lm_point *stand(void *context) {
    return &((struct tangent_system *)context)->now.at;
}

static void start(void *context) {
    struct tangent_system *s = context;
    evaluate(s, &s->now);
    linearise(s, &s->now);
}

struct ca_lm_system ca_tangent_system(const struct ca_objective *objective) {
    return (struct ca_lm_system){.context = system_new(objective),
                                 .now = stand,
                                 .start = start,
                                 .prepare = prepare,
                                 .factorise = factorise,
                                 .propose = propose,
                                 .judge = judge,
                                 .swap = swap_points,
                                 .decrement = decrement,
                                 .newton = newton};
}
