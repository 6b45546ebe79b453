#include "describe.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../src/workspace.h"

enum { MOST_OPS = 20000, MOST_OWN_OPS = 96, MOST_FROM = 80, MOST_COPIES = 12000 };

/* N_KINDS: number of kinds except the input. The following numbers are the other forms of an
 * operation. */
enum { N_KINDS = CA_OP_COUNT - 1, RECURRENCE = N_KINDS, REPETITION, ALL_FIELDS, N_FORMS };

static int byte(struct fuzz_bytes *bytes) {
    if (bytes->left == 0)
        return 0;
    bytes->left--;
    return *bytes->at++;
}

static int number(struct fuzz_bytes *bytes) {
    static const int extreme[] = {
        INT_MAX, -INT_MAX, INT_MAX - 1, 1 << 30, 1 << 28,       1 << 27, 1 << 26, (1 << 25) + 1,
        1 << 25, 1 << 24,  1 << 22,     1 << 20, (1 << 20) + 1, 65537,   65536,   46341};
    _Static_assert(sizeof extreme / sizeof *extreme == 16, "one for each of 224 .. 239");
    const int b = byte(bytes);
    if (b < 224)
        return b - 16;
    return b < 240 ? extreme[b - 224] : (b - 240) * 256 + byte(bytes);
}

static int activation(struct fuzz_bytes *bytes) {
    static int n = 0;
    while (ca_phi_name(n) != NULL)
        n++;
    return byte(bytes) % n;
}

static size_t slice(int number) {
    return number > 0 ? (size_t)number : 0;
}

/* A multiple of 1/16, so that sums of a few products are exact. */
static double scale(struct fuzz_bytes *bytes) {
    return (byte(bytes) - 128) / 16.0;
}

struct fuzz_options fuzz_read_options(struct fuzz_bytes *bytes) {
    static const double tolerances[] = {1e-12, 1e-12, 1e-10, 0, 1e-3, 0.5, 1, 2};
    static const double ridges[] = {0, 0, 0, 0, 1e-12, 0.1, 1, 1e6};
    const int first = byte(bytes), second = byte(bytes), third = byte(bytes);
    struct fuzz_options options = {.faults = first % 4,
                                   .twice = first / 4 % 4 == 1,
                                   .values = second % FUZZ_SORTS,
                                   .samples = 1 + third % 7,
                                   .tol = tolerances[third / 8 % 8]};
    options.block = 1 + (size_t)byte(bytes) % 32;
    options.ridge = ridges[byte(bytes) % 8];
    options.left_out = byte(bytes) % 16;
    options.seed = (unsigned)byte(bytes) << 8;
    options.seed |= (unsigned)byte(bytes);
    return options;
}

/* --- operations that fit their inputs ---------------------------------------------------- */

struct building {
    struct fuzz_bytes *bytes;
    struct ca_op *op;
    int n, loops; /* number of nodes and of recurrences */
    size_t theta;
};

static const struct ca_window ONE_TAP = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {1, 1}};

static int min_int(int a, int b) {
    return a < b ? a : b;
}

static int max_int(int a, int b) {
    return a > b ? a : b;
}

/* An earlier node, most often the last. */
static int any_node(struct building *b) {
    const int back = byte(b->bytes);
    return back < 128 ? b->n - 1 : (back - 128) % b->n;
}

/* The first node, from `start` on, with the positions of `like`, and also its channels if
 * `channels` is set. */
static int alike(const struct building *b, int like, int start, int channels) {
    for (int i = 0; i < b->n; i++) {
        const int node = (start + i) % b->n;
        const struct ca_shape one = b->op[node].shape, other = b->op[like].shape;
        if (one.height == other.height && one.width == other.width &&
            (!channels || one.channels == other.channels))
            return node;
    }
    return like;
}

