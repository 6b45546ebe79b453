#include "pass.h"

#include <limits.h>
#include <string.h>

#include "workspace.h"

struct ca_pass ca_pass_new(const struct ca_graph *graph) {
    struct ca_pass pass = {.graph = graph, .stride = INT_MAX};
    pass.span = ca_bytes(graph->n_sites, sizeof(struct ca_span));
    pass.same = ca_sizes(graph->n_sites);
    pass.at = ca_sizes(graph->n_sites);
    for (size_t site = 0; site < graph->n_sites; site++)
        pass.same[site] = site;
    return pass;
}

struct ca_pass ca_pass_like(const struct ca_pass *pass) {
    struct ca_pass other = *pass;
    other.value = ca_doubles(pass->size);
    return other;
}

void ca_pass_plan_spans(struct ca_pass *pass) {
    const struct ca_graph *graph = pass->graph;
    pass->size = 0;
    for (int node = 0; node < graph->n_nodes; node++)
        for (int u = 0; u < graph->op[node].positions; u++) {
            const size_t site = graph->first[node] + (size_t)u;
            pass->at[site] = pass->size;
            if (pass->same[site] != site) /* an earlier site */
                pass->at[site] = pass->at[pass->same[site]];
            else
                pass->size +=
                    (size_t)ca_rows(pass, site) * (size_t)graph->op[node].shape.channels;
        }
}

static void clear_spans(struct ca_pass *pass) {
    memset(pass->span, 0, pass->graph->n_sites * sizeof(struct ca_span));
}

void ca_pass_plan_batch(struct ca_pass *pass, int rows) {
    for (size_t site = 0; site < pass->graph->n_sites; site++) {
        pass->span[site] = (struct ca_span){0, pass->graph->live[site] ? rows : 0, 0};
        pass->same[site] = site;
    }
    pass->stride = INT_MAX;
    ca_pass_plan_spans(pass);
}

static int is_empty(struct ca_span span) {
    return span.lo == span.hi;
}

static int min_int(int a, int b) {
    return a < b ? a : b;
}

static int max_int(int a, int b) {
    return a > b ? a : b;
}

/* The smallest span that contains both. */
static struct ca_span hull(struct ca_span a, struct ca_span b, int stride) {
    if (is_empty(a))
        return b;
    if (is_empty(b))
        return a;
    const int a_first = a.lo / stride, b_first = b.lo / stride;
    const int first = min_int(a_first, b_first);
    const int last = max_int(a_first + a.more, b_first + b.more);
    const int lo = min_int(a.lo % stride, b.lo % stride);
    const int hi = max_int(a.lo % stride + a.hi - a.lo, b.lo % stride + b.hi - b.lo);
    return (struct ca_span){first * stride + lo, first * stride + hi, last - first};
}

/* The span of `channels` coordinates from `from` on, within the coordinates begin .. end. */
static struct ca_span own_span(size_t from, int channels, size_t begin, size_t end) {
    const size_t lo = from > begin ? from : begin;
    const size_t to = from + (size_t)channels, hi = to < end ? to : end;
    if (hi <= lo)
        return (struct ca_span){0, 0, 0};
    return (struct ca_span){(int)(lo - begin), (int)(hi - begin), 0};
}

/* --- sites that depend on the input in the same way --------------------------------------- */

/* What tap k of a site reads: the site of the matrix, the first entry of its block of theta,
 * and the offset of its rows from the rows of the reading site. look() returns whether it reads
 * anything. */
struct view {
    size_t same, theta;
    int shift;
};

static bool look(const struct ca_pass *pass, int node, int u, int k, struct view *view) {
    const struct ca_op *op = &pass->graph->op[node];
    struct ca_tap tap;
    if (!ca_op_row(op->kind)->tap(op, u, k, &tap) || is_empty(pass->span[tap.site]))
        return false;
    *view = (struct view){pass->same[tap.site], tap.theta,
                          pass->span[tap.site].lo -
                              pass->span[pass->graph->first[node] + (size_t)u].lo};
    return true;
}

static bool sees_alike(const struct ca_pass *pass, int node, int u, int v) {
    const size_t first = pass->graph->first[node];
    const struct ca_span a = pass->span[first + (size_t)u], b = pass->span[first + (size_t)v];
    if (a.hi - a.lo != b.hi - b.lo || a.more != b.more)
        return false;
    for (int k = 0; k < pass->graph->op[node].n_taps; k++) {
        struct view one, other;
        const bool any = look(pass, node, u, k, &one);
        if (any != look(pass, node, v, k, &other))
            return false;
        if (any &&
            (one.same != other.same || one.theta != other.theta || one.shift != other.shift))
            return false;
    }
    return true;
}

