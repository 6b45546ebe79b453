#ifndef CAPALLOC_FLOW_CARRY_H
#define CAPALLOC_FLOW_CARRY_H

/*
 * Vectors, or second moments of pairs of vectors, on a cut (flow-cut.h), and what one item of
 * the cut does to them. Let M be the linear map of an item from the units before it to the
 * units after it: A' backward, A forward. One-sided, V := V M' with V (rows x size). Two-sided,
 * S := M S M' with S (size x size). The units of a stage are ordered by position, channels
 * fastest.
 */

#include "flow-cut.h"

struct ca_carry {
    const struct ca_cut *cut;
    const double *theta;
    bool two_sided;
    int rows, size;      /* of one matrix; size is cut->size, and one more with a constant */
    int constant;        /* column of the homogeneous coordinate (one-sided only), or -1 */
    double *one, *other; /* scratch: rows x channels of one site, two-sided only */
};

/* `constant`: the last column is the homogeneous coordinate. */
struct ca_carry ca_carry_new(const struct ca_cut *cut, const double *theta, bool two_sided,
                             int rows, bool constant);

/* The gates of one item: gate z connects the unit at from[z], which it computes, and the unit
 * at to[z], which it reads (-1: not on the cut). */
struct ca_gates {
    int n;
    const int *from, *to;
    const double *mean;   /* n: E[g_z] */
    const double *second; /* n x n: E[g_z g_y], two-sided only */
};

/* Terms that parameters add to a family of vectors. Member 0 of the family, B, holds the
 * sensitivities of the outputs. B at from[t] is added to member[t] at to[t] (-1: not on the
 * cut). Sorted by member, from 1. */
struct ca_ties {
    int n;
    const int *member, *from, *to;
};

/* Applies a linear stage to one matrix. Forward its units must be zero before. */
void ca_carry_stage(const struct ca_carry *carry, int stage, double *S);

/* Applies gates, backward: V_to += E[g] V_from, or
 *   S_(to, to) += E[g g'] o S_(from, from),  S_(to, rest) += E[g] S_(from, rest).
 * Two-sided the units at `from` must be cleared next. work: ca_carry_gate_work doubles. */
void ca_carry_gates(const struct ca_carry *carry, const struct ca_gates *gates, double *S,
                    double *work);
size_t ca_carry_gate_work(const struct ca_carry *carry, int n_gates);

/* V^k_to += B_from. One matrix holds the rows of all members, those of B first. */
void ca_carry_begin(const struct ca_carry *carry, const struct ca_ties *ties, int n_members,
                    double *S);

/* The same for the moments S^(kl) = E[V^k V^l'], k <= l, matrix l (l + 1) / 2 + k. begin:
 * n_members + 1, scratch. */
void ca_carry_begin_pairs(const struct ca_carry *carry, const struct ca_ties *ties,
                          int n_members, double *S, int *begin);

/* Sets the units of a stage to zero. */
void ca_carry_clear(const struct ca_carry *carry, int stage, double *S);

#endif
