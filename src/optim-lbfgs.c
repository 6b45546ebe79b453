/* L-BFGS through R's own lbfgsb(), without bounds. */

#include <math.h>
#include <string.h>

#include <R_ext/Applic.h>

#include "optim.h"
#include "workspace.h"

struct run {
    const struct ca_objective *objective;
    const struct ca_trace *trace;
    double *g, *theta; /* p: gradient at theta, of the last evaluation */
    double f;
    int iteration;
};

/* lbfgsb() asks for the value and the gradient one after the other at the same point. */
static void evaluate(struct run *run, int n, const double *theta) {
    const size_t p = (size_t)n;
    if (run->iteration >= 0 && memcmp(run->theta, theta, sizeof(double) * p) == 0)
        return;
    memcpy(run->theta, theta, sizeof(double) * p);
    run->f = run->objective->gradient(run->objective->context, theta, run->g);
    run->iteration++;
    run->trace->tick(run->trace->context, run->iteration, run->objective->floor + run->f, NAN);
}

/* A huge value instead of an infinite one, which lbfgsb() refuses, makes it step back. */
static double value(int n, double *theta, void *context) {
    struct run *run = context;
    evaluate(run, n, theta);
    return isfinite(run->f) ? run->f : 1e300;
}

static void gradient(int n, double *theta, double *g, void *context) {
    struct run *run = context;
    evaluate(run, n, theta);
    for (int k = 0; k < n; k++)
        g[k] = isfinite(run->g[k]) ? run->g[k] : 0;
}

struct ca_result ca_lbfgs(const struct ca_objective *objective, const struct ca_control *control,
                          const struct ca_trace *trace, double *theta) {
    const int p = (int)objective->p;
    struct run run = {.objective = objective, .trace = trace, .iteration = -1};
    run.g = ca_doubles(objective->p);
    run.theta = ca_doubles(objective->p);
    double *bound = ca_doubles(objective->p), f = 0;
    int *unbounded = ca_ints(objective->p), fail = 0, n_value = 0, n_gradient = 0;
    char message[60];
    memset(bound, 0, sizeof(double) * objective->p);
    memset(unbounded, 0, sizeof(int) * objective->p);
    lbfgsb(p, control->memory, theta, bound, bound, unbounded, &f, value, gradient, &fail, &run, 0,
           0, &n_value, &n_gradient, control->max_iterations, message, 0, 10);
    const int exhausted = n_gradient >= control->max_iterations;
    return ca_finish(objective, control, theta, n_gradient, exhausted ? CA_EXHAUSTED : CA_STALLED);
}
