#include "ffi.h"

#include <limits.h>
#include <math.h>

#include <R_ext/Utils.h>

#include "allocation.h"
#include "workspace.h"

static void fill(void *context, size_t begin, size_t end, double *out, int ld) {
    struct ca_tangent *tangent = context;
    const size_t m = tangent->graph->n_outputs;
    ca_tangent_fill(tangent, begin / m, end / m, out, ld);
    R_CheckUserInterrupt();
}

/* Which columns are kept: layer[k] is the layer of parameter k from 1, or 0 to leave it out. An
 * operation's slice is kept or left out as a whole. */
static const long *kept_columns(const struct ca_graph *graph, const int *layer,
                                size_t *n_columns) {
    long *column = ca_bytes((size_t)graph->n_nodes, sizeof(long));
    size_t *before = ca_sizes(graph->n_params);
    *n_columns = 0;
    for (size_t k = 0; k < graph->n_params; k++) {
        before[k] = *n_columns;
        *n_columns += layer[k] > 0;
    }
    for (int node = 0; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        column[node] = -1;
        if (op->n_theta == 0)
            continue;
        for (size_t k = op->theta; k < op->theta + op->n_theta; k++)
            if ((layer[k] > 0) != (layer[op->theta] > 0))
                ffi_bug("the layers of the coefficients");
        if (layer[op->theta] > 0)
            column[node] = (long)before[op->theta];
    }
    return column;
}

/* Layer numbers of the kept columns, from 0. */
static const int *kept_layers(const int *layer, size_t n_params, size_t n_columns,
                              int *n_layers) {
    int *out = ca_ints(n_columns);
    size_t kept = 0;
    *n_layers = 1;
    for (size_t k = 0; k < n_params; k++) {
        if (layer[k] <= 0)
            continue;
        out[kept++] = layer[k] - 1;
        if (layer[k] > *n_layers)
            *n_layers = layer[k];
    }
    return out;
}

static const int *read_layers(SEXP layer, const struct ca_graph *graph) {
    if (TYPEOF(layer) != INTSXP || (size_t)XLENGTH(layer) != graph->n_params)
        ffi_bug("the layers of the coefficients");
    for (size_t k = 0; k < graph->n_params; k++)
        if (INTEGER(layer)[k] < 0 || (size_t)INTEGER(layer)[k] > graph->n_params)
            ffi_bug("the layers of the coefficients");
    return INTEGER(layer);
}

/* Rows for a pass: coordinates for NULL, or a matrix of seeds with one column per coordinate.
 */
static const double *read_seeds(SEXP seeds, const struct ca_graph *graph, size_t *n_rows) {
    *n_rows = ca_coordinates(graph);
    if (seeds == R_NilValue)
        return NULL;
    SEXP dim = Rf_getAttrib(seeds, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2)
        ffi_bug("the rows of an allocation");
    *n_rows = (size_t)INTEGER(dim)[0];
    return ffi_matrix(seeds, *n_rows, ca_coordinates(graph), "the rows of an allocation");
}

/* Capacity of the rows of J. `seeds`: NULL, or a matrix that turns the rows before anything
 * else (a metric); `turned`: NULL for the same, or the rows to report, an orthogonal map of the
 * former. options: tol, ridge, block (coordinates at a time). list(leverage (m x rows), values,
 * rank, n_columns). */
SEXP ffi_capacity(SEXP graph, SEXP theta, SEXP layer, SEXP seeds, SEXP turned, SEXP options) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    const size_t m = g.n_outputs;
    const int *layers = read_layers(layer, &g);
    const double tol = ffi_number(ffi_element(options, "tol"), "tol");
    const double ridge = ffi_number(ffi_element(options, "ridge"), "ridge");
    const double asked = ffi_number(ffi_element(options, "block"), "block");
    if (!(tol >= 0) || !(ridge >= 0) || !(asked >= 1 && asked <= INT_MAX))
        ffi_bug("the options of an allocation");
    size_t n_rows, n_turned, n_columns;
    int n_layers;
    const double *first = read_seeds(seeds, &g, &n_rows);
    const double *second = read_seeds(turned == R_NilValue ? seeds : turned, &g, &n_turned);
    const long *column = kept_columns(&g, layers, &n_columns);
    const int *of_column = kept_layers(layers, g.n_params, n_columns, &n_layers);
    const size_t block = ((size_t)asked < n_rows ? (size_t)asked : n_rows) * m;
    ffi_product(block + n_columns, n_columns + 1,
                "a block of rows beyond what LAPACK can index");
    ffi_product(n_turned, m, "more rows than R can index");

    struct ca_tangent tangent = ca_tangent_new(&g, first, n_rows, column, n_columns, block / m);
    ca_tangent_at(&tangent, th);
    struct ca_rows_source source = {&tangent, fill, n_rows * m};
    struct ca_spectrum spectrum;
    enum ca_status status =
        ca_spectrum(source, n_columns, of_column, n_layers, block, &spectrum);
    if (status != CA_OK)
        ffi_stop(status, "finding the rank of the tangent");
    const size_t rank = ca_rank(&spectrum, tol);

    const char *names[] = {"leverage", "values", "rank", "n_columns", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP leverage = PROTECT(Rf_allocMatrix(REALSXP, (int)m, (int)n_turned));
    SEXP values = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)spectrum.n_values));
    if (turned != R_NilValue) {
        tangent = ca_tangent_new(&g, second, n_turned, column, n_columns, block / m);
        ca_tangent_at(&tangent, th);
        source.n_rows = n_turned * m;
    }
    status = ca_leverage(source, &spectrum, rank, ridge, block, REAL(leverage));
    if (status != CA_OK)
        ffi_stop(status, "finding an orthonormal basis of the tangent");
    for (size_t i = 0; i < spectrum.n_values; i++)
        REAL(values)[i] = spectrum.values[i];
    SET_VECTOR_ELT(out, 0, leverage);
    SET_VECTOR_ELT(out, 1, values);
    SET_VECTOR_ELT(out, 2, Rf_ScalarInteger((int)rank));
    SET_VECTOR_ELT(out, 3, Rf_ScalarInteger((int)n_columns));
    UNPROTECT(3); /* out, leverage, values */
    return out;
}
