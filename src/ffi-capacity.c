#include "ffi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <R_ext/Utils.h>

#include "allocation.h"
#include "bounds.h"
#include "extended.h"
#include "workspace.h"

/* The source of the rows of an allocation: one of the two tangents, and a map of the
 * outputs. */
struct source {
    struct ca_tangent tangent;   /* tangent of a linear network */
    struct ca_extended extended; /* extended tangent at samples */
    const double *contrast;      /* m x m, symmetric, applied to the outputs; NULL for none */
    double *outputs;             /* step x m: scratch of apply_contrast() */
    size_t m, n_columns;
};

/* Applies the contrast to the outputs in the rows of out, in place. The rows are in n_groups
 * groups of step m; output o of row i of a group is i + step o. */
static void apply_contrast(const struct source *source, size_t step, size_t n_groups,
                           double *out, size_t ld) {
    const size_t m = source->m;
    if (source->contrast == NULL)
        return;
    for (size_t k = 0; k < source->n_columns; k++)
        for (size_t g = 0; g < n_groups; g++) {
            double *rows = out + k * ld + g * step * m; /* step x m */
            memset(source->outputs, 0, sizeof(double) * step * m);
            for (size_t o = 0; o < m; o++)
                for (size_t from = 0; from < m; from++) {
                    const double c = source->contrast[o + from * m];
                    for (size_t i = 0; i < step; i++)
                        source->outputs[i + step * o] += c * rows[i + step * from];
                }
            memcpy(rows, source->outputs, sizeof(double) * step * m);
        }
}

/* Rows of the tangent of a linear network: row o + m j. */
static void fill_tangent(void *context, size_t begin, size_t end, double *out, int ld) {
    struct source *source = context;
    const size_t m = source->m;
    ca_tangent_fill(&source->tangent, begin / m, end / m, out, ld);
    apply_contrast(source, 1, (end - begin) / m, out, (size_t)ld);
    R_CheckUserInterrupt();
}

static size_t tangent_coordinate(const void *context, size_t begin, size_t end, size_t i) {
    const struct source *source = context;
    (void)end;
    return (begin + i) / source->m;
}

/* Rows of the extended tangent: s + b (o + m j) in a block of b samples. Returns the number of
 * rows of a sample. */
static size_t sample_rows(const struct source *source) {
    return source->m * source->extended.n_rows;
}

static void fill_extended(void *context, size_t begin, size_t end, double *out, int ld) {
    struct source *source = context;
    const size_t own = sample_rows(source);
    ca_extended_fill(&source->extended, begin / own, end / own, out, ld);
    apply_contrast(source, (end - begin) / own, source->extended.n_rows, out, (size_t)ld);
    R_CheckUserInterrupt();
}

static size_t extended_coordinate(const void *context, size_t begin, size_t end, size_t i) {
    const struct source *source = context;
    const size_t b = (end - begin) / sample_rows(source);
    return i / (b * source->m);
}

/* Returns the first column of each operation (n_nodes), -1 for operations that are left out or
 * have no parameters, and sets *n_columns. array[k] is the number of the array of parameter k,
 * from 1, or 0 to leave it out. The slice of an operation must be kept or left out as a
 * whole. */
static const long *kept_columns(const struct ca_graph *graph, const int *array,
                                size_t *n_columns) {
    long *column = ca_bytes((size_t)graph->n_nodes, sizeof(long));
    size_t *before = ca_sizes(graph->n_params);
    *n_columns = 0;
    for (size_t k = 0; k < graph->n_params; k++) {
        before[k] = *n_columns;
        *n_columns += array[k] > 0;
    }
    for (int node = 0; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        column[node] = -1;
        if (op->n_theta == 0)
            continue;
        for (size_t k = op->theta; k < op->theta + op->n_theta; k++)
            if ((array[k] > 0) != (array[op->theta] > 0))
                ffi_bug("the arrays of the coefficients");
        if (array[op->theta] > 0)
            column[node] = (long)before[op->theta];
    }
    return column;
}

