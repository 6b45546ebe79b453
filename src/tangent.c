#include "tangent.h"

#include <stdint.h>
#include <string.h>

#include "bounds.h"
#include "linalg.h"
#include "runs.h"
#include "workspace.h"

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

/* B (rows x filters) and X, of which as many rows count. */
static void gradient_linear(const struct ca_op *op, const struct ca_tap *tap, const double *B,
                            int rows, const double *X, int ld_x, double *grad) {
    const int filters = op->shape.channels, fg = filters / op->groups;
    const int cg = tap->channels / op->groups;
    for (int g = 0; g < op->groups; g++)
        ca_gemm_tn(fg, cg, rows, B + (size_t)g * (size_t)fg * (size_t)rows, rows,
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
            const int rows = ca_rows(back, site), lo = back->span[site].lo;
            if (rows == 0)
                continue;
            const double *B = ca_at(back, site);
            if (op->kind == CA_OP_BIAS) {
                for (int c = 0; c < op->shape.channels; c++)
                    grad[ca_op_theta(op, u) + (size_t)c] +=
                        ca_dot((size_t)rows, B + (size_t)c * (size_t)rows, one + lo);
                continue;
            }
            for (int k = 0; k < op->n_taps; k++) {
                if (!row->tap(op, u, k, &tap))
                    continue;
                gradient_linear(op, &tap, B, rows, ca_at(value, tap.site) + lo,
                                ca_rows(value, tap.site), grad);
            }
        }
    }
}

/* --- rows of J --------------------------------------------------------------------------- */

/* Where rows go: row c of the pass to c + shift, of which 0 <= c + shift < rows are wanted, at
 * o + m (c + shift) of the columns of one operation. */
struct target {
    double *out;
    int ld, m, rows;
    long shift;
};

/* The runs of one tap that begin at run `from` of its span and fit into `most`; how many, and
 * in *next where to go on, -1 at the end. */
static int clip_runs(const struct ca_tangent *tangent, size_t site, size_t from_site,
                     struct target target, int *next, int most, struct ca_run *run) {
    const struct ca_pass *back = &tangent->back, *value = &tangent->value;
    const int ld = ca_rows(value, from_site);
    struct ca_span span = value->span[from_site];
    if (span.hi - span.lo == value->stride) /* whole columns: one run */
        span = (struct ca_span){span.lo, span.lo + ld, 0};
    int n = 0;
    for (; *next <= span.more && n < most; ++*next) {
        const long lo = span.lo + (long)*next * value->stride * (span.more > 0) + target.shift;
        const long hi = lo + span.hi - span.lo;
        const long begin = lo > 0 ? lo : 0, end = hi < target.rows ? hi : target.rows;
        if (begin >= end)
            continue;
        run[n++] = (struct ca_run){.row = (int)begin,
                                   .rows = (int)(end - begin),
                                   .out_lo = back->span[site].lo,
                                   .n_out = ca_rows(back, site),
                                   .ld = ld,
                                   .x = ca_at(value, from_site) + *next * (span.hi - span.lo) +
                                        (begin - lo),
                                   .b = ca_at(back, site)};
    }
    if (*next > span.more)
        *next = -1;
    return n;
}

/* n runs of the block at theta. */
static void contract_block(const struct ca_tangent *tangent, int node, int n, size_t theta,
                           struct target target) {
    const struct ca_op *op = &tangent->graph->op[node];
    double *y = target.out + (theta - op->theta) * (size_t)target.ld;
    ca_contract_runs(op, tangent->run, n, (struct ca_columns){y, target.ld, target.m});
}

static void contract_linear(const struct ca_tangent *tangent, int node, struct target target) {
    const struct ca_graph *graph = tangent->graph;
    const struct ca_op *op = &graph->op[node];
    const struct ca_op_row *row = ca_op_row(op->kind);
    struct ca_tap tap;
    for (int k = 0; k < op->n_taps; k++) {
        size_t theta = op->theta;
        int n = 0;
        for (int u = 0; u < op->positions; u++) {
            const size_t site = graph->first[node] + (size_t)u;
            if (ca_rows(&tangent->back, site) == 0 || !row->tap(op, u, k, &tap) ||
                ca_rows(&tangent->value, tap.site) == 0)
                continue;
            for (int next = 0; next >= 0;) {
                if (n == CA_MOST_RUNS || tap.theta != theta) {
                    contract_block(tangent, node, n, theta, target);
                    n = 0;
                }
                theta = tap.theta;
                n += clip_runs(tangent, site, tap.site, target, &next, CA_MOST_RUNS - n,
                               tangent->run + n);
            }
        }
        contract_block(tangent, node, n, theta, target);
    }
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
            ca_gemm_nt(n_out, rows, 1, ca_at(back, site) + (size_t)f * (size_t)n_out, n_out,
                       one, rows,
                       target.out + (own + (size_t)f) * (size_t)target.ld + back->span[site].lo,
                       target.m);
    }
}

