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

/* w_l of the header: how much of direction l counts. */
static double weight(const struct ca_spectrum *spectrum, size_t l, double ridge) {
    const double s = spectrum->values[l], d = hypot(s, sqrt(ridge) * spectrum->values[0]);
    return ridge > 0 ? (s / d) * (s / d) : 1;
}

/* Directions that count: the rank, or all of a soft capacity. */
static size_t n_directions(const struct ca_spectrum *spectrum, size_t rank, double ridge) {
    return ridge > 0 && rank > 0 ? spectrum->n_values : rank;
}

void ca_parameters(const struct ca_spectrum *spectrum, size_t rank, double ridge,
                   double *capacity) {
    const size_t k = spectrum->n_values, r = n_directions(spectrum, rank, ridge);
    for (size_t j = 0; j < spectrum->n_columns; j++) {
        capacity[j] = 0;
        for (size_t l = 0; l < r; l++) {
            const double v = spectrum->Vt[l + j * k];
            capacity[j] += weight(spectrum, l, ridge) * v * v;
        }
    }
}

/* p x r: scaled right vectors, column l over s_l, or over sqrt(s_l^2 + ridge s_1^2). */
static double *basis_vectors(const struct ca_spectrum *spectrum, size_t r, double ridge) {
    const size_t p = spectrum->n_columns, k = spectrum->n_values;
    double *V = ca_doubles(p * r);
    for (size_t l = 0; l < r; l++) {
        const double s = spectrum->values[l];
        const double d = ridge > 0 ? hypot(s, sqrt(ridge) * spectrum->values[0]) : s;
        for (size_t j = 0; j < p; j++)
            V[j + l * p] = spectrum->scale[j] * spectrum->Vt[l + j * k] / d;
    }
    return V;
}

/* Rows of J V. */
static void fill_basis(void *context, size_t begin, size_t end, double *out, int ld) {
    const struct ca_projector *projector = context;
    const struct ca_rows_source *rows = &projector->rows;
    rows->fill(rows->context, begin, end, projector->J, projector->ld);
    for (size_t l = 0; l < projector->r; l++)
        memset(out + l * (size_t)ld, 0, sizeof(double) * (end - begin));
    ca_gemm_nn((int)(end - begin), (int)projector->r, (int)projector->p, projector->J,
               projector->ld, projector->V, (int)projector->p, out, ld);
}

/* J V / s is orthonormal to about eps s_1 / s_r. Beyond this ratio its own triangle restores
 * that: the same product, made again in the same blocks, times the triangle's inverse. */
static const double WELL_CONDITIONED = 1e3;

static enum ca_status restore(struct ca_projector *projector) {
    const size_t r = projector->r, block = projector->block, n = projector->rows.n_rows;
    const struct ca_rows_source source = {projector, fill_basis, NULL, n};
    const size_t ld = min_size(block, n) + (block < n ? r : 0);
    double *stack = ca_doubles(ld * r);
    const enum ca_status status = triangularise(source, r, block, stack, ld);
    if (status != CA_OK)
        return status;
    projector->triangle = ca_doubles(r * r);
    for (size_t l = 0; l < r; l++)
        memcpy(projector->triangle + l * r, stack + l * ld, sizeof(double) * r);
    return CA_OK;
}

enum ca_status ca_projector_new(struct ca_rows_source source,
                                const struct ca_spectrum *spectrum, size_t rank, double ridge,
                                size_t block, struct ca_projector *projector) {
    const size_t p = spectrum->n_columns, r = n_directions(spectrum, rank, ridge);
    const size_t ld = min_size(block, source.n_rows);
    *projector = (struct ca_projector){.rows = source, .p = p, .r = r, .block = block};
    if (r == 0)
        return CA_OK;
    projector->V = basis_vectors(spectrum, r, ridge);
    projector->J = ca_doubles(ld * p);
    projector->Q = ca_doubles(ld * r);
    projector->ld = (int)ld;
    if (ridge == 0 && spectrum->values[0] > WELL_CONDITIONED * spectrum->values[r - 1])
        return restore(projector);
    return CA_OK;
}

/* The rows begin <= i < end of the basis into projector->Q; those of J stay in projector->J.
 * Returns end, the first row of the next block. */
