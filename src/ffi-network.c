#include "ffi.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "jet.h"
#include "workspace.h"

/* --- errors ------------------------------------------------------------------------------ */

/* The R function stop_core() raises the condition. It does not return, so Rf_error() is not
 * reached. */
void ffi_stop(enum ca_status status, const char *what) {
    SEXP name = PROTECT(Rf_mkString("capalloc"));
    SEXP namespace = PROTECT(R_FindNamespace(name));
    SEXP code = PROTECT(Rf_ScalarInteger((int)status));
    SEXP text = PROTECT(Rf_mkString(what));
    SEXP call = PROTECT(Rf_lang3(Rf_install("stop_core"), code, text));
    Rf_eval(call, namespace);
    UNPROTECT(5); /* name, namespace, code, text, call */
    Rf_error("capalloc: %s", what);
}

void ffi_bug(const char *what) {
    ffi_stop(CA_BAD_GRAPH, what);
}

int ffi_product(size_t a, size_t b, const char *what) {
    if (b != 0 && a > (size_t)INT_MAX / b)
        ffi_stop(CA_TOO_LARGE, what);
    return (int)(a * b);
}

/* --- reading R objects ------------------------------------------------------------------- */

SEXP ffi_element(SEXP list, const char *name) {
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    if (TYPEOF(list) != VECSXP || TYPEOF(names) != STRSXP)
        return R_NilValue;
    for (R_xlen_t i = 0; i < XLENGTH(list); i++)
        if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0)
            return VECTOR_ELT(list, i);
    return R_NilValue;
}

static int whole(double x, const char *what) {
    if (!(x >= -INT_MAX && x <= INT_MAX) || x != floor(x))
        ffi_bug(what);
    return (int)x;
}

/* Whole numbers, from an integer or double vector of this length (-1: any length). */
static const int *integers(SEXP x, R_xlen_t length, const char *what) {
    if (TYPEOF(x) != INTSXP && TYPEOF(x) != REALSXP)
        ffi_bug(what);
    const R_xlen_t n = XLENGTH(x);
    if ((length >= 0 && n != length) || n > INT_MAX)
        ffi_bug(what);
    int *out = ca_ints((size_t)n);
    for (R_xlen_t i = 0; i < n; i++) {
        if (TYPEOF(x) == INTSXP && INTEGER(x)[i] == NA_INTEGER)
            ffi_bug(what);
        out[i] = TYPEOF(x) == INTSXP ? INTEGER(x)[i] : whole(REAL(x)[i], what);
    }
    return out;
}

static const double *reals(SEXP x, R_xlen_t length, const char *what) {
    if (TYPEOF(x) != REALSXP || XLENGTH(x) != length)
        ffi_bug(what);
    for (R_xlen_t i = 0; i < length; i++)
        if (!isfinite(REAL(x)[i]))
            ffi_bug(what);
    return REAL(x);
}

double ffi_number(SEXP x, const char *what) {
    return *reals(x, 1, what);
}

const double *ffi_matrix(SEXP x, size_t nrow, size_t ncol, const char *what) {
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    if (TYPEOF(x) != REALSXP || TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2)
        ffi_bug(what);
    if ((size_t)INTEGER(dim)[0] != nrow || (size_t)INTEGER(dim)[1] != ncol)
        ffi_bug(what);
    return reals(x, XLENGTH(x), what);
}

const double *ffi_row_weights(SEXP x, size_t n) {
    if (x == R_NilValue)
        return NULL;
    const double *weight = ffi_matrix(x, n, 1, "the weights of rows");
    for (size_t i = 0; i < n; i++)
        if (!(weight[i] > 0))
            ffi_bug("the weights of rows");
    return weight;
}

static struct ca_shape shape(SEXP x) {
    const int *d = integers(x, 3, "a shape");
    return (struct ca_shape){d[0], d[1], d[2]};
}

static struct ca_window window(SEXP x) {
    const int *d = integers(x, 10, "a window");
    return (struct ca_window){
        {d[0], d[1]}, {d[2], d[3]}, {d[4], d[5]}, {d[6], d[7]}, {d[8], d[9]}};
}

static int flag(SEXP x, const char *what) {
    if (TYPEOF(x) != LGLSXP || XLENGTH(x) != 1 || LOGICAL(x)[0] == NA_LOGICAL)
        ffi_bug(what);
    return LOGICAL(x)[0] != 0;
}

