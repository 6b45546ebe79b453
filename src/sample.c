#include "sample.h"

#include <math.h>
#include <string.h>

#include "contract.h"
#include "extended.h"
#include "bounds.h"
#include "linalg.h"
#include "workspace.h"

static size_t block_of(const struct ca_graph *graph, size_t n_samples, size_t batch) {
    size_t block = CA_BLOCK_ENTRIES / (graph->n_params * graph->n_outputs + 1);
    if (block < CA_LEAST_BLOCK)
        block = CA_LEAST_BLOCK;
    if (block > CA_MOST_BLOCK)
        block = CA_MOST_BLOCK;
    if (batch > 0 && block > batch)
        block = batch;
    return block < n_samples ? block : n_samples;
}

static double weight_of(const struct ca_sample *sample, size_t s) {
    return sample->root == NULL ? 1 : sample->root[s] * sample->root[s];
}

/* sum_s w_s |y_s|^2, centred if the network has a bias; N for cross-entropy. */
static double total_of(const struct ca_sample *sample, size_t m, int has_bias) {
    const size_t N = sample->n_samples;
    double total = 0;
    if (sample->kind == CA_CROSS_ENTROPY)
        return sample->size;
    for (size_t o = 0; o < m; o++) {
        const double *y = sample->y + o * N;
        double mean = 0, size = 0;
        for (size_t s = 0; s < N && has_bias; s++) {
            size += weight_of(sample, s);
            mean += weight_of(sample, s) * (y[s] - mean) / size;
        }
        for (size_t s = 0; s < N; s++)
            total += weight_of(sample, s) * (y[s] - mean) * (y[s] - mean);
    }
    return total;
}

/* Sets the square roots of the weights and their sum. */
static void set_weights(struct ca_sample *sample, const double *weight) {
    const size_t N = sample->n_samples;
    sample->size = (double)N;
    if (weight == NULL)
        return;
    double *root = ca_doubles(N);
    sample->size = 0;
    for (size_t s = 0; s < N; s++) {
        root[s] = sqrt(weight[s]);
        sample->size += weight[s];
    }
    sample->root = root;
}

struct ca_sample ca_sample_new(const struct ca_graph *graph, const long *column,
                               const double *x, const double *y, const double *weight,
                               size_t n_samples, enum ca_loss_kind kind, double decay,
                               size_t batch, double (*uniform)(void)) {
    const size_t m = graph->n_outputs, p = graph->n_params;
    struct ca_sample sample = {.x = x,
                               .y = y,
                               .n_samples = n_samples,
                               .kind = kind,
                               .decay = decay,
                               .batch = batch < n_samples ? batch : 0,
                               .uniform = uniform,
                               .column = column};
    const size_t block = block_of(graph, n_samples, sample.batch);
    sample.block = block;
    set_weights(&sample, weight);
    sample.jet = ca_jet_new(graph, (int)block);
    sample.B = ca_jet_pass(&sample.jet);
    sample.first = ca_jet_pass(&sample.jet);
    sample.second = ca_jet_pass(&sample.jet);
    sample.twice = ca_doubles(p);
    sample.order = ca_sizes(n_samples);
    for (size_t i = 0; i < n_samples; i++)
        sample.order[i] = i;
    sample.xb = ca_doubles(block * graph->n_inputs);
    sample.yb = ca_doubles(block * m);
    sample.r = ca_doubles(block * m);
    sample.rb = ca_doubles(block);
    sample.p = ca_doubles(block * m);
    sample.J = ca_doubles(block * m * p);
    sample.norm2 = ca_doubles(p);
    sample.total = total_of(&sample, m, graph->has_bias);
    return sample;
}

static double *output_of(const struct ca_pass *pass, size_t o) {
    const struct ca_graph *graph = pass->graph;
    const size_t channels = (size_t)graph->op[graph->output].shape.channels;
    const size_t site = graph->first[graph->output] + o / channels;
    return ca_at(pass, site) + (o % channels) * (size_t)ca_rows(pass, site);
}

/* log(1 + exp(u)) - u y, in a form that does not overflow. */
static double logistic_loss(double u, double y) {
    return fmax(u, 0) - u * y + log1p(exp(-fabs(u)));
}

/* Returns the cross-entropy of sample s of a block of b, and stores its probabilities in p. The
 * largest logit is subtracted, so that exp() does not overflow. */
