#include "graph.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "bounds.h"
#include "workspace.h"

struct problem {
    const char **why;
    int *where;
};

static enum ca_status fail(struct problem problem, int node, const char *why,
                           enum ca_status status) {
    *problem.why = why;
    *problem.where = node;
    return status;
}

static enum ca_status check_shape(struct problem problem, int node, struct ca_shape shape) {
    if (shape.channels < 1 || shape.height < 1 || shape.width < 1)
        return fail(problem, node, "a shape that is not positive", CA_BAD_GRAPH);
    if ((int64_t)shape.height * shape.width > CA_MOST_SITES ||
        (int64_t)shape.height * shape.width * shape.channels > INT_MAX)
        return fail(problem, node, "too many positions", CA_TOO_LARGE);
    return CA_OK;
}

static enum ca_status check_window(struct problem problem, int node,
                                   const struct ca_window *w) {
    for (int d = 0; d < 2; d++)
        if (w->kernel[d] < 1 || w->stride[d] == 0 || w->stride[d] == INT_MIN ||
            w->dilation[d] == 0 || w->dilation[d] == INT_MIN || w->pad[d] < -INT_MAX ||
            w->expand[d] == 0 || w->expand[d] == INT_MIN)
            return fail(problem, node, "a window that is not positive", CA_BAD_GRAPH);
    return CA_OK;
}

/* An operation reads earlier nodes or, if it has a window, later nodes of its own loop. */
static enum ca_status check_from(struct problem problem, const struct ca_graph *graph,
                                 int node) {
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    if (op->n_from < row->min_from || op->n_from > row->max_from)
        return fail(problem, node, "the wrong number of inputs", CA_BAD_GRAPH);
    for (int i = 0; i < op->n_from; i++) {
        const int from = op->from[i];
        if (from < 0 || from >= graph->n_nodes)
            return fail(problem, node, "an input that does not exist", CA_BAD_GRAPH);
        if (from >= node) {
            const int delayed =
                row->windowed && op->loop > 0 && graph->op[from].loop == op->loop;
            if (!delayed)
                return fail(problem, node, "an input that is not an earlier operation",
                            CA_BAD_GRAPH);
        }
    }
    return CA_OK;
}

/* The operations of a loop are consecutive and have the same number of positions. */
static enum ca_status check_loop(struct problem problem, const struct ca_graph *graph,
                                 int node) {
    const struct ca_op *op = &graph->op[node];
    if (op->loop < 0)
        return fail(problem, node, "a negative loop", CA_BAD_GRAPH);
    if (op->loop == 0)
        return CA_OK;
    const int continues = graph->op[node - 1].loop == op->loop;
    if (continues && graph->op[node - 1].positions != op->positions)
        return fail(problem, node, "a loop with different numbers of positions", CA_BAD_GRAPH);
    for (int before = 1; !continues && before < node; before++)
        if (graph->op[before].loop == op->loop)
            return fail(problem, node, "a loop that is not contiguous", CA_BAD_GRAPH);
    return CA_OK;
}

/* Checks the slice of theta of an operation that has `block` parameters at each position. */
static enum ca_status check_theta(struct problem problem, const struct ca_graph *graph,
                                  int node, double block) {
    struct ca_op *op = &graph->op[node];
    const double n_theta = op->shared ? block : block * op->positions;
    if (n_theta > (double)INT_MAX)
        return fail(problem, node, "too many parameters", CA_TOO_LARGE);
    op->n_theta = (size_t)n_theta;
    op->theta_step = op->shared ? 0 : (size_t)block;
    if (op->theta > graph->n_params || op->n_theta > graph->n_params - op->theta)
        return fail(problem, node, "a slice of theta out of range", CA_BAD_GRAPH);
    return CA_OK;
}

/* The input position along dimension d that output position u reads through tap k, or -1 if
 * there is none. */
static int meet(const struct ca_window *w, int d, int u, int k, int size) {
    const int64_t at = (int64_t)u * w->stride[d] + (int64_t)k * w->dilation[d] - w->pad[d];
    const int64_t expand = w->expand[d] < 0 ? -(int64_t)w->expand[d] : w->expand[d];
    if (at < 0 || at / expand >= size || (w->expand[d] < 0 && at % expand != 0))
        return -1;
    return (int)(at / expand);
}

static enum ca_status build_map(struct problem problem, struct ca_graph *graph, int node) {
    struct ca_op *op = &graph->op[node];
    const struct ca_shape in = graph->op[op->from[0]].shape;
    const struct ca_window *w = &op->window;
    const int64_t taps = (int64_t)w->kernel[0] * w->kernel[1];
    if (taps > CA_MOST_TAPS || taps * op->positions > CA_MOST_TAPS)
        return fail(problem, node, "too many taps", CA_TOO_LARGE);
    op->n_taps = (int)taps;
    int *map = ca_ints((size_t)taps * (size_t)op->positions);
    op->map = map;
    for (int u = 0; u < op->positions; u++) {
        const int uh = u % op->shape.height, uw = u / op->shape.height;
        for (int kw = 0; kw < w->kernel[1]; kw++) {
            const int col = meet(w, 1, uw, kw, in.width);
            for (int kh = 0; kh < w->kernel[0]; kh++) {
                const int row = meet(w, 0, uh, kh, in.height);
                *map++ = row < 0 || col < 0 ? -1 : row + in.height * col;
            }
        }
    }
    return CA_OK;
}