static size_t mix(size_t hash, size_t with) {
    hash = (hash ^ with) * (size_t)0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

/* Returns an earlier site of the node that depends on the input like position u, or the site of
 * position u. */
static size_t find_same(struct ca_pass *pass, int node, int u) {
    const size_t first = pass->graph->first[node];
    size_t hash = (size_t)node;
    struct view view;
    for (int k = 0; k < pass->graph->op[node].n_taps; k++)
        if (look(pass, node, u, k, &view))
            hash = mix(mix(mix(hash, view.same), view.theta), (size_t)view.shift + (size_t)k);
    for (size_t i = hash & (pass->n_table - 1);; i = (i + 1) & (pass->n_table - 1)) {
        const size_t found = pass->table[i]; /* site + 1; 0: a free entry */
        if (found == 0) {
            pass->table[i] = first + (size_t)u + 1;
            return first + (size_t)u;
        }
        const size_t site = found - 1;
        if (site >= first && site < first + (size_t)u &&
            sees_alike(pass, node, u, (int)(site - first)))
            return site;
    }
}

static void clear_table(struct ca_pass *pass) {
    if (pass->table == NULL) { /* at most half full */
        for (pass->n_table = 16; pass->n_table < 2 * pass->graph->n_sites;)
            pass->n_table *= 2;
        pass->table = ca_sizes(pass->n_table);
    }
    memset(pass->table, 0, pass->n_table * sizeof(size_t));
}

/* --- plans of one-hot rows and of outputs --------------------------------------------------
 */

/* Input positions with all coordinates in begin .. end share one matrix, the identity. */
static void plan_inputs(struct ca_pass *pass, size_t begin, size_t end) {
    const struct ca_graph *graph = pass->graph;
    const int channels = graph->op[0].shape.channels;
    size_t whole = graph->n_sites;
    for (int u = 0; u < graph->op[0].positions; u++) {
        if (!graph->live[u])
            continue;
        const size_t site = (size_t)u;
        pass->span[u] = own_span(site * (size_t)channels, channels, begin, end);
        if (ca_rows(pass, site) != channels)
            continue;
        if (whole == graph->n_sites)
            whole = site;
        pass->same[u] = whole;
    }
}

void ca_pass_plan_one_hot(struct ca_pass *pass, size_t begin, size_t end) {
    const struct ca_graph *graph = pass->graph;
    const struct ca_shape input = graph->op[0].shape;
    pass->stride = input.height > 1 ? input.height * input.channels : INT_MAX;
    clear_spans(pass);
    clear_table(pass);
    for (size_t site = 0; site < graph->n_sites; site++)
        pass->same[site] = site;
    plan_inputs(pass, begin, end);
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);)
            pass->span[w.site] = hull(pass->span[w.site], pass->span[t.tap.site], pass->stride);
        if (!is_empty(pass->span[w.site]))
            pass->same[w.site] = find_same(pass, w.node, w.u);
    }
    ca_pass_plan_spans(pass);
}

void ca_pass_plan_outputs(struct ca_pass *pass) {
    const struct ca_graph *graph = pass->graph;
    const struct ca_op *output = &graph->op[graph->output];
    const int channels = output->shape.channels;
    clear_spans(pass);
    for (int u = 0; u < output->positions; u++)
        pass->span[graph->first[graph->output] + (size_t)u] =
            (struct ca_span){u * channels, (u + 1) * channels, 0};
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);) {
        if (!graph->live[w.site])
            continue;
        for (struct ca_taps t = ca_taps_of(w.op, w.u); ca_next_tap(&t);)
            pass->span[t.tap.site] =
                hull(pass->span[t.tap.site], pass->span[w.site], pass->stride);
    }
    ca_pass_plan_spans(pass);
}

/* Applies one tap. The rows of the matrix that it reads are a subset of the rows of `out`. They
 * are processed run by run, or at once if the runs are equally long. */
