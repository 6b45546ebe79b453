#ifndef CAPALLOC_GRAPH_H
#define CAPALLOC_GRAPH_H

/*
 * The graph of operations in the order in which they run, and which of its
 * sites matter. Node 0 is the input, node i is made by operation i.
 *
 * Outside loops the order is that of the description. The operations of a loop
 * (a recurrence) run position by position, and may read a node of their own
 * loop that comes later, at earlier positions: this is how a cell that was
 * described once is unrolled.
 */

#include "op.h"
#include "status.h"

struct ca_step {
    int node, begin, end; /* positions begin <= u < end */
};

struct ca_graph {
    int n_nodes;      /* with the input */
    struct ca_op *op; /* n_nodes */
    int output;
    size_t n_params;

    /* derived */
    size_t n_inputs, n_outputs; /* coordinates: channels x positions */
    size_t n_sites;
    size_t *first; /* n_nodes: site of position 0 */
    size_t n_steps;
    struct ca_step *step;
    unsigned char *live; /* n_sites: the output depends on it */
    int has_bias, is_linear;
};

/* Sites in the order of evaluation, or backwards; node 0, the input, is none of them:
 *   for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) */
struct ca_walk {
    const struct ca_graph *graph;
    size_t begin, end; /* steps that are left */
    int left, by;      /* positions of this step that are left, and in which direction */
    int node, u;       /* the site at hand */
    size_t site;
    const struct ca_op *op;
};

static inline struct ca_walk ca_forwards(const struct ca_graph *graph) {
    return (struct ca_walk){.graph = graph, .end = graph->n_steps, .by = 1};
}

static inline struct ca_walk ca_backwards(const struct ca_graph *graph) {
    return (struct ca_walk){.graph = graph, .end = graph->n_steps, .by = -1};
}

static inline bool ca_next_site(struct ca_walk *w) {
    while (w->left == 0) {
        if (w->begin == w->end)
            return false;
        const struct ca_step *step = &w->graph->step[w->by > 0 ? w->begin++ : --w->end];
        w->node = step->node;
        w->op = &w->graph->op[step->node];
        w->left = step->end - step->begin;
        w->u = w->by > 0 ? step->begin - 1 : step->end;
    }
    w->left--;
    w->u += w->by;
    w->site = w->graph->first[w->node] + (size_t)w->u;
    return true;
}

/* Checks op[].{kind, from, shape, window, groups, theta, scale, loop}, output and n_params
 * completely, and derives the rest. On failure *why says what is wrong, *where which node. */
enum ca_status ca_graph_build(struct ca_graph *graph, const char **why, int *where);

/* Rows lo[0] <= i < hi[0] and columns lo[1] <= j < hi[1] of the input. */
struct ca_box {
    int lo[2], hi[2];
};

/* For every site the smallest box of input positions that holds all it depends on: n_sites. */
const struct ca_box *ca_graph_reach(const struct ca_graph *graph);

#endif
