#include "carry.h"

#include <string.h>

#include "linalg.h"
#include "workspace.h"

const int *ca_blocks(const struct ca_graph *graph) {
    int *block = ca_ints(graph->n_sites);
    for (int u = 0; u < graph->op[0].positions; u++)
        block[u] = 0;
    for (size_t s = 0; s < graph->n_steps; s++)
        for (int u = graph->step[s].begin; u < graph->step[s].end; u++)
            block[graph->first[graph->step[s].node] + (size_t)u] = (int)s + 1;
    return block;
}

/* Where the units of a site are, or -1. */
static int place(const struct ca_carry *carry, size_t site) {
    const struct ca_graph *graph = carry->graph;
    const int block = carry->block_of[site], at = carry->at[block];
    if (at < 0)
        return -1;
    const int node = block == 0 ? 0 : graph->step[block - 1].node;
    const int begin = block == 0 ? 0 : graph->step[block - 1].begin;
    return at +
           (int)(site - graph->first[node] - (size_t)begin) * graph->op[node].shape.channels;
}

/* Lines (columns or rows) of S from `from` on, plus scale times those from `to` on. */
struct lines {
    double *S;
    int rows, ld;
    int across; /* rows of S instead of columns; then `rows` is their length, too */
};

static void add_lines(struct lines s, int n, double scale, int from, int to) {
    const int outer = s.across ? s.rows : n, inner = s.across ? n : s.rows;
    const size_t line = s.across ? 1 : (size_t)s.ld;
    for (int j = 0; j < outer; j++) {
        const double *x = s.S + (size_t)from * line + (size_t)j * (size_t)s.ld;
        double *y = s.S + (size_t)to * line + (size_t)j * (size_t)s.ld;
        for (int i = 0; i < inner; i++)
            y[i] += scale * x[i];
    }
}

/* Through the block K (filters x channels of a group, leading dimension ld_K) of one group:
 * channels' lines += K' filters' lines (backward), or filters' += K channels'. */
static void multiply_lines(struct lines s, int backward, int fg, int cg, const double *K,
                           int ld_K, int filters, int channels) {
    const size_t line = s.across ? 1 : (size_t)s.ld;
    double *y = s.S + (size_t)filters * line, *x = s.S + (size_t)channels * line;
    if (!s.across && backward)
        ca_gemm_nn(s.rows, cg, fg, y, s.ld, K, ld_K, x, s.ld);
    else if (!s.across)
        ca_gemm_nt(s.rows, fg, cg, x, s.ld, K, ld_K, y, s.ld);
    else if (backward)
        ca_gemm_tn(cg, s.rows, fg, K, ld_K, y, s.ld, x, s.ld);
    else
        ca_gemm_nn(fg, s.rows, cg, K, ld_K, x, s.ld, y, s.ld);
}

static void take_tap(const struct ca_carry *carry, const struct ca_op *op,
                     const struct ca_tap *tap, int own, int other, struct lines s) {
    if (op->kind != CA_OP_LINEAR) {
        if (carry->backward)
            add_lines(s, tap->channels, tap->scale, own + tap->to, other);
        else
            add_lines(s, tap->channels, tap->scale, other, own + tap->to);
        return;
    }
    const int filters = op->shape.channels, fg = filters / op->groups;
    const int cg = ca_op_group_channels(op);
    for (int g = 0; g < op->groups; g++)
        multiply_lines(s, carry->backward, fg, cg, carry->theta + tap->theta + g * fg, filters,
                       own + g * fg, other + g * cg);
}

/* The column of the constant: biases add their share to it, or read it. */
static void take_bias(const struct ca_carry *carry, const struct ca_op *op, int u, int own,
                      double *S) {
    const double *b = carry->theta + ca_op_theta(op, u);
    double *constant = S + (size_t)carry->constant * (size_t)carry->rows;
    for (int c = 0; c < op->shape.channels; c++) {
        double *y = S + (size_t)(own + c) * (size_t)carry->rows;
        for (int i = 0; i < carry->rows; i++)
            if (carry->backward)
                constant[i] += b[c] * y[i];
            else
                y[i] += b[c] * constant[i];
    }
}

void ca_carry_step(const struct ca_carry *carry, int block, double *S) {
    const struct ca_graph *graph = carry->graph;
    const struct ca_step *step = &graph->step[block - 1];
    const struct ca_op *op = &graph->op[step->node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    for (int across = 0; across <= carry->two_sided; across++) {
        const struct lines s = {S, carry->rows, carry->rows, across};
        for (int u = step->begin; u < step->end; u++) {
            const int own = place(carry, graph->first[step->node] + (size_t)u);
            struct ca_tap tap;
            for (int k = 0; k < op->n_taps; k++) {
                if (!row->tap(op, u, k, &tap))
                    continue;
                const int other = place(carry, tap.site);
                if (other >= 0)
                    take_tap(carry, op, &tap, own, other, s);
            }
            if (op->kind == CA_OP_BIAS && carry->constant >= 0 && across == 0)
                take_bias(carry, op, u, own, S);
        }
    }
}

/* Lines of the units `from`, each times its mean gate, are added to those of the units `to`;
 * down (n x size) holds rows, right (n x size) columns, own (n x n) both. */
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

void ca_carry_clear(const struct ca_carry *carry, int block, double *S) {
    const struct ca_graph *graph = carry->graph;
    const struct ca_step *step = &graph->step[block > 0 ? block - 1 : 0];
    const struct ca_op *op = &graph->op[block > 0 ? step->node : 0];
    const int positions = block > 0 ? step->end - step->begin : op->positions;
    const size_t n = (size_t)positions * (size_t)op->shape.channels,
                 at = (size_t)carry->at[block];
    const size_t ld = (size_t)carry->rows;
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

/* With I_k from `from` to `to`: S^(kl) += I_k S^(Bl) + S^(kB) I_l' + I_k S^(BB) I_l'. */
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
    /* those with B change last: the others need them as they were */
    for (int with_B = 0; with_B < 2; with_B++)
        for (int l = 1; l < n_members; l++) {
            if (with_B)
                begin_pair(carry, ties, 0, l, S, begin);
            else
                for (int k = 1; k <= l; k++)
                    begin_pair(carry, ties, k, l, S, begin);
        }
}