static size_t slice(SEXP x) {
    const double first = ffi_number(x, "a slice of theta");
    if (first > INT_MAX)
        ffi_stop(CA_TOO_LARGE, "more parameters than can be indexed");
    if (!(first >= 0))
        ffi_bug("a slice of theta");
    return (size_t)first;
}

/* Reads a name and returns its number by `number`, which is negative for unknown names. */
static int named(SEXP x, int (*number)(const char *), const char *what) {
    if (TYPEOF(x) != STRSXP || XLENGTH(x) != 1 || STRING_ELT(x, 0) == NA_STRING)
        ffi_bug(what);
    const int found = number(CHAR(STRING_ELT(x, 0)));
    if (found < 0)
        ffi_bug(what);
    return found;
}

static void read_op(SEXP x, struct ca_op *op) {
    SEXP from = ffi_element(x, "from");
    op->kind =
        (enum ca_op_kind)named(ffi_element(x, "kind"), ca_op_kind, "the kind of an operation");
    op->from = integers(from, -1, "the inputs of an operation");
    op->n_from = (int)XLENGTH(from);
    op->shape = shape(ffi_element(x, "shape"));
    op->window = window(ffi_element(x, "window"));
    op->groups = *integers(ffi_element(x, "groups"), 1, "groups");
    op->shared = flag(ffi_element(x, "shared"), "the flag for shared theta");
    op->theta = slice(ffi_element(x, "theta"));
    op->loop = *integers(ffi_element(x, "loop"), 1, "a loop");
    const struct ca_op_row *row = ca_op_row(op->kind);
    op->scale = reals(ffi_element(x, "scale"), row->sums ? op->n_from : 1, "a scale");
    op->phi = row->activation ? named(ffi_element(x, "phi"), ca_phi_kind, "an activation") : 0;
}

struct ca_graph ffi_graph(SEXP x) {
    SEXP ops = ffi_element(x, "ops");
    if (TYPEOF(ops) != VECSXP || XLENGTH(ops) >= CA_MOST_OPS)
        ffi_bug("the operations of a network");
    struct ca_graph graph = {.n_nodes = (int)XLENGTH(ops) + 1};
    graph.op = ca_bytes((size_t)graph.n_nodes, sizeof(struct ca_op));
    memset(graph.op, 0, sizeof(struct ca_op) * (size_t)graph.n_nodes);
    graph.op[0].shape = shape(ffi_element(x, "input")); /* kind 0 is the input */
    for (int i = 1; i < graph.n_nodes; i++)
        read_op(VECTOR_ELT(ops, i - 1), &graph.op[i]);
    graph.output = *integers(ffi_element(x, "output"), 1, "the output of a network");
    graph.n_params = slice(ffi_element(x, "n_params"));
    const char *why = "";
    int where = 0;
    const enum ca_status status = ca_graph_build(&graph, &why, &where);
    if (status != CA_OK) {
        char text[128];
        snprintf(text, sizeof text, "operation %d has %s", where, why);
        ffi_stop(status, text);
    }
    return graph;
}

struct ca_graph ffi_linear_graph(SEXP x) {
    const struct ca_graph graph = ffi_graph(x);
    if (!graph.is_linear)
        ffi_bug("a nonlinear operation");
    return graph;
}

const double *ffi_theta(SEXP theta, const struct ca_graph *graph) {
    return reals(theta, (R_xlen_t)graph->n_params, "the coefficients");
}

const long *ffi_all_columns(const struct ca_graph *graph) {
    long *column = ca_bytes((size_t)graph->n_nodes, sizeof(long));
    for (int node = 0; node < graph->n_nodes; node++)
        column[node] = (long)graph->op[node].theta;
    return column;
}

/* --- routines ---------------------------------------------------------------------------- */

/* Returns the table of operations, a list of columns with a row for each kind
 * (R/net-operations.R). */
SEXP ffi_operations(void) {
    const char *names[] = {"name",  "linear",   "gate",       "homogeneous",
                           "theta", "constant", "multiplies", "mixes",
                           "sums",  "windowed", "activation", ""};
    enum { COLUMNS = sizeof names / sizeof *names - 1 };
    const int n = ca_op_count();
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_allocVector(STRSXP, n));
    for (int i = 1; i < COLUMNS; i++)
        SET_VECTOR_ELT(out, i, Rf_allocVector(LGLSXP, n));
    for (int kind = 0; kind < n; kind++) {
        const struct ca_op_row *row = ca_op_row((enum ca_op_kind)kind);
        const bool flags[COLUMNS - 1] = {ca_op_is_linear(row), !ca_op_is_linear(row),
                                         !row->inhomogeneous,  row->block != NULL,
                                         row->constant,        row->multiplies,
                                         row->mixes,           row->sums,
                                         row->windowed,        row->activation};
        SET_STRING_ELT(VECTOR_ELT(out, 0), kind, Rf_mkChar(row->name));
        for (int i = 1; i < COLUMNS; i++)
            LOGICAL(VECTOR_ELT(out, i))[kind] = flags[i - 1];
    }
    UNPROTECT(1); /* out */
    return out;
}

