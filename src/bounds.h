#ifndef CAPALLOC_BOUNDS_H
#define CAPALLOC_BOUNDS_H

/*
 * Every bound on memory and on work in the core. Bounds of blocks trade calls of BLAS against
 * cache; bounds of sizes reject descriptions that no network on one machine reaches.
 */

enum ca_bounds {
    /* graph.c: positions of all nodes; taps of one position, and of one operation */
    CA_MOST_SITES = 1 << 25,
    CA_MOST_TAPS = 1 << 27,
    /* ffi-network.c: operations of a graph */
    CA_MOST_OPS = 1 << 20,
    /* tangent.c: values of the forward pass over one window, so that they stay in cache */
    CA_WINDOW_VALUES = 1 << 20,
    /* runs.h: runs contracted together */
    CA_MOST_RUNS = 256,
    /* sample.c: entries of J for a block of samples, so that it stays in cache; a block has
     * from 16 to 512 samples, which is worth a call of BLAS */
    CA_BLOCK_ENTRIES = 1 << 18,
    CA_LEAST_BLOCK = 16,
    CA_MOST_BLOCK = 512,
    /* ffi-network.c, ffi-capacity.c: rows that are predicted, samples that are linearised at a
     * time */
    CA_PREDICTED_ROWS = 512,
    CA_LINEARISED_SAMPLES = 256,
    /* flow-moments.c, flow-joint.c: entries of all matrices that are held at once */
    CA_FLOW_ENTRIES = 1 << 30,
    /* ffi-flow.c: values of all units for the samples at which gates are computed at a time,
     * and how many samples these are at most */
    CA_GATE_VALUES = 1 << 23,
    CA_GATE_ROWS = 256,
    /* sample.c: parameters, and 1e9 multiplications, of the Gauss-Newton matrix that is formed
     * at the end of a method that needs none */
    CA_NORMAL_PARAMS = 4096,
    CA_NORMAL_GIGA = 40,
    /* workspace.c: bytes from which on large pages are requested */
    CA_LARGE_BYTES = 1 << 22
};

#endif
