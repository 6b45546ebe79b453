#ifndef CAPALLOC_TANGENT_H
#define CAPALLOC_TANGENT_H

/*
 * The tangent J = d vec(W) / d theta of a linear network, in row blocks.
 *
 * For a linear network J is the parameter gradient over one-hot inputs: with
 * B the sensitivities of the outputs and X the forward values of row c,
 *   J_(o,c),(f,i,k) = sum_u B_u[o, f] X_pos(u,k)[c, i]
 * for a linear operation, and J_(o,c),f = sum_u B_u[o, f] one[c] for a bias.
 * Rows c are the input coordinates (the constant last), or the rows of any
 * matrix of inputs ("seeds"): then the block is (seeds (x) I_m) J.
 */

#include "pass.h"

struct ca_tangent {
    const struct ca_graph *graph;
    const double *theta;
    const double *seeds;  /* NULL, or n_rows x (n_inputs + has_bias) */
    size_t n_rows;        /* rows c: coordinates or seeds */
    size_t n_columns;     /* parameters kept */
    const long *column;   /* n_nodes: first column of an operation's slice, -1 when left out */
    struct ca_pass back;  /* outputs */
    struct ca_pass value; /* forward: a window of coordinates, or a block of seeds */
    double *x;            /* seeds of a block: block x n_inputs */
    size_t block;         /* most rows c in one block */
    size_t window, begin; /* coordinates in one pass, and the first of those at hand */
    int is_ready;         /* the values of that window are there */
};

/* Plans and allocates a tangent with at most `block` rows c at a time. */
struct ca_tangent ca_tangent_new(const struct ca_graph *graph, const double *seeds,
                                 size_t n_seeds, const long *column, size_t n_columns,
                                 size_t block);

/* Moves it to theta: the backward pass. */
void ca_tangent_at(struct ca_tangent *tangent, const double *theta);

/* Rows begin <= c < end into out, row o + m (c - begin), leading dimension ld (overwritten). */
void ca_tangent_fill(struct ca_tangent *tangent, size_t begin, size_t end, double *out, int ld);

/* W (m x (n_inputs + has_bias)) of a linear network. */
void ca_weights(const struct ca_pass *back, const double *theta, double *W);

/* The column of W of the constant += sum over biases of B theta. */
void ca_add_intercept(const struct ca_pass *back, const double *theta, double *W);

/* Coordinates of the rows of J: n_inputs, and the constant where there is a bias. */
static inline size_t ca_coordinates(const struct ca_graph *graph) {
    return graph->n_inputs + (graph->has_bias ? 1 : 0);
}

#endif
