#ifndef CAPALLOC_PASS_H
#define CAPALLOC_PASS_H

/*
 * A pass holds a matrix (rows x channels, rows fastest) at every live site of a
 * graph, filled forwards from the input or backwards from the output. Rows are
 *   - observations, or any other inputs given as a matrix (batch), or
 *   - input coordinates, the rows of the identity (one-hot), or
 *   - outputs, in a backward pass.
 * A site only holds the rows that can be non-zero there: its span. One-hot rows
 * of a grid make a box of input positions: as many runs of rows as it has
 * columns. Sites that see the input alike, such as all positions of a
 * convolution away from the borders, have the same matrix but for where their
 * rows begin, so it is made and kept once (`same`).
 *
 * A constant is one more, homogeneous coordinate: forward passes take its value
 * per row (`one`: 1 for observations, NULL for derivatives), which biases
 * multiply.
 */

#include "graph.h"

struct ca_span {
    int lo, hi; /* rows lo <= i < hi, */
    int more;   /* and so many runs more, each a stride of the pass after the last */
};

struct ca_pass {
    const struct ca_graph *graph;
    struct ca_span *span; /* n_sites */
    size_t *same;         /* n_sites: the site whose matrix this one shares, or itself */
    size_t *at;           /* n_sites: where a site's matrix begins in value */
    int stride;           /* rows from one run of a span to the next */
    size_t size;          /* doubles planned */
    double *value;        /* to be set by the caller, `size` doubles */
    size_t *table;        /* what finds sites that see the input alike */
    size_t n_table;
};

/* Spans only, to be planned as often as wanted. */
struct ca_pass ca_pass_new(const struct ca_graph *graph);
/* The same plan as another pass, with values of its own. */
struct ca_pass ca_pass_like(const struct ca_pass *pass);

void ca_plan_batch(struct ca_pass *pass, int rows);
/* Offsets for the spans as they are. */
void ca_plan_spans(struct ca_pass *pass);
/* Input coordinates begin <= j < end, which become rows 0, 1, ..; on a grid whole columns. */
void ca_plan_one_hot(struct ca_pass *pass, size_t begin, size_t end);
/* All outputs, backwards. */
void ca_plan_outputs(struct ca_pass *pass);

/* Forward values of rows x (rows x n_inputs). `one` as above. */
void ca_forward_batch(struct ca_pass *pass, const double *theta, const double *x, int rows,
                      const double *one);
/* Of the coordinates planned from `begin` on. */
void ca_forward_one_hot(struct ca_pass *pass, const double *theta, size_t begin);
/* Sensitivities of the outputs (ca_plan_outputs). */
void ca_backward(struct ca_pass *pass, const double *theta);

/* The derivative of a backward pass (in `base`) along a change v of theta; `change` has the
 * same plan as base. The seeds stay as they are. */
void ca_backward_along(struct ca_pass *change, const struct ca_pass *base, const double *theta,
                       const double *v);

/* out at a site of a linear operation += its taps applied to `in` */
void ca_push_taps(const struct ca_pass *in, const double *theta, int node, int u, double *out);
/* what a site's taps read += their adjoint applied to the site's matrix in `from`, which has
 * the same plan */
void ca_pull_taps(struct ca_pass *to, const struct ca_pass *from, const double *theta, int node,
                  int u);

static inline int ca_rows(const struct ca_pass *pass, size_t site) {
    return (pass->span[site].hi - pass->span[site].lo) * (1 + pass->span[site].more);
}

static inline double *ca_at(const struct ca_pass *pass, size_t site) {
    return pass->value + pass->at[site];
}

#endif
