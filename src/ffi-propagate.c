#include "ffi.h"

#include <math.h>
#include <string.h>

#include "gate.h"
#include "propagate.h"
#include "workspace.h"

static bool has_product(const struct ca_graph *graph) {
    for (int node = 1; node < graph->n_nodes; node++)
        if (graph->op[node].kind == CA_OP_PRODUCT)
            return true;
    return false;
}

/* Where it starts: list(outputs, slice), the capacity of every output, or the first parameter
 * (from 0) and the number of parameters that have capacity 1 each. */
static void start_flow(struct ca_flow *flow, SEXP start) {
    const struct ca_graph *g = flow->graph;
    SEXP outputs = ffi_element(start, "outputs"), slice = ffi_element(start, "slice");
    if (outputs != R_NilValue) {
        if (TYPEOF(outputs) != REALSXP || (size_t)XLENGTH(outputs) != g->n_outputs)
            ffi_bug("the capacity of the outputs");
        double *kappa = flow->capacity + flow->unit[g->first[g->output]];
        for (size_t i = 0; i < g->n_outputs; i++) {
            if (!(REAL(outputs)[i] >= 0) || !isfinite(REAL(outputs)[i]))
                ffi_bug("the capacity of the outputs");
            kappa[i] = REAL(outputs)[i];
        }
        return;
    }
    if (TYPEOF(slice) != REALSXP || XLENGTH(slice) != 2)
        ffi_bug("where capacity starts");
    const double first = REAL(slice)[0], count = REAL(slice)[1], p = (double)g->n_params;
    if (!(first >= 0 && count >= 1 && first <= p && count <= p - first))
        ffi_bug("where capacity starts");
    const enum ca_status status = ca_flow_start(flow, (size_t)first, (size_t)(first + count));
    if (status != CA_OK)
        ffi_stop(status, "the squared sensitivities of the units");
}

/* Nodes of a graph that do not decrease. */
static void check_levels(SEXP levels, const struct ca_graph *graph) {
    if (TYPEOF(levels) != INTSXP)
        ffi_bug("the levels of a flow");
    for (R_xlen_t i = 0; i < XLENGTH(levels); i++) {
        const int node = INTEGER(levels)[i];
        if (node < 0 || node >= graph->n_nodes || (i > 0 && node < INTEGER(levels)[i - 1]))
            ffi_bug("the levels of a flow");
    }
}

/* Capacity by the Markov rule. gate: mean squared gains of all non-linear operations, in their
 * order (channels, taps, positions); levels: nodes whose capacities are wanted. list(units,
 * constant, lost): capacities of each level, and what went to the (Intercept) or was lost above
 * it. */
SEXP ffi_flow(SEXP graph, SEXP theta, SEXP gate, SEXP start, SEXP levels) {
    const struct ca_graph g = ffi_graph(graph);
    if (has_product(&g))
        ffi_bug("a product");
    struct ca_flow flow = ca_flow_new(&g, ffi_theta(theta, &g));
    if (TYPEOF(gate) != REALSXP || (size_t)XLENGTH(gate) != flow.n_gates)
        ffi_bug("the gains of the non-linear operations");
    for (size_t i = 0; i < flow.n_gates; i++)
        if (!(REAL(gate)[i] >= 0) || !isfinite(REAL(gate)[i]))
            ffi_bug("the gains of the non-linear operations");
    flow.gate = REAL(gate);
    check_levels(levels, &g);
    const size_t n_levels = (size_t)XLENGTH(levels);
    const char *names[] = {"units", "constant", "lost", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_allocVector(VECSXP, (R_xlen_t)n_levels));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, (R_xlen_t)n_levels));
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, (R_xlen_t)n_levels));
    struct ca_level *level = ca_bytes(n_levels, sizeof(struct ca_level));
    for (size_t i = 0; i < n_levels; i++) {
        const int node = INTEGER(levels)[i];
        SEXP units = Rf_allocVector(REALSXP, (R_xlen_t)ca_units(&g.op[node]));
        SET_VECTOR_ELT(VECTOR_ELT(out, 0), (R_xlen_t)i, units);
        level[i] = (struct ca_level){.node = node, .units = REAL(units)};
    }
    start_flow(&flow, start);
    const enum ca_status status = ca_flow_run(&flow, level, n_levels);
    if (status != CA_OK)
        ffi_stop(status, "the squared gain of a branch");
    for (size_t i = 0; i < n_levels; i++) {
        REAL(VECTOR_ELT(out, 1))[i] = level[i].constant;
        REAL(VECTOR_ELT(out, 2))[i] = level[i].lost;
    }
    UNPROTECT(1); /* out */
    return out;
}

