#include "ffi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "carry.h"
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

/* --- cuts -------------------------------------------------------------------------------- */

/* How many non-linear steps there are on a way from the input to each site, at most. */
static int *levels_of(const struct ca_graph *graph) {
    int *level = ca_ints(graph->n_sites);
    memset(level, 0, sizeof(int) * graph->n_sites);
    for (size_t s = 0; s < graph->n_steps; s++) {
        const struct ca_step *step = &graph->step[s];
        const struct ca_op *op = &graph->op[step->node];
        const struct ca_op_row *row = ca_op_row(op->kind);
        struct ca_tap tap;
        int most = 0;
        for (int u = step->begin; u < step->end; u++)
            for (int k = 0; k < op->n_taps; k++)
                if (row->tap(op, u, k, &tap) && level[tap.site] > most)
                    most = level[tap.site];
        for (int u = step->begin; u < step->end; u++)
            level[graph->first[step->node] + (size_t)u] = most + !ca_op_is_linear(row);
    }
    return level;
}

/* The blocks that a step reads, each once. `seen`: of all blocks, the last step that read it.
 */
static SEXP blocks_read(const struct ca_graph *graph, size_t s, const int *block_of,
                        int *seen) {
    const struct ca_step *step = &graph->step[s];
    const struct ca_op *op = &graph->op[step->node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    struct ca_tap tap;
    int n = 0;
    for (int round = 0; round < 2; round++) {
        SEXP out = round == 0 ? R_NilValue : PROTECT(Rf_allocVector(INTSXP, n));
        const int mark = 2 * (int)s + round + 1;
        int at = 0;
        for (int u = step->begin; u < step->end; u++)
            for (int k = 0; k < op->n_taps; k++) {
                if (!row->tap(op, u, k, &tap) || seen[block_of[tap.site]] == mark)
                    continue;
                seen[block_of[tap.site]] = mark;
                if (round == 1)
                    INTEGER(out)[at] = block_of[tap.site];
                at++;
            }
        n = at;
        if (round == 1) {
            UNPROTECT(1); /* out */
            return out;
        }
    }
    return R_NilValue;
}

/* The blocks of a graph (the input, then its steps): list(node, begin, end, level, live,
 * reads). */
SEXP ffi_blocks(SEXP graph) {
    const struct ca_graph g = ffi_graph(graph);
    const int *level = levels_of(&g), *block_of = ca_blocks(&g);
    const int n = ffi_product(g.n_steps + 1, 1, "more steps than R can index");
    ffi_product((size_t)n, 2, "more steps than R can index");
    int *seen = ca_ints((size_t)n);
    memset(seen, 0, sizeof(int) * (size_t)n);
    const char *names[] = {"node", "begin", "end", "level", "live", "reads", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int i = 0; i < 4; i++)
        SET_VECTOR_ELT(out, i, Rf_allocVector(INTSXP, n));
    SET_VECTOR_ELT(out, 4, Rf_allocVector(LGLSXP, n));
    SET_VECTOR_ELT(out, 5, Rf_allocVector(VECSXP, n));
    for (int b = 0; b < n; b++) {
        const struct ca_step input = {0, 0, g.op[0].positions};
        const struct ca_step step = b > 0 ? g.step[b - 1] : input;
        int live = 0;
        for (int u = step.begin; u < step.end; u++)
            live |= g.live[g.first[step.node] + (size_t)u];
        INTEGER(VECTOR_ELT(out, 0))[b] = step.node;
        INTEGER(VECTOR_ELT(out, 1))[b] = step.begin;
        INTEGER(VECTOR_ELT(out, 2))[b] = step.end;
        INTEGER(VECTOR_ELT(out, 3))[b] = level[g.first[step.node] + (size_t)step.begin];
        LOGICAL(VECTOR_ELT(out, 4))[b] = live;
        SET_VECTOR_ELT(VECTOR_ELT(out, 5), b,
                       b > 0 ? blocks_read(&g, (size_t)b - 1, block_of, seen)
                             : Rf_allocVector(INTSXP, 0));
    }
    UNPROTECT(1); /* out */
    return out;
}

/* Places of units on a cut, from 0, -1 for none. */
static const int *read_places(SEXP x, R_xlen_t n, int least, int most) {
    if (TYPEOF(x) != INTSXP || XLENGTH(x) != n)
        ffi_bug("the places of a cut");
    for (R_xlen_t i = 0; i < n; i++)
        if (INTEGER(x)[i] < least || INTEGER(x)[i] > most)
            ffi_bug("the places of a cut");
    return INTEGER(x);
}

/* list(from, to, mean, second), `second` only where it is looked at. */
static struct ca_gates read_gates(SEXP x, const struct ca_carry *carry) {
    SEXP from = ffi_element(x, "from"), mean = ffi_element(x, "mean");
    const R_xlen_t n = Rf_xlength(from);
    if (n > INT_MAX || TYPEOF(mean) != REALSXP || XLENGTH(mean) != n)
        ffi_bug("the gates of a cut");
    struct ca_gates gates = {.n = (int)n, .mean = REAL(mean)};
    gates.from = read_places(from, n, 0, carry->size - 1);
    gates.to = read_places(ffi_element(x, "to"), n, -1, carry->size - 1);
    if (carry->two_sided)
        gates.second = ffi_matrix(ffi_element(x, "second"), (size_t)n, (size_t)n, "gates");
    return gates;
}

/* What carry does, in the order of `take`: see ffi_carry(). */
struct program {
    struct ca_carry carry;
    const int *take;
    R_xlen_t n_take;
    struct ca_gates *gates;
    int n_gates, n_levels;
    const int **level; /* places that a level has */
    int *n_level;
    double *work;
};

static void read_cut(struct program *program, SEXP S, SEXP cut) {
    struct ca_carry *carry = &program->carry;
    const struct ca_graph *g = carry->graph;
    SEXP dim = Rf_getAttrib(S, R_DimSymbol), at = ffi_element(cut, "at");
    if (TYPEOF(S) != REALSXP || TYPEOF(dim) != INTSXP || XLENGTH(dim) != 3)
        ffi_bug("the matrices of a cut");
    carry->rows = INTEGER(dim)[0];
    carry->size = INTEGER(dim)[1];
    carry->backward = ffi_number(ffi_element(cut, "backward"), "a cut") != 0;
    carry->two_sided = ffi_number(ffi_element(cut, "two_sided"), "a cut") != 0;
    const double constant = ffi_number(ffi_element(cut, "constant"), "a cut");
    if (!(constant >= -1 && constant < carry->size) ||
        (carry->two_sided && carry->rows != carry->size))
        ffi_bug("a cut");
    carry->constant = (int)constant;
    carry->at = read_places(at, (R_xlen_t)g->n_steps + 1, -1, carry->size);
    for (size_t b = 0; b <= g->n_steps; b++) {
        const struct ca_step input = {0, 0, g->op[0].positions};
        const struct ca_step step = b > 0 ? g->step[b - 1] : input;
        const int n = (step.end - step.begin) * g->op[step.node].shape.channels;
        if (carry->at[b] >= 0 && carry->at[b] > carry->size - n)
            ffi_bug("the places of a cut");
    }
    carry->block_of = ca_blocks(g);
}

static void read_program(struct program *program, SEXP S, SEXP cut, SEXP take) {
    read_cut(program, S, cut);
    const struct ca_graph *g = program->carry.graph;
    SEXP gates = ffi_element(cut, "gates"), levels = ffi_element(cut, "levels");
    if (TYPEOF(gates) != VECSXP || TYPEOF(levels) != VECSXP || TYPEOF(take) != INTSXP ||
        XLENGTH(gates) > 1 << 28 || XLENGTH(levels) > 1 << 28)
        ffi_bug("the gates of a cut");
    program->n_gates = (int)XLENGTH(gates);
    program->n_levels = (int)XLENGTH(levels);
    program->gates = ca_bytes((size_t)program->n_gates, sizeof(struct ca_gates));
    program->level = ca_bytes((size_t)program->n_levels, sizeof(int *));
    program->n_level = ca_ints((size_t)program->n_levels);
    size_t most = 0;
    for (int i = 0; i < program->n_gates; i++) {
        program->gates[i] = read_gates(VECTOR_ELT(gates, i), &program->carry);
        most = (size_t)program->gates[i].n > most ? (size_t)program->gates[i].n : most;
    }
    for (int i = 0; i < program->n_levels; i++) {
        SEXP places = VECTOR_ELT(levels, i);
        program->level[i] =
            read_places(places, Rf_xlength(places), -1, program->carry.size - 1);
        program->n_level[i] = ffi_product((size_t)Rf_xlength(places), 1, "a level of a cut");
    }
    const size_t size = (size_t)program->carry.size;
    program->work =
        ca_doubles(program->carry.two_sided ? 2 * most * size + most * most + size : 0);
    program->take = INTEGER(take);
    program->n_take = XLENGTH(take);
    const int n_blocks = (int)g->n_steps + 1;
    for (R_xlen_t i = 0; i < program->n_take; i++) {
        const int own = program->take[i], b = own >= 0 ? own : -1 - own;
        if (own == NA_INTEGER || own == 0 || (own < 0 && b >= n_blocks) ||
            own >= n_blocks + program->n_gates + program->n_levels)
            ffi_bug("the steps of a cut");
        if (b < n_blocks && program->carry.at[b] < 0)
            ffi_bug("the steps of a cut");
        if (own > 0 && own < n_blocks &&
            !ca_op_is_linear(ca_op_row(g->op[g->step[own - 1].node].kind)))
            ffi_bug("the steps of a cut");
    }
}

/* Of one matrix: the columns (rows x places), or two-sided the diagonal, of a level. */
static void tell_level(const struct program *program, int level, const double *S, double *out) {
    const size_t rows = (size_t)program->carry.rows;
    for (int i = 0; i < program->n_level[level]; i++) {
        const int place = program->level[level][i];
        const double *column = S + rows * (size_t)(place < 0 ? 0 : place);
        if (program->carry.two_sided)
            out[i] = place < 0 ? 0 : column[place];
        else
            for (size_t r = 0; r < rows; r++)
                out[r + rows * (size_t)i] = place < 0 ? 0 : column[r];
    }
}

/* Carries matrices S (rows x size x matrices) on a cut. cut: list(at, constant, backward,
 * two_sided, gates, levels), `at` of all blocks from 0, -1 for those left out, `levels` places
 * that are told on the way. take: block b to take, -1 - b to set it to zero, (blocks + g) for
 * gates g, (blocks + gates
 * + l) for level l. list(S, levels): of each the diagonals (places x matrices), or one-sided
 * the columns (rows x places x matrices). */
SEXP ffi_carry(SEXP graph, SEXP theta, SEXP S, SEXP cut, SEXP take) {
    const struct ca_graph g = ffi_graph(graph);
    struct program program = {.carry = {.graph = &g, .theta = ffi_theta(theta, &g)}};
    read_program(&program, S, cut, take);
    const struct ca_carry *carry = &program.carry;
    const size_t n_matrices = (size_t)INTEGER(Rf_getAttrib(S, R_DimSymbol))[2];
    const int n_blocks = (int)g.n_steps + 1;
    const char *names[] = {"S", "levels", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_duplicate(S));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(VECSXP, program.n_levels));
    SEXP levels = VECTOR_ELT(out, 1);
    for (int l = 0; l < program.n_levels; l++) {
        const size_t lines = carry->two_sided ? 1 : (size_t)carry->rows;
        const R_xlen_t n = (R_xlen_t)((size_t)program.n_level[l] * lines * n_matrices);
        SET_VECTOR_ELT(levels, l, Rf_allocVector(REALSXP, n));
        memset(REAL(VECTOR_ELT(levels, l)), 0, sizeof(double) * (size_t)n);
    }
    const size_t each = (size_t)carry->rows * (size_t)carry->size;
    for (size_t p = 0; p < n_matrices && each > 0; p++) { /* of nothing there may be many */
        double *matrix = REAL(VECTOR_ELT(out, 0)) + each * p;
        for (R_xlen_t i = 0; i < program.n_take; i++) {
            const int own = program.take[i], level = own - n_blocks - program.n_gates;
            if (own < 0)
                ca_carry_clear(carry, -1 - own, matrix);
            else if (own < n_blocks)
                ca_carry_step(carry, own, matrix);
            else if (level < 0)
                ca_carry_gates(carry, &program.gates[own - n_blocks], matrix, program.work);
            else
                tell_level(&program, level, matrix,
                           REAL(VECTOR_ELT(levels, level)) +
                               (size_t)XLENGTH(VECTOR_ELT(levels, level)) / n_matrices * p);
            if (i % 256 == 0)
                R_CheckUserInterrupt();
        }
    }
    UNPROTECT(1); /* out */
    return out;
}

/* Input positions, from 1, that the taps of an operation meet: taps x positions, NA for none.
 */
SEXP ffi_taps(SEXP graph, SEXP node) {
    const struct ca_graph g = ffi_graph(graph);
    const double at = ffi_number(node, "an operation");
    if (!(at >= 1 && at < g.n_nodes) || !ca_op_row(g.op[(int)at].kind)->windowed)
        ffi_bug("an operation");
    const struct ca_op *op = &g.op[(int)at];
    SEXP out = PROTECT(Rf_allocMatrix(INTSXP, op->n_taps, op->positions));
    for (size_t i = 0; i < (size_t)op->n_taps * (size_t)op->positions; i++)
        INTEGER(out)[i] = op->map[i] < 0 ? NA_INTEGER : op->map[i] + 1;
    UNPROTECT(1); /* out */
    return out;
}