static struct ca_op *add_op(struct building *b, enum ca_op_kind kind, int n_from,
                            const int *from) {
    static const double ones[MOST_FROM] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct ca_op *op = &b->op[b->n++];
    int *own = ca_ints((size_t)n_from);
    memcpy(own, from, sizeof(int) * (size_t)n_from);
    *op = (struct ca_op){.kind = kind,
                         .n_from = n_from,
                         .from = own,
                         .shape = b->op[from[0]].shape,
                         .window = ONE_TAP,
                         .groups = 1,
                         .shared = 1,
                         .theta = b->theta,
                         .scale = ones};
    return op;
}

/* Draws a window, and returns the size of one dimension of the output: that of a valid
 * convolution, or a size near it. */
static int fit_size(struct building *b, struct ca_window *w, int d, int in) {
    const int first = byte(b->bytes), second = byte(b->bytes);
    w->kernel[d] = 1 + first % 4;
    w->stride[d] = 1 + first / 4 % 2;
    w->dilation[d] = 1 + first / 8 % 4;
    w->expand[d] = 1 + first / 32 % 2;
    w->pad[d] = second % 4;
    const int64_t span = (int64_t)in * w->expand[d] + 2 * w->pad[d];
    const int64_t whole = (span - w->dilation[d] * (w->kernel[d] - 1) - 1) / w->stride[d] + 1;
    const int64_t size = whole + second / 4 % 4 - 1;
    return size < 1 ? 1 : size > INT_MAX ? INT_MAX : (int)size;
}

static void fit_window(struct building *b, struct ca_op *op) {
    const struct ca_shape in = op->shape;
    if (in.height > 1)
        op->shape.height = fit_size(b, &op->window, 0, in.height);
    op->shape.width = fit_size(b, &op->window, 1, in.width);
}

/* Assigns theta to an operation with `block` parameters at each position. */
static void take_theta(struct building *b, const struct ca_op *op, double block) {
    const double positions = (double)op->shape.height * op->shape.width;
    const double n = op->shared ? block : block * positions;
    b->theta += n >= 0 && n < 1e6 ? (size_t)n : 0;
}

static void fit_linear(struct building *b, struct ca_op *op) {
    const int channels = op->shape.channels, choice = byte(b->bytes);
    fit_window(b, op);
    op->shape.channels = 1 + choice % 4;
    op->shared = choice / 4 % 4 != 1;
    if (choice / 16 % 4 == 1 && channels % op->shape.channels == 0)
        op->groups = op->shape.channels;
    if (choice / 16 % 4 == 2 && channels > 0) /* one group for each channel */
        op->groups = op->shape.channels = channels;
    take_theta(b, op,
               (double)op->window.kernel[0] * op->window.kernel[1] * op->shape.channels *
                   (channels / op->groups));
}

static void fit_scales(struct building *b, struct ca_op *op, int n) {
    double *own = ca_doubles((size_t)n);
    for (int i = 0; i < n; i++)
        own[i] = scale(b->bytes);
    op->scale = own;
}

static void fit_op(struct building *b, enum ca_op_kind kind) {
    int from[4] = {any_node(b)}, n_from = 1;
    if (kind == CA_OP_PRODUCT)
        n_from = 2;
    if (kind == CA_OP_ADD || kind == CA_OP_CONCAT)
        n_from = 1 + byte(b->bytes) % 4;
    for (int i = 1; i < n_from; i++)
        from[i] = alike(b, from[0], byte(b->bytes) % b->n, kind != CA_OP_CONCAT);
    struct ca_op *op = add_op(b, kind, n_from, from);
    if (kind == CA_OP_LINEAR)
        fit_linear(b, op);
    if (kind == CA_OP_FIXED || kind == CA_OP_MAX)
        fit_window(b, op);
    if (kind == CA_OP_FIXED || kind == CA_OP_ADD || kind == CA_OP_PHI)
        fit_scales(b, op, n_from);
    if (kind == CA_OP_PHI)
        op->phi = activation(b->bytes);
    if (kind == CA_OP_BIAS) {
        op->shared = byte(b->bytes) % 2;
        take_theta(b, op, op->shape.channels);
    }
    double channels = op->shape.channels;
    for (int i = 1; i < n_from && kind == CA_OP_CONCAT; i++)
        channels += b->op[from[i]].shape.channels;
    if (kind == CA_OP_FLATTEN) {
        channels *= (double)op->shape.height * op->shape.width;
        op->shape.height = op->shape.width = 1;
    }
    op->shape.channels = fabs(channels) < INT_MAX ? (int)channels : INT_MAX;
}

