#include "flow-propagate.h"

#include <math.h>
#include <string.h>

#include "flow-gate.h"
#include "workspace.h"

/* For each node the last node before it that all paths from the input to it pass. Delayed edges
 * of a loop are left out, since their paths have passed the loop before; a node that reads
 * delayed edges only has no such node (-1). */
static int *shared_nodes(const struct ca_graph *graph) {
    int *shared = ca_ints((size_t)graph->n_nodes);
    shared[0] = 0;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        int both = -1;
        for (int i = 0; i < op->n_from; i++) {
            int other = op->from[i];
            if (other >= node || shared[other] < 0)
                continue;
            while (both >= 0 && both != other)
                if (both > other)
                    both = shared[both];
                else
                    other = shared[other];
            both = other;
        }
        shared[node] = both;
    }
    return shared;
}

struct ca_flow ca_flow_new(const struct ca_graph *graph, const double *theta) {
    struct ca_flow flow = {.graph = graph};
    size_t widest = 1;
    flow.unit = ca_sizes(graph->n_sites);
    flow.gate_at = ca_gate_first(graph, &flow.n_gates);
    for (int node = 0; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        const size_t channels = (size_t)op->shape.channels;
        for (int u = 0; u < op->positions; u++)
            flow.unit[graph->first[node] + (size_t)u] = flow.n_units + (size_t)u * channels;
        flow.n_units += ca_units(op);
        widest = channels > widest ? channels : widest;
    }
    double *square = ca_doubles(graph->n_params);
    for (size_t k = 0; k < graph->n_params; k++)
        square[k] = theta[k] * theta[k];
    flow.square = square;
    flow.capacity = ca_doubles(flow.n_units);
    flow.gain = ca_doubles(flow.n_units);
    memset(flow.capacity, 0, sizeof(double) * flow.n_units);
    memset(flow.gain, 0, sizeof(double) * flow.n_units);
    flow.shared = shared_nodes(graph);
    flow.one = ca_doubles(4 * widest);
    flow.norm = flow.one + widest;
    flow.part = flow.norm + widest;
    flow.weight = flow.part + widest;
    for (size_t c = 0; c < widest; c++)
        flow.one[c] = 1;
    return flow;
}

static const double *gate_of(const struct ca_flow *flow, const struct ca_op *op, int u, int k) {
    const size_t node = (size_t)(op - flow->graph->op);
    return flow->gate + flow->gate_at[node] +
           ((size_t)k + (size_t)op->n_taps * (size_t)u) * (size_t)op->shape.channels;
}

/* out (channels) += squared weights of a tap times in */
static void push_squares(const struct ca_flow *flow, const struct ca_op *op, int u, int k,
                         struct ca_tap tap, const double *in, double *out) {
    const struct ca_op_row *row = ca_op_row(op->kind);
    if (ca_op_is_linear(row)) {
        tap.scale *= tap.scale;
        row->push(op, &tap, flow->square, 1, in, 1, out, 1);
        return;
    }
    const double *gate = gate_of(flow, op, u, k);
    for (int c = 0; c < tap.channels; c++)
        out[c] += gate[c] * in[c];
}

/* in (channels that the tap reads) += their transpose times out */
static void pull_squares(const struct ca_flow *flow, const struct ca_op *op, int u, int k,
                         struct ca_tap tap, const double *out, double *in) {
    const struct ca_op_row *row = ca_op_row(op->kind);
    if (ca_op_is_linear(row)) {
        tap.scale *= tap.scale;
        row->pull(op, &tap, flow->square, 1, out, 1, in, 1);
        return;
    }
    const double *gate = gate_of(flow, op, u, k);
    for (int c = 0; c < tap.channels; c++)
        in[c] += gate[c] * out[c];
}

/* out (channels) += the squared constants of position u, if the operation has constants */
static void add_squared_constant(const struct ca_flow *flow, const struct ca_op *op, int u,
                                 double *out) {
    const double one = 1;
    ca_op_add_constant(op, u, flow->square, 1, &one, out);
}

/* Whether a node sums branches that each have a gain. The sum inside a recurrence is not one:
 * it is one row of its layer. */
static bool is_branched(const struct ca_op *op) {
    return ca_op_row(op->kind)->sums && op->loop == 0;
}

/* out (channels) = the squared norms of the rows [A b] that compute position u of a node, 1 for
 * nodes without weights. A loop instead of recursion, since a description may have any number
 * of biases one after the other. */
