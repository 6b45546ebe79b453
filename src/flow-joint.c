#include "flow-joint.h"

#include <string.h>

#include "bounds.h"
#include "workspace.h"

static bool is_activation(const struct ca_stages *stages, int b) {
    return b > 0 && ca_op_row(ca_cut_stage_op(stages, b)->kind)->activation;
}

enum ca_status ca_joint_new(const struct ca_graph *graph, int n_whole, const int *whole,
                            struct ca_joint *joint) {
    *joint = (struct ca_joint){
        .stages = ca_cut_stages_new(graph), .n_whole = n_whole, .whole = whole};
    const struct ca_stages *stages = &joint->stages;
    bool *wanted = ca_cut_stages_none(stages), *keep = ca_cut_stages_none(stages),
         *read = ca_cut_stages_none(stages);
    for (int i = 0; i < stages->first_read[stages->n]; i++)
        read[stages->reads[i]] = true;
    joint->is_read = read;
    for (int b = 0; b < stages->n; b++) {
        wanted[b] = is_activation(stages, b);
        for (int i = 0; i < n_whole; i++)
            if (b > 0 && ca_cut_stage_step(stages, b).node == whole[i])
                for (int r = stages->first_read[b]; r < stages->first_read[b + 1]; r++)
                    keep[stages->reads[r]] = true;
    }
    ca_cut_stages_below(stages, wanted);
    return ca_cut_new(stages, wanted, false, keep, &joint->cut);
}

/* A list of stages, and its number of units. */
struct tier_stages {
    int n, n_units;
    const int *stage;
};

static struct tier_stages stages_of_item(const struct ca_joint *joint, int item) {
    const struct ca_lists *items = &joint->cut.items;
    struct tier_stages tier = {.n = items->first[item + 1] - items->first[item],
                               .stage = items->stage + items->first[item]};
    for (int i = 0; i < tier.n; i++)
        tier.n_units += ca_cut_stage_units(&joint->stages, tier.stage[i]);
    return tier;
}

static struct tier_stages stages_of_node(const struct ca_joint *joint, int node) {
    const struct ca_stages *stages = &joint->stages;
    int *stage = ca_ints((size_t)stages->n);
    struct tier_stages tier = {.stage = stage};
    for (int b = 1; b < stages->n; b++)
        if (ca_cut_stage_step(stages, b).node == node) {
            stage[tier.n++] = b;
            tier.n_units += ca_cut_stage_units(stages, b);
        }
    return tier;
}

