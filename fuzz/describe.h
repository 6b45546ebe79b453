#ifndef CAPALLOC_FUZZ_DESCRIBE_H
#define CAPALLOC_FUZZ_DESCRIBE_H

/*
 * Decodes bytes to the arguments that the border may pass to the core: a description of a graph
 * with arbitrary integers, and options of the stages. corpus.R encodes real networks in the
 * same form:
 *
 *   8 bytes      options, below
 *   3 x faults   changes made at the end: which operation, which field, what number
 *   5 numbers    shape of the input, output (-1: the last node), number of parameters (-1: as
 *                many as fit)
 *   operations   a byte that selects the form of each: a kind from 0 on, with fields that fit
 *                its inputs; and behind the kinds of src/op.h a recurrence, a repetition of the
 *                last operation, and an operation with all fields as numbers. A new kind
 *                changes the meaning of this byte, so corpus.txt must be made again.
 *
 * A number is one byte (-16 .. 207), an extreme value (bytes from 224 on), or two bytes (from
 * 240 on).
 */

#include <stddef.h>

#include "../src/graph.h"

struct fuzz_options {
    int faults;
    int twice;   /* run again with other values in fresh memory */
    int values;  /* sort of values, below */
    int samples; /* N */
    size_t block;
    double ridge, tol;
    int left_out; /* an operation that is left out of the columns, 0 for none */
    unsigned seed;
};

enum {
    FUZZ_SMALL,
    FUZZ_ZERO,
    FUZZ_ONE,
    FUZZ_SPARSE,
    FUZZ_UNIFORM,
    FUZZ_WIDE,
    FUZZ_EXTREME,
    FUZZ_SORTS
};

struct fuzz_bytes {
    const unsigned char *at;
    size_t left;
};

struct fuzz_options fuzz_read_options(struct fuzz_bytes *bytes);
/* Reads the description of a graph, as the border does before ca_graph_build(). */
struct ca_graph fuzz_read_graph(struct fuzz_bytes *bytes, const struct fuzz_options *options);

/* n numbers of the sort in the options. */
double *fuzz_values(const struct fuzz_options *options, unsigned salt, size_t n);

#endif
