#ifndef CAPALLOC_GRAPH_H
#define CAPALLOC_GRAPH_H

/*
 * The graph of operations, their order of evaluation, and the sites that the output depends on.
 * Node 0 is the input; node i is the output of operation i.
 *
 * Outside loops the order of evaluation is that of the description. The operations of a loop (a
 * recurrence) are evaluated position by position. They may read nodes of their own loop that
 * come later, but only at earlier positions. In this way a cell that is described once is
 * unrolled.
 */

#include "op.h"
#include "status.h"

struct ca_step {
    int node, begin, end; /* a node, and positions begin <= u < end of it */
};

struct ca_graph {
    int n_nodes;      /* including the input */
    struct ca_op *op; /* n_nodes */
    int output;
    size_t n_params;

    /* derived by ca_graph_build() */
    size_t n_inputs, n_outputs; /* coordinates: channels times positions */
    size_t n_sites;
    size_t *first; /* n_nodes: the site of position 0 */
    size_t n_steps;
    struct ca_step *step;
    unsigned char *live; /* n_sites: 1 if the output depends on the site */
    int has_bias, is_linear;
};

/* Iterates over sites in the order of evaluation, or backwards. The sites of the input (node 0)
 * are not visited:
 *   for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) */
struct ca_walk {
    const struct ca_graph *graph;
    size_t begin, end; /* the steps that remain */
    int left, by;      /* positions of this step that remain; direction, 1 or -1 */
    int node, u;       /* node and position of the current site */
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
 * completely, and derives the other fields. On failure *why is a description of the problem and
 * *where the number of the node. */
enum ca_status ca_graph_build(struct ca_graph *graph, const char **why, int *where);

/* A box of input positions: rows lo[0] <= i < hi[0], columns lo[1] <= j < hi[1]. */
struct ca_box {
    int lo[2], hi[2];
};

/* Returns for every site (n_sites) the smallest box of input positions that contains all
 * positions it depends on. */
const struct ca_box *ca_graph_reach(const struct ca_graph *graph);

#endif
