/* See moments.h. Columns of the pivoted factor go back to the coordinates that they belong to.
 */

#include "moments.h"

#include <string.h>

#include "linalg.h"
#include "workspace.h"

enum ca_status ca_moments_new(size_t n, size_t m, const double *sigma, const double *cross,
                              double total, struct ca_moments *moments) {
    double *A = ca_doubles(n * n), *R = ca_doubles(n * n), *T = ca_doubles(n * m);
    int *pivot = ca_ints(n), rank;
    memcpy(A, sigma, sizeof(double) * n * n);
    const enum ca_status status = ca_pivoted_chol((int)n, A, pivot, &rank, ca_doubles(2 * n));
    if (status != CA_OK)
        return status;
    const size_t r = (size_t)rank;
    memset(R, 0, sizeof(double) * n * n);
    for (size_t j = 0; j < n; j++) { /* column j of the factor belongs to coordinate pivot[j] */
        const size_t to = (size_t)pivot[j] - 1;
        for (size_t i = 0; i <= j && i < r; i++)
            R[i + to * r] = A[i + j * n];
    }
    double explained = 0;
    for (size_t o = 0; o < m; o++) {
        double *t = T + o * r;
        for (size_t i = 0; i < r; i++)
            t[i] = cross[(size_t)pivot[i] - 1 + o * n];
        ca_solve_lower(rank, A, (int)n, t);
        explained += ca_dot(r, t, t);
    }
    *moments = (struct ca_moments){.n = n,
                                   .m = m,
                                   .R = R,
                                   .rank = r,
                                   .T = T,
                                   .floor = explained < total ? total - explained : 0,
                                   .total = total};
    return CA_OK;
}
