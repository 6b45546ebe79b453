#ifndef CAPALLOC_OP_H
#define CAPALLOC_OP_H

/*
 * Operations on tensors of channels x positions: a table with one row for each operation.
 *
 * A linear operation computes every output position as a sum over taps. A tap reads the
 * channels of one position of one input. It multiplies them by a block of theta (linear) or
 * scales and copies them to some of the output channels (all other linear operations). The
 * forward pass, the backward pass and the contraction are therefore one loop over taps each,
 * and an operation only defines the sources of its taps.
 *
 * A nonlinear operation combines channel by channel what its taps read. Its linearisation at
 * given values has a gain for each tap, row and channel. The derivative of the gain with
 * respect to the values is its bend.
 *
 * The values of a position in a pass are a matrix (rows x channels, rows fastest). The rows are
 * observations, input coordinates or outputs.
 */

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

struct ca_shape {
    int channels, height, width;
};

/* Along each dimension (height, width), tap k of output position u reads input position
 * floor((u stride + k dilation - pad) / expand). A negative expand reads a position only where
 * |expand| divides exactly, as in transposed convolutions; a negative stride or dilation
 * reverses the order. */
struct ca_window {
    int kernel[2], stride[2], dilation[2], pad[2], expand[2];
};

/* The list of all operations: the kind CA_OP_..., from 0 on, and the name of the row,
 * ca_row_... */
#define CA_OPERATIONS(ROW)                                                                     \
    ROW(INPUT, input)                                                                          \
    ROW(LINEAR, linear)                                                                        \
    ROW(FIXED, fixed)                                                                          \
    ROW(BIAS, bias)                                                                            \
    ROW(ADD, add)                                                                              \
    ROW(CONCAT, concat)                                                                        \
    ROW(FLATTEN, flatten)                                                                      \
    ROW(PHI, phi)                                                                              \
    ROW(PRODUCT, product)                                                                      \
    ROW(MAX, max)

#define CA_KIND(kind, row) CA_OP_##kind,
enum ca_op_kind { CA_OPERATIONS(CA_KIND) CA_OP_COUNT };
#undef CA_KIND

struct ca_op {
    enum ca_op_kind kind;
    int n_from;
    const int *from;       /* n_from: the nodes read */
    struct ca_shape shape; /* of the output */
    struct ca_window window;
    int groups;
    int shared;            /* 1: all positions use the same block of theta; 0: each its own */
    size_t theta, n_theta; /* the slice of theta: first entry and length */
    const double *scale;   /* n_from (add) or 1 (fixed; for phi its parameter) */
    int phi;               /* number of the activation (phi) */
    int loop;              /* number of its recurrence, 0 for none */

    /* derived by ca_graph_build() */
    int in_channels;   /* of the first input */
    int positions;     /* of the output */
    int n_taps;        /* of one output position */
    size_t theta_step; /* distance of the blocks of theta of consecutive positions */
    const int *map;    /* n_taps x positions: input position, or -1 (windowed operations) */
    const size_t *in;  /* n_from: the site of position 0 of each input */
    const int *offset; /* n_from: first output channel of each input (concat) */
};

/* A tap of one output position. Sites number the positions of all nodes of a graph
 * consecutively. */
struct ca_tap {
    size_t site;  /* the site that it reads */
    int channels; /* number of channels that it reads */
    int to;       /* first output channel (copying operations) */
    double scale; /* (copying operations) */
    size_t theta; /* first entry of its block of theta */
    int groups;   /* groups of consecutive filters and channels in the block */
};

/* The site of a tap that reads the homogeneous coordinate, which constants multiply. */
#define CA_CONSTANT ((size_t)-1)

/* One row of the table. A field that is not given is false, or has the default that its comment
 * states.
 *
 * Kernels process `rows` rows; ld_in and ld_out are leading dimensions. Nonlinear operations
 * have `value` instead of push and pull. Their arrays are matrices (rows x channels): in[k] are
 * the values that tap k reads (NULL where there are none), slope and curve are the derivatives
 * that the operation stores. */
