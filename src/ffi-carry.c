#include "ffi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "carry.h"
#include "workspace.h"

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

/* What happens to the matrices, in this order where it is to one item of a cut. */
enum action { TELL, BEGIN, STEP, GATES, CLOSE };

/* Parallel vectors: `number` is of a level, of ties, of a block, of gates or of a block. */
struct program {
    struct ca_carry carry;
    const int *action, *number;
    R_xlen_t length;
    int n_members;
    size_t n_matrices;
    struct ca_gates *gates;
    struct ca_ties *ties;
    int n_gates, n_levels, n_ties;
    const int **level; /* places that a level has */
    int *n_level;
    double *work;
    int *begin; /* n_members + 1 */
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

/* list(member, from, to), by members, which are from 1. */
static struct ca_ties read_ties(SEXP x, const struct program *program) {
    SEXP member = ffi_element(x, "member");
    const R_xlen_t n = Rf_xlength(member);
    if (n > INT_MAX)
        ffi_bug("the ties of a cut");
    struct ca_ties ties = {.n = (int)n};
    ties.member = read_places(member, n, 1, program->n_members - 1);
    for (R_xlen_t i = 1; i < n; i++)
        if (ties.member[i] < ties.member[i - 1])
            ffi_bug("the ties of a cut");
    ties.from = read_places(ffi_element(x, "from"), n, 0, program->carry.size - 1);
    ties.to = read_places(ffi_element(x, "to"), n, -1, program->carry.size - 1);
    return ties;
}

static void read_parts(struct program *program, SEXP cut) {
    SEXP gates = ffi_element(cut, "gates"), levels = ffi_element(cut, "levels");
    SEXP ties = ffi_element(cut, "ties");
    if (TYPEOF(gates) != VECSXP || TYPEOF(levels) != VECSXP || TYPEOF(ties) != VECSXP ||
        XLENGTH(gates) > 1 << 28 || XLENGTH(levels) > 1 << 28 || XLENGTH(ties) > 1 << 28)
        ffi_bug("the gates of a cut");
    program->n_gates = (int)XLENGTH(gates);
    program->n_levels = (int)XLENGTH(levels);
    program->n_ties = (int)XLENGTH(ties);
    program->gates = ca_bytes((size_t)program->n_gates, sizeof(struct ca_gates));
    program->ties = ca_bytes((size_t)program->n_ties, sizeof(struct ca_ties));
    program->level = ca_bytes((size_t)program->n_levels, sizeof(int *));
    program->n_level = ca_ints((size_t)program->n_levels);
    size_t most = 0;
    for (int i = 0; i < program->n_gates; i++) {
        program->gates[i] = read_gates(VECTOR_ELT(gates, i), &program->carry);
        most = (size_t)program->gates[i].n > most ? (size_t)program->gates[i].n : most;
    }
    for (int i = 0; i < program->n_ties; i++)
        program->ties[i] = read_ties(VECTOR_ELT(ties, i), program);
    for (int i = 0; i < program->n_levels; i++) {
        SEXP places = VECTOR_ELT(levels, i);
        program->level[i] =
            read_places(places, Rf_xlength(places), -1, program->carry.size - 1);
        program->n_level[i] = ffi_product((size_t)Rf_xlength(places), 1, "a level of a cut");
    }
    const size_t size = (size_t)program->carry.size;
    program->work =
        ca_doubles(program->carry.two_sided ? 2 * most * size + most * most + size : 0);
    if (program->n_ties > 0 && program->carry.two_sided)
        program->begin = ca_ints((size_t)program->n_members + 1);
}

/* Members share the rows of one-sided matrices; two-sided, each pair has its own matrix. */
static void read_members(struct program *program, SEXP cut, SEXP ties) {
    const double members = ffi_number(ffi_element(cut, "members"), "a cut");
    if (!(members >= 1 && members <= 1 << 28) || members != floor(members))
        ffi_bug("the members of a cut");
    program->n_members = (int)members;
    if (Rf_xlength(ties) == 0)
        return;
    const int p = program->n_members;
    if (program->carry.two_sided ? (size_t)p * ((size_t)p + 1) / 2 != program->n_matrices
                                 : program->carry.rows % p != 0)
        ffi_bug("the members of a cut");
}

static void check_action(const struct program *program, int action, int number) {
    const struct ca_carry *carry = &program->carry;
    const struct ca_graph *g = carry->graph;
    const int n_blocks = (int)g->n_steps + 1;
    const int most[] = {program->n_levels, program->n_ties, n_blocks, program->n_gates,
                        n_blocks};
    if (action < TELL || action > CLOSE || number < 0 || number >= most[action])
        ffi_bug("the steps of a cut");
    if ((action == STEP || action == CLOSE) && carry->at[number] < 0)
        ffi_bug("the steps of a cut");
    if (action == STEP &&
        (number == 0 || !ca_op_is_linear(ca_op_row(g->op[g->step[number - 1].node].kind))))
        ffi_bug("the steps of a cut");
}

static void read_program(struct program *program, SEXP S, SEXP cut, SEXP take) {
    read_cut(program, S, cut);
    program->n_matrices = (size_t)INTEGER(Rf_getAttrib(S, R_DimSymbol))[2];
    read_members(program, cut, ffi_element(cut, "ties"));
    read_parts(program, cut);
    SEXP action = ffi_element(take, "action"), number = ffi_element(take, "number");
    if (TYPEOF(action) != INTSXP || TYPEOF(number) != INTSXP ||
        XLENGTH(action) != XLENGTH(number))
        ffi_bug("the steps of a cut");
    program->action = INTEGER(action);
    program->number = INTEGER(number);
    program->length = XLENGTH(action);
    for (R_xlen_t i = 0; i < program->length; i++)
        check_action(program, program->action[i], program->number[i]);
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

/* What comes from `from` on, to before `to`, for matrix p; none of it is about ties. */
static void run_part(const struct program *program, R_xlen_t from, R_xlen_t to, double *matrix,
                     size_t p, SEXP levels) {
    const struct ca_carry *carry = &program->carry;
    for (R_xlen_t i = from; i < to; i++) {
        const int number = program->number[i];
        switch ((enum action)program->action[i]) {
        case STEP:
            ca_carry_step(carry, number, matrix);
            break;
        case GATES:
            ca_carry_gates(carry, &program->gates[number], matrix, program->work);
            break;
        case CLOSE:
            ca_carry_clear(carry, number, matrix);
            break;
        case TELL: {
            SEXP level = VECTOR_ELT(levels, number);
            tell_level(program, number, matrix,
                       REAL(level) + (size_t)XLENGTH(level) / program->n_matrices * p);
            break;
        }
        case BEGIN:
            break;
        }
        if (i % 256 == 0)
            R_CheckUserInterrupt();
    }
}

static void run_program(const struct program *program, double *S, SEXP levels) {
    const struct ca_carry *carry = &program->carry;
    const size_t each = (size_t)carry->rows * (size_t)carry->size;
    if (each == 0) /* of nothing there may be many */
        return;
    for (R_xlen_t from = 0, to; from < program->length; from = to + 1) {
        for (to = from; to < program->length && program->action[to] != BEGIN;)
            to++;
        for (size_t p = 0; p < program->n_matrices; p++)
            run_part(program, from, to, S + each * p, p, levels);
        if (to == program->length)
            return;
        const struct ca_ties *ties = &program->ties[program->number[to]];
        if (carry->two_sided)
            ca_carry_begin_pairs(carry, ties, program->n_members, S, program->begin);
        else
            for (size_t p = 0; p < program->n_matrices; p++)
                ca_carry_begin(carry, ties, program->n_members, S + each * p);
        R_CheckUserInterrupt();
    }
}

/* Carries matrices S (rows x size x matrices) on a cut. cut: list(at, constant, backward,
 * two_sided, members, gates, levels, ties), `at` of all blocks from 0, -1 for those left out,
 * `levels` places that are told on the way. program: list(action, number), see above.
 * list(S, levels): of each level the diagonals (places x matrices), or one-sided the columns
 * (rows x places x matrices). */
SEXP ffi_carry(SEXP graph, SEXP theta, SEXP S, SEXP cut, SEXP program) {
    const struct ca_graph g = ffi_graph(graph);
    struct program own = {.carry = {.graph = &g, .theta = ffi_theta(theta, &g)}};
    read_program(&own, S, cut, program);
    const char *names[] = {"S", "levels", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_duplicate(S));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(VECSXP, own.n_levels));
    SEXP levels = VECTOR_ELT(out, 1);
    for (int l = 0; l < own.n_levels; l++) {
        const size_t lines = own.carry.two_sided ? 1 : (size_t)own.carry.rows;
        const R_xlen_t n = (R_xlen_t)((size_t)own.n_level[l] * lines * own.n_matrices);
        SET_VECTOR_ELT(levels, l, Rf_allocVector(REALSXP, n));
        memset(REAL(VECTOR_ELT(levels, l)), 0, sizeof(double) * (size_t)n);
    }
    run_program(&own, REAL(VECTOR_ELT(out, 0)), levels);
    UNPROTECT(1); /* out */
    return out;
}

/* Of each of the operations the input positions, from 1, that its taps meet: taps x positions,
 * NA for none. */
SEXP ffi_taps(SEXP graph, SEXP nodes) {
    const struct ca_graph g = ffi_graph(graph);
    if (TYPEOF(nodes) != INTSXP)
        ffi_bug("operations");
    SEXP out = PROTECT(Rf_allocVector(VECSXP, XLENGTH(nodes)));
    for (R_xlen_t j = 0; j < XLENGTH(nodes); j++) {
        const int node = INTEGER(nodes)[j];
        if (!(node >= 1 && node < g.n_nodes) || !ca_op_row(g.op[node].kind)->windowed)
            ffi_bug("operations");
        const struct ca_op *op = &g.op[node];
        SEXP taps = Rf_allocMatrix(INTSXP, op->n_taps, op->positions);
        SET_VECTOR_ELT(out, j, taps);
        for (size_t i = 0; i < (size_t)op->n_taps * (size_t)op->positions; i++)
            INTEGER(taps)[i] = op->map[i] < 0 ? NA_INTEGER : op->map[i] + 1;
    }
    UNPROTECT(1); /* out */
    return out;
}
