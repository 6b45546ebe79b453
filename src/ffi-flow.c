#include "ffi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <R_ext/Utils.h>

#include "bounds.h"
#include "flow-joint.h"
#include "flow-moments.h"
#include "flow-propagate.h"
#include "workspace.h"

/* --- by the Markov rule ------------------------------------------------------------------ */

/* Whether an operation multiplies one of its inputs by another. */
static bool has_product(const struct ca_graph *graph) {
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op_row *row = ca_op_row(graph->op[node].kind);
        if (row->multiplies && !ca_op_is_linear(row))
            return true;
    }
    return false;
}

/* A slice of theta, c(first (from 0), number), as its begin and end. */
static void read_slice(SEXP slice, const struct ca_graph *graph, size_t *begin, size_t *end) {
    if (TYPEOF(slice) != REALSXP || XLENGTH(slice) != 2)
        ffi_bug("where capacity starts");
    const double first = REAL(slice)[0], count = REAL(slice)[1], p = (double)graph->n_params;
    if (!(first >= 0 && count >= 1 && first <= p && count <= p - first))
        ffi_bug("where capacity starts");
    *begin = (size_t)first;
    *end = (size_t)(first + count);
}

/* start: list(outputs, slice), the capacity of every output, or a slice of theta whose
 * parameters have capacity 1 each. */
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
    size_t begin, end;
    read_slice(slice, g, &begin, &end);
    const enum ca_status status = ca_flow_start(flow, begin, end);
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

/* Capacity by the Markov rule. gate: mean squares of all gates; levels: nodes whose capacities
 * are returned. list(units, constant, lost): capacities of the units of each level, and the
 * capacity that went to the (Intercept) or was lost above it. */
SEXP ffi_flow(SEXP graph, SEXP theta, SEXP gate, SEXP start, SEXP levels) {
    const struct ca_graph g = ffi_graph(graph);
    if (has_product(&g))
        ffi_bug("a product");
    struct ca_flow flow = ca_flow_new(&g, ffi_theta(theta, &g));
    if (TYPEOF(gate) != REALSXP || (size_t)XLENGTH(gate) != flow.n_gates)
        ffi_bug("the gains of the nonlinear operations");
    for (size_t i = 0; i < flow.n_gates; i++)
        if (!(REAL(gate)[i] >= 0) || !isfinite(REAL(gate)[i]))
            ffi_bug("the gains of the nonlinear operations");
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

/* --- gates at samples -------------------------------------------------------------------- */

/* Rows of x (N x n), visited in blocks. */
struct samples {
    struct ca_jet jet;
    const double *theta, *x;
    int n_rows, block;
};

static struct samples read_samples(const struct ca_graph *graph, const double *theta, SEXP x) {
    struct samples s = {.theta = theta};
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2 || INTEGER(dim)[0] < 1)
        ffi_bug("the samples of gates");
    s.n_rows = INTEGER(dim)[0];
    double units = 1;
    for (int node = 0; node < graph->n_nodes; node++)
        units += (double)ca_units(&graph->op[node]);
    const double most = CA_GATE_VALUES / units;
    s.block = most < 1 ? 1 : most < CA_GATE_ROWS ? (int)most : CA_GATE_ROWS;
    s.block = s.n_rows < s.block ? s.n_rows : s.block;
    s.x = ffi_matrix(x, (size_t)s.n_rows, graph->n_inputs, "the samples of gates");
    s.jet = ca_jet_new(graph, s.block);
    return s;
}

/* Moves the jet to the block of rows that begins at `begin`, and returns its number of rows. */
static int rows_at(struct samples *s, int begin) {
    const int left = s->n_rows - begin, rows = left < s->block ? left : s->block;
    R_CheckUserInterrupt();
    ca_jet_at(&s->jet, s->theta, s->x + begin, (size_t)s->n_rows, rows);
    return rows;
}

