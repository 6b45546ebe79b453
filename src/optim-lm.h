#ifndef CAPALLOC_OPTIM_LM_H
#define CAPALLOC_OPTIM_LM_H

/*
 * Levenberg-Marquardt, for any system that can propose damped steps. optim-lm.c has the loop
 * over iterations and dampings, the two conditions of convergence and the polish. A system has
 * the linear algebra: optim-tangent.c from residuals and their tangent, optim-normal.c from a
 * Gauss-Newton matrix.
 */

#include "optim.h"

/* What the loop reads of the point where a system stands. */
struct ca_lm_point {
    double *theta; /* p */
    double f;      /* of the objective, without its floor */
    double number; /* convergence number, -1 when J = 0 */
};

struct ca_lm_system {
    void *context;
    /* The point where the system stands. */
    struct ca_lm_point *(*now)(void *context);
    /* Evaluates that point completely, before the first step. */
    void (*start)(void *context);
    /* Once an iteration, before dampings are tried. */
    void (*prepare)(void *context);
    /* Factors the system for damping mu; 0 when it is not positive definite in floating point.
     */
    int (*factorise)(void *context, double mu);
    /* Makes the trial point; returns the decrease of f that the linear part of the step
     * predicts. */
    double (*propose)(void *context, double mu);
    /* Decrease over predicted decrease; -1 where the trial point is to be rejected. The trial
     * point is evaluated completely when the result is positive. */
    double (*judge)(void *context, double mu, double predicted);
    /* Exchanges the trial point and the point where the system stands. */
    void (*swap)(void *context);
    /* The Newton decrement; NAN when it is not known. */
    double (*decrement)(void *context);
    /* A Gauss-Newton step with the factors of decrement(); 0 when it does not bring f down.
     * NULL for a system that has none. */
    int (*newton)(void *context);
};

struct ca_lm_system ca_tangent_system(const struct ca_objective *objective);
struct ca_lm_system ca_normal_system(const struct ca_objective *objective);

#endif
