#ifndef CAPALLOC_OPTIM_H
#define CAPALLOC_OPTIM_H

/*
 * Minimisers of floor + f(theta). They know nothing of networks: only f and its
 * gradient, and of least squares f = |r|^2 the residuals r (q) and their tangent (q x p).
 *
 * A point is at rest when two conditions hold.
 * 1. The convergence number
 *      max_k |J_k' r| / (|J_k| sqrt(total)),
 *    the largest cosine between a column of the tangent and the residuals, on the
 *    scale of the response, is at most `tol`; zero columns do not count.
 * 2. The Newton decrement |P r|^2, the decrease that one Gauss-Newton step still promises, is
 * at most control->decrement times the loss. P projects on the directions of J (columns of unit
 * norm) whose singular values exceed `resolution` times the largest, and no direction promises
 * more than a step of REACH sqrt(total) along it. A loss below NEGLIGIBLE times `total` counts
 * as 0, and then the number alone decides. The number alone would accept a point far above the
 * minimum when columns of J are nearly parallel: their difference may still have a large cosine
 * with r. Without REACH a minimum at which J loses rank, such as filters that share a zero,
 * would never be at rest: the direction that J loses points out of what the network can be.
 */

#include <stddef.h>

/* Least squares, f = |r|^2: what ca_lm uses beside the objective itself. */
struct ca_squares {
    size_t q; /* residuals, 0 for an objective that has none */
    void (*residuals)(void *context, const double *theta, double *r);
    void (*jacobian)(void *context,
                     double *J); /* q x p, at the theta of the last residuals() */
    /* r'', the second derivative of r along v, at the theta of the last residuals() */
    void (*bend)(void *context, const double *v, double *bent);
};

/* Any sum of losses: what ca_normal uses. */
struct ca_normal_equations {
    double (*value)(void *context, const double *theta); /* f alone */
    /* f, half its gradient, half its Gauss-Newton matrix G (upper triangle) and the convergence
     * number */
    double (*evaluate)(void *context, const double *theta, double *G, double *g,
                       double *number);
    /* of squared errors, or NULL: J'r'' on the scale of g, r'' the second derivative of the
     * residuals along v */
    void (*bend)(void *context, const double *theta, const double *v, double *out);
    int affordable; /* whether p^2 numbers and the work for G are, at the end of a fit */
};

/* Mini-batches: what ca_adam uses. */
struct ca_batches {
    size_t n; /* 0 or 1 for none */
    double (*gradient)(void *context, const double *theta, size_t i, double *g);
    void (*shuffle)(void *context);
};

struct ca_objective {
    size_t p;
    double floor, total;
    /* singular values of J below it, relative to the largest, do not count */
    double resolution;
    void *context;
    /* of f, which it returns */
    double (*gradient)(void *context, const double *theta, double *g);
    /* the convergence number at theta, and f */
    double (*number)(void *context, const double *theta, double *f);
    struct ca_squares squares;
    struct ca_normal_equations normal;
    struct ca_batches batches;
};

struct ca_control {
    int max_iterations;
    double tol;           /* on the convergence number */
    double decrement;     /* on the decrement, relative to the loss */
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
    double loss;      /* with the floor */
    double excess;    /* without */
    double number;    /* convergence */
    double decrement; /* NAN when it is not known */
};

/* Each moves theta (p) to the best point found. */
struct ca_result ca_lm(const struct ca_objective *objective, const struct ca_control *control,
                       const struct ca_trace *trace, double *theta);
/* From where another minimiser has ended, up to three steps of ca_lm. */
struct ca_result ca_lm_polish(const struct ca_objective *objective,
                              const struct ca_control *control, const struct ca_trace *trace,
                              double *theta, const struct ca_result *ended);
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

/* Whether a decrement satisfies the second condition; NAN, not known, does. */
int ca_is_small(const struct ca_objective *objective, const struct ca_control *control,
                double f, double decrement);

/* What one direction promises: along a unit vector at which J has the singular value s and r
 * the coordinate c, |r|^2 falls by c^2 in a step of c / s, and by at most 2 c s in a step of 1.
 */
double ca_promise(const struct ca_objective *objective, double c, double s);

/* The decrement g' G^+ g from half the gradient g and half the Gauss-Newton matrix G (p x p,
 * upper triangle), columns scaled to unit norm. Scratch: A p x p, work 4 p, pivot p. */
double ca_normal_decrement(const struct ca_objective *objective, const double *G,
                           const double *g, double *A, double *work, int *pivot);

/* What an optimiser without a tangent of its own reports at the theta where it ended. */
struct ca_result ca_finish(const struct ca_objective *objective,
                           const struct ca_control *control, const double *theta,
                           int iterations, enum ca_outcome outcome);

#endif