static void push_tap(const struct ca_pass *in, const struct ca_op *op,
                     const struct ca_op_row *row, const struct ca_tap *tap, const double *theta,
                     struct ca_span span, double *out, int ld_out) {
    const struct ca_span from = in->span[tap->site];
    const int run = span.hi - span.lo, own = from.hi - from.lo;
    const int skip = from.lo / in->stride - span.lo / in->stride;
    const int rows = ca_rows(in, tap->site), step = own == run ? rows : own;
    const double *value = ca_at(in, tap->site);
    out += skip * run + from.lo % in->stride - span.lo % in->stride;
    for (int i = 0; i < rows; i += step, value += step, out += run)
        row->push(op, tap, theta, step, value, rows, out, ld_out);
}

void ca_pass_push_taps(const struct ca_pass *in, const double *theta, int node, int u,
                       double *out) {
    const struct ca_graph *graph = in->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    const size_t site = graph->first[node] + (size_t)u;
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);)
        if (ca_rows(in, t.tap.site) > 0)
            push_tap(in, op, row, &t.tap, theta, in->span[site], out, ca_rows(in, site));
}

void ca_pass_pull_taps(struct ca_pass *to, const struct ca_pass *from, const double *theta,
                       int node, int u) {
    const struct ca_graph *graph = from->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    const size_t site = graph->first[node] + (size_t)u;
    const int rows = ca_rows(from, site);
    for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);) {
        const int shift = from->span[site].lo - from->span[t.tap.site].lo;
        row->pull(op, &t.tap, theta, rows, ca_at(from, site), rows,
                  ca_at(to, t.tap.site) + shift, ca_rows(from, t.tap.site));
    }
}

static void forward(struct ca_pass *pass, const double *theta, const double *one) {
    const struct ca_graph *graph = pass->graph;
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);) {
        const int rows = ca_rows(pass, w.site);
        if (rows == 0 || pass->same[w.site] != w.site)
            continue;
        double *out = ca_at(pass, w.site);
        memset(out, 0, sizeof(double) * (size_t)rows * (size_t)w.op->shape.channels);
        ca_pass_push_taps(pass, theta, w.node, w.u, out);
        if (one != NULL)
            ca_op_add_constant(w.op, w.u, theta, rows, one, out);
    }
}

void ca_pass_forward_batch(struct ca_pass *pass, const double *theta, const double *x, int rows,
                           const double *one) {
    const struct ca_op *input = &pass->graph->op[0];
    const size_t block = (size_t)rows * (size_t)input->shape.channels;
    for (int u = 0; u < input->positions; u++)
        if (ca_rows(pass, (size_t)u) > 0)
            memcpy(ca_at(pass, (size_t)u), x + (size_t)u * block, block * sizeof(double));
    forward(pass, theta, one);
}

void ca_pass_forward_one_hot(struct ca_pass *pass, const double *theta, size_t begin) {
    const struct ca_op *input = &pass->graph->op[0];
    const int channels = input->shape.channels;
    for (int u = 0; u < input->positions; u++) {
        const int rows = ca_rows(pass, (size_t)u);
        double *value = ca_at(pass, (size_t)u);
        if (pass->same[u] != (size_t)u)
            continue;
        memset(value, 0, sizeof(double) * (size_t)rows * (size_t)channels);
        for (int i = 0; i < rows; i++) { /* row i: coordinate of channel c of this site */
            const size_t j = begin + (size_t)(pass->span[u].lo + i);
            const size_t c = j - (size_t)u * (size_t)channels;
            value[(size_t)i + c * (size_t)rows] = 1;
        }
    }
    forward(pass, theta, NULL);
}

/* Sets the output sites to the identity. The span of an output site is wider than its own
 * outputs if later sites read it. */
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

void ca_pass_backward(struct ca_pass *pass, const double *theta) {
    const struct ca_graph *graph = pass->graph;
    memset(pass->value, 0, pass->size * sizeof(double));
    seed_outputs(pass);
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);)
        if (ca_rows(pass, w.site) > 0)
            ca_pass_pull_taps(pass, pass, theta, w.node, w.u);
}

void ca_pass_backward_along(struct ca_pass *change, const struct ca_pass *base,
                            const double *theta, const double *v) {
    const struct ca_graph *graph = change->graph;
    memset(change->value, 0, change->size * sizeof(double));
    for (struct ca_walk w = ca_backwards(graph); ca_next_site(&w);) {
        if (ca_rows(change, w.site) == 0)
            continue;
        ca_pass_pull_taps(change, change, theta, w.node, w.u);
        if (ca_op_row(w.op->kind)->multiplies)
            ca_pass_pull_taps(change, base, v, w.node, w.u);
    }
}
