#ifndef CAPALLOC_PASS_H
#define CAPALLOC_PASS_H

/*
 * A pass has a matrix (rows x channels, rows fastest) for every live site of a graph, computed
 * forwards from the input or backwards from the output. The rows are
 *   - observations, or any other inputs given as a matrix (batch),
 *   - input coordinates, that is the rows of the identity matrix (one-hot), or
 *   - outputs, in a backward pass.
 * The matrix of a site has only the rows that can be nonzero there: its span. For one-hot rows
 * of a grid the span is a box of input positions, that is one run of rows for each column of
 * the box. Sites that depend on the input in the same way, such as all positions of a
 * convolution away from the borders, have equal matrices whose rows begin at different
 * coordinates. Such a matrix is computed and stored once (`same`).
 *
 * The constant is one more, homogeneous coordinate, which biases multiply. Forward passes
 * receive its value in each row (`one`): 1 for observations, NULL (zero) for derivatives.
 */

#include "graph.h"

struct ca_span {
    int lo, hi; /* first run: rows lo <= i < hi */
    int more;   /* number of further runs, each one stride of the pass after the last */
};

struct ca_pass {
    const struct ca_graph *graph;
    struct ca_span *span; /* n_sites */
    size_t *same;         /* n_sites: the site whose matrix is used, often the site itself */
    size_t *at;           /* n_sites: first entry of the site's matrix in `value` */
    int stride;           /* distance of the runs of a span, in rows */
    size_t size;          /* number of doubles that the plan needs */
    double *value;        /* `size` doubles, allocated by the caller */
    size_t *table;        /* n_table: hash table of the sites with a matrix of their own */
    size_t n_table;
};

/* A pass without a plan and without values. It can be planned any number of times. */
struct ca_pass ca_pass_new(const struct ca_graph *graph);
/* A pass with the plan of another one and memory for its own values. */
struct ca_pass ca_pass_like(const struct ca_pass *pass);

/* Plans all live sites with `rows` rows. */
void ca_pass_plan_batch(struct ca_pass *pass, int rows);
/* Sets `at` and `size` for the current spans. */
void ca_pass_plan_spans(struct ca_pass *pass);
/* Plans the input coordinates begin <= j < end as rows 0, 1, ...; on a grid these must be whole
 * columns. */
void ca_pass_plan_one_hot(struct ca_pass *pass, size_t begin, size_t end);
/* Plans a backward pass with all outputs as rows. */
void ca_pass_plan_outputs(struct ca_pass *pass);

/* Forward pass of the inputs x (rows x n_inputs). `one` (rows): value of the constant, or
 * NULL. */
void ca_pass_forward_batch(struct ca_pass *pass, const double *theta, const double *x, int rows,
                           const double *one);
/* Forward pass of the one-hot rows that have been planned from coordinate `begin` on. */
void ca_pass_forward_one_hot(struct ca_pass *pass, const double *theta, size_t begin);
/* Backward pass: the sensitivities of all outputs, planned by ca_pass_plan_outputs(). */
void ca_pass_backward(struct ca_pass *pass, const double *theta);

/* The derivative of a backward pass `base` along a change v of theta. `change` has the plan of
 * base. The identity at the output sites does not depend on theta, so its derivative is
 * zero. */
void ca_pass_backward_along(struct ca_pass *change, const struct ca_pass *base,
                            const double *theta, const double *v);

/* out, the matrix of position u of a linear operation, += the taps applied to `in`. */
void ca_pass_push_taps(const struct ca_pass *in, const double *theta, int node, int u,
                       double *out);
/* The matrices in `to` of the sites that position u reads += the adjoint of its taps applied to
 * its matrix in `from`. Both passes have the same plan. */
void ca_pass_pull_taps(struct ca_pass *to, const struct ca_pass *from, const double *theta,
                       int node, int u);

/* Number of rows of the matrix of a site. */
static inline int ca_rows(const struct ca_pass *pass, size_t site) {
    return (pass->span[site].hi - pass->span[site].lo) * (1 + pass->span[site].more);
}

/* The matrix of a site. */
static inline double *ca_at(const struct ca_pass *pass, size_t site) {
    return pass->value + pass->at[site];
}

#endif
