#ifndef CAPALLOC_OPTIM_H
#define CAPALLOC_OPTIM_H

/*
 * Minimisers of floor + f(theta). They know nothing of networks: only f and its
 * gradient, and of least squares f = |r|^2 the residuals r (q) and their tangent (q x p).
 *
 * Convergence of a least-squares problem is judged by
 *   max_k |J_k' r| / (|J_k| sqrt(total)),
 * the largest cosine between a column of the tangent and the residuals, on the
 * scale of the response; zero columns do not count.
 */

#include <stddef.h>

struct ca_objective {
    size_t p;
    double floor, total;
    void *context;
    /* of f, which it returns */
    double (*gradient)(void *context, const double *theta, double *g);
    /* the convergence number at theta, and f */
    double (*number)(void *context, const double *theta, double *f);

    /* least squares, f = |r|^2 (ca_lm) */
    size_t q;
    void (*residuals)(void *context, const double *theta, double *r);
    void (*jacobian)(void *context, double *J); /* at the theta of the last residuals() */
    /* r'', the second derivative of r along v, at the theta of the last residuals() */
    void (*bend)(void *context, const double *v, double *bent);

    /* any sum of losses: f alone; f, half its gradient, half its Gauss-Newton matrix G (upper
     * triangle) and the convergence number (ca_normal) */
    double (*value)(void *context, const double *theta);
    double (*normal)(void *context, const double *theta, double *G, double *g, double *number);
    /* of squared errors, or NULL: J'r'' on the scale of g, r'' the second derivative of the
     * residuals along v */
    void (*bend_gradient)(void *context, const double *theta, const double *v, double *out);

    /* mini-batches: f and its gradient on the i-th of n_batches (ca_adam), 0 or 1 for none */
    size_t n_batches;
    double (*batch)(void *context, const double *theta, size_t i, double *g);
    void (*shuffle)(void *context);
};

struct ca_control {
    int max_iterations;
    double tol;           /* on the convergence number */
    double learning_rate; /* adam */
    int memory;           /* lbfgs: pairs kept */
};

enum ca_outcome {
    CA_CONVERGED,
    CA_STALLED,    /* no step improves any more */
    CA_EXHAUSTED,  /* max_iterations */
    CA_DEGENERATE, /* the tangent is zero: every direction is flat */
    CA_DIVERGED,   /* a loss that is not finite */
    CA_STOPPED     /* early, by the caller */
};

/* What an optimiser reports once per iteration; `tick` may leave by an interrupt, and returns
 * whether to stop. */
struct ca_trace {
    void *context;
    int (*tick)(void *context, int iteration, const double *theta, double loss, double number);
};

struct ca_result {
    enum ca_outcome outcome;
    int iterations;
    double loss;   /* with the floor */
    double number; /* convergence */
};

/* Each moves theta (p) to the best point found. */
struct ca_result ca_lm(const struct ca_objective *objective, const struct ca_control *control,
                       const struct ca_trace *trace, double *theta);
struct ca_result ca_normal(const struct ca_objective *objective,
                           const struct ca_control *control, const struct ca_trace *trace,
                           double *theta);
struct ca_result ca_lbfgs(const struct ca_objective *objective,
                          const struct ca_control *control, const struct ca_trace *trace,
                          double *theta);
struct ca_result ca_adam(const struct ca_objective *objective, const struct ca_control *control,
                         const struct ca_trace *trace, double *theta);

/* The convergence number from r and J, -1 when every column of J is zero. */
double ca_convergence(const struct ca_objective *objective, const double *r, const double *J);

/* What an optimiser without a tangent of its own reports at the theta where it ended. */
struct ca_result ca_finish(const struct ca_objective *objective,
                           const struct ca_control *control, const double *theta,
                           int iterations, enum ca_outcome outcome);

#endif
