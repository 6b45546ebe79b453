#ifndef CAPALLOC_FUZZ_STAGES_H
#define CAPALLOC_FUZZ_STAGES_H

/*
 * What the border's routines (../src/ffi-*.c) ask of the core for one network, each a stage,
 * with the border's own checks before it; and what has to hold between their answers, on which
 * a stage aborts.
 */

#include "describe.h"

struct fuzz_subject {
    struct ca_graph graph;
    struct fuzz_options options;
    const double *theta;  /* p */
    const double *x, *y;  /* N x n, N x m */
    double work;          /* multiplications of one pass with one row, about */
    double majorant;      /* of all that rounding errors of values and derivatives scale with */
    unsigned long digest; /* of all answers */
};

typedef void fuzz_stage(struct fuzz_subject *subject);

/* NULL at the end. */
extern fuzz_stage *const fuzz_stages[];

/* Sets work and majorant. */
void fuzz_measure(struct fuzz_subject *subject);

#endif
