#include "contract.h"

#include "linalg.h"
#include "runs.h"

/* --- taps through theta ------------------------------------------------------------------ */

/* Iterator over the taps of `own` of the operations that have a column: all positions of a tap,
 * then the next tap, so that taps with the same block of theta are consecutive. Sites where
 * `back` has no rows are skipped. */
struct owned {
    const struct ca_pass *back;
    const long *column; /* NULL: all operations */
    int node, k, u;
    const struct ca_op *op;
    bool (*own)(const struct ca_op *op, int u, int k, struct ca_tap *tap);
    size_t site;
    struct ca_tap tap;
};

static struct owned owned_taps(const struct ca_pass *back, const long *column) {
    return (struct owned){.back = back, .column = column};
}

static bool next_operation(struct owned *w) {
    const struct ca_graph *graph = w->back->graph;
    while (++w->node < graph->n_nodes) {
        w->op = &graph->op[w->node];
        if (w->op->n_theta == 0 || (w->column != NULL && w->column[w->node] < 0))
            continue;
        w->own = ca_op_row(w->op->kind)->own;
        w->k = 0;
        w->u = -1;
        return true;
    }
    return false;
}

static bool next_owned(struct owned *w) {
    if (w->op == NULL && !next_operation(w))
        return false;
    for (;;) {
        if (++w->u == w->op->positions) {
            w->u = 0;
            if (++w->k == w->op->n_taps) {
                if (!next_operation(w))
                    return false;
                w->u = 0;
            }
        }
        w->site = w->back->graph->first[w->node] + (size_t)w->u;
        if (ca_rows(w->back, w->site) > 0 && w->own(w->op, w->u, w->k, &w->tap))
            return true;
    }
}

/* The matrix that a tap reads, or the constant; NULL if it is zero. */
static const double *matrix_at(const struct ca_pass *pass, size_t site,
                               const double *constant) {
    if (site == CA_CONSTANT)
        return constant;
    return pass != NULL && ca_rows(pass, site) > 0 ? ca_at(pass, site) : NULL;
}

/* --- sums over rows ---------------------------------------------------------------------- */

/* grad (filters x channels of a group) += B' x, with B (rows x filters) and x (rows x
 * channels) */
static void add_gradient(const struct owned *w, const double *x, int ld_x, double *grad) {
    const int rows = ca_rows(w->back, w->site), groups = w->tap.groups;
    const int filters = w->op->shape.channels, fg = filters / groups;
    const int cg = w->tap.channels / groups;
    const double *B = ca_at(w->back, w->site);
    if (w->tap.site == CA_CONSTANT) { /* one column: a matrix product would be slower */
        for (int f = 0; f < filters; f++)
            grad[f] += ca_dot((size_t)rows, B + (size_t)f * (size_t)rows, x);
        return;
    }
    for (int g = 0; g < groups; g++)
        ca_gemm_tn(fg, cg, rows, B + (size_t)g * (size_t)fg * (size_t)rows, rows,
                   x + (size_t)g * (size_t)cg * (size_t)ld_x, ld_x, grad + g * fg, filters);
}

void ca_contract_gradient(const struct ca_pass *back, const struct ca_pass *value,
                          const double *one, double *grad) {
    for (struct owned w = owned_taps(back, NULL); next_owned(&w);) {
        const double *x = matrix_at(value, w.tap.site, one);
        const int ld = w.tap.site == CA_CONSTANT ? 0 : ca_rows(value, w.tap.site);
        if (x != NULL)
            add_gradient(&w, x + back->span[w.site].lo, ld, grad + w.tap.theta);
    }
}

/* --- row by row -------------------------------------------------------------------------- */

/* y += a b + c d, entry by entry; a pair with a NULL counts as zero */
static void add_products(int rows, const double *a, const double *b, const double *c,
                         const double *d, double *restrict y) {
    if (b != NULL && c != NULL)
        for (int s = 0; s < rows; s++)
            y[s] += a[s] * b[s] + c[s] * d[s];
    else if (b != NULL)
        for (int s = 0; s < rows; s++)
            y[s] += a[s] * b[s];
    else if (c != NULL)
        for (int s = 0; s < rows; s++)
            y[s] += c[s] * d[s];
}

static const double *channel_of(const double *matrix, int channel, int rows) {
    return matrix == NULL ? NULL : matrix + (size_t)channel * (size_t)rows;
}

