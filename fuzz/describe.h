#ifndef CAPALLOC_FUZZ_DESCRIBE_H
#define CAPALLOC_FUZZ_DESCRIBE_H

/*
 * Bytes to what the border may hand to the core: a description of a graph of any whole numbers,
 * and what is asked of it. corpus.R writes descriptions of real networks in the same form:
 *
 *   8 bytes      options, below
 *   3 x faults   which operation, which field, what number: changes made at the end
 *   5 numbers    shape of the input, output (-1: the last node), parameters (-1: as many as
 *                fit)
 *   operations   a byte that selects the form of each: a kind from 0 on, with fields that fit
 *                its inputs; and behind the kinds of src/op.h a recurrence, a repetition of the
 *                last operation, and an operation with all fields as numbers
 *
 * A number is one byte, -16 .. 207, or an extreme one (224 ..), or two bytes (240 ..).
 */

#include <stddef.h>

#include "../src/graph.h"

struct fuzz_options {
    int faults;
    int twice;   /* with other values of fresh memory */
    int values;  /* of which sort, below */
    int samples; /* N */
    size_t block;
    double ridge, tol;
    int left_out; /* an operation without columns, 0 for none */
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
/* As the border does before it calls ca_graph_build(). */
struct ca_graph fuzz_read_graph(struct fuzz_bytes *bytes, const struct fuzz_options *options);

/* n numbers of the sort that the options name. */
double *fuzz_values(const struct fuzz_options *options, unsigned salt, size_t n);

#endif
