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

/* A network's tangent, its spectrum and its rank: what every question begins with. */
struct problem {
    struct ca_graph graph;
    const double *theta;
    struct ca_tangent tangent;
    struct ca_rows_source source;
    struct ca_spectrum spectrum;
    const long *column;
    size_t n_columns, rank, block; /* block: rows of J */
    double ridge;
};

static void point_source(struct problem *problem, const double *seeds, size_t n_rows) {
    const size_t m = problem->graph.n_outputs;
    problem->tangent = ca_tangent_new(&problem->graph, seeds, n_rows, problem->column,
                                      problem->n_columns, problem->block / m);
    ca_tangent_at(&problem->tangent, problem->theta);
    problem->source = (struct ca_rows_source){&problem->tangent, fill, n_rows * m};
}

/* `seeds`: NULL, or a matrix that turns the rows before anything else (a metric). options: tol,
 * ridge, block (coordinates at a time). */
static void solve(struct problem *problem, SEXP graph, SEXP theta, SEXP layer, SEXP seeds,
                  SEXP options) {
    *problem = (struct problem){.graph = ffi_graph(graph)};
    const struct ca_graph *g = &problem->graph;
    problem->theta = ffi_theta(theta, g);
    const int *layers = read_layers(layer, g);
    const double tol = ffi_number(ffi_element(options, "tol"), "tol");
    const double ridge = ffi_number(ffi_element(options, "ridge"), "ridge");
    const double asked = ffi_number(ffi_element(options, "block"), "block");
    if (!(tol >= 0) || !(ridge >= 0) || !(asked >= 1 && asked <= INT_MAX))
        ffi_bug("the options of an allocation");
    size_t n_rows;
    int n_layers;
    const double *rows = read_seeds(seeds, g, &n_rows);
    problem->ridge = ridge;
    problem->column = kept_columns(g, layers, &problem->n_columns);
    const int *of_column = kept_layers(layers, g->n_params, problem->n_columns, &n_layers);
    problem->block = ((size_t)asked < n_rows ? (size_t)asked : n_rows) * g->n_outputs;
    ffi_product(problem->block + problem->n_columns, problem->n_columns + 1,
                "a block of rows beyond what LAPACK can index");
    point_source(problem, rows, n_rows);
    const enum ca_status status = ca_spectrum(problem->source, problem->n_columns, of_column,
                                              n_layers, problem->block, &problem->spectrum);
    if (status != CA_OK)
        ffi_stop(status, "finding the rank of the tangent");
    problem->rank = ca_rank(&problem->spectrum, tol);
}

static struct ca_projector project(const struct problem *problem) {
    struct ca_projector projector;
    const enum ca_status status =
        ca_projector_new(problem->source, &problem->spectrum, problem->rank, problem->ridge,
                         problem->block, &projector);
    if (status != CA_OK)
        ffi_stop(status, "finding an orthonormal basis of the tangent");
    return projector;
}

/* list(answer, values, rank, parameters): singular values, and the effective capacity of each
 * kept parameter. */
static SEXP result(const struct problem *problem, SEXP answer) {
    const char *names[] = {"answer", "values", "rank", "parameters", ""};
    const struct ca_spectrum *spectrum = &problem->spectrum;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP values = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)spectrum->n_values));
    SEXP parameters = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)problem->n_columns));
    for (size_t i = 0; i < spectrum->n_values; i++)
        REAL(values)[i] = spectrum->values[i];
    ca_parameters(spectrum, problem->rank, problem->ridge, REAL(parameters));
    SET_VECTOR_ELT(out, 0, answer);
    SET_VECTOR_ELT(out, 1, values);
    SET_VECTOR_ELT(out, 2, Rf_ScalarInteger((int)problem->rank));
    SET_VECTOR_ELT(out, 3, parameters);
    UNPROTECT(3); /* out, values, parameters */
    return out;
}

