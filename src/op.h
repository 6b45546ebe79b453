#ifndef CAPALLOC_OP_H
#define CAPALLOC_OP_H

/*
 * Operations on tensors of channels x positions, one row each in one table.
 *
 * A linear operation makes every output position as a sum over taps: a tap brings
 * the channels of one position of one input, either through a block of theta
 * (linear) or scaled and copied to some of the output channels (the others). So
 * forward, backward and contraction are each one loop over taps, and an
 * operation only says where its taps come from.
 *
 * A non-linear operation works channel by channel on what its taps read. Around
 * values it is linear as well: tap k has a gain for every row and channel, and
 * the gain changes (bends) with the values.
 *
 * A position's values in a pass are a matrix of rows x channels, rows fastest;
 * the rows are observations, or input coordinates, or outputs.
 */

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

struct ca_shape {
    int channels, height, width;
};

/* Output u, tap k meets input floor((u stride + k dilation - pad) / expand), in (height,
 * width). */
struct ca_window {
    int kernel[2], stride[2], dilation[2], pad[2], expand[2];
};

/* Every operation, once: its kind CA_OP_..., the first one 0, and its row ca_row_... */
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
    const int *from;       /* nodes read */
    struct ca_shape shape; /* of the output */
    struct ca_window window;
    int groups;
    int shared;            /* every position uses the same theta, or one block of its own */
    size_t theta, n_theta; /* its slice of theta */
    const double *scale;   /* n_from (add) or 1 (fixed; phi: its parameter) */
    int phi;               /* which activation (phi) */
    int loop;              /* 0, or the recurrence it belongs to */

    /* derived when the graph is built */
    int in_channels;   /* of the first input */
    int positions;     /* of the output */
    int n_taps;        /* of one output position */
    size_t theta_step; /* from one position's block of theta to the next one's */
    const int *map;    /* n_taps x positions: input position or -1 (windowed operations) */
    const size_t *in;  /* n_from: site of position 0 of each input */
    const int *offset; /* n_from: first output channel of each input (concat) */
};

/* Sites number the positions of all nodes of a graph through. */
struct ca_tap {
    size_t site;  /* where it reads */
    int channels; /* how many it reads */
    int to;       /* first output channel (copies) */
    double scale; /* copies */
    size_t theta; /* where its block of theta begins */
    int groups;   /* of the block: filters and channels fall into so many, in order */
};

/* The site of the homogeneous coordinate, which constants multiply. */
#define CA_CONSTANT ((size_t)-1)

/* One row of the table. What is left out does not hold, or is the default that is said.
 *
 * Kernels handle `rows` rows; ld are leading dimensions. Non-linear operations have `value`
 * instead of push and pull, and matrices of rows x channels: in[k] is what tap k reads (NULL
 * where it reads nothing), slope and curve are what the operation keeps of its derivatives. */
struct ca_op_row {
    const char *name;
    int min_from, max_from;
    bool windowed;      /* its taps are those of its window; else one of each input */
    bool multiplies;    /* what it reads, by theta or by another input */
    bool mixes;         /* every output channel is a sum over the channels of its group */
    bool constant;      /* adds the first channels of its block of theta to the output */
    bool sums;          /* adds its inputs, each with a scale of its own */
    bool activation;    /* `phi` and its parameter, scale[0], say what it does */
    bool inhomogeneous; /* f(c x) = c f(x) does not hold for c > 0 */
    /* Checks the shape, and completes `offset` and n_taps (number of inputs, or of the window).
     * `ops` are all operations of the graph. NULL: ca_check_alike. */
    enum ca_status (*check)(struct ca_op *op, const struct ca_op *ops, const char **why);
    /* Parameters of one position; NULL: none. */
    double (*block)(const struct ca_op *op);
    bool (*tap)(const struct ca_op *op, int u, int k, struct ca_tap *tap);
    void (*push)(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                 int rows, const double *in, int ld_in, double *out, int ld_out);
    void (*pull)(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                 int rows, const double *out, int ld_out, double *in, int ld_in);
    /* As tap, of what theta multiplies: output channel f gets
     *   sum_i theta[tap.theta + f + channels i] x[i]
     * over the channels i of its group of what is read there, or of the homogeneous coordinate.
     * NULL where nothing depends on theta. */
    bool (*own)(const struct ca_op *op, int u, int k, struct ca_tap *tap);
    void (*value)(const struct ca_op *op, int rows, const double *const *in, double *out,
                  double *slope, double *curve);
    /* The gain of tap k, perhaps made in `scratch`. */
    const double *(*gain)(const struct ca_op *op, int k, int rows, const double *const *in,
                          const double *slope, double *scratch);
    /* Its derivative along a change `d_in` (NULL where nothing changes) of what the taps read;
     * NULL for zero, and where the row has no `bend`. */
    const double *(*bend)(const struct ca_op *op, int k, int rows, const double *const *d_in,
                          const double *curve, double *scratch);
};

static inline bool ca_op_is_linear(const struct ca_op_row *row) {
    return row->value == NULL;
}

const struct ca_op_row *ca_op_row(enum ca_op_kind kind);

/* Kinds are 0, the input, .. ca_op_count() - 1. */
int ca_op_count(void);
/* -1 when there is no operation of that name. */
int ca_op_kind(const char *name);

/* Channels of the input that one output channel sees, where an operation mixes them. */
static inline int ca_op_group_channels(const struct ca_op *op) {
    return op->in_channels / op->groups;
}

/* Terms of the sum that an output unit is, or what it is made from. */
static inline double ca_op_terms(const struct ca_op *op) {
    return (double)op->n_taps * (ca_op_row(op->kind)->mixes ? ca_op_group_channels(op) : 1);
}

/* Units of the output. */
static inline size_t ca_units(const struct ca_op *op) {
    return (size_t)op->positions * (size_t)op->shape.channels;
}

/* Where the block of theta of an output position begins. */
static inline size_t ca_op_theta(const struct ca_op *op, int u) {
    return op->theta + (size_t)u * op->theta_step;
}

/* out (rows x channels) += the constant of an operation, if it has one, times one (rows). */
void ca_op_add_constant(const struct ca_op *op, int u, const double *theta, int rows,
                        const double *one, double *out);
/* one (rows) += its adjoint applied to out (rows x channels). */
void ca_op_pull_constant(const struct ca_op *op, int u, const double *theta, int rows,
                         const double *out, double *one);

/* Of operations that scale and copy what their taps read. */
void ca_push_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                  int rows, const double *in, int ld_in, double *out, int ld_out);
void ca_pull_copy(const struct ca_op *op, const struct ca_tap *tap, const double *theta,
                  int rows, const double *out, int ld_out, double *in, int ld_in);

/* Checks of shapes: the input has the positions and channels of the output; the channels only,
 * of windows. */
enum ca_status ca_check_alike(struct ca_op *op, const struct ca_op *ops, const char **why);
enum ca_status ca_check_channels(struct ca_op *op, const struct ca_op *ops, const char **why);

#define CA_ROW(kind, row) extern const struct ca_op_row ca_row_##row;
CA_OPERATIONS(CA_ROW)
#undef CA_ROW

/* The taps of one position that read something, in their order:
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

/* Activations by number; -1 and NULL when there is none. */
int ca_phi_kind(const char *name);
const char *ca_phi_name(int kind);
/* Value, slope and curvature of activation `kind` with its parameter at n points. */
void ca_phi(int kind, double parameter, size_t n, const double *u, double *value, double *slope,
            double *curve);

#endif