/* Mean square of every gate over samples x (N x n). */
SEXP ffi_gate_squares(SEXP graph, SEXP theta, SEXP x) {
    const struct ca_graph g = ffi_graph(graph);
    struct samples s = read_samples(&g, ffi_theta(theta, &g), x);
    size_t n_gates;
    const size_t *first = ca_gate_first(&g, &n_gates);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)n_gates));
    double *square = REAL(out);
    memset(square, 0, sizeof(double) * n_gates);
    for (int begin = 0; begin < s.n_rows; begin += s.block) {
        rows_at(&s, begin);
        ca_gate_squares(&s.jet, first, square);
    }
    for (size_t i = 0; i < n_gates; i++)
        square[i] /= s.n_rows;
    UNPROTECT(1); /* out */
    return out;
}

/* The number of gates of the operations `nodes`, and their numbers in `gate` unless that is
 * NULL. */
static size_t gates_of_nodes(const struct ca_graph *graph, SEXP nodes, int *gate) {
    size_t n_gates, n = 0;
    const size_t *first = ca_gate_first(graph, &n_gates);
    if (TYPEOF(nodes) != INTSXP)
        ffi_bug("the operations of gates");
    for (R_xlen_t i = 0; i < XLENGTH(nodes); i++) {
        const int node = INTEGER(nodes)[i];
        if (node < 1 || node >= graph->n_nodes || ca_gate_count(&graph->op[node]) == 0)
            ffi_bug("the operations of gates");
        for (size_t z = 0; gate != NULL && z < ca_gate_count(&graph->op[node]); z++)
            gate[n + z] = (int)(first[node] + z);
        n += ca_gate_count(&graph->op[node]);
    }
    return n;
}

/* Gates of the operations `nodes` at samples x: N x gates; 0 where the output does not depend
 * on them. */
SEXP ffi_gate_values(SEXP graph, SEXP theta, SEXP x, SEXP nodes) {
    const struct ca_graph g = ffi_graph(graph);
    struct samples s = read_samples(&g, ffi_theta(theta, &g), x);
    const size_t n = gates_of_nodes(&g, nodes, NULL);
    ffi_product((size_t)s.n_rows, n, "more gates than R can index");
    int *gate = ca_ints(n);
    gates_of_nodes(&g, nodes, gate);
    struct ca_gate_set set = {.n = (int)n, .gate = gate};
    struct ca_gate_sets sets;
    if (ca_gate_sets_new(&g, 1, &set, &sets) != CA_OK)
        ffi_bug("the operations of gates");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, s.n_rows, (int)n));
    for (int begin = 0; begin < s.n_rows; begin += s.block) {
        rows_at(&s, begin);
        ca_gate_values(&s.jet, &sets, (size_t)s.n_rows, REAL(out) + begin);
    }
    UNPROTECT(1); /* out */
    return out;
}

/* --- by moments: planning ---------------------------------------------------------------- */

/* A list of named numbers. */
static SEXP named_numbers(int n, const char *const *name, const double *value) {
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) {
        REAL(out)[i] = value[i];
        SET_STRING_ELT(names, i, Rf_mkChar(name[i]));
    }
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(2); /* out, names */
    return out;
}

/* Operations that are activations, each at most once. */
static const int *read_whole(SEXP whole, const struct ca_graph *graph) {
    if (TYPEOF(whole) != INTSXP)
        ffi_bug("the operations of a tier");
    for (R_xlen_t i = 0; i < XLENGTH(whole); i++) {
        const int node = INTEGER(whole)[i];
        if (node < 1 || node >= graph->n_nodes || !ca_op_row(graph->op[node].kind)->activation)
            ffi_bug("the operations of a tier");
    }
    return INTEGER(whole);
}

/* In place, since its cut points to its stages. */
static void read_joint(const struct ca_graph *graph, SEXP whole, struct ca_joint *joint) {
    const int *node = read_whole(whole, graph);
    const enum ca_status status = ca_joint_new(graph, (int)XLENGTH(whole), node, joint);
    if (status != CA_OK)
        ffi_stop(status, "more units than can be indexed");
}