/* Returns the array numbers of the kept columns (n_columns), from 0, and sets *n_arrays. */
static const int *kept_arrays(const int *array, size_t n_params, size_t n_columns,
                              int *n_arrays) {
    int *out = ca_ints(n_columns);
    size_t kept = 0;
    *n_arrays = 1;
    for (size_t k = 0; k < n_params; k++) {
        if (array[k] <= 0)
            continue;
        out[kept++] = array[k] - 1;
        if (array[k] > *n_arrays)
            *n_arrays = array[k];
    }
    return out;
}

static const int *read_arrays(SEXP array, const struct ca_graph *graph) {
    if (TYPEOF(array) != INTSXP || (size_t)XLENGTH(array) != graph->n_params)
        ffi_bug("the arrays of the coefficients");
    for (size_t k = 0; k < graph->n_params; k++)
        if (INTEGER(array)[k] < 0 || (size_t)INTEGER(array)[k] > graph->n_params)
            ffi_bug("the arrays of the coefficients");
    return INTEGER(array);
}

/* Rows of a metric or partition: NULL for the coordinates, or a matrix with one column for each
 * coordinate. Sets *n_rows. */
static const double *read_rows(SEXP rows, size_t n_coordinates, size_t *n_rows) {
    *n_rows = n_coordinates;
    if (rows == R_NilValue)
        return NULL;
    SEXP dim = Rf_getAttrib(rows, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2)
        ffi_bug("the rows of an allocation");
    *n_rows = (size_t)INTEGER(dim)[0];
    return ffi_matrix(rows, *n_rows, n_coordinates, "the rows of an allocation");
}

const double *ffi_samples(SEXP x, const struct ca_graph *graph, size_t *n_samples) {
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2 || INTEGER(dim)[0] < 1)
        ffi_bug("the samples of an allocation");
    *n_samples = (size_t)INTEGER(dim)[0];
    return ffi_matrix(x, *n_samples, graph->n_inputs, "the samples of an allocation");
}

/* The tangent of a network (linear, or extended at samples), its spectrum and its rank, from
 * which every allocation starts. */
struct problem {
    struct ca_graph graph;
    const double *theta;
    const double *x;      /* samples (N x n); NULL for the tangent of a linear network */
    const double *weight; /* of the samples (N), or NULL */
    size_t n_samples, n_coordinates;
    struct source source;
    struct ca_tall tall;
    struct ca_spectrum spectrum;
    const long *column;
    size_t n_columns, rank;
    size_t asked; /* coordinates or samples in a block */
    double ridge;
};

/* Makes the rows of a metric or partition the source of the allocation. rows: NULL for the
 * coordinates. */
static void point_source(struct problem *problem, const double *rows, size_t n_rows) {
    const struct ca_graph *g = &problem->graph;
    struct source *source = &problem->source;
    if (problem->x == NULL) {
        source->tangent = ca_tangent_new(g, rows, n_rows, problem->column, problem->n_columns,
                                         problem->asked);
        ca_tangent_at(&source->tangent, problem->theta);
        problem->tall.rows = (struct ca_rows_source){source, fill_tangent, tangent_coordinate,
                                                     n_rows * g->n_outputs};
        return;
    }
    source->extended =
        ca_extended_new(g, problem->theta, problem->x, problem->n_samples, rows, n_rows,
                        problem->column, problem->n_columns, problem->asked);
    source->extended.weight = problem->weight;
    problem->tall.rows = (struct ca_rows_source){source, fill_extended, extended_coordinate,
                                                 problem->n_samples * n_rows * g->n_outputs};
}

/* Reads a logical vector with TRUE for each kept column that is dropped; NULL for none. */
static const int *read_left_out(SEXP left_out, size_t n_columns) {
    if (left_out == R_NilValue)
        return NULL;
    if (TYPEOF(left_out) != LGLSXP || (size_t)XLENGTH(left_out) != n_columns)
        ffi_bug("the columns that are left out");
    return LOGICAL(left_out);
}

