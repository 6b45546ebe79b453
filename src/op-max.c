/*
 * max: maximum over a window, channel by channel. `slope` is the number of the tap with the
 * largest value (the first one of equal values), whose gain is 1. The value at an empty window
 * is 0.
 */

#include <math.h>

#include "op.h"

static bool tap(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    const int position = op->map[(size_t)k + (size_t)op->n_taps * (size_t)u];
    if (position < 0)
        return false;
    *tap = (struct ca_tap){.site = op->in[0] + (size_t)position, .channels = op->in_channels};
    return true;
}

/* NaN counts as larger than all numbers, so that the result of an overflow does not
 * disappear. */
static bool exceeds(double a, double b) {
    return a > b || (isnan(a) && !isnan(b));
}

static void value(const struct ca_op *op, int rows, const double *const *in, double *out,
                  double *slope, double *curve) {
    (void)curve;
    for (size_t i = 0; i < (size_t)rows * (size_t)op->shape.channels; i++) {
        int best = -1;
        for (int k = 0; k < op->n_taps; k++)
            if (in[k] != NULL && (best < 0 || exceeds(in[k][i], in[best][i])))
                best = k;
        out[i] = best < 0 ? 0 : in[best][i];
        slope[i] = best;
    }
}

static const double *gain(const struct ca_op *op, int k, int rows, const double *const *in,
                          const double *slope, double *scratch) {
    (void)in;
    for (size_t i = 0; i < (size_t)rows * (size_t)op->shape.channels; i++)
        scratch[i] = slope[i] == k;
    return scratch;
}

const struct ca_op_row ca_row_max = {.name = "max",
                                     .min_from = 1,
                                     .max_from = 1,
                                     .windowed = true,
                                     .check = ca_op_check_channels,
                                     .tap = tap,
                                     .value = value,
                                     .gain = gain};