/* An activation and its slope at points u: list(value, slope). */
SEXP ffi_phi(SEXP name, SEXP parameter, SEXP u) {
    if (TYPEOF(name) != STRSXP || XLENGTH(name) != 1 || TYPEOF(u) != REALSXP)
        ffi_bug("an activation");
    const int kind = ca_phi_kind(CHAR(STRING_ELT(name, 0)));
    if (kind < 0)
        ffi_bug("an activation");
    const double a = ffi_number(parameter, "the parameter of an activation");
    const char *names[] = {"value", "slope", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP curve = PROTECT(Rf_allocVector(REALSXP, XLENGTH(u)));
    for (int i = 0; i < 2; i++)
        SET_VECTOR_ELT(out, i, Rf_allocVector(REALSXP, XLENGTH(u)));
    ca_phi(kind, a, (size_t)XLENGTH(u), REAL(u), REAL(VECTOR_ELT(out, 0)),
           REAL(VECTOR_ELT(out, 1)), REAL(curve));
    UNPROTECT(2); /* out, curve */
    return out;
}

/* --- samples of gates -------------------------------------------------------------------- */

/* Visits all rows of x (N x n) in blocks. */
struct samples {
    struct ca_graph graph;
    struct ca_jet jet;
    const double *theta, *x;
    int n_rows, block;
};

static struct samples read_rows_of(SEXP graph, SEXP theta, SEXP x) {
    struct samples s = {.graph = ffi_graph(graph)};
    s.theta = ffi_theta(theta, &s.graph);
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2 || INTEGER(dim)[0] < 1)
        ffi_bug("the samples of gates");
    s.n_rows = INTEGER(dim)[0];
    /* about 64 MB for the values of all units */
    double units = 1;
    for (int node = 0; node < s.graph.n_nodes; node++)
        units += (double)ca_units(&s.graph.op[node]);
    const double most = (double)(1 << 23) / units;
    s.block = most < 1 ? 1 : most < 256 ? (int)most : 256;
    s.block = s.n_rows < s.block ? s.n_rows : s.block;
    s.x = ffi_matrix(x, (size_t)s.n_rows, s.graph.n_inputs, "the samples of gates");
    return s;
}

/* Mean square of every gate over samples x (N x n). */
SEXP ffi_gate_squares(SEXP graph, SEXP theta, SEXP x) {
    struct samples s = read_rows_of(graph, theta, x);
    size_t n_gates;
    const size_t *first = ca_gate_first(&s.graph, &n_gates);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)n_gates));
    double *square = REAL(out);
    memset(square, 0, sizeof(double) * n_gates);
    s.jet = ca_jet_new(&s.graph, s.block);
    for (int begin = 0; begin < s.n_rows; begin += s.block) {
        const int left = s.n_rows - begin;
        ca_jet_at(&s.jet, s.theta, s.x + begin, (size_t)s.n_rows,
                  left < s.block ? left : s.block);
        ca_gate_squares(&s.jet, first, square);
        R_CheckUserInterrupt();
    }
    for (size_t i = 0; i < n_gates; i++)
        square[i] /= s.n_rows;
    UNPROTECT(1); /* out */
    return out;
}

static const int *read_blocks(SEXP blocks, const struct ca_graph *graph) {
    if (TYPEOF(blocks) != INTSXP)
        ffi_bug("the blocks of a graph");
    for (R_xlen_t i = 0; i < XLENGTH(blocks); i++) {
        const int b = INTEGER(blocks)[i];
        if (b < 0 || (size_t)b > graph->n_steps)
            ffi_bug("the blocks of a graph");
    }
    return INTEGER(blocks);
}

/* The gates of non-linear steps at samples x: N x gates (channels, positions, taps, steps), 0
 * where the output does not depend on them. */
SEXP ffi_gate_values(SEXP graph, SEXP theta, SEXP x, SEXP blocks) {
    struct samples s = read_rows_of(graph, theta, x);
    const int *block = read_blocks(blocks, &s.graph);
    size_t n_gates = 0;
    for (R_xlen_t i = 0; i < XLENGTH(blocks); i++) {
        const struct ca_step *step = block[i] > 0 ? &s.graph.step[block[i] - 1] : NULL;
        if (step == NULL || ca_op_is_linear(ca_op_row(s.graph.op[step->node].kind)))
            ffi_bug("a step without gates");
        const struct ca_op *op = &s.graph.op[step->node];
        n_gates +=
            (size_t)op->shape.channels * (size_t)op->n_taps * (size_t)(step->end - step->begin);
    }
    ffi_product((size_t)s.n_rows, n_gates, "more gates than R can index");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, s.n_rows, (int)n_gates));
    s.jet = ca_jet_new(&s.graph, s.block);
    for (int begin = 0; begin < s.n_rows; begin += s.block) {
        const int left = s.n_rows - begin, rows = left < s.block ? left : s.block;
        ca_jet_at(&s.jet, s.theta, s.x + begin, (size_t)s.n_rows, rows);
        double *to = REAL(out) + begin;
        for (R_xlen_t i = 0; i < XLENGTH(blocks); i++) {
            const struct ca_step *step = &s.graph.step[block[i] - 1];
            const struct ca_op *op = &s.graph.op[step->node];
            for (int k = 0; k < op->n_taps; k++)
                for (int u = step->begin; u < step->end; u++) {
                    const int live = s.graph.live[s.graph.first[step->node] + (size_t)u];
                    const double *gain = live ? ca_gate(&s.jet, step->node, u, k) : NULL;
                    for (int c = 0; c < op->shape.channels; c++, to += s.n_rows)
                        for (int r = 0; r < rows; r++)
                            to[r] = live ? gain[(size_t)c * (size_t)rows + (size_t)r] : 0;
                }
        }
        R_CheckUserInterrupt();
    }
    UNPROTECT(1); /* out */
    return out;
}
