#include "stages.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/allocation.h"
#include "../src/extended.h"
#include "../src/loss.h"
#include "../src/moments.h"
#include "../src/flow-joint.h"
#include "../src/flow-moments.h"
#include "../src/flow-propagate.h"
#include "../src/sample.h"
#include "../src/workspace.h"

/* Bounds of one stage, so that an input takes milliseconds. */
static const double MOST_WORK = 1e6, MOST_ENTRIES = 1e5;

/* --- checks ------------------------------------------------------------------------------ */

static void digest(struct fuzz_subject *subject, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned long bits = 1;
        if (!isnan(x[i]))
            memcpy(&bits, &x[i], sizeof bits);
        subject->digest = (subject->digest ^ bits) * 1099511628211u;
    }
}

static void digest_one(struct fuzz_subject *subject, double x) {
    digest(subject, &x, 1);
}

static void fault(const char *what, double one, double other) {
    fprintf(stderr, "%s: %.17g and %.17g\n", what, one, other);
    abort();
}

/* Whether results can be compared: values of moderate size, and a network whose values are not
 * so large that only rounding errors remain. */
static int is_tame(const struct fuzz_subject *subject) {
    return subject->options.values <= FUZZ_UNIFORM && subject->majorant < 1e9;
}

static void agree(const struct fuzz_subject *s, const char *what, size_t n, const double *one,
                  const double *other) {
    if (!is_tame(s))
        return;
    for (size_t i = 0; i < n; i++) {
        const double tolerance = 1e-9 * fabs(one[i]) + 1e-11 * s->majorant;
        if (!(fabs(one[i] - other[i]) <= tolerance))
            fault(what, one[i], other[i]);
    }
}

static void close_to(const char *what, double one, double other, double tolerance) {
    if (isfinite(tolerance) && fabs(one - other) > tolerance)
        fault(what, one, other);
}

/* --- sizes ------------------------------------------------------------------------------- */

static double work_of(const struct ca_graph *graph) {
    double work = (double)ca_units(&graph->op[0]) + 1;
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        const double own = ca_op_row(op->kind)->mixes ? ca_op_group_channels(op) : 1;
        work += (double)op->positions * (op->n_taps + 1.0) * (op->shape.channels + 1.0) * own;
    }
    return work;
}

/* The absolute value, but at least 1, so that it is a bound for derivatives too. */
static double large(double x) {
    return fmax(fabs(x), 1);
}

/* A bound of the contribution of a tap to one channel of an operation, for values up to
 * `size`. */
static double bound_tap(const struct fuzz_subject *s, const struct ca_op *op,
                        const struct ca_tap *tap, double size) {
    double most = 0;
    if (op->kind == CA_OP_PHI) /* larger than first and second derivatives of activations */
        return size * large(2 * op->scale[0] * op->scale[0]) * 2 + 2;
    if (op->kind != CA_OP_LINEAR)
        return op->kind == CA_OP_MAX ? size : size * large(tap->scale);
    for (int f = 0; f < op->shape.channels; f++) {
        double sum = 0;
        for (int i = 0; i < ca_op_group_channels(op); i++)
            sum += size * large(s->theta[tap->theta + (size_t)(f + op->shape.channels * i)]);
        most = fmax(most, sum);
    }
    return most;
}

/* The largest sum of absolute values over all paths through the graph to a site. */
static double majorant_of(const struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    double *size = ca_doubles(g->n_sites), most = 1;
    for (int u = 0; u < g->op[0].positions; u++)
        size[u] = 4;
    for (size_t t = 0; t < g->n_steps; t++) {
        const struct ca_step *step = &g->step[t];
        const struct ca_op *op = &g->op[step->node];
        for (int u = step->begin; u < step->end; u++) {
            double *own = &size[g->first[step->node] + (size_t)u];
            struct ca_tap tap;
            *own = op->kind == CA_OP_BIAS ? 4 : op->kind == CA_OP_PRODUCT;
            for (int k = 0; k < op->n_taps; k++) {
                if (!ca_op_row(op->kind)->tap(op, u, k, &tap))
                    continue;
                const double bound = bound_tap(s, op, &tap, size[tap.site]);
                *own = op->kind == CA_OP_PRODUCT ? *own * bound : *own + bound;
            }
            most = fmax(most, *own);
        }
    }
    return most;
}

/* Whether any activation has a nonzero second derivative: then third derivatives contribute to
 * rounding errors. */
static int is_smooth(const struct ca_graph *graph) {
    for (int node = 1; node < graph->n_nodes; node++) {
        const struct ca_op *op = &graph->op[node];
        if (op->kind == CA_OP_PHI &&
            strstr("identity relu leaky_relu abs", ca_phi_name(op->phi)) == NULL)
            return 1;
    }
    return 0;
}

