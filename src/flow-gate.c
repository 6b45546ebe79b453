#include "flow-gate.h"

#include <string.h>

#include "linalg.h"
#include "workspace.h"

size_t ca_gate_count(const struct ca_op *op) {
    if (ca_op_is_linear(ca_op_row(op->kind)))
        return 0;
    return (size_t)op->positions * (size_t)op->shape.channels * (size_t)op->n_taps;
}

size_t *ca_gate_first(const struct ca_graph *graph, size_t *n_gates) {
    size_t *first = ca_sizes((size_t)graph->n_nodes);
    *n_gates = 0;
    for (int node = 0; node < graph->n_nodes; node++) {
        first[node] = *n_gates;
        *n_gates += node > 0 ? ca_gate_count(&graph->op[node]) : 0;
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

/* Visits the gains of all taps of nonlinear operations at live sites, in the order of gates:
 *   for (struct gains g = gains_of(jet, first); next_gain(&g);) */
struct gains {
    struct ca_jet *jet;
    const size_t *first;
    int node, u, k;
    size_t gate; /* of the first channel */
    int channels;
    const double *gain; /* rows x channels */
};

static struct gains gains_of(struct ca_jet *jet, const size_t *first) {
    return (struct gains){.jet = jet, .first = first, .node = 0, .k = -1};
}

static bool next_gain(struct gains *g) {
    const struct ca_graph *graph = g->jet->graph;
    for (;;) {
        const struct ca_op *op = &graph->op[g->node];
        const bool nonlinear = g->node > 0 && !ca_op_is_linear(ca_op_row(op->kind));
        if (nonlinear && ++g->k < op->n_taps) {
            if (!graph->live[graph->first[g->node] + (size_t)g->u])
                continue;
            g->channels = op->shape.channels;
            g->gate = g->first[g->node] +
                      ((size_t)g->u * (size_t)op->n_taps + (size_t)g->k) * (size_t)g->channels;
            g->gain = ca_gate(g->jet, g->node, g->u, g->k);
            return true;
        }
        g->k = -1;
        if (nonlinear && ++g->u < op->positions)
            continue;
        g->u = 0;
        if (++g->node >= graph->n_nodes)
            return false;
    }
}

void ca_gate_squares(struct ca_jet *jet, const size_t *first, double *square) {
    const size_t rows = (size_t)jet->rows;
    for (struct gains g = gains_of(jet, first); next_gain(&g);)
        for (int c = 0; c < g.channels; c++) {
            const double *gain = g.gain + rows * (size_t)c;
            square[g.gate + (size_t)c] += ca_dot(rows, gain, gain);
        }
}

enum ca_status ca_gate_sets_new(const struct ca_graph *graph, int n, struct ca_gate_set *set,
                                struct ca_gate_sets *sets) {
    *sets = (struct ca_gate_sets){.n = n, .set = set};
    sets->first = ca_gate_first(graph, &sets->n_gates);
    int *set_of = ca_ints(sets->n_gates), *index = ca_ints(sets->n_gates);
    for (size_t i = 0; i < sets->n_gates; i++)
        set_of[i] = -1;
    for (int s = 0; s < n; s++)
        for (int z = 0; z < set[s].n; z++) {
            const int gate = set[s].gate[z];
            if (gate < 0 || (size_t)gate >= sets->n_gates || set_of[gate] >= 0)
                return CA_BAD_GRAPH;
            set_of[gate] = s;
            index[gate] = z;
        }
    sets->set_of = set_of;
    sets->index = index;
    return CA_OK;
}

size_t ca_gate_sets_size(const struct ca_gate_sets *sets) {
    size_t n = 0;
    for (int i = 0; i < sets->n; i++)
        n += (size_t)sets->set[i].n;
    return n;
}

void ca_gate_values(struct ca_jet *jet, const struct ca_gate_sets *sets, size_t ld,
                    double *values) {
    const size_t rows = (size_t)jet->rows;
    size_t *skip = ca_sizes((size_t)sets->n + 1); /* gates of the sets before */
    skip[0] = 0;
    for (int i = 0; i < sets->n; i++)
        skip[i + 1] = skip[i] + (size_t)sets->set[i].n;
    for (size_t z = 0; z < skip[sets->n]; z++)
        memset(values + ld * z, 0, sizeof(double) * rows);
    for (struct gains g = gains_of(jet, sets->first); next_gain(&g);)
        for (int c = 0; c < g.channels; c++) {
            const size_t gate = g.gate + (size_t)c;
            if (sets->set_of[gate] < 0)
                continue;
            const size_t z = skip[sets->set_of[gate]] + (size_t)sets->index[gate];
            memcpy(values + ld * z, g.gain + rows * (size_t)c, sizeof(double) * rows);
        }
}

void ca_gate_moments(struct ca_jet *jet, const struct ca_gate_sets *sets, double *values) {
    const size_t rows = (size_t)jet->rows;
    ca_gate_values(jet, sets, rows, values);
    for (int i = 0; i < sets->n; i++) {
        const struct ca_gate_set *set = &sets->set[i];
        for (int z = 0; z < set->n; z++)
            for (size_t r = 0; r < rows; r++)
                set->mean[z] += values[rows * (size_t)z + r];
        ca_gram_add(set->n, jet->rows, values, jet->rows, set->second);
        values += rows * (size_t)set->n;
    }
}
