#ifndef CAPALLOC_MOMENTS_H
#define CAPALLOC_MOMENTS_H

/*
 * The loss of a linear network on a task's moments (augmented by the constant when the network
 * has a bias):
 *   L(theta) = tr V - 2 tr(W C) + tr(W Sigma W') = floor + |R W' - T|^2
 * with Sigma = R'R, R'T = C and floor the loss of the best linear map. R comes from a QR
 * factorisation of rows or a pivoted Cholesky factorisation of stated moments: R/task-root.R.
 */

#include <stddef.h>

struct ca_moments {
    size_t n, m;     /* coordinates (with the constant), outputs */
    const double *R; /* rank x n */
    size_t rank;
    const double *T; /* rank x m */
    double floor;    /* the loss that no linear map can go below */
    double total;    /* E|y|^2, about the mean when the network has a bias */
};

#endif
