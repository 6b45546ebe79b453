#include "flow-program.h"

#include <math.h>
#include <string.h>

#include "workspace.h"

/* --- gates of an item -------------------------------------------------------------------- */

/* The gates of a stage: their numbers, and the places of the units that they compute and read.
 */
static void stage_gates(const struct ca_cut *cut, const struct ca_gate_sets *sets, int b,
                        int *gate, int *from, int *to) {
    const struct ca_step step = ca_cut_stage_step(cut->stages, b);
    const struct ca_graph *graph = cut->stages->graph;
    const struct ca_op *op = &graph->op[step.node];
    const int C = op->shape.channels;
    size_t number = sets->first[step.node] + (size_t)step.begin * (size_t)(op->n_taps * C);
    for (int u = step.begin; u < step.end; u++)
        for (int k = 0; k < op->n_taps; k++) {
            struct ca_tap tap;
            const bool reads = ca_op_row(op->kind)->tap(op, u, k, &tap);
            const int own = ca_cut_place(cut, graph->first[step.node] + (size_t)u);
            const int other = reads ? ca_cut_place(cut, tap.site) : -1;
            for (int c = 0; c < C; c++) {
                *gate++ = (int)number++;
                *from++ = own + c;
                *to++ = other < 0 ? -1 : other + c;
            }
        }
}

/* The entries of a set's second moments that belong to n gates, given by their indices in it.
 */
static const double *pick_second(const struct ca_gate_set *set, int n, const int *index) {
    bool whole = set->n == n;
    for (int z = 0; whole && z < n; z++)
        whole = index[z] == z;
    if (whole)
        return set->second;
    double *second = ca_doubles((size_t)n * (size_t)n);
    for (int y = 0; y < n; y++)
        for (int z = 0; z < n; z++)
            second[(size_t)z + (size_t)n * (size_t)y] =
                set->second[(size_t)index[z] + (size_t)set->n * (size_t)index[y]];
    return second;
}

/* Moments of the gates of an item, which must be in one set. */
static enum ca_status gate_moments(const struct ca_gate_source *source, int n, const int *gate,
                                   bool two_sided, struct ca_gates *gates) {
    const struct ca_gate_sets *sets = &source->sets;
    double *mean = ca_doubles((size_t)n);
    gates->mean = mean;
    if (source->square != NULL) {
        for (int z = 0; z < n; z++)
            mean[z] = sqrt(source->square[gate[z]]);
        return two_sided && n > 0 ? CA_BAD_GRAPH : CA_OK;
    }
    int *index = ca_ints((size_t)n);
    for (int z = 0; z < n; z++) {
        const int set = sets->set_of[gate[z]];
        if (set < 0 || set != sets->set_of[gate[0]])
            return CA_BAD_GRAPH;
        index[z] = sets->index[gate[z]];
        mean[z] = sets->set[set].mean[index[z]];
    }
    if (two_sided && n > 0)
        gates->second = pick_second(&sets->set[sets->set_of[gate[0]]], n, index);
    return CA_OK;
}

static enum ca_status item_gates(const struct ca_cut *cut, int item, bool two_sided,
                                 const struct ca_gate_source *source, struct ca_gates *gates) {
    const struct ca_lists *items = &cut->items;
    size_t n = 0;
    for (int i = items->first[item]; i < items->first[item + 1]; i++)
        n += (size_t)ca_cut_stage_units(cut->stages, items->stage[i]) *
             (size_t)ca_cut_stage_op(cut->stages, items->stage[i])->n_taps;
    int *gate = ca_ints(n), *from = ca_ints(n), *to = ca_ints(n);
    *gates = (struct ca_gates){.n = (int)n, .from = from, .to = to};
    size_t z = 0;
    for (int i = items->first[item]; i < items->first[item + 1]; i++) {
        const int b = items->stage[i];
        if (cut->at[b] < 0)
            return CA_BAD_GRAPH;
        stage_gates(cut, &source->sets, b, gate + z, from + z, to + z);
        z += (size_t)ca_cut_stage_units(cut->stages, b) *
             (size_t)ca_cut_stage_op(cut->stages, b)->n_taps;
    }
    return gate_moments(source, (int)n, gate, two_sided, gates);
}

/* --- planning ---------------------------------------------------------------------------- */

enum ca_status ca_program_new(const struct ca_cut *cut, const double *theta, bool two_sided,
                              int rows, bool constant, const struct ca_gate_source *source,
                              struct ca_program *program) {
    const size_t n_items = (size_t)cut->items.n;
    struct ca_gates *gates = ca_bytes(n_items, sizeof *gates);
    memset(gates, 0, sizeof *gates * n_items);
    *program = (struct ca_program){.gates = gates, .n_members = 1};
    program->carry = ca_carry_new(cut, theta, two_sided, rows, constant);
    size_t most = 0;
    for (int i = 0; i < cut->items.n; i++) {
        if (ca_cut_item_is_linear(cut, i))
            continue;
        const enum ca_status status = item_gates(cut, i, two_sided, source, &gates[i]);
        if (status != CA_OK)
            return status;
        const size_t work = ca_carry_gate_work(&program->carry, gates[i].n);
        most = work > most ? work : most;
    }
    program->work = ca_doubles(most);
    return CA_OK;
}

