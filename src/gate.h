#ifndef CAPALLOC_GATE_H
#define CAPALLOC_GATE_H

/*
 * Gates: the gains of all non-linear operations at samples, tap k of position u a matrix of
 * rows x channels. Gates number them through: channels fastest, then taps, positions, nodes.
 */

#include "jet.h"

/* For every node its first gate; *n_gates of all. */
size_t *ca_gate_first(const struct ca_graph *graph, size_t *n_gates);

/* The gain of tap k at position u, where `jet` stands: rows x channels, perhaps in its scratch.
 */
const double *ca_gate(struct ca_jet *jet, int node, int u, int k);

/* square (n_gates) += sums of squares over the rows where `jet` stands. */
void ca_gate_squares(struct ca_jet *jet, const size_t *first, double *square);

#endif