static void read_plan(const struct ca_graph *graph, SEXP slice, struct ca_flow_plan *plan) {
    size_t begin = 0, end = 0;
    if (slice != R_NilValue)
        read_slice(slice, graph, &begin, &end);
    const enum ca_status status = ca_flow_plan_new(graph, begin, end, plan);
    if (status != CA_OK)
        ffi_stop(status, "more units than can be indexed");
}

/* What capacity through layers by moments takes. slice: NULL, or the parameters that it starts
 * from; whole: see ffi_joint. list(has_gates, single, first, terms, size, pairs): whether
 * nonlinear operations are passed; whether all vectors begin at one stage; for every operation
 * the number of its first gate, from 0; by cut (whole, above, below, joint) the multiply-add
 * operations of one row and the number of places; and the pairs of pre-activations. */
SEXP ffi_flow_plan(SEXP graph, SEXP slice, SEXP whole) {
    const struct ca_graph g = ffi_graph(graph);
    struct ca_flow_plan plan;
    read_plan(&g, slice, &plan);
    struct ca_joint joint;
    read_joint(&g, whole, &joint);
    static const char *const cuts[] = {"whole", "above", "below", "joint"};
    const struct ca_cut *cut[] = {&plan.whole, &plan.above, &plan.below, &joint.cut};
    double terms[4] = {0}, size[4] = {0};
    for (int i = 0; i < 4; i++)
        if (plan.single >= 0 || i == 0 || i == 3) {
            terms[i] = ca_cut_terms(cut[i]);
            size[i] = cut[i]->size;
        }
    size_t n_gates;
    const size_t *first = ca_gate_first(&g, &n_gates);
    const char *names[] = {"has_gates", "single", "first", "terms", "size", "pairs", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_ScalarLogical(plan.has_gates));
    SET_VECTOR_ELT(out, 1, Rf_ScalarLogical(plan.single >= 0));
    SET_VECTOR_ELT(out, 2, Rf_allocVector(INTSXP, g.n_nodes - 1));
    for (int node = 1; node < g.n_nodes; node++)
        INTEGER(VECTOR_ELT(out, 2))[node - 1] = (int)first[node];
    SET_VECTOR_ELT(out, 3, named_numbers(4, cuts, terms));
    SET_VECTOR_ELT(out, 4, named_numbers(4, cuts, size));
    SET_VECTOR_ELT(out, 5, Rf_ScalarReal(ca_joint_pairs(&joint)));
    UNPROTECT(1); /* out */
    return out;
}

/* --- joint moments of pre-activations ---------------------------------------------------- */

static SEXP numbers_from(int n, const int *x) {
    SEXP out = Rf_allocVector(INTSXP, n);
    memcpy(INTEGER(out), x, sizeof(int) * (size_t)n);
    return out;
}

static SEXP matrix_from(int nrow, int ncol, const double *x) {
    SEXP out = ncol < 0 ? Rf_allocVector(REALSXP, nrow) : Rf_allocMatrix(REALSXP, nrow, ncol);
    memcpy(REAL(out), x, sizeof(double) * (size_t)XLENGTH(out));
    return out;
}

static void copy_numbers(SEXP list, const char *name, size_t n, double *to) {
    SEXP x = ffi_element(list, name);
    if (TYPEOF(x) != REALSXP || (size_t)XLENGTH(x) != n)
        ffi_bug("the moments of activations");
    memcpy(to, REAL(x), sizeof(double) * n);
}

/* Calls the R function with list(gate, node, mean, cov, is_read) of a tier. If the activations
 * are read it returns list(slope, value, moment). */
