#include "allocation.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "linalg.h"
#include "workspace.h"

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Clears what QR left below the diagonal and brings the triangle to the top of an m x p block.
 */
static void keep_triangle(double *stack, size_t ld, size_t rows, size_t p) {
    for (size_t k = 0; k < p; k++)
        for (size_t i = k + 1; i < rows; i++)
            stack[i + k * ld] = 0;
}

/* The triangle of J in the first min(n_rows, p) rows of stack. */
static enum ca_status triangularise(struct ca_rows_source source, size_t p, size_t block,
                                    double *stack, size_t ld) {
    size_t held = 0;
    const size_t n_work = ca_qr_work((int)ld, (int)p, (int)ld);
    double *tau = ca_doubles(p), *work = ca_doubles(n_work);
    for (size_t begin = 0; begin < source.n_rows;) {
        const size_t end = min_size(begin + block, source.n_rows);
        source.fill(source.context, begin, end, stack + held, (int)ld);
        held += end - begin;
        begin = end;
        const enum ca_status status =
            ca_qr((int)held, (int)p, stack, (int)ld, tau, work, n_work);
        if (status != CA_OK)
            return status;
        keep_triangle(stack, ld, held, p);
        held = min_size(held, p);
    }
    return CA_OK;
}

/* 1 / norm of each column of T (k x p); 0 for zero columns and those that are rounding next to
 * the largest of their layer. */
static void column_scales(const double *T, size_t ld, size_t k, size_t p, size_t n_rows,
                          const int *layer, int n_layers, double *scale) {
    const double floor = 10 * (double)max_size(n_rows, p) * DBL_EPSILON;
    double *largest = ca_doubles((size_t)n_layers);
    memset(largest, 0, sizeof(double) * (size_t)n_layers);
    for (size_t j = 0; j < p; j++) {
        scale[j] = ca_norm((int)k, T + j * ld);
        if (scale[j] > largest[layer[j]])
            largest[layer[j]] = scale[j];
    }
    for (size_t j = 0; j < p; j++)
        scale[j] = scale[j] > floor * largest[layer[j]] ? 1 / scale[j] : 0;
}

