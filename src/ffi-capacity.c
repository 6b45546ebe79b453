#include "ffi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <R_ext/Utils.h>

#include "allocation.h"
#include "bounds.h"
#include "extended.h"
#include "transposed.h"
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
    int wants_parameters;
    /* Where J has fewer rows than columns its transpose is allocated: `tall` and `spectrum` are
     * those of the transpose. */
    int is_wide;
    size_t n_rows;     /* of J */
    size_t block;      /* rows of J in a block */
    size_t n_together; /* columns of J in a block, of the transpose */
    struct ca_transposed transposed;
    size_t *first;  /* first column of each block of columns */
    long *selected; /* n_nodes: `column` for the current block of columns */
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

/* --- fewer rows than columns -------------------------------------------------------------- */

/* Makes the columns of block b those that the source computes. */
static void select_columns(void *context, size_t b) {
    struct problem *problem = context;
    struct source *source = &problem->source;
    const long begin = (long)problem->first[b], end = (long)problem->first[b + 1];
    for (int node = 0; node < problem->graph.n_nodes; node++) {
        const long at = problem->column[node];
        problem->selected[node] = at >= begin && at < end ? at - begin : -1;
    }
    source->n_columns = (size_t)(end - begin);
    source->tangent.n_columns = source->extended.n_columns = source->n_columns;
    source->tangent.column = source->extended.column = problem->selected;
}

/* Divides the columns into blocks of at most `most` columns, or of one slice of theta where
 * that has more. Slices of theta are not divided, and operations that share a slice are in the
 * same block. Sets `first` and returns the number of blocks. */
static size_t divide_columns(struct problem *problem, size_t most) {
    const struct ca_graph *graph = &problem->graph;
    const size_t p = problem->n_columns;
    int *inside = ca_ints(p + 1); /* changes of the number of slices around a boundary */
    memset(inside, 0, sizeof(int) * (p + 1));
    for (int node = 0; node < graph->n_nodes; node++)
        if (problem->column[node] >= 0) {
            inside[problem->column[node] + 1]++;
            inside[(size_t)problem->column[node] + graph->op[node].n_theta]--;
        }
    problem->first = ca_sizes(p + 1);
    size_t n_blocks = 0, last = 0; /* last: the last boundary that was seen */
    int around = 0;
    problem->first[0] = 0;
    for (size_t k = 1; k <= p; k++) {
        around += inside[k];
        if (around > 0)
            continue;
        if (k - problem->first[n_blocks] > most && last > problem->first[n_blocks])
            problem->first[++n_blocks] = last;
        last = k;
    }
    problem->first[++n_blocks] = p;
    return n_blocks;
}

/* Computes the spectrum of the transpose. The rows of J keep their norms, and none is dropped
 * unless it is zero. group: see struct ca_transposed. */
static enum ca_status solve_wide(struct problem *problem, const struct ca_columns *columns,
                                 const int *group) {
    const size_t n = problem->n_rows, p = problem->n_columns;
    const size_t most = problem->n_together;
    const size_t block = most < p ? most : p; /* columns of J, rows of the transpose */
    ffi_product(block + n, n + 1, "a tangent with more rows than LAPACK can index");
    problem->selected = ca_bytes((size_t)problem->graph.n_nodes, sizeof(long));
    const struct ca_column_blocks blocks = {.n_blocks = divide_columns(problem, most),
                                            .first = problem->first,
                                            .select = select_columns,
                                            .context = problem};
    problem->transposed = ca_transposed_new(problem->tall.rows, blocks, problem->block, group);
    const enum ca_status status = ca_transposed_scale(&problem->transposed, columns);
    if (status != CA_OK)
        return status;
    problem->tall = ca_allocation_tall_new(ca_transposed_rows(&problem->transposed), n, block);
    struct ca_columns rows = {.n_arrays = (int)n, .unscaled = 1};
    int *each = ca_ints(n);
    for (size_t i = 0; i < n; i++)
        each[i] = (int)i;
    rows.array = each;
    return ca_allocation_spectrum(&problem->tall, &rows, INFINITY, &problem->spectrum);
}

/* --- every allocation --------------------------------------------------------------------- */

/* Reads a logical vector with TRUE for each kept column that is dropped; NULL for none. */
static const int *read_left_out(SEXP left_out, size_t n_columns) {
    if (left_out == R_NilValue)
        return NULL;
    if (TYPEOF(left_out) != LGLSXP || (size_t)XLENGTH(left_out) != n_columns)
        ffi_bug("the columns that are left out");
    return LOGICAL(left_out);
}

