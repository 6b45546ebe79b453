#ifndef CAPALLOC_FLOW_CUT_H
#define CAPALLOC_FLOW_CUT_H

/*
 * Cuts of a graph: the order in which blocks are processed, and the places of their units in
 * the matrices of flow-carry.h.
 *
 * Blocks are the input (block 0) and the steps of the graph: a whole operation, or in a
 * recurrence one position of it. The level of a block is the largest number of nonlinear steps
 * on a way from the input to it. Nonlinear blocks of one level depend on the same units, so
 * they form one item; every linear block is an item of its own. A block is open from the first
 * item that needs its place to the last one. Blocks that are open at the same time do not
 * overlap.
 */

#include "graph.h"

struct ca_blocks {
    const struct ca_graph *graph;
    int n;
    const int *of;    /* n_sites: the block that computes a site */
    const int *level; /* n */
    const bool *live; /* n: whether the output depends on the block */
    /* Block b reads the blocks reads[first_read[b]] .. reads[first_read[b + 1] - 1], each once.
     */
    const int *first_read, *reads; /* n + 1; first_read[n] */
};

struct ca_blocks ca_blocks_new(const struct ca_graph *graph);

/* Node and positions of a block, its operation, and its number of units. */
struct ca_step ca_block_step(const struct ca_blocks *blocks, int b);
const struct ca_op *ca_block_op(const struct ca_blocks *blocks, int b);
int ca_block_units(const struct ca_blocks *blocks, int b);
bool ca_block_is_linear(const struct ca_blocks *blocks, int b);

/* n flags, all false. */
bool *ca_blocks_none(const struct ca_blocks *blocks);
/* Adds to `found` (n) the blocks that those in it depend on, or the blocks that depend on them.
 */
void ca_blocks_below(const struct ca_blocks *blocks, bool *found);
void ca_blocks_above(const struct ca_blocks *blocks, bool *found);

/* Lists of blocks: list i is block[first[i]] .. block[first[i + 1] - 1]. */
struct ca_lists {
    int n;
    const int *first, *block;
};

struct ca_cut {
    const struct ca_blocks *blocks;
    bool backward;
    int size;                /* rows or columns that hold all places */
    const int *at;           /* blocks: place of the first unit, -1 for none */
    const int *item;         /* blocks: the item that processes it, items.n for none */
    struct ca_lists items;   /* in the order in which they are processed */
    struct ca_lists closing; /* items: blocks that are closed after it */
};

/* A cut through the `wanted` blocks (n), from the output to the input if `backward`. `edge` (n,
 * or NULL) are the blocks that are open from the start (backward) or stay open to the end
 * (forward). CA_TOO_LARGE if the places exceed an int. */
enum ca_status ca_cut_new(const struct ca_blocks *blocks, const bool *wanted, bool backward,
                          const bool *edge, struct ca_cut *cut);

/* Multiply-add operations that one row takes through the whole cut. */
double ca_cut_terms(const struct ca_cut *cut);
bool ca_item_is_linear(const struct ca_cut *cut, int item);
/* Place of the first unit of a site, -1 for none. */
int ca_cut_place(const struct ca_cut *cut, size_t site);

#endif
