#include "flow-carry.h"

#include <string.h>

#include "workspace.h"

struct ca_carry ca_carry_new(const struct ca_cut *cut, const double *theta, bool two_sided,
                             int rows, bool constant) {
    const struct ca_graph *graph = cut->stages->graph;
    int widest = 1;
    for (int node = 0; node < graph->n_nodes; node++)
        if (graph->op[node].shape.channels > widest)
            widest = graph->op[node].shape.channels;
    struct ca_carry carry = {.cut = cut,
                             .theta = theta,
                             .two_sided = two_sided,
                             .rows = rows,
                             .size = cut->size + constant,
                             .constant = constant ? cut->size : -1};
    if (two_sided) {
        carry.one = ca_doubles((size_t)widest * (size_t)rows);
        carry.other = ca_doubles((size_t)widest * (size_t)rows);
    }
    return carry;
}

/* Columns of S (rows x channels) as they are. */
static double *columns(const struct ca_carry *carry, double *S, int place) {
    return S + (size_t)place * (size_t)carry->rows;
}

/* Rows of S, transposed, so that one kernel serves both sides. */
static void read_rows(const struct ca_carry *carry, const double *S, int place, int channels,
                      double *out) {
    const size_t n = (size_t)carry->size;
    for (size_t j = 0; j < n; j++)
        for (int c = 0; c < channels; c++)
            out[j + n * (size_t)c] = S[(size_t)place + (size_t)c + n * j];
}

static void write_rows(const struct ca_carry *carry, const double *in, int place, int channels,
                       double *S) {
    const size_t n = (size_t)carry->size;
    for (size_t j = 0; j < n; j++)
        for (int c = 0; c < channels; c++)
            S[(size_t)place + (size_t)c + n * j] = in[j + n * (size_t)c];
}

/* One tap, with the units that the operation computes in `own` and those that it reads in
 * `other`, both rows x channels. */
static void apply_tap(const struct ca_carry *carry, const struct ca_op *op,
                      const struct ca_tap *tap, double *own, double *other) {
    const struct ca_op_row *row = ca_op_row(op->kind);
    if (carry->cut->backward)
        row->pull(op, tap, carry->theta, carry->rows, own, carry->rows, other, carry->rows);
    else
        row->push(op, tap, carry->theta, carry->rows, other, carry->rows, own, carry->rows);
}

/* Position u of an operation, whose units are at `place`, on the columns of S. */
static void apply_columns(const struct ca_carry *carry, const struct ca_op *op, int u,
                          int place, double *S) {
    double *own = columns(carry, S, place);
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);) {
        const int other = ca_cut_place(carry->cut, t.tap.site);
        if (other >= 0)
            apply_tap(carry, op, &t.tap, own, columns(carry, S, other));
    }
    if (carry->constant < 0)
        return;
    double *constant = columns(carry, S, carry->constant);
    if (carry->cut->backward)
        ca_op_pull_constant(op, u, carry->theta, carry->rows, own, constant);
    else
        ca_op_add_constant(op, u, carry->theta, carry->rows, constant, own);
}

/* The same on the rows of S. */
static void apply_rows(const struct ca_carry *carry, const struct ca_op *op, int u, int place,
                       double *S) {
    const int channels = op->shape.channels;
    read_rows(carry, S, place, channels, carry->one);
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);) {
        const int other = ca_cut_place(carry->cut, t.tap.site);
        if (other < 0)
            continue;
        read_rows(carry, S, other, t.tap.channels, carry->other);
        apply_tap(carry, op, &t.tap, carry->one, carry->other);
        if (carry->cut->backward)
            write_rows(carry, carry->other, other, t.tap.channels, S);
    }
    if (!carry->cut->backward)
        write_rows(carry, carry->one, place, channels, S);
}

void ca_carry_stage(const struct ca_carry *carry, int stage, double *S) {
    const struct ca_stages *stages = carry->cut->stages;
    const struct ca_step step = ca_cut_stage_step(stages, stage);
    const struct ca_op *op = ca_cut_stage_op(stages, stage);
    for (int side = 0; side <= carry->two_sided; side++)
        for (int u = step.begin; u < step.end; u++) {
            const int place = carry->cut->at[stage] + (u - step.begin) * op->shape.channels;
            if (side == 0)
                apply_columns(carry, op, u, place, S);
            else
                apply_rows(carry, op, u, place, S);
        }
}

/* Adds rows and columns of the units `from`, times their mean gates, to those of the units
 * `to`. All products are formed before the first is added: down (n x size) of the rows, right
 * (n x size) of the columns, own (n x n) of the entries that are in both. rest (size) is 0 at
 * the units `from`. */
