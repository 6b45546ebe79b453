#include "runs.h"

#include <limits.h>
#include <string.h>

#include "linalg.h"

/* The columns of one group of one tap: filter f and channel i of the group at y + (f + filters
 * i) ld. They are filter `filter` + f and channel `channel` + i of the runs. */
struct block {
    double *y;
    int ld, m;
    int filter, channel;
    int fg, cg, filters;
};

static double *column_of(const struct block *block, int f, int i) {
    return block->y + (size_t)(f + block->filters * i) * (size_t)block->ld;
}

static const double *channel_of(const struct ca_run *run, const struct block *block, int i) {
    return run->x + (size_t)(block->channel + i) * (size_t)run->ld;
}

/* y_k += b_k x for four columns y_k, ld apart. All loads come before the stores, because
 * columns whose distance is a multiple of 4096 bytes alias in the cache: a load would wait for
 * the store to another column. */
static void add_four(int n, const double *restrict x, const double *b, double *restrict y,
                     size_t ld) {
    const double b0 = b[0], b1 = b[1], b2 = b[2], b3 = b[3];
    double *restrict y1 = y + ld, *restrict y2 = y1 + ld, *restrict y3 = y2 + ld;
#pragma omp simd
    for (int c = 0; c < n; c++) {
        const double sum0 = y[c] + b0 * x[c], sum1 = y1[c] + b1 * x[c];
        const double sum2 = y2[c] + b2 * x[c], sum3 = y3[c] + b3 * x[c];
        y[c] = sum0;
        y1[c] = sum1;
        y2[c] = sum2;
        y3[c] = sum3;
    }
}

static void add_one(int n, const double *restrict x, double b, double *restrict y) {
#pragma omp simd
    for (int c = 0; c < n; c++)
        y[c] += b * x[c];
}

/* Adds runs of one output, one after the other. */
static void add_runs(const struct ca_run *run, int n, const struct block *block) {
    for (int i = 0; i < block->cg; i++) {
        int f = 0;
        for (; f + 4 <= block->fg; f += 4)
            for (int s = 0; s < n; s++)
                add_four(run[s].rows, channel_of(run + s, block, i),
                         run[s].b + block->filter + f, column_of(block, f, i) + run[s].row,
                         (size_t)block->ld);
        for (; f < block->fg; f++)
            for (int s = 0; s < n; s++)
                add_one(run[s].rows, channel_of(run + s, block, i), run[s].b[block->filter + f],
                        column_of(block, f, i) + run[s].row);
    }
}

/* Returns the number of runs of one output that have the same x, each one row further on. Their
 * sum is a convolution. */
static int echo(const struct ca_run *run, int n) {
    int s = 1;
    while (s < n && run[s].x == run->x && run[s].rows == run->rows &&
           run[s].row == run->row + s)
        s++;
    return s;
}

/* Pairs of doubles as a vector type of GCC and clang. x86-64 and ARM64 add or multiply a pair
 * by one instruction. */
typedef double pair __attribute__((vector_size(2 * sizeof(double))));

static pair pair_at(const double *x) {
    pair out;
    memcpy(&out, x, sizeof out);
    return out;
}

static void add_pair(pair sum, int n, double *y) {
    y[0] += sum[0];
    if (n > 1)
        y[1] += sum[1];
}

/* y_k[r] += sum_c x_k[c] b[r - c] for four columns y_k and x_k. Four rows r are computed at a
 * time, with their sums in registers. b is zero outside its own rows. */
static void convolve_four(int rows, int n, const double *x, size_t ld_x, const double *b,
                          double *y, size_t ld) {
    const double *x1 = x + ld_x, *x2 = x1 + ld_x, *x3 = x2 + ld_x;
    for (int r = 0; r < rows; r += 4) {
        const int left = rows - r;
        pair a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
        for (int c = 0; c < n; c++) {
            const pair one = pair_at(b + r - c), two = pair_at(b + r + 2 - c);
            a0 += x[c] * one;
            b0 += x[c] * two;
            a1 += x1[c] * one;
            b1 += x1[c] * two;
            a2 += x2[c] * one;
            b2 += x2[c] * two;
            a3 += x3[c] * one;
            b3 += x3[c] * two;
        }
        const pair first[4] = {a0, a1, a2, a3}, second[4] = {b0, b1, b2, b3};
        for (int k = 0; k < 4; k++) {
            add_pair(first[k], left, y + (size_t)k * ld + r);
            if (left > 2)
                add_pair(second[k], left - 2, y + (size_t)k * ld + r + 2);
        }
    }
}

