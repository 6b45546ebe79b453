#ifndef CAPALLOC_FFI_H
#define CAPALLOC_FFI_H

/*
 * The border: R objects in, R objects out; may raise. Every .Call prototype is
 * here, included by init.c and by each ffi-*.c, so that the compiler checks them.
 * A network crosses as the plain list that R/net-graph.R describes and theta beside
 * it; both are checked completely at every call.
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

/* Raise an R error of the class that belongs to a status; `what` says what was being done. */
void ffi_stop(enum ca_status status, const char *what);
/* A value that only a defect, or a tampered object, can bring here. */
void ffi_bug(const char *what);

struct ca_graph ffi_graph(SEXP graph);
/* The same, of linear operations only. */
struct ca_graph ffi_linear_graph(SEXP graph);
const double *ffi_theta(SEXP theta, const struct ca_graph *graph);
/* A double matrix with these dimensions, every entry finite. */
const double *ffi_matrix(SEXP x, size_t nrow, size_t ncol, const char *what);
double ffi_number(SEXP x, const char *what);
/* Element of a list by its name, or NULL of R when there is none. */
SEXP ffi_element(SEXP list, const char *name);
/* a * b as an int that LAPACK and R dimensions can take. */
int ffi_product(size_t a, size_t b, const char *what);
/* Moments of a task for a network with these inputs and outputs (moments.h), from
 * list(root (rank x n), target (rank x m), floor, total). */
struct ca_moments ffi_moments(const struct ca_graph *graph, SEXP list);
/* Samples x (N x n), N >= 1. */
const double *ffi_samples(SEXP x, const struct ca_graph *graph, size_t *n_samples);
/* All parameters kept: the first column of each operation's slice. */
const long *ffi_all_columns(const struct ca_graph *graph);

#endif
