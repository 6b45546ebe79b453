#ifndef CAPALLOC_FLOW_CUT_H
#define CAPALLOC_FLOW_CUT_H

/*
 * Cuts of a graph: the order in which stages are processed, and the places of their units in
 * the matrices of flow-carry.h.
 *
 * Stages are the input (stage 0) and the steps of the graph: a whole operation, or in a
 * recurrence one position of it. The tier of a stage is the largest number of nonlinear steps
 * on a way from the input to it. Nonlinear stages of one tier depend on the same units, so
 * they form one item; every linear stage is an item of its own. A stage is open from the first
 * item that needs its place to the last one. Stages that are open at the same time do not
 * overlap.
 */

#include "graph.h"

struct ca_stages {
    const struct ca_graph *graph;
    int n;
    const int *of;    /* n_sites: the stage that computes a site */
    const int *tier;  /* n */
    const bool *live; /* n: whether the output depends on the stage */
    /* Stage b reads the stages reads[first_read[b]] .. reads[first_read[b + 1] - 1], each once.
     */
    const int *first_read, *reads; /* n + 1; first_read[n] */
};

struct ca_stages ca_cut_stages_new(const struct ca_graph *graph);

/* Node and positions of a stage, its operation, and its number of units. */
struct ca_step ca_cut_stage_step(const struct ca_stages *stages, int b);
const struct ca_op *ca_cut_stage_op(const struct ca_stages *stages, int b);
int ca_cut_stage_units(const struct ca_stages *stages, int b);
bool ca_cut_stage_is_linear(const struct ca_stages *stages, int b);

/* n flags, all false. */
bool *ca_cut_stages_none(const struct ca_stages *stages);
/* Adds to `found` (n) the stages that those in it depend on, or the stages that depend on them.
 */
void ca_cut_stages_below(const struct ca_stages *stages, bool *found);
void ca_cut_stages_above(const struct ca_stages *stages, bool *found);

/* Lists of stages: list i is stage[first[i]] .. stage[first[i + 1] - 1]. */
struct ca_lists {
    int n;
    const int *first, *stage;
};

struct ca_cut {
    const struct ca_stages *stages;
    bool backward;
    int size;                /* rows or columns that hold all places */
    const int *at;           /* stages: place of the first unit, -1 for none */
    const int *item;         /* stages: the item that processes it, items.n for none */
    struct ca_lists items;   /* in the order in which they are processed */
    struct ca_lists closing; /* items: stages that are closed after it */
};

/* A cut through the `wanted` stages (n), from the output to the input if `backward`. `edge` (n,
 * or NULL) are the stages that are open from the start (backward) or stay open to the end
 * (forward). CA_TOO_LARGE if the places exceed an int. */
enum ca_status ca_cut_new(const struct ca_stages *stages, const bool *wanted, bool backward,
                          const bool *edge, struct ca_cut *cut);

/* Multiply-add operations that one row takes through the whole cut. */
double ca_cut_terms(const struct ca_cut *cut);
bool ca_cut_item_is_linear(const struct ca_cut *cut, int item);
/* Place of the first unit of a site, -1 for none. */
int ca_cut_place(const struct ca_cut *cut, size_t site);

#endif
