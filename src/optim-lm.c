/*
 * The loop of Levenberg-Marquardt (see optim-lm.h). The damping mu is increased until a step
 * decreases f. It is then reduced according to the ratio of the decrease to the decrease that
 * the linear model predicts.
 *
 * After convergence up to POLISH more steps are taken. Each reduces products of weights that
 * training drives to zero by orders of magnitude. The loss does not show this, but the rank of
 * the tangent depends on it.
 */

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "optim-lm.h"

enum { POLISH = 3 };

struct lm {
    const struct ca_objective *objective;
    const struct ca_control *control;
    const struct ca_trace *trace;
    struct ca_lm_system system;
    double mu;
    int iterations;
};

static struct ca_lm_point *now(const struct lm *lm) {
    return lm->system.now(lm->system.context);
}

/* Tries at most `tries` dampings, from lm->mu upwards. Returns 1 when a step is accepted, else
 * 0. */
static int step(struct lm *lm, int tries) {
    const struct ca_lm_system *s = &lm->system;
    double grow = 2;
    s->prepare(s->context);
    for (; lm->mu < 1e16 && tries > 0; lm->mu *= grow, grow *= 2, tries--) {
        if (!s->factorise(s->context, lm->mu))
            continue;
        const double predicted = s->propose(s->context, lm->mu);
        const double gain = s->judge(s->context, lm->mu, predicted);
        if (gain > 0) {
            s->swap(s->context);
            lm->mu = fmax(lm->mu * fmax(0.1, 1 - pow(2 * gain - 1, 3)), DBL_EPSILON);
            return 1;
        }
    }
    return 0;
}

/* Reports the current point to the caller. Returns whether the caller stops the optimiser. */
static int report(const struct lm *lm) {
    const struct ca_lm_point *at = now(lm);
    return lm->trace->tick(lm->trace->context, lm->iterations, at->theta,
                           lm->objective->floor + at->f, at->number);
}

static int is_small(const struct lm *lm, double decrement) {
    return ca_optim_is_small(lm->objective, lm->control, now(lm)->f, decrement);
}

/* Takes up to POLISH more steps, each with at most `tries` dampings. A step that moves the
 * convergence number from below its bound to above it is undone, and ends the polish. */
static void polish(struct lm *lm, int tries) {
    for (int i = 0; i < POLISH; i++) {
        const int within = now(lm)->number <= lm->control->tol;
        if (!step(lm, tries))
            return;
        if (within && !(now(lm)->number <= lm->control->tol)) {
            lm->system.swap(lm->system.context);
            return;
        }
        lm->iterations++;
        report(lm);
    }
}

static enum ca_outcome minimise(struct lm *lm) {
    const struct ca_lm_system *s = &lm->system;
    s->start(s->context);
    for (lm->iterations = 0;; lm->iterations++) {
        const int stop = report(lm);
        const struct ca_lm_point *at = now(lm);
        if (!isfinite(at->f) || isnan(at->number))
            return CA_DIVERGED;
        if (at->number < 0)
            return CA_DEGENERATE;
        const int near = at->number <= lm->control->tol;
        /* f is an upper bound of the decrement, so its factorisation is often not needed */
        if (near && (is_small(lm, at->f) || is_small(lm, s->decrement(s->context))))
            return CA_CONVERGED;
        if (stop)
            return CA_STOPPED;
        if (lm->iterations >= lm->control->max_iterations)
            return CA_EXHAUSTED;
        if (!(near && s->newton != NULL && s->newton(s->context)) && !step(lm, INT_MAX))
            return CA_STALLED;
    }
}

static struct ca_result end(const struct lm *lm, enum ca_outcome outcome, double *theta) {
    const struct ca_lm_system *s = &lm->system;
    const struct ca_lm_point *at = now(lm);
    memcpy(theta, at->theta, sizeof(double) * lm->objective->p);
    return (struct ca_result){.outcome = outcome,
                              .iterations = lm->iterations,
                              .loss = lm->objective->floor + at->f,
                              .excess = at->f,
                              .number = at->number,
                              .decrement =
                                  outcome == CA_DIVERGED ? NAN : s->decrement(s->context)};
}

static struct lm lm_new(struct ca_lm_system system, const struct ca_objective *objective,
                        const struct ca_control *control, const struct ca_trace *trace,
                        const double *theta) {
    struct lm lm = {objective, control, trace, system, 1e-2, 0};
    memcpy(now(&lm)->theta, theta, sizeof(double) * objective->p);
    return lm;
}

static struct ca_result run(struct ca_lm_system system, const struct ca_objective *objective,
                            const struct ca_control *control, const struct ca_trace *trace,
                            double *theta) {
    struct lm lm = lm_new(system, objective, control, trace, theta);
    const enum ca_outcome outcome = minimise(&lm);
    if (outcome == CA_CONVERGED)
        polish(&lm, 1);
    return end(&lm, outcome, theta);
}

struct ca_result ca_lm(const struct ca_objective *objective, const struct ca_control *control,
                       const struct ca_trace *trace, double *theta) {
    return run(ca_tangent_system(objective), objective, control, trace, theta);
}

struct ca_result ca_lm_normal(const struct ca_objective *objective,
                              const struct ca_control *control, const struct ca_trace *trace,
                              double *theta) {
    return run(ca_normal_system(objective), objective, control, trace, theta);
}

struct ca_result ca_lm_polish(const struct ca_objective *objective,
                              const struct ca_control *control, const struct ca_trace *trace,
                              double *theta, const struct ca_result *ended) {
    struct lm lm = lm_new(ca_tangent_system(objective), objective, control, trace, theta);
    lm.mu = 1e-8;
    lm.iterations = ended->iterations;
    lm.system.start(lm.system.context);
    polish(&lm, INT_MAX);
    struct ca_result result = end(&lm, ended->outcome, theta);
    const int at_rest =
        result.number >= 0 && result.number <= control->tol && is_small(&lm, result.decrement);
    result.outcome = at_rest ? CA_CONVERGED : CA_STALLED;
    return result;
}
