/*
 * Adam (Kingma and Ba 2015) with beta = (0.9, 0.999). The learning rate falls as half a cosine
 * over the iterations. An iteration is a pass over the data. With all samples at once it is one
 * step on the full gradient, and the result is the best point. With mini-batches it is one step
 * for each of them, in a new random order.
 */

#include <math.h>
#include <string.h>

#include "optim.h"
#include "workspace.h"

struct adam {
    size_t p;
    double *g, *first, *second; /* p: gradient, running means of it and of its square */
    double *finite;             /* p: the last point whose loss was finite */
    double steps;
};

static void move(struct adam *adam, double rate, double *theta) {
    const double beta1 = 0.9, beta2 = 0.999, t = ++adam->steps;
    for (size_t k = 0; k < adam->p; k++) {
        adam->first[k] = beta1 * adam->first[k] + (1 - beta1) * adam->g[k];
        adam->second[k] = beta2 * adam->second[k] + (1 - beta2) * adam->g[k] * adam->g[k];
        theta[k] -= rate * (adam->first[k] / (1 - pow(beta1, t))) /
                    (sqrt(adam->second[k] / (1 - pow(beta2, t))) + 1e-8);
    }
}

/* One pass over the mini-batches. Returns the mean of their losses, each at the theta before
 * its step. */
static double epoch(const struct ca_objective *objective, struct adam *adam, double rate,
                    double *theta) {
    double sum = 0;
    objective->batches.shuffle(objective->context);
    for (size_t i = 0; i < objective->batches.n && isfinite(sum); i++) {
        sum += objective->batches.gradient(objective->context, theta, i, adam->g);
        if (isfinite(sum))
            memcpy(adam->finite, theta, sizeof(double) * adam->p);
        move(adam, rate, theta);
    }
    return sum / (double)objective->batches.n;
}

struct ca_result ca_adam(const struct ca_objective *objective, const struct ca_control *control,
                         const struct ca_trace *trace, double *theta) {
    const size_t p = objective->p, bytes = sizeof(double) * p;
    const double pi = 3.14159265358979323846;
    const int batches = objective->batches.n > 1;
    struct adam adam = {.p = p,
                        .g = ca_doubles(p),
                        .first = ca_doubles(p),
                        .second = ca_doubles(p),
                        .finite = ca_doubles(p)};
    double *best = ca_doubles(p), f_best = INFINITY;
    enum ca_outcome outcome = CA_EXHAUSTED;
    memset(adam.first, 0, bytes);
    memset(adam.second, 0, bytes);
    memcpy(best, theta, bytes);
    memcpy(adam.finite, theta, bytes);
    int iteration = 0;
    for (;; iteration++) {
        const int moved = batches ? iteration - 1 : iteration; /* passes with steps so far */
        const double rate = control->learning_rate * 0.5 *
                            (1 + cos(pi * moved / fmax(1, control->max_iterations)));
        const int last = iteration >= control->max_iterations;
        double f;
        if (batches && iteration > 0)
            f = epoch(objective, &adam, rate, theta);
        else
            f = objective->gradient(objective->context, theta, adam.g);
        const int stop =
            trace->tick(trace->context, iteration, theta, objective->floor + f, NAN);
        if (!isfinite(f)) {
            outcome = CA_DIVERGED;
            break;
        }
        if (!batches)
            memcpy(adam.finite, theta, bytes);
        if (batches || f < f_best) { /* with mini-batches f belongs to no single point */
            f_best = f;
            memcpy(best, theta, bytes);
        }
        if (stop)
            outcome = CA_STOPPED;
        if (last || stop)
            break;
        if (!batches)
            move(&adam, rate, theta);
    }
    memcpy(theta, outcome == CA_DIVERGED ? adam.finite : best, bytes);
    const struct ca_result result =
        ca_optim_finish(objective, control, theta, iteration, outcome);
    if (result.outcome == CA_DIVERGED)
        memcpy(theta, adam.finite, bytes);
    return result;
}
