#ifndef CAPALLOC_FLOW_JOINT_H
#define CAPALLOC_FLOW_JOINT_H

/*
 * Means and covariances of the pre-activations of a network, tier by tier, for inputs with a
 * given mean and covariance. Linear stages map them exactly. At each tier of activations the
 * caller supplies moments of the activations, given those of the pre-activations: for Gaussian
 * pre-activations u_i, cov(phi(u_i), r) = E[phi'(u_i)] cov(u_i, r).
 */

#include "flow-gate.h"
#include "flow-carry.h"

/* One tier: its n units, and the moments of their pre-activations. */
struct ca_joint_tier {
    int n;
    const int *gate, *node;   /* n: their gates, and the operations that they belong to */
    const double *mean, *cov; /* n; n x n */
    bool is_read;             /* later stages depend on the activations */
    /* To be filled by the caller if they are read: E[phi'(u)], E[phi(u)], E[phi(u) phi(u)']. */
    double *slope, *value, *moment; /* n; n; n x n */
};

struct ca_joint {
    struct ca_stages stages;
    struct ca_cut cut;
    const bool *is_read; /* stages: whether any stage reads it */
    int n_whole;
    const int *whole; /* operations of recurrences that form a tier once more at the end, with
                         all their positions */
};

enum ca_status ca_joint_new(const struct ca_graph *graph, int n_whole, const int *whole,
                            struct ca_joint *joint);

/* Sum over the tiers of the squared number of units. */
double ca_joint_pairs(const struct ca_joint *joint);

/* mean (n_inputs) and cov (n_inputs x n_inputs) of the inputs. `visit` is called for every
 * tier with activations. CA_BAD_GRAPH if another nonlinear operation comes before an
 * activation. */
enum ca_status ca_joint_run(const struct ca_joint *joint, const double *theta,
                            const double *mean, const double *cov,
                            void (*visit)(void *context, const struct ca_joint_tier *tier),
                            void *context);

#endif
