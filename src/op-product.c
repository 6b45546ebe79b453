/* product: two inputs multiplied entry by entry, as in the gates of recurrent cells. */

#include "op.h"

static bool tap(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    *tap = (struct ca_tap){.site = op->in[k] + (size_t)u, .channels = op->shape.channels};
    return true;
}

static void value(const struct ca_op *op, int rows, const double *const *in, double *out,
                  double *slope, double *curve) {
    (void)slope, (void)curve;
    for (size_t i = 0; i < (size_t)rows * (size_t)op->shape.channels; i++)
        out[i] = in[0][i] * in[1][i];
}

static const double *gain(const struct ca_op *op, int k, int rows, const double *const *in,
                          const double *slope, double *scratch) {
    (void)op, (void)rows, (void)slope, (void)scratch;
    return in[1 - k];
}

static const double *bend(const struct ca_op *op, int k, int rows, const double *const *d_in,
                          const double *curve, double *scratch) {
    (void)op, (void)rows, (void)curve, (void)scratch;
    return d_in[1 - k];
}

const struct ca_op_row ca_row_product = {.name = "product",
                                         .min_from = 2,
                                         .max_from = 2,
                                         .multiplies = true,
                                         .inhomogeneous = true,
                                         .tap = tap,
                                         .value = value,
                                         .gain = gain,
                                         .bend = bend};