static double cross_entropy(struct ca_sample *sample, size_t s, size_t b) {
    const size_t m = sample->jet.graph->n_outputs;
    const struct ca_pass *X = &sample->jet.X;
    if (m == 1) {
        const double u = output_of(X, 0)[s];
        sample->p[s] = u >= 0 ? 1 / (1 + exp(-u)) : exp(u) / (1 + exp(u));
        return logistic_loss(u, sample->yb[s]);
    }
    double largest = output_of(X, 0)[s], sum = 0, loss = 0;
    for (size_t o = 1; o < m; o++)
        largest = fmax(largest, output_of(X, o)[s]);
    for (size_t o = 0; o < m; o++) {
        sample->p[s + b * o] = exp(output_of(X, o)[s] - largest);
        sum += sample->p[s + b * o];
    }
    for (size_t o = 0; o < m; o++) {
        sample->p[s + b * o] /= sum;
        loss -= sample->yb[s + b * o] * (output_of(X, o)[s] - largest - log(sum));
    }
    return loss;
}

/* Computes values and residuals of the samples order[begin .. begin + b), and the square roots
 * of their weights. Returns the weighted sum of their losses. */
static double at_block(struct ca_sample *sample, const double *theta, size_t begin, size_t b) {
    const struct ca_graph *graph = sample->jet.graph;
    const size_t n = graph->n_inputs, m = graph->n_outputs, N = sample->n_samples;
    double loss = 0;
    for (size_t j = 0; j < n; j++)
        for (size_t s = 0; s < b; s++)
            sample->xb[s + b * j] = sample->x[sample->order[begin + s] + N * j];
    for (size_t o = 0; o < m; o++)
        for (size_t s = 0; s < b; s++)
            sample->yb[s + b * o] = sample->y[sample->order[begin + s] + N * o];
    ca_jet_at(&sample->jet, theta, sample->xb, b, (int)b);
    for (size_t s = 0; s < b; s++)
        sample->rb[s] = sample->root == NULL ? 1 : sample->root[sample->order[begin + s]];
    if (sample->kind == CA_CROSS_ENTROPY)
        for (size_t s = 0; s < b; s++)
            loss += sample->rb[s] * sample->rb[s] * cross_entropy(sample, s, b);
    for (size_t o = 0; o < m; o++) {
        const double *value =
            sample->kind == CA_CROSS_ENTROPY ? sample->p + b * o : output_of(&sample->jet.X, o);
        for (size_t s = 0; s < b; s++)
            sample->r[s + b * o] = sample->rb[s] * (sample->yb[s + b * o] - value[s]);
    }
    return sample->kind == CA_CROSS_ENTROPY ? loss : ca_dot(b * m, sample->r, sample->r);
}

/* The factor by which minus D' eps / N is multiplied to give the gradient of the mean loss: 2
 * for squared error, 1 for cross-entropy. */
static double share(const struct ca_sample *sample) {
    return sample->kind == CA_CROSS_ENTROPY ? 1 : 2;
}

static double add_decay(const struct ca_sample *sample, const double *theta, double *g) {
    const size_t p = sample->jet.graph->n_params;
    if (sample->decay == 0)
        return 0;
    for (size_t k = 0; g != NULL && k < p; k++)
        g[k] += 2 * sample->decay * theta[k];
    return sample->decay * ca_dot(p, theta, theta);
}

double ca_sample_loss(struct ca_sample *sample, const double *theta) {
    const size_t N = sample->n_samples;
    double loss = 0;
    for (size_t begin = 0, b; begin < N; begin += b) {
        b = N - begin < sample->block ? N - begin : sample->block;
        loss += at_block(sample, theta, begin, b);
    }
    return loss / sample->size;
}

static double value(void *context, const double *theta) {
    struct ca_sample *sample = context;
    const double loss = ca_sample_loss(sample, theta);
    return loss + add_decay(sample, theta, NULL);
}

