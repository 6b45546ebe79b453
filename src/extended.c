#include "extended.h"

#include <math.h>
#include <string.h>

#include "contract.h"
#include "workspace.h"

struct ca_extended ca_extended_new(const struct ca_graph *graph, const double *theta,
                                   const double *x, size_t n_samples, const double *rows,
                                   size_t n_rows, const long *column, size_t n_columns,
                                   size_t block) {
    struct ca_extended extended = {.theta = theta,
                                   .x = x,
                                   .n_samples = n_samples,
                                   .block = block < n_samples ? block : n_samples,
                                   .rows = rows,
                                   .n_rows = rows != NULL ? n_rows : graph->n_inputs + 1,
                                   .column = column,
                                   .n_columns = n_columns};
    extended.jet = ca_jet_new(graph, (int)extended.block);
    extended.B = ca_bytes(graph->n_outputs, sizeof(struct ca_pass));
    for (size_t o = 0; o < graph->n_outputs; o++)
        extended.B[o] = ca_jet_pass(&extended.jet);
    extended.dX = ca_jet_pass(&extended.jet);
    extended.dB = ca_jet_pass(&extended.jet);
    extended.shifted = ca_jet_pass(&extended.jet);
    extended.d_one = ca_doubles(extended.block);
    return extended;
}

void ca_extended_contract(const long *column, const struct ca_jet *jet, const struct ca_pass *B,
                          double *out, int ld) {
    const struct ca_change value = {.dX = &jet->X, .d_one = jet->one, .site = -1};
    ca_contract_rows(column, B, &jet->X, jet->one, value, out, ld);
}

/* --- directions --------------------------------------------------------------------------- */

/* Computes the sensitivities of every output at the values of the jet, times the square roots
 * of the weights of its samples (NULL for weights of 1). All rows of D are linear in them. */
static void sensitivities(struct ca_extended *extended, const double *weight) {
    const struct ca_graph *graph = extended->jet.graph;
    const int rows = extended->jet.rows, channels = graph->op[graph->output].shape.channels;
    for (size_t o = 0; o < graph->n_outputs; o++) {
        struct ca_pass *B = &extended->B[o];
        ca_jet_plan_zero(&extended->jet, B);
        double *seed = ca_at(B, graph->first[graph->output] + o / (size_t)channels) +
                       (o % (size_t)channels) * (size_t)rows;
        for (int s = 0; s < rows; s++)
            seed[s] = weight == NULL ? 1 : sqrt(weight[s]);
        ca_jet_back(&extended->jet, B);
    }
}

/* Computes dX for input coordinate i, a one-hot direction. */
static struct ca_change one_hot(struct ca_extended *extended, size_t i) {
    const struct ca_graph *graph = extended->jet.graph;
    const int rows = extended->jet.rows, channels = graph->op[0].shape.channels;
    const int u = (int)(i / (size_t)channels), c = (int)(i % (size_t)channels);
    struct ca_pass *dX = &extended->dX;
    ca_jet_plan_tangent(&extended->jet, dX, u);
    if (ca_rows(dX, (size_t)u) > 0) {
        memset(ca_at(dX, (size_t)u), 0, sizeof(double) * (size_t)rows * (size_t)channels);
        for (int s = 0; s < rows; s++)
            ca_at(dX, (size_t)u)[s + c * rows] = 1;
    }
    ca_jet_tangent(&extended->jet, dX);
    return (struct ca_change){.dX = dX, .dB = &extended->dB, .site = u, .channel = c};
}

/* Computes dX along v - v0 x and, if v0 is not 0, `shifted` = dX + v0 X. v: entries `step`
 * apart, or NULL for zero. */