static void row_norms(const struct ca_flow *flow, const struct ca_op *op, int u, double *out) {
    const size_t channels = (size_t)op->shape.channels;
    const struct ca_op *const ops = flow->graph->op, *row = op;
    while (ca_op_row(row->kind)->constant)
        row = &ops[row->from[0]];
    if (ca_op_row(row->kind)->multiplies) {
        memset(out, 0, sizeof(double) * channels);
        for (struct ca_taps t = ca_taps_of(row, u); ca_next_tap(&t);)
            push_squares(flow, row, u, t.k, t.tap, flow->one, out);
    } else {
        memcpy(out, flow->one, sizeof(double) * channels);
    }
    for (; op != row; op = &ops[op->from[0]])
        add_squared_constant(flow, op, u, out);
}

/* G of the channels that tap k reads. */
static const double *weigh(const struct ca_flow *flow, const struct ca_op *op, int u, int k,
                           const struct ca_tap *tap) {
    const struct ca_op_row *row = ca_op_row(op->kind);
    if (is_branched(op))
        return flow->gain + flow->unit[tap->site];
    if (!row->sums && !row->constant)
        return flow->one;
    row_norms(flow, &flow->graph->op[op->from[k]], u, flow->weight);
    return flow->weight;
}

/* G of all units between the last node that the branches of step s share and that step. */
static void measure_gains(struct ca_flow *flow, size_t s) {
    const struct ca_graph *graph = flow->graph;
    const int nearest = flow->shared[graph->step[s].node], from = nearest < 0 ? 0 : nearest;
    const struct ca_op *source = &graph->op[from];
    double *gain = flow->gain + flow->unit[graph->first[from]];
    for (size_t i = 0; i < ca_units(source); i++)
        gain[i] = 1;
    size_t begin = s;
    while (begin > 0 && graph->step[begin - 1].node > from)
        begin--;
    struct ca_walk w = ca_forwards(graph);
    for (w.begin = begin, w.end = s; ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        double *own = flow->gain + flow->unit[w.site];
        memset(own, 0, sizeof(double) * (size_t)w.op->shape.channels);
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);)
            push_squares(flow, w.op, w.u, t.k, t.tap, flow->gain + flow->unit[t.tap.site], own);
        add_squared_constant(flow, w.op, w.u, own);
    }
}

/* Divides the capacity of position u of a node among the units that it reads. */
static enum ca_status divide(struct ca_flow *flow, int node, int u) {
    const struct ca_graph *graph = flow->graph;
    const struct ca_op *op = &graph->op[node];
    const int channels = op->shape.channels;
    const double *kappa = flow->capacity + flow->unit[graph->first[node] + (size_t)u];
    memset(flow->norm, 0, sizeof(double) * (size_t)channels);
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);)
        push_squares(flow, op, u, t.k, t.tap, weigh(flow, op, u, t.k, &t.tap), flow->norm);
    memset(flow->part, 0, sizeof(double) * (size_t)channels);
    add_squared_constant(flow, op, u, flow->part);
    for (int c = 0; c < channels; c++) {
        const double b2 = flow->part[c];
        const double norm = flow->norm[c] + b2;
        if (!isfinite(norm) || !isfinite(kappa[c]))
            return CA_NONFINITE;
        if (norm > 0)
            flow->constant += kappa[c] * (b2 / norm);
        else
            flow->lost += kappa[c];
        flow->norm[c] = norm > 0 ? kappa[c] / norm : 0;
    }
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);) {
        double *to = flow->capacity + flow->unit[t.tap.site];
        memset(flow->part, 0, sizeof(double) * (size_t)t.tap.channels);
        pull_squares(flow, op, u, t.k, t.tap, flow->norm, flow->part);
        const double *G = weigh(flow, op, u, t.k, &t.tap);
        for (int c = 0; c < t.tap.channels; c++)
            to[c] += G[c] * flow->part[c];
    }
    return CA_OK;
}

static bool holds(const double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0)
            return true;
    return false;
}

static void record(const struct ca_flow *flow, struct ca_level *level) {
    const struct ca_graph *graph = flow->graph;
    const size_t n = ca_units(&graph->op[level->node]);
    memcpy(level->units, flow->capacity + flow->unit[graph->first[level->node]],
           sizeof(double) * n);
    level->constant = flow->constant;
    level->lost = flow->lost;
}

/* The last node of the loop that a node belongs to. The capacities of its nodes are complete
 * only after the whole loop has run. */
static int loop_end(const struct ca_graph *graph, int node) {
    const int loop = graph->op[node].loop;
    while (loop > 0 && node + 1 < graph->n_nodes && graph->op[node + 1].loop == loop)
        node++;
    return node;
}