/* Mean loss with decay, and its gradient, over the samples order[begin .. end). */
static double gradient_of(struct ca_sample *sample, const double *theta, size_t begin,
                          size_t end, double *g) {
    const struct ca_graph *graph = sample->jet.graph;
    const size_t m = graph->n_outputs;
    /* the sum of the weights, for a mini-batch its expectation */
    const double n = (double)(end - begin) * (sample->size / (double)sample->n_samples);
    double loss = 0;
    memset(g, 0, sizeof(double) * graph->n_params);
    for (size_t b; begin < end; begin += b) {
        b = end - begin < sample->block ? end - begin : sample->block;
        loss += at_block(sample, theta, begin, b);
        ca_jet_plan_zero(&sample->jet, &sample->B);
        for (size_t o = 0; o < m; o++)
            for (size_t s = 0; s < b; s++)
                output_of(&sample->B, o)[s] =
                    -share(sample) / n * sample->rb[s] * sample->r[s + b * o];
        ca_jet_back(&sample->jet, &sample->B);
        ca_contract_gradient(&sample->B, &sample->jet.X, sample->jet.one, g);
    }
    return loss / n + add_decay(sample, theta, g);
}

static double gradient(void *context, const double *theta, double *g) {
    struct ca_sample *sample = context;
    return gradient_of(sample, theta, 0, sample->n_samples, g);
}

/* --- mini-batches ------------------------------------------------------------------------- */

static size_t n_batches(const struct ca_sample *sample) {
    if (sample->batch == 0)
        return 1;
    return (sample->n_samples + sample->batch - 1) / sample->batch;
}

static double batch(void *context, const double *theta, size_t i, double *g) {
    struct ca_sample *sample = context;
    const size_t begin = i * sample->batch, end = begin + sample->batch;
    return gradient_of(sample, theta, begin, end < sample->n_samples ? end : sample->n_samples,
                       g);
}

/* Fisher-Yates shuffle of the order of samples. */
static void shuffle(void *context) {
    struct ca_sample *sample = context;
    for (size_t i = sample->n_samples; i > 1; i--) {
        size_t j = (size_t)(sample->uniform() * (double)i);
        if (j >= i)
            j = i - 1;
        const size_t swap = sample->order[i - 1];
        sample->order[i - 1] = sample->order[j];
        sample->order[j] = swap;
    }
}

/* --- normal equations --------------------------------------------------------------------- */

/* Computes J = sqrt(w) d yhat / d theta of all outputs of a block of b samples: rows s + b o.
 */
static void gradients(struct ca_sample *sample, size_t b) {
    const struct ca_graph *graph = sample->jet.graph;
    const size_t m = graph->n_outputs;
    memset(sample->J, 0, sizeof(double) * b * m * graph->n_params);
    for (size_t o = 0; o < m; o++) {
        ca_jet_plan_zero(&sample->jet, &sample->B);
        for (size_t s = 0; s < b; s++)
            output_of(&sample->B, o)[s] = sample->rb[s];
        ca_jet_back(&sample->jet, &sample->B);
        ca_extended_contract(sample->column, &sample->jet, &sample->B, sample->J + b * o,
                             (int)(b * m));
    }
}

/* Weights the rows of J so that J'J is half the Gauss-Newton matrix of the loss. */
static void weigh(struct ca_sample *sample, size_t b) {
    const size_t m = sample->jet.graph->n_outputs, p = sample->jet.graph->n_params;
    const double *prob = sample->p;
    if (sample->kind == CA_SQUARED)
        return;
    for (size_t k = 0; k < p; k++)
        for (size_t s = 0; s < b; s++) {
            double *d = sample->J + s + k * b * m;
            if (m == 1) {
                d[0] *= sqrt(prob[s] * (1 - prob[s]) / 2);
                continue;
            }
            double mean = 0;
            for (size_t o = 0; o < m; o++)
                mean += prob[s + b * o] * d[b * o];
            for (size_t o = 0; o < m; o++)
                d[b * o] = sqrt(prob[s + b * o] / 2) * (d[b * o] - mean);
        }
}

/* The convergence number from half the gradient; -1 if no output depends on any parameter.
 * Decay counts as one more row of J for each parameter: the number goes to zero also where a
 * parameter and its column decay to zero together. */
static double worst_cosine(const struct ca_sample *sample, const double *half_gradient) {
    const size_t p = sample->jet.graph->n_params;
    const double scale = 2 / share(sample) * sample->size;
    double worst = 0;
    int flat = 1;
    for (size_t k = 0; k < p; k++) {
        const double norm2 = sample->norm2[k] + scale * sample->decay;
        if (norm2 == 0)
            continue;
        if (sample->norm2[k] != 0)
            flat = 0;
        const double cosine = scale * fabs(half_gradient[k]) / sqrt(norm2);
        if (isnan(cosine) || !isfinite(norm2)) /* larger than any number */
            return NAN;
        worst = fmax(worst, cosine);
    }
    return flat ? -1 : worst / sqrt(sample->total);
}

