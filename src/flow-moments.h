#ifndef CAPALLOC_FLOW_MOMENTS_H
#define CAPALLOC_FLOW_MOMENTS_H

/*
 * Tangent vectors, or second moments of pairs of them, from the outputs back to the input.
 *
 * Let V be the sensitivities of the outputs, or the derivative of the outputs with respect to a
 * parameter, as a linear function of the units on a cut. Member 0 of a family, B, holds the
 * sensitivities of the outputs. Member k, of parameter k of a layer, begins where that
 * parameter meets the units that it multiplies: V^k += I_k B, with I_k from the units that the
 * parameter computes to those that it reads.
 */

#include "flow-program.h"

enum ca_carried {
    CA_VECTORS, /* V: (outputs x members) x units; gates are constants */
    CA_OUTPUTS, /* E[V V'] of each output by itself */
    CA_PAIRS,   /* S^(kl) = E[V^k V^l'] of pairs k <= l, pair by pair: all begin at one stage */
    CA_FAMILY   /* S^(kl) of pairs that begin at several stages: together with B, all at once */
};

/* The cuts from the outputs to the input, and the parameters that vectors begin at. */
struct ca_flow_plan {
    struct ca_stages stages;
    size_t begin, end;   /* slice of theta; empty to start from the outputs */
    bool has_gates;      /* of nonlinear stages that the output depends on */
    int single;          /* the only stage at which vectors begin, or -1 */
    struct ca_cut whole; /* from the outputs to the input */
    struct ca_cut above,
        below; /* from the outputs to stage `single`, from there to the input */
};

enum ca_status ca_flow_plan_new(const struct ca_graph *graph, size_t begin, size_t end,
                                struct ca_flow_plan *plan);

/* Adds to `found` (stages) the nonlinear stages that are passed. */
void ca_flow_plan_gates(const struct ca_flow_plan *plan, enum ca_carried what, bool *found);

struct ca_flow_start {
    enum ca_carried what;
    bool constant; /* vectors: with the homogeneous coordinate */
    int n;
    const int *output; /* n: coordinates of the outputs, from 0 */
};

/* Rows of one recorded matrix (1 for diagonals), and the number of recorded matrices. */
double ca_flow_rows(const struct ca_flow_plan *plan, const struct ca_flow_start *start);
double ca_flow_matrices(const struct ca_flow_plan *plan, const struct ca_flow_start *start);

/* Fills the records. CA_BAD_GRAPH if the source lacks a gate, or the start does not fit the
 * plan; CA_TOO_LARGE if the rows exceed an int. */
enum ca_status ca_flow_moments(const struct ca_flow_plan *plan, const double *theta,
                               const struct ca_flow_start *start,
                               const struct ca_gate_source *source, int n_records,
                               const struct ca_record *record, void (*check_interrupt)(void));

#endif
