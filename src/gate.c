#include "gate.h"

#include "linalg.h"
#include "workspace.h"

size_t *ca_gate_first(const struct ca_graph *graph, size_t *n_gates) {
    size_t *first = ca_sizes((size_t)graph->n_nodes);
    *n_gates = 0;
    for (int node = 0; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        first[node] = *n_gates;
        if (node > 0 && !ca_op_is_linear(ca_op_row(op->kind)))
            *n_gates += (size_t)op->positions * (size_t)op->shape.channels * (size_t)op->n_taps;
    }
    return first;
}

const double *ca_gate(struct ca_jet *jet, int node, int u, int k) {
    const struct ca_graph *graph = jet->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    struct ca_tap tap;
    for (int i = 0; i < op->n_taps; i++)
        jet->in[i] = row->tap(op, u, i, &tap) ? ca_at(&jet->X, tap.site) : NULL;
    return row->gain(op, k, jet->rows, jet->in,
                     ca_at(&jet->slope, graph->first[node] + (size_t)u), jet->scratch);
}

/* Of every channel of gain (rows x channels). */
static void add_squares(int rows, int channels, const double *gain, double *square) {
    for (int c = 0; c < channels; c++, gain += rows)
        square[c] += ca_dot((size_t)rows, gain, gain);
}

void ca_gate_squares(struct ca_jet *jet, const size_t *first, double *square) {
    const struct ca_graph *graph = jet->graph;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        if (ca_op_is_linear(ca_op_row(op->kind)))
            continue;
        double *own = square + first[node];
        for (int u = 0; u < op->positions; u++)
            for (int k = 0; k < op->n_taps; k++, own += op->shape.channels)
                if (graph->live[graph->first[node] + (size_t)u])
                    add_squares(jet->rows, op->shape.channels, ca_gate(jet, node, u, k), own);
    }
}