/* Computes the spectrum and the rank of the tangent. about is a list:
 *   array     number of the array of each parameter, 0 to leave it out
 *   left_out  which of the kept columns to drop, or NULL
 *   x         samples (N x n), or NULL for a linear network
 *   weight    weights of the samples (N x 1), or NULL
 *   rows      rows of a metric, or NULL for the coordinates
 *   contrast  symmetric map of the outputs (m x m), or NULL
 *   tol       tolerance of the rank
 *   ridge     ridge relative to s_1^2
 *   decay     weight of |theta|^2, or 0; with it columns are not scaled
 *   block     number of coordinates, or samples, in a block */
static void solve(struct problem *problem, SEXP graph, SEXP theta, SEXP about) {
    *problem = (struct problem){.graph = ffi_graph(graph)};
    const struct ca_graph *g = &problem->graph;
    problem->theta = ffi_theta(theta, g);
    const int *arrays = read_arrays(ffi_element(about, "array"), g);
    const double tol = ffi_number(ffi_element(about, "tol"), "tol");
    const double decay = ffi_number(ffi_element(about, "decay"), "decay");
    const double asked = ffi_number(ffi_element(about, "block"), "block");
    problem->ridge = ffi_number(ffi_element(about, "ridge"), "ridge");
    if (!(tol >= 0) || !(problem->ridge >= 0) || !(decay >= 0) ||
        !(asked >= 1 && asked <= INT_MAX))
        ffi_bug("the options of an allocation");
    size_t n_rows;
    problem->n_coordinates = ca_coordinates(g);
    if (ffi_element(about, "x") != R_NilValue) {
        problem->x = ffi_samples(ffi_element(about, "x"), g, &problem->n_samples);
        problem->weight = ffi_row_weights(ffi_element(about, "weight"), problem->n_samples);
        problem->n_coordinates = g->n_inputs + 1;
    } else if (!g->is_linear) {
        ffi_bug("a nonlinear network without samples");
    }
    const double *rows = read_rows(ffi_element(about, "rows"), problem->n_coordinates, &n_rows);
    problem->column = kept_columns(g, arrays, &problem->n_columns);
    struct ca_columns columns = {
        .left_out = read_left_out(ffi_element(about, "left_out"), problem->n_columns),
        .unscaled = decay > 0};
    columns.array = kept_arrays(arrays, g->n_params, problem->n_columns, &columns.n_arrays);
    const size_t most = problem->x == NULL ? n_rows : problem->n_samples;
    const size_t own = problem->x == NULL ? g->n_outputs : g->n_outputs * n_rows;
    problem->asked = (size_t)asked < most ? (size_t)asked : most;
    const size_t block = (size_t)ffi_product(problem->asked, own, "a block of rows");
    ffi_product(block + problem->n_columns, problem->n_columns + 1,
                "a block of rows beyond what LAPACK can index");
    problem->source.m = g->n_outputs;
    problem->source.n_columns = problem->n_columns;
    if (ffi_element(about, "contrast") != R_NilValue) {
        problem->source.contrast = ffi_matrix(ffi_element(about, "contrast"), g->n_outputs,
                                              g->n_outputs, "the contrasts of the outputs");
        problem->source.outputs =
            ca_doubles(g->n_outputs * (problem->x == NULL ? 1 : problem->asked));
    }
    point_source(problem, rows, n_rows);
    problem->tall = ca_allocation_tall_new(problem->tall.rows, problem->n_columns, block);
    const int by_itself = problem->ridge > 0 || decay > 0;
    const enum ca_status status = ca_allocation_spectrum(
        &problem->tall, &columns, by_itself ? INFINITY : tol, &problem->spectrum);
    if (status != CA_OK)
        ffi_stop(status,
                 status == CA_NONFINITE ? "the tangent" : "computing the rank of the tangent");
    problem->rank = ca_allocation_rank(&problem->spectrum, tol);
    if (decay > 0 && problem->rank > 0) {
        const double s = problem->spectrum.values[0];
        problem->ridge = decay / s / s;
    }
}

