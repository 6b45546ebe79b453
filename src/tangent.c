#include "tangent.h"

#include <limits.h>
#include <string.h>

#include "linalg.h"
#include "workspace.h"

static struct ca_span overlap(struct ca_span a, struct ca_span b) {
    const struct ca_span both = {a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi};
    return both.lo < both.hi ? both : (struct ca_span){0, 0};
}

void ca_weights(const struct ca_pass *back, const double *theta, double *W) {
    const struct ca_graph *graph = back->graph;
    const size_t m = graph->n_outputs;
    const int channels = graph->op[0].shape.channels;
    memset(W, 0, sizeof(double) * m * ca_coordinates(graph));
    for (int u = 0; u < graph->op[0].positions; u++) {
        const int rows = ca_rows(back, (size_t)u);
        for (int c = 0; c < channels; c++)
            for (int o = 0; o < rows; o++)
                W[(size_t)(back->span[u].lo + o) + m * (size_t)(u * channels + c)] =
                    ca_at(back, (size_t)u)[(size_t)o + (size_t)c * (size_t)rows];
    }
    ca_add_intercept(back, theta, W);
}

void ca_add_intercept(const struct ca_pass *back, const double *theta, double *W) {
    const struct ca_graph *graph = back->graph;
    double *intercept = W + graph->n_outputs * graph->n_inputs;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        if (op->kind != CA_OP_BIAS)
            continue;
        for (int u = 0; u < op->positions; u++) {
            const size_t site = graph->first[node] + (size_t)u;
            const int rows = ca_rows(back, site);
            const double *own = theta + ca_op_theta(op, u);
            for (int c = 0; c < op->shape.channels; c++)
                for (int o = 0; o < rows; o++)
                    intercept[back->span[site].lo + o] +=
                        own[c] * ca_at(back, site)[(size_t)o + (size_t)c * (size_t)rows];
        }
    }
}

/* --- sums over rows: gradients ----------------------------------------------------------- */

static void gradient_linear(const struct ca_op *op, const struct ca_tap *tap, int rows,
                            const double *B, int ld_b, const double *X, int ld_x,
                            double *grad) {
    const int filters = op->shape.channels, fg = filters / op->groups;
    const int cg = tap->channels / op->groups;
    for (int g = 0; g < op->groups; g++)
        ca_gemm_tn(fg, cg, rows, B + (size_t)g * (size_t)fg * (size_t)ld_b, ld_b,
                   X + (size_t)g * (size_t)cg * (size_t)ld_x, ld_x, grad + tap->theta + g * fg,
                   filters);
}

void ca_gradient(const struct ca_pass *back, const struct ca_pass *value, const double *one,
                 double *grad) {
    const struct ca_graph *graph = back->graph;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        const struct ca_op_row *row = ca_op_row(op->kind);
        struct ca_tap tap;
        if (op->n_theta == 0 || (op->kind == CA_OP_BIAS && one == NULL))
            continue;
        for (int u = 0; u < op->positions; u++) {
            const size_t site = graph->first[node] + (size_t)u;
            const int ld_b = ca_rows(back, site);
            if (ld_b == 0)
                continue;
            const struct ca_span span = back->span[site];
            const double *B = ca_at(back, site);
            if (op->kind == CA_OP_BIAS) {
                for (int c = 0; c < op->shape.channels; c++)
                    grad[ca_op_theta(op, u) + (size_t)c] +=
                        ca_dot((size_t)ld_b, B + (size_t)c * (size_t)ld_b, one + span.lo);
                continue;
            }
            for (int k = 0; k < op->n_taps; k++) {
                if (!row->tap(op, u, k, &tap))
                    continue;
                const struct ca_span both = overlap(span, value->span[tap.site]);
                if (both.lo == both.hi)
                    continue;
                gradient_linear(op, &tap, both.hi - both.lo, B + (both.lo - span.lo), ld_b,
                                ca_at(value, tap.site) + (both.lo - value->span[tap.site].lo),
                                ca_rows(value, tap.site), grad);
            }
        }
    }
}

/* --- rows of J --------------------------------------------------------------------------- */

/* Where the rows of one block go: row o + m c, columns of one operation. */
struct target {
    double *out;
    int ld;
    int m;
};

/* out[o + m c, f + filters (i + cg k)] += B[o, f] X[c, i] for one tap of one site. */
static void contract_tap(const struct ca_op *op, const struct ca_tap *tap,
                         struct ca_span outputs, const double *B, struct ca_span span,
                         const double *X, struct target target) {
    const int filters = op->shape.channels, fg = filters / op->groups;
    const int cg = tap->channels / op->groups;
    const int n_out = outputs.hi - outputs.lo, rows = span.hi - span.lo;
    const size_t ld = (size_t)target.ld, m = (size_t)target.m;
    double *base =
        target.out + (tap->theta - op->theta) * ld + (size_t)outputs.lo + m * (size_t)span.lo;
    for (int i = 0; i < cg; i++)
        for (int f = 0; f < filters; f++) {
            const double *x = X + (size_t)((f / fg) * cg + i) * (size_t)rows;
            const double *b = B + (size_t)f * (size_t)n_out;
            double *to = base + (size_t)(f + filters * i) * ld;
            for (int o = 0; o < n_out; o++) {
                const double weight = b[o];
                double *restrict y = to + o;
                if (m == 1)
                    for (int c = 0; c < rows; c++)
                        y[c] += weight * x[c];
                else
                    for (int c = 0; c < rows; c++)
                        y[(size_t)c * m] += weight * x[c];
            }
        }
}

