#ifndef CAPALLOC_FLOW_PROGRAM_H
#define CAPALLOC_FLOW_PROGRAM_H

/*
 * A program takes matrices through all items of a cut. Before an item, the units of some nodes
 * are recorded and vectors of parameters begin; after it, stages are closed.
 */

#include "flow-carry.h"
#include "flow-gate.h"

/* The moments of all gates. With `square` they are constants, the roots of their mean squares.
 */
struct ca_gate_source {
    const double *square; /* n_gates, or NULL: those in `sets` */
    struct ca_gate_sets sets;
};

/* Where the units of a node are recorded: one-sided rows x units (the homogeneous coordinate
 * last, if it is carried) for each matrix, two-sided the diagonals, units x matrices. */
struct ca_record {
    int node;
    double *out;
};

struct ca_program {
    struct ca_carry carry;
    const struct ca_gates *gates; /* items: for nonlinear ones */
    const struct ca_ties *ties;   /* items, or NULL for none */
    int n_members;                /* of the family that begins at the ties, B included */
    int n_records;
    const struct ca_record *record;
    const int *when; /* records: the item before which it is made, items.n: at the end */
    double *work;
    int *begin;                    /* n_members + 1, scratch */
    void (*check_interrupt)(void); /* called now and then, or NULL */
};

/* For matrices of `rows` rows. CA_BAD_GRAPH if the source lacks a gate of the cut. */
enum ca_status ca_program_new(const struct ca_cut *cut, const double *theta, bool two_sided,
                              int rows, bool constant, const struct ca_gate_source *source,
                              struct ca_program *program);

void ca_program_record(struct ca_program *program, int n, const struct ca_record *record);

/* Takes n matrices S (rows x size x n) through the items before `until`; `until` = items.n
 * takes all and makes the records at the end. The matrices are recorded as first, first + 1,
 * ..; moments S^(kl) of a family without those of B. */
void ca_program_run(const struct ca_program *program, int until, size_t n, double *S,
                    size_t first);

#endif