static struct ca_projector project(const struct problem *problem) {
    struct ca_projector projector;
    const enum ca_status status = ca_allocation_projector_new(
        problem->tall, &problem->spectrum, problem->rank, problem->ridge, &projector);
    if (status != CA_OK)
        ffi_stop(status, "computing an orthonormal basis of the tangent");
    return projector;
}

/* Returns list(answer, values, rank, parameters, norm): the answer, the singular values, the
 * rank, and for each kept parameter its effective capacity and the norm of its column (0 if it
 * was dropped). */
static SEXP result(const struct problem *problem, SEXP answer) {
    const char *names[] = {"answer", "values", "rank", "parameters", "norm", ""};
    const struct ca_spectrum *spectrum = &problem->spectrum;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP values = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)spectrum->n_values));
    SEXP parameters = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)problem->n_columns));
    SEXP norm = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)problem->n_columns));
    for (size_t i = 0; i < spectrum->n_values; i++)
        REAL(values)[i] = spectrum->values[i];
    for (size_t k = 0; k < problem->n_columns; k++)
        REAL(norm)[k] = spectrum->scale[k] > 0 ? spectrum->norm[k] : 0;
    ca_allocation_parameters(spectrum, problem->rank, problem->ridge, REAL(parameters));
    SET_VECTOR_ELT(out, 0, answer);
    SET_VECTOR_ELT(out, 1, values);
    SET_VECTOR_ELT(out, 2, Rf_ScalarInteger((int)problem->rank));
    SET_VECTOR_ELT(out, 3, parameters);
    SET_VECTOR_ELT(out, 4, norm);
    UNPROTECT(4); /* out, values, parameters, norm */
    return out;
}

/* Reads the group of each of n items, numbered from 1, and returns it numbered from 0; NULL for
 * no groups. Sets *n_groups. */
static const int *read_groups(SEXP group, size_t n, const char *what, int *n_groups) {
    *n_groups = 1;
    if (group == R_NilValue)
        return NULL;
    if (TYPEOF(group) != INTSXP || (size_t)XLENGTH(group) != n)
        ffi_bug(what);
    int *of = ca_ints(n);
    for (size_t k = 0; k < n; k++) {
        const int own = INTEGER(group)[k];
        if (own < 1 || (size_t)own > n)
            ffi_bug(what);
        of[k] = own - 1;
        if (own > *n_groups)
            *n_groups = own;
    }
    return of;
}

/* Sums of leverages: outputs x rows x groups of samples. */
struct sums {
    const struct problem *problem;
    const int *group; /* group of each sample, NULL for one group */
    size_t n_rows;
    double *sum;
};

static void take(void *context, size_t begin, size_t end, const double *leverage) {
    const struct sums *sums = context;
    const size_t own = sums->problem->graph.n_outputs * sums->n_rows;
    if (sums->problem->x == NULL) {
        for (size_t i = begin; i < end; i++)
            sums->sum[i] += leverage[i - begin];
        return;
    }
    const size_t b = (end - begin) / own, first = begin / own;
    for (size_t i = 0; i < end - begin; i++) {
        const size_t group = sums->group == NULL ? 0 : (size_t)sums->group[first + i % b];
        sums->sum[i / b + own * group] += leverage[i];
    }
}

/* Returns the list of result(), whose answer is the capacity of rows: (m n_rows) x groups of
 * samples, outputs fastest. what is a list: `turned` the rows to report, an orthogonal map of
 * the rows of the metric, or NULL for these, and `group` the group of each sample, or NULL. */