struct ca_op_row {
    const char *name;
    int min_from, max_from;
    bool windowed;      /* its taps are those of its window; otherwise one for each input */
    bool multiplies;    /* multiplies its inputs by theta or by each other */
    bool mixes;         /* every output channel is a sum over the channels of its group */
    bool constant;      /* adds the first entries of its block of theta to the channels */
    bool sums;          /* is a sum of its inputs, with a scale for each */
    bool activation;    /* is the activation `phi` with the parameter scale[0] */
    bool inhomogeneous; /* f(c x) = c f(x) does not hold for c > 0 */
    /* Checks the shape. Sets `offset` (concat) and n_taps (flatten), which has been set to the
     * number of inputs or to the size of the window. `ops` are all operations of the graph.
     * NULL: ca_op_check_alike(). */
    enum ca_status (*check)(struct ca_op *op, const struct ca_op *ops, const char **why);
    /* Returns the number of parameters of one position. NULL: there are none. */
    double (*block)(const struct ca_op *op);
    bool (*tap)(const struct ca_op *op, int u, int k, struct ca_tap *tap);
    void (*push)(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                 int rows, const double *in, int ld_in, double *out, int ld_out);
    void (*pull)(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                 int rows, const double *out, int ld_out, double *in, int ld_in);
    /* Like `tap`, for the inputs that theta multiplies: output channel f is increased by
     *   sum_i theta[tap.theta + f + channels i] x[i]
     * with `channels` the number of output channels, and i over the channels of its group of
     * the site that the tap reads, or the homogeneous coordinate. NULL if the operation has no
     * parameters. */
    bool (*own)(const struct ca_op *op, int u, int k, struct ca_tap *tap);
    void (*value)(const struct ca_op *op, int rows, const double *const *in, double *out,
                  double *slope, double *curve);
    /* Returns the gain of tap k (rows x channels), which may be stored in `scratch`. */
    const double *(*gain)(const struct ca_op *op, int k, int rows, const double *const *in,
                          const double *slope, double *scratch);
    /* Returns the derivative of the gain of tap k along a change d_in of the values that the
     * taps read (d_in[k] NULL where there is no change), or NULL if it is zero. Operations
     * whose gains are piecewise constant have no `bend`. */
    const double *(*bend)(const struct ca_op *op, int k, int rows, const double *const *d_in,
                          const double *curve, double *scratch);
};

static inline bool ca_op_is_linear(const struct ca_op_row *row) {
    return row->value == NULL;
}

const struct ca_op_row *ca_op_row(enum ca_op_kind kind);

/* The number of kinds: 0, the input, to ca_op_count() - 1. */
int ca_op_count(void);
/* Returns the kind of the operation with this name, or -1. The input is not an operation. */
int ca_op_kind(const char *name);

/* Number of input channels that one output channel reads, for operations that mix channels. */
static inline int ca_op_group_channels(const struct ca_op *op) {
    return op->in_channels / op->groups;
}

/* Number of terms in the sum that is one output unit; for a nonlinear unit, number of values
 * that it reads. */
static inline double ca_op_terms(const struct ca_op *op) {
    return (double)op->n_taps * (ca_op_row(op->kind)->mixes ? ca_op_group_channels(op) : 1);
}

/* Number of output units: positions times channels. */
static inline size_t ca_units(const struct ca_op *op) {
    return (size_t)op->positions * (size_t)op->shape.channels;
}

/* First entry of the block of theta of output position u. */
static inline size_t ca_op_theta(const struct ca_op *op, int u) {
    return op->theta + (size_t)u * op->theta_step;
}

/* out (rows x channels) += the constant of an operation times one (rows). No change if the
 * operation has none. */
void ca_op_add_constant(const struct ca_op *op, int u, const double *theta, int rows,
                        const double *one, double *out);
/* one (rows) += the adjoint of ca_op_add_constant() applied to out (rows x channels). */
void ca_op_pull_constant(const struct ca_op *op, int u, const double *theta, int rows,
                         const double *out, double *one);

/* push and pull of the operations that scale and copy the channels that their taps read. */
void ca_op_push_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                     int rows, const double *in, int ld_in, double *out, int ld_out);
void ca_op_pull_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                     int rows, const double *out, int ld_out, double *in, int ld_in);

/* Checks of shapes. ca_op_check_alike(): every input has the positions and channels of the
 * output. ca_op_check_channels(): the first input has the channels of the output; for
 * operations with a window. */
enum ca_status ca_op_check_alike(struct ca_op *op, const struct ca_op *ops, const char **why);
enum ca_status ca_op_check_channels(struct ca_op *op, const struct ca_op *ops,
                                    const char **why);

#define CA_ROW(kind, row) extern const struct ca_op_row ca_row_##row;
CA_OPERATIONS(CA_ROW)
#undef CA_ROW

/* Iterates over the taps of one position that read something, in order:
 *   for (struct ca_taps t = ca_taps_of(op, u); ca_next_tap(&t);) */
struct ca_taps {
    const struct ca_op *op;
    bool (*read)(const struct ca_op *op, int u, int k, struct ca_tap *tap);
    int u, k;
    struct ca_tap tap;
};

static inline struct ca_taps ca_taps_of(const struct ca_op *op, int u) {
    return (struct ca_taps){.op = op, .read = ca_op_row(op->kind)->tap, .u = u, .k = -1};
}

static inline bool ca_next_tap(struct ca_taps *t) {
    while (++t->k < t->op->n_taps)
        if (t->read(t->op, t->u, t->k, &t->tap))
            return true;
    return false;
}

/* The number of an activation, -1 if there is none of that name; and the name of a number, or
 * NULL. */
int ca_phi_kind(const char *name);
const char *ca_phi_name(int kind);
/* Value, first and second derivative of activation `kind` with its parameter at n points. */
void ca_phi(int kind, double parameter, size_t n, const double *u, double *value, double *slope,
            double *curve);

#endif