static void visit_tier(void *visit, const struct ca_joint_tier *tier) {
    const char *names[] = {"gate", "node", "mean", "cov", "is_read", ""};
    SEXP argument = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(argument, 0, numbers_from(tier->n, tier->gate));
    SET_VECTOR_ELT(argument, 1, numbers_from(tier->n, tier->node));
    SET_VECTOR_ELT(argument, 2, matrix_from(tier->n, -1, tier->mean));
    SET_VECTOR_ELT(argument, 3, matrix_from(tier->n, tier->n, tier->cov));
    SET_VECTOR_ELT(argument, 4, Rf_ScalarLogical(tier->is_read));
    SEXP call = PROTECT(Rf_lang2((SEXP)visit, argument));
    SEXP moments = PROTECT(Rf_eval(call, R_BaseEnv));
    if (tier->is_read) {
        const size_t n = (size_t)tier->n;
        copy_numbers(moments, "slope", n, tier->slope);
        copy_numbers(moments, "value", n, tier->value);
        copy_numbers(moments, "moment", n * n, tier->moment);
    }
    UNPROTECT(3); /* argument, call, moments */
}

/* Moments of the pre-activations of a network for inputs with this mean (n) and covariance (n x
 * n). visit: an R function, called once for each tier of activations (visit_tier) and for
 * each of the operations `whole` of recurrences, with all their positions. Returns NULL. */
SEXP ffi_flow_joint(SEXP graph, SEXP theta, SEXP mean, SEXP cov, SEXP whole, SEXP visit) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    struct ca_joint joint;
    read_joint(&g, whole, &joint);
    const double *C = ffi_matrix(cov, g.n_inputs, g.n_inputs, "the covariance of the inputs");
    if (TYPEOF(mean) != REALSXP || (size_t)XLENGTH(mean) != g.n_inputs)
        ffi_bug("the mean of the inputs");
    if (TYPEOF(visit) != CLOSXP)
        ffi_bug("the function of a tier");
    const enum ca_status status =
        ca_joint_run(&joint, th, REAL(mean), C, visit_tier, (void *)visit);
    if (status != CA_OK)
        ffi_stop(status, status == CA_TOO_LARGE ? "the covariances of all units"
                                                : "an activation after a product or a maximum");
    return R_NilValue;
}

/* --- by moments: running ----------------------------------------------------------------- */

static int carried_kind(SEXP what) {
    static const char *const names[] = {"vectors", "outputs", "pairs", "family"};
    if (TYPEOF(what) == STRSXP && XLENGTH(what) == 1)
        for (int i = 0; i < 4; i++)
            if (strcmp(CHAR(STRING_ELT(what, 0)), names[i]) == 0)
                return i;
    ffi_bug("the mode of a flow");
    return 0;
}

/* list(what, constant, outputs, slice); outputs from 1. */
static struct ca_flow_start read_start(SEXP start, const struct ca_flow_plan *plan) {
    SEXP outputs = ffi_element(start, "outputs"), constant = ffi_element(start, "constant");
    const size_t m = plan->stages.graph->n_outputs;
    if (TYPEOF(outputs) != INTSXP || (size_t)XLENGTH(outputs) > m)
        ffi_bug("the outputs of a flow");
    if (TYPEOF(constant) != LGLSXP || XLENGTH(constant) != 1)
        ffi_bug("the constant of a flow");
    int *output = ca_ints((size_t)XLENGTH(outputs));
    for (R_xlen_t i = 0; i < XLENGTH(outputs); i++) {
        const int o = INTEGER(outputs)[i];
        if (o < 1 || (size_t)o > m || (i > 0 && o <= output[i - 1] + 1))
            ffi_bug("the outputs of a flow");
        output[i] = o - 1;
    }
    return (struct ca_flow_start){.what =
                                      (enum ca_carried)carried_kind(ffi_element(start, "what")),
                                  .constant = LOGICAL(constant)[0] == TRUE,
                                  .n = (int)XLENGTH(outputs),
                                  .output = output};
}

