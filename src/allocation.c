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

/* Clears the entries below the diagonal, where QR has stored its reflectors, in the first
 * `rows` rows of p columns. */
static void keep_triangle(double *stack, size_t ld, size_t rows, size_t p) {
    for (size_t k = 0; k < p; k++)
        for (size_t i = k + 1; i < rows; i++)
            stack[i + k * ld] = 0;
}

struct ca_tall ca_allocation_tall_new(struct ca_rows_source rows, size_t n_columns,
                                      size_t block) {
    /* room for a triangle above a block */
    const size_t ld = min_size(block, rows.n_rows) + (block < rows.n_rows ? n_columns : 0);
    return (struct ca_tall){.rows = rows,
                            .n_columns = n_columns,
                            .block = block,
                            .ld = ld,
                            .one = ca_doubles(ld * n_columns),
                            .two = ca_doubles(ld * n_columns)};
}

/* Computes the triangle of J (p columns) in the first min(n_rows, p) rows of stack. */
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

/* G (p x p, upper triangle, zeros below) = J'J. rows: memory for a block of rows. */
static void gram(struct ca_rows_source source, size_t p, size_t block, double *rows, size_t ld,
                 double *G) {
    memset(G, 0, sizeof(double) * p * p);
    for (size_t begin = 0, end; begin < source.n_rows; begin = end) {
        end = min_size(begin + block, source.n_rows);
        source.fill(source.context, begin, end, rows, (int)ld);
        ca_gram_add((int)p, (int)(end - begin), rows, (int)ld, G);
    }
}

int ca_allocation_scales(const struct ca_columns *columns, size_t n_rows, size_t p,
                         const double *norm, double *scale) {
    const double floor = 10 * (double)max_size(n_rows, p) * DBL_EPSILON;
    double *largest = ca_doubles((size_t)columns->n_arrays);
    int dropped = 0;
    memset(largest, 0, sizeof(double) * (size_t)columns->n_arrays);
    for (size_t j = 0; j < p; j++)
        largest[columns->array[j]] = fmax(largest[columns->array[j]], norm[j]);
    for (size_t j = 0; j < p; j++) {
        const int kept = norm[j] > floor * largest[columns->array[j]] &&
                         (columns->left_out == NULL || !columns->left_out[j]);
        scale[j] = !kept ? 0 : columns->unscaled ? 1 : 1 / norm[j];
        dropped |= !kept;
    }
    return dropped;
}

