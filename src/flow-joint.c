#include "flow-joint.h"

#include <string.h>

#include "bounds.h"
#include "workspace.h"

static bool is_activation(const struct ca_blocks *blocks, int b) {
    return b > 0 && ca_op_row(ca_block_op(blocks, b)->kind)->activation;
}

enum ca_status ca_joint_new(const struct ca_graph *graph, int n_whole, const int *whole,
                            struct ca_joint *joint) {
    *joint =
        (struct ca_joint){.blocks = ca_blocks_new(graph), .n_whole = n_whole, .whole = whole};
    const struct ca_blocks *blocks = &joint->blocks;
    bool *wanted = ca_blocks_none(blocks), *keep = ca_blocks_none(blocks),
         *read = ca_blocks_none(blocks);
    for (int i = 0; i < blocks->first_read[blocks->n]; i++)
        read[blocks->reads[i]] = true;
    joint->is_read = read;
    for (int b = 0; b < blocks->n; b++) {
        wanted[b] = is_activation(blocks, b);
        for (int i = 0; i < n_whole; i++)
            if (b > 0 && ca_block_step(blocks, b).node == whole[i])
                for (int r = blocks->first_read[b]; r < blocks->first_read[b + 1]; r++)
                    keep[blocks->reads[r]] = true;
    }
    ca_blocks_below(blocks, wanted);
    return ca_cut_new(blocks, wanted, false, keep, &joint->cut);
}

/* A list of blocks, and its number of units. */
struct level_blocks {
    int n, n_units;
    const int *block;
};

static struct level_blocks blocks_of_item(const struct ca_joint *joint, int item) {
    const struct ca_lists *items = &joint->cut.items;
    struct level_blocks level = {.n = items->first[item + 1] - items->first[item],
                                 .block = items->block + items->first[item]};
    for (int i = 0; i < level.n; i++)
        level.n_units += ca_block_units(&joint->blocks, level.block[i]);
    return level;
}

static struct level_blocks blocks_of_node(const struct ca_joint *joint, int node) {
    const struct ca_blocks *blocks = &joint->blocks;
    int *block = ca_ints((size_t)blocks->n);
    struct level_blocks level = {.block = block};
    for (int b = 1; b < blocks->n; b++)
        if (ca_block_step(blocks, b).node == node) {
            block[level.n++] = b;
            level.n_units += ca_block_units(blocks, b);
        }
    return level;
}

double ca_joint_pairs(const struct ca_joint *joint) {
    double pairs = 0;
    for (int i = 0; i < joint->cut.items.n; i++)
        if (!ca_item_is_linear(&joint->cut, i)) {
            const double n = blocks_of_item(joint, i).n_units;
            pairs += n * n;
        }
    return pairs;
}

/* The state on the cut: mean (1 x (size + 1), the homogeneous coordinate last), cov (size x
 * size). */
struct state {
    struct ca_carry mean_carry, cov_carry;
    double *mean, *cov;
};

static struct state start_state(const struct ca_joint *joint, const double *theta,
                                const double *mean, const double *cov) {
    const struct ca_cut *cut = &joint->cut;
    struct state state = {.mean_carry = ca_carry_new(cut, theta, false, 1, true),
                          .cov_carry = ca_carry_new(cut, theta, true, cut->size, false)};
    const size_t N = (size_t)cut->size;
    state.mean = ca_doubles(N + 1);
    state.cov = ca_doubles(N * N);
    memset(state.mean, 0, sizeof(double) * N);
    memset(state.cov, 0, sizeof(double) * N * N);
    state.mean[N] = 1;
    if (cut->at[0] < 0)
        return state;
    const size_t at = (size_t)cut->at[0], n = joint->blocks.graph->n_inputs;
    memcpy(state.mean + at, mean, sizeof(double) * n);
    for (size_t j = 0; j < n; j++)
        memcpy(state.cov + at + N * (at + j), cov + n * j, sizeof(double) * n);
    return state;
}

/* For the units of a level: their gates, operations, and places, and the places of what they
 * read. */
struct level_units {
    int *gate, *node, *own, *read;
};

static enum ca_status find_units(const struct ca_joint *joint, struct level_blocks level,
                                 const size_t *first, struct level_units *units) {
    const struct ca_graph *graph = joint->blocks.graph;
    const size_t n = (size_t)level.n_units;
    *units = (struct level_units){ca_ints(n), ca_ints(n), ca_ints(n), ca_ints(n)};
    size_t z = 0;
    for (int i = 0; i < level.n; i++) {
        const struct ca_step step = ca_block_step(&joint->blocks, level.block[i]);
        const struct ca_op *op = &graph->op[step.node];
        if (!is_activation(&joint->blocks, level.block[i]))
            return CA_BAD_GRAPH;
        for (int u = step.begin; u < step.end; u++) {
            struct ca_taps t = ca_taps_of(op, u);
            if (!ca_next_tap(&t))
                return CA_BAD_GRAPH;
            const int own = ca_cut_place(&joint->cut, graph->first[step.node] + (size_t)u);
            const int read = ca_cut_place(&joint->cut, t.tap.site);
            for (int c = 0; c < op->shape.channels; c++, z++) {
                units->gate[z] = (int)first[step.node] + u * op->shape.channels + c;
                units->node[z] = step.node;
                units->own[z] = own + c;
                units->read[z] = read + c;
            }
        }
    }
    return CA_OK;
}