void fuzz_measure(struct fuzz_subject *s) {
    s->work = work_of(&s->graph);
    s->majorant = s->work <= MOST_WORK ? majorant_of(s) : INFINITY;
    if (is_smooth(&s->graph))
        s->majorant *= s->majorant * s->majorant;
}

static double inputs(const struct fuzz_subject *s) {
    return (double)s->graph.n_inputs + 1;
}

static double outputs(const struct fuzz_subject *s) {
    return (double)s->graph.n_outputs;
}

static double params(const struct fuzz_subject *s) {
    return (double)s->graph.n_params + 1;
}

/* Whether `passes` passes and a matrix of this size are within the bounds of a stage. */
static int fits(const struct fuzz_subject *s, double passes, double rows, double columns) {
    return s->work * passes <= MOST_WORK && rows * columns <= MOST_ENTRIES;
}

/* The columns of all operations, or of all but one. */
static const long *columns_of(const struct fuzz_subject *s, size_t *n_columns) {
    const struct ca_graph *g = &s->graph;
    long *column = ca_bytes((size_t)g->n_nodes, sizeof(long));
    const struct ca_op *out = &g->op[s->options.left_out % g->n_nodes];
    const size_t begin = out->n_theta > 0 ? out->theta : g->n_params,
                 end = begin + out->n_theta;
    *n_columns = g->n_params - out->n_theta;
    for (int node = 0; node < g->n_nodes; node++) {
        const struct ca_op *op = &g->op[node];
        column[node] = -1;
        if (op->n_theta == 0)
            continue;
        const size_t stop = op->theta + op->n_theta;
        if (op->theta >= end)
            column[node] = (long)(op->theta - out->n_theta);
        else if (stop <= begin)
            column[node] = (long)op->theta;
        else if (op->theta != begin || stop != end) { /* overlapping slices: all columns */
            *n_columns = g->n_params;
            for (int other = 0; other < g->n_nodes; other++)
                column[other] = (long)g->op[other].theta;
            return column;
        }
    }
    return column;
}

static const long *all_columns(const struct ca_graph *g) {
    long *column = ca_bytes((size_t)g->n_nodes, sizeof(long));
    for (int node = 0; node < g->n_nodes; node++)
        column[node] = (long)g->op[node].theta;
    return column;
}

/* --- linear networks --------------------------------------------------------------------- */

static double *weights(const struct fuzz_subject *s) {
    double *W = ca_doubles(s->graph.n_outputs * ca_coordinates(&s->graph));
    struct ca_pass back = ca_pass_new(&s->graph);
    ca_pass_plan_outputs(&back);
    back.value = ca_doubles(back.size);
    ca_pass_backward(&back, s->theta);
    ca_tangent_weights(&back, s->theta, W);
    return W;
}

static double *predict(const struct fuzz_subject *s, int block) {
    const struct ca_graph *g = &s->graph;
    const int N = s->options.samples;
    double *out = ca_doubles((size_t)N * g->n_outputs);
    struct ca_jet jet = ca_jet_new(g, block);
    const struct ca_op *last = &g->op[g->output];
    for (int begin = 0; begin < N; begin += block) {
        const int count = N - begin < block ? N - begin : block;
        ca_jet_at(&jet, s->theta, s->x + begin, (size_t)N, count);
        for (int u = 0; u < last->positions; u++)
            for (int c = 0; c < last->shape.channels; c++)
                memcpy(out + begin + (size_t)(u * last->shape.channels + c) * (size_t)N,
                       ca_at(&jet.X, g->first[g->output] + (size_t)u) +
                           (size_t)c * (size_t)count,
                       sizeof(double) * (size_t)count);
    }
    return out;
}

static void stage_reach(struct fuzz_subject *s) {
    const struct ca_box *box = ca_graph_reach(&s->graph);
    const struct ca_op *last = &s->graph.op[s->graph.output];
    for (int u = 0; u < last->positions; u++)
        for (int d = 0; d < 2; d++)
            digest_one(s, box[s->graph.first[s->graph.output] + (size_t)u].hi[d]);
}

/* yhat = W x */
static void stage_predict(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    const size_t N = (size_t)s->options.samples, n = g->n_inputs, m = g->n_outputs;
    if (!fits(s, outputs(s) + 8, outputs(s), inputs(s) + (double)N))
        return;
    const double *y = predict(s, s->options.samples);
    digest(s, y, N * m);
    agree(s, "outputs in blocks", N * m, y, predict(s, 1 + (int)s->options.block % 3));
    if (!g->is_linear)
        return;
    const double *W = weights(s);
    double *product = ca_doubles(N * m);
    digest(s, W, m * ca_coordinates(g));
    for (size_t o = 0; o < m; o++)
        for (size_t i = 0; i < N; i++) {
            product[i + N * o] = g->has_bias ? W[o + m * n] : 0;
            for (size_t j = 0; j < n; j++)
                product[i + N * o] += W[o + m * j] * s->x[i + N * j];
        }
    agree(s, "outputs of weights", N * m, y, product);
}