static struct ca_change general(struct ca_extended *extended, const double *v, size_t step,
                                double v0) {
    const struct ca_graph *graph = extended->jet.graph;
    const struct ca_pass *X = &extended->jet.X;
    const int rows = extended->jet.rows, channels = graph->op[0].shape.channels;
    struct ca_pass *dX = &extended->dX, *shifted = &extended->shifted;
    ca_jet_plan_tangent(&extended->jet, dX, -1);
    for (int u = 0; u < graph->op[0].positions; u++)
        for (int c = 0; c < channels && ca_rows(dX, (size_t)u) > 0; c++) {
            const double fixed = v == NULL ? 0 : v[(size_t)(u * channels + c) * step];
            const double *x = ca_at(X, (size_t)u) + c * rows;
            for (int s = 0; s < rows; s++)
                ca_at(dX, (size_t)u)[s + c * rows] = fixed - v0 * x[s];
        }
    ca_jet_tangent(&extended->jet, dX);
    struct ca_change change = {.dX = dX, .dB = &extended->dB, .site = -1};
    if (v0 == 0)
        return change;
    for (int s = 0; s < rows; s++)
        extended->d_one[s] = v0;
    change.d_one = extended->d_one;
    ca_pass_plan_batch(shifted, rows);
    for (size_t i = 0; i < X->size; i++)
        shifted->value[i] = v0 * X->value[i];
    for (int node = 0; node < graph->n_nodes; node++)
        for (int u = 0; u < graph->op[node].positions; u++) {
            const size_t site = graph->first[node] + (size_t)u;
            const size_t n = (size_t)ca_rows(dX, site) * (size_t)graph->op[node].shape.channels;
            for (size_t i = 0; i < n; i++)
                ca_at(shifted, site)[i] += ca_at(dX, site)[i];
        }
    change.dX = shifted;
    return change;
}

void ca_extended_fill(struct ca_extended *extended, size_t begin, size_t end, double *out,
                      int ld) {
    const struct ca_graph *graph = extended->jet.graph;
    const size_t n = graph->n_inputs, m = graph->n_outputs, b = end - begin;
    for (size_t k = 0; k < extended->n_columns; k++)
        memset(out + k * (size_t)ld, 0, sizeof(double) * b * m * extended->n_rows);
    ca_jet_at(&extended->jet, extended->theta, extended->x + begin, extended->n_samples,
              (int)b);
    sensitivities(extended, extended->weight == NULL ? NULL : extended->weight + begin);
    for (size_t i = 0; i < extended->n_rows; i++) {
        const double *row = extended->rows == NULL ? NULL : extended->rows + i;
        const double v0 = row != NULL ? row[n * extended->n_rows] : i == n;
        const struct ca_change change = row == NULL && i < n
                                            ? one_hot(extended, i)
                                            : general(extended, row, extended->n_rows, v0);
        for (size_t o = 0; o < m; o++) {
            ca_jet_back_tangent(&extended->jet, &extended->B[o], &extended->dX, &extended->dB);
            ca_contract_rows(extended->column, &extended->B[o], &extended->jet.X,
                             extended->jet.one, change, out + b * (o + m * i), ld);
        }
    }
}

void ca_extended_gradients(struct ca_extended *extended, size_t begin, size_t end, double *out,
                           int ld) {
    const size_t m = extended->jet.graph->n_outputs, b = end - begin;
    for (size_t k = 0; k < extended->n_columns; k++)
        memset(out + k * (size_t)ld, 0, sizeof(double) * b * m);
    ca_jet_at(&extended->jet, extended->theta, extended->x + begin, extended->n_samples,
              (int)b);
    sensitivities(extended, NULL);
    for (size_t o = 0; o < m; o++)
        ca_extended_contract(extended->column, &extended->jet, &extended->B[o], out + b * o,
                             ld);
}

void ca_extended_linearise(struct ca_extended *extended, size_t begin, size_t end, double *W) {
    const struct ca_graph *graph = extended->jet.graph;
    const size_t n = graph->n_inputs, m = graph->n_outputs, b = end - begin;
    const size_t channels = (size_t)graph->op[0].shape.channels;
    const size_t last = (size_t)graph->op[graph->output].shape.channels;
    ca_jet_at(&extended->jet, extended->theta, extended->x + begin, extended->n_samples,
              (int)b);
    sensitivities(extended, NULL);
    memset(W, 0, sizeof(double) * m * (n + 1) * b);
    for (size_t o = 0; o < m; o++) {
        const double *yhat =
            ca_at(&extended->jet.X, graph->first[graph->output] + o / last) + (o % last) * b;
        for (size_t s = 0; s < b; s++)
            W[o + m * n + m * (n + 1) * s] = yhat[s];
        for (size_t j = 0; j < n; j++) {
            const size_t u = j / channels;
            if (!graph->live[u])
                continue;
            const double *slope = ca_at(&extended->B[o], u) + (j % channels) * b;
            const double *x = extended->x + begin + j * extended->n_samples;
            for (size_t s = 0; s < b; s++) {
                double *own = W + o + m * (n + 1) * s; /* row o of sample s */
                own[m * j] = slope[s];
                own[m * n] -= slope[s] * x[s];
            }
        }
    }
}