/* All operations on the forward values at hand; `one` may be NULL. */
static void contract(const struct ca_tangent *tangent, const double *one,
                     struct target target) {
    const struct ca_graph *graph = tangent->graph;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        if (op->n_theta == 0 || tangent->column[node] < 0)
            continue;
        struct target own = target;
        own.out += (size_t)tangent->column[node] * (size_t)target.ld;
        if (op->kind != CA_OP_BIAS)
            contract_linear(tangent, node, own);
        else if (one != NULL)
            contract_bias(tangent, node, one, target.rows, own);
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
    contract(tangent, one, (struct target){out, ld, (int)graph->n_outputs, rows, 0});
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* No window's coordinates begin there. */
static const size_t NOWHERE = SIZE_MAX;

static void plan_window(struct ca_tangent *tangent, size_t begin) {
    if (tangent->begin == begin)
        return;
    ca_plan_one_hot(&tangent->value, begin,
                    min_size(begin + tangent->window, tangent->graph->n_inputs));
    tangent->begin = begin;
    tangent->is_ready = 0;
}

/* The values of the window that begins there, unless they are at hand. */
static void evaluate_window(struct ca_tangent *tangent, size_t begin) {
    plan_window(tangent, begin);
    if (tangent->is_ready)
        return;
    ca_forward_one_hot(&tangent->value, tangent->theta, begin);
    tangent->is_ready = 1;
}

static void fill_one_hot(struct ca_tangent *tangent, size_t begin, size_t end, double *out,
                         int ld) {
    const size_t window = tangent->window;
    for (size_t from = begin / window * window; from < end; from += window) {
        evaluate_window(tangent, from);
        contract(tangent, NULL,
                 (struct target){out, ld, (int)tangent->graph->n_outputs, (int)(end - begin),
                                 (long)from - (long)begin});
    }
}

/* The row of the constant: a zero input whose homogeneous coordinate is 1. */
static void fill_constant(struct ca_tangent *tangent, double *out, int ld) {
    const double one = 1;
    memset(tangent->x, 0, sizeof(double) * tangent->graph->n_inputs);
    tangent->begin = NOWHERE;
    ca_plan_batch(&tangent->value, 1);
    ca_forward_batch(&tangent->value, tangent->theta, tangent->x, 1, &one);
    contract(tangent, &one, (struct target){out, ld, (int)tangent->graph->n_outputs, 1, 0});
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
    const size_t stop = min_size(end, n);
    if (begin < stop)
        fill_one_hot(tangent, begin, stop, out, ld);
    if (end > n)
        fill_constant(tangent, out + m * (n - begin), ld);
}

/* The largest forward pass over the windows. */
static size_t window_size(struct ca_tangent *tangent, size_t unit) {
    size_t size = 0;
    tangent->begin = NOWHERE;
    for (size_t begin = 0; begin < tangent->graph->n_inputs; begin += tangent->window) {
        plan_window(tangent, begin);
        if (tangent->value.size > size)
            size = tangent->value.size;
        if (size > CA_WINDOW_VALUES && tangent->window > unit)
            break;
    }
    return size;
}

/* Chooses the window, of whole columns on a grid; the doubles that its values take. */
static size_t choose_window(struct ca_tangent *tangent) {
    const struct ca_shape input = tangent->graph->op[0].shape;
    const size_t unit = input.height > 1 ? (size_t)input.height * (size_t)input.channels : 1;
    size_t units = tangent->graph->n_inputs / unit, size;
    ca_plan_batch(&tangent->value, 1); /* of the constant */
    const size_t constant = tangent->value.size;
    tangent->window = units * unit;
    while ((size = window_size(tangent, unit)) > CA_WINDOW_VALUES && units > 1) {
        units = (units + 1) / 2;
        tangent->window = units * unit;
    }
    return constant > size ? constant : size;
}

struct ca_tangent ca_tangent_new(const struct ca_graph *graph, const double *seeds,
                                 size_t n_seeds, const long *column, size_t n_columns,
                                 size_t block) {
    struct ca_tangent tangent = {.graph = graph,
                                 .seeds = seeds,
                                 .n_rows = seeds != NULL ? n_seeds : ca_coordinates(graph),
                                 .n_columns = n_columns,
                                 .column = column};
    size_t size;
    tangent.block = block < tangent.n_rows ? block : tangent.n_rows;
    tangent.run = ca_bytes(CA_MOST_RUNS, sizeof(struct ca_run));
    tangent.back = ca_pass_new(graph);
    ca_plan_outputs(&tangent.back);
    tangent.back.value = ca_doubles(tangent.back.size);
    tangent.value = ca_pass_new(graph);
    if (seeds == NULL) {
        size = choose_window(&tangent);
    } else {
        ca_plan_batch(&tangent.value, (int)tangent.block);
        size = tangent.value.size;
    }
    tangent.value.value = ca_doubles(size);
    tangent.x = ca_doubles(graph->n_inputs * (seeds != NULL ? tangent.block : 1));
    return tangent;
}

void ca_tangent_at(struct ca_tangent *tangent, const double *theta) {
    tangent->theta = theta;
    tangent->is_ready = 0;
    ca_backward(&tangent->back, theta);
}
