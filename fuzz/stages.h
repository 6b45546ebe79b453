#ifndef CAPALLOC_FUZZ_STAGES_H
#define CAPALLOC_FUZZ_STAGES_H

/*
 * The stages of the fuzzer: for one network, what the routines of the border (../src/ffi-*.c)
 * call in the core, with the checks of the border. A stage aborts if its results contradict
 * each other.
 */

#include "describe.h"

struct fuzz_subject {
    struct ca_graph graph;
    struct fuzz_options options;
    const double *theta;  /* p */
    const double *x, *y;  /* N x n, N x m */
    double work;          /* multiplications of one pass with one row, roughly */
    double majorant;      /* bound of the size of values and derivatives, for rounding errors */
    unsigned long digest; /* hash of all results */
};

typedef void fuzz_stage(struct fuzz_subject *subject);

/* All stages; NULL at the end. */
extern fuzz_stage *const fuzz_stages[];

/* Sets `work` and `majorant`. */
void fuzz_measure(struct fuzz_subject *subject);

#endif