static bool is_read(const struct ca_joint *joint, struct level_blocks level) {
    for (int i = 0; i < level.n; i++)
        if (joint->is_read[level.block[i]])
            return true;
    return false;
}

/* Moments of what the units read: mean (n), cov (n x n). */
static void read_moments(const struct state *state, int n, const int *read, double *mean,
                         double *cov) {
    const size_t N = (size_t)state->cov_carry.size;
    for (int y = 0; y < n; y++) {
        mean[y] = state->mean[read[y]];
        for (int z = 0; z < n; z++)
            cov[(size_t)z + (size_t)n * (size_t)y] =
                state->cov[(size_t)read[z] + N * (size_t)read[y]];
    }
}

/* The activations join the state: the covariances with all units first, then those of the
 * activations with each other. */
static void add_activations(const struct state *state, const struct level_units *units,
                            const struct ca_joint_level *level) {
    const size_t N = (size_t)state->cov_carry.size, n = (size_t)level->n;
    double *across = ca_doubles(n * N);
    for (size_t r = 0; r < N; r++)
        for (size_t z = 0; z < n; z++)
            across[z + n * r] = level->slope[z] * state->cov[(size_t)units->read[z] + N * r];
    for (size_t r = 0; r < N; r++)
        for (size_t z = 0; z < n; z++) {
            state->cov[(size_t)units->own[z] + N * r] = across[z + n * r];
            state->cov[r + N * (size_t)units->own[z]] = across[z + n * r];
        }
    for (size_t y = 0; y < n; y++) {
        state->mean[units->own[y]] = level->value[y];
        for (size_t z = 0; z < n; z++)
            state->cov[(size_t)units->own[z] + N * (size_t)units->own[y]] =
                level->moment[z + n * y] - level->value[z] * level->value[y];
    }
}

static enum ca_status visit_level(const struct ca_joint *joint, const struct state *state,
                                  const size_t *first, struct level_blocks blocks, bool joins,
                                  void (*visit)(void *, const struct ca_joint_level *),
                                  void *context) {
    const size_t n = (size_t)blocks.n_units;
    struct level_units units;
    const enum ca_status status = find_units(joint, blocks, first, &units);
    if (status != CA_OK)
        return status;
    double *mean = ca_doubles(n), *cov = ca_doubles(n * n);
    read_moments(state, blocks.n_units, units.read, mean, cov);
    struct ca_joint_level level = {.n = blocks.n_units,
                                   .gate = units.gate,
                                   .node = units.node,
                                   .mean = mean,
                                   .cov = cov,
                                   .is_read = joins && is_read(joint, blocks)};
    if (level.is_read) {
        level.slope = ca_doubles(n);
        level.value = ca_doubles(n);
        level.moment = ca_doubles(n * n);
    }
    visit(context, &level);
    if (level.is_read)
        add_activations(state, &units, &level);
    return CA_OK;
}

enum ca_status ca_joint_run(const struct ca_joint *joint, const double *theta,
                            const double *mean, const double *cov,
                            void (*visit)(void *context, const struct ca_joint_level *level),
                            void *context) {
    const struct ca_cut *cut = &joint->cut;
    if ((double)cut->size * cut->size > CA_FLOW_ENTRIES)
        return CA_TOO_LARGE;
    const struct state state = start_state(joint, theta, mean, cov);
    size_t n_gates;
    const size_t *first = ca_gate_first(joint->blocks.graph, &n_gates);
    for (int item = 0; item < cut->items.n; item++) {
        if (!ca_item_is_linear(cut, item)) {
            const enum ca_status status = visit_level(
                joint, &state, first, blocks_of_item(joint, item), true, visit, context);
            if (status != CA_OK)
                return status;
        } else {
            ca_carry_block(&state.mean_carry, cut->items.block[cut->items.first[item]],
                           state.mean);
            ca_carry_block(&state.cov_carry, cut->items.block[cut->items.first[item]],
                           state.cov);
        }
        for (int i = cut->closing.first[item]; i < cut->closing.first[item + 1]; i++) {
            ca_carry_clear(&state.mean_carry, cut->closing.block[i], state.mean);
            ca_carry_clear(&state.cov_carry, cut->closing.block[i], state.cov);
        }
    }
    for (int i = 0; i < joint->n_whole; i++) {
        const enum ca_status status =
            visit_level(joint, &state, first, blocks_of_node(joint, joint->whole[i]), false,
                        visit, context);
        if (status != CA_OK)
            return status;
    }
    return CA_OK;
}
