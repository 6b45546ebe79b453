#include "transposed.h"

#include <math.h>
#include <stdint.h>

#include "linalg.h"
#include "workspace.h"

/* The value of `current` before any block has been computed. */
static const size_t NOWHERE = SIZE_MAX;

struct ca_transposed ca_transposed_new(struct ca_rows_source rows,
                                       struct ca_column_blocks columns, size_t block,
                                       const int *group) {
    const size_t p = columns.first[columns.n_blocks];
    size_t widest = 0;
    for (size_t b = 0; b < columns.n_blocks; b++)
        if (columns.first[b + 1] - columns.first[b] > widest)
            widest = columns.first[b + 1] - columns.first[b];
    return (struct ca_transposed){.rows = rows,
                                  .columns = columns,
                                  .block = block,
                                  .current = NOWHERE,
                                  .values = ca_doubles(rows.n_rows * widest),
                                  .norm = ca_doubles(p),
                                  .scale = ca_doubles(p),
                                  .group = group};
}

/* Computes block b of the columns of J, unless it is the current one. */
static void compute_block(struct ca_transposed *transposed, size_t b) {
    const struct ca_rows_source *rows = &transposed->rows;
    if (transposed->current == b)
        return;
    transposed->columns.select(transposed->columns.context, b);
    for (size_t begin = 0, end; begin < rows->n_rows; begin = end) {
        end =
            begin + transposed->block < rows->n_rows ? begin + transposed->block : rows->n_rows;
        rows->fill(rows->context, begin, end, transposed->values + begin, (int)rows->n_rows);
    }
    transposed->current = b;
}

enum ca_status ca_transposed_scale(struct ca_transposed *transposed,
                                   const struct ca_columns *columns) {
    const struct ca_column_blocks *blocks = &transposed->columns;
    const size_t n_rows = transposed->rows.n_rows;
    for (size_t b = 0; b < blocks->n_blocks; b++) {
        compute_block(transposed, b);
        for (size_t k = blocks->first[b]; k < blocks->first[b + 1]; k++) {
            transposed->norm[k] =
                ca_norm((int)n_rows, transposed->values + (k - blocks->first[b]) * n_rows);
            if (!isfinite(transposed->norm[k]))
                return CA_NONFINITE;
        }
    }
    ca_allocation_scales(columns, n_rows, blocks->first[blocks->n_blocks], transposed->norm,
                         transposed->scale);
    return CA_OK;
}

/* Rows begin <= k < end of the transpose, which may be in several blocks of columns. */
static void fill(void *context, size_t begin, size_t end, double *out, int ld) {
    struct ca_transposed *transposed = context;
    const struct ca_column_blocks *blocks = &transposed->columns;
    const size_t n_rows = transposed->rows.n_rows;
    size_t b = 0;
    for (size_t k = begin, stop; k < end; k = stop) {
        while (blocks->first[b + 1] <= k)
            b++;
        stop = blocks->first[b + 1] < end ? blocks->first[b + 1] : end;
        compute_block(transposed, b);
        const double *from = transposed->values + (k - blocks->first[b]) * n_rows;
        for (size_t i = 0; i < n_rows; i++) {
            double *to = out + (k - begin) + i * (size_t)ld;
            for (size_t j = 0; j < stop - k; j++)
                to[j] = transposed->scale[k + j] * from[i + j * n_rows];
        }
    }
}

static size_t coordinate(const void *context, size_t begin, size_t end, size_t i) {
    const struct ca_transposed *transposed = context;
    (void)end;
    return (size_t)transposed->group[begin + i];
}

struct ca_rows_source ca_transposed_rows(struct ca_transposed *transposed) {
    return (struct ca_rows_source){transposed, fill, coordinate,
                                   transposed->columns.first[transposed->columns.n_blocks]};
}