/* Sets from R: each list(gate, mean, second). */
static void read_sets(SEXP list, const struct ca_graph *graph, struct ca_gate_sets *sets) {
    const R_xlen_t n = list == R_NilValue ? 0 : XLENGTH(list);
    struct ca_gate_set *set = ca_bytes((size_t)n, sizeof *set);
    for (R_xlen_t i = 0; i < n; i++) {
        SEXP gate = ffi_element(VECTOR_ELT(list, i), "gate");
        SEXP mean = ffi_element(VECTOR_ELT(list, i), "mean");
        if (TYPEOF(gate) != INTSXP || TYPEOF(mean) != REALSXP ||
            XLENGTH(mean) != XLENGTH(gate) || XLENGTH(gate) > INT_MAX)
            ffi_bug("the moments of gates");
        const size_t m = (size_t)XLENGTH(gate);
        set[i] = (struct ca_gate_set){.n = (int)m, .gate = INTEGER(gate), .mean = REAL(mean)};
        set[i].second = (double *)ffi_matrix(ffi_element(VECTOR_ELT(list, i), "second"), m, m,
                                             "the moments of gates");
    }
    if (n > INT_MAX || ca_gate_sets_new(graph, (int)n, set, sets) != CA_OK)
        ffi_bug("the moments of gates");
}

/* One set for each tier of the nonlinear stages that are passed, its moments zero. */
static void sets_of_tiers(const struct ca_flow_plan *plan, enum ca_carried what,
                          struct ca_gate_sets *sets) {
    const struct ca_stages *stages = &plan->stages;
    bool *passed = ca_cut_stages_none(stages);
    ca_flow_plan_gates(plan, what, passed);
    int tiers = 0;
    for (int b = 0; b < stages->n; b++)
        tiers = stages->tier[b] >= tiers ? stages->tier[b] + 1 : tiers;
    size_t *n = ca_sizes((size_t)tiers), n_gates;
    const size_t *first = ca_gate_first(stages->graph, &n_gates);
    memset(n, 0, sizeof *n * (size_t)tiers);
    for (int b = 0; b < stages->n; b++)
        if (passed[b])
            n[stages->tier[b]] += (size_t)ca_cut_stage_units(stages, b) *
                                  (size_t)ca_cut_stage_op(stages, b)->n_taps;
    struct ca_gate_set *set = ca_bytes((size_t)tiers, sizeof *set);
    int **gate = ca_bytes((size_t)tiers, sizeof *gate);
    for (int l = 0; l < tiers; l++) {
        set[l] = (struct ca_gate_set){.n = ffi_product(n[l], 1, "more gates than R can index"),
                                      .mean = ca_doubles(n[l]),
                                      .second = ca_doubles(n[l] * n[l])};
        set[l].gate = gate[l] = ca_ints(n[l]);
        memset(set[l].mean, 0, sizeof(double) * n[l]);
        memset(set[l].second, 0, sizeof(double) * n[l] * n[l]);
    }
    for (int b = 0; b < stages->n; b++) {
        if (!passed[b])
            continue;
        const struct ca_step step = ca_cut_stage_step(stages, b);
        const struct ca_op *op = ca_cut_stage_op(stages, b);
        const size_t each = (size_t)(op->n_taps * op->shape.channels);
        const size_t from = first[step.node] + (size_t)step.begin * each;
        for (size_t z = 0; z < each * (size_t)(step.end - step.begin); z++)
            *gate[stages->tier[b]]++ = (int)(from + z);
    }
    ca_gate_sets_new(stages->graph, tiers, set, sets);
}