static int all_finite(const double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

static enum ca_status by_qr(const struct ca_tall *tall, const struct ca_columns *columns,
                            struct ca_spectrum *spectrum) {
    const size_t p = spectrum->n_columns, k = spectrum->n_values, ld = tall->ld;
    double *stack = tall->one;
    enum ca_status status = triangularise(tall->rows, p, tall->block, stack, ld);
    if (status != CA_OK)
        return status;
    double *T = ca_doubles(k * p);
    for (size_t j = 0; j < p; j++)
        memcpy(T + j * k, stack + j * ld, sizeof(double) * k);
    if (!all_finite(T, k * p))
        return CA_NONFINITE;
    for (size_t j = 0; j < p; j++)
        spectrum->norm[j] = ca_norm((int)k, T + j * k);
    ca_allocation_scales(columns, tall->rows.n_rows, p, spectrum->norm, spectrum->scale);
    for (size_t j = 0; j < p; j++)
        for (size_t i = 0; i < k; i++)
            T[i + j * k] *= spectrum->scale[j];
    spectrum->Vt = ca_doubles(k * p);
    const size_t n_work = ca_svd_work((int)k, (int)p);
    return ca_svd((int)k, (int)p, T, spectrum->values, ca_doubles(k * k), spectrum->Vt,
                  ca_doubles(n_work), n_work, ca_ints(8 * k));
}

/* --- the faster way ----------------------------------------------------------------------- */

/* WELL: condition s_1 / s_p up to which J R^-1 is orthonormal enough. Above it a second factor
 * is computed. FIRST: least reciprocal condition of R for which this is tried. SECOND: least
 * reciprocal condition of the second factor for which the result is accurate. */
static const double WELL = 1e2, SECOND = 0.1, FIRST = 1e-12;
/* Squares of norms within these bounds neither overflow nor lose digits. */
static const double SQUARE_LEAST = 1e-200, SQUARE_MOST = 1e200;

/* Scales the columns of G to unit norm. Returns 0 if a norm is out of bounds or a column is
 * dropped. */
static int scale_gram(const struct ca_columns *columns, size_t n_rows, double *G,
                      struct ca_spectrum *spectrum) {
    const size_t p = spectrum->n_columns;
    for (size_t j = 0; j < p; j++) {
        const double square = G[j + j * p];
        if (!(square > SQUARE_LEAST && square < SQUARE_MOST))
            return 0;
        spectrum->norm[j] = sqrt(square);
    }
    if (ca_allocation_scales(columns, n_rows, p, spectrum->norm, spectrum->scale))
        return 0;
    for (size_t j = 0; j < p; j++)
        for (size_t i = 0; i <= j; i++)
            G[i + j * p] *= spectrum->scale[i] * spectrum->scale[j];
    return 1;
}

/* Whether the eigenvalues of G (overwritten) are those of a matrix of condition up to WELL. If
 * so, computes its singular values. */
static int well_conditioned(size_t p, double *G, double *values) {
    const size_t n_work = ca_eigenvalues_work((int)p);
    double *increasing = ca_doubles(p);
    if (ca_eigenvalues((int)p, G, increasing, ca_doubles(n_work), n_work, ca_ints(10 * p)) !=
        CA_OK)
        return 0;
    if (!(increasing[0] * WELL * WELL > increasing[p - 1]))
        return 0;
    for (size_t l = 0; l < p; l++)
        values[l] = sqrt(increasing[p - 1 - l]);
    return 1;
}

static void fill_basis(void *context, size_t begin, size_t end, double *out, int ld);

/* Applies the method to the rows of J R^-1. Computes root_1, and the singular values of root_1
 * root_0. Returns 0 if it fails. */
static int twice(const struct ca_tall *tall, struct ca_spectrum *spectrum) {
    const size_t p = spectrum->n_columns;
    struct ca_projector first = {
        .tall = *tall, .r = p, .scale = spectrum->scale, .triangle = {spectrum->root[0], NULL}};
    const struct ca_rows_source source = {&first, fill_basis, NULL, tall->rows.n_rows};
    double *R = ca_doubles(p * p), *product = ca_doubles(p * p);
    gram(source, p, tall->block, tall->two, tall->ld, R);
    if (ca_chol((int)p, R) != CA_OK ||
        !(ca_reciprocal_condition((int)p, R, ca_doubles(3 * p), ca_ints(p)) > SECOND))
        return 0;
    spectrum->root[1] = R;
    memcpy(product, spectrum->root[0], sizeof(double) * p * p);
    ca_multiply_left((int)p, R, product);
    const size_t n_work = ca_singular_values_work((int)p, (int)p);
    return ca_singular_values((int)p, (int)p, product, spectrum->values, ca_doubles(n_work),
                              n_work, ca_ints(8 * p)) == CA_OK;
}

/* Computes the spectrum by the faster way. Returns 0 if J is not suited for it. */
static int by_gram(const struct ca_tall *tall, const struct ca_columns *columns,
                   struct ca_spectrum *spectrum) {
    const size_t p = spectrum->n_columns;
    double *G = ca_doubles(p * p), *R = ca_doubles(p * p);
    gram(tall->rows, p, tall->block, tall->one, tall->ld, G);
    if (!scale_gram(columns, tall->rows.n_rows, G, spectrum))
        return 0;
    memcpy(R, G, sizeof(double) * p * p);
    if (ca_chol((int)p, R) != CA_OK)
        return 0;
    const double reciprocal = ca_reciprocal_condition((int)p, R, ca_doubles(3 * p), ca_ints(p));
    if (!(reciprocal > FIRST))
        return 0;
    spectrum->root[0] = R;
    if (reciprocal * (double)p * WELL > 1 && well_conditioned(p, G, spectrum->values))
        return 1;
    return twice(tall, spectrum);
}

enum ca_status ca_allocation_spectrum(const struct ca_tall *tall,
                                      const struct ca_columns *columns, double tol,
                                      struct ca_spectrum *spectrum) {
    const size_t p = tall->n_columns, n = tall->rows.n_rows, k = min_size(n, p);
    *spectrum = (struct ca_spectrum){.n_columns = p, .n_values = k};
    spectrum->norm = ca_doubles(p);
    spectrum->scale = ca_doubles(p);
    memset(spectrum->norm, 0, sizeof(double) * p);
    memset(spectrum->scale, 0, sizeof(double) * p);
    spectrum->values = ca_doubles(k);
    if (k == 0)
        return CA_OK;
    if (tol < 1 && n >= p && !columns->unscaled && columns->left_out == NULL &&
        by_gram(tall, columns, spectrum) && spectrum->values[p - 1] > tol * spectrum->values[0])
        return CA_OK;
    spectrum->root[0] = spectrum->root[1] = NULL;
    return by_qr(tall, columns, spectrum);
}

size_t ca_allocation_rank(const struct ca_spectrum *spectrum, double tol) {
    size_t rank = 0;
    while (rank < spectrum->n_values && spectrum->values[rank] > tol * spectrum->values[0])
        rank++;
    return rank;
}

/* The weight w_l of direction l (see allocation.h). */
static double weight(const struct ca_spectrum *spectrum, size_t l, double ridge) {
    const double s = spectrum->values[l], d = hypot(s, sqrt(ridge) * spectrum->values[0]);
    return ridge > 0 ? (s / d) * (s / d) : 1;
}

/* Number of directions that count: the rank, or all for a soft capacity. */
static size_t n_directions(const struct ca_spectrum *spectrum, size_t rank, double ridge) {
    return ridge > 0 && rank > 0 ? spectrum->n_values : rank;
}

void ca_allocation_parameters(const struct ca_spectrum *spectrum, size_t rank, double ridge,
                              double *capacity) {
    const size_t k = spectrum->n_values, r = n_directions(spectrum, rank, ridge);
    for (size_t j = 0; j < spectrum->n_columns; j++) {
        capacity[j] = spectrum->Vt == NULL; /* full rank: 1 for each column */
        for (size_t l = 0; l < r && spectrum->Vt != NULL; l++) {
            const double v = spectrum->Vt[l + j * k];
            capacity[j] += weight(spectrum, l, ridge) * v * v;
        }
    }
}

double ca_allocation_total(const struct ca_spectrum *spectrum, size_t rank, double ridge) {
    double total = 0;
    for (size_t l = 0; l < n_directions(spectrum, rank, ridge); l++)
        total += weight(spectrum, l, ridge);
    return total;
}

/* The scaled right singular vectors (p x r): column l divided by s_l, or by sqrt(s_l^2 + ridge
 * s_1^2). */
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

/* Computes rows of the basis. The corresponding rows of J stay in tall.one. */
static void fill_basis(void *context, size_t begin, size_t end, double *out, int ld) {
    const struct ca_projector *projector = context;
    const struct ca_tall *tall = &projector->tall;
    const size_t p = tall->n_columns, r = projector->r, n = end - begin;
    tall->rows.fill(tall->rows.context, begin, end, tall->one, (int)tall->ld);
    for (size_t l = 0; l < r; l++) {
        double *to = out + l * (size_t)ld;
        if (projector->V != NULL)
            memset(to, 0, sizeof(double) * n);
        for (size_t i = 0; i < n && projector->V == NULL; i++)
            to[i] = tall->one[i + l * tall->ld] * projector->scale[l];
    }
    if (projector->V != NULL)
        ca_gemm_nn((int)n, (int)r, (int)p, tall->one, (int)tall->ld, projector->V, (int)p, out,
                   ld);
    for (int t = 0; t < 2; t++)
        if (projector->triangle[t] != NULL)
            ca_solve_right((int)n, (int)r, projector->triangle[t], out, ld);
}

/* J V / s is orthonormal to about eps s_1 / s_r. If s_1 / s_r is above this bound, its rows are
 * computed in blocks once more and multiplied by the inverse of their triangle, which makes
 * them orthonormal. The triangle is the Cholesky factor of their Gram matrix, or is computed by
 * QR where that matrix is not positive definite. */
static const double RESTORED = 1e3;

static enum ca_status restore(struct ca_projector *projector) {
    const struct ca_tall *tall = &projector->tall;
    const size_t r = projector->r;
    const struct ca_rows_source source = {projector, fill_basis, NULL, tall->rows.n_rows};
    double *R = ca_doubles(r * r);
    gram(source, r, tall->block, tall->two, tall->ld, R);
    if (ca_chol((int)r, R) != CA_OK) {
        const enum ca_status status =
            triangularise(source, r, tall->block, tall->two, tall->ld);
        if (status != CA_OK)
            return status;
        for (size_t l = 0; l < r; l++)
            memcpy(R + l * r, tall->two + l * tall->ld, sizeof(double) * r);
    }
    projector->triangle[1] = R;
    return CA_OK;
}

enum ca_status ca_allocation_projector_new(struct ca_tall tall,
                                           const struct ca_spectrum *spectrum, size_t rank,
                                           double ridge, struct ca_projector *projector) {
    const size_t r = n_directions(spectrum, rank, ridge);
    *projector = (struct ca_projector){.tall = tall, .r = r, .scale = spectrum->scale};
    if (r == 0)
        return CA_OK;
    if (spectrum->Vt == NULL) {
        projector->triangle[0] = spectrum->root[0];
        projector->triangle[1] = spectrum->root[1];
        return CA_OK;
    }
    projector->V = basis_vectors(spectrum, r, ridge);
    if (ridge == 0 && spectrum->values[0] > RESTORED * spectrum->values[r - 1])
        return restore(projector);
    return CA_OK;
}

/* Computes a block of rows of the basis, from `begin` on, in tall.two. The rows of J stay in
 * tall.one. Returns the first row of the next block. */
static size_t next_rows(struct ca_projector *projector, size_t begin) {
    const struct ca_tall *tall = &projector->tall;
    const size_t end = min_size(begin + tall->block, tall->rows.n_rows);
    fill_basis(projector, begin, end, tall->two, (int)tall->ld);
    return end;
}

void ca_allocation_leverage(struct ca_projector *projector,
                            void (*take)(void *context, size_t begin, size_t end,
                                         const double *leverage),
                            void *context) {
    const struct ca_tall *tall = &projector->tall;
    const size_t n_rows = tall->rows.n_rows;
    double *leverage = ca_doubles(min_size(tall->block, n_rows));
    for (size_t begin = 0, end; begin < n_rows; begin = end) {
        end = projector->r > 0 ? next_rows(projector, begin)
                               : min_size(begin + tall->block, n_rows);
        memset(leverage, 0, sizeof(double) * (end - begin));
        for (size_t l = 0; l < projector->r; l++)
            for (size_t i = 0; i < end - begin; i++) {
                const double q = tall->two[i + l * tall->ld];
                leverage[i] += q * q;
            }
        take(context, begin, end, leverage);
    }
}

void ca_allocation_kernel(struct ca_projector *projector, size_t m, const int *place,
                          size_t n_places, double *K) {
    const struct ca_tall *tall = &projector->tall;
    const size_t n_rows = tall->rows.n_rows, r = projector->r;
    double *U = ca_doubles(n_places * m * r); /* m matrices n_places x r, one for each output */
    memset(K, 0, sizeof(double) * n_places * n_places);
    for (size_t begin = 0, end; begin < n_rows && r > 0; begin = end) {
        end = next_rows(projector, begin);
        for (size_t i = begin; i < end; i++) {
            if (place[i / m] < 0)
                continue;
            double *to = U + (size_t)place[i / m] + (i % m) * n_places * r;
            for (size_t l = 0; l < r; l++)
                to[l * n_places] = tall->two[i - begin + l * tall->ld];
        }
    }
    for (size_t o = 0; o < m && r > 0; o++) {
        const double *own = U + o * n_places * r;
        ca_gemm_nt((int)n_places, (int)n_places, (int)r, own, (int)n_places, own, (int)n_places,
                   K, (int)n_places);
    }
}

/* Copies the upper triangle of K (n x n) to the lower one. */
static void mirror(double *K, size_t n) {
    for (size_t j = 0; j < n; j++)
        for (size_t i = j + 1; i < n; i++)
            K[i + j * n] = K[j + i * n];
}

/* K[i, j] = sum over (s, o) and l of Q_((s,o,i),l) Q_((s,o,j),l). For each block of samples and
 * each l this is the product A'A of a matrix A ((b m) x n_places). Its columns are contiguous
 * in tall.two if every coordinate has a place, and are copied otherwise. */
void ca_allocation_kernel_samples(struct ca_projector *projector, size_t n_coordinates,
                                  const int *place, size_t n_places, double *K) {
    const struct ca_tall *tall = &projector->tall;
    const size_t n_rows = tall->rows.n_rows;
    const int whole = n_places == n_coordinates;
    double *own = whole ? NULL : ca_doubles(tall->block / n_coordinates * n_places);
    memset(K, 0, sizeof(double) * n_places * n_places);
    for (size_t begin = 0, end; begin < n_rows && projector->r > 0; begin = end) {
        end = next_rows(projector, begin);
        const size_t rows = (end - begin) / n_coordinates; /* b m */
        for (size_t l = 0; l < projector->r; l++) {
            const double *Q = tall->two + l * tall->ld;
            for (size_t j = 0; j < n_coordinates && !whole; j++)
                if (place[j] >= 0)
                    memcpy(own + (size_t)place[j] * rows, Q + j * rows, sizeof(double) * rows);
            ca_gram_add((int)n_places, (int)rows, whole ? Q : own, (int)rows, K);
        }
    }
    mirror(K, n_places); /* ca_gram_add() computes the upper triangle */
}

/* Returns sqrt(w_l) V_jl (k x p). */
static double *weighted_vectors(const struct ca_spectrum *spectrum, size_t rank, double ridge) {
    const size_t k = spectrum->n_values, p = spectrum->n_columns;
    const size_t r = n_directions(spectrum, rank, ridge);
    double *Q = ca_doubles(k * p);
    for (size_t j = 0; j < p; j++)
        for (size_t l = 0; l < k; l++)
            Q[l + j * k] =
                l < r ? sqrt(weight(spectrum, l, ridge)) * spectrum->Vt[l + j * k] : 0;
    return Q;
}

void ca_allocation_kernel_columns(const struct ca_spectrum *spectrum, size_t rank, double ridge,
                                  const int *coordinate, size_t n_coordinates, const int *place,
                                  size_t n_places, double *K) {
    const size_t k = spectrum->n_values, p = spectrum->n_columns, of_each = p / n_coordinates;
    const double *Q = weighted_vectors(spectrum, rank, ridge);
    double *own = ca_doubles(k * n_places * of_each); /* for each output k x n_places */
    size_t *seen = ca_sizes(n_coordinates);
    memset(seen, 0, sizeof(size_t) * n_coordinates);
    for (size_t j = 0; j < p; j++) {
        const size_t output = seen[coordinate[j]]++;
        if (place[coordinate[j]] >= 0)
            memcpy(own + k * ((size_t)place[coordinate[j]] + n_places * output), Q + k * j,
                   sizeof(double) * k);
    }
    memset(K, 0, sizeof(double) * n_places * n_places);
    for (size_t output = 0; output < of_each; output++)
        ca_gram_add((int)n_places, (int)k, own + k * n_places * output, (int)k, K);
    mirror(K, n_places);
}

/* T[coordinate, group] += J_(row,k) (J^+)_(k,row), with J^+ = W Q', in blocks of rows. */
static void two_way_blocks(struct ca_projector *projector, const double *W,
                           size_t n_coordinates, const int *group, double *T) {
    const struct ca_tall *tall = &projector->tall;
    const struct ca_rows_source *rows = &tall->rows;
    const size_t n_rows = rows->n_rows, p = tall->n_columns, ld = tall->ld;
    double *inverse = ca_doubles(ld * p); /* (J^+)' of a block */
    size_t *place = ca_sizes(ld);
    for (size_t begin = 0, end; begin < n_rows; begin = end) {
        end = next_rows(projector, begin);
        memset(inverse, 0, sizeof(double) * ld * p);
        ca_gemm_nt((int)(end - begin), (int)p, (int)projector->r, tall->two, (int)ld, W, (int)p,
                   inverse, (int)ld);
        for (size_t i = 0; i < end - begin; i++)
            place[i] = rows->coordinate(rows->context, begin, end, i);
        for (size_t k = 0; k < p; k++)
            for (size_t i = 0; i < end - begin; i++)
                T[place[i] + (size_t)group[k] * n_coordinates] +=
                    tall->one[i + k * ld] * inverse[i + k * ld];
    }
}

void ca_allocation_two_way(struct ca_projector *projector, size_t n_coordinates,
                           const int *group, size_t n_groups, double *T) {
    const size_t p = projector->tall.n_columns, r = projector->r;
    memset(T, 0, sizeof(double) * n_coordinates * n_groups);
    if (r == 0)
        return;
    /* J^+ = V R_0^-1 R_1^-1 Q' */
    double *W = ca_doubles(p * r);
    memset(W, 0, sizeof(double) * p * r);
    for (size_t l = 0; l < r && projector->V == NULL; l++)
        W[l + l * p] = projector->scale[l];
    if (projector->V != NULL)
        memcpy(W, projector->V, sizeof(double) * p * r);
    for (int t = 0; t < 2; t++)
        if (projector->triangle[t] != NULL)
            ca_solve_right((int)p, (int)r, projector->triangle[t], W, (int)p);
    two_way_blocks(projector, W, n_coordinates, group, T);
}