/* A recurrence: a linear map of the state some positions back, its sum or product with the
 * input, sometimes a bias, sometimes an activation. */
static void fit_recurrence(struct building *b) {
    const int choice = byte(b->bytes), read = any_node(b),
              state = b->n + 1 + choice % 2 + choice / 2 % 2;
    const int loop = ++b->loops;
    struct ca_op *memory = add_op(b, CA_OP_LINEAR, 1, (const int[]){read});
    memory->from = memcpy(ca_ints(1), &state, sizeof(int));
    memory->loop = loop;
    memory->window.pad[memory->shape.height > 1 ? 0 : 1] = 1 + choice / 4 % 3;
    take_theta(b, memory, (double)memory->shape.channels * memory->shape.channels);
    struct ca_op *sum = add_op(b, choice / 16 % 4 == 1 ? CA_OP_PRODUCT : CA_OP_ADD, 2,
                               (const int[]){b->n - 1, read});
    sum->loop = loop;
    if (choice % 2) {
        struct ca_op *bias = add_op(b, CA_OP_BIAS, 1, (const int[]){b->n - 1});
        bias->loop = loop;
        take_theta(b, bias, bias->shape.channels);
    }
    if (choice / 2 % 2) {
        struct ca_op *phi = add_op(b, CA_OP_PHI, 1, (const int[]){b->n - 1});
        phi->loop = loop;
        phi->phi = activation(b->bytes);
    }
}

/* Repeats the last operation; each copy reads the one before it. */
static void repeat_op(struct building *b) {
    const int times = min_int(number(b->bytes), MOST_COPIES), last = b->n - 1;
    for (int i = 0; last > 0 && i < times && b->n < MOST_OPS; i++) {
        int *from = ca_ints((size_t)b->op[last].n_from);
        for (int k = 0; k < b->op[last].n_from; k++)
            from[k] = b->n - 1;
        b->op[b->n] = b->op[last];
        b->op[b->n++].from = from;
    }
}

/* --- all fields as they come ------------------------------------------------------------- */

static void raw_op(struct building *b) {
    struct ca_op *op = &b->op[b->n++];
    *op = (struct ca_op){.kind = (enum ca_op_kind)(1 + byte(b->bytes) % N_KINDS),
                         .n_from = byte(b->bytes) % MOST_FROM};
    int *from = ca_ints((size_t)op->n_from);
    for (int i = 0; i < op->n_from; i++)
        from[i] = number(b->bytes);
    op->from = from;
    int *const fields[] = {&op->shape.channels, &op->shape.height, &op->shape.width};
    for (int i = 0; i < 3; i++)
        *fields[i] = number(b->bytes);
    int *const pairs[] = {op->window.kernel, op->window.stride, op->window.dilation,
                          op->window.pad, op->window.expand};
    for (int i = 0; i < 5; i++)
        for (int d = 0; d < 2; d++)
            pairs[i][d] = number(b->bytes);
    op->groups = number(b->bytes);
    op->shared = byte(b->bytes) % 2;
    op->theta = slice(number(b->bytes));
    op->loop = number(b->bytes);
    op->phi = activation(b->bytes);
    fit_scales(b, op, op->kind == CA_OP_ADD ? op->n_from : 1);
    b->loops = max_int(b->loops, op->loop < INT_MAX / 2 ? op->loop : 0);
}

/* Changes one field of an operation, of the shape of the input, or of the graph. Changes that
 * the border would refuse are not made. */