/* Moments of the gates of all sets over samples. */
static void average_gates(struct samples *s, struct ca_gate_sets *sets) {
    double *values = ca_doubles((size_t)s->block * ca_gate_sets_size(sets));
    for (int begin = 0; begin < s->n_rows; begin += s->block) {
        rows_at(s, begin);
        ca_gate_moments(&s->jet, sets, values);
    }
    for (int i = 0; i < sets->n; i++) {
        struct ca_gate_set *set = &sets->set[i];
        const size_t n = (size_t)set->n;
        for (size_t y = 0; y < n; y++) {
            set->mean[y] /= s->n_rows;
            for (size_t z = 0; z <= y; z++) {
                set->second[z + n * y] /= s->n_rows;
                set->second[y + n * z] = set->second[z + n * y];
                if (!isfinite(set->second[z + n * y]))
                    ffi_stop(CA_NONFINITE, "a gate");
            }
        }
    }
}

/* gates: list(square) with the mean squares of all gates, list(sets), or list(data) with
 * samples at which the gates are averaged. */
static struct ca_gate_source read_source(SEXP gates, const struct ca_flow_plan *plan,
                                         const double *theta, enum ca_carried what) {
    const struct ca_graph *graph = plan->stages.graph;
    SEXP square = ffi_element(gates, "square"), sets = ffi_element(gates, "sets");
    SEXP data = ffi_element(gates, "data");
    struct ca_gate_source source = {.square = NULL};
    if (data != R_NilValue) {
        struct samples s = read_samples(graph, theta, data);
        sets_of_tiers(plan, what, &source.sets);
        average_gates(&s, &source.sets);
        return source;
    }
    if (sets != R_NilValue && TYPEOF(sets) != VECSXP)
        ffi_bug("the moments of gates");
    read_sets(sets, graph, &source.sets);
    if (square == R_NilValue)
        return source;
    if (TYPEOF(square) != REALSXP || (size_t)XLENGTH(square) != source.sets.n_gates)
        ffi_bug("the squares of gates");
    for (R_xlen_t i = 0; i < XLENGTH(square); i++)
        if (!(REAL(square)[i] >= 0) || !isfinite(REAL(square)[i]))
            ffi_bug("the squares of gates");
    source.square = REAL(square);
    return source;
}

/* Tangent vectors, or second moments of pairs of them, at the units of the nodes `levels`
 * (flow-moments.h). start: list(what, constant, outputs, slice); gates: see read_source. A list
 * with the numbers of each level, rows x units x matrices. */
SEXP ffi_flow_moments(SEXP graph, SEXP theta, SEXP start, SEXP gates, SEXP levels) {
    const struct ca_graph g = ffi_graph(graph);
    const double *th = ffi_theta(theta, &g);
    struct ca_flow_plan plan;
    read_plan(&g, ffi_element(start, "slice"), &plan);
    const struct ca_flow_start at = read_start(start, &plan);
    const struct ca_gate_source source = read_source(gates, &plan, th, at.what);
    check_levels(levels, &g);
    const double each = ca_flow_rows(&plan, &at) * ca_flow_matrices(&plan, &at);
    const int n_levels = (int)XLENGTH(levels);
    struct ca_record *record = ca_bytes((size_t)n_levels, sizeof *record);
    SEXP out = PROTECT(Rf_allocVector(VECSXP, n_levels));
    for (int l = 0; l < n_levels; l++) {
        const int node = INTEGER(levels)[l];
        const double n = each * (double)(ca_units(&g.op[node]) + at.constant);
        if (n > (double)R_XLEN_T_MAX)
            ffi_stop(CA_TOO_LARGE, "more vectors than R can index");
        SEXP level = Rf_allocVector(REALSXP, (R_xlen_t)n);
        SET_VECTOR_ELT(out, l, level);
        memset(REAL(level), 0, sizeof(double) * (size_t)n);
        record[l] = (struct ca_record){node, REAL(level)};
    }
    const enum ca_status status =
        ca_flow_moments(&plan, th, &at, &source, n_levels, record, R_CheckUserInterrupt);
    if (status != CA_OK)
        ffi_stop(status, status == CA_TOO_LARGE ? "the moments of all vectors"
                                                : "a flow that does not fit the network");
    UNPROTECT(1); /* out */
    return out;
}
