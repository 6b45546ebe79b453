#include "pass.h"

#include <string.h>

#include "workspace.h"

struct ca_pass ca_pass_new(const struct ca_graph *graph) {
    struct ca_pass pass = {.graph = graph};
    pass.span = ca_bytes(graph->n_sites, sizeof(struct ca_span));
    pass.at = ca_sizes(graph->n_sites);
    return pass;
}

struct ca_pass ca_pass_like(const struct ca_pass *pass) {
    struct ca_pass other = *pass;
    other.value = ca_doubles(pass->size);
    return other;
}

void ca_plan_spans(struct ca_pass *pass) {
    const struct ca_graph *graph = pass->graph;
    pass->size = 0;
    for (int node = 0; node < graph->n_nodes; node++)
        for (int u = 0; u < graph->op[node].positions; u++) {
            const size_t site = graph->first[node] + (size_t)u;
            pass->at[site] = pass->size;
            pass->size += (size_t)ca_rows(pass, site) * (size_t)graph->op[node].shape.channels;
        }
}

static void clear_spans(struct ca_pass *pass) {
    memset(pass->span, 0, pass->graph->n_sites * sizeof(struct ca_span));
}

static struct ca_span hull(struct ca_span a, struct ca_span b) {
    if (a.lo == a.hi)
        return b;
    if (b.lo == b.hi)
        return a;
    return (struct ca_span){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

void ca_plan_batch(struct ca_pass *pass, int rows) {
    for (size_t site = 0; site < pass->graph->n_sites; site++)
        pass->span[site] = (struct ca_span){0, pass->graph->live[site] ? rows : 0};
    ca_plan_spans(pass);
}

/* The rows of `channels` coordinates from `from` on, within begin .. end. */
static struct ca_span own_span(size_t from, int channels, size_t begin, size_t end) {
    const size_t lo = from > begin ? from : begin;
    const size_t to = from + (size_t)channels, hi = to < end ? to : end;
    if (hi <= lo)
        return (struct ca_span){0, 0};
    return (struct ca_span){(int)(lo - begin), (int)(hi - begin)};
}

void ca_plan_one_hot(struct ca_pass *pass, size_t begin, size_t end) {
    const struct ca_graph *graph = pass->graph;
    const int channels = graph->op[0].shape.channels;
    clear_spans(pass);
    for (int u = 0; u < graph->op[0].positions; u++)
        if (graph->live[u])
            pass->span[u] = own_span((size_t)u * (size_t)channels, channels, begin, end);
    for (size_t s = 0; s < graph->n_steps; s++) {
        const struct ca_step *step = &graph->step[s];
        const struct ca_op *op = &graph->op[step->node];
        const struct ca_op_row *row = ca_op_row(op->kind);
        struct ca_tap tap;
        for (int u = step->begin; u < step->end; u++) {
            const size_t site = graph->first[step->node] + (size_t)u;
            if (!graph->live[site])
                continue;
            for (int k = 0; k < op->n_taps; k++)
                if (row->tap(op, u, k, &tap))
                    pass->span[site] = hull(pass->span[site], pass->span[tap.site]);
        }
    }
    ca_plan_spans(pass);
}

void ca_plan_outputs(struct ca_pass *pass) {
    const struct ca_graph *graph = pass->graph;
    const struct ca_op *output = &graph->op[graph->output];
    const int channels = output->shape.channels;
    clear_spans(pass);
    for (int u = 0; u < output->positions; u++)
        pass->span[graph->first[graph->output] + (size_t)u] =
            (struct ca_span){u * channels, (u + 1) * channels};
    for (size_t s = graph->n_steps; s-- > 0;) {
        const struct ca_step *step = &graph->step[s];
        const struct ca_op *op = &graph->op[step->node];
        const struct ca_op_row *row = ca_op_row(op->kind);
        struct ca_tap tap;
        for (int u = step->end; u-- > step->begin;) {
            const size_t site = graph->first[step->node] + (size_t)u;
            if (!graph->live[site])
                continue;
            for (int k = 0; k < op->n_taps; k++)
                if (row->tap(op, u, k, &tap))
                    pass->span[tap.site] = hull(pass->span[tap.site], pass->span[site]);
        }
    }
    ca_plan_spans(pass);
}

void ca_add_constant(const struct ca_op *op, int u, const double *theta, int rows,
                     const double *one, double *out) {
    const double *own = theta + ca_op_theta(op, u);
    for (int c = 0; c < op->shape.channels; c++, out += rows)
        for (int i = 0; i < rows; i++)
            out[i] += own[c] * one[i];
}

void ca_push_taps(const struct ca_pass *in, const double *theta, int node, int u, double *out) {
    const struct ca_graph *graph = in->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    const size_t site = graph->first[node] + (size_t)u;
    struct ca_tap tap;
    for (int k = 0; k < op->n_taps; k++) {
        if (!row->tap(op, u, k, &tap) || ca_rows(in, tap.site) == 0)
            continue;
        const int shift = in->span[tap.site].lo - in->span[site].lo;
        const int in_rows = ca_rows(in, tap.site);
        row->push(op, &tap, theta, in_rows, ca_at(in, tap.site), in_rows, out + shift,
                  ca_rows(in, site));
    }
}

void ca_pull_taps(struct ca_pass *to, const struct ca_pass *from, const double *theta, int node,
                  int u) {
    const struct ca_graph *graph = from->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    const size_t site = graph->first[node] + (size_t)u;
    const int rows = ca_rows(from, site);
    struct ca_tap tap;
    for (int k = 0; k < op->n_taps; k++) {
        if (!row->tap(op, u, k, &tap))
            continue;
        const int shift = from->span[site].lo - from->span[tap.site].lo;
        row->pull(op, &tap, theta, rows, ca_at(from, site), rows, ca_at(to, tap.site) + shift,
                  ca_rows(from, tap.site));
    }
}

static void forward(struct ca_pass *pass, const double *theta, const double *one) {
    const struct ca_graph *graph = pass->graph;
    for (size_t s = 0; s < graph->n_steps; s++) {
        const struct ca_step *step = &graph->step[s];
        const struct ca_op *op = &graph->op[step->node];
        for (int u = step->begin; u < step->end; u++) {
            const size_t site = graph->first[step->node] + (size_t)u;
            const int rows = ca_rows(pass, site);
            if (rows == 0)
                continue;
            double *out = ca_at(pass, site);
            memset(out, 0, sizeof(double) * (size_t)rows * (size_t)op->shape.channels);
            ca_push_taps(pass, theta, step->node, u, out);
            if (op->kind == CA_OP_BIAS && one != NULL)
                ca_add_constant(op, u, theta, rows, one, out);
        }
    }
}

void ca_forward_batch(struct ca_pass *pass, const double *theta, const double *x, int rows,
                      const double *one) {
    const struct ca_op *input = &pass->graph->op[0];
    const size_t block = (size_t)rows * (size_t)input->shape.channels;
    for (int u = 0; u < input->positions; u++)
        if (ca_rows(pass, (size_t)u) > 0)
            memcpy(ca_at(pass, (size_t)u), x + (size_t)u * block, block * sizeof(double));
    forward(pass, theta, one);
}

void ca_forward_one_hot(struct ca_pass *pass, const double *theta, size_t begin) {
    const struct ca_op *input = &pass->graph->op[0];
    const int channels = input->shape.channels;
    for (int u = 0; u < input->positions; u++) {
        const int rows = ca_rows(pass, (size_t)u);
        double *value = ca_at(pass, (size_t)u);
        memset(value, 0, sizeof(double) * (size_t)rows * (size_t)channels);
        for (int i = 0; i < rows; i++) { /* row i is the coordinate of channel c of this site */
            const size_t j = begin + (size_t)(pass->span[u].lo + i);
            const size_t c = j - (size_t)u * (size_t)channels;
            value[(size_t)i + c * (size_t)rows] = 1;
        }
    }
    forward(pass, theta, NULL);
}

/* The span of a site may be wider than its own outputs, when later sites read it. */
static void seed_outputs(struct ca_pass *pass) {
    const struct ca_graph *graph = pass->graph;
    const struct ca_op *output = &graph->op[graph->output];
    const int channels = output->shape.channels;
    for (int u = 0; u < output->positions; u++) {
        const size_t site = graph->first[graph->output] + (size_t)u;
        const size_t rows = (size_t)ca_rows(pass, site);
        for (int c = 0; c < channels; c++) {
            const int row = u * channels + c - pass->span[site].lo;
            ca_at(pass, site)[(size_t)row + (size_t)c * rows] = 1;
        }
    }
}

void ca_backward(struct ca_pass *pass, const double *theta) {
    const struct ca_graph *graph = pass->graph;
    memset(pass->value, 0, pass->size * sizeof(double));
    seed_outputs(pass);
    for (size_t s = graph->n_steps; s-- > 0;) {
        const struct ca_step *step = &graph->step[s];
        for (int u = step->end; u-- > step->begin;)
            if (ca_rows(pass, graph->first[step->node] + (size_t)u) > 0)
                ca_pull_taps(pass, pass, theta, step->node, u);
    }
}

void ca_backward_along(struct ca_pass *change, const struct ca_pass *base, const double *theta,
                       const double *v) {
    const struct ca_graph *graph = change->graph;
    memset(change->value, 0, change->size * sizeof(double));
    for (size_t s = graph->n_steps; s-- > 0;) {
        const struct ca_step *step = &graph->step[s];
        const int own = graph->op[step->node].kind == CA_OP_LINEAR;
        for (int u = step->end; u-- > step->begin;) {
            if (ca_rows(change, graph->first[step->node] + (size_t)u) == 0)
                continue;
            ca_pull_taps(change, change, theta, step->node, u);
            if (own)
                ca_pull_taps(change, base, v, step->node, u);
        }
    }
}
