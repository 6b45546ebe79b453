#ifndef CAPALLOC_CARRY_H
#define CAPALLOC_CARRY_H

/*
 * Vectors, or second moments of pairs of vectors, on a cut of a graph: the units that are open
 * while its steps are taken one after the other. With M the linear map of a step from the units
 * of one cut to those of the next, backwards A' of the units that it closes, forwards A of
 * those that it opens, V := V M'    (rows x size, one-sided), or S := M S M'  (size x size,
 * two-sided). Blocks are the steps, and block 0 the input; a block's units are channels
 * fastest, then positions. Non-linear steps are not taken here.
 */

#include "graph.h"

struct ca_carry {
    const struct ca_graph *graph;
    const double *theta;
    int backward, two_sided;
    int rows, size;
    const int *at;       /* blocks: where its units are, -1 where they are left out */
    const int *block_of; /* n_sites */
    int constant; /* column of the constant, which biases read or (backward) add to; -1 */
};

/* The gates of non-linear steps that are taken together: gate z is between the unit at from[z],
 * which it makes, and the one at to[z] that it reads (-1: left out), with E[g_z] and E[g_z
 * g_y].
 */
struct ca_gates {
    int n;
    const int *from, *to;
    const double *mean;   /* n */
    const double *second; /* n x n, two-sided only */
};

/* Where vectors begin at a step that is about to be taken: B, member 0 of a family, at from[t]
 * is a part of member[t] at to[t] (-1: left out). By members, which are from 1. */
struct ca_ties {
    int n;
    const int *member, *from, *to;
};

/* For every site the block that makes it. */
const int *ca_blocks(const struct ca_graph *graph);

/* Takes step `block` - 1 for one matrix (rows x size). Forwards its units must be zero before.
 */
void ca_carry_step(const struct ca_carry *carry, int block, double *S);

/* V_to += E[g] V_from, or S_(to,to) += E[g g'] o S_(from,from), S_(to,rest) += E[g]
 * S_(from,rest). Two-sided the units `from` must be cleared next. work: 2 n size + n^2 + size.
 */
void ca_carry_gates(const struct ca_carry *carry, const struct ca_gates *gates, double *S,
                    double *work);

/* V^k_to += B_from. One matrix has the rows of all members, those of B first. */
void ca_carry_begin(const struct ca_carry *carry, const struct ca_ties *ties, int n_members,
                    double *S);

/* The same for S^(kl) = E[V^k V^l'], matrix l (l + 1) / 2 + k for k <= l. begin: n_members + 1.
 */
void ca_carry_begin_pairs(const struct ca_carry *carry, const struct ca_ties *ties,
                          int n_members, double *S, int *begin);

/* Sets the units of a block to zero. */
void ca_carry_clear(const struct ca_carry *carry, int block, double *S);

#endif
