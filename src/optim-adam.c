/*
 * Adam (Kingma and Ba 2015) on the full gradient, beta = (0.9, 0.999), with the
 * learning rate falling as a half cosine over the iterations.
 */

#include <math.h>
#include <string.h>

#include "optim.h"
#include "workspace.h"

struct ca_result ca_adam(const struct ca_objective *objective, const struct ca_control *control,
                         const struct ca_trace *trace, double *theta) {
    const size_t p = objective->p;
    const double beta1 = 0.9, beta2 = 0.999, pi = 3.14159265358979323846;
    double *g = ca_doubles(p), *first = ca_doubles(p), *second = ca_doubles(p);
    double *best = ca_doubles(p), f_best = INFINITY;
    enum ca_outcome outcome = CA_EXHAUSTED;
    memset(first, 0, sizeof(double) * p);
    memset(second, 0, sizeof(double) * p);
    memcpy(best, theta, sizeof(double) * p);
    int iteration = 0;
    for (;; iteration++) {
        const double f = objective->gradient(objective->context, theta, g);
        trace->tick(trace->context, iteration, objective->floor + f, NAN);
        if (!isfinite(f)) {
            outcome = CA_DIVERGED;
            break;
        }
        if (f < f_best) {
            f_best = f;
            memcpy(best, theta, sizeof(double) * p);
        }
        if (iteration >= control->max_iterations)
            break;
        const double t = iteration + 1.0;
        const double rate = control->learning_rate * 0.5 *
                            (1 + cos(pi * iteration / fmax(1, control->max_iterations)));
        for (size_t k = 0; k < p; k++) {
            first[k] = beta1 * first[k] + (1 - beta1) * g[k];
            second[k] = beta2 * second[k] + (1 - beta2) * g[k] * g[k];
            theta[k] -= rate * (first[k] / (1 - pow(beta1, t))) /
                        (sqrt(second[k] / (1 - pow(beta2, t))) + 1e-8);
        }
    }
    memcpy(theta, best, sizeof(double) * p);
    return ca_finish(objective, control, theta, iteration, outcome);
}
