#ifndef CAPALLOC_FLOW_GATE_H
#define CAPALLOC_FLOW_GATE_H

/*
 * Gates: the gains of all nonlinear operations. They are numbered in one order everywhere, in C
 * and in R: channels fastest, then taps, then positions, then nodes.
 */

#include "jet.h"

/* For every node the number of its first gate; *n_gates of all. */
size_t *ca_gate_first(const struct ca_graph *graph, size_t *n_gates);
/* Gates of a node: 0 for a linear operation. */
size_t ca_gate_count(const struct ca_op *op);

/* The gain of tap k at position u at the current rows of `jet`: rows x channels, perhaps in its
 * scratch memory. */
const double *ca_gate(struct ca_jet *jet, int node, int u, int k);

/* square (n_gates) += sums of squares over the current rows of `jet`. */
void ca_gate_squares(struct ca_jet *jet, const size_t *first, double *square);

/* Gates with joint first and second moments. */
struct ca_gate_set {
    int n;
    const int *gate; /* n: their numbers, from 0 */
    double *mean;    /* n */
    double *second;  /* n x n */
};

/* Sets, and for each gate of the graph the set that it is in. */
struct ca_gate_sets {
    const size_t *first; /* of ca_gate_first */
    size_t n_gates;
    int n;
    struct ca_gate_set *set;
    const int *set_of, *index; /* n_gates: its set, or -1, and its number in the set */
};

/* CA_BAD_GRAPH if a number is not that of a gate, or occurs twice. */
enum ca_status ca_gate_sets_new(const struct ca_graph *graph, int n, struct ca_gate_set *set,
                                struct ca_gate_sets *sets);

/* Gates of all sets. */
size_t ca_gate_sets_size(const struct ca_gate_sets *sets);

/* The gates of all sets, set after set, at the current rows of `jet`: rows x gates, leading
 * dimension ld. Gates of sites that the output does not depend on are 0. */
void ca_gate_values(struct ca_jet *jet, const struct ca_gate_sets *sets, size_t ld,
                    double *values);

/* Adds the current rows of `jet` to the moments of all sets: sums to `mean`, sums of products
 * to the upper triangles of `second`. values: scratch, rows x the gates of all sets. */
void ca_gate_moments(struct ca_jet *jet, const struct ca_gate_sets *sets, double *values);

#endif
