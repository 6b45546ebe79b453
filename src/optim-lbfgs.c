/*
 * L-BFGS through R's own lbfgsb(), without bounds. An iteration is an evaluation of
 * the loss and its gradient. lbfgsb() cannot be told to stop from within: when the
 * iterations are used up, it is shown a flat floor, where it ends.
 */

#include <limits.h>
#include <math.h>
#include <string.h>

#include <R_ext/Applic.h>

#include "optim.h"
#include "workspace.h"

static const double FLOOR = -1e300, CEILING = 1e300;

struct run {
    const struct ca_objective *objective;
    const struct ca_trace *trace;
    int iteration, most; /* evaluations so far, from 0, and allowed */
    int stopped;
    double *theta, *g; /* p: the last point that was asked for, and its gradient */
    double f;          /* value there */
    double unit;  /* of what lbfgsb() is shown, which tells steps by the size of gradients */
    double *best; /* p: the best point so far */
    double f_best;
};

/* The power of 2^40 next to the first value: most are shown as they are. */
static double unit_of(double f) {
    return isfinite(f) && f != 0 ? exp2(40 * round(log2(fabs(f)) / 40)) : 1;
}

/* lbfgsb() asks for the value and the gradient one after the other at the same point. */
static void evaluate(struct run *run, const double *theta) {
    const size_t bytes = sizeof(double) * run->objective->p;
    if (run->iteration >= 0 && memcmp(run->theta, theta, bytes) == 0)
        return;
    memcpy(run->theta, theta, bytes);
    if (run->iteration >= run->most) {
        run->f = FLOOR;
        run->unit = 1;
        memset(run->g, 0, bytes);
        return;
    }
    run->iteration++;
    run->f = run->objective->gradient(run->objective->context, theta, run->g);
    if (run->iteration == 0)
        run->unit = unit_of(run->f);
    if (run->f < run->f_best) {
        run->f_best = run->f;
        memcpy(run->best, theta, bytes);
    }
    if (run->trace->tick(run->trace->context, run->iteration, theta,
                         run->objective->floor + run->f, NAN)) {
        run->stopped = 1;
        run->most = run->iteration;
    }
}

/* A huge value instead of an infinite one, which lbfgsb() refuses, makes it step back. */
static double value(int n, double *theta, void *context) {
    struct run *run = context;
    (void)n;
    evaluate(run, theta);
    const double shown = run->f / run->unit;
    return isfinite(shown) ? shown : CEILING;
}

static void gradient(int n, double *theta, double *g, void *context) {
    struct run *run = context;
    evaluate(run, theta);
    for (int k = 0; k < n; k++) {
        const double shown = run->g[k] / run->unit;
        g[k] = isfinite(shown) ? shown : 0;
    }
}

struct ca_result ca_lbfgs(const struct ca_objective *objective,
                          const struct ca_control *control, const struct ca_trace *trace,
                          double *theta) {
    const size_t p = objective->p, bytes = sizeof(double) * p;
    struct run run = {.objective = objective,
                      .trace = trace,
                      .unit = 1,
                      .iteration = -1,
                      .most = control->max_iterations,
                      .theta = ca_doubles(p),
                      .g = ca_doubles(p),
                      .best = ca_doubles(p),
                      .f_best = INFINITY};
    double *bound = ca_doubles(p), f = 0;
    int *unbounded = ca_ints(p), fail = 0, n_value = 0, n_gradient = 0;
    char message[60];
    memcpy(run.best, theta, bytes);
    memset(bound, 0, bytes);
    memset(unbounded, 0, sizeof(int) * p);
    lbfgsb((int)p, control->memory, theta, bound, bound, unbounded, &f, value, gradient, &fail,
           &run, 0, 0, &n_value, &n_gradient, INT_MAX, message, 0, 10);
    memcpy(theta, run.best, bytes);
    const int exhausted = run.iteration >= control->max_iterations;
    return ca_finish(objective, control, theta, run.iteration,
                     run.stopped ? CA_STOPPED
                     : exhausted ? CA_EXHAUSTED
                                 : CA_STALLED);
}
