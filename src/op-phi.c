/* phi: an activation function, applied entry by entry. Values and first and second derivatives
 * of all activations are computed here. */

#include <math.h>
#include <string.h>

#include "op.h"

static const double SQRT_2 = 1.41421356237309504880, SQRT_PI = 1.77245385090551602730;

struct jet {
    double value, slope, curve;
};

/* The logistic function at u, its derivative, and tanh(u / 2), each to machine precision for
 * all u. With e = exp(-|u|), 1 - e is computed by expm1() for small |u|, where it would cancel,
 * and 1 - logistic(u) is never formed. */
struct logistic {
    double value, slope, lean;
};

static struct logistic logistic(double u) {
    const double away = fabs(u);
    const double less = away < 1 ? -expm1(-away) : 1 - exp(-away);
    const double e = away < 1 ? 1 - less : exp(-away);
    return (struct logistic){.value = (u >= 0 ? 1 : e) / (1 + e),
                             .slope = e / ((1 + e) * (1 + e)),
                             .lean = copysign(less / (1 + e), u)};
}

static struct jet identity_at(double u, double a) {
    (void)a;
    return (struct jet){u, 1, 0};
}

static struct jet relu_at(double u, double a) {
    (void)a;
    if (isnan(u))
        return (struct jet){u, u, u}; /* NaN of an overflow must not become 0 */
    return u > 0 ? (struct jet){u, 1, 0} : (struct jet){0, 0, 0};
}

static struct jet leaky_relu_at(double u, double a) {
    return u > 0 ? (struct jet){u, 1, 0} : (struct jet){a * u, a, 0};
}

static struct jet elu_at(double u, double a) {
    return u > 0 ? (struct jet){u, 1, 0} : (struct jet){a * expm1(u), a * exp(u), a * exp(u)};
}

/* u Phi(u), with Phi the standard normal distribution function */
static struct jet gelu_at(double u, double a) {
    (void)a;
    const double Phi = 0.5 * erfc(-u / SQRT_2), density = exp(-u * u / 2) / (SQRT_2 * SQRT_PI);
    return (struct jet){u * Phi, Phi + u * density, density * (2 - u * u)};
}

static struct jet silu_at(double u, double a) {
    (void)a;
    const struct logistic l = logistic(u);
    return (struct jet){u * l.value, l.value + u * l.slope, l.slope * (2 - u * l.lean)};
}

static struct jet softplus_at(double u, double a) {
    (void)a;
    const struct logistic l = logistic(u);
    return (struct jet){fmax(u, 0) + log1p(exp(-fabs(u))), l.value, l.slope};
}

static struct jet sigmoid_at(double u, double a) {
    (void)a;
    const struct logistic l = logistic(u);
    return (struct jet){l.value, l.slope, -l.slope * l.lean};
}

static struct jet tanh_at(double u, double a) {
    (void)a;
    const struct logistic l = logistic(2 * u);
    return (struct jet){l.lean, 4 * l.slope, -8 * l.slope * l.lean};
}

static struct jet erf_at(double u, double a) {
    (void)a;
    const double d = 2 / SQRT_PI * exp(-u * u);
    return (struct jet){erf(u), d, -2 * u * d};
}

static struct jet sin_at(double u, double a) {
    const double s = sin(a * u);
    return (struct jet){s, a * cos(a * u), -a * a * s};
}

static struct jet abs_at(double u, double a) {
    (void)a;
    return (struct jet){fabs(u), (u > 0) - (u < 0), 0};
}

static struct jet exp_at(double u, double a) {
    (void)a;
    const double e = exp(u);
    return (struct jet){e, e, e};
}

static struct jet square_at(double u, double a) {
    (void)a;
    return (struct jet){u * u, 2 * u, 2};
}

static struct jet reciprocal_at(double u, double a) {
    (void)a;
    const double r = 1 / u;
    return (struct jet){r, -r * r, 2 * r * r * r};
}

/* 1 / sqrt(u), NaN below zero */
static struct jet rsqrt_at(double u, double a) {
    (void)a;
    const double r = 1 / sqrt(u);
    return (struct jet){r, -r / (2 * u), 3 * r / (4 * u * u)};
}

/* The constants of Klambauer et al. (2017). */
static struct jet selu_at(double u, double a) {
    (void)a;
    const double scale = 1.0507009873554804934, alpha = 1.6732632423543772848;
    const struct jet elu = elu_at(u, alpha);
    return (struct jet){scale * elu.value, scale * elu.slope, scale * elu.curve};
}

