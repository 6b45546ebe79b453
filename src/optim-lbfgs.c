/*
 * L-BFGS by R's own lbfgsb(), without bounds. An iteration is an evaluation of the loss and its
 * gradient. A callback cannot stop lbfgsb(): when the iterations are used up, evaluate()
 * returns a constant below all losses and a zero gradient, at which lbfgsb() ends.
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
    int iteration, most; /* number of the last evaluation, from 0, and its bound */
    int stopped;
    double *theta, *g; /* p: the last point that was evaluated, and its gradient */
    double f;          /* the value at that point */
    double unit;       /* divisor of the values and gradients that lbfgsb() receives */
    double *best;      /* p: the best point so far */
    double f_best;
};

/* Returns the power of 2^40 that is nearest to the first value: 1 for most losses. lbfgsb()
 * chooses its first steps by the size of the gradient, so very large or small losses are
 * rescaled. */
static double unit_of(double f) {
    return isfinite(f) && f != 0 ? exp2(40 * round(log2(fabs(f)) / 40)) : 1;
}

/* Evaluates value and gradient, unless theta is the last point: lbfgsb() requests them one
 * after the other. */
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

/* An infinite value is an error for lbfgsb(); CEILING instead makes it shorten the step. */
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
    return ca_optim_finish(objective, control, theta, run.iteration,
                           run.stopped ? CA_STOPPED
                           : exhausted ? CA_EXHAUSTED
                                       : CA_STALLED);
}