/* A node is recorded before the first item that processes one of its stages, or in a loop one
 * of the stages of that loop. A node without a place is recorded at the end, with the constant.
 */
static int record_time(const struct ca_cut *cut, int node) {
    const struct ca_op *op = cut->stages->graph->op;
    int when = -1;
    for (int b = 0; b < cut->stages->n; b++) {
        const int other = ca_cut_stage_step(cut->stages, b).node;
        const bool own =
            other == node || (op[node].loop > 0 && op[other].loop == op[node].loop);
        if (own && cut->at[b] >= 0 && (when < 0 || cut->item[b] < when))
            when = cut->item[b];
    }
    return when < 0 ? cut->items.n : when;
}

void ca_program_record(struct ca_program *program, int n, const struct ca_record *record) {
    int *when = ca_ints((size_t)n);
    for (int i = 0; i < n; i++)
        when[i] = record_time(program->carry.cut, record[i].node);
    program->n_records = n;
    program->record = record;
    program->when = when;
}

/* --- running ----------------------------------------------------------------------------- */

/* Column `place` of S, or two-sided its diagonal entry; zeros where the place is -1. */
static double *record_unit(const struct ca_carry *carry, int place, const double *S,
                           double *out) {
    const size_t ld = (size_t)carry->rows, rows = carry->two_sided ? 1 : ld;
    const double *column = S + ld * (size_t)(place < 0 ? 0 : place);
    for (size_t r = 0; r < rows; r++)
        out[r] = place < 0 ? 0 : column[carry->two_sided ? (size_t)place : r];
    return out + rows;
}

static void record_matrix(const struct ca_program *program, int item, const double *S,
                          size_t number) {
    const struct ca_carry *carry = &program->carry;
    const struct ca_graph *graph = carry->cut->stages->graph;
    const size_t rows = carry->two_sided ? 1 : (size_t)carry->rows;
    for (int i = 0; i < program->n_records; i++) {
        if (program->when[i] != item)
            continue;
        const int node = program->record[i].node;
        const struct ca_op *op = &graph->op[node];
        const size_t units = ca_units(op) + (carry->constant >= 0);
        double *out = program->record[i].out + rows * units * number;
        for (int u = 0; u < op->positions; u++) {
            const int at = ca_cut_place(carry->cut, graph->first[node] + (size_t)u);
            for (int c = 0; c < op->shape.channels; c++)
                out = record_unit(carry, at < 0 ? -1 : at + c, S, out);
        }
        if (carry->constant >= 0)
            record_unit(carry, carry->constant, S, out);
    }
}

/* Of n matrices; of a family, matrix l (l + 1) / 2 + k holds S^(kl), and those with k = 0 are
 * B's. */
static void record_matrices(const struct ca_program *program, int item, size_t n,
                            const double *S, size_t first) {
    const struct ca_carry *carry = &program->carry;
    const size_t each = (size_t)carry->rows * (size_t)carry->size;
    const bool family = program->n_members > 1 && carry->two_sided;
    for (size_t p = 0, l = 0; p < n; p++) {
        if (family && p == (l + 1) * (l + 2) / 2)
            l++;
        if (!family)
            record_matrix(program, item, S + each * p, first + p);
        else if (p != l * (l + 1) / 2)
            record_matrix(program, item, S + each * p, first + p - l - 1);
    }
}

static void apply_item(const struct ca_program *program, int item, double *S) {
    const struct ca_carry *carry = &program->carry;
    const struct ca_lists *items = &carry->cut->items, *closing = &carry->cut->closing;
    const int first = items->stage[items->first[item]];
    if (!ca_cut_item_is_linear(carry->cut, item))
        ca_carry_gates(carry, &program->gates[item], S, program->work);
    else if (carry->cut->at[first] >= 0)
        ca_carry_stage(carry, first, S);
    for (int i = closing->first[item]; i < closing->first[item + 1]; i++)
        ca_carry_clear(carry, closing->stage[i], S);
}

static void begin_vectors(const struct ca_program *program, int item, double *S) {
    if (program->ties == NULL || program->ties[item].n == 0)
        return;
    if (program->carry.two_sided)
        ca_carry_begin_pairs(&program->carry, &program->ties[item], program->n_members, S,
                             program->begin);
    else
        ca_carry_begin(&program->carry, &program->ties[item], program->n_members, S);
}

void ca_program_run(const struct ca_program *program, int until, size_t n, double *S,
                    size_t first) {
    enum { BETWEEN_CHECKS = 256 };
    const size_t each = (size_t)program->carry.rows * (size_t)program->carry.size;
    const int n_items = program->carry.cut->items.n;
    size_t done = 0;
    for (int item = 0; item < until; item++) {
        record_matrices(program, item, n, S, first);
        begin_vectors(program, item, S);
        for (size_t p = 0; p < n; p++) {
            apply_item(program, item, S + each * p);
            if (program->check_interrupt != NULL && done++ % BETWEEN_CHECKS == 0)
                program->check_interrupt();
        }
    }
    if (until == n_items)
        record_matrices(program, until, n, S, first);
}