static enum ca_status solve_tall(struct problem *problem, const struct ca_columns *columns,
                                 double tol, double decay) {
    const int by_itself = problem->ridge > 0 || decay > 0;
    ffi_product(problem->block + problem->n_columns, problem->n_columns + 1,
                "a block of rows beyond what LAPACK can index");
    problem->tall =
        ca_allocation_tall_new(problem->tall.rows, problem->n_columns, problem->block);
    return ca_allocation_spectrum(&problem->tall, columns, by_itself ? INFINITY : tol,
                                  &problem->spectrum);
}

/* Reads the rows of a partition, as many as those of the metric. */
static const double *read_turned(SEXP turned, const struct problem *problem, size_t n_rows) {
    size_t n_turned;
    const double *rows = read_rows(turned, problem->n_coordinates, &n_turned);
    if (n_turned != n_rows)
        ffi_bug("the rows of a partition");
    return rows;
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
 *   block     number of coordinates, or samples, in a block
 *   parameters  whether the capacity of each parameter is returned
 *   columns   number of columns in a block, where J has fewer rows than columns
 * turned: rows of a partition, or NULL, which replace those of the metric if the transpose is
 * allocated. group: see struct ca_transposed. */
static void solve(struct problem *problem, SEXP graph, SEXP theta, SEXP about, SEXP turned,
                  const int *group) {
    *problem = (struct problem){.graph = ffi_graph(graph)};
    const struct ca_graph *g = &problem->graph;
    problem->theta = ffi_theta(theta, g);
    const int *arrays = read_arrays(ffi_element(about, "array"), g);
    const double tol = ffi_number(ffi_element(about, "tol"), "tol");
    const double decay = ffi_number(ffi_element(about, "decay"), "decay");
    const double asked = ffi_number(ffi_element(about, "block"), "block");
    const double together = ffi_number(ffi_element(about, "columns"), "columns");
    problem->ridge = ffi_number(ffi_element(about, "ridge"), "ridge");
    if (!(tol >= 0) || !(problem->ridge >= 0) || !(decay >= 0) ||
        !(asked >= 1 && asked <= INT_MAX) || !(together >= 1 && together <= INT_MAX))
        ffi_bug("the options of an allocation");
    problem->n_together = (size_t)together;
    SEXP wanted = ffi_element(about, "parameters");
    if (TYPEOF(wanted) != LGLSXP || XLENGTH(wanted) != 1)
        ffi_bug("the options of an allocation");
    problem->wants_parameters = LOGICAL(wanted)[0] == TRUE;
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
    problem->block = (size_t)ffi_product(problem->asked, own, "a block of rows");
    problem->n_rows = (problem->x == NULL ? 1 : problem->n_samples) * g->n_outputs * n_rows;
    problem->is_wide = problem->n_rows > 0 && problem->n_rows < problem->n_columns;
    problem->source.m = g->n_outputs;
    problem->source.n_columns = problem->n_columns;
    if (ffi_element(about, "contrast") != R_NilValue) {
        problem->source.contrast = ffi_matrix(ffi_element(about, "contrast"), g->n_outputs,
                                              g->n_outputs, "the contrasts of the outputs");
        problem->source.outputs =
            ca_doubles(g->n_outputs * (problem->x == NULL ? 1 : problem->asked));
    }
    if (problem->is_wide && turned != R_NilValue)
        rows = read_turned(turned, problem, n_rows);
    point_source(problem, rows, n_rows);
    const enum ca_status status = problem->is_wide ? solve_wide(problem, &columns, group)
                                                   : solve_tall(problem, &columns, tol, decay);
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

static void take_parameters(void *context, size_t begin, size_t end, const double *leverage) {
    memcpy((double *)context + begin, leverage, sizeof(double) * (end - begin));
}

/* The effective capacity of every kept parameter: those of the columns of J. */
static SEXP parameters(const struct problem *problem) {
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)problem->n_columns));
    if (problem->is_wide) {
        struct ca_projector projector = project(problem);
        ca_allocation_leverage(&projector, take_parameters, REAL(out));
    } else {
        ca_allocation_parameters(&problem->spectrum, problem->rank, problem->ridge, REAL(out));
    }
    UNPROTECT(1); /* out */
    return out;
}

