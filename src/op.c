/* The table of operations, and those that only move and scale channels. */

#include "op.h"

#include <string.h>

static void set_copy(struct ca_tap *tap, size_t site, int channels, int to, double scale) {
    *tap = (struct ca_tap){.site = site, .channels = channels, .to = to, .scale = scale};
}

static bool tap_fixed(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    const int position = op->map[(size_t)k + (size_t)op->n_taps * (size_t)u];
    if (position < 0)
        return false;
    set_copy(tap, op->in[0] + (size_t)position, op->in_channels, 0, op->scale[0]);
    return true;
}

static bool tap_bias(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    (void)k;
    set_copy(tap, op->in[0] + (size_t)u, op->shape.channels, 0, 1);
    return true;
}

static bool tap_add(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    set_copy(tap, op->in[k] + (size_t)u, op->shape.channels, 0, op->scale[k]);
    return true;
}

static bool tap_concat(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    const int end = k + 1 < op->n_from ? op->offset[k + 1] : op->shape.channels;
    set_copy(tap, op->in[k] + (size_t)u, end - op->offset[k], op->offset[k], 1);
    return true;
}

static bool tap_flatten(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    (void)u;
    set_copy(tap, op->in[0] + (size_t)k, op->in_channels, k * op->in_channels, 1);
    return true;
}

static void add_scaled(int rows, int columns, double scale, const double *restrict from,
                       int ld_from, double *restrict to, int ld_to) {
    for (int c = 0; c < columns; c++, from += ld_from, to += ld_to)
#pragma omp simd
        for (int i = 0; i < rows; i++)
            to[i] += scale * from[i];
}

static void push_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                      int rows, const double *in, int ld_in, double *out, int ld_out) {
    (void)op;
    (void)theta;
    add_scaled(rows, tap->channels, tap->scale, in, ld_in,
               out + (size_t)tap->to * (size_t)ld_out, ld_out);
}

static void pull_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                      int rows, const double *out, int ld_out, double *in, int ld_in) {
    (void)op;
    (void)theta;
    add_scaled(rows, tap->channels, tap->scale, out + (size_t)tap->to * (size_t)ld_out, ld_out,
               in, ld_in);
}

static const struct ca_op_row row_input = {.name = "input"};

static const struct ca_op_row row_fixed = {.name = "fixed",
                                           .min_from = 1,
                                           .max_from = 1,
                                           .windowed = true,
                                           .tap = tap_fixed,
                                           .push = push_copy,
                                           .pull = pull_copy};

static const struct ca_op_row row_bias = {.name = "bias",
                                          .min_from = 1,
                                          .max_from = 1,
                                          .tap = tap_bias,
                                          .push = push_copy,
                                          .pull = pull_copy};

static const struct ca_op_row row_add = {.name = "add",
                                         .min_from = 1,
                                         .max_from = 65536,
                                         .tap = tap_add,
                                         .push = push_copy,
                                         .pull = pull_copy};

static const struct ca_op_row row_concat = {.name = "concat",
                                            .min_from = 1,
                                            .max_from = 65536,
                                            .tap = tap_concat,
                                            .push = push_copy,
                                            .pull = pull_copy};

static const struct ca_op_row row_flatten = {.name = "flatten",
                                             .min_from = 1,
                                             .max_from = 1,
                                             .tap = tap_flatten,
                                             .push = push_copy,
                                             .pull = pull_copy};

static const struct ca_op_row *const table[] = {
    [CA_OP_INPUT] = &row_input,
    [CA_OP_LINEAR] = &ca_row_linear,
    [CA_OP_FIXED] = &row_fixed,
    [CA_OP_BIAS] = &row_bias,
    [CA_OP_ADD] = &row_add,
    [CA_OP_CONCAT] = &row_concat,
    [CA_OP_FLATTEN] = &row_flatten,
    [CA_OP_PHI] = &ca_row_phi,
    [CA_OP_PRODUCT] = &ca_row_product,
    [CA_OP_MAX] = &ca_row_max,
};
_Static_assert(sizeof table / sizeof *table == CA_OP_COUNT, "one row per operation");

const struct ca_op_row *ca_op_row(enum ca_op_kind kind) {
    return table[kind];
}

int ca_op_kind(const char *name) {
    for (int kind = CA_OP_INPUT + 1; kind < CA_OP_COUNT; kind++)
        if (strcmp(name, table[kind]->name) == 0)
            return kind;
    return -1;
}