static double *tangent(const struct fuzz_subject *s, const double *seeds, size_t n_seeds,
                       const long *column, size_t n_columns, size_t block) {
    const struct ca_graph *g = &s->graph;
    const size_t n = seeds != NULL ? n_seeds : ca_coordinates(g), m = g->n_outputs;
    double *J = ca_doubles(m * n * n_columns);
    struct ca_tangent tangent = ca_tangent_new(g, seeds, n_seeds, column, n_columns, block);
    ca_tangent_at(&tangent, s->theta);
    for (size_t begin = 0; begin < n; begin += block) {
        const size_t end = begin + block < n ? begin + block : n, rows = m * (end - begin);
        double *out = ca_doubles(rows * n_columns);
        ca_tangent_fill(&tangent, begin, end, out, (int)rows);
        for (size_t k = 0; k < n_columns; k++)
            memcpy(J + m * begin + k * m * n, out + k * rows, sizeof(double) * rows);
    }
    return J;
}

/* The tangent in blocks and at once, at coordinates and at the rows of the identity. */
static void stage_tangent(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    if (!g->is_linear ||
        !fits(s, 4 * inputs(s) + outputs(s), inputs(s) * outputs(s), 4 * params(s)))
        return;
    size_t p;
    const long *column = columns_of(s, &p);
    const size_t n = ca_coordinates(g), m = g->n_outputs;
    const double *J = tangent(s, NULL, 0, column, p, n);
    double *identity = ca_doubles(n * n);
    memset(identity, 0, sizeof(double) * n * n);
    for (size_t i = 0; i < n; i++)
        identity[i + n * i] = 1;
    digest(s, J, m * n * p);
    if (!is_tame(s))
        return;
    agree(s, "tangent in blocks", m * n * p, J,
          tangent(s, NULL, 0, column, p, s->options.block));
    agree(s, "tangent of seeds", m * n * p, J,
          tangent(s, identity, n, column, p, s->options.block));
}

/* --- samples ----------------------------------------------------------------------------- */

/* D, with rows s + N (o + m j) for any size of block. */
static double *extended(const struct fuzz_subject *s, const double *rows, size_t n_rows,
                        const long *column, size_t n_columns, size_t block) {
    const struct ca_graph *g = &s->graph;
    const size_t N = (size_t)s->options.samples, own = g->n_outputs * n_rows;
    double *D = ca_doubles(N * own * n_columns);
    struct ca_extended extended =
        ca_extended_new(g, s->theta, s->x, N, rows, n_rows, column, n_columns, block);
    for (size_t begin = 0; begin < N; begin += block) {
        const size_t b = begin + block < N ? block : N - begin;
        double *out = ca_doubles(b * own * n_columns);
        ca_extended_fill(&extended, begin, begin + b, out, (int)(b * own));
        for (size_t k = 0; k < n_columns; k++)
            for (size_t i = 0; i < b * own; i++)
                D[begin + i % b + N * (i / b) + k * N * own] = out[i + k * b * own];
    }
    return D;
}

static int fits_extended(const struct fuzz_subject *s) {
    const double N = s->options.samples;
    return fits(s, 3 * N * (inputs(s) + 1) * outputs(s), N * inputs(s) * outputs(s),
                4 * params(s));
}

/* For a linear network the extended tangent at every sample is the tangent. */
static void check_linear(const struct fuzz_subject *s, const double *D, const long *column,
                         size_t p) {
    const struct ca_graph *g = &s->graph;
    const size_t N = (size_t)s->options.samples, m = g->n_outputs, n = g->n_inputs,
                 held = ca_coordinates(g);
    const double *J = tangent(s, NULL, 0, column, p, held);
    double *every = ca_doubles(N * m * (n + 1) * p);
    for (size_t k = 0; k < p; k++)
        for (size_t row = 0; row < m * (n + 1); row++)
            for (size_t i = 0; i < N; i++)
                every[i + N * row + k * N * m * (n + 1)] =
                    row < m * held ? J[row + k * m * held] : 0;
    agree(s, "extended tangent of a linear network", N * m * (n + 1) * p, D, every);
}

static void stage_extended(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    if (!fits_extended(s))
        return;
    size_t p;
    const long *column = columns_of(s, &p);
    const size_t N = (size_t)s->options.samples, n = g->n_inputs + 1,
                 size = N * g->n_outputs * n * p;
    const double *D = extended(s, NULL, n, column, p, N);
    double *identity = ca_doubles(n * n);
    memset(identity, 0, sizeof(double) * n * n);
    for (size_t i = 0; i < n; i++)
        identity[i + n * i] = 1;
    digest(s, D, size);
    if (!is_tame(s))
        return;
    const size_t block = 1 + s->options.block % N;
    agree(s, "extended tangent in blocks", size, D, extended(s, NULL, n, column, p, block));
    agree(s, "extended tangent of directions", size, D,
          extended(s, identity, n, column, p, block));
    if (g->is_linear)
        check_linear(s, D, column, p);
}

