#ifndef CAPALLOC_OPTIM_H
#define CAPALLOC_OPTIM_H

/*
 * Minimisers of floor + f(theta). They are independent of networks: they use f and its gradient
 * and, for least squares f = |r|^2, the residuals r (q) and their tangent J (q x p).
 *
 * A point counts as converged if two conditions hold.
 *
 * 1. The convergence number
 *      max_k |J_k' r| / (|J_k| sqrt(total)),
 * the largest cosine between a column of the tangent and the residuals, on the scale of the
 * response, is at most `tol`. Zero columns do not count.
 *
 * 2. The Newton decrement |P r|^2, the decrease that one Gauss-Newton step still predicts, is
 * at most control->decrement times the loss. P projects on the directions of J (with columns of
 * unit norm) whose singular values exceed `resolution` times the largest. The contribution of a
 * direction is bounded by that of a step of length REACH sqrt(total) along it
 * (ca_optim_promise()). A loss below NEGLIGIBLE times `total` counts as 0, and then only the
 * first condition is tested.
 *
 * The convergence number alone would accept points far above the minimum when columns of J are
 * nearly parallel: the difference of two such columns may still have a large cosine with r.
 * Without REACH the second condition would never hold at a minimum at which J loses rank, for
 * example where two filters share a zero: the lost direction leaves the set of functions that
 * the network can express.
 */

#include <stddef.h>

/* Least squares, f = |r|^2: for ca_lm(). */
struct ca_squares {
    size_t q; /* number of residuals, 0 if f is not a sum of squares */
    void (*residuals)(void *context, const double *theta, double *r);
    void (*jacobian)(void *context,
                     double *J); /* q x p, at the theta of the last residuals() */
    /* r'' (q), the second derivative of r along v, at the theta of the last residuals() */
    void (*bend)(void *context, const double *v, double *bent);
};

/* Any sum of losses: for ca_lm_normal(). */
struct ca_normal_equations {
    double (*value)(void *context, const double *theta); /* f alone */
    /* Returns f, and computes half its gradient g, half its Gauss-Newton matrix G (upper
     * triangle) and the convergence number. */
    double (*evaluate)(void *context, const double *theta, double *G, double *g,
                       double *number);
    /* For squared errors, else NULL: J'r'' on the scale of g, with r'' the second derivative of
     * the residuals along v. */
    void (*bend)(void *context, const double *theta, const double *v, double *out);
    int affordable; /* whether G may be formed at the end of a fit: bounds of bounds.h */
};

/* Mini-batches: for ca_adam(). */
struct ca_batches {
    size_t n; /* 0 or 1 for none */
    double (*gradient)(void *context, const double *theta, size_t i, double *g);
    void (*shuffle)(void *context);
};

struct ca_objective {
    size_t p;
    double floor, total;
    /* Singular values of J below this share of the largest do not count. */
    double resolution;
    void *context;
    /* Returns f and computes its gradient g. */
    double (*gradient)(void *context, const double *theta, double *g);
    /* Returns the convergence number at theta and computes f. */
    double (*number)(void *context, const double *theta, double *f);
    struct ca_squares squares;
    struct ca_normal_equations normal;
    struct ca_batches batches;
};

struct ca_control {
    int max_iterations;
    double tol;           /* bound of the convergence number */
    double decrement;     /* bound of the decrement, relative to the loss */
    double learning_rate; /* adam */
    int memory;           /* lbfgs: number of pairs that are stored */
};

enum ca_outcome {
    CA_CONVERGED,
    CA_STALLED,    /* no step decreases the loss any more */
    CA_EXHAUSTED,  /* max_iterations is reached */
    CA_DEGENERATE, /* the tangent is zero: every direction is flat */
    CA_DIVERGED,   /* the loss is not finite */
    CA_STOPPED     /* stopped early by the caller */
};

/* The callback of the optimisers, called once per iteration. `tick` returns whether to stop; it
 * may also leave by a long jump (an interrupt). */
struct ca_trace {
    void *context;
    int (*tick)(void *context, int iteration, const double *theta, double loss, double number);
};

struct ca_result {
    enum ca_outcome outcome;
    int iterations;
    double loss;      /* floor + f */
    double excess;    /* f */
    double number;    /* convergence number */
    double decrement; /* NAN if it is not known */
};

/* The minimisers. theta (p) is the start and becomes the best point found. */
struct ca_result ca_lm(const struct ca_objective *objective, const struct ca_control *control,
                       const struct ca_trace *trace, double *theta);
/* Up to three steps of ca_lm() from the point where another minimiser has ended. */
struct ca_result ca_lm_polish(const struct ca_objective *objective,
                              const struct ca_control *control, const struct ca_trace *trace,
                              double *theta, const struct ca_result *ended);
struct ca_result ca_lm_normal(const struct ca_objective *objective,
                              const struct ca_control *control, const struct ca_trace *trace,
                              double *theta);
struct ca_result ca_lbfgs(const struct ca_objective *objective,
                          const struct ca_control *control, const struct ca_trace *trace,
                          double *theta);
struct ca_result ca_adam(const struct ca_objective *objective, const struct ca_control *control,
                         const struct ca_trace *trace, double *theta);

/* Returns the convergence number from r and J, or -1 if every column of J is zero. */
double ca_optim_convergence(const struct ca_objective *objective, const double *r,
                            const double *J);

/* Whether a decrement satisfies the second condition. NAN (not known) does. */
int ca_optim_is_small(const struct ca_objective *objective, const struct ca_control *control,
                      double f, double decrement);

/* Returns the decrease of |r|^2 that one direction predicts. Along a unit vector at which J has
 * the singular value s and r the coordinate c, the decrease is c^2 for a step of length c / s,
 * and at most 2 |c| s L for a step of length L. The result is the smaller of c^2 and this bound
 * with L = REACH sqrt(total). */
double ca_optim_promise(const struct ca_objective *objective, double c, double s);

/* Returns the decrement g' G^+ g from half the gradient g and half the Gauss-Newton matrix G (p
 * x p, upper triangle), with columns scaled to unit norm. NAN if it cannot be computed.
 * Scratch: A p x p, work 4 p, pivot p. */
double ca_optim_normal_decrement(const struct ca_objective *objective, const double *G,
                                 const double *g, double *A, double *work, int *pivot);

/* Returns the result of an optimiser that computes no tangent: number and decrement at the
 * theta where it ended. */
struct ca_result ca_optim_finish(const struct ca_objective *objective,
                                 const struct ca_control *control, const double *theta,
                                 int iterations, enum ca_outcome outcome);

#endif
