/* bias: adds a constant to each channel of the input. The constants are the same at all
 * positions, or each position has its own. A constant is theta times the homogeneous
 * coordinate, which is 1 for observations. */

#include "op.h"

static bool tap(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    (void)k;
    *tap = (struct ca_tap){
        .site = op->in[0] + (size_t)u, .channels = op->shape.channels, .scale = 1};
    return true;
}

static bool own(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    (void)k;
    *tap = (struct ca_tap){
        .site = CA_CONSTANT, .channels = 1, .theta = ca_op_theta(op, u), .groups = 1};
    return true;
}

static double block(const struct ca_op *op) {
    return op->shape.channels;
}

const struct ca_op_row ca_row_bias = {.name = "bias",
                                      .min_from = 1,
                                      .max_from = 1,
                                      .constant = true,
                                      .inhomogeneous = true,
                                      .block = block,
                                      .tap = tap,
                                      .push = ca_op_push_copy,
                                      .pull = ca_op_pull_copy,
                                      .own = own};

void ca_op_add_constant(const struct ca_op *op, int u, const double *theta, int rows,
                        const double *one, double *out) {
    if (!ca_op_row(op->kind)->constant)
        return;
    const double *b = theta + ca_op_theta(op, u);
    for (int c = 0; c < op->shape.channels; c++, out += rows)
        for (int i = 0; i < rows; i++)
            out[i] += b[c] * one[i];
}

void ca_op_pull_constant(const struct ca_op *op, int u, const double *theta, int rows,
                         const double *out, double *one) {
    if (!ca_op_row(op->kind)->constant)
        return;
    const double *b = theta + ca_op_theta(op, u);
    for (int c = 0; c < op->shape.channels; c++, out += rows)
        for (int i = 0; i < rows; i++)
            one[i] += b[c] * out[i];
}
