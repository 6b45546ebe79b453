#include "jet.h"

#include <string.h>

#include "workspace.h"

static const struct ca_op_row *row_of(const struct ca_graph *graph, int node) {
    return ca_op_row(graph->op[node].kind);
}

static int is_linear(const struct ca_graph *graph, int node) {
    return node == 0 || ca_op_is_linear(row_of(graph, node));
}

/* Plans the live sites of nonlinear operations only, since only these have stored
 * derivatives. */
static void plan_derivatives(struct ca_pass *pass, int rows) {
    const struct ca_graph *graph = pass->graph;
    for (int node = 0; node < graph->n_nodes; node++)
        for (int u = 0; u < graph->op[node].positions; u++) {
            const size_t site = graph->first[node] + (size_t)u;
            const int kept = !is_linear(graph, node) && graph->live[site];
            pass->span[site] = (struct ca_span){0, kept ? rows : 0, 0};
        }
    ca_pass_plan_spans(pass);
}

static void plan(struct ca_jet *jet, int rows) {
    jet->rows = rows;
    ca_pass_plan_batch(&jet->X, rows);
    plan_derivatives(&jet->slope, rows);
    plan_derivatives(&jet->curve, rows);
}

struct ca_jet ca_jet_new(const struct ca_graph *graph, int rows) {
    struct ca_jet jet = {.graph = graph};
    int most_taps = 1, most_channels = 1;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        if (is_linear(graph, node))
            continue;
        most_taps = op->n_taps > most_taps ? op->n_taps : most_taps;
        most_channels = op->shape.channels > most_channels ? op->shape.channels : most_channels;
    }
    jet.X = ca_pass_new(graph);
    jet.slope = ca_pass_new(graph);
    jet.curve = ca_pass_new(graph);
    plan(&jet, rows);
    jet.X.value = ca_doubles(jet.X.size);
    jet.slope.value = ca_doubles(jet.slope.size);
    jet.curve.value = ca_doubles(jet.curve.size);
    jet.in = ca_bytes((size_t)most_taps, sizeof(double *));
    jet.d_in = ca_bytes((size_t)most_taps, sizeof(double *));
    jet.scratch = ca_doubles((size_t)rows * (size_t)most_channels);
    jet.one = ca_doubles((size_t)rows);
    for (int i = 0; i < rows; i++)
        jet.one[i] = 1;
    return jet;
}

struct ca_pass ca_jet_pass(const struct ca_jet *jet) {
    struct ca_pass pass = ca_pass_new(jet->graph);
    ca_pass_plan_batch(&pass, jet->rows);
    pass.value = ca_doubles(pass.size);
    return pass;
}

/* in[k] := the matrix that tap k of position u reads in a pass, or NULL. */
static void gather(const struct ca_pass *pass, int node, int u, const double **in) {
    const struct ca_op *op = &pass->graph->op[node];
    for (int k = 0; k < op->n_taps; k++)
        in[k] = NULL;
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);)
        if (ca_rows(pass, t.tap.site) > 0)
            in[t.k] = ca_at(pass, t.tap.site);
}

static void clear(struct ca_pass *pass, size_t site, int channels) {
    memset(ca_at(pass, site), 0,
           sizeof(double) * (size_t)ca_rows(pass, site) * (size_t)channels);
}

/* y += a b, entry by entry */
static void add_product(size_t n, const double *a, const double *restrict b,
                        double *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] += a[i] * b[i];
}

void ca_jet_at(struct ca_jet *jet, const double *theta, const double *x, size_t ld, int rows) {
    const struct ca_graph *graph = jet->graph;
    const struct ca_op *input = &graph->op[0];
    plan(jet, rows);
    jet->theta = theta;
    for (int u = 0; u < input->positions; u++)
        for (int c = 0; c < input->shape.channels && ca_rows(&jet->X, (size_t)u) > 0; c++)
            memcpy(ca_at(&jet->X, (size_t)u) + (size_t)c * (size_t)rows,
                   x + (size_t)(u * input->shape.channels + c) * ld,
                   sizeof(double) * (size_t)rows);
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        double *out = ca_at(&jet->X, w.site);
        if (!is_linear(graph, w.node)) {
            gather(&jet->X, w.node, w.u, jet->in);
            row_of(graph, w.node)
                ->value(w.op, rows, jet->in, out, ca_at(&jet->slope, w.site),
                        ca_at(&jet->curve, w.site));
            continue;
        }
        clear(&jet->X, w.site, w.op->shape.channels);
        ca_pass_push_taps(&jet->X, theta, w.node, w.u, out);
        ca_op_add_constant(w.op, w.u, theta, rows, jet->one, out);
    }
}

