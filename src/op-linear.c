/*
 * linear: y_u = sum over taps k of K_k x_pos(u,k). Dense layers, convolutions, grouped and
 * local convolutions and recurrent matrices are of this form. A block K_k is a matrix (filters
 * x channels of a group, first index fastest). The blocks are in the order of the taps.
 * Positions that do not share theta have such a sequence of blocks each. Filter f belongs to
 * group f / (filters / groups).
 */

#include "linalg.h"
#include "op.h"

static bool tap(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    const int position = op->map[(size_t)k + (size_t)op->n_taps * (size_t)u];
    if (position < 0)
        return false;
    tap->site = op->in[0] + (size_t)position;
    tap->channels = op->in_channels;
    tap->to = 0;
    tap->scale = 1;
    tap->theta = ca_op_theta(op, u) +
                 (size_t)k * (size_t)op->shape.channels * (size_t)ca_op_group_channels(op);
    tap->groups = op->groups;
    return true;
}

static enum ca_status check(struct ca_op *op, const struct ca_op *ops, const char **why) {
    (void)ops;
    *why = "groups that do not divide the channels";
    return op->groups >= 1 && op->in_channels % op->groups == 0 &&
                   op->shape.channels % op->groups == 0
               ? CA_OK
               : CA_BAD_GRAPH;
}

static double block(const struct ca_op *op) {
    return (double)op->n_taps * op->shape.channels * ca_op_group_channels(op);
}

/* out (rows x filters) += in (rows x channels) K' */
static void push(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                 int rows, const double *in, int ld_in, double *out, int ld_out) {
    const int filters = op->shape.channels, fg = filters / op->groups;
    const int cg = tap->channels / op->groups;
    for (int g = 0; g < op->groups; g++)
        ca_gemm_nt(rows, fg, cg, in + (size_t)g * (size_t)cg * (size_t)ld_in, ld_in,
                   theta + tap->theta + g * fg, filters,
                   out + (size_t)g * (size_t)fg * (size_t)ld_out, ld_out);
}

/* in (rows x channels) += out (rows x filters) K */
static void pull(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                 int rows, const double *out, int ld_out, double *in, int ld_in) {
    const int filters = op->shape.channels, fg = filters / op->groups;
    const int cg = tap->channels / op->groups;
    for (int g = 0; g < op->groups; g++)
        ca_gemm_nn(rows, cg, fg, out + (size_t)g * (size_t)fg * (size_t)ld_out, ld_out,
                   theta + tap->theta + g * fg, filters,
                   in + (size_t)g * (size_t)cg * (size_t)ld_in, ld_in);
}

const struct ca_op_row ca_row_linear = {
    .name = "linear",
    .min_from = 1,
    .max_from = 1,
    .windowed = true,
    .multiplies = true,
    .mixes = true,
    .check = check,
    .block = block,
    .tap = tap,
    .own = tap,
    .push = push,
    .pull = pull,
};
