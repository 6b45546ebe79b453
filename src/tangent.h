#ifndef CAPALLOC_TANGENT_H
#define CAPALLOC_TANGENT_H

/*
 * The tangent J = d vec(W) / d theta of a linear network, in blocks of rows.
 *
 * For a linear network J is the gradient with respect to theta at one-hot inputs. With B the
 * sensitivities of the outputs and X the forward values of row c,
 *   J_(o,c),(f,i,k) = sum_u B_u[o, f] X_pos(u,k)[c, i]
 * for a linear operation, and J_(o,c),f = sum_u B_u[o, f] one[c] for a bias. The rows c are the
 * input coordinates (the constant last), or the rows of a matrix of inputs (`seeds`); the
 * result is then (seeds (x) I_m) J.
 */

#include "pass.h"

struct ca_tangent {
    const struct ca_graph *graph;
    const double *theta;
    const double *seeds;  /* n_rows x (n_inputs + has_bias), or NULL */
    size_t n_rows;        /* number of rows c: coordinates or rows of seeds */
    size_t n_columns;     /* number of parameters that are not left out */
    const long *column;   /* n_nodes: first column of an operation's slice, -1 if left out */
    struct ca_pass back;  /* sensitivities of all outputs */
    struct ca_pass value; /* forward values of a window of coordinates or a block of seeds */
    double *x;            /* block x n_inputs: the seeds of a block */
    size_t block;         /* largest number of rows c in one block */
    size_t window, begin; /* coordinates in one pass; first coordinate of the current one */
    int is_ready;         /* whether `value` has been computed for the current window */
};

/* Plans and allocates a tangent that returns at most `block` rows c at a time. */
struct ca_tangent ca_tangent_new(const struct ca_graph *graph, const double *seeds,
                                 size_t n_seeds, const long *column, size_t n_columns,
                                 size_t block);

/* Sets theta and computes the backward pass. */
void ca_tangent_at(struct ca_tangent *tangent, const double *theta);

/* Writes the rows begin <= c < end into out: row o + m (c - begin), leading dimension ld.
 * Previous values are overwritten. */
void ca_tangent_fill(struct ca_tangent *tangent, size_t begin, size_t end, double *out, int ld);

/* Writes the effective weights W (m x (n_inputs + has_bias)) of a linear network. */
void ca_tangent_weights(const struct ca_pass *back, const double *theta, double *W);

/* The last column of W, that of the constant, += the sum over biases of B theta. */
void ca_tangent_add_intercept(const struct ca_pass *back, const double *theta, double *W);

/* Number of input coordinates: n_inputs, and 1 for the constant if the network has a bias. */
static inline size_t ca_coordinates(const struct ca_graph *graph) {
    return graph->n_inputs + (graph->has_bias ? 1 : 0);
}

#endif
