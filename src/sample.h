#ifndef CAPALLOC_SAMPLE_H
#define CAPALLOC_SAMPLE_H

/*
 * The mean loss of any network over samples x_s, y_s, plus lambda |theta|^2. The loss of a
 * sample is
 *   squared error   |y_s - yhat_s|^2, with residual r = y - yhat, or
 *   cross-entropy   of logits yhat, with r = onehot - p. The probabilities p are the softmax
 *                   over the outputs, or the logistic function of a single output (y 0 or 1).
 * With d_sk = dyhat_s / dtheta_k, sum_s r_s' d_sk is -N/2 times the gradient of the mean
 * squared error, and -N times that of the mean cross-entropy. With c = N lambda (squared error)
 * or 2 N lambda (cross-entropy), the convergence number is
 *   max_k |sum_s r_s' d_sk - c theta_k| / sqrt((sum_s |d_sk|^2 + c) sum_s |y_s|^2),
 * where y_s is centred if the network has a bias. For cross-entropy N replaces sum_s |y_s|^2.
 *
 * Samples may have weights w_s > 0: a sample of weight 2 counts as two equal samples. Every sum
 * over samples has the weights, and N is their sum. Residuals r_s and gradients d_sk are stored
 * with the factor sqrt(w_s). The gradient of a mini-batch of b samples is divided by b times
 * the mean weight of all samples, so that its expectation is the gradient of the loss.
 */

#include "jet.h"
#include "optim.h"

enum ca_loss_kind { CA_SQUARED, CA_CROSS_ENTROPY };

struct ca_sample {
    struct ca_jet jet;
    const double *x, *y; /* N x n, N x m */
    const double *root;  /* N: square roots of the weights; NULL: all weights are 1 */
    size_t n_samples, block;
    double size; /* sum of the weights */
    enum ca_loss_kind kind;
    double decay;                    /* lambda */
    size_t batch;                    /* samples of a mini-batch; 0: all samples at once */
    double (*uniform)(void);         /* random numbers between 0 and 1 */
    size_t *order;                   /* N: order of the samples in mini-batches */
    double *xb, *yb;                 /* block x n, block x m: a block of samples */
    double *r;                       /* block x m: residuals, times sqrt(w) */
    double *rb;                      /* block: sqrt(w) of a block of samples */
    double *p;                       /* block x m: probabilities */
    struct ca_pass B, first, second; /* sensitivities; derivatives of values along v */
    double *twice;                   /* p: 2 v */
    const long *column;
    double *J;     /* (block m) x p, rows times sqrt(w) */
    double *norm2; /* p: sum_s w_s |d_sk|^2 */
    double
        total; /* sum_s w_s |y_s|^2, centred if the network has a bias; N for cross-entropy */
};

/* Allocates the loss. `weight`: N positive weights, or NULL. `batch` 0: all samples at once,
 * without mini-batches. `uniform` draws the order of mini-batches. */
struct ca_sample ca_sample_new(const struct ca_graph *graph, const long *column,
                               const double *x, const double *y, const double *weight,
                               size_t n_samples, enum ca_loss_kind kind, double decay,
                               size_t batch, double (*uniform)(void));

/* Returns the mean loss without decay. */
double ca_sample_loss(struct ca_sample *sample, const double *theta);

/* The objective, which the optimisers minimise. */
struct ca_objective ca_sample_objective(struct ca_sample *sample);

#endif