static void stage_linearise(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    const size_t m = g->n_outputs, n = g->n_inputs;
    if (!fits(s, 4 * outputs(s), outputs(s), inputs(s)))
        return;
    double *W = ca_doubles(m * (n + 1)), *x = ca_doubles(n);
    for (size_t j = 0; j < n; j++)
        x[j] = s->x[(size_t)s->options.samples * j];
    struct ca_extended extended = ca_extended_new(g, s->theta, x, 1, NULL, 0, NULL, 0, 1);
    ca_extended_linearise(&extended, 0, 1, W);
    digest(s, W, m * (n + 1));
    if (g->is_linear)
        agree(s, "weights by a tangent map", m * ca_coordinates(g), W, weights(s));
}

/* --- losses ------------------------------------------------------------------------------ */

/* `context`: the options, some of which stop the optimiser early. */
static int tick(void *context, int iteration, const double *theta, double loss, double number) {
    const struct fuzz_options *options = context;
    (void)theta, (void)loss, (void)number;
    return options->seed % 16 == 3 && iteration > 0;
}

typedef struct ca_result minimiser(const struct ca_objective *, const struct ca_control *,
                                   const struct ca_trace *, double *);

static void minimise(struct fuzz_subject *s, minimiser *run,
                     const struct ca_objective *objective) {
    const struct ca_control control = {.max_iterations = (int)(s->options.seed % 4),
                                       .tol = 1e-10,
                                       .decrement = 1e-8,
                                       .learning_rate = 0.01,
                                       .memory = 2};
    const struct ca_trace trace = {&s->options, tick};
    double *theta = ca_doubles(s->graph.n_params);
    memcpy(theta, s->theta, sizeof(double) * s->graph.n_params);
    const struct ca_result result = run(objective, &control, &trace, theta);
    digest_one(s, result.loss);
    digest_one(s, result.number);
}

/* g = 2 J'r */
static void check_gradient(const struct ca_objective *objective, const double *r,
                           const double *J, const double *g, double rounding) {
    for (size_t k = 0; k < objective->p; k++) {
        double sum = 0, size = 0;
        for (size_t i = 0; i < objective->squares.q; i++) {
            sum += 2 * J[i + k * objective->squares.q] * r[i];
            size += fabs(2 * J[i + k * objective->squares.q] * r[i]);
        }
        close_to("gradient", g[k], sum, 1e-6 * size + rounding);
    }
}

/* The samples as a root of their moments, augmented by the constant if the network has a bias.
 * Returns 0 for samples that the border refuses. */
static int moments_of(const struct fuzz_subject *s, struct ca_moments *moments) {
    const struct ca_graph *g = &s->graph;
    const size_t N = (size_t)s->options.samples, n = ca_coordinates(g), m = g->n_outputs;
    double *R = ca_doubles(N * n), total = 0, check = 0;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < N; i++)
            R[i + N * j] = j < g->n_inputs ? s->x[i + N * j] : 1;
    for (size_t i = 0; i < N * m; i++)
        total += s->y[i] * s->y[i];
    for (size_t i = 0; i < N * n; i++)
        check += 0 * R[i];
    *moments = (struct ca_moments){
        .n = n, .m = m, .rank = N, .R = R, .T = s->y, .floor = 0, .total = total};
    return check + 0 * total == 0 && total > 0;
}

static void stage_moments(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    const size_t p = g->n_params;
    struct ca_moments moments;
    if (!g->is_linear || params(s) > 200 || inputs(s) * inputs(s) > MOST_ENTRIES ||
        !fits(s, 300 * (outputs(s) + inputs(s)), inputs(s) * outputs(s), 4 * params(s)) ||
        !moments_of(s, &moments))
        return;
    struct ca_loss loss = ca_loss_new(g, &moments, all_columns(g));
    const struct ca_objective objective = ca_loss_objective(&loss);
    double *gradient = ca_doubles(p), *r = ca_doubles(objective.squares.q), f;
    double *J = ca_doubles(objective.squares.q * p);
    digest_one(s, objective.gradient(objective.context, s->theta, gradient));
    digest(s, gradient, p);
    digest_one(s, objective.number(objective.context, s->theta, &f));
    objective.squares.residuals(objective.context, s->theta, r);
    objective.squares.jacobian(objective.context, J);
    digest(s, J, objective.squares.q * p);
    if (is_tame(s))
        check_gradient(&objective, r, J, gradient, 1e-11 * s->majorant * s->majorant);
    objective.squares.bend(objective.context, s->theta, r);
    digest(s, r, objective.squares.q);
    minimise(s, ca_lm, &objective);
    minimise(s, ca_lbfgs, &objective);
    minimise(s, ca_adam, &objective);
}

static double no_random(void) {
    return 0.7;
}

/* Checks D' eps = -N/2 times the gradient of the mean squared error, which holds for any
 * network. */