/* A site changes if a site that it reads changes. */
void ca_jet_plan_tangent(const struct ca_jet *jet, struct ca_pass *dX, int only) {
    const struct ca_graph *graph = jet->graph;
    memset(dX->span, 0, graph->n_sites * sizeof(struct ca_span));
    for (int u = 0; u < graph->op[0].positions; u++)
        if (graph->live[u] && (only < 0 || u == only))
            dX->span[u].hi = jet->rows;
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) {
        struct ca_span *span = &dX->span[w.site];
        if (!graph->live[w.site])
            continue;
        for (struct ca_taps t = ca_taps_of(w.op, w.u); span->hi == 0 && ca_next_tap(&t);)
            span->hi = dX->span[t.tap.site].hi;
    }
    ca_pass_plan_spans(dX);
}

void ca_jet_tangent(const struct ca_jet *jet, struct ca_pass *dX) {
    const struct ca_graph *graph = jet->graph;
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) {
        const struct ca_op_row *row = row_of(graph, w.node);
        if (ca_rows(dX, w.site) == 0)
            continue;
        clear(dX, w.site, w.op->shape.channels);
        if (is_linear(graph, w.node)) {
            ca_pass_push_taps(dX, jet->theta, w.node, w.u, ca_at(dX, w.site));
            continue;
        }
        gather(&jet->X, w.node, w.u, jet->in);
        gather(dX, w.node, w.u, jet->d_in);
        for (int k = 0; k < w.op->n_taps; k++)
            if (jet->d_in[k] != NULL)
                add_product((size_t)jet->rows * (size_t)w.op->shape.channels,
                            row->gain(w.op, k, jet->rows, jet->in, ca_at(&jet->slope, w.site),
                                      jet->scratch),
                            jet->d_in[k], ca_at(dX, w.site));
    }
}

void ca_jet_plan_zero(const struct ca_jet *jet, struct ca_pass *pass) {
    ca_pass_plan_batch(pass, jet->rows);
    memset(pass->value, 0, sizeof(double) * pass->size);
}

/* The matrices in `to` of the sites that a nonlinear site reads += gain . from. */
static void pull_gains(const struct ca_jet *jet, int node, int u, const struct ca_pass *from,
                       struct ca_pass *to) {
    const struct ca_graph *graph = jet->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = row_of(graph, node);
    const size_t site = graph->first[node] + (size_t)u;
    gather(&jet->X, node, u, jet->in);
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);)
        add_product(
            (size_t)jet->rows * (size_t)op->shape.channels,
            row->gain(op, t.k, jet->rows, jet->in, ca_at(&jet->slope, site), jet->scratch),
            ca_at(from, site), ca_at(to, t.tap.site));
}

void ca_jet_back(const struct ca_jet *jet, struct ca_pass *B) {
    const struct ca_graph *graph = jet->graph;
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        if (is_linear(graph, w.node))
            ca_pass_pull_taps(B, B, jet->theta, w.node, w.u);
        else
            pull_gains(jet, w.node, w.u, B, B);
    }
}

/* Whether the gains of a site change along dX. If so, d_in are the changes that its taps
 * read. */
static int bends(const struct ca_jet *jet, int node, int u, const struct ca_pass *dX) {
    const struct ca_op *op = &jet->graph->op[node];
    const struct ca_op_row *row = row_of(jet->graph, node);
    if (is_linear(jet->graph, node) || row->bend == NULL)
        return 0;
    gather(dX, node, u, jet->d_in);
    for (int k = 0; k < op->n_taps; k++)
        if (jet->d_in[k] != NULL)
            return 1;
    return 0;
}

/* Plans dB: sensitivities change at the inputs, direct or indirect, of every site whose gains
 * change. */