SEXP ffi_capacity(SEXP graph, SEXP theta, SEXP about, SEXP what) {
    struct problem problem;
    solve(&problem, graph, theta, about);
    size_t n_rows;
    int n_groups;
    SEXP metric = ffi_element(about, "rows"), turned = ffi_element(what, "turned");
    read_rows(metric, problem.n_coordinates, &n_rows);
    if (turned != R_NilValue) {
        size_t n_turned;
        const double *rows = read_rows(turned, problem.n_coordinates, &n_turned);
        if (n_turned != n_rows)
            ffi_bug("the rows of a partition");
        point_source(&problem, rows, n_rows);
    }
    struct sums sums = {.problem = &problem, .n_rows = n_rows};
    sums.group = read_groups(ffi_element(what, "group"), problem.n_samples,
                             "the groups of the samples", &n_groups);
    const int size = ffi_product(n_rows, problem.graph.n_outputs, "more rows than R can index");
    SEXP leverage = PROTECT(Rf_allocMatrix(REALSXP, size, n_groups));
    sums.sum = REAL(leverage);
    memset(sums.sum, 0, sizeof(double) * (size_t)size * (size_t)n_groups);
    struct ca_projector projector = project(&problem);
    ca_allocation_leverage(&projector, take, &sums);
    SEXP out = PROTECT(result(&problem, leverage));
    UNPROTECT(2); /* leverage, out */
    return out;
}

/* Returns the list of result(), whose answer is the capacity kernel between the coordinates
 * `at` (from 1, increasing), summed over samples. */
SEXP ffi_kernel(SEXP graph, SEXP theta, SEXP about, SEXP at) {
    struct problem problem;
    solve(&problem, graph, theta, about);
    const size_t m = problem.graph.n_outputs;
    const size_t n =
        problem.x == NULL ? problem.source.tangent.n_rows : problem.source.extended.n_rows;
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
    if (problem.x == NULL)
        ca_allocation_kernel(&projector, m, place, n_places, REAL(K));
    else
        ca_allocation_kernel_samples(&projector, n, place, n_places, REAL(K));
    SEXP out = PROTECT(result(&problem, K));
    UNPROTECT(2); /* K, out */
    return out;
}

/* Returns the list of result(), whose answer is the two-way capacity: rows x groups. `group`:
 * the number of the group of each kept parameter. */
SEXP ffi_two_way(SEXP graph, SEXP theta, SEXP about, SEXP group) {
    struct problem problem;
    solve(&problem, graph, theta, about);
    const size_t n =
        problem.x == NULL ? problem.source.tangent.n_rows : problem.source.extended.n_rows;
    int n_groups;
    if (group == R_NilValue)
        ffi_bug("the groups of a table");
    const int *of = read_groups(group, problem.n_columns, "the groups of a table", &n_groups);
    ffi_product(n, (size_t)n_groups, "a table beyond what R can index");
    SEXP T = PROTECT(Rf_allocMatrix(REALSXP, (int)n, n_groups));
    struct ca_projector projector = project(&problem);
    ca_allocation_two_way(&projector, n, of, (size_t)n_groups, REAL(T));
    SEXP out = PROTECT(result(&problem, T));
    UNPROTECT(2); /* T, out */
    return out;
}

/* Returns the tangent maps yhat ~ W x + b at samples x (N x n): m x (n + 1) N, for each sample
 * the n columns of W, then b. */
SEXP ffi_linearise(SEXP graph, SEXP theta, SEXP x) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    size_t n_samples;
    const double *samples = ffi_samples(x, &g, &n_samples);
    const int own = ffi_product(g.n_outputs, g.n_inputs + 1, "a tangent map");
    ffi_product((size_t)own, n_samples, "tangent maps beyond what R can index");
    SEXP out =
        PROTECT(Rf_allocMatrix(REALSXP, (int)g.n_outputs, (int)((g.n_inputs + 1) * n_samples)));
    const size_t block = n_samples < CA_LINEARISED_SAMPLES ? n_samples : CA_LINEARISED_SAMPLES;
    struct ca_extended extended =
        ca_extended_new(&g, th, samples, n_samples, NULL, 0, NULL, 0, block);
    for (size_t begin = 0, end; begin < n_samples; begin = end) {
        end = begin + block < n_samples ? begin + block : n_samples;
        ca_extended_linearise(&extended, begin, end, REAL(out) + (size_t)own * begin);
        R_CheckUserInterrupt();
    }
    UNPROTECT(1); /* out */
    return out;
}