static void check_dependencies(const struct fuzz_subject *s, const double *gradient) {
    const struct ca_graph *g = &s->graph;
    const size_t N = (size_t)s->options.samples, n = g->n_inputs, m = g->n_outputs,
                 rows = N * m * (n + 1);
    if (!fits_extended(s))
        return;
    const double *D = extended(s, NULL, n + 1, all_columns(g), g->n_params, N);
    const double *yhat = predict(s, s->options.samples);
    for (size_t k = 0; k < g->n_params; k++) {
        double sum = 0, size = 0;
        for (size_t row = 0; row < rows; row++) {
            const size_t i = row % N, o = row / N % m, j = row / N / m;
            const double r = s->y[i + N * o] - yhat[i + N * o], x = j < n ? s->x[i + N * j] : 1;
            sum += D[row + k * rows] * r * x;
            size += fabs(D[row + k * rows] * r * x);
        }
        const double rounding = 1e-11 * s->majorant * s->majorant;
        close_to("dependencies left", -2 * sum / (double)N, gradient[k],
                 1e-6 * size + rounding);
    }
}

static void stage_samples(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    const size_t N = (size_t)s->options.samples, p = g->n_params;
    if (!fits(s, 100 * (outputs(s) + 3) * (double)N, (double)N * outputs(s), params(s)) ||
        params(s) > 200)
        return;
    const double decay = s->options.seed % 4 == 0 ? 0.25 : 0;
    for (int kind = CA_SQUARED; kind <= CA_CROSS_ENTROPY; kind++) {
        const size_t batch = s->options.block % 4;
        double *weight = NULL;
        if (kind == CA_CROSS_ENTROPY && s->options.seed % 2 == 0) {
            weight = ca_doubles(N);
            for (size_t i = 0; i < N; i++)
                weight[i] = 1 + (double)(i % 3);
        }
        struct ca_sample sample =
            ca_sample_new(g, all_columns(g), s->x, s->y, weight, N, (enum ca_loss_kind)kind,
                          decay, batch, no_random);
        const struct ca_objective objective = ca_sample_objective(&sample);
        double *gradient = ca_doubles(p), f;
        digest_one(s, objective.gradient(objective.context, s->theta, gradient));
        digest(s, gradient, p);
        digest_one(s, objective.number(objective.context, s->theta, &f));
        if (kind == CA_SQUARED && decay == 0 && is_tame(s))
            check_dependencies(s, gradient);
        if (objective.normal.bend != NULL) {
            objective.normal.bend(objective.context, s->theta, s->theta, gradient);
            digest(s, gradient, p);
        }
        minimise(s, ca_lm_normal, &objective);
        minimise(s, ca_lbfgs, &objective);
        minimise(s, ca_adam, &objective);
    }
}

/* --- allocation -------------------------------------------------------------------------- */

/* Rows for an allocation, from either tangent. */
struct rows_of {
    const struct fuzz_subject *subject;
    struct ca_tangent tangent;
    struct ca_extended extended;
    size_t own; /* rows of one coordinate, or of one sample */
    int by_samples;
};

static void fill(void *context, size_t begin, size_t end, double *out, int ld) {
    struct rows_of *rows = context;
    if (rows->by_samples)
        ca_extended_fill(&rows->extended, begin / rows->own, end / rows->own, out, ld);
    else
        ca_tangent_fill(&rows->tangent, begin / rows->own, end / rows->own, out, ld);
}

static size_t coordinate(const void *context, size_t begin, size_t end, size_t i) {
    const struct rows_of *rows = context;
    if (!rows->by_samples)
        return (begin + i) / rows->own;
    const size_t b = (end - begin) / rows->own;
    return i / (b * rows->subject->graph.n_outputs);
}

static void add_leverage(void *context, size_t begin, size_t end, const double *leverage) {
    memcpy((double *)context + begin, leverage, sizeof(double) * (end - begin));
}

static const double HONEST = 1e6; /* s_1 / s_r up to which sums are checked */

static int is_honest(const struct fuzz_subject *s, const struct ca_spectrum *spectrum,
                     size_t rank) {
    return is_tame(s) && s->options.ridge == 0 && rank > 0 &&
           spectrum->values[0] < HONEST * spectrum->values[rank - 1];
}

static double sum_of(size_t n, const double *x) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* Checks the kernel between some of the coordinates: its diagonal has the sums of their
 * leverages. */
static void take_kernel(struct fuzz_subject *s, struct ca_projector *projector, size_t n,
                        const double *leverage, int honest) {
    const size_t m = s->graph.n_outputs;
    int *place = ca_ints(n);
    size_t n_places = 0;
    for (size_t j = 0; j < n; j++)
        place[j] = (j + s->options.seed) % 3 == 0 && n > 1 ? -1 : (int)n_places++;
    double *K = ca_doubles(n_places * n_places);
    if (n_places == 0)
        return;
    ca_allocation_kernel(projector, m, place, n_places, K);
    digest(s, K, n_places * n_places);
    for (size_t j = 0; j < n && honest; j++)
        if (place[j] >= 0)
            close_to("diagonal of a kernel", K[(size_t)place[j] * (n_places + 1)],
                     sum_of(m, leverage + m * j), 1e-6);
}