double ca_joint_pairs(const struct ca_joint *joint) {
    double pairs = 0;
    for (int i = 0; i < joint->cut.items.n; i++)
        if (!ca_cut_item_is_linear(&joint->cut, i)) {
            const double n = stages_of_item(joint, i).n_units;
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
    const size_t at = (size_t)cut->at[0], n = joint->stages.graph->n_inputs;
    memcpy(state.mean + at, mean, sizeof(double) * n);
    for (size_t j = 0; j < n; j++)
        memcpy(state.cov + at + N * (at + j), cov + n * j, sizeof(double) * n);
    return state;
}

/* For the units of a tier: their gates, operations, and places, and the places of what they
 * read. */
struct tier_units {
    int *gate, *node, *own, *read;
};

static enum ca_status find_units(const struct ca_joint *joint, struct tier_stages tier,
                                 const size_t *first, struct tier_units *units) {
    const struct ca_graph *graph = joint->stages.graph;
    const size_t n = (size_t)tier.n_units;
    *units = (struct tier_units){ca_ints(n), ca_ints(n), ca_ints(n), ca_ints(n)};
    size_t z = 0;
    for (int i = 0; i < tier.n; i++) {
        const struct ca_step step = ca_cut_stage_step(&joint->stages, tier.stage[i]);
        const struct ca_op *op = &graph->op[step.node];
        if (!is_activation(&joint->stages, tier.stage[i]))
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

static bool is_read(const struct ca_joint *joint, struct tier_stages tier) {
    for (int i = 0; i < tier.n; i++)
        if (joint->is_read[tier.stage[i]])
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
static void add_activations(const struct state *state, const struct tier_units *units,
                            const struct ca_joint_tier *tier) {
    const size_t N = (size_t)state->cov_carry.size, n = (size_t)tier->n;
    double *across = ca_doubles(n * N);
    for (size_t r = 0; r < N; r++)
        for (size_t z = 0; z < n; z++)
            across[z + n * r] = tier->slope[z] * state->cov[(size_t)units->read[z] + N * r];
    for (size_t r = 0; r < N; r++)
        for (size_t z = 0; z < n; z++) {
            state->cov[(size_t)units->own[z] + N * r] = across[z + n * r];
            state->cov[r + N * (size_t)units->own[z]] = across[z + n * r];
        }
    for (size_t y = 0; y < n; y++) {
        state->mean[units->own[y]] = tier->value[y];
        for (size_t z = 0; z < n; z++)
            state->cov[(size_t)units->own[z] + N * (size_t)units->own[y]] =
                tier->moment[z + n * y] - tier->value[z] * tier->value[y];
    }
}

static enum ca_status visit_tier(const struct ca_joint *joint, const struct state *state,
                                 const size_t *first, struct tier_stages stages, bool joins,
                                 void (*visit)(void *, const struct ca_joint_tier *),
                                 void *context) {
    const size_t n = (size_t)stages.n_units;
    struct tier_units units;
    const enum ca_status status = find_units(joint, stages, first, &units);
    if (status != CA_OK)
        return status;
    double *mean = ca_doubles(n), *cov = ca_doubles(n * n);
    read_moments(state, stages.n_units, units.read, mean, cov);
    struct ca_joint_tier tier = {.n = stages.n_units,
                                 .gate = units.gate,
                                 .node = units.node,
                                 .mean = mean,
                                 .cov = cov,
                                 .is_read = joins && is_read(joint, stages)};
    if (tier.is_read) {
        tier.slope = ca_doubles(n);
        tier.value = ca_doubles(n);
        tier.moment = ca_doubles(n * n);
    }
    visit(context, &tier);
    if (tier.is_read)
        add_activations(state, &units, &tier);
    return CA_OK;
}

enum ca_status ca_joint_run(const struct ca_joint *joint, const double *theta,
                            const double *mean, const double *cov,
                            void (*visit)(void *context, const struct ca_joint_tier *tier),
                            void *context) {
    const struct ca_cut *cut = &joint->cut;
    if ((double)cut->size * cut->size > CA_FLOW_ENTRIES)
        return CA_TOO_LARGE;
    const struct state state = start_state(joint, theta, mean, cov);
    size_t n_gates;
    const size_t *first = ca_gate_first(joint->stages.graph, &n_gates);
    for (int item = 0; item < cut->items.n; item++) {
        if (!ca_cut_item_is_linear(cut, item)) {
            const enum ca_status status = visit_tier(
                joint, &state, first, stages_of_item(joint, item), true, visit, context);
            if (status != CA_OK)
                return status;
        } else {
            ca_carry_stage(&state.mean_carry, cut->items.stage[cut->items.first[item]],
                           state.mean);
            ca_carry_stage(&state.cov_carry, cut->items.stage[cut->items.first[item]],
                           state.cov);
        }
        for (int i = cut->closing.first[item]; i < cut->closing.first[item + 1]; i++) {
            ca_carry_clear(&state.mean_carry, cut->closing.stage[i], state.mean);
            ca_carry_clear(&state.cov_carry, cut->closing.stage[i], state.cov);
        }
    }
    for (int i = 0; i < joint->n_whole; i++) {
        const enum ca_status status =
            visit_tier(joint, &state, first, stages_of_node(joint, joint->whole[i]), false,
                       visit, context);
        if (status != CA_OK)
            return status;
    }
    return CA_OK;
}
