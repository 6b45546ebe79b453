/* The table of operations, and the operations that only move and scale channels. */

#include "op.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "workspace.h"

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

void ca_op_push_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                     int rows, const double *in, int ld_in, double *out, int ld_out) {
    (void)op;
    (void)theta;
    add_scaled(rows, tap->channels, tap->scale, in, ld_in,
               out + (size_t)tap->to * (size_t)ld_out, ld_out);
}

void ca_op_pull_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                     int rows, const double *out, int ld_out, double *in, int ld_in) {
    (void)op;
    (void)theta;
    add_scaled(rows, tap->channels, tap->scale, out + (size_t)tap->to * (size_t)ld_out, ld_out,
               in, ld_in);
}

/* --- shapes ------------------------------------------------------------------------------ */

static enum ca_status check_positions(const struct ca_op *op, const struct ca_op *in,
                                      const char **why) {
    if (in->shape.height == op->shape.height && in->shape.width == op->shape.width)
        return CA_OK;
    *why = "inputs with different positions";
    return CA_BAD_GRAPH;
}

enum ca_status ca_op_check_channels(struct ca_op *op, const struct ca_op *ops,
                                    const char **why) {
    *why = "inputs with a different number of channels";
    return ops[op->from[0]].shape.channels == op->shape.channels ? CA_OK : CA_BAD_GRAPH;
}

enum ca_status ca_op_check_alike(struct ca_op *op, const struct ca_op *ops, const char **why) {
    for (int i = 0; i < op->n_from; i++) {
        const struct ca_op *in = &ops[op->from[i]];
        const enum ca_status status = check_positions(op, in, why);
        if (status != CA_OK)
            return status;
        if (in->shape.channels != op->shape.channels) {
            *why = "inputs with a different number of channels";
            return CA_BAD_GRAPH;
        }
    }
    return CA_OK;
}

/* Checks that the inputs have `channels` channels altogether, those of the output. */
static enum ca_status check_sum(const struct ca_op *op, int64_t channels, const char **why) {
    if (channels > INT_MAX) {
        *why = "too many channels";
        return CA_TOO_LARGE;
    }
    *why = "a number of channels that does not match its inputs";
    return channels == op->shape.channels ? CA_OK : CA_BAD_GRAPH;
}

static enum ca_status check_concat(struct ca_op *op, const struct ca_op *ops,
                                   const char **why) {
    int *offset = ca_ints((size_t)op->n_from);
    int64_t channels = 0;
    for (int i = 0; i < op->n_from; i++) {
        const struct ca_op *in = &ops[op->from[i]];
        const enum ca_status status = check_positions(op, in, why);
        if (status != CA_OK)
            return status;
        offset[i] = (int)(channels < INT_MAX ? channels : INT_MAX);
        channels += in->shape.channels;
    }
    op->offset = offset;
    return check_sum(op, channels, why);
}

static enum ca_status check_flatten(struct ca_op *op, const struct ca_op *ops,
                                    const char **why) {
    const struct ca_op *in = &ops[op->from[0]];
    const enum ca_status status =
        check_sum(op, (int64_t)in->positions * in->shape.channels, why);
    op->n_taps = in->positions;
    return status != CA_OK || op->positions == 1 ? status : CA_BAD_GRAPH;
}

/* --- the table --------------------------------------------------------------------------- */

const struct ca_op_row ca_row_input = {.name = "input"};

const struct ca_op_row ca_row_fixed = {.name = "fixed",
                                       .min_from = 1,
                                       .max_from = 1,
                                       .windowed = true,
                                       .check = ca_op_check_channels,
                                       .tap = tap_fixed,
                                       .push = ca_op_push_copy,
                                       .pull = ca_op_pull_copy};

const struct ca_op_row ca_row_add = {.name = "add",
                                     .min_from = 1,
                                     .max_from = 65536,
                                     .sums = true,
                                     .tap = tap_add,
                                     .push = ca_op_push_copy,
                                     .pull = ca_op_pull_copy};

const struct ca_op_row ca_row_concat = {.name = "concat",
                                        .min_from = 1,
                                        .max_from = 65536,
                                        .check = check_concat,
                                        .tap = tap_concat,
                                        .push = ca_op_push_copy,
                                        .pull = ca_op_pull_copy};

const struct ca_op_row ca_row_flatten = {.name = "flatten",
                                         .min_from = 1,
                                         .max_from = 1,
                                         .check = check_flatten,
                                         .tap = tap_flatten,
                                         .push = ca_op_push_copy,
                                         .pull = ca_op_pull_copy};

#define ENTRY(kind, row) [CA_OP_##kind] = &ca_row_##row,
static const struct ca_op_row *const table[] = {CA_OPERATIONS(ENTRY)};

const struct ca_op_row *ca_op_row(enum ca_op_kind kind) {
    return table[kind];
}

int ca_op_count(void) {
    return CA_OP_COUNT;
}

int ca_op_kind(const char *name) {
    for (int kind = CA_OP_INPUT + 1; kind < CA_OP_COUNT; kind++)
        if (strcmp(name, table[kind]->name) == 0)
            return kind;
    return -1;
}