static void contract_linear(const struct ca_tangent *tangent, int node, struct target target) {
    const struct ca_graph *graph = tangent->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    struct ca_tap tap;
    for (int u = 0; u < op->positions; u++) {
        const size_t site = graph->first[node] + (size_t)u;
        if (ca_rows(&tangent->back, site) == 0)
            continue;
        for (int k = 0; k < op->n_taps; k++)
            if (row->tap(op, u, k, &tap) && ca_rows(&tangent->value, tap.site) > 0)
                contract_tap(op, &tap, tangent->back.span[site], ca_at(&tangent->back, site),
                             tangent->value.span[tap.site], ca_at(&tangent->value, tap.site),
                             target);
    }
}

/* A tap of a grouped or ungrouped operation over a stretch of sites at once: when every site
 * holds all rows and sites follow each other at equal distances, the sum over u is one product
 *   out[c, f] += sum_u X[c, i, u] B[f, u]
 * for each channel i. Returns how many sites from u on it has done. */
static int contract_stretch(const struct ca_tangent *tangent, int node, int k, int u, int rows,
                            struct target target) {
    const struct ca_graph *graph = tangent->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    const struct ca_pass *back = &tangent->back, *value = &tangent->value;
    const size_t first = graph->first[node];
    struct ca_tap tap, next;
    if (!graph->live[first + (size_t)u] || !row->tap(op, u, k, &tap))
        return 1;
    const size_t x0 = value->at[tap.site], b0 = back->at[first + (size_t)u];
    size_t x_step = 0, b_step = 0, x_last = x0, b_last = b0;
    int n = 1, v = u + 1;
    for (; v < op->positions; v++) {
        if (!graph->live[first + (size_t)v])
            continue;
        if (!row->tap(op, v, k, &next) || next.theta != tap.theta)
            break;
        const size_t x = value->at[next.site], b = back->at[first + (size_t)v];
        if (n == 1) {
            if (x <= x0 || b <= b0)
                break;
            x_step = x - x0;
            b_step = b - b0;
        } else if (x - x_last != x_step || b - b_last != b_step) {
            break;
        }
        x_last = x;
        b_last = b;
        n++;
    }
    const int filters = op->shape.channels, fg = filters / op->groups;
    const int cg = tap.channels / op->groups;
    if (x_step > INT_MAX || b_step > INT_MAX) /* too far apart for BLAS: the first site alone */
        n = 1, v = u + 1;
    if (n == 1)
        x_step = (size_t)rows, b_step = (size_t)filters;
    double *base = target.out + (tap.theta - op->theta) * (size_t)target.ld;
    for (int g = 0; g < op->groups; g++)
        for (int i = 0; i < cg; i++)
            ca_gemm_nt(rows, fg, n, value->value + x0 + (size_t)(g * cg + i) * (size_t)rows,
                       (int)x_step, back->value + b0 + g * fg, (int)b_step,
                       base + (size_t)(g * fg + filters * i) * (size_t)target.ld, target.ld);
    return v - u;
}

/* One output and all rows at every site: the sums over sites become matrix products. */
static void contract_stretches(const struct ca_tangent *tangent, int node, int rows,
                               struct target target) {
    const struct ca_op *op = &tangent->graph->op[node];
    for (int k = 0; k < op->n_taps; k++)
        for (int u = 0; u < op->positions;)
            u += contract_stretch(tangent, node, k, u, rows, target);
}

static void contract_bias(const struct ca_tangent *tangent, int node, const double *one,
                          int rows, struct target target) {
    const struct ca_graph *graph = tangent->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_pass *back = &tangent->back;
    for (int u = 0; u < op->positions; u++) {
        const size_t site = graph->first[node] + (size_t)u;
        const int n_out = ca_rows(back, site);
        const size_t own = ca_op_theta(op, u) - op->theta;
        for (int f = 0; f < op->shape.channels; f++)
            for (int o = 0; o < n_out; o++) {
                const double b = ca_at(back, site)[(size_t)o + (size_t)f * (size_t)n_out];
                double *y = target.out + (own + (size_t)f) * (size_t)target.ld +
                            back->span[site].lo + o;
                for (int c = 0; c < rows; c++)
                    y[(size_t)c * (size_t)target.m] += b * one[c];
            }
    }
}