static int all_finite(const double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

enum ca_status ca_spectrum(struct ca_rows_source source, size_t n_columns, const int *layer,
                           int n_layers, size_t block, struct ca_spectrum *spectrum) {
    const size_t p = n_columns, k = min_size(source.n_rows, p);
    *spectrum = (struct ca_spectrum){.n_columns = p, .n_values = k};
    spectrum->scale = ca_doubles(p);
    spectrum->values = ca_doubles(k);
    spectrum->Vt = ca_doubles(k * p);
    if (k == 0)
        return CA_OK;
    const size_t ld = min_size(block, source.n_rows) + (block < source.n_rows ? p : 0);
    double *stack = ca_doubles(ld * p);
    enum ca_status status = triangularise(source, p, block, stack, ld);
    if (status != CA_OK)
        return status;
    double *T = ca_doubles(k * p);
    for (size_t j = 0; j < p; j++)
        memcpy(T + j * k, stack + j * ld, sizeof(double) * k);
    if (!all_finite(T, k * p))
        return CA_NONFINITE;
    column_scales(T, k, k, p, source.n_rows, layer, n_layers, spectrum->scale);
    for (size_t j = 0; j < p; j++)
        for (size_t i = 0; i < k; i++)
            T[i + j * k] *= spectrum->scale[j];
    const size_t n_work = ca_svd_work((int)k, (int)p);
    return ca_svd((int)k, (int)p, T, spectrum->values, ca_doubles(k * k), spectrum->Vt,
                  ca_doubles(n_work), n_work, ca_ints(8 * k));
}

size_t ca_rank(const struct ca_spectrum *spectrum, double tol) {
    size_t rank = 0;
    while (rank < spectrum->n_values && spectrum->values[rank] > tol * spectrum->values[0])
        rank++;
    return rank;
}

/* p x r: scaled right vectors, column l over s_l, or over sqrt(s_l^2 + ridge s_1^2). */
static const double *basis_vectors(const struct ca_spectrum *spectrum, size_t rank,
                                   double ridge) {
    const size_t p = spectrum->n_columns, k = spectrum->n_values;
    double *V = ca_doubles(p * rank);
    for (size_t l = 0; l < rank; l++) {
        const double s = spectrum->values[l];
        const double d = ridge > 0 ? hypot(s, sqrt(ridge) * spectrum->values[0]) : s;
        for (size_t j = 0; j < p; j++)
            V[j + l * p] = spectrum->scale[j] * spectrum->Vt[l + j * k] / d;
    }
    return V;
}

/* Rows of J times V: what the second pass sums the squares of. */
struct basis_source {
    struct ca_rows_source rows;
    const double *V; /* p x r */
    size_t p, r;
    double *J; /* a block of rows x p */
    int ld;
};

static void fill_basis(void *context, size_t begin, size_t end, double *out, int ld) {
    const struct basis_source *basis = context;
    basis->rows.fill(basis->rows.context, begin, end, basis->J, basis->ld);
    for (size_t l = 0; l < basis->r; l++)
        memset(out + l * (size_t)ld, 0, sizeof(double) * (end - begin));
    ca_gemm_nn((int)(end - begin), (int)basis->r, (int)basis->p, basis->J, basis->ld, basis->V,
               (int)basis->p, out, ld);
}

/* J V / s is orthonormal to about eps s_1 / s_r. Beyond this ratio its own triangle restores
 * that: the same product, made again in the same blocks, times the triangle's inverse. */
static const double WELL_CONDITIONED = 1e3;

static enum ca_status restore(struct ca_rows_source source, size_t r, size_t block,
                              double *triangle) {
    const size_t ld = min_size(block, source.n_rows) + (block < source.n_rows ? r : 0);
    double *stack = ca_doubles(ld * r);
    const enum ca_status status = triangularise(source, r, block, stack, ld);
    for (size_t l = 0; l < r && status == CA_OK; l++)
        memcpy(triangle + l * r, stack + l * ld, sizeof(double) * r);
    return status;
}

enum ca_status ca_leverage(struct ca_rows_source source, const struct ca_spectrum *spectrum,
                           size_t rank, double ridge, size_t block, double *leverage) {
    const size_t p = spectrum->n_columns;
    const size_t r = ridge > 0 && rank > 0 ? spectrum->n_values : rank;
    memset(leverage, 0, sizeof(double) * source.n_rows);
    if (r == 0)
        return CA_OK;
    const size_t ld = min_size(block, source.n_rows);
    struct basis_source basis = {
        .rows = source, .V = basis_vectors(spectrum, r, ridge), .p = p, .r = r};
    basis.J = ca_doubles(ld * p);
    basis.ld = (int)ld;
    const struct ca_rows_source rows = {&basis, fill_basis, source.n_rows};
    double *triangle = NULL;
    if (ridge == 0 && spectrum->values[0] > WELL_CONDITIONED * spectrum->values[r - 1]) {
        triangle = ca_doubles(r * r);
        const enum ca_status status = restore(rows, r, block, triangle);
        if (status != CA_OK)
            return status;
    }
    double *Q = ca_doubles(ld * r);
    for (size_t begin = 0; begin < source.n_rows;) {
        const size_t end = min_size(begin + block, source.n_rows), n = end - begin;
        rows.fill(rows.context, begin, end, Q, (int)ld);
        if (triangle != NULL)
            ca_solve_right((int)n, (int)r, triangle, Q, (int)ld);
        for (size_t l = 0; l < r; l++)
            for (size_t i = 0; i < n; i++)
                leverage[begin + i] += Q[i + l * ld] * Q[i + l * ld];
        begin = end;
    }
    return CA_OK;
}