static void plan_back_tangent(const struct ca_jet *jet, const struct ca_pass *dX,
                              struct ca_pass *dB) {
    const struct ca_graph *graph = jet->graph;
    memset(dB->span, 0, graph->n_sites * sizeof(struct ca_span));
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site] || (dB->span[w.site].hi == 0 && !bends(jet, w.node, w.u, dX)))
            continue;
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);)
            dB->span[t.tap.site].hi = jet->rows;
    }
    ca_pass_plan_spans(dB);
}

void ca_jet_back_tangent(const struct ca_jet *jet, const struct ca_pass *B,
                         const struct ca_pass *dX, struct ca_pass *dB) {
    const struct ca_graph *graph = jet->graph;
    plan_back_tangent(jet, dX, dB);
    memset(dB->value, 0, sizeof(double) * dB->size);
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        if (ca_rows(dB, w.site) > 0) {
            if (is_linear(graph, w.node))
                ca_pass_pull_taps(dB, dB, jet->theta, w.node, w.u);
            else
                pull_gains(jet, w.node, w.u, dB, dB);
        }
        if (!bends(jet, w.node, w.u, dX))
            continue;
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);) {
            const double *change = row_of(graph, w.node)
                                       ->bend(w.op, t.k, jet->rows, jet->d_in,
                                              ca_at(&jet->curve, w.site), jet->scratch);
            if (change != NULL)
                add_product((size_t)jet->rows * (size_t)w.op->shape.channels, change,
                            ca_at(B, w.site), ca_at(dB, t.tap.site));
        }
    }
}

/* One site of a linear operation: y = K x, so y' = K x' + V x and y'' = K x'' + 2 V x', with V
 * the change of K. */
static void along_linear(const struct ca_jet *jet, int node, int u, const double *v,
                         const double *twice, struct ca_pass *first, struct ca_pass *second) {
    const struct ca_op *op = &jet->graph->op[node];
    const size_t site = jet->graph->first[node] + (size_t)u;
    ca_pass_push_taps(first, jet->theta, node, u, ca_at(first, site));
    ca_pass_push_taps(second, jet->theta, node, u, ca_at(second, site));
    ca_op_add_constant(op, u, v, jet->rows, jet->one, ca_at(first, site));
    if (!row_of(jet->graph, node)->multiplies)
        return;
    ca_pass_push_taps(&jet->X, v, node, u, ca_at(first, site));
    ca_pass_push_taps(first, twice, node, u, ca_at(second, site));
}

/* One site of a nonlinear operation: y' = sum over taps of gain x', y'' = sum over taps of gain
 * x'' + gain' x', with gain' the derivative of the gain along x'. */
static void along_curved(const struct ca_jet *jet, int node, int u, struct ca_pass *first,
                         struct ca_pass *second) {
    const struct ca_op *op = &jet->graph->op[node];
    const struct ca_op_row *row = row_of(jet->graph, node);
    const size_t site = jet->graph->first[node] + (size_t)u;
    const size_t n = (size_t)jet->rows * (size_t)op->shape.channels;
    gather(&jet->X, node, u, jet->in);
    gather(first, node, u, jet->d_in);
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);) {
        const double *gain =
            row->gain(op, t.k, jet->rows, jet->in, ca_at(&jet->slope, site), jet->scratch);
        add_product(n, gain, jet->d_in[t.k], ca_at(first, site));
        add_product(n, gain, ca_at(second, t.tap.site), ca_at(second, site));
        if (row->bend == NULL)
            continue;
        const double *change =
            row->bend(op, t.k, jet->rows, jet->d_in, ca_at(&jet->curve, site), jet->scratch);
        add_product(n, change, jet->d_in[t.k], ca_at(second, site));
    }
}

void ca_jet_along(const struct ca_jet *jet, const double *v, const double *twice,
                  struct ca_pass *first, struct ca_pass *second) {
    const struct ca_graph *graph = jet->graph;
    ca_jet_plan_zero(jet, first);
    ca_jet_plan_zero(jet, second);
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        if (is_linear(graph, w.node))
            along_linear(jet, w.node, w.u, v, twice, first, second);
        else
            along_curved(jet, w.node, w.u, first, second);
    }
}