static struct jet softsign_at(double u, double a) {
    (void)a;
    const double r = 1 / (1 + fabs(u));
    return (struct jet){u * r, r * r, -2 * copysign(r * r * r, u)};
}

static struct jet relu6_at(double u, double a) {
    if (!(u > 6))
        return relu_at(u, a);
    return (struct jet){6, 0, 0};
}

/* relu6(u + 3) / 6 */
static struct jet hard_sigmoid_at(double u, double a) {
    const struct jet clip = relu6_at(u + 3, a);
    return (struct jet){clip.value / 6, clip.slope / 6, 0 * clip.curve};
}

/* u relu6(u + 3) / 6 */
static struct jet hard_swish_at(double u, double a) {
    const struct jet h = hard_sigmoid_at(u, a);
    if (h.value == 0)
        return (struct jet){0, 0, 0};
    return (struct jet){u * h.value, h.value + u * h.slope, 2 * h.slope};
}

/* u tanh(softplus(u)). With e = exp(-|u|), t = tanh(softplus(u)) and 1 - t are ratios of
 * positive polynomials in e. */
static struct jet mish_at(double u, double a) {
    (void)a;
    const struct logistic l = logistic(u);
    const double e = exp(-fabs(u));
    const double over = u < 0 ? e * (e + 2) : 1 + 2 * e, under = u < 0 ? 2 : 2 * e * e;
    const double t = over / (over + under), rest = under / (over + under) * (1 + t);
    const double slope = rest * l.value, curve = rest * (l.slope - 2 * t * l.value * l.value);
    return (struct jet){u * t, t + u * slope, 2 * slope + u * curve};
}

static const struct {
    const char *name;
    struct jet (*at)(double u, double parameter);
} activations[] = {
    {"identity", identity_at},
    {"relu", relu_at},
    {"leaky_relu", leaky_relu_at},
    {"elu", elu_at},
    {"gelu", gelu_at},
    {"silu", silu_at},
    {"softplus", softplus_at},
    {"sigmoid", sigmoid_at},
    {"tanh", tanh_at},
    {"erf", erf_at},
    {"sin", sin_at},
    {"abs", abs_at},
    {"exp", exp_at},
    {"square", square_at},
    {"reciprocal", reciprocal_at},
    {"rsqrt", rsqrt_at},
    {"selu", selu_at},
    {"softsign", softsign_at},
    {"hard_sigmoid", hard_sigmoid_at},
    {"hard_swish", hard_swish_at},
    {"mish", mish_at},
    {"relu6", relu6_at},
};
enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };

int ca_phi_kind(const char *name) {
    for (int kind = 0; kind < N_ACTIVATIONS; kind++)
        if (strcmp(name, activations[kind].name) == 0)
            return kind;
    return -1;
}

const char *ca_phi_name(int kind) {
    return kind >= 0 && kind < N_ACTIVATIONS ? activations[kind].name : NULL;
}

void ca_phi(int kind, double parameter, size_t n, const double *u, double *value, double *slope,
            double *curve) {
    for (size_t i = 0; i < n; i++) {
        const struct jet jet = activations[kind].at(u[i], parameter);
        value[i] = jet.value;
        slope[i] = jet.slope;
        curve[i] = jet.curve;
    }
}

static bool tap(const struct ca_op *op, int u, int k, struct ca_tap *tap) {
    (void)k;
    *tap = (struct ca_tap){.site = op->in[0] + (size_t)u, .channels = op->shape.channels};
    return true;
}

static size_t entries(const struct ca_op *op, int rows) {
    return (size_t)rows * (size_t)op->shape.channels;
}

static void value(const struct ca_op *op, int rows, const double *const *in, double *out,
                  double *slope, double *curve) {
    ca_phi(op->phi, op->scale[0], entries(op, rows), in[0], out, slope, curve);
}

static const double *gain(const struct ca_op *op, int k, int rows, const double *const *in,
                          const double *slope, double *scratch) {
    (void)op, (void)k, (void)rows, (void)in, (void)scratch;
    return slope;
}

static const double *bend(const struct ca_op *op, int k, int rows, const double *const *d_in,
                          const double *curve, double *scratch) {
    (void)k;
    if (d_in[0] == NULL)
        return NULL;
    for (size_t i = 0; i < entries(op, rows); i++)
        scratch[i] = curve[i] * d_in[0][i];
    return scratch;
}

const struct ca_op_row ca_row_phi = {.name = "phi",
                                     .min_from = 1,
                                     .max_from = 1,
                                     .activation = true,
                                     .tap = tap,
                                     .value = value,
                                     .gain = gain,
                                     .bend = bend};