static void fault(struct ca_graph *graph, int node, int field, int value) {
    struct ca_op *op = &graph->op[node % graph->n_nodes];
    int *const fields[] = {&op->shape.channels,
                           &op->shape.height,
                           &op->shape.width,
                           &op->window.kernel[0],
                           &op->window.kernel[1],
                           &op->window.stride[0],
                           &op->window.stride[1],
                           &op->window.dilation[0],
                           &op->window.dilation[1],
                           &op->window.pad[0],
                           &op->window.pad[1],
                           &op->window.expand[0],
                           &op->window.expand[1],
                           &op->groups,
                           &op->loop,
                           &graph->output};
    const int n = sizeof fields / sizeof *fields;
    field %= n + 4;
    if (field < n)
        *fields[field] = value;
    else if (field == n)
        op->shared = !op->shared;
    else if (field == n + 1)
        op->theta = slice(value);
    else if (field == n + 2)
        graph->n_params = slice(value);
    else if (op->n_from > 0) {
        int *from = ca_ints((size_t)op->n_from);
        memcpy(from, op->from, sizeof(int) * (size_t)op->n_from);
        from[(unsigned)value % (unsigned)op->n_from] = value;
        op->from = from;
    }
}

struct ca_graph fuzz_read_graph(struct fuzz_bytes *bytes, const struct fuzz_options *options) {
    int where[4], field[4], value[4];
    for (int i = 0; i < options->faults; i++) {
        where[i] = byte(bytes);
        field[i] = byte(bytes);
        value[i] = number(bytes);
    }
    static struct ca_op ops[MOST_OPS + 16];
    struct building b = {.bytes = bytes, .n = 1, .op = ops};
    struct ca_graph graph = {.output = 0};
    b.op[0] = (struct ca_op){.kind = CA_OP_INPUT};
    b.op[0].shape.channels = number(bytes);
    b.op[0].shape.height = number(bytes);
    b.op[0].shape.width = number(bytes);
    const int output = number(bytes), n_params = number(bytes);
    for (int i = 0; bytes->left > 0 && i < MOST_OWN_OPS && b.n < MOST_OPS; i++) {
        const int what = byte(bytes) % N_FORMS;
        if (what < N_KINDS)
            fit_op(&b, (enum ca_op_kind)(what + 1));
        else if (what == RECURRENCE)
            fit_recurrence(&b);
        else if (what == REPETITION)
            repeat_op(&b);
        else
            raw_op(&b);
    }
    graph.op = memcpy(ca_bytes((size_t)b.n, sizeof(struct ca_op)), ops,
                      (size_t)b.n * sizeof(struct ca_op));
    graph.n_nodes = b.n;
    graph.output = output == -1 ? b.n - 1 : output;
    graph.n_params = n_params == -1 ? b.theta : slice(n_params);
    for (int i = 0; i < options->faults; i++)
        fault(&graph, where[i], field[i], value[i]);
    return graph;
}

/* --- values ------------------------------------------------------------------------------ */

static unsigned next(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static double value_of(int sort, unsigned random) {
    static const double extreme[] = {0,      1,     -1,      1e300,   -1e300,  1e-300,
                                     5e-324, 1e154, -1e-154, DBL_MAX, DBL_MIN, 0.5};
    switch (sort) {
    case FUZZ_SMALL:
        return ((int)(random % 9) - 4) / 2.0;
    case FUZZ_ZERO:
        return 0;
    case FUZZ_ONE:
        return 1;
    case FUZZ_SPARSE:
        return random % 4 == 0 ? 1 + random / 4 % 2 : 0;
    case FUZZ_UNIFORM:
        return random / 8388608.0 - 1;
    case FUZZ_WIDE:
        return ldexp((int)(random % 9) - 4, (int)(random / 16 % 129) - 64);
    default:
        return extreme[random % (sizeof extreme / sizeof *extreme)];
    }
}

double *fuzz_values(const struct fuzz_options *options, unsigned salt, size_t n) {
    double *out = ca_doubles(n);
    unsigned state = options->seed * 2654435761u + salt;
    for (size_t i = 0; i < n; i++)
        out[i] = value_of(options->values, next(&state));
    return out;
}