/* Checks that the leverages, and the entries of the table, sum to the rank. */
static void take_leverage(struct fuzz_subject *s, struct ca_projector *projector, size_t n,
                          int honest) {
    const struct ca_tall *tall = &projector->tall;
    const size_t n_rows = tall->rows.n_rows, p = tall->n_columns;
    const double rank = (double)projector->r;
    double *leverage = ca_doubles(n_rows), *T = ca_doubles(n * 3);
    int *group = ca_ints(p);
    for (size_t k = 0; k < p; k++)
        group[k] = (int)(k % 3);
    ca_allocation_leverage(projector, add_leverage, leverage);
    ca_allocation_two_way(projector, n, group, 3, T);
    digest(s, leverage, n_rows);
    digest(s, T, n * 3);
    for (size_t i = 0; i < n_rows && honest; i++)
        if (!(leverage[i] > -1e-6 && leverage[i] < 1 + 1e-6))
            fault("leverage of a row", leverage[i], 1);
    if (honest) {
        close_to("total capacity", sum_of(n_rows, leverage), rank, 1e-6 * (rank + 1));
        close_to("total of a table", sum_of(3 * n, T), rank, 1e-5 * (rank + 1));
    }
    const struct rows_of *rows = tall->rows.context;
    if (!rows->by_samples)
        take_kernel(s, projector, n, leverage, honest);
}

