#ifndef CAPALLOC_FLOW_PROPAGATE_H
#define CAPALLOC_FLOW_PROPAGATE_H

/*
 * Capacity through a graph, from the outputs to the input, by the Markov rule. An operation
 * divides the capacity of each unit i that it computes among the units j that it reads, kappa_j
 * += kappa_i T_ij,  T_ij = A_ij^2 G_j / (sum_j A_ij^2 G_j + b_i^2), with A_ij its weight or
 * scale, or for nonlinear operations the root of its mean squared gain, and b_i its constant,
 * whose share goes to the (Intercept). G = 1 except at sums of branches. There G is the squared
 * gain from the last node that all branches share: G = 1 at that node, and G_i = sum_j A_ij^2
 * G_j + b_i^2 after an operation. If a row is zero, its capacity is lost.
 *
 * The sum inside a recurrence is one row of its layer, [A B b]; its branches are weighted by
 * the squared norms of their rows.
 *
 * Units are the channels of sites: channels fastest, then positions, then nodes.
 */

#include "graph.h"

/* A record of the capacity at a node: of its units, in memory of the caller, and the capacity
 * that went to the (Intercept) or was lost before. */
struct ca_level {
    int node;
    double *units, constant, lost;
};

struct ca_flow {
    const struct ca_graph *graph;
    const double *square; /* p: theta^2 */
    /* Mean squared gains of nonlinear operations, for tap k and channel c at position u:
     * gate[gate_at[node] + c + channels (k + n_taps u)] */
    const double *gate;
    size_t *gate_at; /* n_nodes */
    size_t n_gates;
    size_t *unit; /* n_sites: of a site's first channel */
    size_t n_units;
    double *capacity;      /* n_units */
    double constant, lost; /* capacity of the (Intercept), and lost capacity */
    double *gain;          /* n_units: G, or squared sensitivities */
    int *shared;           /* n_nodes: the last node before it that all paths to a node pass */
    double *one, *norm, *part, *weight; /* channels of one site */
};

/* Sizes and scratch memory; all capacities are zero. */
struct ca_flow ca_flow_new(const struct ca_graph *graph, const double *theta);

/* Capacity 1 for each parameter theta[begin] .. theta[end - 1], where it acts: divided among
 * the positions that share it in proportion to their squared sensitivities. */
enum ca_status ca_flow_start(struct ca_flow *flow, size_t begin, size_t end);

/* Propagates the capacities in `flow` (of outputs, or of inner units) to the input. Fills the
 * levels, which are in the order of their nodes. */
enum ca_status ca_flow_run(struct ca_flow *flow, struct ca_level *level, size_t n_levels);

#endif