enum ca_status ca_flow_run(struct ca_flow *flow, struct ca_level *level, size_t n_levels) {
    const struct ca_graph *graph = flow->graph;
    for (size_t s = graph->n_steps; s-- > 0;) {
        const struct ca_step *step = &graph->step[s];
        for (; n_levels > 0 && step->node <= loop_end(graph, level[n_levels - 1].node);
             n_levels--)
            record(flow, &level[n_levels - 1]);
        const struct ca_op *op = &graph->op[step->node];
        const double *own = flow->capacity + flow->unit[graph->first[step->node]];
        if (!holds(own, ca_units(op)))
            continue;
        if (is_branched(op))
            measure_gains(flow, s);
        for (int u = step->end; u-- > step->begin;) {
            if (!holds(own + (size_t)u * (size_t)op->shape.channels,
                       (size_t)op->shape.channels))
                continue;
            const enum ca_status status = divide(flow, step->node, u);
            if (status != CA_OK)
                return status;
        }
    }
    while (n_levels-- > 0)
        record(flow, &level[n_levels]);
    return CA_OK;
}

/* Sums over outputs of the squared derivatives of outputs by units, into gain. */
static void square_sensitivities(struct ca_flow *flow) {
    const struct ca_graph *graph = flow->graph;
    memset(flow->gain, 0, sizeof(double) * flow->n_units);
    double *output = flow->gain + flow->unit[graph->first[graph->output]];
    for (size_t i = 0; i < graph->n_outputs; i++)
        output[i] = 1;
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);) {
        const double *own = flow->gain + flow->unit[w.site];
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);)
            pull_squares(flow, w.op, w.u, t.k, t.tap, own, flow->gain + flow->unit[t.tap.site]);
    }
}

/* sum (channels) = the squared sensitivities of the filters, summed over the positions begin <=
 * u < end at which tap k reads a unit. */
static void sum_sensitivities(const struct ca_flow *flow, const struct ca_op *op, int k,
                              int begin, int end, double *sum) {
    const double *own = flow->gain + flow->unit[flow->graph->first[op - flow->graph->op]];
    struct ca_tap tap;
    memset(sum, 0, sizeof(double) * (size_t)op->shape.channels);
    for (int u = begin; u < end; u++)
        if (ca_op_row(op->kind)->own(op, u, k, &tap))
            for (int f = 0; f < op->shape.channels; f++)
                sum[f] += own[(size_t)u * (size_t)op->shape.channels + (size_t)f];
}

/* Capacity 1 for each parameter of tap k that positions begin <= u < end share. The parameters
 * of a filter go to all channels of its group, or to the constant. */
static void start_tap(struct ca_flow *flow, const struct ca_op *op, int k, int begin, int end) {
    const size_t node = (size_t)(op - flow->graph->op);
    const int filters = op->shape.channels;
    const double *own = flow->gain + flow->unit[flow->graph->first[node]];
    double *sum = flow->norm;
    struct ca_tap tap;
    sum_sensitivities(flow, op, k, begin, end, sum);
    const int cg = (int)(ca_op_terms(op) / op->n_taps);
    for (int f = 0; f < filters; f++)
        if (sum[f] == 0)
            flow->lost += cg;
    for (int u = begin; u < end; u++) {
        if (!ca_op_row(op->kind)->own(op, u, k, &tap))
            continue;
        const int fg = filters / tap.groups;
        if (tap.site == CA_CONSTANT) { /* all of it, independent of the position */
            for (int f = 0; f < filters && u == begin; f++)
                flow->constant += sum[f] > 0;
            continue;
        }
        double *to = flow->capacity + flow->unit[tap.site];
        for (int f = 0; f < filters; f++) {
            const double share =
                sum[f] > 0 ? own[(size_t)u * (size_t)filters + (size_t)f] / sum[f] : 0;
            for (int c = f / fg * cg; c < (f / fg + 1) * cg; c++)
                to[c] += share;
        }
    }
}

enum ca_status ca_flow_start(struct ca_flow *flow, size_t begin, size_t end) {
    square_sensitivities(flow);
    for (size_t i = 0; i < flow->n_units; i++)
        if (!isfinite(flow->gain[i]))
            return CA_NONFINITE;
    for (int node = 1; node < flow->graph->n_nodes; node++) {
        const struct ca_op *op = &flow->graph->op[node];
        if (op->n_theta == 0 || op->theta < begin || op->theta >= end)
            continue;
        const int together = op->shared ? op->positions : 1;
        for (int u = 0; u < op->positions; u += together)
            for (int k = 0; k < op->n_taps; k++)
                start_tap(flow, op, k, u, u + together);
    }
    return CA_OK;
}