static void allocate(struct fuzz_subject *s, struct rows_of *rows, size_t n_rows, size_t n,
                     size_t p, size_t block) {
    const double tol = s->options.tol, ridge = s->options.ridge;
    const struct ca_rows_source source = {rows, fill, coordinate, n_rows};
    const struct ca_tall tall = ca_allocation_tall_new(source, p, block);
    struct ca_spectrum spectrum;
    struct ca_projector projector;
    int *array = ca_ints(p), *left_out = ca_ints(p);
    for (size_t k = 0; k < p; k++) {
        array[k] = (int)(k * 2 / (p + 1));
        left_out[k] = s->options.seed % 5 == 1 && k % 4 == 2;
    }
    const struct ca_columns columns = {.array = array, .n_arrays = 2, .left_out = left_out};
    if (ca_allocation_spectrum(&tall, &columns, ridge > 0 ? INFINITY : tol, &spectrum) != CA_OK)
        return;
    const size_t rank = ca_allocation_rank(&spectrum, tol);
    double *parameters = ca_doubles(p);
    digest(s, spectrum.values, spectrum.n_values);
    ca_allocation_parameters(&spectrum, rank, ridge, parameters);
    digest(s, parameters, p);
    if (ca_allocation_projector_new(tall, &spectrum, rank, ridge, &projector) == CA_OK)
        take_leverage(s, &projector, n, is_honest(s, &spectrum, rank));
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static void stage_allocation(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    if (!g->is_linear ||
        !fits(s, 8 * inputs(s) + outputs(s), inputs(s) * outputs(s), 8 * params(s)) ||
        params(s) > 200 || inputs(s) * outputs(s) > 2000)
        return;
    size_t p, n = ca_coordinates(g);
    const long *column = columns_of(s, &p);
    struct rows_of rows = {.subject = s, .own = g->n_outputs};
    const size_t block = min_size(s->options.block, n);
    const double *metric = s->options.seed % 3 == 0 ? fuzz_values(&s->options, 9, n * n) : NULL;
    rows.tangent = ca_tangent_new(g, metric, n, column, p, block);
    ca_tangent_at(&rows.tangent, s->theta);
    allocate(s, &rows, n * g->n_outputs, n, p, block * g->n_outputs);
}

static void stage_sample_allocation(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    const size_t N = (size_t)s->options.samples, n = g->n_inputs + 1;
    if (!fits_extended(s) || params(s) > 200 || (double)N * inputs(s) * outputs(s) > 2000)
        return;
    size_t p;
    const long *column = columns_of(s, &p);
    struct rows_of rows = {.subject = s, .own = g->n_outputs * n, .by_samples = 1};
    const size_t block = min_size(s->options.block, N);
    const double *metric = s->options.seed % 3 == 0 ? fuzz_values(&s->options, 9, n * n) : NULL;
    rows.extended = ca_extended_new(g, s->theta, s->x, N, metric, n, column, p, block);
    allocate(s, &rows, N * rows.own, n, p, block * rows.own);
}

/* --- propagation ------------------------------------------------------------------------- */

static int has_product(const struct ca_graph *graph) {
    for (int node = 1; node < graph->n_nodes; node++)
        if (ca_op_row(graph->op[node].kind)->multiplies &&
            !ca_op_is_linear(ca_op_row(graph->op[node].kind)))
            return 1;
    return 0;
}

/* Sums of squares of gates over the samples. */
static const double *gates(struct fuzz_subject *s, size_t *n_gates) {
    const struct ca_graph *g = &s->graph;
    const size_t *first = ca_gate_first(g, n_gates);
    double *square = ca_doubles(*n_gates);
    memset(square, 0, sizeof(double) * *n_gates);
    struct ca_jet jet = ca_jet_new(g, s->options.samples);
    ca_jet_at(&jet, s->theta, s->x, (size_t)s->options.samples, s->options.samples);
    ca_gate_squares(&jet, first, square);
    digest(s, square, *n_gates);
    for (size_t i = 0; i < *n_gates; i++)
        if (!isfinite(square[i])) /* the border refuses these */
            square[i] = 1;
    return square;
}

/* Bounds the work of sums and recurrences, which depends on the whole graph, and of biases,
 * which depends on all biases before them. */
static int fits_flow(const struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    double sums = 1, longest = 1, biases = 0;
    for (int node = 1; node < g->n_nodes; node++) {
        sums += g->op[node].kind == CA_OP_ADD && g->op[node].loop == 0;
        biases += g->op[node].kind == CA_OP_BIAS;
        longest = fmax(longest, g->op[node].loop > 0 ? g->op[node].positions : 1);
    }
    const double back = (double)g->n_steps * g->n_nodes * (longest > 1) + biases * biases;
    return s->work * (sums + 4) + (double)g->n_steps * sums + back <= 1e7;
}

static void flow_from(struct fuzz_subject *s, const double *gate, int by_parameters) {
    const struct ca_graph *g = &s->graph;
    const size_t n = g->n_inputs;
    struct ca_flow flow = ca_flow_new(g, s->theta);
    flow.gate = gate;
    double begin = 0;
    if (by_parameters) {
        if (ca_flow_start(&flow, 0, g->n_params) != CA_OK)
            return;
    } else {
        for (size_t i = 0; i < g->n_outputs; i++)
            flow.capacity[flow.unit[g->first[g->output]] + i] = (double)(i % 3);
    }
    for (size_t i = 0; i < flow.n_units; i++)
        begin += flow.capacity[i];
    begin += flow.constant + flow.lost;
    struct ca_level level[3] = {{.node = 0}, {.node = g->output / 2}, {.node = g->output}};
    for (int i = 0; i < 3; i++)
        level[i].units = ca_doubles(ca_units(&g->op[level[i].node]));
    if (ca_flow_run(&flow, level, 3) != CA_OK)
        return;
    double end = flow.constant + flow.lost;
    for (size_t j = 0; j < n; j++)
        end += flow.capacity[j];
    for (int i = 0; i < 3; i++) {
        digest(s, level[i].units, ca_units(&g->op[level[i].node]));
        digest_one(s, level[i].constant + level[i].lost);
    }
    if (is_tame(s))
        close_to("total capacity of a flow", begin, end, 1e-8 * (begin + 1));
}

static void stage_flow(struct fuzz_subject *s) {
    size_t n_gates;
    if (!fits(s, 4.0 * s->options.samples, 1, 1) || !fits_flow(s))
        return;
    const double *gate = gates(s, &n_gates);
    if (has_product(&s->graph)) /* as the border */
        return;
    flow_from(s, gate, 0);
    if (s->graph.n_params > 0)
        flow_from(s, gate, 1);
}

/* Checks that the vectors of all outputs at the input are the effective weights. */
static void flow_weights(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    const size_t m = g->n_outputs, n = g->n_inputs;
    struct ca_flow_plan plan;
    if (ca_flow_plan_new(g, 0, 0, &plan) != CA_OK)
        return;
    double *found = ca_doubles(m * (n + 1));
    memset(found, 0, sizeof(double) * m * (n + 1));
    int *output = ca_ints(m);
    for (size_t o = 0; o < m; o++)
        output[o] = (int)o;
    const struct ca_flow_start start = {CA_VECTORS, true, (int)m, output};
    struct ca_gate_source source = {.square = NULL};
    const struct ca_record record = {0, found};
    ca_gate_sets_new(g, 0, NULL, &source.sets);
    if (ca_flow_moments(&plan, s->theta, &start, &source, 1, &record, NULL) != CA_OK)
        return;
    digest(s, found, m * (n + 1));
    agree(s, "weights by vectors", m * ca_coordinates(g), found, weights(s));
}

/* Sets of gates with arbitrary moments, one for each tier. */
static void any_gates(struct fuzz_subject *s, const struct ca_flow_plan *plan,
                      struct ca_gate_sets *sets) {
    const struct ca_stages *stages = &plan->stages;
    int levels = 0;
    for (int b = 0; b < stages->n; b++)
        levels = stages->tier[b] > levels ? stages->tier[b] : levels;
    struct ca_gate_set *set = ca_bytes((size_t)levels, sizeof *set);
    size_t n_gates;
    const size_t *first = ca_gate_first(stages->graph, &n_gates);
    for (int l = 0; l < levels; l++) {
        int *gate = ca_ints(n_gates), n = 0;
        for (int b = 0; b < stages->n; b++) {
            if (ca_cut_stage_is_linear(stages, b) || stages->tier[b] != l + 1)
                continue;
            const struct ca_step step = ca_cut_stage_step(stages, b);
            const int each =
                ca_cut_stage_op(stages, b)->n_taps * ca_cut_stage_op(stages, b)->shape.channels;
            for (int z = each * step.begin; z < each * step.end; z++)
                gate[n++] = (int)first[step.node] + z;
        }
        set[l] =
            (struct ca_gate_set){.n = n,
                                 .gate = gate,
                                 .mean = fuzz_values(&s->options, 6, (size_t)n),
                                 .second = fuzz_values(&s->options, 7, (size_t)n * (size_t)n)};
    }
    if (ca_gate_sets_new(stages->graph, levels, set, sets) != CA_OK)
        fault("sets of gates", 0, 0);
}

/* Second moments of the vectors of all outputs, or of all parameters. */
static void flow_second_moments(struct fuzz_subject *s, size_t end) {
    const struct ca_graph *g = &s->graph;
    struct ca_flow_plan plan;
    if (ca_flow_plan_new(g, 0, end, &plan) != CA_OK)
        return;
    int output[3];
    struct ca_flow_start start = {CA_OUTPUTS, false, 0, output};
    for (size_t o = 0; o < g->n_outputs && o < 3; o++)
        output[start.n++] = (int)o;
    if (end > 0)
        start.what = plan.single >= 0 ? CA_PAIRS : CA_FAMILY;
    const double matrices = ca_flow_matrices(&plan, &start) + (double)end + 1;
    const double size = plan.whole.size + plan.above.size + plan.below.size;
    if (size * size * matrices > MOST_ENTRIES ||
        ca_cut_terms(&plan.whole) * size * matrices > MOST_WORK)
        return;
    struct ca_gate_source source = {.square = NULL};
    any_gates(s, &plan, &source.sets);
    struct ca_record record[2] = {{.node = 0}, {.node = g->output / 2}};
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        n[i] = ca_units(&g->op[record[i].node]) * (size_t)ca_flow_matrices(&plan, &start);
        record[i].out = ca_doubles(n[i]);
        memset(record[i].out, 0, sizeof(double) * n[i]);
    }
    if (ca_flow_moments(&plan, s->theta, &start, &source, 2, record, NULL) == CA_OK)
        for (int i = 0; i < 2; i++)
            digest(s, record[i].out, n[i]);
}