/* The norm of the column of each kept parameter, 0 if it was dropped. */
static SEXP column_norms(const struct problem *problem) {
    const double *norm = problem->is_wide ? problem->transposed.norm : problem->spectrum.norm;
    const double *scale =
        problem->is_wide ? problem->transposed.scale : problem->spectrum.scale;
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)problem->n_columns));
    for (size_t k = 0; k < problem->n_columns; k++)
        REAL(out)[k] = scale[k] > 0 ? norm[k] : 0;
    UNPROTECT(1); /* out */
    return out;
}

/* Returns list(answer, values, rank, total, parameters, norm): the answer, the singular values,
 * the rank, the sum of the weights of all directions, and the results of parameters(), NULL if
 * they are not wanted, and of column_norms(). */
static SEXP result(const struct problem *problem, SEXP answer) {
    const char *names[] = {"answer", "values", "rank", "total", "parameters", "norm", ""};
    const struct ca_spectrum *spectrum = &problem->spectrum;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP values = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)spectrum->n_values));
    for (size_t i = 0; i < spectrum->n_values; i++)
        REAL(values)[i] = spectrum->values[i];
    SET_VECTOR_ELT(out, 0, answer);
    SET_VECTOR_ELT(out, 1, values);
    SET_VECTOR_ELT(out, 2, Rf_ScalarInteger((int)problem->rank));
    SET_VECTOR_ELT(out, 3,
                   Rf_ScalarReal(ca_allocation_total(spectrum, problem->rank, problem->ridge)));
    if (problem->wants_parameters)
        SET_VECTOR_ELT(out, 4, parameters(problem));
    SET_VECTOR_ELT(out, 5, column_norms(problem));
    UNPROTECT(2); /* out, values */
    return out;
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

/* Passes the leverages of the rows of J to take(), in its blocks: they are the capacities of
 * the columns of the transpose. */
static void take_rows(const struct problem *problem, struct sums *sums) {
    const size_t n = problem->n_rows;
    double *leverage = ca_doubles(n);
    ca_allocation_parameters(&problem->spectrum, problem->rank, problem->ridge, leverage);
    for (size_t begin = 0, end; begin < n; begin = end) {
        end = begin + problem->block < n ? begin + problem->block : n;
        take(sums, begin, end, leverage + begin);
    }
}

/* Returns the list of result(), whose answer is the capacity of rows: (m n_rows) x groups of
 * samples, outputs fastest. what is a list: `turned` the rows to report, an orthogonal map of
 * the rows of the metric, or NULL for these, and `group` the group of each sample, or NULL. */
SEXP ffi_capacity(SEXP graph, SEXP theta, SEXP about, SEXP what) {
    struct problem problem;
    SEXP metric = ffi_element(about, "rows"), turned = ffi_element(what, "turned");
    solve(&problem, graph, theta, about, turned, NULL);
    size_t n_rows;
    int n_groups;
    read_rows(metric, problem.n_coordinates, &n_rows);
    if (turned != R_NilValue && !problem.is_wide)
        point_source(&problem, read_turned(turned, &problem, n_rows), n_rows);
    struct sums sums = {.problem = &problem, .n_rows = n_rows};
    sums.group = read_groups(ffi_element(what, "group"), problem.n_samples,
                             "the groups of the samples", &n_groups);
    const int size = ffi_product(n_rows, problem.graph.n_outputs, "more rows than R can index");
    SEXP leverage = PROTECT(Rf_allocMatrix(REALSXP, size, n_groups));
    sums.sum = REAL(leverage);
    memset(sums.sum, 0, sizeof(double) * (size_t)size * (size_t)n_groups);
    if (problem.is_wide) {
        take_rows(&problem, &sums);
    } else {
        struct ca_projector projector = project(&problem);
        ca_allocation_leverage(&projector, take, &sums);
    }
    SEXP out = PROTECT(result(&problem, leverage));
    UNPROTECT(2); /* leverage, out */
    return out;
}

/* Number of coordinates, or of rows of the metric, of each output and sample. */
static size_t n_coordinate_rows(const struct problem *problem) {
    return problem->x == NULL ? problem->source.tangent.n_rows
                              : problem->source.extended.n_rows;
}

