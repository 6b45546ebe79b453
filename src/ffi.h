#ifndef CAPALLOC_FFI_H
#define CAPALLOC_FFI_H

/*
 * The border between R and the core. Its functions have R objects as arguments and results, and
 * may raise errors. All .Call prototypes are here; init.c and each ffi-*.c include this file,
 * so the compiler checks them. A network is passed as the plain list that R/net-lower.R
 * describes, with theta as a separate vector. Both are checked completely at every call.
 */

#define R_NO_REMAP
#define STRICT_R_HEADERS
#include <Rinternals.h>

#include "graph.h"
#include "moments.h"
#include "tangent.h"

SEXP ffi_weights(SEXP graph, SEXP theta);
SEXP ffi_predict(SEXP graph, SEXP theta, SEXP x);
SEXP ffi_tangent(SEXP graph, SEXP theta);
SEXP ffi_reach(SEXP graph);
SEXP ffi_fit(SEXP graph, SEXP theta, SEXP moments_list, SEXP method, SEXP control);
SEXP ffi_fit_samples(SEXP graph, SEXP theta, SEXP data, SEXP held_out, SEXP loss, SEXP method,
                     SEXP control);
SEXP ffi_sample_gradient(SEXP graph, SEXP theta, SEXP data, SEXP loss, SEXP decay, SEXP along);
SEXP ffi_capacity(SEXP graph, SEXP theta, SEXP about, SEXP what);
SEXP ffi_kernel(SEXP graph, SEXP theta, SEXP about, SEXP at);
SEXP ffi_two_way(SEXP graph, SEXP theta, SEXP about, SEXP group);
SEXP ffi_linearise(SEXP graph, SEXP theta, SEXP x);
SEXP ffi_gradients(SEXP graph, SEXP theta, SEXP x);
SEXP ffi_operations(void);
SEXP ffi_threads(SEXP n);
SEXP ffi_flow(SEXP graph, SEXP theta, SEXP gate, SEXP start, SEXP levels);
SEXP ffi_phi(SEXP name, SEXP parameter, SEXP u);
SEXP ffi_gate_squares(SEXP graph, SEXP theta, SEXP x);
SEXP ffi_gate_values(SEXP graph, SEXP theta, SEXP x, SEXP nodes);
SEXP ffi_flow_plan(SEXP graph, SEXP slice, SEXP whole);
SEXP ffi_flow_joint(SEXP graph, SEXP theta, SEXP mean, SEXP cov, SEXP whole, SEXP visit);
SEXP ffi_flow_moments(SEXP graph, SEXP theta, SEXP start, SEXP gates, SEXP levels);

/* Only tests, tools and benchmarks call these (ffi-test.c). */
SEXP ffi_gradient(SEXP graph, SEXP theta, SEXP moments_list);
SEXP ffi_extended(SEXP graph, SEXP theta, SEXP x);
SEXP ffi_activations(void);

/* Raises an R error of the class of `status`. For CA_LAPACK `what` is the operation that
 * failed, otherwise the object that is wrong. */
void ffi_stop(enum ca_status status, const char *what);
/* Raises an R error for a value that only a bug or an edited object can produce; `what` is the
 * object. */
void ffi_bug(const char *what);

/* Reads and checks a network. */
struct ca_graph ffi_graph(SEXP graph);
/* The same for a linear network; raises an error for others. */
struct ca_graph ffi_linear_graph(SEXP graph);
/* Coefficients of a network: a double vector of n_params finite numbers. */
const double *ffi_theta(SEXP theta, const struct ca_graph *graph);
/* A double matrix with these dimensions and finite entries. */
const double *ffi_matrix(SEXP x, size_t nrow, size_t ncol, const char *what);
/* A double vector of one finite number. */
double ffi_number(SEXP x, const char *what);
/* Weights of n rows: n positive numbers in a matrix with one column. NULL for R's NULL: all
 * weights are 1. */
const double *ffi_row_weights(SEXP x, size_t n);
/* The element of a list with this name, or R's NULL if there is none. */
SEXP ffi_element(SEXP list, const char *name);
/* a * b as an int. Raises an error if it exceeds INT_MAX, the limit of R dimensions and of
 * LAPACK. */
int ffi_product(size_t a, size_t b, const char *what);
/* Moments of a task (moments.h) for a network, from list(root, target, floor, total): root
 * (rank x n), target (rank x m), with n the coordinates and m the outputs of the network. */
struct ca_moments ffi_moments(const struct ca_graph *graph, SEXP list);
/* Samples x (N x n), with N >= 1. Sets *n_samples to N. */
const double *ffi_samples(SEXP x, const struct ca_graph *graph, size_t *n_samples);
/* The first column of the slice of each operation (n_nodes) if no parameter is left out. */
const long *ffi_all_columns(const struct ca_graph *graph);

#endif