/* Adds runs that echo() has found, four channels at a time. */
static void convolve_runs(const struct ca_run *run, int n, const struct block *block) {
    double b[3 * CA_MOST_RUNS + 4] = {0}, *own = b + run->rows - 1;
    const size_t ld = (size_t)run->ld, step = (size_t)block->filters * (size_t)block->ld;
    for (int f = 0; f < block->fg; f++) {
        int i = 0;
        for (int s = 0; s < n; s++)
            own[s] = run[s].b[block->filter + f];
        for (; i + 4 <= block->cg; i += 4)
            convolve_four(n + run->rows - 1, run->rows, channel_of(run, block, i), ld, own,
                          column_of(block, f, i) + run->row, step);
        for (; i < block->cg; i++)
            for (int c = 0; c < run->rows; c++)
                add_one(n, own, channel_of(run, block, i)[c],
                        column_of(block, f, i) + run->row + c);
    }
}

/* Returns the number of runs that are the same rows of matrices at equal distances in memory.
 * Their sum is one matrix product. */
static int follow(const struct ca_run *run, int n) {
    int s = 1;
    if (n < 2 || run[1].x <= run[0].x || run[1].b <= run[0].b ||
        run[1].x - run[0].x > INT_MAX || run[1].b - run[0].b > INT_MAX)
        return s;
    for (; s < n; s++) {
        const struct ca_run *now = &run[s], *last = &run[s - 1];
        if (now->row != last->row || now->rows != last->rows || now->out_lo != last->out_lo ||
            now->n_out != last->n_out || now->ld != last->ld ||
            now->x - last->x != run[1].x - run[0].x || now->b - last->b != run[1].b - run[0].b)
            break;
    }
    return s;
}

/* Adds runs that follow() has found, or one run. */
static void multiply_runs(const struct ca_run *run, int n, const struct block *block) {
    const int n_out = run->n_out;
    const int x_step = n > 1 ? (int)(run[1].x - run[0].x) : run->rows;
    const int b_step = n > 1 ? (int)(run[1].b - run[0].b) : n_out * block->filters;
    const double *b = run->b + (size_t)block->filter * (size_t)n_out;
    const size_t from = (size_t)run->out_lo + (size_t)block->m * (size_t)run->row;
    for (int i = 0; i < block->cg; i++) {
        const double *x = channel_of(run, block, i);
        if (block->m == 1)
            ca_gemm_nt(run->rows, block->fg, n, x, x_step, b, b_step,
                       column_of(block, 0, i) + from, block->ld);
        for (int f = 0; f < block->fg && block->m > 1; f++)
            ca_gemm_nt(n_out, run->rows, n, b + (size_t)f * (size_t)n_out, b_step, x, x_step,
                       column_of(block, f, i) + from, block->m);
    }
}

/* With fewer runs of one output a matrix product or a convolution is slower than single
 * runs. */
enum { LEAST_TOGETHER = 4 };

/* together() returns how many of the next runs are processed together, and sets the function
 * that does it. */
typedef void taking(const struct ca_run *run, int n, const struct block *block);

static int together(const struct ca_run *run, int n, int m, taking **take) {
    const int following = follow(run, n);
    *take = multiply_runs;
    if (m > 1 || following >= LEAST_TOGETHER)
        return following;
    const int echoing = echo(run, n);
    *take = convolve_runs;
    if (echoing >= LEAST_TOGETHER && echoing > run->rows)
        return echoing;
    *take = add_runs;
    return 1;
}

/* The same, with all consecutive runs that are added one after the other. */
static int stretch(const struct ca_run *run, int n, int m, taking **take) {
    int length = together(run, n, m, take);
    while (*take == add_runs && length < n) { /* until runs that go together */
        taking *next;
        const int more = together(run + length, n - length, m, &next);
        if (next != add_runs)
            break;
        length += more;
    }
    return length;
}

void ca_contract_runs(const struct ca_run *run, int n, struct ca_columns columns) {
    if (n == 0)
        return;
    const int groups = columns.groups;
    const int fg = columns.filters / groups, cg = columns.channels / groups;
    for (int length; n > 0; run += length, n -= length) {
        taking *take;
        length = stretch(run, n, columns.m, &take);
        for (int g = 0; g < groups; g++)
            take(run, length,
                 &(struct block){.y = columns.y + (size_t)(g * fg) * (size_t)columns.ld,
                                 .ld = columns.ld,
                                 .m = columns.m,
                                 .filter = g * fg,
                                 .channel = g * cg,
                                 .fg = fg,
                                 .cg = cg,
                                 .filters = columns.filters});
    }
}