/* Returns the effective weights: m x n, with a last column for the constant if the network has
 * a bias. */
SEXP ffi_weights(SEXP graph, SEXP theta) {
    const struct ca_graph g = ffi_linear_graph(graph);
    const double *th = ffi_theta(theta, &g);
    struct ca_pass back = ca_pass_new(&g);
    ca_pass_plan_outputs(&back);
    back.value = ca_doubles(back.size);
    ca_pass_backward(&back, th);
    ffi_product(g.n_outputs, ca_coordinates(&g), "effective weights beyond what R can index");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)g.n_outputs, (int)ca_coordinates(&g)));
    ca_tangent_weights(&back, th, REAL(out));
    UNPROTECT(1); /* out */
    return out;
}

/* Returns the outputs (N x m) for inputs x (N x n), computed in blocks of rows. */
SEXP ffi_predict(SEXP graph, SEXP theta, SEXP x) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2)
        ffi_bug("the rows to predict");
    const int n_rows = INTEGER(dim)[0],
              block = n_rows < CA_PREDICTED_ROWS ? n_rows : CA_PREDICTED_ROWS;
    const double *from = ffi_matrix(x, (size_t)n_rows, g.n_inputs, "the rows to predict");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, n_rows, (int)g.n_outputs));
    struct ca_jet jet = ca_jet_new(&g, block);
    const struct ca_op *output = &g.op[g.output];
    for (int begin = 0; begin < n_rows; begin += block) {
        const int count = n_rows - begin < block ? n_rows - begin : block;
        ca_jet_at(&jet, th, from + begin, (size_t)n_rows, count);
        for (int u = 0; u < output->positions; u++) {
            const double *value = ca_at(&jet.X, g.first[g.output] + (size_t)u);
            for (int c = 0; c < output->shape.channels; c++)
                memcpy(REAL(out) + begin +
                           (size_t)(u * output->shape.channels + c) * (size_t)n_rows,
                       value + (size_t)c * (size_t)count, sizeof(double) * (size_t)count);
        }
        R_CheckUserInterrupt();
    }
    UNPROTECT(1); /* out */
    return out;
}

/* Returns the tangent J: (m n) x p, with output-fastest rows o + m j. */
SEXP ffi_tangent(SEXP graph, SEXP theta) {
    const struct ca_graph g = ffi_linear_graph(graph);
    const double *th = ffi_theta(theta, &g);
    const size_t coordinates = ca_coordinates(&g);
    const int rows = ffi_product(g.n_outputs, coordinates, "a tangent beyond what R can index");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, rows, (int)g.n_params));
    ca_large(REAL(out), sizeof(double) * (size_t)rows * g.n_params);
    struct ca_tangent tangent =
        ca_tangent_new(&g, NULL, 0, ffi_all_columns(&g), g.n_params, coordinates);
    ca_tangent_at(&tangent, th);
    ca_tangent_fill(&tangent, 0, coordinates, REAL(out), rows);
    UNPROTECT(1); /* out */
    return out;
}

/* Returns the rows and columns of the input that each output position depends on: a matrix (4 x
 * positions) of the first row, last row, first column and last column, from 1; NA where it
 * depends on none. */
SEXP ffi_reach(SEXP graph) {
    const struct ca_graph g = ffi_graph(graph);
    const struct ca_box *box = ca_graph_reach(&g);
    const int positions = g.op[g.output].positions;
    SEXP out = PROTECT(Rf_allocMatrix(INTSXP, 4, positions));
    for (int u = 0; u < positions; u++) {
        const struct ca_box at = box[g.first[g.output] + (size_t)u];
        for (int d = 0; d < 2; d++) {
            const int any = at.hi[d] > at.lo[d];
            INTEGER(out)[4 * u + 2 * d] = any ? at.lo[d] + 1 : NA_INTEGER;
            INTEGER(out)[4 * u + 2 * d + 1] = any ? at.hi[d] : NA_INTEGER;
        }
    }
    UNPROTECT(1); /* out */
    return out;
}
