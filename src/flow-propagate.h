#ifndef CAPALLOC_FLOW_PROPAGATE_H
#define CAPALLOC_FLOW_PROPAGATE_H

/*
 * Capacity through a graph, backwards, by the Markov rule: an operation divides the capacity of
 * each unit i that it makes among the units j that it reads,
 *   kappa_j += kappa_i T_ij,  T_ij = A_ij^2 G_j / (sum_j A_ij^2 G_j + b_i^2),
 * A_ij its weight, a scale, or for non-linear operations the root of its mean squared gain, and
 * b_i its constant, whose part goes to the (Intercept). G = 1 but at sums, where it is the
 * squared gain from the nearest node that the branches share: there G = 1, through an operation
 * G_i = sum_j A_ij^2 G_j + b_i^2. Where a row is zero, capacity is lost.
 *
 * The sum of a recurrence is one row of its layer, [A B b]: its branches are weighed by the
 * norms of their own rows.
 *
 * Units are channels of sites: channels fastest, then positions, then nodes.
 */

#include "graph.h"

/* The capacity of a node's units (to be set by the caller) before the node itself hands it on,
 * and what went to the (Intercept) or was lost until then. */
struct ca_level {
    int node;
    double *units, constant, lost;
};

struct ca_flow {
    const struct ca_graph *graph;
    const double *square; /* p: theta^2 */
    /* Of non-linear operations the mean squared gain of tap k, channel c at position u:
     * gate[gate_at[node] + c + channels (k + n_taps u)] */
    const double *gate;
    size_t *gate_at; /* n_nodes */
    size_t n_gates;
    size_t *unit; /* n_sites: of a site's first channel */
    size_t n_units;
    double *capacity;      /* n_units */
    double constant, lost; /* what went to the (Intercept), or was lost */
    double *gain;          /* n_units: G, or squared sensitivities */
    int *shared;           /* n_nodes: the nearest node that all ways to a node pass */
    double *one, *norm, *part, *weight; /* channels of one site */
};

/* Sizes and scratch; all capacities zero. */
struct ca_flow ca_flow_new(const struct ca_graph *graph, const double *theta);

/* Capacity 1 for each parameter theta[begin] .. theta[end - 1], where it acts: divided among
 * the positions that share it in proportion to their squared sensitivities. */
enum ca_status ca_flow_start(struct ca_flow *flow, size_t begin, size_t end);

/* From the capacities as they are (of outputs, or of inner units) to the input, with the levels
 * on the way, in the order of their nodes. */
enum ca_status ca_flow_run(struct ca_flow *flow, struct ca_level *level, size_t n_levels);

#endif