/* A callback of ca_joint_run() that treats activations as the identity. */
static void visit_tier(void *context, const struct ca_joint_tier *level) {
    struct fuzz_subject *s = context;
    const size_t n = (size_t)level->n;
    digest(s, level->mean, n);
    digest(s, level->cov, n * n);
    for (size_t i = 0; level->is_read && i < n; i++) {
        level->slope[i] = 1;
        level->value[i] = level->mean[i];
    }
    for (size_t i = 0; level->is_read && i < n * n; i++)
        level->moment[i] = level->cov[i] + level->mean[i % n] * level->mean[i / n];
}

static void flow_joint(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    struct ca_joint joint;
    int whole[1], n_whole = 0;
    for (int node = 1; node < g->n_nodes && n_whole == 0; node++)
        if (ca_op_row(g->op[node].kind)->activation && g->op[node].loop > 0)
            whole[n_whole++] = node;
    if (ca_joint_new(g, n_whole, whole, &joint) != CA_OK)
        return;
    const double size = joint.cut.size, n = inputs(s);
    if (size * size + n * n > MOST_ENTRIES || ca_cut_terms(&joint.cut) * size > MOST_WORK ||
        ca_joint_pairs(&joint) > MOST_ENTRIES)
        return;
    ca_joint_run(&joint, s->theta, fuzz_values(&s->options, 5, g->n_inputs),
                 fuzz_values(&s->options, 8, g->n_inputs * g->n_inputs), visit_tier, s);
}

static void stage_flow_moments(struct fuzz_subject *s) {
    const struct ca_graph *g = &s->graph;
    if (!fits(s, 2 * outputs(s), outputs(s), inputs(s)) || g->n_steps > 5000)
        return;
    if (g->is_linear)
        flow_weights(s);
    flow_second_moments(s, 0);
    if (g->n_params > 0)
        flow_second_moments(s, g->n_params);
    flow_joint(s);
}

fuzz_stage *const fuzz_stages[] = {stage_reach,    stage_predict,      stage_tangent,
                                   stage_extended, stage_linearise,    stage_moments,
                                   stage_samples,  stage_allocation,   stage_sample_allocation,
                                   stage_flow,     stage_flow_moments, NULL};