static void gates_two_sided(const struct ca_carry *carry, const struct ca_gates *gates,
                            double *S, double *work) {
    const size_t N = (size_t)carry->size, n = (size_t)gates->n;
    double *down = work, *right = down + n * N, *own = right + n * N, *rest = own + n * n;
    for (size_t r = 0; r < N; r++)
        rest[r] = 1;
    for (size_t z = 0; z < n; z++)
        rest[gates->from[z]] = 0;
    for (size_t r = 0; r < N; r++)
        for (size_t z = 0; z < n; z++)
            down[z + n * r] = rest[r] * gates->mean[z] * S[(size_t)gates->from[z] + N * r];
    for (size_t z = 0; z < n; z++)
        for (size_t r = 0; r < N; r++)
            right[r + N * z] = rest[r] * gates->mean[z] * S[r + N * (size_t)gates->from[z]];
    for (size_t y = 0; y < n; y++)
        for (size_t z = 0; z < n; z++)
            own[z + n * y] = gates->second[z + n * y] *
                             S[(size_t)gates->from[z] + N * (size_t)gates->from[y]];
    for (size_t r = 0; r < N; r++)
        for (size_t z = 0; z < n; z++)
            if (gates->to[z] >= 0)
                S[(size_t)gates->to[z] + N * r] += down[z + n * r];
    for (size_t y = 0; y < n; y++) {
        if (gates->to[y] < 0)
            continue;
        double *column = S + N * (size_t)gates->to[y];
        for (size_t r = 0; r < N; r++)
            column[r] += right[r + N * y];
        for (size_t z = 0; z < n; z++)
            if (gates->to[z] >= 0)
                column[gates->to[z]] += own[z + n * y];
    }
}

size_t ca_carry_gate_work(const struct ca_carry *carry, int n_gates) {
    const size_t n = (size_t)n_gates, N = (size_t)carry->size;
    return carry->two_sided ? 2 * n * N + n * n + N : 0;
}

void ca_carry_gates(const struct ca_carry *carry, const struct ca_gates *gates, double *S,
                    double *work) {
    if (carry->two_sided) {
        gates_two_sided(carry, gates, S, work);
        return;
    }
    const size_t rows = (size_t)carry->rows;
    for (int z = 0; z < gates->n; z++) {
        if (gates->to[z] < 0)
            continue;
        const double *from = S + rows * (size_t)gates->from[z];
        double *to = S + rows * (size_t)gates->to[z];
        for (size_t i = 0; i < rows; i++)
            to[i] += gates->mean[z] * from[i];
    }
}

void ca_carry_clear(const struct ca_carry *carry, int stage, double *S) {
    const size_t n = (size_t)ca_cut_stage_units(carry->cut->stages, stage);
    const size_t at = (size_t)carry->cut->at[stage], ld = (size_t)carry->rows;
    memset(S + at * ld, 0, sizeof(double) * n * ld);
    for (size_t j = 0; carry->two_sided && j < (size_t)carry->size; j++)
        memset(S + at + j * ld, 0, sizeof(double) * n);
}

void ca_carry_begin(const struct ca_carry *carry, const struct ca_ties *ties, int n_members,
                    double *S) {
    const size_t rows = (size_t)carry->rows, m = rows / (size_t)n_members;
    for (int t = 0; t < ties->n; t++) {
        if (ties->to[t] < 0)
            continue;
        const double *from = S + rows * (size_t)ties->from[t];
        double *to = S + rows * (size_t)ties->to[t] + m * (size_t)ties->member[t];
        for (size_t o = 0; o < m; o++)
            to[o] += from[o];
    }
}

/* With I_k the ties of member k: S^(kl) += I_k S^(Bl) + S^(kB) I_l' + I_k S^(BB) I_l'. begin[k]
 * is the first tie of member k. */
static void begin_pair(const struct ca_carry *carry, const struct ca_ties *ties, int k, int l,
                       double *S, const int *begin) {
    const size_t N = (size_t)carry->size, each = N * N, first = (size_t)l * ((size_t)l + 1) / 2;
    double *own = S + each * (first + (size_t)k);
    const double *Bl = S + each * first, *BB = S;
    const double *Bk = S + each * ((size_t)k * ((size_t)k + 1) / 2);
    for (int t = begin[k]; t < begin[k + 1]; t++)
        for (size_t r = 0; r < N && ties->to[t] >= 0; r++)
            own[(size_t)ties->to[t] + N * r] += Bl[(size_t)ties->from[t] + N * r];
    for (int t = begin[l]; t < begin[l + 1]; t++)
        for (size_t r = 0; r < N && ties->to[t] >= 0; r++)
            own[r + N * (size_t)ties->to[t]] +=
                k == 0 ? BB[r + N * (size_t)ties->from[t]] : Bk[(size_t)ties->from[t] + N * r];
    for (int t = begin[k]; t < begin[k + 1]; t++)
        for (int s = begin[l]; s < begin[l + 1]; s++)
            if (ties->to[t] >= 0 && ties->to[s] >= 0)
                own[(size_t)ties->to[t] + N * (size_t)ties->to[s]] +=
                    BB[(size_t)ties->from[t] + N * (size_t)ties->from[s]];
}

void ca_carry_begin_pairs(const struct ca_carry *carry, const struct ca_ties *ties,
                          int n_members, double *S, int *begin) {
    for (int k = 0, t = 0; k <= n_members; k++) {
        while (t < ties->n && ties->member[t] < k)
            t++;
        begin[k] = t;
    }
    /* the moments with B change last: the others are computed from their old values */
    for (int with_B = 0; with_B < 2; with_B++)
        for (int l = 1; l < n_members; l++) {
            if (with_B)
                begin_pair(carry, ties, 0, l, S, begin);
            else
                for (int k = 1; k <= l; k++)
                    begin_pair(carry, ties, k, l, S, begin);
        }
}