/* All operations on the forward values of a block; `one` may be NULL, `whole` says that every
 * live site holds all rows. */
static void contract(const struct ca_tangent *tangent, const double *one, int rows, int whole,
                     double *out, int ld) {
    const struct ca_graph *graph = tangent->graph;
    const int m = (int)graph->n_outputs;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        if (op->n_theta == 0 || tangent->column[node] < 0)
            continue;
        const struct target target = {out + (size_t)tangent->column[node] * (size_t)ld, ld, m};
        if (op->kind == CA_OP_BIAS) {
            if (one != NULL)
                contract_bias(tangent, node, one, rows, target);
        } else if (whole && m == 1) {
            contract_stretches(tangent, node, rows, target);
        } else {
            contract_linear(tangent, node, target);
        }
    }
}

static void fill_seeds(struct ca_tangent *tangent, size_t begin, size_t end, double *out,
                       int ld) {
    const struct ca_graph *graph = tangent->graph;
    const int rows = (int)(end - begin);
    for (size_t j = 0; j < graph->n_inputs; j++)
        memcpy(tangent->x + j * (size_t)rows, tangent->seeds + begin + j * tangent->n_rows,
               sizeof(double) * (size_t)rows);
    const double *one = NULL;
    if (graph->has_bias)
        one = tangent->seeds + begin + graph->n_inputs * tangent->n_rows;
    ca_plan_batch(&tangent->value, rows);
    ca_forward_batch(&tangent->value, tangent->theta, tangent->x, rows, one);
    contract(tangent, one, rows, 1, out, ld);
}

static void fill_one_hot(struct ca_tangent *tangent, size_t begin, size_t end, double *out,
                         int ld) {
    ca_plan_one_hot(&tangent->value, begin, end);
    ca_forward_one_hot(&tangent->value, tangent->theta, begin);
    contract(tangent, NULL, (int)(end - begin), 0, out, ld);
}

/* The row of the constant: a zero input whose homogeneous coordinate is 1. */
static void fill_constant(struct ca_tangent *tangent, double *out, int ld) {
    const double one = 1;
    memset(tangent->x, 0, sizeof(double) * tangent->graph->n_inputs);
    ca_plan_batch(&tangent->value, 1);
    ca_forward_batch(&tangent->value, tangent->theta, tangent->x, 1, &one);
    contract(tangent, &one, 1, 1, out, ld);
}

void ca_tangent_fill(struct ca_tangent *tangent, size_t begin, size_t end, double *out,
                     int ld) {
    const size_t m = tangent->graph->n_outputs, n = tangent->graph->n_inputs;
    for (size_t k = 0; k < tangent->n_columns; k++)
        memset(out + k * (size_t)ld, 0, sizeof(double) * m * (end - begin));
    if (tangent->seeds != NULL) {
        fill_seeds(tangent, begin, end, out, ld);
        return;
    }
    const size_t stop = end < n ? end : n;
    if (begin < stop)
        fill_one_hot(tangent, begin, stop, out, ld);
    if (end > n)
        fill_constant(tangent, out + m * (n - begin), ld);
}

/* The largest forward pass over the blocks of a run, so that scratch is allocated once. */
static size_t value_size(struct ca_tangent *tangent) {
    const struct ca_graph *graph = tangent->graph;
    size_t size = 0;
    if (tangent->seeds != NULL) {
        ca_plan_batch(&tangent->value, (int)tangent->block);
        return tangent->value.size;
    }
    for (size_t begin = 0; begin < graph->n_inputs; begin += tangent->block) {
        const size_t end = begin + tangent->block;
        ca_plan_one_hot(&tangent->value, begin, end < graph->n_inputs ? end : graph->n_inputs);
        if (tangent->value.size > size)
            size = tangent->value.size;
    }
    ca_plan_batch(&tangent->value, 1);
    return tangent->value.size > size ? tangent->value.size : size;
}

struct ca_tangent ca_tangent_new(const struct ca_graph *graph, const double *seeds,
                                 size_t n_seeds, const long *column, size_t n_columns,
                                 size_t block) {
    struct ca_tangent tangent = {.graph = graph,
                                 .seeds = seeds,
                                 .n_rows = seeds != NULL ? n_seeds : ca_coordinates(graph),
                                 .n_columns = n_columns,
                                 .column = column};
    tangent.block = block < tangent.n_rows ? block : tangent.n_rows;
    tangent.back = ca_pass_new(graph);
    ca_plan_outputs(&tangent.back);
    tangent.back.value = ca_doubles(tangent.back.size);
    tangent.value = ca_pass_new(graph);
    tangent.value.value = ca_doubles(value_size(&tangent));
    tangent.x = ca_doubles(graph->n_inputs * (seeds != NULL ? tangent.block : 1));
    return tangent;
}

void ca_tangent_at(struct ca_tangent *tangent, const double *theta) {
    tangent->theta = theta;
    ca_backward(&tangent->back, theta);
}