void ca_contract_rows(const long *column, const struct ca_pass *B, const struct ca_pass *X,
                      const double *one, struct ca_change change, double *out, int ld) {
    for (struct owned w = owned_taps(B, column); next_owned(&w);) {
        const int rows = ca_rows(B, w.site), filters = w.op->shape.channels;
        const int fg = filters / w.tap.groups, cg = w.tap.channels / w.tap.groups;
        const double *b = ca_at(B, w.site), *x = matrix_at(X, w.tap.site, one);
        const double *dx = matrix_at(change.dX, w.tap.site, change.d_one);
        const double *db = matrix_at(change.dB, w.site, NULL);
        const bool one_hot = change.site >= 0 && (size_t)change.site == w.tap.site;
        if (dx == NULL && db == NULL)
            continue;
        double *own = out + ((size_t)column[w.node] + w.tap.theta - w.op->theta) * (size_t)ld;
        for (int i = 0; i < cg; i++)
            for (int f = 0; f < filters; f++) {
                const int c = (f / fg) * cg + i;
                const bool still = one_hot && c != change.channel;
                add_products(rows, channel_of(b, f, rows),
                             still ? NULL : channel_of(dx, c, rows), channel_of(db, f, rows),
                             channel_of(x, c, rows),
                             own + (size_t)(f + filters * i) * (size_t)ld);
            }
    }
}

/* --- outputs by rows --------------------------------------------------------------------- */

/* Clips the runs of one tap, from run *next of its span on, to the rows of the target. Writes
 * at most `most` runs and returns their number. Sets *next to the run to continue with, or to
 * -1 at the end. */
static int clip_runs(const struct owned *w, const struct ca_pass *value,
                     struct ca_target target, int *next, int most, struct ca_run *run) {
    const int ld = ca_rows(value, w->tap.site);
    struct ca_span span = value->span[w->tap.site];
    if (span.hi - span.lo == value->stride) /* the runs are contiguous: one run */
        span = (struct ca_span){span.lo, span.lo + ld, 0};
    int n = 0;
    for (; *next <= span.more && n < most; ++*next) {
        const long lo = span.lo + (long)*next * value->stride * (span.more > 0) + target.shift;
        const long hi = lo + span.hi - span.lo;
        const long begin = lo > 0 ? lo : 0, end = hi < target.rows ? hi : target.rows;
        if (begin >= end)
            continue;
        run[n++] = (struct ca_run){.row = (int)begin,
                                   .rows = (int)(end - begin),
                                   .out_lo = w->back->span[w->site].lo,
                                   .n_out = ca_rows(w->back, w->site),
                                   .ld = ld,
                                   .x = ca_at(value, w->tap.site) +
                                        *next * (span.hi - span.lo) + (begin - lo),
                                   .b = ca_at(w->back, w->site)};
    }
    if (*next > span.more)
        *next = -1;
    return n;
}

/* Likewise for the constant, which has one run with all rows. */
static int constant_run(const struct owned *w, const double *one, struct ca_target target,
                        int *next, struct ca_run *run) {
    *next = -1;
    *run = (struct ca_run){.rows = target.rows,
                           .out_lo = w->back->span[w->site].lo,
                           .n_out = ca_rows(w->back, w->site),
                           .ld = target.rows,
                           .x = one,
                           .b = ca_at(w->back, w->site)};
    return 1;
}

void ca_contract_outputs(const long *column, const struct ca_pass *back,
                         const struct ca_pass *value, const double *one,
                         struct ca_target target) {
    struct ca_run run[CA_MOST_RUNS];
    struct ca_columns block = {.y = NULL}; /* the columns of the collected runs */
    int n = 0, node = 0;
    for (struct owned w = owned_taps(back, column); next_owned(&w);) {
        if (matrix_at(value, w.tap.site, one) == NULL)
            continue;
        double *y = target.out +
                    ((size_t)column[w.node] + w.tap.theta - w.op->theta) * (size_t)target.ld;
        for (int next = 0; next >= 0;) {
            if (n == CA_MOST_RUNS || y != block.y || w.node != node) {
                ca_contract_runs(run, n, block);
                n = 0;
            }
            node = w.node;
            block = (struct ca_columns){.y = y,
                                        .ld = target.ld,
                                        .m = target.m,
                                        .filters = w.op->shape.channels,
                                        .channels = w.tap.channels,
                                        .groups = w.tap.groups};
            n += w.tap.site == CA_CONSTANT
                     ? constant_run(&w, one, target, &next, run + n)
                     : clip_runs(&w, value, target, &next, CA_MOST_RUNS - n, run + n);
        }
    }
    ca_contract_runs(run, n, block);
}
