#include "tangent.h"

#include <stdint.h>
#include <string.h>

#include "bounds.h"
#include "contract.h"
#include "workspace.h"

void ca_tangent_weights(const struct ca_pass *back, const double *theta, double *W) {
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
    ca_tangent_add_intercept(back, theta, W);
}

void ca_tangent_add_intercept(const struct ca_pass *back, const double *theta, double *W) {
    const struct ca_graph *graph = back->graph;
    double *intercept = W + graph->n_outputs * graph->n_inputs;
    for (struct ca_walk w = ca_forwards(graph); ca_next_site(&w);)
        ca_op_pull_constant(w.op, w.u, theta, ca_rows(back, w.site), ca_at(back, w.site),
                            intercept + back->span[w.site].lo);
}

/* --- rows of J --------------------------------------------------------------------------- */

/* Contracts the sensitivities with the current forward values. `one` may be NULL. */
static void contract(const struct ca_tangent *tangent, const double *one,
                     struct ca_target target) {
    ca_contract_outputs(tangent->column, &tangent->back, &tangent->value, one, target);
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
    ca_pass_plan_batch(&tangent->value, rows);
    ca_pass_forward_batch(&tangent->value, tangent->theta, tangent->x, rows, one);
    contract(tangent, one, (struct ca_target){out, ld, (int)graph->n_outputs, rows, 0});
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The value of `begin` when the forward values are not those of a window. */
static const size_t NOWHERE = SIZE_MAX;

static void plan_window(struct ca_tangent *tangent, size_t begin) {
    if (tangent->begin == begin)
        return;
    ca_pass_plan_one_hot(&tangent->value, begin,
                         min_size(begin + tangent->window, tangent->graph->n_inputs));
    tangent->begin = begin;
    tangent->is_ready = 0;
}

/* Computes the forward values of the window from coordinate `begin` on, unless they are the
 * current ones. */
static void evaluate_window(struct ca_tangent *tangent, size_t begin) {
    plan_window(tangent, begin);
    if (tangent->is_ready)
        return;
    ca_pass_forward_one_hot(&tangent->value, tangent->theta, begin);
    tangent->is_ready = 1;
}

static void fill_one_hot(struct ca_tangent *tangent, size_t begin, size_t end, double *out,
                         int ld) {
    const size_t window = tangent->window;
    for (size_t from = begin / window * window; from < end; from += window) {
        evaluate_window(tangent, from);
        contract(tangent, NULL,
                 (struct ca_target){out, ld, (int)tangent->graph->n_outputs, (int)(end - begin),
                                    (long)from - (long)begin});
    }
}

/* The row of the constant: the input is zero and the homogeneous coordinate is 1. */
static void fill_constant(struct ca_tangent *tangent, double *out, int ld) {
    const double one = 1;
    memset(tangent->x, 0, sizeof(double) * tangent->graph->n_inputs);
    tangent->begin = NOWHERE;
    ca_pass_plan_batch(&tangent->value, 1);
    ca_pass_forward_batch(&tangent->value, tangent->theta, tangent->x, 1, &one);
    contract(tangent, &one, (struct ca_target){out, ld, (int)tangent->graph->n_outputs, 1, 0});
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

/* The number of doubles of the largest forward pass over all windows. Returns early if the
 * windows are too large and can be halved. */
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

/* Chooses the size of the window so that its forward values stay in cache; on a grid it
 * consists of whole columns. Returns the number of doubles for the forward values. */
static size_t choose_window(struct ca_tangent *tangent) {
    const struct ca_shape input = tangent->graph->op[0].shape;
    const size_t unit = input.height > 1 ? (size_t)input.height * (size_t)input.channels : 1;
    size_t units = tangent->graph->n_inputs / unit, size;
    ca_pass_plan_batch(&tangent->value, 1); /* for the constant */
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
    tangent.back = ca_pass_new(graph);
    ca_pass_plan_outputs(&tangent.back);
    tangent.back.value = ca_doubles(tangent.back.size);
    tangent.value = ca_pass_new(graph);
    if (seeds == NULL) {
        size = choose_window(&tangent);
    } else {
        ca_pass_plan_batch(&tangent.value, (int)tangent.block);
        size = tangent.value.size;
    }
    tangent.value.value = ca_doubles(size);
    tangent.x = ca_doubles(graph->n_inputs * (seeds != NULL ? tangent.block : 1));
    return tangent;
}

void ca_tangent_at(struct ca_tangent *tangent, const double *theta) {
    tangent->theta = theta;
    tangent->is_ready = 0;
    ca_pass_backward(&tangent->back, theta);
}
