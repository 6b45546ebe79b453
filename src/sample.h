#ifndef CAPALLOC_SAMPLE_H
#define CAPALLOC_SAMPLE_H

/*
 * The mean loss of any network over samples x_s, y_s, plus lambda |theta|^2:
 *   squared error   |y_s - yhat_s|^2, residual r = y - yhat, or
 *   cross-entropy   of logits yhat, r = onehot - p, p by softmax over the outputs, or by
 *                   the logistic function where there is one output (y is 0 or 1).
 * With d_sk = dyhat_s / dtheta_k, sum_s r_s' d_sk is -N/2 times the gradient of the mean
 * squared error and -N times that of the mean cross-entropy. Convergence is judged, with c = N
 * lambda or 2N lambda, by max_k
 *   |sum_s r_s' d_sk - c theta_k| / sqrt((sum_s |d_sk|^2 + c) sum_s |y_s|^2),
 * y_s about its mean when the network has a bias.
 */

#include "jet.h"
#include "optim.h"

enum ca_loss_kind { CA_SQUARED, CA_CROSS_ENTROPY };

struct ca_sample {
    struct ca_jet jet;
    const double *x, *y; /* N x n, N x m */
    size_t n_samples, block;
    enum ca_loss_kind kind;
    double decay; /* lambda */
    size_t batch; /* samples of a mini-batch */
    double (*uniform)(void);
    size_t *order;   /* N: of the samples in mini-batches */
    double *xb, *yb; /* a block of samples */
    double *r;       /* block x m: residuals */
    double *p;       /* block x m: probabilities */
    struct ca_pass B, first, second;
    double *twice; /* p: 2 v */
    const long *column;
    double *J;     /* (block m) x p */
    double *norm2; /* p: sum_s |d_sk|^2 */
    double total;  /* sum_s |y_s|^2, about the mean when the network has a bias */
};

/* `batch` 0: all samples at once. */
struct ca_sample ca_sample_new(const struct ca_graph *graph, const long *column,
                               const double *x, const double *y, size_t n_samples,
                               enum ca_loss_kind kind, double decay, size_t batch,
                               double (*uniform)(void));

/* The mean loss without decay. */
double ca_sample_loss(struct ca_sample *sample, const double *theta);

/* What an optimiser sees. */
struct ca_objective ca_sample_objective(struct ca_sample *sample);

#endif
