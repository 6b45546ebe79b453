#ifndef CAPALLOC_BOUNDS_H
#define CAPALLOC_BOUNDS_H

/*
 * All bounds on memory and on work in the core; those of the R code are in R/util-size.R. The
 * sizes of blocks balance the number of BLAS calls against cache misses. The bounds of sizes
 * reject descriptions that no network on one machine reaches.
 */

enum ca_bounds {
    /* graph.c: positions of all nodes; taps of one position, and taps of all positions of one
     * operation */
    CA_MOST_SITES = 1 << 25,
    CA_MOST_TAPS = 1 << 27,
    /* ffi-network.c: operations of a graph */
    CA_MOST_OPS = 1 << 20,
    /* tangent.c: values of the forward pass over one window of coordinates, so that they stay
     * in cache */
    CA_WINDOW_VALUES = 1 << 20,
    /* contract.c, runs.c: runs that are contracted together */
    CA_MOST_RUNS = 256,
    /* sample.c: entries of J for a block of samples, so that it stays in cache. A block has at
     * least CA_LEAST_BLOCK samples, for few calls of BLAS, and at most CA_MOST_BLOCK. */
    CA_BLOCK_ENTRIES = 1 << 18,
    CA_LEAST_BLOCK = 16,
    CA_MOST_BLOCK = 512,
    /* ffi-network.c, ffi-capacity.c: rows that are predicted together, and samples that are
     * linearised together */
    CA_PREDICTED_ROWS = 512,
    CA_LINEARISED_SAMPLES = 256,
    /* ffi-capacity.c: entries of a block of columns of a tangent with fewer rows than columns
     */
    CA_WIDE_ENTRIES = 1 << 23,
    /* flow-moments.c, flow-joint.c: entries of all matrices that are stored at the same time */
    CA_FLOW_ENTRIES = 1 << 30,
    /* ffi-flow.c: values of all units for the samples whose gates are computed together, and
     * the largest number of these samples */
    CA_GATE_VALUES = 1 << 23,
    CA_GATE_ROWS = 256,
    /* sample.c: number of parameters, and number of multiplications in units of 1e9, up to
     * which the Gauss-Newton matrix is formed at the end of a method that does not need it */
    CA_NORMAL_PARAMS = 4096,
    CA_NORMAL_GIGA = 40,
    /* workspace.c: bytes from which on large pages are requested */
    CA_LARGE_BYTES = 1 << 22
};

#endif