/* In a loop, a later node (or the node itself) may be read at earlier positions only. */
static enum ca_status check_delay(struct problem problem, const struct ca_graph *graph,
                                  int node) {
    const struct ca_op *op = &graph->op[node];
    if (op->loop == 0)
        return CA_OK;
    const struct ca_op_row *row = ca_op_row(op->kind);
    for (int i = 0; i < op->n_from; i++) {
        const int from = op->from[i];
        if (graph->op[from].loop != op->loop || !row->windowed)
            continue;
        for (int u = 0; u < op->positions; u++)
            for (int k = 0; k < op->n_taps; k++) {
                const int at = op->map[(size_t)k + (size_t)op->n_taps * (size_t)u];
                if (at > u || (at == u && from >= node))
                    return fail(problem, node,
                                "a loop that reads a value before it is computed",
                                CA_BAD_GRAPH);
            }
    }
    return CA_OK;
}

static enum ca_status check_op(struct problem problem, struct ca_graph *graph, int node) {
    struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    enum ca_status status;
    if ((status = check_from(problem, graph, node)) != CA_OK)
        return status;
    op->in_channels = graph->op[op->from[0]].shape.channels;
    if ((status = check_loop(problem, graph, node)) != CA_OK)
        return status;
    if (row->windowed) {
        if ((status = check_window(problem, node, &op->window)) != CA_OK ||
            (status = build_map(problem, graph, node)) != CA_OK ||
            (status = check_delay(problem, graph, node)) != CA_OK)
            return status;
    } else {
        op->n_taps = op->n_from;
    }
    const char *why = "";
    status = (row->check != NULL ? row->check : ca_op_check_alike)(op, graph->op, &why);
    if (status != CA_OK)
        return fail(problem, node, why, status);
    return row->block == NULL ? CA_OK : check_theta(problem, graph, node, row->block(op));
}

/* The order of evaluation: a node at all positions, or the nodes of a loop position by
 * position. */
static void build_steps(struct ca_graph *graph) {
    size_t n = 0;
    for (int node = 1; node < graph->n_nodes; node++)
        n += graph->op[node].loop == 0 ? 1 : (size_t)graph->op[node].positions;
    graph->step = ca_bytes(n, sizeof(struct ca_step));
    graph->n_steps = n;
    struct ca_step *step = graph->step;
    for (int node = 1; node < graph->n_nodes;) {
        const int loop = graph->op[node].loop;
        int end = node + 1;
        while (loop > 0 && end < graph->n_nodes && graph->op[end].loop == loop)
            end++;
        if (loop == 0)
            *step++ = (struct ca_step){node, 0, graph->op[node].positions};
        else
            for (int u = 0; u < graph->op[node].positions; u++)
                for (int member = node; member < end; member++)
                    *step++ = (struct ca_step){member, u, u + 1};
        node = end;
    }
}

static void mark_live(struct ca_graph *graph) {
    graph->live = ca_bytes(graph->n_sites, 1);
    memset(graph->live, 0, graph->n_sites);
    memset(graph->live + graph->first[graph->output], 1,
           (size_t)graph->op[graph->output].positions);
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);)
            graph->live[t.tap.site] = 1;
    }
}

enum ca_status ca_graph_build(struct ca_graph *graph, const char **why, int *where) {
    const struct problem problem = {why, where};
    enum ca_status status;
    int64_t sites = 0;
    graph->first = ca_sizes((size_t)graph->n_nodes);
    graph->has_bias = 0;
    graph->is_linear = 1;
    if (graph->output < 0 || graph->output >= graph->n_nodes)
        return fail(problem, graph->n_nodes, "an output that does not exist", CA_BAD_GRAPH);
    for (int node = 0; node < graph->n_nodes; node++) {
        struct ca_op *op = &graph->op[node];
        if ((status = check_shape(problem, node, op->shape)) != CA_OK)
            return status;
        op->positions = op->shape.height * op->shape.width;
        graph->first[node] = (size_t)sites;
        sites += op->positions;
        if (sites > CA_MOST_SITES)
            return fail(problem, node, "too many positions", CA_TOO_LARGE);
        graph->has_bias |= ca_op_row(op->kind)->constant;
        graph->is_linear &= ca_op_is_linear(ca_op_row(op->kind));
    }
    graph->n_sites = (size_t)sites;
    for (int node = 1; node < graph->n_nodes; node++) {
        struct ca_op *op = &graph->op[node];
        if ((status = check_op(problem, graph, node)) != CA_OK)
            return status;
        size_t *in = ca_sizes((size_t)op->n_from);
        for (int i = 0; i < op->n_from; i++)
            in[i] = graph->first[op->from[i]];
        op->in = in;
    }
    const struct ca_op *input = &graph->op[0], *output = &graph->op[graph->output];
    graph->n_inputs = (size_t)input->positions * (size_t)input->shape.channels;
    graph->n_outputs = (size_t)output->positions * (size_t)output->shape.channels;
    build_steps(graph);
    mark_live(graph);
    return CA_OK;
}

static void widen(struct ca_box *box, struct ca_box by) {
    if (by.lo[0] == by.hi[0])
        return;
    if (box->lo[0] == box->hi[0])
        *box = by;
    for (int d = 0; d < 2; d++) {
        box->lo[d] = box->lo[d] < by.lo[d] ? box->lo[d] : by.lo[d];
        box->hi[d] = box->hi[d] > by.hi[d] ? box->hi[d] : by.hi[d];
    }
}

const struct ca_box *ca_graph_reach(const struct ca_graph *graph) {
    struct ca_box *box = ca_bytes(graph->n_sites, sizeof(struct ca_box));
    memset(box, 0, graph->n_sites * sizeof(struct ca_box));
    const int height = graph->op[0].shape.height;
    for (int u = 0; u < graph->op[0].positions; u++) {
        const int i = u % height, j = u / height;
        box[u] = (struct ca_box){{i, j}, {i + 1, j + 1}};
    }
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);)
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);)
            widen(&box[w.site], box[t.tap.site]);
    return box;
}
