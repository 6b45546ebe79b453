#ifndef CAPALLOC_MOMENTS_H
#define CAPALLOC_MOMENTS_H

/*
 * The loss of a linear network on a task's moments (uncentred, augmented by the
 * constant when the network has one):
 *   L(theta) = tr V - 2 tr(W C) + tr(W Sigma W') = floor + |R W' - T|^2
 * with Sigma = R'R by pivoted Cholesky (R: rank x n), R'T = C and floor the loss
 * of the best linear map. Data only enter through these.
 */

#include "graph.h"
#include "status.h"

struct ca_moments {
    size_t n, m;     /* coordinates (with the constant), outputs */
    const double *R; /* rank x n */
    size_t rank;
    const double *T; /* rank x m */
    double floor;    /* loss that no linear map can go below */
    double total;    /* tr V */
};

/* Sigma n x n, C n x m, total = tr V. */
enum ca_status ca_moments_new(size_t n, size_t m, const double *sigma, const double *cross,
                              double total, struct ca_moments *moments);

#endif