/* Returns f, and computes half its gradient g, half its Gauss-Newton matrix G (upper triangle,
 * NULL if not wanted) and the convergence number. */
static double normal(void *context, const double *theta, double *G, double *g, double *number) {
    struct ca_sample *sample = context;
    const struct ca_graph *graph = sample->jet.graph;
    const size_t p = graph->n_params, m = graph->n_outputs, N = sample->n_samples;
    double loss = 0;
    memset(g, 0, sizeof(double) * p);
    memset(sample->norm2, 0, sizeof(double) * p);
    if (G != NULL)
        memset(G, 0, sizeof(double) * p * p);
    for (size_t begin = 0, b; begin < N; begin += b) {
        b = N - begin < sample->block ? N - begin : sample->block;
        loss += at_block(sample, theta, begin, b);
        gradients(sample, b);
        for (size_t k = 0; k < p; k++) {
            const double *column = sample->J + k * b * m;
            g[k] -= ca_dot(b * m, column, sample->r);
            sample->norm2[k] += ca_dot(b * m, column, column);
        }
        if (G != NULL) {
            weigh(sample, b);
            ca_gram_add((int)p, (int)(b * m), sample->J, (int)(b * m), G);
        }
    }
    for (size_t k = 0; k < p; k++) {
        g[k] = share(sample) / 2 * g[k] / sample->size + sample->decay * theta[k];
        for (size_t i = 0; G != NULL && i <= k; i++)
            G[i + k * p] = G[i + k * p] / sample->size + (i == k ? sample->decay : 0);
    }
    *number = worst_cosine(sample, g);
    return loss / sample->size + add_decay(sample, theta, NULL);
}

/* out = J' r'' / N with r'' the second derivative of the outputs along v, by the backward pass
 * of the gradient with r'' in place of the residuals. */
static void bend_gradient(void *context, const double *theta, const double *v, double *out) {
    struct ca_sample *sample = context;
    const struct ca_graph *graph = sample->jet.graph;
    const size_t N = sample->n_samples, p = graph->n_params;
    memset(out, 0, sizeof(double) * p);
    for (size_t k = 0; k < p; k++)
        sample->twice[k] = 2 * v[k];
    for (size_t begin = 0, b; begin < N; begin += b) {
        b = N - begin < sample->block ? N - begin : sample->block;
        at_block(sample, theta, begin, b);
        ca_jet_along(&sample->jet, v, sample->twice, &sample->first, &sample->second);
        ca_jet_plan_zero(&sample->jet, &sample->B);
        for (size_t o = 0; o < graph->n_outputs; o++)
            for (size_t s = 0; s < b; s++)
                output_of(&sample->B, o)[s] = sample->rb[s] * sample->rb[s] *
                                              output_of(&sample->second, o)[s] / sample->size;
        ca_jet_back(&sample->jet, &sample->B);
        ca_contract_gradient(&sample->B, &sample->jet.X, sample->jet.one, out);
    }
}

static double number(void *context, const double *theta, double *f) {
    struct ca_sample *sample = context;
    double *g = ca_doubles(sample->jet.graph->n_params), out;
    *f = normal(context, theta, NULL, g, &out);
    return out;
}

/* Training determines nothing about directions whose singular values are below this share of
 * the largest. */
static const double RESOLUTION = 1e-6;

static int affordable(const struct ca_sample *sample) {
    const double p = (double)sample->jet.graph->n_params;
    return p <= CA_NORMAL_PARAMS &&
           p * p * (double)(sample->n_samples * sample->jet.graph->n_outputs) <=
               1e9 * CA_NORMAL_GIGA;
}

struct ca_objective ca_sample_objective(struct ca_sample *sample) {
    return (struct ca_objective){
        .p = sample->jet.graph->n_params,
        .total = sample->total / sample->size,
        .resolution = RESOLUTION,
        .context = sample,
        .gradient = gradient,
        .number = number,
        .normal = {.value = value,
                   .evaluate = normal,
                   .bend = sample->kind == CA_SQUARED ? bend_gradient : NULL,
                   .affordable = n_batches(sample) <= 1 && affordable(sample)},
        .batches = {.n = n_batches(sample), .gradient = batch, .shuffle = shuffle}};
}