static size_t next_rows(struct ca_projector *projector, size_t begin) {
    const size_t end = min_size(begin + projector->block, projector->rows.n_rows);
    fill_basis(projector, begin, end, projector->Q, projector->ld);
    if (projector->triangle != NULL)
        ca_solve_right((int)(end - begin), (int)projector->r, projector->triangle, projector->Q,
                       projector->ld);
    return end;
}

void ca_leverage(struct ca_projector *projector,
                 void (*take)(void *context, size_t begin, size_t end, const double *leverage),
                 void *context) {
    const size_t n_rows = projector->rows.n_rows, ld = (size_t)projector->ld;
    double *leverage = ca_doubles(min_size(projector->block, n_rows));
    for (size_t begin = 0, end; begin < n_rows; begin = end) {
        end = projector->r > 0 ? next_rows(projector, begin)
                               : min_size(begin + projector->block, n_rows);
        memset(leverage, 0, sizeof(double) * (end - begin));
        for (size_t l = 0; l < projector->r; l++)
            for (size_t i = 0; i < end - begin; i++) {
                const double q = projector->Q[i + l * ld];
                leverage[i] += q * q;
            }
        take(context, begin, end, leverage);
    }
}

void ca_kernel(struct ca_projector *projector, size_t m, const int *place, size_t n_places,
               double *K) {
    const size_t n_rows = projector->rows.n_rows, r = projector->r;
    double *U = ca_doubles(n_places * m * r); /* n_places x r for each output */
    memset(K, 0, sizeof(double) * n_places * n_places);
    for (size_t begin = 0, end; begin < n_rows && r > 0; begin = end) {
        end = next_rows(projector, begin);
        for (size_t i = begin; i < end; i++) {
            if (place[i / m] < 0)
                continue;
            double *to = U + (size_t)place[i / m] + (i % m) * n_places * r;
            for (size_t l = 0; l < r; l++)
                to[l * n_places] = projector->Q[i - begin + l * (size_t)projector->ld];
        }
    }
    for (size_t o = 0; o < m && r > 0; o++) {
        const double *own = U + o * n_places * r;
        ca_gemm_nt((int)n_places, (int)n_places, (int)r, own, (int)n_places, own, (int)n_places,
                   K, (int)n_places);
    }
}

/* T[coordinate, group] += J_(row,k) (J^+)_(k,row) with J^+ = W Q', over blocks of rows. */
static void two_way_blocks(struct ca_projector *projector, const double *W,
                           size_t n_coordinates, const int *group, double *T) {
    const size_t n_rows = projector->rows.n_rows, p = projector->p, ld = (size_t)projector->ld;
    const struct ca_rows_source *rows = &projector->rows;
    double *inverse = ca_doubles(ld * p); /* (J^+)' of a block */
    size_t *place = ca_sizes(ld);
    for (size_t begin = 0, end; begin < n_rows; begin = end) {
        end = next_rows(projector, begin);
        memset(inverse, 0, sizeof(double) * ld * p);
        ca_gemm_nt((int)(end - begin), (int)p, (int)projector->r, projector->Q, projector->ld,
                   W, (int)p, inverse, projector->ld);
        for (size_t i = 0; i < end - begin; i++)
            place[i] = rows->coordinate(rows->context, begin, end, i);
        for (size_t k = 0; k < p; k++)
            for (size_t i = 0; i < end - begin; i++)
                T[place[i] + (size_t)group[k] * n_coordinates] +=
                    projector->J[i + k * ld] * inverse[i + k * ld];
    }
}

void ca_two_way(struct ca_projector *projector, size_t n_coordinates, const int *group,
                size_t n_groups, double *T) {
    const size_t p = projector->p, r = projector->r;
    memset(T, 0, sizeof(double) * n_coordinates * n_groups);
    if (r == 0)
        return;
    /* J = Q R (diag(s) V'), so the right vectors take the triangle's inverse as well */
    double *W = ca_doubles(p * r);
    memcpy(W, projector->V, sizeof(double) * p * r);
    if (projector->triangle != NULL)
        ca_solve_right((int)p, (int)r, projector->triangle, W, (int)p);
    two_way_blocks(projector, W, n_coordinates, group, T);
}