/* Capacity of rows, m x rows. `turned`: NULL for the rows of the metric, or the rows to report,
 * an orthogonal map of those. */
SEXP ffi_capacity(SEXP graph, SEXP theta, SEXP layer, SEXP seeds, SEXP turned, SEXP options) {
    struct problem problem;
    solve(&problem, graph, theta, layer, seeds, options);
    const size_t m = problem.graph.n_outputs;
    size_t n_turned;
    const double *rows =
        read_seeds(turned == R_NilValue ? seeds : turned, &problem.graph, &n_turned);
    if (n_turned != problem.source.n_rows / m)
        ffi_bug("the rows of an allocation");
    ffi_product(n_turned, m, "more rows than R can index");
    SEXP leverage = PROTECT(Rf_allocMatrix(REALSXP, (int)m, (int)n_turned));
    if (turned != R_NilValue)
        point_source(&problem, rows, n_turned);
    struct ca_projector projector = project(&problem);
    ca_leverage(&projector, REAL(leverage));
    SEXP out = PROTECT(result(&problem, leverage));
    UNPROTECT(2); /* leverage, out */
    return out;
}

/* Capacity kernel between the coordinates at `at` (from 1, increasing). */
SEXP ffi_kernel(SEXP graph, SEXP theta, SEXP layer, SEXP seeds, SEXP at, SEXP options) {
    struct problem problem;
    solve(&problem, graph, theta, layer, seeds, options);
    const size_t m = problem.graph.n_outputs, n = problem.source.n_rows / m;
    if (TYPEOF(at) != INTSXP || XLENGTH(at) < 1 || (size_t)XLENGTH(at) > n)
        ffi_bug("the inputs of a kernel");
    const size_t n_places = (size_t)XLENGTH(at);
    int *place = ca_ints(n);
    for (size_t j = 0; j < n; j++)
        place[j] = -1;
    for (size_t i = 0; i < n_places; i++) {
        const int j = INTEGER(at)[i];
        if (j < 1 || (size_t)j > n || (i > 0 && j <= INTEGER(at)[i - 1]))
            ffi_bug("the inputs of a kernel");
        place[j - 1] = (int)i;
    }
    ffi_product(n_places, n_places, "a kernel beyond what R can index");
    SEXP K = PROTECT(Rf_allocMatrix(REALSXP, (int)n_places, (int)n_places));
    struct ca_projector projector = project(&problem);
    ca_kernel(&projector, m, place, n_places, REAL(K));
    SEXP out = PROTECT(result(&problem, K));
    UNPROTECT(2); /* K, out */
    return out;
}

/* Two-way capacity: rows x groups. `group`: for every kept parameter the number of its group.
 */
SEXP ffi_two_way(SEXP graph, SEXP theta, SEXP layer, SEXP seeds, SEXP group, SEXP options) {
    struct problem problem;
    solve(&problem, graph, theta, layer, seeds, options);
    const size_t m = problem.graph.n_outputs, n = problem.source.n_rows / m;
    if (TYPEOF(group) != INTSXP || (size_t)XLENGTH(group) != problem.n_columns)
        ffi_bug("the groups of a table");
    int *of = ca_ints(problem.n_columns), n_groups = 1;
    for (size_t k = 0; k < problem.n_columns; k++) {
        const int own = INTEGER(group)[k];
        if (own < 1 || (size_t)own > problem.n_columns)
            ffi_bug("the groups of a table");
        of[k] = own - 1;
        if (own > n_groups)
            n_groups = own;
    }
    ffi_product(n, (size_t)n_groups, "a table beyond what R can index");
    SEXP T = PROTECT(Rf_allocMatrix(REALSXP, (int)n, n_groups));
    struct ca_projector projector = project(&problem);
    ca_two_way(&projector, m, of, (size_t)n_groups, REAL(T));
    SEXP out = PROTECT(result(&problem, T));
    UNPROTECT(2); /* T, out */
    return out;
}
