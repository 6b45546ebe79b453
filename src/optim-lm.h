#ifndef CAPALLOC_OPTIM_LM_H
#define CAPALLOC_OPTIM_LM_H

/*
 * Levenberg-Marquardt for any system that can propose damped steps. optim-lm.c has the loop
 * over iterations and dampings, the two conditions of convergence and the final steps (polish).
 * A system provides the linear algebra: optim-tangent.c from residuals and their tangent,
 * optim-normal.c from a Gauss-Newton matrix.
 */

#include "optim.h"

/* The point of a system, as far as the loop reads it. */
struct ca_lm_point {
    double *theta; /* p */
    double f;      /* the objective without its floor */
    double number; /* convergence number, -1 if J = 0 */
};

struct ca_lm_system {
    void *context;
    /* Returns the current point. */
    struct ca_lm_point *(*now)(void *context);
    /* Evaluates the current point completely, before the first step. */
    void (*start)(void *context);
    /* Called once per iteration, before dampings are tried. */
    void (*prepare)(void *context);
    /* Factorises the system for damping mu. Returns 0 if it is not positive definite in
     * floating point. */
    int (*factorise)(void *context, double mu);
    /* Computes the trial point. Returns the decrease of f that the linear part of the step
     * predicts. */
    double (*propose)(void *context, double mu);
    /* Returns the ratio of the decrease to the predicted decrease, or -1 if the trial point is
     * to be rejected. If the result is positive, the trial point has been evaluated
     * completely. */
    double (*judge)(void *context, double mu, double predicted);
    /* Exchanges the trial point and the current point. */
    void (*swap)(void *context);
    /* Returns the Newton decrement, NAN if it is not known. */
    double (*decrement)(void *context);
    /* A Gauss-Newton step with the factors of decrement(). Returns 0 if it does not decrease f.
     * NULL for systems without it. */
    int (*newton)(void *context);
};

struct ca_lm_system ca_tangent_system(const struct ca_objective *objective);
struct ca_lm_system ca_normal_system(const struct ca_objective *objective);

#endif