/* The coordinate of every row of J (n_rows). */
static int *row_coordinates(const struct problem *problem) {
    const struct ca_rows_source *rows = &problem->transposed.rows;
    int *of = ca_ints(problem->n_rows);
    for (size_t begin = 0, end; begin < problem->n_rows; begin = end) {
        end =
            begin + problem->block < problem->n_rows ? begin + problem->block : problem->n_rows;
        for (size_t i = begin; i < end; i++)
            of[i] = (int)rows->coordinate(rows->context, begin, end, i - begin);
    }
    return of;
}

/* Returns the list of result(), whose answer is the capacity kernel between the coordinates
 * `at` (from 1, increasing), summed over samples. */
SEXP ffi_kernel(SEXP graph, SEXP theta, SEXP about, SEXP at) {
    struct problem problem;
    solve(&problem, graph, theta, about, R_NilValue, NULL);
    const size_t m = problem.graph.n_outputs;
    const size_t n = n_coordinate_rows(&problem);
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
    if (problem.is_wide) {
        ca_allocation_kernel_columns(&problem.spectrum, problem.rank, problem.ridge,
                                     row_coordinates(&problem), n, place, n_places, REAL(K));
    } else {
        struct ca_projector projector = project(&problem);
        if (problem.x == NULL)
            ca_allocation_kernel(&projector, m, place, n_places, REAL(K));
        else
            ca_allocation_kernel_samples(&projector, n, place, n_places, REAL(K));
    }
    SEXP out = PROTECT(result(&problem, K));
    UNPROTECT(2); /* K, out */
    return out;
}

/* Returns the list of result(), whose answer is the two-way capacity: rows x groups. `group`:
 * the number of the group of each kept parameter. */
SEXP ffi_two_way(SEXP graph, SEXP theta, SEXP about, SEXP group) {
    struct problem problem;
    int n_groups;
    if (TYPEOF(group) != INTSXP)
        ffi_bug("the groups of a table");
    const int *of =
        read_groups(group, (size_t)XLENGTH(group), "the groups of a table", &n_groups);
    solve(&problem, graph, theta, about, R_NilValue, of);
    if ((size_t)XLENGTH(group) != problem.n_columns)
        ffi_bug("the groups of a table");
    const size_t n = n_coordinate_rows(&problem);
    ffi_product(n, (size_t)n_groups, "a table beyond what R can index");
    SEXP T = PROTECT(Rf_allocMatrix(REALSXP, (int)n, n_groups));
    struct ca_projector projector = project(&problem);
    if (problem.is_wide) {
        /* the table of the transpose is the transpose of the table */
        double *turned = ca_doubles(n * (size_t)n_groups);
        ca_allocation_two_way(&projector, (size_t)n_groups, row_coordinates(&problem), n,
                              turned);
        for (size_t j = 0; j < n; j++)
            for (size_t g = 0; g < (size_t)n_groups; g++)
                REAL(T)[j + n * g] = turned[g + (size_t)n_groups * j];
    } else {
        ca_allocation_two_way(&projector, n, of, (size_t)n_groups, REAL(T));
    }
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

/* Returns d yhat / d theta at samples x (N x n): (m N) x p, row o + m s. */
SEXP ffi_gradients(SEXP graph, SEXP theta, SEXP x) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    size_t n_samples;
    const double *samples = ffi_samples(x, &g, &n_samples);
    const size_t m = g.n_outputs, p = g.n_params;
    const int rows = ffi_product(m, n_samples, "a tangent beyond what R can index");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, rows, (int)p));
    const size_t most = n_samples < CA_LINEARISED_SAMPLES ? n_samples : CA_LINEARISED_SAMPLES;
    double *block = ca_doubles(most * m * p);
    struct ca_extended extended =
        ca_extended_new(&g, th, samples, n_samples, NULL, 0, ffi_all_columns(&g), p, most);
    for (size_t begin = 0, end; begin < n_samples; begin = end) {
        end = begin + most < n_samples ? begin + most : n_samples;
        const size_t b = end - begin;
        ca_extended_gradients(&extended, begin, end, block, (int)(b * m));
        for (size_t k = 0; k < p; k++) {
            double *column = REAL(out) + (size_t)rows * k + m * begin;
            for (size_t o = 0; o < m; o++)
                for (size_t s = 0; s < b; s++)
                    column[o + m * s] = block[s + b * o + b * m * k];
        }
        R_CheckUserInterrupt();
    }
    UNPROTECT(1); /* out */
    return out;
}
